/*
 * vmmouse.h: what VMware's mouse needs, and what the person does with it.
 */
#ifndef EMU_DEV_VMMOUSE_H
#define EMU_DEV_VMMOUSE_H

#include "emu/core/device.h"

/*
 * The port that its commands come by (vmport.h) and the PS/2 mouse whose interrupt tells the guest to ask; NULL: none.
 * Borrowed: it must be removed before the port is. Before it is realized.
 */
void vmmouse_attach(Device *vmmouse, Device *vmport, Device *ps2_mouse);

/* Has the guest switched it on? Then motion goes here and not to the PS/2 mouse. Does it want positions? */
bool vmmouse_is_on(const Device *vmmouse);
bool vmmouse_is_absolute(const Device *vmmouse);

typedef struct VmmouseMotion {
    uint16_t x, y;       /* absolute: the position, 0 to 0x7fff from the left and the top */
    int32_t right, down; /* relative: counts */
    int32_t wheel;       /* notches, towards the person */
    uint8_t buttons;     /* PS2_BUTTON_, which are down now */
} VmmouseMotion;

/* Nothing happens while it is off. */
void vmmouse_move(Device *vmmouse, const VmmouseMotion *motion);

#endif
