/*
 * virtio-rng.c: random octets for the guest.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, section 5.4.
 * One queue, of buffers to be filled. A buffer of more than 64 KiB is given back with its beginning filled.
 * Not modelled: a limit on how much a guest may have in a time.
 */
#include <sys/random.h>

#include "emu/core/machine.h"
#include "emu/virtio/virtio-devices.h"
#include "emu/virtio/virtio.h"

enum { QUEUE_SIZE = 8, FILL_MAX = 64 * 1024, PIECE = 256 };

typedef struct VirtioRngState {
    VirtioState virtio;
} VirtioRngState;

typedef struct VirtioRng {
    Virtio v;
    VirtioRngSource *source;
    void *source_opaque;
    char *rng; /* option */
    VirtioRngState s;
} VirtioRng;

/* --- octets ----------------------------------------------------------------------------------------------------- */

/* The kernel's, which never come short in pieces of 256 once it has been seeded. */
static void host_source(void *opaque, void *data, size_t len)
{
    (void)opaque;
    for (size_t done = 0; done < len;) {
        ssize_t n = getrandom((char *)data + done, len - done, 0);
        if (n > 0)
            done += (size_t)n;
    }
}

static size_t fill(VirtioRng *r, const VirtqueueChain *chain)
{
    size_t len = MIN(chain->in_len, FILL_MAX);
    uint8_t piece[PIECE];

    for (size_t done = 0, n; done < len; done += n) {
        n = MIN(len - done, sizeof piece);
        r->source(r->source_opaque, piece, n);
        iov_write(virtqueue_in(chain), chain->in_count, done, piece, n);
    }
    return len;
}

/* As many as there were in the ring: who offers more in the meantime tells of it. */
static void notified(Virtio *v, unsigned queue)
{
    VirtioRng *r = (VirtioRng *)v;
    Virtqueue *vq = &v->vq[queue];

    if (!(r->s.virtio.status & VIRTIO_DRIVER_OK))
        return;
    for (unsigned i = 0; i < VIRTQUEUE_SIZE_MAX; i++) {
        g_autofree VirtqueueChain *chain = virtqueue_pop(vq);
        if (!chain)
            break;
        virtqueue_push(vq, chain, fill(r, chain));
        virtqueue_notify(vq);
    }
}

static void status_changed(Virtio *v)
{
    if (virtio_state(v)->status & VIRTIO_DRIVER_OK)
        virtio_kick(v, 0);
}

static const VirtioKind kind = {
    .section = "virtio-rng",
    .pci_device = 0x1005,
    .pci_class = 0x00ff,
    .subsystem = 4,
    .queues = 1,
    .vectors = 2,
    .queue_size = {QUEUE_SIZE},
    .notified = notified,
    .status_changed = status_changed,
};

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool check(const void *state, GError **error)
{
    return virtio_check(&((const VirtioRngState *)state)->virtio, &kind, error);
}

static const VMStateField virtio_fields[] = {
    VIRTIO_FIELDS(2),
    VMS_END,
};

static const VMStateDescription virtio_description = {
    .name = "virtio",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioRngState),
    .fields = virtio_fields,
    .subsections = virtio_subsections,
};

static const VMStateField fields[] = {
    VIRTIO_SECTION(VirtioRngState, &virtio_description),
    VMS_END,
};

static const VMStateDescription virtio_rng_state = {
    .name = "virtio-rng",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioRngState),
    .fields = fields,
    .pull = virtio_pull,
    .check = check,
    .push = virtio_push,
};

/* --- life ------------------------------------------------------------------------------------------------------- */

void virtio_rng_set_source(Device *dev, VirtioRngSource *source, void *opaque)
{
    ((VirtioRng *)dev)->source = source;
    ((VirtioRng *)dev)->source_opaque = opaque;
}

static void reset(Device *dev)
{
    virtio_reset_device((Virtio *)dev);
}

static bool realize(Device *dev, GError **error)
{
    VirtioRng *r = (VirtioRng *)dev;

    if (!r->source)
        r->source = host_source;
    r->v.kind = &kind;
    r->s.virtio.offered = VIRTIO_F_ALL;
    return virtio_start(&r->v, NULL, error);
}

static void unrealize(Device *dev)
{
    virtio_stop((Virtio *)dev);
}

const char *virtio_rng_object(const Device *dev)
{
    return ((const VirtioRng *)dev)->rng;
}

static const VMStateField option_fields[] = {VMS_TEXT(VirtioRng, rng), VIRTIO_OPTIONS(VirtioRng), VMS_END};

static const VMStateDescription options = {
    .name = "virtio-rng-pci",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioRng),
    .fields = option_fields,
};

static const VirtioRng defaults = {.v.ioeventfd = true};

const DeviceType virtio_rng_type = {
    .name = "virtio-rng-pci",
    .about = "random octets for the guest",
    .size = sizeof(VirtioRng),
    .defaults = &defaults,
    .options = &options,
    .state = &virtio_rng_state,
    .state_offset = offsetof(VirtioRng, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
