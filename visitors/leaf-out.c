/* leaf-out.c: saves to a callback that is told where each value is. */
#include "visitors/leaf-out.h"

#include <string.h>

#include "visitors/visitor-impl.h"

typedef struct LeafOut {
    Visitor v;
    LeafFn *fn;
    void *data;
} LeafOut;

static void tell(Visitor *v, const char *name, Leaf leaf)
{
    const LeafOut *l = (const LeafOut *)v;
    g_autofree char *path = visit_path(v, name);

    leaf.path = path;
    l->fn(l->data, &leaf);
}

static void leaf_scalar(Visitor *v, const char *name, Scalar scalar, void *value)
{
    tell(v, name, (Leaf){.kind = LEAF_SCALARS, .scalar = scalar, .data = value, .count = 1});
}

static void leaf_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count)
{
    tell(v, name, (Leaf){.kind = LEAF_SCALARS, .scalar = scalar, .array = true, .data = values, .count = count});
}

static void leaf_buffer(Visitor *v, const char *name, void *data, size_t len)
{
    tell(v, name, (Leaf){.kind = LEAF_SCALARS, .scalar = SCALAR_UINT8, .array = true, .data = data, .count = len});
}

static void leaf_octets(Visitor *v, const char *name, const char *type, void *data, size_t len)
{
    (void)type;
    tell(v, name, (Leaf){.kind = LEAF_OCTETS, .data = data, .count = len});
}

static void leaf_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits)
{
    tell(v, name, (Leaf){.kind = LEAF_BITMAP, .data = words, .count = bits});
}

static void leaf_string(Visitor *v, const char *name, char **text)
{
    tell(v, name, (Leaf){.kind = LEAF_STRING, .data = *text, .count = *text ? strlen(*text) : 0});
}

static void leaf_free(Visitor *v)
{
    g_free(v);
}

static const VisitorOps ops = {
    .scalar = leaf_scalar,
    .array = leaf_array,
    .buffer = leaf_buffer,
    .unused = leaf_buffer,
    .octets = leaf_octets,
    .bitmap = leaf_bitmap,
    .string = leaf_string,
    .free = leaf_free,
};

Visitor *leaf_out_new(LeafFn *fn, void *data)
{
    LeafOut *l = g_new0(LeafOut, 1);

    visitor_init(&l->v, &ops, NULL);
    l->fn = fn;
    l->data = data;
    return &l->v;
}
