/*
 * piix3-ide.c: the IDE controller of the 82371SB (function 1): two cables, and a bus master for each.
 *
 * Source: Intel 82371FB/82371SB (PIIX/PIIX3) data sheet, sections 2.3 (registers of function 1), 2.6 (bus master:
 * BMICX, BMISX, BMIDTPX) and 3.5.2 (descriptors); Programming Interface for Bus Master IDE Controller 1.0. Ports: 0x1f0
 * to 0x1f7 and 0x3f6, 0x170 to 0x177 and 0x376; BAR 4. Outputs: "irq" 0 and 1, which lead to ISA's 14 and
 * 15. Not modelled: timing and the decode enable bits (IDETIM, SIDETIM: the octets are kept, and the ports are there
 * always, as QEMU's are), the simplex bit, which is 0.
 */
#include "emu/dev/dev.h"
#include "emu/dev/ide-impl.h"

enum {
    MASTER_SIZE = 8, /* registers of one cable */
    MASTER_BAR = 4,
    MASTER_COMMAND = 0,
    MASTER_STATUS = 2,
    MASTER_TABLE = 4,
    DESCRIPTOR = 8,
    DESCRIPTOR_LAST = 1U << 31,
    TABLE_END = 0x10000, /* a table crosses no multiple of it */
    COMMAND_PORTS = 8,
};

/* --- the bus master --------------------------------------------------------------------------------------------- */

/* Section 3.5.2: address, then count (0: 64 KiB), both even. False if the table is at its end. */
static bool next_descriptor(IdeBus *bus)
{
    IdeMasterState *m = bus->master;
    uint32_t words[2];

    if (m->cur_prd_last)
        return false;
    pci_read_memory(bus->pci, m->cur_addr, words, sizeof words);
    m->cur_addr += DESCRIPTOR;
    m->cur_prd_addr = GUINT32_FROM_LE(words[0]) & ~1U;
    m->cur_prd_len = GUINT32_FROM_LE(words[1]) & 0xfffe;
    m->cur_prd_len = m->cur_prd_len ? m->cur_prd_len : 0x10000;
    m->cur_prd_last = GUINT32_FROM_LE(words[1]) & DESCRIPTOR_LAST || m->cur_addr % TABLE_END < DESCRIPTOR;
    return true;
}

size_t ide_master_move(IdeBus *bus, void *data, size_t len, bool to_memory)
{
    IdeMasterState *m = bus->master;
    size_t pos = 0;

    if (!pci_is_master(bus->pci)) { /* the host bridge takes nothing from it */
        m->status |= MASTER_ERROR;
        return 0;
    }
    while (pos < len) {
        if (m->cur_prd_len == 0 && !next_descriptor(bus))
            break;
        size_t n = MIN(len - pos, m->cur_prd_len);
        if (to_memory)
            pci_write_memory(bus->pci, m->cur_prd_addr, (char *)data + pos, n);
        else
            pci_read_memory(bus->pci, m->cur_prd_addr, (char *)data + pos, n);
        m->cur_prd_addr += (uint32_t)n;
        m->cur_prd_len -= (uint32_t)n;
        pos += n;
    }
    return pos;
}

void ide_master_rewind(IdeBus *bus)
{
    IdeMasterState *m = bus->master;

    m->cur_addr = m->addr;
    m->cur_prd_last = m->cur_prd_addr = m->cur_prd_len = 0;
}

/* Table of BMISX: active and interrupt are both set if the table has more than the drive. */
void ide_master_end(IdeBus *bus)
{
    IdeMasterState *m = bus->master;

    if (m->cur_prd_len == 0 && m->cur_prd_last)
        m->status &= (uint8_t)~MASTER_ACTIVE;
}

/* A drive whose request is in flight does it again when the master is started again. */
static void write_master_command(IdeBus *bus, uint8_t value)
{
    IdeMasterState *m = bus->master;
    uint8_t before = m->cmd;

    m->cmd = value & (MASTER_START | MASTER_TO_MEMORY);
    if (value & ~before & MASTER_START) {
        ide_master_rewind(bus);
        m->status |= MASTER_ACTIVE;
        ide_dma_start(&bus->drives[bus->s->unit]);
    } else if (before & ~value & MASTER_START) {
        m->status &= (uint8_t)~MASTER_ACTIVE;
        for (unsigned i = 0; i < IDE_UNITS; i++)
            if (bus->drives[i].dma.kind != IDE_DMA_NONE)
                ide_request_forget(&bus->drives[i]);
    }
}

