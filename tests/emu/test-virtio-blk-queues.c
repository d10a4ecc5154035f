/* test-virtio-blk-queues.c: a disk by virtio with several queues. */
#include "tests/emu/virtio-blk-rig.h"

/* A read of one sector; each queue has buffers of its own. */
static void offer_read(Rig *rig, unsigned queue, uint64_t sector)
{
    uint64_t at = DATA + 0x10000 * (uint64_t)queue;

    put_header(rig, 0, sector);
    memcpy(rig->ram + at + 0x1000, rig->ram + HEADER, 16);
    rig_desc(rig, queue, 0, (RigDesc){at + 0x1000, 16, RIG_NEXT, 1});
    rig_desc(rig, queue, 1, (RigDesc){at, 512, RIG_WRITE | RIG_NEXT, 2});
    rig_desc(rig, queue, 2, (RigDesc){at + 0x2000, 1, RIG_WRITE, 0});
    rig_offer(rig, queue, 0);
    rig_kick(rig, queue);
}

/* Measured on QEMU 7.2: -smp 1, 2, 4, 8. */
Test(virtio_blk, it_has_as_many_queues_as_there_are_processors_and_a_vector_more)
{
    for (unsigned cpus = 1; cpus <= 8; cpus++) {
        Block b = {0};
        Rig *rig = queues_rig(&b, cpus);
        rig_map(rig);
        cr_assert_eq(rig_in(rig, 0x12, 2), cpus);
        cr_assert_eq(rig_in(rig, 4, 4), cpus > 1 ? 0x30007e54 : 0x30006e54);
        cr_assert_eq(rig_in(rig, 0x2000 + 34, 2), cpus);
        cr_assert_eq(rig_in(rig, 0x2000 + 12, 4), 254);
        cr_assert_eq(rig_config_in(rig, 0x98), 0x00008411 | cpus << 16);
        cr_assert_eq(rig_config_in(rig, 0xa0), 0x801);
        for (unsigned n = 0; n <= cpus; n++) {
            rig_out(rig, 0x16, n, 2);
            cr_assert_eq(rig_in(rig, 0x18, 2), n < cpus ? 256 : 0);
            rig_out(rig, 0x1a, n + 1, 2);
            cr_assert_eq(rig_in(rig, 0x1a, 2), n < cpus ? n + 1 : 0xffff, "%u of %u", n, cpus);
        }
        done_with(rig, &b);
    }
}

Test(virtio_blk, its_options_say_how_many_queues_and_how_long)
{
    Block b = {.data = g_malloc0(SECTORS * 512)};
    Device *dev = device_new(&virtio_blk_type);

    virtio_blk_set_block(dev, &b, NULL);
    virtio_blk_set_queues(dev, 2);
    device_set(dev, "num-queues", 5);
    device_set(dev, "queue-size", 1024);
    device_set(dev, "vectors", 3);
    Rig *rig = rig_new(dev);
    rig_map(rig);
    cr_assert_eq(rig_in(rig, 0x12, 2), 5);
    cr_assert_eq(rig_in(rig, 0x18, 2), 1024);
    cr_assert_eq(rig_in(rig, 0x2000 + 12, 4), 1022);
    cr_assert_eq(rig_config_in(rig, 0x98), 0x00028411);
    done_with(rig, &b);
}

Test(virtio_blk, options_that_make_no_sense_are_refused)
{
    static const struct {
        const char *option;
        uint32_t value;
    } wrong[] = {{"num-queues", 0}, {"num-queues", 9},    {"queue-size", 2}, {"queue-size", 3},
                 {"queue-size", 0}, {"queue-size", 2048}, {"vectors", 1},    {"vectors", 10}};

    for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) error = NULL;
        Device *dev = device_new(&virtio_blk_type);
        device_set(dev, wrong[i].option, wrong[i].value);
        cr_assert_not(virtio_blk_type.options->check(dev, &error), "%s=%u", wrong[i].option, wrong[i].value);
        cr_assert(g_str_has_prefix(error->message, wrong[i].option), "%s", error->message);
        device_free(dev);
    }
}

Test(virtio_blk, each_queue_gets_back_what_was_offered_in_it_with_its_own_interrupt)
{
    for (unsigned modern = 0; modern < 2; modern++) {
        Block b = {0};
        Rig *rig = queues_rig(&b, 8);
        rig_start(rig, modern, 0);
        rig_use_messages(rig);
        for (unsigned n = 0; n < 8; n++) {
            board_out16(rig->board, RIG_PORTS + 14, (uint16_t)n);
            board_out16(rig->board, RIG_PORTS + 22, (uint16_t)(n + 1));
            b.data[n * 512] = (uint8_t)(0x80 + n);
        }
        for (unsigned n = 0; n < 8; n++)
            offer_read(rig, n, n);
        for (unsigned n = 0; n < 8; n++)
            cr_assert_eq(rig_take(rig, n, NULL), -1, "it is in flight");
        for (unsigned n = 0; n < 8; n++) {
            BlockRequest r = b.requests[7 - n]; /* the last first */
            b.count--;
            r.done(r.opaque, 0);
            b.settled(b.settled_opaque);
            cr_assert_eq(rig_take(rig, 7 - n, NULL), 0);
            cr_assert_eq(rig_take(rig, 7 - n, NULL), -1);
            cr_assert_eq(rig->last_message, 0x4000 + 8 - n);
            cr_assert_eq(rig->ram[DATA + 0x10000 * (7 - n)], 0x80 + 7 - n);
        }
        cr_assert_eq(rig->messages, 8);
        done_with(rig, &b);
    }
}

