/*
 * smp.c: the second processor: it computes by itself, has a timer of its own and is called, and calls back.
 *
 * Sources: Intel SDM volume 3, 8.4.4.1 (INIT, SIPI), 10.6 (interrupts between processors).
 */
#include "tests/guest/guest.h"

#define LATE_NS UINT64_C(10000000000)

enum {
    TRAMPOLINE = 0x8000,
    SET_WORDS = 512 << 10 >> 3,
    VECTOR_CALLED = VECTOR_IPI,
    VECTOR_ANSWER = VECTOR_IPI + 1,
    VECTOR_SECOND_TIMER = VECTOR_TIMER + 8,
    INIT = 0x4500,
    STARTUP = 0x4600,
    FW_CFG_CPUS = 5,
    LVT_PERIODIC = 1 << 17,
};

extern char trampoline[], trampoline_end[];

static struct {
    bool there;
    volatile bool ready;
    volatile uint32_t id; /* of the second */
    volatile uint64_t passes, sum, answered;
    uint64_t called, called_at, passes_seen, passes_at;
    uint64_t ticks_seen, window, began;
} smp;

static uint64_t set[SET_WORDS] __attribute__((aligned(4096)));

/* --- the second --------------------------------------------------------------------------------------------------- */

static void send_ipi(uint32_t to, uint32_t what)
{
    lapic_write(LAPIC_ICR_HIGH, to << 24);
    lapic_write(LAPIC_ICR, what);
}

void user_second(void)
{
    Work work;
    uint32_t first = 0;

    smp.id = lapic_read(LAPIC_ID) >> 24;
    work_init(&work, "memory.second", set, SET_WORDS, 7919);
    lapic_write(LAPIC_DIVIDE, 3);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_SECOND_TIMER | LVT_PERIODIC);
    lapic_write(LAPIC_INITIAL, lapic_ticks_per_ms() * 10);
    smp.ready = true;
    for (uint64_t round = 1;; round++) {
        work_round(&work);
        registers_round(round * 65537);
        smp.sum = work.sum;
        smp.passes = work.passes;
        while (smp.answered < interrupts[VECTOR_CALLED]) {
            smp.answered++;
            send_ipi(first, 0x4000 | VECTOR_ANSWER);
        }
        if (round % 3 == 0)
            idle();
    }
}

/* --- what the first does about it --------------------------------------------------------------------------------- */

static void wait_ms(unsigned ms)
{
    for (uint64_t end = now_ns() + ms * UINT64_C(1000000); now_ns() < end;)
        pause();
}

void smp_init(void)
{
    smp.there = option_number("smp", fw_cfg_u16(FW_CFG_CPUS)) > 1 && option_has("parts", "smp");
    put_word("second", smp.there ? "there" : "absent");
    if (!smp.there)
        return;
    memcpy((void *)TRAMPOLINE, trampoline, trampoline_end - trampoline);
    send_ipi(1, INIT);
    wait_ms(10);
    send_ipi(1, STARTUP | TRAMPOLINE >> 12);
    wait_ms(10);
    for (unsigned tries = 0; !smp.ready; tries++) {
        if (tries > 1000)
            fail("smp.start", 1, 0);
        wait_ms(10);
    }
    expect("smp.id", 1, smp.id);
    smp.called_at = smp.passes_at = smp.window = smp.began = now_ns();
    smp.ticks_seen = interrupts[VECTOR_SECOND_TIMER];
}

static void check_timer(uint64_t now)
{
    uint64_t count = interrupts[VECTOR_SECOND_TIMER] - smp.ticks_seen, want = (now - smp.window) / 10000000;

    if (count == 0 || count > want + want / 50 + 20)
        fail("lapic.second", want, count);
    smp.ticks_seen += count;
    smp.window = now;
}

void smp_round(void)
{
    if (!smp.there)
        return;
    uint64_t now = now_ns(), answers = interrupts[VECTOR_ANSWER];

    if (answers > smp.called)
        fail("ipi.answers", smp.called, answers);
    if (answers == smp.called) {
        smp.called++;
        smp.called_at = now;
        send_ipi(smp.id, 0x4000 | VECTOR_CALLED);
    } else if (now > smp.called_at + LATE_NS) {
        fail("ipi.lost", smp.called, answers);
    }
    if (smp.passes != smp.passes_seen) {
        smp.passes_seen = smp.passes;
        smp.passes_at = now;
    } else if (now > smp.passes_at + LATE_NS) {
        fail("second.stands", smp.passes_seen + 1, smp.passes);
    }
    if (now > smp.window + UINT64_C(1000000000))
        check_timer(now);
}

void smp_report(void)
{
    if (smp.there) {
        put_item("ipi", interrupts[VECTOR_ANSWER]);
        put_item("second", smp.passes);
        put_item("lapic1", interrupts[VECTOR_SECOND_TIMER]);
    }
}
