/* test-hpet.c: registers, timers and lines of the HPET, as the IA-PC HPET Specification 1.0a has them. */
#include "tests/emu/support/hpet.h"

/* --- registers -------------------------------------------------------------------------------------------------- */

Test(hpet, it_says_what_it_is)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    cr_assert_eq(get(board, ID), 0x8086a201, "Intel's, legacy routes, 64 bits, 3 timers, revision 1");
    cr_assert_eq(get(board, PERIOD), 10000000, "femtoseconds");
    set64(board, ID, 0);
    cr_assert_eq(get64(board, ID), UINT64_C(0x009896808086a201));
    for (unsigned n = 0; n < 3; n++) {
        cr_assert_eq(get64(board, T0_CONFIG + 0x20 * n), UINT64_C(0x400000030), "periodic, 64 bits, pin 2");
        cr_assert_eq(get64(board, T0_COMPARATOR + 0x20 * n), UINT64_MAX);
    }
    cr_assert_eq(get64(board, 0x160), 0, "there is no fourth timer");
    cr_assert_eq(get64(board, 0x008), 0);
}

Test(hpet, what_can_be_set_before_is_described)
{
    g_autoptr(GError) error = NULL;
    const Hpet *defaults = hpet_type.defaults;

    cr_assert(vms_desc_check(hpet_type.options, &error), "%s", error->message);
    cr_assert_not(defaults->msi);
    cr_assert_eq(defaults->intcap, 4);
}

Test(hpet, only_what_can_be_changed_changes)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set64(board, CONFIG, UINT64_MAX - ENABLE);
    cr_assert_eq(get64(board, CONFIG), 2);
    set64(board, T0_CONFIG, ~UINT64_C(0x3e00));
    cr_assert_eq(get64(board, T0_CONFIG), UINT64_C(0x40000017e), "no messages, no other capabilities");
    set(board, T0_CONFIG, ROUTE_2);
    cr_assert_eq(get(board, T0_CONFIG), 0x30 | ROUTE_2);
    set(board, T0_CONFIG, 5 << 9);
    cr_assert_eq(get(board, T0_CONFIG), 0x30 | ROUTE_2, "pin 5 is none of its");
}

Test(hpet, narrow_and_skewed_writes_do_nothing)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set64(board, COUNTER, UINT64_C(0x1122334455667788));
    space_write(board->machine->memory, 0xfed000f0, 0, 1);
    space_write(board->machine->memory, 0xfed000f0, 0, 2);
    space_write(board->machine->memory, 0xfed000f1, 0, 4);
    space_write(board->machine->memory, 0xfed000f4, 0, 8);
    cr_assert_eq(get64(board, COUNTER), UINT64_C(0x1122334455667788));
    cr_assert_eq(space_read(board->machine->memory, 0xfed000f2, 2), 0x5566);
    cr_assert_eq(space_read(board->machine->memory, 0xfed000f4, 8), 0x11223344);
}

Test(hpet, the_counter_counts_at_100_mhz_while_it_is_enabled)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(get64(board, COUNTER), 0);
    set(board, CONFIG, ENABLE);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(get64(board, COUNTER), 100000000);
    set(board, COUNTER, 5);
    cr_assert_eq(get64(board, COUNTER), 100000000, "it is written only while it stands");
    set(board, CONFIG, 0);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(get64(board, COUNTER), 100000000);
    set(board, COUNTER + 4, 7);
    cr_assert_eq(get64(board, COUNTER), UINT64_C(0x705f5e100));
    set64(board, COUNTER, UINT64_MAX - 4);
    set(board, CONFIG, ENABLE);
    advance_ticks(board, 4);
    cr_assert_eq(get64(board, COUNTER), UINT64_MAX);
    advance_ticks(board, 3);
    cr_assert_eq(get64(board, COUNTER), 2, "and wraps");
}

/* --- timers ----------------------------------------------------------------------------------------------------- */

Test(hpet, a_one_shot_comes_at_its_tick_and_once)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, CONFIG, ENABLE);
    board_advance(board, 7);
    set(board, T0_CONFIG, TN_ENABLE | ROUTE_2);
    set64(board, T0_COMPARATOR, 1000);
    board_advance(board, 9992);
    cr_assert_eq(rises(board, 2), 0);
    board_advance(board, 1);
    cr_assert_eq(rises(board, 2), 1);
    cr_assert_not(board->level[PIN_0 + 2]);
    cr_assert_eq(get(board, STATUS), 0, "of an edge there is no status");
    board_advance(board, INT64_C(100) * NS_PER_SECOND);
    cr_assert_eq(rises(board, 2), 1);
    cr_assert_eq(get64(board, T0_COMPARATOR), 1000);
}

