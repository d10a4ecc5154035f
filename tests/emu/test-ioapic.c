/* test-ioapic.c: the I/O APIC, as Intel's 82093AA data sheet has it. */
#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "emu/dev/ioapic.h"
#include "tests/emu/support/board.h"

enum {
    ID = 0,
    VERSION = 1,
    ARBITRATION = 2,
    TABLE = 0x10,
    LEVEL = 1 << 15,
    MASKED = 1 << 16,
    REMOTE_IRR = 1 << 14,
};

typedef struct Rig {
    Board *board;
    Device *dev;
    unsigned sent;
    uint64_t address;
    uint32_t data;
    bool end_at_once;
    unsigned changes;
} Rig;

static void get(void *opaque, uint64_t address, uint32_t data)
{
    Rig *rig = opaque;

    rig->sent++;
    rig->address = address;
    rig->data = data;
    if (rig->end_at_once) {
        rig->end_at_once = false;
        ioapic_eoi(rig->dev, (uint8_t)data);
    }
}

static void note_change(void *opaque)
{
    ((Rig *)opaque)->changes++;
}

static void rig_init(Rig *rig, Board *board)
{
    *rig = (Rig){.board = board, .dev = device_new(&ioapic_type)};
    ioapic_set_output(rig->dev, (IoapicOutput){.send = get, .changed = note_change, .opaque = rig});
    board_add(board, rig->dev);
}

static uint32_t peek(Rig *rig, uint64_t at)
{
    return (uint32_t)space_read(rig->board->machine->memory, IOAPIC_BASE + at, 4);
}

static void poke(Rig *rig, uint64_t at, uint32_t value)
{
    space_write(rig->board->machine->memory, IOAPIC_BASE + at, value, 4);
}

static uint32_t get_reg(Rig *rig, uint8_t reg)
{
    poke(rig, 0x00, reg);
    return peek(rig, 0x10);
}

static void set_reg(Rig *rig, uint8_t reg, uint32_t value)
{
    poke(rig, 0x00, reg);
    poke(rig, 0x10, value);
}

static void line(Rig *rig, unsigned n, bool level)
{
    Irq irq = device_input(rig->dev, "irq", n);

    irq_set(&irq, level);
}

Test(ioapic, after_a_reset_all_is_masked)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(peek(&rig, 0x00), 0);
        cr_assert_eq(get_reg(&rig, ID), 0);
        cr_assert_eq(get_reg(&rig, VERSION), 0x00170020, "version 0x20, the last entry is 23");
        cr_assert_eq(get_reg(&rig, ARBITRATION), 0);
        for (unsigned n = 0; n < 24; n++) {
            cr_assert_eq(get_reg(&rig, (uint8_t)(TABLE + 2 * n)), MASKED);
            cr_assert_eq(get_reg(&rig, (uint8_t)(TABLE + 2 * n + 1)), 0);
            set_reg(&rig, (uint8_t)(TABLE + 2 * n), n);
        }
        set_reg(&rig, ID, 0xffffffff);
        device_reset(rig.dev);
    }
}

Test(ioapic, registers_keep_what_can_be_written)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    set_reg(&rig, ID, 0xffffffff);
    cr_assert_eq(get_reg(&rig, ID), 0x0f000000);
    cr_assert_eq(get_reg(&rig, ARBITRATION), 0x0f000000);
    set_reg(&rig, VERSION, 0);
    cr_assert_eq(get_reg(&rig, VERSION), 0x00170020);
    set_reg(&rig, TABLE + 46, 0x1ffff);
    cr_assert_eq(get_reg(&rig, TABLE + 46), 0x1afff, "delivery status and remote IRR are read-only");
    set_reg(&rig, TABLE + 47, 0xab000000);
    cr_assert_eq(get_reg(&rig, TABLE + 47), 0xab000000);
    cr_assert_eq(get_reg(&rig, TABLE + 46), 0x1afff);
    set_reg(&rig, 0x40, 0xffffffff);
    cr_assert_eq(get_reg(&rig, 0x40), 0);
    cr_assert_eq(get_reg(&rig, 0x0f), 0);
    poke(&rig, 0x00, 0xffffff01);
    cr_assert_eq(peek(&rig, 0x00), 0x01);
    cr_assert_eq(peek(&rig, 0x100), 0x01, "the registers are repeated");
    cr_assert_eq(peek(&rig, 0x04), 0);
    cr_assert_eq(space_read(board->machine->memory, IOAPIC_BASE + 0x10, 1), 0, "the window takes 32 bits");
    space_write(board->machine->memory, IOAPIC_BASE, 0x10, 1);
    cr_assert_eq(peek(&rig, 0x00), 0x10);
    space_write(board->machine->memory, IOAPIC_BASE + 0x10, 0x55, 2);
    cr_assert_eq(peek(&rig, 0x10), MASKED);
}

