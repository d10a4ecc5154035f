/*
 * bench.c: how much comes through a virtio queue in a while: reads of a disk, frames out, frames in. It is done instead
 * of the rounds, and said in one line: "witness bench NAME ... count=N us=N calls=N interrupts=N".
 *
 * A driver as Linux has it: several requests in flight, told of and telling by event index. It looks at the used ring
 * all the time, without interrupts, or sleeps until one comes (sleep=1).
 *
 * Disk: blocks of 4 KiB at random; the first eight octets of a block on the disk are its number. Net, in: the other end
 * sends a frame for each credit that it is given; a frame to it whose type is CREDIT has a number of them, big-endian.
 *
 * Sources: Virtual I/O Device 1.1, 2.6.7 (event index), 5.1, 5.2.
 */
#include "tests/guest/virtio.h"

enum {
    BLK_KIND = 2,
    NET_KIND = 1,
    EVENT_IDX = 29,
    NET_HEADER = 12,
    DEPTH_MAX = 64,
    SLOTS = 128, /* frames in flight, each way */
    FRAME_MAX = 2048,
    CREDIT = 0x88b5, /* IEEE 802 local experimental */
    CREDITS = 32,    /* given at once */
    LOOK_EVERY = 64, /* looks at the ring between two at the clock */
};

typedef struct Bench {
    Virtio v;
    uint16_t told[VIRTIO_QUEUES]; /* the available index when the device was last told */
    uint64_t count, calls, begin, end;
    bool sleeps;
} Bench;

static Bench b;
static uint64_t random = 88172645463325252;

/* --- event index -------------------------------------------------------------------------------------------------- */

static bool is_due(uint16_t event, uint16_t now, uint16_t before)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - before);
}

/* Behind the available ring: when we want to be interrupted. */
static void want_interrupt(unsigned queue, bool wanted)
{
    Queue *q = &b.v.queues[queue];

    q->available[2 + q->size] = q->seen + (wanted ? 0 : 0x8000);
    q->available[0] = !wanted;
    barrier();
}

/* Behind the used ring: when the device wants to be told. */
static void tell(unsigned queue)
{
    Queue *q = &b.v.queues[queue];
    uint16_t now = q->available[1], before = b.told[queue];
    bool due;

    barrier();
    if (b.v.features >> EVENT_IDX & 1)
        due = is_due(q->used[2 + 4 * q->size], now, before);
    else
        due = !(q->used[0] & 1);
    b.told[queue] = now;
    if (!due || now == before)
        return;
    b.calls++;
    virtio_notify(&b.v, queue);
}

static void offer(unsigned queue, unsigned first)
{
    Queue *q = &b.v.queues[queue];

    q->available[2 + q->available[1] % q->size] = first;
    __asm__ volatile("" : : : "memory");
    q->available[1]++;
}

/* In ring 0: none can come between the look and the sleep. */
static uint64_t do_sleep(uint64_t queue)
{
    Queue *q = &b.v.queues[queue];

    if (q->used[1] == q->seen)
        __asm__ volatile("sti; hlt; cli" : : : "memory");
    return 0;
}

/* Nothing is there now. */
static void await(unsigned queue)
{
    if (!b.sleeps) {
        pause();
        return;
    }
    want_interrupt(queue, true);
    ring0(do_sleep, queue);
    want_interrupt(queue, false);
}

static bool goes_on(void)
{
    static unsigned looks;

    if (++looks % LOOK_EVERY && !b.sleeps)
        return true;
    return rdtsc() < b.end;
}

static void start(unsigned queues)
{
    b.sleeps = option_number("sleep", 0);
    for (unsigned q = 0; q < queues; q++)
        want_interrupt(q, false);
    virtio_go(&b.v);
    b.begin = rdtsc();
    b.end = b.begin + option_number("ms", 1000) * tsc_per_ms();
}

static void report(const char *name, uint64_t parameter, unsigned queue)
{
    uint64_t us = scale(rdtsc() - b.begin, 1000, tsc_per_ms());

    put_text("\nwitness bench ");
    put_text(name);
    put_item("parameter", parameter);
    put_item("count", b.count);
    put_item("us", us);
    put_item("calls", b.calls);
    put_item("interrupts", virtio_interrupts(&b.v, queue));
    put_text("\n");
}

/* --- disk --------------------------------------------------------------------------------------------------------- */

typedef struct Read {
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    volatile uint8_t status;
    uint64_t block;
} Read;

static Read reads[DEPTH_MAX];
static uint8_t blocks[DEPTH_MAX][BLOCK] __attribute__((aligned(4096)));

static void choose(unsigned n, uint64_t all)
{
    reads[n].block = xorshift(&random) % all;
    reads[n].header.sector = reads[n].block * BLOCK_SECTORS;
    reads[n].status = 0xff;
    *(volatile uint64_t *)blocks[n] = ~UINT64_C(0);
}

static void finish(unsigned n)
{
    expect("bench.status", 0, reads[n].status);
    expect("bench.block", reads[n].block, *(const volatile uint64_t *)blocks[n]);
    b.count++;
}

