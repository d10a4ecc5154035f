/* vm-timer.h: the section of the virtual clock. */
#ifndef EMU_DEV_VM_TIMER_H
#define EMU_DEV_VM_TIMER_H

#include "emu/core/device.h"
#include "emu/core/vm-clock.h"

/* New. A load sets the clock, which is borrowed; NULL: nothing is set. Its section is the first: others look at the
 * time. */
Device *vm_timer_new(VmClock *clock);

#endif
