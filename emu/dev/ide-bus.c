/*
 * ide-bus.c: the task file of two drives on one cable: registers, selection, resets, the interrupt.
 *
 * Source: ATA/ATAPI-6 (T13/1410D) sections 7 (registers), 9.2 and 9.3 (resets), 9.16 (one drive alone on the cable).
 * Ports: 8 of the command block, whose first is the data register of 16 or 32 bits, and one of the control block.
 * Both drives take every write; the one that is selected answers. Not modelled: 8-bit access to the data register
 * (CFA), the time that resets take, and that an interrupt which was held back by nIEN appears when that is cleared:
 * QEMU forgets it, and so its stream has no place for it.
 */
#include <string.h>

#include "emu/dev/ide-impl.h"

enum { REG_DATA, REG_FEATURE, REG_COUNT, REG_SECTOR, REG_CYL_LOW, REG_CYL_HIGH, REG_SELECT, REG_COMMAND };

static IdeDrive *selected(IdeBus *bus)
{
    return &bus->drives[bus->s->unit];
}

/* --- the interrupt ---------------------------------------------------------------------------------------------- */

void ide_raise_irq(IdeBus *bus)
{
    if (bus->s->cmd & CONTROL_NO_IRQ)
        return;
    bus->master->status |= MASTER_INTERRUPT;
    irq_set(bus->irq, true);
}

void ide_succeed(IdeDrive *d)
{
    d->s->status = STATUS_READY | STATUS_SEEK;
    d->s->end_transfer_fn_idx = IDE_END_NONE;
    ide_raise_irq(d->bus);
}

void ide_fail(IdeDrive *d, uint8_t error)
{
    d->s->status = STATUS_READY | STATUS_SEEK | STATUS_ERROR;
    d->s->error = error;
    d->s->end_transfer_fn_idx = IDE_END_NONE;
    ide_raise_irq(d->bus);
}

/* --- resets ----------------------------------------------------------------------------------------------------- */

void ide_give_up(IdeDrive *d)
{
    ide_request_forget(d);
    d->bus->s->error_status = 0;
    d->dma = (IdeDma){.kind = IDE_DMA_NONE};
    d->s->cur_io_buffer_len = 0;
    d->s->end_transfer_fn_idx = IDE_END_NONE;
}

/* Table 24: what tells the host what kind of drive there is. */
void ide_set_signature(IdeDrive *d)
{
    static const uint16_t cylinders[] = {[IDE_NONE] = 0xffff, [IDE_DISK] = 0x0000, [IDE_CD] = 0xeb14};

    d->s->select &= (uint8_t)~SELECT_HEAD;
    d->s->nsector = 1;
    d->s->sector = 1;
    d->s->lcyl = (uint8_t)cylinders[d->kind];
    d->s->hcyl = (uint8_t)(cylinders[d->kind] >> 8);
}

void ide_drive_reset(IdeDrive *d)
{
    ide_give_up(d);
    memset(d->s, 0, sizeof *d->s);
    d->place_lost = false;
    d->s->mult_sectors = IDE_MULTIPLE;
    d->s->select = SELECT_ONES;
    d->s->status = STATUS_READY | STATUS_SEEK;
    d->s->end_transfer_fn_idx = IDE_END_NONE;
    ide_set_signature(d);
}

void ide_bus_reset(IdeBus *bus)
{
    for (unsigned i = 0; i < IDE_UNITS; i++)
        ide_drive_reset(&bus->drives[i]);
    *bus->s = (IdeBusState){.unit = 0};
    *bus->master = (IdeMasterState){.cmd = 0};
    irq_set(bus->irq, false);
}

/* Section 9.2: busy while the bit is set, then diagnosed. A packet drive is not ready until it is spoken to. */
static void soft_reset(IdeBus *bus, bool begins)
{
    for (unsigned i = 0; i < IDE_UNITS; i++) {
        IdeDrive *d = &bus->drives[i];
        ide_give_up(d);
        d->s->error = ERROR_DIAGNOSED;
        if (begins) {
            d->s->status = STATUS_BUSY | STATUS_SEEK;
        } else {
            d->s->status = d->kind == IDE_CD ? 0 : STATUS_READY | STATUS_SEEK;
            d->s->select = SELECT_ONES;
            ide_set_signature(d);
        }
    }
    bus->s->unit = 0;
    bus->master->status &= (uint8_t)~MASTER_ACTIVE;
    irq_set(bus->irq, false);
}

