/* test-ide-state.c: what is saved of the PIIX3's IDE controller. */
#include "tests/emu/ide-rig.h"

static Rig empty_rig(void)
{
    return rig_new(0, 0);
}

/* What the first has goes to the second. */
static void move_state(Rig *from, Rig *to)
{
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};

    board_save(from->board, from->dev, &octets);
    cr_assert(board_load(to->board, to->dev, octets.data, octets.len, 3, &error), "%s", error->message);
    byte_out_done(&octets);
}

Test(ide_state, it_is_the_one_that_qemu_records)
{
    static const char *const recordings[] = {
        "a-kvm-min",        "b3-kvm-pc-alldefaults", "c1-kvm-virtio", "f3-kvm-pc-10s",
        "h3-pc-i440fx-2.3", "j2-kvm-linux-virtio",   "l1-ide-pio",    "l2-ide-dma",
        "l3-ide-failed"};

    for (unsigned i = 0; i < G_N_ELEMENTS(recordings); i++) {
        Rig rig = rig_new(DISK, 4 * MIB);
        board_load_recorded(rig.board, rig.dev, recordings[i], false);
        rig_free(&rig);
    }
}

Test(ide_state, after_reset_it_is_as_qemu_s_of_the_same_drives)
{
    Rig rig = rig_new(DISK, 4 * MIB), other = rig_new(DISK, 4 * MIB);
    ByteOut ours = {0}, qemus = {0};

    machine_reset(rig.board->machine);
    board_load_recorded(other.board, other.dev, "b3-kvm-pc-alldefaults", false);
    board_save(rig.board, rig.dev, &ours);
    board_save(other.board, other.dev, &qemus);
    cr_assert_eq(ours.len, qemus.len);
    for (size_t i = 0; i < ours.len; i++)
        cr_assert_eq(ours.data[i], qemus.data[i], "octet %zu is 0x%02x, QEMU has 0x%02x", i, ours.data[i],
                     qemus.data[i]);
    byte_out_done(&ours);
    byte_out_done(&qemus);
    rig_free(&rig);
    rig_free(&other);
}

Test(ide_state, any_state_survives)
{
    Rig rig = rig_new(DISK, 4 * MIB);

    board_try_states(rig.board, rig.dev, 50);
    rig_free(&rig);
}

Test(ide_state, any_access_is_survived)
{
    Rig rig = rig_new(DISK, 4 * MIB);

    for (unsigned i = 0; i < 40; i++) {
        board_abuse_ports(rig.board, rig.dev, COMMAND_0, 8, 300 + i);
        board_abuse_ports(rig.board, rig.dev, MASTER_0, 16, 20 + i);
        board_abuse_ports(rig.board, rig.dev, COMMAND_1, 8, 300 + i);
        board_out8(rig.board, CONTROL_0, 0x04);
        board_out8(rig.board, CONTROL_0, 0x00);
        board_abuse_ports(rig.board, rig.dev, CONTROL_0, 1, 2);
        finish(&rig);
    }
    rig_free(&rig);
}

Test(ide_state, a_read_goes_on_in_the_middle_of_a_block)
{
    Rig from = rig_new(DISK, 0), to = rig_new(DISK, 0);
    uint8_t data[1024];

    command_28(&from, 0x20, 10, 2);
    finish(&from);
    read_data(&from, data, 200);
    move_state(&from, &to);
    cr_assert_eq(board_in8(to.board, CONTROL_0), 0x58);
    read_data(&to, data + 200, 312);
    finish(&to);
    read_data(&to, data + 512, 512);
    assert_sectors(data, 10, 2);
    cr_assert_eq(in(&to, STATUS), 0x50);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_state, a_write_goes_on_in_the_middle_of_a_block)
{
    Rig from = rig_new(DISK, 0), to = rig_new(DISK, 0);
    uint8_t data[1024];

    memset(data, 0x5a, sizeof data);
    command_28(&from, 0xc5, 10, 2);
    write_data(&from, data, 600);
    move_state(&from, &to);
    write_data(&to, data + 600, 424);
    finish(&to);
    cr_assert_eq(memcmp(disk_data(&to) + 10 * 512, data, 1024), 0);
    cr_assert_eq(in(&to, STATUS), 0x50);
    cr_assert_eq(to.board->rises[IRQ_0], 1);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_state, what_is_in_flight_ends_before_it_is_saved)
{
    Rig from = rig_new(DISK, 0), to = rig_new(DISK, 0);

    descriptor(&from, 0, BUFFER, 0, false);
    descriptor(&from, 1, BUFFER + 0x10000, 0, false);
    descriptor(&from, 2, BUFFER + 0x20000, 0, true);
    command_48(&from, 0x25, 1000, 384);
    master_start(&from, true);
    move_state(&from, &to);
    assert_sectors(from.ram->host + BUFFER, 1000, 384);
    cr_assert_eq(from.board->rises[IRQ_0], 1);
    cr_assert_eq(to.board->rises[IRQ_0], 0); /* the interrupt controllers have it */
    cr_assert_eq(master_status(&to), 0x04);
    cr_assert_eq(in(&to, STATUS), 0x50);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_state, what_is_in_flight_ends_when_the_machine_stops)
{
    Rig rig = rig_new(DISK, 0);

    machine_set_running(rig.board->machine, true);
    command_28(&rig, 0x20, 1, 1);
    machine_set_running(rig.board->machine, false);
    cr_assert_eq(rig.board->rises[IRQ_0], 1);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    rig_free(&rig);
}

