/* test-pckbd.c: the i8042 with a keyboard and a mouse. */
#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "emu/dev/pckbd.h"
#include "emu/dev/ps2.h"
#include "tests/emu/support/board.h"
#include "visitors/qemufile-in.h"
#include "vmstate/state.h"

enum { IRQ_KEYBOARD = 1, IRQ_MOUSE = 12, A20 = 20, RESET = 21 };
enum { DATA = 0x60, COMMAND = 0x64 };
enum { KEY_A = 0x070004, KEY_B = 0x070005 };

typedef struct Set {
    Device *keyboard, *mouse, *pckbd;
} Set;

static void set_option(Device *dev, const char *name, bool value)
{
    const VMStateField *f = vms_field_find(dev->type->options, name, 0, NULL);

    *(bool *)((char *)dev + f->offset) = value;
}

static Set add_all(Board *board, const char *option, bool value)
{
    Set set = {device_new(&ps2_keyboard_type), device_new(&ps2_mouse_type), device_new(&pckbd_type)};

    device_connect_irq(set.pckbd, "keyboard-irq", 0, board_probe(board, IRQ_KEYBOARD));
    device_connect_irq(set.pckbd, "mouse-irq", 0, board_probe(board, IRQ_MOUSE));
    device_connect_irq(set.pckbd, "a20", 0, board_probe(board, A20));
    device_connect_irq(set.pckbd, "reset", 0, board_probe(board, RESET));
    if (option)
        set_option(set.pckbd, option, value);
    pckbd_attach(set.pckbd, set.keyboard, set.mouse);
    board_add(board, set.keyboard);
    board_add(board, set.mouse);
    board_add(board, set.pckbd);
    return set;
}

static Set add(Board *board)
{
    return add_all(board, NULL, false);
}

static uint8_t status(Board *board)
{
    return board_in8(board, COMMAND);
}

static void command(Board *board, uint8_t value)
{
    board_out8(board, COMMAND, value);
}

static void command_data(Board *board, uint8_t value, uint8_t data)
{
    board_out8(board, COMMAND, value);
    board_out8(board, DATA, data);
}

/* All that comes, octets of the mouse with an M: "fa Mfa". */
static void expect(Board *board, const char *wanted)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (int i = 0; i < 100 && (status(board) & 0x01); i++) {
        bool mouse = status(board) & 0x20;
        g_string_append_printf(text, "%s%s%02x", text->len ? " " : "", mouse ? "M" : "", board_in8(board, DATA));
    }
    cr_assert_str_eq(text->str, wanted, "comes '%s', not '%s'", text->str, wanted);
}

static void press_key(Set *set, uint32_t usage)
{
    ps2_keyboard_key(set->keyboard, usage, true);
}

static void move(Set *set)
{
    ps2_mouse_move(set->mouse, &(Ps2Motion){.right = 3});
}

Test(pckbd, the_self_tests_pass)
{
    g_autoptr(Board) board = board_new();

    add(board);
    cr_assert_eq(status(board), 0x18);
    command(board, 0xaa);
    cr_assert_eq(status(board), 0x1d);
    expect(board, "55");
    cr_assert_eq(status(board), 0x1c, "the system flag stays");
    command(board, 0xab);
    expect(board, "00");
    command(board, 0xa9);
    expect(board, "00");
}

Test(pckbd, the_mode_is_kept)
{
    g_autoptr(Board) board = board_new();

    add(board);
    command(board, 0x20);
    expect(board, "03");
    command_data(board, 0x60, 0x47);
    command(board, 0x20);
    expect(board, "47");
    command(board, 0xad);
    command(board, 0xa7);
    command(board, 0x20);
    expect(board, "77");
    command(board, 0xae);
    command(board, 0xa8);
    command(board, 0x20);
    expect(board, "47");
}

Test(pckbd, data_go_to_the_keyboard_and_after_d4_to_the_mouse)
{
    g_autoptr(Board) board = board_new();

    add(board);
    board_out8(board, DATA, 0xf2);
    cr_assert_eq(status(board), 0x19);
    expect(board, "fa ab 83");
    command_data(board, 0xd4, 0xf2);
    cr_assert_eq(status(board), 0x39);
    expect(board, "Mfa M00");
    board_out8(board, DATA, 0xee);
    expect(board, "ee");
    cr_assert_eq(board_in8(board, DATA), 0xee, "the last octet stays");
}

