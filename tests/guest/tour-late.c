/*
 * tour-late.c: the tour's last stops: what the machine does not easily come back from.
 *
 * Sources: IA-PC HPET 1.0a, 2.3.9.2.1; Programming Interface for Bus Master IDE Controller 1.0; ATA/ATAPI-6; System
 * Management Bus Specification 2.0, 5.5.7; Intel SDM volume 3, chapter 11; Intel 82077AA data sheet.
 */
#include "tests/guest/tour.h"

#define HPET UINT64_C(0xfed00000)

enum {
    IDE = 0x09,
    IDE_ID = 0x70108086,
    MASTER_BAR = 0x20,
    READ_DMA = 0xc8,
    SMB_BASE = 0xb100,
    APIC_BASE = 0x1b,
    APIC_ENABLED = 0x800,
    ICR_INIT_ENDS = 0x8500, /* level, deasserted: all take their identifiers for their priorities */
    ICR_INIT = 0xc500,
};

/* Timer 2, 32 bits, once: before it comes the counter passes the end of its 32 bits, 19 seconds from now. */
static void tour_hpet_wrap(void)
{
    if (!hpet_present())
        return;
    write32(HPET + 0x10, 0);
    write32(HPET + 0xf0, 0x90000000);
    write32(HPET + 0xf4, 0);
    write32(HPET + 0x10, 1);
    write32(HPET + 0x140, 0x0b06);
    write32(HPET + 0x148, 0x08000000);
}

/* One sector into memory of 16: the table's entry is not used up. */
static void tour_ide_dma(void)
{
    static uint8_t memory[16 * SECTOR] __attribute__((aligned(8192)));
    static uint32_t table[4] __attribute__((aligned(64)));
    PciDevice ide = {.devfn = IDE};
    static const uint8_t registers[] = {0, 1, 5, 0, 0, 0xe0, READ_DMA}; /* 0x1f1 and on */

    pci_find(IDE_ID, IDE_ID, &ide);
    pci_assign(ide.devfn);
    uint16_t master = pci_read(ide.devfn, MASTER_BAR) & ~3u;
    outb(0x3f6, 0x0e); /* reset, which ends what there was */
    outb(0x3f6, 0x0a);
    table[0] = address_of(memory), table[1] = 256;
    table[2] = address_of(memory) + 4096, table[3] = 0x80001000;
    outl(master + 4, address_of(table));
    outb(master, 8);
    outb(master + 2, 6);
    for (unsigned i = 0; i < 100000 && inb(0x1f7) & 0x80; i++)
        continue;
    for (unsigned i = 0; i < sizeof(registers); i++)
        outb(0x1f1 + i, registers[i]);
    outb(master, 9);
    for (unsigned i = 0; i < 100000 && !(inb(master + 2) & 4); i++)
        continue;
}

/* A block that comes octet by octet: two have been fetched. */
static void tour_smbus_octets(void)
{
    outb(SMB_BASE, 0xde);
    outb(SMB_BASE + 13, 0);
    outb(SMB_BASE + 4, 0xa7);
    outb(SMB_BASE + 3, 0x20);
    outb(SMB_BASE + 2, 0x54);
    for (unsigned octet = 0; octet < 3; octet++) {
        for (unsigned i = 0; i < 100 && !(inb(SMB_BASE) & 0x80); i++)
            continue;
        inb(SMB_BASE + 7);
        if (octet < 2)
            outb(SMB_BASE, 0x80);
    }
}

/*
 * The second processor waits to be started once more; a register that there is not is read; this one gets another
 * number, and does without its local APIC from then on.
 */
static void tour_apic(void)
{
    lapic_write(LAPIC_ICR_HIGH, 1 << 24);
    lapic_write(LAPIC_ICR, ICR_INIT);
    lapic_write(LAPIC_ICR_HIGH, 1 << 24);
    lapic_write(LAPIC_ICR, ICR_INIT_ENDS);
    lapic_read(0x3f0);
    lapic_write(LAPIC_ID, 5 << 24);
    write_msr(APIC_BASE, read_msr(APIC_BASE) & ~(uint64_t)APIC_ENABLED);
}

void tour_late(void)
{
    tour_hpet_wrap();
    tour_ide_dma();
    tour_smbus_octets();
    tour_virtio_off();
    tour_apic();
    if (option_number("a20", 0))
        outb(0x92, 0); /* where addresses do not mind */
}
