/* test-json.c: JSON text, letter for letter and as another reader of JSON understands it. */
#include <jansson.h>
#include <math.h>

#include "tests/visitors/sample.h"
#include "visitors/json-out.h"

typedef struct Json {
    ByteOut buf;
    ChanOut *out;
    JsonWrite *w;
} Json;

static JsonWrite *json_init(Json *j, unsigned lines)
{
    j->buf = (ByteOut){0};
    j->out = chan_out_new(chan_buf_new(&j->buf));
    j->w = json_write_new(j->out, lines);
    return j->w;
}

/* The text so far; lives until the next call. */
static const char *json_text(Json *j)
{
    chan_out_flush(j->out);
    byte_out_u8(&j->buf, 0);
    j->buf.len--;
    return (char *)j->buf.data;
}

static void json_done(Json *j)
{
    json_write_free(j->w);
    chan_out_free(j->out);
    byte_out_done(&j->buf);
}

#define assert_json(json, wanted)                                                                                      \
    do {                                                                                                               \
        cr_assert_str_eq(json_text(json), wanted);                                                                     \
        json_done(json);                                                                                               \
    } while (0)

/* --- objects, arrays, lines ------------------------------------------------------------------------------------- */

static void write_example(JsonWrite *w)
{
    json_write_object_start(w, NULL);
    json_write_uint(w, "a", 1);
    json_write_array_start(w, "list");
    json_write_int(w, NULL, -1);
    json_write_object_start(w, NULL);
    json_write_bool(w, "yes", true);
    json_write_bool(w, "no", false);
    json_write_object_end(w);
    json_write_array_end(w);
    json_write_array_start(w, "none");
    json_write_array_end(w);
    json_write_object_start(w, "nothing");
    json_write_object_end(w);
    json_write_null(w, "null");
    json_write_object_end(w);
}

Test(json, without_lines_everything_is_on_one)
{
    Json j;

    write_example(json_init(&j, 0));
    assert_json(&j, "{\"a\": 1, \"list\": [-1, {\"yes\": true, \"no\": false}], \"none\": [], \"nothing\": {}, "
                    "\"null\": null}\n");
}

Test(json, members_have_lines_of_their_own_down_to_a_depth)
{
    Json j;

    write_example(json_init(&j, 1));
    assert_json(&j, "{\n"
                    " \"a\": 1,\n"
                    " \"list\": [-1, {\"yes\": true, \"no\": false}],\n"
                    " \"none\": [],\n"
                    " \"nothing\": {},\n"
                    " \"null\": null\n"
                    "}\n");
    write_example(json_init(&j, 2));
    assert_json(&j, "{\n"
                    " \"a\": 1,\n"
                    " \"list\": [\n"
                    "  -1,\n"
                    "  {\"yes\": true, \"no\": false}\n"
                    " ],\n"
                    " \"none\": [],\n"
                    " \"nothing\": {},\n"
                    " \"null\": null\n"
                    "}\n");
}

Test(json, another_reader_in_the_same_program_understands_it)
{
    Json j;

    write_example(json_init(&j, 1));
    json_t *root = json_loads(json_text(&j), 0, NULL);
    cr_assert_not_null(root);
    cr_assert_eq(json_object_size(root), 5);
    cr_assert(json_is_null(json_object_get(root, "null")));
    json_decref(root);
    json_done(&j);
}

Test(json, the_depth_is_known_and_levels_can_be_closed_down_to_it)
{
    Json j;
    JsonWrite *w = json_init(&j, 0);

    cr_assert_eq(json_write_depth(w), 0);
    json_write_object_start(w, NULL);
    json_write_array_start(w, "a");
    json_write_object_start(w, NULL);
    json_write_array_start(w, "b");
    cr_assert_eq(json_write_depth(w), 4);
    json_write_close_to(w, 5);
    json_write_close_to(w, 4);
    cr_assert_eq(json_write_depth(w), 4);
    json_write_close_to(w, 2);
    cr_assert_eq(json_write_depth(w), 2);
    json_write_uint(w, NULL, 7);
    cr_assert_str_eq(json_text(&j), "{\"a\": [{\"b\": []}, 7");
    json_write_close_to(w, 0);
    cr_assert_eq(json_write_depth(w), 0);
    assert_json(&j, "{\"a\": [{\"b\": []}, 7]}\n");
}

