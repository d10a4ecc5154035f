/*
 * virtio.c: finding, setting up and using virtio devices on PCI.
 *
 * Sources: Virtual I/O Device 1.1 (OASIS), 2.6 (split rings), 3.1 (initialization), 4.1 (PCI, with the legacy
 * interface); PCI Local Bus Specification 3.0, 6.8.2 (MSI-X); PIIX3 data sheet, 2.2.11 (PIRQ routing).
 */
#include "tests/guest/virtio.h"

enum {
    VENDOR = 0x1af4,
    MSIX_CAPABILITY = 0x11,
    VENDOR_CAPABILITY = 0x09,

    /* Legacy interface. */
    OLD_FEATURES = 0,
    OLD_WANTED = 4,
    OLD_ADDRESS = 8,
    OLD_SIZE = 12,
    OLD_SELECT = 14,
    OLD_NOTIFY = 16,
    OLD_STATUS = 18,
    OLD_ISR = 19,
    OLD_VECTOR = 22,

    /* Common configuration of 1.0. */
    NEW_FEATURE_SELECT = 0,
    NEW_FEATURES = 4,
    NEW_WANTED_SELECT = 8,
    NEW_WANTED = 12,
    NEW_VECTOR = 26, /* with the queue selected */
    NEW_STATUS = 20,
    NEW_SELECT = 22,
    NEW_SIZE = 24,
    NEW_ENABLE = 28,
    NEW_NOTIFY_OFF = 30,
    NEW_DESCRIPTORS = 32,
    NEW_AVAILABLE = 40,
    NEW_USED = 48,

    ACKNOWLEDGE = 1,
    DRIVER = 2,
    DRIVER_OK = 4,
    FEATURES_OK = 8,

    VERSION_1 = 32,
    RING_SIZE = 3 * 4096,
    DEVICES_MAX = 10,
    PIIX3_ISA = 0x70008086,
};

unsigned virtio_ring_most = RING;
static uint8_t rings[DEVICES_MAX][VIRTIO_QUEUES][RING_SIZE] __attribute__((aligned(4096)));
static Virtio *on_lines[DEVICES_MAX];
static unsigned line_count, ring_count, message_count;

/* --- interrupts --------------------------------------------------------------------------------------------------- */

static void on_line(unsigned vector)
{
    (void)vector;
    for (unsigned i = 0; i < line_count; i++) {
        Virtio *v = on_lines[i];
        uint8_t cause = v->modern ? read8(v->isr) : inb(v->io + OLD_ISR);
        if (cause & 1)
            v->interrupts++;
    }
}

/* The slot's pin goes to a PIRQ, and that to one of ISA's lines; whoever started us may have left that undone. */
static void connect_line(Virtio *v)
{
    PciDevice isa;
    unsigned pirq = ((v->device.devfn >> 3) - 1) & 3;

    if (!pci_find(PIIX3_ISA, PIIX3_ISA, &isa))
        fail("virtio.pirq", PIIX3_ISA, 0);
    uint32_t routes = pci_read(isa.devfn, 0x60);
    if (routes >> 8 * pirq & 0x80) {
        routes = (routes & ~(UINT32_C(0xff) << 8 * pirq)) | (uint32_t)(pirq & 1 ? 11 : 10) << 8 * pirq;
        pci_write(isa.devfn, 0x60, routes);
    }
    unsigned line = routes >> 8 * pirq & 15;
    outb(0x4d1, inb(0x4d1) | 1 << (line - 8));
    handlers[VECTOR_PINS + line] = on_line;
    ioapic_set(line, VECTOR_PINS + line, true);
    on_lines[line_count++] = v;
}

