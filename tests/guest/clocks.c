/*
 * clocks.c: the clocks are held against each other: TSC, HPET, ACPI timer, kvmclock, the RTC's seconds.
 *
 * HPET, ACPI timer and kvmclock stand while the machine is moved; the RTC goes on; the TSC may do either. So what the
 * TSC has more than the HPET is time that was lost (a hop). Tolerances: within a window of WINDOW_NS, each rate to
 * 1 in 1000 and the time that reading took; HPET and ACPI timer, which count the same time, to SAME_NS for ever.
 *
 * Sources: IA-PC HPET Specification 1.0a, 2.3; ACPI 6.4, 4.8.3.3 (timer); MC146818A data sheet; Linux
 * Documentation/virt/kvm/x86/msr.rst and cpuid.rst (kvmclock).
 */
#include "tests/guest/guest.h"

#define HPET         UINT64_C(0xfed00000)
#define PER_SECOND   UINT64_C(1000000000)
#define WINDOW_NS    (PER_SECOND / 5)
#define SAME_NS      UINT64_C(200000)
#define HOP_NS       UINT64_C(3000000)
#define RTC_SLACK_NS (PER_SECOND * 5 / 4)

enum {
    PM_HZ = 3579545,
    PM_BITS = 24,
    PIIX4_PM = 0x71138086,
    PM_BASE = 0x40,
    PM_TIMER = 8,

    HPET_CAPABILITIES = 0x000,
    HPET_CONFIG = 0x010,
    HPET_COUNTER = 0x0f0,

    MSR_KVMCLOCK = 0x4b564d01,
};

typedef struct KvmClock { /* struct pvclock_vcpu_time_info */
    uint32_t version, pad;
    uint64_t tsc, ns;
    uint32_t scale;
    int8_t shift;
    uint8_t flags, pad2[2];
} KvmClock;

static struct {
    bool hpet;
    uint64_t hpet_fs, hpet_last;
    uint16_t pm_port;
    uint64_t pm_last, pm_at_hpet, own_last;
    bool kvm, rtc;
    uint64_t tsc_per_ms;
    Clocks first, last;
    uint64_t rtc_first, rtc_last;
    unsigned hops;
    uint64_t lost_ns, longest_ns, windows;
} c;

static KvmClock kvm_clock __attribute__((aligned(64)));

/* --- each clock -------------------------------------------------------------------------------------------------- */

bool hpet_present(void)
{
    return c.hpet;
}

uint64_t hpet_counter(void)
{
    uint32_t high, low;

    if (!c.hpet)
        return 0;
    do {
        high = read32(HPET + HPET_COUNTER + 4);
        low = read32(HPET + HPET_COUNTER);
    } while (high != read32(HPET + HPET_COUNTER + 4));
    return low | (uint64_t)high << 32;
}

static uint64_t hpet_ns(uint64_t count)
{
    return scale(count, c.hpet_fs, 1000000);
}

static uint64_t pm_ns(uint64_t count)
{
    return scale(count, PER_SECOND, PM_HZ);
}

static uint64_t tsc_ns(uint64_t count)
{
    return scale(count, 1000000, c.tsc_per_ms);
}

/* Of its 24 bits: the value next to what the HPET says has gone by; without HPET it must be read every four seconds. */
static uint64_t pm_counter(uint64_t hpet)
{
    uint64_t mask = (1 << PM_BITS) - 1, now = inl(c.pm_port) & mask, ahead = (now - c.pm_last) & mask;

    if (c.hpet) {
        uint64_t want = scale(hpet_ns(hpet - c.pm_at_hpet), PM_HZ, PER_SECOND);
        while (ahead + mask / 2 < want)
            ahead += mask + 1;
        c.pm_at_hpet = hpet;
    }
    return c.pm_last += ahead;
}

static uint64_t kvm_now(void)
{
    volatile KvmClock *k = &kvm_clock;
    uint32_t version;
    uint64_t ns;

    do {
        version = k->version;
        barrier();
        uint64_t delta = rdtsc() - k->tsc;
        delta = k->shift < 0 ? delta >> -k->shift : delta << k->shift;
        ns = k->ns + scale(delta, k->scale, UINT64_C(1) << 32);
        barrier();
    } while ((version & 1) || version != k->version);
    return ns;
}

static unsigned decimal(uint8_t value, bool binary)
{
    return binary ? value : (value >> 4) * 10 + (value & 15);
}

