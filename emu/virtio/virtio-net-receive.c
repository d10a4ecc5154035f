/*
 * virtio-net-receive.c: frames into the guest's buffers.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, section 5.1.6.3 and 5.1.6.4.
 */
#include <string.h>

#include "emu/core/machine.h"
#include "emu/virtio/virtio-net-impl.h"

enum {
    HEADER_COUNT = 10, /* where in the header the number of buffers is */
    ETH_LOOK = 18,     /* what the filter looks at */
};

bool net_can_receive(void *opaque)
{
    const VirtioNet *n = opaque;

    return n->v.pci.dev.machine->running && net_is_ready(n) && n->s.virtio.queues[QUEUE_RX].desc;
}

/* A frame on its way into the guest: the header, and what the backend gave. */
typedef struct Frame {
    uint8_t header[NET_HEADER_WITH_COUNT];
    size_t header_len;
    const struct iovec *iov;
    unsigned count;
    size_t skip, len; /* octets of iov in front of the frame, and of the frame */
} Frame;

typedef struct Chains {
    VirtqueueChain *chain[VIRTQUEUE_SIZE_MAX];
    unsigned count;
    size_t room;
} Chains;

static void free_chains(Chains *c)
{
    for (unsigned i = 0; i < c->count; i++)
        g_free(c->chain[i]);
    c->count = 0;
    c->room = 0;
}

/* Buffers for that many octets; false: there are not as many, or the device is broken. */
static bool pop_chains(VirtioNet *n, size_t octets, Chains *c)
{
    Virtqueue *vq = &n->v.vq[QUEUE_RX];

    while (c->room < octets && c->count < VIRTQUEUE_SIZE_MAX) {
        VirtqueueChain *chain = virtqueue_pop(vq);
        if (!chain)
            return false;
        c->chain[c->count++] = chain;
        c->room += chain->in_len;
        if (!chain->in_count || (c->count == 1 && chain->in_len < n->header)) {
            virtio_break(&n->v, "a buffer for frames has no room for the header");
            return false;
        }
        if (!n->s.mergeable_rx_bufs)
            break;
    }
    return true;
}

/* Octets of header and frame, from `at`, into the pieces of a chain; returns how many. */
static size_t fill_chain(const Frame *f, const VirtqueueChain *chain, size_t at)
{
    size_t done = 0, from = 0;

    if (at < f->header_len)
        done = iov_write(virtqueue_in(chain), chain->in_count, 0, f->header + at, f->header_len - at);
    size_t frame_at = f->skip + at + done - f->header_len;
    for (unsigned i = 0; i < f->count && done < chain->in_len; from += f->iov[i++].iov_len) {
        if (frame_at >= from + f->iov[i].iov_len)
            continue;
        size_t in = frame_at - from, len = MIN(f->iov[i].iov_len - in, chain->in_len - done);
        iov_write(virtqueue_in(chain), chain->in_count, done, (const char *)f->iov[i].iov_base + in, len);
        done += len;
        frame_at += len;
    }
    return done;
}

void net_settled(void *opaque)
{
    VirtioNet *n = opaque;

    n->untold = 0;
    virtqueue_notify(&n->v.vq[QUEUE_RX]);
}

static void put_frame(VirtioNet *n, Frame *f, const Chains *c)
{
    Virtqueue *vq = &n->v.vq[QUEUE_RX];
    size_t at = 0;

    if (f->header_len == NET_HEADER_WITH_COUNT) {
        f->header[HEADER_COUNT] = (uint8_t)c->count;
        f->header[HEADER_COUNT + 1] = (uint8_t)(c->count >> 8);
    }
    for (unsigned i = 0; i < c->count; i++) {
        size_t len = fill_chain(f, c->chain[i], at);
        virtqueue_fill(vq, c->chain[i], len, i);
        at += len;
    }
    virtqueue_flush(vq, c->count);
    if (!n->net->more || ++n->untold == NET_TELL_AFTER)
        net_settled(n);
}

/* Twice: buffers that come before the guest knows that it is to tell of them are found the second time. */
static bool deliver(VirtioNet *n, Frame *f)
{
    Virtqueue *vq = &n->v.vq[QUEUE_RX];
    size_t octets = f->header_len + f->len;
    Chains chains, *c = &chains;

    c->count = 0;
    c->room = 0;
    for (unsigned attempt = 0; attempt < 2; attempt++) {
        bool enough = pop_chains(n, octets, c);
        if (enough && c->room >= octets) {
            put_frame(n, f, c);
            free_chains(c);
            return true;
        }
        virtqueue_rewind(vq, c->count);
        free_chains(c);
        if (enough || !virtio_is_alive(&n->v))
            return true; /* it will never fit, or nobody cares */
        virtqueue_want_notification(vq, true);
    }
    return false;
}

bool net_receive(void *opaque, const struct iovec *iov, int count)
{
    VirtioNet *n = opaque;
    Frame f = {.header_len = n->header, .iov = iov, .count = (unsigned)count, .skip = n->s.can_header ? n->header : 0};
    uint8_t eth[ETH_LOOK] = {0};

    if (!net_can_receive(n))
        return false;
    for (int i = 0; i < count; i++)
        f.len += iov[i].iov_len;
    if (f.len <= f.skip || !(n->s.link_status & NET_S_LINK_UP))
        return true;
    f.len -= f.skip;
    iov_read(iov, f.count, 0, f.header, f.skip);
    iov_read(iov, f.count, f.skip, eth, sizeof eth);
    if (!net_filter(n, eth))
        return true;
    return deliver(n, &f);
}
