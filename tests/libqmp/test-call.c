/* test-call.c: commands and their replies: in whatever order, from many threads, late, and never. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <unistd.h>

#include "tests/libqmp/support/peer.h"

enum { MANY = 1000, THREADS = 8, CALLS = 300 };

/* --- replies ------------------------------------------------------------------------------------------------------ */

static void refuse(Peer *peer, void *data)
{
    int64_t id;

    peer_greet(peer, true);
    while (peer_hear(peer, &id))
        peer_say(peer, "{\"id\": %d, \"error\": %s}\r\n", (int)id, (const char *)data);
}

static void expect_refusal(const char *said, int code, const char *class, const char *message)
{
    g_autoptr(QmpSession) session = peer_session(refuse, (void *)said, NULL);
    GError *error = NULL;

    cr_expect_null(libqmp_execute(session, "x", NULL, 0, &error));
    cr_expect_eq(g_strcmp0(libqmp_error_class(error), class), 0);
    peer_expect_error(error, code, message);
}

Test(call, what_the_server_refuses_has_its_class_and_its_very_words)
{
    expect_refusal("{\"class\": \"GenericError\", \"desc\": \"50 %s\"}", LIBQMP_ERROR_GENERIC_ERROR, "GenericError",
                   "50 %s");
    expect_refusal("{\"class\": \"CommandNotFound\", \"desc\": \"a\"}", LIBQMP_ERROR_COMMAND_NOT_FOUND,
                   "CommandNotFound", "a");
    expect_refusal("{\"class\": \"DeviceNotActive\", \"desc\": \"b\"}", LIBQMP_ERROR_DEVICE_NOT_ACTIVE,
                   "DeviceNotActive", "b");
    expect_refusal("{\"class\": \"DeviceNotFound\", \"desc\": \"\"}", LIBQMP_ERROR_DEVICE_NOT_FOUND, "DeviceNotFound",
                   "");
    expect_refusal("{\"class\": \"KVMMissingCap\", \"desc\": \"c\"}", LIBQMP_ERROR_KVM_MISSING_CAP, "KVMMissingCap",
                   "c");
    expect_refusal("{\"class\": \"NewError\", \"desc\": \"d\", \"more\": 1}", LIBQMP_ERROR_OTHER_CLASS, NULL,
                   "NewError: d");
    expect_refusal("{\"class\": \"GenericError\"}", LIBQMP_ERROR_PROTOCOL, NULL, NULL);
    expect_refusal("{\"desc\": \"e\"}", LIBQMP_ERROR_PROTOCOL, NULL, NULL);
    expect_refusal("7", LIBQMP_ERROR_PROTOCOL, NULL, NULL);
}

static void answer_without_id(Peer *peer, void *data)
{
    (void)data;
    peer_greet(peer, true);
    for (int i = 0; i < 3; i++)
        peer_hear(peer, NULL);
    peer_say(peer, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error\"}}"
                   "{\"return\": 3, \"id\": 3}{\"return\": 4, \"id\": 4}");
    peer_answer_all(peer);
}

Test(call, an_error_without_an_id_is_the_oldest_calls_in_band)
{
    g_autoptr(QmpSession) session = peer_session(answer_without_id, NULL, NULL);
    LibqmpCall *calls[3];
    GError *error = NULL;

    calls[0] = libqmp_execute_start(session, "a", NULL, 0, NULL);
    calls[1] = libqmp_execute_start(session, "b", NULL, LIBQMP_OOB, NULL);
    calls[2] = libqmp_execute_start(session, "c", NULL, 0, NULL);
    cr_expect_null(libqmp_execute_finish(calls[0], &error));
    peer_expect_error(error, LIBQMP_ERROR_GENERIC_ERROR, "JSON parse error");
    for (int i = 1; i < 3; i++) {
        json_t *result = libqmp_execute_finish(calls[i], NULL);
        cr_expect_eq(json_integer_value(result), i + 2);
        json_decref(result);
    }
}

