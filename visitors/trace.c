/*
 * trace.c: passes every call on, and shows it to a witness.
 *
 * Calls that exist on one side only (select, the question for another subsection) are not shown.
 */
#include "visitors/trace.h"

#include "visitors/visitor-impl.h"

typedef struct Trace {
    Visitor v;
    VisitorOps ops; /* with the direction and the abilities of the inner visitor */
    Visitor *inner, *witness;
} Trace;

static Visitor *inner_of(Visitor *v)
{
    return ((Trace *)v)->inner;
}

static Visitor *witness_of(Visitor *v)
{
    return ((Trace *)v)->witness;
}

/* Did the inner visitor's call go well? If not, its error becomes ours. */
static bool done(Visitor *v)
{
    Visitor *inner = inner_of(v);

    if (inner->error && !v->error)
        v->error = g_error_copy(inner->error);
    return !v->error;
}

static void trace_struct_start(Visitor *v, const char *name)
{
    visit_struct_start(inner_of(v), name);
    if (done(v))
        visit_struct_start(witness_of(v), name);
}

static void trace_struct_end(Visitor *v)
{
    visit_struct_end(inner_of(v));
    if (done(v))
        visit_struct_end(witness_of(v));
}

static void trace_list_start(Visitor *v, const char *name, size_t count, size_t elem_size)
{
    visit_list_start(inner_of(v), name, count, elem_size);
    if (done(v))
        visit_list_start(witness_of(v), name, count, elem_size);
}

static void trace_list_end(Visitor *v)
{
    visit_list_end(inner_of(v));
    if (done(v))
        visit_list_end(witness_of(v));
}

static void trace_optional(Visitor *v, const char *name, bool *present)
{
    visit_optional(inner_of(v), name, present);
    if (done(v))
        visit_optional(witness_of(v), name, present);
}

static void trace_require(Visitor *v, const char *name)
{
    visit_require(inner_of(v), name);
    done(v);
}

static bool trace_subsection_next(Visitor *v, const char *parent, VisitSubsection *found)
{
    bool more = visit_subsection_next(inner_of(v), parent, found);

    return done(v) && more;
}

static void trace_subsection_start(Visitor *v, int index, const char *name, int version)
{
    visit_subsection_start(inner_of(v), index, name, version);
    if (done(v))
        visit_subsection_start(witness_of(v), index, name, version);
}

static void trace_subsection_end(Visitor *v)
{
    visit_subsection_end(inner_of(v));
    if (done(v))
        visit_subsection_end(witness_of(v));
}

static void trace_select(Visitor *v, size_t index)
{
    visit_select(inner_of(v), index);
    done(v);
}

static void trace_skip_fields(Visitor *v)
{
    visit_skip_fields(inner_of(v));
    done(v);
}

static void trace_scalar(Visitor *v, const char *name, Scalar scalar, void *value)
{
    visit_scalar(inner_of(v), name, scalar, value);
    if (done(v))
        visit_scalar(witness_of(v), name, scalar, value);
}

static void trace_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count)
{
    visit_array(inner_of(v), name, scalar, values, count);
    if (done(v))
        visit_array(witness_of(v), name, scalar, values, count);
}

static void trace_buffer(Visitor *v, const char *name, void *data, size_t len)
{
    visit_buffer(inner_of(v), name, data, len);
    if (done(v))
        visit_buffer(witness_of(v), name, data, len);
}

static void trace_unused(Visitor *v, const char *name, void *data, size_t len)
{
    visit_unused(inner_of(v), name, data, len);
    if (done(v))
        visit_unused(witness_of(v), name, data, len);
}

static void trace_octets(Visitor *v, const char *name, const char *type, void *data, size_t len)
{
    visit_octets(inner_of(v), name, type, data, len);
    if (done(v))
        visit_octets(witness_of(v), name, type, data, len);
}

static void trace_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits)
{
    visit_bitmap(inner_of(v), name, words, bits);
    if (done(v))
        visit_bitmap(witness_of(v), name, words, bits);
}

static void trace_string(Visitor *v, const char *name, char **text)
{
    visit_string(inner_of(v), name, text);
    if (done(v))
        visit_string(witness_of(v), name, text);
}

static int64_t trace_offset(const Visitor *v)
{
    return visit_offset(((const Trace *)v)->inner);
}

static void trace_finish(Visitor *v)
{
    if (visit_finish(inner_of(v), &v->error))
        visit_finish(witness_of(v), &v->error);
}

static void trace_free(Visitor *v)
{
    g_free(v);
}

Visitor *trace_new(Visitor *inner, Visitor *witness)
{
    Trace *t = g_new0(Trace, 1);

    t->ops = (VisitorOps){
        .load = inner->ops->load,
        .struct_start = trace_struct_start,
        .struct_end = trace_struct_end,
        .list_start = trace_list_start,
        .list_end = trace_list_end,
        .optional = trace_optional,
        .require = trace_require,
        .subsection_next = trace_subsection_next,
        .subsection_start = trace_subsection_start,
        .subsection_end = trace_subsection_end,
        .select = inner->ops->select ? trace_select : NULL,
        .skip_fields = trace_skip_fields,
        .scalar = trace_scalar,
        .array = trace_array,
        .buffer = trace_buffer,
        .unused = trace_unused,
        .octets = trace_octets,
        .bitmap = trace_bitmap,
        .string = trace_string,
        .offset = trace_offset,
        .finish = trace_finish,
        .free = trace_free,
    };
    t->inner = inner;
    t->witness = witness;
    visitor_init(&t->v, &t->ops, inner->root);
    return &t->v;
}
