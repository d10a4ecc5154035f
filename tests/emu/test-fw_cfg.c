/* test-fw_cfg.c: the items, the directory, DMA, and what is saved, as the specification of fw_cfg has them. */
#include <criterion/criterion.h>
#include <string.h>

#include "emu/dev/dev.h"
#include "emu/dev/fw_cfg.h"
#include "tests/emu/support/board.h"

enum {
    RAM = 0x10000,    /* octets from address 0 */
    ROM = 0xf0000,    /* a page that cannot be written */
    COMMAND = 0x1000, /* where the tests put DMA commands */
    BUFFER = 0x2000,
    NOWHERE = 0xd0000000,

    ERROR = 0x01,
    READ = 0x02,
    SKIP = 0x04,
    SELECT = 0x08,
    WRITE = 0x10,
};

static RamArea *add_ram(Board *board, const char *name, uint64_t size, uint64_t maximum)
{
    RamArea *area = ram_area_new(name, size, maximum, NULL);

    cr_assert_not_null(area);
    machine_add_ram(board->machine, area);
    return area;
}

static Device *add_fw_cfg(Board *board)
{
    RamArea *ram = add_ram(board, "pc.ram", RAM, RAM), *rom = add_ram(board, "pc.rom", 4096, 4096);

    space_map(board->machine->memory, &(SpaceMapping){.base = 0, .size = RAM, .ram = ram});
    space_map(board->machine->memory, &(SpaceMapping){.base = ROM, .size = 4096, .ram = rom, .read_only = true});
    return board_add(board, device_new(&fw_cfg_type));
}

static void add_octets(Device *dev, const char *name, const void *octets, size_t len)
{
    g_autoptr(GBytes) bytes = g_bytes_new(octets, len);
    g_autoptr(GError) error = NULL;

    cr_assert(fw_cfg_add_file(dev, &(FwCfgFile){.name = name, .octets = bytes}, &error), "%s", error->message);
}

static void select_key(Board *board, uint16_t key)
{
    board_out16(board, 0x510, key);
}

/* Selects it, and expects these octets and a zero after them. */
static void expect_item(Board *board, uint16_t key, const void *octets, size_t len)
{
    select_key(board, key);
    for (size_t i = 0; i < len; i++)
        cr_assert_eq(board_in8(board, 0x511), ((const uint8_t *)octets)[i], "key 0x%x, octet %zu", key, i);
    cr_assert_eq(board_in8(board, 0x511), 0);
}

static const uint8_t *memory(Board *board, uint64_t addr)
{
    return machine_find_ram(board->machine, "pc.ram")->host + addr;
}

/* A DMA command; returns its control after it. */
static uint32_t dma(Board *board, uint32_t control, uint32_t len, uint64_t addr)
{
    struct {
        uint32_t control, length;
        uint64_t address;
    } c = {GUINT32_TO_BE(control), GUINT32_TO_BE(len), GUINT64_TO_BE(addr)};
    uint32_t after;

    space_write_octets(board->machine->memory, COMMAND, &c, sizeof(c));
    board_out32(board, 0x514, 0);
    board_out32(board, 0x518, GUINT32_TO_BE(COMMAND));
    memcpy(&after, memory(board, COMMAND), sizeof(after));
    return GUINT32_FROM_BE(after);
}

static uint32_t dma_key(Board *board, uint16_t key, uint32_t control, uint32_t len, uint64_t addr)
{
    return dma(board, (uint32_t)key << 16 | SELECT | control, len, addr);
}

/* --- items ------------------------------------------------------------------------------------------------------ */

Test(fw_cfg, it_has_its_signature_and_says_that_it_does_dma)
{
    g_autoptr(Board) board = board_new();

    add_fw_cfg(board);
    expect_item(board, 0x00, "QEMU", 4);
    expect_item(board, 0x01, "\x03\0\0\0", 4);
    cr_assert_eq(board_in32(board, 0x514), 0x554d4551); /* "QEMU" */
    cr_assert_eq(board_in32(board, 0x518), 0x47464320); /* " CFG" */
    cr_assert_eq(board_in8(board, 0x51b), 'G');
}

