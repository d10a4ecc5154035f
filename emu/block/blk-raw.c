/*
 * blk-raw.c: requests on a file or a device, piece by piece.
 *
 * A job goes through its range in pieces that are treated alike, one after the other; nearly all have only one. There
 * are more where a snapshot has some clusters and the file the others, where parts of blocks are written to a
 * file that takes whole blocks (O_DIRECT), and where memory must be copied for it.
 *
 * A piece that covers only part of a granule (block, cluster) reads the granule, changes it and writes it. Meanwhile no
 * other may write there, so jobs that write are held in their order then. Reads go on: what they might see is in both
 * versions, unless the guest itself writes it, and then it is told nothing about the order.
 *
 * A cluster is in the overlay when all of it has been written there, not before: after an error it is the file's again.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emu/block/raw-impl.h"
#include "qcow2/host-lock.h"

#define BOUNCE_MAX  (1024 * 1024) /* octets that are copied at once; a multiple of any granule */
#define ZERO_MAX    (1024 * 1024)
#define ZEROS_SIZE  65536
#define MEMORY_PAGE 4096

typedef struct RawJob {
    BlockJob job;
    Transfer transfer;
    uint64_t position; /* this much is done */
    uint64_t step;     /* this much more when the transfer has ended */
    uint64_t mark;     /* and this many octets, whole clusters from there, are in the overlay: 0 or step, rounded */
    uint8_t *bounce;
    struct iovec *slice; /* of the request's or of zeros */
    struct iovec one;
    size_t skip;         /* in `bounce`, where the request's data begin */
    uint64_t granule_at; /* of the fragment that is being read */
    unsigned way;        /* of zero_ways */
    bool by_writing;     /* zeros, as the kernel has no other way for this range */
    /* of those that write granules */
    bool writes, exclusive, runs;
    uint64_t first, end; /* rounded */
    GList writer;
} RawJob;

typedef struct Piece {
    uint64_t offset, len;
    bool fragment; /* less than its granule */
    bool overlay;
} Piece;

static void advance(RawJob *j);

static inline Raw *raw_of(const RawJob *j)
{
    return (Raw *)j->job.block;
}

static inline bool is_written(const Raw *raw, uint64_t cluster)
{
    return raw->written[cluster / 64] >> cluster % 64 & 1;
}

static uint64_t round_down(uint64_t value, uint64_t unit)
{
    return value - value % unit;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
    return round_down(value + unit - 1, unit);
}

/* --- in their order --------------------------------------------------------------------------------------------- */

static bool must_wait(const RawJob *j)
{
    for (const GList *l = j->writer.prev; l; l = l->prev) {
        const RawJob *other = l->data;
        if (other->first < j->end && j->first < other->end && (j->exclusive || other->exclusive))
            return true;
    }
    return false;
}

static void run_writers(Raw *raw)
{
    GQueue ready = G_QUEUE_INIT;

    /* Found first: a job that runs may end at once, and comes back here. */
    for (GList *l = raw->writers.head; l; l = l->next) {
        RawJob *j = l->data;
        if (j->runs || must_wait(j))
            continue;
        j->runs = true;
        g_queue_push_tail(&ready, j);
    }
    for (RawJob *j; (j = g_queue_pop_head(&ready));)
        advance(j);
}

static bool touches_fragment(const Raw *raw, const BlockRequest *r)
{
    uint64_t end = r->offset + r->len;

    if (r->op == BLOCK_DISCARD)
        return false;
    if (!raw->written)
        return r->offset % raw->granule || end % raw->granule;
    return (r->offset % RAW_CLUSTER && !is_written(raw, r->offset / RAW_CLUSTER)) ||
           (end % RAW_CLUSTER && !is_written(raw, end / RAW_CLUSTER));
}

static void finish(RawJob *j, int error)
{
    Raw *raw = raw_of(j);
    bool wrote = j->writes;

    if (wrote)
        g_queue_unlink(&raw->writers, &j->writer);
    free(j->bounce);
    g_free(j->slice);
    block_job_end(&j->job, error);
    if (wrote)
        run_writers(raw);
}

/* --- transfers -------------------------------------------------------------------------------------------------- */

static void mark_written(Raw *raw, uint64_t offset, uint64_t len)
{
    for (uint64_t c = offset / RAW_CLUSTER; c < (offset + len + RAW_CLUSTER - 1) / RAW_CLUSTER; c++)
        raw->written[c / 64] |= UINT64_C(1) << c % 64;
}

static void step_ended(Transfer *t, int error)
{
    RawJob *j = (RawJob *)((char *)t - offsetof(RawJob, transfer));
    Raw *raw = raw_of(j);

    if (error) {
        finish(j, error);
        return;
    }
    if (j->job.request.op == BLOCK_READ && j->skip != SIZE_MAX)
        block_iov_write(&j->job.request, j->position, j->bounce + j->skip, j->step);
    if (j->mark)
        mark_written(raw, j->job.request.offset + j->position, j->mark);
    j->position += j->step;
    advance(j);
}

