/*
 * loop.c: a machine's main loop.
 *
 * Each clock has a GSource whose ready time is the clock's deadline, moved to GLib's monotonic clock. A deadline that
 * changes on another thread (a processor that arms a timer) wakes the loop, which GLib does itself.
 */
#include "emu/core/loop.h"

typedef struct ClockSource {
    GSource base;
    Loop *loop;
    Clock *clock;
    bool stands;
} ClockSource;

struct Loop {
    Machine *machine;
    GMainContext *context;
    ClockSource *virtual_source, *host_source;
    gint quit;
};

enum { NS_PER_TICK = 1000 }; /* of GLib's clock */

/* Called with the lock, by whoever moved the deadline. */
static void aim(void *opaque)
{
    ClockSource *s = opaque;
    int64_t deadline = clock_deadline(s->clock);

    if (s->stands || deadline == INT64_MAX) {
        g_source_set_ready_time(&s->base, -1);
        return;
    }
    int64_t left = MAX(deadline - clock_now(s->clock), 0);
    /* not a moment too early: it would find nothing to fire */
    g_source_set_ready_time(&s->base, g_get_monotonic_time() + left / NS_PER_TICK + (left % NS_PER_TICK != 0));
}

static gboolean fire(GSource *source, GSourceFunc callback, gpointer data)
{
    ClockSource *s = (ClockSource *)source;

    (void)callback;
    (void)data;
    machine_lock(s->loop->machine);
    if (!s->stands)
        clock_run(s->clock); /* which aims anew */
    machine_unlock(s->loop->machine);
    return G_SOURCE_CONTINUE;
}

static ClockSource *clock_source_new(Loop *loop, Clock *clock)
{
    /* GLib writes nothing to it, but does not say so */
    static const GSourceFuncs functions = {.dispatch = fire};
    ClockSource *s = (ClockSource *)g_source_new((GSourceFuncs *)&functions, sizeof *s);

    s->loop = loop;
    s->clock = clock;
    g_source_set_ready_time(&s->base, -1);
    g_source_attach(&s->base, loop->context);
    clock_set_alarm(clock, aim, s);
    return s;
}

static void clock_source_free(ClockSource *s)
{
    clock_set_alarm(s->clock, NULL, NULL);
    g_source_destroy(&s->base);
    g_source_unref(&s->base);
}

Loop *loop_new(Machine *machine, GMainContext *context)
{
    Loop *loop = g_new0(Loop, 1);

    loop->machine = machine;
    loop->context = g_main_context_ref(context);
    loop->virtual_source = clock_source_new(loop, machine->virtual_clock);
    loop->virtual_source->stands = true;
    loop->host_source = clock_source_new(loop, machine->host_clock);
    return loop;
}

void loop_free(Loop *loop)
{
    if (!loop)
        return;
    clock_source_free(loop->virtual_source);
    clock_source_free(loop->host_source);
    g_main_context_unref(loop->context);
    g_free(loop);
}

void loop_run(Loop *loop)
{
    while (!g_atomic_int_compare_and_exchange(&loop->quit, true, false))
        g_main_context_iteration(loop->context, TRUE);
}

void loop_quit(Loop *loop)
{
    g_atomic_int_set(&loop->quit, true);
    g_main_context_wakeup(loop->context);
}

/* --- tasks ------------------------------------------------------------------------------------------------------ */

typedef struct Posted {
    Loop *loop;
    LoopTask *task;
    void *opaque;
} Posted;

static gboolean do_task(gpointer data)
{
    Posted *p = data;

    machine_lock(p->loop->machine);
    p->task(p->opaque);
    machine_unlock(p->loop->machine);
    return G_SOURCE_REMOVE;
}

void loop_post(Loop *loop, LoopTask *task, void *opaque)
{
    GSource *source = g_idle_source_new();
    Posted *p = g_new(Posted, 1);

    *p = (Posted){.loop = loop, .task = task, .opaque = opaque};
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, do_task, p, g_free);
    g_source_attach(source, loop->context);
    g_source_unref(source);
}

void loop_virtual_clock_runs(Loop *loop, bool runs)
{
    loop->virtual_source->stands = !runs;
    aim(loop->virtual_source);
}
