/* test-i8259.c: a pair of interrupt controllers, as Intel's 8259A data sheet has it. */
#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "emu/dev/i8259.h"
#include "tests/emu/support/board.h"

enum { INTR = 20, MASTER = 0x20, SLAVE = 0xa0, EOI = 0x20, READ_IRR = 0x0a, READ_ISR = 0x0b, POLL = 0x0c };

typedef struct Pair {
    Board *board;
    Device *master, *slave;
} Pair;

static Pair pair_new(Board *board)
{
    Pair pair = {board, i8259_new(true), i8259_new(false)};

    device_connect_irq(pair.master, "int", 0, board_probe(board, INTR));
    device_connect(pair.slave, "int", 0, pair.master, "irq", I8259_CASCADE);
    board_add(board, pair.master);
    board_add(board, pair.slave);
    return pair;
}

static void init(Board *board, uint16_t port, uint8_t base, uint8_t icw4)
{
    board_out8(board, port, 0x11);
    board_out8(board, port + 1, base);
    board_out8(board, port + 1, port == MASTER ? 0x04 : 0x02);
    board_out8(board, port + 1, icw4);
}

/* As a BIOS leaves it, all open. */
static Pair pair_ready(Board *board)
{
    Pair pair = pair_new(board);

    init(board, MASTER, 0x08, 0x01);
    init(board, SLAVE, 0x70, 0x01);
    return pair;
}

static void line(const Pair *pair, unsigned n, bool level)
{
    Irq irq = device_input(n < 8 ? pair->master : pair->slave, "irq", n % 8);

    irq_set(&irq, level);
}

static void pulse(const Pair *pair, unsigned n)
{
    line(pair, n, true);
    line(pair, n, false);
}

static uint8_t read_reg(Board *board, uint16_t port, uint8_t ocw3)
{
    board_out8(board, port, ocw3);
    return board_in8(board, port);
}

#define ACK(pair) i8259_acknowledge((pair).master, (pair).slave)

Test(i8259, an_edge_is_a_request_until_it_is_acknowledged)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_ready(board);

    cr_assert_not(board->level[INTR]);
    line(&p, 1, true);
    cr_assert(board->level[INTR]);
    cr_assert_eq(read_reg(board, MASTER, READ_IRR), 0x02);
    cr_assert_eq(ACK(p), 0x09);
    cr_assert_not(board->level[INTR]);
    cr_assert_eq(read_reg(board, MASTER, READ_IRR), 0x00);
    cr_assert_eq(read_reg(board, MASTER, READ_ISR), 0x02);
    board_out8(board, MASTER, EOI);
    cr_assert_eq(board_in8(board, MASTER), 0x00);
    cr_assert_not(board->level[INTR], "a line that stays up is no other edge");
    line(&p, 1, true);
    cr_assert_not(board->level[INTR], "nor is one that is driven up again");
    line(&p, 1, false);
    line(&p, 1, true);
    cr_assert(board->level[INTR]);
}

Test(i8259, the_slave_is_acknowledged_through_input_2)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_ready(board);

    pulse(&p, 12);
    cr_assert(board->level[INTR]);
    cr_assert_eq(ACK(p), 0x74);
    cr_assert_eq(read_reg(board, MASTER, READ_ISR), 0x04);
    cr_assert_eq(read_reg(board, SLAVE, READ_ISR), 0x10);
    pulse(&p, 14);
    cr_assert_not(board->level[INTR], "14 waits for 12");
    board_out8(board, SLAVE, EOI);
    cr_assert_not(board->level[INTR], "the master still has 2 in service");
    board_out8(board, MASTER, EOI);
    cr_assert(board->level[INTR]);
    cr_assert_eq(ACK(p), 0x76);
}

Test(i8259, what_is_higher_interrupts_what_is_lower_and_not_the_other_way)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_ready(board);

    pulse(&p, 4);
    cr_assert_eq(ACK(p), 0x0c);
    pulse(&p, 4);
    pulse(&p, 5);
    cr_assert_not(board->level[INTR]);
    pulse(&p, 3);
    cr_assert(board->level[INTR]);
    cr_assert_eq(ACK(p), 0x0b);
    cr_assert_eq(read_reg(board, MASTER, READ_ISR), 0x18);
    board_out8(board, MASTER, EOI);
    cr_assert_eq(board_in8(board, MASTER), 0x10, "3 is ended first");
    board_out8(board, MASTER, 0x60 | 4);
    cr_assert_eq(board_in8(board, MASTER), 0x00);
    cr_assert_eq(ACK(p), 0x0c);
}

