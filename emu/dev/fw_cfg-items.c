/*
 * fw_cfg-items.c: what fw_cfg tells, and who may change it (the specification, "Firmware Configuration Items").
 */
#include <string.h>

#include "emu/dev/fw_cfg-impl.h"

enum { ID_TRADITIONAL = 1 << 0, ID_DMA = 1 << 1 };

/* An entry of the directory; numbers have the highest octet first. */
typedef struct DirectoryEntry {
    uint32_t size;
    uint16_t key, reserved;
    char name[FW_CFG_NAME_MAX + 1];
} DirectoryEntry;

/* --- items ------------------------------------------------------------------------------------------------------ */

static void item_done(FwCfgItem *item)
{
    g_clear_pointer(&item->octets, g_bytes_unref);
    g_clear_pointer(&item->own, g_free);
    *item = (FwCfgItem){.size = 0};
}

/* Takes `octets`. */
static void item_set(FwCfgItem *item, GBytes *octets)
{
    item_done(item);
    *item = (FwCfgItem){.octets = octets, .size = g_bytes_get_size(octets)};
}

const uint8_t *fw_cfg_item_data(const FwCfgItem *item)
{
    if (item->ram)
        return item->ram->host;
    return item->octets ? g_bytes_get_data(item->octets, NULL) : item->own;
}

/* The selected one, or NULL. */
FwCfgNamed *fw_cfg_file_of_key(FwCfg *f, uint16_t key)
{
    unsigned number = key & FW_CFG_KEY_NUMBER;

    if (key & FW_CFG_LOCAL || number < FW_CFG_FILE_FIRST || number - FW_CFG_FILE_FIRST >= f->file_count)
        return NULL;
    return &f->files[number - FW_CFG_FILE_FIRST];
}

const FwCfgItem *fw_cfg_item_of_key(FwCfg *f, uint16_t key)
{
    static const FwCfgItem nothing = {.size = 0};
    const FwCfgNamed *file = fw_cfg_file_of_key(f, key);
    unsigned number = key & FW_CFG_KEY_NUMBER;

    if (file)
        return &file->item;
    return number < FW_CFG_FILE_FIRST ? &f->items[key & FW_CFG_LOCAL ? 1 : 0][number] : &nothing;
}

/* --- files ------------------------------------------------------------------------------------------------------ */

FwCfgNamed *fw_cfg_find_file(const FwCfg *f, const char *name)
{
    for (unsigned i = 0; i < f->file_count; i++)
        if (strcmp(f->files[i].name, name) == 0)
            return (FwCfgNamed *)&f->files[i];
    return NULL;
}

/* The specification, "File directory": how many, and then an entry for each. */
void fw_cfg_make_directory(FwCfg *f)
{
    size_t size = sizeof(uint32_t) + f->file_count * sizeof(DirectoryEntry);
    uint8_t *octets = g_malloc0(size);
    uint32_t count = GUINT32_TO_BE(f->file_count);

    memcpy(octets, &count, sizeof(count));
    for (unsigned i = 0; i < f->file_count; i++) {
        DirectoryEntry entry = {
            .size = GUINT32_TO_BE((uint32_t)f->files[i].item.size),
            .key = GUINT16_TO_BE((uint16_t)(FW_CFG_FILE_FIRST + i)),
        };
        memcpy(entry.name, f->files[i].name, sizeof(entry.name));
        memcpy(octets + sizeof(count) + i * sizeof(entry), &entry, sizeof(entry));
    }
    item_set(&f->items[0][FW_CFG_FILE_DIR], g_bytes_new_take(octets, size));
}

const FwCfgAcpiFile fw_cfg_acpi_files[FW_CFG_ACPI_FILES] = {
    {"etc/acpi/tables", "table_mr_size", FW_CFG_ACPI_TABLES_MAX, offsetof(FwCfgState, table_mr_size)},
    {"etc/table-loader", "linker_mr_size", FW_CFG_LOADER_MAX, offsetof(FwCfgState, linker_mr_size)},
    {"etc/acpi/rsdp", "rsdp_mr_size", FW_CFG_RSDP_MAX, offsetof(FwCfgState, rsdp_mr_size)},
};

static uint64_t most_of(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fw_cfg_acpi_files); i++)
        if (strcmp(fw_cfg_acpi_files[i].name, name) == 0)
            return fw_cfg_acpi_files[i].most;
    return 0;
}

void fw_cfg_resize(FwCfgNamed *file, uint64_t size)
{
    file->item.size = size;
    file->item.ram->size = (size + FW_CFG_RAM_PAGE - 1) / FW_CFG_RAM_PAGE * FW_CFG_RAM_PAGE;
}

/* --- what the builder says -------------------------------------------------------------------------------------- */

static void set_item(FwCfg *f, uint16_t key, GBytes *octets)
{
    item_set(&f->items[key & FW_CFG_LOCAL ? 1 : 0][key & FW_CFG_KEY_NUMBER], octets);
}

static void take_item(Device *dev, uint16_t key, GBytes *octets)
{
    uint16_t generic = key & ~FW_CFG_LOCAL;

    if (generic >= FW_CFG_FILE_FIRST || key == FW_CFG_SIGNATURE || key == FW_CFG_ID || key == FW_CFG_FILE_DIR)
        g_error("fw_cfg: key 0x%x cannot be set", key);
    set_item((FwCfg *)dev, key, octets);
}

void fw_cfg_set(Device *dev, uint16_t key, GBytes *octets)
{
    take_item(dev, key, g_bytes_ref(octets));
}

