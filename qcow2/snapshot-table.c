/*
 * snapshot-table.c: entries of the snapshot table. Source: the qcow2 specification, "Snapshots"; FORMAT.md.
 *
 * Offsets of an entry:  0 L1 table  8 its size  12 length of id  14 of name  16 seconds  20 nanoseconds  24 VM clock
 * 32 VM state size, 32 bits  36 size of extra data  40 extra data, id, name; filled up to a multiple of 8.
 */
#include "qcow2/snapshot-table.h"

#include <inttypes.h>
#include <string.h>

#include "visitors/bytes.h"
#include "visitors/error.h"
#include "visitors/uuid.h"

/* In the extra data. A value is there if all of it is. */
enum { EXTRA_VM_STATE = 0, EXTRA_DISK = 8, EXTRA_ICOUNT = 16, EXTRA_UUID = 24, EXTRA_PARENT = 40 };

#define READ_AT_ONCE 65536u

/* --- reading ---------------------------------------------------------------------------------------------------- */

G_GNUC_PRINTF(5, 6)
static bool unsound(GError **error, const SnapshotPlace *place, guint index, size_t at, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);

    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "%s: snapshot table entry %u @%#" PRIx64 ": %s", place->path,
                index, place->offset + at, what);
    return false;
}

static void parse_extra(Qcow2Snapshot *s, const uint8_t *extra, size_t len)
{
    if (len >= EXTRA_VM_STATE + 8)
        s->vm_state_size = load_be64(extra + EXTRA_VM_STATE);
    if (len >= EXTRA_DISK + 8)
        s->disk_size = load_be64(extra + EXTRA_DISK);
    if (len >= EXTRA_ICOUNT + 8) {
        s->icount = load_be64(extra + EXTRA_ICOUNT);
        s->has_icount = s->icount != UINT64_MAX;
    }
    if (len >= EXTRA_UUID + UUID_OCTETS) {
        memcpy(s->uuid, extra + EXTRA_UUID, UUID_OCTETS);
        s->has_uuid = !uuid_is_null(s->uuid);
    }
    if (len >= EXTRA_PARENT + UUID_OCTETS)
        memcpy(s->parent, extra + EXTRA_PARENT, UUID_OCTETS);
    if (len)
        s->extra = g_bytes_new(extra, len);
}

static bool judge_l1(const SnapshotPlace *place, const Qcow2Snapshot *s, guint index, size_t at, GError **error)
{
    uint64_t octets = (uint64_t)s->l1_size * 8;

    if (octets > QCOW2_L1_MAX)
        return unsound(error, place, index, at, "its L1 table has %" PRIu32 " entries, at most %u", s->l1_size,
                       QCOW2_L1_MAX / 8);
    if (octets == 0)
        return true;
    if (s->l1_offset % place->cluster_size)
        return unsound(error, place, index, at, "its L1 table is at %#" PRIx64 ", no multiple of %" PRIu32,
                       s->l1_offset, place->cluster_size);
    if (s->l1_offset == 0)
        return unsound(error, place, index, at, "its L1 table is at 0x0, where the header is");
    if (s->l1_offset > place->file_length || octets > place->file_length - s->l1_offset)
        return unsound(error, place, index, at,
                       "its L1 table is at %#" PRIx64 " and has %" PRIu64 " octets, but the file ends at %#" PRIx64,
                       s->l1_offset, octets, place->file_length);
    return true;
}

/* What there is of text, with its terminating zero; NULL: it has one inside. */
static char *text_of(const uint8_t *data, size_t len)
{
    return memchr(data, 0, len) ? NULL : g_strndup((const char *)data, len);
}

