/*
 * client-h.c: writes client.h: a function of libqmp for each command.
 */
#include <string.h>

#include "tools/qapi-gen/client.h"
#include "tools/qapi-gen/names.h"

bool is_unpacked(const Definition *command)
{
    return command->arguments && !command->no_gen && !command->boxed;
}

bool has_options(const Definition *command)
{
    for (unsigned i = 0; is_unpacked(command) && i < command->arguments->all->len; i++) {
        if (member_at(command->arguments->all, i)->optional)
            return true;
    }
    return false;
}

const char *parameter_name(const Out *out, const Member *member)
{
    static const char *const ours[] = {"session", "options", "result", "error", "arguments"};

    for (size_t i = 0; i < G_N_ELEMENTS(ours); i++) {
        if (strcmp(member->c, ours[i]) == 0)
            return arena_print(out->arena, "q_%s", member->c);
    }
    return member->c;
}

const char *option_name(const Out *out, const Member *member)
{
    return strcmp(member->c, "size") == 0 ? arena_print(out->arena, "q_%s", member->c) : member->c;
}

const char *borrowed_type(const Out *out, const Definition *type)
{
    return is_pointer(type) || type->kind == KIND_LIST
               ? arena_print(out->arena, "const %s%s", c_type(out, type), type->kind == KIND_LIST ? "*" : "")
               : c_type(out, type);
}

static void emit_parameter(Out *out, const Member *member, bool name_only)
{
    const char *type = name_only ? "" : borrowed_type(out, member->ref.type);

    if (member->optional)
        return;
    emit(out, member->cond ? "\n" : "");
    emit_if(out, member->cond);
    emit_next(out, arena_print(out->arena, "%s%s", type, parameter_name(out, member)));
    emit(out, member->cond ? "\n" : "");
    emit_endif(out, member->cond);
}

void emit_parameters(Out *out, const Definition *command, bool names_only)
{
    const Definition *arguments = command->arguments;

    for (unsigned i = 0; is_unpacked(command) && i < arguments->all->len; i++)
        emit_parameter(out, member_at(arguments->all, i), names_only);
    if (has_options(command))
        emit_next(out,
                  names_only ? "options" : arena_print(out->arena, "const Libqmp%sOptions *options", command->camel));
    if (!arguments || is_unpacked(command))
        return;
    if (names_only)
        emit_next(out, "arguments");
    else if (command->no_gen)
        emit_next(out, "const struct json_t *arguments");
    else
        emit_next(out, arena_print(out->arena, "const Qmp%s *arguments", arguments->camel));
}

void emit_call_prototype(Out *out, const Definition *command, Form form)
{
    static const char *const suffixes[] = {"", "_start", "_finish"};
    Result result = result_of(command);
    const char *type = form == FORM_START         ? "LibqmpCall *"
                       : result == RESULT_POINTER ? result_type(out, command)
                                                  : "bool ";

    emit(out, "%slibqmp_%s%s(%s", type, name_c(out->arena, command->name, false), suffixes[form],
         form == FORM_FINISH ? "LibqmpCall *call" : "QmpSession *session");
    if (form != FORM_FINISH)
        emit_parameters(out, command, false);
    if (form != FORM_START && result == RESULT_STORED)
        emit_next(out, arena_print(out->arena, "%s*result", result_type(out, command)));
    emit_next(out, "GError **error)");
}

static void emit_option(Out *out, const Member *member)
{
    const Definition *type = member->ref.type;
    const char *c = name_c(out->arena, member->name, false), *align = " LIBQMP_OPTION";

    if (!member->optional)
        return;
    emit_if(out, member->cond);
    emit_comment(out, "    ", doc_summary(out->arena, member->about));
    if (has_presence(member))
        emit(out, "    bool has_%s%s;\n", c, align);
    emit(out, "    %s%s%s;\n", type->kind == KIND_LIST ? c_type(out, type) : borrowed_type(out, type),
         option_name(out, member), has_presence(member) ? "" : align);
    emit_endif(out, member->cond);
}