Test(fw_cfg, numbers_have_their_lowest_octet_first_and_texts_a_zero_at_the_end)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fw_cfg(board);
    g_autoptr(GBytes) uuid = g_bytes_new("0123456789abcdef", 16);

    fw_cfg_set(dev, FW_CFG_UUID, uuid);
    fw_cfg_set_u16(dev, FW_CFG_NB_CPUS, 0x1234);
    fw_cfg_set_u32(dev, FW_CFG_IRQ0_OVERRIDE, 1);
    fw_cfg_set_u64(dev, FW_CFG_RAM_SIZE, UINT64_C(0x123456789abcdef0));
    fw_cfg_set_text(dev, FW_CFG_CMDLINE_DATA, "quiet");
    expect_item(board, 0x02, "0123456789abcdef", 16);
    expect_item(board, 0x05, "\x34\x12", 2);
    expect_item(board, 0x8002, "\1\0\0\0", 4);
    expect_item(board, 0x8005, "", 0);
    expect_item(board, 0x03, "\xf0\xde\xbc\x9a\x78\x56\x34\x12", 8);
    expect_item(board, 0x15, "quiet\0", 6);
    fw_cfg_set_u16(dev, FW_CFG_NB_CPUS, 2);
    expect_item(board, 0x05, "\2\0", 2);
}

Test(fw_cfg, the_selector_takes_16_bits_and_the_data_port_is_read_only)
{
    g_autoptr(Board) board = board_new();

    add_fw_cfg(board);
    select_key(board, 0);
    cr_assert_eq(board_in8(board, 0x511), 'Q');
    board_out8(board, 0x510, 1);
    board_out8(board, 0x511, 'X');
    cr_assert_eq(board_in8(board, 0x511), 'E');
    cr_assert_eq(board_in16(board, 0x510), 0);
    cr_assert_eq(board_in8(board, 0x510), 'M');
    select_key(board, 0x4000); /* "to write" */
    board_out8(board, 0x511, 'X');
    cr_assert_eq(board_in8(board, 0x511), 'Q');
    select_key(board, 0x4001);
    cr_assert_eq(board_in8(board, 0x511), 3);
}

