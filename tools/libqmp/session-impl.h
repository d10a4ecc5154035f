/*
 * session-impl.h: what a session is inside.
 *
 *   peer -> wait.c (who waits reads) -> frame.c -> receive.c -> calls (call.c), events (event.c)
 *                                                                -> deliver.c -> callbacks
 *
 * One thread at a time waits in the transport ("leads"); others that wait for something do so at `changed`. Whoever
 * leads handles what comes for all of them. All functions here want the lock to be held, unless they say otherwise.
 */
#ifndef TOOLS_LIBQMP_SESSION_IMPL_H
#define TOOLS_LIBQMP_SESSION_IMPL_H

#include "tools/libqmp/frame.h"
#include "tools/libqmp/libqmp.h"

enum {
    SESSION_FOREVER_MS = -1,
    SESSION_OUT_MAX = 64 << 20, /* octets that wait to be written */
};

typedef struct Subscription {
    unsigned number;
    char *name; /* NULL: all */
    LibqmpEventFn *callback;
    void *data;
} Subscription;

typedef struct Event {
    LibqmpEvent event; /* its name is `message`'s */
    struct json_t *message;
    uint64_t order;
} Event;

/* A descriptor that goes along with an octet. */
typedef struct FdToSend {
    uint64_t at; /* as `sent` counts them */
    int fd;      /* a copy */
} FdToSend;

struct LibqmpCall {
    QmpSession *session;        /* a reference, unless the session has the call */
    const QapiCommand *command; /* NULL: by name, as JSON */
    uint64_t id;
    gint64 deadline; /* G_MAXINT64: none */
    bool oob;
    bool done;
    struct json_t *result;
    GError *error;
    LibqmpDone *notify;
    void *data;
    uint64_t order;
    GList waiting; /* in session->waiting, until it is done */
    GList ready;   /* in session->ready, if it is to be delivered */
};

struct QmpSession {
    gatomicrefcount references;
    GMutex lock;
    GCond changed;
    const QmpTransport *transport;
    void *peer;
    int wake;   /* an eventfd: makes who leads look again */
    bool woken; /* it is readable */
    struct json_t *greeting;
    bool oob;
    LibqmpTraceFn *trace; /* NULL: nobody */
    void *trace_data;
    size_t event_max, call_max;
    gint64 timeout; /* in microseconds; 0: none */

    bool leading;       /* somebody is in transport->wait */
    unsigned followers; /* wait at `changed` */
    gint64 earliest;    /* no call's deadline is before it */
    GError *end;        /* why it is over; NULL: it is not */

    Frame in;
    GByteArray *out; /* to be written */
    size_t written;  /* of it */
    uint64_t sent;   /* octets in all */
    int next_fd;     /* for the next command; -1: none */
    GQueue fds;      /* FdToSend, in the order of their octets */

    uint64_t next_id;
    GHashTable *calls; /* id -> call, without a reply */
    GHashTable *late;  /* ids of those whose reply nobody wants */
    GQueue waiting;    /* the same calls, the oldest first */

    uint64_t order; /* what was ready first is delivered first */
    GQueue ready;   /* calls */
    GQueue events;  /* Event */
    uint64_t dropped;
    GPtrArray *subscriptions;
    unsigned last_subscription;
    LibqmpEndFn *on_end;
    void *on_end_data;
    GThread *delivering; /* is in a callback; NULL: nobody */
    bool end_delivered;

    GSource *source; /* NULL: not attached */
    GMainContext *context;
};

/* session.c */
void session_unref(QmpSession *session); /* without the lock */
/* Ends it, if it has not ended; takes the error. */
void session_end(QmpSession *session, GError *error);

/* fds.c: the next descriptor goes along with what is put in `out` next; all are closed. */
void session_attach_fd(QmpSession *session);
void session_close_fds(QmpSession *session);
/* Writes some of `out`: as transport->write. */
ssize_t session_write(QmpSession *session);

/* error.c: what "error" of a reply says. New. */
GError *session_server_error(const struct json_t *said);

/* wait.c */
typedef bool SessionReady(QmpSession *session, const void *what);
/* Until `ready` says so, or until then, on the monotonic clock; looks at least once. */
bool session_wait(QmpSession *session, SessionReady *ready, const void *what, gint64 until);
/* The time in so many milliseconds; -1: G_MAXINT64. */
gint64 session_time_after(int timeout_ms);
/* Who leads, and the main loop, have something new to look at. */
void session_wake(QmpSession *session);
void session_wake_loop(QmpSession *session);
/* Writes and reads as much as is possible without waiting. */
void session_flush(QmpSession *session);
void session_read(QmpSession *session);

/* receive.c: one message of the peer (taken). */
void session_receive(QmpSession *session, struct json_t *message);

/* call.c */
/* Starts a call; `arguments` is JSON text, NULL: none. */
LibqmpCall *session_start(QmpSession *session, const char *command, const char *arguments, unsigned flags,
                          GError **error);
/* The call has this result or this error (both taken). */
void session_call_done(LibqmpCall *call, struct json_t *result, GError *error);
/* The same, and a reply may still come, which nobody wants. */
void session_call_given_up(LibqmpCall *call, struct json_t *result, GError *error);
/* Calls whose time is over fail. */
void session_expire(QmpSession *session);
/* Without the lock. Frees a call that is in none of the session's lists. */
void session_call_free(LibqmpCall *call);

/* event.c */
void session_event(QmpSession *session, struct json_t *message);
void session_event_free(Event *event);
/* Without the lock. */
void session_event_deliver(QmpSession *session, Event *event);

/* deliver.c: is there anything to be delivered? Delivers what there is, and says how much it was. */
bool session_has_deliveries(const QmpSession *session);
int session_deliver(QmpSession *session);

#endif
