/*
 * hpet.c: the high precision event timer: a counter of 100 MHz and three comparators.
 *
 * Source: IA-PC HPET (High Precision Event Timers) Specification 1.0a; section numbers are its. Where it leaves things
 * open: Intel ICH9 data sheet (316972), "Periodic vs. Non-Periodic Modes".
 * Registers: 1 KiB of memory at 0xfed00000. Outputs: "irq" 0 to 23, pins of the I/O APIC of which 0 to 15 are ISA's
 * lines, too; "legacy", high while the PIT and the RTC have no interrupts (section 2.3.5). Inputs: "pit" and "rtc":
 * their lines, which go on to irq 0 and 8 unless "legacy" is high. Options: "msi" (the timers can deliver by messages),
 * "hpet-intcap" (the pins that they can have).
 * Not modelled: accesses of less than 32 bits or across registers write nothing (section 2.3 forbids them). The
 * counter is only written while it stands (section 2.3.7). Of interrupts with periods below 10 us one comes every
 * 10 us.
 *
 * A comparator that is written when the counter has just passed it (LATE_TICKS) matches at once: the chip would miss
 * it, but a guest is not to blame if its processor was not run between reading the counter and writing the comparator.
 */
#include "emu/dev/dev.h"
#include "emu/dev/hpet-impl.h"

enum {
    HPET_SIZE = 0x400,

    /* Registers (section 2.3); those of timer n are TIMER_SPACING * n further on. */
    CAPABILITIES = 0x000,
    CONFIG = 0x010,
    STATUS = 0x020,
    COUNTER = 0x0f0,
    TIMER = 0x100,
    TIMER_SPACING = 0x20,
    TIMER_CONFIG = 0x00,
    TIMER_COMPARATOR = 0x08,
    TIMER_FSB = 0x10,

    TN_WRITABLE = TN_LEVEL | TN_ENABLE | TN_PERIODIC | TN_SET_VALUE | TN_32_BIT | TN_ROUTE | TN_FSB,

    LATE_TICKS = 100000000, /* a second */
};

#define HPET_BASE UINT64_C(0xfed00000)

/* Revision 1, 3 timers of 64 bits with legacy routes, vendor 8086; 10^7 fs a tick (section 2.3.4). */
#define CAPABILITIES_VALUE (UINT64_C(0x8086a201) | UINT64_C(10000000) << 32)

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool pull(void *opaque, GError **error)
{
    Hpet *p = opaque;

    (void)error;
    hpet_look_at_clock(p);
    p->s.hpet_counter = hpet_counter(p);
    p->s.has_offset = hpet_runs(p);
    return true;
}

static bool check(const void *state, GError **error)
{
    const HpetState *s = state;

    if (s->num_timers != HPET_TIMERS) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "num_timers is %u, this build has %d", s->num_timers,
                    HPET_TIMERS);
        return false;
    }
    if (s->rtc_irq_level > 1) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "rtc_irq_level is %u, which can be 0 to 1",
                    s->rtc_irq_level);
        return false;
    }
    for (unsigned n = 0; n < HPET_TIMERS; n++)
        if (s->timer[n].tn != n) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "timer[%u].tn is %u, which must be %u", n,
                        s->timer[n].tn, n);
            return false;
        }
    return true;
}

/*
 * One that was due when the state was saved matches again. So does one that repeats and whose comparator lies in the
 * past, because nobody has looked at it: it then goes ahead of the counter. One that waits because its period is too
 * short goes on waiting.
 */
static void push_timer(Hpet *p, unsigned n)
{
    HpetTimer *t = &p->s.timer[n];
    int64_t saved = t->qemu_timer, expiry_ns;
    uint64_t passed = hpet_timer_passed(p, n);

    p->live[n].seen = hpet_counter(p);
    expiry_ns = hpet_timer_expiry(p, n);
    if (saved > p->now_ns && saved != expiry_ns && !hpet_timer_repeats(t))
        saved = TIMER_NEVER;
    if (saved != expiry_ns && (saved >= 0 || hpet_timer_repeats(t)) && passed <= hpet_timer_width(t) / 2) {
        hpet_timer_match_again(p, n);
        expiry_ns = hpet_timer_expiry(p, n);
    }
    if (hpet_timer_repeats(t) && expiry_ns != TIMER_NEVER && saved > expiry_ns && saved - p->now_ns <= SHORTEST_NS)
        expiry_ns = saved;
    t->wrap_flag = 0;
    hpet_timer_arm(p, n, expiry_ns);
}

