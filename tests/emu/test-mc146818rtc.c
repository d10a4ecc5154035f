/* test-mc146818rtc.c: the real-time clock, register by register as the MC146818A data sheet has it. */
#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "emu/dev/mc146818rtc.h"
#include "tests/emu/support/board.h"

enum {
    IRQ = 8,
    NMI_MASK = 20,
    A = 10,
    B = 11,
    C = 12,
    D = 13,
    SET = 0x80,
    PIE = 0x40,
    AIE = 0x20,
    UIE = 0x10,
    BINARY = 0x04,
    H24 = 0x02,
    IRQF = 0x80,
    PF = 0x40,
    AF = 0x20,
    UF = 0x10,
};

/* The board's clock starts at 1700000000: Tuesday, 14 November 2023, 22:13:20. */
static Device *connect(Board *board, Device *dev)
{
    device_connect_irq(dev, "irq", 0, board->isa.irq[IRQ]);
    device_connect_irq(dev, "nmi_mask", 0, board_probe(board, NMI_MASK));
    board_add(board, dev);
    machine_reset(board->machine);
    return dev;
}

static Device *add_rtc(Board *board)
{
    return connect(board, device_new(&mc146818rtc_type));
}

static uint8_t get(Board *board, uint8_t index)
{
    board_out8(board, 0x70, index);
    return board_in8(board, 0x71);
}

static void put(Board *board, uint8_t index, uint8_t value)
{
    board_out8(board, 0x70, index);
    board_out8(board, 0x71, value);
}

static const uint8_t time_index[] = {0, 2, 4, 6, 7, 8, 9, 0x32};

/* The time in the registers: seconds, minutes, hours, day of week, day, month, year, century. */
static void expect_time(Board *board, const uint8_t *expected)
{
    for (size_t i = 0; i < sizeof(time_index); i++)
        cr_assert_eq(get(board, time_index[i]), expected[i], "register 0x%02x is 0x%02x, not 0x%02x", time_index[i],
                     get(board, time_index[i]), expected[i]);
}

#define EXPECT_TIME(board, ...) expect_time(board, (const uint8_t[8]){__VA_ARGS__})

static void put_time(Board *board, const uint8_t *time)
{
    for (size_t i = 0; i < sizeof(time_index); i++)
        put(board, time_index[i], time[i]);
}

#define PUT_TIME(board, ...) put_time(board, (const uint8_t[8]){__VA_ARGS__})

/* --- time ------------------------------------------------------------------------------------------------------- */

Test(rtc, it_starts_with_the_time_of_the_host_in_bcd)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    EXPECT_TIME(board, 0x20, 0x13, 0x22, 3, 0x14, 0x11, 0x23, 0x20);
    cr_assert_eq(get(board, A), 0x26);
    cr_assert_eq(get(board, B), H24);
    cr_assert_eq(get(board, C) & ~PF, 0);
    cr_assert_eq(get(board, D), 0x80);
}

Test(rtc, seconds_pass_and_carry)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    board_advance(board, NS_PER_SECOND - 1);
    cr_assert_eq(get(board, 0), 0x20);
    board_advance(board, 1);
    cr_assert_eq(get(board, 0), 0x21);
    put(board, B, SET | H24);
    PUT_TIME(board, 0x58, 0x59, 0x23, 7, 0x31, 0x12, 0x99, 0x19);
    put(board, B, H24);
    board_advance(board, 2 * (int64_t)NS_PER_SECOND);
    EXPECT_TIME(board, 0x00, 0x00, 0x00, 7, 0x01, 0x01, 0x00, 0x20); /* 1 January 2000 was a Saturday */
}

Test(rtc, february_has_29_days_in_leap_years)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    put(board, B, SET | H24);
    PUT_TIME(board, 0x59, 0x59, 0x23, 1, 0x28, 0x02, 0x24, 0x20);
    put(board, B, H24);
    board_advance(board, NS_PER_SECOND);
    EXPECT_TIME(board, 0x00, 0x00, 0x00, 5, 0x29, 0x02, 0x24, 0x20);
    put(board, B, SET | H24);
    PUT_TIME(board, 0x59, 0x59, 0x23, 1, 0x28, 0x02, 0x00, 0x21);
    put(board, B, H24);
    board_advance(board, NS_PER_SECOND);
    EXPECT_TIME(board, 0x00, 0x00, 0x00, 2, 0x01, 0x03, 0x00, 0x21); /* 2100 is none */
}