Test(ioapic, an_edge_becomes_a_message)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    set_reg(&rig, TABLE + 4 * 2 + 1, 0x03000000);
    set_reg(&rig, TABLE + 4 * 2, 0x0931); /* lowest priority, logical */
    line(&rig, 4, true);
    cr_assert_eq(rig.sent, 1);
    cr_assert_eq(rig.address, 0xfee03004);
    cr_assert_eq(rig.data, 0x0131);
    line(&rig, 4, true);
    cr_assert_eq(rig.sent, 1, "a line that stays up is no other edge");
    cr_assert_eq(get_reg(&rig, TABLE + 8), 0x0931, "remote IRR is for levels");
    ioapic_eoi(rig.dev, 0x31);
    cr_assert_eq(rig.sent, 1);
    line(&rig, 4, false);
    cr_assert_eq(rig.sent, 1);
    line(&rig, 4, true);
    cr_assert_eq(rig.sent, 2);
    set_reg(&rig, TABLE + 4 * 2 + 1, 0x03020000); /* bits 55:49: destinations above 255 */
    line(&rig, 4, false);
    line(&rig, 4, true);
    cr_assert_eq(rig.address, 0xfee03024);
}

Test(ioapic, a_masked_edge_is_lost)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    set_reg(&rig, TABLE + 2, MASKED | 0x31);
    line(&rig, 1, true);
    set_reg(&rig, TABLE + 2, 0x31);
    cr_assert_eq(rig.sent, 0);
    line(&rig, 1, false);
    line(&rig, 1, true);
    cr_assert_eq(rig.sent, 1);
    cr_assert_eq(rig.address, 0xfee00000);
    cr_assert_eq(rig.data, 0x31);
}

Test(ioapic, a_level_is_sent_again_until_the_line_falls)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    set_reg(&rig, TABLE + 20, LEVEL | 0x41);
    line(&rig, 10, true);
    cr_assert_eq(rig.sent, 1);
    cr_assert_eq(rig.data, 0xc041, "a level, asserted");
    cr_assert_eq(get_reg(&rig, TABLE + 20), LEVEL | REMOTE_IRR | 0x41);
    line(&rig, 10, false);
    line(&rig, 10, true);
    cr_assert_eq(rig.sent, 1, "not before it was ended");
    ioapic_eoi(rig.dev, 0x42);
    cr_assert_eq(rig.sent, 1);
    ioapic_eoi(rig.dev, 0x41);
    cr_assert_eq(rig.sent, 2);
    cr_assert_eq(get_reg(&rig, TABLE + 20), LEVEL | REMOTE_IRR | 0x41);
    line(&rig, 10, false);
    ioapic_eoi(rig.dev, 0x41);
    cr_assert_eq(rig.sent, 2);
    cr_assert_eq(get_reg(&rig, TABLE + 20), LEVEL | 0x41);
}

Test(ioapic, a_masked_level_is_sent_when_it_is_opened)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    set_reg(&rig, TABLE + 20, MASKED | LEVEL | 0x41);
    line(&rig, 10, true);
    cr_assert_eq(rig.sent, 0);
    set_reg(&rig, TABLE + 20, LEVEL | 0x41);
    cr_assert_eq(rig.sent, 1);
    set_reg(&rig, TABLE + 20, MASKED | LEVEL | 0x41);
    ioapic_eoi(rig.dev, 0x41);
    cr_assert_eq(get_reg(&rig, TABLE + 20), MASKED | LEVEL | 0x41, "an EOI comes through a mask");
    cr_assert_eq(rig.sent, 1);
    line(&rig, 10, false);
    set_reg(&rig, TABLE + 20, LEVEL | 0x41);
    cr_assert_eq(rig.sent, 1);
}

