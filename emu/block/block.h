/*
 * block.h: a disk, as its controllers see it: requests that end some time later.
 *
 * What is behind it (a raw file, a qcow2 image) is chosen by who opens it. Requests may be in flight in any number, and
 * end in any order; a request sees what others have written that ended before it was submitted. A flush covers the
 * writes that ended before it was submitted. `done` is called on the thread of the context that the disk was opened
 * with, with the machine's lock not held by the disk: a controller takes what it needs. It is never called from
 * within block_submit.
 */
#ifndef EMU_BLOCK_BLOCK_H
#define EMU_BLOCK_BLOCK_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct Block Block;

typedef enum BlockOp {
    BLOCK_READ,
    BLOCK_WRITE,
    BLOCK_WRITE_THROUGH, /* and on stable storage when it ends (FUA) */
    BLOCK_FLUSH,
    BLOCK_DISCARD, /* what is read there afterwards may be anything that was ever there, or zeros */
    BLOCK_WRITE_ZEROES,
} BlockOp;

/* error: 0, or an errno: EIO, ENOSPC, EROFS, ... */
typedef void BlockDone(void *opaque, int error);

typedef struct BlockRequest {
    BlockOp op;
    uint64_t offset;         /* octets, a multiple of 512 */
    uint64_t len;            /* octets, a multiple of 512: of DISCARD and WRITE_ZEROES; otherwise the iov's */
    const struct iovec *iov; /* of READ and WRITE: the array is copied, the memory must stay until `done` */
    int iov_count;
    BlockDone *done;
    void *opaque;
} BlockRequest;

/* Takes a request. What lies beyond the end, or writes to a disk that is read-only, ends with an error, too. */
void block_submit(Block *block, const BlockRequest *request);

/*
 * Between these two, requests gather and then go to the kernel together; on the context's thread from within
 * block_unplug, which also calls `done` of what has ended at once. They nest.
 */
void block_plug(Block *block);
void block_unplug(Block *block);

/* Called on the context's thread after a `done`, or several in a row: what is better done once for all. NULL: nothing.
 */
typedef void BlockSettled(void *opaque);
void block_set_settled(Block *block, BlockSettled *settled, void *opaque);

/* Waits until nothing is in flight; calls `done` of what ends meanwhile. On the context's thread. */
void block_drain(Block *block);

uint64_t block_length(const Block *block); /* octets, a multiple of 512 */
bool block_read_only(const Block *block);
bool block_can_discard(const Block *block);

/*
 * A disk that goes along with its machine to another program: when it is made inactive all that was written is on
 * stable storage and the image is free for others; before the machine runs again here it is made active, which fails if
 * others have it. On the context's thread.
 */
bool block_set_active(Block *block, bool active, GError **error);
bool block_is_active(const Block *block);

/* What has happened at a disk since it was opened. On the context's thread. */
typedef enum BlockSort {
    BLOCK_SORT_READ,
    BLOCK_SORT_WRITE,
    BLOCK_SORT_FLUSH,
    BLOCK_SORT_UNMAP,
    BLOCK_SORT_COUNT
} BlockSort;

typedef struct BlockCounts {
    uint64_t octets, operations, failed; /* of those that were done; how many could not be */
    uint64_t invalid; /* how many nobody may ask for: beyond the end, or writes where that is not allowed */
    uint64_t ns;      /* how long they took, with those that failed */
} BlockCounts;

typedef struct BlockStats {
    BlockCounts sorts[BLOCK_SORT_COUNT]; /* zeros that are written are writes */
    uint64_t written_end;                /* where the furthest write has ended, in octets */
    int64_t last_ns; /* of g_get_monotonic_time, in ns: when the last one ended; 0: there was none */
} BlockStats;

const BlockStats *block_stats(const Block *block);

/* Drains it. */
void block_free(Block *block);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Block, block_free)

#endif
