/*
 * acpi-install.c: the files of the ACPI tables: in memory of the machine for the firmware, or put in place without it.
 *
 * Sources: SeaBIOS's romfile_loader.h (the commands); ACPI Specification 6.3, 5.2.5.1 (where the RSDP is looked for).
 */
#include <inttypes.h>

#include "emu/boot/acpi.h"
#include "emu/boot/octets-impl.h"
#include "emu/core/dirty.h"
#include "emu/core/machine.h"
#include "emu/dev/acpi_build.h"
#include "emu/dev/fw_cfg.h"
#include "visitors/error.h"

/* --- for the firmware ------------------------------------------------------------------------------------------- */

enum { FILES = 3 };

struct AcpiInstall {
    AcpiPc acpi;
    Device *fw_cfg, *acpi_build;
    RamArea *areas[FILES];
    AcpiRefresh *refresh;
    void *opaque;
};

static const struct {
    const char *name, *area;
    uint64_t size, maximum;
} files[FILES] = {
    {ACPI_TABLES_FILE, "/rom@" ACPI_TABLES_FILE, ACPI_TABLES_SIZE, FW_CFG_ACPI_TABLES_MAX},
    {ACPI_LOADER_FILE, "/rom@" ACPI_LOADER_FILE, ACPI_LOADER_SIZE, FW_CFG_LOADER_MAX},
    {ACPI_RSDP_FILE, "/rom@" ACPI_RSDP_FILE, ACPI_RSDP_SIZE, FW_CFG_RSDP_MAX},
};

static void copy_to_areas(AcpiInstall *a, const AcpiTables *tables)
{
    GBytes *octets[FILES] = {tables->tables, tables->loader, tables->rsdp};

    for (unsigned i = 0; i < FILES; i++) {
        memcpy(a->areas[i]->host, g_bytes_get_data(octets[i], NULL), g_bytes_get_size(octets[i]));
        dirty_mark(a->areas[i], 0, g_bytes_get_size(octets[i]));
    }
}

/* The firmware has selected one. A machine whose tables cannot be made any more keeps those that it had. */
static void selected(void *opaque)
{
    AcpiInstall *a = opaque;
    AcpiPc now = a->acpi;
    AcpiTables tables;

    if (!acpi_build_first_read(a->acpi_build))
        return;
    if (a->refresh)
        a->refresh(a->opaque, &now);
    if (!acpi_make(&now, &tables, NULL))
        return;
    a->acpi = now;
    for (unsigned i = 0; i < FILES; i++)
        fw_cfg_resize_file(a->fw_cfg, files[i].name, files[i].size, NULL); /* there is room */
    copy_to_areas(a, &tables);
    acpi_tables_done(&tables);
}

static bool add_files(AcpiInstall *a, GError **error)
{
    for (unsigned i = 0; i < FILES; i++) {
        a->areas[i] = ram_area_new(files[i].area, files[i].size, files[i].maximum, error);
        if (!a->areas[i])
            return false;
        machine_add_ram(a->fw_cfg->machine, a->areas[i]);
        FwCfgFile file = {
            .name = files[i].name, .ram = a->areas[i], .size = files[i].size, .selected = selected, .opaque = a};
        if (!fw_cfg_add_file(a->fw_cfg, &file, error))
            return false;
    }
    return true;
}

AcpiInstall *acpi_install(const AcpiPc *acpi, Device *fw_cfg, Device *acpi_build, GError **error)
{
    AcpiInstall *a;
    AcpiTables tables;

    if (!acpi_make(acpi, &tables, error))
        return NULL;
    a = g_new0(AcpiInstall, 1);
    a->acpi = *acpi;
    a->fw_cfg = fw_cfg;
    a->acpi_build = acpi_build;
    /* Not for the tables, and not for us to keep. */
    a->acpi.pc.boot_order = NULL;
    a->acpi.pc.vapic_rom = a->acpi.pc.boot_paths = a->acpi.pc.disk_geometry = NULL;
    if (add_files(a, error))
        copy_to_areas(a, &tables);
    else
        g_clear_pointer(&a, acpi_install_free);
    acpi_tables_done(&tables);
    return a;
}

