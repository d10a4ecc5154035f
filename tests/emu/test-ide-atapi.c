/* test-ide-atapi.c: a CD drive on the PIIX3's IDE controller: packets, how data goes, the tray and the medium. */
#include "tests/emu/cd-rig.h"

static void assert_cd_sectors(const uint8_t *data, uint64_t sector, unsigned count)
{
    assert_sectors(data, 4 * sector, 4 * count);
}

/* --- the task file ---------------------------------------------------------------------------------------------- */

Test(ide_atapi, after_reset_the_task_file_has_the_signature_of_a_packet_drive)
{
    Rig rig = empty_drive();

    cr_assert_eq(in(&rig, COUNT), 1);
    cr_assert_eq(in(&rig, SECTOR), 1);
    cr_assert_eq(in(&rig, CYL_LOW), 0x14);
    cr_assert_eq(in(&rig, CYL_HIGH), 0xeb);
    board_out8(rig.board, CONTROL_1, 0x04);
    board_out8(rig.board, CONTROL_1, 0x00);
    cr_assert_eq(in(&rig, STATUS), 0x00); /* not ready until it is spoken to */
    cr_assert_eq(in(&rig, CYL_HIGH), 0xeb);
    rig_free(&rig);
}

Test(ide_atapi, commands_of_disks_are_aborted_and_tell_the_signature)
{
    static const uint8_t commands[] = {0xec, 0x20};
    Rig rig = empty_drive();

    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        out(&rig, CYL_LOW, 0);
        out(&rig, CYL_HIGH, 0);
        out(&rig, STATUS, commands[i]);
        cr_assert_eq(in(&rig, STATUS), 0x51);
        cr_assert_eq(in(&rig, ERROR), 0x04);
        cr_assert_eq(in(&rig, CYL_LOW), 0x14);
        cr_assert_eq(in(&rig, CYL_HIGH), 0xeb);
    }
    out(&rig, STATUS, 0xc8);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    rig_free(&rig);
}

Test(ide_atapi, device_reset_works_in_the_middle_of_a_packet_and_is_silent)
{
    Rig rig = cd_rig(CD);

    out(&rig, STATUS, 0xa0);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    out(&rig, STATUS, 0x08);
    cr_assert_eq(in(&rig, STATUS), 0x00);
    cr_assert_eq(in(&rig, ERROR), 0x01);
    cr_assert_eq(in(&rig, CYL_HIGH), 0xeb);
    cr_assert_eq(rig.board->rises[IRQ_1], 0);
    assert_fails(&rig, UNIT_READY, 0);
    rig_free(&rig);
}

Test(ide_atapi, it_identifies_itself_as_a_removable_packet_drive)
{
    Rig rig = empty_drive();
    uint8_t data[512];
    char text[41] = "";

    out(&rig, STATUS, 0xa1);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    read_data(&rig, data, sizeof data);
    cr_assert_eq(data[0] | data[1] << 8, 0x85c0);            /* packets of 12 octets, CD-ROM, removable */
    cr_assert_eq((data[98] | data[99] << 8) & 0x300, 0x300); /* LBA, DMA */
    for (unsigned i = 0; i < 40; i++)
        text[i ^ 1] = (char)data[54 + i];
    cr_assert_str_eq(g_strchomp(text), "QEMU DVD-ROM");
    memset(text, 0, sizeof text);
    for (unsigned i = 0; i < 20; i++)
        text[i ^ 1] = (char)data[20 + i];
    cr_assert_str_eq(g_strchomp(text), "QM00003");
    memset(text, 0, sizeof text);
    for (unsigned i = 0; i < 8; i++)
        text[i ^ 1] = (char)data[46 + i];
    cr_assert_str_eq(g_strchomp(text), "2.5+");
    rig_free(&rig);
}

Test(ide_atapi, overlapped_packets_are_aborted)
{
    Rig rig = cd_rig(CD);

    out(&rig, ERROR, 0x02);
    out(&rig, STATUS, 0xa0);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    cr_assert_eq(in(&rig, ERROR), 0x04);
    rig_free(&rig);
}

/* --- how data goes ---------------------------------------------------------------------------------------------- */

Test(ide_atapi, no_interrupt_asks_for_the_packet_and_one_ends_a_command_without_data)
{
    Rig rig = cd_rig(CD);

    send_packet(&rig, UNIT_READY, LIMIT);
    cr_assert_eq(rig.board->rises[IRQ_1], 1);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_eq(in(&rig, COUNT) & 7, 3);
    rig_free(&rig);
}

