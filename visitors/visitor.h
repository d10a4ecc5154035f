/*
 * visitor.h: one walk over a value, in one representation and one direction.
 *
 * A visitor saves (takes values from memory and produces something: octets, text) or loads (fills memory). The same
 * sequence of calls serves both, so that what is saved and what is loaded cannot drift apart. Back ends: qemufile-out,
 * qemufile-in, ber-out, ber-in, text-out, json-out, json-in, keyval-in, and trace, which passes calls on to another and
 * records them.
 *
 * Errors stick: after the first, every call returns at once, loads leave memory as it was, and visit_finish hands the
 * error out, with the path of the value it is about. A visitor is used for one value and then freed.
 *
 * `name` is the name of the thing inside its struct; NULL for an element of a list. Names are borrowed until the
 * matching end.
 */
#ifndef VISITORS_VISITOR_H
#define VISITORS_VISITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "visitors/error.h"
#include "visitors/scalar.h"

typedef struct Visitor Visitor;

enum { VISIT_DEPTH_MAX = 64 };

/* A subsection as it was found: its number in the struct's list, or its name; what the format does not tell is -1,
 * NULL. */
typedef struct VisitSubsection {
    int index;
    const char *name; /* borrowed until the next call */
    int64_t version;
} VisitSubsection;

bool visit_is_load(const Visitor *v);
bool visit_failed(const Visitor *v);

/* Is what is loaded perhaps of a later version, so that what nobody here knows is no error? */
bool visit_allows_unknown(const Visitor *v);

/* After the last call: did all go well? Otherwise hands the error out. */
bool visit_finish(Visitor *v, GError **error);

void visit_free(Visitor *v);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Visitor, visit_free)

/* --- nesting ---------------------------------------------------------------------------------------------------- */

void visit_struct_start(Visitor *v, const char *name);
void visit_struct_end(Visitor *v);

/* An array of structs: `count` of them, `elem_size` octets each in memory. Each is a struct without a name. */
void visit_list_start(Visitor *v, const char *name, size_t count, size_t elem_size);
void visit_list_end(Visitor *v);

/*
 * Is the next value there? Save: *present goes to the wire, where that has a place for it. Load: *present is set where
 * the wire tells, and left as the caller expects it otherwise. If it is not there, it is not visited.
 */
void visit_optional(Visitor *v, const char *name, bool *present);

/*
 * Load: the next value must be given. Formats that people write may lack any other, which then keeps what it has in
 * memory; where all values are always there it means nothing.
 */
void visit_require(Visitor *v, const char *name);

/*
 * Subsections follow the fields of their struct, each between a start and an end. Load: visit_subsection_next tells
 * first whether there is another, and which; `parent` is the name of the struct's type, on which the legacy wire's
 * look-ahead rests.
 */
bool visit_subsection_next(Visitor *v, const char *parent, VisitSubsection *found);
void visit_subsection_start(Visitor *v, int index, const char *name, int version);
void visit_subsection_end(Visitor *v);

/*
 * Load, and only by formats whose values can be reached in any order (visit_can_select): the next visit takes the value
 * number `index` of the struct that is open.
 */
bool visit_can_select(const Visitor *v);
void visit_select(Visitor *v, size_t index);

/* Load: what is left of the open struct's values is not wanted; its subsections are. */
void visit_skip_fields(Visitor *v);

/* --- what only formats have whose values say what they are (JSON, keys and values) ------------------------------- */

typedef enum VisitKind {
    VISIT_ABSENT,
    VISIT_NULL,
    VISIT_BOOL,
    VISIT_INTEGER,
    VISIT_NUMBER, /* not a whole one */
    VISIT_STRING,
    VISIT_LIST,
    VISIT_STRUCT,
    VISIT_TEXT, /* a string that may be meant as any of those that are no list and no struct */
} VisitKind;

/* Load: what is there, without taking it. *text (borrowed) is set of strings and of text, else NULL. */
VisitKind visit_peek(Visitor *v, const char *name, const char **text);

/* Load: how many elements a list has that is there, before it is started. Fails if it is no list. */
size_t visit_list_length(Visitor *v, const char *name);

struct json_t;

/* Anything: a tree that load makes (it replaces what *value had: a reference). */
void visit_any(Visitor *v, const char *name, struct json_t **value);

/* Nothing, said by a value. */
void visit_null(Visitor *v, const char *name);

/* --- values: of an element of a list `name` is NULL -------------------------------------------------------------- */

void visit_scalar(Visitor *v, const char *name, Scalar scalar, void *value);

/* An array is one visit. */
void visit_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count);

/* Octets with a meaning of their own. */
void visit_buffer(Visitor *v, const char *name, void *data, size_t len);

/* A pad of the legacy wire. */
void visit_unused(Visitor *v, const char *name, void *data, size_t len);

/* Octets nobody described; `type` says whose they are. */
void visit_octets(Visitor *v, const char *name, const char *type, void *data, size_t len);

/* `bits` bits, bit n being bit n % 64 of word n / 64. */
void visit_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits);

/* UTF-8. On load *text (NULL or g_malloc'd) is replaced by a new string. At most 255 octets on the legacy wire. */
void visit_string(Visitor *v, const char *name, char **text);

static inline void visit_bool(Visitor *v, const char *name, bool *value)
{
    visit_scalar(v, name, SCALAR_BOOL, value);
}

static inline void visit_uint8(Visitor *v, const char *name, uint8_t *value)
{
    visit_scalar(v, name, SCALAR_UINT8, value);
}

static inline void visit_uint16(Visitor *v, const char *name, uint16_t *value)
{
    visit_scalar(v, name, SCALAR_UINT16, value);
}

static inline void visit_uint32(Visitor *v, const char *name, uint32_t *value)
{
    visit_scalar(v, name, SCALAR_UINT32, value);
}

static inline void visit_uint64(Visitor *v, const char *name, uint64_t *value)
{
    visit_scalar(v, name, SCALAR_UINT64, value);
}

static inline void visit_int8(Visitor *v, const char *name, int8_t *value)
{
    visit_scalar(v, name, SCALAR_INT8, value);
}

static inline void visit_int16(Visitor *v, const char *name, int16_t *value)
{
    visit_scalar(v, name, SCALAR_INT16, value);
}

static inline void visit_int32(Visitor *v, const char *name, int32_t *value)
{
    visit_scalar(v, name, SCALAR_INT32, value);
}

static inline void visit_int64(Visitor *v, const char *name, int64_t *value)
{
    visit_scalar(v, name, SCALAR_INT64, value);
}

static inline void visit_float64(Visitor *v, const char *name, double *value)
{
    visit_scalar(v, name, SCALAR_FLOAT64, value);
}

/* --- for callers that find something wrong ---------------------------------------------------------------------- */

/* Where the visitor is: octets from the start of the stream, or -1 where that means nothing. */
int64_t visit_offset(const Visitor *v);

/*
 * Makes the visitor fail, if it has not already: the message gets the path (`name` may be NULL: the struct that is
 * open) and the offset in front.
 */
void visit_fail(Visitor *v, FerryError code, const char *name, const char *format, ...) G_GNUC_PRINTF(4, 5);

/* The path of `name` in what is open, in the short form "section.struct.field[3]". New string. */
char *visit_path(const Visitor *v, const char *name);

#endif
