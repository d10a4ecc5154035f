/*
 * check.c: finds the types that names mean, flattens bases, and checks what a look at one definition does not tell.
 */
#include <string.h>

#include "tools/qapi-gen/schema-impl.h"

static const char *describe(const Schema *schema, const Definition *d)
{
    bool command = g_str_has_suffix(d->name, "-arguments");
    size_t suffix = strlen(command ? "-arguments" : "-data");

    if (d->implicit)
        return arena_print(schema->arena, "%s '%.*s'", command ? "command" : "event", (int)(strlen(d->name) - suffix),
                           d->name);
    return arena_print(schema->arena, "%s '%s'", kind_name(d->kind), d->name);
}

/* --- types by name ----------------------------------------------------------------------------------------------- */

static Definition *list_of(Schema *schema, Definition *element)
{
    Definition *list = element->list;

    if (list)
        return list;
    list = ARENA_NEW(schema->arena, Definition);
    list->kind = KIND_LIST;
    list->name = arena_print(schema->arena, "[%s]", element->name);
    list->camel = arena_print(schema->arena, "%sList", element->camel);
    list->where = element->where;
    list->cond = element->cond;
    list->features = arena_array(schema->arena);
    list->element = element;
    element->list = list;
    g_ptr_array_add(schema->lists, list);
    return list;
}

static bool resolve(Schema *schema, TypeRef *ref, const char *what, GError **error)
{
    Definition *type;

    if (!ref->name)
        return true;
    type = g_hash_table_lookup(schema->by_name, ref->name);
    if (!type)
        return wrong(error, ref->where, "%s has the type '%s', which is not defined", what, ref->name);
    if (type->kind == KIND_COMMAND || type->kind == KIND_EVENT || type->implicit)
        return wrong(error, ref->where,
                     "%s has the type '%s', which is no type but belongs to a command or event at %s:%u", what,
                     ref->name, type->where.file, type->where.line);
    ref->type = ref->list ? list_of(schema, type) : type;
    return true;
}

static bool resolve_members(Schema *schema, const Definition *d, GPtrArray *members, GError **error)
{
    for (unsigned i = 0; i < members->len; i++) {
        Member *member = member_at(members, i);
        const char *what = arena_print(schema->arena, "'%s' of %s", member->name, describe(schema, d));
        if (!resolve(schema, &member->ref, what, error))
            return false;
    }
    return true;
}

static bool resolve_definition(Schema *schema, Definition *d, GError **error)
{
    const char *what = describe(schema, d);

    if (d->kind == KIND_BUILTIN)
        return true;
    return (d->kind == KIND_ENUM || resolve_members(schema, d, d->members, error)) &&
           resolve_members(schema, d, d->branches, error) &&
           resolve(schema, &d->base, arena_print(schema->arena, "the base of %s", what), error) &&
           resolve(schema, &d->data, arena_print(schema->arena, "'data' of %s", what), error) &&
           resolve(schema, &d->returns, arena_print(schema->arena, "'returns' of %s", what), error);
}

/* --- members ----------------------------------------------------------------------------------------------------- */

/* Has one of `members` the name, as the wire or C has it? */
static const Member *find_same(const GPtrArray *members, unsigned count, const Member *member)
{
    for (unsigned i = 0; i < count; i++) {
        const Member *other = member_at(members, i);
        if (strcmp(other->c, member->c) == 0)
            return other;
    }
    return NULL;
}

static bool check_same(const Schema *schema, const Definition *d, const Member *member, const Member *other,
                       GError **error)
{
    if (!other)
        return true;
    return wrong(error, member->where, "'%s' of %s is here again: it is already '%s' at %s:%u", member->name,
                 describe(schema, d), other->name, other->where.file, other->where.line);
}

/* Fills `all`. */
static bool flatten(const Schema *schema, Definition *d, GError **error)
{
    const Definition *base = d->base.type;

    if (d->visit == 2)
        return true;
    if (d->visit == 1)
        return wrong(error, d->base.where, "%s is a base of itself", describe(schema, d));
    d->visit = 1;
    if (base) {
        if (base->kind != KIND_STRUCT)
            return wrong(error, d->base.where, "the base of %s is %s: it can only be a struct", describe(schema, d),
                         describe(schema, base));
        if (!flatten(schema, d->base.type, error))
            return false;
        for (unsigned i = 0; i < base->all->len; i++)
            g_ptr_array_add(d->all, member_at(base->all, i));
    }
    for (unsigned i = 0; i < d->members->len; i++) {
        Member *member = member_at(d->members, i);
        if (!check_same(schema, d, member, find_same(d->all, d->all->len, member), error))
            return false;
        g_ptr_array_add(d->all, member);
    }
    d->visit = 2;
    return true;
}

