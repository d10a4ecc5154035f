/*
 * i440fx.c: the 82441FX host bridge (PMC): where memory is.
 *
 * Source: Intel 440FX PCIset data sheet (82441FX and 82442FX), section 3.2: PAM (3.2.18), SMRAM (3.2.23).
 * Outputs: "smram": processors in system management mode see memory at 0xa0000 to 0xbffff.
 * SMRAM as QEMU 7.2 has it (measured): there is no lock, its base is not looked at, D_OPEN opens it to all even if it
 * is not enabled; where PCI has nothing at 0xa0000 to 0xbffff there is memory for everybody. Not modelled: the timing
 * of memory, its size registers DRB (free octets: the firmware asks elsewhere), ECC, the fixed memory hole (FDHC),
 * latencies. A segment from which is read elsewhere than written (PAM mode 2) shows read-only memory that PCI had there
 * when the mode was set, and no registers; writes to a segment of mode 1 go nowhere.
 */
#include <string.h>

#include "emu/core/dirty.h"
#include "emu/core/machine.h"
#include "emu/pci/chipset.h"

enum {
    PAM0 = 0x59, /* to 0x5f */
    PAM_END = 0x60,
    PAM_READ = 1 << 0,
    PAM_WRITE = 1 << 1,
    SMRAM = 0x72,
    SMRAM_BASE = 2, /* the only one that there is: 0xa0000 */
    SMRAM_ENABLE = 1 << 3,
    SMRAM_OPEN = 1 << 6,
    RAM_IN_8_MIB = 0x57, /* for a firmware that cannot ask elsewhere */

    PAM_START = 0xc0000,
    PAM_SEGMENT = 0x4000,
    PAM_BIOS = 0xf0000, /* one segment of 64 KiB */
    PAM_AFTER = 0x100000,
    SEGMENTS = 13,
};

#define FOUR_GIB (UINT64_C(1) << 32)

enum { PRIORITY_MEMORY = 0, PRIORITY_SHADOW = 1, PRIORITY_WINDOW = PCI_PRIORITY_MEMORY - 2 };

typedef struct I440fxState {
    PciState parent_obj;
} I440fxState;

typedef struct I440fx I440fx;

/* A part of a segment that is mapped as one. */
typedef struct Piece {
    I440fx *bridge;
    uint64_t base, offset; /* where it is in memory; where that is in what is read */
    SpaceId id;
} Piece;

typedef struct Segment {
    uint8_t mode;
    GPtrArray *pieces; /* of Piece; none in mode 0 */
} Segment;

struct I440fx {
    PciDevice pci;
    Irq smram;
    RamArea *ram;
    uint64_t below_4g;
    SpaceId low, window, middle, high, open; /* mappings */
    Segment segments[SEGMENTS];
    I440fxState s;
};

/* --- shadow memory ---------------------------------------------------------------------------------------------- */

/* 0xf0000 is the first segment, as its bits come first; then those of 16 KiB from 0xc0000 on. */
static uint64_t segment_base(unsigned n)
{
    return n == 0 ? PAM_BIOS : PAM_START + (n - 1) * (uint64_t)PAM_SEGMENT;
}

static uint64_t segment_size(unsigned n)
{
    return n == 0 ? PAM_AFTER - PAM_BIOS : PAM_SEGMENT;
}

static uint8_t segment_mode(const I440fx *h, unsigned n)
{
    unsigned half = n + 1; /* the low half of the first register is reserved */

    return h->s.parent_obj.config[PAM0 + half / 2] >> (half % 2 * 4) & (PAM_READ | PAM_WRITE);
}

static void write_shadow(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    const Piece *piece = opaque;
    uint64_t at = piece->base + (addr - piece->offset);

    for (unsigned i = 0; i < size && at + i < piece->bridge->ram->size; i++)
        piece->bridge->ram->host[at + i] = (uint8_t)(value >> i * 8);
    dirty_mark(piece->bridge->ram, at, size);
}

/* Reads by these find nothing: all ones. */
static const IoOps shadow_ops = {.write = write_shadow, .max = 8};

static void map_piece(I440fx *h, Segment *segment, const SpaceMapping *mapping)
{
    Piece *piece = g_new(Piece, 1);
    SpaceMapping m = *mapping;

    *piece = (Piece){.bridge = h, .base = m.base, .offset = m.offset};
    m.priority = PRIORITY_SHADOW;
    m.opaque = piece;
    piece->id = space_map(h->pci.dev.machine->memory, &m);
    g_ptr_array_add(segment->pieces, piece);
}

