/*
 * scalar.h: the scalar kinds a field can have.
 *
 * The numbers are those of the ASN.1 type Kind in vmstate.asn1 and never change.
 */
#ifndef VISITORS_SCALAR_H
#define VISITORS_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum Scalar {
    SCALAR_BOOL,
    SCALAR_INT8,
    SCALAR_INT16,
    SCALAR_INT32,
    SCALAR_INT64,
    SCALAR_UINT8,
    SCALAR_UINT16,
    SCALAR_UINT32,
    SCALAR_UINT64,
    SCALAR_FLOAT64,
    SCALAR_COUNT,
} Scalar;

/* Octets one takes, in memory and on the legacy wire alike. */
unsigned scalar_width(Scalar scalar);

/* "bool", "int8", ... "float64". */
const char *scalar_name(Scalar scalar);

/* The scalar of that name, or SCALAR_COUNT. */
Scalar scalar_by_name(const char *name);

static inline bool scalar_is_signed(Scalar scalar)
{
    return scalar >= SCALAR_INT8 && scalar <= SCALAR_INT64;
}

static inline bool scalar_is_unsigned(Scalar scalar)
{
    return scalar >= SCALAR_UINT8 && scalar <= SCALAR_UINT64;
}

static inline bool scalar_is_integer(Scalar scalar)
{
    return scalar >= SCALAR_INT8 && scalar <= SCALAR_UINT64;
}

/*
 * An integer of any kind, or a bool: `bits` is the value modulo 2^64, `negative` tells that it is below zero.
 * Enough for the range of int64 and uint64 together.
 */
typedef struct Integer {
    uint64_t bits;
    bool negative;
} Integer;

/* Reads a bool or integer from memory in host order. */
Integer scalar_get(Scalar scalar, const void *p);

/* Does the value fit this integer kind (or, for a bool, is it 0 or 1)? */
bool scalar_fits(Scalar scalar, Integer value);

/* Writes it to memory in host order; it must fit. */
void scalar_set(Scalar scalar, void *p, Integer value);

/* Every value of `from` is one of `to`; both are integers. */
bool scalar_range_within(Scalar from, Scalar to);

#endif
