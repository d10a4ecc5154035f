/* test-bell.c: doorbells: where they hang, and what becomes of them when a machine with virtio devices stops. */
#include <unistd.h>

#include "emu/core/bell.h"
#include "tests/emu/support/virtio-rig.h"

/* --- a kernel that can ------------------------------------------------------------------------------------------ */

typedef struct Wired {
    bool ports, only;
    uint64_t addr, value;
    unsigned size;
    int event;
} Wired;

typedef struct Kernel {
    Wired wires[32];
    unsigned count;
    bool full;
} Kernel;

static bool wire(void *opaque, const BellPlace *p, uint64_t addr, int event, bool on)
{
    Kernel *k = opaque;

    for (unsigned i = 0; i < k->count; i++) {
        if (k->wires[i].ports != p->ports || k->wires[i].addr != addr || k->wires[i].value != p->value)
            continue;
        cr_assert_not(on, "KVM takes none twice");
        cr_assert_eq(k->wires[i].event, event);
        k->wires[i] = k->wires[--k->count];
        return true;
    }
    cr_assert(on, "what was not wired is cut");
    if (k->full)
        return false;
    k->wires[k->count++] = (Wired){p->ports, p->only, addr, p->value, p->size, event};
    return true;
}

/* A processor's write: false if it leaves the guest. */
static bool ring(const Kernel *k, bool ports, uint64_t addr, uint64_t value, unsigned size)
{
    const uint64_t one = 1;

    for (unsigned i = 0; i < k->count; i++) {
        const Wired *w = &k->wires[i];
        if (w->ports != ports || w->addr != addr || (w->size && w->size != size) || (w->only && w->value != value))
            continue;
        cr_assert_eq(write(w->event, &one, sizeof one), sizeof one);
        return true;
    }
    return false;
}

static void look(void)
{
    while (g_main_context_iteration(NULL, FALSE))
        continue;
}

/* --- bells ------------------------------------------------------------------------------------------------------ */

static void nothing(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    (void)opaque, (void)addr, (void)value, (void)size;
}

static const IoOps registers = {.write = nothing}, others = {.write = nothing};

static void count_ring(void *opaque, unsigned n)
{
    ((unsigned *)opaque)[n]++;
}

static SpaceId map(Space *space, uint64_t base, const IoOps *ops, void *opaque, int priority)
{
    return space_map(space,
                     &(SpaceMapping){.base = base, .size = 0x100, .priority = priority, .ops = ops, .opaque = opaque});
}

Test(bell, it_rings_where_its_registers_are_and_only_there)
{
    Board *board = board_new();
    Machine *m = board->machine;
    unsigned rings[4] = {0};
    Kernel k = {0};

    cr_assert_null(bell_new(m, count_ring, rings, 0), "nobody can");
    bells_new(m, g_main_context_default(), wire, &k);
    Bell *bell = bell_new(m, count_ring, rings, 3);
    const BellPlace places[] = {
        {.ops = &registers, .opaque = &k, .offset = 0x10},
        {.ports = true, .ops = &registers, .opaque = &k, .offset = 4, .size = 2, .only = true, .value = 7}};
    map(m->memory, 0x1000, &registers, rings, 0); /* of another device of the same kind */
    cr_assert_not(bell_hangs(bell));
    bell_hang(bell, places, 2);
    cr_assert(bell_hangs(bell));
    cr_assert_eq(k.count, 0, "the registers are nowhere");
    SpaceId memory = map(m->memory, 0x2000, &registers, &k, 0), ports = map(m->ports, 0x300, &registers, &k, 0);
    cr_assert_eq(k.count, 2);
    cr_assert(ring(&k, false, 0x2010, 1, 4));
    cr_assert(ring(&k, true, 0x304, 7, 2));
    cr_assert_not(ring(&k, true, 0x304, 6, 2));
    cr_assert_eq(rings[3], 0, "not on the processor's thread");
    look();
    cr_assert_eq(rings[3], 1, "one look for both");
    space_unmap(m->memory, memory);
    memory = map(m->memory, 0x8000, &registers, &k, 0);
    cr_assert_not(ring(&k, false, 0x2010, 1, 4));
    cr_assert(ring(&k, false, 0x8010, 1, 4));
    look();
    cr_assert_eq(rings[3], 2);
    SpaceId over = map(m->memory, 0x8000, &others, NULL, 1);
    cr_assert_not(ring(&k, false, 0x8010, 1, 4), "something else lies over it");
    space_unmap(m->memory, over);
    cr_assert(ring(&k, false, 0x8010, 1, 4));
    bell_take_down(bell);
    cr_assert_eq(k.count, 0);
    cr_assert(bell_was_rung(bell), "before it was taken down");
    cr_assert_not(bell_was_rung(bell));
    look();
    cr_assert_eq(rings[3], 2, "it was taken");
    bell_hang(bell, places, 1);
    cr_assert_eq(k.count, 1);
    space_unmap(m->ports, ports);
    cr_assert(ring(&k, false, 0x8010, 1, 4));
    bell_free(bell);
    cr_assert_eq(k.count, 0);
    look();
    cr_assert_eq(rings[3], 2, "it is gone");
    board_free(board);
}

