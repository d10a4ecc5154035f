/*
 * dirty.h: which pages of guest memory were written since somebody last asked.
 *
 * While it is on each area has a bitmap. Whoever writes guest memory from this program marks it: space.c does for all
 * that goes through a space, with two exceptions that must do it themselves: memory that was mapped (space_map_octets)
 * and is written after the lock was let go, when it has been written; and memory that is written past the space. What
 * processors write, and the kernel for them, comes from KVM (emu/kvm/dirty.h).
 *
 * All of it belongs to the machine's lock.
 */
#ifndef EMU_CORE_DIRTY_H
#define EMU_CORE_DIRTY_H

#include "emu/core/ram.h"

enum { DIRTY_PAGE = 4096, DIRTY_WORD = 64 /* pages */ };

static inline uint64_t dirty_pages(const RamArea *area)
{
    return area->maximum / DIRTY_PAGE;
}

/* Octets of an area's bitmap. */
static inline size_t dirty_octets(const RamArea *area)
{
    return (dirty_pages(area) + DIRTY_WORD - 1) / DIRTY_WORD * sizeof(uint64_t);
}

/* On, with nothing marked, and off; for each of the areas. */
void dirty_start(const GPtrArray *areas);
void dirty_stop(const GPtrArray *areas);

/* Marks what lies in the area of `len` octets at `offset`. */
void dirty_mark_pages(RamArea *area, uint64_t offset, uint64_t len);

static inline void dirty_mark(RamArea *area, uint64_t offset, uint64_t len)
{
    if (area->dirty)
        dirty_mark_pages(area, offset, len);
}

/* The same of memory by its place in this program, which may be of any of the areas, or of none. */
void dirty_mark_host(const GPtrArray *areas, const void *host, size_t len);

/* Adds the marks of the first `pages` to `bits`, and takes all away. Nothing while it is off. */
void dirty_take(RamArea *area, uint64_t *bits, uint64_t pages);

#endif
