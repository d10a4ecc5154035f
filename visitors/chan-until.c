/*
 * chan-until.c: file descriptors to write to, where waiting can be ended from outside.
 *
 * They must not wait in the system call. Whether they do is a property of what was opened, which others may share, so
 * it is left alone: a socket is asked not to for each call, and a pipe is opened once more.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "visitors/chan.h"

enum { PATIENCE_MS = 10000 /* for the other side to end, too */ };

typedef struct ChanUntil {
    Chan chan;
    int fd, stop;
    bool socket;
} ChanUntil;

static ChanUntil *until_of(Chan *chan)
{
    return (ChanUntil *)chan;
}

/* Until the descriptor is ready. False: it is to end, or time is up. */
static bool wait_for(const ChanUntil *c, short events, int timeout_ms)
{
    struct pollfd polled[] = {{.fd = c->fd, .events = events}, {.fd = c->stop, .events = POLLIN}};
    int n;

    do {
        n = poll(polled, G_N_ELEMENTS(polled), timeout_ms);
    } while (n < 0 && errno == EINTR);
    return n > 0 && !polled[1].revents;
}

static bool fail(GError **error, const char *what, int code)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s%s%s", what, code ? ": " : "", code ? g_strerror(code) : "");
    return false;
}

static gssize write_some(const ChanUntil *c, struct iovec *iov, int count)
{
    const struct msghdr message = {.msg_iov = iov, .msg_iovlen = (size_t)count};

    return c->socket ? sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) : writev(c->fd, iov, count);
}

/* Those that were written leave the list. */
static void advance(struct iovec **iov, int *count, size_t done)
{
    while (*count && done >= (*iov)->iov_len) {
        done -= (*iov)->iov_len;
        ++*iov;
        --*count;
    }
    if (*count) {
        (*iov)->iov_base = (uint8_t *)(*iov)->iov_base + done;
        (*iov)->iov_len -= done;
    }
}

static bool until_write(Chan *chan, struct iovec *iov, int count, GError **error)
{
    const ChanUntil *c = until_of(chan);

    advance(&iov, &count, 0);
    while (count) {
        gssize n = write_some(c, iov, count);
        if (n >= 0)
            advance(&iov, &count, (size_t)n);
        else if (errno == EAGAIN && !wait_for(c, POLLOUT, -1))
            return fail(error, "it was ended", 0);
        else if (errno != EAGAIN && errno != EINTR)
            return fail(error, "writing failed", errno);
    }
    return true;
}

/*
 * A reader that closes before it has read all resets the connection. One that does not close at all has it all, as far
 * as anybody can tell; and nobody can take back what was written.
 */
static bool until_finish(Chan *chan, GError **error)
{
    const ChanUntil *c = until_of(chan);
    char answer[256];
    gssize n = 1;

    if (!c->socket)
        return true;
    if (shutdown(c->fd, SHUT_WR) < 0)
        return fail(error, "the other side has gone", errno);
    while (n > 0 && wait_for(c, POLLIN, PATIENCE_MS))
        n = recv(c->fd, answer, sizeof answer, MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return fail(error, "the other side has gone before it had read all", errno);
    return true;
}

static void until_free(Chan *chan)
{
    close(until_of(chan)->fd);
    g_free(chan);
}

/* The same pipe, and what is asked of this one does not hold for others. */
static int open_again(int fd)
{
    char path[64];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (again < 0)
        return fd;
    close(fd);
    return again;
}

Chan *chan_fd_new_until(int fd, int stop)
{
    static const ChanOps ops = {.write = until_write, .finish = until_finish, .free = until_free};
    struct stat st;

    if (fstat(fd, &st) < 0 || (!S_ISSOCK(st.st_mode) && !S_ISFIFO(st.st_mode)))
        return chan_fd_new(fd); /* a file never waits for long */
    ChanUntil *c = g_new0(ChanUntil, 1);
    c->chan.ops = &ops;
    c->socket = S_ISSOCK(st.st_mode);
    c->fd = c->socket ? fd : open_again(fd);
    c->stop = stop;
    return &c->chan;
}
