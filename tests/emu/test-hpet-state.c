/* test-hpet-state.c: how the HPET moves from one machine to another. */
#include "tests/emu/support/hpet.h"

Test(hpet_state, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_hpet(board);

    board_load_recorded(board, dev, "a-kvm-min", false);
    board_load_recorded(board, dev, "h2-pc-q35-7.2", false);
    board->virtual_ns = 0x1a8a90fbf;
    board_load_recorded(board, dev, "j1-tcg-linux-virtio", false);
    cr_assert(board->level[LEGACY]);
    cr_assert_eq(get64(board, COUNTER), 0x2548653f);
    advance_ticks(board, 1000);
    cr_assert_eq(get64(board, COUNTER), 0x2548653f + 1000);
}

Test(hpet_state, without_an_offset_the_counter_goes_on_all_the_same)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_hpet(board);
    ByteOut octets = {0};

    set64(board, COUNTER, 1000000);
    set(board, CONFIG, ENABLE);
    board_save(board, dev, &octets);
    board_advance(board, NS_PER_SECOND);
    device_reset(dev);
    /* octet and name, version, offset */
    cr_assert(board_load(board, dev, octets.data, octets.len - (1 + 1 + strlen("hpet/offset") + 4 + 8), 2, NULL));
    cr_assert_eq(get64(board, COUNTER), 1000000);
    advance_ticks(board, 50);
    cr_assert_eq(get64(board, COUNTER), 1000050);
    byte_out_done(&octets);
}

static void save_and_load(Board *board, Device *dev, int64_t pause_ns)
{
    ByteOut octets = {0};

    board_save(board, dev, &octets);
    device_reset(dev);
    board->virtual_ns += pause_ns;
    cr_assert(board_load(board, dev, octets.data, octets.len, 2, NULL));
    byte_out_done(&octets);
}

Test(hpet_state, timers_move_with_their_next_match)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_hpet(board);
    Irq rtc = device_input(dev, "rtc", 0);

    set64(board, COUNTER, UINT64_C(0xf000000000000000)); /* no offset is as large */
    set(board, T0_CONFIG, TN_ENABLE | TN_PERIODIC | TN_SET_VALUE | TN_32_BIT | ROUTE_2);
    set(board, T0_COMPARATOR, 5000);
    set(board, T1_CONFIG, TN_ENABLE | TN_LEVEL | ROUTE_2);
    set64(board, T1_COMPARATOR, UINT64_C(0xf000000000000000) + 7000);
    set(board, CONFIG, ENABLE);
    irq_set(&rtc, true);
    advance_ticks(board, 3000);
    save_and_load(board, dev, 0);
    cr_assert(board->level[PIN_0 + 8]);
    cr_assert_eq(get64(board, COUNTER), UINT64_C(0xf000000000000000) + 3000);
    advance_ticks(board, 1999);
    cr_assert_eq(rises(board, 2), 0);
    advance_ticks(board, 1);
    cr_assert_eq(rises(board, 2), 1);
    advance_ticks(board, 2000);
    cr_assert(board->level[PIN_0 + 2]);
    save_and_load(board, dev, 0);
    cr_assert(board->level[PIN_0 + 2]);
    set(board, STATUS, 2);
    advance_ticks(board, 3000);
    cr_assert_eq(rises(board, 2), 4);
}

Test(hpet_state, one_that_was_due_comes_after_the_load)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_hpet(board);

    set(board, CONFIG, ENABLE);
    set(board, T0_CONFIG, TN_ENABLE | ROUTE_2);
    set64(board, T0_COMPARATOR, 1000);
    board->virtual_ns = NS_PER_MS; /* no timer has run */
    save_and_load(board, dev, 0);
    cr_assert_eq(rises(board, 2), 0);
    board_advance(board, 1);
    cr_assert_eq(rises(board, 2), 1);
}

Test(hpet_state, version_1_has_three_timers)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_hpet(board);
    ByteOut octets = {0};

    set64(board, COUNTER, 77);
    board_save(board, dev, &octets);
    memmove(octets.data + 24, octets.data + 25, octets.len - 25);
    device_reset(dev);
    cr_assert(board_load(board, dev, octets.data, octets.len - 1, 1, NULL));
    cr_assert_eq(get64(board, COUNTER), 77);
    byte_out_done(&octets);
}

