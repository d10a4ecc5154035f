/*
 * check-rebuild.c: a new refcount table and new blocks; a new snapshot table, where that is wrong.
 *
 * They are written to clusters that nothing refers to, neither before nor after; when they are on stable storage, one
 * write of the header's first sector switches to them. See FORMAT.md, "Transactions".
 */
#include <inttypes.h>
#include <string.h>

#include "qcow2/check-impl.h"
#include "qcow2/data-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

#define CHUNK (1u << 20)

enum { AT_TABLE = 48, AT_TABLE_CLUSTERS = 56, AT_SNAPSHOT_COUNT = 60, AT_SNAPSHOTS = 64, AT_INCOMPATIBLE = 72 };

/* The new table comes first, then its blocks, then the snapshot table. */
typedef struct Plan {
    Check *c;
    uint64_t start, clusters;
    uint64_t table_clusters, blocks, snapshot_clusters;
    uint64_t last_index; /* of a block */
} Plan;

bool check_write_header(Check *c, GError **error)
{
    const Qcow2Header *h = c->header;
    uint8_t sector[HOST_SECTOR];

    if (!host_file_read(c->file, 0, sector, sizeof sector, error))
        return false;
    store_be64(sector + AT_TABLE, h->reftable_offset);
    store_be32(sector + AT_TABLE_CLUSTERS, h->reftable_clusters);
    store_be32(sector + AT_SNAPSHOT_COUNT, h->snapshot_count);
    store_be64(sector + AT_SNAPSHOTS, h->snapshots_offset);
    if (h->version >= 3)
        store_be64(sector + AT_INCOMPATIBLE, h->incompatible);
    return host_file_write(c->file, 0, sector, sizeof sector, error) && host_file_sync(c->file, error);
}

/* --- where -------------------------------------------------------------------------------------------------------- */

static bool is_free(const Check *c, uint64_t cluster)
{
    return refs_get(&c->refs, cluster) == 0 && !bit_get(c->wrong, cluster);
}

/* The first gap in the file that is large enough; otherwise behind its end, if it grows. 0: there is none. */
static uint64_t find_room(const Check *c, uint64_t clusters)
{
    uint64_t start = c->whole, run = 0;

    for (uint64_t i = 1; i < c->whole; i++) {
        run = is_free(c, i) ? run + 1 : 0;
        if (run == clusters)
            return i - run + 1;
    }
    if (!c->file->fresh_is_zero)
        return 0;
    while (start < c->clusters && refs_get(&c->refs, start))
        start++;
    return start;
}

static bool has_references(const Check *c, uint64_t index)
{
    uint64_t first = index << c->refblock_bits, end = MIN(c->clusters, (index + 1) << c->refblock_bits);

    for (uint64_t i = first; i < end; i++)
        if (refs_get(&c->refs, i))
            return true;
    return false;
}

static bool is_needed(const Plan *p, uint64_t index)
{
    uint64_t first = p->start >> p->c->refblock_bits, last = (p->start + p->clusters - 1) >> p->c->refblock_bits;

    return (index >= first && index <= last) || has_references(p->c, index);
}

static void count_blocks(Plan *p)
{
    uint64_t last = MAX(p->start + p->clusters, p->c->clusters) >> p->c->refblock_bits;

    p->blocks = 0;
    for (uint64_t i = 0; i <= last; i++)
        if (is_needed(p, i)) {
            p->blocks++;
            p->last_index = i;
        }
    p->table_clusters = ((p->last_index + 1) * 8 + p->c->cluster_size - 1) >> p->c->cluster_bits;
}

static uint64_t all_clusters(const Plan *p)
{
    return p->table_clusters + p->blocks + p->snapshot_clusters;
}

/* The new blocks need room, which may need a block more. */
static bool plan(Plan *p, GError **error)
{
    for (p->clusters = 1 + p->snapshot_clusters;;) {
        p->start = find_room(p->c, p->clusters);
        if (!p->start) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                        "%s: no room for a refcount table and what it needs: %" PRIu64 " clusters in a row",
                        p->c->file->path, p->clusters);
            return false;
        }
        count_blocks(p);
        if (p->table_clusters << p->c->cluster_bits > QCOW2_REFTABLE_MAX) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                        "%s: a refcount table of %" PRIu64 " clusters is needed, at most %u", p->c->file->path,
                        p->table_clusters, QCOW2_REFTABLE_MAX >> p->c->cluster_bits);
            return false;
        }
        if (all_clusters(p) <= p->clusters)
            return true;
        p->clusters = all_clusters(p);
    }
}

