/* test-ram-freeze.c: memory as it was at one moment, read while others write it. */
#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "emu/core/ram-freeze.h"
#include "visitors/error.h"

enum { PAGE = RAM_FREEZE_PAGE, PAGES = 3000, WRITERS = 3 };

typedef struct Rig {
    GPtrArray *areas;
    uint8_t *then[2]; /* what was there at the moment */
    bool *seen[2];
    int stop;
} Rig;

static const uint64_t sizes[2] = {(uint64_t)PAGES * PAGE, 5 * PAGE};

static RamFreeze *try_new(const GPtrArray *areas)
{
    g_autoptr(GError) error = NULL;
    RamFreeze *f = ram_freeze_new(areas, &error);

    if (!f && g_error_matches(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED))
        cr_skip_test("%s", error->message);
    cr_assert(f, "%s", error->message);
    return f;
}

static void setup(Rig *r)
{
    r->areas = g_ptr_array_new_with_free_func((GDestroyNotify)ram_area_free);
    for (unsigned i = 0; i < 2; i++) {
        RamArea *area = ram_area_new(i ? "rom" : "ram", sizes[i], sizes[i], NULL);
        for (uint64_t page = 0; page < sizes[i] / PAGE; page += 3) /* others were never touched */
            memset(area->host + page * PAGE, (int)(page % 251), PAGE);
        g_ptr_array_add(r->areas, area);
        r->seen[i] = g_new0(bool, sizes[i] / PAGE);
    }
}

static void teardown(Rig *r)
{
    for (unsigned i = 0; i < 2; i++) {
        g_free(r->then[i]);
        g_free(r->seen[i]);
    }
    g_ptr_array_unref(r->areas);
}

static uint8_t *host(const Rig *r, unsigned area)
{
    return ((RamArea *)r->areas->pdata[area])->host;
}

static void note_moment(Rig *r)
{
    for (unsigned i = 0; i < 2; i++)
        r->then[i] = g_memdup2(host(r, i), sizes[i]);
}

static void check_run(Rig *r, const RamFrozen *run)
{
    static const uint8_t zeros[PAGE];

    for (unsigned i = 0; i < run->count; i++) {
        uint64_t page = run->first + i;
        const uint8_t *has = run->pages[i] ? run->pages[i] : zeros;
        cr_assert(!r->seen[run->area][page], "area %u, page %lu comes twice", run->area, page);
        r->seen[run->area][page] = true;
        cr_assert_eq(memcmp(has, r->then[run->area] + page * PAGE, PAGE), 0, "area %u, page %lu", run->area, page);
    }
}

static void read_all(Rig *r, RamFreeze *f)
{
    GError *error = NULL;
    RamFrozen run;

    while (ram_freeze_read(f, &run, &error))
        check_run(r, &run);
    cr_assert_null(error, "%s", error ? error->message : "");
    for (unsigned i = 0; i < 2; i++)
        for (uint64_t page = 0; page < sizes[i] / PAGE; page++)
            cr_assert(r->seen[i][page], "area %u, page %lu does not come", i, page);
}

Test(ram_freeze, memory_that_nobody_writes_is_read_as_it_is)
{
    Rig r = {0};

    setup(&r);
    RamFreeze *f = try_new(r.areas);
    note_moment(&r);
    cr_assert(ram_freeze_now(f, NULL));
    cr_assert_eq(ram_freeze_total(f), PAGES + 5);
    read_all(&r, f);
    cr_assert_eq(ram_freeze_faults(f), 0);
    ram_freeze_free(f);
    teardown(&r);
}

static void *write_on(void *opaque)
{
    Rig *r = opaque;
    unsigned seed = (unsigned)(uintptr_t)g_thread_self();

    while (!g_atomic_int_get(&r->stop)) {
        seed = seed * 1103515245 + 12345;
        unsigned area = seed >> 16 & 15 ? 0 : 1;
        uint64_t at = (seed >> 8) % (sizes[area] / 8) * 8;
        *(volatile uint64_t *)(host(r, area) + at) = seed;
    }
    return NULL;
}

/* They stand for the moment, as a guest does. */
Test(ram_freeze, what_is_written_before_the_moment_is_there_and_what_is_written_afterwards_is_not, .timeout = 120)
{
    GThread *threads[WRITERS];
    Rig r = {0};

    setup(&r);
    for (unsigned i = 0; i < WRITERS; i++)
        threads[i] = g_thread_new("writer", write_on, &r);
    RamFreeze *f = try_new(r.areas);
    g_atomic_int_set(&r.stop, 1);
    for (unsigned i = 0; i < WRITERS; i++)
        g_thread_join(threads[i]);
    note_moment(&r);
    cr_assert(ram_freeze_now(f, NULL));
    g_atomic_int_set(&r.stop, 0);
    for (unsigned i = 0; i < WRITERS; i++)
        threads[i] = g_thread_new("writer", write_on, &r);
    while (!ram_freeze_faults(f))
        g_usleep(100); /* on a busy machine all could be read before the first of them runs */
    read_all(&r, f);
    g_atomic_int_set(&r.stop, 1);
    for (unsigned i = 0; i < WRITERS; i++)
        g_thread_join(threads[i]);
    ram_freeze_free(f);
    teardown(&r);
}

