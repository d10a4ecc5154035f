/*
 * libqmp.h: a client of QMP, the monitor of QEMU and of Ferry.
 *
 *     g_autoptr(QmpSession) session = libqmp_session_connect("unix:/run/vm/qmp.sock", NULL, &error);
 *     QmpStatusInfo *status = libqmp_query_status(session, &error);            (qapi/client.h: a function for each
 * command) json_t *answer = libqmp_execute(session, "query-kvm", NULL, 0, &error);  (any command, as JSON)
 *
 * Nothing here has global state, prints, or ends the program. Whatever fails says so through GError: LIBQMP_ERROR, with
 * the class and the very text that the server gave, or with what happened on the way to it.
 *
 * Threads: a session has one lock, and every function here may be called from any thread. Who waits for a reply reads
 * from the peer meanwhile, for all who wait; the library has no thread of its own, but for one of a session through
 * libvirt. Callbacks (of events, of calls that are done, of the session's end) come one at a time, in the order in
 * which things happened, without the lock, and only
 *   - on a thread that is in libqmp_session_pump(), or
 *   - from the GMainContext that libqmp_session_attach() was given,
 * never from within a call. In a callback everything is allowed, but for libqmp_session_free() and waiting for another
 * callback.
 *
 * Every wait ends when the peer dies, the connection breaks, or libqmp_session_close() is called.
 */
#ifndef TOOLS_LIBQMP_LIBQMP_H
#define TOOLS_LIBQMP_LIBQMP_H

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#include "vmstate/qapi.h"

G_BEGIN_DECLS

struct json_t;
struct _virDomain;

typedef struct QmpSession QmpSession;
typedef struct LibqmpCall LibqmpCall;

/* --- errors ------------------------------------------------------------------------------------------------------- */

#define LIBQMP_ERROR (libqmp_error_quark())

typedef enum LibqmpError {
    /* What the server says, by its class. The message is its `desc` and nothing else. */
    LIBQMP_ERROR_GENERIC_ERROR,
    LIBQMP_ERROR_COMMAND_NOT_FOUND,
    LIBQMP_ERROR_DEVICE_NOT_ACTIVE,
    LIBQMP_ERROR_DEVICE_NOT_FOUND,
    LIBQMP_ERROR_KVM_MISSING_CAP,
    LIBQMP_ERROR_OTHER_CLASS, /* the message is "CLASS: DESC" */

    /* What happened on the way. */
    LIBQMP_ERROR_CONNECT = 100, /* there is nobody, or he may not be spoken to */
    LIBQMP_ERROR_CLOSED,        /* the peer has gone */
    LIBQMP_ERROR_IO,            /* the host refused to read or write */
    LIBQMP_ERROR_TIMEOUT,
    LIBQMP_ERROR_PROTOCOL,    /* this is not QMP */
    LIBQMP_ERROR_LIMIT,       /* larger or deeper than allowed, or too much at once */
    LIBQMP_ERROR_REPLY,       /* it is not what the command's type says; the message starts with the path */
    LIBQMP_ERROR_CANCELLED,   /* libqmp_session_close() */
    LIBQMP_ERROR_UNSUPPORTED, /* by this build, or by the server: out-of-band execution */
    LIBQMP_ERROR_ARGUMENT,    /* what the caller gave cannot be understood: an address, arguments */
} LibqmpError;

GQuark libqmp_error_quark(void);

/* "GenericError", ... of what the server said; NULL for all else, and for LIBQMP_ERROR_OTHER_CLASS. Static. */
const char *libqmp_error_class(const GError *error);

/* --- transports --------------------------------------------------------------------------------------------------- */

/*
 * How octets get to the peer. The library calls `read` and `write` with the session's lock held, `wait` without it, but
 * never two `wait` at a time. Errors: errno.
 */
typedef struct QmpTransport {
    size_t size; /* sizeof(QmpTransport): what is behind it is not looked at */

    /* Without waiting. >0: octets; 0: the peer has closed; -1: EAGAIN if there are none now. */
    ssize_t (*read)(void *peer, void *data, size_t size);
    /* Without waiting. -1: EAGAIN if it takes none now. */
    ssize_t (*write)(void *peer, const void *data, size_t size);
    /*
     * Until one of `events` (POLLIN, POLLOUT) is possible, which is returned; or `wake`, a descriptor, is readable, or
     * so much time is over (-1: for ever): 0. Only for errors -1.
     */
    int (*wait)(void *peer, short events, int wake, int timeout_ms);
    /* Frees it, too. */
    void (*close)(void *peer);
    /* What a main loop may poll in place of `wait`. NULL: there is no such thing. */
    int (*descriptor)(void *peer);

    bool negotiated; /* somebody else has seen the greeting and negotiated capabilities */

    /* As `write`, and a descriptor goes along with the octets if any do. NULL: there is no such thing. */
    ssize_t (*write_fd)(void *peer, const void *data, size_t size, int fd);
} QmpTransport;

