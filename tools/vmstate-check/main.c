/*
 * vmstate-check: would one stream's state load where another's schema is?
 */
#include <string.h>
#include <unistd.h>

#include "tools/common/cli.h"
#include "tools/common/glob.h"
#include "tools/common/model.h"
#include "tools/common/snapshot.h"
#include "visitors/json-write.h"

static struct {
    char *format, *loader, *colour, *schema_from;
    char **ignore, **snapshots;
    gboolean strict;
} opt;

static const GOptionEntry entries[] = {
    {"format", 0, 0, G_OPTION_ARG_STRING, &opt.format, "pretty (default) or json", "FORMAT"},
    {"loader", 0, 0, G_OPTION_ARG_STRING, &opt.loader, "How B finds fields: name (default; BER) or position (QEMU)",
     "HOW"},
    {"ignore", 0, 0, G_OPTION_ARG_STRING_ARRAY, &opt.ignore,
     "Leave out findings whose path GLOB fits (* and ?); may come again", "GLOB"},
    {"strict", 0, 0, G_OPTION_ARG_NONE, &opt.strict, "Anything but identical is a failure", NULL},
    {"schema-from", 0, 0, G_OPTION_ARG_FILENAME, &opt.schema_from, "Describe what A and B do not by the stream in FILE",
     "FILE"},
    {"snapshot", 0, 0, G_OPTION_ARG_STRING_ARRAY, &opt.snapshots,
     "Of a qcow2 image: which snapshot (name, id or UUID); twice: of A and of B", "WHICH"},
    {"color", 0, 0, G_OPTION_ARG_STRING, &opt.colour, "auto (default), always or never", "WHEN"},
    {NULL, 0, 0, 0, NULL, NULL, NULL},
};

static const char summary[] =
    "Tells whether the state in stream A would load into the machine that wrote stream B: all findings,\n"
    "each with its path. What B holds does not matter, only how it describes itself.";
static const char more[] =
    "Exit status: 0 it would, 1 it would not, 2 wrong usage, 3 damaged or unreadable input.\nSee vmstate-check(1).\n";

static bool is_ignored(const VerdictFinding *f)
{
    for (char **glob = opt.ignore; glob && *glob; glob++)
        if (glob_fits(*glob, f->path))
            return true;
    return false;
}

/* Takes out what the user does not want to hear of; the verdict follows from the rest. */
static unsigned drop_ignored(Verdict *v)
{
    guint all = v->findings->len, kept = 0;

    v->level = v->unlisted_level;
    for (guint i = 0; i < all; i++) {
        VerdictFinding *f = g_ptr_array_index(v->findings, i);
        if (is_ignored(f))
            continue;
        v->level = MAX(v->level, f->level);
        v->findings->pdata[i] = v->findings->pdata[kept];
        v->findings->pdata[kept++] = f;
    }
    g_ptr_array_set_size(v->findings, (gint)kept);
    return all - kept;
}

static unsigned count_of(const Verdict *v, VerdictLevel level)
{
    unsigned n = 0;

    for (guint i = 0; i < v->findings->len; i++)
        n += ((const VerdictFinding *)g_ptr_array_index(v->findings, i))->level == level;
    return n;
}

static void put_pretty(ChanOut *out, const Model *a, const Model *b, const Verdict *v, unsigned dropped)
{
    static const char *const colours[] = {"", "\033[33m", "\033[31m"};
    bool colour = cli_colour(opt.colour);
    g_autoptr(GString) s = g_string_new(NULL);
    const Model *const sides[] = {a, b};

    for (size_t i = 0; i < 2; i++)
        g_string_append_printf(s, "%c: %s (%s%s%s%s%s)\n", "AB"[i], sides[i] -> path, sides[i] -> format,
                               sides[i] -> machine ? ", machine type " : "", sides[i]->machine ? sides[i]->machine : "",
                               sides[i]->writer ? ", written by " : "", sides[i]->writer ? sides[i]->writer : "");
    for (int level = VERDICT_INCOMPATIBLE; level >= VERDICT_CONVERTIBLE; level--) {
        for (guint i = 0; i < v->findings->len; i++) {
            const VerdictFinding *f = g_ptr_array_index(v->findings, i);
            if ((int)f->level == level)
                g_string_append_printf(s, "%s%-12s%s  %-12s  %s: %s\n", colour ? colours[level] : "",
                                       verdict_level_name(f->level), colour ? "\033[0m" : "", f->kind, f->path,
                                       f->text);
        }
    }
    g_string_append_printf(s, "verdict: %s (%u incompatible, %u convertible", verdict_level_name(v->level),
                           count_of(v, VERDICT_INCOMPATIBLE), count_of(v, VERDICT_CONVERTIBLE));
    if (dropped)
        g_string_append_printf(s, ", %u ignored", dropped);
    if (v->unlisted)
        g_string_append_printf(s, ", %zu not listed", v->unlisted);
    g_string_append(s, ")\n");
    chan_out_put(out, s->str, s->len);
}

