/* transport.c: files, commands, descriptors and sockets that a stream goes to or comes from. */
#include "vmstate/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BACKLOG = 300 }; /* connections that nobody has taken yet: as many as a migration may have, and some */

static bool fail(GError **error, const char *uri, const char *what, int code)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: %s%s%s", uri, what, code ? ": " : "",
                code ? g_strerror(code) : "");
    return false;
}

/* --- names ------------------------------------------------------------------------------------------------------ */

typedef enum UriKind { URI_FILE, URI_EXEC, URI_FD, URI_UNIX, URI_TCP, URI_KINDS } UriKind;

static bool parse(const char *uri, UriKind *kind, const char **rest, GError **error)
{
    static const char *const names[URI_KINDS] = {"file:", "exec:", "fd:", "unix:", "tcp:"};

    for (int i = 0; i < URI_KINDS; i++) {
        if (!g_str_has_prefix(uri, names[i]))
            continue;
        *kind = (UriKind)i;
        *rest = uri + strlen(names[i]);
        return **rest || fail(error, uri, "there is nothing behind the colon", 0);
    }
    return fail(error, uri, "no way to move a stream: it must begin with file:, exec:, fd:, unix: or tcp:", 0);
}

static int parse_fd(const char *uri, const char *text, GError **error)
{
    guint64 fd;

    if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT, &fd, NULL)) {
        fail(error, uri, "this is no number of a descriptor", 0);
        return -1;
    }
    if (fcntl((int)fd, F_GETFD) < 0) {
        fail(error, uri, "this descriptor is not open", errno);
        return -1;
    }
    return (int)fd;
}

/* --- a channel that has something to do at its end ---------------------------------------------------------------- */

typedef struct EndChan {
    Chan chan;
    Chan *inner; /* closed at the end */
    char *uri;
    char *temporary, *path; /* of a file that is written: it gets its name at the end */
    GPid child;             /* of a command, 0: none */
    bool hurries;           /* it is not waited for if it does not get all */
    int fd;                 /* the inner channel's */
    int stop;               /* an event that ends reading from a pipe; -1: none */
} EndChan;

/* A socket can be shut down, a pipe cannot: is it told to stop before it has something to read? */
static bool is_stopped(const EndChan *c)
{
    struct pollfd polled[] = {{.fd = c->stop, .events = POLLIN}, {.fd = c->fd, .events = POLLIN}};

    if (c->stop < 0)
        return false;
    while (poll(polled, G_N_ELEMENTS(polled), -1) < 0 && errno == EINTR)
        ;
    return polled[0].revents;
}

static gssize end_read(Chan *chan, void *data, size_t len, GError **error)
{
    EndChan *c = (EndChan *)chan;

    if (is_stopped(c))
        return 0;
    gssize n = c->inner->ops->read(c->inner, data, len, error);

    if (n < 0)
        g_prefix_error(error, "%s: ", c->uri);
    return n;
}

static bool end_write(Chan *chan, struct iovec *iov, int count, GError **error)
{
    EndChan *c = (EndChan *)chan;

    if (c->inner->ops->write(c->inner, iov, count, error))
        return true;
    g_prefix_error(error, "%s: ", c->uri);
    return false;
}

/* How a command has ended; waits until it has. */
static bool reap(EndChan *c, GError **error)
{
    GPid child = c->child;
    int status;

    c->child = 0;
    if (!child)
        return true;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: the command has ended with %s %d", c->uri,
                WIFEXITED(status) ? "status" : "signal", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
    return false;
}

static bool end_finish(Chan *chan, GError **error)
{
    EndChan *c = (EndChan *)chan;

    if (c->inner->ops->finish && !c->inner->ops->finish(c->inner, error))
        return false;
    g_clear_pointer(&c->inner, chan_free);
    if (c->temporary && rename(c->temporary, c->path) < 0)
        return fail(error, c->uri, "giving the file its name", errno);
    g_clear_pointer(&c->temporary, g_free);
    return reap(c, error);
}

