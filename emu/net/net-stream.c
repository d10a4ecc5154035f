/*
 * net-stream.c: frames in a stream: each has its length in front, in 4 octets, the highest first.
 *
 * A server has one peer at a time; who else comes waits until that one has gone. A client whose peer has gone has none
 * any more. Without a peer frames are lost. A peer that talks nonsense is dropped.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emu/net/net-impl.h"

enum { LENGTH = 4, ROUNDS = 16, BUFFER = LENGTH + NET_FRAME_MAX, LATER_MS = 1000 };

typedef struct Stream {
    NetPort port;
    char *address;
    int fd, listener;                        /* -1: none */
    GSource *knock, *again, *input, *output; /* again: a server without descriptors tries it later */
    uint8_t in[BUFFER], out[BUFFER];
    size_t in_len, out_len, out_gone;
    bool parsing; /* the card may ask for more from within */
} Stream;

static void listen_again(Stream *s);
static void readable(NetPort *p, GIOCondition condition);
static void writable(NetPort *p, GIOCondition condition);

/* --- a connection ----------------------------------------------------------------------------------------------- */

static void drop(Stream *s)
{
    bool blocked = s->output;

    net_unwatch(&s->input);
    net_unwatch(&s->output);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    s->in_len = s->out_len = s->out_gone = 0;
    if (s->listener >= 0)
        listen_again(s);
    /* What waited for room goes nowhere now. */
    if (blocked)
        net_port_sent(&s->port);
}

static void want_input(Stream *s)
{
    if (s->fd < 0 || !net_port_is_ready(&s->port))
        net_unwatch(&s->input);
    else if (!s->input)
        s->input = net_watch(&s->port, s->fd, G_IO_IN, readable);
}

static void use(Stream *s, int fd)
{
    const int on = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* other sockets have no such thing */
    s->fd = fd;
    want_input(s);
}

/* --- in --------------------------------------------------------------------------------------------------------- */

static size_t frame_length(const uint8_t *at)
{
    return (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
}

/* Gives the card what has come whole, as long as it has room; false: the peer talks nonsense. */
static bool parse(Stream *s)
{
    size_t at = 0;
    bool sound = true;

    if (s->parsing)
        return true;
    s->parsing = true;
    while (s->in_len - at >= LENGTH && net_port_is_ready(&s->port)) {
        size_t len = frame_length(s->in + at);
        sound = len <= NET_FRAME_MAX;
        if (!sound || s->in_len - at - LENGTH < len)
            break;
        at += LENGTH + len;
        if (len)
            net_port_receive(&s->port, s->in + at - len, len);
    }
    s->parsing = false;
    s->in_len -= at;
    memmove(s->in, s->in + at, s->in_len);
    return sound;
}

static void readable(NetPort *p, GIOCondition condition)
{
    Stream *s = (Stream *)p;

    (void)condition;
    for (unsigned i = 0; i < ROUNDS && net_port_is_ready(p); i++) {
        ssize_t len = recv(s->fd, s->in + s->in_len, sizeof s->in - s->in_len, MSG_DONTWAIT);
        if (len < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (len > 0)
            s->in_len += (size_t)len;
        if (len <= 0 || !parse(s)) {
            drop(s);
            return;
        }
    }
    want_input(s);
}

/* --- out -------------------------------------------------------------------------------------------------------- */

static bool push_out(Stream *s)
{
    while (s->out_gone < s->out_len) {
        ssize_t n = send(s->fd, s->out + s->out_gone, s->out_len - s->out_gone, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN;
        s->out_gone += (size_t)n;
    }
    s->out_len = s->out_gone = 0;
    return true;
}

/* A connection that was refused, or has ended: who reads sees that, and here it is only lost. */
static void push_and_watch(Stream *s)
{
    if (!push_out(s))
        s->out_len = s->out_gone = 0;
    if (s->out_len && !s->output)
        s->output = net_watch(&s->port, s->fd, G_IO_OUT, writable);
    else if (!s->out_len)
        net_unwatch(&s->output);
}

static void writable(NetPort *p, GIOCondition condition)
{
    Stream *s = (Stream *)p;

    (void)condition;
    push_and_watch(s);
    if (!s->output)
        net_port_sent(p);
}

static bool stream_send(NetBackend *backend, const struct iovec *iov, int count)
{
    Stream *s = (Stream *)backend;
    size_t len;

    if (s->fd < 0)
        return true;
    if (s->output)
        return false;
    len = net_flatten(iov, count, s->out + LENGTH);
    if (len == 0)
        return true;
    for (unsigned i = 0; i < LENGTH; i++)
        s->out[i] = (uint8_t)(len >> 8 * (LENGTH - 1 - i));
    s->out_len = LENGTH + len;
    push_and_watch(s);
    return true;
}

/* --- beginnings ------------------------------------------------------------------------------------------------- */

static void listen_now(NetPort *p, GIOCondition condition)
{
    Stream *s = (Stream *)p;

    (void)condition;
    net_unwatch(&s->again);
    listen_again(s);
}

static void knocked(NetPort *p, GIOCondition condition)
{
    Stream *s = (Stream *)p;
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)condition;
    if (fd < 0) {
        /* Who is there stays there, and would wake us at once again. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            net_unwatch(&s->knock);
            s->again = net_watch_time(p, LATER_MS, listen_now);
        }
        return;
    }
    net_unwatch(&s->knock);
    use(s, fd);
}

static void listen_again(Stream *s)
{
    if (!s->knock)
        s->knock = net_watch(&s->port, s->listener, G_IO_IN, knocked);
}

static void connected(NetPort *p, GIOCondition condition)
{
    Stream *s = (Stream *)p;
    int cause = 0;
    socklen_t len = sizeof cause;

    (void)condition;
    net_unwatch(&s->output);
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &cause, &len) != 0 || cause != 0)
        drop(s);
    else
        use(s, s->fd);
    net_port_sent(p);
}

static void stream_flush(NetBackend *backend)
{
    Stream *s = (Stream *)backend;

    net_port_flush(&s->port);
    if (s->fd >= 0 && !parse(s))
        drop(s);
    want_input(s);
}

static void stream_free(NetBackend *backend)
{
    Stream *s = (Stream *)backend;

    backend->sent = NULL;
    if (s->listener >= 0)
        close(s->listener);
    s->listener = -1;
    drop(s);
    net_unwatch(&s->knock);
    net_unwatch(&s->again);
    net_port_done(&s->port);
    g_free(s->address);
    g_free(s);
}

static const NetBackendOps stream_ops = {.send = stream_send, .flush = stream_flush, .free = stream_free};

NetBackend *net_stream_new(const NetHome *home, int fd, NetStreamStart start, char *address)
{
    Stream *s = g_new0(Stream, 1);

    net_port_init(&s->port, &stream_ops, "socket", home);
    s->address = address;
    s->fd = s->listener = -1;
    switch (start) {
    case NET_STREAM_LISTENING:
        s->listener = fd;
        listen_again(s);
        break;
    case NET_STREAM_CONNECTING:
        s->fd = fd;
        s->output = net_watch(&s->port, fd, G_IO_OUT, connected);
        break;
    case NET_STREAM_CONNECTED:
        use(s, fd);
        break;
    }
    return &s->port.backend;
}

const char *net_stream_address(const NetBackend *backend)
{
    return ((const Stream *)backend)->address;
}
