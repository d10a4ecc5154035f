/*
 * smbus-eeprom.c: 256 octets of memory behind an address of the SMBus, as memory modules have them to describe
 * themselves.
 *
 * Source: JEDEC Standard No. 21-C, annex for serial presence detect; Atmel AT24C02 data sheet (sections on writing,
 * reading).
 * Not modelled: protection against writing, pages (a write goes on through all octets), the time that a write takes.
 */
#include <string.h>

#include "emu/core/machine.h"
#include "emu/pci/smbus.h"

enum { SIZE = 256, BUFFER = SMBUS_BLOCK + 2 };

typedef struct Slave {
    uint8_t address;
} Slave;

/* Of a transaction; between two of them nothing but the octets that were written last. */
typedef struct Transfer {
    Slave i2c;
    int32_t mode; /* 0: idle */
    int32_t data_len;
    uint8_t data_buf[BUFFER];
} Transfer;

typedef struct EepromState {
    Transfer smbusdev;
    uint8_t data[SIZE];
    uint8_t offset; /* of the next octet */
    bool accessed;
    uint8_t address; /* not saved: where it answers */
} EepromState;

typedef struct Eeprom {
    Device dev;
    Smbus *bus;
    uint8_t address;
    uint8_t initial[SIZE];
    SmbusTarget target;
    EepromState s;
} Eeprom;

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool refuse(GError **error, const char *field, int stream, int here)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                "smbus-eeprom.smbusdev.%s: the stream has %d, the destination takes %d", field, stream, here);
    return false;
}

static bool check(const void *state, GError **error)
{
    const EepromState *s = state;

    if (s->smbusdev.i2c.address != s->address)
        return refuse(error, "i2c.address", s->smbusdev.i2c.address, s->address);
    if (s->smbusdev.data_len < 0 || s->smbusdev.data_len > BUFFER)
        return refuse(error, "data_len", s->smbusdev.data_len, BUFFER);
    return true;
}

static const VMStateField slave_fields[] = {
    VMS_FIELD(Slave, address),
    VMS_END,
};

static const VMStateDescription slave_state = {
    .name = "I2CSlave",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Slave),
    .fields = slave_fields,
};

static const VMStateField transfer_fields[] = {
    VMS_SUB(Transfer, i2c, &slave_state),
    VMS_FIELD(Transfer, mode),
    VMS_FIELD(Transfer, data_len),
    VMS_ARRAY(Transfer, data_buf),
    VMS_END,
};

static const VMStateDescription transfer_state = {
    .name = "smbus-device",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Transfer),
    .fields = transfer_fields,
};

static const VMStateField fields[] = {
    VMS_SUB(EepromState, smbusdev, &transfer_state),
    VMS_ARRAY(EepromState, data),
    VMS_FIELD(EepromState, offset),
    VMS_FIELD(EepromState, accessed),
    VMS_END,
};

/* Whoever reads it for the first time finds what a reset leaves. */
static bool is_needed(const void *state)
{
    return ((const EepromState *)state)->accessed;
}

static const VMStateDescription eeprom_state = {
    .name = "smbus-eeprom",
    .version = 1,
    .minimum = 1,
    .size = sizeof(EepromState),
    .needed = is_needed,
    .fields = fields,
    .check = check,
};

/* --- transactions ----------------------------------------------------------------------------------------------- */

static uint8_t read_octet(void *opaque)
{
    Eeprom *e = opaque;

    e->s.accessed = true;
    return e->s.data[e->s.offset++];
}

/* The first octet is where, the others are what. */
static bool write_octets(void *opaque, const uint8_t *octets, size_t len)
{
    Eeprom *e = opaque;

    e->s.accessed = true;
    memcpy(e->s.smbusdev.data_buf, octets, MIN(len, (size_t)BUFFER));
    if (len > 0)
        e->s.offset = octets[0];
    for (size_t i = 1; i < len; i++)
        e->s.data[e->s.offset++] = octets[i];
    return true;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

void smbus_eeprom_set(Device *dev, Device *bus, uint8_t address, const uint8_t *data)
{
    Eeprom *e = (Eeprom *)dev;

    e->bus = (Smbus *)bus;
    e->address = address % SMBUS_ADDRESSES;
    if (data)
        memcpy(e->initial, data, SIZE);
}

/* That it was accessed, and what was written last, outlast a reset, as in QEMU's streams. */
static void reset(Device *dev)
{
    Eeprom *e = (Eeprom *)dev;

    e->s.offset = 0;
    memcpy(e->s.data, e->initial, SIZE);
}

static bool realize(Device *dev, GError **error)
{
    Eeprom *e = (Eeprom *)dev;

    if (!e->bus || e->bus->targets[e->address]) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    e->bus ? "%s: the address 0x%02x is taken" : "%s: it is on no bus", dev->type->name, e->address);
        return false;
    }
    e->s.smbusdev.i2c.address = e->s.address = e->address;
    e->target = (SmbusTarget){.write = write_octets, .read = read_octet, .opaque = e};
    e->bus->targets[e->address] = &e->target;
    return true;
}

static void unrealize(Device *dev)
{
    Eeprom *e = (Eeprom *)dev;

    e->bus->targets[e->address] = NULL;
}

const DeviceType smbus_eeprom_type = {
    .name = "smbus-eeprom",
    .about = "description of a memory module",
    .size = sizeof(Eeprom),
    .state = &eeprom_state,
    .state_offset = offsetof(Eeprom, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
