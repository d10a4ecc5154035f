/*
 * sink.h: a sink that reads all it is told, counts it, and holds it against the contract in vmstate/stream.h.
 */
#ifndef TESTS_FUZZ_SUPPORT_SINK_H
#define TESTS_FUZZ_SUPPORT_SINK_H

#include "vmstate/stream.h"

typedef struct FuzzSink {
    StreamSink sink;
    unsigned calls, sections, records;
    bool told_header, told_end, in_slice;
    char *slice;   /* name of the one that is open, or was */
    size_t blocks; /* RAM blocks so far */
} FuzzSink;

FuzzSink *fuzz_sink_new(void);
void fuzz_sink_free(FuzzSink *sink);

#endif