static void signal_event(int fd)
{
    const uint64_t one = 1;

    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void end_shutdown(Chan *chan)
{
    EndChan *c = (EndChan *)chan;

    if (c->stop >= 0)
        signal_event(c->stop);
    else
        c->inner->ops->shutdown(c->inner);
}

static void end_set_patience(Chan *chan, int ms)
{
    const struct timeval patience = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

    setsockopt(((EndChan *)chan)->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static void end_free(Chan *chan)
{
    EndChan *c = (EndChan *)chan;

    if (c->stop >= 0)
        close(c->stop);
    g_clear_pointer(&c->inner, chan_free);
    if (c->temporary)
        unlink(c->temporary);
    if (c->child && c->hurries)
        kill(c->child, SIGTERM);
    reap(c, NULL);
    g_free(c->temporary);
    g_free(c->path);
    g_free(c->uri);
    g_free(c);
}

typedef enum EndKind { END_IN, END_OUT, END_SOCKET } EndKind;

/* fd is taken. */
static EndChan *end_chan_new(const char *uri, int fd, EndKind kind)
{
    static const ChanOps ops[] = {
        [END_IN] = {.read = end_read, .finish = end_finish, .shutdown = end_shutdown, .free = end_free},
        [END_OUT] = {.write = end_write, .finish = end_finish, .free = end_free},
        [END_SOCKET] = {.read = end_read,
                        .write = end_write,
                        .finish = end_finish,
                        .shutdown = end_shutdown,
                        .set_patience = end_set_patience,
                        .free = end_free},
    };
    EndChan *c = g_new0(EndChan, 1);

    c->chan.ops = &ops[kind];
    c->inner = chan_fd_new(fd);
    c->uri = g_strdup(uri);
    c->fd = fd;
    c->stop = kind == END_IN ? eventfd(0, EFD_CLOEXEC) : -1;
    return c;
}

/* What is small, like an answer, is not to wait for more. */
static Chan *socket_chan_new(const char *uri, int fd)
{
    const int yes = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes); /* of others it is refused */
    return &end_chan_new(uri, fd, END_SOCKET)->chan;
}

/* --- files and commands ------------------------------------------------------------------------------------------ */

static Chan *open_file_out(const char *uri, const char *path, GError **error)
{
    g_autofree char *temporary = g_strconcat(path, ".XXXXXX", NULL);
    int fd = mkostemp(temporary, O_CLOEXEC);

    if (fd < 0) {
        fail(error, uri, "it cannot be made", errno);
        return NULL;
    }
    EndChan *c = end_chan_new(uri, fd, END_OUT);
    c->temporary = g_steal_pointer(&temporary);
    c->path = g_strdup(path);
    return &c->chan;
}

static Chan *open_command(const char *uri, const char *command, bool out, GError **error)
{
    const char *argv[] = {"/bin/sh", "-c", command, NULL};
    g_autoptr(GError) wrong = NULL;
    GPid child;
    int fd;

    if (!g_spawn_async_with_pipes(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                                  NULL, &child, out ? &fd : NULL, out ? NULL : &fd, NULL, &wrong)) {
        fail(error, uri, wrong->message, 0);
        return NULL;
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    EndChan *c = end_chan_new(uri, fd, out ? END_OUT : END_IN);
    c->child = child;
    return &c->chan;
}

/* The descriptor stays the caller's. */
static Chan *open_descriptor(const char *uri, const char *text, EndKind kind, GError **error)
{
    struct stat st;
    int fd = parse_fd(uri, text, error), copy = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (fd >= 0 && copy < 0)
        fail(error, uri, "the descriptor cannot be copied", errno);
    if (copy < 0)
        return NULL;
    if (fstat(copy, &st) == 0 && S_ISSOCK(st.st_mode))
        return socket_chan_new(uri, copy);
    return &end_chan_new(uri, copy, kind)->chan;
}

/* --- sockets ---------------------------------------------------------------------------------------------------- */

static bool unix_address(const char *uri, const char *path, struct sockaddr_un *address, GError **error)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address->sun_path) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "%s: a socket's path has at most %zu octets, this one %zu",
                    uri, sizeof address->sun_path - 1, strlen(path));
        return false;
    }
    strcpy(address->sun_path, path);
    return true;
}

