/* test-virtio-net.c: a network card by virtio: what a driver finds, frames, headers, control. */
#include "tests/emu/support/virtio-net-rig.h"

/* --- what a driver finds ---------------------------------------------------------------------------------------- */

Test(virtio_net, it_offers_what_qemus_offers_with_such_a_backend)
{
    for (unsigned header = 0; header < 2; header++) {
        g_autoptr(NetRig) r = net_rig_on(header ? &header_ops : &plain_ops);
        /* QEMU 7.2 with -netdev user, and with a tap, as x-query-virtio-status has it */
        const uint32_t offered = header ? 0x79bfffe7 : 0x79bf8064;
        rig_map(r->rig);
        cr_assert_eq(board_in32(r->rig->board, RIG_PORTS), offered, "0x%x", board_in32(r->rig->board, RIG_PORTS));
        cr_assert_eq(rig_in(r->rig, 4, 4), offered & 0x30ffffbf);
        rig_out(r->rig, 0, 1, 4);
        cr_assert_eq(rig_in(r->rig, 4, 4), 0x101);
        cr_assert_eq(rig_in(r->rig, 0x12, 2), 3);
        cr_assert_eq(rig_config_in(r->rig, 0x00), 0x10001af4);
        cr_assert_eq(rig_config_in(r->rig, 0x08), 0x02000000);
        cr_assert_eq(rig_config_in(r->rig, 0x2c), 0x00011af4);
        for (unsigned i = 0; i < 6; i++)
            cr_assert_eq(rig_in(r->rig, 0x2000 + i, 1), own_mac[i]);
        cr_assert_eq(rig_in(r->rig, 0x2006, 2), 1, "the link is up");
    }
}

Test(virtio_net, a_legacy_driver_sets_the_address_in_the_configuration)
{
    g_autoptr(NetRig) r = started(false, MRG_RXBUF);

    board_out8(r->rig->board, RIG_PORTS + 20, 0x02);
    cr_assert_eq(board_in8(r->rig->board, RIG_PORTS + 20), 0x02);
    board_out8(r->rig->board, RIG_PORTS + 18, 0);
    cr_assert_eq(board_in8(r->rig->board, RIG_PORTS + 20), 0x52, "a reset gives back its own");
    rig_start(r->rig, true, 0);
    rig_out(r->rig, 0x2000, 0x02, 1);
    cr_assert_eq(rig_in(r->rig, 0x2000, 1), 0x52, "a driver of virtio 1 cannot");
}

Test(virtio_net, the_driver_is_told_of_the_link)
{
    g_autoptr(NetRig) r = started(true, STATUS);

    rig_isr(r->rig);
    virtio_net_set_link(r->rig->dev, false);
    cr_assert_eq(rig_in(r->rig, 0x2006, 2), 0);
    cr_assert(rig_line(r->rig));
    cr_assert(rig_isr(r->rig) & 2);
    offer_rx(r, 0, 1526);
    cr_assert(give_to(r, "\xff\xff\xff\xff\xff\xff"));
    offer_tx(r, 0, "lost", 4, HEADER_MODERN);
    board_advance(r->rig->board, 10);
    cr_assert_eq(r->net.count, 0, "there is no link");
    cr_assert_eq(rig_take(r->rig, RX, NULL), -1);
    cr_assert_eq(rig_take(r->rig, TX, NULL), 0, "but its buffers come back");
    virtio_net_set_link(r->rig->dev, true);
    cr_assert_eq(rig_in(r->rig, 0x2006, 2), 1);
}

/* --- sending ---------------------------------------------------------------------------------------------------- */

Test(virtio_net, frames_are_sent_from_the_main_loop_without_their_header)
{
    for (unsigned modern = 0; modern < 2; modern++) {
        g_autoptr(NetRig) r = started(modern, 0);
        offer_tx(r, 0, "first frame", 11, modern ? HEADER_MODERN : HEADER_LEGACY);
        offer_tx(r, 1, "second", 6, modern ? HEADER_MODERN : HEADER_LEGACY);
        cr_assert_eq(r->net.count, 0, "not before the loop has its turn");
        board_advance(r->rig->board, 10);
        cr_assert_eq(r->net.count, 2);
        cr_assert_eq(r->net.sent[0]->len, 11);
        cr_assert_arr_eq(r->net.sent[0]->data, "first frame", 11);
        cr_assert_arr_eq(r->net.sent[1]->data, "second", 6);
        cr_assert_eq(rig_take(r->rig, TX, NULL), 0);
        cr_assert_eq(rig_take(r->rig, TX, NULL), 1);
        cr_assert(rig_line(r->rig));
    }
}

