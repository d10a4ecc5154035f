/*
 * migrate-live.h: a PC's state to another place while the PC runs: what vmstate/live-source.h needs of a PC.
 */
#ifndef EMU_MACHINE_MIGRATE_LIVE_H
#define EMU_MACHINE_MIGRATE_LIVE_H

#include "emu/machine/migrate.h"
#include "vmstate/live-source.h"

typedef struct MigrateLive MigrateLive;

/* Called on the thread that moves it. */
typedef struct MigrateLiveEvents {
    bool (*stop)(void *opaque, GError **error);  /* let it stand, and call migrate_live_capture */
    void (*pass)(void *opaque, uint64_t number); /* memory is looked at for this time */
    void *opaque;
} MigrateLiveEvents;

/* On the loop's thread, as all that is not said otherwise. */
MigrateLive *migrate_live_new(Pc *pc, MigrateFormat format, const MigrateLiveEvents *events, GError **error);
void migrate_live_free(MigrateLive *live);

/* On any thread: live_source_run. `out` is taken. */
bool migrate_live_run(MigrateLive *live, Chan *out, GError **error);

/* The machine stands, and is what is to be sent. */
bool migrate_live_capture(MigrateLive *live, GError **error);

/* To steer it, and to see how far it is. Borrowed. */
LiveSource *migrate_live_source(MigrateLive *live);

#endif
