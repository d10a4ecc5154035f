/*
 * pci.c: what all PCI devices have in common: configuration space, BARs, the interrupt line, capabilities.
 *
 * Source: PCI Local Bus Specification 3.0, chapter 6; PCI Bus Power Management Interface Specification 1.2, chapter 3.
 * Not modelled: parity, system errors, aborts (no status bit of theirs is ever set), latency, built-in self test,
 * configuration space beyond 256 octets.
 */
#include "emu/pci/pci.h"

#include <string.h>

#include "emu/core/machine.h"
#include "emu/pci/pci-bus.h"

enum {
    STATE_VERSION = 2, /* of the struct on the wire */
    COMMAND_WRITABLE =
        PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR | PCI_COMMAND_NO_INTX,
    STATUS_CLEARABLE = 0xf900, /* by writing 1: errors and aborts */
    PORTS_END = 0x10000,
    PM_SIZE = 8,
    PM_VERSION = 2, /* offset of the capabilities register */
    PM_CONTROL = 4,
    PM_VERSION_1_2 = 3,
    PM_NO_SOFT_RESET = 1 << 3,
    PM_STATE = 3,
};

/* --- state ------------------------------------------------------------------------------------------------------ */

static const VMStateField fields[] = {
    VMS_FIELD(PciState, version_id, .type = "int32 le"), /* less or equal, that is */
    {.name = "config[0]",
     .type = "pci config",
     .kind = VMS_BUFFER,
     .offset = offsetof(PciState, config),
     .size = PCI_CONFIG_SIZE,
     .count = 1},
    VMS_ARRAY(PciState, irq_state, .type = "pci irq state"),
    VMS_END,
};

const VMStateDescription pci_device_state = {
    .name = "PCIDevice",
    .version = 2,
    .minimum = 1,
    .size = sizeof(PciState),
    .fields = fields,
};