Test(virtio_net, a_frame_in_pieces_is_one_also_if_the_header_is_cut)
{
    g_autoptr(NetRig) r = started(true, 0);

    rig_put(r->rig, buffer(TX, 0), "hhhhhhh", 7);
    rig_put(r->rig, buffer(TX, 1), "hhhhhthe fr", 11);
    rig_put(r->rig, buffer(TX, 2), "ame", 3);
    rig_desc(r->rig, TX, 0, (RigDesc){buffer(TX, 0), 7, RIG_NEXT, 1});
    rig_desc(r->rig, TX, 1, (RigDesc){buffer(TX, 1), 11, RIG_NEXT, 2});
    rig_desc(r->rig, TX, 2, (RigDesc){buffer(TX, 2), 3, 0, 0});
    rig_offer(r->rig, TX, 0);
    rig_kick(r->rig, TX);
    board_advance(r->rig->board, 10);
    cr_assert_eq(r->net.count, 1);
    cr_assert_eq(r->net.sent[0]->len, 9);
    cr_assert_arr_eq(r->net.sent[0]->data, "the frame", 9);
}

Test(virtio_net, what_does_not_go_is_sent_when_it_does)
{
    g_autoptr(NetRig) r = started(true, 0);

    r->net.room = 1;
    for (uint16_t n = 0; n < 3; n++)
        offer_tx(r, n, "frame", 5, HEADER_MODERN);
    board_advance(r->rig->board, 10);
    cr_assert_eq(r->net.count, 1);
    cr_assert_eq(rig_used_index(r->rig, TX), 1);
    offer_tx(r, 3, "frame", 5, HEADER_MODERN);
    board_advance(r->rig->board, 10);
    cr_assert_eq(r->net.count, 1, "it tries again though nobody said so");
    r->net.room = 10;
    r->net.b.sent(r->net.b.card.opaque);
    board_advance(r->rig->board, 10);
    cr_assert_eq(r->net.count, 4);
    cr_assert_eq(rig_used_index(r->rig, TX), 4);
}

Test(virtio_net, a_frame_without_room_for_its_header_breaks_it)
{
    g_autoptr(NetRig) r = started(true, 0);

    rig_desc(r->rig, TX, 0, (RigDesc){buffer(TX, 0), 11, 0, 0});
    rig_offer(r->rig, TX, 0);
    rig_kick(r->rig, TX);
    board_advance(r->rig->board, 10);
    cr_assert(rig_status_in(r->rig) & VIRTIO_NEEDS_RESET);
}

/* --- receiving -------------------------------------------------------------------------------------------------- */

Test(virtio_net, a_frame_comes_behind_its_header)
{
    for (unsigned modern = 0; modern < 2; modern++) {
        g_autoptr(NetRig) r = started(modern, modern ? MRG_RXBUF : 0);
        unsigned header = modern ? HEADER_MODERN : HEADER_LEGACY;
        uint32_t len;
        cr_assert_gt(r->net.flushes, 0, "nobody was told that there is room");
        offer_rx(r, 0, 1526);
        cr_assert(give_to(r, "\xff\xff\xff\xff\xff\xff"));
        cr_assert_eq(rig_take(r->rig, RX, &len), 0);
        cr_assert_eq(len, header + 60);
        const uint8_t *at = r->rig->ram + buffer(RX, 0);
        for (unsigned i = 0; i < header; i++)
            cr_assert_eq(at[i], modern && i == 10 ? 1 : 0, "octet %u of the header", i);
        for (unsigned i = 0; i < 60; i++)
            cr_assert_eq(at[header + i], i < 6 ? 0xff : i);
        cr_assert_eq(at[header + 60], 0xaa);
        cr_assert(rig_line(r->rig));
    }
}

Test(virtio_net, of_many_frames_the_guest_is_told_when_they_have_come_or_there_are_16)
{
    g_autoptr(NetRig) r = started(true, 0);
    const NetCard *card = &r->net.b.card;

    for (uint16_t n = 0; n < 20; n++)
        offer_rx(r, n, 1526);
    r->net.b.more = true;
    for (unsigned n = 0; n < 3; n++)
        cr_assert(give_to(r, "\xff\xff\xff\xff\xff\xff"));
    cr_assert_eq(rig_take(r->rig, RX, NULL), 0, "it can see them");
    cr_assert_not(rig_line(r->rig));
    card->settled(card->opaque);
    cr_assert(rig_line(r->rig));
    rig_isr(r->rig);
    for (unsigned n = 0; n < 15; n++)
        cr_assert(give_to(r, "\xff\xff\xff\xff\xff\xff"));
    cr_assert_not(rig_line(r->rig));
    cr_assert(give_to(r, "\xff\xff\xff\xff\xff\xff"));
    cr_assert(rig_line(r->rig));
    rig_isr(r->rig);
    r->net.b.more = false;
    cr_assert(give_to(r, "\xff\xff\xff\xff\xff\xff"));
    cr_assert(rig_line(r->rig), "one that comes alone");
}

