/*
 * convert.h: takes a stream to BER and back, in memory.
 */
#ifndef TESTS_FUZZ_SUPPORT_CONVERT_H
#define TESTS_FUZZ_SUPPORT_CONVERT_H

#include "visitors/chan.h"
#include "vmstate/stream.h"

/* Reads a stream and tells a sink; `how` is whatever the caller wants it to know. */
typedef bool FuzzLoad(ChanIn *in, const void *how, StreamSink *sink, GError **error);

/* One that reads BER. */
bool fuzz_load_ber(ChanIn *in, const void *how, StreamSink *sink, GError **error);

/* Reads it into the sink that looks at everything. False if it was refused; what is cut was not. */
bool fuzz_read(const uint8_t *data, size_t len, FuzzLoad *load, const void *how, unsigned choice);

typedef enum FuzzResult { FUZZ_REFUSED, FUZZ_CUT, FUZZ_WHOLE } FuzzResult;

/* Converts; `choice` decides how the input is read, and whether pages are packed. What was written until it was refused
 * is in `out`, too. */
FuzzResult fuzz_to_ber(const uint8_t *data, size_t len, FuzzLoad *load, const void *how, unsigned choice, ByteOut *out);
FuzzResult fuzz_to_qemufile(const uint8_t *data, size_t len, FuzzLoad *load, const void *how, unsigned choice,
                            ByteOut *out);

/* What reads, whole or cut, must come back from BER octet for octet. */
void fuzz_there_and_back(const uint8_t *data, size_t len, FuzzLoad *load, const void *how, unsigned choice);

#endif
