/*
 * timers.c: interrupts of the PIT (through the 8259 and the I/O APIC at the same time), the RTC (periodic, alarm), the
 * HPET and the local APIC are counted and held against the clocks.
 *
 * In each window of WINDOW_NS a timer must have given an interrupt. That is little, but a processor of a busy host may
 * stand for most of it, and what comes again before it is taken comes once; only the PIT through the 8259 makes up for
 * that, if it is KVM's (option pit_once): a fifth of it is asked for. Over all there may be no more than the rate, but
 * for what was saved up: one in 50, and BURST for each time that the machine stood. One-shots never come early, and
 * those that were armed in time come.
 *
 * Sources: 8254 data sheet (mode 2); MC146818A data sheet (rate, alarm); IA-PC HPET Specification 1.0a, 2.3.8;
 * Intel SDM volume 3, 10.5.4.
 */
#include "tests/guest/guest.h"

#define HPET       UINT64_C(0xfed00000)
#define PER_SECOND UINT64_C(1000000000)
#define WINDOW_NS  PER_SECOND
#define LATE_NS    (2 * PER_SECOND)

enum {
    BURST = 16,
    HPET_MOST_MHZ = 300000,
    PIT_HZ = 1193182,
    PIT_DIVISOR = 11932, /* 100 Hz */
    RTC_HZ = 64,

    HPET_CONFIG = 0x010,
    HPET_STATUS = 0x020,
    HPET_TIMER = 0x100, /* 0x20 further for each: configuration, comparator at 8 */
    TN_LEVEL = 1 << 1,
    TN_ENABLE = 1 << 2,
    TN_PERIODIC = 1 << 3,
    TN_CAN_PERIODIC = 1 << 4,
    TN_SET_VALUE = 1 << 6,
    TN_32_BIT = 1 << 8,
    TN_ROUTE = 9,
    HPET_PERIOD = 1300000, /* counts: at 10 ns it is 77 Hz */
    HPET_SHOT = 700000,

    LVT_PERIODIC = 1 << 17,
    LVT_MASKED = 1 << 16,
    DIVIDE_BY_16 = 3,

    RTC_PERIODIC = 0x40,
    RTC_ALARM = 0x20,
    ANY = 0xff,
};

typedef struct Source {
    const char *name;
    volatile uint64_t *count;
    uint64_t mhz; /* thousandths of a hertz; 0: off */
    uint64_t at_window, dropped;
} Source;

static struct {
    uint64_t began, window, rounds;
    bool rtc, hpet, hpet_shares; /* the PIT's pin */
    unsigned hpet_pin;
    volatile uint64_t rtc_periodic, rtc_alarms, rtc_interrupts;
    volatile uint8_t rtc_index;
    uint64_t alarm_second, alarm_armed, alarm_tsc;
    unsigned alarm_hops;
    volatile uint64_t hpet_shots[3], hpet_fired, hpet_interrupts;
    uint64_t hpet_target[3], hpet_rearmed, hpet_seen, hpet_polled;
    bool hpet_armed[3];
    uint64_t hpet_periodic_seen;
    uint64_t lapic_per_ms, lapic_mode, lapic_count, lapic_armed, lapic_shots, lapic_extra;
    bool lapic_waits;
    bool made_up;
} t;

static Source sources[] = {
    {.name = "pit.8259", .count = &interrupts[VECTOR_PIC]},
    {.name = "pit.ioapic", .count = &interrupts[VECTOR_PINS + 2]},
    {.name = "rtc", .count = &t.rtc_periodic},
};
enum { PIT_BY_PIC, PIT_BY_IOAPIC, RTC, SOURCES };

/* --- RTC --------------------------------------------------------------------------------------------------------- */

uint8_t cmos_read(uint8_t index)
{
    t.rtc_index = index;
    outb(0x70, index);
    return inb(0x71);
}

void cmos_write(uint8_t index, uint8_t value)
{
    t.rtc_index = index;
    outb(0x70, index);
    outb(0x71, value);
}

static void on_rtc(unsigned vector)
{
    (void)vector;
    outb(0x70, 0x0c);
    uint8_t flags = inb(0x71);
    outb(0x70, t.rtc_index);
    t.rtc_interrupts++;
    if (flags & RTC_PERIODIC)
        t.rtc_periodic++;
    if (flags & RTC_ALARM)
        t.rtc_alarms++;
}

