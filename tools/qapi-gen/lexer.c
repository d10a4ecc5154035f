/*
 * lexer.c: words of the schema language.
 *
 * It is JSON with apostrophes, with comments, without numbers and null. A comment that begins with ## is
 * documentation, up to the next line that is ## alone.
 */
#include <string.h>

#include "tools/qapi-gen/lexer.h"

bool lexer_init(Lexer *lexer, Arena *arena, const char *file, const char *text, size_t length, GError **error)
{
    const char *bad;

    *lexer = (Lexer){.arena = arena, .at = text, .end = text + length, .where = {file, 1}};
    if (g_utf8_validate(text, (gssize)length, &bad))
        return true;
    for (const char *p = text; p < bad; p++)
        lexer->where.line += *p == '\n';
    return wrong(error, lexer->where, "octet 0x%02x is not UTF-8", (unsigned char)*bad);
}

/* The length of the line that begins there. */
static size_t line_length(const Lexer *lexer)
{
    const char *newline = memchr(lexer->at, '\n', (size_t)(lexer->end - lexer->at));

    return (size_t)((newline ? newline : lexer->end) - lexer->at);
}

static void skip_line(Lexer *lexer, size_t length)
{
    lexer->at += length;
    if (lexer->at < lexer->end) {
        lexer->at++;
        lexer->where.line++;
    }
}

static bool is_doc(const Lexer *lexer)
{
    return lexer->end - lexer->at >= 2 && lexer->at[0] == '#' && lexer->at[1] == '#';
}

static bool read_doc(Lexer *lexer, Token *token, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    size_t length = line_length(lexer);

    token->kind = TOKEN_DOC;
    if (length != 2)
        return wrong(error, lexer->where, "'##' starts documentation, and must be alone on its line");
    for (skip_line(lexer, length); lexer->at < lexer->end; skip_line(lexer, length)) {
        length = line_length(lexer);
        if (length == 2 && is_doc(lexer)) {
            skip_line(lexer, length);
            token->text = arena_text(lexer->arena, text->str, text->len);
            return true;
        }
        if (length == 0 || lexer->at[0] != '#')
            return wrong(error, lexer->where,
                         "a line of documentation starts with '#', and '##' ends it (it starts at line %u)",
                         token->where.line);
        if (is_doc(lexer))
            return wrong(error, lexer->where, "'##' ends documentation, and must be alone on its line");
        if (length > 1 && lexer->at[1] != ' ')
            return wrong(error, lexer->where, "a line of documentation starts with '# ', this one with '#%.*s'",
                         (int)(g_utf8_next_char(lexer->at + 1) - (lexer->at + 1)), lexer->at + 1);
        if (length > 2)
            g_string_append_len(text, lexer->at + 2, (gssize)length - 2);
        g_string_append_c(text, '\n');
    }
    return wrong(error, token->where, "documentation has no '##' at its end");
}

static bool read_string(Lexer *lexer, Token *token, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);

    token->kind = TOKEN_STRING;
    for (lexer->at++; lexer->at < lexer->end && *lexer->at != '\n'; lexer->at++) {
        char c = *lexer->at;
        if (c == '\'') {
            lexer->at++;
            token->text = arena_text(lexer->arena, text->str, text->len);
            return true;
        }
        if (c == '\\') {
            c = lexer->end - lexer->at > 1 ? *++lexer->at : '\n';
            if (c != '\\' && c != '\'')
                return wrong(error, token->where, "only \\\\ and \\' are known after a backslash in a string");
        }
        if (!g_ascii_isprint(c))
            return wrong(error, token->where, "a string has printable ASCII only, this one has 0x%02x",
                         (unsigned char)c);
        g_string_append_c(text, c);
    }
    return wrong(error, token->where, "the string '%s has no ' at its end", text->str);
}

static bool read_word(Lexer *lexer, Token *token, GError **error)
{
    size_t length = 0;

    while (length < (size_t)(lexer->end - lexer->at) && g_ascii_isalnum(lexer->at[length]))
        length++;
    if (length == 4 && memcmp(lexer->at, "true", 4) == 0)
        token->kind = TOKEN_TRUE;
    else if (length == 5 && memcmp(lexer->at, "false", 5) == 0)
        token->kind = TOKEN_FALSE;
    else if (length > 0)
        return wrong(error, lexer->where, "'%.*s' is no word of the language: strings are in apostrophes", (int)length,
                     lexer->at);
    else if (*lexer->at == '"')
        return wrong(error, lexer->where, "strings are in apostrophes, not in quotes");
    else
        return wrong(error, lexer->where, "stray '%.*s'", (int)(g_utf8_next_char(lexer->at) - lexer->at), lexer->at);
    lexer->at += length;
    return true;
}

bool lexer_next(Lexer *lexer, Token *token, GError **error)
{
    while (lexer->at < lexer->end) {
        char c = *lexer->at;
        *token = (Token){.where = lexer->where};
        if (is_doc(lexer))
            return read_doc(lexer, token, error);
        if (c == '#' || c == '\n') {
            skip_line(lexer, line_length(lexer));
        } else if (c == ' ' || c == '\t' || c == '\r') {
            lexer->at++;
        } else if (strchr("{}[]:,", c)) {
            token->kind = TOKEN_MARK;
            token->mark = c;
            lexer->at++;
            return true;
        } else {
            return c == '\'' ? read_string(lexer, token, error) : read_word(lexer, token, error);
        }
    }
    *token = (Token){.kind = TOKEN_END, .where = lexer->where};
    return true;
}

const char *token_name(Arena *arena, const Token *token)
{
    switch (token->kind) {
    case TOKEN_END:
        return "the end of the file";
    case TOKEN_MARK:
        return arena_print(arena, "'%c'", token->mark);
    case TOKEN_STRING:
        return arena_print(arena, "the string '%s'", token->text);
    case TOKEN_TRUE:
        return "true";
    case TOKEN_FALSE:
        return "false";
    case TOKEN_DOC:
        return "documentation";
    }
    return NULL;
}