/* Seconds since a day that does not matter; months are taken from a table, leap years by four. */
static uint64_t rtc_seconds(void)
{
    static const uint16_t days[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    uint8_t r[10], again[10];
    static const uint8_t registers[] = {0, 2, 4, 7, 8, 9};
    bool binary = cmos_read(0x0b) & 4;

    do {
        for (unsigned tries = 0; cmos_read(0x0a) & 0x80; tries++) /* update in progress, 2 ms at most */
            if (tries > 1000)
                fail("rtc.update-in-progress", 0, 0x80);
        for (unsigned i = 0; i < sizeof(registers); i++)
            r[registers[i]] = cmos_read(registers[i]);
        for (unsigned i = 0; i < sizeof(registers); i++)
            again[registers[i]] = cmos_read(registers[i]);
    } while (r[0] != again[0] || r[2] != again[2] || r[4] != again[4] || r[7] != again[7] || r[9] != again[9]);
    unsigned second = decimal(r[0], binary), minute = decimal(r[2], binary), hour = decimal(r[4], binary);
    unsigned day = decimal(r[7], binary), month = decimal(r[8], binary), year = decimal(r[9], binary);
    if (second > 59 || minute > 59 || hour > 23 || day < 1 || day > 31 || month < 1 || month > 12)
        fail("rtc.time", 0, second | minute << 8 | hour << 16 | (uint64_t)day << 24 | (uint64_t)month << 32);
    uint64_t total = year * 365 + year / 4 + days[month - 1] + day - (year % 4 == 0 && month <= 2);
    return ((total * 24 + hour) * 60 + minute) * 60 + second;
}

/* --- together ---------------------------------------------------------------------------------------------------- */

void clocks_read(Clocks *best)
{
    uint64_t limit = c.tsc_per_ms ? c.tsc_per_ms / 2 : 2000000, least = UINT64_MAX;

    for (unsigned tries = 0; tries < 20 && least > limit; tries++) {
        Clocks now = {0};
        uint64_t begin = rdtsc();
        now.hpet = hpet_counter();
        now.tsc = rdtsc();
        if (c.pm_port)
            now.pm = pm_counter(now.hpet);
        if (c.kvm)
            now.kvm = kvm_now();
        uint64_t took = rdtsc() - begin;
        if (took >= least)
            continue;
        least = took;
        now.slack_ns = c.tsc_per_ms ? tsc_ns(took) : 0;
        *best = now;
    }
}

uint64_t now_ns(void)
{
    uint64_t now;

    if (c.hpet) {
        c.hpet_last += (uint32_t)(read32(HPET + HPET_COUNTER) - (uint32_t)c.hpet_last);
        now = hpet_ns(c.hpet_last);
    } else {
        now = pm_ns(pm_counter(0));
    }
    if (now < c.own_last)
        fail("clock.back", c.own_last, now);
    return c.own_last = now;
}

uint64_t tsc_per_ms(void)
{
    return c.tsc_per_ms;
}

unsigned clocks_hops(void)
{
    return c.hops;
}

/* --- at the beginning -------------------------------------------------------------------------------------------- */

static void init_hpet(void)
{
    uint32_t low = read32(HPET + HPET_CAPABILITIES);

    c.hpet_fs = read32(HPET + HPET_CAPABILITIES + 4);
    c.hpet = low != UINT32_MAX && low && c.hpet_fs && c.hpet_fs <= 100000000 && option_has("clocks", "hpet");
    if (!c.hpet)
        return;
    write32(HPET + HPET_CONFIG, 0);
    write32(HPET + HPET_COUNTER, 0xffe00000); /* the upper half is soon needed */
    write32(HPET + HPET_COUNTER + 4, 0);
    write32(HPET + HPET_CONFIG, 1);
    c.hpet_last = c.pm_at_hpet = hpet_counter();
}

static void init_kvm(void)
{
    Cpuid leaf = {.leaf = 0x40000000};

    cpuid(&leaf);
    if (leaf.b != 0x4b4d564b || leaf.c != 0x564b4d56 || leaf.d != 0x4d || !option_has("clocks", "kvm"))
        return;
    leaf.leaf = 0x40000001;
    cpuid(&leaf);
    if (!(leaf.a & 1 << 3)) /* the newer pair of MSRs */
        return;
    write_msr(MSR_KVMCLOCK, address_of(&kvm_clock) | 1);
    c.kvm = true;
}

void clocks_init(void)
{
    PciDevice pm;
    Clocks from, to;

    init_hpet();
    if (pci_find(PIIX4_PM, PIIX4_PM, &pm)) {
        c.pm_port = (pci_read(pm.devfn, PM_BASE) & 0xffc0) + PM_TIMER;
        if (c.pm_port == PM_TIMER || !(pci_read(pm.devfn, 0x80) & 1))
            c.pm_port = 0;
        else
            c.pm_last = inl(c.pm_port) & ((1 << PM_BITS) - 1);
    }
    init_kvm();
    if (!c.hpet && !c.pm_port)
        fail("clocks.none", 1, 0);
    clocks_read(&from); /* how fast the TSC is: over 200 ms */
    uint64_t end = now_ns() + PER_SECOND / 5;
    while (now_ns() < end)
        pause();
    clocks_read(&to);
    uint64_t ns = c.hpet ? hpet_ns(to.hpet - from.hpet) : pm_ns(to.pm - from.pm);
    c.tsc_per_ms = (to.tsc - from.tsc) * 1000000 / ns;
    clocks_read(&c.first);
    c.last = c.first;
    c.rtc = option_has("clocks", "rtc");
    if (c.rtc)
        c.rtc_first = c.rtc_last = rtc_seconds();
    put_word("tsc_khz", "");
    put_number(c.tsc_per_ms);
    put_word("hpet", c.hpet ? "there" : "absent");
    put_word("pmtimer", c.pm_port ? "there" : "absent");
    put_word("kvmclock", c.kvm ? "there" : "absent");
}

/* --- in each round ----------------------------------------------------------------------------------------------- */

static void near(const char *what, uint64_t expected, uint64_t got, uint64_t tolerance)
{
    if (got + tolerance < expected || got > expected + tolerance)
        fail(what, expected, got);
}

static void check_rtc(uint64_t own, uint64_t tsc)
{
    uint64_t now = rtc_seconds(), most = own > tsc ? own : tsc, ns;
    Clocks here;

    if (now < c.rtc_last)
        fail("clock.rtc.back", c.rtc_last, now);
    c.rtc_last = now;
    clocks_read(&here); /* reading it may have taken long */
    most += tsc_ns(here.tsc - c.last.tsc);
    ns = (now - c.rtc_first) * PER_SECOND;
    if (ns + RTC_SLACK_NS + own / 1000 < own)
        fail("clock.rtc.slow", own, ns);
    if (ns > most + most / 1000 + RTC_SLACK_NS) { /* only the RTC has seen that the machine stood */
        c.hops++;
        c.lost_ns += ns - most;
        c.rtc_first += (ns - most) / PER_SECOND;
    }
}

/* The machine's own time since the beginning, and by the TSC. */
void clocks_round(void)
{
    Clocks now;

    clocks_read(&now);
    if (now.tsc < c.last.tsc || now.hpet < c.last.hpet || now.pm < c.last.pm)
        fail("clock.back", c.last.tsc, now.tsc);
    if (now.kvm < c.last.kvm)
        fail("clock.kvm.back", c.last.kvm, now.kvm);
    uint64_t own = c.hpet ? hpet_ns(now.hpet - c.last.hpet) : pm_ns(now.pm - c.last.pm);
    if (own < WINDOW_NS && tsc_ns(now.tsc - c.last.tsc) < WINDOW_NS)
        return;
    uint64_t tsc = tsc_ns(now.tsc - c.last.tsc), slack = now.slack_ns + c.last.slack_ns, off = own / 1000 + slack;
    bool hop = tsc > own + off + HOP_NS;

    if (c.hpet && c.pm_port)
        near("clock.pm", hpet_ns(now.hpet - c.first.hpet), pm_ns(now.pm - c.first.pm),
             SAME_NS + now.slack_ns + c.first.slack_ns);
    if (hop) {
        c.hops++;
        c.lost_ns += tsc - own;
        if (tsc - own > c.longest_ns)
            c.longest_ns = tsc - own;
    } else {
        near("clock.tsc", own, tsc, off + HOP_NS);
    }
    if (c.kvm) { /* it may stand a little later than the others, never earlier */
        uint64_t kvm = now.kvm - c.last.kvm;
        if (kvm + off + (hop ? 20000000 : 0) < own)
            fail("clock.kvm.slow", own, kvm);
        if (kvm > tsc + off + HOP_NS)
            fail("clock.kvm.fast", tsc, kvm);
    }
    c.last = now;
    c.windows++;
    if (c.rtc) {
        uint64_t total = c.hpet ? hpet_ns(now.hpet - c.first.hpet) : pm_ns(now.pm - c.first.pm);
        check_rtc(total, tsc_ns(now.tsc - c.first.tsc));
    }
}

void clocks_report(void)
{
    put_item("ms", (c.hpet ? hpet_ns(c.last.hpet - c.first.hpet) : pm_ns(c.last.pm - c.first.pm)) / 1000000);
    put_item("hops", c.hops);
    put_item("lost_us", c.lost_ns / 1000);
    put_item("longest_us", c.longest_ns / 1000);
}
