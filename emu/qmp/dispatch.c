/* dispatch.c: from a request to its answer. Source of what a request is: QEMU's docs/interop/qmp-spec.txt. */
#include "emu/qmp/dispatch.h"

#include <jansson.h>
#include <string.h>

#include "emu/qmp/error.h"
#include "visitors/json-write.h"
#include "visitors/words.h"

struct QmpRequest {
    QmpInput input;
    const char *name;  /* of the command; NULL: not known yet */
    json_t *arguments; /* in `input`; NULL: none are given */
    bool oob;
    QmpExtent extent;
};

static const char negotiation[] = "qmp_capabilities";

QmpRequest *qmp_request_new(QmpInput *input)
{
    QmpRequest *r = g_new0(QmpRequest, 1);

    r->input = *input;
    *input = (QmpInput){0};
    r->oob = json_is_object(r->input.json) && json_object_get(r->input.json, "exec-oob");
    return r;
}

void qmp_request_free(QmpRequest *r)
{
    if (!r)
        return;
    qmp_input_clear(&r->input);
    g_free(r);
}

void qmp_request_place(QmpRequest *r, QmpExtent extent)
{
    r->extent = extent;
}

QmpExtent qmp_request_extent(const QmpRequest *r)
{
    return r->extent;
}

bool qmp_request_is_oob(const QmpRequest *r)
{
    return r->oob;
}

/* --- what it asks for ------------------------------------------------------------------------------------------- */

static bool take_name(QmpRequest *r, const char *key, const json_t *value, GError **error)
{
    if (!json_is_string(value))
        return qmp_refuse(error, QMP_ERROR_GENERIC, "QMP input member '%s' must be a string", key);
    if (r->name)
        return qmp_refuse(error, QMP_ERROR_GENERIC, "QMP input member 'execute' clashes with 'exec-oob'");
    r->name = json_string_value(value);
    return true;
}

static bool take_member(QmpRequest *r, unsigned rules, const char *key, json_t *value, GError **error)
{
    if (strcmp(key, "execute") == 0 || (strcmp(key, "exec-oob") == 0 && rules & QMP_HAS_OOB))
        return take_name(r, key, value, error);
    if (strcmp(key, "id") == 0)
        return true;
    if (strcmp(key, "arguments") != 0)
        return qmp_refuse(error, QMP_ERROR_GENERIC, "QMP input member '%s' is unexpected", key);
    if (!json_is_object(value))
        return qmp_refuse(error, QMP_ERROR_GENERIC, "QMP input member 'arguments' must be an object");
    r->arguments = value;
    return true;
}

static bool take_members(QmpRequest *r, unsigned rules, GError **error)
{
    const char *key;
    json_t *value;

    if (!json_is_object(r->input.json))
        return qmp_refuse(error, QMP_ERROR_GENERIC, "QMP input must be a JSON object");
    json_object_foreach (r->input.json, key, value)
        if (!take_member(r, rules, key, value, error))
            return false;
    if (!r->name)
        return qmp_refuse(error, QMP_ERROR_GENERIC, "QMP input lacks member 'execute'");
    return true;
}