/* In three seconds, in whichever minute. */
static void arm_alarm(void)
{
    bool binary = cmos_read(0x0b) & 4;
    uint8_t now = cmos_read(0);
    unsigned second = binary ? now : (now >> 4) * 10 + (now & 15);

    second = (second + 3) % 60;
    cmos_write(5, ANY);
    cmos_write(3, ANY);
    cmos_write(1, binary ? second : second / 10 << 4 | second % 10);
    t.alarm_second = t.rtc_alarms;
    t.alarm_armed = now_ns();
    t.alarm_tsc = rdtsc();
    t.alarm_hops = clocks_hops();
}

static void rtc_init(void)
{
    handlers[VECTOR_PINS + 8] = on_rtc;
    cmos_write(0x0a, 0x2a); /* 32768 Hz, 64 Hz */
    cmos_read(0x0c);
    ioapic_set(8, VECTOR_PINS + 8, false);
    cmos_write(0x0b, (cmos_read(0x0b) & 0x87) | RTC_PERIODIC | RTC_ALARM);
    arm_alarm();
    t.rtc = true;
    sources[RTC].mhz = RTC_HZ * 1000;
}

static void rtc_round(void)
{
    uint64_t now = now_ns();

    if (t.rtc_alarms != t.alarm_second) {
        /* It rings when a second begins, three of them on: later than two. */
        if (rdtsc() - t.alarm_tsc < tsc_per_ms() * 1900)
            fail("rtc.alarm.early-ms", 2000, (rdtsc() - t.alarm_tsc) / tsc_per_ms());
        arm_alarm();
    } else if (clocks_hops() != t.alarm_hops) {
        if (now > t.alarm_armed + 4 * PER_SECOND)
            arm_alarm(); /* the second may have gone by while the machine stood */
    } else if (now > t.alarm_armed + 4 * PER_SECOND + LATE_NS) {
        fail("rtc.alarm.lost-ms", 3000, (now - t.alarm_armed) / 1000000);
    }
}

/* --- PIT --------------------------------------------------------------------------------------------------------- */

static void pit_init(void)
{
    ioapic_set(2, VECTOR_PINS + 2, false);
    pic_enable(0);
    outb(0x43, 0x34); /* counter 0, both octets, mode 2 */
    outb(0x40, PIT_DIVISOR & 0xff);
    outb(0x40, PIT_DIVISOR >> 8);
    for (unsigned i = PIT_BY_PIC; i <= PIT_BY_IOAPIC; i++)
        sources[i].mhz = (uint64_t)PIT_HZ * 1000 / PIT_DIVISOR;
}

/* The counter is latched, and must be within the divisor; channel 2 counts as well, with a gate. */
static void pit_round(void)
{
    outb(0x43, 0x00);
    unsigned count = inb(0x40);

    count |= inb(0x40) << 8;
    if (count > PIT_DIVISOR)
        fail("pit.count", PIT_DIVISOR, count);
    outb(0x43, 0xe2); /* read back: status of channel 0 */
    unsigned status = inb(0x40);
    if ((status & 0x3f) != 0x34)
        fail("pit.status", 0x34, status & 0x3f);
}

/* --- HPET -------------------------------------------------------------------------------------------------------- */

static uint64_t timer_register(unsigned n)
{
    return HPET + HPET_TIMER + 0x20 * n;
}

/* One-shot: the counter is read again, since a comparator that has been passed waits for the counter to come round. */
static void hpet_arm(unsigned n)
{
    uint64_t target = hpet_counter() + HPET_SHOT * (1 + n);

    t.hpet_target[n] = target;
    uint32_t config = read32(timer_register(n));
    write32(timer_register(n), config & ~TN_ENABLE); /* half of a new value could be in the past */
    write32(timer_register(n) + 8, target);
    write32(timer_register(n) + 12, target >> 32);
    write32(HPET + HPET_STATUS, 1 << n); /* what was before is over */
    t.hpet_seen = t.hpet_shots[1];
    write32(timer_register(n), config);
    t.hpet_armed[n] = hpet_counter() < target;
    t.hpet_rearmed += !t.hpet_armed[n];
}

/* In ring 0. What has happened is taken and the line falls; which of two events was first is not known. */
static uint64_t hpet_take(uint64_t taken)
{
    for (unsigned tries = 0; tries < 4; tries++) {
        uint32_t status = read32(HPET + HPET_STATUS) & 7;
        if (!status)
            break;
        write32(HPET + HPET_STATUS, status);
        if (status & 2)
            t.hpet_fired = hpet_counter();
        for (unsigned n = 0; n < 3; n++)
            t.hpet_shots[n] += status >> n & 1;
        taken++;
    }
    return taken;
}

