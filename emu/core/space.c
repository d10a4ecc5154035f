/* space.c: address spaces. The flat view is made anew at each change, of which there are few after the firmware. */
#include "emu/core/space.h"

#include <string.h>

#include "emu/core/dirty.h"

typedef struct Entry {
    SpaceMapping mapping;
    uint64_t last; /* address, within the limit */
    SpaceId id;
} Entry;

typedef struct Listener {
    SpaceListener *listener;
    void *opaque;
} Listener;

struct Space {
    uint64_t last;   /* address */
    GArray *entries; /* of Entry: the lowest priority first, of equal ones the oldest */
    GArray *flat;    /* of SpaceRange */
    SpaceId last_id;
    unsigned updating;
    bool changed;
    GArray *listeners; /* of Listener */
};

Space *space_new(uint64_t limit)
{
    Space *space = g_new0(Space, 1);

    space->last = limit - 1;
    space->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    space->flat = g_array_new(FALSE, FALSE, sizeof(SpaceRange));
    space->listeners = g_array_new(FALSE, FALSE, sizeof(Listener));
    return space;
}

void space_free(Space *space)
{
    if (!space)
        return;
    g_array_unref(space->entries);
    g_array_unref(space->flat);
    g_array_unref(space->listeners);
    g_free(space);
}

static Entry *entry(const Space *space, guint i)
{
    return &g_array_index(space->entries, Entry, i);
}

static SpaceRange *range(const Space *space, guint i)
{
    return &g_array_index(space->flat, SpaceRange, i);
}

/* --- the flat view ---------------------------------------------------------------------------------------------- */

static uint64_t last_of(const SpaceRange *r)
{
    return r->base + (r->size - 1);
}

/* What the entry shows from address `from` to `to`. */
static SpaceRange part_of(const Entry *e, uint64_t from, uint64_t to)
{
    const SpaceMapping *m = &e->mapping;

    return (SpaceRange){.base = from,
                        .size = to - from + 1,
                        .ram = m->ram,
                        .offset = m->offset + (from - m->base),
                        .read_only = m->read_only,
                        .ops = m->ops,
                        .opaque = m->opaque};
}

/* Is b what a goes on with? */
static bool continues(const SpaceRange *a, const SpaceRange *b)
{
    return a->ram && a->ram == b->ram && last_of(a) + 1 == b->base && a->offset + a->size == b->offset &&
           a->read_only == b->read_only && a->ops == b->ops && a->opaque == b->opaque;
}

