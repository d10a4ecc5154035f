/*
 * virtqueue.c: split virtqueues.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, section 2.7; the layout for legacy drivers is 2.7.2, the order in
 * which a device writes and reads 2.7.13 and 2.7.14.
 * Not modelled: packed rings (section 2.8), and notifications that carry data.
 */
#include "emu/virtio/virtqueue.h"

#include <string.h>

#include "emu/core/dirty.h"
#include "emu/core/machine.h"
#include "emu/virtio/virtio.h"

enum {
    DESC_SIZE = 16,
    DESC_NEXT = 1,
    DESC_WRITE = 2,
    DESC_INDIRECT = 4,
    AVAIL_NO_INTERRUPT = 1,
    USED_NO_NOTIFY = 1,
    RING_INDEX = 2,
    RING_ENTRIES = 4,
    AVAIL_ENTRY = 2,
    USED_ENTRY = 8,
};

typedef struct Descriptor {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} Descriptor;

G_STATIC_ASSERT(sizeof(Descriptor) == DESC_SIZE);

static VirtioQueueState *queue_of(const Virtqueue *vq)
{
    return &virtio_state(vq->owner)->queues[vq->index];
}

static VirtioRingState *ring_of(const Virtqueue *vq)
{
    return &virtio_state(vq->owner)->rings[vq->index];
}

/* --- octets in pieces ------------------------------------------------------------------------------------------- */

static size_t iov_copy(const struct iovec *iov, unsigned count, size_t offset, void *data, size_t len, bool to_iov)
{
    size_t done = 0;

    for (unsigned i = 0; i < count && done < len; i++) {
        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        size_t n = MIN(iov[i].iov_len - offset, len - done);
        char *there = (char *)iov[i].iov_base + offset, *here = (char *)data + done;
        memcpy(to_iov ? there : here, to_iov ? here : there, n);
        done += n;
        offset = 0;
    }
    return done;
}

size_t iov_read(const struct iovec *iov, unsigned count, size_t offset, void *data, size_t len)
{
    return iov_copy(iov, count, offset, data, len, false);
}

size_t iov_write(const struct iovec *iov, unsigned count, size_t offset, const void *data, size_t len)
{
    return iov_copy(iov, count, offset, (void *)data, len, true);
}

/* --- memory of the guest ---------------------------------------------------------------------------------------- */

static Space *memory_of(const Virtqueue *vq)
{
    return vq->owner->pci.dev.machine->memory;
}

/* An integer in a ring, in place; NULL if it is not in memory, whereupon the device is broken. */
static void *ring_at(Virtqueue *vq, uint64_t addr, size_t size, bool write)
{
    size_t len = size;
    void *host =
        addr % size == 0 && pci_is_master(&vq->owner->pci) ? space_map_octets(memory_of(vq), addr, &len, write) : NULL;

    if (!host || len < size) {
        virtio_break(vq->owner, "a ring is not in memory");
        return NULL;
    }
    return host;
}

/* False, and the device is broken, if it is not there. Other processors write it meanwhile. */
static bool ring_get(Virtqueue *vq, uint64_t addr, uint16_t *value)
{
    const uint16_t *host = ring_at(vq, addr, sizeof *host, false);

    if (!host)
        return false;
    *value = GUINT16_FROM_LE(__atomic_load_n(host, __ATOMIC_ACQUIRE));
    return true;
}

static void ring_put(Virtqueue *vq, uint64_t addr, uint16_t value)
{
    uint16_t *host = ring_at(vq, addr, sizeof *host, true);

    if (host)
        __atomic_store_n(host, GUINT16_TO_LE(value), __ATOMIC_RELEASE);
}

static uint64_t avail_entry(const Virtqueue *vq, unsigned n)
{
    return ring_of(vq)->avail + RING_ENTRIES + (uint64_t)n * AVAIL_ENTRY;
}

