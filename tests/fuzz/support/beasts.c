/* beasts.c: two structs with every kind of field. Only their descriptions differ: the struct in memory is the same. */
#include "tests/fuzz/support/beasts.h"

#include <glib.h>
#include <string.h>

#include "visitors/qemufile-out.h"
#include "vmstate/state.h"
#include "vmstate/walk.h"

/* The other beast's fields say otherwise than their macros, on purpose. */
#pragma clang diagnostic ignored "-Winitializer-overrides"

enum { NUMBERS_MAX = 1000, LEGS_MAX = 6, STEPS_MAX = 5 };

typedef struct Point {
    int16_t x;
    uint8_t y;
    bool lit;
} Point;

/* One that owns something, and has a subsection inside an array. */
typedef struct Leg {
    uint8_t joints;
    uint16_t angle[4]; /* joints */
    char *name;
    bool broken;
    uint32_t where;
} Leg;

typedef struct Beast {
    Point base;
    bool flag;
    int8_t i8;
    int16_t i16;
    int32_t i32;
    int64_t i64;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    double f64;
    uint8_t octets[9];
    uint8_t blob[12];
    bool flags[3];
    int32_t i32s[3];
    uint64_t u64s[2];
    double f64s[2];
    uint64_t bits[2], few_bits[1];
    char *text;
    uint8_t used;
    uint16_t fifo[8]; /* used */
    int32_t number_count;
    uint32_t *numbers; /* number_count */
    uint16_t *late_numbers;
    Point points[3];
    uint16_t point_count;
    Point *path; /* point_count */
    uint8_t leg_count;
    Leg *legs; /* leg_count */
    Leg spare[2];
    bool has_maybe;
    uint32_t maybe;
    uint8_t if_flag;
    uint8_t pads[4];
    uint32_t packed; /* 24 bits on the wire */
    uint8_t equal;
    int32_t at_most;
    bool has_wings, has_tail;
    uint8_t wings[5];
    uint16_t feathers;
    uint64_t tail;
} Beast;

/* --- what structs need more than data for ------------------------------------------------------------------------ */

static bool flag_is_set(const void *state, int version)
{
    (void)version;
    return ((const Beast *)state)->flag;
}

static bool is_broken(const void *state)
{
    return ((const Leg *)state)->broken;
}

static bool has_feathers(const void *state)
{
    return ((const Beast *)state)->feathers;
}

/* 24 bits, as three octets. */
static void visit_packed(Visitor *v, const VMStateField *f, void *value, size_t count)
{
    uint32_t *number = value;
    uint8_t octets[3] = {(uint8_t)(*number >> 16), (uint8_t)(*number >> 8), (uint8_t)*number};

    (void)count;
    visit_buffer(v, f->name, octets, sizeof octets);
    if (visit_is_load(v) && !visit_failed(v))
        *number = (uint32_t)octets[0] << 16 | (uint32_t)octets[1] << 8 | octets[2];
}

static const VMStateShape packed_shape = {.name = "packed", .visit = visit_packed};

/* --- the parts --------------------------------------------------------------------------------------------------- */

static const VMStateField point_fields[] = {
    VMS_FIELD(Point, x),
    VMS_FIELD(Point, y),
    VMS_FIELD(Point, lit, .since = 2),
    VMS_END,
};

static const VMStateDescription point_state = {
    .name = "point",
    .version = 2,
    .minimum = 1,
    .size = sizeof(Point),
    .fields = point_fields,
};

static const VMStateField break_fields[] = {VMS_FIELD(Leg, where), VMS_END};

static const VMStateDescription break_state = {.name = "leg/break", .version = 1, .fields = break_fields};

static const VMStateSubsection leg_subsections[] = {{.desc = &break_state, .needed = is_broken}, {.desc = NULL}};

static const VMStateField leg_fields[] = {
    VMS_FIELD(Leg, broken), VMS_FIELD(Leg, joints), VMS_COUNTED(Leg, angle, joints), VMS_TEXT(Leg, name), VMS_END,
};

static const VMStateDescription leg_state = {
    .name = "leg",
    .version = 1,
    .size = sizeof(Leg),
    .fields = leg_fields,
    .subsections = leg_subsections,
};

/* --- subsections of the whole ------------------------------------------------------------------------------------ */

static const VMStateField feather_fields[] = {VMS_FIELD(Beast, feathers), VMS_END};

static const VMStateDescription feather_state = {
    .name = "beast/wings/feathers", .version = 1, .fields = feather_fields};

static const VMStateSubsection wing_subsections[] = {{.desc = &feather_state, .needed = has_feathers}, {.desc = NULL}};

static const VMStateField wing_fields[] = {VMS_BYTES(Beast, wings), VMS_END};

static const VMStateDescription wing_state = {
    .name = "beast/wings",
    .version = 3,
    .minimum = 2,
    .fields = wing_fields,
    .subsections = wing_subsections,
};

static const VMStateField tail_fields[] = {VMS_FIELD(Beast, tail), VMS_END};