/*
 * The pins of the PIT and the RTC get their levels from these, when they are loaded. The counter goes on from where it
 * was saved whatever the clock says; an offset that does not fit the clock (there is none, or it comes to more than 292
 * years) is made anew.
 */
static void push(void *opaque)
{
    Hpet *p = opaque;
    HpetState *s = &p->s;

    hpet_look_at_clock(p);
    s->config &= CONFIG_ENABLE | CONFIG_LEGACY;
    s->isr &= (1 << HPET_TIMERS) - 1;
    p->ahead = 0;
    if (hpet_runs(p) && s->has_offset && (uint64_t)p->now_ns + s->hpet_offset <= INT64_MAX)
        p->ahead = s->hpet_counter - hpet_counter(p);
    else if (hpet_runs(p))
        hpet_start_counter(p);
    for (unsigned n = 0; n < HPET_TIMERS; n++)
        push_timer(p, n);
    irq_set(&p->legacy, hpet_is_legacy(p));
    hpet_drive_pins(p);
}

static const VMStateField timer_fields[] = {
    VMS_FIELD(HpetTimer, tn),
    VMS_FIELD(HpetTimer, config),
    VMS_FIELD(HpetTimer, cmp),
    VMS_FIELD(HpetTimer, fsb),
    VMS_FIELD(HpetTimer, period),
    VMS_FIELD(HpetTimer, wrap_flag),
    VMS_FIELD(HpetTimer, qemu_timer, .type = "timer"),
    VMS_END,
};

static const VMStateDescription timer_state = {
    .name = "hpet_timer",
    .version = 1,
    .minimum = 1,
    .size = sizeof(HpetTimer),
    .fields = timer_fields,
};

static const VMStateField rtc_irq_level_fields[] = {
    VMS_FIELD(HpetState, rtc_irq_level),
    VMS_END,
};

static const VMStateDescription rtc_irq_level_state = {
    .name = "hpet/rtc_irq_level",
    .version = 1,
    .minimum = 1,
    .fields = rtc_irq_level_fields,
};

static bool rtc_irq_level_needed(const void *state)
{
    return ((const HpetState *)state)->rtc_irq_level;
}

static const VMStateField offset_fields[] = {
    VMS_FIELD(HpetState, hpet_offset),
    VMS_END,
};

static const VMStateDescription offset_state = {
    .name = "hpet/offset",
    .version = 1,
    .minimum = 1,
    .fields = offset_fields,
};

static const VMStateField fields[] = {
    VMS_FIELD(HpetState, config),
    VMS_FIELD(HpetState, isr),
    VMS_FIELD(HpetState, hpet_counter),
    VMS_FIELD(HpetState, num_timers, .since = 2),
    VMS_SUB_ARRAY(HpetState, timer, &timer_state),
    VMS_END,
};

static const VMStateSubsection subsections[] = {
    {.desc = &rtc_irq_level_state, .needed = rtc_irq_level_needed},
    {.desc = &offset_state, .presence = 1 + offsetof(HpetState, has_offset)},
    {.desc = NULL},
};

static const VMStateDescription hpet_state = {
    .name = "hpet",
    .version = 2,
    .minimum = 1,
    .size = sizeof(HpetState),
    .fields = fields,
    .subsections = subsections,
    .pull = pull,
    .check = check,
    .push = push,
};

/* --- registers -------------------------------------------------------------------------------------------------- */

/* The bits of `mask` are `value`'s. */
static uint64_t merge(uint64_t old, uint64_t value, uint64_t mask)
{
    return (old & ~mask) | (value & mask);
}

static uint64_t read_timer(Hpet *p, unsigned n, unsigned reg)
{
    switch (reg) {
    case TIMER_CONFIG:
        return p->s.timer[n].config;
    case TIMER_COMPARATOR:
        hpet_timer_run(p, n);
        return p->s.timer[n].cmp & hpet_timer_width(&p->s.timer[n]);
    case TIMER_FSB:
        return p->s.timer[n].fsb;
    default:
        return 0;
    }
}

static void run_timers(Hpet *p)
{
    for (unsigned n = 0; n < HPET_TIMERS; n++)
        hpet_timer_run(p, n);
}