static bool refuse(GError **error, const char *section, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool refuse(GError **error, const char *section, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    g_autofree char *text = g_strdup_vprintf(format, list);
    va_end(list);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s.PCIDevice.%s", section, text);
    return false;
}

bool pci_check(const PciState *s, const char *section, GError **error)
{
    if (s->version_id < 0 || s->version_id > STATE_VERSION)
        return refuse(error, section, "version_id: the stream has %d, the destination takes 0 to %d", s->version_id,
                      STATE_VERSION);
    for (unsigned i = 0; i < PCI_PINS; i++)
        if (s->irq_state[i] > 1)
            return refuse(error, section, "irq_state[%u]: the stream has %u, the destination takes 0 and 1", i,
                          s->irq_state[i]);
    for (unsigned i = 0; i < PCI_CONFIG_SIZE; i++)
        if ((s->config[i] ^ s->initial[i]) & s->compared[i] & ~s->writable[i] & ~s->write_1_to_clear[i])
            return refuse(error, section, "config[0x%02x]: the stream has 0x%02x, the destination 0x%02x (of 0x%02x)",
                          i, s->config[i], s->initial[i], s->compared[i] & ~s->writable[i] & ~s->write_1_to_clear[i]);
    return true;
}

void pci_put16(uint8_t *config, unsigned addr, uint16_t value)
{
    config[addr] = (uint8_t)value;
    config[addr + 1] = (uint8_t)(value >> 8);
}

void pci_put32(uint8_t *config, unsigned addr, uint32_t value)
{
    pci_put16(config, addr, (uint16_t)value);
    pci_put16(config, addr + 2, (uint16_t)(value >> 16));
}

/* --- BARs ------------------------------------------------------------------------------------------------------- */

static unsigned bar_register(unsigned n)
{
    return n == PCI_ROM ? PCI_ROM_BAR : PCI_BAR + 4 * n;
}

/* The address that the guest has given it; 0 if it is not to be seen. */
static uint64_t bar_base(const PciDevice *dev, unsigned n)
{
    const PciBar *bar = &dev->bars[n];
    const uint8_t *config = pci_state(dev)->config;
    bool ports = bar->type & PCI_BAR_PORTS, wide = bar->type & PCI_BAR_64_BIT;
    uint64_t value = pci_get32(config, bar_register(n)), last;

    if (!(pci_get16(config, PCI_COMMAND) & (ports ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)) ||
        (n == PCI_ROM && !(value & PCI_ROM_ENABLE)))
        return 0;
    if (wide)
        value |= (uint64_t)pci_get32(config, bar_register(n) + 4) << 32;
    value &= ~(bar->size - 1);
    last = value + (bar->size - 1);
    /* At the top of memory it is because the guest has written all ones to learn its size. */
    if (last < value || (ports && last >= PORTS_END) || (!ports && !wide && last >= UINT32_MAX) || last == UINT64_MAX)
        return 0;
    return value;
}

static void map_bar(PciDevice *dev, unsigned n, uint64_t base)
{
    PciBar *bar = &dev->bars[n];
    bool ports = bar->type & PCI_BAR_PORTS;
    Space *space = ports ? dev->dev.machine->ports : dev->dev.machine->memory;

    if (bar->base == base)
        return;
    if (bar->base)
        space_unmap(space, bar->id);
    bar->base = base;
    if (base)
        bar->id = space_map(space, &(SpaceMapping){.base = base,
                                                   .size = bar->size,
                                                   .priority = ports ? PCI_PRIORITY_PORTS_BAR : PCI_PRIORITY_BAR,
                                                   .ram = bar->ram,
                                                   .read_only = n == PCI_ROM,
                                                   .ops = bar->ops,
                                                   .opaque = bar->opaque});
}

static void map_bars(PciDevice *dev)
{
    Machine *m = dev->dev.machine;

    space_update_start(m->memory);
    space_update_start(m->ports);
    for (unsigned n = 0; n <= PCI_BARS; n++)
        if (dev->bars[n].size)
            map_bar(dev, n, bar_base(dev, n));
    space_update_end(m->ports);
    space_update_end(m->memory);
}

void pci_add_bar(PciDevice *dev, unsigned n, const PciBar *bar)
{
    PciState *s = pci_state(dev);
    unsigned reg = bar_register(n);
    uint64_t mask = ~(bar->size - 1) | (n == PCI_ROM ? PCI_ROM_ENABLE : 0);

    dev->bars[n] = *bar;
    dev->bars[n].base = 0;
    pci_put32(s->initial, reg, bar->type);
    pci_put32(s->writable, reg, (uint32_t)mask);
    pci_put32(s->compared, reg, UINT32_MAX);
    if (bar->type & PCI_BAR_64_BIT) {
        pci_put32(s->writable, reg + 4, (uint32_t)(mask >> 32));
        pci_put32(s->compared, reg + 4, UINT32_MAX);
    }
}

/* --- the interrupt line ----------------------------------------------------------------------------------------- */

static bool intx_off(const PciState *s)
{
    return pci_get16(s->config, PCI_COMMAND) & PCI_COMMAND_NO_INTX;
}

/* The pin of the device as it was made, from 0; a stream may have another. */
static int pin_of(const PciState *s)
{
    return (int)s->initial[PCI_INTERRUPT_PIN] - 1;
}

void pci_set_irq(PciDevice *dev, bool level)
{
    PciState *s = pci_state(dev);
    int pin = pin_of(s), change;

    if (pin < 0)
        return;
    change = (int)level - (int)s->irq_state[pin];
    s->irq_state[pin] = level;
    if (change && !intx_off(s))
        pci_bus_change_irq(dev->bus, dev->devfn, (unsigned)pin, change);
}

/* INTx was allowed or forbidden: what the device drives comes to the bus, or leaves it. */
static void allow_irq(PciDevice *dev, bool was_off)
{
    PciState *s = pci_state(dev);
    int pin = pin_of(s);

    if (pin >= 0 && s->irq_state[pin] && intx_off(s) != was_off)
        pci_bus_change_irq(dev->bus, dev->devfn, (unsigned)pin, was_off ? 1 : -1);
}

/* --- configuration space ---------------------------------------------------------------------------------------- */

/* One octet. The status tells of the line; in a stream that bit is clear, and only irq_state tells. */
static uint8_t read_octet(const PciState *s, unsigned addr)
{
    int pin = pin_of(s);

    if (addr >= PCI_CONFIG_SIZE)
        return 0xff;
    return s->config[addr] | (addr == PCI_STATUS && pin >= 0 && s->irq_state[pin] ? PCI_STATUS_INTX : 0);
}

uint32_t pci_config_read(const PciDevice *dev, unsigned addr, unsigned size)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)read_octet(pci_state(dev), addr + i) << i * 8;
    return value;
}

