/* test-boot.c: what the firmware is told, held against what QEMU 7.2 tells it on the same machine. */
#include <criterion/criterion.h>
#include <string.h>

#include "emu/boot/boot.h"
#include "emu/boot/e820.h"
#include "emu/dev/dev.h"
#include "emu/dev/fw_cfg.h"
#include "emu/dev/mc146818rtc.h"
#include "tests/emu/support/board.h"

static const uint64_t mib = 1 << 20;

static BootPc plain(uint64_t memory)
{
    BootPc pc = {.cpus = 1, .max_cpus = 1, .boot_fail_wait = -1, .hpet = true};

    boot_split_memory(memory, &pc.below_4g, &pc.above_4g);
    return pc;
}

static Device *fill(Board *board, const BootPc *pc)
{
    g_autoptr(GError) error = NULL;
    Device *dev = board_add(board, device_new(&fw_cfg_type));

    cr_assert(boot_fill_fw_cfg(pc, dev, &error), "%s", error ? error->message : "");
    return dev;
}

static void expect_item(Board *board, uint16_t key, const void *octets, size_t len)
{
    board_out16(board, 0x510, key);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(board_in8(board, 0x511), ((const uint8_t *)octets)[i], "key 0x%x, octet %zu", key, i);
    cr_assert_eq(board_in8(board, 0x511), 0);
}

static void expect_file(Device *dev, const char *name, const void *octets, size_t len)
{
    g_autoptr(GBytes) file = fw_cfg_get_file(dev, name);

    cr_assert_not_null(file, "%s", name);
    cr_assert_eq(g_bytes_get_size(file), len, "%s", name);
    cr_assert(len == 0 || memcmp(g_bytes_get_data(file, NULL), octets, len) == 0, "%s", name);
}

/* --- fw_cfg ----------------------------------------------------------------------------------------------------- */

Test(boot, a_plain_pc_has_the_items_of_QEMU)
{
    g_autoptr(Board) board = board_new();
    BootPc pc = plain(32 * mib);

    fill(board, &pc);
    expect_item(board, 0x02, "", 0);
    expect_item(board, 0x03, "\0\0\0\2\0\0\0\0", 8);
    expect_item(board, 0x04, "\0\0", 2);
    expect_item(board, 0x05, "\1\0", 2);
    expect_item(board, 0x0e, "\0\0", 2);
    expect_item(board, 0x0f, "\1\0", 2);
    expect_item(board, 0x8000, "", 0);
    expect_item(board, 0x8001, "", 0);
    expect_item(board, 0x8002, "\1\0\0\0", 4);
    expect_item(board, 0x8003, "", 0);
    expect_item(board, 0x8004, "\1\1\xa2\x86\x80\0\0\xd0\xfe\0\0\0\0\0\0\0", 16);
}

Test(boot, the_files_of_a_plain_pc_are_those_of_QEMU)
{
    g_autoptr(Board) board = board_new();
    BootPc pc = plain(32 * mib);
    Device *dev = fill(board, &pc);
    static const uint8_t map[] = {
        0,    0xc0, 0xff, 0xfe, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, /* for KVM */
        0x00, 0,    0,    0,    0, 0, 0, 0, 0, 0,    0, 2, 0, 0, 0, 0, 1, 0, 0, 0, /* memory */
    };

    expect_file(dev, "bios-geometry", "", 0);
    expect_file(dev, "bootorder", "", 0);
    expect_file(dev, "etc/boot-fail-wait", "\xff\xff\xff\xff", 4);
    expect_file(dev, "etc/e820", map, sizeof(map));
    expect_file(dev, "etc/system-states", "\x80\0\0\x81\x82\x80", 6);
    expect_file(dev, "etc/tpm/log", "", 0);
    cr_assert_null(fw_cfg_get_file(dev, "genroms/kvmvapic.bin"));
}