/* All 64 bits; `addr` is a multiple of 8. */
static uint64_t read_register(Hpet *p, uint64_t addr)
{
    if (addr >= TIMER && addr < TIMER + HPET_TIMERS * TIMER_SPACING)
        return read_timer(p, (unsigned)(addr - TIMER) / TIMER_SPACING, addr % TIMER_SPACING);
    switch (addr) {
    case CAPABILITIES:
        return CAPABILITIES_VALUE;
    case CONFIG:
        return p->s.config;
    case STATUS:
        run_timers(p);
        return p->s.isr;
    case COUNTER:
        return hpet_counter(p);
    default:
        return 0;
    }
}

/* A route that the timer cannot have is not kept (section 2.3.8, Tn_INT_ROUTE_CNF). */
static void write_timer_config(Hpet *p, unsigned n, uint64_t value, uint64_t mask)
{
    HpetTimer *t = &p->s.timer[n];
    uint64_t route = (merge(t->config, value, mask) & TN_ROUTE) >> TN_ROUTE_SHIFT;

    hpet_timer_run(p, n);
    mask &= TN_WRITABLE;
    if (!(t->config >> TN_CAN_ROUTE_SHIFT >> route & 1))
        mask &= ~(uint64_t)TN_ROUTE;
    if (!(t->config & TN_CAN_FSB))
        mask &= ~(uint64_t)TN_FSB;
    t->config = merge(t->config, value, mask);
    t->cmp &= hpet_timer_width(t);
    t->period &= hpet_timer_width(t);
    if (!(t->config & TN_LEVEL))
        p->s.isr &= ~(UINT64_C(1) << n);
    hpet_timer_restart(p, n);
    hpet_drive_pins(p);
}

/*
 * Of a timer that repeats, what is written is the period, and only with TN_SET_VALUE the comparator, too; the write
 * clears that bit (section 2.3.8, Tn_VAL_SET_CNF).
 */
static void write_comparator(Hpet *p, unsigned n, uint64_t value, uint64_t mask)
{
    HpetTimer *t = &p->s.timer[n];
    bool periodic = t->config & TN_PERIODIC, compares = !periodic || (t->config & TN_SET_VALUE);

    hpet_timer_run(p, n);
    mask &= hpet_timer_width(t);
    if (!mask)
        return;
    if (compares)
        t->cmp = merge(t->cmp, value, mask);
    if (periodic)
        t->period = merge(t->period, value, mask);
    t->config &= ~(uint64_t)TN_SET_VALUE;
    hpet_timer_restart(p, n);
    if (compares && hpet_runs(p) && hpet_timer_passed(p, n) < LATE_TICKS) {
        hpet_timer_match_again(p, n);
        hpet_timer_arm(p, n, hpet_timer_expiry(p, n));
    }
}

static void write_config(Hpet *p, uint64_t value, uint64_t mask)
{
    uint64_t config = merge(p->s.config, value, mask) & (CONFIG_ENABLE | CONFIG_LEGACY);
    bool ran = hpet_runs(p), was_legacy = hpet_is_legacy(p);

    if (ran && !(config & CONFIG_ENABLE)) {
        run_timers(p);
        p->s.hpet_counter = hpet_counter(p);
    }
    p->s.config = config;
    if (!ran && hpet_runs(p))
        hpet_start_counter(p);
    if (ran != hpet_runs(p))
        for (unsigned n = 0; n < HPET_TIMERS; n++)
            hpet_timer_restart(p, n);
    if (was_legacy != hpet_is_legacy(p))
        irq_set(&p->legacy, hpet_is_legacy(p));
    hpet_drive_pins(p);
}

static void write_register(Hpet *p, uint64_t addr, uint64_t value, uint64_t mask)
{
    if (addr >= TIMER && addr < TIMER + HPET_TIMERS * TIMER_SPACING) {
        unsigned n = (unsigned)(addr - TIMER) / TIMER_SPACING, reg = addr % TIMER_SPACING;
        if (reg == TIMER_CONFIG)
            write_timer_config(p, n, value, mask);
        else if (reg == TIMER_COMPARATOR)
            write_comparator(p, n, value, mask);
        else if (reg == TIMER_FSB)
            p->s.timer[n].fsb = merge(p->s.timer[n].fsb, value, mask);
    } else if (addr == CONFIG) {
        write_config(p, value, mask);
    } else if (addr == STATUS) {
        p->s.isr &= ~(value & mask); /* of ones */
        hpet_drive_pins(p);
    } else if (addr == COUNTER && !hpet_runs(p)) {
        p->s.hpet_counter = merge(p->s.hpet_counter, value, mask);
    }
}

