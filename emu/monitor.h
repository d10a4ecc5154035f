/*
 * monitor.h: a line of characters with a person at its other end: commands are edited, remembered, completed and done.
 *
 * The commands are those of emu/qmp/hmp.h. The editing is libedit's, which wants a terminal: each monitor has one of
 * its own, a pty, between the line and libedit.
 */
#ifndef EMU_MONITOR_H
#define EMU_MONITOR_H

#include "emu/chardev/chardev.h"
#include "emu/qmp/server.h"

typedef struct Monitor Monitor;

/*
 * The line is borrowed, and outlives it; `lock` is the line's. Commands are done on the context's thread, without the
 * lock.
 */
Monitor *monitor_new(QmpServer *server, Chardev *line, GRecMutex *lock, GMainContext *context, GError **error);
void monitor_free(Monitor *m);

#endif
