/*
 * block-impl.h: what all kinds of disks have in common, for those who write one.
 *
 * block_submit, which comes from any thread, only puts the request into a queue. All else happens on the thread of the
 * disk's context, also from within block_unplug there: a kind starts a job there, and ends it there, so it has nothing
 * to lock. (It is not the processor's thread that talks to the kernel, also because io_uring would interrupt it in the
 * guest to end what it submitted, and cancel that when the thread ends.)
 */
#ifndef EMU_BLOCK_BLOCK_IMPL_H
#define EMU_BLOCK_BLOCK_IMPL_H

#include "emu/block/block.h"

typedef struct BlockJob {
    Block *block;
    BlockRequest request; /* sound: within the disk, aligned, allowed; `len` is set for all; `iov` is a copy */
    int error;
    bool invalid;       /* it was not sound */
    int64_t started_us; /* of the monotonic clock */
    GList link;
} BlockJob;

typedef struct BlockOps {
    size_t size;     /* of the struct that starts with a Block */
    size_t job_size; /* of the struct that starts with a BlockJob; zeroed when it starts */
    void (*start)(BlockJob *job);
    void (*poll)(Block *block); /* jobs were started, or the event was signalled: looks what has ended; may be NULL */
    void (*release)(Block *block); /* it is drained: what is held back is not any more; may be NULL */
    bool (*set_active)(Block *block, bool active, GError **error); /* it is drained and flushed; may be NULL */
    void (*close)(Block *block); /* nothing is in flight. Called for what block_new made, however far it was opened */
} BlockOps;

struct Block {
    const BlockOps *ops;
    uint64_t length;
    bool read_only, can_discard, inactive;
    int event; /* an eventfd: has the disk looked after on its thread, */
    int other; /* as has this; -1: none */
    GMainContext *context;
    GSource *source;
    gpointer event_tag;
    BlockSettled *settled;
    void *settled_opaque;
    GMutex lock;        /* of the next three */
    GQueue incoming;    /* of BlockJob: submitted */
    unsigned in_flight; /* submitted, `done` not yet called */
    unsigned plugged;
    /* on the context's thread only */
    GQueue ended; /* of BlockJob: `done` is to be called, */
    bool looking; /* which happens soon anyway */
    BlockStats stats;
};

/* Zeroed behind what is in Block. NULL: the host has no descriptor left; errno says why. */
Block *block_new(const BlockOps *ops, GMainContext *context);

/* 0 or an errno. The job is gone then. Its `done` is called soon, not from within. */
void block_job_end(BlockJob *job, int error);

/* Has `poll` called when that descriptor can be read. The caller's; once a disk. */
void block_watch(Block *block, int fd);

/* Has `poll` called soon. From any thread. */
void block_kick(Block *block);

/* Copies between a request's memory, from octet `from` of it, and flat memory. */
void block_iov_read(const BlockRequest *request, uint64_t from, void *data, size_t len);
void block_iov_write(const BlockRequest *request, uint64_t from, const void *data, size_t len);

#endif
