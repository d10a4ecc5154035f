/* test-fdc.c: the floppy controller 82078, whose drives are empty. Octets are those of its data sheet. */
#include <criterion/criterion.h>
#include <stdarg.h>

#include "emu/dev/dev.h"
#include "tests/emu/support/board.h"

enum { IRQ = 6 };
enum { SRB = 0x3f1, DOR = 0x3f2, TDR = 0x3f3, MSR = 0x3f4, DSR = 0x3f4, FIFO = 0x3f5, INPUT = 0x3f7, CCR = 0x3f7 };

static Device *add_fdc(Board *board, bool drive_a)
{
    Device *dev = device_new(&fdc_type);
    const VMStateField *f = vms_field_find(dev->type->options, "drive-a", 0, NULL);

    *(bool *)((char *)dev + f->offset) = drive_a;
    device_connect_irq(dev, "irq", 0, board_probe(board, IRQ));
    return board_add(board, dev);
}

/* Writes a command, octets up to -1. */
static void command(Board *board, ...)
{
    va_list octets;

    va_start(octets, board);
    for (int octet = va_arg(octets, int); octet >= 0; octet = va_arg(octets, int)) {
        cr_assert_eq(board_in8(board, MSR) & 0xc0, 0x80, "it takes no octet 0x%02x", octet);
        board_out8(board, FIFO, (uint8_t)octet);
    }
    va_end(octets);
}

/* The whole result, in hexadecimal; "" if the controller is ready for the next command. */
static void expect(Board *board, const char *wanted)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (int i = 0; i < 32 && board_in8(board, MSR) == 0xd0; i++)
        g_string_append_printf(text, "%s%02x", text->len ? " " : "", board_in8(board, FIFO));
    cr_assert_str_eq(text->str, wanted, "the result is '%s', not '%s'", text->str, wanted);
    cr_assert_eq(board_in8(board, MSR), 0x80);
}

#define COMMAND(wanted, ...)                                                                                           \
    do {                                                                                                               \
        command(board, __VA_ARGS__, -1);                                                                               \
        expect(board, wanted);                                                                                         \
    } while (0)

Test(fdc, registers_after_reset)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, false);
    cr_assert_eq(board_in8(board, 0x3f0), 0xff);
    cr_assert_eq(board_in8(board, SRB), 0xc0);
    cr_assert_eq(board_in8(board, DOR), 0x0c);
    cr_assert_eq(board_in8(board, TDR), 0x00);
    cr_assert_eq(board_in8(board, MSR), 0x80);
    cr_assert_eq(board_in8(board, INPUT), 0x80);
    cr_assert_not(board->level[IRQ]);
}

Test(fdc, the_output_register_shows_in_status_b)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, false);
    board_out8(board, DOR, 0x1c);
    cr_assert_eq(board_in8(board, DOR), 0x1c);
    cr_assert_eq(board_in8(board, SRB), 0xc1);
    board_out8(board, DOR, 0x2d);
    cr_assert_eq(board_in8(board, DOR), 0x2d);
    cr_assert_eq(board_in8(board, SRB), 0xe2);
}

Test(fdc, a_reset_interrupts_and_polls_four_drives)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, false);
    board_out8(board, DOR, 0x08);
    cr_assert_eq(board->rises[IRQ], 0);
    board_out8(board, FIFO, 0x10); /* in reset it takes none */
    board_out8(board, DOR, 0x1c);
    cr_assert(board->level[IRQ]);
    cr_assert_eq(board_in8(board, DOR), 0x1c);
    COMMAND("c0 00", 0x08);
    cr_assert_not(board->level[IRQ]);
    COMMAND("c1 00", 0x08);
    COMMAND("c2 00", 0x08);
    COMMAND("c3 00", 0x08);
    COMMAND("80", 0x08);
    board_out8(board, DSR, 0x80);
    cr_assert(board->level[IRQ]);
    cr_assert_eq(board_in8(board, DOR), 0x0c);
    COMMAND("c0 00", 0x08);
}

Test(fdc, seeks_end_with_an_interrupt)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, true);
    COMMAND("", 0x0f, 0, 5);
    cr_assert(board->level[IRQ]);
    COMMAND("20 05", 0x08);
    cr_assert_not(board->level[IRQ]);
    COMMAND("80", 0x08);
    COMMAND("", 0xcf, 0, 3);
    COMMAND("20 08", 0x08);
    COMMAND("", 0x8f, 0, 20);
    COMMAND("20 00", 0x08);
    COMMAND("", 0x0f, 0, 255);
    COMMAND("20 54", 0x08);
    COMMAND("", 0x07, 0);
    COMMAND("20 00", 0x08);
    COMMAND("", 0x07, 1);
    COMMAND("21 00", 0x08);
    COMMAND("", 0x0f, 1, 5); /* there is no drive whose arm would move */
    COMMAND("21 00", 0x08);
}

Test(fdc, a_drive_tells_its_state)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, true);
    COMMAND("78", 0x04, 0);
    COMMAND("7d", 0x04, 5);
    COMMAND("", 0x0f, 0, 5);
    COMMAND("20 05", 0x08);
    COMMAND("68", 0x04, 0);
}

