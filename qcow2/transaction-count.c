/*
 * transaction-count.c: refcounts in a transaction. Source: the qcow2 specification, "Host cluster management".
 *
 * A block moves when its first count changes. That changes the counts of where it was and where it goes, in blocks
 * that move, too; each moves once, so that it comes to an end. New places are sought from a cursor on that never turns
 * back, among clusters that were free before; so they are free in both worlds, and the search needs to look at the old
 * counts only.
 */
#include "qcow2/transaction-impl.h"

#include <inttypes.h>
#include <string.h>

#include "visitors/error.h"

#define BLOCKS_LEAST 8u     /* in memory, however small the cache of counts is */
#define RELEASED_MAX 65536u /* ranges; of more, the room stays taken in the host's file until it is written anew */

static uint64_t block_of(const Qcow2 *q, uint64_t cluster)
{
    return cluster >> q->refblock_bits;
}

static uint64_t index_in_block(const Qcow2 *q, uint64_t cluster)
{
    return cluster & ((UINT64_C(1) << q->refblock_bits) - 1);
}

static uint64_t count_max(const Qcow2 *q)
{
    return q->refcount_order == 6 ? UINT64_MAX : (UINT64_C(1) << (1u << q->refcount_order)) - 1;
}

static bool damaged(const Transaction *t, GError **error, uint64_t cluster, const char *what)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "%s: cluster @0x%" PRIx64 ": %s; the image must be checked",
                t->q->image.file->path, cluster << t->q->cluster_bits, what);
    return false;
}

/* --- the old counts --------------------------------------------------------------------------------------------- */

/* Counts that lie together in memory, for as long as nothing else is read. */
typedef struct Slice {
    uint64_t first, end; /* clusters */
    const uint8_t *data; /* NULL: all are 0 */
} Slice;

static bool old_slice(const Transaction *t, uint64_t cluster, Slice *slice, GError **error)
{
    Qcow2 *q = t->q;
    uint64_t block = block_of(q, cluster), offset = block < q->reftable_size ? q->reftable[block] & REFTABLE_OFFSET : 0;
    uint64_t count = ((uint64_t)q->refblocks.slice * 8) >> q->refcount_order, index = index_in_block(q, cluster);

    *slice = (Slice){.first = cluster & ~(count - 1)};
    slice->end = slice->first + count;
    if (!offset)
        return true;
    if (offset & (q->cluster_size - 1))
        return damaged(t, error, offset >> q->cluster_bits, "a refcount block that is not aligned");
    const Table *table = cache_get_now(&q->refblocks, offset + index / count * q->refblocks.slice, error);
    if (table)
        slice->data = table->data;
    return table;
}

static uint64_t slice_count(const Transaction *t, const Slice *slice, uint64_t cluster)
{
    return slice->data ? refcount_load(slice->data, t->q->refcount_order, cluster - slice->first) : 0;
}

static bool old_count(const Transaction *t, uint64_t cluster, uint64_t *count, GError **error)
{
    Slice slice;

    if (!old_slice(t, cluster, &slice, error))
        return false;
    *count = slice_count(t, &slice, cluster);
    return true;
}

/* --- new places ------------------------------------------------------------------------------------------------- */

static bool no_place(const Transaction *t, uint64_t count, uint64_t most, GError **error)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                "%s: no room for %" PRIu64 " clusters of tables: the image cannot have more than %" PRIu64,
                t->q->image.file->path, count, most);
    return false;
}

/* Clusters in a row that were free, behind all that was given out. Their counts stay as they are. */
static bool find_place(Transaction *t, uint64_t count, uint64_t *cluster, GError **error)
{
    const Qcow2 *q = t->q;
    uint64_t most = MIN((uint64_t)QCOW2_REFTABLE_MAX / 8 << q->refblock_bits, (UINT64_C(1) << 56) >> q->cluster_bits);
    uint64_t run = 0, at = t->cursor;
    Slice slice = {0, 0, NULL};

    for (; run < count && at < most; at++) {
        if (at >= q->reftable_size << q->refblock_bits) {
            at += count - run; /* nothing was ever counted from here on */
            run = count;
            break;
        }
        if (at >= slice.end && !old_slice(t, at, &slice, error))
            return false;
        run = slice_count(t, &slice, at) ? 0 : run + 1;
    }
    if (run < count || at > most)
        return no_place(t, count, most, error);
    *cluster = at - count;
    t->cursor = at;
    return qcow2_may_allocate(t->q, *cluster, count) || damaged(t, error, *cluster, "is in use, but its refcount is 0");
}

/* --- blocks ----------------------------------------------------------------------------------------------------- */

static void moved(Transaction *t, uint64_t cluster, int delta)
{
    Range range = {cluster, (uint64_t)(int64_t)delta};

    g_array_append_val(t->moved, range);
}

