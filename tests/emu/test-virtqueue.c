/* test-virtqueue.c: split rings, worked by a driver that may not be trusted, and interrupts. */
#include "emu/core/dirty.h"
#include "tests/emu/support/virtio-rng-rig.h"

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

Test(virtqueue, a_legacy_driver_gets_its_buffer_filled)
{
    buffer_is_filled(false);
}

Test(virtqueue, a_driver_of_virtio_1_gets_its_buffer_filled)
{
    buffer_is_filled(true);
}

Test(virtqueue, a_chain_comes_back_once_around_and_again)
{
    g_autoptr(Rig) rig = started(true, 0);

    for (unsigned i = 0; i < 70000; i++) {
        offer_one(rig, (uint16_t)(i % 8), RIG_BUFFERS, 1);
        rig_kick(rig, 0);
        cr_assert_eq(rig_take(rig, 0, NULL), (int)(i % 8));
    }
    cr_assert_not(rig_state(rig)->broken);
}

/* A disk writes a buffer long after it was popped. */
Test(virtqueue, buffers_are_marked_as_written_when_they_are_given_back)
{
    g_autoptr(Rig) rig = started(true, 0);
    RamArea *ram = machine_find_ram(rig->board->machine, "pc.ram");
    Virtqueue *vq = &rig_virtio(rig)->vq[0];
    g_autofree uint64_t *bits = g_malloc0(dirty_octets(ram));
    enum { FIRST = RIG_BUFFERS / DIRTY_PAGE };

    offer_one(rig, 0, RIG_BUFFERS, 2 * DIRTY_PAGE);
    dirty_start(rig->board->machine->areas);
    g_autofree VirtqueueChain *chain = virtqueue_pop(vq);
    cr_assert_not_null(chain);
    dirty_take(ram, bits, dirty_pages(ram));
    memset(bits, 0, dirty_octets(ram));
    virtqueue_push(vq, chain, 1);
    dirty_take(ram, bits, dirty_pages(ram));
    cr_assert_eq(bits[FIRST / DIRTY_WORD], UINT64_C(3) << FIRST % DIRTY_WORD);
    uint64_t used = (rig_ring(0) + 0x2000) / DIRTY_PAGE, marked = 0;
    for (uint64_t i = rig_ring(0) / DIRTY_PAGE; i <= used + 2; i++)
        marked += bits[i / DIRTY_WORD] >> i % DIRTY_WORD & 1;
    cr_assert_eq(marked, 1, "the used ring is marked, and nothing else of the queue");
}

Test(virtqueue, a_chain_in_pieces_is_filled_in_its_order)
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

Test(virtqueue, a_table_of_descriptors_may_be_elsewhere)
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

Test(virtqueue, a_large_buffer_comes_back_with_its_beginning_filled)
{
    uint32_t len;
    g_autoptr(Rig) rig = started(true, 0);

    offer_one(rig, 0, RIG_BUFFERS, 1 << 20);
    rig_kick(rig, 0);
    cr_assert_eq(rig_take(rig, 0, &len), 0);
    cr_assert_eq(len, 65536);
}

Test(virtqueue, nothing_happens_before_the_driver_is_ready)
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

Test(virtqueue, with_messages_a_queue_sends_its_own)
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

Test(virtqueue, a_legacy_driver_finds_vectors_in_front_of_the_configuration)
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

Test(virtqueue, who_does_not_want_interrupts_gets_none)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_put16(rig, rig_avail(rig, 0), QUIET);
    offer_one(rig, 0, RIG_BUFFERS, 8);
    rig_kick(rig, 0);
    cr_assert_eq(rig_take(rig, 0, NULL), 0);
    cr_assert_not(rig_line(rig));
}

/* 1.2, section 2.7.7 and 2.7.10: both sides say up to which index they want to know nothing. */
Test(virtqueue, the_event_index_says_when)
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

Test(virtqueue, chains_that_make_no_sense_break_it)
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

Test(virtqueue, a_table_in_a_table_breaks_it)
{
    g_autoptr(Rig) rig = started(true, VIRTIO_F_INDIRECT_DESC);

    rig_desc_at(rig, RIG_BUFFERS, (RigDesc){RIG_BUFFERS, 16, RIG_INDIRECT, 0});
    rig_desc(rig, 0, 0, (RigDesc){RIG_BUFFERS, 16, RIG_INDIRECT, 0});
    rig_offer(rig, 0, 0);
    is_broken(rig);
}

Test(virtqueue, more_buffers_than_a_chain_may_have_break_it)
{
    g_autoptr(Rig) rig = started(true, VIRTIO_F_INDIRECT_DESC);

    for (unsigned n = 0; n < 2000; n++)
        rig_desc_at(rig, RIG_BUFFERS + 16 * n, (RigDesc){RIG_BUFFERS, 1, RIG_WRITE | RIG_NEXT, (uint16_t)(n + 1)});
    rig_desc(rig, 0, 0, (RigDesc){RIG_BUFFERS, 2000 * 16, RIG_INDIRECT, 0});
    rig_offer(rig, 0, 0);
    is_broken(rig);
}

Test(virtqueue, a_head_that_is_not_in_the_table_breaks_it)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_offer(rig, 0, 8);
    is_broken(rig);
}

Test(virtqueue, an_index_that_jumps_breaks_it)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_put16(rig, rig_avail(rig, 0) + 2, 9);
    is_broken(rig);
}

Test(virtqueue, a_ring_outside_memory_breaks_it)
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

Test(virtqueue, a_legacy_driver_is_not_told_that_it_is_broken)
{
    g_autoptr(Rig) rig = started(false, 0);

    rig_offer(rig, 0, 100);
    rig_kick(rig, 0);
    cr_assert(rig_state(rig)->broken);
    cr_assert_eq(rig_status_in(rig), 7);
    cr_assert_not(rig_line(rig));
}

Test(virtqueue, a_queue_cannot_be_disabled_by_its_enable_register)
{
    g_autoptr(Rig) rig = started(true, 0);

    rig_out(rig, 0x1c, 2, 2);
    cr_assert_eq(rig_status_in(rig), 0x4f);
}

Test(virtqueue, random_registers_and_rings_do_no_harm)
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
