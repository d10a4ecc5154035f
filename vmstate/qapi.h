/*
 * qapi.h: QMP's types as constant data, and values of them.
 *
 * What a command takes and gives, what an event carries and what an option has is described once, in the QAPI language
 * (emu/qmp/schema/). tools/qapi-gen makes C types of it, and for each of them a QapiType, which is data. One walk
 * drives any visitor over a value, in both directions: JSON of a monitor, keys of a command line, text for people. The
 * rest (to free, to copy, to explain to people) rests on the same data.
 *
 *     { 'enum': 'RunState', 'data': [ 'paused', 'running' ] }
 *     { 'struct': 'StatusInfo', 'data': { 'running': 'bool', 'status': 'RunState', '*since': 'int' } }
 *
 *     typedef enum QmpRunState { QMP_RUN_STATE_PAUSED, QMP_RUN_STATE_RUNNING, QMP_RUN_STATE__MAX } QmpRunState;
 *     typedef struct QmpStatusInfo { bool running; QmpRunState status; bool has_since; int64_t since; } QmpStatusInfo;
 *     extern const QapiType qmp_type_StatusInfo;
 *
 * How types look in C:
 *   int, int8 ... int64, uint8 ... uint64, size    int64_t, intN_t, uintN_t, uint64_t
 *   number, bool, str, null, any                   double, bool, char *, QapiNull, json_t * (one reference)
 *   enum                                           the enum
 *   struct, union, alternate                       a pointer to it, never NULL if it must be given
 *   [ 'T' ]                                        QmpTList: { size_t count; T *items; }, with T as it is here
 * A member that may be missing and is no pointer has a bool has_NAME in front of it; one that is a pointer is NULL.
 * A value owns all that it points to (g_malloc).
 */
#ifndef VMSTATE_QAPI_H
#define VMSTATE_QAPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "visitors/error.h"
#include "visitors/scalar.h"

struct json_t;
typedef struct Visitor Visitor;
typedef struct JsonWrite JsonWrite;
typedef struct QapiType QapiType;

typedef enum QapiKind {
    QAPI_SCALAR, /* integers, bool, number: as `scalar` says */
    QAPI_STRING,
    QAPI_ENUM,
    QAPI_NULL,
    QAPI_ANY,
    QAPI_LIST,
    QAPI_STRUCT,
    QAPI_UNION,
    QAPI_ALTERNATE,
} QapiKind;

typedef enum QapiNull { QAPI_IS_NULL } QapiNull;

/* What every list looks like. */
typedef struct QapiList {
    size_t count;
    void *items;
} QapiList;

typedef struct QapiMember {
    const char *name; /* NULL ends them */
    const QapiType *type;
    size_t offset;   /* of the value in the struct */
    size_t presence; /* offset + 1 of has_NAME; 0: there is none */
    bool optional;
    const char *const *features; /* NULL: none; NULL ends them */
    const char *about;           /* what its doc comment says, in one line */
} QapiMember;

struct QapiType {
    const char *name; /* as the schema has it; of a list "[T]" */
    QapiKind kind;
    uint8_t scalar; /* Scalar */
    bool octets;    /* 'size': text may have a unit ("4G") */
    size_t size;    /* octets of what the C type is: of a struct, not of the pointer to it */

    const QapiMember *members; /* of a struct, a union (its common ones), an alternate (one for each kind of JSON) */
    const char *const *names;  /* of an enum: as many as it has values, then NULL */
    const char *const *abouts; /* what their doc comments say */
    const QapiType *element;   /* of a list */

    /* A union: which member is the tag, and for each of its values the struct that follows (NULL: none). An alternate:
     * `tag` is the offset of an int that is the number of the member which the value is. */
    size_t tag; /* of a union: the offset of the enum */
    const QapiType *tag_type;
    const QapiType *const *variants; /* one more than the tag has values: NULL */
    size_t variant;                  /* the offset of the pointer to the variant's struct */

