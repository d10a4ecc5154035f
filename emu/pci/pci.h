/*
 * pci.h: the PCI bus, and what all devices on it have in common.
 *
 * A PCI device's wiring struct begins with a PciDevice instead of a Device, and its state struct with a PciState, which
 * its description has as a struct of pci_device_state. `bus` and `devfn` are set before it is realized. Its realize
 * begins with pci_device_start, then says which BARs and capabilities it has and which bits of its configuration space
 * can be written; its unrealize ends with pci_device_stop, its reset begins with pci_device_reset, its check and push
 * with pci_check and pci_device_push.
 *
 * Source: PCI Local Bus Specification 3.0, chapter 6; PCI Bus Power Management Interface Specification 1.2.
 */
#ifndef EMU_PCI_PCI_H
#define EMU_PCI_PCI_H

#include "emu/core/device.h"
#include "emu/core/space.h"

enum {
    PCI_SLOTS = 32,
    PCI_FUNCTIONS = 8,
    PCI_CONFIG_SIZE = 256,
    PCI_PINS = 4, /* INTA to INTD */
    PCI_BARS = 6,
    PCI_ROM = 6, /* number of the expansion ROM's */
};

/* In the memory of the machine, PCI lies behind what the host bridge decodes itself (0 and above). */
enum {
    PCI_PRIORITY_MEMORY = -10, /* what has a fixed place, as the firmware */
    PCI_PRIORITY_BAR = -9,
    PCI_PRIORITY_LEGACY = -8,   /* VGA's 0xa0000 */
    PCI_PRIORITY_PORTS_BAR = 1, /* in front of what the ISA bus has there */
};

/* Configuration space, and bits of it. */
enum {
    PCI_VENDOR = 0x00,
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_COMMAND_IO = 1 << 0,
    PCI_COMMAND_MEMORY = 1 << 1,
    PCI_COMMAND_MASTER = 1 << 2,
    PCI_COMMAND_SERR = 1 << 8,
    PCI_COMMAND_NO_INTX = 1 << 10,
    PCI_STATUS = 0x06,
    PCI_STATUS_INTX = 1 << 3,
    PCI_STATUS_CAPABILITIES = 1 << 4,
    PCI_REVISION = 0x08,
    PCI_INTERFACE = 0x09,
    PCI_CLASS = 0x0a,
    PCI_CACHE_LINE = 0x0c,
    PCI_LATENCY = 0x0d,
    PCI_HEADER = 0x0e,
    PCI_HEADER_MULTIFUNCTION = 0x80,
    PCI_BAR = 0x10,
    PCI_BAR_PORTS = 1 << 0,
    PCI_BAR_64_BIT = 1 << 2,
    PCI_BAR_PREFETCH = 1 << 3,
    PCI_SUBSYSTEM_VENDOR = 0x2c,
    PCI_SUBSYSTEM = 0x2e,
    PCI_ROM_BAR = 0x30,
    PCI_ROM_ENABLE = 1 << 0,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,
    PCI_HEADER_END = 0x40,
};

enum { PCI_CAPABILITY_PM = 0x01, PCI_CAPABILITY_MSI = 0x05, PCI_CAPABILITY_VENDOR = 0x09, PCI_CAPABILITY_MSIX = 0x11 };

#define PCI_DEVFN(slot, function) ((uint8_t)((slot) << 3 | (function)))

typedef struct PciDevice PciDevice;
typedef struct PciBus PciBus;

/* What is saved of any PCI device, and behind it what its configuration space is made of, which does not change. */
typedef struct PciState {
    int32_t version_id; /* of this struct on the wire */
    uint8_t config[PCI_CONFIG_SIZE];
    uint32_t irq_state[PCI_PINS]; /* what the device drives, be it masked or not */

    uint8_t initial[PCI_CONFIG_SIZE]; /* after reset */
    uint8_t writable[PCI_CONFIG_SIZE];
    uint8_t write_1_to_clear[PCI_CONFIG_SIZE];
    uint8_t compared[PCI_CONFIG_SIZE]; /* bits that a stream must have as here, unless they can be written */
} PciState;

extern const VMStateDescription pci_device_state;

typedef struct PciIdentity {
    uint16_t vendor, device, class;
    uint8_t revision, interface, header;
    uint8_t pin; /* 1 is INTA; 0: none */
} PciIdentity;

