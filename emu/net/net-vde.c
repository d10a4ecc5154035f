/* net-vde.c: a port of a Virtual Distributed Ethernet's switch, by libvdeplug. */
#include <errno.h>
#include <fcntl.h>
#include <libvdeplug.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "emu/net/net-impl.h"

typedef struct Vde {
    NetFrames frames;
    VDECONN *connection;
} Vde;

/* A switch that has gone says so on another descriptor, and only there. */
static bool switch_has_gone(const Vde *v)
{
    struct pollfd control = {.fd = vde_ctlfd(v->connection), .events = POLLIN};

    return control.fd >= 0 && poll(&control, 1, 0) > 0 && control.revents & (POLLHUP | POLLERR | POLLNVAL);
}

static ssize_t vde_read(NetFrames *f, void *frame, size_t size)
{
    Vde *v = (Vde *)f;
    ssize_t len = vde_recv(v->connection, frame, size, MSG_DONTWAIT);

    if (len > 0 || (len < 0 && errno == EAGAIN) || switch_has_gone(v))
        return len;
    errno = len < 0 ? errno : EINTR;
    return -1;
}

static ssize_t vde_write(NetFrames *f, const void *frame, size_t len)
{
    return vde_send(((Vde *)f)->connection, frame, len, MSG_DONTWAIT);
}

static void vde_done(NetFrames *f)
{
    vde_close(((Vde *)f)->connection);
}

static const NetFramesOps frames_ops = {.read = vde_read, .write = vde_write, .close = vde_done};

static const NetBackendOps vde_ops = {.send = net_frames_send, .flush = net_frames_flush, .free = net_frames_free};

NetBackend *net_vde_new(const NetHome *home, const NetVde *options, GError **error)
{
    struct vde_open_args arguments = {
        .port = options->port, .group = (char *)options->group, .mode = (mode_t)options->mode};
    VDECONN *connection = vde_open((char *)options->sock, (char *)home->id, &arguments);
    Vde *v;

    if (!connection)
        return net_fail(home, options->sock ? options->sock : "the default switch", errno ? errno : ENOENT, error);
    v = g_new0(Vde, 1);
    v->connection = connection;
    /* Not all kinds of switches look at MSG_DONTWAIT. */
    fcntl(vde_datafd(connection), F_SETFL, fcntl(vde_datafd(connection), F_GETFL) | O_NONBLOCK);
    v->frames.ops = &frames_ops;
    v->frames.fd = vde_datafd(connection);
    net_port_init(&v->frames.port, &vde_ops, "vde", home);
    return &v->frames.port.backend;
}
