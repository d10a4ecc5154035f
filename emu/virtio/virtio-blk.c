/*
 * virtio-blk.c: a disk.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, section 5.2.
 * One queue. Requests are in flight in any number that the ring has room for; when the machine stops or is reset, they
 * are waited for. A reset by the driver forgets them, so that a read then may still fill its buffers. Not modelled:
 * zones, secure erase, the life time of the medium, SCSI commands, more queues, the partition table's say in the
 * geometry, and requests that are handed over in a state (a source that stops on errors has them).
 */
#include <errno.h>
#include <string.h>

#include "emu/core/machine.h"
#include "emu/virtio/virtio-devices.h"
#include "emu/virtio/virtio.h"

enum { QUEUE_SIZE = 256, SECTOR = 512, SECTOR_SHIFT = 9, CONFIG_LEN = 57, SERIAL_LEN = 20 };

/* Features (section 5.2.3). */
#define F_SEG_MAX      VIRTIO_F(2)
#define F_GEOMETRY     VIRTIO_F(4)
#define F_RO           VIRTIO_F(5)
#define F_BLK_SIZE     VIRTIO_F(6)
#define F_FLUSH        VIRTIO_F(9)
#define F_TOPOLOGY     VIRTIO_F(10)
#define F_CONFIG_WCE   VIRTIO_F(11)
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
    SECTORS_MAX = 0x3fffff, /* of one request to discard: less than 2 GiB */
};

/* A request (section 5.2.6). */
enum {
    TYPE_IN = 0,
    TYPE_OUT = 1,
    TYPE_FLUSH = 4,
    TYPE_GET_ID = 8,
    TYPE_DISCARD = 11,
    TYPE_WRITE_ZEROES = 13,
    TYPE_BARRIER = 0x80000000, /* of old drivers, without effect */
    STATUS_OK = 0,
    STATUS_IOERR = 1,
    STATUS_UNSUPPORTED = 2,
    SEGMENT_UNMAP = 1,
};

typedef struct Header {
    uint32_t type, reserved;
    uint64_t sector;
} Header;

typedef struct Segment {
    uint64_t sector;
    uint32_t sectors, flags;
} Segment;

typedef struct VirtioBlkState {
    VirtioState virtio;
    uint8_t requests; /* is one of a list of them next? On the wire only */
} VirtioBlkState;

typedef struct Request Request;

typedef struct VirtioBlk {
    Virtio v;
    Block *block; /* borrowed */
    bool write_cache;
    char serial[SERIAL_LEN];
    Request *in_flight;

    /* options */
    char *drive, *serial_text;
    int32_t bootindex;

    VirtioBlkState s;
} VirtioBlk;

struct Request {
    VirtioBlk *disk; /* NULL: the queue was reset meanwhile, nobody waits for it */
    VirtqueueChain *chain;
    struct iovec *iov; /* of the data, without header and status */
    unsigned iov_count;
    size_t len;
    bool reads, flushes; /* into the guest's memory; and a flush is to follow */
    Machine *machine;
    Request *next, **link;
};

/* --- requests --------------------------------------------------------------------------------------------------- */

static Request *request_new(VirtioBlk *d, VirtqueueChain *chain)
{
    Request *r = g_new0(Request, 1);

    r->disk = d;
    r->machine = d->v.pci.dev.machine;
    r->chain = chain;
    r->next = d->in_flight;
    r->link = &d->in_flight;
    if (r->next)
        r->next->link = &r->next;
    d->in_flight = r;
    return r;
}

static void request_unlink(Request *r)
{
    if (!r->disk)
        return;
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    r->disk = NULL;
}

static void request_free(Request *r)
{
    request_unlink(r);
    g_free(r->chain);
    g_free(r->iov);
    g_free(r);
}

/* The status is the last octet that the device writes. */
static void request_end(Request *r, uint8_t status)
{
    VirtioBlk *d = r->disk;
    const VirtqueueChain *c = r->chain;

    if (d) {
        iov_write(virtqueue_in(c), c->in_count, c->in_len - 1, &status, 1);
        virtqueue_push(&d->v.vq[0], c, r->reads ? r->len + 1 : 1);
        virtqueue_notify(&d->v.vq[0]);
    }
    request_free(r);
}

static void done(void *opaque, int error)
{
    Request *r = opaque;
    Machine *machine = r->machine;

    machine_lock(machine);
    if (r->disk && !error && r->flushes) {
        r->flushes = false;
        block_submit(r->disk->block, &(BlockRequest){.op = BLOCK_FLUSH, .done = done, .opaque = r});
    } else {
        request_end(r, error == 0 ? STATUS_OK : error == ENOTSUP ? STATUS_UNSUPPORTED : STATUS_IOERR);
    }
    machine_unlock(machine);
}

