/* test-i8254-modes.c: the six modes of the interval timer, as the Intel 8254 data sheet has them. */
#include "tests/emu/support/pit.h"

Test(i8254_modes, mode_0_goes_high_at_terminal_count_and_stays)
{
    g_autoptr(Board) board = board_new();

    add_pit(board);
    program(board, 0, MODE(0), 1000);
    cr_assert_not(board->level[IRQ]);
    unsigned before = board->rises[IRQ];
    to_tick(board, 0, 1000);
    board->virtual_ns--;
    cr_assert_eq(latched(board, 0), 1);
    board->virtual_ns++;
    cr_assert(board->level[IRQ]);
    cr_assert_eq(latched(board, 0), 0);
    to_tick(board, 0, 1001);
    cr_assert_eq(latched(board, 0), 0xffff, "it goes on counting");
    board_advance(board, NS_PER_SECOND);
    cr_assert(board->level[IRQ]);
    cr_assert_eq(board->rises[IRQ], before + 1);
}

Test(i8254_modes, mode_0_has_its_edge_at_the_very_nanosecond)
{
    g_autoptr(Board) board = board_new();

    add_pit(board);
    program(board, 0, MODE(0), 11932); /* 11932 / 1193182 Hz = 10.000150 ms */
    board_advance(board, 10000149);
    cr_assert_not(board->level[IRQ]);
    board_advance(board, 2);
    cr_assert(board->level[IRQ]);
}

Test(i8254_modes, mode_0_the_first_octet_of_a_count_stops_it_and_the_second_starts_anew)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);

    program(board, 2, MODE(0), 100);
    to_tick(board, 0, 150);
    cr_assert(out_2(dev));
    board_out8(board, COUNTER_2, 200);
    cr_assert_not(out_2(dev));
    board_advance(board, NS_PER_SECOND);
    cr_assert_not(out_2(dev));
    int64_t start = board->virtual_ns;
    board_out8(board, COUNTER_2, 0);
    to_tick(board, start, 199);
    cr_assert_not(out_2(dev));
    to_tick(board, start, 200);
    cr_assert(out_2(dev));
}

Test(i8254_modes, mode_0_counts_only_while_the_gate_is_high)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);

    program(board, 2, MODE(0), 100);
    to_tick(board, 0, 40);
    i8254_ops.set_gate(dev, 2, false);
    cr_assert_not(i8254_ops.gate(dev, 2));
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(latched(board, 2), 60);
    int64_t again = board->virtual_ns;
    i8254_ops.set_gate(dev, 2, true);
    cr_assert_eq(latched(board, 2), 60);
    to_tick(board, again, 59);
    cr_assert_not(out_2(dev));
    to_tick(board, again, 60);
    board_advance(board, 1); /* of rounding */
    cr_assert(out_2(dev));
}

Test(i8254_modes, mode_0_is_low_until_there_is_a_count)
{
    g_autoptr(Board) board = board_new();

    add_pit(board);
    board_out8(board, CONTROL, WORD | MODE(0));
    cr_assert_not(board->level[IRQ]);
    board_advance(board, NS_PER_SECOND);
    cr_assert_not(board->level[IRQ]);
}

Test(i8254_modes, mode_1_is_a_shot_for_each_trigger)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);

    program(board, 2, MODE(1), 100);
    board_advance(board, NS_PER_SECOND);
    cr_assert(out_2(dev), "it waits for the trigger");
    int64_t start = board->virtual_ns;
    i8254_ops.set_gate(dev, 2, false);
    i8254_ops.set_gate(dev, 2, true);
    cr_assert_not(out_2(dev));
    cr_assert_eq(latched(board, 2), 100);
    to_tick(board, start, 50);
    i8254_ops.set_gate(dev, 2, false);
    i8254_ops.set_gate(dev, 2, true);
    to_tick(board, start, 149);
    cr_assert_not(out_2(dev), "it was triggered again");
    to_tick(board, start, 150);
    cr_assert(out_2(dev));
}

