/* resize.c: qcow2-tool resize. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "qcow2/header.h"
#include "tools/qcow2-tool/tool.h"
#include "visitors/error.h"

enum { CHUNK = 1 << 20 };

static struct {
    gboolean shrink;
    char *preallocation;
} opt;

static const GOptionEntry entries[] = {
    TOOL_IMAGE_FORMAT,
    {"shrink", 0, 0, G_OPTION_ARG_NONE, &opt.shrink, "The disk may become smaller; what lay behind is lost", NULL},
    {"preallocation", 0, 0, G_OPTION_ARG_STRING, &opt.preallocation,
     "For what is new: off (default), metadata, falloc or full", "MODE"},
    TOOL_PROBE,
    TOOL_PROGRESS,
    TOOL_QUIET,
    TOOL_END,
};

static const char summary[] = "Makes the disk in IMAGE SIZE large, or larger (+SIZE) or smaller (-SIZE) by that.";
static const char more[] = "Exit status: 0 done, 2 wrong usage, 3 it could not be done.\nSee qcow2-tool(1).\n";

static bool is_preallocation(const char *mode)
{
    return opt.preallocation && strcmp(opt.preallocation, mode) == 0;
}

static uint64_t wanted(const Image *image, const char *text)
{
    uint64_t size = tool_size(text + (*text == '+' || *text == '-'), "SIZE");

    if (*text == '+')
        size = size > INT64_MAX - image->length ? INT64_MAX : image->length + size;
    else if (*text == '-')
        size = size > image->length ? 0 : image->length - size;
    return size > INT64_MAX - HOST_SECTOR ? size : (size + HOST_SECTOR - 1) / HOST_SECTOR * HOST_SECTOR;
}

/*
 * Takes room for what is new by writing zeros there: all of them, or of each cluster the first sector, which allocates
 * it.
 */
static bool preallocate(Image *image, uint64_t from, GError **error)
{
    bool tables = is_preallocation("metadata");
    const Qcow2Header *header = qcow2_header(image);
    uint64_t step = tables ? qcow2_cluster_size(header) : CHUNK, to = image->length;
    size_t len = tables ? HOST_SECTOR : CHUNK;
    g_autofree uint8_t *zeros = g_malloc0(len);

    for (uint64_t at = from; at < to; at = (at / step + 1) * step) {
        uint64_t room = MIN(to, (at / step + 1) * step) - at;
        if (!image_write(image, at, zeros, (size_t)MIN(len, room), 0, error))
            return false;
        tool_progress(at - from, to - from);
    }
    tool_progress(to - from, to - from);
    return true;
}

static bool resize(Image *image, const char *path, const char *text, GError **error)
{
    uint64_t old = image->length, size = wanted(image, text);

    if (size < old && !opt.shrink) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "%s: the disk has %" PRIu64 " octets, and would lose %" PRIu64 ": --shrink permits it", path, old,
                    old - size);
        return false;
    }
    if (size < old && opt.preallocation && !is_preallocation("off")) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: --preallocation goes with a larger disk", path);
        return false;
    }
    if (is_preallocation("metadata") && !qcow2_header(image)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: a %s image has no metadata", path, image->format);
        return false;
    }
    return image_resize(image, size, error) &&
           (!opt.preallocation || is_preallocation("off") || preallocate(image, old, error)) &&
           image_flush(image, error);
}

int resize_main(int argc, char **argv)
{
    const char *size = NULL;

    /* "-1G" would be taken for options */
    if (argc > 2 && *argv[argc - 1] == '-' && g_ascii_isdigit(argv[argc - 1][1])) {
        size = argv[--argc];
        argv[argc] = NULL;
    }
    char **rest = cli_parse_some(&argc, &argv, entries, "IMAGE [+|-]SIZE", size ? 1 : 2, size ? 1 : 2, summary, more);
    ImagePath options = {0};
    GError *error = NULL;

    size = size ? size : rest[1];
    if (opt.preallocation && !is_preallocation("off") && !is_preallocation("metadata") && !is_preallocation("falloc") &&
        !is_preallocation("full"))
        cli_usage("--preallocation takes off, metadata, falloc or full, not '%s'", opt.preallocation);
    g_autoptr(Image) image = tool_open(rest[0], &options, &error);
    if (image && resize(image, rest[0], size, &error) && !tool.quiet)
        printf("%s: a disk of %" PRIu64 " octets\n", rest[0], image->length);
    return tool_finish(NULL, EXIT_FINE, error);
}
