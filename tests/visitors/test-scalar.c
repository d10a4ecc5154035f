/* test-scalar.c: widths, names and ranges of the scalar kinds. */
#include <criterion/criterion.h>
#include <glib.h>
#include <string.h>

#include "visitors/scalar.h"

typedef struct Range {
    Scalar scalar;
    __int128 min, max;
} Range;

/* The ranges as C has them, and not as scalar.c computes them. */
static const Range ranges[] = {
    {SCALAR_INT8, INT8_MIN, INT8_MAX},    {SCALAR_INT16, INT16_MIN, INT16_MAX}, {SCALAR_INT32, INT32_MIN, INT32_MAX},
    {SCALAR_INT64, INT64_MIN, INT64_MAX}, {SCALAR_UINT8, 0, UINT8_MAX},         {SCALAR_UINT16, 0, UINT16_MAX},
    {SCALAR_UINT32, 0, UINT32_MAX},       {SCALAR_UINT64, 0, UINT64_MAX},
};

static Integer integer_of(__int128 value)
{
    return (Integer){.bits = (uint64_t)value, .negative = value < 0};
}

static __int128 value_of(Integer n)
{
    return n.negative ? (__int128)n.bits - ((__int128)1 << 64) : (__int128)n.bits;
}

static bool is_integer_at_all(__int128 value)
{
    return value >= INT64_MIN && value <= UINT64_MAX;
}

Test(scalar, every_kind_is_found_by_its_name)
{
    for (int s = 0; s < SCALAR_COUNT; s++)
        cr_assert_eq(scalar_by_name(scalar_name((Scalar)s)), (Scalar)s);
    cr_assert_eq(scalar_by_name("uint7"), SCALAR_COUNT);
    cr_assert_eq(scalar_by_name(""), SCALAR_COUNT);
    cr_assert_eq(scalar_by_name("uint8 "), SCALAR_COUNT);
}

Test(scalar, the_numbers_names_and_widths_are_those_of_the_format)
{
    static const struct {
        int number;
        const char *name;
        unsigned width;
    } kinds[] = {{0, "bool", 1},  {1, "int8", 1},   {2, "int16", 2},  {3, "int32", 4},  {4, "int64", 8},
                 {5, "uint8", 1}, {6, "uint16", 2}, {7, "uint32", 4}, {8, "uint64", 8}, {9, "float64", 8}};

    cr_assert_eq(G_N_ELEMENTS(kinds), SCALAR_COUNT);
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        cr_assert_str_eq(scalar_name((Scalar)kinds[i].number), kinds[i].name);
        cr_assert_eq(scalar_width((Scalar)kinds[i].number), kinds[i].width);
    }
}

Test(scalar, a_kind_is_signed_or_unsigned_if_it_is_an_integer)
{
    for (int s = 0; s < SCALAR_COUNT; s++) {
        const char *name = scalar_name((Scalar)s);
        cr_assert_eq(scalar_is_signed((Scalar)s), g_str_has_prefix(name, "int"));
        cr_assert_eq(scalar_is_unsigned((Scalar)s), g_str_has_prefix(name, "uint"));
        cr_assert_eq(scalar_is_integer((Scalar)s), scalar_is_signed((Scalar)s) || scalar_is_unsigned((Scalar)s));
    }
}

