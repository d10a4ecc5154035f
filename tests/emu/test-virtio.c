/* test-virtio.c: virtio over PCI, with the source of random octets as the device. */
#include "tests/emu/support/virtio-rng-rig.h"

/* --- what a driver finds ---------------------------------------------------------------------------------------- */

Test(virtio, the_capabilities_lead_to_the_structures)
{
    g_autoptr(Rig) rig = rng_rig(NULL);
    static const uint32_t expected[][5] = {
        /* offset, first word, BAR, offset, length (1.2, section 4.1.4) */
        {0x84, 0x05147009, 0, 0, 0},           {0x70, 0x02146009, 4, 0x3000, 0x1000},
        {0x60, 0x04105009, 4, 0x2000, 0x1000}, {0x50, 0x03104009, 4, 0x1000, 0x1000},
        {0x40, 0x01100009, 4, 0, 0x1000},
    };

    cr_assert_eq(rig_config_in(rig, 0x00), 0x10051af4);
    cr_assert_eq(rig_config_in(rig, 0x08), 0x00ff0000);
    cr_assert_eq(rig_config_in(rig, 0x2c), 0x00041af4);
    cr_assert_eq(rig_config_in(rig, 0x34), 0x98);
    cr_assert_eq(rig_config_in(rig, 0x98), 0x00018411);
    cr_assert_eq(rig_config_in(rig, 0x9c), 1);
    cr_assert_eq(rig_config_in(rig, 0xa0), 0x801);
    for (size_t i = 0; i < G_N_ELEMENTS(expected); i++)
        for (unsigned j = 0; j < 4; j++)
            cr_assert_eq(rig_config_in(rig, expected[i][0] + 4 * j), expected[i][j + 1]);
    cr_assert_eq(rig_config_in(rig, 0x80), 4); /* octets from doorbell to doorbell */
}

Test(virtio, the_bars_have_the_sizes_of_qemus)
{
    g_autoptr(Rig) rig = rng_rig(NULL);
    static const uint32_t expected[] = {0xffffffe1, 0xfffff000, 0, 0, 0xffffc00c, 0xffffffff, 0};

    for (unsigned n = 0; n < 6; n++)
        rig_config_out(rig, 0x10 + 4 * n, UINT32_MAX);
    for (unsigned n = 0; n < 6; n++)
        cr_assert_eq(rig_config_in(rig, 0x10 + 4 * n), expected[n], "BAR %u", n);
}

Test(virtio, a_driver_of_virtio_1_does_not_see_what_is_for_legacy_drivers)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_map(rig);
    cr_assert_eq(board_in32(rig->board, RIG_PORTS), 0x79000000);
    cr_assert_eq(rig_in(rig, 4, 4), 0x30000000);
    rig_out(rig, 0, 1, 4);
    cr_assert_eq(rig_in(rig, 4, 4), 0x101);
    rig_out(rig, 0, 2, 4);
    cr_assert_eq(rig_in(rig, 4, 4), 0);
}

Test(virtio, only_offered_features_are_taken_and_none_after_features_ok)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_map(rig);
    rig->modern = true;
    rig_features(rig, UINT64_MAX);
    cr_assert_eq(rig_in(rig, 0x0c, 4), UINT32_MAX, "the register is as it was written");
    cr_assert_eq(rig_state(rig)->features, UINT64_C(0x10179000000));
    rig_features(rig, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
    rig_status(rig, 0x0b);
    rig_features(rig, VIRTIO_F_VERSION_1);
    cr_assert_eq(rig_state(rig)->features, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
}

Test(virtio, a_legacy_driver_that_takes_the_bad_feature_gets_none)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_map(rig);
    board_out32(rig->board, RIG_PORTS + 4, 0x30000000);
    cr_assert_eq(board_in32(rig->board, RIG_PORTS + 4), 0x30000000);
    board_out32(rig->board, RIG_PORTS + 4, 0x70000000);
    cr_assert_eq(board_in32(rig->board, RIG_PORTS + 4), 0);
}

