/*
 * types-c.c: writes types.c: a QapiType for each type.
 */
#include "tools/qapi-gen/emit.h"
#include "tools/qapi-gen/names.h"

static void emit_builtin(Out *out, const Definition *d)
{
    const Builtin *builtin = d->builtin;

    emit(out, "const QapiType qmp_type_%s = {.name = \"%s\", .kind = %s", d->name, d->name, builtin->kind);
    if (builtin->scalar)
        emit(out, ", .scalar = %s", builtin->scalar);
    emit(out, "%s, .size = sizeof(%s)};\n", g_str_equal(d->name, "size") ? ", .octets = true" : "", builtin->c);
}

/* The end of what a type has in common with every other. */
static void emit_end(Out *out, const Definition *d)
{
    emit(out, "    .size = sizeof(Qmp%s)", d->camel);
    emit_features(out, "    ", d->features);
    emit_about(out, "    ", d->doc ? d->doc->body : "");
    emit(out, ",\n};\n");
}

static void emit_start(Out *out, const Definition *d, const char *kind)
{
    emit(out, "const QapiType qmp_type_%s = {\n    .name = \"%s\",\n    .kind = %s,\n", d->camel, d->name, kind);
}

/* --- enums ------------------------------------------------------------------------------------------------------- */

static void emit_texts(Out *out, const Definition *d, bool names)
{
    emit(out, "static const char *const %s_%s[QMP_%s__MAX + 1] = {\n", names ? "names" : "abouts", d->camel, d->prefix);
    for (unsigned i = 0; i < d->members->len; i++) {
        const Member *value = member_at(d->members, i);
        const char *text = names ? value->name : doc_summary(out->arena, value->about);
        emit_if(out, value->cond);
        emit(out, "    [%s] = %s,\n", value_symbol(out, d, value), c_string(out->arena, text));
        emit_endif(out, value->cond);
    }
    emit(out, "    [QMP_%s__MAX] = NULL,\n};\n", d->prefix);
}

static void emit_enum(Out *out, const Definition *d)
{
    emit_texts(out, d, true);
    emit_texts(out, d, false);
    emit_start(out, d, "QAPI_ENUM");
    emit(out, "    .names = names_%s,\n    .abouts = abouts_%s,\n", d->camel, d->camel);
    emit_end(out, d);
    emit(out, "\nconst char *qmp_%s_name(Qmp%s value)\n{\n", d->camel, d->camel);
    emit(out, "    return name_of(&qmp_type_%s, value, QMP_%s__MAX);\n}\n", d->camel, d->prefix);
}

/* --- lists ------------------------------------------------------------------------------------------------------- */

static void emit_list(Out *out, const Definition *d)
{
    emit_start(out, d, "QAPI_LIST");
    emit(out, "    .element = &qmp_type_%s,\n", type_symbol(d->element));
    emit_end(out, d);
    emit(out, "\nvoid qmp_%s_clear(Qmp%s *list)\n{\n    qapi_clear(&qmp_type_%s, list);\n}\n", d->camel, d->camel,
         d->camel);
}

/* --- structs, unions, alternates --------------------------------------------------------------------------------- */

/* `path` is what stands before its name in the struct: "" or "u.". */
static void emit_member(Out *out, const Definition *d, const Member *member, const char *path)
{
    emit_if(out, member->cond);
    emit(out, "    {\n        .name = \"%s\",\n        .type = &qmp_type_%s,\n", member->name,
         type_symbol(member->ref.type));
    emit(out, "        .offset = offsetof(Qmp%s, %s%s)", d->camel, path, member->c);
    if (has_presence(member))
        emit(out, ",\n        .presence = offsetof(Qmp%s, has_%s) + 1", d->camel,
             name_c(out->arena, member->name, false));
    if (member->optional)
        emit(out, ",\n        .optional = true");
    emit_features(out, "        ", member->features);
    emit_about(out, "        ", member->about);
    emit(out, ",\n    },\n");
    emit_endif(out, member->cond);
}

