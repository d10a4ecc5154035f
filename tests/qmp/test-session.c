/* test-session.c: clients of QMP on a line, well-behaved and not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/qmp/table.h"

enum { PATIENCE_MS = 10000, LINES = 2 };

static const char greeting[] =
    "{\"QMP\": {\"version\": {\"qemu\": {\"major\": 7, \"minor\": 2, \"micro\": 0}, \"package\": \"";

/* A server with lines, each of which is a pair of sockets. */
typedef struct Rig {
    GMainContext *context;
    GRecMutex lock;
    QmpServer *server;
    Chardev *lines[LINES];
    int fds[LINES]; /* the clients' ends */
    GString *got[LINES];
} Rig;

static Rig *rig_new(bool pretty)
{
    Rig *r = g_new0(Rig, 1);

    r->context = g_main_context_new();
    g_rec_mutex_init(&r->lock);
    const QmpServerConfig config = {
        .table = table, .events = table_events, .event_count = G_N_ELEMENTS(table_events), .context = r->context};
    r->server = qmp_server_new(&config);
    for (int i = 0; i < LINES; i++) {
        const ChardevHome home = {.label = "qmp", .context = r->context, .lock = &r->lock};
        int pair[2];
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        r->lines[i] = chardev_new_fd(&home, pair[0], NULL);
        r->fds[i] = pair[1];
        r->got[i] = g_string_new(NULL);
        cr_assert(r->lines[i]);
        qmp_server_add(r->server, &(QmpLine){.chardev = r->lines[i], .lock = &r->lock, .pretty = pretty});
    }
    return r;
}

static void rig_free(Rig *r)
{
    qmp_server_free(r->server);
    for (int i = 0; i < LINES; i++) {
        chardev_free(r->lines[i]);
        close(r->fds[i]);
        g_string_free(r->got[i], TRUE);
    }
    g_main_context_unref(r->context);
    g_rec_mutex_clear(&r->lock);
    g_free(r);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rig, rig_free)

static void run(Rig *r)
{
    for (int i = 0; i < 100 && g_main_context_iteration(r->context, FALSE); i++)
        continue;
}

static void take(Rig *r, int i)
{
    char data[65536];
    ssize_t len = read(r->fds[i], data, sizeof data);

    if (len > 0)
        g_string_append_len(r->got[i], data, len);
}

/* Sends all, while the server works, and reads what it says. */
static void send_octets(Rig *r, int i, const char *data, size_t len)
{
    while (len) {
        ssize_t gone = write(r->fds[i], data, len);
        cr_assert(gone > 0 || errno == EAGAIN);
        data += MAX(gone, 0);
        len -= (size_t)MAX(gone, 0);
        run(r);
        take(r, i);
    }
}

static void send_text(Rig *r, int i, const char *text)
{
    send_octets(r, i, text, strlen(text));
}

/* The next line, without its end. New. */
static char *next_line(Rig *r, int i)
{
    int64_t end = g_get_monotonic_time() + PATIENCE_MS * 1000;

    while (!strstr(r->got[i]->str, "\r\n")) {
        cr_assert(g_get_monotonic_time() < end, "nothing comes but '%s'", r->got[i]->str);
        run(r);
        take(r, i);
    }
    size_t len = (size_t)(strstr(r->got[i]->str, "\r\n") - r->got[i]->str);
    char *line = g_strndup(r->got[i]->str, len);
    g_string_erase(r->got[i], 0, (gssize)len + 2);
    return line;
}

static void expect(Rig *r, int i, const char *wanted)
{
    g_autofree char *got = next_line(r, i);

    cr_assert_str_eq(got, wanted, "%s", got);
}

static void expect_with(Rig *r, int i, const char *part)
{
    g_autofree char *got = next_line(r, i);

    cr_assert(strstr(got, part), "%s, not %s", got, part);
}

