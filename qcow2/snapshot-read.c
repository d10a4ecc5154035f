/* snapshot-read.c: a snapshot's VM state, and its disk, are read. */
#include <inttypes.h>
#include <string.h>

#include "qcow2/transaction-impl.h"
#include "visitors/error.h"

static bool tree_open(Qcow2 *q, const Qcow2Snapshot *s, Tree *tree, GError **error)
{
    tree->l1 = tree_l1_read(q, s->l1_offset, s->l1_size, error);
    tree->size = s->l1_size;
    tree->offset = s->l1_offset;
    tree->disk_size = s->disk_size;
    return tree->l1;
}

/* --- VM state --------------------------------------------------------------------------------------------------- */

static bool judge(const Qcow2 *q, const Qcow2Snapshot *s, uint64_t offset, size_t len, GError **error)
{
    unsigned bits = q->cluster_bits + q->l2_bits;
    uint64_t start = qcow2_vm_state_offset(&q->header, s->disk_size), end = (uint64_t)s->l1_size << bits;

    if (offset > s->vm_state_size || len > s->vm_state_size - offset)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT,
                    "%s: snapshot '%s': VM state offset 0x%" PRIx64 ": %zu octets wanted, but it has %" PRIu64,
                    q->image.file->path, s->name, offset, len, s->vm_state_size);
    else if (start > end || s->vm_state_size > end - start)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED,
                    "%s: snapshot '%s': a VM state of %" PRIu64 " octets, but its L1 table ends behind %" PRIu64,
                    q->image.file->path, s->name, s->vm_state_size, start > end ? 0 : end - start);
    else
        return true;
    return false;
}

bool qcow2_vm_state_read(Image *image, const Qcow2Snapshot *snapshot, uint64_t offset, void *data, size_t len,
                         GError **error)
{
    Qcow2 *q = qcow2_of(image);
    struct iovec iov = {data, len};

    if (!judge(q, snapshot, offset, len, error))
        return false;
    if (q->vm_tree.offset != snapshot->l1_offset || !q->vm_tree.l1) {
        g_clear_pointer(&q->vm_tree.l1, g_free);
        if (!tree_open(q, snapshot, &q->vm_tree, error))
            return false;
    }
    if (len == 0)
        return true;
    int code =
        data_run(q, &q->vm_tree, IMAGE_READ, qcow2_vm_state_offset(&q->header, snapshot->disk_size) + offset, &iov);
    if (code)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO,
                    "%s: snapshot '%s': VM state offset 0x%" PRIx64 ": %zu octets: cannot read: %s", image->file->path,
                    snapshot->name, offset, len, g_strerror(code));
    return !code;
}

/* --- the disk as it was ----------------------------------------------------------------------------------------- */

typedef struct SnapshotImage {
    Image image; /* its file is only a name */
    Image *of;
    Tree tree;
} SnapshotImage;

typedef struct SnapshotRead {
    SnapshotImage *s;
    ImageRequest *request;
} SnapshotRead;

static void ended(void *opaque, int error)
{
    SnapshotRead *r = opaque;

    image_end(&r->s->image, r->request, error);
    g_free(r);
}

static void zeros_from(const ImageRequest *request, uint64_t from)
{
    uint64_t at = request->offset;

    for (int i = 0; i < request->iov_count; i++) {
        const struct iovec *v = &request->iov[i];
        uint64_t skip = from > at ? MIN(from - at, v->iov_len) : 0;
        memset((char *)v->iov_base + skip, 0, v->iov_len - skip);
        at += v->iov_len;
    }
}

static void submit(Image *image, ImageRequest *request)
{
    SnapshotImage *s = (SnapshotImage *)image;
    uint64_t end = MIN(request->offset + request->len, image->length);

    if (request->op == IMAGE_READ)
        zeros_from(request, end);
    if (request->op != IMAGE_READ || request->offset >= end) {
        image_end(image, request, 0);
        return;
    }
    DataRequest *d = g_new0(DataRequest, 1);
    SnapshotRead *r = g_new(SnapshotRead, 1);
    *r = (SnapshotRead){s, request};
    d->q = qcow2_of(s->of);
    d->tree = &s->tree;
    d->op = IMAGE_READ;
    d->start = request->offset;
    d->end = end;
    d->iov = request->iov;
    d->iov_count = request->iov_count;
    d->done = ended;
    d->opaque = r;
    data_request_start(d);
}

static void poll(Image *image, bool wait)
{
    qcow2_poll_files(qcow2_of(((SnapshotImage *)image)->of), wait);
}

static bool map(Image *image, uint64_t offset, uint64_t len, ImageExtent *extent, GError **error)
{
    SnapshotImage *s = (SnapshotImage *)image;

    return qcow2_map_tree(qcow2_of(s->of), &s->tree, offset, len, extent, error);
}

static bool resize(Image *image, uint64_t length, GError **error)
{
    (void)length;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: a snapshot is for reading only", image->file->path);
    return false;
}

static void close_image(Image *image)
{
    SnapshotImage *s = (SnapshotImage *)image;
    Qcow2 *q = qcow2_of(s->of);

    q->open_trees = g_slist_remove(q->open_trees, &s->tree);
    g_free(s->tree.l1);
    g_free(s);
}

static uint64_t no_length(HostFile *file)
{
    (void)file;
    return 0;
}

static void close_name(HostFile *file)
{
    g_free(file);
}

Image *qcow2_snapshot_image(Image *image, const Qcow2Snapshot *snapshot, GError **error)
{
    static const ImageOps ops = {.submit = submit, .poll = poll, .map = map, .resize = resize, .close = close_image};
    static const HostFileOps name_ops = {.length = no_length, .close = close_name};
    Tree tree = {0};

    if (!tree_open(qcow2_of(image), snapshot, &tree, error))
        return NULL;
    SnapshotImage *s = g_new0(SnapshotImage, 1);
    s->of = image;
    s->tree = tree;
    qcow2_of(image)->open_trees = g_slist_prepend(qcow2_of(image)->open_trees, &s->tree);
    s->image.ops = &ops;
    s->image.format = "qcow2";
    s->image.length = snapshot->disk_size;
    s->image.read_only = true;
    s->image.file = g_new0(HostFile, 1);
    s->image.file->ops = &name_ops;
    s->image.file->read_only = true;
    s->image.file->path = g_strdup_printf("%s: snapshot '%s'", image->file->path, snapshot->name);
    return &s->image;
}
