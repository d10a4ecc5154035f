/* chan-fd.c: file descriptors as channels, and unnamed temporary files. */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "visitors/chan.h"

/*
 * A write ends at the next multiple of this. The page cache takes memory in pieces as large as the write; in a virtual
 * machine that reports free memory to its host, those of 128 KiB and more must first be got back from there, which
 * takes several times as long as writing.
 */
enum { WRITE_STEP = 64 << 10 };

typedef struct ChanFd {
    Chan chan;
    int fd;
    uint64_t written; /* octets, since the channel was made */
} ChanFd;

static gssize fd_read(Chan *chan, void *data, size_t len, GError **error)
{
    ChanFd *c = (ChanFd *)chan;
    gssize n;

    do {
        n = read(c->fd, data, len);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "reading failed: %s", g_strerror(errno));
    return n;
}

/* One write; returns as writev does. */
static gssize write_some(ChanFd *c, struct iovec *iov, int count)
{
    size_t room = WRITE_STEP - c->written % WRITE_STEP, len = 0;
    int n = 0;

    while (n < count && len < room)
        len += iov[n++].iov_len;
    size_t over = len > room ? len - room : 0;
    iov[n - 1].iov_len -= over;
    gssize done = writev(c->fd, iov, n);
    iov[n - 1].iov_len += over;
    c->written += MAX(done, 0);
    return done;
}

static bool fd_write(Chan *chan, struct iovec *iov, int count, GError **error)
{
    ChanFd *c = (ChanFd *)chan;

    while (count) {
        gssize n = write_some(c, iov, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "writing failed: %s", g_strerror(errno));
            return false;
        }
        while (count && (size_t)n >= iov->iov_len) {
            n -= (gssize)iov->iov_len;
            iov++;
            count--;
        }
        if (count) {
            iov->iov_base = (uint8_t *)iov->iov_base + n;
            iov->iov_len -= (size_t)n;
        }
    }
    return true;
}

static bool fd_seek(Chan *chan, uint64_t pos, GError **error)
{
    ChanFd *c = (ChanFd *)chan;

    if (lseek(c->fd, (off_t)pos, SEEK_SET) >= 0)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "seeking to 0x%" G_GINT64_MODIFIER "x failed: %s", pos,
                g_strerror(errno));
    return false;
}

static int64_t fd_size(Chan *chan)
{
    ChanFd *c = (ChanFd *)chan;
    struct stat st;

    return fstat(c->fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
}

/* Of a socket; of others it is refused, and reads end by themselves. */
static void fd_shutdown(Chan *chan)
{
    shutdown(((ChanFd *)chan)->fd, SHUT_RDWR);
}

static void fd_free(Chan *chan)
{
    ChanFd *c = (ChanFd *)chan;

    close(c->fd);
    g_free(c);
}

static const ChanOps pipe_ops = {
    .read = fd_read,
    .write = fd_write,
    .size = fd_size,
    .shutdown = fd_shutdown,
    .free = fd_free,
};

static const ChanOps file_ops = {
    .read = fd_read,
    .write = fd_write,
    .seek = fd_seek,
    .size = fd_size,
    .free = fd_free,
};

Chan *chan_fd_new(int fd)
{
    ChanFd *c = g_new0(ChanFd, 1);

    c->fd = fd;
    c->chan.ops = &pipe_ops;
    if (fd_size(&c->chan) >= 0)
        c->chan.ops = &file_ops;
    return &c->chan;
}

Chan *chan_file_open(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: cannot open: %s", path, g_strerror(errno));
        return NULL;
    }
    return chan_fd_new(fd);
}

Chan *chan_spool(Chan *in, uint64_t start, void (*tick)(uint64_t, void *), void *data, GError **error)
{
    g_autofree char *name = NULL;
    g_autofree uint8_t *buf = g_malloc(1 << 20);
    g_autoptr(Chan) from = in;
    int fd = g_file_open_tmp("vmstate-XXXXXX", &name, error);
    uint64_t done = 0;

    if (fd < 0)
        return NULL;
    g_unlink(name);
    g_autoptr(Chan) to = chan_fd_new(fd);
    if (!chan_seek(to, start, error))
        return NULL;
    for (;;) {
        gssize n = chan_read_full(from, buf, 1 << 20, error);
        if (n < 0)
            return NULL;
        if (n == 0)
            break;
        struct iovec iov = {.iov_base = buf, .iov_len = (size_t)n};
        if (!to->ops->write(to, &iov, 1, error)) {
            g_prefix_error(error, "copying the input to a temporary file (%s): ", g_get_tmp_dir());
            return NULL;
        }
        done += (uint64_t)n;
        if (tick)
            tick(done, data);
    }
    return chan_seek(to, start, error) ? g_steal_pointer(&to) : NULL;
}
