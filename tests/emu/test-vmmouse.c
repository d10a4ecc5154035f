/* test-vmmouse.c: VMware's port and its mouse, with the registers of a vCPU that is a struct. */
#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "emu/dev/ps2.h"
#include "emu/dev/vmmouse.h"
#include "emu/dev/vmport.h"
#include "tests/emu/support/board.h"

enum { IRQ = 20 };
enum { PORT = 0x5658, MAGIC = 0x564d5868 };
enum { VERSION = 10, MEMORY = 20, DATA = 39, STATUS = 40, COMMAND = 41 };
enum { ENABLE = 0x45414552, DISABLE = 0xf5, RELATIVE = 0x4c455252, ABSOLUTE = 0x53424152 };

typedef struct Set {
    VmportRegisters r;
    Device *vmport, *vmmouse, *ps2_mouse;
} Set;

static void get(void *opaque, VmportRegisters *registers)
{
    *registers = *(VmportRegisters *)opaque;
}

static void set_registers(void *opaque, const VmportRegisters *registers)
{
    *(VmportRegisters *)opaque = *registers;
}

static void add(Board *board, Set *set)
{
    *set = (Set){.vmport = device_new(&vmport_type),
                 .vmmouse = device_new(&vmmouse_type),
                 .ps2_mouse = device_new(&ps2_mouse_type)};
    device_connect_irq(set->ps2_mouse, "irq", 0, board_probe(board, IRQ));
    vmport_set_cpu(set->vmport, &(VmportCpu){get, set_registers, &set->r});
    vmport_set_memory(set->vmport, 128 << 20);
    vmmouse_attach(set->vmmouse, set->vmport, set->ps2_mouse);
    board_add(board, set->ps2_mouse);
    board_add(board, set->vmport);
    board_add(board, set->vmmouse);
}

/* One command; returns eax, as an `in` gets it. */
static uint32_t run(Board *board, Set *set, uint32_t command, uint32_t parameter)
{
    set->r = (VmportRegisters){MAGIC, parameter, command, PORT, 0x11, 0x22};
    return board_in32(board, PORT);
}

static void expect_data(Board *board, Set *set, const uint32_t *wanted)
{
    run(board, set, DATA, 4);
    cr_assert_eq(set->r.eax, wanted[0], "buttons 0x%x", set->r.eax);
    cr_assert_eq(set->r.ebx, wanted[1], "x 0x%x", set->r.ebx);
    cr_assert_eq(set->r.ecx, wanted[2], "y 0x%x", set->r.ecx);
    cr_assert_eq(set->r.edx, wanted[3], "z 0x%x", set->r.edx);
    cr_assert_eq(set->r.esi, 0x11);
}

static void switch_on(Board *board, Set *set, uint32_t mode)
{
    run(board, set, COMMAND, ENABLE);
    cr_assert_eq(run(board, set, STATUS, 0), 1);
    cr_assert_eq(run(board, set, DATA, 1), 0x3442554a);
    run(board, set, COMMAND, mode);
    cr_assert_eq(run(board, set, STATUS, 0), 0);
}

Test(vmport, it_tells_its_version_and_the_memory)
{
    g_autoptr(Board) board = board_new();
    Set set;

    add(board, &set);
    cr_assert_eq(run(board, &set, VERSION, 0), 6);
    cr_assert_eq(set.r.eax, 6);
    cr_assert_eq(set.r.ebx, MAGIC);
    cr_assert_eq(set.r.ecx, 2);
    cr_assert_eq(set.r.edx, PORT);
    cr_assert_eq(run(board, &set, MEMORY, 0), 128 << 20);
    cr_assert_eq(set.r.ebx, 0x1177);
    set.r = (VmportRegisters){.eax = MAGIC, .ecx = 0x10000 | VERSION};
    board_out8(board, PORT, 0);
    cr_assert_eq(set.r.eax, 6, "the upper half of ecx is not part of the command, and a write does it, too");
}

