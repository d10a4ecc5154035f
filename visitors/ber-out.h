/* ber-out.h: saves to BER, as the type Section in vmstate.asn1 describes values. */
#ifndef VISITORS_BER_OUT_H
#define VISITORS_BER_OUT_H

#include "visitors/ber.h"
#include "visitors/visitor.h"

/*
 * Appends one element to `out`, borrowed. `root` names it, for messages. The outermost struct gets the identifier
 * (form, tag), the others are SEQUENCE.
 */
Visitor *ber_out_new(ByteOut *out, const char *root, unsigned form, uint32_t tag);

#endif
