/*
 * pci-bus.h: the bus itself, a device of its own ("PCIBUS" in a stream), and the way a processor reaches it.
 *
 * Of the lines INTA to INTD of all slots the bus makes four, PIRQA to PIRQD: each slot's are turned on by one.
 */
#ifndef EMU_PCI_PCI_BUS_H
#define EMU_PCI_PCI_BUS_H

#include "emu/pci/pci.h"

typedef struct PciBusState {
    int32_t nirq;
    int32_t irq_count[PCI_PINS]; /* how many devices drive PIRQA to PIRQD */
} PciBusState;

struct PciBus {
    Device dev;
    Irq pirq[PCI_PINS];                            /* output "pirq" */
    PciDevice *devices[PCI_SLOTS * PCI_FUNCTIONS]; /* borrowed: the machine owns them */

    /* Where messages go; NULL: nowhere. Set by who builds the machine. */
    void (*send)(void *opaque, uint64_t address, uint32_t data);
    void *send_opaque;

    /* What is at 0xcf8 to 0xcfb for accesses that are no double words: the host bridge passes them on. Borrowed. */
    const IoOps *passed;
    void *passed_opaque;

    PciBusState s;
};

extern const DeviceType pci_bus_type;

/* The host bridge's ports 0xcf8 and 0xcfc, section "PCIHost". */
extern const DeviceType pci_host_type;
void pci_host_set_bus(Device *host, Device *bus);

/* The device at that place, or NULL. */
static inline PciDevice *pci_bus_device(const PciBus *bus, uint8_t devfn)
{
    return bus->devices[devfn];
}

static inline bool pci_bus_level(const PciBus *bus, unsigned pirq)
{
    return bus->s.irq_count[pirq] != 0;
}

/* One device more, or less, drives its pin (0 is INTA). */
void pci_bus_change_irq(PciBus *bus, uint8_t devfn, unsigned pin, int change);

#endif
