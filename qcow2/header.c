/* header.c: the header of a qcow2 image and its extensions. Source: the qcow2 specification, "Header". */
#include <inttypes.h>
#include <string.h>

#include "qcow2/header.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

enum { LENGTH_V2 = 72, LENGTH_V3 = 104, LENGTH_MAX = 1024, COMPRESSION_AT = 104 };

static const struct {
    uint8_t kind, bit;
    const char *name;
} features[] = {
    {0, 0, "dirty bit"},        {0, 1, "corrupt bit"},         {0, 2, "external data file"},
    {0, 3, "compression type"}, {0, 4, "extended L2 entries"}, {1, 0, "lazy refcounts"},
    {2, 0, "bitmaps"},          {2, 1, "raw external data"},
};

#define FEATURE_SIZE 48u

/* --- judging ---------------------------------------------------------------------------------------------------- */

typedef struct Judge {
    HostFile *file;
    GError **error;
} Judge;

static bool refuse(const Judge *j, FerryError code, unsigned at, const char *format, ...) G_GNUC_PRINTF(4, 5);
static bool refuse(const Judge *j, FerryError code, unsigned at, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(j->error, FERRY_ERROR, code, "%s: header offset %u: %s", j->file->path, at, text);
    return false;
}

/* A table that the header points to: aligned, behind the header, and it begins within the file. */
static bool judge_table(const Judge *j, const Qcow2Header *h, unsigned at, const char *what, uint64_t offset,
                        uint64_t len)
{
    uint64_t length = host_file_length(j->file);

    if (offset & (qcow2_cluster_size(h) - 1))
        return refuse(j, FERRY_ERROR_DAMAGED, at, "%s at 0x%" PRIx64 ", which is no multiple of the cluster size 0x%x",
                      what, offset, qcow2_cluster_size(h));
    if (len && (!offset || offset > INT64_MAX - len))
        return refuse(j, FERRY_ERROR_DAMAGED, at, "%s at 0x%" PRIx64 ", where it cannot be", what, offset);
    if (len && offset >= length)
        return refuse(j, FERRY_ERROR_DAMAGED, at, "%s at 0x%" PRIx64 ", but the file ends at 0x%" PRIx64, what, offset,
                      length);
    return true;
}

bool qcow2_header_judge_reftable(HostFile *file, const Qcow2Header *h, GError **error)
{
    Judge j = {file, error};
    uint64_t octets = (uint64_t)h->reftable_clusters << h->cluster_bits;

    if (!h->reftable_clusters)
        return refuse(&j, FERRY_ERROR_DAMAGED, 56, "there is no refcount table");
    if (octets > QCOW2_REFTABLE_MAX)
        return refuse(&j, FERRY_ERROR_LIMIT, 56, "a refcount table of %u clusters, at most %u", h->reftable_clusters,
                      QCOW2_REFTABLE_MAX >> h->cluster_bits);
    return judge_table(&j, h, 48, "the refcount table", h->reftable_offset, octets);
}

static bool judge_sizes(const Judge *j, const Qcow2Header *h, bool to_check)
{
    uint64_t l1 = (uint64_t)h->l1_size * 8, needed;

    if (h->size > INT64_MAX)
        return refuse(j, FERRY_ERROR_LIMIT, 24, "a disk of %" PRIu64 " octets, at most %" PRIi64, h->size, INT64_MAX);
    if (l1 > QCOW2_L1_MAX)
        return refuse(j, FERRY_ERROR_LIMIT, 36, "an L1 table of %u entries, at most %u", h->l1_size, QCOW2_L1_MAX / 8);
    needed = qcow2_l1_needed(h, h->size);
    if (h->l1_size < needed)
        return refuse(j, FERRY_ERROR_DAMAGED, 36, "an L1 table of %u entries, but the disk needs %" PRIu64, h->l1_size,
                      needed);
    if (!to_check && h->snapshot_count > QCOW2_SNAPSHOTS_MAX)
        return refuse(j, FERRY_ERROR_LIMIT, 60, "%u snapshots, at most %u", h->snapshot_count, QCOW2_SNAPSHOTS_MAX);
    return judge_table(j, h, 40, "the L1 table", h->l1_offset, l1) &&
           (to_check || qcow2_header_judge_reftable(j->file, h, j->error)) &&
           judge_table(j, h, 64, "the snapshot table", h->snapshots_offset, h->snapshot_count ? 40 : 0);
}

