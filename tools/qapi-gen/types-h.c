/*
 * types-h.c: writes types.h: the schema's types in C, as vmstate/qapi.h says how they look.
 */
#include "tools/qapi-gen/emit.h"
#include "tools/qapi-gen/names.h"

static void emit_doc(Out *out, const Definition *d)
{
    if (d->doc)
        emit_comment(out, "", doc_summary(out->arena, d->doc->body));
}

static void emit_enum(Out *out, const Definition *d)
{
    emit_doc(out, d);
    emit(out, "typedef enum Qmp%s {\n", d->camel);
    for (unsigned i = 0; i < d->members->len; i++) {
        const Member *value = member_at(d->members, i);
        emit_if(out, value->cond);
        emit_comment(out, "    ", doc_summary(out->arena, value->about));
        emit(out, "    %s,\n", value_symbol(out, d, value));
        emit_endif(out, value->cond);
    }
    emit(out, "    QMP_%s__MAX /* of a reply: a word that is none of these */\n} Qmp%s;\n", d->prefix, d->camel);
    emit(out, "extern const QapiType qmp_type_%s;\n", d->camel);
    emit(out, "/* The name of a value; \"?\" if it is none. */\n");
    emit(out, "const char *qmp_%s_name(Qmp%s value);\n", d->camel, d->camel);
}

static void emit_member(Out *out, const Member *member, const char *indent)
{
    emit_if(out, member->cond);
    emit_comment(out, indent, doc_summary(out->arena, member->about));
    if (has_presence(member))
        emit(out, "%sbool has_%s;\n", indent, name_c(out->arena, member->name, false));
    emit(out, "%s%s%s;\n", indent, c_type(out, member->ref.type), member->c);
    emit_endif(out, member->cond);
}

/* Members; something at least, for a struct of no size could not be told from none. */
static void emit_members(Out *out, const GPtrArray *members)
{
    bool always = false;

    for (unsigned i = 0; i < members->len; i++) {
        emit_member(out, member_at(members, i), "    ");
        always = always || !member_at(members, i)->cond;
    }
    if (!always)
        emit(out, "    char q_empty;\n");
}

static void emit_branches(Out *out, const GPtrArray *branches)
{
    emit(out, "    union {\n");
    for (unsigned i = 0; i < branches->len; i++)
        emit_member(out, member_at(branches, i), "        ");
    emit(out, "    } u;\n");
}

static void emit_kinds(Out *out, const Definition *d)
{
    const char *prefix = name_split(out->arena, d->name);

    emit(out, "/* What `kind` of a %s is. */\nenum {\n", d->name);
    for (unsigned i = 0; i < d->members->len; i++) {
        const Member *branch = member_at(d->members, i);
        emit_if(out, branch->cond);
        emit(out, "    QMP_%s_KIND_%s,\n", prefix, name_upper(out->arena, branch->name));
        emit_endif(out, branch->cond);
    }
    emit(out, "};\n");
}

static void emit_object(Out *out, const Definition *d)
{
    if (d->kind == KIND_ALTERNATE)
        emit_kinds(out, d);
    emit_doc(out, d);
    emit(out, "struct Qmp%s {\n", d->camel);
    if (d->kind == KIND_ALTERNATE) {
        emit(out, "    int kind;\n");
        emit_branches(out, d->members);
    } else {
        emit_members(out, d->all);
    }
    if (d->kind == KIND_UNION)
        emit_branches(out, d->branches);
    emit(out, "};\nextern const QapiType qmp_type_%s;\n", d->camel);
    emit(out, "void qmp_%s_free(Qmp%s *object);\n", d->camel, d->camel);
    emit(out, "G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qmp%s, qmp_%s_free)\n", d->camel, d->camel);
}

static void emit_list(Out *out, const Definition *d)
{
    emit(out, "typedef struct Qmp%s {\n    size_t count;\n    %s*items;\n} Qmp%s;\n", d->camel, c_type(out, d->element),
         d->camel);
    emit(out, "extern const QapiType qmp_type_%s;\n", d->camel);
    emit(out, "void qmp_%s_clear(Qmp%s *list);\n", d->camel, d->camel);
    emit(out, "G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Qmp%s, qmp_%s_clear)\n", d->camel, d->camel);
}

typedef bool Filter(const Definition *d);

static bool is_enum(const Definition *d)
{
    return d->kind == KIND_ENUM;
}

static void emit_each(Out *out, const GPtrArray *definitions, Filter *filter, void (*one)(Out *, const Definition *))
{
    for (unsigned i = 0; i < definitions->len; i++) {
        const Definition *d = definition_at(definitions, i);
        if (filter && !filter(d))
            continue;
        emit(out, "\n");
        emit_if(out, d->cond);
        one(out, d);
        emit_endif(out, d->cond);
    }
}

static void emit_builtins(Out *out)
{
    emit(out, "\n");
    for (unsigned i = 0; i < out->schema->types->len; i++) {
        const Definition *d = definition_at(out->schema->types, i);
        if (d->kind == KIND_BUILTIN)
            emit(out, "extern const QapiType qmp_type_%s;\n", d->name);
    }
}

static void emit_typedef(Out *out, const Definition *d)
{
    emit(out, "typedef struct Qmp%s Qmp%s;\n", d->camel, d->camel);
}

void generate_types_h(Out *out)
{
    emit_head(out, "types.h", "the types of the control plane.");
    emit(out, "#ifndef QAPI_TYPES_H\n#define QAPI_TYPES_H\n\n#include \"vmstate/qapi.h\"\n");
    emit_builtins(out);
    emit(out, "\n/* --- enums --- */\n");
    emit_each(out, out->schema->types, is_enum, emit_enum);
    emit(out, "\n/* --- lists --- */\n\n");
    for (unsigned i = 0; i < out->schema->types->len; i++) {
        const Definition *d = definition_at(out->schema->types, i);
        if (!is_object(d))
            continue;
        emit_if(out, d->cond);
        emit_typedef(out, d);
        emit_endif(out, d->cond);
    }
    emit_each(out, out->schema->lists, NULL, emit_list);
    emit(out, "\n/* --- structs, unions, alternates --- */\n");
    emit_each(out, out->schema->types, is_object, emit_object);
    emit(out, "\n#endif\n");
}
