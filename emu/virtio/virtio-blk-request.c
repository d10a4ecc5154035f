/*
 * virtio-blk-request.c: what a driver asks of a disk.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, section 5.2.6. What is not modelled: see virtio-blk.c.
 */
#include <errno.h>

#include "emu/core/machine.h"
#include "emu/virtio/virtio-blk-impl.h"

enum {
    TYPE_IN = 0,
    TYPE_OUT = 1,
    TYPE_FLUSH = 4,
    TYPE_GET_ID = 8,
    TYPE_DISCARD = 11,
    TYPE_WRITE_ZEROES = 13,
    TYPE_BARRIER = 0x80000000, /* of old drivers, without effect */
    STATUS_OK = 0,
    STATUS_IOERR = 1,
    STATUS_UNSUPPORTED = 2,
    SEGMENT_UNMAP = 1,
};

typedef struct Header {
    uint32_t type, reserved;
    uint64_t sector;
} Header;

typedef struct Segment {
    uint64_t sector;
    uint32_t sectors, flags;
} Segment;

typedef VirtioBlkRequest Request;

struct VirtioBlkRequest {
    VirtioBlk *disk; /* NULL: the queue was reset meanwhile, nobody waits for it */
    unsigned queue;
    VirtqueueChain *chain;
    size_t len;
    bool reads, flushes; /* into the guest's memory; and a flush is to follow */
    Machine *machine;
    Request *next, **link;
};

/* --- the list of them ------------------------------------------------------------------------------------------- */

static Request *request_new(VirtioBlk *d, unsigned queue, VirtqueueChain *chain)
{
    Request *r = g_new0(Request, 1);

    r->disk = d;
    r->queue = queue;
    r->machine = d->v.pci.dev.machine;
    r->chain = chain;
    r->next = d->in_flight;
    r->link = &d->in_flight;
    if (r->next)
        r->next->link = &r->next;
    d->in_flight = r;
    return r;
}

static void request_unlink(Request *r)
{
    if (!r->disk)
        return;
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    r->disk = NULL;
}

static void request_free(Request *r)
{
    request_unlink(r);
    g_free(r->chain);
    g_free(r);
}

/* The status is the last octet that the device writes. */
static void request_end(Request *r, uint8_t status)
{
    VirtioBlk *d = r->disk;
    const VirtqueueChain *c = r->chain;

    if (d) {
        iov_write(virtqueue_in(c), c->in_count, c->in_len - 1, &status, 1);
        virtqueue_push(&d->v.vq[r->queue], c, r->reads ? r->len + 1 : 1);
        d->told |= 1U << r->queue;
    } else {
        virtqueue_written(r->machine, c);
    }
    request_free(r);
}

static void done(void *opaque, int error)
{
    Request *r = opaque;
    Machine *machine = r->machine;

    machine_lock(machine);
    if (r->disk && !error && r->flushes) {
        r->flushes = false;
        block_submit(r->disk->block, &(BlockRequest){.op = BLOCK_FLUSH, .done = done, .opaque = r});
    } else {
        request_end(r, error == 0 ? STATUS_OK : error == ENOTSUP ? STATUS_UNSUPPORTED : STATUS_IOERR);
    }
    machine_unlock(machine);
}

/* Pieces of `len` octets behind the first `skip` ones; returns how many. */
static unsigned take_data(struct iovec *to, const struct iovec *iov, unsigned count, size_t skip, size_t len)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < count && len; i++) {
        size_t n = iov[i].iov_len;
        if (skip >= n) {
            skip -= n;
            continue;
        }
        n = MIN(n - skip, len);
        to[taken++] = (struct iovec){.iov_base = (char *)iov[i].iov_base + skip, .iov_len = n};
        len -= n;
        skip = 0;
    }
    return taken;
}

/* Is it whole sectors of the disk? */
static bool in_range(const VirtioBlk *d, uint64_t sector, uint64_t sectors)
{
    uint64_t all = block_length(d->block) >> BLK_SECTOR_SHIFT;

    return sector <= all && sectors <= all - sector;
}

static void transfer(Request *r, const Header *h)
{
    VirtioBlk *d = r->disk;
    const VirtqueueChain *c = r->chain;
    bool write = h->type & TYPE_OUT;
    struct iovec iov[VIRTQUEUE_IOV_MAX];
    unsigned count;

    r->len = write ? c->out_len - sizeof *h : c->in_len - 1;
    if (write)
        count = take_data(iov, virtqueue_out(c), c->out_count, sizeof *h, r->len);
    else
        count = take_data(iov, virtqueue_in(c), c->in_count, 0, r->len);
    r->reads = !write;
    if (r->len == 0 || r->len % BLK_SECTOR != 0 || !in_range(d, h->sector, r->len / BLK_SECTOR) ||
        (write && block_read_only(d->block))) {
        r->reads = false;
        request_end(r, STATUS_IOERR);
        return;
    }
    block_submit(d->block, &(BlockRequest){
                               .op = !write           ? BLOCK_READ
                                     : d->write_cache ? BLOCK_WRITE
                                                      : BLOCK_WRITE_THROUGH,
                               .offset = h->sector << BLK_SECTOR_SHIFT,
                               .len = r->len,
                               .iov = iov,
                               .iov_count = (int)count,
                               .done = done,
                               .opaque = r,
                           });
}