/* What lies between `skip` octets at the beginning and the last `keep` ones, as pieces of the request's own. */
static void take_data(Request *r, const struct iovec *iov, unsigned count, size_t skip, size_t len)
{
    r->iov = g_new(struct iovec, MAX(count, 1));
    r->len = len;
    for (unsigned i = 0; i < count && len; i++) {
        size_t n = iov[i].iov_len;
        if (skip >= n) {
            skip -= n;
            continue;
        }
        n = MIN(n - skip, len);
        r->iov[r->iov_count++] = (struct iovec){.iov_base = (char *)iov[i].iov_base + skip, .iov_len = n};
        len -= n;
        skip = 0;
    }
}

/* Is it whole sectors of the disk? */
static bool in_range(const VirtioBlk *d, uint64_t sector, uint64_t sectors)
{
    uint64_t all = block_length(d->block) >> SECTOR_SHIFT;

    return sector <= all && sectors <= all - sector;
}

static void transfer(Request *r, const Header *h)
{
    VirtioBlk *d = r->disk;
    const VirtqueueChain *c = r->chain;
    bool write = h->type & TYPE_OUT;

    if (write)
        take_data(r, virtqueue_out(c), c->out_count, sizeof *h, c->out_len - sizeof *h);
    else
        take_data(r, virtqueue_in(c), c->in_count, 0, c->in_len - 1);
    r->reads = !write;
    if (r->len == 0 || r->len % SECTOR != 0 || !in_range(d, h->sector, r->len / SECTOR) ||
        (write && block_read_only(d->block))) {
        r->reads = false;
        request_end(r, STATUS_IOERR);
        return;
    }
    block_submit(d->block, &(BlockRequest){
                               .op = !write           ? BLOCK_READ
                                     : d->write_cache ? BLOCK_WRITE
                                                      : BLOCK_WRITE_THROUGH,
                               .offset = h->sector << SECTOR_SHIFT,
                               .len = r->len,
                               .iov = r->iov,
                               .iov_count = (int)r->iov_count,
                               .done = done,
                               .opaque = r,
                           });
}

static void get_id(Request *r)
{
    const VirtqueueChain *c = r->chain;
    size_t len = MIN(c->in_len - 1, SERIAL_LEN);

    r->reads = true;
    r->len = len;
    iov_write(virtqueue_in(c), c->in_count, 0, r->disk->serial, len);
    request_end(r, STATUS_OK);
}

/* One segment: what the configuration says. */
static void give_back(Request *r, bool zeroes)
{
    VirtioBlk *d = r->disk;
    const VirtqueueChain *c = r->chain;
    Segment s;

    if (c->out_len != sizeof(Header) + sizeof s ||
        iov_read(virtqueue_out(c), c->out_count, sizeof(Header), &s, sizeof s) != sizeof s) {
        request_end(r, STATUS_IOERR);
        return;
    }
    s.sector = GUINT64_FROM_LE(s.sector);
    s.sectors = GUINT32_FROM_LE(s.sectors);
    s.flags = GUINT32_FROM_LE(s.flags);
    /* Section 5.2.6.2: unknown flags, or unmap with discard, are unsupported. */
    if (s.flags & ~(uint32_t)SEGMENT_UNMAP || (!zeroes && s.flags)) {
        request_end(r, STATUS_UNSUPPORTED);
        return;
    }
    if (s.sectors > SECTORS_MAX || !in_range(d, s.sector, s.sectors) || block_read_only(d->block)) {
        request_end(r, STATUS_IOERR);
        return;
    }
    if (s.sectors == 0 || (!zeroes && !block_can_discard(d->block))) {
        request_end(r, STATUS_OK);
        return;
    }
    r->flushes = !d->write_cache;
    block_submit(d->block, &(BlockRequest){
                               .op = zeroes ? BLOCK_WRITE_ZEROES : BLOCK_DISCARD,
                               .offset = s.sector << SECTOR_SHIFT,
                               .len = (uint64_t)s.sectors << SECTOR_SHIFT,
                               .done = done,
                               .opaque = r,
                           });
}

static void start_request(Request *r)
{
    const VirtqueueChain *c = r->chain;
    Header h;

    iov_read(virtqueue_out(c), c->out_count, 0, &h, sizeof h);
    h.type = GUINT32_FROM_LE(h.type) & ~TYPE_BARRIER;
    h.sector = GUINT64_FROM_LE(h.sector);
    switch (h.type) {
    case TYPE_IN:
    case TYPE_OUT:
        transfer(r, &h);
        break;
    case TYPE_FLUSH:
        block_submit(r->disk->block, &(BlockRequest){.op = BLOCK_FLUSH, .done = done, .opaque = r});
        break;
    case TYPE_GET_ID:
        get_id(r);
        break;
    case TYPE_DISCARD:
    case TYPE_WRITE_ZEROES:
        give_back(r, h.type == TYPE_WRITE_ZEROES);
        break;
    default:
        request_end(r, STATUS_UNSUPPORTED);
    }
}

