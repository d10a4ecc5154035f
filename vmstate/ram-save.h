/* ram-save.h: writes RAM records of the legacy wire (vmstate/FORMAT.md section 1.2). */
#ifndef VMSTATE_RAM_SAVE_H
#define VMSTATE_RAM_SAVE_H

#include "visitors/chan.h"
#include "vmstate/ram.h"

typedef struct RamSave {
    ChanOut *out;     /* borrowed */
    GPtrArray *names; /* of the blocks, in order */
    int last;         /* the block that CONTINUE means, -1: none yet */
} RamSave;

void ram_save_init(RamSave *ram, ChanOut *out);
void ram_save_done(RamSave *ram);

/* The list of blocks from number `first` on; only remembered if the channel has no list. */
void ram_save_blocks(RamSave *ram, const RamBlocks *blocks, size_t first);
void ram_save_run(RamSave *ram, const RamRun *run);
void ram_save_piece(RamSave *ram, const RamPiece *piece);
void ram_save_eos(RamSave *ram);

#endif
