/* changes.c: descriptions with one thing changed. */
#include "tests/support/changes.h"

#include <string.h>

#include "vmstate/state.h"

const char *change_name(Change change)
{
    static const char *const names[CHANGES] = {"rename",  "widen", "narrow", "resign",
                                               "reorder", "drop",  "add",    "change count"};

    return names[change];
}

/* --- places ----------------------------------------------------------------------------------------------------- */

static void add_places(const VMStateDescription *desc, FieldPlace place, GArray *places)
{
    FieldPlace inner = place;

    inner.depth++;
    for (int i = 0; desc->fields[i].name; i++) {
        inner.steps[place.depth] = i;
        g_array_append_val(places, inner);
        if (desc->fields[i].kind == VMS_STRUCT)
            add_places(desc->fields[i].desc, inner, places);
    }
    for (size_t i = 0; i < vms_subsection_count(desc); i++) {
        inner.steps[place.depth] = -1 - (int)i;
        add_places(desc->subsections[i].desc, inner, places);
    }
}

GArray *changes_places(const VMStateDescription *desc)
{
    GArray *places = g_array_new(FALSE, TRUE, sizeof(FieldPlace));

    add_places(desc, (FieldPlace){.depth = 0}, places);
    return places;
}

/* --- changed descriptions --------------------------------------------------------------------------------------- */

static Scalar other_width(Scalar s, bool wider)
{
    Scalar first = scalar_is_signed(s) ? SCALAR_INT8 : SCALAR_UINT8,
           last = scalar_is_signed(s) ? SCALAR_INT64 : SCALAR_UINT64;

    if (!scalar_is_integer(s) || s == (wider ? last : first))
        return SCALAR_COUNT;
    return wider ? (Scalar)(s + 1) : (Scalar)(s - 1);
}

static Scalar other_sign(Scalar s)
{
    if (!scalar_is_integer(s))
        return SCALAR_COUNT;
    return scalar_is_signed(s) ? (Scalar)(s + 4) : (Scalar)(s - 4);
}

/* The scalar that a change of a scalar leads to; SCALAR_COUNT if it makes no sense. */
static Scalar changed_scalar(const VMStateField *f, Change change)
{
    if (f->kind != VMS_SCALAR)
        return SCALAR_COUNT;
    return change == CHANGE_RESIGN ? other_sign((Scalar)f->scalar)
                                   : other_width((Scalar)f->scalar, change == CHANGE_WIDEN);
}

static bool makes_sense(const VMStateDescription *desc, const VMStateField *f, Change change)
{
    switch (change) {
    case CHANGE_WIDEN:
    case CHANGE_NARROW:
    case CHANGE_RESIGN:
        return changed_scalar(f, change) != SCALAR_COUNT;
    case CHANGE_REORDER:
        return f[1].name;
    case CHANGE_COUNT:
        return vms_is_array(f) || f->kind == VMS_BUFFER;
    default:
        (void)desc;
        return true;
    }
}

static const VMStateDescription *rebuild(Schema *schema, const VMStateDescription *desc, const FieldPlace *place,
                                         unsigned depth, Change change);

/* Appends a field of the original, its struct rebuilt. */
static void put_same(TypeBuilder *b, Schema *schema, const VMStateField *f, const FieldPlace *place, unsigned depth,
                     Change change)
{
    VMStateField same = *f;

    if (f->kind == VMS_STRUCT)
        same.desc = rebuild(schema, f->desc, place, depth, change);
    type_builder_field(b, &same);
}

static void put_changed(TypeBuilder *b, Schema *schema, const VMStateField *f, Change change)
{
    g_autofree char *name = g_strdup_printf("%s_renamed", f->name);
    VMStateField changed = *f;

    if (f->kind == VMS_STRUCT)
        changed.desc = rebuild(schema, f->desc, NULL, 0, change);
    switch (change) {
    case CHANGE_RENAME:
        changed.name = name;
        break;
    case CHANGE_COUNT:
        changed.count += vms_is_array(f);
        changed.size += !vms_is_array(f);
        break;
    default:
        changed.scalar = (uint8_t)changed_scalar(f, change);
    }
    type_builder_field(b, &changed);
}

