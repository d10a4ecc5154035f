/*
 * walk.c: the one walker.
 *
 * Save and load share the code that turns a field into visits, so that they cannot differ. Loading by name goes
 * through the destination's fields in the destination's order (a counter comes before what it counts there) and
 * selects the stream's value for each.
 */
#include "vmstate/walk.h"

#include <string.h>

#include "vmstate/match.h"
#include "vmstate/state.h"

/* Plans made during one load, by the pair of descriptions. */
typedef struct Walk {
    Visitor *v;
    GHashTable *plans;
} Walk;

static void load_struct(Walk *w, const VMStateDescription *desc, void *state, int version,
                        const VMStateDescription *stream);
static void save_struct(Visitor *v, const VMStateDescription *desc, void *state);

/* --- one field -------------------------------------------------------------------------------------------------- */

/* How many elements to visit; a counter that is out of range fails the visitor. */
static bool used_elements(Visitor *v, const VMStateDescription *desc, const VMStateField *f, const void *state,
                          size_t *used)
{
    Integer n;

    if (!vms_field_used(f, state, &n)) {
        visit_fail(v, FERRY_ERROR_DAMAGED, vms_field_label(desc, f),
                   "%s says %" G_GINT64_FORMAT " elements, there is room for %zu", f->counted_by, (gint64)n.bits,
                   f->count);
        return false;
    }
    *used = n.bits;
    return true;
}

static void visit_structs(Walk *w, Visitor *v, const char *label, const VMStateField *f, char *data, size_t used,
                          const VMStateField *from)
{
    bool list = vms_is_array(f);

    if (list)
        visit_list_start(v, label, used, f->size);
    for (size_t i = 0; i < used && !visit_failed(v); i++) {
        visit_struct_start(v, list ? NULL : label);
        if (w)
            load_struct(w, f->desc, data + i * f->size, from ? from->desc->version : f->desc->version,
                        from ? from->desc : NULL);
        else
            save_struct(v, f->desc, data + i * f->size);
        visit_struct_end(v);
    }
    if (list)
        visit_list_end(v);
}

static void visit_pad(Visitor *v, const char *label, const VMStateField *f, char *data, size_t octets)
{
    g_autofree uint8_t *nowhere = NULL;

    if (f->offset == VMS_NOWHERE)
        data = (char *)(nowhere = g_malloc0(octets));
    visit_unused(v, label, data, octets);
}

/* Both directions. w: NULL on save. from: the stream's field, if it is known. */
static void visit_field(Walk *w, Visitor *v, const VMStateDescription *desc, const VMStateField *f, void *state,
                        const VMStateField *from)
{
    const char *label = vms_field_label(desc, f);
    char *data = f->offset == VMS_NOWHERE ? NULL : vms_field_data(f, state);
    size_t used;

    if (!used_elements(v, desc, f, state, &used))
        return;
    if (f->shape) {
        f->shape->visit(v, f, data, used);
        return;
    }
    switch (f->kind) {
    case VMS_SCALAR:
        if (vms_is_array(f))
            visit_array(v, label, (Scalar)f->scalar, data, used);
        else
            visit_scalar(v, label, (Scalar)f->scalar, data);
        break;
    case VMS_STRUCT:
        visit_structs(w, v, label, f, data, used, from);
        break;
    case VMS_BUFFER:
        visit_buffer(v, label, data, used * f->size);
        break;
    case VMS_BITMAP:
        visit_bitmap(v, label, (uint64_t *)(void *)data, f->size);
        break;
    case VMS_STRING:
        visit_string(v, label, (char **)(void *)data);
        break;
    case VMS_UNUSED:
        visit_pad(v, label, f, data, used * f->size);
        break;
    default:
        visit_octets(v, label, f->type ? f->type : "nobody", data, used * f->size);
    }
}

/* --- save ------------------------------------------------------------------------------------------------------- */

static void save_struct(Visitor *v, const VMStateDescription *desc, void *state)
{
    for (const VMStateField *f = desc->fields; f->name && !visit_failed(v); f++) {
        bool present = vms_field_present(f, state, desc->version);
        if (vms_is_optional(f))
            visit_optional(v, vms_field_label(desc, f), &present);
        if (present)
            visit_field(NULL, v, desc, f, state, NULL);
    }
    for (const VMStateSubsection *sub = vms_subsections(desc); sub->desc && !visit_failed(v); sub++) {
        if (!vms_subsection_needed(sub, state))
            continue;
        visit_subsection_start(v, (int)(sub - desc->subsections), sub->desc->name, sub->desc->version);
        save_struct(v, sub->desc, state);
        visit_subsection_end(v);
    }
}

