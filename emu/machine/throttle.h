/*
 * throttle.h: takes a share of their time from the processors, so that memory changes more slowly.
 *
 * A thread sends them to rest every few milliseconds.
 */
#ifndef EMU_MACHINE_THROTTLE_H
#define EMU_MACHINE_THROTTLE_H

#include "emu/machine/pc.h"

typedef struct Throttle Throttle;

/* Takes nothing at first. The PC is borrowed. */
Throttle *throttle_new(Pc *pc);
void throttle_free(Throttle *throttle);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Throttle, throttle_free)

/* 0 to 99 percent. From any thread. */
void throttle_set(Throttle *throttle, unsigned percent);

#endif
