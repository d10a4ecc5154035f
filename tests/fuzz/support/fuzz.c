/* fuzz.c: what the fuzzers share. */
#include "tests/fuzz/support/fuzz.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

void fuzz_broken(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    fputs("BROKEN: ", stderr);
    vfprintf(stderr, format, ap);
    fputc('\n', stderr);
    va_end(ap);
    abort();
}

const char *fuzz_message(const GError *error)
{
    return error ? error->message : "no error";
}

unsigned fuzz_choice(const uint8_t *data, size_t len)
{
    return (unsigned)XXH3_64bits(data, len);
}

void fuzz_touch(const void *data, size_t len)
{
    fuzz_check(!len || !__asan_region_is_poisoned((void *)data, len),
               "%zu octets are handed out that are not all there", len);
}

/* --- a channel that hands out a few octets at a time ------------------------------------------------------------- */

typedef struct Dribble {
    Chan chan;
    ByteIn in;
    unsigned step; /* grows, or 64 KiB would take a minute */
} Dribble;

static gssize dribble_read(Chan *chan, void *data, size_t len, GError **error)
{
    Dribble *d = (Dribble *)chan;
    size_t n = MIN(MIN(len, d->step), byte_in_left(&d->in));

    (void)error;
    if (n)
        memcpy(data, byte_in_take(&d->in, n), n);
    d->step += 1 + d->step / 4;
    return (gssize)n;
}

static void dribble_free(Chan *chan)
{
    g_free(chan);
}

static Chan *dribble_new(const uint8_t *data, size_t len, unsigned step)
{
    static const ChanOps ops = {.read = dribble_read, .free = dribble_free};
    Dribble *d = g_new0(Dribble, 1);

    d->chan.ops = &ops;
    d->step = 1 + step % 64;
    byte_in_init(&d->in, data, len);
    return &d->chan;
}

Chan *fuzz_chan(const uint8_t *data, size_t len, unsigned choice)
{
    return choice & 1 ? chan_mem_new(data, len) : dribble_new(data, len, choice >> 1);
}

ChanIn *fuzz_in(const uint8_t *data, size_t len, unsigned choice)
{
    return choice & 1 ? chan_in_new_memory(data, len, 0) : chan_in_new(fuzz_chan(data, len, choice >> 1), 0);
}

/* --- a channel that leads nowhere -------------------------------------------------------------------------------- */

static bool nowhere_write(Chan *chan, struct iovec *iov, int count, GError **error)
{
    (void)chan;
    (void)error;
    for (int i = 0; i < count; i++)
        fuzz_touch(iov[i].iov_base, iov[i].iov_len);
    return true;
}

Chan *fuzz_chan_nowhere(void)
{
    static const ChanOps ops = {.write = nowhere_write, .free = dribble_free};
    Chan *chan = g_new0(Chan, 1);

    chan->ops = &ops;
    return chan;
}
