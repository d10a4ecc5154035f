/* test-ber-in.c: values from BER: what is accepted, what is refused, and what the message says. */
#include "tests/visitors/ber-load.h"

/* --- integers of any width -------------------------------------------------------------------------------------- */

/* The limits of all kinds, and their neighbours. */
static const Integer integers[] = {
    {0, false},
    {1, false},
    {INT8_MAX, false},
    {INT8_MAX + 1, false},
    {UINT8_MAX, false},
    {UINT8_MAX + 1, false},
    {INT16_MAX, false},
    {INT16_MAX + 1, false},
    {UINT16_MAX, false},
    {UINT16_MAX + 1, false},
    {INT32_MAX, false},
    {INT32_MAX + UINT64_C(1), false},
    {UINT32_MAX, false},
    {UINT32_MAX + UINT64_C(1), false},
    {INT64_MAX, false},
    {INT64_MAX + UINT64_C(1), false},
    {UINT64_MAX, false},
    {(uint64_t)-1, true},
    {(uint64_t)INT8_MIN, true},
    {(uint64_t)INT8_MIN - 1, true},
    {(uint64_t)INT16_MIN, true},
    {(uint64_t)INT16_MIN - 1, true},
    {(uint64_t)INT32_MIN, true},
    {(uint64_t)INT32_MIN - 1, true},
    {(uint64_t)INT64_MIN, true},
};

static void assert_integer_loads_if_it_fits(const ByteOut *data, Integer n, Scalar scalar)
{
    g_autoptr(Visitor) v = ber_in_new(data->data, data->len, OFFSET, "root", BER_CONTEXT, 0);
    g_autoptr(GError) error = NULL;
    uint64_t value = UINT64_C(0xeeeeeeeeeeeeeeee), before = value;

    visit_scalar(v, "n", scalar, &value);
    if (scalar_fits(scalar, n)) {
        assert_no_error(visit_finish(v, &error), error);
        cr_assert_eq(scalar_get(scalar, &value).bits, n.bits);
        cr_assert_eq(scalar_get(scalar, &value).negative, n.negative);
        return;
    }
    g_autofree char *wanted = n.negative
                                  ? g_strdup_printf("root.n @0x100: the value %" G_GINT64_FORMAT " does not fit %s",
                                                    (gint64)n.bits, scalar_name(scalar))
                                  : g_strdup_printf("root.n @0x100: the value %" G_GUINT64_FORMAT " does not fit %s",
                                                    n.bits, scalar_name(scalar));
    cr_assert_not(visit_finish(v, &error));
    assert_error(error, FERRY_ERROR_MISMATCH, wanted);
    cr_assert_eq(value, before);
}

Test(ber_in, an_integer_loads_into_every_kind_that_it_fits_and_into_no_other)
{
    for (size_t i = 0; i < G_N_ELEMENTS(integers); i++) {
        for (int s = SCALAR_INT8; s <= SCALAR_UINT64; s++) {
            g_auto(ByteOut) universal = {0}, tagged = {0};
            ber_put_integer(&universal, integers[i]);
            ber_put_integer_as(&tagged, BER_CONTEXT, 0, integers[i]);
            assert_integer_loads_if_it_fits(&universal, integers[i], (Scalar)s);
            assert_integer_loads_if_it_fits(&tagged, integers[i], (Scalar)s);
        }
    }
}

Test(ber_in, an_integer_that_is_none_is_damage)
{
    static const struct {
        const char *hex;
        int octets;
    } cases[] = {{"02 00", 0}, {"02 02 00 01", 2}, {"80 02 ff ff", 2}, {"02 09 01 00 00 00 00 00 00 00 00", 9}};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t value = 7;
        Load l;
        Visitor *v = load_init(&l, cases[i].hex);
        g_autofree char *message =
            g_strdup_printf("root.n @0x100: an INTEGER of %d octets is not one of at most 64 bits in the fewest octets",
                            cases[i].octets);
        visit_uint64(v, "n", &value);
        assert_refused(&l, FERRY_ERROR_DAMAGED, message);
        cr_assert_eq(value, 7);
    }
}