/* --- what --------------------------------------------------------------------------------------------------------- */

static void drop(Check *c, uint64_t offset, uint64_t len)
{
    for (uint64_t at = offset; at < offset + len; at += c->cluster_size)
        if (at >> c->cluster_bits < c->clusters)
            refs_drop(&c->refs, at >> c->cluster_bits);
}

static void drop_old(Check *c)
{
    uint64_t offset = c->header->reftable_offset, len = (uint64_t)c->header->reftable_clusters << c->cluster_bits;

    if (c->has_table && offset + len < c->length + c->cluster_size) /* otherwise it was not counted */
        drop(c, offset, len);
    if (c->table_wrong && check_is_inside(c, c->header->snapshots_offset, c->table_octets))
        drop(c, c->header->snapshots_offset, c->table_octets);
    for (uint64_t i = 0; i < c->reftable_size; i++)
        if (check_counts_block(c, i))
            drop(c, c->reftable[i], c->cluster_size);
}

static void fill(const Plan *p, uint64_t index, uint8_t *block)
{
    const Check *c = p->c;
    uint64_t first = index << c->refblock_bits, most = refcount_max(c->header->refcount_order);

    memset(block, 0, c->cluster_size);
    for (uint64_t i = 0; i < UINT64_C(1) << c->refblock_bits; i++) {
        uint64_t cluster = first + i, count = 0;
        if (cluster >= p->start && cluster - p->start < p->clusters)
            count = 1;
        else if (cluster < c->clusters)
            count = refs_get(&c->refs, cluster);
        if (count)
            refcount_store(block, c->header->refcount_order, i, MIN(count, most));
    }
}

static bool write_blocks(Plan *p, uint64_t *table, GError **error)
{
    Check *c = p->c;
    uint64_t at = (p->start + p->table_clusters) << c->cluster_bits;
    size_t room = MAX(CHUNK, c->cluster_size), len = 0;
    g_autofree uint8_t *data = g_malloc(room);

    for (uint64_t i = 0; i <= p->last_index; i++) {
        if (!is_needed(p, i))
            continue;
        table[i] = GUINT64_TO_BE(at + len);
        fill(p, i, data + len);
        len += c->cluster_size;
        if (len < room)
            continue;
        if (!host_file_write(c->file, at, data, len, error))
            return false;
        at += len;
        len = 0;
    }
    return host_file_write(c->file, at, data, len, error);
}

static bool write_snapshots(const Plan *p, uint64_t at, GError **error)
{
    const GByteArray *table = p->c->table;
    uint64_t len = p->snapshot_clusters << p->c->cluster_bits;
    g_autofree uint8_t *whole = g_malloc0(len);

    memcpy(whole, table->data, table->len);
    return host_file_write(p->c->file, at, whole, len, error);
}

bool check_rebuild(Check *c, GError **error)
{
    Plan p = {.c = c};

    if (c->table_wrong)
        p.snapshot_clusters = (c->table->len + c->cluster_size - 1) >> c->cluster_bits;

    if (!plan(&p, error))
        return false;
    g_autofree uint64_t *table = g_malloc0(p.table_clusters << c->cluster_bits);
    drop_old(c);
    /* What the old ones alone needed a block for may need none now. */
    for (count_blocks(&p); all_clusters(&p) < p.clusters; count_blocks(&p))
        p.clusters = all_clusters(&p);
    uint64_t snapshots_at = (p.start + p.table_clusters + p.blocks) << c->cluster_bits;
    if (!write_blocks(&p, table, error) || (c->table_wrong && !write_snapshots(&p, snapshots_at, error)) ||
        !host_file_write(c->file, p.start << c->cluster_bits, table, p.table_clusters << c->cluster_bits, error) ||
        !host_file_sync(c->file, error))
        return false;
    c->header->reftable_offset = p.start << c->cluster_bits;
    c->header->reftable_clusters = (uint32_t)p.table_clusters;
    if (c->table_wrong) {
        c->header->snapshots_offset = snapshots_at;
        c->header->snapshot_count = c->table_count;
    }
    return check_write_header(c, error);
}
