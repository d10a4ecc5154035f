/*
 * transaction-tree.c: L1 tables and what hangs on them, in a transaction. Source: the qcow2 specification, "Cluster
 * mapping".
 *
 * A flag COPIED says that a count is 1, so that one may write in place. It must be right in the active tables; in those
 * of snapshots it means nothing, and what we write there has none.
 */
#include "qcow2/transaction-impl.h"

#include <inttypes.h>
#include <string.h>

#include "visitors/bytes.h"
#include "visitors/error.h"

static bool damaged(const Transaction *t, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool damaged(const Transaction *t, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "%s: %s; the image must be checked", t->q->image.file->path,
                text);
    return false;
}

/* --- L1 tables -------------------------------------------------------------------------------------------------- */

uint64_t *tree_l1_read(Qcow2 *q, uint64_t offset, uint64_t size, GError **error)
{
    g_autofree uint64_t *l1 = g_new0(uint64_t, size + 1);

    if (!host_file_read(q->image.file, offset, l1, size * 8, error))
        return NULL;
    bytes_swap_be(l1, l1, 8, size);
    return g_steal_pointer(&l1);
}

bool tree_l1_write(Transaction *t, const uint64_t *l1, uint64_t size, uint64_t *host, GError **error)
{
    const Qcow2 *q = t->q;
    uint64_t octets = cluster_round_up(q, size * 8);

    *host = 0;
    if (!size)
        return true;
    if (!transaction_alloc(t, octets >> q->cluster_bits, host, error))
        return false;
    uint64_t *table = g_malloc0(octets);
    bytes_swap_be(table, l1, 8, size);
    transaction_write(t, *host, table, octets);
    return true;
}

/* No L1 table has more L2 tables than fit into the file; so what follows ends, whatever the table says. */
static bool judge_l1(const Transaction *t, const uint64_t *l1, uint64_t size, GError **error)
{
    const Qcow2 *q = t->q;
    uint64_t most = cluster_round_up(q, host_file_length(q->image.file)) >> q->cluster_bits, count = 0;

    for (uint64_t i = 0; i < size; i++) {
        uint64_t table = l1[i] & ENTRY_OFFSET;
        if (table & (q->cluster_size - 1))
            return damaged(t, error, "L1 entry %" PRIu64 ": L2 table @0x%" PRIx64 " is not aligned", i, table);
        if (table >> q->cluster_bits >= most)
            return damaged(t, error, "L1 entry %" PRIu64 ": L2 table @0x%" PRIx64 ", but the file ends @0x%" PRIx64, i,
                           table, most << q->cluster_bits);
        count += table != 0;
    }
    if (count > most)
        return damaged(t, error, "%" PRIu64 " L2 tables in a file of %" PRIu64 " clusters", count, most);
    return true;
}

/* --- L2 tables -------------------------------------------------------------------------------------------------- */

static uint64_t entries(const Qcow2 *q)
{
    return UINT64_C(1) << q->l2_bits;
}

/* The clusters that an entry refers to; 0: none. */
static bool clusters_of(const Transaction *t, uint64_t table, uint64_t index, uint64_t entry, Range *range,
                        GError **error)
{
    const Qcow2 *q = t->q;
    Mapping m = {0};

    *range = (Range){0, 0};
    if (map_entry(q, entry, 0, 0, &m))
        return damaged(t, error, "L2 table @0x%" PRIx64 ": entry %" PRIu64 " is 0x%016" PRIx64, table, index, entry);
    if (m.kind == MAP_COMPRESSED) {
        range->first = m.host >> q->cluster_bits;
        range->count = ((m.host + m.host_len - 1) >> q->cluster_bits) - range->first + 1;
    } else if (m.host) {
        range->first = m.host >> q->cluster_bits;
        range->count = 1;
    }
    return true;
}

static uint8_t *table_read(Transaction *t, uint64_t offset, GError **error)
{
    Qcow2 *q = t->q;
    g_autofree uint8_t *table = g_malloc(q->cluster_size);

    return host_file_read(q->image.file, offset, table, q->cluster_size, error) ? g_steal_pointer(&table) : NULL;
}

/* Counts all that a table refers to, what lies in a row at once; *copied: it has the flag somewhere. */
static bool table_ref(Transaction *t, uint64_t offset, const uint8_t *table, int delta, bool *copied, GError **error)
{
    const Qcow2 *q = t->q;
    Range row = {0, 0};

    *copied = false;
    for (uint64_t i = 0; i < entries(q); i++) {
        uint64_t entry = load_be64(table + i * q->l2_entry);
        Range range;
        if (!entry)
            continue;
        if (!clusters_of(t, offset, i, entry, &range, error))
            return false;
        *copied |= (entry & ENTRY_COPIED) != 0;
        if (range.count && range.first == row.first + row.count) {
            row.count += range.count;
        } else if (range.count) {
            if (!transaction_ref(t, row.first, row.count, delta, error))
                return false;
            row = range;
        }
    }
    return transaction_ref(t, row.first, row.count, delta, error);
}

