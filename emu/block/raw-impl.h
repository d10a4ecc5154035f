/* raw-impl.h: a raw disk, as blk-raw-open.c makes it and blk-raw.c works with it. */
#ifndef EMU_BLOCK_RAW_IMPL_H
#define EMU_BLOCK_RAW_IMPL_H

#include "emu/block/blk-raw.h"
#include "emu/block/block-impl.h"
#include "qcow2/engine.h"

#define RAW_CLUSTER 65536u /* of a snapshot: what it takes from the file at once */

typedef struct Raw {
    Block block;
    char *path;
    bool shared, writes, snapshot; /* of the locks: none; it writes, or another file in its place */
    Engine *engine;
    HostEngine engine_kind;
    int fd;
    int overlay;               /* -1: no snapshot. Sparse: what was never written is zeros */
    uint64_t *written;         /* a bit a cluster: it is in the overlay */
    bool direct;               /* the file is O_DIRECT: */
    unsigned alignment;        /* of offsets and lengths, then; otherwise 1 */
    unsigned memory_alignment; /* of memory, then; otherwise 1 */
    unsigned granule;          /* what is written whole: a cluster, a block; 1: anything */
    unsigned discard_unit;
    bool through; /* a write ends when it is on stable storage */
    bool sync;    /* flushes are done */
    bool discard;
    bool no_discard;   /* the file system, or the device, cannot */
    unsigned zero_way; /* of those of blk-raw.c: the first that works here, as far as is known */
    int sync_error;    /* of a flush: what it did not write may be lost, whatever a later one says (fsync(2), errors) */
    GQueue writers;    /* of RawJob: in their order, if there are granules */
} Raw;

/* blk-raw-open.c: takes the image's locks, or leaves them. */
bool raw_set_active(Block *block, bool active, GError **error);

extern const BlockOps raw_ops;

#endif
