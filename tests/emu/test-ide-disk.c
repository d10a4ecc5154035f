/* test-ide-disk.c: disks on the PIIX3's IDE controller: the task file, and PIO. */
#include "tests/emu/ide-rig.h"

static uint16_t identify_word(Rig *rig, unsigned word)
{
    uint8_t data[512];

    out(rig, STATUS, 0xec);
    read_data(rig, data, sizeof data);
    return (uint16_t)(data[2 * word] | data[2 * word + 1] << 8);
}

/* --- registers -------------------------------------------------------------------------------------------------- */

Test(ide_disk, after_reset_the_task_file_has_the_signature_of_a_disk)
{
    Rig rig = rig_new(DISK, 0);

    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_eq(in(&rig, COUNT), 1);
    cr_assert_eq(in(&rig, SECTOR), 1);
    cr_assert_eq(in(&rig, CYL_LOW), 0);
    cr_assert_eq(in(&rig, CYL_HIGH), 0);
    rig_free(&rig);
}

Test(ide_disk, a_cable_without_drives_reads_as_zeros)
{
    Rig rig = rig_new(DISK, 0);

    use_second_cable(&rig);
    out(&rig, COUNT, 0x55);
    for (unsigned reg = ERROR; reg <= STATUS; reg++)
        cr_assert_eq(in(&rig, reg), 0, "register %u", reg);
    out(&rig, STATUS, 0xec);
    cr_assert_eq(in(&rig, STATUS), 0);
    cr_assert_eq(board_in8(rig.board, CONTROL_1), 0);
    cr_assert_eq(rig.board->rises[IRQ_1], 0);
    rig_free(&rig);
}

Test(ide_disk, drive_0_answers_for_a_drive_1_that_is_not_there_with_a_status_of_zeros)
{
    Rig rig = rig_new(DISK, 0);

    out(&rig, SELECT, 0xb0);
    cr_assert_eq(in(&rig, STATUS), 0);
    out(&rig, COUNT, 0x55);
    out(&rig, SECTOR, 0xaa);
    cr_assert_eq(in(&rig, COUNT), 0x55);
    cr_assert_eq(in(&rig, SECTOR), 0xaa);
    out(&rig, STATUS, 0xec);
    cr_assert_eq(in(&rig, STATUS), 0);
    cr_assert_eq(rig.board->rises[IRQ_0], 0);
    out(&rig, SELECT, 0xa0);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    rig_free(&rig);
}

Test(ide_disk, the_value_written_before_is_read_with_the_hob_bit)
{
    Rig rig = rig_new(DISK, 0);

    for (unsigned reg = COUNT; reg <= CYL_HIGH; reg++) {
        out(&rig, reg, (uint8_t)(0x10 + reg));
        out(&rig, reg, (uint8_t)(0x20 + reg));
    }
    for (unsigned reg = COUNT; reg <= CYL_HIGH; reg++)
        cr_assert_eq(in(&rig, reg), 0x20 + reg);
    board_out8(rig.board, CONTROL_0, 0x80);
    for (unsigned reg = COUNT; reg <= CYL_HIGH; reg++)
        cr_assert_eq(in(&rig, reg), 0x10 + reg);
    out(&rig, SELECT, 0xa0); /* a write to the command block clears the bit */
    cr_assert_eq(in(&rig, COUNT), 0x22);
    rig_free(&rig);
}

Test(ide_disk, a_software_reset_is_busy_then_diagnosed)
{
    Rig rig = rig_new(DISK, 0);

    out(&rig, SELECT, 0xb0);
    out(&rig, COUNT, 0x12);
    board_out8(rig.board, CONTROL_0, 0x0c);
    out(&rig, SELECT, 0xa0);
    cr_assert(in(&rig, STATUS) & 0x80);
    board_out8(rig.board, CONTROL_0, 0x08);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_eq(in(&rig, ERROR), 0x01);
    cr_assert_eq(in(&rig, COUNT), 1);
    cr_assert_eq(in(&rig, SECTOR), 1);
    cr_assert_eq(rig.board->rises[IRQ_0], 0);
    rig_free(&rig);
}