static void write_master_octet(IdeBus *bus, unsigned reg, uint8_t value)
{
    IdeMasterState *m = bus->master;
    unsigned shift = 8 * (reg % 4);

    if (reg == MASTER_COMMAND) {
        write_master_command(bus, value);
    } else if (reg == MASTER_STATUS) {
        uint8_t kept = m->status & (uint8_t) ~(value & (MASTER_ERROR | MASTER_INTERRUPT));
        m->status = (uint8_t)((kept & ~MASTER_CAPABLE) | (value & MASTER_CAPABLE));
    } else if (reg >= MASTER_TABLE) {
        m->addr = (m->addr & ~(0xffU << shift)) | (uint32_t)value << shift;
        m->addr &= ~3U;
    }
}

static uint8_t read_master_octet(const IdeBus *bus, unsigned reg)
{
    const IdeMasterState *m = bus->master;

    if (reg == MASTER_COMMAND)
        return m->cmd;
    if (reg == MASTER_STATUS)
        return m->status;
    return reg >= MASTER_TABLE ? (uint8_t)(m->addr >> 8 * (reg % 4)) : 0xff;
}

static uint64_t read_master(void *opaque, uint64_t addr, unsigned size)
{
    Piix3Ide *p = opaque;

    (void)size;
    return read_master_octet(&p->buses[addr / MASTER_SIZE % IDE_BUSES], addr % MASTER_SIZE);
}

static void write_master(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Piix3Ide *p = opaque;

    (void)size;
    write_master_octet(&p->buses[addr / MASTER_SIZE % IDE_BUSES], addr % MASTER_SIZE, (uint8_t)value);
}

static const IoOps master_ops = {.read = read_master, .write = write_master, .max = 1};

/* --- what hangs on it ------------------------------------------------------------------------------------------- */

void piix3_ide_attach(Device *dev, unsigned bus, unsigned unit, const IdeUnit *what)
{
    IdeDrive *d = &((Piix3Ide *)dev)->buses[bus].drives[unit];

    d->kind = what->kind;
    d->block = what->block;
    if (what->serial)
        g_strlcpy(d->serial, what->serial, sizeof d->serial);
    else
        g_snprintf(d->serial, sizeof d->serial, "QM%05u", IDE_UNITS * bus + unit + 1);
    g_strlcpy(d->model,
              what->model            ? what->model
              : what->kind == IDE_CD ? "QEMU DVD-ROM"
                                     : "QEMU HARDDISK",
              sizeof d->model);
}

static void drain_drive(IdeDrive *d)
{
    while (d->in_flight)
        block_drain(d->block);
}

void piix3_ide_change_medium(Device *dev, unsigned bus, unsigned unit, Block *medium)
{
    IdeDrive *d = &((Piix3Ide *)dev)->buses[bus].drives[unit];

    if (d->kind != IDE_CD)
        return;
    drain_drive(d);
    d->block = medium;
    d->s->tray_open = false;
    d->s->cdrom_changed = CD_CHANGED;
    d->s->new_media = medium;
    d->s->eject_request = false;
}

bool piix3_ide_press_eject(Device *dev, unsigned bus, unsigned unit)
{
    IdeDrive *d = &((Piix3Ide *)dev)->buses[bus].drives[unit];

    if (d->kind != IDE_CD)
        return false;
    if (d->s->tray_locked)
        d->s->eject_request = true;
    else
        d->s->tray_open = true;
    return d->s->tray_open;
}

bool piix3_ide_tray_is_open(const Device *dev, unsigned bus, unsigned unit)
{
    return ((const Piix3Ide *)dev)->s.drive[bus][unit].tray_open;
}

