/*
 * arena.h: memory of one schema. It is freed all at once, with the arena.
 */
#ifndef TOOLS_QAPI_GEN_ARENA_H
#define TOOLS_QAPI_GEN_ARENA_H

#include <glib.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *arena);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Arena, arena_free)

/* Zeros. */
void *arena_alloc(Arena *arena, size_t size);
#define ARENA_NEW(arena, type) ((type *)arena_alloc((arena), sizeof(type)))

/* An array of pointers to things that it does not own. */
GPtrArray *arena_array(Arena *arena);

const char *arena_text(Arena *arena, const char *text, size_t length);
const char *arena_print(Arena *arena, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Takes the string. */
const char *arena_take(Arena *arena, char *text);

#endif
