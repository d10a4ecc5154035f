/* virtio-net-rig.h: the rig with a network card on it, on a backend that the test is. */
#ifndef TESTS_EMU_VIRTIO_NET_RIG_H
#define TESTS_EMU_VIRTIO_NET_RIG_H

#include "tests/emu/support/virtio-rig.h"

enum { SLOT_3 = PCI_DEVFN(3, 0), RX = 0, TX = 1, CONTROL = 2, SENT_MAX = 8, HEADER_MODERN = 12, HEADER_LEGACY = 10 };

#define MRG_RXBUF  VIRTIO_F(15)
#define STATUS     VIRTIO_F(16)
#define CTRL_VQ    VIRTIO_F(17)
#define CTRL_RX    VIRTIO_F(18)
#define CTRL_VLAN  VIRTIO_F(19)
#define ANNOUNCE   VIRTIO_F(21)
#define OFFLOADS   VIRTIO_F(2)
#define GUEST_CSUM VIRTIO_F(1)
#define GUEST_TSO4 VIRTIO_F(7)

static const uint8_t own_mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x57};

/* --- the backend ------------------------------------------------------------------------------------------------ */

typedef struct Net {
    NetBackend b;
    GByteArray *sent[SENT_MAX];
    unsigned count, room, flushes;
    unsigned header, offloads;
} Net;

static inline bool take_frame(NetBackend *backend, const struct iovec *iov, int count)
{
    Net *net = (Net *)backend;

    if (!net->room)
        return false;
    net->room--;
    cr_assert_lt(net->count, SENT_MAX);
    net->sent[net->count] = g_byte_array_new();
    for (int i = 0; i < count; i++)
        g_byte_array_append(net->sent[net->count], iov[i].iov_base, (guint)iov[i].iov_len);
    net->count++;
    return true;
}

static inline void flushed(NetBackend *backend)
{
    ((Net *)backend)->flushes++;
}

static inline void not_freed(NetBackend *backend)
{
    cr_assert_fail("%s is freed by who borrowed it", backend->kind);
}

static inline void header_set(NetBackend *backend, unsigned octets)
{
    ((Net *)backend)->header = octets;
}

static inline void offloads_set(NetBackend *backend, unsigned offloads)
{
    ((Net *)backend)->offloads = offloads;
}

static const NetBackendOps plain_ops = {.send = take_frame, .flush = flushed, .free = not_freed};
static const NetBackendOps header_ops = {
    .send = take_frame, .flush = flushed, .free = not_freed, .set_header = header_set, .set_offloads = offloads_set};

typedef struct NetRig {
    Rig *rig;
    Net net;
} NetRig;

static inline NetRig *net_rig_on(const NetBackendOps *ops)
{
    Device *dev = device_new(&virtio_net_type);
    NetRig *r = g_new0(NetRig, 1);

    r->net = (Net){.b = {.ops = ops, .kind = "test", .has_ufo = ops == &header_ops}, .room = UINT32_MAX};
    virtio_net_set_backend(dev, &r->net.b, own_mac);
    ((PciDevice *)dev)->devfn = SLOT_3;
    r->rig = rig_new(dev);
    machine_set_running(r->rig->board->machine, true);
    return r;
}

static inline NetRig *net_rig(void)
{
    return net_rig_on(&plain_ops);
}

static inline NetRig *started(bool modern, uint64_t features)
{
    NetRig *r = net_rig();

    rig_start(r->rig, modern, features);
    return r;
}

static inline void forget_sent(NetRig *r)
{
    for (unsigned i = 0; i < r->net.count; i++)
        g_byte_array_unref(r->net.sent[i]);
    r->net.count = 0;
}

static inline void net_rig_free(NetRig *r)
{
    rig_free(r->rig);
    cr_assert_null(r->net.b.card.receive, "the card has gone, and its cable is still there");
    forget_sent(r);
    g_free(r);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetRig, net_rig_free)

static inline bool give(NetRig *r, const void *frame, size_t len)
{
    const NetCard *card = &r->net.b.card;
    struct iovec iov[2] = {{(void *)frame, len / 3}, {(char *)frame + len / 3, len - len / 3}};

    return card->can_receive(card->opaque) && card->receive(card->opaque, iov, 2);
}

