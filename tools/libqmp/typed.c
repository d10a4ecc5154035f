/* typed.c: commands and events whose arguments, results and data are C values. */
#include <jansson.h>

#include "tools/libqmp/session-impl.h"
#include "visitors/bytes.h"
#include "visitors/json-write.h"

/* --- there -------------------------------------------------------------------------------------------------------- */

/* As text, for jansson has no integers above 2^63 - 1. New. */
static char *arguments_text(const QapiType *type, const void *arguments)
{
    ByteOut text = {.data = NULL};
    ChanOut *out = chan_out_new(chan_buf_new(&text));
    JsonWrite *json = json_write_new(out, 0);

    qapi_write(json, NULL, type, &arguments);
    json_write_free(json);
    chan_out_finish(out, NULL);
    chan_out_free(out);
    /* A request is one line: within a string there is no line feed. */
    char *line = g_strdelimit(g_strndup((const char *)text.data, text.len), "\n", ' ');
    byte_out_done(&text);
    return line;
}

/* Nobody says that it was done. */
static void expect_no_reply(LibqmpCall *call)
{
    g_mutex_lock(&call->session->lock);
    if (!call->done)
        session_call_given_up(call, json_object(), NULL);
    g_mutex_unlock(&call->session->lock);
}

static LibqmpCall *start(QmpSession *session, const QapiCommand *command, const void *arguments, unsigned flags,
                         GError **error)
{
    g_autofree char *text = command->arguments && arguments ? arguments_text(command->arguments, arguments) : NULL;
    LibqmpCall *call = session_start(session, command->name, text, flags, error);

    if (!call)
        return NULL;
    call->command = command;
    if (command->flags & QAPI_NO_REPLY)
        expect_no_reply(call);
    return call;
}

LibqmpCall *libqmp_call_start(QmpSession *session, const QapiCommand *command, const void *arguments, GError **error)
{
    return start(session, command, arguments, 0, error);
}

LibqmpCall *libqmp_call_start_oob(QmpSession *session, const QapiCommand *command, const void *arguments,
                                  GError **error)
{
    return start(session, command, arguments, LIBQMP_OOB, error);
}

/* --- and back ----------------------------------------------------------------------------------------------------- */

static bool load(const QapiType *type, void *value, json_t *said, const char *root, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (qapi_from_reply(type, value, said, root, &why))
        return true;
    g_set_error_literal(error, LIBQMP_ERROR, LIBQMP_ERROR_REPLY, why->message);
    return false;
}

bool libqmp_call_finish(LibqmpCall *call, void *result, GError **error)
{
    const QapiCommand *command = call->command;
    json_t *said = libqmp_execute_finish(call, error);
    bool ok = said != NULL;

    if (ok && result && command && command->result)
        ok = load(command->result, result, said, command->name, error);
    json_decref(said);
    return ok;
}

bool libqmp_call(QmpSession *session, const QapiCommand *command, const void *arguments, void *result, GError **error)
{
    LibqmpCall *call = libqmp_call_start(session, command, arguments, error);

    return call && libqmp_call_finish(call, result, error);
}

bool libqmp_event_value(const LibqmpEvent *event, const QapiEvent *type, void *value, GError **error)
{
    if (!type->data)
        return true;
    json_t *data = event->data ? json_incref((json_t *)event->data) : json_object();
    bool ok = load(type->data, value, data, event->name, error);
    json_decref(data);
    return ok;
}
