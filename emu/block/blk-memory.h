/* blk-memory.h: a disk in memory, for tests of what uses disks: it fails, and lets wait, when it is told to. */
#ifndef EMU_BLOCK_BLK_MEMORY_H
#define EMU_BLOCK_BLK_MEMORY_H

#include "emu/block/block.h"

typedef struct BlkMemory {
    GMainContext *context; /* NULL: the default one */
    uint64_t length;       /* octets, a multiple of 512 */
    bool read_only, discard;
} BlkMemory;

/* Zeros. All functions here are for the context's thread. */
Block *blk_memory_new(const BlkMemory *options, GError **error);

uint8_t *blk_memory_data(Block *block); /* borrowed */

/* The nth request from now on that gets to the disk (0: the next) ends with this errno and does nothing. Once. */
void blk_memory_fail(Block *block, unsigned nth, int error);

/* How many requests of this kind have got to the disk. What ends at once, being unsound, does not. */
unsigned blk_memory_count(const Block *block, BlockOp op);

/* From now on requests wait for blk_memory_release; or no more do, and those that have ended. */
void blk_memory_hold(Block *block, bool hold);

unsigned blk_memory_held(const Block *block);

/* One of those that wait, 0 being the oldest: borrowed until it is released. */
const BlockRequest *blk_memory_request(const Block *block, unsigned index);

/* Does it, and it ends. What it reads and writes is read and written now, not before. */
void blk_memory_release(Block *block, unsigned index);

#endif