static void get_id(Request *r)
{
    const VirtqueueChain *c = r->chain;
    size_t len = MIN(c->in_len - 1, BLK_SERIAL_LEN);

    r->reads = true;
    r->len = len;
    iov_write(virtqueue_in(c), c->in_count, 0, r->disk->serial, len);
    request_end(r, STATUS_OK);
}

/* One segment: what the configuration says. */
static void give_back(Request *r, bool zeroes)
{
    VirtioBlk *d = r->disk;
    const VirtqueueChain *c = r->chain;
    Segment s;

    if (c->out_len != sizeof(Header) + sizeof s ||
        iov_read(virtqueue_out(c), c->out_count, sizeof(Header), &s, sizeof s) != sizeof s) {
        request_end(r, STATUS_IOERR);
        return;
    }
    s.sector = GUINT64_FROM_LE(s.sector);
    s.sectors = GUINT32_FROM_LE(s.sectors);
    s.flags = GUINT32_FROM_LE(s.flags);
    /* Section 5.2.6.2: unknown flags, or unmap with discard, are unsupported. */
    if (s.flags & ~(uint32_t)SEGMENT_UNMAP || (!zeroes && s.flags)) {
        request_end(r, STATUS_UNSUPPORTED);
        return;
    }
    if (s.sectors > BLK_SECTORS_MAX || !in_range(d, s.sector, s.sectors) || block_read_only(d->block)) {
        request_end(r, STATUS_IOERR);
        return;
    }
    if (s.sectors == 0 || (!zeroes && !block_can_discard(d->block))) {
        request_end(r, STATUS_OK);
        return;
    }
    r->flushes = !d->write_cache;
    block_submit(d->block, &(BlockRequest){
                               .op = zeroes ? BLOCK_WRITE_ZEROES : BLOCK_DISCARD,
                               .offset = s.sector << BLK_SECTOR_SHIFT,
                               .len = (uint64_t)s.sectors << BLK_SECTOR_SHIFT,
                               .done = done,
                               .opaque = r,
                           });
}

static void start_request(Request *r)
{
    const VirtqueueChain *c = r->chain;
    Header h;

    iov_read(virtqueue_out(c), c->out_count, 0, &h, sizeof h);
    h.type = GUINT32_FROM_LE(h.type) & ~TYPE_BARRIER;
    h.sector = GUINT64_FROM_LE(h.sector);
    switch (h.type) {
    case TYPE_IN:
    case TYPE_OUT:
        transfer(r, &h);
        break;
    case TYPE_FLUSH:
        block_submit(r->disk->block, &(BlockRequest){.op = BLOCK_FLUSH, .done = done, .opaque = r});
        break;
    case TYPE_GET_ID:
        get_id(r);
        break;
    case TYPE_DISCARD:
    case TYPE_WRITE_ZEROES:
        give_back(r, h.type == TYPE_WRITE_ZEROES);
        break;
    default:
        request_end(r, STATUS_UNSUPPORTED);
    }
}

/* False: one made no sense. */
static bool take_requests(VirtioBlk *d, unsigned queue)
{
    Virtio *v = &d->v;

    for (unsigned i = 0; i < VIRTQUEUE_SIZE_MAX; i++) {
        VirtqueueChain *chain = virtqueue_pop(&v->vq[queue]);
        if (!chain)
            return true;
        if (chain->out_len < sizeof(Header) || chain->in_len < 1) {
            g_free(chain);
            virtio_break(v, "a request has no room for its header or its status");
            return false;
        }
        start_request(request_new(d, queue, chain));
    }
    return true;
}

/*
 * More than the ring is long has never been offered at once. While they are taken the guest need not tell of others,
 * and what it has offered until it knows that it is to tell again is found by looking once more; what comes while that
 * is taken it tells of.
 */
void virtio_blk_notified(Virtio *v, unsigned queue)
{
    VirtioBlk *d = (VirtioBlk *)v;
    Virtqueue *vq = &v->vq[queue];

    block_plug(d->block);
    virtqueue_want_notification(vq, false);
    bool goes_on = take_requests(d, queue);
    virtqueue_want_notification(vq, true);
    if (goes_on && !virtqueue_is_empty(vq))
        take_requests(d, queue);
    block_unplug(d->block);
    virtio_blk_settled(d);
}

void virtio_blk_settled(void *opaque)
{
    VirtioBlk *d = opaque;
    Machine *machine = d->v.pci.dev.machine;

    machine_lock(machine);
    for (unsigned queue = 0; d->told; queue++, d->told >>= 1)
        if (d->told & 1)
            virtqueue_notify(&d->v.vq[queue]);
    machine_unlock(machine);
}

void virtio_blk_forget_queue(VirtioBlk *d, unsigned queue)
{
    Request *next;

    for (Request *r = d->in_flight; r; r = next) {
        next = r->next;
        if (r->queue == queue)
            request_unlink(r);
    }
}

void virtio_blk_forget(VirtioBlk *d)
{
    while (d->in_flight)
        request_unlink(d->in_flight);
}

void virtio_blk_drain(VirtioBlk *d)
{
    block_drain(d->block);
    virtio_blk_forget(d);
}
