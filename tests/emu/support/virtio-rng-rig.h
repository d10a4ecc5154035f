/* virtio-rng-rig.h: the rig with the source of random octets, the simplest device, on it. */
#ifndef TESTS_EMU_VIRTIO_RNG_RIG_H
#define TESTS_EMU_VIRTIO_RNG_RIG_H

#include "tests/emu/support/virtio-rig.h"

enum { SLOT_5 = PCI_DEVFN(5, 0), QUIET = 1 };

/* Octets that count up. */
static inline void count_up(void *opaque, void *data, size_t len)
{
    uint8_t *next = opaque;

    for (size_t i = 0; i < len; i++)
        ((uint8_t *)data)[i] = (*next)++;
}

static inline Rig *rng_rig(uint8_t *next)
{
    Device *dev = device_new(&virtio_rng_type);

    if (next)
        virtio_rng_set_source(dev, count_up, next);
    ((PciDevice *)dev)->devfn = SLOT_5;
    return rig_new(dev);
}

static inline Rig *started(bool modern, uint64_t features)
{
    Rig *rig = rng_rig(NULL);

    rig_start(rig, modern, features);
    return rig;
}

/* One buffer to be written. */
static inline void offer_one(Rig *rig, uint16_t n, uint64_t addr, uint32_t len)
{
    rig_desc(rig, 0, n, (RigDesc){.addr = addr, .len = len, .flags = RIG_WRITE});
    rig_offer(rig, 0, n);
}

#endif
