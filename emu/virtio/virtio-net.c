/*
 * virtio-net.c: a network card.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, section 5.1.
 * One pair of queues and one for control (virtio-net-control.c); what comes in is in virtio-net-receive.c. Frames are
 * sent from the main loop, at most 256 at once. Checksums and segments are left to a backend that has headers; with
 * another there is nothing to be left. After a move the driver is asked to announce itself, as often as QEMU does by
 * default. Not modelled: more pairs of queues, hashes and segments that the device merges (RSS, RSC), a standby for
 * another card, checksums for old DHCP clients.
 */
#include <string.h>

#include "emu/core/machine.h"
#include "emu/virtio/virtio-devices.h"
#include "emu/virtio/virtio-net-filter.h"
#include "emu/virtio/virtio-net-impl.h"

enum {
    QUEUE_SIZE = 256,
    CONTROL_SIZE = 64,
    CONFIG_STATUS = 6,
    CONFIG_LEN = 8,
    BURST = 256,
    HEADER = 10, /* section 5.1.6 */
    ANNOUNCE_ROUNDS = 5,
    ANNOUNCE_MS = 50,
    ANNOUNCE_STEP_MS = 100,
};

#define F_OFFERED                                                                                                      \
    (VIRTIO_F_ALL | NET_F_CTRL_GUEST_OFFLOADS | NET_F_MAC | NET_F_GSO | NET_F_MRG_RXBUF | NET_F_STATUS |               \
     NET_F_CTRL_VQ | NET_F_CTRL_RX | NET_F_CTRL_VLAN | NET_F_CTRL_RX_EXTRA | NET_F_GUEST_ANNOUNCE |                    \
     NET_F_CTRL_MAC_ADDR)
#define F_WITH_HEADER                                                                                                  \
    (NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 | NET_F_GUEST_ECN | NET_F_HOST_TSO4 |         \
     NET_F_HOST_TSO6 | NET_F_HOST_ECN)
#define F_WITH_UFO (NET_F_GUEST_UFO | NET_F_HOST_UFO)

/* --- what the driver has taken ---------------------------------------------------------------------------------- */

uint64_t net_allowed_offloads(const VirtioNet *n)
{
    return n->s.virtio.features & NET_F_GUEST_OFFLOADS;
}

void net_apply_offloads(VirtioNet *n)
{
    uint64_t o = n->s.guest_offloads;

    if (n->s.can_header)
        n->net->ops->set_offloads(
            n->net, (o & NET_F_GUEST_CSUM ? NET_OFFLOAD_CSUM : 0) | (o & NET_F_GUEST_TSO4 ? NET_OFFLOAD_TSO4 : 0) |
                        (o & NET_F_GUEST_TSO6 ? NET_OFFLOAD_TSO6 : 0) | (o & NET_F_GUEST_ECN ? NET_OFFLOAD_ECN : 0) |
                        (o & NET_F_GUEST_UFO ? NET_OFFLOAD_UFO : 0));
}

static void use_features(VirtioNet *n)
{
    bool mergeable = virtio_has(&n->v, NET_F_MRG_RXBUF);

    n->s.mergeable_rx_bufs = mergeable;
    n->header = mergeable || virtio_has(&n->v, VIRTIO_F_VERSION_1) ? NET_HEADER_WITH_COUNT : HEADER;
    if (n->s.can_header)
        n->net->ops->set_header(n->net, n->header);
    net_apply_offloads(n);
}

/* A driver that says nothing of VLANs gets all of them. */
static void features_changed(Virtio *v)
{
    VirtioNet *n = (VirtioNet *)v;

    memset(n->s.vlans, virtio_has(v, NET_F_CTRL_VLAN) ? 0 : 0xff, sizeof n->s.vlans);
    n->s.guest_offloads = n->s.can_header ? net_allowed_offloads(n) : 0;
    use_features(n);
}

/* --- sending (section 5.1.6.2) ---------------------------------------------------------------------------------- */

static void schedule_tx(VirtioNet *n, int64_t in_ns)
{
    n->s.tx_waiting = 1;
    timer_arm(&n->tx, clock_now(n->v.pci.dev.machine->virtual_clock) + in_ns);
}

