/*
 * virtio-blk.c: several requests are under way at any time, also when the machine is moved.
 *
 * Source: Virtual I/O Device 1.1, 5.2.
 */
#include "tests/guest/virtio.h"

#define LATE_NS UINT64_C(20000000000)

enum { KIND = 2, SLOTS = 6, PIECES = 3, IN = 0, OUT = 1, NONE = 0xff };

typedef struct Slot {
    bool used, write;
    unsigned block;
    uint64_t since;
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    volatile uint8_t status;
} Slot;

static struct {
    Virtio v;
    Disk disk;
    Slot slots[SLOTS];
    uint64_t busy, done, most;
    uint64_t interrupts_seen, owed_since;
} blk = {.disk = {.name = "virtio"}};

static uint8_t data[SLOTS][BLOCK] __attribute__((aligned(4096)));

static void submit(unsigned n, unsigned block, bool write)
{
    Slot *s = &blk.slots[n];

    *s = (Slot){.used = true, .write = write, .block = block, .since = now_ns(), .status = NONE};
    s->header.type = write ? OUT : IN;
    s->header.sector = disk_sector(block);
    if (write)
        disk_fill(&blk.disk, block, ++blk.disk.written[block], data[n]);
    else
        memset(data[n], 0x5a, BLOCK);
    Piece pieces[PIECES] = {{&s->header, 16, false}, {data[n], BLOCK, !write}, {&s->status, 1, true}};
    virtio_add(&blk.v, 0, n * PIECES, pieces, PIECES);
    blk.busy |= UINT64_C(1) << block;
}

static void finish(unsigned n, uint32_t size)
{
    Slot *s = &blk.slots[n];

    if (!s->used)
        fail("blk.used-twice", 1, n);
    expect("blk.status", 0, s->status);
    expect("blk.written", s->write ? 1 : BLOCK + 1, size);
    blk.busy &= ~(UINT64_C(1) << s->block);
    s->used = false;
    blk.done++;
    if (!s->write)
        disk_verify(&blk.disk, s->block, blk.disk.written[s->block], data[n]);
}

static void refill(void)
{
    bool added = false;

    for (unsigned n = 0; n < SLOTS; n++)
        if (!blk.slots[n].used) {
            unsigned block = disk_choose(&blk.disk, blk.busy);
            submit(n, block, !blk.disk.written[block] || xorshift(&blk.disk.random) & 1);
            added = true;
        }
    if (added)
        virtio_notify(&blk.v, 0);
}

void blk_init(void)
{
    if (!option_has("parts", "blk") ||
        !virtio_init(&blk.v, "virtio-blk", KIND, 0, 1, !option_number("legacy", 0), option_number("msix", 1))) {
        put_word("virtio-blk", "absent");
        return;
    }
    for (unsigned i = 0; i < 8; i++)
        blk.disk.sectors |= (uint64_t)virtio_config8(&blk.v, i) << 8 * i;
    if (blk.disk.sectors < 1024)
        fail("blk.sectors", 1024, blk.disk.sectors);
    virtio_go(&blk.v);
    refill();
}

void blk_round(void)
{
    unsigned first, taken = 0;
    uint32_t size;

    if (!blk.v.there)
        return;
    while (virtio_take(&blk.v, 0, &first, &size)) {
        if (first % PIECES || first / PIECES >= SLOTS)
            fail("blk.used", SLOTS, first);
        finish(first / PIECES, size);
        taken++;
    }
    uint64_t came = virtio_interrupts(&blk.v, 0), now = now_ns();
    if (came != blk.interrupts_seen) {
        blk.interrupts_seen = came;
        blk.owed_since = 0;
    } else if (taken && !blk.owed_since) {
        blk.owed_since = now;
    }
    if (blk.owed_since && now > blk.owed_since + LATE_NS)
        fail("blk.interrupt", came + 1, came);
    for (unsigned n = 0; n < SLOTS; n++)
        if (blk.slots[n].used && now > blk.slots[n].since + LATE_NS)
            fail("blk.lost-ms", 0, (now - blk.slots[n].since) / 1000000);
    refill();
}

void blk_report(void)
{
    if (blk.v.there) {
        put_item("blk", blk.done);
        put_item("blk_irq", virtio_interrupts(&blk.v, 0));
    }
}
