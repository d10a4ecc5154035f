/*
 * virtio-state.c: what is saved of a virtio device on the PCI bus.
 *
 * A section is one struct: PCI's part, MSI-X, status and configuration, the queues, what is the device's own, and
 * behind it the subsections of "virtio". What the wire has twice (the low features, queues of both kinds of drivers) is
 * made when it is saved, and the subsection wins when it is loaded.
 *
 * Not modelled: rings of the other endianness ("virtio/device_endian") and packed ones: such states are refused.
 */
#include <inttypes.h>
#include <string.h>

#include "emu/virtio/virtio-impl.h"

/* --- vectors ---------------------------------------------------------------------------------------------------- */

/* As the MSI-X capability has it (PCI 3.0, section 6.8.2.3). */
static unsigned vectors_of(const uint8_t *config)
{
    return (pci_get16(config, VIRTIO_MSIX_AT + 2) & (MSIX_VECTORS_MAX - 1)) + 1U;
}

#define HAS_MORE_THAN(n)                                                                                               \
    bool virtio_has_more_than_##n(const void *state, int version)                                                      \
    {                                                                                                                  \
        (void)version;                                                                                                 \
        return vectors_of(((const VirtioState *)state)->pci.config) > (n);                                             \
    }

HAS_MORE_THAN(2)
HAS_MORE_THAN(3)
HAS_MORE_THAN(4)
HAS_MORE_THAN(5)
HAS_MORE_THAN(6)
HAS_MORE_THAN(7)
HAS_MORE_THAN(8)

/* --- queues ----------------------------------------------------------------------------------------------------- */

static const VMStateField queue_fields[] = {
    VMS_FIELD(VirtioQueueState, num),
    VMS_FIELD(VirtioQueueState, desc),
    VMS_FIELD(VirtioQueueState, last_avail),
    VMS_FIELD(VirtioQueueState, vector),
    VMS_END,
};

const VMStateDescription virtio_queue_state = {
    .name = "virtqueue",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioQueueState),
    .fields = queue_fields,
};

/* --- subsections ------------------------------------------------------------------------------------------------ */

static const VMStateField features_fields[] = {
    VMS_FIELD(VirtioState, features),
    VMS_END,
};

static const VMStateDescription features_state = {
    .name = "virtio/64bit_features",
    .version = 1,
    .minimum = 1,
    .fields = features_fields,
};

static const VMStateField ring_fields[] = {
    VMS_FIELD(VirtioRingState, avail),
    VMS_FIELD(VirtioRingState, used),
    VMS_END,
};

static const VMStateDescription ring_state = {
    .name = "virtqueue_state",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioRingState),
    .fields = ring_fields,
};

static const VMStateField rings_fields[] = {
    VMS_SUB_ARRAY(VirtioState, rings, &ring_state),
    VMS_END,
};

static const VMStateDescription rings_state = {
    .name = "virtio/virtqueues",
    .version = 1,
    .minimum = 1,
    .fields = rings_fields,
};

static const VMStateField sizes_fields[] = {
    VMS_ARRAY(VirtioState, ring_sizes),
    VMS_END,
};

static const VMStateDescription sizes_state = {
    .name = "virtio/ringsize",
    .version = 1,
    .minimum = 1,
    .fields = sizes_fields,
};

static const VMStateField broken_fields[] = {
    VMS_FIELD(VirtioState, broken),
    VMS_END,
};

static const VMStateDescription broken_state = {
    .name = "virtio/broken",
    .version = 1,
    .minimum = 1,
    .fields = broken_fields,
};

static const VMStateField register_fields[] = {
    VMS_FIELD(VirtioRegisters, num),
    VMS_FIELD(VirtioRegisters, unused),
    VMS_FIELD(VirtioRegisters, enabled),
    VMS_ARRAY(VirtioRegisters, desc),
    VMS_ARRAY(VirtioRegisters, avail),
    VMS_ARRAY(VirtioRegisters, used),
    VMS_END,
};

