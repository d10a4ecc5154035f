/* test-events.c: events from any thread to who listens. */
#include <criterion/criterion.h>

#include "tests/qmp/table.h"

typedef struct Listener {
    GMainContext *context;
    QmpEvents *events;
    GPtrArray *got;  /* of char: the line behind its time */
    GThread *thread; /* that it was told on */
} Listener;

static void listen(void *opaque, const QmpEventText *text)
{
    Listener *l = opaque;
    g_autofree char *line = g_strndup((const char *)text->line, text->line_len - 2);
    const char *behind = strstr(line, "}, ");

    cr_assert(g_str_has_prefix(line, "{\"timestamp\": {\"seconds\": ") && behind, "%s", line);
    cr_assert_eq(memcmp(text->line + text->line_len - 2, "\r\n", 2), 0);
    cr_assert(memchr(text->pretty, '\n', text->pretty_len - 2));
    g_ptr_array_add(l->got, g_strdup(behind + 3));
    l->thread = g_thread_self();
}

static Listener *listener_new(void)
{
    Listener *l = g_new0(Listener, 1);

    l->context = g_main_context_new();
    l->got = g_ptr_array_new_with_free_func(g_free);
    l->events = qmp_events_new(l->context, listen, l);
    return l;
}

static void listener_free(Listener *l)
{
    qmp_events_free(l->events);
    g_ptr_array_unref(l->got);
    g_main_context_unref(l->context);
    g_free(l);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Listener, listener_free)

static void run_until(Listener *l, guint count, int64_t patience_ms)
{
    int64_t end = g_get_monotonic_time() + patience_ms * 1000;

    while (l->got->len < count && g_get_monotonic_time() < end)
        if (!g_main_context_iteration(l->context, FALSE))
            g_usleep(1000);
    cr_assert_eq(l->got->len, count, "%u events, not %u", l->got->len, count);
}

static void emit_port(QmpEvents *events, const char *event, const char *id, int64_t value)
{
    g_autofree char *name = g_strdup(id);
    const Port port = {.id = name, .value = value};

    qmp_events_emit(events, table_event(event), &port);
}

static void check(Listener *l, guint i, const char *wanted)
{
    cr_assert_str_eq(l->got->pdata[i], wanted);
}

Test(events, an_event_has_a_time_a_name_and_data_if_it_has_any)
{
    g_autoptr(Listener) l = listener_new();
    int64_t before_us = g_get_real_time();

    qmp_events_emit(l->events, table_event("STOP"), NULL);
    emit_port(l->events, "OURS", "a", 5);
    run_until(l, 2, 5000);
    check(l, 0, "\"event\": \"STOP\"}");
    check(l, 1, "\"event\": \"OURS\", \"data\": {\"id\": \"a\", \"value\": 5}}");
    cr_assert(g_get_real_time() >= before_us);
}

Test(events, nobody_listens)
{
    qmp_events_emit(NULL, table_event("STOP"), NULL);
}

Test(events, who_emits_on_the_context_is_heard_at_once)
{
    g_autoptr(Listener) l = listener_new();

    cr_assert(g_main_context_acquire(l->context));
    qmp_events_emit(l->events, table_event("STOP"), NULL);
    cr_assert_eq(l->got->len, 1);
    g_main_context_release(l->context);
}

typedef struct Emitter {
    Listener *l;
    const char *id;
} Emitter;

enum { MANY = 500, THREADS = 4 };

static void *emit_many(void *opaque)
{
    const Emitter *e = opaque;

    for (int i = 0; i < MANY; i++)
        emit_port(e->l->events, "OURS", e->id, i);
    return NULL;
}

Test(events, any_thread_may_emit_and_each_is_heard_in_its_order_on_the_context)
{
    static const char *const ids[THREADS] = {"a", "b", "c", "d"};
    g_autoptr(Listener) l = listener_new();
    Emitter emitters[THREADS];
    GThread *threads[THREADS];
    int next[THREADS] = {0};

    for (int i = 0; i < THREADS; i++) {
        emitters[i] = (Emitter){l, ids[i]};
        threads[i] = g_thread_new("emits", emit_many, &emitters[i]);
    }
    run_until(l, MANY * THREADS, 20000);
    for (int i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    for (guint i = 0; i < l->got->len; i++) {
        const char *line = l->got->pdata[i];
        int who = strstr(line, "\"id\": \"")[7] - 'a';
        g_autofree char *value = g_strdup_printf("\"value\": %d}", next[who]++);
        cr_assert(strstr(line, value), "%s, not %s", line, value);
    }
    cr_assert_eq(l->thread, g_thread_self());
}

Test(events, of_a_kind_that_comes_often_the_first_is_heard_and_a_second_later_the_last)
{
    g_autoptr(Listener) l = listener_new();
    int64_t start_us = g_get_monotonic_time();

    for (int i = 0; i < 10; i++)
        emit_port(l->events, "RTC_CHANGE", "clock", i);
    run_until(l, 1, 5000);
    check(l, 0, "\"event\": \"RTC_CHANGE\", \"data\": {\"id\": \"clock\", \"value\": 0}}");
    run_until(l, 2, 5000);
    check(l, 1, "\"event\": \"RTC_CHANGE\", \"data\": {\"id\": \"clock\", \"value\": 9}}");
    cr_assert(g_get_monotonic_time() - start_us >= G_USEC_PER_SEC, "%" G_GINT64_FORMAT,
              g_get_monotonic_time() - start_us);
    emit_port(l->events, "RTC_CHANGE", "clock", 10); /* the second of that one */
    emit_port(l->events, "STOP", "clock", 0);        /* is not held back */
    run_until(l, 3, 500);
    run_until(l, 4, 5000);
    check(l, 3, "\"event\": \"RTC_CHANGE\", \"data\": {\"id\": \"clock\", \"value\": 10}}");
}

Test(events, who_emits_on_the_context_is_held_back_too)
{
    g_autoptr(Listener) l = listener_new();

    cr_assert(g_main_context_acquire(l->context));
    for (int i = 0; i < 3; i++)
        emit_port(l->events, "RTC_CHANGE", "clock", i);
    cr_assert_eq(l->got->len, 1);
    g_main_context_release(l->context);
    run_until(l, 2, 5000);
    check(l, 1, "\"event\": \"RTC_CHANGE\", \"data\": {\"id\": \"clock\", \"value\": 2}}");
}

Test(events, some_kinds_are_held_back_for_each_object)
{
    g_autoptr(Listener) l = listener_new();

    emit_port(l->events, "VSERPORT_CHANGE", "one", 1);
    emit_port(l->events, "VSERPORT_CHANGE", "two", 2);
    emit_port(l->events, "VSERPORT_CHANGE", "one", 3);
    run_until(l, 2, 500);
    check(l, 1, "\"event\": \"VSERPORT_CHANGE\", \"data\": {\"id\": \"two\", \"value\": 2}}");
    run_until(l, 3, 5000);
    check(l, 2, "\"event\": \"VSERPORT_CHANGE\", \"data\": {\"id\": \"one\", \"value\": 3}}");
}
