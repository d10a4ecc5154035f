/* transport.c: qcow2-tool snapshot export and import. */
#include "tools/qcow2-tool/transport.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "qcow2/header.h"
#include "tools/qcow2-tool/copy.h"
#include "tools/qcow2-tool/new-image.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

enum { CHUNK = 1 << 20 };

static struct {
    gboolean compress;
    char *name;
} opt;

static const char more[] =
    "A SNAPSHOT is a tag, an id or a UUID.\nExit status: 0 done, 2 wrong usage, 3 it could not be "
    "done.\nSee qcow2-tool(1).\n";

static Qcow2SnapshotNew like(const Qcow2Snapshot *s, const char *name)
{
    return (Qcow2SnapshotNew){
        .name = name ? name : s->name,
        .uuid = s->has_uuid ? s->uuid : NULL,
        .parent = s->parent,
        .date_ns = (int64_t)s->date_sec * 1000000000 + s->date_nsec,
        .vm_clock_ns = s->vm_clock_ns,
        .icount = s->has_icount ? s->icount : UINT64_MAX,
    };
}

/* The VM state, without its zeros. */
static bool copy_vm_state(Image *from, const Qcow2Snapshot *s, Qcow2Pending *to, GError **error)
{
    g_autofree uint8_t *buffer = g_malloc(CHUNK);

    for (uint64_t at = 0; at < s->vm_state_size; at += CHUNK) {
        size_t len = (size_t)MIN(CHUNK, s->vm_state_size - at);
        if (!qcow2_vm_state_read(from, s, at, buffer, len, error) ||
            (!bytes_are_zero(buffer, len) && !qcow2_pending_write(to, at, buffer, len, error)))
            return false;
        tool_progress(at, s->vm_state_size);
    }
    return true;
}

/* --- export ----------------------------------------------------------------------------------------------------- */

static const GOptionEntry export_entries[] = {
    TOOL_IMAGE_FORMAT, {"compress", 'c', 0, G_OPTION_ARG_NONE, &opt.compress, "Compress the disk (zstd)", NULL},
    TOOL_SHARE,        TOOL_PROBE,
    TOOL_PROGRESS,     TOOL_QUIET,
    TOOL_END,
};

static bool write_snapshot(Image *image, const Qcow2Snapshot *s, Image *target, GError **error)
{
    Qcow2SnapshotNew new = like(s, NULL);
    Qcow2Pending *pending = qcow2_snapshot_prepare(target, error);

    new.id = s->id;
    if (!pending)
        return false;
    if (copy_vm_state(image, s, pending, error))
        return qcow2_snapshot_publish(pending, &new, s->vm_state_size, error);
    qcow2_snapshot_abandon(pending);
    return false;
}

static bool export_disk(Image *disk, Image *target, int event, GError **error)
{
    Copy copy = {
        .sources = &disk,
        .source_count = 1,
        .target = target,
        .event = event,
        .target_is_zero = true,
        .compress = opt.compress,
        .sparse = COPY_SPARSE,
        .parallel = COPY_PARALLEL,
    };

    return copy_run(&copy, error);
}

static bool export_to(Image *image, const char *which, const char *path, int event, GError **error)
{
    const Qcow2Snapshot *s = qcow2_snapshot_find(image, which, error);
    g_autoptr(Image) disk = s ? qcow2_snapshot_image(image, s, error) : NULL;
    const Qcow2Header *header = qcow2_header(image);
    NewImage new = {.create = {.zstd = opt.compress,
                               .extended_l2 = header->incompatible & QCOW2_EXTENDED_L2,
                               .cluster_size = qcow2_cluster_size(header)}};
    NewFileHow how = {.cache = HOST_CACHE_WRITEBACK, .events = true, .event = event};
    NewFile file;

    if (!disk)
        return false;
    new.create.size = disk->length;
    if (!new_file_open(&file, &new, path, &how, error))
        return false;
    bool ok = export_disk(disk, file.image, event, error) && write_snapshot(image, s, file.image, error);
    return new_file_close(&file, ok, ok ? error : NULL) && ok;
}

static Image *open_snapshots(const char *path, const ImagePath *more_options, GError **error)
{
    Image *image = tool_open(path, more_options, error);

    if (!image || qcow2_header(image))
        return image;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: %s images have no snapshots", path, image->format);
    image_close(image);
    return NULL;
}

