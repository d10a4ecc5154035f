/*
 * client-c.c: writes client.c: the commands as functions of libqmp.
 */
#include "tools/qapi-gen/client.h"
#include "tools/qapi-gen/names.h"

static void emit_numbers(Out *out)
{
    emit(out, "\n/* Where they are in the table. */\nenum {\n");
    for (unsigned i = 0; i < out->schema->commands->len; i++) {
        const Definition *command = definition_at(out->schema->commands, i);
        emit_if(out, command->cond);
        emit(out, "    COMMAND_%s,\n", name_upper(out->arena, command->name));
        emit_endif(out, command->cond);
    }
    emit(out, "    COMMAND__MAX\n};\n");
}

/* An argument that must be given. */
static void emit_given(Out *out, const Member *member)
{
    const Definition *type = member->ref.type;
    const char *name = parameter_name(out, member);

    if (type->kind == KIND_LIST)
        emit(out, "    if (%s)\n        to->%s = *%s;\n", name, member->c, name);
    else
        emit(out, "    to->%s = %s%s%s%s;\n", member->c, is_pointer(type) ? "(" : "",
             is_pointer(type) ? c_type(out, type) : "", is_pointer(type) ? ")" : "", name);
}

/* One that may be left out, of options that may be those of an older version. */
static void emit_optional(Out *out, const Definition *command, const Member *member)
{
    const Definition *type = member->ref.type;
    const char *name = option_name(out, member), *c = name_c(out->arena, member->name, false);

    if (has_presence(member))
        emit(out, "    if (WITHIN(options, Libqmp%sOptions, %s) && options->has_%s) {\n        to->has_%s = true;\n",
             command->camel, name, c, c);
    else
        emit(out, "    if (WITHIN(options, Libqmp%sOptions, %s))\n", command->camel, name);
    emit(out, "        to->%s = %s%s%soptions->%s;\n", member->c, is_pointer(type) ? "(" : "",
         is_pointer(type) ? c_type(out, type) : "", is_pointer(type) ? ")" : "", name);
    emit(out, has_presence(member) ? "    }\n" : "");
}

/* The function that makes the struct of parameters and options. */
static void emit_fill(Out *out, const Definition *command)
{
    const GPtrArray *members = command->arguments->all;

    emit(out, "static void fill_%s(Qmp%s *to", name_c(out->arena, command->name, false), command->arguments->camel);
    emit_parameters(out, command, false);
    emit(out, ")\n{\n    *to = (Qmp%s){0};\n", command->arguments->camel);
    for (unsigned i = 0; i < members->len; i++) {
        const Member *member = member_at(members, i);
        emit_if(out, member->cond);
        if (member->optional)
            emit_optional(out, command, member);
        else
            emit_given(out, member);
        emit_endif(out, member->cond);
    }
    emit(out, "}\n\n");
}

/* The struct of arguments, on the stack. */
static void emit_arguments(Out *out, const Definition *command)
{
    if (!is_unpacked(command))
        return;
    emit(out, "    Qmp%s to;\n\n    fill_%s(&to", command->arguments->camel, name_c(out->arena, command->name, false));
    emit_parameters(out, command, true);
    emit(out, ");\n");
}

static void emit_body(Out *out, const Definition *command, Form form)
{
    Result result = result_of(command);
    bool pointer = result == RESULT_POINTER && form != FORM_START;
    const char *place = result == RESULT_NONE ? "NULL" : result == RESULT_STORED ? "result" : "&result";

    emit(out, "\n{\n");
    if (pointer)
        emit(out, "    %sresult = NULL;\n%s", result_type(out, command),
             form == FORM_CALL && is_unpacked(command) ? "" : "\n");
    if (form != FORM_FINISH)
        emit_arguments(out, command);
    emit(out, "    return libqmp_call%s(", form == FORM_CALL ? "" : form == FORM_START ? "_start" : "_finish");
    if (form == FORM_FINISH)
        emit(out, "call");
    else
        emit(out, "session, &libqmp_commands[COMMAND_%s], %s", name_upper(out->arena, command->name),
             !command->arguments    ? "NULL"
             : is_unpacked(command) ? "&to"
                                    : "arguments");
    if (form != FORM_START)
        emit(out, ", %s", place);
    emit(out, ", error)%s;\n}\n", pointer ? " ? result : NULL" : "");
}

static void emit_command(Out *out, const Definition *command)
{
    if (is_unpacked(command))
        emit_fill(out, command);
    for (Form form = FORM_CALL; form <= FORM_FINISH; form++) {
        emit(out, form == FORM_CALL ? "" : "\n");
        emit_call_prototype(out, command, form);
        emit_body(out, command, form);
    }
}

void generate_client_c(Out *out)
{
    emit_head(out, "client.c", "the commands as functions of libqmp.");
    emit(out, "#include \"qapi/client.h\"\n\n");
    emit(out, "/* Do the options, which may be NULL, have the member? */\n"
              "#define WITHIN(options, type, member)                                                              \\\n"
              "    ((options) && (options)->size >= offsetof(type, member) + sizeof((options)->member))\n");
    emit_numbers(out);
    emit_command_table(out, "libqmp", false);
    emit_event_table(out, "libqmp");
    for (unsigned i = 0; i < out->schema->commands->len; i++) {
        const Definition *command = definition_at(out->schema->commands, i);
        emit(out, "\n");
        emit_if(out, command->cond);
        emit_command(out, command);
        emit_endif(out, command->cond);
    }
}
