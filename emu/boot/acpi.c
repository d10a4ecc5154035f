/*
 * acpi.c: the ACPI tables of a PC with 82441FX, PIIX3, and the power management of a PIIX4.
 *
 * Sources: ACPI Specification 1.0b, 5.2 (RSDP, RSDT, FACP, FACS, MADT, in the form of version 1.0, as old guests need
 * it); IA-PC HPET Specification 1.0a, 3.2.4; Microsoft's Windows ACPI Emulated Devices Table; SeaBIOS's
 * romfile_loader.h (the commands); Intel 82371AB (PIIX4) data sheet, 7.2. The tables are FACS, DSDT, FACP, APIC, HPET
 * (if there is one), WAET and RSDT, in this order. Not offered: SSDTs, SRAT, MCFG, and what dsdt.asl says.
 */
#include "emu/boot/acpi.h"

#include <inttypes.h>

#include "emu/boot/dsdt-impl.h"
#include "emu/boot/octets-impl.h"
#include "emu/core/machine.h"
#include "emu/dev/acpi_build.h"
#include "emu/dev/fw_cfg.h"
#include "visitors/error.h"

enum {
    HEADER_SIZE = 36,
    HEADER_LENGTH = 4,
    HEADER_CHECKSUM = 9,
    HEADER_OEM = 10,
    TABLES_ALIGNMENT = 64, /* the FACS's */
    RSDP_ALIGNMENT = 16,
    SCI = 9,
    TABLES_POINTED_AT = 8,
};

typedef struct Build {
    GByteArray *tables, *loader;
    uint32_t pointed_at[TABLES_POINTED_AT]; /* by the RSDT */
    unsigned count;
} Build;

/* --- commands --------------------------------------------------------------------------------------------------- */

static void put_name(GByteArray *to, const char *name)
{
    put_octets(to, name, strlen(name));
    put_zeros(to, ACPI_FILE_NAME - strlen(name));
}

static void end_command(GByteArray *loader)
{
    put_zeros(loader, (ACPI_COMMAND_SIZE - loader->len % ACPI_COMMAND_SIZE) % ACPI_COMMAND_SIZE);
}

static void allocate(Build *b, const char *file, uint32_t alignment, uint8_t zone)
{
    put_le(b->loader, ACPI_ALLOCATE, 4);
    put_name(b->loader, file);
    put_le(b->loader, alignment, 4);
    put_le(b->loader, zone, 1);
    end_command(b->loader);
}

/* At `offset` of `file` there is an offset in the tables, of 32 bits. */
static void add_pointer(Build *b, const char *file, uint32_t offset)
{
    put_le(b->loader, ACPI_ADD_POINTER, 4);
    put_name(b->loader, file);
    put_name(b->loader, ACPI_TABLES_FILE);
    put_le(b->loader, offset, 4);
    put_le(b->loader, 4, 1);
    end_command(b->loader);
}

static void add_checksum(Build *b, const char *file, uint32_t offset, uint32_t start, uint32_t length)
{
    put_le(b->loader, ACPI_ADD_CHECKSUM, 4);
    put_name(b->loader, file);
    put_le(b->loader, offset, 4);
    put_le(b->loader, start, 4);
    put_le(b->loader, length, 4);
    end_command(b->loader);
}

/* --- tables ----------------------------------------------------------------------------------------------------- */

/* OEM id, table id and revision, and the compiler's: as QEMU has them, since guests know the machine by it. */
static void put_oem(uint8_t *at)
{
    memcpy(at, "BOCHS BXPC    \1\0\0\0BXPC\1\0\0\0", HEADER_SIZE - HEADER_OEM);
}

static uint32_t start_table(Build *b, const char *signature, uint8_t revision)
{
    uint32_t start = b->tables->len;

    put_octets(b->tables, signature, 4);
    put_le(b->tables, 0, 4);
    put_le(b->tables, revision, 1);
    put_zeros(b->tables, HEADER_SIZE - 9);
    put_oem(b->tables->data + start + HEADER_OEM);
    return start;
}

static void end_table(Build *b, uint32_t start)
{
    uint32_t length = b->tables->len - start;

    store_le(b->tables->data + start + HEADER_LENGTH, length, 4);
    add_checksum(b, ACPI_TABLES_FILE, start + HEADER_CHECKSUM, start, length);
}

/* One that the RSDT has. */
static uint32_t start_listed(Build *b, const char *signature, uint8_t revision)
{
    b->pointed_at[b->count++] = b->tables->len;
    return start_table(b, signature, revision);
}

static void put_pointer(Build *b, uint32_t to)
{
    add_pointer(b, ACPI_TABLES_FILE, b->tables->len);
    put_le(b->tables, to, 4);
}

