/*
 * mc146818rtc.c: MC146818A real-time clock with 128 octets of CMOS memory, as the PIIX3 has it.
 *
 * Sources: Motorola MC146818A data sheet; Intel 82371SB (PIIX3) data sheet, "Real Time Clock Registers"; IBM PS/2
 * Technical Reference, "RT/CMOS RAM" (the century at 0x32, and at 0x37).
 * Ports: 0x70 index and NMI mask (write only), 0x71 data. Outputs: "irq" (IRQ 8), a level that lasts until register C
 * is read; "nmi_mask", up while bit 7 of port 0x70 is set (the stream has no place for it: a load unmasks).
 * Options: "base_year", which year 0 of register 9 stands for (of it, the two lower digits); "date_offset", the
 * seconds that the clock is ahead of the host's UTC when it starts.
 *
 * Nothing counts here: the time is that of the host's clock since the last setting (`last_update`), added to the time
 * that was set (`base_rtc`). A timer fires only when a flag of register C is to be set that is not.
 *
 * Not modelled: the pin SQW (its bits are kept), daylight saving (its bit is kept), the crystals other than 32768 Hz
 * (all three divider settings count seconds), the test modes of the divider (the clock stands), the 1984 us of an
 * update (it takes no time; UIP is seen before it), a day of the week other than the date's, and ticks sent again
 * after the guest has slept (their counters are kept).
 */
#include "emu/dev/mc146818rtc.h"

#include "emu/core/machine.h"
#include "emu/dev/dev.h"
#include "emu/dev/mc146818rtc-impl.h"

enum {
    RTC_INDEX = 0x70,
    RTC_DATA = 0x71,
    RTC_NMI_MASK = 1 << 7, /* of the index */
    RTC_TICKS = 32768,     /* a second */
    RTC_UIP_NS = 244141,   /* 8 ticks: UIP goes up so long before an update */
    RTC_RELEASE_NS = 500000000,
};

typedef struct RtcState {
    uint8_t cmos_data[CMOS_SIZE]; /* the time of day in it is that of the last look at it */
    uint8_t cmos_index;
    int64_t periodic_timer;     /* host ns */
    int64_t next_periodic_time; /* host ns of the first tick that register C has not seen */
    uint32_t irq_coalesced;
    uint32_t period;          /* of the interrupt in ticks; 0 when it is off */
    uint64_t base_rtc;        /* seconds since 1970 at last_update */
    uint64_t last_update;     /* host ns; 0: the clock has not been started */
    int64_t offset;           /* the ns of the second that had passed at last_update */
    int64_t update_timer;     /* host ns */
    uint64_t next_alarm_time; /* host ns; INT64_MAX: never */
    uint16_t irq_reinject_on_ack_count;
} RtcState;

typedef struct Rtc {
    Device dev;
    Irq irq, nmi_mask;
    SpaceId ports;
    Timer periodic, update;
    int32_t base_year;
    int64_t date_offset;
    RtcState s;
} Rtc;

typedef __int128 Wide; /* what comes from a stream may lie anywhere in 64 bits */

/* --- time ------------------------------------------------------------------------------------------------------- */

static int64_t host_now(const Rtc *r)
{
    return clock_now(r->dev.machine->host_clock);
}

static Wide divide_down(Wide a, Wide b)
{
    return a / b - (a % b < 0);
}

/* ns since the second `base_rtc` began. Below 0 if the host's clock was set back. */
static Wide elapsed(const Rtc *r)
{
    return (Wide)host_now(r) - r->s.last_update + r->s.offset;
}

/* The ns of the present second that have passed. They go on while the time is being set. */
static int64_t fraction_now(const Rtc *r)
{
    Wide ns = elapsed(r);

    return (int64_t)(ns - divide_down(ns, NS_PER_SECOND) * NS_PER_SECOND);
}

static int64_t seconds_now(const Rtc *r)
{
    return (int64_t)(r->s.base_rtc + (uint64_t)divide_down(elapsed(r), NS_PER_SECOND));
}