Test(pckbd, each_octet_has_its_interrupt)
{
    g_autoptr(Board) board = board_new();

    add(board);
    board_out8(board, DATA, 0xf2);
    cr_assert(board->level[IRQ_KEYBOARD]);
    expect(board, "fa ab 83");
    cr_assert_not(board->level[IRQ_KEYBOARD]);
    cr_assert_eq(board->rises[IRQ_KEYBOARD], 3);
    cr_assert_eq(board->rises[IRQ_MOUSE], 0);
    command_data(board, 0xd4, 0xf2);
    cr_assert(board->level[IRQ_MOUSE]);
    expect(board, "Mfa M00");
    cr_assert_not(board->level[IRQ_MOUSE]);
    cr_assert_eq(board->rises[IRQ_MOUSE], 2);
    cr_assert_eq(board->rises[IRQ_KEYBOARD], 3);
}

Test(pckbd, interrupts_are_masked_by_the_mode)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);

    command_data(board, 0x60, 0x00);
    press_key(&set, KEY_A);
    cr_assert_eq(status(board), 0x19);
    cr_assert_not(board->level[IRQ_KEYBOARD]);
    command_data(board, 0x60, 0x01);
    cr_assert(board->level[IRQ_KEYBOARD]);
    command_data(board, 0x60, 0x02);
    cr_assert_not(board->level[IRQ_KEYBOARD]);
    expect(board, "1c");
    command_data(board, 0xd3, 0x5a);
    cr_assert(board->level[IRQ_MOUSE]);
    command_data(board, 0x60, 0x01);
    cr_assert_not(board->level[IRQ_MOUSE]);
    expect(board, "M5a");
}

Test(pckbd, the_mode_translates)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);

    command_data(board, 0x60, 0x43);
    press_key(&set, KEY_A);
    expect(board, "1e");
    command_data(board, 0x60, 0x03);
    press_key(&set, KEY_A);
    expect(board, "1c");
}

Test(pckbd, a_port_that_is_off_waits)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);

    command_data(board, 0xd4, 0xf4);
    expect(board, "Mfa");
    command(board, 0xad);
    press_key(&set, KEY_A);
    cr_assert_eq(status(board), 0x18);
    move(&set);
    expect(board, "M08 M03 M00");
    command(board, 0xae);
    expect(board, "1c");
    command(board, 0xa7);
    move(&set);
    cr_assert_eq(status(board), 0x18);
    press_key(&set, KEY_B);
    expect(board, "32");
    command(board, 0xa8);
    expect(board, "M08 M03 M00");
}

Test(pckbd, writing_to_a_device_switches_its_port_on)
{
    g_autoptr(Board) board = board_new();

    add(board);
    command_data(board, 0x60, 0x33);
    board_out8(board, DATA, 0xf4);
    expect(board, "fa");
    command(board, 0x20);
    expect(board, "23");
    command_data(board, 0xd4, 0xf4);
    expect(board, "Mfa");
    command(board, 0x20);
    expect(board, "03");
}

Test(pckbd, the_controller_is_heard_before_the_keyboard_and_that_before_the_mouse)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);

    command_data(board, 0xd4, 0xf4);
    expect(board, "Mfa");
    press_key(&set, KEY_A);
    press_key(&set, KEY_B);
    move(&set);
    command(board, 0xaa);
    expect(board, "1c 55 32 M08 M03 M00");
    move(&set);
    press_key(&set, KEY_A);
    expect(board, "M08 1c M03 M00");
}

Test(pckbd, two_busy_devices_are_heard_by_turns)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);

    command_data(board, 0xd4, 0xf4);
    expect(board, "Mfa");
    move(&set);
    for (int i = 0; i < 5; i++)
        press_key(&set, KEY_A);
    expect(board, "M08 1c M03 1c M00 1c 1c 1c");
}

Test(pckbd, a_line_that_is_up_stays_so_while_a_port_goes_off_and_on)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);

    press_key(&set, KEY_A);
    command(board, 0xad);
    command(board, 0xae);
    command(board, 0xa8);
    cr_assert(board->level[IRQ_KEYBOARD]);
    cr_assert_eq(board->rises[IRQ_KEYBOARD], 1);
    expect(board, "1c");
    command(board, 0xad);
    command_data(board, 0xd2, 0x11);
    command(board, 0xae);
    cr_assert_not(board->level[IRQ_KEYBOARD], "nor does one that is down go up");
    expect(board, "11");
}