Test(ram_freeze, so_much_that_was_written_is_read_first_and_only_once)
{
    Rig r = {0};

    setup(&r);
    RamFreeze *f = try_new(r.areas);
    note_moment(&r);
    cr_assert(ram_freeze_now(f, NULL));
    for (uint64_t page = 0; page < PAGES; page++)
        host(&r, 0)[page * PAGE + 7] = 0xee;
    cr_assert_eq(ram_freeze_faults(f), PAGES);
    read_all(&r, f);
    for (uint64_t page = 0; page < PAGES; page++)
        cr_assert_eq(host(&r, 0)[page * PAGE + 7], 0xee);
    ram_freeze_free(f);
    teardown(&r);
}

/* As a disk's data come in. */
Test(ram_freeze, the_kernel_waits_too_when_it_writes)
{
    static const char text[] = "from outside";
    int fds[2];
    Rig r = {0};

    setup(&r);
    RamFreeze *f = try_new(r.areas);
    note_moment(&r);
    cr_assert(ram_freeze_now(f, NULL));
    cr_assert_eq(pipe(fds), 0);
    cr_assert_eq(write(fds[1], text, sizeof text), sizeof text);
    cr_assert_eq(read(fds[0], host(&r, 0) + 40 * PAGE, sizeof text), sizeof text);
    read_all(&r, f);
    cr_assert_str_eq((char *)host(&r, 0) + 40 * PAGE, text);
    cr_assert_eq(ram_freeze_faults(f), 1);
    ram_freeze_free(f);
    close(fds[0]);
    close(fds[1]);
    teardown(&r);
}

Test(ram_freeze, who_gives_up_leaves_memory_that_can_be_written)
{
    RamFrozen run;
    Rig r = {0};

    setup(&r);
    RamFreeze *f = try_new(r.areas);
    note_moment(&r);
    cr_assert(ram_freeze_now(f, NULL));
    cr_assert(ram_freeze_read(f, &run, NULL));
    check_run(&r, &run);
    host(&r, 0)[2999 * PAGE] = 1;
    ram_freeze_free(f);
    memset(host(&r, 0), 0x55, sizes[0]);
    cr_assert_eq(host(&r, 0)[1000 * PAGE], 0x55);
    teardown(&r);
}

Test(ram_freeze, memory_is_frozen_again_after_that)
{
    Rig r = {0};

    setup(&r);
    ram_freeze_free(try_new(r.areas));
    RamFreeze *f = try_new(r.areas);
    host(&r, 1)[PAGE] = 9; /* before the moment */
    note_moment(&r);
    cr_assert(ram_freeze_now(f, NULL));
    host(&r, 1)[PAGE] = 10;
    read_all(&r, f);
    cr_assert_eq(ram_freeze_faults(f), 1); /* the page was never touched before */
    ram_freeze_free(f);
    teardown(&r);
}

/* Nor does reading all of it take memory. */
Test(ram_freeze, what_was_never_touched_is_zeros_though_somebody_writes_to_it)
{
    enum { WRITTEN = 7 };
    RamFrozen run;
    Rig r = {0};
    unsigned pages = 0, full = 0;

    setup(&r);
    ram_area_clear(r.areas->pdata[0]);
    RamFreeze *f = try_new(r.areas);
    cr_assert(ram_freeze_now(f, NULL));
    host(&r, 0)[WRITTEN * PAGE] = 1;
    cr_assert_eq(host(&r, 0)[(WRITTEN + 1) * PAGE], 0);
    while (ram_freeze_read(f, &run, NULL))
        for (unsigned i = 0; run.area == 0 && i < run.count; i++, pages++)
            full += run.pages[i] != NULL;
    cr_assert_eq(pages, PAGES);
    cr_assert_eq(full, 0);
    cr_assert_eq(host(&r, 0)[WRITTEN * PAGE], 1);
    memset(host(&r, 0) + 20 * PAGE, 3, PAGE); /* also what comes after it was read */
    ram_freeze_free(f);
    cr_assert_eq(host(&r, 0)[20 * PAGE], 3);
    teardown(&r);
}
