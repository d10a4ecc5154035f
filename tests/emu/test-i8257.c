/* test-i8257.c: a pair of DMA controllers, as Intel's 8237A data sheet has it. Their state: test-i8257-state.c. */
#include <criterion/criterion.h>

#include "tests/emu/support/dma-rig.h"

Test(i8257, a_block_goes_to_memory_and_ends)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 2);

    program(rig, SINGLE | TO_MEMORY, 0x01, 0x1200, 0x1ff);
    request(rig, true);
    cr_assert_eq(rig->last_size, 0x200);
    cr_assert_arr_eq(rig->ram->host + 0x11200, rig->data, 0x200);
    cr_assert_eq(rig->ram->host[0x11400], 0);
    cr_assert_eq(in_word(rig, 4), 0x1400, "the address after the last");
    cr_assert_eq(in_word(rig, 5), 0xffff, "the count has gone through 0");
    cr_assert_eq(in(rig, ALL_MASK), 0x0f, "without autoinitialize the channel is masked at TC");
    cr_assert_eq(in(rig, STATUS), 0x44, "TC, and the request is still there");
    cr_assert_eq(in(rig, STATUS), 0x40, "TC is cleared when it is read");
    request(rig, false);
    cr_assert_eq(in(rig, STATUS), 0x00);
    cr_assert_eq(rig->calls, 1);
}

Test(i8257, a_block_comes_from_memory)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 1);

    memset(rig->ram->host + 0x21000, 0x5a, 0x101);
    program(rig, SINGLE | FROM_MEMORY, 0x02, 0x1000, 0xff);
    request(rig, true);
    cr_assert_eq(rig->data[0], 0x5a);
    cr_assert_eq(rig->data[0xff], 0x5a);
    cr_assert_neq(rig->data[0x100], 0x5a);
}

Test(i8257, a_device_may_take_its_time)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 2);

    rig->step = 16;
    rig->supply = 40;
    program(rig, SINGLE | TO_MEMORY, 0x01, 0x0000, 99);
    request(rig, true);
    cr_assert_eq(rig->calls, 3);
    cr_assert_eq(in_word(rig, 4), 40);
    cr_assert_eq(in_word(rig, 5), 59);
    cr_assert_eq(in(rig, STATUS), 0x00);
    rig->supply = 60;
    request(rig, true);
    cr_assert_arr_eq(rig->ram->host + 0x10000, rig->data, 100);
    cr_assert_eq(in_word(rig, 5), 0xffff);
    cr_assert_eq(in(rig, STATUS) & 0x0f, 0x04);
}

Test(i8257, a_masked_or_disabled_channel_waits)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 3);

    program(rig, DEMAND | TO_MEMORY, 0x01, 0x0000, 9);
    out(rig, SINGLE_MASK, 7);
    cr_assert_eq(in(rig, ALL_MASK), 0x0f);
    request(rig, true);
    cr_assert_eq(rig->calls, 0);
    cr_assert_eq(in(rig, STATUS), 0x80);
    out(rig, COMMAND, 0x04);
    out(rig, CLEAR_MASK, 0);
    cr_assert_eq(in(rig, ALL_MASK), 0x00);
    cr_assert_eq(rig->calls, 0);
    out(rig, COMMAND, 0x00);
    cr_assert_eq(rig->calls, 1);
    program(rig, DEMAND | TO_MEMORY, 0x01, 0x0000, 9);
    cr_assert_eq(rig->calls, 2, "the request is still up");
    out(rig, ALL_MASK, 0x05);
    cr_assert_eq(in(rig, ALL_MASK), 0x05);
}

