/* info.c: qcow2-tool info. */
#include "tools/qcow2-tool/info.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "qcow2/header.h"
#include "visitors/error.h"
#include "visitors/uuid.h"

enum { CHAIN_MAX = 200 };

static gboolean whole_chain;

static const GOptionEntry entries[] = {
    TOOL_IMAGE_FORMAT, {"backing-chain", 0, 0, G_OPTION_ARG_NONE, &whole_chain, "Of the backing files, too", NULL},
    TOOL_FORMAT,       TOOL_SHARE,
    TOOL_PROBE,        TOOL_END,
};

static const char summary[] = "Says what IMAGE is.";
static const char more[] = "Exit status: 0 said, 2 wrong usage, 3 damaged or unreadable image.\nSee qcow2-tool(1).\n";

/* What both forms tell. */
typedef struct Facts {
    const char *path;
    const Image *image;
    const Qcow2Header *header; /* NULL: it is raw */
    uint64_t room;             /* octets that the file takes */
    char *backing;             /* from where the program is, or with its protocol; NULL: none */
    char *backing_format, *data_file;
    GPtrArray *bitmaps;
    bool has_current;
    char current[UUID_TEXT]; /* the snapshot that the disk comes from */
} Facts;

static char *extension_text(const Qcow2Header *header, uint32_t type)
{
    GBytes *data = header ? qcow2_header_extension(header, type) : NULL;

    return data ? g_strndup(g_bytes_get_data(data, NULL), g_bytes_get_size(data)) : NULL;
}

static bool facts_find(Facts *f, const char *path, Image *image, GError **error)
{
    struct stat status;
    uint8_t current[UUID_OCTETS];

    *f = (Facts){.path = path, .image = image, .header = qcow2_header(image)};
    f->room = stat(path, &status) == 0 ? (uint64_t)status.st_blocks * 512 : 0;
    if (!f->header)
        return true;
    f->backing = f->header->backing ? image_relative(path, f->header->backing, NULL) : NULL;
    f->backing = f->backing ? f->backing : g_strdup(f->header->backing);
    f->backing_format = extension_text(f->header, QCOW2_EXT_BACKING_FORMAT);
    f->data_file = extension_text(f->header, QCOW2_EXT_DATA_FILE);
    qcow2_current_uuid(image, current);
    f->has_current = !uuid_is_null(current);
    uuid_text(current, f->current);
    return (f->bitmaps = qcow2_bitmaps(image, error));
}

static void facts_done(Facts *f)
{
    g_free(f->backing);
    g_free(f->backing_format);
    g_free(f->data_file);
    if (f->bitmaps)
        g_ptr_array_unref(f->bitmaps);
}

static const char *yes(bool value)
{
    return value ? "true" : "false";
}

/* --- text ------------------------------------------------------------------------------------------------------- */

static void text_bitmaps(ChanOut *out, const Facts *f)
{
    if (f->bitmaps->len)
        tool_print(out, "    bitmaps:\n");
    for (guint i = 0; i < f->bitmaps->len; i++) {
        const Qcow2Bitmap *b = g_ptr_array_index(f->bitmaps, i);
        tool_print(
            out, "        [%u]:\n            flags:%s%s\n            name: %s\n            granularity: %" PRIu64 "\n",
            i, b->flags & 1 ? " in-use" : "", b->flags & 2 ? " auto" : "", b->name,
            UINT64_C(1) << MIN(b->granularity_bits, 63));
    }
}

static void text_specific(ChanOut *out, const Facts *f)
{
    const Qcow2Header *h = f->header;

    tool_print(out, "Format specific information:\n    compat: %s\n    compression type: %s\n",
               h->version == 2 ? "0.10" : "1.1", h->compression == QCOW2_COMPRESSION_ZSTD ? "zstd" : "zlib");
    if (h->version >= 3)
        tool_print(out, "    lazy refcounts: %s\n", yes(h->compatible & QCOW2_LAZY_REFCOUNTS));
    tool_print(out, "    refcount bits: %u\n", 1u << h->refcount_order);
    text_bitmaps(out, f);
    if (f->data_file)
        tool_print(out, "    data file: %s\n    data file raw: %s\n", f->data_file,
                   yes(h->autoclear & QCOW2_DATA_FILE_RAW));
    if (h->version >= 3)
        tool_print(out, "    corrupt: %s\n    extended l2: %s\n", yes(h->incompatible & QCOW2_CORRUPT),
                   yes(h->incompatible & QCOW2_EXTENDED_L2));
    if (f->has_current)
        tool_print(out, "    current snapshot: %s\n", f->current);
}

static void text_info(ChanOut *out, const Facts *f)
{
    g_autofree char *size = tool_size_text(f->image->length), *room = tool_size_text(f->room);
    unsigned snapshots = 0;

    tool_print(out, "image: %s\nfile format: %s\nvirtual size: %s (%" PRIu64 " bytes)\ndisk size: %s\n", f->path,
               f->image->format, size, f->image->length, room);
    if (!f->header)
        return;
    if (f->header->incompatible & QCOW2_DIRTY)
        tool_print(out, "cleanly shut down: no\n");
    tool_print(out, "cluster_size: %u\n", qcow2_cluster_size(f->header));
    if (f->backing) {
        bool moved = strcmp(f->backing, f->header->backing) != 0;
        tool_print(out, "backing file: %s%s%s%s\n", f->header->backing, moved ? " (actual path: " : "",
                   moved ? f->backing : "", moved ? ")" : "");
    }
    if (f->backing_format)
        tool_print(out, "backing file format: %s\n", f->backing_format);
    qcow2_snapshots(f->image, &snapshots);
    if (snapshots)
        info_snapshots_text(out, f->image);
    text_specific(out, f);
}

