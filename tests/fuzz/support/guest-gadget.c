/* guest-gadget.c: a PCI device that has some of everything: BARs of all kinds, a ROM, a line, MSI and MSI-X. */
#include "emu/pci/msix.h"
#include "tests/fuzz/support/fuzz.h"
#include "tests/fuzz/support/guest-board.h"

enum { VECTORS = 4, MSI_AT = 0x50, PM_AT = 0x40, MSIX_AT = 0x98, ROM_SIZE = 0x10000 };

typedef struct GadgetState {
    PciState dev;
    uint8_t table[MSIX_TABLE_SIZE(VECTORS)];
    uint8_t pending[MSIX_PBA_SIZE(VECTORS)];
} GadgetState;

typedef struct Gadget {
    PciDevice pci;
    RamArea *rom;
    Msix msix;
    GadgetState s;
} Gadget;

static bool check(const void *state, GError **error)
{
    return pci_check(&((const GadgetState *)state)->dev, "gadget", error);
}

static void push(void *opaque)
{
    pci_device_push(opaque);
}

static const VMStateField fields[] = {
    VMS_SUB(GadgetState, dev, &pci_device_state),
    VMS_BYTES(GadgetState, table),
    VMS_BYTES(GadgetState, pending),
    VMS_END,
};

static const VMStateDescription gadget_state = {
    .name = "gadget",
    .version = 1,
    .minimum = 1,
    .size = sizeof(GadgetState),
    .fields = fields,
    .check = check,
    .push = push,
};

/* Its registers make DMA: what is written is where to. */
static uint64_t read_register(void *opaque, uint64_t addr, unsigned size)
{
    uint32_t value = 0;

    (void)size;
    pci_read_memory(opaque, addr * 4, &value, sizeof value);
    return value;
}

static void write_register(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    pci_write_memory(opaque, value, &addr, size);
}

static const IoOps ops = {.read = read_register, .write = write_register, .min = 1, .max = 8};

static void config_written(PciDevice *dev, unsigned addr, unsigned size)
{
    msix_config_written(&((Gadget *)dev)->msix, addr, size);
    pci_msi_config_written(dev, addr, size);
}

static bool realize(Device *dev, GError **error)
{
    static const PciIdentity identity = {.vendor = 0x1234, .device = 0x5678, .class = 0x0280, .pin = 1};
    Gadget *g = (Gadget *)dev;

    if (!pci_device_start(&g->pci, &identity, error))
        return false;
    g->pci.config_written = config_written;
    g->rom = ram_area_new("gadget.rom", ROM_SIZE, ROM_SIZE, NULL);
    pci_add_bar(&g->pci, 0, &(PciBar){.size = 0x40, .type = PCI_BAR_PORTS, .ops = &ops, .opaque = g});
    pci_add_bar(&g->pci, 1, &(PciBar){.size = 0x1000, .ops = &msix_ops, .opaque = &g->msix});
    pci_add_bar(&g->pci, 2,
                &(PciBar){.size = 0x4000, .type = PCI_BAR_64_BIT | PCI_BAR_PREFETCH, .ops = &ops, .opaque = g});
    pci_add_bar(&g->pci, PCI_ROM, &(PciBar){.size = ROM_SIZE, .ram = g->rom});
    g->msix = (Msix){.dev = &g->pci, .vectors = VECTORS, .table = g->s.table, .pending = g->s.pending};
    fuzz_check(pci_add_power_management(&g->pci, PM_AT) && pci_add_msi(&g->pci, MSI_AT, 4, true) &&
                   msix_start(&g->msix, &(MsixPlace){.bar = 1, .pending_at = 0x800, .capability = MSIX_AT}),
               "there is no room for a capability");
    return true;
}

static void unrealize(Device *dev)
{
    pci_device_stop((PciDevice *)dev);
    ram_area_free(((Gadget *)dev)->rom);
}

static void reset(Device *dev)
{
    pci_device_reset((PciDevice *)dev);
    msix_reset(&((Gadget *)dev)->msix);
}

const DeviceType guest_gadget_type = {
    .name = "gadget",
    .about = "some of everything",
    .size = sizeof(Gadget),
    .state = &gadget_state,
    .state_offset = offsetof(Gadget, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};

void guest_gadget_event(Device *gadget, unsigned event)
{
    Gadget *g = (Gadget *)gadget;

    switch (event % 4) {
    case 0:
        pci_set_irq(&g->pci, event & 4);
        break;
    case 1:
        pci_msi_send(&g->pci, event >> 2);
        break;
    case 2:
        msix_send(&g->msix, event >> 2);
        break;
    default:
        msix_set_pending(&g->msix, event >> 3, event & 4);
    }
}
