/* test-qemufile.c: QEMU's untagged wire, octet for octet and in both directions. */
#include "tests/visitors/sample.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"

/* --- what each call writes, and reads again --------------------------------------------------------------------- */

/* Saves with one visitor and loads with another what a test then holds against each other. */
typedef struct Wire {
    ByteOut out;
    ChanIn *chan;
    Visitor *save, *load;
} Wire;

static void wire_init(Wire *w)
{
    *w = (Wire){0};
    byte_out_grow(&w->out, 1); /* memory, also where nothing is written */
    w->save = qemufile_out_new(&w->out, "root");
}

/* The octets are as expected: turns round. */
static void wire_turn(Wire *w, const char *hex)
{
    g_autoptr(GError) error = NULL;

    assert_no_error(visit_finish(w->save, &error), error);
    assert_written(&w->out, hex);
    w->chan = chan_in_new_memory(w->out.data, w->out.len, 0);
    w->load = qemufile_in_new(w->chan, "root");
}

static void wire_done(Wire *w)
{
    g_autoptr(GError) error = NULL;

    assert_no_error(visit_finish(w->load, &error), error);
    cr_assert(chan_in_at_end(w->chan));
    visit_free(w->save);
    visit_free(w->load);
    chan_in_free(w->chan);
    byte_out_done(&w->out);
}

Test(qemufile, integers_are_as_wide_as_their_type_and_big_endian)
{
    int8_t i8 = -2;
    int16_t i16 = -2;
    int32_t i32 = 0x01020304;
    int64_t i64 = INT64_MIN;
    uint8_t u8 = 0xfe;
    uint16_t u16 = 0xfedc;
    uint32_t u32 = 0xfedcba98;
    uint64_t u64 = UINT64_C(0x0102030405060708);
    Wire w;

    wire_init(&w);
    visit_int8(w.save, "i8", &i8);
    visit_int16(w.save, "i16", &i16);
    visit_int32(w.save, "i32", &i32);
    visit_int64(w.save, "i64", &i64);
    visit_uint8(w.save, "u8", &u8);
    visit_uint16(w.save, "u16", &u16);
    visit_uint32(w.save, "u32", &u32);
    visit_uint64(w.save, "u64", &u64);
    wire_turn(&w, "fe ff fe 01 02 03 04 80 00 00 00 00 00 00 00 fe fe dc fe dc ba 98 01 02 03 04 05 06 07 08");
    i8 = 0, i16 = 0, i32 = 0, i64 = 0, u8 = 0, u16 = 0, u32 = 0, u64 = 0;
    visit_int8(w.load, "i8", &i8);
    visit_int16(w.load, "i16", &i16);
    visit_int32(w.load, "i32", &i32);
    visit_int64(w.load, "i64", &i64);
    visit_uint8(w.load, "u8", &u8);
    visit_uint16(w.load, "u16", &u16);
    visit_uint32(w.load, "u32", &u32);
    visit_uint64(w.load, "u64", &u64);
    wire_done(&w);
    cr_assert_eq(i8, -2);
    cr_assert_eq(i16, -2);
    cr_assert_eq(i32, 0x01020304);
    cr_assert_eq(i64, INT64_MIN);
    cr_assert_eq(u8, 0xfe);
    cr_assert_eq(u16, 0xfedc);
    cr_assert_eq(u32, 0xfedcba98);
    cr_assert_eq(u64, UINT64_C(0x0102030405060708));
}

Test(qemufile, a_bool_is_one_octet_and_a_float_its_eight)
{
    bool yes = true, no = false;
    double number = -2.5;
    Wire w;

    wire_init(&w);
    visit_bool(w.save, "yes", &yes);
    visit_bool(w.save, "no", &no);
    visit_float64(w.save, "number", &number);
    wire_turn(&w, "01 00 c0 04 00 00 00 00 00 00");
    yes = false, no = true, number = 0;
    visit_bool(w.load, "yes", &yes);
    visit_bool(w.load, "no", &no);
    visit_float64(w.load, "number", &number);
    wire_done(&w);
    cr_assert(yes);
    cr_assert_not(no);
    cr_assert_eq(number, -2.5);
}