Test(ber_in, octets_widen_to_an_array_of_wider_integers)
{
    static const Scalar wider[] = {SCALAR_INT16,  SCALAR_UINT16, SCALAR_INT32,
                                   SCALAR_UINT32, SCALAR_INT64,  SCALAR_UINT64};

    for (size_t i = 0; i < G_N_ELEMENTS(wider); i++) {
        uint64_t memory[3];
        uint8_t *p = (uint8_t *)memory;
        Load l;
        Visitor *v = load_init(&l, "81 04 00 01 80 ff");
        visit_array(v, "a", wider[i], memory, 3);
        assert_loaded(&l);
        cr_assert_eq(scalar_get(wider[i], p).bits, 1);
        cr_assert_eq(scalar_get(wider[i], p + scalar_width(wider[i])).bits, 0x80);
        cr_assert_eq(scalar_get(wider[i], p + 2 * scalar_width(wider[i])).bits, 0xff);
    }
}

Test(ber_in, octets_of_no_length_widen_to_an_array_without_elements)
{
    for (int s = SCALAR_INT8; s <= SCALAR_UINT64; s++) {
        uint64_t memory = 7;
        Load l;
        Visitor *v = load_init(&l, "81 01 00");
        visit_array(v, "a", (Scalar)s, &memory, 0);
        assert_loaded(&l);
        cr_assert_eq(memory, 7);
    }
}

Test(ber_in, an_array_narrows_if_every_element_fits)
{
    uint8_t octets[3] = {0};
    int8_t signs[2] = {0};
    Load l;
    Visitor *v = load_init(&l, "30 0a 02 01 01 02 02 00 ff 02 01 03");

    visit_array(v, "a", SCALAR_UINT8, octets, 3);
    assert_loaded(&l);
    assert_octets(octets, 3, "01 ff 03");
    v = load_init(&l, "81 03 00 01 7f");
    visit_array(v, "a", SCALAR_INT8, signs, 2);
    assert_loaded(&l);
    cr_assert(signs[0] == 1 && signs[1] == 127);
}

Test(ber_in, an_array_with_an_element_that_does_not_fit_is_refused)
{
    uint8_t octets[3];
    int8_t signs[2];
    Load l;
    Visitor *v = load_init(&l, "30 0a 02 01 01 02 02 01 00 02 01 03");

    visit_array(v, "a", SCALAR_UINT8, octets, 3);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.a @0x105: the value 256 does not fit uint8");
    v = load_init(&l, "81 03 00 01 80");
    visit_array(v, "a", SCALAR_INT8, signs, 2);
    assert_refused(&l, FERRY_ERROR_MISMATCH, "root.a @0x100: the value 128 does not fit int8");
}

/* --- other values ----------------------------------------------------------------------------------------------- */

Test(ber_in, any_octet_but_zero_is_true)
{
    for (unsigned octet = 0; octet < 256; octet++) {
        g_autofree char *hex = g_strdup_printf("01 01 %02x", octet);
        bool value = !octet;
        Load l;
        Visitor *v = load_init(&l, hex);
        visit_bool(v, "b", &value);
        assert_loaded(&l);
        cr_assert_eq(*(uint8_t *)&value, octet != 0);
    }
}

Test(ber_in, the_bits_of_a_float_are_kept_be_it_a_number_or_not)
{
    static const char *const patterns[] = {"7f f8 00 00 00 c0 ff ee", "ff f0 00 00 00 00 00 01",
                                           "7f f0 00 00 00 00 00 00", "80 00 00 00 00 00 00 00",
                                           "00 00 00 00 00 00 00 01"};

    for (size_t i = 0; i < G_N_ELEMENTS(patterns); i++) {
        g_autofree char *hex = g_strconcat("81 09 00 ", patterns[i], NULL);
        g_autofree char *array_hex = g_strconcat("30 0b 81 09 00 ", patterns[i], NULL);
        double number = 1, numbers[1] = {1};
        uint64_t bits;
        uint8_t octets[8];
        Load l;
        Visitor *v = load_init(&l, hex);
        visit_float64(v, "f", &number);
        assert_loaded(&l);
        memcpy(&bits, &number, 8);
        store_be64(octets, bits);
        assert_octets(octets, 8, patterns[i]);
        v = load_init(&l, array_hex);
        visit_array(v, "f", SCALAR_FLOAT64, numbers, 1);
        assert_loaded(&l);
        cr_assert_arr_eq(numbers, &number, 8);
    }
}

