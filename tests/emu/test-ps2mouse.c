/* test-ps2mouse.c: the mouse at the end of the PS/2 cable. */
#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "emu/dev/ps2.h"
#include "tests/emu/support/board.h"

enum { IRQ = 20 };

static Device *add_mouse(Board *board)
{
    Device *dev = device_new(&ps2_mouse_type);

    device_connect_irq(dev, "irq", 0, board_probe(board, IRQ));
    return board_add(board, dev);
}

/* All that it has, in hexadecimal: "fa 00". */
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

static void expect_reply(Board *board, Device *dev, uint8_t command, const char *wanted)
{
    ps2_write(dev, command);
    expect(board, dev, wanted);
}

static void set_rate(Board *board, Device *dev, uint8_t rate)
{
    expect_reply(board, dev, 0xf3, "fa");
    expect_reply(board, dev, rate, "fa");
}

static void move(Device *dev, int32_t right, int32_t down)
{
    ps2_mouse_move(dev, &(Ps2Motion){.right = right, .down = down});
}

static void press(Device *dev, uint8_t buttons, int32_t wheel)
{
    ps2_mouse_move(dev, &(Ps2Motion){.buttons = buttons, .wheel = wheel});
}

Test(ps2mouse, reset_makes_the_standard_mouse_with_its_defaults)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    expect_reply(board, dev, 0xe9, "fa 00 00 00");
    expect_reply(board, dev, 0xff, "fa aa 00");
    expect_reply(board, dev, 0xe9, "fa 00 02 64");
    expect_reply(board, dev, 0xf2, "fa 00");
}

Test(ps2mouse, settings_are_in_the_status)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    expect_reply(board, dev, 0xe7, "fa");
    expect_reply(board, dev, 0xe8, "fa");
    expect_reply(board, dev, 0x03, "fa");
    set_rate(board, dev, 40);
    expect_reply(board, dev, 0xe9, "fa 10 03 28");
    expect_reply(board, dev, 0xf4, "fa");
    expect_reply(board, dev, 0xf0, "fa");
    expect_reply(board, dev, 0xe9, "fa 70 03 28");
    expect_reply(board, dev, 0xea, "fa");
    expect_reply(board, dev, 0xe6, "fa");
    expect_reply(board, dev, 0xe9, "fa 20 03 28");
    expect_reply(board, dev, 0xf5, "fa");
    expect_reply(board, dev, 0xe9, "fa 00 03 28");
    expect_reply(board, dev, 0xf4, "fa");
    expect_reply(board, dev, 0xf6, "fa");
    expect_reply(board, dev, 0xe9, "fa 00 02 64");
}

Test(ps2mouse, a_packet_has_signs_buttons_and_distances)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    move(dev, 5, 3);
    expect(board, dev, "");
    expect_reply(board, dev, 0xf4, "fa");
    move(dev, 5, 3); /* down is negative in a packet */
    expect(board, dev, "28 05 fd");
    move(dev, -5, -3);
    expect(board, dev, "18 fb 03");
    press(dev, PS2_BUTTON_LEFT, 0);
    press(dev, PS2_BUTTON_LEFT | PS2_BUTTON_RIGHT, 0);
    press(dev, PS2_BUTTON_MIDDLE, 0);
    press(dev, 0, 1);
    expect(board, dev, "09 00 00 0b 00 00 0c 00 00 08 00 00");
}

Test(ps2mouse, a_long_way_takes_several_packets)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    expect_reply(board, dev, 0xf4, "fa");
    move(dev, 300, -300);
    expect(board, dev, "08 7f 7f 08 7f 7f 08 2e 2e");
    move(dev, INT32_MAX, INT32_MIN);
    expect(board, dev, "08 7f 7f 08 7f 7f 08 7f 7f 08 7f 7f 08 7f 7f");
    move(dev, INT32_MAX, INT32_MIN);
    move(dev, INT32_MIN, INT32_MAX);
    move(dev, INT32_MIN, INT32_MAX);
    expect(board, dev, "08 7f 7f 08 7f 7f 08 7f 7f 08 7f 7f 08 7f 7f");
}

Test(ps2mouse, what_finds_no_room_is_told_later)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    expect_reply(board, dev, 0xf4, "fa");
    for (int i = 0; i < 9; i++)
        move(dev, 1, 0);
    expect_reply(board, dev, 0xf2, "08 01 00 08 01 00 08 01 00 08 01 00 08 01 00");
    move(dev, 1, 0);
    expect(board, dev, "08 05 00");
}

Test(ps2mouse, sample_rates_200_100_80_make_it_a_wheel_mouse)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    set_rate(board, dev, 200);
    set_rate(board, dev, 100);
    expect_reply(board, dev, 0xf2, "fa 00");
    set_rate(board, dev, 80);
    expect_reply(board, dev, 0xf2, "fa 03");
    expect_reply(board, dev, 0xf4, "fa");
    press(dev, 0, -1);
    press(dev, 0, 1);
    expect(board, dev, "08 00 00 ff 08 00 00 01");
    press(dev, PS2_BUTTON_SIDE, -200);
    expect(board, dev, "08 00 00 81 08 00 00 b7");
    expect_reply(board, dev, 0xf6, "fa");
    expect_reply(board, dev, 0xf2, "fa 03");
    expect_reply(board, dev, 0xff, "fa aa 00");
    expect_reply(board, dev, 0xf2, "fa 00");
}