static bool block_load(Transaction *t, Block *b, uint64_t from, GError **error)
{
    uint32_t size = t->q->cluster_size;
    uint64_t most = MAX((uint64_t)t->q->refblocks.capacity * t->q->refblocks.slice / size, BLOCKS_LEAST);
    uint8_t *data;

    while (t->loaded >= most) {
        Block *old = g_queue_pop_head_link(&t->lru)->data;
        if (old->dirty)
            transaction_write(t, old->to, g_steal_pointer(&old->data), size);
        g_clear_pointer(&old->data, g_free);
        old->dirty = false;
        t->loaded--;
    }
    data = g_malloc0(size);
    /* What was written early may not have arrived yet. */
    if (from && ((from == b->to && !transaction_wait(t, error)) ||
                 !host_file_read(t->q->image.file, from, data, size, error))) {
        g_free(data);
        return false;
    }
    b->data = data;
    b->lru = (GList){.data = b};
    g_queue_push_tail_link(&t->lru, &b->lru);
    t->loaded++;
    return true;
}

static bool block_move(Transaction *t, uint64_t index, Block **block, GError **error)
{
    Qcow2 *q = t->q;
    uint64_t from = index < q->reftable_size ? q->reftable[index] & REFTABLE_OFFSET : 0, place;

    if (from & (q->cluster_size - 1))
        return damaged(t, error, from >> q->cluster_bits, "a refcount block that is not aligned");
    if (!find_place(t, 1, &place, error))
        return false;
    Block *b = g_new0(Block, 1);
    b->index = index;
    b->from = from;
    b->to = place << q->cluster_bits;
    if (!block_load(t, b, from, error)) {
        g_free(b);
        return false;
    }
    b->dirty = true;
    if (index >= t->blocks->len)
        g_ptr_array_set_size(t->blocks, (gint)index + 1);
    t->blocks->pdata[index] = b;
    moved(t, place, 1);
    if (from)
        moved(t, from >> q->cluster_bits, -1);
    *block = b;
    return true;
}

/* The block that has a cluster's count, to be changed. */
static Block *block_get(Transaction *t, uint64_t cluster, GError **error)
{
    uint64_t index = block_of(t->q, cluster);
    Block *b = index < t->blocks->len ? t->blocks->pdata[index] : NULL;

    if (!b)
        return block_move(t, index, &b, error) ? b : NULL;
    if (!b->data)
        return block_load(t, b, b->to, error) ? b : NULL;
    if (t->lru.tail != &b->lru) {
        g_queue_unlink(&t->lru, &b->lru);
        g_queue_push_tail_link(&t->lru, &b->lru);
    }
    return b;
}

/* --- counts ----------------------------------------------------------------------------------------------------- */

bool transaction_count(Transaction *t, uint64_t cluster, uint64_t *count, GError **error)
{
    uint64_t index = block_of(t->q, cluster);

    if (index >= t->blocks->len || !t->blocks->pdata[index])
        return old_count(t, cluster, count, error);
    Block *b = block_get(t, cluster, error);
    if (b)
        *count = refcount_load(b->data, t->q->refcount_order, index_in_block(t->q, cluster));
    return b;
}

static void release(Transaction *t, uint64_t cluster)
{
    t->lowest = MIN(t->lowest, cluster);
    Range *last = t->released->len ? &g_array_index(t->released, Range, t->released->len - 1) : NULL;

    if (last && last->first + last->count == cluster)
        last->count++;
    else if (t->released->len < RELEASED_MAX)
        g_array_append_val(t->released, ((Range){cluster, 1}));
}

/* A count of 0 where there is a reference; it may have become that in this transaction. */
static bool judge_zero(Transaction *t, uint64_t cluster, int delta, GError **error)
{
    uint64_t old = 0;

    if (delta > 0 && !old_count(t, cluster, &old, error))
        return false;
    return old || damaged(t, error, cluster, "is in use, but its refcount is 0");
}

static bool too_many(const Transaction *t, uint64_t cluster, uint64_t count, GError **error)
{
    const Qcow2 *q = t->q;

    g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                "%s: cluster @0x%" PRIx64 ": a refcount of %" PRIu64 " cannot become more: refcounts of this image "
                "have %u bits",
                q->image.file->path, cluster << q->cluster_bits, count, 1u << q->refcount_order);
    return false;
}