Test(i8254_modes, mode_1_a_new_count_is_for_the_next_shot)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);

    program(board, 2, MODE(1), 1000);
    i8254_ops.set_gate(dev, 2, false);
    i8254_ops.set_gate(dev, 2, true);
    cr_assert_eq(status_2(board) & STATUS_NULL, 0);
    to_tick(board, 0, 200);
    write_word(board, 2, 5);
    cr_assert_eq(status_2(board) & STATUS_NULL, STATUS_NULL);
    cr_assert_eq(latched(board, 2), 800);
    to_tick(board, 0, 999);
    cr_assert_not(out_2(dev));
    to_tick(board, 0, 1001); /* rounding may make it a tick */
    cr_assert(out_2(dev));
    int64_t start = board->virtual_ns;
    i8254_ops.set_gate(dev, 2, false);
    i8254_ops.set_gate(dev, 2, true);
    to_tick(board, start, 4);
    cr_assert_not(out_2(dev));
    to_tick(board, start, 5);
    cr_assert(out_2(dev));
}

Test(i8254_modes, mode_2_is_low_for_one_tick_of_each_period)
{
    g_autoptr(Board) board = board_new();

    add_pit(board);
    program(board, 0, MODE(2), 100);
    unsigned before = board->rises[IRQ];
    for (int64_t period = 0; period < 50; period++) {
        to_tick(board, 0, period * 100);
        cr_assert(board->level[IRQ]);
        cr_assert_eq(latched(board, 0), 100);
        to_tick(board, 0, period * 100 + 98);
        cr_assert(board->level[IRQ]);
        to_tick(board, 0, period * 100 + 99);
        cr_assert_not(board->level[IRQ]);
        cr_assert_eq(latched(board, 0), 1);
        cr_assert_eq(board->rises[IRQ], before + period);
    }
}

Test(i8254_modes, a_hundred_interrupts_a_second_are_a_hundred)
{
    g_autoptr(Board) board = board_new();

    add_pit(board);
    program(board, 0, MODE(2), 11932);
    unsigned before = board->rises[IRQ];
    board_advance(board, INT64_C(10) * NS_PER_SECOND);
    cr_assert_eq(board->rises[IRQ], before + 999, "11931820 / 11932 = 999.98");
}

Test(i8254_modes, mode_2_takes_a_new_count_at_the_end_of_the_period)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);

    program(board, 2, MODE(2), 1000);
    to_tick(board, 0, 300);
    write_word(board, 2, 50); /* shorter than the 700 that are left */
    cr_assert_eq(latched(board, 2), 700);
    cr_assert_eq(status_2(board) & STATUS_NULL, STATUS_NULL);
    to_tick(board, 0, 998);
    cr_assert(out_2(dev));
    board_advance(board, NS_PER_US); /* the tick of 1, whatever the rounding */
    cr_assert_not(out_2(dev));
    to_tick(board, 0, 1001);
    cr_assert(out_2(dev));
    cr_assert_eq(status_2(board) & STATUS_NULL, 0);
    cr_assert_leq(latched(board, 2), 50);
    write_word(board, 2, 2000); /* longer than what is left */
    cr_assert_leq(latched(board, 2), 50);
    to_tick(board, 0, 1052);
    cr_assert_geq(latched(board, 2), 1990);
}

Test(i8254_modes, mode_2_the_gate_stops_it_and_starts_it_from_the_count)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);

    program(board, 2, MODE(2), 100);
    to_tick(board, 0, 99);
    cr_assert_not(out_2(dev));
    i8254_ops.set_gate(dev, 2, false);
    cr_assert(out_2(dev), "at once");
    board_advance(board, NS_PER_MS);
    cr_assert(out_2(dev));
    cr_assert_eq(latched(board, 2), 1);
    i8254_ops.set_gate(dev, 2, true);
    cr_assert_eq(latched(board, 2), 100);
    int64_t start = board->virtual_ns;
    to_tick(board, start, 98);
    cr_assert(out_2(dev));
    to_tick(board, start, 99);
    cr_assert_not(out_2(dev));
}

