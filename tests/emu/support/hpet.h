/*
 * hpet.h: a board with an HPET, and a guest's hand on it. For test-hpet.c and test-hpet-state.c.
 */
#ifndef TESTS_EMU_HPET_H
#define TESTS_EMU_HPET_H

#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "emu/dev/hpet-impl.h"
#include "tests/emu/support/board.h"

enum { PIN_0 = 20, LEGACY = PIN_0 + HPET_PINS, MESSAGES = 0x10000 };

enum {
    ID = 0x000,
    PERIOD = 0x004,
    CONFIG = 0x010,
    STATUS = 0x020,
    COUNTER = 0x0f0,
    T0_CONFIG = 0x100,
    T0_COMPARATOR = 0x108,
    T0_FSB = 0x110,
    T1_CONFIG = 0x120,
    T1_COMPARATOR = 0x128,
    T2_CONFIG = 0x140,
    T2_COMPARATOR = 0x148,
    ENABLE = 1,
    ROUTE_2 = 2 << 9,
};

static inline Device *add_with(Board *board, bool msi)
{
    Device *dev = device_new(&hpet_type);

    ((Hpet *)dev)->msi = msi;
    for (unsigned n = 0; n < HPET_PINS; n++)
        device_connect_irq(dev, "irq", n, board_probe(board, PIN_0 + n));
    device_connect_irq(dev, "legacy", 0, board_probe(board, LEGACY));
    return board_add(board, dev);
}

static inline Device *add_hpet(Board *board)
{
    return add_with(board, false);
}

static inline uint32_t get(Board *board, unsigned reg)
{
    return (uint32_t)space_read(board->machine->memory, 0xfed00000 + reg, 4);
}

static inline uint64_t get64(Board *board, unsigned reg)
{
    return space_read(board->machine->memory, 0xfed00000 + reg, 8);
}

static inline void set(Board *board, unsigned reg, uint32_t value)
{
    space_write(board->machine->memory, 0xfed00000 + reg, value, 4);
}

static inline void set64(Board *board, unsigned reg, uint64_t value)
{
    space_write(board->machine->memory, 0xfed00000 + reg, value, 8);
}

static inline void advance_ticks(Board *board, int64_t ticks)
{
    board_advance(board, ticks * 10);
}

/* How often the pin has gone up. */
static inline unsigned rises(const Board *board, unsigned pin)
{
    return board->rises[PIN_0 + pin];
}

/* As Linux does it: the first write after TN_SET_VALUE is the first match, the second the period. */
static inline void start_periodic(Board *board, unsigned n, uint32_t first, uint32_t period, uint32_t more)
{
    set(board, T0_CONFIG + 0x20 * n, TN_ENABLE | TN_PERIODIC | TN_SET_VALUE | ROUTE_2 | more);
    set64(board, T0_COMPARATOR + 0x20 * n, first);
    set64(board, T0_COMPARATOR + 0x20 * n, period);
}

#endif