static bool judge_features(const Judge *j, const Qcow2Header *h)
{
    uint64_t unknown = h->incompatible & ~(uint64_t)QCOW2_INCOMPATIBLE_KNOWN;
    g_autoptr(GString) names = g_string_new(NULL);

    for (unsigned bit = 0; bit < 64; bit++) {
        if (!(unknown >> bit & 1))
            continue;
        g_autofree char *name = qcow2_header_feature(h, 0, bit);
        g_string_append_printf(names, "%s%s", names->len ? ", " : "", name);
    }
    if (unknown)
        return refuse(j, FERRY_ERROR_UNSUPPORTED, 72, "the image uses what this program does not know: %s", names->str);
    if ((h->incompatible & QCOW2_EXTENDED_L2) && h->cluster_bits < 14)
        return refuse(j, FERRY_ERROR_DAMAGED, 72, "extended L2 entries with clusters of %u octets, at least 16384",
                      qcow2_cluster_size(h));
    if (!(h->incompatible & QCOW2_COMPRESSION) != !h->compression)
        return refuse(j, FERRY_ERROR_DAMAGED, COMPRESSION_AT, "compression type %u, but the feature bit for it is %s",
                      h->compression, h->compression ? "clear" : "set");
    if (h->compression > QCOW2_COMPRESSION_ZSTD)
        return refuse(j, FERRY_ERROR_UNSUPPORTED, COMPRESSION_AT,
                      "compression type %u, known are 0 (zlib) and 1 (zstd)", h->compression);
    if ((h->autoclear & QCOW2_DATA_FILE_RAW) && !(h->incompatible & QCOW2_DATA_FILE))
        return refuse(j, FERRY_ERROR_DAMAGED, 88, "a raw external data file, but no external data file");
    return true;
}

