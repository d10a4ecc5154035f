/*
 * check-counts.c: the refcount table and its blocks, against what was counted.
 *
 * Source: the qcow2 specification, "Host cluster management".
 */
#include <inttypes.h>
#include <stdlib.h>

#include "qcow2/check-impl.h"
#include "qcow2/data-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

/* --- a block ------------------------------------------------------------------------------------------------------ */

/* The clusters that a block counts: those there are. */
static uint64_t clusters_of(const Check *c, uint64_t index)
{
    uint64_t first = index << c->refblock_bits;

    return first < c->clusters ? MIN(c->clusters - first, UINT64_C(1) << c->refblock_bits) : 0;
}

/* --- the table ---------------------------------------------------------------------------------------------------- */

static uint64_t block_offset(const Check *c, uint64_t index)
{
    return c->reftable[index] & REFTABLE_OFFSET;
}

bool check_is_block(const Check *c, uint64_t index)
{
    uint64_t offset = index < c->reftable_size ? block_offset(c, index) : 0;

    return offset && !(offset & (c->cluster_size - 1)) && offset < c->length;
}

bool check_counts_block(const Check *c, uint64_t index)
{
    return check_is_block(c, index) && !(c->reftable[index] & ~REFTABLE_OFFSET);
}

static bool load_table(Check *c, GError **error)
{
    const Qcow2Header *h = c->header;
    g_autoptr(GError) why = NULL;
    size_t octets = 0;

    if (qcow2_header_judge_reftable(c->file, h, &why))
        octets = (size_t)h->reftable_clusters << h->cluster_bits;
    else if (h->reftable_clusters) /* if there is none, whatever it should count is wrong, and that is told */
        check_corrupt(c, 1, "%s", why->message);
    c->reftable_size = octets / 8;
    g_free(c->reftable);
    c->reftable = g_malloc(octets + 1);
    if (octets && !host_file_read(c->file, h->reftable_offset, c->reftable, octets, error))
        return false;
    c->has_table = octets;
    /* A large one is mostly empty, and gone through often. */
    while (c->reftable_size && !c->reftable[c->reftable_size - 1])
        c->reftable_size--;
    for (uint64_t i = 0; i < c->reftable_size; i++)
        c->reftable[i] = GUINT64_FROM_BE(c->reftable[i]);
    return true;
}

static int by_offset(const void *a, const void *b, void *opaque)
{
    const Check *c = opaque;
    uint64_t first = block_offset(c, *(const uint64_t *)a), second = block_offset(c, *(const uint64_t *)b);

    return first < second ? -1 : first > second;
}

static void list_blocks(Check *c)
{
    uint64_t needed = (c->clusters + (UINT64_C(1) << c->refblock_bits) - 1) >> c->refblock_bits;
    bool sorted = true;

    needed = MIN(needed, c->reftable_size);
    g_free(c->blocks);
    c->blocks = g_new(uint64_t, needed);
    c->block_count = 0;
    for (uint64_t i = 0; i < needed; i++) {
        if (!check_is_block(c, i))
            continue;
        if (c->block_count && block_offset(c, c->blocks[c->block_count - 1]) > block_offset(c, i))
            sorted = false;
        c->blocks[c->block_count++] = i;
    }
    if (!sorted)
        g_qsort_with_data(c->blocks, (gint)c->block_count, sizeof *c->blocks, by_offset, c);
}

static uint64_t where_block(ReadMany *many, size_t i)
{
    const Check *c = many->opaque;

    return block_offset(c, c->blocks[i]);
}

static bool each_block(Check *c, bool (*got)(ReadMany *, size_t, uint8_t *, int))
{
    ReadMany many = {c->file, c->block_count, c->cluster_size, where_block, got, c};

    return read_many(&many);
}

static bool note_ones(ReadMany *many, size_t i, uint8_t *block, int read_error)
{
    Check *c = many->opaque;
    uint64_t first = c->blocks[i] << c->refblock_bits, count = clusters_of(c, c->blocks[i]);

    if (read_error) {
        check_unread(c, "refcount block", block_offset(c, c->blocks[i]), g_strerror(read_error));
        return true;
    }
    for (uint64_t k = 0; k < count; k++)
        if (refcount_load(block, c->header->refcount_order, k) == 1)
            bit_set(c->one, first + k);
    return true;
}

bool check_load_counts(Check *c, GError **error)
{
    if (!load_table(c, error))
        return false;
    list_blocks(c);
    each_block(c, note_ones);
    return true;
}

