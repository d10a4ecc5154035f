/*
 * fuzz-virtqueue.c: a driver that means no good: descriptors, rings, registers, configuration, at any time.
 *
 * The first octet of an input is the device (and 0x40: a disk has two queues, 0x80: save it at the end), the rest a
 * program (see the enum). Nothing may be read or written but the guest's memory; no ring keeps the device busy without
 * end; what is saved must load and be the same then; what is refused must change nothing.
 */
#include <errno.h>
#include <string.h>

#include "tests/fuzz/support/fuzz.h"
#include "tests/fuzz/support/virtio-board.h"

enum { STEPS_MAX = 400, LOADS_MAX = 6, OCTETS_MAX = 8 << 20, RING = 0x4000, TABLE = 0x30000, FRAMES_MAX = 64 };

/* The lower half of an instruction's octet; the upper half, and what follows, say more. Numbers: lowest octet first. */
typedef enum Instruction {
    START,   /* 1: as virtio 1, 2: with MSI-X; u32 low features, of those offered */
    DESC,    /* 7: flags, 8: above 4 GiB; u8 queue (3: a table elsewhere), u8 n, u8 next, u24 address, u16 length */
    OFFER,   /* queue, 4: and kicks; u8 head */
    INDEX,   /* queue, 4: used instead of available; u16 */
    KICK,    /* queue; 8: by the port, u16 */
    COMMON,  /* log2 of the size, 4: writes; u8 offset, value */
    BAR,     /* the same; u8 part (4: ports, 5: MSI-X), u16 offset, value */
    CONFIG,  /* the same; u8 register, value */
    POKE,    /* 8: above 4 GiB; u24 address, u8 how many octets, they */
    TIME,    /* u8 << u8 ns */
    FRAME,   /* to whom; u16 length, which may be more than a frame has */
    BACKEND, /* see do_backend; u8 */
    SAVE,    /* VbFormat */
    MUTATE,  /* VbFormat; u8 changes, each u16 where and u8 what */
    RUN,     /* 1: on */
    RESET,
} Instruction;

typedef struct Driver {
    VirtioBoard *board;
    ByteIn in;
    unsigned loads, frames;
} Driver;

static uint64_t number(Driver *d, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)byte_in_u8(&d->in) << 8 * i;
    return value;
}

static VirtioState *state(const Driver *d)
{
    return virtio_state(d->board->v);
}

/* --- accesses ---------------------------------------------------------------------------------------------------- */

static void store(Driver *d, uint64_t addr, uint64_t value, unsigned size)
{
    virtio_board_write(d->board, false, addr, value, size);
}

static void out(Driver *d, unsigned port, uint64_t value, unsigned size)
{
    virtio_board_write(d->board, true, port, value, size);
}

static void config(Driver *d, unsigned reg, uint32_t value)
{
    out(d, 0xcf8, 0x80000000U | (uint32_t)d->board->v->pci.devfn << 8 | (reg & 0xfc), 4);
    out(d, 0xcfc + reg % 4, value, 4);
}

static void common(Driver *d, unsigned at, uint64_t value, unsigned size)
{
    store(d, VB_MODERN_BASE + at, value, size);
}

static void access_space(Driver *d, Space *space, uint64_t addr, unsigned how)
{
    unsigned size = 1U << how % 4;

    if (how & 4)
        virtio_board_write(d->board, space == d->board->machine->ports, addr, number(d, size), size);
    else
        space_read(space, addr, size);
}

/* --- instructions ------------------------------------------------------------------------------------------------ */

static void map_bars(Driver *d)
{
    config(d, 0x10, VB_PORTS);
    config(d, 0x14, VB_MSIX);
    config(d, 0x20, (uint32_t)VB_MODERN_BASE);
    config(d, 0x24, (uint32_t)(VB_MODERN_BASE >> 32));
    config(d, 0x04, 7);
}

static void start_modern(Driver *d, uint32_t features)
{
    common(d, 0x14, 0, 1);
    common(d, 0x14, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER, 1);
    common(d, 0x08, 0, 4);
    common(d, 0x0c, features, 4);
    common(d, 0x08, 1, 4);
    common(d, 0x0c, 0x101, 4);
    common(d, 0x14, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK, 1);
    for (unsigned q = 0; q < d->board->v->kind->queues; q++) {
        common(d, 0x16, q, 2);
        common(d, 0x18, state(d)->queues[q].num, 2);
        common(d, 0x20, RING * q + RING, 8);
        common(d, 0x28, RING * q + RING + 0x1000, 8);
        common(d, 0x30, RING * q + RING + 0x2000, 8);
        common(d, 0x1c, 1, 2);
    }
    common(d, 0x14, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK, 1);
}