static void set_time(Rtc *r, int64_t seconds, int64_t fraction)
{
    r->s.base_rtc = (uint64_t)seconds;
    r->s.last_update = (uint64_t)host_now(r);
    r->s.offset = fraction;
}

/* Does the divider count? If it is held the first update is half a second after its release (data sheet, DV). */
static bool counts(const Rtc *r)
{
    return (r->s.cmos_data[RTC_A] & RTC_A_DIVIDER) <= RTC_A_32768_HZ;
}

/* Do updates reach the registers? */
static bool runs(const Rtc *r)
{
    return counts(r) && !(r->s.cmos_data[RTC_B] & RTC_B_SET);
}

/* The registers get the present time. */
static void show_time(Rtc *r)
{
    rtc_registers_set(r->s.cmos_data, r->base_year, seconds_now(r));
}

static int64_t registers_time(const Rtc *r)
{
    return rtc_registers_get(r->s.cmos_data, r->base_year);
}

/* --- flags and timers ------------------------------------------------------------------------------------------- */

/* IRQF is up while a flag is that its bit of B lets through (data sheet, register C). */
static void update_line(Rtc *r)
{
    uint8_t *c = &r->s.cmos_data[RTC_C];
    bool level = *c & r->s.cmos_data[RTC_B] & (RTC_C_PF | RTC_C_AF | RTC_C_UF);

    *c = (uint8_t)((*c & ~RTC_C_IRQF) | (level ? RTC_C_IRQF : 0));
    irq_set(&r->irq, level);
}

/* The next update is waited for if UF is not set; if it is, the next alarm, if AF is not. */
static void arm_update(Rtc *r)
{
    uint8_t flags = r->s.cmos_data[RTC_C];
    int64_t second = host_now(r) - fraction_now(r); /* when the present one began */
    int wait;

    timer_disarm(&r->update);
    if (!runs(r))
        return;
    wait = rtc_registers_alarm(r->s.cmos_data, seconds_now(r));
    r->s.next_alarm_time = wait ? (uint64_t)(second + wait * (int64_t)NS_PER_SECOND) : INT64_MAX;
    if (!(flags & RTC_C_UF))
        timer_arm(&r->update, second + NS_PER_SECOND);
    else if (!(flags & RTC_C_AF) && wait)
        timer_arm(&r->update, (int64_t)r->s.next_alarm_time);
}

static void update_ended(void *opaque)
{
    Rtc *r = opaque;

    r->s.cmos_data[RTC_C] |= RTC_C_UF;
    if ((uint64_t)host_now(r) >= r->s.next_alarm_time)
        r->s.cmos_data[RTC_C] |= RTC_C_AF;
    arm_update(r);
    update_line(r);
}

/* Ticks between two edges of the divider's tap that RS selects, 0: none (data sheet, table 5). */
static unsigned tap(const Rtc *r)
{
    unsigned rate = r->s.cmos_data[RTC_A] & RTC_A_RATE;

    if (!counts(r) || rate == 0)
        return 0;
    return 1U << (rate <= 2 ? rate + 6 : rate - 1);
}

/* When the tap's next edge is. `period` in ticks; the edges are in step with the seconds. */
static int64_t next_edge(const Rtc *r, unsigned period)
{
    Wide ns = elapsed(r), ticks = divide_down(ns * RTC_TICKS, NS_PER_SECOND);
    Wide edge = (divide_down(ticks, period) + 1) * period;

    return host_now(r) + (int64_t)(-divide_down(-edge * NS_PER_SECOND, RTC_TICKS) - ns);
}

static void arm_periodic(Rtc *r)
{
    bool on = r->s.cmos_data[RTC_B] & RTC_B_PIE;

    r->s.period = on ? tap(r) : 0;
    timer_disarm(&r->periodic);
    if (r->s.period) {
        r->s.next_periodic_time = next_edge(r, r->s.period);
        timer_arm(&r->periodic, r->s.next_periodic_time);
    }
}

