/* commands-control.c: the session itself; schema/control.json, introspect.json. */
#include <jansson.h>

#include "emu/qmp/error.h"
#include "emu/qmp/server-impl.h"
#include "qapi/commands.h"

bool qmp_qmp_capabilities(QmpCall *call, const QmpQmpCapabilitiesArguments *arguments, GError **error)
{
    bool oob = false;

    (void)error;
    for (size_t i = 0; arguments->has_enable && i < arguments->enable.count; i++)
        oob |= arguments->enable.items[i] == QMP_QMP_CAPABILITY_OOB;
    qmp_session_negotiated(call->session, oob);
    return true;
}

QmpVersionInfo *qmp_query_version(QmpCall *call, GError **error)
{
    (void)call;
    (void)error;
    return qmp_version_new();
}

bool qmp_query_commands(QmpCall *call, QmpCommandInfoList *result, GError **error)
{
    const QmpTable *table = &call->server->config.table;

    (void)error;
    result->items = g_new0(QmpCommandInfo *, table->count);
    for (; result->count < table->count; result->count++) {
        QmpCommandInfo *info = result->items[result->count] = g_new0(QmpCommandInfo, 1);
        info->name = g_strdup(table->commands[result->count].name);
    }
    return true;
}

struct json_t *qmp_query_qmp_schema(QmpCall *call, GError **error)
{
    json_t *schema = qmp_server_schema(call->server);

    if (!schema)
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "this program has no description of its commands");
    return json_incref(schema);
}

bool qmp_query_events(QmpCall *call, QmpEventInfoList *result, GError **error)
{
    const QmpServerConfig *config = &call->server->config;

    (void)error;
    result->items = g_new0(QmpEventInfo *, config->event_count);
    for (; result->count < config->event_count; result->count++) {
        QmpEventInfo *info = result->items[result->count] = g_new0(QmpEventInfo, 1);
        const QapiEvent *event = &config->events[result->count];
        info->name = g_strdup(event->name);
        info->masked = qmp_event_is_masked(event);
        info->subscribed = qmp_session_hears(call->session, event);
    }
    return true;
}

bool qmp_subscribe_events(QmpCall *call, const QmpSubscribeEventsArguments *arguments, GError **error)
{
    for (size_t i = 0; i < arguments->events.count; i++)
        if (!qmp_server_find_event(call->server, arguments->events.items[i])) {
            g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "subscribe-events.events.%zu: there is no event '%s'", i,
                        arguments->events.items[i]);
            return false;
        }
    for (size_t i = 0; i < arguments->events.count; i++)
        qmp_session_set_hears(call->session, qmp_server_find_event(call->server, arguments->events.items[i]),
                              !arguments->has_enable || arguments->enable);
    return true;
}

bool qmp_quit(QmpCall *call, GError **error)
{
    const QmpServerConfig *config = &call->server->config;

    (void)error;
    if (config->quit)
        config->quit(config->opaque);
    return true;
}
