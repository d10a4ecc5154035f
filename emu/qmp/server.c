/* server.c: all sessions of QMP. */
#include "emu/qmp/server.h"

#include <jansson.h>
#include <string.h>

#include "emu/machine/pc.h"
#include "emu/qmp/error.h"
#include "emu/qmp/server-impl.h"

static void hand_on(void *opaque, const QmpEventText *text)
{
    QmpServer *server = opaque;

    for (guint i = 0; i < server->sessions->len; i++)
        qmp_session_tell(server->sessions->pdata[i], text);
}

QmpServer *qmp_server_new(const QmpServerConfig *config)
{
    QmpServer *server = g_new0(QmpServer, 1);

    server->config = *config;
    server->sessions = g_ptr_array_new_with_free_func((GDestroyNotify)qmp_session_free);
    server->line = qmp_text_new(false);
    server->pretty = qmp_text_new(true);
    server->events = qmp_events_new(config->context, hand_on, server);
    return server;
}

void qmp_server_free(QmpServer *server)
{
    if (!server)
        return;
    g_ptr_array_unref(server->sessions);
    qmp_events_free(server->events);
    qmp_text_free(server->line);
    qmp_text_free(server->pretty);
    if (server->schema)
        json_decref(server->schema);
    g_free(server);
}

void qmp_server_add(QmpServer *server, const QmpLine *line)
{
    g_ptr_array_add(server->sessions, qmp_session_new(server, line));
}

void qmp_server_set_vm(QmpServer *server, Vm *vm)
{
    server->vm = vm;
}

void qmp_server_set_fd_sets(QmpServer *server, FdSets *sets)
{
    server->fd_sets = sets;
}

QmpEvents *qmp_server_events(QmpServer *server)
{
    return server ? server->events : NULL;
}

const QapiEvent *qmp_server_find_event(const QmpServer *server, const char *name)
{
    for (size_t i = 0; i < server->config.event_count; i++)
        if (strcmp(server->config.events[i].name, name) == 0)
            return &server->config.events[i];
    return NULL;
}

const QmpServerConfig *qmp_server_get_config(const QmpServer *server)
{
    return &server->config;
}

json_t *qmp_server_schema(QmpServer *server)
{
    if (!server->schema && server->config.schema)
        server->schema = json_loads(server->config.schema, 0, NULL);
    return server->schema;
}

unsigned qmp_server_clients(const QmpServer *server)
{
    unsigned count = 0;

    for (guint i = 0; i < server->sessions->len; i++)
        count += qmp_session_is_ready(server->sessions->pdata[i]);
    return count;
}

QmpVersionInfo *qmp_version_new(void)
{
    QmpVersionInfo *version = g_new0(QmpVersionInfo, 1);

    /* Clients look at the number to know what they can ask for: it is QEMU's whose machine this is. */
    version->qemu = g_new0(QmpVersionTriple, 1);
    *version->qemu = (QmpVersionTriple){.major = 7, .minor = 2, .micro = 0};
    version->package = g_strdup_printf("%s %s", pc_identity()->writer, pc_identity()->writer_version);
    return version;
}

/* --- what handlers ask ------------------------------------------------------------------------------------------ */

Vm *qmp_call_vm(const QmpCall *call)
{
    return call->server->vm;
}

bool qmp_call_configure(const QmpCall *call, const QmpConfiguration *more, GError **error)
{
    const QmpServerConfig *config = &call->server->config;

    if (call->server->vm || !config->configure)
        return qmp_refuse(error, QMP_ERROR_GENERIC, "The command is permitted only before machine initialization");
    return config->configure(config->opaque, more, error);
}

QmpEvents *qmp_call_events(const QmpCall *call)
{
    return call->server->events;
}
