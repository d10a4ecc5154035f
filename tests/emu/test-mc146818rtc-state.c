/* test-mc146818rtc-state.c: what is saved of the real-time clock, and how it goes on after a load. */
#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "tests/emu/support/board.h"

enum {
    IRQ = 8,
    A = 10,
    B = 11,
    C = 12,
    D = 13,
    PIE = 0x40,
    AIE = 0x20,
    UIE = 0x10,
    H24 = 0x02,
    IRQF = 0x80,
    PF = 0x40,
    AF = 0x20,
    UF = 0x10,
};

/* The board's clock starts at 1700000000: Tuesday, 14 November 2023, 22:13:20. */
static Device *add_rtc(Board *board)
{
    Device *dev = device_new(&mc146818rtc_type);

    device_connect_irq(dev, "irq", 0, board->isa.irq[IRQ]);
    board_add(board, dev);
    machine_reset(board->machine);
    return dev;
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

/* The time in the registers: seconds, minutes, hours, day of week, day, month, year, century. */
static void expect_time(Board *board, const uint8_t *expected)
{
    static const uint8_t index[] = {0, 2, 4, 6, 7, 8, 9, 0x32};

    for (size_t i = 0; i < sizeof(index); i++)
        cr_assert_eq(get(board, index[i]), expected[i], "register 0x%02x is 0x%02x, not 0x%02x", index[i],
                     get(board, index[i]), expected[i]);
}

#define EXPECT_TIME(board, ...) expect_time(board, (const uint8_t[8]){__VA_ARGS__})

Test(rtc_state, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);
    /* last_update of the recording, and how many seconds later it was saved */
    static const struct {
        const char *name;
        int64_t last_update_ns, seconds;
        uint8_t second, flags;
    } cases[] = {
        {"a-kvm-min", INT64_C(1795223890754244000), 0, 0x10, 0},
        {"b3-kvm-pc-alldefaults", INT64_C(1795224065104405000), 0, 0x05, 0},
        {"f2-kvm-virtio-10s", INT64_C(1795224075791508000), 12, 0x27, UF},
        {"j1-tcg-linux-virtio", INT64_C(1795224832289818000), 7, 0x59, UF},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        board->host_ns = cases[i].last_update_ns + cases[i].seconds * NS_PER_SECOND;
        board_load_recorded(board, dev, cases[i].name, false);
        cr_assert_eq(get(board, 0), cases[i].second);
        cr_assert_eq(get(board, C) & ~PF, cases[i].flags);
        cr_assert_eq(get(board, 0x32), 0x20);
    }
}

/* A section of version 3: 00:00:00 in the registers, the time by base_rtc. */
typedef struct Wire {
    uint8_t cmos[128], index, pad[28];
    uint64_t periodic_timer, next_periodic_time;
    uint8_t pad2[24];
    uint32_t irq_coalesced, period;
    uint64_t base_rtc, last_update, offset, update_timer, next_alarm_time;
} __attribute__((packed)) Wire;

enum { WIRE_2 = offsetof(Wire, base_rtc), WIRE_1 = offsetof(Wire, irq_coalesced) };

static Wire wire(const Board *board)
{
    return (Wire){
        .cmos = {[6] = 1, [7] = 1, [8] = 1, [9] = 0x99, [A] = 0x26, [B] = H24, [D] = 0x80, [0x32] = 0x19},
        .periodic_timer = UINT64_MAX,
        .base_rtc = GUINT64_TO_BE(1600000000), /* 13 September 2020, 12:26:40 */
        .last_update = GUINT64_TO_BE((uint64_t)board->host_ns),
        .update_timer = GUINT64_TO_BE((uint64_t)board->host_ns + NS_PER_SECOND),
        .next_alarm_time = GUINT64_TO_BE(INT64_MAX),
    };
}

static bool load(Board *board, Device *dev, const Wire *w)
{
    return board_load(board, dev, w, sizeof(*w), 3, NULL);
}

Test(rtc_state, the_time_of_a_loaded_state_has_gone_on)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);
    Wire w = wire(board);

    w.offset = GUINT64_TO_BE(250 * NS_PER_MS);
    cr_assert(load(board, dev, &w));
    EXPECT_TIME(board, 0x40, 0x26, 0x12, 1, 0x13, 0x09, 0x20, 0x20);
    board_advance(board, 750 * NS_PER_MS);
    EXPECT_TIME(board, 0x41, 0x26, 0x12, 1, 0x13, 0x09, 0x20, 0x20);
    board->host_ns += 3600 * (int64_t)NS_PER_SECOND;
    cr_assert(load(board, dev, &w));
    EXPECT_TIME(board, 0x41, 0x26, 0x13, 1, 0x13, 0x09, 0x20, 0x20);
}

Test(rtc_state, a_state_from_a_host_whose_clock_is_ahead_goes_on_at_once)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);
    Wire w = wire(board);

    board->host_ns -= 100 * (int64_t)NS_PER_SECOND;
    w.cmos[A] = 0x2a;
    w.cmos[B] = PIE | UIE | H24;
    w.periodic_timer = w.next_periodic_time = w.update_timer;
    w.period = GUINT32_TO_BE(512);
    cr_assert(load(board, dev, &w));
    cr_assert_eq(get(board, 0), 0x00); /* 12:25:00 */
    board_advance(board, 15625000);
    cr_assert(board->level[IRQ]);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(get(board, C), IRQF | PF | UF);
}

