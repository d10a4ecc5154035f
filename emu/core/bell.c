/*
 * bell.c: doorbells.
 *
 * Their places are looked up in the flat view after each change of it, so that a bell follows its registers, and does
 * not ring where something else lies over them.
 */
#include "emu/core/bell.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "emu/core/machine.h"

struct Bells {
    Machine *machine;
    GMainContext *context;
    BellWire *wire;
    void *opaque;
    GPtrArray *bells; /* that hang; borrowed */
};

/* A place, and where it is wired now. */
typedef struct Spot {
    BellPlace place;
    bool there, wired;
    uint64_t addr;
} Spot;

struct Bell {
    Bells *bells;
    void (*rung)(void *opaque, unsigned n);
    void *opaque;
    unsigned n;
    int event;
    GSource *source;
    Spot spots[BELL_PLACES];
    unsigned count; /* of them; 0: it does not hang */
};

/* --- wires -------------------------------------------------------------------------------------------------------- */

/* Where the flat view has these registers. */
static bool find_place(const BellPlace *p, const SpaceRange *ranges, size_t count, uint64_t *addr)
{
    unsigned size = MAX(p->size, 1);

    for (size_t i = 0; i < count; i++) {
        const SpaceRange *r = &ranges[i];
        if (r->ram || r->ops != p->ops || r->opaque != p->opaque || p->offset < r->offset ||
            p->offset - r->offset >= r->size || r->size - (p->offset - r->offset) < size)
            continue;
        *addr = r->base + (p->offset - r->offset);
        return true;
    }
    return false;
}

static void cut(Bell *b, Spot *s)
{
    if (s->wired)
        b->bells->wire(b->bells->opaque, &s->place, s->addr, b->event, false);
    s->wired = false;
}

/* Cuts it where its registers are no longer. */
static void look_up(Bell *b, Spot *s, const SpaceRange *ranges, size_t count)
{
    uint64_t addr = 0;
    bool there = find_place(&s->place, ranges, count, &addr);

    if (!there || addr != s->addr)
        cut(b, s);
    s->there = there;
    s->addr = addr;
}

static void wire(Bell *b, Spot *s)
{
    if (s->there && !s->wired)
        s->wired = b->bells->wire(b->bells->opaque, &s->place, s->addr, b->event, true);
}

/* First all are cut, and then wired: one may come to where another was. */
static void follow(Bells *bells, bool ports, const SpaceRange *ranges, size_t count)
{
    for (unsigned step = 0; step < 2; step++)
        for (guint i = 0; i < bells->bells->len; i++) {
            Bell *b = bells->bells->pdata[i];
            for (unsigned k = 0; k < b->count; k++) {
                if (b->spots[k].place.ports != ports)
                    continue;
                if (step == 0)
                    look_up(b, &b->spots[k], ranges, count);
                else
                    wire(b, &b->spots[k]);
            }
        }
}

static void memory_changed(void *opaque, const SpaceRange *ranges, size_t count)
{
    follow(opaque, false, ranges, count);
}

static void ports_changed(void *opaque, const SpaceRange *ranges, size_t count)
{
    follow(opaque, true, ranges, count);
}

/* --- who can ------------------------------------------------------------------------------------------------------ */

void bells_new(Machine *machine, GMainContext *context, BellWire *wire_it, void *opaque)
{
    Bells *bells = g_new(Bells, 1);

    *bells = (Bells){machine, g_main_context_ref(context), wire_it, opaque, g_ptr_array_new()};
    machine->bells = bells;
    space_add_listener(machine->memory, memory_changed, bells);
    space_add_listener(machine->ports, ports_changed, bells);
}

void bells_free(Bells *bells)
{
    if (!bells)
        return;
    space_remove_listener(bells->machine->memory, bells);
    space_remove_listener(bells->machine->ports, bells);
    g_main_context_unref(bells->context);
    g_ptr_array_unref(bells->bells);
    g_free(bells);
}

/* --- a bell ------------------------------------------------------------------------------------------------------- */

/* Of a source; the bell is looked at only while the source is not destroyed. */
typedef struct Watch {
    Bell *bell;
    Machine *machine;
} Watch;

static gboolean event_ready(gint fd, GIOCondition condition, gpointer opaque)
{
    const Watch *w = opaque;

    (void)fd;
    (void)condition;
    machine_lock(w->machine);
    if (!g_source_is_destroyed(g_main_current_source()) && bell_was_rung(w->bell))
        w->bell->rung(w->bell->opaque, w->bell->n);
    machine_unlock(w->machine);
    return G_SOURCE_CONTINUE;
}

Bell *bell_new(Machine *machine, void (*rung)(void *opaque, unsigned n), void *opaque, unsigned n)
{
    int event = machine->bells ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

    if (event < 0)
        return NULL;
    Bell *b = g_new0(Bell, 1);
    Watch *w = g_new(Watch, 1);
    *b = (Bell){.bells = machine->bells, .rung = rung, .opaque = opaque, .n = n, .event = event};
    *w = (Watch){b, machine};
    b->source = g_unix_fd_source_new(event, G_IO_IN);
    g_source_set_callback(b->source, G_SOURCE_FUNC(event_ready), w, g_free);
    g_source_set_can_recurse(b->source, TRUE); /* see loop.h */
    g_source_attach(b->source, machine->bells->context);
    return b;
}

void bell_free(Bell *b)
{
    if (!b)
        return;
    bell_take_down(b);
    g_source_destroy(b->source);
    g_source_unref(b->source);
    close(b->event);
    g_free(b);
}

/* Where its registers are now, is asked of the space: as it does when it changes. */
void bell_hang(Bell *b, const BellPlace *places, unsigned count)
{
    bell_take_down(b);
    for (unsigned i = 0; i < count && i < BELL_PLACES; i++)
        b->spots[b->count++] = (Spot){.place = places[i]};
    g_ptr_array_add(b->bells->bells, b);
    for (unsigned i = 0; i < b->count; i++) {
        size_t n;
        const Machine *m = b->bells->machine;
        const SpaceRange *ranges = space_flat(b->spots[i].place.ports ? m->ports : m->memory, &n);
        look_up(b, &b->spots[i], ranges, n);
        wire(b, &b->spots[i]);
    }
}

void bell_take_down(Bell *b)
{
    if (!b->count)
        return;
    for (unsigned i = 0; i < b->count; i++)
        cut(b, &b->spots[i]);
    b->count = 0;
    g_ptr_array_remove_fast(b->bells->bells, b);
}

bool bell_hangs(const Bell *b)
{
    return b->count;
}

bool bell_was_rung(Bell *b)
{
    uint64_t count;
    ssize_t got;

    do
        got = read(b->event, &count, sizeof count);
    while (got < 0 && errno == EINTR);
    return got == sizeof count;
}