Test(ide_disk, a_software_reset_gives_up_what_is_in_flight)
{
    Rig rig = rig_new(DISK, 0);

    command_28(&rig, 0x20, 5, 1);
    cr_assert(in(&rig, STATUS) & 0x80);
    board_out8(rig.board, CONTROL_0, 0x04);
    board_out8(rig.board, CONTROL_0, 0x00);
    finish(&rig);
    cr_assert_eq(reads(&rig), 1);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_eq(rig.board->rises[IRQ_0], 0);
    command_28(&rig, 0x20, 7, 1);
    finish(&rig);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    rig_free(&rig);
}

Test(ide_disk, reading_the_status_lowers_the_interrupt_and_the_alternate_status_does_not)
{
    Rig rig = rig_new(DISK, 0);

    out(&rig, STATUS, 0x10);
    cr_assert(rig.board->level[IRQ_0]);
    cr_assert_eq(board_in8(rig.board, CONTROL_0), 0x50);
    cr_assert(rig.board->level[IRQ_0]);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_not(rig.board->level[IRQ_0]);
    board_out8(rig.board, CONTROL_0, 0x02);
    out(&rig, STATUS, 0x10);
    cr_assert_not(rig.board->level[IRQ_0]);
    rig_free(&rig);
}

/* --- IDENTIFY and settings -------------------------------------------------------------------------------------- */

Test(ide_disk, it_says_of_itself_what_qemu_s_disk_of_that_size_says)
{
    Rig rig = rig_new(DISK, 0), other = rig_new(DISK, 0);
    uint8_t ours[512], qemus[512];

    out(&rig, STATUS, 0xec);
    cr_assert_eq(rig.board->rises[IRQ_0], 1);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    read_data(&rig, ours, sizeof ours);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    board_load_recorded(other.board, other.dev, "f3-kvm-pc-10s", false);
    out(&other, SELECT, 0xe0);
    out(&other, STATUS, 0xec);
    read_data(&other, qemus, sizeof qemus);
    for (unsigned i = 0; i < 512; i++)
        cr_assert_eq(ours[i], qemus[i], "word %u: octet 0x%02x, QEMU has 0x%02x", i / 2, ours[i], qemus[i]);
    rig_free(&rig);
    rig_free(&other);
}

Test(ide_disk, set_features_chooses_a_transfer_mode)
{
    Rig rig = rig_new(DISK, 0);

    out(&rig, ERROR, 0x03);
    out(&rig, COUNT, 0x22); /* multi-word DMA 2 */
    out(&rig, STATUS, 0xef);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_eq(identify_word(&rig, 63), 0x0407);
    cr_assert_eq(identify_word(&rig, 88), 0x003f);
    out(&rig, ERROR, 0x03);
    out(&rig, COUNT, 0x44); /* Ultra DMA 4 */
    out(&rig, STATUS, 0xef);
    cr_assert_eq(identify_word(&rig, 88), 0x103f);
    cr_assert_eq(identify_word(&rig, 63), 0x0007);
    out(&rig, ERROR, 0x03);
    out(&rig, COUNT, 0x46); /* Ultra DMA 6: there is none */
    out(&rig, STATUS, 0xef);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    cr_assert_eq(in(&rig, ERROR), 0x04);
    rig_free(&rig);
}

Test(ide_disk, without_the_write_cache_writes_go_through)
{
    Rig rig = rig_new(DISK, 0);
    uint8_t data[512] = {1, 2, 3};

    out(&rig, ERROR, 0x82);
    out(&rig, STATUS, 0xef);
    finish(&rig);
    cr_assert_eq(flushes(&rig), 1);
    cr_assert_eq(identify_word(&rig, 85) & 0x20, 0);
    command_28(&rig, 0x30, 3, 1);
    write_data(&rig, data, sizeof data);
    finish(&rig);
    cr_assert_eq(throughs(&rig), 1);
    cr_assert_eq(writes(&rig), 0);
    out(&rig, ERROR, 0x02);
    out(&rig, STATUS, 0xef);
    cr_assert_eq(identify_word(&rig, 85) & 0x20, 0x20);
    rig_free(&rig);
}

