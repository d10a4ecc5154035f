/*
 * test-serial.c: the UART 16550A. What is expected is what the PC16550D data sheet says. Its state:
 * test-serial-state.c.
 */
#include "tests/emu/support/serial-line.h"

/* --- registers -------------------------------------------------------------------------------------------------- */

Test(serial, after_reset_it_is_as_table_i_says)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    for (int twice = 0; twice < 2; twice++) {
        cr_assert_eq(in(&l, IER), 0);
        cr_assert_eq(in(&l, IIR), NOTHING);
        cr_assert_eq(in(&l, LCR), 0);
        cr_assert_eq(in(&l, LSR), 0x60);
        cr_assert_eq(in(&l, MSR) & 0x0f, 0);
        cr_assert_not(irq(&l));
        out(&l, FCR, 0x01);
        out(&l, IER, 0x0f);
        out(&l, LCR, 0x1b);
        cr_assert(irq(&l));
        machine_reset(l.board->machine);
    }
}

Test(serial, unused_bits_of_ier_and_mcr_are_0)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, IER, 0xff);
    cr_assert_eq(in(&l, IER), 0x0f);
    out(&l, MCR, 0xff);
    cr_assert_eq(in(&l, MCR), 0x1f);
}

Test(serial, scr_and_lcr_keep_any_octet)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    for (unsigned v = 0; v < 256; v++) {
        out(&l, SCR, (uint8_t)v);
        out(&l, LCR, (uint8_t)~v);
        cr_assert_eq(in(&l, SCR), v);
        cr_assert_eq(in(&l, LCR), (uint8_t)~v);
    }
}

Test(serial, dlab_puts_the_divisor_in_front_of_data_and_ier)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, IER, 0x05);
    out(&l, LCR, 0x80);
    out(&l, DLL, 0x34);
    out(&l, DLM, 0x12);
    cr_assert_eq(in(&l, DLL), 0x34);
    cr_assert_eq(in(&l, DLM), 0x12);
    out(&l, LCR, 0x03);
    cr_assert_eq(in(&l, IER), 0x05);
    assert_sent(&l, "");
    out(&l, LCR, 0x83);
    cr_assert_eq(in(&l, DLL), 0x34);
    cr_assert_eq(in(&l, DLM), 0x12);
}

Test(serial, lsr_and_msr_are_not_written)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});
    uint8_t msr = in(&l, MSR);

    out(&l, LSR, 0x1f);
    out(&l, MSR, 0xff);
    cr_assert_eq(in(&l, LSR), 0x60);
    cr_assert_eq(in(&l, MSR), msr);
}

Test(serial, the_modem_that_is_always_there_has_cts_dsr_and_dcd)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    cr_assert_eq(in(&l, MSR), 0xb0);
}

/* --- transmitter ------------------------------------------------------------------------------------------------ */

Test(serial, what_is_written_goes_out)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, THR, 'h');
    cr_assert_eq(in(&l, LSR), 0x60);
    out(&l, FCR, 0x01);
    out(&l, THR, 'i');
    cr_assert_eq(in(&l, LSR), 0x60);
    assert_sent(&l, "hi");
}

Test(serial, thre_is_told_when_it_is_enabled_and_until_iir_is_read)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, IER, 0x02);
    cr_assert(irq(&l));
    cr_assert_eq(in(&l, IIR), EMPTY);
    cr_assert_not(irq(&l));
    cr_assert_eq(in(&l, IIR), NOTHING);
    /* What is already enabled is not enabled again. */
    out(&l, IER, 0x02);
    cr_assert_not(irq(&l));
    out(&l, IER, 0x00);
    out(&l, IER, 0x02);
    cr_assert_eq(in(&l, IIR), EMPTY);
}

Test(serial, each_character_that_has_gone_is_told_with_an_edge)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, IER, 0x02);
    unsigned rises = l.board->rises[IRQ];
    out(&l, THR, 'a');
    cr_assert_eq(l.board->rises[IRQ], rises + 1);
    out(&l, THR, 'b');
    cr_assert_eq(l.board->rises[IRQ], rises + 2);
    cr_assert_eq(in(&l, IIR), EMPTY);
}

