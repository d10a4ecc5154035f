/*
 * tour-virtio.c: a network card with all that its control queue can set, small rings, messages that are held back; and
 * devices that were given nonsense.
 *
 * Source: Virtual I/O Device 1.1, 2.6, 4.1.4, 5.1.6.5.
 */
#include "tests/guest/tour.h"
#include "tests/guest/virtio.h"

enum {
    VENDOR = 0x1af4,
    NET = 1,
    BLK = 2,
    RNG = 4,
    SEND = 1,
    CONTROL = 2,
    MSIX_CAPABILITY = 0x11,
    SMALL = 64,
    MACS = 66,
    SELECT = 0x16, /* in the common structure: which queue is meant */
    NET_FEATURES =
        1 << 1 | 1 << 2 | 1 << 5 | 1 << 7 | 1 << 16 | 1 << 17 | 1 << 18 | 1 << 19 | 1 << 20 | 1 << 21 | 1 << 23,
};

static Virtio card, rng, disk;
static uint8_t command[4 + 2 * (4 + 6 * MACS)], answer;
static uint8_t octets[64];

static void control(uint8_t class, uint8_t what, unsigned size)
{
    unsigned first;
    uint32_t used;
    static uint8_t head[2];
    const Piece pieces[] = {{head, 2, false}, {command, size, false}, {&answer, 1, true}};

    head[0] = class;
    head[1] = what;
    answer = 0xff;
    virtio_add(&card, CONTROL, 0, pieces, 3);
    virtio_notify(&card, CONTROL);
    for (unsigned i = 0; i < 1000000 && !virtio_take(&card, CONTROL, &first, &used); i++)
        pause();
}

/* Tables of `count` addresses each: those for one, those for groups. */
static void set_addresses(unsigned count)
{
    uint8_t *at = command;

    for (unsigned table = 0; table < 2; table++) {
        *(uint32_t *)at = count;
        at += 4;
        for (unsigned i = 0; i < count; i++, at += 6) {
            memset(at, 0x10 + i, 6);
            at[0] = table ? 0x33 : 0x52;
        }
    }
    control(1, 0, at - command);
}

static void set_receiving(unsigned extra)
{
    for (unsigned mode = 0; mode < 6; mode++) {
        command[0] = mode != 0 || extra;
        control(0, mode, 1);
    }
    command[0] = 0x2a;
    command[1] = 0;
    control(2, 0, 2); /* a VLAN */
    memset(command, 0, 8);
    command[0] = 2;
    control(5, 0, 8); /* sums of what is received are checked */
}

/* Asks for an address (RFC 2131): who gives them remembers to whom. */
static void ask_for_address(void)
{
    enum {
        NET_HEADER = 12,
        ETHERNET = 14,
        IP = 20,
        UDP = 8,
        BOOTP = 300,
        ALL = NET_HEADER + ETHERNET + IP + UDP + BOOTP
    };
    static uint8_t frame[ALL];
    static const uint8_t ip_head[IP] = {0x45, 0,    0x01, 0x48, 0, 1, 0,   0,   64,  17,
                                        0x79, 0xa5, 0,    0,    0, 0, 255, 255, 255, 255};
    static const uint8_t udp_head[UDP] = {0, 68, 0, 67, 0x01, 0x34, 0, 0};
    static const uint8_t options[] = {0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255};
    uint8_t *ethernet = frame + NET_HEADER, *ip = ethernet + ETHERNET, *bootp = ip + IP + UDP;
    const Piece piece = {frame, ALL, false};

    memset(ethernet, 0xff, 6);
    memset(ethernet + 6, 0x77, 6);
    ethernet[6] = 0x52;
    ethernet[12] = 8;
    memcpy(ip, ip_head, IP);
    memcpy(ip + IP, udp_head, UDP);
    bootp[0] = 1, bootp[1] = 1, bootp[2] = 6;
    bootp[4] = 0x12;
    memcpy(bootp + 28, ethernet + 6, 6);
    memcpy(bootp + 236, options, sizeof(options));
    virtio_add(&card, SEND, 0, &piece, 1);
    virtio_notify(&card, SEND);
}