Test(json, any_depth_is_closed_in_the_right_order)
{
    enum { DEPTH = 5000 };
    GString *wanted = g_string_new(NULL);
    Json j;
    JsonWrite *w = json_init(&j, 0);

    for (int i = 0; i < DEPTH; i++) {
        if (i % 3)
            json_write_array_start(w, i % 3 == 1 ? "a" : NULL);
        else
            json_write_object_start(w, NULL);
        g_string_append(wanted, i % 3 == 0 ? "{" : i % 3 == 1 ? "\"a\": [" : "[");
    }
    for (int i = DEPTH; i-- > 0;)
        g_string_append_c(wanted, i % 3 ? ']' : '}');
    g_string_append_c(wanted, '\n');
    cr_assert_eq(json_write_depth(w), DEPTH);
    json_write_close_to(w, 0);
    assert_json(&j, wanted->str);
    g_string_free(wanted, TRUE);
}

Test(json, deep_lines_are_still_json)
{
    Json j;
    JsonWrite *w = json_init(&j, 100);

    for (int i = 0; i < 60; i++) {
        json_write_object_start(w, i ? "in" : NULL);
        json_write_uint(w, "n", (uint64_t)i);
    }
    json_write_close_to(w, 0);
    json_t *root = json_loads(json_text(&j), 0, NULL);
    cr_assert_not_null(root);
    json_t *level = root;
    for (int i = 0; i < 60; i++) {
        cr_assert_eq(json_integer_value(json_object_get(level, "n")), i);
        level = json_object_get(level, "in");
    }
    cr_assert_null(level);
    json_decref(root);
    json_done(&j);
}

/* --- values ----------------------------------------------------------------------------------------------------- */

Test(json, integers_of_64_bits_are_exact)
{
    Json j;
    JsonWrite *w = json_init(&j, 0);

    json_write_array_start(w, NULL);
    json_write_uint(w, NULL, UINT64_MAX);
    json_write_uint(w, NULL, (UINT64_C(1) << 53) + 1);
    json_write_int(w, NULL, INT64_MIN);
    json_write_int(w, NULL, INT64_MAX);
    json_write_uint(w, NULL, 0);
    json_write_number(w, NULL, "1e5");
    json_write_array_end(w);
    assert_json(&j, "[18446744073709551615, 9007199254740993, -9223372036854775808, 9223372036854775807, 0, 1e5]\n");
}

Test(json, what_json_cannot_say_in_a_string_is_escaped)
{
    Json j;
    JsonWrite *w = json_init(&j, 0);

    json_write_object_start(w, NULL);
    json_write_string(w, "quote \" \\", "\" \\ /");
    json_write_string(w, "control", "\001\b\t\n\f\r\037\177");
    json_write_string(w, "more", "\303\244\342\202\254\360\237\230\200");
    json_write_object_end(w);
    assert_json(&j, "{\"quote \\\" \\\\\": \"\\\" \\\\ /\", "
                    "\"control\": \"\\u0001\\u0008\\u0009\\u000a\\u000c\\u000d\\u001f\\u007f\", "
                    "\"more\": \"\303\244\342\202\254\360\237\230\200\"}\n");
}

Test(json, a_string_that_is_not_utf_8_is_shown_in_printable_letters)
{
    Json j;
    JsonWrite *w = json_init(&j, 0);

    json_write_array_start(w, NULL);
    json_write_string(w, NULL, "a\xff\\");
    json_write_array_end(w);
    assert_json(&j, "[\"a\\\\xff\\\\x5c\"]\n");
}

