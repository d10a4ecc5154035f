/* test-smbios.c: the structures octet for octet as QEMU 7.2 has them, and what a guest finds in them. */
#include <criterion/criterion.h>
#include <string.h>

#include "emu/boot/smbios.h"
#include "emu/dev/dev.h"
#include "emu/dev/fw_cfg.h"
#include "tests/emu/support/board.h"

/* Read from QEMU 7.2 through fw_cfg: 32 MiB with one processor; 5 GiB with four; 20 GiB in two sockets. */
static const char recorded_32_mib[] =
    "011b0001010203000000000000000000000000000000000006000051454d55005374616e646172642050432028693434304658202b205049"
    "49582c2031393936290070632d6934343066782d372e3200000316000301010200000303030200000000000000000051454d550070632d69"
    "34343066782d372e320000042a000401030102b10f0600fdfb8b0703000000d007d0074101ffffffffffff00000001010102000100435055"
    "20300051454d550070632d6934343066782d372e3200001017001001030600800000feff010000000000000000000000112800110010feff"
    "ffffffff2000090001000702000000020000000000000000000000000000000044494d4d20300051454d550000131f001300000000ff7f00"
    "00001001000000000000000000000000000000000000200b00200000000000000000007f04007f0000";
static const char recorded_5_gib[] =
    "011b0001010203000000000000000000000000000000000006000051454d55005374616e646172642050432028693434304658202b205049"
    "49582c2031393936290070632d6934343066782d372e3200000316000301010200000303030200000000000000000051454d550070632d69"
    "34343066782d372e320000042a000401030102b10f0600fdfb8b0703000000d007d0074101ffffffffffff00000004040402000100435055"
    "20300051454d550070632d6934343066782d372e3200001017001001030600005000feff010000000000000000000000112800110010feff"
    "ffffffff0014090001000702000000020000000000000000000000000000000044494d4d20300051454d550000131f001300000000ffff2f"
    "00001001000000000000000000000000000000000000131f011300004000ffff5f0000100100000000000000000000000000000000000020"
    "0b00200000000000000000007f04007f0000";
static const char recorded_20_gib[] =
    "011b00010102030033221100554477668899aabbccddeeff06000051454d55005374616e646172642050432028693434304658202b205049"
    "49582c2031393936290070632d6934343066782d372e3200000316000301010200000303030200000000000000000051454d550070632d69"
    "34343066782d372e320000042a000401030102b10f0600fdfb8b0703000000d007d0074101ffffffffffff00000001010202000100435055"
    "20300051454d550070632d6934343066782d372e320000042a010401030102b10f0600fdfb8b0703000000d007d0074101ffffffffffff00"
    "00000101020200010043505520310051454d550070632d6934343066782d372e3200001017001001030600004001feff0200000000000000"
    "00000000112800110010feffffffffff0040090001000702000000020000000000000000000000000000000044494d4d20300051454d5500"
    "00112801110010feffffffffff0010090001000702000000020000000000000000000000000000000044494d4d20310051454d550000131f"
    "001300000000ffff2f00001001000000000000000000000000000000000000131f011300004000ffff4f0100100100000000000000000000"
    "0000000000000000200b00200000000000000000007f04007f0000";

static SmbiosPc plain(uint64_t memory, unsigned cpus)
{
    SmbiosPc s = {.pc = {.cpus = cpus, .max_cpus = cpus},
                  .cores = cpus,
                  .threads = 1,
                  .cpuid_version = 0x60fb1,
                  .cpuid_features = 0x078bfbfd};

    boot_split_memory(memory, &s.pc.below_4g, &s.pc.above_4g);
    return s;
}

static char *hex(GBytes *octets)
{
    size_t len;
    const uint8_t *data = g_bytes_get_data(octets, &len);
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < len; i++)
        g_string_append_printf(text, "%02x", data[i]);
    return g_string_free(text, FALSE);
}

static void expect_recorded(const SmbiosPc *s, const char *recorded, const char *entry_point)
{
    g_autoptr(GBytes) tables = NULL, anchor = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *got = NULL, *got_anchor = NULL;

    cr_assert(smbios_make(s, &tables, &anchor, &error), "%s", error ? error->message : "");
    got = hex(tables);
    got_anchor = hex(anchor);
    cr_assert_str_eq(got, recorded);
    cr_assert_str_eq(got_anchor, entry_point);
}

Test(smbios, a_plain_pc_says_what_QEMU_says)
{
    SmbiosPc s = plain(32 << 20, 1);

    expect_recorded(&s, recorded_32_mib, "5f534d5f001f020851000000000000005f444d495f00410100000000080028");
}

