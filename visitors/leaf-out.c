/* leaf-out.c: saves to a list of where each value is. */
#include "visitors/leaf-out.h"

#include <string.h>

#include "visitors/visitor-impl.h"

typedef struct LeafOut {
    Visitor v;
    GArray *leaves;
} LeafOut;

static void append(Visitor *v, const char *name, Leaf leaf)
{
    leaf.path = visit_path(v, name);
    g_array_append_val(((LeafOut *)v)->leaves, leaf);
}

static void leaf_scalar(Visitor *v, const char *name, Scalar scalar, void *value)
{
    append(v, name, (Leaf){.kind = LEAF_SCALARS, .scalar = scalar, .data = value, .count = 1});
}

static void leaf_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count)
{
    append(v, name, (Leaf){.kind = LEAF_SCALARS, .scalar = scalar, .array = true, .data = values, .count = count});
}

static void leaf_buffer(Visitor *v, const char *name, void *data, size_t len)
{
    append(v, name, (Leaf){.kind = LEAF_SCALARS, .scalar = SCALAR_UINT8, .array = true, .data = data, .count = len});
}

static void leaf_octets(Visitor *v, const char *name, const char *type, void *data, size_t len)
{
    (void)type;
    append(v, name, (Leaf){.kind = LEAF_OCTETS, .data = data, .count = len});
}

static void leaf_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits)
{
    append(v, name, (Leaf){.kind = LEAF_BITMAP, .data = words, .count = bits});
}

static void leaf_string(Visitor *v, const char *name, char **text)
{
    append(v, name, (Leaf){.kind = LEAF_STRING, .data = *text, .count = *text ? strlen(*text) : 0});
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

Visitor *leaf_out_new(GArray *leaves)
{
    LeafOut *l = g_new0(LeafOut, 1);

    visitor_init(&l->v, &ops, NULL);
    l->leaves = leaves;
    return &l->v;
}

static void clear_leaf(void *leaf)
{
    g_free(((Leaf *)leaf)->path);
}

GArray *leaf_array_new(void)
{
    GArray *leaves = g_array_new(FALSE, FALSE, sizeof(Leaf));

    g_array_set_clear_func(leaves, clear_leaf);
    return leaves;
}
