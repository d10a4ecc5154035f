/* test-ber.c: identifier and length octets, both forms of constructed elements, integers. */
#include "tests/visitors/support.h"
#include "visitors/ber.h"

static const char *next_of(const char *hex, ByteOut *data, ByteIn *in, BerElement *e)
{
    *data = octets_of(hex);
    byte_in_init(in, data->data, data->len);
    return ber_next(in, e);
}

/* --- heads ------------------------------------------------------------------------------------------------------ */

Test(ber, a_length_takes_the_fewest_octets)
{
    static const struct {
        size_t len;
        const char *head;
    } cases[] = {
        {0, "04 00"},
        {1, "04 01"},
        {127, "04 7f"},
        {128, "04 81 80"},
        {255, "04 81 ff"},
        {256, "04 82 01 00"},
        {65407, "04 82 ff 7f"},
        /* with an octet that is not needed, for the sake of dumpasn1 */
        {65408, "04 83 00 ff 80"},
        {65535, "04 83 00 ff ff"},
        {65536, "04 83 01 00 00"},
        {0xffffff, "04 84 00 ff ff ff"},
        {0x1000000, "04 84 01 00 00 00"},
        {0x7fffffff, "04 84 7f ff ff ff"},
        {0x80000000, "04 84 80 00 00 00"},
        {0xffffffffff, "04 86 00 ff ff ff ff ff"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(ByteOut) out = {0};
        unsigned form;
        uint32_t tag;
        int64_t len;
        ber_put_head(&out, BER_UNIVERSAL, BER_OCTET_STRING, cases[i].len);
        assert_written(&out, cases[i].head);
        cr_assert_eq(ber_read_head(out.data, out.len, &form, &tag, &len), (int)out.len);
        cr_assert_eq(form, BER_UNIVERSAL);
        cr_assert_eq(tag, BER_OCTET_STRING);
        cr_assert_eq(len, (int64_t)cases[i].len);
    }
}

Test(ber, every_length_up_to_127_is_one_octet)
{
    for (size_t len = 0; len <= 127; len++) {
        g_auto(ByteOut) out = {0};
        unsigned form;
        uint32_t tag;
        int64_t found;
        ber_put_head(&out, BER_CONTEXT, 3, len);
        cr_assert_eq(out.len, 2);
        cr_assert_eq(out.data[1], len);
        cr_assert_eq(ber_read_head(out.data, 2, &form, &tag, &found), 2);
        cr_assert_eq(found, (int64_t)len);
    }
}

Test(ber, a_tag_from_31_on_has_octets_of_its_own)
{
    static const struct {
        unsigned form;
        uint32_t tag;
        const char *head;
    } cases[] = {
        {BER_CONTEXT, 0, "80 00"},
        {BER_CONTEXT, 30, "9e 00"},
        {BER_CONTEXT, 31, "9f 1f 00"},
        {BER_CONTEXT | BER_CONSTRUCTED, 31, "bf 1f 00"},
        {BER_CONTEXT, 127, "9f 7f 00"},
        {BER_CONTEXT, 128, "9f 81 00 00"},
        {BER_APPLICATION | BER_CONSTRUCTED, 30, "7e 00"},
        {BER_APPLICATION | BER_CONSTRUCTED, 255, "7f 81 7f 00"},
        {BER_PRIVATE, 16383, "df ff 7f 00"},
        {BER_PRIVATE, 16384, "df 81 80 00 00"},
        {BER_CONTEXT, 0x1fffff, "9f ff ff 7f 00"},
        {BER_CONTEXT, 0x200000, "9f 81 80 80 00 00"},
        {BER_CONTEXT, 0x7fffffff, "9f 87 ff ff ff 7f 00"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(ByteOut) out = {0};
        unsigned form;
        uint32_t tag;
        int64_t len;
        ber_put_head(&out, cases[i].form, cases[i].tag, 0);
        assert_written(&out, cases[i].head);
        cr_assert_eq(ber_read_head(out.data, out.len, &form, &tag, &len), (int)out.len);
        cr_assert_eq(form, cases[i].form);
        cr_assert_eq(tag, cases[i].tag);
        cr_assert_eq(len, 0);
    }
}

Test(ber, a_head_that_is_cut_needs_more_octets)
{
    static const char *const heads[] = {"04 05", "04 84 00 00 01 00", "9f 87 ff ff ff 7f 81 80", "30 80", "bf 1f 80"};

    for (size_t i = 0; i < G_N_ELEMENTS(heads); i++) {
        g_auto(ByteOut) data = octets_of(heads[i]);
        unsigned form;
        uint32_t tag;
        int64_t len;
        for (size_t n = 0; n < data.len; n++) {
            g_autofree uint8_t *there = g_memdup2(data.data, MAX(n, 1));
            cr_assert_eq(ber_read_head(there, n, &form, &tag, &len), 0, "%s, %zu octets", heads[i], n);
        }
        cr_assert_eq(ber_read_head(data.data, data.len, &form, &tag, &len), (int)data.len);
    }
}

Test(ber, a_head_that_cannot_be_is_wrong)
{
    /* reserved, too long for us; tags of 2^31, of many octets */
    static const char *const heads[] = {
        "04 ff 00 00 00 00 00 00 00 00 00 00 00", "04 87 01 00 00 00 00 00 00 00 00 00 00",
        "9f 88 80 80 80 00 00 00 00 00 00 00 00 00", "9f ff ff ff ff ff ff ff ff ff ff 7f 00"};

    for (size_t i = 0; i < G_N_ELEMENTS(heads); i++) {
        g_auto(ByteOut) data = octets_of(heads[i]);
        unsigned form;
        uint32_t tag;
        int64_t len;
        ByteIn in;
        BerElement e;
        cr_assert_eq(ber_read_head(data.data, data.len, &form, &tag, &len), -1, "%s", heads[i]);
        byte_in_init(&in, data.data, data.len);
        cr_assert_str_eq(ber_next(&in, &e), "bad identifier or length octets");
        cr_assert_eq(in.pos, 0);
    }
}

Test(ber, a_length_may_have_more_octets_than_it_needs)
{
    g_auto(ByteOut) data = octets_of("04 86 00 00 00 00 00 02 61 62");
    BerElement e;
    ByteIn in;

    byte_in_init(&in, data.data, data.len);
    cr_assert_null(ber_next(&in, &e));
    assert_octets(e.content, e.len, "61 62");
    cr_assert_eq(byte_in_left(&in), 0);
}

/* --- elements --------------------------------------------------------------------------------------------------- */

Test(ber, elements_are_taken_one_after_the_other)
{
    g_auto(ByteOut) data = {0};
    BerElement e;
    ByteIn in;

    cr_assert_null(next_of("02 01 05 30 03 01 01 ff 9f 21 00", &data, &in, &e));
    cr_assert(ber_is(&e, BER_UNIVERSAL, BER_INTEGER));
    cr_assert_eq(e.start, 0);
    cr_assert_eq(e.content, data.data + 2);
    cr_assert_eq(e.len, 1);
    cr_assert_not(e.indefinite);
    cr_assert_null(ber_next(&in, &e));
    cr_assert(ber_is(&e, BER_UNIVERSAL | BER_CONSTRUCTED, BER_SEQUENCE));
    cr_assert_not(ber_is(&e, BER_UNIVERSAL, BER_SEQUENCE));
    cr_assert_eq(e.start, 3);
    cr_assert_eq(e.len, 3);
    cr_assert_null(ber_next(&in, &e));
    cr_assert(ber_is(&e, BER_CONTEXT, 33));
    cr_assert_eq(e.start, 8);
    cr_assert_eq(e.len, 0);
    cr_assert_str_eq(ber_next(&in, &e), "an element is missing");
}

Test(ber, an_element_that_is_not_all_there_is_refused_and_not_consumed)
{
    static const struct {
        const char *hex, *wrong;
    } cases[] = {
        {"", "an element is missing"},
        {"04", "an element is cut"},
        {"04 82 01", "an element is cut"},
        {"04 01", "an element is longer than what holds it"},
        {"04 02 00", "an element is longer than what holds it"},
        {"04 86 ff ff ff ff ff ff 00", "an element is longer than what holds it"},
        {"30 04 01 01 ff", "an element is longer than what holds it"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(ByteOut) data = {0};
        BerElement e;
        ByteIn in;
        byte_out_u8(&data, 0);
        g_auto(ByteOut) rest = octets_of(cases[i].hex);
        byte_out_put(&data, rest.data, rest.len);
        byte_in_init(&in, data.data, data.len);
        byte_in_u8(&in);
        cr_assert_str_eq(ber_next(&in, &e), cases[i].wrong);
        cr_assert_eq(in.pos, 1);
    }
}

Test(ber, octets_text_and_bools_are_written_as_they_should_be)
{
    g_auto(ByteOut) out = {0};

    ber_put_bool(&out, true);
    ber_put_bool(&out, false);
    ber_put_opaque(&out, 5, "abc", 3);
    ber_put_opaque(&out, 31, NULL, 0);
    ber_put_text(&out, "xy");
    ber_put_octets_as(&out, BER_CONTEXT, 15, "z", 1);
    assert_written(&out, "01 01 ff 01 01 00 85 04 00 61 62 63 9f 1f 01 00 0c 02 78 79 8f 01 7a");
}

Test(ber, opaque_octets_are_read_if_no_bits_are_unused)
{
    static const char *const wrong[] = {"80 00", "80 01 01", "80 02 ff 61"};
    const uint8_t *octets = NULL;
    size_t len = 7;
    BerElement e;
    ByteIn in;

    g_auto(ByteOut) data = octets_of("8f 03 00 61 62 85 01 00");
    byte_in_init(&in, data.data, data.len);
    cr_assert_null(ber_next(&in, &e));
    cr_assert(ber_get_opaque(&e, &octets, &len));
    assert_octets(octets, len, "61 62");
    cr_assert_null(ber_next(&in, &e));
    cr_assert(ber_get_opaque(&e, &octets, &len));
    cr_assert_eq(len, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_auto(ByteOut) bad = octets_of(wrong[i]);
        byte_in_init(&in, bad.data, bad.len);
        cr_assert_null(ber_next(&in, &e));
        cr_assert_not(ber_get_opaque(&e, &octets, &len), "%s", wrong[i]);
    }
}

/* Nests elements whose content has so many octets each more than the one inside. */
static void put_nested(ByteOut *out, int levels, const size_t *lens)
{
    if (levels == 0)
        return;
    size_t mark = ber_start(out, levels % 2 ? BER_UNIVERSAL : BER_APPLICATION, levels % 2 ? BER_SEQUENCE : 1000);
    put_nested(out, levels - 1, lens + 1);
    g_autofree uint8_t *content = pattern_new(*lens, (uint32_t)levels);
    ber_put_octets_as(out, BER_UNIVERSAL, BER_OCTET_STRING, content, *lens);
    ber_end(out, mark);
}

static void assert_nested(ByteIn *in, int levels, const size_t *lens)
{
    BerElement e, octets;
    ByteIn inner;

    if (levels == 0)
        return;
    cr_assert_null(ber_next(in, &e));
    cr_assert_eq(e.form, BER_CONSTRUCTED | (levels % 2 ? BER_UNIVERSAL : BER_APPLICATION));
    cr_assert_eq(e.tag, levels % 2 ? BER_SEQUENCE : 1000);
    byte_in_init(&inner, e.content, e.len);
    assert_nested(&inner, levels - 1, lens + 1);
    cr_assert_null(ber_next(&inner, &octets));
    g_autofree uint8_t *content = pattern_new(*lens, (uint32_t)levels);
    assert_same_octets(octets.content, octets.len, content, *lens);
    cr_assert_eq(byte_in_left(&inner), 0);
}

Test(ber, content_that_moves_for_a_longer_length_stays_whole)
{
    static const size_t lens[][5] = {
        {0, 0, 0, 0, 0},         {10, 100, 20, 0, 120}, {1, 60, 70, 128, 255},
        {70000, 1, 300, 5, 100}, {1, 2, 3, 4, 70000},   {125, 124, 123, 122, 121},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(lens); i++) {
        g_auto(ByteOut) out = {0};
        ByteIn in;
        byte_out_u8(&out, 0xee);
        put_nested(&out, 5, lens[i]);
        ber_put_text(&out, "behind");
        cr_assert_eq(out.data[0], 0xee);
        byte_in_init(&in, out.data, out.len);
        byte_in_u8(&in);
        assert_nested(&in, 5, lens[i]);
        assert_octets(in.data + in.pos, byte_in_left(&in), "0c 06 62 65 68 69 6e 64");
    }
}

Test(ber, the_length_of_a_constructed_element_is_minimal_around_its_steps)
{
    for (size_t len = 120; len < 70000; len = len == 140 ? 250 : len == 270 ? 65520 : len == 65550 ? 70000 : len + 1) {
        g_autofree uint8_t *content = pattern_new(len, 1);
        g_auto(ByteOut) out = {0}, wanted = {0};
        size_t mark = ber_start(&out, BER_CONTEXT, 5);
        byte_out_put(&out, content, len);
        ber_end(&out, mark);
        ber_put_octets_as(&wanted, BER_CONTEXT | BER_CONSTRUCTED, 5, content, len);
        assert_same_octets(out.data, out.len, wanted.data, wanted.len);
    }
}

/* --- names ------------------------------------------------------------------------------------------------------ */

Test(ber, a_tag_has_the_name_that_asn1_gives_it)
{
    static const struct {
        unsigned form;
        uint32_t tag;
        const char *name;
    } cases[] = {
        {BER_UNIVERSAL, BER_EOC, "end-of-contents"},
        {BER_UNIVERSAL, BER_BOOLEAN, "BOOLEAN"},
        {BER_UNIVERSAL, BER_INTEGER, "INTEGER"},
        {BER_UNIVERSAL, BER_BIT_STRING, "BIT STRING"},
        {BER_UNIVERSAL, BER_OCTET_STRING, "OCTET STRING"},
        {BER_UNIVERSAL | BER_CONSTRUCTED, BER_OCTET_STRING, "OCTET STRING"},
        {BER_UNIVERSAL, BER_NULL, "NULL"},
        {BER_UNIVERSAL, BER_ENUMERATED, "ENUMERATED"},
        {BER_UNIVERSAL, BER_UTF8_STRING, "UTF8String"},
        {BER_UNIVERSAL | BER_CONSTRUCTED, BER_SEQUENCE, "SEQUENCE"},
        {BER_UNIVERSAL, 6, "[UNIVERSAL 6]"},
        {BER_UNIVERSAL, 17, "[UNIVERSAL 17]"},
        {BER_UNIVERSAL, 4000000000, "[UNIVERSAL 4000000000]"},
        {BER_CONTEXT, 3, "[3]"},
        {BER_CONTEXT | BER_CONSTRUCTED, 2, "[2]"},
        {BER_APPLICATION | BER_CONSTRUCTED, 5, "[APPLICATION 5]"},
        {BER_PRIVATE, 40, "[PRIVATE 40]"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *name = ber_tag_name(cases[i].form, cases[i].tag);
        cr_assert_str_eq(name, cases[i].name);
    }
}