static void clear_copied(const Qcow2 *q, uint8_t *table)
{
    for (uint64_t i = 0; i < entries(q); i++)
        table[i * q->l2_entry] &= 0x7f;
}

/* Writes a table, taken, to a new place; its count is 1 there. */
static bool table_move(Transaction *t, uint64_t old, uint8_t *table, uint64_t *host, GError **error)
{
    if (!transaction_alloc(t, 1, host, error)) {
        g_free(table);
        return false;
    }
    transaction_write(t, *host, table, t->q->cluster_size);
    g_array_append_val(t->stale, old);
    g_array_append_val(t->stale, *host);
    return true;
}

/* --- one reference more, one less ------------------------------------------------------------------------------- */

static bool share_table(Transaction *t, uint64_t *l1_entry, TreeShare share, GError **error)
{
    const Qcow2 *q = t->q;
    uint64_t old = *l1_entry & ENTRY_OFFSET, host;
    g_autofree uint8_t *table = table_read(t, old, error);
    bool copied;

    if (!table || !table_ref(t, old, table, 1, &copied, error))
        return false;
    *l1_entry = old;
    if (!copied)
        return transaction_ref(t, old >> q->cluster_bits, 1, 1, error);
    clear_copied(q, table);
    if (!table_move(t, old, g_steal_pointer(&table), &host, error))
        return false;
    *l1_entry = host;
    if (share == TREE_SHARE_ACTIVE)
        return transaction_ref(t, host >> q->cluster_bits, 1, 1, error) &&
               transaction_ref(t, old >> q->cluster_bits, 1, -1, error);
    *l1_entry |= ENTRY_COPIED;
    return true;
}

bool tree_share(Transaction *t, uint64_t *l1, uint64_t size, TreeShare share, GError **error)
{
    if (!judge_l1(t, l1, size, error))
        return false;
    for (uint64_t i = 0; i < size; i++) {
        if (!(l1[i] & ENTRY_OFFSET))
            l1[i] = 0;
        else if (!share_table(t, &l1[i], share, error))
            return false;
    }
    return true;
}

bool tree_drop(Transaction *t, const uint64_t *l1, uint64_t size, GError **error)
{
    if (!judge_l1(t, l1, size, error))
        return false;
    for (uint64_t i = 0; i < size; i++) {
        uint64_t offset = l1[i] & ENTRY_OFFSET;
        bool copied;
        if (!offset)
            continue;
        g_autofree uint8_t *table = table_read(t, offset, error);
        if (!table || !table_ref(t, offset, table, -1, &copied, error) ||
            !transaction_ref(t, offset >> t->q->cluster_bits, 1, -1, error))
            return false;
    }
    return true;
}

/* --- flags ------------------------------------------------------------------------------------------------------ */

static bool set_in_table(Transaction *t, uint64_t offset, uint8_t *table, bool *changed, GError **error)
{
    const Qcow2 *q = t->q;

    *changed = false;
    for (uint64_t i = 0; i < entries(q); i++) {
        uint64_t entry = load_be64(table + i * q->l2_entry), count, right;
        Range range;
        if (!entry || entry & ENTRY_COMPRESSED)
            continue;
        if (!clusters_of(t, offset, i, entry, &range, error) ||
            (range.count && !transaction_count(t, range.first, &count, error)))
            return false;
        right = range.count && count == 1 ? entry | ENTRY_COPIED : entry & ~ENTRY_COPIED;
        if (right == entry)
            continue;
        store_be64(table + i * q->l2_entry, right);
        *changed = true;
    }
    return true;
}

bool tree_set_copied(Transaction *t, uint64_t *l1, uint64_t size, GError **error)
{
    const Qcow2 *q = t->q;

    if (!judge_l1(t, l1, size, error))
        return false;
    for (uint64_t i = 0; i < size; i++) {
        uint64_t offset = l1[i] & ENTRY_OFFSET, count, host;
        bool changed;
        if (!offset)
            continue;
        if (!transaction_count(t, offset >> q->cluster_bits, &count, error))
            return false;
        l1[i] = offset;
        if (count != 1)
            continue; /* so are the counts of all that hangs on it */
        l1[i] |= ENTRY_COPIED;
        g_autofree uint8_t *table = table_read(t, offset, error);
        if (!table || !set_in_table(t, offset, table, &changed, error))
            return false;
        if (!changed)
            continue;
        if (!table_move(t, offset, g_steal_pointer(&table), &host, error) ||
            !transaction_ref(t, offset >> q->cluster_bits, 1, -1, error))
            return false;
        l1[i] = host | ENTRY_COPIED;
    }
    return true;
}