static void start_legacy(Driver *d, uint32_t features)
{
    out(d, VB_PORTS + 18, 0, 1);
    out(d, VB_PORTS + 18, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER, 1);
    out(d, VB_PORTS + 4, features & ~(uint32_t)VIRTIO_F_BAD_FEATURE, 4);
    for (unsigned q = 0; q < d->board->v->kind->queues; q++) {
        out(d, VB_PORTS + 14, q, 2);
        out(d, VB_PORTS + 8, (RING * q + RING) >> 12, 4);
    }
    out(d, VB_PORTS + 18, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK, 1);
}

static void do_start(Driver *d, unsigned how)
{
    uint32_t features = (uint32_t)number(d, 4);

    memset(d->board->low->host + RING, 0, 3 * RING);
    map_bars(d);
    if (how & 1)
        start_modern(d, features);
    else
        start_legacy(d, features);
    if (how & 2)
        config(d, d->board->v->msix.capability, 0x80000000U);
}

static void do_desc(Driver *d, unsigned how)
{
    unsigned queue = byte_in_u8(&d->in) % 4, n = byte_in_u8(&d->in), next = byte_in_u8(&d->in);
    uint64_t addr = number(d, 3) + (how & 8 ? VB_HIGH_BASE : 0), len = number(d, 2);
    uint64_t at = (queue < 3 ? state(d)->queues[queue].desc : TABLE) + 16 * (uint64_t)n;

    store(d, at, addr, 8);
    store(d, at + 8, len, 4);
    store(d, at + 12, how & 7, 2);
    store(d, at + 14, next, 2);
}

static void do_kick(Driver *d, unsigned queue)
{
    store(d, VB_MODERN_BASE + 0x3000 + 4 * queue, queue, 2);
}

static void do_offer(Driver *d, unsigned how)
{
    unsigned queue = how % 4 % 3, head = byte_in_u8(&d->in);
    uint64_t avail = state(d)->rings[queue].avail;
    unsigned num = MAX(state(d)->queues[queue].num, 1);
    uint16_t index = (uint16_t)space_read(d->board->machine->memory, avail + 2, 2);

    store(d, avail + 4 + 2 * (index % num), head, 2);
    store(d, avail + 2, (uint16_t)(index + 1), 2);
    if (how & 4)
        do_kick(d, queue);
}

static void do_index(Driver *d, unsigned how)
{
    const VirtioRingState *ring = &state(d)->rings[how % 4 % 3];

    store(d, (how & 4 ? ring->used : ring->avail) + 2, number(d, 2), 2);
}

static void do_bar(Driver *d, unsigned how)
{
    unsigned part = byte_in_u8(&d->in) % 6;
    uint64_t at = number(d, 2);

    if (part == 4)
        access_space(d, d->board->machine->ports, VB_PORTS + at % 64, how);
    else if (part == 5)
        access_space(d, d->board->machine->memory, VB_MSIX + at % 0x1000, how);
    else
        access_space(d, d->board->machine->memory, VB_MODERN_BASE + part * 0x1000 + at % 0x1000, how);
}

static void do_config(Driver *d, unsigned how)
{
    unsigned reg = byte_in_u8(&d->in);

    out(d, 0xcf8, 0x80000000U | (uint32_t)d->board->v->pci.devfn << 8 | (reg & 0xfc), 4);
    access_space(d, d->board->machine->ports, 0xcfc + reg % 4, (how & 4) | MIN(how % 4, 2));
}

static void do_poke(Driver *d, unsigned how)
{
    uint64_t addr = number(d, 3) + (how & 8 ? VB_HIGH_BASE : 0);
    size_t told = byte_in_u8(&d->in), len = MIN(told, byte_in_left(&d->in));

    if (len)
        space_write_octets(d->board->machine->memory, addr, byte_in_take(&d->in, len), len);
}

static void do_frame(Driver *d, unsigned how)
{
    const NetCard *card = &d->board->net.b.card;
    size_t len = 1 + number(d, 2);
    g_autofree uint8_t *frame = g_malloc(len);
    struct iovec iov[2] = {{frame, len / 2}, {frame + len / 2, len - len / 2}};

    memset(frame, how & 1 ? 0xff : how & 2 ? 0x01 : 0x52, len);
    if (how & 4 && len > 16)
        frame[12] = 0x81, frame[13] = 0;
    if (card->can_receive && d->frames++ < FRAMES_MAX && card->can_receive(card->opaque))
        card->receive(card->opaque, iov + (len < 2), len < 2 ? 1 : 2);
}

