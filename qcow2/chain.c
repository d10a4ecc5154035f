/*
 * chain.c: an image by its path, with the files it names.
 *
 * A guest can write whatever it likes to a raw disk, a header that names another file, too. So formats are told by who
 * opens an image, or by the image that has it for a backing file; what a file looks like counts only when a person says
 * so.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "qcow2/header.h"
#include "qcow2/qcow2.h"
#include "visitors/error.h"

#define CHAIN_MAX 200u

typedef struct Identity {
    dev_t device;
    ino_t inode;
} Identity;

static Image *open_one(const ImagePath *options, GArray *seen, GError **error);

static bool remember(const char *path, GArray *seen, GError **error)
{
    struct stat s;

    if (stat(path, &s) != 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "disk %s: %s", path, g_strerror(errno));
        return false;
    }
    for (guint i = 0; i < seen->len; i++) {
        const Identity *other = &g_array_index(seen, Identity, i);
        if (other->device == s.st_dev && other->inode == s.st_ino) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED,
                        "disk %s: is its own backing file, by way of %u others", path, seen->len - 1 - i);
            return false;
        }
    }
    if (seen->len == CHAIN_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "disk %s: more than %u images behind each other", path,
                    CHAIN_MAX);
        return false;
    }
    g_array_append_val(seen, ((Identity){s.st_dev, s.st_ino}));
    return true;
}

char *image_relative(const char *image, const char *name, GError **error)
{
    const char *colon = strchr(name, ':'), *slash = strchr(name, '/');

    if (g_str_has_prefix(name, "file:")) {
        name += strlen("file:");
    } else if (colon && (!slash || colon < slash)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "disk %s: refers to '%s', which is no file name",
                    image, name);
        return NULL;
    }
    if (g_path_is_absolute(name))
        return g_strdup(name);
    g_autofree char *folder = g_path_get_dirname(image);
    return strcmp(folder, ".") == 0 ? g_strdup(name) : g_build_filename(folder, name, NULL);
}

static char *text(GBytes *data)
{
    gsize len = 0;
    const char *octets = data ? g_bytes_get_data(data, &len) : NULL;

    return data ? g_strndup(octets, len) : NULL;
}

static HostFile *open_file(const ImagePath *o, const char *path, bool resizes, GError **error)
{
    return host_file_open(&(HostFilePosix){.path = path,
                                           .read_only = o->read_only,
                                           .shared = o->shared,
                                           .inactive = o->inactive,
                                           .resizes = resizes,
                                           .events = o->events,
                                           .event = o->event,
                                           .cache = o->cache,
                                           .engine = o->engine},
                          error);
}

static bool open_data_file(const ImagePath *o, const Qcow2Header *h, HostFile **file, GError **error)
{
    g_autofree char *name = text(qcow2_header_extension(h, QCOW2_EXT_DATA_FILE));

    *file = NULL;
    if (!(h->incompatible & QCOW2_DATA_FILE))
        return true;
    if (!name && !o->data_file) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "disk %s: has an external data file, but does not name it",
                    o->path);
        return false;
    }
    g_autofree char *path = o->data_file ? g_strdup(o->data_file) : image_relative(o->path, name, error);
    *file = path ? open_file(o, path, false, error) : NULL;
    return *file;
}

static bool open_behind(const ImagePath *o, ImagePath backing, GArray *seen, Image **image, GError **error)
{
    backing.read_only = true;
    backing.repair = false;
    backing.data_file = NULL;
    *image = open_one(&backing, seen, error);
    if (!*image)
        g_prefix_error(error, "backing file of %s: ", o->path);
    return *image;
}

static bool open_backing(const ImagePath *o, const Qcow2Header *h, GArray *seen, Image **image, GError **error)
{
    g_autofree char *format = text(qcow2_header_extension(h, QCOW2_EXT_BACKING_FORMAT));
    ImagePath backing = *o;

    *image = NULL;
    if (o->backing) {
        backing.path = o->backing->path;
        backing.format = o->backing->format;
        backing.no_backing = o->backing->no_backing;
        backing.backing = o->backing->backing;
        return open_behind(o, backing, seen, image, error);
    }
    if (!h->backing || o->no_backing)
        return true;
    if (!format && !o->probe_backing) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "disk %s: does not say which format its backing file '%s' has; say it by "
                    "'qemu-img rebase -u -F FORMAT'",
                    o->path, h->backing);
        return false;
    }
    g_autofree char *path = image_relative(o->path, h->backing, error);
    if (!path)
        return false;
    backing.path = path;
    backing.format = format;
    return open_behind(o, backing, seen, image, error);
}

static Image *open_qcow2(const ImagePath *o, HostFile *file, GArray *seen, GError **error)
{
    Qcow2Open options = {.read_only = o->read_only,
                         .inactive = o->inactive,
                         .repair = o->repair,
                         .l2_cache = o->l2_cache,
                         .refcount_cache = o->refcount_cache};
    Qcow2Header header;
    bool ok = (o->repair ? qcow2_header_read_to_check : qcow2_header_read)(file, &header, error) &&
              open_data_file(o, &header, &options.data_file, error) &&
              open_backing(o, &header, seen, &options.backing, error);

    qcow2_header_clear(&header);
    if (ok)
        return qcow2_open(file, &options, error);
    if (options.data_file)
        host_file_close(options.data_file);
    host_file_close(file);
    return NULL;
}

static Image *open_one(const ImagePath *o, GArray *seen, GError **error)
{
    if (!remember(o->path, seen, error))
        return NULL;
    HostFile *file = open_file(o, o->path, !o->format || strcmp(o->format, "raw") != 0, error);
    const char *format = !file ? NULL : o->format ? o->format : image_probe(file, error);
    if (!format) {
        if (file)
            host_file_close(file);
        return NULL;
    }
    if (strcmp(format, "qcow2") == 0)
        return open_qcow2(o, file, seen, error);
    if (strcmp(format, "raw") == 0)
        return image_raw_new(file);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "disk %s: of format '%s'; known are qcow2 and raw",
                o->path, format);
    host_file_close(file);
    return NULL;
}

Image *image_open(const ImagePath *options, GError **error)
{
    g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(Identity));

    return open_one(options, seen, error);
}
