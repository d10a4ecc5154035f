/*
 * schema.h: what the schema means.
 *
 * schema_load reads files, makes definitions of what they say, and checks everything; generators read it only.
 */
#ifndef TOOLS_QAPI_GEN_SCHEMA_H
#define TOOLS_QAPI_GEN_SCHEMA_H

#include "tools/qapi-gen/arena.h"
#include "tools/qapi-gen/doc.h"
#include "tools/qapi-gen/wrong.h"

/* 'if': what the preprocessor is asked, and what people are told. */
typedef struct Cond {
    const char *c;    /* "defined(CONFIG_X) && !defined(CONFIG_Y)" */
    const char *text; /* "CONFIG_X and not CONFIG_Y" */
} Cond;

typedef struct Feature {
    const char *name;
    Where where;
    const Cond *cond;  /* NULL: always */
    const char *about; /* its documentation, "" if there is none */
} Feature;

typedef enum Kind {
    KIND_BUILTIN,
    KIND_ENUM,
    KIND_STRUCT,
    KIND_UNION,
    KIND_ALTERNATE,
    KIND_LIST,
    KIND_COMMAND,
    KIND_EVENT,
} Kind;

typedef struct Definition Definition;

/* 'str' or [ 'str' ]; after the check `type` is it. */
typedef struct TypeRef {
    const char *name; /* NULL: nothing is given */
    bool list;
    Where where;
    Definition *type;
} TypeRef;

/* A member of a struct, a value of an enum, a branch of a union or an alternate. */
typedef struct Member {
    const char *name;
    const char *c; /* as a member of a C struct */
    Where where;
    TypeRef ref; /* not of a value */
    bool optional;
    const Cond *cond;
    GPtrArray *features; /* Feature */
    const char *about;   /* its documentation, "" if there is none */
} Member;

/* What C and JSON make of a type that the language has. */
typedef struct Builtin {
    const char *name, *camel;
    const char *c;      /* "int64_t"; what a member is */
    const char *kind;   /* QAPI_SCALAR ... */
    const char *scalar; /* SCALAR_INT64 ...; NULL: it is none */
    const char *json;   /* its JSON type; "value": any */
    const char *folded; /* what it is to introspection: every integer is int */
    const char *about;  /* for the manual */
} Builtin;

struct Definition {
    Kind kind;
    const char *name;
    const char *camel; /* StatusInfo, MigrateArguments, IntList */
    Where where;
    Doc *doc; /* NULL: there is none */
    const Cond *cond;
    GPtrArray *features;
    bool implicit; /* arguments of a command, data of an event */

    const Builtin *builtin;
    GPtrArray
        *members; /* Member: values of an enum, branches of an alternate; what a struct or a union adds to its base */
    const char *prefix; /* of an enum: RUN_STATE */

    /* struct, union */
    TypeRef base;
    GPtrArray *all; /* members with those of the base in front */
    const char *tag_name;
    Where tag_where;
    const Member *tag;
    GPtrArray *branches; /* Member, of a union */

    Definition *element; /* of a list */
    Definition *list;    /* the list of it; NULL: nobody wants one */

    /* command, event */
    TypeRef data;
    Definition *arguments; /* NULL: none; what `data` is, or an implicit struct */
    TypeRef returns;
    bool boxed, no_reply, no_gen, allow_oob, allow_preconfig;
    unsigned visit; /* of the checker */
};

/* What stands in the files, in that order: a definition, or text between them. */
typedef struct Entry {
    Definition *definition; /* NULL: text */
    Doc *doc;
} Entry;

typedef struct Pragma {
    bool doc_required;
    GHashTable *command_names, *command_returns, *member_names, *undocumented; /* sets of names */
} Pragma;

typedef struct Schema {
    Arena *arena;
    GPtrArray *entries; /* Entry */
    GPtrArray
        *types; /* Definition: builtins, then enums, structs, unions, alternates with the implicit ones; in order */
    GPtrArray *lists;             /* Definition */
    GPtrArray *commands, *events; /* Definition; in the order of strcmp */
    GHashTable *by_name;          /* Definition */
    Pragma pragma;
} Schema;

/* Gives the text of a file; NULL: it cannot. */
typedef char *SchemaRead(void *context, const char *path, size_t *length, GError **error);

/* Reads the file and all that it includes. */
Schema *schema_load(const char *path, SchemaRead *read, void *context, GError **error);
void schema_free(Schema *schema);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Schema, schema_free)

static inline Member *member_at(const GPtrArray *members, unsigned i)
{
    return g_ptr_array_index(members, i);
}

static inline Definition *definition_at(const GPtrArray *definitions, unsigned i)
{
    return g_ptr_array_index(definitions, i);
}

/* Is it in C a pointer to a struct? */
static inline bool is_object(const Definition *type)
{
    return type->kind == KIND_STRUCT || type->kind == KIND_UNION || type->kind == KIND_ALTERNATE;
}

/* "struct", "command" ... */
const char *kind_name(Kind kind);

#endif