static uint64_t read_registers(void *opaque, uint64_t addr, unsigned size)
{
    unsigned shift = addr % 8 * 8;
    uint64_t value;

    hpet_look_at_clock(opaque);
    value = read_register(opaque, addr & ~UINT64_C(7)) >> shift;
    if (shift + size * 8 > 64)
        value |= read_register(opaque, (addr & ~UINT64_C(7)) + 8) << (64 - shift);
    return size == 8 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

static void write_registers(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    if (addr % size != 0 || size < 4)
        return;
    hpet_look_at_clock(opaque);
    if (size == 8)
        write_register(opaque, addr, value, UINT64_MAX);
    else
        write_register(opaque, addr & ~UINT64_C(7), value << addr % 8 * 8, UINT64_C(0xffffffff) << addr % 8 * 8);
}

static const IoOps ops = {.read = read_registers, .write = write_registers, .min = 1, .max = 8};

/* --- lines -------------------------------------------------------------------------------------------------------- */

static void pit_line(void *opaque, unsigned n, bool level)
{
    Hpet *p = opaque;

    (void)n;
    p->pit_level = level;
    hpet_drive_pins(p);
}

static void rtc_line(void *opaque, unsigned n, bool level)
{
    Hpet *p = opaque;

    (void)n;
    p->s.rtc_irq_level = level;
    hpet_drive_pins(p);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void reset(Device *dev)
{
    Hpet *p = (Hpet *)dev;

    hpet_look_at_clock(p);
    p->s = (HpetState){.num_timers = HPET_TIMERS};
    p->ahead = 0;
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        p->s.timer[n] = (HpetTimer){
            .tn = (uint8_t)n,
            .config =
                TN_CAN_PERIODIC | TN_CAN_64_BIT | (p->msi ? TN_CAN_FSB : 0) | (uint64_t)p->intcap << TN_CAN_ROUTE_SHIFT,
            .cmp = UINT64_MAX,
        };
        hpet_timer_restart(p, n);
    }
    irq_set(&p->legacy, false);
    hpet_drive_pins(p);
}

static bool realize(Device *dev, GError **error)
{
    Hpet *p = (Hpet *)dev;

    (void)error;
    for (unsigned n = 0; n < HPET_TIMERS; n++) {
        p->live[n] = (HpetLive){.hpet = p, .n = n};
        timer_init(&p->live[n].timer, dev->machine->virtual_clock, hpet_timer_expired, &p->live[n]);
    }
    p->registers = space_map(dev->machine->memory,
                             &(SpaceMapping){.base = HPET_BASE, .size = HPET_SIZE, .ops = &ops, .opaque = p});
    return true;
}

static void unrealize(Device *dev)
{
    Hpet *p = (Hpet *)dev;

    space_unmap(dev->machine->memory, p->registers);
    for (unsigned n = 0; n < HPET_TIMERS; n++)
        timer_done(&p->live[n].timer);
}

static const VMStateField option_fields[] = {
    VMS_FIELD(Hpet, msi),
    {
        .name = "hpet-intcap",
        .kind = VMS_SCALAR,
        .scalar = SCALAR_UINT32,
        .offset = offsetof(Hpet, intcap),
        .size = sizeof(uint32_t),
        .count = 1,
    },
    VMS_END,
};

static const VMStateDescription options = {
    .name = "hpet",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Hpet),
    .fields = option_fields,
};

static const Hpet defaults = {.intcap = 1 << 2};

static const DeviceInput inputs[] = {
    {.name = "pit", .count = 1, .set = pit_line},
    {.name = "rtc", .count = 1, .set = rtc_line},
    {.name = NULL},
};

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(Hpet, irq, "irq"),
    DEVICE_OUTPUT(Hpet, legacy, "legacy"),
    {.name = NULL},
};

const DeviceType hpet_type = {
    .name = "hpet",
    .about = "high precision event timer",
    .size = sizeof(Hpet),
    .defaults = &defaults,
    .options = &options,
    .state = &hpet_state,
    .state_offset = offsetof(Hpet, s),
    .inputs = inputs,
    .outputs = outputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
