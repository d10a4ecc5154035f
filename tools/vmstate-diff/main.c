/*
 * vmstate-diff: says in which fields two VM states differ.
 */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/cli.h"
#include "tools/common/glob.h"
#include "tools/common/ramfile.h"
#include "tools/common/snapshot.h"
#include "tools/vmstate-diff/compare.h"
#include "visitors/json-write.h"
#include "vmstate/stream-load.h"

enum { RAM_CHUNK = 256, /* pages compared at a time */ RAM_PATHS = 16 /* stretches told per block */ };

static struct {
    char *format, *section, *colour, *schema_from;
    char **ignore, **snapshots;
    gboolean ram, quiet;
} opt;

static const GOptionEntry entries[] = {
    {"format", 0, 0, G_OPTION_ARG_STRING, &opt.format, "pretty (default) or json", "FORMAT"},
    {"ignore", 0, 0, G_OPTION_ARG_STRING_ARRAY, &opt.ignore,
     "Leave out fields whose path GLOB fits (* and ?); may come again", "GLOB"},
    {"section", 0, 0, G_OPTION_ARG_STRING, &opt.section, "Only sections whose name GLOB fits", "GLOB"},
    {"ram", 0, 0, G_OPTION_ARG_NONE, &opt.ram,
     "Compare RAM, too (takes room for both in the directory for temporary files)", NULL},
    {"quiet", 0, 0, G_OPTION_ARG_NONE, &opt.quiet, "Only the exit status", NULL},
    {"schema-from", 0, 0, G_OPTION_ARG_FILENAME, &opt.schema_from, "Describe what A and B do not by the stream in FILE",
     "FILE"},
    {"snapshot", 0, 0, G_OPTION_ARG_STRING_ARRAY, &opt.snapshots,
     "Of a qcow2 image: which snapshot (name, id or UUID); twice: of A and of B", "WHICH"},
    {"color", 0, 0, G_OPTION_ARG_STRING, &opt.colour, "auto (default), always or never", "WHEN"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const char summary[] = "Says in which fields the VM states in A and B differ; their formats may differ.";
static const char more[] =
    "Exit status: 0 they are the same, 1 they differ, 2 wrong usage, 3 damaged or unreadable input.\nSee vmstate-diff(1).\n";

/* --- output ----------------------------------------------------------------------------------------------------- */

typedef struct Report {
    ChanOut *out;
    JsonWrite *json; /* NULL: text */
    bool colour;
    uint64_t differences, ignored;
    bool fitted; /* --section has fitted something */
} Report;

static bool fits_any(char **globs, const char *path)
{
    for (; globs && *globs; globs++)
        if (glob_fits(*globs, path))
            return true;
    return false;
}

static void put_text(Report *r, DiffSide side, const char *path, const char *a, const char *b)
{
    static const char signs[] = {[DIFF_ONLY_A] = '-', [DIFF_ONLY_B] = '+', [DIFF_CHANGED] = '~'};
    static const char *const colours[] = {
        [DIFF_ONLY_A] = "\033[31m", [DIFF_ONLY_B] = "\033[32m", [DIFF_CHANGED] = "\033[33m"};
    g_autofree char *values =
        side == DIFF_CHANGED ? g_strdup_printf("%s -> %s", a, b) : g_strdup(side == DIFF_ONLY_A ? a : b);
    g_autofree char *line = g_strdup_printf("%s%c%s %s: %s\n", r->colour ? colours[side] : "", signs[side],
                                            r->colour ? "\033[0m" : "", path, values);

    chan_out_put(r->out, line, strlen(line));
}

static void put_json(Report *r, DiffSide side, const char *path, const char *a, const char *b)
{
    static const char *const names[] = {[DIFF_ONLY_A] = "only-a", [DIFF_ONLY_B] = "only-b", [DIFF_CHANGED] = "changed"};

    json_write_object_start(r->json, NULL);
    json_write_string(r->json, "difference", names[side]);
    json_write_string(r->json, "path", path);
    if (a)
        json_write_string(r->json, "a", a);
    if (b)
        json_write_string(r->json, "b", b);
    json_write_object_end(r->json);
}

static void tell(void *data, DiffSide side, const char *path, const char *a, const char *b)
{
    Report *r = data;

    if (fits_any(opt.ignore, path)) {
        r->ignored++;
        return;
    }
    r->differences++;
    if (opt.quiet)
        return;
    if (r->json)
        put_json(r, side, path, a, b);
    else
        put_text(r, side, path, a, b);
}

/* --- devices and machine ---------------------------------------------------------------------------------------- */

static bool is_wanted(Report *r, const char *name, uint32_t instance)
{
    if (opt.section && !stream_section_fits(opt.section, name, instance))
        return false;
    return r->fitted = true;
}

static void compare_sections(const Model *a, const Model *b, Report *r)
{
    for (guint i = 0; i < a->sections->len; i++) {
        const ModelSection *s = g_ptr_array_index(a->sections, i), *other = model_find(b, s);
        g_autofree char *title = stream_section_title(s->name, s->instance);
        g_autofree char *version = g_strdup_printf("section, version %d", s->version);
        if (!is_wanted(r, s->name, s->instance))
            continue;
        if (!other) {
            tell(r, DIFF_ONLY_A, title, version, NULL);
            continue;
        }
        if (s->version != other->version) {
            g_autofree char *there = g_strdup_printf("version %d", other->version);
            tell(r, DIFF_CHANGED, title, version + strlen("section, "), there);
        }
        compare_states(title, s, other, tell, r);
    }
    for (guint i = 0; i < b->sections->len; i++) {
        const ModelSection *s = g_ptr_array_index(b->sections, i);
        g_autofree char *title = stream_section_title(s->name, s->instance);
        g_autofree char *version = g_strdup_printf("section, version %d", s->version);
        if (is_wanted(r, s->name, s->instance) && !model_find(a, s))
            tell(r, DIFF_ONLY_B, title, NULL, version);
    }
}

static void compare_blocks(const RamBlocks *a, const RamBlocks *b, Report *r)
{
    for (guint i = 0; i < a->list->len; i++) {
        const RamBlock *x = ram_block(a, i);
        int k = ram_blocks_find(b, x->name, strlen(x->name));
        g_autofree char *path = g_strdup_printf("ram.%s", x->name);
        g_autofree char *here = g_strdup_printf("0x%" G_GINT64_MODIFIER "x octets", x->length);
        g_autofree char *there =
            k >= 0 ? g_strdup_printf("0x%" G_GINT64_MODIFIER "x octets", ram_block(b, (size_t)k)->length) : NULL;
        if (k < 0)
            tell(r, DIFF_ONLY_A, path, here, NULL);
        else if (strcmp(here, there) != 0)
            tell(r, DIFF_CHANGED, path, here, there);
    }
    for (guint i = 0; i < b->list->len; i++) {
        const RamBlock *x = ram_block(b, i);
        g_autofree char *path = g_strdup_printf("ram.%s", x->name);
        g_autofree char *there = g_strdup_printf("0x%" G_GINT64_MODIFIER "x octets", x->length);
        if (ram_blocks_find(a, x->name, strlen(x->name)) < 0)
            tell(r, DIFF_ONLY_B, path, NULL, there);
    }
}

/* --- RAM -------------------------------------------------------------------------------------------------------- */

typedef struct RamCopy {
    int fd;
    RamFile *file;
    uint8_t *chunk; /* RAM_CHUNK pages of it */
} RamCopy;

static bool ram_copy_open(RamCopy *copy, GError **error)
{
    g_autofree char *name = NULL;

    copy->fd = g_file_open_tmp("vmstate-XXXXXX", &name, error);
    if (copy->fd < 0)
        return false;
    g_unlink(name);
    copy->file = ramfile_new(copy->fd, ramfile_map_all, NULL);
    copy->chunk = g_malloc(RAM_CHUNK * RAM_PAGE);
    return true;
}

static void ram_copy_close(RamCopy *copy)
{
    ramfile_free(copy->file);
    g_free(copy->chunk);
    if (copy->fd >= 0)
        close(copy->fd);
}

/* Tells of pages [from, to) of a block that differ. */
static void tell_pages(Report *r, const char *block, uint64_t from, uint64_t to)
{
    g_autofree char *path = to - from == 1
                                ? g_strdup_printf("ram.%s[0x%" G_GINT64_MODIFIER "x]", block, from * RAM_PAGE)
                                : g_strdup_printf("ram.%s[0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER "x]", block,
                                                  from * RAM_PAGE, to * RAM_PAGE - 1);
    g_autofree char *what = g_strdup_printf("%" G_GUINT64_FORMAT " pages", to - from);

    tell(r, DIFF_CHANGED, path, what, "other content");
}

/* ramfile_map_all makes one range for each block. */
static const PhysRange *range_of(const RamFile *f, const char *name)
{
    int block = ram_blocks_find(ramfile_blocks(f), name, strlen(name));
    const GArray *ranges = ramfile_ranges(f);

    return ranges && block >= 0 && (guint)block < ranges->len ? &g_array_index(ranges, PhysRange, block) : NULL;
}

/* From `page` of a range on, the first that is no hole; the end, if there is none. */
static uint64_t next_content(const RamCopy *copy, const PhysRange *r, uint64_t page)
{
    off_t at = lseek(copy->fd, (off_t)(r->file + page * RAM_PAGE), SEEK_DATA);

    return at < 0 ? r->length / RAM_PAGE + 1 : ((uint64_t)at - r->file) / RAM_PAGE;
}

static bool compare_block(const RamCopy *a, const RamCopy *b, const RamBlock *block, Report *r, GError **error)
{
    const PhysRange *x = range_of(a->file, block->name), *y = range_of(b->file, block->name);
    uint64_t pages = (block->length + RAM_PAGE - 1) / RAM_PAGE, from = 0, differing = 0;
    unsigned told = 0;
    bool open = false;

    if (!x || !y || x->length != y->length)
        return true; /* the blocks themselves differ, which has been told */
    for (uint64_t page = 0; page < pages; page++) {
        size_t at = page % RAM_CHUNK;
        size_t len = (size_t)MIN(RAM_CHUNK, pages - page) * RAM_PAGE;
        if (at == 0 && !open) {
            uint64_t content = MIN(next_content(a, x, page), next_content(b, y, page));
            if (content >= page + RAM_CHUNK) { /* both are holes up to there */
                page = content / RAM_CHUNK * RAM_CHUNK - 1;
                continue;
            }
        }
        if (at == 0 && (pread(a->fd, a->chunk, len, (off_t)(x->file + page * RAM_PAGE)) < 0 ||
                        pread(b->fd, b->chunk, len, (off_t)(y->file + page * RAM_PAGE)) < 0)) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "reading a temporary file failed");
            return false;
        }
        bool differs = memcmp(a->chunk + at * RAM_PAGE, b->chunk + at * RAM_PAGE, RAM_PAGE) != 0;
        differing += differs;
        if (differs && !open)
            from = page;
        if (open && !differs && told++ < RAM_PATHS)
            tell_pages(r, block->name, from, page);
        open = differs;
    }
    if (open && told++ < RAM_PATHS)
        tell_pages(r, block->name, from, pages);
    if (told > RAM_PATHS) {
        g_autofree char *path = g_strdup_printf("ram.%s", block->name);
        g_autofree char *what = g_strdup_printf("%" G_GUINT64_FORMAT " pages in all, in %u stretches", differing, told);
        tell(r, DIFF_CHANGED, path, what, "other content");
    }
    return true;
}

