/* blk-memory.c: a disk in memory, for tests of what uses disks. block_drain does what is held back, in its order. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "emu/block/blk-memory.h"
#include "emu/block/block-impl.h"
#include "visitors/error.h"

typedef struct Memory {
    Block block;
    uint8_t *data;
    bool holds;
    GQueue held;      /* of BlockJob */
    GArray *failures; /* of Failure */
    unsigned counts[BLOCK_WRITE_ZEROES + 1];
} Memory;

typedef struct Failure {
    unsigned left; /* requests before it */
    int error;
} Failure;

typedef struct MemoryJob {
    BlockJob job;
    int fails;
} MemoryJob;

static void end(BlockJob *job)
{
    Memory *m = (Memory *)job->block;
    const BlockRequest *r = &job->request;
    int error = ((MemoryJob *)job)->fails;

    if (!error) {
        switch (r->op) {
        case BLOCK_READ:
            block_iov_write(r, 0, m->data + r->offset, r->len);
            break;
        case BLOCK_WRITE:
        case BLOCK_WRITE_THROUGH:
            block_iov_read(r, 0, m->data + r->offset, r->len);
            break;
        case BLOCK_DISCARD:
            if (m->block.can_discard)
                memset(m->data + r->offset, 0, r->len);
            break;
        case BLOCK_WRITE_ZEROES:
            memset(m->data + r->offset, 0, r->len);
            break;
        case BLOCK_FLUSH:
            break;
        }
    }
    block_job_end(job, error);
}

static int take_failure(Memory *m)
{
    int error = 0;

    for (guint i = 0; i < m->failures->len;) {
        Failure *f = &g_array_index(m->failures, Failure, i);
        if (f->left--) {
            i++;
            continue;
        }
        error = f->error;
        g_array_remove_index(m->failures, i);
    }
    return error;
}

static void memory_start(BlockJob *job)
{
    Memory *m = (Memory *)job->block;

    m->counts[job->request.op]++;
    ((MemoryJob *)job)->fails = take_failure(m);
    if (m->holds)
        g_queue_push_tail_link(&m->held, &job->link);
    else
        end(job);
}

static void memory_release_all(Block *block)
{
    while (blk_memory_held(block))
        blk_memory_release(block, 0);
}

static void memory_close(Block *block)
{
    Memory *m = (Memory *)block;

    g_array_free(m->failures, TRUE);
    g_free(m->data);
}

static const BlockOps memory_ops = {
    .size = sizeof(Memory),
    .job_size = sizeof(MemoryJob),
    .start = memory_start,
    .release = memory_release_all,
    .close = memory_close,
};

Block *blk_memory_new(const BlkMemory *options, GError **error)
{
    uint8_t *data = g_try_malloc0(MAX(options->length, 1));
    Memory *m = data ? (Memory *)block_new(&memory_ops, options->context) : NULL;

    if (!m) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "disk of %" PRIu64 " octets in memory: %s", options->length,
                    g_strerror(data ? errno : ENOMEM));
        g_free(data);
        return NULL;
    }
    m->data = data;
    m->failures = g_array_new(FALSE, FALSE, sizeof(Failure));
    g_queue_init(&m->held);
    m->block.length = options->length;
    m->block.read_only = options->read_only;
    m->block.can_discard = options->discard && !options->read_only;
    return &m->block;
}

uint8_t *blk_memory_data(Block *block)
{
    return ((Memory *)block)->data;
}

void blk_memory_fail(Block *block, unsigned nth, int error)
{
    Failure failure = {nth, error};

    g_array_append_val(((Memory *)block)->failures, failure);
}

unsigned blk_memory_count(const Block *block, BlockOp op)
{
    return ((const Memory *)block)->counts[op];
}

void blk_memory_hold(Block *block, bool hold)
{
    ((Memory *)block)->holds = hold;
    if (!hold)
        memory_release_all(block);
}

unsigned blk_memory_held(const Block *block)
{
    return ((const Memory *)block)->held.length;
}

const BlockRequest *blk_memory_request(const Block *block, unsigned index)
{
    const BlockJob *job = g_queue_peek_nth((GQueue *)&((const Memory *)block)->held, index);

    return job ? &job->request : NULL;
}

void blk_memory_release(Block *block, unsigned index)
{
    GList *link = g_queue_pop_nth_link(&((Memory *)block)->held, index);

    if (link)
        end(link->data);
}
