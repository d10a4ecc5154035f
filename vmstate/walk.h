/*
 * walk.h: the one walker. Drives a visitor over a struct as its description says.
 */
#ifndef VMSTATE_WALK_H
#define VMSTATE_WALK_H

#include "visitors/visitor.h"
#include "vmstate/desc.h"

/* Saves the struct through `v`. Errors stick in `v`. */
void vmstate_save(Visitor *v, const VMStateDescription *desc, const void *state);

/*
 * Loads the struct through `v`. `version` is the one the stream has for it; it must lie within the description's
 * minimum and version. What the stream lacks keeps the value it has in `state`.
 *
 * `stream`, if not NULL, is the description the stream was written with: fields are then found by name, for
 * which `v` must be able to select. Without it both sides must have the same fields in the same order.
 *
 * If it fails, `state` may be half loaded, but owns what it owned: load into a copy (section.h).
 */
void vmstate_load(Visitor *v, const VMStateDescription *desc, void *state, int version,
                  const VMStateDescription *stream);

#endif
