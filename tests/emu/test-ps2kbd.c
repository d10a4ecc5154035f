/* test-ps2kbd.c: the keyboard at the end of the PS/2 cable. */
#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "emu/dev/ps2.h"
#include "tests/emu/support/board.h"

enum { IRQ = 20 };
enum {
    KEY_A = 0x070004,
    KEY_B = 0x070005,
    KEY_F7 = 0x070040,
    KEY_PRINT = 0x070046,
    KEY_PAUSE = 0x070048,
    KEY_HOME = 0x07004a,
    KEY_LEFT_CTRL = 0x0700e0,
    KEY_LEFT_SHIFT = 0x0700e1,
    KEY_LEFT_ALT = 0x0700e2,
    KEY_RIGHT_ALT = 0x0700e6,
    KEY_MUTE = 0x07007f,
    KEY_CALCULATOR = 0x0c0192,
};

static Device *add_keyboard(Board *board)
{
    Device *dev = device_new(&ps2_keyboard_type);

    device_connect_irq(dev, "irq", 0, board_probe(board, IRQ));
    return board_add(board, dev);
}

/* All that it has, in hexadecimal: "fa ab 83". */
static char *fetch(Board *board, Device *dev)
{
    GString *text = g_string_new(NULL);

    for (int i = 0; board->level[IRQ] && i < 300; i++)
        g_string_append_printf(text, "%s%02x", text->len ? " " : "", ps2_read(dev));
    return g_string_free(text, FALSE);
}

static void expect(Board *board, Device *dev, const char *wanted)
{
    g_autofree char *text = fetch(board, dev);

    cr_assert_str_eq(text, wanted, "it says '%s', not '%s'", text, wanted);
}

static void type(Device *dev, uint32_t usage)
{
    ps2_keyboard_key(dev, usage, true);
    ps2_keyboard_key(dev, usage, false);
}

static void expect_reply(Board *board, Device *dev, uint8_t command, const char *wanted)
{
    ps2_write(dev, command);
    expect(board, dev, wanted);
}

static void choose_set(Board *board, Device *dev, uint8_t set)
{
    expect_reply(board, dev, 0xf0, "fa");
    expect_reply(board, dev, set, "fa");
}

Test(ps2kbd, set_2_is_there_from_the_start)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    type(dev, KEY_A);
    expect(board, dev, "1c f0 1c");
    type(dev, KEY_HOME);
    expect(board, dev, "e0 6c e0 f0 6c");
    type(dev, KEY_F7);
    expect(board, dev, "83 f0 83");
    type(dev, KEY_MUTE);
    expect(board, dev, "e0 23 e0 f0 23");
    type(dev, KEY_CALCULATOR);
    expect(board, dev, "e0 2b e0 f0 2b");
    type(dev, 0x070000);
    type(dev, 0xffffffff);
    expect(board, dev, "");
}

Test(ps2kbd, sets_1_and_3_have_other_codes)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    choose_set(board, dev, 1);
    type(dev, KEY_A);
    type(dev, KEY_HOME);
    expect(board, dev, "1e 9e e0 47 e0 c7");
    choose_set(board, dev, 3);
    type(dev, KEY_A);
    type(dev, KEY_HOME);
    type(dev, KEY_F7);
    expect(board, dev, "1c f0 1c 6e f0 6e 37 f0 37");
    type(dev, KEY_PRINT);
    type(dev, KEY_PAUSE);
    expect(board, dev, "57 f0 57 62 f0 62");
}

Test(ps2kbd, it_tells_its_set_and_refuses_a_fourth)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    expect_reply(board, dev, 0xf0, "fa");
    expect_reply(board, dev, 0x00, "fa 02");
    choose_set(board, dev, 3);
    expect_reply(board, dev, 0xf0, "fa");
    expect_reply(board, dev, 0x04, "fe");
    expect_reply(board, dev, 0xf0, "fa");
    expect_reply(board, dev, 0x00, "fa 03");
}

Test(ps2kbd, print_screen_is_a_sequence_that_depends_on_modifiers)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    ps2_keyboard_key(dev, KEY_PRINT, true);
    expect(board, dev, "e0 12 e0 7c");
    ps2_keyboard_key(dev, KEY_PRINT, false);
    expect(board, dev, "e0 f0 7c e0 f0 12");
    ps2_keyboard_key(dev, KEY_LEFT_SHIFT, true);
    type(dev, KEY_PRINT);
    ps2_keyboard_key(dev, KEY_LEFT_SHIFT, false);
    expect(board, dev, "12 e0 7c e0 f0 7c f0 12");
    ps2_keyboard_key(dev, KEY_LEFT_ALT, true);
    ps2_keyboard_key(dev, KEY_PRINT, true);
    expect(board, dev, "11 f0 11 11 84");
    ps2_keyboard_key(dev, KEY_PRINT, false);
    expect(board, dev, "f0 84 f0 11 11");
    ps2_keyboard_key(dev, KEY_LEFT_ALT, false);
    expect(board, dev, "f0 11");
    choose_set(board, dev, 1);
    type(dev, KEY_PRINT);
    expect(board, dev, "e0 2a e0 37 e0 b7 e0 aa");
    ps2_keyboard_key(dev, KEY_RIGHT_ALT, true);
    ps2_keyboard_key(dev, KEY_PRINT, true);
    expect(board, dev, "e0 38 e0 b8 e0 38 54");
}

