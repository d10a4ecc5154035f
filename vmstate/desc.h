/*
 * desc.h: VMStateDescription, constant data that says once what the state of a struct is.
 *
 * One walker (walk.h) drives any visitor over it, in both directions. A description is plain data: the function
 * pointers in it are all optional, so that a tool can build one from a stream of a device it has never seen (see
 * trailer.h, schema.h) and hand it to the same walker.
 *
 *     typedef struct Pit { uint32_t count; uint16_t latch[3]; bool gate; uint8_t mode; } Pit;
 *
 *     static const VMStateField pit_fields[] = {
 *         VMS_FIELD(Pit, count),
 *         VMS_ARRAY(Pit, latch),
 *         VMS_FIELD(Pit, gate, .since = 2),
 *         VMS_FIELD(Pit, mode),
 *         VMS_END
 *     };
 *
 *     const VMStateDescription pit_state = {
 *         .name = "pit", .version = 2, .minimum = 1, .size = sizeof(Pit), .fields = pit_fields,
 *     };
 */
#ifndef VMSTATE_DESC_H
#define VMSTATE_DESC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "visitors/error.h"
#include "visitors/scalar.h"

typedef struct VMStateDescription VMStateDescription;
typedef struct VMStateField VMStateField;
typedef struct VMStateShape VMStateShape;
typedef struct Visitor Visitor;

/* The numbers are those of the ASN.1 type Kind; scalars come first, with the numbers they have in Scalar. */
typedef enum VMStateKind {
    VMS_SCALAR = 0,
    VMS_BUFFER = 10,
    VMS_BITMAP = 11,
    VMS_STRING = 12, /* char *, g_malloc'd or NULL */
    VMS_UNUSED = 13,
    VMS_STRUCT = 14,
    VMS_OCTETS = 15, /* described by nobody */
} VMStateKind;

typedef enum VMStateFlags {
    VMS_OPTIONAL = 1 << 0,    /* may be absent; set by whoever gives a condition */
    VMS_SKIPPABLE = 1 << 1,   /* a destination that does not know it may leave it out */
    VMS_DEFAULTABLE = 1 << 2, /* a stream that lacks it leaves the reset value */
    VMS_LISTED = 1 << 3,      /* array: the JSON description lists the elements one by one */
    VMS_INLINE = 1 << 4,      /* struct: the JSON description has its members in the field itself ("tmp") */
    VMS_FLAGS_WIRE = 0x1f,    /* all of the above: the schema carries them */
    VMS_REQUIRED = 1 << 5,    /* an option that must be given (options.h) */
} VMStateFlags;

/* What a scalar must be, beyond its range. The destination's value is the one in the state before the load. */
typedef enum VMStateRule {
    VMS_ANY,
    VMS_EQUAL,   /* the destination's value */
    VMS_AT_MOST, /* between 0 and the destination's value */
} VMStateRule;

struct VMStateField {
    const char *name;  /* NULL ends a list of fields */
    const char *label; /* what messages call it, where that is not the name */
    const char *type;  /* the legacy stream's name of the type, where it is not the kind's ("timer", "int32 equal") */
    uint8_t kind;      /* VMStateKind */
    uint8_t scalar;    /* Scalar, of VMS_SCALAR */
    uint8_t rule;      /* VMStateRule */
    bool array;        /* an array, be it of one element */
    bool pointer;      /* the member points to the elements: g_malloc'd, owned by the struct, NULL if there are none */
    uint32_t flags;    /* VMStateFlags */
    size_t offset;     /* of the member in the struct */
    size_t size;       /* octets of one element in memory; of a bitmap its bits */
    size_t count;      /* elements of an array; the most there can be, if counted */

    /* The number of elements in use is another field of the struct: where, and which integer. */
    const char *counted_by; /* its name, NULL if all are in use */
    size_t counter;
    uint8_t counter_scalar;

    int since; /* first version of the struct that has the field */
    int index; /* an element of an array whose elements are not alike: its index + 1; 0 otherwise */

    /* Conditions. Any may be left out; with several, all must hold. */
    bool (*present)(const void *state, int version);
    size_t presence; /* offset + 1 of a bool in the struct; 0: none */

    const VMStateDescription *desc; /* of VMS_STRUCT */
    const VMStateShape *shape;      /* another layout on the wire than in memory */
};

typedef struct VMStateSubsection {
    const VMStateDescription *desc;    /* of the same struct; NULL ends a list */
    bool (*needed)(const void *state); /* NULL: as `presence` tells, or always */
    size_t presence;                   /* offset + 1 of a bool in the struct, which a load sets; 0: none */
    uint32_t flags;                    /* VMS_SKIPPABLE */
} VMStateSubsection;

