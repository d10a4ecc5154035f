/* refcount.c: counts of clusters: allocation, and what is freed later. Source: the qcow2 specification, "Host cluster
 * management"; FORMAT.md, "The order of writes". */
#include <errno.h>
#include <string.h>

#include "qcow2/data-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

#define CLUSTER_LIMIT (UINT64_C(1) << 56) /* octets: no entry refers to what is behind */

void refcount_store(void *block, unsigned order, uint64_t index, uint64_t value)
{
    uint8_t *p = block;
    unsigned shift = (unsigned)((index << order) & 7), mask = (1u << (1u << MIN(order, 3))) - 1;

    switch (order) {
    case 3:
        p[index] = (uint8_t)value;
        break;
    case 4:
        store_be16(p + index * 2, (uint16_t)value);
        break;
    case 5:
        store_be32(p + index * 4, (uint32_t)value);
        break;
    case 6:
        store_be64(p + index * 8, value);
        break;
    default:
        p += index << order >> 3;
        *p = (uint8_t)((*p & ~(mask << shift)) | (unsigned)value << shift);
    }
}

uint64_t refcount_max(unsigned order)
{
    return order == 6 ? UINT64_MAX : (UINT64_C(1) << (1u << order)) - 1;
}

/* --- slices of blocks --------------------------------------------------------------------------------------------- */

static uint64_t counts_in_slice(const Qcow2 *q)
{
    return (uint64_t)q->refblocks.slice * 8 >> q->refcount_order;
}

static uint64_t slice_of(const Qcow2 *q, uint64_t block, uint64_t cluster)
{
    uint64_t at = (cluster & ((UINT64_C(1) << q->refblock_bits) - 1)) << q->refcount_order >> 3;

    return block + (at & ~(uint64_t)(q->refblocks.slice - 1));
}

static void set_reftable(Qcow2 *q, uint64_t index, uint64_t block)
{
    uint64_t sector = index * 8 / HOST_SECTOR;

    q->reftable[index] = block;
    q->reftable_dirty[sector / 8] |= (uint8_t)(1 << sector % 8);
    q->any_reftable_dirty = true;
}

/* The slice with a cluster's count; NULL and no error and *absent: there is no block, so that the count is 0. */
static Table *slice_get(Qcow2 *q, uint64_t cluster, Waiter *waiter, bool *absent, int *error)
{
    uint64_t index = cluster >> q->refblock_bits;
    uint64_t block = index < q->reftable_size ? q->reftable[index] & REFTABLE_OFFSET : 0;

    *error = 0;
    *absent = !block;
    if (!block)
        return NULL;
    if (block & (q->cluster_size - 1)) {
        qcow2_mark_corrupt(
            q, "refcount table entry %" G_GUINT64_FORMAT ": block at 0x%" G_GINT64_MODIFIER "x is not aligned", index,
            block);
        *error = EIO;
        return NULL;
    }
    return cache_get(&q->refblocks, slice_of(q, block, cluster), waiter, error);
}

/* --- allocation --------------------------------------------------------------------------------------------------- */

/* A new block for the counts from `cluster` on, none of which is in use, at that cluster itself. */
static void add_block(Qcow2 *q, uint64_t cluster)
{
    uint64_t host = cluster << q->cluster_bits;

    for (uint64_t at = 0; at < q->cluster_size; at += q->refblocks.slice)
        cache_put(&q->refblocks, host + at, NULL);
    int error;
    Table *t = cache_get(&q->refblocks, slice_of(q, host, cluster), NULL, &error);
    refcount_store(t->data, q->refcount_order, cluster & (counts_in_slice(q) - 1), 1);
    set_reftable(q, cluster >> q->refblock_bits, host);
    q->fresh_from = MAX(q->fresh_from, cluster + 1);
}

static uint64_t run_of_zeros(const Qcow2 *q, const Table *t, uint64_t index, uint64_t want)
{
    uint64_t most = MIN(want, counts_in_slice(q) - index), run = 0;

    while (run < most && !refcount_load(t->data, q->refcount_order, index + run))
        run++;
    return run;
}

/* The first count of 0 from `index` on; counts_in_slice: there is none. */
static uint64_t find_zero(const Qcow2 *q, const Table *t, uint64_t index)
{
    uint64_t count = counts_in_slice(q);

    while (index < count && refcount_load(t->data, q->refcount_order, index))
        index++;
    return index;
}

static bool wait_for_growth(Qcow2 *q, Waiter *waiter)
{
    q->wants_growth = true;
    waiter_queue(&q->growth_waiters, waiter);
    return false;
}

