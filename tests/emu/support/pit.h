/*
 * pit.h: a board with an 8254, and a guest's hand on it. For test-i8254.c and test-i8254-modes.c.
 */
#ifndef TESTS_EMU_PIT_H
#define TESTS_EMU_PIT_H

#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "emu/dev/i8254.h"
#include "tests/emu/support/board.h"

enum { IRQ = 20, COUNTER_0 = 0x40, COUNTER_2 = 0x42, CONTROL = 0x43 };

/* Control words: channel, both octets, mode. */
enum { CHANNEL_2 = 2 << 6, WORD = 3 << 4, LOW = 1 << 4, HIGH = 2 << 4, BCD = 1 };
#define MODE(n) ((n) << 1)

/* Read-back commands, and what comes of them. */
enum { BACK_STATUS_2 = 0xe8, BACK_COUNT_2 = 0xd8, BACK_BOTH_2 = 0xc8, STATUS_OUT = 0x80, STATUS_NULL = 0x40 };

static inline Device *add_pit(Board *board)
{
    Device *dev = device_new(&i8254_type);

    device_connect_irq(dev, "irq", 0, board_probe(board, IRQ));
    return board_add(board, dev);
}

/* A board on which the speaker's gate is open: channel 2 is the one for which all can be tried. */
static inline Device *add_gated_pit(Board *board)
{
    Device *dev = add_pit(board);

    i8254_ops.set_gate(dev, 2, true);
    return dev;
}

/* Goes to the instant of that tick after `start_ns`. */
static inline void to_tick(Board *board, int64_t start_ns, int64_t tick)
{
    int64_t at = start_ns + tick * NS_PER_SECOND / PIT_HZ;

    cr_assert_geq(at, board->virtual_ns);
    board_advance(board, at - board->virtual_ns);
}

static inline void program(Board *board, unsigned channel, uint8_t mode, uint16_t count)
{
    board_out8(board, CONTROL, (uint8_t)(channel << 6 | WORD | mode));
    board_out8(board, (uint16_t)(COUNTER_0 + channel), (uint8_t)count);
    board_out8(board, (uint16_t)(COUNTER_0 + channel), (uint8_t)(count >> 8));
}

static inline void write_word(Board *board, unsigned channel, uint16_t count)
{
    board_out8(board, (uint16_t)(COUNTER_0 + channel), (uint8_t)count);
    board_out8(board, (uint16_t)(COUNTER_0 + channel), (uint8_t)(count >> 8));
}

static inline uint16_t read_word(Board *board, unsigned channel)
{
    uint16_t low = board_in8(board, (uint16_t)(COUNTER_0 + channel));

    return (uint16_t)(low | board_in8(board, (uint16_t)(COUNTER_0 + channel)) << 8);
}

static inline uint16_t latched(Board *board, unsigned channel)
{
    board_out8(board, CONTROL, (uint8_t)(channel << 6));
    return read_word(board, channel);
}

static inline uint8_t status_2(Board *board)
{
    board_out8(board, CONTROL, BACK_STATUS_2);
    return board_in8(board, COUNTER_2);
}

static inline bool out_2(Device *dev)
{
    return i8254_ops.out(dev, 2);
}

#endif