void acpi_set_refresh(AcpiInstall *install, AcpiRefresh *refresh, void *opaque)
{
    install->refresh = refresh;
    install->opaque = opaque;
}

void acpi_install_free(AcpiInstall *install)
{
    g_free(install);
}

/* --- without firmware ------------------------------------------------------------------------------------------- */

enum {
    BDA_EBDA = 0x40e, /* the segment of the extended BIOS data area */
    EBDA = 0x9fc00,   /* its first octet: how many KiB it has */
    RSDP = EBDA + 0x10,
    LOWEST_END = 0x200000,
};

typedef struct Placed {
    uint8_t *memory;
    uint64_t tables; /* their address */
} Placed;

/* The address of a file, and how long it is; 0 if it is none of the two. */
static uint64_t find_file(const Placed *p, const uint8_t *name, uint64_t *size)
{
    bool tables = strncmp((const char *)name, ACPI_TABLES_FILE, ACPI_FILE_NAME) == 0;

    *size = tables ? ACPI_TABLES_SIZE : ACPI_RSDP_SIZE;
    if (tables)
        return p->tables;
    return strncmp((const char *)name, ACPI_RSDP_FILE, ACPI_FILE_NAME) == 0 ? RSDP : 0;
}

static bool place_pointer(const Placed *p, const uint8_t *command)
{
    uint64_t size, other, file = find_file(p, command + 4, &size);
    uint64_t target = find_file(p, command + 4 + ACPI_FILE_NAME, &other);
    uint64_t offset = load_le(command + 4 + 2 * ACPI_FILE_NAME, 4);
    unsigned octets = command[8 + 2 * ACPI_FILE_NAME];
    uint8_t *at;

    if (!file || !target || octets == 0 || octets > 8 || offset + octets > size)
        return false;
    at = p->memory + file + offset;
    store_le(at, load_le(at, octets) + target, octets);
    return true;
}

/* Makes the sum of these octets 0. */
static bool place_checksum(const Placed *p, const uint8_t *command)
{
    uint64_t size, file = find_file(p, command + 4, &size);
    const uint8_t *numbers = command + 4 + ACPI_FILE_NAME;
    uint64_t offset = load_le(numbers, 4), start = load_le(numbers + 4, 4), length = load_le(numbers + 8, 4);
    uint8_t sum = 0;

    if (!file || offset >= size || start + length > size)
        return false;
    for (uint64_t i = 0; i < length; i++)
        sum += p->memory[file + start + i];
    p->memory[file + offset] -= sum;
    return true;
}

static bool do_command(const Placed *p, const uint8_t *command)
{
    switch (load_le(command, 4)) {
    case ACPI_ADD_POINTER:
        return place_pointer(p, command);
    case ACPI_ADD_CHECKSUM:
        return place_checksum(p, command);
    default:
        return true; /* both files have their places; others are for the firmware */
    }
}

uint64_t acpi_place(const AcpiTables *tables, uint8_t *memory, uint64_t size, GError **error)
{
    const uint8_t *commands = g_bytes_get_data(tables->loader, NULL);
    Placed p = {.memory = memory, .tables = (size - MIN(size, ACPI_TABLES_SIZE)) & ~UINT64_C(0xfff)};

    if (size < LOWEST_END || size > UINT64_C(1) << 32) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                    "memory for ACPI tables: 0x%" PRIx64 " is not from 0x%x to 4 GiB", size, LOWEST_END);
        return 0;
    }
    store_le(memory + BDA_EBDA, EBDA >> 4, 2);
    memory[EBDA] = 1;
    memcpy(memory + RSDP, g_bytes_get_data(tables->rsdp, NULL), ACPI_RSDP_SIZE);
    memcpy(memory + p.tables, g_bytes_get_data(tables->tables, NULL), ACPI_TABLES_SIZE);
    for (size_t at = 0; at < g_bytes_get_size(tables->loader); at += ACPI_COMMAND_SIZE)
        if (!do_command(&p, commands + at)) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "ACPI loader: the command at 0x%zx leads nowhere", at);
            return 0;
        }
    return RSDP;
}
