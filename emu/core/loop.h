/*
 * loop.h: a machine's main loop: fires its timers, and does what other threads ask for.
 *
 * GLib's: backends add sources for their files to the same context. Everything in it runs with the machine's lock.
 * Sources that are busy are made such as may recurse, though nothing here iterates the context from within: of others,
 * GLib takes the descriptors out of its poll while they are dispatched, and wakes itself up for each of them, twice.
 */
#ifndef EMU_CORE_LOOP_H
#define EMU_CORE_LOOP_H

#include "emu/core/machine.h"

typedef struct Loop Loop;
typedef void LoopTask(void *opaque);

/* For one machine, which outlives it. Whoever iterates the context is the loop's thread. */
Loop *loop_new(Machine *machine, GMainContext *context);
void loop_free(Loop *loop);

/* Runs until loop_quit, which may come from any thread, also before. It can run again. */
void loop_run(Loop *loop);
void loop_quit(Loop *loop);

/* Does the task on the loop's thread, soon, with the lock. From any thread. Tasks are done in their order. */
void loop_post(Loop *loop, LoopTask *task, void *opaque);

/* Timers of the virtual clock fire only while it runs: to be called when it starts, stops or jumps. With the lock. */
void loop_virtual_clock_runs(Loop *loop, bool runs);

#endif
