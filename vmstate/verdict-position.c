/*
 * verdict-position.c: judges structs whose fields are found by position, as on QEMU's wire.
 *
 * Such a loader cannot find anything wrong but the length: what has the same width in another order is misread in
 * silence. So two fields at one place that are called differently only pass if neither name is known elsewhere.
 */
#include <string.h>

#include "vmstate/match.h"
#include "vmstate/state.h"
#include "vmstate/verdict-impl.h"

/* Octets of all that is not a struct; elements of structs. */
static size_t extent(const VMStateField *f)
{
    return f->kind == VMS_STRUCT ? f->count : f->count * vms_field_wire_size(f);
}

static bool same_name(const VMStateField *a, const VMStateField *b)
{
    return a->index == b->index && strcmp(a->name, b->name) == 0;
}

/* Two fields at the same place; moved: one of them is elsewhere on the other side. False: what is behind them is
 * misread, too. */
static bool judge_pair(Judge *j, const char *path, const VMStateField *to, const VMStateField *from, bool moved)
{
    g_autofree char *a = vms_field_describe(from);
    g_autofree char *b = vms_field_describe(to);

    if (to->kind == VMS_OCTETS && from->kind == VMS_OCTETS && same_name(to, from)) {
        if (extent(to) != extent(from))
            verdict_find(j, VERDICT_CONVERTIBLE, "not judged", path,
                         "nobody described these octets: the stream has %zu, the destination %zu", extent(from),
                         extent(to));
        return true;
    }
    if ((to->kind == VMS_STRUCT) != (from->kind == VMS_STRUCT) || extent(to) != extent(from)) {
        verdict_find(j, VERDICT_INCOMPATIBLE, to->count != from->count ? "count" : "kind", path,
                     "the stream has %s here, the destination %s; all that follows in this struct would be misread", a,
                     b);
        return false;
    }
    if (!same_name(to, from) && to->kind != VMS_UNUSED && from->kind != VMS_UNUSED) {
        verdict_find(j, moved ? VERDICT_INCOMPATIBLE : VERDICT_CONVERTIBLE, moved ? "reordered" : "renamed", path,
                     moved ? "the stream has %s here: one would be misread as the other" : "the stream calls it %s",
                     from->name);
        return true;
    }
    if (to->kind == VMS_SCALAR && from->kind == VMS_SCALAR && to->scalar != from->scalar &&
        extent(to) == extent(from)) {
        bool signs =
            scalar_is_integer((Scalar)to->scalar) && scalar_is_integer((Scalar)from->scalar) && to->size == from->size;
        verdict_find(j, signs ? VERDICT_CONVERTIBLE : VERDICT_INCOMPATIBLE, signs ? "sign changed" : "kind", path,
                     "the stream has %s, the destination %s: the same octets mean something else", a, b);
    }
    return true;
}

static void judge_fields(Judge *j, const char *path, const VMStateDescription *to, const VMStateDescription *from,
                         const GPtrArray *states)
{
    size_t n = vms_field_count(to), m = vms_field_count(from);
    g_autoptr(VmsPlan) plan = vms_plan_new(to, from);

    for (size_t i = 0; i < MIN(n, m); i++) {
        const VMStateField *f = &to->fields[i], *g = &from->fields[i];
        g_autofree char *field = verdict_join(path, to, f);
        if (!judge_pair(j, field, f, g, plan->from_of[i] != VMS_NO_FIELD || plan->wanted[i]))
            return;
        if (f->kind == VMS_STRUCT) {
            g_autoptr(GPtrArray) inner = verdict_inner_states(g, states, from->version);
            verdict_by_position(j, field, f->desc, g->desc, states ? inner : NULL);
        }
    }
    for (size_t i = m; i < n; i++) {
        g_autofree char *field = verdict_join(path, to, &to->fields[i]);
        verdict_find(j, VERDICT_INCOMPATIBLE, "missing", field,
                     "the destination reads this field, the stream does not have it");
    }
    for (size_t i = n; i < m; i++) {
        g_autofree char *field = verdict_join(path, from, &from->fields[i]);
        verdict_find(j, VERDICT_INCOMPATIBLE, "unknown", field,
                     "the stream has this field, the destination does not read it");
    }
}

void verdict_by_position(Judge *j, const char *path, const VMStateDescription *to, const VMStateDescription *from,
                         const GPtrArray *states)
{
    if (to == from && !states)
        return;
    judge_fields(j, path, to, from, states);
    for (const VMStateSubsection *sub = vms_subsections(from); sub->desc; sub++) {
        g_autoptr(GPtrArray) with = verdict_states_with(sub, states);
        g_autofree char *inner = g_strdup_printf("%s.%s", path, sub->desc->name);
        int k = vms_subsection_find(to, sub->desc->name);
        if (states && with->len == 0)
            continue; /* not sent */
        if (k == VMS_NO_FIELD) {
            verdict_find(j, VERDICT_INCOMPATIBLE, "unknown", inner,
                         "the stream has this subsection, the destination does not know it");
            continue;
        }
        verdict_version(j, inner, to->subsections[k].desc->version, to->subsections[k].desc->minimum,
                        sub->desc->version);
        verdict_by_position(j, inner, to->subsections[k].desc, sub->desc, states ? with : NULL);
    }
    verdict_missing_subsections(j, path, to, from, states);
}
