/*
 * smbus.c: the SMBus, and the PIIX4's host controller for it.
 *
 * Source: Intel 82371AB (PIIX4) data sheet, section 7.3 (SMBus I/O registers); System Management Bus Specification 2.0,
 * section 5.5.
 * Not modelled: the time that a transaction takes (it is done when the guest has seen once that the host is busy), the
 * interrupt at its end (drivers look at the status), arbitration, the host as a target (registers 8 to 0xc), alerts,
 * and what the ICH9 has beyond the PIIX4 (octet by octet block transfers, I2C blocks): as reserved protocols they fail.
 */
#include "emu/pci/smbus.h"

#include <string.h>

#include "emu/core/machine.h"

enum {
    HOST_STATUS = 0,
    STATUS_BUSY = 1 << 0,
    STATUS_DONE = 1 << 1, /* INTR */
    STATUS_DEVICE_ERROR = 1 << 2,
    STATUS_FAILED = 1 << 4,
    HOST_CONTROL = 2,
    CONTROL_KILL = 1 << 1,
    CONTROL_PROTOCOL_SHIFT = 2,
    CONTROL_PROTOCOL = 7,
    CONTROL_START = 1 << 6,
    CONTROL_READABLE = 0x1f,
    HOST_COMMAND = 3,
    HOST_ADDRESS = 4,
    HOST_DATA0 = 5,
    HOST_DATA1 = 6,
    HOST_BLOCK = 7,
    AUX_CONTROL = 0xd,
    AUX_BLOCK = 1 << 1, /* what the PIIX4 always does */
    AUX_WRITABLE = 3,
    BUS_IDLE = 0xff,
};

typedef enum Protocol { QUICK, BYTE, BYTE_DATA, WORD_DATA, BLOCK = 5 } Protocol;

/* --- the bus ---------------------------------------------------------------------------------------------------- */

static const VMStateField bus_fields[] = {
    VMS_FIELD(SmbusState, saved_address),
    VMS_END,
};

static const VMStateDescription bus_state = {
    .name = "i2c_bus",
    .version = 1,
    .minimum = 1,
    .size = sizeof(SmbusState),
    .fields = bus_fields,
};

static void reset_bus(Device *dev)
{
    ((Smbus *)dev)->s = (SmbusState){.saved_address = BUS_IDLE};
}

const DeviceType smbus_type = {
    .name = "i2c-bus",
    .about = "SMBus",
    .size = sizeof(Smbus),
    .state = &bus_state,
    .state_offset = offsetof(Smbus, s),
    .reset = reset_bus,
};

/* --- state of the host controller ------------------------------------------------------------------------------- */

static const VMStateField fields[] = {
    VMS_FIELD(SmbusHostState, smb_stat),
    VMS_FIELD(SmbusHostState, smb_ctl),
    VMS_FIELD(SmbusHostState, smb_cmd),
    VMS_FIELD(SmbusHostState, smb_addr),
    VMS_FIELD(SmbusHostState, smb_data0),
    VMS_FIELD(SmbusHostState, smb_data1),
    VMS_FIELD(SmbusHostState, smb_index),
    VMS_ARRAY(SmbusHostState, smb_data),
    VMS_FIELD(SmbusHostState, smb_auxctl),
    VMS_FIELD(SmbusHostState, smb_blkdata),
    VMS_FIELD(SmbusHostState, i2c_enable),
    VMS_FIELD(SmbusHostState, op_done),
    VMS_FIELD(SmbusHostState, in_i2c_block_read),
    VMS_FIELD(SmbusHostState, start_transaction_on_status_read),
    VMS_END,
};

const VMStateDescription smbus_host_state = {
    .name = "pmsmb",
    .version = 1,
    .minimum = 1,
    .size = sizeof(SmbusHostState),
    .fields = fields,
};

void smbus_host_reset(SmbusHostState *s)
{
    *s = (SmbusHostState){.smb_auxctl = AUX_BLOCK, .op_done = true};
}

const char *smbus_host_check(const SmbusHostState *s)
{
    return s->smb_index > SMBUS_BLOCK ? "smb.smb_index is beyond the block" : NULL;
}

/* --- transactions ----------------------------------------------------------------------------------------------- */

/* Reads as many octets as there are of the block: the first tells. */
static bool read_block(SmbusHostState *s, const SmbusTarget *target)
{
    uint8_t count = target->read(target->opaque);

    if (count > SMBUS_BLOCK)
        return false;
    s->smb_data0 = count;
    for (unsigned i = 0; i < count; i++)
        s->smb_data[i] = target->read(target->opaque);
    s->smb_index = 0;
    return true;
}