/* Does a value of it contain another, and that another, for ever? `visit` 2 is unknown, 3 being asked, 4 known. */
static bool check_ends(const Schema *schema, Definition *d, GError **error)
{
    d->visit = 3;
    for (unsigned i = 0; i < d->all->len; i++) {
        const Member *member = member_at(d->all, i);
        Definition *type = member->ref.type;
        if (member->optional || (type->kind != KIND_STRUCT && type->kind != KIND_UNION) || type->visit == 4)
            continue;
        if (type->visit == 3)
            return wrong(error, member->where,
                         "'%s' of %s can be left out nowhere, and %s contains it: there is no end", member->name,
                         describe(schema, d), describe(schema, type));
        if (!check_ends(schema, type, error))
            return false;
    }
    d->visit = 4;
    return true;
}

static bool check_enum(const Schema *schema, const Definition *d, GError **error)
{
    for (unsigned i = 0; i < d->members->len; i++) {
        const Member *value = member_at(d->members, i);
        if (!check_same(schema, d, value, find_same(d->members, i, value), error))
            return false;
    }
    return true;
}

/* --- unions ------------------------------------------------------------------------------------------------------ */

static const Member *find_member(const GPtrArray *members, const char *name)
{
    for (unsigned i = 0; i < members->len; i++) {
        if (strcmp(member_at(members, i)->name, name) == 0)
            return member_at(members, i);
    }
    return NULL;
}

static bool check_tag(const Schema *schema, Definition *d, GError **error)
{
    const char *what = describe(schema, d);

    d->tag = find_member(d->all, d->tag_name);
    if (!d->tag)
        return wrong(error, d->tag_where, "discriminator '%s' of %s is no member of its base", d->tag_name, what);
    if (d->tag->ref.type->kind != KIND_ENUM)
        return wrong(error, d->tag_where, "discriminator '%s' of %s is of %s, and must be of an enum", d->tag_name,
                     what, describe(schema, d->tag->ref.type));
    if (d->tag->optional)
        return wrong(error, d->tag_where, "discriminator '%s' of %s must not be optional", d->tag_name, what);
    if (d->tag->cond)
        return wrong(error, d->tag_where, "discriminator '%s' of %s must not have an 'if' (%s)", d->tag_name, what,
                     d->tag->cond->text);
    return true;
}

static bool check_branch(const Schema *schema, const Definition *d, const Member *branch, GError **error)
{
    const char *what = describe(schema, d);
    const Definition *type = branch->ref.type, *tags = d->tag->ref.type;

    if (!find_member(tags->members, branch->name))
        return wrong(error, branch->where, "branch '%s' of %s is no value of %s, which its discriminator '%s' has",
                     branch->name, what, describe(schema, tags), d->tag_name);
    if (type->kind != KIND_STRUCT)
        return wrong(error, branch->where, "branch '%s' of %s is %s: it can only be a struct", branch->name, what,
                     describe(schema, type));
    for (unsigned i = 0; i < type->all->len; i++) {
        const Member *member = member_at(type->all, i), *common = find_same(d->all, d->all->len, member);
        if (common)
            return wrong(error, branch->where,
                         "branch '%s' of %s has the member '%s' (%s:%u), and so has the union (%s:%u)", branch->name,
                         what, member->name, member->where.file, member->where.line, common->where.file,
                         common->where.line);
    }
    return true;
}

static bool check_union(const Schema *schema, Definition *d, GError **error)
{
    if (!check_tag(schema, d, error))
        return false;
    for (unsigned i = 0; i < d->branches->len; i++) {
        if (!check_branch(schema, d, member_at(d->branches, i), error))
            return false;
    }
    return true;
}

/* --- alternates -------------------------------------------------------------------------------------------------- */

/* Which kind of JSON a value of the type is; NULL: several. */
static const char *json_kind(const Definition *type)
{
    switch (type->kind) {
    case KIND_BUILTIN:
        return strcmp(type->builtin->json, "int") == 0     ? "number"
               : strcmp(type->builtin->json, "value") == 0 ? NULL
                                                           : type->builtin->json;
    case KIND_ENUM:
        return "string";
    case KIND_LIST:
        return "array";
    case KIND_STRUCT:
    case KIND_UNION:
        return "object";
    default:
        return NULL;
    }
}

static bool check_alternate(const Schema *schema, const Definition *d, GError **error)
{
    for (unsigned i = 0; i < d->members->len; i++) {
        const Member *branch = member_at(d->members, i);
        const char *kind = json_kind(branch->ref.type);
        if (!check_same(schema, d, branch, find_same(d->members, i, branch), error))
            return false;
        if (!kind)
            return wrong(error, branch->where, "branch '%s' of %s is %s, which is of more than one kind of JSON",
                         branch->name, describe(schema, d), describe(schema, branch->ref.type));
        for (unsigned k = 0; k < i; k++) {
            const Member *other = member_at(d->members, k);
            if (strcmp(json_kind(other->ref.type), kind) == 0)
                return wrong(error, branch->where, "branches '%s' and '%s' of %s are both a JSON %s", other->name,
                             branch->name, describe(schema, d), kind);
        }
    }
    return true;
}

/* --- commands and events ----------------------------------------------------------------------------------------- */

