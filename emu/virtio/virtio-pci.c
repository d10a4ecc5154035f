/*
 * virtio-pci.c: how a guest reaches a virtio device: the transitional PCI transport.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, section 4.1; Virtio PCI Card Specification 0.9.5, section 2.1.
 * BAR 0: ports of legacy drivers. BAR 1: MSI-X, its table at 0 and pending bits at 0x800. BAR 4: 16 KiB, the common
 * structure at 0, interrupt status at 0x1000, the device's configuration at 0x2000, a doorbell for each queue at
 * 0x3000. Not modelled: a read through the window in configuration space (section 4.1.4.9) has its effect when the
 * window is set, and reading the interrupt status so does not clear it.
 */
#include <string.h>

#include "emu/core/machine.h"
#include "emu/virtio/virtio-impl.h"

/* BAR 0 (0.9.5, section 2.1.2.2). */
enum {
    LEGACY_FEATURES = 0,
    LEGACY_GUEST_FEATURES = 4,
    LEGACY_QUEUE_ADDRESS = 8,
    LEGACY_QUEUE_SIZE = 12,
    LEGACY_QUEUE_SELECT = 14,
    LEGACY_QUEUE_NOTIFY = 16,
    LEGACY_STATUS = 18,
    LEGACY_ISR = 19,
    LEGACY_CONFIG_VECTOR = 20, /* these two only while MSI-X is enabled */
    LEGACY_QUEUE_VECTOR = 22,
    LEGACY_VECTORS_END = 24,
};

/* The common structure (1.2, section 4.1.4.3). */
enum {
    COMMON_FEATURE_SELECT = 0x00,
    COMMON_FEATURE = 0x04,
    COMMON_GUEST_FEATURE_SELECT = 0x08,
    COMMON_GUEST_FEATURE = 0x0c,
    COMMON_CONFIG_VECTOR = 0x10,
    COMMON_QUEUES = 0x12,
    COMMON_STATUS = 0x14,
    COMMON_GENERATION = 0x15,
    COMMON_QUEUE_SELECT = 0x16,
    COMMON_QUEUE_SIZE = 0x18,
    COMMON_QUEUE_VECTOR = 0x1a,
    COMMON_QUEUE_ENABLE = 0x1c,
    COMMON_QUEUE_NOTIFY_OFFSET = 0x1e,
    COMMON_QUEUE_DESC = 0x20,
    COMMON_QUEUE_AVAIL = 0x28,
    COMMON_QUEUE_USED = 0x30,
    COMMON_QUEUE_RESET = 0x3a,
};

enum {
    PART_SIZE = 0x1000, /* of BAR 4: */
    PART_COMMON = 0,
    PART_ISR = 1,
    PART_CONFIG = 2,
    PART_NOTIFY = 3,
    PARTS = 4,
    NOTIFY_SHIFT = 2, /* a doorbell is 4 octets */
};

/* Capabilities (1.2, section 4.1.4). */
enum {
    CAP_COMMON = 1,
    CAP_NOTIFY = 2,
    CAP_ISR = 3,
    CAP_DEVICE = 4,
    CAP_WINDOW = 5,
    CAP_LEN = 2,
    CAP_TYPE = 3,
    CAP_BAR = 4,
    CAP_OFFSET = 8,
    CAP_LENGTH = 12,
    CAP_MORE = 16, /* the doorbells' distance, the window's data */
    CAP_SIZE = 16,
    CAP_SIZE_MORE = 20,
    WINDOW_AT = 0x84,
    MSIX_PENDING_AT = 0x800,
    BAR_LEGACY = 0,
    BAR_MSIX = 1,
    BAR_MODERN = 4,
};

static VirtioQueueState *selected(Virtio *v)
{
    VirtioState *s = virtio_state(v);

    return &s->queues[s->queue_select % VIRTIO_QUEUES_MAX];
}

static void set_vector(Virtio *v, uint16_t *vector, uint64_t value)
{
    *vector = virtio_vector(v, value);
}

static void select_queue(Virtio *v, uint64_t queue)
{
    if (queue < VIRTIO_QUEUES_MAX)
        virtio_state(v)->queue_select = (uint16_t)queue;
}

/* A driver resets the device (2.4); which features it last spoke of stays. */
static void reset_by_driver(Virtio *v)
{
    virtio_reset(v);
    memset(virtio_state(v)->registers, 0, sizeof virtio_state(v)->registers);
    for (unsigned n = 0; n < v->kind->vectors; n++)
        msix_set_pending(&v->msix, n, false);
}

