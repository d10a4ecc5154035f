/* test-ide-dma.c: disks on the PIIX3's IDE controller: its bus masters. */
#include "tests/emu/ide-rig.h"

/* --- DMA -------------------------------------------------------------------------------------------------------- */

Test(ide_disk, dma_reads_into_the_memory_that_the_table_says)
{
    Rig rig = rig_new(DISK, 0);

    descriptor(&rig, 0, BUFFER, 512, false);
    descriptor(&rig, 1, BUFFER + 0x8000, 1536, true);
    command_28(&rig, 0xc8, 77, 4);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    master_start(&rig, true);
    cr_assert_eq(master_status(&rig), 0x01);
    finish(&rig);
    assert_sectors(rig.ram->host + BUFFER, 77, 1);
    assert_sectors(rig.ram->host + BUFFER + 0x8000, 78, 3);
    cr_assert_eq(master_status(&rig), 0x04);
    cr_assert(rig.board->level[IRQ_0]);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    board_out8(rig.board, MASTER_0, 0x00);
    board_out8(rig.board, MASTER_0 + 2, 0x06);
    cr_assert_eq(master_status(&rig), 0x00);
    rig_free(&rig);
}

Test(ide_disk, the_master_may_be_started_before_the_command)
{
    Rig rig = rig_new(DISK, 0);

    descriptor(&rig, 0, BUFFER, 512, true);
    master_start(&rig, true);
    cr_assert_eq(master_status(&rig), 0x01);
    command_48(&rig, 0x25, 30000, 1);
    finish(&rig);
    assert_sectors(rig.ram->host + BUFFER, 30000, 1);
    cr_assert_eq(master_status(&rig), 0x04);
    rig_free(&rig);
}

Test(ide_disk, dma_writes_what_is_in_memory_and_a_count_of_0_is_64_kib)
{
    Rig rig = rig_new(DISK, 0);

    for (unsigned i = 0; i < 0x30000; i++)
        rig.ram->host[BUFFER + i] = (uint8_t)(i * 7 + i / 512);
    for (unsigned n = 0; n < 3; n++)
        descriptor(&rig, n, BUFFER + 0x10000 * n, 0, n == 2);
    command_48(&rig, 0x35, 2000, 384);
    master_start(&rig, false);
    finish(&rig);
    cr_assert_eq(memcmp(disk_data(&rig) + 2000 * 512, rig.ram->host + BUFFER, 0x30000), 0);
    assert_sectors(disk_data(&rig) + 2384 * 512, 2384, 1);
    cr_assert_eq(writes(&rig), 2); /* at most 256 sectors at once */
    cr_assert_eq(master_status(&rig), 0x04);
    cr_assert_eq(rig.board->rises[IRQ_0], 1);
    rig_free(&rig);
}

Test(ide_disk, fua_writes_go_through)
{
    Rig rig = rig_new(DISK, 0);

    descriptor(&rig, 0, BUFFER, 512, true);
    command_48(&rig, 0x3d, 1, 1);
    master_start(&rig, false);
    finish(&rig);
    cr_assert_eq(throughs(&rig), 1);
    rig_free(&rig);
}

Test(ide_disk, a_table_that_is_too_long_stays_active)
{
    Rig rig = rig_new(DISK, 0);

    descriptor(&rig, 0, BUFFER, 1024, true);
    command_28(&rig, 0xc8, 1, 1);
    master_start(&rig, true);
    finish(&rig);
    cr_assert_eq(master_status(&rig), 0x05);
    assert_sectors(rig.ram->host + BUFFER, 1, 1);
    cr_assert_eq(rig.ram->host[BUFFER + 512], 0);
    rig_free(&rig);
}

Test(ide_disk, a_table_that_is_too_short_stops_without_an_interrupt)
{
    Rig rig = rig_new(DISK, 0);

    descriptor(&rig, 0, BUFFER, 512, true);
    command_28(&rig, 0xc8, 1, 2);
    master_start(&rig, true);
    finish(&rig);
    cr_assert_eq(master_status(&rig), 0x00);
    cr_assert_eq(rig.board->rises[IRQ_0], 0);
    command_28(&rig, 0xca, 1, 2);
    board_out8(rig.board, MASTER_0, 0);
    master_start(&rig, false);
    finish(&rig);
    cr_assert_eq(writes(&rig), 0);
    cr_assert_eq(master_status(&rig), 0x00);
    rig_free(&rig);
}

Test(ide_disk, a_table_ends_at_a_multiple_of_64_kib)
{
    Rig rig = rig_new(DISK, 0);

    for (unsigned i = 0; i < 4; i++) { /* two descriptors in front of the border, two behind */
        space_write(rig.board->machine->memory, 0xfff0 + 8 * i, 0x20000, 4);
        space_write(rig.board->machine->memory, 0xfff4 + 8 * i, 512, 4);
    }
    command_28(&rig, 0xc8, 1, 3);
    board_out32(rig.board, MASTER_0 + 4, 0xfff0);
    board_out8(rig.board, MASTER_0, 0x09);
    finish(&rig);
    cr_assert_eq(master_status(&rig), 0x00);
    cr_assert_eq(rig.board->rises[IRQ_0], 0);
    rig_free(&rig);
}