static void submit(RawJob *j, TransferKind kind, bool overlay)
{
    Raw *raw = raw_of(j);
    Transfer *t = &j->transfer;

    t->kind = kind;
    t->fd = overlay ? raw->overlay : raw->fd;
    t->direct = raw->direct && !overlay;
    raw->engine->ops->submit(raw->engine, t);
}

static void transfer_at(RawJob *j, uint64_t offset, uint64_t len)
{
    j->transfer = (Transfer){.offset = offset, .len = len, .ended = step_ended};
}

static void use_flat(RawJob *j, uint8_t *data, size_t len)
{
    j->one = (struct iovec){data, len};
    j->transfer.iov = &j->one;
    j->transfer.iov_count = 1;
}

/* The request's own memory, from where the job is. */
static void use_request(RawJob *j, uint64_t len)
{
    const BlockRequest *r = &j->job.request;
    uint64_t from = j->position;
    int count = 0;

    j->transfer.iov = (struct iovec *)r->iov;
    j->transfer.iov_count = r->iov_count;
    if (len == r->len)
        return; /* the only piece: the copy may be used up */
    g_free(j->slice);
    j->slice = g_new(struct iovec, (size_t)r->iov_count);
    for (int i = 0; i < r->iov_count && len; i++) {
        const struct iovec *v = &r->iov[i];
        if (from >= v->iov_len) {
            from -= v->iov_len;
            continue;
        }
        size_t n = MIN(v->iov_len - from, len);
        j->slice[count++] = (struct iovec){(char *)v->iov_base + from, n};
        len -= n;
        from = 0;
    }
    j->transfer.iov = j->slice;
    j->transfer.iov_count = count;
}

static bool make_bounce(RawJob *j, size_t len)
{
    free(j->bounce);
    j->bounce = NULL;
    return posix_memalign((void **)&j->bounce, MAX(raw_of(j)->memory_alignment, MEMORY_PAGE), len) == 0;
}

static int write_flags(const RawJob *j)
{
    const Raw *raw = raw_of(j);

    return raw->sync && (raw->through || j->job.request.op == BLOCK_WRITE_THROUGH) ? RWF_DSYNC : 0;
}

static void submit_write(RawJob *j, bool overlay)
{
    j->transfer.flags = overlay ? 0 : write_flags(j);
    submit(j, TRANSFER_WRITE, overlay);
}

/* Could the kernel take the request's memory for this piece? */
static bool memory_fits(const RawJob *j, uint64_t len)
{
    const BlockRequest *r = &j->job.request;
    uintptr_t mask = raw_of(j)->memory_alignment - 1;
    size_t length_mask = raw_of(j)->alignment - 1;
    uint64_t from = j->position;

    for (int i = 0; i < r->iov_count && len; i++) {
        const struct iovec *v = &r->iov[i];
        if (from >= v->iov_len) {
            from -= v->iov_len;
            continue;
        }
        uint64_t n = MIN(v->iov_len - from, len);
        if ((((uintptr_t)v->iov_base + from) & mask) || (n & (mask | length_mask)))
            return false;
        len -= n;
        from = 0;
    }
    return true;
}

/* --- reads ------------------------------------------------------------------------------------------------------ */

static void read_through_bounce(RawJob *j, const Piece *p)
{
    uint64_t start = round_down(p->offset, raw_of(j)->alignment);
    uint64_t end = MIN(round_up(p->offset + p->len, raw_of(j)->alignment), start + BOUNCE_MAX);

    if (!make_bounce(j, end - start)) {
        finish(j, ENOMEM);
        return;
    }
    j->skip = p->offset - start;
    j->step = MIN(p->len, end - p->offset);
    transfer_at(j, start, end - start);
    use_flat(j, j->bounce, end - start);
    submit(j, TRANSFER_READ, p->overlay);
}

static void read_piece(RawJob *j, const Piece *p)
{
    const Raw *raw = raw_of(j);

    if (raw->direct && !p->overlay &&
        (p->offset % raw->alignment || p->len % raw->alignment || !memory_fits(j, p->len))) {
        read_through_bounce(j, p);
        return;
    }
    j->skip = SIZE_MAX;
    j->step = p->len;
    transfer_at(j, p->offset, p->len);
    use_request(j, p->len);
    submit(j, TRANSFER_READ, p->overlay);
}

/* --- writes ----------------------------------------------------------------------------------------------------- */

