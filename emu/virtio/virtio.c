/*
 * virtio.c: what all virtio devices have in common: status, features, configuration, interrupts.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, chapter 2, and 3.1 for the order in which a driver starts; Virtio
 * PCI Card Specification 0.9.5 for legacy drivers. Not modelled: guests of the other endianness, and access to memory
 * through an IOMMU.
 */
#include "emu/virtio/virtio.h"

#include <string.h>

#include "emu/core/machine.h"
#include "emu/virtio/virtio-impl.h"

/* --- interrupts ------------------------------------------------------------------------------------------------- */

static void notify_vector(Virtio *v, uint16_t vector)
{
    if (msix_enabled(&v->msix))
        msix_send(&v->msix, vector);
    else
        pci_set_irq(&v->pci, virtio_state(v)->isr & (VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG));
}

void virtio_notify_queue(Virtio *v, unsigned queue)
{
    VirtioState *s = virtio_state(v);

    s->isr |= VIRTIO_ISR_QUEUE;
    notify_vector(v, s->queues[queue].vector);
}

void virtio_notify_config(Virtio *v)
{
    VirtioState *s = virtio_state(v);

    if (!(s->status & VIRTIO_DRIVER_OK))
        return;
    /* The queue's bit, too: QEMU's drivers of old look at nothing else. */
    s->isr |= VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG;
    v->generation++;
    notify_vector(v, s->config_vector);
}

uint8_t virtio_read_isr(Virtio *v)
{
    VirtioState *s = virtio_state(v);
    uint8_t isr = s->isr;

    s->isr = 0;
    pci_set_irq(&v->pci, false);
    return isr;
}

void virtio_break(Virtio *v, const char *why)
{
    VirtioState *s = virtio_state(v);

    if (s->broken)
        return;
    s->broken = true;
    v->why_broken = why;
    if (!virtio_has(v, VIRTIO_F_VERSION_1))
        return;
    s->status |= VIRTIO_NEEDS_RESET;
    virtio_notify_config(v);
}

/* --- configuration ---------------------------------------------------------------------------------------------- */

uint32_t virtio_config_read(Virtio *v, unsigned addr, unsigned size)
{
    VirtioState *s = virtio_state(v);
    uint32_t value = 0;

    if (addr > v->kind->config_len || size > v->kind->config_len - addr)
        return UINT32_MAX >> (32 - 8 * size);
    v->kind->get_config(v, s->config);
    for (unsigned i = 0; i < size; i++)
        value |= (uint32_t)s->config[addr + i] << i * 8;
    return value;
}

void virtio_config_write(Virtio *v, unsigned addr, uint32_t value, unsigned size)
{
    VirtioState *s = virtio_state(v);

    if (addr > v->kind->config_len || size > v->kind->config_len - addr)
        return;
    for (unsigned i = 0; i < size; i++)
        s->config[addr + i] = (uint8_t)(value >> i * 8);
    if (v->kind->set_config)
        v->kind->set_config(v, s->config);
}

/* --- status and features ---------------------------------------------------------------------------------------- */

void virtio_set_status(Virtio *v, uint8_t status)
{
    VirtioState *s = virtio_state(v);

    if ((s->status ^ status) & VIRTIO_DRIVER_OK)
        s->started = status & VIRTIO_DRIVER_OK;
    /* Only a reset takes back that one is needed (section 2.1.2). */
    s->status = status | (s->broken ? s->status & VIRTIO_NEEDS_RESET : 0);
    if (v->kind->status_changed)
        v->kind->status_changed(v);
    virtio_hang_bells(v);
}

void virtio_set_features(Virtio *v, uint64_t features)
{
    VirtioState *s = virtio_state(v);

    if (s->status & VIRTIO_FEATURES_OK)
        return;
    s->features = features & s->offered;
    if (v->kind->features_changed)
        v->kind->features_changed(v);
}

void virtio_set_disabled(Virtio *v, bool disabled)
{
    VirtioState *s = virtio_state(v);

    s->disabled = disabled;
    if (disabled && s->status & VIRTIO_DRIVER_OK)
        virtio_set_status(v, s->status & (uint8_t)~VIRTIO_DRIVER_OK);
}

/* --- queues ----------------------------------------------------------------------------------------------------- */

void virtio_set_queue_size(Virtio *v, unsigned queue, unsigned size)
{
    /* No queue comes or goes so. */
    if (virtio_queue_is_there(v, queue) && size > 0 && size <= VIRTQUEUE_SIZE_MAX)
        virtio_state(v)->queues[queue].num = size;
}

