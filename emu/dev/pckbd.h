/*
 * pckbd.h: what the keyboard controller needs beyond its lines.
 */
#ifndef EMU_DEV_PCKBD_H
#define EMU_DEV_PCKBD_H

#include "emu/core/device.h"

/* The devices on its two ports (ps2.h), borrowed, and their lines to it. Before it is realized. */
void pckbd_attach(Device *pckbd, Device *keyboard, Device *mouse);

#endif
