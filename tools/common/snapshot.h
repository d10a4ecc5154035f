/*
 * snapshot.h: the VM state of a snapshot within a qcow2 image, as a channel.
 *
 * The image is opened for reading only and not locked: a QEMU may have it open. What it deletes meanwhile cannot be
 * read, of course.
 */
#ifndef TOOLS_COMMON_SNAPSHOT_H
#define TOOLS_COMMON_SNAPSHOT_H

#include "visitors/chan.h"

/* Does the file start like an image? False also if it cannot be read, or only once. */
bool snapshot_is_image(const char *path);

/*
 * The VM state of the snapshot with this name, id or UUID; NULL: of the only one that has any. It can seek, and its
 * size is known. *name: what messages call it, "PATH (snapshot 'NAME')"; new.
 */
Chan *snapshot_chan_open(const char *path, const char *which, char **name, GError **error);

/*
 * For programs with two files: --snapshot may be there once, for whichever of them is an image, or twice, for one each.
 * Fills `of`; ends the program if it is wrong.
 */
void snapshot_options(char **options, char **paths, const char *of[2]);

#endif
