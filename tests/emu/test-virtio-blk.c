/* test-virtio-blk.c: a disk by virtio. */
#include <errno.h>

#include "tests/emu/virtio-blk-rig.h"

/* Header, data in one piece, status. `flags`: WRITE if the device writes the data. */
static void offer(Rig *rig, uint32_t type, uint64_t sector, uint32_t len, uint16_t flags)
{
    put_header(rig, type, sector);
    rig_desc(rig, 0, 0, (RigDesc){HEADER, 16, RIG_NEXT, len ? 1 : 2});
    rig_desc(rig, 0, 1, (RigDesc){DATA, len, (uint16_t)(flags | RIG_NEXT), 2});
    rig_desc(rig, 0, 2, (RigDesc){STATUS, 1, RIG_WRITE, 0});
    rig_offer(rig, 0, 0);
    rig_kick(rig, 0);
}

/* The status that it ends with, and *len. */
static uint8_t end(Rig *rig, Block *b, uint32_t *len)
{
    block_drain(b);
    cr_assert_eq(rig_take(rig, 0, len), 0);
    return rig->ram[STATUS];
}

static uint8_t request(Rig *rig, Block *b, uint32_t type, uint64_t sector, uint32_t len)
{
    offer(rig, type, sector, len, type == 0 || type == 8 ? RIG_WRITE : 0);
    return end(rig, b, NULL);
}

Test(virtio_blk, a_read_and_a_write)
{
    for (unsigned modern = 0; modern < 2; modern++) {
        Block b = {0};
        Rig *rig = blk_rig(&b);
        uint32_t len;
        rig_start(rig, modern, VIRTIO_F(9));
        memset(b.data + 7 * 512, 0x5a, 1024);
        offer(rig, 0, 7, 1024, RIG_WRITE);
        cr_assert_eq(rig_take(rig, 0, NULL), -1, "it is in flight");
        cr_assert_eq(end(rig, &b, &len), 0);
        cr_assert_eq(len, 1025);
        cr_assert_eq(rig->ram[DATA + 1023], 0x5a);
        cr_assert_eq(rig->ram[DATA + 1024], 0);
        cr_assert(rig_line(rig));
        offer(rig, 1, SECTORS - 1, 512, 0);
        cr_assert_eq(end(rig, &b, &len), 0);
        cr_assert_eq(len, 1);
        cr_assert_eq(b.data[SECTORS * 512 - 1], 0x5a);
        cr_assert_eq(b.last, BLOCK_WRITE);
        done_with(rig, &b);
    }
}

/* 1.2, section 2.7.4: framing says nothing. */
Test(virtio_blk, a_request_may_be_cut_anywhere)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);

    rig_start(rig, true, VIRTIO_F(9));
    put_header(rig, 1, 3);
    memset(rig->ram + DATA, 0x77, 512);
    rig_desc(rig, 0, 0, (RigDesc){HEADER, 10, RIG_NEXT, 1});
    rig_desc(rig, 0, 1, (RigDesc){HEADER + 10, 6, RIG_NEXT, 2});
    rig_desc(rig, 0, 2, (RigDesc){DATA, 100, RIG_NEXT, 3});
    rig_desc(rig, 0, 3, (RigDesc){DATA, 412, RIG_NEXT, 4});
    rig_desc(rig, 0, 4, (RigDesc){STATUS, 1, RIG_WRITE, 0});
    rig_offer(rig, 0, 0);
    rig_kick(rig, 0);
    cr_assert_eq(end(rig, &b, NULL), 0);
    cr_assert_eq(b.data[3 * 512 + 511], 0x77);
    put_header(rig, 0, 3);
    rig_desc(rig, 0, 0, (RigDesc){HEADER, 16, RIG_NEXT, 1});
    rig_desc(rig, 0, 1, (RigDesc){STATUS - 512, 513, RIG_WRITE, 0}); /* data and status in one */
    rig_offer(rig, 0, 0);
    rig_kick(rig, 0);
    cr_assert_eq(end(rig, &b, NULL), 0);
    cr_assert_eq(rig->ram[STATUS - 1], 0x77);
    done_with(rig, &b);
}

