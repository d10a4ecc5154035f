/* test-chardev.c: back ends on files and terminals, each with a peer that is really there. Sockets:
 * test-chardev-socket.c. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "tests/emu/support/front.h"
#include "visitors/error.h"

/* --- null and memory -------------------------------------------------------------------------------------------- */

Test(chardev, null_takes_all_and_says_nothing)
{
    g_autoptr(Front) f = front_new();

    front_attach(f, chardev_new_null(&f->home));
    cr_assert_eq(chardev_write(f->c, "abc", 3), 3);
    cr_assert_eq(f->opened, 1);
    front_run(f, QUIET_MS);
    cr_assert_eq(f->got->len, 0);
}

Test(chardev, memory_keeps_the_newest_output)
{
    g_autoptr(Front) f = front_new();
    char data[8];

    front_attach(f, chardev_new_memory(&f->home, &(ChardevMemory){.size = 4}));
    cr_assert_eq(chardev_write(f->c, "abcdef", 6), 6);
    cr_assert_eq(chardev_memory_read(f->c, data, sizeof data), 4);
    cr_assert_arr_eq(data, "cdef", 4);
    cr_assert_eq(chardev_memory_read(f->c, data, sizeof data), 0);
}

Test(chardev, patient_memory_takes_only_what_it_has_room_for)
{
    g_autoptr(Front) f = front_new();
    char data[8];

    front_attach(f, chardev_new_memory(&f->home, &(ChardevMemory){.size = 4, .patient = true}));
    cr_assert_eq(chardev_write(f->c, "abc", 3), 3);
    cr_assert_eq(chardev_write(f->c, "def", 3), 1);
    cr_assert_eq(f->writable, 0);
    cr_assert_eq(chardev_memory_read(f->c, data, 2), 2);
    cr_assert_eq(f->writable, 1);
    cr_assert_eq(chardev_write(f->c, "ef", 2), 2);
    cr_assert_eq(chardev_memory_read(f->c, data, 8), 4);
    cr_assert_arr_eq(data, "cdef", 4);
    cr_assert_eq(f->writable, 1, "told though the last write took all");
}

Test(chardev, memory_feeds_no_more_than_the_front_takes)
{
    g_autoptr(Front) f = front_new();

    front_attach(f, chardev_new_memory(&f->home, &(ChardevMemory){0}));
    f->room = 2;
    f->one_at_a_time = true;
    chardev_memory_feed(f->c, "abcde", 5);
    front_assert_got(f, "ab");
    f->room = 2;
    chardev_accept_input(f->c);
    front_assert_got(f, "abcd");
    f->room = 9;
    chardev_accept_input(f->c);
    front_assert_got(f, "abcde");
}

Test(chardev, what_waits_in_memory_is_copied)
{
    g_autoptr(Front) f = front_new(), g = front_new();
    const ChardevMemory small = {.size = 4, .patient = true};
    char data[8];

    front_attach(f, chardev_new_memory(&f->home, &small));
    front_attach(g, chardev_new_memory(&g->home, &small));
    cr_assert_eq(chardev_write(f->c, "abcd", 4), 4);
    cr_assert_eq(chardev_memory_read(f->c, data, 2), 2);
    cr_assert_eq(chardev_write(f->c, "e", 1), 1);
    cr_assert_eq(chardev_write(g->c, "xy", 2), 2);
    f->room = 1;
    f->one_at_a_time = true;
    chardev_memory_feed(f->c, "in", 2);
    chardev_memory_copy(g->c, f->c);
    cr_assert_eq(chardev_write(g->c, "fg", 2), 1);
    cr_assert_eq(chardev_memory_read(g->c, data, 8), 4);
    cr_assert_arr_eq(data, "cdef", 4);
    cr_assert_eq(g->got->len, 0);
    g->room = 9;
    chardev_accept_input(g->c);
    front_assert_got(g, "n");
    cr_assert_eq(chardev_memory_read(f->c, data, 8), 3, "the other one has changed");
}

