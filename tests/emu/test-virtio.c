/* test-virtio.c: virtio over PCI and its rings, with the source of random octets as the device. */
#include "tests/emu/virtio-rig.h"

enum { SLOT_5 = PCI_DEVFN(5, 0), QUIET = 1 };

/* Octets that count up. */
static void count_up(void *opaque, void *data, size_t len)
{
    uint8_t *next = opaque;

    for (size_t i = 0; i < len; i++)
        ((uint8_t *)data)[i] = (*next)++;
}

static Rig *rng_rig(uint8_t *next)
{
    Device *dev = device_new(&virtio_rng_type);

    if (next)
        virtio_rng_set_source(dev, count_up, next);
    ((PciDevice *)dev)->devfn = SLOT_5;
    return rig_new(dev);
}

static Rig *started(bool modern, uint64_t features)
{
    Rig *rig = rng_rig(NULL);

    rig_start(rig, modern, features);
    return rig;
}

/* One buffer to be written. */
static void offer_one(Rig *rig, uint16_t n, uint64_t addr, uint32_t len)
{
    rig_desc(rig, 0, n, (RigDesc){.addr = addr, .len = len, .flags = RIG_WRITE});
    rig_offer(rig, 0, n);
}

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

/* --- buffers ---------------------------------------------------------------------------------------------------- */

static void buffer_is_filled(bool modern)
{
    uint8_t next = 1;
    uint32_t len;
    g_autoptr(Rig) rig = rng_rig(&next);

    rig_start(rig, modern, 0);
    offer_one(rig, 3, RIG_BUFFERS, 300);
    rig_kick(rig, 0);
    cr_assert_eq(rig_take(rig, 0, &len), 3);
    cr_assert_eq(len, 300);
    for (unsigned i = 0; i < 300; i++)
        cr_assert_eq(rig->ram[RIG_BUFFERS + i], (uint8_t)(1 + i));
    cr_assert_eq(rig->ram[RIG_BUFFERS + 300], 0);
    cr_assert(rig_line(rig));
    cr_assert_eq(rig_isr(rig), VIRTIO_ISR_QUEUE);
    cr_assert_not(rig_line(rig));
    cr_assert_eq(rig_isr(rig), 0);
}

Test(virtio, a_legacy_driver_gets_its_buffer_filled)
{
    buffer_is_filled(false);
}

Test(virtio, a_driver_of_virtio_1_gets_its_buffer_filled)
{
    buffer_is_filled(true);
}

Test(virtio, a_chain_comes_back_once_around_and_again)
{
    g_autoptr(Rig) rig = started(true, 0);

    for (unsigned i = 0; i < 70000; i++) {
        offer_one(rig, (uint16_t)(i % 8), RIG_BUFFERS, 1);
        rig_kick(rig, 0);
        cr_assert_eq(rig_take(rig, 0, NULL), (int)(i % 8));
    }
    cr_assert_not(rig_state(rig)->broken);
}

Test(virtio, a_chain_in_pieces_is_filled_in_its_order)
{
    uint8_t next = 10;
    uint32_t len;
    g_autoptr(Rig) rig = rng_rig(&next);

    rig_start(rig, true, 0);
    rig_desc(rig, 0, 5, (RigDesc){RIG_BUFFERS, 3, RIG_WRITE | RIG_NEXT, 2});
    rig_desc(rig, 0, 2, (RigDesc){RIG_BUFFERS + 100, 2, RIG_WRITE, 0});
    rig_offer(rig, 0, 5);
    rig_kick(rig, 0);
    cr_assert_eq(rig_take(rig, 0, &len), 5);
    cr_assert_eq(len, 5);
    cr_assert_arr_eq(rig->ram + RIG_BUFFERS, ((uint8_t[]){10, 11, 12, 0}), 4);
    cr_assert_arr_eq(rig->ram + RIG_BUFFERS + 100, ((uint8_t[]){13, 14, 0}), 3);
}

Test(virtio, a_table_of_descriptors_may_be_elsewhere)
{
    uint32_t len;
    g_autoptr(Rig) rig = started(true, VIRTIO_F_INDIRECT_DESC);

    for (unsigned n = 0; n < 20; n++) /* more than the ring has */
        rig_desc_at(
            rig, RIG_BUFFERS + 16 * n,
            (RigDesc){RIG_BUFFERS + 0x1000 + 16 * n, 16, RIG_WRITE | (n < 19 ? RIG_NEXT : 0), (uint16_t)(n + 1)});
    rig_desc(rig, 0, 1, (RigDesc){RIG_BUFFERS, 20 * 16, RIG_INDIRECT, 0});
    rig_offer(rig, 0, 1);
    rig_kick(rig, 0);
    cr_assert_eq(rig_take(rig, 0, &len), 1);
    cr_assert_eq(len, 320);
}

Test(virtio, a_large_buffer_comes_back_with_its_beginning_filled)
{
    uint32_t len;
    g_autoptr(Rig) rig = started(true, 0);

    offer_one(rig, 0, RIG_BUFFERS, 1 << 20);
    rig_kick(rig, 0);
    cr_assert_eq(rig_take(rig, 0, &len), 0);
    cr_assert_eq(len, 65536);
}

