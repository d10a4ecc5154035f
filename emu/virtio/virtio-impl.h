/* virtio-impl.h: what virtio.c, virtio-pci.c and virtio-state.c know of each other. */
#ifndef EMU_VIRTIO_VIRTIO_IMPL_H
#define EMU_VIRTIO_VIRTIO_IMPL_H

#include "emu/virtio/virtio.h"

/* Features that a driver of virtio 1 does not see. */
static inline uint64_t virtio_hidden(const Virtio *v)
{
    return v->kind->legacy_features | VIRTIO_F_NOTIFY_ON_EMPTY | VIRTIO_F_ANY_LAYOUT | VIRTIO_F_BAD_FEATURE;
}

static inline bool virtio_queue_is_there(const Virtio *v, unsigned queue)
{
    return queue < v->kind->queues;
}

static inline uint16_t virtio_vector(const Virtio *v, uint64_t value)
{
    return value < v->kind->vectors ? (uint16_t)value : MSIX_NO_VECTOR;
}

/* virtio-pci.c: where the guest writes to ring for a queue; returns how many places there are. */
unsigned virtio_pci_doorbells(Virtio *v, unsigned queue, BellPlace places[BELL_PLACES]);

/* virtio-pci.c: BARs, capabilities, and what a reset makes of the registers. */
bool virtio_pci_start(Virtio *v, RamArea *rom, GError **error);
void virtio_pci_reset(Virtio *v);

#endif
