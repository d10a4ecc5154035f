/* chardev-memory.c: nobody, and memory. */
#include <string.h>

#include "emu/chardev/chardev-impl.h"

enum { SIZE_DEFAULT = 65536 };

/* --- nobody ----------------------------------------------------------------------------------------------------- */

static size_t null_write(Chardev *c, const uint8_t *data, size_t len)
{
    (void)c;
    (void)data;
    return len;
}

static void null_close(Chardev *c)
{
    (void)c;
}

static const ChardevOps null_ops = {.size = sizeof(Chardev), .write = null_write, .close = null_close};

Chardev *chardev_new_null(const ChardevHome *home)
{
    Chardev *c = chardev_new(&null_ops, home);

    c->open = true;
    c->address = g_strdup("null");
    return c;
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

typedef struct Memory {
    Chardev c;
    uint8_t *ring;
    size_t size, head, used; /* head: the oldest */
    bool patient, feeding;
    GByteArray *input; /* what the front has not taken */
} Memory;

static size_t memory_write(Chardev *c, const uint8_t *data, size_t len)
{
    Memory *m = (Memory *)c;
    size_t taken = m->patient ? MIN(len, m->size - m->used) : len;

    for (size_t i = 0; i < taken; i++) {
        m->ring[(m->head + m->used) % m->size] = data[i];
        if (m->used < m->size)
            m->used++;
        else
            m->head = (m->head + 1) % m->size;
    }
    return taken;
}

static void memory_accept_input(Chardev *c)
{
    Memory *m = (Memory *)c;

    chardev_feed(c, m->input, &m->feeding);
}

static void memory_close(Chardev *c)
{
    Memory *m = (Memory *)c;

    g_byte_array_set_size(m->input, 0);
    g_clear_pointer(&m->ring, g_free);
    g_clear_pointer(&m->input, g_byte_array_unref);
}

static const ChardevOps memory_ops = {
    .size = sizeof(Memory),
    .write = memory_write,
    .accept_input = memory_accept_input,
    .close = memory_close,
};

Chardev *chardev_new_memory(const ChardevHome *home, const ChardevMemory *options)
{
    Chardev *c = chardev_new(&memory_ops, home);
    Memory *m = (Memory *)c;

    m->size = options->size > 0 ? options->size : SIZE_DEFAULT;
    m->patient = options->patient;
    m->ring = g_malloc(m->size);
    m->input = g_byte_array_new();
    c->open = true;
    c->address = g_strdup("memory");
    return c;
}

size_t chardev_memory_read(Chardev *c, void *data, size_t len)
{
    Memory *m = (Memory *)c;
    size_t taken = MIN(len, m->used);

    g_return_val_if_fail(c->ops == &memory_ops, 0);
    for (size_t i = 0; i < taken; i++)
        ((uint8_t *)data)[i] = m->ring[(m->head + i) % m->size];
    m->head = (m->head + taken) % m->size;
    m->used -= taken;
    if (taken > 0)
        chardev_writable(c);
    return taken;
}

void chardev_memory_feed(Chardev *c, const void *data, size_t len)
{
    Memory *m = (Memory *)c;

    g_return_if_fail(c->ops == &memory_ops);
    g_byte_array_append(m->input, data, (guint)len);
    memory_accept_input(c);
}

void chardev_memory_copy(Chardev *to, const Chardev *from)
{
    Memory *t = (Memory *)to;
    const Memory *f = (const Memory *)from;

    g_return_if_fail(to->ops == &memory_ops && from->ops == &memory_ops && t->size >= f->used);
    for (size_t i = 0; i < f->used; i++)
        t->ring[i] = f->ring[(f->head + i) % f->size];
    t->head = 0;
    t->used = f->used;
    g_byte_array_set_size(t->input, 0);
    g_byte_array_append(t->input, f->input->data, f->input->len);
}
