/*
 * virtio-rng.c: octets are drawn; they are not all equal, and not those of the time before.
 *
 * Source: Virtual I/O Device 1.1, 5.4.
 */
#include "tests/guest/virtio.h"

#define LATE_NS UINT64_C(30000000000)

enum { KIND = 4, SIZE = 64 };

static struct {
    Virtio v;
    uint8_t octets[SIZE], before[SIZE];
    uint64_t since, drawn;
} rng;

static void draw(void)
{
    Piece piece = {rng.octets, SIZE, true};

    memset(rng.octets, 0, SIZE);
    virtio_add(&rng.v, 0, 0, &piece, 1);
    virtio_notify(&rng.v, 0);
    rng.since = now_ns();
}

void rng_init(void)
{
    if (!option_has("parts", "rng") || !virtio_init(&rng.v, "virtio-rng", KIND, 0, 1, false, false)) {
        put_word("virtio-rng", "absent");
        return;
    }
    virtio_go(&rng.v);
    draw();
}

void rng_round(void)
{
    unsigned first, same = 0;
    uint32_t size;

    if (!rng.v.there)
        return;
    if (!virtio_take(&rng.v, 0, &first, &size)) {
        if (now_ns() > rng.since + LATE_NS)
            fail("rng.lost-ms", 0, (now_ns() - rng.since) / 1000000);
        return;
    }
    if (size < 1 || size > SIZE)
        fail("rng.size", SIZE, size);
    for (unsigned i = 1; i < size; i++)
        same += rng.octets[i] == rng.octets[0];
    if (size >= 16 && same == size - 1)
        fail("rng.equal", 0, rng.octets[0]);
    if (size >= 16 && !memcmp(rng.octets, rng.before, size))
        fail("rng.again", 0, rng.octets[0]);
    memcpy(rng.before, rng.octets, SIZE);
    rng.drawn += size;
    draw();
}

void rng_report(void)
{
    if (rng.v.there) {
        put_item("rng", rng.drawn);
        put_item("rng_irq", virtio_interrupts(&rng.v, 0));
    }
}