Test(fdc, settings_are_dumped)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, false);
    COMMAND("", 0x03, 0xaf, 0x02);
    COMMAND("00 00 00 00 0a 03 00 00 60 00", 0x0e);
    COMMAND("", 0x13, 0, 0x57, 0x12);
    COMMAND("10", 0x94);
    COMMAND("", 0x12, 0x81);
    COMMAND("00 00 00 00 0a 03 00 84 57 12", 0x0e);
    COMMAND("00", 0x14);
    COMMAND("", 0x12, 0x02); /* without the bit that lets it */
    COMMAND("", 0x03, 0xaf, 0x03);
    cr_assert_eq(board_in8(board, DOR), 0x04, "non-DMA closes the gate");
    COMMAND("00 00 00 00 0a 02 00 04 57 12", 0x0e);
}

Test(fdc, settings_are_saved_and_restored)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, false);
    COMMAND("", 0x13, 0, 0x57, 0x12);
    COMMAND("00 00 00 00 00 00 00 00 00 00 57 12 00 00 00", 0x2e);
    COMMAND("", 0x4e, 0, 0, 7, 8, 0, 0, 0xa, 3, 18, 0x80, 0x41, 0x05, 0x02, 0, 0, 0, 0);
    COMMAND("00 00 07 08 00 00 0a 03 12 80 41 05 02 00 00", 0x2e);
}

Test(fdc, it_tells_what_it_is)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, false);
    COMMAND("90", 0x10);
    COMMAND("41", 0x18);
    COMMAND("05", 0x17, 5, 5);
    COMMAND("", 0x33, 0x11);
    COMMAND("", 0x8e, 0x01, 0xc0);
    COMMAND("00 00 00 00", 0x8e, 0x01, 0x21, 0x80);
}

Test(fdc, unknown_commands_are_invalid)
{
    const uint8_t codes[] = {0x00, 0x01, 0x0b, 0x15, 0x1a, 0x1e, 0x1f, 0x34, 0xff, 0xad, 0x6d, 0xef};

    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        g_autoptr(Board) board = board_new();
        add_fdc(board, false);
        COMMAND("80", codes[i]);
        cr_assert_eq(board->rises[IRQ], 0);
    }
}

Test(fdc, read_id_finds_no_address_mark_in_a_turn)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, false);
    command(board, 0x4a, 0x04, -1);
    cr_assert_eq(board_in8(board, MSR), 0x10);
    board_out8(board, FIFO, 0x10); /* it is busy */
    cr_assert_eq(board_in8(board, FIFO), 0);
    board_advance(board, 20 * NS_PER_MS - 1);
    cr_assert_eq(board_in8(board, MSR), 0x10);
    board_advance(board, 1);
    cr_assert_eq(board_in8(board, MSR), 0xd0);
    cr_assert(board->level[IRQ]);
    expect(board, "44 01 00 00 01 00 02");
    cr_assert_not(board->level[IRQ]);
}

Test(fdc, what_reads_finds_no_address_mark)
{
    const uint8_t codes[] = {0x46, 0xe6, 0x4c, 0x42, 0x56, 0x51, 0x59, 0x5d};

    for (size_t i = 0; i < G_N_ELEMENTS(codes); i++) {
        g_autoptr(Board) board = board_new();
        add_fdc(board, true);
        command(board, codes[i], 0x04, 5, 1, 3, 2, 18, 0x1b, 0xff, -1);
        cr_assert(board->level[IRQ]);
        expect(board, "44 01 00 05 01 03 02");
        cr_assert_not(board->level[IRQ]);
    }
}

Test(fdc, what_writes_finds_the_drive_protected)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, true);
    COMMAND("40 02 00 05 00 03 02", 0xc5, 0, 5, 0, 3, 2, 18, 0x1b, 0xff);
    COMMAND("41 02 00 05 00 03 02", 0x49, 1, 5, 0, 3, 2, 18, 0x1b, 0xff);
    COMMAND("40 02 00 00 00 01 02", 0x4d, 0, 2, 18, 0x1b, 0xf6);
    cr_assert_eq(board->rises[IRQ], 3);
}

Test(fdc, a_reset_ends_what_it_does)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, false);
    command(board, 0x4a, 0x00, -1);
    board_out8(board, DOR, 0x08);
    board_out8(board, DOR, 0x0c);
    COMMAND("c0 00", 0x08);
    board_advance(board, NS_PER_SECOND);
    cr_assert_eq(board->rises[IRQ], 1);
    command(board, 0x0f, 0x00, -1);
    machine_reset(board->machine);
    cr_assert_eq(board_in8(board, MSR), 0x80);
    COMMAND("90", 0x10);
}

Test(fdc, the_tape_register_keeps_the_boot_drive)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, false);
    board_out8(board, TDR, 0x07);
    cr_assert_eq(board_in8(board, TDR), 0x04);
}

Test(fdc, the_boot_drive_bit_swaps_the_drives)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, true);
    COMMAND("", 0x0f, 0, 5);
    COMMAND("20 05", 0x08);
    board_out8(board, TDR, 0x04);
    COMMAND("78", 0x04, 0);
    COMMAND("69", 0x04, 1);
    COMMAND("00 05 00 00 00 01 00 00 60 00", 0x0e);
}

