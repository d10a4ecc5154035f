/*
 * ide-rig.h: an IDE controller on a PCI bus, memory for its DMA, and disks in memory that end requests when they are
 * told to, or with an error.
 */
#ifndef TESTS_EMU_IDE_RIG_H
#define TESTS_EMU_IDE_RIG_H

#include <criterion/criterion.h>
#include <errno.h>

#include "emu/dev/dev.h"
#include "emu/dev/ide.h"
#include "emu/pci/pci-bus.h"
#include "tests/emu/support/board.h"

enum {
    MIB = 1 << 20,
    DISK = 16 * MIB, /* as in the recording f3: 32768 sectors */
    COMMAND_0 = 0x1f0,
    COMMAND_1 = 0x170,
    CONTROL_0 = 0x3f6,
    CONTROL_1 = 0x376,
    MASTER_0 = 0xc000,
    MASTER_1 = 0xc008,
    TABLE = 0x1000, /* of descriptors */
    BUFFER = 0x10000,
    IRQ_0 = 14,
    IRQ_1 = 15,
};

enum { DATA, ERROR, COUNT, SECTOR, CYL_LOW, CYL_HIGH, SELECT, STATUS };

/* --- disks ------------------------------------------------------------------------------------------------------ */

struct Block {
    uint8_t *data;
    uint64_t len;
    bool no_discard;
    int error; /* of what ends next */
    unsigned reads, writes, throughs, flushes, discards;
    uint64_t last_offset, last_len;
    GArray *waiting; /* of BlockRequest, with iovecs copied into iov_of */
    GArray *iov_of;
};

void block_submit(Block *b, const BlockRequest *request)
{
    struct iovec iov = request->iov_count ? request->iov[0] : (struct iovec){NULL, 0};

    cr_assert_leq(request->iov_count, 1);
    g_array_append_val(b->waiting, *request);
    g_array_append_val(b->iov_of, iov);
}

static inline int block_do(Block *b, const BlockRequest *r, struct iovec iov)
{
    uint64_t len = r->iov_count ? iov.iov_len : r->len;
    int error = b->error;

    b->error = 0;
    b->last_offset = r->offset;
    b->last_len = len;
    b->reads += r->op == BLOCK_READ;
    b->writes += r->op == BLOCK_WRITE;
    b->throughs += r->op == BLOCK_WRITE_THROUGH;
    b->flushes += r->op == BLOCK_FLUSH;
    b->discards += r->op == BLOCK_DISCARD;
    if (error)
        return error;
    if (r->offset > b->len || len > b->len - r->offset)
        return EIO;
    if (r->op == BLOCK_READ)
        memcpy(iov.iov_base, b->data + r->offset, len);
    else if (r->op == BLOCK_WRITE || r->op == BLOCK_WRITE_THROUGH)
        memcpy(b->data + r->offset, iov.iov_base, len);
    else if (r->op == BLOCK_DISCARD)
        memset(b->data + r->offset, 0, len);
    return 0;
}

/* Ends the oldest request; false if there is none. */
static inline bool block_end_one(Block *b)
{
    if (b->waiting->len == 0)
        return false;
    BlockRequest r = g_array_index(b->waiting, BlockRequest, 0);
    struct iovec iov = g_array_index(b->iov_of, struct iovec, 0);
    g_array_remove_index(b->waiting, 0);
    g_array_remove_index(b->iov_of, 0);
    int error = block_do(b, &r, iov);
    r.done(r.opaque, error);
    return true;
}

void block_drain(Block *b)
{
    while (block_end_one(b))
        ;
}

uint64_t block_length(const Block *b)
{
    return b->len;
}

bool block_read_only(const Block *b)
{
    (void)b;
    return false;
}

bool block_can_discard(const Block *b)
{
    return !b->no_discard;
}

void block_free(Block *b)
{
    block_drain(b);
    g_array_free(b->waiting, TRUE);
    g_array_free(b->iov_of, TRUE);
    g_free(b->data);
    g_free(b);
}

/* Each sector's octets tell its number. */
static inline Block *disk_new(uint64_t len)
{
    Block *b = g_new0(Block, 1);

    b->len = len;
    b->data = g_malloc(len);
    for (uint64_t i = 0; i < len; i++)
        b->data[i] = (uint8_t)(i / 512 + (i % 512) * 3);
    b->waiting = g_array_new(FALSE, FALSE, sizeof(BlockRequest));
    b->iov_of = g_array_new(FALSE, FALSE, sizeof(struct iovec));
    return b;
}

static inline uint8_t octet_of(uint64_t sector, unsigned i)
{
    return (uint8_t)(sector + i * 3);
}

static inline void assert_sectors(const uint8_t *data, uint64_t sector, unsigned count)
{
    for (unsigned i = 0; i < count * 512; i++)
        cr_assert_eq(data[i], octet_of(sector + i / 512, i % 512), "sector %" G_GUINT64_FORMAT ", octet %u",
                     sector + i / 512, i % 512);
}

/* --- the controller --------------------------------------------------------------------------------------------- */

typedef struct Rig {
    Board *board;
    Device *dev;
    RamArea *ram;
    Block *disk; /* drive 0 of cable 0 */
    Block *cd;   /* drive 0 of cable 1 */
    uint16_t command, control, master;
} Rig;

