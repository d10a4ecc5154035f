/* read.c: reading: from the file, from the backing file, zeros, or compressed clusters. */
#include <errno.h>

#include "qcow2/compress.h"
#include "qcow2/data-impl.h"

/* --- from the backing file ---------------------------------------------------------------------------------------- */

typedef struct BackingPiece {
    Piece piece; /* of which only the memory is used */
    ImageRequest request;
} BackingPiece;

static void backing_ended(ImageRequest *request, int error)
{
    BackingPiece *b = (BackingPiece *)((char *)request - offsetof(BackingPiece, request));
    DataRequest *d = b->piece.d;

    piece_free(&b->piece);
    d->pieces--;
    if (error)
        data_request_fail(d, error);
    if (!d->waits)
        data_request_step(d);
}

static void read_backing(DataRequest *d, uint64_t offset, uint64_t len)
{
    Image *backing = d->q->image.backing;
    uint64_t end = backing ? MIN(backing->length, d->tree->disk_size) : 0;
    uint64_t there = offset < end ? MIN(len, end - offset) : 0;

    if (there < len)
        data_fill_zeros(d, offset + there, len - there);
    if (!there)
        return;
    BackingPiece *b = (BackingPiece *)piece_new(d, sizeof(BackingPiece), offset, there, 0);
    b->request = (ImageRequest){.op = IMAGE_READ,
                                .offset = offset,
                                .len = there,
                                .iov = b->piece.io.iov,
                                .iov_count = b->piece.io.iov_count,
                                .done = backing_ended};
    d->pieces++;
    image_submit(backing, &b->request);
}

/* --- compressed --------------------------------------------------------------------------------------------------- */

typedef struct CompressedPiece {
    Piece piece;
    uint64_t offset, len; /* on the disk */
    struct iovec one;
    uint8_t *data;
} CompressedPiece;

static void compressed_ended(Piece *p, int error)
{
    CompressedPiece *c = (CompressedPiece *)p;
    DataRequest *d = p->d;
    Qcow2 *q = d->q;
    g_autofree uint8_t *plain = g_malloc(q->cluster_size);

    if (!error && !qcow2_decompress(q->codec, c->data, c->one.iov_len, plain, q->cluster_size))
        data_request_fail(d, EIO);
    else if (!error)
        data_copy_in(d, c->offset, plain + (c->offset & (q->cluster_size - 1)), c->len);
    g_free(c->data);
}

static void read_compressed(DataRequest *d, const Mapping *m, uint64_t offset)
{
    CompressedPiece *c = (CompressedPiece *)piece_new(d, sizeof(CompressedPiece), 0, 0, 0);

    c->offset = offset;
    c->len = m->len;
    c->data = g_malloc(m->host_len);
    c->one = (struct iovec){c->data, m->host_len};
    c->piece.few[0] = c->one;
    c->piece.io.iov = c->piece.few;
    c->piece.io.iov_count = 1;
    c->piece.ended = compressed_ended;
    piece_submit(&c->piece, d->q->image.file, HOST_READ, m->host, m->host_len);
}

/* ------------------------------------------------------------------------------------------------------------------ */

void read_step(DataRequest *d)
{
    Qcow2 *q = d->q;
    Mapping m;
    int error;

    if (!map_at(q, d->tree, d->position, d->end - d->position, &d->waiter, &m, &error)) {
        data_request_hold(d, error);
        return;
    }
    uint64_t offset = d->position;
    d->position += m.len;
    switch (m.kind) {
    case MAP_DATA:
        piece_submit(piece_new(d, sizeof(Piece), offset, m.len, 0), q->data_file, HOST_READ, m.host, m.len);
        break;
    case MAP_COMPRESSED:
        read_compressed(d, &m, offset);
        break;
    case MAP_UNALLOCATED:
        read_backing(d, offset, m.len);
        break;
    case MAP_ZERO:
        data_fill_zeros(d, offset, m.len);
        break;
    }
}

void data_read(Qcow2 *q, Tree *tree, uint64_t offset, struct iovec *iov, void (*done)(void *opaque, int error),
               void *opaque)
{
    DataRequest *d = g_new0(DataRequest, 1);

    d->q = q;
    d->tree = tree;
    d->op = IMAGE_READ;
    d->start = offset;
    d->end = offset + iov->iov_len;
    d->iov = iov;
    d->iov_count = 1;
    d->done = done;
    d->opaque = opaque;
    data_request_start(d);
}
