/* test-ide-cd-state.c: what goes along of a CD drive, and of requests that are in flight, given up or failed. */
#include "tests/emu/cd-rig.h"

static void save(Rig *rig, ByteOut *octets)
{
    board_save(rig->board, rig->dev, octets);
}

static void load(Rig *rig, const ByteOut *octets)
{
    g_autoptr(GError) error = NULL;

    cr_assert(board_load(rig->board, rig->dev, octets->data, octets->len, 3, &error), "%s", error->message);
}

static void move_state(Rig *from, Rig *to)
{
    ByteOut octets = {0};

    save(from, &octets);
    load(to, &octets);
    byte_out_done(&octets);
}

/* What Ferry notes of a transfer that QEMU's stream has no field for; all that there are become zeros. */
static void forget_notes(ByteOut *octets)
{
    for (size_t i = 0; i + 8 <= octets->len; i++)
        if (memcmp(octets->data + i, "FerryIDE", 8) == 0)
            memset(octets->data + i, 0, 32);
}

/* --- replies that go on ----------------------------------------------------------------------------------------- */

Test(ide_cd_state, a_read_goes_on_in_the_middle_of_a_block_and_of_a_sector)
{
    Rig from = cd_rig(CD), to = cd_rig(CD);
    Reply reply = {.len = 2000};

    send_packet(&from, PACKET(0x28, 0, 0, 0, 0, 50, 0, 0, 10), 3000);
    finish(&from);
    read_data(&from, reply.data, reply.len);
    move_state(&from, &to);
    read_data(&to, reply.data + reply.len, 1000);
    reply.len = 3000;
    to.board->level[IRQ_1] = true; /* as its interrupt controller would have it */
    cr_assert(take_reply(&to, &reply));
    cr_assert_eq(reply.len, 20480);
    assert_sectors(reply.data, 200, 40);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_cd_state, a_read_that_is_in_flight_goes_on)
{
    Rig from = cd_rig(CD), to = cd_rig(CD);
    Reply reply = {.len = 0};

    send_packet(&from, PACKET(0xbe, 0, 0, 0, 0, 50, 0, 0, 10, 0xf8), 2352);
    move_state(&from, &to);
    cr_assert_eq(from.board->rises[IRQ_1], 1);
    to.board->level[IRQ_1] = true;
    cr_assert(take_reply(&to, &reply));
    cr_assert_eq(reply.len, 23520);
    for (unsigned i = 0; i < 10; i++)
        assert_sectors(reply.data + 2352 * i + 16, 200 + 4 * i, 4);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_cd_state, a_reply_of_the_drive_goes_on)
{
    Rig from = cd_rig(CD), to = cd_rig(CD);
    Reply reply = {.len = 8};

    send_packet(&from, PACKET(0x12, 0, 0, 0, 36), 8);
    read_data(&from, reply.data, 8);
    move_state(&from, &to);
    to.board->level[IRQ_1] = true;
    cr_assert(take_reply(&to, &reply));
    cr_assert_eq(reply.len, 36);
    cr_assert_eq(memcmp(reply.data + 8, "QEMU    QEMU DVD-ROM    2.5+", 28), 0);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_cd_state, dma_that_was_not_started_is_started_there)
{
    Rig from = cd_rig(CD), to = cd_rig(CD);

    descriptor(&to, 0, BUFFER, 4704, true);
    send_packet(&from, PACKET(0xbe, 0, 0, 0, 0, 50, 0, 0, 2, 0xf8), 0);
    move_state(&from, &to);
    cr_assert_eq(in(&to, STATUS), 0x58);
    master_start(&to, true);
    finish(&to);
    assert_sectors(to.ram->host + BUFFER + 2352 + 16, 204, 4);
    cr_assert_eq(in(&to, STATUS), 0x50);
    board_out8(to.board, to.master, 0);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_cd_state, a_reply_by_dma_that_was_not_started_is_started_there)
{
    Rig from = cd_rig(CD), to = cd_rig(CD);

    descriptor(&to, 0, BUFFER, 8, true);
    send_packet(&from, PACKET(0x25), 0);
    move_state(&from, &to);
    master_start(&to, true);
    cr_assert_eq(to.ram->host[BUFFER + 2], 0x07);
    cr_assert_eq(to.ram->host[BUFFER + 3], 0xff);
    cr_assert_eq(in(&to, STATUS), 0x50);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_cd_state, a_block_of_qemu_s_is_taken_and_the_command_then_sent_again)
{
    Rig from = cd_rig(CD), to = cd_rig(CD);
    ByteOut octets = {0}, again = {0};
    Reply reply = {.len = 0};

    send_packet(&from, PACKET(0x28, 0, 0, 0, 0, 50, 0, 0, 2), 2048);
    finish(&from);
    save(&from, &octets);
    forget_notes(&octets);
    load(&to, &octets);
    save(&to, &again); /* nothing is added to it */
    cr_assert_eq(again.len, octets.len);
    cr_assert_eq(memcmp(again.data, octets.data, octets.len), 0);
    to.board->level[IRQ_1] = true;
    cr_assert_not(take_reply(&to, &reply));
    cr_assert_eq(reply.len, 2048);
    assert_sectors(reply.data, 200, 4);
    cr_assert_eq(sense(&to), 0xb00); /* aborted */
    cr_assert(ask(&to, PACKET(0x28, 0, 0, 0, 0, 50, 0, 0, 2), &reply));
    byte_out_done(&octets);
    byte_out_done(&again);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_cd_state, a_note_of_another_transfer_does_not_count)
{
    Rig from = cd_rig(CD), to = cd_rig(CD);
    ByteOut octets = {0};
    Reply reply = {.len = 0};

    send_packet(&from, PACKET(0x28, 0, 0, 0, 0, 50, 0, 0, 2), 2048);
    finish(&from);
    save(&from, &octets);
    size_t at = 0;
    while (memcmp(octets.data + at, blk_memory_data(from.cd) + 200 * 512, 512) != 0)
        at++;
    octets.data[at] ^= 1; /* the block is another */
    load(&to, &octets);
    to.board->level[IRQ_1] = true;
    cr_assert_not(take_reply(&to, &reply));
    byte_out_done(&octets);
    rig_free(&from);
    rig_free(&to);
}