Test(fw_cfg, what_is_not_there_is_zeros)
{
    g_autoptr(Board) board = board_new();
    static const uint16_t keys[] = {0x06, 0x1f, 0x20, 0x3f, 0x40, 0x3fff, 0x8000, 0x801f, 0x8020, 0xffff};

    add_fw_cfg(board);
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        expect_item(board, keys[i], "\0\0\0", 3);
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static void expect_directory(Board *board, unsigned n, uint32_t size, const char *name)
{
    uint8_t entry[64] = {0};

    for (unsigned i = 0; i < 4; i++)
        entry[i] = (uint8_t)(size >> (24 - 8 * i));
    entry[5] = (uint8_t)(0x20 + n);
    memcpy(entry + 8, name, strlen(name));
    select_key(board, 0x19);
    for (unsigned i = 0; i < 4 + 64 * n; i++)
        board_in8(board, 0x511);
    for (unsigned i = 0; i < 64; i++)
        cr_assert_eq(board_in8(board, 0x511), entry[i], "%s, octet %u", name, i);
}

/* What QEMU 7.2 has for its pc-i440fx-7.2, added in another order. */
Test(fw_cfg, files_are_listed_by_name)
{
    static const struct {
        const char *name;
        uint32_t size;
    } files[] = {
        {"bios-geometry", 0},
        {"bootorder", 0},
        {"etc/acpi/rsdp", 20},
        {"etc/acpi/tables", 131072},
        {"etc/boot-fail-wait", 4},
        {"etc/e820", 40},
        {"etc/smbios/smbios-anchor", 31},
        {"etc/smbios/smbios-tables", 321},
        {"etc/system-states", 6},
        {"etc/table-loader", 4096},
        {"etc/tpm/log", 0},
        {"genroms/kvmvapic.bin", 9216},
    };
    g_autoptr(Board) board = board_new();
    Device *dev = add_fw_cfg(board);
    g_autofree uint8_t *octets = g_malloc0(131072);

    expect_item(board, 0x19, "\0\0\0\0", 4);
    for (unsigned i = 0; i < 12; i++)
        add_octets(dev, files[i * 5 % 12].name, octets, files[i * 5 % 12].size);
    cr_assert_eq(dma_key(board, 0x19, READ, 4, BUFFER), 0);
    cr_assert_arr_eq(memory(board, BUFFER), "\0\0\0\x0c", 4);
    for (unsigned i = 0; i < 12; i++)
        expect_directory(board, i, files[i].size, files[i].name);
    expect_item(board, 0x2c, "", 0);
}

Test(fw_cfg, a_file_has_its_octets_and_can_get_others)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fw_cfg(board);
    g_autoptr(GBytes) other = g_bytes_new("floppy", 6);

    add_octets(dev, "etc/b", "hello", 5);
    add_octets(dev, "etc/a", "good day", 8);
    expect_item(board, 0x20, "good day", 8);
    expect_item(board, 0x21, "hello", 5);
    cr_assert_eq(fw_cfg_get_key(dev, "etc/b"), 0x21);
    cr_assert_eq(fw_cfg_get_key(dev, "etc/c"), 0);
    cr_assert(fw_cfg_replace_file(dev, "etc/b", other, NULL));
    expect_item(board, 0x21, "floppy", 6);
    expect_directory(board, 1, 6, "etc/b");
    cr_assert_not(fw_cfg_replace_file(dev, "etc/c", other, NULL));
    g_autoptr(GBytes) now = fw_cfg_get_file(dev, "etc/b");
    cr_assert(g_bytes_equal(now, other));
    cr_assert_null(fw_cfg_get_file(dev, "etc/c"));
}

Test(fw_cfg, a_file_in_guest_memory_is_what_is_there_now)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fw_cfg(board);
    RamArea *area = add_ram(board, "/rom@etc/x", 4096, 8192);
    g_autoptr(GError) error = NULL;

    cr_assert(fw_cfg_add_file(dev, &(FwCfgFile){.name = "etc/x", .ram = area, .size = 3}, &error));
    memcpy(area->host, "RSDP", 4);
    expect_item(board, 0x20, "RSD", 3);
    cr_assert(fw_cfg_resize_file(dev, "etc/x", 4097, &error));
    expect_directory(board, 0, 4097, "etc/x");
    cr_assert_eq(area->size, 8192);
    area->host[4096] = 7;
    cr_assert_eq(dma_key(board, 0x20, SKIP, 4096, 0), 0);
    cr_assert_eq(board_in8(board, 0x511), 7);
    cr_assert_eq(board_in8(board, 0x511), 0);
    cr_assert_not(fw_cfg_resize_file(dev, "etc/x", 8193, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
}

static void expect_refused(Device *dev, const FwCfgFile *file, const char *message)
{
    g_autoptr(GError) error = NULL;

    cr_assert_not(fw_cfg_add_file(dev, file, &error));
    cr_assert_str_eq(error->message, message);
}

Test(fw_cfg, files_that_cannot_be_are_refused)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fw_cfg(board);
    RamArea *small = add_ram(board, "small", 4096, 4096);
    char longest[57] = "0123456789012345678901234567890123456789012345678901234";

    add_octets(dev, "a", "", 0);
    expect_refused(dev, &(FwCfgFile){.name = "a"}, "fw_cfg: file \"a\" is there already");
    expect_refused(dev, &(FwCfgFile){.name = ""}, "fw_cfg: file \"\" has a name that is not 1 to 55 octets long");
    add_octets(dev, longest, "", 0);
    longest[55] = '5';
    expect_refused(dev, &(FwCfgFile){.name = longest},
                   "fw_cfg: file \"01234567890123456789012345678901234567890123456789012345\" has a name that is not 1 "
                   "to 55 octets long");
    expect_refused(dev, &(FwCfgFile){.name = "b", .ram = small, .size = 4097},
                   "fw_cfg: file \"b\" has no room in its memory");
    expect_refused(dev, &(FwCfgFile){.name = "etc/acpi/tables", .ram = small, .size = 4096},
                   "fw_cfg: file \"etc/acpi/tables\" has no room in its memory");
    for (unsigned i = 2; i < 32; i++) {
        g_autofree char *name = g_strdup_printf("file%u", i);
        add_octets(dev, name, "", 0);
    }
    expect_refused(dev, &(FwCfgFile){.name = "z"}, "fw_cfg: file \"z\" is one too many: there can be 32");
}