Test(chardev, a_break_comes_to_the_front)
{
    g_autoptr(Front) f = front_new();

    front_attach(f, chardev_new_memory(&f->home, &(ChardevMemory){0}));
    chardev_send_break(f->c);
    cr_assert_eq(f->breaks, 1);
    chardev_set_front(f->c, NULL, NULL);
    chardev_send_break(f->c);
    cr_assert_eq(f->breaks, 1);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static void assert_file(const char *path, const char *text)
{
    g_autofree char *data = NULL;

    cr_assert(g_file_get_contents(path, &data, NULL, NULL));
    cr_assert_str_eq(data, text);
}

Test(chardev, a_file_is_emptied_or_appended_to)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "log");

    front_attach(f, chardev_new_file(&f->home, &(ChardevFile){.path = path}, NULL));
    cr_assert_str_eq(chardev_address(f->c), path);
    cr_assert_eq(chardev_write(f->c, "one", 3), 3);
    chardev_free(f->c);
    front_attach(f, chardev_new_file(&f->home, &(ChardevFile){.path = path, .append = true}, NULL));
    cr_assert_eq(chardev_write(f->c, "two", 3), 3);
    assert_file(path, "onetwo");
    chardev_free(f->c);
    front_attach(f, chardev_new_file(&f->home, &(ChardevFile){.path = path}, NULL));
    assert_file(path, "");
}

Test(chardev, a_file_is_read_and_its_end_does_not_end_the_output)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "log"), *input = front_path(f, "input");

    cr_assert(g_file_set_contents(input, "hello", 5, NULL));
    f->room = 2;
    front_attach(f, chardev_new_file(&f->home, &(ChardevFile){.path = path, .input = input}, NULL));
    FRONT_RUN_UNTIL(f, f->got->len == 5);
    front_assert_got(f, "hello");
    cr_assert_eq(f->most, 2);
    front_run(f, QUIET_MS);
    cr_assert_eq(f->closed, 0);
    cr_assert_eq(chardev_write(f->c, "bye", 3), 3);
    assert_file(path, "bye");
}

Test(chardev, a_file_that_cannot_be_opened_is_named)
{
    g_autoptr(Front) f = front_new();
    g_autofree char *path = front_path(f, "no/where"), *log = front_path(f, "log");
    g_autoptr(GError) error = NULL, second = NULL;

    cr_assert_null(chardev_new_file(&f->home, &(ChardevFile){.path = path}, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_IO));
    cr_assert(strstr(error->message, path) && strstr(error->message, g_strerror(ENOENT)), "%s", error->message);
    cr_assert(strstr(error->message, "serial0"));
    cr_assert_null(chardev_new_file(&f->home, &(ChardevFile){.path = log, .input = path}, &second));
    cr_assert(strstr(second->message, path), "%s", second->message);
    cr_assert_not(g_file_test(log, G_FILE_TEST_EXISTS), "the output was made though the input is not there");
}

Test(chardev, a_full_disk_takes_all_and_loses_it)
{
    g_autoptr(Front) f = front_new();

    front_attach(f, chardev_new_file(&f->home, &(ChardevFile){.path = "/dev/full", .append = true}, NULL));
    cr_assert_eq(chardev_write(f->c, "abc", 3), 3);
}

/* --- descriptors ------------------------------------------------------------------------------------------------ */

Test(chardev, a_descriptor_goes_both_ways_and_closes_with_its_peer)
{
    g_autoptr(Front) f = front_new();
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    front_attach(f, chardev_new_fd(&f->home, pair[0], NULL));
    cr_assert_eq(chardev_write(f->c, "to you", 6), 6);
    front_assert_reads(f, pair[1], "to you");
    cr_assert_eq(write(pair[1], "to me", 5), 5);
    FRONT_RUN_UNTIL(f, f->got->len == 5);
    front_assert_got(f, "to me");
    close(pair[1]);
    FRONT_RUN_UNTIL(f, f->closed == 1);
    cr_assert_not(chardev_is_open(f->c));
    cr_assert_eq(chardev_write(f->c, "gone", 4), 4);
}

Test(chardev, what_a_descriptor_does_not_take_goes_later)
{
    g_autoptr(Front) f = front_new();
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    front_attach(f, chardev_new_fd(&f->home, pair[0], NULL));
    front_assert_back_pressure(f, pair[1]);
    close(pair[1]);
}

