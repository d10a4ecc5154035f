/*
 * acpi-hotplug.c: the registers by which the firmware's tables learn of PCI devices and processors that come and go.
 *
 * Source: QEMU's public documents docs/specs/acpi_pci_hotplug and docs/specs/acpi_cpu_hotplug.
 * Not modelled: buses behind bridges (there are none: nothing ever happens on them), numbers of devices that the
 * firmware gives ("acpi-index": none has one).
 */
#include "emu/pci/acpi.h"

#include <string.h>

enum {
    PCI_UP = 0x00,
    PCI_DOWN = 0x04,
    PCI_EJECT = 0x08,
    PCI_REMOVABLE = 0x0c,
    PCI_SELECT = 0x10,
    PCI_INDEX = 0x14,
};

enum {
    CPU_SELECTOR = 0x0, /* read: the upper half of a number */
    CPU_FLAGS = 0x4,
    CPU_ENABLED = 1 << 0,
    CPU_INSERTING = 1 << 1, /* written: is known now */
    CPU_REMOVING = 1 << 2,
    CPU_EJECT = 1 << 3, /* written only */
    CPU_BY_FIRMWARE = 1 << 4,
    CPU_COMMAND = 0x5,
    CPU_DATA = 0x8,
    CPU_MODERN_PORTS = 12,
};

enum { COMMAND_NEXT, COMMAND_OST_EVENT, COMMAND_OST_STATUS, COMMAND_ID, COMMANDS };

/* --- PCI devices ------------------------------------------------------------------------------------------------ */

static const VMStateField bus_fields[] = {
    VMS_FIELD(AcpiPciBus, up),
    VMS_FIELD(AcpiPciBus, down),
    VMS_END,
};

const VMStateDescription acpi_pci_bus_state = {
    .name = "acpi_pcihp_pci_status",
    .version = 1,
    .minimum = 1,
    .size = sizeof(AcpiPciBus),
    .fields = bus_fields,
};

/* The slots without a device that must stay; of a bus that there is not, all. */
static uint32_t removable(const AcpiPciHotplug *s, const PciBus *bus)
{
    uint32_t slots = UINT32_MAX;

    for (unsigned i = 0; s->hotplug_select == 0 && i < PCI_SLOTS * PCI_FUNCTIONS; i++)
        if (bus->devices[i] && !bus->devices[i]->hotpluggable)
            slots &= ~(1U << i / PCI_FUNCTIONS);
    return slots;
}

uint32_t acpi_pci_read(AcpiPciHotplug *s, const PciBus *bus, unsigned reg)
{
    AcpiPciBus *status = &s->acpi_pcihp_pci_status[s->hotplug_select % ACPI_PCI_BUSES];
    uint32_t value;

    if (s->hotplug_select >= ACPI_PCI_BUSES)
        return 0;
    switch (reg) {
    case PCI_UP: /* told once */
        value = status->up;
        status->up = 0;
        return value;
    case PCI_DOWN:
        return status->down;
    case PCI_REMOVABLE:
        return removable(s, bus);
    case PCI_SELECT:
        return s->hotplug_select;
    case PCI_INDEX:
        value = s->acpi_index;
        s->acpi_index = 0;
        return value;
    default:
        return 0;
    }
}

int acpi_pci_write(AcpiPciHotplug *s, const PciBus *bus, unsigned reg, uint32_t value)
{
    if (reg == PCI_SELECT)
        s->hotplug_select = value;
    if (reg == PCI_INDEX)
        s->acpi_index = 0;
    if (reg != PCI_EJECT || s->hotplug_select >= ACPI_PCI_BUSES || value == 0)
        return -1;

    unsigned slot = (unsigned)__builtin_ctz(value);
    s->acpi_pcihp_pci_status[s->hotplug_select].down &= ~(1U << slot);
    s->acpi_pcihp_pci_status[s->hotplug_select].up &= ~(1U << slot);
    return s->hotplug_select == 0 && removable(s, bus) >> slot & 1 ? (int)slot : -1;
}

/* --- processors ------------------------------------------------------------------------------------------------- */

static const VMStateField cpu_fields[] = {
    VMS_FIELD(AcpiCpu, is_inserting),
    VMS_FIELD(AcpiCpu, is_removing),
    VMS_FIELD(AcpiCpu, ost_event),
    VMS_FIELD(AcpiCpu, ost_status),
    VMS_END,
};

static const VMStateDescription cpu_state = {
    .name = "CPU hotplug device state",
    .version = 1,
    .minimum = 1,
    .size = sizeof(AcpiCpu),
    .fields = cpu_fields,
};