static void expect_nothing(Rig *r, int i)
{
    for (int n = 0; n < 20; n++) {
        run(r);
        take(r, i);
        g_usleep(1000);
    }
    cr_assert_str_eq(r->got[i]->str, "");
}

static void negotiate(Rig *r, int i, bool oob)
{
    expect_with(r, i, greeting);
    send_text(r, i,
              oob ? "{'execute':'qmp_capabilities','arguments':{'enable':['oob']}}" : "{'execute':'qmp_capabilities'}");
    expect(r, i, "{\"return\": {}}");
}

/* --- what QMP is ------------------------------------------------------------------------------------------------ */

Test(session, a_client_is_greeted_and_must_negotiate)
{
    g_autoptr(Rig) r = rig_new(false);

    expect_with(r, 0, greeting);
    send_text(r, 0, "{'execute':'nothing','id':1}");
    expect_with(r, 0, "\"class\": \"CommandNotFound\", \"desc\": \"Expecting capabilities negotiation");
    cr_assert_eq(qmp_server_clients(r->server), 0);
    send_text(r, 0, "{'execute':'qmp_capabilities'}{'execute':'nothing','id':2}");
    expect(r, 0, "{\"return\": {}}");
    expect(r, 0, "{\"return\": {}, \"id\": 2}");
    cr_assert_eq(qmp_server_clients(r->server), 1);
}

Test(session, an_answer_can_have_a_member_a_line)
{
    g_autoptr(Rig) r = rig_new(true);

    expect_with(r, 0, "{\n \"QMP\": {\n  \"version\": {");
    send_text(r, 0, "{'execute':'qmp_capabilities','id':[1, 2]}");
    expect(r, 0, "{\n \"return\": {},\n \"id\": [1,2]\n}");
    send_text(r, 0, "{'execute':'emit','arguments':{'kind':'STOP'}}");
    expect_with(r, 0, "\n \"event\": \"STOP\"\n}");
}

Test(session, many_requests_at_once_are_answered_in_their_order)
{
    g_autoptr(Rig) r = rig_new(false);
    g_autoptr(GString) all = g_string_new(NULL);

    negotiate(r, 0, false);
    for (int i = 0; i < 5000; i++)
        g_string_append_printf(all, "{'execute':'%s','id':%d}", i % 7 == 3 ? "fail" : "nothing", i);
    send_octets(r, 0, all->str, all->len);
    for (int i = 0; i < 5000; i++) {
        g_autofree char *id = g_strdup_printf(", \"id\": %d}", i);
        expect_with(r, 0, id);
    }
    expect_nothing(r, 0);
}