Test(virtio_blk, what_lies_beyond_the_end_or_is_no_sector_is_an_error)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);

    rig_start(rig, true, 0);
    cr_assert_eq(request(rig, &b, 0, SECTORS, 512), 1);
    cr_assert_eq(request(rig, &b, 0, SECTORS - 1, 1024), 1);
    cr_assert_eq(request(rig, &b, 0, UINT64_MAX, 1024), 1);
    cr_assert_eq(request(rig, &b, 1, 0, 511), 1);
    cr_assert_eq(request(rig, &b, 0, 0, 0), 1);
    cr_assert_eq(request(rig, &b, 99, 0, 0), 2);
    b.error = EIO;
    cr_assert_eq(request(rig, &b, 0, 0, 512), 1);
    done_with(rig, &b);
}

Test(virtio_blk, a_read_only_disk_says_so_and_takes_no_writes)
{
    Block b = {.read_only = true};
    Rig *rig = blk_rig(&b);

    rig_start(rig, true, 0);
    rig_out(rig, 0, 0, 4);
    cr_assert(rig_in(rig, 4, 4) & 1 << 5);
    cr_assert_eq(request(rig, &b, 1, 0, 512), 1);
    cr_assert_eq(request(rig, &b, 0, 0, 512), 0);
    done_with(rig, &b);
}

Test(virtio_blk, flush_and_the_write_cache)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);

    rig_start(rig, true, VIRTIO_F(9) | VIRTIO_F(11));
    cr_assert_eq(request(rig, &b, 4, 0, 0), 0);
    cr_assert_eq(b.flushes, 1);
    request(rig, &b, 1, 0, 512);
    cr_assert_eq(b.last, BLOCK_WRITE);
    cr_assert_eq(rig_in(rig, 0x2020, 1), 1);
    rig_out(rig, 0x2020, 0, 1);
    cr_assert_eq(rig_in(rig, 0x2020, 1), 0);
    request(rig, &b, 1, 0, 512);
    cr_assert_eq(b.last, BLOCK_WRITE_THROUGH);
    rig_start(rig, true, 0); /* a driver that cannot flush */
    request(rig, &b, 1, 0, 512);
    cr_assert_eq(b.last, BLOCK_WRITE_THROUGH);
    done_with(rig, &b);
}

Test(virtio_blk, its_serial_number)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);

    rig_start(rig, true, 0);
    cr_assert_eq(request(rig, &b, 8, 0, 20), 0);
    cr_assert_arr_eq(rig->ram + DATA, "serial-of-20-octets!", 20);
    done_with(rig, &b);
}

static void put_segment(Rig *rig, uint64_t sector, uint32_t sectors, uint32_t flags)
{
    uint64_t at = GUINT64_TO_LE(sector);
    uint32_t words[2] = {GUINT32_TO_LE(sectors), GUINT32_TO_LE(flags)};

    rig_put(rig, DATA, &at, sizeof at);
    rig_put(rig, DATA + 8, words, sizeof words);
}