static void do_block(Driver *d, unsigned how, unsigned x)
{
    Block *block = d->board->block;

    if (how % 4 == 0)
        blk_memory_hold(block, x & 1);
    else if (how % 4 == 1)
        blk_memory_fail(block, x % 8, x & 0x80 ? EIO : ENOSPC);
    else if (how % 4 == 2 && blk_memory_held(block))
        blk_memory_release(block, x % blk_memory_held(block));
    virtio_board_iterate(d->board);
}

static void do_net(Driver *d, unsigned how, unsigned x)
{
    NetBackend *net = &d->board->net.b;

    if (how % 4 == 0)
        d->board->net.room = x;
    else if (how % 4 == 1)
        net->sent(net->card.opaque);
    else if (how % 4 == 2)
        virtio_net_set_link(&d->board->v->pci.dev, x & 1);
    else
        virtio_net_announce(&d->board->v->pci.dev);
}

static void do_backend(Driver *d, unsigned how)
{
    unsigned x = byte_in_u8(&d->in);

    if (d->board->block)
        do_block(d, how, x);
    else if (d->board->net.b.ops)
        do_net(d, how, x);
}

static void do_mutate(Driver *d, unsigned how)
{
    VbFormat format = how % VB_FORMATS;
    unsigned changes = byte_in_u8(&d->in) % 32;
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};
    bool running = d->board->machine->running;

    machine_set_running(d->board->machine, false);
    virtio_board_save(d->board, format, &octets);
    for (; changes; changes--) {
        size_t at = number(d, 2);
        octets.data[at % octets.len] = byte_in_u8(&d->in);
    }
    if (virtio_board_load(d->board, format, &octets, &error))
        virtio_board_save_and_load(d->board, VB_QEMUFILE);
    else
        fuzz_check(error && error->message && *error->message, "a refusal without a reason");
    machine_set_running(d->board->machine, running);
    byte_out_done(&octets);
}

static void step_state(Driver *d, Instruction instruction, unsigned how)
{
    if (instruction == RUN)
        machine_set_running(d->board->machine, how & 1);
    else if (instruction == RESET)
        machine_reset(d->board->machine);
    else if (d->loads++ >= LOADS_MAX)
        return;
    else if (instruction == SAVE)
        virtio_board_save_and_load(d->board, how % VB_FORMATS);
    else
        do_mutate(d, how);
}

static void step(Driver *d)
{
    unsigned octet = byte_in_u8(&d->in), how = octet >> 4;

    switch ((Instruction)(octet & 15)) {
    case START:
        do_start(d, how);
        break;
    case DESC:
        do_desc(d, how);
        break;
    case OFFER:
        do_offer(d, how);
        break;
    case INDEX:
        do_index(d, how);
        break;
    case KICK:
        if (how & 8)
            out(d, VB_PORTS + 16, number(d, 2), 2);
        else
            do_kick(d, how % 8);
        break;
    case COMMON:
        access_space(d, d->board->machine->memory, VB_MODERN_BASE + byte_in_u8(&d->in) % 64, how);
        break;
    case BAR:
        do_bar(d, how);
        break;
    case CONFIG:
        do_config(d, how);
        break;
    case POKE:
        do_poke(d, how);
        break;
    case TIME: {
        int64_t ns = byte_in_u8(&d->in);
        virtio_board_advance(d->board, ns << byte_in_u8(&d->in) % 32);
        break;
    }
    case FRAME:
        do_frame(d, how);
        break;
    case BACKEND:
        do_backend(d, how);
        break;
    case SAVE:
    case MUTATE:
    case RUN:
    case RESET:
        step_state(d, octet & 15, how);
        break;
    }
}

static void check_queues(const Driver *d)
{
    for (unsigned q = 0; q < d->board->v->kind->queues; q++)
        fuzz_check(d->board->v->vq[q].in_use <= VIRTQUEUE_SIZE_MAX, "%u chains are in use", d->board->v->vq[q].in_use);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    Driver d = {.board = NULL};

    if (!len)
        return 0;
    d.board = virtio_board_new(data[0] % VB_KINDS, data[0] & 0x40 ? 2 : 1, data[0] & 0x20);
    byte_in_init(&d.in, data + 1, len - 1);
    for (unsigned n = 0; n < STEPS_MAX && byte_in_left(&d.in) && d.board->octets < OCTETS_MAX; n++) {
        step(&d);
        check_queues(&d);
    }
    if (data[0] & 0x80) /* it takes most of the time */
        virtio_board_save_and_load(d.board, VB_QEMUFILE);
    virtio_board_free(d.board);
    return 0;
}
