/* test-visitor.c: what all visitors share: errors that stick, paths, nesting. */
#include "tests/visitors/sample.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"
#include "visitors/text-out.h"

/* --- errors stick ----------------------------------------------------------------------------------------------- */

Test(visitor, after_the_first_error_nothing_more_is_saved)
{
    g_auto(ByteOut) out = {0};
    g_autoptr(Visitor) v = qemufile_out_new(&out, "root");
    g_autoptr(GError) error = NULL;
    g_auto(Sample) s = {0};
    uint8_t one = 1;

    sample_fill(&s, 3);
    visit_struct_start(v, NULL);
    visit_uint8(v, "one", &one);
    cr_assert_not(visit_failed(v));
    visit_fail(v, FERRY_ERROR_REFUSED, "one", "it is %d", 1);
    cr_assert(visit_failed(v));
    sample_visit(v, &s);
    visit_struct_end(v);
    assert_written(&out, "01");
    visit_fail(v, FERRY_ERROR_LIMIT, "two", "this comes too late");
    cr_assert_not(visit_finish(v, &error));
    assert_error(error, FERRY_ERROR_REFUSED, "root.one @0x1: it is 1");
}

/* Makes every call for a load, and holds memory against what it was. */
static void assert_loads_nothing(Visitor *v)
{
    g_auto(Sample) s = {0}, before = {0};
    VisitSubsection found = {.index = 7, .name = "old", .version = 7};

    sample_fill(&s, 7);
    sample_fill(&before, 7);
    cr_assert_not(visit_subsection_next(v, "sample", &found));
    cr_assert_eq(found.index, -1);
    cr_assert_null(found.name);
    cr_assert_eq(found.version, -1);
    visit_skip_fields(v);
    if (visit_can_select(v))
        visit_select(v, 0);
    const char *text = s.text;
    sample_visit(v, &s);
    s.has_sub = true; /* the walk's own, not the visitor's */
    cr_assert_eq(s.text, text);
    assert_same_sample(&s, &before);
}

Test(visitor, after_the_first_error_loads_leave_memory_as_it_was)
{
    g_autofree uint8_t *data = pattern_new(2000, 1);
    g_autoptr(ChanIn) in = chan_in_new_memory(data, 2000, 0x10);
    g_autoptr(Visitor) v = qemufile_in_new(in, "root");
    g_autoptr(GError) error = NULL;
    uint8_t one;

    visit_uint8(v, "one", &one);
    visit_fail(v, FERRY_ERROR_REFUSED, "one", "no");
    assert_loads_nothing(v);
    cr_assert_eq(chan_in_tell(in), 0x11);
    cr_assert_not(visit_finish(v, &error));
    assert_error(error, FERRY_ERROR_REFUSED, "root.one @0x10: no");
}

Test(visitor, after_the_first_error_a_load_by_number_leaves_memory_as_it_was_too)
{
    g_auto(ByteOut) data = octets_of("30 06 02 01 01 02 01 02");
    g_autoptr(Visitor) v = ber_in_new(data.data, data.len, 0x10, "root", BER_UNIVERSAL, BER_SEQUENCE);
    g_autoptr(GError) error = NULL;
    uint8_t one;

    visit_struct_start(v, NULL);
    visit_uint8(v, "one", &one);
    visit_fail(v, FERRY_ERROR_REFUSED, "one", "no");
    assert_loads_nothing(v);
    cr_assert_not(visit_finish(v, &error));
    assert_error(error, FERRY_ERROR_REFUSED, "root.one @0x12: no");
}

Test(visitor, a_failed_visitor_does_not_touch_what_is_optional)
{
    g_auto(ByteOut) data = octets_of("05 00");
    g_autoptr(Visitor) v = ber_in_new(data.data, data.len, 0, "root", BER_UNIVERSAL, BER_SEQUENCE);
    bool present = true;

    visit_fail(v, FERRY_ERROR_REFUSED, NULL, "no");
    visit_optional(v, "extra", &present);
    cr_assert(present);
}

Test(visitor, a_visitor_without_calls_finishes_well_and_none_can_be_freed)
{
    g_auto(ByteOut) out = {0};
    g_autoptr(Visitor) v = qemufile_out_new(&out, "root");
    g_autoptr(GError) error = NULL;

    assert_no_error(visit_finish(v, &error), error);
    visit_free(NULL);
}

