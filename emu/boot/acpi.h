/*
 * acpi.h: the ACPI tables, in the form in which the firmware of a virtual machine takes them.
 *
 * The firmware puts "etc/acpi/tables" and "etc/acpi/rsdp" where it likes, and then does what "etc/table-loader" says.
 */
#ifndef EMU_BOOT_ACPI_H
#define EMU_BOOT_ACPI_H

#include "emu/boot/boot.h"
#include "emu/core/ram.h"

#define ACPI_TABLES_FILE "etc/acpi/tables"
#define ACPI_LOADER_FILE "etc/table-loader"
#define ACPI_RSDP_FILE   "etc/acpi/rsdp"

enum {
    ACPI_TABLES_SIZE = 0x20000, /* the rest is zeros */
    ACPI_LOADER_SIZE = 0x1000,
    ACPI_RSDP_SIZE = 20,
    ACPI_FILE_NAME = 56, /* in the commands */
    ACPI_COMMAND_SIZE = 128,
    ACPI_PM_BASE = 0x600, /* where the firmware puts the ports of the PIIX4's power management */
};

/* The commands of "etc/table-loader". */
typedef enum AcpiCommand {
    ACPI_ALLOCATE = 1,     /* file, u32 alignment, u8 zone: 1 anywhere below 4 GiB, 2 between 0xf0000 and 0xfffff */
    ACPI_ADD_POINTER = 2,  /* file to change, file to add the address of, u32 where, u8 octets there */
    ACPI_ADD_CHECKSUM = 3, /* file, u32 where, u32 first octet, u32 how many */
} AcpiCommand;

enum { ACPI_ZONE_HIGH = 1, ACPI_ZONE_FSEG = 2 };

typedef struct AcpiPc {
    BootPc pc;
    uint16_t pm_base;             /* ACPI_PM_BASE */
    bool smm;                     /* system management mode: ACPI is switched on by its firmware, not always on */
    bool com1, com2, floppies;    /* which devices there are */
    uint64_t pci64, pci64_length; /* where PCI devices are above 4 GiB; 0 octets: nowhere */
} AcpiPc;

typedef struct AcpiTables {
    GBytes *tables, *loader, *rsdp; /* of the sizes above */
} AcpiTables;

/* Fails if a number is none that a machine can have, or there is no room for it all. */
bool acpi_make(const AcpiPc *acpi, AcpiTables *tables, GError **error);
void acpi_tables_done(AcpiTables *tables);

/*
 * Asked for the machine as it is now, when the firmware reads the tables the first time since a reset. `acpi` has what
 * there was before.
 */
typedef void AcpiRefresh(void *opaque, AcpiPc *acpi);

typedef struct AcpiInstall AcpiInstall;

/*
 * Adds the three files, in new memory of the machine, "/rom@" with their names. They are made again when the firmware
 * reads the first of them, as `acpi_build` counts it, and asks `refresh` (NULL: nobody). All devices are realized. What
 * comes back is freed before they are.
 */
AcpiInstall *acpi_install(const AcpiPc *acpi, Device *fw_cfg, Device *acpi_build, GError **error);
void acpi_set_refresh(AcpiInstall *install, AcpiRefresh *refresh, void *opaque);
void acpi_install_free(AcpiInstall *install);

/*
 * Does for a kernel without firmware what the firmware would do: puts the tables into the last ACPI_TABLES_SIZE octets
 * of `memory`, which is `size` octets from address 0 on, and the RSDP into the extended BIOS data area, where kernels
 * look for it (e820_for_kernel knows of both). Returns the address of the RSDP, or 0 with an error.
 */
uint64_t acpi_place(const AcpiTables *tables, uint8_t *memory, uint64_t size, GError **error);

#endif