Test(qemufile, arrays_are_their_elements_and_not_how_many)
{
    uint16_t words[] = {1, 0xfffe, 3};
    bool flags[] = {true, false};
    uint8_t octets[] = {7, 8};
    Wire w;

    wire_init(&w);
    visit_array(w.save, "words", SCALAR_UINT16, words, 3);
    visit_array(w.save, "none", SCALAR_UINT32, NULL, 0);
    visit_array(w.save, "flags", SCALAR_BOOL, flags, 2);
    visit_array(w.save, "octets", SCALAR_UINT8, octets, 2);
    wire_turn(&w, "00 01 ff fe 00 03 01 00 07 08");
    memset(words, 0xee, sizeof words);
    memset(octets, 0xee, sizeof octets);
    flags[0] = false, flags[1] = true;
    visit_array(w.load, "words", SCALAR_UINT16, words, 3);
    visit_array(w.load, "none", SCALAR_UINT32, NULL, 0);
    visit_array(w.load, "flags", SCALAR_BOOL, flags, 2);
    visit_array(w.load, "octets", SCALAR_UINT8, octets, 2);
    wire_done(&w);
    cr_assert(words[0] == 1 && words[1] == 0xfffe && words[2] == 3);
    cr_assert(flags[0] && !flags[1]);
    cr_assert(octets[0] == 7 && octets[1] == 8);
}

Test(qemufile, buffers_pads_and_octets_are_as_they_are)
{
    char buffer[] = "abc", pad[] = "\0\1", octets[] = "xyz";
    Wire w;

    wire_init(&w);
    visit_buffer(w.save, "buffer", buffer, 3);
    visit_buffer(w.save, "none", NULL, 0);
    visit_unused(w.save, "pad", pad, 2);
    visit_octets(w.save, "octets", "thing", octets, 3);
    wire_turn(&w, "61 62 63 00 01 78 79 7a");
    memset(buffer, 0, 3), memset(pad, 9, 2), memset(octets, 0, 3);
    visit_buffer(w.load, "buffer", buffer, 3);
    visit_buffer(w.load, "none", NULL, 0);
    visit_unused(w.load, "pad", pad, 2);
    visit_octets(w.load, "octets", "thing", octets, 3);
    wire_done(&w);
    cr_assert_arr_eq(buffer, "abc", 3);
    cr_assert_arr_eq(pad, "\0\1", 2);
    cr_assert_arr_eq(octets, "xyz", 3);
}

Test(qemufile, a_bitmap_is_words_of_64_bits)
{
    static const size_t sizes[] = {0, 1, 63, 64, 65, 128, 129};

    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        uint64_t words[3] = {UINT64_C(0x8000000000000001), 2, 3}, loaded[3] = {0};
        size_t octets = (sizes[i] + 63) / 64 * 8;
        g_autofree char *hex = hex_of("\x80\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3", octets);
        Wire w;
        wire_init(&w);
        visit_bitmap(w.save, "bits", words, sizes[i]);
        wire_turn(&w, hex);
        visit_bitmap(w.load, "bits", loaded, sizes[i]);
        wire_done(&w);
        for (size_t bit = 0; bit < 192; bit++) {
            bool wanted = bit < sizes[i] && words[bit / 64] >> bit % 64 & 1;
            cr_assert_eq(loaded[bit / 64] >> bit % 64 & 1, wanted, "bit %zu of %zu", bit, sizes[i]);
        }
    }
}

Test(qemufile, a_string_has_its_length_in_front)
{
    g_autofree char *longest = g_strnfill(255, 'x'), *loaded = g_strdup("old"), *none = NULL;
    char *text = (char *)"a\303\244", *empty = (char *)"";
    GString *wanted = g_string_new("03 61 c3 a4 00 00 ff");
    Wire w;

    wire_init(&w);
    visit_string(w.save, "text", &text);
    visit_string(w.save, "empty", &empty);
    visit_string(w.save, "none", &none);
    visit_string(w.save, "longest", &longest);
    for (int i = 0; i < 255; i++)
        g_string_append(wanted, " 78");
    wire_turn(&w, wanted->str);
    visit_string(w.load, "text", &loaded);
    cr_assert_str_eq(loaded, text);
    visit_string(w.load, "empty", &loaded);
    cr_assert_str_eq(loaded, "");
    visit_string(w.load, "none", &none);
    cr_assert_str_eq(none, "");
    visit_string(w.load, "longest", &loaded);
    cr_assert_str_eq(loaded, longest);
    wire_done(&w);
    g_string_free(wanted, TRUE);
}