Test(rtc, binary_and_twelve_hours_are_the_same_time_in_other_octets)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    put(board, B, BINARY | H24);
    EXPECT_TIME(board, 20, 13, 22, 3, 14, 11, 23, 20);
    put(board, B, BINARY);
    cr_assert_eq(get(board, 4), 0x80 | 10);
    put(board, B, 0);
    cr_assert_eq(get(board, 4), 0x80 | 0x10);
    for (int hour = 0; hour < 24; hour++) {
        uint8_t twelve = (uint8_t)(hour % 12 ? hour % 12 : 12), bcd = (uint8_t)(twelve / 10 * 16 + twelve % 10);
        put(board, B, BINARY | H24);
        put(board, 4, (uint8_t)hour);
        put(board, B, 0);
        cr_assert_eq(get(board, 4), bcd | (hour >= 12 ? 0x80 : 0), "hour %d", hour);
        put(board, 4, bcd | (hour >= 12 ? 0x80 : 0));
        put(board, B, BINARY | H24);
        cr_assert_eq(get(board, 4), hour);
    }
}

Test(rtc, while_set_is_up_the_time_stands_and_keeps_what_is_written)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    board_advance(board, 5 * (int64_t)NS_PER_SECOND);
    put(board, B, SET | UIE | H24);
    cr_assert_eq(get(board, B), SET | H24); /* SET clears UIE */
    cr_assert_eq(get(board, 0), 0x25);
    board_advance(board, 10 * (int64_t)NS_PER_SECOND);
    cr_assert_eq(get(board, 0), 0x25);
    cr_assert_eq(get(board, C) & UF, UF); /* of before */
    board_advance(board, 10 * (int64_t)NS_PER_SECOND);
    cr_assert_eq(get(board, C) & UF, 0);
    for (unsigned index = 0; index < 10; index++) {
        put(board, (uint8_t)index, 0xff);
        cr_assert_eq(get(board, (uint8_t)index), 0xff);
    }
    PUT_TIME(board, 0x30, 0x15, 0x08, 1, 0x02, 0x07, 0x95, 0x19);
    put(board, B, H24);
    EXPECT_TIME(board, 0x30, 0x15, 0x08, 1, 0x02, 0x07, 0x95, 0x19);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(get(board, 0), 0x31);
}

Test(rtc, the_divider_goes_on_while_set_is_up)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    board_advance(board, 300 * NS_PER_MS);
    put(board, B, SET | H24);
    board_advance(board, 200 * NS_PER_MS);
    put(board, 0, 0x40);
    put(board, B, H24);
    board_advance(board, 500 * NS_PER_MS - 1);
    cr_assert_eq(get(board, 0), 0x40);
    board_advance(board, 1);
    cr_assert_eq(get(board, 0), 0x41);
}

Test(rtc, the_first_update_comes_half_a_second_after_the_divider_is_released)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    board_advance(board, 123 * NS_PER_MS);
    put(board, A, 0x76);
    board_advance(board, 3 * (int64_t)NS_PER_SECOND);
    cr_assert_eq(get(board, 0), 0x20);
    put(board, 0, 0x50);
    put(board, A, 0x26);
    board_advance(board, 500 * NS_PER_MS - 1);
    cr_assert_eq(get(board, 0), 0x50);
    board_advance(board, 1);
    cr_assert_eq(get(board, 0), 0x51);
    /* as Linux does it: SET goes down first */
    put(board, B, SET | H24);
    put(board, A, 0x70);
    put(board, 0, 0x10);
    put(board, B, H24);
    board_advance(board, 700 * NS_PER_MS);
    cr_assert_eq(get(board, 0), 0x10);
    put(board, A, 0x26);
    board_advance(board, 500 * NS_PER_MS);
    cr_assert_eq(get(board, 0), 0x11);
}

Test(rtc, the_time_can_be_written_while_it_runs)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    board_advance(board, 400 * NS_PER_MS);
    put(board, 4, 0x01);
    EXPECT_TIME(board, 0x20, 0x13, 0x01, 3, 0x14, 0x11, 0x23, 0x20);
    board_advance(board, 600 * NS_PER_MS);
    EXPECT_TIME(board, 0x21, 0x13, 0x01, 3, 0x14, 0x11, 0x23, 0x20);
}

Test(rtc, the_century_is_at_two_places)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    cr_assert_eq(get(board, 0x37), 0x20);
    put(board, 0x37, 0x19);
    cr_assert_eq(get(board, 0x32), 0x19);
    cr_assert_eq(get(board, 9), 0x23);
}

