/*
 * ps2.h: the two devices at the end of a PS/2 cable, a keyboard and a mouse: what their controller does with them, and
 * what the person in front of them does.
 *
 * Both have an output "irq", which is up while they have an octet for the host.
 */
#ifndef EMU_DEV_PS2_H
#define EMU_DEV_PS2_H

#include "emu/core/device.h"

/* The next octet that the device has for the host; if there is none the last one again. */
uint8_t ps2_read(Device *dev);

/* An octet from the host: a command, or what belongs to one. */
void ps2_write(Device *dev, uint8_t value);

/* --- keyboard ---------------------------------------------------------------------------------------------------- */

/*
 * Keys have the numbers that USB gives them (HID Usage Tables), the page in the upper half: 0x070004 is the key A,
 * 0x0c00e2 is Mute of the consumer page. Keys that a PS/2 keyboard does not have are ignored.
 */
void ps2_keyboard_key(Device *keyboard, uint32_t usage, bool down);

/* The controller's translation of set 2 to set 1 (i8042, "keyboard translate"). */
void ps2_keyboard_translate(Device *keyboard, bool on);

enum { PS2_LIGHT_SCROLL = 1 << 0, PS2_LIGHT_NUM = 1 << 1, PS2_LIGHT_CAPS = 1 << 2 };

/* The key that sends this scan code of set 1 (0xe0 in the upper half, if it comes first); 0: none does. */
uint32_t ps2_key_of_code(uint16_t code);

uint8_t ps2_keyboard_lights(const Device *keyboard);

/* --- mouse ------------------------------------------------------------------------------------------------------- */

enum {
    PS2_BUTTON_LEFT = 1 << 0,
    PS2_BUTTON_RIGHT = 1 << 1,
    PS2_BUTTON_MIDDLE = 1 << 2,
    PS2_BUTTON_SIDE = 1 << 3,
    PS2_BUTTON_EXTRA = 1 << 4,
};

/* What has happened since the last time, together. */
typedef struct Ps2Motion {
    int32_t right, down; /* counts */
    int32_t wheel;       /* notches, towards the person */
    uint8_t buttons;     /* which are down now */
} Ps2Motion;

void ps2_mouse_move(Device *mouse, const Ps2Motion *motion);

#endif
