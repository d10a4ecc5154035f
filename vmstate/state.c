/* state.c: what a description says about a struct in memory. */
#include "vmstate/state.h"

#include <string.h>

bool vms_field_used(const VMStateField *f, const void *state, Integer *used)
{
    *used = (Integer){.bits = f->count};
    if (!f->counted_by)
        return true;
    *used = scalar_get((Scalar)f->counter_scalar, (const char *)state + f->counter);
    return !used->negative && used->bits <= f->count;
}

size_t vms_field_count_used(const VMStateField *f, const void *state)
{
    Integer used;

    return vms_field_used(f, state, &used) ? used.bits : 0;
}

static bool presence_of(size_t presence, const void *state)
{
    return *((const bool *)state + presence - 1);
}

bool vms_field_present(const VMStateField *f, const void *state, int version)
{
    return f->since <= version && (!f->present || f->present(state, version)) &&
           (!f->presence || presence_of(f->presence, state));
}

bool vms_subsection_needed(const VMStateSubsection *sub, const void *state)
{
    return (!sub->needed || sub->needed(state)) && (!sub->presence || presence_of(sub->presence, state));
}

/* Where an element of the field of that name is; NULL if there is none. */
static const char *find_element(const VMStateDescription *desc, const void *state, const char *name, size_t element,
                                const VMStateField **f)
{
    *f = vms_field_find(desc, name, 0, NULL);
    if (!*f || !vms_field_present(*f, state, desc->version) || element >= vms_field_count_used(*f, state))
        return NULL;
    return (const char *)vms_field_data(*f, state) + element * (*f)->size;
}

bool vms_state_get(const VMStateDescription *desc, const void *state, const char *name, size_t element, Integer *value)
{
    const VMStateField *f;
    const char *p = find_element(desc, state, name, element, &f);

    *value = (Integer){.bits = 0};
    if (!p || f->kind != VMS_SCALAR || f->scalar == SCALAR_FLOAT64)
        return false;
    *value = scalar_get((Scalar)f->scalar, p);
    return true;
}

const void *vms_state_struct(const VMStateDescription *desc, const void *state, const char *name, size_t element,
                             const VMStateDescription **sub)
{
    const VMStateField *f;
    const char *p = find_element(desc, state, name, element, &f);

    if (!p || f->kind != VMS_STRUCT)
        return NULL;
    *sub = f->desc;
    return p;
}

/* --- what a struct owns ----------------------------------------------------------------------------------------- */

/* What to do with each pointer in a struct: `member` is where it is, `from` the same in another struct (or NULL). */
typedef void OwnedFn(const VMStateField *f, char *member, const char *from, size_t used);

static void each_owned(const VMStateDescription *desc, void *state, const void *from, OwnedFn *fn)
{
    for (const VMStateField *f = desc->fields; f->name; f++) {
        size_t used;
        if (f->offset == VMS_NOWHERE)
            continue;
        used = vms_field_count_used(f, from ? from : state);
        char *member = (char *)state + f->offset;
        const char *source = from ? (const char *)from + f->offset : NULL;
        if (f->pointer || f->kind == VMS_STRING) {
            fn(f, member, source, used);
        } else if (f->kind == VMS_STRUCT) {
            for (size_t i = 0; i < f->count; i++)
                each_owned(f->desc, member + i * f->size, source ? source + i * f->size : NULL, fn);
        }
    }
    for (const VMStateSubsection *sub = vms_subsections(desc); sub->desc; sub++)
        each_owned(sub->desc, state, from, fn);
}

static void free_owned(const VMStateField *f, char *member, const char *from, size_t used)
{
    char **pointer = (char **)member;

    (void)from;
    if (f->kind == VMS_STRUCT)
        for (size_t i = 0; *pointer && i < used; i++)
            each_owned(f->desc, *pointer + i * f->size, NULL, free_owned);
    g_clear_pointer(pointer, g_free);
}