static void on_hpet(unsigned vector)
{
    (void)vector;
    t.hpet_interrupts += hpet_take(0) != 0; /* if it has nothing it was the PIT, whose pin it may be */
}

/* Timer 0 periodic, 1 one-shot, both on one pin, which on the PC is that of the PIT; so level, to tell them apart. */
static void hpet_init(void)
{
    uint32_t pins = read32(timer_register(0) + 4);

    for (t.hpet_pin = 0; t.hpet_pin < PINS && !(pins >> t.hpet_pin & 1); t.hpet_pin++)
        ;
    if (t.hpet_pin == PINS)
        fail("hpet.pins", 1, pins);
    for (unsigned pin = PINS - 1; pin > t.hpet_pin; pin--) /* not the PIT's, if there is a choice */
        if (pins >> pin & 1 && t.hpet_pin == 2)
            t.hpet_pin = pin;
    write32(HPET + HPET_STATUS, 7);
    uint32_t config = (uint32_t)t.hpet_pin << TN_ROUTE | TN_LEVEL | TN_ENABLE;
    if (read32(timer_register(0)) & TN_CAN_PERIODIC) { /* first event, then period, as 2.3.9.2 has it */
        write32(timer_register(0), config | TN_PERIODIC | TN_SET_VALUE | TN_32_BIT);
        write32(timer_register(0) + 8, hpet_counter() + HPET_PERIOD);
        write32(timer_register(0) + 8, HPET_PERIOD);
    }
    t.hpet_shares = t.hpet_pin == 2 && option_has("timers", "pit");
    handlers[VECTOR_PINS + t.hpet_pin] = on_hpet;
    if (!t.hpet_shares)
        ioapic_set(t.hpet_pin, VECTOR_PINS + t.hpet_pin, false);
    write32(timer_register(1), config);
    hpet_arm(1);
    t.hpet = true;
}

static void hpet_round(void)
{
    uint64_t shots = t.hpet_shots[1], counter = hpet_counter();

    /* An edge that comes together with the PIT's is lost, and the line would stay up. */
    t.hpet_polled += ring0(hpet_take, 0);
    if (shots != t.hpet_seen) {
        if (t.hpet_armed[1] && t.hpet_fired < t.hpet_target[1])
            fail("hpet.early", t.hpet_target[1], t.hpet_fired);
        hpet_arm(1);
    } else if (!t.hpet_armed[1]) {
        hpet_arm(1);
    } else if (t.hpet_shots[1] == shots && counter > t.hpet_target[1] + LATE_NS / 10) {
        fail("hpet.lost", t.hpet_target[1], counter);
    }
}

/* --- local APIC -------------------------------------------------------------------------------------------------- */

uint64_t lapic_ticks_per_ms(void)
{
    return t.lapic_per_ms ? t.lapic_per_ms : 62500;
}

static void lapic_init(void)
{
    lapic_write(LAPIC_DIVIDE, DIVIDE_BY_16);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
    lapic_write(LAPIC_INITIAL, UINT32_MAX);
    uint64_t begin = now_ns(), from = lapic_read(LAPIC_CURRENT), end;
    do
        end = now_ns();
    while (end < begin + 50000000);
    t.lapic_per_ms = (from - lapic_read(LAPIC_CURRENT)) * 1000000 / (end - begin);
    if (!t.lapic_per_ms)
        fail("lapic.rate", 1, 0);
    lapic_write(LAPIC_INITIAL, 0);
}

/* Each window has the other mode. */
static void lapic_switch(void)
{
    t.lapic_mode ^= LVT_PERIODIC;
    t.lapic_waits = false;
    lapic_write(LAPIC_INITIAL, 0);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | t.lapic_mode);
    for (uint64_t end = rdtsc() + tsc_per_ms() / 5; rdtsc() < end;) /* what was on its way comes */
        pause();
    t.lapic_count = interrupts[VECTOR_TIMER];
    if (t.lapic_mode)
        lapic_write(LAPIC_INITIAL, t.lapic_per_ms * 10);
}

/*
 * KVM lets a one-shot that has come already come once more when the APIC's state is put back, so each move may have one
 * too many; it is not early then, since the one before was seen.
 */
