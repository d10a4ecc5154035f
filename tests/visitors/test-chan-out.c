/* test-chan-out.c: the buffered writer: order, content and errors. */
#include "tests/visitors/support.h"

Test(chan_out, nothing_is_lost_or_moved_whatever_the_pieces)
{
    for (unsigned seed = 0; seed < 40; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autofree uint8_t *source = pattern_new(400000, seed);
        g_auto(TestLog) log = {0};
        g_auto(ByteOut) plain = {0};
        g_autoptr(ChanOut) out = chan_out_new(&sink_new(&log)->chan);
        g_autoptr(GError) error = NULL;

        for (int call = 0; call < 60; call++) {
            static const int sizes[] = {5, 300, 2047, 2050, 9000, 300000};
            struct iovec iov[5];
            int count = g_rand_int_range(rand, 1, 6);
            for (int i = 0; i < count; i++) {
                size_t n = (size_t)g_rand_int_range(rand, 0, sizes[g_rand_int_range(rand, 0, call % 10 ? 5 : 6)]);
                iov[i] = (struct iovec){.iov_base = source + g_rand_int_range(rand, 0, 90000), .iov_len = n};
                byte_out_put(&plain, iov[i].iov_base, n);
            }
            if (count == 1)
                chan_out_put(out, iov[0].iov_base, iov[0].iov_len);
            else
                chan_out_putv(out, iov, count);
            cr_assert_eq(chan_out_tell(out), plain.len);
            /* the pieces belong to the caller again, be they written or not */
            for (size_t i = 0; i < 400000; i += 7)
                source[i] = (uint8_t)(i * 31 + (size_t)call);
        }
        assert_no_error(chan_out_finish(out, &error), error);
        assert_same_octets(log.written.data, log.written.len, plain.data, plain.len);
        cr_assert_eq(log.finishes, 1);
    }
}

Test(chan_out, sizes_around_the_limit_of_copying_keep_their_order)
{
    g_autofree uint8_t *source = pattern_new(1 << 20, 1);

    /* each size twice, with one octet between: copied after written through, and the other way round */
    for (size_t size = 2040; size <= 2056; size++) {
        g_auto(TestLog) log = {0};
        g_autoptr(ChanOut) out = chan_out_new(&sink_new(&log)->chan);
        g_autoptr(GError) error = NULL;
        size_t at = 0;
        for (int i = 0; i < 300; i++) {
            size_t n = i % 3 == 1 ? 1 : size;
            chan_out_put(out, source + at, n);
            at += n;
        }
        assert_no_error(chan_out_finish(out, &error), error);
        assert_same_octets(log.written.data, log.written.len, source, at);
    }
}

Test(chan_out, a_gather_list_can_have_any_number_of_pieces)
{
    g_autofree uint8_t *source = pattern_new(8 << 20, 2);

    for (int count = 1; count <= 2000; count = count * 2 + 1) {
        for (int every = 1; every <= 3; every++) {
            g_autofree struct iovec *iov = g_new0(struct iovec, (size_t)count);
            g_auto(TestLog) log = {0};
            g_autoptr(ChanOut) out = chan_out_new(&sink_new(&log)->chan);
            g_autoptr(GError) error = NULL;
            size_t at = 10;
            chan_out_put(out, source, 10);
            for (int i = 0; i < count; i++) {
                iov[i] = (struct iovec){.iov_base = source + at, .iov_len = i % every ? 100 : 4096};
                at += iov[i].iov_len;
            }
            chan_out_putv(out, iov, count);
            assert_no_error(chan_out_finish(out, &error), error);
            assert_same_octets(log.written.data, log.written.len, source, at);
        }
    }
}

Test(chan_out, small_pieces_are_gathered_to_large_writes)
{
    g_autofree uint8_t *source = pattern_new(100000, 3);
    g_auto(TestLog) log = {0};
    g_autoptr(ChanOut) out = chan_out_new(&sink_new(&log)->chan);

    for (size_t at = 0; at < 100000; at += 10)
        chan_out_put(out, source + at, 10);
    cr_assert_eq(log.writes, 0);
    cr_assert_eq(chan_out_tell(out), 100000);
    cr_assert_not_null(chan_out_flush(out));
    cr_assert_eq(log.writes, 1);
    assert_same_octets(log.written.data, log.written.len, source, 100000);
}

