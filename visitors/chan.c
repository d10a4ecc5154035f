/* chan.c: what all kinds of channel share, and the buffered reader and writer. */
#include "visitors/chan.h"

enum {
    IN_BUFFER = 1 << 20,
    OUT_BUFFER = 256 << 10,
    OUT_DIRECT = 2048, /* octets from which a copy costs more than an iovec */
    OUT_IOV = 512,
};

void chan_free(Chan *chan)
{
    if (chan)
        chan->ops->free(chan);
}

int64_t chan_size(Chan *chan)
{
    return chan->ops->size ? chan->ops->size(chan) : -1;
}

bool chan_seek(Chan *chan, uint64_t pos, GError **error)
{
    return chan->ops->seek(chan, pos, error);
}

void chan_shutdown(Chan *chan)
{
    if (chan->ops->shutdown)
        chan->ops->shutdown(chan);
}

void chan_set_patience(Chan *chan, int ms)
{
    if (chan->ops->set_patience)
        chan->ops->set_patience(chan, ms);
}

bool chan_write(Chan *chan, const void *data, size_t len, GError **error)
{
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};

    return chan->ops->write(chan, &iov, 1, error);
}

gssize chan_read_full(Chan *chan, void *data, size_t len, GError **error)
{
    size_t done = 0;

    while (done < len) {
        gssize n = chan->ops->read(chan, (uint8_t *)data + done, len - done, error);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (gssize)done;
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

struct ChanIn {
    Chan *chan; /* NULL: memory */
    uint8_t *buf;
    size_t cap;
    const uint8_t *data; /* buf, or the memory */
    size_t pos, end;
    uint64_t base; /* offset of data[0] */
    size_t pin;    /* position of the pin, or SIZE_MAX */
    bool eof, cut;
    GError *error;
};

ChanIn *chan_in_new(Chan *chan, uint64_t start)
{
    ChanIn *in = g_new0(ChanIn, 1);

    in->chan = chan;
    in->cap = IN_BUFFER;
    in->buf = g_malloc(in->cap);
    in->data = in->buf;
    in->base = start;
    in->pin = SIZE_MAX;
    return in;
}

ChanIn *chan_in_new_memory(const void *data, size_t len, uint64_t start)
{
    ChanIn *in = g_new0(ChanIn, 1);

    in->data = data ? data : (const uint8_t *)"";
    in->end = len;
    in->base = start;
    in->pin = SIZE_MAX;
    in->eof = true;
    return in;
}

void chan_in_free(ChanIn *in)
{
    if (!in)
        return;
    chan_free(in->chan);
    g_free(in->buf);
    g_clear_error(&in->error);
    g_free(in);
}

/* Makes room behind `end`: drops what nobody can ask for any more, and grows if that is not enough for `need` octets.
 */
static void make_room(ChanIn *in, size_t need)
{
    size_t keep = MIN(in->pos, in->pin);

    if (in->cap - in->end >= need && in->cap - in->end >= in->cap / 4)
        return;
    memmove(in->buf, in->buf + keep, in->end - keep);
    in->base += keep;
    in->pos -= keep;
    in->end -= keep;
    if (in->pin != SIZE_MAX)
        in->pin -= keep;
    if (in->cap - in->end < need) {
        while (in->cap - in->end < need)
            in->cap *= 2;
        in->buf = g_realloc(in->buf, in->cap);
        in->data = in->buf;
    }
}

/* Reads until n octets are buffered; false at the end of input or on failure. Memory grows with what has arrived. */
static bool fill(ChanIn *in, size_t n)
{
    while (in->end - in->pos < n) {
        if (in->eof || in->error)
            return false;
        make_room(in, MIN(n - (in->end - in->pos), IN_BUFFER));
        gssize got = in->chan->ops->read(in->chan, in->buf + in->end, in->cap - in->end, &in->error);
        if (got < 0)
            return false;
        if (got == 0)
            in->eof = true;
        in->end += (size_t)got;
    }
    return true;
}

const uint8_t *chan_in_need(ChanIn *in, size_t n)
{
    if (in->end - in->pos < n && !fill(in, n)) {
        in->cut = true;
        return NULL;
    }
    return in->data + in->pos;
}

const uint8_t *chan_in_peek(ChanIn *in, size_t n, size_t *got)
{
    if (in->end - in->pos < n)
        fill(in, n);
    *got = MIN(n, in->end - in->pos);
    return in->data + in->pos;
}

const uint8_t *chan_in_take(ChanIn *in, size_t n)
{
    const uint8_t *p = chan_in_need(in, n);

    if (p)
        in->pos += n;
    return p;
}

/* Beyond the buffer, a channel that can seek need not read what nobody wants. */
static bool skip_by_seeking(ChanIn *in, uint64_t n)
{
    uint64_t target = chan_in_tell(in) + n;
    int64_t size = chan_size(in->chan);

    if (target < n)
        return false;
    if (size < 0 || in->pin != SIZE_MAX || !chan_can_seek(in->chan))
        return false;
    if (target > (uint64_t)size || !chan_seek(in->chan, target, &in->error))
        return false;
    in->base = target;
    in->pos = in->end = 0;
    return true;
}

bool chan_in_skip(ChanIn *in, uint64_t n)
{
    if (n > IN_BUFFER && n > in->end - in->pos && in->chan && skip_by_seeking(in, n))
        return true;
    while (n) {
        if (in->pos == in->end && !fill(in, 1)) {
            in->cut = true;
            return false;
        }
        size_t step = MIN(n, in->end - in->pos);
        in->pos += step;
        n -= step;
    }
    return true;
}

uint8_t chan_in_u8(ChanIn *in)
{
    const uint8_t *p = chan_in_take(in, 1);
    return p ? *p : 0;
}

uint16_t chan_in_be16(ChanIn *in)
{
    const uint8_t *p = chan_in_take(in, 2);
    return p ? load_be16(p) : 0;
}

uint32_t chan_in_be32(ChanIn *in)
{
    const uint8_t *p = chan_in_take(in, 4);
    return p ? load_be32(p) : 0;
}

uint64_t chan_in_be64(ChanIn *in)
{
    const uint8_t *p = chan_in_take(in, 8);
    return p ? load_be64(p) : 0;
}

uint64_t chan_in_tell(const ChanIn *in)
{
    return in->base + in->pos;
}

void chan_in_pin(ChanIn *in)
{
    in->pin = in->pos;
}

void chan_in_pin_at(ChanIn *in, uint64_t offset)
{
    in->pin = offset - in->base;
}

void chan_in_unpin(ChanIn *in)
{
    in->pin = SIZE_MAX;
}

const uint8_t *chan_in_at(ChanIn *in, uint64_t offset)
{
    return in->data + (offset - in->base);
}

void chan_in_rewind(ChanIn *in, uint64_t offset)
{
    in->pos = offset - in->base;
    in->cut = false;
}

bool chan_in_failed(const ChanIn *in)
{
    return in->cut || in->error;
}

void chan_in_error(ChanIn *in, GError **error, const char *wanted, ...)
{
    va_list ap;

    va_start(ap, wanted);
    g_autofree char *what = g_strdup_vprintf(wanted, ap);
    va_end(ap);
    if (in->error) {
        g_propagate_prefixed_error(error, g_steal_pointer(&in->error), "%s: ", what);
        in->eof = true;
        return;
    }
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT, "%s: the input ends at 0x%" G_GINT64_MODIFIER "x", what,
                in->base + in->end);
}

bool chan_in_at_end(ChanIn *in)
{
    return !fill(in, 1) && !in->error;
}

void chan_in_clear_cut(ChanIn *in)
{
    in->cut = false;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

struct ChanOut {
    Chan *chan;
    uint8_t *buf;
    size_t len;
    uint64_t written;
    GError *error;
};

ChanOut *chan_out_new(Chan *chan)
{
    ChanOut *out = g_new0(ChanOut, 1);

    out->chan = chan;
    out->buf = g_malloc(OUT_BUFFER);
    return out;
}

void chan_out_free(ChanOut *out)
{
    if (!out)
        return;
    chan_free(out->chan);
    g_free(out->buf);
    g_clear_error(&out->error);
    g_free(out);
}

static void write_iov(ChanOut *out, struct iovec *iov, int count)
{
    if (count && !out->error)
        out->chan->ops->write(out->chan, iov, count, &out->error);
}

static void flush_buffer(ChanOut *out)
{
    struct iovec iov = {.iov_base = out->buf, .iov_len = out->len};

    write_iov(out, &iov, out->len ? 1 : 0);
    out->len = 0;
}

void chan_out_put(ChanOut *out, const void *data, size_t len)
{
    struct iovec iov = {.iov_base = (void *)data, .iov_len = len};

    chan_out_putv(out, &iov, 1);
}

/* A gather list under construction. While it has entries, all that the buffer holds is in it. */
typedef struct IovList {
    struct iovec iov[OUT_IOV];
    int count;
} IovList;

static void flush_list(ChanOut *out, IovList *list)
{
    if (list->count == 0) {
        flush_buffer(out);
        return;
    }
    write_iov(out, list->iov, list->count);
    list->count = 0;
    out->len = 0;
}

static void put_long(ChanOut *out, IovList *list, const struct iovec *piece)
{
    if (list->count == 0 && out->len)
        list->iov[list->count++] = (struct iovec){.iov_base = out->buf, .iov_len = out->len};
    list->iov[list->count++] = *piece;
}

static void put_short(ChanOut *out, IovList *list, const struct iovec *piece)
{
    uint8_t *copy = out->buf + out->len;

    if (piece->iov_len == 0)
        return;
    memcpy(copy, piece->iov_base, piece->iov_len);
    out->len += piece->iov_len;
    if (list->count == 0)
        return;
    struct iovec *last = &list->iov[list->count - 1];
    if ((uint8_t *)last->iov_base + last->iov_len == copy)
        last->iov_len += piece->iov_len;
    else
        list->iov[list->count++] = (struct iovec){.iov_base = copy, .iov_len = piece->iov_len};
}

/* Short pieces are copied to the buffer, long ones are written from where they are, all in one gather list. */
void chan_out_putv(ChanOut *out, const struct iovec *iov, int count)
{
    IovList list;

    list.count = 0; /* the entries need no clearing, and that would cost */
    for (int i = 0; i < count; i++) {
        bool direct = iov[i].iov_len >= OUT_DIRECT;
        out->written += iov[i].iov_len;
        if (list.count == OUT_IOV || (!direct && iov[i].iov_len > OUT_BUFFER - out->len))
            flush_list(out, &list);
        if (direct)
            put_long(out, &list, &iov[i]);
        else
            put_short(out, &list, &iov[i]);
    }
    if (list.count)
        flush_list(out, &list);
}

uint64_t chan_out_tell(const ChanOut *out)
{
    return out->written;
}

bool chan_out_check(const ChanOut *out, GError **error)
{
    if (out->error && error)
        *error = g_error_copy(out->error);
    return !out->error;
}

Chan *chan_out_flush(ChanOut *out)
{
    flush_buffer(out);
    return out->chan;
}

bool chan_out_finish(ChanOut *out, GError **error)
{
    flush_buffer(out);
    if (!out->error && out->chan->ops->finish)
        out->chan->ops->finish(out->chan, &out->error);
    if (out->error) {
        g_propagate_error(error, g_steal_pointer(&out->error));
        return false;
    }
    return true;
}
