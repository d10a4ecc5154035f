/* chardev-pump.c: characters between descriptors and a front, as many as either takes. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "emu/chardev/chardev-impl.h"

enum { CHUNK = 4096, DESCRIPTORS = 16 /* at once; the kernel closes what is more */ };

bool pump_make_nonblocking(int fd, int *flags_before)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags_before)
        *flags_before = flags;
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

/* --- input ------------------------------------------------------------------------------------------------------ */

static void watch_input(ChardevPump *p, ChardevReading reading)
{
    GIOCondition condition = reading == CHARDEV_READING ? G_IO_IN : G_IO_HUP | G_IO_ERR | CHARDEV_IO_PEER_CLOSED;

    if (p->reading == reading && p->input)
        return;
    chardev_unwatch(&p->input);
    p->reading = reading;
    p->input = chardev_watch(p->c, p->in, condition, p->input_ready);
}

void pump_stop(ChardevPump *p)
{
    chardev_unwatch(&p->input);
    chardev_unwatch(&p->output);
    p->reading = CHARDEV_IDLE;
    p->in = p->out = -1;
}

void pump_accept_input(ChardevPump *p)
{
    if (p->in >= 0)
        watch_input(p, chardev_room(p->c) > 0 ? CHARDEV_READING : CHARDEV_STALLED);
}

/* Gives the front the descriptors that are in a message. */
static void take_descriptors(Chardev *c, struct msghdr *message)
{
    for (struct cmsghdr *m = CMSG_FIRSTHDR(message); m; m = CMSG_NXTHDR(message, m)) {
        int fds[DESCRIPTORS];
        if (m->cmsg_level != SOL_SOCKET || m->cmsg_type != SCM_RIGHTS)
            continue;
        size_t size = MIN(m->cmsg_len - CMSG_LEN(0), sizeof fds);
        memcpy(fds, CMSG_DATA(m), size);
        chardev_take_descriptors(c, fds, size / sizeof *fds);
    }
}

static ssize_t read_some(ChardevPump *p, uint8_t *data, size_t size)
{
    union {
        char octets[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {data, size};
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

    if (!p->brings_descriptors)
        return read(p->in, data, size);
    ssize_t len = recvmsg(p->in, &message, MSG_CMSG_CLOEXEC);
    if (len >= 0)
        take_descriptors(p->c, &message);
    return len;
}

void pump_read(ChardevPump *p, GIOCondition condition)
{
    uint8_t data[CHUNK];
    size_t room = chardev_room(p->c);

    /* Only a peer that has gone wakes a stalled pump, and once is enough: what it left is read when there is room. */
    if (p->reading == CHARDEV_STALLED && room == 0) {
        chardev_unwatch(&p->input);
        if (condition && p->left)
            p->left(p->c);
        return;
    }
    if (room == 0) {
        watch_input(p, CHARDEV_STALLED);
        return;
    }
    ssize_t len = read_some(p, data, MIN(room, sizeof data));
    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (len <= 0) {
        p->ended(p->c);
        return;
    }
    chardev_receive(p->c, data, (size_t)len);
    pump_accept_input(p);
}

/* --- output ----------------------------------------------------------------------------------------------------- */

/* A pipe without a reader is an error here, and no signal for the program: nobody but us may know of the pipe. */
static ssize_t write_pipe(int fd, const uint8_t *data, size_t len)
{
    const struct timespec at_once = {0, 0};
    sigset_t pipe_only, before, pending;
    ssize_t gone;
    int cause;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    gone = write(fd, data, len);
    cause = errno;
    if (gone < 0 && cause == EPIPE && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe_only, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = cause;
    return gone;
}

/* A back end's descriptors are all of one sort, so it is looked up once. */
static ssize_t write_some(ChardevPump *p, const uint8_t *data, size_t len)
{
    struct stat st;

    if (p->sort == CHARDEV_SORT_UNKNOWN && fstat(p->out, &st) == 0)
        p->sort = S_ISSOCK(st.st_mode)   ? CHARDEV_SORT_SOCKET
                  : S_ISFIFO(st.st_mode) ? CHARDEV_SORT_PIPE
                                         : CHARDEV_SORT_OTHER;
    if (p->sort == CHARDEV_SORT_SOCKET)
        return send(p->out, data, len, MSG_NOSIGNAL);
    return p->sort == CHARDEV_SORT_PIPE ? write_pipe(p->out, data, len) : write(p->out, data, len);
}

size_t pump_write(ChardevPump *p, const uint8_t *data, size_t len)
{
    size_t gone = 0;

    while (p->out >= 0 && gone < len) {
        ssize_t more = write_some(p, data + gone, len - gone);
        if (more < 0 && errno == EINTR)
            continue;
        if (more < 0 && errno == EAGAIN) {
            if (!p->output)
                p->output = chardev_watch(p->c, p->out, G_IO_OUT, p->output_ready);
            return gone;
        }
        /* The host refuses: it is lost. That a peer has gone is seen by who reads. */
        if (more < 0)
            return len;
        gone += (size_t)more;
    }
    return len;
}

void pump_written(ChardevPump *p)
{
    chardev_unwatch(&p->output);
    chardev_writable(p->c);
}