struct VMStateDescription {
    const char *name;
    int version;
    int minimum; /* the oldest version that loads */
    size_t size; /* of the struct in memory; of a subsection 0 */
    const VMStateField *fields;
    const VMStateSubsection *subsections; /* NULL: none */

    /*
     * The hooks of a section, and when there is one. `opaque` is what the section was registered with (section.h).
     * pull: before a save, fetches the state from where it lives. check: judges a loaded copy, before anything is
     * changed. push: makes the loaded state live; what can fail must have been found by check.
     */
    bool (*needed)(const void *state); /* is the section to be saved at all? NULL: always, and a stream must have it */
    bool (*pull)(void *opaque, GError **error);
    bool (*check)(const void *state, GError **error);
    void (*push)(void *opaque);
};

/*
 * A layout on the wire that is not the one in memory. Visits the field's value at `value` (its `count` elements), in
 * the direction of the visitor.
 */
struct VMStateShape {
    const char *name;
    void (*visit)(Visitor *v, const VMStateField *field, void *value, size_t count);
};

/* --- writing descriptions --------------------------------------------------------------------------------------- */

/* The kind of an integer, bool or double member, from its C type. */
#define VMS_SCALAR_OF(lvalue)                                                                                          \
    _Generic((lvalue), bool                                                                                            \
             : SCALAR_BOOL, int8_t                                                                                     \
             : SCALAR_INT8, int16_t                                                                                    \
             : SCALAR_INT16, int32_t                                                                                   \
             : SCALAR_INT32, int64_t                                                                                   \
             : SCALAR_INT64, uint8_t                                                                                   \
             : SCALAR_UINT8, uint16_t                                                                                  \
             : SCALAR_UINT16, uint32_t                                                                                 \
             : SCALAR_UINT32, uint64_t                                                                                 \
             : SCALAR_UINT64, double                                                                                   \
             : SCALAR_FLOAT64)

#define VMS_MEMBER(Struct, member) (((Struct *)0)->member)

/* All of them take more designated initializers: VMS_FIELD(Pit, gate, .since = 2) */

/* A scalar. */
#define VMS_FIELD(Struct, member, ...)                                                                                 \
    {                                                                                                                  \
        .name = #member, .kind = VMS_SCALAR, .scalar = VMS_SCALAR_OF(VMS_MEMBER(Struct, member)),                      \
        .offset = offsetof(Struct, member), .size = sizeof(VMS_MEMBER(Struct, member)), .count = 1, ##__VA_ARGS__      \
    }

/* A fixed array of scalars. */
#define VMS_ARRAY(Struct, member, ...)                                                                                 \
    {                                                                                                                  \
        .name = #member, .kind = VMS_SCALAR, .scalar = VMS_SCALAR_OF(VMS_MEMBER(Struct, member)[0]), .array = true,    \
        .offset = offsetof(Struct, member), .size = sizeof(VMS_MEMBER(Struct, member)[0]),                             \
        .count = sizeof(VMS_MEMBER(Struct, member)) / sizeof(VMS_MEMBER(Struct, member)[0]), ##__VA_ARGS__             \
    }