Test(i8257, demand_stops_with_the_request_and_block_does_not)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 1);

    program(rig, DEMAND | TO_MEMORY, 0x01, 0x0000, 99);
    rig->step = 10;
    rig->supply = 10;
    request(rig, true);
    cr_assert_eq(in_word(rig, 3), 89);
    rig->supply = 50;
    out(rig, COMMAND, 0x00);
    cr_assert_eq(in_word(rig, 3), 89, "nobody asks for more");

    program(rig, BLOCK | TO_MEMORY, 0x01, 0x0000, 39);
    request(rig, true);
    request(rig, false);
    cr_assert_eq(in_word(rig, 3), 0xffff);
    program(rig, CASCADE | TO_MEMORY, 0x01, 0x0000, 39);
    rig->calls = 0;
    request(rig, true);
    cr_assert_eq(rig->calls, 0, "the bus is another master's");
}

Test(i8257, autoinitialize_starts_over_at_tc)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 1);

    rig->supply = 250;
    program(rig, SINGLE | AUTOINIT | TO_MEMORY, 0x01, 0x4000, 99);
    request(rig, true);
    cr_assert_eq(rig->calls, 1);
    cr_assert_eq(in_word(rig, 2), 0x4000);
    cr_assert_eq(in_word(rig, 3), 99);
    cr_assert_eq(in(rig, ALL_MASK), 0x0d, "it stays open");
    cr_assert_eq(in(rig, STATUS), 0x22);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(in_word(rig, 2), 0x4000 + 50, "the rest came later");
    cr_assert_eq(in_word(rig, 3), 49);
}

Test(i8257, a_device_that_never_ends_is_served_in_bounds)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 1);

    rig->keeps_asking = true;
    rig->step = 1;
    program(rig, SINGLE | AUTOINIT | TO_MEMORY, 0x01, 0x4000, 9);
    request(rig, true);
    cr_assert_leq(rig->calls, 20);
    board_advance(board, NS_PER_MS);
    cr_assert_gt(rig->calls, 20);
    cr_assert_leq(rig->calls, 1100, "an octet a microsecond");
    rig->step = 0;
    board_advance(board, NS_PER_MS);
}

Test(i8257, addresses_can_go_down)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 1);

    program(rig, SINGLE | DECREMENT | TO_MEMORY, 0x01, 0x2003, 3);
    request(rig, true);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(rig->ram->host[0x12003 - i], rig->data[i]);
    cr_assert_eq(rig->ram->host[0x11fff], 0);
    cr_assert_eq(rig->ram->host[0x12004], 0);
    cr_assert_eq(in_word(rig, 2), 0x1fff);
}

Test(i8257, addresses_wrap_in_their_page)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 1);

    program(rig, SINGLE | TO_MEMORY, 0x01, 0xfffe, 3);
    request(rig, true);
    cr_assert_arr_eq(rig->ram->host + 0x1fffe, rig->data, 2);
    cr_assert_arr_eq(rig->ram->host + 0x10000, rig->data + 2, 2);
    cr_assert_eq(rig->ram->host[0x20000], 0);
    cr_assert_eq(in_word(rig, 2), 0x0002);
}

Test(i8257, the_second_controller_moves_words)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 5);

    program(rig, SINGLE | TO_MEMORY, 0x03, 0x8100, 1); /* A16 to A1 are the address: 0x20000 + 0x10200 */
    request(rig, true);
    cr_assert_eq(rig->last_size, 4);
    cr_assert_arr_eq(rig->ram->host + 0x30200, rig->data, 4);
    cr_assert_eq(in_word(rig, 2), 0x8102);
    cr_assert_eq(in_word(rig, 3), 0xffff);
    cr_assert_eq(in(rig, STATUS), 0x22);
    request(rig, false);
    program(rig, SINGLE | DECREMENT | TO_MEMORY, 0x02, 0x0181, 1);
    request(rig, true);
    cr_assert_arr_eq(rig->ram->host + 0x20302, rig->data, 2, "a word is the right way round");
    cr_assert_arr_eq(rig->ram->host + 0x20300, rig->data + 2, 2);
    cr_assert_eq(in_word(rig, 2), 0x017f);
    program(rig, SINGLE | TO_MEMORY, 0x03, 0x0400, 1); /* bit 0 of the page is no address line */
    cr_assert_arr_eq(rig->ram->host + 0x20800, rig->data, 4);
    program(rig, SINGLE | TO_MEMORY, 0x02, 0xffff, 1);
    cr_assert_arr_eq(rig->ram->host + 0x3fffe, rig->data, 2);
    cr_assert_arr_eq(rig->ram->host + 0x20000, rig->data + 2, 2, "128 KiB are a page");
}