Test(scalar, memory_is_read_as_the_c_type_of_the_kind)
{
    int8_t i8 = -128;
    int16_t i16 = -2;
    int32_t i32 = INT32_MIN;
    int64_t i64 = INT64_MIN;
    uint8_t u8 = 0x80;
    uint16_t u16 = 0xfffe;
    uint32_t u32 = 0x80000000;
    uint64_t u64 = UINT64_MAX;
    bool no = false, yes = true;

    cr_assert(value_of(scalar_get(SCALAR_INT8, &i8)) == -128);
    cr_assert(value_of(scalar_get(SCALAR_INT16, &i16)) == -2);
    cr_assert(value_of(scalar_get(SCALAR_INT32, &i32)) == INT32_MIN);
    cr_assert(value_of(scalar_get(SCALAR_INT64, &i64)) == INT64_MIN);
    cr_assert(value_of(scalar_get(SCALAR_UINT8, &u8)) == 0x80);
    cr_assert(value_of(scalar_get(SCALAR_UINT16, &u16)) == 0xfffe);
    cr_assert(value_of(scalar_get(SCALAR_UINT32, &u32)) == 0x80000000);
    cr_assert(value_of(scalar_get(SCALAR_UINT64, &u64)) == UINT64_MAX);
    cr_assert(value_of(scalar_get(SCALAR_BOOL, &no)) == 0);
    cr_assert(value_of(scalar_get(SCALAR_BOOL, &yes)) == 1);
}

Test(scalar, what_is_set_is_got_at_the_limits_of_every_kind)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++) {
        const Range *r = &ranges[i];
        const __int128 values[] = {r->min, r->min + 1, r->min / 2, 0, 1, r->max / 2, r->max - 1, r->max};
        for (size_t j = 0; j < G_N_ELEMENTS(values); j++) {
            /* at an odd place, with neighbours that must stay */
            uint8_t memory[10];
            unsigned width = scalar_width(r->scalar);
            memset(memory, 0xee, sizeof memory);
            scalar_set(r->scalar, memory + 1, integer_of(values[j]));
            cr_assert(value_of(scalar_get(r->scalar, memory + 1)) == values[j], "%s, value %zu", scalar_name(r->scalar),
                      j);
            cr_assert_eq(memory[0], 0xee);
            cr_assert(width == 8 ? memory[9] == 0xee : memory[1 + width] == 0xee);
        }
    }
}

Test(scalar, a_bool_that_is_set_is_got)
{
    for (unsigned value = 0; value <= 1; value++) {
        bool memory = !value;
        scalar_set(SCALAR_BOOL, &memory, (Integer){.bits = value});
        cr_assert_eq(memory, value);
        cr_assert_eq(scalar_get(SCALAR_BOOL, &memory).bits, value);
    }
}

Test(scalar, a_value_fits_exactly_the_kinds_in_whose_range_it_is)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(ranges); j++) {
            /* the limits of one kind and their neighbours, held against another */
            const Range *of = &ranges[i], *in = &ranges[j];
            for (int d = -2; d <= 2; d++) {
                const __int128 values[] = {of->min + d, of->max + d};
                for (size_t k = 0; k < 2; k++) {
                    if (!is_integer_at_all(values[k]))
                        continue;
                    bool fits = values[k] >= in->min && values[k] <= in->max;
                    cr_assert_eq(scalar_fits(in->scalar, integer_of(values[k])), fits, "limit %zu of %s %+d in %s", k,
                                 scalar_name(of->scalar), d, scalar_name(in->scalar));
                }
            }
        }
    }
}

Test(scalar, only_zero_and_one_fit_a_bool)
{
    cr_assert(scalar_fits(SCALAR_BOOL, integer_of(0)));
    cr_assert(scalar_fits(SCALAR_BOOL, integer_of(1)));
    cr_assert_not(scalar_fits(SCALAR_BOOL, integer_of(2)));
    cr_assert_not(scalar_fits(SCALAR_BOOL, integer_of(-1)));
    cr_assert_not(scalar_fits(SCALAR_BOOL, integer_of(UINT64_MAX)));
}

Test(scalar, a_range_is_within_another_if_both_its_ends_are)
{
    for (size_t i = 0; i < G_N_ELEMENTS(ranges); i++) {
        for (size_t j = 0; j < G_N_ELEMENTS(ranges); j++) {
            const Range *from = &ranges[i], *to = &ranges[j];
            bool within = from->min >= to->min && from->max <= to->max;
            cr_assert_eq(scalar_range_within(from->scalar, to->scalar), within, "%s in %s", scalar_name(from->scalar),
                         scalar_name(to->scalar));
        }
    }
}
