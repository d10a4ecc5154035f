/*
 * virtio.h: a virtio device on PCI, through the older transport or that of 1.0, with MSI-X or the INTx line.
 */
#ifndef TESTS_GUEST_VIRTIO_H
#define TESTS_GUEST_VIRTIO_H

#include "tests/guest/guest.h"

enum { RING = 256, VIRTIO_QUEUES = 3, WRITABLE = 2 };

typedef struct Descriptor {
    uint64_t address;
    uint32_t size;
    uint16_t flags, next;
} Descriptor;

typedef struct Queue {
    volatile Descriptor *descriptors;
    volatile uint16_t *available; /* flags, index, ring */
    volatile uint16_t *used;      /* flags, index, then pairs of 32 bits */
    unsigned size;
    uint16_t seen;
    uint64_t notify; /* of 1.0 */
    unsigned vector; /* of MSI-X */
} Queue;

typedef struct Virtio {
    PciDevice device;
    const char *name;
    bool there, modern, msix, in_use;
    uint16_t io;
    uint64_t common, notify, isr, config;
    uint32_t notify_factor;
    uint64_t features;
    Queue queues[VIRTIO_QUEUES];
    volatile uint64_t interrupts; /* by INTx */
} Virtio;

/* Rings have at most so many entries, where a device leaves that to us. */
extern unsigned virtio_ring_most;

/* Finds it, takes those of `features` that it offers. `how`: what the command line has of it. */
bool virtio_init(Virtio *v, const char *name, unsigned kind, uint64_t features, unsigned queues, bool modern,
                 bool msix);
void virtio_go(Virtio *v);
uint8_t virtio_config8(const Virtio *v, unsigned at);

/* A chain: descriptors `first` and those that follow it. */
typedef struct Piece {
    const volatile void *data;
    uint32_t size;
    bool writable;
} Piece;
void virtio_add(Virtio *v, unsigned queue, unsigned first, const Piece *pieces, unsigned count);
void virtio_notify(Virtio *v, unsigned queue);

/* The first descriptor of a chain that was used, and how many octets were written; false: none. */
bool virtio_take(Virtio *v, unsigned queue, unsigned *first, uint32_t *size);
uint64_t virtio_interrupts(const Virtio *v, unsigned queue);

#endif
