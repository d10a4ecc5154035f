/* test-ber-in-struct.c: structs of BER: their ends, values in any order, what is optional, subsections. */
#include "tests/visitors/ber-load.h"

/* --- the end of a struct ---------------------------------------------------------------------------------------- */

Test(ber_in_struct, a_value_that_the_stream_does_not_have_is_missed)
{
    uint8_t x = 0, y = 7;
    Load l;
    Visitor *v = load_init(&l, "a0 03 02 01 01 02 01 02");

    /* what follows the struct is not part of it */
    visit_struct_start(v, NULL);
    visit_uint8(v, "x", &x);
    visit_uint8(v, "y", &y);
    assert_refused(&l, FERRY_ERROR_DAMAGED, "root.y @0x105: the stream has no value for it");
    cr_assert_eq(x, 1);
    cr_assert_eq(y, 7);
}

Test(ber_in_struct, values_that_the_destination_does_not_have_are_counted)
{
    uint8_t x = 0;
    Load l;
    Visitor *v = load_init(&l, "a0 0b 30 09 02 01 01 05 00 02 02 01 00");
    g_autoptr(GError) error = NULL;

    visit_struct_start(v, NULL);
    visit_struct_start(v, "inner");
    visit_uint8(v, "x", &x);
    visit_struct_end(v);
    cr_assert_not(visit_finish(v, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_MISMATCH));
    cr_assert(g_str_has_prefix(error->message, "root.inner @0x10"));
    cr_assert(g_str_has_suffix(error->message, ": the stream has 2 values more than the destination"));
    load_done(&l);
}

Test(ber_in_struct, a_value_is_bounded_by_the_struct_that_holds_it)
{
    uint8_t buffer[4];
    Load l;
    Visitor *v = load_init(&l, "a0 08 30 03 81 05 00 61 62 63");

    visit_struct_start(v, NULL);
    visit_struct_start(v, "inner");
    visit_buffer(v, "buffer", buffer, 4);
    assert_refused(&l, FERRY_ERROR_DAMAGED, "root.inner.buffer @0x104: an element is longer than what holds it");
}

Test(ber_in_struct, a_struct_without_values_may_hold_nothing_or_one_boolean_false)
{
    static const char *const empty[] = {"a0 03 01 01 00", "a0 00", "a0 80 00 00", "a0 80 01 01 00 00 00"};

    for (size_t i = 0; i < G_N_ELEMENTS(empty); i++) {
        VisitSubsection found;
        Load l;
        Visitor *v = load_init(&l, empty[i]);
        visit_struct_start(v, NULL);
        cr_assert_not(visit_subsection_next(v, "dev", &found));
        visit_struct_end(v);
        assert_loaded(&l);
    }
}

Test(ber_in_struct, one_boolean_false_can_also_be_a_value)
{
    bool value = true;
    Load l;
    Visitor *v = load_init(&l, "a0 03 01 01 00");

    visit_struct_start(v, NULL);
    visit_bool(v, "value", &value);
    visit_struct_end(v);
    assert_loaded(&l);
    cr_assert_not(value);
}

Test(ber_in_struct, a_boolean_true_is_a_value_too_many)
{
    Load l;
    Visitor *v = load_init(&l, "a0 03 01 01 ff");
    g_autoptr(GError) error = NULL;

    visit_struct_start(v, NULL);
    visit_struct_end(v);
    cr_assert_not(visit_finish(v, &error));
    cr_assert(g_str_has_suffix(error->message, ": the stream has 1 values more than the destination"));
    load_done(&l);
}

/* --- optional values -------------------------------------------------------------------------------------------- */

Test(ber_in_struct, null_is_a_value_that_is_not_there)
{
    bool absent = true, present = false;
    uint8_t x = 0, y = 0;
    Load l;
    Visitor *v = load_init(&l, "a0 08 05 00 02 01 01 02 01 02");

    visit_struct_start(v, NULL);
    visit_optional(v, "absent", &absent);
    visit_optional(v, "present", &present);
    cr_assert(!absent && present);
    visit_uint8(v, "present", &x); /* looking has consumed nothing */
    visit_uint8(v, "y", &y);
    visit_struct_end(v);
    assert_loaded(&l);
    cr_assert(x == 1 && y == 2);
}

Test(ber_in_struct, even_an_optional_value_has_a_place)
{
    bool present = true;
    Load l;
    Visitor *v = load_init(&l, "a0 00");

    visit_struct_start(v, NULL);
    visit_optional(v, "extra", &present);
    assert_refused(&l, FERRY_ERROR_DAMAGED, "root.extra @0x102: the stream has no value for it");
    cr_assert(present);
}