Test(ps2mouse, sample_rates_200_200_80_make_it_an_explorer)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    set_rate(board, dev, 200);
    set_rate(board, dev, 200);
    set_rate(board, dev, 80);
    expect_reply(board, dev, 0xf2, "fa 04");
    expect_reply(board, dev, 0xf4, "fa");
    press(dev, PS2_BUTTON_SIDE, 0);
    press(dev, PS2_BUTTON_EXTRA | PS2_BUTTON_LEFT, -1);
    expect(board, dev, "08 00 00 10 09 00 00 2f");
    press(dev, 0, 10);
    expect(board, dev, "08 00 00 07 08 00 00 03");
}

Test(ps2mouse, other_sample_rates_do_not)
{
    const uint8_t rates[][5] = {{200, 80}, {200, 200, 100, 80}, {200, 100, 100, 80}, {200, 200, 200, 80}, {100, 80}};

    for (size_t i = 0; i < G_N_ELEMENTS(rates); i++) {
        g_autoptr(Board) board = board_new();
        Device *dev = add_mouse(board);
        for (const uint8_t *rate = rates[i]; *rate; rate++)
            set_rate(board, dev, *rate);
        expect_reply(board, dev, 0xf2, "fa 00");
    }
}

Test(ps2mouse, in_remote_mode_it_tells_only_when_asked)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    expect_reply(board, dev, 0xf4, "fa");
    expect_reply(board, dev, 0xf0, "fa");
    move(dev, 300, 3);
    expect(board, dev, "");
    expect_reply(board, dev, 0xeb, "fa 28 7f fd");
    expect_reply(board, dev, 0xeb, "fa 08 7f 00");
    expect_reply(board, dev, 0xeb, "fa 08 2e 00");
    expect_reply(board, dev, 0xeb, "fa 08 00 00");
    expect_reply(board, dev, 0xea, "fa");
    move(dev, 1, 0);
    expect(board, dev, "08 01 00");
}

Test(ps2mouse, a_reply_is_whole_or_not_there)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    for (int i = 0; i < 13; i++)
        ps2_write(dev, 0xe6);
    ps2_write(dev, 0xe9); /* four octets */
    expect(board, dev, "fa fa fa fa fa fa fa fa fa fa fa fa fa");
    for (int i = 0; i < 13; i++)
        ps2_write(dev, 0xe6);
    ps2_write(dev, 0xeb); /* the acknowledgement, and then three */
    expect(board, dev, "fa fa fa fa fa fa fa fa fa fa fa fa fa fa");
}

Test(ps2mouse, in_wrap_mode_it_repeats_all_but_two_commands)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    expect_reply(board, dev, 0xee, "fa");
    expect_reply(board, dev, 0x12, "12");
    expect_reply(board, dev, 0xf4, "f4");
    expect_reply(board, dev, 0xeb, "eb");
    expect_reply(board, dev, 0xec, "fa");
    expect_reply(board, dev, 0xf2, "fa 00");
    expect_reply(board, dev, 0xee, "fa");
    expect_reply(board, dev, 0xff, "fa aa 00");
    expect_reply(board, dev, 0xf2, "fa 00");
}

Test(ps2mouse, unknown_commands_are_ignored)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    expect_reply(board, dev, 0xe1, "");
    expect_reply(board, dev, 0xec, "");
    expect_reply(board, dev, 0x00, "");
    expect_reply(board, dev, 0xfe, "");
}

Test(ps2mouse, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    board_load_recorded(board, dev, "a-kvm-min", false);
    board_load_recorded(board, dev, "j1-tcg-linux-virtio", false);
    board_load_recorded(board, dev, "f3-kvm-pc-10s", false);
}

Test(ps2mouse, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);

    board_try_states(board, dev, 300);
}

Test(ps2mouse, an_unsound_queue_is_refused)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};

    board_save(board, dev, &octets);
    store_be32(octets.data + 4, 256);
    cr_assert_not(board_load(board, dev, octets.data, octets.len, 2, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED), "%s", error->message);
    cr_assert(strstr(error->message, "queue.rptr is 256"), "%s", error->message);
    expect_reply(board, dev, 0xf2, "fa 00");
    byte_out_done(&octets);
}

Test(ps2mouse, no_input_breaks_it)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_mouse(board);
    GRand *rand = g_rand_new_with_seed(9);

    for (int i = 0; i < 20000; i++) {
        switch (g_rand_int_range(rand, 0, 3)) {
        case 0:
            ps2_write(dev, (uint8_t)g_rand_int_range(rand, g_rand_boolean(rand) ? 0xe0 : 0, 256));
            break;
        case 1:
            ps2_mouse_move(dev, &(Ps2Motion){.right = (int32_t)g_rand_int(rand),
                                             .down = (int32_t)g_rand_int(rand),
                                             .wheel = (int32_t)g_rand_int(rand),
                                             .buttons = (uint8_t)g_rand_int(rand)});
            break;
        default:
            ps2_read(dev);
        }
    }
    g_autofree char *rest = fetch(board, dev);
    cr_assert_leq(strlen(rest), 16 * 3);
    g_rand_free(rand);
}