/* What is behind the guest's header, or all if the backend has headers, too. */
static bool send_chain(VirtioNet *n, const VirtqueueChain *chain)
{
    const struct iovec *from = virtqueue_out(chain);
    struct iovec iov[VIRTQUEUE_IOV_MAX];
    size_t skip = n->header;
    int count = 0;

    if (!(n->s.link_status & NET_S_LINK_UP))
        return true;
    if (n->s.can_header)
        return net_send(n->net, from, (int)chain->out_count);
    for (unsigned i = 0; i < chain->out_count; i++) {
        size_t away = MIN(skip, from[i].iov_len);
        skip -= away;
        if (from[i].iov_len > away)
            iov[count++] = (struct iovec){(char *)from[i].iov_base + away, from[i].iov_len - away};
    }
    return count == 0 || net_send(n->net, iov, count);
}

/* True if the queue is empty now; otherwise it is known why not. The guest is still to be told. */
static bool send_burst(VirtioNet *n)
{
    Virtqueue *vq = &n->v.vq[QUEUE_TX];

    for (unsigned i = 0; i < BURST; i++) {
        g_autofree VirtqueueChain *chain = virtqueue_pop(vq);
        if (!chain)
            return true;
        if (chain->out_len < n->header) {
            virtio_break(&n->v, "a frame to be sent has no room for its header");
            return true;
        }
        if (!send_chain(n, chain)) {
            virtqueue_rewind(vq, 1);
            n->tx_blocked = true;
            return false;
        }
        virtqueue_push(vq, chain, 0);
        if (i % NET_TELL_AFTER == NET_TELL_AFTER - 1)
            virtqueue_notify(vq);
    }
    schedule_tx(n, 1);
    return false;
}

static void tx_expired(void *opaque)
{
    VirtioNet *n = opaque;
    Virtqueue *vq = &n->v.vq[QUEUE_TX];

    n->s.tx_waiting = 0;
    if (!net_is_ready(n) || n->tx_blocked)
        return;
    bool all = send_burst(n);
    virtqueue_notify(vq);
    if (!all)
        return;
    virtqueue_want_notification(vq, true);
    if (!virtqueue_is_empty(vq)) {
        virtqueue_want_notification(vq, false);
        schedule_tx(n, 1);
    }
}

static void sent(void *opaque)
{
    VirtioNet *n = opaque;

    if (!n->tx_blocked)
        return;
    n->tx_blocked = false;
    schedule_tx(n, 0);
}

static void tx_notified(VirtioNet *n)
{
    if (n->tx_blocked || n->s.tx_waiting)
        return;
    virtqueue_want_notification(&n->v.vq[QUEUE_TX], false);
    if (n->v.on_loop)
        tx_expired(n);
    else
        schedule_tx(n, 0);
}

static void stop_tx(VirtioNet *n)
{
    timer_disarm(&n->tx);
    n->s.tx_waiting = 0;
    n->tx_blocked = false;
}

/* --- announcements (section 5.1.6.5.4) -------------------------------------------------------------------------- */

static bool can_announce(const VirtioNet *n)
{
    return virtio_has(&n->v, NET_F_GUEST_ANNOUNCE) && virtio_has(&n->v, NET_F_CTRL_VQ);
}

static void announce_expired(void *opaque)
{
    VirtioNet *n = opaque;

    if (!n->rounds_left || !can_announce(n) || !net_is_ready(n))
        return;
    n->rounds_left--;
    n->s.link_status |= NET_S_ANNOUNCE;
    virtio_notify_config(&n->v);
}

void net_next_announcement(VirtioNet *n)
{
    int64_t ms = ANNOUNCE_MS + (ANNOUNCE_ROUNDS - (int64_t)n->rounds_left - 1) * ANNOUNCE_STEP_MS;

    if (n->rounds_left)
        timer_arm(&n->announce, clock_now(n->v.pci.dev.machine->virtual_clock) + ms * NS_PER_MS);
}

void virtio_net_announce(Device *dev)
{
    VirtioNet *n = (VirtioNet *)dev;

    if (!can_announce(n))
        return;
    n->rounds_left = ANNOUNCE_ROUNDS;
    timer_arm(&n->announce, clock_now(dev->machine->virtual_clock));
}

/* --- configuration (section 5.1.4) ------------------------------------------------------------------------------ */

static void get_config(Virtio *v, uint8_t *config)
{
    const VirtioNet *n = (const VirtioNet *)v;

    memcpy(config, n->s.mac, NET_MAC);
    config[CONFIG_STATUS] = (uint8_t)n->s.link_status;
    config[CONFIG_STATUS + 1] = (uint8_t)(n->s.link_status >> 8);
}

