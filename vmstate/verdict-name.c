/* verdict-name.c: judges structs whose fields are found by name. Source: vmstate/FORMAT.md part 3. */
#include <string.h>

#include "vmstate/match.h"
#include "vmstate/state.h"
#include "vmstate/verdict-impl.h"

/* --- values ----------------------------------------------------------------------------------------------------- */

/* The first value of `from` in any of the states that does not fit the scalar of `to`; *where: its number in an array.
 */
static bool find_misfit(const VMStateField *to, const VMStateField *from, const GPtrArray *states, Integer *value,
                        size_t *where)
{
    for (guint i = 0; i < states->len; i++) {
        const void *state = g_ptr_array_index(states, i);
        size_t used = vms_field_count_used(from, state);
        const char *data = vms_field_data(from, state);
        for (*where = 0; *where < used; ++*where) {
            *value = scalar_get((Scalar)from->scalar, data + *where * from->size);
            if (!scalar_fits((Scalar)to->scalar, *value))
                return true;
        }
    }
    return false;
}

/* The value decides. states: those of the struct that `from` is in; NULL if only descriptions are compared. */
static void judge_narrowed(Judge *j, const char *path, const VMStateField *to, const VMStateField *from,
                           const GPtrArray *states, const char *why)
{
    const char *kind = strstr(why, "sign changed") == why ? "sign changed" : "narrowed";
    Integer value;
    size_t where;

    if (!states || states->len == 0) {
        verdict_find(j, VERDICT_CONVERTIBLE, kind, path, "%s; the value decides", why);
        return;
    }
    for (guint i = 0; from->counted_by && i < states->len; i++) {
        size_t used = vms_field_count_used(from, g_ptr_array_index(states, i));
        if (used > to->count) {
            verdict_find(j, VERDICT_INCOMPATIBLE, "count", path, "%s: %zu are in use, there is room for %zu", why, used,
                         to->count);
            return;
        }
    }
    if (from->kind != VMS_SCALAR || from->scalar == to->scalar || !find_misfit(to, from, states, &value, &where))
        verdict_find(j, VERDICT_CONVERTIBLE, kind, path, "%s; the value fits", why);
    else if (value.negative)
        verdict_find(j, VERDICT_INCOMPATIBLE, kind, path, "%s; %" G_GINT64_FORMAT " does not fit", why,
                     (gint64)value.bits);
    else
        verdict_find(j, VERDICT_INCOMPATIBLE, kind, path, "%s; %" G_GUINT64_FORMAT " does not fit", why, value.bits);
}

/* --- fields ----------------------------------------------------------------------------------------------------- */

static const char *incompatible_kind(const char *why)
{
    if (g_str_has_prefix(why, "count changed") || g_str_has_prefix(why, "one is an array"))
        return "count";
    return "kind";
}

static void judge_field(Judge *j, const char *path, const VMStateField *to, const VMStateField *from, int version,
                        const GPtrArray *states)
{
    g_autofree char *why = NULL;
    VmsMatch match = vms_match_field(to, from, &why);

    switch (match) {
    case VMS_MATCH_IDENTICAL:
        break;
    case VMS_MATCH_WIDENED:
        verdict_find(j, VERDICT_CONVERTIBLE, "widened", path, "%s", why);
        break;
    case VMS_MATCH_NARROWED:
        judge_narrowed(j, path, to, from, states, why);
        break;
    case VMS_MATCH_UNJUDGED:
        verdict_find(j, VERDICT_CONVERTIBLE, "not judged", path, "%s", why);
        break;
    case VMS_MATCH_CONVERTED:
        if (to->kind == VMS_UNUSED)
            verdict_find(j, VERDICT_CONVERTIBLE, "skipped", path, "%s", why);
        else
            verdict_find(j, VERDICT_CONVERTIBLE, "type name", path, "%s", why);
        break;
    default:
        verdict_find(j, VERDICT_INCOMPATIBLE, incompatible_kind(why), path, "%s", why);
        return;
    }
    if (vms_is_optional(from) && !vms_is_optional(to) && !vms_may_be_missing(to, version))
        verdict_find(j, VERDICT_CONVERTIBLE, "narrowed", path, "the stream may leave it out, the destination needs it");
    if (to->kind == VMS_STRUCT) {
        g_autoptr(GPtrArray) inner = verdict_inner_states(from, states, version);
        verdict_by_name(j, path, to->desc, from->desc, from->desc->version, states ? inner : NULL);
    }
}