static void put_fields(TypeBuilder *b, Schema *schema, const VMStateDescription *desc, const FieldPlace *place,
                       unsigned depth, Change change)
{
    int here = place && depth < place->depth ? place->steps[depth] : -1;
    bool last = place && depth + 1 == place->depth;

    for (int i = 0; desc->fields[i].name; i++) {
        const VMStateField *f = &desc->fields[i];
        if (i != here) {
            put_same(b, schema, f, NULL, 0, change);
        } else if (!last) {
            put_same(b, schema, f, place, depth + 1, change);
        } else if (change == CHANGE_REORDER) {
            put_same(b, schema, &desc->fields[++i], NULL, 0, change);
            put_same(b, schema, f, NULL, 0, change);
        } else if (change == CHANGE_ADD) {
            put_same(b, schema, f, NULL, 0, change);
            type_builder_field(
                b, &(VMStateField){.name = "added", .kind = VMS_SCALAR, .scalar = SCALAR_UINT32, .count = 1});
        } else if (change != CHANGE_DROP) {
            put_changed(b, schema, f, change);
        }
    }
}

/* A copy of the description in another schema; with the change, if the place is in it. */
static const VMStateDescription *rebuild(Schema *schema, const VMStateDescription *desc, const FieldPlace *place,
                                         unsigned depth, Change change)
{
    TypeBuilder *b = type_builder_new(schema, desc->name, desc->version, desc->minimum);

    put_fields(b, schema, desc, place, depth, change);
    for (size_t i = 0; i < vms_subsection_count(desc); i++) {
        bool inside = place && depth < place->depth && place->steps[depth] == -1 - (int)i;
        type_builder_subsection(b, rebuild(schema, desc->subsections[i].desc, inside ? place : NULL, depth + 1, change),
                                desc->subsections[i].flags);
    }
    return type_builder_finish(b, NULL);
}

const VMStateDescription *changes_apply(Schema *schema, const VMStateDescription *desc, const FieldPlace *place,
                                        Change change)
{
    const VMStateDescription *d = desc;

    for (unsigned i = 0; i + 1 < place->depth; i++)
        d = place->steps[i] >= 0 ? d->fields[place->steps[i]].desc : d->subsections[-1 - place->steps[i]].desc;
    if (!makes_sense(d, &d->fields[place->steps[place->depth - 1]], change))
        return NULL;
    return rebuild(schema, desc, place, 0, change);
}

/* --- what should be said ---------------------------------------------------------------------------------------- */

/* All values of a scalar field, in all structs that it is in. */
static bool all_fit(const VMStateDescription *desc, const void *state, const FieldPlace *place, unsigned depth,
                    Scalar to)
{
    int step = place->steps[depth];

    if (step < 0) {
        const VMStateSubsection *sub = &desc->subsections[-1 - step];
        return !vms_subsection_needed(sub, state) || all_fit(sub->desc, state, place, depth + 1, to);
    }
    const VMStateField *f = &desc->fields[step];
    const char *data = vms_field_data(f, state);
    for (size_t i = 0; i < vms_field_count_used(f, state); i++) {
        if (depth + 1 < place->depth ? !all_fit(f->desc, data + i * f->size, place, depth + 1, to)
                                     : !scalar_fits(to, scalar_get((Scalar)f->scalar, data + i * f->size)))
            return false;
    }
    return true;
}

/* Is the place in a subsection that no struct of the state has? Then nothing of it is sent. */
static bool is_sent(const VMStateDescription *desc, const void *state, const FieldPlace *place, unsigned depth)
{
    if (depth + 1 >= place->depth)
        return true;
    int step = place->steps[depth];
    if (step < 0) {
        const VMStateSubsection *sub = &desc->subsections[-1 - step];
        return vms_subsection_needed(sub, state) && is_sent(sub->desc, state, place, depth + 1);
    }
    const VMStateField *f = &desc->fields[step];
    const char *data = vms_field_data(f, state);
    for (size_t i = 0; i < vms_field_count_used(f, state); i++)
        if (is_sent(f->desc, data + i * f->size, place, depth + 1))
            return true;
    return false;
}

