/* test-acpi.c: the tables, put together by their commands as the firmware does it, and read as the specification says.
 */
#include <criterion/criterion.h>
#include <glib/gstdio.h>
#include <string.h>

#include "emu/boot/acpi.h"
#include "emu/dev/acpi_build.h"
#include "emu/dev/dev.h"
#include "emu/dev/fw_cfg.h"
#include "tests/emu/support/board.h"

enum { TABLES_AT = 0x7fe0000, RSDP_AT = 0xf5a40 };

static uint64_t le(const uint8_t *at, unsigned octets)
{
    uint64_t value = 0;

    while (octets--)
        value = value << 8 | at[octets];
    return value;
}

static AcpiPc plain(unsigned cpus)
{
    AcpiPc acpi = {.pc = {.cpus = cpus, .max_cpus = cpus, .hpet = true}, .pm_base = ACPI_PM_BASE, .com1 = true};

    boot_split_memory(128 << 20, &acpi.pc.below_4g, &acpi.pc.above_4g);
    return acpi;
}

/* --- the firmware ----------------------------------------------------------------------------------------------- */

/* What a firmware does: two files in places of its choice, and the commands. */
typedef struct Firmware {
    uint8_t tables[ACPI_TABLES_SIZE], rsdp[ACPI_RSDP_SIZE];
    bool has_tables, has_rsdp;
    unsigned checksums;
} Firmware;

static uint8_t *find_file(Firmware *f, const uint8_t *name, uint64_t *addr, size_t *size)
{
    bool tables = strcmp((const char *)name, "etc/acpi/tables") == 0;

    cr_assert(tables || strcmp((const char *)name, "etc/acpi/rsdp") == 0);
    *addr = tables ? TABLES_AT : RSDP_AT;
    *size = tables ? sizeof(f->tables) : sizeof(f->rsdp);
    return tables ? f->tables : f->rsdp;
}

static void allocate(Firmware *f, const uint8_t *command)
{
    uint64_t addr;
    size_t size;
    bool tables = find_file(f, command + 4, &addr, &size) == f->tables;
    bool *has = tables ? &f->has_tables : &f->has_rsdp;

    cr_assert(!*has);
    *has = true;
    cr_assert_eq(addr % le(command + 60, 4), 0);
    cr_assert_eq(le(command + 60, 4), tables ? 64 : 16);
    cr_assert_eq(command[64], tables ? 1 : 2);
}

static void add_pointer(Firmware *f, const uint8_t *command)
{
    uint64_t addr, target, offset = le(command + 116, 4), value;
    size_t size, target_size;
    uint8_t *file = find_file(f, command + 4, &addr, &size);

    find_file(f, command + 60, &target, &target_size);
    cr_assert(f->has_tables && f->has_rsdp, "a pointer before its file");
    cr_assert_eq(command[120], 4);
    cr_assert_leq(offset + 4, size);
    value = le(file + offset, 4);
    cr_assert_lt(value, target_size);
    value += target;
    for (unsigned i = 0; i < 4; i++)
        file[offset + i] = (uint8_t)(value >> i * 8);
}

static void add_checksum(Firmware *f, const uint8_t *command)
{
    uint64_t addr, offset = le(command + 60, 4), start = le(command + 64, 4), length = le(command + 68, 4);
    size_t size;
    uint8_t *file = find_file(f, command + 4, &addr, &size), sum = 0;

    cr_assert(offset >= start && offset < start + length && start + length <= size);
    cr_assert_eq(file[offset], 0);
    for (uint64_t i = 0; i < length; i++)
        sum += file[start + i];
    file[offset] -= sum;
    f->checksums++;
}

