/* test-lapic-timer.c: the LAPIC's timer (Intel SDM, volume 3, 10.5.4), and its state. */
#include "tests/emu/lapic-rig.h"

Test(lapic_timer, the_timer_counts_down_once)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, DIVIDE, BY_16);
    poke(&rig, 0, TIMER, 0x41);
    poke(&rig, 0, INITIAL, 1000);
    cr_expect_eq(peek(&rig, 0, CURRENT), 1000);
    board_advance(board, 16 * 400);
    cr_expect_eq(peek(&rig, 0, CURRENT), 600);
    board_advance(board, 16 * 600 - 1);
    cr_expect_eq(peek(&rig, 0, CURRENT), 1);
    cr_expect_not(lapic_pending(rig.lapics[0]));
    board_advance(board, 1);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x41);
    cr_expect_eq(peek(&rig, 0, CURRENT), 0);
    cr_expect_eq(peek(&rig, 0, INITIAL), 1000);
    poke(&rig, 0, EOI, 0);
    board_advance(board, 1000000);
    cr_expect_not(lapic_pending(rig.lapics[0]));
    poke(&rig, 0, INITIAL, 1000);
    poke(&rig, 0, INITIAL, 0);
    board_advance(board, 1000000);
    cr_expect_not(lapic_pending(rig.lapics[0]), "0 stops it");
}

Test(lapic_timer, the_timer_counts_again_and_again)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, DIVIDE, BY_1);
    poke(&rig, 0, TIMER, PERIODIC | 0x41);
    poke(&rig, 0, INITIAL, 1000000);
    for (int i = 0; i < 5; i++) {
        board_advance(board, 999999);
        cr_expect_not(lapic_pending(rig.lapics[0]));
        board_advance(board, 1);
        cr_expect_eq(lapic_take(rig.lapics[0]), 0x41);
        poke(&rig, 0, EOI, 0);
        cr_expect_eq(peek(&rig, 0, CURRENT), 1000000);
    }
    poke(&rig, 0, TIMER, MASKED | PERIODIC | 0x41);
    board_advance(board, 1500000);
    cr_expect_not(lapic_pending(rig.lapics[0]));
    cr_expect_eq(peek(&rig, 0, CURRENT), 500000, "it counts, though masked");
}

Test(lapic_timer, another_divisor_counts_on_from_where_it_is)
{
    static const struct {
        uint32_t divide;
        unsigned by;
    } rows[] = {{0, 2}, {1, 4}, {2, 8}, {3, 16}, {8, 32}, {9, 64}, {0xa, 128}, {0xb, 1}};
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, TIMER, 0x41);
    poke(&rig, 0, INITIAL, 1000000);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        uint32_t before = peek(&rig, 0, CURRENT);
        poke(&rig, 0, DIVIDE, rows[i].divide);
        cr_expect_eq(peek(&rig, 0, CURRENT), before);
        board_advance(board, 1000 * rows[i].by);
        cr_expect_eq(before - peek(&rig, 0, CURRENT), 1000, "by %u", rows[i].by);
    }
}

Test(lapic_timer, a_guest_that_wants_too_many_interrupts_gets_them_every_50_microseconds)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, DIVIDE, BY_1);
    poke(&rig, 0, TIMER, PERIODIC | 0x41);
    poke(&rig, 0, INITIAL, 1);
    unsigned count = 0;
    for (int i = 0; i < 1000; i++) {
        board_advance(board, 1000);
        if (lapic_take(rig.lapics[0]) != LAPIC_NONE)
            count++;
        poke(&rig, 0, EOI, 0);
    }
    cr_expect_geq(count, 19);
    cr_expect_leq(count, 21);
}

/* The first processor's goes on on another board, at the same time. */
static void move_first(Rig *rig, Rig *there, Board *other)
{
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};

    board_save(rig->board, rig->lapics[0], &octets);
    rig_init(there, other);
    other->virtual_ns = rig->board->virtual_ns;
    cr_assert(board_load(other, there->lapics[0], octets.data, octets.len, 3, &error), "%s",
              error ? error->message : "");
    byte_out_done(&octets);
}

Test(lapic_timer, a_move_changes_neither_what_is_pending_nor_the_timers_phase)
{
    g_autoptr(Board) board = board_new(), other = board_new();
    Rig rig, there;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, DIVIDE, BY_1);
    poke(&rig, 0, TIMER, PERIODIC | 0x41);
    poke(&rig, 0, INITIAL, 1000000);
    board_advance(board, 2300000);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x41);
    lapic_send(&rig.bus, MESSAGE, 0x52 | MESSAGE_LEVEL);
    lapic_send(&rig.bus, MESSAGE, 0x0f);
    move_first(&rig, &there, other);
    cr_expect_eq(there.loads, 1);
    cr_expect_eq(peek(&there, 0, CURRENT), 700000);
    cr_expect_eq(vector_in(&there, 0, ISR), 0x41);
    cr_expect_eq(lapic_take(there.lapics[0]), 0x52);
    poke(&there, 0, EOI, 0);
    cr_expect_eq(there.ended, 0x52);
    poke(&there, 0, EOI, 0);
    poke(&there, 0, ESR, 0);
    cr_expect_eq(peek(&there, 0, ESR), 0x40, "nor an error that nobody has looked at");
    board_advance(other, 699999);
    cr_expect_not(lapic_pending(there.lapics[0]));
    board_advance(other, 1);
    cr_expect_eq(lapic_take(there.lapics[0]), 0x41);
}