Test(boot, what_is_asked_for_is_told)
{
    g_autoptr(Board) board = board_new();
    BootPc pc = plain(5120 * mib);
    g_autoptr(GBytes) rom = g_bytes_new("\x55\xaa", 2), paths = g_bytes_new("/rom@x\n", 8);
    Device *dev;

    pc.cpus = 3;
    pc.max_cpus = 4;
    memcpy(pc.uuid, "0123456789abcdef", 16);
    pc.boot_menu = pc.s3_off = pc.s4_off = true;
    pc.boot_fail_wait = 1000;
    pc.hpet = false;
    pc.vapic_rom = rom;
    pc.boot_paths = paths;
    dev = fill(board, &pc);
    expect_item(board, 0x02, "0123456789abcdef", 16);
    expect_item(board, 0x03, "\0\0\0\x40\1\0\0\0", 8);
    expect_item(board, 0x05, "\3\0", 2);
    expect_item(board, 0x0e, "\1\0", 2);
    expect_item(board, 0x0f, "\4\0", 2);
    expect_item(board, 0x8004, "\xff", 1);
    expect_file(dev, "etc/boot-fail-wait", "\xe8\3\0\0", 4);
    expect_file(dev, "etc/system-states", "\x80\0\0\1\2\x80", 6);
    expect_file(dev, "genroms/kvmvapic.bin", "\x55\xaa", 2);
    expect_file(dev, "bootorder", "/rom@x\n", 8);
}

/* --- the map ---------------------------------------------------------------------------------------------------- */

static void expect_map(const E820Entry *got, const E820Entry *want, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(got[i].base, want[i].base, "entry %u: 0x%lx", i, (unsigned long)got[i].base);
        cr_assert_eq(got[i].size, want[i].size, "entry %u: 0x%lx", i, (unsigned long)got[i].size);
        cr_assert_eq(got[i].type, want[i].type, "entry %u", i);
    }
}

Test(boot, memory_is_split_at_3_gib_when_it_reaches_3_and_a_half)
{
    uint64_t below, above;

    boot_split_memory(0xdffff000, &below, &above);
    cr_assert_eq(below, 0xdffff000);
    cr_assert_eq(above, 0);
    boot_split_memory(0xe0000000, &below, &above);
    cr_assert_eq(below, 0xc0000000);
    cr_assert_eq(above, 0x20000000);
}

Test(boot, the_firmware_finds_memory_on_both_sides_of_the_hole)
{
    BootPc pc = plain(5120 * mib);
    E820Entry entries[E820_ENTRIES];
    static const E820Entry want[] = {
        {UINT64_C(0xfeffc000), 0x4000, E820_RESERVED},
        {UINT64_C(0xfd00000000), UINT64_C(0x300000000), E820_RESERVED},
        {0, UINT64_C(0xc0000000), E820_RAM},
        {UINT64_C(0x100000000), UINT64_C(0x80000000), E820_RAM},
    };

    pc.hypertransport = true;
    cr_assert_eq(e820_for_firmware(&pc, entries), G_N_ELEMENTS(want));
    expect_map(entries, want, G_N_ELEMENTS(want));
}

Test(boot, a_kernel_without_firmware_is_told_what_is_not_memory)
{
    BootPc pc = plain(32 * mib);
    E820Entry entries[E820_ENTRIES];
    static const E820Entry want[] = {
        {0, 0x9fc00, E820_RAM},
        {0x9fc00, 0x60400, E820_RESERVED},
        {0x100000, 0x1ee0000, E820_RAM},
        {0x1fe0000, 0x20000, E820_ACPI},
        {UINT64_C(0xfeffc000), 0x4000, E820_RESERVED},
    };

    cr_assert_eq(e820_for_kernel(&pc, 0x20000, entries), G_N_ELEMENTS(want));
    expect_map(entries, want, G_N_ELEMENTS(want));
}

/* --- CMOS memory ------------------------------------------------------------------------------------------------ */

static Device *fill_cmos(Board *board, const BootPc *pc)
{
    g_autoptr(GError) error = NULL;
    Device *rtc = board_add(board, device_new(&mc146818rtc_type));

    device_reset(rtc);
    cr_assert(boot_fill_cmos(pc, rtc, &error), "%s", error ? error->message : "");
    return rtc;
}