Test(virtio, nothing_happens_before_the_driver_is_ready)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_status(rig, 0x0b);
    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig_take(rig, 0, NULL), -1);
    rig_status(rig, 0x0f);
    cr_assert_eq(rig_take(rig, 0, NULL), 0);
}

/* --- interrupts ------------------------------------------------------------------------------------------------- */

Test(virtio, with_messages_a_queue_sends_its_own)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_use_messages(rig);
    rig_out(rig, 0x1a, 1, 2);
    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig->messages, 1);
    cr_assert_eq(rig->last_message, 0x4001);
    cr_assert_not(rig_line(rig));
    rig_out(rig, 0x1a, 0xffff, 2);
    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig->messages, 1, "it has no vector");
}

Test(virtio, a_legacy_driver_finds_vectors_in_front_of_the_configuration)
{
    g_autoptr(Rig) rig = started(false, 0);

    rig_use_messages(rig);
    cr_assert_eq(board_in16(rig->board, RIG_PORTS + 20), 0xffff);
    board_out16(rig->board, RIG_PORTS + 22, 1);
    cr_assert_eq(board_in16(rig->board, RIG_PORTS + 22), 1);
    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig->last_message, 0x4001);
}

Test(virtio, who_does_not_want_interrupts_gets_none)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_put16(rig, rig_avail(rig, 0), QUIET);
    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig_take(rig, 0, NULL), 0);
    cr_assert_not(rig_line(rig));
}

/* 1.2, section 2.7.7 and 2.7.10: both sides say up to which index they want to know nothing. */
Test(virtio, the_event_index_says_when)
{
    g_autoptr(Rig) rig = started(true, VIRTIO_F_EVENT_IDX);
    uint64_t used_event = rig_avail(rig, 0) + 4 + 2 * 8, avail_event = rig->used_at[0] + 4 + 8 * 8;

    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig_get16(rig, avail_event), 1);
    cr_assert_eq(rig_isr(rig), 1);
    rig_put16(rig, used_event, 2); /* tell me of the third */
    offer_one(rig, 1, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig_isr(rig), 0);
    offer_one(rig, 2, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig_isr(rig), 1);
    offer_one(rig, 3, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig_isr(rig), 0);
    cr_assert_eq(rig_get16(rig, avail_event), 4);
}

/* --- a guest that is not to be trusted -------------------------------------------------------------------------- */

/* What was offered makes no sense: nothing comes back, the device says so, and lives again after a reset. */
static void is_broken(Rig *rig)
{
    rig_kick(rig, 0);
    cr_assert_eq(rig_used_index(rig, 0), 0);
    cr_assert_eq(rig_status_in(rig), 0x4f);
    cr_assert_eq(rig_isr(rig), VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG);
    rig_status(rig, 0x0f);
    cr_assert_eq(rig_status_in(rig), 0x4f, "only a reset helps");
    rig_kick(rig, 0);
    cr_assert_eq(rig_used_index(rig, 0), 0);
    rig_start(rig, true, 0);
    cr_assert_eq(rig_status_in(rig), 0x0f);
    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig_take(rig, 0, NULL), 0);
}

static void chain_breaks_it(RigDesc first, RigDesc second)
{
    g_autoptr(Rig) rig = started(true, VIRTIO_F_INDIRECT_DESC);

    rig_desc(rig, 0, 0, first);
    rig_desc(rig, 0, 1, second);
    rig_offer(rig, 0, 0);
    is_broken(rig);
}

Test(virtio, chains_that_make_no_sense_break_it)
{
    static const RigDesc good = {RIG_BUFFERS, 8, RIG_WRITE, 0};

    chain_breaks_it((RigDesc){RIG_BUFFERS, 8, RIG_WRITE | RIG_NEXT, 0}, good); /* a circle of one */
    chain_breaks_it((RigDesc){RIG_BUFFERS, 8, RIG_WRITE | RIG_NEXT, 1},
                    (RigDesc){RIG_BUFFERS, 8, RIG_WRITE | RIG_NEXT, 0});       /* a circle of two */
    chain_breaks_it((RigDesc){RIG_BUFFERS, 8, RIG_WRITE | RIG_NEXT, 8}, good); /* out of the table */
    chain_breaks_it((RigDesc){RIG_BUFFERS, 0, RIG_WRITE, 0}, good);            /* no octets */
    chain_breaks_it((RigDesc){RIG_RAM, 8, RIG_WRITE, 0}, good);                /* behind memory */
    chain_breaks_it((RigDesc){RIG_RAM - 4, 8, RIG_WRITE, 0}, good);            /* half of it */
    chain_breaks_it((RigDesc){UINT64_MAX - 3, 8, RIG_WRITE, 0}, good);         /* around the end */
    chain_breaks_it((RigDesc){RIG_MODERN, 8, RIG_WRITE, 0}, good);             /* its own registers */
    chain_breaks_it((RigDesc){RIG_BUFFERS, 8, RIG_WRITE | RIG_NEXT, 1}, (RigDesc){RIG_BUFFERS, 8, 0, 0}); /* order */
    chain_breaks_it((RigDesc){RIG_BUFFERS, 24, RIG_INDIRECT, 0}, good); /* one and a half */
    chain_breaks_it((RigDesc){RIG_BUFFERS, 0, RIG_INDIRECT, 0}, good);
    chain_breaks_it((RigDesc){RIG_RAM + 16, 32, RIG_INDIRECT, 0}, good);
    chain_breaks_it((RigDesc){RIG_BUFFERS, UINT32_MAX & ~15U, RIG_INDIRECT, 0}, good); /* zeros: no octets */
}

