/*
 * virtio-blk.c: a disk.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, section 5.2.
 * Up to 8 queues, without the option as many as the machine has processors. Requests are in flight in any number that
 * the rings have room for; when the machine stops or is reset, they are waited for. A reset by the driver forgets them,
 * so that a read then may still fill its buffers. Not modelled: zones, secure erase, the life time of the medium, SCSI
 * commands, a device without MSI-X, the partition table's say in the geometry, and requests that are handed over in a
 * state (a source that stops on errors has them).
 */
#include <string.h>

#include "emu/virtio/virtio-blk-impl.h"
#include "emu/virtio/virtio-devices.h"

enum {
    QUEUE_SIZE = 256,
    QUEUE_SIZE_MIN = 4,
    AUTO = 0xffff, /* queues: as many as the board says */
    VECTORS_MIN = 2,
    CONFIG_LEN = 57,
};

/* Features (section 5.2.3). */
#define F_SEG_MAX      VIRTIO_F(2)
#define F_GEOMETRY     VIRTIO_F(4)
#define F_RO           VIRTIO_F(5)
#define F_BLK_SIZE     VIRTIO_F(6)
#define F_FLUSH        VIRTIO_F(9)
#define F_TOPOLOGY     VIRTIO_F(10)
#define F_CONFIG_WCE   VIRTIO_F(11)
#define F_MQ           VIRTIO_F(12)
#define F_DISCARD      VIRTIO_F(13)
#define F_WRITE_ZEROES VIRTIO_F(14)

/* The configuration (section 5.2.4). */
enum {
    CONFIG_CAPACITY = 0,
    CONFIG_SEG_MAX = 12,
    CONFIG_CYLINDERS = 16,
    CONFIG_HEADS = 18,
    CONFIG_SECTORS = 19,
    CONFIG_BLOCK_SIZE = 20,
    CONFIG_WRITE_CACHE = 32,
    CONFIG_QUEUES = 34,
    CONFIG_DISCARD_SECTORS = 36,
    CONFIG_DISCARD_SEGMENTS = 40,
    CONFIG_DISCARD_ALIGNMENT = 44,
    CONFIG_ZEROES_SECTORS = 48,
    CONFIG_ZEROES_SEGMENTS = 52,
    CONFIG_ZEROES_UNMAP = 56,
    HEADS = 16,
    SECTORS = 63,
    CYLINDERS_MIN = 2,
    CYLINDERS_MAX = 16383,
};

static void queue_reset(Virtio *v, unsigned queue)
{
    virtio_blk_forget_queue((VirtioBlk *)v, queue);
}

static void runs(Virtio *v, bool runs)
{
    VirtioBlk *d = (VirtioBlk *)v;

    if (!runs)
        block_drain(d->block);
}

/* --- configuration ---------------------------------------------------------------------------------------------- */

static void put(uint8_t *config, unsigned at, uint64_t value, unsigned octets)
{
    for (unsigned i = 0; i < octets; i++)
        config[at + i] = (uint8_t)(value >> i * 8);
}

static void get_config(Virtio *v, uint8_t *config)
{
    const VirtioBlk *d = (const VirtioBlk *)v;
    uint64_t sectors = block_length(d->block) >> BLK_SECTOR_SHIFT, cylinders = sectors / (HEADS * SECTORS);

    memset(config, 0, CONFIG_LEN);
    put(config, CONFIG_CAPACITY, sectors, 8);
    put(config, CONFIG_SEG_MAX, d->queue_size - 2U, 4);
    put(config, CONFIG_CYLINDERS, CLAMP(cylinders, CYLINDERS_MIN, CYLINDERS_MAX), 2);
    put(config, CONFIG_HEADS, HEADS, 1);
    put(config, CONFIG_SECTORS, SECTORS, 1);
    put(config, CONFIG_BLOCK_SIZE, BLK_SECTOR, 4);
    put(config, CONFIG_WRITE_CACHE, d->write_cache, 1);
    put(config, CONFIG_QUEUES, d->kind.queues, 2);
    put(config, CONFIG_DISCARD_SECTORS, BLK_SECTORS_MAX, 4);
    put(config, CONFIG_DISCARD_SEGMENTS, 1, 4);
    put(config, CONFIG_DISCARD_ALIGNMENT, 1, 4);
    put(config, CONFIG_ZEROES_SECTORS, BLK_SECTORS_MAX, 4);
    put(config, CONFIG_ZEROES_SEGMENTS, 1, 4);
    put(config, CONFIG_ZEROES_UNMAP, 1, 1);
}

