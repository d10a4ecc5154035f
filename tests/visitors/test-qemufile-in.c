/* test-qemufile-in.c: the look-ahead for subsections, and what a reader of QEMU's wire refuses. */
#include "tests/visitors/sample.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"

/* --- the look-ahead rule ---------------------------------------------------------------------------------------- */

/* Is there a subsection of "dev"? If not, nothing may be consumed. */
static bool is_subsection(const char *hex)
{
    g_auto(ByteOut) data = octets_of(hex);
    g_autoptr(ChanIn) in = chan_in_new(&dribble_new(data.data, data.len, 1, NULL)->chan, 0);
    g_autoptr(Visitor) v = qemufile_in_new(in, "dev");
    VisitSubsection found;
    bool taken = visit_subsection_next(v, "dev", &found);

    cr_assert_not(visit_failed(v));
    cr_assert_not(chan_in_failed(in));
    if (!taken)
        cr_assert_eq(chan_in_tell(in), 0);
    return taken;
}

Test(qemufile_in, a_subsection_is_taken_if_its_name_starts_with_that_of_the_struct)
{
    cr_assert(is_subsection("05 07 64 65 76 2f 73 75 62 00 00 00 01"));
    cr_assert(is_subsection("05 04 64 65 76 78 00 00 00 01"));
}

Test(qemufile_in, what_is_no_subsection_of_the_struct_is_left_for_others)
{
    cr_assert_not(is_subsection(""));
    cr_assert_not(is_subsection("04 07 64 65 76 2f 73 75 62 00 00 00 01"));
    cr_assert_not(is_subsection("7e 00 00 00 01"));
    /* another name, the bare name, one that is shorter */
    cr_assert_not(is_subsection("05 07 64 65 77 2f 73 75 62 00 00 00 01"));
    cr_assert_not(is_subsection("05 03 64 65 76 00 00 00 01"));
    cr_assert_not(is_subsection("05 02 64 65 00 00 00 01"));
    cr_assert_not(is_subsection("05 00"));
    /* no name at all: control characters, a NUL, not UTF-8 */
    cr_assert_not(is_subsection("05 07 64 65 76 2f 1b 75 62 00 00 00 01"));
    cr_assert_not(is_subsection("05 07 64 65 76 2f 00 75 62 00 00 00 01"));
    cr_assert_not(is_subsection("05 07 64 65 76 2f ff 75 62 00 00 00 01"));
}

Test(qemufile_in, an_octet_of_data_that_looks_like_a_subsection_is_left_alone)
{
    /* the input may end anywhere in what is only looked at */
    cr_assert_not(is_subsection("05"));
    cr_assert_not(is_subsection("05 05"));
    cr_assert_not(is_subsection("05 05 64 65"));
    cr_assert_not(is_subsection("05 05 64 65 76 2f"));
    cr_assert_not(is_subsection("05 ff 64 65 76 2f 73 75 62"));
}

Test(qemufile_in, data_of_05_after_the_fields_is_data)
{
    g_auto(ByteOut) data = octets_of("01 05 05 05 05 05 05");
    g_autoptr(ChanIn) in = chan_in_new_memory(data.data, data.len, 0);
    g_autoptr(Visitor) v = qemufile_in_new(in, "root");
    g_autoptr(GError) error = NULL;
    VisitSubsection found;
    uint8_t first = 0, rest[6] = {0};

    visit_struct_start(v, NULL);
    visit_struct_start(v, "inner");
    visit_uint8(v, "first", &first);
    cr_assert_not(visit_subsection_next(v, "dev", &found));
    visit_struct_end(v);
    visit_buffer(v, "rest", rest, 6);
    visit_struct_end(v);
    assert_no_error(visit_finish(v, &error), error);
    cr_assert_eq(first, 1);
    cr_assert_arr_eq(rest, "\5\5\5\5\5\5", 6);
}

Test(qemufile_in, a_name_of_255_octets_is_found_whole)
{
    g_autofree char *name = g_strnfill(255, 'd');
    g_auto(ByteOut) data = octets_of("05");
    VisitSubsection found;

    byte_out_str8(&data, name);
    byte_out_be32(&data, UINT32_MAX);
    g_autoptr(ChanIn) in = chan_in_new_memory(data.data, data.len, 0);
    g_autoptr(Visitor) v = qemufile_in_new(in, "root");
    cr_assert(visit_subsection_next(v, "dd", &found));
    cr_assert_str_eq(found.name, name);
    cr_assert_eq(found.version, UINT32_MAX);
}

