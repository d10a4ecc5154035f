/*
 * globalstate.h: the run state that travels with the machine: what it was doing when its migration was asked for.
 *
 * Names are those of QEMU's run states ("running", "paused", "prelaunch"). What a stream without the section means is
 * "running" (QEMU to 2.3 left it out so), which the state is not set to by a load that lacks it: who loads sets it
 * before.
 */
#ifndef EMU_DEV_GLOBALSTATE_H
#define EMU_DEV_GLOBALSTATE_H

#include "emu/core/device.h"

/* Is it a run state? */
bool globalstate_is_known(const char *name);

/* Before a save. An unknown name is an error of the program, and ends it. */
void globalstate_set(Device *globalstate, const char *name);

/* After a load. A static string. */
const char *globalstate_get(const Device *globalstate);

#endif
