/*
 * incoming.h: a state that comes while its source may still run: one connection, or several, and answers to the source.
 *
 * The first to connect brings the stream, every other one is a multifd channel (as QEMU 7.2 has it). All is read on
 * threads of its own; the machine has not changed when it is all there, nor if it does not get so far. A source that
 * asked for answers is told whether the machine goes on here, or it must.
 */
#ifndef EMU_MACHINE_INCOMING_H
#define EMU_MACHINE_INCOMING_H

#include "emu/machine/migrate.h"
#include "vmstate/multifd.h"

typedef struct IncomingOptions {
    unsigned channels; /* multifd's; 0: it is off */
    MultifdMethod method;
} IncomingOptions;

/* On the loop's thread. */
typedef struct IncomingEvents {
    void (*began)(void *opaque); /* somebody has connected */
    /* All of it is there, borrowed: puts it in place, and goes on here. If it fails, the source is told, and `failed`.
     */
    bool (*come)(void *opaque, MigrateState *state, GError **error);
    /* One of these is the last: */
    void (*ended)(void *opaque); /* the source has had its answer */
    void (*failed)(void *opaque, const GError *error);
    void *opaque;
    GMainContext *context; /* the loop's */
} IncomingEvents;

typedef struct Incoming Incoming;

/* Listens, by a name as transport.h has it. The Pc is borrowed, and must stand, and keep its devices, until `come`. */
Incoming *incoming_new(Pc *pc, const char *uri, const IncomingOptions *options, const IncomingEvents *events,
                       GError **error);

/* Ends it, wherever it is; no event comes any more. */
void incoming_free(Incoming *incoming);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Incoming, incoming_free)

/* Where it listens; borrowed. */
const char *incoming_address(const Incoming *incoming);

/* Does the source wait to hear whether the machine goes on here? Otherwise it thinks so. */
bool incoming_is_heard(const Incoming *incoming);

#endif