Test(ide_disk, the_geometry_that_the_host_sets_is_the_one_of_its_addresses)
{
    Rig rig = rig_new(DISK, 0);
    uint8_t data[512];

    out(&rig, COUNT, 32);    /* sectors of a track */
    out(&rig, SELECT, 0xa7); /* 8 heads */
    out(&rig, STATUS, 0x91);
    cr_assert_eq(identify_word(&rig, 54), 128);
    cr_assert_eq(identify_word(&rig, 55), 8);
    cr_assert_eq(identify_word(&rig, 56), 32);
    cr_assert_eq(identify_word(&rig, 57), 0x8000);
    out(&rig, SELECT, 0xa3); /* cylinder 2, head 3, sector 4: (2 * 8 + 3) * 32 + 3 */
    out(&rig, COUNT, 1);
    out(&rig, SECTOR, 4);
    out(&rig, CYL_LOW, 2);
    out(&rig, CYL_HIGH, 0);
    out(&rig, STATUS, 0x20);
    finish(&rig);
    read_data(&rig, data, sizeof data);
    assert_sectors(data, 611, 1);
    rig_free(&rig);
}

Test(ide_disk, sectors_of_a_track_are_counted_from_1)
{
    Rig rig = rig_new(DISK, 0);
    uint8_t data[512];

    out(&rig, SELECT, 0xa1);
    out(&rig, COUNT, 1);
    out(&rig, SECTOR, 63);
    out(&rig, CYL_LOW, 1);
    out(&rig, STATUS, 0x20);
    finish(&rig);
    read_data(&rig, data, sizeof data);
    assert_sectors(data, (16 + 1) * 63 + 62, 1);
    cr_assert_eq(in(&rig, SECTOR), 1); /* the next: head 2 */
    cr_assert_eq(in(&rig, SELECT), 0xa2);
    out(&rig, SECTOR, 0);
    out(&rig, COUNT, 1);
    out(&rig, STATUS, 0x20);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    rig_free(&rig);
}

Test(ide_disk, the_native_maximum_is_the_last_sector)
{
    Rig rig = rig_new(DISK, 0);

    out(&rig, SELECT, 0xe0);
    out(&rig, STATUS, 0xf8);
    cr_assert_eq(in(&rig, SECTOR), 0xff);
    cr_assert_eq(in(&rig, CYL_LOW), 0x7f);
    cr_assert_eq(in(&rig, CYL_HIGH), 0);
    command_48(&rig, 0x27, 0, 0);
    cr_assert_eq(in(&rig, CYL_LOW), 0x7f);
    board_out8(rig.board, CONTROL_0, 0x80);
    cr_assert_eq(in(&rig, SECTOR), 0);
    rig_free(&rig);
}

Test(ide_disk, small_commands_end_as_they_should)
{
    static const struct {
        uint8_t command, feature, count, status, count_after;
    } cases[] = {
        {0x00, 0, 7, 0x51, 7},    {0x10, 0, 7, 0x50, 7},    {0x70, 0, 7, 0x50, 7},    {0x94, 0, 7, 0x50, 7},
        {0x98, 0, 7, 0x50, 0xff}, {0x99, 0, 7, 0x50, 7},    {0xe0, 0, 7, 0x50, 7},    {0xe1, 0, 7, 0x50, 7},
        {0xe2, 0, 7, 0x50, 7},    {0xe3, 0, 7, 0x50, 7},    {0xe4, 0, 7, 0x51, 7},    {0xe5, 0, 7, 0x50, 0xff},
        {0xe6, 0, 7, 0x50, 7},    {0xc6, 0, 8, 0x50, 8},    {0xc6, 0, 3, 0x51, 3},    {0xc6, 0, 32, 0x51, 32},
        {0xa0, 0, 7, 0x51, 7},    {0xa1, 0, 7, 0x51, 7},    {0x08, 0, 7, 0x51, 7},    {0xff, 0, 7, 0x51, 7},
        {0xef, 0xaa, 7, 0x50, 7}, {0xef, 0x99, 7, 0x51, 7}, {0xb0, 0xda, 7, 0x51, 7}, {0x06, 0, 1, 0x51, 1},
    };
    Rig rig = rig_new(DISK, 0);

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        out(&rig, ERROR, cases[i].feature);
        out(&rig, COUNT, cases[i].count);
        out(&rig, STATUS, cases[i].command);
        cr_assert(rig.board->level[IRQ_0], "command 0x%02x", cases[i].command);
        cr_assert_eq(in(&rig, STATUS), cases[i].status, "command 0x%02x", cases[i].command);
        cr_assert_eq(in(&rig, ERROR), cases[i].status & 1 ? 0x04 : 0, "command 0x%02x", cases[i].command);
        cr_assert_eq(in(&rig, COUNT), cases[i].count_after, "command 0x%02x", cases[i].command);
    }
    rig_free(&rig);
}

