/* test-session.c: sessions begin, end, and break. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/libqmp/support/peer.h"

/* --- the beginning ------------------------------------------------------------------------------------------------ */

/* Says greeting and reply as QEMU 7.2 does, and keeps what qmp_capabilities was given. */
static void greet_and_note(Peer *peer, void *data)
{
    int64_t id;

    peer_say(peer, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \"major\": 7}, \"package\": "
                   "\"Debian\"}, \"capabilities\": [\"new\", \"oob\"]}}\r\n");
    const json_t *request = peer_hear(peer, &id);
    *(char **)data = json_dumps(request, JSON_COMPACT);
    peer_say(peer, "{\"return\": {}, \"id\": %d}", (int)id);
    peer_answer_all(peer);
}

static QmpSession *open_noting(char **noted, const LibqmpSessionOptions *options)
{
    return peer_session(greet_and_note, noted, options);
}

Test(session, oob_is_enabled_if_it_is_offered)
{
    g_autofree char *noted = NULL;
    g_autoptr(QmpSession) session = open_noting(&noted, NULL);

    cr_expect_str_eq(noted, "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]},\"id\":1}");
    cr_expect(libqmp_session_has_oob(session));
    const json_t *version = json_object_get(libqmp_session_greeting(session), "version");
    cr_expect_str_eq(json_string_value(json_object_get(version, "package")), "Debian");
    cr_expect_null(libqmp_session_error(session));
}

Test(session, oob_is_not_enabled_if_the_caller_does_not_want_it)
{
    g_autofree char *noted = NULL;
    g_autoptr(QmpSession) session = open_noting(&noted, LIBQMP_SESSION_OPTIONS(.no_oob = true));
    GError *error = NULL;

    cr_expect_str_eq(noted, "{\"execute\":\"qmp_capabilities\",\"id\":1}");
    cr_expect(!libqmp_session_has_oob(session));
    cr_expect_null(libqmp_execute(session, "x", NULL, LIBQMP_OOB, &error));
    peer_expect_error(error, LIBQMP_ERROR_UNSUPPORTED, NULL);
}

Test(session, options_of_a_program_that_knows_fewer_of_them_are_read_as_far_as_they_go)
{
    g_autofree char *noted = NULL;
    LibqmpSessionOptions options = {.size = G_STRUCT_OFFSET(LibqmpSessionOptions, no_oob), .no_oob = true};
    g_autoptr(QmpSession) session = open_noting(&noted, &options);

    cr_expect(libqmp_session_has_oob(session));
}

typedef struct Garbage {
    const char *text;
    int code;
} Garbage;

static void say_garbage(Peer *peer, void *data)
{
    peer_say(peer, "%s", ((const Garbage *)data)->text);
}

Test(session, who_does_not_greet_as_qmp_does_is_refused)
{
    static const Garbage all[] = {
        {"", LIBQMP_ERROR_CLOSED},
        {"{\"QMP\": {\"version\"", LIBQMP_ERROR_CLOSED},
        {"220 mail.example.org ESMTP\r\n", LIBQMP_ERROR_PROTOCOL},
        {"{\"return\": {}}", LIBQMP_ERROR_PROTOCOL},
        {"{\"QMP\": 1}", LIBQMP_ERROR_PROTOCOL},
        {"{\"QMP\": {}} garbage", LIBQMP_ERROR_PROTOCOL},
        {"{\"QMP\": {}}{\"return\": {}, \"id\": 7}", LIBQMP_ERROR_PROTOCOL},
        {"{\"QMP\": {}}{\"return\": {}, \"id\": \"1\"}", LIBQMP_ERROR_PROTOCOL},
        {"{\"QMP\": {}}{\"return\": {}}", LIBQMP_ERROR_PROTOCOL},
        {"{\"QMP\": {}}{\"QMP\": {}}", LIBQMP_ERROR_PROTOCOL},
        {"{\"QMP\": {}}{\"error\": {}, \"id\": 1}", LIBQMP_ERROR_PROTOCOL},
        {"{\"QMP\": {\"capabilities\": [1, null, {}]}}", LIBQMP_ERROR_CLOSED},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        GError *error = NULL;
        cr_expect_null(libqmp_session_new_fd(peer_start(say_garbage, (void *)&all[i]), NULL, &error));
        cr_expect(error && error->code == all[i].code, "%s: %s", all[i].text, error ? error->message : "no error");
        g_clear_error(&error);
    }
}

static void say_nothing(Peer *peer, void *data)
{
    (void)data;
    peer_hear(peer, NULL);
}

Test(session, who_never_greets_is_not_waited_for_longer_than_allowed)
{
    GError *error = NULL;

    cr_expect_null(
        libqmp_session_new_fd(peer_start(say_nothing, NULL), LIBQMP_SESSION_OPTIONS(.timeout_ms = 20), &error));
    peer_expect_error(error, LIBQMP_ERROR_TIMEOUT, "the peer has not greeted within 20 ms");
}