Test(i8257, the_largest_block_fits)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 7);

    program(rig, SINGLE | TO_MEMORY, 0x02, 0x0000, 0xffff);
    request(rig, true);
    cr_assert_eq(rig->last_size, 0x20000);
    cr_assert_arr_eq(rig->ram->host + 0x20000, rig->data, 0x20000);
}

Test(i8257, a_verify_moves_nothing_but_counts)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 2);
    uint8_t octets[4] = {0};

    program(rig, SINGLE | VERIFY, 0x01, 0x1200, 0xff);
    cr_assert_eq(ops(rig)->read(board->isa.dma_opaque, 2, 0, octets, 4), 4);
    cr_assert_eq(octets[3], 0xff);
    request(rig, true);
    cr_assert_eq(in_word(rig, 5), 0xffff);
    for (unsigned i = 0; i < 0x200; i++)
        cr_assert_eq(rig->ram->host[0x11200 + i], 0);
}

Test(i8257, the_mode_has_the_last_word_on_the_direction)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 2);
    void *dma = board->isa.dma_opaque;
    uint8_t octets[8] = {0};

    program(rig, SINGLE | FROM_MEMORY, 0x01, 0x1200, 3);
    cr_assert_eq(ops(rig)->write(dma, 2, 0, octets, 4), 0);
    cr_assert_eq(ops(rig)->read(dma, 2, 0, octets, 8), 4, "no more than the block");
    cr_assert_eq(ops(rig)->read(dma, 2, 3, octets, 8), 1);
    cr_assert_eq(ops(rig)->read(dma, 2, 4, octets, 8), 0);
    cr_assert_eq(ops(rig)->read(dma, 2, SIZE_MAX, octets, 8), 0);
    cr_assert(ops(rig)->reads_memory(dma, 2));
    program(rig, SINGLE | TO_MEMORY, 0x01, 0x1200, 3);
    cr_assert_eq(ops(rig)->read(dma, 2, 0, octets, 4), 0);
    cr_assert_not(ops(rig)->reads_memory(dma, 2));
    cr_assert_not(ops(rig)->reads_memory(dma, 8));
    cr_assert_eq(ops(rig)->write(dma, 99, 0, octets, 4), 0);
    ops(rig)->request(dma, 8, true);
    ops(rig)->attach(dma, 8, (IsaDmaClient){.transfer = NULL});
}

Test(i8257, software_can_make_a_request)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 1);

    program(rig, BLOCK | TO_MEMORY, 0x01, 0x0000, 9);
    out(rig, ALL_MASK, 0x0f);
    out(rig, REQUEST, 0x05);
    cr_assert_eq(rig->calls, 1, "a mask does not stop it");
    cr_assert_eq(in(rig, STATUS), 0x02, "TC has cleared it");
    out(rig, REQUEST, 0x04);
    cr_assert_eq(in(rig, STATUS), 0x10, "of a channel that nobody has");
    out(rig, REQUEST, 0x00);
    cr_assert_eq(in(rig, STATUS), 0x00);
}

Test(i8257, the_flip_flop_is_shared_by_all_registers)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 0);

    out(rig, 0, 0x34);
    out(rig, 6, 0x12);
    cr_assert_eq(in_word(rig, 0), 0x0034);
    cr_assert_eq(in_word(rig, 6), 0x1200);
    out(rig, 1, 0x78);
    out(rig, CLEAR_FLIP_FLOP, 0);
    out(rig, 1, 0x79);
    cr_assert_eq(in_word(rig, 1), 0x0079);
    out(rig, 1, 0x00);
    out(rig, MASTER_CLEAR, 0);
    out(rig, 1, 0x55);
    cr_assert_eq(in_word(rig, 1), 0x0055);
}