/* Read from PCI, written to memory: what PCI has is mapped again, so that writes to it come here. */
static void map_write_only(I440fx *h, unsigned n)
{
    Space *memory = h->pci.dev.machine->memory;
    uint64_t at = segment_base(n), end = at + segment_size(n);
    g_autoptr(GArray) mappings = g_array_new(FALSE, FALSE, sizeof(SpaceMapping));

    while (at < end) {
        const SpaceRange *r = space_find(memory, at);
        SpaceMapping m = {.base = at, .offset = at, .ops = &shadow_ops};
        if (r && r->ram) {
            m.ram = r->ram;
            m.offset = r->offset + (at - r->base);
            m.read_only = true;
        }
        m.size = r ? MIN(end, r->base + r->size) - at : PAM_SEGMENT / 4;
        for (uint64_t i = at + 1; !r && i < at + m.size; i++)
            if (space_find(memory, i))
                m.size = i - at;
        g_array_append_val(mappings, m);
        at += m.size;
    }
    for (guint i = 0; i < mappings->len; i++)
        map_piece(h, &h->segments[n], &g_array_index(mappings, SpaceMapping, i));
}

static void unmap_segment(I440fx *h, unsigned n)
{
    Segment *segment = &h->segments[n];
    Space *memory = h->pci.dev.machine->memory;

    space_update_start(memory);
    for (guint i = 0; i < segment->pieces->len; i++)
        space_unmap(memory, ((Piece *)segment->pieces->pdata[i])->id);
    g_ptr_array_set_size(segment->pieces, 0);
    space_update_end(memory);
}

static void map_segment(I440fx *h, unsigned n)
{
    Segment *segment = &h->segments[n];
    uint8_t mode = segment_mode(h, n);

    if (mode == segment->mode)
        return;
    segment->mode = mode;
    /* To see what PCI has, the segment must be away; then nothing is lost meanwhile, for that will be read anyway. */
    if (mode == PAM_WRITE)
        unmap_segment(h, n);
    space_update_start(h->pci.dev.machine->memory);
    if (mode == PAM_WRITE)
        map_write_only(h, n);
    else
        unmap_segment(h, n);
    if (mode & PAM_READ)
        map_piece(h, segment,
                  &(SpaceMapping){.base = segment_base(n),
                                  .size = segment_size(n),
                                  .ram = h->ram,
                                  .offset = segment_base(n),
                                  .read_only = !(mode & PAM_WRITE)});
    space_update_end(h->pci.dev.machine->memory);
}

static SpaceId map_ram(I440fx *h, int priority, uint64_t base, uint64_t offset, uint64_t size)
{
    return space_map(
        h->pci.dev.machine->memory,
        &(SpaceMapping){.base = base, .size = size, .priority = priority, .ram = h->ram, .offset = offset});
}

/* --- memory for system management mode -------------------------------------------------------------------------- */

