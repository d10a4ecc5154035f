/* test-channel.c: the other channels of a migration. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/support/recordings.h"
#include "visitors/chan.h"
#include "vmstate/channel-load.h"
#include "vmstate/multifd.h"

static void check_probe(const char *name, StreamKind wanted)
{
    ByteOut octets = {0};

    recording_read(name, &octets);
    cr_assert_eq(channel_probe(octets.data, octets.len, true), wanted, "%s", name);
    cr_assert_eq(channel_probe(octets.data, octets.len / 2, false), wanted, "half of %s", name);
    byte_out_done(&octets);
}

Test(channel, its_kind_is_told_by_what_it_says)
{
    check_probe("g05-multifd-none.chan1", STREAM_MULTIFD);
    check_probe("g04-postcopy-preempt.chan1", STREAM_PREEMPT);
    check_probe("g16-postcopy-recover.chan1", STREAM_RECOVERY);
    check_probe("g03-postcopy-run.chan0.returnpath", STREAM_RETURN_PATH);
    cr_assert_eq(channel_probe((const uint8_t *)"nothing of the kind", 19, true), STREAM_KINDS);
}

/* --- multifd ---------------------------------------------------------------------------------------------------- */

/* Unpacks all pages of a channel into `ram`, which has 16 MiB. */
typedef struct Pages {
    StreamSink sink;
    MultifdUnpack *unpack;
    uint8_t *ram;
    unsigned pages, syncs;
} Pages;

static bool take_packet(StreamSink *sink, const StreamPacket *packet, GError **error)
{
    Pages *p = (Pages *)sink;
    const uint8_t *pages[STREAM_PACKET_PAGES];

    if (!multifd_unpack(p->unpack, packet, pages, error))
        return false;
    p->syncs += packet->flags & STREAM_PACKET_SYNC;
    for (uint32_t i = 0; i < packet->count; i++) {
        p->pages++;
        if (strcmp(packet->block, "pc.ram") == 0)
            memcpy(p->ram + packet->offsets[i], pages[i], RAM_PAGE);
    }
    return true;
}

static const StreamSinkOps packet_ops = {.packet = take_packet};

static unsigned unpack_channel(const char *name, uint8_t *ram, unsigned *pages)
{
    Pages p = {.sink.ops = &packet_ops, .unpack = multifd_unpack_new(), .ram = ram};
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};

    recording_read(name, &octets);
    cr_assert(load_stream(&octets, STREAM_MULTIFD, &p.sink, &error), "%s: %s", name, error ? error->message : "");
    multifd_unpack_free(p.unpack);
    byte_out_done(&octets);
    *pages += p.pages;
    return p.syncs;
}

/* The guest of these recordings fills 0x100000 to 0x11ffff with a pattern that it changes all the time; the rest of
 * what it touches holds still, so that what the three methods carry must agree there. */
Test(multifd, all_methods_carry_pages_that_can_be_unpacked)
{
    static const struct {
        const char *name;
        unsigned channels;
    } recordings[] = {{"g05-multifd-none", 3}, {"g06-multifd-zlib", 2}, {"g07-multifd-zstd", 2}};
    uint8_t *ram[G_N_ELEMENTS(recordings)];

    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++) {
        unsigned pages = 0;
        ram[i] = g_malloc0(16 << 20);
        for (unsigned c = 1; c <= recordings[i].channels; c++) {
            g_autofree char *name = g_strdup_printf("%s.chan%u", recordings[i].name, c);
            cr_assert_eq(unpack_channel(name, ram[i], &pages), 3, "one SYNC for each EOS of the main channel");
        }
        cr_assert_gt(pages, 90, "%s", recordings[i].name);
    }
    for (size_t page = 0; page < (16 << 20) / RAM_PAGE; page++) {
        if (page >= 0x100 && page < 0x120)
            continue;
        for (size_t i = 1; i < G_N_ELEMENTS(recordings); i++)
            cr_assert_eq(memcmp(ram[0] + page * RAM_PAGE, ram[i] + page * RAM_PAGE, RAM_PAGE), 0, "page 0x%zx of %s",
                         page, recordings[i].name);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++)
        g_free(ram[i]);
}

static void check_refused(const char *name, StreamKind kind, size_t at, const char *octets, size_t len,
                          const char *wanted)
{
    static const StreamSinkOps nobody = {.header = NULL};
    StreamSink sink = {.ops = &nobody};
    g_autoptr(GError) error = NULL;
    ByteOut s = {0};

    recording_read(name, &s);
    memcpy(s.data + at, octets, len);
    cr_assert_not(load_stream(&s, kind, &sink, &error), "accepted; wanted %s", wanted);
    cr_assert_not_null(strstr(error->message, wanted), "%s", error->message);
    byte_out_done(&s);
}

Test(channel, what_is_wrong_is_named)
{
    check_refused("g05-multifd-none.chan2", STREAM_MULTIFD, 0, "\xff", 1,
                  "multifd greeting @0x0: the magic is 0xff223344, not 0x11223344");
    check_refused("g05-multifd-none.chan2", STREAM_MULTIFD, 64 + 7, "\x02", 1,
                  "multifd packet @0x40: version 2, this program reads 1");
    check_refused("g05-multifd-none.chan2", STREAM_MULTIFD, 64 + 12, "\0\0\x01", 3,
                  "multifd packet @0x40: 0 pages of 384 allocated");
    check_refused("g05-multifd-none.chan2", STREAM_MULTIFD, 0x580 + 20, "\x7f", 1, "at most");
    check_refused("g03-postcopy-run.chan0.returnpath", STREAM_RETURN_PATH, 1, "\x09", 1,
                  "return path message @0x0: there is no message 9");
    check_refused("g16-postcopy-recover.chan1.returnpath", STREAM_RETURN_PATH, 4 + 1 + 6, "\xff", 1,
                  "octets, at most 16777216 are allowed");
}

Test(multifd, pages_that_do_not_unpack_are_refused)
{
    Pages p = {.sink.ops = &packet_ops, .unpack = multifd_unpack_new(), .ram = g_malloc0(16 << 20)};
    g_autoptr(GError) error = NULL;
    ByteOut s = {0};

    recording_read("g06-multifd-zlib.chan1", &s);
    size_t packet = 64;
    while (load_be32(s.data + packet + 16) == 0)
        packet += STREAM_PACKET_HEADER;
    memset(s.data + packet + STREAM_PACKET_HEADER, 0xff, 200);
    cr_assert_not(load_stream(&s, STREAM_MULTIFD, &p.sink, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_DAMAGED), "%s", error->message);
    byte_out_done(&s);
    multifd_unpack_free(p.unpack);
    g_free(p.ram);
}