Test(hpet, one_of_32_bits_comes_again_after_a_turn_of_the_counter)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set64(board, COUNTER, UINT64_C(0x5fffffff0));
    set(board, T2_CONFIG, TN_ENABLE | TN_32_BIT | ROUTE_2);
    set64(board, T2_COMPARATOR, UINT64_C(0x1200000010));
    cr_assert_eq(get64(board, T2_COMPARATOR), 0x10);
    set(board, CONFIG, ENABLE);
    advance_ticks(board, 0x1f);
    cr_assert_eq(rises(board, 2), 0);
    advance_ticks(board, 1);
    cr_assert_eq(rises(board, 2), 1);
    advance_ticks(board, (INT64_C(1) << 32) - 1);
    cr_assert_eq(rises(board, 2), 1);
    advance_ticks(board, 1);
    cr_assert_eq(rises(board, 2), 2);
}

Test(hpet, a_comparator_that_is_written_late_matches_at_once)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, CONFIG, ENABLE);
    set(board, T0_CONFIG, TN_ENABLE | ROUTE_2);
    advance_ticks(board, 1000000);
    set64(board, T0_COMPARATOR, 1000000 - 50);
    board_advance(board, 1);
    cr_assert_eq(rises(board, 2), 1);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(rises(board, 2), 1);
    set64(board, T0_COMPARATOR, get64(board, COUNTER));
    board_advance(board, 1);
    cr_assert_eq(rises(board, 2), 2);
    board_advance(board, INT64_C(10) * NS_PER_SECOND);
    set64(board, T0_COMPARATOR, 5); /* long ago: that is the future */
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(rises(board, 2), 2);
}

Test(hpet, a_periodic_timer_has_its_accumulator)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, CONFIG, ENABLE);
    start_periodic(board, 0, 0x123000, 0x100000, TN_32_BIT);
    cr_assert_eq(get(board, T0_CONFIG) & TN_SET_VALUE, 0);
    cr_assert_eq(get64(board, T0_COMPARATOR), 0x123000);
    advance_ticks(board, 0x122fff);
    cr_assert_eq(rises(board, 2), 0);
    advance_ticks(board, 1);
    cr_assert_eq(rises(board, 2), 1);
    cr_assert_eq(get64(board, T0_COMPARATOR), 0x223000);
    advance_ticks(board, 0x100000);
    cr_assert_eq(get64(board, T0_COMPARATOR), 0x323000);
    set(board, T0_COMPARATOR, 0x200000); /* a new period: the running one is not affected */
    cr_assert_eq(get64(board, T0_COMPARATOR), 0x323000);
    advance_ticks(board, 0x100000);
    cr_assert_eq(rises(board, 2), 3);
    cr_assert_eq(get64(board, T0_COMPARATOR), 0x523000);
}

Test(hpet, the_accumulator_wraps_with_32_bits)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set64(board, COUNTER, 0xfffe0000);
    start_periodic(board, 0, 0xffff0000, 0x20000, TN_32_BIT);
    set(board, CONFIG, ENABLE);
    advance_ticks(board, 0x10000);
    cr_assert_eq(rises(board, 2), 1);
    cr_assert_eq(get64(board, T0_COMPARATOR), 0x10000, "as the data sheet's example");
    advance_ticks(board, 0x1ffff);
    cr_assert_eq(rises(board, 2), 1);
    advance_ticks(board, 1);
    cr_assert_eq(rises(board, 2), 2);
}

Test(hpet, one_write_sets_accumulator_and_period_of_64_bits)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, T1_CONFIG, TN_ENABLE | TN_PERIODIC | TN_SET_VALUE | ROUTE_2);
    set64(board, T1_COMPARATOR, 100000);
    set(board, CONFIG, ENABLE);
    advance_ticks(board, 1000000);
    cr_assert_eq(rises(board, 2), 10);
    cr_assert_eq(get64(board, T1_COMPARATOR), 1100000);
}

Test(hpet, halves_of_a_comparator_are_set_one_by_one)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, T0_CONFIG, TN_PERIODIC | TN_SET_VALUE);
    set(board, T0_COMPARATOR, 0x1234);
    set(board, T0_CONFIG, TN_PERIODIC | TN_SET_VALUE);
    set(board, T0_COMPARATOR + 4, 0x56);
    cr_assert_eq(get64(board, T0_COMPARATOR), UINT64_C(0x5600001234));
    set(board, T0_CONFIG, TN_PERIODIC | TN_32_BIT);
    set(board, T0_COMPARATOR + 4, 0x99);
    cr_assert_eq(get64(board, T0_COMPARATOR), 0x1234);
}

Test(hpet, a_thousand_hertz_for_a_minute_are_sixty_thousand)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, CONFIG, ENABLE);
    start_periodic(board, 0, 100000, 100000, TN_32_BIT);
    board_advance(board, INT64_C(60) * NS_PER_SECOND);
    cr_assert_eq(rises(board, 2), 60000);
}