Test(ps2kbd, pause_makes_and_breaks_at_once)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    ps2_keyboard_key(dev, KEY_PAUSE, true);
    expect(board, dev, "e1 14 77 e1 f0 14 f0 77");
    ps2_keyboard_key(dev, KEY_PAUSE, false);
    expect(board, dev, "");
    ps2_keyboard_key(dev, KEY_LEFT_CTRL, true);
    type(dev, KEY_PAUSE);
    expect(board, dev, "14 e0 7e e0 f0 7e");
    choose_set(board, dev, 1);
    type(dev, KEY_PAUSE);
    expect(board, dev, "e0 46 e0 c6");
    ps2_keyboard_key(dev, KEY_LEFT_CTRL, false);
    expect(board, dev, "9d");
    type(dev, KEY_PAUSE);
    expect(board, dev, "e1 1d 45 e1 9d c5");
}

Test(ps2kbd, the_controller_translates_keys_and_replies)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    ps2_keyboard_translate(dev, true);
    type(dev, KEY_A);
    type(dev, KEY_F7);
    type(dev, KEY_HOME);
    expect(board, dev, "1e 9e 41 c1 e0 47 e0 c7");
    type(dev, KEY_PRINT);
    expect(board, dev, "e0 2a e0 37 e0 b7 e0 aa");
    type(dev, KEY_PAUSE);
    expect(board, dev, "e1 1d 45 e1 9d c5");
    expect_reply(board, dev, 0xf2, "fa ab 41");
    expect_reply(board, dev, 0xf0, "fa");
    expect_reply(board, dev, 0x00, "fa 41");
}

/* Set 2 translated is set 1: of every key that has a code in both. */
Test(ps2kbd, set_2_translated_is_set_1)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);
    unsigned different = 0, same = 0;

    for (uint32_t usage = 0x070000; usage < 0x070100; usage++) {
        ps2_keyboard_translate(dev, false);
        choose_set(board, dev, 1);
        type(dev, usage);
        g_autofree char *one = fetch(board, dev);
        choose_set(board, dev, 2);
        ps2_keyboard_translate(dev, true);
        type(dev, usage);
        g_autofree char *two = fetch(board, dev);
        same += *two && strcmp(one, two) == 0;
        different += *two && strcmp(one, two) != 0;
    }
    cr_assert_eq(different, 0);
    cr_assert_geq(same, 104);
}

Test(ps2kbd, commands_have_their_replies)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    expect_reply(board, dev, 0xff, "fa aa");
    expect_reply(board, dev, 0xee, "ee");
    expect_reply(board, dev, 0x00, "fa");
    expect_reply(board, dev, 0x01, "fe");
    expect_reply(board, dev, 0xf2, "fa ab 83");
    expect_reply(board, dev, 0xf3, "fa");
    expect_reply(board, dev, 0x20, "fa");
    expect_reply(board, dev, 0x20, "fe");
    expect_reply(board, dev, 0xed, "fa");
    expect_reply(board, dev, 0x05, "fa");
    cr_assert_eq(ps2_keyboard_lights(dev), PS2_LIGHT_SCROLL | PS2_LIGHT_CAPS);
    expect_reply(board, dev, 0xf6, "fa");
    cr_assert_eq(ps2_keyboard_lights(dev), 0);
}

Test(ps2kbd, a_disabled_keyboard_is_silent)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    choose_set(board, dev, 3);
    type(dev, KEY_A);
    expect_reply(board, dev, 0xf5, "fa");
    type(dev, KEY_A);
    ps2_keyboard_key(dev, KEY_LEFT_SHIFT, true);
    expect(board, dev, "");
    expect_reply(board, dev, 0xf4, "fa");
    ps2_keyboard_key(dev, KEY_PRINT, true);
    expect(board, dev, "e0 12 e0 7c"); /* it did not see Shift go down */
    type(dev, KEY_F7);
    expect(board, dev, "83 f0 83");
    expect_reply(board, dev, 0xf5, "fa");
    expect_reply(board, dev, 0xff, "fa aa");
    type(dev, KEY_A);
    expect(board, dev, "1c f0 1c");
}