static const VMStateDescription tail_state = {.name = "beast/tail", .version = 1, .fields = tail_fields};

static const VMStateSubsection beast_subsections[] = {
    {.desc = &wing_state, .presence = 1 + offsetof(Beast, has_wings)},
    {.desc = &tail_state, .presence = 1 + offsetof(Beast, has_tail), .flags = VMS_SKIPPABLE},
    {.desc = NULL},
};

/* --- the beast --------------------------------------------------------------------------------------------------- */

/* An array of structs behind a pointer; there is no macro for it yet. */
#define POINTED_STRUCTS(member, counter_, most, desc_, ...)                                                            \
    {                                                                                                                  \
        .name = #member, .kind = VMS_STRUCT, .array = true, .pointer = true, .offset = offsetof(Beast, member),        \
        .size = sizeof(*VMS_MEMBER(Beast, member)), .count = (most), VMS_COUNTED_BY(Beast, counter_), .desc = (desc_), \
        ##__VA_ARGS__                                                                                                  \
    }

static const VMStateField beast_fields[] = {
    VMS_SUB(Beast, base, &point_state),
    VMS_FIELD(Beast, flag),
    VMS_FIELD(Beast, i8),
    VMS_FIELD(Beast, i16),
    VMS_FIELD(Beast, i32),
    VMS_FIELD(Beast, i64),
    VMS_FIELD(Beast, u8),
    VMS_FIELD(Beast, u16, .label = "sixteen"),
    VMS_FIELD(Beast, u32),
    VMS_FIELD(Beast, u64),
    VMS_FIELD(Beast, f64),
    VMS_ARRAY(Beast, octets),
    VMS_BYTES(Beast, blob),
    VMS_ARRAY(Beast, flags),
    VMS_ARRAY(Beast, i32s),
    VMS_ARRAY(Beast, u64s, .flags = VMS_SKIPPABLE | VMS_DEFAULTABLE),
    VMS_ARRAY(Beast, f64s),
    VMS_BITS(Beast, bits, 128),
    VMS_TEXT(Beast, text),
    VMS_PAD(5),
    VMS_FIELD(Beast, used),
    VMS_COUNTED(Beast, fifo, used),
    VMS_FIELD(Beast, number_count),
    VMS_POINTED(Beast, numbers, number_count, NUMBERS_MAX),
    VMS_POINTED(Beast, late_numbers, number_count, NUMBERS_MAX, .since = 2),
    VMS_SUB_ARRAY(Beast, points, &point_state),
    VMS_FIELD(Beast, point_count),
    POINTED_STRUCTS(path, point_count, STEPS_MAX, &point_state),
    VMS_FIELD(Beast, maybe, .presence = 1 + offsetof(Beast, has_maybe)),
    VMS_FIELD(Beast, if_flag, .present = flag_is_set),
    {.name = "unused", .kind = VMS_UNUSED, .offset = offsetof(Beast, pads), .size = 4, .count = 1},
    VMS_FIELD(Beast, packed, .shape = &packed_shape, .kind = VMS_BUFFER, .size = 3),
    VMS_FIELD(Beast, equal, .rule = VMS_EQUAL),
    VMS_FIELD(Beast, at_most, .rule = VMS_AT_MOST),
    VMS_FIELD(Beast, leg_count),
    POINTED_STRUCTS(legs, leg_count, LEGS_MAX, &leg_state),
    VMS_SUB_ARRAY(Beast, spare, &leg_state),
    VMS_END,
};

const VMStateDescription beast_state = {
    .name = "beast",
    .version = 2,
    .minimum = 1,
    .size = sizeof(Beast),
    .fields = beast_fields,
    .subsections = beast_subsections,
};

/* --- another one ------------------------------------------------------------------------------------------------- */

static const VMStateField pixel_fields[] = {
    VMS_FIELD(Point, y),
    VMS_FIELD(Point, x),
    VMS_FIELD(Point, lit),
    VMS_END,
};

static const VMStateDescription pixel_state = {
    .name = "pixel",
    .version = 2,
    .minimum = 2,
    .size = sizeof(Point),
    .fields = pixel_fields,
};

static const VMStateField other_leg_fields[] = {
    VMS_TEXT(Leg, name),
    VMS_FIELD(Leg, joints),
    VMS_COUNTED(Leg, angle, joints, .count = 3),
    VMS_FIELD(Leg, broken, .flags = VMS_DEFAULTABLE),
    VMS_END,
};

static const VMStateDescription other_leg_state = {
    .name = "leg",
    .version = 1,
    .size = sizeof(Leg),
    .fields = other_leg_fields,
    .subsections = leg_subsections,
};

static const VMStateSubsection other_subsections[] = {
    {.desc = &wing_state, .presence = 1 + offsetof(Beast, has_wings)},
    {.desc = NULL},
};