static void granule_read(Transfer *t, int error)
{
    RawJob *j = (RawJob *)((char *)t - offsetof(RawJob, transfer));
    Raw *raw = raw_of(j);

    if (error) {
        finish(j, error);
        return;
    }
    if (j->job.request.op == BLOCK_WRITE_ZEROES)
        memset(j->bounce + j->skip, 0, j->step);
    else
        block_iov_read(&j->job.request, j->position, j->bounce + j->skip, j->step);
    transfer_at(j, j->granule_at, raw->granule);
    use_flat(j, j->bounce, raw->granule);
    submit_write(j, raw->overlay >= 0);
}

/* Reads the granule from the file, changes it, and writes it to where it belongs. */
static void write_fragment(RawJob *j, const Piece *p)
{
    Raw *raw = raw_of(j);

    if (!make_bounce(j, raw->granule)) {
        finish(j, ENOMEM);
        return;
    }
    j->granule_at = round_down(p->offset, raw->granule);
    j->skip = p->offset - j->granule_at;
    j->step = p->len;
    j->mark = raw->written ? p->len : 0;
    transfer_at(j, j->granule_at, raw->granule);
    j->transfer.ended = granule_read;
    use_flat(j, j->bounce, raw->granule);
    submit(j, TRANSFER_READ, false);
}

static void write_piece(RawJob *j, const Piece *p)
{
    const Raw *raw = raw_of(j);

    j->step = p->len;
    if (raw->direct && !p->overlay && !memory_fits(j, p->len)) {
        j->step = MIN(p->len, BOUNCE_MAX);
        if (!make_bounce(j, j->step)) {
            finish(j, ENOMEM);
            return;
        }
        block_iov_read(&j->job.request, j->position, j->bounce, j->step);
        transfer_at(j, p->offset, j->step);
        use_flat(j, j->bounce, j->step);
    } else {
        transfer_at(j, p->offset, j->step);
        use_request(j, j->step);
    }
    j->mark = p->overlay ? j->step : 0;
    submit_write(j, p->overlay);
}

/* --- zeros ------------------------------------------------------------------------------------------------------ */

static const int zero_ways[] = {
    FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, /* frees the room */
    FALLOC_FL_KEEP_SIZE | FALLOC_FL_ZERO_RANGE, /* keeps it */
};

static bool cannot(int error)
{
    return error == EOPNOTSUPP || error == ENOSYS || error == ENODEV || error == EINVAL || error == ENOTTY;
}

static void zeroed(Transfer *t, int error)
{
    RawJob *j = (RawJob *)((char *)t - offsetof(RawJob, transfer));
    Raw *raw = raw_of(j);

    if (!cannot(error)) {
        step_ended(t, error);
        return;
    }
    if (j->job.request.op == BLOCK_DISCARD) {
        raw->no_discard = raw->no_discard || error == EOPNOTSUPP;
        finish(j, 0);
        return;
    }
    if (error == EINVAL) /* of a device's blocks, perhaps: it says nothing about the next range */
        j->by_writing = true;
    else
        raw->zero_way = MAX(raw->zero_way, j->way + 1);
    advance(j);
}

static void write_zeros(RawJob *j, const Piece *p)
{
    static const _Alignas(MEMORY_PAGE) uint8_t zeros[ZEROS_SIZE];
    uint64_t left = j->step = MIN(p->len, ZERO_MAX);
    int count = 0;

    transfer_at(j, p->offset, j->step);
    g_free(j->slice);
    j->slice = g_new(struct iovec, ZERO_MAX / ZEROS_SIZE);
    for (; left; left -= j->slice[count++].iov_len)
        j->slice[count] = (struct iovec){(void *)zeros, MIN(left, ZEROS_SIZE)};
    j->transfer.iov = j->slice;
    j->transfer.iov_count = count;
    j->mark = p->overlay ? j->step : 0;
    submit_write(j, p->overlay);
}

static void zero_piece(RawJob *j, const Piece *p)
{
    const Raw *raw = raw_of(j);

    if (j->by_writing || raw->zero_way >= G_N_ELEMENTS(zero_ways)) {
        write_zeros(j, p);
        return;
    }
    j->step = p->len;
    j->mark = p->overlay ? p->len : 0;
    transfer_at(j, p->offset, p->len);
    j->transfer.ended = zeroed;
    j->way = j->job.request.op == BLOCK_DISCARD ? 0 : raw->zero_way;
    j->transfer.flags = zero_ways[j->way];
    submit(j, TRANSFER_ALLOCATE, p->overlay);
}

/* --- pieces ----------------------------------------------------------------------------------------------------- */

static Piece piece_of_file(const RawJob *j, uint64_t offset, uint64_t left)
{
    uint64_t granule = raw_of(j)->granule, into = offset % granule;
    Piece p = {.offset = offset, .len = left};

    if (j->job.request.op == BLOCK_READ)
        return p;
    p.fragment = into || left < granule;
    p.len = p.fragment ? MIN(left, granule - into) : round_down(left, granule);
    return p;
}

