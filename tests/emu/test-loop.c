/* test-loop.c: timers and tasks on a real clock. What is said of time here are orders and lower limits, not speeds. */
#include <criterion/criterion.h>
#include <string.h>

#include "emu/core/loop.h"
#include "emu/core/vm-clock.h"

typedef struct Fixture {
    VmClock time;
    Machine *machine;
    Loop *loop;
    Timer timer;
    unsigned fired;
    int64_t fired_at;
    GString *done;
} Fixture;

static void fire(void *opaque)
{
    Fixture *f = opaque;

    f->fired++;
    f->fired_at = clock_now(f->timer.clock);
    loop_quit(f->loop);
}

static void set_up(Fixture *f)
{
    memset(f, 0, sizeof *f);
    vm_clock_init(&f->time);
    f->machine = machine_new(&(MachineClocks){vm_clock_virtual_time, vm_clock_host_time, &f->time});
    f->loop = loop_new(f->machine, g_main_context_default());
    f->done = g_string_new(NULL);
}

static void tear_down(Fixture *f)
{
    timer_done(&f->timer);
    loop_free(f->loop);
    machine_free(f->machine);
    vm_clock_done(&f->time);
    g_string_free(f->done, TRUE);
}

static gboolean give_up(gpointer loop)
{
    loop_quit(loop);
    return G_SOURCE_REMOVE;
}

static void start(Fixture *f)
{
    machine_lock(f->machine);
    vm_clock_start(&f->time);
    loop_virtual_clock_runs(f->loop, true);
    machine_unlock(f->machine);
}

Test(loop, a_timer_fires_when_its_time_has_come_and_not_before)
{
    Fixture f;

    set_up(&f);
    timer_init(&f.timer, f.machine->virtual_clock, fire, &f);
    start(&f);
    int64_t wanted = clock_now(f.machine->virtual_clock) + 5 * NS_PER_MS;
    timer_arm(&f.timer, wanted);
    loop_run(f.loop);
    cr_assert_eq(f.fired, 1);
    cr_assert_geq(f.fired_at, wanted);
    tear_down(&f);
}

Test(loop, a_clock_that_stands_fires_nothing_until_it_runs)
{
    Fixture f;

    set_up(&f);
    timer_init(&f.timer, f.machine->virtual_clock, fire, &f);
    timer_arm(&f.timer, 0);
    guint id = g_timeout_add(20, give_up, f.loop);
    loop_run(f.loop);
    cr_assert_eq(f.fired, 0);
    cr_assert_eq(clock_now(f.machine->virtual_clock), 0);
    (void)id;
    f.loop = (loop_free(f.loop), loop_new(f.machine, g_main_context_default()));
    start(&f);
    loop_run(f.loop);
    cr_assert_eq(f.fired, 1);
    tear_down(&f);
}

Test(loop, the_host_clock_runs_always_and_tells_the_time_of_day)
{
    Fixture f;

    set_up(&f);
    timer_init(&f.timer, f.machine->host_clock, fire, &f);
    int64_t now = clock_now(f.machine->host_clock);
    cr_assert_lt(now - g_get_real_time() * 1000, 5 * (int64_t)NS_PER_SECOND);
    timer_arm(&f.timer, now + NS_PER_MS);
    loop_run(f.loop);
    cr_assert_eq(f.fired, 1);
    tear_down(&f);
}

typedef struct Word {
    Fixture *f;
    const char *text;
} Word;

static void say(void *opaque)
{
    Word *word = opaque;

    g_string_append(word->f->done, word->text);
    if (word->f->done->len == 3)
        loop_quit(word->f->loop);
}

static gpointer post_three(gpointer words)
{
    for (int i = 0; i < 3; i++)
        loop_post(((Word *)words)[0].f->loop, say, &((Word *)words)[i]);
    return NULL;
}

Test(loop, tasks_of_other_threads_are_done_in_their_order)
{
    Fixture f;

    set_up(&f);
    Word words[] = {{&f, "a"}, {&f, "b"}, {&f, "c"}};
    GThread *thread = g_thread_new("other", post_three, words);
    loop_run(f.loop);
    g_thread_join(thread);
    cr_assert_str_eq(f.done->str, "abc");
    tear_down(&f);
}

static gpointer arm_from_afar(gpointer opaque)
{
    Fixture *f = opaque;

    g_usleep(2000);
    machine_lock(f->machine);
    timer_arm(&f->timer, clock_now(f->machine->virtual_clock) + NS_PER_MS);
    machine_unlock(f->machine);
    return NULL;
}

Test(loop, a_timer_that_another_thread_arms_wakes_it)
{
    Fixture f;

    set_up(&f);
    timer_init(&f.timer, f.machine->virtual_clock, fire, &f);
    start(&f);
    GThread *thread = g_thread_new("other", arm_from_afar, &f);
    loop_run(f.loop);
    g_thread_join(thread);
    cr_assert_eq(f.fired, 1);
    tear_down(&f);
}

Test(vm_clock, it_stands_runs_and_jumps)
{
    VmClock c;

    vm_clock_init(&c);
    cr_assert_eq(vm_clock_virtual_time(&c), 0);
    vm_clock_set(&c, 1000);
    cr_assert_eq(vm_clock_virtual_time(&c), 1000);
    vm_clock_start(&c);
    g_usleep(1000);
    int64_t later = vm_clock_virtual_time(&c);
    cr_assert_geq(later, 1000 + NS_PER_MS);
    vm_clock_stop(&c);
    int64_t stood = vm_clock_virtual_time(&c);
    cr_assert_geq(stood, later);
    g_usleep(1000);
    cr_assert_eq(vm_clock_virtual_time(&c), stood);
    vm_clock_start(&c);
    vm_clock_set(&c, INT64_C(1) << 40);
    cr_assert_geq(vm_clock_virtual_time(&c), INT64_C(1) << 40);
    cr_assert_lt(vm_clock_virtual_time(&c), (INT64_C(1) << 40) + 60 * (int64_t)NS_PER_SECOND);
    vm_clock_done(&c);
}
