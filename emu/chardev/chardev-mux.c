/*
 * chardev-mux.c: several users of one line, of whom one has the keys.
 *
 * Every end is a Chardev. What any of them writes goes to the line. What comes goes to the end that has the focus, but
 * for what follows Ctrl-A: c (the next one gets the focus), b (a break), x (the program is to end), h (help), Ctrl-A
 * (itself). An end is open from when it first has the focus. A few characters are kept for an end that takes none, so
 * that the focus can leave it.
 */
#include "emu/chardev/chardev-impl.h"

enum { ENDS_MAX = 4, KEPT_MAX = 32, CONTROL_A = 1 };

typedef struct MuxEnd MuxEnd;

struct ChardevMux {
    Chardev *line;
    MuxEnd *ends[ENDS_MAX];
    unsigned count, focus, references;
    bool escaped;
    ChardevMuxQuit *quit;
    void *opaque;
};

struct MuxEnd {
    Chardev c;
    ChardevMux *mux;
    GByteArray *kept;
    bool feeding;
};

/* --- ends ------------------------------------------------------------------------------------------------------- */

static void unref(ChardevMux *m)
{
    if (--m->references == 0)
        g_free(m);
}

static size_t end_write(Chardev *c, const uint8_t *data, size_t len)
{
    ChardevMux *m = ((MuxEnd *)c)->mux;

    return m->line ? chardev_write(m->line, data, len) : len;
}

static void end_accept_input(Chardev *c)
{
    MuxEnd *e = (MuxEnd *)c;

    if (e->feeding)
        return;
    chardev_feed(c, e->kept, &e->feeding);
    if (e->mux->line)
        chardev_accept_input(e->mux->line);
}

static void end_close(Chardev *c)
{
    MuxEnd *e = (MuxEnd *)c;

    for (unsigned i = 0; i < e->mux->count; i++)
        if (e->mux->ends[i] == e)
            e->mux->ends[i] = NULL;
    g_clear_pointer(&e->kept, g_byte_array_unref);
    unref(e->mux);
}

static const ChardevOps end_ops = {
    .size = sizeof(MuxEnd),
    .write = end_write,
    .accept_input = end_accept_input,
    .close = end_close,
};

/* --- the line --------------------------------------------------------------------------------------------------- */

static void help(ChardevMux *m)
{
    static const char text[] = "\r\nCtrl-A h   this help\r\nCtrl-A x   end the program\r\nCtrl-A b   send a break\r\n"
                               "Ctrl-A c   to the next: serial port, monitor\r\nCtrl-A Ctrl-A   send Ctrl-A\r\n";

    chardev_write(m->line, text, sizeof text - 1);
}

static void next(ChardevMux *m)
{
    unsigned n = m->focus;

    do
        n = (n + 1) % m->count;
    while (!m->ends[n] && n != m->focus);
    m->focus = n;
    chardev_write(m->line, "\r\n", 2);
    if (m->ends[n])
        chardev_set_open(&m->ends[n]->c, true);
}

static void command(ChardevMux *m, MuxEnd *e, uint8_t key)
{
    switch (key) {
    case 'c':
        next(m);
        break;
    case 'b':
        if (e)
            chardev_send_break(&e->c);
        break;
    case 'x':
        m->quit(m->opaque);
        break;
    case CONTROL_A:
        if (e)
            g_byte_array_append(e->kept, &key, 1);
        break;
    default:
        help(m);
    }
}

static size_t can_receive(void *opaque)
{
    ChardevMux *m = opaque;
    const MuxEnd *e = m->count ? m->ends[m->focus] : NULL;

    return e ? KEPT_MAX - MIN(e->kept->len, KEPT_MAX) : KEPT_MAX;
}

static void receive(void *opaque, const uint8_t *data, size_t len)
{
    ChardevMux *m = opaque;

    for (size_t i = 0; i < len; i++) {
        MuxEnd *e = m->count ? m->ends[m->focus] : NULL;
        bool escaped = m->escaped;
        m->escaped = !escaped && data[i] == CONTROL_A;
        if (escaped)
            command(m, e, data[i]);
        else if (!m->escaped && e)
            g_byte_array_append(e->kept, &data[i], 1);
    }
    for (unsigned i = 0; i < m->count; i++)
        if (m->ends[i])
            end_accept_input(&m->ends[i]->c);
}

static void event(void *opaque, ChardevEvent what)
{
    ChardevMux *m = opaque;

    for (unsigned i = 0; i < m->count; i++) {
        if (!m->ends[i])
            continue;
        if (what != CHARDEV_BREAK)
            chardev_set_open(&m->ends[i]->c, what == CHARDEV_OPENED && (i == m->focus || m->ends[i]->c.open));
        else if (i == m->focus)
            chardev_send_break(&m->ends[i]->c);
    }
}

static void writable(void *opaque)
{
    ChardevMux *m = opaque;

    for (unsigned i = 0; i < m->count; i++)
        if (m->ends[i])
            chardev_writable(&m->ends[i]->c);
}

/* --- for who makes it ------------------------------------------------------------------------------------------- */

ChardevMux *chardev_mux_new(Chardev *line, ChardevMuxQuit *quit, void *opaque)
{
    static const ChardevFront front = {
        .can_receive = can_receive, .receive = receive, .event = event, .writable = writable};
    ChardevMux *m = g_new0(ChardevMux, 1);

    *m = (ChardevMux){.line = line, .quit = quit, .opaque = opaque, .references = 1};
    chardev_set_front(line, &front, m);
    return m;
}

Chardev *chardev_mux_add(ChardevMux *m, const ChardevHome *home)
{
    if (m->count == ENDS_MAX)
        return NULL;
    MuxEnd *e = (MuxEnd *)chardev_new(&end_ops, home);
    e->mux = m;
    e->kept = g_byte_array_new();
    e->c.open = m->line->open && m->count == 0;
    e->c.address = g_strdup_printf("%s of %s", home->label, chardev_label(m->line));
    m->ends[m->count++] = e;
    m->references++;
    return &e->c;
}

void chardev_mux_free(ChardevMux *m)
{
    if (!m)
        return;
    chardev_set_front(m->line, NULL, NULL);
    m->line = NULL;
    unref(m);
}