static void copy_owned(const VMStateField *f, char *member, const char *from, size_t used)
{
    const char *source = *(char *const *)from;
    char **pointer = (char **)member;

    if (f->kind == VMS_STRING) {
        *pointer = g_strdup(source);
        return;
    }
    *pointer = source && used ? g_memdup2(source, used * f->size) : NULL;
    if (f->kind == VMS_STRUCT)
        for (size_t i = 0; *pointer && i < used; i++)
            each_owned(f->desc, *pointer + i * f->size, source + i * f->size, copy_owned);
}

void *vms_state_new(const VMStateDescription *desc)
{
    return g_malloc0(MAX(desc->size, 1));
}

void vms_state_done(const VMStateDescription *desc, void *state)
{
    each_owned(desc, state, NULL, free_owned);
}

void vms_state_free(const VMStateDescription *desc, void *state)
{
    if (!state)
        return;
    vms_state_done(desc, state);
    g_free(state);
}

void vms_state_copy(const VMStateDescription *desc, void *to, const void *from)
{
    memcpy(to, from, desc->size);
    each_owned(desc, to, from, copy_owned);
}

/* --- comparing and measuring ------------------------------------------------------------------------------------ */

static bool field_equal(const VMStateField *f, const void *a, const void *b)
{
    size_t used = vms_field_count_used(f, a);

    if (f->offset == VMS_NOWHERE)
        return true;
    if (used != vms_field_count_used(f, b))
        return false;
    const char *x = vms_field_data(f, a), *y = vms_field_data(f, b);
    if (f->kind == VMS_STRING)
        return g_strcmp0(*(char *const *)x, *(char *const *)y) == 0;
    if (used == 0 || !x || !y)
        return used == 0 || x == y;
    if (f->kind != VMS_STRUCT)
        return memcmp(x, y, f->kind == VMS_BITMAP ? vms_field_wire_size(f) : used * f->size) == 0;
    for (size_t i = 0; i < used; i++)
        if (!vms_state_equal(f->desc, x + i * f->size, y + i * f->size))
            return false;
    return true;
}

bool vms_state_equal(const VMStateDescription *desc, const void *a, const void *b)
{
    for (const VMStateField *f = desc->fields; f->name; f++) {
        bool present = vms_field_present(f, a, desc->version);
        if (present != vms_field_present(f, b, desc->version) || (present && !field_equal(f, a, b)))
            return false;
    }
    for (const VMStateSubsection *sub = vms_subsections(desc); sub->desc; sub++) {
        bool needed = vms_subsection_needed(sub, a);
        if (needed != vms_subsection_needed(sub, b) || (needed && !vms_state_equal(sub->desc, a, b)))
            return false;
    }
    return true;
}

size_t vms_field_state_wire_size(const VMStateField *f, const void *state)
{
    size_t used = vms_field_count_used(f, state), size = 0;

    if (f->kind == VMS_STRING) {
        const char *text = *(char *const *)vms_field_data(f, state);
        return 1 + (text ? strlen(text) : 0);
    }
    if (f->kind != VMS_STRUCT)
        return used * vms_field_wire_size(f);
    const char *elements = vms_field_data(f, state);
    for (size_t i = 0; i < used; i++)
        size += vms_state_wire_size(f->desc, elements + i * f->size);
    return size;
}

size_t vms_state_wire_size(const VMStateDescription *desc, const void *state)
{
    size_t size = 0;

    for (const VMStateField *f = desc->fields; f->name; f++)
        if (vms_field_present(f, state, desc->version))
            size += vms_field_state_wire_size(f, state);
    for (const VMStateSubsection *sub = vms_subsections(desc); sub->desc; sub++) {
        if (vms_subsection_needed(sub, state))
            size += 2 + strlen(sub->desc->name) + 4 + vms_state_wire_size(sub->desc, state);
    }
    return size;
}
