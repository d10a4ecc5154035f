/*
 * qapi.c: values of QMP's types: the walk over one, and what rests on it.
 *
 * Everything goes by the kind of the type. A place is where a member would be: of a struct, a union or an alternate it
 * holds a pointer to the object, of all else the value itself.
 */
#include "vmstate/qapi.h"

#include <jansson.h>
#include <string.h>

#include "visitors/visitor.h"
#include "visitors/words.h"
#include "vmstate/qapi-impl.h"

/* --- where things are -------------------------------------------------------------------------------------------- */

size_t qapi_place_size(const QapiType *type)
{
    return qapi_is_object(type) ? sizeof(void *) : type->size;
}

const QapiType *qapi_variant(const QapiType *type, const void *object)
{
    if (type->kind != QAPI_UNION)
        return NULL;
    return type->variants[*(const int *)((const char *)object + type->tag)];
}

/* Is a member that may be missing there? */
static bool is_there(const QapiMember *m, const void *object)
{
    if (m->presence)
        return *(const bool *)((const char *)object + m->presence - 1);
    return !m->optional || *(void *const *)((const char *)object + m->offset);
}

int qapi_enum_find(const QapiType *type, const char *name)
{
    for (int i = 0; type->names[i]; i++)
        if (strcmp(type->names[i], name) == 0)
            return i;
    return -1;
}

static int count_names(const QapiType *type)
{
    int count = 0;

    while (type->names[count])
        count++;
    return count;
}

/* --- the walk ---------------------------------------------------------------------------------------------------- */

static void visit_enumeration(Visitor *v, const char *name, const QapiType *type, int *value)
{
    g_autofree char *text = visit_is_load(v) ? NULL : g_strdup(type->names[*value]);

    visit_string(v, name, &text);
    if (visit_failed(v) || !visit_is_load(v) || !text)
        return;
    int found = qapi_enum_find(type, text);
    if (found >= 0 || visit_allows_unknown(v)) {
        *value = found >= 0 ? found : count_names(type);
        return;
    }
    g_autofree char *why = words_unknown("value", text, type->names);
    visit_fail(v, FERRY_ERROR_MISMATCH, name, "%s", why);
}

static void visit_list(Visitor *v, const char *name, const QapiType *type, QapiList *list)
{
    size_t size = qapi_place_size(type->element);

    if (visit_is_load(v)) {
        size_t count = visit_list_length(v, name);
        qapi_clear(type, list);
        list->items = count ? g_malloc0_n(count, size) : NULL;
        list->count = count;
    }
    visit_list_start(v, name, list->count, size);
    for (size_t i = 0; i < list->count && !visit_failed(v); i++)
        qapi_visit(v, NULL, type->element, (char *)list->items + i * size);
    visit_list_end(v);
}

/* What follows depends on it, so that there is nothing else to look at. */
static void fail_tag(Visitor *v, const QapiMember *tag)
{
    g_autofree char *names = g_strjoinv(", ", (char **)tag->type->names);

    visit_fail(v, FERRY_ERROR_MISMATCH, NULL, "the key '%s' is missing (accepted: %s)", tag->name, names);
}

static void visit_member(Visitor *v, const QapiType *type, const QapiMember *m, void *object)
{
    const char *text;
    bool there = visit_is_load(v) ? visit_peek(v, m->name, &text) != VISIT_ABSENT : is_there(m, object);

    if (visit_is_load(v) && m->presence)
        *(bool *)((char *)object + m->presence - 1) = there;
    if (there)
        qapi_visit(v, m->name, m->type, (char *)object + m->offset);
    else if (type->kind == QAPI_UNION && m->offset == type->tag)
        fail_tag(v, m);
    else if (!m->optional)
        visit_require(v, m->name);
}