/* Edges that nobody was there for are lost, as they are when PF is set already. */
static void periodic_tick(void *opaque)
{
    Rtc *r = opaque;

    r->s.cmos_data[RTC_C] |= RTC_C_PF;
    arm_periodic(r);
    update_line(r);
}

/* What should have happened by now has. */
static void catch_up(Rtc *r)
{
    int64_t now = host_now(r);

    if (timer_armed(&r->update) && timer_expiry(&r->update) <= now)
        update_ended(r);
    if (timer_armed(&r->periodic) && timer_expiry(&r->periodic) <= now)
        periodic_tick(r);
}

/*
 * The clock starts when it is first looked at, or the machine reset. Before, last_update is 0, and so it is in the
 * reset state: a stream of before version 3, which has no such field, leaves it so, and push takes the time from the
 * registers.
 */
static void start(Rtc *r)
{
    if (r->s.last_update)
        return;
    set_time(r, (int64_t)((uint64_t)r->date_offset + (uint64_t)(host_now(r) / NS_PER_SECOND)), 0);
    show_time(r);
    arm_update(r);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool pull(void *opaque, GError **error)
{
    Rtc *r = opaque;

    (void)error;
    start(r);
    if (runs(r))
        show_time(r);
    r->s.periodic_timer = timer_expiry(&r->periodic);
    r->s.update_timer = timer_expiry(&r->update);
    return true;
}

static bool check(const void *state, GError **error)
{
    const RtcState *s = state;

    if (s->cmos_index >= CMOS_SIZE) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "cmos_index: 0x%x lies beyond the memory's 0x%x octets",
                    s->cmos_index, CMOS_SIZE);
        return false;
    }
    if (s->offset < 0 || s->offset >= NS_PER_SECOND) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "offset: %" G_GINT64_FORMAT " ns are not within a second, which has %d", s->offset, NS_PER_SECOND);
        return false;
    }
    return true;
}

/* A timer that is not there, or too late for what it waits for as the host's clock is behind the source's, is armed. */
static void push(void *opaque)
{
    Rtc *r = opaque;
    bool late, flag = r->s.cmos_data[RTC_C] & RTC_C_UF;

    timer_disarm(&r->periodic);
    timer_disarm(&r->update);
    if (r->s.last_update) {
        timer_arm(&r->update, r->s.update_timer);
        timer_arm(&r->periodic, r->s.periodic_timer);
    } else {
        set_time(r, registers_time(r), 0);
    }
    late = (Wide)timer_expiry(&r->update) > (Wide)host_now(r) + NS_PER_SECOND;
    if (!runs(r) || (!flag && (!timer_armed(&r->update) || late)))
        arm_update(r);
    late = (Wide)timer_expiry(&r->periodic) > (Wide)host_now(r) + NS_PER_SECOND;
    if (!tap(r) || !(r->s.cmos_data[RTC_B] & RTC_B_PIE) || !timer_armed(&r->periodic) || late)
        arm_periodic(r);
    irq_set(&r->irq, r->s.cmos_data[RTC_C] & RTC_C_IRQF);
    irq_set(&r->nmi_mask, false);
}

static bool reinjects(const void *state)
{
    return ((const RtcState *)state)->irq_reinject_on_ack_count;
}

static const VMStateField reinject_fields[] = {
    VMS_FIELD(RtcState, irq_reinject_on_ack_count),
    VMS_END,
};

static const VMStateDescription reinject_state = {
    .name = "mc146818rtc/irq_reinject_on_ack_count",
    .version = 1,
    .minimum = 1,
    .fields = reinject_fields,
};

static const VMStateSubsection subsections[] = {
    {.desc = &reinject_state, .needed = reinjects},
    {.desc = NULL},
};

