/*
 * e820.h: the map of the memory, for the firmware or for a kernel that is started without it.
 */
#ifndef EMU_BOOT_E820_H
#define EMU_BOOT_E820_H

#include "emu/boot/boot.h"

/* ACPI Specification 6.3, table 15-374. */
typedef enum E820Type {
    E820_RAM = 1,
    E820_RESERVED = 2,
    E820_ACPI = 3,
} E820Type;

typedef struct E820Entry {
    uint64_t base, size;
    E820Type type;
} E820Entry;

enum { E820_ENTRIES = 8, E820_ENTRY_SIZE = 20 };

/*
 * What "etc/e820" has: whole memory from 0 on, of which the firmware takes what it needs, and what it could not know.
 * Returns how many entries there are.
 */
unsigned e820_for_firmware(const BootPc *pc, E820Entry entries[E820_ENTRIES]);

/*
 * What a kernel gets that no firmware has run for: without the extended BIOS data area, video memory and ROMs, and
 * without `tables` octets at the end of the memory below 4 GiB, which are for ACPI tables.
 */
unsigned e820_for_kernel(const BootPc *pc, uint64_t tables, E820Entry entries[E820_ENTRIES]);

/* 20 octets for each: base, size, type. */
GBytes *e820_octets(const E820Entry *entries, unsigned count);

#endif
