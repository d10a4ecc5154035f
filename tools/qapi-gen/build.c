/*
 * build.c: definitions from expressions: enum, struct, union, alternate, command, event.
 */
#include <string.h>

#include "tools/qapi-gen/names.h"
#include "tools/qapi-gen/schema-impl.h"

/* What one key says about a definition with that name. */
typedef struct Builder {
    Schema *schema;
    Arena *arena;
    Definition *definition;
    const Node *node;
    const char *what; /* "struct 'Foo'" */
} Builder;

static const char *what_of(const Builder *b, const char *key)
{
    return arena_print(b->arena, "'%s' of %s", key, b->what);
}

static bool read_ref(const Node *node, const char *what, TypeRef *ref, GError **error)
{
    ref->where = node->where;
    if (node->kind == NODE_LIST) {
        if (node->items->len != 1 || node_item(node, 0)->kind != NODE_STRING)
            return wrong(error, node->where, "%s must be a list of one type: [ 'TYPE' ]", what);
        ref->list = true;
        node = node_item(node, 0);
    }
    if (node->kind != NODE_STRING)
        return wrong(error, ref->where, "%s must be the name of a type or [ 'TYPE' ], and is %s", what,
                     node_name(node));
    ref->name = node->text;
    return true;
}

static NameStyle member_style(const Builder *b, bool value)
{
    bool any = g_hash_table_contains(b->schema->pragma.member_names, b->definition->name);

    if (value)
        return any ? NAME_VALUE_MIXED : NAME_VALUE;
    return any ? NAME_MIXED : NAME_LOWER;
}

/* A new member of that name, if the name is good. */
static Member *new_member(const Builder *b, const char *name, Where where, bool value, GError **error)
{
    Member *member = ARENA_NEW(b->arena, Member);

    member->where = where;
    member->about = "";
    member->optional = !value && name[0] == '*';
    member->name = name + member->optional;
    member->c = name_c(b->arena, member->name, true);
    member->features = arena_array(b->arena);
    const char *fault = name_fault(member->name, member_style(b, value)), *hint = "";
    if (!fault && !value && (strcmp(member->c, "u") == 0 || g_str_has_prefix(member->c, "has_")))
        fault = "is not 'u' and does not begin with 'has-', which C members have";
    else if (fault && !name_fault(member->name, value ? NAME_VALUE_MIXED : NAME_MIXED))
        hint = arena_print(b->arena, ", unless pragma 'member-name-exceptions' has '%s'", b->definition->name);
    if (!fault)
        return member;
    wrong(error, where, "'%s' of %s is no good name: a %s %s%s", member->name, b->what, value ? "value" : "member",
          fault, hint);
    return NULL;
}

/* 'name': 'type', or 'name': { 'type': ..., ... } */
static bool read_member(const Builder *b, const Node *node, bool value, GPtrArray *members, GError **error)
{
    static const char *const keys[] = {"!type", "if", "features", NULL};
    const char *what = what_of(b, node->key);
    Member *member = new_member(b, node->key, node->where, value, error);
    const Node *type = node;

    if (!member)
        return false;
    if (node->kind == NODE_OBJECT) {
        if (!build_keys(node, what, keys, error) || !build_cond(b->arena, node, &member->cond, error) ||
            !build_features(b->schema, node, &member->features, error))
            return false;
        type = node_get(node, "type");
    }
    g_ptr_array_add(members, member);
    return read_ref(type, what, &member->ref, error);
}

static bool read_members(const Builder *b, const Node *node, bool value, GPtrArray *members, GError **error)
{
    for (unsigned i = 0; i < node->items->len; i++) {
        if (!read_member(b, node_item(node, i), value, members, error))
            return false;
    }
    return true;
}

/* A value of an enum: 'name', or { 'name': 'name', ... } */
static bool read_value(const Builder *b, const Node *node, GError **error)
{
    static const char *const keys[] = {"!name", "if", "features", NULL};
    const char *what = arena_print(b->arena, "a value of %s", b->what);
    const Node *name = node;

    if (node->kind == NODE_OBJECT) {
        if (!build_keys(node, what, keys, error))
            return false;
        name = node_get(node, "name");
    }
    if (name->kind != NODE_STRING)
        return wrong(error, node->where, "%s must be a string or an object, and is %s", what, node_name(name));
    Member *member = new_member(b, name->text, node->where, true, error);
    if (!member)
        return false;
    g_ptr_array_add(b->definition->members, member);
    return node->kind != NODE_OBJECT || (build_cond(b->arena, node, &member->cond, error) &&
                                         build_features(b->schema, node, &member->features, error));
}

static bool build_enum(const Builder *b, GError **error)
{
    const Node *data = node_get(b->node, "data"), *prefix = node_get(b->node, "prefix");

    if (!node_expect(data, NODE_LIST, what_of(b, "data"), error))
        return false;
    for (unsigned i = 0; i < data->items->len; i++) {
        if (!read_value(b, node_item(data, i), error))
            return false;
    }
    b->definition->prefix = name_split(b->arena, b->definition->name);
    if (!prefix)
        return true;
    if (!node_expect(prefix, NODE_STRING, what_of(b, "prefix"), error))
        return false;
    b->definition->prefix = prefix->text;
    const char *fault = name_fault(prefix->text, NAME_EVENT);
    return !fault || wrong(error, prefix->where, "prefix '%s' of %s: a prefix %s", prefix->text, b->what, fault);
}

