/* test-space.c: what answers at an address. */
#include <criterion/criterion.h>
#include <string.h>

#include "emu/core/space.h"

/* Registers that write down how they are accessed. */
typedef struct Log {
    GString *text;
    uint64_t value;
} Log;

static uint64_t log_read(void *opaque, uint64_t addr, unsigned size)
{
    Log *log = opaque;

    g_string_append_printf(log->text, "r%" G_GINT64_MODIFIER "x/%u ", addr, size);
    return log->value;
}

static void log_write(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Log *log = opaque;

    g_string_append_printf(log->text, "w%" G_GINT64_MODIFIER "x/%u=%" G_GINT64_MODIFIER "x ", addr, size, value);
}

static const IoOps any = {.read = log_read, .write = log_write};
static const IoOps octets = {.read = log_read, .write = log_write, .max = 1};
static const IoOps words = {.read = log_read, .write = log_write, .min = 4, .max = 4};

static void check_log(Log *log, const char *wanted)
{
    cr_assert_str_eq(log->text->str, wanted);
    g_string_truncate(log->text, 0);
}

static SpaceId map_io(Space *space, uint64_t base, uint64_t size, int priority, const IoOps *ops, Log *log)
{
    return space_map(space,
                     &(SpaceMapping){.base = base, .size = size, .priority = priority, .ops = ops, .opaque = log});
}

Test(space, where_nothing_is_all_bits_are_ones)
{
    Space *space = space_new(65536);

    cr_assert_eq(space_read(space, 0x80, 1), 0xff);
    cr_assert_eq(space_read(space, 0x80, 4), 0xffffffff);
    cr_assert_eq(space_read(space, 0x80, 8), UINT64_MAX);
    space_write(space, 0x80, 0, 8);
    cr_assert_null(space_find(space, 0x80));
    space_free(space);
}

Test(space, accesses_become_those_that_the_handlers_take)
{
    Space *space = space_new(65536);
    Log log = {.text = g_string_new(NULL), .value = 0x44332211};

    map_io(space, 0x100, 8, 0, &any, &log);
    map_io(space, 0x200, 8, 0, &octets, &log);
    map_io(space, 0x300, 8, 0, &words, &log);
    cr_assert_eq(space_read(space, 0x102, 2), 0x2211);
    check_log(&log, "r2/2 ");
    cr_assert_eq(space_read(space, 0x100, 8), 0x4433221144332211);
    check_log(&log, "r0/4 r4/4 ");
    cr_assert_eq(space_read(space, 0x201, 2), 0x1111);
    check_log(&log, "r1/1 r2/1 ");
    space_write(space, 0x200, 0xaabbccdd, 4);
    check_log(&log, "w0/1=dd w1/1=cc w2/1=bb w3/1=aa ");
    cr_assert_eq(space_read(space, 0x302, 1), 0x33);
    check_log(&log, "r0/4 ");
    cr_assert_eq(space_read(space, 0x303, 4), 0x33221144);
    check_log(&log, "r0/4 r4/4 ");
    space_write(space, 0x306, 0xbbaa, 2);
    check_log(&log, "w4/4=bbaa0000 ");
    g_string_free(log.text, TRUE);
    space_free(space);
}

Test(space, an_access_across_a_border_is_answered_by_both)
{
    Space *space = space_new(65536);
    Log log = {.text = g_string_new(NULL), .value = 0x44332211};

    map_io(space, 0x100, 2, 0, &any, &log);
    cr_assert_eq(space_read(space, 0xff, 4), 0xff2211ff);
    check_log(&log, "r0/2 ");
    space_write(space, 0x101, 0xaabb, 2);
    check_log(&log, "w1/1=bb ");
    map_io(space, 0xffff, 1, 0, &any, &log);
    cr_assert_eq(space_read(space, 0xffff, 2), 0xff11, "behind the last port comes the first");
    g_string_free(log.text, TRUE);
    space_free(space);
}