/* --- ports of legacy drivers ------------------------------------------------------------------------------------ */

static unsigned legacy_config_at(const Virtio *v)
{
    return msix_enabled(&v->msix) ? LEGACY_VECTORS_END : LEGACY_CONFIG_VECTOR;
}

static uint64_t legacy_register(Virtio *v, uint64_t addr)
{
    VirtioState *s = virtio_state(v);

    switch (addr) {
    case LEGACY_FEATURES:
        return (uint32_t)virtio_state(v)->offered;
    case LEGACY_GUEST_FEATURES:
        return (uint32_t)s->features;
    case LEGACY_QUEUE_ADDRESS:
        return (uint32_t)(selected(v)->desc >> VIRTQUEUE_LEGACY_SHIFT);
    case LEGACY_QUEUE_SIZE:
        return (uint16_t)selected(v)->num;
    case LEGACY_QUEUE_SELECT:
        return s->queue_select;
    case LEGACY_STATUS:
        return s->status;
    case LEGACY_ISR:
        return virtio_read_isr(v);
    case LEGACY_CONFIG_VECTOR:
        return s->config_vector;
    case LEGACY_QUEUE_VECTOR:
        return selected(v)->vector;
    default:
        return UINT32_MAX;
    }
}

static uint64_t legacy_read(void *opaque, uint64_t addr, unsigned size)
{
    Virtio *v = opaque;
    unsigned config = legacy_config_at(v);

    if (addr >= config)
        return virtio_config_read(v, (unsigned)addr - config, size);
    return legacy_register(v, addr);
}

/* The page of all three parts of the ring; 0 resets the device. */
static void legacy_set_address(Virtio *v, uint32_t page)
{
    VirtioState *s = virtio_state(v);
    unsigned queue = s->queue_select;

    if (page == 0) {
        reset_by_driver(v);
        return;
    }
    if (!virtio_queue_is_there(v, queue))
        return;
    s->queues[queue].desc = (uint64_t)page << VIRTQUEUE_LEGACY_SHIFT;
    virtqueue_lay_out(&v->vq[queue]);
    virtio_hang_bells(v);
}

static void legacy_set_status(Virtio *v, uint8_t status)
{
    uint16_t command = pci_get16(pci_state(&v->pci)->config, PCI_COMMAND);

    if (status == 0) {
        reset_by_driver(v);
        return;
    }
    virtio_set_status(v, status);
    /* Drivers of Linux before 2.6.34 forget to let the device be master of the bus. */
    if (status == (VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER) && !(command & PCI_COMMAND_MASTER))
        pci_config_write(&v->pci, PCI_COMMAND, command | PCI_COMMAND_MASTER, 2);
}

static void legacy_set_features(Virtio *v, uint32_t features)
{
    /* Who takes this one takes whatever it sees, and gets nothing. */
    virtio_set_features(v, features & VIRTIO_F_BAD_FEATURE ? 0 : features);
}

static void legacy_write(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Virtio *v = opaque;
    unsigned config = legacy_config_at(v);

    if (addr >= config) {
        virtio_config_write(v, (unsigned)addr - config, (uint32_t)value, size);
        return;
    }
    switch (addr) {
    case LEGACY_GUEST_FEATURES:
        legacy_set_features(v, (uint32_t)value);
        break;
    case LEGACY_QUEUE_ADDRESS:
        legacy_set_address(v, (uint32_t)value);
        break;
    case LEGACY_QUEUE_SELECT:
        select_queue(v, value);
        break;
    case LEGACY_QUEUE_NOTIFY:
        virtio_kick(v, (unsigned)value);
        break;
    case LEGACY_STATUS:
        legacy_set_status(v, (uint8_t)value);
        break;
    case LEGACY_CONFIG_VECTOR:
        set_vector(v, &virtio_state(v)->config_vector, value);
        break;
    case LEGACY_QUEUE_VECTOR:
        set_vector(v, &selected(v)->vector, value);
        break;
    default:
        break;
    }
}

static const IoOps legacy_ops = {.read = legacy_read, .write = legacy_write, .max = 4};

/* --- the common structure --------------------------------------------------------------------------------------- */

