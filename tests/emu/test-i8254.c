/* test-i8254.c: the interval timer: registers, lines, state. Its modes are in test-i8254-modes.c. */
#include <inttypes.h>

#include "tests/emu/support/pit.h"

/* --- registers -------------------------------------------------------------------------------------------------- */

Test(i8254, decimal_counters_count_from_9999_down)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);

    program(board, 2, MODE(0) | BCD, 0x1002);
    to_tick(board, 0, 3);
    cr_assert_eq(latched(board, 2), 0x0999);
    to_tick(board, 0, 1001);
    cr_assert_not(out_2(dev));
    to_tick(board, 0, 1002);
    cr_assert(out_2(dev));
    to_tick(board, 0, 1003);
    cr_assert_eq(latched(board, 2), 0x9999);
    int64_t start = board->virtual_ns;
    program(board, 2, MODE(2) | BCD, 0);
    cr_assert_eq(latched(board, 2), 0, "that is 10000");
    to_tick(board, start, 9999);
    cr_assert_not(out_2(dev));
    cr_assert_eq(status_2(board), WORD | MODE(2) | BCD);
}

Test(i8254, single_octets_of_a_count_leave_the_other_zero)
{
    g_autoptr(Board) board = board_new();

    add_gated_pit(board);
    board_out8(board, CONTROL, CHANNEL_2 | LOW | MODE(2));
    board_out8(board, COUNTER_2, 0x34);
    cr_assert_eq(board_in8(board, COUNTER_2), 0x34);
    board_out8(board, CONTROL, CHANNEL_2 | HIGH | MODE(2));
    board_out8(board, COUNTER_2, 0x12);
    cr_assert_eq(board_in8(board, COUNTER_2), 0x12);
    cr_assert_eq(board_in8(board, COUNTER_2), 0x12);
    board_out8(board, CONTROL, CHANNEL_2); /* latched, one octet is read */
    board_advance(board, NS_PER_MS);
    cr_assert_eq(board_in8(board, COUNTER_2), 0x12);
    cr_assert_neq(board_in8(board, COUNTER_2), 0x12);
}

Test(i8254, the_first_latch_counts_until_it_was_read)
{
    g_autoptr(Board) board = board_new();

    add_gated_pit(board);
    program(board, 2, MODE(2), 0x8000);
    to_tick(board, 0, 0x100);
    board_out8(board, CONTROL, CHANNEL_2);
    to_tick(board, 0, 0x200);
    board_out8(board, CONTROL, CHANNEL_2);
    board_out8(board, CONTROL, BACK_COUNT_2);
    cr_assert_eq(read_word(board, 2), 0x7f00);
    cr_assert_eq(read_word(board, 2), 0x7e00, "the counter itself");
}

Test(i8254, status_comes_before_the_count)
{
    g_autoptr(Board) board = board_new();

    add_gated_pit(board);
    program(board, 2, MODE(3), 0x8000);
    to_tick(board, 0, 0x5000);
    board_out8(board, CONTROL, BACK_BOTH_2);
    to_tick(board, 0, 0x8000);
    board_out8(board, CONTROL, BACK_BOTH_2); /* has no effect */
    cr_assert_eq(board_in8(board, COUNTER_2), WORD | MODE(3));
    cr_assert_eq(read_word(board, 2), 0x6000);
    cr_assert_eq(status_2(board), STATUS_OUT | WORD | MODE(3));
}

Test(i8254, a_read_back_command_is_for_the_channels_that_it_names)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pit(board);
    const PitState *s = device_state(dev);

    program(board, 0, MODE(2), 1000);
    program(board, 1, MODE(2), 1000);
    board_out8(board, CONTROL, 0xc2 | 0x08); /* 0 and 2 */
    cr_assert_eq(s->channels[0].status_latched, 1);
    cr_assert_eq(s->channels[0].count_latched, PIT_WORD);
    cr_assert_eq(s->channels[1].status_latched, 0);
    cr_assert_eq(s->channels[1].count_latched, PIT_NONE);
    cr_assert_eq(s->channels[2].status_latched, 1);
}

Test(i8254, a_control_word_forgets_what_was_latched_and_half_written)
{
    g_autoptr(Board) board = board_new();

    add_gated_pit(board);
    program(board, 2, MODE(2), 0x1234);
    board_out8(board, CONTROL, BACK_BOTH_2);
    board_out8(board, COUNTER_2, 0x99);
    program(board, 2, MODE(0), 0x4321);
    cr_assert_eq(read_word(board, 2), 0x4321);
}