static int by_address(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The addresses at which an entry begins, or one has ended before: between two of them one entry is seen. Sorted. */
static GArray *find_borders(const Space *space)
{
    GArray *borders = g_array_new(FALSE, FALSE, sizeof(uint64_t));

    for (guint i = 0; i < space->entries->len; i++) {
        const Entry *e = entry(space, i);
        uint64_t after = e->last + 1;
        g_array_append_val(borders, e->mapping.base);
        if (e->last != space->last)
            g_array_append_val(borders, after);
    }
    g_array_sort(borders, by_address);
    return borders;
}

static const Entry *find_seen(const Space *space, uint64_t addr)
{
    for (guint i = space->entries->len; i-- > 0;)
        if (entry(space, i)->mapping.base <= addr && addr <= entry(space, i)->last)
            return entry(space, i);
    return NULL;
}

static void flatten(Space *space)
{
    g_autoptr(GArray) borders = find_borders(space);
    const Entry *before = NULL;

    g_array_set_size(space->flat, 0);
    for (guint i = 0; i < borders->len; i++) {
        uint64_t from = g_array_index(borders, uint64_t, i);
        uint64_t to = i + 1 < borders->len ? g_array_index(borders, uint64_t, i + 1) - 1 : space->last;
        const Entry *e = find_seen(space, from);
        if (i + 1 < borders->len && g_array_index(borders, uint64_t, i + 1) == from)
            continue;
        SpaceRange *last = space->flat->len ? range(space, space->flat->len - 1) : NULL;
        SpaceRange part = e ? part_of(e, from, to) : (SpaceRange){.size = 0};
        if (e && last && last_of(last) + 1 == from && (e == before || continues(last, &part)))
            last->size += part.size;
        else if (e)
            g_array_append_val(space->flat, part);
        before = e;
    }
}

static void tell(const Space *space, const Listener *l)
{
    l->listener(l->opaque, (const SpaceRange *)(void *)space->flat->data, space->flat->len);
}

static void change(Space *space)
{
    space->changed = true;
    space_update_start(space);
    space_update_end(space);
}

void space_update_start(Space *space)
{
    space->updating++;
}

void space_update_end(Space *space)
{
    if (--space->updating || !space->changed)
        return;
    space->changed = false;
    flatten(space);
    for (guint i = 0; i < space->listeners->len; i++)
        tell(space, &g_array_index(space->listeners, Listener, i));
}

void space_add_listener(Space *space, SpaceListener *listener, void *opaque)
{
    Listener l = {listener, opaque};

    g_array_append_val(space->listeners, l);
    tell(space, &l);
}

void space_remove_listener(Space *space, void *opaque)
{
    for (guint i = space->listeners->len; i-- > 0;)
        if (g_array_index(space->listeners, Listener, i).opaque == opaque)
            g_array_remove_index(space->listeners, i);
}

const SpaceRange *space_flat(const Space *space, size_t *count)
{
    *count = space->flat->len;
    return (const SpaceRange *)(void *)space->flat->data;
}

SpaceId space_map(Space *space, const SpaceMapping *mapping)
{
    Entry e = {.mapping = *mapping, .id = ++space->last_id};
    guint i = space->entries->len;

    if (mapping->size == 0 || mapping->base > space->last)
        return e.id;
    e.last = mapping->base + MIN(mapping->size - 1, space->last - mapping->base);
    while (i > 0 && entry(space, i - 1)->mapping.priority > mapping->priority)
        i--;
    g_array_insert_val(space->entries, i, e);
    change(space);
    return e.id;
}

void space_unmap(Space *space, SpaceId id)
{
    for (guint i = 0; i < space->entries->len; i++) {
        if (entry(space, i)->id != id)
            continue;
        g_array_remove_index(space->entries, i);
        change(space);
        return;
    }
}

const SpaceRange *space_find(Space *space, uint64_t addr)
{
    guint low = 0, high = space->flat->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        const SpaceRange *r = range(space, middle);
        if (addr < r->base)
            high = middle;
        else if (addr > last_of(r))
            low = middle + 1;
        else
            return r;
    }
    return NULL;
}

/* --- registers -------------------------------------------------------------------------------------------------- */

static uint64_t ones(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
}

static unsigned narrowest(const IoOps *ops)
{
    return ops->min ? ops->min : 1;
}

static unsigned widest(const IoOps *ops)
{
    return MAX(ops->max ? ops->max : 4, narrowest(ops));
}

/* The largest size of the handlers that an access of `size` octets at `addr` can be made of; below their smallest:
 * that. */
static unsigned step_of(const IoOps *ops, unsigned size)
{
    unsigned step = widest(ops);

    while (step > size && step > narrowest(ops))
        step /= 2;
    return step;
}

static uint64_t read_registers(const IoOps *ops, void *opaque, uint64_t addr, unsigned size)
{
    uint64_t value = 0;

    for (unsigned done = 0; done < size;) {
        unsigned step = step_of(ops, size - done), skipped = (unsigned)((addr + done) % narrowest(ops));
        unsigned n = MIN(size - done, step - skipped);
        uint64_t got = ops->read ? ops->read(opaque, addr + done - skipped, step) : UINT64_MAX;
        value |= (got >> skipped * 8 & ones(n)) << done * 8;
        done += n;
    }
    return value;
}

static void write_registers(const IoOps *ops, void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    for (unsigned done = 0; done < size;) {
        unsigned step = step_of(ops, size - done), skipped = (unsigned)((addr + done) % narrowest(ops));
        unsigned n = MIN(size - done, step - skipped);
        if (ops->write)
            ops->write(opaque, addr + done - skipped, (value >> done * 8 & ones(n)) << skipped * 8, step);
        done += n;
    }
}

