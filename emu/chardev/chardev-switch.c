/*
 * chardev-switch.c: a line whose other end can be replaced by another one, while what uses it goes on.
 *
 * The front sees the switch, and the line behind it (which is owned) has the switch as its front.
 */
#include "emu/chardev/chardev-impl.h"

typedef struct Switch {
    Chardev c;
    Chardev *line;
    bool has_copper, breaks; /* what the line was told last, for the next one */
    ChardevLine copper;
} Switch;

/* --- to the line -------------------------------------------------------------------------------------------------- */

static size_t switch_write(Chardev *c, const uint8_t *data, size_t len)
{
    return chardev_write(((Switch *)c)->line, data, len);
}

static void switch_accept_input(Chardev *c)
{
    chardev_accept_input(((Switch *)c)->line);
}

static void switch_set_break(Chardev *c, bool on)
{
    ((Switch *)c)->breaks = on;
    chardev_set_break(((Switch *)c)->line, on);
}

static void switch_set_line(Chardev *c, const ChardevLine *line)
{
    Switch *s = (Switch *)c;

    s->has_copper = true;
    s->copper = *line;
    chardev_set_line(s->line, line);
}

static void switch_close(Chardev *c)
{
    Switch *s = (Switch *)c;

    chardev_set_front(s->line, NULL, NULL);
    g_clear_pointer(&s->line, chardev_free);
}

static const ChardevOps switch_ops = {
    .size = sizeof(Switch),
    .write = switch_write,
    .accept_input = switch_accept_input,
    .set_break = switch_set_break,
    .set_line = switch_set_line,
    .close = switch_close,
};

/* --- to the front ------------------------------------------------------------------------------------------------- */

static size_t line_room(void *opaque)
{
    return chardev_room(opaque);
}

static void line_received(void *opaque, const uint8_t *data, size_t len)
{
    chardev_receive(opaque, data, len);
}

static void line_event(void *opaque, ChardevEvent event)
{
    if (event == CHARDEV_BREAK)
        chardev_send_break(opaque);
    else
        chardev_set_open(opaque, event == CHARDEV_OPENED);
}

static void line_writable(void *opaque)
{
    chardev_writable(opaque);
}

static void line_descriptors(void *opaque, const int *fds, size_t count)
{
    chardev_take_descriptors(opaque, fds, count);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void take(Switch *s, Chardev *line)
{
    static const ChardevFront front = {.can_receive = line_room,
                                       .receive = line_received,
                                       .event = line_event,
                                       .writable = line_writable,
                                       .descriptors = line_descriptors};

    s->line = line;
    g_free(s->c.address);
    s->c.address = g_strdup(chardev_address(line));
    if (s->has_copper)
        chardev_set_line(line, &s->copper);
    if (s->breaks)
        chardev_set_break(line, true);
    chardev_set_front(line, &front, s);
}

Chardev *chardev_switch_new(const ChardevHome *home, Chardev *line)
{
    Chardev *c = chardev_new(&switch_ops, home);

    take((Switch *)c, line);
    return c;
}

void chardev_switch_to(Chardev *c, Chardev *line)
{
    Switch *s = (Switch *)c;
    Chardev *before = s->line;

    g_return_if_fail(c->ops == &switch_ops);
    chardev_set_front(before, NULL, NULL);
    chardev_set_open(c, false);
    take(s, line);
    chardev_free(before);
}

Chardev *chardev_switch_line(Chardev *c)
{
    return c->ops == &switch_ops ? ((Switch *)c)->line : c;
}
