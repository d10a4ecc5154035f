/*
 * pci.c: configuration space of bus 0.
 *
 * Source: PCI Local Bus Specification 3.0, 3.2.2.3.2 (mechanism #1), 6.1 to 6.7.
 */
#include "tests/guest/guest.h"

uint32_t pci_read(unsigned devfn, unsigned reg)
{
    outl(0xcf8, 0x80000000 | devfn << 8 | (reg & 0xfc));
    return inl(0xcfc) >> (reg & 3) * 8;
}

void pci_write(unsigned devfn, unsigned reg, uint32_t value)
{
    outl(0xcf8, 0x80000000 | devfn << 8 | (reg & 0xfc));
    outl(0xcfc, value);
}

bool pci_find(uint32_t id, uint32_t other_id, PciDevice *device)
{
    for (unsigned devfn = 0; devfn < 256; devfn++) {
        uint32_t here = pci_read(devfn, 0);
        if (here == id || here == other_id) {
            *device = (PciDevice){devfn, here};
            return true;
        }
    }
    return false;
}

unsigned pci_capability(unsigned devfn, unsigned from, unsigned id)
{
    unsigned at = pci_read(devfn, from ? from + 1 : 0x34) & 0xfc;

    if (!(pci_read(devfn, 4) & 1 << 20))
        return 0;
    for (unsigned steps = 0; at && steps < 48; steps++, at = pci_read(devfn, at + 1) & 0xfc)
        if ((pci_read(devfn, at) & 0xff) == id)
            return at;
    return 0;
}

/* Whoever started us may have given no addresses: what has none gets one, below the I/O APIC and in ports that are
 * free. */
void pci_assign(unsigned devfn)
{
    static uint32_t ports = 0xd000, memory = 0xfd000000;
    uint32_t command = pci_read(devfn, 4) & 0xffff;

    pci_write(devfn, 4, command & ~3u);
    for (unsigned bar = 0; bar < 6; bar++) {
        unsigned reg = 0x10 + 4 * bar;
        uint32_t value = pci_read(devfn, reg);
        bool is_port = value & 1, wide = !is_port && (value & 6) == 4;
        uint32_t mask = is_port ? ~UINT32_C(3) : ~UINT32_C(15), *next = is_port ? &ports : &memory;
        if (!(value & mask) && !(wide && pci_read(devfn, reg + 4))) {
            pci_write(devfn, reg, UINT32_MAX);
            uint32_t size = -(pci_read(devfn, reg) & mask);
            if (is_port)
                size &= 0xffff;
            if (size) {
                *next = (*next + size - 1) & ~(size - 1);
                pci_write(devfn, reg, *next);
                *next += size;
            }
        }
        bar += wide;
    }
    pci_write(devfn, 4, command | 7);
}

uint64_t pci_bar(unsigned devfn, unsigned bar)
{
    uint32_t low = pci_read(devfn, 0x10 + 4 * bar);

    if (low & 1)
        return low & ~UINT32_C(3);
    return (low & ~UINT32_C(15)) | ((low & 6) == 4 ? (uint64_t)pci_read(devfn, 0x14 + 4 * bar) << 32 : 0);
}