/* The pads are where versions 1 and 2 had what base_rtc and the registers tell. */
static const VMStateField fields[] = {
    VMS_BYTES(RtcState, cmos_data),
    VMS_FIELD(RtcState, cmos_index),
    {.name = "unused[0]", .kind = VMS_UNUSED, .offset = VMS_NOWHERE, .size = 28, .count = 1},
    VMS_FIELD(RtcState, periodic_timer, .type = "timer"),
    VMS_FIELD(RtcState, next_periodic_time),
    {.name = "unused[1]", .kind = VMS_UNUSED, .offset = VMS_NOWHERE, .size = 24, .count = 1},
    VMS_FIELD(RtcState, irq_coalesced, .since = 2),
    VMS_FIELD(RtcState, period, .since = 2),
    VMS_FIELD(RtcState, base_rtc, .since = 3),
    VMS_FIELD(RtcState, last_update, .since = 3),
    VMS_FIELD(RtcState, offset, .since = 3),
    VMS_FIELD(RtcState, update_timer, .type = "timer", .since = 3),
    VMS_FIELD(RtcState, next_alarm_time, .since = 3),
    VMS_END,
};

static const VMStateDescription rtc_state = {
    .name = "mc146818rtc",
    .version = 3,
    .minimum = 1,
    .size = sizeof(RtcState),
    .fields = fields,
    .subsections = subsections,
    .pull = pull,
    .check = check,
    .push = push,
};

/* --- registers -------------------------------------------------------------------------------------------------- */

static unsigned selected(const Rtc *r)
{
    unsigned index = r->s.cmos_index % CMOS_SIZE;

    return index == RTC_CENTURY_PS2 ? CMOS_CENTURY : index;
}

static bool is_alarm(unsigned index)
{
    return index == RTC_SECONDS_ALARM || index == RTC_MINUTES_ALARM || index == RTC_HOURS_ALARM;
}

static bool is_time(unsigned index)
{
    return (index <= RTC_YEAR && !is_alarm(index)) || index == CMOS_CENTURY;
}

/* The flags, which reading clears. PF tells of the tap's edges also where they do not interrupt. */
static uint8_t read_flags(Rtc *r)
{
    uint8_t *c = &r->s.cmos_data[RTC_C], flags;

    if (tap(r) && !timer_armed(&r->periodic)) {
        *c |= host_now(r) >= r->s.next_periodic_time ? RTC_C_PF : 0;
        r->s.next_periodic_time = next_edge(r, tap(r));
    }
    flags = *c;
    *c = 0;
    update_line(r);
    if (flags & (RTC_C_UF | RTC_C_AF))
        arm_update(r);
    return flags;
}

static uint8_t read_register(Rtc *r, unsigned index)
{
    uint8_t a = r->s.cmos_data[RTC_A] & ~RTC_A_UIP;

    if (is_time(index) && runs(r))
        show_time(r);
    if (index == RTC_A)
        return (uint8_t)(a | (runs(r) && fraction_now(r) >= NS_PER_SECOND - RTC_UIP_NS ? RTC_A_UIP : 0));
    return index == RTC_C ? read_flags(r) : r->s.cmos_data[index];
}

/* Registers A and B say whether the time runs. When it stops they keep it; when it runs again, it is theirs. */
static void write_control(Rtc *r, unsigned index, uint8_t value)
{
    bool ran = runs(r), counted = counts(r);

    if (ran)
        show_time(r);
    if (ran)
        set_time(r, seconds_now(r), fraction_now(r));
    r->s.cmos_data[index] = value;
    if (!counted && counts(r))
        set_time(r, (int64_t)r->s.base_rtc, RTC_RELEASE_NS);
    if (!ran && runs(r))
        set_time(r, registers_time(r), fraction_now(r));
    arm_periodic(r);
    arm_update(r);
    update_line(r);
}

static void write_register(Rtc *r, unsigned index, uint8_t value)
{
    if (index == RTC_A)
        write_control(r, index, value & ~RTC_A_UIP);
    else if (index == RTC_B)
        write_control(r, index, value & RTC_B_SET ? value & ~RTC_B_UIE : value);
    else if (is_time(index) && runs(r))
        show_time(r);
    if (index < RTC_A || index > RTC_D)
        r->s.cmos_data[index] = value;
    if (is_time(index) && runs(r))
        set_time(r, registers_time(r), fraction_now(r));
    if (is_time(index) || is_alarm(index))
        arm_update(r);
}

static uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    Rtc *r = opaque;

    (void)size;
    if (addr != RTC_DATA - RTC_INDEX)
        return 0xff;
    start(r);
    catch_up(r);
    return read_register(r, selected(r));
}

static void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Rtc *r = opaque;

    (void)size;
    if (addr != RTC_DATA - RTC_INDEX) {
        r->s.cmos_index = (uint8_t)value & ~RTC_NMI_MASK;
        irq_set(&r->nmi_mask, value & RTC_NMI_MASK);
        return;
    }
    start(r);
    catch_up(r);
    write_register(r, selected(r), (uint8_t)value);
}

static const IoOps ops = {.read = read_port, .write = write_port, .max = 1};

void mc146818rtc_set_cmos(Device *dev, unsigned index, uint8_t value)
{
    Rtc *r = (Rtc *)dev;

    if (index >= CMOS_FIRST && index < CMOS_SIZE && index != CMOS_CENTURY)
        r->s.cmos_data[index] = value;
}

uint8_t mc146818rtc_get_cmos(const Device *dev, unsigned index)
{
    const Rtc *r = (const Rtc *)dev;

    return index < CMOS_SIZE ? r->s.cmos_data[index] : 0;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

/* The battery keeps memory, time and register A; the index is kept, too (data sheet, RESET). */
static void reset(Device *dev)
{
    Rtc *r = (Rtc *)dev;

    if (dev->reset_state)
        start(r);
    r->s.cmos_data[RTC_B] &= ~(RTC_B_PIE | RTC_B_AIE | RTC_B_UIE | RTC_B_SQWE);
    r->s.cmos_data[RTC_C] = 0;
    arm_periodic(r);
    if (r->s.last_update)
        arm_update(r);
    update_line(r);
    irq_set(&r->nmi_mask, false);
}

static bool realize(Device *dev, GError **error)
{
    Rtc *r = (Rtc *)dev;
    Machine *m = dev->machine;

    (void)error;
    r->s = (RtcState){
        .cmos_data = {[RTC_A] = RTC_A_32768_HZ | 6, [RTC_B] = RTC_B_24_HOURS, [RTC_D] = RTC_D_VALID},
        .periodic_timer = TIMER_NEVER,
        .update_timer = TIMER_NEVER,
    };
    timer_init(&r->periodic, m->host_clock, periodic_tick, r);
    timer_init(&r->update, m->host_clock, update_ended, r);
    r->ports = space_map(m->ports, &(SpaceMapping){.base = RTC_INDEX, .size = 2, .ops = &ops, .opaque = r});
    return true;
}

static void unrealize(Device *dev)
{
    Rtc *r = (Rtc *)dev;

    space_unmap(dev->machine->ports, r->ports);
    timer_done(&r->periodic);
    timer_done(&r->update);
}

static const VMStateField option_fields[] = {
    VMS_FIELD(Rtc, base_year),
    VMS_FIELD(Rtc, date_offset),
    VMS_END,
};

static const VMStateDescription options = {
    .name = "mc146818rtc",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Rtc),
    .fields = option_fields,
};

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(Rtc, irq, "irq"),
    DEVICE_OUTPUT(Rtc, nmi_mask, "nmi_mask"),
    {.name = NULL},
};

static const Rtc defaults = {.base_year = 2000};

const DeviceType mc146818rtc_type = {
    .name = "mc146818rtc",
    .about = "real-time clock and CMOS memory",
    .size = sizeof(Rtc),
    .defaults = &defaults,
    .options = &options,
    .state = &rtc_state,
    .state_offset = offsetof(Rtc, s),
    .outputs = outputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};

void mc146818rtc_set_back(Device *dev, int64_t ns)
{
    Rtc *r = (Rtc *)dev;

    if (!r->s.last_update)
        return;
    r->s.last_update += (uint64_t)ns;
    arm_update(r);
    arm_periodic(r);
}