typedef struct Counter {
    Device *dev;
    unsigned selected, written;
    uint8_t data[8];
} Counter;

static void count_selected(void *opaque)
{
    Counter *c = opaque;

    c->selected++;
    cr_assert(fw_cfg_resize_file(c->dev, "etc/x", c->selected, NULL));
}

static void count_written(void *opaque, const void *data, size_t size)
{
    Counter *c = opaque;

    c->written++;
    memcpy(c->data, data, size);
}

Test(fw_cfg, the_builder_is_told_before_a_file_is_read)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fw_cfg(board);
    RamArea *area = add_ram(board, "/rom@etc/x", 4096, 8192);
    Counter c = {.dev = dev};

    area->host[0] = 1;
    area->host[1] = 2;
    cr_assert(fw_cfg_add_file(dev, &(FwCfgFile){.name = "etc/x", .ram = area, .selected = count_selected, .opaque = &c},
                              NULL));
    select_key(board, 0x20);
    cr_assert_eq(c.selected, 1);
    cr_assert_eq(board_in8(board, 0x511), 1);
    cr_assert_eq(board_in8(board, 0x511), 0);
    dma_key(board, 0x20, READ, 3, BUFFER);
    cr_assert_eq(c.selected, 2);
    cr_assert_arr_eq(memory(board, BUFFER), "\1\2\0", 3);
}

/* --- DMA -------------------------------------------------------------------------------------------------------- */

Test(fw_cfg, dma_reads_an_item_and_zeros_after_it)
{
    g_autoptr(Board) board = board_new();

    add_fw_cfg(board);
    memset((void *)memory(board, BUFFER), 0xaa, 16);
    cr_assert_eq(dma_key(board, 0, READ, 12, BUFFER), 0);
    cr_assert_arr_eq(memory(board, BUFFER), "QEMU\0\0\0\0\0\0\0\0\xaa\xaa", 14);
    cr_assert_eq(dma_key(board, 0, READ, 2, BUFFER), 0);
    cr_assert_eq(board_in8(board, 0x511), 'M'); /* one offset for both ways */
    cr_assert_eq(dma(board, READ, 1, BUFFER), 0);
    cr_assert_eq(*memory(board, BUFFER), 'U');
    cr_assert_eq(dma_key(board, 0x77, READ, 4, BUFFER), 0);
    cr_assert_arr_eq(memory(board, BUFFER), "\0\0\0\0", 4);
}

Test(fw_cfg, dma_skips_and_selects)
{
    g_autoptr(Board) board = board_new();

    add_fw_cfg(board);
    cr_assert_eq(dma_key(board, 0, SKIP, 2, NOWHERE), 0);
    cr_assert_eq(board_in8(board, 0x511), 'M');
    cr_assert_eq(dma_key(board, 0, SKIP, UINT32_MAX, 0), 0);
    cr_assert_eq(dma(board, SKIP, UINT32_MAX, 0), 0);
    cr_assert_eq(board_in8(board, 0x511), 0);
    cr_assert_eq(dma_key(board, 1, 0, 100, NOWHERE), 0);
    cr_assert_eq(board_in8(board, 0x511), 3);
    cr_assert_eq(dma(board, 0, 100, NOWHERE), 0);
    cr_assert_eq(dma_key(board, 0, READ | SKIP, 2, BUFFER), 0); /* the read is done */
    cr_assert_arr_eq(memory(board, BUFFER), "QE", 2);
    cr_assert_eq(board_in8(board, 0x511), 'M');
}

