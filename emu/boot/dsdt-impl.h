/*
 * dsdt-impl.h: the table that dsdt.asl becomes when it is compiled (see the Makefile), and what is done to it.
 */
#ifndef EMU_BOOT_DSDT_IMPL_H
#define EMU_BOOT_DSDT_IMPL_H

#include <stddef.h>
#include <stdint.h>

#include "emu/boot/acpi.h"

extern const uint8_t boot_dsdt[];
extern const size_t boot_dsdt_size;

/* New: the table for this machine. Its header is the compiler's but for the length, and the checksum is 0. */
GByteArray *dsdt_make(const AcpiPc *acpi, GError **error);

#endif
