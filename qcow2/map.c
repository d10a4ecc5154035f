/* map.c: from an offset on the disk to one in the file. Source: the qcow2 specification, "Cluster mapping". */
#include <errno.h>
#include <string.h>

#include "qcow2/data-impl.h"
#include "visitors/bytes.h"

uint64_t l2_get(const Qcow2 *q, const Table *t, uint32_t index, uint64_t *bitmap)
{
    const uint8_t *p = t->data + (size_t)index * q->l2_entry;

    *bitmap = q->extended ? load_be64(p + 8) : 0;
    return load_be64(p);
}

void l2_set(const Qcow2 *q, Table *t, uint32_t index, uint64_t entry, uint64_t bitmap)
{
    uint8_t *p = t->data + (size_t)index * q->l2_entry;

    store_be64(p, entry);
    if (q->extended)
        store_be64(p + 8, bitmap);
    cache_dirty(t);
}

static int map_compressed(const Qcow2 *q, uint64_t entry, Mapping *m)
{
    unsigned bits = 62 - (q->cluster_bits - 8);
    uint64_t host = entry & ((UINT64_C(1) << bits) - 1);
    uint64_t sectors = ((entry & ~(ENTRY_COPIED | ENTRY_COMPRESSED)) >> bits) + 1;

    if (host & ~((UINT64_C(1) << 56) - 1))
        return EIO;
    m->kind = MAP_COMPRESSED;
    m->host = host;
    m->host_len = (uint32_t)(sectors * HOST_SECTOR - host % HOST_SECTOR);
    return 0;
}

int map_entry(const Qcow2 *q, uint64_t entry, uint64_t bitmap, unsigned sub, Mapping *m)
{
    uint64_t host = entry & ENTRY_OFFSET;

    if (entry & ENTRY_COMPRESSED)
        return map_compressed(q, entry, m);
    /* In an external file, cluster 0 may be at 0. */
    m->has_room = host || (entry & ENTRY_COPIED && q->header.incompatible & QCOW2_DATA_FILE);
    m->host = host;
    m->in_place = entry & ENTRY_COPIED;
    if (host & (q->cluster_size - 1))
        return EIO;
    if (q->extended) {
        bool allocated = bitmap >> sub & 1, zero = bitmap >> (SUBCLUSTERS + sub) & 1;
        if ((allocated && zero) || (allocated && !m->has_room))
            return EIO;
        m->kind = allocated ? MAP_DATA : zero ? MAP_ZERO : MAP_UNALLOCATED;
    } else if (entry & ENTRY_ZERO && q->header.version >= 3) {
        m->kind = MAP_ZERO;
    } else {
        m->kind = m->has_room ? MAP_DATA : MAP_UNALLOCATED;
    }
    return 0;
}

static bool is_continued(const Mapping *first, const Mapping *next, uint64_t distance)
{
    if (first->kind != next->kind || first->kind == MAP_COMPRESSED || first->has_room != next->has_room ||
        first->in_place != next->in_place)
        return false;
    return !first->has_room || first->host + distance == next->host;
}

/* Entries in one slice, by subclusters where there are any: a cluster is one otherwise. */
static int scan(Qcow2 *q, const Table *t, uint64_t offset, uint64_t len, Mapping *m)
{
    uint64_t unit = UINT64_C(1) << q->sub_bits, end = offset + len;
    uint64_t at = offset & ~(unit - 1), first = at;
    uint32_t in_slice = q->l2.slice / q->l2_entry;
    uint32_t index = l2_index(q, offset >> q->cluster_bits);
    unsigned sub = (unsigned)((at >> q->sub_bits) & (SUBCLUSTERS - 1));

    memset(m, 0, sizeof *m);
    for (bool begun = false; at < end && index < in_slice; begun = true) {
        uint64_t bitmap, entry = l2_get(q, t, index, &bitmap);
        Mapping next = {0};
        int error = map_entry(q, entry, bitmap, sub, &next);
        if (error)
            return begun ? 0 : error;
        if (next.kind != MAP_COMPRESSED && next.has_room)
            next.host += at & (q->cluster_size - 1);
        if (!begun)
            *m = next;
        else if (!is_continued(m, &next, at - first))
            break;
        uint64_t step = next.kind == MAP_COMPRESSED ? q->cluster_size - (at & (q->cluster_size - 1)) : unit;
        at += step;
        if (!(at & (q->cluster_size - 1)))
            index++;
        sub = (unsigned)((at >> q->sub_bits) & (SUBCLUSTERS - 1));
        m->len = MIN(at, end) - offset;
    }
    if (m->kind != MAP_COMPRESSED && m->has_room)
        m->host += offset - first;
    return 0;
}

