/* trailer-type.c: the names that QEMU's description has for types. Source: the descriptions in traces/. */
#include "vmstate/trailer-type.h"

#include <glib.h>
#include <string.h>

/* Types that are scalars by another name; with `count`, so many of them. */
static const struct {
    const char *name;
    Scalar scalar;
    size_t count;
} aliases[] = {
    {"int32 equal", SCALAR_INT32, 0},    {"int32 le", SCALAR_INT32, 0},      {"int64 equal", SCALAR_INT64, 0},
    {"uint8 equal", SCALAR_UINT8, 0},    {"uint16 equal", SCALAR_UINT16, 0}, {"uint32 equal", SCALAR_UINT32, 0},
    {"uint64 equal", SCALAR_UINT64, 0},  {"timer", SCALAR_INT64, 0},         {"CPU_Double_U", SCALAR_FLOAT64, 0},
    {"pci irq state", SCALAR_UINT32, 4},
};

static const struct {
    const char *name;
    VMStateKind kind;
} kinds[] = {
    {"buffer", VMS_BUFFER},
    {"unused_buffer", VMS_UNUSED},
    {"pci config", VMS_BUFFER},
    {"msix state", VMS_BUFFER},
};

static void as_scalar(VMStateField *f, Scalar scalar)
{
    f->kind = VMS_SCALAR;
    f->scalar = (uint8_t)scalar;
    f->size = scalar_width(scalar);
}

void trailer_type_read(const char *type, size_t size, VMStateField *f)
{
    Scalar scalar = scalar_by_name(type);

    if (scalar != SCALAR_COUNT && scalar_width(scalar) == size) {
        as_scalar(f, scalar);
        return;
    }
    f->type = type;
    for (size_t i = 0; i < G_N_ELEMENTS(aliases); i++) {
        size_t count = MAX(aliases[i].count, 1);
        if (strcmp(aliases[i].name, type) != 0 || scalar_width(aliases[i].scalar) * count != size)
            continue;
        if (aliases[i].count && vms_is_array(f))
            continue;
        as_scalar(f, aliases[i].scalar);
        if (aliases[i].count) {
            f->count = count;
            f->array = true;
        }
        return;
    }
    f->kind = VMS_OCTETS;
    f->size = size;
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (strcmp(kinds[i].name, type) == 0)
            f->kind = (uint8_t)kinds[i].kind;
    if (strcmp(type, "bitmap") == 0 && size % 8 == 0 && !vms_is_array(f)) {
        f->kind = VMS_BITMAP;
        f->size = size * 8;
    }
    if ((f->kind == VMS_BUFFER && strcmp(type, "buffer") == 0) || f->kind == VMS_UNUSED || f->kind == VMS_BITMAP)
        f->type = NULL;
}

const char *trailer_type_name(const VMStateField *f)
{
    if (f->type)
        return f->type;
    switch (f->kind) {
    case VMS_SCALAR:
        return scalar_name((Scalar)f->scalar);
    case VMS_STRUCT:
        return f->flags & VMS_INLINE ? "tmp" : "struct";
    case VMS_UNUSED:
        return "unused_buffer";
    case VMS_BITMAP:
        return "bitmap";
    default:
        return "buffer";
    }
}

bool trailer_type_is_whole(const VMStateField *f)
{
    for (size_t i = 0; f->type && i < G_N_ELEMENTS(aliases); i++)
        if (aliases[i].count && strcmp(aliases[i].name, f->type) == 0)
            return true;
    return false;
}
