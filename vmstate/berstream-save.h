/*
 * berstream-save.h: writes a BER stream (vmstate/FORMAT.md part 2).
 */
#ifndef VMSTATE_BERSTREAM_SAVE_H
#define VMSTATE_BERSTREAM_SAVE_H

#include "visitors/chan.h"
#include "vmstate/stream.h"

typedef struct BerstreamOptions {
    const char *writer, *writer_version; /* for the header; borrowed */
    bool zstd;                           /* pack pages */
    int level;                           /* of zstd; 0: its default */
    Chan *origin; /* the digest channel that the input is read through, if that is a stream to come back to; borrowed,
                     may be NULL */
} BerstreamOptions;

/* A sink that writes to `out`, borrowed. */
StreamSink *berstream_save_new(ChanOut *out, const BerstreamOptions *options);
void berstream_save_free(StreamSink *sink);

/* The check of the last record, and its number. */
uint64_t berstream_save_last(StreamSink *sink, uint64_t *ordinal);

#endif