Test(ioapic, the_eoi_register_ends_levels)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    set_reg(&rig, TABLE + 20, LEVEL | 0x41);
    set_reg(&rig, TABLE + 22, LEVEL | 0x41);
    line(&rig, 10, true);
    line(&rig, 11, true);
    line(&rig, 11, false);
    poke(&rig, 0x40, 0x41);
    cr_assert_eq(rig.sent, 3, "only what is still up is sent again");
    cr_assert_eq(get_reg(&rig, TABLE + 22), LEVEL | 0x41);
    cr_assert_eq(peek(&rig, 0x40), 0);
}

Test(ioapic, a_change_to_edge_and_back_ends_a_level)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    set_reg(&rig, TABLE + 20, LEVEL | 0x41);
    line(&rig, 10, true);
    set_reg(&rig, TABLE + 20, MASKED | 0x41);
    cr_assert_eq(get_reg(&rig, TABLE + 20), MASKED | 0x41);
    set_reg(&rig, TABLE + 20, LEVEL | 0x41);
    cr_assert_eq(rig.sent, 2, "the line is still up");
    set_reg(&rig, TABLE + 20, MASKED | 0x41);
    set_reg(&rig, TABLE + 20, 0x41);
    cr_assert_eq(rig.sent, 2, "a level is no edge");
}

Test(ioapic, modes_without_levels_are_edges)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    set_reg(&rig, TABLE, LEVEL | 0x0400); /* NMI */
    line(&rig, 0, true);
    cr_assert_eq(rig.sent, 1);
    cr_assert_eq(rig.data, 0x0400);
    cr_assert_eq(get_reg(&rig, TABLE), LEVEL | 0x0400);
    line(&rig, 0, false);
    line(&rig, 0, true);
    cr_assert_eq(rig.sent, 2);
    set_reg(&rig, TABLE + 2, 0x0700); /* ExtINT */
    line(&rig, 1, true);
    cr_assert_eq(rig.data, 0x0700);
}

Test(ioapic, who_gets_a_message_may_end_it_at_once)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    set_reg(&rig, TABLE + 20, LEVEL | 0x41);
    rig.end_at_once = true;
    line(&rig, 10, true);
    cr_assert_eq(rig.sent, 2);
    cr_assert_eq(get_reg(&rig, TABLE + 20), LEVEL | REMOTE_IRR | 0x41);
}

Test(ioapic, it_is_the_one_that_qemu_records)
{
    static const char *const recordings[] = {"a-kvm-min", "b3-kvm-pc-alldefaults", "e-tcg-min", "j1-tcg-linux-virtio",
                                             "j2-kvm-linux-virtio"};
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++)
        board_load_recorded(board, rig.dev, recordings[i], false);
    board_load_recorded(board, rig.dev, "j1-tcg-linux-virtio", false);
    cr_assert_eq(peek(&rig, 0x00), 0x24);
    cr_assert_eq(peek(&rig, 0x10), 0x882f);
    line(&rig, 10, true);
    cr_assert_eq(rig.address, 0xfee01004);
    cr_assert_eq(rig.data, 0xc02f);
}

/* Octets of a section: version 1 has neither the pad nor the requests. */
static size_t section(uint8_t *to, bool first, uint32_t irr, uint16_t entry_of_pin_1)
{
    size_t table = first ? 2 : 14;

    memset(to, 0, 206);
    to[0] = 5;
    if (!first)
        for (unsigned i = 0; i < 4; i++)
            to[10 + i] = (uint8_t)(irr >> (24 - 8 * i));
    for (unsigned n = 0; n < IOAPIC_PINS; n++)
        to[table + 8 * n + 5] = 1; /* masked */
    to[table + 8 + 5] = 0;
    to[table + 8 + 6] = (uint8_t)(entry_of_pin_1 >> 8);
    to[table + 8 + 7] = (uint8_t)entry_of_pin_1;
    return table + 8 * (size_t)IOAPIC_PINS;
}