Test(rtc, any_octets_are_a_time)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    for (unsigned value = 0; value < 256; value++) {
        put(board, B, SET | (value % 3 ? 0 : BINARY) | (value % 2 ? H24 : 0));
        for (unsigned index = 0; index < 10; index++)
            put(board, (uint8_t)index, (uint8_t)value);
        put(board, 0x32, (uint8_t)value);
        put(board, B, H24);
        cr_assert_lt(get(board, 0), 0x60);
        cr_assert_lt(get(board, 8), 0x13);
    }
}

Test(rtc, uip_is_up_for_244_us_before_an_update)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    board_advance(board, NS_PER_SECOND - 244 * NS_PER_US - 1000);
    cr_assert_eq(get(board, A), 0x26);
    board_advance(board, 1000);
    cr_assert_eq(get(board, A), 0xa6);
    board_advance(board, 244 * NS_PER_US - 1);
    cr_assert_eq(get(board, A), 0xa6);
    board_advance(board, 1);
    cr_assert_eq(get(board, A), 0x26);
    board_advance(board, NS_PER_SECOND - 1);
    put(board, B, SET | H24); /* clears UIP */
    cr_assert_eq(get(board, A), 0x26);
}

/* --- flags and interrupts --------------------------------------------------------------------------------------- */

Test(rtc, every_update_sets_uf_and_reading_c_clears_it)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    board_advance(board, NS_PER_SECOND - 1);
    cr_assert_eq(get(board, C) & UF, 0);
    board_advance(board, 1);
    cr_assert_eq(get(board, C) & (IRQF | UF), UF);
    cr_assert_eq(get(board, C) & UF, 0);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(get(board, C) & UF, UF);
    cr_assert_eq(board->rises[IRQ], 0);
}

Test(rtc, uie_interrupts_every_second_until_c_is_read)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    put(board, B, UIE | H24);
    board_advance(board, 3 * (int64_t)NS_PER_SECOND);
    cr_assert(board->level[IRQ]);
    cr_assert_eq(board->rises[IRQ], 1);
    cr_assert_eq(get(board, C) & (IRQF | UF), IRQF | UF);
    cr_assert_not(board->level[IRQ]);
    for (unsigned i = 2; i < 10; i++) {
        board_advance(board, NS_PER_SECOND);
        cr_assert_eq(board->rises[IRQ], i);
        get(board, C);
    }
}

Test(rtc, a_flag_that_is_there_interrupts_when_its_bit_is_set)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    board_advance(board, NS_PER_SECOND);
    cr_assert_not(board->level[IRQ]);
    put(board, B, UIE | H24);
    cr_assert(board->level[IRQ]);
    put(board, B, H24);
    cr_assert_not(board->level[IRQ]);
    cr_assert_eq(get(board, C) & (IRQF | UF), UF);
}

Test(rtc, an_alarm_comes_at_its_time_and_the_next_day_again)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    put(board, 5, 0x22);
    put(board, 3, 0x14);
    put(board, 1, 0x00);
    put(board, B, AIE | H24);
    board_advance(board, 40 * (int64_t)NS_PER_SECOND - 1);
    cr_assert_not(board->level[IRQ]);
    board_advance(board, 1);
    cr_assert(board->level[IRQ]);
    cr_assert_eq(get(board, C) & (IRQF | AF), IRQF | AF);
    board_advance(board, 86400 * (int64_t)NS_PER_SECOND - 1);
    cr_assert_not(board->level[IRQ]);
    board_advance(board, 1);
    cr_assert(board->level[IRQ]);
    EXPECT_TIME(board, 0x00, 0x14, 0x22, 4, 0x15, 0x11, 0x23, 0x20);
}

Test(rtc, an_alarm_octet_from_c0_on_fits_always)
{
    g_autoptr(Board) board = board_new();
    static const struct {
        uint8_t hour, minute, second;
        int64_t first, next; /* seconds */
    } cases[] = {
        {0xff, 0xff, 0xff, 1, 1},       {0xc0, 0xc0, 0x20, 60, 60},     {0xc0, 0xc0, 0x19, 59, 60},
        {0xff, 0x13, 0x20, 3600, 3600}, {0xff, 0x10, 0x00, 3400, 3600}, {0x22, 0xff, 0x00, 40, 60},
        {0x21, 0xff, 0x00, 82000, 60},  {0x22, 0x13, 0xc1, 1, 1},
    };

    add_rtc(board);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        put(board, B, SET | AIE | H24);
        PUT_TIME(board, 0x20, 0x13, 0x22, 3, 0x14, 0x11, 0x23, 0x20);
        put(board, 5, cases[i].hour);
        put(board, 3, cases[i].minute);
        put(board, 1, cases[i].second);
        put(board, B, AIE | H24);
        get(board, C);
        board_advance(board, cases[i].first * NS_PER_SECOND - 1);
        cr_assert_not(board->level[IRQ], "case %zu is early", i);
        board_advance(board, 1);
        cr_assert(board->level[IRQ], "case %zu", i);
        get(board, C);
        board_advance(board, cases[i].next * NS_PER_SECOND - 1);
        cr_assert_not(board->level[IRQ], "case %zu is early again", i);
        board_advance(board, 1);
        cr_assert(board->level[IRQ], "case %zu, again", i);
    }
}