/* Counts of one block. ours: clusters that were just given out. */
static bool change_in_block(Transaction *t, uint64_t first, uint64_t count, int delta, bool ours, GError **error)
{
    const Qcow2 *q = t->q;
    uint64_t index = index_in_block(q, first), most = count_max(q);

    /* No block for a number that nobody has counted, whatever it is. */
    if (!ours && block_of(q, first) >= MAX(q->reftable_size, t->blocks->len))
        return damaged(t, error, first, "is in use, but its refcount is 0");
    Block *b = block_get(t, first, error);
    if (!b)
        return false;
    b->dirty = true;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t now = refcount_load(b->data, q->refcount_order, index + i);
        if (now == 0 && !ours && !judge_zero(t, first + i, delta, error))
            return false;
        if (delta > 0 && now == most)
            return too_many(t, first + i, now, error);
        refcount_store(b->data, q->refcount_order, index + i, now + (uint64_t)(int64_t)delta);
        if (now == 1 && delta < 0)
            release(t, first + i);
    }
    return true;
}

static bool change(Transaction *t, uint64_t first, uint64_t count, int delta, bool ours, GError **error)
{
    uint64_t per_block = UINT64_C(1) << t->q->refblock_bits;

    while (count) {
        uint64_t now = MIN(count, per_block - index_in_block(t->q, first));
        if (!change_in_block(t, first, now, delta, ours, error))
            return false;
        first += now;
        count -= now;
    }
    return true;
}

bool transaction_ref(Transaction *t, uint64_t cluster, uint64_t count, int delta, GError **error)
{
    return change(t, cluster, count, delta, false, error);
}

bool transaction_alloc(Transaction *t, uint64_t count, uint64_t *host, GError **error)
{
    uint64_t cluster;

    if (!find_place(t, count, &cluster, error) || !change(t, cluster, count, 1, true, error))
        return false;
    *host = cluster << t->q->cluster_bits;
    return true;
}

/* --- the refcount table ------------------------------------------------------------------------------------------- */

static bool follow(Transaction *t, GError **error)
{
    for (guint i = 0; i < t->moved->len; i++) { /* it grows meanwhile */
        Range range = g_array_index(t->moved, Range, i);
        if (!change(t, range.first, 1, (int)(int64_t)range.count, (int64_t)range.count > 0, error))
            return false;
    }
    g_array_set_size(t->moved, 0);
    return true;
}

static uint64_t table_clusters(const Transaction *t)
{
    uint64_t entries = MAX(t->q->reftable_size, t->blocks->len);

    return cluster_round_up(t->q, entries * 8) >> t->q->cluster_bits;
}

static void write_reftable(Transaction *t)
{
    const Qcow2 *q = t->q;
    size_t octets = (size_t)t->header.reftable_clusters << q->cluster_bits;
    uint8_t *table = g_malloc0(octets);

    for (uint64_t i = 0; i < octets / 8; i++) {
        const Block *b = i < t->blocks->len ? t->blocks->pdata[i] : NULL;
        uint64_t entry = b ? b->to : i < q->reftable_size ? q->reftable[i] : 0;
        entry = GUINT64_TO_BE(entry);
        memcpy(table + i * 8, &entry, sizeof entry);
    }
    transaction_write(t, t->header.reftable_offset, table, octets);
}

bool transaction_settle(Transaction *t, GError **error)
{
    Qcow2 *q = t->q;
    uint64_t old = q->header.reftable_offset >> q->cluster_bits, host = 0, clusters = 0;

    if (!follow(t, error))
        return false;
    if (!t->blocks->len)
        return true;
    if (!transaction_ref(t, old, q->header.reftable_clusters, -1, error) || !follow(t, error))
        return false;
    /* Its place may lie in a new block, for which the table may be too small. */
    while (clusters < table_clusters(t)) {
        if (clusters && !transaction_ref(t, host >> q->cluster_bits, clusters, -1, error))
            return false;
        clusters = table_clusters(t);
        if (!transaction_alloc(t, clusters, &host, error) || !follow(t, error))
            return false;
    }
    if (clusters << q->cluster_bits > QCOW2_REFTABLE_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                    "%s: the refcount table would need %" PRIu64 " clusters, at most %u", q->image.file->path, clusters,
                    QCOW2_REFTABLE_MAX >> q->cluster_bits);
        return false;
    }
    t->header.reftable_offset = host;
    t->header.reftable_clusters = (uint32_t)clusters;
    write_reftable(t);
    for (GList *l = t->lru.head; l; l = l->next) {
        Block *b = l->data;
        if (b->dirty)
            transaction_write(t, b->to, g_memdup2(b->data, q->cluster_size), q->cluster_size);
        b->dirty = false;
    }
    return true;
}

void transaction_counts_done(Transaction *t)
{
    for (guint i = 0; i < t->blocks->len; i++) {
        Block *b = t->blocks->pdata[i];
        if (b)
            g_free(b->data);
        g_free(b);
    }
    g_ptr_array_unref(t->blocks);
    g_array_unref(t->moved);
    g_array_unref(t->released);
    g_array_unref(t->stale);
}
