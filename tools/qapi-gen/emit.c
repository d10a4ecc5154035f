/*
 * emit.c: see emit.h.
 */
#include <string.h>

#include "tools/qapi-gen/emit.h"
#include "tools/qapi-gen/names.h"

enum { COLUMNS = 116 };

void emit(Out *out, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_string_append_vprintf(out->text, format, arguments);
    va_end(arguments);
}

void emit_head(Out *out, const char *file, const char *about)
{
    emit(out, "/*\n * %s: %s\n *\n * Made by qapi-gen from the schema: do not edit.\n */\n", file, about);
}

void emit_if(Out *out, const Cond *cond)
{
    if (cond)
        emit(out, "#if %s\n", cond->c);
}

void emit_endif(Out *out, const Cond *cond)
{
    if (cond)
        emit(out, "#endif\n");
}

void emit_next(Out *out, const char *text)
{
    const char *line = strrchr(out->text->str, '\n');
    size_t column = out->text->len - (line ? (size_t)(line + 1 - out->text->str) : 0);

    emit(out, "%s%s", column + 2 + strlen(text) > COLUMNS ? ",\n    " : column == 0 ? "    , " : ", ", text);
}

void emit_comment(Out *out, const char *indent, const char *text)
{
    size_t column = strlen(indent) + 2;

    if (text[0] == 0)
        return;
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    emit(out, "%s/*", indent);
    for (unsigned i = 0; words[i]; i++) {
        size_t length = strlen(words[i]);
        if (column + 1 + length > COLUMNS) {
            emit(out, "\n%s *", indent);
            column = strlen(indent) + 2;
        }
        emit(out, " ");
        for (const char *p = words[i]; *p; p++)
            emit(out, p[0] == '*' && p[1] == '/' ? "%c " : p[0] == '/' && p[1] == '*' ? "%c " : "%c", *p);
        column += 1 + length;
    }
    emit(out, " */\n");
}

const char *c_string(Arena *arena, const char *text)
{
    GString *c = g_string_new("\"");

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            g_string_append_printf(c, "\\%c", *p);
        else if (*p == '\n')
            g_string_append(c, "\\n");
        else if (*p < 0x20 || *p >= 0x7f || (*p == '?' && p[1] == '?'))
            g_string_append_printf(c, "\\%03o", *p);
        else
            g_string_append_c(c, (char)*p);
    }
    g_string_append_c(c, '"');
    return arena_take(arena, g_string_free(c, FALSE));
}

const char *c_type(const Out *out, const Definition *type)
{
    if (type->kind == KIND_BUILTIN)
        return type->builtin->c;
    return arena_print(out->arena, "Qmp%s %s", type->camel, is_object(type) ? "*" : "");
}

const char *type_symbol(const Definition *type)
{
    return type->kind == KIND_BUILTIN ? type->name : type->camel;
}

const char *value_symbol(const Out *out, const Definition *type, const Member *value)
{
    return arena_print(out->arena, "QMP_%s_%s", type->prefix, name_split(out->arena, value->name));
}

bool is_pointer(const Definition *type)
{
    if (type->kind == KIND_BUILTIN)
        return g_str_has_suffix(type->builtin->c, "*");
    return is_object(type);
}

bool has_presence(const Member *member)
{
    return member->optional && !is_pointer(member->ref.type);
}

void emit_features(Out *out, const char *indent, const GPtrArray *features)
{
    if (features->len == 0)
        return;
    emit(out, ",\n%s.features = (const char *const[]){", indent);
    for (unsigned i = 0; i < features->len; i++) {
        const Feature *feature = g_ptr_array_index(features, i);
        emit(out, feature->cond ? "\n" : "");
        emit_if(out, feature->cond);
        emit(out, "%s,%s", c_string(out->arena, feature->name), feature->cond ? "\n" : " ");
        emit_endif(out, feature->cond);
    }
    emit(out, "NULL}");
}

void emit_about(Out *out, const char *indent, const char *about)
{
    if (about[0])
        emit(out, ",\n%s.about = %s", indent, c_string(out->arena, doc_summary(out->arena, about)));
}
