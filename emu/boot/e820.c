/*
 * e820.c: the map of the memory.
 *
 * Sources: ACPI Specification 6.3, chapter 15; the KVM API document, KVM_SET_IDENTITY_MAP_ADDR and KVM_SET_TSS_ADDR
 * (four pages that Intel processors need); AMD I/O Virtualization Technology Specification 3.06, section 2.1.2
 * (addresses of HyperTransport).
 */
#include "emu/boot/e820.h"

#include "emu/boot/octets-impl.h"

enum { EBDA = 0x9fc00, HIGH_MEMORY = 0x100000 };

static const E820Entry kvm_pages = {UINT64_C(0xfeffc000), 0x4000, E820_RESERVED};
static const E820Entry hypertransport = {UINT64_C(0xfd00000000), UINT64_C(0x300000000), E820_RESERVED};
static const uint64_t four_gib = UINT64_C(1) << 32;

static unsigned add(E820Entry *entries, unsigned count, E820Entry entry)
{
    if (!entry.size)
        return count;
    entries[count] = entry;
    return count + 1;
}

unsigned e820_for_firmware(const BootPc *pc, E820Entry entries[E820_ENTRIES])
{
    unsigned count = add(entries, 0, kvm_pages);

    if (pc->hypertransport)
        count = add(entries, count, hypertransport);
    count = add(entries, count, (E820Entry){0, pc->below_4g, E820_RAM});
    return add(entries, count, (E820Entry){four_gib, pc->above_4g, E820_RAM});
}

/* Sorted, as kernels like it. */
unsigned e820_for_kernel(const BootPc *pc, uint64_t tables, E820Entry entries[E820_ENTRIES])
{
    uint64_t end = pc->below_4g - MIN(tables, pc->below_4g - HIGH_MEMORY);
    unsigned count = add(entries, 0, (E820Entry){0, EBDA, E820_RAM});

    count = add(entries, count, (E820Entry){EBDA, HIGH_MEMORY - EBDA, E820_RESERVED});
    count = add(entries, count, (E820Entry){HIGH_MEMORY, end - HIGH_MEMORY, E820_RAM});
    count = add(entries, count, (E820Entry){end, pc->below_4g - end, E820_ACPI});
    count = add(entries, count, kvm_pages);
    count = add(entries, count, (E820Entry){four_gib, pc->above_4g, E820_RAM});
    return pc->hypertransport ? add(entries, count, hypertransport) : count;
}

GBytes *e820_octets(const E820Entry *entries, unsigned count)
{
    GByteArray *octets = g_byte_array_new();

    for (unsigned i = 0; i < count; i++) {
        put_le(octets, entries[i].base, 8);
        put_le(octets, entries[i].size, 8);
        put_le(octets, entries[i].type, 4);
    }
    return g_byte_array_free_to_bytes(octets);
}