static void connect_messages(Virtio *v, unsigned queues)
{
    unsigned capability = pci_capability(v->device.devfn, 0, MSIX_CAPABILITY);
    uint32_t where = capability ? pci_read(v->device.devfn, capability + 4) : 0;
    uint64_t table = capability ? pci_bar(v->device.devfn, where & 7) : 0;

    if (!table || table >> 32 || message_count + queues > MESSAGES) {
        v->msix = false;
        return;
    }
    table += where & ~UINT32_C(7);
    pci_write(v->device.devfn, capability, pci_read(v->device.devfn, capability) | UINT32_C(0x80000000));
    for (unsigned q = 0; q < queues; q++) {
        v->queues[q].vector = VECTOR_MESSAGE + message_count++;
        write32(table + 16 * q, 0xfee00000 | (lapic_read(LAPIC_ID) >> 24 << 12));
        write32(table + 16 * q + 4, 0);
        write32(table + 16 * q + 8, v->queues[q].vector);
        write32(table + 16 * q + 12, 0);
    }
}

uint64_t virtio_interrupts(const Virtio *v, unsigned queue)
{
    return v->msix ? interrupts[v->queues[queue].vector] : v->interrupts;
}

/* --- transports --------------------------------------------------------------------------------------------------- */

static void set_status(Virtio *v, uint8_t bits)
{
    if (v->modern)
        write8(v->common + NEW_STATUS, bits ? read8(v->common + NEW_STATUS) | bits : 0);
    else
        outb(v->io + OLD_STATUS, bits ? inb(v->io + OLD_STATUS) | bits : 0);
}

static void agree(Virtio *v, uint64_t features)
{
    if (!v->modern) {
        v->features = inl(v->io + OLD_FEATURES) & features;
        outl(v->io + OLD_WANTED, v->features);
        return;
    }
    for (unsigned half = 0; half < 2; half++) {
        write32(v->common + NEW_FEATURE_SELECT, half);
        v->features |= (uint64_t)read32(v->common + NEW_FEATURES) << 32 * half;
    }
    v->features &= features | UINT64_C(1) << VERSION_1;
    for (unsigned half = 0; half < 2; half++) {
        write32(v->common + NEW_WANTED_SELECT, half);
        write32(v->common + NEW_WANTED, v->features >> 32 * half);
    }
    set_status(v, FEATURES_OK);
    if (!(read8(v->common + NEW_STATUS) & FEATURES_OK))
        fail("virtio.features", v->features, 0);
}

/* Where the structures of 1.0 are: each in a vendor's capability, whose fourth octet is what it is. */
static bool find_structures(Virtio *v)
{
    unsigned devfn = v->device.devfn;

    for (unsigned at = pci_capability(devfn, 0, VENDOR_CAPABILITY); at;
         at = pci_capability(devfn, at, VENDOR_CAPABILITY)) {
        unsigned kind = pci_read(devfn, at + 3) & 0xff, bar = pci_read(devfn, at + 4) & 0xff;
        if (bar > 5 || kind < 1 || kind > 4)
            continue;
        uint64_t *place = (uint64_t *[]){&v->common, &v->notify, &v->isr, &v->config}[kind - 1];
        uint64_t base = pci_bar(devfn, bar);
        if (!base || base >> 32)
            return false;
        *place = base + pci_read(devfn, at + 8);
        if (kind == 2)
            v->notify_factor = pci_read(devfn, at + 16);
    }
    return v->common && v->notify && v->isr && v->config;
}

