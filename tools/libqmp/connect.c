/* connect.c: addresses, and sockets that are connected to them in time. */
#include "tools/libqmp/transport-impl.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG_PAUSE_MS = 10 };

static gint64 deadline_of(const LibqmpSessionOptions *options)
{
    bool given = options && options->size >= G_STRUCT_OFFSET(LibqmpSessionOptions, reply_max) && options->timeout_ms;

    return given ? g_get_monotonic_time() + (gint64)options->timeout_ms * 1000 : G_MAXINT64;
}

/* What is left of the time, for poll(). */
static int milliseconds_left(gint64 deadline)
{
    if (deadline == G_MAXINT64)
        return -1;
    return (int)CLAMP((deadline - g_get_monotonic_time() + 999) / 1000, 0, G_MAXINT);
}

/* A connection that is under way: 0, or an error's number. */
static int await_connection(int fd, gint64 deadline)
{
    struct pollfd polled = {.fd = fd, .events = POLLOUT};
    int number = 0, possible;
    socklen_t size = sizeof number;

    do {
        possible = poll(&polled, 1, milliseconds_left(deadline));
    } while (possible < 0 && errno == EINTR);
    if (possible == 0)
        return ETIMEDOUT;
    if (possible < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) < 0)
        return errno;
    return number;
}

/* 0, or an error's number. A unix socket whose backlog is full says EAGAIN, and nobody tells when it is not any more.
 */
static int connect_to(int fd, const struct sockaddr *address, socklen_t size, gint64 deadline)
{
    while (connect(fd, address, size) < 0) {
        if (errno == EINPROGRESS)
            return await_connection(fd, deadline);
        if (errno == EAGAIN && g_get_monotonic_time() < deadline)
            g_usleep(BACKLOG_PAUSE_MS * 1000);
        else if (errno != EINTR)
            return errno == EAGAIN ? ETIMEDOUT : errno;
    }
    return 0;
}

/* A connected socket, or -1 and errno. */
static int open_socket(const struct sockaddr *address, socklen_t size, gint64 deadline)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int number = fd < 0 ? errno : connect_to(fd, address, size, deadline);

    if (fd >= 0 && number) {
        close(fd);
        fd = -1;
    }
    errno = number;
    return fd;
}

QmpSession *libqmp_session_new_unix(const char *path, const LibqmpSessionOptions *options, GError **error)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof address.sun_path) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_ARGUMENT, "%s: the path of a socket has %zu octets at most", path,
                    sizeof address.sun_path - 1);
        return NULL;
    }
    g_strlcpy(address.sun_path, path, sizeof address.sun_path);
    int fd = open_socket((const struct sockaddr *)&address, sizeof address, deadline_of(options));
    if (fd < 0) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_CONNECT, "%s: %s", path, g_strerror(errno));
        return NULL;
    }
    return libqmp_session_new_fd(fd, options, error);
}

/* The first of the host's addresses that answers. -1: errno. */
static int open_any(const struct addrinfo *found, gint64 deadline)
{
    const int on = 1;
    int fd = -1;

    for (const struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
        fd = open_socket(a->ai_addr, a->ai_addrlen, deadline);
    if (fd >= 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

QmpSession *libqmp_session_new_tcp(const char *host, const char *port, const LibqmpSessionOptions *options,
                                   GError **error)
{
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int wrong = getaddrinfo(host, port, &wanted, &found);

    if (wrong) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_CONNECT, "tcp:%s:%s: %s", host, port, gai_strerror(wrong));
        return NULL;
    }
    int fd = open_any(found, deadline_of(options));
    int number = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_CONNECT, "tcp:%s:%s: %s", host, port, g_strerror(number));
        return NULL;
    }
    return libqmp_session_new_fd(fd, options, error);
}

/* "HOST:PORT"; an address with colons is in brackets. */
static QmpSession *connect_tcp(const char *where, const LibqmpSessionOptions *options, GError **error)
{
    const char *colon = strrchr(where, ':');

    if (!colon || colon == where || !colon[1]) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_ARGUMENT, "tcp:%s: this is not tcp:HOST:PORT", where);
        return NULL;
    }
    g_autofree char *host = where[0] == '[' && colon[-1] == ']' ? g_strndup(where + 1, (gsize)(colon - where) - 2)
                                                                : g_strndup(where, (gsize)(colon - where));
    return libqmp_session_new_tcp(host, colon + 1, options, error);
}

static QmpSession *connect_fd(const char *number, const LibqmpSessionOptions *options, GError **error)
{
    guint64 fd;

    if (!g_ascii_string_to_unsigned(number, 10, 0, G_MAXINT, &fd, NULL)) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_ARGUMENT, "fd:%s: this is not the number of a descriptor",
                    number);
        return NULL;
    }
    return libqmp_session_new_fd((int)fd, options, error);
}

QmpSession *libqmp_session_connect(const char *address, const LibqmpSessionOptions *options, GError **error)
{
    if (g_str_has_prefix(address, "unix:"))
        return libqmp_session_new_unix(address + strlen("unix:"), options, error);
    if (g_str_has_prefix(address, "tcp:"))
        return connect_tcp(address + strlen("tcp:"), options, error);
    if (g_str_has_prefix(address, "fd:"))
        return connect_fd(address + strlen("fd:"), options, error);
    if (g_str_has_prefix(address, "libvirt:"))
        return transport_libvirt_open(address + strlen("libvirt:"), options, error);
    if (strchr(address, '/') || g_file_test(address, G_FILE_TEST_EXISTS))
        return libqmp_session_new_unix(address, options, error);
    g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_ARGUMENT,
                "%s: this is none of unix:PATH, the path of a socket, tcp:HOST:PORT, fd:N, libvirt:DOMAIN", address);
    return NULL;
}
