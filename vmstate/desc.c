/* desc.c: questions about descriptions. */
#include "vmstate/desc.h"

#include <string.h>

size_t vms_field_wire_size(const VMStateField *f)
{
    switch (f->kind) {
    case VMS_SCALAR:
        return scalar_width((Scalar)f->scalar);
    case VMS_BITMAP:
        return (f->size + 63) / 64 * 8;
    default:
        return f->size;
    }
}

const char *vms_field_label(const VMStateDescription *desc, const VMStateField *f)
{
    if (f->label)
        return f->label;
    if (f == desc->fields && f->kind == VMS_STRUCT && !vms_is_array(f) && !f->index)
        return f->desc->name;
    return f->name;
}

size_t vms_field_count(const VMStateDescription *desc)
{
    size_t n = 0;

    while (desc->fields[n].name)
        n++;
    return n;
}

size_t vms_subsection_count(const VMStateDescription *desc)
{
    size_t n = 0;

    while (desc->subsections && desc->subsections[n].desc)
        n++;
    return n;
}

const VMStateField *vms_field_find(const VMStateDescription *desc, const char *name, int index, size_t *position)
{
    for (size_t i = 0; desc->fields[i].name; i++) {
        if (desc->fields[i].index == index && strcmp(desc->fields[i].name, name) == 0) {
            if (position)
                *position = i;
            return &desc->fields[i];
        }
    }
    return NULL;
}

/* --- soundness -------------------------------------------------------------------------------------------------- */

static bool unsound(GError **error, const VMStateDescription *desc, const VMStateField *f, const char *what)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "description %s%s%s: %s",
                desc->name ? desc->name : "(no name)", f ? "." : "", f ? f->name : "", what);
    return false;
}

/* Octets the member takes in the struct. */
static size_t member_size(const VMStateField *f)
{
    if (f->pointer)
        return sizeof(void *);
    if (f->kind == VMS_BITMAP)
        return vms_field_wire_size(f);
    return f->size * f->count;
}

static bool check_counter(const VMStateDescription *desc, const VMStateField *f, GError **error)
{
    size_t position;
    const VMStateField *counter = vms_field_find(desc, f->counted_by, 0, &position);

    if (!counter || counter >= f)
        return unsound(error, desc, f, "its counter is not a field in front of it");
    if (counter->offset != f->counter || counter->scalar != f->counter_scalar ||
        !scalar_is_integer((Scalar)counter->scalar))
        return unsound(error, desc, f, "its counter is not the integer field of that name");
    return true;
}

static bool check_desc(const VMStateDescription *desc, size_t struct_size, unsigned depth, GError **error);

static bool check_field(const VMStateDescription *desc, const VMStateField *f, size_t struct_size, unsigned depth,
                        GError **error)
{
    if (vms_field_find(desc, f->name, f->index, NULL) != f && f->kind != VMS_UNUSED)
        return unsound(error, desc, f, "another field has the same name");
    if (strlen(f->name) > VMS_FIELD_NAME_MAX)
        return unsound(error, desc, f, "the name is too long");
    if (f->count > VMS_COUNT_MAX || f->size > VMS_STATE_MAX ||
        (f->offset == VMS_NOWHERE && f->size * f->count > VMS_STATE_MAX))
        return unsound(error, desc, f, "more elements or octets than the format allows");
    if (f->offset != VMS_NOWHERE && (f->offset > struct_size || member_size(f) > struct_size - f->offset))
        return unsound(error, desc, f, "the member is not inside the struct");
    if (f->offset == VMS_NOWHERE && f->kind != VMS_UNUSED)
        return unsound(error, desc, f, "only a pad may be nowhere in memory");
    if (f->kind == VMS_SCALAR && !f->shape && f->size != scalar_width((Scalar)f->scalar))
        return unsound(error, desc, f, "the member is not as wide as the scalar");
    if (!vms_is_array(f) && f->count != 1)
        return unsound(error, desc, f, "a single value has a count");
    if (f->counted_by && !check_counter(desc, f, error))
        return false;
    if (f->since > desc->version)
        return unsound(error, desc, f, "it is newer than the description's version");
    if (f->kind == VMS_STRUCT)
        return check_desc(f->desc, f->size, depth + 1, error);
    return true;
}

static bool check_desc(const VMStateDescription *desc, size_t struct_size, unsigned depth, GError **error)
{
    if (!desc->name || !desc->name[0] || strlen(desc->name) > VMS_NAME_MAX)
        return unsound(error, desc, NULL, "it has no name, or one of more than 255 octets");
    if (depth > VMS_DEPTH_MAX)
        return unsound(error, desc, NULL, "it is nested too deep");
    if (desc->minimum > desc->version)
        return unsound(error, desc, NULL, "its minimum version is above its version");
    for (const VMStateField *f = desc->fields; f->name; f++)
        if (!check_field(desc, f, struct_size, depth, error))
            return false;
    if (vms_field_count(desc) > VMS_FIELDS_MAX || vms_subsection_count(desc) > VMS_SUBSECTIONS_MAX)
        return unsound(error, desc, NULL, "too many fields or subsections");
    for (size_t i = 0; i < vms_subsection_count(desc); i++)
        if (!check_desc(desc->subsections[i].desc, struct_size, depth + 1, error))
            return false;
    return true;
}

bool vms_desc_check(const VMStateDescription *desc, GError **error)
{
    return check_desc(desc, desc->size, 0, error);
}
