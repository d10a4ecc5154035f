/* test-ber-integer.c: integers of BER: minimal octets, and the range of int64 and uint64 together. */
#include "tests/visitors/support.h"
#include "visitors/ber.h"

static const char *next_of(const char *hex, ByteOut *data, ByteIn *in, BerElement *e)
{
    *data = octets_of(hex);
    byte_in_init(in, data->data, data->len);
    return ber_next(in, e);
}

/* How many octets a two's complement number needs, by the definition of the range of so many octets. */
static size_t octets_needed(__int128 value)
{
    size_t n = 1;

    while (value < -((__int128)1 << (8 * n - 1)) || value >= (__int128)1 << (8 * n - 1))
        n++;
    return n;
}

static void assert_integer(__int128 value)
{
    g_auto(ByteOut) out = {0};
    Integer n = {.bits = (uint64_t)value, .negative = value < 0}, found;
    BerElement e;
    ByteIn in;
    __int128 sum;

    ber_put_integer(&out, n);
    byte_in_init(&in, out.data, out.len);
    cr_assert_null(ber_next(&in, &e));
    cr_assert(ber_is(&e, BER_UNIVERSAL, BER_INTEGER));
    cr_assert_eq(e.len, octets_needed(value), "0x%016" G_GINT64_MODIFIER "x in %zu octets", n.bits, e.len);
    sum = (int8_t)e.content[0];
    for (size_t i = 1; i < e.len; i++)
        sum = sum * 256 + e.content[i];
    cr_assert(sum == value);
    cr_assert(ber_get_integer(&e, &found));
    cr_assert_eq(found.bits, n.bits);
    cr_assert_eq(found.negative, n.negative);
}

Test(ber_integer, integers_around_all_powers_of_two_take_the_fewest_octets_and_come_back)
{
    for (int k = 0; k <= 64; k++) {
        for (int d = -1; d <= 1; d++) {
            __int128 value = ((__int128)1 << k) + d;
            if (value <= UINT64_MAX)
                assert_integer(value);
            if (-value >= INT64_MIN)
                assert_integer(-value);
        }
    }
}

Test(ber_integer, any_integer_comes_back)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    for (int i = 0; i < 20000; i++) {
        uint64_t bits = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);
        bits >>= g_rand_int_range(rand, 0, 64);
        assert_integer(bits);
        assert_integer(-(__int128)(bits >> 1));
    }
}

Test(ber_integer, an_integer_has_these_octets)
{
    g_auto(ByteOut) out = {0};

    ber_put_uint(&out, 0);
    ber_put_uint(&out, 127);
    ber_put_uint(&out, 128);
    ber_put_uint(&out, 256);
    ber_put_integer_as(&out, BER_CONTEXT, 0, (Integer){.bits = (uint64_t)-1, .negative = true});
    ber_put_integer_as(&out, BER_CONTEXT, 0, (Integer){.bits = (uint64_t)-128, .negative = true});
    ber_put_integer_as(&out, BER_UNIVERSAL, BER_ENUMERATED, (Integer){.bits = (uint64_t)-129, .negative = true});
    assert_written(&out, "02 01 00 02 01 7f 02 02 00 80 02 02 01 00 80 01 ff 80 01 80 0a 02 ff 7f");
}

Test(ber_integer, an_integer_of_nine_octets_holds_the_largest_uint64)
{
    g_auto(ByteOut) out = {0};
    BerElement e;
    ByteIn in;
    Integer n;

    ber_put_uint(&out, UINT64_MAX);
    assert_written(&out, "02 09 00 ff ff ff ff ff ff ff ff");
    byte_in_init(&in, out.data, out.len);
    cr_assert_null(ber_next(&in, &e));
    cr_assert(ber_get_integer(&e, &n));
    cr_assert_eq(n.bits, UINT64_MAX);
    cr_assert_not(n.negative);
}

Test(ber_integer, integers_that_are_empty_too_long_or_not_minimal_are_refused)
{
    static const char *const wrong[] = {
        "02 00",
        "02 02 00 00",
        "02 02 00 7f",
        "02 02 ff 80",
        "02 02 ff ff",
        "02 09 00 7f ff ff ff ff ff ff ff",
        "02 09 ff 7f ff ff ff ff ff ff ff", /* -2^63 - 1 and below */
        "02 09 ff 80 00 00 00 00 00 00 00",
        "02 09 01 00 00 00 00 00 00 00 00", /* 2^64 */
        "02 09 80 00 00 00 00 00 00 00 00",
        "02 0a 00 00 ff ff ff ff ff ff ff ff",
    };

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_auto(ByteOut) data = {0};
        BerElement e;
        ByteIn in;
        Integer n;
        cr_assert_null(next_of(wrong[i], &data, &in, &e));
        cr_assert_not(ber_get_integer(&e, &n), "%s", wrong[i]);
    }
}
