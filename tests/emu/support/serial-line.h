/*
 * serial-line.h: a serial port with memory at its other end, for the tests of its behaviour and of its state.
 */
#ifndef TESTS_EMU_SERIAL_LINE_H
#define TESTS_EMU_SERIAL_LINE_H

#include <criterion/criterion.h>
#include <string.h>

#include "emu/dev/serial.h"
#include "tests/emu/support/board.h"

enum { BASE = 0x3f8, IRQ = 4 };
enum { RBR = BASE, THR = BASE, DLL = BASE, IER, DLM = IER, IIR, FCR = IIR, LCR, MCR, LSR, MSR, SCR };

/* Interrupts of IIR, without the two bits of the FIFOs. */
enum { NOTHING = 0x01, MODEM = 0x00, EMPTY = 0x02, DATA = 0x04, STATUS = 0x06, TIMEOUT = 0x0c };

/* 115200 baud, 8N1: ten bits. */
enum { CHARACTER_NS = 86805, FOUR_NS = 347222 };

typedef struct Line {
    Board *board;
    Chardev *chardev;
    Device *dev;
} Line;

static inline Line line_new(const ChardevMemory *options)
{
    Line l = {.board = board_new()};
    const ChardevHome home = {.label = "serial0", .lock = l.board->machine->lock};

    l.chardev = chardev_new_memory(&home, options);
    l.dev = board_add(l.board, serial_new(&(SerialOptions){&l.board->isa, l.chardev, BASE, IRQ}));
    return l;
}

static inline void line_done(Line *l)
{
    board_free(l->board);
    chardev_free(l->chardev);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Line, line_done)

static inline uint8_t in(const Line *l, uint16_t port)
{
    return board_in8(l->board, port);
}

static inline void out(const Line *l, uint16_t port, uint8_t value)
{
    board_out8(l->board, port, value);
}

static inline bool irq(const Line *l)
{
    return l->board->level[IRQ];
}

static inline void feed(const Line *l, const char *text)
{
    chardev_memory_feed(l->chardev, text, strlen(text));
}

static inline void assert_sent(const Line *l, const char *text)
{
    char data[256];
    size_t len = chardev_memory_read(l->chardev, data, sizeof data);

    cr_assert_eq(len, strlen(text), "%zu characters went: %.*s", len, (int)len, data);
    cr_assert_arr_eq(data, text, len);
}

#endif