static bool build_struct(const Builder *b, GError **error)
{
    const Node *data = node_get(b->node, "data"), *base = node_get(b->node, "base");

    if (base && !node_expect(base, NODE_STRING, what_of(b, "base"), error))
        return false;
    if (base && !read_ref(base, what_of(b, "base"), &b->definition->base, error))
        return false;
    return node_expect(data, NODE_OBJECT, what_of(b, "data"), error) &&
           read_members(b, data, false, b->definition->members, error);
}

static bool build_union(const Builder *b, GError **error)
{
    const Node *data = node_get(b->node, "data"), *base = node_get(b->node, "base");
    const Node *tag = node_get(b->node, "discriminator");

    if (base->kind == NODE_OBJECT) {
        if (!read_members(b, base, false, b->definition->members, error))
            return false;
    } else if (base->kind != NODE_STRING) {
        return wrong(error, base->where, "%s must be the name of a struct or an object, and is %s", what_of(b, "base"),
                     node_name(base));
    } else if (!read_ref(base, what_of(b, "base"), &b->definition->base, error)) {
        return false;
    }
    if (!node_expect(tag, NODE_STRING, what_of(b, "discriminator"), error))
        return false;
    b->definition->tag_name = tag->text;
    b->definition->tag_where = tag->where;
    return node_expect(data, NODE_OBJECT, what_of(b, "data"), error) &&
           read_members(b, data, true, b->definition->branches, error);
}

static bool build_alternate(const Builder *b, GError **error)
{
    const Node *data = node_get(b->node, "data");

    if (!node_expect(data, NODE_OBJECT, what_of(b, "data"), error) ||
        !read_members(b, data, false, b->definition->members, error))
        return false;
    for (unsigned i = 0; i < b->definition->members->len; i++) {
        const Member *branch = member_at(b->definition->members, i);
        if (branch->optional)
            return wrong(error, branch->where, "branch '%s' of %s cannot be optional", branch->name, b->what);
    }
    return data->items->len > 0 || wrong(error, data->where, "%s has no branch", b->what);
}

/* A key that is true or false, and may be only one of both. */
static bool read_flag(const Builder *b, const char *key, bool allowed, bool *is, GError **error)
{
    const Node *node = node_get(b->node, key);

    *is = node != NULL;
    if (!node)
        return true;
    if (!node_expect(node, NODE_BOOL, what_of(b, key), error))
        return false;
    return node->truth == allowed ||
           wrong(error, node->where, "%s can only be %s: leave it out", what_of(b, key), allowed ? "true" : "false");
}

/* 'data' of a command or an event: members, or the name of a type. */
static bool build_data(const Builder *b, GError **error)
{
    Definition *d = b->definition;
    const Node *data = node_get(b->node, "data");

    if (!read_flag(b, "boxed", true, &d->boxed, error))
        return false;
    if (!data)
        return !d->boxed || wrong(error, b->node->where, "%s is boxed, but lacks 'data'", b->what);
    if (data->kind == NODE_STRING)
        return read_ref(data, what_of(b, "data"), &d->data, error);
    if (data->kind != NODE_OBJECT)
        return wrong(error, data->where, "%s must be the name of a type or an object, and is %s", what_of(b, "data"),
                     node_name(data));
    if (d->boxed)
        return wrong(error, data->where, "%s is boxed: its 'data' must be the name of a type, and is an object",
                     b->what);
    return read_members(b, data, false, d->members, error);
}

static bool build_command(const Builder *b, GError **error)
{
    Definition *d = b->definition;
    const Node *returns = node_get(b->node, "returns");
    bool coroutine;

    if (!build_data(b, error) || (returns && !read_ref(returns, what_of(b, "returns"), &d->returns, error)))
        return false;
    return read_flag(b, "gen", false, &d->no_gen, error) &&
           read_flag(b, "success-response", false, &d->no_reply, error) &&
           read_flag(b, "allow-oob", true, &d->allow_oob, error) &&
           read_flag(b, "allow-preconfig", true, &d->allow_preconfig, error) &&
           read_flag(b, "coroutine", true, &coroutine, error);
}

static const struct {
    const char *key;
    Kind kind;
    NameStyle style;
    bool (*build)(const Builder *b, GError **error);
    const char *keys[12];
} metas[] = {
    {"enum", KIND_ENUM, NAME_TYPE, build_enum, {"!enum", "!data", "prefix", "if", "features"}},
    {"struct", KIND_STRUCT, NAME_TYPE, build_struct, {"!struct", "!data", "base", "if", "features"}},
    {"union", KIND_UNION, NAME_TYPE, build_union, {"!union", "!base", "!discriminator", "!data", "if", "features"}},
    {"alternate", KIND_ALTERNATE, NAME_TYPE, build_alternate, {"!alternate", "!data", "if", "features"}},
    {"command",
     KIND_COMMAND,
     NAME_LOWER,
     build_command,
     {"!command", "data", "returns", "boxed", "gen", "success-response", "allow-oob", "allow-preconfig", "coroutine",
      "if", "features"}},
    {"event", KIND_EVENT, NAME_EVENT, build_data, {"!event", "data", "boxed", "if", "features"}},
};

