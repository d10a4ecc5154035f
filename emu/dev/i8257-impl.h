/*
 * i8257-impl.h: what the two files of the DMA controller have in common.
 */
#ifndef EMU_DEV_I8257_IMPL_H
#define EMU_DEV_I8257_IMPL_H

#include "emu/core/machine.h"
#include "emu/dev/i8257.h"

enum {
    DMA_CHANNELS = 4,

    DMA_DISABLE = 1 << 2, /* of the command */

    DMA_TYPE = 3 << 2, /* these are of a mode */
    DMA_VERIFY = 0 << 2,
    DMA_WRITE = 1 << 2, /* to memory */
    DMA_READ = 2 << 2,
    DMA_AUTOINIT = 1 << 4,
    DMA_DECREMENT = 1 << 5,
    DMA_SERVICE = 3 << 6,
    DMA_BLOCK = 2 << 6,
    DMA_CASCADE = 3 << 6,

    DMA_ADDRESS = 0, /* the two registers of a channel */
    DMA_COUNT = 1,
};

typedef struct DmaChannel {
    int32_t now[2];   /* address of the block's first octet, how many octets have gone */
    uint16_t base[2]; /* in the units of the channel */
    uint8_t mode;
    uint8_t page;
    uint8_t pageh;
    uint8_t dack;
    uint8_t eop; /* TC reached, and status not read */
} DmaChannel;

typedef struct DmaState {
    uint8_t command;
    uint8_t mask;
    uint8_t flip_flop;
    int32_t dshift;
    DmaChannel regs[DMA_CHANNELS];
} DmaState;

typedef struct I8257 I8257;
struct I8257 {
    Device dev;
    I8257 *other; /* of the first: the second; borrowed */
    IsaDmaClient clients[DMA_CHANNELS];
    SpaceId spaces[5];
    Timer again; /* goes on with a channel that started over */
    bool second, high_pages;
    uint16_t base, page_base;
    uint8_t dreq;     /* lines, one bit a channel */
    uint8_t software; /* requests by register */
    bool running, rerun;
    DmaState s;
};

/* Octets of a channel's block. */
size_t dma_block_size(const I8257 *p, const DmaChannel *c);

/* The address that comes next, in octets. */
int32_t dma_current_address(const DmaChannel *c);

/* Puts it there, where so many octets of the block have gone. */
void dma_set_current_address(DmaChannel *c, int32_t address);

/* Serves all channels that have a request. */
void dma_run(I8257 *p);

#endif