static void put_json(ChanOut *out, const Model *a, const Model *b, const Verdict *v, unsigned dropped)
{
    g_autoptr(JsonWrite) json = json_write_new(out, 2);

    json_write_object_start(json, NULL);
    json_write_string(json, "a", a->path);
    json_write_string(json, "b", b->path);
    json_write_string(json, "loader", opt.loader ? opt.loader : "name");
    json_write_string(json, "verdict", verdict_level_name(v->level));
    json_write_uint(json, "ignored", dropped);
    if (v->unlisted)
        json_write_uint(json, "unlisted", v->unlisted);
    json_write_array_start(json, "findings");
    for (guint i = 0; i < v->findings->len; i++) {
        const VerdictFinding *f = g_ptr_array_index(v->findings, i);
        json_write_object_start(json, NULL);
        json_write_string(json, "level", verdict_level_name(f->level));
        json_write_string(json, "kind", f->kind);
        json_write_string(json, "path", f->path);
        json_write_string(json, "text", f->text);
        json_write_object_end(json);
    }
    json_write_array_end(json);
    json_write_object_end(json);
}

static bool is_json(void)
{
    if (opt.format && strcmp(opt.format, "pretty") != 0 && strcmp(opt.format, "json") != 0)
        cli_usage("--format takes pretty or json, not '%s'", opt.format);
    return opt.format && strcmp(opt.format, "json") == 0;
}

static VerdictLoader loader_of(void)
{
    if (opt.loader && strcmp(opt.loader, "name") != 0 && strcmp(opt.loader, "position") != 0)
        cli_usage("--loader takes name or position, not '%s'", opt.loader);
    return opt.loader && strcmp(opt.loader, "position") == 0 ? VERDICT_BY_POSITION : VERDICT_BY_NAME;
}

int main(int argc, char **argv)
{
    char **paths = cli_parse(&argc, &argv, entries, "A B", 2, summary, more);
    g_autoptr(Schema) borrowed = NULL;
    GError *error = NULL;
    bool json = is_json();
    VerdictLoader loader = loader_of();
    const char *snapshots[2];

    if (opt.schema_from && !(borrowed = input_schema(opt.schema_from, &error)))
        return cli_fail(error);
    snapshot_options(opt.snapshots, paths, snapshots);
    g_autoptr(Model) a = model_load(paths[0], snapshots[0], borrowed, NULL, &error);
    g_autoptr(Model) b = a ? model_load(paths[1], snapshots[1], borrowed, NULL, &error) : NULL;
    if (!b)
        return cli_fail(error);
    g_autofree VerdictSection *from_sections = NULL, *to_sections = NULL;
    VerdictSide from = model_side(a, &from_sections), to = model_side(b, &to_sections);
    g_autoptr(Verdict) verdict = verdict_new(&from, &to, loader);
    unsigned dropped = drop_ignored(verdict);
    g_autoptr(ChanOut) out = chan_out_new(chan_fd_new(dup(STDOUT_FILENO)));
    if (json)
        put_json(out, a, b, verdict, dropped);
    else
        put_pretty(out, a, b, verdict, dropped);
    if (!chan_out_finish(out, &error))
        return cli_fail(error);
    return verdict->level == VERDICT_INCOMPATIBLE || (opt.strict && verdict->level != VERDICT_IDENTICAL) ? EXIT_DIFFERS
                                                                                                         : EXIT_FINE;
}
