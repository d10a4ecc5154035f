/*
 * ps2-impl.h: what the keyboard and the mouse have in common. For ps2*.c.
 */
#ifndef EMU_DEV_PS2_IMPL_H
#define EMU_DEV_PS2_IMPL_H

#include "emu/dev/ps2.h"

enum {
    PS2_QUEUE_ROOM = 256, /* on the wire and in memory; a ring, so that an uint8_t is an index into it */
    PS2_QUEUE_MOST = 16,  /* octets that a device holds for the host, as real ones do */
    PS2_REPLY_MOST = 8,   /* and a keyboard's reply to a command comes in front of those */
    PS2_NO_COMMAND = -1,
    PS2_NO_REPLY = -1,
};

enum {
    PS2_ACKNOWLEDGE = 0xfa,
    PS2_RESEND = 0xfe,
    PS2_SELF_TEST_FINE = 0xaa,
    PS2_ECHO = 0xee,
};

/* Indices are kept below PS2_QUEUE_ROOM. */
typedef struct Ps2Queue {
    int32_t rptr, wptr, count;
    int32_t cwptr; /* end of the reply to a command, which is what comes first; PS2_NO_REPLY: there is none */
    uint8_t data[PS2_QUEUE_ROOM];
} Ps2Queue;

typedef struct Ps2State {
    int32_t write_cmd; /* the command that waits for its parameter, or PS2_NO_COMMAND */
    Ps2Queue queue;
} Ps2State;

/* The first member of both state structs is a Ps2State, that of both wiring structs a Ps2. */
typedef struct Ps2 {
    Device dev;
    Irq irq;
    void (*write)(struct Ps2 *p, uint8_t value);
} Ps2;

extern const VMStateDescription ps2_state;

static inline Ps2State *ps2_state_of(Ps2 *p)
{
    return device_state(&p->dev);
}

/* Is what a stream says of the queue sound? `section` is for the message. */
bool ps2_check(const Ps2State *s, const char *section, GError **error);

/* The queue of older versions held more: cuts what is too much, and drives the line. */
void ps2_push(Ps2 *p);

/* The line follows the queue. */
void ps2_update(Ps2 *p);

void ps2_queue_clear(Ps2State *s);

/* All of them or, if there is no room, none. */
bool ps2_queue_all(Ps2 *p, const uint8_t *octets, unsigned count);

/* One more, if there is room. */
void ps2_queue_one(Ps2 *p, uint8_t octet);

/* A reply in front of all that is queued; one that was not fetched is forgotten. count is at most PS2_REPLY_MOST. */
void ps2_queue_reply(Ps2 *p, const uint8_t *octets, unsigned count);

/* --- scan codes (ps2keys.c) --- */

/* The make code of a key in set 1, 2 or 3; 0xe0 in the upper half if it has a prefix. 0: the set does not have it. */
uint16_t ps2_key_code(uint32_t usage, int set);

/* What the i8042 makes of an octet of set 2. */
uint8_t ps2_key_translate(uint8_t octet);

enum {
    PS2_KEY_PRINT = 0x070046,
    PS2_KEY_PAUSE = 0x070048,
    PS2_KEY_LEFT_CTRL = 0x0700e0, /* and Shift, Alt, GUI, and the four on the right */
    PS2_KEY_RIGHT_GUI = 0x0700e7,
};

#endif