void fw_cfg_set_u16(Device *dev, uint16_t key, uint16_t value)
{
    value = GUINT16_TO_LE(value);
    take_item(dev, key, g_bytes_new(&value, sizeof(value)));
}

void fw_cfg_set_u32(Device *dev, uint16_t key, uint32_t value)
{
    value = GUINT32_TO_LE(value);
    take_item(dev, key, g_bytes_new(&value, sizeof(value)));
}

void fw_cfg_set_u64(Device *dev, uint16_t key, uint64_t value)
{
    value = GUINT64_TO_LE(value);
    take_item(dev, key, g_bytes_new(&value, sizeof(value)));
}

void fw_cfg_set_text(Device *dev, uint16_t key, const char *text)
{
    take_item(dev, key, g_bytes_new(text, strlen(text) + 1));
}

static bool refuse(GError **error, const char *name, const char *why)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "fw_cfg: file \"%s\" %s", name, why);
    return false;
}

static bool may_add(const FwCfg *f, const FwCfgFile *file, GError **error)
{
    uint64_t size = file->ram ? file->size : file->octets ? g_bytes_get_size(file->octets) : 0;

    if (f->file_count == FW_CFG_FILES)
        return refuse(error, file->name, "is one too many: there can be 32");
    if (!*file->name || strlen(file->name) > FW_CFG_NAME_MAX)
        return refuse(error, file->name, "has a name that is not 1 to 55 octets long");
    if (fw_cfg_find_file(f, file->name))
        return refuse(error, file->name, "is there already");
    if (size > UINT32_MAX)
        return refuse(error, file->name, "is longer than 4 GiB");
    if (file->ram && file->ram->maximum < MAX(size, most_of(file->name)))
        return refuse(error, file->name, "has no room in its memory");
    if (file->ram && file->writeable)
        return refuse(error, file->name, "is in guest memory, and cannot be written by way of the device");
    return true;
}

bool fw_cfg_add_file(Device *dev, const FwCfgFile *file, GError **error)
{
    FwCfg *f = (FwCfg *)dev;
    unsigned at = 0;
    FwCfgNamed new = {
        .writeable = file->writeable,
        .selected = file->selected,
        .written = file->written,
        .opaque = file->opaque,
    };

    if (!may_add(f, file, error))
        return false;
    g_strlcpy(new.name, file->name, sizeof(new.name));
    if (file->ram)
        new.item = (FwCfgItem){.ram = file->ram, .size = file->size};
    else if (file->octets && file->writeable)
        new.item.own = g_bytes_unref_to_data(g_bytes_ref(file->octets), &new.item.size);
    else if (file->octets)
        item_set(&new.item, g_bytes_ref(file->octets));
    while (at < f->file_count && strcmp(f->files[at].name, new.name) < 0)
        at++;
    memmove(&f->files[at + 1], &f->files[at], (f->file_count - at) * sizeof(FwCfgNamed));
    f->files[at] = new;
    f->file_count++;
    fw_cfg_make_directory(f);
    return true;
}

bool fw_cfg_resize_file(Device *dev, const char *name, uint64_t size, GError **error)
{
    FwCfg *f = (FwCfg *)dev;
    FwCfgNamed *file = fw_cfg_find_file(f, name);

    if (!file || !file->item.ram)
        return refuse(error, name, "is not there, or not in guest memory");
    if (size > MIN(file->item.ram->maximum, UINT32_MAX))
        return refuse(error, name, "has no room in its memory");
    fw_cfg_resize(file, size);
    fw_cfg_make_directory(f);
    return true;
}

bool fw_cfg_replace_file(Device *dev, const char *name, GBytes *octets, GError **error)
{
    FwCfg *f = (FwCfg *)dev;
    FwCfgNamed *file = fw_cfg_find_file(f, name);

    if (!file || file->item.ram)
        return refuse(error, name, "is not there, or in guest memory");
    if (g_bytes_get_size(octets) > UINT32_MAX)
        return refuse(error, name, "is longer than 4 GiB");
    item_set(&file->item, g_bytes_ref(octets));
    if (file->writeable) {
        GBytes *taken = g_steal_pointer(&file->item.octets);
        file->item.own = g_bytes_unref_to_data(taken, &file->item.size);
    }
    fw_cfg_make_directory(f);
    return true;
}

GBytes *fw_cfg_get_file(const Device *dev, const char *name)
{
    const FwCfgNamed *file = fw_cfg_find_file((const FwCfg *)dev, name);

    return file ? g_bytes_new(fw_cfg_item_data(&file->item), file->item.size) : NULL;
}

uint16_t fw_cfg_get_key(const Device *dev, const char *name)
{
    const FwCfg *f = (const FwCfg *)dev;
    const FwCfgNamed *file = fw_cfg_find_file(f, name);

    return file ? (uint16_t)(FW_CFG_FILE_FIRST + (file - f->files)) : 0;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

void fw_cfg_items_init(FwCfg *f)
{
    uint32_t id = GUINT32_TO_LE(ID_TRADITIONAL | ID_DMA);

    set_item(f, FW_CFG_SIGNATURE, g_bytes_new("QEMU", 4));
    set_item(f, FW_CFG_ID, g_bytes_new(&id, sizeof(id)));
    fw_cfg_make_directory(f);
}

void fw_cfg_items_done(FwCfg *f)
{
    for (unsigned key = 0; key < FW_CFG_FILE_FIRST; key++) {
        item_done(&f->items[0][key]);
        item_done(&f->items[1][key]);
    }
    while (f->file_count)
        item_done(&f->files[--f->file_count].item);
}