Test(ide_cd_state, tray_lock_sense_and_events_go_along)
{
    Rig from = cd_rig(CD), to = cd_rig(CD), last = cd_rig(CD);

    cr_assert_eq(failure(&from, PACKET(0x1e, 0, 0, 0, 1)), 0);
    cr_assert_not(piix3_ide_press_eject(from.dev, 1, 0));
    send_packet(&from, PACKET(0xff), LIMIT);
    move_state(&from, &to);
    cr_assert_eq(sense(&to), 0x520);
    cr_assert_eq(failure(&to, PACKET(0x1b, 0, 0, 0, 2)), 0x253);
    assert_reply(&to, PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 0, 4, 4, 0x10, 1, 2, 0, 0);
    cr_assert_eq(failure(&to, PACKET(0x1e)), 0);
    cr_assert(piix3_ide_press_eject(to.dev, 1, 0));
    move_state(&to, &last);
    cr_assert(piix3_ide_tray_is_open(last.dev, 1, 0));
    cr_assert_eq(failure(&last, UNIT_READY), 0x23a);
    rig_free(&from);
    rig_free(&to);
    rig_free(&last);
}

Test(ide_cd_state, any_access_after_a_packet_is_survived)
{
    Rig rig = cd_rig(CD);
    uint8_t packet[12];
    g_autoptr(GRand) random = g_rand_new_with_seed(1);

    for (unsigned i = 0; i < 3000; i++) {
        unsigned limits[] = {0, 2, 512, 3001, 0xffff};
        for (unsigned k = 0; k < 12; k++)
            packet[k] = (uint8_t)(g_rand_int(random) & (k > 1 && k < 8 ? 0x03 : 0xff));
        out(&rig, STATUS, 0x08);
        send_packet(&rig, packet, limits[i % 5]);
        if (i % 3 == 0)
            finish(&rig);
        if (i % 7 == 0)
            master_start(&rig, true);
        for (unsigned n = 0; n < 600; n++)
            board_in16(rig.board, rig.command);
        if (i % 100 == 0)
            move_state(&rig, &rig);
    }
    rig_free(&rig);
}

/* --- requests that were given up, or have failed ---------------------------------------------------------------- */

