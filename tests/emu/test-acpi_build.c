/* test-acpi_build.c: the bit that says that the guest has read the ACPI tables. */
#include <criterion/criterion.h>

#include "emu/dev/acpi_build.h"
#include "emu/dev/dev.h"
#include "tests/emu/support/board.h"

static Device *add(Board *board)
{
    return board_add(board, device_new(&acpi_build_type));
}

Test(acpi_build, only_the_first_read_after_a_reset_makes_the_tables)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add(board);

    cr_assert_not(acpi_build_is_patched(dev));
    cr_assert(acpi_build_first_read(dev));
    cr_assert(acpi_build_is_patched(dev));
    cr_assert_not(acpi_build_first_read(dev));
    machine_reset(board->machine);
    cr_assert_not(acpi_build_is_patched(dev));
    cr_assert(acpi_build_first_read(dev));
}

Test(acpi_build, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add(board);

    board_load_recorded(board, dev, "f2-kvm-virtio-10s", false);
    cr_assert_not(acpi_build_first_read(dev));
    board_load_recorded(board, dev, "a-kvm-min", false);
    cr_assert(acpi_build_first_read(dev));
}

Test(acpi_build, what_is_no_bit_is_refused)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add(board);
    g_autoptr(GError) error = NULL;

    cr_assert_not(board_load(board, dev, "\x02", 1, 1, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert_str_eq(error->message, "acpi_build: patched: 0x2 is neither 0 nor 1");
    cr_assert_not(acpi_build_is_patched(dev));
}

Test(acpi_build, any_state_survives)
{
    g_autoptr(Board) board = board_new();

    board_try_states(board, add(board), 100);
}