Test(ide_atapi, sectors_go_in_blocks_of_at_most_the_limit)
{
    static const unsigned limits[] = {2048, 4096, 0xfffe, 0xffff, 3000, 3001, 512, 2, 20480};
    Rig rig = cd_rig(CD);

    for (unsigned i = 0; i < G_N_ELEMENTS(limits); i++) {
        unsigned limit = limits[i] == 0xffff ? 0xfffe : limits[i] & ~1U;
        Reply reply = {.len = 0};
        send_packet(&rig, PACKET(0x28, 0, 0, 0, 0x01, 0x23, 0, 0, 10), limits[i]);
        cr_assert(take_reply(&rig, &reply));
        cr_assert_eq(reply.len, 10 * 2048);
        cr_assert_eq(reply.blocks, (10 * 2048 + limit - 1) / limit, "limit %u: %u blocks", limits[i], reply.blocks);
        assert_cd_sectors(reply.data, 0x123, 10);
    }
    rig_free(&rig);
}

Test(ide_atapi, the_drive_is_busy_while_it_reads)
{
    Rig rig = cd_rig(CD);

    send_packet(&rig, PACKET(0x28, 0, 0, 0, 0, 9, 0, 0, 1), 2048);
    cr_assert_eq(in(&rig, STATUS), 0xd0);
    cr_assert_eq(rig.board->rises[IRQ_1], 0);
    finish(&rig);
    cr_assert_eq(rig.board->rises[IRQ_1], 1);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    cr_assert_eq(byte_count(&rig), 2048);
    rig_free(&rig);
}

Test(ide_atapi, a_reply_may_be_longer_than_the_limit_too)
{
    Rig rig = empty_drive();
    Reply reply = {.len = 0}, whole;

    cr_assert(ask(&rig, PACKET(0x12, 0, 0, 0, 36), &whole));
    cr_assert_eq(whole.blocks, 1);
    send_packet(&rig, PACKET(0x12, 0, 0, 0, 36), 10);
    cr_assert(take_reply(&rig, &reply));
    cr_assert_eq(reply.blocks, 4);
    cr_assert(reply_is(&reply, whole.data, whole.len));
    rig_free(&rig);
}

Test(ide_atapi, data_without_room_is_aborted_as_a_command_of_the_task_file)
{
    Rig rig = cd_rig(CD);

    out(&rig, CYL_LOW, 0);
    out(&rig, CYL_HIGH, 0);
    out(&rig, ERROR, 0);
    out(&rig, STATUS, 0xa0);
    write_data(&rig, PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 1), 12);
    finish(&rig);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    cr_assert_eq(in(&rig, ERROR), 0x04);
    rig_free(&rig);
}

Test(ide_atapi, dma_reads_into_the_memory_that_the_table_says)
{
    Rig rig = cd_rig(CD);

    for (unsigned n = 0; n < 3; n++)
        descriptor(&rig, n, BUFFER + 0x10000 * n, 0, n == 2);
    send_packet(&rig, PACKET(0xa8, 0, 0, 0, 0x02, 0x00, 0, 0, 0, 96), 0);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    master_start(&rig, true);
    finish(&rig);
    assert_cd_sectors(rig.ram->host + BUFFER, 0x200, 96);
    cr_assert_eq(blk_memory_count(rig.cd, BLOCK_READ), 2);
    cr_assert_eq(master_status(&rig), 0x04);
    cr_assert_eq(rig.board->rises[IRQ_1], 1);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_eq(in(&rig, COUNT) & 7, 3);
    rig_free(&rig);
}

Test(ide_atapi, other_replies_go_by_dma_too)
{
    Rig rig = cd_rig(CD);
    static const uint8_t capacity[] = {0, 0, 0x07, 0xff, 0, 0, 0x08, 0};

    descriptor(&rig, 0, BUFFER, 8, true);
    send_packet(&rig, PACKET(0x25), 0);
    master_start(&rig, true);
    cr_assert_eq(memcmp(rig.ram->host + BUFFER, capacity, sizeof capacity), 0);
    cr_assert_eq(master_status(&rig), 0x04);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    send_packet(&rig, UNIT_READY, 0); /* no data: nothing to wait for */
    cr_assert_eq(in(&rig, STATUS), 0x50);
    rig_free(&rig);
}

