/*
 * net-socket.c: frames to another machine, or to many, over the host's sockets: what QEMU's -netdev socket talks.
 *
 * Streams are in net-stream.c; here are their beginnings, and datagrams: a frame each, to one peer or to a group.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emu/net/net-impl.h"
#include "visitors/error.h"

/* Frames go out by one descriptor, which need not be bound, to an address. */
typedef struct Datagrams {
    NetFrames frames;
    struct sockaddr_in to; /* of no family: the descriptor is connected */
    char *address;
} Datagrams;

/* --- addresses -------------------------------------------------------------------------------------------------- */

static bool look_up(const NetHome *home, const char *host, const char *port, struct sockaddr_in *addr, GError **error)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_DGRAM, .ai_flags = AI_PASSIVE}, *found;
    int cause = getaddrinfo(host && *host ? host : NULL, port ? port : "0", &hints, &found);

    if (cause != 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: %s:%s: %s", home->id, host ? host : "", port ? port : "",
                    gai_strerror(cause));
        return false;
    }
    memcpy(addr, found->ai_addr, sizeof *addr);
    freeaddrinfo(found);
    return true;
}

static char *name_of(const struct sockaddr_in *addr)
{
    char text[INET_ADDRSTRLEN] = "";

    inet_ntop(AF_INET, &addr->sin_addr, text, sizeof text);
    return g_strdup_printf("%s:%u", text, ntohs(addr->sin_port));
}

/* With the port that the host has chosen. */
static char *own_name(int fd)
{
    struct sockaddr_in addr;
    socklen_t len = sizeof addr;

    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0 || addr.sin_family != AF_INET)
        return NULL;
    return name_of(&addr);
}

static void *fail(const NetHome *home, const struct sockaddr_in *addr, int fd, GError **error)
{
    g_autofree char *name = name_of(addr);
    int cause = errno;

    if (fd >= 0)
        close(fd);
    return net_fail(home, name, cause, error);
}

/* --- datagrams -------------------------------------------------------------------------------------------------- */

static ssize_t datagram_read(NetFrames *f, void *frame, size_t size)
{
    ssize_t len = recv(f->fd, frame, size, MSG_DONTWAIT);

    if (len != 0)
        return len;
    errno = EINTR; /* a datagram may be empty, which means nothing */
    return -1;
}

static ssize_t datagram_write(NetFrames *f, const void *frame, size_t len)
{
    const struct sockaddr_in *to = &((Datagrams *)f)->to;

    if (to->sin_family == AF_UNSPEC)
        return send(f->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sendto(f->fd, frame, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to, sizeof *to);
}

static void datagram_close(NetFrames *f)
{
    close(f->fd);
    g_free(((Datagrams *)f)->address);
}

static const NetFramesOps frames_ops = {.read = datagram_read, .write = datagram_write, .close = datagram_close};

static const NetBackendOps datagram_ops = {.send = net_frames_send, .flush = net_frames_flush, .free = net_frames_free};

static NetBackend *datagrams_new(const NetHome *home, int fd, const struct sockaddr_in *to)
{
    Datagrams *d = g_new0(Datagrams, 1);

    d->frames.ops = &frames_ops;
    d->frames.fd = fd;
    if (to)
        d->to = *to;
    d->address = own_name(fd);
    net_port_init(&d->frames.port, &datagram_ops, "socket", home);
    return &d->frames.port.backend;
}

static NetBackend *new_udp(const NetHome *home, const NetSocket *o, GError **error)
{
    struct sockaddr_in to, from;
    const int on = 1;
    int fd;

    if (!look_up(home, o->host, o->port, &to, error) || !look_up(home, o->local_host, o->local_port, &from, error))
        return NULL;
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&from, sizeof from) != 0)
        return fail(home, &from, fd, error);
    return datagrams_new(home, fd, &to);
}

/* All members are bound to the group's own address and port, and hear themselves, as those on one host must. */
static bool join(int fd, const struct sockaddr_in *group, const struct sockaddr_in *local)
{
    const struct ip_mreq request = {.imr_multiaddr = group->sin_addr, .imr_interface = local->sin_addr};
    const int on = 1;

    return fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           bind(fd, (const struct sockaddr *)group, sizeof *group) == 0 &&
           setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof request) == 0 &&
           setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &on, sizeof on) == 0 &&
           (local->sin_addr.s_addr == INADDR_ANY ||
            setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &local->sin_addr, sizeof local->sin_addr) == 0);
}

static NetBackend *new_mcast(const NetHome *home, const NetSocket *o, GError **error)
{
    struct sockaddr_in group, local;
    int fd;

    if (!look_up(home, o->host, o->port, &group, error) || !look_up(home, o->local_host, NULL, &local, error))
        return NULL;
    if (!IN_MULTICAST(ntohl(group.sin_addr.s_addr))) {
        errno = EADDRNOTAVAIL;
        return fail(home, &group, -1, error);
    }
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (!join(fd, &group, &local))
        return fail(home, &group, fd, error);
    return datagrams_new(home, fd, &group);
}

/* --- streams ---------------------------------------------------------------------------------------------------- */

static NetBackend *new_server(const NetHome *home, const NetSocket *o, GError **error)
{
    struct sockaddr_in addr;
    const int on = 1;
    int fd;

    if (!look_up(home, o->host, o->port, &addr, error))
        return NULL;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(fd, (const struct sockaddr *)&addr, sizeof addr) != 0 || listen(fd, 1) != 0)
        return fail(home, &addr, fd, error);
    return net_stream_new(home, fd, NET_STREAM_LISTENING, own_name(fd));
}

static NetBackend *new_client(const NetHome *home, const NetSocket *o, GError **error)
{
    struct sockaddr_in addr;
    NetStreamStart start = NET_STREAM_CONNECTED;
    int fd;

    if (!look_up(home, o->host, o->port, &addr, error))
        return NULL;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return fail(home, &addr, fd, error);
    if (connect(fd, (const struct sockaddr *)&addr, sizeof addr) != 0) {
        if (errno != EINPROGRESS)
            return fail(home, &addr, fd, error);
        start = NET_STREAM_CONNECTING;
    }
    return net_stream_new(home, fd, start, name_of(&addr));
}

static NetBackend *new_fd(const NetHome *home, int fd, GError **error)
{
    int type, flags = fcntl(fd, F_GETFL);
    socklen_t len = sizeof type;

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
        return net_fail(home, "the descriptor is no socket", errno, error);
    if (type == SOCK_STREAM)
        return net_stream_new(home, fd, NET_STREAM_CONNECTED, NULL);
    return datagrams_new(home, fd, NULL);
}

NetBackend *net_socket_new(const NetHome *home, const NetSocket *options, GError **error)
{
    switch (options->mode) {
    case NET_SOCKET_LISTEN:
        return new_server(home, options, error);
    case NET_SOCKET_CONNECT:
        return new_client(home, options, error);
    case NET_SOCKET_MCAST:
        return new_mcast(home, options, error);
    case NET_SOCKET_UDP:
        return new_udp(home, options, error);
    case NET_SOCKET_FD:
        return new_fd(home, options->fd, error);
    }
    return net_fail(home, "there is no such kind of socket", EINVAL, error);
}

const char *net_socket_address(const NetBackend *backend)
{
    if (backend->ops != &datagram_ops)
        return net_stream_address(backend);
    return ((const Datagrams *)backend)->address;
}