/* --- registers -------------------------------------------------------------------------------------------------- */

/* Section 9.16.1: for a drive that is not there, the other answers, with a status of zeros; none: all is zero. */
static uint8_t read_status(IdeBus *bus)
{
    IdeDrive *d = selected(bus);

    return ide_is_there(d) ? d->s->status : 0;
}

static uint8_t read_register(IdeBus *bus, unsigned reg)
{
    const IdeDriveState *s = selected(bus)->s;
    bool before = bus->s->cmd & CONTROL_HOB;

    if (!ide_is_there(&bus->drives[0]) && !ide_is_there(&bus->drives[1]))
        return 0;
    switch (reg) {
    case REG_FEATURE:
        return before ? s->hob_feature : s->error;
    case REG_COUNT:
        return before ? s->hob_nsector : (uint8_t)s->nsector;
    case REG_SECTOR:
        return before ? s->hob_sector : s->sector;
    case REG_CYL_LOW:
        return before ? s->hob_lcyl : s->lcyl;
    case REG_CYL_HIGH:
        return before ? s->hob_hcyl : s->hcyl;
    case REG_SELECT:
        return s->select;
    case REG_COMMAND:
        irq_set(bus->irq, false);
        return read_status(bus);
    default: /* a word goes all the same: there are loaders that read words so */
        return (uint8_t)ide_data_read(selected(bus), 2);
    }
}

static void write_parameter(IdeDriveState *s, unsigned reg, uint8_t value)
{
    switch (reg) {
    case REG_FEATURE:
        s->hob_feature = s->feature;
        s->feature = value;
        break;
    case REG_COUNT:
        s->hob_nsector = (uint8_t)s->nsector;
        s->nsector = value;
        break;
    case REG_SECTOR:
        s->hob_sector = s->sector;
        s->sector = value;
        break;
    case REG_CYL_LOW:
        s->hob_lcyl = s->lcyl;
        s->lcyl = value;
        break;
    case REG_CYL_HIGH:
        s->hob_hcyl = s->hcyl;
        s->hcyl = value;
        break;
    case REG_SELECT:
        s->select = value | SELECT_ONES;
        break;
    default:
        break;
    }
}

static void write_register(IdeBus *bus, unsigned reg, uint8_t value)
{
    IdeDrive *d = selected(bus);

    bus->s->cmd &= (uint8_t)~CONTROL_HOB;
    if (reg == REG_COMMAND) {
        irq_set(bus->irq, false);
        if (ide_is_there(d))
            ide_command(d, value);
        return;
    }
    if (ide_is_there(d) && d->s->status & (STATUS_BUSY | STATUS_DRQ))
        return; /* section 7: what is written then has no effect */
    for (unsigned i = 0; i < IDE_UNITS; i++)
        write_parameter(bus->drives[i].s, reg, value);
    if (reg == REG_SELECT)
        bus->s->unit = value & SELECT_UNIT ? 1 : 0;
}

static uint64_t read_command_block(void *opaque, uint64_t addr, unsigned size)
{
    IdeBus *bus = opaque;
    uint64_t value = 0;

    if (addr == REG_DATA && size > 1)
        return ide_data_read(selected(bus), size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)read_register(bus, (unsigned)addr + i) << 8 * i;
    return value;
}

static void write_command_block(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    IdeBus *bus = opaque;

    if (addr == REG_DATA && size > 1)
        ide_data_write(selected(bus), (uint32_t)value, size);
    else
        for (unsigned i = 0; i < size; i++)
            write_register(bus, (unsigned)addr + i, (uint8_t)(value >> 8 * i));
}

const IoOps ide_command_ops = {.read = read_command_block, .write = write_command_block};

static uint64_t read_control_block(void *opaque, uint64_t addr, unsigned size)
{
    (void)addr;
    (void)size;
    return read_status(opaque);
}

static void write_control_block(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    IdeBus *bus = opaque;
    uint8_t changed = bus->s->cmd ^ (uint8_t)value;

    (void)addr;
    (void)size;
    bus->s->cmd = (uint8_t)value;
    if (changed & CONTROL_RESET)
        soft_reset(bus, value & CONTROL_RESET);
}

const IoOps ide_control_ops = {.read = read_control_block, .write = write_control_block, .max = 1};
