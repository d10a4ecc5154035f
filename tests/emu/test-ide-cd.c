/* test-ide-cd.c: a CD drive on the PIIX3's IDE controller: what it tells of itself and of the disc (MMC-3). */
#include "tests/emu/cd-rig.h"

/* --- the disc --------------------------------------------------------------------------------------------------- */

Test(ide_cd, the_capacity_is_the_last_sector_and_its_size)
{
    Rig rig = cd_rig(CD);

    assert_reply(&rig, PACKET(0x25), 0, 0, 0x07, 0xff, 0, 0, 0x08, 0);
    rig_free(&rig);
}

Test(ide_cd, what_is_not_on_the_disc_is_out_of_range)
{
    Rig rig = cd_rig(CD);

    assert_fails(&rig, PACKET(0x28, 0, 0, 0, 0x07, 0xff, 0, 0, 2), 0x521);
    assert_fails(&rig, PACKET(0x28, 0, 0, 0, 0x08, 0x01, 0, 0, 0), 0x521);
    assert_fails(&rig, PACKET(0xa8, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), 0x521);
    assert_fails(&rig, PACKET(0xbe, 0, 0, 0, 0x08, 0x00, 0, 0, 1, 0x10), 0x521);
    assert_fails(&rig, PACKET(0x2b, 0, 0, 0, 0x08, 0x00), 0x521);
    assert_fails(&rig, PACKET(0x2b, 0, 0, 0, 0x07, 0xff), 0);
    assert_fails(&rig, PACKET(0x28, 0, 0, 0, 0x07, 0xff, 0, 0, 1), 0);
    assert_fails(&rig, PACKET(0x28, 0, 0, 0, 0, 0, 0, 0, 0), 0); /* none are none, not 65536 */
    rig_free(&rig);
}

Test(ide_cd, read_cd_gives_the_parts_that_are_asked_for)
{
    Rig rig = cd_rig(CD);
    Reply reply;

    cr_assert(ask(&rig, PACKET(0xbe, 0, 0, 0, 0, 7, 0, 0, 2, 0x10), &reply));
    cr_assert_eq(reply.len, 4096);
    assert_sectors(reply.data, 28, 8);
    cr_assert(ask(&rig, PACKET(0xbe, 0x08, 0, 0, 0, 7, 0, 0, 2, 0xf8), &reply)); /* of mode 1 */
    cr_assert_eq(reply.len, 2 * 2352);
    assert_sectors(reply.data + 2352 + 16, 32, 4);
    cr_assert(ask(&rig, PACKET(0xbe, 0, 0, 0, 0, 7, 0, 0, 2, 0x00), &reply));
    cr_assert_eq(reply.len, 0);
    cr_assert(ask(&rig, PACKET(0xb9, 0, 0, 0, 2, 7, 0, 2, 9, 0x10), &reply)); /* 00:02:07 to 00:02:09 */
    cr_assert_eq(reply.len, 4096);
    assert_sectors(reply.data, 28, 8);
    assert_fails(&rig, PACKET(0xb9, 0, 0, 0, 1, 74, 0, 2, 1, 0x10), 0x521);      /* in front of the first */
    assert_fails(&rig, PACKET(0xb9, 0, 0, 0, 2, 9, 0, 2, 7, 0x10), 0x524);       /* backwards */
    assert_fails(&rig, PACKET(0xbe, 0x04, 0, 0, 0, 7, 0, 0, 2, 0x10), 0x564);    /* audio: there is none */
    assert_fails(&rig, PACKET(0xbe, 0, 0, 0, 0, 7, 0, 0, 2, 0x12), 0x524);       /* pointers to errors */
    assert_fails(&rig, PACKET(0xbe, 0, 0, 0, 0, 7, 0, 0, 2, 0x10, 0x01), 0x524); /* sub-channels */
    rig_free(&rig);
}

