/* deliver.c: callbacks, one at a time, by whoever pumps, or from a main loop. */
#include "tools/libqmp/session-impl.h"

#include <jansson.h>
#include <poll.h>

bool session_has_deliveries(const QmpSession *session)
{
    return session->ready.length || session->events.length || (session->end && !session->end_delivered);
}

static void deliver_call(QmpSession *session)
{
    LibqmpCall *call = g_queue_pop_head_link(&session->ready)->data;

    g_mutex_unlock(&session->lock);
    call->notify(call, call->data);
    g_mutex_lock(&session->lock);
}

static void deliver_event(QmpSession *session)
{
    Event *event = g_queue_pop_head(&session->events);

    event->event.dropped = session->dropped;
    session->dropped = 0;
    g_mutex_unlock(&session->lock);
    session_event_deliver(session, event);
    session_event_free(event);
    g_mutex_lock(&session->lock);
}

static void deliver_end(QmpSession *session)
{
    LibqmpEndFn *callback = session->on_end;

    session->end_delivered = true;
    if (!callback)
        return;
    g_mutex_unlock(&session->lock);
    callback(session, session->end, session->on_end_data);
    g_mutex_lock(&session->lock);
}

/* What was ready first. */
static void deliver_one(QmpSession *session)
{
    const LibqmpCall *call = session->ready.head ? session->ready.head->data : NULL;
    const Event *event = g_queue_peek_head(&session->events);

    if (call && (!event || call->order < event->order))
        deliver_call(session);
    else if (event)
        deliver_event(session);
    else
        deliver_end(session);
}

int session_deliver(QmpSession *session)
{
    guint most = session->ready.length + session->events.length;
    int count = 0;

    if (session->delivering)
        return 0;
    session->delivering = g_thread_self();
    /* What comes meanwhile can wait, or a peer that is fast enough would keep us here. */
    while (session_has_deliveries(session) && count <= (int)most) {
        deliver_one(session);
        count++;
    }
    session->delivering = NULL;
    if (session->followers)
        g_cond_broadcast(&session->changed);
    return count;
}

void libqmp_session_on_end(QmpSession *session, LibqmpEndFn *callback, void *data)
{
    g_mutex_lock(&session->lock);
    session->on_end = callback;
    session->on_end_data = data;
    g_mutex_unlock(&session->lock);
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

static bool may_deliver(QmpSession *session, const void *what)
{
    (void)what;
    return session->delivering == g_thread_self() ||
           (!session->delivering && (session_has_deliveries(session) || session->end));
}

int libqmp_session_pump(QmpSession *session, int timeout_ms, GError **error)
{
    g_mutex_lock(&session->lock);
    session_wait(session, may_deliver, NULL, session_time_after(timeout_ms));
    int count = session_deliver(session);
    GError *end = !count && session->end && session->end_delivered ? g_error_copy(session->end) : NULL;
    g_mutex_unlock(&session->lock);
    if (end) {
        g_propagate_error(error, end);
        return -1;
    }
    return count;
}

/* --- from a main loop --------------------------------------------------------------------------------------------- */

typedef struct Source {
    GSource source;
    QmpSession *session; /* a reference */
    void *descriptor;
    GIOCondition condition; /* that it is polled for */
} Source;

/* Who leads polls the descriptor himself. */
static void poll_for(Source *source, const QmpSession *session)
{
    GIOCondition condition = session->leading || session->end ? 0 : session->out->len ? G_IO_IN | G_IO_OUT : G_IO_IN;

    if (condition == source->condition)
        return;
    source->condition = condition;
    g_source_modify_unix_fd(&source->source, source->descriptor, condition);
}

static gboolean source_prepare(GSource *base, int *timeout_ms)
{
    Source *source = (Source *)base;
    QmpSession *session = source->session;

    g_mutex_lock(&session->lock);
    bool ready = session_has_deliveries(session);
    gint64 left = session->earliest - g_get_monotonic_time();
    *timeout_ms = session->earliest == G_MAXINT64 ? -1 : (int)CLAMP((left + 999) / 1000, 0, G_MAXINT);
    poll_for(source, session);
    g_mutex_unlock(&session->lock);
    return ready;
}

static gboolean source_check(GSource *base)
{
    Source *source = (Source *)base;
    QmpSession *session = source->session;

    g_mutex_lock(&session->lock);
    bool ready = session_has_deliveries(session) || g_get_monotonic_time() >= session->earliest;
    g_mutex_unlock(&session->lock);
    return ready || g_source_query_unix_fd(base, source->descriptor);
}

static gboolean source_dispatch(GSource *base, GSourceFunc callback, gpointer data)
{
    QmpSession *session = ((Source *)base)->session;

    (void)callback;
    (void)data;
    g_mutex_lock(&session->lock);
    if (!session->leading) {
        session_flush(session);
        session_read(session);
    }
    session_expire(session);
    session_deliver(session);
    bool goes_on = !session->end_delivered;
    if (session->followers)
        g_cond_broadcast(&session->changed);
    g_mutex_unlock(&session->lock);
    return goes_on;
}

static void source_finalize(GSource *base)
{
    session_unref(((Source *)base)->session);
}

static const GSourceFuncs functions = {
    .prepare = source_prepare,
    .check = source_check,
    .dispatch = source_dispatch,
    .finalize = source_finalize,
};

bool libqmp_session_attach(QmpSession *session, GMainContext *context, GError **error)
{
    int fd = session->transport->descriptor ? session->transport->descriptor(session->peer) : -1;

    if (fd < 0 || session->source) {
        g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_UNSUPPORTED,
                    session->source ? "the session has a main loop already" : "the transport has no descriptor");
        return false;
    }
    GSource *base = g_source_new((GSourceFuncs *)&functions, sizeof(Source));
    Source *source = (Source *)base;
    g_atomic_ref_count_inc(&session->references);
    source->session = session;
    source->condition = G_IO_IN;
    source->descriptor = g_source_add_unix_fd(base, fd, G_IO_IN);
    g_source_set_can_recurse(base, TRUE);
    g_source_set_static_name(base, "libqmp");
    g_mutex_lock(&session->lock);
    session->source = base;
    session->context = g_main_context_ref(context ? context : g_main_context_default());
    g_mutex_unlock(&session->lock);
    g_source_attach(base, context);
    return true;
}

void libqmp_session_detach(QmpSession *session)
{
    g_mutex_lock(&session->lock);
    GSource *source = g_steal_pointer(&session->source);
    GMainContext *context = g_steal_pointer(&session->context);
    g_mutex_unlock(&session->lock);
    if (!source)
        return;
    g_source_destroy(source);
    g_source_unref(source);
    g_main_context_unref(context);
}
