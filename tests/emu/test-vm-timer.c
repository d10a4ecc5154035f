/* test-vm-timer.c: the sections of the virtual clock and of the option ROM. */
#include <criterion/criterion.h>
#include <string.h>

#include "emu/dev/dev.h"
#include "emu/dev/kvmvapic.h"
#include "emu/dev/vm-timer.h"
#include "tests/emu/support/board.h"

Test(vm_timer, a_load_sets_the_clock_and_a_save_tells_it)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(GError) error = NULL;
    VmClock clock;
    const uint8_t octets[24] = {[7] = 9, [22] = 0x12, [23] = 0x34};
    ByteOut out = {0};

    vm_clock_init(&clock);
    Device *dev = board_add(board, vm_timer_new(&clock));
    cr_assert(board_load(board, dev, octets, sizeof octets, 2, &error), "%s", error ? error->message : "");
    cr_assert_eq(vm_clock_virtual_time(&clock), 0x1234);
    board->virtual_ns = 0x5678;
    board_save(board, dev, &out);
    cr_assert_eq(out.len, 24);
    cr_assert_eq(out.data[7], 9, "the ticks stay");
    cr_assert_eq(out.data[22] << 8 | out.data[23], 0x5678);
    byte_out_done(&out);
    vm_clock_done(&clock);
}

Test(vm_timer, qemus_is_described_the_same)
{
    g_autoptr(Board) board = board_new();
    Device *dev = board_add(board, vm_timer_new(NULL));

    board_load_recorded(board, dev, "a-kvm-min", true);
    board->virtual_ns = 0x254d1f699; /* what the guest of this one had run */
    board_load_recorded(board, dev, "f3-kvm-pc-10s", true);
}

Test(vm_timer, time_below_0_is_refused)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(GError) error = NULL;
    Device *dev = board_add(board, vm_timer_new(NULL));
    uint8_t octets[24] = {0};

    memset(octets + 16, 0xff, 8);
    cr_assert_not(board_load(board, dev, octets, sizeof octets, 2, &error));
    cr_assert_str_eq(error->message, "timer: cpu_clock_offset is -1, time does not start below 0");
}

Test(kvmvapic, what_qemu_records_is_kept)
{
    g_autoptr(Board) board = board_new();
    Device *dev = board_add(board, device_new(&kvmvapic_type));

    board_load_recorded(board, dev, "a-kvm-min", false);
    board_load_recorded(board, dev, "f3-kvm-pc-10s", false);
    board_load_recorded(board, dev, "j2-kvm-linux-virtio", false);
    board_try_states(board, dev, 200);
}

Test(kvmvapic, an_unknown_state_is_refused)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(GError) error = NULL;
    Device *dev = board_add(board, device_new(&kvmvapic_type));
    uint8_t octets[144] = {[127] = 3};

    cr_assert_not(board_load(board, dev, octets, sizeof octets, 1, &error));
    cr_assert_str_eq(error->message, "kvm-tpr-opt: state is 3, it must be below 3");
}

/* Its guest would keep its priority where nobody looks. */
Test(kvmvapic, a_guest_whose_instructions_were_replaced_is_refused)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(GError) error = NULL;
    Device *dev = board_add(board, device_new(&kvmvapic_type));
    uint8_t octets[144] = {[127] = 1};

    cr_assert_not(board_load(board, dev, octets, sizeof octets, 1, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert_not_null(strstr(error->message, "kvm-tpr-opt: state is 1 (active)"), "%s", error->message);
    octets[127] = 2;
    cr_assert(board_load(board, dev, octets, sizeof octets, 1, NULL));
}

enum { VAPIC_STATE = 124, VAPIC_ROM_STATE = 140 };

static bool tell(void *opaque, uint64_t *address)
{
    *address = *(uint64_t *)opaque;
    return *address;
}

/* What the section says of state and address. */
static void expect_vapic(Board *board, Device *dev, uint32_t state, uint32_t address)
{
    ByteOut out = {0};

    board_save(board, dev, &out);
    cr_assert_eq(load_be32(out.data + VAPIC_STATE), state);
    cr_assert_eq(load_be32(out.data + VAPIC_ROM_STATE), address, "0x%x", load_be32(out.data + VAPIC_ROM_STATE));
    byte_out_done(&out);
}

/* Values measured on QEMU 7.2, with ROMs at these places. */
Test(kvmvapic, the_option_rom_says_where_it_is)
{
    g_autoptr(Board) board = board_new();
    Device *dev = device_new(&kvmvapic_type);
    RamArea *ram = ram_area_new("ram", 1 << 20, 0, NULL);
    uint64_t at = 0;

    machine_add_ram(board->machine, ram);
    space_map(board->machine->memory, &(SpaceMapping){.size = 1 << 20, .ram = ram});
    kvmvapic_set_cpu(dev, tell, &at);
    board_add(board, dev);
    ram->host[0xcb002] = 18;
    board_out16(board, 0x7e, 0x20);
    expect_vapic(board, dev, 0, 0);
    at = 0xcb218; /* no ROM starts there */
    board_out16(board, 0x7e, 0x20);
    expect_vapic(board, dev, 0, 0);
    at = 0xcb018;
    board_out8(board, 0x7e, 0x20);
    board_out16(board, 0x7e, 18 * 512); /* beyond its end */
    expect_vapic(board, dev, 0, 0);
    board_out16(board, 0x7e, 0x20);
    expect_vapic(board, dev, 2, 0xcb020);
    device_reset(dev);
    expect_vapic(board, dev, 0, 0);
    board_abuse_ports(board, dev, 0x7e, 2, 2000);
}
