/* visitor.c: what all visitors share: the path, the sticky error, and the order of calls. */
#include "visitors/visitor-impl.h"

void visitor_init(Visitor *v, const VisitorOps *ops, const char *root)
{
    v->ops = ops;
    v->root = g_strdup(root);
}

void visit_free(Visitor *v)
{
    if (!v)
        return;
    g_clear_error(&v->error);
    g_free(v->root);
    v->ops->free(v);
}

bool visit_is_load(const Visitor *v)
{
    return v->ops->load;
}

bool visit_allows_unknown(const Visitor *v)
{
    return v->unknown;
}

bool visit_failed(const Visitor *v)
{
    return v->error;
}

bool visit_finish(Visitor *v, GError **error)
{
    g_assert(v->error || v->depth == 0);
    if (!v->error && v->ops->finish)
        v->ops->finish(v);
    if (!v->error)
        return true;
    g_propagate_error(error, g_steal_pointer(&v->error));
    return false;
}

int64_t visit_offset(const Visitor *v)
{
    return v->ops->offset ? v->ops->offset(v) : -1;
}

static void append_name(GString *path, const char *name)
{
    if (path->len)
        g_string_append_c(path, '.');
    g_string_append(path, name);
}

char *visit_path(const Visitor *v, const char *name)
{
    GString *path = g_string_new(v->root ? v->root : "");

    for (unsigned i = 0; i < v->depth; i++) {
        const VisitFrame *f = &v->frames[i];
        if (f->name)
            append_name(path, f->name);
        else if (i > 0)
            g_string_append_printf(path, "[%zu]", f->index);
    }
    if (name)
        append_name(path, name);
    return g_string_free(path, FALSE);
}

void visit_fail(Visitor *v, FerryError code, const char *name, const char *format, ...)
{
    int64_t offset = visit_offset(v);
    va_list ap;

    if (v->error)
        return;
    va_start(ap, format);
    g_autofree char *what = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_autofree char *path = visit_path(v, name);
    if (offset >= 0)
        g_set_error(&v->error, FERRY_ERROR, (int)code, "%s @0x%" G_GINT64_MODIFIER "x: %s", path, (uint64_t)offset,
                    what);
    else
        g_set_error(&v->error, FERRY_ERROR, (int)code, "%s: %s", path, what);
}

/* --- nesting ---------------------------------------------------------------------------------------------------- */

static bool push(Visitor *v, VisitFrame frame)
{
    if (v->depth == VISIT_DEPTH_MAX) {
        visit_fail(v, FERRY_ERROR_LIMIT, frame.name, "nested deeper than %d levels", VISIT_DEPTH_MAX);
        return false;
    }
    v->frames[v->depth++] = frame;
    return true;
}

/* Is what has that name an element of a list? */
static bool is_element(const Visitor *v, const char *name)
{
    return !name && v->depth && v->frames[v->depth - 1].list;
}

void visit_struct_start(Visitor *v, const char *name)
{
    VisitFrame frame = {.name = name};

    if (v->error)
        return;
    if (is_element(v, name))
        frame.index = v->frames[v->depth - 1].index++;
    if (push(v, frame) && v->ops->struct_start)
        v->ops->struct_start(v, name);
}

void visit_struct_end(Visitor *v)
{
    if (v->error)
        return;
    if (v->ops->struct_end)
        v->ops->struct_end(v);
    v->depth--;
}

void visit_list_start(Visitor *v, const char *name, size_t count, size_t elem_size)
{
    if (v->error)
        return;
    if (push(v, (VisitFrame){.name = name, .list = true, .count = count, .elem_size = elem_size}) && v->ops->list_start)
        v->ops->list_start(v, name, count, elem_size);
}

void visit_list_end(Visitor *v)
{
    if (v->error)
        return;
    if (v->ops->list_end)
        v->ops->list_end(v);
    v->depth--;
}

void visit_optional(Visitor *v, const char *name, bool *present)
{
    if (!v->error && v->ops->optional)
        v->ops->optional(v, name, present);
}

void visit_require(Visitor *v, const char *name)
{
    if (!v->error && v->ops->require)
        v->ops->require(v, name);
}

bool visit_subsection_next(Visitor *v, const char *parent, VisitSubsection *found)
{
    *found = (VisitSubsection){.index = -1, .version = -1};
    return !v->error && v->ops->subsection_next(v, parent, found) && !v->error;
}

void visit_subsection_start(Visitor *v, int index, const char *name, int version)
{
    if (v->error)
        return;
    if (push(v, (VisitFrame){.name = name}) && v->ops->subsection_start)
        v->ops->subsection_start(v, index, name, version);
}

void visit_subsection_end(Visitor *v)
{
    if (v->error)
        return;
    if (v->ops->subsection_end)
        v->ops->subsection_end(v);
    v->depth--;
}

bool visit_can_select(const Visitor *v)
{
    return v->ops->select;
}

void visit_select(Visitor *v, size_t index)
{
    if (!v->error)
        v->ops->select(v, index);
}

void visit_skip_fields(Visitor *v)
{
    if (!v->error && v->ops->skip_fields)
        v->ops->skip_fields(v);
}

/* --- values ----------------------------------------------------------------------------------------------------- */

/* An element that is no struct is a level of its own while it is visited. False: there is an error. */
static bool leaf_start(Visitor *v, const char *name)
{
    if (v->error)
        return false;
    if (!is_element(v, name))
        return true;
    return push(v, (VisitFrame){.leaf = true, .index = v->frames[v->depth - 1].index++});
}

static void leaf_end(Visitor *v)
{
    if (!v->error && v->depth && v->frames[v->depth - 1].leaf)
        v->depth--;
}

VisitKind visit_peek(Visitor *v, const char *name, const char **text)
{
    *text = NULL;
    return v->error ? VISIT_ABSENT : v->ops->peek(v, name, text);
}

size_t visit_list_length(Visitor *v, const char *name)
{
    return v->error ? 0 : v->ops->list_length(v, name);
}

void visit_any(Visitor *v, const char *name, struct json_t **value)
{
    if (!leaf_start(v, name))
        return;
    v->ops->any(v, name, value);
    leaf_end(v);
}

void visit_null(Visitor *v, const char *name)
{
    if (!leaf_start(v, name))
        return;
    v->ops->null(v, name);
    leaf_end(v);
}

void visit_scalar(Visitor *v, const char *name, Scalar scalar, void *value)
{
    if (!leaf_start(v, name))
        return;
    v->ops->scalar(v, name, scalar, value);
    leaf_end(v);
}

void visit_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count)
{
    if (!v->error)
        v->ops->array(v, name, scalar, values, count);
}

void visit_buffer(Visitor *v, const char *name, void *data, size_t len)
{
    if (!v->error)
        v->ops->buffer(v, name, data, len);
}

void visit_unused(Visitor *v, const char *name, void *data, size_t len)
{
    if (!v->error)
        v->ops->unused(v, name, data, len);
}

void visit_octets(Visitor *v, const char *name, const char *type, void *data, size_t len)
{
    if (!v->error)
        v->ops->octets(v, name, type, data, len);
}

void visit_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits)
{
    if (!v->error)
        v->ops->bitmap(v, name, words, bits);
}

void visit_string(Visitor *v, const char *name, char **text)
{
    if (!leaf_start(v, name))
        return;
    v->ops->string(v, name, text);
    leaf_end(v);
}
