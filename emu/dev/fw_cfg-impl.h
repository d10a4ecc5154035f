/*
 * fw_cfg-impl.h: the device and its items, for fw_cfg.c, which is what the guest sees, and fw_cfg-items.c, which is
 * what the machine's builder does.
 */
#ifndef EMU_DEV_FW_CFG_IMPL_H
#define EMU_DEV_FW_CFG_IMPL_H

#include "emu/core/machine.h"
#include "emu/dev/fw_cfg.h"

enum {
    FW_CFG_KEY_NUMBER = 0x3fff, /* the other bits are FW_CFG_LOCAL and "write" */
    FW_CFG_ACPI_FILES = 3,
    FW_CFG_RAM_PAGE = 4096,
};

typedef struct FwCfgState {
    uint16_t cur_entry;    /* the selected key */
    uint16_t cur_offset_1; /* of a stream of version 1 */
    uint32_t cur_offset;   /* in its item; beyond the end there are zeros */
    uint64_t dma_addr;
    uint64_t table_mr_size, linker_mr_size, rsdp_mr_size; /* of the ACPI files while it is saved; 0: not told */
} FwCfgState;

typedef struct FwCfgItem {
    GBytes *octets; /* at most one of these: a reference, */
    uint8_t *own;   /* g_malloc'd, */
    RamArea *ram;   /* borrowed */
    uint64_t size;
} FwCfgItem;

typedef struct FwCfgNamed {
    FwCfgItem item; /* its `own` is what the guest may write */
    bool writeable;
    char name[FW_CFG_NAME_MAX + 1];
    void (*selected)(void *opaque);
    void (*written)(void *opaque, const void *data, size_t size);
    void *opaque;
} FwCfgNamed;

typedef struct FwCfg {
    Device dev;
    SpaceId ports, dma;
    FwCfgItem items[2][FW_CFG_FILE_FIRST]; /* [1] are local */
    FwCfgNamed files[FW_CFG_FILES];        /* by name */
    unsigned file_count;
    FwCfgState s;
} FwCfg;

/* A file whose size is in the stream: what it may grow to, and where the state has it. */
typedef struct FwCfgAcpiFile {
    const char *name, *field;
    uint64_t most;
    size_t offset;
} FwCfgAcpiFile;

extern const FwCfgAcpiFile fw_cfg_acpi_files[FW_CFG_ACPI_FILES];

/* The device's own items. */
void fw_cfg_items_init(FwCfg *f);
void fw_cfg_items_done(FwCfg *f);

/* The file of that key or name, or NULL. */
FwCfgNamed *fw_cfg_file_of_key(FwCfg *f, uint16_t key);
FwCfgNamed *fw_cfg_find_file(const FwCfg *f, const char *name);

/* The item of a key; one of no octets if there is none. Its octets are borrowed, NULL if there are none. */
const FwCfgItem *fw_cfg_item_of_key(FwCfg *f, uint16_t key);
const uint8_t *fw_cfg_item_data(const FwCfgItem *item);

/* Of a file in guest memory, whose maximum has room for it. */
void fw_cfg_resize(FwCfgNamed *file, uint64_t size);
void fw_cfg_make_directory(FwCfg *f);

#endif
