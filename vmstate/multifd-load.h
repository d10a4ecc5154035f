/*
 * multifd-load.h: the multifd channels of a migration that comes, each read by a thread of its own (vmstate/FORMAT.md
 * section 1.5).
 *
 * Pages go straight to their places. At the end of each part of memory on the main channel its reader calls
 * multifd_load_pass, which waits until every channel is there, and lets them go on: what was sent before is then in its
 * place, and what is sent later cannot be overtaken by it.
 */
#ifndef VMSTATE_MULTIFD_LOAD_H
#define VMSTATE_MULTIFD_LOAD_H

#include "visitors/chan.h"
#include "vmstate/multifd.h"

typedef struct MultifdLoadOptions {
    unsigned channels; /* as many must come; 0: none may, as the capability is off. At most MULTIFD_CHANNELS_MAX */
    MultifdMethod method;
    const uint8_t *uuid;          /* 16 octets that every channel must have; NULL: any will do. Borrowed */
    unsigned patience_ms;         /* for channels that were opened before what was just read; 0: as usual */
    RamPlace place;               /* used from the first pass on */
    void (*failed)(void *opaque); /* on any thread, once: the main channel is not to be waited for any more */
    void *opaque;
} MultifdLoadOptions;

typedef struct MultifdLoad MultifdLoad;

MultifdLoad *multifd_load_new(const MultifdLoadOptions *options);

/* Ends the channels, wherever they are. */
void multifd_load_free(MultifdLoad *load);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MultifdLoad, multifd_load_free)

/* Somebody else has connected; the channel is taken. On any thread. */
void multifd_load_add(MultifdLoad *load, Chan *chan);

/*
 * Waits for all channels. The first time those must be there that are to come, or come soon: a source opens them before
 * it sends memory. False if one of them has failed, or they are not as many.
 */
bool multifd_load_pass(MultifdLoad *load, GError **error);

/* What has failed, if anything; the caller's own error, which may be a consequence, gives way to it. */
void multifd_load_explain(MultifdLoad *load, GError **error);

#endif
