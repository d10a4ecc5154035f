/* block.c: what all kinds of disks have in common: requests are held against the disk, queued, and end. */
#include <errno.h>
#include <glib-unix.h>
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
    first = g_queue_is_empty(&block->incoming);
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
    if (g_queue_is_empty(&block->ended))
        block_kick(block);
    g_queue_push_tail_link(&block->ended, &job->link);
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
    for (unsigned left = g_queue_get_length(&block->ended); left && !g_queue_is_empty(&block->ended); left--) {
        BlockJob *job = g_queue_pop_head_link(&block->ended)->data;
        BlockDone *done = job->request.done;
        void *opaque = job->request.opaque;
        int error = job->error;

        g_free(job);
        g_mutex_lock(&block->lock);
        block->in_flight--;
        g_mutex_unlock(&block->lock);
        done(opaque, error);
    }
    if (!g_queue_is_empty(&block->ended))
        block_kick(block);
}

static void look_after(Block *block)
{
    uint64_t count;

    /* The event is taken first: what comes later signals it again. It does not block: nothing there is nothing. */
    while (read(block->event, &count, sizeof count) < 0 && errno == EINTR)
        ;
    start_incoming(block);
    if (block->ops->poll)
        block->ops->poll(block);
    call_done(block);
}

static gboolean event_ready(gint fd, GIOCondition condition, gpointer opaque)
{
    (void)fd;
    (void)condition;
    look_after(opaque);
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
    struct pollfd ready = {.fd = block->event, .events = POLLIN};

    while (is_busy(block)) {
        look_after(block);
        if (block->ops->release)
            block->ops->release(block);
        if (is_busy(block))
            poll(&ready, 1, -1);
    }
}

/* --- life ------------------------------------------------------------------------------------------------------- */

Block *block_new(const BlockOps *ops, GMainContext *context)
{
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

    if (event < 0)
        return NULL;
    Block *block = g_malloc0(ops->size);
    block->ops = ops;
    block->event = event;
    g_mutex_init(&block->lock);
    g_queue_init(&block->incoming);
    g_queue_init(&block->ended);
    block->source = g_unix_fd_source_new(event, G_IO_IN);
    g_source_set_callback(block->source, (GSourceFunc)(void (*)(void))event_ready, block, NULL);
    g_source_attach(block->source, context);
    return block;
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
