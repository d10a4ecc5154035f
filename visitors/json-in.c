/*
 * json-in.c: loads from a JSON object, by name.
 *
 * One level for each struct or list that is open; where the object lacks it, the level has no value, and nothing in it
 * is found. A level remembers what was visited, for that is what would have been accepted.
 */
#include "visitors/json-in.h"

#include <jansson.h>
#include <string.h>

#include "visitors/json-in-impl.h"
#include "visitors/text-value.h"
#include "visitors/visitor-impl.h"
#include "visitors/words.h"

typedef struct JsonLevel {
    json_t *value;     /* of the struct or list; NULL: it is not there */
    GHashTable *used;  /* names that were visited, and how many elements of each; owned */
    GPtrArray *needed; /* names that must be there */
} JsonLevel;

/* In place of the number of elements: a truth value was given as its name with "no" in front. */
#define NEGATED G_MAXUINT

typedef struct JsonIn {
    Visitor v;
    bool text;    /* leaves are text */
    json_t *root; /* one reference */
    JsonLevel levels[VISIT_DEPTH_MAX + 1];
} JsonIn;

static bool is_text(const Visitor *v)
{
    return ((const JsonIn *)v)->text;
}

/* Of what is open; level 0 holds nothing but the object. */
static JsonLevel *level(Visitor *v)
{
    return &((JsonIn *)v)->levels[v->depth];
}

/* --- finding ---------------------------------------------------------------------------------------------------- */

static const char *kind_of(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
    case JSON_REAL:
        return "a number";
    case JSON_NULL:
        return "null";
    default:
        return "a truth value";
    }
}

static void fail_kind(Visitor *v, const char *name, const json_t *found, const char *wanted)
{
    bool is_json = json_is_number(found) || json_is_false(found) || json_is_null(found);

    if (!is_text(v) || is_json)
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "%s is wanted here, not %s", wanted, kind_of(found));
    else if (json_is_object(found))
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "%s is wanted here, it has no keys of its own", wanted);
    else if (json_is_array(found))
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "the key is given twice");
    else if (json_is_true(found))
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "%s is wanted here, the key has no value", wanted);
    else
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "%s is wanted here, not '%s'", wanted, json_string_value(found));
}

/* How many elements of that name were visited; of what is no array only a string counts. */
static guint times_used(const JsonLevel *l, const char *name)
{
    return l->used ? GPOINTER_TO_UINT(g_hash_table_lookup(l->used, name)) : 0;
}

static bool is_accepted(const JsonLevel *l, const char *name)
{
    return l->used && g_hash_table_contains(l->used, name);
}

static void set_used(JsonLevel *l, const char *name, guint times)
{
    if (!l->used)
        l->used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_insert(l->used, g_strdup(name), GUINT_TO_POINTER(times));
}

static void accept_name(JsonLevel *l, const char *name)
{
    if (!is_accepted(l, name))
        set_used(l, name, 0);
}

static json_t *member(const JsonLevel *l, const char *name)
{
    return l->value ? json_object_get(l->value, name) : NULL;
}

/* The value of that name, which is then accepted; NULL if it is not there. */
static json_t *take(JsonLevel *l, const char *name)
{
    accept_name(l, name);
    return member(l, name);
}

/* How many elements an array has; of text, whose arrays are objects, or keys given several times. -1: it is none. */
static ssize_t array_size(const Visitor *v, const json_t *array)
{
    if (json_is_array(array))
        return (ssize_t)json_array_size(array);
    return is_text(v) && json_is_object(array) ? (ssize_t)json_object_size(array) : -1;
}

static json_t *element(const Visitor *v, const json_t *array, size_t i)
{
    char key[24];

    if (json_is_array(array))
        return json_array_get(array, i);
    if (is_text(v) && json_is_string(array))
        return i == 0 ? (json_t *)array : NULL;
    g_snprintf(key, sizeof key, "%zu", i);
    return json_object_get(array, key);
}

/* The value that is visited next: the outermost one, an element, or a member, which is then accepted. NULL: absent. */
static json_t *find(Visitor *v, const char *name)
{
    const VisitFrame *frame = v->depth ? &v->frames[v->depth - 1] : NULL;

    if (!frame)
        return ((JsonIn *)v)->root;
    if (frame->leaf) {
        const json_t *list = ((JsonIn *)v)->levels[v->depth - 1].value;
        return list ? element(v, list, frame->index) : NULL;
    }
    if (frame->list && !name)
        return level(v)->value ? element(v, level(v)->value, frame->index) : NULL;
    return take(level(v), name);
}

