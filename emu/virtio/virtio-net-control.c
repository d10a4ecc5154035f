/*
 * virtio-net-control.c: the queue by which a driver says what it wants to receive, and the filter that obeys.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, section 5.1.6.5. Not modelled: more pairs of queues, hashes.
 */
#include <string.h>

#include "emu/virtio/virtio-net-impl.h"

enum { CLASS_RX = 0, CLASS_MAC = 1, CLASS_VLAN = 2, CLASS_ANNOUNCE = 3, CLASS_OFFLOADS = 5 };

enum { RX_PROMISC, RX_ALLMULTI, RX_ALLUNI, RX_NOMULTI, RX_NOUNI, RX_NOBCAST };

enum {
    MAC_TABLE_SET = 0,
    MAC_ADDR_SET = 1,
    VLAN_ADD = 0,
    VLAN_DELETE = 1,
    ANNOUNCE_ACK = 0,
    OFFLOADS_SET = 0,
    COMMAND_LEN = 2,
    ACK_OK = 0,
    ACK_ERROR = 1,
    ETHERTYPE_VLAN = 0x8100,
    VLAN_MASK = 0xfff,
};

/* What is behind class and command. */
typedef struct Data {
    const VirtqueueChain *chain;
    size_t at;
} Data;

static size_t left(const Data *d)
{
    return d->chain->out_len - d->at;
}

static bool take(Data *d, void *value, size_t len)
{
    if (left(d) < len)
        return false;
    d->at += iov_read(virtqueue_out(d->chain), d->chain->out_count, d->at, value, len);
    return true;
}

/* --- commands --------------------------------------------------------------------------------------------------- */

static bool set_rx(VirtioNet *n, uint8_t command, Data *d)
{
    uint8_t *const modes[] = {&n->s.promisc, &n->s.allmulti, &n->s.alluni, &n->s.nomulti, &n->s.nouni, &n->s.nobcast};
    uint8_t on;

    if (command >= G_N_ELEMENTS(modes) || !take(d, &on, 1))
        return false;
    *modes[command] = on != 0;
    return true;
}

/* One of the two tables, behind what is there already. If there are too many, all pass; false: its length is wrong. */
static bool take_table(VirtioNetState *table, Data *d, uint8_t *overflow)
{
    uint32_t count;

    if (!take(d, &count, sizeof count))
        return false;
    count = GUINT32_FROM_LE(count);
    if (count > left(d) / NET_MAC)
        return false;
    *overflow = count > NET_MACS - table->mac_count;
    if (*overflow) {
        d->at += (size_t)count * NET_MAC;
        return true;
    }
    take(d, table->macs + table->mac_count, (size_t)count * NET_MAC);
    table->mac_count += count;
    return true;
}

static bool set_mac(VirtioNet *n, uint8_t command, Data *d)
{
    if (command == MAC_ADDR_SET)
        return left(d) == NET_MAC && take(d, n->s.mac, NET_MAC);
    if (command != MAC_TABLE_SET)
        return false;
    g_autofree VirtioNetState *table = g_new0(VirtioNetState, 1);
    if (!take_table(table, d, &table->uni_overflow) || !take_table(table, d, &table->multi_overflow) || left(d))
        return false;
    n->s.mac_count = table->mac_count;
    memcpy(n->s.macs, table->macs, sizeof n->s.macs);
    n->s.uni_overflow = table->uni_overflow;
    n->s.multi_overflow = table->multi_overflow;
    return true;
}

static bool set_vlan(VirtioNet *n, uint8_t command, Data *d)
{
    uint16_t id;

    if (!take(d, &id, sizeof id))
        return false;
    id = GUINT16_FROM_LE(id);
    if (id >= NET_VLANS)
        return false;
    if (command == VLAN_ADD)
        n->s.vlans[id / 8] |= (uint8_t)(1 << id % 8);
    else if (command == VLAN_DELETE)
        n->s.vlans[id / 8] &= (uint8_t) ~(1 << id % 8);
    else
        return false;
    return true;
}

static bool announced(VirtioNet *n, uint8_t command)
{
    if (command != ANNOUNCE_ACK || !(n->s.link_status & NET_S_ANNOUNCE))
        return false;
    n->s.link_status &= (uint16_t)~NET_S_ANNOUNCE;
    net_next_announcement(n);
    return true;
}

static bool set_offloads(VirtioNet *n, uint8_t command, Data *d)
{
    uint64_t offloads;

    if (!virtio_has(&n->v, NET_F_CTRL_GUEST_OFFLOADS) || command != OFFLOADS_SET || !n->s.can_header ||
        !take(d, &offloads, sizeof offloads))
        return false;
    offloads = GUINT64_FROM_LE(offloads);
    if (offloads & ~net_allowed_offloads(n))
        return false;
    n->s.guest_offloads = offloads;
    net_apply_offloads(n);
    return true;
}

static bool obey(VirtioNet *n, const uint8_t *command, Data *d)
{
    switch (command[0]) {
    case CLASS_RX:
        return set_rx(n, command[1], d);
    case CLASS_MAC:
        return set_mac(n, command[1], d);
    case CLASS_VLAN:
        return set_vlan(n, command[1], d);
    case CLASS_ANNOUNCE:
        return announced(n, command[1]);
    case CLASS_OFFLOADS:
        return set_offloads(n, command[1], d);
    default:
        return false;
    }
}

void net_control_notified(VirtioNet *n)
{
    Virtqueue *vq = &n->v.vq[QUEUE_CONTROL];

    for (unsigned i = 0; i < VIRTQUEUE_SIZE_MAX; i++) {
        g_autofree VirtqueueChain *chain = virtqueue_pop(vq);
        uint8_t command[COMMAND_LEN], ack;
        Data d = {.chain = chain};
        if (!chain)
            return;
        if (!take(&d, command, COMMAND_LEN) || chain->in_len < 1) {
            virtio_break(&n->v, "a control command has no room for its header or its acknowledgement");
            return;
        }
        ack = obey(n, command, &d) ? ACK_OK : ACK_ERROR;
        iov_write(virtqueue_in(chain), chain->in_count, 0, &ack, 1);
        virtqueue_push(vq, chain, 1);
        virtqueue_notify(vq);
    }
}

/* --- the filter ------------------------------------------------------------------------------------------------- */

static bool is_in_table(const VirtioNetState *s, const uint8_t *mac)
{
    for (unsigned i = 0; i < s->mac_count && i < NET_MACS; i++)
        if (memcmp(s->macs[i].octets, mac, NET_MAC) == 0)
            return true;
    return false;
}

bool net_filter(const VirtioNet *n, const uint8_t *eth)
{
    static const uint8_t broadcast[NET_MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const VirtioNetState *s = &n->s;

    if (s->promisc)
        return true;
    if ((eth[12] << 8 | eth[13]) == ETHERTYPE_VLAN) {
        unsigned id = (unsigned)(eth[14] << 8 | eth[15]) & VLAN_MASK;
        if (!(s->vlans[id / 8] & 1 << id % 8))
            return false;
    }
    if (memcmp(eth, broadcast, NET_MAC) == 0)
        return !s->nobcast;
    if (eth[0] & 1)
        return !s->nomulti && (s->allmulti || s->multi_overflow || is_in_table(s, eth));
    return !s->nouni && (s->alluni || s->uni_overflow || memcmp(eth, s->mac, NET_MAC) == 0 || is_in_table(s, eth));
}