Test(fw_cfg, dma_outside_of_memory_is_an_error)
{
    g_autoptr(Board) board = board_new();

    add_fw_cfg(board);
    cr_assert_eq(dma_key(board, 0, READ, 12, NOWHERE), ERROR);
    cr_assert_eq(dma_key(board, 0, READ, 12, ROM), ERROR);
    cr_assert_eq(dma_key(board, 0, READ, 12, UINT64_MAX - 3), ERROR);
    cr_assert_eq(dma_key(board, 0, READ, UINT32_MAX, NOWHERE), ERROR);
    cr_assert_eq(dma_key(board, 0, READ, 12, RAM - 4), ERROR);
    cr_assert_arr_eq(memory(board, RAM - 4), "QEMU", 4);
    cr_assert_eq(dma_key(board, 0, READ, 0, NOWHERE), 0);
    board_out32(board, 0x518, GUINT32_TO_BE(NOWHERE)); /* the command itself */
    board_out32(board, 0x514, UINT32_MAX);
    board_out32(board, 0x518, UINT32_MAX);
    board_out32(board, 0x518, GUINT32_TO_BE(ROM)); /* control 0, whose result goes nowhere */
    cr_assert_eq(dma_key(board, 0, READ, 4, BUFFER), 0);
}

Test(fw_cfg, a_command_starts_with_the_lower_half_of_its_address)
{
    g_autoptr(Board) board = board_new();

    add_fw_cfg(board);
    space_write(board->machine->memory, COMMAND, GUINT32_TO_BE(1 << 16 | SELECT), 4);
    board_out32(board, 0x514, GUINT32_TO_BE(1)); /* at 4 GiB and more */
    board_out32(board, 0x518, GUINT32_TO_BE(COMMAND));
    cr_assert_eq(board_in8(board, 0x511), 'Q');
    space_write(board->machine->memory, 0, GUINT32_TO_BE(1 << 16 | SELECT), 4);
    board_out16(board, 0x518, 0); /* no whole half: a command at 0 does not start */
    board_out8(board, 0x518, 0);
    board_out16(board, 0x51a, 0);
    board_out8(board, 0x51b, 0);
    cr_assert_eq(board_in8(board, 0x511), 'E');
    board_out32(board, 0x518, GUINT32_TO_BE(COMMAND)); /* the upper half is forgotten */
    cr_assert_eq(board_in8(board, 0x511), 3);
    cr_assert_eq(space_read(board->machine->memory, COMMAND, 4), 0);
}