/* --- JSON ------------------------------------------------------------------------------------------------------- */

static void json_bitmaps(JsonWrite *json, const Facts *f)
{
    if (!f->bitmaps->len)
        return;
    json_write_array_start(json, "bitmaps");
    for (guint i = 0; i < f->bitmaps->len; i++) {
        const Qcow2Bitmap *b = g_ptr_array_index(f->bitmaps, i);
        json_write_object_start(json, NULL);
        json_write_array_start(json, "flags");
        if (b->flags & 1)
            json_write_string(json, NULL, "in-use");
        if (b->flags & 2)
            json_write_string(json, NULL, "auto");
        json_write_array_end(json);
        json_write_string(json, "name", b->name);
        json_write_uint(json, "granularity", UINT64_C(1) << MIN(b->granularity_bits, 63));
        json_write_object_end(json);
    }
    json_write_array_end(json);
}

static void json_specific(JsonWrite *json, const Facts *f)
{
    const Qcow2Header *h = f->header;

    json_write_object_start(json, "format-specific");
    json_write_string(json, "type", "qcow2");
    json_write_object_start(json, "data");
    json_write_string(json, "compat", h->version == 2 ? "0.10" : "1.1");
    json_write_string(json, "compression-type", h->compression == QCOW2_COMPRESSION_ZSTD ? "zstd" : "zlib");
    if (h->version >= 3)
        json_write_bool(json, "lazy-refcounts", h->compatible & QCOW2_LAZY_REFCOUNTS);
    json_write_uint(json, "refcount-bits", UINT64_C(1) << h->refcount_order);
    json_bitmaps(json, f);
    if (f->data_file) {
        json_write_string(json, "data-file", f->data_file);
        json_write_bool(json, "data-file-raw", h->autoclear & QCOW2_DATA_FILE_RAW);
    }
    if (h->version >= 3) {
        json_write_bool(json, "corrupt", h->incompatible & QCOW2_CORRUPT);
        json_write_bool(json, "extended-l2", h->incompatible & QCOW2_EXTENDED_L2);
    }
    if (f->has_current)
        json_write_string(json, "current-snapshot", f->current);
    json_write_object_end(json);
    json_write_object_end(json);
}

static void json_info(JsonWrite *json, const Facts *f)
{
    unsigned snapshots = 0;

    json_write_object_start(json, NULL);
    json_write_string(json, "filename", f->path);
    json_write_string(json, "format", f->image->format);
    json_write_uint(json, "virtual-size", f->image->length);
    json_write_uint(json, "actual-size", f->room);
    json_write_bool(json, "dirty-flag", f->header && f->header->incompatible & QCOW2_DIRTY);
    if (f->header) {
        json_write_uint(json, "cluster-size", qcow2_cluster_size(f->header));
        if (f->backing) {
            json_write_string(json, "backing-filename", f->header->backing);
            json_write_string(json, "full-backing-filename", f->backing);
        }
        if (f->backing_format)
            json_write_string(json, "backing-filename-format", f->backing_format);
        qcow2_snapshots(f->image, &snapshots);
        if (snapshots)
            info_snapshots_json(json, "snapshots", f->image);
        json_specific(json, f);
    }
    json_write_object_end(json);
}

/* --- the command ------------------------------------------------------------------------------------------------ */

/* One image; *next: its backing file, if it is wanted, and what it is said to be. New strings, or NULL. */
static bool tell(ChanOut *out, JsonWrite *json, const char *path, const char *format, char *next[2], GError **error)
{
    ImagePath options = {.format = format, .read_only = true, .no_backing = true};
    g_autoptr(Image) image = tool_open(path, &options, error);
    Facts facts = {0};

    if (!image || !facts_find(&facts, path, image, error)) {
        facts_done(&facts);
        return false;
    }
    if (json)
        json_info(json, &facts);
    else
        text_info(out, &facts);
    bool on = whole_chain && facts.backing;
    next[0] = on ? image_relative(path, facts.header->backing, error) : NULL;
    next[1] = next[0] ? g_strdup(facts.backing_format) : NULL;
    facts_done(&facts);
    return !on || next[0];
}

/* Has the chain come back to an image that was there? */
static bool seen(GHashTable *files, const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return false;
    return !g_hash_table_add(
        files, g_strdup_printf("%llx:%llx", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino));
}

static bool tell_chain(ChanOut *out, JsonWrite *json, const char *path, GError **error)
{
    g_autoptr(GHashTable) files = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree char *name = g_strdup(path), *format = NULL;

    for (unsigned depth = 0; name; depth++) {
        char *next[2] = {NULL, NULL};
        if (depth >= CHAIN_MAX || seen(files, name)) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: %s", name,
                        depth < CHAIN_MAX ? "the image is its own backing file" : "the chain has more than 200 images");
            return false;
        }
        if (depth && !format && !tool.probe_backing) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                        "%s: the image above does not tell its format (--probe-backing finds out)", name);
            return false;
        }
        if (depth && !json)
            tool_print(out, "\n");
        if (!tell(out, json, name, format, next, error))
            return false;
        g_free(name);
        g_free(format);
        name = next[0];
        format = next[1];
    }
    return true;
}

int info_main(int argc, char **argv)
{
    char **rest = cli_parse_some(&argc, &argv, entries, "IMAGE", 1, 1, summary, more);
    ChanOut *out = tool_out();
    g_autoptr(JsonWrite) json = json_write_new(out, 3);
    bool as_json = tool_json();
    GError *error = NULL;

    if (as_json && whole_chain)
        json_write_array_start(json, NULL);
    tell_chain(out, as_json ? json : NULL, rest[0], &error);
    json_write_close_to(json, 0);
    return tool_finish(out, EXIT_FINE, error);
}
