/*
 * space.h: an address space, of memory or of ports: what is where, and an access by a guest.
 *
 * Mappings may lie over each other: at each address the one of the highest priority answers, of equal ones the latest.
 * What comes out is the flat view, ranges that do not overlap; listeners are told of it, so that KVM gets its memory
 * slots. Where nothing is, reads give all ones and writes go nowhere. All of it belongs to the machine's lock.
 */
#ifndef EMU_CORE_SPACE_H
#define EMU_CORE_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/core/ram.h"

/*
 * A chip's registers. `addr` is counted from the start of the mapping's `offset`, `size` is 1, 2, 4 or 8 octets, and
 * the whole access lies in the mapping. The first octet in memory is the lowest of the value.
 */
typedef struct IoOps {
    uint64_t (*read)(void *opaque, uint64_t addr, unsigned size);
    void (*write)(void *opaque, uint64_t addr, uint64_t value, unsigned size);

    /*
     * The sizes that the handlers take; 0 stands for 1 and 4. A wider access becomes several, lowest address first; a
     * narrower one becomes one of `min` at the next lower multiple, of which a read takes its part, and for which a
     * write has its octets in their places and zeros in the others.
     */
    unsigned min, max;
} IoOps;

typedef struct SpaceMapping {
    uint64_t base, size;
    int priority;
    RamArea *ram;     /* guest memory; NULL: registers */
    uint64_t offset;  /* of the mapping's start in the memory, or in the chip's registers */
    bool read_only;   /* of memory: writes go to `ops` if there are some, and nowhere otherwise */
    const IoOps *ops; /* borrowed */
    void *opaque;
} SpaceMapping;

/* A part of the flat view. */
typedef struct SpaceRange {
    uint64_t base, size;
    RamArea *ram;
    uint64_t offset; /* of its start in the memory, or in the registers */
    bool read_only;
    const IoOps *ops;
    void *opaque;
} SpaceRange;

typedef struct Space Space;
typedef unsigned SpaceId; /* of a mapping; 0: none */

/* Told after the flat view has changed; `ranges` is sorted by base, and borrowed for the call. */
typedef void SpaceListener(void *opaque, const SpaceRange *ranges, size_t count);

/* `limit`: how many addresses there are, a power of two; 0: 2^64. Beyond the last comes the first. */
Space *space_new(uint64_t limit);
void space_free(Space *space);
/* It is told at once. */
void space_add_listener(Space *space, SpaceListener *listener, void *opaque);
void space_remove_listener(Space *space, void *opaque);

/* Copies the mapping. What lies beyond the space's limit is never seen. */
SpaceId space_map(Space *space, const SpaceMapping *mapping);
void space_unmap(Space *space, SpaceId id);

/* Several changes between these become one. They nest. */
void space_update_start(Space *space);
void space_update_end(Space *space);

/* The flat view, as a listener gets it. Borrowed until the next change. */
const SpaceRange *space_flat(const Space *space, size_t *count);

/* The range at that address, or NULL. Borrowed until the next change. */
const SpaceRange *space_find(Space *space, uint64_t addr);

/* One access of 1 to 8 octets, as of a processor; it may cross ranges. */
uint64_t space_read(Space *space, uint64_t addr, unsigned size);
void space_write(Space *space, uint64_t addr, uint64_t value, unsigned size);

/* Any number of octets, as of a device's DMA: memory, and registers if it must be. */
void space_read_octets(Space *space, uint64_t addr, void *data, size_t len);
void space_write_octets(Space *space, uint64_t addr, const void *data, size_t len);

/*
 * Memory in place: *len is how many octets are asked for, and then how many there are in a row. NULL if there is no
 * memory at that address (or, to write, none that can be written). What is written after the lock was let go in between
 * is to be marked then (dirty.h).
 */
void *space_map_octets(Space *space, uint64_t addr, size_t *len, bool write);

#endif
