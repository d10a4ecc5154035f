/* call.h: what the handler of a command is given: who asks, and what can be asked in turn. */
#ifndef EMU_QMP_CALL_H
#define EMU_QMP_CALL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct QmpCall QmpCall;
typedef struct QmpEvents QmpEvents;
typedef struct QmpServer QmpServer;
typedef struct QmpServerSession QmpServerSession;
typedef struct QapiCommand QapiCommand;
typedef struct Vm Vm;

/* Which octets of all that its client has sent a command was. */
typedef struct QmpExtent {
    uint64_t begin, end;
} QmpExtent;

/*
 * Handlers run on the thread of the server's context, without the machine's lock, one at a time: what one does is done
 * when the next begins. A call is there until its handler returns.
 */
struct QmpCall {
    QmpServer *server;
    QmpServerSession *session; /* who asks */
    const QapiCommand *command;
    bool oob; /* it goes ahead of others */
    QmpExtent extent;
};

/* The machine; NULL: it is not there yet (-preconfig), so only for commands that are allowed then. Borrowed. */
Vm *qmp_call_vm(const QmpCall *call);

/* More is said of a machine that is not there yet. */
typedef struct QmpConfiguration QmpConfiguration;
bool qmp_call_configure(const QmpCall *call, const QmpConfiguration *more, GError **error);

/* Where the events go that its handler causes. */
QmpEvents *qmp_call_events(const QmpCall *call);

#endif
