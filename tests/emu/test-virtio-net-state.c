/* test-virtio-net-state.c: what is saved of a network card by virtio, and its ROM. */
#include "tests/emu/support/virtio-net-rig.h"

Test(virtio_net_state, it_is_the_one_that_qemu_records)
{
    g_autoptr(NetRig) r = net_rig();

    machine_set_running(r->rig->board->machine, false);
    rig_load_recorded(r->rig, "c1-kvm-virtio");
    rig_load_recorded(r->rig, "f2-kvm-virtio-10s");
    rig_load_recorded(r->rig, "j2-kvm-linux-virtio");
    rig_quiet_ring(r->rig, 0x2a4f000, 0x2a4f240, 1);
    rig_quiet_ring(r->rig, 0x2a4d000, 0x2a4d240, 7);
    rig_quiet_ring(r->rig, 0x2aa9400, 0x2aa94c0, 9);
    rig_load_recorded(r->rig, "j1-tcg-linux-virtio");
    cr_assert_eq(rig_state(r->rig)->features, UINT64_C(0x10130af8024));
}

/* Loads what was saved of one into another, with its memory. */
static NetRig *move(NetRig *from)
{
    NetRig *to = net_rig();
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};

    machine_set_running(from->rig->board->machine, false);
    machine_set_running(to->rig->board->machine, false);
    board_save(from->rig->board, from->rig->dev, &octets);
    memcpy(to->rig->ram, from->rig->ram, 16 << 20);
    cr_assert(board_load(to->rig->board, to->rig->dev, octets.data, octets.len, 11, &error), "%s",
              error ? error->message : "");
    to->rig->modern = from->rig->modern;
    memcpy(to->rig->num, from->rig->num, sizeof to->rig->num);
    memcpy(to->rig->used_at, from->rig->used_at, sizeof to->rig->used_at);
    memcpy(to->rig->next, from->rig->next, sizeof to->rig->next);
    memcpy(to->rig->seen, from->rig->seen, sizeof to->rig->seen);
    byte_out_done(&octets);
    return to;
}

Test(virtio_net_state, frames_and_filters_go_along_and_the_driver_announces_itself)
{
    g_autoptr(NetRig) here = started(true, CTRL_VQ | CTRL_RX | ANNOUNCE | STATUS);

    command(here, 0, 0, "\0", 1);
    offer_tx(here, 0, "on its way", 10, HEADER_MODERN);
    g_autoptr(NetRig) there = move(here);
    cr_assert_eq(here->net.count, 0);
    machine_set_running(there->rig->board->machine, true);
    board_advance(there->rig->board, 10);
    cr_assert_eq(there->net.count, 1);
    cr_assert_arr_eq(there->net.sent[0]->data, "on its way", 10);
    expect(there, "11000");
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_eq(rig_in(there->rig, 0x2006, 2), 3, "round %u", i);
        cr_assert(rig_isr(there->rig) & 2);
        cr_assert_eq(command(there, 3, 0, NULL, 0), 0);
        cr_assert_eq(rig_in(there->rig, 0x2006, 2), 1);
        board_advance(there->rig->board, NS_PER_SECOND);
    }
    cr_assert_eq(rig_in(there->rig, 0x2006, 2), 1);
    cr_assert_eq(command(there, 3, 0, NULL, 0), 1);
}

Test(virtio_net_state, what_a_backend_sent_not_goes_along)
{
    g_autoptr(NetRig) here = started(true, 0);

    here->net.room = 1;
    for (uint16_t n = 0; n < 3; n++)
        offer_tx(here, n, "frame", 5, HEADER_MODERN);
    board_advance(here->rig->board, 10);
    g_autoptr(NetRig) there = move(here);
    machine_set_running(there->rig->board->machine, true);
    board_advance(there->rig->board, 10);
    cr_assert_eq(there->net.count, 2);
    cr_assert_eq(rig_used_index(there->rig, TX), 3);
}

Test(virtio_net_state, headers_do_not_go_where_there_are_none)
{
    g_autoptr(NetRig) here = net_rig_on(&header_ops), there = net_rig();
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};

    board_save(here->rig->board, here->rig->dev, &octets);
    cr_assert(!board_load(there->rig->board, there->rig->dev, octets.data, octets.len, 11, &error));
    cr_assert(strstr(error->message, "has_vnet_hdr"), "%s", error->message);
    byte_out_done(&octets);
}

Test(virtio_net_state, any_state_comes_back)
{
    g_autoptr(NetRig) r = net_rig();

    board_try_states(r->rig->board, r->rig->dev, 60);
}

Test(virtio_net_state, its_rom_is_memory_with_qemus_name)
{
    Device *dev = device_new(&virtio_net_type);
    uint8_t octets[5000] = {0x55, 0xaa};

    virtio_net_set_backend(dev, NULL, own_mac);
    virtio_net_set_rom(dev, octets, sizeof octets);
    ((PciDevice *)dev)->devfn = SLOT_3;
    g_autoptr(Rig) rig = rig_new(dev);
    RamArea *rom = machine_find_ram(rig->board->machine, "0000:00:03.0/virtio-net-pci.rom");
    cr_assert_not_null(rom);
    cr_assert_eq(rom->size, 8192);
    rig_map(rig);
    rig_config_out(rig, 0x30, UINT32_MAX);
    cr_assert_eq(rig_config_in(rig, 0x30), 0xffffe001);
    rig_config_out(rig, 0x30, 0xfeb80001);
    cr_assert_eq(rig_memory_in(rig, 0xfeb80000, 2), 0xaa55);
    rig_memory_out(rig, 0xfeb80000, 0, 2);
    cr_assert_eq(rig_memory_in(rig, 0xfeb80000, 2), 0xaa55);
}
