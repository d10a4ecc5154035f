/* test-event.c: events reach who has subscribed, in order, by hand and from a main loop. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <unistd.h>

#include "tests/libqmp/support/peer.h"

/* For each request as many events as its argument "count" says, numbered on, then the reply; "die": no reply. */
static void emit(Peer *peer, void *data)
{
    const json_t *request;
    int64_t id;
    int number = 0;

    (void)data;
    peer_greet(peer, true);
    while ((request = peer_hear(peer, &id))) {
        const json_t *arguments = json_object_get(request, "arguments");
        json_int_t count = json_integer_value(json_object_get(arguments, "count"));
        for (json_int_t i = 0; i < count; i++, number++)
            peer_say(
                peer,
                "{\"timestamp\": {\"seconds\": 5, \"microseconds\": %d}, \"event\": \"%s\", \"data\": {\"n\": %d}}",
                number, number % 2 ? "ODD" : "EVEN", number);
        if (g_strcmp0(peer_command(peer), "die") == 0)
            return;
        peer_say(peer, "{\"return\": {}, \"id\": %d}", (int)id);
    }
}

static void ask(QmpSession *session, const char *command, int count)
{
    json_t *arguments = json_pack("{s:i}", "count", count);

    json_decref(libqmp_execute(session, command, arguments, 0, NULL));
    json_decref(arguments);
}

/* Notes the numbers, and how many were dropped. */
typedef struct Notes {
    GString *text;
    uint64_t dropped;
    unsigned subscription;
} Notes;

static void note(QmpSession *session, const LibqmpEvent *event, void *data)
{
    Notes *notes = data;

    (void)session;
    cr_expect_eq(event->seconds, 5);
    cr_expect_eq(event->microseconds, json_integer_value(json_object_get(event->data, "n")));
    notes->dropped += event->dropped;
    g_string_append_printf(notes->text, "%s%d ", event->name, (int)event->microseconds);
}

static void expect_notes(Notes *notes, const char *want)
{
    cr_expect_str_eq(notes->text->str, want);
    g_string_free(notes->text, TRUE);
}

Test(event, who_has_subscribed_gets_them_in_order_when_he_pumps)
{
    g_autoptr(QmpSession) session = peer_session(emit, NULL, NULL);
    Notes all = {.text = g_string_new(NULL)}, odd = {.text = g_string_new(NULL)};

    ask(session, "x", 2);
    libqmp_event_subscribe(session, NULL, note, &all);
    libqmp_event_subscribe(session, "ODD", note, &odd);
    ask(session, "x", 4);
    cr_expect_str_empty(all.text->str, "no callback comes within a call");
    cr_expect_eq(libqmp_session_pump(session, 0, NULL), 4);
    expect_notes(&all, "EVEN2 ODD3 EVEN4 ODD5 ");
    expect_notes(&odd, "ODD3 ODD5 ");
}

Test(event, those_that_nobody_fetches_are_dropped_the_oldest_first)
{
    g_autoptr(QmpSession) session = peer_session(emit, NULL, LIBQMP_SESSION_OPTIONS(.event_max = 3));
    Notes notes = {.text = g_string_new(NULL)};

    libqmp_event_subscribe(session, NULL, note, &notes);
    ask(session, "x", 100);
    libqmp_session_pump(session, 0, NULL);
    cr_expect_eq(notes.dropped, 97);
    expect_notes(&notes, "ODD97 EVEN98 ODD99 ");
}

static void note_once(QmpSession *session, const LibqmpEvent *event, void *data)
{
    note(session, event, data);
    libqmp_event_unsubscribe(session, ((Notes *)data)->subscription);
}

Test(event, a_subscription_may_end_in_its_callback)
{
    g_autoptr(QmpSession) session = peer_session(emit, NULL, NULL);
    Notes once = {.text = g_string_new(NULL)}, all = {.text = g_string_new(NULL)};

    once.subscription = libqmp_event_subscribe(session, NULL, note_once, &once);
    libqmp_event_subscribe(session, "EVEN", note, &all);
    ask(session, "x", 3);
    libqmp_session_pump(session, 0, NULL);
    expect_notes(&once, "EVEN0 ");
    expect_notes(&all, "EVEN0 EVEN2 ");
}

static void call_within(QmpSession *session, const LibqmpEvent *event, void *data)
{
    note(session, event, data);
    ask(session, "x", event->microseconds < 3);
    cr_expect_eq(libqmp_session_pump(session, -1, NULL), 0, "it is being delivered by this thread");
}

Test(event, a_callback_may_call)
{
    g_autoptr(QmpSession) session = peer_session(emit, NULL, NULL);
    Notes notes = {.text = g_string_new(NULL)};

    libqmp_event_subscribe(session, NULL, call_within, &notes);
    ask(session, "x", 1);
    while (notes.text->len < strlen("EVEN0 ODD1 EVEN2 ODD3 "))
        cr_assert_gt(libqmp_session_pump(session, 5000, NULL), 0);
    expect_notes(&notes, "EVEN0 ODD1 EVEN2 ODD3 ");
}

static void note_end(QmpSession *session, const GError *why, void *data)
{
    (void)session;
    cr_expect(g_error_matches(why, LIBQMP_ERROR, LIBQMP_ERROR_CLOSED));
    g_string_append(((Notes *)data)->text, "end");
}