Test(ide_cd, the_table_of_contents_has_one_track_and_the_lead_out)
{
    Rig rig = cd_rig(CD);

    assert_reply(&rig, PACKET(0x43, 0, 0, 0, 0, 0, 0, 0, 0xff), 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0, 0, 0x16, 0xaa,
                 0, 0, 0, 0x08, 0x00);
    /* 2048 + 150 frames: 29 seconds and 23 */
    assert_reply(&rig, PACKET(0x43, 2, 0, 0, 0, 0, 0, 0, 0xff), 0, 18, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0, 0, 0x16, 0xaa,
                 0, 0, 0, 29, 23);
    assert_reply(&rig, PACKET(0x43, 0, 0, 0, 0, 0, 0xaa, 0, 0xff), 0, 10, 1, 1, 0, 0x16, 0xaa, 0, 0, 0, 0x08, 0x00);
    assert_reply(&rig, PACKET(0x43, 0, 0, 0, 0, 0, 0, 0, 4), 0, 18, 1, 1);
    assert_fails(&rig, PACKET(0x43, 0, 0, 0, 0, 0, 2, 0, 0xff), 0x524);
    assert_fails(&rig, PACKET(0x43, 0, 5, 0, 0, 0, 0, 0, 0xff), 0x524); /* CD-TEXT */
    rig_free(&rig);
}

Test(ide_cd, it_has_one_session_in_both_places_of_the_format)
{
    Rig rig = cd_rig(CD);

    assert_reply(&rig, PACKET(0x43, 0, 1, 0, 0, 0, 0, 0, 12), 0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 0, 0);
    assert_reply(&rig, PACKET(0x43, 2, 0, 0, 0, 0, 0, 0, 12, 0x40), 0, 10, 1, 1, 0, 0x14, 1, 0, 0, 0, 2, 0);
    assert_reply(&rig, PACKET(0x43, 2, 2, 0, 0, 0, 0, 0, 255), 0, 46, 1, 1, /* the lead-in's points */
                 1, 0x14, 0, 0xa0, 0, 0, 0, 0, 1, 0, 0,                     /* the first track */
                 1, 0x14, 0, 0xa1, 0, 0, 0, 0, 1, 0, 0,                     /* the last */
                 1, 0x14, 0, 0xa2, 0, 0, 0, 0, 0, 29, 23,                   /* the lead-out */
                 1, 0x14, 0, 0x01, 0, 0, 0, 0, 0, 2, 0);
    rig_free(&rig);
}

Test(ide_cd, the_disc_is_complete_and_of_one_session)
{
    Rig rig = cd_rig(CD);
    Reply reply;

    cr_assert(ask(&rig, PACKET(0x51, 0, 0, 0, 0, 0, 0, 0, 255), &reply));
    cr_assert_eq(reply.len, 34);
    cr_assert_eq(memcmp(reply.data, (const uint8_t[]){0, 32, 0x0e, 1, 1, 1, 1, 0x20, 0}, 9), 0);
    assert_fails(&rig, PACKET(0x51, 1, 0, 0, 0, 0, 0, 0, 34), 0x524);
    rig_free(&rig);
}

