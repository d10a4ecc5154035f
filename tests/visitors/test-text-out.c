/* test-text-out.c: the lines that people read, letter for letter. */
#include "tests/visitors/sample.h"
#include "visitors/text-out.h"

typedef struct Text {
    ByteOut buf;
    ChanOut *out;
    Visitor *v;
} Text;

static Visitor *text_init(Text *t, const char *root, bool colour)
{
    t->buf = (ByteOut){0};
    t->out = chan_out_new(chan_buf_new(&t->buf));
    t->v = text_out_new(t->out, root, colour);
    return t->v;
}

#define assert_text(text, wanted)                                                                                      \
    do {                                                                                                               \
        g_autoptr(GError) failure = NULL;                                                                              \
        assert_no_error(visit_finish((text)->v, &failure), failure);                                                   \
        assert_no_error(chan_out_finish((text)->out, &failure), failure);                                              \
        byte_out_u8(&(text)->buf, 0);                                                                                  \
        cr_assert_str_eq((char *)(text)->buf.data, wanted);                                                            \
        visit_free((text)->v);                                                                                         \
        chan_out_free((text)->out);                                                                                    \
        byte_out_done(&(text)->buf);                                                                                   \
    } while (0)

/* --- scalars ---------------------------------------------------------------------------------------------------- */

Test(text_out, a_scalar_is_a_line_of_path_kind_and_value)
{
    uint8_t u8 = 0xff;
    uint16_t u16 = 0;
    uint32_t u32 = 0x1234;
    uint64_t u64 = UINT64_MAX;
    bool yes = true, no = false;
    Text t;
    Visitor *v = text_init(&t, "dev", false);

    visit_struct_start(v, NULL);
    visit_uint8(v, "u8", &u8);
    visit_uint16(v, "u16", &u16);
    visit_uint32(v, "u32", &u32);
    visit_uint64(v, "u64", &u64);
    visit_bool(v, "yes", &yes);
    visit_bool(v, "no", &no);
    visit_struct_end(v);
    assert_text(&t, "dev.u8 = (uint8) 0xff\n"
                    "dev.u16 = (uint16) 0x0\n"
                    "dev.u32 = (uint32) 0x1234\n"
                    "dev.u64 = (uint64) 0xffffffffffffffff\n"
                    "dev.yes = (bool) true\n"
                    "dev.no = (bool) false\n");
}

Test(text_out, a_negative_number_has_its_sign_in_front)
{
    int8_t i8 = -1;
    int16_t i16 = INT16_MIN;
    int32_t i32 = 0x10;
    int64_t i64 = INT64_MIN;
    Text t;
    Visitor *v = text_init(&t, "dev", false);

    visit_int8(v, "i8", &i8);
    visit_int16(v, "i16", &i16);
    visit_int32(v, "i32", &i32);
    visit_int64(v, "i64", &i64);
    assert_text(&t, "dev.i8 = (int8) -0x1\n"
                    "dev.i16 = (int16) -0x8000\n"
                    "dev.i32 = (int32) 0x10\n"
                    "dev.i64 = (int64) -0x8000000000000000\n");
}

Test(text_out, a_float_is_shown_with_its_bits)
{
    static const uint64_t payload = UINT64_C(0x7ff8000000c0ffee);
    double number = -2.5, tenth = 0.1, nan;
    Text t;
    Visitor *v = text_init(&t, "dev", false);

    memcpy(&nan, &payload, 8);
    visit_float64(v, "number", &number);
    visit_float64(v, "tenth", &tenth);
    visit_float64(v, "nan", &nan);
    assert_text(&t, "dev.number = (float64) -2.5 [0xc004000000000000]\n"
                    "dev.tenth = (float64) 0.10000000000000001 [0x3fb999999999999a]\n"
                    "dev.nan = (float64) nan [0x7ff8000000c0ffee]\n");
}

/* --- paths ------------------------------------------------------------------------------------------------------ */

