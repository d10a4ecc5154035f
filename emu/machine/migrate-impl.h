/* migrate-impl.h: what the files that move a PC share. Only included by them. */
#ifndef EMU_MACHINE_MIGRATE_IMPL_H
#define EMU_MACHINE_MIGRATE_IMPL_H

#include "emu/machine/migrate.h"

/* Writes the format to `out`, borrowed. */
StreamSink *migrate_sink_new(ChanOut *out, MigrateFormat format);
void migrate_sink_free(StreamSink *sink, MigrateFormat format);

#endif
