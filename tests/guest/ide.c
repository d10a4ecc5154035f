/*
 * ide.c: the disk on the primary channel of PIIX3's IDE, by PIO and by bus master DMA; each interrupt is waited for.
 *
 * Sources: ATA/ATAPI-6 (T13 1410D), 8 and 9; Intel 82371SB (PIIX3) data sheet, 2.7 and 3.5; Programming Interface for
 * Bus Master IDE Controller 1.0.
 */
#include "tests/guest/guest.h"

#define LATE_NS UINT64_C(20000000000)

enum {
    PIIX3_IDE = 0x70108086,
    DATA = 0x1f0,
    COUNT = 0x1f2,
    LBA = 0x1f3, /* and two more */
    DEVICE = 0x1f6,
    COMMAND = 0x1f7, /* reading: status, which takes the interrupt back */
    CONTROL = 0x3f6, /* reading: status, which does not */
    ERROR_BIT = 0x01,
    DRQ = 0x08,
    DEVICE_FAULT = 0x20,
    BUSY = 0x80,

    IDENTIFY = 0xec,
    READ_PIO = 0x20,
    READ_PIO_EXT = 0x24,
    WRITE_PIO = 0x30,
    WRITE_PIO_EXT = 0x34,
    READ_DMA = 0xc8,
    READ_DMA_EXT = 0x25,
    WRITE_DMA = 0xca,
    WRITE_DMA_EXT = 0x35,
    FLUSH = 0xe7,

    BM_COMMAND = 0,
    BM_STATUS = 2,
    BM_TABLE = 4,
    BM_START = 1,
    BM_TO_MEMORY = 8,
    BM_ACTIVE = 1,
    BM_ERROR = 2,
    BM_INTERRUPT = 4,

    VECTOR = VECTOR_PIC + 14,
};

static struct {
    Disk disk;
    bool there, dma_there, ext;
    uint16_t master;
    uint64_t interrupts_taken, rounds, pio, dma, window_ms;
} ide = {.disk = {.name = "ide"}};

static uint8_t buffer[BLOCK] __attribute__((aligned(4096)));
static uint32_t table[8] __attribute__((aligned(64)));

/* --- the channel -------------------------------------------------------------------------------------------------- */

static uint8_t wait_not_busy(const char *what)
{
    uint64_t end = now_ns() + LATE_NS;
    uint8_t status;

    while ((status = inb(CONTROL)) & BUSY)
        if (now_ns() > end)
            fail(what, 0, status);
    return status;
}

static uint8_t wait_interrupt(const char *what)
{
    uint64_t end = 0;

    for (unsigned spins = 0; interrupts[VECTOR] == ide.interrupts_taken; spins++) {
        pause();
        if (spins % 65536 == 65535) {
            if (!end)
                end = now_ns() + LATE_NS;
            if (now_ns() > end)
                fail(what, ide.interrupts_taken + 1, inb(CONTROL));
        }
    }
    expect(what, ide.interrupts_taken + 1, interrupts[VECTOR]);
    ide.interrupts_taken++;
    uint8_t status = inb(COMMAND);
    if (status & (ERROR_BIT | DEVICE_FAULT | BUSY))
        fail(what, 0x50, status);
    return status;
}

static void command(uint8_t code, uint8_t ext_code, uint64_t sector, unsigned count)
{
    wait_not_busy("ide.busy");
    if (ide.ext) { /* the older halves first */
        outb(COUNT, count >> 8);
        for (unsigned i = 0; i < 3; i++)
            outb(LBA + i, sector >> (24 + 8 * i));
    }
    outb(COUNT, count);
    for (unsigned i = 0; i < 3; i++)
        outb(LBA + i, sector >> 8 * i);
    outb(DEVICE, 0xe0 | (ide.ext ? 0 : sector >> 24 & 0x0f));
    outb(COMMAND, ide.ext ? ext_code : code);
}

static void read_pio(uint64_t sector, unsigned count, uint8_t *to)
{
    command(READ_PIO, READ_PIO_EXT, sector, count);
    for (unsigned i = 0; i < count; i++) {
        if (!(wait_interrupt("ide.pio-read") & DRQ))
            fail("ide.pio-read.drq", DRQ, inb(CONTROL));
        insw(DATA, to + i * SECTOR, SECTOR / 2);
    }
}

static void write_pio(uint64_t sector, unsigned count, const uint8_t *from)
{
    command(WRITE_PIO, WRITE_PIO_EXT, sector, count);
    for (unsigned i = 0; i < count; i++) { /* no interrupt before the first */
        if (!(wait_not_busy("ide.pio-write") & DRQ))
            fail("ide.pio-write.drq", DRQ, inb(CONTROL));
        if (i & 1)
            outsw(DATA, from + i * SECTOR, SECTOR / 2);
        else
            outsl(DATA, from + i * SECTOR, SECTOR / 4);
        wait_interrupt("ide.pio-write");
    }
}