Test(chardev, a_pipe_without_a_reader_is_no_signal)
{
    g_autoptr(Front) f = front_new();
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    front_attach(f, chardev_new_fd(&f->home, ends[1], NULL));
    cr_assert_eq(chardev_write(f->c, "abc", 3), 3);
    front_assert_reads(f, ends[0], "abc");
    close(ends[0]);
    cr_assert_eq(chardev_write(f->c, "abc", 3), 3);
}

Test(chardev, a_terminal_gets_the_settings_of_the_line)
{
    g_autoptr(Front) f = front_new();
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    struct termios t;

    cr_assert(grantpt(master) == 0 && unlockpt(master) == 0);
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    front_attach(f, chardev_new_fd(&f->home, slave, NULL));
    chardev_set_line(f->c, &(ChardevLine){.speed = 9600, .data_bits = 8, .stop_bits = 2, .parity = 'N'});
    cr_assert_eq(tcgetattr(master, &t), 0);
    cr_assert_eq(cfgetospeed(&t), B9600);
    cr_assert(t.c_cflag & CSTOPB);
    /* 115200 / 3 and a divisor that gives no usual speed: the next lower one. */
    chardev_set_line(f->c, &(ChardevLine){.speed = 12800, .data_bits = 8, .stop_bits = 1, .parity = 'N'});
    tcgetattr(master, &t);
    cr_assert_eq(cfgetospeed(&t), B9600);
    cr_assert_not(t.c_cflag & CSTOPB);
    chardev_set_break(f->c, true);
    chardev_set_break(f->c, false);
    cr_assert_eq(chardev_write(f->c, "a\nb", 3), 3);
    front_assert_reads(f, master, "a\nb");
    close(master);
}

Test(chardev, a_descriptor_that_is_not_open_is_an_error)
{
    g_autoptr(Front) f = front_new();
    g_autoptr(GError) error = NULL;

    cr_assert_null(chardev_new_fd(&f->home, 987, &error));
    cr_assert(strstr(error->message, "descriptor 987") && strstr(error->message, g_strerror(EBADF)), "%s",
              error->message);
}

/* --- stdio ------------------------------------------------------------------------------------------------------ */

static void check_stdio(bool signal)
{
    g_autoptr(Front) f = front_new();
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    struct termios before, raw, after;

    cr_assert(grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY), second = dup(terminal);
    int flags = fcntl(terminal, F_GETFL);
    tcgetattr(terminal, &before);
    cr_assert(before.c_lflag & ICANON);
    front_attach(
        f, chardev_new_stdio(&f->home, &(ChardevStdio){.input = terminal, .output = second, .signal = signal}, NULL));
    tcgetattr(terminal, &raw);
    cr_assert_not(raw.c_lflag & (ICANON | ECHO));
    cr_assert_eq(!!(raw.c_lflag & ISIG), signal);
    cr_assert_eq(write(master, "x\r", 2), 2);
    FRONT_RUN_UNTIL(f, f->got->len == 2);
    front_assert_got(f, "x\r");
    chardev_write(f->c, "y", 1);
    front_assert_reads(f, master, "y");
    g_clear_pointer(&f->c, chardev_free);
    tcgetattr(terminal, &after);
    cr_assert_eq(after.c_lflag, before.c_lflag);
    cr_assert_eq(after.c_iflag, before.c_iflag);
    cr_assert_eq(fcntl(terminal, F_GETFL), flags);
    close(second);
    close(terminal);
    close(master);
}

Test(chardev, stdio_makes_the_terminal_raw_and_restores_it)
{
    check_stdio(false);
}

Test(chardev, stdio_leaves_signals_if_that_is_wanted)
{
    check_stdio(true);
}

Test(chardev, the_end_of_stdin_does_not_end_stdout)
{
    g_autoptr(Front) f = front_new();
    int in[2], out[2];

    cr_assert(pipe(in) == 0 && pipe(out) == 0);
    front_attach(f, chardev_new_stdio(&f->home, &(ChardevStdio){.input = in[0], .output = out[1]}, NULL));
    cr_assert_eq(write(in[1], "last", 4), 4);
    close(in[1]);
    FRONT_RUN_UNTIL(f, f->got->len == 4);
    front_run(f, QUIET_MS);
    cr_assert_eq(f->closed, 0);
    chardev_write(f->c, "still", 5);
    front_assert_reads(f, out[0], "still");
    g_clear_pointer(&f->c, chardev_free);
    close(in[0]);
    close(out[0]);
    close(out[1]);
}