/* The path of the struct that the field is in, and the field. */
static char *struct_path(const char *title, const VMStateDescription *desc, const FieldPlace *place,
                         const VMStateDescription **inner)
{
    GString *path = g_string_new(title);

    *inner = desc;
    for (unsigned i = 0; i + 1 < place->depth; i++) {
        if (place->steps[i] < 0) {
            *inner = (*inner)->subsections[-1 - place->steps[i]].desc;
            g_string_append_printf(path, ".%s", (*inner)->name);
        } else {
            const VMStateField *f = &(*inner)->fields[place->steps[i]];
            g_string_append_printf(path, ".%s", vms_field_label(*inner, f));
            *inner = f->desc;
        }
    }
    return g_string_free(path, FALSE);
}

Expectation changes_expect(const char *title, const VMStateDescription *desc, const void *state,
                           const FieldPlace *place, Change change)
{
    const VMStateDescription *inner;
    g_autofree char *path = struct_path(title, desc, place, &inner);
    const VMStateField *f = &inner->fields[place->steps[place->depth - 1]];
    const char *label = change == CHANGE_ADD ? "added" : vms_field_label(inner, f);
    bool pad = f->kind == VMS_UNUSED;
    Expectation e = {.findings = 1};

    e.path = g_strdup_printf("%s.%s", path, label);
    if (!is_sent(desc, state, place, 0)) {
        e.findings = 0;
        return e;
    }
    switch (change) {
    case CHANGE_RENAME:
        e.level = pad ? VERDICT_CONVERTIBLE : VERDICT_INCOMPATIBLE;
        e.kinds[0] = pad ? "defaulted" : "missing";
        e.kinds[1] = pad ? "skipped" : "unknown";
        e.findings = 2;
        break;
    case CHANGE_WIDEN:
        e.level = VERDICT_CONVERTIBLE;
        e.kinds[0] = "widened";
        break;
    case CHANGE_NARROW:
    case CHANGE_RESIGN:
        e.level =
            all_fit(desc, state, place, 0, changed_scalar(f, change)) ? VERDICT_CONVERTIBLE : VERDICT_INCOMPATIBLE;
        e.kinds[0] = change == CHANGE_NARROW ? "narrowed" : "sign changed";
        break;
    case CHANGE_REORDER:
        e.level = VERDICT_CONVERTIBLE;
        e.kinds[0] = "reordered";
        break;
    case CHANGE_DROP:
        e.level = pad ? VERDICT_CONVERTIBLE : VERDICT_INCOMPATIBLE;
        e.kinds[0] = pad ? "skipped" : "unknown";
        break;
    case CHANGE_ADD:
        e.level = VERDICT_INCOMPATIBLE;
        e.kinds[0] = "missing";
        break;
    default:
        e.level = VERDICT_INCOMPATIBLE;
        e.kinds[0] = "count";
    }
    return e;
}

static bool is_expected_kind(const Expectation *e, const char *kind)
{
    for (int i = 0; i < 3 && e->kinds[i]; i++)
        if (strcmp(e->kinds[i], kind) == 0)
            return true;
    return false;
}

bool changes_judged_right(const Verdict *v, const Expectation *e, char **why)
{
    bool path = e->findings == 0;

    if (v->level != e->level) {
        *why = g_strdup_printf("%s, should be %s", verdict_level_name(v->level), verdict_level_name(e->level));
        return false;
    }
    if (v->findings->len != e->findings) {
        *why = g_strdup_printf("%u findings, should be %u", v->findings->len, e->findings);
        return false;
    }
    for (guint i = 0; i < v->findings->len; i++) {
        const VerdictFinding *f = g_ptr_array_index(v->findings, i);
        if (!is_expected_kind(e, f->kind)) {
            *why = g_strdup_printf("a finding of kind %s: %s", f->kind, f->text);
            return false;
        }
        path = path || strcmp(f->path, e->path) == 0;
    }
    if (!path)
        *why = g_strdup_printf("path %s, should be %s",
                               ((const VerdictFinding *)g_ptr_array_index(v->findings, 0))->path, e->path);
    return path;
}