/*
 * More than the ring is long has never been offered at once. A request that ends here may bring another: then the guest
 * tells of it.
 */
static void notified(Virtio *v, unsigned queue)
{
    VirtioBlk *d = (VirtioBlk *)v;

    for (unsigned i = 0; i < VIRTQUEUE_SIZE_MAX; i++) {
        VirtqueueChain *chain = virtqueue_pop(&v->vq[queue]);
        if (!chain)
            return;
        if (chain->out_len < sizeof(Header) || chain->in_len < 1) {
            g_free(chain);
            virtio_break(v, "a request has no room for its header or its status");
            return;
        }
        start_request(request_new(d, chain));
    }
}

/* They end some time, and nobody looks. */
static void forget_requests(VirtioBlk *d)
{
    while (d->in_flight)
        request_unlink(d->in_flight);
}

/* Those that nobody looks at any more, too: they have the guest's memory. */
static void drain(VirtioBlk *d)
{
    block_drain(d->block);
    forget_requests(d);
}

static void queue_reset(Virtio *v, unsigned queue)
{
    (void)queue;
    forget_requests((VirtioBlk *)v);
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
    uint64_t sectors = block_length(d->block) >> SECTOR_SHIFT, cylinders = sectors / (HEADS * SECTORS);

    memset(config, 0, CONFIG_LEN);
    put(config, CONFIG_CAPACITY, sectors, 8);
    put(config, CONFIG_SEG_MAX, QUEUE_SIZE - 2, 4);
    put(config, CONFIG_CYLINDERS, CLAMP(cylinders, CYLINDERS_MIN, CYLINDERS_MAX), 2);
    put(config, CONFIG_HEADS, HEADS, 1);
    put(config, CONFIG_SECTORS, SECTORS, 1);
    put(config, CONFIG_BLOCK_SIZE, SECTOR, 4);
    put(config, CONFIG_WRITE_CACHE, d->write_cache, 1);
    put(config, CONFIG_QUEUES, 1, 2);
    put(config, CONFIG_DISCARD_SECTORS, SECTORS_MAX, 4);
    put(config, CONFIG_DISCARD_SEGMENTS, 1, 4);
    put(config, CONFIG_DISCARD_ALIGNMENT, 1, 4);
    put(config, CONFIG_ZEROES_SECTORS, SECTORS_MAX, 4);
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
    forget_requests((VirtioBlk *)v);
    ((VirtioBlk *)v)->write_cache = true;
}

static const VirtioKind kind = {
    .section = "virtio-blk",
    .pci_device = 0x1001,
    .pci_class = 0x0100,
    .subsystem = 2,
    .queues = 1,
    .vectors = 2,
    .queue_size = {QUEUE_SIZE},
    .config_len = CONFIG_LEN,
    .get_config = get_config,
    .set_config = set_config,
    .notified = notified,
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
    forget_requests(d);
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
    VIRTIO_FIELDS(2),
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

static bool check_options(const void *state, GError **error)
{
    const VirtioBlk *d = state;

    if (!d->serial_text || strlen(d->serial_text) <= SERIAL_LEN)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "serial: '%s' has %zu octets; there is room for %d",
                d->serial_text, strlen(d->serial_text), SERIAL_LEN);
    return false;
}

static const VMStateField option_fields[] = {
    VMS_TEXT(VirtioBlk, drive),
    VMS_TEXT(VirtioBlk, serial_text, .name = "serial"),
    VMS_FIELD(VirtioBlk, bootindex),
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
    drain((VirtioBlk *)dev);
    virtio_reset_device((Virtio *)dev);
}

static bool realize(Device *dev, GError **error)
{
    VirtioBlk *d = (VirtioBlk *)dev;

    if (!d->block) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED, "%s: it has no disk", dev->type->name);
        return false;
    }
    d->v.kind = &kind;
    d->s.virtio.offered = VIRTIO_F_ALL | F_SEG_MAX | F_GEOMETRY | F_BLK_SIZE | F_FLUSH | F_TOPOLOGY | F_CONFIG_WCE |
                          F_DISCARD | F_WRITE_ZEROES | (block_read_only(d->block) ? F_RO : 0);
    return virtio_start(&d->v, NULL, error);
}

static void unrealize(Device *dev)
{
    drain((VirtioBlk *)dev);
    virtio_stop((Virtio *)dev);
}

static const VirtioBlk defaults = {.bootindex = -1};

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