Test(serial, reading_iir_for_something_else_leaves_thre_pending)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, IER, 0x03);
    feed(&l, "x");
    cr_assert_eq(in(&l, IIR), DATA);
    cr_assert_eq(in(&l, RBR), 'x');
    cr_assert_eq(in(&l, IIR), EMPTY);
    cr_assert_eq(in(&l, IIR), NOTHING);
}

Test(serial, what_the_other_end_does_not_take_waits_in_tsr_and_thr)
{
    g_auto(Line) l = line_new(&(ChardevMemory){.size = 1, .patient = true});

    out(&l, THR, 'a');
    cr_assert_eq(in(&l, LSR), 0x60);
    out(&l, THR, 'b');
    cr_assert_eq(in(&l, LSR), 0x20, "THR is empty, TSR is not");
    out(&l, IER, 0x02);
    in(&l, IIR);
    out(&l, THR, 'c');
    cr_assert_eq(in(&l, LSR), 0x00);
    cr_assert_not(irq(&l));
    assert_sent(&l, "a");
    cr_assert_eq(in(&l, LSR), 0x20);
    cr_assert(irq(&l));
    assert_sent(&l, "b");
    assert_sent(&l, "c");
    cr_assert_eq(in(&l, LSR), 0x60);
    assert_sent(&l, "");
}

Test(serial, the_fifo_holds_16_besides_tsr)
{
    g_auto(Line) l = line_new(&(ChardevMemory){.size = 1, .patient = true});
    const char *text = "0123456789abcdefgh";

    out(&l, FCR, 0x01);
    for (const char *c = text; *c; c++)
        out(&l, THR, (uint8_t)*c);
    out(&l, IER, 0x02);
    cr_assert_eq(in(&l, LSR), 0x00);
    for (const char *c = text; *c; c++) {
        /* 18 characters: one is at the other end, one in TSR; THRE comes with the last one that leaves the FIFO. */
        cr_assert_eq(in(&l, LSR) & 0x20, c >= text + 16 ? 0x20 : 0, "at %c", *c);
        cr_assert_eq(irq(&l), c >= text + 16);
        assert_sent(&l, (const char[]){*c, 0});
    }
    cr_assert_eq(in(&l, LSR), 0x60);
}

/* The data sheet leaves that open; QEMU loses the oldest. */
Test(serial, a_full_transmit_fifo_loses_its_oldest)
{
    g_auto(Line) l = line_new(&(ChardevMemory){.size = 1, .patient = true});

    out(&l, FCR, 0x01);
    for (char c = 'A'; c < 'A' + 22; c++)
        out(&l, THR, (uint8_t)c);
    assert_sent(&l, "A");
    assert_sent(&l, "B");
    for (char c = 'A' + 6; c < 'A' + 22; c++)
        assert_sent(&l, (const char[]){c, 0});
    assert_sent(&l, "");
}

Test(serial, resetting_the_transmit_fifo_leaves_tsr)
{
    g_auto(Line) l = line_new(&(ChardevMemory){.size = 1, .patient = true});

    out(&l, FCR, 0x01);
    for (const char *c = "abcd"; *c; c++)
        out(&l, THR, (uint8_t)*c);
    cr_assert_eq(in(&l, LSR), 0x00);
    out(&l, FCR, 0x05);
    cr_assert_eq(in(&l, LSR), 0x20);
    assert_sent(&l, "a");
    assert_sent(&l, "b");
    assert_sent(&l, "");
    cr_assert_eq(in(&l, LSR), 0x60);
}