/* --- any order -------------------------------------------------------------------------------------------------- */

/* Four values and two subsections. */
static const char shuffled[] =
    "a0 1d 02 01 0a 81 03 00 61 62 30 06 02 01 01 02 01 02 80 01 ff a1 03 02 01 05 a4 03 02 01 06";

Test(ber_in_struct, values_are_selected_in_any_order)
{
    static const size_t orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}, {1, 1, 1, 1}};

    for (size_t i = 0; i < G_N_ELEMENTS(orders); i++) {
        Load l;
        Visitor *v = load_init(&l, shuffled);
        VisitSubsection found;
        visit_struct_start(v, NULL);
        for (int j = 0; j < 4; j++) {
            uint64_t first = 0, array[2] = {0};
            int8_t last = 0;
            char text[3] = "";
            visit_select(v, orders[i][j]);
            switch (orders[i][j]) {
            case 0:
                visit_uint64(v, "first", &first);
                cr_assert_eq(first, 10);
                break;
            case 1:
                visit_buffer(v, "text", text, 2);
                cr_assert_str_eq(text, "ab");
                break;
            case 2:
                visit_array(v, "array", SCALAR_UINT64, array, 2);
                cr_assert(array[0] == 1 && array[1] == 2);
                break;
            default:
                visit_int8(v, "last", &last);
                cr_assert_eq(last, -1);
            }
        }
        visit_skip_fields(v);
        cr_assert(visit_subsection_next(v, "dev", &found));
        cr_assert_eq(found.index, 1);
        cr_assert_not(visit_failed(v));
        load_done(&l);
    }
}

Test(ber_in_struct, a_selection_in_an_inner_struct_leaves_the_outer_one_alone)
{
    uint8_t values[4] = {0};
    Load l;
    Visitor *v = load_init(&l, "a0 0e 02 01 01 30 06 02 01 02 02 01 03 02 01 04");

    /* the last of the outer, then both of the inner backwards, then the first of the outer */
    visit_struct_start(v, NULL);
    visit_select(v, 2);
    visit_uint8(v, "last", &values[0]);
    visit_select(v, 1);
    visit_struct_start(v, "inner");
    visit_select(v, 1);
    visit_uint8(v, "second", &values[1]);
    visit_select(v, 0);
    visit_uint8(v, "first", &values[2]);
    visit_skip_fields(v);
    visit_struct_end(v);
    visit_select(v, 0);
    visit_uint8(v, "first", &values[3]);
    visit_skip_fields(v);
    visit_struct_end(v);
    assert_loaded(&l);
    assert_octets(values, 4, "04 03 02 01");
}

Test(ber_in_struct, a_number_that_no_value_has_is_damage)
{
    uint8_t x = 7;
    Load l;
    Visitor *v = load_init(&l, shuffled);
    g_autoptr(GError) error = NULL;

    visit_struct_start(v, NULL);
    visit_select(v, 4); /* the subsections are not among the values */
    visit_uint8(v, "x", &x);
    cr_assert_not(visit_finish(v, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_DAMAGED));
    cr_assert(g_str_has_suffix(error->message, ": the schema has a field number 4, the struct only 4 values"));
    cr_assert_eq(x, 7);
    load_done(&l);
}

Test(ber_in_struct, the_rest_of_the_values_can_be_skipped_with_and_without_a_selection)
{
    for (int selected = 0; selected < 2; selected++) {
        VisitSubsection found;
        uint8_t values[3] = {0};
        Load l;
        Visitor *v = load_init(&l, shuffled);
        visit_struct_start(v, NULL);
        if (selected)
            visit_select(v, 0);
        visit_uint8(v, "first", &values[0]);
        visit_skip_fields(v);
        for (int i = 1; i < 3; i++) {
            cr_assert(visit_subsection_next(v, "dev", &found));
            cr_assert_eq(found.index, i == 1 ? 1 : 4);
            visit_subsection_start(v, found.index, "sub", 1);
            visit_uint8(v, "value", &values[i]);
            visit_subsection_end(v);
        }
        cr_assert_not(visit_subsection_next(v, "dev", &found));
        visit_struct_end(v);
        assert_loaded(&l);
        assert_octets(values, 3, "0a 05 06");
    }
}