Test(event, the_end_comes_behind_the_last_one_and_once)
{
    g_autoptr(QmpSession) session = peer_session(emit, NULL, NULL);
    Notes notes = {.text = g_string_new(NULL)};
    GError *error = NULL;

    libqmp_event_subscribe(session, NULL, note, &notes);
    libqmp_session_on_end(session, note_end, &notes);
    ask(session, "die", 2);
    cr_expect_eq(libqmp_session_pump(session, -1, NULL), 3);
    cr_expect_eq(libqmp_session_pump(session, -1, &error), -1);
    peer_expect_error(error, LIBQMP_ERROR_CLOSED, NULL);
    expect_notes(&notes, "EVEN0 ODD1 end");
}

/* --- a main loop -------------------------------------------------------------------------------------------------- */

typedef struct Looped {
    QmpSession *session;
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread; /* where callbacks have to be */
    int events, done;
    bool ended;
} Looped;

static void loop_event(QmpSession *session, const LibqmpEvent *event, void *data)
{
    Looped *looped = data;

    (void)session;
    cr_expect_eq(g_thread_self(), looped->thread);
    cr_expect_eq(event->microseconds, looped->events);
    looped->events++;
}

static void loop_done(LibqmpCall *call, void *data)
{
    Looped *looped = data;

    cr_expect_eq(g_thread_self(), looped->thread);
    json_decref(libqmp_execute_finish(call, NULL));
    looped->done++;
}

static void loop_end(QmpSession *session, const GError *why, void *data)
{
    Looped *looped = data;

    (void)session;
    (void)why;
    looped->ended = true;
    g_main_loop_quit(looped->loop);
}

static void *run_loop(void *data)
{
    Looped *looped = data;

    looped->thread = g_thread_self();
    g_main_loop_run(looped->loop);
    return NULL;
}

Test(event, a_main_loop_delivers_while_another_thread_calls)
{
    g_autoptr(QmpSession) session = peer_session(emit, NULL, LIBQMP_SESSION_OPTIONS(.event_max = 100000));
    Looped looped = {.session = session, .context = g_main_context_new()};

    looped.loop = g_main_loop_new(looped.context, FALSE);
    libqmp_event_subscribe(session, NULL, loop_event, &looped);
    libqmp_session_on_end(session, loop_end, &looped);
    cr_assert(libqmp_session_attach(session, looped.context, NULL));
    libqmp_call_notify(libqmp_execute_start(session, "x", NULL, 0, NULL), loop_done, &looped);
    GThread *thread = g_thread_new("loop", run_loop, &looped);
    for (int i = 0; i < 200; i++)
        ask(session, "x", 10);
    ask(session, "die", 0);
    g_thread_join(thread);
    cr_expect_eq(looped.events, 2000);
    cr_expect_eq(looped.done, 1);
    cr_expect(looped.ended);
    g_main_loop_unref(looped.loop);
    g_main_context_unref(looped.context);
}

Test(event, a_main_loop_alone_sees_timeouts_and_events)
{
    g_autoptr(QmpSession) session = peer_session(emit, NULL, NULL);
    Looped looped = {.session = session, .thread = g_thread_self()};
    json_t *arguments = json_pack("{s:i}", "count", 5);

    libqmp_event_subscribe(session, NULL, loop_event, &looped);
    cr_assert(libqmp_session_attach(session, NULL, NULL));
    GError *error = NULL;
    cr_expect(!libqmp_session_attach(session, NULL, &error));
    peer_expect_error(error, LIBQMP_ERROR_UNSUPPORTED, NULL);
    libqmp_call_notify(libqmp_execute_start(session, "x", arguments, 0, NULL), loop_done, &looped);
    json_decref(arguments);
    while (looped.events < 5 || looped.done < 1)
        g_main_context_iteration(NULL, TRUE);
    libqmp_session_detach(session);
    ask(session, "x", 5);
    g_main_context_iteration(NULL, FALSE);
    cr_expect_eq(looped.events, 5);
}

static void greet_and_listen(Peer *peer, void *data)
{
    (void)data;
    peer_greet(peer, true);
    while (peer_hear(peer, NULL))
        ;
}

Test(event, a_main_loop_alone_sees_a_timeout)
{
    g_autoptr(QmpSession) session = peer_session(greet_and_listen, NULL, LIBQMP_SESSION_OPTIONS(.timeout_ms = 2000));
    Looped looped = {.session = session, .thread = g_thread_self()};

    cr_assert(libqmp_session_attach(session, NULL, NULL));
    libqmp_session_set_timeout(session, 30);
    libqmp_call_notify(libqmp_execute_start(session, "x", NULL, 0, NULL), loop_done, &looped);
    while (looped.done < 1)
        g_main_context_iteration(NULL, TRUE);
}

Test(event, a_main_loop_does_not_spin_while_nothing_happens)
{
    g_autoptr(QmpSession) session = peer_session(greet_and_listen, NULL, NULL);
    int rounds = 0;

    cr_assert(libqmp_session_attach(session, NULL, NULL));
    for (gint64 until = g_get_monotonic_time() + 100000; g_get_monotonic_time() < until; rounds++)
        if (!g_main_context_iteration(NULL, FALSE))
            g_usleep(1000);
    cr_expect_lt(rounds, 150);
    rounds = 0;
    while (g_main_context_iteration(NULL, FALSE))
        cr_assert_lt(++rounds, 10);
}
