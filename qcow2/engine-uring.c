/*
 * engine-uring.c: transfers by io_uring(7), whose descriptor can be read when some have ended.
 *
 * What ends while it is submitted (the file is in the page cache) is found at once.
 * No more is in the ring than its completion queue has room for; the rest waits here.
 *
 * A disk that has nothing to do loses time while we prepare many requests or hear of many that have ended. So short
 * transfers go to the kernel a few at a time, and who waits hears of a few at a time, and can submit others meanwhile.
 * Long ones, and such that continue each other, go together: the kernel makes one request of them.
 */
#include <errno.h>
#include <liburing.h>
#include <limits.h>
#include <unistd.h>

#include "qcow2/engine.h"

#define DEPTH      128
#define LENGTH_MAX (1U << 30) /* of one call; the rest is continued */
#define SHORT      32768      /* octets */
#define FEW        4

typedef struct Uring {
    Engine e;
    struct io_uring ring;
    unsigned in_ring;
    bool signals;   /* the event is looked at, and by several */
    bool polling;   /* what is submitted meanwhile goes to the kernel at the end of it */
    GQueue waiting; /* of Transfer */
} Uring;

static void prepare(struct io_uring_sqe *sqe, Transfer *t)
{
    unsigned count = (unsigned)MIN(t->iov_count, IOV_MAX);

    switch (t->kind) {
    case TRANSFER_READ:
        if (count == 1)
            io_uring_prep_read(sqe, t->fd, t->iov->iov_base, (unsigned)MIN(t->iov->iov_len, LENGTH_MAX), t->offset);
        else
            io_uring_prep_readv(sqe, t->fd, t->iov, count, t->offset);
        break;
    case TRANSFER_WRITE:
        io_uring_prep_writev2(sqe, t->fd, t->iov, count, t->offset, t->flags);
        break;
    case TRANSFER_SYNC:
        io_uring_prep_fsync(sqe, t->fd, IORING_FSYNC_DATASYNC);
        break;
    case TRANSFER_ALLOCATE:
        io_uring_prep_fallocate(sqe, t->fd, t->flags, (off_t)t->offset, (off_t)t->len);
        break;
    }
    /* Whom the kernel has sent away before had better wait in one of its threads. */
    if (t->again)
        sqe->flags |= IOSQE_ASYNC;
    io_uring_sqe_set_data(sqe, t);
}

/* From the head of those that wait: to the ring. */
static void fill_ring(Uring *u)
{
    unsigned few = 0;

    while (u->in_ring < DEPTH && !g_queue_is_empty(&u->waiting) && few < FEW) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
        if (!sqe)
            return;
        Transfer *t = g_queue_pop_head_link(&u->waiting)->data;
        const Transfer *next = u->waiting.head ? u->waiting.head->data : NULL;
        if (t->len < SHORT && !(next && next->kind == t->kind && next->offset == t->offset + t->len))
            few++;
        prepare(sqe, t);
        u->in_ring++;
    }
}

static void flush(Uring *u)
{
    uint64_t one = 1;
    int submitted;

    do {
        fill_ring(u);
        submitted = io_uring_sq_ready(&u->ring) ? io_uring_submit(&u->ring) : 0;
    } while (submitted > 0 && !io_uring_sq_ready(&u->ring) && u->in_ring < DEPTH && !g_queue_is_empty(&u->waiting));
    /* Not now (EAGAIN, EBUSY, EINTR): it stays in the ring and is tried again when the event comes up. */
    if (u->e.event >= 0 && (submitted < 0 || io_uring_sq_ready(&u->ring)))
        while (write(u->e.event, &one, sizeof one) < 0 && errno == EINTR)
            ;
}

/* Who submits from the callback of another file may not come back here before something has ended. */
static void uring_submit(Engine *e, Transfer *t)
{
    Uring *u = (Uring *)e;
    bool first = g_queue_is_empty(&u->waiting);
    uint64_t one = 1;

    t->link.data = t;
    t->again = 0;
    g_queue_push_tail_link(&u->waiting, &t->link);
    if (first && !u->polling && u->signals)
        while (write(e->event, &one, sizeof one) < 0 && errno == EINTR)
            ;
}

/* False: nothing had ended. most: so many short ones, and the rest is left. */
static bool reap(Uring *u, unsigned most)
{
    struct io_uring_cqe *cqe;
    unsigned few = 0;
    bool any = false;

    while (few < most && io_uring_peek_cqe(&u->ring, &cqe) == 0 && cqe) {
        Transfer *t = io_uring_cqe_get_data(cqe);
        int result = cqe->res;

        io_uring_cqe_seen(&u->ring, cqe);
        u->in_ring--;
        few += result < SHORT;
        if (transfer_step(t, result))
            t->ended(t, t->error);
        else
            g_queue_push_head_link(&u->waiting, &t->link);
        any = true;
    }
    return any;
}

static void uring_poll(Engine *e)
{
    Uring *u = (Uring *)e;

    u->polling = true;
    if (e->event < 0) { /* who waits for some comes back for the rest */
        reap(u, FEW);
        flush(u);
    } else {
        reap(u, UINT_MAX);
        do
            flush(u);
        while (reap(u, UINT_MAX));
    }
    u->polling = false;
}

static void uring_wait(Engine *e)
{
    Uring *u = (Uring *)e;
    struct io_uring_cqe *cqe;

    flush(u);
    while (io_uring_wait_cqe(&u->ring, &cqe) == -EINTR)
        ;
}

static void uring_free(Engine *e)
{
    Uring *u = (Uring *)e;

    io_uring_queue_exit(&u->ring);
    g_free(u);
}

static const EngineOps uring_ops = {
    .submit = uring_submit,
    .poll = uring_poll,
    .wait = uring_wait,
    .free = uring_free,
};

/* fallocate is the youngest that is used (Linux 5.6). */
static bool knows_enough(struct io_uring *ring)
{
    struct io_uring_probe *probe = io_uring_get_probe_ring(ring);
    bool enough = probe && io_uring_opcode_supported(probe, IORING_OP_FALLOCATE);

    if (probe)
        io_uring_free_probe(probe);
    return enough;
}

Engine *engine_new_uring(int event, bool signals)
{
    Uring *u = g_new0(Uring, 1);
    int result = io_uring_queue_init(DEPTH, &u->ring, IORING_SETUP_COOP_TASKRUN);

    if (result == -EINVAL) /* before Linux 5.19 */
        result = io_uring_queue_init(DEPTH, &u->ring, 0);
    if (result == 0) {
        result = !knows_enough(&u->ring) ? -ENOSYS : signals ? io_uring_register_eventfd(&u->ring, event) : 0;
        if (result < 0)
            io_uring_queue_exit(&u->ring);
    }
    if (result < 0) {
        g_free(u);
        errno = -result;
        return NULL;
    }
    u->e.ops = &uring_ops;
    u->e.event = event;
    u->e.fd = u->ring.ring_fd;
    u->signals = signals;
    g_queue_init(&u->waiting);
    return &u->e;
}