Test(bell, one_may_come_to_where_another_was)
{
    Board *board = board_new();
    Space *space = board->machine->memory;
    unsigned rings[2] = {0}, owner[2];
    Kernel k = {.count = 0};
    Bell *bell[2];
    SpaceId at[2];

    bells_new(board->machine, g_main_context_default(), wire, &k);
    for (unsigned n = 0; n < 2; n++) {
        at[n] = map(space, 0x1000 * (n + 1), &registers, &owner[n], 0);
        bell[n] = bell_new(board->machine, count_ring, rings, n);
        bell_hang(bell[n], &(BellPlace){.ops = &registers, .opaque = &owner[n]}, 1);
    }
    space_update_start(space);
    for (unsigned n = 0; n < 2; n++) {
        space_unmap(space, at[n]);
        map(space, 0x1000 * (2 - n), &registers, &owner[n], 0);
    }
    space_update_end(space);
    cr_assert_eq(k.count, 2);
    cr_assert(ring(&k, false, 0x2000, 0, 4));
    look();
    cr_assert_eq(rings[0], 1);
    cr_assert_eq(rings[1], 0);
    bell_free(bell[0]);
    bell_free(bell[1]);
    board_free(board);
}

Test(bell, where_the_kernel_has_no_room_the_write_takes_the_long_way)
{
    Board *board = board_new();
    Kernel k = {.full = true};
    unsigned rings[1] = {0};

    bells_new(board->machine, g_main_context_default(), wire, &k);
    map(board->machine->memory, 0x2000, &registers, &k, 0);
    Bell *bell = bell_new(board->machine, count_ring, rings, 0);
    bell_hang(bell, &(BellPlace){.ops = &registers, .opaque = &k}, 1);
    bell_take_down(bell);
    bell_free(bell);
    board_free(board);
}

/* --- virtio ----------------------------------------------------------------------------------------------------- */

static void give(void *opaque, void *data, size_t len)
{
    ++*(unsigned *)opaque;
    memset(data, 0x5a, len);
}

typedef struct Ringing {
    Kernel k;
    Rig *rig;
    unsigned asked;
} Ringing;

/* A device that gives random octets: it takes a buffer when it is told of one. */
static void begin(Ringing *r, bool modern, bool option)
{
    Device *dev = device_new(&virtio_rng_type);

    virtio_rng_set_source(dev, give, &r->asked);
    device_set(dev, "ioeventfd", option);
    r->rig = rig_new(dev);
    bells_new(r->rig->board->machine, g_main_context_default(), wire, &r->k);
    machine_set_running(r->rig->board->machine, true);
    rig_start(r->rig, modern, 0);
}

static void offer(Ringing *r)
{
    rig_desc(r->rig, 0, 0, (RigDesc){RIG_BUFFERS, 16, RIG_WRITE, 0});
    rig_offer(r->rig, 0, 0);
}

static bool doorbell(const Ringing *r)
{
    return r->rig->modern ? ring(&r->k, false, RIG_MODERN + 0x3000, 0, 2) : ring(&r->k, true, RIG_PORTS + 16, 0, 2);
}

Test(bell, a_virtio_device_is_told_of_buffers_by_the_machines_loop)
{
    for (unsigned modern = 0; modern < 2; modern++) {
        Ringing r = {.rig = NULL};
        begin(&r, modern, true);
        cr_assert_eq(r.k.count, 2, "both doorbells of one queue");
        offer(&r);
        cr_assert(doorbell(&r));
        cr_assert_eq(rig_take(r.rig, 0, NULL), -1);
        look();
        cr_assert_eq(rig_take(r.rig, 0, NULL), 0);
        cr_assert_not(ring(&r.k, true, RIG_PORTS + 16, 1, 2), "of another queue");
        rig_config_out(r.rig, 0x10, RIG_PORTS + 0x100);
        cr_assert_not(ring(&r.k, true, RIG_PORTS + 16, 0, 2), "its ports have gone");
        cr_assert(ring(&r.k, true, RIG_PORTS + 0x110, 0, 2));
        rig_config_out(r.rig, 0x10, RIG_PORTS);
        rig_status(r.rig, 0);
        cr_assert_eq(r.k.count, 0, "a device that is reset hears nothing");
        look();
        rig_free(r.rig);
        cr_assert_eq(r.k.count, 0);
    }
}

Test(bell, what_was_rung_for_before_the_machine_stopped_is_done_when_it_has_stopped)
{
    for (unsigned modern = 0; modern < 2; modern++) {
        Ringing r = {.rig = NULL};
        begin(&r, modern, true);
        offer(&r);
        cr_assert(doorbell(&r));
        machine_set_running(r.rig->board->machine, false);
        cr_assert_eq(r.k.count, 0, "a machine that stands has no bells");
        cr_assert_eq(rig_take(r.rig, 0, NULL), 0, "and nothing is left to be looked at");
        look();
        cr_assert_eq(r.asked, 1);
        machine_set_running(r.rig->board->machine, true);
        cr_assert_eq(r.k.count, 2);
        rig_free(r.rig);
    }
}

Test(bell, a_driver_that_is_not_ready_a_device_that_is_no_master_and_the_option_leave_the_long_way)
{
    Ringing r = {.rig = NULL};

    begin(&r, true, false);
    cr_assert_eq(r.k.count, 0);
    offer(&r);
    rig_kick(r.rig, 0);
    cr_assert_eq(rig_take(r.rig, 0, NULL), 0);
    rig_free(r.rig);
    r = (Ringing){.rig = NULL};
    begin(&r, true, true);
    rig_config_out(r.rig, 0x04, 3);
    cr_assert_eq(r.k.count, 0);
    rig_config_out(r.rig, 0x04, 7);
    cr_assert_eq(r.k.count, 0, "the driver has to say that it is ready again");
    rig_status(r.rig, 0);
    rig_status(r.rig, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    rig_features(r.rig, VIRTIO_F_VERSION_1);
    rig_status(r.rig, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    rig_status(r.rig, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
    cr_assert_eq(r.k.count, 0, "no queue");
    rig_queue(r.rig, 0);
    cr_assert_eq(r.k.count, 2);
    rig_free(r.rig);
}
