/*
 * fuzz-qemufile.c: whole QEMUFile streams, with the search for the description in front. What reads, whole or cut, must
 * come back from BER octet for octet.
 */
#include "tests/fuzz/support/convert.h"
#include "tests/fuzz/support/fuzz.h"
#include "vmstate/stream-load.h"

static bool load(ChanIn *in, const void *how, StreamSink *sink, GError **error)
{
    return stream_load(in, how, sink, error);
}

/* A recovery channel has no magic. */
static StreamKind kind_of(const uint8_t *data, size_t len)
{
    return len >= 4 && memcmp(data, "QEVM", 4) != 0 ? STREAM_RECOVERY : STREAM_MACHINE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    unsigned choice = fuzz_choice(data, len);
    StreamSource source = {.kind = kind_of(data, len)};
    g_autoptr(Chan) chan = chan_mem_new(data, len);
    GError *error = NULL;
    Trailer trailer;

    fuzz_check(trailer_find(chan, 0, &trailer, &error), "memory does not read: %s", fuzz_message(error));
    fuzz_check(!trailer.text || (trailer.end <= len && trailer.start < trailer.end), "a description beyond the end");
    source.trailer = &trailer;
    fuzz_read(data, len, load, &source, choice);
    fuzz_there_and_back(data, len, load, &source, choice >> 8);
    trailer_clear(&trailer);
    return 0;
}