Test(virtio, a_table_in_a_table_breaks_it)
{
    g_autoptr(Rig) rig = started(true, VIRTIO_F_INDIRECT_DESC);

    rig_desc_at(rig, RIG_BUFFERS, (RigDesc){RIG_BUFFERS, 16, RIG_INDIRECT, 0});
    rig_desc(rig, 0, 0, (RigDesc){RIG_BUFFERS, 16, RIG_INDIRECT, 0});
    rig_offer(rig, 0, 0);
    is_broken(rig);
}

Test(virtio, more_buffers_than_a_chain_may_have_break_it)
{
    g_autoptr(Rig) rig = started(true, VIRTIO_F_INDIRECT_DESC);

    for (unsigned n = 0; n < 2000; n++)
        rig_desc_at(rig, RIG_BUFFERS + 16 * n, (RigDesc){RIG_BUFFERS, 1, RIG_WRITE | RIG_NEXT, (uint16_t)(n + 1)});
    rig_desc(rig, 0, 0, (RigDesc){RIG_BUFFERS, 2000 * 16, RIG_INDIRECT, 0});
    rig_offer(rig, 0, 0);
    is_broken(rig);
}

Test(virtio, a_head_that_is_not_in_the_table_breaks_it)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_offer(rig, 0, 8);
    is_broken(rig);
}

Test(virtio, an_index_that_jumps_breaks_it)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_put16(rig, rig_avail(rig, 0) + 2, 9);
    is_broken(rig);
}

Test(virtio, a_ring_outside_memory_breaks_it)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_out(rig, 0x28, RIG_RAM, 8);
    rig_out(rig, 0x1c, 1, 2);
    rig_kick(rig, 0);
    cr_assert_eq(rig_status_in(rig), 0x4f);
    rig_start(rig, true, 0);
    rig_out(rig, 0x30, UINT64_MAX - 2, 8);
    rig_out(rig, 0x1c, 1, 2);
    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig_status_in(rig), 0x4f);
}

Test(virtio, a_legacy_driver_is_not_told_that_it_is_broken)
{
    g_autoptr(Rig) rig = started(false, 0);

    rig_offer(rig, 0, 100);
    rig_kick(rig, 0);
    cr_assert(rig_state(rig)->broken);
    cr_assert_eq(rig_status_in(rig), 7);
    cr_assert_not(rig_line(rig));
}

Test(virtio, a_queue_cannot_be_disabled_by_its_enable_register)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_out(rig, 0x1c, 2, 2);
    cr_assert_eq(rig_status_in(rig), 0x4f);
}

Test(virtio, random_registers_and_rings_do_no_harm)
{
    g_autoptr(Rig) rig = started(true, VIRTIO_F_INDIRECT_DESC);
    GRand *rand = g_rand_new_with_seed(4711);

    for (unsigned i = 0; i < 20000; i++) {
        unsigned size = 1U << g_rand_int_range(rand, 0, 4);
        uint32_t at = (uint32_t)g_rand_int_range(rand, 0, 0x4000) & ~(size - 1);
        if (i % 50 == 0)
            rig_start(rig, i % 100 == 0, g_rand_int(rand));
        if (g_rand_int_range(rand, 0, 4) == 0)
            rig_out(rig, at & (g_rand_boolean(rand) ? 0x3f : 0x3fff), g_rand_int(rand) & g_rand_int(rand), size);
        else
            rig_in(rig, at, size);
        for (unsigned n = 0; n < 8; n++)
            rig_desc(rig, 0, n,
                     (RigDesc){g_rand_int_range(rand, 0, RIG_RAM), (uint32_t)g_rand_int_range(rand, 0, 4096),
                               (uint16_t)g_rand_int_range(rand, 0, 8), (uint16_t)g_rand_int_range(rand, 0, 9)});
        rig_put16(rig, rig_avail(rig, 0) + 4 + 2 * (i % 8), (uint16_t)g_rand_int_range(rand, 0, 9));
        rig_put16(rig, rig_avail(rig, 0) + 2,
                  (uint16_t)(rig_state(rig)->queues[0].last_avail + g_rand_int_range(rand, 0, 9)));
        rig_kick(rig, 0);
    }
    g_rand_free(rand);
    board_abuse_ports(rig->board, rig->dev, RIG_PORTS, 0x20, 1000);
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
