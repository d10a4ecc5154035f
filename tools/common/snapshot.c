/* snapshot.c: the VM state of a snapshot within a qcow2 image. */
#include "tools/common/snapshot.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qcow2/qcow2.h"
#include "qcow2/snapshot-list.h"
#include "tools/common/cli.h"
#include "vmstate/ram-index.h"

/* --- which ------------------------------------------------------------------------------------------------------ */

/* A pipe is not even opened: who writes to it would take that for its reader, and then see it go. */
bool snapshot_is_image(const char *path)
{
    uint8_t start[4] = {0};
    struct stat st;
    bool has_places = stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
    int fd = has_places ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;

    bool ok = fd >= 0 && pread(fd, start, sizeof start, 0) == sizeof start;
    if (fd >= 0)
        close(fd);
    return ok && memcmp(start, "QFI\xfb", sizeof start) == 0;
}

/* Of those with VM state there must be one. */
static const Qcow2Snapshot *only_one(const Image *image, const char *path, GError **error)
{
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);
    g_autoptr(GPtrArray) fit = g_ptr_array_new(), list = g_ptr_array_new();

    for (unsigned i = 0; i < count; i++) {
        g_ptr_array_add(list, (void *)all[i]);
        if (all[i]->vm_state_size)
            g_ptr_array_add(fit, (void *)all[i]);
    }
    if (fit->len == 1)
        return fit->pdata[0];
    g_autofree char *text = snapshot_list_text(fit->len ? fit : list);
    if (fit->len)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH,
                    "%s: %u snapshots have VM state, and --snapshot must say which: %s", path, fit->len, text);
    else
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH,
                    "%s: no snapshot of this image has VM state; there are: %s", path, text);
    return NULL;
}

static const Qcow2Snapshot *choose(const Image *image, const char *path, const char *which, GError **error)
{
    const Qcow2Snapshot *s = which ? qcow2_snapshot_find(image, which, error) : only_one(image, path, error);

    if (!s || s->vm_state_size)
        return s;
    g_autofree char *shown = bytes_show(s->name, strlen(s->name));
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "%s: snapshot '%s' is of the disk only: it has no VM state",
                path, shown);
    return NULL;
}

Chan *snapshot_chan_open(const char *path, const char *which, char **name, GError **error)
{
    ImagePath options = {.path = path, .format = "qcow2", .read_only = true, .shared = true, .no_backing = true};

    if (!snapshot_is_image(path)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: is no qcow2 image: it has no snapshot '%s'", path,
                    which);
        return NULL;
    }
    Image *image = image_open(&options, error);
    if (!image)
        return NULL;
    const Qcow2Snapshot *snapshot = choose(image, path, which, error);
    if (!snapshot) {
        image_close(image);
        return NULL;
    }
    g_autofree char *shown = bytes_show(snapshot->name, strlen(snapshot->name));
    *name = g_strdup_printf("%s (snapshot '%s')", path, shown);
    return ram_index_stream_chan(qcow2_vm_state_chan(image, snapshot), error);
}

void snapshot_options(char **options, char **paths, const char *of[2])
{
    guint count = options ? g_strv_length(options) : 0;
    bool any = false;

    of[0] = of[1] = NULL;
    if (count > 2)
        cli_usage("--snapshot is there %u times, but there are two files", count);
    for (guint i = 0; count && i < 2; i++) {
        if (count == 2 || snapshot_is_image(paths[i])) {
            of[i] = options[count == 2 ? i : 0];
            any = true;
        }
    }
    if (count && !any)
        cli_usage("--snapshot goes with a qcow2 image, and neither '%s' nor '%s' is one", paths[0], paths[1]);
}
