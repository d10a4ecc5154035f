/* debugcon.h: a port that a firmware writes its messages to. */
#ifndef EMU_DEV_DEBUGCON_H
#define EMU_DEV_DEBUGCON_H

#include "emu/chardev/chardev.h"
#include "emu/core/device.h"

/* New. `chardev` is borrowed, outlives it, and gets it as its front. */
Device *debugcon_new(Chardev *chardev, uint16_t iobase);

#endif
