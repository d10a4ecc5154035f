/*
 * bell.h: writes by a guest that say nothing but "look there": a doorbell.
 *
 * Where KVM can, such a write does not leave the guest for us: it signals an eventfd, and the machine's loop looks. A
 * bell hangs at registers, wherever these are mapped; while it does, and only for writes as its places have them, their
 * handler is not called. Where nobody can hang it, the handler is called as ever. All with the machine's lock.
 */
#ifndef EMU_CORE_BELL_H
#define EMU_CORE_BELL_H

#include "emu/core/space.h"

typedef struct Machine Machine;

/* What a write must be to ring. */
typedef struct BellPlace {
    bool ports;       /* of the machine's; otherwise of its memory */
    const IoOps *ops; /* whose registers, */
    void *opaque;
    uint64_t offset; /* and where in them */
    unsigned size;   /* octets; 0: any */
    bool only;       /* this value only: */
    uint64_t value;
} BellPlace;

/* --- who can hang bells: one a machine ---------------------------------------------------------------------------- */

/* Has writes to that address signal the event from now on, or no longer. False: it cannot. */
typedef bool BellWire(void *opaque, const BellPlace *place, uint64_t addr, int event, bool on);

typedef struct Bells Bells;

/* For the machine, which owns it. They ring on the context's thread. */
void bells_new(Machine *machine, GMainContext *context, BellWire *wire, void *opaque);
void bells_free(Bells *bells);

/* --- a bell ------------------------------------------------------------------------------------------------------- */

enum { BELL_PLACES = 2 };

typedef struct Bell Bell;

/* NULL: nobody can hang one. `rung` is called on the loop's thread, with the lock. */
Bell *bell_new(Machine *machine, void (*rung)(void *opaque, unsigned n), void *opaque, unsigned n);
void bell_free(Bell *bell);

/* Hangs it at these places, at most BELL_PLACES; copied. */
void bell_hang(Bell *bell, const BellPlace *places, unsigned count);
void bell_take_down(Bell *bell);
bool bell_hangs(const Bell *bell);

/* Has it been rung since anybody looked? Then whoever asks has to look. */
bool bell_was_rung(Bell *bell);

#endif