static void run_loader(Firmware *f, const AcpiTables *t)
{
    size_t size;
    const uint8_t *loader = g_bytes_get_data(t->loader, &size);

    cr_assert_eq(size, 4096);
    cr_assert_eq(g_bytes_get_size(t->tables), 131072);
    cr_assert_eq(g_bytes_get_size(t->rsdp), 20);
    memcpy(f->tables, g_bytes_get_data(t->tables, NULL), sizeof(f->tables));
    memcpy(f->rsdp, g_bytes_get_data(t->rsdp, NULL), sizeof(f->rsdp));
    for (size_t at = 0; at < size; at += 128) {
        uint64_t command = le(loader + at, 4);
        if (command == 1)
            allocate(f, loader + at);
        else if (command == 2)
            add_pointer(f, loader + at);
        else if (command == 3)
            add_checksum(f, loader + at);
        else
            cr_assert_eq(command, 0);
    }
}

static Firmware *boot(const AcpiPc *acpi)
{
    Firmware *f = g_new0(Firmware, 1);
    AcpiTables tables;
    g_autoptr(GError) error = NULL;

    cr_assert(acpi_make(acpi, &tables, &error), "%s", error ? error->message : "");
    run_loader(f, &tables);
    acpi_tables_done(&tables);
    return f;
}

/* --- the guest -------------------------------------------------------------------------------------------------- */

static uint8_t sum(const uint8_t *octets, size_t len)
{
    uint8_t all = 0;

    while (len--)
        all += octets[len];
    return all;
}

static const uint8_t *at(const Firmware *f, uint64_t addr)
{
    cr_assert(addr >= TABLES_AT && addr < TABLES_AT + sizeof(f->tables), "0x%lx", (unsigned long)addr);
    return f->tables + (addr - TABLES_AT);
}

static const uint8_t *rsdt(const Firmware *f)
{
    cr_assert_eq(memcmp(f->rsdp, "RSD PTR ", 8), 0);
    cr_assert_eq(sum(f->rsdp, 20), 0);
    cr_assert_eq(f->rsdp[15], 0); /* version 1.0 */
    return at(f, le(f->rsdp + 16, 4));
}

/* Number `n` of the RSDT, or NULL. */
static const uint8_t *listed(const Firmware *f, unsigned n)
{
    const uint8_t *all = rsdt(f);

    return 36 + 4 * n < le(all + 4, 4) ? at(f, le(all + 36 + 4 * n, 4)) : NULL;
}

static const uint8_t *find(const Firmware *f, const char *signature)
{
    const uint8_t *table;

    for (unsigned n = 0; (table = listed(f, n)); n++)
        if (memcmp(table, signature, 4) == 0)
            return table;
    return NULL;
}

static const uint8_t *dsdt(const Firmware *f)
{
    return at(f, le(find(f, "FACP") + 40, 4));
}

static void expect_sound(const uint8_t *table, const char *signature)
{
    cr_assert_eq(memcmp(table, signature, 4), 0, "%.4s", (const char *)table);
    cr_assert_eq(sum(table, le(table + 4, 4)), 0, "%s", signature);
    cr_assert_eq(table[8], 1, "%s", signature);
    cr_assert_eq(memcmp(table + 10, "BOCHS BXPC    \1\0\0\0BXPC\1\0\0\0", 26), 0, "%s", signature);
}

Test(acpi, the_tables_are_those_that_QEMU_has)
{
    AcpiPc acpi = plain(1);
    g_autofree Firmware *f = boot(&acpi);
    static const char *const signatures[] = {"FACP", "APIC", "HPET", "WAET"};
    const uint8_t *facs = at(f, le(find(f, "FACP") + 36, 4));

    expect_sound(rsdt(f), "RSDT");
    for (unsigned i = 0; i < G_N_ELEMENTS(signatures); i++)
        expect_sound(listed(f, i), signatures[i]);
    cr_assert_null(listed(f, 4));
    expect_sound(dsdt(f), "DSDT");
    cr_assert_eq(memcmp(facs, "FACS\x40\0\0\0", 8), 0);
    cr_assert_eq((uint64_t)(facs - f->tables + TABLES_AT) % 64, 0);
    cr_assert_eq(f->checksums, 7);
}

