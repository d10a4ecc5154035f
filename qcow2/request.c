/* request.c: requests go through their range in steps, and end when their last piece has. */
#include <errno.h>
#include <string.h>

#include "qcow2/data-impl.h"

/* --- requests ---------------------------------------------------------------------------------------------------- */

static void resumed(Waiter *w, int error)
{
    DataRequest *d = (DataRequest *)w;

    d->waits = false;
    if (error)
        data_request_fail(d, error);
    data_request_step(d);
}

void data_request_start(DataRequest *d)
{
    d->waiter.resume = resumed;
    d->position = d->start;
    d->sequence = d->q->sequence++;
    d->link.data = d;
    g_queue_push_tail_link(&d->q->requests, &d->link);
    data_request_step(d);
}

void data_request_fail(DataRequest *d, int error)
{
    if (!d->error)
        d->error = error;
    d->position = d->end;
}

void data_request_hold(DataRequest *d, int error)
{
    d->waits = !error;
    if (error)
        data_request_fail(d, error);
}

static void end(DataRequest *d)
{
    Qcow2 *q = d->q;
    bool oldest = q->requests.head == &d->link;

    g_queue_unlink(&q->requests, &d->link);
    if (d->request)
        image_end(&q->image, d->request, d->error);
    else
        d->done(d->opaque, d->error);
    g_free(d);
    if (oldest && !g_queue_is_empty(&q->freed))
        freed_apply(q);
}

static void synced(HostIo *io, int error)
{
    Piece *p = (Piece *)io;
    DataRequest *d = p->d;

    piece_free(p);
    d->pieces--;
    if (error)
        data_request_fail(d, error);
    end(d);
}

static void sync_file(DataRequest *d, HostFile *file)
{
    Piece *p = piece_new(d, sizeof(Piece), 0, 0, 0);

    d->pieces++;
    p->io = (HostIo){.op = HOST_SYNC, .done = synced};
    host_file_submit(file, &p->io);
}

static void committed(Waiter *w, int error)
{
    DataRequest *d = (DataRequest *)w;

    if (error)
        data_request_fail(d, error);
    if (!error && d->q->data_file != d->q->image.file)
        sync_file(d, d->q->data_file);
    else
        end(d);
}

/* All pieces have ended: what is to be durable is made so. */
static void finish(DataRequest *d)
{
    Qcow2 *q = d->q;
    bool durable = d->op == IMAGE_FLUSH || (d->flags & IMAGE_FUA && d->op != IMAGE_READ);

    if (d->error || !durable) {
        end(d);
    } else if (is_dirty(q) || q->commit) {
        d->waiter.resume = committed;
        commit_wait(q, &d->waiter);
    } else {
        sync_file(d, q->data_file);
    }
}

void data_request_step(DataRequest *d)
{
    if (d->in_step)
        return;
    d->in_step = true;
    while (d->position < d->end && !d->waits) {
        if (d->op == IMAGE_READ)
            read_step(d);
        else if (d->op == IMAGE_WRITE)
            write_step(d);
        else if (d->op == IMAGE_ZERO)
            zero_step(d);
        else
            discard_step(d);
    }
    d->in_step = false;
    if (d->position == d->end && !d->waits && !d->pieces)
        finish(d);
}

int data_run(Qcow2 *q, Tree *tree, ImageOp op, uint64_t offset, struct iovec *iov)
{
    DataRequest *d = g_new0(DataRequest, 1);
    Pause pause = pause_new();
    bool memory = op == IMAGE_READ || op == IMAGE_WRITE;

    d->q = q;
    d->tree = tree;
    d->op = op;
    d->flags = memory ? 0 : IMAGE_UNMAP;
    d->start = offset;
    d->end = offset + iov->iov_len;
    d->iov = memory ? iov : NULL;
    d->iov_count = memory ? 1 : 0;
    d->done = pause_ended;
    d->opaque = &pause;
    data_request_start(d);
    return pause_wait(q, &pause);
}

/* --- pieces ------------------------------------------------------------------------------------------------------ */

static size_t skip(const DataRequest *d, uint64_t offset, int *index)
{
    uint64_t left = offset - d->start;
    int i = 0;

    while (i < d->iov_count && left >= d->iov[i].iov_len)
        left -= d->iov[i++].iov_len;
    *index = i;
    return (size_t)left;
}

