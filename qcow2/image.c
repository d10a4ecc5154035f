/* image.c: what all kinds of images have in common, and an image's requests for those who wait. */
#include <errno.h>
#include <inttypes.h>

#include "qcow2/header.h"
#include "qcow2/image.h"
#include "visitors/bytes.h"
#include "visitors/error.h"

typedef struct Wait {
    ImageRequest request;
    bool ended;
    int error;
} Wait;

void image_submit(Image *image, ImageRequest *request)
{
    request->image = image;
    request->data = NULL;
    request->link = (GList){.data = request};
    image->in_flight++;
    if (request->len > INT64_MAX || request->offset > INT64_MAX - request->len)
        image_end(image, request, EINVAL);
    else if (image->read_only && request->op != IMAGE_READ && request->op != IMAGE_FLUSH)
        image_end(image, request, EROFS);
    else
        image->ops->submit(image, request);
}

void image_end(Image *image, ImageRequest *request, int error)
{
    request->data = GINT_TO_POINTER(error);
    g_queue_push_tail_link(&image->ended, &request->link);
}

static bool deliver(Image *image)
{
    bool any = false;

    /* One by one: who is told that one has ended may wait for the others. */
    for (GList *link; (link = g_queue_pop_head_link(&image->ended)); any = true) {
        ImageRequest *request = link->data;
        image->in_flight--;
        request->done(request, GPOINTER_TO_INT(request->data));
    }
    return any;
}

void image_poll(Image *image, bool wait)
{
    bool any = deliver(image);

    image->ops->poll(image, false);
    any |= deliver(image);
    while (wait && !any && image->in_flight) {
        image->ops->poll(image, g_queue_is_empty(&image->ended));
        any = deliver(image);
    }
}

void image_drain(Image *image)
{
    while (image->in_flight)
        image_poll(image, true);
}

void image_close(Image *image)
{
    Image *backing = image->backing;
    HostFile *file = image->file;

    image_drain(image);
    image->ops->close(image);
    if (file)
        host_file_close(file);
    if (backing)
        image_close(backing);
}

/* --- for those who wait ----------------------------------------------------------------------------------------- */

static void waited(ImageRequest *request, int error)
{
    Wait *wait = (Wait *)request;

    wait->ended = true;
    wait->error = error;
}

static bool run(Image *image, ImageRequest request, const char *what, GError **error)
{
    Wait wait = {.request = request};

    wait.request.done = waited;
    image_submit(image, &wait.request);
    while (!wait.ended)
        image_poll(image, true);
    if (wait.error)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: disk offset 0x%" PRIx64 ": %" PRIu64 " octets: %s: %s",
                    image->file->path, request.offset, request.len, what, g_strerror(wait.error));
    return !wait.error;
}

bool image_read(Image *image, uint64_t offset, void *data, size_t len, GError **error)
{
    struct iovec iov = {data, len};

    return run(image, (ImageRequest){.op = IMAGE_READ, .offset = offset, .len = len, .iov = &iov, .iov_count = 1},
               "cannot read", error);
}

bool image_write(Image *image, uint64_t offset, const void *data, size_t len, unsigned flags, GError **error)
{
    struct iovec iov = {(void *)data, len};
    ImageRequest request = {
        .op = IMAGE_WRITE, .flags = flags, .offset = offset, .len = len, .iov = &iov, .iov_count = 1};

    return run(image, request, "cannot write", error);
}

bool image_zero(Image *image, uint64_t offset, uint64_t len, unsigned flags, GError **error)
{
    return run(image, (ImageRequest){.op = IMAGE_ZERO, .flags = flags, .offset = offset, .len = len},
               "cannot write zeros", error);
}

bool image_discard(Image *image, uint64_t offset, uint64_t len, GError **error)
{
    return run(image, (ImageRequest){.op = IMAGE_DISCARD, .offset = offset, .len = len}, "cannot discard", error);
}

bool image_flush(Image *image, GError **error)
{
    return run(image, (ImageRequest){.op = IMAGE_FLUSH}, "cannot flush", error);
}

bool image_map(Image *image, uint64_t offset, uint64_t len, ImageExtent *extent, GError **error)
{
    *extent = (ImageExtent){.offset = offset};
    if (offset >= image->length || !len) {
        extent->kind = IMAGE_ZEROS;
        extent->len = len;
        return true;
    }
    return image->ops->map(image, offset, MIN(len, image->length - offset), extent, error);
}

bool image_resize(Image *image, uint64_t length, GError **error)
{
    if (image->read_only) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: is open for reading only", image->file->path);
        return false;
    }
    image_drain(image);
    return image->ops->resize(image, length, error);
}

bool image_set_active(Image *image, bool active, GError **error)
{
    image_drain(image);
    return !image->ops->set_active || image->ops->set_active(image, active, error);
}

/* --- what a file looks like -------------------------------------------------------------------------------------- */

const char *image_probe(HostFile *file, GError **error)
{
    static const struct {
        const char *format;
        unsigned at, len;
        const char *magic;
    } known[] = {
        {"qcow2", 0, 8, "QFI\xfb\0\0\0\2"},
        {"qcow2", 0, 8, "QFI\xfb\0\0\0\3"},
        {"qcow", 0, 8, "QFI\xfb\0\0\0\1"},
        {"qed", 0, 4, "QED"},
        {"vmdk", 0, 4, "KDMV"},
        {"vhdx", 0, 8, "vhdxfile"},
        {"vpc", 0, 8, "conectix"},
        {"vdi", 0x40, 4, "\x7f\x10\xda\xbe"},
        {"parallels", 0, 16, "WithoutFreeSpace"},
        {"parallels", 0, 16, "WithouFreSpacExt"},
        {"luks", 0, 6, "LUKS\xba\xbe"},
    };
    uint8_t start[HOST_SECTOR];

    if (!host_file_read(file, 0, start, sizeof start, error))
        return NULL;
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (memcmp(start + known[i].at, known[i].magic, known[i].len) == 0)
            return known[i].format;
    /* A qcow2 of a version that there is not yet is no raw disk. */
    return load_be32(start) == QCOW2_MAGIC ? "qcow2" : "raw";
}