int export_main(int argc, char **argv)
{
    char **rest =
        cli_parse(&argc, &argv, export_entries, "IMAGE SNAPSHOT FILE", 3,
                  "Writes a snapshot in IMAGE, with its VM state, to FILE: an image with nothing else.", more);
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ImagePath options = {.read_only = true, .events = true, .event = event};
    GError *error = NULL;
    g_autoptr(Image) image = open_snapshots(rest[0], &options, &error);

    if (image && export_to(image, rest[1], rest[2], event, &error) && !tool.quiet)
        printf("%s: snapshot '%s' of %s\n", rest[2], rest[1], rest[0]);
    close(event);
    return tool_finish(NULL, EXIT_FINE, error);
}

/* --- import ----------------------------------------------------------------------------------------------------- */

static const GOptionEntry import_entries[] = {
    TOOL_IMAGE_FORMAT, {"name", 0, 0, G_OPTION_ARG_STRING, &opt.name, "Its tag; by default that in FILE", "TAG"},
    TOOL_PROGRESS,     TOOL_QUIET,
    TOOL_END,
};

/* All of the disk, in whole clusters: where this image has a backing file, zeros must be said. */
static bool import_disk(Image *disk, Qcow2Pending *to, uint32_t cluster, GError **error)
{
    uint64_t chunk = MAX(CHUNK, cluster), len;
    g_autofree uint8_t *buffer = g_malloc(chunk);

    for (uint64_t at = 0; at < disk->length; at += len) {
        ChainExtent e;
        if (!chain_map(disk, at, disk->length - at, &e, error))
            return false;
        bool zeros =
            (e.kind == IMAGE_ZEROS || e.kind == IMAGE_UNALLOCATED) && (e.len >= cluster || at + e.len == disk->length);
        len = zeros ? MIN(at + e.len == disk->length ? e.len : e.len / cluster * cluster, 1u << 30)
                    : MIN(chunk, disk->length - at);
        if (!zeros && !image_read(disk, at, buffer, len, error))
            return false;
        if (!qcow2_pending_write_disk(to, at, zeros || bytes_are_zero(buffer, len) ? NULL : buffer, len, error))
            return false;
        tool_progress(at + len, disk->length);
    }
    return true;
}

static const Qcow2Snapshot *only_snapshot(const Image *file, const Image *image, GError **error)
{
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(file, &count);

    if (count != 1)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: has %u snapshots: what export has written has one",
                    file->file->path, count);
    else if (all[0]->disk_size != image->length)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH,
                    "%s: is of a disk of %" PRIu64 " octets, and the one in %s has %" PRIu64, file->file->path,
                    all[0]->disk_size, image->file->path, image->length);
    else
        return all[0];
    return NULL;
}

static bool import_from(Image *file, Image *image, GError **error)
{
    const Qcow2Snapshot *s = only_snapshot(file, image, error);
    g_autoptr(Image) disk = s ? qcow2_snapshot_image(file, s, error) : NULL;
    Qcow2Pending *pending = disk ? qcow2_snapshot_prepare_other(image, s->disk_size, error) : NULL;

    if (!pending)
        return false;
    if (!import_disk(disk, pending, qcow2_cluster_size(qcow2_header(image)), error) ||
        !copy_vm_state(file, s, pending, error)) {
        qcow2_snapshot_abandon(pending);
        return false;
    }
    Qcow2SnapshotNew new = like(s, opt.name);
    return qcow2_snapshot_publish(pending, &new, s->vm_state_size, error);
}

int import_main(int argc, char **argv)
{
    char **rest =
        cli_parse(&argc, &argv, import_entries, "IMAGE FILE", 2,
                  "Adds the snapshot that export has written to FILE to IMAGE, whose disk stays as it is.", more);
    ImagePath from = {.format = "qcow2", .read_only = true, .no_backing = true};
    ImagePath to = {0};
    GError *error = NULL;
    g_autoptr(Image) file = open_snapshots(rest[1], &from, &error);
    g_autoptr(Image) image = file ? open_snapshots(rest[0], &to, &error) : NULL;

    if (image && import_from(file, image, &error) && !tool.quiet)
        printf("%s: the snapshot in %s is there\n", rest[0], rest[1]);
    return tool_finish(NULL, EXIT_FINE, error);
}
