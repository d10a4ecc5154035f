/*
 * fw_cfg.c: QEMU's firmware configuration device, by which a PC's firmware and kernel learn what machine it is.
 *
 * Source: "QEMU Firmware Configuration (fw_cfg) Device" (docs/specs/fw_cfg.rst), here "the specification"; and what
 * QEMU 7.2 was measured to do where that is silent.
 * Ports: 0x510 selector (16 bits, write only), 0x511 data (8 bits, read only; an 8-bit read of 0x510 is one, too),
 * 0x514 to 0x51b address of a DMA command, highest octet first; reading it gives a signature.
 * Lines: none. What the items are is said in fw_cfg.h.
 * Not modelled: the old way of writing an item through the data port (bit 14 of the selector is taken and ignored, as
 * it is by QEMU since 2.4), and DMA to and from registers of devices, which is an error here.
 */
#include "emu/dev/fw_cfg.h"

#include <string.h>

#include "emu/dev/dev.h"
#include "emu/dev/fw_cfg-impl.h"

enum {
    SELECTOR = 0x510, /* and the data port */
    DMA = 0x514,

    KEY_NONE = 0xffff, /* selected is what cannot be there */
    KEYS = FW_CFG_FILE_FIRST + FW_CFG_FILES,

    DMA_ERROR = 1 << 0,
    DMA_READ = 1 << 1,
    DMA_SKIP = 1 << 2,
    DMA_SELECT = 1 << 3, /* the key is in the upper 16 bits */
    DMA_WRITE = 1 << 4,
};

static const char dma_signature[] = "QEMU CFG";

/* A DMA command; numbers have the highest octet first. */
typedef struct Command {
    uint32_t control, length;
    uint64_t address;
} Command;

/* --- items ------------------------------------------------------------------------------------------------------ */

/* Octets of the selected item from the offset on. */
static uint64_t octets_left(FwCfg *f, const FwCfgItem *item)
{
    return item->size - MIN(f->s.cur_offset, item->size);
}

static void select_key(FwCfg *f, uint16_t key)
{
    FwCfgNamed *file;

    f->s.cur_offset = 0;
    f->s.cur_entry = (key & FW_CFG_KEY_NUMBER) < KEYS ? key : KEY_NONE;
    file = fw_cfg_file_of_key(f, f->s.cur_entry);
    if (file && file->selected)
        file->selected(file->opaque);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

static uint64_t *size_in_state(const FwCfgState *s, const FwCfgAcpiFile *file)
{
    return (uint64_t *)(void *)((char *)s + file->offset);
}

static bool pull(void *opaque, GError **error)
{
    FwCfg *f = opaque;

    (void)error;
    for (size_t i = 0; i < G_N_ELEMENTS(fw_cfg_acpi_files); i++) {
        const FwCfgNamed *file = fw_cfg_find_file(f, fw_cfg_acpi_files[i].name);
        *size_in_state(&f->s, &fw_cfg_acpi_files[i]) = file && file->item.ram ? file->item.size : 0;
    }
    return true;
}

/* Keys and offsets may be any: what is not there reads as zeros. */
static bool check(const void *state, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fw_cfg_acpi_files); i++) {
        uint64_t size = *size_in_state(state, &fw_cfg_acpi_files[i]);
        if (size <= fw_cfg_acpi_files[i].most)
            continue;
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "fw_cfg/acpi_mr.%s: file \"%s\" cannot have 0x%" G_GINT64_MODIFIER
                    "x octets, only 0x%" G_GINT64_MODIFIER "x",
                    fw_cfg_acpi_files[i].field, fw_cfg_acpi_files[i].name, size, fw_cfg_acpi_files[i].most);
        return false;
    }
    return true;
}

/* A file that the stream says nothing of (0), and one that this machine has not, are left as they are. */
static void push(void *opaque)
{
    FwCfg *f = opaque;

    if (f->s.cur_offset_1)
        f->s.cur_offset = f->s.cur_offset_1;
    f->s.cur_offset_1 = 0;
    for (size_t i = 0; i < G_N_ELEMENTS(fw_cfg_acpi_files); i++) {
        FwCfgNamed *file = fw_cfg_find_file(f, fw_cfg_acpi_files[i].name);
        uint64_t size = *size_in_state(&f->s, &fw_cfg_acpi_files[i]);
        if (file && file->item.ram && size)
            fw_cfg_resize(file, size);
    }
    fw_cfg_make_directory(f);
}