Test(rtc_state, a_loaded_state_drives_its_line_and_its_timers)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);
    Wire w = wire(board);

    w.cmos[B] = UIE | AIE | H24;
    w.cmos[C] = IRQF | UF;
    w.update_timer = w.next_alarm_time = GUINT64_TO_BE((uint64_t)board->host_ns + 5 * (uint64_t)NS_PER_SECOND);
    cr_assert(load(board, dev, &w));
    cr_assert(board->level[IRQ]);
    board_advance(board, 5 * (int64_t)NS_PER_SECOND);
    cr_assert_eq(get(board, C) & ~PF, IRQF | UF | AF);
    w.cmos[C] = 0;
    cr_assert(load(board, dev, &w));
    cr_assert_not(board->level[IRQ]);
}

Test(rtc_state, a_state_of_version_1_or_2_has_its_time_in_the_registers)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);
    Wire w = wire(board);

    cr_assert(board_load(board, dev, &w, WIRE_1, 1, NULL));
    EXPECT_TIME(board, 0x00, 0x00, 0x00, 6, 0x01, 0x01, 0x99, 0x19);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(get(board, C) & UF, UF);
    board_advance(board, 100 * (int64_t)NS_PER_SECOND);
    cr_assert(board_load(board, dev, &w, WIRE_2, 2, NULL));
    EXPECT_TIME(board, 0x00, 0x00, 0x00, 6, 0x01, 0x01, 0x99, 0x19);
}

Test(rtc_state, an_index_beyond_the_memory_is_refused)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);
    g_autoptr(GError) error = NULL;
    Wire w = wire(board);

    w.index = 0x80;
    cr_assert_not(board_load(board, dev, &w, sizeof(w), 3, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert_str_eq(error->message, "mc146818rtc: cmos_index: 0x80 lies beyond the memory's 0x80 octets");
    EXPECT_TIME(board, 0x20, 0x13, 0x22, 3, 0x14, 0x11, 0x23, 0x20);
    w.index = 0x7f;
    cr_assert(load(board, dev, &w));
}

Test(rtc_state, an_offset_of_a_second_or_more_is_refused)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);
    Wire w = wire(board);

    w.offset = GUINT64_TO_BE(NS_PER_SECOND);
    cr_assert_not(load(board, dev, &w));
    w.offset = UINT64_MAX;
    cr_assert_not(load(board, dev, &w));
    w.offset = GUINT64_TO_BE(NS_PER_SECOND - 1);
    cr_assert(load(board, dev, &w));
}

Test(rtc_state, times_at_the_ends_of_64_bits_do_no_harm)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);
    static const uint64_t ends[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
    Wire w = wire(board);

    w.cmos[B] = PIE | AIE | UIE | H24;
    for (size_t i = 0; i < 625; i++) {
        w.base_rtc = GUINT64_TO_BE(ends[i % 5]);
        w.last_update = GUINT64_TO_BE(ends[i / 5 % 5]);
        w.update_timer = w.next_alarm_time = GUINT64_TO_BE(ends[i / 25 % 5]);
        w.periodic_timer = w.next_periodic_time = GUINT64_TO_BE(ends[i / 125]);
        cr_assert(load(board, dev, &w));
        cr_assert_lt(get(board, 0), 0x60);
        board_advance(board, 2 * (int64_t)NS_PER_SECOND);
        cr_assert_eq(get(board, C) & (IRQF | PF | UF), IRQF | PF | UF, "case %zu", i);
    }
}

Test(rtc_state, the_flags_are_those_of_the_time_also_before_a_timer_fires)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    put(board, A, 0x2a);
    put(board, B, PIE | UIE | H24);
    get(board, C);
    board->host_ns += NS_PER_SECOND;
    cr_assert_eq(get(board, C), IRQF | PF | UF);
    cr_assert_eq(get(board, C), 0);
    cr_assert_not(board->level[IRQ]);
}

Test(rtc_state, an_alarm_at_the_present_second_is_a_day_away_also_when_nobody_reads_c)
{
    g_autoptr(Board) board = board_new();

    add_rtc(board);
    board_advance(board, 40 * (int64_t)NS_PER_SECOND); /* 22:14:00 */
    put(board, 5, 0x22);
    put(board, 3, 0x14);
    put(board, 1, 0x00);
    put(board, B, AIE | H24);
    board_advance(board, 86400 * (int64_t)NS_PER_SECOND - 1);
    cr_assert_not(board->level[IRQ]);
    board_advance(board, 1);
    cr_assert(board->level[IRQ]);
}

Test(rtc_state, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);

    board_try_states(board, dev, 300);
    board_abuse_ports(board, dev, 0x6f, 4, 4000);
}

Test(rtc_state, removed_it_is_no_longer_there)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_rtc(board);

    put(board, B, PIE | UIE | H24);
    machine_remove_device(board->machine, dev);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(board->rises[IRQ], 0);
    cr_assert_eq(board_in8(board, 0x71), 0xff);
}
