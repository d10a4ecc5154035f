/* chan-mem.c: memory to read from and a growing buffer to write to, as channels. */
#include "visitors/chan.h"

typedef struct ChanMem {
    Chan chan;
    ByteIn in;
} ChanMem;

static gssize mem_read(Chan *chan, void *data, size_t len, GError **error)
{
    ChanMem *c = (ChanMem *)chan;
    size_t n = MIN(len, byte_in_left(&c->in));

    (void)error;
    memcpy(data, byte_in_take(&c->in, n), n);
    return (gssize)n;
}

static bool mem_seek(Chan *chan, uint64_t pos, GError **error)
{
    ChanMem *c = (ChanMem *)chan;

    (void)error;
    c->in.pos = MIN(pos, c->in.len);
    return true;
}

static int64_t mem_size(Chan *chan)
{
    return (int64_t)((ChanMem *)chan)->in.len;
}

static void mem_free(Chan *chan)
{
    g_free(chan);
}

static const ChanOps mem_ops = {
    .read = mem_read,
    .seek = mem_seek,
    .size = mem_size,
    .free = mem_free,
};

Chan *chan_mem_new(const void *data, size_t len)
{
    ChanMem *c = g_new0(ChanMem, 1);

    c->chan.ops = &mem_ops;
    byte_in_init(&c->in, data ? data : "", len);
    return &c->chan;
}

typedef struct ChanBuf {
    Chan chan;
    ByteOut *out;
} ChanBuf;

static bool buf_write(Chan *chan, struct iovec *iov, int count, GError **error)
{
    ChanBuf *c = (ChanBuf *)chan;

    (void)error;
    for (int i = 0; i < count; i++)
        byte_out_put(c->out, iov[i].iov_base, iov[i].iov_len);
    return true;
}

static const ChanOps buf_ops = {
    .write = buf_write,
    .free = mem_free,
};

Chan *chan_buf_new(ByteOut *out)
{
    ChanBuf *c = g_new0(ChanBuf, 1);

    c->chan.ops = &buf_ops;
    c->out = out;
    return &c->chan;
}
