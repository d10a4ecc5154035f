/*
 * doc.h: documentation in the schema.
 *
 *     ##
 *     # @name:
 *     #
 *     # What it is.
 *     #
 *     # @member: what that is
 *     #     (more of it)
 *     #
 *     # Features:
 *     # @deprecated: use something else
 *     #
 *     # Returns: what it gives
 *     #
 *     # Since: 1.0
 *     ##
 *
 * Documentation without a name stands on its own in the manual; "= Title" and "== Title" begin parts of it.
 */
#ifndef TOOLS_QAPI_GEN_DOC_H
#define TOOLS_QAPI_GEN_DOC_H

#include "tools/qapi-gen/arena.h"
#include "tools/qapi-gen/wrong.h"

/* Something said about a member or a feature, or a section with a tag. */
typedef struct DocSection {
    Where where;
    const char *name; /* "member"; "Returns"; "" is more text on the whole */
    const char *text; /* without the indentation of lines that continue it */
    bool used;        /* by the checker: there is such a member */
} DocSection;

typedef struct Doc {
    Where where;
    const char *symbol;  /* NULL: it stands on its own */
    const char *body;    /* the text after the name */
    GPtrArray *members;  /* DocSection */
    GPtrArray *features; /* DocSection */
    GPtrArray *sections; /* DocSection: Returns, Since, Note, Example ... in their order */
} Doc;

/* `text` as the lexer has it. */
Doc *doc_parse(Arena *arena, const char *text, Where where, GError **error);

/* The section of that name; NULL: there is none. */
DocSection *doc_find(const GPtrArray *sections, const char *name);

/* The first paragraph in one line, as plain text. */
const char *doc_summary(Arena *arena, const char *text);

#endif
