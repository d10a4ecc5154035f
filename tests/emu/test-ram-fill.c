/* test-ram-fill.c: memory that comes while it is used. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "emu/core/ram-fill.h"
#include "tests/support/ram-stream.h"
#include "visitors/error.h"

enum { READERS = 3 };

typedef struct Rig {
    RamStream stream;
    GPtrArray *areas;
    RamFill *fill;
    int fails; /* atomic: what is read from the stream */
    int told;  /* atomic: how often it was told that it fails */
} Rig;

/* A channel that fails when it is told to. */
typedef struct Weak {
    Chan chan;
    Chan *inner;
    Rig *rig;
} Weak;

static gssize read_weak(Chan *chan, void *data, size_t len, GError **error)
{
    const Weak *w = (Weak *)chan;

    if (!g_atomic_int_get(&w->rig->fails))
        return w->inner->ops->read(w->inner, data, len, error);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "the disk has gone");
    return -1;
}

static bool seek_weak(Chan *chan, uint64_t pos, GError **error)
{
    return chan_seek(((Weak *)chan)->inner, pos, error);
}

static int64_t size_of_weak(Chan *chan)
{
    return chan_size(((Weak *)chan)->inner);
}

static void free_weak(Chan *chan)
{
    chan_free(((Weak *)chan)->inner);
    g_free(chan);
}

static Chan *weak_new(Rig *r)
{
    static const ChanOps ops = {.read = read_weak, .seek = seek_weak, .size = size_of_weak, .free = free_weak};
    Weak *w = g_new0(Weak, 1);

    *w = (Weak){{&ops}, chan_mem_new(r->stream.octets.data, r->stream.octets.len), r};
    return &w->chan;
}

static void failed(void *opaque, const char *why)
{
    cr_assert_str_eq(why, "the disk has gone");
    g_atomic_int_inc(&((Rig *)opaque)->told);
}

static void setup(Rig *r)
{
    g_autoptr(GError) error = NULL;

    *r = (Rig){.areas = g_ptr_array_new_with_free_func((GDestroyNotify)ram_area_free)};
    ram_stream_init(&r->stream, false, false);
    for (unsigned i = 0; i < 2; i++) {
        g_ptr_array_add(r->areas, ram_area_new(i ? "rom" : "ram", r->stream.size[i], r->stream.size[i], NULL));
        memset(((RamArea *)r->areas->pdata[i])->host, 0xee, r->stream.size[i]); /* what was there before goes */
    }
    Chan *chan = weak_new(r);
    RamIndex *index = ram_index_read(chan, NULL);
    r->fill = ram_fill_new(index, chan, failed, r, &error);
    if (!r->fill && g_error_matches(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED))
        cr_skip_test("%s", error->message);
    cr_assert(r->fill, "%s", error->message);
}

static void teardown(Rig *r)
{
    ram_fill_free(r->fill);
    g_ptr_array_unref(r->areas);
    ram_stream_done(&r->stream);
}

static uint8_t *host(const Rig *r, unsigned area)
{
    return ((RamArea *)r->areas->pdata[area])->host;
}

static void check_all(const Rig *r)
{
    for (unsigned i = 0; i < 2; i++)
        cr_assert_eq(memcmp(host(r, i), r->stream.memory[i], r->stream.size[i]), 0, "area %u", i);
}

static void begin(Rig *r)
{
    GError *error = NULL;

    cr_assert(ram_fill_begin(r->fill, r->areas, &error), "%s", error->message);
}

Test(ram_fill, what_nobody_touches_comes_by_itself)
{
    Rig r;

    setup(&r);
    begin(&r);
    ram_fill_drop_old(r.fill);
    while (ram_fill_next(r.fill) != RAM_FILL_ALL)
        continue;
    RamFillProgress p = ram_fill_progress(r.fill);
    cr_assert(p.all && p.done == p.total && p.total && !p.faults && !p.why);
    check_all(&r);
    teardown(&r);
}

