/* test-chan-digest.c: the digest of what passes through a channel, either way. */
#include <xxhash.h>

#include "tests/visitors/support.h"

static void assert_digest(const Chan *chan, const void *data, size_t len)
{
    XXH128_canonical_t wanted;
    uint8_t found[16];

    XXH128_canonicalFromHash(&wanted, XXH3_128bits(data, len));
    chan_digest_value(chan, found);
    cr_assert_arr_eq(found, wanted.digest, 16);
    cr_assert_eq(chan_digest_length(chan), len);
}

Test(chan_digest, reading_gives_the_digest_of_the_whole_whatever_the_pieces)
{
    g_autofree uint8_t *source = pattern_new(300000, 1), *data = g_malloc(300000);

    for (size_t step = 1; step <= 300000; step = step * 10 + 7) {
        g_autoptr(Chan) chan = chan_digest_new(&dribble_new(source, 300000, step, NULL)->chan);
        cr_assert_eq(chan_read_full(chan, data, 300000, NULL), 300000);
        cr_assert_arr_eq(data, source, 300000);
        assert_digest(chan, source, 300000);
        cr_assert_eq(chan_read_full(chan, data, 1, NULL), 0);
        assert_digest(chan, source, 300000);
    }
}

Test(chan_digest, only_what_has_been_read_counts)
{
    g_autoptr(Chan) chan = chan_digest_new(chan_mem_new("abcdef", 6));
    char data[10];

    assert_digest(chan, "", 0);
    cr_assert_eq(chan_read_full(chan, data, 4, NULL), 4);
    assert_digest(chan, "abcd", 4);
    cr_assert_eq(chan_read_full(chan, data, 4, NULL), 2);
    assert_digest(chan, "abcdef", 6);
}

Test(chan_digest, writing_gives_the_digest_of_the_whole)
{
    g_autofree uint8_t *source = pattern_new(700000, 2);
    g_auto(TestLog) log = {0};
    Chan *chan = chan_digest_new(&sink_new(&log)->chan);
    g_autoptr(ChanOut) out = chan_out_new(chan);
    g_autoptr(GError) error = NULL;
    size_t at = 0;

    /* short and long pieces: the sink clears the gather list behind it */
    for (size_t n = 1; at + n <= 700000; n = n * 2 % 100003) {
        chan_out_put(out, source + at, n);
        at += n;
    }
    assert_no_error(chan_out_finish(out, &error), error);
    assert_same_octets(log.written.data, log.written.len, source, at);
    assert_digest(chan, source, at);
    cr_assert_eq(log.finishes, 1);
}

Test(chan_digest, the_value_is_in_canonical_order)
{
    g_autoptr(Chan) chan = chan_digest_new(chan_mem_new("", 0));
    uint8_t found[16];

    /* XXH3-128 of nothing, as xxhsum prints it */
    chan_digest_value(chan, found);
    assert_octets(found, 16, "99 aa 06 d3 01 47 98 d8 60 01 c3 24 46 8d 49 7f");
}

Test(chan_digest, errors_pass_through)
{
    g_auto(TestLog) log = {0};
    TestChan *c = dribble_new("abcdef", 6, 2, NULL), *sink = sink_new(&log);
    g_autoptr(Chan) chan = chan_digest_new(&c->chan);
    g_autoptr(ChanOut) out = chan_out_new(chan_digest_new(&sink->chan));
    g_autoptr(GError) error = NULL, finish_error = NULL;
    char data[10];

    c->fail_at = 2;
    cr_assert_eq(chan_read_full(chan, data, 6, &error), -1);
    assert_error(error, FERRY_ERROR_IO, "the line is dead");
    assert_digest(chan, "abcdef", 2);
    sink->fail_finish = true;
    cr_assert_not(chan_out_finish(out, &finish_error));
    assert_error(finish_error, FERRY_ERROR_IO, "the disk is full");
}

Test(chan_digest, the_size_is_that_of_the_channel_behind_and_there_is_no_seeking)
{
    g_auto(TestLog) log = {0};
    g_autoptr(Chan) memory = chan_digest_new(chan_mem_new("abcdef", 6));
    Chan *chan = chan_digest_new(&dribble_new("abc", 3, 1, &log)->chan);

    cr_assert_eq(chan_size(memory), 6);
    cr_assert_not(chan_can_seek(memory));
    cr_assert_eq(chan_size(chan), -1);
    chan_free(chan);
    cr_assert_eq(log.freed, 1);
}