Test(hpet, a_late_host_makes_up_for_one_interrupt_in_no_time)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, CONFIG, ENABLE);
    start_periodic(board, 0, 1, 1, 0);
    board->virtual_ns += INT64_MAX / 4;
    clock_run(board->machine->virtual_clock);
    cr_assert_eq(rises(board, 2), 1);
    cr_assert_eq(get64(board, T0_COMPARATOR), get64(board, COUNTER) + 1);
    cr_assert_gt(clock_deadline(board->machine->virtual_clock), board->virtual_ns);
}

Test(hpet, the_shortest_period_costs_the_host_no_more_than_others)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, CONFIG, ENABLE);
    start_periodic(board, 0, 1, 1, 0);
    board_advance(board, 10 * NS_PER_MS);
    cr_assert_leq(rises(board, 2), 1001U);
    cr_assert_geq(rises(board, 2), 999U);
}

Test(hpet, while_it_is_not_enabled_nothing_comes)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    start_periodic(board, 0, 1000, 1000, 0);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(rises(board, 2), 0);
    cr_assert_eq(clock_deadline(board->machine->virtual_clock), INT64_MAX);
    set(board, CONFIG, ENABLE);
    advance_ticks(board, 1500);
    cr_assert_eq(rises(board, 2), 1);
    set(board, CONFIG, 0);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(rises(board, 2), 1);
    set(board, CONFIG, ENABLE);
    advance_ticks(board, 499);
    cr_assert_eq(rises(board, 2), 1);
    advance_ticks(board, 1);
    cr_assert_eq(rises(board, 2), 2);
}

Test(hpet, without_its_enable_bit_a_timer_goes_on_silently)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, CONFIG, ENABLE);
    start_periodic(board, 0, 1000, 1000, 0);
    set(board, T0_CONFIG, TN_PERIODIC | ROUTE_2);
    cr_assert_eq(clock_deadline(board->machine->virtual_clock), INT64_MAX);
    advance_ticks(board, 12345);
    cr_assert_eq(rises(board, 2), 0);
    cr_assert_eq(get64(board, T0_COMPARATOR), 13000);
    advance_ticks(board, 700);
    set(board, T0_CONFIG, TN_PERIODIC | TN_ENABLE | ROUTE_2);
    board_advance(board, 1);
    cr_assert_eq(rises(board, 2), 0, "what has been is not made up for");
    advance_ticks(board, 1000);
    cr_assert_eq(rises(board, 2), 1);
}

/* --- lines ------------------------------------------------------------------------------------------------------ */

Test(hpet, a_level_stays_until_its_status_is_cleared)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, CONFIG, ENABLE);
    set(board, T1_CONFIG, TN_ENABLE | TN_LEVEL | ROUTE_2);
    set64(board, T1_COMPARATOR, 100);
    set(board, T2_CONFIG, TN_ENABLE | TN_LEVEL | ROUTE_2);
    set64(board, T2_COMPARATOR, 200);
    advance_ticks(board, 100);
    cr_assert(board->level[PIN_0 + 2]);
    cr_assert_eq(get(board, STATUS), 2);
    advance_ticks(board, 100);
    cr_assert_eq(get(board, STATUS), 6);
    set(board, STATUS, 2);
    cr_assert(board->level[PIN_0 + 2], "the other one holds it");
    set(board, STATUS, 1);
    cr_assert_eq(get(board, STATUS), 4);
    set(board, T2_CONFIG, TN_LEVEL | ROUTE_2);
    cr_assert_not(board->level[PIN_0 + 2]);
    cr_assert_eq(get(board, STATUS), 4);
    set(board, T2_CONFIG, TN_ENABLE | TN_LEVEL | ROUTE_2);
    cr_assert(board->level[PIN_0 + 2]);
    set(board, STATUS, 4);
    cr_assert_not(board->level[PIN_0 + 2]);
}

Test(hpet, a_level_goes_with_the_enable_bit_of_all_and_with_the_type)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, CONFIG, ENABLE);
    set(board, T0_CONFIG, TN_ENABLE | TN_LEVEL | ROUTE_2);
    set64(board, T0_COMPARATOR, 100);
    advance_ticks(board, 100);
    set(board, CONFIG, 0);
    cr_assert_not(board->level[PIN_0 + 2]);
    set(board, CONFIG, ENABLE);
    cr_assert(board->level[PIN_0 + 2]);
    set(board, T0_CONFIG, TN_ENABLE | ROUTE_2);
    cr_assert_not(board->level[PIN_0 + 2]);
    cr_assert_eq(get(board, STATUS), 0);
}

Test(hpet, status_is_kept_without_the_enable_bit)
{
    g_autoptr(Board) board = board_new();

    add_hpet(board);
    set(board, CONFIG, ENABLE);
    set(board, T0_CONFIG, TN_LEVEL | ROUTE_2);
    set64(board, T0_COMPARATOR, 100);
    advance_ticks(board, 101);
    cr_assert_eq(get(board, STATUS), 1);
    cr_assert_eq(rises(board, 2), 0);
}