/* --- addresses ---------------------------------------------------------------------------------------------------- */

Test(session, an_address_that_is_none_is_refused)
{
    static const char *const wrong[] = {"",          "socket", "tcp:",  "tcp:host", "tcp::1",
                                        "tcp:host:", "fd:",    "fd:-1", "fd:1x",    "fd:99999999999"};

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        GError *error = NULL;
        cr_expect_null(libqmp_session_connect(wrong[i], NULL, &error), "%s", wrong[i]);
        peer_expect_error(error, LIBQMP_ERROR_ARGUMENT, NULL);
    }
    g_autofree char *longer = g_strnfill(200, 'x');
    GError *error = NULL;
    cr_expect_null(libqmp_session_new_unix(longer, NULL, &error));
    peer_expect_error(error, LIBQMP_ERROR_ARGUMENT, NULL);
}

Test(session, where_nobody_listens_there_is_no_session)
{
    GError *error = NULL;

    cr_expect_null(libqmp_session_connect("unix:/nonexistent/socket", NULL, &error));
    peer_expect_error(error, LIBQMP_ERROR_CONNECT, "/nonexistent/socket: No such file or directory");
    error = NULL;
    cr_expect_null(libqmp_session_connect("tcp:127.0.0.1:1", NULL, &error));
    peer_expect_error(error, LIBQMP_ERROR_CONNECT, "tcp:127.0.0.1:1: Connection refused");
    error = NULL;
    cr_expect_null(libqmp_session_connect("fd:1000000", NULL, &error));
    peer_expect_error(error, LIBQMP_ERROR_CONNECT, "fd:1000000: Bad file descriptor");
}

static void greet_and_answer(Peer *peer, void *data)
{
    (void)data;
    peer_greet(peer, true);
    peer_answer_all(peer);
}

