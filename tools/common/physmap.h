/*
 * physmap.h: where in guest-physical memory RAM blocks are.
 *
 * The stream does not tell, but for shared memory; it follows from the machine type and the size. Source: the memory
 * tree (HMP info mtree) of QEMU 7.2's machine types pc-i440fx-1.7 to -7.2, pc-q35-2.4 to -7.2, microvm and isapc at 16
 * MiB to 6 GiB.
 */
#ifndef TOOLS_COMMON_PHYSMAP_H
#define TOOLS_COMMON_PHYSMAP_H

#include "vmstate/ram.h"

typedef struct PhysRange {
    uint32_t block;
    uint64_t start; /* in the block */
    uint64_t length;
    uint64_t address; /* guest-physical */
    uint64_t file;    /* where it goes in an output file; for the caller to use */
} PhysRange;

typedef struct PhysWish {
    const char *machine; /* machine type, NULL if not known */
    uint64_t below;      /* RAM below 4 GiB as the user says, 0: as the machine type has it */
    char **blocks;       /* names of the blocks of RAM in order of address, NULL: the one that looks like it */
} PhysWish;

/* The ranges, in order of address; or NULL with an error that says what option helps. New array of PhysRange. */
GArray *physmap_make(const RamBlocks *blocks, const PhysWish *wish, GError **error);

#endif
