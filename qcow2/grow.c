/*
 * grow.c: a longer refcount table.
 *
 * The new table lies where the old one's counts end, with the blocks that count it; nothing can be there yet. It is
 * written and synced, then the header refers to it. Requests that allocate wait meanwhile.
 */
#include <errno.h>
#include <string.h>

#include "qcow2/data-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

typedef struct Plan {
    uint64_t start;         /* cluster */
    uint64_t blocks, table; /* clusters */
    uint64_t entries;       /* of the table */
} Plan;

static bool plan(const Qcow2 *q, Plan *p)
{
    uint64_t per_block = UINT64_C(1) << q->refblock_bits, per_table = q->cluster_size / 8;

    p->start = q->reftable_size << q->refblock_bits;
    p->blocks = 1;
    for (;;) {
        uint64_t needed = MAX(q->reftable_size * 2, q->reftable_size + p->blocks);
        p->table = (needed + per_table - 1) / per_table;
        p->entries = p->table * per_table;
        if (p->blocks * per_block >= p->blocks + p->table)
            break;
        p->blocks++;
    }
    return p->entries * 8 <= QCOW2_REFTABLE_MAX;
}

/* The blocks, as octets: one after the other, each counting itself and what follows. */
static bool write_blocks(Qcow2 *q, const Plan *p, GError **error)
{
    uint64_t used = p->blocks + p->table;
    g_autofree uint8_t *block = g_malloc(q->cluster_size);

    for (uint64_t i = 0; i < p->blocks; i++) {
        uint64_t first = i << q->refblock_bits;
        memset(block, 0, q->cluster_size);
        for (uint64_t k = first; k < MIN(used, first + (UINT64_C(1) << q->refblock_bits)); k++)
            refcount_store(block, q->refcount_order, k - first, 1);
        if (!host_file_write(q->image.file, (p->start + i) << q->cluster_bits, block, q->cluster_size, error))
            return false;
    }
    return true;
}

static bool write_table(Qcow2 *q, const Plan *p, uint64_t *table, GError **error)
{
    g_autofree uint8_t *octets = g_malloc0(p->entries * 8);

    memcpy(table, q->reftable, q->reftable_size * 8);
    for (uint64_t i = 0; i < p->blocks; i++)
        table[q->reftable_size + i] = (p->start + i) << q->cluster_bits;
    for (uint64_t i = 0; i < p->entries; i++)
        store_be64(octets + i * 8, table[i]);
    return host_file_write(q->image.file, (p->start + p->blocks) << q->cluster_bits, octets, p->entries * 8, error);
}

static bool grow(Qcow2 *q, GError **error)
{
    Plan p;

    if (!plan(q, &p)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                    "%s: its refcount table would have %" G_GUINT64_FORMAT " entries, at most %u", q->image.file->path,
                    p.entries, QCOW2_REFTABLE_MAX / 8);
        return false;
    }
    g_autofree uint64_t *table = g_new0(uint64_t, p.entries);
    uint64_t old = q->header.reftable_offset;
    uint32_t old_clusters = q->header.reftable_clusters;
    if (!qcow2_commit_now(q, error) || !write_blocks(q, &p, error) || !write_table(q, &p, table, error) ||
        !host_file_sync(q->image.file, error))
        return false;
    q->header.reftable_offset = (p.start + p.blocks) << q->cluster_bits;
    q->header.reftable_clusters = (uint32_t)p.table;
    if (!qcow2_write_header(q, error) || !host_file_sync(q->image.file, error)) {
        /* Which of the two the file has is not known. */
        q->broken = true;
        return false;
    }
    g_free(q->reftable);
    g_free(q->reftable_dirty);
    q->reftable = g_steal_pointer(&table);
    q->reftable_size = p.entries;
    q->reftable_dirty = g_malloc0(p.entries * 8 / HOST_SECTOR / 8 + 1);
    q->fresh_from = MAX(q->fresh_from, p.start + p.blocks + p.table);
    free_later(q, old, (uint64_t)old_clusters << q->cluster_bits, false);
    return true;
}

void reftable_grow_if_wanted(Qcow2 *q)
{
    g_autoptr(GError) error = NULL;

    if (!q->wants_growth || q->growing)
        return;
    q->growing = true;
    bool grown = grow(q, &error);
    q->wants_growth = q->growing = false;
    waiters_resume(&q->growth_waiters, grown                                                    ? 0
                                       : g_error_matches(error, FERRY_ERROR, FERRY_ERROR_LIMIT) ? EFBIG
                                                                                                : EIO);
}
