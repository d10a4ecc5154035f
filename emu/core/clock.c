/* clock.c: clocks and timers. A machine has some dozen timers armed at most, so a sorted list serves. */
#include "emu/core/clock.h"

#include <glib.h>

struct Clock {
    ClockTime *time;
    void *opaque;
    ClockAlarm *changed;
    void *changed_opaque;
    Timer *first;
};

Clock *clock_new(ClockTime *time, void *opaque)
{
    Clock *clock = g_new0(Clock, 1);

    clock->time = time;
    clock->opaque = opaque;
    return clock;
}

void clock_free(Clock *clock)
{
    g_free(clock);
}

int64_t clock_now(const Clock *clock)
{
    return clock->time(clock->opaque);
}

void clock_set_alarm(Clock *clock, ClockAlarm *changed, void *opaque)
{
    clock->changed = changed;
    clock->changed_opaque = opaque;
}

int64_t clock_deadline(const Clock *clock)
{
    return clock->first ? clock->first->expiry_ns : INT64_MAX;
}

static void tell(Clock *clock)
{
    if (clock->changed)
        clock->changed(clock->changed_opaque);
}

static void unlink_timer(Timer *timer)
{
    *timer->link = timer->next;
    if (timer->next)
        timer->next->link = timer->link;
    timer->link = NULL;
    timer->next = NULL;
}

void clock_run(Clock *clock)
{
    int64_t now = clock_now(clock);

    while (clock->first && clock->first->expiry_ns <= now) {
        Timer *timer = clock->first;
        unlink_timer(timer);
        timer->expired(timer->opaque);
    }
    tell(clock);
}

void timer_init(Timer *timer, Clock *clock, TimerExpired *expired, void *opaque)
{
    *timer = (Timer){.clock = clock, .expired = expired, .opaque = opaque, .expiry_ns = TIMER_NEVER};
}

void timer_done(Timer *timer)
{
    timer_disarm(timer);
}

void timer_arm(Timer *timer, int64_t expiry_ns)
{
    Clock *clock = timer->clock;
    int64_t before = clock_deadline(clock);
    Timer **link = &clock->first;

    if (timer->link)
        unlink_timer(timer);
    if (expiry_ns >= 0) {
        while (*link && (*link)->expiry_ns <= expiry_ns)
            link = &(*link)->next;
        timer->expiry_ns = expiry_ns;
        timer->next = *link;
        timer->link = link;
        if (timer->next)
            timer->next->link = &timer->next;
        *link = timer;
    }
    if (clock_deadline(clock) != before)
        tell(clock);
}

void timer_disarm(Timer *timer)
{
    if (timer->link)
        timer_arm(timer, TIMER_NEVER);
}
