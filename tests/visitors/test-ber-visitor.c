/* test-ber-visitor.c: what ber-out saves, ber-in loads: in both forms, cut, and with octets that are wrong. */
#include "tests/visitors/sample.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"

static void save_sample(ByteOut *out, Sample *s)
{
    g_autoptr(Visitor) v = ber_out_new(out, "sample", BER_APPLICATION, 6);
    g_autoptr(GError) error = NULL;

    sample_visit(v, s);
    assert_no_error(visit_finish(v, &error), error);
}

static Visitor *load_new(const ByteOut *data)
{
    return ber_in_new(data->data, data->len, 0x1000, "sample", BER_APPLICATION, 6);
}

/* --- there and back --------------------------------------------------------------------------------------------- */

Test(ber_visitor, what_is_saved_is_loaded)
{
    for (uint32_t seed = 0; seed < 64; seed++) {
        g_auto(Sample) saved = {0}, loaded = {0};
        g_auto(ByteOut) data = {0};
        g_autoptr(GError) error = NULL;
        sample_fill(&saved, seed);
        save_sample(&data, &saved);
        g_autoptr(Visitor) v = load_new(&data);
        loaded.on = true;
        memset(loaded.pad, 0xee, sizeof loaded.pad);
        sample_visit(v, &loaded);
        assert_no_error(visit_finish(v, &error), error);
        assert_same_sample(&loaded, &saved);
    }
}

/* Writes the elements again, those that are constructed in indefinite form; every second one only if `every` is 2. */
static void put_indefinite(ByteOut *out, const uint8_t *data, size_t len, int *count, int every)
{
    BerElement e;
    ByteIn in;

    byte_in_init(&in, data, len);
    while (byte_in_left(&in)) {
        cr_assert_null(ber_next(&in, &e));
        if (!(e.form & BER_CONSTRUCTED)) {
            ber_put_octets_as(out, e.form, e.tag, e.content, e.len);
        } else if ((*count)++ % every) {
            size_t mark = ber_start(out, e.form, e.tag);
            put_indefinite(out, e.content, e.len, count, every);
            ber_end(out, mark);
        } else {
            ber_start(out, e.form, e.tag);
            out->data[out->len - 1] = 0x80;
            put_indefinite(out, e.content, e.len, count, every);
            byte_out_be16(out, 0);
        }
    }
}

Test(ber_visitor, both_forms_of_constructed_elements_load_the_same)
{
    for (uint32_t seed = 0; seed < 16; seed++) {
        for (int every = 1; every <= 3; every++) {
            g_auto(Sample) saved = {0}, loaded = {0};
            g_auto(ByteOut) data = {0}, indefinite = {0};
            g_autoptr(GError) error = NULL;
            int count = 0;
            sample_fill(&saved, seed);
            save_sample(&data, &saved);
            put_indefinite(&indefinite, data.data, data.len, &count, every);
            cr_assert_gt(count, 5);
            g_autoptr(Visitor) v = load_new(&indefinite);
            sample_visit(v, &loaded);
            assert_no_error(visit_finish(v, &error), error);
            assert_same_sample(&loaded, &saved);
        }
    }
}

Test(ber_visitor, an_indefinite_struct_written_by_hand_loads)
{
    g_auto(ByteOut) data = octets_of("66 80" /* struct */
                                     "  02 01 07"
                                     "  30 80 02 01 01 02 02 01 00 00 00"                /* array */
                                     "  30 80 30 80 02 01 05 00 00 30 03 02 01 06 00 00" /* list */
                                     "  30 80 00 00"                                     /* empty struct */
                                     "  a2 80 81 03 00 00 00 00 00"                      /* subsection */
                                     "00 00");
    g_autoptr(Visitor) v = load_new(&data);
    g_autoptr(GError) error = NULL;
    uint8_t x = 0, list[2] = {0}, buffer[2] = {7, 7};
    uint16_t array[2] = {0};
    VisitSubsection found;

    visit_struct_start(v, NULL);
    visit_uint8(v, "x", &x);
    visit_array(v, "array", SCALAR_UINT16, array, 2);
    visit_list_start(v, "list", 2, 1);
    for (int i = 0; i < 2; i++) {
        visit_struct_start(v, NULL);
        visit_uint8(v, "y", &list[i]);
        visit_struct_end(v);
    }
    visit_list_end(v);
    visit_struct_start(v, "empty");
    visit_struct_end(v);
    cr_assert(visit_subsection_next(v, "dev", &found));
    cr_assert_eq(found.index, 2);
    visit_subsection_start(v, 2, "sub", 1);
    visit_buffer(v, "buffer", buffer, 2);
    visit_subsection_end(v);
    cr_assert_not(visit_subsection_next(v, "dev", &found));
    visit_struct_end(v);
    assert_no_error(visit_finish(v, &error), error);
    cr_assert(x == 7 && array[0] == 1 && array[1] == 256 && list[0] == 5 && list[1] == 6);
    cr_assert(buffer[0] == 0 && buffer[1] == 0);
}

/* --- what is wrong ---------------------------------------------------------------------------------------------- */

Test(ber_visitor, octets_that_are_cut_anywhere_are_refused)
{
    g_auto(Sample) saved = {0};
    g_auto(ByteOut) definite = {0}, indefinite = {0};
    int count = 0;

    sample_fill(&saved, 3);
    save_sample(&definite, &saved);
    put_indefinite(&indefinite, definite.data, definite.len, &count, 1);
    const ByteOut *data[] = {&definite, &indefinite};
    for (int i = 0; i < 2; i++) {
        for (size_t len = 0; len < data[i]->len; len++) {
            g_auto(Sample) loaded = {0};
            g_autofree uint8_t *there = g_memdup2(data[i]->data, MAX(len, 1));
            g_autoptr(Visitor) v = ber_in_new(there, len, 0, "sample", BER_APPLICATION, 6);
            g_autoptr(GError) error = NULL;
            sample_visit(v, &loaded);
            cr_assert_not(visit_finish(v, &error));
            cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_DAMAGED));
        }
    }
}

