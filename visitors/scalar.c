/* scalar.c: widths, names and ranges of the scalar kinds. */
#include "visitors/scalar.h"

#include <glib.h>
#include <string.h>

static const struct {
    const char *name;
    unsigned width;
} kinds[SCALAR_COUNT] = {
    [SCALAR_BOOL] = {"bool", sizeof(bool)}, [SCALAR_INT8] = {"int8", 1},     [SCALAR_INT16] = {"int16", 2},
    [SCALAR_INT32] = {"int32", 4},          [SCALAR_INT64] = {"int64", 8},   [SCALAR_UINT8] = {"uint8", 1},
    [SCALAR_UINT16] = {"uint16", 2},        [SCALAR_UINT32] = {"uint32", 4}, [SCALAR_UINT64] = {"uint64", 8},
    [SCALAR_FLOAT64] = {"float64", 8},
};

G_STATIC_ASSERT(sizeof(bool) == 1);
G_STATIC_ASSERT(sizeof(double) == 8);

unsigned scalar_width(Scalar scalar)
{
    return kinds[scalar].width;
}

const char *scalar_name(Scalar scalar)
{
    return kinds[scalar].name;
}

Scalar scalar_by_name(const char *name)
{
    Scalar s = SCALAR_BOOL;

    while (s < SCALAR_COUNT && strcmp(kinds[s].name, name) != 0)
        s++;
    return s;
}

Integer scalar_get(Scalar scalar, const void *p)
{
    union {
        uint8_t u8;
        uint16_t u16;
        uint32_t u32;
        uint64_t u64;
    } x = {.u64 = 0};
    int64_t value;

    memcpy(&x, p, kinds[scalar].width);
    switch (scalar) {
    case SCALAR_INT8:
        value = (int8_t)x.u8;
        break;
    case SCALAR_INT16:
        value = (int16_t)x.u16;
        break;
    case SCALAR_INT32:
        value = (int32_t)x.u32;
        break;
    case SCALAR_INT64:
        value = (int64_t)x.u64;
        break;
    case SCALAR_BOOL:
    case SCALAR_UINT8:
        return (Integer){.bits = x.u8};
    case SCALAR_UINT16:
        return (Integer){.bits = x.u16};
    case SCALAR_UINT32:
        return (Integer){.bits = x.u32};
    default:
        return (Integer){.bits = x.u64};
    }
    return (Integer){.bits = (uint64_t)value, .negative = value < 0};
}

bool scalar_fits(Scalar scalar, Integer value)
{
    unsigned bits = kinds[scalar].width * 8;

    if (scalar == SCALAR_BOOL)
        return value.bits <= 1;
    if (scalar_is_unsigned(scalar))
        return !value.negative && (bits == 64 || value.bits >> bits == 0);
    if (value.negative)
        return (int64_t)value.bits < 0 && (int64_t)value.bits >= -(INT64_C(1) << (bits - 2)) * 2;
    return value.bits >> (bits - 1) == 0;
}

void scalar_set(Scalar scalar, void *p, Integer value)
{
    uint8_t u8 = (uint8_t)value.bits;
    uint16_t u16 = (uint16_t)value.bits;
    uint32_t u32 = (uint32_t)value.bits;

    switch (kinds[scalar].width) {
    case 1:
        memcpy(p, &u8, 1);
        break;
    case 2:
        memcpy(p, &u16, 2);
        break;
    case 4:
        memcpy(p, &u32, 4);
        break;
    default:
        memcpy(p, &value.bits, 8);
    }
}

bool scalar_range_within(Scalar from, Scalar to)
{
    if (scalar_is_signed(from))
        return scalar_is_signed(to) && kinds[from].width <= kinds[to].width;
    if (scalar_is_signed(to))
        return kinds[from].width < kinds[to].width;
    return kinds[from].width <= kinds[to].width;
}
