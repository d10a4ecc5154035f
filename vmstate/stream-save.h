/*
 * stream-save.h: writes a QEMUFile stream (vmstate/FORMAT.md part 1), of whatever kind the header says.
 */
#ifndef VMSTATE_STREAM_SAVE_H
#define VMSTATE_STREAM_SAVE_H

#include "visitors/chan.h"
#include "vmstate/stream.h"

/*
 * A sink that writes to `out`, borrowed. digest, if not NULL, is the digest channel that `out` writes through
 * (borrowed): when the input tells what it was converted from, what was written must agree with that.
 */
StreamSink *stream_save_new(ChanOut *out, Chan *digest);
void stream_save_free(StreamSink *sink);

#endif