Test(ide_atapi, raw_sectors_have_their_header_in_blocks_and_by_dma)
{
    static const uint8_t packet[12] = {0xbe, 0, 0, 0, 0, 75, 0, 0, 40, 0xf8}; /* from 00:03:00 on */
    static const uint8_t head[] = {0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 0};
    Rig rig = cd_rig(CD);
    g_autofree uint8_t *data = g_malloc(80 * 2352);
    static Reply reply;

    for (unsigned n = 0; n < 2; n++)
        descriptor(&rig, n, BUFFER + 0x10000 * n, 0, n == 1);
    send_packet(&rig, packet, 0);
    master_start(&rig, true);
    finish(&rig);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    memcpy(data, rig.ram->host + BUFFER, 40 * 2352);
    send_packet(&rig, PACKET(0xbe, 0, 0, 0, 0, 75, 0, 0, 20, 0xf8), 5000);
    cr_assert(take_reply(&rig, &reply));
    cr_assert_eq(reply.len, 20 * 2352);
    cr_assert_eq(memcmp(reply.data, data, 20 * 2352), 0);
    for (unsigned i = 0; i < 40; i++) {
        const uint8_t *sector = data + 2352 * i;
        cr_assert_eq(memcmp(sector, head, sizeof head), 0);
        cr_assert_eq(sector[12], 0);
        cr_assert_eq(sector[13], 3);
        cr_assert_eq(sector[14], i);
        cr_assert_eq(sector[15], 1);
        assert_cd_sectors(sector + 16, 75 + i, 1);
        cr_assert_eq(sector[2351], 0);
    }
    rig_free(&rig);
}

Test(ide_atapi, an_error_of_the_medium_is_told_in_both_ways)
{
    Rig rig = cd_rig(CD);

    blk_memory_fail(rig.cd, 0, EIO);
    assert_fails(&rig, PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0x311); /* unrecovered read error */
    blk_memory_fail(rig.cd, 0, EIO);
    descriptor(&rig, 0, BUFFER, 2048, true);
    send_packet(&rig, PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 1), 0);
    master_start(&rig, true);
    finish(&rig);
    cr_assert_eq(in(&rig, STATUS), 0x41);
    cr_assert_eq(in(&rig, ERROR), 0x30);
    cr_assert(master_status(&rig) & 0x04);
    cr_assert_eq(sense(&rig), 0x311);
    cr_assert_eq(sense(&rig), 0); /* once */
    rig_free(&rig);
}

/* --- the medium ------------------------------------------------------------------------------------------------- */

Test(ide_atapi, without_a_medium_what_needs_one_is_not_ready)
{
    static const uint8_t commands[] = {0x00, 0x25, 0x28, 0x2b, 0x43, 0x51, 0xa8, 0xad, 0xb9, 0xbe};
    Rig rig = empty_drive();

    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++)
        assert_fails(&rig, PACKET(commands[i], 0, 0, 0, 0, 0, 0, 0, 1), 0x23a); /* medium not present */
    assert_fails(&rig, PACKET(0x12, 0, 0, 0, 36), 0);
    assert_fails(&rig, PACKET(0xff), 0x520); /* no such command */
    rig_free(&rig);
}

Test(ide_atapi, another_medium_is_first_none_then_one_that_may_have_changed)
{
    Rig rig = cd_rig(CD);
    Block *other = disk_new(2 * MIB, false);

    assert_fails(&rig, UNIT_READY, 0);
    piix3_ide_change_medium(rig.dev, 1, 0, other);
    assert_fails(&rig, PACKET(0x12, 0, 0, 0, 36), 0); /* is not held up */
    assert_fails(&rig, UNIT_READY, 0x23a);
    send_packet(&rig, UNIT_READY, LIMIT);
    cr_assert_eq(in(&rig, STATUS), 0x41);
    cr_assert_eq(in(&rig, ERROR), 0x60); /* attention */
    send_packet(&rig, PACKET(0x25), LIMIT);
    cr_assert_eq(in(&rig, STATUS), 0x41); /* still: nobody has asked why */
    cr_assert_eq(sense(&rig), 0x628);
    assert_reply(&rig, PACKET(0x25), 0, 0, 0x03, 0xff, 0, 0, 0x08, 0);
    piix3_ide_change_medium(rig.dev, 1, 0, NULL);
    assert_fails(&rig, UNIT_READY, 0x23a);
    assert_fails(&rig, UNIT_READY, 0x23a);
    rig_free(&rig);
    block_free(other);
}

