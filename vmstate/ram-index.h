/*
 * ram-index.h: where in a stream each page of memory is (vmstate/FORMAT.md section 2.6), so that pages can be read in
 * any order, and the rest without them.
 *
 * It stands behind the stream, at the very end of what holds both. Readers of a stream stop before it.
 */
#ifndef VMSTATE_RAM_INDEX_H
#define VMSTATE_RAM_INDEX_H

#include "visitors/chan.h"
#include "vmstate/stream.h"

typedef enum RamIndexFormat { RAM_INDEX_QEMUFILE, RAM_INDEX_BER } RamIndexFormat;

/* Pages in a row whose records are, too. */
typedef struct RamIndexRun {
    uint32_t block;
    uint32_t count, full; /* as in RamRun; full 0: all are of zeros, and need not be read */
    uint32_t len;         /* octets of the records */
    uint64_t first;       /* page */
    uint64_t offset;      /* of the records in the stream */
    uint64_t check;       /* QEMUFile: XXH3-64 over the pages with content; BER: the record's own */
    uint32_t number;      /* of the run in the stream */
} RamIndexRun;

/* --- writing ------------------------------------------------------------------------------------------------------ */

/*
 * A sink of runs that passes them on to `sink`, a writer of that format to `out`, and notes where they are. All is
 * borrowed. The runs must come without anything between them.
 */
typedef struct RamIndexer RamIndexer;
RamIndexer *ram_indexer_new(RamIndexFormat format, StreamSink *sink, const ChanOut *out);
void ram_indexer_free(RamIndexer *indexer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RamIndexer, ram_indexer_free)
StreamSink *ram_indexer_sink(RamIndexer *indexer);

/* Behind the whole stream. Memory of more than a TiB gets none. */
void ram_indexer_put(const RamIndexer *indexer, const RamBlocks *blocks, ChanOut *out);

/* --- reading ------------------------------------------------------------------------------------------------------ */

typedef struct RamIndex {
    RamIndexFormat format;
    uint64_t stream_length;
    RamBlocks blocks;
    RamIndexRun *runs; /* by block and page: all pages of all blocks, each once */
    uint32_t run_count;
    uint64_t content; /* octets of the records of those that are not zeros */
    uint64_t ordinal; /* BER: of the first record */
    StreamGap gap;    /* all of the runs */
} RamIndex;

/*
 * The octets of a stream at the start of the channel, which can seek: all, or those before an index. -1: it cannot be
 * read.
 */
int64_t ram_index_stream_length(Chan *chan, GError **error);

/* NULL: there is none, or it is not sound. The error says which. */
RamIndex *ram_index_read(Chan *chan, GError **error);
void ram_index_free(RamIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RamIndex, ram_index_free)

/* The run that has the page. NULL: it is beyond the block. */
const RamIndexRun *ram_index_find(const RamIndex *index, uint32_t block, uint64_t page);

/* Reads a run from the channel and tells it to `sink` as ram_runs, when all of it is there and its check is right. */
bool ram_index_fetch(const RamIndex *index, const RamIndexRun *run, Chan *chan, StreamSink *sink, GError **error);

/* A channel (`chan` taken) that ends where the stream does. */
Chan *ram_index_stream_chan(Chan *chan, GError **error);

#endif
