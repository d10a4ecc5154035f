/* compare.c: finds the fields in which two states differ. */
#include "tools/vmstate-diff/compare.h"

#include <inttypes.h>
#include <string.h>

#include "visitors/leaf-out.h"
#include "visitors/text-out.h"
#include "vmstate/walk.h"

enum { OCTETS_SHOWN = 16 };

typedef struct Compare {
    const char *title;
    DiffFn *fn;
    void *data;
} Compare;

/* --- words ------------------------------------------------------------------------------------------------------ */

static char *show_scalar(Scalar scalar, const void *p)
{
    if (scalar == SCALAR_FLOAT64) {
        double number;
        uint64_t bits;
        memcpy(&number, p, 8);
        memcpy(&bits, p, 8);
        return g_strdup_printf("%.17g [0x%016" PRIx64 "]", number, bits);
    }
    Integer n = scalar_get(scalar, p);
    if (scalar == SCALAR_BOOL)
        return g_strdup(n.bits ? "true" : "false");
    return n.negative ? g_strdup_printf("-0x%" PRIx64, -n.bits) : g_strdup_printf("0x%" PRIx64, n.bits);
}

static char *show_octets(const uint8_t *p, size_t len)
{
    GString *s = g_string_new(NULL);

    for (size_t i = 0; i < MIN(len, OCTETS_SHOWN); i++)
        g_string_append_printf(s, "%s%02x", i ? " " : "", p[i]);
    if (len > OCTETS_SHOWN)
        g_string_append_printf(s, " ... (%zu octets)", len);
    return g_string_free(s, FALSE);
}

static char *show_leaf(const Leaf *l)
{
    switch (l->kind) {
    case LEAF_SCALARS:
        if (!l->array)
            return show_scalar(l->scalar, l->data);
        return g_strdup_printf("%s[%zu]", scalar_name(l->scalar), l->count);
    case LEAF_BITMAP:
        return text_bit_ranges(l->data, l->count);
    case LEAF_STRING:
        return bytes_show(l->data ? l->data : "", l->count);
    default:
        return show_octets(l->data, l->count);
    }
}

/* --- comparing -------------------------------------------------------------------------------------------------- */

static void tell(const Compare *c, DiffSide side, const char *path, const char *a, const char *b)
{
    g_autofree char *full = g_strdup_printf("%s%s%s", c->title, path[0] ? "." : "", path);

    c->fn(c->data, side, full, a, b);
}

static void tell_changed(const Compare *c, const Leaf *a, const Leaf *b)
{
    g_autofree char *x = show_leaf(a);
    g_autofree char *y = show_leaf(b);

    tell(c, DIFF_CHANGED, a->path, x, y);
}

static bool scalars_equal(const Leaf *a, const void *p, const Leaf *b, const void *q)
{
    if (a->scalar == SCALAR_FLOAT64 || b->scalar == SCALAR_FLOAT64)
        return a->scalar == b->scalar && memcmp(p, q, 8) == 0;
    Integer x = scalar_get(a->scalar, p), y = scalar_get(b->scalar, q);
    return x.bits == y.bits && x.negative == y.negative;
}

/* Element by element; the widths may differ. */
static void compare_scalars(const Compare *c, const Leaf *a, const Leaf *b)
{
    unsigned wa = scalar_width(a->scalar), wb = scalar_width(b->scalar);

    if (a->scalar == b->scalar && a->count == b->count && (!a->count || memcmp(a->data, b->data, a->count * wa) == 0))
        return;
    for (size_t i = 0; i < MIN(a->count, b->count); i++) {
        const char *p = (const char *)a->data + i * wa, *q = (const char *)b->data + i * wb;
        if (scalars_equal(a, p, b, q))
            continue;
        g_autofree char *x = show_scalar(a->scalar, p);
        g_autofree char *y = show_scalar(b->scalar, q);
        g_autofree char *path = a->array ? g_strdup_printf("%s[%zu]", a->path, i) : g_strdup(a->path);
        tell(c, DIFF_CHANGED, path, x, y);
    }
    if (a->count != b->count)
        tell_changed(c, a, b);
}

