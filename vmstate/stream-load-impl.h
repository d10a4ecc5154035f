/* stream-load-impl.h: what stream-load.c and stream-device.c share. Only included by them. */
#ifndef VMSTATE_STREAM_LOAD_IMPL_H
#define VMSTATE_STREAM_LOAD_IMPL_H

#include "visitors/qemufile-in.h"
#include "vmstate/configuration.h"
#include "vmstate/ram-load.h"
#include "vmstate/state.h"
#include "vmstate/stream-load.h"
#include "vmstate/stream-scan.h"
#include "vmstate/walk.h"

typedef struct StreamLoad {
    ChanIn *in;
    const StreamSource *source;
    StreamSink *sink;
    Schema *schema;        /* what the stream describes, and sections found without description */
    size_t described;      /* sections that the JSON description has; later ones were found */
    GError *trailer_error; /* why it could not be read */
    bool footers;
    RamLoad *ram;
    GHashTable *live; /* section id -> StreamSlice of its START */
    GHashTable *seen; /* title -> how often it came */
    StreamScan scan;
    uint64_t element;     /* offset of the element that is being read */
    uint64_t residue;     /* where the octets start that a cut would leave over */
    uint64_t package_end; /* 0: not in a package */
    bool has_configuration;
    Configuration configuration;
    size_t configuration_octets;
} StreamLoad;

/* Sets an error "what @offset of the element: ..." and returns false. */
bool stream_fail(const StreamLoad *l, GError **error, FerryError code, const char *what, const char *format, ...)
    G_GNUC_PRINTF(5, 6);

/* Takes the footer of a section, where the stream has footers. */
bool stream_take_footer(StreamLoad *l, uint32_t id, const char *title, GError **error);

/* Reads a device's body and footer, of which `slice` has the head. The input is pinned at the element. */
bool stream_read_device(StreamLoad *l, const StreamSlice *slice, GError **error);

#endif
