/*
 * ber.h: elements of the Basic Encoding Rules. Source: ITU-T X.690.
 *
 * Identifier and length octets are read and written by libtasn1. What this adds: elements of indefinite form in memory,
 * lengths that are known only when the content has been written, and integers of 64 bits.
 */
#ifndef VISITORS_BER_H
#define VISITORS_BER_H

#include "visitors/bytes.h"
#include "visitors/error.h"
#include "visitors/scalar.h"

/* Class and form, as they stand in the identifier octet. */
enum {
    BER_UNIVERSAL = 0x00,
    BER_APPLICATION = 0x40,
    BER_CONTEXT = 0x80,
    BER_PRIVATE = 0xc0,
    BER_CONSTRUCTED = 0x20,
};

/* Universal tags. */
enum {
    BER_EOC = 0,
    BER_BOOLEAN = 1,
    BER_INTEGER = 2,
    BER_BIT_STRING = 3,
    BER_OCTET_STRING = 4,
    BER_NULL = 5,
    BER_ENUMERATED = 10,
    BER_UTF8_STRING = 12,
    BER_SEQUENCE = 16,
};

enum { BER_DEPTH_MAX = 80 };

/* Context-specific tags among the values of a Section. */
enum { BER_VALUE_NEGATIVE = 0, BER_VALUE_OPAQUE = 1, BER_VALUE_BITMAP = 2 };

/* --- reading ---------------------------------------------------------------------------------------------------- */

typedef struct BerElement {
    unsigned form; /* class | constructed */
    uint32_t tag;
    size_t start;           /* of the identifier octet, in what was read from */
    const uint8_t *content; /* borrowed from there */
    size_t len;             /* of the content, without end-of-contents octets */
    bool indefinite;
} BerElement;

/* Size of the identifier and length octets at p: 0 if more octets are needed, -1 if they are wrong. *len is -1 for
 * indefinite. */
int ber_read_head(const uint8_t *p, size_t avail, unsigned *form, uint32_t *tag, int64_t *len);

/* Takes the next element; NULL, or what is wrong with it (then the cursor has not moved). */
const char *ber_next(ByteIn *in, BerElement *e);

static inline bool ber_is(const BerElement *e, unsigned form, uint32_t tag)
{
    return e->form == form && e->tag == tag;
}

/*
 * Octets that may look like anything are a BIT STRING of whole octets (type Opaque of vmstate.asn1): the octet 0, which
 * says that no bits are unused, and then they. False if the content is something else.
 */
bool ber_get_opaque(const BerElement *e, const uint8_t **data, size_t *len);

/* "INTEGER", "[3]", "[APPLICATION 5]", ... New string. */
char *ber_tag_name(unsigned form, uint32_t tag);

/* The integer in the content; false if it is empty, not of the fewest octets, or outside -2^63 .. 2^64-1. */
bool ber_get_integer(const BerElement *e, Integer *value);

/* --- writing ---------------------------------------------------------------------------------------------------- */

void ber_put_head(ByteOut *out, unsigned form, uint32_t tag, size_t len);

/* A constructed element whose length is known at its end. */
size_t ber_start(ByteOut *out, unsigned form, uint32_t tag);
void ber_end(ByteOut *out, size_t mark);

void ber_put_integer_as(ByteOut *out, unsigned form, uint32_t tag, Integer value);
void ber_put_octets_as(ByteOut *out, unsigned form, uint32_t tag, const void *data, size_t len);

static inline void ber_put_integer(ByteOut *out, Integer value)
{
    ber_put_integer_as(out, BER_UNIVERSAL, BER_INTEGER, value);
}

/* Integers as values of a Section are: INTEGER, or [0] if negative; as many as there are, one after the other. */
void ber_put_integers(ByteOut *out, Scalar scalar, const void *values, size_t count);

static inline void ber_put_uint(ByteOut *out, uint64_t value)
{
    ber_put_integer(out, (Integer){.bits = value});
}

static inline void ber_put_bool(ByteOut *out, bool value)
{
    ber_put_octets_as(out, BER_UNIVERSAL, BER_BOOLEAN, value ? "\xff" : "", 1);
}

/* Only the head, with the octet 0 behind it; and all. The tag is context-specific. */
void ber_put_opaque_head(ByteOut *out, uint32_t tag, size_t len);
void ber_put_opaque(ByteOut *out, uint32_t tag, const void *data, size_t len);

static inline void ber_put_text(ByteOut *out, const char *text)
{
    ber_put_octets_as(out, BER_UNIVERSAL, BER_UTF8_STRING, text, strlen(text));
}

#endif