Test(i8254_modes, mode_3_is_a_square_wave_and_counts_by_two)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);
    static const uint8_t even[] = {6, 4, 2, 6, 4, 2}, odd[] = {4, 2, 0, 4, 2};

    program(board, 2, MODE(3), 6);
    for (int64_t tick = 0; tick < 60; tick++) {
        to_tick(board, 0, tick);
        cr_assert_eq(latched(board, 2), even[tick % 6]);
        cr_assert_eq(out_2(dev), tick % 6 < 3);
    }
    int64_t start = board->virtual_ns;
    program(board, 2, MODE(3), 5);
    for (int64_t tick = 0; tick < 60; tick++) {
        to_tick(board, start, tick);
        cr_assert_eq(latched(board, 2), odd[tick % 5]);
        cr_assert_eq(out_2(dev), tick % 5 < 3);
    }
}

Test(i8254_modes, mode_3_takes_a_new_count_at_the_end_of_the_half)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);

    program(board, 2, MODE(3), 1000);
    to_tick(board, 0, 100);
    write_word(board, 2, 200);
    to_tick(board, 0, 498);
    cr_assert(out_2(dev));
    to_tick(board, 0, 501);
    cr_assert_not(out_2(dev));
    to_tick(board, 0, 598);
    cr_assert_not(out_2(dev));
    to_tick(board, 0, 602);
    cr_assert(out_2(dev), "the low half is one of the new count");
}

Test(i8254_modes, mode_3_the_longest_count_is_as_long_as_at_the_start_of_the_machine)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pit(board);
    const PitState *s = device_state(dev);

    cr_assert_eq(s->channels[0].next_transition_time, 0x1a30c2c, "as QEMU has it");
    cr_assert(board->level[IRQ]);
    board_advance(board, 0x1a30c2c - 1);
    cr_assert(board->level[IRQ]);
    board_advance(board, 1);
    cr_assert_not(board->level[IRQ]);
    board_advance(board, INT64_C(5) * NS_PER_SECOND);
    cr_assert_eq(board->rises[IRQ], 1 + 91, "5.027 s at 18.2 Hz");
}

Test(i8254_modes, mode_4_is_low_for_the_tick_after_terminal_count)
{
    g_autoptr(Board) board = board_new();

    add_pit(board);
    unsigned before = board->rises[IRQ];
    program(board, 0, MODE(4), 300);
    to_tick(board, 0, 299);
    cr_assert(board->level[IRQ]);
    to_tick(board, 0, 300);
    cr_assert_not(board->level[IRQ]);
    to_tick(board, 0, 301);
    cr_assert(board->level[IRQ]);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(board->rises[IRQ], before + 1);
    board_out8(board, CONTROL, WORD | MODE(4));
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(board->rises[IRQ], before + 1, "without a count there is no strobe");
}

Test(i8254_modes, mode_5_strobes_after_a_trigger)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);

    program(board, 2, MODE(5), 300);
    to_tick(board, 0, 300);
    cr_assert(out_2(dev));
    i8254_ops.set_gate(dev, 2, false);
    int64_t start = board->virtual_ns;
    i8254_ops.set_gate(dev, 2, true);
    to_tick(board, start, 100);
    i8254_ops.set_gate(dev, 2, false); /* the level is nothing to it */
    to_tick(board, start, 299);
    cr_assert(out_2(dev));
    to_tick(board, start, 300);
    cr_assert_not(out_2(dev));
    to_tick(board, start, 301);
    cr_assert(out_2(dev));
}

Test(i8254_modes, modes_6_and_7_are_2_and_3)
{
    g_autoptr(Board) board = board_new();

    add_gated_pit(board);
    program(board, 2, MODE(6), 100);
    cr_assert_eq(status_2(board), STATUS_OUT | WORD | MODE(2));
    program(board, 2, MODE(7), 100);
    cr_assert_eq(status_2(board), STATUS_OUT | WORD | MODE(3));
}
