/*
 * stream-load.h: reads a QEMUFile stream and tells a sink what it says (vmstate/FORMAT.md part 1).
 */
#ifndef VMSTATE_STREAM_LOAD_H
#define VMSTATE_STREAM_LOAD_H

#include "visitors/chan.h"
#include "vmstate/stream.h"
#include "vmstate/trailer.h"

typedef struct StreamSource {
    StreamKind kind;        /* MACHINE or RECOVERY; the other kinds: channel-load.h */
    const Trailer *trailer; /* as trailer_find found it; NULL: not searched, or none. Borrowed */
    bool live; /* who writes it may wait for an answer: nothing is read that need not come, nor behind the end */
    const Schema *borrowed; /* descriptions to use where the stream has none, from a stream like it; may be NULL */
} StreamSource;

/*
 * Reads from `in`, borrowed, which stands at the stream's first octet, to the end.
 *
 * If the input is cut, the sink still gets what is complete, then the start of what is not (a section with `cut` set,
 * the octets as residue) and `end` with complete unset; the call then fails with FERRY_ERROR_CUT. Other failures end
 * the calls where they are.
 */
bool stream_load(ChanIn *in, const StreamSource *source, StreamSink *sink, GError **error);

/* How messages and dumps call a section: "name", or "name[instance]". New string. */
char *stream_section_title(const char *name, uint32_t instance);

#endif
