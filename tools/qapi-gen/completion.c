/*
 * completion.c: writes completion.json: {COMMAND: {ARGUMENT: {"type", "values", "about", "optional"}}}, for shells.
 *
 * Of a union it has the members of every branch, as such that may be missing.
 */
#include <string.h>

#include "tools/qapi-gen/emit.h"
#include "tools/qapi-gen/text.h"

static const char *json_string(const Out *out, const char *text)
{
    GString *json = g_string_new("\"");

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_c(json, '\\');
        if (*p < 0x20)
            g_string_append_printf(json, "\\u%04x", *p);
        else
            g_string_append_c(json, (char)*p);
    }
    g_string_append_c(json, '"');
    return arena_take(out->arena, g_string_free(json, FALSE));
}

static void put_values(Out *out, const Definition *type)
{
    if (type->kind == KIND_LIST)
        type = type->element;
    emit(out, ", \"values\": [");
    if (type->kind == KIND_BUILTIN && strcmp(type->name, "bool") == 0)
        emit(out, "\"true\", \"false\"");
    for (unsigned i = 0; type->kind == KIND_ENUM && i < type->members->len; i++)
        emit(out, "%s\"%s\"", i ? ", " : "", member_at(type->members, i)->name);
    emit(out, "]");
}

/* Arguments; those that are in `seen` were told. */
static void put_arguments(Out *out, const GPtrArray *members, bool branch, GHashTable *seen)
{
    for (unsigned i = 0; i < members->len; i++) {
        const Member *member = member_at(members, i);
        if (!g_hash_table_add(seen, (void *)member->name))
            continue;
        emit(out, "%s\n    \"%s\": {\"type\": \"%s\"", g_hash_table_size(seen) > 1 ? "," : "", member->name,
             type_text(out->arena, &member->ref));
        put_values(out, member->ref.type);
        emit(out, ", \"about\": %s, \"optional\": %s}", json_string(out, doc_summary(out->arena, member->about)),
             branch || member->optional ? "true" : "false");
    }
}

void generate_completion(Out *out)
{
    emit(out, "{");
    for (unsigned i = 0; i < out->schema->commands->len; i++) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
        const Definition *d = definition_at(out->schema->commands, i), *type = d->arguments;
        emit(out, "%s\n  \"%s\": {", i ? "," : "", d->name);
        if (type)
            put_arguments(out, type->all, false, seen);
        for (unsigned k = 0; type && k < type->branches->len; k++)
            put_arguments(out, member_at(type->branches, k)->ref.type->all, true, seen);
        emit(out, "%s}", g_hash_table_size(seen) ? "\n  " : "");
    }
    emit(out, "\n}\n");
}
