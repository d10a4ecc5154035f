/* zoo.c: a struct with every kind of field there is. */
#include "tests/support/zoo.h"

#include <string.h>

#include "vmstate/state.h"

static const VMStateField cage_fields[] = {
    VMS_FIELD(ZooCage, number),
    VMS_ARRAY(ZooCage, mood),
    VMS_FIELD(ZooCage, open),
    VMS_END,
};

static const VMStateDescription cage_state = {
    .name = "cage",
    .version = 1,
    .minimum = 1,
    .size = sizeof(ZooCage),
    .fields = cage_fields,
};

static const VMStateField base_fields[] = {
    VMS_FIELD(ZooBase, id),
    VMS_BYTES(ZooBase, config),
    VMS_END,
};

static const VMStateDescription base_state = {
    .name = "ZooBase",
    .version = 1,
    .minimum = 1,
    .size = sizeof(ZooBase),
    .fields = base_fields,
};

static bool has_flag(const void *state, int version)
{
    (void)version;
    return ((const Zoo *)state)->flag;
}

static const VMStateField fields[] = {
    VMS_SUB(Zoo, base, &base_state),
    VMS_FIELD(Zoo, flag),
    VMS_FIELD(Zoo, i8),
    VMS_FIELD(Zoo, i16),
    VMS_FIELD(Zoo, i32),
    VMS_FIELD(Zoo, i64),
    VMS_FIELD(Zoo, u8),
    VMS_FIELD(Zoo, u16),
    VMS_FIELD(Zoo, u32),
    VMS_FIELD(Zoo, u64),
    VMS_FIELD(Zoo, f64),
    VMS_BYTES(Zoo, bytes),
    VMS_PAD(6),
    VMS_ARRAY(Zoo, u8s),
    VMS_ARRAY(Zoo, u16s),
    VMS_ARRAY(Zoo, i32s),
    VMS_ARRAY(Zoo, u64s),
    VMS_ARRAY(Zoo, flags),
    VMS_ARRAY(Zoo, f64s),
    VMS_BITS(Zoo, bits, 70),
    VMS_TEXT(Zoo, text),
    VMS_FIELD(Zoo, used),
    VMS_COUNTED(Zoo, fifo, used),
    VMS_FIELD(Zoo, heap_count),
    VMS_POINTED(Zoo, heap, heap_count, 100),
    VMS_SUB(Zoo, cage, &cage_state),
    VMS_SUB_ARRAY(Zoo, cages, &cage_state),
    VMS_FIELD(Zoo, cages_used),
    VMS_SUB_ARRAY(Zoo, counted, &cage_state, VMS_COUNTED_BY(Zoo, cages_used)),
    VMS_FIELD(Zoo, extra, .present = has_flag),
    VMS_FIELD(Zoo, late, .since = 3),
    VMS_END,
};

static const VMStateField moat_fields[] = {
    VMS_FIELD(Zoo, moat_depth),
    VMS_END,
};

static const VMStateDescription moat = {
    .name = "zoo/moat",
    .version = 2,
    .minimum = 1,
    .fields = moat_fields,
};

static const VMStateField flag_fields[] = {
    VMS_FIELD(Zoo, flag_colour),
    VMS_END,
};

static const VMStateDescription flag_on_tower = {
    .name = "zoo/tower/flag",
    .version = 1,
    .minimum = 1,
    .fields = flag_fields,
};

static const VMStateField tower_fields[] = {
    VMS_ARRAY(Zoo, tower),
    VMS_END,
};

static const VMStateSubsection tower_subsections[] = {
    {.desc = &flag_on_tower, .presence = 1 + offsetof(Zoo, has_flag_on_tower)},
    {.desc = NULL},
};

static const VMStateDescription tower = {
    .name = "zoo/tower",
    .version = 1,
    .minimum = 1,
    .fields = tower_fields,
    .subsections = tower_subsections,
};

static const VMStateSubsection subsections[] = {
    {.desc = &moat, .presence = 1 + offsetof(Zoo, has_moat)},
    {.desc = &tower, .presence = 1 + offsetof(Zoo, has_tower)},
    {.desc = NULL},
};

const VMStateDescription zoo_state = {
    .name = "zoo",
    .version = 3,
    .minimum = 2,
    .size = sizeof(Zoo),
    .fields = fields,
    .subsections = subsections,
};

/* --- random states ---------------------------------------------------------------------------------------------- */

static void fill_octets(void *p, size_t len, GRand *rand)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)p)[i] = (uint8_t)g_rand_int(rand);
}

static void fill_scalars(Scalar scalar, void *p, size_t count, GRand *rand)
{
    unsigned width = scalar_width(scalar);

    for (size_t i = 0; i < count; i++) {
        uint8_t *q = (uint8_t *)p + i * width;
        if (scalar == SCALAR_BOOL)
            *q = g_rand_boolean(rand);
        else if (g_rand_int_range(rand, 0, 3) == 0)
            memset(q, g_rand_boolean(rand) ? 0xff : 0, width); /* limits are where mistakes are */
        else
            fill_octets(q, width, rand);
    }
}

/* Is some other field counted by this one? Then it must not say more than there is room for. */
static bool fill_counter(const VMStateDescription *desc, const VMStateField *counter, void *p, GRand *rand)
{
    for (const VMStateField *f = desc->fields; f->name; f++) {
        if (!f->counted_by || strcmp(f->counted_by, counter->name) != 0)
            continue;
        Integer n = {.bits = (uint64_t)g_rand_int_range(rand, 0, (gint32)f->count + 1)};
        scalar_set((Scalar)counter->scalar, p, n);
        return true;
    }
    return false;
}

static void fill_field(const VMStateDescription *desc, const VMStateField *f, void *state, GRand *rand)
{
    char *member = (char *)state + f->offset;
    size_t used = vms_field_count_used(f, state);

    if (f->offset == VMS_NOWHERE)
        return;
    if (f->pointer) {
        *(void **)(void *)member = used ? g_malloc0(used * f->size) : NULL;
        member = *(void **)(void *)member;
    }
    switch (f->kind) {
    case VMS_SCALAR:
        if (vms_is_array(f) || !fill_counter(desc, f, member, rand))
            fill_scalars((Scalar)f->scalar, member, used, rand);
        break;
    case VMS_STRUCT:
        for (size_t i = 0; i < used; i++)
            zoo_fill(f->desc, member + i * f->size, rand);
        break;
    case VMS_BITMAP:
        for (size_t i = 0; i < f->size; i++)
            member[i / 64 * 8 + i % 64 / 8] |= (char)(g_rand_boolean(rand) << (i % 8));
        break;
    case VMS_STRING:
        *(char **)(void *)member = g_strdup_printf("beast %d \xc3\xa4", g_rand_int_range(rand, 0, 1000));
        break;
    case VMS_UNUSED:
        break;
    default:
        fill_octets(member, f->size * f->count, rand);
    }
}

void zoo_fill(const VMStateDescription *desc, void *state, GRand *rand)
{
    for (const VMStateField *f = desc->fields; f->name; f++)
        fill_field(desc, f, state, rand);
    for (size_t i = 0; i < vms_subsection_count(desc); i++) {
        if (desc->subsections[i].presence)
            *((bool *)state + desc->subsections[i].presence - 1) = g_rand_boolean(rand);
        zoo_fill(desc->subsections[i].desc, state, rand);
    }
}