Test(vmport, without_magic_or_command_it_answers_all_ones)
{
    g_autoptr(Board) board = board_new();
    Set set;

    add(board, &set);
    set.r = (VmportRegisters){.eax = 0x1234, .ebx = 5, .ecx = VERSION};
    cr_assert_eq(board_in32(board, PORT), UINT32_MAX);
    cr_assert_eq(set.r.eax, UINT32_MAX);
    cr_assert_eq(set.r.ebx, 5);
    cr_assert_eq(run(board, &set, 0, 0), UINT32_MAX);
    cr_assert_eq(run(board, &set, 0xffff, 0), UINT32_MAX);
    cr_assert_eq(board_in8(board, PORT + 1), 0xff);
}

Test(vmport, without_a_cpu_it_is_as_if_it_was_not_there)
{
    g_autoptr(Board) board = board_new();

    board_add(board, device_new(&vmport_type));
    cr_assert_eq(board_in32(board, PORT), UINT32_MAX);
    board_out32(board, PORT, 0);
}

Test(vmmouse, it_is_off_until_the_guest_wants_it)
{
    g_autoptr(Board) board = board_new();
    Set set;

    add(board, &set);
    cr_assert_eq(run(board, &set, STATUS, 0), 0xffff0000);
    vmmouse_move(set.vmmouse, &(VmmouseMotion){.x = 1});
    cr_assert_eq(run(board, &set, STATUS, 0), 0xffff0000);
    cr_assert_not(vmmouse_is_on(set.vmmouse));
    switch_on(board, &set, ABSOLUTE);
    cr_assert(vmmouse_is_on(set.vmmouse));
    cr_assert(vmmouse_is_absolute(set.vmmouse));
    run(board, &set, COMMAND, DISABLE);
    cr_assert_eq(run(board, &set, STATUS, 0), 0xffff0000);
    cr_assert_not(vmmouse_is_on(set.vmmouse));
    run(board, &set, COMMAND, 0x1234);
    cr_assert_eq(run(board, &set, STATUS, 0), 0xffff0000);
}

Test(vmmouse, positions_come_in_four_words)
{
    g_autoptr(Board) board = board_new();
    Set set;

    add(board, &set);
    switch_on(board, &set, ABSOLUTE);
    vmmouse_move(set.vmmouse, &(VmmouseMotion){.x = 0x1000, .y = 0x2000});
    cr_assert_eq(run(board, &set, STATUS, 0), 4);
    vmmouse_move(set.vmmouse,
                 &(VmmouseMotion){.x = 0x7fff, .buttons = PS2_BUTTON_LEFT | PS2_BUTTON_RIGHT, .wheel = -1});
    vmmouse_move(set.vmmouse, &(VmmouseMotion){.buttons = PS2_BUTTON_MIDDLE | PS2_BUTTON_SIDE, .wheel = 1});
    expect_data(board, &set, (const uint32_t[]){0, 0x2000, 0x4000, 0});
    expect_data(board, &set, (const uint32_t[]){0x30, 0xfffe, 0, UINT32_MAX});
    expect_data(board, &set, (const uint32_t[]){0x08, 0, 0, 1});
    cr_assert_eq(run(board, &set, STATUS, 0), 0);
}

Test(vmmouse, relative_motion_is_marked_and_counts_up)
{
    g_autoptr(Board) board = board_new();
    Set set;

    add(board, &set);
    switch_on(board, &set, RELATIVE);
    vmmouse_move(set.vmmouse, &(VmmouseMotion){.right = 5, .down = 6});
    expect_data(board, &set, (const uint32_t[]){0x10000, 5, (uint32_t)-6, 0});
}

Test(vmmouse, motion_interrupts_by_the_ps2_mouse)
{
    g_autoptr(Board) board = board_new();
    Set set;

    add(board, &set);
    switch_on(board, &set, ABSOLUTE);
    ps2_write(set.ps2_mouse, 0xf4);
    cr_assert_eq(ps2_read(set.ps2_mouse), 0xfa);
    cr_assert_not(board->level[IRQ]);
    vmmouse_move(set.vmmouse, &(VmmouseMotion){.x = 1});
    cr_assert(board->level[IRQ]);
    cr_assert_eq(ps2_read(set.ps2_mouse), 0x08);
}

