/* trailer-type.h: the names that QEMU's description has for types. Only included in vmstate/. */
#ifndef VMSTATE_TRAILER_TYPE_H
#define VMSTATE_TRAILER_TYPE_H

#include "vmstate/desc.h"

/*
 * Fills kind, scalar, size, flags, count and type of *field from the name of a type and the octets of one element. What
 * is not known, or has another size than it should, becomes octets.
 */
void trailer_type_read(const char *type, size_t size, VMStateField *field);

/* The name a field's type has in the description. */
const char *trailer_type_name(const VMStateField *field);

/* Is the whole array one element there (as "pci irq state" is four integers)? */
bool trailer_type_is_whole(const VMStateField *field);

#endif
