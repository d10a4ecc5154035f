/*
 * dma-rig.h: two DMA controllers of a PC, memory, and a device on one channel.
 */
#ifndef TESTS_EMU_DMA_RIG_H
#define TESTS_EMU_DMA_RIG_H

#include <criterion/criterion.h>

#include "emu/dev/dev.h"
#include "emu/dev/i8257.h"
#include "tests/emu/support/board.h"

enum {
    MEMORY = 0x60000,
    FIRST = 0x00,
    SECOND = 0xc0,
    COMMAND = 8,
    STATUS = 8,
    REQUEST = 9,
    SINGLE_MASK = 10,
    MODE = 11,
    CLEAR_FLIP_FLOP = 12,
    MASTER_CLEAR = 13,
    TEMPORARY = 13,
    CLEAR_MASK = 14,
    ALL_MASK = 15,

    DEMAND = 0x00,
    SINGLE = 0x40,
    BLOCK = 0x80,
    CASCADE = 0xc0,
    DECREMENT = 0x20,
    AUTOINIT = 0x10,
    VERIFY = 0x00,
    TO_MEMORY = 0x04,
    FROM_MEMORY = 0x08,
};

/* Two controllers, and a device on one channel. */
typedef struct Rig {
    Board *board;
    Device *first, *second;
    RamArea *ram;
    unsigned channel;
    uint8_t data[0x20000];
    size_t step;      /* octets in one call */
    size_t supply;    /* octets that it has or takes; then it drops its request */
    unsigned calls;   /* with which it was asked */
    size_t last_size; /* of the block */
    bool keeps_asking;
} Rig;

static inline const IsaDmaOps *ops(Rig *rig)
{
    return rig->board->isa.dma;
}

static inline void request(Rig *rig, bool level)
{
    ops(rig)->request(rig->board->isa.dma_opaque, rig->channel, level);
}

static inline size_t transfer(void *opaque, unsigned channel, size_t pos, size_t len)
{
    Rig *rig = opaque;
    size_t want = MIN(rig->step, rig->supply), gone;

    cr_assert_eq(channel, rig->channel);
    cr_assert_lt(pos, len);
    cr_assert_leq(len, sizeof(rig->data));
    rig->calls++;
    rig->last_size = len;
    if (ops(rig)->reads_memory(rig->board->isa.dma_opaque, channel))
        gone = ops(rig)->read(rig->board->isa.dma_opaque, channel, pos, rig->data + pos, want);
    else
        gone = ops(rig)->write(rig->board->isa.dma_opaque, channel, pos, rig->data + pos, want);
    if (!rig->keeps_asking)
        rig->supply -= gone;
    if (!rig->supply)
        request(rig, false);
    return pos + gone;
}

static inline Rig *rig_new(Board *board, unsigned channel)
{
    Rig *rig = g_new0(Rig, 1);

    rig->board = board;
    rig->channel = channel;
    rig->step = SIZE_MAX;
    rig->supply = SIZE_MAX;
    rig->first = i8257_new(false);
    rig->second = i8257_new(true);
    i8257_connect(rig->first, rig->second, &board->isa);
    board_add(board, rig->first);
    board_add(board, rig->second);
    rig->ram = ram_area_new("ram", MEMORY, MEMORY, NULL);
    machine_add_ram(board->machine, rig->ram);
    space_map(board->machine->memory, &(SpaceMapping){.size = MEMORY, .ram = rig->ram});
    ops(rig)->attach(board->isa.dma_opaque, channel, (IsaDmaClient){transfer, rig});
    for (size_t i = 0; i < sizeof(rig->data); i++)
        rig->data[i] = (uint8_t)(i * 7 + (i >> 8) + 1);
    return rig;
}

static inline uint16_t port(const Rig *rig, unsigned reg)
{
    return (uint16_t)(rig->channel < 4 ? FIRST + reg : SECOND + 2 * reg);
}

static inline void out(Rig *rig, unsigned reg, uint8_t value)
{
    board_out8(rig->board, port(rig, reg), value);
}

static inline uint8_t in(Rig *rig, unsigned reg)
{
    return board_in8(rig->board, port(rig, reg));
}

static inline void out_word(Rig *rig, unsigned reg, uint16_t value)
{
    out(rig, CLEAR_FLIP_FLOP, 0);
    out(rig, reg, (uint8_t)value);
    out(rig, reg, (uint8_t)(value >> 8));
}

static inline uint16_t in_word(Rig *rig, unsigned reg)
{
    out(rig, CLEAR_FLIP_FLOP, 0);
    uint8_t low = in(rig, reg);

    return (uint16_t)(low | in(rig, reg) << 8);
}

/* As a driver sets up a transfer; `address` and `count` as they go to the registers. */
static inline void program(Rig *rig, uint8_t mode, uint8_t page, uint16_t address, uint16_t count)
{
    static const uint8_t pages[8] = {0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a};
    uint8_t n = rig->channel % 4;

    out(rig, SINGLE_MASK, 4 | n);
    out(rig, MODE, mode | n);
    out_word(rig, 2 * n, address);
    out_word(rig, 2 * n + 1, count);
    board_out8(rig->board, pages[rig->channel], page);
    out(rig, SINGLE_MASK, n);
}

static inline void rig_free(Rig *rig)
{
    g_free(rig);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rig, rig_free)

#endif