Test(serial, what_waits_when_loopback_begins_comes_back)
{
    g_auto(Line) l = line_new(&(ChardevMemory){.size = 1, .patient = true});

    out(&l, FCR, 0x01);
    for (const char *c = "abcd"; *c; c++)
        out(&l, THR, (uint8_t)*c);
    cr_assert_eq(in(&l, LSR), 0x00);
    out(&l, MCR, 0x10);
    cr_assert_eq(in(&l, LSR), 0x61);
    for (const char *c = "bcd"; *c; c++)
        cr_assert_eq(in(&l, RBR), *c);
    cr_assert_eq(in(&l, LSR), 0x60);
    out(&l, MCR, 0x00);
    assert_sent(&l, "a");
    assert_sent(&l, "");
}

Test(serial, with_nobody_at_the_other_end_all_goes)
{
    g_autoptr(Board) board = board_new();

    board_add(board, serial_new(&(SerialOptions){&board->isa, NULL, 0x2f8, 3}));
    for (int i = 0; i < 100; i++)
        board_out8(board, 0x2f8, 'x');
    cr_assert_eq(board_in8(board, 0x2fd), 0x60);
    board_out8(board, 0x2f9, 0x02);
    cr_assert(board->level[3]);
}

/* --- receiver --------------------------------------------------------------------------------------------------- */

Test(serial, a_character_is_told_until_it_is_read)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, IER, 0x01);
    feed(&l, "ab");
    cr_assert(irq(&l));
    cr_assert_eq(in(&l, IIR), DATA);
    cr_assert_eq(in(&l, LSR), 0x61);
    cr_assert(irq(&l));
    cr_assert_eq(in(&l, RBR), 'a');
    /* The second waited at the other end; nothing is overrun. */
    cr_assert_eq(in(&l, LSR), 0x61);
    cr_assert_eq(in(&l, RBR), 'b');
    cr_assert_eq(in(&l, LSR), 0x60);
    cr_assert_not(irq(&l));
}

Test(serial, the_fifo_tells_at_its_trigger)
{
    static const uint8_t levels[] = {1, 4, 8, 14};

    for (unsigned i = 0; i < 4; i++) {
        g_auto(Line) l = line_new(&(ChardevMemory){0});
        out(&l, FCR, (uint8_t)(i << 6 | 0x01));
        out(&l, IER, 0x01);
        for (unsigned n = 1; n <= levels[i]; n++) {
            cr_assert_not(irq(&l), "trigger %u: %u are enough", levels[i], n - 1);
            feed(&l, "x");
            cr_assert_eq(in(&l, LSR), 0x61);
        }
        cr_assert(irq(&l));
        cr_assert_eq(in(&l, IIR), 0xc0 | DATA);
        in(&l, RBR);
        cr_assert_not(irq(&l), "below the trigger again");
        cr_assert_eq(in(&l, IIR), 0xc0 | NOTHING);
    }
}

Test(serial, the_fifo_gives_what_came_in_order_and_the_rest_waits)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});
    const char *text = "0123456789abcdefghijklmn";

    out(&l, FCR, 0xc1);
    for (const char *c = text; *c; c++)
        feed(&l, (const char[]){*c, 0});
    for (const char *c = text; *c; c++) {
        cr_assert_eq(in(&l, LSR), 0x61);
        cr_assert_eq(in(&l, RBR), *c);
    }
    cr_assert_eq(in(&l, LSR), 0x60);
    cr_assert_eq(in(&l, RBR), 0);
}

Test(serial, more_than_the_trigger_waits_at_the_other_end)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, FCR, 0x81);
    feed(&l, "0123456789");
    /* Eight are lost with the FIFO, the others were not in it. */
    out(&l, FCR, 0x83);
    cr_assert_eq(in(&l, RBR), '8');
    cr_assert_eq(in(&l, RBR), '9');
    cr_assert_eq(in(&l, LSR), 0x60);
}