Test(hpet, legacy_routes_are_those_of_the_pit_and_the_rtc)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_hpet(board);
    Irq pit = device_input(dev, "pit", 0), rtc = device_input(dev, "rtc", 0);

    irq_set(&pit, true);
    irq_set(&rtc, true);
    cr_assert(board->level[PIN_0]);
    cr_assert(board->level[PIN_0 + 8]);
    set(board, CONFIG, 3);
    cr_assert(board->level[LEGACY]);
    cr_assert_not(board->level[PIN_0]);
    cr_assert_not(board->level[PIN_0 + 8]);
    irq_set(&pit, false);
    irq_set(&pit, true);
    cr_assert_eq(rises(board, 0), 1);
    for (unsigned n = 0; n < 3; n++) {
        set(board, T0_CONFIG + 0x20 * n, TN_ENABLE | ROUTE_2);
        set64(board, T0_COMPARATOR + 0x20 * n, 100 * (n + 1));
    }
    advance_ticks(board, 100);
    cr_assert_eq(rises(board, 0), 2);
    advance_ticks(board, 100);
    cr_assert_eq(rises(board, 8), 2);
    cr_assert_eq(rises(board, 2), 0);
    advance_ticks(board, 100);
    cr_assert_eq(rises(board, 2), 1);
    irq_set(&rtc, false);
    set(board, CONFIG, 1);
    cr_assert_not(board->level[LEGACY]);
    cr_assert(board->level[PIN_0]);
    cr_assert_not(board->level[PIN_0 + 8]);
}

Test(hpet, a_pit_gives_way_to_it)
{
    g_autoptr(Board) board = board_new();
    Device *hpet = add_hpet(board), *pit = device_new(&i8254_type);

    device_connect(pit, "irq", 0, hpet, "pit", 0);
    board_add(board, pit);
    device_connect(hpet, "legacy", 0, pit, "hpet legacy", 0);
    unsigned before = rises(board, 0);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(rises(board, 0), before + 18);
    set(board, CONFIG, 3);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(rises(board, 0), before + 18);
    set(board, CONFIG, 1);
    before = rises(board, 0);
    board_advance(board, NS_PER_SECOND);
    cr_assert_geq(rises(board, 0), before + 18);
}

Test(hpet, messages_are_written_to_memory)
{
    g_autoptr(Board) board = board_new();
    RamArea *ram = ram_area_new("messages", 0x1000, 0x1000, NULL);

    machine_add_ram(board->machine, ram);
    space_map(board->machine->memory, &(SpaceMapping){.base = MESSAGES, .size = 0x1000, .ram = ram});
    add_with(board, true);
    set(board, CONFIG, ENABLE);
    cr_assert_eq(get(board, T0_CONFIG), 0x8030);
    set(board, T0_CONFIG, TN_ENABLE | TN_FSB | ROUTE_2);
    set(board, T0_FSB, 0x4031);
    set(board, T0_FSB + 4, MESSAGES + 0x10);
    cr_assert_eq(get64(board, T0_FSB), (uint64_t)(MESSAGES + 0x10) << 32 | 0x4031);
    set64(board, T0_COMPARATOR, 100);
    advance_ticks(board, 100);
    cr_assert_eq(space_read(board->machine->memory, MESSAGES + 0x10, 4), 0x4031);
    cr_assert_eq(rises(board, 2), 0);
}

/* A clock that never stands, so that a period of one tick is over whenever one looks. */
static int64_t hasty_time(void *opaque)
{
    return *(int64_t *)opaque += 10;
}

Test(hpet, a_message_to_itself_ends)
{
    int64_t ns = 0;
    g_autoptr(Machine) machine = machine_new(&(MachineClocks){hasty_time, hasty_time, &ns});
    Hpet *p = (Hpet *)device_new(&hpet_type);

    p->msi = true;
    cr_assert(device_realize(&p->dev, machine, NULL));
    space_write(machine->memory, 0xfed00000 + CONFIG, ENABLE, 4);
    space_write(machine->memory, 0xfed00000 + T0_CONFIG, TN_ENABLE | TN_FSB | TN_PERIODIC | TN_SET_VALUE, 4);
    space_write(machine->memory, 0xfed00000 + T0_FSB, UINT64_C(0xfed00108) << 32 | 3, 8);
    space_write(machine->memory, 0xfed00000 + T0_COMPARATOR, 1, 8);
    for (unsigned i = 0; i < 100; i++) {
        ns += 100 * NS_PER_US;
        clock_run(machine->virtual_clock);
    }
    cr_assert_eq(p->s.timer[0].period, 3);
}