/* Memory or ports of a device, whose place the guest chooses. */
typedef struct PciBar {
    uint64_t size; /* a power of two; 0: there is none */
    uint8_t type;  /* PCI_BAR_PORTS, _64_BIT, _PREFETCH */
    RamArea *ram;  /* borrowed; or */
    const IoOps *ops;
    void *opaque;
    uint64_t base; /* where it is mapped, 0 if it is not */
    SpaceId id;
} PciBar;

struct PciDevice {
    Device dev;
    PciBus *bus; /* borrowed; set before it is realized, and devfn too */
    uint8_t devfn;
    bool hotpluggable; /* the guest may eject it */
    PciBar bars[PCI_BARS + 1];

    /* After a write to these octets of the configuration space; NULL: nobody looks. */
    void (*config_written)(PciDevice *dev, unsigned addr, unsigned size);
};

static inline PciState *pci_state(const PciDevice *dev)
{
    return device_state((const Device *)dev);
}

static inline uint16_t pci_get16(const uint8_t *config, unsigned addr)
{
    return (uint16_t)(config[addr] | config[addr + 1] << 8);
}

static inline uint32_t pci_get32(const uint8_t *config, unsigned addr)
{
    return pci_get16(config, addr) | (uint32_t)pci_get16(config, addr + 2) << 16;
}

void pci_put16(uint8_t *config, unsigned addr, uint16_t value);
void pci_put32(uint8_t *config, unsigned addr, uint32_t value);

/* --- the life of a PCI device ----------------------------------------------------------------------------------- */

/* Fails if there is no such place on the bus, or it is taken. */
bool pci_device_start(PciDevice *dev, const PciIdentity *identity, GError **error);

/* Lowers its line, takes its BARs away, and it from the bus. */
void pci_device_stop(PciDevice *dev);

/* Lowers its line; its configuration space is as in the beginning. */
void pci_device_reset(PciDevice *dev);

/* Is a loaded state one of such a device? `section` is what messages call it. */
bool pci_check(const PciState *state, const char *section, GError **error);

/* Maps the BARs as the loaded state says. Lines stay as they are: the bus and the interrupt controllers have theirs. */
void pci_device_push(PciDevice *dev);

/* Bits that are set after reset, and that the guest can write. Only while it is realized. */
void pci_config_init(PciDevice *dev, unsigned addr, uint8_t value, uint8_t writable);

/*
 * Bar number n (PCI_ROM: the expansion ROM, which is memory that cannot be written): size, type, and ram or ops with
 * opaque of *bar. A 64-bit one has also number n + 1. Only while it is realized.
 */
void pci_add_bar(PciDevice *dev, unsigned n, const PciBar *bar);

/*
 * Room for a capability of `size` octets, at `offset` or, if that is 0, where there is room. All its bits are constant
 * until the device says otherwise. Returns where; 0 if there is no room. Only while it is realized.
 */
unsigned pci_add_capability(PciDevice *dev, uint8_t id, unsigned offset, unsigned size);

/* Where it is; 0: nowhere. */
unsigned pci_find_capability(const PciDevice *dev, uint8_t id);

/* The power management capability, with the states D0 and D3hot, and no events. */
bool pci_add_power_management(PciDevice *dev, unsigned offset);

/* --- what it does ----------------------------------------------------------------------------------------------- */

uint32_t pci_config_read(const PciDevice *dev, unsigned addr, unsigned size);
void pci_config_write(PciDevice *dev, unsigned addr, uint32_t value, unsigned size);

/* Drives its interrupt line, as of its interrupt pin; one without a pin has none. */
void pci_set_irq(PciDevice *dev, bool level);

/* May it read and write memory by itself? */
bool pci_is_master(const PciDevice *dev);

/* An interrupt by a message: a write to memory. Goes nowhere unless it is master. */
void pci_send_message(PciDevice *dev, uint64_t address, uint32_t data);

/* Reads and writes of memory by the device; reads give ones unless it is master. */
void pci_read_memory(PciDevice *dev, uint64_t addr, void *data, size_t len);
void pci_write_memory(PciDevice *dev, uint64_t addr, const void *data, size_t len);

/* --- MSI -------------------------------------------------------------------------------------------------------- */

/* The capability: `vectors` is 1, 2, 4 ... 32; with 64-bit addresses, and masks per vector if `masks`. */
bool pci_add_msi(PciDevice *dev, unsigned offset, unsigned vectors, bool masks);
bool pci_msi_enabled(const PciDevice *dev);

/* Sends the message of that vector, or keeps it pending while it is masked. */
void pci_msi_send(PciDevice *dev, unsigned vector);

/* To be called from config_written: sends what was pending and is no longer masked. */
void pci_msi_config_written(PciDevice *dev, unsigned addr, unsigned size);

#endif