/* The same members in another order, of other widths, some not there, some that may not be there. */
static const VMStateField other_fields[] = {
    VMS_FIELD(Beast, u64, .name = "u32"),
    VMS_FIELD(Beast, u32, .name = "u64"),
    VMS_FIELD(Beast, i64, .name = "i8"),
    VMS_FIELD(Beast, i8, .name = "i16"),
    VMS_FIELD(Beast, u16, .name = "i64"),
    VMS_FIELD(Beast, i32),
    VMS_FIELD(Beast, u8),
    VMS_FIELD(Beast, i16, .name = "u16"),
    VMS_FIELD(Beast, flag),
    VMS_FIELD(Beast, f64),
    VMS_SUB(Beast, base, &point_state),
    VMS_BYTES(Beast, octets),
    VMS_ARRAY(Beast, blob),
    VMS_FIELD(Beast, number_count),
    VMS_POINTED(Beast, numbers, number_count, 8),
    VMS_POINTED(Beast, late_numbers, number_count, NUMBERS_MAX, .flags = VMS_DEFAULTABLE, .since = 2),
    VMS_FIELD(Beast, used),
    VMS_COUNTED(Beast, fifo, used, .count = 6),
    VMS_ARRAY(Beast, flags),
    VMS_ARRAY(Beast, f64s),
    VMS_ARRAY(Beast, i32s),
    VMS_BITS(Beast, bits, 128),
    VMS_BITS(Beast, few_bits, 7, .flags = VMS_DEFAULTABLE | VMS_SKIPPABLE),
    VMS_TEXT(Beast, text),
    VMS_SUB_ARRAY(Beast, points, &pixel_state),
    VMS_FIELD(Beast, point_count),
    POINTED_STRUCTS(path, point_count, STEPS_MAX, &point_state, .flags = VMS_DEFAULTABLE),
    VMS_FIELD(Beast, leg_count),
    POINTED_STRUCTS(legs, leg_count, LEGS_MAX - 1, &other_leg_state),
    VMS_SUB_ARRAY(Beast, spare, &other_leg_state),
    VMS_FIELD(Beast, maybe, .presence = 1 + offsetof(Beast, has_maybe)),
    VMS_FIELD(Beast, if_flag, .present = flag_is_set, .flags = VMS_SKIPPABLE),
    VMS_FIELD(Beast, packed, .shape = &packed_shape, .kind = VMS_BUFFER, .size = 3),
    VMS_FIELD(Beast, equal),
    VMS_FIELD(Beast, at_most),
    VMS_END,
};

const VMStateDescription other_beast_state = {
    .name = "beast",
    .version = 2,
    .minimum = 1,
    .size = sizeof(Beast),
    .fields = other_fields,
    .subsections = other_subsections,
};

/* --- states ------------------------------------------------------------------------------------------------------ */

void *beast_reset(void)
{
    Beast *b = vms_state_new(&beast_state);

    b->text = g_strdup("reset");
    b->number_count = 2;
    b->numbers = g_new0(uint32_t, 2);
    b->late_numbers = g_new0(uint16_t, 2);
    b->point_count = 2;
    b->path = g_new0(Point, 2);
    b->leg_count = 2;
    b->legs = g_new0(Leg, 2);
    b->legs[0].name = g_strdup("left");
    b->legs[1].name = g_strdup("right");
    b->spare[0].name = g_strdup("spare");
    b->has_maybe = b->has_wings = true;
    b->equal = 7;
    b->at_most = 100;
    return b;
}

void beast_obey(void *state)
{
    Beast *b = state;

    b->equal = 7;
    b->at_most = CLAMP(b->at_most, 0, 100);
}

/* How many subsections the state has, itself and in its parts. */
static unsigned count_subsections(const Beast *b)
{
    unsigned n = b->has_wings + (b->has_wings && b->feathers) + b->has_tail;

    for (unsigned i = 0; i < b->leg_count; i++)
        n += b->legs[i].broken;
    for (unsigned i = 0; i < G_N_ELEMENTS(b->spare); i++)
        n += b->spare[i].broken;
    return n;
}

/* How often something stands there that the look-ahead may take for a subsection. */
static unsigned count_lookalikes(const ByteOut *wire)
{
    static const char *const parents[] = {"beast", "leg", "point", "pixel"};
    unsigned n = 0;

    for (size_t i = 0; i + 2 < wire->len; i++) {
        const uint8_t *p = wire->data + i;
        for (unsigned k = 0; p[0] == 0x05 && k < G_N_ELEMENTS(parents); k++) {
            size_t len = strlen(parents[k]);
            n += p[1] > len && wire->len - i - 2 >= len && memcmp(p + 2, parents[k], len) == 0;
        }
    }
    return n;
}

bool beast_wire_is_plain(const VMStateDescription *desc, const void *state)
{
    ByteOut wire = {0};
    g_autoptr(Visitor) v = qemufile_out_new(&wire, desc->name);

    vmstate_save(v, desc, state);
    /* nor does the wire say whether "maybe" is there: the destination must know, and after reset expects it */
    bool plain = visit_finish(v, NULL) && count_lookalikes(&wire) == count_subsections(state) &&
                 ((const Beast *)state)->has_maybe;
    byte_out_done(&wire);
    return plain;
}