/* 5.2.6: no firmware waking vector, no global lock taken. It has no checksum. */
static uint32_t put_facs(Build *b)
{
    enum { FACS_SIZE = 64 };
    uint32_t start = b->tables->len;

    put_octets(b->tables, "FACS", 4);
    put_le(b->tables, FACS_SIZE, 4);
    put_zeros(b->tables, FACS_SIZE - 8);
    return start;
}

static bool put_dsdt(Build *b, const AcpiPc *acpi, GError **error)
{
    g_autoptr(GByteArray) dsdt = dsdt_make(acpi, error);
    uint32_t start = b->tables->len;

    if (!dsdt)
        return false;
    put_oem(dsdt->data + HEADER_OEM);
    put_octets(b->tables, dsdt->data, dsdt->len);
    end_table(b, start);
    return true;
}

/* 5.2.5, from the interrupt model on: ports of the PIIX4, and a GPE block that is the machine's own. */
static void put_fixed_hardware(GByteArray *t, const AcpiPc *acpi)
{
    enum { SMI_COMMAND = 0xb2, ACPI_ON = 0xf1, ACPI_OFF = 0xf0, GPE0 = 0xafe0 };
    uint16_t pm_base = acpi->pm_base;

    put_le(t, 1, 1); /* several APICs */
    put_le(t, 0, 1);
    put_le(t, SCI, 2);
    put_le(t, acpi->smm ? SMI_COMMAND : 0, 4);
    put_le(t, acpi->smm ? ACPI_ON : 0, 1);
    put_le(t, acpi->smm ? ACPI_OFF : 0, 1);
    put_le(t, 0, 2);           /* S4 by the firmware: none */
    put_le(t, pm_base, 4);     /* PM1a events */
    put_le(t, 0, 4);           /* PM1b */
    put_le(t, pm_base + 4, 4); /* PM1a control */
    put_le(t, 0, 4);
    put_le(t, 0, 4);           /* PM2 */
    put_le(t, pm_base + 8, 4); /* timer */
    put_le(t, GPE0, 4);
    put_le(t, 0, 4);          /* GPE1 */
    put_le(t, 0x04000204, 4); /* octets of PM1 events, PM1 control, PM2, timer */
    put_le(t, 4, 1);          /* of GPE0 */
    put_le(t, 0, 3);          /* of GPE1; its base; reserved */
}

/* The flags: WBINVD works, C1 is there, the sleep button is no fixed one (the power button is), RTC wakes from S4. */
static void put_facp(Build *b, const AcpiPc *acpi, uint32_t facs, uint32_t dsdt)
{
    enum { NO_SUCH_STATE = 0xfff, CENTURY = 0x32, FLAGS = 1 << 0 | 1 << 2 | 1 << 5 | 1 << 7 };
    uint32_t start = start_listed(b, "FACP", 1);

    put_pointer(b, facs);
    put_pointer(b, dsdt);
    put_fixed_hardware(b->tables, acpi);
    put_le(b->tables, NO_SUCH_STATE, 2); /* latency of C2 */
    put_le(b->tables, NO_SUCH_STATE, 2); /* of C3 */
    put_zeros(b->tables, 8);             /* flushing caches by reads; duty cycle; alarms by day and month */
    put_le(b->tables, CENTURY, 1);
    put_zeros(b->tables, 3);
    put_le(b->tables, FLAGS, 4);
    end_table(b, start);
}

/* Interrupts that do not go to the pin of their number, or not by an edge as ISA's do. */
static void put_override(GByteArray *t, uint8_t irq, uint32_t pin, uint16_t flags)
{
    put_le(t, 2, 1);
    put_le(t, 10, 1);
    put_le(t, 0, 1);
    put_le(t, irq, 1);
    put_le(t, pin, 4);
    put_le(t, flags, 2);
}

/* 5.2.8 */
static void put_madt(Build *b, const BootPc *pc)
{
    enum { LOCAL_APIC = 0xfee00000, IO_APIC = 0xfec00000, PCAT_COMPAT = 1, LEVEL_HIGH = 0xd, ALL_CPUS = 0xff };
    static const uint8_t level[] = {5, 9, 10, 11}; /* PIRQs and SCI */
    uint32_t start = start_listed(b, "APIC", 1);

    put_le(b->tables, LOCAL_APIC, 4);
    put_le(b->tables, PCAT_COMPAT, 4);
    for (unsigned n = 0; n < pc->max_cpus; n++) {
        put_le(b->tables, 0x0800, 2);
        put_le(b->tables, n, 1); /* the id in the DSDT */
        put_le(b->tables, n, 1); /* of the APIC */
        put_le(b->tables, n < pc->cpus, 4);
    }
    put_le(b->tables, 0x0c01, 2);
    put_le(b->tables, 0, 2); /* its id */
    put_le(b->tables, IO_APIC, 4);
    put_le(b->tables, 0, 4); /* its first interrupt */
    put_override(b->tables, 0, 2, 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(level); i++)
        put_override(b->tables, level[i], level[i], LEVEL_HIGH);
    put_le(b->tables, 0x0604, 2); /* NMI */
    put_le(b->tables, ALL_CPUS, 1);
    put_le(b->tables, 0, 2);
    put_le(b->tables, 1, 1); /* LINT1 */
    end_table(b, start);
}

