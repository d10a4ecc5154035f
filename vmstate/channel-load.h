/*
 * channel-load.h: reads the other channels of a migration, recorded on their own (vmstate/FORMAT.md section 1.5).
 */
#ifndef VMSTATE_CHANNEL_LOAD_H
#define VMSTATE_CHANNEL_LOAD_H

#include "visitors/chan.h"
#include "vmstate/stream.h"

/* Reads `in`, borrowed, to its end: a channel of kind MULTIFD, PREEMPT or RETURN_PATH. Fails as stream_load does. */
bool channel_load(ChanIn *in, StreamKind kind, StreamSink *sink, GError **error);

/* A multifd channel packet by packet: the greeting is the first step. `in` and `sink` are borrowed. */
typedef struct ChannelReader ChannelReader;

ChannelReader *channel_reader_new(ChanIn *in, StreamSink *sink);
void channel_reader_free(ChannelReader *reader);

/* Reads one packet and tells the sink. *end: there was none. */
bool channel_reader_step(ChannelReader *reader, bool *end, GError **error);

/* Which kind do the first octets of a recording look like? `whole`: they are all of it. STREAM_KINDS if none. */
StreamKind channel_probe(const uint8_t *data, size_t len, bool whole);

#endif
