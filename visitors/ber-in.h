/*
 * ber-in.h: loads from BER, as the type Section in vmstate.asn1 describes values.
 *
 * Values can be selected in any order within a struct. A value must be of the kind that is asked for; integers may have
 * any width that their value allows, so that a field can be widened, or narrowed if it fits.
 */
#ifndef VISITORS_BER_IN_H
#define VISITORS_BER_IN_H

#include "visitors/ber.h"
#include "visitors/visitor.h"

/*
 * Reads one element from the octets of `data`, borrowed, whose first has offset `offset` in the stream. `root` names
 * it, for messages; the outermost struct must have the identifier (form, tag).
 */
Visitor *ber_in_new(const void *data, size_t len, uint64_t offset, const char *root, unsigned form, uint32_t tag);

/* Only the first `available` of the octets are really there: a value that is not all there fails the visitor. */
void ber_in_limit(Visitor *v, size_t available);

#endif
