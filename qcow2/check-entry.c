/*
 * check-entry.c: what an L2 entry says. Source: the qcow2 specification, "Cluster mapping".
 */
#include "qcow2/check-impl.h"

#define BITMAP_DATA UINT64_C(0xffffffff) /* of an extended entry: subclusters that have data */

static void compressed(const Check *c, Entry *e)
{
    unsigned offset_bits = 62 - (c->cluster_bits - 8);
    uint64_t sectors = (e->entry & (ENTRY_COMPRESSED - 1)) >> offset_bits;

    e->kind = ENTRY_IS_COMPRESSED;
    e->offset = e->entry & ((UINT64_C(1) << offset_bits) - 1);
    e->len = (sectors + 1) * 512 - (e->offset & 511);
}

void check_entry(const Check *c, uint64_t entry, uint64_t bitmap, Entry *out)
{
    *out = (Entry){.entry = entry, .bitmap = bitmap, .offset = entry & ENTRY_OFFSET, .len = c->cluster_size};
    if (entry & ENTRY_COMPRESSED) {
        compressed(c, out);
        return;
    }
    out->zeros = c->extended ? !(bitmap & BITMAP_DATA) : entry & ENTRY_ZERO;
    /* The first cluster of a data file may be in use: the flag says so. */
    if (out->offset || (c->data_file && (entry & ENTRY_COPIED)))
        out->kind = ENTRY_IS_DATA;
}