static const VMStateDescription register_state = {
    .name = "virtio_pci/modern_queue_state",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioRegisters),
    .fields = register_fields,
};

static const VMStateField modern_fields[] = {
    VMS_FIELD(VirtioState, feature_select),
    VMS_FIELD(VirtioState, guest_feature_select),
    VMS_ARRAY(VirtioState, guest_features),
    VMS_SUB_ARRAY(VirtioState, registers, &register_state),
    VMS_END,
};

static const VMStateDescription modern_state = {
    .name = "virtio_pci/modern_state",
    .version = 1,
    .minimum = 1,
    .fields = modern_fields,
};

static const VMStateField nothing[] = {
    VMS_END,
};

static const VMStateSubsection proxy_subsections[] = {
    {.desc = &modern_state, .presence = 1 + offsetof(VirtioState, has_registers)},
    {.desc = NULL},
};

static const VMStateDescription proxy_state = {
    .name = "virtio_pci",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioState),
    .fields = nothing,
    .subsections = proxy_subsections,
};

static const VMStateField extra_fields[] = {
    {.name = "virtio_pci", .kind = VMS_STRUCT, .size = sizeof(VirtioState), .count = 1, .desc = &proxy_state},
    VMS_END,
};

static const VMStateDescription extra_state = {
    .name = "virtio/extra_state",
    .version = 1,
    .minimum = 1,
    .fields = extra_fields,
};

static const VMStateField started_fields[] = {
    VMS_FIELD(VirtioState, started),
    VMS_END,
};

static const VMStateDescription started_state = {
    .name = "virtio/started",
    .version = 1,
    .minimum = 1,
    .fields = started_fields,
};

static const VMStateField disabled_fields[] = {
    VMS_FIELD(VirtioState, disabled),
    VMS_END,
};

static const VMStateDescription disabled_state = {
    .name = "virtio/disabled",
    .version = 1,
    .minimum = 1,
    .fields = disabled_fields,
};

const VMStateSubsection virtio_subsections[] = {
    {.desc = &features_state, .presence = 1 + offsetof(VirtioState, has_features)},
    {.desc = &rings_state, .presence = 1 + offsetof(VirtioState, has_rings)},
    {.desc = &sizes_state, .presence = 1 + offsetof(VirtioState, has_ring_sizes)},
    {.desc = &broken_state, .presence = 1 + offsetof(VirtioState, has_broken)},
    {.desc = &extra_state, .presence = 1 + offsetof(VirtioState, has_extra)},
    {.desc = &started_state, .presence = 1 + offsetof(VirtioState, has_started)},
    {.desc = &disabled_state, .presence = 1 + offsetof(VirtioState, has_disabled)},
    {.desc = NULL},
};

/* --- hooks ------------------------------------------------------------------------------------------------------ */

static uint32_t size_of(const Virtio *v, unsigned queue)
{
    return virtio_queue_is_there(v, queue) ? v->kind->queue_size[queue] : 0;
}

bool virtio_pull(void *opaque, GError **error)
{
    Virtio *v = opaque;
    VirtioState *s = virtio_state(v);

    (void)error;
    s->features_low = (uint32_t)s->features;
    s->config_len = v->kind->config_len;
    s->queue_count = v->kind->queues;
    s->has_features = s->has_rings = s->has_extra = s->has_registers = true;
    s->has_ring_sizes = false;
    for (unsigned n = 0; n < VIRTIO_QUEUES_MAX; n++) {
        s->ring_sizes[n] = size_of(v, n);
        s->has_ring_sizes |= virtio_queue_is_there(v, n) && s->queues[n].num != s->ring_sizes[n];
    }
    s->has_broken = s->broken;
    s->has_started = s->started;
    s->has_disabled = s->disabled;
    return true;
}