Test(i8257, a_master_clear_is_a_reset)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 2);

    program(rig, BLOCK | TO_MEMORY, 0x01, 0x1000, 9);
    out(rig, REQUEST, 0x06);
    out(rig, REQUEST, 0x05);
    out(rig, COMMAND, 0x04);
    out(rig, MASTER_CLEAR, 0);
    cr_assert_eq(in(rig, STATUS), 0x00);
    cr_assert_eq(in(rig, ALL_MASK), 0x0f);
    cr_assert_eq(in(rig, TEMPORARY), 0x00);
    program(rig, BLOCK | TO_MEMORY, 0x01, 0x1000, 9);
    rig->calls = 0;
    request(rig, true);
    cr_assert_eq(rig->calls, 1, "the command was cleared, too");
}

Test(i8257, a_new_address_alone_leaves_the_count)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Rig) rig = rig_new(board, 2);

    rig->supply = 4;
    program(rig, SINGLE | TO_MEMORY, 0x01, 0x1000, 9);
    request(rig, true);
    out_word(rig, 4, 0x2000);
    cr_assert_eq(in_word(rig, 4), 0x2000);
    cr_assert_eq(in_word(rig, 5), 5);
    rig->supply = 6;
    request(rig, true);
    cr_assert_arr_eq(rig->ram->host + 0x12000, rig->data + 4, 6);
    out_word(rig, 5, 1);
    cr_assert_eq(in_word(rig, 4), 0x2006, "a new count leaves the address");
}

Test(i8257, page_registers_are_where_a_pc_has_them)
{
    g_autoptr(Board) board = board_new();
    static const uint8_t pages[8] = {0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a};

    g_autoptr(Rig) rig = rig_new(board, 0);

    cr_assert_not_null(rig);
    for (unsigned n = 0; n < 8; n++)
        board_out8(board, pages[n], (uint8_t)(0x10 + n));
    for (unsigned n = 0; n < 8; n++)
        cr_assert_eq(board_in8(board, pages[n]), 0x10 + n);
    cr_assert_eq(board_in8(board, 0x80), 0xff, "that is somebody else's");
    cr_assert_eq(board_in8(board, 0x84), 0xff);
    cr_assert_eq(board_in8(board, 0x487), 0xff, "no high pages unless they are wanted");
}

static void set_option(Device *dev, const char *name, bool value)
{
    const VMStateField *f = vms_field_find(dev->type->options, name, 0, NULL);

    cr_assert_not_null(f);
    memcpy((char *)dev + f->offset, &value, sizeof(value));
}

Test(i8257, high_pages_reach_beyond_16_mib)
{
    g_autoptr(Board) board = board_new();
    Device *dev = i8257_new(false), *second = i8257_new(true);
    RamArea *ram = ram_area_new("high", 0x10000, 0x10000, NULL);
    IsaBus *isa = &board->isa;
    uint8_t octets[4] = {1, 2, 3, 4};

    set_option(dev, "high_pages", true);
    i8257_connect(dev, second, isa);
    board_add(board, dev);
    board_add(board, second);
    machine_add_ram(board->machine, ram);
    space_map(board->machine->memory, &(SpaceMapping){.base = 0x12340000, .size = 0x10000, .ram = ram});
    board_out8(board, 0x0b, 0x45);
    board_out8(board, 0x03, 0x03);
    board_out8(board, 0x03, 0x00);
    board_out8(board, 0x83, 0x34);
    board_out8(board, 0x483, 0x12);
    cr_assert_eq(board_in8(board, 0x483), 0x12);
    cr_assert_eq(isa->dma->write(isa->dma_opaque, 1, 0, octets, 4), 4);
    cr_assert_arr_eq(ram->host, octets, 4);
    board_out8(board, 0x83, 0x34);
    cr_assert_eq(board_in8(board, 0x483), 0x00);
    machine_remove_device(board->machine, dev);
    cr_assert_eq(board_in8(board, 0x483), 0xff);
    cr_assert_eq(board_in8(board, 0x03), 0xff);
}
