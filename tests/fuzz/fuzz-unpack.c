/*
 * fuzz-unpack.c: gzip, bzip2, xz and zstd. Of what comes out only the first MiB is read: how much there is in a small
 * file is no error of the reader's.
 */
#include "tests/fuzz/support/fuzz.h"

enum { READ_MAX = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    unsigned choice = fuzz_choice(data, len);
    PackFormat format = chan_pack_format(data, len);
    size_t total = 0, step = 1 + (choice >> 8) % (64 << 10);
    GError *error = NULL;
    gssize got = 1;

    if (format == PACK_NONE)
        format = (PackFormat)(PACK_GZIP + choice % 4);
    g_autoptr(Chan) chan = chan_unpack_new(fuzz_chan(data, len, choice >> 2), format);
    g_autofree uint8_t *buf = g_malloc(step);
    while (got > 0 && total < READ_MAX) {
        got = chan_read_full(chan, buf, step, &error);
        fuzz_check(got <= (gssize)step && (got < 0) == !!error, "%zd octets, and the error: %s", got,
                   fuzz_message(error));
        fuzz_touch(buf, got < 0 ? 0 : (size_t)got);
        total += got < 0 ? 0 : (size_t)got;
    }
    g_clear_error(&error);
    return 0;
}
