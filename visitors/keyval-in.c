/*
 * keyval-in.c: loads from "key=value,...". Makes a tree of the text, which json-in.c then visits.
 */
#include "visitors/keyval-in.h"

#include <jansson.h>
#include <string.h>

#include "visitors/json-in-impl.h"

/* Both together, the value at `key`, and a new value. Takes the new one. */
static void put_leaf(json_t *group, const char *key, json_t *value)
{
    json_t *before = json_object_get(group, key);

    if (before && !json_is_array(before)) {
        json_t *both = json_array();
        json_array_append(both, before);
        json_object_set_new_nocheck(group, key, both);
        before = both;
    }
    if (before)
        json_array_append_new(before, value);
    else
        json_object_set_new_nocheck(group, key, value);
}

static char *fail_both(const char *key)
{
    return g_strdup_printf("the key '%s' is given both a value and keys of its own", key);
}

/* Puts it where its dotted key says. Takes the value. What is wrong as a new string; NULL: nothing. */
static char *put(json_t *root, const char *dotted, json_t *value)
{
    g_auto(GStrv) parts = g_strsplit(dotted, ".", KEYVAL_DEPTH_MAX + 1);
    size_t last = g_strv_length(parts);
    char *wrong = NULL;
    json_t *group = root;

    if (last > KEYVAL_DEPTH_MAX)
        wrong = g_strdup_printf("a key has more than %d parts", KEYVAL_DEPTH_MAX);
    for (size_t i = 0; !wrong && i < last; i++) {
        json_t *next = json_object_get(group, parts[i]);
        if (!*parts[i]) {
            wrong = g_strdup_printf("a part of the key '%s' is empty", dotted);
        } else if (i + 1 == last) {
            if (next && json_is_object(next))
                wrong = fail_both(dotted);
            else
                put_leaf(group, parts[i], json_incref(value));
        } else {
            if (next && !json_is_object(next))
                wrong = fail_both(parts[i]);
            else if (!next)
                json_object_set_new_nocheck(group, parts[i], next = json_object());
            group = next;
        }
    }
    json_decref(value);
    return wrong;
}

/* Up to the next comma that is not two of them. New string; *text is then behind the comma. */
static char *next_part(const char **text)
{
    GString *part = g_string_new(NULL);
    const char *p = *text;

    for (; *p && (*p != ',' || p[1] == ','); p++) {
        if (*p == ',')
            p++;
        g_string_append_c(part, *p);
    }
    *text = p + (*p == ',');
    return g_string_free(part, FALSE);
}

static char *put_part(json_t *root, const char *part, const char *implied)
{
    static const char letters[] = G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_./";
    size_t len = strspn(part, letters);

    if (implied && !strchr(part, '='))
        return put(root, implied, json_stringn_nocheck(part, strlen(part)));
    if (len == 0 || (part[len] && part[len] != '='))
        return g_strdup_printf("'%s' does not start with a key", part);
    g_autofree char *key = g_strndup(part, len);
    const char *value = part + len + 1;
    return put(root, key, part[len] ? json_stringn_nocheck(value, strlen(value)) : json_true());
}

struct json_t *keyval_tree(const char *text, const char *implied, char **wrong)
{
    json_t *tree = json_object();

    *wrong = NULL;
    while (!*wrong && *text) {
        g_autofree char *part = next_part(&text);
        *wrong = put_part(tree, part, implied);
        implied = NULL;
    }
    if (!*wrong)
        return tree;
    json_decref(tree);
    return NULL;
}

Visitor *keyval_in_new_tree(struct json_t *tree, const char *root)
{
    return json_in_new_text(tree, root, NULL);
}

Visitor *keyval_in_new(const char *text, const char *implied, const char *root)
{
    g_autofree char *wrong = NULL;
    json_t *tree = keyval_tree(text, implied, &wrong);

    return json_in_new_text(tree, root, wrong);
}