static bool transact_read(SmbusHostState *s, const SmbusTarget *target, Protocol protocol)
{
    if (protocol != QUICK && protocol != BYTE && !target->write(target->opaque, &s->smb_cmd, 1))
        return false;
    switch (protocol) {
    case QUICK:
        return true;
    case BLOCK:
        return read_block(s, target);
    case BYTE:
    case BYTE_DATA:
        s->smb_data0 = target->read(target->opaque);
        return true;
    case WORD_DATA:
        s->smb_data0 = target->read(target->opaque);
        s->smb_data1 = target->read(target->opaque);
        return true;
    }
    return false;
}

static bool transact_write(const SmbusHostState *s, const SmbusTarget *target, Protocol protocol)
{
    uint8_t octets[2 + SMBUS_BLOCK] = {s->smb_cmd, s->smb_data0, s->smb_data1};

    switch (protocol) {
    case QUICK:
        return true;
    case BYTE:
        return target->write(target->opaque, octets, 1);
    case BYTE_DATA:
        return target->write(target->opaque, octets, 2);
    case WORD_DATA:
        return target->write(target->opaque, octets, 3);
    case BLOCK:
        if (s->smb_data0 == 0 || s->smb_data0 > SMBUS_BLOCK)
            return false;
        memcpy(octets + 2, s->smb_data, s->smb_data0);
        return target->write(target->opaque, octets, 2 + (size_t)s->smb_data0);
    }
    return false;
}

static void transact(SmbusHostState *s, const Smbus *bus)
{
    const SmbusTarget *target = bus ? bus->targets[s->smb_addr >> 1] : NULL;
    unsigned protocol = s->smb_ctl >> CONTROL_PROTOCOL_SHIFT & CONTROL_PROTOCOL;
    bool done = false;

    if (target && (protocol <= WORD_DATA || protocol == BLOCK))
        done = s->smb_addr & 1 ? transact_read(s, target, (Protocol)protocol)
                               : transact_write(s, target, (Protocol)protocol);
    s->start_transaction_on_status_read = false;
    s->op_done = true;
    s->smb_stat &= (uint8_t)~STATUS_BUSY;
    s->smb_stat |= done ? STATUS_DONE : STATUS_DEVICE_ERROR;
}

/* --- registers -------------------------------------------------------------------------------------------------- */

/* The next octet of the block; after the last comes the first. */
static uint8_t *block_octet(SmbusHostState *s)
{
    uint8_t *octet = &s->smb_data[s->smb_index % SMBUS_BLOCK];

    s->smb_index = (s->smb_index + 1) % SMBUS_BLOCK;
    return octet;
}

uint8_t smbus_host_read(SmbusHostState *s, Smbus *bus, unsigned reg)
{
    uint8_t status = s->smb_stat;

    switch (reg) {
    case HOST_STATUS:
        if (s->start_transaction_on_status_read)
            transact(s, bus);
        return status;
    case HOST_CONTROL: /* which puts the block's index back */
        s->smb_index = 0;
        return s->smb_ctl & CONTROL_READABLE;
    case HOST_COMMAND:
        return s->smb_cmd;
    case HOST_ADDRESS:
        return s->smb_addr;
    case HOST_DATA0:
        return s->smb_data0;
    case HOST_DATA1:
        return s->smb_data1;
    case HOST_BLOCK:
        return *block_octet(s);
    case AUX_CONTROL:
        return s->smb_auxctl;
    default:
        return 0;
    }
}

static void write_control(SmbusHostState *s, uint8_t value)
{
    s->smb_ctl = (uint8_t)(value & ~CONTROL_START);
    if (value & CONTROL_KILL) {
        s->start_transaction_on_status_read = false;
        s->op_done = true;
        s->smb_stat &= (uint8_t)~STATUS_BUSY;
        s->smb_stat |= STATUS_FAILED;
    } else if (value & CONTROL_START) {
        s->start_transaction_on_status_read = true;
        s->op_done = true; /* as QEMU has it: of a block's octets none is waited for */
        s->smb_stat |= STATUS_BUSY;
    }
}

void smbus_host_write(SmbusHostState *s, unsigned reg, uint8_t value)
{
    switch (reg) {
    case HOST_STATUS: /* ones clear */
        s->smb_stat &= (uint8_t)(~value | STATUS_BUSY);
        break;
    case HOST_CONTROL:
        write_control(s, value);
        break;
    case HOST_COMMAND:
        s->smb_cmd = value;
        break;
    case HOST_ADDRESS:
        s->smb_addr = value;
        break;
    case HOST_DATA0:
        s->smb_data0 = value;
        break;
    case HOST_DATA1:
        s->smb_data1 = value;
        break;
    case HOST_BLOCK:
        *block_octet(s) = value;
        break;
    case AUX_CONTROL:
        s->smb_auxctl = value & AUX_WRITABLE;
        break;
    default:
        break;
    }
}
