/*
 * serial.h: how a serial port gets its bus and its other end.
 */
#ifndef EMU_DEV_SERIAL_H
#define EMU_DEV_SERIAL_H

#include "emu/chardev/chardev.h"
#include "emu/core/device.h"
#include "emu/core/isa.h"

/* A PC's four, in the order in which they are made: 0x3f8 and 4, 0x2f8 and 3, 0x3e8 and 4, 0x2e8 and 3. */
typedef struct SerialOptions {
    IsaBus *isa;      /* borrowed, outlives it */
    Chardev *chardev; /* borrowed, outlives it; its lock is the machine's. NULL: nobody is at the other end */
    uint16_t iobase;
    uint8_t irq;
} SerialOptions;

/* New, to be realized. */
Device *serial_new(const SerialOptions *options);

#endif