static bool touches(unsigned addr, unsigned size, unsigned from, unsigned octets)
{
    return addr < from + octets && from < addr + size;
}

void pci_config_write(PciDevice *dev, unsigned addr, uint32_t value, unsigned size)
{
    PciState *s = pci_state(dev);
    bool was_off = intx_off(s);

    if (addr >= PCI_CONFIG_SIZE)
        return;
    size = MIN(size, PCI_CONFIG_SIZE - addr);
    for (unsigned i = 0; i < size; i++) {
        uint8_t octet = (uint8_t)(value >> i * 8), mask = s->writable[addr + i];
        s->config[addr + i] = (uint8_t)((s->config[addr + i] & ~mask) | (octet & mask));
        s->config[addr + i] &= (uint8_t) ~(octet & s->write_1_to_clear[addr + i]);
    }
    if (touches(addr, size, PCI_COMMAND, 2))
        allow_irq(dev, was_off);
    if (touches(addr, size, PCI_COMMAND, 2) || touches(addr, size, PCI_BAR, 4 * PCI_BARS) ||
        touches(addr, size, PCI_ROM_BAR, 4))
        map_bars(dev);
    if (dev->config_written)
        dev->config_written(dev, addr, size);
}

void pci_config_init(PciDevice *dev, unsigned addr, uint8_t value, uint8_t writable)
{
    PciState *s = pci_state(dev);

    s->initial[addr] = value;
    s->writable[addr] = writable;
}

/* --- capabilities ----------------------------------------------------------------------------------------------- */

/* Is there nothing but what any device has at these octets? A capability's are compared. */
static bool is_free(const PciState *s, unsigned offset, unsigned size)
{
    for (unsigned i = offset; i < offset + size; i++)
        if (i >= PCI_CONFIG_SIZE || s->compared[i])
            return false;
    return true;
}