/* An array of scalars of which the first `counter_` are in use. */
#define VMS_COUNTED(Struct, member, counter_, ...)                                                                     \
    VMS_ARRAY(Struct, member, VMS_COUNTED_BY(Struct, counter_), ##__VA_ARGS__)

/* g_malloc'd scalars, as many as `counter_` says and at most `most`. */
#define VMS_POINTED(Struct, member, counter_, most, ...)                                                               \
    {                                                                                                                  \
        .name = #member, .kind = VMS_SCALAR, .scalar = VMS_SCALAR_OF(VMS_MEMBER(Struct, member)[0]), .array = true,    \
        .pointer = true, .offset = offsetof(Struct, member), .size = sizeof(VMS_MEMBER(Struct, member)[0]),            \
        .count = (most), VMS_COUNTED_BY(Struct, counter_), ##__VA_ARGS__                                               \
    }

#define VMS_COUNTED_BY(Struct, counter_)                                                                               \
    .counted_by = #counter_, .counter = offsetof(Struct, counter_),                                                    \
    .counter_scalar = VMS_SCALAR_OF(VMS_MEMBER(Struct, counter_))

/* Octets. */
#define VMS_BYTES(Struct, member, ...)                                                                                 \
    {                                                                                                                  \
        .name = #member, .kind = VMS_BUFFER, .offset = offsetof(Struct, member),                                       \
        .size = sizeof(VMS_MEMBER(Struct, member)), .count = 1, ##__VA_ARGS__                                          \
    }

/* n bits in an array of uint64_t. */
#define VMS_BITS(Struct, member, n, ...)                                                                               \
    {                                                                                                                  \
        .name = #member, .kind = VMS_BITMAP, .offset = offsetof(Struct, member), .size = (n), .count = 1,              \
        ##__VA_ARGS__                                                                                                  \
    }

/* A char *. */
#define VMS_TEXT(Struct, member, ...)                                                                                  \
    {                                                                                                                  \
        .name = #member, .kind = VMS_STRING, .offset = offsetof(Struct, member), .size = sizeof(char *), .count = 1,   \
        ##__VA_ARGS__                                                                                                  \
    }

/* n octets of the legacy wire without a meaning; not in memory. */
#define VMS_PAD(n, ...)                                                                                                \
    {                                                                                                                  \
        .name = "unused", .kind = VMS_UNUSED, .offset = VMS_NOWHERE, .size = (n), .count = 1, ##__VA_ARGS__            \
    }

/* A struct, and a fixed array of them. */
#define VMS_SUB(Struct, member, desc_, ...)                                                                            \
    {                                                                                                                  \
        .name = #member, .kind = VMS_STRUCT, .offset = offsetof(Struct, member),                                       \
        .size = sizeof(VMS_MEMBER(Struct, member)), .count = 1, .desc = (desc_), ##__VA_ARGS__                         \
    }
#define VMS_SUB_ARRAY(Struct, member, desc_, ...)                                                                      \
    {                                                                                                                  \
        .name = #member, .kind = VMS_STRUCT, .array = true, .offset = offsetof(Struct, member),                        \
        .size = sizeof(VMS_MEMBER(Struct, member)[0]),                                                                 \
        .count = sizeof(VMS_MEMBER(Struct, member)) / sizeof(VMS_MEMBER(Struct, member)[0]), .desc = (desc_),          \
        ##__VA_ARGS__                                                                                                  \
    }

#define VMS_END                                                                                                        \
    {                                                                                                                  \
        .name = NULL                                                                                                   \
    }

/* The offset of what is on the wire only. */
#define VMS_NOWHERE SIZE_MAX

/* --- reading them ----------------------------------------------------------------------------------------------- */

/* Limits (vmstate/FORMAT.md section 4). */
enum {
    VMS_COUNT_MAX = 1 << 24,
    VMS_STATE_MAX = 64 << 20,
    VMS_FIELDS_MAX = 65536,
    VMS_SUBSECTIONS_MAX = 256,
    VMS_DEPTH_MAX = 32,
    VMS_NAME_MAX = 255,
    VMS_FIELD_NAME_MAX = 1023,
    VMS_PATH_MAX = 1023,      /* names of a field and of the structs that it is in */
    VMS_VISITS_MAX = 1 << 18, /* of a section: each struct and each field in it, those of every element of an array */
};

static inline bool vms_is_array(const VMStateField *f)
{
    return f->array;
}

/* Octets of one element on the legacy wire, of all kinds but struct and string. */
size_t vms_field_wire_size(const VMStateField *f);

/* Is there a condition on it, other than a version? */
static inline bool vms_is_optional(const VMStateField *f)
{
    return f->present || f->presence || (f->flags & VMS_OPTIONAL);
}

/* What messages and dumps call a field: its label, the type's name if it is the base, or its name. */
const char *vms_field_label(const VMStateDescription *desc, const VMStateField *f);

/* Fields and subsections of a description, counted. */
size_t vms_field_count(const VMStateDescription *desc);
size_t vms_subsection_count(const VMStateDescription *desc);

/* Its subsections, up to one without a description: for loops. */
static inline const VMStateSubsection *vms_subsections(const VMStateDescription *desc)
{
    static const VMStateSubsection none[1] = {{.desc = NULL}};

    return desc->subsections ? desc->subsections : none;
}

/* The field of that name (and index), or NULL; *position gets its number. Takes as long as there are fields. */
const VMStateField *vms_field_find(const VMStateDescription *desc, const char *name, int index, size_t *position);

/*
 * Is the description sound: names there and unique, members inside the struct, counters in front of what they count,
 * sizes and nesting within the limits? For tests of constant descriptions; what is built from a stream is checked while
 * it is built.
 */
bool vms_desc_check(const VMStateDescription *desc, GError **error);

#endif
