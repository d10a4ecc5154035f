/*
 * overlap.c: is a cluster that was found free in truth a table? Then the refcounts lie, and to write there would
 * destroy the image.
 *
 * Looked up for every allocation: the header, the active L1 table, the refcount table, its blocks, the snapshot table,
 * the L1 tables of snapshots, and the L2 tables of the active disk. The list is made when the tables are read, or have
 * moved; it need not know tables that were added since, which were counted here. What it finds is looked up again
 * in the tables as they are now, for a table may be gone.
 */
#include <stdlib.h>
#include <string.h>

#include "qcow2/data-impl.h"

typedef struct Span {
    uint64_t first, end; /* clusters */
} Span;

struct Overlap {
    uint64_t *tables; /* clusters of L2 tables and refcount blocks, ascending */
    size_t table_count;
    Span *spans; /* of other metadata, ascending, apart */
    size_t span_count;
    /* what it was made of */
    const void *l1, *reftable, *snapshots;
    uint64_t snapshots_offset;
};

void overlap_free(struct Overlap *o)
{
    if (!o)
        return;
    g_free(o->tables);
    g_free(o->spans);
    g_free(o);
}

/* --- making it ---------------------------------------------------------------------------------------------------- */

static Span span_of(const Qcow2 *q, uint64_t offset, uint64_t len)
{
    if (!len || offset > UINT64_MAX - len)
        return (Span){0, 0};
    return (Span){offset >> q->cluster_bits, ((offset + len - 1) >> q->cluster_bits) + 1};
}

static uint64_t snapshot_table_len(const Qcow2 *q)
{
    uint64_t len = 0;

    for (unsigned i = 0; q->snapshots && i < q->snapshots->len; i++) {
        const Qcow2Snapshot *s = g_ptr_array_index(q->snapshots, i);
        uint64_t extra = s->extra ? g_bytes_get_size(s->extra) : 0;
        len += (40 + extra + strlen(s->id) + strlen(s->name) + 7) & ~UINT64_C(7);
    }
    return len;
}

/* The header, the L1 table, the refcount table, the snapshot table: always four. */
static void fixed_spans(const Qcow2 *q, Span spans[4])
{
    spans[0] = (Span){0, 1};
    spans[1] = span_of(q, q->active.offset, (uint64_t)q->active.size * 8);
    spans[2] = span_of(q, q->header.reftable_offset, q->reftable_size * 8);
    spans[3] = span_of(q, q->header.snapshots_offset, snapshot_table_len(q));
}

static Span snapshot_span(const Qcow2 *q, unsigned i)
{
    const Qcow2Snapshot *s = g_ptr_array_index(q->snapshots, i);

    return span_of(q, s->l1_offset, (uint64_t)s->l1_size * 8);
}

static int by_cluster(const void *a, const void *b)
{
    uint64_t first = *(const uint64_t *)a, second = *(const uint64_t *)b;

    return first < second ? -1 : first > second;
}

static void add_tables(struct Overlap *o, const Qcow2 *q, const uint64_t *entries, uint64_t count, uint64_t mask)
{
    for (uint64_t i = 0; i < count; i++)
        if (entries[i] & mask)
            o->tables[o->table_count++] = (entries[i] & mask) >> q->cluster_bits;
}

static uint64_t count_tables(const uint64_t *entries, uint64_t count, uint64_t mask)
{
    uint64_t n = 0;

    for (uint64_t i = 0; i < count; i++)
        n += !!(entries[i] & mask);
    return n;
}

static void add_spans(struct Overlap *o, const Qcow2 *q)
{
    unsigned snapshots = q->snapshots ? q->snapshots->len : 0;
    size_t n = 0;

    o->spans = g_new(Span, 4 + (size_t)snapshots);
    fixed_spans(q, o->spans);
    for (unsigned i = 0; i < snapshots; i++)
        o->spans[4 + i] = snapshot_span(q, i);
    qsort(o->spans, 4 + (size_t)snapshots, sizeof *o->spans, by_cluster);
    for (unsigned i = 0; i < 4 + snapshots; i++) {
        if (n && o->spans[i].first <= o->spans[n - 1].end)
            o->spans[n - 1].end = MAX(o->spans[n - 1].end, o->spans[i].end);
        else
            o->spans[n++] = o->spans[i];
    }
    o->span_count = n;
}

static struct Overlap *overlap_new(const Qcow2 *q)
{
    struct Overlap *o = g_new0(struct Overlap, 1);
    uint64_t count = count_tables(q->active.l1, q->active.size, ENTRY_OFFSET) +
                     count_tables(q->reftable, q->reftable_size, REFTABLE_OFFSET);

    o->tables = g_new(uint64_t, count);
    add_tables(o, q, q->active.l1, q->active.size, ENTRY_OFFSET);
    add_tables(o, q, q->reftable, q->reftable_size, REFTABLE_OFFSET);
    if (count)
        qsort(o->tables, o->table_count, sizeof *o->tables, by_cluster);
    add_spans(o, q);
    o->l1 = q->active.l1;
    o->reftable = q->reftable;
    o->snapshots = q->snapshots;
    o->snapshots_offset = q->header.snapshots_offset;
    return o;
}

static bool is_current(const struct Overlap *o, const Qcow2 *q)
{
    return o && o->l1 == q->active.l1 && o->reftable == q->reftable && o->snapshots == q->snapshots &&
           o->snapshots_offset == q->header.snapshots_offset;
}

/* --- asking it ---------------------------------------------------------------------------------------------------- */

static bool meets(Span a, Span b)
{
    return a.first < b.end && b.first < a.end;
}

static bool in_tables(const Qcow2 *q, const uint64_t *entries, uint64_t count, uint64_t mask, Span s)
{
    for (uint64_t i = 0; i < count; i++)
        if ((entries[i] & mask) && meets(s, span_of(q, entries[i] & mask, q->cluster_size)))
            return true;
    return false;
}

/* As it is now. NULL: it is none. */
static const char *what_is_there(const Qcow2 *q, Span s)
{
    static const char *const names[] = {"the header", "the L1 table", "the refcount table", "the snapshot table"};
    Span spans[4];

    fixed_spans(q, spans);
    for (unsigned i = 0; i < 4; i++)
        if (meets(s, spans[i]))
            return names[i];
    if (in_tables(q, q->reftable, q->reftable_size, REFTABLE_OFFSET, s))
        return "a refcount block";
    if (in_tables(q, q->active.l1, q->active.size, ENTRY_OFFSET, s))
        return "an L2 table";
    for (unsigned i = 0; q->snapshots && i < q->snapshots->len; i++)
        if (meets(s, snapshot_span(q, i)))
            return "the L1 table of a snapshot";
    return NULL;
}

static bool may_meet(const struct Overlap *o, Span s)
{
    size_t low = 0, high = o->table_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (o->tables[middle] < s.first)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < o->table_count && o->tables[low] < s.end)
        return true;
    for (low = 0, high = o->span_count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (o->spans[middle].end <= s.first)
            low = middle + 1;
        else
            high = middle;
    }
    return low < o->span_count && o->spans[low].first < s.end;
}

const char *qcow2_overlaps_metadata(Qcow2 *q, uint64_t offset, uint64_t len)
{
    Span s = span_of(q, offset, len);

    if (!is_current(q->overlap, q)) {
        overlap_free(q->overlap);
        q->overlap = overlap_new(q);
    }
    return may_meet(q->overlap, s) ? what_is_there(q, s) : NULL;
}
