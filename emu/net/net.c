/* net.c: what the kinds of networks have in common: frames that wait, watches, descriptors that have frames. */
#include <errno.h>
#include <glib-unix.h>
#include <limits.h>
#include <string.h>

#include "emu/core/machine.h"
#include "emu/net/net-impl.h"
#include "visitors/error.h"

enum {
    WAITING_MAX = 1024, /* frames */
    FRAMES_AT_ONCE = 64,
};

/* --- ports ------------------------------------------------------------------------------------------------------ */

void net_port_init(NetPort *p, const NetBackendOps *ops, const char *kind, const NetHome *home)
{
    p->backend.ops = ops;
    p->backend.kind = kind;
    p->id = g_strdup(home->id);
    p->context = g_main_context_ref(home->context ? home->context : g_main_context_default());
    p->machine = home->machine;
    g_queue_init(&p->waiting);
}

void net_port_done(NetPort *p)
{
    g_queue_clear_full(&p->waiting, (GDestroyNotify)g_bytes_unref);
    g_main_context_unref(p->context);
    g_free(p->id);
}

static bool card_can_receive(const NetPort *p)
{
    const NetCard *card = &p->backend.card;

    return card->can_receive && card->can_receive(card->opaque);
}

static bool give(const NetPort *p, const void *frame, size_t len)
{
    const NetCard *card = &p->backend.card;
    struct iovec iov = {.iov_base = (void *)frame, .iov_len = len};

    return card->receive(card->opaque, &iov, 1);
}

bool net_port_is_ready(NetPort *p)
{
    return g_queue_is_empty(&p->waiting) && card_can_receive(p);
}

void net_port_receive(NetPort *p, const void *frame, size_t len)
{
    if (!p->backend.card.receive || (net_port_is_ready(p) && give(p, frame, len)))
        return;
    if (g_queue_get_length(&p->waiting) < WAITING_MAX)
        g_queue_push_tail(&p->waiting, g_bytes_new(frame, len));
}

/* The card may call net_flush from within: so a frame is out of the queue while the card has it. */
void net_port_flush(NetPort *p)
{
    for (unsigned i = 0; i < WAITING_MAX && !g_queue_is_empty(&p->waiting) && card_can_receive(p); i++) {
        GBytes *frame = g_queue_pop_head(&p->waiting);
        if (!give(p, g_bytes_get_data(frame, NULL), g_bytes_get_size(frame))) {
            g_queue_push_head(&p->waiting, frame);
            return;
        }
        g_bytes_unref(frame);
    }
}

void net_port_sent(NetPort *p)
{
    if (p->backend.sent)
        p->backend.sent(p->backend.card.opaque);
}

size_t net_flatten(const struct iovec *iov, int count, void *frame)
{
    size_t len = 0;

    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > NET_FRAME_MAX - len)
            return 0;
        memcpy((char *)frame + len, iov[i].iov_base, iov[i].iov_len);
        len += iov[i].iov_len;
    }
    return len;
}

void *net_fail(const NetHome *home, const char *what, int cause, GError **error)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: %s: %s", home->id, what, g_strerror(cause));
    return NULL;
}

/* --- watches ---------------------------------------------------------------------------------------------------- */

typedef struct Watch {
    NetPort *p; /* looked at only while the source is not destroyed */
    Machine *machine;
    NetReady *ready;
} Watch;

static gboolean run_watch(Watch *w, GIOCondition condition)
{
    Machine *machine = w->machine;

    if (machine)
        machine_lock(machine);
    if (!g_source_is_destroyed(g_main_current_source()))
        w->ready(w->p, condition);
    if (machine)
        machine_unlock(machine);
    return G_SOURCE_CONTINUE;
}

static gboolean fd_ready(gint fd, GIOCondition condition, gpointer opaque)
{
    (void)fd;
    return run_watch(opaque, condition);
}

static gboolean time_came(gpointer opaque)
{
    return run_watch(opaque, 0);
}

static GSource *start_watch(NetPort *p, GSource *source, GSourceFunc called, NetReady *ready)
{
    Watch *w = g_new(Watch, 1);

    *w = (Watch){.p = p, .machine = p->machine, .ready = ready};
    g_source_set_callback(source, called, w, g_free);
    g_source_set_can_recurse(source, TRUE); /* see loop.h */
    g_source_attach(source, p->context);
    return source;
}

GSource *net_watch(NetPort *p, int fd, GIOCondition condition, NetReady *ready)
{
    return start_watch(p, g_unix_fd_source_new(fd, condition), G_SOURCE_FUNC(fd_ready), ready);
}

