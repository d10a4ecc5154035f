/*
 * msix.h: interrupts by messages of which a table in a BAR tells address and data, each with a mask of its own.
 *
 * The table and the pending bits are the device's state: its section has them as octets, as virtio's does ("MSI-X
 * table", then "PBA"), and they lie in its state struct. A Msix is embedded in the wiring.
 *
 * Source: PCI Local Bus Specification 3.0, section 6.8.2.
 */
#ifndef EMU_PCI_MSIX_H
#define EMU_PCI_MSIX_H

#include "emu/pci/pci.h"

enum { MSIX_ENTRY = 16, MSIX_VECTORS_MAX = 2048, MSIX_NO_VECTOR = 0xffff };

/* How many octets the table and the pending bits of n vectors have. */
#define MSIX_TABLE_SIZE(n) ((size_t)(n)*MSIX_ENTRY)
#define MSIX_PBA_SIZE(n)   (((size_t)(n) + 7) / 8)

typedef struct Msix {
    PciDevice *dev;
    unsigned vectors, capability; /* 0: the device has none */
    uint8_t *table, *pending;     /* borrowed: the device's state */
    uint32_t table_at, pending_at;

    /* Told when a vector is masked or no longer (by itself or as all are); NULL: nobody looks. */
    void (*masked)(void *opaque, unsigned vector, bool masked);
    void *opaque;
} Msix;

/* Where table and pending bits are in their BAR. */
typedef struct MsixPlace {
    unsigned bar;
    uint32_t table_at, pending_at; /* multiples of 8 */
    unsigned capability;           /* offset in configuration space; 0: where there is room */
} MsixPlace;

/*
 * To be called while the device is realized, with dev, vectors, table and pending set. The BAR is the device's own to
 * add; its handlers pass accesses to msix_read and msix_write, or it has msix_ops. False if there is no room.
 */
bool msix_start(Msix *msix, const MsixPlace *place);

/* All vectors are masked, none is pending. */
void msix_reset(Msix *msix);

/* Handlers of a BAR that has nothing else; the opaque is the Msix. */
extern const IoOps msix_ops;
uint64_t msix_read(Msix *msix, uint64_t addr, unsigned size);
void msix_write(Msix *msix, uint64_t addr, uint64_t value, unsigned size);

/* To be called from config_written. */
void msix_config_written(Msix *msix, unsigned addr, unsigned size);

bool msix_enabled(const Msix *msix);
bool msix_is_masked(const Msix *msix, unsigned vector);

/* What it sends. */
uint64_t msix_address(const Msix *msix, unsigned vector);
uint32_t msix_data(const Msix *msix, unsigned vector);

/* Sends the vector's message, or keeps it pending while it is masked. One that there is not is nothing. */
void msix_send(Msix *msix, unsigned vector);

/* Pending, or no longer, without a message: for who masks by other means. */
void msix_set_pending(Msix *msix, unsigned vector, bool pending);
bool msix_is_pending(const Msix *msix, unsigned vector);

#endif