static void set_config(Virtio *v, const uint8_t *config)
{
    ((VirtioBlk *)v)->write_cache = config[CONFIG_WRITE_CACHE];
}

/* A driver that knows neither flush nor the cache must find its writes on the medium (section 5.2.5.1). */
static void status_changed(Virtio *v)
{
    VirtioBlk *d = (VirtioBlk *)v;

    if (virtio_state(v)->status & VIRTIO_DRIVER_OK && !virtio_has(v, F_CONFIG_WCE))
        d->write_cache = virtio_has(v, F_FLUSH);
}

static void reset_blk(Virtio *v)
{
    virtio_blk_forget((VirtioBlk *)v);
    ((VirtioBlk *)v)->write_cache = true;
}

static const VirtioKind kind = {
    .section = "virtio-blk",
    .pci_device = 0x1001,
    .pci_class = 0x0100,
    .subsystem = 2,
    .config_len = CONFIG_LEN,
    .get_config = get_config,
    .set_config = set_config,
    .notified = virtio_blk_notified,
    .status_changed = status_changed,
    .reset = reset_blk,
    .queue_reset = queue_reset,
    .runs = runs,
};

/* --- state ------------------------------------------------------------------------------------------------------ */

static void push(void *opaque)
{
    VirtioBlk *d = opaque;

    d->s.requests = 0;
    virtio_blk_forget(d);
    virtio_push(&d->v);
    /* The driver's choice is in the configuration if anybody has ever looked at that. */
    d->write_cache = true;
    if (pci_get16(d->s.virtio.config, CONFIG_BLOCK_SIZE))
        d->write_cache = d->s.virtio.config[CONFIG_WRITE_CACHE];
    status_changed(&d->v);
}

static bool check(const void *state, GError **error)
{
    const VirtioBlkState *s = state;

    /* Behind it would be a struct as the source's processor has it. */
    if (s->requests) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "virtio-blk.virtio.requests: the stream has requests in flight, the destination takes none");
        return false;
    }
    return virtio_check(&s->virtio, &kind, error);
}

static const VMStateField virtio_fields[] = {
    VIRTIO_FIELDS_TABLE(2),
    VIRTIO_FIELD_VECTOR(2),
    VIRTIO_FIELD_VECTOR(3),
    VIRTIO_FIELD_VECTOR(4),
    VIRTIO_FIELD_VECTOR(5),
    VIRTIO_FIELD_VECTOR(6),
    VIRTIO_FIELD_VECTOR(7),
    VIRTIO_FIELD_VECTOR(8),
    VIRTIO_FIELDS_PENDING,
    VIRTIO_FIELD_IF_MORE("msix_pending_8", msix_pending, 1, 1, 8),
    VIRTIO_FIELDS_REST,
    VMS_FIELD(VirtioBlkState, requests),
    VMS_END,
};

static const VMStateDescription virtio_description = {
    .name = "virtio",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioBlkState),
    .fields = virtio_fields,
    .subsections = virtio_subsections,
};

static const VMStateField fields[] = {
    VIRTIO_SECTION(VirtioBlkState, &virtio_description),
    VMS_END,
};

static const VMStateDescription virtio_blk_state = {
    .name = "virtio-blk",
    .version = 2,
    .minimum = 2,
    .size = sizeof(VirtioBlkState),
    .fields = fields,
    .pull = virtio_pull,
    .check = check,
    .push = push,
};

/* --- life ------------------------------------------------------------------------------------------------------- */

void virtio_blk_set_block(Device *dev, Block *block, const char *serial)
{
    VirtioBlk *d = (VirtioBlk *)dev;

    d->block = block;
    strncpy(d->serial, serial ? serial : "", sizeof d->serial);
}

void virtio_blk_set_queues(Device *dev, unsigned count)
{
    ((VirtioBlk *)dev)->auto_queues = CLAMP(count, 1, VIRTIO_QUEUES);
}

const char *virtio_blk_drive(const Device *dev)
{
    return ((const VirtioBlk *)dev)->drive;
}

