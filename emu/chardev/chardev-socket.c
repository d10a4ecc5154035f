/*
 * chardev-socket.c: unix and tcp sockets. One peer at a time; who else comes waits until that one has gone.
 *
 * A peer that goes may leave characters, which the front gets before it is told. While the front takes none, a server
 * listens again already, and who comes then takes the place (the rest is lost); a client waits.
 * Not done: TLS, telnet's options.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "emu/chardev/chardev-impl.h"
#include "visitors/error.h"

enum {
    CONNECT_MS = 30000, /* how long the first connection may take, if it must succeed */
    DEAD_MS = 30000,    /* a tcp peer that acknowledges nothing for so long is gone */
    LATER_MS = 1000,    /* a server without descriptors tries again then */
    ADDRESSES = 8,
};

typedef struct Address {
    int family;
    socklen_t len;
    struct sockaddr_storage name;
} Address;

typedef struct Socket {
    Chardev c;
    ChardevPump pump;
    Address to[ADDRESSES]; /* to connect to, or to listen at */
    size_t count, next;    /* next: to try */
    int fd, listener;      /* -1: none */
    GSource *knock, *connected, *again;
    unsigned reconnect_s;
    bool delay;
    char *remove; /* the path of the server's socket */
} Socket;

static void listen_again(Socket *s);
static void try_next(Socket *s);

/* --- a connection ----------------------------------------------------------------------------------------------- */

static void drop(Socket *s)
{
    pump_stop(&s->pump);
    chardev_unwatch(&s->connected);
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

static void use(Socket *s, int fd)
{
    const int on = 1, dead_ms = DEAD_MS;

    if (s->to[0].family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead_ms, sizeof dead_ms);
        if (!s->delay)
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    chardev_unwatch(&s->connected);
    chardev_unwatch(&s->knock);
    s->fd = s->pump.in = s->pump.out = fd;
    s->pump.brings_descriptors = s->to[0].family == AF_UNIX;
    chardev_set_open(&s->c, true);
    pump_accept_input(&s->pump);
}

static void lost(Chardev *c)
{
    Socket *s = (Socket *)c;

    drop(s);
    chardev_set_open(c, false);
    if (s->listener >= 0) {
        listen_again(s);
    } else if (s->reconnect_s > 0) {
        s->next = s->count;
        try_next(s);
    }
}

static void peer_left(Chardev *c)
{
    Socket *s = (Socket *)c;

    if (s->listener >= 0)
        listen_again(s);
}

/* --- a server --------------------------------------------------------------------------------------------------- */

static void listen_now(Chardev *c, GIOCondition condition)
{
    Socket *s = (Socket *)c;

    (void)condition;
    chardev_unwatch(&s->again);
    listen_again(s);
}

static void listen_later(Socket *s)
{
    chardev_unwatch(&s->knock);
    if (!s->again)
        s->again = chardev_watch_time(&s->c, LATER_MS, listen_now);
}

static void knocked(Chardev *c, GIOCondition condition)
{
    Socket *s = (Socket *)c;
    int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)condition;
    if (fd < 0) {
        /* Who is there stays there, and would wake us at once again, though there are no descriptors left. */
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            listen_later(s);
        return;
    }
    drop(s);
    chardev_set_open(c, false);
    use(s, fd);
}

static void listen_again(Socket *s)
{
    if (!s->knock)
        s->knock = chardev_watch(&s->c, s->listener, G_IO_IN, knocked);
}

/* Somebody's socket that nobody listens to any more is in the way; anything else is left alone. */
static void remove_dead_socket(const struct sockaddr_un *name)
{
    struct stat st;
    int fd;

    if (lstat(name->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)name, sizeof *name) != 0 && errno == ECONNREFUSED)
        unlink(name->sun_path);
    close(fd);
}

/* A listening socket at that address, or -1 with errno. */
static int listen_at(const Address *a)
{
    const int on = 1, off = 0;
    int fd = socket(a->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int cause;

    if (fd < 0)
        return -1;
    if (a->family == AF_UNIX)
        remove_dead_socket((const struct sockaddr_un *)(const void *)&a->name);
    else
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (const struct sockaddr *)&a->name, a->len) == 0 && listen(fd, 1) == 0)
        return fd;
    cause = errno;
    close(fd);
    errno = cause;
    return -1;
}

