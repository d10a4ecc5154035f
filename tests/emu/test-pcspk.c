/* test-pcspk.c: the speaker's port, 0x61. */
#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "emu/dev/pcspk.h"
#include "tests/emu/support/board.h"

enum { PORT = 0x61, GATE = 0x01, DATA = 0x02, REFRESH = 0x10, OUT = 0x20 };

static Device *add_pcspk(Board *board)
{
    Device *pit = board_add(board, device_new(&i8254_type)), *dev = device_new(&pcspk_type);

    pcspk_set_pit(dev, &i8254_ops, pit);
    return board_add(board, dev);
}

Test(pcspk, gate_and_data_are_read_as_they_were_written)
{
    g_autoptr(Board) board = board_new();

    add_pcspk(board);
    cr_assert_eq(board_in8(board, PORT) & ~REFRESH, OUT);
    board_out8(board, PORT, 0xff);
    cr_assert_eq(board_in8(board, PORT) & ~REFRESH, OUT | DATA | GATE);
    board_out8(board, PORT, DATA);
    cr_assert_eq(board_in8(board, PORT) & ~REFRESH, OUT | DATA);
    board_out8(board, PORT, 0);
    cr_assert_eq(board_in8(board, PORT) & ~REFRESH, OUT);
}

Test(pcspk, a_delay_by_channel_2_is_seen_in_bit_5)
{
    g_autoptr(Board) board = board_new();

    add_pcspk(board);
    board_out8(board, PORT, 0);
    board_out8(board, 0x43, 0xb0); /* mode 0 */
    board_out8(board, 0x42, 0x9c);
    board_out8(board, 0x42, 0x2e); /* 11932: 10.0001 ms */
    board_out8(board, PORT, GATE);
    board_advance(board, 10 * NS_PER_MS);
    cr_assert_eq(board_in8(board, PORT) & OUT, 0);
    board_advance(board, NS_PER_US);
    cr_assert_eq(board_in8(board, PORT) & OUT, OUT);
}

Test(pcspk, bit_4_toggles_every_15_us)
{
    g_autoptr(Board) board = board_new();
    unsigned toggles = 0;
    uint8_t last;

    add_pcspk(board);
    last = board_in8(board, PORT);
    for (unsigned us = 0; us < 10000; us++) {
        board_advance(board, NS_PER_US);
        uint8_t now = board_in8(board, PORT);
        toggles += (now ^ last) & REFRESH ? 1 : 0;
        last = now;
    }
    cr_assert_eq(toggles, 662, "%u of 10 ms / 15.085 us", toggles);
}

Test(pcspk, without_a_pit_there_is_none)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(GError) error = NULL;
    g_autoptr(Device) dev = device_new(&pcspk_type);

    cr_assert_not(device_realize(dev, board->machine, &error));
    cr_assert_str_eq(error->message, "isa-pcspk: there is no PIT for it");
    cr_assert_eq(board_in8(board, PORT), 0xff);
}

Test(pcspk, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pcspk(board);

    board_load_recorded(board, dev, "a-kvm-min", false);
    board_load_recorded(board, dev, "j1-tcg-linux-virtio", false);
}

Test(pcspk, a_loaded_state_sounds_on)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pcspk(board);

    cr_assert(board_load(board, dev, (const uint8_t[]){1, 0}, 2, 1, NULL));
    cr_assert_eq(board_in8(board, PORT) & ~REFRESH, OUT | DATA);
    device_reset(dev);
    cr_assert_eq(board_in8(board, PORT) & ~REFRESH, OUT);
}

Test(pcspk, no_state_is_taken_that_the_port_cannot_have)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pcspk(board);
    g_autoptr(GError) error = NULL;

    cr_assert_not(board_load(board, dev, (const uint8_t[]){0, 2}, 2, 1, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert(strstr(error->message, "dummy_refresh_clock is 2, which can be 0 or 16"), "%s", error->message);
}

Test(pcspk, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_pcspk(board);

    board_try_states(board, dev, 300);
    board_abuse_ports(board, dev, 0x60, 4, 2000);
}

Test(pcspk, removed_it_is_no_longer_there)
{
    g_autoptr(Board) board = board_new();

    machine_remove_device(board->machine, add_pcspk(board));
    cr_assert_eq(board_in8(board, PORT), 0xff);
}