Test(session, what_is_no_request_is_answered_in_its_turn)
{
    g_autoptr(Rig) r = rig_new(false);

    negotiate(r, 0, false);
    send_text(r, 0,
              "{'execute':'nothing','id':1}{'execute':@}{'execute':'nothing','id':2}\xff{'execute':'nothing','id':3}");
    expect(r, 0, "{\"return\": {}, \"id\": 1}");
    expect_with(r, 0, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error at octet 12:");
    expect(r, 0, "{\"return\": {}, \"id\": 2}");
    expect_with(r, 0, "octet 0xff");
    expect(r, 0, "{\"return\": {}, \"id\": 3}");
}

Test(session, a_request_can_come_octet_by_octet)
{
    g_autoptr(Rig) r = rig_new(false);
    static const char request[] = "{'execute' : 'add', 'arguments': {'a': 1, 'b': 2}}";

    negotiate(r, 0, false);
    for (size_t i = 0; i < sizeof request - 1; i++)
        send_octets(r, 0, request + i, 1);
    expect(r, 0, "{\"return\": 3}");
}

Test(session, what_is_out_of_band_overtakes_what_waits)
{
    g_autoptr(Rig) r = rig_new(false);

    negotiate(r, 0, true);
    send_text(r, 0,
              "{'execute':'nothing','id':1}{'execute':'nothing','id':2}{'execute':'nothing','id':3}"
              "{'exec-oob':'overtake','id':'oob'}");
    expect(r, 0, "{\"return\": {}, \"id\": \"oob\"}");
    expect(r, 0, "{\"return\": {}, \"id\": 1}");
    expect(r, 0, "{\"return\": {}, \"id\": 2}");
    expect(r, 0, "{\"return\": {}, \"id\": 3}");
}

Test(session, out_of_band_is_looked_for_only_so_far_ahead)
{
    g_autoptr(Rig) r = rig_new(false);
    g_autoptr(GString) all = g_string_new(NULL);

    negotiate(r, 0, true);
    for (int i = 0; i < 10; i++)
        g_string_append_printf(all, "{'execute':'nothing','id':%d}", i);
    g_string_append(all, "{'exec-oob':'overtake','id':'oob'}");
    send_octets(r, 0, all->str, all->len);
    for (int i = 0; i < 11; i++) {
        /* Eight are known; each that is done lets one more be known. */
        g_autofree char *id = i == 3 ? g_strdup("\"id\": \"oob\"") : g_strdup_printf("\"id\": %d}", i - (i > 3));
        expect_with(r, 0, id);
    }
}

Test(session, who_has_not_asked_for_it_has_no_out_of_band)
{
    g_autoptr(Rig) r = rig_new(false);

    negotiate(r, 0, false);
    send_text(r, 0, "{'execute':'nothing','id':1}{'exec-oob':'overtake','id':2}");
    expect(r, 0, "{\"return\": {}, \"id\": 1}");
    expect(
        r, 0,
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"QMP input member 'exec-oob' is unexpected\"}, \"id\": 2}");
}

/* --- events ----------------------------------------------------------------------------------------------------- */

Test(session, an_event_comes_to_all_who_have_negotiated_and_before_the_answer_of_its_cause)
{
    g_autoptr(Rig) r = rig_new(false);

    negotiate(r, 0, false);
    expect_with(r, 1, greeting);
    send_text(r, 0, "{'execute':'emit','arguments':{'kind':'STOP'}}");
    expect_with(r, 0, "\"event\": \"STOP\"");
    expect(r, 0, "{\"return\": {}}");
    expect_nothing(r, 1);
    send_text(r, 1, "{'execute':'qmp_capabilities'}");
    expect(r, 1, "{\"return\": {}}");
    send_text(r, 0, "{'execute':'emit','arguments':{'kind':'STOP','count':2,'other-thread':true}}");
    for (int i = 0; i < 2; i++)
        expect_with(r, 1, "\"event\": \"STOP\"");
}

Test(session, events_of_our_own_come_to_who_has_asked_for_them)
{
    g_autoptr(Rig) r = rig_new(false);

    negotiate(r, 0, false);
    negotiate(r, 1, false);
    send_text(r, 1,
              "{'execute':'hear','arguments':{'kind':'OURS'}}{'execute':'hear','arguments':{'kind':'STOP','count':0}}");
    expect(r, 1, "{\"return\": {}}");
    expect(r, 1, "{\"return\": {}}");
    send_text(r, 0, "{'execute':'emit','arguments':{'kind':'OURS'}}{'execute':'emit','arguments':{'kind':'STOP'}}");
    expect(r, 0, "{\"return\": {}}");
    expect_with(r, 0, "\"event\": \"STOP\"");
    expect(r, 0, "{\"return\": {}}");
    expect_with(r, 1, "\"event\": \"OURS\"");
    expect_nothing(r, 1);
}

/* --- bad manners ------------------------------------------------------------------------------------------------ */

Test(session, who_does_not_read_is_not_read_and_others_do_not_wait)
{
    g_autoptr(Rig) r = rig_new(false);
    g_autofree char *text = g_strnfill(1000, 'x');
    g_autofree char *request = g_strdup_printf("{'execute':'echo','arguments':{'x':'%s'}}", text);
    size_t sent = 0, len = strlen(request), blocked = 0;

    negotiate(r, 0, false);
    negotiate(r, 1, false);
    while (blocked < 50 && sent < 64u << 20) { /* it never takes a whole request less */
        ssize_t gone = write(r->fds[0], request + sent % len, len - sent % len);
        blocked = gone > 0 ? 0 : blocked + 1;
        sent += (size_t)MAX(gone, 0);
        run(r);
    }
    cr_assert(sent < 4u << 20, "%zu octets were taken of who reads nothing", sent);
    send_text(r, 1, "{'execute':'nothing'}");
    expect(r, 1, "{\"return\": {}}");
    while (sent % len) { /* it reads now, and gets all of its answers */
        ssize_t gone = write(r->fds[0], request + sent % len, len - sent % len);
        sent += (size_t)MAX(gone, 0);
        run(r);
        take(r, 0);
    }
    for (size_t i = 0; i < sent / len; i++)
        expect_with(r, 0, text);
    expect_nothing(r, 0);
}

Test(session, answers_that_are_larger_than_what_is_kept_come_all)
{
    g_autoptr(Rig) r = rig_new(false);
    g_autofree char *text = g_strnfill(QMP_SESSION_KEPT + 1000, 'x');
    g_autofree char *request = g_strdup_printf("{'execute':'echo','arguments':{'x':'%s'}}", text);

    negotiate(r, 0, false);
    for (int i = 0; i < 3; i++) {
        send_text(r, 0, request);
        send_text(r, 0, "{'execute':'nothing'}{'execute':'nothing'}");
    }
    for (int i = 0; i < 3; i++) {
        expect_with(r, 0, text);
        expect(r, 0, "{\"return\": {}}");
        expect(r, 0, "{\"return\": {}}");
    }
}

Test(session, who_misses_events_is_told_how_many)
{
    enum { ALL = 60000 };
    g_autoptr(Rig) r = rig_new(false);
    unsigned got = 0;
    uint64_t lost = 0;

    negotiate(r, 0, false);
    negotiate(r, 1, false);
    send_text(r, 1, "{'execute':'hear','arguments':{'kind':'STOP','count':0}}");
    expect(r, 1, "{\"return\": {}}");
    for (int i = 0; i < 60; i++) {
        send_text(r, 1, "{'execute':'emit','arguments':{'kind':'STOP','count':1000}}");
        expect(r, 1, "{\"return\": {}}");
    }
    while (got + lost < ALL) {
        g_autofree char *line = next_line(r, 0);
        const char *count = strstr(line, "\"count\": ");
        cr_assert(strstr(line, count ? "\"EVENTS_LOST\"" : "\"STOP\""), "%s", line);
        got += !count;
        lost += count ? g_ascii_strtoull(count + 9, NULL, 10) : 0;
    }
    cr_assert_eq(got + lost, ALL);
    cr_assert(got > 1000 && lost > 1000, "%u came, %" G_GUINT64_FORMAT " did not", got, lost);
    send_text(r, 0, "{'execute':'emit','arguments':{'kind':'STOP'}}");
    expect_with(r, 0, "\"STOP\"");
}

/* --- one after the other ---------------------------------------------------------------------------------------- */

typedef struct Switch {
    GMainContext *context;
    QmpServer *server;
    Chardev *line;
    char *folder, *path;
    unsigned quits;
} Switch;

static void count_quits(void *opaque)
{
    ((Switch *)opaque)->quits++;
}

/* A server on a real socket, to which one client after the other can come. */
static Switch *switch_new(void)
{
    Switch *s = g_new0(Switch, 1);
    GError *error = NULL;

    s->context = g_main_context_new();
    s->folder = g_dir_make_tmp("qmp-XXXXXX", NULL);
    s->path = g_build_filename(s->folder, "socket", NULL);
    const QmpServerConfig config = {.table = table,
                                    .events = table_events,
                                    .event_count = G_N_ELEMENTS(table_events),
                                    .context = s->context,
                                    .quit = count_quits,
                                    .opaque = s};
    const ChardevHome home = {.label = "qmp", .context = s->context};
    s->server = qmp_server_new(&config);
    s->line = chardev_new_socket(&home, &(ChardevSocket){.path = s->path, .server = true}, &error);
    cr_assert(s->line, "%s", error ? error->message : "");
    qmp_server_add(s->server, &(QmpLine){.chardev = s->line});
    return s;
}

static void switch_free(Switch *s)
{
    qmp_server_free(s->server);
    chardev_free(s->line);
    rmdir(s->folder);
    g_free(s->folder);
    g_free(s->path);
    g_main_context_unref(s->context);
    g_free(s);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Switch, switch_free)

static int client_new(const Switch *s)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(name.sun_path, s->path, sizeof name.sun_path);
    cr_assert_eq(connect(fd, (struct sockaddr *)&name, sizeof name), 0);
    cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* Reads until that comes. */
static void client_expect(const Switch *s, int fd, const char *part)
{
    int64_t end = g_get_monotonic_time() + PATIENCE_MS * 1000;
    g_autoptr(GString) got = g_string_new(NULL);
    char data[4096];

    while (!strstr(got->str, part)) {
        ssize_t len = read(fd, data, sizeof data);
        cr_assert(g_get_monotonic_time() < end, "'%s' does not come, but '%s'", part, got->str);
        if (len > 0)
            g_string_append_len(got, data, len);
        g_main_context_iteration(s->context, FALSE);
    }
}

static void client_say(int fd, const char *text)
{
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

Test(session, the_next_client_starts_afresh)
{
    g_autoptr(Switch) s = switch_new();
    int first = client_new(s);

    client_expect(s, first, greeting);
    client_say(first, "{'execute':'qmp_capabilities'}{'execute':'hear','arguments':{'kind':'OURS'}}{'execute':'noth");
    client_expect(s, first, "{\"return\": {}}\r\n{\"return\": {}}");
    close(first);
    int second = client_new(s);
    client_expect(s, second, greeting);
    client_say(second, "{'execute':'nothing'}{'execute':'qmp_capabilities','id':7}");
    client_expect(s, second, "before the command nothing\"}}\r\n{\"return\": {}, \"id\": 7}");
    client_say(second, "{'execute':'emit','arguments':{'kind':'OURS'},'id':8}");
    client_expect(s, second, "{\"return\": {}, \"id\": 8}");
    close(second);
}

Test(session, what_a_client_has_asked_for_is_done_though_it_has_gone)
{
    g_autoptr(Switch) s = switch_new();

    for (unsigned i = 1; i <= 50; i++) {
        int fd = client_new(s), other;
        client_expect(s, fd, greeting);
        client_say(fd, "{'execute':'qmp_capabilities'}{'execute':'nothing'}{'execute':'quit'}");
        close(fd);
        other = client_new(s);
        client_expect(s, other, greeting);
        cr_assert_eq(s->quits, i);
        close(other);
    }
}

Test(session, a_thousand_clients_go_in_the_middle_of_a_command)
{
    static const char session[] =
        "{'execute':'qmp_capabilities'}{'execute':'echo','arguments':{'a':[1,{'b':\"c\\u0041\"}]},'id':'x'}";
    g_autoptr(Switch) s = switch_new();

    for (int i = 0; i < 1000; i++) {
        int fd = client_new(s);
        if (i % 3)
            client_expect(s, fd, greeting);
        size_t len = 1 + (size_t)i % (sizeof session - 1);
        cr_assert_eq(write(fd, session, len), (ssize_t)len);
        for (int n = i % 5; n > 0; n--)
            g_main_context_iteration(s->context, FALSE);
        close(fd);
    }
    int fd = client_new(s);
    client_expect(s, fd, greeting);
    client_say(fd, session);
    client_expect(s, fd, "{\"return\": {\"a\": [1, {\"b\": \"cA\"}]}, \"id\": \"x\"}");
    close(fd);
}
