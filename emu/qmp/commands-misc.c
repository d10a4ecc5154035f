/*
 * commands-misc.c: descriptors, and the command line; schema/misc.json.
 *
 * Messages are QEMU's. Different from it: what is taken out of a set is closed at once, not only when the machine runs;
 * a set stays until it is empty, whoever is connected.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "emu/core/fd-set.h"
#include "emu/machine/options.h"
#include "emu/qmp/error.h"
#include "emu/qmp/rights.h"
#include "emu/qmp/server-impl.h"
#include "qapi/commands.h"

/* --- descriptors -------------------------------------------------------------------------------------------------- */

bool qmp_getfd(QmpCall *call, const QmpGetfdArguments *arguments, GError **error)
{
    int fd = qmp_call_take_fd(call, error);

    if (fd < 0)
        return false;
    if (g_ascii_isdigit(*arguments->fdname)) {
        close(fd);
        return qmp_refuse(error, QMP_ERROR_GENERIC, "Parameter 'fdname' expects a name not starting with a digit");
    }
    qmp_rights_keep(qmp_session_rights(call->session), arguments->fdname, fd);
    return true;
}

bool qmp_closefd(QmpCall *call, const QmpClosefdArguments *arguments, GError **error)
{
    int fd = call->session ? qmp_rights_find(qmp_session_rights(call->session), arguments->fdname) : -1;

    if (fd < 0)
        return qmp_refuse(error, QMP_ERROR_GENERIC, "File descriptor named '%s' not found", arguments->fdname);
    close(fd);
    return true;
}

QmpAddfdInfo *qmp_add_fd(QmpCall *call, const QmpAddFdArguments *arguments, GError **error)
{
    int fd = qmp_call_take_fd(call, error);

    if (fd < 0)
        return NULL;
    if (arguments->has_fdset_id && arguments->fdset_id < 0) {
        close(fd);
        qmp_refuse(error, QMP_ERROR_GENERIC, "Parameter 'fdset-id' expects a non-negative value");
        return NULL;
    }
    QmpAddfdInfo *info = g_new0(QmpAddfdInfo, 1);
    info->fdset_id = fd_sets_add(call->server->fd_sets, arguments->has_fdset_id ? arguments->fdset_id : FD_SET_NEW, fd,
                                 arguments->opaque);
    info->fd = fd;
    return info;
}

bool qmp_remove_fd(QmpCall *call, const QmpRemoveFdArguments *arguments, GError **error)
{
    g_autofree char *fd = arguments->has_fd ? g_strdup_printf(", fd:%" PRId64, arguments->fd) : g_strdup("");
    bool known = !arguments->has_fd || arguments->fd >= 0;

    return (known && fd_sets_remove(call->server->fd_sets, arguments->fdset_id,
                                    arguments->has_fd ? arguments->fd : FD_SET_ALL)) ||
           qmp_refuse(error, QMP_ERROR_GENERIC, "File descriptor named 'fdset-id:%" PRId64 "%s' not found",
                      arguments->fdset_id, fd);
}

static QmpFdsetInfo *tell_set(const FdSet *set)
{
    QmpFdsetInfo *info = g_new0(QmpFdsetInfo, 1);

    info->fdset_id = set->id;
    info->fds.items = g_new0(QmpFdsetFdInfo *, set->members->len);
    for (; info->fds.count < set->members->len; info->fds.count++) {
        const FdSetMember *m = set->members->pdata[info->fds.count];
        QmpFdsetFdInfo *fd = info->fds.items[info->fds.count] = g_new0(QmpFdsetFdInfo, 1);
        fd->fd = m->fd;
        fd->opaque = g_strdup(m->opaque);
    }
    return info;
}

/* The last one first, as QEMU has it. */
bool qmp_query_fdsets(QmpCall *call, QmpFdsetInfoList *result, GError **error)
{
    const GPtrArray *all = fd_sets_all(call->server->fd_sets);

    (void)error;
    result->items = g_new0(QmpFdsetInfo *, all->len);
    for (guint i = all->len; i > 0; i--)
        result->items[result->count++] = tell_set(all->pdata[i - 1]);
    return true;
}

/* --- the command line --------------------------------------------------------------------------------------------- */

static QmpCommandLineParameterType type_of(const QapiType *type)
{
    if (type->kind != QAPI_SCALAR)
        return QMP_COMMAND_LINE_PARAMETER_TYPE_STRING;
    if (type->octets)
        return QMP_COMMAND_LINE_PARAMETER_TYPE_SIZE;
    return type->scalar == SCALAR_BOOL ? QMP_COMMAND_LINE_PARAMETER_TYPE_BOOLEAN
                                       : QMP_COMMAND_LINE_PARAMETER_TYPE_NUMBER;
}

static QmpCommandLineOptionInfo *tell(const OptionsKnown *option)
{
    static const QapiMember none = {.name = NULL};
    const QapiMember *keys = option->keys ? option->keys->members : &none;
    QmpCommandLineOptionInfo *info = g_new0(QmpCommandLineOptionInfo, 1);
    size_t count = 0;

    info->option = g_strdup(option->name);
    while (keys[count].name)
        count++;
    info->parameters.items = g_new(QmpCommandLineParameterInfo *, count + 1);
    for (; keys->name; keys++) {
        QmpCommandLineParameterInfo *p = g_new0(QmpCommandLineParameterInfo, 1);
        p->name = g_strdup(keys->name);
        p->type = type_of(keys->type);
        p->help = g_strdup(keys->about);
        info->parameters.items[info->parameters.count++] = p;
    }
    return info;
}

bool qmp_query_command_line_options(QmpCall *call, const QmpQueryCommandLineOptionsArguments *arguments,
                                    QmpCommandLineOptionInfoList *result, GError **error)
{
    const OptionsKnown *known = options_known();
    size_t count = 0;

    (void)call;
    while (known[count].name)
        count++;
    result->items = g_new(QmpCommandLineOptionInfo *, count);
    for (; known->name; known++)
        if (!arguments->option || strcmp(arguments->option, known->name) == 0)
            result->items[result->count++] = tell(known);
    if (result->count || !arguments->option)
        return true;
    g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "invalid option name: %s", arguments->option);
    return false;
}
