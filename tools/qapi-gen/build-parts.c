/*
 * build-parts.c: what definitions have in common: their keys, 'if', 'features'; and pragmas.
 */
#include <string.h>

#include "tools/qapi-gen/names.h"
#include "tools/qapi-gen/schema-impl.h"

bool build_keys(const Node *object, const char *what, const char *const *allowed, GError **error)
{
    for (unsigned i = 0; i < object->items->len; i++) {
        const Node *item = node_item(object, i);
        g_autoptr(GString) list = g_string_new(NULL);
        bool found = false;
        for (size_t k = 0; allowed[k]; k++) {
            const char *key = allowed[k] + (allowed[k][0] == '!');
            found = found || strcmp(key, item->key) == 0;
            g_string_append_printf(list, "%s%s", k ? ", " : "", key);
        }
        if (!found)
            return wrong(error, item->where, "%s has the key '%s': it may have %s", what, item->key, list->str);
    }
    for (size_t k = 0; allowed[k]; k++) {
        if (allowed[k][0] == '!' && !node_get(object, allowed[k] + 1))
            return wrong(error, object->where, "%s lacks '%s'", what, allowed[k] + 1);
    }
    return true;
}

/* --- conditions -------------------------------------------------------------------------------------------------- */

static const Cond *read_cond(Arena *arena, const Node *node, GError **error);

static const Cond *read_symbol(Arena *arena, const Node *node, GError **error)
{
    Cond *cond = ARENA_NEW(arena, Cond);

    for (const char *p = node->text; *p || p == node->text; p++) {
        if (g_ascii_isupper(*p) || *p == '_' || (g_ascii_isdigit(*p) && p > node->text))
            continue;
        wrong(error, node->where, "'if' must be a macro in upper case, as CONFIG_X, and is '%s'", node->text);
        return NULL;
    }
    cond->c = arena_print(arena, "defined(%s)", node->text);
    cond->text = node->text;
    return cond;
}

/* { 'all': [...] } or { 'any': [...] } */
static const Cond *read_conds(Arena *arena, const Node *node, bool all, GError **error)
{
    g_autoptr(GString) c = g_string_new("(");
    g_autoptr(GString) text = g_string_new("(");
    Cond *cond = ARENA_NEW(arena, Cond);

    if (!node_expect(node, NODE_LIST, all ? "'all' of 'if'" : "'any' of 'if'", error))
        return NULL;
    if (node->items->len == 0) {
        wrong(error, node->where, "'%s' of 'if' is empty", node->key);
        return NULL;
    }
    for (unsigned i = 0; i < node->items->len; i++) {
        const Cond *part = read_cond(arena, node_item(node, i), error);
        if (!part)
            return NULL;
        g_string_append_printf(c, "%s%s", i == 0 ? "" : all ? " && " : " || ", part->c);
        g_string_append_printf(text, "%s%s", i == 0 ? "" : all ? " and " : " or ", part->text);
    }
    cond->c = arena_print(arena, "%s)", c->str);
    cond->text = arena_print(arena, "%s)", text->str);
    return cond;
}

static const Cond *read_not(Arena *arena, const Node *node, GError **error)
{
    const Cond *inner = read_cond(arena, node, error);
    Cond *cond = ARENA_NEW(arena, Cond);

    if (!inner)
        return NULL;
    cond->c = arena_print(arena, "!%s", inner->c);
    cond->text = arena_print(arena, "not %s", inner->text);
    return cond;
}

static const Cond *read_cond(Arena *arena, const Node *node, GError **error)
{
    if (node->kind == NODE_STRING)
        return read_symbol(arena, node, error);
    if (node->kind != NODE_OBJECT) {
        wrong(error, node->where, "'if' must be a string or an object, and is %s", node_name(node));
        return NULL;
    }
    if (node->items->len != 1) {
        wrong(error, node->where, "an object in 'if' must have one member, 'all', 'any' or 'not', and has %u",
              node->items->len);
        return NULL;
    }
    const Node *item = node_item(node, 0);
    if (strcmp(item->key, "all") == 0 || strcmp(item->key, "any") == 0)
        return read_conds(arena, item, item->key[1] == 'l', error);
    if (strcmp(item->key, "not") == 0)
        return read_not(arena, item, error);
    wrong(error, item->where, "an object in 'if' must have 'all', 'any' or 'not', and has '%s'", item->key);
    return NULL;
}