/* How far the L2 table's range goes from an offset on. */
static uint64_t to_table_end(const Qcow2 *q, uint64_t offset)
{
    uint64_t span = UINT64_C(1) << (q->cluster_bits + q->l2_bits);

    return span - (offset & (span - 1));
}

static uint64_t slice_offset(const Qcow2 *q, uint64_t table, uint64_t guest_cluster)
{
    uint64_t at = (guest_cluster & ((UINT64_C(1) << q->l2_bits) - 1)) * q->l2_entry;

    return table + (at & ~(uint64_t)(q->l2.slice - 1));
}

bool map_at(Qcow2 *q, Tree *tree, uint64_t offset, uint64_t len, Waiter *waiter, Mapping *m, int *error)
{
    uint64_t index = offset >> (q->cluster_bits + q->l2_bits);
    uint64_t entry = index < tree->size ? tree->l1[index] : 0;
    uint64_t table = entry & ENTRY_OFFSET;

    *error = 0;
    if (!table) {
        *m = (Mapping){.kind = MAP_UNALLOCATED, .len = MIN(len, to_table_end(q, offset))};
        return true;
    }
    if (table & (q->cluster_size - 1)) {
        qcow2_mark_corrupt(q, "L1 entry %" G_GUINT64_FORMAT ": L2 table at 0x%" G_GINT64_MODIFIER "x is not aligned",
                           index, table);
        *error = EIO;
        return false;
    }
    Table *t = cache_get(&q->l2, slice_offset(q, table, offset >> q->cluster_bits), waiter, error);
    if (!t)
        return false;
    *error = scan(q, t, offset, len, m);
    if (*error)
        qcow2_mark_corrupt(q,
                           "L2 table at 0x%" G_GINT64_MODIFIER "x: the entry for disk offset 0x%" G_GINT64_MODIFIER
                           "x makes no sense",
                           table, offset);
    return !*error;
}

bool backing_shows(const Qcow2 *q, const Tree *tree, uint64_t offset)
{
    return q->image.backing && offset < MIN(q->image.backing->length, tree->disk_size);
}

bool map_reads_zeros(const Qcow2 *q, const Tree *tree, MapKind kind, uint64_t offset)
{
    return kind == MAP_ZERO || (kind == MAP_UNALLOCATED && !backing_shows(q, tree, offset));
}

/* --- tables of our own ------------------------------------------------------------------------------------------ */

static void set_l1(Tree *tree, uint64_t index, uint64_t entry)
{
    tree->l1[index] = entry;
    if (!tree->dirty)
        return;
    uint64_t sector = index * 8 / HOST_SECTOR;
    tree->dirty[sector / 8] |= (uint8_t)(1 << sector % 8);
    tree->any_dirty = true;
}

/* A copy of a table that others have, too. All of its slices must be in memory at one moment. */
static bool copy_table(Qcow2 *q, Tree *tree, uint64_t index, Waiter *waiter, int *error)
{
    uint64_t old = tree->l1[index] & ENTRY_OFFSET, host, got;
    bool fresh;

    g_autoptr(GPtrArray) slices = g_ptr_array_new();
    for (uint64_t at = 0; old && at < q->cluster_size; at += q->l2.slice) {
        Table *t = cache_get(&q->l2, old + at, waiter, error);
        if (t)
            t->pins++;
        else
            break;
        g_ptr_array_add(slices, t);
    }
    bool whole = !old || (uint64_t)slices->len * q->l2.slice == q->cluster_size;
    whole = whole && alloc_clusters(q, 1, waiter, &host, &got, &fresh, error);
    for (uint64_t at = 0; whole && at < q->cluster_size; at += q->l2.slice)
        cache_put(&q->l2, host + at, old ? ((Table *)slices->pdata[at / q->l2.slice])->data : NULL);
    for (guint i = 0; i < slices->len; i++)
        ((Table *)slices->pdata[i])->pins--;
    if (!whole)
        return false;
    set_l1(tree, index, host | ENTRY_COPIED);
    if (old)
        free_later(q, old, q->cluster_size, false);
    return true;
}

Table *l2_writable(Qcow2 *q, Tree *tree, uint64_t guest_cluster, Waiter *waiter, int *error)
{
    uint64_t index = guest_cluster >> q->l2_bits;

    *error = 0;
    if (index >= tree->size) {
        *error = ENOSPC;
        return NULL;
    }
    if (!(tree->l1[index] & ENTRY_COPIED) && !copy_table(q, tree, index, waiter, error))
        return NULL;
    return cache_get(&q->l2, slice_offset(q, tree->l1[index] & ENTRY_OFFSET, guest_cluster), waiter, error);
}