/* The sizes are sent if the list of RAM blocks, which has pages, cannot tell them. */
static bool sizes_are_no_pages(const void *state)
{
    const FwCfgState *s = state;

    return (s->table_mr_size | s->linker_mr_size | s->rsdp_mr_size) % FW_CFG_RAM_PAGE;
}

static bool is_version_1(const void *state, int version)
{
    (void)state;
    return version == 1;
}

static const VMStateField dma_fields[] = {
    VMS_FIELD(FwCfgState, dma_addr),
    VMS_END,
};

static const VMStateDescription dma_state = {
    .name = "fw_cfg/dma",
    .version = 0,
    .minimum = 0,
    .fields = dma_fields,
};

static const VMStateField acpi_fields[] = {
    VMS_FIELD(FwCfgState, table_mr_size),
    VMS_FIELD(FwCfgState, linker_mr_size),
    VMS_FIELD(FwCfgState, rsdp_mr_size),
    VMS_END,
};

static const VMStateDescription acpi_state = {
    .name = "fw_cfg/acpi_mr",
    .version = 1,
    .minimum = 1,
    .fields = acpi_fields,
};

static const VMStateSubsection subsections[] = {
    {.desc = &dma_state},
    {.desc = &acpi_state, .needed = sizes_are_no_pages},
    {.desc = NULL},
};

#define OFFSET_FIELD(member, scalar_, ...)                                                                             \
    {                                                                                                                  \
        .kind = VMS_SCALAR, .scalar = (scalar_), .offset = offsetof(FwCfgState, member),                               \
        .size = sizeof(VMS_MEMBER(FwCfgState, member)), .count = 1, __VA_ARGS__                                        \
    }

/* The offset had 16 bits in version 1. */
static const VMStateField fields[] = {
    VMS_FIELD(FwCfgState, cur_entry),
    OFFSET_FIELD(cur_offset_1, SCALAR_UINT16, .name = "cur_offset[0]", .present = is_version_1),
    OFFSET_FIELD(cur_offset, SCALAR_UINT32, .name = "cur_offset[1]", .since = 2),
    VMS_END,
};

static const VMStateDescription fw_cfg_state = {
    .name = "fw_cfg",
    .version = 2,
    .minimum = 1,
    .size = sizeof(FwCfgState),
    .fields = fields,
    .subsections = subsections,
    .pull = pull,
    .check = check,
    .push = push,
};

/* --- DMA -------------------------------------------------------------------------------------------------------- */

/* To guest memory: `have` octets of data, and zeros up to `len`. False where there is no memory. */
static bool put_octets(Space *memory, uint64_t addr, const void *data, size_t have, size_t len)
{
    for (size_t done = 0, n, some; done < len; done += n) {
        n = len - done;
        uint8_t *to = space_map_octets(memory, addr + done, &n, true);
        if (!to)
            return false;
        some = done < have ? MIN(n, have - done) : 0;
        if (some)
            memmove(to, (const uint8_t *)data + done, some);
        memset(to + some, 0, n - some);
    }
    return true;
}

static bool get_octets(Space *memory, uint64_t addr, void *data, size_t len)
{
    for (size_t done = 0, n; done < len; done += n) {
        n = len - done;
        const void *from = space_map_octets(memory, addr + done, &n, false);
        if (!from)
            return false;
        memcpy((uint8_t *)data + done, from, n);
    }
    return true;
}

/* Into the selected file, all of it or nothing (but for what cannot be read). */
static bool write_file(FwCfg *f, uint64_t addr, size_t len)
{
    FwCfgNamed *file = fw_cfg_file_of_key(f, f->s.cur_entry);

    if (!file || !file->writeable || len > octets_left(f, &file->item))
        return false;
    if (len == 0)
        return true;
    if (!get_octets(f->dev.machine->memory, addr, file->item.own + f->s.cur_offset, len))
        return false;
    if (file->written)
        file->written(file->opaque, file->item.own, file->item.size);
    return true;
}

