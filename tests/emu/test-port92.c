/* test-port92.c: A20 and reset by port 0x92. */
#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "tests/emu/support/board.h"

enum { A20 = 20, RESET = 21 };

static Device *add_port92(Board *board)
{
    Device *dev = device_new(&port92_type);

    device_connect_irq(dev, "a20", 0, board_probe(board, A20));
    device_connect_irq(dev, "reset", 0, board_probe(board, RESET));
    return board_add(board, dev);
}

Test(port92, bit_1_opens_and_closes_a20)
{
    g_autoptr(Board) board = board_new();

    add_port92(board);
    cr_assert_not(board->level[A20]);
    board_out8(board, 0x92, 0x02);
    cr_assert(board->level[A20]);
    cr_assert_eq(board_in8(board, 0x92), 0x02);
    board_out8(board, 0x92, 0x00);
    cr_assert_not(board->level[A20]);
    cr_assert_eq(board->rises[RESET], 0);
}

Test(port92, bit_0_resets_when_it_goes_up)
{
    g_autoptr(Board) board = board_new();

    add_port92(board);
    board_out8(board, 0x92, 0x01);
    board_out8(board, 0x92, 0x03);
    cr_assert_eq(board->rises[RESET], 1);
    board_out8(board, 0x92, 0x00);
    board_out8(board, 0x92, 0x01);
    cr_assert_eq(board->rises[RESET], 2);
}

Test(port92, a_loaded_state_opens_a20_and_does_not_reset)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_port92(board);
    const uint8_t octets[] = {0x03};

    cr_assert(board_load(board, dev, octets, 1, 1, NULL));
    cr_assert(board->level[A20]);
    cr_assert_eq(board->rises[RESET], 0);
    cr_assert_eq(board_in8(board, 0x92), 0x03);
}

Test(port92, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_port92(board);

    board_load_recorded(board, dev, "a-kvm-min", false);
    board_load_recorded(board, dev, "b3-kvm-pc-alldefaults", false);
}

Test(port92, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_port92(board);

    board_try_states(board, dev, 300);
    board_abuse_ports(board, dev, 0x90, 4, 2000);
}

Test(port92, removed_it_is_no_longer_there)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_port92(board);

    board_out8(board, 0x92, 0x02);
    machine_remove_device(board->machine, dev);
    cr_assert_eq(board_in8(board, 0x92), 0xff);
    cr_assert_null(section_list_find(board->machine->sections, "port92", 0));
}
