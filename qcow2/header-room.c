/*
 * header-room.c: the header's first sector is written whole or not at all; what lies behind it is not. FORMAT.md, "The
 * header".
 */
#include <inttypes.h>
#include <string.h>

#include "qcow2/transaction-impl.h"
#include "visitors/bytes.h"
#include "visitors/error.h"
#include "visitors/uuid.h"

/* Where things are in the header, and of an extension */
enum {
    AT_BACKING = 8,
    AT_SIZE = 24,
    AT_L1_SIZE = 36,
    AT_L1 = 40,
    AT_REFTABLE = 48,
    AT_REFTABLE_CLUSTERS = 56,
    AT_SNAPSHOT_COUNT = 60,
    AT_SNAPSHOTS = 64,
    AT_FEATURES = 72,
    EXTENSION = 8,
};

/* The data of an extension in the first `len` octets of a header; 0: there is none that lies whole in there. *end:
 * where the extensions end, with their end mark. */
static size_t find_extension(const Qcow2 *q, const uint8_t *header, size_t len, uint32_t type, size_t *end)
{
    size_t at = q->header.header_length, found = 0;

    while (at + EXTENSION <= len) {
        uint32_t here = load_be32(header + at), octets = load_be32(header + at + 4);
        if (here == QCOW2_EXT_END || octets > len - at - EXTENSION)
            break;
        if (here == type && octets >= UUID_OCTETS)
            found = at + EXTENSION;
        at += EXTENSION + (((size_t)octets + 7) & ~(size_t)7);
    }
    if (end)
        *end = MIN(at + EXTENSION, len);
    return found;
}

/* --- the switch ------------------------------------------------------------------------------------------------- */

bool header_switch(Qcow2 *q, const Qcow2Header *to, const uint8_t current[16], GError **error)
{
    uint8_t sector[HOST_SECTOR];

    if (!host_file_read(q->image.file, 0, sector, sizeof sector, error))
        return false;
    store_be64(sector + AT_SIZE, to->size);
    store_be32(sector + AT_L1_SIZE, to->l1_size);
    store_be64(sector + AT_L1, to->l1_offset);
    store_be64(sector + AT_REFTABLE, to->reftable_offset);
    store_be32(sector + AT_REFTABLE_CLUSTERS, to->reftable_clusters);
    store_be32(sector + AT_SNAPSHOT_COUNT, to->snapshot_count);
    store_be64(sector + AT_SNAPSHOTS, to->snapshots_offset);
    if (to->version >= 3) {
        store_be64(sector + AT_FEATURES, to->incompatible);
        store_be64(sector + AT_FEATURES + 8, to->compatible);
        store_be64(sector + AT_FEATURES + 16, to->autoclear);
    }
    size_t at = find_extension(q, sector, sizeof sector, QCOW2_EXT_CURRENT, NULL);
    if (at)
        memcpy(sector + at, current, UUID_OCTETS);
    return host_file_write(q->image.file, 0, sector, sizeof sector, error);
}

/* --- making room ------------------------------------------------------------------------------------------------ */

static void clear_extension(void *extension)
{
    g_clear_pointer(&((Qcow2Extension *)extension)->data, g_bytes_unref);
}

/* The extensions with the UUID in front of all others, without what a way that was cut has left. New. */
static GArray *reordered(const Qcow2 *q)
{
    GArray *old = q->header.extensions, *extensions = g_array_new(FALSE, FALSE, sizeof(Qcow2Extension));
    uint8_t uuid[UUID_OCTETS];

    qcow2_current_uuid(&q->image, uuid);
    Qcow2Extension current = {QCOW2_EXT_CURRENT, g_bytes_new(uuid, sizeof uuid)};
    g_array_set_clear_func(extensions, clear_extension);
    g_array_append_val(extensions, current);
    for (guint i = 0; i < old->len; i++) {
        Qcow2Extension e = g_array_index(old, Qcow2Extension, i);
        if (e.type == QCOW2_EXT_CURRENT || e.type == QCOW2_EXT_PAD)
            continue;
        g_bytes_ref(e.data);
        g_array_append_val(extensions, e);
    }
    return extensions;
}

static bool put(Qcow2 *q, uint64_t offset, const void *data, size_t len, GError **error)
{
    return host_file_write(q->image.file, offset, data, len, error) && host_file_sync(q->image.file, error);
}

/*
 * From the header that is there to `wanted`, which says the same in another order, is longer than a sector and differs
 * behind the first: by way of a header that has its extensions and the name at `aside`, behind an extension that
 * nobody knows, and which is as long as all that changes.
 */
static bool go_round(Qcow2 *q, const uint8_t *wanted, size_t len, size_t aside, GError **error)
{
    size_t start = q->header.header_length;
    uint64_t name = load_be64(wanted + AT_BACKING);
    uint8_t sector[HOST_SECTOR];

    memcpy(sector, wanted, sizeof sector);
    memset(sector + start, 0, sizeof sector - start);
    store_be32(sector + start, QCOW2_EXT_PAD);
    store_be32(sector + start + 4, (uint32_t)(aside - start - EXTENSION));
    if (name)
        store_be64(sector + AT_BACKING, name - start + aside);
    return put(q, aside, wanted + start, len - start, error) && put(q, 0, sector, sizeof sector, error) &&
           put(q, HOST_SECTOR, wanted + HOST_SECTOR, len - HOST_SECTOR, error) && put(q, 0, wanted, HOST_SECTOR, error);
}

/* Octets of a header, of at most `len`, its extensions and the name. */
static size_t used(const Qcow2 *q, const uint8_t *header, size_t len)
{
    size_t end;

    find_extension(q, header, len, QCOW2_EXT_CURRENT, &end);
    if (load_be64(header + AT_BACKING))
        end = MAX(end, load_be64(header + AT_BACKING) + load_be32(header + AT_BACKING + 8));
    return end;
}

static bool rewrite(Qcow2 *q, const GByteArray *wanted, const uint8_t *old, bool *done, GError **error)
{
    size_t len = used(q, wanted->data, wanted->len);

    if (len <= HOST_SECTOR || memcmp(old + HOST_SECTOR, wanted->data + HOST_SECTOR, len - HOST_SECTOR) == 0) {
        *done = true;
        return put(q, 0, wanted->data, HOST_SECTOR, error);
    }
    size_t aside = (MAX(used(q, old, q->cluster_size), len) + 7) & ~(size_t)7;
    *done = aside + (len - q->header.header_length) <= q->cluster_size;
    return !*done || go_round(q, wanted->data, len, aside, error);
}

bool header_make_room(Qcow2 *q, GError **error)
{
    g_autofree uint8_t *old = g_malloc(q->cluster_size);
    Qcow2Header header = q->header;
    bool done = false, written = true;

    if (!host_file_read(q->image.file, 0, old, q->cluster_size, error))
        return false;
    if (find_extension(q, old, HOST_SECTOR, QCOW2_EXT_CURRENT, NULL) ||
        header.header_length + EXTENSION + UUID_OCTETS > HOST_SECTOR)
        return true;
    header.extensions = reordered(q);
    g_autoptr(GByteArray) wanted = qcow2_header_octets(&header, NULL);
    if (wanted)
        written = rewrite(q, wanted, old, &done, error);
    if (!written)
        q->broken = true; /* one of several headers that say the same is there, but which? */
    if (done && written) {
        GArray *before = q->header.extensions;
        q->header.extensions = header.extensions;
        header.extensions = before;
    }
    g_array_unref(header.extensions);
    return written;
}
