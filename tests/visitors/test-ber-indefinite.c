/* test-ber-indefinite.c: constructed elements of BER whose length is told by their end. */
#include "tests/visitors/support.h"
#include "visitors/ber.h"

static const char *next_of(const char *hex, ByteOut *data, ByteIn *in, BerElement *e)
{
    *data = octets_of(hex);
    byte_in_init(in, data->data, data->len);
    return ber_next(in, e);
}

Test(ber_indefinite, an_indefinite_element_ends_at_its_own_end_of_contents)
{
    g_auto(ByteOut) data = {0};
    BerElement e;
    ByteIn in, inner;

    /* the two zeros within the OCTET STRING and those of the inner element end nothing of the outer one */
    cr_assert_null(next_of("30 80 04 02 00 00 a1 80 02 01 05 00 00 30 02 05 00 00 00 0c 01 78", &data, &in, &e));
    cr_assert(ber_is(&e, BER_CONSTRUCTED, BER_SEQUENCE));
    cr_assert(e.indefinite);
    assert_octets(e.content, e.len, "04 02 00 00 a1 80 02 01 05 00 00 30 02 05 00");
    cr_assert_eq(in.pos, 19);
    byte_in_init(&inner, e.content, e.len);
    cr_assert_null(ber_next(&inner, &e));
    cr_assert_null(ber_next(&inner, &e));
    cr_assert(e.indefinite);
    assert_octets(e.content, e.len, "02 01 05");
    cr_assert_null(ber_next(&inner, &e));
    cr_assert_not(e.indefinite);
    cr_assert_eq(byte_in_left(&inner), 0);
    cr_assert_null(ber_next(&in, &e));
    cr_assert(ber_is(&e, BER_UNIVERSAL, BER_UTF8_STRING));
}

Test(ber_indefinite, an_indefinite_element_may_be_empty)
{
    g_auto(ByteOut) data = {0};
    BerElement e;
    ByteIn in;

    cr_assert_null(next_of("bf 1f 80 00 00", &data, &in, &e));
    cr_assert(e.indefinite);
    cr_assert_eq(e.len, 0);
    cr_assert_eq(in.pos, 5);
}

Test(ber_indefinite, an_indefinite_element_inside_a_definite_one_ends_within_it)
{
    g_auto(ByteOut) data = {0};
    BerElement e;
    ByteIn in, inner;

    /* the end-of-contents octets are behind the definite element */
    cr_assert_null(next_of("30 05 30 80 02 01 05 00 00", &data, &in, &e));
    byte_in_init(&inner, e.content, e.len);
    cr_assert_str_eq(ber_next(&inner, &e), "an element of indefinite length has no end");
    cr_assert_eq(inner.pos, 0);
}

Test(ber_indefinite, an_indefinite_element_that_is_cut_anywhere_has_no_end)
{
    g_auto(ByteOut) data = octets_of("30 80 04 02 00 00 a1 80 02 01 05 00 00 00 00");

    for (size_t len = 2; len < data.len; len++) {
        g_autofree uint8_t *there = g_memdup2(data.data, len);
        BerElement e;
        ByteIn in;
        byte_in_init(&in, there, len);
        cr_assert_str_eq(ber_next(&in, &e), "an element of indefinite length has no end");
        cr_assert_eq(in.pos, 0);
    }
}

Test(ber_indefinite, a_primitive_element_is_never_indefinite)
{
    g_auto(ByteOut) data = {0}, nested = {0};
    BerElement e;
    ByteIn in;

    cr_assert_str_eq(next_of("04 80 00 00", &data, &in, &e), "a primitive element of indefinite length");
    cr_assert_eq(in.pos, 0);
    cr_assert_str_eq(next_of("30 80 04 80 00 00 00 00", &nested, &in, &e),
                     "an element of indefinite length has no end");
}

static const char *next_of_depth(unsigned depth)
{
    g_auto(ByteOut) data = {0};
    BerElement e;
    ByteIn in;

    for (unsigned i = 0; i < depth; i++)
        byte_out_be16(&data, 0x3080);
    for (unsigned i = 0; i < depth; i++)
        byte_out_be16(&data, 0);
    byte_in_init(&in, data.data, data.len);
    return ber_next(&in, &e);
}

Test(ber_indefinite, indefinite_elements_nest_only_so_deep)
{
    cr_assert_null(next_of_depth(1));
    cr_assert_null(next_of_depth(BER_DEPTH_MAX));
    cr_assert_not_null(next_of_depth(BER_DEPTH_MAX + 1));
    cr_assert_not_null(next_of_depth(100000));
}