/* Pairs of index and value; all others are 0, but for the century. */
static void expect_cmos(const Device *rtc, const uint8_t (*pairs)[2], size_t count)
{
    uint8_t want[CMOS_SIZE] = {0};

    for (size_t i = 0; i < count; i++)
        want[pairs[i][0]] = pairs[i][1];
    for (unsigned i = CMOS_FIRST; i < CMOS_SIZE; i++)
        if (i != CMOS_CENTURY && i != 0x37)
            cr_assert_eq(mc146818rtc_get_cmos(rtc, i), want[i], "0x%x: 0x%x", i, mc146818rtc_get_cmos(rtc, i));
}

Test(boot, the_cmos_memory_of_32_mib_is_that_of_QEMU)
{
    g_autoptr(Board) board = board_new();
    BootPc pc = plain(32 * mib);
    static const uint8_t want[][2] = {{0x14, 0x06}, {0x15, 0x80}, {0x16, 0x02}, {0x18, 0x7c},
                                      {0x31, 0x7c}, {0x35, 0x01}, {0x38, 0x30}, {0x3d, 0x12}};

    expect_cmos(fill_cmos(board, &pc), want, G_N_ELEMENTS(want));
}

Test(boot, the_cmos_memory_of_5_gib_is_that_of_QEMU)
{
    g_autoptr(Board) board = board_new();
    BootPc pc = plain(5120 * mib);
    static const uint8_t want[][2] = {{0x14, 0x06}, {0x15, 0x80}, {0x16, 0x02}, {0x17, 0xff},
                                      {0x18, 0xff}, {0x30, 0xff}, {0x31, 0xff}, {0x35, 0xbf},
                                      {0x3d, 0x23}, {0x5c, 0x80}, {0x5f, 0x02}};

    pc.cpus = 3;
    pc.max_cpus = 4;
    pc.boot_order = "dc";
    expect_cmos(fill_cmos(board, &pc), want, G_N_ELEMENTS(want));
}

Test(boot, floppy_drives_are_equipment)
{
    g_autoptr(Board) board = board_new();
    BootPc pc = plain(32 * mib);
    Device *rtc;

    pc.floppies[0] = BOOT_FLOPPY_288;
    pc.floppies[1] = BOOT_FLOPPY_144;
    rtc = fill_cmos(board, &pc);
    cr_assert_eq(mc146818rtc_get_cmos(rtc, 0x10), 0x54);
    cr_assert_eq(mc146818rtc_get_cmos(rtc, 0x14), 0x47);
}

/* --- what is refused -------------------------------------------------------------------------------------------- */

static void expect_refused(BootPc pc, const char *message)
{
    g_autoptr(GError) error = NULL;

    cr_assert(!boot_check(&pc, &error), "%s", message);
    cr_assert_str_eq(error->message, message);
}

Test(boot, what_no_pc_has_is_refused)
{
    BootPc pc = plain(32 * mib);

    pc.below_4g = 0x1ff000;
    expect_refused(pc, "below_4g: 0x1ff000 is not pages from 0x200000 to 0xe0000000");
    pc = plain(32 * mib);
    pc.above_4g = 1;
    expect_refused(pc, "above_4g: 0x1 is not pages up to 0x1000000000000");
    pc = plain(32 * mib);
    pc.cpus = 0;
    expect_refused(pc, "cpus: 0x0 is not 1 to 0xff");
    pc.cpus = 2;
    expect_refused(pc, "max_cpus: 0x1 is not from cpus to 0xff");
    pc = plain(32 * mib);
    pc.floppies[1] = 6;
    expect_refused(pc, "floppies: 0x6 is not a type of drive up to 5");
    pc = plain(32 * mib);
    pc.boot_order = "ax";
    expect_refused(pc, "boot_order: 0x78 is not one of the letters acdn");
    pc.boot_order = "acda";
    expect_refused(pc, "boot_order: 0x4 is not up to 0x3 letters");
}
