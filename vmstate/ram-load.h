/*
 * ram-load.h: reads RAM records of the legacy wire (vmstate/FORMAT.md section 1.2) and gathers them to runs.
 */
#ifndef VMSTATE_RAM_LOAD_H
#define VMSTATE_RAM_LOAD_H

#include "visitors/chan.h"
#include "vmstate/stream.h"

typedef struct RamLoad {
    ChanIn *in; /* borrowed, as is sink */
    StreamSink *sink;
    RamBlocks blocks;
    uint64_t page_sizes; /* sum of those in use, where a command told; 0 otherwise */
    int last;            /* the block that CONTINUE means, -1: none yet */
    uint64_t record;     /* offset of the record that is being read */

    /* the run that is being gathered */
    RamRun run;
    uint64_t at[RAM_RUN_PAGES]; /* where each page's content is in the stream; 0: a zero page */
} RamLoad;

/* addressed: the configuration has the capability x-ignore-shared, so blocks are listed with an address. */
void ram_load_init(RamLoad *ram, ChanIn *in, StreamSink *sink, bool addressed);
void ram_load_done(RamLoad *ram);

/*
 * Reads records up to and including EOS and hands them to the sink. If it fails because the input ends, what is
 * complete has been handed over. In both cases the input is pinned at ram->record or before.
 */
bool ram_load_body(RamLoad *ram, GError **error);

#endif