Test(visitor, the_direction_and_whether_values_can_be_selected_are_known)
{
    g_auto(ByteOut) out = {0};
    g_autoptr(ChanIn) chan = chan_in_new_memory("", 0, 0);
    g_autoptr(Visitor) qemufile_out = qemufile_out_new(&out, NULL), ber_out = ber_out_new(&out, NULL, 0, 16);
    g_autoptr(Visitor) qemufile_in = qemufile_in_new(chan, NULL), ber_in = ber_in_new("", 0, 0, NULL, 0, 16);

    cr_assert_not(visit_is_load(qemufile_out));
    cr_assert_not(visit_is_load(ber_out));
    cr_assert(visit_is_load(qemufile_in));
    cr_assert(visit_is_load(ber_in));
    cr_assert_not(visit_can_select(qemufile_in));
    cr_assert(visit_can_select(ber_in));
}

/* --- paths ------------------------------------------------------------------------------------------------------ */

static void assert_path(const Visitor *v, const char *name, const char *wanted)
{
    g_autofree char *path = visit_path(v, name);

    cr_assert_str_eq(path, wanted);
}

Test(visitor, a_path_tells_structs_lists_and_subsections)
{
    g_auto(ByteOut) out = {0};
    g_autoptr(Visitor) v = qemufile_out_new(&out, "root");
    uint8_t b = 1;

    assert_path(v, NULL, "root");
    visit_struct_start(v, NULL);
    assert_path(v, NULL, "root");
    assert_path(v, "a", "root.a");
    visit_struct_start(v, "a");
    visit_list_start(v, "list", 5, 1);
    assert_path(v, NULL, "root.a.list");
    for (size_t i = 0; i < 5; i++) {
        g_autofree char *wanted = g_strdup_printf("root.a.list[%zu].b", i);
        visit_struct_start(v, NULL);
        visit_uint8(v, "b", &b);
        assert_path(v, "b", wanted);
        visit_struct_end(v);
    }
    visit_list_end(v);
    assert_path(v, "c", "root.a.c");
    visit_subsection_start(v, 0, "a/sub", 1);
    visit_struct_start(v, "d");
    assert_path(v, "e", "root.a.a/sub.d.e");
    visit_struct_end(v);
    visit_subsection_end(v);
    visit_struct_end(v);
    assert_path(v, "f", "root.f");
    visit_struct_end(v);
    assert_path(v, NULL, "root");
}

Test(visitor, lists_in_lists_have_an_index_each_and_count_anew)
{
    g_auto(ByteOut) out = {0};
    g_autoptr(Visitor) v = qemufile_out_new(&out, "root");

    visit_struct_start(v, NULL);
    visit_list_start(v, "outer", 2, 1);
    for (size_t i = 0; i < 2; i++) {
        visit_struct_start(v, NULL);
        visit_list_start(v, "inner", 3, 1);
        for (size_t j = 0; j < 3; j++) {
            g_autofree char *wanted = g_strdup_printf("root.outer[%zu].inner[%zu].x", i, j);
            visit_struct_start(v, NULL);
            assert_path(v, "x", wanted);
            visit_struct_end(v);
        }
        visit_list_end(v);
        visit_struct_end(v);
    }
    visit_list_end(v);
    visit_struct_end(v);
    cr_assert_eq(out.len, 0);
}

Test(visitor, without_a_root_a_path_starts_with_the_first_name)
{
    g_auto(ByteOut) out = {0};
    g_autoptr(Visitor) v = qemufile_out_new(&out, NULL);

    assert_path(v, NULL, "");
    visit_struct_start(v, NULL);
    assert_path(v, "a", "a");
    visit_struct_start(v, "s");
    assert_path(v, "a", "s.a");
    visit_struct_end(v);
    visit_struct_end(v);
    cr_assert_not(visit_failed(v));
}

Test(visitor, the_name_of_the_root_is_copied)
{
    g_auto(ByteOut) out = {0};
    char name[] = "root";
    g_autoptr(Visitor) v = qemufile_out_new(&out, name);

    name[0] = 'b';
    assert_path(v, NULL, "root");
}

Test(visitor, an_error_has_path_and_offset_in_front)
{
    static const char data[] = "abcdefgh";
    g_autoptr(ChanIn) in = chan_in_new_memory(data, 8, 0x4a2f0);
    g_autoptr(Visitor) v = qemufile_in_new(in, "root");
    g_autoptr(GError) error = NULL;
    uint16_t b;

    visit_struct_start(v, NULL);
    visit_struct_start(v, "a");
    visit_list_start(v, "list", 9, 2);
    for (int i = 0; i < 4; i++) {
        visit_struct_start(v, NULL);
        visit_uint16(v, "b", &b);
        if (i < 3)
            visit_struct_end(v);
    }
    /* the offset is that of the value last visited */
    visit_fail(v, FERRY_ERROR_REFUSED, "b", "%d is %s", 3, "bad");
    cr_assert_not(visit_finish(v, &error));
    assert_error(error, FERRY_ERROR_REFUSED, "root.a.list[3].b @0x4a2f6: 3 is bad");
}

