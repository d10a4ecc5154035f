/*
 * ram-freeze.h: guest memory as it was at one moment, read while the guest goes on to write it.
 *
 * The pages are write-protected (userfaultfd(2), "write-protect mode"). Who writes to one that was not read yet waits
 * until a copy of it is set aside: some ten microseconds. Who writes may be the guest, a device of ours, or the kernel.
 *
 * In three steps: ram_freeze_new protects everything, which takes its time, while the guest runs; the moment itself
 * (ram_freeze_now) protects once more only what was written since; then one thread reads.
 */
#ifndef EMU_CORE_RAM_FREEZE_H
#define EMU_CORE_RAM_FREEZE_H

#include "emu/core/ram.h"

typedef struct RamFreeze RamFreeze;

/*
 * `areas`: of RamArea, borrowed; until the end none comes or goes, or changes its place or size. NULL: the host cannot
 * do this; the error says what it lacks.
 */
RamFreeze *ram_freeze_new(const GPtrArray *areas, GError **error);

/* Unprotects everything. */
void ram_freeze_free(RamFreeze *freeze);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RamFreeze, ram_freeze_free)

/* The moment. Nobody writes memory while this runs; from any thread. */
bool ram_freeze_now(RamFreeze *freeze, GError **error);

enum { RAM_FREEZE_PAGE = 4096, RAM_FREEZE_FULL = 128, RAM_FREEZE_PAGES = 4096 };

/* Some pages in a row as they were. */
typedef struct RamFrozen {
    unsigned area;                          /* its index */
    uint64_t first;                         /* page */
    unsigned count;                         /* of which at most RAM_FREEZE_FULL are not NULL */
    const uint8_t *pages[RAM_FREEZE_PAGES]; /* NULL: zeros */
} RamFrozen;

/*
 * The next of them, each page once, in no particular order; on one thread. They stay until the next call. False: that
 * were all, or, with an error, it has failed.
 */
bool ram_freeze_read(RamFreeze *freeze, RamFrozen *run, GError **error);

/* Pages in all. */
uint64_t ram_freeze_total(const RamFreeze *freeze);

/* How often somebody had to wait for a copy. */
uint64_t ram_freeze_faults(RamFreeze *freeze);

#endif