Test(fw_cfg, dma_writes_what_may_be_written_and_no_further)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fw_cfg(board);
    g_autoptr(GBytes) zeros = g_bytes_new("\0\0\0\0\0\0\0\0", 8);
    Counter c = {.dev = dev};
    FwCfgFile file = {.name = "etc/w", .octets = zeros, .writeable = true, .written = count_written, .opaque = &c};

    cr_assert(fw_cfg_add_file(dev, &file, NULL));
    add_octets(dev, "etc/x", "12345678", 8);
    memcpy((void *)memory(board, BUFFER), "abcdefghijkl", 12);
    cr_assert_eq(dma_key(board, 0x20, WRITE, 4, BUFFER), 0);
    cr_assert_eq(c.written, 1);
    cr_assert_arr_eq(c.data, "abcd\0\0\0\0", 8);
    cr_assert_eq(dma(board, WRITE, 4, BUFFER + 8), 0);
    cr_assert_arr_eq(c.data, "abcdijkl", 8);
    cr_assert_eq(dma_key(board, 0x20, WRITE, 9, BUFFER), ERROR);
    cr_assert_eq(dma_key(board, 0x20, SKIP, 6, 0), 0);
    cr_assert_eq(dma(board, WRITE, 3, BUFFER), ERROR);
    cr_assert_eq(dma_key(board, 0x20, WRITE, 8, NOWHERE), ERROR);
    cr_assert_eq(c.written, 2);
    expect_item(board, 0x20, "abcdijkl", 8);
    cr_assert_eq(dma_key(board, 0x21, WRITE, 4, BUFFER), ERROR);
    cr_assert_eq(dma_key(board, 0x00, WRITE, 4, BUFFER), ERROR);
    cr_assert_eq(dma_key(board, 0x77, WRITE, 4, BUFFER), ERROR);
    expect_item(board, 0x21, "12345678", 8);
    cr_assert_arr_eq(g_bytes_get_data(zeros, NULL), "\0\0\0\0\0\0\0\0", 8); /* the builder's are its own */
    g_autoptr(GBytes) now = fw_cfg_get_file(dev, "etc/w");
    cr_assert_arr_eq(g_bytes_get_data(now, NULL), "abcdijkl", 8);
    cr_assert(fw_cfg_replace_file(dev, "etc/w", zeros, NULL));
    cr_assert_eq(dma_key(board, 0x20, WRITE, 4, BUFFER), 0);
    expect_item(board, 0x20, "abcd\0\0\0\0", 8);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

/* The files whose sizes are saved, as QEMU has them. */
static Device *add_with_acpi(Board *board)
{
    Device *dev = add_fw_cfg(board);
    static const struct {
        const char *name;
        uint64_t size, maximum;
    } files[] = {
        {"etc/acpi/tables", 131072, FW_CFG_ACPI_TABLES_MAX},
        {"etc/table-loader", 4096, FW_CFG_LOADER_MAX},
        {"etc/acpi/rsdp", 20, FW_CFG_RSDP_MAX},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *name = g_strconcat("/rom@", files[i].name, NULL);
        RamArea *area = add_ram(board, name, files[i].size, files[i].maximum);
        FwCfgFile file = {.name = files[i].name, .ram = area, .size = files[i].size};
        cr_assert(fw_cfg_add_file(dev, &file, NULL));
    }
    return dev;
}

Test(fw_cfg, it_is_the_one_that_qemu_records)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_with_acpi(board);

    board_load_recorded(board, dev, "a-kvm-min", false);
    board_load_recorded(board, dev, "b3-kvm-pc-alldefaults", false);
    board_load_recorded(board, dev, "f2-kvm-virtio-10s", false);
    board_load_recorded(board, dev, "j2-kvm-linux-virtio", false);
    board_load_recorded(board, dev, "h5-microvm", false);
    cr_assert_eq(machine_find_ram(board->machine, "/rom@etc/acpi/tables")->size, 4096);
    expect_directory(board, 1, 0x2bb, "etc/acpi/tables");
    expect_directory(board, 2, 0x680, "etc/table-loader");
}

Test(fw_cfg, without_acpi_no_sizes_are_saved)
{
    g_autoptr(Board) board = board_new();

    board_load_recorded(board, add_fw_cfg(board), "h6-isapc", false);
}

static const uint8_t selected_octet_2[] = {0, 0, 0, 0, 0, 2};

Test(fw_cfg, a_loaded_state_goes_on_reading_where_it_was)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_with_acpi(board);

    select_key(board, 1);
    cr_assert(board_load(board, dev, selected_octet_2, sizeof(selected_octet_2), 2, NULL));
    cr_assert_eq(board_in8(board, 0x511), 'M');
    cr_assert_eq(machine_find_ram(board->machine, "/rom@etc/acpi/tables")->size, 131072);
    expect_directory(board, 0, 20, "etc/acpi/rsdp");
}