/* Answers by threes, the last one first; each says what it was. */
static void answer_backwards(Peer *peer, void *data)
{
    int64_t ids[3];
    bool oob[3];

    (void)data;
    peer_greet(peer, true);
    for (;;) {
        for (int i = 0; i < 3; i++) {
            const json_t *request = peer_hear(peer, &ids[i]);
            if (!request)
                return;
            oob[i] = json_object_get(request, "exec-oob");
        }
        for (int i = 2; i >= 0; i--)
            peer_say(peer, "{\"event\": \"BETWEEN\"}{\"return\": {\"was\": %d, \"oob\": %s}, \"id\": %d}\n", i,
                     oob[i] ? "true" : "false", (int)ids[i]);
    }
}

Test(call, replies_find_their_calls_in_any_order)
{
    g_autoptr(QmpSession) session = peer_session(answer_backwards, NULL, NULL);
    LibqmpCall *calls[9];

    for (int i = 0; i < 9; i++)
        calls[i] = libqmp_execute_start(session, "x", NULL, i % 3 == 2 ? LIBQMP_OOB : 0, NULL);
    for (int i = 0; i < 9; i++) {
        json_t *result = libqmp_execute_finish(calls[i], NULL);
        cr_expect_eq(json_integer_value(json_object_get(result, "was")), i % 3);
        cr_expect_eq(json_is_true(json_object_get(result, "oob")), i % 3 == 2);
        json_decref(result);
    }
}

static void answer_by_octets(Peer *peer, void *data)
{
    int64_t id;

    (void)data;
    peer_greet(peer, true);
    while (peer_hear(peer, &id)) {
        g_autofree char *reply = g_strdup_printf("{\"return\": {\"a\": \"}\"}, \"id\": %d}\r\n", (int)id);
        for (const char *c = reply; *c; c++) {
            peer_say_octets(peer, c, 1);
            g_usleep(300);
        }
    }
}

Test(call, a_peer_may_be_slow)
{
    g_autoptr(QmpSession) session = peer_session(answer_by_octets, NULL, NULL);

    for (int i = 0; i < 3; i++) {
        json_t *result = libqmp_execute(session, "x", NULL, 0, NULL);
        cr_expect_str_eq(json_string_value(json_object_get(result, "a")), "}");
        json_decref(result);
    }
}

/* Returns the arguments. */
static void echo(Peer *peer, void *data)
{
    const json_t *request;
    int64_t id;

    (void)data;
    peer_greet(peer, true);
    while ((request = peer_hear(peer, &id))) {
        const json_t *arguments = json_object_get(request, "arguments");
        g_autofree char *text = arguments ? json_dumps(arguments, JSON_COMPACT) : g_strdup("{}");
        peer_say(peer, "{\"return\": %s, \"id\": %d}\n", text, (int)id);
    }
}

static json_t *numbered(int64_t number)
{
    return json_pack("{s:I, s:s}", "number", (json_int_t)number, "text", "a \"quoted\" text\n\xc3\xa4");
}

Test(call, a_thousand_calls_may_be_in_flight)
{
    g_autoptr(QmpSession) session = peer_session(echo, NULL, NULL);
    static LibqmpCall *calls[MANY];

    for (int i = 0; i < MANY; i++) {
        json_t *arguments = numbered(i);
        calls[i] = libqmp_execute_start(session, "echo", arguments, 0, NULL);
        cr_assert(calls[i]);
        json_decref(arguments);
    }
    for (int i = MANY - 1; i >= 0; i--) {
        json_t *result = libqmp_execute_finish(calls[i], NULL);
        cr_expect_eq(json_integer_value(json_object_get(result, "number")), i);
        json_decref(result);
    }
}

/* Reads nothing until there are so many requests, or more than fit in the socket. */
static void read_late(Peer *peer, void *data)
{
    (void)data;
    peer_greet(peer, true);
    g_usleep(100000);
    peer_answer_all(peer);
}