bool alloc_clusters(Qcow2 *q, uint64_t want, Waiter *waiter, uint64_t *host, uint64_t *got, bool *fresh, int *error)
{
    *error = q->broken ? EIO : 0;
    if (*error)
        return false;
    for (;;) {
        uint64_t cluster = q->free_hint, first = cluster & ~(counts_in_slice(q) - 1);
        bool absent;
        if (cluster >= CLUSTER_LIMIT >> q->cluster_bits) {
            *error = EFBIG;
            return false;
        }
        if (cluster >> q->refblock_bits >= q->reftable_size || q->wants_growth)
            return wait_for_growth(q, waiter);
        Table *t = slice_get(q, cluster, waiter, &absent, error);
        if (absent) {
            add_block(q, cluster);
            continue;
        }
        if (!t)
            return false;
        uint64_t index = find_zero(q, t, cluster - first), run = run_of_zeros(q, t, index, want);
        q->free_hint = first + index;
        if (!run)
            continue;
        cluster = first + index;
        if (!qcow2_may_allocate(q, cluster, run)) {
            *error = EIO;
            return false;
        }
        if (cluster < q->fresh_from && cluster + run > q->fresh_from)
            run = q->fresh_from - cluster;
        for (uint64_t i = 0; i < run; i++)
            refcount_store(t->data, q->refcount_order, index + i, 1);
        cache_dirty(t);
        q->free_hint = cluster + run;
        *fresh = q->image.file->fresh_is_zero && cluster >= q->fresh_from;
        q->fresh_from = MAX(q->fresh_from, cluster + run);
        *host = cluster << q->cluster_bits;
        *got = run;
        return true;
    }
}

/* One more compressed cluster lies in this one. False: it cannot have more, the waiter waits, or *error is set. */
static bool share(Qcow2 *q, uint64_t cluster, Waiter *waiter, bool *full, int *error)
{
    bool absent;
    Table *t = slice_get(q, cluster, waiter, &absent, error);

    *full = false;
    if (!t)
        return false;
    uint64_t index = cluster & (counts_in_slice(q) - 1), count = refcount_load(t->data, q->refcount_order, index);
    *full = !count || count == refcount_max(q->refcount_order);
    if (*full)
        return false;
    refcount_store(t->data, q->refcount_order, index, count + 1);
    cache_dirty(t);
    return true;
}

bool alloc_octets(Qcow2 *q, uint32_t octets, Waiter *waiter, uint64_t *host, int *error)
{
    uint64_t room = -q->compress_at & (q->cluster_size - 1), got;
    bool full, fresh;

    if (q->compress_at && octets <= room) {
        if (share(q, q->compress_at >> q->cluster_bits, waiter, &full, error)) {
            *host = q->compress_at;
            q->compress_at += octets;
            return true;
        }
        if (!full)
            return false;
    }
    /* They fit into a cluster, always; what is left of the last one stays empty. */
    if (!alloc_clusters(q, 1, waiter, host, &got, &fresh, error))
        return false;
    q->compress_at = *host + octets;
    if (octets == q->cluster_size)
        q->compress_at = 0;
    return true;
}

/* --- what is freed ------------------------------------------------------------------------------------------------ */

typedef struct Freed {
    Waiter waiter; /* first */
    Qcow2 *q;
    uint64_t cluster, count;
    uint64_t sequence; /* requests before this may still read or write there */
    bool punch;
    enum { FREED_NEW, FREED_STAGED, FREED_GONE } state; /* the reference: in memory only, being committed, gone */
    bool under_way;
    uint64_t ready; /* clusters whose counts can go down: those that are punched have been */
    HostIo io;
    GList link;
} Freed;

static void freed_resumed(Waiter *w, int error);

void free_later(Qcow2 *q, uint64_t host, uint64_t len, bool punch)
{
    uint64_t cluster = host >> q->cluster_bits, count = ((host + len - 1) >> q->cluster_bits) - cluster + 1;
    Freed *last = q->freed.tail ? q->freed.tail->data : NULL;

    if (last && last->state == FREED_NEW && last->cluster + last->count == cluster && last->punch == punch) {
        last->count += count;
        last->sequence = q->sequence;
        return;
    }
    Freed *f = g_new0(Freed, 1);
    f->q = q;
    f->waiter.resume = freed_resumed;
    f->cluster = cluster;
    f->count = count;
    f->sequence = q->sequence;
    f->punch = punch;
    f->link.data = f;
    g_queue_push_tail_link(&q->freed, &f->link);
}