/* Loads what is saved with another octet in it. */
static void refuse(Board *board, Device *dev, size_t at, uint8_t value, const char *message)
{
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};

    board_save(board, dev, &octets);
    octets.data[at] = value;
    cr_assert_not(board_load(board, dev, octets.data, octets.len, 2, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert(strstr(error->message, message), "%s", error->message);
    byte_out_done(&octets);
}

Test(hpet_state, no_state_is_taken_that_the_chip_cannot_have)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_hpet(board);
    Irq rtc = device_input(dev, "rtc", 0);

    refuse(board, dev, 24, 4, "num_timers is 4, this build has 3");
    refuse(board, dev, 25 + 42, 0, "timer[1].tn is 0, which must be 1");
    irq_set(&rtc, true);
    refuse(board, dev, 25 + 3 * 42 + 2 + strlen("hpet/rtc_irq_level") + 4, 2, "rtc_irq_level is 2");
}

/* Random accesses, time passing meanwhile; then a save and a load. */
Test(hpet_state, any_access_survives)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_with(board, true);
    Hpet *p = (Hpet *)dev;
    GRand *rand = g_rand_new_with_seed(100);

    for (unsigned i = 0; i < 20000; i++) {
        uint64_t at = 0xfed00000 + (uint64_t)g_rand_int_range(rand, 0, 0x170);
        unsigned size = 1U << g_rand_int_range(rand, 0, 4);
        uint64_t value = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
        value >>= g_rand_int_range(rand, 0, 64);
        at &= g_rand_boolean(rand) ? ~UINT64_C(7) : UINT64_MAX;
        if (g_rand_boolean(rand))
            space_write(board->machine->memory, at, value, size);
        else
            space_read(board->machine->memory, at, size);
        if (g_rand_int_range(rand, 0, 8) == 0)
            board_advance(board, g_rand_int_range(rand, 0, 200 * NS_PER_US));
        if (g_rand_int_range(rand, 0, 16) == 0)
            save_and_load(board, dev, g_rand_boolean(rand) ? 0 : g_rand_int_range(rand, 0, NS_PER_SECOND));
        if (g_rand_int_range(rand, 0, 16) == 0) {
            HpetTimer *t = &p->s.timer[g_rand_int_range(rand, 0, 3)];
            t->config = value | g_rand_int(rand);
            t->cmp = (uint64_t)g_rand_int(rand) << g_rand_int_range(rand, 0, 64);
            t->qemu_timer = (int64_t)value;
            p->s.hpet_offset = g_rand_boolean(rand) ? value : ~value;
            p->s.hpet_counter ^= value;
            dev->type->state->push(dev);
        }
    }
    g_rand_free(rand);
}

/* Of a period below 10 us one interrupt comes every 10 us, and a load does not bring it nearer. */
Test(hpet_state, a_timer_that_waits_for_its_shortest_period_waits_on)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_hpet(board);

    set(board, CONFIG, ENABLE);
    start_periodic(board, 0, 1, 1, 0);
    board_advance(board, 25 * NS_PER_US);
    int64_t next = clock_deadline(board->machine->virtual_clock);
    unsigned before = rises(board, 2);
    save_and_load(board, dev, 0);
    cr_assert_eq(clock_deadline(board->machine->virtual_clock), next);
    cr_assert_gt(next, board->virtual_ns + 100);
    board_advance(board, next - board->virtual_ns);
    cr_assert_eq(rises(board, 2), before + 1);
}

Test(hpet_state, any_state_survives)
{
    g_autoptr(Board) board = board_new();

    board_try_states(board, add_hpet(board), 300);
}

Test(hpet_state, removed_it_is_no_longer_there)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_hpet(board);

    set(board, CONFIG, ENABLE);
    start_periodic(board, 0, 100, 100, 0);
    machine_remove_device(board->machine, dev);
    cr_assert_eq(get(board, ID), UINT32_MAX);
    cr_assert_eq(clock_deadline(board->machine->virtual_clock), INT64_MAX);
}