Test(fw_cfg, version_1_had_an_offset_of_16_bits)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_with_acpi(board);
    static const uint8_t octets[] = {0, 0, 0, 2};

    cr_assert(board_load(board, dev, octets, sizeof(octets), 1, NULL));
    cr_assert_eq(board_in8(board, 0x511), 'M');
}

Test(fw_cfg, half_an_address_is_saved)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_fw_cfg(board);
    ByteOut saved = {0};

    board_out32(board, 0x514, GUINT32_TO_BE(1));
    board_save(board, dev, &saved);
    space_write(board->machine->memory, COMMAND, GUINT32_TO_BE(1 << 16 | SELECT), 4);
    machine_reset(board->machine);
    cr_assert(board_load(board, dev, saved.data, saved.len, 2, NULL));
    board_out32(board, 0x518, GUINT32_TO_BE(COMMAND));
    cr_assert_eq(board_in8(board, 0x511), 'Q'); /* 0x100001000 is nowhere */
    byte_out_done(&saved);
}

/* The section with sizes of the three files. */
static bool load_sizes(Board *board, Device *dev, uint64_t tables, uint64_t loader, uint64_t rsdp, GError **error)
{
    static const char name[] = "fw_cfg/acpi_mr";
    uint8_t octets[6 + 2 + 14 + 4 + 24] = {0, 0, 0, 0, 0, 0, 0x05, 14};
    uint64_t sizes[] = {GUINT64_TO_BE(tables), GUINT64_TO_BE(loader), GUINT64_TO_BE(rsdp)};

    memcpy(octets + 8, name, 14);
    octets[25] = 1;
    memcpy(octets + 26, sizes, sizeof(sizes));
    return board_load(board, dev, octets, sizeof(octets), 2, error);
}

Test(fw_cfg, acpi_files_get_the_sizes_of_the_stream)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_with_acpi(board);

    cr_assert(load_sizes(board, dev, 2 << 20, 65536, 36, NULL));
    expect_directory(board, 0, 36, "etc/acpi/rsdp");
    expect_directory(board, 1, 2 << 20, "etc/acpi/tables");
    expect_directory(board, 2, 65536, "etc/table-loader");
    cr_assert_eq(machine_find_ram(board->machine, "/rom@etc/table-loader")->size, 65536);
}

Test(fw_cfg, a_size_above_the_maximum_is_refused)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_with_acpi(board);
    g_autoptr(GError) error = NULL;

    cr_assert_not(load_sizes(board, dev, 16 << 20, 4096, 20, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert_str_eq(error->message, "fw_cfg: fw_cfg/acpi_mr.table_mr_size: file \"etc/acpi/tables\" cannot have "
                                     "0x1000000 octets, only 0x200000");
    cr_assert_not(load_sizes(board, dev, 1, 65537, 20, NULL));
    cr_assert_not(load_sizes(board, dev, 1, 1, 4097, NULL));
    cr_assert_not(load_sizes(board, dev, 1, 1, UINT64_MAX, NULL));
    expect_directory(board, 1, 131072, "etc/acpi/tables");
}

Test(fw_cfg, any_state_survives)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_with_acpi(board);

    board_try_states(board, dev, 300);
    board_abuse_ports(board, dev, 0x50e, 16, 4000);
}

Test(fw_cfg, a_reset_selects_the_signature)
{
    g_autoptr(Board) board = board_new();

    add_fw_cfg(board);
    select_key(board, 1);
    board_out32(board, 0x514, GUINT32_TO_BE(1));
    machine_reset(board->machine);
    cr_assert_eq(board_in8(board, 0x511), 'Q');
}

Test(fw_cfg, removed_it_is_no_longer_there)
{
    g_autoptr(Board) board = board_new();
    Device *dev = add_with_acpi(board);

    add_octets(dev, "etc/a", "hello", 5);
    machine_remove_device(board->machine, dev);
    cr_assert_eq(board_in8(board, 0x511), 0xff);
    cr_assert_eq(board_in32(board, 0x514), 0xffffffff);
}