Test(acpi, without_an_HPET_there_is_no_table_of_it)
{
    AcpiPc acpi = plain(1);
    g_autofree Firmware *f = NULL;

    acpi.pc.hpet = false;
    f = boot(&acpi);
    cr_assert_null(find(f, "HPET"));
    expect_sound(find(f, "WAET"), "WAET");
}

Test(acpi, the_fixed_hardware_is_where_the_PIIX4_has_it)
{
    AcpiPc acpi = plain(1);
    g_autofree Firmware *f = NULL;
    const uint8_t *t;

    acpi.pm_base = 0xb000;
    f = boot(&acpi);
    t = find(f, "FACP");
    cr_assert_eq(le(t + 4, 4), 116);
    cr_assert_eq(t[44], 1);
    cr_assert_eq(le(t + 46, 2), 9);
    cr_assert_eq(le(t + 48, 4), 0, "without system management mode ACPI is always on");
    cr_assert_eq(le(t + 52, 2), 0);
    cr_assert_eq(le(t + 56, 4), 0xb000);
    cr_assert_eq(le(t + 64, 4), 0xb004);
    cr_assert_eq(le(t + 76, 4), 0xb008);
    cr_assert_eq(le(t + 80, 4), 0xafe0);
    cr_assert_eq(t[88], 4);
    cr_assert_eq(t[89], 2);
    cr_assert_eq(t[90], 0);
    cr_assert_eq(t[91], 4);
    cr_assert_eq(t[92], 4);
    cr_assert_eq(t[93], 0);
    cr_assert_eq(t[108], 0x32);
    cr_assert(le(t + 112, 4) & 1 << 0);
    cr_assert_not(le(t + 112, 4) & 1 << 4, "the power button is a fixed one");
}

Test(acpi, with_system_management_mode_ACPI_is_switched_by_it)
{
    AcpiPc acpi = plain(1);
    g_autofree Firmware *f = NULL;
    const uint8_t *t;

    acpi.smm = true;
    f = boot(&acpi);
    t = find(f, "FACP");
    cr_assert_eq(le(t + 48, 4), 0xb2);
    cr_assert_eq(t[52], 0xf1);
    cr_assert_eq(t[53], 0xf0);
}

Test(acpi, the_MADT_has_processors_and_interrupts)
{
    AcpiPc acpi = plain(3);
    g_autofree Firmware *f = NULL;
    const uint8_t *t;
    static const uint8_t overrides[][2] = {{0, 2}, {5, 5}, {9, 9}, {10, 10}, {11, 11}};

    acpi.pc.max_cpus = 4;
    f = boot(&acpi);
    t = find(f, "APIC");
    cr_assert_eq(le(t + 4, 4), 144);
    cr_assert_eq(le(t + 36, 4), 0xfee00000);
    cr_assert_eq(le(t + 40, 4), 1);
    t += 44;
    for (unsigned n = 0; n < 4; n++, t += 8) {
        const uint8_t want[] = {0, 8, (uint8_t)n, (uint8_t)n, n < 3, 0, 0, 0};
        cr_assert_eq(memcmp(t, want, 8), 0);
    }
    cr_assert_eq(memcmp(t, "\1\x0c\0\0\0\0\xc0\xfe\0\0\0\0", 12), 0);
    t += 12;
    for (unsigned i = 0; i < 5; i++, t += 10) {
        const uint8_t want[] = {2, 10, 0, overrides[i][0], overrides[i][1], 0, 0, 0, i ? 0xd : 0, 0};
        cr_assert_eq(memcmp(t, want, 10), 0);
    }
    cr_assert_eq(memcmp(t, "\4\6\xff\0\0\1", 6), 0);
}