static uint64_t used_entry(const Virtqueue *vq, unsigned n)
{
    return ring_of(vq)->used + RING_ENTRIES + (uint64_t)n * USED_ENTRY;
}

/* --- the ring --------------------------------------------------------------------------------------------------- */

void virtqueue_reset(Virtqueue *vq)
{
    vq->used_index = 0;
    vq->told_index = 0;
    vq->told_is_known = false;
    vq->quiet = false;
    vq->in_use = 0;
}

void virtqueue_lay_out(Virtqueue *vq)
{
    const VirtioQueueState *q = queue_of(vq);
    VirtioRingState *ring = ring_of(vq);

    if (!q->desc) {
        *ring = (VirtioRingState){.avail = 0};
        return;
    }
    ring->avail = q->desc + (uint64_t)q->num * DESC_SIZE;
    ring->used = ring->avail + RING_ENTRIES + (uint64_t)q->num * AVAIL_ENTRY;
    ring->used = (ring->used + VIRTQUEUE_LEGACY_ALIGN - 1) & ~(uint64_t)(VIRTQUEUE_LEGACY_ALIGN - 1);
}

void virtqueue_restart(Virtqueue *vq)
{
    const VirtioQueueState *q = queue_of(vq);
    uint16_t avail;

    virtqueue_reset(vq);
    if (!q->desc || !virtio_is_alive(vq->owner) || !pci_is_master(&vq->owner->pci) ||
        !ring_get(vq, ring_of(vq)->used + RING_INDEX, &vq->used_index) ||
        !ring_get(vq, ring_of(vq)->avail + RING_INDEX, &avail))
        return;
    vq->in_use = (uint16_t)(q->last_avail - vq->used_index);
    if ((uint16_t)(avail - q->last_avail) > q->num)
        virtio_break(vq->owner, "the available index is further away than the ring is long");
    else if (vq->in_use > q->num)
        virtio_break(vq->owner, "more chains are in use than the ring has entries");
}

/* How many chains are offered; 0 if there is no ring, or the device is broken. */
static unsigned offered(Virtqueue *vq)
{
    const VirtioQueueState *q = queue_of(vq);
    uint16_t avail;

    if (!q->desc || !q->num || !virtio_is_alive(vq->owner) || !ring_get(vq, ring_of(vq)->avail + RING_INDEX, &avail))
        return 0;
    avail = (uint16_t)(avail - q->last_avail);
    if (avail > q->num) {
        virtio_break(vq->owner, "the available index has gone further than the ring is long");
        return 0;
    }
    return avail;
}

bool virtqueue_is_empty(Virtqueue *vq)
{
    return offered(vq) == 0;
}