static Piece piece_of_snapshot(const RawJob *j, uint64_t offset, uint64_t left)
{
    const Raw *raw = raw_of(j);
    bool reads = j->job.request.op == BLOCK_READ;
    Piece p = {.offset = offset, .overlay = !reads || is_written(raw, offset / RAW_CLUSTER)};

    while (p.len < left) {
        uint64_t at = offset + p.len;
        uint64_t n = MIN(left - p.len, RAW_CLUSTER - at % RAW_CLUSTER);
        bool written = is_written(raw, at / RAW_CLUSTER);
        /* The last cluster of the disk is whole when it is written up to the end. */
        bool fragment = !reads && !written && (at % RAW_CLUSTER || (n < RAW_CLUSTER && at + n < raw->block.length));

        if (fragment && p.len == 0) {
            p.fragment = true;
            p.len = n;
        }
        if (fragment || (reads && written != p.overlay))
            break;
        p.len += n;
    }
    return p;
}

/* --- jobs ------------------------------------------------------------------------------------------------------- */

static void sync_ended(Transfer *t, int error)
{
    RawJob *j = (RawJob *)((char *)t - offsetof(RawJob, transfer));
    Raw *raw = raw_of(j);

    if (error && !raw->direct)
        raw->sync_error = error;
    finish(j, error);
}

static void flush(RawJob *j)
{
    Raw *raw = raw_of(j);

    if (!raw->sync || raw->block.read_only || raw->sync_error) {
        finish(j, raw->sync_error);
        return;
    }
    transfer_at(j, 0, 0);
    j->transfer.ended = sync_ended;
    submit(j, TRANSFER_SYNC, false);
}

static void advance(RawJob *j)
{
    Raw *raw = raw_of(j);
    const BlockRequest *r = &j->job.request;
    uint64_t offset = r->offset + j->position, left = r->len - j->position;

    if (left == 0) {
        if (r->op == BLOCK_WRITE_ZEROES && raw->through)
            flush(j);
        else
            finish(j, 0);
        return;
    }
    Piece p = raw->written ? piece_of_snapshot(j, offset, left) : piece_of_file(j, offset, left);
    if (r->op == BLOCK_READ)
        read_piece(j, &p);
    else if (p.fragment)
        write_fragment(j, &p);
    else if (r->op == BLOCK_WRITE || r->op == BLOCK_WRITE_THROUGH)
        write_piece(j, &p);
    else
        zero_piece(j, &p);
}

/* Only whole units are discarded. False: there is none. */
static bool trim_discard(RawJob *j)
{
    const Raw *raw = raw_of(j);
    BlockRequest *r = &j->job.request;
    uint64_t start = round_up(r->offset, raw->discard_unit);
    uint64_t end = round_down(r->offset + r->len, raw->discard_unit);

    if (!raw->discard || raw->no_discard || start >= end)
        return false;
    r->offset = start;
    r->len = end - start;
    return true;
}

static void raw_start(BlockJob *job)
{
    RawJob *j = (RawJob *)job;
    Raw *raw = raw_of(j);
    BlockRequest *r = &job->request;

    if (r->op == BLOCK_FLUSH) {
        flush(j);
    } else if (r->op == BLOCK_DISCARD && !trim_discard(j)) {
        finish(j, 0);
    } else if (r->op == BLOCK_READ || raw->granule == 1) {
        advance(j);
    } else {
        j->writes = true;
        j->exclusive = touches_fragment(raw, r);
        j->first = round_down(r->offset, raw->granule);
        j->end = round_up(r->offset + r->len, raw->granule);
        j->writer.data = j;
        g_queue_push_tail_link(&raw->writers, &j->writer);
        j->runs = !must_wait(j);
        if (j->runs)
            advance(j);
    }
}

static void raw_poll(Block *block)
{
    Raw *raw = (Raw *)block;

    raw->engine->ops->poll(raw->engine);
}

static void raw_close(Block *block)
{
    Raw *raw = (Raw *)block;

    if (raw->engine)
        raw->engine->ops->free(raw->engine);
    if (raw->overlay >= 0)
        close(raw->overlay);
    if (raw->fd >= 0 && !raw->shared)
        host_lock_drop(raw->fd); /* the open file may go on under other descriptors (fd-path.h) */
    if (raw->fd >= 0)
        close(raw->fd);
    g_free(raw->written);
    g_free(raw->path);
}

const BlockOps raw_ops = {
    .size = sizeof(Raw),
    .job_size = sizeof(RawJob),
    .start = raw_start,
    .poll = raw_poll,
    .set_active = raw_set_active,
    .close = raw_close,
};