/* 1.2, section 2.6.1. */
Test(virtio_blk, the_reset_of_a_queue_forgets_its_requests_and_no_others)
{
    Block b = {0};
    Rig *rig = queues_rig(&b, 2);

    rig_start(rig, true, VIRTIO_F_RING_RESET);
    offer_read(rig, 0, 0);
    offer_read(rig, 1, 1);
    offer_read(rig, 1, 2);
    rig_out(rig, 0x16, 1, 2);
    rig_out(rig, 0x3a, 1, 2);
    block_drain(&b);
    cr_assert_eq(rig_take(rig, 0, NULL), 0);
    cr_assert_eq(rig_used_index(rig, 1), 0);
    rig_queue(rig, 1);
    offer_read(rig, 1, 3);
    block_drain(&b);
    cr_assert_eq(rig_take(rig, 1, NULL), 0);
    done_with(rig, &b);
}

Test(virtio_blk, what_was_offered_in_any_queue_while_it_stood_is_done_when_it_runs)
{
    Block b = {0};
    Rig *rig = queues_rig(&b, 3);

    machine_set_running(rig->board->machine, true);
    rig_start(rig, true, 0);
    machine_set_running(rig->board->machine, false);
    for (unsigned n = 0; n < 3; n++) {
        rig_desc(rig, n, 0, (RigDesc){HEADER, 16, RIG_NEXT, 1});
        rig_desc(rig, n, 1, (RigDesc){STATUS, 1, RIG_WRITE, 0});
        put_header(rig, 4, 0);
        rig_offer(rig, n, 0);
    }
    machine_set_running(rig->board->machine, true);
    block_drain(&b);
    for (unsigned n = 0; n < 3; n++)
        cr_assert_eq(rig_take(rig, n, NULL), 0);
    cr_assert_eq(b.flushes, 3);
    done_with(rig, &b);
}

Test(virtio_blk, several_queues_are_those_that_qemu_records)
{
    static const uint16_t used[] = {1, 1, 2, 3, 1, 2, 3, 1};
    static const struct {
        const char *recording;
        unsigned cpus;
    } recorded[] = {{"m1-virtio-blk-queues", 2}, {"m2-virtio-blk-queues8", 8}};

    for (size_t i = 0; i < G_N_ELEMENTS(recorded); i++) {
        Block b = {0};
        Rig *rig = queues_rig(&b, recorded[i].cpus);
        for (unsigned n = 0; n < recorded[i].cpus; n++)
            rig_quiet_ring(rig, 0x104000 + 0x10000 * (uint64_t)n, 0x108000 + 0x10000 * (uint64_t)n, used[n]);
        rig_load_recorded(rig, recorded[i].recording);
        cr_assert(rig_state(rig)->has_ring_sizes, "queue 1 is half as long");
        cr_assert_not(rig_state(rig)->broken);
        cr_assert_eq(rig_state(rig)->msix_pending[0], 2);
        cr_assert_eq(rig_state(rig)->msix_pending[1], i == 1, "vector 8");
        done_with(rig, &b);
    }
}

Test(virtio_blk, a_state_of_another_number_of_queues_is_refused_for_what_it_is)
{
    Block b = {0}, other = {0};
    Rig *rig = queues_rig(&b, 2), *more = queues_rig(&other, 8);
    g_autoptr(GError) error = NULL, again = NULL;
    ByteOut octets = {0};

    board_save(rig->board, rig->dev, &octets);
    cr_assert_not(board_load(more->board, more->dev, octets.data, octets.len, 2, &error));
    cr_assert(strstr(error->message, "vectors: the stream has 3 of MSI-X, the destination 9"), "%s", error->message);
    byte_out_done(&octets);
    board_save(more->board, more->dev, &octets);
    cr_assert_not(board_load(rig->board, rig->dev, octets.data, octets.len, 2, &again));
    cr_assert(strstr(again->message, "vectors: the stream has 9 of MSI-X, the destination 3"), "%s", again->message);
    byte_out_done(&octets);
    done_with(rig, &b);
    done_with(more, &other);
}

Test(virtio_blk, any_state_of_several_queues_survives)
{
    Block b = {0};
    Rig *rig = queues_rig(&b, 8);

    rig_map(rig);
    board_try_states(rig->board, rig->dev, 30);
    board_abuse_ports(rig->board, rig->dev, RIG_PORTS, 0x60, 1000);
    done_with(rig, &b);
}