const char *virtio_blk_serial(const Device *dev)
{
    return ((const VirtioBlk *)dev)->serial_text;
}

int32_t virtio_blk_bootindex(const Device *dev)
{
    return ((const VirtioBlk *)dev)->bootindex;
}

static bool refuse_option(GError **error, const char *name, uint32_t value, const char *right)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: %u; it can be %s", name, value, right);
    return false;
}

static bool check_options(const void *state, GError **error)
{
    const VirtioBlk *d = state;

    if (d->num_queues != AUTO && (d->num_queues < 1 || d->num_queues > VIRTIO_QUEUES))
        return refuse_option(error, "num-queues", d->num_queues, "1 to 8");
    if (d->queue_size < QUEUE_SIZE_MIN || d->queue_size > VIRTQUEUE_SIZE_MAX || d->queue_size & (d->queue_size - 1))
        return refuse_option(error, "queue-size", d->queue_size, "a power of two, 4 to 1024");
    if (d->vectors != UINT32_MAX && (d->vectors < VECTORS_MIN || d->vectors > VIRTIO_VECTORS))
        return refuse_option(error, "vectors", d->vectors, "2 to 9");
    if (!d->serial_text || strlen(d->serial_text) <= BLK_SERIAL_LEN)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "serial: '%s' has %zu octets; there is room for %d",
                d->serial_text, strlen(d->serial_text), BLK_SERIAL_LEN);
    return false;
}

static const VMStateField option_fields[] = {
    VMS_TEXT(VirtioBlk, drive),
    VMS_TEXT(VirtioBlk, serial_text, .name = "serial"),
    VMS_FIELD(VirtioBlk, bootindex),
    VMS_FIELD(VirtioBlk, num_queues, .name = "num-queues"),
    VMS_FIELD(VirtioBlk, queue_size, .name = "queue-size"),
    VMS_FIELD(VirtioBlk, vectors),
    VIRTIO_OPTIONS(VirtioBlk),
    VMS_END,
};

static const VMStateDescription options = {
    .name = "virtio-blk-pci",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VirtioBlk),
    .fields = option_fields,
    .check = check_options,
};

static void reset(Device *dev)
{
    virtio_blk_drain((VirtioBlk *)dev);
    virtio_reset_device((Virtio *)dev);
}

/* What of its kind is this one's own. */
static void use_numbers(VirtioBlk *d)
{
    d->kind = kind;
    d->kind.queues = d->num_queues == AUTO ? (uint16_t)d->auto_queues : d->num_queues;
    d->kind.vectors = d->vectors == UINT32_MAX ? (uint16_t)(d->kind.queues + 1) : (uint16_t)d->vectors;
    for (unsigned n = 0; n < d->kind.queues; n++)
        d->kind.queue_size[n] = d->queue_size;
    d->v.kind = &d->kind;
}

static bool realize(Device *dev, GError **error)
{
    VirtioBlk *d = (VirtioBlk *)dev;

    if (!d->block) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: it has no disk", dev->type->name);
        return false;
    }
    use_numbers(d);
    block_set_settled(d->block, virtio_blk_settled, d);
    d->s.virtio.offered = VIRTIO_F_ALL | F_SEG_MAX | F_GEOMETRY | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_CONFIG_WCE |
                          F_DISCARD | F_WRITE_ZEROES | (d->kind.queues > 1 ? F_MQ : 0) |
                          (block_read_only(d->block) ? F_RO : 0);
    return virtio_start(&d->v, NULL, error);
}

static void unrealize(Device *dev)
{
    virtio_blk_drain((VirtioBlk *)dev);
    block_set_settled(((VirtioBlk *)dev)->block, NULL, NULL);
    virtio_stop((Virtio *)dev);
}

static const VirtioBlk defaults = {
    .v.ioeventfd = true,
    .auto_queues = 1,
    .bootindex = -1,
    .num_queues = AUTO,
    .queue_size = QUEUE_SIZE,
    .vectors = UINT32_MAX,
};

const DeviceType virtio_blk_type = {
    .name = "virtio-blk-pci",
    .about = "a disk",
    .size = sizeof(VirtioBlk),
    .defaults = &defaults,
    .options = &options,
    .state = &virtio_blk_state,
    .state_offset = offsetof(VirtioBlk, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