static uint32_t *address_register(VirtioState *s, uint64_t addr)
{
    VirtioRegisters *r = &s->registers[s->queue_select % VIRTIO_QUEUES_MAX];

    switch (addr) {
    case COMMON_QUEUE_DESC:
    case COMMON_QUEUE_DESC + 4:
        return &r->desc[(addr - COMMON_QUEUE_DESC) / 4];
    case COMMON_QUEUE_AVAIL:
    case COMMON_QUEUE_AVAIL + 4:
        return &r->avail[(addr - COMMON_QUEUE_AVAIL) / 4];
    case COMMON_QUEUE_USED:
    case COMMON_QUEUE_USED + 4:
        return &r->used[(addr - COMMON_QUEUE_USED) / 4];
    default:
        return NULL;
    }
}

static uint64_t common_queue_register(Virtio *v, uint64_t addr)
{
    VirtioState *s = virtio_state(v);
    const uint32_t *address = address_register(s, addr);

    switch (addr) {
    case COMMON_QUEUE_SELECT:
    case COMMON_QUEUE_NOTIFY_OFFSET:
        return s->queue_select;
    case COMMON_QUEUE_SIZE:
        return selected(v)->num;
    case COMMON_QUEUE_VECTOR:
        return selected(v)->vector;
    case COMMON_QUEUE_ENABLE:
        return s->registers[s->queue_select % VIRTIO_QUEUES_MAX].enabled;
    default:
        return address ? *address : 0;
    }
}

static uint64_t common_read(Virtio *v, uint64_t addr)
{
    VirtioState *s = virtio_state(v);

    switch (addr) {
    case COMMON_FEATURE_SELECT:
        return s->feature_select;
    case COMMON_FEATURE:
        return s->feature_select < 2 ? (uint32_t)((s->offered & ~virtio_hidden(v)) >> 32 * s->feature_select) : 0;
    case COMMON_GUEST_FEATURE_SELECT:
        return s->guest_feature_select;
    case COMMON_GUEST_FEATURE:
        return s->guest_feature_select < 2 ? s->guest_features[s->guest_feature_select] : 0;
    case COMMON_CONFIG_VECTOR:
        return s->config_vector;
    case COMMON_QUEUES:
        return v->kind->queues;
    case COMMON_STATUS:
        return s->status;
    case COMMON_GENERATION:
        return v->generation;
    default:
        return common_queue_register(v, addr);
    }
}

static void enable_queue(Virtio *v, uint64_t value)
{
    VirtioState *s = virtio_state(v);
    unsigned n = s->queue_select % VIRTIO_QUEUES_MAX;
    VirtioRegisters *r = &s->registers[n];

    if (value != 1) {
        virtio_break(v, "a queue cannot be taken back by its enable register");
        return;
    }
    r->enabled = true;
    if (!virtio_queue_is_there(v, n))
        return;
    virtio_set_queue_size(v, n, r->num);
    s->queues[n].desc = r->desc[0] | (uint64_t)r->desc[1] << 32;
    s->rings[n].avail = r->avail[0] | (uint64_t)r->avail[1] << 32;
    s->rings[n].used = r->used[0] | (uint64_t)r->used[1] << 32;
    virtio_hang_bells(v);
}

/* Section 2.6.1. Vector and size are as in the beginning, too. */
static void reset_queue(Virtio *v, uint64_t value)
{
    VirtioState *s = virtio_state(v);

    if (value != 1)
        return;
    virtio_reset_queue(v, s->queue_select % VIRTIO_QUEUES_MAX);
    s->registers[s->queue_select % VIRTIO_QUEUES_MAX].enabled = false;
}

static void common_queue_write(Virtio *v, uint64_t addr, uint32_t value)
{
    VirtioState *s = virtio_state(v);
    uint32_t *address = address_register(s, addr);

    switch (addr) {
    case COMMON_QUEUE_SELECT:
        select_queue(v, value);
        break;
    case COMMON_QUEUE_SIZE:
        s->registers[s->queue_select % VIRTIO_QUEUES_MAX].num = (uint16_t)value;
        virtio_set_queue_size(v, s->queue_select, (uint16_t)value);
        break;
    case COMMON_QUEUE_VECTOR:
        set_vector(v, &selected(v)->vector, value);
        break;
    case COMMON_QUEUE_ENABLE:
        enable_queue(v, value);
        break;
    case COMMON_QUEUE_RESET:
        reset_queue(v, value);
        break;
    default:
        if (address)
            *address = value;
    }
}

static void write_guest_features(Virtio *v, uint32_t value)
{
    VirtioState *s = virtio_state(v);

    if (s->guest_feature_select >= 2)
        return;
    s->guest_features[s->guest_feature_select] = value;
    virtio_set_features(v, s->guest_features[0] | (uint64_t)s->guest_features[1] << 32);
}

