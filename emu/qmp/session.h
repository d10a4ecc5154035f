/*
 * session.h: one client of QMP at the other end of a line, and after it the next.
 *
 * A client is greeted, negotiates (qmp_capabilities), and asks. It may ask before it has got the last answer: answers
 * come in the order of the questions, but for those that it sends out of band, which overtake. All happens on the
 * thread of the server's context; commands are done without the line's lock.
 *
 * Nobody waits for a client. What it does not read is kept: answers up to QMP_SESSION_KEPT octets (the last one may be
 * longer), then no more of its commands are done, and nothing it sends is read. Events are kept up to twice that; those
 * that find no room are counted, and when it reads again the event EVENTS_LOST tells it how many it has missed.
 */
#ifndef EMU_QMP_SESSION_H
#define EMU_QMP_SESSION_H

#include "emu/chardev/chardev.h"
#include "emu/qmp/call.h"
#include "emu/qmp/events.h"

enum {
    QMP_SESSION_KEPT = 256 << 10,
    QMP_SESSION_QUEUE = 8, /* requests that are looked at ahead of their turn, to find what is out of band */
};

/* Where clients come from. */
typedef struct QmpLine {
    Chardev *chardev; /* borrowed; it lives on the server's context */
    GRecMutex *lock;  /* the chardev's; NULL: it has none */
    bool pretty;      /* answers have a member a line */
} QmpLine;

QmpServerSession *qmp_session_new(QmpServer *server, const QmpLine *line);
void qmp_session_free(QmpServerSession *s);

/* Is somebody there, who has negotiated? */
bool qmp_session_is_ready(const QmpServerSession *s);

/* An event for whoever is there. */
void qmp_session_tell(QmpServerSession *s, const QmpEventText *text);

/* --- for handlers ----------------------------------------------------------------------------------------------- */

/* Ends the negotiation. */
void qmp_session_negotiated(QmpServerSession *s, bool oob);

/* Does this client get events of that kind? Those with the feature "masked" only if it has asked for them. */
bool qmp_session_hears(const QmpServerSession *s, const QapiEvent *event);
void qmp_session_set_hears(QmpServerSession *s, const QapiEvent *event, bool hears);

/* Its descriptors: rights.h. Borrowed. */
typedef struct QmpRights QmpRights;
QmpRights *qmp_session_rights(QmpServerSession *s);

#endif