static void emit_members(Out *out, const Definition *d, const GPtrArray *members, const char *path)
{
    emit(out, "static const QapiMember members_%s[] = {\n", d->camel);
    for (unsigned i = 0; i < members->len; i++)
        emit_member(out, d, member_at(members, i), path);
    emit(out, "    {.name = NULL},\n};\n");
}

static const Member *value_of(const Definition *type, const char *name)
{
    unsigned i = 0;

    while (!g_str_equal(member_at(type->members, i)->name, name))
        i++;
    return member_at(type->members, i);
}

static void emit_variants(Out *out, const Definition *d)
{
    const Definition *tag = d->tag->ref.type;

    emit(out, "static const QapiType *const variants_%s[QMP_%s__MAX + 1] = {\n", d->camel, tag->prefix);
    for (unsigned i = 0; i < d->branches->len; i++) {
        const Member *branch = member_at(d->branches, i), *value = value_of(tag, branch->name);
        emit_if(out, value->cond);
        emit_if(out, branch->cond);
        emit(out, "    [%s] = &qmp_type_%s,\n", value_symbol(out, tag, value), branch->ref.type->camel);
        emit_endif(out, branch->cond);
        emit_endif(out, value->cond);
    }
    emit(out, "    [QMP_%s__MAX] = NULL,\n};\n", tag->prefix);
}

static void emit_object(Out *out, const Definition *d)
{
    static const char *const kinds[] = {
        [KIND_STRUCT] = "QAPI_STRUCT", [KIND_UNION] = "QAPI_UNION", [KIND_ALTERNATE] = "QAPI_ALTERNATE"};

    if (d->kind == KIND_ALTERNATE)
        emit_members(out, d, d->members, "u.");
    else
        emit_members(out, d, d->all, "");
    if (d->kind == KIND_UNION)
        emit_variants(out, d);
    emit_start(out, d, kinds[d->kind]);
    emit(out, "    .members = members_%s,\n", d->camel);
    if (d->kind == KIND_UNION)
        emit(out,
             "    .tag = offsetof(Qmp%s, %s),\n    .tag_type = &qmp_type_%s,\n    .variants = variants_%s,\n"
             "    .variant = offsetof(Qmp%s, u),\n",
             d->camel, d->tag->c, d->tag->ref.type->camel, d->camel, d->camel);
    if (d->kind == KIND_ALTERNATE)
        emit(out, "    .tag = offsetof(Qmp%s, kind),\n    .variant = offsetof(Qmp%s, u),\n", d->camel, d->camel);
    emit_end(out, d);
    emit(out, "\nvoid qmp_%s_free(Qmp%s *object)\n{\n    qapi_free(&qmp_type_%s, object);\n}\n", d->camel, d->camel,
         d->camel);
}

static void emit_type(Out *out, const Definition *d)
{
    emit(out, "\n");
    emit_if(out, d->cond);
    if (d->kind == KIND_BUILTIN)
        emit_builtin(out, d);
    else if (d->kind == KIND_ENUM)
        emit_enum(out, d);
    else if (d->kind == KIND_LIST)
        emit_list(out, d);
    else
        emit_object(out, d);
    emit_endif(out, d->cond);
}

void generate_types_c(Out *out)
{
    emit_head(out, "types.c", "what the types of the control plane look like.");
    emit(out, "#include \"qapi/types.h\"\n\n");
    emit(out, "static inline const char *name_of(const QapiType *type, size_t value, size_t count)\n{\n"
              "    return value < count ? type->names[value] : \"?\";\n}\n");
    for (unsigned i = 0; i < out->schema->types->len; i++)
        emit_type(out, definition_at(out->schema->types, i));
    for (unsigned i = 0; i < out->schema->lists->len; i++)
        emit_type(out, definition_at(out->schema->lists, i));
}