static inline void config_out8(Rig *rig, unsigned reg, uint8_t value)
{
    pci_config_write((PciDevice *)rig->dev, reg, value, 1);
}

static inline Rig rig_new(uint64_t disk, uint64_t cd)
{
    Rig rig = {.board = board_new(), .command = COMMAND_0, .control = CONTROL_0, .master = MASTER_0};
    Device *bus = board_add(rig.board, device_new(&pci_bus_type));

    rig.ram = ram_area_new("pc.ram", MIB, MIB, NULL);
    machine_add_ram(rig.board->machine, rig.ram);
    space_map(rig.board->machine->memory, &(SpaceMapping){.base = 0, .size = MIB, .ram = rig.ram});
    rig.dev = device_new(&piix3_ide_type);
    ((PciDevice *)rig.dev)->bus = (PciBus *)bus;
    ((PciDevice *)rig.dev)->devfn = PCI_DEVFN(1, 1);
    if (disk) {
        rig.disk = disk_new(disk);
        piix3_ide_attach(rig.dev, 0, 0, &(IdeUnit){.kind = IDE_DISK, .block = rig.disk});
    }
    if (cd) {
        rig.cd = disk_new(cd);
        piix3_ide_attach(rig.dev, 1, 0, &(IdeUnit){.kind = IDE_CD, .block = rig.cd});
    }
    device_connect_irq(rig.dev, "irq", 0, board_probe(rig.board, IRQ_0));
    device_connect_irq(rig.dev, "irq", 1, board_probe(rig.board, IRQ_1));
    board_add(rig.board, rig.dev);
    pci_config_write((PciDevice *)rig.dev, PCI_BAR + 16, MASTER_0, 4);
    pci_config_write((PciDevice *)rig.dev, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MASTER, 2);
    return rig;
}

static inline void rig_free(Rig *rig)
{
    board_free(rig->board);
    if (rig->disk)
        block_free(rig->disk);
    if (rig->cd)
        block_free(rig->cd);
}

static inline void use_second_cable(Rig *rig)
{
    rig->command = COMMAND_1;
    rig->control = CONTROL_1;
    rig->master = MASTER_1;
}

static inline uint8_t in(Rig *rig, unsigned reg)
{
    return board_in8(rig->board, (uint16_t)(rig->command + reg));
}

static inline void out(Rig *rig, unsigned reg, uint8_t value)
{
    board_out8(rig->board, (uint16_t)(rig->command + reg), value);
}

static inline void finish(Rig *rig)
{
    if (rig->disk)
        block_drain(rig->disk);
    if (rig->cd)
        block_drain(rig->cd);
}

/* A command of 28 bits of address. */
static inline void command_28(Rig *rig, uint8_t command, uint32_t sector, uint8_t count)
{
    out(rig, SELECT, (uint8_t)(0xe0 | (sector >> 24 & 0x0f)));
    out(rig, COUNT, count);
    out(rig, SECTOR, (uint8_t)sector);
    out(rig, CYL_LOW, (uint8_t)(sector >> 8));
    out(rig, CYL_HIGH, (uint8_t)(sector >> 16));
    out(rig, STATUS, command);
}

/* One of 48 bits: the upper halves are written first. */
static inline void command_48(Rig *rig, uint8_t command, uint64_t sector, uint16_t count)
{
    out(rig, SELECT, 0xe0);
    out(rig, COUNT, (uint8_t)(count >> 8));
    out(rig, COUNT, (uint8_t)count);
    out(rig, SECTOR, (uint8_t)(sector >> 24));
    out(rig, SECTOR, (uint8_t)sector);
    out(rig, CYL_LOW, (uint8_t)(sector >> 32));
    out(rig, CYL_LOW, (uint8_t)(sector >> 8));
    out(rig, CYL_HIGH, (uint8_t)(sector >> 40));
    out(rig, CYL_HIGH, (uint8_t)(sector >> 16));
    out(rig, STATUS, command);
}

static inline void read_data(Rig *rig, void *to, size_t len)
{
    for (size_t i = 0; i < len; i += 2) {
        uint16_t word = board_in16(rig->board, rig->command);
        ((uint8_t *)to)[i] = (uint8_t)word;
        ((uint8_t *)to)[i + 1] = (uint8_t)(word >> 8);
    }
}

static inline void write_data(Rig *rig, const void *from, size_t len)
{
    const uint8_t *octets = from;

    for (size_t i = 0; i < len; i += 2)
        board_out16(rig->board, rig->command, (uint16_t)(octets[i] | octets[i + 1] << 8));
}

/* Descriptor number n: `last` ends the table. */
static inline void descriptor(Rig *rig, unsigned n, uint32_t addr, uint32_t count, bool last)
{
    space_write(rig->board->machine->memory, TABLE + 8 * n, addr, 4);
    space_write(rig->board->machine->memory, TABLE + 8 * n + 4, (count & 0xffff) | (last ? 1U << 31 : 0), 4);
}

static inline void master_start(Rig *rig, bool to_memory)
{
    board_out32(rig->board, (uint16_t)(rig->master + 4), TABLE);
    board_out8(rig->board, rig->master, to_memory ? 0x09 : 0x01);
}

static inline uint8_t master_status(Rig *rig)
{
    return board_in8(rig->board, (uint16_t)(rig->master + 2));
}

#endif