Test(json, every_string_comes_back_from_another_reader)
{
    for (unsigned c = 1; c < 0x300; c++) {
        char text[12] = "x";
        Json j;
        JsonWrite *w = json_init(&j, 0);
        text[1 + g_unichar_to_utf8(c, text + 1)] = 'y';
        json_write_object_start(w, NULL);
        json_write_string(w, text, text);
        json_write_object_end(w);
        json_t *root = json_loads(json_text(&j), 0, NULL);
        cr_assert_not_null(root, "character %u", c);
        cr_assert_str_eq(json_string_value(json_object_get(root, text)), text);
        json_decref(root);
        json_done(&j);
    }
}

Test(json, octets_are_a_string_of_hexadecimal_digits_of_any_length)
{
    static const size_t sizes[] = {0, 1, 255, 256, 257, 512, 1000};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree uint8_t *data = pattern_new(sizes[i], 1);
        GString *wanted = g_string_new("[\"");
        Json j;
        JsonWrite *w = json_init(&j, 0);
        for (size_t k = 0; k < sizes[i]; k++)
            g_string_append_printf(wanted, "%02x", data[k]);
        g_string_append(wanted, "\"]\n");
        json_write_array_start(w, NULL);
        json_write_hex(w, NULL, data, sizes[i]);
        json_write_array_end(w);
        assert_json(&j, wanted->str);
        g_string_free(wanted, TRUE);
    }
}

/* --- the visitor ------------------------------------------------------------------------------------------------ */

static void finish(Visitor *v)
{
    g_autoptr(GError) error = NULL;

    assert_no_error(visit_finish(v, &error), error);
    visit_free(v);
}

Test(json, structs_and_subsections_are_objects_and_lists_arrays)
{
    uint8_t x = 1;
    bool absent = false;
    Json j;
    Visitor *v = json_out_new(json_init(&j, 0), NULL);

    visit_struct_start(v, NULL);
    visit_struct_start(v, "inner");
    visit_uint8(v, "x", &x);
    visit_struct_end(v);
    visit_optional(v, "absent", &absent);
    visit_list_start(v, "list", 2, 1);
    for (int i = 0; i < 2; i++) {
        visit_struct_start(v, NULL);
        visit_uint8(v, "x", &x);
        visit_struct_end(v);
    }
    visit_list_end(v);
    visit_subsection_start(v, 4, "dev/sub", 2);
    visit_uint8(v, "x", &x);
    visit_subsection_end(v);
    visit_struct_end(v);
    finish(v);
    assert_json(&j, "{\"inner\": {\"x\": 1}, \"list\": [{\"x\": 1}, {\"x\": 1}], \"dev/sub\": {\"x\": 1}}\n");
}

Test(json, a_visitor_writes_one_member_or_one_element)
{
    uint8_t x = 1;
    Json j;
    JsonWrite *w = json_init(&j, 0);

    json_write_object_start(w, NULL);
    for (int i = 0; i < 2; i++) {
        Visitor *v = json_out_new(w, i ? NULL : "fields");
        visit_struct_start(v, NULL);
        visit_uint8(v, "x", &x);
        visit_struct_end(v);
        finish(v);
        if (i == 0)
            json_write_array_start(w, "more");
    }
    json_write_close_to(w, 0);
    assert_json(&j, "{\"fields\": {\"x\": 1}, \"more\": [{\"x\": 1}]}\n");
}

