/* create.c: qcow2-tool create. */
#include <stdio.h>

#include "tools/qcow2-tool/new-image.h"

static struct {
    char *format, *backing, *backing_format;
    char **options;
    gboolean unsafe;
} opt;

static const GOptionEntry entries[] = {
    {"image-format", 'f', 0, G_OPTION_ARG_STRING, &opt.format, "raw or qcow2 (default)", "FMT"},
    {"backing", 'b', 0, G_OPTION_ARG_STRING, &opt.backing, "What is read where the image has nothing", "BACKING"},
    {"backing-format", 'F', 0, G_OPTION_ARG_STRING, &opt.backing_format, "Its format: raw or qcow2", "FMT"},
    {"options", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &opt.options, "More options; -o help lists them", "KEY=VALUE,..."},
    {"unsafe", 'u', 0, G_OPTION_ARG_NONE, &opt.unsafe, "Do not look at the backing file, which may not be there", NULL},
    TOOL_QUIET,
    TOOL_END,
};

static const char summary[] = "Makes a new image FILE with a disk of SIZE, or as large as its backing file.";
static const char more[] = "Exit status: 0 made, 2 wrong usage, 3 it could not be made.\nSee qcow2-tool(1).\n";

/* The backing file must be there, and says how large the disk is if nobody else does. */
static bool look_at_backing(NewImage *new, const char *path, GError **error)
{
    g_autofree char *name = image_relative(path, new->create.backing, error);
    ImagePath options = {.path = name, .format = new->create.backing_format, .read_only = true, .probe_backing = true};
    g_autoptr(Image) image = name ? image_open(&options, error) : NULL;

    if (image && !new->has_size)
        new->create.size = image->length;
    new->has_size = new->has_size || image;
    return image;
}

static bool make(NewImage *new, const char *path, GError **error)
{
    NewFileHow how = {.no_backing = true};
    NewFile file;

    if (new->create.backing && !opt.unsafe && !look_at_backing(new, path, error))
        return false;
    if (!new->has_size)
        cli_usage("the size of the disk must be given");
    return new_file_open(&file, new, path, &how, error) && new_file_close(&file, true, error);
}

int create_main(int argc, char **argv)
{
    char **rest = cli_parse_some(&argc, &argv, entries, "FILE [SIZE]", 1, 2, summary, more);
    GError *error = NULL;
    NewImage new;

    new_image_init(&new, opt.format, opt.options);
    new_image_backing(&new, opt.backing, opt.backing_format);
    if (rest[1] && new.has_size)
        cli_usage("the size of the disk is given twice");
    if (rest[1]) {
        new.create.size = tool_size(rest[1], "SIZE");
        new.has_size = true;
    }
    bool ok = make(&new, rest[0], &error);
    if (ok && !tool.quiet) {
        g_autofree char *size = tool_size_text(new.create.size);
        printf("%s: %s, a disk of %s\n", rest[0], new.raw ? "raw" : "qcow2", size);
    }
    new_image_done(&new);
    return tool_finish(NULL, EXIT_FINE, ok ? NULL : error);
}
