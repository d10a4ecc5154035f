/*
 * text.c: see text.h.
 */
#include <string.h>

#include "tools/qapi-gen/text.h"

/* --- blocks ------------------------------------------------------------------------------------------------------ */

static void add_block(Arena *arena, GPtrArray *blocks, BlockKind kind, const char *text)
{
    Block *block = ARENA_NEW(arena, Block);

    block->kind = kind;
    block->text = text;
    g_ptr_array_add(blocks, block);
}

/* Which kind of block the line begins, and where its text begins; BLOCK_PARAGRAPH: none in particular. */
static BlockKind block_start(const char **line)
{
    const char *p = *line + strspn(*line, " ");
    size_t digits = strspn(p, "0123456789");

    if (p[0] == '|' && (p[1] == ' ' || p[1] == 0)) {
        *line = p[1] ? p + 2 : p + 1;
        return BLOCK_VERBATIM;
    }
    if (strncmp(p, "-> ", 3) == 0 || strncmp(p, "<- ", 3) == 0)
        return BLOCK_VERBATIM;
    if ((p[0] == '-' || p[0] == '*') && p[1] == ' ') {
        *line = p + 2;
        return BLOCK_BULLET;
    }
    if (digits > 0 && digits < 3 && p[digits] == '.' && p[digits + 1] == ' ') {
        *line = p + digits + 2;
        return BLOCK_NUMBER;
    }
    return BLOCK_PARAGRAPH;
}

static const Block *last_block(const GPtrArray *blocks, bool open)
{
    return open && blocks->len > 0 ? g_ptr_array_index(blocks, blocks->len - 1) : NULL;
}

/* Adds a line to the last block, or begins another. */
static void add_line(Arena *arena, GPtrArray *blocks, const char *line, bool open)
{
    const char *text = line;
    BlockKind kind = block_start(&text);
    Block *last = (Block *)last_block(blocks, open);
    bool example = last && last->kind == BLOCK_VERBATIM && text == line; /* of which this is one more line */

    if (last && (example || (kind == BLOCK_VERBATIM && last->kind == kind)))
        last->text = arena_print(arena, "%s\n%s", last->text, text);
    else if (last && kind == BLOCK_PARAGRAPH)
        last->text = arena_print(arena, "%s %s", last->text, line + strspn(line, " "));
    else if (strncmp(line, "== ", 3) == 0)
        add_block(arena, blocks, BLOCK_SUBTITLE, arena_print(arena, "%s", line + 3));
    else if (strncmp(line, "= ", 2) == 0)
        add_block(arena, blocks, BLOCK_TITLE, arena_print(arena, "%s", line + 2));
    else
        add_block(arena, blocks, kind,
                  arena_print(arena, "%s", kind == BLOCK_VERBATIM ? text : text + strspn(text, " ")));
}

GPtrArray *text_blocks(Arena *arena, const char *text)
{
    GPtrArray *blocks = arena_array(arena);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    bool open = false;

    for (unsigned i = 0; lines[i]; i++) {
        bool empty = lines[i][strspn(lines[i], " ")] == 0;
        if (!empty)
            add_line(arena, blocks, lines[i], open);
        open = !empty;
    }
    return blocks;
}

GPtrArray *text_verbatim(Arena *arena, const char *text)
{
    GPtrArray *blocks = arena_array(arena);

    add_block(arena, blocks, BLOCK_VERBATIM, text);
    return blocks;
}

/* --- spans ------------------------------------------------------------------------------------------------------- */

static bool is_name(char c)
{
    return g_ascii_isalnum(c) || c == '-' || c == '_';
}

/* "@name" there: its length without the "@"; 0: it is none. A "-" at its end is not of it. */
static size_t name_length(const char *at)
{
    size_t length = 0;

    if (at[0] != '@' || !(g_ascii_isalnum(at[1]) || at[1] == '_'))
        return 0;
    while (is_name(at[1 + length]) || (at[1 + length] == '.' && is_name(at[2 + length])))
        length++;
    while (at[length] == '-')
        length--;
    return length;
}

/* "*text*" there: the length of the text; 0: it is none. */
static size_t emphasis_length(const char *at)
{
    if (at[0] != '*' || at[1] == ' ' || at[1] == '*' || at[1] == 0)
        return 0;
    const char *end = strchr(at + 1, '*');
    return end && end[-1] != ' ' && !g_ascii_isalnum(end[1]) ? (size_t)(end - at - 1) : 0;
}

/* What begins there, if it is something: its length with its marks. */
static size_t span_at(const char *at, bool word, Span *span)
{
    const char *end;

    if (at[0] == '@' && name_length(at) > 0 && word) {
        *span = (Span){SPAN_NAME, at + 1, name_length(at)};
        return span->length + 1;
    }
    if (strncmp(at, "``", 2) == 0 && (end = strstr(at + 2, "``")) && end > at + 2) {
        *span = (Span){SPAN_LITERAL, at + 2, (size_t)(end - at - 2)};
        return span->length + 4;
    }
    if (word && emphasis_length(at) > 0) {
        *span = (Span){SPAN_EMPHASIS, at + 1, emphasis_length(at)};
        return span->length + 2;
    }
    return 0;
}

bool text_next(const char **at, Span *span)
{
    const char *start = *at;
    Span next;

    if (*start == 0)
        return false;
    for (const char *p = start;; p++) {
        size_t length = *p ? span_at(p, p == start || !g_ascii_isalnum(p[-1]), &next) : 0;
        if (length == 0 && *p)
            continue;
        *span = (Span){SPAN_TEXT, start, (size_t)(p - start)};
        *at = p;
        if (p == start) {
            *span = next;
            *at = p + length;
        }
        return true;
    }
}

const char *type_text(Arena *arena, const TypeRef *ref)
{
    return ref->list ? arena_print(arena, "[%s]", ref->name) : ref->name;
}