Test(i8254, null_count_is_told_until_the_count_is_there)
{
    g_autoptr(Board) board = board_new();

    add_gated_pit(board);
    board_out8(board, CONTROL, CHANNEL_2 | WORD | MODE(0));
    cr_assert_eq(status_2(board), STATUS_NULL | WORD | MODE(0));
    board_out8(board, COUNTER_2, 1);
    cr_assert_eq(status_2(board), STATUS_NULL | WORD | MODE(0));
    board_out8(board, COUNTER_2, 1);
    cr_assert_eq(status_2(board), WORD | MODE(0));
}

Test(i8254, the_control_word_cannot_be_read)
{
    g_autoptr(Board) board = board_new();

    add_pit(board);
    board_out8(board, CONTROL, 0xff);
    cr_assert_eq(board_in8(board, CONTROL), 0);
}

/* --- lines and timers ------------------------------------------------------------------------------------------- */

Test(i8254, the_hpet_takes_the_interrupt_and_gives_it_back)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pit(board);
    Irq legacy = device_input(dev, "hpet legacy", 0);

    program(board, 0, MODE(2), 1000);
    irq_set(&legacy, true);
    cr_assert_not(board->level[IRQ]);
    unsigned before = board->rises[IRQ];
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(board->rises[IRQ], before);
    cr_assert_eq(clock_deadline(board->machine->virtual_clock), INT64_MAX);
    irq_set(&legacy, false);
    board_advance(board, 100 * NS_PER_MS);
    cr_assert_geq(board->rises[IRQ], before + 119); /* 119318 / 1000 */
    cr_assert_leq(board->rises[IRQ], before + 121);
}

Test(i8254, a_late_host_makes_up_for_one_interrupt)
{
    g_autoptr(Board) board = board_new();

    add_pit(board);
    program(board, 0, MODE(2), 1000);
    unsigned before = board->rises[IRQ];
    board->virtual_ns += INT64_C(100) * NS_PER_SECOND;
    clock_run(board->machine->virtual_clock);
    cr_assert_eq(board->rises[IRQ], before + 1);
    cr_assert_gt(clock_deadline(board->machine->virtual_clock), board->virtual_ns);
}

/* Whoever looks at it is 5 us late. */
static int64_t hasty_time(void *opaque)
{
    return *(int64_t *)opaque += 5000;
}

Test(i8254, a_strobe_that_is_over_before_the_host_looks_is_not_lost)
{
    g_autoptr(Board) board = board_new();
    int64_t ns = 0;
    g_autoptr(Machine) machine = machine_new(&(MachineClocks){hasty_time, hasty_time, &ns});
    Device *dev = device_new(&i8254_type);

    device_connect_irq(dev, "irq", 0, board_probe(board, IRQ));
    cr_assert(device_realize(dev, machine, NULL));
    unsigned before = board->rises[IRQ];
    for (unsigned i = 1; i <= 10; i++) {
        space_write(machine->ports, CONTROL, LOW | MODE(4), 1);
        space_write(machine->ports, COUNTER_0, 2, 1);
        ns += NS_PER_US;
        clock_run(machine->virtual_clock);
        cr_assert_eq(board->rises[IRQ], before + i);
    }
}

Test(i8254, the_shortest_periods_cost_the_host_no_more_than_others)
{
    g_autoptr(Board) board = board_new();

    add_pit(board);
    for (unsigned mode = 2; mode <= 3; mode++)
        for (uint16_t count = 1; count < 4; count++) {
            program(board, 0, (uint8_t)MODE(mode), count);
            unsigned before = board->rises[IRQ];
            board_advance(board, 10 * NS_PER_MS);
            cr_assert_leq(board->rises[IRQ] - before, 2000U);
            if (count > 1)
                cr_assert_geq(board->rises[IRQ] - before, 800U);
        }
}

/* --- state ------------------------------------------------------------------------------------------------------ */

Test(i8254, it_is_the_one_that_qemu_records)
{
    static const char *const recordings[] = {"a-kvm-min", "e-tcg-min", "f2-kvm-virtio-10s", "j1-tcg-linux-virtio",
                                             "j2-kvm-linux-virtio"};
    g_autoptr(Board) board = board_new();
    Device *dev = add_pit(board);

    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++)
        board_load_recorded(board, dev, recordings[i], false);
}