Test(pckbd, buffers_can_be_written)
{
    g_autoptr(Board) board = board_new();

    add(board);
    command_data(board, 0xd2, 0x11);
    cr_assert(board->level[IRQ_KEYBOARD]);
    expect(board, "11");
    command_data(board, 0xd3, 0x12);
    cr_assert(board->level[IRQ_MOUSE]);
    expect(board, "M12");
    command_data(board, 0x60, 0x13);
    board->rises[IRQ_KEYBOARD] = 0;
    command_data(board, 0xd2, 0x14);
    cr_assert_eq(board->rises[IRQ_KEYBOARD], 0, "a keyboard that is off interrupts nobody");
    expect(board, "14");
}

Test(pckbd, the_output_port_has_a20_and_the_interrupts)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);

    cr_assert(board->level[A20]);
    command(board, 0xd0);
    expect(board, "cf");
    command(board, 0xdd);
    cr_assert_not(board->level[A20]);
    command(board, 0xd0);
    expect(board, "cd");
    command(board, 0xdf);
    cr_assert(board->level[A20]);
    command_data(board, 0xd1, 0xcd);
    cr_assert_not(board->level[A20]);
    press_key(&set, KEY_A);
    command(board, 0xd0);
    expect(board, "1c dd");
    command_data(board, 0xd1, 0xcf);
    cr_assert(board->level[A20]);
    cr_assert_eq(board->rises[RESET], 0);
    command(board, 0xc0);
    expect(board, "80");
}

Test(pckbd, there_are_two_ways_to_a_reset)
{
    g_autoptr(Board) board = board_new();

    add(board);
    command(board, 0xff);
    command(board, 0xf1);
    cr_assert_eq(board->rises[RESET], 0);
    command(board, 0xfe);
    cr_assert_eq(board->rises[RESET], 1);
    command_data(board, 0xd1, 0xce);
    cr_assert_eq(board->rises[RESET], 2);
    command(board, 0xf0);
    cr_assert_eq(board->rises[RESET], 3);
}

Test(pckbd, reset_forgets_all)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);

    command_data(board, 0x60, 0x70);
    command(board, 0xdd);
    command(board, 0xaa);
    press_key(&set, KEY_A);
    machine_reset(board->machine);
    cr_assert_eq(status(board), 0x18);
    cr_assert(board->level[A20]);
    cr_assert_not(board->level[IRQ_KEYBOARD]);
    command(board, 0x20);
    expect(board, "03");
    press_key(&set, KEY_A);
    expect(board, "1c");
}

Test(pckbd, throttled_it_leaves_a_millisecond_between_two_octets)
{
    g_autoptr(Board) board = board_new();
    Set set = add_all(board, "kbd-throttle", true);

    press_key(&set, KEY_A);
    press_key(&set, KEY_B);
    expect(board, "1c");
    command(board, 0xaa);
    expect(board, "55");
    board_advance(board, NS_PER_MS - 1);
    expect(board, "");
    board_advance(board, 1);
    expect(board, "32");
}

Test(pckbd, a_line_that_is_told_again_changes_nothing)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);
    ByteOut octets = {0};
    g_autoptr(GError) error = NULL;

    command_data(board, 0xd1, 0xdf);
    board_save(board, set.keyboard, &octets);
    cr_assert(board_load(board, set.keyboard, octets.data, octets.len, set.keyboard->type->state->version, &error));
    command(board, 0xd0);
    cr_assert_eq(board_in8(board, DATA), 0xdf);
    byte_out_done(&octets);
}