/* 1.2, section 5.2.6. */
Test(virtio_blk, discard_and_write_zeroes)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);

    rig_start(rig, true, VIRTIO_F(9) | VIRTIO_F(13) | VIRTIO_F(14));
    put_segment(rig, 5, 3, 0);
    cr_assert_eq(request(rig, &b, 11, 0, 16), 0);
    cr_assert_eq(b.last, BLOCK_DISCARD);
    cr_assert_eq(b.last_offset, 5 * 512);
    cr_assert_eq(b.last_len, 3 * 512);
    cr_assert_eq(request(rig, &b, 13, 0, 16), 0);
    cr_assert_eq(b.last, BLOCK_WRITE_ZEROES);
    put_segment(rig, 5, 3, 1);
    cr_assert_eq(request(rig, &b, 13, 0, 16), 0);
    cr_assert_eq(request(rig, &b, 11, 0, 16), 2, "discard has no flags");
    put_segment(rig, 5, 3, 2);
    cr_assert_eq(request(rig, &b, 13, 0, 16), 2);
    put_segment(rig, SECTORS - 1, 2, 0);
    cr_assert_eq(request(rig, &b, 11, 0, 16), 1);
    put_segment(rig, 0, 0x400000, 0);
    cr_assert_eq(request(rig, &b, 13, 0, 16), 1);
    cr_assert_eq(request(rig, &b, 13, 0, 32), 1, "one segment only");
    done_with(rig, &b);
}

Test(virtio_blk, a_request_without_a_header_or_a_status_breaks_it)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);

    rig_start(rig, true, 0);
    rig_desc(rig, 0, 0, (RigDesc){HEADER, 15, RIG_NEXT, 1});
    rig_desc(rig, 0, 1, (RigDesc){STATUS, 1, RIG_WRITE, 0});
    rig_offer(rig, 0, 0);
    rig_kick(rig, 0);
    cr_assert_eq(rig_status_in(rig), 0x4f);
    rig_start(rig, true, 0);
    rig_desc(rig, 0, 0, (RigDesc){HEADER, 16, 0, 0});
    rig_offer(rig, 0, 0);
    rig_kick(rig, 0);
    cr_assert_eq(rig_status_in(rig), 0x4f);
    done_with(rig, &b);
}

/* The configuration of the recording's disk, as QEMU shows it. */
Test(virtio_blk, its_configuration)
{
    static const uint8_t expected[] = {0, 0x80, 0, 0,    0,    0,    0,    0,    0,    0, 0, 0, 0xfe, 0, 0,
                                       0, 0x20, 0, 0x10, 63,   0,    2,    0,    0,    0, 0, 0, 0,    0, 0,
                                       0, 0,    1, 0,    1,    0,    0xff, 0xff, 0x3f, 0, 1, 0, 0,    0, 1,
                                       0, 0,    0, 0xff, 0xff, 0x3f, 0,    1,    0,    0, 0, 1, 0xff};
    Block b = {0};
    Rig *rig = blk_rig(&b);

    rig_map(rig);
    for (unsigned i = 0; i < sizeof expected; i++)
        cr_assert_eq(rig_in(rig, 0x2000 + i, 1), expected[i], "octet %u", i);
    cr_assert_eq(board_in32(rig->board, RIG_PORTS), 0x79006e54);
    cr_assert_eq(board_in32(rig->board, RIG_PORTS + 20), SECTORS);
    rig_config_out(rig, 0x10, UINT32_MAX);
    cr_assert_eq(rig_config_in(rig, 0x10), 0xffffff81);
    cr_assert_eq(rig_config_in(rig, 0x00), 0x10011af4);
    cr_assert_eq(rig_config_in(rig, 0x08), 0x01000000);
    done_with(rig, &b);
}

Test(virtio_blk, what_is_in_flight_ends_before_the_machine_stands)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);

    machine_set_running(rig->board->machine, true);
    rig_start(rig, true, 0);
    offer(rig, 0, 0, 512, RIG_WRITE);
    machine_set_running(rig->board->machine, false);
    cr_assert_eq(b.count, 0);
    cr_assert_eq(rig_take(rig, 0, NULL), 0);
    done_with(rig, &b);
}

Test(virtio_blk, what_ends_after_a_reset_is_not_seen)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);

    rig_start(rig, true, 0);
    offer(rig, 0, 0, 512, RIG_WRITE);
    rig_start(rig, true, 0);
    rig->ram[STATUS] = 0x55;
    block_drain(&b);
    cr_assert_eq(rig_take(rig, 0, NULL), -1);
    cr_assert_eq(rig->ram[STATUS], 0x55);
    cr_assert_eq(request(rig, &b, 0, 0, 512), 0);
    offer(rig, 0, 0, 512, RIG_WRITE);
    done_with(rig, &b); /* with a request in flight */
    cr_assert_eq(b.count, 0);
}