void acpi_cpu_hotplug_describe(AcpiCpuDescription *own, unsigned count)
{
    static const VMStateField fields[4] = {
        VMS_FIELD(AcpiCpuHotplug, selector),
        VMS_FIELD(AcpiCpuHotplug, command),
        VMS_SUB_ARRAY(AcpiCpuHotplug, devs, &cpu_state),
        VMS_END,
    };

    memcpy(own->fields, fields, sizeof fields);
    own->fields[2].count = count;
    own->fields[2].array = count > 1; /* QEMU's description has one without a count */
    own->desc = (VMStateDescription){
        .name = "CPU hotplug state", .version = 1, .minimum = 1, .size = sizeof(AcpiCpuHotplug), .fields = own->fields};
}

/* Those that are present, by their numbers. */
static uint8_t read_bitmap(const AcpiCpuTable *table, unsigned reg)
{
    uint8_t octet = 0;

    for (unsigned n = 0; n < table->count; n++)
        if (table->cpus[n].present && table->cpus[n].arch_id / 8 == reg)
            octet |= (uint8_t)(1U << table->cpus[n].arch_id % 8);
    return octet;
}

static uint8_t octet_of(uint64_t value, unsigned n)
{
    return (uint8_t)(value >> n * 8);
}

uint8_t acpi_cpu_read(const AcpiCpuHotplug *s, const AcpiCpuTable *table, bool modern, unsigned reg)
{
    unsigned n = s->selector;
    bool id = s->command == COMMAND_ID;

    if (!modern)
        return read_bitmap(table, reg);
    if (reg >= CPU_MODERN_PORTS)
        return 0xff;
    if (s->selector >= table->count)
        return 0;
    if (reg == CPU_FLAGS)
        return (uint8_t)((table->cpus[n].present ? CPU_ENABLED : 0) | (s->devs[n].is_inserting ? CPU_INSERTING : 0) |
                         (s->devs[n].is_removing ? CPU_REMOVING : 0) |
                         (table->cpus[n].by_firmware ? CPU_BY_FIRMWARE : 0));
    if (reg < CPU_FLAGS)
        return id ? octet_of(table->cpus[n].arch_id, 4 + reg - CPU_SELECTOR) : 0;
    if (reg >= CPU_DATA)
        return id                           ? octet_of(table->cpus[n].arch_id, reg - CPU_DATA)
               : s->command == COMMAND_NEXT ? octet_of(s->selector, reg - CPU_DATA)
                                            : 0;
    return 0;
}

/* The next processor, from the selected one on, of which there is news; if there is none it stays selected. */
static void select_next(AcpiCpuHotplug *s, const AcpiCpuTable *table)
{
    for (unsigned i = 0; i < table->count; i++) {
        unsigned n = (s->selector + i) % table->count;
        if (s->devs[n].is_inserting || s->devs[n].is_removing || table->cpus[n].by_firmware) {
            s->selector = n;
            return;
        }
    }
}

static AcpiCpuRequest write_flags(AcpiCpu *dev, AcpiCpuTable *table, unsigned n, uint8_t value)
{
    if (value & CPU_INSERTING) {
        dev->is_inserting = false;
    } else if (value & CPU_REMOVING) {
        dev->is_removing = false;
    } else if (value & CPU_EJECT) {
        /* the first one stays */
        if (table->cpus[n].present && n != 0)
            return (AcpiCpuRequest){ACPI_CPU_EJECT, n};
    } else if (value & CPU_BY_FIRMWARE) {
        table->cpus[n].by_firmware = !table->cpus[n].by_firmware;
    }
    return (AcpiCpuRequest){ACPI_CPU_NOTHING, n};
}

static AcpiCpuRequest write_data(AcpiCpuHotplug *s, unsigned n, uint32_t value)
{
    if (s->command == COMMAND_OST_EVENT)
        s->devs[n].ost_event = value;
    if (s->command != COMMAND_OST_STATUS)
        return (AcpiCpuRequest){ACPI_CPU_NOTHING, n};
    s->devs[n].ost_status = value;
    return (AcpiCpuRequest){ACPI_CPU_OST, n};
}

AcpiCpuRequest acpi_cpu_write(AcpiCpuHotplug *s, AcpiCpuTable *table, unsigned reg, uint32_t value)
{
    unsigned n = s->selector;

    if (reg == CPU_SELECTOR) {
        s->selector = value;
    } else if (n < table->count && reg == CPU_FLAGS) {
        return write_flags(&s->devs[n], table, n, (uint8_t)value);
    } else if (n < table->count && reg == CPU_COMMAND && value < COMMANDS) {
        s->command = (uint8_t)value;
        if (s->command == COMMAND_NEXT)
            select_next(s, table);
    } else if (n < table->count && reg == CPU_DATA) {
        return write_data(s, n, value);
    }
    return (AcpiCpuRequest){ACPI_CPU_NOTHING, n};
}
