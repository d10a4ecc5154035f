/*
 * lexer.h: words of the schema language.
 */
#ifndef TOOLS_QAPI_GEN_LEXER_H
#define TOOLS_QAPI_GEN_LEXER_H

#include "tools/qapi-gen/arena.h"
#include "tools/qapi-gen/wrong.h"

typedef enum TokenKind {
    TOKEN_END,
    TOKEN_MARK,   /* one of { } [ ] : , */
    TOKEN_STRING, /* `text` is what it says */
    TOKEN_TRUE,
    TOKEN_FALSE,
    TOKEN_DOC, /* `text` has its lines, without the # in front; `where` is the ## before them */
} TokenKind;

typedef struct Token {
    TokenKind kind;
    char mark;
    const char *text;
    Where where;
} Token;

typedef struct Lexer {
    Arena *arena;
    const char *at, *end;
    Where where;
} Lexer;

/* Text that is UTF-8 without NUL; the lexer borrows it. Fails if it is something else. */
bool lexer_init(Lexer *lexer, Arena *arena, const char *file, const char *text, size_t length, GError **error);

bool lexer_next(Lexer *lexer, Token *token, GError **error);

/* How people call it: "'{'", "a string". */
const char *token_name(Arena *arena, const Token *token);

#endif