Test(ide_cd_state, an_old_write_that_was_given_up_ends_before_a_new_one_begins)
{
    Rig rig = rig_new(DISK, 0);
    uint8_t data[512];

    memset(data, 0x11, sizeof data);
    command_28(&rig, 0x30, 5, 1);
    write_data(&rig, data, sizeof data);
    board_out8(rig.board, CONTROL_0, 0x04);
    board_out8(rig.board, CONTROL_0, 0x00);
    memset(data, 0x22, sizeof data);
    command_28(&rig, 0x30, 5, 1);
    write_data(&rig, data, sizeof data);
    g_main_context_iteration(NULL, FALSE);
    cr_assert_eq(blk_memory_held(rig.disk), 1); /* not both */
    finish(&rig);
    cr_assert_eq(writes(&rig), 2);
    cr_assert_eq(disk_data(&rig)[5 * 512], 0x22);
    cr_assert_eq(rig.board->rises[IRQ_0], 1);
    command_28(&rig, 0x20, 5, 1); /* and one that never got to the disk is forgotten */
    board_out8(rig.board, CONTROL_0, 0x04);
    board_out8(rig.board, CONTROL_0, 0x00);
    command_28(&rig, 0x20, 5, 1);
    board_out8(rig.board, CONTROL_0, 0x04);
    board_out8(rig.board, CONTROL_0, 0x00);
    finish(&rig);
    cr_assert_eq(reads(&rig), 1);
    rig_free(&rig);
}

enum { COMPAT_STATUS_0 = 276 + 1 };

Test(ide_cd_state, a_block_that_failed_at_the_source_comes_with_its_buffer_and_is_tried_again)
{
    Rig rig = rig_new(DISK, 0);
    ByteOut octets = {0}, again = {0};
    uint8_t data[512];

    out(&rig, SELECT, 0xe0);
    out(&rig, SECTOR, 99);
    out(&rig, COUNT, 1);
    save(&rig, &octets);
    size_t idle = octets.len;
    octets.data[COMPAT_STATUS_0] = 0x30; /* a block through the data register, to be read */
    load(&rig, &octets);
    save(&rig, &again);
    cr_assert_gt(again.len, idle + 2 * 131076); /* of both drives of that cable */
    load(&rig, &again);
    cr_assert_eq(reads(&rig), 0);
    machine_set_running(rig.board->machine, true);
    finish(&rig);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    read_data(&rig, data, sizeof data);
    assert_sectors(data, 99, 1);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    byte_out_done(&octets);
    byte_out_done(&again);
    rig_free(&rig);
}

Test(ide_cd_state, qemu_s_disk_goes_on_in_the_middle_of_a_block)
{
    Rig rig = rig_new(MIB, MIB);
    uint8_t data[20 * 512];

    board_load_recorded(rig.board, rig.dev, "l1-ide-pio", false); /* 600 octets of it were read there */
    machine_set_running(rig.board->machine, true);
    read_data(&rig, data + 600, 16 * 512 - 600);
    finish(&rig);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    read_data(&rig, data + 16 * 512, 4 * 512);
    for (unsigned i = 600; i < sizeof data; i++)
        cr_assert_eq(data[i], octet_of(5 + i / 512, i % 512));
    cr_assert_eq(in(&rig, STATUS), 0x50);
    rig_free(&rig);
}

Test(ide_cd_state, a_read_that_failed_with_qemu_is_tried_again)
{
    Rig rig = rig_new(MIB, 0);
    uint8_t data[1024];

    board_load_recorded(rig.board, rig.dev, "l3-ide-failed", false);
    machine_set_running(rig.board->machine, true);
    for (unsigned i = 0; i < 2; i++) {
        finish(&rig);
        cr_assert_eq(in(&rig, STATUS), 0x58);
        read_data(&rig, data + 512 * i, 512);
    }
    assert_sectors(data, 9, 2);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    rig_free(&rig);
}

Test(ide_cd_state, a_disk_s_dma_that_waits_goes_along_as_qemu_s_does)
{
    Rig from = rig_new(DISK, 0), to = rig_new(DISK, 0);
    ByteOut octets = {0};

    command_28(&from, 0xc8, 77, 2);
    save(&from, &octets);
    cr_assert_eq(octets.data[COMPAT_STATUS_0], 0x28); /* a read by DMA */
    forget_notes(&octets);
    load(&to, &octets);
    machine_set_running(to.board->machine, true);
    cr_assert_eq(in(&to, STATUS), 0x58);
    cr_assert_eq(reads(&to), 0); /* it waits there, too */
    descriptor(&to, 0, BUFFER, 1024, true);
    master_start(&to, true);
    finish(&to);
    assert_sectors(to.ram->host + BUFFER, 77, 2);
    cr_assert_eq(in(&to, STATUS), 0x50);
    byte_out_done(&octets);
    rig_free(&from);
    rig_free(&to);
}