Test(smbios, memory_above_the_hole_has_its_own_addresses)
{
    SmbiosPc s = plain(UINT64_C(5) << 30, 4);

    s.pc.cpus = 3;
    expect_recorded(&s, recorded_5_gib, "5f534d5f001f020851000000000000005f444d495f00620100000000090028");
}

Test(smbios, sockets_modules_and_a_UUID)
{
    static const uint8_t uuid[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                   0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    SmbiosPc s = plain(UINT64_C(20) << 30, 4);

    s.cores = 1;
    s.threads = 2;
    memcpy(s.pc.uuid, uuid, sizeof(uuid));
    expect_recorded(&s, recorded_20_gib, "5f534d5f001f020851000000000000005f444d495f00db01000000000b0028");
}

/* --- as a guest reads them -------------------------------------------------------------------------------------- */

/* The structure number `n` of a type, or NULL; `last` is where it and its texts end. */
static const uint8_t *find(GBytes *tables, uint8_t type, unsigned n)
{
    size_t len, at = 0;
    const uint8_t *data = g_bytes_get_data(tables, &len);

    while (at + 4 <= len) {
        const uint8_t *found = data + at;
        if (found[0] == type && n-- == 0)
            return found;
        at += found[1];
        while (at + 2 <= len && (data[at] || data[at + 1]))
            at++;
        at += 2;
    }
    cr_assert_eq(at, len, "the structures do not end where they should");
    return NULL;
}

static const char *text(const uint8_t *structure, unsigned offset)
{
    const char *t = (const char *)structure + structure[1];

    for (unsigned n = structure[offset]; n > 1; n--)
        t += strlen(t) + 1;
    return structure[offset] ? t : NULL;
}

static uint64_t le(const uint8_t *at, unsigned octets)
{
    uint64_t value = 0;

    while (octets--)
        value = value << 8 | at[octets];
    return value;
}

Test(smbios, texts_are_those_that_were_given)
{
    SmbiosPc s = plain(32 << 20, 1);
    g_autoptr(GBytes) tables = NULL, anchor = NULL;
    const uint8_t *found;

    s.bios.vendor = "Somebody";
    s.bios.date = "04/01/2014";
    s.system.manufacturer = "Maker";
    s.system.product = "Thing";
    s.system.version = "2";
    s.system.serial = "S1";
    s.system.family = "F";
    s.chassis.serial = "C1";
    s.chassis.asset = "A1";
    s.chassis.sku = "K1";
    cr_assert(smbios_make(&s, &tables, &anchor, NULL));
    found = find(tables, 0, 0);
    cr_assert_eq(found[1], 24);
    cr_assert_str_eq(text(found, 4), "Somebody");
    cr_assert_null(text(found, 5));
    cr_assert_str_eq(text(found, 8), "04/01/2014");
    found = find(tables, 1, 0);
    cr_assert_str_eq(text(found, 4), "Maker");
    cr_assert_str_eq(text(found, 5), "Thing");
    cr_assert_str_eq(text(found, 6), "2");
    cr_assert_str_eq(text(found, 7), "S1");
    cr_assert_null(text(found, 25));
    cr_assert_str_eq(text(found, 26), "F");
    found = find(tables, 3, 0);
    cr_assert_str_eq(text(found, 4), "Maker");
    cr_assert_str_eq(text(found, 7), "C1");
    cr_assert_str_eq(text(found, 8), "A1");
    cr_assert_str_eq(text(found, 21), "K1");
    cr_assert_str_eq(text(find(tables, 17, 0), 0x17), "Maker");
    cr_assert_not_null(find(tables, 127, 0));
    cr_assert_null(find(tables, 2, 0));
}

Test(smbios, much_memory_is_told_in_the_wider_numbers)
{
    SmbiosPc s = plain((UINT64_C(4) << 40) - (UINT64_C(1) << 30), 1);
    g_autoptr(GBytes) tables = NULL, anchor = NULL;
    const uint8_t *found;

    cr_assert(smbios_make(&s, &tables, &anchor, NULL));
    found = find(tables, 16, 0);
    cr_assert_eq(le(found + 7, 4), 0x80000000);
    cr_assert_eq(le(found + 13, 2), 256);
    cr_assert_eq(le(found + 15, 8), UINT64_C(0x3ffc0000000));
    found = find(tables, 17, 255);
    cr_assert_eq(le(found + 2, 2), 0x11ff);
    cr_assert_eq(le(found + 12, 2), 15 * 1024);
    cr_assert_str_eq(text(found, 0x10), "DIMM 255");
    found = find(tables, 19, 1);
    cr_assert_eq(le(found + 4, 4), UINT32_MAX);
    cr_assert_eq(le(found + 8, 4), UINT32_MAX);
    cr_assert_eq(le(found + 15, 8), UINT64_C(0x100000000));
    cr_assert_eq(le(found + 23, 8), UINT64_C(0x3ffffffffff));
}

Test(smbios, the_files_are_there_for_the_firmware)
{
    g_autoptr(Board) board = board_new();
    Device *fw_cfg = board_add(board, device_new(&fw_cfg_type));
    SmbiosPc s = plain(32 << 20, 1);
    g_autoptr(GBytes) tables = NULL, anchor = NULL;

    cr_assert(smbios_install(&s, fw_cfg, NULL));
    tables = fw_cfg_get_file(fw_cfg, "etc/smbios/smbios-tables");
    anchor = fw_cfg_get_file(fw_cfg, "etc/smbios/smbios-anchor");
    cr_assert_eq(g_bytes_get_size(tables), 321);
    cr_assert_eq(g_bytes_get_size(anchor), 31);
}

/* --- what is refused -------------------------------------------------------------------------------------------- */

static void expect_refused(const SmbiosPc *s, const char *message)
{
    g_autoptr(GBytes) tables = NULL, anchor = NULL;
    g_autoptr(GError) error = NULL;

    cr_assert(!smbios_make(s, &tables, &anchor, &error), "%s", message);
    cr_assert_str_eq(error->message, message);
}

Test(smbios, what_cannot_be_told_is_refused)
{
    SmbiosPc s = plain(32 << 20, 1);
    g_autoptr(GBytes) tables = NULL, anchor = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *text_too_long = g_strnfill(1025, 'x'), *long_text = g_strnfill(1024, 'x');

    s.cores = 0;
    expect_refused(&s, "SMBIOS: 0x0 cores of 0x1 threads are not 1 to 0xff");
    s = plain(UINT64_C(5) << 40, 1);
    expect_refused(&s, "SMBIOS: 0x50000000000 octets of memory are more than 0x40000000000");
    s = plain(32 << 20, 1);
    s.system.serial = "";
    expect_refused(&s, "SMBIOS serial: 0x0 octets are not 0x1 to 0x400");
    s.system.serial = text_too_long;
    expect_refused(&s, "SMBIOS serial: 0x401 octets are not 0x1 to 0x400");
    s = plain(32 << 20, 255);
    s.cores = 1;
    s.system.manufacturer = long_text;
    cr_assert(!smbios_make(&s, &tables, &anchor, &error));
    cr_assert(g_str_has_suffix(error->message, " octets are more than 0xffff"), "%s", error->message);
}

static uint8_t sum(const uint8_t *octets, size_t len)
{
    uint8_t all = 0;

    for (size_t i = 0; i < len; i++)
        all += octets[i];
    return all;
}

/* SMBIOS 2.8, 5.2.1. */
Test(smbios, a_kernel_without_firmware_finds_an_entry_point_that_sums_up_and_leads_to_the_structures)
{
    const SmbiosPc s = plain(32 << 20, 1);
    uint8_t memory[0x1000] = {0};
    g_autoptr(GBytes) tables = NULL, anchor = NULL;
    gsize len;

    cr_assert(smbios_place(&s, memory, 0xf0000, sizeof memory, NULL));
    cr_expect_arr_eq(memory, "_SM_", 4);
    cr_expect_arr_eq(memory + 0x10, "_DMI_", 5);
    cr_expect_eq(memory[5], 0x1f);
    cr_expect_eq(sum(memory, memory[5]), 0);
    cr_expect_eq(sum(memory + 0x10, 15), 0);
    cr_assert(smbios_make(&s, &tables, &anchor, NULL));
    const void *structures = g_bytes_get_data(tables, &len);
    uint32_t address = memory[0x18] | memory[0x19] << 8 | memory[0x1a] << 16 | (uint32_t)memory[0x1b] << 24;
    cr_expect_eq(memory[0x16] | memory[0x17] << 8, (int)len);
    cr_expect_arr_eq(memory + (address - 0xf0000), structures, len);
}

Test(smbios, tables_without_room_are_refused)
{
    const SmbiosPc s = plain(32 << 20, 1);
    uint8_t memory[0x40];
    g_autoptr(GError) error = NULL;

    cr_expect_not(smbios_place(&s, memory, 0xf0000, sizeof memory, &error));
    cr_expect(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_LIMIT));
}