Test(acpi, the_HPET_and_the_WAET_are_those_of_their_specifications)
{
    AcpiPc acpi = plain(1);
    g_autofree Firmware *f = boot(&acpi);

    cr_assert_eq(le(find(f, "HPET") + 4, 4), 56);
    cr_assert_eq(memcmp(find(f, "HPET") + 36, "\x01\xa2\x86\x80\0\0\0\0\0\0\xd0\xfe\0\0\0\0\0\0\0\0", 20), 0);
    cr_assert_eq(le(find(f, "WAET") + 4, 4), 40);
    cr_assert_eq(le(find(f, "WAET") + 36, 4), 2);
}

/* --- what the compiler makes of it again ------------------------------------------------------------------------ */

/* The source of a table, without comments; NULL if there is no iasl. */
static char *disassemble(const uint8_t *table)
{
    g_autofree char *iasl = g_find_program_in_path("iasl");
    g_autofree char *folder = g_dir_make_tmp("acpi-XXXXXX", NULL), *aml = g_build_filename(folder, "t.aml", NULL);
    g_autofree char *dsl = g_build_filename(folder, "t.dsl", NULL), *said = NULL, *complaints = NULL;
    char *source = NULL;
    int status = -1;

    cr_assert(g_file_set_contents(aml, (const char *)table, (gssize)le(table + 4, 4), NULL));
    if (iasl) {
        char dash_d[] = "-d", *argv[] = {iasl, dash_d, aml, NULL};
        cr_assert(g_spawn_sync(folder, argv, NULL, 0, NULL, NULL, &said, &complaints, &status, NULL));
        cr_assert_eq(status, 0, "%s%s", said, complaints);
        cr_assert_null(strstr(complaints, "Error"), "%s", complaints);
        cr_assert_null(strstr(complaints, "Warning"), "%s", complaints);
        cr_assert(g_file_get_contents(dsl, &source, NULL, NULL));
        g_remove(dsl);
    }
    g_remove(aml);
    g_rmdir(folder);
    return source;
}

Test(acpi, iasl_reads_every_table)
{
    AcpiPc acpi = plain(255);
    g_autofree Firmware *f = NULL;
    const uint8_t *table;

    boot_split_memory(UINT64_C(8) << 30, &acpi.pc.below_4g, &acpi.pc.above_4g);
    acpi.pci64 = UINT64_C(0x800000000);
    acpi.pci64_length = UINT64_C(0x800000000);
    f = boot(&acpi);
    g_free(disassemble(at(f, le(find(f, "FACP") + 36, 4))));
    g_free(disassemble(dsdt(f)));
    for (unsigned n = 0; (table = listed(f, n)); n++) {
        g_autofree char *source = disassemble(table);
        cr_assert(!source || !strstr(source, "Invalid"), "%.4s", (const char *)table);
        cr_assert(!source || !strstr(source, "Incorrect"), "%.4s", (const char *)table);
    }
}

static void expect_text(const char *source, const char *text)
{
    cr_assert(!source || strstr(source, text), "no %s", text);
}

/* Of a card that comes or goes the event 1 tells; all slots but the board's own two can be emptied. */
Test(acpi, slots_of_cards_can_be_told_and_emptied)
{
    AcpiPc acpi = plain(1);
    g_autofree Firmware *f = boot(&acpi);
    g_autofree char *source = disassemble(dsdt(f));

    expect_text(source, "Method (_E01");
    expect_text(source, "OperationRegion (HPPT, SystemIO, 0xAE00, 0x14)");
    for (unsigned slot = 2; slot < 32; slot++) {
        g_autofree char *name = g_strdup_printf("Device (S%02X)", slot), *told = g_strdup_printf("Notify (S%02X", slot);
        expect_text(source, name);
        expect_text(source, told);
    }
    cr_assert(!source || (!strstr(source, "Device (S00)") && !strstr(source, "Device (S01)")));
}