Test(ioapic, a_loaded_request_is_sent_once)
{
    g_autoptr(Board) board = board_new();
    uint8_t octets[206];
    Rig rig;

    rig_init(&rig, board);
    cr_assert(board_load(board, rig.dev, octets, section(octets, false, 0x02, 0x0035), 3, NULL));
    cr_assert_eq(rig.sent, 1);
    cr_assert_eq(rig.data, 0x35);
    set_reg(&rig, TABLE + 2, 0x35);
    cr_assert_eq(rig.sent, 1);
    cr_assert(board_load(board, rig.dev, octets, section(octets, false, 0x02, LEVEL | REMOTE_IRR | 0x35), 3, NULL));
    cr_assert_eq(rig.sent, 1, "it is in service");
    ioapic_eoi(rig.dev, 0x35);
    cr_assert_eq(rig.sent, 2);
}

Test(ioapic, version_1_loads)
{
    g_autoptr(Board) board = board_new();
    uint8_t octets[206];
    Rig rig;

    rig_init(&rig, board);
    cr_assert(board_load(board, rig.dev, octets, section(octets, true, 0, 0x0035), 1, NULL));
    cr_assert_eq(get_reg(&rig, ID), 0x05000000);
    cr_assert_eq(get_reg(&rig, TABLE + 2), 0x35);
}

Test(ioapic, requests_of_pins_that_do_not_exist_are_refused)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(GError) error = NULL;
    uint8_t octets[206];
    Rig rig;

    rig_init(&rig, board);
    cr_assert_not(board_load(board, rig.dev, octets, section(octets, false, 0x01000000, 0), 3, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert(strstr(error->message, "irr: is 0x1000000, there are 24 pins"), "%s", error->message);
}

Test(ioapic, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    GRand *rand = g_rand_new_with_seed(24);
    Rig rig;

    rig_init(&rig, board);
    board_try_states(board, rig.dev, 300);
    for (unsigned i = 0; i < 5000; i++) {
        static const uint64_t places[] = {0x00, 0x10, 0x40, 0x13, 0xffc};
        uint64_t at = IOAPIC_BASE + places[g_rand_int_range(rand, 0, G_N_ELEMENTS(places))];
        unsigned size = 1U << g_rand_int_range(rand, 0, 4);
        if (g_rand_boolean(rand))
            space_write(board->machine->memory, at, g_rand_int(rand), size);
        else
            space_read(board->machine->memory, at, size);
        line(&rig, (unsigned)g_rand_int_range(rand, 0, IOAPIC_PINS), g_rand_boolean(rand));
    }
    g_rand_free(rand);
}

Test(ioapic, removed_it_is_no_longer_there)
{
    g_autoptr(Board) board = board_new();
    Rig rig;

    rig_init(&rig, board);
    machine_remove_device(board->machine, rig.dev);
    cr_assert_eq(peek(&rig, 0x00), 0xffffffff);
}

/* So that a LAPIC that is elsewhere knows of which interrupts to tell the end. */
Test(ioapic, it_tells_when_what_a_pin_that_looks_at_levels_sends_has_changed)
{
    g_autoptr(Board) board = board_new();
    uint64_t address;
    uint32_t data;
    Rig rig;

    rig_init(&rig, board);
    rig.changes = 0;
    set_reg(&rig, TABLE + 2 * 5, MASKED | 0x41);
    set_reg(&rig, TABLE + 2 * 5, 0x42);
    cr_expect_eq(rig.changes, 0, "an edge has no end");
    cr_expect_not(ioapic_message(rig.dev, 5, &address, &data));
    cr_expect_eq(data, 0x42);
    set_reg(&rig, TABLE + 2 * 5, LEVEL | 0x42);
    cr_expect_eq(rig.changes, 1);
    set_reg(&rig, TABLE + 2 * 5, LEVEL | MASKED | 0x42);
    set_reg(&rig, TABLE + 2 * 5, LEVEL | 0x42);
    cr_expect_eq(rig.changes, 1, "masks change nothing of what is sent");
    set_reg(&rig, TABLE + 2 * 5 + 1, 0x03000000);
    cr_expect_eq(rig.changes, 2);
    cr_expect(ioapic_message(rig.dev, 5, &address, &data));
    cr_expect_eq(address, 0xfee03000);
    cr_expect_eq(data, 0xc042);
    set_reg(&rig, TABLE + 2 * 5, 0x42);
    cr_expect_eq(rig.changes, 3, "it is none any more");
    device_reset(rig.dev);
    cr_expect_eq(rig.changes, 4);
}
