/*
 * chardev-file.c: a file, a descriptor that somebody opened, and the program's own terminal.
 *
 * A terminal among them has a line of copper, perhaps: it gets breaks and the line's settings (termios(3)).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "emu/chardev/chardev-impl.h"
#include "visitors/fd-path.h"

typedef struct Files {
    Chardev c;
    ChardevPump pump;
    int in, out;
    bool owned;              /* the descriptors are closed with it */
    bool terminal;           /* `before` is what the input was */
    int flags_in, flags_out; /* of borrowed descriptors, before */
    struct termios before;
} Files;

static size_t files_write(Chardev *c, const uint8_t *data, size_t len)
{
    return pump_write(&((Files *)c)->pump, data, len);
}

static void files_accept_input(Chardev *c)
{
    pump_accept_input(&((Files *)c)->pump);
}

static void files_readable(Chardev *c, GIOCondition condition)
{
    pump_read(&((Files *)c)->pump, condition);
}

static void files_writable(Chardev *c, GIOCondition condition)
{
    (void)condition;
    pump_written(&((Files *)c)->pump);
}

/* The end of a file that is read is not the end of the one that is written. */
static void input_ended(Chardev *c)
{
    Files *f = (Files *)c;

    chardev_unwatch(&f->pump.input);
    f->pump.in = -1;
    if (f->in == f->out)
        f->pump.out = -1;
    if (f->pump.out < 0) {
        pump_stop(&f->pump);
        chardev_set_open(c, false);
    }
}

static void files_close(Chardev *c)
{
    Files *f = (Files *)c;

    pump_stop(&f->pump);
    if (f->terminal)
        tcsetattr(f->in, TCSANOW, &f->before);
    if (f->owned) {
        if (f->out >= 0)
            close(f->out);
        if (f->in >= 0 && f->in != f->out)
            close(f->in);
    } else {
        /* If both are one open file, what it was before the first came here is set last. */
        if (f->flags_out >= 0)
            fcntl(f->out, F_SETFL, f->flags_out);
        if (f->flags_in >= 0)
            fcntl(f->in, F_SETFL, f->flags_in);
    }
}

/* --- a line of copper ------------------------------------------------------------------------------------------- */

static const struct {
    unsigned baud;
    speed_t speed;
} speeds[] = {
    {50, B50},     {75, B75},       {110, B110},     {134, B134},     {150, B150},       {200, B200},
    {300, B300},   {600, B600},     {1200, B1200},   {1800, B1800},   {2400, B2400},     {4800, B4800},
    {9600, B9600}, {19200, B19200}, {38400, B38400}, {57600, B57600}, {115200, B115200},
};

/* The fastest that is not faster, by 2 % or less. */
static speed_t speed_of(unsigned baud)
{
    speed_t speed = B50;

    for (size_t i = 0; i < G_N_ELEMENTS(speeds); i++)
        if (speeds[i].baud <= baud + baud / 50)
            speed = speeds[i].speed;
    return speed;
}

static void fd_set_line(Chardev *c, const ChardevLine *line)
{
    static const tcflag_t sizes[] = {CS5, CS6, CS7, CS8};
    Files *f = (Files *)c;
    struct termios t;

    if (f->out < 0 || tcgetattr(f->out, &t) != 0)
        return;
    cfsetspeed(&t, speed_of(line->speed));
    t.c_cflag &= ~(tcflag_t)(CSIZE | CSTOPB | PARENB | PARODD | CMSPAR | CRTSCTS);
    t.c_cflag |= CLOCAL | CREAD | sizes[CLAMP(line->data_bits, 5, 8) - 5];
    if (line->stop_bits > 1)
        t.c_cflag |= CSTOPB;
    if (line->parity != 'N')
        t.c_cflag |= PARENB;
    if (line->parity == 'O' || line->parity == 'M')
        t.c_cflag |= PARODD;
    if (line->parity == 'M' || line->parity == 'S')
        t.c_cflag |= CMSPAR;
    tcsetattr(f->out, TCSANOW, &t);
}

