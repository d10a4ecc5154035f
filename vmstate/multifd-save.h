/*
 * multifd-save.h: the multifd channels of a migration that leaves, each written by a thread of its own, as QEMU 7.2
 * frames them (vmstate/FORMAT.md section 1.5).
 *
 * Who saves opens the main channel first and then these, sends pages that have content through them and zero pages on
 * the main channel, and calls multifd_save_sync before each end of a part of memory there, that of the block list
 * included. All but free on one thread.
 */
#ifndef VMSTATE_MULTIFD_SAVE_H
#define VMSTATE_MULTIFD_SAVE_H

#include "visitors/chan.h"
#include "vmstate/multifd.h"

typedef struct MultifdSaveOptions {
    MultifdMethod method;
    int level;           /* of zlib (0 to 9) or zstd (0 to 20) */
    const uint8_t *uuid; /* of the machine, 16 octets; NULL: it has none. Borrowed for the call */
    /* On a channel's thread, once: what waits elsewhere should stop waiting. NULL: nobody does. */
    void (*failed)(void *opaque);
    void *opaque;
} MultifdSaveOptions;

/* Pages of one block, at most STREAM_PACKET_PAGES. All are borrowed until the next multifd_save_sync; the pages may
 * change. */
typedef struct MultifdPages {
    const char *block;
    const uint8_t *host; /* of the block's first page */
    uint64_t offsets[STREAM_PACKET_PAGES];
    uint32_t count;
} MultifdPages;

typedef struct MultifdSave MultifdSave;

/* Takes the channels, 1 to MULTIFD_CHANNELS_MAX, and greets on each. */
MultifdSave *multifd_save_new(Chan *const *channels, unsigned count, const MultifdSaveOptions *options);

/* Ends the channels, wherever they are; from then on pages are not looked at any more. */
void multifd_save_free(MultifdSave *save);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MultifdSave, multifd_save_free)

/* Gives them to a channel that has nothing to do, and waits until there is one. False: a channel has failed. */
bool multifd_save_pages(MultifdSave *save, const MultifdPages *pages, GError **error);

/* All that was given has been sent, and an end mark behind it on every channel. */
bool multifd_save_sync(MultifdSave *save, GError **error);

/* After the last sync: nothing more comes, which the channels are told. */
bool multifd_save_finish(MultifdSave *save, GError **error);

/* Octets that were sent so far, on all channels. On any thread. */
uint64_t multifd_save_octets(MultifdSave *save);

#endif
