/*
 * bitmap.c: the directory of persistent dirty bitmaps. Source: the qcow2 specification, "Bitmaps".
 *
 * We list them and do not keep them up to date; FORMAT.md, "Bitmaps", says what that means for them.
 */
#include <inttypes.h>
#include <string.h>

#include "qcow2/data-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

/* The extension: 0 count (32 bits)  4 reserved  8 size of the directory (64)  16 its offset (64).
 * A directory entry: 0 table offset (64)  8 table size (32)  12 flags (32)  16 type (8)  17 granularity (8)
 * 18 length of the name (16)  20 size of extra data (32)  24 extra data, name; filled up to a multiple of 8. */
enum { EXTENSION_OCTETS = 24, ENTRY = 24, AT_FLAGS = 12, NAME_MAX_OCTETS = 1023, GRANULARITY_MAX = 63 };
enum { FLAG_IN_USE = 1, FLAG_AUTO = 2 };

#define DIRECTORY_MAX (QCOW2_BITMAPS_MAX * 1056u) /* as QEMU: its entries have no extra data */
#define TABLE_MAX     0x8000000u

typedef struct Directory {
    uint64_t offset;
    uint32_t count;
    GByteArray *data; /* NULL: there is none */
} Directory;

static bool damaged(const Qcow2 *q, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
static bool damaged(const Qcow2 *q, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "%s: bitmaps: %s", q->image.file->path, text);
    return false;
}

static bool directory_read(Qcow2 *q, Directory *d, GError **error)
{
    GBytes *extension = qcow2_header_extension(&q->header, QCOW2_EXT_BITMAPS);
    gsize len;

    *d = (Directory){0};
    /* Who wrote to the image and did not know of bitmaps has cleared the bit: what is there means nothing then. */
    if (!extension || !(q->header.autoclear & QCOW2_BITMAPS))
        return true;
    const uint8_t *octets = g_bytes_get_data(extension, &len);
    if (len != EXTENSION_OCTETS)
        return damaged(q, error, "the header extension has %zu octets, not %d", len, EXTENSION_OCTETS);
    uint64_t size = load_be64(octets + 8), length = host_file_length(q->image.file);
    d->count = load_be32(octets);
    d->offset = load_be64(octets + 16);
    if (d->count == 0 || d->count > QCOW2_BITMAPS_MAX)
        return damaged(q, error, "there are %" PRIu32 ", must be 1 to %u", d->count, QCOW2_BITMAPS_MAX);
    if (size > DIRECTORY_MAX)
        return damaged(q, error, "the directory has %" PRIu64 " octets, at most %u", size, DIRECTORY_MAX);
    if (!d->offset || d->offset & (q->cluster_size - 1))
        return damaged(q, error, "the directory is @0x%" PRIx64 ", no multiple of %" PRIu32, d->offset,
                       q->cluster_size);
    if (d->offset > length || size > length - d->offset)
        return damaged(q, error, "the directory @0x%" PRIx64 " has %" PRIu64 " octets, but the file ends @0x%" PRIx64,
                       d->offset, size, length);
    d->data = g_byte_array_new();
    g_byte_array_set_size(d->data, (guint)size);
    if (host_file_read(q->image.file, d->offset, d->data->data, size, error))
        return true;
    g_clear_pointer(&d->data, g_byte_array_unref);
    return false;
}

/* The entry at `at`, and where the next one begins. */
static bool entry_judge(const Qcow2 *q, const Directory *d, uint32_t index, size_t at, size_t *next, GError **error)
{
    size_t left = d->data->len - MIN(at, d->data->len);
    uint64_t place = d->offset + at;

    if (left < ENTRY)
        return damaged(q, error, "entry %" PRIu32 " @0x%" PRIx64 ": the directory ends", index, place);
    const uint8_t *entry = d->data->data + at;
    uint64_t size = ENTRY + (uint64_t)load_be32(entry + 20) + load_be16(entry + 18);
    if (size > left)
        return damaged(q, error, "entry %" PRIu32 " @0x%" PRIx64 " has %" PRIu64 " octets, but %zu are left", index,
                       place, size, left);
    if (load_be16(entry + 18) == 0 || load_be16(entry + 18) > NAME_MAX_OCTETS)
        return damaged(q, error, "entry %" PRIu32 " @0x%" PRIx64 ": a name of %u octets, must be 1 to %d", index, place,
                       load_be16(entry + 18), NAME_MAX_OCTETS);
    if (load_be32(entry + 8) > TABLE_MAX)
        return damaged(q, error, "entry %" PRIu32 " @0x%" PRIx64 ": a table of %" PRIu32 " entries, at most %u", index,
                       place, load_be32(entry + 8), TABLE_MAX);
    if (entry[17] > GRANULARITY_MAX)
        return damaged(q, error, "entry %" PRIu32 " @0x%" PRIx64 ": granularity_bits is %u, at most %d", index, place,
                       entry[17], GRANULARITY_MAX);
    *next = (at + size + 7) & ~(size_t)7;
    return true;
}

static void bitmap_free(void *data)
{
    g_free(((Qcow2Bitmap *)data)->name);
    g_free(data);
}

static bool list(const Qcow2 *q, const Directory *d, GPtrArray *bitmaps, GError **error)
{
    size_t at = 0, next;

    for (uint32_t i = 0; d->data && i < d->count; i++, at = next) {
        if (!entry_judge(q, d, i, at, &next, error))
            return false;
        const uint8_t *entry = d->data->data + at;
        Qcow2Bitmap *b = g_new0(Qcow2Bitmap, 1);
        b->table_offset = load_be64(entry);
        b->table_size = load_be32(entry + 8);
        b->flags = load_be32(entry + AT_FLAGS);
        b->granularity_bits = entry[17];
        b->name = g_strndup((const char *)entry + ENTRY + load_be32(entry + 20), load_be16(entry + 18));
        g_ptr_array_add(bitmaps, b);
    }
    return true;
}

GPtrArray *qcow2_bitmaps(Image *image, GError **error)
{
    g_autoptr(GPtrArray) bitmaps = g_ptr_array_new_with_free_func(bitmap_free);
    Directory d;
    bool ok = directory_read(qcow2_of(image), &d, error) && list(qcow2_of(image), &d, bitmaps, error);

    g_clear_pointer(&d.data, g_byte_array_unref);
    return ok ? g_steal_pointer(&bitmaps) : NULL;
}

/* --- out of date ------------------------------------------------------------------------------------------------ */

/* The flags lie within a sector, entries being aligned to 8 octets: in whichever order they get there, each is the old
 * one or the new one. */
static bool spoil(Qcow2 *q, Directory *d, bool all, GError **error)
{
    size_t at = 0, next;
    bool any = false;

    for (uint32_t i = 0; i < d->count; i++, at = next) {
        if (!entry_judge(q, d, i, at, &next, error))
            return false;
        uint8_t *flags = d->data->data + at + AT_FLAGS;
        uint32_t now = load_be32(flags);
        if (now & FLAG_IN_USE || !(all || now & FLAG_AUTO))
            continue;
        store_be32(flags, now | FLAG_IN_USE);
        any = true;
        if (!host_file_write(q->image.file, d->offset + at + AT_FLAGS, flags, 4, error))
            return false;
    }
    return !any || host_file_sync(q->image.file, error);
}

bool qcow2_bitmaps_spoil(Qcow2 *q, bool size_changes, GError **error)
{
    Directory d;
    bool ok = directory_read(q, &d, error);

    if (ok && d.data)
        ok = spoil(q, &d, size_changes, error);
    g_clear_pointer(&d.data, g_byte_array_unref);
    return ok;
}