Test(fdc, the_output_register_and_commands_choose_the_drive)
{
    g_autoptr(Board) board = board_new();

    add_fdc(board, false);
    COMMAND("", 0x12, 0x83);
    COMMAND("00 00 00 00 00 01 00 0c 60 00", 0x0e);
    COMMAND("79", 0x04, 1);
    cr_assert_eq(board_in8(board, DOR), 0x0d);
    COMMAND("00 00 00 00 00 01 00 00 60 00", 0x0e);
    board_out8(board, DOR, 0x0c);
    COMMAND("00 00 00 00 00 01 00 0c 60 00", 0x0e);
}

Test(fdc, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fdc(board, true);

    board_load_recorded(board, dev, "a-kvm-min", false);
    board_load_recorded(board, dev, "b3-kvm-pc-alldefaults", false);
    board_load_recorded(board, dev, "h6-isapc", false);
}

Test(fdc, a_command_on_its_way_travels)
{
    g_autoptr(Board) board = board_new(), other = board_new();
    Device *from = add_fdc(board, true), *to = add_fdc(other, true);
    ByteOut octets = {0};

    board_out8(board, DSR, 0x80);
    COMMAND("c0 00", 0x08);
    command(board, 0x4a, 0x00, -1);
    board_advance(board, 5 * NS_PER_MS);
    board_save(board, from, &octets);
    other->virtual_ns = board->virtual_ns;
    cr_assert(board_load(other, to, octets.data, octets.len, 2, NULL));
    board_advance(other, 15 * NS_PER_MS - 1);
    cr_assert_eq(board_in8(other, MSR), 0x10);
    board_advance(other, 1);
    cr_assert(other->level[IRQ]);
    expect(other, "40 01 00 00 00 01 02");
    byte_out_done(&octets);
}

Test(fdc, the_drive_in_the_output_register_travels)
{
    g_autoptr(Board) board = board_new(), other = board_new();
    Device *from = add_fdc(board, true), *to = add_fdc(other, true);
    ByteOut octets = {0};

    board_out8(board, DOR, 0x0d);
    board_save(board, from, &octets);
    cr_assert(board_load(other, to, octets.data, octets.len, 2, NULL));
    byte_out_done(&octets);
    cr_assert_eq(board_in8(other, DOR), 0x0d);
    command(other, 0x04, 0x00, -1); /* SENSE DRIVE STATUS of the other drive */
    cr_assert_eq(board_in8(other, DOR), 0x0d);
}

/* Where the fields are on the wire. */
enum { WIRE_MSR = 5, WIRE_DATA_POS = 521, WIRE_DATA_LEN = 525, WIRE_FLOPPIES = 538 };

Test(fdc, a_transfer_that_was_on_its_way_fails)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fdc(board, true);
    ByteOut octets = {0};

    board_save(board, dev, &octets);
    octets.data[WIRE_MSR] = 0x10;
    store_be32(octets.data + WIRE_DATA_POS, 1024);
    store_be32(octets.data + WIRE_DATA_LEN, 9216);
    cr_assert(board_load(board, dev, octets.data, octets.len, 2, NULL));
    board_advance(board, 1);
    cr_assert(board->level[IRQ]);
    expect(board, "40 01 00 00 00 01 02");
    byte_out_done(&octets);
}

Test(fdc, unsound_state_is_refused)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fdc(board, true);
    const struct {
        uint32_t pos, len;
        uint8_t floppies;
        const char *about;
    } bad[] = {{UINT32_MAX, UINT32_MAX, 2, "data_len"},
               {0, 513, 2, "data_len"},
               {1, 1, 2, "data_pos"},
               {512, 512, 2, "data_pos"},
               {0, 0, 2, "data_pos"},
               {0, 1, 1, "num_floppies"}};

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        ByteOut octets = {0};
        board_save(board, dev, &octets);
        store_be32(octets.data + WIRE_DATA_POS, bad[i].pos);
        store_be32(octets.data + WIRE_DATA_LEN, bad[i].len);
        octets.data[WIRE_FLOPPIES] = bad[i].floppies;
        cr_assert_not(board_load(board, dev, octets.data, octets.len, 2, &error), "number %zu", i);
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED), "%s", error->message);
        cr_assert(strstr(error->message, bad[i].about), "%s", error->message);
        byte_out_done(&octets);
    }
    COMMAND("90", 0x10);
}

Test(fdc, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fdc(board, true);

    board_try_states(board, dev, 300);
    machine_reset(board->machine);
    board_abuse_ports(board, dev, 0x3f0, 8, 10000);
}

Test(fdc, removed_it_is_no_longer_there)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fdc(board, false);

    command(board, 0x4a, 0x00, -1);
    machine_remove_device(board->machine, dev);
    cr_assert_eq(board_in8(board, MSR), 0xff);
    cr_assert_eq(board_in8(board, INPUT), 0xff);
    board_advance(board, NS_PER_SECOND);
    cr_assert_not(board->level[IRQ]);
}
