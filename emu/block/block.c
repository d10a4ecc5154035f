/* block.c: what all kinds of disks have in common: requests are held against the disk, queued, and end. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "emu/block/block-impl.h"
#include "visitors/error.h"

#define SECTOR 512

/* --- submission ------------------------------------------------------------------------------------------------- */

static bool has_iov(BlockOp op)
{
    return op == BLOCK_READ || op == BLOCK_WRITE || op == BLOCK_WRITE_THROUGH;
}

/* False: more than fits in 64 bits. */
static bool total_length(const BlockRequest *request, uint64_t *total)
{
    *total = 0;
    for (int i = 0; i < request->iov_count; i++)
        if (__builtin_add_overflow(*total, request->iov[i].iov_len, total))
            return false;
    return true;
}

/* An errno, if this is nothing to be done on the disk. */
static int judge(const Block *block, const BlockRequest *request)
{
    switch (request->op) {
    case BLOCK_FLUSH:
        return 0;
    case BLOCK_WRITE:
    case BLOCK_WRITE_THROUGH:
    case BLOCK_DISCARD:
    case BLOCK_WRITE_ZEROES:
        if (block->read_only)
            return EROFS;
        break;
    case BLOCK_READ:
        break;
    default:
        return EINVAL;
    }
    if (request->offset % SECTOR || request->len % SECTOR)
        return EINVAL;
    if (request->offset > block->length || request->len > block->length - request->offset)
        return EIO;
    return 0;
}

static BlockJob *job_new(Block *block, const BlockRequest *request)
{
    size_t count = has_iov(request->op) && request->iov_count > 0 ? (size_t)request->iov_count : 0;
    size_t job_size = (block->ops->job_size + 15) & ~(size_t)15;
    BlockJob *job = g_malloc(job_size + count * sizeof(struct iovec));
    struct iovec *iov = (struct iovec *)((char *)job + job_size);

    memset(job, 0, block->ops->job_size);
    job->block = block;
    job->request = *request;
    job->request.iov = iov;
    job->request.iov_count = 0;
    job->link.data = job;
    /* Without the empty ones: a call that transfers nothing is to mean something. */
    for (size_t i = 0; i < count; i++)
        if (request->iov[i].iov_len)
            iov[job->request.iov_count++] = request->iov[i];
    if (request->op == BLOCK_FLUSH)
        job->request.offset = job->request.len = 0;
    if (has_iov(request->op) && !total_length(&job->request, &job->request.len))
        job->error = EINVAL;
    if (!job->error)
        job->error = judge(block, &job->request);
    job->invalid = job->error;
    job->started_us = g_get_monotonic_time();
    return job;
}