static void visit_members(Visitor *v, const QapiType *type, void *object)
{
    for (const QapiMember *m = type->members; m && m->name && !visit_failed(v); m++)
        visit_member(v, type, m, object);
    const QapiType *variant = visit_failed(v) ? NULL : qapi_variant(type, object);
    if (!variant)
        return;
    void **place = (void **)((char *)object + type->variant);
    if (visit_is_load(v))
        *place = g_malloc0(variant->size);
    visit_members(v, variant, *place);
}

/* Text where a group of keys could be: it is the first of them. */
static bool is_first_member(Visitor *v, const char *name, const QapiType *type)
{
    const char *text;

    return visit_is_load(v) && type->kind == QAPI_STRUCT && type->members && type->members[0].name &&
           type->members[0].type->kind == QAPI_STRING && visit_peek(v, name, &text) == VISIT_TEXT && text;
}

static void visit_object(Visitor *v, const char *name, const QapiType *type, void **place)
{
    if (visit_is_load(v)) {
        qapi_clear(type, place);
        *place = g_malloc0(type->size);
    }
    if (is_first_member(v, name, type)) {
        qapi_visit(v, name, type->members[0].type, (char *)*place + type->members[0].offset);
        return;
    }
    visit_struct_start(v, name);
    visit_members(v, type, *place);
    visit_struct_end(v);
}

/* Which branch of an alternate is what lies there? -1: none. */
static int branch_of(Visitor *v, const char *name, const QapiType *type)
{
    const char *text = NULL;
    VisitKind kind = visit_peek(v, name, &text);

    for (int i = 0; type->members[i].name; i++)
        if (qapi_takes(type->members[i].type, kind, text))
            return i;
    for (int i = 0; kind == VISIT_TEXT && visit_allows_unknown(v) && type->members[i].name; i++)
        if (type->members[i].type->kind == QAPI_ENUM)
            return i; /* a word that nobody here knows */
    return -1;
}

static void visit_alternate(Visitor *v, const char *name, const QapiType *type, void **place)
{
    if (visit_is_load(v)) {
        int branch = branch_of(v, name, type);
        if (branch < 0) {
            g_autofree char *wanted = qapi_takes_text(type);
            visit_fail(v, FERRY_ERROR_MISMATCH, name, "this is none of what is wanted here: %s", wanted);
            return;
        }
        qapi_clear(type, place);
        *place = g_malloc0(type->size);
        *(int *)((char *)*place + type->tag) = branch;
    }
    const QapiMember *m = &type->members[*(int *)((char *)*place + type->tag)];
    qapi_visit(v, name, m->type, (char *)*place + m->offset);
}

void qapi_visit(Visitor *v, const char *name, const QapiType *type, void *value)
{
    switch (type->kind) {
    case QAPI_SCALAR:
        visit_scalar(v, name, (Scalar)type->scalar, value);
        break;
    case QAPI_STRING:
        visit_string(v, name, value);
        break;
    case QAPI_ENUM:
        visit_enumeration(v, name, type, value);
        break;
    case QAPI_NULL:
        visit_null(v, name);
        break;
    case QAPI_ANY:
        visit_any(v, name, value);
        break;
    case QAPI_LIST:
        visit_list(v, name, type, value);
        break;
    case QAPI_STRUCT:
    case QAPI_UNION:
        visit_object(v, name, type, value);
        break;
    case QAPI_ALTERNATE:
        visit_alternate(v, name, type, value);
        break;
    }
}

/* --- what a value owns ------------------------------------------------------------------------------------------- */

static void clear_members(const QapiType *type, void *object)
{
    const QapiType *variant = qapi_variant(type, object); /* by the tag, which is a member */

    for (const QapiMember *m = type->members; m && m->name; m++)
        if (type->kind != QAPI_ALTERNATE || m - type->members == *(int *)((char *)object + type->tag))
            qapi_clear(m->type, (char *)object + m->offset);
    if (variant)
        qapi_free(variant, *(void **)((char *)object + type->variant));
}

void qapi_free(const QapiType *type, void *object)
{
    if (!object)
        return;
    clear_members(type, object);
    g_free(object);
}

