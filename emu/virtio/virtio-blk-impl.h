/* virtio-blk-impl.h: what virtio-blk.c and virtio-blk-request.c know of each other. */
#ifndef EMU_VIRTIO_VIRTIO_BLK_IMPL_H
#define EMU_VIRTIO_VIRTIO_BLK_IMPL_H

#include "emu/block/block.h"
#include "emu/virtio/virtio.h"

enum {
    BLK_SECTOR = 512,
    BLK_SECTOR_SHIFT = 9,
    BLK_SERIAL_LEN = 20,
    BLK_SECTORS_MAX = 0x3fffff, /* of one request to discard: less than 2 GiB */
};

typedef struct VirtioBlkState {
    VirtioState virtio;
    uint8_t requests; /* is one of a list of them next? On the wire only */
} VirtioBlkState;

typedef struct VirtioBlkRequest VirtioBlkRequest;

typedef struct VirtioBlk {
    Virtio v;
    VirtioKind kind; /* with its own numbers */
    Block *block;    /* borrowed */
    bool write_cache;
    char serial[BLK_SERIAL_LEN];
    VirtioBlkRequest *in_flight;
    uint32_t told;        /* queues whose guest is to be told of what it gets back, a bit each */
    unsigned auto_queues; /* what the board says */

    /* options */
    char *drive, *serial_text;
    int32_t bootindex;
    uint16_t num_queues, queue_size;
    uint32_t vectors; /* UINT32_MAX: one for each queue, and one for the configuration */

    VirtioBlkState s;
} VirtioBlk;

/* There may be requests in that queue. */
void virtio_blk_notified(Virtio *v, unsigned queue);

/* Tells the guest of all that has ended. */
void virtio_blk_settled(void *opaque);

/* They end some time, and nobody looks: those of a queue, and all. */
void virtio_blk_forget_queue(VirtioBlk *d, unsigned queue);
void virtio_blk_forget(VirtioBlk *d);

/* Waits for all, and for those that nobody looks at any more, too: they have the guest's memory. */
void virtio_blk_drain(VirtioBlk *d);

#endif
