/* test-chan.c: the buffered reader over channels that give little at a time, fail, or end. */
#include "tests/visitors/support.h"

enum { MIB = 1 << 20, START = 0x64 };

static ChanIn *in_new(TestChan *c)
{
    return chan_in_new(&c->chan, START);
}

/* --- few octets at a time --------------------------------------------------------------------------------------- */

Test(chan, numbers_are_put_together_from_single_octets)
{
    g_auto(ByteOut) data = octets_of("01 0203 04050607 08090a0b0c0d0e0f 10");

    for (size_t step = 1; step <= data.len; step++) {
        g_autoptr(ChanIn) in = in_new(dribble_new(data.data, data.len, step, NULL));
        cr_assert_eq(chan_in_tell(in), START);
        cr_assert_eq(chan_in_u8(in), 0x01);
        cr_assert_eq(chan_in_be16(in), 0x0203);
        cr_assert_eq(chan_in_be32(in), 0x04050607);
        cr_assert_eq(chan_in_be64(in), UINT64_C(0x08090a0b0c0d0e0f));
        cr_assert_eq(chan_in_tell(in), START + 15);
        cr_assert_not(chan_in_at_end(in));
        cr_assert_eq(*chan_in_take(in, 1), 0x10);
        cr_assert(chan_in_at_end(in));
        cr_assert_not(chan_in_failed(in));
    }
}

Test(chan, looking_ahead_consumes_nothing)
{
    g_autoptr(ChanIn) in = in_new(dribble_new("abcdef", 6, 1, NULL));
    size_t got;

    cr_assert_arr_eq(chan_in_need(in, 4), "abcd", 4);
    cr_assert_arr_eq(chan_in_peek(in, 5, &got), "abcde", 5);
    cr_assert_eq(got, 5);
    cr_assert_eq(chan_in_tell(in), START);
    cr_assert_arr_eq(chan_in_take(in, 2), "ab", 2);
    cr_assert_eq(chan_in_tell(in), START + 2);
    cr_assert_arr_eq(chan_in_need(in, 4), "cdef", 4);
}

Test(chan, peeking_past_the_end_gives_what_there_is_and_is_no_failure)
{
    g_autoptr(ChanIn) in = in_new(dribble_new("abc", 3, 2, NULL));
    size_t got;

    cr_assert_arr_eq(chan_in_peek(in, 100, &got), "abc", 3);
    cr_assert_eq(got, 3);
    cr_assert_not(chan_in_failed(in));
    cr_assert(chan_in_skip(in, 3));
    chan_in_peek(in, 1, &got);
    cr_assert_eq(got, 0);
    cr_assert_not(chan_in_failed(in));
}

