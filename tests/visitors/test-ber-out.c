/* test-ber-out.c: the octets that each value becomes, as the module's comment at Section has them. */
#include <math.h>

#include "tests/visitors/support.h"
#include "visitors/ber-out.h"

/* A visitor whose octets are held against the expectation when it ends. */
typedef struct Save {
    ByteOut out;
    Visitor *v;
} Save;

static Visitor *save_as(Save *s, unsigned form, uint32_t tag)
{
    s->out = (ByteOut){0};
    s->v = ber_out_new(&s->out, "root", form, tag);
    return s->v;
}

static Visitor *save_init(Save *s)
{
    return save_as(s, BER_CONTEXT, 0);
}

#define assert_saved(save, hex)                                                                                        \
    do {                                                                                                               \
        g_autoptr(GError) failure = NULL;                                                                              \
        assert_no_error(visit_finish((save)->v, &failure), failure);                                                   \
        assert_written(&(save)->out, hex);                                                                             \
        visit_free((save)->v);                                                                                         \
        byte_out_done(&(save)->out);                                                                                   \
    } while (0)

/* --- scalars ---------------------------------------------------------------------------------------------------- */

Test(ber_out, a_bool_is_a_boolean_of_ff_or_00)
{
    bool yes = true, no = false;
    Save s;
    Visitor *v = save_init(&s);

    visit_bool(v, "yes", &yes);
    visit_bool(v, "no", &no);
    assert_saved(&s, "01 01 ff 01 01 00");
}

Test(ber_out, an_unsigned_integer_is_an_integer_of_the_fewest_octets)
{
    uint8_t u8[] = {0, 127, 128, 255};
    uint16_t u16 = 0xffff;
    uint32_t u32 = 0x80000000;
    uint64_t u64[] = {5, UINT64_MAX};
    Save s;
    Visitor *v = save_init(&s);

    for (int i = 0; i < 4; i++)
        visit_uint8(v, "u8", &u8[i]);
    visit_uint16(v, "u16", &u16);
    visit_uint32(v, "u32", &u32);
    visit_uint64(v, "u64", &u64[0]);
    visit_uint64(v, "u64", &u64[1]);
    assert_saved(&s, "02 01 00 02 01 7f 02 02 00 80 02 02 00 ff 02 03 00 ff ff 02 05 00 80 00 00 00 02 01 05 "
                     "02 09 00 ff ff ff ff ff ff ff ff");
}

Test(ber_out, a_negative_integer_has_tag_0)
{
    int8_t i8[] = {-1, -128, 127};
    int16_t i16 = -129;
    int32_t i32 = INT32_MIN;
    int64_t i64[] = {INT64_MIN, INT64_MAX, -1};
    Save s;
    Visitor *v = save_init(&s);

    for (int i = 0; i < 3; i++)
        visit_int8(v, "i8", &i8[i]);
    visit_int16(v, "i16", &i16);
    visit_int32(v, "i32", &i32);
    for (int i = 0; i < 3; i++)
        visit_int64(v, "i64", &i64[i]);
    assert_saved(&s, "80 01 ff 80 01 80 02 01 7f 80 02 ff 7f 80 04 80 00 00 00 80 08 80 00 00 00 00 00 00 00 "
                     "02 08 7f ff ff ff ff ff ff ff 80 01 ff");
}

Test(ber_out, a_float_is_its_eight_octets_whatever_it_is)
{
    static const uint64_t bits[] = {UINT64_C(0xc004000000000000), UINT64_C(0x7ff8000000c0ffee),
                                    UINT64_C(0xfff0000000000001), UINT64_C(0x8000000000000000)};
    Save s;
    Visitor *v = save_init(&s);

    for (size_t i = 0; i < G_N_ELEMENTS(bits); i++) {
        double number;
        memcpy(&number, &bits[i], 8);
        visit_float64(v, "number", &number);
    }
    assert_saved(&s, "81 09 00 c0 04 00 00 00 00 00 00 81 09 00 7f f8 00 00 00 c0 ff ee "
                     "81 09 00 ff f0 00 00 00 00 00 01 81 09 00 80 00 00 00 00 00 00 00");
}

/* --- octets, text, bits ----------------------------------------------------------------------------------------- */

Test(ber_out, octets_of_all_kinds_are_opaque)
{
    char octets[] = "\0ab";
    Save s;
    Visitor *v = save_init(&s);

    visit_array(v, "array", SCALAR_UINT8, octets, 3);
    visit_buffer(v, "buffer", octets, 3);
    visit_octets(v, "octets", "thing", octets, 3);
    visit_unused(v, "pad", octets, 3);
    assert_saved(&s, "81 04 00 00 61 62 81 04 00 00 61 62 81 04 00 00 61 62 81 04 00 00 61 62");
}

