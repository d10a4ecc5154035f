/* transport-fd.c: a descriptor is the peer: a socket, a terminal, a device. */
#include "tools/libqmp/transport-impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct FdPeer {
    int fd;
    bool is_socket;
} FdPeer;

static ssize_t fd_read(void *peer, void *data, size_t size)
{
    return read(((FdPeer *)peer)->fd, data, size);
}

static ssize_t fd_write(void *peer, const void *data, size_t size)
{
    const FdPeer *p = peer;

    if (!p->is_socket)
        return write(p->fd, data, size);
    return send(p->fd, data, size, MSG_NOSIGNAL);
}

static ssize_t fd_write_fd(void *peer, const void *data, size_t size, int fd)
{
    union {
        char octets[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.octets = {0}};
    struct iovec iov = {(void *)data, size};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);

    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    return sendmsg(((FdPeer *)peer)->fd, &message, MSG_NOSIGNAL);
}

int libqmp_transport_poll(int fd, short events, int wake, int timeout_ms)
{
    struct pollfd polled[] = {{.fd = fd, .events = events}, {.fd = wake, .events = POLLIN}};

    if (poll(polled, G_N_ELEMENTS(polled), timeout_ms) < 0)
        return -1;
    if (polled[0].revents & POLLNVAL) {
        errno = EBADF;
        return -1;
    }
    /* To read says what is the matter. */
    if (polled[0].revents & (POLLHUP | POLLERR))
        return POLLIN;
    return polled[0].revents & events;
}

static int fd_wait(void *peer, short events, int wake, int timeout_ms)
{
    return libqmp_transport_poll(((FdPeer *)peer)->fd, events, wake, timeout_ms);
}

static void fd_close(void *peer)
{
    close(((FdPeer *)peer)->fd);
    g_free(peer);
}

static int fd_descriptor(void *peer)
{
    return ((FdPeer *)peer)->fd;
}

static const QmpTransport transport = {
    .size = sizeof(QmpTransport),
    .read = fd_read,
    .write = fd_write,
    .wait = fd_wait,
    .close = fd_close,
    .descriptor = fd_descriptor,
};

static const QmpTransport unix_transport = {
    .size = sizeof(QmpTransport),
    .read = fd_read,
    .write = fd_write,
    .wait = fd_wait,
    .close = fd_close,
    .descriptor = fd_descriptor,
    .write_fd = fd_write_fd,
};

QmpSession *libqmp_session_new_fd(int fd, const LibqmpSessionOptions *options, GError **error)
{
    int flags = fcntl(fd, F_GETFL), type;
    socklen_t size = sizeof type;

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_CONNECT, "fd:%d: %s", fd, g_strerror(errno));
        if (flags >= 0)
            close(fd);
        return NULL;
    }
    FdPeer *peer = g_new0(FdPeer, 1);
    peer->fd = fd;
    peer->is_socket = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
    bool is_unix = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &type, &size) == 0 && type == AF_UNIX;
    return libqmp_session_new(is_unix ? &unix_transport : &transport, peer, options, error);
}