Test(call, requests_that_do_not_fit_into_the_socket_wait)
{
    g_autoptr(QmpSession) session = peer_session(read_late, NULL, NULL);
    LibqmpCall *calls[10];
    g_autofree char *many = g_strnfill(1 << 20, 'x');
    json_t *arguments = json_pack("{s:s}", "a", many);

    for (int i = 0; i < 10; i++)
        calls[i] = libqmp_execute_start(session, "x", arguments, 0, NULL);
    json_decref(arguments);
    for (int i = 0; i < 10; i++) {
        json_t *result = libqmp_execute_finish(calls[i], NULL);
        cr_expect(result);
        json_decref(result);
    }
}

static void greet_and_listen(Peer *peer, void *data)
{
    (void)data;
    peer_greet(peer, true);
    while (peer_hear(peer, NULL))
        ;
}

Test(call, there_are_not_more_of_them_than_allowed)
{
    g_autoptr(QmpSession) session = peer_session(greet_and_listen, NULL, LIBQMP_SESSION_OPTIONS(.call_max = 2));
    g_autoptr(LibqmpCall) first = libqmp_execute_start(session, "x", NULL, 0, NULL);
    g_autoptr(LibqmpCall) second = libqmp_execute_start(session, "x", NULL, 0, NULL);
    GError *error = NULL;

    cr_expect(first && second);
    cr_expect_null(libqmp_execute_start(session, "x", NULL, 0, &error));
    peer_expect_error(error, LIBQMP_ERROR_LIMIT, "2 calls wait for their reply");
}

