/*
 * hpet-impl.h: the HPET from inside: its state, and its timers as its registers see them (hpet-timer.c).
 */
#ifndef EMU_DEV_HPET_IMPL_H
#define EMU_DEV_HPET_IMPL_H

#include "emu/core/machine.h"

enum {
    HPET_TIMERS = 3,
    HPET_PINS = 24,
    SHORTEST_NS = 10 * NS_PER_US, /* between the interrupts of a timer that repeats */

    CONFIG_ENABLE = 1 << 0,
    CONFIG_LEGACY = 1 << 1,

    TN_LEVEL = 1 << 1,
    TN_ENABLE = 1 << 2,
    TN_PERIODIC = 1 << 3,
    TN_CAN_PERIODIC = 1 << 4,
    TN_CAN_64_BIT = 1 << 5,
    TN_SET_VALUE = 1 << 6,
    TN_32_BIT = 1 << 8,
    TN_ROUTE_SHIFT = 9,
    TN_ROUTE = 0x1f << TN_ROUTE_SHIFT,
    TN_FSB = 1 << 14,
    TN_CAN_FSB = 1 << 15,
    TN_CAN_ROUTE_SHIFT = 32,
};

typedef struct HpetTimer {
    uint8_t tn; /* its number */
    uint64_t config;
    uint64_t cmp;
    uint64_t fsb;       /* what is written, and where, above it */
    uint64_t period;    /* what was last written to the comparator of a periodic timer */
    uint8_t wrap_flag;  /* QEMU's: it expires when the counter wraps; here that follows from the rest */
    int64_t qemu_timer; /* virtual ns, TIMER_NEVER if nobody would know of it */
} HpetTimer;

typedef struct HpetState {
    uint64_t config, isr;
    uint64_t hpet_counter; /* while it stands; while it runs as of the last save */
    uint8_t num_timers;
    HpetTimer timer[HPET_TIMERS];
    uint8_t rtc_irq_level;
    bool has_offset;      /* the stream has: it runs */
    uint64_t hpet_offset; /* while it runs: the counter is (virtual ns + this) / TICK_NS */
} HpetState;

typedef struct Hpet Hpet;

typedef struct HpetLive {
    Timer timer;
    Hpet *hpet;
    unsigned n;
    uint64_t seen; /* the counter, up to which matches have been dealt with */
} HpetLive;

struct Hpet {
    Device dev;
    Irq irq[HPET_PINS], legacy;
    bool msi;
    uint32_t intcap;
    SpaceId registers;
    HpetLive live[HPET_TIMERS];
    int64_t now_ns; /* of the access or expiry that is being dealt with: it is one instant, however long it takes */
    uint64_t ahead; /* of what follows from the offset, if there is no offset for it */
    bool pit_level;
    bool sends;    /* a message, which may come back to the registers here */
    uint32_t pins; /* that are high */
    HpetState s;
};

/* Everything that comes from outside starts with it. */
static inline void hpet_look_at_clock(Hpet *p)
{
    p->now_ns = clock_now(p->dev.machine->virtual_clock);
}

static inline bool hpet_runs(const Hpet *p)
{
    return p->s.config & CONFIG_ENABLE;
}

static inline bool hpet_is_legacy(const Hpet *p)
{
    return p->s.config & CONFIG_LEGACY;
}

/* The main counter, and what it needs to go on from where it stands when it is enabled. */
uint64_t hpet_counter(const Hpet *p);
void hpet_start_counter(Hpet *p);

/* Gives the pins the levels that follow from the state. */
void hpet_drive_pins(Hpet *p);

/* All ones of a timer's comparator. */
static inline uint64_t hpet_timer_width(const HpetTimer *t)
{
    return t->config & TN_32_BIT ? UINT32_MAX : UINT64_MAX;
}

static inline bool hpet_timer_repeats(const HpetTimer *t)
{
    return (t->config & TN_PERIODIC) && (t->period & hpet_timer_width(t));
}

/* When it will match; TIMER_NEVER also if nobody would know. */
int64_t hpet_timer_expiry(const Hpet *p, unsigned n);
void hpet_timer_arm(Hpet *p, unsigned n, int64_t expiry_ns);

/* Deals with the matches there have been, and arms it for the next. */
void hpet_timer_run(Hpet *p, unsigned n);
void hpet_timer_expired(void *opaque); /* of a HpetLive */

/* After its comparator or its configuration has changed: matches count from now on. */
void hpet_timer_restart(Hpet *p, unsigned n);

/* How far the counter is beyond the comparator. */
uint64_t hpet_timer_passed(const Hpet *p, unsigned n);

/* As if the counter had not come to the comparator yet, which it has passed. */
void hpet_timer_match_again(Hpet *p, unsigned n);

#endif
