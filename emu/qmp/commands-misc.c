/*
 * commands-misc.c: descriptors, and the command line; schema/misc.json.
 *
 * Not done: descriptors that come along with a command. The lines of monitors read octets only, so that no descriptor
 * is ever kept, and no set has one.
 */
#include <inttypes.h>
#include <string.h>

#include "emu/machine/options.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "qapi/commands.h"

/* --- descriptors -------------------------------------------------------------------------------------------------- */

static bool fail_rights(const char *command, GError **error)
{
    g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC,
                "%s: this version takes no descriptors along with commands (SCM_RIGHTS)", command);
    return false;
}

bool qmp_getfd(QmpCall *call, const QmpGetfdArguments *arguments, GError **error)
{
    (void)call;
    (void)arguments;
    return fail_rights("getfd", error);
}

bool qmp_closefd(QmpCall *call, const QmpClosefdArguments *arguments, GError **error)
{
    (void)call;
    g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "File descriptor named '%s' not found", arguments->fdname);
    return false;
}

QmpAddfdInfo *qmp_add_fd(QmpCall *call, const QmpAddFdArguments *arguments, GError **error)
{
    (void)call;
    (void)arguments;
    fail_rights("add-fd", error);
    return NULL;
}

bool qmp_remove_fd(QmpCall *call, const QmpRemoveFdArguments *arguments, GError **error)
{
    g_autofree char *fd = arguments->has_fd ? g_strdup_printf(", fd:%" PRId64, arguments->fd) : g_strdup("");

    (void)call;
    g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "File descriptor named 'fdset-id:%" PRId64 "%s' not found",
                arguments->fdset_id, fd);
    return false;
}

bool qmp_query_fdsets(QmpCall *call, QmpFdsetInfoList *result, GError **error)
{
    (void)call;
    (void)result;
    (void)error;
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
