/* chan-unread.c: gives back what was read too early. */
#include "visitors/chan.h"

typedef struct ChanUnread {
    Chan chan;
    Chan *inner;
    uint8_t *data;
    ByteIn in;
} ChanUnread;

static gssize unread_read(Chan *chan, void *data, size_t len, GError **error)
{
    ChanUnread *c = (ChanUnread *)chan;
    size_t n = MIN(len, byte_in_left(&c->in));

    if (n == 0)
        return c->inner->ops->read(c->inner, data, len, error);
    memcpy(data, byte_in_take(&c->in, n), n);
    return (gssize)n;
}

static int64_t unread_size(Chan *chan)
{
    return chan_size(((ChanUnread *)chan)->inner);
}

static void unread_free(Chan *chan)
{
    ChanUnread *c = (ChanUnread *)chan;

    chan_free(c->inner);
    g_free(c->data);
    g_free(c);
}

static const ChanOps unread_ops = {
    .read = unread_read,
    .size = unread_size,
    .free = unread_free,
};

Chan *chan_unread_new(Chan *inner, const void *data, size_t len)
{
    ChanUnread *c = g_new0(ChanUnread, 1);

    c->chan.ops = &unread_ops;
    c->inner = inner;
    c->data = g_memdup2(data, MAX(len, 1));
    byte_in_init(&c->in, c->data, len);
    return &c->chan;
}