GSource *net_watch_time(NetPort *p, unsigned ms, NetReady *ready)
{
    return start_watch(p, g_timeout_source_new(ms), time_came, ready);
}

void net_unwatch(GSource **watch)
{
    if (!*watch)
        return;
    g_source_destroy(*watch);
    g_source_unref(*watch);
    *watch = NULL;
}

/* --- descriptors that have frames ------------------------------------------------------------------------------- */

static void frames_readable(NetPort *p, GIOCondition condition);

/* Watched only while the card has room: otherwise frames wait, and are lost, in the host. */
static void want_input(NetFrames *f)
{
    if (f->dead || !net_port_is_ready(&f->port))
        net_unwatch(&f->input);
    else if (!f->input)
        f->input = net_watch(&f->port, f->fd, G_IO_IN, frames_readable);
}

static bool is_passing(int cause)
{
    return cause == EAGAIN || cause == EINTR || cause == ECONNREFUSED || cause == EHOSTUNREACH ||
           cause == ENETUNREACH || cause == ENOBUFS || cause == ENOMEM;
}

static void settle(NetPort *p)
{
    NetBackend *b = &p->backend;

    b->more = false;
    if (b->card.settled)
        b->card.settled(b->card.opaque);
}

static void frames_readable(NetPort *p, GIOCondition condition)
{
    NetFrames *f = (NetFrames *)p;
    uint8_t frame[NET_FRAME_MAX];

    (void)condition;
    p->backend.more = true;
    for (unsigned i = 0; i < FRAMES_AT_ONCE && !f->dead && net_port_is_ready(p); i++) {
        size_t skip = f->inner - f->header;
        ssize_t len = f->ops->read(f, frame, sizeof frame);
        if (len < 0 && errno == EAGAIN)
            break;
        /* A descriptor whose peer has gone says nothing for ever. */
        if (len == 0 || (len < 0 && !is_passing(errno)))
            f->dead = true;
        else if (len > 0 && (size_t)len > skip)
            net_port_receive(p, frame + skip, (size_t)len - skip);
    }
    settle(p);
    want_input(f);
}

static void frames_writable(NetPort *p, GIOCondition condition)
{
    NetFrames *f = (NetFrames *)p;

    (void)condition;
    net_unwatch(&f->output);
    net_port_sent(p);
}

/* In one piece; what is more than a frame is not sent. */
static ssize_t write_flat(NetFrames *f, const struct iovec *iov, int count)
{
    uint8_t octets[NET_HEADER_MAX + NET_FRAME_MAX], *frame = octets + NET_HEADER_MAX;
    size_t len, add = f->inner - f->header;

    memset(octets, 0, NET_HEADER_MAX);
    len = net_flatten(iov, count, frame);
    return len <= f->header ? 0 : f->ops->write(f, frame - add, len + add);
}

bool net_frames_send(NetBackend *backend, const struct iovec *iov, int count)
{
    NetFrames *f = (NetFrames *)backend;
    bool pieces = f->ops->write_pieces && f->inner == f->header && count <= IOV_MAX;

    if (f->dead)
        return true;
    if (f->output)
        return false;
    if ((pieces ? f->ops->write_pieces(f, iov, count) : write_flat(f, iov, count)) >= 0 || errno != EAGAIN)
        return true;
    f->output = net_watch(&f->port, f->fd, G_IO_OUT, frames_writable);
    return false;
}

void net_frames_flush(NetBackend *backend)
{
    NetFrames *f = (NetFrames *)backend;

    net_port_flush(&f->port);
    want_input(f);
}

void net_frames_free(NetBackend *backend)
{
    NetFrames *f = (NetFrames *)backend;

    net_unwatch(&f->input);
    net_unwatch(&f->output);
    f->ops->close(f);
    net_port_done(&f->port);
    g_free(f);
}

/* --- addresses -------------------------------------------------------------------------------------------------- */

bool net_read_mac(const char *text, uint8_t mac[6])
{
    if (!g_regex_match_simple("^[0-9a-fA-F]{1,2}([:-][0-9a-fA-F]{1,2}){5}$", text, G_REGEX_DOLLAR_ENDONLY, 0))
        return false;
    for (int i = 0; i < 6; i++) {
        char *end;
        mac[i] = (uint8_t)g_ascii_strtoull(text, &end, 16);
        text = end + 1;
    }
    return true;
}