static void put_hpet(Build *b)
{
    uint32_t start = start_listed(b, "HPET", 1);

    put_le(b->tables, 0x8086a201, 4); /* as its register 0 */
    put_le(b->tables, 0, 4);          /* memory */
    put_le(b->tables, 0xfed00000, 8);
    put_zeros(b->tables, 4); /* number, least tick, page protection */
    end_table(b, start);
}

/* One read of the PM timer is enough. */
static void put_waet(Build *b)
{
    uint32_t start = start_listed(b, "WAET", 1);

    put_le(b->tables, 1 << 1, 4);
    end_table(b, start);
}

static uint32_t put_rsdt(Build *b)
{
    uint32_t start = start_table(b, "RSDT", 1);

    for (unsigned i = 0; i < b->count; i++)
        put_pointer(b, b->pointed_at[i]);
    end_table(b, start);
    return start;
}

/* 5.2.3: version 1.0, 20 octets. */
static GBytes *make_rsdp(Build *b, uint32_t rsdt)
{
    enum { CHECKSUM = 8, POINTER = 16 };
    GByteArray *rsdp = g_byte_array_new();

    put_octets(rsdp, "RSD PTR ", 8);
    put_le(rsdp, 0, 1);
    put_octets(rsdp, "BOCHS ", 6);
    put_le(rsdp, 0, 1);
    put_le(rsdp, rsdt, 4);
    add_pointer(b, ACPI_RSDP_FILE, POINTER);
    add_checksum(b, ACPI_RSDP_FILE, CHECKSUM, 0, ACPI_RSDP_SIZE);
    return g_byte_array_free_to_bytes(rsdp);
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static bool check(const AcpiPc *acpi, GError **error)
{
    if (!boot_check(&acpi->pc, error))
        return false;
    if (acpi->pm_base == 0 || acpi->pm_base % 0x40) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "pm_base: 0x%x is no multiple of 0x40", acpi->pm_base);
        return false;
    }
    if (acpi->pci64_length && (acpi->pci64 < UINT64_C(1) << 32 || acpi->pci64 + acpi->pci64_length < acpi->pci64)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "pci64: 0x%" PRIx64 " with 0x%" PRIx64 " octets is not above 4 GiB", acpi->pci64,
                    acpi->pci64_length);
        return false;
    }
    return true;
}

static bool put_tables(Build *b, const AcpiPc *acpi, GError **error)
{
    uint32_t facs, dsdt;

    allocate(b, ACPI_RSDP_FILE, RSDP_ALIGNMENT, ACPI_ZONE_FSEG);
    allocate(b, ACPI_TABLES_FILE, TABLES_ALIGNMENT, ACPI_ZONE_HIGH);
    facs = put_facs(b);
    dsdt = b->tables->len;
    if (!put_dsdt(b, acpi, error))
        return false;
    put_facp(b, acpi, facs, dsdt);
    put_madt(b, &acpi->pc);
    if (acpi->pc.hpet)
        put_hpet(b);
    put_waet(b);
    return true;
}

static GBytes *fill_up(GByteArray *octets, size_t size, GError **error)
{
    if (octets->len > size) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "ACPI tables: 0x%x octets are more than 0x%zx", octets->len,
                    size);
        return NULL;
    }
    put_zeros(octets, size - octets->len);
    return g_bytes_new(octets->data, octets->len);
}

bool acpi_make(const AcpiPc *acpi, AcpiTables *tables, GError **error)
{
    g_autoptr(GByteArray) all = g_byte_array_new(), loader = g_byte_array_new();
    Build b = {.tables = all, .loader = loader};

    *tables = (AcpiTables){.tables = NULL};
    if (!check(acpi, error) || !put_tables(&b, acpi, error))
        return false;
    tables->rsdp = make_rsdp(&b, put_rsdt(&b));
    tables->tables = fill_up(all, ACPI_TABLES_SIZE, error);
    tables->loader = tables->tables ? fill_up(loader, ACPI_LOADER_SIZE, error) : NULL;
    if (!tables->loader)
        acpi_tables_done(tables);
    return tables->loader;
}

void acpi_tables_done(AcpiTables *tables)
{
    g_clear_pointer(&tables->tables, g_bytes_unref);
    g_clear_pointer(&tables->loader, g_bytes_unref);
    g_clear_pointer(&tables->rsdp, g_bytes_unref);
}
