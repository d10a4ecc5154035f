/* front.c: the front of a Chardev. */
#include "tests/emu/support/front.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static size_t can_receive(void *opaque)
{
    return ((Front *)opaque)->room;
}

static void receive(void *opaque, const uint8_t *data, size_t len)
{
    Front *f = opaque;

    g_byte_array_append(f->got, data, (guint)len);
    f->most = MAX(f->most, len);
    if (f->one_at_a_time)
        f->room = 0;
}

static void event(void *opaque, ChardevEvent what)
{
    Front *f = opaque;

    f->opened += what == CHARDEV_OPENED;
    f->closed += what == CHARDEV_CLOSED;
    f->breaks += what == CHARDEV_BREAK;
}

static void writable(void *opaque)
{
    ((Front *)opaque)->writable++;
}

static void descriptors(void *opaque, const int *fds, size_t count)
{
    Front *f = opaque;

    g_array_append_vals(f->descriptors, fds, (guint)count);
    f->descriptors_at = f->got->len;
}

static const ChardevFront front_ops = {
    .can_receive = can_receive, .receive = receive, .event = event, .writable = writable};
static const ChardevFront front_ops_all = {
    .can_receive = can_receive, .receive = receive, .event = event, .writable = writable, .descriptors = descriptors};

Front *front_new(void)
{
    Front *f = g_new0(Front, 1);

    f->context = g_main_context_new();
    g_rec_mutex_init(&f->lock);
    f->home = (ChardevHome){.label = "serial0", .context = f->context, .lock = &f->lock};
    f->room = SIZE_MAX;
    f->got = g_byte_array_new();
    f->descriptors = g_array_new(FALSE, FALSE, sizeof(int));
    f->folder = g_dir_make_tmp("chardev-XXXXXX", NULL);
    cr_assert_not_null(f->folder);
    return f;
}

Chardev *front_attach(Front *f, Chardev *c)
{
    cr_assert_not_null(c);
    f->c = c;
    chardev_set_front(c, f->wants_descriptors ? &front_ops_all : &front_ops, f);
    return c;
}

void front_free(Front *f)
{
    GDir *dir = g_dir_open(f->folder, 0, NULL);
    const char *name;

    chardev_free(f->c);
    /* Nothing of it is left on the context. */
    while (g_main_context_iteration(f->context, FALSE))
        ;
    while (dir && (name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(f->folder, name, NULL);
        g_unlink(path);
    }
    if (dir)
        g_dir_close(dir);
    g_rmdir(f->folder);
    g_free(f->folder);
    g_main_context_unref(f->context);
    g_rec_mutex_clear(&f->lock);
    g_byte_array_unref(f->got);
    g_array_unref(f->descriptors);
    g_free(f);
}

char *front_path(const Front *f, const char *name)
{
    return g_build_filename(f->folder, name, NULL);
}

static gboolean wake(gpointer opaque)
{
    (void)opaque;
    return G_SOURCE_CONTINUE;
}

void front_run(Front *f, unsigned ms)
{
    int64_t end = g_get_monotonic_time() + (int64_t)ms * 1000;
    GSource *tick = g_timeout_source_new(2);

    g_source_set_callback(tick, wake, NULL, NULL);
    g_source_attach(tick, f->context);
    do
        g_main_context_iteration(f->context, TRUE);
    while (g_get_monotonic_time() < end);
    g_source_destroy(tick);
    g_source_unref(tick);
}

void front_assert_got(const Front *f, const char *text)
{
    cr_assert_eq(f->got->len, strlen(text), "%u characters came: %.*s", f->got->len, (int)f->got->len,
                 (const char *)f->got->data);
    cr_assert_arr_eq(f->got->data, text, strlen(text));
}

void front_read(Front *f, int fd, void *data, size_t len)
{
    size_t got = 0;

    for (int64_t end = g_get_monotonic_time() + PATIENCE_MS * 1000; got < len && g_get_monotonic_time() < end;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 1) == 1) {
            ssize_t n = read(fd, (char *)data + got, len - got);
            cr_assert_gt(n, 0, "after %zu characters: %s", got, n < 0 ? g_strerror(errno) : "end");
            got += (size_t)n;
        } else {
            front_run(f, 1);
        }
    }
    cr_assert_eq(got, len, "only %zu of %zu characters came", got, len);
}

void front_assert_reads(Front *f, int fd, const char *text)
{
    char data[256];

    front_read(f, fd, data, strlen(text));
    cr_assert_arr_eq(data, text, strlen(text));
}

uint8_t front_pattern(size_t i)
{
    return (uint8_t)(i * 7 + i / 251);
}

void front_assert_back_pressure(Front *f, int peer)
{
    g_autofree uint8_t *sent = g_malloc(LARGE), *got = g_malloc(LARGE);
    size_t gone = 0, read_so_far = 0;
    unsigned told = 0;

    for (size_t i = 0; i < LARGE; i++)
        sent[i] = front_pattern(i);
    /* A terminal's other side is filled by the kernel meanwhile. */
    for (size_t more = 1; more > 0; gone += more) {
        front_run(f, QUIET_MS);
        more = chardev_write(f->c, sent + gone, LARGE - gone);
    }
    cr_assert_lt(gone, LARGE);
    told = f->writable;
    front_run(f, QUIET_MS);
    cr_assert_eq(f->writable, told, "nobody has read, and yet more goes");
    while (read_so_far < LARGE) {
        size_t piece = MIN(gone - read_so_far, 65536);
        front_read(f, peer, got + read_so_far, piece);
        read_so_far += piece;
        if (read_so_far == gone && gone < LARGE) {
            FRONT_RUN_UNTIL(f, f->writable > told);
            told = f->writable;
            gone += chardev_write(f->c, sent + gone, LARGE - gone);
        }
    }
    cr_assert_gt(f->writable, 0);
    cr_assert_arr_eq(got, sent, LARGE);
}

void front_talk(Front *f, int peer)
{
    g_byte_array_set_size(f->got, 0);
    cr_assert_eq(chardev_write(f->c, "ping", 4), 4);
    front_assert_reads(f, peer, "ping");
    cr_assert_eq(write(peer, "pong", 4), 4);
    FRONT_RUN_UNTIL(f, f->got->len == 4);
    front_assert_got(f, "pong");
}