Test(ide_cd, a_dvd_tells_its_structure)
{
    Rig rig = cd_rig(0);
    Block *dvd = blk_memory_new(&(BlkMemory){.length = (UINT64_C(360000) + 1) * 2048}, NULL);
    Reply reply;

    rig_free(&rig);
    rig = rig_with(NULL, dvd, false);
    use_second_cable(&rig);
    cr_assert(ask(&rig, PACKET(0xad, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), &reply));
    cr_assert_eq(reply.len, 2052);
    static const uint8_t physical[] = {
        0x08, 0x02, 0, 0, 0x01, 0x0f, 0x01, 0, 0, 0x03, 0, 0, 0, 0x08, 0x7e, 0x40, 0, 0, 0, 0, 0,
    };
    cr_assert_eq(memcmp(reply.data, physical, sizeof physical), 0);
    assert_reply(&rig, PACKET(0xad, 0, 0, 0, 0, 0, 0, 1, 0, 8), 0, 6, 0, 0, 0, 0, 0, 0);
    cr_assert(ask(&rig, PACKET(0xad, 0, 0, 0, 0, 0, 0, 0xff, 0, 255), &reply));
    cr_assert_eq(reply.len, 20);
    cr_assert_eq(reply.data[1], 18);
    assert_fails(&rig, PACKET(0xad, 0, 0, 0, 0, 0, 1, 0, 0, 8), 0x524); /* a second layer */
    assert_fails(&rig, PACKET(0xad, 0, 0, 0, 0, 0, 0, 3, 0, 8), 0x524); /* a burst cutting area */
    cr_assert(ask(&rig, PACKET(0x46, 2, 0, 0, 0, 0, 0, 0, 8), &reply));
    cr_assert_eq(reply.data[7], 0x10);
    rig_free(&rig);
    rig = cd_rig(CD);
    assert_fails(&rig, PACKET(0xad, 0, 0, 0, 0, 0, 0, 0, 0, 8), 0x530); /* a CD has none */
    rig_free(&rig);
}

/* --- the drive -------------------------------------------------------------------------------------------------- */

Test(ide_cd, inquiry_tells_who_it_is)
{
    Rig rig = empty_drive();
    Reply reply;

    cr_assert(ask(&rig, PACKET(0x12, 0, 0, 0, 255), &reply));
    cr_assert_eq(reply.len, 36);
    cr_assert_eq(reply.data[0], 0x05);
    cr_assert_eq(reply.data[1], 0x80);
    cr_assert_eq(reply.data[4], 31);
    cr_assert_eq(memcmp(reply.data + 8, "QEMU    QEMU DVD-ROM    2.5+", 28), 0);
    cr_assert(ask(&rig, PACKET(0x12, 0, 0, 0, 5), &reply));
    cr_assert_eq(reply.len, 5);
    cr_assert(ask(&rig, PACKET(0x12, 0, 0, 0, 0), &reply));
    cr_assert_eq(reply.len, 0);
    rig_free(&rig);
}

Test(ide_cd, inquiry_has_pages_of_names)
{
    Rig rig = empty_drive();
    Reply reply;

    assert_reply(&rig, PACKET(0x12, 1, 0, 0, 255), 5, 0, 0, 2, 0x00, 0x83);
    cr_assert(ask(&rig, PACKET(0x12, 1, 0x83, 0, 255), &reply));
    cr_assert_eq(reply.len, 4 + 24 + 72);
    cr_assert_eq(reply.data[3], 96);
    cr_assert_eq(memcmp(reply.data + 32, "ATA     QEMU DVD-ROM   ", 23), 0);
    assert_fails(&rig, PACKET(0x12, 1, 0x99, 0, 255), 0x524);
    rig_free(&rig);
}

