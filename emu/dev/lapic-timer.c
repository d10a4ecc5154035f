/* lapic-timer.c: a LAPIC's timer (Intel SDM volume 3, section 10.5.4, "APIC Timer"). */
#include "emu/dev/lapic-impl.h"

enum { SHORTEST_NS = 50 * NS_PER_US, DIVIDE_WRITABLE = 0xb };

static unsigned shift_of(const ApicState *s)
{
    return (unsigned)s->count_shift & 7;
}

static int64_t period_of(const Lapic *p)
{
    return (int64_t)p->s.initial_count << shift_of(&p->s);
}

static int64_t now_of(const Lapic *p)
{
    return clock_now(p->dev.machine->virtual_clock);
}

/* How long it has counted; a stream may have loaded it at any time. */
static int64_t elapsed(const Lapic *p)
{
    int64_t now = now_of(p), loaded = p->s.initial_count_load_time;

    return now > loaded ? (int64_t)MIN((uint64_t)now - (uint64_t)loaded, INT64_MAX) : 0;
}

uint32_t lapic_timer_count(const Lapic *p)
{
    int64_t period = period_of(p), passed = elapsed(p);

    if (!period || (!lapic_is_periodic(p) && passed >= period))
        return 0;
    return p->s.initial_count - (uint32_t)(passed % period >> shift_of(&p->s));
}

/* When what was to come by then comes. Short periods would take all of the host's time. */
static void arm_at(Lapic *p, int64_t due_ns)
{
    p->due_ns = due_ns;
    timer_arm(&p->timer, lapic_is_periodic(p) ? MAX(due_ns, now_of(p) + SHORTEST_NS) : due_ns);
}

/* The count that was loaded has not ended yet, however short it is, and however long ago that was. */
static void arm_from_load(Lapic *p)
{
    if (p->s.initial_count)
        arm_at(p, p->s.initial_count_load_time + period_of(p));
    else
        timer_disarm(&p->timer);
}

void lapic_timer_arm(Lapic *p)
{
    int64_t period = period_of(p), passed = elapsed(p);

    if (!period || (!lapic_is_periodic(p) && passed >= period))
        timer_disarm(&p->timer);
    else
        arm_at(p, now_of(p) + period - passed % period);
}

void lapic_timer_expired(void *opaque)
{
    Lapic *p = opaque;
    uint32_t entry = p->s.lvt[LVT_TIMER];

    if (lapic_is_periodic(p)) {
        p->s.initial_count_load_time = p->due_ns;
        lapic_timer_arm(p);
    }
    if (lapic_is_on(p) && !(entry & LVT_MASKED))
        lapic_accept(p, (uint8_t)entry, false);
}

void lapic_timer_start(Lapic *p, uint32_t count)
{
    p->s.initial_count = count;
    p->s.initial_count_load_time = now_of(p);
    arm_from_load(p);
}

/* It goes on from the count that it has, by its new clock. */
void lapic_timer_divide(Lapic *p, uint32_t value)
{
    uint32_t current = lapic_timer_count(p);

    p->s.divide_conf = value & DIVIDE_WRITABLE;
    p->s.count_shift = (int)(((value & 3) | (value >> 1 & 4)) + 1) & 7;
    if (!current)
        return;
    p->s.initial_count_load_time = now_of(p) - ((int64_t)(p->s.initial_count - current) << shift_of(&p->s));
    arm_from_load(p);
}

/* A period so short that it was made longer ends later than it was to: that is what the next one begins from. */
static int64_t due_by(const Lapic *p, int64_t expiry)
{
    int64_t period = period_of(p), armed = expiry - SHORTEST_NS, loaded = p->s.initial_count_load_time;

    if (!lapic_is_periodic(p) || loaded < 0 || armed < loaded || (expiry - loaded) % period == 0)
        return expiry;
    return armed + period - (armed - loaded) % period;
}

/*
 * Of one that KVM had timer_expiry may be missing: then it is the time of loading that counts. What a stream says may
 * contradict itself: nothing was loaded in the future, and one that ends once does not end before its period does.
 */
void lapic_timer_resume(Lapic *p)
{
    int64_t expiry = p->s.timer_expiry, period = period_of(p), now = now_of(p);

    p->s.initial_count_load_time = MIN(p->s.initial_count_load_time, now);
    if (!period || expiry < 0 || expiry - now > 2 * MAX(period, SHORTEST_NS)) {
        lapic_timer_arm(p);
        return;
    }
    if (!lapic_is_periodic(p))
        expiry = MAX(expiry, p->s.initial_count_load_time + period);
    p->due_ns = due_by(p, expiry);
    timer_arm(&p->timer, expiry);
}