Test(ide_state, a_dma_that_was_not_started_is_started_there)
{
    Rig from = rig_new(DISK, 0), to = rig_new(DISK, 0);

    command_48(&from, 0x25, 1234, 2);
    move_state(&from, &to);
    cr_assert_eq(in(&to, STATUS), 0x58);
    descriptor(&to, 0, BUFFER, 1024, true);
    master_start(&to, true);
    finish(&to);
    assert_sectors(to.ram->host + BUFFER, 1234, 2);
    cr_assert_eq(master_status(&to), 0x04);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_state, a_master_that_waits_for_a_command_gets_it_there)
{
    Rig from = rig_new(DISK, 0), to = rig_new(DISK, 0);

    master_start(&from, true);
    board_out8(from.board, MASTER_0 + 2, 0x60); /* bits that the stream has in another place */
    move_state(&from, &to);
    cr_assert_eq(master_status(&to), 0x61);
    descriptor(&to, 0, BUFFER, 512, true);
    command_28(&to, 0xc8, 6, 1);
    finish(&to);
    assert_sectors(to.ram->host + BUFFER, 6, 1);
    cr_assert_eq(master_status(&to), 0x64);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_state, settings_go_along)
{
    Rig from = rig_new(DISK, 0), to = rig_new(DISK, 0);
    uint8_t data[512];

    out(&from, COUNT, 32);
    out(&from, SELECT, 0xa7);
    out(&from, STATUS, 0x91);
    out(&from, ERROR, 0x82);
    out(&from, STATUS, 0xef);
    move_state(&from, &to);
    out(&to, SELECT, 0xa0);
    out(&to, COUNT, 1);
    out(&to, SECTOR, 1);
    out(&to, CYL_LOW, 1);
    out(&to, CYL_HIGH, 0);
    out(&to, STATUS, 0x20);
    finish(&to);
    read_data(&to, data, sizeof data);
    assert_sectors(data, 256, 1);
    out(&to, COUNT, 1);
    out(&to, STATUS, 0x30);
    write_data(&to, data, sizeof data);
    finish(&to);
    cr_assert_eq(throughs(&to), 1);
    rig_free(&from);
    rig_free(&to);
}

/* --- states that are refused, and that come from a failure ------------------------------------------------------ */

enum { BUS_UNIT_0 = 276 + 2 * 19 + 1, COMPAT_STATUS_0 = 276 + 1, RETRY_0 = 276 + 6 };

/* The state of an idle rig, one octet of which is another. */
static bool load_changed(Rig *rig, size_t offset, uint8_t value, GError **error)
{
    ByteOut octets = {0};

    board_save(rig->board, rig->dev, &octets);
    octets.data[offset] = value;
    bool ok = board_load(rig->board, rig->dev, octets.data, octets.len, 3, error);
    byte_out_done(&octets);
    return ok;
}