/* A field that the stream does not have: has it one like it at the same place, by another name? */
static const char *namesake(const VmsPlan *plan, size_t position)
{
    g_autofree char *why = NULL;

    if (position >= plan->wanted_count || plan->wanted[position])
        return NULL;
    const VMStateField *candidate = &plan->from->fields[position];
    VmsMatch match = vms_match_field(&plan->to->fields[position], candidate, &why);
    return match == VMS_MATCH_IDENTICAL ? candidate->name : NULL;
}

static void judge_missing(Judge *j, const char *path, const VmsPlan *plan, size_t position, int version)
{
    const VMStateField *f = &plan->to->fields[position];
    g_autofree char *field = verdict_join(path, plan->to, f);
    g_autofree char *what = vms_field_describe(f);

    if (vms_may_be_missing(f, version)) {
        verdict_find(j, VERDICT_CONVERTIBLE, "defaulted", field,
                     "the stream does not have this %s; it keeps its reset value", what);
        return;
    }
    const char *other = namesake(plan, position);
    verdict_find(j, VERDICT_INCOMPATIBLE, "missing", field,
                 "the destination needs this %s, the stream does not have it%s%s%s", what,
                 other ? " (was it called " : "", other ? other : "", other ? "?)" : "");
}

static void judge_unknown(Judge *j, const char *path, const VmsPlan *plan, size_t position)
{
    const VMStateField *f = &plan->from->fields[position];
    g_autofree char *field = verdict_join(path, plan->from, f);
    g_autofree char *what = vms_field_describe(f);

    if (vms_may_be_skipped(f))
        verdict_find(j, VERDICT_CONVERTIBLE, "skipped", field, "the destination does not know this %s; it is left out",
                     what);
    else
        verdict_find(j, VERDICT_INCOMPATIBLE, "unknown", field,
                     "the stream has this %s, the destination does not know it", what);
}

/* Fields that both have, in another order. Reported once for each that comes earlier than one before it. */
static void judge_order(Judge *j, const char *path, const VmsPlan *plan)
{
    int last = -1;

    for (size_t i = 0; plan->to->fields[i].name; i++) {
        int position = plan->from_of[i];
        if (position == VMS_NO_FIELD)
            continue;
        if (position < last) {
            g_autofree char *field = verdict_join(path, plan->from, &plan->from->fields[position]);
            verdict_find(j, VERDICT_CONVERTIBLE, "reordered", field,
                         "the stream has it before %s, the destination behind it", plan->from->fields[last].name);
        }
        last = MAX(last, position);
    }
}

static void judge_subsections(Judge *j, const char *path, const VMStateDescription *to, const VMStateDescription *from,
                              const GPtrArray *states)
{
    for (const VMStateSubsection *sub = vms_subsections(from); sub->desc; sub++) {
        g_autoptr(GPtrArray) with = verdict_states_with(sub, states);
        g_autofree char *inner = g_strdup_printf("%s.%s", path, sub->desc->name);
        int k = vms_subsection_find(to, sub->desc->name);
        if (states && with->len == 0)
            continue; /* not sent */
        if (k != VMS_NO_FIELD) {
            verdict_version(j, inner, to->subsections[k].desc->version, to->subsections[k].desc->minimum,
                            sub->desc->version);
            verdict_by_name(j, inner, to->subsections[k].desc, sub->desc, sub->desc->version, states ? with : NULL);
        } else if (sub->flags & VMS_SKIPPABLE) {
            verdict_find(j, VERDICT_CONVERTIBLE, "skipped", inner,
                         "the destination does not know this subsection; it is left out");
        } else {
            verdict_find(j, VERDICT_INCOMPATIBLE, "unknown", inner,
                         "the stream has this subsection, the destination does not know it");
        }
    }
    verdict_missing_subsections(j, path, to, from, states);
}

void verdict_by_name(Judge *j, const char *path, const VMStateDescription *to, const VMStateDescription *from,
                     int version, const GPtrArray *states)
{
    if (to == from && !states)
        return;
    VmsPlan *plan = vms_plan_new(to, from);
    for (size_t i = 0; to->fields[i].name; i++) {
        if (plan->from_of[i] == VMS_NO_FIELD) {
            judge_missing(j, path, plan, i, version);
            continue;
        }
        /* called as in a dump of the stream */
        const VMStateField *f = &from->fields[plan->from_of[i]];
        g_autofree char *field = verdict_join(path, from, f);
        judge_field(j, field, &to->fields[i], f, version, states);
    }
    for (size_t i = 0; i < plan->wanted_count; i++)
        if (!plan->wanted[i])
            judge_unknown(j, path, plan, i);
    judge_order(j, path, plan);
    vms_plan_free(plan);
    judge_subsections(j, path, to, from, states);
}