static bool parse_entry(const SnapshotPlace *place, const uint8_t *entry, guint index, size_t at, Qcow2Snapshot *s,
                        GError **error)
{
    size_t id_len = load_be16(entry + 12), name_len = load_be16(entry + 14), extra_len = load_be32(entry + 36);
    const uint8_t *extra = entry + SNAPSHOT_ENTRY, *id = extra + extra_len, *name = id + id_len;

    s->l1_offset = load_be64(entry);
    s->l1_size = load_be32(entry + 8);
    s->date_sec = load_be32(entry + 16);
    s->date_nsec = load_be32(entry + 20);
    s->vm_clock_ns = load_be64(entry + 24);
    s->vm_state_size = load_be32(entry + 32);
    s->disk_size = place->disk_size;
    s->icount = UINT64_MAX;
    parse_extra(s, extra, extra_len);
    s->id = text_of(id, id_len);
    if (!s->id)
        return unsound(error, place, index, at, "its id of %zu octets has a zero inside", id_len);
    s->name = text_of(name, name_len);
    if (!s->name)
        return unsound(error, place, index, at, "its name of %zu octets has a zero inside", name_len);
    if (s->disk_size > INT64_MAX)
        return unsound(error, place, index, at, "its disk has %" PRIu64 " octets, at most %" PRId64, s->disk_size,
                       INT64_MAX);
    return judge_l1(place, s, index, at, error);
}

bool snapshot_table_parse(const SnapshotPlace *place, const uint8_t *data, size_t len, GPtrArray *list, unsigned count,
                          size_t *at, GError **error)
{
    while (list->len < count) {
        size_t start = (*at + 7) & ~(size_t)7;
        if (start > len || len - start < SNAPSHOT_ENTRY)
            return true;
        const uint8_t *entry = data + start;
        size_t extra = load_be32(entry + 36);
        if (extra > SNAPSHOT_EXTRA_MAX)
            return unsound(error, place, list->len, start, "it has %zu octets of extra data, at most %d", extra,
                           SNAPSHOT_EXTRA_MAX);
        size_t size = SNAPSHOT_ENTRY + extra + load_be16(entry + 12) + load_be16(entry + 14);
        if (start + size > QCOW2_SNAPSHOT_TABLE_MAX)
            return unsound(error, place, list->len, start, "the table has more than %u octets",
                           QCOW2_SNAPSHOT_TABLE_MAX);
        if (len - start < size)
            return true;
        Qcow2Snapshot *s = g_new0(Qcow2Snapshot, 1);
        if (!parse_entry(place, entry, list->len, start, s, error)) {
            snapshot_free(s);
            return false;
        }
        g_ptr_array_add(list, s);
        *at = start + size;
    }
    return true;
}

bool snapshot_table_judge(const SnapshotPlace *place, const GPtrArray *list, GError **error)
{
    g_autoptr(GHashTable) ids = g_hash_table_new(bytes_hash_text, g_str_equal);

    for (guint i = 0; i < list->len; i++) {
        Qcow2Snapshot *s = list->pdata[i];
        void *other;
        if (g_hash_table_lookup_extended(ids, s->id, NULL, &other)) {
            g_autofree char *id = bytes_show(s->id, strlen(s->id));
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED,
                        "%s: snapshot table @%#" PRIx64 ": entries %u and %u have the same id '%s'", place->path,
                        place->offset, GPOINTER_TO_UINT(other), i, id);
            return false;
        }
        g_hash_table_insert(ids, s->id, GUINT_TO_POINTER(i));
    }
    return true;
}

/* Reads on, at least as much again as there is: what is read in all is in proportion to what the table takes. */
static bool read_more(HostFile *file, const SnapshotPlace *place, GByteArray *data, GError **error)
{
    uint64_t left = place->file_length - place->offset - data->len;
    guint old = data->len, more = (guint)MIN(MIN(left, MAX(READ_AT_ONCE, old)), QCOW2_SNAPSHOT_TABLE_MAX - old);

    g_byte_array_set_size(data, old + more);
    return host_file_read(file, place->offset + old, data->data + old, more, error);
}