Test(virtio, registers_of_queues)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_map(rig);
    cr_assert_eq(rig_in(rig, 0x12, 2), 1);
    cr_assert_eq(rig_in(rig, 0x18, 2), 8);
    rig_out(rig, 0x18, 2048, 2);
    cr_assert_eq(rig_in(rig, 0x18, 2), 8, "a ring is not as long as that");
    rig_out(rig, 0x18, 0, 2);
    cr_assert_eq(rig_in(rig, 0x18, 2), 8);
    rig_out(rig, 0x18, 4, 2);
    cr_assert_eq(rig_in(rig, 0x18, 2), 4);
    rig_out(rig, 0x20, UINT64_C(0x1122334455667000), 8);
    cr_assert_eq(rig_in(rig, 0x20, 8), UINT64_C(0x1122334455667000));
    rig_out(rig, 0x16, 3, 2);
    cr_assert_eq(rig_in(rig, 0x18, 2), 0, "there is no such queue");
    cr_assert_eq(rig_in(rig, 0x1e, 2), 3);
    rig_out(rig, 0x16, 5000, 2);
    cr_assert_eq(rig_in(rig, 0x16, 2), 3);
    rig_out(rig, 0x14, 0, 1);
    cr_assert_eq(rig_in(rig, 0x18, 2), 8);
    cr_assert_eq(rig_in(rig, 0x20, 8), 0);
    cr_assert_eq(rig_in(rig, 0x16, 2), 0);
}

Test(virtio, vectors_that_are_not_there_are_none)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_map(rig);
    rig_out(rig, 0x10, 1, 2);
    cr_assert_eq(rig_in(rig, 0x10, 2), 1);
    rig_out(rig, 0x10, 2, 2);
    cr_assert_eq(rig_in(rig, 0x10, 2), 0xffff);
    rig_out(rig, 0x1a, 9, 2);
    cr_assert_eq(rig_in(rig, 0x1a, 2), 0xffff);
}

Test(virtio, beyond_the_configuration_there_are_ones)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_map(rig);
    cr_assert_eq(rig_in(rig, 0x2000, 4), UINT32_MAX);
    cr_assert_eq(rig_in(rig, 0x2100, 1), 0xff);
    cr_assert_eq(board_in8(rig->board, RIG_PORTS + 20), 0xff);
}

/* 1.2, section 4.1.4.9. */
Test(virtio, the_window_reaches_what_the_bar_has)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_map(rig);
    rig_config_out(rig, 0x88, 4);
    rig_config_out(rig, 0x90, 1);
    rig_config_out(rig, 0x8c, 0x14);
    rig_config_out(rig, 0x94, 3);
    cr_assert_eq(rig_in(rig, 0x14, 1), 3, "the status was written");
    rig_config_out(rig, 0x90, 2);
    rig_config_out(rig, 0x8c, 0x18);
    cr_assert_eq(rig_config_in(rig, 0x94) & 0xffff, 8, "the size of queue 0");
    rig_config_out(rig, 0x8c, 0xfffffffe);
    rig_config_out(rig, 0x94, 5);
    rig_config_out(rig, 0x90, 3);
    rig_config_out(rig, 0x94, 5);
    cr_assert_eq(rig_in(rig, 0x18, 2), 8);
}

/* --- reset, and without the bus --------------------------------------------------------------------------------- */

/* 1.2, section 2.6.1. */
Test(virtio, one_queue_can_be_reset)
{
    g_autoptr(Rig) rig = started(true, VIRTIO_F_RING_RESET);

    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    rig_out(rig, 0x3a, 1, 2);
    cr_assert_eq(rig_in(rig, 0x3a, 2), 0);
    cr_assert_eq(rig_in(rig, 0x1c, 2), 0);
    cr_assert_eq(rig_status_in(rig), 0x0f);
    rig_queue(rig, 0);
    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig_take(rig, 0, NULL), 0);
}

Test(virtio, an_address_of_0_is_a_reset_by_a_legacy_driver)
{
    g_autoptr(Rig) rig = started(false, 0);

    board_out32(rig->board, RIG_PORTS + 8, 0);
    cr_assert_eq(rig_status_in(rig), 0);
    cr_assert_eq(rig_state(rig)->queues[0].desc, 0);
}

Test(virtio, without_the_bus_it_does_nothing)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_config_out(rig, 4, 3);
    cr_assert_eq(rig_status_in(rig), 0x0b);
    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig_used_index(rig, 0), 0);
    cr_assert_not(rig_state(rig)->broken);
    rig_config_out(rig, 4, 7);
    rig_status(rig, 0x0f);
    cr_assert_eq(rig_take(rig, 0, NULL), 0);
}

Test(virtio, a_legacy_driver_may_forget_to_make_it_master)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_map(rig);
    rig_config_out(rig, 4, 3);
    board_out8(rig->board, RIG_PORTS + 18, 1);
    board_out8(rig->board, RIG_PORTS + 18, 3);
    cr_assert_eq(rig_config_in(rig, 4) & 7, 7);
    cr_assert_not(rig_state(rig)->disabled);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