Test(i8254, a_machine_with_a_kernel_pit_goes_on_here)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pit(board);

    board->virtual_ns = 0x2cc86b911; /* as in the recording, where channel 0 was loaded 594 us before time began */
    board_load_recorded(board, dev, "f2-kvm-virtio-10s", false);
    unsigned before = board->rises[IRQ];
    board_advance(board, INT64_C(10) * NS_PER_SECOND);
    cr_assert_geq(board->rises[IRQ], before + 182); /* 18.2065 Hz */
    cr_assert_leq(board->rises[IRQ], before + 183);
}

/* Saves the section, resets, and loads it again. */
static void save_and_load(Board *board, Device *dev)
{
    ByteOut octets = {0};

    board_save(board, dev, &octets);
    device_reset(dev);
    cr_assert(board_load(board, dev, octets.data, octets.len, 3, NULL));
    byte_out_done(&octets);
}

Test(i8254, channels_move_with_all_that_they_are_about_to_do)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);

    board_out8(board, CONTROL, CHANNEL_2 | WORD | MODE(0));
    board_out8(board, COUNTER_2, 100); /* the other octet comes after the move */
    program(board, 0, MODE(2), 5000);
    to_tick(board, 0, 300);
    save_and_load(board, dev);
    to_tick(board, 0, 1000);
    cr_assert_not(out_2(dev));
    cr_assert_eq(status_2(board), STATUS_NULL | WORD | MODE(0));
    board_out8(board, COUNTER_2, 0);
    int64_t start = board->virtual_ns;
    to_tick(board, start, 30);
    i8254_ops.set_gate(dev, 2, false);
    board_advance(board, NS_PER_MS);
    save_and_load(board, dev);
    board_advance(board, NS_PER_MS);
    cr_assert_eq(latched(board, 2), 70, "it stands where it stood");
    unsigned before = board->rises[IRQ];
    to_tick(board, 0, 9999);
    cr_assert_eq(board->rises[IRQ], before + 1);
    cr_assert_not(board->level[IRQ]);
    to_tick(board, 0, 10000);
    cr_assert_eq(board->rises[IRQ], before + 2);
}

Test(i8254, an_edge_that_was_due_comes_after_the_load)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pit(board);

    program(board, 0, MODE(0), 1000);
    board->virtual_ns = NS_PER_SECOND; /* no timer has run */
    save_and_load(board, dev);
    cr_assert_not(board->level[IRQ]);
    unsigned before = board->rises[IRQ];
    clock_run(board->machine->virtual_clock);
    cr_assert(board->level[IRQ]);
    cr_assert_eq(board->rises[IRQ], before + 1);
}

Test(i8254, a_count_that_waits_for_the_end_of_a_period_waits_after_a_move)
{
    for (unsigned mode = 2; mode <= 3; mode++) {
        g_autoptr(Board) board = board_new();
        Device *dev = add_gated_pit(board);
        program(board, 2, (uint8_t)MODE(mode), 10000);
        to_tick(board, 0, 1000);
        write_word(board, 2, 20000);
        const int64_t end = mode == 2 ? 10000 : 5000; /* of the period, or the half of it */
        save_and_load(board, dev);
        to_tick(board, 0, end - 10);
        save_and_load(board, dev);
        cr_assert_eq(status_2(board), STATUS_OUT | STATUS_NULL | WORD | MODE(mode));
        to_tick(board, 0, end + 1);
        cr_assert_eq(status_2(board) & ~STATUS_OUT, WORD | MODE(mode));
        cr_assert_eq(latched(board, 2), mode == 2 ? 19999 : 19998);
    }
}

/* Periods below and above the one below which some edges do not go out; and a move at any time of one. */
Test(i8254, the_edges_are_those_that_would_have_been_without_a_move)
{
    static const uint16_t counts[] = {2, 7, 11, 14, 25, 100};

    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++)
        for (int64_t ns = 1; ns < 40 * NS_PER_US; ns += 777) {
            g_autoptr(Board) here = board_new();
            g_autoptr(Board) there = board_new();
            Device *stays = add_pit(here), *goes = add_pit(there);
            ByteOut octets = {0};
            program(here, 0, MODE(3), counts[i]);
            board_advance(here, ns);
            board_advance(there, ns);
            board_save(here, stays, &octets);
            cr_assert(board_load(there, goes, octets.data, octets.len, 3, NULL));
            byte_out_done(&octets);
            unsigned before = here->rises[IRQ] - there->rises[IRQ];
            for (int n = 0; n < 100; n++) {
                cr_assert_eq(there->level[IRQ], here->level[IRQ], "%u after %" PRId64 " ns, %d later", counts[i], ns,
                             n);
                cr_assert_eq(here->rises[IRQ] - there->rises[IRQ], before);
                board_advance(here, 901);
                board_advance(there, 901);
            }
        }
}

