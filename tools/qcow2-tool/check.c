/* check.c: qcow2-tool check. */
#include <inttypes.h>
#include <string.h>

#include "qcow2/header.h"
#include "tools/qcow2-tool/tool.h"
#include "visitors/error.h"

static char *repair_what;

static const GOptionEntry entries[] = {
    TOOL_IMAGE_FORMAT, {"repair", 'r', 0, G_OPTION_ARG_STRING, &repair_what, "Repair leaks or all", "WHAT"},
    TOOL_FORMAT,       TOOL_SHARE,
    TOOL_PROGRESS,     TOOL_QUIET,
    TOOL_END,
};

static const char summary[] = "Looks for what is wrong with the metadata of IMAGE, and repairs it if wanted.";
static const char more[] = "Exit status: 0 nothing is wrong, 1 only room is wasted (leaks), 2 wrong usage,\n"
                           "3 the image is damaged or unreadable.\nSee qcow2-tool(1).\n";

typedef struct Report {
    ChanOut *out;
    JsonWrite *json; /* NULL: text */
} Report;

static void found(void *opaque, const char *message)
{
    Report *r = opaque;

    if (r->json)
        json_write_string(r->json, NULL, message);
    else if (!tool.quiet)
        tool_print(r->out, "%s\n", message);
}

static bool progress(void *opaque, double fraction)
{
    (void)opaque;
    tool_progress((uint64_t)(fraction * 1e6), 1000000);
    return true;
}

static unsigned repairs(void)
{
    if (!repair_what)
        return 0;
    if (strcmp(repair_what, "leaks") == 0)
        return QCOW2_REPAIR_LEAKS;
    if (strcmp(repair_what, "all") != 0)
        cli_usage("--repair takes leaks or all, not '%s'", repair_what);
    return QCOW2_REPAIR_LEAKS | QCOW2_REPAIR_ALL;
}

static void put_json(JsonWrite *json, const char *path, const Qcow2Check *c)
{
    const struct {
        const char *name;
        uint64_t value;
        bool always;
    } numbers[] = {
        {"check-errors", c->check_errors, true},
        {"corruptions", c->corruptions, false},
        {"corruptions-fixed", c->corruptions_fixed, false},
        {"leaks", c->leaks, false},
        {"leaks-fixed", c->leaks_fixed, false},
        {"image-end-offset", c->image_end, c->image_end > 0},
        {"total-clusters", c->clusters, true},
        {"allocated-clusters", c->allocated, false},
        {"fragmented-clusters", c->fragmented, false},
        {"compressed-clusters", c->compressed, false},
    };

    json_write_string(json, "filename", path);
    json_write_string(json, "format", "qcow2");
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (numbers[i].always || numbers[i].value)
            json_write_uint(json, numbers[i].name, numbers[i].value);
}

static double percent(uint64_t part, uint64_t of)
{
    return of ? 100.0 * (double)part / (double)of : 0;
}

static void put_text(ChanOut *out, const Qcow2Check *c)
{
    if (c->leaks_fixed || c->corruptions_fixed)
        tool_print(out,
                   "The following inconsistencies were found and repaired:\n\n"
                   "    %" PRIu64 " leaked clusters\n    %" PRIu64 " corruptions\n\n",
                   c->leaks_fixed, c->corruptions_fixed);
    if (!c->corruptions && !c->leaks && !c->check_errors)
        tool_print(out, "No errors were found on the image.\n");
    if (c->corruptions)
        tool_print(out,
                   "\n%" PRIu64 " errors were found on the image.\n"
                   "Data may be corrupted, or further writes to the image may corrupt it.\n",
                   c->corruptions);
    if (c->leaks)
        tool_print(out,
                   "\n%" PRIu64 " leaked clusters were found on the image.\n"
                   "This means waste of disk space, but no harm to data.\n",
                   c->leaks);
    if (c->check_errors)
        tool_print(out, "\n%" PRIu64 " internal errors have occurred during the check.\n", c->check_errors);
    if (c->clusters && c->allocated)
        tool_print(out, "%" PRIu64 "/%" PRIu64 " = %.2f%% allocated, %.2f%% fragmented, %.2f%% compressed clusters\n",
                   c->allocated, c->clusters, percent(c->allocated, c->clusters), percent(c->fragmented, c->allocated),
                   percent(c->compressed, c->allocated));
    if (c->image_end)
        tool_print(out, "Image end offset: %" PRIu64 "\n", c->image_end);
}

static int status_of(const Qcow2Check *c)
{
    if (c->corruptions || c->check_errors)
        return EXIT_DAMAGED;
    return c->leaks ? EXIT_DIFFERS : EXIT_FINE;
}

int check_main(int argc, char **argv)
{
    char **rest = cli_parse_some(&argc, &argv, entries, "IMAGE", 1, 1, summary, more);
    unsigned repair = repairs();
    ImagePath options = {.read_only = !repair, .no_backing = true, .repair = true};
    GError *error = NULL;
    ChanOut *out = tool_out();
    g_autoptr(JsonWrite) json = json_write_new(out, 2);
    Report report = {.out = out, .json = tool_json() ? json : NULL};
    Qcow2Check result = {.found = found, .progress = tool.progress ? progress : NULL, .opaque = &report};
    g_autoptr(Image) image = tool_open(rest[0], &options, &error);

    if (image && !qcow2_header(image))
        g_set_error(&error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: %s images have nothing to check", rest[0],
                    image->format);
    if (!error && report.json) {
        json_write_object_start(json, NULL);
        json_write_array_start(json, "findings");
    }
    bool done = !error && qcow2_check(image, repair, &result, &error);
    if (done)
        tool_progress(1, 1);
    if (done && repair && !image_flush(image, &error))
        done = false;
    if (done && report.json) {
        json_write_array_end(json);
        put_json(json, rest[0], &result);
    } else if (done && !tool.quiet) {
        put_text(out, &result);
    }
    json_write_close_to(json, 0);
    return tool_finish(out, status_of(&result), error);
}
