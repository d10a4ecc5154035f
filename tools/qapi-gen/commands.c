/*
 * commands.c: writes commands.h and commands.c: what handlers of commands look like, and the table that calls them.
 */
#include "tools/qapi-gen/emit.h"
#include "tools/qapi-gen/names.h"

Result result_of(const Definition *d)
{
    const Definition *type = d->returns.type;

    if (!type)
        return RESULT_NONE;
    if (d->no_gen)
        return RESULT_POINTER;
    return is_object(type) || g_str_equal(type->name, "str") ? RESULT_POINTER : RESULT_STORED;
}

const char *result_type(const Out *out, const Definition *d)
{
    return d->no_gen ? "struct json_t *" : c_type(out, d->returns.type);
}

static void emit_prototype(Out *out, const Definition *d)
{
    Result result = result_of(d);

    emit(out, "%sqmp_%s(QmpCall *call", result == RESULT_POINTER ? result_type(out, d) : "bool ",
         name_c(out->arena, d->name, false));
    if (d->arguments && d->no_gen)
        emit_next(out, "struct json_t *arguments");
    else if (d->arguments)
        emit_next(out, arena_print(out->arena, "const Qmp%s *arguments", d->arguments->camel));
    if (result == RESULT_STORED)
        emit_next(out, arena_print(out->arena, "%s*result", result_type(out, d)));
    emit_next(out, "GError **error)");
}

void generate_commands_h(Out *out)
{
    const GPtrArray *commands = out->schema->commands;

    emit_head(out, "commands.h", "what handles a command; emu/qmp/ has a function for each.");
    emit(out, "#ifndef QAPI_COMMANDS_H\n#define QAPI_COMMANDS_H\n\n#include \"qapi/types.h\"\n\n");
    emit(
        out,
        "/* One command that is being done, and for whom: emu/qmp/ knows more. */\ntypedef struct QmpCall QmpCall;\n\n");
    emit(out, "/* In the order of strcmp; name NULL ends them. Their context is the QmpCall. */\n"
              "extern const QapiCommand qmp_commands[];\nextern const size_t qmp_command_count;\n");
    for (unsigned i = 0; i < commands->len; i++) {
        const Definition *d = definition_at(commands, i);
        emit(out, "\n");
        emit_if(out, d->cond);
        if (d->doc)
            emit_comment(out, "", doc_summary(out->arena, d->doc->body));
        emit_prototype(out, d);
        emit(out, ";\n");
        emit_endif(out, d->cond);
    }
    emit(out, "\n#endif\n");
}

static void emit_run(Out *out, const Definition *d)
{
    const char *c = name_c(out->arena, d->name, false);
    Result result = result_of(d);

    emit(out, "static bool run_%s(void *context, const void *arguments, void *result, GError **error)\n{\n", c);
    if (result == RESULT_POINTER)
        emit(out, "    %s*where = result;\n\n", result_type(out, d));
    if (!d->arguments)
        emit(out, "    (void)arguments;\n");
    if (result == RESULT_NONE)
        emit(out, "    (void)result;\n");
    emit(out, result == RESULT_POINTER ? "    *where = qmp_%s(context" : "    return qmp_%s(context", c);
    if (d->arguments)
        emit(out, d->no_gen ? ", (struct json_t *)arguments" : ", arguments");
    emit(out, "%s, error);\n", result == RESULT_STORED ? ", result" : "");
    emit(out, result == RESULT_POINTER ? "    return *where != NULL;\n}\n" : "}\n");
}

static void emit_flags(Out *out, const Definition *d)
{
    const char *separator = ",\n        .flags = ";

    if (d->allow_oob)
        emit(out, "%sQAPI_ALLOW_OOB", separator), separator = " | ";
    if (d->allow_preconfig)
        emit(out, "%sQAPI_ALLOW_PRECONFIG", separator), separator = " | ";
    if (d->no_reply)
        emit(out, "%sQAPI_NO_REPLY", separator);
}

void emit_command_table(Out *out, const char *prefix, bool run)
{
    const GPtrArray *commands = out->schema->commands;

    emit(out, "\nconst QapiCommand %s_commands[] = {\n", prefix);
    for (unsigned i = 0; i < commands->len; i++) {
        const Definition *d = definition_at(commands, i);
        emit_if(out, d->cond);
        emit(out, "    {\n        .name = \"%s\"", d->name);
        if (d->arguments)
            emit(out, ",\n        .arguments = &qmp_type_%s", d->no_gen ? "any" : d->arguments->camel);
        if (d->returns.type)
            emit(out, ",\n        .result = &qmp_type_%s", d->no_gen ? "any" : type_symbol(d->returns.type));
        emit_flags(out, d);
        emit_features(out, "        ", d->features);
        emit_about(out, "        ", d->doc ? d->doc->body : "");
        if (run)
            emit(out, ",\n        .run = run_%s", name_c(out->arena, d->name, false));
        emit(out, ",\n    },\n");
        emit_endif(out, d->cond);
    }
    emit(out, "    {.name = NULL},\n};\n");
    emit(out, "const size_t %s_command_count = sizeof(%s_commands) / sizeof(%s_commands[0]) - 1;\n", prefix, prefix,
         prefix);
}

void generate_commands_c(Out *out)
{
    const GPtrArray *commands = out->schema->commands;

    emit_head(out, "commands.c", "the table of commands, and what calls their handlers.");
    emit(out, "#include \"qapi/commands.h\"\n");
    for (unsigned i = 0; i < commands->len; i++) {
        const Definition *d = definition_at(commands, i);
        emit(out, "\n");
        emit_if(out, d->cond);
        emit_run(out, d);
        emit_endif(out, d->cond);
    }
    emit_command_table(out, "qmp", true);
}