static bool check_data(const Schema *schema, Definition *d, GError **error)
{
    const Definition *type = d->data.type;

    if (!type)
        return true;
    if (type->kind == KIND_UNION && !d->boxed)
        return wrong(error, d->data.where, "'data' of %s is %s: a union needs 'boxed': true", describe(schema, d),
                     describe(schema, type));
    if (type->kind != KIND_STRUCT && type->kind != KIND_UNION)
        return wrong(error, d->data.where, "'data' of %s is %s: it can only be a struct%s", describe(schema, d),
                     describe(schema, type), d->boxed ? " or a union" : "");
    d->arguments = d->data.type;
    return true;
}

static bool check_returns(const Schema *schema, const Definition *d, GError **error)
{
    const Definition *type = d->returns.type;

    if (!type)
        return true;
    if (d->no_reply)
        return wrong(error, d->returns.where, "%s has no reply ('success-response' is false), but 'returns'",
                     describe(schema, d));
    if (type->kind == KIND_LIST)
        type = type->element;
    if (type->kind == KIND_STRUCT || type->kind == KIND_UNION ||
        g_hash_table_contains(schema->pragma.command_returns, d->name))
        return true;
    return wrong(error, d->returns.where,
                 "%s returns %s: it can only return an object or a list of objects, unless pragma "
                 "'command-returns-exceptions' names it",
                 describe(schema, d), describe(schema, d->returns.type));
}

/* --- conditions -------------------------------------------------------------------------------------------------- */

/* What is there only under a condition is used only under one. */
static bool check_cond(const Schema *schema, const Definition *d, const char *what, const TypeRef *ref, GError **error)
{
    if (!ref->type || !ref->type->cond || d->cond)
        return true;
    return wrong(error, ref->where, "'%s' of %s has no 'if', and its type '%s' is there only if %s", what,
                 describe(schema, d), ref->name, ref->type->cond->text);
}

static bool check_member_conds(const Schema *schema, const Definition *d, const GPtrArray *members, GError **error)
{
    for (unsigned i = 0; i < members->len; i++) {
        const Member *member = member_at(members, i);
        const Member *value = d->tag ? find_member(d->tag->ref.type->members, member->name) : NULL;
        bool conditional = member->cond || (members == d->branches && value && value->cond);
        if (!conditional && !check_cond(schema, d, member->name, &member->ref, error))
            return false;
    }
    return true;
}

static bool check_conds(Schema *schema, Definition *d, GError **error)
{
    return check_member_conds(schema, d, d->members, error) && check_member_conds(schema, d, d->branches, error) &&
           check_cond(schema, d, "base", &d->base, error) && check_cond(schema, d, "data", &d->data, error) &&
           check_cond(schema, d, "returns", &d->returns, error);
}

static bool check_one(Schema *schema, Definition *d, GError **error)
{
    switch (d->kind) {
    case KIND_ENUM:
        return check_enum(schema, d, error);
    case KIND_UNION:
        return check_union(schema, d, error);
    case KIND_ALTERNATE:
        return check_alternate(schema, d, error);
    case KIND_COMMAND:
        return check_data(schema, d, error) && check_returns(schema, d, error);
    case KIND_EVENT:
        return check_data(schema, d, error);
    default:
        return true;
    }
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static bool flatten_type(Schema *schema, Definition *d, GError **error)
{
    return (d->kind != KIND_STRUCT && d->kind != KIND_UNION) || flatten(schema, d, error);
}

static bool end_type(Schema *schema, Definition *d, GError **error)
{
    return (d->kind != KIND_STRUCT && d->kind != KIND_UNION) || d->visit == 4 || check_ends(schema, d, error);
}

static bool check_type_conds(Schema *schema, Definition *d, GError **error)
{
    return d->kind == KIND_BUILTIN || check_conds(schema, d, error);
}

typedef bool Check(Schema *schema, Definition *d, GError **error);

static bool check_each(Schema *schema, GPtrArray *definitions, Check *check, GError **error)
{
    for (unsigned i = 0; i < definitions->len; i++) {
        if (!check(schema, definition_at(definitions, i), error))
            return false;
    }
    return true;
}

bool check_schema(Schema *schema, GError **error)
{
    for (unsigned i = 0; schema_builtins[i].name; i++)
        list_of(schema, definition_at(schema->types, i));
    return check_each(schema, schema->types, resolve_definition, error) &&
           check_each(schema, schema->commands, resolve_definition, error) &&
           check_each(schema, schema->events, resolve_definition, error) &&
           check_each(schema, schema->types, flatten_type, error) &&
           check_each(schema, schema->types, check_one, error) && check_each(schema, schema->types, end_type, error) &&
           check_each(schema, schema->commands, check_one, error) &&
           check_each(schema, schema->events, check_one, error) &&
           check_each(schema, schema->types, check_type_conds, error) &&
           check_each(schema, schema->commands, check_conds, error) &&
           check_each(schema, schema->events, check_conds, error);
}
