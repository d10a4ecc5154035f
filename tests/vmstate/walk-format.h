/*
 * walk-format.h: saves and loads a state in either format, in memory.
 */
#ifndef TESTS_VMSTATE_WALK_FORMAT_H
#define TESTS_VMSTATE_WALK_FORMAT_H

#include <criterion/criterion.h>

#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"
#include "vmstate/state.h"
#include "vmstate/walk.h"

typedef enum Format { QEMUFILE, BER } Format;

static inline Visitor *out_visitor(Format format, ByteOut *out)
{
    return format == BER ? ber_out_new(out, "zoo", BER_CONTEXT, 0) : qemufile_out_new(out, "zoo");
}

static inline Visitor *in_visitor(Format format, const ByteOut *out, ChanIn *in)
{
    return format == BER ? ber_in_new(out->data, out->len, 0, "zoo", BER_CONTEXT, 0) : qemufile_in_new(in, "zoo");
}

static inline void save(const VMStateDescription *desc, const void *state, Format format, ByteOut *out)
{
    g_autoptr(Visitor) v = out_visitor(format, out);
    GError *error = NULL;

    vmstate_save(v, desc, state);
    cr_assert(visit_finish(v, &error), "%s", error ? error->message : "");
}

static inline bool load(const VMStateDescription *desc, void *state, int version, Format format, const ByteOut *out,
                        const VMStateDescription *stream, GError **error)
{
    g_autoptr(ChanIn) in = chan_in_new_memory(out->data, out->len, 0);
    g_autoptr(Visitor) v = in_visitor(format, out, in);

    vmstate_load(v, desc, state, version, stream);
    return visit_finish(v, error);
}

#endif
