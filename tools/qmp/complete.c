/* complete.c: how a line of the shell may go on, by the peer's schema. */
#include "tools/qmp/complete.h"

#include <jansson.h>
#include <string.h>

#include "tools/qmp/keys.h"
#include "tools/qmp/shell.h"

static void offer(GPtrArray *all, const char *prefix, const char *word, const char *end, const char *typed)
{
    g_autofree char *candidate = g_strconcat(prefix, word, end, NULL);

    if (g_str_has_prefix(candidate, typed))
        g_ptr_array_add(all, g_steal_pointer(&candidate));
}

static void offer_all(GPtrArray *all, GPtrArray *names, const char *typed)
{
    for (guint i = 0; i < names->len; i++)
        offer(all, "", g_ptr_array_index(names, i), " ", typed);
}

static void offer_commands(GPtrArray *all, const Live *live, const char *typed, bool own)
{
    g_autoptr(GPtrArray) names = live_names(live, "command");

    offer_all(all, names, typed);
    for (const char *const *word = shell_words; own && *word; word++)
        offer(all, "", *word, " ", typed);
}

static void offer_events(GPtrArray *all, const Live *live, const char *typed)
{
    g_autoptr(GPtrArray) names = live_names(live, "event");

    offer_all(all, names, typed);
    offer(all, "", "off", " ", typed);
}

/* "key=": what may stand behind it. */
static void offer_values(GPtrArray *all, const Live *live, const json_t *type, const char *prefix, const char *typed)
{
    static const char *const booleans[] = {"true", "false"};
    const json_t *members = json_object_get(type, "members");

    switch (live_kind(type)) {
    case LIVE_ENUM: {
        g_autoptr(GPtrArray) values = live_values(type);
        for (guint i = 0; i < values->len; i++)
            offer(all, prefix, g_ptr_array_index(values, i), " ", typed);
        break;
    }
    case LIVE_BOOLEAN:
        for (size_t i = 0; i < G_N_ELEMENTS(booleans); i++)
            offer(all, prefix, booleans[i], " ", typed);
        break;
    case LIVE_ARRAY:
        if (live_kind(live_type_of(live, type, "element-type")) != LIVE_ARRAY)
            offer_values(all, live, live_type_of(live, type, "element-type"), prefix, typed);
        break;
    case LIVE_ALTERNATE:
        for (size_t i = 0; i < json_array_size(members); i++) {
            const json_t *branch = live_type_of(live, json_array_get(members, i), "type");
            if (live_kind(branch) == LIVE_ENUM || live_kind(branch) == LIVE_BOOLEAN)
                offer_values(all, live, branch, prefix, typed);
        }
        break;
    default:
        break;
    }
}

/* Does it have members of its own? */
static bool has_keys(const Live *live, const json_t *type)
{
    const json_t *members = json_object_get(type, "members");

    if (live_kind(type) == LIVE_OBJECT)
        return true;
    if (live_kind(type) == LIVE_ARRAY)
        return live_kind(live_type_of(live, type, "element-type")) == LIVE_OBJECT;
    for (size_t i = 0; live_kind(type) == LIVE_ALTERNATE && i < json_array_size(members); i++)
        if (live_kind(live_type_of(live, json_array_get(members, i), "type")) == LIVE_OBJECT)
            return true;
    return false;
}

/* The last element that there is, if it can have more keys, and the next one. */
static void offer_elements(GPtrArray *all, bool nested, const Keys *keys, const char *prefix, const char *typed)
{
    guint count = keys ? keys->names->len : 0;

    for (guint i = nested && count ? count - 1 : count; i <= count; i++) {
        g_autofree char *number = g_strdup_printf("%u", i);
        offer(all, prefix, number, nested ? "." : "=", typed);
    }
}

