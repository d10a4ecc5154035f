/* keys.c: arguments as people write them. */
#include "tools/qmp/keys.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tools/libqmp/libqmp.h"

enum { DEPTH_MAX = 32 };

/* --- reading ------------------------------------------------------------------------------------------------------ */

void keys_free(Keys *keys)
{
    if (!keys)
        return;
    g_ptr_array_unref(keys->names);
    g_ptr_array_unref(keys->below);
    g_ptr_array_unref(keys->texts);
    json_decref(keys->json);
    g_free(keys);
}

static void free_below(void *keys)
{
    keys_free(keys);
}

static Keys *make(void)
{
    Keys *keys = g_new0(Keys, 1);

    keys->names = g_ptr_array_new_with_free_func(g_free);
    keys->below = g_ptr_array_new_with_free_func(free_below);
    keys->texts = g_ptr_array_new_with_free_func(g_free);
    return keys;
}

const Keys *keys_find(const Keys *keys, const char *name)
{
    for (guint i = 0; keys && i < keys->names->len; i++)
        if (strcmp(g_ptr_array_index(keys->names, i), name) == 0)
            return g_ptr_array_index(keys->below, i);
    return NULL;
}

static Keys *find_or_make(Keys *keys, const char *name)
{
    Keys *found = (Keys *)keys_find(keys, name);

    if (!found) {
        found = make();
        g_ptr_array_add(keys->names, g_strdup(name));
        g_ptr_array_add(keys->below, found);
    }
    return found;
}

static bool fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static bool fail(GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_autofree char *message = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error_literal(error, LIBQMP_ERROR, LIBQMP_ERROR_ARGUMENT, message);
    return false;
}

static bool add_json(Keys *at, const char *key, const char *text, GError **error)
{
    json_error_t why;
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &why);

    if (!value)
        return fail(error, "%s: this is no JSON: %s", key, why.text);
    if (at->json || at->texts->len) {
        json_decref(value);
        return fail(error, "%s: the key is given twice", key);
    }
    at->json = value;
    return true;
}

/* The place of a dotted key. */
static Keys *place(Keys *root, const char *key, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(key, ".", DEPTH_MAX + 1);
    Keys *at = root;

    if (g_strv_length(parts) > DEPTH_MAX) {
        fail(error, "%s: the key has more than %d parts", key, DEPTH_MAX);
        return NULL;
    }
    for (char **part = parts; *part; part++) {
        if (!**part) {
            fail(error, "'%s': a part of the key is empty", key);
            return NULL;
        }
        at = find_or_make(at, *part);
    }
    return at;
}

static bool add_word(Keys *root, const char *word, GError **error)
{
    const char *equals = strchr(word, '=');
    bool is_json = equals > word && equals[-1] == ':';
    g_autofree char *key = g_strndup(word, (gsize)(equals - word) - is_json);

    if (!*key)
        return fail(error, "%s: there is no key in front of '='", word);
    Keys *at = place(root, key, error);
    if (!at)
        return false;
    if (is_json)
        return add_json(at, key, equals + 1, error);
    if (!g_utf8_validate(equals + 1, -1, NULL))
        return fail(error, "%s: the value is no UTF-8", key);
    g_ptr_array_add(at->texts, g_strdup(equals + 1));
    return true;
}

Keys *keys_parse(char *const *words, bool lenient, GError **error)
{
    g_autoptr(Keys) keys = make();

    for (; *words; words++) {
        if (!strchr(*words, '=')) {
            if (lenient)
                continue;
            fail(error, "%s: this is not key=value", *words);
            return NULL;
        }
        if (!add_word(keys, *words, lenient ? NULL : error) && !lenient)
            return NULL;
    }
    return g_steal_pointer(&keys);
}

/* --- what belongs there ------------------------------------------------------------------------------------------- */

static const char *only_text(const Keys *keys)
{
    return keys && keys->texts->len == 1 ? g_ptr_array_index(keys->texts, 0)
                                         : json_string_value(keys ? keys->json : NULL);
}

/* The first branch of an alternate that has this kind. */
static const json_t *branch_of_kind(const Live *live, const json_t *alternate, LiveKind kind)
{
    const json_t *members = json_object_get(alternate, "members");

    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *type = live_type_of(live, json_array_get(members, i), "type");
        if (live_kind(type) == kind)
            return type;
    }
    return NULL;
}