unsigned pci_add_capability(PciDevice *dev, uint8_t id, unsigned offset, unsigned size)
{
    PciState *s = pci_state(dev);

    for (unsigned at = PCI_HEADER_END; !offset && at < PCI_CONFIG_SIZE; at += 4)
        if (is_free(s, at, size))
            offset = at;
    if (offset < PCI_HEADER_END || offset % 4 != 0 || !is_free(s, offset, size))
        return 0;
    memset(s->initial + offset, 0, size);
    memset(s->writable + offset, 0, size);
    memset(s->compared + offset, 0xff, size);
    s->initial[offset] = id;
    s->initial[offset + 1] = s->initial[PCI_CAPABILITIES];
    s->initial[PCI_CAPABILITIES] = (uint8_t)offset;
    s->initial[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
    return offset;
}

unsigned pci_find_capability(const PciDevice *dev, uint8_t id)
{
    const PciState *s = pci_state(dev);

    for (unsigned at = s->initial[PCI_CAPABILITIES]; at; at = s->initial[at + 1])
        if (s->initial[at] == id)
            return at;
    return 0;
}

bool pci_add_power_management(PciDevice *dev, unsigned offset)
{
    unsigned at = pci_add_capability(dev, PCI_CAPABILITY_PM, offset, PM_SIZE);

    if (!at)
        return false;
    pci_config_init(dev, at + PM_VERSION, PM_VERSION_1_2, 0);
    pci_config_init(dev, at + PM_CONTROL, PM_NO_SOFT_RESET, PM_STATE);
    return true;
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

bool pci_is_master(const PciDevice *dev)
{
    return pci_get16(pci_state(dev)->config, PCI_COMMAND) & PCI_COMMAND_MASTER;
}

void pci_send_message(PciDevice *dev, uint64_t address, uint32_t data)
{
    if (pci_is_master(dev) && dev->bus->send)
        dev->bus->send(dev->bus->send_opaque, address, data);
}

void pci_read_memory(PciDevice *dev, uint64_t addr, void *data, size_t len)
{
    if (pci_is_master(dev))
        space_read_octets(dev->dev.machine->memory, addr, data, len);
    else
        memset(data, 0xff, len);
}

void pci_write_memory(PciDevice *dev, uint64_t addr, const void *data, size_t len)
{
    if (pci_is_master(dev))
        space_write_octets(dev->dev.machine->memory, addr, data, len);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

/* What a stream is compared by, as QEMU does: what the device is, and where its capabilities are. */
static void start_compared(PciState *s)
{
    memset(s->compared + PCI_VENDOR, 0xff, 4);
    s->compared[PCI_STATUS] = PCI_STATUS_CAPABILITIES;
    memset(s->compared + PCI_REVISION, 0xff, 4);
    s->compared[PCI_HEADER] = 0xff;
    s->compared[PCI_CAPABILITIES] = 0xff;
}

static void start_writable(PciState *s)
{
    pci_put16(s->writable, PCI_COMMAND, COMMAND_WRITABLE);
    pci_put16(s->write_1_to_clear, PCI_STATUS, STATUS_CLEARABLE);
    s->writable[PCI_CACHE_LINE] = 0xff;
    s->writable[PCI_INTERRUPT_LINE] = 0xff;
    memset(s->writable + PCI_HEADER_END, 0xff, PCI_CONFIG_SIZE - PCI_HEADER_END);
}

bool pci_device_start(PciDevice *dev, const PciIdentity *id, GError **error)
{
    PciState *s = pci_state(dev);
    const char *name = dev->dev.type->name;

    if (!dev->bus || dev->bus->devices[dev->devfn]) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    dev->bus ? "%s: the place %02x.%x on the bus is taken by %s" : "%s: it is on no bus", name,
                    dev->devfn >> 3, dev->devfn & 7, dev->bus ? dev->bus->devices[dev->devfn]->dev.type->name : NULL);
        return false;
    }
    memset(s, 0, sizeof *s);
    pci_put16(s->initial, PCI_VENDOR, id->vendor);
    pci_put16(s->initial, PCI_DEVICE, id->device);
    s->initial[PCI_REVISION] = id->revision;
    s->initial[PCI_INTERFACE] = id->interface;
    pci_put16(s->initial, PCI_CLASS, id->class);
    s->initial[PCI_HEADER] = id->header;
    s->initial[PCI_INTERRUPT_PIN] = id->pin;
    pci_put16(s->initial, PCI_SUBSYSTEM_VENDOR, 0x1af4); /* Red Hat's, with a number for QEMU's virtual machines */
    pci_put16(s->initial, PCI_SUBSYSTEM, 0x1100);
    start_compared(s);
    start_writable(s);
    if (!dev->dev.path)
        dev->dev.path = g_strdup_printf("0000:00:%02x.%x", dev->devfn >> 3, dev->devfn & 7);
    dev->bus->devices[dev->devfn] = dev;
    return true;
}

void pci_device_stop(PciDevice *dev)
{
    pci_set_irq(dev, false);
    for (unsigned n = 0; n <= PCI_BARS; n++)
        if (dev->bars[n].size)
            map_bar(dev, n, 0);
    dev->bus->devices[dev->devfn] = NULL;
}

void pci_device_reset(PciDevice *dev)
{
    PciState *s = pci_state(dev);

    pci_set_irq(dev, false);
    s->version_id = STATE_VERSION;
    memset(s->irq_state, 0, sizeof s->irq_state);
    memcpy(s->config, s->initial, sizeof s->config);
    map_bars(dev);
}

void pci_device_push(PciDevice *dev)
{
    pci_state(dev)->version_id = STATE_VERSION;
    pci_state(dev)->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_INTX;
    map_bars(dev);
}