static void hold_messages(const Virtio *v, bool hold)
{
    unsigned at = pci_capability(v->device.devfn, 0, MSIX_CAPABILITY);
    uint32_t value = pci_read(v->device.devfn, at);

    if (at)
        pci_write(v->device.devfn, at, hold ? value | 0x40000000 : value & ~UINT32_C(0x40000000));
}

/* Lines, not messages. */
static void stop_messages(unsigned kind)
{
    PciDevice device;
    uint32_t old[] = {0, 0x1000, 0x1001, 0, 0x1005};

    if (!pci_find(VENDOR | old[kind] << 16, VENDOR | (0x1040 + kind) << 16, &device))
        return;
    unsigned at = pci_capability(device.devfn, 0, MSIX_CAPABILITY);
    if (at)
        pci_write(device.devfn, at, pci_read(device.devfn, at) & ~UINT32_C(0xc0000000));
}

static void give_octets(Virtio *v, unsigned queue, uint16_t flags)
{
    const Piece piece = {octets, sizeof(octets), queue == 0};

    virtio_add(v, queue, 0, &piece, 1);
    v->queues[queue].descriptors[0].flags |= flags;
    v->queues[queue].descriptors[0].next = flags ? 0x7fff : 0;
    virtio_notify(v, queue);
}

static void start_card(bool msix)
{
    virtio_ring_most = SMALL;
    if (!virtio_init(&card, "tour-net", NET, NET_FEATURES, 3, true, msix))
        return;
    virtio_go(&card);
    command[0] = 0x52;
    memset(command + 1, 0x77, 5);
    control(1, 1, 6); /* another address */
    set_addresses(3);
}

static void start_rng(bool msix)
{
    virtio_ring_most = 4;
    if (virtio_init(&rng, "tour-rng", RNG, 0, 1, true, msix))
        virtio_go(&rng);
}

static void start_disk(bool msix)
{
    virtio_ring_most = SMALL;
    if (virtio_init(&disk, "tour-blk", BLK, 0, 1, true, msix))
        virtio_go(&disk);
}

/* A request that the disk does not know. */
static void ask_disk(void)
{
    static const uint8_t head[16] = {0x77};
    const Piece pieces[] = {{head, sizeof(head), false}, {&answer, 1, true}};

    virtio_add(&disk, 0, 0, pieces, 2);
    virtio_notify(&disk, 0);
}

void tour_virtio(void)
{
    start_card(true);
    if (card.there) {
        ask_for_address();
        hold_messages(&card, true);
        set_receiving(0);
        set_addresses(MACS - 1);
    }
    start_rng(true);
    if (rng.there) {
        hold_messages(&rng, true);
        give_octets(&rng, 0, 0);
        write16(rng.common + SELECT, 3);
        outl(0xae10, 0); /* which number has it? */
        outl(0xae14, 1 << (rng.device.devfn >> 3));
    }
    start_disk(true);
    if (disk.there) {
        hold_messages(&disk, true);
        ask_disk();
    }
    put_text("\n");
}

/* Interrupts by lines, which nobody attends to. */
void tour_virtio_lines(void)
{
    stop_messages(NET);
    stop_messages(BLK);
    stop_messages(RNG);
    start_rng(false);
    start_disk(false);
    start_card(false);
    tour_quiet();
    if (rng.there)
        give_octets(&rng, 0, 0);
    if (disk.there)
        ask_disk();
    if (card.there)
        set_receiving(1);
    put_text("\n");
}

/* Chains that lead out of their tables. */
void tour_virtio_broken(void)
{
    if (rng.there)
        give_octets(&rng, 0, 1);
    if (disk.there)
        give_octets(&disk, 0, 1);
    if (card.there)
        give_octets(&card, 1, 1);
}

/* Without leave to use memory a device is as good as broken. */
void tour_virtio_off(void)
{
    if (disk.there)
        pci_write(disk.device.devfn, 4, pci_read(disk.device.devfn, 4) & 0xfffb);
}