static bool judge_encryption(const Judge *j, const Qcow2Header *h)
{
    if (h->crypt_method == 0)
        return true;
    if (h->crypt_method <= 2)
        return refuse(j, FERRY_ERROR_UNSUPPORTED, 32,
                      "the image is encrypted (%s); decrypt it first, by 'qemu-img convert' with its key",
                      h->crypt_method == 1 ? "AES" : "LUKS");
    return refuse(j, FERRY_ERROR_UNSUPPORTED, 32, "encryption method %u, known is none (0)", h->crypt_method);
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

static void clear_extension(void *extension)
{
    g_clear_pointer(&((Qcow2Extension *)extension)->data, g_bytes_unref);
}

static bool read_start(const Judge *j, Qcow2Header *h, ByteIn *in)
{
    h->version = byte_in_be32(in);
    uint64_t backing = byte_in_be64(in);
    uint32_t backing_len = byte_in_be32(in);
    h->cluster_bits = byte_in_be32(in);
    h->size = byte_in_be64(in);
    h->crypt_method = byte_in_be32(in);
    h->l1_size = byte_in_be32(in);
    h->l1_offset = byte_in_be64(in);
    h->reftable_offset = byte_in_be64(in);
    h->reftable_clusters = byte_in_be32(in);
    h->snapshot_count = byte_in_be32(in);
    h->snapshots_offset = byte_in_be64(in);
    h->refcount_order = 4;
    h->header_length = LENGTH_V2;
    if (h->version < 2 || h->version > 3)
        return refuse(j, FERRY_ERROR_UNSUPPORTED, 4, "version %u, known are 2 and 3", h->version);
    if (h->cluster_bits < 9 || h->cluster_bits > 21)
        return refuse(j, FERRY_ERROR_LIMIT, 20, "cluster_bits is %u, must be 9 to 21", h->cluster_bits);
    if (backing && (!backing_len || backing_len > QCOW2_NAME_MAX))
        return refuse(j, FERRY_ERROR_LIMIT, 16, "the backing file's name has %u octets, must be 1 to %u", backing_len,
                      QCOW2_NAME_MAX);
    if (backing && (backing < h->header_length || backing > qcow2_cluster_size(h) - backing_len))
        return refuse(j, FERRY_ERROR_DAMAGED, 8,
                      "the backing file's name at 0x%" PRIx64 ", not in the first cluster of 0x%x octets", backing,
                      qcow2_cluster_size(h));
    if (!backing)
        return true;
    char name[QCOW2_NAME_MAX + 1];
    if (!host_file_read(j->file, backing, name, backing_len, j->error))
        return false;
    name[backing_len] = 0;
    if (strlen(name) != backing_len || !bytes_are_printable(name, backing_len))
        return refuse(j, FERRY_ERROR_DAMAGED, 8, "the backing file's name is no text");
    h->backing = g_strdup(name);
    return true;
}

static bool read_more(const Judge *j, Qcow2Header *h, ByteIn *in)
{
    if (h->version < 3)
        return true;
    h->incompatible = byte_in_be64(in);
    h->compatible = byte_in_be64(in);
    h->autoclear = byte_in_be64(in);
    h->refcount_order = byte_in_be32(in);
    h->header_length = byte_in_be32(in);
    if (h->refcount_order > 6)
        return refuse(j, FERRY_ERROR_LIMIT, 96, "refcount_order is %u, at most 6", h->refcount_order);
    if (h->header_length < LENGTH_V3 || h->header_length > MIN(LENGTH_MAX, qcow2_cluster_size(h)) ||
        h->header_length % 8)
        return refuse(j, FERRY_ERROR_DAMAGED, 100, "the header has %u octets, must be a multiple of 8 from %u to %u",
                      h->header_length, LENGTH_V3, MIN(LENGTH_MAX, qcow2_cluster_size(h)));
    return true;
}

static bool read_tail(const Judge *j, Qcow2Header *h)
{
    uint8_t tail[LENGTH_MAX];
    size_t len = h->header_length > LENGTH_V3 ? h->header_length - LENGTH_V3 : 0;

    if (!len)
        return true;
    if (!host_file_read(j->file, LENGTH_V3, tail, len, j->error))
        return false;
    h->compression = tail[0];
    /* The octets behind it up to the next multiple of 8 are padding, or of fields to come. */
    h->more = g_bytes_new(tail + 1, len - 1);
    return true;
}

static bool read_extensions(const Judge *j, Qcow2Header *h)
{
    uint32_t size = qcow2_cluster_size(h);
    uint64_t at = h->header_length;
    g_autofree uint8_t *cluster = g_malloc(size);

    if (!host_file_read(j->file, 0, cluster, size, j->error))
        return false;
    while (at + 8 <= size) {
        uint32_t type = load_be32(cluster + at), len = load_be32(cluster + at + 4);
        if (type == QCOW2_EXT_END)
            break;
        if (len > size - at - 8)
            return refuse(j, FERRY_ERROR_DAMAGED, (unsigned)at, "extension 0x%08x of %u octets, but %u are left", type,
                          len, (unsigned)(size - at - 8));
        if (qcow2_header_extension(h, type))
            return refuse(j, FERRY_ERROR_DAMAGED, (unsigned)at, "extension 0x%08x is there twice", type);
        Qcow2Extension extension = {type, g_bytes_new(cluster + at + 8, len)};
        g_array_append_val(h->extensions, extension);
        at += 8 + (((uint64_t)len + 7) & ~UINT64_C(7));
    }
    return true;
}

static bool read_header(HostFile *file, Qcow2Header *h, bool to_check, GError **error)
{
    Judge j = {file, error};
    uint8_t start[LENGTH_V3];
    ByteIn in;

    memset(h, 0, sizeof *h);
    h->extensions = g_array_new(FALSE, FALSE, sizeof(Qcow2Extension));
    g_array_set_clear_func(h->extensions, clear_extension);
    if (host_file_length(file) < LENGTH_V2)
        return refuse(&j, FERRY_ERROR_CUT, 0, "the file has %" PRIu64 " octets, a header has at least %u",
                      host_file_length(file), LENGTH_V2);
    if (!host_file_read(file, 0, start, sizeof start, error))
        return false;
    byte_in_init(&in, start, sizeof start);
    uint32_t magic = byte_in_be32(&in);
    if (magic != QCOW2_MAGIC)
        return refuse(&j, FERRY_ERROR_UNSUPPORTED, 0, "no qcow2 image: it starts with 0x%08x, not 0x%08x", magic,
                      QCOW2_MAGIC);
    return read_start(&j, h, &in) && read_more(&j, h, &in) && read_tail(&j, h) && read_extensions(&j, h) &&
           judge_encryption(&j, h) && judge_features(&j, h) && judge_sizes(&j, h, to_check);
}

bool qcow2_header_read(HostFile *file, Qcow2Header *h, GError **error)
{
    return read_header(file, h, false, error);
}

bool qcow2_header_read_to_check(HostFile *file, Qcow2Header *h, GError **error)
{
    return read_header(file, h, true, error);
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

static void put_be32(GByteArray *out, uint32_t x)
{
    uint8_t octets[4];

    store_be32(octets, x);
    g_byte_array_append(out, octets, sizeof octets);
}

static void put_be64(GByteArray *out, uint64_t x)
{
    uint8_t octets[8];

    store_be64(octets, x);
    g_byte_array_append(out, octets, sizeof octets);
}

static void pad(GByteArray *out, size_t unit)
{
    static const uint8_t zeros[HOST_SECTOR];

    g_byte_array_append(out, zeros, (guint)((unit - out->len % unit) % unit));
}

static void put_v3(GByteArray *out, const Qcow2Header *h)
{
    gsize more = 0;
    const void *octets = h->more ? g_bytes_get_data(h->more, &more) : NULL;
    uint8_t compression = (uint8_t)h->compression;

    put_be64(out, h->incompatible);
    put_be64(out, h->compatible);
    put_be64(out, h->autoclear);
    put_be32(out, h->refcount_order);
    put_be32(out, h->header_length);
    if (h->header_length <= LENGTH_V3)
        return;
    g_byte_array_append(out, &compression, 1);
    if (more)
        g_byte_array_append(out, octets, (guint)more);
    pad(out, 8);
}

GByteArray *qcow2_header_octets(const Qcow2Header *h, GError **error)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    size_t name = h->backing ? strlen(h->backing) : 0;

    put_be32(out, QCOW2_MAGIC);
    put_be32(out, h->version);
    put_be64(out, 0);
    put_be32(out, (uint32_t)name);
    put_be32(out, h->cluster_bits);
    put_be64(out, h->size);
    put_be32(out, h->crypt_method);
    put_be32(out, h->l1_size);
    put_be64(out, h->l1_offset);
    put_be64(out, h->reftable_offset);
    put_be32(out, h->reftable_clusters);
    put_be32(out, h->snapshot_count);
    put_be64(out, h->snapshots_offset);
    if (h->version >= 3)
        put_v3(out, h);
    for (unsigned i = 0; i < h->extensions->len; i++) {
        const Qcow2Extension *e = &g_array_index(h->extensions, Qcow2Extension, i);
        gsize len;
        const void *data = g_bytes_get_data(e->data, &len);
        put_be32(out, e->type);
        put_be32(out, (uint32_t)len);
        g_byte_array_append(out, data, (guint)len);
        pad(out, 8);
    }
    put_be64(out, QCOW2_EXT_END);
    if (name) {
        store_be64(out->data + 8, out->len);
        g_byte_array_append(out, (const uint8_t *)h->backing, (guint)name);
    }
    pad(out, HOST_SECTOR);
    if (out->len > qcow2_cluster_size(h)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                    "the image's header needs %u octets with its extensions and the backing file's name, but a cluster "
                    "has %u",
                    out->len, qcow2_cluster_size(h));
        return NULL;
    }
    return g_steal_pointer(&out);
}

