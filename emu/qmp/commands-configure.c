/* commands-configure.c: a machine that is not there yet; schema/options.json. */
#include "emu/qmp/error.h"
#include "emu/qmp/server-impl.h"
#include "qapi/commands.h"

bool qmp_configure(QmpCall *call, const QmpConfiguration *arguments, GError **error)
{
    const char *late = arguments->has_preconfig   ? "preconfig"
                       : arguments->has_daemonize ? "daemonize"
                       : arguments->pidfile       ? "pidfile"
                                                  : NULL;

    if (late)
        return qmp_refuse(error, QMP_ERROR_GENERIC, "configure.%s: it is for the command line only", late);
    return qmp_call_configure(call, arguments, error);
}

bool qmp_x_exit_preconfig(QmpCall *call, GError **error)
{
    const QmpServerConfig *config = &call->server->config;

    if (call->server->vm || !config->make)
        return qmp_refuse(error, QMP_ERROR_GENERIC, "The command is permitted only before machine initialization");
    return config->make(config->opaque, error);
}