Test(i8259, with_nothing_there_it_is_input_7_which_is_not_in_service)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_ready(board);

    cr_assert_eq(ACK(p), 0x0f);
    cr_assert_eq(read_reg(board, MASTER, READ_ISR), 0x00);
    pulse(&p, 10);
    board_out8(board, SLAVE + 1, 0xff);
    cr_assert(board->level[INTR], "the master has latched it");
    cr_assert_eq(ACK(p), 0x77);
    cr_assert_eq(read_reg(board, MASTER, READ_ISR), 0x04, "which is why a guest ends it in the master only");
    cr_assert_eq(read_reg(board, SLAVE, READ_ISR), 0x00);
}

Test(i8259, a_masked_request_waits)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_ready(board);

    board_out8(board, MASTER + 1, 0x02);
    cr_assert_eq(board_in8(board, MASTER + 1), 0x02);
    pulse(&p, 1);
    cr_assert_not(board->level[INTR]);
    board_out8(board, MASTER + 1, 0x00);
    cr_assert(board->level[INTR]);
    cr_assert_eq(ACK(p), 0x09);
}

Test(i8259, elcr_makes_inputs_look_at_levels)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_ready(board);

    board_out8(board, 0x4d0, 0xff);
    board_out8(board, 0x4d1, 0xff);
    cr_assert_eq(board_in8(board, 0x4d0), 0xf8);
    cr_assert_eq(board_in8(board, 0x4d1), 0xde);
    line(&p, 11, true);
    cr_assert_eq(ACK(p), 0x73);
    board_out8(board, SLAVE, EOI);
    board_out8(board, MASTER, EOI);
    cr_assert(board->level[INTR], "the line is still up");
    cr_assert_eq(ACK(p), 0x73);
    line(&p, 11, false);
    board_out8(board, SLAVE, EOI);
    board_out8(board, MASTER, EOI);
    cr_assert_not(board->level[INTR]);
    line(&p, 5, true);
    line(&p, 5, false);
    cr_assert_not(board->level[INTR], "a level is not latched");
}

Test(i8259, a_line_that_is_up_when_elcr_changes_is_a_request)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_ready(board);

    line(&p, 5, true);
    cr_assert_eq(ACK(p), 0x0d);
    board_out8(board, MASTER, EOI);
    cr_assert_not(board->level[INTR]);
    board_out8(board, 0x4d0, 0x20);
    cr_assert(board->level[INTR]);
}

Test(i8259, automatic_eoi_keeps_nothing_in_service)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_new(board);

    init(board, MASTER, 0x30, 0x03);
    init(board, SLAVE, 0x38, 0x03);
    pulse(&p, 9);
    pulse(&p, 10);
    cr_assert_eq(ACK(p), 0x39);
    cr_assert_eq(read_reg(board, SLAVE, READ_ISR), 0x00);
    cr_assert(board->level[INTR], "what the slave has left is another edge for the master");
    cr_assert_eq(ACK(p), 0x3a);
    cr_assert_not(board->level[INTR]);
}

Test(i8259, automatic_eoi_can_rotate)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_new(board);

    init(board, MASTER, 0x30, 0x03);
    board_out8(board, MASTER, 0x80);
    pulse(&p, 0);
    cr_assert_eq(ACK(p), 0x30);
    pulse(&p, 0);
    pulse(&p, 7);
    cr_assert_eq(ACK(p), 0x37, "0 is the lowest now");
    cr_assert_eq(ACK(p), 0x30);
    board_out8(board, MASTER, 0x00);
    pulse(&p, 5);
    cr_assert_eq(ACK(p), 0x35);
    pulse(&p, 0);
    pulse(&p, 1);
    cr_assert_eq(ACK(p), 0x31, "it rotates no more: 0 is still the lowest");
}

Test(i8259, priorities_rotate_on_eoi_and_by_command)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_ready(board);

    pulse(&p, 4);
    cr_assert_eq(ACK(p), 0x0c);
    board_out8(board, MASTER, 0xa0); /* non-specific, rotate: figure "Rotation" of the data sheet */
    pulse(&p, 4);
    pulse(&p, 6);
    cr_assert_eq(ACK(p), 0x0e);
    board_out8(board, MASTER, 0xe0 | 6); /* specific, rotate: 7 is the highest */
    pulse(&p, 0);
    pulse(&p, 7);
    cr_assert_eq(ACK(p), 0x0f);
    board_out8(board, MASTER, EOI);
    board_out8(board, MASTER, 0xc0 | 3); /* set priority: 4 is the highest */
    cr_assert_eq(ACK(p), 0x0c);
    board_out8(board, MASTER, 0x40); /* nothing */
    cr_assert_eq(read_reg(board, MASTER, READ_ISR), 0x10);
    board_out8(board, MASTER, EOI);
    cr_assert_eq(ACK(p), 0x08);
}