void block_kick(Block *block)
{
    uint64_t one = 1;

    /* Fails only when the count is at its end, and then it is signalled already. */
    while (write(block->event, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

void block_submit(Block *block, const BlockRequest *request)
{
    BlockJob *job = job_new(block, request);
    bool first;

    g_mutex_lock(&block->lock);
    block->in_flight++;
    first = g_queue_is_empty(&block->incoming) && !block->plugged;
    g_queue_push_tail_link(&block->incoming, &job->link);
    g_mutex_unlock(&block->lock);
    if (first)
        block_kick(block);
}

/* --- on the context's thread ------------------------------------------------------------------------------------ */

void block_job_end(BlockJob *job, int error)
{
    Block *block = job->block;

    job->error = error;
    if (!block->looking && g_queue_is_empty(&block->ended))
        block_kick(block);
    g_queue_push_tail_link(&block->ended, &job->link);
}

static BlockSort sort_of(BlockOp op)
{
    static const BlockSort sorts[] = {
        [BLOCK_READ] = BLOCK_SORT_READ,   [BLOCK_WRITE] = BLOCK_SORT_WRITE,   [BLOCK_WRITE_THROUGH] = BLOCK_SORT_WRITE,
        [BLOCK_FLUSH] = BLOCK_SORT_FLUSH, [BLOCK_DISCARD] = BLOCK_SORT_UNMAP, [BLOCK_WRITE_ZEROES] = BLOCK_SORT_WRITE,
    };

    return (size_t)op < G_N_ELEMENTS(sorts) ? sorts[op] : BLOCK_SORT_READ;
}

static void count(BlockStats *stats, const BlockJob *job)
{
    const BlockRequest *r = &job->request;
    BlockSort sort = sort_of(r->op);
    BlockCounts *c = &stats->sorts[sort];
    int64_t now = g_get_monotonic_time();

    stats->last_ns = now * 1000;
    if (job->invalid) {
        c->invalid++;
        return;
    }
    c->ns += (uint64_t)(now - job->started_us) * 1000;
    if (job->error) {
        c->failed++;
        return;
    }
    c->operations++;
    c->octets += r->len;
    if (sort == BLOCK_SORT_WRITE)
        stats->written_end = MAX(stats->written_end, r->offset + r->len);
}

const BlockStats *block_stats(const Block *block)
{
    return &block->stats;
}

static void start_incoming(Block *block)
{
    GQueue jobs;

    g_mutex_lock(&block->lock);
    jobs = block->incoming;
    g_queue_init(&block->incoming);
    g_mutex_unlock(&block->lock);
    for (GList *link; (link = g_queue_pop_head_link(&jobs));) {
        BlockJob *job = link->data;
        if (job->error || (job->request.op != BLOCK_FLUSH && !job->request.len))
            block_job_end(job, job->error);
        else
            block->ops->start(job);
    }
}

/*
 * Calls `done` of those that have ended by now; what ends while it does is for the next round, so that a chain of
 * requests cannot keep the loop's thread here. A `done` may drain the disk, which empties the queue.
 */
static void call_done(Block *block)
{
    bool any = !g_queue_is_empty(&block->ended);

    for (unsigned left = g_queue_get_length(&block->ended); left && !g_queue_is_empty(&block->ended); left--) {
        BlockJob *job = g_queue_pop_head_link(&block->ended)->data;
        BlockDone *done = job->request.done;
        void *opaque = job->request.opaque;
        int error = job->error;

        count(&block->stats, job);
        g_free(job);
        g_mutex_lock(&block->lock);
        block->in_flight--;
        g_mutex_unlock(&block->lock);
        done(opaque, error);
    }
    if (any && block->settled)
        block->settled(block->settled_opaque);
    if (!g_queue_is_empty(&block->ended))
        block_kick(block);
}

/* What is queued goes to the kernel, and what has ended is told. */
static void look(Block *block)
{
    bool before = block->looking;

    block->looking = true;
    start_incoming(block);
    if (block->ops->poll)
        block->ops->poll(block);
    block->looking = before;
    call_done(block);
}

/* The event is taken first: what comes later signals it again. It does not block: nothing there is nothing. */
static void take_event(Block *block)
{
    uint64_t count;

    while (read(block->event, &count, sizeof count) < 0 && errno == EINTR)
        ;
}

void block_plug(Block *block)
{
    g_mutex_lock(&block->lock);
    block->plugged++;
    g_mutex_unlock(&block->lock);
}

void block_unplug(Block *block)
{
    bool any;

    g_mutex_lock(&block->lock);
    any = --block->plugged == 0 && !g_queue_is_empty(&block->incoming);
    g_mutex_unlock(&block->lock);
    if (any && g_main_context_is_owner(block->context))
        look(block);
    else if (any)
        block_kick(block);
}

static gboolean event_ready(gpointer opaque)
{
    Block *block = opaque;

    if (g_source_query_unix_fd(block->source, block->event_tag))
        take_event(block);
    look(block);
    return G_SOURCE_CONTINUE;
}

static bool is_busy(Block *block)
{
    bool busy;

    g_mutex_lock(&block->lock);
    busy = block->in_flight > 0;
    g_mutex_unlock(&block->lock);
    return busy;
}

/* It looks before it waits: within a `done`, the event is taken already, and others have ended. */
void block_drain(Block *block)
{
    struct pollfd ready[] = {{.fd = block->event, .events = POLLIN}, {.fd = block->other, .events = POLLIN}};

    while (is_busy(block)) {
        take_event(block);
        look(block);
        if (block->ops->release)
            block->ops->release(block);
        if (is_busy(block))
            poll(ready, G_N_ELEMENTS(ready), -1);
    }
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    (void)source;
    return callback(data);
}

Block *block_new(const BlockOps *ops, GMainContext *context)
{
    /* GLib writes nothing to it, but does not say so */
    static const GSourceFuncs functions = {.dispatch = dispatch};
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (event < 0)
        return NULL;
    Block *block = g_malloc0(ops->size);
    block->ops = ops;
    block->event = event;
    g_mutex_init(&block->lock);
    g_queue_init(&block->incoming);
    g_queue_init(&block->ended);
    block->other = -1;
    block->context = g_main_context_ref(context ? context : g_main_context_default());
    block->source = g_source_new((GSourceFuncs *)&functions, sizeof(GSource));
    block->event_tag = g_source_add_unix_fd(block->source, event, G_IO_IN);
    g_source_set_callback(block->source, event_ready, block, NULL);
    g_source_set_can_recurse(block->source, TRUE); /* see loop.h */
    g_source_attach(block->source, context);
    return block;
}

void block_watch(Block *block, int fd)
{
    block->other = fd;
    g_source_add_unix_fd(block->source, fd, G_IO_IN);
}

void block_set_settled(Block *block, BlockSettled *settled, void *opaque)
{
    block->settled = settled;
    block->settled_opaque = opaque;
}

static void flushed(void *opaque, int error)
{
    *(int *)opaque = error;
}

bool block_set_active(Block *block, bool active, GError **error)
{
    int failure = 0;

    if (active == !block->inactive)
        return true;
    block_submit(block, &(BlockRequest){.op = BLOCK_FLUSH, .done = flushed, .opaque = &failure});
    block_drain(block);
    if (failure) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "what was written cannot be flushed: %s", g_strerror(failure));
        return false;
    }
    if (block->ops->set_active && !block->ops->set_active(block, active, error))
        return false;
    block->inactive = !active;
    return true;
}

bool block_is_active(const Block *block)
{
    return !block->inactive;
}

void block_free(Block *block)
{
    if (!block)
        return;
    block_drain(block);
    g_source_destroy(block->source);
    g_source_unref(block->source);
    block->ops->close(block);
    close(block->event);
    g_main_context_unref(block->context);
    g_mutex_clear(&block->lock);
    g_free(block);
}

uint64_t block_length(const Block *block)
{
    return block->length;
}

bool block_read_only(const Block *block)
{
    return block->read_only;
}

bool block_can_discard(const Block *block)
{
    return block->can_discard;
}

/* --- a request's memory ----------------------------------------------------------------------------------------- */

static void copy(const BlockRequest *request, uint64_t from, uint8_t *data, size_t len, bool into_request)
{
    for (int i = 0; i < request->iov_count && len; i++) {
        const struct iovec *v = &request->iov[i];
        if (from >= v->iov_len) {
            from -= v->iov_len;
            continue;
        }
        size_t n = MIN(len, v->iov_len - from);
        uint8_t *there = (uint8_t *)v->iov_base + from;
        if (into_request)
            memcpy(there, data, n);
        else
            memcpy(data, there, n);
        data += n;
        len -= n;
        from = 0;
    }
}

void block_iov_read(const BlockRequest *request, uint64_t from, void *data, size_t len)
{
    copy(request, from, data, len, false);
}

void block_iov_write(const BlockRequest *request, uint64_t from, const void *data, size_t len)
{
    copy(request, from, (uint8_t *)data, len, true);
}
