/*
 * msi.c: interrupts by messages that the configuration space has.
 *
 * Source: PCI Local Bus Specification 3.0, section 6.8.1.
 */
#include "emu/pci/pci.h"

enum {
    MSI_CONTROL = 2,
    MSI_ENABLE = 1 << 0,
    MSI_CAPABLE_SHIFT = 1, /* the logarithm of how many vectors there are */
    MSI_ENABLED_SHIFT = 4, /* of how many the guest gives, 3 bits */
    MSI_ENABLED_MASK = 7,
    MSI_64_BIT = 1 << 7,
    MSI_MASKS = 1 << 8,
    MSI_ADDRESS = 4,
    MSI_ADDRESS_HIGH = 8,
    MSI_DATA = 12, /* as everything here, of the form with 64-bit addresses */
    MSI_MASK = 16,
    MSI_PENDING = 20,
    MSI_VECTORS_MAX = 32,
    MSI_SIZE = 14,
    MSI_SIZE_MASKS = 24,
};

bool pci_add_msi(PciDevice *dev, unsigned offset, unsigned vectors, bool masks)
{
    PciState *s = pci_state(dev);
    unsigned at, shift = 0;

    while (1U << shift < vectors)
        shift++;
    if (vectors == 0 || vectors > MSI_VECTORS_MAX)
        return false;
    at = pci_add_capability(dev, PCI_CAPABILITY_MSI, offset, masks ? MSI_SIZE_MASKS : MSI_SIZE);
    if (!at)
        return false;
    pci_put16(s->initial, at + MSI_CONTROL,
              (uint16_t)(shift << MSI_CAPABLE_SHIFT | MSI_64_BIT | (masks ? MSI_MASKS : 0)));
    pci_put16(s->writable, at + MSI_CONTROL, MSI_ENABLED_MASK << MSI_ENABLED_SHIFT | MSI_ENABLE);
    pci_put32(s->writable, at + MSI_ADDRESS, UINT32_MAX & ~3U);
    pci_put32(s->writable, at + MSI_ADDRESS_HIGH, UINT32_MAX);
    pci_put16(s->writable, at + MSI_DATA, UINT16_MAX);
    if (masks) {
        pci_put32(s->writable, at + MSI_MASK, (uint32_t)((UINT64_C(1) << (1U << shift)) - 1));
        pci_put32(s->compared, at + MSI_PENDING, 0); /* the device changes them */
    }
    return true;
}

bool pci_msi_enabled(const PciDevice *dev)
{
    unsigned at = pci_find_capability(dev, PCI_CAPABILITY_MSI);

    return at && pci_state(dev)->config[at + MSI_CONTROL] & MSI_ENABLE;
}

/* The guest may give fewer vectors than there are, but not more. */
static unsigned given_vectors(const PciState *s, unsigned at)
{
    unsigned control = pci_get16(s->config, at + MSI_CONTROL);

    return 1U << MIN(control >> MSI_ENABLED_SHIFT & MSI_ENABLED_MASK, control >> MSI_CAPABLE_SHIFT & 7);
}

void pci_msi_send(PciDevice *dev, unsigned vector)
{
    PciState *s = pci_state(dev);
    unsigned at = pci_find_capability(dev, PCI_CAPABILITY_MSI);

    if (!pci_msi_enabled(dev))
        return;
    unsigned given = given_vectors(s, at), n = vector % given;
    if (s->initial[at + MSI_CONTROL + 1] & MSI_MASKS >> 8 && pci_get32(s->config, at + MSI_MASK) >> n & 1) {
        pci_put32(s->config, at + MSI_PENDING, pci_get32(s->config, at + MSI_PENDING) | 1U << n);
        return;
    }
    /* The vector's number takes the place of the low bits of the data. */
    pci_send_message(
        dev, pci_get32(s->config, at + MSI_ADDRESS) | (uint64_t)pci_get32(s->config, at + MSI_ADDRESS_HIGH) << 32,
        (pci_get16(s->config, at + MSI_DATA) & ~(given - 1)) | n);
}

void pci_msi_config_written(PciDevice *dev, unsigned addr, unsigned size)
{
    PciState *s = pci_state(dev);
    unsigned at = pci_find_capability(dev, PCI_CAPABILITY_MSI);

    if (!at || !(s->initial[at + MSI_CONTROL + 1] & MSI_MASKS >> 8) || addr + size <= at ||
        addr >= at + MSI_SIZE_MASKS || !pci_msi_enabled(dev))
        return;
    uint32_t due = pci_get32(s->config, at + MSI_PENDING) & ~pci_get32(s->config, at + MSI_MASK);
    pci_put32(s->config, at + MSI_PENDING, pci_get32(s->config, at + MSI_PENDING) & ~due);
    for (unsigned n = 0; n < MSI_VECTORS_MAX; n++)
        if (due >> n & 1)
            pci_msi_send(dev, n);
}