/* --- pseudoterminals -------------------------------------------------------------------------------------------- */

static int open_terminal(Front *f)
{
    int fd = open(chardev_address(f->c), O_RDWR | O_NOCTTY | O_NONBLOCK);

    cr_assert_geq(fd, 0, "%s: %s", chardev_address(f->c), g_strerror(errno));
    return fd;
}

Test(chardev, a_pty_is_open_while_somebody_has_it_open)
{
    g_autoptr(Front) f = front_new();

    front_attach(f, chardev_new_pty(&f->home, NULL));
    front_run(f, QUIET_MS);
    cr_assert_eq(f->opened, 0);
    cr_assert_eq(chardev_write(f->c, "lost", 4), 4);
    for (unsigned n = 1; n <= 2; n++) {
        int fd = open_terminal(f);
        FRONT_RUN_UNTIL(f, f->opened == n);
        cr_assert_eq(chardev_write(f->c, "a\r\n", 3), 3);
        front_assert_reads(f, fd, "a\r\n");
        g_byte_array_set_size(f->got, 0);
        cr_assert_eq(write(fd, "b\r\x03", 3), 3);
        FRONT_RUN_UNTIL(f, f->got->len == 3);
        front_assert_got(f, "b\r\x03");
        close(fd);
        FRONT_RUN_UNTIL(f, f->closed == n);
    }
}

Test(chardev, a_pty_takes_no_more_than_its_peer_reads)
{
    g_autoptr(Front) f = front_new();

    front_attach(f, chardev_new_pty(&f->home, NULL));
    int fd = open_terminal(f);
    FRONT_RUN_UNTIL(f, f->opened == 1);
    front_assert_back_pressure(f, fd);
    close(fd);
}

Test(chardev, who_leaves_a_pty_unread_blocks_nobody)
{
    g_autoptr(Front) f = front_new();
    char much[65536] = {0};

    front_attach(f, chardev_new_pty(&f->home, NULL));
    f->room = 0;
    int fd = open_terminal(f);
    FRONT_RUN_UNTIL(f, f->opened == 1);
    cr_assert_eq(write(fd, "left", 4), 4);
    cr_assert_lt(chardev_write(f->c, much, sizeof much), sizeof much);
    close(fd);
    FRONT_RUN_UNTIL(f, f->closed == 1);
    cr_assert_eq(f->writable, 1);
    cr_assert_eq(chardev_write(f->c, much, sizeof much), sizeof much);
}

/* --- threads ---------------------------------------------------------------------------------------------------- */

typedef struct Loop {
    GMainContext *context;
    int stop;
} Loop;

static void *run_context(void *opaque)
{
    Loop *loop = opaque;

    while (!g_atomic_int_get(&loop->stop))
        g_main_context_iteration(loop->context, TRUE);
    return NULL;
}

Test(chardev, it_is_freed_while_its_context_runs_in_another_thread)
{
    g_autoptr(Front) f = front_new();
    Loop loop = {.context = f->context};
    GThread *thread = g_thread_new("loop", run_context, &loop);

    for (unsigned n = 0; n < 300; n++) {
        int pair[2];
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        g_rec_mutex_lock(&f->lock);
        front_attach(f, chardev_new_fd(&f->home, pair[0], NULL));
        g_rec_mutex_unlock(&f->lock);
        cr_assert_eq(write(pair[1], "x", 1), 1);
        if (n % 3 == 0)
            g_usleep(100);
        g_rec_mutex_lock(&f->lock);
        g_clear_pointer(&f->c, chardev_free);
        g_rec_mutex_unlock(&f->lock);
        close(pair[1]);
    }
    g_atomic_int_set(&loop.stop, 1);
    g_main_context_wakeup(f->context);
    g_thread_join(thread);
}