bool piix3_ide_tray_is_locked(const Device *dev, unsigned bus, unsigned unit)
{
    return ((const Piix3Ide *)dev)->s.drive[bus][unit].tray_locked;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

void ide_drain(IdeBus *bus)
{
    for (unsigned i = 0; i < IDE_UNITS; i++)
        drain_drive(&bus->drives[i]);
}

/* When the machine stops, what is in flight ends, while interrupt controllers still take what that raises. */
static void machine_runs(void *opaque, bool runs)
{
    Piix3Ide *p = opaque;

    for (unsigned n = 0; n < IDE_BUSES; n++)
        if (runs)
            ide_retry(&p->buses[n]);
        else
            ide_drain(&p->buses[n]);
}

static void reset(Device *dev)
{
    Piix3Ide *p = (Piix3Ide *)dev;

    pci_device_reset(&p->pci);
    for (unsigned i = 0; i < IDE_BUSES; i++)
        ide_bus_reset(&p->buses[i]);
}

static void map_bus(Piix3Ide *p, unsigned n)
{
    static const uint16_t command[] = {0x1f0, 0x170}, control[] = {0x3f6, 0x376};
    IdeBus *bus = &p->buses[n];

    p->command[n] =
        space_map(p->pci.dev.machine->ports,
                  &(SpaceMapping){.base = command[n], .size = COMMAND_PORTS, .ops = &ide_command_ops, .opaque = bus});
    p->control[n] = space_map(p->pci.dev.machine->ports,
                              &(SpaceMapping){.base = control[n], .size = 1, .ops = &ide_control_ops, .opaque = bus});
}

static void wire_bus(Piix3Ide *p, unsigned n)
{
    IdeBus *bus = &p->buses[n];

    bus->s = &p->s.bus[n];
    bus->master = &p->s.bmdma[n];
    bus->pci = &p->pci;
    bus->irq = &p->irq[n];
    for (unsigned i = 0; i < IDE_UNITS; i++) {
        bus->drives[i].bus = bus;
        bus->drives[i].unit = i;
        bus->drives[i].s = &p->s.drive[n][i];
    }
}

static bool realize(Device *dev, GError **error)
{
    static const PciIdentity identity = {.vendor = 0x8086, .device = 0x7010, .class = 0x0101, .interface = 0x80};
    Piix3Ide *p = (Piix3Ide *)dev;

    for (unsigned n = 0; n < IDE_BUSES; n++)
        for (unsigned i = 0; i < IDE_UNITS; i++)
            if (p->buses[n].drives[i].kind == IDE_DISK && !p->buses[n].drives[i].block) {
                g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: disk %u of cable %u has no image",
                            dev->type->name, i, n);
                return false;
            }
    if (!pci_device_start(&p->pci, &identity, error))
        return false;
    pci_config_init(&p->pci, PCI_STATUS, 0x80, 0);     /* back to back */
    pci_config_init(&p->pci, PCI_STATUS + 1, 0x02, 0); /* medium decoding */
    pci_add_bar(&p->pci, MASTER_BAR,
                &(PciBar){.size = MASTER_SIZE * IDE_BUSES, .type = PCI_BAR_PORTS, .ops = &master_ops, .opaque = p});
    for (unsigned n = 0; n < IDE_BUSES; n++) {
        wire_bus(p, n);
        map_bus(p, n);
    }
    machine_add_runner(dev->machine, machine_runs, p);
    return true;
}

static void unrealize(Device *dev)
{
    Piix3Ide *p = (Piix3Ide *)dev;

    machine_remove_runner(dev->machine, p);
    for (unsigned n = 0; n < IDE_BUSES; n++) {
        space_unmap(dev->machine->ports, p->command[n]);
        space_unmap(dev->machine->ports, p->control[n]);
        for (unsigned i = 0; i < IDE_UNITS; i++)
            ide_give_up(&p->buses[n].drives[i]);
        ide_drain(&p->buses[n]);
    }
    pci_device_stop(&p->pci);
}

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(Piix3Ide, irq, "irq"),
    {.name = NULL},
};

const DeviceType piix3_ide_type = {
    .name = "piix3-ide",
    .about = "82371SB IDE controller",
    .size = sizeof(Piix3Ide),
    .state = &piix3_ide_state,
    .state_offset = offsetof(Piix3Ide, s),
    .outputs = outputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