uint64_t check_count(Check *c, uint64_t cluster)
{
    uint64_t index = cluster >> c->refblock_bits, in_block = cluster & ((UINT64_C(1) << c->refblock_bits) - 1);
    uint64_t bit = in_block << c->header->refcount_order, per_sector = (HOST_SECTOR * 8) >> c->header->refcount_order;

    if (!check_is_block(c, index))
        return 0;
    uint64_t at = block_offset(c, index) + (bit / 8 & ~(uint64_t)(HOST_SECTOR - 1));
    if (at != c->far_at) {
        if (!host_file_read(c->file, at, c->far, HOST_SECTOR, NULL))
            return 0;
        c->far_at = at;
    }
    return refcount_load(c->far, c->header->refcount_order, in_block % per_sector);
}

/* --- comparing ---------------------------------------------------------------------------------------------------- */

/* All other references have been counted: a block that there are others to is overwritten by them. */
static void refer_to_blocks(Check *c)
{
    for (uint64_t i = 0; i < c->reftable_size; i++) {
        uint64_t entry = c->reftable[i], offset = block_offset(c, i), at = c->header->reftable_offset + i * 8;

        if (!entry)
            continue;
        if (entry & ~REFTABLE_OFFSET)
            check_corrupt(c, 1, "refcount table entry %" PRIu64 " at 0x%" PRIx64 ": 0x%" PRIx64 " has reserved bits", i,
                          at, entry);
        else if (offset & (c->cluster_size - 1))
            check_corrupt(c, 1,
                          "refcount table entry %" PRIu64 " at 0x%" PRIx64 ": refcount block at 0x%" PRIx64
                          " is not aligned to 0x%x",
                          i, at, offset, c->cluster_size);
        else if (offset >= c->length)
            check_corrupt(c, 1,
                          "refcount table entry %" PRIu64 " at 0x%" PRIx64 ": refcount block at 0x%" PRIx64
                          " is outside of the file, which ends at 0x%" PRIx64,
                          i, at, offset, c->length);
        else {
            check_refer(c, offset, c->cluster_size, 1, REF_METADATA);
            uint64_t references = refs_get(&c->refs, offset >> c->cluster_bits);
            if (references == 1)
                continue;
            check_corrupt(c, 1,
                          "refcount table entry %" PRIu64 " at 0x%" PRIx64 ": refcount block at 0x%" PRIx64 ": %" PRIu64
                          " references, must be the only one",
                          i, at, offset, references);
        }
        c->unsound = true;
    }
}

static void differs(Check *c, uint64_t cluster, uint64_t count, uint64_t references)
{
    const char *s = references == 1 ? "" : "s";
    uint64_t offset = cluster << c->cluster_bits;

    if (count == references) {
        check_corrupt(c, 1,
                      "cluster %" PRIu64 " at offset 0x%" PRIx64 ": %" PRIu64
                      " references, some as data, some as metadata: corrupt",
                      cluster, offset, references);
        return;
    }
    bit_set(c->wrong, cluster);
    if (count > references)
        check_leak(c,
                   "cluster %" PRIu64 " at offset 0x%" PRIx64 ": refcount %" PRIu64 ", %" PRIu64 " reference%s: leaked",
                   cluster, offset, count, references, s);
    else
        check_corrupt(
            c, 1, "cluster %" PRIu64 " at offset 0x%" PRIx64 ": refcount %" PRIu64 ", %" PRIu64 " reference%s: corrupt",
            cluster, offset, count, references, s);
}

static inline void compare(Check *c, uint64_t cluster, uint64_t count, uint64_t *end)
{
    uint64_t references = refs_get(&c->refs, cluster);

    if (G_UNLIKELY(cluster >= c->whole) && !references) /* a count of what is not there does no harm */
        return;
    if (count | references)
        *end = cluster + 1;
    if (count != references || c->refs.counts[cluster] >= (REF_DATA | REF_METADATA))
        differs(c, cluster, count, references);
}

static bool compare_block(ReadMany *many, size_t i, uint8_t *block, int error)
{
    Check *c = many->opaque;
    uint64_t first = c->blocks[i] << c->refblock_bits, count = clusters_of(c, c->blocks[i]), end = 0;

    for (uint64_t k = 0; k < count && !error; k++)
        compare(c, first + k, refcount_load(block, c->header->refcount_order, k), &end);
    c->image_end = MAX(c->image_end, end << c->cluster_bits);
    return true;
}

static void compare_without_block(Check *c, uint64_t index)
{
    uint64_t first = index << c->refblock_bits, count = clusters_of(c, index), end = 0;

    for (uint64_t k = 0; k < count; k++)
        if (c->refs.counts[first + k]) {
            c->unsound = true;
            compare(c, first + k, 0, &end);
        }
    c->image_end = MAX(c->image_end, end << c->cluster_bits);
}

void check_compare_counts(Check *c)
{
    refer_to_blocks(c);
    each_block(c, compare_block);
    for (uint64_t i = 0; i << c->refblock_bits < c->clusters; i++)
        if (!check_is_block(c, i))
            compare_without_block(c, i);
}