Test(ide_disk, smart_says_that_all_is_well_to_who_has_the_key)
{
    Rig rig = rig_new(DISK, 0);

    out(&rig, ERROR, 0xda);
    out(&rig, CYL_LOW, 0x4f);
    out(&rig, CYL_HIGH, 0xc2);
    out(&rig, STATUS, 0xb0);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_eq(in(&rig, CYL_LOW), 0x4f);
    cr_assert_eq(in(&rig, CYL_HIGH), 0xc2);
    rig_free(&rig);
}

Test(ide_disk, the_diagnostic_selects_drive_0_and_tells_the_signature)
{
    Rig rig = rig_new(DISK, 0);

    out(&rig, COUNT, 0x33);
    out(&rig, STATUS, 0x90);
    cr_assert(rig.board->level[IRQ_0]);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_eq(in(&rig, ERROR), 0x01);
    cr_assert_eq(in(&rig, COUNT), 1);
    rig_free(&rig);
}

Test(ide_disk, a_flush_ends_when_the_disk_has_flushed)
{
    Rig rig = rig_new(DISK, 0);

    out(&rig, STATUS, 0xe7);
    cr_assert_eq(in(&rig, STATUS), 0xd0);
    cr_assert_eq(rig.board->rises[IRQ_0], 0);
    finish(&rig);
    cr_assert_eq(rig.board->rises[IRQ_0], 1);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    out(&rig, STATUS, 0xea);
    blk_memory_fail(rig.disk, 0, ENOSPC);
    finish(&rig);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    cr_assert_eq(flushes(&rig), 2);
    rig_free(&rig);
}

/* --- PIO -------------------------------------------------------------------------------------------------------- */

Test(ide_disk, sectors_are_read_one_by_one_with_an_interrupt_each)
{
    Rig rig = rig_new(DISK, 0);
    uint8_t data[512];

    command_28(&rig, 0x20, 0x1234, 3);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(in(&rig, STATUS), 0xd0);
        finish(&rig);
        cr_assert_eq(rig.board->rises[IRQ_0], i + 1);
        cr_assert_eq(in(&rig, STATUS), 0x58);
        read_data(&rig, data, sizeof data);
        assert_sectors(data, 0x1234 + i, 1);
    }
    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_eq(in(&rig, COUNT), 0);
    cr_assert_eq(in(&rig, SECTOR), 0x37);
    cr_assert_eq(rig.board->rises[IRQ_0], 3);
    rig_free(&rig);
}

Test(ide_disk, a_count_of_0_is_256_sectors_and_multiple_has_blocks)
{
    Rig rig = rig_new(DISK, 0);
    uint8_t data[16 * 512];

    command_28(&rig, 0xc4, 100, 0);
    for (unsigned i = 0; i < 16; i++) {
        finish(&rig);
        cr_assert_eq(in(&rig, STATUS), 0x58);
        read_data(&rig, data, sizeof data);
        assert_sectors(data, 100 + 16 * i, 16);
    }
    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_eq(rig.board->rises[IRQ_0], 16);
    rig_free(&rig);
}

Test(ide_disk, the_last_block_of_multiple_is_what_is_left)
{
    Rig rig = rig_new(DISK, 0);
    uint8_t data[8 * 512];

    out(&rig, COUNT, 4);
    out(&rig, STATUS, 0xc6);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    cr_assert_eq(identify_word(&rig, 59), 0x104);
    command_48(&rig, 0x29, 50, 6);
    finish(&rig);
    read_data(&rig, data, 4 * 512);
    finish(&rig);
    read_data(&rig, data + 4 * 512, 2 * 512);
    assert_sectors(data, 50, 6);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    rig_free(&rig);
}

Test(ide_disk, multiple_without_a_block_size_is_aborted)
{
    Rig rig = rig_new(DISK, 0);

    out(&rig, COUNT, 0);
    out(&rig, STATUS, 0xc6);
    command_28(&rig, 0xc4, 0, 1);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    cr_assert_eq(in(&rig, ERROR), 0x04);
    rig_free(&rig);
}