/* Members of the object at the path in front of the last dot. */
static void offer_members(GPtrArray *all, const Live *live, const json_t *type, const Keys *keys, const char *prefix,
                          const char *typed)
{
    const json_t *members = json_object_get(type, "members");

    for (size_t i = 0; live_kind(type) == LIVE_ALTERNATE && i < json_array_size(members); i++)
        if (live_kind(live_type_of(live, json_array_get(members, i), "type")) == LIVE_OBJECT) {
            offer_members(all, live, live_type_of(live, json_array_get(members, i), "type"), keys, prefix, typed);
            return;
        }
    if (live_kind(type) == LIVE_ARRAY) {
        offer_elements(all, has_keys(live, live_type_of(live, type, "element-type")), keys, prefix, typed);
        return;
    }
    if (live_kind(type) != LIVE_OBJECT)
        return;
    const char *tag = live_tag(type);
    const Keys *tagged = tag ? keys_find(keys, tag) : NULL;
    const char *value = tagged && tagged->texts->len ? g_ptr_array_index(tagged->texts, 0) : NULL;
    g_autoptr(GPtrArray) found = live_members(live, type, value);
    for (guint i = 0; i < found->len; i++) {
        const json_t *member = g_ptr_array_index(found, i);
        const char *name = json_string_value(json_object_get(member, "name"));
        const Keys *given = keys_find(keys, name);
        if (!given || given->names->len)
            offer(all, prefix, name, has_keys(live, live_type_of(live, member, "type")) ? "." : "=", typed);
    }
}

static void offer_arguments(GPtrArray *all, const Live *live, char **words, const char *typed)
{
    const json_t *type = live_type_of(live, live_command(live, words[0]), "arg-type");
    g_autoptr(Keys) root = keys_parse(words + 1, true, NULL);
    const Keys *keys = root;
    const char *equals = strchr(typed, '='), *dot = strrchr(typed, '.');

    if (equals) {
        g_autofree char *path = g_strndup(typed, (gsize)(equals - typed));
        g_autofree char *prefix = g_strndup(typed, (gsize)(equals - typed) + 1);
        offer_values(all, live, keys_type_at(live, type, &keys, path), prefix, typed);
        return;
    }
    g_autofree char *path = dot ? g_strndup(typed, (gsize)(dot - typed)) : g_strdup("");
    g_autofree char *prefix = dot ? g_strndup(typed, (gsize)(dot - typed) + 1) : g_strdup("");
    if (dot)
        type = keys_type_at(live, type, &keys, path);
    offer_members(all, live, type, keys, prefix, typed);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

GPtrArray *complete_line(const Live *live, const char *line, size_t *start)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
    const char *blank = strrchr(line, ' ');
    const char *typed = blank ? blank + 1 : line;
    g_autofree char *before = g_strndup(line, (gsize)(typed - line));
    g_auto(GStrv) split = g_strsplit_set(g_strstrip(before), " \t", -1);
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    for (char **word = split; *word; word++)
        if (**word)
            g_ptr_array_add(words, *word);
    g_ptr_array_add(words, NULL);
    char **first = (char **)words->pdata;
    *start = (size_t)(typed - line);
    if (!first[0])
        offer_commands(all, live, typed, true);
    else if (strcmp(first[0], "help") == 0 && !first[1])
        offer_commands(all, live, typed, false);
    else if (strcmp(first[0], "events") == 0)
        offer_events(all, live, typed);
    else
        offer_arguments(all, live, strcmp(first[0], "help") == 0 ? first + 1 : first, typed);
    g_ptr_array_sort(all, by_text);
    return all;
}

size_t complete_common(const GPtrArray *candidates)
{
    const char *first = candidates->len ? g_ptr_array_index(candidates, 0) : "";
    size_t common = strlen(first);

    for (guint i = 1; i < candidates->len; i++) {
        const char *other = g_ptr_array_index(candidates, i);
        size_t same = 0;
        while (same < common && other[same] == first[same])
            same++;
        common = same;
    }
    return common;
}
