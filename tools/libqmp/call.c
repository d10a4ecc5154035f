/* call.c: commands, from when they are sent until their reply is fetched. */
#include "tools/libqmp/session-impl.h"

#include <jansson.h>
#include <string.h>

/* --- starting ----------------------------------------------------------------------------------------------------- */

static gint64 deadline_after(gint64 timeout)
{
    return timeout ? g_get_monotonic_time() + timeout : G_MAXINT64;
}

/* May another one be started? */
static bool check_room(const QmpSession *session, unsigned flags, GError **error)
{
    if (session->end) {
        g_propagate_error(error, g_error_copy(session->end));
        return false;
    }
    if (flags & LIBQMP_OOB && !session->oob) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_UNSUPPORTED, "the server does nothing out of band");
        return false;
    }
    if (session->waiting.length >= session->call_max || session->out->len >= SESSION_OUT_MAX) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_LIMIT, "%u calls wait for their reply", session->waiting.length);
        return false;
    }
    return true;
}

static LibqmpCall *make(QmpSession *session, unsigned flags)
{
    LibqmpCall *call = g_new0(LibqmpCall, 1);

    g_atomic_ref_count_inc(&session->references);
    call->session = session;
    call->id = ++session->next_id;
    call->oob = flags & LIBQMP_OOB;
    call->deadline = deadline_after(session->timeout);
    call->waiting.data = call;
    call->ready.data = call;
    session->earliest = MIN(session->earliest, call->deadline);
    g_hash_table_insert(session->calls, &call->id, call);
    g_queue_push_tail_link(&session->waiting, &call->waiting);
    return call;
}

static void send_request(QmpSession *session, const LibqmpCall *call, const char *command, const char *arguments)
{
    json_t *name = json_string(command);
    g_autofree char *quoted = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
    g_autofree char *text = g_strdup_printf("{\"%s\":%s%s%s,\"id\":%" G_GUINT64_FORMAT "}\n",
                                            call->oob ? "exec-oob" : "execute", quoted ? quoted : "\"\"",
                                            arguments ? ",\"arguments\":" : "", arguments ? arguments : "", call->id);

    json_decref(name);
    if (session->trace)
        session->trace(true, text, strlen(text) - 1, session->trace_data);
    session_attach_fd(session);
    g_byte_array_append(session->out, (const guint8 *)text, (guint)strlen(text));
    session_flush(session);
}

LibqmpCall *session_start(QmpSession *session, const char *command, const char *arguments, unsigned flags,
                          GError **error)
{
    LibqmpCall *call = NULL;

    g_mutex_lock(&session->lock);
    gint64 earliest = session->earliest;
    if (check_room(session, flags, error)) {
        call = make(session, flags);
        send_request(session, call, command, arguments);
    }
    if (session->out->len || session->earliest < earliest) {
        session_wake(session);
        session_wake_loop(session);
    }
    g_mutex_unlock(&session->lock);
    return call;
}

/* --- being done --------------------------------------------------------------------------------------------------- */

/* Somebody wants to be told. */
static void make_ready(QmpSession *session, LibqmpCall *call)
{
    call->order = ++session->order;
    g_queue_push_tail_link(&session->ready, &call->ready);
    session_wake(session);
    session_wake_loop(session);
    g_cond_broadcast(&session->changed);
}

/* No reply is waited for any more. */
static void forget(LibqmpCall *call)
{
    g_hash_table_remove(call->session->calls, &call->id);
    g_queue_unlink(&call->session->waiting, &call->waiting);
}

void session_call_done(LibqmpCall *call, json_t *result, GError *error)
{
    QmpSession *session = call->session;

    forget(call);
    call->done = true;
    call->result = result;
    call->error = error;
    if (call->notify)
        make_ready(session, call);
    if (session->followers)
        g_cond_broadcast(&session->changed);
}