Piece *piece_new(DataRequest *d, size_t size, uint64_t offset, uint64_t len, unsigned more)
{
    Piece *p = g_malloc0(size);
    int first = 0, count = 0;
    size_t at = len && d->iov ? skip(d, offset, &first) : 0;

    p->d = d;
    p->iov = p->few;
    if (!len || !d->iov)
        return p;
    uint64_t left = len + at;
    for (int i = first; i < d->iov_count && left; i++, count++)
        left -= MIN(left, d->iov[i].iov_len);
    if ((size_t)count + 2 * more > G_N_ELEMENTS(p->few))
        p->iov = g_new0(struct iovec, count + 2 * more);
    left = len;
    for (int i = 0; i < count; i++) {
        struct iovec *v = &p->iov[more + (unsigned)i];
        v->iov_base = (char *)d->iov[first + i].iov_base + at;
        v->iov_len = MIN(left, d->iov[first + i].iov_len - at);
        left -= v->iov_len;
        at = 0;
    }
    p->io.iov = p->iov + more;
    p->io.iov_count = count;
    return p;
}

void piece_free(Piece *p)
{
    if (p->iov != p->few)
        g_free(p->iov);
    g_free(p);
}

static void piece_ended(HostIo *io, int error)
{
    Piece *p = (Piece *)io;
    DataRequest *d = p->d;

    d->pieces--;
    if (error)
        data_request_fail(d, error);
    if (p->ended)
        p->ended(p, error);
    piece_free(p);
    if (!d->waits)
        data_request_step(d);
}

void piece_submit(Piece *p, HostFile *file, HostOp op, uint64_t host, uint64_t len)
{
    p->io.op = op;
    p->io.offset = host;
    p->io.len = len;
    p->io.done = piece_ended;
    p->d->pieces++;
    host_file_submit(file, &p->io);
}

/* --- the request's memory ----------------------------------------------------------------------------------------- */

static void fill(DataRequest *d, uint64_t offset, const uint8_t *data, uint64_t len)
{
    int i;
    size_t at = skip(d, offset, &i);

    for (; len && i < d->iov_count; i++, at = 0) {
        size_t now = MIN(len, d->iov[i].iov_len - at);
        uint8_t *memory = (uint8_t *)d->iov[i].iov_base + at;
        if (data) {
            memcpy(memory, data, now);
            data += now;
        } else {
            memset(memory, 0, now);
        }
        len -= now;
    }
}

void data_fill_zeros(DataRequest *d, uint64_t offset, uint64_t len)
{
    fill(d, offset, NULL, len);
}

void data_copy_in(DataRequest *d, uint64_t offset, const uint8_t *data, uint64_t len)
{
    fill(d, offset, data, len);
}

/* --- guest clusters whose mapping is being changed ---------------------------------------------------------------- */

typedef struct Busy {
    uint64_t key;
    GQueue waiters;
} Busy;

/* Two trees are written at a time at most: the disk, and a snapshot's VM state behind it. */
static uint64_t busy_key(const Qcow2 *q, const Tree *tree, uint64_t guest_cluster)
{
    return guest_cluster | (tree == &q->active ? 0 : UINT64_C(1) << 63);
}

bool is_busy(Qcow2 *q, Tree *tree, uint64_t guest_cluster)
{
    uint64_t key = busy_key(q, tree, guest_cluster);

    return g_hash_table_size(q->busy) && g_hash_table_contains(q->busy, &key);
}

bool busy_wait(Qcow2 *q, Tree *tree, uint64_t guest_cluster, Waiter *waiter)
{
    uint64_t key = busy_key(q, tree, guest_cluster);
    Busy *b = g_hash_table_size(q->busy) ? g_hash_table_lookup(q->busy, &key) : NULL;

    if (b)
        waiter_queue(&b->waiters, waiter);
    return b;
}

void busy_begin(Qcow2 *q, Tree *tree, uint64_t guest_cluster, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        Busy *b = g_new0(Busy, 1);
        b->key = busy_key(q, tree, guest_cluster + i);
        g_hash_table_insert(q->busy, &b->key, b);
    }
}

void busy_end(Qcow2 *q, Tree *tree, uint64_t guest_cluster, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t key = busy_key(q, tree, guest_cluster + i);
        Busy *b = g_hash_table_lookup(q->busy, &key);
        g_hash_table_steal(q->busy, &key);
        waiters_resume(&b->waiters, 0);
        g_free(b);
    }
}