/* Legacy drivers without a better way set the address here. */
static void set_config(Virtio *v, const uint8_t *config)
{
    if (!virtio_has(v, NET_F_CTRL_MAC_ADDR) && !virtio_has(v, VIRTIO_F_VERSION_1))
        memcpy(((VirtioNet *)v)->s.mac, config, NET_MAC);
}

void virtio_net_get_filter(const Device *dev, VirtioNetFilter *filter)
{
    const VirtioNet *n = (const VirtioNet *)dev;
    const VirtioNetState *s = &n->s;

    *filter = (VirtioNetFilter){.promiscuous = s->promisc,
                                .all_multicast = s->allmulti,
                                .no_multicast = s->nomulti,
                                .all_unicast = s->alluni,
                                .no_unicast = s->nouni,
                                .no_broadcast = s->nobcast,
                                .multicast_overflow = s->multi_overflow,
                                .unicast_overflow = s->uni_overflow,
                                .filters_vlans = virtio_has(&n->v, NET_F_CTRL_VLAN),
                                .count = MIN(s->mac_count, NET_MACS)};
    G_STATIC_ASSERT(sizeof filter->macs == sizeof s->macs && sizeof filter->vlans == sizeof s->vlans);
    memcpy(filter->mac, s->mac, sizeof filter->mac);
    memcpy(filter->macs, s->macs, sizeof filter->macs);
    memcpy(filter->vlans, s->vlans, sizeof filter->vlans);
}

void virtio_net_set_link(Device *dev, bool up)
{
    VirtioNet *n = (VirtioNet *)dev;
    uint16_t status = (uint16_t)(up ? n->s.link_status | NET_S_LINK_UP : n->s.link_status & ~NET_S_LINK_UP);

    if (status == n->s.link_status)
        return;
    n->s.link_status = status;
    virtio_notify_config(&n->v);
    if (up)
        net_flush(n->net);
}

/* --- queues ----------------------------------------------------------------------------------------------------- */

static void notified(Virtio *v, unsigned queue)
{
    VirtioNet *n = (VirtioNet *)v;

    if (queue == QUEUE_RX)
        net_flush(n->net);
    else if (queue == QUEUE_TX)
        tx_notified(n);
    else
        net_control_notified(n);
}

static void status_changed(Virtio *v)
{
    VirtioNet *n = (VirtioNet *)v;

    if (net_is_ready(n))
        net_flush(n->net);
}

static void queue_reset(Virtio *v, unsigned queue)
{
    if (queue == QUEUE_TX)
        stop_tx((VirtioNet *)v);
}

static void reset_net(Virtio *v)
{
    VirtioNet *n = (VirtioNet *)v;
    VirtioNetState *s = &n->s;

    stop_tx(n);
    timer_disarm(&n->announce);
    n->rounds_left = 0;
    memcpy(s->mac, n->own_mac, NET_MAC);
    s->link_status &= NET_S_LINK_UP;
    s->promisc = 1;
    s->allmulti = s->alluni = s->nomulti = s->nouni = s->nobcast = 0;
    s->multi_overflow = s->uni_overflow = 0;
    s->mac_count = 0;
    memset(s->macs, 0, sizeof s->macs);
    s->virtio.features = 0;
    features_changed(v);
}

static const VirtioKind kind = {
    .section = "virtio-net",
    .pci_device = 0x1000,
    .pci_class = 0x0200,
    .subsystem = 1,
    .queues = QUEUES,
    .vectors = 4,
    .queue_size = {QUEUE_SIZE, QUEUE_SIZE, CONTROL_SIZE},
    .config_len = CONFIG_LEN,
    .legacy_features = NET_F_GSO,
    .get_config = get_config,
    .set_config = set_config,
    .notified = notified,
    .status_changed = status_changed,
    .features_changed = features_changed,
    .reset = reset_net,
    .queue_reset = queue_reset,
};

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool pull(void *opaque, GError **error)
{
    VirtioNet *n = opaque;

    n->s.has_vnet_hdr = n->s.can_header;
    n->s.has_ufo = n->s.can_ufo;
    return virtio_pull(opaque, error);
}

