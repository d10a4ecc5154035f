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

/* After the stream. complete: it was read to its end; otherwise what was written is removed. Frees the images. */
bool images_close(Images *images, bool complete, GError **error);

#endif
