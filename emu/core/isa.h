/*
 * isa.h: what a device on the ISA bus needs of it: interrupt lines, DMA channels, and the machine's ports.
 *
 * The bus belongs to the bridge (PIIX3), which outlives the devices on it. An ISA device's wiring struct has an `isa`
 * member of this type's pointer, set before it is realized.
 */
#ifndef EMU_CORE_ISA_H
#define EMU_CORE_ISA_H

#include <stddef.h>
#include <stdint.h>

#include "emu/core/irq.h"

enum { ISA_IRQS = 16, ISA_DMA_CHANNELS = 8 };

/* A device that moves data by DMA. */
typedef struct IsaDmaClient {
    /*
     * Called while the channel's request is up and the channel is not masked, until it takes no more: `pos` octets of
     * `len` have gone; moves some through `read` or `write` below and returns how many have gone then. If that is
     * `len`, it is terminal count: the channel is masked then, or starts over if it is to autoinitialize. It may drop
     * its request meanwhile; while that is up, who returns `pos` is asked again when a register or a request changes.
     */
    size_t (*transfer)(void *opaque, unsigned channel, size_t pos, size_t len);
    void *opaque;
} IsaDmaClient;

/* The DMA controllers, as their clients see them. */
typedef struct IsaDmaOps {
    void (*attach)(void *opaque, unsigned channel, IsaDmaClient client);
    void (*request)(void *opaque, unsigned channel, bool level); /* the line DREQ */
    /*
     * Octets of the channel's block in memory, at `pos` in it. They return how many there were: 0 if the channel is for
     * the other direction. One that verifies touches no memory: reads give ones, writes go nowhere.
     */
    size_t (*read)(void *opaque, unsigned channel, size_t pos, void *data, size_t len);
    size_t (*write)(void *opaque, unsigned channel, size_t pos, const void *data, size_t len);
    /* May the channel move data from memory to the device (true) or from the device to memory? */
    bool (*reads_memory)(void *opaque, unsigned channel);
} IsaDmaOps;

typedef struct IsaBus {
    Irq irq[ISA_IRQS];
    const IsaDmaOps *dma; /* NULL: there are no controllers */
    void *dma_opaque;
} IsaBus;

#endif