static void push(void *opaque)
{
    VirtioNet *n = opaque;
    bool waiting = n->s.tx_waiting;

    stop_tx(n);
    n->rounds_left = 0;
    timer_disarm(&n->announce);
    virtio_push(&n->v);
    if (!virtio_has(&n->v, NET_F_CTRL_GUEST_OFFLOADS))
        n->s.guest_offloads = n->s.can_header ? net_allowed_offloads(n) : 0;
    use_features(n);
    if (waiting)
        schedule_tx(n, 0);
    virtio_net_announce(&n->v.pci.dev);
}

static bool refuse(GError **error, const char *what, uint64_t stream, uint64_t here)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                "virtio-net.virtio.%s: the stream has %" G_GUINT64_FORMAT
                ", the destination's network can do %" G_GUINT64_FORMAT,
                what, stream, here);
    return false;
}

static bool check(const void *state, GError **error)
{
    const VirtioNetState *s = state;
    uint64_t features = s->virtio.has_features ? s->virtio.features : s->virtio.features_low;

    if (!virtio_check(&s->virtio, &kind, error))
        return false;
    if (s->has_vnet_hdr && !s->can_header)
        return refuse(error, "has_vnet_hdr", s->has_vnet_hdr, 0);
    if (s->has_ufo && !s->can_ufo)
        return refuse(error, "has_ufo", s->has_ufo, 0);
    if (features & NET_F_CTRL_GUEST_OFFLOADS && s->virtio.features_low & NET_F_CTRL_GUEST_OFFLOADS &&
        s->guest_offloads & ~(features & NET_F_GUEST_OFFLOADS))
        return refuse(error, "guest_offloads", s->guest_offloads, features & NET_F_GUEST_OFFLOADS);
    return true;
}

/* QEMU looks at the features that have come so far, which are the low ones. */
static bool has_offloads(const void *state, int version)
{
    (void)version;
    return ((const VirtioNetState *)state)->virtio.features_low & NET_F_CTRL_GUEST_OFFLOADS;
}

static const VMStateField mac_fields[] = {
    VMS_BYTES(VirtioNetMac, octets),
    VMS_END,
};

static const VMStateDescription mac_description = {
    .name = "mac",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioNetMac),
    .fields = mac_fields,
};

static const VMStateField virtio_fields[] = {
    VIRTIO_FIELDS(4),
    VMS_BYTES(VirtioNetState, mac),
    VMS_FIELD(VirtioNetState, tx_waiting),
    VMS_FIELD(VirtioNetState, mergeable_rx_bufs),
    VMS_FIELD(VirtioNetState, link_status),
    VMS_FIELD(VirtioNetState, promisc),
    VMS_FIELD(VirtioNetState, allmulti),
    VMS_FIELD(VirtioNetState, mac_count),
    VMS_SUB_ARRAY(VirtioNetState, macs, &mac_description, VMS_COUNTED_BY(VirtioNetState, mac_count)),
    VMS_BYTES(VirtioNetState, vlans),
    VMS_FIELD(VirtioNetState, has_vnet_hdr),
    VMS_FIELD(VirtioNetState, multi_overflow),
    VMS_FIELD(VirtioNetState, uni_overflow),
    VMS_FIELD(VirtioNetState, alluni),
    VMS_FIELD(VirtioNetState, nomulti),
    VMS_FIELD(VirtioNetState, nouni),
    VMS_FIELD(VirtioNetState, nobcast),
    VMS_FIELD(VirtioNetState, has_ufo),
    VMS_FIELD(VirtioNetState, guest_offloads, .present = has_offloads),
    VMS_END,
};

static const VMStateDescription virtio_description = {
    .name = "virtio",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioNetState),
    .fields = virtio_fields,
    .subsections = virtio_subsections,
};

static const VMStateField fields[] = {
    VIRTIO_SECTION(VirtioNetState, &virtio_description),
    VMS_END,
};

static const VMStateDescription virtio_net_state = {
    .name = "virtio-net",
    .version = 11,
    .minimum = 11,
    .size = sizeof(VirtioNetState),
    .fields = fields,
    .pull = pull,
    .check = check,
    .push = push,
};

/* --- life ------------------------------------------------------------------------------------------------------- */

void virtio_net_set_backend(Device *dev, NetBackend *net, const uint8_t mac[6])
{
    ((VirtioNet *)dev)->net = net;
    memcpy(((VirtioNet *)dev)->own_mac, mac, NET_MAC);
}