Test(text_out, an_array_has_count_width_and_index_in_the_path)
{
    uint8_t config[256] = {0};
    int32_t deltas[] = {1, -2};
    Text t;
    Visitor *v = text_init(&t, "PIIX3", false);
    GString *wanted = g_string_new(NULL);

    visit_struct_start(v, NULL);
    visit_struct_start(v, "PCIDevice");
    visit_buffer(v, "config", config, 256);
    visit_struct_end(v);
    visit_array(v, "deltas", SCALAR_INT32, deltas, 2);
    visit_array(v, "none", SCALAR_INT32, NULL, 0);
    visit_struct_end(v);
    for (int i = 0; i < 256; i++)
        g_string_append_printf(wanted, "PIIX3.PCIDevice.config(256)(1).[%d] = (uint8) 0x0\n", i);
    g_string_append(wanted, "PIIX3.deltas(2)(4).[0] = (int32) 0x1\n"
                            "PIIX3.deltas(2)(4).[1] = (int32) -0x2\n");
    assert_text(&t, wanted->str);
    g_string_free(wanted, TRUE);
}

Test(text_out, a_list_has_count_size_and_index_and_its_elements_have_fields)
{
    uint8_t x = 1;
    Text t;
    Visitor *v = text_init(&t, "dev", false);

    visit_struct_start(v, NULL);
    visit_list_start(v, "list", 2, 24);
    for (int i = 0; i < 2; i++) {
        visit_struct_start(v, NULL);
        visit_uint8(v, "x", &x);
        visit_struct_start(v, "inner");
        visit_uint8(v, "y", &x);
        visit_struct_end(v);
        visit_struct_end(v);
    }
    visit_list_end(v);
    visit_uint8(v, "z", &x);
    visit_struct_end(v);
    assert_text(&t, "dev.list(2)(24).[0].x = (uint8) 0x1\n"
                    "dev.list(2)(24).[0].inner.y = (uint8) 0x1\n"
                    "dev.list(2)(24).[1].x = (uint8) 0x1\n"
                    "dev.list(2)(24).[1].inner.y = (uint8) 0x1\n"
                    "dev.z = (uint8) 0x1\n");
}

Test(text_out, a_subsection_is_in_the_path_by_its_name)
{
    bool absent = false;
    uint8_t x = 1;
    Text t;
    Visitor *v = text_init(&t, "dev", false);

    visit_struct_start(v, NULL);
    visit_optional(v, "absent", &absent);
    visit_subsection_start(v, 3, "dev/sub", 2);
    visit_uint8(v, "x", &x);
    visit_subsection_end(v);
    visit_struct_end(v);
    assert_text(&t, "dev.dev/sub.x = (uint8) 0x1\n");
}

/* --- octets, bits, text ----------------------------------------------------------------------------------------- */

Test(text_out, a_pad_is_shown_octet_by_octet)
{
    uint8_t pad[] = {0, 9};
    Text t;
    Visitor *v = text_init(&t, "dev", false);

    visit_unused(v, "unused", pad, 2);
    assert_text(&t, "dev.unused(2)(1).[0] = (uint8) 0x0\n"
                    "dev.unused(2)(1).[1] = (uint8) 0x9\n");
}

Test(text_out, octets_nobody_described_come_32_to_a_line)
{
    uint8_t octets[65];
    Text t;
    Visitor *v = text_init(&t, "dev", false);

    for (int i = 0; i < 65; i++)
        octets[i] = (uint8_t)(i * 3);
    visit_octets(v, "data", "timer", octets, 65);
    visit_octets(v, "full", "timer", octets, 32);
    visit_octets(v, "none", "timer", octets, 0);
    assert_text(
        &t, "dev.data(65)(1).[0] = (octets of timer) 00 03 06 09 0c 0f 12 15 18 1b 1e 21 24 27 2a 2d 30 33 36 39 3c "
            "3f 42 45 48 4b 4e 51 54 57 5a 5d\n"
            "dev.data(65)(1).[32] = (octets of timer) 60 63 66 69 6c 6f 72 75 78 7b 7e 81 84 87 8a 8d 90 93 96 99 "
            "9c 9f a2 a5 a8 ab ae b1 b4 b7 ba bd\n"
            "dev.data(65)(1).[64] = (octets of timer) c0\n"
            "dev.full(32)(1).[0] = (octets of timer) 00 03 06 09 0c 0f 12 15 18 1b 1e 21 24 27 2a 2d 30 33 36 39 3c "
            "3f 42 45 48 4b 4e 51 54 57 5a 5d\n");
}