Test(ber_in_struct, skipping_the_values_of_a_struct_that_has_none_is_no_harm)
{
    static const char *const empty[] = {"a0 03 01 01 00", "a0 00"};

    for (size_t i = 0; i < G_N_ELEMENTS(empty); i++) {
        VisitSubsection found;
        Load l;
        Visitor *v = load_init(&l, empty[i]);
        visit_struct_start(v, NULL);
        visit_skip_fields(v);
        cr_assert_not(visit_subsection_next(v, "dev", &found));
        visit_struct_end(v);
        assert_loaded(&l);
    }
}

Test(ber_in_struct, a_damaged_value_is_found_when_the_values_are_counted)
{
    Load l;
    Visitor *v = load_init(&l, "a0 05 02 01 0a 04 05");
    g_autoptr(GError) error = NULL;

    visit_struct_start(v, NULL);
    visit_select(v, 0);
    cr_assert_not(visit_finish(v, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_DAMAGED));
    cr_assert(g_str_has_suffix(error->message, ": an element is longer than what holds it"));
    load_done(&l);
}

/* --- subsections ------------------------------------------------------------------------------------------------ */

Test(ber_in_struct, a_subsection_is_told_by_its_number_and_by_nothing_else)
{
    static const struct {
        const char *hex;
        int index;
    } cases[] = {{"a0 05 a0 03 02 01 05", 0},
                 {"a0 05 be 03 02 01 05", 30},
                 {"a0 06 bf 1f 03 02 01 05", 31},
                 {"a0 07 bf 81 7f 03 02 01 05", 255}};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        VisitSubsection found;
        uint8_t value = 0;
        Load l;
        Visitor *v = load_init(&l, cases[i].hex);
        visit_struct_start(v, NULL);
        /* asking twice is no harm */
        cr_assert(visit_subsection_next(v, "dev", &found));
        cr_assert(visit_subsection_next(v, "anything", &found));
        cr_assert_eq(found.index, cases[i].index);
        cr_assert_null(found.name);
        cr_assert_eq(found.version, -1);
        visit_subsection_start(v, found.index, "sub", 1);
        visit_uint8(v, "value", &value);
        visit_subsection_end(v);
        visit_struct_end(v);
        assert_loaded(&l);
        cr_assert_eq(value, 5);
    }
}

Test(ber_in_struct, subsections_nest)
{
    VisitSubsection found;
    uint8_t value = 0;
    Load l;
    Visitor *v = load_init(&l, "a0 07 a1 05 a2 03 02 01 05");

    visit_struct_start(v, NULL);
    cr_assert(visit_subsection_next(v, "dev", &found));
    visit_subsection_start(v, 1, "sub", 1);
    cr_assert(visit_subsection_next(v, "sub", &found));
    cr_assert_eq(found.index, 2);
    visit_subsection_start(v, 2, "subsub", 1);
    visit_uint8(v, "value", &value);
    cr_assert_not(visit_subsection_next(v, "subsub", &found));
    visit_subsection_end(v);
    cr_assert_not(visit_subsection_next(v, "sub", &found));
    visit_subsection_end(v);
    cr_assert_not(visit_subsection_next(v, "dev", &found));
    visit_struct_end(v);
    assert_loaded(&l);
    cr_assert_eq(value, 5);
}

Test(ber_in_struct, a_subsection_without_values_may_hold_nothing_or_one_boolean_false)
{
    static const char *const empty[] = {"a0 05 a1 03 01 01 00", "a0 02 a1 00"};

    for (size_t i = 0; i < G_N_ELEMENTS(empty); i++) {
        VisitSubsection found;
        Load l;
        Visitor *v = load_init(&l, empty[i]);
        visit_struct_start(v, NULL);
        cr_assert(visit_subsection_next(v, "dev", &found));
        visit_subsection_start(v, 1, "sub", 1);
        cr_assert_not(visit_subsection_next(v, "sub", &found));
        visit_subsection_end(v);
        visit_struct_end(v);
        assert_loaded(&l);
    }
}

Test(ber_in_struct, a_value_where_subsections_should_be_is_one_too_many)
{
    VisitSubsection found;
    Load l;
    Visitor *v = load_init(&l, "a0 08 a1 03 02 01 05 02 01 01");
    uint8_t value;
    g_autoptr(GError) error = NULL;

    visit_struct_start(v, NULL);
    cr_assert(visit_subsection_next(v, "dev", &found));
    visit_subsection_start(v, 1, "sub", 1);
    visit_uint8(v, "value", &value);
    visit_subsection_end(v);
    cr_assert_not(visit_subsection_next(v, "dev", &found));
    cr_assert_not(visit_finish(v, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_MISMATCH));
    cr_assert(g_str_has_suffix(error->message, ": the stream has 1 values more than the destination"));
    load_done(&l);
}