/* `wait` for who has a descriptor. */
int libqmp_transport_poll(int fd, short events, int wake, int timeout_ms);

/* --- sessions ----------------------------------------------------------------------------------------------------- */

/*
 * What goes over the wire, as it is: one message each time, greeting and negotiation with them. Called with the
 * session's lock held, on any thread that is in the library: it may call nothing here.
 */
typedef void LibqmpTraceFn(bool sent, const char *text, size_t size, void *data);

/* All may be zero. The library only looks at what is within `size`, so that members can be added. */
typedef struct LibqmpSessionOptions {
    size_t size;
    unsigned timeout_ms; /* of each call, and of connecting and negotiation; 0: none */
    size_t reply_max;    /* octets of a reply or an event; 0: 32 MiB */
    unsigned depth_max;  /* of its nesting; 0: 1024 */
    size_t event_max;    /* how many wait to be delivered, of which then the oldest are dropped; 0: 1024 */
    size_t call_max;     /* how many may be without a reply; 0: 65536 */
    bool no_oob;         /* do not enable out-of-band execution */
    LibqmpTraceFn *trace;
    void *trace_data;
} LibqmpSessionOptions;

#define LIBQMP_SESSION_OPTIONS(...) (&(LibqmpSessionOptions){.size = sizeof(LibqmpSessionOptions), __VA_ARGS__})

/*
 * Each of these connects, waits for the greeting, and negotiates capabilities: `oob` if it is offered. Options may be
 * NULL.
 *
 * connect: "unix:PATH", the path of a socket that is there, or any with a slash, "tcp:HOST:PORT" ("tcp:[::1]:4444"),
 * "fd:N" (which is taken), "libvirt:DOMAIN" (by name, UUID or id; of the connection that LIBVIRT_DEFAULT_URI names).
 */
QmpSession *libqmp_session_connect(const char *address, const LibqmpSessionOptions *options, GError **error);
QmpSession *libqmp_session_new_unix(const char *path, const LibqmpSessionOptions *options, GError **error);
QmpSession *libqmp_session_new_tcp(const char *host, const char *port, const LibqmpSessionOptions *options,
                                   GError **error);
/* Takes the descriptor, also when it fails. If it is no socket, SIGPIPE is for the caller to ignore. */
QmpSession *libqmp_session_new_fd(int fd, const LibqmpSessionOptions *options, GError **error);
/* Takes the peer, also when it fails; the table is borrowed. */
QmpSession *libqmp_session_new(const QmpTransport *transport, void *peer, const LibqmpSessionOptions *options,
                               GError **error);
/*
 * Dispatches through libvirt's monitor pass-through (virDomainQemuMonitorCommand): commands go one after the other,
 * none out of band; the greeting is not seen. Events come if the program runs libvirt's event loop. Keeps a reference
 * to the domain. LIBQMP_ERROR_UNSUPPORTED if the library was built without libvirt.
 */
QmpSession *libqmp_session_new_libvirt(struct _virDomain *domain, const LibqmpSessionOptions *options, GError **error);

/* Ends it: every wait and every call fails with LIBQMP_ERROR_CANCELLED. Callbacks are still delivered. */
void libqmp_session_close(QmpSession *session);

/*
 * Closes it, and drops the caller's reference; calls that are not finished have one each. From here on no callback
 * comes; calls that belong to the session (libqmp_call_notify) are freed. NULL is nothing.
 */
void libqmp_session_free(QmpSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QmpSession, libqmp_session_free)

/* For calls that start from here on. */
void libqmp_session_set_timeout(QmpSession *session, unsigned timeout_ms);

/* Why it is over, new; NULL: it is not. */
GError *libqmp_session_error(QmpSession *session);

/* What "QMP" of the greeting was; NULL: it was not seen. Borrowed from the session. */
const struct json_t *libqmp_session_greeting(const QmpSession *session);

/* Was out-of-band execution enabled? */
bool libqmp_session_has_oob(const QmpSession *session);

/* --- commands ----------------------------------------------------------------------------------------------------- */

typedef enum LibqmpFlags {
    LIBQMP_OOB = 1 << 0, /* execute it out of band; its reply may overtake others */
} LibqmpFlags;

/*
 * As JSON. `arguments` (NULL: none) is borrowed. The result is new. Integers above 2^63 - 1, which jansson does not
 * have, are strings of their digits.
 */