Test(session, a_descriptor_is_an_address)
{
    g_autofree char *address = g_strdup_printf("fd:%d", peer_start(greet_and_answer, NULL));
    g_autoptr(QmpSession) session = libqmp_session_connect(address, NULL, NULL);

    cr_assert(session);
    json_t *result = libqmp_execute(session, "stop", NULL, 0, NULL);
    cr_expect(json_is_object(result));
    json_decref(result);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static void die_after(Peer *peer, void *data)
{
    static const char reply[] = "{\"event\": \"A\"}{\"return\": {\"a\": [1, \"x\"]}, \"id\": 2}";

    peer_greet(peer, true);
    peer_hear(peer, NULL);
    peer_say_octets(peer, reply, GPOINTER_TO_SIZE(data));
    if (GPOINTER_TO_SIZE(data) == sizeof reply - 1)
        peer_answer_all(peer);
}

Test(session, a_peer_that_dies_at_any_octet_of_its_reply_ends_the_wait)
{
    const size_t size = strlen("{\"event\": \"A\"}{\"return\": {\"a\": [1, \"x\"]}, \"id\": 2}");

    for (size_t octets = 0; octets < size; octets++) {
        GError *error = NULL;
        g_autoptr(QmpSession) session = peer_session(die_after, GSIZE_TO_POINTER(octets), NULL);
        cr_expect_null(libqmp_execute(session, "query-a", NULL, 0, &error));
        peer_expect_error(error, LIBQMP_ERROR_CLOSED, NULL);
        error = NULL;
        cr_expect_null(libqmp_execute(session, "query-b", NULL, 0, &error));
        peer_expect_error(error, LIBQMP_ERROR_CLOSED, NULL);
    }
    g_autoptr(QmpSession) session = peer_session(die_after, GSIZE_TO_POINTER(size), NULL);
    json_t *result = libqmp_execute(session, "query-a", NULL, 0, NULL);
    cr_expect_eq(json_array_size(json_object_get(result, "a")), 2);
    json_decref(result);
}

static void *close_soon(void *session)
{
    g_usleep(20000);
    libqmp_session_close(session);
    return NULL;
}

static void greet_and_listen(Peer *peer, void *data)
{
    (void)data;
    peer_greet(peer, true);
    while (peer_hear(peer, NULL))
        ;
}

static void *call_in_vain(void *session)
{
    GError *error = NULL;

    cr_expect_null(libqmp_execute(session, "x", NULL, 0, &error));
    return error;
}

Test(session, closing_it_ends_every_wait_of_every_thread)
{
    g_autoptr(QmpSession) session = peer_session(greet_and_listen, NULL, NULL);
    GThread *waiting[4], *closing = g_thread_new("close", close_soon, session);

    for (size_t i = 0; i < G_N_ELEMENTS(waiting); i++)
        waiting[i] = g_thread_new("wait", call_in_vain, session);
    for (size_t i = 0; i < G_N_ELEMENTS(waiting); i++)
        peer_expect_error(g_thread_join(waiting[i]), LIBQMP_ERROR_CANCELLED, "the session is closed");
    g_thread_join(closing);
    g_autoptr(GError) why = libqmp_session_error(session);
    cr_expect(g_error_matches(why, LIBQMP_ERROR, LIBQMP_ERROR_CANCELLED));
}

Test(session, a_call_outlives_its_session)
{
    QmpSession *session = peer_session(greet_and_listen, NULL, NULL);
    LibqmpCall *call = libqmp_execute_start(session, "x", NULL, 0, NULL);
    GError *error = NULL;

    libqmp_session_free(session);
    cr_expect_null(libqmp_execute_finish(call, &error));
    peer_expect_error(error, LIBQMP_ERROR_CANCELLED, NULL);
}

static void say_after_greeting(Peer *peer, void *data)
{
    peer_greet(peer, true);
    peer_hear(peer, NULL);
    peer_say(peer, "%s", (const char *)data);
    peer_answer_all(peer);
}

Test(session, a_peer_that_talks_nonsense_ends_the_session)
{
    static const char *const all[] = {
        "nonsense",
        "[1]",
        "{\"return\": }",
        "{\"id\": 2}",
        "{\"event\": 1}",
        "{\"return\": {}, \"id\": 1}",
        "{\"return\": {}, \"id\": 3}",
        "{\"return\": {}, \"id\": 2.0}",
        "{\"return\": {}}",
        "{\"QMP\": {}}",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++) {
        GError *error = NULL;
        g_autoptr(QmpSession) session = peer_session(say_after_greeting, (void *)all[i], NULL);
        cr_expect_null(libqmp_execute(session, "x", NULL, 0, &error), "%s", all[i]);
        peer_expect_error(error, LIBQMP_ERROR_PROTOCOL, NULL);
    }
}

static void say_much(Peer *peer, void *data)
{
    g_autofree char *many = g_strnfill(1 << 20, 'x');

    (void)data;
    peer_greet(peer, true);
    peer_hear(peer, NULL);
    peer_say(peer, "{\"return\": {\"a\": \"");
    for (int i = 0; i < 64; i++)
        peer_say_octets(peer, many, 1 << 20);
    peer_say(peer, "\"}, \"id\": 2}");
}

Test(session, a_reply_that_is_too_large_ends_the_session)
{
    GError *error = NULL;
    g_autoptr(QmpSession) session = peer_session(say_much, NULL, LIBQMP_SESSION_OPTIONS(.reply_max = 3 << 20));

    cr_expect_null(libqmp_execute(session, "x", NULL, 0, &error));
    peer_expect_error(error, LIBQMP_ERROR_LIMIT, "what the peer sends is larger than 3145728 octets");
}

Test(session, a_reply_of_many_megabytes_comes_whole_if_it_is_allowed)
{
    g_autoptr(QmpSession) session = peer_session(say_much, NULL, LIBQMP_SESSION_OPTIONS(.reply_max = 65 << 20));
    json_t *result = libqmp_execute(session, "x", NULL, 0, NULL);

    cr_expect_eq(json_string_length(json_object_get(result, "a")), 64 << 20);
    json_decref(result);
}

/* --- what goes over the wire -------------------------------------------------------------------------------------- */

static void note(bool sent, const char *text, size_t size, void *data)
{
    g_string_append_printf(data, "%c%.*s\n", sent ? '>' : '<', (int)size, text);
}

static void answer_with_much(Peer *peer, void *data)
{
    (void)data;
    peer_say(peer, "{\"QMP\": {\"capabilities\": []}}\r\n");
    peer_hear(peer, NULL);
    peer_say(peer, "{\"return\": {}, \"id\": 1}{\"event\": \"X\"}");
    peer_hear(peer, NULL);
    peer_say(peer, "{\"return\": 18446744073709551615, \"id\": 2}\n");
}

Test(session, a_trace_has_all_that_goes_over_the_wire_as_it_is)
{
    g_autoptr(GString) seen = g_string_new(NULL);
    g_autoptr(QmpSession) session =
        peer_session(answer_with_much, NULL, LIBQMP_SESSION_OPTIONS(.trace = note, .trace_data = seen));
    json_t *arguments = json_pack("{s:i}", "a", 1), *result = libqmp_execute(session, "x", arguments, 0, NULL);

    cr_expect_str_eq(json_string_value(result), "18446744073709551615");
    cr_expect_str_eq(seen->str, "<{\"QMP\": {\"capabilities\": []}}\n"
                                ">{\"execute\":\"qmp_capabilities\",\"id\":1}\n"
                                "<{\"return\": {}, \"id\": 1}\n"
                                "<{\"event\": \"X\"}\n"
                                ">{\"execute\":\"x\",\"arguments\":{\"a\":1},\"id\":2}\n"
                                "<{\"return\": 18446744073709551615, \"id\": 2}\n");
    json_decref(arguments);
    json_decref(result);
}

/* --- descriptors -------------------------------------------------------------------------------------------------- */

/* Tells of each "getfd" what kind of file came along, and answers. */
static void tell_files(Peer *peer, void *data)
{
    struct stat status;
    int64_t id;

    peer_greet(peer, false);
    while (peer_hear(peer, &id)) {
        int fd = g_str_equal(peer_command(peer), "getfd") ? peer_take_fd(peer) : -1;
        g_string_append(data, fd < 0 || fstat(fd, &status) != 0 ? "-" : S_ISFIFO(status.st_mode) ? "p" : "c");
        if (fd >= 0)
            close(fd);
        peer_say(peer, "{\"return\": {}, \"id\": %d}", (int)id);
    }
}

Test(session, a_descriptor_goes_along_with_the_next_command_and_no_other)
{
    static const char plan[] = "-c-pp-c", *const names[] = {"query-status", "getfd"};
    LibqmpCall *calls[sizeof plan - 1];
    g_autoptr(GString) told = g_string_new(NULL);
    g_autoptr(QmpSession) session = peer_session(tell_files, told, NULL);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), ends[2];

    cr_assert_eq(pipe(ends), 0);
    for (size_t i = 0; plan[i]; i++) { /* without a look at answers */
        if (plan[i] != '-')
            cr_assert(libqmp_session_send_fd(session, plan[i] == 'p' ? ends[0] : null, NULL));
        calls[i] = libqmp_execute_start(session, names[plan[i] != '-'], NULL, 0, NULL);
        cr_assert_not_null(calls[i]);
    }
    close(null);
    close(ends[0]);
    for (size_t i = 0; plan[i]; i++)
        json_decref(libqmp_execute_finish(calls[i], NULL));
    cr_expect_str_eq(told->str, plan);
    close(ends[1]);
}