static bool refuse_unknown(const char *name, const QmpTable *table, GError **error)
{
    g_autofree const char **names = g_new0(const char *, table->count + 1);

    for (size_t i = 0; i < table->count; i++)
        names[i] = table->commands[i].name;
    const char *meant = words_nearest(names, name);
    return qmp_refuse(error, QMP_ERROR_COMMAND_NOT_FOUND, "The command %s has not been found%s%s%s", name,
                      meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
}

bool qmp_command_allowed(const QapiCommand *command, unsigned rules, GError **error)
{
    return !(rules & QMP_PRECONFIG) || command->flags & QAPI_ALLOW_PRECONFIG ||
           qmp_refuse(error, QMP_ERROR_GENERIC,
                      "The command %s is not permitted before the machine is there (x-exit-preconfig makes it)",
                      command->name);
}

/* NULL: it may not be asked, or not now. */
static const QapiCommand *find(const QmpRequest *r, const QmpTable *table, unsigned rules, GError **error)
{
    bool negotiates = strcmp(r->name, negotiation) == 0;

    if (rules & QMP_NEGOTIATES && !negotiates) {
        qmp_refuse(error, QMP_ERROR_COMMAND_NOT_FOUND,
                   "Expecting capabilities negotiation with 'qmp_capabilities' before the command %s", r->name);
        return NULL;
    }
    if (!(rules & QMP_NEGOTIATES) && negotiates) {
        qmp_refuse(error, QMP_ERROR_COMMAND_NOT_FOUND, "Capabilities negotiation is already complete, command ignored");
        return NULL;
    }
    const QapiCommand *command = qapi_command_find(table->commands, table->count, r->name);
    if (!command)
        refuse_unknown(r->name, table, error);
    else if (r->oob && !(command->flags & QAPI_ALLOW_OOB))
        qmp_refuse(error, QMP_ERROR_GENERIC, "The command %s does not support OOB", r->name);
    else if (qmp_command_allowed(command, rules, error))
        return command;
    return NULL;
}

/* --- doing it --------------------------------------------------------------------------------------------------- */

/* A struct that has nothing in it, which is as good as no arguments. */
static bool refuse_arguments(const QmpRequest *r, GError **error)
{
    const char *first = r->arguments ? json_object_iter_key(json_object_iter(r->arguments)) : NULL;

    return !first ||
           qmp_refuse(error, QMP_ERROR_GENERIC, "%s: it takes no arguments, and '%s' is given", r->name, first);
}

static bool load_arguments(const QmpRequest *r, const QapiType *type, void **arguments, GError **error)
{
    json_t *none = r->arguments ? NULL : json_object();
    json_t *given = none ? none : r->arguments;
    bool ok = true;

    if (type->kind == QAPI_ANY)
        *arguments = json_incref(given);
    else
        ok = qapi_from_json(type, arguments, given, r->name, error);
    if (none)
        json_decref(none);
    return ok;
}

bool qmp_command_run(QmpCall *call, void *arguments, QmpResult *result, GError **error)
{
    const QapiCommand *command = call->command;
    g_autoptr(GError) why = NULL;

    *result = (QmpResult){.list = {0}};
    bool ok = command->run(call, arguments, result, &why);
    if (command->arguments)
        qapi_clear(command->arguments, &arguments);
    if (!ok && command->result)
        qapi_clear(command->result, result); /* what was made of it before it failed */
    if (!ok && !why)
        qmp_refuse(&why, QMP_ERROR_GENERIC, "%s: it has failed", command->name);
    if (!ok)
        g_propagate_error(error, g_steal_pointer(&why));
    return ok;
}

static bool run(const QmpRequest *r, QmpCall *call, QmpResult *result, GError **error)
{
    const QapiType *type = call->command->arguments;
    void *arguments = NULL;

    if (type ? !load_arguments(r, type, &arguments, error) : !refuse_arguments(r, error))
        return false;
    return qmp_command_run(call, arguments, result, error);
}

static bool attempt(QmpRequest *r, const QmpTable *table, unsigned rules, QmpCall *call, QmpResult *result)
{
    GError **error = &r->input.error;

    if (*error || !take_members(r, rules, error))
        return false;
    call->command = find(r, table, rules, error);
    call->oob = r->oob;
    call->extent = r->extent;
    return call->command && run(r, call, result, error);
}

/* --- the answer ------------------------------------------------------------------------------------------------- */

static void write_error(JsonWrite *out, const GError *error)
{
    json_write_object_start(out, "error");
    json_write_string(out, "class", qmp_error_class(error));
    json_write_string(out, "desc", error->message);
    json_write_object_end(out);
}

static void write_result(JsonWrite *out, const QapiType *type, QmpResult *result)
{
    if (type) {
        qapi_write(out, "return", type, result);
        qapi_clear(type, result);
        return;
    }
    json_write_object_start(out, "return");
    json_write_object_end(out);
}

bool qmp_request_answer(QmpRequest *r, const QmpTable *table, unsigned rules, QmpCall *call, QmpText *text)
{
    QmpResult result;
    bool ok = attempt(r, table, rules, call, &result);

    if (ok && call->command->flags & QAPI_NO_REPLY)
        return false;
    JsonWrite *out = qmp_text_start(text);
    json_write_object_start(out, NULL);
    if (ok)
        write_result(out, call->command->result, &result);
    else
        write_error(out, r->input.error);
    if (r->input.id)
        json_write_number(out, "id", r->input.id);
    json_write_object_end(out);
    return true;
}