Test(virtio, it_is_the_one_that_qemu_records)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_load_recorded(rig, "c1-kvm-virtio");
    rig_load_recorded(rig, "f2-kvm-virtio-10s");
    rig_load_recorded(rig, "j2-kvm-linux-virtio");
    rig_quiet_ring(rig, 0x2aa4080, 0x2aa40c0, 5);
    rig_load_recorded(rig, "j1-tcg-linux-virtio");
}

Test(virtio, what_was_offered_at_the_source_is_found_when_the_machine_starts)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_quiet_ring(rig, 0x2aa4080, 0x2aa40c0, 5);
    rig_load_recorded(rig, "j1-tcg-linux-virtio");
    rig_desc_at(rig, 0x2aa4000, (RigDesc){RIG_BUFFERS, 64, RIG_WRITE, 0});
    rig_put16(rig, 0x2aa4080 + 2, 6);
    machine_set_running(rig->board->machine, true);
    cr_assert_eq(rig_get16(rig, 0x2aa40c0 + 2), 6);
}

Test(virtio, a_ring_that_does_not_fit_the_state_marks_it_broken)
{
    g_autoptr(Rig) rig = rng_rig(NULL);
    ByteOut octets = {0};

    rig_recorded(rig, "j1-tcg-linux-virtio", &octets); /* memory is zeros: index 0, and 5 was read */
    cr_assert(board_load(rig->board, rig->dev, octets.data, octets.len, 1, NULL));
    cr_assert(rig_state(rig)->broken);
    cr_assert_eq(rig_state(rig)->status, 0x4f);
    byte_out_done(&octets);
}

/* A driver's rings, saved and loaded into another device, go on there. */
Test(virtio, a_driver_goes_on_after_a_load)
{
    for (unsigned modern = 0; modern < 2; modern++) {
        g_autoptr(Rig) rig = started(modern, 0);
        ByteOut octets = {0};
        g_autoptr(GError) error = NULL;
        offer_one(rig, 0, RIG_BUFFERS, 8);
        rig_kick(rig, 0);
        board_save(rig->board, rig->dev, &octets);
        device_reset(rig->dev);
        cr_assert(board_load(rig->board, rig->dev, octets.data, octets.len, 1, &error));
        cr_assert_eq(rig_take(rig, 0, NULL), 0);
        offer_one(rig, 1, RIG_BUFFERS, 8);
        rig_kick(rig, 0);
        cr_assert_eq(rig_take(rig, 0, NULL), 1);
        byte_out_done(&octets);
    }
}

/* Octets of the section: PCI, table, pending bits, then these. */
enum { CONFIG_VECTOR = 276 + 33, QUEUE_SELECT = CONFIG_VECTOR + 4, QUEUES = CONFIG_VECTOR + 14, NUM = QUEUES + 4 };

static void is_refused(Rig *rig, unsigned at, uint8_t value, const char *message)
{
    ByteOut octets = {0};
    g_autoptr(GError) error = NULL;

    board_save(rig->board, rig->dev, &octets);
    octets.data[at] = value;
    cr_assert_not(board_load(rig->board, rig->dev, octets.data, octets.len, 1, &error), "%s", message);
    cr_assert(g_str_has_suffix(error->message, message), "%s", error->message);
    byte_out_done(&octets);
}

Test(virtio, states_that_make_no_sense_are_refused)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    is_refused(rig, CONFIG_VECTOR + 1, 99,
               "virtio-rng.virtio.config_vector: the stream has 65379, the destination has 2 vectors");
    is_refused(rig, QUEUE_SELECT, 4,
               "virtio-rng.virtio.queue_select: the stream has 1024, the destination takes 0 to 1023");
    is_refused(rig, NUM + 1, 1,
               "virtio-rng.virtio.queues[0].num: the stream has 65544, the destination takes 1 to 1024");
    is_refused(rig, NUM + 13, 5,
               "virtio-rng.virtio.queues[0].last_avail: the stream has 5, of a queue that has no ring");
    is_refused(rig, NUM + 15, 7,
               "virtio-rng.virtio.queues[0].vector: the stream has 65287, the destination has 2 vectors");
    rig_state(rig)->features = VIRTIO_F(60);
    is_refused(rig, QUEUES, 0,
               "virtio-rng.virtio.features: the stream has 0x1000000000000000, the destination offers 0x10179000000");
}

Test(virtio, any_state_survives)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_map(rig);
    board_try_states(rig->board, rig->dev, 40);
}

Test(virtio, removed_it_is_no_longer_there)
{
    g_autoptr(Rig) rig = rng_rig(NULL);

    rig_map(rig);
    machine_remove_device(rig->board->machine, rig->dev);
    cr_assert_eq(rig_in(rig, 0x18, 2), 0xffff);
    cr_assert_eq(board_in16(rig->board, RIG_PORTS + 12), 0xffff);
}