/* Octets nobody described: each stretch in which they differ. */
static void compare_octets(const Compare *c, const char *path, const uint8_t *a, size_t a_len, const uint8_t *b,
                           size_t b_len)
{
    size_t n = MIN(a_len, b_len);

    for (size_t i = 0; i < n; i++) {
        size_t from = i;
        while (i < n && a[i] != b[i])
            i++;
        if (i == from)
            continue;
        g_autofree char *x = show_octets(a + from, i - from);
        g_autofree char *y = show_octets(b + from, i - from);
        g_autofree char *where =
            i - from == 1 ? g_strdup_printf("%s[%zu]", path, from) : g_strdup_printf("%s[%zu-%zu]", path, from, i - 1);
        tell(c, DIFF_CHANGED, where, x, y);
    }
    if (a_len != b_len) {
        g_autofree char *x = g_strdup_printf("%zu octets", a_len);
        g_autofree char *y = g_strdup_printf("%zu octets", b_len);
        tell(c, DIFF_CHANGED, path, x, y);
    }
}

static void compare_leaves(const Compare *c, const Leaf *a, const Leaf *b)
{
    if (a->kind != b->kind) {
        tell_changed(c, a, b);
    } else if (a->kind == LEAF_SCALARS) {
        compare_scalars(c, a, b);
    } else if (a->kind == LEAF_OCTETS) {
        compare_octets(c, a->path, a->data, a->count, b->data, b->count);
    } else {
        size_t octets = a->kind == LEAF_BITMAP ? (a->count + 63) / 64 * 8 : a->count;
        if (a->count != b->count || (octets && memcmp(a->data, b->data, octets) != 0))
            tell_changed(c, a, b);
    }
}

/* --- a state by its paths --------------------------------------------------------------------------------------- */

/*
 * A value, and the hash of its path. The paths of a large state would take far more room than the state itself; that
 * two of 200,000 paths have one hash of 64 bits happens once in a billion times.
 */
typedef struct Place {
    gint64 path;
    Leaf leaf; /* without its path */
    bool in_a;
} Place;

/* The values of B. */
typedef struct Places {
    const Compare *compare;
    GArray *all;         /* of Place */
    GHashTable *by_path; /* of them */
    guint only_b;        /* how many have not been found in A */
} Places;

static gint64 path_hash(const Leaf *leaf)
{
    return (gint64)bytes_hash(leaf->path, strlen(leaf->path));
}

static Place *find_place(const Places *p, const Leaf *leaf)
{
    gint64 path = path_hash(leaf);

    return g_hash_table_lookup(p->by_path, &path);
}

static void add_place(void *data, const Leaf *leaf)
{
    Place place = {.path = path_hash(leaf), .leaf = *leaf};

    place.leaf.path = NULL;
    g_array_append_val(((Places *)data)->all, place);
}

static void compare_with_b(void *data, const Leaf *leaf)
{
    Places *p = data;
    Place *place = find_place(p, leaf);
    g_autofree char *shown = place ? NULL : show_leaf(leaf);

    if (!place) {
        tell(p->compare, DIFF_ONLY_A, leaf->path, shown, NULL);
        return;
    }
    p->only_b -= !place->in_a;
    place->in_a = true;
    compare_leaves(p->compare, leaf, &place->leaf);
}

static void tell_if_only_b(void *data, const Leaf *leaf)
{
    const Places *p = data;

    if (find_place(p, leaf)->in_a)
        return;
    g_autofree char *shown = show_leaf(leaf);
    tell(p->compare, DIFF_ONLY_B, leaf->path, NULL, shown);
}

/* Calls fn for each value. */
static void each_leaf(const ModelSection *s, LeafFn *fn, void *data)
{
    g_autoptr(Visitor) v = leaf_out_new(fn, data);

    vmstate_save(v, s->desc, s->state);
    visit_finish(v, NULL);
}

static void compare_described(const Compare *c, const ModelSection *a, const ModelSection *b)
{
    Places p = {.compare = c};

    p.all = g_array_new(FALSE, FALSE, sizeof(Place));
    p.by_path = g_hash_table_new(g_int64_hash, g_int64_equal);
    each_leaf(b, add_place, &p);
    for (guint i = 0; i < p.all->len; i++)
        g_hash_table_add(p.by_path, &g_array_index(p.all, Place, i));
    p.only_b = g_hash_table_size(p.by_path);
    each_leaf(a, compare_with_b, &p);
    if (p.only_b)
        each_leaf(b, tell_if_only_b, &p);
    g_hash_table_unref(p.by_path);
    g_array_unref(p.all);
}

void compare_states(const char *title, const ModelSection *a, const ModelSection *b, DiffFn *fn, void *data)
{
    Compare c = {.title = title, .fn = fn, .data = data};

    if (a->desc && b->desc) {
        compare_described(&c, a, b);
    } else if (!a->desc && !b->desc) {
        compare_octets(&c, "", a->octets, a->len, b->octets, b->len);
    } else {
        tell(&c, DIFF_CHANGED, "", a->desc ? "described" : "not described", b->desc ? "described" : "not described");
    }
}
