/*
 * check-repair.c: what is wrong is put right, in an order that a crash can end anywhere.
 *
 * First entries lose bits that mean nothing, and places that nothing is read from; only then counts go down. A count is
 * changed in its block, unless the table or the blocks are themselves in the way of something: then they are made anew.
 * Flags COPIED follow the counts, at last. Each step ends with a sync and another pass. What is not repaired: entries
 * whose data is elsewhere than they say, since nobody knows where; to drop them would make zeros of what may be found.
 * Tables that something else lies on are left alone.
 */
#include <inttypes.h>
#include <string.h>

#include "qcow2/check-impl.h"
#include "qcow2/data-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

bool check_write_changes(Check *c, uint64_t offset, const uint8_t *old, const uint8_t *new, size_t len, GError **error)
{
    size_t at = 0, end;

    for (; at < len; at = end) {
        for (end = at; end < len; end += HOST_SECTOR)
            if (memcmp(old + end, new + end, MIN(HOST_SECTOR, len - end)) == 0)
                break;
        if (end > at && !host_file_write(c->file, offset + at, new + at, MIN(end, len) - at, error))
            return false;
        if (end == at)
            end += HOST_SECTOR;
    }
    return true;
}

/* Is the cluster a table, as often as is known, and nothing else? */
static bool is_sound(const Check *c, uint64_t offset, uint64_t times)
{
    uint64_t cluster = offset >> c->cluster_bits;

    return !(offset & (c->cluster_size - 1)) && cluster < c->clusters && !(c->refs.counts[cluster] & REF_DATA) &&
           refs_get(&c->refs, cluster) == times;
}

/* --- entries ------------------------------------------------------------------------------------------------------ */

typedef struct Fixer {
    uint64_t (*l1)(Check *c, uint64_t entry);
    uint64_t (*l2)(Check *c, const Entry *e, uint64_t *bitmap);
    bool only_active;
} Fixer;

static bool is_outside(const Check *c, const Entry *e)
{
    uint64_t end = e->offset + e->len;

    return !c->data_file && end > c->length && end - c->length >= c->cluster_size;
}

static uint64_t strip_l1(Check *c, uint64_t entry)
{
    (void)c;
    return entry & ENTRY_OFFSET ? entry & ~L1_RESERVED : 0;
}

/* Subclusters that are both data and zeros are data where there is a cluster: nothing is lost then. */
static uint64_t strip_l2(Check *c, const Entry *e, uint64_t *bitmap)
{
    if (e->kind == ENTRY_IS_COMPRESSED) {
        *bitmap = 0;
        return e->entry & ~ENTRY_COPIED;
    }
    if (e->kind == ENTRY_IS_DATA && e->zeros && ((e->offset & (c->cluster_size - 1)) || is_outside(c, e)))
        return c->extended ? 0 : ENTRY_ZERO;
    *bitmap &= ~(e->kind == ENTRY_IS_DATA ? check_both(e) << SUBCLUSTERS : check_both(e));
    return e->entry & ~L2_RESERVED;
}

/* As the count is. To be without it does no harm; it is set only where the count is right. */
static uint64_t flag(Check *c, uint64_t entry, uint64_t cluster)
{
    bool one;

    if (cluster >= c->clusters)
        one = check_count(c, cluster) == 1 && (entry & ENTRY_COPIED);
    else if (bit_get(c->one, cluster) && bit_get(c->wrong, cluster))
        return entry;
    else
        one = bit_get(c->one, cluster);
    return one ? entry | ENTRY_COPIED : entry & ~ENTRY_COPIED;
}

static uint64_t flag_l1(Check *c, uint64_t entry)
{
    uint64_t offset = entry & ENTRY_OFFSET;

    return offset ? flag(c, entry, offset >> c->cluster_bits) : entry;
}

static uint64_t flag_l2(Check *c, const Entry *e, uint64_t *bitmap)
{
    (void)bitmap;
    if (e->kind != ENTRY_IS_DATA)
        return e->entry;
    return c->data_file ? e->entry | ENTRY_COPIED : flag(c, e->entry, e->offset >> c->cluster_bits);
}

static bool fix_l1(Check *c, const Fixer *fixer, const Range *r, GError **error)
{
    g_autofree uint8_t *old = g_malloc(c->cluster_size), *new = g_malloc(c->cluster_size);
    uint32_t len;

    for (uint64_t at = r->start; at < r->end; at += len) {
        len = (uint32_t)MIN(r->end - at, c->cluster_size);
        if (!is_sound(c, at, 1))
            continue;
        if (!host_file_read(c->file, at, old, len, error))
            return false;
        memcpy(new, old, len);
        for (uint32_t i = 0; i + 8 <= len; i += 8)
            store_be64(new + i, fixer->l1(c, load_be64(old + i)));
        /* whole sectors: what is behind the table in the last one stays */
        if (!check_write_changes(c, at, old, new, len, error))
            return false;
    }
    return true;
}

