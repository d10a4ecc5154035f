/*
 * i8257.h: the DMA controllers of a PC, put together.
 */
#ifndef EMU_DEV_I8257_H
#define EMU_DEV_I8257_H

#include "emu/core/device.h"
#include "emu/core/isa.h"

/* A new i8257_type with the options of a PC's first (channels 0 to 3, octets) or second (4 to 7, words). */
Device *i8257_new(bool second);

/* Makes them the bus's controllers, which they stay while devices are on it. Before those are realized. */
void i8257_connect(Device *first, Device *second, IsaBus *bus);

#endif
