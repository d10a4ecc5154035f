/* ram-stream.h: a stream with two blocks of memory in it, and the index of their pages behind it. */
#ifndef TESTS_SUPPORT_RAM_STREAM_H
#define TESTS_SUPPORT_RAM_STREAM_H

#include "vmstate/ram-index.h"

enum { RAM_STREAM_PAGES = 1000, RAM_STREAM_ROM = 5 };

typedef struct RamStream {
    ByteOut octets;
    size_t end;         /* of the stream, where the index starts */
    uint8_t *memory[2]; /* what the blocks "ram" and "rom" have */
    uint64_t size[2];
} RamStream;

/* A page in three is of zeros; runs do not come in the order of their pages. */
void ram_stream_init(RamStream *stream, bool ber, bool zstd);
void ram_stream_done(RamStream *stream);

#endif
