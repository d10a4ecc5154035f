/*
 * monitor.h: commands for people, on a line of characters: what the machine does, and what it is to do.
 */
#ifndef EMU_MONITOR_H
#define EMU_MONITOR_H

#include "emu/machine/vm.h"

typedef struct Monitor Monitor;

/* What the command "quit" does. */
typedef void MonitorQuit(void *opaque);

/* The line is borrowed, and outlives it. Commands are done on the context's thread, without the machine's lock. */
Monitor *monitor_new(Vm *vm, Chardev *line, GMainContext *context, MonitorQuit *quit, void *opaque);
void monitor_free(Monitor *m);

#endif
