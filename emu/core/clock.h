/*
 * clock.h: clocks and the timers that run on them.
 *
 * A clock's time comes from a function: the virtual clock of a machine, which stands while the machine does, the host's
 * wall clock, or a number that a test turns by hand. Timers fire in clock_run, in the order of their expiry, those of
 * one instant in the order in which they were armed. Nothing here takes a lock: a clock belongs to its machine's.
 */
#ifndef EMU_CORE_CLOCK_H
#define EMU_CORE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* A timer that is not armed expires then; the value that QEMU's stream has for it. */
#define TIMER_NEVER INT64_C(-1)

enum { NS_PER_US = 1000, NS_PER_MS = 1000000, NS_PER_SECOND = 1000000000 };

typedef struct Clock Clock;
typedef struct Timer Timer;

typedef int64_t ClockTime(void *opaque);
typedef void ClockAlarm(void *opaque);
typedef void TimerExpired(void *opaque);

/* Embedded in who uses it; the members are the clock's. */
struct Timer {
    Clock *clock;
    TimerExpired *expired;
    void *opaque;
    int64_t expiry_ns;
    Timer *next, **link; /* armed: the next to expire, and what points here */
};

/* `time` tells the time in ns, which may step back only while no timer is armed by it. */
Clock *clock_new(ClockTime *time, void *opaque);

/* No timer may be left on it. */
void clock_free(Clock *clock);

int64_t clock_now(const Clock *clock);

/* Who wants to know when the next timer's expiry changes; NULL: nobody. */
void clock_set_alarm(Clock *clock, ClockAlarm *changed, void *opaque);

/* When the next timer expires, or INT64_MAX. */
int64_t clock_deadline(const Clock *clock);

/* Fires what has expired. A timer that is armed again meanwhile fires again only if the clock has come to it. */
void clock_run(Clock *clock);

void timer_init(Timer *timer, Clock *clock, TimerExpired *expired, void *opaque);
void timer_done(Timer *timer); /* disarms it; zeros are a timer that is done */

/* Arms it for that instant, or for another if it was armed. TIMER_NEVER (and any other time below 0) disarms it. */
void timer_arm(Timer *timer, int64_t expiry_ns);
void timer_disarm(Timer *timer);

static inline bool timer_armed(const Timer *timer)
{
    return timer->link;
}

/* Its expiry, TIMER_NEVER if it is not armed. */
static inline int64_t timer_expiry(const Timer *timer)
{
    return timer->link ? timer->expiry_ns : TIMER_NEVER;
}

/*
 * a * b / c without overflow in between, for frequencies: ticks of a clock, of ns. c is not 0; what does not fit in 64
 * bits is cut.
 */
static inline uint64_t clock_scale(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t)((unsigned __int128)a * b / c);
}

#endif
