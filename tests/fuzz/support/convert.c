/* convert.c: takes a stream to BER and back, in memory. */
#include "tests/fuzz/support/convert.h"

#include <string.h>

#include "tests/fuzz/support/fuzz.h"
#include "tests/fuzz/support/sink.h"
#include "vmstate/berstream-load.h"
#include "vmstate/berstream-save.h"
#include "vmstate/stream-save.h"

bool fuzz_load_ber(ChanIn *in, const void *how, StreamSink *sink, GError **error)
{
    (void)how;
    return berstream_load(in, NULL, sink, error);
}

/* A failure must have a reason. */
static FuzzResult result_of(bool ok, GError *error)
{
    bool cut = g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT);

    fuzz_check(ok == !error, "the result is %d, and the error: %s", ok, fuzz_message(error));
    if (error)
        fuzz_check(error->domain == FERRY_ERROR && error->message[0], "an error that is none of ours");
    g_clear_error(&error);
    return ok ? FUZZ_WHOLE : cut ? FUZZ_CUT : FUZZ_REFUSED;
}

bool fuzz_read(const uint8_t *data, size_t len, FuzzLoad *load, const void *how, unsigned choice)
{
    g_autoptr(ChanIn) in = fuzz_in(data, len, choice);
    FuzzSink *sink = fuzz_sink_new();
    GError *error = NULL;

    bool ok = load(in, how, &sink->sink, &error);
    fuzz_check(!ok || sink->told_end, "a stream that was read has no end");
    fuzz_sink_free(sink);
    return result_of(ok, error) != FUZZ_REFUSED;
}

FuzzResult fuzz_to_ber(const uint8_t *data, size_t len, FuzzLoad *load, const void *how, unsigned choice, ByteOut *out)
{
    bool digested = load != fuzz_load_ber;
    Chan *chan = fuzz_chan(data, len, choice);
    chan = digested ? chan_digest_new(chan) : chan;
    g_autoptr(ChanIn) in = chan_in_new(chan, 0);
    g_autoptr(ChanOut) to = chan_out_new(chan_buf_new(out));
    BerstreamOptions options = {
        .writer = "fuzz",
        .writer_version = "1",
        .zstd = (choice & 6) == 6,
        .level = 1,
        .origin = digested ? chan : NULL,
    };
    StreamSink *sink = berstream_save_new(to, &options);
    GError *error = NULL;

    bool ok = load(in, how, sink, &error);
    chan_out_finish(to, NULL);
    berstream_save_free(sink);
    return result_of(ok, error);
}

FuzzResult fuzz_to_qemufile(const uint8_t *data, size_t len, FuzzLoad *load, const void *how, unsigned choice,
                            ByteOut *out)
{
    g_autoptr(ChanIn) in = fuzz_in(data, len, choice);
    Chan *digest = chan_digest_new(chan_buf_new(out));
    g_autoptr(ChanOut) to = chan_out_new(digest);
    StreamSink *sink = stream_save_new(to, digest);
    GError *error = NULL;

    bool ok = load(in, how, sink, &error);
    chan_out_finish(to, NULL);
    stream_save_free(sink);
    return result_of(ok, error);
}

static void compare(const char *what, const ByteOut *out, const uint8_t *data, size_t len)
{
    size_t same = 0;

    while (same < MIN(out->len, len) && out->data[same] == data[same])
        same++;
    fuzz_check(out->len == len && same == len, "%s: %zu octets, there were %zu; they agree up to 0x%zx", what, out->len,
               len, same);
}

void fuzz_there_and_back(const uint8_t *data, size_t len, FuzzLoad *load, const void *how, unsigned choice)
{
    ByteOut ber = {0}, same = {0}, back = {0};

    FuzzResult there = fuzz_to_ber(data, len, load, how, choice, &ber);
    /* nothing is written of what is cut before its header is complete */
    if (there != FUZZ_REFUSED && ber.len) {
        FuzzResult result = fuzz_to_qemufile(data, len, load, how, choice >> 3, &same);
        fuzz_check(result == there, "to BER it was %d, to QEMUFile %d", there, result);
        compare("read and written as it is", &same, data, len);
        result = fuzz_to_qemufile(ber.data, ber.len, fuzz_load_ber, NULL, choice >> 4, &back);
        fuzz_check(result == there, "there it was %d, back %d", there, result);
        compare("to BER and back", &back, data, len);
        fuzz_read(ber.data, ber.len, fuzz_load_ber, NULL, choice >> 5);
    }
    byte_out_done(&ber);
    byte_out_done(&same);
    byte_out_done(&back);
}
