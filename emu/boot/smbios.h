/*
 * smbios.h: what the machine says of itself: maker, serial numbers, processors, memory modules.
 */
#ifndef EMU_BOOT_SMBIOS_H
#define EMU_BOOT_SMBIOS_H

#include "emu/boot/boot.h"

#define SMBIOS_TABLES_FILE "etc/smbios/smbios-tables"
#define SMBIOS_ANCHOR_FILE "etc/smbios/smbios-anchor"

/* Texts: NULL is none, and the firmware or the guest shows "Not Specified". */
typedef struct SmbiosPc {
    BootPc pc;
    unsigned cores, threads; /* of a socket, of a core; there are so many sockets that max_cpus have a place */
    uint32_t cpuid_version;  /* EAX and EDX of CPUID leaf 1 */
    uint32_t cpuid_features;
    struct {
        const char *vendor, *version, *date;
    } bios; /* type 0; none if all are NULL: then the firmware adds its own */
    struct {
        const char *manufacturer, *product, *version, *serial, *sku, *family;
    } system; /* type 1; the first three have the values below if they are NULL */
    struct {
        const char *serial, *asset, *sku;
    } chassis; /* type 3; maker and version are the system's */
} SmbiosPc;

#define SMBIOS_MANUFACTURER "QEMU"
#define SMBIOS_PRODUCT      "Standard PC (i440FX + PIIX, 1996)"
#define SMBIOS_VERSION      "pc-i440fx-7.2"

/*
 * New: the structures, and the entry point of SMBIOS 2.8 for them. Its checksums and the address are 0: the firmware
 * has them to fill in. Fails if it all is longer than an entry point can say, or a text has no octets or too many.
 */
bool smbios_make(const SmbiosPc *smbios, GBytes **tables, GBytes **anchor, GError **error);

/* Adds the two files. */
bool smbios_install(const SmbiosPc *smbios, Device *fw_cfg, GError **error);

/*
 * Does for a kernel without firmware what the firmware would do: puts the entry point at `address`, which is `memory`
 * of the guest and has `size` octets, and the structures behind it. Kernels look between 0xf0000 and 0xfffff, at
 * multiples of 16.
 */
bool smbios_place(const SmbiosPc *smbios, uint8_t *memory, uint32_t address, size_t size, GError **error);

#endif
