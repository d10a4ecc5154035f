/*
 * chardev-pty.c: a pseudoterminal, of which the Chardev has the master.
 *
 * That somebody opens the other side is no event: who wants to know has to look (pty(7); a master whose slave nobody
 * has open hangs up, once it was open for the first time).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "emu/chardev/chardev-impl.h"

enum { LOOK_MS = 250 };

typedef struct Pty {
    Chardev c;
    ChardevPump pump;
    int fd;
    GSource *look;
} Pty;

static bool somebody_is_there(const Pty *p)
{
    struct pollfd poll_fd = {.fd = p->fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) >= 0 && !(poll_fd.revents & POLLHUP);
}

static void look(Chardev *c, GIOCondition condition)
{
    Pty *p = (Pty *)c;

    (void)condition;
    if (!somebody_is_there(p))
        return;
    chardev_unwatch(&p->look);
    p->pump.in = p->pump.out = p->fd;
    chardev_set_open(c, true);
    pump_accept_input(&p->pump);
}

/* From now on output goes nowhere; what came before may still be read. */
static void peer_left(Chardev *c)
{
    Pty *p = (Pty *)c;

    chardev_unwatch(&p->pump.output);
    p->pump.out = -1;
    if (!p->look)
        p->look = chardev_watch_time(c, LOOK_MS, look);
    chardev_set_open(c, false);
}

static void input_ended(Chardev *c)
{
    pump_stop(&((Pty *)c)->pump);
    peer_left(c);
}

static size_t pty_write(Chardev *c, const uint8_t *data, size_t len)
{
    return pump_write(&((Pty *)c)->pump, data, len);
}

static void pty_accept_input(Chardev *c)
{
    pump_accept_input(&((Pty *)c)->pump);
}

static void pty_readable(Chardev *c, GIOCondition condition)
{
    pump_read(&((Pty *)c)->pump, condition);
}

static void pty_writable(Chardev *c, GIOCondition condition)
{
    (void)condition;
    pump_written(&((Pty *)c)->pump);
}

static void pty_close(Chardev *c)
{
    Pty *p = (Pty *)c;

    pump_stop(&p->pump);
    chardev_unwatch(&p->look);
    if (p->fd >= 0)
        close(p->fd);
}

static const ChardevOps pty_ops = {
    .size = sizeof(Pty),
    .write = pty_write,
    .accept_input = pty_accept_input,
    .close = pty_close,
};

/* Opens the other side once and closes it again, so that the master hangs up. */
static bool prepare(const char *name)
{
    int fd = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios t;

    if (fd < 0)
        return false;
    if (tcgetattr(fd, &t) == 0) {
        cfmakeraw(&t);
        tcsetattr(fd, TCSANOW, &t);
    }
    close(fd);
    return true;
}

static bool open_master(Pty *p)
{
    char name[64];

    p->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (p->fd < 0 || grantpt(p->fd) != 0 || unlockpt(p->fd) != 0 || ptsname_r(p->fd, name, sizeof name) != 0)
        return false;
    p->c.address = g_strdup(name);
    return prepare(name) && pump_make_nonblocking(p->fd, NULL);
}

Chardev *chardev_new_pty(const ChardevHome *home, GError **error)
{
    Pty *p = (Pty *)chardev_new(&pty_ops, home);

    p->pump = (ChardevPump){
        .c = &p->c,
        .in = -1,
        .out = -1,
        .input_ready = pty_readable,
        .output_ready = pty_writable,
        .ended = input_ended,
        .left = peer_left,
    };
    if (!open_master(p)) {
        int cause = errno;
        chardev_free(&p->c);
        return chardev_fail(home, "pseudoterminal", cause, error);
    }
    p->look = chardev_watch_time(&p->c, LOOK_MS, look);
    return &p->c;
}