Test(ber_in, octets_are_loaded_also_of_no_length)
{
    char buffer[4] = "old", octets[4] = "old", array[4] = "old";
    Load l;
    Visitor *v = load_init(&l, "81 04 00 61 62 63 81 04 00 64 65 66 81 04 00 67 68 69 "
                               "81 01 00 81 01 00 81 01 00");

    visit_buffer(v, "buffer", buffer, 3);
    visit_octets(v, "octets", "thing", octets, 3);
    visit_array(v, "array", SCALAR_UINT8, array, 3);
    visit_buffer(v, "buffer", NULL, 0);
    visit_octets(v, "octets", "thing", NULL, 0);
    visit_array(v, "array", SCALAR_UINT8, NULL, 0);
    assert_loaded(&l);
    cr_assert_str_eq(buffer, "abc");
    cr_assert_str_eq(octets, "def");
    cr_assert_str_eq(array, "ghi");
}

Test(ber_in, a_pad_is_zeros_where_the_stream_has_none)
{
    uint8_t pad[4] = {1, 2, 3, 4}, zeros[4] = {1, 2, 3, 4};
    Load l;
    Visitor *v = load_init(&l, "81 05 00 05 00 06 00 01 01 00");

    visit_unused(v, "pad", pad, 4);
    visit_unused(v, "zeros", zeros, 4);
    assert_loaded(&l);
    assert_octets(pad, 4, "05 00 06 00");
    assert_octets(zeros, 4, "00 00 00 00");
}

Test(ber_in, a_string_replaces_what_was_there)
{
    char *text = g_strdup("old"), *none = NULL;
    Load l;
    Visitor *v = load_init(&l, "0c 03 61 c3 a4 01 01 00 0c 00");

    visit_string(v, "text", &text);
    cr_assert_str_eq(text, "a\303\244");
    visit_string(v, "text", &text);
    cr_assert_str_eq(text, "");
    visit_string(v, "none", &none);
    cr_assert_str_eq(none, "");
    assert_loaded(&l);
    g_free(text);
    g_free(none);
}

Test(ber_in, a_string_that_is_not_utf_8_is_refused)
{
    static const char *const wrong[] = {"0c 02 61 ff", "0c 02 61 00", "0c 01 80"};

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *text = g_strdup("old");
        Load l;
        Visitor *v = load_init(&l, wrong[i]);
        visit_string(v, "text", &text);
        assert_refused(&l, FERRY_ERROR_DAMAGED, "root.text @0x100: a UTF8String is not UTF-8");
        cr_assert_str_eq(text, "old");
    }
}

Test(ber_in, a_bitmap_is_loaded_bit_by_bit)
{
    static const struct {
        size_t bits;
        const char *hex;
        uint64_t words[2];
    } cases[] = {
        {0, "82 01 00", {0, 0}},
        {1, "82 02 07 80", {1, 0}},
        {7, "82 02 01 a2", {0x45, 0}},
        {8, "82 02 00 a2", {0x45, 0}},
        {9, "82 03 07 a2 80", {0x145, 0}},
        {63, "82 09 01 a2 80 00 00 00 00 00 02", {UINT64_C(0x4000000000000145), 0}},
        {64, "82 09 00 a2 80 00 00 00 00 00 03", {UINT64_C(0xc000000000000145), 0}},
        {65, "82 0a 07 a2 80 00 00 00 00 00 03 80", {UINT64_C(0xc000000000000145), 1}},
        /* what stands in the unused bits does not matter */
        {3, "82 02 05 ff", {7, 0}},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        uint64_t words[3] = {UINT64_MAX, UINT64_MAX, UINT64_MAX};
        size_t used = (cases[i].bits + 63) / 64;
        Load l;
        Visitor *v = load_init(&l, cases[i].hex);
        visit_bitmap(v, "bits", words, cases[i].bits);
        assert_loaded(&l);
        cr_assert(used == 0 || words[0] == cases[i].words[0]);
        cr_assert(used < 2 || words[1] == cases[i].words[1]);
        cr_assert_eq(words[used], UINT64_MAX);
    }
}

Test(ber_in, a_bit_string_that_cannot_be_is_damage)
{
    static const char *const wrong[] = {"82 00", "82 02 08 ff", "82 01 01"};

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        uint64_t word = 7;
        Load l;
        Visitor *v = load_init(&l, wrong[i]);
        visit_bitmap(v, "bits", &word, 0);
        assert_refused(&l, FERRY_ERROR_DAMAGED, "root.bits @0x100: a BIT STRING does not tell its length");
        cr_assert_eq(word, 7);
    }
}