/* Is it an array of that many elements? */
static bool check_array(Visitor *v, const char *name, const json_t *array, size_t count)
{
    ssize_t found = array_size(v, array);

    if (found < 0)
        fail_kind(v, name, array, is_text(v) ? "a list (.0, .1 and so on)" : "an array");
    else if ((size_t)found != count)
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "%zd elements are given, there must be %zu", found, count);
    for (size_t i = 0; i < count && !visit_failed(v); i++)
        if (!element(v, array, i))
            visit_fail(v, FERRY_ERROR_MISMATCH, name, "element %zu is missing", i);
    return !visit_failed(v);
}

/* --- nesting ---------------------------------------------------------------------------------------------------- */

static void open_level(Visitor *v, json_t *value)
{
    *level(v) = (JsonLevel){.value = value};
}

static void close_level(JsonLevel *l)
{
    g_clear_pointer(&l->used, g_hash_table_unref);
    if (l->needed)
        g_ptr_array_unref(g_steal_pointer(&l->needed));
}

static void in_struct_start(Visitor *v, const char *name)
{
    JsonIn *j = (JsonIn *)v;
    JsonLevel *outer = &j->levels[v->depth - 1];
    json_t *value = NULL;

    if (v->depth == 1) {
        value = j->root;
    } else if (!name) {
        value = outer->value ? element(v, outer->value, v->frames[v->depth - 1].index) : NULL;
    } else {
        value = take(outer, name);
    }
    open_level(v, value);
    if (value && !json_is_object(value))
        fail_kind(v, NULL, value, is_text(v) ? "a group of keys" : "an object");
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* All names that were visited, in order. The array is new, the names are not. */
static const char **accepted_names(const JsonLevel *l)
{
    guint count = 0;

    if (!l->used)
        return g_new0(const char *, 1);
    const char **names = (const char **)g_hash_table_get_keys_as_array(l->used, &count);
    qsort(names, count, sizeof *names, by_name);
    return names;
}

/* Was it visited, all of it? */
static void check_member(Visitor *v, const JsonLevel *l, const char *key, const json_t *value)
{
    guint used = times_used(l, key);

    if (is_accepted(l, key)) {
        if (!json_is_array(value) || used == 0 || used == json_array_size(value))
            return;
        if (is_text(v))
            visit_fail(v, FERRY_ERROR_MISMATCH, key, "the key is given twice");
        else
            visit_fail(v, FERRY_ERROR_MISMATCH, key, "a string is wanted here, not an array");
        return;
    }
    if (is_text(v) && g_str_has_prefix(key, "no") && times_used(l, key + 2) == NEGATED)
        return;
    g_autofree const char **accepted = accepted_names(l);
    g_autofree char *why = words_unknown("key", key, accepted);
    visit_fail(v, FERRY_ERROR_MISMATCH, NULL, "%s", why);
}

static void in_struct_end(Visitor *v)
{
    JsonLevel *l = level(v);

    const char *key;
    json_t *value;

    json_object_foreach (v->unknown ? NULL : l->value, key, value) {
        check_member(v, l, key, value);
        if (visit_failed(v))
            return;
    }
    for (guint i = 0; l->needed && l->value && i < l->needed->len && !visit_failed(v); i++) {
        const char *name = g_ptr_array_index(l->needed, i);
        if (!member(l, name))
            visit_fail(v, FERRY_ERROR_MISMATCH, NULL, "the key '%s' is missing", name);
    }
    if (!visit_failed(v))
        close_level(l);
}

static void in_list_start(Visitor *v, const char *name, size_t count, size_t elem_size)
{
    JsonLevel *outer = &((JsonIn *)v)->levels[v->depth - 1];

    (void)elem_size;
    open_level(v, v->depth == 1 ? ((JsonIn *)v)->root : take(outer, name));
    if (level(v)->value && !(count == 1 && is_text(v) && json_is_string(level(v)->value)))
        check_array(v, NULL, level(v)->value, count);
}

static void in_list_end(Visitor *v)
{
    close_level(level(v));
}

static void in_optional(Visitor *v, const char *name, bool *present)
{
    JsonLevel *l = level(v);
    const json_t *value = take(l, name);

    *present = value && times_used(l, name) < (json_is_array(value) ? json_array_size(value) : 1);
}

static void in_require(Visitor *v, const char *name)
{
    JsonLevel *l = level(v);

    if (!l->needed)
        l->needed = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(l->needed, g_strdup(name));
}

static bool in_subsection_next(Visitor *v, const char *parent, VisitSubsection *found)
{
    (void)v;
    (void)parent;
    (void)found;
    return false;
}

/* --- values ----------------------------------------------------------------------------------------------------- */

/* May JSON have it as text? Its numbers are doubles or signed and of 64 bits. */
static bool may_be_text(const Visitor *v, Scalar scalar)
{
    return is_text(v) || scalar == SCALAR_FLOAT64 || scalar == SCALAR_UINT64 || scalar == SCALAR_INT64;
}

static void store_scalar(Visitor *v, const char *name, const json_t *found, Scalar scalar, void *value)
{
    if (json_is_string(found) && may_be_text(v, scalar)) {
        text_value_scalar(v, name, scalar, json_string_value(found), value);
    } else if (scalar == SCALAR_BOOL && (json_is_true(found) || json_is_false(found))) {
        *(bool *)value = json_is_true(found);
    } else if (scalar == SCALAR_FLOAT64 && json_is_number(found)) {
        double number = json_number_value(found);
        memcpy(value, &number, 8);
    } else if (scalar_is_integer(scalar) && json_is_integer(found)) {
        json_int_t n = json_integer_value(found);
        text_value_integer(v, name, scalar, (Integer){.bits = (uint64_t)n, .negative = n < 0}, value);
    } else {
        fail_kind(v, name, found,
                  scalar == SCALAR_BOOL ? "a truth value"
                  : json_is_real(found) ? "a whole number"
                                        : "a number");
    }
}

/* "nowait": a truth value given without a value, and with "no" in front. */
static bool is_negated(Visitor *v, const char *name)
{
    g_autofree char *key = is_text(v) ? g_strconcat("no", name, NULL) : NULL;

    return key && json_is_true(member(level(v), key));
}

static void take_negated(Visitor *v, const char *name, bool *value)
{
    if (!is_negated(v, name))
        return;
    set_used(level(v), name, NEGATED);
    *value = false;
}

static void in_scalar(Visitor *v, const char *name, Scalar scalar, void *value)
{
    json_t *found = find(v, name);

    if (found)
        store_scalar(v, name, found, scalar, value);
    else if (scalar == SCALAR_BOOL && name)
        take_negated(v, name, value);
}

static void in_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count)
{
    json_t *array = take(level(v), name);

    if (!array || !check_array(v, name, array, count))
        return;
    for (size_t i = 0; i < count && !visit_failed(v); i++) {
        g_autofree char *label = g_strdup_printf("%s[%zu]", name, i);
        store_scalar(v, label, element(v, array, i), scalar, (uint8_t *)values + i * scalar_width(scalar));
    }
}

