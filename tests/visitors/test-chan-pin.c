/* test-chan-pin.c: going back in a buffered channel, and random sequences of all calls. */
#include "tests/visitors/support.h"

enum { MIB = 1 << 20, START = 0x64 };

static ChanIn *in_new(TestChan *c)
{
    return chan_in_new(&c->chan, START);
}

/* --- pins ------------------------------------------------------------------------------------------------------- */

Test(chan_pin, what_is_pinned_stays_while_the_buffer_is_filled_again_and_again)
{
    g_autofree uint8_t *data = pattern_new(5 * MIB, 7);
    g_autoptr(ChanIn) in = in_new(dribble_new(data, 5 * MIB, 70000, NULL));

    cr_assert(chan_in_skip(in, 500000));
    chan_in_pin(in);
    for (size_t at = 500000; at + 123457 <= 5 * MIB; at += 123457)
        cr_assert_arr_eq(chan_in_take(in, 123457), data + at, 123457);
    uint64_t end = chan_in_tell(in);
    cr_assert_arr_eq(chan_in_at(in, START + 500000), data + 500000, end - START - 500000);
    cr_assert_arr_eq(chan_in_at(in, START + 3 * MIB), data + 3 * MIB, 1000);
    chan_in_rewind(in, START + 500000);
    cr_assert_eq(chan_in_tell(in), START + 500000);
    cr_assert_arr_eq(chan_in_take(in, 4 * MIB), data + 500000, 4 * MIB);
    chan_in_unpin(in);
    cr_assert_arr_eq(chan_in_take(in, 1000), data + 500000 + 4 * MIB, 1000);
}

Test(chan_pin, a_pin_can_be_set_behind)
{
    g_autofree uint8_t *data = pattern_new(4 * MIB, 8);
    g_autoptr(ChanIn) in = in_new(dribble_new(data, 4 * MIB, 50000, NULL));

    cr_assert(chan_in_skip(in, MIB));
    chan_in_pin(in);
    cr_assert(chan_in_skip(in, 1000));
    chan_in_pin_at(in, START + MIB + 300);
    cr_assert(chan_in_skip(in, 2 * MIB));
    cr_assert_arr_eq(chan_in_at(in, START + MIB + 300), data + MIB + 300, 1000);
}

Test(chan_pin, skipping_far_keeps_what_is_pinned)
{
    g_autofree uint8_t *data = pattern_new(4 * MIB, 9);
    g_auto(TestLog) log = {0};
    g_autoptr(ChanIn) in = chan_in_new(&seekable_new(data, 4 * MIB, 40000, &log)->chan, 0);

    cr_assert(chan_in_skip(in, 100));
    chan_in_pin(in);
    cr_assert(chan_in_skip(in, 3 * MIB));
    cr_assert_eq(log.seeks, 0);
    cr_assert_arr_eq(chan_in_at(in, 100), data + 100, 3 * MIB);
}

Test(chan_pin, going_back_forgets_that_a_read_was_cut)
{
    g_autoptr(ChanIn) in = in_new(dribble_new("abcdef", 6, 1, NULL));

    chan_in_pin(in);
    cr_assert_null(chan_in_take(in, 7));
    cr_assert(chan_in_failed(in));
    chan_in_rewind(in, START);
    cr_assert_not(chan_in_failed(in));
    cr_assert_arr_eq(chan_in_take(in, 6), "abcdef", 6);
}

/* --- any sequence of calls -------------------------------------------------------------------------------------- */

enum { RANDOM_SIZE = 6 * MIB };

typedef struct RandomRead {
    GRand *rand;
    ChanIn *in;
    const uint8_t *data;
    size_t pos, pin;
} RandomRead;

static void random_step(RandomRead *r)
{
    static const int lengths[] = {10, 3000, 300000, 2 * MIB};
    size_t n = (size_t)g_rand_int_range(r->rand, 0, lengths[g_rand_int_range(r->rand, 0, 4)]);
    size_t left = RANDOM_SIZE - r->pos, got;
    const uint8_t *p;

    switch (g_rand_int_range(r->rand, 0, 6)) {
    case 0:
        p = chan_in_peek(r->in, n, &got);
        assert_same_octets(p, got, r->data + r->pos, MIN(n, left));
        break;
    case 1:
        cr_assert_eq(chan_in_skip(r->in, n), n <= left);
        r->pos += MIN(n, left);
        break;
    case 2:
        chan_in_pin(r->in);
        r->pin = r->pos;
        break;
    case 3:
        chan_in_unpin(r->in);
        r->pin = SIZE_MAX;
        break;
    case 4:
        if (r->pin == SIZE_MAX)
            break;
        r->pos = r->pin + (size_t)g_rand_int_range(r->rand, 0, (int)(r->pos - r->pin + 1));
        chan_in_rewind(r->in, START + r->pos);
        break;
    default:
        p = chan_in_take(r->in, n);
        cr_assert_eq(p != NULL, n <= left);
        if (p) {
            cr_assert_arr_eq(p, r->data + r->pos, n);
            r->pos += n;
        }
    }
    if (r->pin != SIZE_MAX)
        cr_assert_arr_eq(chan_in_at(r->in, START + r->pin), r->data + r->pin, r->pos - r->pin);
    cr_assert_eq(chan_in_tell(r->in), START + r->pos);
}

Test(chan_pin, any_sequence_of_calls_reads_what_is_in_the_channel)
{
    g_autofree uint8_t *data = pattern_new(RANDOM_SIZE, 10);

    for (unsigned seed = 0; seed < 30; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        size_t step = 1 + (size_t)g_rand_int_range(rand, 1000, seed % 3 ? 20000 : 2 * MIB);
        g_autoptr(ChanIn) in = in_new(dribble_new(data, RANDOM_SIZE, step, NULL));
        RandomRead r = {.rand = rand, .in = in, .data = data, .pin = SIZE_MAX};
        for (int i = 0; i < 60; i++)
            random_step(&r);
    }
}