void vmstate_save(Visitor *v, const VMStateDescription *desc, const void *state)
{
    visit_struct_start(v, NULL);
    save_struct(v, desc, (void *)state);
    visit_struct_end(v);
}

/* --- load ------------------------------------------------------------------------------------------------------- */

static const VmsPlan *plan_for(Walk *w, const VMStateDescription *to, const VMStateDescription *from)
{
    GHashTable *by_stream = g_hash_table_lookup(w->plans, to);

    if (!by_stream) {
        by_stream = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)vms_plan_free);
        g_hash_table_insert(w->plans, (void *)to, by_stream);
    }
    VmsPlan *plan = g_hash_table_lookup(by_stream, from);
    if (!plan) {
        plan = vms_plan_new(to, from);
        g_hash_table_insert(by_stream, (void *)from, plan);
    }
    return plan;
}

static bool version_ok(Visitor *v, const VMStateDescription *desc, int64_t version)
{
    if (version > desc->version)
        visit_fail(v, FERRY_ERROR_MISMATCH, NULL,
                   "the stream has version %" G_GINT64_FORMAT ", the destination only knows up to %d", (gint64)version,
                   desc->version);
    else if (version < desc->minimum)
        visit_fail(v, FERRY_ERROR_MISMATCH, NULL,
                   "the stream has version %" G_GINT64_FORMAT ", the destination needs at least %d", (gint64)version,
                   desc->minimum);
    return !visit_failed(v);
}

/* A scalar that must have, or not exceed, the value the destination had before. */
static void check_rule(Visitor *v, const VMStateDescription *desc, const VMStateField *f, const void *state,
                       Integer before)
{
    Integer now = scalar_get((Scalar)f->scalar, (const char *)state + f->offset);

    if (f->rule == VMS_EQUAL && now.bits != before.bits)
        visit_fail(v, FERRY_ERROR_MISMATCH, vms_field_label(desc, f),
                   "the stream has %" G_GINT64_FORMAT ", the destination %" G_GINT64_FORMAT, (gint64)now.bits,
                   (gint64)before.bits);
    if (f->rule == VMS_AT_MOST && (now.negative || (int64_t)now.bits > (int64_t)before.bits))
        visit_fail(v, FERRY_ERROR_MISMATCH, vms_field_label(desc, f),
                   "the stream has %" G_GINT64_FORMAT ", the destination takes 0 to %" G_GINT64_FORMAT,
                   (gint64)now.bits, (gint64)before.bits);
}

static char **pointer_member(const VMStateField *f, void *state)
{
    return (char **)(void *)((char *)state + f->offset);
}

/* Zeroed room for the elements behind a pointer that was detached, as many as the counter says. */
static bool allocate_elements(Visitor *v, const VMStateDescription *desc, const VMStateField *f, void *state)
{
    size_t used;

    if (!used_elements(v, desc, f, state, &used))
        return false;
    if (used * f->size > VMS_STATE_MAX) {
        visit_fail(v, FERRY_ERROR_LIMIT, vms_field_label(desc, f), "%zu elements of %zu octets are more than 64 MiB",
                   used, f->size);
        return false;
    }
    *pointer_member(f, state) = used ? g_malloc0(used * f->size) : NULL;
    return true;
}

static void load_field(Walk *w, const VMStateDescription *desc, const VMStateField *f, void *state,
                       const VMStateField *from)
{
    Integer before = {0};

    if (f->pointer && !allocate_elements(w->v, desc, f, state))
        return;
    if (f->rule)
        before = scalar_get((Scalar)f->scalar, (const char *)state + f->offset);
    visit_field(w, w->v, desc, f, state, from);
    if (f->rule && !visit_failed(w->v))
        check_rule(w->v, desc, f, state, before);
}

/* Is the field there? Asks the wire where it can tell, and remembers the answer where the struct has room for it. */
static bool ask_present(Visitor *v, const VMStateDescription *desc, const VMStateField *f, void *state, int version)
{
    bool present = vms_field_present(f, state, version);

    if (f->since > version)
        return false;
    if (f->flags & VMS_REQUIRED)
        visit_require(v, vms_field_label(desc, f));
    if (vms_is_optional(f))
        visit_optional(v, vms_field_label(desc, f), &present);
    if (f->presence)
        *((bool *)state + f->presence - 1) = present;
    return present;
}