Test(virtio_net, a_frame_may_take_several_buffers)
{
    g_autoptr(NetRig) r = started(true, MRG_RXBUF);
    uint32_t len;

    for (uint16_t n = 0; n < 3; n++)
        offer_rx(r, n, 30);
    cr_assert(give_to(r, "\xff\xff\xff\xff\xff\xff"));
    for (int n = 0; n < 3; n++) {
        cr_assert_eq(rig_take(r->rig, RX, &len), n);
        cr_assert_eq(len, n < 2 ? 30 : 12);
    }
    cr_assert_eq(rig_get16(r->rig, buffer(RX, 0) + 10), 3);
    cr_assert_eq(r->rig->ram[buffer(RX, 1)], 18);
    cr_assert_eq(r->rig->ram[buffer(RX, 2)], 48);
    cr_assert_eq(r->rig->ram[buffer(RX, 2) + 11], 59);
}

Test(virtio_net, without_enough_buffers_a_frame_waits)
{
    g_autoptr(NetRig) r = started(true, MRG_RXBUF);
    unsigned flushes;

    offer_rx(r, 0, 30);
    offer_rx(r, 1, 30);
    cr_assert(!give_to(r, "\xff\xff\xff\xff\xff\xff"));
    cr_assert_eq(rig_used_index(r->rig, RX), 0);
    offer_rx(r, 2, 30);
    flushes = r->net.flushes;
    rig_kick(r->rig, RX);
    cr_assert_gt(r->net.flushes, flushes);
    cr_assert(give_to(r, "\xff\xff\xff\xff\xff\xff"));
    cr_assert_eq(rig_used_index(r->rig, RX), 3);
}

Test(virtio_net, a_frame_that_does_not_fit_a_buffer_is_lost_and_the_buffer_stays)
{
    g_autoptr(NetRig) r = started(true, 0);

    offer_rx(r, 0, 50);
    cr_assert(give_to(r, "\xff\xff\xff\xff\xff\xff"));
    cr_assert_eq(rig_used_index(r->rig, RX), 0);
    cr_assert_eq(rig_state(r->rig)->queues[RX].last_avail, 0);
}

Test(virtio_net, a_machine_that_stands_receives_nothing)
{
    g_autoptr(NetRig) r = started(true, 0);

    offer_rx(r, 0, 1526);
    machine_set_running(r->rig->board->machine, false);
    cr_assert(!give_to(r, "\xff\xff\xff\xff\xff\xff"));
    machine_set_running(r->rig->board->machine, true);
    cr_assert(give_to(r, "\xff\xff\xff\xff\xff\xff"));
}

/* --- headers ---------------------------------------------------------------------------------------------------- */

Test(virtio_net, a_backend_with_headers_gets_and_gives_them)
{
    g_autoptr(NetRig) r = net_rig_on(&header_ops);
    uint8_t frame[HEADER_MODERN + 60] = {1, 0, 0, 0, 0, 0, 34, 0, 16};
    uint64_t offloads = GUINT64_TO_LE(GUEST_CSUM);
    uint32_t len;

    rig_start(r->rig, true, GUEST_CSUM | GUEST_TSO4 | OFFLOADS | CTRL_VQ);
    cr_assert_eq(r->net.header, HEADER_MODERN);
    cr_assert_eq(r->net.offloads, NET_OFFLOAD_CSUM | NET_OFFLOAD_TSO4);
    cr_assert_eq(command(r, 5, 0, &offloads, 8), 0);
    cr_assert_eq(r->net.offloads, NET_OFFLOAD_CSUM);
    offloads = GUINT64_TO_LE(GUEST_CSUM | VIRTIO_F(8));
    cr_assert_eq(command(r, 5, 0, &offloads, 8), 1, "it has not taken TSO6");
    offer_rx(r, 0, 1526);
    memset(frame + HEADER_MODERN, 0xff, 6);
    cr_assert(give(r, frame, sizeof frame));
    cr_assert_eq(rig_take(r->rig, RX, &len), 0);
    cr_assert_eq(len, sizeof frame);
    frame[10] = 1; /* of buffers */
    cr_assert_arr_eq(r->rig->ram + buffer(RX, 0), frame, sizeof frame);
    offer_tx(r, 0, "frame", 5, HEADER_MODERN);
    board_advance(r->rig->board, 10);
    cr_assert_eq(r->net.sent[0]->len, HEADER_MODERN + 5);
    rig_status(r->rig, 0);
    cr_assert_eq(r->net.header, HEADER_LEGACY);
    cr_assert_eq(r->net.offloads, 0);
}

