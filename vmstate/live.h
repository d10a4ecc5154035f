/*
 * live.h: the live sections that are not RAM: block migration and dirty bitmaps (vmstate/FORMAT.md section 1.3).
 */
#ifndef VMSTATE_LIVE_H
#define VMSTATE_LIVE_H

#include "visitors/chan.h"
#include "vmstate/stream.h"

enum { LIVE_PIECE_MAX = 256 << 10 };

/* Is the layout of that section's bodies known? */
bool live_is_known(const char *name);

/*
 * Reads the records of a body, up to and including the one that ends it, and hands them to the sink in pieces. *record
 * follows the offset of the record that is being read; the input is pinned there if it fails because the input ends.
 */
bool live_load_body(ChanIn *in, const char *name, StreamSink *sink, uint64_t *record, GError **error);

/* Hands octets to the sink in pieces, as one record. */
bool live_emit(StreamSink *sink, uint64_t offset, const uint8_t *data, size_t len, GError **error);

/* What a record says, in words; the data may be only its first piece. New string. */
char *live_text(const char *name, const uint8_t *data, size_t len);

#endif