static void load_by_position(Walk *w, const VMStateDescription *desc, void *state, int version)
{
    for (const VMStateField *f = desc->fields; f->name && !visit_failed(w->v); f++)
        if (ask_present(w->v, desc, f, state, version))
            load_field(w, desc, f, state, NULL);
}

/* One of the destination's fields from the value that the stream has for it. */
static void load_matched(Walk *w, const VMStateDescription *desc, const VMStateField *f, void *state, int version,
                         const VMStateField *from, size_t position)
{
    g_autofree char *why = NULL;
    bool present = true;

    if (vms_match_field(f, from, &why) == VMS_MATCH_INCOMPATIBLE) {
        visit_fail(w->v, FERRY_ERROR_MISMATCH, vms_field_label(desc, f), "%s", why);
        return;
    }
    visit_select(w->v, position);
    if (vms_is_optional(from))
        visit_optional(w->v, vms_field_label(desc, f), &present);
    if (f->presence)
        *((bool *)state + f->presence - 1) = present;
    if (present)
        load_field(w, desc, f, state, from);
    else if (!vms_may_be_missing(f, version))
        visit_fail(w->v, FERRY_ERROR_MISMATCH, vms_field_label(desc, f),
                   "the stream leaves it out, the destination needs it");
}

static void load_by_name(Walk *w, const VMStateDescription *desc, void *state, int version,
                         const VMStateDescription *stream)
{
    const VmsPlan *plan = plan_for(w, desc, stream);

    for (size_t i = 0; desc->fields[i].name && !visit_failed(w->v); i++) {
        const VMStateField *f = &desc->fields[i];
        int position = plan->from_of[i];
        if (position != VMS_NO_FIELD) {
            load_matched(w, desc, f, state, version, &stream->fields[position], (size_t)position);
        } else if (!vms_may_be_missing(f, version)) {
            visit_fail(w->v, FERRY_ERROR_MISMATCH, vms_field_label(desc, f),
                       "the destination needs it, the stream does not have it");
        } else if (f->presence) {
            *((bool *)state + f->presence - 1) = false;
        }
    }
    for (size_t i = 0; i < plan->wanted_count && !visit_failed(w->v); i++)
        if (!plan->wanted[i] && !vms_may_be_skipped(&stream->fields[i]))
            visit_fail(w->v, FERRY_ERROR_MISMATCH, vms_field_label(stream, &stream->fields[i]),
                       "the stream has it, the destination does not know it");
    visit_skip_fields(w->v);
}

/* Which of the destination's subsections was found; VMS_NO_FIELD: none, and it is skipped or the visitor has failed. */
static int resolve_subsection(Visitor *v, const VMStateDescription *desc, const VMStateDescription *stream,
                              VisitSubsection *found)
{
    if (found->index >= 0 && stream) {
        if ((size_t)found->index >= vms_subsection_count(stream)) {
            visit_fail(v, FERRY_ERROR_DAMAGED, NULL, "subsection number %d, the schema has %zu", found->index,
                       vms_subsection_count(stream));
            return VMS_NO_FIELD;
        }
        found->name = stream->subsections[found->index].desc->name;
        found->version = stream->subsections[found->index].desc->version;
    } else if (found->index >= 0) {
        if ((size_t)found->index >= vms_subsection_count(desc)) {
            visit_fail(v, FERRY_ERROR_DAMAGED, NULL, "subsection number %d, there are %zu", found->index,
                       vms_subsection_count(desc));
            return VMS_NO_FIELD;
        }
        found->name = desc->subsections[found->index].desc->name;
        found->version = desc->subsections[found->index].desc->version;
    }
    int index = vms_subsection_find(desc, found->name);
    if (index == VMS_NO_FIELD && (!stream || !(stream->subsections[found->index].flags & VMS_SKIPPABLE)))
        visit_fail(v, FERRY_ERROR_MISMATCH, found->name,
                   "the stream has this subsection, the destination does not know it");
    return index;
}

/* A struct that nobody here wants. */
static void skip_struct(Visitor *v)
{
    VisitSubsection found;

    visit_skip_fields(v);
    while (visit_subsection_next(v, "", &found)) {
        visit_subsection_start(v, found.index, "skipped", 0);
        skip_struct(v);
        visit_subsection_end(v);
    }
}

