/*
 * ramfile.h: writes RAM to a file, as the pages come.
 */
#ifndef TOOLS_COMMON_RAMFILE_H
#define TOOLS_COMMON_RAMFILE_H

#include "tools/common/cli.h"
#include "tools/common/physmap.h"
#include "vmstate/stream.h"

/*
 * Which blocks go where in the file: the ranges, with `file` of each filled in; or NULL with an error. `machine` is the
 * machine type, NULL if not known; data is the caller's.
 */
typedef GArray *RamFileMap(const RamBlocks *blocks, const char *machine, void *data, GError **error);

/* Guest memory at its physical addresses. data: a PhysWish, of which `machine` is not looked at. */
RamFileMap ramfile_map_physical;

/* All blocks, one behind the other. */
RamFileMap ramfile_map_all;

typedef struct RamFile RamFile;

/* A sink that writes to `fd`, borrowed, which must be a regular file. Pages that are zero become holes. */
RamFile *ramfile_new(int fd, RamFileMap *map, void *data);
void ramfile_free(RamFile *file);
StreamSink *ramfile_sink(RamFile *file);

/* The pages of another channel of the same migration, in the order in which they belong between those of the main one.
 */
bool ramfile_add_channel(RamFile *file, const char *path, GError **error);

/* After the main channel: reads what other channels still have. False, too, if no RAM has come. */
bool ramfile_finish(RamFile *file, GError **error);

/* How many pages of those that the file has a place for never came; and where in the file the first would be. */
uint64_t ramfile_missing(const RamFile *file, uint64_t *total, uint64_t *first);

/* The ranges that were written (NULL if no block list has come), and the blocks that they are of. Borrowed. */
const GArray *ramfile_ranges(const RamFile *file);
const RamBlocks *ramfile_blocks(const RamFile *file);

#endif
