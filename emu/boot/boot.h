/*
 * boot.h: what the firmware of a PC is told about it: memory, processors, what to boot from.
 *
 * The builder fills a BootPc and gives it to boot_fill_fw_cfg, boot_fill_cmos, acpi_install (acpi.h) and
 * smbios_install (smbios.h); the order does not matter, as files go by their names. The guest has not run yet.
 */
#ifndef EMU_BOOT_BOOT_H
#define EMU_BOOT_BOOT_H

#include "emu/core/device.h"

enum {
    BOOT_CPUS_MAX = 255, /* local APIC ids of one octet, 255 being everyone */
    BOOT_FLOPPIES = 2,
    BOOT_DEVICES = 3, /* of a boot order, for which the CMOS memory has room */
};

/* Types of floppy drives, as the CMOS memory has them (IBM PC AT Technical Reference, "Diskette Drive Type Byte"). */
enum { BOOT_FLOPPY_NONE = 0, BOOT_FLOPPY_144 = 4, BOOT_FLOPPY_288 = 5 };

typedef struct BootPc {
    uint64_t below_4g, above_4g; /* octets of memory from address 0, and from 4 GiB */
    unsigned cpus;               /* there are */
    unsigned max_cpus;           /* there is room for */
    uint8_t uuid[16];            /* as it is written, highest octet first */
    const char *boot_order;      /* letters a (floppy), c (disk), d (CD), n (network); NULL: "cad" */
    bool boot_menu;
    bool has_menu_wait;
    uint16_t menu_wait;     /* ms that the menu, or a picture, stays */
    int32_t boot_fail_wait; /* ms until the next try; -1: never */
    bool hpet;
    bool s3_off, s4_off;                /* does not offer to sleep */
    bool hypertransport;                /* an AMD host: 12 GiB below 2^40 are not for memory */
    uint8_t floppies[BOOT_FLOPPIES];    /* BOOT_FLOPPY_* */
    GBytes *vapic_rom;                  /* "genroms/kvmvapic.bin"; NULL: none */
    GBytes *boot_paths, *disk_geometry; /* "bootorder", "bios-geometry", lines; NULL: empty */
} BootPc;

/* Where the memory of a PC goes: all below the hole for PCI if it ends below 3.5 GiB, else 3 GiB and the rest above. */
void boot_split_memory(uint64_t size, uint64_t *below_4g, uint64_t *above_4g);

/* Refuses what no PC has, naming the member and both values. The other functions call it. */
bool boot_check(const BootPc *pc, GError **error);

/* Everything but the ACPI and SMBIOS tables. */
bool boot_fill_fw_cfg(const BootPc *pc, Device *fw_cfg, GError **error);

/* The sizes of the memory, the equipment, the boot order, and how many processors the firmware is to wait for. */
bool boot_fill_cmos(const BootPc *pc, Device *rtc, GError **error);

/* The boot order alone; it is one that boot_check takes. */
void boot_set_order(Device *rtc, const char *order);

#endif