Test(acpi, the_DSDT_has_the_machine_s_windows_ports_and_processors)
{
    AcpiPc acpi = plain(2);
    g_autofree Firmware *f = NULL;
    g_autofree char *source = NULL;

    acpi.pci64 = UINT64_C(0x800000000);
    acpi.pci64_length = UINT64_C(0x7800000000);
    f = boot(&acpi);
    source = disassemble(dsdt(f));
    expect_text(source, "0x08000000,         // Range Minimum");
    expect_text(source, "0xFEBFFFFF,         // Range Maximum");
    expect_text(source, "0xF6C00000,         // Length");
    expect_text(source, "0x0000000800000000, // Range Minimum");
    expect_text(source, "0x0000007FFFFFFFFF, // Range Maximum");
    expect_text(source, "0x0000007800000000, // Length");
    expect_text(source, "0x0600,             // Range Minimum");
    expect_text(source, "Name (PRES, 0x00000029)");
    expect_text(source, "Processor (C000, 0x00, 0x00000000, 0x00)");
    expect_text(source, "Processor (C001, 0x01, 0x00000000, 0x00)");
    cr_assert(!source || !strstr(source, "C002"));
    expect_text(source, "Name (_S3, ");
    expect_text(source, "Name (_S4, ");
    expect_text(source, "Name (_S5, ");
}

Test(acpi, sleep_that_is_not_offered_has_another_name)
{
    AcpiPc acpi = plain(1);
    g_autofree Firmware *f = NULL;
    g_autofree char *source = NULL;

    acpi.pc.s3_off = acpi.pc.s4_off = true;
    f = boot(&acpi);
    source = disassemble(dsdt(f));
    cr_assert(!source || (!strstr(source, "_S3") && !strstr(source, "_S4")));
    expect_text(source, "Name (_S5, ");
}

/* Slot by slot one link further, as the PCI bus routes them; the SCI's own at pin A of slot 1. */
Test(acpi, the_links_of_all_slots_are_those_of_the_bus)
{
    AcpiPc acpi = plain(1);
    g_autofree Firmware *f = boot(&acpi);
    const uint8_t *t = dsdt(f), *end = t + le(t + 4, 4);

    t = memmem(t, (size_t)(end - t), "_PRT", 4);
    cr_assert_not_null(t);
    for (unsigned slot = 0; slot < 32; slot++)
        for (unsigned pin = 0; pin < 4; pin++) {
            const char link[] = {'L', 'N', 'K', slot == 1 && pin == 0 ? 'S' : (char)('A' + (slot + pin + 3) % 4), 0};
            const uint8_t *entry = memmem(t, (size_t)(end - t), "\x12", 1);
            t = memmem(entry, (size_t)(end - entry), "LNK", 3);
            cr_assert_not_null(t);
            cr_assert_eq(memcmp(t, link, 4), 0, "slot %u pin %u: %.4s", slot, pin, (const char *)t);
            t += 4;
        }
}

/* --- files ------------------------------------------------------------------------------------------------------ */

static void refresh(void *opaque, AcpiPc *acpi)
{
    *(unsigned *)opaque += 1;
    acpi->pm_base = 0x1000;
}

static uint8_t first_read(Board *board, Device *fw_cfg, const char *name)
{
    board_out16(board, 0x510, fw_cfg_get_key(fw_cfg, name));
    return board_in8(board, 0x511);
}

