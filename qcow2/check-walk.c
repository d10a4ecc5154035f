/*
 * check-walk.c: L1 and L2 tables: every entry is judged, and what it refers to is counted.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "qcow2/check-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

#define CHUNK           (1u << 20)
#define MISALIGNED_MOST 256u /* L2 tables that are looked at though they are where none can be */

/* --- ranges: parts of the file that are tables, and may be the same ----------------------------------------------- */

typedef struct Edge {
    uint64_t at;
    int32_t times, active;
} Edge;

static int by_place(const void *a, const void *b)
{
    const Edge *first = a, *second = b;

    return first->at < second->at ? -1 : first->at > second->at;
}

/* The same octets are read once, however many tables they belong to. */
GArray *check_disjoint(const GArray *ranges)
{
    GArray *out = g_array_new(FALSE, FALSE, sizeof(Range));
    g_autofree Edge *edges = g_new(Edge, (size_t)ranges->len * 2);
    Range now = {0};

    for (unsigned i = 0; i < ranges->len; i++) {
        const Range *r = &g_array_index(ranges, Range, i);
        edges[2 * i] = (Edge){r->start, (int32_t)r->times, (int32_t)r->active};
        edges[2 * i + 1] = (Edge){r->end, -(int32_t)r->times, -(int32_t)r->active};
    }
    if (ranges->len)
        qsort(edges, (size_t)ranges->len * 2, sizeof *edges, by_place);
    for (size_t i = 0; i < (size_t)ranges->len * 2; i++) {
        now.end = edges[i].at;
        if (now.times && now.end > now.start)
            g_array_append_val(out, now);
        now.start = edges[i].at;
        now.times += (uint32_t)edges[i].times;
        now.active += (uint32_t)edges[i].active;
    }
    return out;
}

static void each_entry(Check *c, const GArray *ranges, void (*entry)(Check *, const Range *, uint64_t, uint64_t))
{
    g_autoptr(GArray) parts = check_disjoint(ranges);
    g_autofree uint8_t *data = parts->len ? g_malloc(CHUNK) : NULL;
    g_autoptr(GError) error = NULL;

    for (unsigned i = 0; i < parts->len; i++) {
        const Range *r = &g_array_index(parts, Range, i);
        for (uint64_t at = r->start, len, hole; at < MIN(r->end, c->length); at += len) {
            len = MIN(CHUNK, r->end - at);
            if (host_file_is_hole(c->file, at, r->end - at, &hole) && hole >= 8) {
                len = hole & ~UINT64_C(7);
                continue;
            }
            if (!host_file_read(c->file, at, data, len, &error)) {
                check_unread(c, "table", at, error->message);
                g_clear_error(&error);
                continue;
            }
            for (uint64_t k = 0; k < len; k += 8)
                if (load_be64(data + k))
                    entry(c, r, at + k, load_be64(data + k));
        }
    }
}

/* --- L1 ----------------------------------------------------------------------------------------------------------- */

/* Has the cluster a count of one? Then nobody else refers to it, and the flag must be set. */
static bool is_one(Check *c, uint64_t cluster)
{
    return G_LIKELY(cluster < c->clusters) ? bit_get(c->one, cluster) : check_count(c, cluster) == 1;
}

static void copied(Check *c, uint64_t times, const char *table, uint64_t at, uint64_t entry, bool one)
{
    if (one == !!(entry & ENTRY_COPIED))
        return;
    c->copied_wrong += times;
    check_corrupt(c, times,
                  "%s entry at 0x%" PRIx64 ": 0x%" PRIx64 " %s COPIED, but the refcount of the cluster is %s1", table,
                  at, entry, one ? "has not" : "has", one ? "" : "not ");
}

static void l1_wrong(Check *c, const Range *r, uint64_t at, uint64_t entry, bool inside)
{
    uint64_t offset = entry & ENTRY_OFFSET, number = (at - c->header->l1_offset) / 8;
    g_autofree char *name = r->active ? g_strdup_printf("L1 entry %" PRIu64 " at 0x%" PRIx64, number, at)
                                      : g_strdup_printf("L1 entry of a snapshot at 0x%" PRIx64, at);

    if ((entry & L1_RESERVED) || !offset)
        c->repairable += r->times;
    if (entry & L1_RESERVED)
        check_corrupt(c, r->times, "%s: 0x%" PRIx64 " has reserved bits", name, entry);
    else if (!offset)
        check_corrupt(c, r->times, "%s: 0x%" PRIx64 " has flags, but there is no L2 table", name, entry);
    if (offset & (c->cluster_size - 1))
        check_corrupt(c, r->times, "%s: L2 table at 0x%" PRIx64 " is not aligned to 0x%x", name, offset,
                      c->cluster_size);
    if (!inside)
        check_corrupt(c, r->times, "%s: L2 table at 0x%" PRIx64 " is outside of the file, which ends at 0x%" PRIx64,
                      name, offset, c->length);
}

