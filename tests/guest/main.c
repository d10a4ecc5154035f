/*
 * main.c: the payload that checks itself: rounds of all its parts, a line on COM1 each `every` rounds, until 'q' comes.
 */
#include "tests/guest/guest.h"

enum { SET_WORDS = 4 << 20 >> 3 };

static uint64_t set[SET_WORDS] __attribute__((aligned(4096)));
static Work work;

static void begin(void)
{
    put_text("\nwitness begins");
    chips_init();
    clocks_init();
    timers_init();
    ide_init();
    blk_init();
    net_init();
    rng_init();
    smp_init();
    uint64_t pages = option_number("kib", 2048) / 4, most = sizeof(set) / 4096;
    work_init(&work, "memory", set, (pages && pages < most ? pages : most) * 512, 1);
    put_text("\n");
}

static void report(uint64_t round)
{
    put_text("witness round=");
    put_number(round);
    clocks_report();
    timers_report();
    chips_report();
    ide_report();
    blk_report();
    net_report();
    rng_report();
    smp_report();
    put_item("sum", work.sum);
    put_text(" ok\n");
}

void user_main(void)
{
    uint64_t every, round = 0;

    if (bench_main())
        stand();
    begin();
    every = option_number("every", 10);
    for (;;) {
        work_round(&work);
        registers_round(++round);
        clocks_round();
        timers_round();
        chips_round();
        ide_round();
        blk_round();
        net_round();
        rng_round();
        smp_round();
        if (option_number("idle", 1))
            idle();
        if (every && round % every == 0)
            report(round);
        if (round == option_number("tour", 0))
            tour();
        if (serial_get() == 'q')
            break;
    }
    report(round);
    put_text("witness ends\n");
    stand();
}