Test(virtio_blk, what_a_reset_forgot_has_ended_when_the_machine_stops_and_when_the_device_goes)
{
    for (unsigned stops = 0; stops < 2; stops++) {
        Block b = {0};
        Rig *rig = blk_rig(&b);
        rig_start(rig, true, 0);
        machine_set_running(rig->board->machine, true);
        offer(rig, 0, 0, 512, RIG_WRITE);
        rig_status(rig, 0);
        cr_assert_eq(b.count, 1);
        if (stops) {
            machine_set_running(rig->board->machine, false);
            cr_assert_eq(b.count, 0, "the guest's memory changes though it stands");
        }
        done_with(rig, &b);
        cr_assert_eq(b.count, 0);
    }
}

Test(virtio_blk, it_is_the_one_that_qemu_records)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);

    rig_load_recorded(rig, "c1-kvm-virtio");
    rig_quiet_ring(rig, 0xfde000, 0xfdf000, 1);
    rig_load_recorded(rig, "f2-kvm-virtio-10s");
    rig_quiet_ring(rig, 0x7fde000, 0x7fdf000, 1);
    rig_load_recorded(rig, "j2-kvm-linux-virtio");
    rig_quiet_ring(rig, 0x2a51000, 0x2a51240, 2);
    rig_load_recorded(rig, "j1-tcg-linux-virtio");
    done_with(rig, &b);
}

Test(virtio_blk, a_state_with_requests_in_flight_is_refused)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);
    ByteOut octets = {0};
    g_autoptr(GError) error = NULL;
    const unsigned requests = 276 + 33 + 14 + 57 + 4 + 16;

    board_save(rig->board, rig->dev, &octets);
    cr_assert_eq(octets.len, 45584);
    cr_assert_eq(octets.data[requests], 0);
    octets.data[requests] = 1;
    cr_assert_not(board_load(rig->board, rig->dev, octets.data, octets.len, 2, &error));
    cr_assert(strstr(error->message, "requests in flight"), "%s", error->message);
    byte_out_done(&octets);
    done_with(rig, &b);
}

Test(virtio_blk, random_requests_do_no_harm)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);
    GRand *rand = g_rand_new_with_seed(42);

    for (unsigned i = 0; i < 5000; i++) {
        if (i % 20 == 0)
            rig_start(rig, i % 40 == 0, g_rand_int(rand));
        put_header(rig, (uint32_t)g_rand_int_range(rand, 0, 16), (uint32_t)g_rand_int_range(rand, 0, SECTORS + 10));
        put_segment(rig, g_rand_int(rand) & 0xffff, g_rand_int(rand) & 0xffff, g_rand_int(rand) & 3);
        for (unsigned n = 0; n < 4; n++)
            rig_desc(rig, 0, n,
                     (RigDesc){n ? DATA : HEADER, n ? (uint32_t)g_rand_int_range(rand, 1, 9) * 256 : 16,
                               (uint16_t)((g_rand_int_range(rand, 0, 4) ? RIG_NEXT : 0) | (n > 1 ? RIG_WRITE : 0)),
                               (uint16_t)(n + 1)});
        rig_offer(rig, 0, 0);
        rig_kick(rig, 0);
        if (b.count > 10 || g_rand_boolean(rand))
            block_drain(&b);
    }
    g_rand_free(rand);
    board_abuse_ports(rig->board, rig->dev, RIG_PORTS, 0x60, 1000);
    done_with(rig, &b);
}

Test(virtio_blk, any_state_survives)
{
    Block b = {0};
    Rig *rig = blk_rig(&b);

    rig_map(rig);
    board_try_states(rig->board, rig->dev, 30);
    done_with(rig, &b);
}
