/* session.c: sessions begin with a greeting and with negotiation, and end. */
#include "tools/libqmp/session-impl.h"

#include <jansson.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { REPLY_MAX = 32 << 20, DEPTH_MAX = 1024, EVENT_MAX = 1024, CALL_MAX = 65536 };

static void free_subscription(void *data)
{
    Subscription *subscription = data;

    g_free(subscription->name);
    g_free(subscription);
}

/* What the caller's options are, however old or new they are. */
static LibqmpSessionOptions read_options(const LibqmpSessionOptions *given)
{
    LibqmpSessionOptions options = {.size = 0};

    if (given)
        memcpy(&options, given, MIN(given->size, sizeof options));
    options.reply_max = options.reply_max ? options.reply_max : REPLY_MAX;
    options.depth_max = options.depth_max ? options.depth_max : DEPTH_MAX;
    options.event_max = options.event_max ? options.event_max : EVENT_MAX;
    options.call_max = options.call_max ? options.call_max : CALL_MAX;
    return options;
}

static QmpSession *make(const QmpTransport *transport, void *peer, const LibqmpSessionOptions *options)
{
    QmpSession *session = g_new0(QmpSession, 1);

    g_atomic_ref_count_init(&session->references);
    g_mutex_init(&session->lock);
    g_cond_init(&session->changed);
    session->transport = transport;
    session->peer = peer;
    session->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    session->trace = options->trace;
    session->trace_data = options->trace_data;
    session->event_max = options->event_max;
    session->call_max = options->call_max;
    session->timeout = (gint64)options->timeout_ms * 1000;
    session->earliest = G_MAXINT64;
    frame_init(&session->in, options->reply_max, options->depth_max);
    session->out = g_byte_array_new();
    session->next_fd = -1;
    g_queue_init(&session->fds);
    session->calls = g_hash_table_new(g_int64_hash, g_int64_equal);
    session->late = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    session->subscriptions = g_ptr_array_new_with_free_func(free_subscription);
    return session;
}

/* --- the greeting ------------------------------------------------------------------------------------------------- */

static bool has_greeting(QmpSession *session, const void *what)
{
    (void)what;
    return session->end || session->greeting;
}

static bool await_greeting(QmpSession *session, GError **error)
{
    gint64 until = session->timeout ? g_get_monotonic_time() + session->timeout : G_MAXINT64;

    g_mutex_lock(&session->lock);
    bool came = session_wait(session, has_greeting, NULL, until);
    GError *end = session->greeting || !session->end ? NULL : g_error_copy(session->end);
    g_mutex_unlock(&session->lock);
    if (end)
        g_propagate_error(error, end);
    else if (!came)
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_TIMEOUT,
                    "the peer has not greeted within %" G_GINT64_FORMAT " ms", session->timeout / 1000);
    return came && !end;
}

static bool offers_oob(const QmpSession *session)
{
    const json_t *capabilities = json_object_get(session->greeting, "capabilities");

    for (size_t i = 0; i < json_array_size(capabilities); i++)
        if (g_strcmp0(json_string_value(json_array_get(capabilities, i)), "oob") == 0)
            return true;
    return false;
}

static bool negotiate(QmpSession *session, bool no_oob, GError **error)
{
    bool oob = !no_oob && offers_oob(session);
    json_t *arguments = oob ? json_pack("{s:[s]}", "enable", "oob") : NULL;
    json_t *result = libqmp_execute(session, "qmp_capabilities", arguments, 0, error);

    json_decref(arguments);
    json_decref(result);
    session->oob = oob;
    return result != NULL;
}

QmpSession *libqmp_session_new(const QmpTransport *transport, void *peer, const LibqmpSessionOptions *options,
                               GError **error)
{
    LibqmpSessionOptions given = read_options(options);
    QmpSession *session = make(transport, peer, &given);

    if (session->wake < 0) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_IO, "no eventfd can be made: %s", g_strerror(errno));
    } else if (transport->negotiated || (await_greeting(session, error) && negotiate(session, given.no_oob, error))) {
        return session;
    }
    libqmp_session_free(session);
    return NULL;
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

void session_end(QmpSession *session, GError *error)
{
    if (session->end) {
        g_error_free(error);
        return;
    }
    session->end = error;
    session_close_fds(session);
    g_byte_array_set_size(session->out, 0);
    session->written = 0;
    while (session->waiting.head)
        session_call_done(session->waiting.head->data, NULL, g_error_copy(error));
    session_wake(session);
    session_wake_loop(session);
    g_cond_broadcast(&session->changed);
}

void libqmp_session_close(QmpSession *session)
{
    g_mutex_lock(&session->lock);
    session_end(session, g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_CANCELLED, "the session is closed"));
    g_mutex_unlock(&session->lock);
}

/* What nobody will fetch any more. */
static void drop_deliveries(QmpSession *session)
{
    for (Event *event; (event = g_queue_pop_head(&session->events));)
        session_event_free(event);
    for (GList *link; (link = g_queue_pop_head_link(&session->ready));) {
        LibqmpCall *call = link->data;
        call->notify = NULL;
        g_mutex_unlock(&session->lock);
        session_call_free(call);
        g_mutex_lock(&session->lock);
    }
}

void libqmp_session_free(QmpSession *session)
{
    if (!session)
        return;
    libqmp_session_detach(session);
    libqmp_session_close(session);
    g_mutex_lock(&session->lock);
    session->end_delivered = true;
    g_ptr_array_set_size(session->subscriptions, 0);
    drop_deliveries(session);
    g_mutex_unlock(&session->lock);
    session_unref(session);
}

void session_unref(QmpSession *session)
{
    if (!g_atomic_ref_count_dec(&session->references))
        return;
    session_close_fds(session);
    session->transport->close(session->peer);
    if (session->wake >= 0)
        close(session->wake);
    frame_done(&session->in);
    g_byte_array_unref(session->out);
    g_hash_table_unref(session->calls);
    g_hash_table_unref(session->late);
    g_ptr_array_unref(session->subscriptions);
    json_decref(session->greeting);
    g_clear_error(&session->end);
    g_cond_clear(&session->changed);
    g_mutex_clear(&session->lock);
    g_free(session);
}

/* --- what it is like ---------------------------------------------------------------------------------------------- */

void libqmp_session_set_timeout(QmpSession *session, unsigned timeout_ms)
{
    g_mutex_lock(&session->lock);
    session->timeout = (gint64)timeout_ms * 1000;
    g_mutex_unlock(&session->lock);
}

GError *libqmp_session_error(QmpSession *session)
{
    g_mutex_lock(&session->lock);
    GError *error = session->end ? g_error_copy(session->end) : NULL;
    g_mutex_unlock(&session->lock);
    return error;
}

const struct json_t *libqmp_session_greeting(const QmpSession *session)
{
    return session->greeting;
}

bool libqmp_session_has_oob(const QmpSession *session)
{
    return session->oob;
}
