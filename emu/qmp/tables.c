/* tables.c: what qapi-gen makes of the schema, for the server. It needs all handlers. */
#include "emu/qmp/server.h"
#include "qapi/commands.h"
#include "qapi/events.h"
#include "qapi/introspect.h"

QmpServerConfig qmp_server_config(void)
{
    return (QmpServerConfig){.table = {qmp_commands, qmp_command_count},
                             .events = qmp_events,
                             .event_count = qmp_event_count,
                             .schema = qmp_introspection};
}
