/*
 * check-areas.c: what the header refers to: the tables themselves, bitmaps, an encryption header; snapshots:
 * check-snapshots.c.
 *
 * Source: the qcow2 specification, "Bitmaps", "Header extensions". What these tables have is read bit by
 * bit, so that no number in them is asked for as memory.
 */
#include <inttypes.h>

#include "qcow2/check-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

enum { BITMAP_ENTRY = 24 };

bool check_damaged(const Check *c, GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "%s: %s", c->file->path, text);
    return false;
}

/* Counts what lies there, later: the same place may be told of very often. */
bool check_refer_alone(Check *c, uint64_t offset, uint64_t len)
{
    Range clusters = {offset >> c->cluster_bits, ((offset + len - 1) >> c->cluster_bits) + 1, 1, 0};

    if (!check_is_inside(c, offset, len))
        return false;
    if (len)
        g_array_append_val(c->alone, clusters);
    return true;
}

static void count_alone(Check *c)
{
    GArray *told = c->alone;

    c->alone = check_disjoint(told);
    g_array_unref(told);
    for (unsigned i = 0; i < c->alone->len; i++) {
        const Range *r = &g_array_index(c->alone, Range, i);
        for (uint64_t cluster = r->start; cluster < r->end; cluster++)
            refs_add(&c->refs, cluster, r->times, REF_METADATA);
    }
}

/* A count that is right says nothing if two tables lie on each other. Data on tables has been found already. */
void check_alone(Check *c)
{
    for (unsigned i = 0; i < c->alone->len; i++) {
        const Range *r = &g_array_index(c->alone, Range, i);
        for (uint64_t cluster = r->start; cluster < r->end; cluster++) {
            uint64_t references = refs_get(&c->refs, cluster);
            if (references == 1 || bit_get(c->wrong, cluster) || (c->refs.counts[cluster] & REF_DATA))
                continue;
            check_corrupt(c, 1,
                          "cluster %" PRIu64 " at offset 0x%" PRIx64 ": %" PRIu64
                          " references to a table that is written in place, must be the only one",
                          cluster, cluster << c->cluster_bits, references);
        }
    }
}

void check_area(Check *c, const char *what, uint64_t offset, uint64_t len)
{
    if (!check_refer_alone(c, offset, len))
        check_corrupt(c, 1,
                      "%s: 0x%" PRIx64 " octets at 0x%" PRIx64 " are outside of the file, which ends at 0x%" PRIx64,
                      what, len, offset, c->length);
}

void check_add_range(GArray *ranges, const Check *c, uint64_t offset, uint64_t len, bool active)
{
    /* Behind the end of the file there is nothing; a last entry that it cuts ends with zeros. */
    Range r = {offset, MIN(offset + len, (c->length + 7) & ~UINT64_C(7)), 1, active};

    if (offset < c->length)
        g_array_append_val(ranges, r);
}

/* --- bitmaps ------------------------------------------------------------------------------------------------------ */

static void bitmap_table(Check *c, uint64_t at, uint64_t offset, uint32_t size)
{
    uint64_t len = (uint64_t)size * 8;

    if (offset & (c->cluster_size - 1))
        check_corrupt(c, 1, "bitmap at 0x%" PRIx64 ": table at 0x%" PRIx64 " is not aligned to 0x%x", at, offset,
                      c->cluster_size);
    if (!check_refer_alone(c, offset, len))
        check_corrupt(c, 1,
                      "bitmap at 0x%" PRIx64 ": table of 0x%" PRIx64 " octets at 0x%" PRIx64
                      " is outside of the file, which ends at 0x%" PRIx64,
                      at, len, offset, c->length);
    else
        check_add_range(c->bitmap_ranges, c, offset, len, false);
}

/* The extension counts only while the feature bit says that it is kept up to date. */
static bool bitmaps(Check *c, GError **error)
{
    GBytes *extension = qcow2_header_extension(c->header, QCOW2_EXT_BITMAPS);
    gsize len = 0;
    const uint8_t *data = extension ? g_bytes_get_data(extension, &len) : NULL;

    if (!data || !(c->header->autoclear & QCOW2_BITMAPS))
        return true;
    if (len < 24)
        return check_damaged(c, error, "the bitmaps extension has %zu octets, needs 24", len);
    uint32_t count = load_be32(data);
    uint64_t size = load_be64(data + 8), offset = load_be64(data + 16), at = offset;
    if (count > QCOW2_BITMAPS_MAX || (offset & (c->cluster_size - 1)) || offset >= c->length)
        return check_damaged(c, error, "a directory of %u bitmaps at 0x%" PRIx64 ", where it cannot be", count, offset);
    if (size > c->length)
        return check_damaged(c, error, "a bitmap directory of 0x%" PRIx64 " octets, but the file has 0x%" PRIx64, size,
                             c->length);
    check_area(c, "bitmap directory", offset, size);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t entry[BITMAP_ENTRY];
        if (at - offset > size || size - (at - offset) < sizeof entry)
            return check_damaged(c, error, "bitmap %u at 0x%" PRIx64 " is behind the end of the directory", i + 1, at);
        if (!host_file_read(c->file, at, entry, sizeof entry, error))
            return false;
        bitmap_table(c, at, load_be64(entry), load_be32(entry + 8));
        at += (BITMAP_ENTRY + (uint64_t)load_be16(entry + 18) + load_be32(entry + 20) + 7) & ~UINT64_C(7);
    }
    return true;
}

static void encryption(Check *c)
{
    GBytes *extension = qcow2_header_extension(c->header, QCOW2_EXT_ENCRYPTION);
    gsize len = 0;
    const uint8_t *data = extension ? g_bytes_get_data(extension, &len) : NULL;

    if (data && len >= 16 && c->header->crypt_method)
        check_area(c, "encryption header", load_be64(data), load_be64(data + 8));
}

bool check_areas(Check *c, GError **error)
{
    const Qcow2Header *h = c->header;

    g_array_set_size(c->l1_ranges, 0);
    g_array_set_size(c->bitmap_ranges, 0);
    check_area(c, "header", 0, c->cluster_size);
    check_area(c, "L1 table", h->l1_offset, (uint64_t)h->l1_size * 8);
    if (c->has_table)
        check_area(c, "refcount table", h->reftable_offset, (uint64_t)h->reftable_clusters << h->cluster_bits);
    check_add_range(c->l1_ranges, c, h->l1_offset, (uint64_t)h->l1_size * 8, true);
    encryption(c);
    if (!check_snapshots(c, error) || !bitmaps(c, error))
        return false;
    count_alone(c);
    return true;
}