Test(rtc, an_alarm_that_is_no_time_never_comes)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    put(board, B, AIE | H24);
    put(board, 5, 0xff);
    put(board, 3, 0xff);
    put(board, 1, 0x1a); /* no digit of BCD */
    board_advance(board, 200000 * (int64_t)NS_PER_SECOND);
    cr_assert_eq(board->rises[IRQ], 0);
    put(board, 1, 0xff);
    put(board, 5, 0x24);
    board_advance(board, 200000 * (int64_t)NS_PER_SECOND);
    cr_assert_eq(board->rises[IRQ], 0);
}

Test(rtc, an_alarm_of_the_afternoon_has_bit_7)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    put(board, B, AIE);
    put(board, 5, 0x10);
    put(board, 3, 0x13);
    put(board, 1, 0x21);
    board_advance(board, NS_PER_SECOND);
    cr_assert_not(board->level[IRQ]);
    put(board, 5, 0x90);
    put(board, 1, 0x22);
    board_advance(board, NS_PER_SECOND);
    cr_assert(board->level[IRQ]);
}

/* Table 5 of the data sheet, 32.768 kHz: ns between two ticks. */
static const int64_t rates[16] = {0,       3906250, 7812500,  122070,   244141,   488281,    976563,    1953125,
                                  3906250, 7812500, 15625000, 31250000, 62500000, 125000000, 250000000, 500000000};

Test(rtc, pie_interrupts_at_the_rate_of_rs)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    for (uint8_t rate = 0; rate < 16; rate++) {
        unsigned before = board->rises[IRQ], rises;
        put(board, A, 0x20 | rate);
        put(board, B, PIE | H24);
        get(board, C);
        for (int64_t end = board->host_ns + NS_PER_SECOND; board->host_ns < end;) {
            board_advance(board, MIN(MAX(rates[rate] / 4, 50000), end - board->host_ns));
            if (board->level[IRQ])
                cr_assert_eq(get(board, C) & (IRQF | PF), IRQF | PF);
        }
        rises = board->rises[IRQ] - before;
        put(board, B, H24);
        cr_assert_eq(rises, rates[rate] ? (unsigned)((NS_PER_SECOND + rates[rate] / 2) / rates[rate]) : 0,
                     "rate %u: %u a second", rate, rises);
    }
}

Test(rtc, ticks_are_in_step_with_the_seconds)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    board_advance(board, 333 * NS_PER_MS);
    put(board, A, 0x2f); /* 2 Hz */
    put(board, B, PIE | H24);
    get(board, C);
    board_advance(board, 167 * NS_PER_MS - 1);
    cr_assert_not(board->level[IRQ]);
    board_advance(board, 1);
    cr_assert(board->level[IRQ]);
    get(board, C);
    board_advance(board, 500 * NS_PER_MS);
    cr_assert_eq(get(board, C), IRQF | PF | UF);
}

Test(rtc, pf_is_set_without_pie_too)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    put(board, A, 0x2d); /* 125 ms */
    get(board, C);
    board_advance(board, 124 * NS_PER_MS);
    cr_assert_eq(get(board, C), 0);
    board_advance(board, NS_PER_MS);
    cr_assert_eq(get(board, C), PF);
    cr_assert_eq(get(board, C), 0);
    put(board, A, 0x20);
    board_advance(board, NS_PER_SECOND / 2);
    cr_assert_eq(get(board, C), 0);
    cr_assert_eq(board->rises[IRQ], 0);
}

Test(rtc, ticks_stop_while_the_divider_is_held)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    put(board, B, PIE | H24);
    put(board, A, 0x66);
    get(board, C);
    board_advance(board, NS_PER_SECOND);
    cr_assert_not(board->level[IRQ]);
    put(board, A, 0x26);
    board_advance(board, NS_PER_MS);
    cr_assert(board->level[IRQ]);
}

Test(rtc, a_guest_that_slept_gets_one_tick)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    put(board, A, 0x23);
    put(board, B, PIE | UIE | H24);
    get(board, C);
    board->host_ns += 100000 * (int64_t)NS_PER_SECOND; /* and nobody ran the clock */
    clock_run(board->machine->host_clock);
    cr_assert_eq(board->rises[IRQ], 1);
    cr_assert_eq(get(board, C), IRQF | PF | AF | UF); /* midnight was meanwhile */
    board_advance(board, 122071);
    cr_assert(board->level[IRQ]);
}

