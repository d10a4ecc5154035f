/*
 * ide-rig.h: an IDE controller on a PCI bus, memory for its DMA, and disks in memory whose requests end when a test
 * says so.
 */
#ifndef TESTS_EMU_IDE_RIG_H
#define TESTS_EMU_IDE_RIG_H

#include <criterion/criterion.h>
#include <errno.h>

#include "emu/block/blk-memory.h"
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

/* Each sector's octets tell its number. Requests wait for `finish`. */
static inline Block *disk_new(uint64_t len, bool discard)
{
    Block *b = blk_memory_new(&(BlkMemory){.length = len, .discard = discard}, NULL);
    uint8_t *data = blk_memory_data(b);

    for (uint64_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i / 512 + (i % 512) * 3);
    blk_memory_hold(b, true);
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

/* Takes the disks; NULL is none. `empty`: a drive without a medium in the place of the CD. */
static inline Rig rig_with(Block *disk, Block *cd, bool empty)
{
    Rig rig = {.board = board_new(), .command = COMMAND_0, .control = CONTROL_0, .master = MASTER_0};
    Device *bus = board_add(rig.board, device_new(&pci_bus_type));

    rig.ram = ram_area_new("pc.ram", MIB, MIB, NULL);
    machine_add_ram(rig.board->machine, rig.ram);
    space_map(rig.board->machine->memory, &(SpaceMapping){.base = 0, .size = MIB, .ram = rig.ram});
    rig.dev = device_new(&piix3_ide_type);
    ((PciDevice *)rig.dev)->bus = (PciBus *)bus;
    ((PciDevice *)rig.dev)->devfn = PCI_DEVFN(1, 1);
    rig.disk = disk;
    rig.cd = cd;
    if (disk)
        piix3_ide_attach(rig.dev, 0, 0, &(IdeUnit){.kind = IDE_DISK, .block = disk});
    if (cd || empty)
        piix3_ide_attach(rig.dev, 1, 0, &(IdeUnit){.kind = IDE_CD, .block = cd});
    device_connect_irq(rig.dev, "irq", 0, board_probe(rig.board, IRQ_0));
    device_connect_irq(rig.dev, "irq", 1, board_probe(rig.board, IRQ_1));
    board_add(rig.board, rig.dev);
    pci_config_write((PciDevice *)rig.dev, PCI_BAR + 16, MASTER_0, 4);
    pci_config_write((PciDevice *)rig.dev, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MASTER, 2);
    return rig;
}

static inline Rig rig_new(uint64_t disk, uint64_t cd)
{
    return rig_with(disk ? disk_new(disk, true) : NULL, cd ? disk_new(cd, false) : NULL, false);
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

/* How many requests of a kind have got to the disk. */
static inline unsigned reads(const Rig *rig)
{
    return blk_memory_count(rig->disk, BLOCK_READ);
}

static inline unsigned writes(const Rig *rig)
{
    return blk_memory_count(rig->disk, BLOCK_WRITE);
}

static inline unsigned throughs(const Rig *rig)
{
    return blk_memory_count(rig->disk, BLOCK_WRITE_THROUGH);
}

static inline unsigned flushes(const Rig *rig)
{
    return blk_memory_count(rig->disk, BLOCK_FLUSH);
}

static inline unsigned discards(const Rig *rig)
{
    return blk_memory_count(rig->disk, BLOCK_DISCARD);
}

static inline uint8_t *disk_data(const Rig *rig)
{
    return blk_memory_data(rig->disk);
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
