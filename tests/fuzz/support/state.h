/*
 * state.h: what must hold for any state that a description can say.
 */
#ifndef TESTS_FUZZ_SUPPORT_STATE_H
#define TESTS_FUZZ_SUPPORT_STATE_H

#include "vmstate/desc.h"

/*
 * Saves the state through every visitor, loads it back, and aborts if it is not the same then. reset: what a state has
 * before a load, NULL: zeros. legacy: it must come back from QEMU's wire, too.
 */
void fuzz_state_round_trip(const VMStateDescription *desc, const void *state, const void *reset, bool legacy);

#endif
