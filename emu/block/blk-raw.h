/* blk-raw.h: a disk that is a file, octet by octet, or a block device. */
#ifndef EMU_BLOCK_BLK_RAW_H
#define EMU_BLOCK_BLK_RAW_H

#include "emu/block/block.h"
#include "qcow2/host-file.h"

typedef struct BlkRaw {
    const char *path;
    GMainContext *context; /* NULL: the default one */
    bool read_only;
    bool snapshot;            /* what is written goes to a file that is gone with the disk; nothing is flushed */
    const char *snapshot_dir; /* where that is; NULL: $TMPDIR, or /var/tmp */
    HostCache cache;          /* of the file; the snapshot's is always cached */
    bool discard;             /* discards free room in the file, as do zeros; otherwise they are ignored */
    HostEngine engine;
    unsigned alignment; /* of direct transfers: a power of 2, 512 to 65536; 0: what the file asks for */
    bool inactive;      /* others may write it until block_set_active */
    bool shared;        /* no lock: others may write it meanwhile */
} BlkRaw;

/*
 * A file's length is rounded up to a sector (what is missing reads as zeros), a device's down. It is as long as when it
 * was opened. Messages name the path and the cause.
 */
Block *blk_raw_open(const BlkRaw *options, GError **error);

/* HOST_ENGINE_URING or HOST_ENGINE_THREADS: which it came to be. */
HostEngine blk_raw_engine(const Block *block);

#endif