Test(json, scalars_and_arrays_are_exact)
{
    uint64_t u64 = UINT64_MAX;
    int64_t i64 = INT64_MIN;
    int8_t i8[] = {-1, 0, 127};
    bool flags[] = {true, false};
    Json j;
    Visitor *v = json_out_new(json_init(&j, 0), NULL);

    visit_struct_start(v, NULL);
    visit_uint64(v, "u64", &u64);
    visit_int64(v, "i64", &i64);
    visit_array(v, "i8", SCALAR_INT8, i8, 3);
    visit_array(v, "flags", SCALAR_BOOL, flags, 2);
    visit_array(v, "none", SCALAR_UINT32, NULL, 0);
    visit_struct_end(v);
    finish(v);
    assert_json(&j, "{\"u64\": 18446744073709551615, \"i64\": -9223372036854775808, \"i8\": [-1, 0, 127], "
                    "\"flags\": [true, false], \"none\": []}\n");
}

Test(json, a_float_is_a_number_or_a_string_of_its_bits)
{
    static const uint64_t payload = UINT64_C(0xfff8000000c0ffee);
    double values[] = {-2.5, 0.1, 1e300, -0.0, HUGE_VAL, -HUGE_VAL, 0};
    Json j;
    Visitor *v = json_out_new(json_init(&j, 0), NULL);

    memcpy(&values[6], &payload, 8);
    visit_struct_start(v, NULL);
    visit_array(v, "values", SCALAR_FLOAT64, values, 7);
    visit_float64(v, "one", &values[0]);
    visit_struct_end(v);
    finish(v);
    assert_json(&j, "{\"values\": [-2.5, 0.10000000000000001, 1.0000000000000001e+300, -0, \"0x7ff0000000000000\", "
                    "\"0xfff0000000000000\", \"0xfff8000000c0ffee\"], \"one\": -2.5}\n");
}

Test(json, octets_bitmaps_and_strings_are_as_the_header_says)
{
    uint8_t octets[] = {0xde, 0xad};
    uint64_t bits[] = {0x2000f};
    char *text = (char *)"a\"b", *none = NULL;
    Json j;
    Visitor *v = json_out_new(json_init(&j, 0), NULL);

    visit_struct_start(v, NULL);
    visit_buffer(v, "buffer", octets, 2);
    visit_unused(v, "pad", octets, 1);
    visit_octets(v, "octets", "timer", octets, 2);
    visit_bitmap(v, "bits", bits, 20);
    visit_string(v, "text", &text);
    visit_string(v, "none", &none);
    visit_struct_end(v);
    finish(v);
    assert_json(&j,
                "{\"buffer\": \"dead\", \"pad\": \"de\", \"octets\": {\"octets-of\": \"timer\", \"hex\": \"dead\"}, "
                "\"bits\": {\"bits\": 20, \"set\": \"0-3,17\"}, \"text\": \"a\\\"b\", \"none\": \"\"}\n");
}

Test(json, whatever_the_values_another_reader_understands_them)
{
    for (uint32_t seed = 0; seed < 32; seed++) {
        g_auto(Sample) s = {0};
        Json j;
        sample_fill(&s, seed);
        s.u64 >>= 1; /* jansson has no more */
        for (int i = 0; i < 3; i++)
            s.words[i] >>= 1;
        Visitor *v = json_out_new(json_init(&j, seed % 4), NULL);
        sample_visit(v, &s);
        finish(v);
        json_error_t why;
        json_t *root = json_loads(json_text(&j), JSON_REJECT_DUPLICATES, &why);
        cr_assert_not_null(root, "%s", why.text);
        cr_assert_eq(json_integer_value(json_object_get(root, "i64")), s.i64);
        cr_assert_eq((uint64_t)json_integer_value(json_object_get(root, "u64")), s.u64);
        cr_assert_eq(json_is_true(json_object_get(root, "on")), s.on);
        cr_assert_str_eq(json_string_value(json_object_get(root, "text")), s.text);
        cr_assert_eq(json_array_size(json_object_get(root, "parts")), 3);
        cr_assert_eq(json_object_get(root, "extra") != NULL, s.on);
        cr_assert_eq(json_object_get(root, "sample/sub") != NULL, s.has_sub);
        json_decref(root);
        json_done(&j);
    }
}
