/*
 * virtqueue.h: a split virtqueue, from the device's side.
 *
 * The rings lie in the guest's memory, which may change at any time and is not trusted: whatever makes no sense breaks
 * the device (virtio_break). Chains that were popped and not pushed yet are "in use"; there are never more of them than
 * the ring has entries.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, section 2.7.
 */
#ifndef EMU_VIRTIO_VIRTQUEUE_H
#define EMU_VIRTIO_VIRTQUEUE_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

struct Machine;
typedef struct Virtio Virtio;

enum {
    VIRTQUEUE_SIZE_MAX = 1024,
    VIRTQUEUE_IOV_MAX = 1024,      /* pieces of one chain */
    VIRTQUEUE_LEGACY_ALIGN = 4096, /* of the used ring, where the guest gives one address for all */
    VIRTQUEUE_LEGACY_SHIFT = 12,
};

/* What a stream does not have. */
typedef struct Virtqueue {
    Virtio *owner;
    unsigned index;
    uint16_t used_index; /* as it is in memory, or will be when what was filled is flushed */
    uint16_t told_index; /* used_index when the guest was last told */
    bool told_is_known;  /* it was, since the ring was set up */
    bool quiet;          /* the device does not want to be told of more buffers */
    unsigned in_use;
} Virtqueue;

/* A chain: what the device reads, then what it writes, in place. To be freed with g_free. */
typedef struct VirtqueueChain {
    uint16_t head;
    unsigned out_count, in_count;
    size_t out_len, in_len;
    struct iovec iov[]; /* out_count, then in_count */
} VirtqueueChain;

static inline const struct iovec *virtqueue_out(const VirtqueueChain *chain)
{
    return chain->iov;
}

static inline const struct iovec *virtqueue_in(const VirtqueueChain *chain)
{
    return chain->iov + chain->out_count;
}

/* Nothing is known of the ring. */
void virtqueue_reset(Virtqueue *vq);

/* Places of avail and used ring behind the descriptors, for a driver that gives one address. */
void virtqueue_lay_out(Virtqueue *vq);

/* After the guest has set up the ring, or a stream was loaded: takes the used index from memory. */
void virtqueue_restart(Virtqueue *vq);

/* Is there a ring, with nothing offered in it? A queue without a ring is empty. */
bool virtqueue_is_empty(Virtqueue *vq);

/* The next chain; NULL if there is none or the device is broken. */
VirtqueueChain *virtqueue_pop(Virtqueue *vq);

/* Takes back the last chains that were popped: they will be popped again. Frees nothing. */
void virtqueue_rewind(Virtqueue *vq, unsigned count);

/* Gives a chain back: `len` octets were written to it. Frees nothing. */
void virtqueue_push(Virtqueue *vq, const VirtqueueChain *chain, size_t len);

/* What the guest can read of a chain was written: for one that is not given back. */
void virtqueue_written(const struct Machine *machine, const VirtqueueChain *chain);

/* The same in two steps: entry number `n` of those that one flush makes visible. */
void virtqueue_fill(Virtqueue *vq, const VirtqueueChain *chain, size_t len, unsigned n);
void virtqueue_flush(Virtqueue *vq, unsigned count);

/* Forgets a chain that was popped, and that will not come back: the queue was reset. */
void virtqueue_drop(Virtqueue *vq);

/* Tells the guest of what was pushed, unless it does not want to know. */
void virtqueue_notify(Virtqueue *vq);

/* Does the device want to be told when there are more chains? */
void virtqueue_want_notification(Virtqueue *vq, bool wanted);

/* Octets out of, and into, such pieces, at `offset`; they return how many there were. */
size_t iov_read(const struct iovec *iov, unsigned count, size_t offset, void *data, size_t len);
size_t iov_write(const struct iovec *iov, unsigned count, size_t offset, const void *data, size_t len);

#endif