static void l1_entry(Check *c, const Range *r, uint64_t at, uint64_t entry)
{
    L2Ref ref = {entry & ENTRY_OFFSET, r->times, r->active};
    bool inside = !ref.offset || check_refer(c, ref.offset, c->cluster_size, r->times, REF_METADATA);

    if ((entry & L1_RESERVED) || !ref.offset || (ref.offset & (c->cluster_size - 1)) || !inside)
        l1_wrong(c, r, at, entry, inside);
    if (!ref.offset)
        return;
    if (r->active)
        copied(c, r->active, "L1", at, entry, is_one(c, ref.offset >> c->cluster_bits));
    if (!inside)
        return;
    /* Tables at all offsets could overlap, and take longer than the whole file. */
    if ((ref.offset & (c->cluster_size - 1)) && ++c->misaligned > MISALIGNED_MOST)
        c->blind = true;
    else
        g_array_append_val(c->l2, ref);
}

static int by_l2_offset(const void *a, const void *b)
{
    const L2Ref *first = a, *second = b;

    return first->offset < second->offset ? -1 : first->offset > second->offset;
}

static uint32_t sum(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* Each table once. */
static void merge_l2(Check *c)
{
    L2Ref *refs = (L2Ref *)(void *)c->l2->data;
    unsigned count = 0;

    if (c->l2->len)
        qsort(refs, c->l2->len, sizeof *refs, by_l2_offset);
    for (unsigned i = 0; i < c->l2->len; i++) {
        if (count && refs[count - 1].offset == refs[i].offset) {
            refs[count - 1].times = sum(refs[count - 1].times, refs[i].times);
            refs[count - 1].active = sum(refs[count - 1].active, refs[i].active);
        } else {
            refs[count++] = refs[i];
        }
    }
    g_array_set_size(c->l2, count);
}

/* --- L2 ----------------------------------------------------------------------------------------------------------- */

typedef struct Walk {
    Check *c;
    const L2Ref *ref;
    uint64_t at; /* of the entry */
    uint64_t allocated, fragmented, compressed;
    uint64_t next; /* where data would go on */
} Walk;

static void compressed_entry(Walk *w, const Entry *e)
{
    Check *c = w->c;
    uint32_t times = w->ref->times;

    if (c->data_file) {
        check_corrupt(c, times, "L2 entry at 0x%" PRIx64 ": a compressed cluster, but there is an external data file",
                      w->at);
        return;
    }
    if (e->bitmap) { /* which is not looked at when it is read */
        check_corrupt(c, times, "L2 entry at 0x%" PRIx64 ": a compressed cluster with subclusters 0x%" PRIx64, w->at,
                      e->bitmap);
        c->repairable += times;
    }
    if (e->entry & ENTRY_COPIED) {
        check_corrupt(c, times, "L2 entry at 0x%" PRIx64 ": 0x%" PRIx64 " is compressed, but has COPIED", w->at,
                      e->entry);
        c->repairable += times;
    }
    if (!check_refer(c, e->offset, e->len, times, REF_DATA))
        check_corrupt(c, times,
                      "L2 entry at 0x%" PRIx64 ": compressed cluster of 0x%" PRIx64 " octets at 0x%" PRIx64
                      " is outside of the file, which ends at 0x%" PRIx64,
                      w->at, e->len, e->offset, c->length);
    w->allocated++;
    w->fragmented++;
    w->compressed++;
}

static void data_entry(Walk *w, const Entry *e)
{
    Check *c = w->c;
    uint32_t times = w->ref->times;
    bool sound = true;

    if (G_UNLIKELY(e->offset & (c->cluster_size - 1))) {
        check_corrupt(c, times, "L2 entry at 0x%" PRIx64 ": %s at 0x%" PRIx64 " is not aligned to 0x%x", w->at,
                      e->zeros ? "cluster kept for zeros" : "data", e->offset, c->cluster_size);
        sound = false;
    }
    if (!c->data_file && !check_refer(c, e->offset, c->cluster_size, times, REF_DATA)) {
        check_corrupt(c, times,
                      "L2 entry at 0x%" PRIx64 ": %s at 0x%" PRIx64 " is outside of the file, which ends at 0x%" PRIx64,
                      w->at, e->zeros ? "cluster kept for zeros" : "data", e->offset, c->length);
        sound = false;
    }
    if (G_UNLIKELY(check_both(e))) {
        check_corrupt(c, times, "L2 entry at 0x%" PRIx64 ": subclusters 0x%" PRIx64 " are both data and zeros", w->at,
                      e->bitmap);
        c->repairable += times;
    }
    if (!sound && e->zeros)
        c->repairable += times;
    if (w->ref->active)
        copied(c, w->ref->active, "L2", w->at, e->entry, c->data_file || is_one(c, e->offset >> c->cluster_bits));
    w->allocated++;
    if (w->next && w->next != e->offset)
        w->fragmented++;
    w->next = e->offset + c->cluster_size;
}

static void l2_entry(Walk *w, uint64_t value, uint64_t bitmap)
{
    Check *c = w->c;
    Entry e;

    check_entry(c, value, bitmap, &e);
    if (e.kind == ENTRY_IS_COMPRESSED) {
        compressed_entry(w, &e);
        return;
    }
    if (G_UNLIKELY(value & L2_RESERVED)) {
        check_corrupt(c, w->ref->times, "L2 entry at 0x%" PRIx64 ": 0x%" PRIx64 " has reserved bits", w->at, value);
        c->repairable += w->ref->times;
    }
    if (e.kind == ENTRY_IS_DATA)
        data_entry(w, &e);
    else if (bitmap & UINT32_MAX) {
        check_corrupt(c, w->ref->times,
                      "L2 entry at 0x%" PRIx64 ": subclusters 0x%" PRIx64 " have data, but there is no cluster", w->at,
                      bitmap);
        if (check_both(&e))
            c->repairable += w->ref->times;
    }
}

static uint64_t where_l2(ReadMany *many, size_t i)
{
    const Check *c = many->opaque;

    return g_array_index(c->l2, L2Ref, i).offset;
}

static bool walk_l2(ReadMany *many, size_t i, uint8_t *data, int read_error)
{
    Check *c = many->opaque;
    const L2Ref *ref = &g_array_index(c->l2, L2Ref, i);
    Walk w = {.c = c, .ref = ref};

    if (read_error) {
        check_unread(c, "L2 table", ref->offset, g_strerror(read_error));
        return true;
    }
    for (uint32_t at = 0; at < c->cluster_size; at += c->l2_entry) {
        uint64_t entry = load_be64(data + at), bitmap = c->extended ? load_be64(data + at + 8) : 0;
        if (!(entry | bitmap))
            continue;
        w.at = ref->offset + at;
        l2_entry(&w, entry, bitmap);
    }
    c->allocated += w.allocated * ref->active;
    c->fragmented += w.fragmented * ref->active;
    c->compressed += w.compressed * ref->active;
    if ((++c->l2_done & 63) == 0 && c->loud && c->result->progress)
        c->stopped = !c->result->progress(c->result->opaque, (double)c->l2_done / c->l2->len);
    return !c->stopped;
}

static void bitmap_entry(Check *c, const Range *r, uint64_t at, uint64_t entry)
{
    uint64_t offset = entry & ENTRY_OFFSET;

    if ((entry & ~ENTRY_OFFSET & ~UINT64_C(1)) || (offset && (entry & 1)))
        check_corrupt(c, r->times, "bitmap table entry at 0x%" PRIx64 ": 0x%" PRIx64 " has reserved bits", at, entry);
    if (offset & (c->cluster_size - 1))
        check_corrupt(c, r->times,
                      "bitmap table entry at 0x%" PRIx64 ": cluster at 0x%" PRIx64 " is not aligned to 0x%x", at,
                      offset, c->cluster_size);
    if (offset && !check_refer(c, offset, c->cluster_size, r->times, REF_METADATA))
        check_corrupt(c, r->times,
                      "bitmap table entry at 0x%" PRIx64 ": cluster at 0x%" PRIx64
                      " is outside of the file, which ends at 0x%" PRIx64,
                      at, offset, c->length);
}

bool check_walk(Check *c, GError **error)
{
    ReadMany many = {.file = c->file, .len = c->cluster_size, .where = where_l2, .got = walk_l2, .opaque = c};

    g_array_set_size(c->l2, 0);
    each_entry(c, c->l1_ranges, l1_entry);
    merge_l2(c);
    each_entry(c, c->bitmap_ranges, bitmap_entry);
    c->l2_done = 0;
    many.count = c->l2->len;
    if (!read_many(&many)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: the check was stopped", c->file->path);
        return false;
    }
    return true;
}