/* Pages that were sent elsewhere count as zeros, which the user should know. */
static void tell_missing(const Model *m, const RamCopy *copy)
{
    uint64_t total, first = 0, missing = ramfile_missing(copy->file, &total, &first);

    if (missing)
        cli_complain("%s: %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
                     " pages of memory are not in the stream, and count as zeros",
                     m->path, missing, total);
}

static bool compare_ram(const RamCopy *a, const RamCopy *b, const Model *m, Report *r, GError **error)
{
    for (guint i = 0; i < m->blocks.list->len; i++)
        if (!compare_block(a, b, ram_block(&m->blocks, i), r, error))
            return false;
    return true;
}

/* --- the program ------------------------------------------------------------------------------------------------ */

static void put_end(Report *r)
{
    g_autofree char *ignored =
        r->ignored ? g_strdup_printf(", %" G_GUINT64_FORMAT " ignored", r->ignored) : g_strdup("");
    g_autofree char *line = g_strdup_printf("# %" G_GUINT64_FORMAT " differences%s; RAM %s\n", r->differences, ignored,
                                            opt.ram ? "compared" : "not compared (--ram)");

    if (!r->json && !opt.quiet)
        chan_out_put(r->out, line, strlen(line));
}

static bool diff(char **paths, const Schema *borrowed, Report *r, GError **error)
{
    RamCopy copies[2] = {{.fd = -1}, {.fd = -1}};
    g_autoptr(Model) a = NULL;
    g_autoptr(Model) b = NULL;
    const char *snapshots[2];

    snapshot_options(opt.snapshots, paths, snapshots);
    bool ok = !opt.ram || (ram_copy_open(&copies[0], error) && ram_copy_open(&copies[1], error));
    if (ok)
        a = model_load(paths[0], snapshots[0], borrowed, opt.ram ? ramfile_sink(copies[0].file) : NULL, error);
    if (a)
        b = model_load(paths[1], snapshots[1], borrowed, opt.ram ? ramfile_sink(copies[1].file) : NULL, error);
    ok = b;
    if (ok) {
        if (!opt.section && g_strcmp0(a->machine, b->machine) != 0)
            tell(r, DIFF_CHANGED, "machine", a->machine ? a->machine : "not told",
                 b->machine ? b->machine : "not told");
        compare_sections(a, b, r);
        bool has_ram = a->blocks.list->len || b->blocks.list->len;
        if (has_ram && (is_wanted(r, "ram", 0) || opt.ram)) {
            compare_blocks(&a->blocks, &b->blocks, r);
            for (size_t i = 0; opt.ram && i < 2; i++)
                tell_missing(i ? b : a, &copies[i]);
            ok = !opt.ram || compare_ram(&copies[0], &copies[1], a, r, error);
        }
    }
    ram_copy_close(&copies[0]);
    ram_copy_close(&copies[1]);
    return ok;
}

