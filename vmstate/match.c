/* match.c: does a field fit one that it was not written for? Source: vmstate/FORMAT.md section 3. */
#include "vmstate/match.h"

#include <string.h>

#include "visitors/bytes.h"

static bool is_octets(const VMStateField *f)
{
    return f->kind == VMS_BUFFER || (f->kind == VMS_SCALAR && f->scalar == SCALAR_UINT8 && vms_is_array(f));
}

/* Octets of what has no values in it, in all elements; elements of an array; bits of a bitmap. */
static size_t extent(const VMStateField *f)
{
    switch (f->kind) {
    case VMS_SCALAR:
    case VMS_STRUCT:
        return f->count;
    case VMS_BITMAP:
        return f->size;
    default:
        return f->size * f->count;
    }
}

char *vms_field_describe(const VMStateField *f)
{
    g_autofree char *what = NULL;

    switch (f->kind) {
    case VMS_SCALAR:
        what = g_strdup(f->type ? f->type : scalar_name((Scalar)f->scalar));
        break;
    case VMS_STRUCT:
        what = g_strdup_printf("struct %s", f->desc->name);
        break;
    case VMS_BITMAP:
        return g_strdup_printf("bitmap of %zu bits", f->size);
    case VMS_STRING:
        return g_strdup("string");
    case VMS_UNUSED:
        what = g_strdup_printf("pad of %zu octets", f->size);
        break;
    case VMS_OCTETS:
        what = g_strdup_printf("%zu undescribed octets of %s", f->size, f->type ? f->type : "?");
        break;
    default:
        what = g_strdup_printf("%s of %zu octets", f->type ? f->type : "buffer", f->size);
    }
    if (!vms_is_array(f))
        return g_steal_pointer(&what);
    if (f->counted_by)
        return g_strdup_printf("%s[at most %zu]", what, f->count);
    return g_strdup_printf("%s[%zu]", what, f->count);
}

static char *both(const VMStateField *to, const VMStateField *from, const char *what)
{
    g_autofree char *a = vms_field_describe(from);
    g_autofree char *b = vms_field_describe(to);

    return g_strdup_printf("%s: the stream has %s, the destination %s", what, a, b);
}

static VmsMatch match_counts(const VMStateField *to, const VMStateField *from, char **why)
{
    if (!is_octets(to) && vms_is_array(to) != vms_is_array(from)) {
        *why = both(to, from, "one is an array");
        return VMS_MATCH_INCOMPATIBLE;
    }
    if (to->counted_by && extent(from) <= extent(to))
        return VMS_MATCH_IDENTICAL;
    if (to->counted_by && from->counted_by) {
        *why = both(to, from, "there may be more than there is room for");
        return VMS_MATCH_NARROWED;
    }
    if (to->counted_by || from->counted_by ? extent(from) > extent(to) : extent(from) != extent(to)) {
        *why = both(to, from, "count changed");
        return VMS_MATCH_INCOMPATIBLE;
    }
    if (from->counted_by) {
        *why = both(to, from, "the number of elements decides");
        return VMS_MATCH_NARROWED;
    }
    return VMS_MATCH_IDENTICAL;
}

static VmsMatch match_scalars(const VMStateField *to, const VMStateField *from, char **why)
{
    Scalar a = (Scalar)from->scalar, b = (Scalar)to->scalar;

    if (a == b)
        return VMS_MATCH_IDENTICAL;
    if (!scalar_is_integer(a) || !scalar_is_integer(b)) {
        *why = both(to, from, "kind changed");
        return VMS_MATCH_INCOMPATIBLE;
    }
    if (scalar_range_within(a, b)) {
        *why = both(to, from, "widened");
        return VMS_MATCH_WIDENED;
    }
    *why = both(to, from, scalar_is_signed(a) == scalar_is_signed(b) ? "narrowed" : "sign changed");
    return VMS_MATCH_NARROWED;
}