Test(ide_disk, without_the_bus_the_master_fails_and_nothing_is_written)
{
    Rig rig = rig_new(DISK, 0);

    pci_config_write((PciDevice *)rig.dev, PCI_COMMAND, PCI_COMMAND_IO, 2);
    descriptor(&rig, 0, BUFFER, 512, true);
    command_28(&rig, 0xca, 1, 1);
    master_start(&rig, false);
    finish(&rig);
    cr_assert_eq(master_status(&rig), 0x02);
    cr_assert_eq(writes(&rig), 0);
    board_out8(rig.board, MASTER_0 + 2, 0x02);
    cr_assert_eq(master_status(&rig), 0x00);
    rig_free(&rig);
}

Test(ide_disk, stopped_in_flight_it_does_it_again_when_started_again)
{
    Rig rig = rig_new(DISK, 0);

    descriptor(&rig, 0, BUFFER, 512, true);
    command_28(&rig, 0xc8, 3, 1);
    master_start(&rig, true);
    board_out8(rig.board, MASTER_0, 0x00);
    finish(&rig);
    cr_assert_eq(rig.ram->host[BUFFER + 1], 0);
    cr_assert_eq(rig.board->rises[IRQ_0], 0);
    master_start(&rig, true);
    finish(&rig);
    assert_sectors(rig.ram->host + BUFFER, 3, 1);
    cr_assert_eq(rig.board->rises[IRQ_0], 1);
    rig_free(&rig);
}

Test(ide_disk, an_error_ends_a_dma_with_an_interrupt)
{
    Rig rig = rig_new(DISK, 0);

    descriptor(&rig, 0, BUFFER, 512, true);
    command_28(&rig, 0xc8, 3, 1);
    blk_memory_fail(rig.disk, 0, EIO);
    master_start(&rig, true);
    finish(&rig);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    cr_assert_eq(in(&rig, ERROR), 0x40);
    cr_assert(master_status(&rig) & 0x04);
    rig_free(&rig);
}

Test(ide_disk, registers_of_the_masters_are_8_octets_each)
{
    Rig rig = rig_new(DISK, 0);

    board_out32(rig.board, MASTER_0 + 4, 0x12345677);
    board_out32(rig.board, MASTER_1 + 4, 0xfedcba98);
    cr_assert_eq(board_in32(rig.board, MASTER_0 + 4), 0x12345674);
    cr_assert_eq(board_in32(rig.board, MASTER_1 + 4), 0xfedcba98);
    board_out8(rig.board, MASTER_0 + 2, 0x60); /* capable of DMA: the host's own bits */
    cr_assert_eq(board_in8(rig.board, MASTER_0 + 2), 0x60);
    board_out8(rig.board, MASTER_0, 0xf8);
    cr_assert_eq(board_in8(rig.board, MASTER_0), 0x08);
    rig_free(&rig);
}

/* --- TRIM ------------------------------------------------------------------------------------------------------- */

static void trim(Rig *rig, uint64_t first, uint64_t second)
{
    memset(rig->ram->host + BUFFER, 0, 512);
    memcpy(rig->ram->host + BUFFER, &first, 8);
    memcpy(rig->ram->host + BUFFER + 16, &second, 8);
    descriptor(rig, 0, BUFFER, 512, true);
    out(rig, ERROR, 0x01);
    command_48(rig, 0x06, 0, 1);
    board_out8(rig->board, MASTER_0, 0);
    master_start(rig, false);
    finish(rig);
}

Test(ide_disk, trim_discards_its_ranges)
{
    Rig rig = rig_new(DISK, 0);

    trim(&rig, GUINT64_TO_LE(UINT64_C(8) << 48 | 100), GUINT64_TO_LE(UINT64_C(1) << 48 | 32767));
    cr_assert_eq(discards(&rig), 2);
    cr_assert_eq(disk_data(&rig)[100 * 512 + 1], 0);
    cr_assert_eq(disk_data(&rig)[107 * 512 + 511], 0);
    assert_sectors(disk_data(&rig) + 108 * 512, 108, 1);
    cr_assert_eq(disk_data(&rig)[32767 * 512 + 1], 0);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    trim(&rig, GUINT64_TO_LE(UINT64_C(2) << 48 | 32767), 0);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    cr_assert_eq(discards(&rig), 2);
    rig_free(&rig);
    rig = rig_with(disk_new(DISK, false), NULL, false);
    trim(&rig, GUINT64_TO_LE(UINT64_C(8) << 48 | 200), 0);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    assert_sectors(disk_data(&rig) + 200 * 512, 200, 1);
    rig_free(&rig);
}
