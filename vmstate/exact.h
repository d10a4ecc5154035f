/*
 * exact.h: does a state say all that its octets on the legacy wire say?
 */
#ifndef VMSTATE_EXACT_H
#define VMSTATE_EXACT_H

#include "vmstate/desc.h"

/*
 * Would the state be these octets on the legacy wire? What was loaded from them need not be: a list may have been cut
 * short, a boolean may have been 2.
 */
bool vmstate_is_exact(const VMStateDescription *desc, const void *state, const uint8_t *octets, size_t len);

#endif
