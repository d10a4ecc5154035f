/*
 * fw_cfg.h: what the machine's builder tells the firmware through fw_cfg.
 *
 * An item is octets under a key. Keys below FW_CFG_FILE_FIRST have a meaning of their own; the keys above are files',
 * which have names, and are listed in the directory (FW_CFG_FILE_DIR). All functions want a realized device.
 */
#ifndef EMU_DEV_FW_CFG_H
#define EMU_DEV_FW_CFG_H

#include "emu/core/device.h"
#include "emu/core/ram.h"

typedef enum FwCfgKey {
    FW_CFG_SIGNATURE = 0x00, /* it and the next are the device's own */
    FW_CFG_ID = 0x01,
    FW_CFG_UUID = 0x02,      /* 16 octets */
    FW_CFG_RAM_SIZE = 0x03,  /* u64 */
    FW_CFG_NOGRAPHIC = 0x04, /* u16 */
    FW_CFG_NB_CPUS = 0x05,   /* u16 */
    FW_CFG_MACHINE_ID = 0x06,
    FW_CFG_KERNEL_ADDR = 0x07,
    FW_CFG_KERNEL_SIZE = 0x08,
    FW_CFG_KERNEL_CMDLINE = 0x09,
    FW_CFG_INITRD_ADDR = 0x0a,
    FW_CFG_INITRD_SIZE = 0x0b,
    FW_CFG_BOOT_DEVICE = 0x0c, /* u16 */
    FW_CFG_NUMA = 0x0d,        /* u64s: nodes, the node of each processor, the memory of each node */
    FW_CFG_BOOT_MENU = 0x0e,   /* u16 */
    FW_CFG_MAX_CPUS = 0x0f,    /* u16 */
    FW_CFG_KERNEL_ENTRY = 0x10,
    FW_CFG_KERNEL_DATA = 0x11,
    FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDR = 0x13,
    FW_CFG_CMDLINE_SIZE = 0x14,
    FW_CFG_CMDLINE_DATA = 0x15,
    FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17,
    FW_CFG_SETUP_DATA = 0x18,
    FW_CFG_FILE_DIR = 0x19, /* the device's own */
    FW_CFG_FILE_FIRST = 0x20,

    FW_CFG_LOCAL = 0x8000, /* with it, keys of x86: */
    FW_CFG_ACPI_TABLES = 0x8000,
    FW_CFG_SMBIOS_ENTRIES = 0x8001,
    FW_CFG_IRQ0_OVERRIDE = 0x8002, /* u32: 1 */
    FW_CFG_E820_TABLE = 0x8003,
    FW_CFG_HPET = 0x8004,
} FwCfgKey;

enum {
    FW_CFG_FILES = 32, /* so many there can be */
    FW_CFG_NAME_MAX = 55,

    /* What these three files, if they are in guest memory, must have room for: a stream may have made them so large. */
    FW_CFG_ACPI_TABLES_MAX = 2 << 20, /* "etc/acpi/tables" */
    FW_CFG_LOADER_MAX = 64 << 10,     /* "etc/table-loader" */
    FW_CFG_RSDP_MAX = 4 << 10,        /* "etc/acpi/rsdp" */
};

/*
 * Sets an item below FW_CFG_FILE_FIRST, with or without FW_CFG_LOCAL; another key, or one of the device's own, is an
 * error of the program, and ends it. Takes a reference of `octets`, so that a kernel need not be copied.
 */
void fw_cfg_set(Device *fw_cfg, uint16_t key, GBytes *octets);

/* The same with a number, lowest octet first, and with a text and the 0 at its end. */
void fw_cfg_set_u16(Device *fw_cfg, uint16_t key, uint16_t value);
void fw_cfg_set_u32(Device *fw_cfg, uint16_t key, uint32_t value);
void fw_cfg_set_u64(Device *fw_cfg, uint16_t key, uint64_t value);
void fw_cfg_set_text(Device *fw_cfg, uint16_t key, const char *text);

typedef struct FwCfgFile {
    const char *name; /* copied */
    GBytes *octets;   /* what it has; a reference is taken. NULL: nothing, or `ram` */
    RamArea *ram;     /* or memory of the machine, which outlives the device */
    uint64_t size;    /* of the memory, so much is the file */

    /*
     * The guest may write it, by DMA, but not make it longer. What it has written is not saved here: who is told of it
     * saves it.
     */
    bool writeable;

    /* Called when the guest has selected it, before anything is read. May resize and replace files, not add any. */
    void (*selected)(void *opaque);
    /* Called after the guest has written; `data` is the whole file, borrowed for the call. */
    void (*written)(void *opaque, const void *data, size_t size);
    void *opaque; /* borrowed */
} FwCfgFile;

/*
 * Adds a file. Their keys go by their names, from FW_CFG_FILE_FIRST on in the order of strcmp: so all are added before
 * the guest runs. Fails if there are FW_CFG_FILES, the name is there, empty or longer than FW_CFG_NAME_MAX, the file
 * longer than 4 GiB or its memory, or one of the three above without room to grow.
 */
bool fw_cfg_add_file(Device *fw_cfg, const FwCfgFile *file, GError **error);

/* Of a file in memory, how much of it is the file. Fails if there is no such file, or the memory has no such maximum.
 */
bool fw_cfg_resize_file(Device *fw_cfg, const char *name, uint64_t size, GError **error);

/* Gives a file that is not in memory other octets, of which a reference is taken. Fails if there is no such file. */
bool fw_cfg_replace_file(Device *fw_cfg, const char *name, GBytes *octets, GError **error);

/* New: what a file has now, or NULL if there is none of that name. */
GBytes *fw_cfg_get_file(const Device *fw_cfg, const char *name);

/* The key of a file; 0 if there is none of that name. */
uint16_t fw_cfg_get_key(const Device *fw_cfg, const char *name);

#endif