static void lapic_round(void)
{
    uint64_t count = interrupts[VECTOR_TIMER], now;

    if (t.lapic_mode)
        return;
    if (t.lapic_waits && count == t.lapic_count) {
        if ((now = now_ns()) > t.lapic_armed + LATE_NS)
            fail("lapic.one-shot.lost-ms", 5, (now - t.lapic_armed) / 1000000);
        return;
    }
    if (t.lapic_waits) {
        now = now_ns();
        t.lapic_extra += count - t.lapic_count - 1;
        if (now - t.lapic_armed < 4900000)
            fail("lapic.one-shot.early-ns", 5000000, now - t.lapic_armed);
        t.lapic_shots++;
    }
    t.lapic_count = count;
    t.lapic_waits = true;
    t.lapic_armed = now_ns();
    lapic_write(LAPIC_INITIAL, t.lapic_per_ms * 5);
}

/* --- all --------------------------------------------------------------------------------------------------------- */

void timers_init(void)
{
    t.made_up = !option_number("pit_once", 0);
    if (option_has("timers", "hpet") && hpet_present())
        hpet_init();
    if (option_has("timers", "lapic"))
        lapic_init();
    if (option_has("timers", "pit"))
        pit_init();
    if (option_has("timers", "rtc"))
        rtc_init();
    t.began = t.window = now_ns();
}

/* How many in so long, rounded up. */
static uint64_t ticks(uint64_t mhz, uint64_t ns)
{
    return scale(mhz, ns, 1000 * PER_SECOND) + 1;
}

static void check_window(uint64_t now)
{
    uint64_t window = now - t.window, all = now - t.began;

    for (unsigned i = 0; i < SOURCES; i++) {
        Source *s = &sources[i];
        uint64_t count = *s->count;
        if (!s->mhz)
            continue;
        bool held = i == PIT_BY_IOAPIC && t.hpet_shares && t.rounds < 5; /* by the HPET, until a round lets it go */
        if (!held && count - s->at_window < (i == PIT_BY_PIC && t.made_up ? ticks(s->mhz, window) / 5 : 1))
            fail(s->name, ticks(s->mhz, window), count - s->at_window);
        uint64_t most = ticks(s->mhz + (i == PIT_BY_IOAPIC && t.hpet_shares ? HPET_MOST_MHZ : 0), all),
                 extra = most / 50 + BURST * (1 + clocks_hops());
        if (count > most + extra)
            fail(s->name, most, count);
        s->at_window = count;
    }
    if (t.hpet && window < 2 * WINDOW_NS) {
        if (!(read32(timer_register(0)) & TN_PERIODIC) || t.hpet_shots[0] > t.hpet_periodic_seen)
            t.hpet_periodic_seen = t.hpet_shots[0];
        else
            fail("hpet.periodic", t.hpet_periodic_seen + 1, t.hpet_shots[0]);
    }
    if (t.lapic_per_ms) {
        uint64_t count = interrupts[VECTOR_TIMER] - t.lapic_count, most = ticks(100000, window);
        if (t.lapic_extra > clocks_hops())
            fail("lapic.one-shot.twice", clocks_hops(), t.lapic_extra);
        if (t.lapic_mode && (count == 0 || count > most + most / 50 + BURST))
            fail("lapic.periodic", most, count);
        lapic_switch();
    }
    t.window = now_ns();
    t.rounds = 0;
}

void timers_round(void)
{
    if (sources[PIT_BY_PIC].mhz)
        pit_round();
    if (t.rtc)
        rtc_round();
    if (t.hpet)
        hpet_round();
    if (t.lapic_per_ms)
        lapic_round();
    t.rounds++;
    uint64_t now = now_ns();
    if (now >= t.window + WINDOW_NS)
        check_window(now);
}

void timers_report(void)
{
    put_item("pit", *sources[PIT_BY_PIC].count);
    put_item("pit_ioapic", *sources[PIT_BY_IOAPIC].count);
    put_item("rtc", t.rtc_periodic);
    put_item("alarm", t.rtc_alarms);
    put_item("hpet", t.hpet_shots[0]);
    put_item("hpet_shot", t.hpet_shots[1]);
    put_item("hpet_irq", t.hpet_interrupts);
    put_item("lapic", interrupts[VECTOR_TIMER]);
    put_item("lapic_shot", t.lapic_shots);
}
