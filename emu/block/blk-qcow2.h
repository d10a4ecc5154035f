/* blk-qcow2.h: a disk that is a qcow2 image, with the images behind it. */
#ifndef EMU_BLOCK_BLK_QCOW2_H
#define EMU_BLOCK_BLK_QCOW2_H

#include "emu/block/blk-raw.h"

struct Image;
struct ImagePath;

/*
 * The options mean what they mean for a raw disk; `alignment` does not matter. A backing file whose format the image
 * does not tell is refused, since a guest could have written what it looks like.
 */
Block *blk_qcow2_open(const BlkRaw *options, GError **error);

/* What the image may be given in place of what it names itself; zeros: nothing. */
typedef struct BlkQcow2Parts {
    bool no_backing;                 /* what it does not have reads as zeros */
    const struct ImagePath *backing; /* its path, format and what is behind it */
    const char *data_file;
    uint64_t l2_cache, refcount_cache; /* octets; 0: as qcow2.h has it */
} BlkQcow2Parts;

Block *blk_qcow2_open_with(const BlkRaw *options, const BlkQcow2Parts *parts, GError **error);

/* Does the file look like a qcow2 image? *names: that names other files (which a guest may have made it do). */
bool blk_qcow2_probe(const char *path, bool *names);

/* NULL: it is none. On the context's thread, and nothing is under way. Borrowed. */
struct Image *blk_qcow2_image(Block *block);

/* qcow2_pending_submit for a Pending of that image; sees to it that the request ends. */
struct Qcow2Pending;
struct ImageRequest;
void blk_qcow2_submit_state(Block *block, struct Qcow2Pending *pending, struct ImageRequest *request);

/* The image's disk is another one than before (a snapshot was gone to): it may be of another length. */
void blk_qcow2_changed(Block *block);

#endif
