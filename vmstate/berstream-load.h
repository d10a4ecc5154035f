/*
 * berstream-load.h: reads a BER stream and tells a sink what it says (vmstate/FORMAT.md part 2).
 */
#ifndef VMSTATE_BERSTREAM_LOAD_H
#define VMSTATE_BERSTREAM_LOAD_H

#include "visitors/chan.h"
#include "vmstate/stream.h"

/*
 * Reads from `in`, borrowed, which stands at the stream's first octet, to the end. Nothing of a record is believed
 * before its check has been. A cut input is told as stream_load tells one. borrowed: as in StreamSource; or NULL.
 */
bool berstream_load(ChanIn *in, const Schema *borrowed, StreamSink *sink, GError **error);

/*
 * Only one record of pages, at which `in` stands: number `ordinal` of the stream, whose blocks are `blocks`. The sink
 * is told of nothing else.
 */
bool berstream_load_run(ChanIn *in, uint64_t ordinal, const RamBlocks *blocks, StreamSink *sink, GError **error);

/* Only the schema, as far as it comes before anything else: what a destination judges before RAM moves. */
Schema *berstream_load_schema(ChanIn *in, GError **error);

/* Do the first octets look like a BER stream, perhaps a damaged one? 32 are enough to tell. */
bool berstream_probe(const uint8_t *data, size_t len);

#endif
