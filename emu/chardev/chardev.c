/* chardev.c: what all kinds of Chardev have in common. */
#include <errno.h>
#include <glib-unix.h>
#include <unistd.h>

#include "emu/chardev/chardev-impl.h"
#include "visitors/error.h"

Chardev *chardev_new(const ChardevOps *ops, const ChardevHome *home)
{
    Chardev *c = g_malloc0(ops->size);

    c->ops = ops;
    c->label = g_strdup(home->label ? home->label : "chardev");
    c->context = home->context ? g_main_context_ref(home->context) : NULL;
    c->lock = home->lock;
    c->references = 1;
    return c;
}

static void release(void *opaque)
{
    Chardev *c = opaque;

    if (!g_atomic_int_dec_and_test(&c->references))
        return;
    if (c->context)
        g_main_context_unref(c->context);
    g_free(c->label);
    g_free(c->address);
    g_free(c);
}

void chardev_free(Chardev *c)
{
    if (!c)
        return;
    c->front = NULL;
    c->open = false;
    c->ops->close(c);
    release(c);
}

bool chardev_is_open(const Chardev *c)
{
    return c->open;
}

bool chardev_has_front(const Chardev *c)
{
    return c->front;
}

const char *chardev_label(const Chardev *c)
{
    return c->label;
}

const char *chardev_address(const Chardev *c)
{
    return c->address ? c->address : "";
}

void *chardev_fail(const ChardevHome *home, const char *what, int cause, GError **error)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: %s: %s", home->label ? home->label : "chardev", what,
                g_strerror(cause));
    return NULL;
}

/* --- to the back end -------------------------------------------------------------------------------------------- */

size_t chardev_write(Chardev *c, const void *data, size_t len)
{
    size_t gone = c->open ? c->ops->write(c, data, len) : len;

    c->starved |= gone < len;
    return gone;
}

void chardev_accept_input(Chardev *c)
{
    if (c->ops->accept_input)
        c->ops->accept_input(c);
}

void chardev_set_break(Chardev *c, bool on)
{
    if (c->ops->set_break)
        c->ops->set_break(c, on);
}

void chardev_set_line(Chardev *c, const ChardevLine *line)
{
    if (c->ops->set_line)
        c->ops->set_line(c, line);
}

/* --- to the front ----------------------------------------------------------------------------------------------- */

static void tell(Chardev *c, ChardevEvent event)
{
    if (c->front && c->front->event)
        c->front->event(c->opaque, event);
}

void chardev_set_front(Chardev *c, const ChardevFront *front, void *opaque)
{
    c->front = front;
    c->opaque = opaque;
    c->starved = false;
    if (c->open)
        tell(c, CHARDEV_OPENED);
    chardev_accept_input(c);
}

void chardev_set_open(Chardev *c, bool open)
{
    if (c->open == open)
        return;
    c->open = open;
    tell(c, open ? CHARDEV_OPENED : CHARDEV_CLOSED);
    /* What waited for room goes nowhere now. */
    if (!open)
        chardev_writable(c);
}

void chardev_writable(Chardev *c)
{
    bool starved = c->starved;

    c->starved = false;
    if (starved && c->front && c->front->writable)
        c->front->writable(c->opaque);
}

size_t chardev_room(Chardev *c)
{
    return c->front && c->front->can_receive ? c->front->can_receive(c->opaque) : 0;
}

void chardev_receive(Chardev *c, const uint8_t *data, size_t len)
{
    if (c->front && c->front->receive)
        c->front->receive(c->opaque, data, len);
}

void chardev_take_descriptors(Chardev *c, const int *fds, size_t count)
{
    if (count && c->front && c->front->descriptors) {
        c->front->descriptors(c->opaque, fds, count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

void chardev_feed(Chardev *c, GByteArray *kept, bool *feeding)
{
    if (*feeding)
        return; /* the loop further up gives it */
    *feeding = true;
    while (kept->len > 0) {
        size_t len = MIN(chardev_room(c), kept->len);
        if (len == 0)
            break;
        g_autofree uint8_t *data = g_memdup2(kept->data, len);
        g_byte_array_remove_range(kept, 0, (guint)len);
        chardev_receive(c, data, len);
    }
    *feeding = false;
}

void chardev_send_break(Chardev *c)
{
    tell(c, CHARDEV_BREAK);
}

/* --- watches ---------------------------------------------------------------------------------------------------- */

typedef struct Watch {
    Chardev *c; /* counted: a watch may wait for the lock while its Chardev is freed */
    ChardevReady *ready;
} Watch;

static gboolean run_watch(Watch *w, GIOCondition condition)
{
    /* The lock outlives the Chardev, and so does w: GLib holds it while it is dispatched. */
    GRecMutex *lock = w->c->lock;

    if (lock)
        g_rec_mutex_lock(lock);
    if (!g_source_is_destroyed(g_main_current_source()))
        w->ready(w->c, condition);
    if (lock)
        g_rec_mutex_unlock(lock);
    return G_SOURCE_CONTINUE;
}

static gboolean fd_ready(gint fd, GIOCondition condition, gpointer opaque)
{
    (void)fd;
    return run_watch(opaque, condition);
}

static gboolean time_came(gpointer opaque)
{
    return run_watch(opaque, 0);
}

static void forget_watch(void *opaque)
{
    Watch *w = opaque;

    release(w->c);
    g_free(w);
}

static GSource *start_watch(Chardev *c, GSource *source, GSourceFunc called, ChardevReady *ready)
{
    Watch *w = g_new0(Watch, 1);

    *w = (Watch){.c = c, .ready = ready};
    g_atomic_int_inc(&c->references);
    g_source_set_callback(source, called, w, forget_watch);
    g_source_attach(source, c->context);
    return source;
}

GSource *chardev_watch(Chardev *c, int fd, GIOCondition condition, ChardevReady *ready)
{
    return start_watch(c, g_unix_fd_source_new(fd, condition), G_SOURCE_FUNC(fd_ready), ready);
}

GSource *chardev_watch_time(Chardev *c, unsigned ms, ChardevReady *ready)
{
    return start_watch(c, g_timeout_source_new(ms), time_came, ready);
}

void chardev_unwatch(GSource **watch)
{
    if (!*watch)
        return;
    g_source_destroy(*watch);
    g_source_unref(*watch);
    *watch = NULL;
}
