/* virtio-blk-rig.h: a disk by virtio, on a disk that ends its requests when the test says so. */
#ifndef TESTS_EMU_VIRTIO_BLK_RIG_H
#define TESTS_EMU_VIRTIO_BLK_RIG_H

#include "tests/emu/support/virtio-rig.h"

enum { SECTORS = 0x8000, HEADER = RIG_BUFFERS, DATA = RIG_BUFFERS + 0x1000, STATUS = RIG_BUFFERS + 0x8000, MAX = 32 };

/* --- the disk --------------------------------------------------------------------------------------------------- */

struct Block {
    uint8_t *data;
    bool read_only, held; /* held: requests end when the test says so */
    BlockRequest requests[MAX];
    unsigned count, flushes;
    BlockOp last;
    uint64_t last_offset, last_len;
    int error;
    unsigned plugged;
    BlockSettled *settled;
    void *settled_opaque;
};

void block_submit(Block *b, const BlockRequest *r)
{
    uint64_t at = r->offset;

    cr_assert_lt(b->count, MAX);
    b->requests[b->count++] = *r;
    b->last = r->op;
    b->last_offset = r->offset;
    b->last_len = r->len;
    b->flushes += r->op == BLOCK_FLUSH;
    for (int i = 0; !b->error && r->op <= BLOCK_WRITE_THROUGH && i < r->iov_count; i++) {
        cr_assert_leq(at + r->iov[i].iov_len, SECTORS * 512);
        if (r->op == BLOCK_READ)
            memcpy(r->iov[i].iov_base, b->data + at, r->iov[i].iov_len);
        else
            memcpy(b->data + at, r->iov[i].iov_base, r->iov[i].iov_len);
        at += r->iov[i].iov_len;
    }
}

void block_drain(Block *b)
{
    while (b->count) {
        BlockRequest r = b->requests[0];
        memmove(b->requests, b->requests + 1, --b->count * sizeof r);
        r.done(r.opaque, b->error);
        if (!b->count && b->settled)
            b->settled(b->settled_opaque);
    }
}

void block_plug(Block *b)
{
    b->plugged++;
}

void block_unplug(Block *b)
{
    cr_assert_gt(b->plugged--, 0);
}

void block_set_settled(Block *b, BlockSettled *settled, void *opaque)
{
    b->settled = settled;
    b->settled_opaque = opaque;
}

uint64_t block_length(const Block *b)
{
    (void)b;
    return SECTORS * 512;
}

bool block_read_only(const Block *b)
{
    return b->read_only;
}

bool block_can_discard(const Block *b)
{
    (void)b;
    return true;
}

/* As many queues as a machine of that many processors has. */
static inline Rig *queues_rig(Block *b, unsigned cpus)
{
    Device *dev = device_new(&virtio_blk_type);

    b->data = g_malloc0(SECTORS * 512);
    virtio_blk_set_block(dev, b, "serial-of-20-octets!");
    virtio_blk_set_queues(dev, cpus);
    return rig_new(dev);
}

static inline Rig *blk_rig(Block *b)
{
    return queues_rig(b, 1);
}

static inline void done_with(Rig *rig, Block *b)
{
    rig_free(rig);
    g_free(b->data);
}

/* --- a driver --------------------------------------------------------------------------------------------------- */

static inline void put_header(Rig *rig, uint32_t type, uint64_t sector)
{
    uint32_t words[4] = {GUINT32_TO_LE(type), 0, GUINT32_TO_LE((uint32_t)sector),
                         GUINT32_TO_LE((uint32_t)(sector >> 32))};

    rig_put(rig, HEADER, words, sizeof words);
    rig->ram[STATUS] = 0xaa;
}

#endif
