/*
 * arena.c: see arena.h.
 */
#include "tools/qapi-gen/arena.h"

struct Arena {
    GPtrArray *blocks, *arrays;
};

static void unref(gpointer array)
{
    g_ptr_array_unref(array);
}

Arena *arena_new(void)
{
    Arena *arena = g_new0(Arena, 1);

    arena->blocks = g_ptr_array_new_with_free_func(g_free);
    arena->arrays = g_ptr_array_new_with_free_func(unref);
    return arena;
}

void arena_free(Arena *arena)
{
    g_ptr_array_unref(arena->arrays);
    g_ptr_array_unref(arena->blocks);
    g_free(arena);
}

void *arena_alloc(Arena *arena, size_t size)
{
    void *block = g_malloc0(size);

    g_ptr_array_add(arena->blocks, block);
    return block;
}

GPtrArray *arena_array(Arena *arena)
{
    GPtrArray *array = g_ptr_array_new();

    g_ptr_array_add(arena->arrays, array);
    return array;
}

const char *arena_take(Arena *arena, char *text)
{
    g_ptr_array_add(arena->blocks, text);
    return text;
}

const char *arena_text(Arena *arena, const char *text, size_t length)
{
    return arena_take(arena, g_strndup(text, length));
}

const char *arena_print(Arena *arena, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return arena_take(arena, text);
}
