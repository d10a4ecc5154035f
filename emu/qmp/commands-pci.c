/* commands-pci.c: what is on the PCI bus; schema/pci.json. */
#include "emu/machine/devices.h"
#include "emu/machine/inspect.h"
#include "emu/qmp/call.h"
#include "qapi/commands.h"

/* PCI Code and ID Assignment Specification 1.11, section 1; in QEMU's words. */
static const char *class_in_words(unsigned class)
{
    static const struct {
        unsigned class;
        const char *words;
    } known[] = {
        {0x0100, "SCSI controller"}, {0x0101, "IDE controller"}, {0x0200, "Ethernet controller"},
        {0x0600, "Host bridge"},     {0x0601, "ISA bridge"},     {0x0680, "Bridge"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (known[i].class == class)
            return known[i].words;
    return NULL;
}

/* -1: the guest has not placed it, or does not let it answer. */
static int64_t place_of(const uint8_t *config, const PciBar *bar, unsigned n)
{
    unsigned at = n == PCI_ROM ? PCI_ROM_BAR : PCI_BAR + 4 * n;
    bool ports = bar->type & PCI_BAR_PORTS, wide = bar->type & PCI_BAR_64_BIT;
    uint64_t base = pci_get32(config, at) & ~(uint64_t)(ports ? 3 : n == PCI_ROM ? 0x7ff : 15);

    if (wide)
        base |= (uint64_t)pci_get32(config, at + 4) << 32;
    if (!(pci_get16(config, PCI_COMMAND) & (ports ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)) || !base ||
        (n == PCI_ROM && !(config[at] & PCI_ROM_ENABLE)))
        return -1;
    return (int64_t)base;
}

static QmpPciMemoryRegion *tell_region(const uint8_t *config, const PciBar *bar, unsigned n)
{
    QmpPciMemoryRegion *r = g_new0(QmpPciMemoryRegion, 1);
    bool ports = bar->type & PCI_BAR_PORTS;

    r->bar = n;
    r->type = g_strdup(ports ? "io" : "memory");
    r->address = place_of(config, bar, n);
    r->size = (int64_t)bar->size;
    r->has_prefetch = r->has_mem_type_64 = !ports;
    r->prefetch = !ports && bar->type & PCI_BAR_PREFETCH;
    r->mem_type_64 = !ports && bar->type & PCI_BAR_64_BIT;
    return r;
}

static QmpPciDeviceInfo *tell_device(const Vm *vm, const PciDevice *dev)
{
    const uint8_t *config = pci_state(dev)->config;
    QmpPciDeviceInfo *info = g_new0(QmpPciDeviceInfo, 1);
    const VmDevice *named = vm_find_device(vm, &dev->dev);

    info->slot = dev->devfn >> 3;
    info->function = dev->devfn & 7;
    info->class_info = g_new0(QmpPciDeviceClass, 1);
    info->class_info->class = pci_get16(config, PCI_CLASS);
    info->class_info->desc = g_strdup(class_in_words(pci_get16(config, PCI_CLASS)));
    info->id = g_new0(QmpPciDeviceId, 1);
    info->id->vendor = pci_get16(config, PCI_VENDOR);
    info->id->device = pci_get16(config, PCI_DEVICE);
    info->id->has_subsystem = info->id->has_subsystem_vendor = true;
    info->id->subsystem = pci_get16(config, PCI_SUBSYSTEM);
    info->id->subsystem_vendor = pci_get16(config, PCI_SUBSYSTEM_VENDOR);
    info->irq_pin = config[PCI_INTERRUPT_PIN];
    info->has_irq = info->irq_pin;
    info->irq = info->has_irq ? config[PCI_INTERRUPT_LINE] : 0;
    info->qdev_id = g_strdup(named && named->id ? named->id : "");
    info->regions.items = g_new(QmpPciMemoryRegion *, PCI_BARS + 1);
    for (unsigned n = 0; n <= PCI_ROM; n++)
        if (dev->bars[n].size)
            info->regions.items[info->regions.count++] = tell_region(config, &dev->bars[n], n);
    return info;
}

bool qmp_query_pci(QmpCall *call, QmpPciInfoList *result, GError **error)
{
    Vm *vm = qmp_call_vm(call);
    Machine *machine = pc_machine(vm_pc(vm));
    const PciBus *bus = pc_bus(vm_pc(vm));
    QmpPciInfo *info = g_new0(QmpPciInfo, 1);

    (void)error;
    info->devices.items = g_new(QmpPciDeviceInfo *, PCI_SLOTS * PCI_FUNCTIONS);
    machine_lock(machine);
    for (unsigned i = 0; i < PCI_SLOTS * PCI_FUNCTIONS; i++)
        if (bus->devices[i])
            info->devices.items[info->devices.count++] = tell_device(vm, bus->devices[i]);
    machine_unlock(machine);
    result->items = g_new(QmpPciInfo *, 1);
    result->items[result->count++] = info;
    return true;
}