static VmsMatch match_kinds(const VMStateField *to, const VMStateField *from, char **why)
{
    if (is_octets(to) && is_octets(from))
        return VMS_MATCH_IDENTICAL;
    if (to->kind != from->kind) {
        *why = both(to, from, "kind changed");
        return VMS_MATCH_INCOMPATIBLE;
    }
    switch (to->kind) {
    case VMS_SCALAR:
        return match_scalars(to, from, why);
    case VMS_OCTETS:
        if (g_strcmp0(to->type, from->type) != 0) {
            *why = both(to, from, "kind changed");
            return VMS_MATCH_INCOMPATIBLE;
        }
        if (extent(to) == extent(from))
            return VMS_MATCH_IDENTICAL;
        *why = both(to, from, "nobody described them, and they are not as many");
        return VMS_MATCH_UNJUDGED;
    case VMS_STRUCT:
        if (strcmp(to->desc->name, from->desc->name) == 0)
            return VMS_MATCH_IDENTICAL;
        *why = both(to, from, "the type has another name");
        return VMS_MATCH_CONVERTED;
    case VMS_UNUSED:
        if (extent(to) == extent(from))
            return VMS_MATCH_IDENTICAL;
        *why = both(to, from, "the pad has another size");
        return VMS_MATCH_CONVERTED;
    default:
        return VMS_MATCH_IDENTICAL;
    }
}

VmsMatch vms_match_field(const VMStateField *to, const VMStateField *from, char **why)
{
    g_autofree char *count_why = NULL;

    *why = NULL;
    VmsMatch kinds = match_kinds(to, from, why);
    if (kinds == VMS_MATCH_INCOMPATIBLE || kinds == VMS_MATCH_UNJUDGED || to->kind == VMS_UNUSED ||
        to->kind == VMS_STRING)
        return kinds;
    VmsMatch counts = match_counts(to, from, &count_why);
    if (counts == VMS_MATCH_INCOMPATIBLE || (counts != VMS_MATCH_IDENTICAL && kinds == VMS_MATCH_IDENTICAL)) {
        g_free(*why);
        *why = g_steal_pointer(&count_why);
        return counts;
    }
    return kinds;
}

/* --- structs ---------------------------------------------------------------------------------------------------- */

static guint hash_field(const void *field)
{
    const VMStateField *f = field;

    return bytes_hash_text(f->name) ^ (guint)f->index;
}

static gboolean same_name(const void *a, const void *b)
{
    const VMStateField *x = a, *y = b;

    return x->index == y->index && strcmp(x->name, y->name) == 0;
}

/* The fields of a struct by name and index; the first where several pads have one name. */
static GHashTable *index_fields(const VMStateDescription *desc)
{
    GHashTable *fields = g_hash_table_new(hash_field, same_name);

    for (const VMStateField *f = desc->fields; f->name; f++)
        if (!g_hash_table_contains(fields, f))
            g_hash_table_add(fields, (void *)f);
    return fields;
}

VmsPlan *vms_plan_new(const VMStateDescription *to, const VMStateDescription *from)
{
    VmsPlan *plan = g_new0(VmsPlan, 1);
    g_autoptr(GHashTable) fields = NULL;
    size_t n = vms_field_count(to);

    plan->to = to;
    plan->from = from;
    plan->from_of = g_new(int, MAX(n, 1));
    plan->wanted_count = vms_field_count(from);
    plan->wanted = g_new0(bool, MAX(plan->wanted_count, 1));
    for (size_t i = 0, guess = 0; i < n; i++, guess++) {
        const VMStateField *f = &to->fields[i];
        size_t position = guess;
        /* mostly the order is the same, and no search is needed */
        if (guess >= plan->wanted_count || plan->wanted[guess] || !same_name(&from->fields[guess], f)) {
            if (!fields)
                fields = index_fields(from);
            const VMStateField *found = g_hash_table_lookup(fields, f);
            position = found ? (size_t)(found - from->fields) : 0;
            if (!found || plan->wanted[position]) {
                plan->from_of[i] = VMS_NO_FIELD;
                guess--;
                continue;
            }
        }
        plan->from_of[i] = (int)position;
        plan->wanted[position] = true;
        guess = position;
    }
    return plan;
}

void vms_plan_free(VmsPlan *plan)
{
    if (!plan)
        return;
    g_free(plan->from_of);
    g_free(plan->wanted);
    g_free(plan);
}

bool vms_may_be_missing(const VMStateField *to, int version)
{
    return vms_is_optional(to) || to->flags & VMS_DEFAULTABLE || to->kind == VMS_UNUSED || to->since > version;
}

bool vms_may_be_skipped(const VMStateField *from)
{
    return from->flags & VMS_SKIPPABLE || from->kind == VMS_UNUSED;
}

int vms_subsection_find(const VMStateDescription *desc, const char *name)
{
    for (const VMStateSubsection *sub = vms_subsections(desc); sub->desc; sub++)
        if (strcmp(sub->desc->name, name) == 0)
            return (int)(sub - desc->subsections);
    return VMS_NO_FIELD;
}
