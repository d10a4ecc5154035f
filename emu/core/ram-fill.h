/*
 * ram-fill.h: guest memory that is still to be read from a stream, by an index of its pages, while the guest runs.
 *
 * Who touches a page that has not come yet waits until it is read (userfaultfd(2), "missing mode"): the guest, a device
 * of ours, or the kernel. All others are read in between.
 */
#ifndef EMU_CORE_RAM_FILL_H
#define EMU_CORE_RAM_FILL_H

#include "emu/core/ram.h"
#include "vmstate/ram-index.h"

typedef struct RamFill RamFill;

/* From any thread: pages cannot be read; told once, until it is tried again. */
typedef void RamFillFailed(void *opaque, const char *why);

/*
 * Takes both; the channel is that of the index. NULL: the host cannot do this; the error says what it lacks. Nothing
 * has happened to memory yet.
 */
RamFill *ram_fill_new(RamIndex *index, Chan *chan, RamFillFailed *failed, void *opaque, GError **error);

/* Nobody uses the memory any more that has not come; it is of zeros then. */
void ram_fill_free(RamFill *fill);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(RamFill, ram_fill_free)

const RamIndex *ram_fill_index(const RamFill *fill);

/*
 * What is in the areas is gone, and what the index says is on its way. `areas`: of RamArea, one for each block of the
 * index; none changes its place or size until the end, but it may go. Nobody uses them while this runs. False: they are
 * as they were.
 */
bool ram_fill_begin(RamFill *fill, const GPtrArray *areas, GError **error);

/* --- on one thread, beside those that use the memory -------------------------------------------------------------- */

/* Gives the host back the memory that was there before. */
void ram_fill_drop_old(RamFill *fill);

typedef enum RamFillStep {
    RAM_FILL_MORE,
    RAM_FILL_FAILED, /* it has waited for some time, or for ram_fill_retry */
    RAM_FILL_ALL,    /* all has come, and the memory is like any other */
} RamFillStep;

/* Reads some more pages, unless somebody waits for others. */
RamFillStep ram_fill_next(RamFill *fill);

/* --- on any thread ------------------------------------------------------------------------------------------------ */

/* What could not be read is tried once more, at once. It is every second in any case, for whoever cannot be stopped. */
void ram_fill_retry(RamFill *fill);

/* Does a thread (gettid(2)) wait for a page that cannot be read? */
bool ram_fill_owes(RamFill *fill, int thread);

/*
 * Nobody is to wait any more: who touches a page that cannot be read fails, as with memory that is not there. For the
 * end of a machine.
 */
void ram_fill_give_up(RamFill *fill);

typedef struct RamFillProgress {
    uint64_t done, total; /* octets of the stream */
    uint64_t faults;      /* how often somebody had to wait for a page */
    char *why;            /* what cannot be read now; NULL: nothing. New */
    bool all;
} RamFillProgress;
RamFillProgress ram_fill_progress(RamFill *fill);

#endif