/* --- accesses --------------------------------------------------------------------------------------------------- */

/* How many of `size` octets at `addr` lie in the range. */
static unsigned fitting(const SpaceRange *r, uint64_t addr, unsigned size)
{
    return (unsigned)MIN(last_of(r) - addr, size - 1) + 1;
}

/* How many octets from `addr` on, at most `size`, are nowhere. */
static unsigned missing(Space *space, uint64_t addr, unsigned size)
{
    unsigned n = 1;

    while (n < size && addr + n <= space->last && addr + n != 0 && !space_find(space, addr + n))
        n++;
    return n;
}

static uint64_t read_range(const SpaceRange *r, uint64_t addr, unsigned size)
{
    uint64_t offset = r->offset + (addr - r->base), value = 0;

    if (!r->ram)
        return r->ops ? read_registers(r->ops, r->opaque, offset, size) : ones(size);
    memcpy(&value, r->ram->host + offset, size); /* guest and host are little-endian */
    return value;
}

static void write_range(const SpaceRange *r, uint64_t addr, uint64_t value, unsigned size)
{
    uint64_t offset = r->offset + (addr - r->base);

    if (r->ram && !r->read_only) {
        memcpy(r->ram->host + offset, &value, size);
        dirty_mark(r->ram, offset, size);
    } else if (r->ops) {
        write_registers(r->ops, r->opaque, offset, value, size);
    }
}

uint64_t space_read(Space *space, uint64_t addr, unsigned size)
{
    uint64_t value = 0;

    for (unsigned done = 0, n; done < size; done += n) {
        uint64_t at = (addr + done) & space->last;
        const SpaceRange *r = space_find(space, at);
        n = r ? fitting(r, at, size - done) : missing(space, at, size - done);
        value |= (r ? read_range(r, at, n) : ones(n)) << done * 8;
    }
    return value;
}

void space_write(Space *space, uint64_t addr, uint64_t value, unsigned size)
{
    for (unsigned done = 0, n; done < size; done += n) {
        uint64_t at = (addr + done) & space->last;
        const SpaceRange *r = space_find(space, at);
        n = r ? fitting(r, at, size - done) : missing(space, at, size - done);
        if (r)
            write_range(r, at, value >> done * 8, n);
    }
}

void *space_map_octets(Space *space, uint64_t addr, size_t *len, bool write)
{
    const SpaceRange *r = space_find(space, addr);

    if (!r || !r->ram || (write && r->read_only) || *len == 0)
        return NULL;
    *len = MIN(*len - 1, last_of(r) - addr) + 1;
    if (write)
        dirty_mark(r->ram, r->offset + (addr - r->base), *len);
    return r->ram->host + r->offset + (addr - r->base);
}

/* Registers are accessed in fours where they can be. */
static unsigned register_step(uint64_t addr, size_t len)
{
    return addr % 4 == 0 && len >= 4 ? 4 : addr % 2 == 0 && len >= 2 ? 2 : 1;
}

void space_read_octets(Space *space, uint64_t addr, void *data, size_t len)
{
    uint8_t *p = data;

    for (size_t n; len; addr = (addr + n) & space->last, p += n, len -= n) {
        n = len;
        const void *host = space_map_octets(space, addr, &n, false);
        if (host) {
            memcpy(p, host, n);
            continue;
        }
        n = register_step(addr, len);
        uint64_t value = space_read(space, addr, (unsigned)n);
        memcpy(p, &value, n);
    }
}

void space_write_octets(Space *space, uint64_t addr, const void *data, size_t len)
{
    const uint8_t *p = data;

    for (size_t n; len; addr = (addr + n) & space->last, p += n, len -= n) {
        n = len;
        void *host = space_map_octets(space, addr, &n, true);
        if (host) {
            memcpy(host, p, n);
            continue;
        }
        uint64_t value = 0;
        n = register_step(addr, len);
        memcpy(&value, p, n);
        space_write(space, addr, value, (unsigned)n);
    }
}