Test(ber_out, of_no_length_octets_are_opaque_and_strings_and_pads_boolean_false)
{
    char *none = NULL, *empty = (char *)"";
    Save s;
    Visitor *v = save_init(&s);

    visit_array(v, "array", SCALAR_UINT8, NULL, 0);
    visit_buffer(v, "buffer", NULL, 0);
    visit_octets(v, "octets", "thing", NULL, 0);
    visit_unused(v, "pad", NULL, 0);
    visit_string(v, "none", &none);
    visit_string(v, "empty", &empty);
    assert_saved(&s, "81 01 00 81 01 00 81 01 00 01 01 00 01 01 00 01 01 00");
}

Test(ber_out, a_pad_of_zeros_is_boolean_false)
{
    uint8_t pad[300] = {0};
    Save s;
    Visitor *v = save_init(&s);

    visit_unused(v, "pad", pad, sizeof pad);
    assert_saved(&s, "01 01 00");
}

Test(ber_out, a_string_is_a_utf8string)
{
    char *text = (char *)"a\303\244";
    g_autofree char *longest = g_strnfill(300, 'x'); /* more than the legacy wire takes */
    Save s;
    Visitor *v = save_init(&s);

    visit_string(v, "text", &text);
    assert_saved(&s, "0c 03 61 c3 a4");
    v = save_init(&s);
    visit_string(v, "longest", &longest);
    cr_assert_not(visit_failed(v));
    cr_assert_eq(s.out.len, 304);
    assert_octets(s.out.data, 5, "0c 82 01 2c 78");
    visit_free(v);
    byte_out_done(&s.out);
}