Test(session, the_last_descriptor_that_was_given_goes_along)
{
    g_autoptr(GString) told = g_string_new(NULL);
    g_autoptr(QmpSession) session = peer_session(tell_files, told, NULL);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC), ends[2];
    GError *error = NULL;

    cr_assert_eq(pipe(ends), 0);
    cr_expect(libqmp_session_send_fd(session, null, NULL) && libqmp_session_send_fd(session, ends[0], NULL));
    json_decref(libqmp_execute(session, "getfd", NULL, 0, NULL));
    json_decref(libqmp_execute(session, "getfd", NULL, 0, NULL));
    cr_expect_str_eq(told->str, "p-");
    cr_expect(libqmp_session_send_fd(session, null, NULL)); /* nobody takes it: it is closed with the session */
    close(null);
    close(ends[0]);
    close(ends[1]);
    cr_expect_not(libqmp_session_send_fd(session, null, &error));
    peer_expect_error(error, LIBQMP_ERROR_ARGUMENT, NULL);
}

/* A transport as a program has it that was built before there were descriptors. */
static ssize_t read_fd(void *peer, void *data, size_t size)
{
    return recv(GPOINTER_TO_INT(peer), data, size, MSG_DONTWAIT);
}

static ssize_t write_fd(void *peer, const void *data, size_t size)
{
    return send(GPOINTER_TO_INT(peer), data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int wait_fd(void *peer, short events, int wake, int timeout_ms)
{
    return libqmp_transport_poll(GPOINTER_TO_INT(peer), events, wake, timeout_ms);
}

static void close_fd(void *peer)
{
    close(GPOINTER_TO_INT(peer));
}

Test(session, a_transport_that_is_older_than_descriptors_takes_none)
{
    const QmpTransport old = {.size = G_STRUCT_OFFSET(QmpTransport, write_fd),
                              .read = read_fd,
                              .write = write_fd,
                              .wait = wait_fd,
                              .close = close_fd,
                              .write_fd = (ssize_t(*)(void *, const void *, size_t, int))(void (*)(void))abort};
    g_autoptr(GString) told = g_string_new(NULL);
    GError *error = NULL;

    g_autoptr(QmpSession) session =
        libqmp_session_new(&old, GINT_TO_POINTER(peer_start(tell_files, told)), NULL, &error);
    cr_assert_not_null(session);
    cr_expect_not(libqmp_session_send_fd(session, 0, &error));
    peer_expect_error(error, LIBQMP_ERROR_UNSUPPORTED, "descriptors go over unix sockets only");
    json_decref(libqmp_execute(session, "getfd", NULL, 0, NULL));
    cr_expect_str_eq(told->str, "-");
}