Test(ide_disk, data_can_be_read_32_bits_at_a_time)
{
    Rig rig = rig_new(DISK, 0);

    command_28(&rig, 0x20, 9, 1);
    finish(&rig);
    for (unsigned i = 0; i < 512; i += 4)
        cr_assert_eq(board_in32(rig.board, COMMAND_0), (uint32_t)octet_of(9, i) | (uint32_t)octet_of(9, i + 1) << 8 |
                                                           (uint32_t)octet_of(9, i + 2) << 16 |
                                                           (uint32_t)octet_of(9, i + 3) << 24);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    rig_free(&rig);
}

Test(ide_disk, written_sectors_are_on_the_disk_before_the_interrupt)
{
    Rig rig = rig_new(DISK, 0);
    uint8_t data[512];

    command_28(&rig, 0x30, 20, 2);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    cr_assert_eq(rig.board->rises[IRQ_0], 0); /* none for the first */
    for (unsigned i = 0; i < 2; i++) {
        memset(data, 0xa0 + (int)i, sizeof data);
        write_data(&rig, data, sizeof data);
        cr_assert_eq(in(&rig, STATUS), 0xd0);
        finish(&rig);
        cr_assert_eq(disk_data(&rig)[(20 + i) * 512 + 511], 0xa0 + i);
        cr_assert_eq(rig.board->rises[IRQ_0], i + 1);
    }
    cr_assert_eq(in(&rig, STATUS), 0x50);
    assert_sectors(disk_data(&rig) + 22 * 512, 22, 1);
    rig_free(&rig);
}

Test(ide_disk, write_multiple_writes_a_block_at_once)
{
    Rig rig = rig_new(DISK, 0);
    g_autofree uint8_t *data = g_malloc0(20 * 512);

    command_48(&rig, 0x39, 1000, 20);
    write_data(&rig, data, 16 * 512);
    finish(&rig);
    cr_assert_eq(writes(&rig), 1);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    write_data(&rig, data, 4 * 512);
    finish(&rig);
    cr_assert_eq(writes(&rig), 2);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    rig_free(&rig);
}

Test(ide_disk, what_is_not_on_the_disk_is_aborted)
{
    static const uint8_t commands[] = {0x20, 0x30, 0x40, 0xc4, 0xc5, 0xc8, 0xca};
    Rig rig = rig_new(DISK, 0);

    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        command_28(&rig, commands[i], 32767, 2);
        cr_assert_eq(in(&rig, STATUS), 0x51, "command 0x%02x", commands[i]);
        cr_assert_eq(in(&rig, ERROR), 0x04);
        command_28(&rig, commands[i], 0x0fffffff, 1);
        cr_assert_eq(in(&rig, STATUS), 0x51);
    }
    command_48(&rig, 0x24, UINT64_C(0xffffffffffff), 0);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    cr_assert_eq(reads(&rig) + writes(&rig), 0);
    command_28(&rig, 0x40, 32766, 2);
    cr_assert_eq(in(&rig, STATUS), 0x50);
    rig_free(&rig);
}

Test(ide_disk, an_error_of_the_disk_is_told)
{
    Rig rig = rig_new(DISK, 0);
    uint8_t data[512] = {0};

    blk_memory_fail(rig.disk, 0, EIO);
    command_28(&rig, 0x20, 1, 1);
    finish(&rig);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    cr_assert_eq(in(&rig, ERROR), 0x40); /* cannot be corrected */
    cr_assert_eq(in(&rig, SECTOR), 1);
    command_28(&rig, 0x30, 1, 1);
    write_data(&rig, data, sizeof data);
    blk_memory_fail(rig.disk, 0, ENOSPC);
    finish(&rig);
    cr_assert_eq(in(&rig, STATUS), 0x51);
    cr_assert_eq(in(&rig, ERROR), 0x04);
    rig_free(&rig);
}

Test(ide_disk, a_busy_drive_takes_neither_commands_nor_parameters)
{
    Rig rig = rig_new(DISK, 0);

    command_28(&rig, 0x20, 4, 1);
    out(&rig, COUNT, 0x77);
    out(&rig, SELECT, 0xb0);
    out(&rig, STATUS, 0x10);
    finish(&rig);
    cr_assert_eq(in(&rig, STATUS), 0x58);
    cr_assert_eq(in(&rig, COUNT), 0);
    cr_assert_eq(in(&rig, SELECT), 0xe0);
    rig_free(&rig);
}
