/*
 * blk-qcow2.c: requests on a qcow2 image, which does all the work on the thread of the disk's context.
 *
 * A snapshot (snapshot=on) is a new image in an unnamed file, in front of the one that is only read.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "emu/block/blk-qcow2.h"
#include "emu/block/block-impl.h"
#include "qcow2/header.h"
#include "qcow2/qcow2.h"
#include "visitors/error.h"

typedef struct BlkQcow2 {
    Block block;
    Image *image;
    bool discard, through;
} BlkQcow2;

typedef struct Qcow2Job {
    BlockJob job;
    ImageRequest request;
} Qcow2Job;

static void job_ended(ImageRequest *request, int error)
{
    Qcow2Job *j = (Qcow2Job *)((char *)request - offsetof(Qcow2Job, request));

    block_job_end(&j->job, error);
}

static void start(BlockJob *job)
{
    static const ImageOp ops[] = {
        [BLOCK_READ] = IMAGE_READ,   [BLOCK_WRITE] = IMAGE_WRITE,     [BLOCK_WRITE_THROUGH] = IMAGE_WRITE,
        [BLOCK_FLUSH] = IMAGE_FLUSH, [BLOCK_DISCARD] = IMAGE_DISCARD, [BLOCK_WRITE_ZEROES] = IMAGE_ZERO,
    };
    BlkQcow2 *b = (BlkQcow2 *)job->block;
    Qcow2Job *j = (Qcow2Job *)job;
    const BlockRequest *r = &job->request;
    bool writes = r->op == BLOCK_WRITE || r->op == BLOCK_WRITE_THROUGH || r->op == BLOCK_WRITE_ZEROES;

    if (r->op == BLOCK_DISCARD && !b->discard) {
        block_job_end(job, 0);
        return;
    }
    j->request = (ImageRequest){.op = ops[r->op],
                                .offset = r->offset,
                                .len = r->op == BLOCK_FLUSH ? 0 : r->len,
                                .iov = r->iov,
                                .iov_count = r->iov_count,
                                .done = job_ended};
    if (r->op == BLOCK_WRITE_THROUGH || (writes && b->through))
        j->request.flags |= IMAGE_FUA;
    if (r->op == BLOCK_WRITE_ZEROES && b->discard)
        j->request.flags |= IMAGE_UNMAP;
    image_submit(b->image, &j->request);
}

static void poll(Block *block)
{
    Image *image = ((BlkQcow2 *)block)->image;

    if (!image)
        return;
    image_poll(image, false);
    if (!g_queue_is_empty(&image->ended))
        block_kick(block);
}

static bool set_active(Block *block, bool active, GError **error)
{
    return image_set_active(((BlkQcow2 *)block)->image, active, error);
}

static void close_block(Block *block)
{
    BlkQcow2 *b = (BlkQcow2 *)block;

    if (b->image)
        image_close(b->image);
}

static const BlockOps qcow2_ops = {
    .size = sizeof(BlkQcow2),
    .job_size = sizeof(Qcow2Job),
    .start = start,
    .poll = poll,
    .set_active = set_active,
    .close = close_block,
};

/* --- opening ------------------------------------------------------------------------------------------------------ */

static ImagePath path_of(const Block *block, const BlkRaw *options)
{
    /* What writes through here is a write with its metadata, so not the file's business. */
    bool direct = options->cache == HOST_CACHE_NONE || options->cache == HOST_CACHE_DIRECTSYNC;
    HostCache cached = options->cache == HOST_CACHE_UNSAFE ? HOST_CACHE_UNSAFE : HOST_CACHE_WRITEBACK;

    return (ImagePath){.path = options->path,
                       .format = "qcow2",
                       .read_only = options->read_only || options->snapshot,
                       .shared = options->shared,
                       .inactive = options->inactive,
                       .events = true,
                       .event = block->event,
                       .cache = direct ? HOST_CACHE_NONE : cached,
                       .engine = options->engine};
}

/* A new image of the same length in a file that is gone with it. Takes the backing image. */
static Image *open_snapshot(const Block *block, const BlkRaw *options, Image *backing, GError **error)
{
    const char *given = options->snapshot_dir ? options->snapshot_dir : g_getenv("TMPDIR");
    g_autofree char *path = g_build_filename(given && *given ? given : "/var/tmp", "ferry-XXXXXX", NULL);
    int fd = g_mkstemp(path);
    HostFile *file = NULL;

    if (fd < 0)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "disk %s: its snapshot %s: %s", options->path, path,
                    g_strerror(errno));
    else
        file = host_file_open(
            &(HostFilePosix){
                .path = path, .shared = true, .events = true, .event = block->event, .cache = HOST_CACHE_UNSAFE},
            error);
    if (fd >= 0) {
        unlink(path);
        close(fd);
    }
    if (file && qcow2_create(file, NULL, &(Qcow2Create){.size = backing->length}, error))
        return qcow2_open(file, &(Qcow2Open){.backing = backing}, error);
    if (file)
        host_file_close(file);
    image_close(backing);
    return NULL;
}

Block *blk_qcow2_open(const BlkRaw *options, GError **error)
{
    return blk_qcow2_open_with(options, &(BlkQcow2Parts){.no_backing = false}, error);
}

Block *blk_qcow2_open_with(const BlkRaw *options, const BlkQcow2Parts *parts, GError **error)
{
    BlkQcow2 *b = (BlkQcow2 *)block_new(&qcow2_ops, options->context);

    if (!b) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "disk %s: %s", options->path, g_strerror(errno));
        return NULL;
    }
    ImagePath path = path_of(&b->block, options);
    path.no_backing = parts->no_backing;
    path.backing = parts->backing;
    path.data_file = parts->data_file;
    path.l2_cache = parts->l2_cache;
    path.refcount_cache = parts->refcount_cache;
    b->image = image_open(&path, error);
    if (b->image && options->snapshot)
        b->image = open_snapshot(&b->block, options, b->image, error);
    if (!b->image) {
        block_free(&b->block);
        return NULL;
    }
    blk_qcow2_changed(&b->block);
    b->block.read_only = options->read_only;
    b->block.inactive = options->inactive;
    b->discard = options->discard;
    b->block.can_discard = options->discard && !options->read_only;
    b->through = options->cache == HOST_CACHE_WRITETHROUGH || options->cache == HOST_CACHE_DIRECTSYNC;
    return &b->block;
}

Image *blk_qcow2_image(Block *block)
{
    return block->ops == &qcow2_ops ? ((BlkQcow2 *)block)->image : NULL;
}

void blk_qcow2_submit_state(Block *block, Qcow2Pending *pending, ImageRequest *request)
{
    qcow2_pending_submit(pending, request);
    block_kick(block);
}

void blk_qcow2_changed(Block *block)
{
    block->length = ((BlkQcow2 *)block)->image->length / HOST_SECTOR * HOST_SECTOR;
}

bool blk_qcow2_probe(const char *path, bool *names)
{
    g_autoptr(HostFile) file = host_file_open(&(HostFilePosix){.path = path, .read_only = true, .shared = true}, NULL);
    const char *format = file ? image_probe(file, NULL) : NULL;
    Qcow2Header header = {0};

    *names = false;
    if (!format || strcmp(format, "qcow2") != 0)
        return false;
    if (qcow2_header_read(file, &header, NULL))
        *names = header.backing || header.incompatible & QCOW2_DATA_FILE;
    qcow2_header_clear(&header);
    return true;
}
