/* blk-qcow2.h: a disk that is a qcow2 image, with the images behind it. */
#ifndef EMU_BLOCK_BLK_QCOW2_H
#define EMU_BLOCK_BLK_QCOW2_H

#include "emu/block/blk-raw.h"

struct Image;

/*
 * The options mean what they mean for a raw disk; `alignment` does not matter. A backing file whose format the image
 * does not tell is refused, since a guest could have written what it looks like.
 */
Block *blk_qcow2_open(const BlkRaw *options, GError **error);

/* Does the file look like a qcow2 image? *names: that names other files (which a guest may have made it do). */
bool blk_qcow2_probe(const char *path, bool *names);

/* NULL: it is none. On the context's thread, and nothing is under way. Borrowed. */
struct Image *blk_qcow2_image(Block *block);

#endif