static bool refuse(GError **error, const VirtioKind *kind, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool refuse(GError **error, const VirtioKind *kind, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    g_autofree char *text = g_strdup_vprintf(format, list);
    va_end(list);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s.virtio.%s", kind->section, text);
    return false;
}

static bool vector_is_sound(const VirtioState *s, uint16_t vector)
{
    return vector < vectors_of(s->pci.config) || vector == MSIX_NO_VECTOR;
}

static bool check_queue(const VirtioState *s, unsigned n, const VirtioKind *kind, GError **error)
{
    const VirtioQueueState *q = &s->queues[n];

    if (q->num == 0 || q->num > VIRTQUEUE_SIZE_MAX)
        return refuse(error, kind, "queues[%u].num: the stream has %u, the destination takes 1 to %d", n, q->num,
                      VIRTQUEUE_SIZE_MAX);
    if (!q->desc && q->last_avail)
        return refuse(error, kind, "queues[%u].last_avail: the stream has %u, of a queue that has no ring", n,
                      q->last_avail);
    if (!vector_is_sound(s, q->vector))
        return refuse(error, kind, "queues[%u].vector: the stream has %u, the destination has %u vectors", n, q->vector,
                      vectors_of(s->pci.config));
    return true;
}

bool virtio_check(const VirtioState *s, const VirtioKind *kind, GError **error)
{
    uint64_t features = s->has_features ? s->features : s->features_low;
    unsigned here = vectors_of(s->pci.initial);

    if (s->pci.config[VIRTIO_MSIX_AT] == PCI_CAPABILITY_MSIX && vectors_of(s->pci.config) != here)
        return refuse(error, kind, "vectors: the stream has %u of MSI-X, the destination %u", vectors_of(s->pci.config),
                      here);
    if (!pci_check(&s->pci, kind->section, error))
        return false;
    if (!vector_is_sound(s, s->config_vector))
        return refuse(error, kind, "config_vector: the stream has %u, the destination has %u vectors", s->config_vector,
                      vectors_of(s->pci.config));
    if (s->queue_select >= VIRTIO_QUEUES_MAX)
        return refuse(error, kind, "queue_select: the stream has %u, the destination takes 0 to %d", s->queue_select,
                      VIRTIO_QUEUES_MAX - 1);
    if (s->queue_count != s->queues_here)
        return refuse(error, kind, "queue_count: the stream has %u, the destination %u", s->queue_count,
                      s->queues_here);
    for (unsigned n = 0; n < s->queues_here; n++)
        if (!check_queue(s, n, kind, error))
            return false;
    if (features & ~s->offered)
        return refuse(error, kind, "features: the stream has 0x%" PRIx64 ", the destination offers 0x%" PRIx64,
                      features, s->offered);
    return true;
}

/* What the stream did not have is as after a reset. */
static void fill_in(VirtioState *s)
{
    if (!s->has_features)
        s->features = s->features_low;
    if (!s->has_rings)
        memset(s->rings, 0, sizeof s->rings);
    s->broken = s->has_broken && s->broken;
    s->started = s->has_started && s->started;
    s->disabled = s->has_disabled && s->disabled;
    if (s->has_extra && s->has_registers)
        return;
    s->feature_select = s->guest_feature_select = 0;
    memset(s->guest_features, 0, sizeof s->guest_features);
    memset(s->registers, 0, sizeof s->registers);
}

void virtio_push(void *opaque)
{
    Virtio *v = opaque;
    VirtioState *s = virtio_state(v);

    fill_in(s);
    pci_device_push(&v->pci);
    v->why_broken = s->broken ? "it was when the state was saved" : NULL;
    for (unsigned n = 0; n < v->kind->queues; n++) {
        if (!virtio_has(v, VIRTIO_F_VERSION_1))
            virtqueue_lay_out(&v->vq[n]);
        virtqueue_restart(&v->vq[n]);
    }
    virtio_pull(v, NULL);
}
