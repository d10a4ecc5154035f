/* test-transport.c: what goes out one way comes in the other. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "vmstate/transport.h"

enum { OCTETS = 3 << 20 };

typedef struct Fixture {
    char *folder;
    uint8_t *octets;
} Fixture;

static void set_up(Fixture *f)
{
    f->folder = g_dir_make_tmp("transport-XXXXXX", NULL);
    f->octets = g_malloc(OCTETS);
    for (size_t i = 0; i < OCTETS; i++)
        f->octets[i] = (uint8_t)(i * 7 + i / 251);
    signal(SIGPIPE, SIG_IGN);
}

static void tear_down(Fixture *f)
{
    cr_assert_eq(g_rmdir(f->folder), 0, "something is left in %s", f->folder);
    g_free(f->folder);
    g_free(f->octets);
}

static char *in_folder(const Fixture *f, const char *kind, const char *name)
{
    return g_strconcat(kind, f->folder, "/", name, NULL);
}

/* Writes all there is; the message of what went wrong, or NULL. */
static char *send_all(const Fixture *f, const char *uri)
{
    g_autoptr(GError) error = NULL;
    Chan *chan = transport_open(uri, &error);

    if (!chan)
        return g_strdup(error->message);
    g_autoptr(ChanOut) out = chan_out_new(chan);
    for (size_t done = 0; done < OCTETS; done += 4096)
        chan_out_put(out, f->octets + done, 4096);
    return chan_out_finish(out, &error) ? NULL : g_strdup(error->message);
}

static void check_received(const Fixture *f, Transport *t)
{
    g_autofree uint8_t *got = g_malloc(OCTETS + 1);
    g_autoptr(GError) error = NULL;
    g_autoptr(Chan) chan = transport_accept(t, &error);

    cr_assert_not_null(chan, "%s", error ? error->message : "");
    gssize n = chan_read_full(chan, got, OCTETS + 1, &error);
    cr_assert_eq(n, OCTETS, "%zd octets; %s", n, error ? error->message : "");
    cr_assert(memcmp(got, f->octets, OCTETS) == 0);
}

typedef struct Sender {
    const Fixture *f;
    char *uri, *wrong;
} Sender;

static gpointer send_in_thread(gpointer data)
{
    Sender *s = data;

    s->wrong = send_all(s->f, s->uri);
    return NULL;
}

static void check_connection(const Fixture *f, const char *listen_at)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Transport) t = transport_listen(listen_at, &error);

    cr_assert_not_null(t, "%s", error ? error->message : "");
    Sender sender = {.f = f, .uri = g_strdup(transport_address(t))};
    GThread *thread = g_thread_new("sender", send_in_thread, &sender);
    check_received(f, t);
    g_thread_join(thread);
    cr_assert_null(sender.wrong, "%s", sender.wrong);
    g_free(sender.uri);
}

Test(transport, through_sockets)
{
    Fixture f;

    set_up(&f);
    g_autofree char *local = in_folder(&f, "unix:", "socket");
    check_connection(&f, local);
    check_connection(&f, "tcp:127.0.0.1:0");
    check_connection(&f, "tcp:[::1]:0");
    tear_down(&f);
}

Test(transport, through_a_file_that_is_there_only_when_it_is_whole)
{
    Fixture f;
    g_autoptr(GError) error = NULL;

    set_up(&f);
    g_autofree char *uri = in_folder(&f, "file:", "stream");
    const char *path = uri + strlen("file:");
    Chan *half = transport_open(uri, &error);
    cr_assert_not_null(half, "%s", error ? error->message : "");
    cr_assert_neq(access(path, F_OK), 0);
    chan_free(half);
    cr_assert_neq(access(path, F_OK), 0);
    cr_assert(g_file_set_contents(path, "what was there", -1, NULL));
    cr_assert_null(send_all(&f, uri));
    g_autoptr(Transport) t = transport_listen(uri, &error);
    check_received(&f, t);
    cr_assert_eq(g_unlink(path), 0);
    tear_down(&f);
}

Test(transport, through_commands)
{
    Fixture f;
    g_autoptr(GError) error = NULL;

    set_up(&f);
    g_autofree char *out = g_strdup_printf("exec:gzip -1 >%s/packed", f.folder);
    g_autofree char *in = g_strdup_printf("exec:gzip -d <%s/packed", f.folder);
    g_autofree char *packed = g_build_filename(f.folder, "packed", NULL);
    cr_assert_null(send_all(&f, out));
    g_autoptr(Transport) t = transport_listen(in, &error);
    check_received(&f, t);
    cr_assert_eq(g_unlink(packed), 0);
    tear_down(&f);
}

Test(transport, a_command_that_fails_fails_the_stream)
{
    Fixture f;

    set_up(&f);
    g_autofree char *status = send_all(&f, "exec:cat >/dev/null; exit 3");
    cr_assert_str_eq(status, "exec:cat >/dev/null; exit 3: the command has ended with status 3");
    g_autofree char *early = send_all(&f, "exec:true");
    cr_assert_str_eq(early, "exec:true: writing failed: Broken pipe");
    tear_down(&f);
}

Test(transport, through_a_descriptor_that_stays_open)
{
    Fixture f;
    g_autoptr(GError) error = NULL;

    set_up(&f);
    g_autofree char *path = g_build_filename(f.folder, "stream", NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    g_autofree char *uri = g_strdup_printf("fd:%d", fd);
    cr_assert_null(send_all(&f, uri));
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    g_autoptr(Transport) t = transport_listen(uri, &error);
    check_received(&f, t);
    close(fd);
    cr_assert_eq(g_unlink(path), 0);
    tear_down(&f);
}

Test(transport, what_is_no_name_is_refused)
{
    static const struct {
        const char *uri, *message;
    } wrong[] = {
        {"", ": no way to move a stream: it must begin with file:, exec:, fd:, unix: or tcp:"},
        {"rdma:host:1", "rdma:host:1: no way to move a stream: it must begin with file:, exec:, fd:, unix: or tcp:"},
        {"file:", "file:: there is nothing behind the colon"},
        {"fd:x", "fd:x: this is no number of a descriptor"},
        {"fd:987654", "fd:987654: this descriptor is not open: Bad file descriptor"},
        {"tcp:host", "tcp:host: it must be tcp:HOST:PORT"},
        {"tcp:host:", "tcp:host:: it must be tcp:HOST:PORT"},
        {"file:no/such/folder/stream", "file:no/such/folder/stream: it cannot be made: No such file or directory"},
        {"unix:no/such/socket", "unix:no/such/socket: connecting: No such file or directory"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        cr_assert_null(transport_open(wrong[i].uri, &error), "%s", wrong[i].uri);
        cr_assert_str_eq(error->message, wrong[i].message);
    }
    g_autoptr(GError) error = NULL;
    cr_assert_null(transport_listen("file:no/such/stream", &error));
    cr_assert_not_null(strstr(error->message, "no/such/stream"), "%s", error->message);
}

static gpointer cancel_later(gpointer transport)
{
    g_usleep(20000);
    transport_cancel(transport);
    return NULL;
}

Test(transport, waiting_can_be_cancelled)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Transport) t = transport_listen("tcp:127.0.0.1:0", &error);

    cr_assert_not_null(t, "%s", error ? error->message : "");
    GThread *thread = g_thread_new("cancel", cancel_later, t);
    cr_assert_null(transport_accept(t, &error));
    g_thread_join(thread);
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT));
    cr_assert_str_eq(error->message, "tcp:127.0.0.1:0: nobody connected before it was cancelled");
}