Test(qemufile_in, bits_above_the_last_of_a_bitmap_are_no_part_of_it)
{
    uint64_t words[2] = {0};
    g_autoptr(ChanIn) in =
        chan_in_new_memory("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16, 0);
    g_autoptr(Visitor) v = qemufile_in_new(in, "root");
    g_autoptr(GError) error = NULL;

    visit_bitmap(v, "bits", words, 70);
    assert_no_error(visit_finish(v, &error), error);
    cr_assert_eq(words[0], UINT64_MAX);
    cr_assert_eq(words[1], 0x3f);
    cr_assert(chan_in_at_end(in));
}

/* --- what is wrong ---------------------------------------------------------------------------------------------- */

Test(qemufile_in, a_bool_that_is_neither_0_nor_1_is_refused)
{
    bool flags[3] = {true, false, true}, flag = true;
    g_autoptr(ChanIn) in = chan_in_new_memory("\0\0\1\2", 4, 0x20), one = chan_in_new_memory("\xff", 1, 0x20);
    g_autoptr(Visitor) v = qemufile_in_new(in, "root"), w = qemufile_in_new(one, "root");
    g_autoptr(GError) error = NULL, other = NULL;

    chan_in_skip(in, 1);
    visit_struct_start(v, NULL);
    visit_array(v, "flags", SCALAR_BOOL, flags, 3);
    cr_assert_not(visit_finish(v, &error));
    assert_error(error, FERRY_ERROR_DAMAGED, "root.flags @0x21: a bool is 0x02, not 0 or 1");
    cr_assert(flags[0] && !flags[1] && flags[2]);
    visit_bool(w, "flag", &flag);
    cr_assert_not(visit_finish(w, &other));
    assert_error(other, FERRY_ERROR_DAMAGED, "root.flag @0x20: a bool is 0xff, not 0 or 1");
    cr_assert_eq(*(uint8_t *)&flag, 1);
}

Test(qemufile_in, a_string_that_is_not_utf_8_is_refused)
{
    static const char *const wrong[] = {"\2a\xff", "\2a\0", "\1\x80", "\2\xc3("};

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *text = g_strdup("old");
        g_autoptr(ChanIn) in = chan_in_new_memory(wrong[i], (size_t)wrong[i][0] + 1, 0);
        g_autoptr(Visitor) v = qemufile_in_new(in, "root");
        g_autoptr(GError) error = NULL;
        visit_string(v, "text", &text);
        cr_assert_not(visit_finish(v, &error));
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_DAMAGED));
        cr_assert(g_str_has_prefix(error->message, "root.text @0x"));
        cr_assert(g_str_has_suffix(error->message, ": a string is not UTF-8"));
        cr_assert_str_eq(text, "old");
    }
}

Test(qemufile_in, an_input_that_is_cut_anywhere_fails_and_names_where)
{
    g_auto(Sample) saved = {0};
    g_auto(ByteOut) out = {0};

    sample_fill(&saved, 1); /* without a subsection: where its first octet is missing, it is not missed */
    g_autoptr(Visitor) save = qemufile_out_new(&out, "sample");
    sample_visit(save, &saved);
    for (size_t len = 0; len < out.len; len++) {
        g_auto(Sample) loaded = {0};
        g_autofree uint8_t *there = g_memdup2(out.data, MAX(len, 1));
        g_autofree char *end = g_strdup_printf(": the input ends at 0x%zx", len);
        g_autoptr(ChanIn) in = chan_in_new_memory(there, len, 0);
        g_autoptr(Visitor) load = qemufile_in_new(in, "sample");
        g_autoptr(GError) error = NULL;
        sample_visit(load, &loaded);
        cr_assert_not(visit_finish(load, &error));
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT), "%s", error->message);
        cr_assert(g_str_has_prefix(error->message, "sample."));
        cr_assert(g_str_has_suffix(error->message, end), "%s", error->message);
    }
}

Test(qemufile_in, the_message_of_a_cut_has_the_path)
{
    g_autoptr(ChanIn) in = chan_in_new_memory("\0\1\0", 3, 0x40);
    g_autoptr(Visitor) v = qemufile_in_new(in, "root");
    g_autoptr(GError) error = NULL;
    uint16_t value = 7;

    visit_struct_start(v, NULL);
    visit_list_start(v, "list", 2, 2);
    for (int i = 0; i < 2; i++) {
        visit_struct_start(v, NULL);
        visit_uint16(v, "b", &value);
        visit_struct_end(v);
    }
    visit_list_end(v);
    visit_struct_end(v);
    cr_assert_not(visit_finish(v, &error));
    assert_error(error, FERRY_ERROR_CUT, "root.list[1].b @0x42: the input ends at 0x43");
    cr_assert_eq(value, 1);
}

Test(qemufile_in, a_subsection_whose_version_is_cut_fails_with_its_name)
{
    g_auto(ByteOut) data = octets_of("05 07 64 65 76 2f 73 75 62 00 00 00");
    g_autoptr(ChanIn) in = chan_in_new_memory(data.data, data.len, 0);
    g_autoptr(Visitor) v = qemufile_in_new(in, "root");
    g_autoptr(GError) error = NULL;
    VisitSubsection found;

    cr_assert_not(visit_subsection_next(v, "dev", &found));
    cr_assert_not(visit_finish(v, &error));
    assert_error(error, FERRY_ERROR_CUT, "root.dev/sub @0x0: the input ends at 0xc");
}