/* With the port that the host has chosen. */
static void name_listener(Socket *s, const char *host)
{
    struct sockaddr_storage name;
    socklen_t len = sizeof name;
    char port[NI_MAXSERV];

    if (getsockname(s->listener, (struct sockaddr *)&name, &len) != 0 ||
        getnameinfo((struct sockaddr *)&name, len, NULL, 0, port, sizeof port, NI_NUMERICSERV) != 0)
        return;
    g_free(s->c.address);
    s->c.address = g_strdup_printf("tcp:%s:%s", host ? host : "", port);
}

/* False with errno. */
static bool start_listening(Socket *s, const ChardevSocket *options)
{
    listen_again(s);
    while (options->wait && s->fd < 0) {
        struct pollfd knock = {.fd = s->listener, .events = POLLIN};
        if (poll(&knock, 1, -1) < 0 && errno != EINTR)
            return false;
        knocked(&s->c, 0);
        if (s->again) {
            errno = EMFILE;
            return false;
        }
    }
    return true;
}

static bool start_server(Socket *s, const ChardevSocket *options)
{
    for (size_t i = 0; i < s->count && s->listener < 0; i++)
        s->listener = listen_at(&s->to[i]);
    if (s->listener < 0)
        return false;
    if (options->path)
        s->remove = g_strdup(options->path);
    else
        name_listener(s, options->host);
    return start_listening(s, options);
}

/* --- a client --------------------------------------------------------------------------------------------------- */

/* A socket that is connected, or about to be (*later). -1 with errno. */
static int connect_to(const Address *a, bool *later)
{
    int fd = socket(a->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int cause;

    *later = false;
    if (fd < 0 || connect(fd, (const struct sockaddr *)&a->name, a->len) == 0)
        return fd;
    cause = errno;
    *later = cause == EINPROGRESS;
    if (*later)
        return fd;
    close(fd);
    errno = cause;
    return -1;
}

static int result_of(int fd)
{
    int cause = 0;
    socklen_t len = sizeof cause;

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &cause, &len) != 0 ? errno : cause;
}

static void connection_made(Chardev *c, GIOCondition condition)
{
    Socket *s = (Socket *)c;

    (void)condition;
    chardev_unwatch(&s->connected);
    if (result_of(s->fd) == 0) {
        use(s, s->fd);
    } else {
        drop(s);
        try_next(s);
    }
}

static void try_again(Chardev *c, GIOCondition condition)
{
    Socket *s = (Socket *)c;

    (void)condition;
    chardev_unwatch(&s->again);
    s->next = 0;
    try_next(s);
}

/* The next address; after the last one some time later all of them again. */
static void try_next(Socket *s)
{
    while (s->next < s->count) {
        bool later;
        int fd = connect_to(&s->to[s->next++], &later);
        if (fd >= 0 && !later) {
            use(s, fd);
            return;
        }
        if (fd >= 0) {
            s->fd = fd;
            s->connected = chardev_watch(&s->c, fd, G_IO_OUT, connection_made);
            return;
        }
    }
    s->again = chardev_watch_time(&s->c, s->reconnect_s * 1000, try_again);
}

/* Waits; false with errno. */
static bool connect_now(Socket *s)
{
    int cause = ENOENT;

    for (size_t i = 0; i < s->count; i++) {
        bool later;
        int fd = connect_to(&s->to[i], &later);
        struct pollfd made = {.fd = fd, .events = POLLOUT};
        if (fd < 0) {
            cause = errno;
            continue;
        }
        if (later)
            cause = poll(&made, 1, CONNECT_MS) == 1 ? result_of(fd) : ETIMEDOUT;
        if (!later || cause == 0) {
            use(s, fd);
            return true;
        }
        close(fd);
    }
    errno = cause;
    return false;
}

/* --- a descriptor ------------------------------------------------------------------------------------------------ */

