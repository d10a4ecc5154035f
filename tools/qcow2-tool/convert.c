/* convert.c: qcow2-tool convert. */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "qcow2/header.h"
#include "tools/qcow2-tool/copy.h"
#include "tools/qcow2-tool/new-image.h"
#include "visitors/error.h"

static struct {
    char *format, *backing, *backing_format, *snapshot, *parallel, *sparse, *source_cache;
    char **options;
    gboolean compress, keep, target_is_zero, out_of_order;
} opt;

static const GOptionEntry entries[] = {
    TOOL_IMAGE_FORMAT,
    {"target-format", 'O', 0, G_OPTION_ARG_STRING, &opt.format, "raw or qcow2 (default)", "FMT"},
    {"options", 'o', 0, G_OPTION_ARG_STRING_ARRAY, &opt.options, "Of the new image; -o help lists them",
     "KEY=VALUE,..."},
    {"compress", 'c', 0, G_OPTION_ARG_NONE, &opt.compress, "Compress all clusters", NULL},
    {"snapshot", 'l', 0, G_OPTION_ARG_STRING, &opt.snapshot, "The disk as it was then, not as it is", "SNAPSHOT"},
    {"backing", 'B', 0, G_OPTION_ARG_STRING, &opt.backing, "Leave out what this has, the new image's backing file",
     "BACKING"},
    {"backing-format", 'F', 0, G_OPTION_ARG_STRING, &opt.backing_format, "Its format: raw or qcow2", "FMT"},
    {"no-create", 'n', 0, G_OPTION_ARG_NONE, &opt.keep, "OUT is there, and is written to as it is", NULL},
    {"target-is-zero", 0, 0, G_OPTION_ARG_NONE, &opt.target_is_zero, "With -n: all of OUT reads as zeros", NULL},
    {"sparse", 'S', 0, G_OPTION_ARG_STRING, &opt.sparse, "So many zeros become a hole; 0: none; by default 4k", "SIZE"},
    {"parallel", 'm', 0, G_OPTION_ARG_STRING, &opt.parallel, "Chunks at the same time: 1 to 16, by default 8", "N"},
    {"out-of-order", 'W', 0, G_OPTION_ARG_NONE, &opt.out_of_order, "Has no effect: writes are in no order", NULL},
    {"cache", 't', 0, G_OPTION_ARG_STRING, &tool.cache, "Of OUT: unsafe (default), writeback, writethrough, none...",
     "MODE"},
    {"source-cache", 'T', 0, G_OPTION_ARG_STRING, &opt.source_cache, "Of IN: writeback (default) or others", "MODE"},
    TOOL_SHARE,
    TOOL_PROBE,
    TOOL_PROGRESS,
    TOOL_QUIET,
    TOOL_END,
};

static const char summary[] = "Copies the disk in IN, or several in a row, to a new image OUT.";
static const char more[] = "Exit status: 0 done, 2 wrong usage, 3 it could not be done.\nSee qcow2-tool(1).\n";

/* --- where it comes from ---------------------------------------------------------------------------------------- */

typedef struct Sources {
    unsigned count;
    Image **images, **disks; /* a disk is the image, or one of its snapshots */
    uint64_t length;
} Sources;

static bool sources_open(Sources *s, char **paths, unsigned count, int event, GError **error)
{
    ImagePath options = {
        .read_only = true, .events = true, .event = event, .cache = tool_cache(opt.source_cache, HOST_CACHE_WRITEBACK)};

    s->images = g_new0(Image *, count);
    s->disks = g_new0(Image *, count);
    for (; s->count < count; s->count++) {
        Image *image = tool_open(paths[s->count], &options, error);
        if (!image)
            return false;
        s->images[s->count] = s->disks[s->count] = image;
        s->length += image->length;
    }
    return true;
}

/* "snapshot.id=1,snapshot.name=x" is qemu-img's way to say it. */
static const char *snapshot_wanted(void)
{
    const char *text = opt.snapshot;

    for (const char *const *p = (const char *const[]){"snapshot.name=", "snapshot.id=", NULL}; *p; p++)
        if (g_str_has_prefix(text, *p))
            return text + strlen(*p);
    return text;
}

static bool sources_go_back(Sources *s, GError **error)
{
    Image *image = s->images[0];

    if (s->count > 1)
        cli_usage("--snapshot goes with one image");
    if (!qcow2_header(image)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: %s images have no snapshots", image->file->path,
                    image->format);
        return false;
    }
    const Qcow2Snapshot *snapshot = qcow2_snapshot_find(image, snapshot_wanted(), error);
    Image *disk = snapshot ? qcow2_snapshot_image(image, snapshot, error) : NULL;
    if (!disk)
        return false;
    s->disks[0] = disk;
    s->length = disk->length;
    return true;
}