    const char *const *features;
    const char *about;
};

/* --- values ------------------------------------------------------------------------------------------------------ */

/*
 * `value` is where a member of that type would be: of a struct the pointer to it. Loads make what they point to and
 * fill it; if they fail nothing is left of it. NULL is loaded as nothing. Errors of the visitor stick.
 */
void qapi_visit(Visitor *v, const char *name, const QapiType *type, void *value);

/* Frees what the value owns, and makes it zeros. */
void qapi_clear(const QapiType *type, void *value);

/* A struct, union or alternate, and what it owns; NULL is nothing. */
void qapi_free(const QapiType *type, void *object);

/* A new one like it. */
void *qapi_copy(const QapiType *type, const void *object);

/*
 * Adds to a struct what another one of its type has: lists get longer, structs in it get more members, all else is
 * replaced.
 */
void qapi_merge(const QapiType *type, void *object, const void *more);

/*
 * From JSON, and from keys and values (visitors/keyval-in.h), where text may stand for a struct whose first member it
 * is. `root` starts the path of errors.
 */
bool qapi_from_json(const QapiType *type, void *value, struct json_t *json, const char *root, GError **error);
bool qapi_from_text(const QapiType *type, void *value, const char *text, const char *implied, const char *root,
                    GError **error);

/* From the tree that keyval_tree has made of the text, which it takes. */
bool qapi_from_tree(const QapiType *type, void *value, struct json_t *tree, const char *root, GError **error);

/*
 * From JSON of what a server has said, which may be a later one: what nobody here knows is no error. Members are left
 * out; a word that an enum does not have is its count (QMP_NAME__MAX), which has no name and cannot be said; of a union
 * whose tag that is there are the common members only.
 */
bool qapi_from_reply(const QapiType *type, void *value, struct json_t *json, const char *root, GError **error);

/* To JSON: as a tree (new), or as the next member of what is written (`key` NULL: an element). */
struct json_t *qapi_to_json(const QapiType *type, const void *value);
void qapi_write(JsonWrite *json, const char *key, const QapiType *type, const void *value);

/*
 * Two lines for each member: its key, also of structs in it, and what it takes; and what it is about. Of a union
 * `variant` chooses one; -1: all. New string.
 */
char *qapi_help(const QapiType *type, int variant);

/* What a type takes, for people: "a whole number", "one of: a, b". New string. */
char *qapi_takes_text(const QapiType *type);

/* The number of a name of an enum; -1: it has no such name. */
int qapi_enum_find(const QapiType *type, const char *name);

/* --- commands and events ----------------------------------------------------------------------------------------- */

typedef enum QapiCommandFlags {
    QAPI_ALLOW_OOB = 1 << 0,
    QAPI_ALLOW_PRECONFIG = 1 << 1,
    QAPI_NO_REPLY = 1 << 2, /* 'success-response': false */
} QapiCommandFlags;

/*
 * Does a command. `context` is the server's; `arguments` a struct of the type (NULL: it takes none); `result` is where
 * the result goes, as a member of its type would be.
 */
typedef bool QapiRun(void *context, const void *arguments, void *result, GError **error);

typedef struct QapiCommand {
    const char *name;          /* NULL ends them; they are in the order of strcmp */
    const QapiType *arguments; /* a struct or union; NULL: none; QAPI_ANY: any object, not looked at */
    const QapiType *result;    /* NULL: an empty object */
    uint32_t flags;
    const char *const *features;
    const char *about;
    QapiRun *run; /* the server's table has it; the client's has NULL */
} QapiCommand;

typedef struct QapiEvent {
    const char *name;     /* NULL ends them */
    const QapiType *data; /* a struct; NULL: none */
    const char *const *features;
    const char *about;
} QapiEvent;

/* By binary search; NULL: there is none. */
const QapiCommand *qapi_command_find(const QapiCommand *commands, size_t count, const char *name);

#endif
