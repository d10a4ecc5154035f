/* test-ber-in-mismatch.c: kinds and counts that differ from the destination's, and the messages about them. */
#include "tests/visitors/ber-load.h"

Test(ber_in_mismatch, a_scalar_of_another_kind_is_refused_and_both_are_named)
{
    static const struct {
        const char *hex;
        Scalar scalar;
        const char *message;
    } cases[] = {
        {"02 01 01", SCALAR_BOOL, "root.x @0x100: the stream has INTEGER, the destination bool"},
        {"02 01 01", SCALAR_FLOAT64, "root.x @0x100: the stream has INTEGER, the destination float64"},
        {"01 01 ff", SCALAR_INT8, "root.x @0x100: the stream has BOOLEAN, the destination int8"},
        {"01 02 ff ff", SCALAR_BOOL, "root.x @0x100: the stream has BOOLEAN, the destination bool"},
        {"81 05 00 00 00 00 00", SCALAR_FLOAT64, "root.x @0x100: the stream has [1], the destination float64"},
        {"81 09 00 00 00 00 00 00 00 00 00", SCALAR_UINT64,
         "root.x @0x100: the stream has [1], the destination uint64"},
        {"30 03 02 01 01", SCALAR_UINT8, "root.x @0x100: the stream has SEQUENCE, the destination uint8"},
        {"05 00", SCALAR_INT32, "root.x @0x100: the stream has NULL, the destination int32"},
        {"a0 03 02 01 01", SCALAR_INT32, "root.x @0x100: the stream has [0], the destination int32"},
        {"81 01 01", SCALAR_INT32, "root.x @0x100: the stream has [1], the destination int32"},
        {"22 03 02 01 01", SCALAR_INT32, "root.x @0x100: the stream has INTEGER, the destination int32"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t value = 7;
        Load l;
        Visitor *v = load_init(&l, cases[i].hex);
        visit_scalar(v, "x", cases[i].scalar, &value);
        assert_refused(&l, FERRY_ERROR_MISMATCH, cases[i].message);
        cr_assert_eq(value, 7);
    }
}

Test(ber_in_mismatch, values_of_another_kind_are_refused_and_both_are_named)
{
    uint64_t words[2] = {7, 7};
    char *text = NULL;
    Load l;

    visit_array(load_init(&l, "02 01 01"), "x", SCALAR_UINT16, words, 1);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has INTEGER, the destination an array");
    visit_array(load_init(&l, "81 02 00 01"), "x", SCALAR_BOOL, words, 1);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has [1], the destination an array");
    visit_array(load_init(&l, "30 03 01 01 ff"), "x", SCALAR_UINT16, words, 1);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x102: the stream has BOOLEAN, the destination uint16");
    visit_buffer(load_init(&l, "30 03 02 01 01"), "x", words, 1);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has SEQUENCE, the destination octets");
    visit_buffer(load_init(&l, "01 01 ff"), "x", words, 0);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has BOOLEAN, the destination octets");
    visit_octets(load_init(&l, "0c 01 61"), "x", "thing", words, 1);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has UTF8String, the destination octets");
    visit_unused(load_init(&l, "02 01 00"), "x", words, 1);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has INTEGER, the destination a pad");
    visit_bitmap(load_init(&l, "01 01 00"), "x", words, 0);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has BOOLEAN, the destination a bitmap");
    visit_string(load_init(&l, "04 01 61"), "x", &text);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has OCTET STRING, the destination a string");
    cr_assert(words[0] == 7 && words[1] == 7 && !text);
}

Test(ber_in_mismatch, another_count_is_refused_and_both_are_told)
{
    uint64_t words[8] = {7};
    Load l;

    visit_array(load_init(&l, "81 03 00 01 02"), "x", SCALAR_UINT8, words, 3);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has 2 elements, the destination 3");
    visit_array(load_init(&l, "81 01 00"), "x", SCALAR_UINT8, words, 3);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has 0 elements, the destination 3");
    visit_buffer(load_init(&l, "81 03 00 01 02"), "x", words, 1);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has 2 octets, the destination 1");
    visit_octets(load_init(&l, "81 01 00"), "x", "thing", words, 1);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has 0 octets, the destination 1");
    visit_bitmap(load_init(&l, "82 02 01 00"), "x", words, 8);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has 7 bits, the destination 8");
}

/* Loads a list of structs of one uint8; what the list has besides does not matter here. */
static void load_list(Visitor *v, size_t count)
{
    visit_list_start(v, "x", count, 1);
    for (size_t i = 0; i < count; i++) {
        uint8_t value;
        visit_struct_start(v, NULL);
        visit_uint8(v, "value", &value);
        visit_struct_end(v);
    }
    visit_list_end(v);
}

/* The message but for the offset, which another test is about. */
#define assert_count_refused(load, text)                                                                               \
    do {                                                                                                               \
        g_autoptr(GError) failure = NULL;                                                                              \
        cr_assert_not(visit_finish((load)->v, &failure));                                                              \
        cr_assert(g_error_matches(failure, FERRY_ERROR, FERRY_ERROR_MISMATCH));                                        \
        cr_assert(g_str_has_prefix(failure->message, "root.x @0x"), "%s", failure->message);                           \
        cr_assert(g_str_has_suffix(failure->message, text), "%s", failure->message);                                   \
        load_done(load);                                                                                               \
    } while (0)

Test(ber_in_mismatch, another_count_of_elements_is_refused_and_both_are_told)
{
    uint16_t words[8];
    Load l;

    visit_array(load_init(&l, "30 06 02 01 01 02 01 02"), "x", SCALAR_UINT16, words, 3);
    assert_count_refused(&l, ": the stream has 2 elements, the destination 3");
    visit_array(load_init(&l, "30 0d 02 01 01 02 01 02 01 01 00 05 00 05 00"), "x", SCALAR_UINT16, words, 2);
    assert_count_refused(&l, ": the stream has 5 elements, the destination 2");
    visit_array(load_init(&l, "30 00"), "x", SCALAR_UINT16, words, 1);
    assert_count_refused(&l, ": the stream has 0 elements, the destination 1");
    load_list(load_init(&l, "30 0a 30 03 02 01 01 30 03 02 01 02"), 3);
    assert_count_refused(&l, ": the stream has 2 elements, the destination 3");
    load_list(load_init(&l, "30 0a 30 03 02 01 01 30 03 02 01 02"), 1);
    assert_count_refused(&l, ": the stream has 2 elements, the destination 1");
    load_list(load_init(&l, "30 00"), 1);
    assert_count_refused(&l, ": the stream has 0 elements, the destination 1");
}

Test(ber_in_mismatch, the_offset_of_a_wrong_count_of_elements_is_that_of_the_array)
{
    uint16_t words[3];
    Load l;

    visit_array(load_init(&l, "30 06 02 01 01 02 01 02"), "x", SCALAR_UINT16, words, 3);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.x @0x100: the stream has 2 elements, the destination 3");
}

Test(ber_in_mismatch, what_is_no_struct_and_no_list_is_refused)
{
    Load l;

    visit_struct_start(load_init(&l, "30 03 02 01 01"), NULL); /* the outermost is [0] here */
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root @0x100: the stream has SEQUENCE, the destination a struct");
    visit_struct_start(load_init(&l, "80 01 01"), NULL);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root @0x100: the stream has [0], the destination a struct");
    Visitor *v = load_init(&l, "a0 03 02 01 01");
    visit_struct_start(v, NULL);
    visit_struct_start(v, "inner");
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.inner @0x102: the stream has INTEGER, the destination a struct");
    v = load_init(&l, "a0 03 04 01 01");
    visit_struct_start(v, NULL);
    visit_list_start(v, "list", 1, 1);
    assert_refused(&l, FERRY_ERROR_MISMATCH,
                   "root.list @0x102: the stream has OCTET STRING, the destination an array of structs");
    v = load_init(&l, "30 03 02 01 01");
    visit_list_start(v, "list", 1, 1);
    visit_struct_start(v, NULL);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.list[0] @0x102: the stream has INTEGER, the destination a struct");
}