void qapi_clear(const QapiType *type, void *value)
{
    if (type->kind == QAPI_STRING) {
        g_free(*(char **)value);
    } else if (type->kind == QAPI_ANY) {
        json_decref(*(json_t **)value);
    } else if (type->kind == QAPI_LIST) {
        const QapiList *list = value;
        for (size_t i = 0; i < list->count; i++)
            qapi_clear(type->element, (char *)list->items + i * qapi_place_size(type->element));
        g_free(list->items);
    } else if (qapi_is_object(type)) {
        qapi_free(type, *(void **)value);
    }
    memset(value, 0, qapi_place_size(type));
}

static void copy_value(const QapiType *type, void *to, const void *from);

static void copy_members(const QapiType *type, void *to, const void *from)
{
    memcpy(to, from, type->size);
    for (const QapiMember *m = type->members; m && m->name; m++)
        if (type->kind != QAPI_ALTERNATE || m - type->members == *(const int *)((const char *)from + type->tag))
            copy_value(m->type, (char *)to + m->offset, (const char *)from + m->offset);
    const QapiType *variant = qapi_variant(type, from);
    if (variant)
        *(void **)((char *)to + type->variant) =
            qapi_copy(variant, *(void *const *)((const char *)from + type->variant));
}

static void copy_value(const QapiType *type, void *to, const void *from)
{
    if (type->kind == QAPI_STRING) {
        *(char **)to = g_strdup(*(char *const *)from);
    } else if (type->kind == QAPI_ANY) {
        *(json_t **)to = json_deep_copy(*(json_t *const *)from);
    } else if (type->kind == QAPI_LIST) {
        const QapiList *list = from;
        size_t size = qapi_place_size(type->element);
        void *items = list->count ? g_malloc0_n(list->count, size) : NULL;
        for (size_t i = 0; i < list->count; i++)
            copy_value(type->element, (char *)items + i * size, (const char *)list->items + i * size);
        *(QapiList *)to = (QapiList){.count = list->count, .items = items};
    } else if (qapi_is_object(type)) {
        *(void **)to = qapi_copy(type, *(void *const *)from);
    } else {
        memcpy(to, from, type->size);
    }
}

void *qapi_copy(const QapiType *type, const void *object)
{
    if (!object)
        return NULL;
    void *copy = g_malloc(type->size);
    copy_members(type, copy, object);
    return copy;
}

/* --- one and more of it ------------------------------------------------------------------------------------------ */

static void append(const QapiType *type, QapiList *to, const QapiList *from)
{
    size_t size = qapi_place_size(type->element);

    to->items = g_realloc_n(to->items, to->count + from->count + 1, size);
    for (size_t i = 0; i < from->count; i++)
        copy_value(type->element, (char *)to->items + to->count++ * size, (const char *)from->items + i * size);
}

static void merge_member(const QapiMember *m, void *object, const void *more)
{
    void *to = (char *)object + m->offset;
    const void *from = (const char *)more + m->offset;

    if (m->type->kind == QAPI_LIST) {
        append(m->type, to, from);
    } else if (m->type->kind == QAPI_STRUCT && *(void **)to) {
        qapi_merge(m->type, *(void **)to, *(void *const *)from);
    } else {
        qapi_clear(m->type, to);
        copy_value(m->type, to, from);
    }
    if (m->presence)
        *(bool *)((char *)object + m->presence - 1) = true;
}

void qapi_merge(const QapiType *type, void *object, const void *more)
{
    for (const QapiMember *m = type->members; m && m->name; m++)
        if (is_there(m, more))
            merge_member(m, object, more);
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static int compare_command(const void *name, const void *command)
{
    return strcmp(name, ((const QapiCommand *)command)->name);
}

const QapiCommand *qapi_command_find(const QapiCommand *commands, size_t count, const char *name)
{
    return bsearch(name, commands, count, sizeof *commands, compare_command);
}
