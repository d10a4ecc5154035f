/* state-out.c: a channel that writes the VM state of a snapshot. */
#include "emu/machine/state-out.h"

#include <string.h>

#include "emu/block/blk-qcow2.h"
#include "qcow2/qcow2.h"

enum {
    PIECES = 4,
    PIECE = 1 << 20, /* octets */
    PATIENCE_US = 50000,
};

typedef struct Piece {
    ImageRequest request;
    struct iovec iov;
    StateOut *out;
    uint8_t *data;
    bool busy; /* it is under way */
} Piece;

struct StateOut {
    Job *job;
    Block *block;
    Qcow2Pending *pending;
    uint64_t offset; /* of the VM state: what was handed over ends there */
    size_t fill;     /* octets in the next piece */
    unsigned next;
    Piece pieces[PIECES];

    GMutex lock; /* of `busy` and these */
    GCond ended;
    int error; /* an errno */
};

typedef struct StateOutChan {
    Chan chan;
    StateOut *out;
} StateOutChan;

StateOut *state_out_new(Job *job, Block *block, Qcow2Pending *pending)
{
    StateOut *o = g_new0(StateOut, 1);

    o->job = job;
    o->block = block;
    o->pending = pending;
    g_mutex_init(&o->lock);
    g_cond_init(&o->ended);
    for (size_t i = 0; i < PIECES; i++) {
        o->pieces[i].out = o;
        o->pieces[i].data = g_malloc(PIECE);
    }
    return o;
}

void state_out_free(StateOut *o)
{
    if (!o)
        return;
    for (size_t i = 0; i < PIECES; i++)
        g_free(o->pieces[i].data);
    g_mutex_clear(&o->lock);
    g_cond_clear(&o->ended);
    g_free(o);
}

uint64_t state_out_length(const StateOut *o)
{
    return o->offset;
}

/* --- on the disk's thread ---------------------------------------------------------------------------------------- */

static void piece_ended(ImageRequest *request, int error)
{
    Piece *p = (Piece *)((char *)request - offsetof(Piece, request));
    StateOut *o = p->out;

    g_mutex_lock(&o->lock);
    p->busy = false;
    o->error = o->error ? o->error : error;
    g_cond_signal(&o->ended);
    g_mutex_unlock(&o->lock);
}

static void submit(void *data)
{
    Piece *p = data;

    blk_qcow2_submit_state(p->out->block, p->out->pending, &p->request);
}

/* --- where it is written ------------------------------------------------------------------------------------------ */

static bool wait_for(StateOut *o, const Piece *p, GError **error)
{
    bool goes_on = true;

    g_mutex_lock(&o->lock);
    while (p->busy && goes_on) {
        if (g_cond_wait_until(&o->ended, &o->lock, g_get_monotonic_time() + PATIENCE_US))
            continue;
        g_mutex_unlock(&o->lock);
        goes_on = job_checkpoint(o->job);
        g_mutex_lock(&o->lock);
    }
    int code = o->error;
    g_mutex_unlock(&o->lock);
    if (code)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: the machine's state cannot be written: %s",
                    blk_qcow2_image(o->block)->file->path, g_strerror(code));
    else if (!goes_on)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "it was cancelled");
    return !code && goes_on;
}

/* Hands over what the next piece has. */
static bool hand_over(StateOut *o, GError **error)
{
    Piece *p = &o->pieces[o->next];
    size_t len = o->fill;

    if (!len)
        return true;
    p->iov = (struct iovec){p->data, len};
    p->request = (ImageRequest){
        .op = IMAGE_WRITE, .offset = o->offset, .len = len, .iov = &p->iov, .iov_count = 1, .done = piece_ended};
    o->offset += len;
    o->fill = 0;
    if (!o->job)
        return qcow2_pending_write(o->pending, p->request.offset, p->data, len, error);
    if (!job_checkpoint(o->job)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "it was cancelled");
        return false;
    }
    p->busy = true;
    job_call(o->job, submit, p);
    o->next = (o->next + 1) % PIECES;
    return wait_for(o, &o->pieces[o->next], error);
}

static bool write_some(StateOut *o, const uint8_t *data, size_t len, GError **error)
{
    while (len) {
        size_t n = MIN(len, PIECE - o->fill);
        memcpy(o->pieces[o->next].data + o->fill, data, n);
        o->fill += n;
        data += n;
        len -= n;
        if (o->fill == PIECE && !hand_over(o, error))
            return false;
    }
    return true;
}

static bool write_all(Chan *chan, struct iovec *iov, int count, GError **error)
{
    StateOut *o = ((StateOutChan *)chan)->out;

    for (int i = 0; i < count; i++)
        if (!write_some(o, iov[i].iov_base, iov[i].iov_len, error))
            return false;
    return true;
}

static bool finish(Chan *chan, GError **error)
{
    StateOut *o = ((StateOutChan *)chan)->out;
    bool ok = hand_over(o, error);

    for (size_t i = 0; ok && o->job && i < PIECES; i++)
        ok = wait_for(o, &o->pieces[i], error);
    return ok;
}

static void free_chan(Chan *chan)
{
    g_free(chan);
}

Chan *state_out_chan(StateOut *out)
{
    static const ChanOps ops = {.write = write_all, .finish = finish, .free = free_chan};
    StateOutChan *c = g_new0(StateOutChan, 1);

    c->chan.ops = &ops;
    c->out = out;
    return &c->chan;
}
