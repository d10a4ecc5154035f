/*
 * beasts.h: two structs with every kind of field, described by hand, that have much in common: what one saves the other
 * loads by name, or not.
 */
#ifndef TESTS_FUZZ_SUPPORT_BEASTS_H
#define TESTS_FUZZ_SUPPORT_BEASTS_H

#include "vmstate/desc.h"

extern const VMStateDescription beast_state, other_beast_state;

/* A reset state, of either, in which counters are not 0 and pointers are not NULL. */
void *beast_reset(void);

/* Makes it obey the rules of the fields that have one. */
void beast_obey(void *state);

/*
 * Can the state go over QEMU's wire? That looks ahead for subsections, and takes for one what looks like one, wherever
 * a struct ends; and it takes no long strings.
 */
bool beast_wire_is_plain(const VMStateDescription *desc, const void *state);

#endif