static void sources_close(Sources *s)
{
    for (unsigned i = 0; i < s->count; i++) {
        if (s->disks[i] != s->images[i])
            image_close(s->disks[i]);
        image_close(s->images[i]);
    }
    g_free(s->images);
    g_free(s->disks);
}

/* --- where it goes ---------------------------------------------------------------------------------------------- */

static bool copy_to(Image *target, const Sources *s, const NewImage *new, int event, GError **error)
{
    bool layered = new->create.backing;
    Copy copy = {
        .sources = s->disks,
        .source_count = s->count,
        .target = target,
        .event = event,
        .target_is_zero = opt.keep ? opt.target_is_zero : !layered,
        .own_layer = layered,
        .compress = opt.compress,
        .sparse = opt.sparse ? tool_size(opt.sparse, "--sparse") : COPY_SPARSE,
        .parallel = opt.parallel ? (unsigned)tool_count(opt.parallel, 1, 16, "--parallel") : COPY_PARALLEL,
    };

    return copy_run(&copy, error) && image_flush(target, error);
}

static bool to_existing(const char *path, const Sources *s, const NewImage *new, int event, GError **error)
{
    ImagePath options = {.path = path,
                         .format = opt.format,
                         .events = true,
                         .event = event,
                         .cache = tool_cache(tool.cache, HOST_CACHE_UNSAFE),
                         .probe_backing = tool.probe_backing};
    g_autoptr(Image) target = image_open(&options, error);

    if (target && target->length < s->length) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "%s: a disk of %" PRIu64 " octets has no room for %" PRIu64, path, target->length, s->length);
        return false;
    }
    return target && copy_to(target, s, new, event, error);
}

static bool to_new(const char *path, const Sources *s, NewImage *new, int event, GError **error)
{
    NewFileHow how = {.cache = tool_cache(tool.cache, HOST_CACHE_UNSAFE),
                      .events = true,
                      .event = event,
                      .probe_backing = tool.probe_backing};
    NewFile file;

    if (new->has_size &&new->create.size < s->length)
        cli_usage("a disk of %" PRIu64 " octets has no room for %" PRIu64, new->create.size, s->length);
    new->create.size = new->has_size ? new->create.size : s->length;
    if (!new_file_open(&file, new, path, &how, error))
        return false;
    bool ok = copy_to(file.image, s, new, event, error);
    return new_file_close(&file, ok, ok ? error : NULL) && ok;
}

static void judge_options(const NewImage *new, unsigned sources)
{
    if (opt.compress && (new->raw || new->create.data_file))
        cli_usage("--compress goes with qcow2 images that have their data themselves");
    if (opt.compress && new->create.preallocation != QCOW2_PREALLOCATE_OFF)
        cli_usage("--compress does not go with preallocation");
    if (opt.keep && (opt.options || opt.backing || opt.compress))
        cli_usage("--no-create does not go with --options, --backing and --compress");
    if (opt.target_is_zero && !opt.keep)
        cli_usage("--target-is-zero goes with --no-create");
    if (new->create.backing && sources > 1)
        cli_usage("--backing goes with one image");
}

int convert_main(int argc, char **argv)
{
    char **rest = cli_parse_some(&argc, &argv, entries, "IN... OUT", 2, 1000, summary, more);
    unsigned count = g_strv_length(rest) - 1;
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    Sources sources = {0};
    GError *error = NULL;
    NewImage new;

    new_image_init(&new, opt.format, opt.options);
    new_image_backing(&new, opt.backing, opt.backing_format);
    judge_options(&new, count);
    if (opt.sparse && tool_size(opt.sparse, "--sparse") % HOST_SECTOR)
        cli_usage("--sparse takes multiples of %u, not '%s'", HOST_SECTOR, opt.sparse);
    bool ok = sources_open(&sources, rest, count, event, &error) &&
              (!opt.snapshot || sources_go_back(&sources, &error)) &&
              (opt.keep ? to_existing(rest[count], &sources, &new, event, &error)
                        : to_new(rest[count], &sources, &new, event, &error));
    sources_close(&sources);
    new_image_done(&new);
    close(event);
    return tool_finish(NULL, EXIT_FINE, ok ? NULL : error);
}