/* --- control ---------------------------------------------------------------------------------------------------- */

Test(virtio_net, the_driver_says_what_it_wants_to_receive)
{
    g_autoptr(NetRig) r = started(true, CTRL_VQ | CTRL_RX | VIRTIO_F(20));
    static const struct {
        uint8_t mode, on;
        const char *pattern; /* all, own address, another's, a group, another group */
    } steps[] = {
        {0, 1, "11111"}, {0, 0, "11000"}, {1, 1, "11011"}, {1, 0, "11000"}, {2, 1, "11100"}, {4, 1, "10000"},
        {4, 0, "11100"}, {2, 0, "11000"}, {5, 1, "01000"}, {1, 1, "01011"}, {3, 1, "01000"},
    };

    expect(r, "11111"); /* as after reset */
    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        cr_assert_eq(command(r, 0, steps[i].mode, &steps[i].on, 1), 0);
        expect(r, steps[i].pattern);
    }
    cr_assert_eq(command(r, 0, 6, "\1", 1), 1);
    cr_assert_eq(command(r, 9, 0, "\1", 1), 1);
    cr_assert_eq(command(r, 0, 0, NULL, 0), 1);
}

Test(virtio_net, the_driver_says_which_addresses_are_its_own)
{
    g_autoptr(NetRig) r = started(true, CTRL_VQ | CTRL_RX | VIRTIO_F(23));
    uint8_t table[8 + 70 * 6] = {0};

    command(r, 0, 0, "\0", 1);
    memcpy(table, "\1\0\0\0\x52\x54\0\x12\x34\x58\1\0\0\0\x01\0\x5e\0\0\2", 20);
    cr_assert_eq(command(r, 1, 0, table, 20), 0);
    expect(r, "11101");
    cr_assert_eq(command(r, 1, 0, table, 19), 1, "half an address");
    cr_assert_eq(command(r, 1, 0, table, 21), 1, "more than it says");
    table[0] = 200;
    cr_assert_eq(command(r, 1, 0, table, 20), 1, "more than there are");
    expect(r, "11101");
    memset(table, 0, sizeof table);
    table[0] = 70;
    cr_assert_eq(command(r, 1, 0, table, 4 + 70 * 6 + 4), 0);
    expect(r, "11100"); /* too many: all of the sort pass */
    memset(table, 0, 8);
    cr_assert_eq(command(r, 1, 0, table, 8), 0);
    cr_assert_eq(command(r, 1, 1, to_other, 6), 0);
    expect(r, "10100");
    cr_assert_eq(command(r, 1, 1, to_other, 5), 1);
}

Test(virtio_net, the_driver_says_which_vlans_it_wants)
{
    g_autoptr(NetRig) r = started(true, CTRL_VQ | CTRL_RX | CTRL_VLAN);

    command(r, 0, 0, "\0", 1);
    cr_assert(arrives(r, to_it, 0));
    cr_assert(!arrives(r, to_it, 0x123));
    cr_assert_eq(command(r, 2, 0, "\x23\1", 2), 0);
    cr_assert(arrives(r, to_it, 0x123));
    cr_assert(arrives(r, to_it, 0xe123), "priority is another thing");
    cr_assert(!arrives(r, to_it, 0x124));
    cr_assert_eq(command(r, 2, 1, "\x23\1", 2), 0);
    cr_assert(!arrives(r, to_it, 0x123));
    cr_assert_eq(command(r, 2, 0, "\0\x10", 2), 1, "there is no VLAN 4096");
}

Test(virtio_net, a_command_without_room_for_its_acknowledgement_breaks_it)
{
    g_autoptr(NetRig) r = started(true, CTRL_VQ);

    rig_desc(r->rig, CONTROL, 0, (RigDesc){buffer(CONTROL, 0), 3, 0, 0});
    rig_offer(r->rig, CONTROL, 0);
    rig_kick(r->rig, CONTROL);
    cr_assert(rig_status_in(r->rig) & VIRTIO_NEEDS_RESET);
}
