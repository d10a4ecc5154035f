/* test-leaf-out.c: who is told where each value is. */
#include "tests/visitors/sample.h"
#include "visitors/leaf-out.h"

typedef struct Wanted {
    const char *path;
    LeafKind kind;
    Scalar scalar;
    bool array;
    const void *data;
    size_t count;
} Wanted;

/* A list of what was told, which owns the paths. */
static void clear_leaf(void *leaf)
{
    g_free((char *)((Leaf *)leaf)->path);
}

static GArray *list_new(void)
{
    GArray *leaves = g_array_new(FALSE, FALSE, sizeof(Leaf));

    g_array_set_clear_func(leaves, clear_leaf);
    return leaves;
}

static void append(void *leaves, const Leaf *leaf)
{
    Leaf copy = *leaf;

    copy.path = g_strdup(leaf->path);
    g_array_append_val((GArray *)leaves, copy);
}

static void assert_leaf(const Leaf *leaf, const Wanted *wanted)
{
    cr_assert_str_eq(leaf->path, wanted->path);
    cr_assert_eq(leaf->kind, wanted->kind, "%s", leaf->path);
    if (leaf->kind == LEAF_SCALARS) {
        cr_assert_eq(leaf->scalar, wanted->scalar, "%s", leaf->path);
        cr_assert_eq(leaf->array, wanted->array, "%s", leaf->path);
    }
    cr_assert_eq(leaf->data, wanted->data, "%s", leaf->path);
    cr_assert_eq(leaf->count, wanted->count, "%s", leaf->path);
}

Test(leaf_out, every_value_is_told_with_its_place_kind_and_count)
{
    g_auto(Sample) s = {0};
    g_autoptr(GArray) leaves = list_new();
    g_autoptr(Visitor) v = leaf_out_new(append, leaves);
    g_autoptr(GError) error = NULL;

    sample_fill(&s, 3);
    sample_visit(v, &s);
    assert_no_error(visit_finish(v, &error), error);
    const Wanted wanted[] = {
        {"on", LEAF_SCALARS, SCALAR_BOOL, false, &s.on, 1},
        {"i8", LEAF_SCALARS, SCALAR_INT8, false, &s.i8, 1},
        {"i16", LEAF_SCALARS, SCALAR_INT16, false, &s.i16, 1},
        {"i32", LEAF_SCALARS, SCALAR_INT32, false, &s.i32, 1},
        {"i64", LEAF_SCALARS, SCALAR_INT64, false, &s.i64, 1},
        {"u8", LEAF_SCALARS, SCALAR_UINT8, false, &s.u8, 1},
        {"u16", LEAF_SCALARS, SCALAR_UINT16, false, &s.u16, 1},
        {"u32", LEAF_SCALARS, SCALAR_UINT32, false, &s.u32, 1},
        {"u64", LEAF_SCALARS, SCALAR_UINT64, false, &s.u64, 1},
        {"number", LEAF_SCALARS, SCALAR_FLOAT64, false, &s.number, 1},
        {"flags", LEAF_SCALARS, SCALAR_BOOL, true, s.flags, 3},
        {"signs", LEAF_SCALARS, SCALAR_INT16, true, s.signs, 4},
        {"bytes", LEAF_SCALARS, SCALAR_UINT8, true, s.bytes, 6},
        {"words", LEAF_SCALARS, SCALAR_UINT64, true, s.words, 3},
        {"numbers", LEAF_SCALARS, SCALAR_FLOAT64, true, s.numbers, 2},
        /* a uint8 array, a buffer and a pad are the same to who compares */
        {"buffer", LEAF_SCALARS, SCALAR_UINT8, true, s.buffer, 7},
        {"pad", LEAF_SCALARS, SCALAR_UINT8, true, s.pad, 4},
        {"octets", LEAF_OCTETS, SCALAR_BOOL, false, s.octets, 40},
        {"bits", LEAF_BITMAP, SCALAR_BOOL, false, s.bits, SAMPLE_BITS},
        {"text", LEAF_STRING, SCALAR_BOOL, false, s.text, strlen(s.text)},
        {"extra", LEAF_SCALARS, SCALAR_UINT32, false, &s.extra, 1},
        {"parts[0].low", LEAF_SCALARS, SCALAR_UINT16, false, &s.parts[0].low, 1},
        {"parts[0].delta", LEAF_SCALARS, SCALAR_INT32, false, &s.parts[0].delta, 1},
        {"parts[1].low", LEAF_SCALARS, SCALAR_UINT16, false, &s.parts[1].low, 1},
        {"parts[1].delta", LEAF_SCALARS, SCALAR_INT32, false, &s.parts[1].delta, 1},
        {"parts[2].low", LEAF_SCALARS, SCALAR_UINT16, false, &s.parts[2].low, 1},
        {"parts[2].delta", LEAF_SCALARS, SCALAR_INT32, false, &s.parts[2].delta, 1},
        {"sample/sub.value", LEAF_SCALARS, SCALAR_UINT32, false, &s.sub, 1},
    };
    cr_assert_eq(leaves->len, G_N_ELEMENTS(wanted));
    for (unsigned i = 0; i < leaves->len; i++)
        assert_leaf(&g_array_index(leaves, Leaf, i), &wanted[i]);
}

Test(leaf_out, what_is_not_there_has_no_leaf)
{
    g_auto(Sample) s = {0};
    g_autoptr(GArray) leaves = list_new();
    g_autoptr(Visitor) v = leaf_out_new(append, leaves);

    sample_fill(&s, 4);
    sample_visit(v, &s);
    cr_assert_eq(leaves->len, 26);
    for (unsigned i = 0; i < leaves->len; i++) {
        const char *path = g_array_index(leaves, Leaf, i).path;
        cr_assert_str_neq(path, "extra");
        cr_assert_not(g_str_has_prefix(path, "sample/sub"));
    }
}

Test(leaf_out, an_array_of_one_is_told_from_a_value_of_its_own)
{
    g_autoptr(GArray) leaves = list_new();
    g_autoptr(Visitor) v = leaf_out_new(append, leaves);
    uint16_t value = 1;

    visit_struct_start(v, NULL);
    visit_uint16(v, "value", &value);
    visit_array(v, "array", SCALAR_UINT16, &value, 1);
    visit_array(v, "none", SCALAR_UINT16, NULL, 0);
    visit_struct_end(v);
    cr_assert_eq(leaves->len, 3);
    assert_leaf(&g_array_index(leaves, Leaf, 0), &(Wanted){"value", LEAF_SCALARS, SCALAR_UINT16, false, &value, 1});
    assert_leaf(&g_array_index(leaves, Leaf, 1), &(Wanted){"array", LEAF_SCALARS, SCALAR_UINT16, true, &value, 1});
    assert_leaf(&g_array_index(leaves, Leaf, 2), &(Wanted){"none", LEAF_SCALARS, SCALAR_UINT16, true, NULL, 0});
}

Test(leaf_out, a_string_that_is_not_set_is_a_leaf_of_no_octets)
{
    g_autoptr(GArray) leaves = list_new();
    g_autoptr(Visitor) v = leaf_out_new(append, leaves);
    char *none = NULL;

    visit_string(v, "none", &none);
    cr_assert_eq(leaves->len, 1);
    assert_leaf(&g_array_index(leaves, Leaf, 0), &(Wanted){"none", LEAF_STRING, SCALAR_BOOL, false, NULL, 0});
}
