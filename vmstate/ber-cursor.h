/*
 * ber-cursor.h: walks the members of a record, with errors that tell where. Only included in vmstate/.
 *
 * Each function returns false with an error if the next element is not what it should be.
 */
#ifndef VMSTATE_BER_CURSOR_H
#define VMSTATE_BER_CURSOR_H

#include "visitors/ber.h"

typedef struct BerCursor {
    ByteIn in;
    uint64_t offset;  /* of its first octet in the stream */
    const char *what; /* the record, for messages; borrowed */
    GError **error;
} BerCursor;

void ber_cursor_init(BerCursor *c, const void *data, size_t len, uint64_t offset, const char *what, GError **error);

/* Always false, with an error "what @offset: ...". */
bool ber_cursor_fail(const BerCursor *c, const char *format, ...) G_GNUC_PRINTF(2, 3);

static inline bool ber_cursor_more(const BerCursor *c)
{
    return byte_in_left(&c->in);
}

/* Nothing may be left. */
bool ber_cursor_end(const BerCursor *c);

bool ber_cursor_next(BerCursor *c, BerElement *e);
bool ber_cursor_next_of(BerCursor *c, unsigned form, uint32_t tag, BerElement *e);

/* Is the next element that one? Takes nothing. */
bool ber_cursor_is(const BerCursor *c, unsigned form, uint32_t tag);

/* A cursor over the content of the next element, which must be constructed and have that identifier. */
bool ber_cursor_enter(BerCursor *c, unsigned class, uint32_t tag, BerCursor *inner);

/* Values of UNIVERSAL tags; *value, *text is 0, unchanged on failure. A text is a new string that replaces *text, and
 * has no control characters in it. */
bool ber_cursor_number(BerCursor *c, uint64_t max, uint64_t *value);
bool ber_cursor_enumerated(BerCursor *c, uint64_t max, uint64_t *value);
bool ber_cursor_bool(BerCursor *c, bool *value);
bool ber_cursor_text(BerCursor *c, char **text);

/* Opaque octets (visitors/ber.h), context-specific; exactly `len` of them. */
bool ber_cursor_opaque(BerCursor *c, uint32_t tag, const uint8_t **data, size_t *len);
bool ber_cursor_opaque_of(BerCursor *c, uint32_t tag, size_t len, const uint8_t **data);

/* The same from an element that was taken. */
bool ber_cursor_to_number(const BerCursor *c, const BerElement *e, uint64_t max, uint64_t *value);
bool ber_cursor_to_text(const BerCursor *c, const BerElement *e, char **text);
bool ber_cursor_to_opaque(const BerCursor *c, const BerElement *e, const uint8_t **data, size_t *len);

/* Context-specific primitive members that may be missing: *there tells; *text is unchanged then. */
bool ber_cursor_optional_number(BerCursor *c, uint32_t tag, uint64_t max, uint64_t *value, bool *there);
bool ber_cursor_optional_opaque(BerCursor *c, uint32_t tag, const uint8_t **data, size_t *len); /* NULL, 0 if not */
bool ber_cursor_optional_text(BerCursor *c, uint32_t tag, char **text);
bool ber_cursor_optional_true(BerCursor *c, uint32_t tag, bool *value);

#endif
