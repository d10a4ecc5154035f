/* options-load.c: an option's text into a configuration, as the schema describes it. */
#include <jansson.h>
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/keyval-in.h"
#include "visitors/words.h"

bool options_fail(GError **error, const char *root, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *what = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "%s: %s", root, what);
    return false;
}

/* --- what an option is ------------------------------------------------------------------------------------------- */

const QapiMember *options_find(const char *name)
{
    for (const QapiMember *m = qmp_type_Configuration.members; m->name; m++)
        if (g_str_equal(m->name, name))
            return m;
    return NULL;
}

const QapiType *options_type(const QapiMember *option)
{
    return option->type->kind == QAPI_LIST ? option->type->element : option->type;
}

/* What everybody calls it. */
char *options_root(const QapiMember *option)
{
    return g_strconcat("-", options_type(option) == &qmp_type_MemoryOptions ? "m" : option->name, NULL);
}

/* The keys that all its values have. */
static const QapiType *keys_of(const QapiType *type)
{
    return type->kind == QAPI_ANY ? &qmp_type_DeviceOptions : type;
}

/* The key that need not be written: the first, or the one on which the others depend. */
static const QapiMember *implied_of(const QapiType *type)
{
    const QapiMember *m = keys_of(type)->members;

    while (type->kind == QAPI_UNION && m->offset != type->tag)
        m++;
    return m;
}

static char *word_for(const QapiType *type)
{
    if (type->kind == QAPI_ENUM)
        return g_strjoinv("|", (char **)type->names);
    return g_strdup(type->kind != QAPI_SCALAR     ? "TEXT"
                    : type->octets                ? "SIZE"
                    : type->scalar == SCALAR_BOOL ? "on|off"
                                                  : "NUMBER");
}

char *options_argument(const QapiType *type)
{
    if (type->kind == QAPI_SCALAR && type->scalar == SCALAR_BOOL)
        return NULL;
    if (type->kind == QAPI_STRING || type->kind == QAPI_ENUM)
        return word_for(type);
    const QapiMember *implied = implied_of(type);
    g_autofree char *word = word_for(implied->type);
    return g_strdup_printf("[%s=]%s[,KEY=VALUE...]", implied->name, word);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* A guest may be called anything. */
static bool is_json(const QapiType *type, const char *text)
{
    return *text == '{' && type != &qmp_type_NameOptions;
}

static json_t *read_json(const char *text, const char *root, GError **error)
{
    json_error_t why;
    json_t *tree = json_loads(text, JSON_REJECT_DUPLICATES, &why);

    if (!tree)
        options_fail(error, root, "no JSON: %s at character %d", why.text, why.position);
    return tree;
}

/*
 * "file=NAME,file.locking=off": beside keys of the file's its name is one of them. New; NULL: there are none. *implied
 * is the key of a first part without one.
 */
static char *with_file_group(const char *text, const char **implied)
{
    bool group = false;
    GString *all = g_string_new(NULL);

    for (const char *key = text; *key;) {
        size_t len = strcspn(key, ",");
        while (key[len] && key[len + 1] == ',') /* a comma in a value */
            len += 2 + strcspn(key + len + 2, ",");
        group |= g_str_has_prefix(key, "file.");
        size_t name = g_str_has_prefix(key, "file=") ? strlen("file") : 0;
        len += key[len] == ',';
        g_string_append(all, name ? "file.filename" : "");
        g_string_append_len(all, key + name, (gssize)(len - name));
        key += len;
    }
    if (group)
        *implied = "file.filename";
    return g_string_free(all, !group);
}

static json_t *read_keys(const char *text, const char *implied, const char *root, GError **error)
{
    g_autofree char *wrong = NULL;
    json_t *tree = keyval_tree(text, implied, &wrong);

    if (!tree)
        options_fail(error, root, "%s", wrong);
    return tree;
}

/* A number without a unit counts MiB. */
static void add_unit(json_t *keys)
{
    const char *size = json_string_value(json_object_get(keys, "size"));
    size_t len = size ? strlen(size) : 0;

    if (!len || !g_ascii_isdigit(size[len - 1]))
        return;
    g_autofree char *text = g_strconcat(size, "M", NULL);
    json_object_set_new(keys, "size", json_string(text));
}

/* Takes the tree of keys. */
static bool load_keys(const QapiType *type, void *value, json_t *keys, const char *root, GError **error)
{
    if (type == &qmp_type_MemoryOptions)
        add_unit(keys);
    if (type->kind != QAPI_ANY)
        return qapi_from_tree(type, value, keys, root, error);
    *(json_t **)value = keys;
    return true;
}

static bool load_text(const QapiType *type, void *value, const char *text, const char *root, GError **error)
{
    if (!is_json(type, text)) {
        const char *implied = implied_of(type)->name;
        g_autofree char *group = type == &qmp_type_DriveOptions ? with_file_group(text, &implied) : NULL;
        json_t *keys = read_keys(group ? group : text, implied, root, error);
        return keys && load_keys(type, value, keys, root, error);
    }
    json_t *tree = read_json(text, root, error);
    bool ok = tree && qapi_from_json(type, value, tree, root, error);
    json_decref(tree);
    return ok;
}

static bool load_word(const QapiType *type, void *value, const char *text, const char *root, GError **error)
{
    int found = qapi_enum_find(type, text);

    if (found < 0) {
        g_autofree char *why = words_unknown("value", text, type->names);
        return options_fail(error, root, "%s", why);
    }
    *(int *)value = found;
    return true;
}

static bool load_value(const QapiType *type, void *value, const char *text, const char *root, GError **error)
{
    switch (type->kind) {
    case QAPI_SCALAR:
        return *(bool *)value = true;
    case QAPI_STRING:
        *(char **)value = g_strdup(text);
        return true;
    case QAPI_ENUM:
        return load_word(type, value, text, root, error);
    default:
        return load_text(type, value, text, root, error);
    }
}

/* --- into a configuration ----------------------------------------------------------------------------------------- */

/* Where the one value goes. Those that can be given several times are pointers. */
static void *place_for(QmpConfiguration *c, const QapiMember *option)
{
    char *member = (char *)c + option->offset;

    if (option->presence)
        *(bool *)((char *)c + option->presence - 1) = true;
    if (option->type->kind != QAPI_LIST)
        return member;
    QapiList *list = (QapiList *)(void *)member;
    *list = (QapiList){.count = 1, .items = g_new0(void *, 1)};
    return list->items;
}

QmpConfiguration *options_load(const QapiMember *option, const char *text, const DeviceType *const *types,
                               GError **error)
{
    g_autoptr(QmpConfiguration) c = g_new0(QmpConfiguration, 1);
    g_autofree char *root = options_root(option);
    void *value = place_for(c, option);

    if (!load_value(options_type(option), value, text, root, error) ||
        !options_check_value(option, value, types, error))
        return NULL;
    return g_steal_pointer(&c);
}

QmpConfiguration *options_load_short(const QapiMember *option, const char *preset, const char *key, const char *value,
                                     GError **error)
{
    g_autoptr(QmpConfiguration) c = g_new0(QmpConfiguration, 1);
    g_autofree char *root = options_root(option);
    void *place = place_for(c, option);
    json_t *keys = read_keys(preset, NULL, root, error);

    if (key)
        json_object_set_new_nocheck(keys, key, json_stringn_nocheck(value, strlen(value)));
    if (!load_keys(options_type(option), place, keys, root, error) || !options_check_value(option, place, NULL, error))
        return NULL;
    return g_steal_pointer(&c);
}