Test(i8259, special_mask_mode_lets_lower_ones_through)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_ready(board);

    pulse(&p, 3);
    cr_assert_eq(ACK(p), 0x0b);
    pulse(&p, 6);
    board_out8(board, MASTER + 1, 0x08);
    cr_assert_not(board->level[INTR]);
    board_out8(board, MASTER, 0x68);
    cr_assert(board->level[INTR]);
    cr_assert_eq(ACK(p), 0x0e);
    board_out8(board, MASTER, EOI);
    cr_assert_eq(read_reg(board, MASTER, READ_ISR), 0x08, "what is masked is not ended by a non-specific EOI");
    board_out8(board, MASTER, EOI);
    cr_assert_eq(read_reg(board, MASTER, READ_ISR), 0x08);
    board_out8(board, MASTER, 0x28 | 0x00); /* no ESMM: SMM does not count */
    pulse(&p, 6);
    cr_assert(board->level[INTR]);
    board_out8(board, MASTER, 0x48);
    cr_assert_not(board->level[INTR]);
}

Test(i8259, special_fully_nested_mode_lets_the_slave_interrupt_itself)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_new(board);

    init(board, MASTER, 0x08, 0x11);
    init(board, SLAVE, 0x70, 0x01);
    pulse(&p, 12);
    cr_assert_eq(ACK(p), 0x74);
    pulse(&p, 4);
    cr_assert_not(board->level[INTR], "what is lower in the master stays out");
    pulse(&p, 13);
    cr_assert_not(board->level[INTR]);
    pulse(&p, 8);
    cr_assert(board->level[INTR]);
    cr_assert_eq(ACK(p), 0x70);
}

Test(i8259, a_poll_is_an_acknowledge)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_ready(board);

    cr_assert_eq(read_reg(board, MASTER, POLL) & 0x80, 0);
    pulse(&p, 5);
    board_out8(board, MASTER + 1, 0x01);
    cr_assert_eq(read_reg(board, MASTER, POLL), 0x85);
    cr_assert_not(board->level[INTR]);
    cr_assert_eq(board_in8(board, MASTER), 0x00, "it was for one read only");
    cr_assert_eq(read_reg(board, MASTER, READ_ISR), 0x20);
    pulse(&p, 3);
    board_out8(board, MASTER, POLL);
    cr_assert_eq(board_in8(board, MASTER + 1), 0x83, "from any port");
    cr_assert_eq(board_in8(board, MASTER + 1), 0x01);
    pulse(&p, 9);
    cr_assert_eq(read_reg(board, MASTER, POLL), 0x82);
    cr_assert_eq(read_reg(board, SLAVE, POLL | 0x03), 0x81, "a poll goes before another register");
}

Test(i8259, icw1_starts_over)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_ready(board);

    line(&p, 1, true);
    pulse(&p, 3);
    board_out8(board, 0x4d0, 0x20);
    line(&p, 5, true);
    cr_assert_eq(ACK(p), 0x09);
    board_out8(board, MASTER + 1, 0x5a);
    board_out8(board, MASTER, 0xc5);
    board_out8(board, MASTER, 0x68);
    board_out8(board, MASTER, READ_ISR);
    board_out8(board, MASTER, 0x11);
    cr_assert_eq(board_in8(board, MASTER), 0x20, "edges are forgotten, levels are not; IRR is read");
    cr_assert_eq(read_reg(board, MASTER, READ_ISR), 0x00);
    cr_assert_eq(board_in8(board, MASTER + 1), 0x00);
    cr_assert_eq(board_in8(board, 0x4d0), 0x20);
    board_out8(board, MASTER + 1, 0x47); /* low bits of ICW2 are the input's */
    board_out8(board, MASTER + 1, 0x04);
    board_out8(board, MASTER + 1, 0x01);
    board_out8(board, MASTER + 1, 0xfe); /* OCW1 */
    cr_assert_eq(board_in8(board, MASTER + 1), 0xfe);
    cr_assert_not(board->level[INTR]);
    board_out8(board, MASTER + 1, 0x00);
    cr_assert_eq(ACK(p), 0x45);
}