/* The text of a value that was found; NULL: there is none, or it is no text and the visitor fails. */
static const char *text_of(Visitor *v, const char *name, const json_t *found)
{
    if (!found)
        return NULL;
    if (json_is_string(found))
        return json_string_value(found);
    fail_kind(v, name, found, "a string");
    return NULL;
}

static void in_buffer(Visitor *v, const char *name, void *data, size_t len)
{
    const char *text = text_of(v, name, take(level(v), name));

    if (text)
        text_value_hex(v, name, text, data, len);
}

/* As json-out.h writes it, with its type. */
static void in_octets(Visitor *v, const char *name, const char *type, void *data, size_t len)
{
    json_t *found = take(level(v), name), *hex = found && json_is_object(found) ? json_object_get(found, "hex") : NULL;
    const char *text = text_of(v, name, hex ? hex : found);

    (void)type;
    if (text)
        text_value_hex(v, name, text, data, len);
}

static void in_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits)
{
    json_t *found = take(level(v), name), *set = found && json_is_object(found) ? json_object_get(found, "set") : NULL;
    const char *text = text_of(v, name, set ? set : found);

    if (set && json_integer_value(json_object_get(found, "bits")) != (json_int_t)bits && !is_text(v))
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "%" JSON_INTEGER_FORMAT " bits are given, there must be %zu",
                   json_integer_value(json_object_get(found, "bits")), bits);
    else if (text)
        text_value_bits(v, name, text, words, bits);
}

