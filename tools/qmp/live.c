/* live.c: what the peer says about its own commands. */
#include "tools/qmp/live.h"

#include <jansson.h>
#include <string.h>

enum { DEPTH_MAX = 8 };

struct Live {
    json_t *reply;
    GHashTable *by_name; /* types and commands have names of their own; borrowed from the reply */
};

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

Live *live_new(struct json_t *reply)
{
    Live *live = g_new0(Live, 1);

    live->reply = reply;
    live->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    for (size_t i = 0; i < json_array_size(reply); i++) {
        json_t *entity = json_array_get(reply, i);
        if (*text_of(entity, "name"))
            g_hash_table_insert(live->by_name, (char *)text_of(entity, "name"), entity);
    }
    return live;
}

void live_free(Live *live)
{
    if (!live)
        return;
    g_hash_table_unref(live->by_name);
    json_decref(live->reply);
    g_free(live);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *live_names(const Live *live, const char *meta_type)
{
    GPtrArray *names = g_ptr_array_new();

    for (size_t i = 0; i < json_array_size(live->reply); i++) {
        const json_t *entity = json_array_get(live->reply, i);
        if (strcmp(text_of(entity, "meta-type"), meta_type) == 0)
            g_ptr_array_add(names, (char *)text_of(entity, "name"));
    }
    g_ptr_array_sort(names, by_text);
    return names;
}

static const json_t *find(const Live *live, const char *name, const char *meta_type)
{
    const json_t *entity = g_hash_table_lookup(live->by_name, name);

    return entity && strcmp(text_of(entity, "meta-type"), meta_type) == 0 ? entity : NULL;
}

const struct json_t *live_command(const Live *live, const char *name)
{
    return find(live, name, "command");
}

const struct json_t *live_event(const Live *live, const char *name)
{
    return find(live, name, "event");
}

const struct json_t *live_type(const Live *live, const char *name)
{
    return g_hash_table_lookup(live->by_name, name);
}

const struct json_t *live_type_of(const Live *live, const struct json_t *description, const char *key)
{
    return description ? live_type(live, text_of(description, key)) : NULL;
}

static LiveKind builtin_kind(const char *name)
{
    static const struct {
        const char *name;
        LiveKind kind;
    } all[] = {{"string", LIVE_STRING},   {"int", LIVE_INTEGER}, {"number", LIVE_NUMBER},
               {"boolean", LIVE_BOOLEAN}, {"null", LIVE_NULL},   {"value", LIVE_ANY}};

    for (size_t i = 0; i < G_N_ELEMENTS(all); i++)
        if (strcmp(name, all[i].name) == 0)
            return all[i].kind;
    return LIVE_NONE;
}

LiveKind live_kind(const struct json_t *type)
{
    const char *meta_type = text_of(type, "meta-type");

    if (strcmp(meta_type, "builtin") == 0)
        return builtin_kind(text_of(type, "json-type"));
    if (strcmp(meta_type, "enum") == 0)
        return LIVE_ENUM;
    if (strcmp(meta_type, "array") == 0)
        return LIVE_ARRAY;
    if (strcmp(meta_type, "object") == 0)
        return LIVE_OBJECT;
    return strcmp(meta_type, "alternate") == 0 ? LIVE_ALTERNATE : LIVE_NONE;
}

/* --- objects ------------------------------------------------------------------------------------------------------ */

static void add_members(GPtrArray *all, const json_t *object)
{
    const json_t *members = json_object_get(object, "members");

    for (size_t i = 0; i < json_array_size(members); i++)
        if (*text_of(json_array_get(members, i), "name"))
            g_ptr_array_add(all, json_array_get(members, i));
}

GPtrArray *live_members(const Live *live, const struct json_t *object, const char *tag_value)
{
    const json_t *variants = json_object_get(object, "variants");
    GPtrArray *all = g_ptr_array_new();

    add_members(all, object);
    for (size_t i = 0; tag_value && i < json_array_size(variants); i++) {
        const json_t *variant = json_array_get(variants, i);
        if (strcmp(text_of(variant, "case"), tag_value) == 0)
            add_members(all, live_type_of(live, variant, "type"));
    }
    return all;
}

const char *live_tag(const struct json_t *object)
{
    return json_string_value(json_object_get(object, "tag"));
}

bool live_is_optional(const struct json_t *member)
{
    return json_object_get(member, "default") != NULL;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

GPtrArray *live_values(const struct json_t *enumeration)
{
    const json_t *values = json_object_get(enumeration, "values"), *members = json_object_get(enumeration, "members");
    GPtrArray *names = g_ptr_array_new();

    for (size_t i = 0; i < json_array_size(values); i++)
        if (json_is_string(json_array_get(values, i)))
            g_ptr_array_add(names, (char *)json_string_value(json_array_get(values, i)));
    for (size_t i = 0; !names->len && i < json_array_size(members); i++)
        if (*text_of(json_array_get(members, i), "name"))
            g_ptr_array_add(names, (char *)text_of(json_array_get(members, i), "name"));
    return names;
}

static void put_type(GString *text, const Live *live, const json_t *type, int depth);

static void put_values(GString *text, const json_t *type)
{
    g_autoptr(GPtrArray) values = live_values(type);

    g_string_append(text, "one of ");
    for (guint i = 0; i < values->len; i++)
        g_string_append_printf(text, i ? ", %s" : "%s", (const char *)g_ptr_array_index(values, i));
}

static void put_members(GString *text, const Live *live, const json_t *type)
{
    g_autoptr(GPtrArray) members = live_members(live, type, NULL);

    g_string_append(text, "{ ");
    for (guint i = 0; i < members->len; i++) {
        const json_t *member = g_ptr_array_index(members, i);
        g_string_append_printf(text, live_is_optional(member) ? "[%s] " : "%s ", text_of(member, "name"));
    }
    if (live_tag(type))
        g_string_append_printf(text, "and more, by %s ", live_tag(type));
    g_string_append(text, "}");
}

static void put_branches(GString *text, const Live *live, const json_t *type, int depth)
{
    const json_t *members = json_object_get(type, "members");

    for (size_t i = 0; i < json_array_size(members); i++) {
        g_string_append(text, i ? " or " : "");
        put_type(text, live, live_type_of(live, json_array_get(members, i), "type"), depth + 1);
    }
}

static void put_type(GString *text, const Live *live, const json_t *type, int depth)
{
    static const char *const names[] = {
        [LIVE_NONE] = "?",          [LIVE_STRING] = "string", [LIVE_INTEGER] = "integer", [LIVE_NUMBER] = "number",
        [LIVE_BOOLEAN] = "boolean", [LIVE_NULL] = "null",     [LIVE_ANY] = "any value"};
    LiveKind kind = depth < DEPTH_MAX ? live_kind(type) : LIVE_NONE;

    if (kind == LIVE_ENUM) {
        put_values(text, type);
    } else if (kind == LIVE_ARRAY) {
        g_string_append(text, "list of ");
        put_type(text, live, live_type_of(live, type, "element-type"), depth + 1);
    } else if (kind == LIVE_OBJECT) {
        put_members(text, live, type);
    } else if (kind == LIVE_ALTERNATE) {
        put_branches(text, live, type, depth);
    } else {
        g_string_append(text, names[kind]);
    }
}

char *live_type_text(const Live *live, const struct json_t *type)
{
    GString *text = g_string_new(NULL);

    put_type(text, live, type, 0);
    return g_string_free(text, FALSE);
}