GPtrArray *snapshot_table_read(HostFile *file, const Qcow2Header *header, uint64_t *octets, GError **error)
{
    SnapshotPlace place = {.path = file->path,
                           .offset = header->snapshots_offset,
                           .file_length = host_file_length(file),
                           .cluster_size = qcow2_cluster_size(header),
                           .disk_size = header->size};
    g_autoptr(GPtrArray) list = snapshot_list_new();
    g_autoptr(GByteArray) data = g_byte_array_new();
    size_t at = 0;

    if (header->snapshot_count > QCOW2_SNAPSHOTS_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "%s: %u snapshots, at most %u", place.path,
                    header->snapshot_count, QCOW2_SNAPSHOTS_MAX);
        return NULL;
    }
    while (list->len < header->snapshot_count) {
        if (place.offset >= place.file_length || data->len == place.file_length - place.offset ||
            data->len == QCOW2_SNAPSHOT_TABLE_MAX) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT,
                        "%s: snapshot table @%#" PRIx64 ": has %u whole entries of %" PRIu32 " before @%#" PRIx64,
                        place.path, place.offset, list->len, header->snapshot_count,
                        MAX(place.offset, place.offset + data->len));
            return NULL;
        }
        if (!read_more(file, &place, data, error) ||
            !snapshot_table_parse(&place, data->data, data->len, list, header->snapshot_count, &at, error))
            return NULL;
    }
    if (!snapshot_table_judge(&place, list, error))
        return NULL;
    if (octets)
        *octets = at;
    return g_steal_pointer(&list);
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

/* The extra data as it was, with what we know put in; grown by as much as that needs. */
static void put_extra(const Qcow2Snapshot *s, ByteOut *out)
{
    gsize had = 0;
    const void *old = s->extra ? g_bytes_get_data(s->extra, &had) : NULL;
    size_t len = EXTRA_DISK + 8; /* version 3 wants as much */

    if (s->has_icount)
        len = EXTRA_ICOUNT + 8;
    if (s->has_uuid)
        len = uuid_is_null(s->parent) && had >= EXTRA_PARENT ? had : SNAPSHOT_EXTRA_OURS;
    len = MAX(len, had);

    uint8_t *extra = byte_out_room(out, len);
    memset(extra, 0, len);
    if (had)
        memcpy(extra, old, had);
    store_be64(extra + EXTRA_VM_STATE, s->vm_state_size);
    store_be64(extra + EXTRA_DISK, s->disk_size);
    if (len >= EXTRA_ICOUNT + 8)
        store_be64(extra + EXTRA_ICOUNT, s->has_icount ? s->icount : UINT64_MAX);
    if (s->has_uuid)
        memcpy(extra + EXTRA_UUID, s->uuid, UUID_OCTETS);
    if (len >= SNAPSHOT_EXTRA_OURS)
        memcpy(extra + EXTRA_PARENT, s->parent, UUID_OCTETS);
}

static void put_entry(const Qcow2Snapshot *s, ByteOut *out)
{
    size_t id_len = strlen(s->id), name_len = strlen(s->name), start = out->len;

    byte_out_be64(out, s->l1_offset);
    byte_out_be32(out, s->l1_size);
    byte_out_be16(out, (uint16_t)id_len);
    byte_out_be16(out, (uint16_t)name_len);
    byte_out_be32(out, s->date_sec);
    byte_out_be32(out, s->date_nsec);
    byte_out_be64(out, s->vm_clock_ns);
    byte_out_be32(out, s->vm_state_size > UINT32_MAX ? 0 : (uint32_t)s->vm_state_size);
    byte_out_be32(out, 0);
    put_extra(s, out);
    store_be32(out->data + start + 36, (uint32_t)(out->len - start - SNAPSHOT_ENTRY));
    byte_out_put(out, s->id, id_len);
    byte_out_put(out, s->name, name_len);
    while (out->len % 8)
        byte_out_u8(out, 0);
}

GByteArray *snapshot_table_octets(const GPtrArray *list, GError **error)
{
    ByteOut out = {0};

    if (list->len > QCOW2_SNAPSHOTS_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "%u snapshots, at most %u", list->len, QCOW2_SNAPSHOTS_MAX);
        return NULL;
    }
    for (guint i = 0; i < list->len && out.len <= QCOW2_SNAPSHOT_TABLE_MAX; i++)
        put_entry(list->pdata[i], &out);
    if (out.len > QCOW2_SNAPSHOT_TABLE_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "the snapshot table needs more than %u octets",
                    QCOW2_SNAPSHOT_TABLE_MAX);
        byte_out_done(&out);
        return NULL;
    }
    return g_byte_array_new_take(out.data, out.len);
}
