/* image-raw.c: a raw image: the file, octet by octet. */
#include <errno.h>
#include <string.h>

#include "qcow2/image.h"

typedef struct RawRequest {
    HostIo io;
    ImageRequest *request;
    struct iovec *iov; /* a copy: the file uses it up */
    struct iovec few[4];
    bool then_sync;
} RawRequest;

static void raw_ended(HostIo *io, int error)
{
    RawRequest *r = (RawRequest *)io;
    ImageRequest *request = r->request;

    if (!error && r->then_sync) {
        r->then_sync = false;
        io->op = HOST_SYNC;
        host_file_submit(request->image->file, io);
        return;
    }
    if (r->iov != r->few)
        g_free(r->iov);
    g_free(r);
    image_end(request->image, request, error);
}

static const HostOp ops[] = {
    [IMAGE_READ] = HOST_READ,     [IMAGE_WRITE] = HOST_WRITE, [IMAGE_FLUSH] = HOST_SYNC,
    [IMAGE_DISCARD] = HOST_PUNCH, [IMAGE_ZERO] = HOST_ZERO,
};

static void raw_submit(Image *image, ImageRequest *request)
{
    if ((request->op != IMAGE_READ && request->op != IMAGE_FLUSH &&
         (request->offset > image->length || request->len > image->length - request->offset)) ||
        request->flags & IMAGE_COMPRESSED) {
        image_end(image, request, request->flags & IMAGE_COMPRESSED ? EINVAL : ENOSPC);
        return;
    }
    RawRequest *r = g_new0(RawRequest, 1);
    r->request = request;
    r->then_sync = request->flags & IMAGE_FUA;
    r->iov = r->few;
    if (request->iov_count > (int)G_N_ELEMENTS(r->few))
        r->iov = g_new(struct iovec, request->iov_count);
    if (request->iov_count)
        memcpy(r->iov, request->iov, sizeof *r->iov * (size_t)request->iov_count);
    r->io = (HostIo){.op = ops[request->op],
                     .offset = request->offset,
                     .len = request->len,
                     .iov = r->iov,
                     .iov_count = request->iov_count,
                     .done = raw_ended};
    if (request->op == IMAGE_ZERO && request->flags & IMAGE_UNMAP)
        r->io.op = HOST_PUNCH;
    host_file_submit(image->file, &r->io);
}

static void raw_poll(Image *image, bool wait)
{
    host_file_poll(image->file, wait);
}

static bool raw_map(Image *image, uint64_t offset, uint64_t len, ImageExtent *extent, GError **error)
{
    (void)error;
    *extent = (ImageExtent){.offset = offset, .has_host = true, .host = offset};
    extent->kind = host_file_is_hole(image->file, offset, len, &extent->len) ? IMAGE_ZEROS : IMAGE_DATA;
    return true;
}

static bool raw_resize(Image *image, uint64_t length, GError **error)
{
    if (!host_file_truncate(image->file, length, error))
        return false;
    image->length = length;
    return true;
}

static bool raw_set_active(Image *image, bool active, GError **error)
{
    return host_file_set_active(image->file, active, error);
}

static void raw_close(Image *image)
{
    g_free(image);
}

static const ImageOps raw_ops = {
    .submit = raw_submit,
    .poll = raw_poll,
    .map = raw_map,
    .resize = raw_resize,
    .set_active = raw_set_active,
    .close = raw_close,
};

Image *image_raw_new(HostFile *file)
{
    Image *image = g_new0(Image, 1);

    image->ops = &raw_ops;
    image->format = "raw";
    image->file = file;
    image->length = host_file_length(file);
    image->read_only = file->read_only;
    g_queue_init(&image->ended);
    return image;
}