static void fd_set_break(Chardev *c, bool on)
{
    Files *f = (Files *)c;

    if (f->out >= 0 && isatty(f->out))
        ioctl(f->out, on ? TIOCSBRK : TIOCCBRK);
}

/* --- all of them ------------------------------------------------------------------------------------------------ */

static const ChardevOps files_ops = {
    .size = sizeof(Files),
    .write = files_write,
    .accept_input = files_accept_input,
    .close = files_close,
};

static const ChardevOps fd_ops = {
    .size = sizeof(Files),
    .write = files_write,
    .accept_input = files_accept_input,
    .set_break = fd_set_break,
    .set_line = fd_set_line,
    .close = files_close,
};

static Files *new_files(const ChardevOps *ops, const ChardevHome *home, int in, int out)
{
    Files *f = (Files *)chardev_new(ops, home);

    f->in = in;
    f->out = out;
    f->flags_in = f->flags_out = -1;
    f->pump = (ChardevPump){
        .c = &f->c,
        .in = in,
        .out = out,
        .input_ready = files_readable,
        .output_ready = files_writable,
        .ended = input_ended,
    };
    return f;
}

static Chardev *started(Files *f, char *address)
{
    f->c.address = address;
    f->c.open = true;
    pump_accept_input(&f->pump);
    return &f->c;
}

Chardev *chardev_new_file(const ChardevHome *home, const ChardevFile *options, GError **error)
{
    int mode = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | (options->append ? O_APPEND : O_TRUNC);
    int in = -1, out;

    if (options->input) {
        in = fd_path_open(options->input, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
        if (in < 0)
            return chardev_fail(home, options->input, errno, error);
    }
    out = fd_path_open(options->path, mode, 0666);
    if (out < 0) {
        int cause = errno;
        if (in >= 0)
            close(in);
        return chardev_fail(home, options->path, cause, error);
    }
    Files *f = new_files(&files_ops, home, in, out);
    f->owned = true;
    return started(f, g_strdup(options->path));
}

/* As many octets, none of which means anything to the terminal. */
static void make_raw(struct termios *t, bool signal)
{
    t->c_iflag &= ~(tcflag_t)(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
    t->c_cflag &= ~(tcflag_t)(CSIZE | PARENB);
    t->c_cflag |= CS8;
    if (signal)
        t->c_lflag |= ISIG;
    t->c_cc[VMIN] = 1;
    t->c_cc[VTIME] = 0;
}

Chardev *chardev_new_fd(const ChardevHome *home, int fd, GError **error)
{
    g_autofree char *name = g_strdup_printf("descriptor %d", fd);
    struct termios t;

    if (!pump_make_nonblocking(fd, NULL))
        return chardev_fail(home, name, errno, error);
    Files *f = new_files(&fd_ops, home, fd, fd);
    f->owned = true;
    /* Read or written only, as it was opened. */
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
        f->pump.in = -1;
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
        f->pump.out = -1;
    if (tcgetattr(fd, &t) == 0) {
        make_raw(&t, false);
        t.c_oflag &= ~(tcflag_t)OPOST;
        tcsetattr(fd, TCSANOW, &t);
    }
    return started(f, g_steal_pointer(&name));
}

Chardev *chardev_new_stdio(const ChardevHome *home, const ChardevStdio *options, GError **error)
{
    Files *f = new_files(&files_ops, home, options->input, options->output);

    if (!pump_make_nonblocking(options->input, &f->flags_in) ||
        !pump_make_nonblocking(options->output, &f->flags_out)) {
        int cause = errno;
        chardev_free(&f->c);
        return chardev_fail(home, "stdio", cause, error);
    }
    if (tcgetattr(options->input, &f->before) == 0) {
        struct termios raw = f->before;
        make_raw(&raw, options->signal);
        f->terminal = tcsetattr(options->input, TCSANOW, &raw) == 0;
    }
    return started(f, g_strdup("stdio"));
}
