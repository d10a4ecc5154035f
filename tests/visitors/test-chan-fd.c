/* test-chan-fd.c: file descriptors as channels, and copies of what cannot seek. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/visitors/support.h"

/* An unnamed file, opened for reading and writing, that holds these octets. */
static int file_with(const void *data, size_t len)
{
    g_autofree char *name = NULL;
    int fd = g_file_open_tmp("test-XXXXXX", &name, NULL);

    cr_assert_geq(fd, 0);
    g_unlink(name);
    cr_assert_eq(write(fd, data, len), (ssize_t)len);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

Test(chan_fd, a_file_is_read_seeks_and_knows_its_size)
{
    g_autoptr(Chan) chan = chan_fd_new(file_with("abcdef", 6));
    g_autoptr(GError) error = NULL;
    char data[10] = "";

    cr_assert(chan_can_seek(chan));
    cr_assert_eq(chan_size(chan), 6);
    cr_assert_eq(chan_read_full(chan, data, sizeof data, &error), 6);
    cr_assert_arr_eq(data, "abcdef", 6);
    assert_no_error(chan_seek(chan, 4, &error), error);
    cr_assert_eq(chan_read_full(chan, data, sizeof data, &error), 2);
    cr_assert_arr_eq(data, "ef", 2);
    cr_assert_not(chan_seek(chan, UINT64_MAX, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_IO));
    cr_assert(g_str_has_prefix(error->message, "seeking to 0xffffffffffffffff failed: "));
}

Test(chan_fd, a_pipe_is_read_but_cannot_seek)
{
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], "abc", 3), 3);
    close(ends[1]);
    g_autoptr(Chan) chan = chan_fd_new(ends[0]);
    char data[10] = "";
    cr_assert_not(chan_can_seek(chan));
    cr_assert_eq(chan_size(chan), -1);
    cr_assert_eq(chan_read_full(chan, data, sizeof data, NULL), 3);
    cr_assert_arr_eq(data, "abc", 3);
}

Test(chan_fd, the_descriptor_is_closed_with_the_channel)
{
    int fd = file_with("", 0);

    chan_free(chan_fd_new(fd));
    cr_assert_eq(fcntl(fd, F_GETFD), -1);
}

Test(chan_fd, a_file_is_opened_by_its_name)
{
    g_autofree char *name = NULL;
    int fd = g_file_open_tmp("test-XXXXXX", &name, NULL);
    g_autoptr(GError) error = NULL;
    char data[4] = "";

    cr_assert_eq(write(fd, "abc", 3), 3);
    close(fd);
    g_autoptr(Chan) chan = chan_file_open(name, &error);
    g_unlink(name);
    assert_no_error(chan != NULL, error);
    cr_assert_eq(chan_read_full(chan, data, sizeof data, &error), 3);
    cr_assert_arr_eq(data, "abc", 3);
    cr_assert_null(chan_file_open(name, &error));
    g_autofree char *wanted = g_strdup_printf("%s: cannot open: %s", name, g_strerror(ENOENT));
    assert_error(error, FERRY_ERROR_IO, wanted);
}

Test(chan_fd, a_directory_opens_but_does_not_read)
{
    g_autoptr(Chan) chan = chan_file_open(g_get_tmp_dir(), NULL);
    g_autoptr(GError) error = NULL;
    char data[4];

    cr_assert_not_null(chan);
    cr_assert_eq(chan_size(chan), -1);
    cr_assert_eq(chan_read_full(chan, data, sizeof data, &error), -1);
    g_autofree char *wanted = g_strdup_printf("reading failed: %s", g_strerror(EISDIR));
    assert_error(error, FERRY_ERROR_IO, wanted);
}

Test(chan_fd, writing_takes_every_piece_also_empty_ones)
{
    int fd = file_with("", 0);
    g_autoptr(Chan) chan = chan_fd_new(dup(fd));
    struct iovec iov[] = {{.iov_base = NULL, .iov_len = 0},
                          {.iov_base = (char[]){"abc"}, .iov_len = 3},
                          {.iov_base = NULL, .iov_len = 0},
                          {.iov_base = (char[]){"def"}, .iov_len = 3},
                          {.iov_base = NULL, .iov_len = 0}};
    g_autoptr(GError) error = NULL;
    char data[10] = "";

    assert_no_error(chan->ops->write(chan, iov, 5, &error), error);
    cr_assert_eq(pread(fd, data, sizeof data, 0), 6);
    cr_assert_arr_eq(data, "abcdef", 6);
    close(fd);
}