struct json_t *libqmp_execute(QmpSession *session, const char *command, const struct json_t *arguments, unsigned flags,
                              GError **error);
LibqmpCall *libqmp_execute_start(QmpSession *session, const char *command, const struct json_t *arguments,
                                 unsigned flags, GError **error);
struct json_t *libqmp_execute_finish(LibqmpCall *call, GError **error);

/*
 * As C values, as qapi_visit() takes them: `arguments` is a pointer to the struct (QAPI_ANY: a json_t), `result` is
 * where a member of that type would be (NULL: it is thrown away). Members of a reply that the type lacks are ignored: a
 * newer server has them. A word that an enum lacks is QMP_NAME__MAX or more (a newer library may know it, and this
 * program not): compare with >=. Members it must have and has not are LIBQMP_ERROR_REPLY.
 */
bool libqmp_call(QmpSession *session, const QapiCommand *command, const void *arguments, void *result, GError **error);
LibqmpCall *libqmp_call_start(QmpSession *session, const QapiCommand *command, const void *arguments, GError **error);
LibqmpCall *libqmp_call_start_oob(QmpSession *session, const QapiCommand *command, const void *arguments,
                                  GError **error);
/* Waits for the reply, and frees the call. */
bool libqmp_call_finish(LibqmpCall *call, void *result, GError **error);

/* In place of the session's timeout; counts from now on. 0: none. */
void libqmp_call_set_timeout(LibqmpCall *call, unsigned timeout_ms);

/* Is there a reply, or an error? Waits so long for it (-1: for ever). */
bool libqmp_call_wait(LibqmpCall *call, int timeout_ms);

/* Frees it without waiting. The server does it all the same; what it says of it is thrown away. NULL is nothing. */
void libqmp_call_cancel(LibqmpCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(LibqmpCall, libqmp_call_cancel)

/*
 * Calls `done` when there is a reply or an error. Until then the call belongs to the session; `done` gets it, and has
 * to finish it (which does not wait).
 */
typedef void LibqmpDone(LibqmpCall *call, void *data);
void libqmp_call_notify(LibqmpCall *call, LibqmpDone *done, void *data);

/*
 * The next command that is started, typed or not, takes a copy of the descriptor along (SCM_RIGHTS): "getfd" and
 * "add-fd" want one. Over unix sockets only; LIBQMP_ERROR_UNSUPPORTED over others. What an earlier call has given, and
 * no command has taken, is replaced.
 */
bool libqmp_session_send_fd(QmpSession *session, int fd, GError **error);

/* --- events ------------------------------------------------------------------------------------------------------- */

typedef struct LibqmpEvent {
    const char *name;
    int64_t seconds, microseconds; /* the server's clock; seconds are -1 if it gave none */
    const struct json_t *data;     /* an object; NULL: none */
    uint64_t dropped;              /* how many were dropped in front of it, because nobody fetched them */
} LibqmpEvent;

/* The event lives as long as the callback runs. */
typedef void LibqmpEventFn(QmpSession *session, const LibqmpEvent *event, void *data);

/*
 * Events of that name (NULL: all) go to `callback` from here on; events that nobody has subscribed to are not kept.
 * (This asks the server for nothing. Those that a Ferry masks need its command subscribe-events, too.) Returns a number
 * for libqmp_event_unsubscribe(), after which a callback may still be running on another thread.
 */
unsigned libqmp_event_subscribe(QmpSession *session, const char *name, LibqmpEventFn *callback, void *data);
void libqmp_event_unsubscribe(QmpSession *session, unsigned subscription);

/* The data as a C value: `value` is where a member of that type would be. */
bool libqmp_event_value(const LibqmpEvent *event, const QapiEvent *type, void *value, GError **error);

/* Called once, behind all else, when the session is over. */
typedef void LibqmpEndFn(QmpSession *session, const GError *why, void *data);
void libqmp_session_on_end(QmpSession *session, LibqmpEndFn *callback, void *data);

/*
 * Delivers callbacks on this thread; if there are none waits for some so long (-1: for ever). >0: so many were
 * delivered; 0: none; -1: the session is over, and there will be no more.
 */
int libqmp_session_pump(QmpSession *session, int timeout_ms, GError **error);

/*
 * Delivers callbacks from a main loop (NULL: the default one); from one only. Fails if the transport has no descriptor.
 * detach: none comes any more, unless it is running on another thread.
 */
bool libqmp_session_attach(QmpSession *session, GMainContext *context, GError **error);
void libqmp_session_detach(QmpSession *session);

G_END_DECLS

#endif