/* What takes keys: an object or a list, if need be of an alternate. */
static const json_t *nested_type(const Live *live, const json_t *type)
{
    if (live_kind(type) != LIVE_ALTERNATE)
        return type;
    const json_t *object = branch_of_kind(live, type, LIVE_OBJECT);
    return object ? object : branch_of_kind(live, type, LIVE_ARRAY);
}

static const json_t *member_type(const Live *live, const json_t *type, const Keys *keys, const char *name)
{
    if (live_kind(type) == LIVE_ARRAY)
        return live_type_of(live, type, "element-type");
    if (live_kind(type) != LIVE_OBJECT)
        return NULL;
    const char *tag = live_tag(type);
    g_autoptr(GPtrArray) members = live_members(live, type, tag ? only_text(keys_find(keys, tag)) : NULL);
    for (guint i = 0; i < members->len; i++) {
        const json_t *member = g_ptr_array_index(members, i);
        if (strcmp(json_string_value(json_object_get(member, "name")), name) == 0)
            return live_type_of(live, member, "type");
    }
    return NULL;
}

const struct json_t *keys_type_at(const Live *live, const struct json_t *type, const Keys **keys, const char *path)
{
    g_auto(GStrv) parts = g_strsplit(path, ".", DEPTH_MAX + 1);

    for (char **part = parts; *part && type; part++) {
        type = member_type(live, nested_type(live, type), *keys, *part);
        *keys = keys_find(*keys, *part);
    }
    return type;
}

/* --- values ------------------------------------------------------------------------------------------------------- */

/* An integer, with a unit if need be. */
static json_t *integer_of(const char *text)
{
    static const char units[] = "KMGTPE";
    const char *digits = text + (*text == '-' || *text == '+');
    bool hexadecimal = g_str_has_prefix(digits, "0x") || g_str_has_prefix(digits, "0X");
    char *end;

    errno = 0;
    json_int_t value = strtoll(text, &end, hexadecimal ? 16 : 10);
    if (end == text || errno || g_ascii_isspace(*text))
        return NULL;
    const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : NULL;
    for (const char *u = units; unit && u <= unit; u++)
        if (__builtin_mul_overflow(value, 1024, &value))
            return NULL;
    return end[unit ? 1 : 0] ? NULL : json_integer(value);
}