static void bench_reads(unsigned depth)
{
    uint64_t all = 0;
    unsigned first;
    uint32_t size;

    if (depth > DEPTH_MAX || !virtio_init(&b.v, "virtio-blk", BLK_KIND, UINT64_C(1) << EVENT_IDX, 1, true, true))
        fail("bench.disk", DEPTH_MAX, depth);
    for (unsigned i = 0; i < 8; i++)
        all |= (uint64_t)virtio_config8(&b.v, i) << 8 * i;
    all /= BLOCK_SECTORS;
    start(1);
    for (unsigned n = 0; n < depth; n++) {
        Piece pieces[3] = {{&reads[n].header, 16, false}, {blocks[n], BLOCK, true}, {&reads[n].status, 1, true}};
        choose(n, all);
        virtio_add(&b.v, 0, 3 * n, pieces, 3);
    }
    tell(0);
    while (goes_on()) {
        bool any = false;
        while (virtio_take(&b.v, 0, &first, &size)) {
            finish(first / 3);
            choose(first / 3, all);
            offer(0, first);
            any = true;
        }
        if (any)
            tell(0);
        else
            await(0);
    }
    report("randread", depth, 0);
}

/* --- net ---------------------------------------------------------------------------------------------------------- */

static uint8_t outgoing[SLOTS][FRAME_MAX] __attribute__((aligned(4096)));
static uint8_t incoming[SLOTS][FRAME_MAX] __attribute__((aligned(4096)));

enum { RECEIVE, SEND };

static void start_net(void)
{
    static const uint8_t to[6] = {2, 0, 0, 0, 0, 1};

    if (!virtio_init(&b.v, "virtio-net", NET_KIND, UINT64_C(1) << EVENT_IDX, 2, true, true))
        fail("bench.net", 1, 0);
    for (unsigned n = 0; n < SLOTS; n++) {
        uint8_t *frame = outgoing[n] + NET_HEADER;
        memcpy(frame, to, 6);
        for (unsigned i = 0; i < 6; i++)
            frame[6 + i] = virtio_config8(&b.v, i);
        frame[12] = CREDIT >> 8;
        frame[13] = CREDIT & 0xff;
    }
    start(2);
}

static void send(unsigned n, unsigned size, unsigned credits)
{
    Piece piece = {outgoing[n], NET_HEADER + size, false};

    outgoing[n][NET_HEADER + 14] = credits >> 8;
    outgoing[n][NET_HEADER + 15] = credits;
    virtio_add(&b.v, SEND, n, &piece, 1);
}

static void bench_out(unsigned size)
{
    unsigned n;
    uint32_t written;

    if (size < 60 || size > FRAME_MAX - NET_HEADER)
        fail("bench.size", 60, size);
    start_net();
    for (n = 0; n < SLOTS; n++)
        send(n, size, 0);
    tell(SEND);
    while (goes_on()) {
        bool any = false;
        while (virtio_take(&b.v, SEND, &n, &written)) {
            b.count++;
            offer(SEND, n);
            any = true;
        }
        if (any)
            tell(SEND);
        else
            await(SEND);
    }
    report("out", size, SEND);
}

/* Takes what comes; how many frames were of the other end. */
static unsigned take_frames(unsigned size)
{
    unsigned n, taken = 0;
    uint32_t got;
    bool any = false;

    while (taken < CREDITS && virtio_take(&b.v, RECEIVE, &n, &got)) {
        const uint8_t *frame = incoming[n] + NET_HEADER;
        if (frame[12] == CREDIT >> 8 && frame[13] == (CREDIT & 0xff)) {
            expect("bench.frame", NET_HEADER + size, got);
            taken++;
        }
        offer(RECEIVE, n);
        any = true;
    }
    if (any)
        tell(RECEIVE);
    return taken;
}

static void bench_in(unsigned size)
{
    unsigned n, owed = 0, slot = 0;
    uint32_t written;

    start_net();
    for (n = 0; n < SLOTS; n++) {
        Piece piece = {incoming[n], FRAME_MAX, true};
        virtio_add(&b.v, RECEIVE, n, &piece, 1);
    }
    tell(RECEIVE);
    send(slot++, 60, SLOTS);
    tell(SEND);
    while (goes_on()) {
        unsigned taken = take_frames(size);
        b.count += taken;
        owed += taken;
        while (virtio_take(&b.v, SEND, &n, &written))
            continue;
        if (owed >= CREDITS) {
            send(slot++ % SLOTS, 60, owed);
            tell(SEND);
            owed = 0;
        }
        if (!taken)
            await(RECEIVE);
    }
    report("in", size, RECEIVE);
}

/* --- which -------------------------------------------------------------------------------------------------------- */

bool bench_main(void)
{
    unsigned depth = option_number("randread", 0), out = option_number("netout", 0), in = option_number("netin", 0);

    uint64_t dirty = option_number("dirty", 0);

    if (!depth && !out && !in && !dirty)
        return false;
    clocks_init();
    if (dirty)
        dirty_main(dirty);
    if (depth)
        bench_reads(depth);
    else if (out)
        bench_out(out);
    else
        bench_in(in);
    put_text("witness ends\n");
    return true;
}