void virtqueue_want_notification(Virtqueue *vq, bool wanted)
{
    const VirtioQueueState *q = queue_of(vq);

    vq->quiet = !wanted;
    if (!q->desc || !virtio_is_alive(vq->owner))
        return;
    if (!virtio_has(vq->owner, VIRTIO_F_EVENT_IDX))
        ring_put(vq, ring_of(vq)->used, wanted ? 0 : USED_NO_NOTIFY);
    else if (wanted)
        ring_put(vq, used_entry(vq, q->num), q->last_avail);
    /* What is offered until the guest has seen it is found by who asks again afterwards. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* --- a chain ---------------------------------------------------------------------------------------------------- */

typedef struct Walk {
    Virtqueue *vq;
    uint64_t table;
    unsigned entries; /* of the table */
    unsigned steps;   /* in this table */
    bool indirect;
    unsigned out_count, in_count;
    size_t out_len, in_len;
    struct iovec iov[VIRTQUEUE_IOV_MAX];
} Walk;

static bool broken(Walk *w, const char *why)
{
    virtio_break(w->vq->owner, why);
    return false;
}

static bool read_descriptor(Walk *w, unsigned n, Descriptor *d)
{
    uint64_t addr = w->table + (uint64_t)n * DESC_SIZE;
    char *to = (char *)d;

    for (size_t left = DESC_SIZE, len; left; addr += len, to += len, left -= len) {
        len = left;
        const void *host = space_map_octets(memory_of(w->vq), addr, &len, false);
        if (!host)
            return broken(w, "a descriptor is not in memory");
        memcpy(to, host, len);
    }
    d->addr = GUINT64_FROM_LE(d->addr);
    d->len = GUINT32_FROM_LE(d->len);
    d->flags = GUINT16_FROM_LE(d->flags);
    d->next = GUINT16_FROM_LE(d->next);
    return true;
}

/* The buffer of a descriptor, which may lie in several pieces of the host's memory. */
static bool add_buffer(Walk *w, const Descriptor *d)
{
    bool write = d->flags & DESC_WRITE;
    uint64_t addr = d->addr;

    if (d->len == 0)
        return broken(w, "a buffer has no octets");
    if (!write && w->in_count)
        return broken(w, "a buffer to be read comes after one to be written");
    for (size_t left = d->len, len; left; addr += len, left -= len) {
        len = left;
        void *host = space_map_octets(memory_of(w->vq), addr, &len, write);
        if (!host)
            return broken(w, "a buffer is not in memory");
        if (w->out_count + w->in_count == VIRTQUEUE_IOV_MAX)
            return broken(w, "a chain has too many buffers");
        w->iov[w->out_count + w->in_count] = (struct iovec){.iov_base = host, .iov_len = len};
        *(write ? &w->in_count : &w->out_count) += 1;
        *(write ? &w->in_len : &w->out_len) += len;
    }
    return true;
}

static bool enter_table(Walk *w, const Descriptor *d)
{
    if (w->indirect)
        return broken(w, "a table of descriptors is in another");
    if (d->len == 0 || d->len % DESC_SIZE != 0)
        return broken(w, "a table of descriptors has an odd length");
    w->indirect = true;
    w->table = d->addr;
    w->entries = d->len / DESC_SIZE;
    w->steps = 0;
    return true;
}

/* Sections 2.7.5 and 2.7.5.3. No more steps than a table has entries: otherwise it is a circle. */
static bool walk_chain(Walk *w, unsigned head)
{
    Descriptor d;

    for (unsigned n = head;; n = d.next) {
        if (n >= w->entries)
            return broken(w, "a chain leads out of its table");
        if (w->steps++ == w->entries)
            return broken(w, "a chain is a circle");
        if (!read_descriptor(w, n, &d))
            return false;
        if (d.flags & DESC_INDIRECT) {
            if (!enter_table(w, &d))
                return false;
            d.next = 0;
            continue;
        }
        if (!add_buffer(w, &d))
            return false;
        if (!(d.flags & DESC_NEXT))
            return true;
    }
}

static VirtqueueChain *chain_of(const Walk *w, uint16_t head)
{
    unsigned count = w->out_count + w->in_count;
    VirtqueueChain *chain = g_malloc(sizeof *chain + count * sizeof chain->iov[0]);

    chain->head = head;
    chain->out_count = w->out_count;
    chain->in_count = w->in_count;
    chain->out_len = w->out_len;
    chain->in_len = w->in_len;
    memcpy(chain->iov, w->iov, count * sizeof chain->iov[0]);
    return chain;
}

VirtqueueChain *virtqueue_pop(Virtqueue *vq)
{
    VirtioQueueState *q = queue_of(vq);
    uint16_t head;
    Walk w;

    if (!offered(vq))
        return NULL;
    if (vq->in_use >= q->num) {
        virtio_break(vq->owner, "more chains are offered than the ring has entries");
        return NULL;
    }
    if (!ring_get(vq, avail_entry(vq, q->last_avail % q->num), &head))
        return NULL;
    w.vq = vq;
    w.table = q->desc;
    w.entries = q->num;
    w.indirect = false;
    w.steps = w.out_count = w.in_count = 0;
    w.out_len = w.in_len = 0;
    if (!walk_chain(&w, head))
        return NULL;
    q->last_avail++;
    vq->in_use++;
    if (virtio_has(vq->owner, VIRTIO_F_EVENT_IDX) && !vq->quiet)
        ring_put(vq, used_entry(vq, q->num), q->last_avail);
    return chain_of(&w, head);
}

void virtqueue_rewind(Virtqueue *vq, unsigned count)
{
    count = MIN(count, vq->in_use);
    queue_of(vq)->last_avail = (uint16_t)(queue_of(vq)->last_avail - count);
    vq->in_use -= count;
}

void virtqueue_drop(Virtqueue *vq)
{
    vq->in_use -= vq->in_use ? 1 : 0;
}

/* --- what the guest gets back ----------------------------------------------------------------------------------- */

void virtqueue_written(const Machine *machine, const VirtqueueChain *chain)
{
    for (unsigned i = chain->out_count; i < chain->out_count + chain->in_count; i++)
        dirty_mark_host(machine->areas, chain->iov[i].iov_base, chain->iov[i].iov_len);
}

void virtqueue_fill(Virtqueue *vq, const VirtqueueChain *chain, size_t len, unsigned n)
{
    const VirtioQueueState *q = queue_of(vq);
    uint32_t *entry;

    virtqueue_written(vq->owner->pci.dev.machine, chain);
    if (!q->desc || !q->num || !virtio_is_alive(vq->owner))
        return;
    /* Both halves are in one page or the ring is not in memory: entries are aligned to 4 octets, so look at each. */
    uint64_t addr = used_entry(vq, (uint16_t)(vq->used_index + n) % q->num);
    if ((entry = ring_at(vq, addr, sizeof *entry, true)))
        *entry = GUINT32_TO_LE(chain->head);
    if (entry && (entry = ring_at(vq, addr + sizeof *entry, sizeof *entry, true)))
        *entry = GUINT32_TO_LE((uint32_t)MIN(len, UINT32_MAX));
}

void virtqueue_flush(Virtqueue *vq, unsigned count)
{
    uint16_t before = vq->used_index;

    vq->in_use -= MIN(count, vq->in_use);
    if (!queue_of(vq)->desc || !virtio_is_alive(vq->owner))
        return;
    vq->used_index = (uint16_t)(before + count);
    ring_put(vq, ring_of(vq)->used + RING_INDEX, vq->used_index);
    /* Once around since the guest was told: what it was told of no longer says anything. */
    if ((uint16_t)(vq->used_index - vq->told_index) < count)
        vq->told_is_known = false;
}

void virtqueue_push(Virtqueue *vq, const VirtqueueChain *chain, size_t len)
{
    virtqueue_fill(vq, chain, len, 0);
    virtqueue_flush(vq, 1);
}

/* Does the guest want to know? Section 2.7.7. */
static bool should_notify(Virtqueue *vq)
{
    const VirtioQueueState *q = queue_of(vq);
    uint16_t value, before = vq->told_index;
    bool known = vq->told_is_known;

    /* What was pushed must be seen before the guest's wish is looked at. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (virtio_has(vq->owner, VIRTIO_F_NOTIFY_ON_EMPTY) && vq->in_use == 0 && virtqueue_is_empty(vq))
        return virtio_is_alive(vq->owner);
    if (!virtio_has(vq->owner, VIRTIO_F_EVENT_IDX))
        return ring_get(vq, ring_of(vq)->avail, &value) && !(value & AVAIL_NO_INTERRUPT);
    vq->told_index = vq->used_index;
    vq->told_is_known = true;
    if (!ring_get(vq, avail_entry(vq, q->num), &value))
        return false;
    return !known || (uint16_t)(vq->used_index - value - 1) < (uint16_t)(vq->used_index - before);
}

void virtqueue_notify(Virtqueue *vq)
{
    if (queue_of(vq)->desc && virtio_is_alive(vq->owner) && should_notify(vq))
        virtio_notify_queue(vq->owner, vq->index);
}