/* In three pieces of unequal length. */
static void transfer_dma(bool write, uint64_t sector, unsigned count, uint8_t *data)
{
    uint32_t at = address_of(data), size = count * SECTOR, pieces[] = {SECTOR - 6, SECTOR + 2};

    table[0] = at, table[1] = pieces[0];
    table[2] = at + pieces[0], table[3] = pieces[1];
    table[4] = at + pieces[0] + pieces[1], table[5] = (size - pieces[0] - pieces[1]) | 0x80000000;
    barrier();
    outl(ide.master + BM_TABLE, address_of(table));
    outb(ide.master + BM_COMMAND, write ? 0 : BM_TO_MEMORY);
    outb(ide.master + BM_STATUS, inb(ide.master + BM_STATUS) | BM_ERROR | BM_INTERRUPT);
    command(write ? WRITE_DMA : READ_DMA, write ? WRITE_DMA_EXT : READ_DMA_EXT, sector, count);
    if (ide.window_ms) { /* a move in between is rare by itself */
        uint64_t end = now_ns() + ide.window_ms * UINT64_C(1000000);
        while (now_ns() < end)
            pause();
    }
    outb(ide.master + BM_COMMAND, (write ? 0 : BM_TO_MEMORY) | BM_START);
    wait_interrupt(write ? "ide.dma-write" : "ide.dma-read");
    uint8_t status = inb(ide.master + BM_STATUS);
    outb(ide.master + BM_COMMAND, 0);
    if ((status & (BM_ACTIVE | BM_ERROR | BM_INTERRUPT)) != BM_INTERRUPT)
        fail(write ? "ide.bus-master-write" : "ide.bus-master-read", BM_INTERRUPT, status | inb(CONTROL) << 8);
}

/* --- the disk ----------------------------------------------------------------------------------------------------- */

static bool identify(void)
{
    outb(DEVICE, 0xa0);
    if (inb(COMMAND) == 0xff || inb(COMMAND) == 0)
        return false;
    uint64_t taken = ide.interrupts_taken = interrupts[VECTOR];
    outb(COMMAND, IDENTIFY);
    uint8_t status = wait_not_busy("ide.identify");
    if (!status || status & ERROR_BIT) { /* none, or no disk */
        inb(COMMAND);
        ide.interrupts_taken = interrupts[VECTOR];
        return false;
    }
    wait_interrupt("ide.identify");
    insw(DATA, buffer, SECTOR / 2);
    expect("ide.identify.interrupts", taken + 1, interrupts[VECTOR]);
    const uint16_t *words = (const uint16_t *)buffer;
    ide.disk.sectors = words[60] | (uint64_t)words[61] << 16;
    return ide.disk.sectors >= 1024;
}

void ide_init(void)
{
    PciDevice device;

    ide.window_ms = option_number("window", 0);
    ide.there = option_has("parts", "ide") && pci_find(PIIX3_IDE, PIIX3_IDE, &device);
    if (ide.there) {
        pci_write(device.devfn, 0x40, pci_read(device.devfn, 0x40) | 0x8000); /* the channel's ports are decoded */
        pci_assign(device.devfn);
        ide.master = pci_bar(device.devfn, 4);
        ide.dma_there = ide.master != 0;
        outb(CONTROL, 0);
        pic_enable(14);
        ide.there = identify();
    }
    put_word("ide", ide.there ? ide.dma_there ? "there" : "no-bus-master" : "absent");
}

/* Each octet that is written by PIO may cost an exit, so if there is DMA only the first sectors are. */
static void transfer(bool dma, bool write, unsigned block, uint8_t *data)
{
    uint64_t sector = disk_sector(block);
    unsigned by_pio = dma ? 0 : ide.dma_there && write ? 2 : BLOCK_SECTORS;

    if (by_pio && write)
        write_pio(sector, by_pio, data);
    else if (by_pio)
        read_pio(sector, by_pio, data);
    if (by_pio < BLOCK_SECTORS)
        transfer_dma(write, sector + by_pio, BLOCK_SECTORS - by_pio, data + by_pio * SECTOR);
    *(dma ? &ide.dma : &ide.pio) += 1;
}

void ide_round(void)
{
    if (!ide.there)
        return;
    bool dma = ide.dma_there && ide.rounds & 1;
    unsigned block = disk_choose(&ide.disk, 0);
    uint32_t *generation = &ide.disk.written[block];

    ide.ext = ide.rounds & 2;
    if (*generation) {
        memset(buffer, 0xa5, sizeof(buffer));
        transfer(dma, false, block, buffer);
        disk_verify(&ide.disk, block, *generation, buffer);
    }
    disk_fill(&ide.disk, block, ++*generation, buffer);
    transfer(ide.dma_there && (ide.rounds & 4), true, block, buffer);
    if (ide.rounds++ % 32 == 31) {
        ide.ext = false;
        command(FLUSH, FLUSH, 0, 0);
        wait_interrupt("ide.flush");
    }
}

void ide_report(void)
{
    if (ide.there) {
        put_item("disk", ide.pio + ide.dma);
        put_item("pio", ide.pio);
        put_item("dma", ide.dma);
    }
}
