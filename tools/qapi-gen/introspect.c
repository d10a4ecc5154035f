/*
 * introspect.c: writes introspect.h and introspect.c: what query-qmp-schema answers, as JSON.
 *
 * It is a list of SchemaInfo, as QEMU documents it: first the commands and events, then every type that they lead to.
 * Every integer is "int". Types have the names that the schema gives them.
 */
#include "tools/qapi-gen/emit.h"

static const char EMPTY[] = "q_empty"; /* an object without members */

/* Elements of a JSON list, of which some depend on conditions: is there one already? */
typedef struct Items {
    GString *conds; /* of those so far; "": there are none */
    bool always;    /* one of them is always there */
} Items;

typedef struct Introspection {
    Out *out;
    GHashTable *seen; /* names of types */
    GPtrArray *types; /* Definition: they are to be told */
} Introspection;

/* One piece of the C literal. */
static void say(const Introspection *in, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void say(const Introspection *in, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    emit(in->out, "    %s\n", c_string(in->out->arena, text));
}

static void item_start(const Introspection *in, const Items *items, const Cond *cond)
{
    emit_if(in->out, cond);
    if (items->always)
        say(in, ", ");
    else if (items->conds->len > 0)
        emit(in->out, "#if %s\n    \", \"\n#endif\n", items->conds->str);
}

static void item_end(const Introspection *in, Items *items, const Cond *cond)
{
    emit_endif(in->out, cond);
    items->always = items->always || !cond;
    if (cond)
        g_string_append_printf(items->conds, "%s(%s)", items->conds->len ? " || " : "", cond->c);
}

static Items items_new(void)
{
    return (Items){.conds = g_string_new(NULL)};
}

static void items_free(Items *items)
{
    g_string_free(items->conds, TRUE);
}

/* The name of a type, which is to be told too. */
static const char *type_name(const Introspection *in, Definition *type)
{
    const char *name = type->kind == KIND_BUILTIN ? type->builtin->folded
                       : type->kind == KIND_LIST  ? arena_print(in->out->arena, "[%s]", type_name(in, type->element))
                                                  : type->name;

    if (g_hash_table_add(in->seen, (void *)name))
        g_ptr_array_add(in->types, type);
    return name;
}

static const char *object_name(const Introspection *in, Definition *type)
{
    return type ? type_name(in, type) : EMPTY;
}

static void say_features(const Introspection *in, const GPtrArray *features)
{
    Items items = items_new();

    if (features->len > 0)
        say(in, ", \"features\": [");
    for (unsigned i = 0; i < features->len; i++) {
        const Feature *feature = g_ptr_array_index(features, i);
        item_start(in, &items, feature->cond);
        say(in, "\"%s\"", feature->name);
        item_end(in, &items, feature->cond);
    }
    if (features->len > 0)
        say(in, "]");
    items_free(&items);
}

/* --- types ------------------------------------------------------------------------------------------------------- */

static void say_values(const Introspection *in, const Definition *type, bool plain)
{
    Items items = items_new();

    say(in, plain ? ", \"values\": [" : ", \"members\": [");
    for (unsigned i = 0; i < type->members->len; i++) {
        const Member *value = member_at(type->members, i);
        item_start(in, &items, value->cond);
        say(in, plain ? "\"%s\"" : "{\"name\": \"%s\"", value->name);
        if (!plain) {
            say_features(in, value->features);
            say(in, "}");
        }
        item_end(in, &items, value->cond);
    }
    say(in, "]");
    items_free(&items);
}

/* Members of an object, or branches of an alternate. */
static void say_members(const Introspection *in, const GPtrArray *members, bool names)
{
    Items items = items_new();

    say(in, ", \"members\": [");
    for (unsigned i = 0; i < members->len; i++) {
        const Member *member = member_at(members, i);
        item_start(in, &items, member->cond);
        if (names)
            say(in, "{\"name\": \"%s\", %s\"type\": \"%s\"", member->name,
                member->optional ? "\"default\": null, " : "", type_name(in, member->ref.type));
        else
            say(in, "{\"type\": \"%s\"", type_name(in, member->ref.type));
        say_features(in, member->features);
        say(in, "}");
        item_end(in, &items, member->cond);
    }
    say(in, "]");
    items_free(&items);
}

static const Member *branch_of(const Definition *type, const char *name)
{
    for (unsigned i = 0; i < type->branches->len; i++) {
        if (g_str_equal(member_at(type->branches, i)->name, name))
            return member_at(type->branches, i);
    }
    return NULL;
}

/* Every value of the tag: one without a branch adds nothing. */
static void say_variants(const Introspection *in, const Definition *type)
{
    const GPtrArray *values = type->tag->ref.type->members;
    Items items = items_new();

    say(in, ", \"tag\": \"%s\", \"variants\": [", type->tag->name);
    for (unsigned i = 0; i < values->len; i++) {
        const Member *value = member_at(values, i), *branch = branch_of(type, value->name);
        item_start(in, &items, value->cond);
        say(in, "{\"case\": \"%s\", \"type\": ", value->name);
        if (branch) {
            emit_if(in->out, branch->cond);
            say(in, "\"%s\"", type_name(in, branch->ref.type));
            emit(in->out, branch->cond ? "#else\n" : "");
        }
        if (!branch || branch->cond)
            say(in, "\"%s\"", EMPTY);
        if (branch)
            emit_endif(in->out, branch->cond);
        say(in, "}");
        item_end(in, &items, value->cond);
    }
    say(in, "]");
    items_free(&items);
}

static void say_type(const Introspection *in, Definition *type)
{
    static const char *const metas[] = {
        [KIND_BUILTIN] = "builtin", [KIND_ENUM] = "enum",           [KIND_STRUCT] = "object",
        [KIND_UNION] = "object",    [KIND_ALTERNATE] = "alternate", [KIND_LIST] = "array",
    };

    say(in, "{\"name\": \"%s\", \"meta-type\": \"%s\"", type_name(in, type), metas[type->kind]);
    if (type->kind == KIND_BUILTIN)
        say(in, ", \"json-type\": \"%s\"", type->builtin->json);
    if (type->kind == KIND_ENUM) {
        say_values(in, type, false);
        say_values(in, type, true);
    }
    if (type->kind == KIND_LIST)
        say(in, ", \"element-type\": \"%s\"", type_name(in, type->element));
    if (type->kind == KIND_STRUCT || type->kind == KIND_UNION)
        say_members(in, type->all, true);
    if (type->kind == KIND_UNION)
        say_variants(in, type);
    if (type->kind == KIND_ALTERNATE)
        say_members(in, type->members, false);
    say_features(in, type->features);
    say(in, "}");
}

/* --- commands and events ----------------------------------------------------------------------------------------- */

static void say_top(const Introspection *in, const Definition *d)
{
    bool command = d->kind == KIND_COMMAND;

    say(in, "{\"name\": \"%s\", \"meta-type\": \"%s\", \"arg-type\": \"%s\"", d->name, kind_name(d->kind),
        object_name(in, d->arguments));
    if (command)
        say(in, ", \"ret-type\": \"%s\"", object_name(in, d->returns.type));
    if (d->allow_oob)
        say(in, ", \"allow-oob\": true");
    say_features(in, d->features);
    say(in, "}");
}

static void say_tops(const Introspection *in, Items *items, const GPtrArray *definitions)
{
    for (unsigned i = 0; i < definitions->len; i++) {
        const Definition *d = definition_at(definitions, i);
        item_start(in, items, d->cond);
        say_top(in, d);
        item_end(in, items, d->cond);
    }
}

void generate_introspect_c(Out *out)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    Introspection in = {out, seen, arena_array(out->arena)};
    Items items = items_new();

    emit_head(out, "introspect.c", "what query-qmp-schema answers.");
    emit(out, "#include \"qapi/introspect.h\"\n\nconst char qmp_introspection[] =\n");
    say(&in, "[");
    say_tops(&in, &items, out->schema->commands);
    say_tops(&in, &items, out->schema->events);
    for (unsigned i = 0; i < in.types->len; i++) { /* which grows */
        Definition *type = definition_at(in.types, i);
        item_start(&in, &items, type->cond);
        say_type(&in, type);
        item_end(&in, &items, type->cond);
    }
    item_start(&in, &items, NULL);
    say(&in, "{\"name\": \"%s\", \"meta-type\": \"object\", \"members\": []}", EMPTY);
    item_end(&in, &items, NULL);
    say(&in, "]");
    emit(out, "    ;\n");
    items_free(&items);
}

void generate_introspect_h(Out *out)
{
    emit_head(out, "introspect.h", "what query-qmp-schema answers.");
    emit(out, "#ifndef QAPI_INTROSPECT_H\n#define QAPI_INTROSPECT_H\n\n");
    emit(out, "/* JSON: a list of SchemaInfo. */\nextern const char qmp_introspection[];\n\n#endif\n");
}
