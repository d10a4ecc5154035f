/*
 * pci-bus.c: the PCI bus and the configuration mechanism #1.
 *
 * Source: PCI Local Bus Specification 3.0, sections 2.2.6 and 3.2.2.3.2; Intel 82441FX data sheet, sections 3.1 (ports)
 * and 4.1.
 * Ports: 0xcf8 (double words only; others pass on to the bus), 0xcfc to 0xcff. Outputs of the bus: "pirq" 0 to 3.
 * Not modelled: special cycles, other buses than number 0 (there are no bridges to them), configuration mechanism #2.
 */
#include "emu/pci/pci-bus.h"

#include "emu/core/machine.h"

enum {
    CONFIG_ADDRESS = 0xcf8,
    CONFIG_DATA = 0xcfc,
    CONFIG_ENABLE = 1U << 31,
};

typedef struct PciHostState {
    uint32_t config_reg;
} PciHostState;

typedef struct PciHost {
    Device dev;
    PciBus *bus;
    SpaceId address, data;
    PciHostState s;
} PciHost;

/* --- state of the bus ------------------------------------------------------------------------------------------- */

static bool check_bus(const void *state, GError **error)
{
    const PciBusState *s = state;

    if (s->nirq == PCI_PINS)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "PCIBUS.nirq: the stream has %d, the destination %d", s->nirq,
                PCI_PINS);
    return false;
}

static const VMStateField bus_fields[] = {
    VMS_FIELD(PciBusState, nirq, .type = "int32 equal"),
    VMS_ARRAY(PciBusState, irq_count),
    VMS_END,
};

/* The counts are taken as they come, and no line is driven: the interrupt controllers have their own levels. */
static const VMStateDescription bus_state = {
    .name = "PCIBUS",
    .version = 1,
    .minimum = 1,
    .size = sizeof(PciBusState),
    .fields = bus_fields,
    .check = check_bus,
};

/* --- lines ------------------------------------------------------------------------------------------------------ */

void pci_bus_change_irq(PciBus *bus, uint8_t devfn, unsigned pin, int change)
{
    /* Slot 1 has PIRQA at its INTA, slot 2 PIRQB, and so on. A count from a stream may be anything: it wraps. */
    unsigned pirq = (pin + (devfn >> 3) + PCI_PINS - 1) % PCI_PINS;
    int32_t *count = &bus->s.irq_count[pirq];

    *count = (int32_t)((uint32_t)*count + (uint32_t)change);
    irq_set(&bus->pirq[pirq], *count != 0);
}

/* --- life of the bus -------------------------------------------------------------------------------------------- */

static void reset_bus(Device *dev)
{
    PciBus *bus = (PciBus *)dev;

    /* Lowered here, so that the devices, which are reset later, have nothing to take back. */
    for (unsigned i = 0; i < G_N_ELEMENTS(bus->devices); i++)
        if (bus->devices[i])
            pci_set_irq(bus->devices[i], false);
    bus->s = (PciBusState){.nirq = PCI_PINS};
    for (unsigned i = 0; i < PCI_PINS; i++)
        irq_set(&bus->pirq[i], false);
}

static const DeviceOutput bus_outputs[] = {
    DEVICE_OUTPUT(PciBus, pirq, "pirq"),
    {.name = NULL},
};

const DeviceType pci_bus_type = {
    .name = "PCI",
    .about = "PCI bus",
    .size = sizeof(PciBus),
    .state = &bus_state,
    .state_offset = offsetof(PciBus, s),
    .outputs = bus_outputs,
    .reset = reset_bus,
};

/* --- state of the host bridge's ports --------------------------------------------------------------------------- */

static const VMStateField host_fields[] = {
    VMS_FIELD(PciHostState, config_reg),
    VMS_END,
};

static const VMStateDescription host_state = {
    .name = "PCIHost",
    .version = 1,
    .minimum = 1,
    .size = sizeof(PciHostState),
    .fields = host_fields,
};

/* --- ports ------------------------------------------------------------------------------------------------------ */

static uint64_t read_address(void *opaque, uint64_t addr, unsigned size)
{
    PciHost *h = opaque;

    if (size == 4)
        return h->s.config_reg;
    if (h->bus->passed && h->bus->passed->read)
        return h->bus->passed->read(h->bus->passed_opaque, addr, size);
    return UINT64_MAX;
}

static void write_address(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    PciHost *h = opaque;

    if (size == 4)
        h->s.config_reg = (uint32_t)value;
    else if (h->bus->passed && h->bus->passed->write)
        h->bus->passed->write(h->bus->passed_opaque, addr, value, size);
}

static const IoOps address_ops = {.read = read_address, .write = write_address};

/* Bits 24 to 30 and 0 to 1 of the address are reserved; 16 to 23 are the bus. */
static PciDevice *selected(const PciHost *h)
{
    if (!(h->s.config_reg & CONFIG_ENABLE) || (h->s.config_reg >> 16 & 0xff) != 0)
        return NULL;
    return pci_bus_device(h->bus, h->s.config_reg >> 8 & 0xff);
}

static uint64_t read_data(void *opaque, uint64_t addr, unsigned size)
{
    PciHost *h = opaque;
    PciDevice *dev = selected(h);

    return dev ? pci_config_read(dev, (h->s.config_reg & 0xfc) + (unsigned)addr, size) : UINT64_MAX;
}

static void write_data(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    PciHost *h = opaque;
    PciDevice *dev = selected(h);

    if (dev)
        pci_config_write(dev, (h->s.config_reg & 0xfc) + (unsigned)addr, (uint32_t)value, size);
}

static const IoOps data_ops = {.read = read_data, .write = write_data};

/* --- life of the host bridge's ports ---------------------------------------------------------------------------- */

void pci_host_set_bus(Device *host, Device *bus)
{
    ((PciHost *)host)->bus = (PciBus *)bus;
}

static void reset_host(Device *dev)
{
    ((PciHost *)dev)->s = (PciHostState){.config_reg = 0};
}

static bool realize_host(Device *dev, GError **error)
{
    PciHost *h = (PciHost *)dev;
    SpaceMapping mapping = {.base = CONFIG_ADDRESS, .size = 4, .ops = &address_ops, .opaque = h};

    if (!h->bus) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: it has no bus", dev->type->name);
        return false;
    }
    h->address = space_map(dev->machine->ports, &mapping);
    mapping.base = CONFIG_DATA;
    mapping.ops = &data_ops;
    h->data = space_map(dev->machine->ports, &mapping);
    return true;
}

static void unrealize_host(Device *dev)
{
    PciHost *h = (PciHost *)dev;

    space_unmap(dev->machine->ports, h->address);
    space_unmap(dev->machine->ports, h->data);
}

const DeviceType pci_host_type = {
    .name = "i440FX-pcihost",
    .about = "ports of the PCI host bridge",
    .size = sizeof(PciHost),
    .state = &host_state,
    .state_offset = offsetof(PciHost, s),
    .realize = realize_host,
    .unrealize = unrealize_host,
    .reset = reset_host,
};