Test(ber_visitor, an_octet_that_is_wrong_is_refused_with_the_path_or_changes_only_values)
{
    g_auto(Sample) saved = {0};
    g_auto(ByteOut) data = {0};
    size_t refused = 0;

    sample_fill(&saved, 3);
    saved.has_sub = false; /* the walk itself asserts which there are */
    save_sample(&data, &saved);
    for (size_t bit = 0; bit < data.len * 8; bit++) {
        g_auto(Sample) loaded = {0};
        g_autoptr(GError) error = NULL;
        data.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        g_autoptr(Visitor) v = load_new(&data);
        sample_visit(v, &loaded);
        if (visit_finish(v, &error)) {
            g_auto(ByteOut) again = {0};
            save_sample(&again, &loaded);
            cr_assert_gt(again.len, 0);
        } else {
            cr_assert(g_str_has_prefix(error->message, "sample"), "%s", error->message);
            refused++;
        }
        data.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_gt(refused, 200);
}

/* --- only the start is there ------------------------------------------------------------------------------------ */

/* `data` with zeros for all but its first octets, and a visitor that is told so. */
static Visitor *load_start(ByteOut *room, const ByteOut *data, size_t available)
{
    byte_out_put(room, data->data, available);
    memset(byte_out_room(room, data->len - available), 0, data->len - available);
    Visitor *v = load_new(room);
    ber_in_limit(v, available);
    return v;
}

/* A struct of one value after the other: returns how many could be loaded. */
static int load_plain(Visitor *v, uint64_t *numbers, char **text, bool by_number)
{
    int loaded = 0;

    visit_struct_start(v, NULL);
    for (int i = 0; i < 3; i++) {
        if (by_number)
            visit_select(v, (size_t)i);
        visit_uint64(v, "number", &numbers[i]);
        loaded += !visit_failed(v);
    }
    if (by_number)
        visit_select(v, 3);
    visit_string(v, "text", text);
    loaded += !visit_failed(v);
    if (by_number)
        visit_select(v, 4);
    visit_array(v, "rest", SCALAR_UINT64, numbers + 3, 2);
    loaded += !visit_failed(v);
    visit_struct_end(v);
    return loaded;
}

static const char plain[] = "66 18 02 01 05 02 02 01 00 02 01 07 0c 03 61 62 63 30 07 02 01 01 02 02 00 ff";

/* How many values are there if so many octets are. */
static int plain_values(size_t available)
{
    static const size_t ends[] = {5, 9, 12, 17, 26};
    int n = 0;

    while (n < 5 && ends[n] <= available)
        n++;
    return n;
}

static void assert_plain_start(size_t available, bool by_number)
{
    g_auto(ByteOut) data = octets_of(plain), room = {0};
    g_autoptr(Visitor) v = load_start(&room, &data, available);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    uint64_t numbers[5] = {0};

    cr_assert_eq(data.len, 26);
    cr_assert_eq(load_plain(v, numbers, &text, by_number), plain_values(available), "%zu octets", available);
    cr_assert_not(visit_finish(v, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT), "%zu octets: %s", available, error->message);
    cr_assert(g_str_has_suffix(error->message, ": the input ends here"));
}

Test(ber_visitor, of_a_struct_that_is_cut_the_values_that_are_there_load)
{
    for (size_t available = 0; available < 26; available++)
        assert_plain_start(available, false);
}

Test(ber_visitor, of_a_struct_that_is_cut_the_values_that_are_there_load_by_number_too)
{
    for (size_t available = 0; available < 26; available++)
        assert_plain_start(available, true);
}

Test(ber_visitor, a_limit_at_the_end_limits_nothing)
{
    for (int by_number = 0; by_number < 2; by_number++) {
        g_auto(ByteOut) data = octets_of(plain), room = {0};
        g_autoptr(Visitor) v = load_start(&room, &data, data.len);
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;
        uint64_t numbers[5] = {0};
        cr_assert_eq(load_plain(v, numbers, &text, by_number), 5);
        assert_no_error(visit_finish(v, &error), error);
        cr_assert(numbers[0] == 5 && numbers[1] == 256 && numbers[2] == 7 && numbers[3] == 1 && numbers[4] == 255);
        cr_assert_str_eq(text, "abc");
    }
}

Test(ber_visitor, of_a_list_that_is_cut_the_elements_that_are_there_load)
{
    g_auto(ByteOut) data = octets_of("66 11 30 0f 30 03 02 01 01 30 03 02 01 02 30 03 02 01 03");

    for (size_t available = 4; available < data.len; available++) {
        g_auto(ByteOut) room = {0};
        g_autoptr(Visitor) v = load_start(&room, &data, available);
        g_autoptr(GError) error = NULL;
        size_t loaded = 0;
        visit_struct_start(v, NULL);
        visit_list_start(v, "list", 3, 1);
        for (int i = 0; i < 3; i++) {
            uint8_t x = 0;
            visit_struct_start(v, NULL);
            visit_uint8(v, "x", &x);
            visit_struct_end(v);
            loaded += x == i + 1;
        }
        cr_assert_not(visit_finish(v, &error));
        cr_assert_eq(loaded, (available - 4) / 5, "%zu octets: %s", available, error->message);
        cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT), "%zu octets: %s", available, error->message);
    }
}