const char *virtio_net_netdev(const Device *dev)
{
    return ((const VirtioNet *)dev)->netdev;
}

const char *virtio_net_mac(const Device *dev)
{
    return ((const VirtioNet *)dev)->mac_text;
}

const char *virtio_net_romfile(const Device *dev)
{
    return ((const VirtioNet *)dev)->romfile;
}

int32_t virtio_net_bootindex(const Device *dev)
{
    return ((const VirtioNet *)dev)->bootindex;
}

static bool check_options(const void *state, GError **error)
{
    const char *mac = ((const VirtioNet *)state)->mac_text;
    uint8_t octets[NET_MAC];

    if (!mac || net_read_mac(mac, octets))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "mac: '%s' is no address like 52:54:00:12:34:56", mac);
    return false;
}

static const VMStateField option_fields[] = {
    VMS_TEXT(VirtioNet, netdev),  VMS_TEXT(VirtioNet, mac_text, .name = "mac"),
    VMS_TEXT(VirtioNet, romfile), VMS_FIELD(VirtioNet, bootindex),
    VIRTIO_OPTIONS(VirtioNet),    VMS_END,
};

static const VMStateDescription options = {
    .name = "virtio-net-pci",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioNet),
    .fields = option_fields,
    .check = check_options,
};

static const VirtioNet defaults = {.v.ioeventfd = true, .bootindex = -1};

void virtio_net_set_rom(Device *dev, const void *octets, size_t len)
{
    VirtioNet *n = (VirtioNet *)dev;

    g_free(n->rom);
    n->rom = g_memdup2(octets, len);
    n->rom_size = len;
}

static void reset(Device *dev)
{
    virtio_reset_device((Virtio *)dev);
}

/* The ROM as a piece of memory: its size is a power of two, its name the one that it has in a stream. */
static RamArea *make_rom(VirtioNet *n, GError **error)
{
    unsigned devfn = n->v.pci.devfn;
    g_autofree char *name = g_strdup_printf("0000:00:%02x.%x/virtio-net-pci.rom", devfn >> 3, devfn & 7);
    uint64_t size = 4096;

    while (size < n->rom_size)
        size <<= 1;
    RamArea *rom = ram_area_new(name, size, size, error);
    if (rom)
        memcpy(rom->host, n->rom, n->rom_size);
    return rom;
}

void virtio_net_own_mac(const Device *dev, uint8_t mac[6])
{
    memcpy(mac, ((const VirtioNet *)dev)->own_mac, 6);
}

static bool realize(Device *dev, GError **error)
{
    VirtioNet *n = (VirtioNet *)dev;
    g_autoptr(RamArea) rom = NULL;

    if (n->rom_size && !(rom = make_rom(n, error)))
        return false;
    n->v.kind = &kind;
    n->s.can_header = net_has_header(n->net);
    n->s.can_ufo = n->s.can_header && n->net->has_ufo;
    n->s.virtio.offered = F_OFFERED | (n->s.can_header ? F_WITH_HEADER : 0) | (n->s.can_ufo ? F_WITH_UFO : 0);
    if (!virtio_start(&n->v, rom, error))
        return false;
    n->rom_area = rom;
    if (rom)
        machine_add_ram(dev->machine, g_steal_pointer(&rom));
    g_clear_pointer(&n->rom, g_free);
    n->s.link_status = NET_S_LINK_UP;
    timer_init(&n->tx, dev->machine->virtual_clock, tx_expired, n);
    timer_init(&n->announce, dev->machine->virtual_clock, announce_expired, n);
    if (n->net)
        net_attach(n->net, (NetCard){net_can_receive, net_receive, n, net_settled}, sent);
    return true;
}

static void unrealize(Device *dev)
{
    VirtioNet *n = (VirtioNet *)dev;

    if (n->net)
        net_attach(n->net, (NetCard){.opaque = NULL}, NULL);
    timer_done(&n->tx);
    timer_done(&n->announce);
    virtio_stop(&n->v);
    if (n->rom_area)
        machine_remove_ram(dev->machine, n->rom_area);
}

const DeviceType virtio_net_type = {
    .name = "virtio-net-pci",
    .about = "a network card",
    .size = sizeof(VirtioNet),
    .defaults = &defaults,
    .options = &options,
    .state = &virtio_net_state,
    .state_offset = offsetof(VirtioNet, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