Test(chan, memory_is_read_where_it_is)
{
    static const uint8_t data[] = "abcdef";
    g_autoptr(ChanIn) in = chan_in_new_memory(data, 6, START);
    size_t got;

    cr_assert_eq(chan_in_take(in, 2), data);
    cr_assert_eq(chan_in_peek(in, 9, &got), data + 2);
    cr_assert_eq(got, 4);
    cr_assert(chan_in_skip(in, 3));
    cr_assert_eq(chan_in_tell(in), START + 5);
    cr_assert_null(chan_in_need(in, 2));
    cr_assert(chan_in_failed(in));
    cr_assert_not(chan_in_skip(in, 2));
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

Test(chan, a_read_past_the_end_is_cut_and_says_where)
{
    g_autoptr(ChanIn) in = in_new(dribble_new("abcdef", 6, 4, NULL));
    g_autoptr(GError) error = NULL;

    cr_assert_not_null(chan_in_take(in, 4));
    cr_assert_null(chan_in_take(in, 3));
    cr_assert(chan_in_failed(in));
    cr_assert_eq(chan_in_tell(in), START + 4);
    chan_in_error(in, &error, "page %d of %s", 7, "ram");
    assert_error(error, FERRY_ERROR_CUT, "page 7 of ram: the input ends at 0x6a");
}

Test(chan, numbers_that_are_not_all_there_are_zero_and_stay_unread)
{
    for (int width = 1; width <= 8; width *= 2) {
        g_autoptr(ChanIn) in = in_new(dribble_new("\xff\xff\xff\xff\xff\xff\xff", (size_t)width - 1, 2, NULL));
        uint64_t value = width == 1   ? chan_in_u8(in)
                         : width == 2 ? chan_in_be16(in)
                         : width == 4 ? chan_in_be32(in)
                                      : chan_in_be64(in);
        size_t got;
        cr_assert_eq(value, 0);
        cr_assert(chan_in_failed(in));
        chan_in_clear_cut(in);
        cr_assert_not(chan_in_failed(in));
        chan_in_peek(in, 8, &got);
        cr_assert_eq(got, (size_t)width - 1);
    }
}

Test(chan, an_input_of_nothing_is_at_its_end_at_once)
{
    g_autoptr(ChanIn) in = in_new(dribble_new("", 0, 1, NULL));
    g_autoptr(ChanIn) memory = chan_in_new_memory(NULL, 0, 0);

    cr_assert(chan_in_at_end(in));
    cr_assert_not(chan_in_failed(in));
    cr_assert(chan_in_skip(in, 0));
    cr_assert_not_null(chan_in_need(in, 0));
    cr_assert(chan_in_at_end(memory));
    cr_assert_null(chan_in_take(memory, 1));
}

Test(chan, no_octets_can_be_taken_from_memory_that_is_nowhere)
{
    g_autoptr(ChanIn) in = chan_in_new_memory(NULL, 0, 0);
    size_t got;

    /* NULL would say that there are fewer than none */
    cr_assert_not_null(chan_in_take(in, 0));
    cr_assert_not_null(chan_in_peek(in, 5, &got));
    cr_assert_eq(got, 0);
    cr_assert_not(chan_in_failed(in));
}

Test(chan, a_length_of_petabytes_is_cut_and_not_allocated)
{
    g_autofree uint8_t *data = pattern_new(3 * MIB, 1);
    g_autoptr(ChanIn) in = in_new(dribble_new(data, 3 * MIB, 65536, NULL));
    size_t got;

    cr_assert_null(chan_in_need(in, (size_t)1 << 52));
    chan_in_clear_cut(in);
    cr_assert_null(chan_in_take(in, SIZE_MAX));
    chan_in_clear_cut(in);
    cr_assert_arr_eq(chan_in_peek(in, SIZE_MAX, &got), data, 3 * MIB);
    cr_assert_eq(got, 3 * MIB);
}

Test(chan, a_failing_channel_is_no_end_and_its_error_comes_out)
{
    TestChan *c = dribble_new("abcdef", 6, 2, NULL);
    g_autoptr(ChanIn) in = in_new(c);
    g_autoptr(GError) error = NULL;

    c->fail_at = 4;
    cr_assert_arr_eq(chan_in_take(in, 4), "abcd", 4);
    cr_assert_not(chan_in_failed(in));
    cr_assert_not(chan_in_at_end(in));
    cr_assert(chan_in_failed(in));
    cr_assert_not(chan_in_skip(in, 1));
    cr_assert_null(chan_in_take(in, 1));
    cr_assert_eq(chan_in_u8(in), 0);
    chan_in_error(in, &error, "the rest");
    assert_error(error, FERRY_ERROR_IO, "the rest: the line is dead");
}

Test(chan, a_channel_that_failed_is_not_read_again)
{
    TestLog log = {0};
    TestChan *c = dribble_new("abcdef", 6, 2, &log);
    g_autoptr(ChanIn) in = in_new(c);

    c->fail_at = 2;
    for (int i = 0; i < 5; i++)
        cr_assert_null(chan_in_need(in, 3));
    cr_assert_eq(log.reads, 2);
}

Test(chan, the_reader_frees_its_channel)
{
    TestLog log = {0};
    ChanIn *in = in_new(dribble_new("a", 1, 1, &log));

    cr_assert_eq(log.freed, 0);
    chan_in_free(in);
    cr_assert_eq(log.freed, 1);
    chan_in_free(NULL);
    chan_free(NULL);
}

Test(chan, reading_in_full_stops_only_at_the_end_or_at_an_error)
{
    TestChan *c = dribble_new("abcdef", 6, 4, NULL);
    g_autoptr(Chan) chan = &c->chan;
    g_autoptr(GError) error = NULL;
    char data[10] = "";

    cr_assert_eq(chan_read_full(chan, data, 5, &error), 5);
    cr_assert_arr_eq(data, "abcde", 5);
    cr_assert_eq(chan_read_full(chan, data, sizeof data, &error), 1);
    cr_assert_eq(data[0], 'f');
    cr_assert_eq(chan_read_full(chan, data, sizeof data, &error), 0);
    cr_assert_null(error);
    c->in.pos = 0;
    c->fail_at = 4;
    cr_assert_eq(chan_read_full(chan, data, sizeof data, &error), -1);
    assert_error(error, FERRY_ERROR_IO, "the line is dead");
}

/* --- more than the buffer --------------------------------------------------------------------------------------- */

Test(chan, more_than_the_buffer_can_be_wanted_at_once)
{
    g_autofree uint8_t *data = pattern_new(5 * MIB, 2);

    for (size_t step = 4099; step <= 5 * MIB; step *= 16) {
        g_autoptr(ChanIn) in = in_new(dribble_new(data, 5 * MIB, step, NULL));
        cr_assert_arr_eq(chan_in_take(in, 1000), data, 1000);
        const uint8_t *p = chan_in_need(in, 3 * MIB);
        cr_assert_not_null(p);
        cr_assert_arr_eq(p, data + 1000, 3 * MIB);
        cr_assert_eq(chan_in_tell(in), START + 1000);
        p = chan_in_take(in, 5 * MIB - 1000);
        cr_assert_not_null(p);
        cr_assert_arr_eq(p, data + 1000, 5 * MIB - 1000);
        cr_assert(chan_in_at_end(in));
    }
}

Test(chan, skipping_reads_on_where_there_is_no_seeking)
{
    g_autofree uint8_t *data = pattern_new(4 * MIB, 3);
    g_autoptr(ChanIn) in = in_new(dribble_new(data, 4 * MIB, 5000, NULL));

    cr_assert(chan_in_skip(in, 10));
    cr_assert_eq(chan_in_u8(in), data[10]);
    cr_assert(chan_in_skip(in, 3 * MIB));
    cr_assert_eq(chan_in_tell(in), START + 11 + 3 * MIB);
    cr_assert_eq(chan_in_u8(in), data[11 + 3 * MIB]);
    cr_assert(chan_in_skip(in, MIB - 12));
    cr_assert_not(chan_in_failed(in));
    cr_assert_not(chan_in_skip(in, 1));
    cr_assert(chan_in_failed(in));
}

Test(chan, skipping_far_seeks_where_that_is_possible)
{
    g_autofree uint8_t *data = pattern_new(8 * MIB, 4);
    g_auto(TestLog) log = {0};
    g_autoptr(ChanIn) in = chan_in_new(&seekable_new(data, 8 * MIB, 4096, &log)->chan, 0);

    cr_assert_eq(chan_in_u8(in), data[0]);
    cr_assert(chan_in_skip(in, 6 * MIB));
    cr_assert_eq(log.seeks, 1);
    cr_assert_eq(log.octets_read, 4096);
    cr_assert_eq(chan_in_tell(in), 6 * MIB + 1);
    cr_assert_arr_eq(chan_in_take(in, 5000), data + 6 * MIB + 1, 5000);
    cr_assert(chan_in_skip(in, 2 * MIB - 5001)); /* to the very end */
    cr_assert(chan_in_at_end(in));
}

Test(chan, skipping_past_the_end_fails_also_by_seeking)
{
    g_autofree uint8_t *data = pattern_new(2 * MIB, 5);
    g_autoptr(ChanIn) in = chan_in_new(&seekable_new(data, 2 * MIB, 4096, NULL)->chan, 0);
    g_autoptr(GError) error = NULL;

    cr_assert_not(chan_in_skip(in, 2 * MIB + 1));
    cr_assert(chan_in_failed(in));
    chan_in_error(in, &error, "ram");
    assert_error(error, FERRY_ERROR_CUT, "ram: the input ends at 0x200000");
}

Test(chan, skipping_a_length_near_the_largest_number_does_not_go_back)
{
    g_autofree uint8_t *data = pattern_new(MIB, 6);

    for (uint64_t n = UINT64_MAX; n > UINT64_MAX - 20; n -= 5) {
        g_autoptr(ChanIn) in = chan_in_new(&seekable_new(data, MIB, 4096, NULL)->chan, 0);
        cr_assert_not_null(chan_in_take(in, 100));
        cr_assert_not(chan_in_skip(in, n));
        cr_assert(chan_in_failed(in));
        cr_assert_geq(chan_in_tell(in), 100);
    }
}
