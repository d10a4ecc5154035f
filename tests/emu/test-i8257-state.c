/* test-i8257-state.c: what is saved and loaded of the DMA controllers, and what they survive. */
#include <criterion/criterion.h>

#include "tests/emu/support/dma-rig.h"

Test(i8257_state, it_is_the_one_that_qemu_records)
{
    static const char *const recordings[] = {"a-kvm-min", "b3-kvm-pc-alldefaults", "j1-tcg-linux-virtio", "h6-isapc"};
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 5);

    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++) {
        board_load_recorded(board, rig->first, recordings[i], false);
        board_load_recorded(board, rig->second, recordings[i], false);
    }
    board_load_recorded(board, rig->second, "j1-tcg-linux-virtio", false);
    cr_assert_eq(in(rig, ALL_MASK), 0x0e, "Linux opens channel 4");
}

Test(i8257_state, a_loaded_transfer_goes_on)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 2);
    ByteOut saved = {0};

    rig->supply = 4;
    program(rig, SINGLE | TO_MEMORY, 0x01, 0x1000, 9);
    request(rig, true);
    board_save(board, rig->first, &saved);
    device_reset(rig->first);
    cr_assert_eq(in(rig, ALL_MASK), 0x0f);
    cr_assert_eq(in_word(rig, 5), 0);
    rig->supply = 6;
    request(rig, true);
    cr_assert(board_load(board, rig->first, saved.data, saved.len, 1, NULL));
    cr_assert_eq(rig->supply, 6, "not before all is loaded");
    board_advance(board, 1);
    cr_assert_arr_eq(rig->ram->host + 0x11004, rig->data + 4, 6);
    cr_assert_eq(in(rig, STATUS), 0x04);
    byte_out_done(&saved);
}

/* What QEMU 7.2 had after a read of a floppy's sector, TC reached. */
Test(i8257_state, a_block_that_has_ended_in_qemu_does_not_go_on)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 2);
    uint8_t octets[75] = {0, 0xfb};
    uint8_t *channel = octets + 7 + 2 * 17;

    channel[2] = 0x10; /* now[0] = 0x1000 */
    channel[6] = 0x02; /* now[1] = 0x200 */
    channel[8] = 0x10; /* base[0] = 0x1000 */
    channel[10] = 0x01, channel[11] = 0xff;
    channel[12] = SINGLE | TO_MEMORY | 2;
    cr_assert(board_load(board, rig->first, octets, 75, 1, NULL));
    request(rig, true);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(rig->calls, 0);
    cr_assert_eq(in_word(rig, 4), 0x1200);
    cr_assert_eq(in_word(rig, 5), 0xffff);
    out(rig, SINGLE_MASK, 6);
    out_word(rig, 5, 0x0f);
    out(rig, SINGLE_MASK, 2);
    cr_assert_eq(in_word(rig, 4), 0x1210);
}

/* One that pulls its line up whenever it is asked. */
static size_t ask_again(void *opaque, unsigned channel, size_t pos, size_t len)
{
    Rig *rig = opaque;

    (void)channel;
    (void)len;
    rig->calls++;
    request(rig, true);
    return pos;
}

Test(i8257_state, a_device_that_asks_while_it_is_asked_is_served_in_bounds)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 1);

    ops(rig)->attach(board->isa.dma_opaque, 1, (IsaDmaClient){ask_again, rig});
    program(rig, SINGLE | TO_MEMORY, 0x01, 0x4000, 9);
    request(rig, true);
    cr_assert_gt(rig->calls, 0);
    cr_assert_lt(rig->calls, 20);
    unsigned calls = rig->calls;
    board_advance(board, 10 * NS_PER_US);
    cr_assert_gt(rig->calls, calls, "it is not forgotten");
    cr_assert_lt(rig->calls, 200);
}

Test(i8257_state, a_position_outside_the_block_is_refused)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 2);
    g_autoptr(GError) error = NULL, width = NULL, negative = NULL;
    uint8_t octets[75] = {0};

    octets[7 + 17 + 7] = 2; /* regs[1].now[1], of a block of 1 */
    cr_assert_not(board_load(board, rig->first, octets, 75, 1, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert(strstr(error->message, "regs[1].now[1]: is 2, must be between 0 and 1"), "%s", error->message);
    octets[7 + 17 + 4] = 0xff;
    cr_assert_not(board_load(board, rig->first, octets, 75, 1, &negative));
    octets[7 + 17 + 4] = octets[7 + 17 + 7] = 0;
    octets[6] = 2;
    cr_assert_not(board_load(board, rig->first, octets, 75, 1, &width));
    cr_assert(strstr(width->message, "dshift: is 2, must be 0 or 1"), "%s", width->message);
}

Test(i8257_state, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 2);

    rig->keeps_asking = true;
    rig->step = 4096;
    request(rig, true);
    board_try_states(board, rig->first, 300);
    board_try_states(board, rig->second, 300);
    board_abuse_ports(board, rig->first, 0x00, 16, 3000);
    board_abuse_ports(board, rig->first, 0x80, 16, 500);
    board_abuse_ports(board, rig->second, 0xc0, 32, 3000);
}