Test(acpi, the_files_are_made_again_when_they_are_read_first)
{
    g_autoptr(Board) board = board_new();
    Device *fw_cfg = board_add(board, device_new(&fw_cfg_type));
    Device *build = board_add(board, device_new(&acpi_build_type));
    AcpiPc acpi = plain(1);
    AcpiInstall *install = acpi_install(&acpi, fw_cfg, build, NULL);
    const RamArea *area = machine_find_ram(board->machine, "/rom@etc/acpi/tables");
    g_autoptr(GBytes) file = fw_cfg_get_file(fw_cfg, "etc/acpi/rsdp");
    unsigned asked = 0;

    cr_assert_not_null(install);
    cr_assert(area && area->size == 0x20000 && area->maximum == 0x200000);
    cr_assert_eq(machine_find_ram(board->machine, "/rom@etc/table-loader")->size, 0x1000);
    cr_assert_eq(machine_find_ram(board->machine, "/rom@etc/acpi/rsdp")->size, 0x1000);
    cr_assert_eq(g_bytes_get_size(file), 20);
    acpi_set_refresh(install, refresh, &asked);
    memset(area->host, 0xee, 64);
    cr_assert_eq(first_read(board, fw_cfg, "etc/acpi/tables"), 'F');
    cr_assert_eq(asked, 1);
    cr_assert(acpi_build_is_patched(build));
    memset(area->host, 0xee, 64);
    cr_assert_eq(first_read(board, fw_cfg, "etc/acpi/tables"), 0xee, "the guest's from now on");
    cr_assert_eq(first_read(board, fw_cfg, "etc/acpi/rsdp"), 'R');
    cr_assert_eq(asked, 1);
    device_reset(build);
    cr_assert_eq(first_read(board, fw_cfg, "etc/table-loader"), 1);
    cr_assert_eq(area->host[0], 'F');
    cr_assert_eq(asked, 2);
    acpi_install_free(install);
}

Test(acpi, without_firmware_the_tables_are_put_in_place)
{
    enum { SIZE = 0x400000 };
    g_autofree uint8_t *memory = g_malloc0(SIZE);
    AcpiPc acpi = plain(2);
    AcpiTables tables;
    uint64_t rsdp;
    const uint8_t *all, *facp;

    cr_assert(acpi_make(&acpi, &tables, NULL));
    rsdp = acpi_place(&tables, memory, SIZE, NULL);
    acpi_tables_done(&tables);
    cr_assert_eq(rsdp, 0x9fc10);
    cr_assert_eq(le(memory + 0x40e, 2), 0x9fc0);
    cr_assert_eq(memcmp(memory + rsdp, "RSD PTR ", 8), 0);
    cr_assert_eq(sum(memory + rsdp, 20), 0);
    all = memory + le(memory + rsdp + 16, 4);
    cr_assert_geq(all - memory, SIZE - 0x20000);
    expect_sound(all, "RSDT");
    facp = memory + le(all + 36, 4);
    expect_sound(facp, "FACP");
    expect_sound(memory + le(facp + 40, 4), "DSDT");
}

/* --- what is refused -------------------------------------------------------------------------------------------- */

static void expect_refused(const AcpiPc *acpi, const char *message)
{
    g_autoptr(GError) error = NULL;
    AcpiTables tables;

    cr_assert(!acpi_make(acpi, &tables, &error), "%s", message);
    cr_assert_str_eq(error->message, message);
}

Test(acpi, what_cannot_be_is_refused)
{
    AcpiPc acpi = plain(1);
    g_autoptr(GError) error = NULL;
    AcpiTables tables;
    uint8_t memory[1];

    acpi.pm_base = 0x601;
    expect_refused(&acpi, "pm_base: 0x601 is no multiple of 0x40");
    acpi = plain(1);
    acpi.pci64 = 0x1000;
    acpi.pci64_length = 1;
    expect_refused(&acpi, "pci64: 0x1000 with 0x1 octets is not above 4 GiB");
    acpi = plain(256);
    expect_refused(&acpi, "cpus: 0x100 is not 1 to 0xff");
    acpi = plain(1);
    cr_assert(acpi_make(&acpi, &tables, NULL));
    cr_assert_eq(acpi_place(&tables, memory, 1, &error), 0);
    cr_assert_str_eq(error->message, "memory for ACPI tables: 0x1 is not from 0x200000 to 4 GiB");
    acpi_tables_done(&tables);
}