Test(space, the_highest_priority_answers_and_of_equal_ones_the_latest)
{
    Space *space = space_new(0);
    Log low = {.text = g_string_new(NULL), .value = 1}, high = {.text = g_string_new(NULL), .value = 2},
        late = {.text = g_string_new(NULL), .value = 3};

    SpaceId on_top = map_io(space, 0x1100, 0x100, 5, &any, &high);
    map_io(space, 0x1000, 0x1000, 0, &any, &low);
    cr_assert_eq(space_read(space, 0x1104, 4), 2);
    check_log(&high, "r4/4 ");
    cr_assert_eq(space_read(space, 0x1204, 4), 1);
    check_log(&low, "r204/4 ");
    SpaceId second = map_io(space, 0x1200, 0x100, 0, &any, &late);
    cr_assert_eq(space_read(space, 0x1204, 4), 3);
    space_unmap(space, second);
    space_unmap(space, on_top);
    cr_assert_eq(space_read(space, 0x1104, 4), 1);
    cr_assert_eq(space_read(space, 0x1204, 4), 1);
    g_string_free(low.text, TRUE);
    g_string_free(high.text, TRUE);
    g_string_free(late.text, TRUE);
    space_free(space);
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

typedef struct View {
    unsigned calls;
    GArray *ranges;
} View;

static void look(void *opaque, const SpaceRange *ranges, size_t count)
{
    View *view = opaque;

    view->calls++;
    g_array_set_size(view->ranges, 0);
    g_array_append_vals(view->ranges, ranges, (guint)count);
}

static const SpaceRange *seen(const View *view, guint i)
{
    return &g_array_index(view->ranges, SpaceRange, i);
}

Test(space, the_listener_gets_ranges_that_do_not_overlap_once_an_update)
{
    g_autoptr(RamArea) ram = ram_area_new("pc.ram", 0x100000, 0, NULL);
    Space *space = space_new(0);
    View view = {.ranges = g_array_new(FALSE, FALSE, sizeof(SpaceRange))};
    Log log = {.text = g_string_new(NULL)};

    space_add_listener(space, look, &view);
    cr_assert_eq(view.calls, 1);
    space_update_start(space);
    space_map(space, &(SpaceMapping){.base = 0, .size = 0x100000, .ram = ram});
    map_io(space, 0xa0000, 0x20000, 1, &any, &log);
    /* a piece of the same memory over it, in its place */
    space_map(space, &(SpaceMapping){.base = 0xf0000, .size = 0x8000, .priority = 1, .ram = ram, .offset = 0xf0000});
    cr_assert_eq(view.calls, 1);
    space_update_end(space);
    cr_assert_eq(view.calls, 2);
    cr_assert_eq(view.ranges->len, 3);
    cr_assert_eq(seen(&view, 0)->size, 0xa0000);
    cr_assert_eq(seen(&view, 1)->base, 0xa0000);
    cr_assert_null(seen(&view, 1)->ram);
    cr_assert_eq(seen(&view, 2)->base, 0xc0000);
    cr_assert_eq(seen(&view, 2)->size, 0x40000);
    cr_assert_eq(seen(&view, 2)->offset, 0xc0000);
    g_array_unref(view.ranges);
    g_string_free(log.text, TRUE);
    space_free(space);
}

Test(space, memory_is_read_and_written_and_a_rom_is_not)
{
    g_autoptr(RamArea) ram = ram_area_new("pc.ram", 0x2000, 0, NULL), rom = ram_area_new("pc.bios", 0x1000, 0, NULL);
    Space *space = space_new(0);
    const char text[] = "across the border of ram and rom";
    char back[sizeof text] = "";

    space_map(space, &(SpaceMapping){.base = 0, .size = 0x2000, .ram = ram});
    space_map(space, &(SpaceMapping){.base = 0x2000, .size = 0x1000, .ram = rom, .read_only = true});
    space_write(space, 0x1ffe, 0x44332211, 4);
    cr_assert_eq(space_read(space, 0x1ffe, 4), 0x00002211);
    memcpy(rom->host, text + 10, sizeof text - 10);
    space_write_octets(space, 0x2000 - 10, text, sizeof text);
    space_read_octets(space, 0x2000 - 10, back, sizeof back);
    cr_assert_str_eq(back, text);
    size_t len = 100;
    cr_assert_eq((uint8_t *)space_map_octets(space, 0x1ff0, &len, true), ram->host + 0x1ff0);
    cr_assert_eq(len, 16);
    len = 100;
    cr_assert_null(space_map_octets(space, 0x2000, &len, true));
    cr_assert_not_null(space_map_octets(space, 0x2000, &len, false));
    cr_assert_null(space_map_octets(space, 0x3000, &len, false));
    space_free(space);
}

Test(space, writes_to_memory_that_cannot_be_written_reach_its_registers)
{
    g_autoptr(RamArea) rom = ram_area_new("flash", 0x1000, 0, NULL);
    Space *space = space_new(0);
    Log log = {.text = g_string_new(NULL)};

    space_map(space, &(SpaceMapping){
                         .base = 0x1000, .size = 0x1000, .ram = rom, .read_only = true, .ops = &any, .opaque = &log});
    rom->host[0x10] = 0x5a;
    cr_assert_eq(space_read(space, 0x1010, 1), 0x5a);
    space_write(space, 0x1010, 0x77, 1);
    check_log(&log, "w10/1=77 ");
    cr_assert_eq(rom->host[0x10], 0x5a);
    g_string_free(log.text, TRUE);
    space_free(space);
}

Test(space, ram_that_no_host_has_is_an_error)
{
    g_autoptr(GError) error = NULL;

    cr_assert_null(ram_area_new("pc.ram", UINT64_MAX, 0, &error));
    cr_assert_not_null(
        strstr(error->message, "RAM block \"pc.ram\": there is no room for 18446744073709551615 octets"));
    g_clear_error(&error);
    cr_assert_null(ram_area_new("pc.ram", UINT64_C(1) << 60, 0, &error));
    cr_assert_not_null(error);
}

Test(space, cleared_memory_is_of_zeros)
{
    g_autoptr(RamArea) ram = ram_area_new("pc.ram", 5000, 9000, NULL);

    cr_assert_eq(ram->size, 8192);
    cr_assert_eq(ram->maximum, 12288);
    memset(ram->host, 1, ram->maximum);
    ram_area_clear(ram);
    cr_assert_eq(ram->host[0], 0);
    cr_assert_eq(ram->host[12287], 0);
}