/* The addresses of HOST:PORT, to be freed; NULL with an error. No host is any of this one's. */
static struct addrinfo *tcp_addresses(const char *uri, const char *rest, bool listens, GError **error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = listens ? AI_PASSIVE : 0};
    const char *colon = strrchr(rest, ':');
    struct addrinfo *found = NULL;

    if (!colon || !colon[1]) {
        fail(error, uri, "it must be tcp:HOST:PORT", 0);
        return NULL;
    }
    g_autofree char *host = g_strndup(rest, (size_t)(colon - rest));
    size_t len = strlen(host);
    bool bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';
    g_autofree char *bare = bracketed ? g_strndup(host + 1, len - 2) : g_strdup(host);
    int code = getaddrinfo(*bare ? bare : NULL, colon + 1, &hints, &found);
    if (code)
        fail(error, uri, gai_strerror(code), 0);
    return found;
}

/* Tries one address after the other; a descriptor, or -1 and errno of the last. */
typedef int UseAddress(int fd, int stop, const struct sockaddr *address, socklen_t len);

static int try_addresses(const struct addrinfo *list, int stop, UseAddress *use)
{
    int fd = -1, code = 0;

    for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
        fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd >= 0 && use(fd, stop, a->ai_addr, a->ai_addrlen) < 0) {
            code = errno;
            close(fd);
            fd = -1;
        } else if (fd < 0) {
            code = errno;
        }
    }
    errno = code;
    return fd;
}

/* The result of what connect has begun. */
static int await_connection(int fd, int stop)
{
    struct pollfd polled[] = {{.fd = fd, .events = POLLOUT}, {.fd = stop, .events = POLLIN}};
    int code = 0;
    socklen_t len = sizeof code;

    while (poll(polled, G_N_ELEMENTS(polled), -1) < 0 && errno == EINTR)
        ;
    if (polled[1].revents)
        code = ECANCELED;
    else
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
    errno = code;
    return code ? -1 : 0;
}

static int connect_to(int fd, int stop, const struct sockaddr *address, socklen_t len)
{
    int flags = fcntl(fd, F_GETFL);

    if (stop < 0)
        return connect(fd, address, len);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    int result = connect(fd, address, len);
    if (result < 0 && errno == EINPROGRESS)
        result = await_connection(fd, stop);
    int code = errno;
    fcntl(fd, F_SETFL, flags);
    errno = code;
    return result;
}

static int listen_at(int fd, int stop, const struct sockaddr *address, socklen_t len)
{
    const int yes = 1;

    (void)stop;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return bind(fd, address, len) < 0 ? -1 : listen(fd, BACKLOG);
}

/* What a socket is for: to listen, or to connect, until somebody ends it (below 0: nobody does). */
typedef struct SocketUse {
    bool listens;
    int stop;
} SocketUse;

static int open_socket(const char *uri, UriKind kind, const char *rest, const SocketUse *use, GError **error)
{
    struct sockaddr_un un;
    struct addrinfo local = {
        .ai_family = AF_UNIX, .ai_socktype = SOCK_STREAM, .ai_addr = (struct sockaddr *)&un, .ai_addrlen = sizeof un};
    struct addrinfo *list = &local;

    if (kind == URI_UNIX && !unix_address(uri, rest, &un, error))
        return -1;
    if (kind == URI_TCP && !(list = tcp_addresses(uri, rest, use->listens, error)))
        return -1;
    int fd = try_addresses(list, use->stop, use->listens ? listen_at : connect_to);
    int code = errno;
    if (list != &local)
        freeaddrinfo(list);
    if (fd < 0)
        fail(error, uri, use->listens ? "listening" : "connecting", code);
    return fd;
}

static Chan *open_any(const char *uri, int stop, GError **error)
{
    const SocketUse use = {.stop = stop};
    const char *rest;
    UriKind kind;

    if (!parse(uri, &kind, &rest, error))
        return NULL;
    if (kind == URI_FILE)
        return open_file_out(uri, rest, error);
    if (kind == URI_EXEC)
        return open_command(uri, rest, true, error);
    if (kind == URI_FD)
        return open_descriptor(uri, rest, END_OUT, error);
    int fd = open_socket(uri, kind, rest, &use, error);
    return fd < 0 ? NULL : socket_chan_new(uri, fd);
}

