/*
 * state.h: what a description says about a struct in memory: its members, copies, comparison, size on the wire.
 */
#ifndef VMSTATE_STATE_H
#define VMSTATE_STATE_H

#include "vmstate/desc.h"

/* The first element of a field: in the struct, or behind its pointer (then NULL if there are none). */
static inline void *vms_field_data(const VMStateField *f, const void *state)
{
    char *member = (char *)state + f->offset;

    return f->pointer ? *(void **)member : member;
}

/*
 * How many elements are in use: the value of the counter, or all. False if the counter is negative or above what the
 * field has room for; *used is then the counter's value.
 */
bool vms_field_used(const VMStateField *f, const void *state, Integer *used);

/* The same for callers who have checked. */
size_t vms_field_count_used(const VMStateField *f, const void *state);

/* Is the field in a stream of that version? */
bool vms_field_present(const VMStateField *f, const void *state, int version);

bool vms_subsection_needed(const VMStateSubsection *sub, const void *state);

/*
 * Element number `element` (0 for a single value) of the integer or bool field of that name. False if there is none, as
 * when the description comes from a stream that has another kind of device.
 */
bool vms_state_get(const VMStateDescription *desc, const void *state, const char *name, size_t element, Integer *value);

/* The same for a struct; NULL if there is none. */
const void *vms_state_struct(const VMStateDescription *desc, const void *state, const char *name, size_t element,
                             const VMStateDescription **sub);

/* A zeroed struct. */
void *vms_state_new(const VMStateDescription *desc);

/* Frees what the struct owns, and the struct. */
void vms_state_done(const VMStateDescription *desc, void *state);
void vms_state_free(const VMStateDescription *desc, void *state);

/* Makes `to`, which owns nothing, an independent copy: everything in the struct, also what is not described. */
void vms_state_copy(const VMStateDescription *desc, void *to, const void *from);

/* Do the described members agree, bit for bit? */
bool vms_state_equal(const VMStateDescription *desc, const void *a, const void *b);

/* Octets on the legacy wire, subsections included. */
size_t vms_state_wire_size(const VMStateDescription *desc, const void *state);
size_t vms_field_state_wire_size(const VMStateField *f, const void *state);

#endif