/* Section 8.11: characters are there, and nothing came or went for four times the time of one. */
Test(serial, what_lies_in_the_fifo_for_four_characters_is_told)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, LCR, 0x83);
    out(&l, DLL, 1);
    out(&l, LCR, 0x03);
    out(&l, FCR, 0x81);
    out(&l, IER, 0x01);
    feed(&l, "abc");
    board_advance(l.board, 3 * CHARACTER_NS);
    feed(&l, "d");
    board_advance(l.board, FOUR_NS - 10);
    cr_assert_not(irq(&l), "the fourth character did not start it again");
    board_advance(l.board, 20);
    cr_assert(irq(&l));
    cr_assert_eq(in(&l, IIR), 0xc0 | TIMEOUT);
    cr_assert_eq(in(&l, IIR), 0xc0 | TIMEOUT);
    cr_assert_eq(in(&l, RBR), 'a');
    cr_assert_eq(in(&l, IIR), 0xc0 | NOTHING);
    board_advance(l.board, FOUR_NS + 10);
    cr_assert_eq(in(&l, IIR), 0xc0 | TIMEOUT);
    for (int i = 0; i < 3; i++)
        in(&l, RBR);
    board_advance(l.board, FOUR_NS * 4);
    cr_assert_eq(in(&l, IIR), 0xc0 | NOTHING);
}

Test(serial, the_timeout_follows_the_divisor_and_the_word)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    /* 9600 baud, 7E2: eleven bits, 1.1458 ms; four of them are 4.583333 ms. */
    out(&l, LCR, 0x80);
    out(&l, DLL, 12);
    out(&l, LCR, 0x1e);
    out(&l, FCR, 0xc1);
    out(&l, IER, 0x01);
    feed(&l, "x");
    board_advance(l.board, 4583300);
    cr_assert_not(irq(&l));
    board_advance(l.board, 50);
    cr_assert(irq(&l));
}

Test(serial, turning_the_fifos_on_or_off_empties_them)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, FCR, 0xc1);
    feed(&l, "abc");
    out(&l, FCR, 0x00);
    cr_assert_eq(in(&l, LSR), 0x60);
    cr_assert_eq(in(&l, IIR), NOTHING);
    feed(&l, "d");
    cr_assert_eq(in(&l, LSR), 0x61);
    out(&l, FCR, 0x01);
    cr_assert_eq(in(&l, LSR), 0x60);
    cr_assert_eq(in(&l, IIR), 0xc0 | NOTHING);
}

Test(serial, resetting_the_receive_fifo_ends_its_timeout)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, FCR, 0xc1);
    out(&l, IER, 0x01);
    feed(&l, "abc");
    board_advance(l.board, NS_PER_SECOND);
    cr_assert(irq(&l));
    out(&l, FCR, 0xc3);
    cr_assert_not(irq(&l));
    cr_assert_eq(in(&l, LSR), 0x60);
    board_advance(l.board, NS_PER_SECOND);
    cr_assert_not(irq(&l));
}

Test(serial, a_break_is_a_zero_with_bi_until_lsr_is_read)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    for (uint8_t fcr = 0; fcr < 2; fcr++) {
        out(&l, FCR, fcr);
        out(&l, IER, 0x05);
        chardev_send_break(l.chardev);
        cr_assert_eq(in(&l, IIR) & 0x0f, STATUS);
        cr_assert_eq(in(&l, LSR), 0x71);
        cr_assert_eq(in(&l, IIR) & 0x0f, DATA);
        cr_assert_eq(in(&l, LSR), 0x61);
        cr_assert_eq(in(&l, RBR), 0);
        cr_assert_eq(in(&l, LSR), 0x60);
        cr_assert_not(irq(&l));
    }
}

Test(serial, interrupts_have_the_order_of_table_iv)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, MCR, 0x10);
    out(&l, MCR, 0x12);
    out(&l, THR, 'x');
    out(&l, THR, 'y');
    out(&l, IER, 0x0f);
    cr_assert_eq(in(&l, IIR), STATUS);
    cr_assert_eq(in(&l, LSR), 0x63);
    cr_assert_eq(in(&l, IIR), DATA);
    cr_assert_eq(in(&l, RBR), 'y');
    cr_assert_eq(in(&l, IIR), EMPTY);
    cr_assert_eq(in(&l, IIR), MODEM);
    cr_assert(irq(&l));
    in(&l, MSR);
    cr_assert_eq(in(&l, IIR), NOTHING);
    cr_assert_not(irq(&l));
}