/* Without the parentheses around the whole. */
static const char *bare(Arena *arena, const char *text)
{
    return text[0] == '(' ? arena_text(arena, text + 1, strlen(text) - 2) : text;
}

bool build_cond(Arena *arena, const Node *object, const Cond **cond, GError **error)
{
    const Node *node = node_get(object, "if");

    *cond = NULL;
    if (!node)
        return true;
    const Cond *whole = read_cond(arena, node, error);
    if (!whole)
        return false;
    Cond *result = ARENA_NEW(arena, Cond);
    result->c = bare(arena, whole->c);
    result->text = bare(arena, whole->text);
    *cond = result;
    return true;
}

/* --- features ---------------------------------------------------------------------------------------------------- */

static bool read_feature(Arena *arena, const Node *node, GPtrArray *features, GError **error)
{
    static const char *const keys[] = {"!name", "if", NULL};
    Feature *feature = ARENA_NEW(arena, Feature);
    const Node *name = node;

    feature->where = node->where;
    feature->about = "";
    if (node->kind == NODE_OBJECT) {
        if (!build_keys(node, "a feature", keys, error) || !build_cond(arena, node, &feature->cond, error))
            return false;
        name = node_get(node, "name");
    }
    if (!node_expect(name, NODE_STRING, "the name of a feature", error))
        return false;
    feature->name = name->text;
    const char *fault = name_fault(feature->name, NAME_LOWER);
    if (fault)
        return wrong(error, name->where, "'%s' is no good name: that of a feature %s", feature->name, fault);
    for (unsigned i = 0; i < features->len; i++) {
        const Feature *before = g_ptr_array_index(features, i);
        if (strcmp(before->name, feature->name) == 0)
            return wrong(error, node->where, "feature '%s' is here again: it is already at line %u", feature->name,
                         before->where.line);
    }
    g_ptr_array_add(features, feature);
    return true;
}

bool build_features(Schema *schema, const Node *object, GPtrArray **features, GError **error)
{
    const Node *list = node_get(object, "features");

    *features = arena_array(schema->arena);
    if (!list)
        return true;
    if (!node_expect(list, NODE_LIST, "'features'", error))
        return false;
    for (unsigned i = 0; i < list->items->len; i++) {
        if (!read_feature(schema->arena, node_item(list, i), *features, error))
            return false;
    }
    return true;
}

/* --- pragmas ----------------------------------------------------------------------------------------------------- */

/* A list of names that go to the set. */
static bool read_names(const Node *list, GHashTable *set, GError **error)
{
    g_autofree char *what = g_strdup_printf("pragma '%s'", list->key);

    if (!node_expect(list, NODE_LIST, what, error))
        return false;
    for (unsigned i = 0; i < list->items->len; i++) {
        const Node *name = node_item(list, i);
        if (name->kind != NODE_STRING)
            return wrong(error, name->where, "pragma '%s' must be a list of names, and has %s", list->key,
                         node_name(name));
        g_hash_table_add(set, (void *)name->text);
    }
    return true;
}

bool build_pragma(Schema *schema, const Node *node, GError **error)
{
    static const char *const keys[] = {
        "doc-required",           "command-name-exceptions",  "command-returns-exceptions",
        "member-name-exceptions", "documentation-exceptions", NULL};
    static const char *const outer[] = {"!pragma", NULL};
    Pragma *pragma = &schema->pragma;
    GHashTable *const sets[] = {NULL, pragma->command_names, pragma->command_returns, pragma->member_names,
                                pragma->undocumented};
    const Node *object = node_get(node, "pragma");

    if (!build_keys(node, "a pragma", outer, error) || !node_expect(object, NODE_OBJECT, "'pragma'", error) ||
        !build_keys(object, "a pragma", keys, error))
        return false;
    const Node *required = node_get(object, keys[0]);
    if (required && !node_expect(required, NODE_BOOL, "pragma 'doc-required'", error))
        return false;
    if (required)
        pragma->doc_required = required->truth;
    for (size_t i = 1; keys[i]; i++) {
        const Node *list = node_get(object, keys[i]);
        if (list && !read_names(list, sets[i], error))
            return false;
    }
    return true;
}