/* --- its parts -------------------------------------------------------------------------------------------------- */

void qcow2_header_clear(Qcow2Header *h)
{
    g_clear_pointer(&h->more, g_bytes_unref);
    g_clear_pointer(&h->backing, g_free);
    g_clear_pointer(&h->extensions, g_array_unref);
}

GBytes *qcow2_header_extension(const Qcow2Header *h, uint32_t type)
{
    for (unsigned i = 0; i < h->extensions->len; i++) {
        const Qcow2Extension *e = &g_array_index(h->extensions, Qcow2Extension, i);
        if (e->type == type)
            return e->data;
    }
    return NULL;
}

void qcow2_header_set_extension(Qcow2Header *h, uint32_t type, GBytes *data)
{
    Qcow2Extension extension = {type, data};

    for (unsigned i = 0; i < h->extensions->len; i++) {
        Qcow2Extension *e = &g_array_index(h->extensions, Qcow2Extension, i);
        if (e->type != type)
            continue;
        if (data) {
            g_bytes_unref(e->data);
            e->data = data;
        } else {
            g_array_remove_index(h->extensions, i);
        }
        return;
    }
    if (data)
        g_array_append_val(h->extensions, extension);
}

char *qcow2_header_feature(const Qcow2Header *h, unsigned kind, unsigned bit)
{
    static const char *const kinds[] = {"incompatible", "compatible", "autoclear"};
    GBytes *table = qcow2_header_extension(h, QCOW2_EXT_FEATURE_NAMES);
    gsize len = 0;
    const uint8_t *entry = table ? g_bytes_get_data(table, &len) : NULL;

    for (; len >= FEATURE_SIZE; len -= FEATURE_SIZE, entry += FEATURE_SIZE) {
        g_autofree char *name = g_strndup((const char *)entry + 2, FEATURE_SIZE - 2);
        if (entry[0] == kind && entry[1] == bit && *name)
            return bytes_show(name, strlen(name));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(features); i++)
        if (features[i].kind == kind && features[i].bit == bit)
            return g_strdup(features[i].name);
    return g_strdup_printf("%s feature bit %u", kinds[MIN(kind, 2)], bit);
}

GBytes *qcow2_header_feature_names(void)
{
    uint8_t *table = g_malloc0(FEATURE_SIZE * G_N_ELEMENTS(features));

    for (size_t i = 0; i < G_N_ELEMENTS(features); i++) {
        uint8_t *entry = table + i * FEATURE_SIZE;
        entry[0] = features[i].kind;
        entry[1] = features[i].bit;
        memcpy(entry + 2, features[i].name, strlen(features[i].name));
    }
    return g_bytes_new_take(table, FEATURE_SIZE * G_N_ELEMENTS(features));
}