Test(ber_out, a_bitmap_is_a_bit_string_whose_first_bit_is_the_most_significant)
{
    /* bits 0, 2, 6, 8, 62, 63 and 64, as far as there are so many */
    static const struct {
        size_t bits;
        const char *hex;
    } cases[] = {
        {0, "82 01 00"},
        {1, "82 02 07 80"},
        {7, "82 02 01 a2"},
        {8, "82 02 00 a2"},
        {9, "82 03 07 a2 80"},
        {63, "82 09 01 a2 80 00 00 00 00 00 02"},
        {64, "82 09 00 a2 80 00 00 00 00 00 03"},
        {65, "82 0a 07 a2 80 00 00 00 00 00 03 80"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t words[] = {UINT64_C(0xc000000000000145), 1};
        Save s;
        Visitor *v = save_init(&s);
        visit_bitmap(v, "bits", words, cases[i].bits);
        assert_saved(&s, cases[i].hex);
    }
}

Test(ber_out, bits_behind_the_last_are_not_saved)
{
    uint64_t words[] = {UINT64_MAX};
    Save s;
    Visitor *v = save_init(&s);

    visit_bitmap(v, "bits", words, 3);
    assert_saved(&s, "82 02 05 e0");
}

/* --- what holds others ------------------------------------------------------------------------------------------ */

Test(ber_out, arrays_but_those_of_uint8_are_sequences)
{
    bool flags[] = {true, false};
    int8_t i8[] = {-1, 1};
    uint16_t u16[] = {256};
    double numbers[] = {1};
    Save s;
    Visitor *v = save_init(&s);

    visit_array(v, "flags", SCALAR_BOOL, flags, 2);
    visit_array(v, "i8", SCALAR_INT8, i8, 2);
    visit_array(v, "u16", SCALAR_UINT16, u16, 1);
    visit_array(v, "numbers", SCALAR_FLOAT64, numbers, 1);
    visit_array(v, "none", SCALAR_UINT32, NULL, 0);
    assert_saved(&s, "30 06 01 01 ff 01 01 00 30 06 80 01 ff 02 01 01 30 04 02 02 01 00 "
                     "30 0b 81 09 00 3f f0 00 00 00 00 00 00 30 00");
}

Test(ber_out, the_outermost_struct_has_the_identifier_it_was_given_and_the_others_are_sequences)
{
    uint8_t x = 1;
    Save s;
    Visitor *v = save_as(&s, BER_APPLICATION, 6);

    visit_struct_start(v, NULL);
    visit_struct_start(v, "inner");
    visit_uint8(v, "x", &x);
    visit_struct_end(v);
    visit_list_start(v, "list", 2, 1);
    for (int i = 0; i < 2; i++) {
        visit_struct_start(v, NULL);
        visit_uint8(v, "x", &x);
        visit_struct_end(v);
    }
    visit_list_end(v);
    visit_list_start(v, "empty", 0, 1);
    visit_list_end(v);
    visit_struct_end(v);
    assert_saved(&s, "66 13 30 03 02 01 01 30 0a 30 03 02 01 01 30 03 02 01 01 30 00");
}

Test(ber_out, a_value_that_is_not_there_is_null)
{
    bool absent = false, present = true;
    uint8_t x = 1;
    Save s;
    Visitor *v = save_init(&s);

    visit_optional(v, "absent", &absent);
    visit_optional(v, "present", &present);
    visit_uint8(v, "present", &x);
    cr_assert(!absent && present);
    assert_saved(&s, "05 00 02 01 01");
}

static void save_subsection(Visitor *v, int index, uint8_t x)
{
    visit_subsection_start(v, index, "sub", 1);
    visit_uint8(v, "x", &x);
    visit_subsection_end(v);
}

Test(ber_out, a_subsection_has_its_number_as_tag)
{
    Save s;
    Visitor *v = save_init(&s);

    visit_struct_start(v, NULL);
    save_subsection(v, 0, 1);
    save_subsection(v, 30, 2);
    save_subsection(v, 31, 3);
    save_subsection(v, 255, 4);
    visit_struct_end(v);
    assert_saved(&s, "a0 17 a0 03 02 01 01 be 03 02 01 02 bf 1f 03 02 01 03 bf 81 7f 03 02 01 04");
}

Test(ber_out, subsections_may_be_in_inner_structs_and_in_subsections)
{
    Save s;
    Visitor *v = save_init(&s);

    visit_struct_start(v, NULL);
    visit_struct_start(v, "inner");
    save_subsection(v, 1, 1);
    visit_struct_end(v);
    visit_subsection_start(v, 2, "outer", 1);
    save_subsection(v, 3, 2);
    visit_subsection_end(v);
    visit_struct_end(v);
    assert_saved(&s, "a0 0e 30 05 a1 03 02 01 01 a2 05 a3 03 02 01 02");
}

/* --- nothing ---------------------------------------------------------------------------------------------------- */

static void assert_empty_struct(unsigned form, uint32_t tag, const char *hex)
{
    Save s;
    Visitor *v = save_as(&s, form, tag);

    visit_struct_start(v, NULL);
    visit_struct_end(v);
    assert_saved(&s, hex);
}

Test(ber_out, an_outermost_struct_without_values_has_one_boolean_false)
{
    assert_empty_struct(BER_CONTEXT, 0, "a0 03 01 01 00");
    assert_empty_struct(BER_APPLICATION, 31, "7f 1f 03 01 01 00");
}

Test(ber_out, an_inner_struct_without_values_is_an_empty_sequence)
{
    Save s;
    Visitor *v = save_init(&s);

    visit_struct_start(v, NULL);
    visit_struct_start(v, "inner");
    visit_struct_end(v);
    visit_struct_end(v);
    assert_saved(&s, "a0 02 30 00");
}

Test(ber_out, a_subsection_without_values_has_one_boolean_false_whatever_its_number)
{
    for (int index = 0; index < 256; index++) {
        g_auto(ByteOut) wanted = {0}, nothing = octets_of("01 01 00");
        Save s;
        Visitor *v = save_init(&s);
        visit_struct_start(v, NULL);
        visit_subsection_start(v, index, "sub", 1);
        visit_subsection_end(v);
        visit_struct_end(v);
        size_t mark = ber_start(&wanted, BER_CONTEXT, 0);
        ber_put_octets_as(&wanted, BER_CONTEXT | BER_CONSTRUCTED, (uint32_t)index, nothing.data, nothing.len);
        ber_end(&wanted, mark);
        g_autofree char *hex = hex_of(wanted.data, wanted.len);
        assert_saved(&s, hex);
    }
}

Test(ber_out, a_struct_that_only_has_a_subsection_needs_no_boolean)
{
    Save s;
    Visitor *v = save_init(&s);

    visit_struct_start(v, NULL);
    visit_subsection_start(v, 1, "sub", 1);
    visit_subsection_end(v);
    visit_struct_end(v);
    assert_saved(&s, "a0 05 a1 03 01 01 00");
}

Test(ber_out, what_is_written_is_appended)
{
    g_auto(ByteOut) out = octets_of("ee");
    g_autoptr(Visitor) v = ber_out_new(&out, "root", BER_CONTEXT, 0);
    uint8_t x = 1;

    visit_struct_start(v, NULL);
    visit_uint8(v, "x", &x);
    visit_struct_end(v);
    assert_written(&out, "ee a0 03 02 01 01");
}
