/*
 * msix.c: MSI-X.
 *
 * Source: PCI Local Bus Specification 3.0, section 6.8.2.
 * Not modelled: nothing of it; reserved bits of the table are kept as they are written.
 */
#include "emu/pci/msix.h"

#include <string.h>

enum {
    CONTROL = 2,
    CONTROL_ENABLE = 1 << 15,
    CONTROL_MASK_ALL = 1 << 14,
    TABLE = 4,
    PENDING = 8,
    CAPABILITY_SIZE = 12,
    ENTRY_ADDRESS_HIGH = 4,
    ENTRY_DATA = 8,
    ENTRY_CONTROL = 12,
    ENTRY_MASKED = 1 << 0,
};

static uint16_t control(const Msix *m)
{
    return pci_get16(pci_state(m->dev)->config, m->capability + CONTROL);
}

bool msix_start(Msix *m, const MsixPlace *place)
{
    PciState *s = pci_state(m->dev);

    if (m->vectors == 0 || m->vectors > MSIX_VECTORS_MAX)
        return false;
    m->capability = pci_add_capability(m->dev, PCI_CAPABILITY_MSIX, place->capability, CAPABILITY_SIZE);
    if (!m->capability)
        return false;
    m->table_at = place->table_at;
    m->pending_at = place->pending_at;
    pci_put16(s->initial, m->capability + CONTROL, (uint16_t)(m->vectors - 1));
    pci_put16(s->writable, m->capability + CONTROL, CONTROL_ENABLE | CONTROL_MASK_ALL);
    pci_put32(s->initial, m->capability + TABLE, place->table_at | place->bar);
    pci_put32(s->initial, m->capability + PENDING, place->pending_at | place->bar);
    return true;
}

void msix_reset(Msix *m)
{
    if (!m->capability)
        return;
    memset(m->table, 0, MSIX_TABLE_SIZE(m->vectors));
    memset(m->pending, 0, MSIX_PBA_SIZE(m->vectors));
    for (unsigned n = 0; n < m->vectors; n++)
        m->table[n * MSIX_ENTRY + ENTRY_CONTROL] = ENTRY_MASKED;
}

bool msix_enabled(const Msix *m)
{
    return m->capability && control(m) & CONTROL_ENABLE;
}

static bool entry_masked(const Msix *m, unsigned vector)
{
    return m->table[vector * MSIX_ENTRY + ENTRY_CONTROL] & ENTRY_MASKED;
}

bool msix_is_masked(const Msix *m, unsigned vector)
{
    return vector >= m->vectors || !msix_enabled(m) || control(m) & CONTROL_MASK_ALL || entry_masked(m, vector);
}

uint64_t msix_address(const Msix *m, unsigned vector)
{
    const uint8_t *entry = m->table + vector * MSIX_ENTRY;

    return pci_get32(entry, 0) | (uint64_t)pci_get32(entry, ENTRY_ADDRESS_HIGH) << 32;
}

uint32_t msix_data(const Msix *m, unsigned vector)
{
    return pci_get32(m->table + vector * MSIX_ENTRY, ENTRY_DATA);
}

bool msix_is_pending(const Msix *m, unsigned vector)
{
    return vector < m->vectors && m->pending[vector / 8] >> vector % 8 & 1;
}

void msix_set_pending(Msix *m, unsigned vector, bool pending)
{
    if (vector >= m->vectors)
        return;
    m->pending[vector / 8] &= (uint8_t) ~(1U << vector % 8);
    m->pending[vector / 8] |= (uint8_t)((unsigned)pending << vector % 8);
}

void msix_send(Msix *m, unsigned vector)
{
    if (vector >= m->vectors || !msix_enabled(m))
        return;
    if (msix_is_masked(m, vector))
        msix_set_pending(m, vector, true);
    else
        pci_send_message(m->dev, msix_address(m, vector), msix_data(m, vector));
}

/* A vector's mask may have changed: what was pending is sent. */
static void look_at(Msix *m, unsigned vector)
{
    bool masked = msix_is_masked(m, vector);

    if (m->masked)
        m->masked(m->opaque, vector, masked);
    if (masked || !msix_is_pending(m, vector))
        return;
    msix_set_pending(m, vector, false);
    msix_send(m, vector);
}

void msix_config_written(Msix *m, unsigned addr, unsigned size)
{
    if (!m->capability || addr + size <= m->capability + CONTROL || addr >= m->capability + CONTROL + 2)
        return;
    for (unsigned n = 0; n < m->vectors; n++)
        look_at(m, n);
}

uint64_t msix_read(Msix *m, uint64_t addr, unsigned size)
{
    uint64_t value = 0, table = MSIX_TABLE_SIZE(m->vectors), pending = MSIX_PBA_SIZE(m->vectors);

    for (unsigned i = 0; i < size; i++) {
        uint64_t at = addr + i, octet = 0;
        if (at >= m->table_at && at - m->table_at < table)
            octet = m->table[at - m->table_at];
        else if (at >= m->pending_at && at - m->pending_at < pending)
            octet = m->pending[at - m->pending_at];
        value |= octet << i * 8;
    }
    return value;
}

/* The pending bits are the device's to write. */
void msix_write(Msix *m, uint64_t addr, uint64_t value, unsigned size)
{
    uint64_t table = MSIX_TABLE_SIZE(m->vectors), at = addr - m->table_at;

    if (addr < m->table_at || at >= table || size > table - at)
        return;
    for (unsigned i = 0; i < size; i++)
        m->table[at + i] = (uint8_t)(value >> i * 8);
    look_at(m, (unsigned)(at / MSIX_ENTRY));
}

static uint64_t read_bar(void *opaque, uint64_t addr, unsigned size)
{
    return msix_read(opaque, addr, size);
}

static void write_bar(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    msix_write(opaque, addr, value, size);
}

const IoOps msix_ops = {.read = read_bar, .write = write_bar, .max = 8};
