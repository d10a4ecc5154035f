/*
 * schema-impl.h: how a schema is made: files are read, definitions built, then checked.
 */
#ifndef TOOLS_QAPI_GEN_SCHEMA_IMPL_H
#define TOOLS_QAPI_GEN_SCHEMA_IMPL_H

#include "tools/qapi-gen/node.h"
#include "tools/qapi-gen/schema.h"

/* Adds the definition to the names. */
bool schema_add(Schema *schema, Definition *definition, GError **error);

/* The definition that an expression is; it goes to the schema, with an entry. */
bool build_definition(Schema *schema, const Node *node, Doc *doc, GError **error);

/* 'if' of an object; NULL and true: there is none. */
bool build_cond(Arena *arena, const Node *object, const Cond **cond, GError **error);

/* 'features' of an object. */
bool build_features(Schema *schema, const Node *object, GPtrArray **features, GError **error);

/* Are the keys of an object among the `allowed` (NULL ends them), and all there that must be? What must be has '!' in
 * front. `what` is for the message. */
bool build_keys(const Node *object, const char *what, const char *const *allowed, GError **error);

bool build_pragma(Schema *schema, const Node *node, GError **error);

/* Finds types, flattens bases, and checks all that a look at one definition does not tell. */
bool check_schema(Schema *schema, GError **error);

/* Is everything documented, and nothing that is not there? */
bool check_docs(const Schema *schema, GError **error);

/* Have two things the same name in C? */
bool check_symbols(const Schema *schema, GError **error);

extern const Builtin schema_builtins[]; /* name NULL ends them */

#endif