/* False with errno. */
static bool adopt(Socket *s, const ChardevSocket *options)
{
    int listens = 0;
    socklen_t len = sizeof listens;

    s->count = 1;
    s->to[0].len = sizeof s->to[0].name;
    if (getsockname(options->fd, (struct sockaddr *)&s->to[0].name, &s->to[0].len) != 0 ||
        getsockopt(options->fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) != 0 ||
        !pump_make_nonblocking(options->fd, NULL))
        return false;
    s->to[0].family = s->to[0].name.ss_family;
    errno = listens ? EISCONN : ENOTCONN; /* it is not what it is said to be */
    if (options->server != listens)
        return false;
    if (!options->server) {
        use(s, options->fd);
        return true;
    }
    s->listener = options->fd;
    return start_listening(s, options);
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static bool set_path(Socket *s, const char *path)
{
    struct sockaddr_un *name = (struct sockaddr_un *)(void *)&s->to[0].name;

    errno = ENAMETOOLONG;
    if (strlen(path) >= sizeof name->sun_path)
        return false;
    name->sun_family = AF_UNIX;
    strcpy(name->sun_path, path);
    s->to[0].family = AF_UNIX;
    s->to[0].len = sizeof *name;
    s->count = 1;
    return true;
}

static int add_hosts(Socket *s, const ChardevSocket *options, int family)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *found;
    int cause;

    hints.ai_flags = options->server ? AI_PASSIVE : 0;
    cause = getaddrinfo(options->host, options->port, &hints, &found);
    if (cause != 0)
        return cause;
    for (struct addrinfo *a = found; a && s->count < ADDRESSES; a = a->ai_next) {
        Address *to = &s->to[s->count++];
        to->family = a->ai_family;
        to->len = a->ai_addrlen;
        memcpy(&to->name, a->ai_addr, a->ai_addrlen);
    }
    freeaddrinfo(found);
    return 0;
}

static bool set_hosts(Socket *s, const ChardevSocket *options, GError **error)
{
    int cause;

    /* The address that stands for all of IPv6 stands for all of IPv4, too. */
    if (options->server && !options->host)
        add_hosts(s, options, AF_INET6);
    cause = add_hosts(s, options, AF_UNSPEC);
    if (s->count > 0)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: %s: %s", s->c.label, s->c.address, gai_strerror(cause));
    return false;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static size_t socket_write(Chardev *c, const uint8_t *data, size_t len)
{
    return pump_write(&((Socket *)c)->pump, data, len);
}

static void socket_accept_input(Chardev *c)
{
    pump_accept_input(&((Socket *)c)->pump);
}

static void socket_readable(Chardev *c, GIOCondition condition)
{
    pump_read(&((Socket *)c)->pump, condition);
}

static void socket_writable(Chardev *c, GIOCondition condition)
{
    (void)condition;
    pump_written(&((Socket *)c)->pump);
}

static void socket_close(Chardev *c)
{
    Socket *s = (Socket *)c;

    drop(s);
    chardev_unwatch(&s->knock);
    chardev_unwatch(&s->again);
    if (s->listener >= 0)
        close(s->listener);
    if (s->remove)
        unlink(s->remove);
    g_free(s->remove);
}

static const ChardevOps socket_ops = {
    .size = sizeof(Socket),
    .write = socket_write,
    .accept_input = socket_accept_input,
    .close = socket_close,
};

static Socket *new_socket(const ChardevHome *home, const ChardevSocket *options)
{
    Socket *s = (Socket *)chardev_new(&socket_ops, home);

    s->fd = s->listener = -1;
    s->delay = options->delay;
    s->reconnect_s = options->server || options->has_fd ? 0 : options->reconnect_s;
    s->c.address = options->has_fd ? g_strdup_printf("fd:%d", options->fd)
                   : options->path ? g_strdup_printf("unix:%s", options->path)
                                   : g_strdup_printf("tcp:%s:%s", options->host ? options->host : "", options->port);
    s->pump = (ChardevPump){
        .c = &s->c,
        .in = -1,
        .out = -1,
        .input_ready = socket_readable,
        .output_ready = socket_writable,
        .ended = lost,
        .left = peer_left,
    };
    return s;
}

Chardev *chardev_new_socket(const ChardevHome *home, const ChardevSocket *options, GError **error)
{
    Socket *s = new_socket(home, options);
    bool ok;

    if (!options->has_fd && !options->path && !set_hosts(s, options, error)) {
        chardev_free(&s->c);
        return NULL;
    }
    ok = options->has_fd || !options->path || set_path(s, options->path);
    if (options->has_fd)
        ok = adopt(s, options);
    else if (ok && options->server)
        ok = start_server(s, options);
    else if (ok && s->reconnect_s > 0)
        try_next(s);
    else if (ok)
        ok = connect_now(s);
    if (!ok) {
        g_autofree char *address = g_strdup(s->c.address);
        int cause = errno;
        chardev_free(&s->c);
        return chardev_fail(home, address, cause, error);
    }
    return &s->c;
}

void chardev_socket_cut(Chardev *c)
{
    Socket *s = (Socket *)c;

    g_return_if_fail(c->ops == &socket_ops);
    if (s->fd >= 0)
        shutdown(s->fd, SHUT_RDWR); /* which is seen as its going */
}
