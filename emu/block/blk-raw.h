/* blk-raw.h: a disk that is a file, octet by octet, or a block device. */
#ifndef EMU_BLOCK_BLK_RAW_H
#define EMU_BLOCK_BLK_RAW_H

#include "emu/block/block.h"

typedef enum BlkCache {
    BLK_CACHE_WRITEBACK,    /* the host caches; what is flushed is on stable storage */
    BLK_CACHE_WRITETHROUGH, /* the host caches; a write ends when it is on stable storage */
    BLK_CACHE_NONE,         /* the host does not cache (O_DIRECT); what is flushed is on stable storage */
    BLK_CACHE_DIRECTSYNC,   /* the host does not cache; a write ends when it is on stable storage */
    BLK_CACHE_UNSAFE,       /* the host caches, and a flush does nothing */
} BlkCache;

typedef enum BlkEngine {
    BLK_ENGINE_AUTO,  /* io_uring, or threads where the kernel has none or forbids it */
    BLK_ENGINE_URING, /* or it is not opened */
    BLK_ENGINE_THREADS,
} BlkEngine;

typedef struct BlkRaw {
    const char *path;
    GMainContext *context; /* NULL: the default one */
    bool read_only;
    bool snapshot;            /* what is written goes to a file that is gone with the disk; nothing is flushed */
    const char *snapshot_dir; /* where that is; NULL: $TMPDIR, or /var/tmp */
    BlkCache cache;           /* of the file; the snapshot's is always cached */
    bool discard;             /* discards free room in the file, as do zeros; otherwise they are ignored */
    BlkEngine engine;
    unsigned alignment; /* of direct transfers: a power of 2, 512 to 65536; 0: what the file asks for */
    bool inactive;      /* others may write it until block_set_active */
    bool shared;        /* no lock: others may write it meanwhile */
} BlkRaw;

/*
 * A file's length is rounded up to a sector (what is missing reads as zeros), a device's down. It is as long as when it
 * was opened. Messages name the path and the cause.
 */
Block *blk_raw_open(const BlkRaw *options, GError **error);

/* BLK_ENGINE_URING or BLK_ENGINE_THREADS: which it came to be. */
BlkEngine blk_raw_engine(const Block *block);

#endif