/* --- the rest ---------------------------------------------------------------------------------------------------- */

Test(rtc, c_and_d_and_uip_cannot_be_written)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    get(board, C);
    put(board, C, 0xff);
    cr_assert_eq(get(board, C), 0);
    put(board, D, 0x00);
    cr_assert_eq(get(board, D), 0x80);
    put(board, A, 0x80 | 0x26);
    cr_assert_eq(get(board, A), 0x26);
    put(board, B, 0x08 | 0x01 | H24); /* SQWE and DSE are kept */
    cr_assert_eq(get(board, B), 0x08 | 0x01 | H24);
}

Test(rtc, the_memory_keeps_its_octets)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);

    for (unsigned i = 0x0e; i < 128; i++)
        if (i != 0x32 && i != 0x37)
            put(board, (uint8_t)i, (uint8_t)(i * 3));
    for (unsigned i = 0x0e; i < 128; i++)
        if (i != 0x32 && i != 0x37)
            cr_assert_eq(get(board, (uint8_t)i), (uint8_t)(i * 3));
    mc146818rtc_set_cmos(dev, 0x15, 0x80);
    mc146818rtc_set_cmos(dev, 0x32, 0x99);
    mc146818rtc_set_cmos(dev, 0x0d, 0x00);
    mc146818rtc_set_cmos(dev, 128, 0x12);
    cr_assert_eq(get(board, 0x15), 0x80);
    cr_assert_eq(get(board, 0x32), 0x20);
    cr_assert_eq(get(board, D), 0x80);
    cr_assert_eq(mc146818rtc_get_cmos(dev, 0x15), 0x80);
    cr_assert_eq(mc146818rtc_get_cmos(dev, 128), 0);
}

Test(rtc, bit_7_of_the_index_masks_nmi_and_the_index_is_not_read)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    board_out8(board, 0x70, 0x80 | D);
    cr_assert(board->level[NMI_MASK]);
    cr_assert_eq(board_in8(board, 0x71), 0x80);
    cr_assert_eq(board_in8(board, 0x70), 0xff);
    cr_assert_eq(board_in16(board, 0x70), 0x80ff);
    board_out8(board, 0x70, D);
    cr_assert_not(board->level[NMI_MASK]);
    board_out16(board, 0x70, 0x5540); /* both ports at once */
    cr_assert_eq(get(board, 0x40), 0x55);
}

Test(rtc, a_reset_stops_interrupts_and_keeps_time_and_memory)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);

    put(board, 0x0f, 0x05);
    put(board, 4, 0x07);
    put(board, A, 0x2a);
    put(board, B, PIE | AIE | UIE | 0x08 | H24);
    board_advance(board, NS_PER_SECOND);
    cr_assert(board->level[IRQ]);
    machine_reset(board->machine);
    cr_assert_not(board->level[IRQ]);
    cr_assert_eq(get(board, B), H24);
    cr_assert_eq(get(board, A), 0x2a);
    EXPECT_TIME(board, 0x21, 0x13, 0x07, 3, 0x14, 0x11, 0x23, 0x20);
    cr_assert_eq(mc146818rtc_get_cmos(dev, 0x0f), 0x05);
    get(board, C);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(get(board, C), PF | UF);
    cr_assert_eq(board->rises[IRQ], 1);
}

/* Sets an integer option as the command line does: by its description. */
static void set_option(Device *dev, const char *name, int64_t value)
{
    const VMStateField *f = vms_field_find(dev->type->options, name, 0, NULL);

    if (f->scalar == SCALAR_INT32)
        *(int32_t *)(void *)((char *)dev + f->offset) = (int32_t)value;
    else
        *(int64_t *)(void *)((char *)dev + f->offset) = value;
}

Test(rtc, the_date_may_be_another_and_years_count_from_another)
{
    g_autoptr(Board) board = board_new();
    Device *dev = device_new(&mc146818rtc_type);

    set_option(dev, "date_offset", -INT64_C(1700000000));
    set_option(dev, "base_year", 1980);
    connect(board, dev);
    EXPECT_TIME(board, 0x00, 0x00, 0x00, 5, 0x01, 0x01, 0x90, 0x19);
    put(board, 9, 0x15); /* 1995 */
    EXPECT_TIME(board, 0x00, 0x00, 0x00, 1, 0x01, 0x01, 0x15, 0x19);
}
