/* test-globalstate.c: the run state of a stream. */
#include <criterion/criterion.h>
#include <string.h>

#include "emu/dev/dev.h"
#include "emu/dev/globalstate.h"
#include "tests/emu/support/board.h"

typedef struct Wire {
    uint32_t size;
    char name[100];
} Wire;

static Device *add(Board *board)
{
    return board_add(board, device_new(&globalstate_type));
}

static bool load(Board *board, Device *dev, const Wire *wire, GError **error)
{
    return board_load(board, dev, wire, sizeof(*wire), 1, error);
}

Test(globalstate, a_name_is_saved_with_its_size_and_zeros_after_it)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add(board);
    Wire expected = {.size = GUINT32_TO_BE(7), .name = "paused"};
    ByteOut saved = {0};

    cr_assert_str_eq(globalstate_get(dev), "running");
    globalstate_set(dev, "guest-panicked");
    globalstate_set(dev, "paused");
    cr_assert_str_eq(globalstate_get(dev), "paused");
    board_save(board, dev, &saved);
    cr_assert_eq(saved.len, 104);
    cr_assert_arr_eq(saved.data, &expected, 104);
    byte_out_done(&saved);
}

Test(globalstate, a_reset_leaves_it)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add(board);

    globalstate_set(dev, "suspended");
    machine_reset(board->machine);
    cr_assert_str_eq(globalstate_get(dev), "suspended");
}

Test(globalstate, every_run_state_of_qemu_is_known)
{
    static const char *const names[] = {"debug",      "inmigrate",   "internal-error", "io-error",
                                        "paused",     "postmigrate", "prelaunch",      "finish-migrate",
                                        "restore-vm", "running",     "save-vm",        "shutdown",
                                        "suspended",  "watchdog",    "guest-panicked", "colo"};
    g_autoptr(Board) board = board_new();
    Device *dev = add(board);

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        Wire wire = {.size = 0};
        cr_assert(globalstate_is_known(names[i]));
        strcpy(wire.name, names[i]);
        cr_assert(load(board, dev, &wire, NULL));
        cr_assert_str_eq(globalstate_get(dev), names[i]);
    }
    cr_assert_not(globalstate_is_known("bogus"));
    cr_assert_not(globalstate_is_known(""));
    cr_assert_not(globalstate_is_known("run"));
    cr_assert_not(globalstate_is_known("running2"));
}

Test(globalstate, the_size_is_not_looked_at)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add(board);
    Wire wire = {.size = GUINT32_TO_BE(99999), .name = "paused\0garbage"};
    Wire expected = {.size = GUINT32_TO_BE(7), .name = "paused"};
    ByteOut saved = {0};

    cr_assert(load(board, dev, &wire, NULL));
    cr_assert_str_eq(globalstate_get(dev), "paused");
    board_save(board, dev, &saved);
    cr_assert_arr_eq(saved.data, &expected, 104);
    byte_out_done(&saved);
}

static void expect_refused(const Wire *wire, const char *shown)
{
    g_autofree char *start = g_strdup_printf("globalstate: runstate: \"%s\" is no run state; there are debug, ", shown);
    g_autoptr(Board) board = board_new();
    Device *dev = add(board);
    g_autoptr(GError) error = NULL;

    globalstate_set(dev, "prelaunch");
    cr_assert_not(load(board, dev, wire, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert(g_str_has_prefix(error->message, start), "%s", error->message);
    cr_assert_str_eq(globalstate_get(dev), "prelaunch");
}

Test(globalstate, unknown_names_are_refused_and_shown)
{
    Wire full = {.size = GUINT32_TO_BE(100)};
    g_autofree char *many = g_strnfill(100, 'A');

    expect_refused(&(Wire){.name = "bogus"}, "bogus");
    expect_refused(&(Wire){.name = ""}, "");
    expect_refused(&(Wire){.name = "\033[2J\xff"}, "\\033[2J\\377");
    expect_refused(&(Wire){.name = "Running"}, "Running");
    memcpy(full.name, many, 100);
    expect_refused(&full, many);
}

Test(globalstate, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add(board);

    board_load_recorded(board, dev, "a-kvm-min", false);
    cr_assert_str_eq(globalstate_get(dev), "prelaunch");
    board_load_recorded(board, dev, "f2-kvm-virtio-10s", false);
    board_load_recorded(board, dev, "j1-tcg-linux-virtio", false);
}

Test(globalstate, any_state_survives)
{
    g_autoptr(Board) board = board_new();

    board_try_states(board, add(board), 100);
}