static void common_write(Virtio *v, uint64_t addr, uint32_t value)
{
    VirtioState *s = virtio_state(v);

    switch (addr) {
    case COMMON_FEATURE_SELECT:
        s->feature_select = value;
        break;
    case COMMON_GUEST_FEATURE_SELECT:
        s->guest_feature_select = value;
        break;
    case COMMON_GUEST_FEATURE:
        write_guest_features(v, value);
        break;
    case COMMON_CONFIG_VECTOR:
        set_vector(v, &s->config_vector, value);
        break;
    case COMMON_STATUS:
        if ((uint8_t)value == 0)
            reset_by_driver(v);
        else
            virtio_set_status(v, (uint8_t)value);
        break;
    default:
        common_queue_write(v, addr, value);
    }
}

/* --- BAR 4 ------------------------------------------------------------------------------------------------------ */

static uint64_t modern_read(void *opaque, uint64_t addr, unsigned size)
{
    Virtio *v = opaque;
    unsigned at = addr % PART_SIZE;

    switch (addr / PART_SIZE) {
    case PART_COMMON:
        return common_read(v, at);
    case PART_ISR:
        return at == 0 ? virtio_read_isr(v) : 0;
    case PART_CONFIG:
        return virtio_config_read(v, at, size);
    default:
        return 0;
    }
}

static void modern_write(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Virtio *v = opaque;
    unsigned at = addr % PART_SIZE;

    switch (addr / PART_SIZE) {
    case PART_COMMON:
        common_write(v, at, (uint32_t)value);
        break;
    case PART_CONFIG:
        virtio_config_write(v, at, (uint32_t)value, size);
        break;
    case PART_NOTIFY:
        virtio_kick(v, at >> NOTIFY_SHIFT);
        break;
    default:
        break;
    }
}

static const IoOps modern_ops = {.read = modern_read, .write = modern_write, .max = 4};

/* --- the window in configuration space -------------------------------------------------------------------------- */

/* Is it set to something that can be accessed? */
static bool window_place(const Virtio *v, uint32_t *offset, unsigned *size)
{
    const uint8_t *config = pci_state(&v->pci)->config + WINDOW_AT;
    uint32_t length = pci_get32(config, CAP_LENGTH);

    *offset = pci_get32(config, CAP_OFFSET);
    *size = length;
    return config[CAP_BAR] == BAR_MODERN && (length == 1 || length == 2 || length == 4) && *offset % length == 0 &&
           *offset <= PARTS * PART_SIZE - length;
}

static bool overlaps(unsigned addr, unsigned size, unsigned from, unsigned octets)
{
    return addr < from + octets && from < addr + size;
}

/*
 * What is behind the window, when the guest sets it or has written through it; so that it can be read. The interrupt
 * status is looked at only: the guest may not want to read it.
 */
static void window_fetch(Virtio *v)
{
    uint8_t *data = pci_state(&v->pci)->config + WINDOW_AT + CAP_MORE;
    uint32_t offset, value;
    unsigned size;

    if (!window_place(v, &offset, &size))
        return;
    if (offset / PART_SIZE == PART_ISR)
        value = offset % PART_SIZE ? 0 : virtio_state(v)->isr;
    else
        value = (uint32_t)modern_read(v, offset, size);
    for (unsigned i = 0; i < size; i++)
        data[i] = (uint8_t)(value >> i * 8);
}

static void window_written(Virtio *v, unsigned addr, unsigned size)
{
    const uint8_t *config = pci_state(&v->pci)->config;
    uint32_t offset, value = pci_get32(config, WINDOW_AT + CAP_MORE);
    unsigned width;

    if (overlaps(addr, size, WINDOW_AT + CAP_MORE, 4) && window_place(v, &offset, &width))
        modern_write(v, offset, width == 4 ? value : value & ((1U << 8 * width) - 1), width);
    else if (overlaps(addr, size, WINDOW_AT + CAP_BAR, CAP_MORE - CAP_BAR))
        window_fetch(v);
}