void virtio_kick(Virtio *v, unsigned queue)
{
    VirtioState *s = virtio_state(v);

    if (!virtio_queue_is_there(v, queue) || !s->queues[queue].desc || !virtio_is_alive(v))
        return;
    /* A legacy driver may use its queues before it says that it is ready. */
    if (!virtio_has(v, VIRTIO_F_VERSION_1))
        s->started = true;
    v->kind->notified(v, queue);
}

static void reset_queue(Virtio *v, unsigned queue)
{
    VirtioState *s = virtio_state(v);

    s->queues[queue] = (VirtioQueueState){.num = virtio_queue_is_there(v, queue) ? v->kind->queue_size[queue] : 0,
                                          .vector = MSIX_NO_VECTOR};
    s->rings[queue] = (VirtioRingState){.avail = 0};
    if (virtio_queue_is_there(v, queue))
        virtqueue_reset(&v->vq[queue]);
}

void virtio_reset_queue(Virtio *v, unsigned queue)
{
    if (!virtio_queue_is_there(v, queue))
        return;
    if (v->kind->queue_reset)
        v->kind->queue_reset(v, queue);
    reset_queue(v, queue);
    virtio_hang_bells(v);
}

void virtio_reset(Virtio *v)
{
    VirtioState *s = virtio_state(v);

    virtio_set_status(v, 0);
    if (v->kind->reset)
        v->kind->reset(v);
    s->status = 0;
    s->isr = 0;
    s->queue_select = 0;
    s->features = 0;
    s->config_vector = MSIX_NO_VECTOR;
    s->broken = s->started = s->disabled = false;
    v->why_broken = NULL;
    for (unsigned n = 0; n < VIRTIO_QUEUES_MAX; n++)
        reset_queue(v, n);
    virtio_hang_bells(v);
    pci_set_irq(&v->pci, false);
}

/* --- doorbells ---------------------------------------------------------------------------------------------------- */

static void rung(void *opaque, unsigned queue)
{
    Virtio *v = opaque;

    v->on_loop = true;
    virtio_kick(v, queue);
    v->on_loop = false;
}

/* A driver that is not ready yet may write as well: that comes the long way. */
static bool wants_bell(const Virtio *v, unsigned queue)
{
    const VirtioState *s = virtio_state(v);

    return v->ioeventfd && v->pci.dev.machine->running && s->status & VIRTIO_DRIVER_OK && !s->disabled &&
           s->queues[queue].desc;
}

void virtio_hang_bells(Virtio *v)
{
    BellPlace places[BELL_PLACES];

    for (unsigned n = 0; n < v->kind->queues; n++) {
        bool wanted = wants_bell(v, n);
        if (wanted && !v->bells[n])
            v->bells[n] = bell_new(v->pci.dev.machine, rung, v, n);
        if (!v->bells[n] || wanted == bell_hangs(v->bells[n]))
            continue;
        if (wanted)
            bell_hang(v->bells[n], places, virtio_pci_doorbells(v, n, places));
        else
            bell_take_down(v->bells[n]);
    }
}

/* The machine stands: what was rung for and nobody has looked at yet is part of what the guest has done. */
static void answer_bells(Virtio *v)
{
    virtio_hang_bells(v);
    for (unsigned n = 0; n < v->kind->queues; n++)
        if (v->bells[n] && bell_was_rung(v->bells[n]))
            virtio_kick(v, n);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

/* What the guest offered while nobody looked is found when the machine goes on. */
static void runs(void *opaque, bool runs)
{
    Virtio *v = opaque;

    answer_bells(v);
    if (v->kind->runs)
        v->kind->runs(v, runs);
    for (unsigned n = 0; runs && n < v->kind->queues; n++)
        if (virtio_state(v)->started)
            virtio_kick(v, n);
}

void virtio_reset_device(Virtio *v)
{
    VirtioState *s = virtio_state(v);

    virtio_reset(v);
    memset(s->registers, 0, sizeof s->registers);
    s->feature_select = s->guest_feature_select = 0;
    memset(s->guest_features, 0, sizeof s->guest_features);
    memset(s->config, 0, sizeof s->config);
    s->config_len = v->kind->config_len;
    s->queue_count = v->kind->queues;
    virtio_pci_reset(v);
    virtio_pull(v, NULL);
}

bool virtio_start(Virtio *v, RamArea *rom, GError **error)
{
    if (!virtio_pci_start(v, rom, error))
        return false;
    virtio_state(v)->queues_here = v->kind->queues;
    for (unsigned n = 0; n < v->kind->queues; n++)
        v->vq[n] = (Virtqueue){.owner = v, .index = n};
    machine_add_runner(v->pci.dev.machine, runs, v);
    return true;
}

void virtio_stop(Virtio *v)
{
    machine_remove_runner(v->pci.dev.machine, v);
    for (unsigned n = 0; n < VIRTIO_QUEUES; n++)
        bell_free(v->bells[n]);
    pci_device_stop(&v->pci);
}