/* A frame of 60 octets to that address. */
static inline bool give_to(NetRig *r, const char *mac)
{
    uint8_t frame[60] = {0};

    memcpy(frame, mac, 6);
    for (unsigned i = 6; i < sizeof frame; i++)
        frame[i] = (uint8_t)i;
    return give(r, frame, sizeof frame);
}

/* --- a driver --------------------------------------------------------------------------------------------------- */

static inline uint64_t buffer(unsigned queue, unsigned n)
{
    return RIG_BUFFERS + queue * 0x100000 + n * 0x1000;
}

static inline void offer_rx(NetRig *r, uint16_t n, uint32_t len)
{
    memset(r->rig->ram + buffer(RX, n), 0xaa, len);
    rig_desc(r->rig, RX, n, (RigDesc){buffer(RX, n), len, RIG_WRITE, 0});
    rig_offer(r->rig, RX, n);
}

static inline void offer_tx(NetRig *r, uint16_t n, const void *frame, uint32_t len, uint32_t header)
{
    memset(r->rig->ram + buffer(TX, n), 0, header);
    rig_put(r->rig, buffer(TX, n) + header, frame, len);
    rig_desc(r->rig, TX, n, (RigDesc){buffer(TX, n), header + len, 0, 0});
    rig_offer(r->rig, TX, n);
    rig_kick(r->rig, TX);
}

/* The acknowledgement of a control command. */
static inline uint8_t command(NetRig *r, uint8_t class, uint8_t what, const void *data, uint32_t len)
{
    uint8_t head[2] = {class, what};
    uint64_t at = buffer(CONTROL, 0), ack = buffer(CONTROL, 1);

    rig_put(r->rig, at, head, 2);
    if (len)
        rig_put(r->rig, at + 2, data, len);
    r->rig->ram[ack] = 0xee;
    rig_desc(r->rig, CONTROL, 0, (RigDesc){at, 2, RIG_NEXT, 1});
    rig_desc(r->rig, CONTROL, 1, (RigDesc){at + 2, MAX(len, 1), RIG_NEXT, 2});
    rig_desc(r->rig, CONTROL, 2, (RigDesc){ack, 1, RIG_WRITE, 0});
    if (!len)
        rig_desc(r->rig, CONTROL, 0, (RigDesc){at, 2, RIG_NEXT, 2});
    rig_offer(r->rig, CONTROL, 0);
    rig_kick(r->rig, CONTROL);
    cr_assert_eq(rig_take(r->rig, CONTROL, NULL), 0);
    return r->rig->ram[ack];
}

/* Does a frame to that address, and of that VLAN if it is not 0, arrive? */
static inline bool arrives(NetRig *r, const char *mac, unsigned vlan)
{
    uint8_t frame[60] = {0};

    memcpy(frame, mac, 6);
    if (vlan)
        memcpy(frame + 12, (uint8_t[]){0x81, 0, (uint8_t)(vlan >> 8), (uint8_t)vlan}, 4);
    offer_rx(r, 0, 1526);
    cr_assert(give(r, frame, sizeof frame));
    if (rig_take(r->rig, RX, NULL) == 0)
        return true;
    rig_put16(r->rig, rig_avail(r->rig, RX) + 2, --r->rig->next[RX]); /* takes it back */
    return false;
}

static const char to_all[] = "\xff\xff\xff\xff\xff\xff", to_it[] = "\x52\x54\0\x12\x34\x57",
                  to_other[] = "\x52\x54\0\x12\x34\x58", to_group[] = "\x01\0\x5e\0\0\1",
                  to_group_2[] = "\x01\0\x5e\0\0\2";

static inline void expect(NetRig *r, const char *pattern)
{
    static const char *const to[] = {to_all, to_it, to_other, to_group, to_group_2};

    for (size_t i = 0; i < G_N_ELEMENTS(to); i++)
        cr_assert_eq(arrives(r, to[i], 0), pattern[i] == '1', "address %zu of %s", i, pattern);
}

#endif