static Definition *new_definition(Arena *arena, Kind kind, const char *name, Where where)
{
    Definition *d = ARENA_NEW(arena, Definition);

    d->kind = kind;
    d->name = name;
    d->where = where;
    d->members = arena_array(arena);
    d->all = arena_array(arena);
    d->branches = arena_array(arena);
    d->features = arena_array(arena);
    d->camel = kind == KIND_COMMAND || kind == KIND_EVENT ? name_camel(arena, name) : name_c(arena, name, false);
    return d;
}

/* The struct of what a command takes, or an event carries: it has its members. */
static bool add_implicit(Schema *schema, Definition *d, GError **error)
{
    bool command = d->kind == KIND_COMMAND;

    if (d->members->len == 0)
        return true;
    const char *name = arena_print(schema->arena, "%s-%s", d->name, command ? "arguments" : "data");
    Definition *type = new_definition(schema->arena, KIND_STRUCT, name, d->where);
    type->camel = arena_print(schema->arena, "%s%s", d->camel, command ? "Arguments" : "Data");
    type->members = d->members;
    type->cond = d->cond;
    type->implicit = true;
    d->arguments = type;
    g_ptr_array_add(schema->types, type);
    return schema_add(schema, type, error);
}

static bool add_definition(Schema *schema, Definition *d, GError **error)
{
    Entry *entry = ARENA_NEW(schema->arena, Entry);

    entry->definition = d;
    entry->doc = d->doc;
    g_ptr_array_add(schema->entries, entry);
    if (d->kind != KIND_COMMAND && d->kind != KIND_EVENT) {
        g_ptr_array_add(schema->types, d);
        return schema_add(schema, d, error);
    }
    g_ptr_array_add(d->kind == KIND_COMMAND ? schema->commands : schema->events, d);
    return schema_add(schema, d, error) && add_implicit(schema, d, error);
}

/* Which of the metas it is; -1 if none or two. */
static int find_meta(const Node *node, GError **error)
{
    int found = -1;

    for (size_t i = 0; i < G_N_ELEMENTS(metas); i++) {
        if (!node_get(node, metas[i].key))
            continue;
        if (found >= 0) {
            wrong(error, node->where, "an expression is one thing, this is both '%s' and '%s'", metas[found].key,
                  metas[i].key);
            return -1;
        }
        found = (int)i;
    }
    if (found < 0)
        wrong(
            error, node->where,
            "an expression is one of 'include', 'pragma', 'enum', 'struct', 'union', 'alternate', 'command', 'event'; this "
            "is none");
    return found;
}

static bool check_name(const Schema *schema, const Node *name, size_t meta, GError **error)
{
    NameStyle style = metas[meta].style;

    if (metas[meta].kind == KIND_COMMAND && g_hash_table_contains(schema->pragma.command_names, name->text))
        style = NAME_UNDERSCORE;
    const char *fault = name_fault(name->text, style), *hint = "";
    if (!fault && style == NAME_TYPE && g_str_has_suffix(name->text, "List"))
        fault = "does not end with 'List', which C types have";
    else if (fault && style == NAME_LOWER && !name_fault(name->text, NAME_UNDERSCORE))
        hint = ", unless pragma 'command-name-exceptions' has it";
    return !fault || wrong(error, name->where, "'%s' is no good name: that of %s %s %s%s", name->text,
                           strchr("aeiou", metas[meta].key[0]) ? "an" : "a", metas[meta].key, fault, hint);
}

bool build_definition(Schema *schema, const Node *node, Doc *doc, GError **error)
{
    int meta = find_meta(node, error);

    if (meta < 0)
        return false;
    const Node *name = node_get(node, metas[meta].key);
    if (!node_expect(name, NODE_STRING, arena_print(schema->arena, "the name of '%s'", metas[meta].key), error) ||
        !check_name(schema, name, (size_t)meta, error))
        return false;
    Definition *d = new_definition(schema->arena, metas[meta].kind, name->text, node->where);
    const char *what = arena_print(schema->arena, "%s '%s'", metas[meta].key, name->text);
    Builder b = {schema, schema->arena, d, node, what};
    if (doc && strcmp(doc->symbol, d->name) != 0)
        return wrong(error, doc->where, "documentation of '%s' is followed by %s", doc->symbol, what);
    d->doc = doc;
    return build_keys(node, what, metas[meta].keys, error) && build_cond(schema->arena, node, &d->cond, error) &&
           build_features(schema, node, &d->features, error) && metas[meta].build(&b, error) &&
           add_definition(schema, d, error);
}