Test(ide_state, a_drive_that_there_is_not_is_refused)
{
    Rig rig = empty_rig();
    g_autoptr(GError) error = NULL;

    cr_assert_not(load_changed(&rig, BUS_UNIT_0, 7, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert(strstr(error->message, "ide.bus[0].unit: the stream has 7, the destination takes 0 to 1"), "%s",
              error->message);
    rig_free(&rig);
}

/* Of a state in the middle of a block: pio_state's fields, counted from the end of the section. */
static void assert_block_refused(size_t from_end, uint32_t value, const char *field)
{
    Rig rig = rig_new(DISK, 0);
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};
    /* ide_drive/pio_state is in the first of four drives: the three others are behind it, of 28 octets each */
    size_t behind = 3 * 28;

    command_28(&rig, 0x20, 10, 2);
    finish(&rig);
    board_save(rig.board, rig.dev, &octets);
    for (unsigned i = 0; i < 4; i++)
        octets.data[octets.len - behind - from_end + i] = (uint8_t)(value >> (24 - 8 * i));
    cr_assert_not(board_load(rig.board, rig.dev, octets.data, octets.len, 3, &error), "%s", field);
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED), "%s", error->message);
    cr_assert(strstr(error->message, field), "%s", error->message);
    byte_out_done(&octets);
    rig_free(&rig);
}

Test(ide_state, a_block_that_is_not_in_the_buffer_is_refused)
{
    assert_block_refused(17, 0x10000000, "ide.bus[0].ifs[0].pio_state.cur_io_buffer_offset");
    assert_block_refused(17, 0xffffffff, "cur_io_buffer_offset");
    assert_block_refused(13, 131077, "cur_io_buffer_len");
    assert_block_refused(13, 0x80000000, "cur_io_buffer_len");
    assert_block_refused(9, 0x06000000, "end_transfer_fn_idx");
    assert_block_refused(8, 0xffffffff, "elementary_transfer_size");
    assert_block_refused(4, 0x80000000, "packet_transfer_size");
    assert_block_refused(17 + 131076 + 4, 17, "req_nb_sectors");
}

Test(ide_state, a_dma_that_failed_at_the_source_is_tried_again_when_the_machine_starts)
{
    Rig rig = rig_new(DISK, 0);

    command_28(&rig, 0xca, 0, 1); /* the address is an LBA from here on */
    board_out8(rig.board, CONTROL_0, 0x04);
    board_out8(rig.board, CONTROL_0, 0x00);
    out(&rig, SELECT, 0xe0);
    board_out32(rig.board, MASTER_0 + 4, TABLE);
    cr_assert(load_changed(&rig, RETRY_0 + 7, 99, NULL));
    cr_assert(load_changed(&rig, RETRY_0 + 11, 2, NULL));
    cr_assert(load_changed(&rig, COMPAT_STATUS_0, 0x09, NULL)); /* active, and a write by DMA to be tried again */
    descriptor(&rig, 0, BUFFER, 1024, true);
    memset(rig.ram->host + BUFFER, 0x77, 1024);
    cr_assert_eq(writes(&rig), 0);
    machine_set_running(rig.board->machine, true);
    finish(&rig);
    cr_assert_eq(disk_data(&rig)[99 * 512], 0x77);
    cr_assert_eq(disk_data(&rig)[101 * 512 - 1], 0x77);
    assert_sectors(disk_data(&rig) + 101 * 512, 101, 1);
    cr_assert_eq(rig.board->rises[IRQ_0], 1);
    cr_assert_eq(master_status(&rig), 0x04);
    rig_free(&rig);
}

Test(ide_state, removed_it_is_no_longer_there)
{
    Rig rig = rig_new(DISK, 0);

    command_28(&rig, 0x20, 1, 1);
    machine_remove_device(rig.board->machine, rig.dev);
    cr_assert_eq(in(&rig, STATUS), 0xff);
    cr_assert_eq(reads(&rig), 1);
    cr_assert_eq(blk_memory_held(rig.disk), 0);
    cr_assert_null(section_list_find(rig.board->machine->sections, "0000:00:01.1/ide", 0));
    rig_free(&rig);
}

Test(ide_state, a_disk_without_an_image_is_an_error)
{
    g_autoptr(Board) board = board_new();
    Device *bus = board_add(board, device_new(&pci_bus_type));
    g_autoptr(Device) dev = device_new(&piix3_ide_type);
    g_autoptr(GError) error = NULL;

    ((PciDevice *)dev)->bus = (PciBus *)bus;
    ((PciDevice *)dev)->devfn = PCI_DEVFN(1, 1);
    piix3_ide_attach(dev, 1, 1, &(IdeUnit){.kind = IDE_DISK});
    cr_assert_not(device_realize(dev, board->machine, &error));
    cr_assert_str_eq(error->message, "piix3-ide: disk 1 of cable 1 has no image");
}