Test(text_out, a_bitmap_is_the_numbers_of_the_bits_that_are_set)
{
    uint64_t words[] = {0x2000f, 0}, none = 0;
    Text t;
    Visitor *v = text_init(&t, "dev", false);

    visit_bitmap(v, "bits", words, 70);
    visit_bitmap(v, "none", &none, 3);
    visit_bitmap(v, "empty", NULL, 0);
    assert_text(&t, "dev.bits(70) = (bitmap) {0-3,17}\n"
                    "dev.none(3) = (bitmap) {}\n"
                    "dev.empty(0) = (bitmap) {}\n");
}

Test(text_out, a_string_is_quoted_and_shown_in_printable_letters)
{
    char *text = (char *)"a \\\n\303\244", *none = NULL;
    Text t;
    Visitor *v = text_init(&t, "dev", false);

    visit_string(v, "text", &text);
    visit_string(v, "none", &none);
    assert_text(&t, "dev.text = (string) \"a \\x5c\\x0a\\xc3\\xa4\"\n"
                    "dev.none = (string) \"\"\n");
}

Test(text_out, ranges_of_bits_are_told_by_their_ends)
{
    static const struct {
        uint64_t words[3];
        size_t bits;
        const char *ranges;
    } cases[] = {
        {{0}, 0, ""},
        {{0}, 192, ""},
        {{1}, 1, "0"},
        {{UINT64_MAX}, 1, "0"},
        {{3}, 2, "0-1"},
        {{5}, 3, "0,2"},
        {{UINT64_C(0x8000000000000000), 1}, 128, "63-64"},
        {{UINT64_MAX, UINT64_MAX, UINT64_MAX}, 192, "0-191"},
        {{UINT64_MAX, UINT64_MAX, UINT64_MAX}, 130, "0-129"},
        {{UINT64_C(0x8000000000000001), 0, UINT64_C(0x8000000000000006)}, 192, "0,63,129-130,191"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *ranges = text_bit_ranges(cases[i].words, cases[i].bits);
        cr_assert_str_eq(ranges, cases[i].ranges);
    }
}

/* --- colour ----------------------------------------------------------------------------------------------------- */

Test(text_out, colour_adds_escape_sequences_and_nothing_else)
{
    g_auto(Sample) s = {0};
    Text plain, coloured;

    sample_fill(&s, 3);
    sample_visit(text_init(&plain, "dev", false), &s);
    sample_visit(text_init(&coloured, "dev", true), &s);
    chan_out_flush(plain.out);
    chan_out_flush(coloured.out);
    g_autofree char *text = g_strndup((char *)coloured.buf.data, coloured.buf.len);
    g_autoptr(GRegex) escape = g_regex_new("\033\\[[0-9;]*m", G_REGEX_RAW, 0, NULL);
    g_autofree char *without = g_regex_replace_literal(escape, text, -1, 0, "", 0, NULL);
    cr_assert_gt(coloured.buf.len, plain.buf.len);
    /* every line ends as it began */
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line && **line; line++) {
        const char *last = g_strrstr(*line, "\033");
        cr_assert_not_null(last, "%s", *line);
        cr_assert(g_str_has_prefix(last, "\033[0m"), "%s", *line);
    }
    cr_assert_null(memchr(plain.buf.data, '\033', plain.buf.len));
    assert_text(&plain, without);
    visit_free(coloured.v);
    chan_out_free(coloured.out);
    byte_out_done(&coloured.buf);
}