Test(chan_out, after_a_flush_the_channel_has_everything)
{
    g_auto(TestLog) log = {0};
    TestChan *sink = sink_new(&log);
    g_autoptr(ChanOut) out = chan_out_new(&sink->chan);

    chan_out_put(out, "abc", 3);
    cr_assert_eq(chan_out_flush(out), &sink->chan);
    assert_written(&log.written, "61 62 63");
    cr_assert_eq(chan_out_flush(out), &sink->chan);
    cr_assert_eq(log.writes, 1);
    chan_out_put(out, "d", 1);
    chan_out_flush(out);
    assert_written(&log.written, "61 62 63 64");
    cr_assert_eq(log.finishes, 0);
}

/* --- errors ----------------------------------------------------------------------------------------------------- */

Test(chan_out, the_first_error_sticks_and_comes_out_at_the_end)
{
    g_autofree uint8_t *source = pattern_new(600000, 4);
    g_auto(TestLog) log = {0};
    TestChan *sink = sink_new(&log);
    g_autoptr(ChanOut) out = chan_out_new(&sink->chan);
    g_autoptr(GError) error = NULL;

    sink->fail_at = 450000;
    chan_out_put(out, source, 400000);
    cr_assert_eq(log.writes, 1);
    chan_out_put(out, source, 100000);
    cr_assert_eq(log.writes, 2);
    sink->fail_at = SIZE_MAX;
    for (int i = 0; i < 10; i++) {
        chan_out_put(out, source, 10);
        chan_out_put(out, source, 300000);
        chan_out_flush(out);
    }
    cr_assert_eq(log.writes, 2);
    cr_assert_not(chan_out_finish(out, &error));
    assert_error(error, FERRY_ERROR_IO, "write number 2 failed");
    assert_same_octets(log.written.data, log.written.len, source, 400000);
    cr_assert_eq(log.finishes, 0);
}

Test(chan_out, an_error_of_the_last_write_comes_out_too)
{
    g_auto(TestLog) log = {0};
    TestChan *sink = sink_new(&log);
    g_autoptr(ChanOut) out = chan_out_new(&sink->chan);
    g_autoptr(GError) error = NULL;

    sink->fail_at = 2;
    chan_out_put(out, "abc", 3);
    cr_assert_not(chan_out_finish(out, &error));
    assert_error(error, FERRY_ERROR_IO, "write number 1 failed");
    cr_assert_eq(log.finishes, 0);
}

Test(chan_out, an_error_of_finishing_comes_out)
{
    g_auto(TestLog) log = {0};
    TestChan *sink = sink_new(&log);
    g_autoptr(ChanOut) out = chan_out_new(&sink->chan);
    g_autoptr(GError) error = NULL;

    sink->fail_finish = true;
    chan_out_put(out, "abc", 3);
    cr_assert_not(chan_out_finish(out, &error));
    assert_error(error, FERRY_ERROR_IO, "the disk is full");
    assert_written(&log.written, "61 62 63");
}

Test(chan_out, a_channel_without_a_finish_needs_none)
{
    g_auto(ByteOut) buf = {0};
    g_autoptr(ChanOut) out = chan_out_new(chan_buf_new(&buf));
    g_autoptr(GError) error = NULL;

    chan_out_put(out, "", 0);
    assert_no_error(chan_out_finish(out, &error), error);
    cr_assert_eq(buf.len, 0);
}

Test(chan_out, the_writer_frees_its_channel_and_writes_nothing_then)
{
    g_auto(TestLog) log = {0};
    ChanOut *out = chan_out_new(&sink_new(&log)->chan);

    chan_out_put(out, "abc", 3);
    chan_out_free(out);
    cr_assert_eq(log.freed, 1);
    cr_assert_eq(log.writes, 0);
    chan_out_free(NULL);
}
