/*
 * text-value.h: values as people write them, for visitors that load from text.
 *
 * Each stores the value and returns true, or makes the visitor fail, with what is accepted, and returns false.
 */
#ifndef VISITORS_TEXT_VALUE_H
#define VISITORS_TEXT_VALUE_H

#include "visitors/visitor.h"

/*
 * A bool is on, yes, true, y; off, no, false, n. An integer is decimal, hexadecimal after 0x, octal after 0. One of 64
 * bits without a sign may be a size: decimal, also with a fraction, and a unit B, K, M, G, T, P or E, powers of 1024.
 * A float is a decimal number, or its bits as 0x and 16 digits.
 */
bool text_value_scalar(Visitor *v, const char *name, Scalar scalar, const char *text, void *value);

/* An integer that is known. */
bool text_value_integer(Visitor *v, const char *name, Scalar scalar, Integer n, void *value);

/* Octets: two hexadecimal digits each. */
bool text_value_hex(Visitor *v, const char *name, const char *text, void *data, size_t len);

/* The bits that are set: "0-3,17". */
bool text_value_bits(Visitor *v, const char *name, const char *text, uint64_t *words, size_t bits);

#endif