Test(i8259, the_words_that_icw1_does_not_announce_do_not_come)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_new(board);

    init(board, MASTER, 0x08, 0x03);
    board_out8(board, MASTER, 0x12); /* single, no ICW4 */
    board_out8(board, MASTER + 1, 0x50);
    board_out8(board, MASTER + 1, 0xf0);
    cr_assert_eq(board_in8(board, MASTER + 1), 0xf0, "a mask already");
    pulse(&p, 2);
    cr_assert_eq(ACK(p), 0x52, "no slave is asked");
    cr_assert_eq(read_reg(board, MASTER, READ_ISR), 0x04, "without ICW4 there is no automatic EOI");
    board_out8(board, MASTER, 0x13);
    board_out8(board, MASTER + 1, 0x60);
    board_out8(board, MASTER + 1, 0x03);
    cr_assert_eq(board_in8(board, MASTER + 1), 0x00, "that was ICW4");
    board_out8(board, MASTER, 0x10);
    board_out8(board, MASTER + 1, 0x70);
    board_out8(board, MASTER + 1, 0x04);
    board_out8(board, MASTER + 1, 0x81);
    cr_assert_eq(board_in8(board, MASTER + 1), 0x81, "cascade without ICW4");
}

Test(i8259, it_is_the_one_that_qemu_records)
{
    static const char *const recordings[] = {"a-kvm-min",           "b3-kvm-pc-alldefaults", "e-tcg-min",
                                             "j1-tcg-linux-virtio", "j2-kvm-linux-virtio",   "f3-kvm-pc-10s"};
    g_autoptr(Board) board = board_new();
    Pair p = pair_new(board);

    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++) {
        board_load_recorded(board, p.master, recordings[i], false);
        board_load_recorded(board, p.slave, recordings[i], false);
    }
    board_load_recorded(board, p.master, "j1-tcg-linux-virtio", false);
    cr_assert_eq(board_in8(board, MASTER), 0x13);
    cr_assert_eq(board_in8(board, MASTER + 1), 0xff);
    cr_assert_not(board->level[INTR]);
    board_out8(board, MASTER + 1, 0xfc);
    cr_assert_eq(ACK(p), 0x30);
}

Test(i8259, sections_answer_to_their_old_numbers)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_new(board);
    SectionList *sections = board->machine->sections;

    cr_assert_eq(section_list_find(sections, "i8259", 0)->opaque, p.master);
    cr_assert_eq(section_list_find(sections, "i8259", 0x20)->opaque, p.master);
    cr_assert_eq(section_list_find(sections, "i8259", 1)->opaque, p.slave);
    cr_assert_eq(section_list_find(sections, "i8259", 0xa0)->opaque, p.slave);
}

Test(i8259, a_loaded_request_raises_the_output_and_a_reset_takes_it_back)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_new(board);
    const uint8_t octets[16] = {[1] = 0x40, [5] = 0x28, [15] = 0x40};

    cr_assert(board_load(board, p.master, octets, 16, 1, NULL));
    cr_assert(board->level[INTR]);
    device_reset(p.master);
    cr_assert_not(board->level[INTR]);
    cr_assert_eq(board_in8(board, 0x4d0), 0);
    cr_assert_eq(board_in8(board, MASTER), 0);
    board_load(board, p.master, octets, 16, 1, NULL);
    cr_assert_eq(ACK(p), 0x2e);
}

Test(i8259, a_priority_or_a_step_that_does_not_exist_is_refused)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_new(board);
    const uint8_t priority[16] = {[4] = 8}, step[16] = {[9] = 4};
    g_autoptr(GError) error = NULL, other = NULL;

    cr_assert_not(board_load(board, p.master, priority, 16, 1, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert(strstr(error->message, "priority_add: is 8, must be below 8"), "%s", error->message);
    cr_assert_not(board_load(board, p.master, step, 16, 1, &other));
    cr_assert(strstr(other->message, "init_state: is 4, must be at most 3"), "%s", other->message);
}

Test(i8259, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_new(board);

    board_try_states(board, p.master, 300);
    board_try_states(board, p.slave, 300);
    board_abuse_ports(board, p.master, 0x20, 2, 3000);
    board_abuse_ports(board, p.slave, 0xa0, 2, 3000);
    board_abuse_ports(board, p.slave, 0x4d0, 2, 500);
}

Test(i8259, removed_it_is_no_longer_there)
{
    g_autoptr(Board) board = board_new();
    Pair p = pair_new(board);

    machine_remove_device(board->machine, p.slave);
    board_out8(board, SLAVE + 1, 0x12);
    cr_assert_eq(board_in8(board, SLAVE + 1), 0xff);
    cr_assert_eq(board_in8(board, 0x4d1), 0xff);
    cr_assert_null(section_list_find(board->machine->sections, "i8259", 1));
}
