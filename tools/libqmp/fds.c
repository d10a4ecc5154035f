/* fds.c: descriptors that go along with commands. Source: unix(7), SCM_RIGHTS. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tools/libqmp/session-impl.h"

/* Transports of older callers end before it. */
static bool can_send(const QmpTransport *t)
{
    return t->size >= offsetof(QmpTransport, write_fd) + sizeof t->write_fd && t->write_fd;
}

bool libqmp_session_send_fd(QmpSession *session, int fd, GError **error)
{
    if (!can_send(session->transport)) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_UNSUPPORTED, "descriptors go over unix sockets only");
        return false;
    }
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_ARGUMENT, "descriptor %d: %s", fd, g_strerror(errno));
        return false;
    }
    g_mutex_lock(&session->lock);
    if (session->next_fd >= 0)
        close(session->next_fd);
    session->next_fd = copy;
    g_mutex_unlock(&session->lock);
    return true;
}

void session_attach_fd(QmpSession *session)
{
    if (session->next_fd < 0)
        return;
    FdToSend *f = g_new(FdToSend, 1);
    *f = (FdToSend){.at = session->sent + (session->out->len - session->written), .fd = session->next_fd};
    session->next_fd = -1;
    g_queue_push_tail(&session->fds, f);
}

static void drop_first(QmpSession *session)
{
    FdToSend *f = g_queue_pop_head(&session->fds);

    close(f->fd);
    g_free(f);
}

void session_close_fds(QmpSession *session)
{
    while (session->fds.length)
        drop_first(session);
    if (session->next_fd >= 0)
        close(session->next_fd);
    session->next_fd = -1;
}

/* A write ends before the octet that the next descriptor goes along with. */
ssize_t session_write(QmpSession *session)
{
    const FdToSend *f = g_queue_peek_head(&session->fds);
    const guint8 *data = session->out->data + session->written;
    size_t size = session->out->len - session->written;
    bool now = f && f->at == session->sent;

    if (f && !now)
        size = MIN(size, f->at - session->sent);
    ssize_t put = now ? session->transport->write_fd(session->peer, data, size, f->fd)
                      : session->transport->write(session->peer, data, size);
    if (put > 0 && now)
        drop_first(session);
    session->sent += put > 0 ? (uint64_t)put : 0;
    return put;
}