Chan *transport_open(const char *uri, GError **error)
{
    return open_any(uri, -1, error);
}

Chan *transport_open_until(const char *uri, int stop, GError **error)
{
    EndChan *c = (EndChan *)open_any(uri, stop, error);
    int fd = c ? fcntl(c->fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (c && fd < 0) {
        fail(error, uri, "the descriptor cannot be copied", errno);
        chan_free(&c->chan);
        return NULL;
    }
    if (!c)
        return NULL;
    chan_free(c->inner);
    c->inner = chan_fd_new_until(fd, stop);
    c->fd = fd;
    c->hurries = true;
    return &c->chan;
}

bool transport_check(const char *uri, GError **error)
{
    const char *rest;
    UriKind kind;

    return parse(uri, &kind, &rest, error) && (kind != URI_FD || parse_fd(uri, rest, error) >= 0);
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

struct Transport {
    char *uri, *address;
    Chan *chan;     /* what is there at once; or */
    int fd, cancel; /* the socket that listens, and what ends the waiting */
    char *path;     /* of a unix socket, which goes when this does */
};

static char *address_of(int fd, const char *uri, UriKind kind)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (kind != URI_TCP || getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
        getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV))
        return g_strdup(uri);
    return g_strdup_printf(strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host, port);
}

static bool listen_on(Transport *t, UriKind kind, const char *rest, GError **error)
{
    t->fd = open_socket(t->uri, kind, rest, &(SocketUse){.listens = true, .stop = -1}, error);
    if (t->fd < 0)
        return false;
    if (kind == URI_UNIX)
        t->path = g_strdup(rest);
    g_free(t->address);
    t->address = address_of(t->fd, t->uri, kind);
    return true;
}

Transport *transport_listen(const char *uri, GError **error)
{
    g_autoptr(Transport) t = g_new0(Transport, 1);
    const char *rest;
    UriKind kind;

    t->fd = -1;
    t->uri = g_strdup(uri);
    t->address = g_strdup(uri);
    t->cancel = eventfd(0, EFD_CLOEXEC);
    if (!parse(uri, &kind, &rest, error))
        return NULL;
    if (kind == URI_UNIX || kind == URI_TCP)
        return listen_on(t, kind, rest, error) ? g_steal_pointer(&t) : NULL;
    if (kind == URI_FILE)
        t->chan = chan_file_open(rest, error);
    else
        t->chan = kind == URI_EXEC ? open_command(uri, rest, false, error) : open_descriptor(uri, rest, END_IN, error);
    return t->chan ? g_steal_pointer(&t) : NULL;
}

void transport_free(Transport *t)
{
    if (!t)
        return;
    chan_free(t->chan);
    if (t->fd >= 0)
        close(t->fd);
    if (t->cancel >= 0)
        close(t->cancel);
    if (t->path)
        unlink(t->path);
    g_free(t->path);
    g_free(t->uri);
    g_free(t->address);
    g_free(t);
}

const char *transport_address(const Transport *t)
{
    return t->address;
}

Chan *transport_accept(Transport *t, GError **error)
{
    struct pollfd polled[] = {{.fd = t->cancel, .events = POLLIN}, {.fd = t->fd, .events = POLLIN}};

    if (t->chan)
        return g_steal_pointer(&t->chan);
    if (t->fd < 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT, "%s: nobody else can come this way", t->uri);
        return NULL;
    }
    while (poll(polled, G_N_ELEMENTS(polled), -1) < 0 && errno == EINTR)
        ;
    if (polled[0].revents) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT, "%s: nobody connected before it was cancelled", t->uri);
        return NULL;
    }
    int fd = accept4(t->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0) {
        fail(error, t->uri, "taking the connection", errno);
        return NULL;
    }
    return socket_chan_new(t->uri, fd);
}

bool transport_has_channels(const Transport *t)
{
    return t->fd >= 0;
}

void transport_cancel(Transport *t)
{
    signal_event(t->cancel);
}