/* Every 50 us come interrupts of a period of 3 us: an end that was put off is put off once. */
Test(lapic_timer, nor_the_end_of_a_period_that_was_made_longer)
{
    g_autoptr(Board) board = board_new(), other = board_new();
    Rig rig, there;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, DIVIDE, BY_1);
    poke(&rig, 0, TIMER, PERIODIC | 0x41);
    poke(&rig, 0, INITIAL, 3000);
    board_advance(board, 40000);
    cr_expect_not(lapic_pending(rig.lapics[0]));
    move_first(&rig, &there, other);
    board_advance(other, 9999);
    cr_expect_not(lapic_pending(there.lapics[0]));
    board_advance(other, 1);
    board_advance(board, 10000);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x41);
    cr_expect_eq(lapic_take(there.lapics[0]), 0x41);
    board_advance(board, 1000);
    board_advance(other, 1000);
    cr_expect_eq(peek(&there, 0, CURRENT), peek(&rig, 0, CURRENT));
}

/* Of a stream that is not true: the timer that ends once has ended before it could. */
Test(lapic_timer, an_end_before_the_count_has_ended_is_not_believed)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};
    Rig rig;

    rig_init(&rig, board);
    switch_on(&rig);
    poke(&rig, 0, DIVIDE, BY_1);
    poke(&rig, 0, TIMER, 0x41);
    poke(&rig, 0, INITIAL, 1000);
    board_save(board, rig.lapics[0], &octets);
    memset(octets.data + octets.len - 8, 0, 8); /* timer_expiry */
    cr_assert(board_load(board, rig.lapics[0], octets.data, octets.len, 3, &error), "%s", error ? error->message : "");
    board_advance(board, 999);
    cr_expect_not(lapic_pending(rig.lapics[0]));
    cr_expect_eq(peek(&rig, 0, CURRENT), 1);
    board_advance(board, 1);
    cr_expect_eq(lapic_take(rig.lapics[0]), 0x41);
    byte_out_done(&octets);
}

Test(lapic_timer, it_is_the_one_that_qemu_records)
{
    static const char *const recordings[] = {"a-kvm-min", "b3-kvm-pc-alldefaults", "e-tcg-min"};
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++)
        board_load_recorded(board, rig.lapics[0], recordings[i], false);
    board_load_recorded(board, rig.lapics[0], "j2-kvm-linux-virtio", true);
    board_load_recorded(board, rig.lapics[0], "j1-tcg-linux-virtio", true);
}

Test(lapic_timer, any_state_it_can_have_survives)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    board_try_states(board, rig.lapics[0], 2000);
}

Test(lapic_timer, a_state_with_x2apic_is_refused)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};
    Rig rig;

    rig_init(&rig, board);
    lapic_state(rig.lapics[0])->apicbase |= 1 << 10;
    board_save(board, rig.lapics[0], &octets);
    cr_expect_not(board_load(board, rig.lapics[0], octets.data, octets.len, 3, &error));
    cr_expect_not_null(strstr(error->message, "apicbase"), "%s", error->message);
    byte_out_done(&octets);
}

/* Random accesses by three processors, messages, and time. For the sanitizers. */
Test(lapic_timer, nothing_a_guest_does_breaks_it)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(GRand) rand = g_rand_new_with_seed(20);
    uint64_t value;
    uint8_t page;
    Rig rig;

    rig_init(&rig, board);
    for (int i = 0; i < 200000; i++) {
        Device *dev = rig.lapics[g_rand_int_range(rand, 0, CPUS)];
        uint64_t addr = BASE + (uint64_t)g_rand_int_range(rand, 0, 0x400);
        unsigned size = 1U << g_rand_int_range(rand, 0, 4);
        switch (g_rand_int_range(rand, 0, 8)) {
        case 0:
            lapic_vcpu.read(dev, addr, size, &value);
            break;
        case 1:
        case 2:
        case 3:
            lapic_vcpu.write(dev, addr & ~UINT64_C(15), 4, g_rand_int(rand) >> g_rand_int_range(rand, 0, 32));
            break;
        case 4:
            lapic_send(&rig.bus, MESSAGE | (g_rand_int(rand) & 0xfffff), g_rand_int(rand));
            break;
        case 5:
            lapic_take(dev);
            lapic_vcpu.take_signals(dev, &page);
            break;
        case 6:
            lapic_set_intr(&rig.bus, g_rand_boolean(rand));
            break;
        default:
            board_advance(board, 1 << g_rand_int_range(rand, 0, 18));
        }
    }
    board_try_states(board, rig.lapics[0], 100);
}