static void emit_options(Out *out, const Definition *command)
{
    const char *upper = name_upper(out->arena, command->name);

    emit(out, "typedef struct Libqmp%sOptions {\n    size_t size;\n", command->camel);
    for (unsigned i = 0; i < command->arguments->all->len; i++)
        emit_option(out, member_at(command->arguments->all, i));
    emit(out, "} Libqmp%sOptions;\n", command->camel);
    emit(out, "#define LIBQMP_%s_OPTIONS(...) (&(Libqmp%sOptions){.size = sizeof(Libqmp%sOptions), __VA_ARGS__})\n",
         upper, command->camel, command->camel);
}

/* What the arguments are that have a parameter each. */
static const char *explain(Out *out, const Definition *command)
{
    g_autoptr(GString) text = g_string_new(command->doc ? doc_summary(out->arena, command->doc->body) : command->name);
    bool first = true;

    for (unsigned i = 0; is_unpacked(command) && i < command->arguments->all->len; i++) {
        const Member *member = member_at(command->arguments->all, i);
        if (member->optional || member->about[0] == 0)
            continue;
        g_string_append_printf(text, "%s `%s`: %s", first ? "" : ";", parameter_name(out, member),
                               doc_summary(out->arena, member->about));
        first = false;
    }
    return arena_text(out->arena, text->str, text->len);
}

static void emit_command(Out *out, const Definition *command)
{
    if (has_options(command))
        emit_options(out, command);
    emit_comment(out, "", explain(out, command));
    for (Form form = FORM_CALL; form <= FORM_FINISH; form++) {
        emit_call_prototype(out, command, form);
        emit(out, ";\n");
    }
}

static const char head[] =
    "/*\n"
    " * client.h: the commands as functions of libqmp.\n"
    " *\n"
    " * Each is there three times: libqmp_NAME waits for the reply; libqmp_NAME_start does not, and libqmp_NAME_finish\n"
    " * waits for it then, and frees the call. A result that is a pointer is new, and NULL if the call failed; any other\n"
    " * goes where `result` points, and false tells that the call failed. What is given is borrowed. Options that may be\n"
    " * left out are in a struct (NULL: none), which may have more members in a later version:\n"
    " *\n"
    " *     libqmp_migrate(session, uri, LIBQMP_MIGRATE_OPTIONS(.has_detach = true, .detach = true), &error)\n"
    " *\n"
    " * Made by qapi-gen from the schema: do not edit.\n"
    " */\n"
    "#ifndef QAPI_CLIENT_H\n#define QAPI_CLIENT_H\n\n#include \"qapi/types.h\"\n\n"
    "typedef struct QmpSession QmpSession;\ntypedef struct LibqmpCall LibqmpCall;\n\n"
    "/* An option never lies where a struct without it had nothing: that may be anything. */\n"
    "#define LIBQMP_OPTION __attribute__((aligned(8)))\n\n"
    "/* In the order of strcmp; name NULL ends them. */\n"
    "extern const QapiCommand libqmp_commands[];\nextern const size_t libqmp_command_count;\n"
    "extern const QapiEvent libqmp_events[];\nextern const size_t libqmp_event_count;\n\n"
    "/* What they rest on: see libqmp.h. */\n"
    "LibqmpCall *libqmp_call_start(QmpSession *session, const QapiCommand *command, const void *arguments, GError **error);\n"
    "bool libqmp_call_finish(LibqmpCall *call, void *result, GError **error);\n"
    "bool libqmp_call(QmpSession *session, const QapiCommand *command, const void *arguments, void *result, GError **error);\n";

void generate_client_h(Out *out)
{
    emit(out, "%s", head);
    for (unsigned i = 0; i < out->schema->commands->len; i++) {
        const Definition *command = definition_at(out->schema->commands, i);
        emit(out, "\n");
        emit_if(out, command->cond);
        emit_command(out, command);
        emit_endif(out, command->cond);
    }
    emit(out, "\n#endif\n");
}