/* The devices come first in a stream, and what they have lifts their lines before the controller's timer is armed. */
Test(pckbd, throttled_it_still_is_on_the_other_side)
{
    g_autoptr(Board) board = board_new(), other = board_new();
    Set from = add_all(board, "kbd-throttle", true), to = add_all(other, "kbd-throttle", true);
    ByteOut keyboard = {0}, pckbd = {0};
    g_autoptr(GError) error = NULL;

    press_key(&from, KEY_A);
    press_key(&from, KEY_B);
    expect(board, "1c");
    board_save(board, from.keyboard, &keyboard);
    board_save(board, from.pckbd, &pckbd);
    g_autoptr(ChanIn) first = chan_in_new_memory(keyboard.data, keyboard.len, 0);
    g_autoptr(ChanIn) second = chan_in_new_memory(pckbd.data, pckbd.len, 0);
    g_autoptr(SectionLoad) load = section_load_new(other->machine->sections);
    const Section *s = section_list_find(other->machine->sections, "ps2kbd", 0);
    cr_assert(section_load_one(load, s, qemufile_in_new(first, "ps2kbd"), s->desc->version, NULL, &error));
    s = section_list_find(other->machine->sections, "pckbd", 0);
    cr_assert(section_load_one(load, s, qemufile_in_new(second, "pckbd"), s->desc->version, NULL, &error));
    cr_assert(section_load_commit(load, &error));
    expect(other, "");
    cr_assert_eq(other->rises[IRQ_KEYBOARD], 0);
    press_key(&to, KEY_A);
    expect(other, "");
    board_advance(other, NS_PER_MS);
    expect(other, "32");
    byte_out_done(&keyboard);
    byte_out_done(&pckbd);
}

Test(pckbd, a_machine_before_6_1_sends_no_extended_state)
{
    g_autoptr(Board) board = board_new();
    Set set = add_all(board, "extended-state", false);
    ByteOut octets = {0};

    board_save(board, set.pckbd, &octets);
    cr_assert_eq(octets.len, 4);
    byte_out_done(&octets);
    /* The keyboard has an octet, the mouse waits. */
    ps2_keyboard_key(set.keyboard, KEY_A, true);
    ps2_write(set.mouse, 0xf2);
    cr_assert(board_load(board, set.pckbd, (const uint8_t[]){0x00, 0x19, 0x03, 0x03}, 4, 3, NULL));
    cr_assert(board->level[IRQ_KEYBOARD]);
    expect(board, "1c Mfa M00");
}

Test(pckbd, what_is_in_the_buffer_travels)
{
    g_autoptr(Board) board = board_new(), other = board_new();
    Set from = add(board), to = add(other);
    Device *source[] = {from.keyboard, from.mouse, from.pckbd}, *destination[] = {to.keyboard, to.mouse, to.pckbd};

    command_data(board, 0xd4, 0xf4);
    expect(board, "Mfa");
    move(&from);
    press_key(&from, KEY_A);
    command(board, 0xdd);
    command(board, 0xaa);
    for (int i = 0; i < 3; i++) {
        ByteOut octets = {0};
        board_save(board, source[i], &octets);
        cr_assert(board_load(other, destination[i], octets.data, octets.len, source[i]->type->state->version, NULL));
        byte_out_done(&octets);
    }
    cr_assert_not(other->level[A20]);
    cr_assert(other->level[IRQ_MOUSE]);
    expect(other, "M08 55 1c M03 M00");
}

Test(pckbd, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);

    board_load_recorded(board, set.pckbd, "a-kvm-min", false);
    board_load_recorded(board, set.pckbd, "j1-tcg-linux-virtio", false);
    board_load_recorded(board, set.pckbd, "j2-kvm-linux-virtio", false);
    board_load_recorded(board, set.pckbd, "h7-pc-q35-7.2-full", false);
}

Test(pckbd, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);

    board_try_states(board, set.pckbd, 300);
    board_abuse_ports(board, set.pckbd, 0x60, 8, 5000);
}

Test(pckbd, no_guest_breaks_a_throttled_one)
{
    g_autoptr(Board) board = board_new();
    Set set = add_all(board, "kbd-throttle", true);

    board_abuse_ports(board, set.pckbd, 0x60, 8, 5000);
}

Test(pckbd, without_its_devices_it_is_not_realized)
{
    g_autoptr(Board) board = board_new();
    Device *dev = device_new(&pckbd_type);
    g_autoptr(GError) error = NULL;

    cr_assert_not(device_realize(dev, board->machine, &error));
    cr_assert(strstr(error->message, "no keyboard"), "%s", error->message);
    device_free(dev);
}

Test(pckbd, removed_it_is_no_longer_there)
{
    g_autoptr(Board) board = board_new();
    Set set = add(board);

    machine_remove_device(board->machine, set.pckbd);
    cr_assert_eq(board_in8(board, COMMAND), 0xff);
    cr_assert_eq(board_in8(board, DATA), 0xff);
}
