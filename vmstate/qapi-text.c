/* qapi-text.c: values of QMP's types as JSON and as text, and what people are told of them. */
#include <jansson.h>
#include <string.h>

#include "visitors/json-in.h"
#include "visitors/json-out.h"
#include "visitors/keyval-in.h"
#include "visitors/text-value.h"
#include "vmstate/qapi-impl.h"

/* --- in ---------------------------------------------------------------------------------------------------------- */

/* Takes the visitor. Loads beside the value, which it replaces if all went well. */
static bool load(Visitor *visitor, const QapiType *type, void *value, GError **error)
{
    g_autoptr(Visitor) v = visitor;
    size_t size = qapi_place_size(type);
    g_autofree void *loaded = g_malloc0(size);

    qapi_visit(v, NULL, type, loaded);
    if (!visit_finish(v, error)) {
        qapi_clear(type, loaded);
        return false;
    }
    qapi_clear(type, value);
    memcpy(value, loaded, size);
    return true;
}

bool qapi_from_json(const QapiType *type, void *value, struct json_t *json, const char *root, GError **error)
{
    return load(json_in_new(json, root), type, value, error);
}

bool qapi_from_reply(const QapiType *type, void *value, struct json_t *json, const char *root, GError **error)
{
    Visitor *v = json_in_new(json, root);

    json_in_allow_unknown(v);
    return load(v, type, value, error);
}

bool qapi_from_text(const QapiType *type, void *value, const char *text, const char *implied, const char *root,
                    GError **error)
{
    return load(keyval_in_new(text, implied, root), type, value, error);
}

bool qapi_from_tree(const QapiType *type, void *value, struct json_t *tree, const char *root, GError **error)
{
    return load(keyval_in_new_tree(tree, root), type, value, error);
}

/* --- out --------------------------------------------------------------------------------------------------------- */

void qapi_write(JsonWrite *json, const char *key, const QapiType *type, const void *value)
{
    g_autoptr(Visitor) v = json_out_new(json, key);

    qapi_visit(v, NULL, type, (void *)value);
    visit_finish(v, NULL);
}

/* By way of text: there is one writer of JSON. */
struct json_t *qapi_to_json(const QapiType *type, const void *value)
{
    ByteOut text = {0};
    g_autoptr(ChanOut) out = chan_out_new(chan_buf_new(&text));
    g_autoptr(JsonWrite) json = json_write_new(out, 0);

    qapi_write(json, NULL, type, value);
    chan_out_finish(out, NULL);
    json_t *tree = json_loadb((const char *)text.data, text.len, JSON_DECODE_ANY, NULL);
    byte_out_done(&text);
    return tree;
}

/* --- what is taken ----------------------------------------------------------------------------------------------- */

static bool takes_text(const QapiType *type, const char *text)
{
    static const char *const truths[] = {"on", "yes", "true", "y", "off", "no", "false", "n", NULL};
    char *end;

    if (type->kind == QAPI_STRING)
        return true;
    if (type->kind == QAPI_ENUM)
        return text && qapi_enum_find(type, text) >= 0;
    if (type->kind != QAPI_SCALAR || !text)
        return type->kind == QAPI_SCALAR && type->scalar == SCALAR_BOOL;
    if (type->scalar == SCALAR_BOOL)
        return g_strv_contains(truths, text);
    g_ascii_strtod(text, &end);
    return end != text;
}

bool qapi_takes(const QapiType *type, VisitKind kind, const char *text)
{
    bool number = type->kind == QAPI_SCALAR && type->scalar != SCALAR_BOOL;

    switch (kind) {
    case VISIT_ABSENT:
        return false;
    case VISIT_NULL:
        return type->kind == QAPI_NULL;
    case VISIT_BOOL:
        return type->kind == QAPI_SCALAR && type->scalar == SCALAR_BOOL;
    case VISIT_INTEGER:
        return number;
    case VISIT_NUMBER:
        return number && type->scalar == SCALAR_FLOAT64;
    case VISIT_STRING:
        return type->kind == QAPI_STRING || type->kind == QAPI_ENUM;
    case VISIT_LIST:
        return type->kind == QAPI_LIST;
    case VISIT_STRUCT:
        return type->kind == QAPI_STRUCT || type->kind == QAPI_UNION;
    case VISIT_TEXT:
        return takes_text(type, text);
    }
    return false;
}

static char *takes_one_of(const QapiType *type)
{
    g_autofree char *names = g_strjoinv(", ", (char **)type->names);

    return g_strdup_printf("one of: %s", names);
}

static char *takes_any_of(const QapiType *type)
{
    GString *all = g_string_new(NULL);

    for (const QapiMember *m = type->members; m->name; m++) {
        g_autofree char *one = qapi_takes_text(m->type);
        g_string_append_printf(all, "%s%s", m == type->members ? "" : ", or ", one);
    }
    return g_string_free(all, FALSE);
}

char *qapi_takes_text(const QapiType *type)
{
    switch (type->kind) {
    case QAPI_SCALAR:
        return g_strdup(type->scalar == SCALAR_BOOL      ? "on or off"
                        : type->octets                   ? "a size (octets, or with K, M, G, T)"
                        : type->scalar == SCALAR_FLOAT64 ? "a number"
                                                         : "a whole number");
    case QAPI_STRING:
        return g_strdup("text");
    case QAPI_ENUM:
        return takes_one_of(type);
    case QAPI_NULL:
        return g_strdup("null");
    case QAPI_ANY:
        return g_strdup("anything");
    case QAPI_LIST:
        return g_strdup("a list");
    case QAPI_ALTERNATE:
        return takes_any_of(type);
    default:
        return g_strdup_printf("%s (a group of keys)", type->name);
    }
}

/* --- help -------------------------------------------------------------------------------------------------------- */

enum { PREFIX_MAX = 32 }; /* a struct can be within itself */

static void help_members(GString *help, const QapiType *type, const char *prefix)
{
    for (const QapiMember *m = type->members; m && m->name; m++) {
        bool group = m->type->kind == QAPI_STRUCT && m->type->members && m->type->members->name;
        if (group && strlen(prefix) < PREFIX_MAX) {
            g_autofree char *inner = g_strconcat(prefix, m->name, ".", NULL);
            help_members(help, m->type, inner);
            continue;
        }
        g_autofree char *takes = qapi_takes_text(m->type), *key = g_strconcat(prefix, m->name, "=", NULL);
        g_string_append_printf(help, "  %-22s %s%s\n", key, takes, m->optional ? "" : "; must be given");
        if (m->about)
            g_string_append_printf(help, "  %-22s   %s\n", "", m->about);
    }
}

char *qapi_help(const QapiType *type, int variant)
{
    GString *help = g_string_new(NULL);

    help_members(help, type, "");
    for (int i = 0; type->kind == QAPI_UNION && type->tag_type->names[i]; i++) {
        if (!type->variants[i] || (variant >= 0 && variant != i))
            continue;
        g_string_append_printf(help, "  with '%s':\n", type->tag_type->names[i]);
        help_members(help, type->variants[i], "  ");
    }
    return g_string_free(help, FALSE);
}
