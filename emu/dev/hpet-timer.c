/*
 * hpet-timer.c: the counter of the HPET, its comparators, and the lines that they drive.
 *
 * Source: IA-PC HPET (High Precision Event Timers) Specification 1.0a; section numbers are its.
 *
 * Nothing counts here: what has matched is found by where the counter was when that was last asked, and is. However
 * long ago that is it takes the same time.
 */
#include "emu/dev/hpet-impl.h"

enum {
    LEGACY_PIT_PIN = 0,
    LEGACY_RTC_PIN = 8,

    TICK_NS = 10,
};

/* A counter below it has the offset that QEMU gives it. No sum of an offset and a time comes to 2^64. */
#define OFFSET_TICKS ((UINT64_C(1) << 62) / TICK_NS)

/* --- counter ---------------------------------------------------------------------------------------------------- */

uint64_t hpet_counter(const Hpet *p)
{
    return hpet_runs(p) ? p->ahead + ((uint64_t)p->now_ns + p->s.hpet_offset) / TICK_NS : p->s.hpet_counter;
}

void hpet_start_counter(Hpet *p)
{
    uint64_t ticks = p->s.hpet_counter % OFFSET_TICKS;

    p->s.hpet_offset = ticks * TICK_NS - (uint64_t)p->now_ns;
    p->ahead = p->s.hpet_counter - ticks;
}

/* When the counter will be so many ticks further. */
static int64_t time_in(const Hpet *p, uint64_t ticks)
{
    int64_t now = p->now_ns, into_tick = (int64_t)(((uint64_t)now + p->s.hpet_offset) % TICK_NS);

    if (ticks == 0)
        return now;
    if (ticks > (uint64_t)(INT64_MAX - now) / TICK_NS)
        return TIMER_NEVER;
    return now - into_tick + (int64_t)ticks * TICK_NS;
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

static bool uses_fsb(const HpetTimer *t)
{
    return (t->config & TN_FSB) && (t->config & TN_CAN_FSB);
}

/* Its pin, which may be one that is not there. */
static unsigned pin_of(const Hpet *p, unsigned n)
{
    if (hpet_is_legacy(p) && n < 2)
        return n == 0 ? LEGACY_PIT_PIN : LEGACY_RTC_PIN;
    return (unsigned)(p->s.timer[n].config & TN_ROUTE) >> TN_ROUTE_SHIFT;
}

static uint32_t levels(const Hpet *p)
{
    uint32_t pins = 0;

    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        const HpetTimer *t = &p->s.timer[n];
        if (hpet_runs(p) && (p->s.isr >> n & 1) && (t->config & TN_LEVEL) && (t->config & TN_ENABLE) && !uses_fsb(t))
            pins |= UINT32_C(1) << pin_of(p, n);
    }
    if (!hpet_is_legacy(p))
        pins |= (p->pit_level ? 1U << LEGACY_PIT_PIN : 0) | (p->s.rtc_irq_level ? 1U << LEGACY_RTC_PIN : 0);
    return pins;
}

void hpet_drive_pins(Hpet *p)
{
    uint32_t pins = levels(p), changed = pins ^ p->pins;

    p->pins = pins;
    for (unsigned n = 0; n < HPET_PINS; n++)
        if (changed >> n & 1)
            irq_set(&p->irq[n], pins >> n & 1);
}

/* Timer n has matched (section 2.3.8, Tn_INT_TYPE_CNF). */
static void interrupt(Hpet *p, unsigned n)
{
    const HpetTimer *t = &p->s.timer[n];
    unsigned pin = pin_of(p, n);

    if (t->config & TN_LEVEL) {
        p->s.isr |= UINT64_C(1) << n;
        hpet_drive_pins(p);
    } else if (!(t->config & TN_ENABLE)) {
        return;
    } else if (uses_fsb(t)) {
        if (p->sends)
            return;
        p->sends = true;
        space_write(p->dev.machine->memory, t->fsb >> 32, t->fsb & UINT32_MAX, 4);
        p->sends = false;
    } else if (pin < HPET_PINS) {
        irq_set(&p->irq[pin], true);
        irq_set(&p->irq[pin], p->pins >> pin & 1);
    }
}

/* --- timers ----------------------------------------------------------------------------------------------------- */

/* Ticks from `from` to the next match after it. One at it has been, so that there is a whole turn to the next. */
static uint64_t ticks_to_match(const HpetTimer *t, uint64_t from)
{
    uint64_t ticks = (t->cmp - from) & hpet_timer_width(t);

    if (ticks == 0)
        return hpet_timer_width(t) == UINT64_MAX ? UINT64_MAX : hpet_timer_width(t) + 1;
    return ticks;
}

/* Has the timer matched since that was last asked? If it repeats, its comparator goes ahead of the counter. */
static bool match(Hpet *p, unsigned n)
{
    HpetTimer *t = &p->s.timer[n];
    uint64_t now = hpet_counter(p), passed = now - p->live[n].seen, ticks = ticks_to_match(t, p->live[n].seen);

    p->live[n].seen = now;
    if (passed < ticks)
        return false;
    if (hpet_timer_repeats(t)) {
        uint64_t period = t->period & hpet_timer_width(t);
        t->cmp = (t->cmp + ((passed - ticks) / period + 1) * period) & hpet_timer_width(t);
    }
    return true;
}

int64_t hpet_timer_expiry(const Hpet *p, unsigned n)
{
    const HpetTimer *t = &p->s.timer[n];
    uint64_t passed = hpet_counter(p) - p->live[n].seen, ticks = ticks_to_match(t, p->live[n].seen);

    if (!hpet_runs(p) || !(t->config & (TN_ENABLE | TN_LEVEL)))
        return TIMER_NEVER;
    return time_in(p, ticks > passed ? ticks - passed : 0);
}

void hpet_timer_arm(Hpet *p, unsigned n, int64_t expiry_ns)
{
    p->s.timer[n].qemu_timer = expiry_ns;
    timer_arm(&p->live[n].timer, expiry_ns);
}

void hpet_timer_run(Hpet *p, unsigned n)
{
    bool matched = hpet_runs(p) && match(p, n);
    int64_t expiry_ns = hpet_timer_expiry(p, n);

    if (matched && hpet_timer_repeats(&p->s.timer[n]) && expiry_ns != TIMER_NEVER)
        expiry_ns = MAX(expiry_ns, p->now_ns + SHORTEST_NS);
    if (matched || !timer_armed(&p->live[n].timer))
        hpet_timer_arm(p, n, expiry_ns);
    if (matched)
        interrupt(p, n);
}

void hpet_timer_expired(void *opaque)
{
    HpetLive *live = opaque;

    hpet_look_at_clock(live->hpet);
    hpet_timer_run(live->hpet, live->n);
}

void hpet_timer_restart(Hpet *p, unsigned n)
{
    p->live[n].seen = hpet_counter(p);
    hpet_timer_arm(p, n, hpet_timer_expiry(p, n));
}

void hpet_timer_match_again(Hpet *p, unsigned n)
{
    p->live[n].seen = hpet_counter(p) - hpet_timer_passed(p, n) - 1;
}

uint64_t hpet_timer_passed(const Hpet *p, unsigned n)
{
    const HpetTimer *t = &p->s.timer[n];

    return (hpet_counter(p) - t->cmp) & hpet_timer_width(t);
}