Test(qemufile, structs_lists_and_optional_values_leave_no_trace)
{
    uint8_t values[] = {1, 2, 3};
    bool present = false;
    Wire w;

    wire_init(&w);
    Visitor *visitors[2] = {w.save, NULL};
    for (int side = 0; side < 2; side++) {
        Visitor *v = visitors[side];
        visit_struct_start(v, NULL);
        visit_optional(v, "extra", &present);
        cr_assert_not(present); /* as the caller expects it */
        visit_list_start(v, "list", 3, 1);
        for (int i = 0; i < 3; i++) {
            visit_struct_start(v, NULL);
            visit_uint8(v, "x", &values[i]);
            visit_struct_end(v);
        }
        visit_list_end(v);
        visit_struct_end(v);
        if (side == 0) {
            wire_turn(&w, "01 02 03");
            visitors[1] = w.load;
            memset(values, 0, 3);
        }
    }
    wire_done(&w);
    cr_assert_arr_eq(values, "\1\2\3", 3);
}

Test(qemufile, a_subsection_has_its_name_and_version_in_front)
{
    VisitSubsection found;
    uint8_t value = 9;
    Wire w;

    wire_init(&w);
    visit_struct_start(w.save, NULL);
    visit_subsection_start(w.save, 4, "dev/sub", 0x01020304);
    visit_uint8(w.save, "value", &value);
    visit_subsection_end(w.save);
    visit_struct_end(w.save);
    wire_turn(&w, "05 07 64 65 76 2f 73 75 62 01 02 03 04 09");
    visit_struct_start(w.load, NULL);
    cr_assert(visit_subsection_next(w.load, "dev", &found));
    cr_assert_str_eq(found.name, "dev/sub");
    cr_assert_eq(found.version, 0x01020304);
    cr_assert_eq(found.index, -1); /* the wire does not tell */
    visit_subsection_start(w.load, 4, "dev/sub", 0x01020304);
    value = 0;
    visit_uint8(w.load, "value", &value);
    visit_subsection_end(w.load);
    cr_assert_not(visit_subsection_next(w.load, "dev", &found));
    visit_struct_end(w.load);
    wire_done(&w);
    cr_assert_eq(value, 9);
}

Test(qemufile, what_is_saved_is_loaded)
{
    for (uint32_t seed = 0; seed < 64; seed++) {
        g_auto(Sample) saved = {0}, loaded = {0};
        g_auto(ByteOut) out = {0};
        g_autoptr(GError) error = NULL;
        sample_fill(&saved, seed);
        g_autoptr(Visitor) save = qemufile_out_new(&out, "sample");
        sample_visit(save, &saved);
        assert_no_error(visit_finish(save, &error), error);
        /* one octet at a time, and something behind that must stay */
        byte_out_u8(&out, 0x05);
        g_autoptr(ChanIn) in = chan_in_new(&dribble_new(out.data, out.len, 1, NULL)->chan, 0);
        g_autoptr(Visitor) load = qemufile_in_new(in, "sample");
        sample_visit(load, &loaded);
        assert_no_error(visit_finish(load, &error), error);
        assert_same_sample(&loaded, &saved);
        cr_assert_eq(chan_in_tell(in), out.len - 1);
    }
}

Test(qemufile, a_string_too_long_for_the_wire_is_not_saved)
{
    g_autofree char *text = g_strnfill(256, 'x');
    g_auto(ByteOut) out = {0};
    g_autoptr(Visitor) v = qemufile_out_new(&out, "root");
    g_autoptr(GError) error = NULL;

    visit_string(v, "text", &text);
    cr_assert_eq(out.len, 0);
    cr_assert_not(visit_finish(v, &error));
    assert_error(error, FERRY_ERROR_LIMIT, "root.text @0x0: the string has 256 octets, the wire takes 255");
}
