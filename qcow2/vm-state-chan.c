/* vm-state-chan.c: the VM state of a snapshot as a channel. */
#include "qcow2/qcow2.h"
#include "visitors/chan.h"

typedef struct StateChan {
    Chan chan;
    Image *image;
    const Qcow2Snapshot *snapshot;
    uint64_t pos;
} StateChan;

static gssize read_state(Chan *chan, void *data, size_t len, GError **error)
{
    StateChan *c = (StateChan *)chan;
    size_t n = (size_t)MIN(len, c->snapshot->vm_state_size - c->pos);

    if (n && !qcow2_vm_state_read(c->image, c->snapshot, c->pos, data, n, error))
        return -1;
    c->pos += n;
    return (gssize)n;
}

static bool seek_state(Chan *chan, uint64_t pos, GError **error)
{
    StateChan *c = (StateChan *)chan;

    (void)error;
    c->pos = MIN(pos, c->snapshot->vm_state_size);
    return true;
}

static int64_t size_of_state(Chan *chan)
{
    return (int64_t)((StateChan *)chan)->snapshot->vm_state_size;
}

static void free_state(Chan *chan)
{
    image_close(((StateChan *)chan)->image);
    g_free(chan);
}

Chan *qcow2_vm_state_chan(Image *image, const Qcow2Snapshot *snapshot)
{
    static const ChanOps ops = {.read = read_state, .seek = seek_state, .size = size_of_state, .free = free_state};
    StateChan *c = g_new0(StateChan, 1);

    c->chan.ops = &ops;
    c->image = image;
    c->snapshot = snapshot;
    return &c->chan;
}