Test(serial, an_interrupt_that_is_not_enabled_is_not_told)
{
    static const uint8_t what[] = {DATA, EMPTY, STATUS, MODEM};

    for (unsigned bit = 0; bit < 4; bit++) {
        g_auto(Line) l = line_new(&(ChardevMemory){0});
        out(&l, MCR, 0x10);
        out(&l, MCR, 0x12);
        out(&l, THR, 'x');
        out(&l, THR, 'y');
        cr_assert_not(irq(&l));
        out(&l, IER, (uint8_t)(1 << bit));
        cr_assert(irq(&l));
        cr_assert_eq(in(&l, IIR), what[bit]);
        out(&l, IER, 0);
        cr_assert_not(irq(&l));
    }
}

/* --- loopback --------------------------------------------------------------------------------------------------- */

Test(serial, in_loopback_the_modem_s_outputs_are_its_inputs)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    for (uint8_t mcr = 0; mcr < 16; mcr++) {
        out(&l, MCR, 0x10 | mcr);
        /* DTR is DSR, RTS is CTS, OUT1 is RI, OUT2 is DCD. */
        uint8_t expected = (mcr & 1 ? 0x20 : 0) | (mcr & 2 ? 0x10 : 0) | (mcr & 4 ? 0x40 : 0) | (mcr & 8 ? 0x80 : 0);
        cr_assert_eq(in(&l, MSR) & 0xf0, expected);
    }
    out(&l, MCR, 0x0f);
    cr_assert_eq(in(&l, MSR) & 0xf0, 0xb0);
}

Test(serial, deltas_are_told_once_and_of_ri_only_the_trailing_edge)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, MCR, 0x10);
    in(&l, MSR);
    cr_assert_eq(in(&l, MSR), 0x00);
    out(&l, MCR, 0x12);
    cr_assert_eq(in(&l, MSR), 0x11);
    cr_assert_eq(in(&l, MSR), 0x10);
    out(&l, MCR, 0x11);
    cr_assert_eq(in(&l, MSR), 0x23);
    out(&l, MCR, 0x15);
    cr_assert_eq(in(&l, MSR), 0x60, "the leading edge of RI");
    out(&l, MCR, 0x11);
    cr_assert_eq(in(&l, MSR), 0x24, "its trailing edge");
    out(&l, MCR, 0x19);
    cr_assert_eq(in(&l, MSR), 0xa8);
}

Test(serial, in_loopback_it_receives_what_it_sends)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, MCR, 0x10);
    out(&l, THR, 0x55);
    cr_assert_eq(in(&l, LSR), 0x61);
    cr_assert_eq(in(&l, RBR), 0x55);
    cr_assert_eq(in(&l, LSR), 0x60);
    assert_sent(&l, "");
    /* What comes from outside waits. */
    feed(&l, "z");
    cr_assert_eq(in(&l, LSR), 0x60);
    out(&l, MCR, 0x00);
    cr_assert_eq(in(&l, RBR), 'z');
}

Test(serial, an_overrun_loses_the_old_without_fifos_and_the_new_with_them)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, MCR, 0x10);
    out(&l, THR, 1);
    out(&l, THR, 2);
    cr_assert_eq(in(&l, LSR), 0x63);
    cr_assert_eq(in(&l, LSR), 0x61);
    cr_assert_eq(in(&l, RBR), 2);
    out(&l, FCR, 0x01);
    for (uint8_t n = 0; n < 17; n++)
        out(&l, THR, n);
    cr_assert_eq(in(&l, LSR), 0x63);
    for (uint8_t n = 0; n < 16; n++)
        cr_assert_eq(in(&l, RBR), n);
    cr_assert_eq(in(&l, LSR), 0x60);
}