/* The value of a member; the elements of an array one after the other, unless it has only one. */
static json_t *next_of(JsonLevel *l, const char *name)
{
    json_t *found = take(l, name);
    guint used = times_used(l, name);

    if (found && json_is_array(found) && json_array_size(found)) {
        found = json_array_get(found, used);
        if (found)
            set_used(l, name, used + 1);
    } else if (found && used == 0) {
        set_used(l, name, 1);
    } else {
        found = used ? NULL : found;
    }
    return found;
}

static void in_string(Visitor *v, const char *name, char **text)
{
    json_t *found = name ? next_of(level(v), name) : find(v, name);
    const char *value = text_of(v, name, found);

    if (!value)
        return;
    g_free(*text);
    *text = g_strdup(value);
}

static VisitKind in_peek(Visitor *v, const char *name, const char **text)
{
    const json_t *found = find(v, name);

    if (!found)
        return name && is_negated(v, name) ? VISIT_TEXT : VISIT_ABSENT;
    *text = json_string_value(found);
    if (is_text(v) && !json_is_object(found) && !json_is_array(found))
        return VISIT_TEXT;
    switch (json_typeof(found)) {
    case JSON_OBJECT:
        return VISIT_STRUCT;
    case JSON_ARRAY:
        return VISIT_LIST;
    case JSON_STRING:
        return VISIT_STRING;
    case JSON_INTEGER:
        return VISIT_INTEGER;
    case JSON_REAL:
        return VISIT_NUMBER;
    case JSON_NULL:
        return VISIT_NULL;
    default:
        return VISIT_BOOL;
    }
}

/* A key that was given once may be a list of one. */
static size_t in_list_length(Visitor *v, const char *name)
{
    const json_t *found = find(v, name);
    ssize_t size = found ? array_size(v, found) : 0;

    if (size < 0 && is_text(v) && json_is_string(found))
        return 1;
    if (size < 0)
        fail_kind(v, name, found, is_text(v) ? "a list (.0, .1 and so on)" : "an array");
    return size < 0 ? 0 : (size_t)size;
}

static void in_any(Visitor *v, const char *name, struct json_t **value)
{
    json_t *found = find(v, name);

    if (!found)
        return;
    json_decref(*value);
    *value = json_deep_copy(found);
}

static void in_null(Visitor *v, const char *name)
{
    const json_t *found = find(v, name);

    if (found && !json_is_null(found))
        fail_kind(v, name, found, "null");
}

static void in_free(Visitor *v)
{
    JsonIn *j = (JsonIn *)v;

    for (size_t i = 0; i < G_N_ELEMENTS(j->levels); i++)
        close_level(&j->levels[i]);
    if (j->root)
        json_decref(j->root);
    g_free(j);
}

static const VisitorOps ops = {
    .load = true,
    .struct_start = in_struct_start,
    .struct_end = in_struct_end,
    .list_start = in_list_start,
    .list_end = in_list_end,
    .optional = in_optional,
    .require = in_require,
    .subsection_next = in_subsection_next,
    .scalar = in_scalar,
    .array = in_array,
    .buffer = in_buffer,
    .unused = in_buffer,
    .octets = in_octets,
    .bitmap = in_bitmap,
    .string = in_string,
    .peek = in_peek,
    .list_length = in_list_length,
    .any = in_any,
    .null = in_null,
    .free = in_free,
};

static Visitor *make(json_t *root, const char *name, bool text)
{
    JsonIn *j = g_new0(JsonIn, 1);

    visitor_init(&j->v, &ops, name);
    j->text = text;
    j->root = root;
    return &j->v;
}

Visitor *json_in_new(struct json_t *object, const char *root)
{
    return make(json_incref(object), root, false);
}

void json_in_allow_unknown(Visitor *v)
{
    v->unknown = true;
}

Visitor *json_in_new_text(struct json_t *object, const char *root, const char *wrong)
{
    Visitor *v = make(object, root, true);

    if (wrong)
        visit_fail(v, FERRY_ERROR_DAMAGED, NULL, "%s", wrong);
    return v;
}