Test(i8254, version_2_has_no_hpet)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pit(board);
    ByteOut octets = {0};

    program(board, 0, MODE(2), 1000);
    board_save(board, dev, &octets);
    device_reset(dev);
    cr_assert(board_load(board, dev, octets.data + 4, octets.len - 4, 2, NULL));
    cr_assert_eq(((const PitState *)device_state(dev))->channels[0].count, 1000);
    byte_out_done(&octets);
}

static void refuse(PitState bad, const char *message)
{
    g_autoptr(GError) error = NULL;

    cr_assert_not(i8254_check(&bad, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert_str_eq(error->message, message);
}

Test(i8254, no_state_is_taken_that_the_chip_cannot_have)
{
    g_autoptr(Board) board = board_new();
    const PitState good = *(const PitState *)device_state(add_pit(board));
    PitState bad = good;

    cr_assert(i8254_check(&good, NULL));
    bad.channels[0].mode = 255;
    refuse(bad, "channels[0].mode is 255, which can be 0 to 5");
    bad = good, bad.channels[1].count = 0;
    refuse(bad, "channels[1].count is 0, which can be 1 to 65536");
    bad = good, bad.channels[2].count = -5;
    refuse(bad, "channels[2].count is -5, which can be 1 to 65536");
    bad = good, bad.channels[2].rw_mode = 4;
    refuse(bad, "channels[2].rw_mode is 4, which can be 0 to 3");
    bad = good, bad.irq_disabled = 2;
    refuse(bad, "channels[0].irq_disabled is 2, which can be 0 to 1");
}

/* Sound states with any times, for the sanitizers: nothing hangs, and what is left still loads. */
Test(i8254, any_time_of_loading_survives)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pit(board);
    GRand *rand = g_rand_new_with_seed(8254);
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};

    for (unsigned i = 0; i < 2000; i++) {
        PitState *s = device_state(dev);
        for (unsigned n = 0; n < PIT_CHANNELS; n++)
            s->channels[n] = (PitChannel){
                .count = g_rand_int_range(rand, 1, g_rand_boolean(rand) ? 5 : PIT_COUNT_MAX + 1),
                .mode = (uint8_t)g_rand_int_range(rand, 0, 6),
                .status = (uint8_t)g_rand_int(rand),
                .bcd = g_rand_boolean(rand),
                .gate = g_rand_int_range(rand, 0, 4) != 0,
                .write_state = (uint8_t)g_rand_int_range(rand, 0, 5),
                .count_load_time = times[g_rand_int_range(rand, 0, G_N_ELEMENTS(times))],
                .next_transition_time = times[g_rand_int_range(rand, 0, G_N_ELEMENTS(times))],
            };
        cr_assert(i8254_check(s, NULL));
        dev->type->state->push(dev);
        board_advance(board, 100 * NS_PER_US);
        write_word(board, 0, (uint16_t)g_rand_int(rand));
        write_word(board, 2, (uint16_t)g_rand_int(rand));
        latched(board, 1);
        i8254_ops.set_gate(dev, 2, g_rand_boolean(rand));
        save_and_load(board, dev);
    }
    g_rand_free(rand);
}

Test(i8254, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pit(board);

    board_try_states(board, dev, 300);
    board_abuse_ports(board, dev, 0x3e, 8, 4000);
}

Test(i8254, reset_is_the_square_wave_of_the_bios)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_gated_pit(board);
    const PitState *s = device_state(dev);

    program(board, 0, MODE(0), 100);
    program(board, 2, MODE(0), 100);
    board_advance(board, NS_PER_SECOND);
    device_reset(dev);
    for (unsigned n = 0; n < PIT_CHANNELS; n++) {
        cr_assert_eq(s->channels[n].count, PIT_COUNT_MAX);
        cr_assert_eq(s->channels[n].mode, 3);
        cr_assert_eq(s->channels[n].gate, n != 2);
        cr_assert_eq(s->channels[n].count_load_time, NS_PER_SECOND);
    }
    cr_assert_eq(s->channels[0].next_transition_time, NS_PER_SECOND + 0x1a30c2c);
}

Test(i8254, removed_it_is_no_longer_there)
{
    g_autoptr(Board) board = board_new();

    machine_remove_device(board->machine, add_pit(board));
    cr_assert_eq(board_in8(board, CONTROL), 0xff);
    cr_assert_eq(clock_deadline(board->machine->virtual_clock), INT64_MAX);
}