Test(ide_cd, the_configuration_has_features_that_depend_on_the_medium)
{
    Rig rig = cd_rig(CD), empty = empty_drive();
    Reply reply;

    cr_assert(ask(&rig, PACKET(0x46, 0, 0, 0, 0, 0, 0, 0xff, 0xff), &reply));
    cr_assert_eq(reply.data[3], reply.len - 4);
    cr_assert_eq(reply.data[7], 0x08);
    unsigned last = 0;
    for (size_t at = 8; at < reply.len; at += 4U + reply.data[at + 3]) { /* sorted, and of whole words */
        unsigned code = (unsigned)(reply.data[at] << 8 | reply.data[at + 1]);
        cr_assert(at == 8 || code > last);
        cr_assert_eq(reply.data[at + 3] % 4, 0);
        last = code;
    }
    cr_assert_eq(last, 0x1f);
    assert_reply(&rig, PACKET(0x46, 2, 0, 0, 0, 0, 0, 0, 255), 0, 0, 0, 16, 0, 0, 0, 8, 0, 0, 3, 8, 0, 0x10, 0, 0, 0, 8,
                 1, 0);
    assert_reply(&empty, PACKET(0x46, 2, 0, 0, 0, 0, 0, 0, 255), 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 3, 8, 0, 0x10, 0, 0, 0,
                 8, 0, 0);
    assert_reply(&rig, PACKET(0x46, 1, 0, 0x10, 0, 0, 0, 0, 255), 0, 0, 0, 24, 0, 0, 0, 8, /* readable, CD */
                 0, 0x10, 1, 8, 0, 0, 8, 0, 0, 1, 1, 0, 0, 0x1e, 1, 4, 0, 0, 0, 0);
    assert_reply(&empty, PACKET(0x46, 1, 0, 0x10, 0, 0, 0, 0, 255), 0, 0, 0, 4, 0, 0, 0, 0);
    assert_reply(&rig, PACKET(0x46, 2, 0x12, 0x34, 0, 0, 0, 0, 255), 0, 0, 0, 4, 0, 0, 0, 8);
    assert_reply(&rig, PACKET(0x46, 2, 0, 1, 0, 0, 0, 0, 16), 0, 0, 0, 12, 0, 0, 0, 8, 0, 1, 3, 4, 0, 0, 0, 2);
    assert_fails(&rig, PACKET(0x46, 3, 0, 0, 0, 0, 0, 0, 255), 0x524);
    rig_free(&rig);
    rig_free(&empty);
}

Test(ide_cd, mode_pages_tell_its_abilities_and_its_lock)
{
    Rig rig = cd_rig(CD), empty = empty_drive();
    Reply reply;

    assert_reply(&rig, PACKET(0x5a, 0, 0x01, 0, 0, 0, 0, 0, 255), 0, 14, 0x70, 0, 0, 0, 0, 0, 0x01, 6, 0, 5, 0, 0, 0,
                 0);
    assert_reply(&rig, PACKET(0x5a, 0, 0x41, 0, 0, 0, 0, 0, 255), 0, 14, 0x70, 0, 0, 0, 0, 0, 0x01, 6, 0, 0, 0, 0, 0,
                 0);
    cr_assert(ask(&rig, PACKET(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 255), &reply));
    cr_assert_eq(reply.len, 30);
    cr_assert_eq(reply.data[1], 28);
    cr_assert_eq(reply.data[8], 0x2a);
    cr_assert_eq(reply.data[9], 20);
    cr_assert_eq(reply.data[14], 0x29); /* a tray; it ejects and locks */
    cr_assert_eq(failure(&rig, PACKET(0x1e, 0, 0, 0, 1)), 0);
    cr_assert(ask(&rig, PACKET(0x5a, 0, 0x2a, 0, 0, 0, 0, 0, 255), &reply));
    cr_assert_eq(reply.data[14], 0x2b); /* it is locked */
    cr_assert(ask(&empty, PACKET(0x5a, 0, 0xbf, 0, 0, 0, 0, 0, 255), &reply));
    cr_assert_eq(reply.len, 38);                                          /* both */
    assert_fails(&rig, PACKET(0x5a, 0, 0xc1, 0, 0, 0, 0, 0, 255), 0x539); /* saved ones */
    assert_fails(&rig, PACKET(0x5a, 0, 0x0e, 0, 0, 0, 0, 0, 255), 0x524); /* audio */
    rig_free(&rig);
    rig_free(&empty);
}

Test(ide_cd, speeds_are_taken_and_unknown_commands_are_not)
{
    static const uint8_t unknown[] = {0x04, 0x08, 0x0a, 0x2a, 0x42, 0x45, 0x55, 0xa1, 0xaa, 0xff};
    Rig rig = cd_rig(CD);

    assert_fails(&rig, PACKET(0xbb, 0, 0xff, 0xff, 0xff, 0xff), 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(unknown); i++)
        assert_fails(&rig, PACKET(unknown[i]), 0x520);
    assert_fails(&rig, UNIT_READY, 0);
    rig_free(&rig);
}