Test(visitor, where_there_is_no_offset_an_error_has_none)
{
    g_autoptr(ChanOut) out = chan_out_new(&sink_new(NULL)->chan);
    g_autoptr(Visitor) v = text_out_new(out, "root", false);
    g_autoptr(GError) error = NULL;

    cr_assert_eq(visit_offset(v), -1);
    visit_struct_start(v, NULL);
    visit_struct_start(v, "a");
    visit_fail(v, FERRY_ERROR_REFUSED, NULL, "bad");
    cr_assert_not(visit_finish(v, &error));
    assert_error(error, FERRY_ERROR_REFUSED, "root.a: bad");
}

/* --- nesting ---------------------------------------------------------------------------------------------------- */

typedef void (*Nest)(Visitor *v);

static void nest_struct(Visitor *v)
{
    visit_struct_start(v, "s");
}

static void nest_list(Visitor *v)
{
    visit_list_start(v, "s", 1, 1);
}

static void nest_subsection(Visitor *v)
{
    visit_subsection_start(v, 0, "s", 1);
}

/* Opens level after level until the visitor fails; returns how many there were. */
static unsigned nest_until_failure(Visitor *v, Nest nest, unsigned most, GError **error)
{
    unsigned depth = 0;

    for (; depth < most; depth++) {
        nest(v);
        if (visit_failed(v))
            break;
    }
    cr_assert_not(visit_finish(v, error));
    return depth;
}

Test(visitor, one_level_too_many_is_an_error)
{
    static const Nest nests[] = {nest_struct, nest_list, nest_subsection};
    GString *path = g_string_new("root");

    for (int i = 0; i <= VISIT_DEPTH_MAX; i++)
        g_string_append(path, ".s");
    g_string_append_printf(path, ": nested deeper than %d levels", VISIT_DEPTH_MAX);
    for (size_t i = 0; i < G_N_ELEMENTS(nests); i++) {
        g_autoptr(ChanOut) out = chan_out_new(&sink_new(NULL)->chan);
        g_autoptr(Visitor) v = text_out_new(out, "root", false);
        g_autoptr(GError) error = NULL;
        cr_assert_eq(nest_until_failure(v, nests[i], 1000, &error), VISIT_DEPTH_MAX);
        assert_error(error, FERRY_ERROR_LIMIT, path->str);
    }
    g_string_free(path, TRUE);
}

Test(visitor, one_level_too_many_is_an_error_in_ber_in_both_directions)
{
    g_auto(ByteOut) out = {0}, data = {0};
    size_t marks[100];

    for (int i = 0; i < 100; i++)
        marks[i] = ber_start(&data, BER_UNIVERSAL, BER_SEQUENCE);
    for (int i = 100; i-- > 0;)
        ber_end(&data, marks[i]);
    g_autoptr(Visitor) save = ber_out_new(&out, "root", BER_UNIVERSAL, BER_SEQUENCE);
    g_autoptr(Visitor) load = ber_in_new(data.data, data.len, 0, "root", BER_UNIVERSAL, BER_SEQUENCE);
    g_autoptr(GError) error = NULL, load_error = NULL;
    cr_assert_eq(nest_until_failure(save, nest_struct, 1000, &error), VISIT_DEPTH_MAX);
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_LIMIT));
    cr_assert_eq(nest_until_failure(load, nest_struct, 1000, &load_error), VISIT_DEPTH_MAX);
    cr_assert(g_error_matches(load_error, FERRY_ERROR, FERRY_ERROR_LIMIT));
}

Test(visitor, as_many_levels_as_are_allowed_are_saved_and_loaded)
{
    static uint16_t values[] = {1, 2, 3};
    g_auto(ByteOut) out = {0};
    g_autoptr(Visitor) save = ber_out_new(&out, "root", BER_UNIVERSAL, BER_SEQUENCE);
    g_autoptr(GError) error = NULL;
    uint16_t loaded[3] = {0};

    /* an array in the deepest struct is a level of its own in BER */
    for (int i = 0; i < VISIT_DEPTH_MAX; i++)
        visit_struct_start(save, "s");
    visit_array(save, "values", SCALAR_UINT16, values, 3);
    for (int i = 0; i < VISIT_DEPTH_MAX; i++)
        visit_struct_end(save);
    assert_no_error(visit_finish(save, &error), error);
    g_autoptr(Visitor) load = ber_in_new(out.data, out.len, 0, "root", BER_UNIVERSAL, BER_SEQUENCE);
    for (int i = 0; i < VISIT_DEPTH_MAX; i++)
        visit_struct_start(load, "s");
    visit_array(load, "values", SCALAR_UINT16, loaded, 3);
    for (int i = 0; i < VISIT_DEPTH_MAX; i++)
        visit_struct_end(load);
    assert_no_error(visit_finish(load, &error), error);
    cr_assert_arr_eq(loaded, values, sizeof values);
}
