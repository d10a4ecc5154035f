/* map.c: qcow2-tool map. */
#include <string.h>

#include "tools/qcow2-tool/chain.h"

static const GOptionEntry entries[] = {
    TOOL_IMAGE_FORMAT, TOOL_FORMAT, TOOL_SHARE, TOOL_PROBE, TOOL_END,
};

static const char summary[] = "Says what lies where in IMAGE and its backing files.";
static const char more[] = "Exit status: 0 said, 2 wrong usage, 3 damaged or unreadable image.\nSee qcow2-tool(1).\n";

typedef struct Map {
    ChanOut *out;
    JsonWrite *json; /* NULL: text */
    ChainExtent last;
    bool any;
} Map;

static void put(Map *m)
{
    const ChainExtent *e = &m->last;

    if (!m->any)
        return;
    if (!m->json) {
        if (e->kind == IMAGE_DATA)
            tool_print(m->out, "%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s\n", e->offset, e->len, e->host,
                       e->file);
        return;
    }
    json_write_object_start(m->json, NULL);
    json_write_uint(m->json, "start", e->offset);
    json_write_uint(m->json, "length", e->len);
    json_write_uint(m->json, "depth", e->depth);
    json_write_bool(m->json, "present", e->kind != IMAGE_UNALLOCATED);
    json_write_bool(m->json, "zero", e->kind == IMAGE_ZEROS || e->kind == IMAGE_UNALLOCATED);
    json_write_bool(m->json, "data", e->kind == IMAGE_DATA || e->kind == IMAGE_COMPRESSED_DATA);
    json_write_bool(m->json, "compressed", e->kind == IMAGE_COMPRESSED_DATA);
    if (e->has_host)
        json_write_uint(m->json, "offset", e->host);
    json_write_object_end(m->json);
}

static void add(Map *m, const ChainExtent *e)
{
    ChainExtent *l = &m->last;

    if (m->any && l->kind == e->kind && l->depth == e->depth && l->has_host == e->has_host &&
        (!e->has_host || l->host + l->len == e->host)) {
        l->len += e->len;
        return;
    }
    put(m);
    m->last = *e;
    m->any = true;
}

/* The text has no place for clusters that are compressed. */
static bool map(Map *m, Image *image, GError **error)
{
    ChainExtent extent;
    uint64_t compressed = 0;

    for (uint64_t at = 0; at < image->length; at += extent.len) {
        if (!chain_map(image, at, image->length - at, &extent, error))
            return false;
        if (extent.kind == IMAGE_COMPRESSED_DATA)
            compressed += extent.len;
        add(m, &extent);
    }
    put(m);
    if (compressed && !m->json)
        cli_complain("%" PRIu64 " octets are compressed, and not shown: --format=json shows them", compressed);
    return true;
}

int map_main(int argc, char **argv)
{
    char **rest = cli_parse_some(&argc, &argv, entries, "IMAGE", 1, 1, summary, more);
    bool as_json = tool_json();
    ImagePath options = {.read_only = true};
    GError *error = NULL;
    ChanOut *out = tool_out();
    g_autoptr(JsonWrite) json = json_write_new(out, 1);
    Map m = {.out = out, .json = as_json ? json : NULL};
    g_autoptr(Image) image = tool_open(rest[0], &options, &error);

    if (image && as_json)
        json_write_array_start(json, NULL);
    else if (image)
        tool_print(out, "%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
    if (image)
        map(&m, image, &error);
    json_write_close_to(json, 0);
    return tool_finish(out, EXIT_FINE, error);
}