Test(call, arguments_that_are_no_object_are_refused)
{
    g_autoptr(QmpSession) session = peer_session(greet_and_listen, NULL, NULL);
    GError *error = NULL;
    json_t *number = json_integer(1);

    cr_expect_null(libqmp_execute(session, "x", number, 0, &error));
    peer_expect_error(error, LIBQMP_ERROR_ARGUMENT, NULL);
    json_decref(number);
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

typedef struct Caller {
    QmpSession *session;
    int number;
    GThread *thread;
} Caller;

static void *call_often(void *data)
{
    const Caller *caller = data;
    int right = 0;

    for (int i = 0; i < CALLS; i++) {
        int64_t number = (int64_t)caller->number * CALLS + i;
        json_t *arguments = numbered(number);
        json_t *result = libqmp_execute(caller->session, "echo", arguments, i % 5 ? 0 : LIBQMP_OOB, NULL);
        right += json_integer_value(json_object_get(result, "number")) == number;
        json_decref(arguments);
        json_decref(result);
    }
    return GINT_TO_POINTER(right);
}

Test(call, several_threads_call_at_once)
{
    g_autoptr(QmpSession) session = peer_session(echo, NULL, NULL);
    Caller callers[THREADS];

    for (int i = 0; i < THREADS; i++) {
        callers[i] = (Caller){.session = session, .number = i};
        callers[i].thread = g_thread_new("caller", call_often, &callers[i]);
    }
    for (int i = 0; i < THREADS; i++)
        cr_expect_eq(GPOINTER_TO_INT(g_thread_join(callers[i].thread)), CALLS);
}

/* --- time --------------------------------------------------------------------------------------------------------- */

/* Answers the first one when the second has come, and all others at once. */
static void answer_late(Peer *peer, void *data)
{
    int64_t first, second;

    (void)data;
    peer_greet(peer, true);
    peer_hear(peer, &first);
    peer_hear(peer, &second);
    peer_say(peer, "{\"return\": 1, \"id\": %d}{\"return\": 2, \"id\": %d}", (int)first, (int)second);
    peer_answer_all(peer);
}

Test(call, a_reply_that_does_not_come_in_time_is_thrown_away_when_it_comes)
{
    g_autoptr(QmpSession) session = peer_session(answer_late, NULL, LIBQMP_SESSION_OPTIONS(.timeout_ms = 5000));
    GError *error = NULL;

    libqmp_session_set_timeout(session, 20);
    cr_expect_null(libqmp_execute(session, "x", NULL, 0, &error));
    peer_expect_error(error, LIBQMP_ERROR_TIMEOUT, "the reply has not come in time");
    libqmp_session_set_timeout(session, 0);
    json_t *result = libqmp_execute(session, "y", NULL, 0, NULL);
    cr_expect_eq(json_integer_value(result), 2);
    json_decref(result);
}

Test(call, one_that_is_given_up_disturbs_nobody)
{
    g_autoptr(QmpSession) session = peer_session(answer_late, NULL, NULL);

    libqmp_call_cancel(libqmp_execute_start(session, "x", NULL, 0, NULL));
    json_t *result = libqmp_execute(session, "y", NULL, 0, NULL);
    cr_expect_eq(json_integer_value(result), 2);
    json_decref(result);
    libqmp_call_cancel(NULL);
}

Test(call, a_call_has_a_time_of_its_own)
{
    g_autoptr(QmpSession) session = peer_session(greet_and_listen, NULL, NULL);
    LibqmpCall *call = libqmp_execute_start(session, "x", NULL, 0, NULL);
    GError *error = NULL;

    cr_expect(!libqmp_call_wait(call, 0));
    cr_expect(!libqmp_call_wait(call, 10));
    libqmp_call_set_timeout(call, 20);
    cr_expect(libqmp_call_wait(call, -1));
    cr_expect_null(libqmp_execute_finish(call, &error));
    peer_expect_error(error, LIBQMP_ERROR_TIMEOUT, NULL);
}

static void *wait_for(void *call)
{
    return GINT_TO_POINTER(libqmp_call_wait(call, -1));
}

Test(call, a_deadline_that_another_thread_sets_counts_for_who_waits)
{
    g_autoptr(QmpSession) session = peer_session(greet_and_listen, NULL, NULL);
    g_autoptr(LibqmpCall) call = libqmp_execute_start(session, "x", NULL, 0, NULL);
    GThread *thread = g_thread_new("wait", wait_for, call);

    g_usleep(20000);
    libqmp_call_set_timeout(call, 10);
    cr_expect(g_thread_join(thread));
}

/* --- being told --------------------------------------------------------------------------------------------------- */

static void count(LibqmpCall *call, void *data)
{
    json_t *result = libqmp_execute_finish(call, NULL);

    *(int *)data += result != NULL;
    json_decref(result);
}

Test(call, who_pumps_is_told_when_calls_are_done)
{
    g_autoptr(QmpSession) session = peer_session(echo, NULL, NULL);
    int done = 0;

    for (int i = 0; i < 100; i++)
        libqmp_call_notify(libqmp_execute_start(session, "x", NULL, 0, NULL), count, &done);
    while (done < 100)
        cr_assert_gt(libqmp_session_pump(session, 5000, NULL), 0);
    cr_expect_eq(libqmp_session_pump(session, 0, NULL), 0);
}

Test(call, one_that_is_done_already_is_told_too)
{
    g_autoptr(QmpSession) session = peer_session(echo, NULL, NULL);
    LibqmpCall *call = libqmp_execute_start(session, "x", NULL, 0, NULL);
    int done = 0;

    cr_expect(libqmp_call_wait(call, -1));
    libqmp_call_notify(call, count, &done);
    cr_expect_eq(libqmp_session_pump(session, -1, NULL), 1);
    cr_expect_eq(done, 1);
}

Test(call, those_that_nobody_is_told_of_are_freed_with_the_session)
{
    QmpSession *session = peer_session(greet_and_listen, NULL, NULL);
    int done = 0;

    for (int i = 0; i < 10; i++)
        libqmp_call_notify(libqmp_execute_start(session, "x", NULL, 0, NULL), count, &done);
    libqmp_session_free(session);
    cr_expect_eq(done, 0);
}