Test(ps2kbd, a_reply_comes_before_the_keys_and_even_if_there_is_no_room)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    ps2_keyboard_key(dev, KEY_A, true);
    ps2_keyboard_key(dev, KEY_B, true);
    expect_reply(board, dev, 0xf4, "fa 1c 32");
    for (int i = 0; i < 20; i++)
        ps2_keyboard_key(dev, KEY_A, true);
    ps2_write(dev, 0xee);
    expect_reply(board, dev, 0xf2, "fa ab 83 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c");
    cr_assert_eq(ps2_read(dev), 0x1c, "the last one comes again");
    for (int i = 0; i < 15; i++)
        ps2_keyboard_key(dev, KEY_A, true);
    ps2_write(dev, 0xee); /* while it waits it takes room, though */
    ps2_keyboard_key(dev, KEY_B, true);
    expect(board, dev, "ee 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c 1c");
}

Test(ps2kbd, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    board_load_recorded(board, dev, "a-kvm-min", false);
    board_load_recorded(board, dev, "j1-tcg-linux-virtio", false);
    board_load_recorded(board, dev, "j2-kvm-linux-virtio", false);
    board_load_recorded(board, dev, "h2-pc-q35-7.2", false);
}

/* parent_obj, scan_enabled, translate and scancode_set as they are on the wire. */
static bool load(Board *board, Device *dev, int32_t rptr, int32_t count, int32_t set, GError **error)
{
    ByteOut octets = {0};

    byte_out_be32(&octets, UINT32_MAX);
    byte_out_be32(&octets, (uint32_t)rptr);
    byte_out_be32(&octets, 77);
    byte_out_be32(&octets, (uint32_t)count);
    for (int i = 0; i < 256; i++)
        byte_out_u8(&octets, (uint8_t)i);
    byte_out_be32(&octets, 1);
    byte_out_be32(&octets, 0);
    byte_out_be32(&octets, (uint32_t)set);
    bool ok = board_load(board, dev, octets.data, octets.len, 3, error);
    byte_out_done(&octets);
    return ok;
}

Test(ps2kbd, a_longer_queue_is_cut_when_it_is_loaded)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    cr_assert(load(board, dev, 0xf8, 256, 2, NULL));
    expect(board, dev, "f8 f9 fa fb fc fd fe ff 00 01 02 03 04 05 06 07");
    type(dev, KEY_A);
    expect(board, dev, "1c f0 1c");
}

Test(ps2kbd, a_reply_on_its_way_is_saved)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);
    ByteOut octets = {0};

    ps2_keyboard_key(dev, KEY_A, true);
    ps2_write(dev, 0xed);
    ps2_write(dev, 0x02);
    ps2_write(dev, 0xf2);
    cr_assert_eq(ps2_read(dev), 0xfa);
    board_save(board, dev, &octets);
    device_reset(dev);
    cr_assert_not(board->level[IRQ]);
    cr_assert(board_load(board, dev, octets.data, octets.len, 3, NULL));
    cr_assert_eq(ps2_keyboard_lights(dev), PS2_LIGHT_NUM);
    expect_reply(board, dev, 0xee, "ee 1c");
    byte_out_done(&octets);
}

Test(ps2kbd, unsound_state_is_refused)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);
    const int32_t bad[][3] = {{256, 0, 2}, {-1, 0, 2}, {INT32_MAX, INT32_MAX, 2}, {0, 257, 2}, {0, -1, 2},
                              {0, 0, 0},   {0, 0, 4}};

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) error = NULL;
        cr_assert_not(load(board, dev, bad[i][0], bad[i][1], bad[i][2], &error), "number %zu", i);
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED), "%s", error->message);
    }
    type(dev, KEY_A);
    expect(board, dev, "1c f0 1c");
}

Test(ps2kbd, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);

    board_try_states(board, dev, 300);
}

Test(ps2kbd, no_input_breaks_it)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_keyboard(board);
    GRand *rand = g_rand_new_with_seed(7);

    for (int i = 0; i < 20000; i++) {
        switch (g_rand_int_range(rand, 0, 4)) {
        case 0:
            ps2_write(dev, (uint8_t)g_rand_int_range(rand, g_rand_boolean(rand) ? 0xe0 : 0, 256));
            break;
        case 1:
            ps2_keyboard_key(dev, 0x070000 + (uint32_t)g_rand_int_range(rand, 0, 256), g_rand_boolean(rand));
            break;
        case 2:
            ps2_keyboard_translate(dev, g_rand_boolean(rand));
            break;
        default:
            ps2_read(dev);
        }
    }
    g_autofree char *rest = fetch(board, dev);
    cr_assert_leq(strlen(rest), 24 * 3);
    g_rand_free(rand);
}