static void map_smram(I440fx *h)
{
    Space *memory = h->pci.dev.machine->memory;
    uint8_t smram = h->s.parent_obj.config[SMRAM];
    bool open = smram & SMRAM_OPEN;

    if (h->open && !open) {
        space_unmap(memory, h->open);
        h->open = 0;
    }
    if (!h->open && open)
        h->open = map_ram(h, PRIORITY_SHADOW, I440FX_SMRAM, I440FX_SMRAM, I440FX_SMRAM_SIZE);
    irq_set(&h->smram, smram & SMRAM_ENABLE);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

static void map_all(I440fx *h)
{
    for (unsigned n = 0; n < SEGMENTS; n++)
        map_segment(h, n);
    map_smram(h);
}

static bool check(const void *state, GError **error)
{
    return pci_check(&((const I440fxState *)state)->parent_obj, "I440FX", error);
}

static void push(void *opaque)
{
    I440fx *h = opaque;

    pci_device_push(&h->pci);
    map_all(h);
}

static const VMStateField fields[] = {
    VMS_SUB(I440fxState, parent_obj, &pci_device_state),
    VMS_PAD(1), /* was a copy of the SMM mode */
    VMS_END,
};

static const VMStateDescription i440fx_state = {
    .name = "I440FX",
    .version = 3,
    .minimum = 3,
    .size = sizeof(I440fxState),
    .fields = fields,
    .check = check,
    .push = push,
};

/* --- registers -------------------------------------------------------------------------------------------------- */

static void config_written(PciDevice *dev, unsigned addr, unsigned size)
{
    I440fx *h = (I440fx *)dev;

    if (addr < PAM_END && addr + size > PAM0)
        for (unsigned n = 0; n < SEGMENTS; n++)
            map_segment(h, n);
    if (addr <= SMRAM && addr + size > SMRAM)
        map_smram(h);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

void i440fx_set_ram(Device *dev, RamArea *ram)
{
    ((I440fx *)dev)->ram = ram;
}

/*
 * The chip's own registers keep what they have, but SMRAM: a guest that returns from suspend to memory comes to its
 * firmware through a reset, and that finds what it has to do in shadow memory. QEMU does the same.
 */
static void reset(Device *dev)
{
    I440fx *h = (I440fx *)dev;
    PciState *pci = &h->s.parent_obj, before = *pci;

    pci_device_reset(&h->pci);
    if (pci_get16(before.config, PCI_VENDOR) != 0) { /* not the first time */
        memcpy(pci->config + PCI_HEADER_END, before.config + PCI_HEADER_END, PCI_CONFIG_SIZE - PCI_HEADER_END);
        pci->config[SMRAM] = pci->initial[SMRAM];
    }
    map_all(h);
}

static bool realize(Device *dev, GError **error)
{
    static const PciIdentity identity = {.vendor = 0x8086, .device = 0x1237, .class = 0x0600, .revision = 2};
    I440fx *h = (I440fx *)dev;
    uint64_t low;

    if (!h->ram || h->ram->size < PAM_AFTER || h->below_4g < PAM_AFTER || h->below_4g > FOUR_GIB) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: there must be memory of 1 MiB at least",
                    dev->type->name);
        return false;
    }
    if (!pci_device_start(&h->pci, &identity, error))
        return false;
    h->pci.config_written = config_written;
    pci_config_init(&h->pci, RAM_IN_8_MIB, (uint8_t)MIN(h->ram->size >> 23, 255), 0xff);
    pci_config_init(&h->pci, SMRAM, SMRAM_BASE, 0xff);
    for (unsigned n = 0; n < SEGMENTS; n++)
        h->segments[n].pieces = g_ptr_array_new_with_free_func(g_free);
    low = MIN(h->ram->size, h->below_4g);
    h->low = map_ram(h, PRIORITY_MEMORY, 0, 0, I440FX_SMRAM);
    h->window = map_ram(h, PRIORITY_WINDOW, I440FX_SMRAM, I440FX_SMRAM, I440FX_SMRAM_SIZE);
    h->middle = map_ram(h, PRIORITY_MEMORY, PAM_AFTER, PAM_AFTER, low - PAM_AFTER);
    h->high = map_ram(h, PRIORITY_MEMORY, FOUR_GIB, low, h->ram->size - low);
    return true;
}

static void unrealize(Device *dev)
{
    I440fx *h = (I440fx *)dev;
    Space *memory = dev->machine->memory;

    for (unsigned n = 0; n < SEGMENTS; n++) {
        unmap_segment(h, n);
        g_ptr_array_unref(h->segments[n].pieces);
    }
    space_unmap(memory, h->open);
    space_unmap(memory, h->low);
    space_unmap(memory, h->window);
    space_unmap(memory, h->middle);
    space_unmap(memory, h->high);
    pci_device_stop(&h->pci);
}

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(I440fx, smram, "smram"),
    {.name = NULL},
};

static const VMStateField option_fields[] = {
    VMS_FIELD(I440fx, below_4g),
    VMS_END,
};

static const VMStateDescription options = {
    .name = "i440FX",
    .version = 1,
    .minimum = 1,
    .size = sizeof(I440fx),
    .fields = option_fields,
};

static const I440fx defaults = {.below_4g = UINT64_C(0xe0000000)};

const DeviceType i440fx_type = {
    .name = "i440FX",
    .about = "82441FX host bridge",
    .size = sizeof(I440fx),
    .defaults = &defaults,
    .options = &options,
    .state = &i440fx_state,
    .state_offset = offsetof(I440fx, s),
    .outputs = outputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