static json_t *boolean_of(const char *text)
{
    static const char *const names[] = {"true", "on", "yes", "false", "off", "no"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (strcmp(text, names[i]) == 0)
            return json_boolean(i < G_N_ELEMENTS(names) / 2);
    return NULL;
}

static json_t *parsed(const char *text)
{
    return json_loads(text, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
}

static json_t *number_of(const char *text)
{
    json_t *number = integer_of(text);

    if (!number)
        number = parsed(text);
    if (number && !json_is_number(number)) {
        json_decref(number);
        return NULL;
    }
    return number;
}

/* What it looks like: JSON if it is some, or text. */
static json_t *guess(const char *text)
{
    json_t *value = parsed(text);

    return value ? value : json_string(text);
}

static json_t *value_of_kind(LiveKind kind, const char *text)
{
    switch (kind) {
    case LIVE_STRING:
    case LIVE_ENUM:
        return json_string(text);
    case LIVE_INTEGER:
        return integer_of(text);
    case LIVE_NUMBER:
        return number_of(text);
    case LIVE_BOOLEAN:
        return boolean_of(text);
    case LIVE_NULL:
        return strcmp(text, "null") == 0 || !*text ? json_null() : NULL;
    case LIVE_ARRAY:
        return *text == '[' ? parsed(text) : NULL;
    case LIVE_OBJECT:
        return *text == '{' ? parsed(text) : NULL;
    default:
        return guess(text);
    }
}

/* The first kind that can have it; text comes last, for it can have all. */
static json_t *alternate_value(const Live *live, const json_t *type, const char *text)
{
    static const LiveKind order[] = {LIVE_OBJECT, LIVE_ARRAY,  LIVE_BOOLEAN, LIVE_INTEGER,
                                     LIVE_NUMBER, LIVE_STRING, LIVE_ENUM,    LIVE_NULL};
    bool has_text = branch_of_kind(live, type, LIVE_STRING);

    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        bool is_container = order[i] == LIVE_OBJECT || order[i] == LIVE_ARRAY;
        json_t *value = branch_of_kind(live, type, order[i]) && (is_container || !has_text || order[i] == LIVE_STRING)
                            ? value_of_kind(order[i], text)
                            : NULL;
        if (value)
            return value;
    }
    return NULL;
}

static json_t *text_value(const Live *live, const json_t *type, const char *text, const char *path, GError **error)
{
    json_t *value =
        live_kind(type) == LIVE_ALTERNATE ? alternate_value(live, type, text) : value_of_kind(live_kind(type), text);

    if (!value) {
        g_autofree char *wanted = live_type_text(live, type);
        fail(error, "%s: '%s' is not what is wanted here: %s", path, text, wanted);
    }
    return value;
}

/* --- trees -------------------------------------------------------------------------------------------------------- */

typedef struct Making {
    const Live *live; /* NULL: nothing is known */
    GError **error;
} Making;

static json_t *make_value(const Making *making, const json_t *type, const Keys *keys, const char *path);

static json_t *make_object(const Making *making, const json_t *type, const Keys *keys, const char *path)
{
    json_t *object = json_object();

    for (guint i = 0; i < keys->names->len; i++) {
        const char *name = g_ptr_array_index(keys->names, i);
        g_autofree char *at = *path ? g_strdup_printf("%s.%s", path, name) : g_strdup(name);
        const json_t *member = making->live ? member_type(making->live, type, keys, name) : NULL;
        json_t *value = make_value(making, member, g_ptr_array_index(keys->below, i), at);
        if (!value) {
            json_decref(object);
            return NULL;
        }
        json_object_set_new(object, name, value);
    }
    return object;
}

/* "list.0=a list.1=b" */
static json_t *make_list(const Making *making, const json_t *type, const Keys *keys, const char *path)
{
    const json_t *element = live_type_of(making->live, type, "element-type");
    json_t *list = json_array();

    for (guint i = 0; i < keys->names->len; i++) {
        g_autofree char *name = g_strdup_printf("%u", i);
        g_autofree char *at = g_strdup_printf("%s.%u", path, i);
        const Keys *below = keys_find(keys, name);
        json_t *value = below ? make_value(making, element, below, at) : NULL;
        if (!below)
            fail(making->error, "%s: element %u of the list is missing", path, i);
        if (!value) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, value);
    }
    return list;
}

/* "list=a list=b", of which there may be one only. */
static json_t *list_of_texts(const Making *making, const json_t *type, const Keys *keys, const char *path)
{
    const json_t *element = live_type_of(making->live, type, "element-type");
    const char *first = g_ptr_array_index(keys->texts, 0);
    json_t *list = keys->texts->len == 1 && *first == '[' ? parsed(first) : NULL;

    if (list)
        return list;
    list = json_array();
    for (guint i = 0; i < keys->texts->len; i++) {
        json_t *value = text_value(making->live, element, g_ptr_array_index(keys->texts, i), path, making->error);
        if (!value) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, value);
    }
    return list;
}

static json_t *make_value(const Making *making, const json_t *type, const Keys *keys, const char *path)
{
    const json_t *nested = making->live ? nested_type(making->live, type) : NULL;

    if (keys->names->len && (keys->json || keys->texts->len)) {
        fail(making->error, "%s: this has a value, and keys below it", path);
        return NULL;
    }
    if (keys->json && keys->texts->len) {
        fail(making->error, "%s: the key is given twice", path);
        return NULL;
    }
    if (keys->json)
        return json_incref(keys->json);
    if (keys->names->len)
        return live_kind(nested) == LIVE_ARRAY ? make_list(making, nested, keys, path)
                                               : make_object(making, nested, keys, path);
    if (live_kind(type) == LIVE_ARRAY)
        return list_of_texts(making, type, keys, path);
    if (keys->texts->len > 1) {
        fail(making->error, "%s: the key is given twice", path);
        return NULL;
    }
    const char *text = g_ptr_array_index(keys->texts, 0);
    return making->live ? text_value(making->live, type, text, path, making->error) : guess(text);
}

struct json_t *keys_to_json(const Live *live, const struct json_t *type, const Keys *keys, GError **error)
{
    return make_object(&(Making){.live = live, .error = error}, type, keys, "");
}