/* The specification, "DMA interface". Of several things to do the first is done. */
static bool execute(FwCfg *f, const Command *c)
{
    Space *memory = f->dev.machine->memory;
    const FwCfgItem *item;
    uint64_t some;
    bool ok = true;

    if (c->control & DMA_SELECT)
        select_key(f, (uint16_t)(c->control >> 16));
    if (!(c->control & (DMA_READ | DMA_WRITE | DMA_SKIP)))
        return true;
    item = fw_cfg_item_of_key(f, f->s.cur_entry);
    some = MIN(octets_left(f, item), c->length);
    if (c->control & DMA_READ)
        ok = put_octets(memory, c->address, some ? fw_cfg_item_data(item) + f->s.cur_offset : NULL, some, c->length);
    else if (c->control & DMA_WRITE)
        ok = write_file(f, c->address, c->length);
    f->s.cur_offset += (uint32_t)some;
    return ok;
}

static void run_command(FwCfg *f)
{
    Space *memory = f->dev.machine->memory;
    uint64_t addr = f->s.dma_addr;
    uint32_t result;
    Command c;

    f->s.dma_addr = 0;
    if (!get_octets(memory, addr, &c, sizeof(c)))
        return;
    c.control = GUINT32_FROM_BE(c.control);
    c.length = GUINT32_FROM_BE(c.length);
    c.address = GUINT64_FROM_BE(c.address);
    result = execute(f, &c) ? 0 : DMA_ERROR;
    result = GUINT32_TO_BE(result); /* a macro, which may evaluate it several times */
    put_octets(memory, addr, &result, sizeof(result), sizeof(result));
}

/* --- registers -------------------------------------------------------------------------------------------------- */

/* An octet of the item; what has 16 bits is no read of the data port. */
static uint64_t read_data(void *opaque, uint64_t addr, unsigned size)
{
    FwCfg *f = opaque;
    const FwCfgItem *item = fw_cfg_item_of_key(f, f->s.cur_entry);

    (void)addr;
    return size == 1 && octets_left(f, item) ? fw_cfg_item_data(item)[f->s.cur_offset++] : 0;
}

static void write_selector(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    (void)addr;
    if (size == 2)
        select_key(opaque, (uint16_t)value);
}

static uint64_t read_signature(void *opaque, uint64_t addr, unsigned size)
{
    uint64_t value = 0;

    (void)opaque;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)(uint8_t)dma_signature[addr + i] << 8 * i;
    return value;
}

/* The lower half starts the command. Only whole halves are written. */
static void write_address(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    FwCfg *f = opaque;
    uint64_t half = GUINT32_SWAP_LE_BE((uint32_t)value);

    if (size != 4 || addr % 4 != 0)
        return;
    if (addr == 0) {
        f->s.dma_addr = half << 32;
        return;
    }
    f->s.dma_addr = (f->s.dma_addr & ~(uint64_t)UINT32_MAX) | half;
    run_command(f);
}

static const IoOps port_ops = {.read = read_data, .write = write_selector, .max = 2};
static const IoOps dma_ops = {.read = read_signature, .write = write_address, .max = 4};

/* --- life ------------------------------------------------------------------------------------------------------- */

static void reset(Device *dev)
{
    FwCfg *f = (FwCfg *)dev;

    f->s = (FwCfgState){.cur_entry = FW_CFG_SIGNATURE};
}

static bool realize(Device *dev, GError **error)
{
    FwCfg *f = (FwCfg *)dev;
    Space *ports = dev->machine->ports;

    (void)error;
    fw_cfg_items_init(f);
    f->ports = space_map(ports, &(SpaceMapping){.base = SELECTOR, .size = 2, .ops = &port_ops, .opaque = f});
    f->dma = space_map(ports, &(SpaceMapping){.base = DMA, .size = 8, .ops = &dma_ops, .opaque = f});
    return true;
}

static void unrealize(Device *dev)
{
    FwCfg *f = (FwCfg *)dev;

    space_unmap(dev->machine->ports, f->ports);
    space_unmap(dev->machine->ports, f->dma);
    fw_cfg_items_done(f);
}

const DeviceType fw_cfg_type = {
    .name = "fw_cfg",
    .about = "firmware configuration",
    .size = sizeof(FwCfg),
    .state = &fw_cfg_state,
    .state_offset = offsetof(FwCfg, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
