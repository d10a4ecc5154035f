/* test-clock.c: timers on a clock that is turned by hand. */
#include <criterion/criterion.h>
#include <glib.h>

#include "emu/core/clock.h"

typedef struct Fixture {
    Clock *clock;
    int64_t now;
    Timer timers[4];
    GString *fired;
    unsigned changes;
    int64_t again; /* the first timer arms itself again so much later */
} Fixture;

static int64_t read_time(void *opaque)
{
    return ((Fixture *)opaque)->now;
}

static void changed(void *opaque)
{
    ((Fixture *)opaque)->changes++;
}

typedef struct Named {
    Fixture *f;
    char name;
} Named;

static void fire(void *opaque)
{
    Named *named = opaque;

    g_string_append_c(named->f->fired, named->name);
    if (named->name == 'a' && named->f->again)
        timer_arm(&named->f->timers[0], named->f->now + named->f->again);
}

static void set_up(Fixture *f, Named named[4])
{
    *f = (Fixture){.fired = g_string_new(NULL)};
    f->clock = clock_new(read_time, f);
    for (int i = 0; i < 4; i++) {
        named[i] = (Named){.f = f, .name = (char)('a' + i)};
        timer_init(&f->timers[i], f->clock, fire, &named[i]);
    }
}

static void tear_down(Fixture *f)
{
    for (int i = 0; i < 4; i++)
        timer_done(&f->timers[i]);
    clock_free(f->clock);
    g_string_free(f->fired, TRUE);
}

Test(clock, timers_fire_in_the_order_of_their_expiry_and_then_of_arming)
{
    Named named[4];
    Fixture f;

    set_up(&f, named);
    timer_arm(&f.timers[0], 30);
    timer_arm(&f.timers[1], 10);
    timer_arm(&f.timers[2], 30);
    timer_arm(&f.timers[3], 20);
    cr_assert_eq(clock_deadline(f.clock), 10);
    f.now = 9;
    clock_run(f.clock);
    cr_assert_str_eq(f.fired->str, "");
    f.now = 30;
    clock_run(f.clock);
    cr_assert_str_eq(f.fired->str, "bdac");
    cr_assert_eq(clock_deadline(f.clock), INT64_MAX);
    tear_down(&f);
}

Test(clock, arming_again_moves_a_timer_and_disarming_takes_it_out)
{
    Named named[4];
    Fixture f;

    set_up(&f, named);
    timer_arm(&f.timers[0], 10);
    timer_arm(&f.timers[1], 20);
    timer_arm(&f.timers[0], 30);
    timer_arm(&f.timers[2], 15);
    timer_disarm(&f.timers[2]);
    timer_disarm(&f.timers[2]);
    cr_assert_eq(timer_expiry(&f.timers[0]), 30);
    cr_assert_eq(timer_expiry(&f.timers[2]), TIMER_NEVER);
    cr_assert_not(timer_armed(&f.timers[2]));
    f.now = 100;
    clock_run(f.clock);
    cr_assert_str_eq(f.fired->str, "ba");
    tear_down(&f);
}

Test(clock, a_timer_that_arms_itself_again_fires_once_an_expiry)
{
    Named named[4];
    Fixture f;

    set_up(&f, named);
    f.again = 10;
    timer_arm(&f.timers[0], 10);
    for (f.now = 0; f.now <= 45; f.now += 5)
        clock_run(f.clock);
    cr_assert_str_eq(f.fired->str, "aaaa");
    tear_down(&f);
}

Test(clock, who_waits_is_told_when_the_deadline_changes_and_only_then)
{
    Named named[4];
    Fixture f;

    set_up(&f, named);
    clock_set_alarm(f.clock, changed, &f);
    timer_arm(&f.timers[0], 10);
    cr_assert_eq(f.changes, 1);
    timer_arm(&f.timers[1], 20);
    cr_assert_eq(f.changes, 1);
    timer_arm(&f.timers[1], 5);
    cr_assert_eq(f.changes, 2);
    timer_disarm(&f.timers[1]);
    cr_assert_eq(f.changes, 3);
    clock_set_alarm(f.clock, NULL, NULL);
    tear_down(&f);
}

Test(clock, scaling_does_not_overflow_in_between)
{
    cr_assert_eq(clock_scale(UINT64_C(1) << 62, 1193182, NS_PER_SECOND), 5502580746839227);
    cr_assert_eq(clock_scale(1000, NS_PER_SECOND, 1000), NS_PER_SECOND);
}
