/*
 * check-snapshots.c: the snapshot table: what its entries refer to, and what they should be.
 *
 * Source: the qcow2 specification, "Snapshots". Made anew by a repair: extra data that is shorter than version 3 wants
 * it, or longer than anybody keeps it (cut off), and a table with more snapshots than there may be, or larger (the last
 * ones are lost, as with qemu-img). The check counts as if that was done. What is wrong with single snapshots stays.
 */
#include <inttypes.h>
#include <string.h>

#include "qcow2/check-impl.h"
#include "qcow2/snapshot-table.h"
#include "visitors/bytes.h"

enum { EXTRA_LEAST = 16 }; /* in version 3: the size of the VM state, and that of the disk */

/* An entry of the table, as it is in the file. */
typedef struct Told {
    unsigned number; /* from 1 on */
    uint64_t at;
    uint8_t fixed[SNAPSHOT_ENTRY];
    uint32_t extra, text; /* octets */
} Told;

static uint64_t end_of(const Told *t)
{
    return t->at + SNAPSHOT_ENTRY + t->extra + t->text;
}

static bool read_told(Check *c, Told *t, GError **error)
{
    if (t->at >= c->length)
        return check_damaged(c, error, "snapshot %u at 0x%" PRIx64 " is outside of the file, which ends at 0x%" PRIx64,
                             t->number, t->at, c->length);
    if (!host_file_read(c->file, t->at, t->fixed, sizeof t->fixed, error))
        return false;
    t->extra = load_be32(t->fixed + 36);
    t->text = (uint32_t)load_be16(t->fixed + 12) + load_be16(t->fixed + 14);
    return true;
}

/* --- where its tables are ----------------------------------------------------------------------------------------- */

static void l1_table(Check *c, const Told *t)
{
    uint64_t offset = load_be64(t->fixed), len = (uint64_t)load_be32(t->fixed + 8) * 8;

    if (offset & (c->cluster_size - 1))
        check_corrupt(c, 1, "snapshot %u at 0x%" PRIx64 ": L1 table at 0x%" PRIx64 " is not aligned to 0x%x", t->number,
                      t->at, offset, c->cluster_size);
    else if (len > QCOW2_L1_MAX)
        check_corrupt(c, 1, "snapshot %u at 0x%" PRIx64 ": an L1 table of %" PRIu64 " entries, at most %u", t->number,
                      t->at, len / 8, QCOW2_L1_MAX / 8);
    else if (!check_refer_alone(c, offset, len))
        check_corrupt(c, 1,
                      "snapshot %u at 0x%" PRIx64 ": L1 table of 0x%" PRIx64 " octets at 0x%" PRIx64
                      " is outside of the file, which ends at 0x%" PRIx64,
                      t->number, t->at, len, offset, c->length);
    else
        check_add_range(c->l1_ranges, c, offset, len, false);
}

/* --- what the entry should be ------------------------------------------------------------------------------------- */

static uint32_t extra_wanted(const Check *c, const Told *t)
{
    return CLAMP(t->extra, c->header->version >= 3 ? EXTRA_LEAST : 0, SNAPSHOT_EXTRA_MAX);
}

/* Appends it to the table. */
static bool put_entry(Check *c, const Told *t, GError **error)
{
    uint32_t extra = extra_wanted(c, t), kept = MIN(extra, t->extra);
    guint old = c->table->len, start = (old + 7) & ~7u;

    g_byte_array_set_size(c->table, start + SNAPSHOT_ENTRY + extra + t->text);
    uint8_t *entry = c->table->data + start;
    memset(c->table->data + old, 0, c->table->len - old);
    memcpy(entry, t->fixed, SNAPSHOT_ENTRY);
    store_be32(entry + 36, extra);
    uint8_t *data = entry + SNAPSHOT_ENTRY;
    if (t->extra < 8 && extra >= EXTRA_LEAST)
        store_be64(data, load_be32(t->fixed + 32));
    if (t->extra < EXTRA_LEAST && extra >= EXTRA_LEAST)
        store_be64(data + 8, c->header->size);
    if (kept < extra) /* what is there of a field is none */
        kept &= ~7u;
    return host_file_read(c->file, t->at + SNAPSHOT_ENTRY, data, kept, error) &&
           host_file_read(c->file, t->at + SNAPSHOT_ENTRY + t->extra, data + extra, t->text, error);
}

static void judge_entry(Check *c, const Told *t)
{
    uint32_t extra = extra_wanted(c, t);

    if (extra == t->extra)
        return;
    check_corrupt(c, 1, "snapshot %u at 0x%" PRIx64 ": %u octets of extra data, at %s %u", t->number, t->at, t->extra,
                  t->extra < extra ? "least" : "most", extra);
    c->table_wrong = true;
}

/* Who opens the image wants more of the entries. */
static void judge_all(Check *c)
{
    g_autoptr(GError) why = NULL;
    g_autoptr(GPtrArray) list = snapshot_table_read(c->file, c->header, NULL, &why);

    if (!list)
        check_corrupt(c, 1, "%s", why->message);
}

static bool has_room(const Check *c, const Told *t)
{
    return c->table_count < QCOW2_SNAPSHOTS_MAX &&
           ((c->table->len + 7) & ~7u) + SNAPSHOT_ENTRY + extra_wanted(c, t) + t->text <= QCOW2_SNAPSHOT_TABLE_MAX;
}

static void cut(Check *c, const Told *t)
{
    check_corrupt(c, c->header->snapshot_count - c->table_count,
                  "snapshot %u at 0x%" PRIx64 " and those behind it: at most %u, of %u octets", t->number, t->at,
                  QCOW2_SNAPSHOTS_MAX, QCOW2_SNAPSHOT_TABLE_MAX);
    c->table_wrong = true;
}

bool check_snapshots(Check *c, GError **error)
{
    const Qcow2Header *h = c->header;
    uint64_t before = c->corruptions, end = h->snapshots_offset;
    Told t = {.at = end};

    if (h->snapshots_offset & (c->cluster_size - 1) && h->snapshot_count)
        return check_damaged(c, error, "the snapshot table at 0x%" PRIx64 " is not aligned to 0x%x",
                             h->snapshots_offset, c->cluster_size);
    while (c->table_count < h->snapshot_count) {
        t.number = c->table_count + 1;
        if (!read_told(c, &t, error))
            return false;
        if (!has_room(c, &t)) {
            cut(c, &t);
            break;
        }
        judge_entry(c, &t);
        l1_table(c, &t);
        if (!put_entry(c, &t, error))
            return false;
        c->table_count++;
        end = end_of(&t);
        t.at = (end + 7) & ~UINT64_C(7);
    }
    if (c->corruptions == before && h->snapshot_count)
        judge_all(c);
    if (end > c->length) /* the last name is not there: nobody knows what the table should be */
        c->blind |= c->table_wrong;
    c->table_octets = end - h->snapshots_offset;
    check_area(c, "snapshot table", h->snapshots_offset, c->table_octets);
    return true;
}