Test(ide_atapi, what_is_in_flight_on_a_medium_ends_before_another_comes)
{
    Rig rig = cd_rig(CD);
    Block *other = disk_new(2 * MIB, false);
    Reply reply = {.len = 0};

    send_packet(&rig, PACKET(0x28, 0, 0, 0, 0, 5, 0, 0, 1), LIMIT);
    piix3_ide_change_medium(rig.dev, 1, 0, other);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    board_out8(rig.board, CONTROL_1, 0x00);
    read_data(&rig, reply.data, 2048);
    assert_cd_sectors(reply.data, 5, 1);
    rig_free(&rig);
    block_free(other);
}

Test(ide_atapi, events_are_told_once)
{
    static const uint8_t packet[12] = {0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8};
    Rig rig = empty_drive();
    Block *cd = disk_new(CD, false);

    assert_reply(&rig, packet, 0, 4, 4, 0x10, 0, 0, 0, 0); /* no change, no medium */
    piix3_ide_change_medium(rig.dev, 1, 0, cd);
    assert_reply(&rig, PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 4), 0, 4, 4, 0x10); /* no room for it */
    assert_reply(&rig, packet, 0, 4, 4, 0x10, 2, 2, 0, 0);                      /* new medium, present */
    assert_reply(&rig, packet, 0, 4, 4, 0x10, 0, 2, 0, 0);
    cr_assert(piix3_ide_press_eject(rig.dev, 1, 0));
    assert_reply(&rig, packet, 0, 4, 4, 0x10, 0, 1, 0, 0);                         /* the tray is open */
    assert_reply(&rig, PACKET(0x4a, 1, 0, 0, 0x02, 0, 0, 0, 8), 0, 0, 0x80, 0x10); /* none of power */
    assert_fails(&rig, PACKET(0x4a, 0, 0, 0, 0x10, 0, 0, 0, 8), 0x524);            /* it cannot wait for one */
    rig_free(&rig);
    block_free(cd);
}

Test(ide_atapi, a_locked_tray_stays_closed_and_asks_for_its_opening)
{
    Rig rig = cd_rig(CD);

    assert_fails(&rig, PACKET(0x1e, 0, 0, 0, 1), 0);
    assert_fails(&rig, PACKET(0x1b, 0, 0, 0, 2), 0x253); /* removal prevented */
    cr_assert_not(piix3_ide_press_eject(rig.dev, 1, 0));
    cr_assert_not(piix3_ide_tray_is_open(rig.dev, 1, 0));
    assert_reply(&rig, PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 0, 4, 4, 0x10, 1, 2, 0, 0);
    assert_fails(&rig, PACKET(0x1e, 0, 0, 0, 0), 0);
    assert_fails(&rig, PACKET(0x1b, 0, 0, 0, 2), 0);
    cr_assert(piix3_ide_tray_is_open(rig.dev, 1, 0));
    assert_fails(&rig, UNIT_READY, 0x23a);
    rig_free(&rig);
}

Test(ide_atapi, a_tray_that_the_guest_closes_has_a_new_medium)
{
    Rig rig = cd_rig(CD);

    assert_fails(&rig, PACKET(0x1b, 0, 0, 0, 2), 0);
    assert_reply(&rig, PACKET(0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8), 0, 0x10, 0, 0, 0, 1, 0, 0); /* the door is open */
    assert_fails(&rig, PACKET(0x1b, 0, 0, 0, 3), 0);
    cr_assert_not(piix3_ide_tray_is_open(rig.dev, 1, 0));
    assert_reply(&rig, PACKET(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8), 0, 4, 4, 0x10, 2, 2, 0, 0);
    assert_fails(&rig, UNIT_READY, 0x628);
    assert_fails(&rig, UNIT_READY, 0);
    assert_reply(&rig, PACKET(0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8), 0, 0, 0, 0, 0, 1, 0, 0);
    assert_fails(&rig, PACKET(0x1b, 0, 0, 0, 0), 0); /* it may stand still, and spin, and sleep */
    assert_fails(&rig, PACKET(0x1b, 0, 0, 0, 1), 0);
    assert_fails(&rig, PACKET(0x1b, 0, 0, 0, 0x52), 0);
    assert_fails(&rig, UNIT_READY, 0);
    rig_free(&rig);
}
