/* receive.c: what the peer says goes to whom it concerns. */
#include "tools/libqmp/session-impl.h"

#include <jansson.h>

static void fail_protocol(QmpSession *session, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void fail_protocol(QmpSession *session, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    session_end(session, g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_PROTOCOL, "the peer does not speak QMP: %s", what));
}

static void receive_greeting(QmpSession *session, const json_t *message)
{
    json_t *greeting = json_object_get(message, "QMP");

    if (!json_is_object(greeting))
        fail_protocol(session, "its first message is no greeting");
    else
        session->greeting = json_incref(greeting);
}

/* An error without an id answers what the server could not read. It does so in order. */
static LibqmpCall *oldest_in_band(const QmpSession *session)
{
    for (GList *link = session->waiting.head; link; link = link->next)
        if (!((LibqmpCall *)link->data)->oob)
            return link->data;
    return NULL;
}

/* The call that is answered; NULL: there is none any more, or the session has ended. */
static LibqmpCall *answered(QmpSession *session, const json_t *message)
{
    const json_t *id = json_object_get(message, "id");
    gint64 key = json_integer_value(id);
    LibqmpCall *call = json_is_integer(id) ? g_hash_table_lookup(session->calls, &key) : NULL;

    if (!id && json_object_get(message, "error"))
        return oldest_in_band(session);
    if (!call && (!json_is_integer(id) || !g_hash_table_remove(session->late, &key)))
        fail_protocol(session, "it answers what it was not asked");
    return call;
}

static void receive_reply(QmpSession *session, const json_t *message)
{
    LibqmpCall *call = answered(session, message);
    const json_t *error = json_object_get(message, "error");

    if (!call)
        return;
    if (error)
        session_call_done(call, NULL, session_server_error(error));
    else
        session_call_done(call, json_incref(json_object_get(message, "return")), NULL);
}

void session_receive(QmpSession *session, json_t *message)
{
    if (!session->greeting && !session->transport->negotiated)
        receive_greeting(session, message);
    else if (json_object_get(message, "return") || json_object_get(message, "error"))
        receive_reply(session, message);
    else if (json_is_string(json_object_get(message, "event")))
        session_event(session, message);
    else
        fail_protocol(session, "its message is neither a reply nor an event");
    json_decref(message);
}