static bool fix_l2(Check *c, const Fixer *fixer, const L2Ref *ref, uint8_t *old, uint8_t *new, GError **error)
{
    if (!is_sound(c, ref->offset, ref->times))
        return true;
    if (!host_file_read(c->file, ref->offset, old, c->cluster_size, error))
        return false;
    memcpy(new, old, c->cluster_size);
    for (uint32_t at = 0; at < c->cluster_size; at += c->l2_entry) {
        uint64_t bitmap = c->extended ? load_be64(old + at + 8) : 0;
        Entry e;
        if (!(load_be64(old + at) | bitmap))
            continue;
        check_entry(c, load_be64(old + at), bitmap, &e);
        store_be64(new + at, fixer->l2(c, &e, &bitmap));
        if (c->extended)
            store_be64(new + at + 8, bitmap);
    }
    return check_write_changes(c, ref->offset, old, new, c->cluster_size, error);
}

static bool fix_entries(Check *c, const Fixer *fixer, GError **error)
{
    g_autofree uint8_t *old = g_malloc(c->cluster_size), *new = g_malloc(c->cluster_size);

    for (unsigned i = 0; i < c->l1_ranges->len; i++) {
        const Range *r = &g_array_index(c->l1_ranges, Range, i);
        if ((r->active || !fixer->only_active) && !fix_l1(c, fixer, r, error))
            return false;
    }
    for (unsigned i = 0; i < c->l2->len; i++) {
        const L2Ref *ref = &g_array_index(c->l2, L2Ref, i);
        if ((ref->active || !fixer->only_active) && !fix_l2(c, fixer, ref, old, new, error))
            return false;
    }
    return host_file_sync(c->file, error);
}

/* --- counts ------------------------------------------------------------------------------------------------------- */

static bool fix_block(Check *c, uint64_t index, bool raise, bool lower, GError **error)
{
    uint64_t first = index << c->refblock_bits, end = MIN(c->clusters, (index + 1) << c->refblock_bits);
    uint64_t offset = c->reftable[index] & REFTABLE_OFFSET, most = refcount_max(c->header->refcount_order);
    g_autofree uint8_t *old = NULL, *new = NULL;

    if (!is_sound(c, offset, 1))
        return true;
    for (uint64_t i = first; i < end; i++) {
        if (!bit_get(c->wrong, i))
            continue;
        if (!old) {
            old = g_malloc(c->cluster_size);
            if (!host_file_read(c->file, offset, old, c->cluster_size, error))
                return false;
            new = g_memdup2(old, c->cluster_size);
        }
        uint64_t count = refcount_load(old, c->header->refcount_order, i - first), references = refs_get(&c->refs, i);
        if (count < references ? raise : lower)
            refcount_store(new, c->header->refcount_order, i - first, MIN(references, most));
    }
    return !old || check_write_changes(c, offset, old, new, c->cluster_size, error);
}

static bool fix_counts(Check *c, unsigned repair, GError **error)
{
    bool all = repair & QCOW2_REPAIR_ALL;

    if ((c->unsound || c->table_wrong) && all && !c->blind)
        return check_rebuild(c, error);
    /* What counts as a leak may be a block of a table that is not to be trusted, or a snapshot that is to be lost. */
    if ((c->unsound || c->table_wrong) && !all)
        return true;
    for (size_t i = 0; i < c->block_count; i++)
        if (!fix_block(c, c->blocks[i], all, !c->blind, error))
            return false;
    return host_file_sync(c->file, error);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static bool steps(Check *c, unsigned repair, GError **error)
{
    static const Fixer strip = {strip_l1, strip_l2, false}, flags = {flag_l1, flag_l2, true};

    if ((repair & QCOW2_REPAIR_ALL) && c->repairable && (!fix_entries(c, &strip, error) || !check_pass(c, error)))
        return false;
    if ((c->corruptions > c->copied_wrong || c->leaks) && (!fix_counts(c, repair, error) || !check_pass(c, error)))
        return false;
    if (c->copied_wrong && (!fix_entries(c, &flags, error) || !check_pass(c, error)))
        return false;
    return true;
}

bool check_repair(Check *c, unsigned repair, GError **error)
{
    uint64_t corruptions = c->corruptions, leaks = c->leaks, marks = QCOW2_DIRTY | QCOW2_CORRUPT;

    c->loud = false;
    if (!corruptions && !leaks && !(c->header->incompatible & marks))
        return true;
    if (c->file->read_only) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: cannot be repaired: it is open for reading only",
                    c->file->path);
        return false;
    }
    if (!steps(c, repair, error))
        return false;
    c->result->corruptions_fixed = corruptions > c->corruptions ? corruptions - c->corruptions : 0;
    c->result->leaks_fixed = leaks > c->leaks ? leaks - c->leaks : 0;
    if (c->corruptions || c->check_errors || !(c->header->incompatible & marks))
        return true;
    c->header->incompatible &= ~marks;
    return check_write_header(c, error);
}