static void load_subsection(Walk *w, const VMStateDescription *desc, void *state, const VMStateDescription *stream,
                            const VisitSubsection *found, int index)
{
    if (index == VMS_NO_FIELD) {
        visit_subsection_start(w->v, found->index, found->name, (int)found->version);
        skip_struct(w->v);
        visit_subsection_end(w->v);
        return;
    }
    const VMStateSubsection *sub = &desc->subsections[index];
    visit_subsection_start(w->v, found->index, sub->desc->name, (int)found->version);
    if (version_ok(w->v, sub->desc, found->version))
        load_struct(w, sub->desc, state, (int)found->version, stream ? stream->subsections[found->index].desc : NULL);
    visit_subsection_end(w->v);
    if (sub->presence && !visit_failed(w->v))
        *((bool *)state + sub->presence - 1) = true;
}

static void load_subsections(Walk *w, const VMStateDescription *desc, void *state, const VMStateDescription *stream)
{
    bool seen[VMS_SUBSECTIONS_MAX] = {false};
    VisitSubsection found;

    for (const VMStateSubsection *sub = vms_subsections(desc); sub->desc; sub++)
        if (sub->presence)
            *((bool *)state + sub->presence - 1) = false;
    while (visit_subsection_next(w->v, desc->name, &found)) {
        int index = resolve_subsection(w->v, desc, stream, &found);
        if (visit_failed(w->v))
            return;
        if (index != VMS_NO_FIELD && seen[index]) {
            visit_fail(w->v, FERRY_ERROR_DAMAGED, found.name, "the subsection is there twice");
            return;
        }
        if (index != VMS_NO_FIELD)
            seen[index] = true;
        load_subsection(w, desc, state, stream, &found, index);
    }
}

/*
 * The elements that a pointer had before its struct was loaded. A counter is loaded earlier than what it counts, and
 * the load may never come to that: the stream lacks it, or is wrong in between. Nobody could then tell how many there
 * are.
 */
typedef struct Detached {
    char *elements; /* owned */
    size_t count;
} Detached;

/* Takes the elements out of the struct, one Detached for each field; NULL if no field is a pointer. */
static Detached *detach_elements(const VMStateDescription *desc, void *state)
{
    Detached *all = NULL;

    for (size_t i = 0; desc->fields[i].name; i++) {
        const VMStateField *f = &desc->fields[i];
        if (!f->pointer)
            continue;
        if (!all)
            all = g_new0(Detached, vms_field_count(desc));
        all[i].elements = g_steal_pointer(pointer_member(f, state));
        all[i].count = all[i].elements ? vms_field_count_used(f, state) : 0;
    }
    return all;
}

/* A pointer that was not loaded gets its elements back: as many as its counter says now, new ones zeroed. */
static void attach_elements(Visitor *v, const VMStateDescription *desc, const VMStateField *f, void *state,
                            const Detached *old)
{
    char **member = pointer_member(f, state);
    size_t back = 0;

    if (!*member && allocate_elements(v, desc, f, state) && *member) {
        back = MIN(old->count, vms_field_count_used(f, state));
        if (back)
            memcpy(*member, old->elements, back * f->size);
    }
    for (size_t i = back; f->kind == VMS_STRUCT && i < old->count; i++)
        vms_state_done(f->desc, old->elements + i * f->size);
    g_free(old->elements);
}

static void load_struct(Walk *w, const VMStateDescription *desc, void *state, int version,
                        const VMStateDescription *stream)
{
    g_autofree Detached *detached = detach_elements(desc, state);

    if (stream)
        load_by_name(w, desc, state, version, stream);
    else
        load_by_position(w, desc, state, version);
    for (size_t i = 0; detached && desc->fields[i].name; i++)
        if (desc->fields[i].pointer)
            attach_elements(w->v, desc, &desc->fields[i], state, &detached[i]);
    if (!visit_failed(w->v))
        load_subsections(w, desc, state, stream);
}

void vmstate_load(Visitor *v, const VMStateDescription *desc, void *state, int version,
                  const VMStateDescription *stream)
{
    Walk w = {.v = v};

    w.plans = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)g_hash_table_unref);
    visit_struct_start(v, NULL);
    if (version_ok(v, desc, version))
        load_struct(&w, desc, state, version, visit_can_select(v) ? stream : NULL);
    visit_struct_end(v);
    g_hash_table_unref(w.plans);
}