Test(vmmouse, asking_for_too_much_is_an_error_until_it_is_enabled_again)
{
    const uint32_t counts[] = {0, 5, 7, UINT32_MAX};

    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        g_autoptr(Board) board = board_new();
        Set set;
        add(board, &set);
        switch_on(board, &set, ABSOLUTE);
        vmmouse_move(set.vmmouse, &(VmmouseMotion){.x = 1});
        run(board, &set, DATA, counts[i]);
        cr_assert_eq(run(board, &set, STATUS, 0), 0xffff0004);
        run(board, &set, COMMAND, ENABLE);
        cr_assert_eq(run(board, &set, STATUS, 0), 5);
        cr_assert_eq(run(board, &set, DATA, 5), 0);
        cr_assert_eq(set.r.esi, 0x3442554a);
    }
}

Test(vmmouse, a_guest_that_does_not_ask_loses_motion_and_nothing_else)
{
    g_autoptr(Board) board = board_new();
    Set set;

    add(board, &set);
    switch_on(board, &set, ABSOLUTE);
    for (uint16_t i = 0; i < 300; i++)
        vmmouse_move(set.vmmouse, &(VmmouseMotion){.x = i});
    cr_assert_eq(run(board, &set, STATUS, 0), 1024);
    expect_data(board, &set, (const uint32_t[]){0, 0, 0, 0});
    expect_data(board, &set, (const uint32_t[]){0, 2, 0, 0});
    for (int i = 0; i < 2000; i++)
        run(board, &set, COMMAND, ENABLE);
    cr_assert_leq(run(board, &set, STATUS, 0), 1024);
}

Test(vmmouse, reset_switches_it_off)
{
    g_autoptr(Board) board = board_new();
    Set set;

    add(board, &set);
    switch_on(board, &set, ABSOLUTE);
    vmmouse_move(set.vmmouse, &(VmmouseMotion){.x = 1});
    machine_reset(board->machine);
    cr_assert_eq(run(board, &set, STATUS, 0), 0xffff0000);
    cr_assert_not(vmmouse_is_absolute(set.vmmouse));
}

Test(vmmouse, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Set set;

    add(board, &set);
    board_load_recorded(board, set.vmmouse, "a-kvm-min", false);
    board_load_recorded(board, set.vmmouse, "j2-kvm-linux-virtio", false);
}

Test(vmmouse, another_queue_size_and_too_many_words_are_refused)
{
    g_autoptr(Board) board = board_new();
    Set set;
    ByteOut octets = {0};

    add(board, &set);
    board_save(board, set.vmmouse, &octets);
    store_be16(octets.data + 4 + 4096, 1024);
    cr_assert(board_load(board, set.vmmouse, octets.data, octets.len, 0, NULL));
    const uint16_t words[] = {1025, 0xffff};
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        g_autoptr(GError) error = NULL;
        store_be16(octets.data + 4 + 4096, words[i]);
        cr_assert_not(board_load(board, set.vmmouse, octets.data, octets.len, 0, &error));
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED), "%s", error->message);
    }
    store_be16(octets.data + 4 + 4096, 0);
    store_be32(octets.data, 512);
    cr_assert_not(board_load(board, set.vmmouse, octets.data, octets.len, 0, NULL));
    byte_out_done(&octets);
}

Test(vmmouse, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Set set;

    add(board, &set);
    board_try_states(board, set.vmmouse, 100);
    board_abuse_ports(board, set.vmmouse, PORT - 2, 8, 2000);
}

Test(vmmouse, removed_its_commands_are_gone)
{
    g_autoptr(Board) board = board_new();
    Set set;

    add(board, &set);
    machine_remove_device(board->machine, set.vmmouse);
    cr_assert_eq(run(board, &set, STATUS, 0), UINT32_MAX);
    cr_assert_eq(run(board, &set, VERSION, 0), 6);
}
