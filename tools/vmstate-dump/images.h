/*
 * images.h: the files that vmstate-dump writes beside its text: memory images.
 */
#ifndef TOOLS_VMSTATE_DUMP_IMAGES_H
#define TOOLS_VMSTATE_DUMP_IMAGES_H

#include "tools/common/fan.h"
#include "tools/vmstate-dump/core.h"

typedef struct Images Images;

/*
 * raw, core: paths, or NULL. channels: more recordings of the same migration, NULL at the end; may be NULL. wish is
 * borrowed until images_close.
 */
Images *images_new(const char *raw, const char *core, char **channels, PhysWish *wish, GError **error);

void images_add_to(Images *images, Fan *fan);

/* After the stream: completes the images. partial: also if pages of memory are missing, of which the user is told. */
bool images_finish(Images *images, bool partial, GError **error);

/* Gives the images that were finished their names and removes the others. Frees the images. NULL is fine. */
bool images_close(Images *images, GError **error);

#endif