static void config_written(PciDevice *dev, unsigned addr, unsigned size)
{
    Virtio *v = (Virtio *)dev;

    if (overlaps(addr, size, PCI_COMMAND, 2))
        virtio_set_disabled(v, !pci_is_master(dev));
    msix_config_written(&v->msix, addr, size);
    window_written(v, addr, size);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void add_structure(Virtio *v, uint8_t type, unsigned offset, unsigned part)
{
    bool more = type == CAP_NOTIFY || type == CAP_WINDOW;
    unsigned size = more ? CAP_SIZE_MORE : CAP_SIZE,
             at = pci_add_capability(&v->pci, PCI_CAPABILITY_VENDOR, offset, size);
    uint8_t *initial = pci_state(&v->pci)->initial + at;

    initial[CAP_LEN] = (uint8_t)size;
    initial[CAP_TYPE] = type;
    if (type == CAP_WINDOW) {
        uint8_t *writable = pci_state(&v->pci)->writable + at;
        writable[CAP_BAR] = 0xff;
        memset(writable + CAP_OFFSET, 0xff, CAP_SIZE_MORE - CAP_OFFSET);
        return;
    }
    initial[CAP_BAR] = BAR_MODERN;
    pci_put32(initial, CAP_OFFSET, part * PART_SIZE);
    pci_put32(initial, CAP_LENGTH, PART_SIZE);
    if (type == CAP_NOTIFY)
        pci_put32(initial, CAP_MORE, 1 << NOTIFY_SHIFT);
}

/* Where QEMU 7.2 has them. */
static void add_structures(Virtio *v)
{
    add_structure(v, CAP_COMMON, 0x40, PART_COMMON);
    add_structure(v, CAP_ISR, 0x50, PART_ISR);
    add_structure(v, CAP_DEVICE, 0x60, PART_CONFIG);
    add_structure(v, CAP_NOTIFY, 0x70, PART_NOTIFY);
    add_structure(v, CAP_WINDOW, WINDOW_AT, 0);
}

static uint64_t power_of_two(uint64_t size)
{
    uint64_t power = 1;

    while (power < size)
        power <<= 1;
    return power;
}

bool virtio_pci_start(Virtio *v, RamArea *rom, GError **error)
{
    PciIdentity identity = {.vendor = 0x1af4, .device = v->kind->pci_device, .class = v->kind->pci_class, .pin = 1};
    VirtioState *s = virtio_state(v);

    if (!pci_device_start(&v->pci, &identity, error))
        return false;
    pci_config_init(&v->pci, PCI_SUBSYSTEM, (uint8_t)v->kind->subsystem, 0);
    pci_config_init(&v->pci, PCI_SUBSYSTEM + 1, (uint8_t)(v->kind->subsystem >> 8), 0);
    add_structures(v);
    v->msix = (Msix){.dev = &v->pci, .vectors = v->kind->vectors, .table = s->msix_table, .pending = s->msix_pending};
    if (!msix_start(&v->msix, &(MsixPlace){BAR_MSIX, 0, MSIX_PENDING_AT, VIRTIO_MSIX_AT})) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: no room for MSI-X", v->kind->section);
        pci_device_stop(&v->pci);
        return false;
    }
    pci_add_bar(&v->pci, BAR_LEGACY,
                &(PciBar){.size = power_of_two(LEGACY_VECTORS_END + (uint64_t)v->kind->config_len),
                          .type = PCI_BAR_PORTS,
                          .ops = &legacy_ops,
                          .opaque = v});
    pci_add_bar(&v->pci, BAR_MSIX, &(PciBar){.size = PART_SIZE, .ops = &msix_ops, .opaque = &v->msix});
    pci_add_bar(
        &v->pci, BAR_MODERN,
        &(PciBar){
            .size = PARTS * PART_SIZE, .type = PCI_BAR_64_BIT | PCI_BAR_PREFETCH, .ops = &modern_ops, .opaque = v});
    if (rom)
        pci_add_bar(&v->pci, PCI_ROM, &(PciBar){.size = rom->size, .ram = rom});
    v->pci.config_written = config_written;
    return true;
}

unsigned virtio_pci_doorbells(Virtio *v, unsigned queue, BellPlace places[BELL_PLACES])
{
    places[0] = (BellPlace){
        .ops = &modern_ops, .opaque = v, .offset = PART_NOTIFY * PART_SIZE + ((uint64_t)queue << NOTIFY_SHIFT)};
    places[1] = (BellPlace){.ports = true,
                            .ops = &legacy_ops,
                            .opaque = v,
                            .offset = LEGACY_QUEUE_NOTIFY,
                            .size = 2,
                            .only = true,
                            .value = queue};
    return 2;
}

void virtio_pci_reset(Virtio *v)
{
    pci_device_reset(&v->pci);
    msix_reset(&v->msix);
}