Test(ram_fill, what_is_touched_comes_at_once)
{
    Rig r;

    setup(&r);
    begin(&r);
    check_all(&r); /* nobody reads in the background */
    cr_assert(ram_fill_progress(r.fill).faults > 0);
    cr_assert(!ram_fill_progress(r.fill).all);
    cr_assert_eq(ram_fill_next(r.fill), RAM_FILL_ALL);
    check_all(&r);
    teardown(&r);
}

static void *use(void *opaque)
{
    const Rig *r = opaque;
    unsigned seed = (unsigned)(uintptr_t)g_thread_self();

    for (unsigned i = 0; i < 3000; i++) {
        seed = seed * 1103515245 + 12345;
        uint64_t page = (seed >> 8) % RAM_STREAM_PAGES;
        cr_assert_eq(memcmp(host(r, 0) + page * RAM_PAGE, r->stream.memory[0] + page * RAM_PAGE, RAM_PAGE), 0);
    }
    return NULL;
}

Test(ram_fill, many_touch_it_while_it_comes, .timeout = 120)
{
    GThread *threads[READERS];
    Rig r;

    setup(&r);
    begin(&r);
    for (unsigned i = 0; i < READERS; i++)
        threads[i] = g_thread_new("reader", use, &r);
    while (ram_fill_next(r.fill) != RAM_FILL_ALL)
        continue;
    for (unsigned i = 0; i < READERS; i++)
        g_thread_join(threads[i]);
    check_all(&r);
    teardown(&r);
}

Test(ram_fill, what_was_written_meanwhile_stays)
{
    Rig r;

    setup(&r);
    begin(&r);
    for (uint64_t page = 0; page < RAM_STREAM_PAGES; page += 50)
        r.stream.memory[0][page * RAM_PAGE + 17] = host(&r, 0)[page * RAM_PAGE + 17] = 0x99;
    while (ram_fill_next(r.fill) != RAM_FILL_ALL)
        continue;
    check_all(&r);
    teardown(&r);
}

/* 1: there was a page; -1: there was none. */
static void *touch(void *opaque)
{
    const Rig *r = opaque;
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    /* as the kernel does it, which is not ended by a signal */
    ssize_t n = write(fds[1], host(r, 0), 1);
    close(fds[0]);
    close(fds[1]);
    return GINT_TO_POINTER(n == 1 ? 1 : -1);
}

/* Somebody waits for a page that cannot be read. */
static GThread *setup_waiting(Rig *r)
{
    setup(r);
    begin(r);
    g_atomic_int_set(&r->fails, 1);
    GThread *thread = g_thread_new("touch", touch, r);
    while (!g_atomic_int_get(&r->told))
        g_usleep(1000);
    return thread;
}

Test(ram_fill, who_needs_what_cannot_be_read_waits_until_it_can_be, .timeout = 60)
{
    Rig r;
    GThread *thread = setup_waiting(&r);

    g_autofree char *why = ram_fill_progress(r.fill).why;
    cr_assert_str_eq(why, "the disk has gone");
    cr_assert_eq(ram_fill_next(r.fill), RAM_FILL_FAILED);
    cr_assert_eq(g_atomic_int_get(&r.told), 1, "once is enough");
    ram_fill_retry(r.fill);
    while (g_atomic_int_get(&r.told) < 2)
        g_usleep(1000);
    g_atomic_int_set(&r.fails, 0);
    ram_fill_retry(r.fill);
    cr_assert_eq(GPOINTER_TO_INT(g_thread_join(thread)), 1);
    while (ram_fill_next(r.fill) != RAM_FILL_ALL)
        continue;
    check_all(&r);
    teardown(&r);
}

Test(ram_fill, at_the_end_of_a_machine_who_waits_fails_and_is_given_nothing, .timeout = 60)
{
    Rig r;
    GThread *thread = setup_waiting(&r);

    ram_fill_give_up(r.fill);
    cr_assert_eq(GPOINTER_TO_INT(g_thread_join(thread)), -1);
    teardown(&r);
}