/* A reply may still come, and is of no use then. */
static void expect_late(QmpSession *session, uint64_t id)
{
    if (g_hash_table_size(session->late) >= session->call_max)
        session_end(session, g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_LIMIT,
                                         "%zu calls were given up, and no reply has come", session->call_max));
    else
        g_hash_table_add(session->late, g_memdup2(&id, sizeof id));
}

void session_call_given_up(LibqmpCall *call, json_t *result, GError *error)
{
    uint64_t id = call->id;

    session_call_done(call, result, error);
    expect_late(call->session, id);
}

static void time_out(LibqmpCall *call)
{
    session_call_given_up(call, NULL,
                          g_error_new_literal(LIBQMP_ERROR, LIBQMP_ERROR_TIMEOUT, "the reply has not come in time"));
}

void session_expire(QmpSession *session)
{
    gint64 now = g_get_monotonic_time();
    GList *next;

    if (now < session->earliest)
        return;
    session->earliest = G_MAXINT64;
    for (GList *link = session->waiting.head; link; link = next) {
        LibqmpCall *call = link->data;
        next = link->next;
        if (now < call->deadline)
            session->earliest = MIN(session->earliest, call->deadline);
        else
            time_out(call);
        if (session->end)
            break;
    }
}

void libqmp_call_set_timeout(LibqmpCall *call, unsigned timeout_ms)
{
    QmpSession *session = call->session;

    g_mutex_lock(&session->lock);
    call->deadline = deadline_after((gint64)timeout_ms * 1000);
    if (!call->done) {
        session->earliest = MIN(session->earliest, call->deadline);
        session_wake(session);
        session_wake_loop(session);
    }
    g_mutex_unlock(&session->lock);
}

/* --- fetching ----------------------------------------------------------------------------------------------------- */

static bool is_done(QmpSession *session, const void *what)
{
    (void)session;
    return ((const LibqmpCall *)what)->done;
}

bool libqmp_call_wait(LibqmpCall *call, int timeout_ms)
{
    g_mutex_lock(&call->session->lock);
    bool done = session_wait(call->session, is_done, call, session_time_after(timeout_ms));
    g_mutex_unlock(&call->session->lock);
    return done;
}

void session_call_free(LibqmpCall *call)
{
    json_decref(call->result);
    g_clear_error(&call->error);
    session_unref(call->session);
    g_free(call);
}

void libqmp_call_cancel(LibqmpCall *call)
{
    if (!call)
        return;
    QmpSession *session = call->session;

    g_mutex_lock(&session->lock);
    if (!call->done) {
        uint64_t id = call->id;
        forget(call);
        expect_late(session, id);
    }
    g_mutex_unlock(&session->lock);
    session_call_free(call);
}

void libqmp_call_notify(LibqmpCall *call, LibqmpDone *done, void *data)
{
    g_mutex_lock(&call->session->lock);
    call->notify = done;
    call->data = data;
    if (call->done)
        make_ready(call->session, call);
    g_mutex_unlock(&call->session->lock);
}

struct json_t *libqmp_execute_finish(LibqmpCall *call, GError **error)
{
    libqmp_call_wait(call, SESSION_FOREVER_MS);
    json_t *result = g_steal_pointer(&call->result);
    if (!result)
        g_propagate_error(error, g_steal_pointer(&call->error));
    session_call_free(call);
    return result;
}

LibqmpCall *libqmp_execute_start(QmpSession *session, const char *command, const struct json_t *arguments,
                                 unsigned flags, GError **error)
{
    g_autofree char *text = arguments ? json_dumps(arguments, JSON_COMPACT) : NULL;

    if (arguments && !text) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_ARGUMENT, "the arguments are no JSON object");
        return NULL;
    }
    return session_start(session, command, text, flags, error);
}

struct json_t *libqmp_execute(QmpSession *session, const char *command, const struct json_t *arguments, unsigned flags,
                              GError **error)
{
    LibqmpCall *call = libqmp_execute_start(session, command, arguments, flags, error);

    return call ? libqmp_execute_finish(call, error) : NULL;
}
