/*
 * text.h: what stands in documentation: paragraphs, lists, verbatim lines; and within them names and emphasis.
 */
#ifndef TOOLS_QAPI_GEN_TEXT_H
#define TOOLS_QAPI_GEN_TEXT_H

#include "tools/qapi-gen/schema.h"

typedef enum BlockKind {
    BLOCK_PARAGRAPH,
    BLOCK_BULLET,   /* "- text": one element of a list */
    BLOCK_NUMBER,   /* "1. text" */
    BLOCK_VERBATIM, /* "| text", "-> text", "<- text" */
    BLOCK_TITLE,    /* "= text", in documentation that stands on its own */
    BLOCK_SUBTITLE, /* "== text" */
} BlockKind;

typedef struct Block {
    BlockKind kind;
    const char *text; /* in one line; if verbatim as it is */
} Block;

/* Block after block. */
GPtrArray *text_blocks(Arena *arena, const char *text);

/* The whole, verbatim: as an example. */
GPtrArray *text_verbatim(Arena *arena, const char *text);

typedef enum SpanKind {
    SPAN_TEXT,
    SPAN_NAME,     /* "@name" */
    SPAN_LITERAL,  /* "``text``" */
    SPAN_EMPHASIS, /* "*text*" */
} SpanKind;

typedef struct Span {
    SpanKind kind;
    const char *text;
    size_t length;
} Span;

/* The next span of a text of one line; moves on. False: that was all. */
bool text_next(const char **at, Span *span);

/* The type of a member, as people write it: "str", "[str]". */
const char *type_text(Arena *arena, const TypeRef *ref);

#endif