int main(int argc, char **argv)
{
    char **paths = cli_parse(&argc, &argv, entries, "A B", 2, summary, more);
    g_autoptr(ChanOut) out = chan_out_new(chan_fd_new(dup(STDOUT_FILENO)));
    g_autoptr(JsonWrite) json = json_write_new(out, 1);
    g_autoptr(Schema) borrowed = NULL;
    Report report = {.out = out, .colour = cli_colour(opt.colour)};
    GError *error = NULL, *later = NULL;

    if (opt.format && strcmp(opt.format, "pretty") != 0 && strcmp(opt.format, "json") != 0)
        cli_usage("--format takes pretty or json, not '%s'", opt.format);
    if (opt.schema_from && !(borrowed = input_schema(opt.schema_from, &error)))
        return cli_fail(error);
    if (opt.format && strcmp(opt.format, "json") == 0 && !opt.quiet) {
        report.json = json;
        json_write_array_start(json, NULL);
    }
    bool ok = diff(paths, borrowed, &report, &error);
    bool fitted = !opt.section || report.fitted;
    if (ok && fitted)
        put_end(&report);
    json_write_close_to(json, 0); /* also what an error left open */
    if (!chan_out_finish(out, &later)) {
        g_clear_error(&error);
        error = later;
    }
    if (error)
        return cli_fail(error);
    if (!fitted)
        cli_usage("no section of A or B fits --section='%s'", opt.section);
    return report.differences ? EXIT_DIFFERS : EXIT_FINE;
}