static void setup_queue(Virtio *v, unsigned q)
{
    Queue *queue = &v->queues[q];
    uint8_t *ring = rings[ring_count][q];

    if (v->modern)
        write16(v->common + NEW_SELECT, q);
    else
        outw(v->io + OLD_SELECT, q);
    queue->size = v->modern ? read16(v->common + NEW_SIZE) : inw(v->io + OLD_SIZE);
    if (!queue->size || (queue->size > RING && !v->modern))
        fail("virtio.queue-size", RING, queue->size);
    if (queue->size > virtio_ring_most && v->modern)
        write16(v->common + NEW_SIZE, queue->size = virtio_ring_most);
    memset(ring, 0, RING_SIZE);
    queue->descriptors = (volatile Descriptor *)ring;
    queue->available = (volatile uint16_t *)(ring + 16 * queue->size);
    queue->used = (volatile uint16_t *)(ring + ((18 * queue->size + 6 + 4095) & ~4095u));
    if (v->modern) {
        uint64_t places[] = {address_of(queue->descriptors), address_of(queue->available), address_of(queue->used)};
        for (unsigned i = 0; i < 3; i++) {
            write32(v->common + NEW_DESCRIPTORS + 8 * i, places[i]);
            write32(v->common + NEW_DESCRIPTORS + 8 * i + 4, places[i] >> 32);
        }
        write16(v->common + NEW_VECTOR, v->msix ? q : 0xffff);
        queue->notify = v->notify + (uint64_t)read16(v->common + NEW_NOTIFY_OFF) * v->notify_factor;
        write16(v->common + NEW_ENABLE, 1);
    } else {
        outl(v->io + OLD_ADDRESS, address_of(ring) >> 12);
        if (v->msix)
            outw(v->io + OLD_VECTOR, q);
    }
}

bool virtio_init(Virtio *v, const char *name, unsigned kind, uint64_t features, unsigned queues, bool modern, bool msix)
{
    static const uint16_t old_ids[] = {0, 0x1000, 0x1001, 0, 0x1005};

    *v = (Virtio){.name = name, .modern = modern, .msix = msix};
    if (ring_count == DEVICES_MAX ||
        !pci_find(VENDOR | (uint32_t)old_ids[kind] << 16, VENDOR | (0x1040u + kind) << 16, &v->device))
        return false;
    pci_assign(v->device.devfn);
    if (modern && !find_structures(v))
        v->modern = false;
    v->io = pci_read(v->device.devfn, 0x10) & 1 ? pci_bar(v->device.devfn, 0) : 0;
    if (!v->modern && !v->io && !(v->modern = find_structures(v)))
        return false; /* nobody has given it an address */
    set_status(v, 0);
    set_status(v, ACKNOWLEDGE);
    set_status(v, DRIVER);
    agree(v, features);
    if (v->msix)
        connect_messages(v, queues);
    if (!v->msix)
        connect_line(v);
    for (unsigned q = 0; q < queues; q++)
        setup_queue(v, q);
    ring_count++;
    return v->there = true;
}

void virtio_go(Virtio *v)
{
    set_status(v, DRIVER_OK);
    put_word(v->name, v->modern ? "modern" : "legacy");
    put_text(v->msix ? "/msi-x" : "/intx");
}

uint8_t virtio_config8(const Virtio *v, unsigned at)
{
    return v->modern ? read8(v->config + at) : inb(v->io + (v->msix ? 24 : 20) + at);
}

/* --- rings -------------------------------------------------------------------------------------------------------- */

void virtio_add(Virtio *v, unsigned queue, unsigned first, const Piece *pieces, unsigned count)
{
    Queue *q = &v->queues[queue];

    for (unsigned i = 0; i < count; i++) {
        volatile Descriptor *d = &q->descriptors[first + i];
        d->address = address_of(pieces[i].data);
        d->size = pieces[i].size;
        d->flags = (pieces[i].writable ? WRITABLE : 0) | (i + 1 < count ? 1 : 0);
        d->next = first + i + 1;
    }
    q->available[2 + q->available[1] % q->size] = first;
    barrier();
    q->available[1]++;
    barrier();
}

void virtio_notify(Virtio *v, unsigned queue)
{
    if (v->modern)
        write16(v->queues[queue].notify, queue);
    else
        outw(v->io + OLD_NOTIFY, queue);
}

bool virtio_take(Virtio *v, unsigned queue, unsigned *first, uint32_t *size)
{
    Queue *q = &v->queues[queue];

    if (q->used[1] == q->seen)
        return false;
    barrier();
    const volatile uint32_t *item = (const volatile uint32_t *)(q->used + 2) + 2 * (q->seen % q->size);
    *first = item[0];
    *size = item[1];
    q->seen++;
    if (*first >= q->size)
        fail(v->name, q->size, *first);
    return true;
}