Test(chan_fd, a_write_that_took_only_a_part_goes_on_and_tells_why_it_stopped)
{
    g_autofree uint8_t *source = pattern_new(20000, 1), *data = g_malloc(20000);
    int fd = file_with("", 0);
    g_autoptr(Chan) chan = chan_fd_new(dup(fd));
    struct iovec iov[] = {{.iov_base = source, .iov_len = 7000}, {.iov_base = source + 7000, .iov_len = 13000}};
    g_autoptr(GError) error = NULL;

    /* the limit lies within the second piece: the kernel takes a part of it, and nothing when it is asked again */
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 10000, .rlim_max = RLIM_INFINITY}), 0);
    cr_assert_not(chan->ops->write(chan, iov, 2, &error));
    g_autofree char *wanted = g_strdup_printf("writing failed: %s", g_strerror(EFBIG));
    assert_error(error, FERRY_ERROR_IO, wanted);
    cr_assert_eq(pread(fd, data, 20000, 0), 10000);
    cr_assert_arr_eq(data, source, 10000);
    close(fd);
}

static void *read_all(void *fd)
{
    GByteArray *all = g_byte_array_new();
    uint8_t piece[1000];
    ssize_t n;

    while ((n = read(GPOINTER_TO_INT(fd), piece, sizeof piece)) > 0)
        g_byte_array_append(all, piece, (unsigned)n);
    close(GPOINTER_TO_INT(fd));
    return all;
}

Test(chan_fd, more_than_a_pipe_holds_arrives_whole)
{
    g_autofree uint8_t *source = pattern_new(1 << 20, 2);
    g_autoptr(GError) error = NULL;
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    GThread *reader = g_thread_new("reader", read_all, GINT_TO_POINTER(ends[0]));
    g_autoptr(ChanOut) out = chan_out_new(chan_fd_new(ends[1]));
    for (size_t at = 0; at < 1 << 20; at += 1 << 14)
        chan_out_put(out, source + at, 1 << 14);
    assert_no_error(chan_out_finish(out, &error), error);
    g_clear_pointer(&out, chan_out_free);
    g_autoptr(GByteArray) all = g_thread_join(reader);
    assert_same_octets(all->data, all->len, source, 1 << 20);
}

Test(chan_fd, a_far_skip_in_a_file_arrives_where_it_should)
{
    g_autofree uint8_t *source = pattern_new(5 << 20, 3);
    g_autoptr(ChanIn) in = chan_in_new(chan_fd_new(file_with(source, 5 << 20)), 0);

    cr_assert_eq(chan_in_be16(in), load_be16(source));
    cr_assert(chan_in_skip(in, 4 << 20));
    cr_assert_arr_eq(chan_in_take(in, 1000), source + 2 + (4 << 20), 1000);
    cr_assert_not(chan_in_skip(in, 3 << 20));
    cr_assert(chan_in_failed(in));
}

/* --- copies ----------------------------------------------------------------------------------------------------- */

typedef struct Ticks {
    uint64_t last;
    unsigned count;
    bool grew; /* every time */
} Ticks;

static void count_tick(uint64_t done, void *data)
{
    Ticks *t = data;

    t->grew = t->grew && done > t->last;
    t->last = done;
    t->count++;
}

Test(chan_fd, a_spooled_channel_holds_the_same_and_can_seek)
{
    g_autofree uint8_t *source = pattern_new(2500000, 4), *data = g_malloc(2500001);
    g_auto(TestLog) log = {0};
    Ticks ticks = {.grew = true};
    g_autoptr(GError) error = NULL;
    g_autoptr(Chan) chan = chan_spool(&dribble_new(source, 2500000, 10007, &log)->chan, 0, count_tick, &ticks, &error);

    assert_no_error(chan != NULL, error);
    cr_assert_eq(log.freed, 1);
    cr_assert_eq(ticks.last, 2500000);
    cr_assert(ticks.grew);
    cr_assert_gt(ticks.count, 1);
    cr_assert(chan_can_seek(chan));
    cr_assert_eq(chan_size(chan), 2500000);
    cr_assert_eq(chan_read_full(chan, data, 2500001, &error), 2500000);
    cr_assert_arr_eq(data, source, 2500000);
    assert_no_error(chan_seek(chan, 1234567, &error), error);
    cr_assert_eq(chan_read_full(chan, data, 1000, &error), 1000);
    cr_assert_arr_eq(data, source + 1234567, 1000);
}

Test(chan_fd, spooling_copies_what_is_left)
{
    g_autoptr(GError) error = NULL;
    Chan *from = chan_mem_new("abcdef", 6);
    char data[10] = "";

    cr_assert_eq(chan_read_full(from, data, 2, NULL), 2);
    g_autoptr(Chan) chan = chan_spool(from, 0, NULL, NULL, &error);
    assert_no_error(chan != NULL, error);
    cr_assert_eq(chan_read_full(chan, data, sizeof data, &error), 4);
    cr_assert_arr_eq(data, "cdef", 4);
}

Test(chan_fd, spooling_what_fails_fails_and_frees_it)
{
    g_auto(TestLog) log = {0};
    TestChan *c = dribble_new("abcdef", 6, 2, &log);
    g_autoptr(GError) error = NULL;

    c->fail_at = 4;
    cr_assert_null(chan_spool(&c->chan, 0, NULL, NULL, &error));
    assert_error(error, FERRY_ERROR_IO, "the line is dead");
    cr_assert_eq(log.freed, 1);
}
