/*
 * vmstate-dump: shows what is in a VM state stream.
 */
#include <string.h>
#include <unistd.h>

#include "tools/common/cli.h"
#include "tools/common/fan.h"
#include "tools/vmstate-dump/dump.h"
#include "tools/vmstate-dump/images.h"

static struct {
    char *format, *section, *colour, *snapshot, *kind, *schema_from, *ram, *core, *below, *blocks;
    char **channels;
    gboolean schema, partial;
} opt;

static const GOptionEntry entries[] = {
    {"format", 0, 0, G_OPTION_ARG_STRING, &opt.format, "pretty (default), json or summary", "FORMAT"},
    {"section", 0, 0, G_OPTION_ARG_STRING, &opt.section, "Only sections whose name GLOB fits (* and ?)", "GLOB"},
    {"schema", 0, 0, G_OPTION_ARG_NONE, &opt.schema, "Show the description, not the state", NULL},
    {"schema-from", 0, 0, G_OPTION_ARG_FILENAME, &opt.schema_from, "Describe what FILE does not by the stream in OTHER",
     "OTHER"},
    {"snapshot", 0, 0, G_OPTION_ARG_STRING, &opt.snapshot, "Of a qcow2 image: which snapshot (name, id or UUID)",
     "WHICH"},
    {"channel-kind", 0, 0, G_OPTION_ARG_STRING, &opt.kind, "What FILE is, if it does not tell", "KIND"},
    {"ram", 0, 0, G_OPTION_ARG_FILENAME, &opt.ram, "Write guest memory to IMAGE, at its physical addresses", "IMAGE"},
    {"core", 0, 0, G_OPTION_ARG_FILENAME, &opt.core, "Write memory and registers to CORE, an ELF core file", "CORE"},
    {"channel", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &opt.channels,
     "Another channel with pages of the same migration; may come again", "FILE"},
    {"partial", 0, 0, G_OPTION_ARG_NONE, &opt.partial, "Keep images also if FILE is cut or lacks pages", NULL},
    {"ram-below", 0, 0, G_OPTION_ARG_STRING, &opt.below, "So much RAM is below 4 GiB (K, M, G, T)", "SIZE"},
    {"ram-blocks", 0, 0, G_OPTION_ARG_STRING, &opt.blocks, "These blocks are guest memory, in order of address",
     "NAME,..."},
    {"color", 0, 0, G_OPTION_ARG_STRING, &opt.colour, "auto (default), always or never", "WHEN"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const char summary[] =
    "Shows the VM state in FILE: a QEMU migration stream (x86), a libvirt save file, a BER stream,\n"
    "or that of a snapshot in a qcow2 image.\n"
    "\"-\" is standard input; gzip, bzip2, xz and zstd are unpacked.";
static const char more[] =
    "Exit status: 0 fine, 2 wrong usage, 3 damaged or unreadable input (what came before is shown).\n"
    "See vmstate-dump(1).\n";

typedef enum Form { FORM_PRETTY, FORM_JSON, FORM_SUMMARY } Form;

static Form form_of(const char *name)
{
    if (!name || strcmp(name, "pretty") == 0)
        return FORM_PRETTY;
    if (strcmp(name, "json") == 0)
        return FORM_JSON;
    if (strcmp(name, "summary") == 0)
        return FORM_SUMMARY;
    cli_usage("--format takes pretty, json or summary, not '%s'", name);
}

static StreamSink *make_sink(Form form, ChanOut *out, DumpWish *wish)
{
    if (opt.schema)
        return schema_dump_new(out, wish, form == FORM_JSON);
    switch (form) {
    case FORM_JSON:
        return json_dump_new(out, wish);
    case FORM_SUMMARY:
        return summary_new(out, wish);
    default:
        return pretty_new(out, wish);
    }
}

static void free_sink(Form form, StreamSink *sink)
{
    if (opt.schema)
        schema_dump_free(sink);
    else if (form == FORM_JSON)
        json_dump_free(sink);
    else if (form == FORM_SUMMARY)
        summary_free(sink);
    else
        pretty_free(sink);
}

static uint64_t size_of(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    uint64_t size = g_ascii_strtoull(text, &end, 10);
    const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;

    if (end == text || (*end && (!unit || end[1])) || size >= UINT64_C(1) << 40)
        cli_usage("'%s' is no size: a number, and perhaps K, M, G or T", text);
    size = unit ? size << (10 * (unit - units + 1)) : size;
    if (size == 0 || size % RAM_PAGE)
        cli_usage("--ram-below=%s: not a multiple of the page size, 4K", text);
    return size;
}

/* Reads the stream and writes all that is wanted of it. *shown: there was something. */
static bool dump(Input *input, const Schema *borrowed, Form form, ChanOut *out, Images *images, bool *shown,
                 GError **error)
{
    DumpWish wish = {.section = opt.section, .colour = cli_colour(opt.colour), .path = input->path, .input = input};
    StreamSink *sink = make_sink(form, out, &wish);
    Fan fan;

    fan_init(&fan);
    fan_add(&fan, sink);
    if (images)
        images_add_to(images, &fan);
    bool ok = input_load(input, borrowed, &fan.sink, error);
    free_sink(form, sink);
    *shown = !opt.section || wish.fitted;
    return ok;
}

/* Where the next error goes: only the first is told. */
static GError **keep_first(GError **first, GError **later)
{
    g_clear_error(later);
    return *first ? later : first;
}

int main(int argc, char **argv)
{
    char **paths = cli_parse(&argc, &argv, entries, "FILE", 1, summary, more);
    g_autoptr(Schema) borrowed = NULL;
    g_auto(GStrv) blocks = opt.blocks ? g_strsplit(opt.blocks, ",", -1) : NULL;
    PhysWish phys = {.below = opt.below ? size_of(opt.below) : 0, .blocks = blocks};
    GError *error = NULL, *later = NULL;
    Images *images = NULL;
    Form form = form_of(opt.format);

    if ((opt.channels || opt.partial) && !opt.ram && !opt.core)
        cli_usage("--%s goes with --ram or --core", opt.channels ? "channel" : "partial");
    if (opt.schema_from && !(borrowed = input_schema(opt.schema_from, &error)))
        return cli_fail(error);
    g_autoptr(Input) input = input_open(paths[0], opt.snapshot, input_kind(opt.kind), false, &error);
    if (!input)
        return cli_fail(error);
    if ((opt.ram || opt.core) && !(images = images_new(opt.ram, opt.core, opt.channels, &phys, &error)))
        return cli_fail(error);
    g_autoptr(ChanOut) out = chan_out_new(chan_fd_new(dup(STDOUT_FILENO)));
    bool shown = false, ok = dump(input, borrowed, form, out, images, &shown, &error);
    if (images && (ok || (opt.partial && g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT))))
        images_finish(images, opt.partial, keep_first(&error, &later));
    images_close(images, keep_first(&error, &later));
    chan_out_finish(out, keep_first(&error, &later));
    g_clear_error(&later);
    if (error)
        return cli_fail(error);
    if (!shown)
        cli_usage("no section of the stream fits --section='%s'", opt.section);
    return EXIT_FINE;
}