void free_entry_later(Qcow2 *q, uint64_t entry, bool punch)
{
    Mapping m = {0};

    if (entry & ENTRY_COMPRESSED) {
        if (map_entry(q, entry, 0, 0, &m) == 0)
            free_later(q, m.host, m.host_len, false);
    } else if (entry & ENTRY_OFFSET && !(q->header.incompatible & QCOW2_DATA_FILE)) {
        free_later(q, entry & ENTRY_OFFSET, q->cluster_size, punch);
    }
}

void alloc_undo(Qcow2 *q, uint64_t host, uint64_t count)
{
    if (!(q->header.incompatible & QCOW2_DATA_FILE))
        free_later(q, host, count << q->cluster_bits, false);
}

/* One count goes down. False: it waits, or cannot be. */
static bool lower(Freed *f)
{
    Qcow2 *q = f->q;
    bool absent;
    int error;
    Table *t = slice_get(q, f->cluster, &f->waiter, &absent, &error);
    uint64_t index = f->cluster & (counts_in_slice(q) - 1);

    if (!t && !absent && !error)
        return false;
    uint64_t count = t ? refcount_load(t->data, q->refcount_order, index) : 0;
    if (!count) {
        if (!error)
            qcow2_mark_corrupt(q, "cluster at 0x%" G_GINT64_MODIFIER "x is freed, but its refcount is 0",
                               f->cluster << q->cluster_bits);
    } else {
        refcount_store(t->data, q->refcount_order, index, count - 1);
        cache_dirty(t);
        if (count == 1) {
            cache_forget(&q->l2, f->cluster << q->cluster_bits, q->cluster_size);
            q->free_hint = MIN(q->free_hint, f->cluster);
            if (q->compress_at >> q->cluster_bits == f->cluster)
                q->compress_at = 0;
        }
    }
    f->cluster++;
    f->count--;
    return true;
}

static void punched(HostIo *io, int error);

/* Those of the clusters that come first and that nobody else refers to are punched. False: it waits. */
static bool punch(Freed *f)
{
    Qcow2 *q = f->q;
    uint64_t run = 0;
    bool absent;
    int error;
    Table *t = slice_get(q, f->cluster, &f->waiter, &absent, &error);

    if (!t && !absent && !error)
        return false;
    uint64_t index = f->cluster & (counts_in_slice(q) - 1), most = MIN(f->count, counts_in_slice(q) - index);
    while (t && run < most && refcount_load(t->data, q->refcount_order, index + run) == 1)
        run++;
    f->ready = MAX(run, 1);
    if (!run)
        return true;
    f->io = (HostIo){
        .op = HOST_PUNCH, .offset = f->cluster << q->cluster_bits, .len = run << q->cluster_bits, .done = punched};
    host_file_submit(q->image.file, &f->io);
    return false;
}

static void freed_step(Freed *f)
{
    Qcow2 *q = f->q;

    while (f->count) {
        if (f->punch && !f->ready && !punch(f))
            return;
        if (!lower(f))
            return;
        f->ready -= MIN(f->ready, 1);
    }
    g_queue_unlink(&q->freed, &f->link);
    g_free(f);
}

static void freed_resumed(Waiter *w, int error)
{
    Freed *f = (Freed *)w;

    /* Its count cannot be read: the cluster leaks. */
    if (error) {
        f->cluster++;
        f->count--;
        f->ready -= MIN(f->ready, 1);
    }
    freed_step(f);
}

static void punched(HostIo *io, int error)
{
    (void)error; /* the room is not given back, which harms nobody */
    freed_step((Freed *)((char *)io - offsetof(Freed, io)));
}

void freed_apply(Qcow2 *q)
{
    const DataRequest *oldest = q->requests.head ? q->requests.head->data : NULL;

    for (GList *l = q->freed.head, *next; l; l = next) {
        Freed *f = l->data;
        next = l->next;
        if (f->state != FREED_GONE || f->under_way || (oldest && oldest->sequence < f->sequence))
            continue;
        f->under_way = true;
        freed_step(f);
    }
}

bool freed_any(const Qcow2 *q, bool fresh_only)
{
    for (const GList *l = q->freed.head; l; l = l->next)
        if (!fresh_only || ((const Freed *)l->data)->state == FREED_NEW)
            return true;
    return false;
}

void freed_stage(Qcow2 *q)
{
    for (GList *l = q->freed.head; l; l = l->next)
        if (((Freed *)l->data)->state == FREED_NEW)
            ((Freed *)l->data)->state = FREED_STAGED;
}

void freed_staged(Qcow2 *q, bool gone)
{
    for (GList *l = q->freed.head; l; l = l->next)
        if (((Freed *)l->data)->state == FREED_STAGED)
            ((Freed *)l->data)->state = gone ? FREED_GONE : FREED_NEW;
}
