/*
 * fuzz-channel.c: the other channels of a migration. The first octet of an input tells which: 0 multifd, 1 postcopy
 * preempt, 2 return path.
 */
#include "tests/fuzz/support/convert.h"
#include "tests/fuzz/support/fuzz.h"
#include "vmstate/channel-load.h"
#include "vmstate/multifd.h"

static bool load(ChanIn *in, const void *how, StreamSink *sink, GError **error)
{
    return channel_load(in, *(const StreamKind *)how, sink, error);
}

/* --- packets are unpacked, page for page ------------------------------------------------------------------------- */

typedef struct PacketSink {
    StreamSink sink;
    MultifdUnpack *unpack;
    uint8_t page[RAM_PAGE]; /* what pieces change */
} PacketSink;

static bool take_packet(StreamSink *sink, const StreamPacket *packet, GError **error)
{
    const uint8_t *pages[STREAM_PACKET_PAGES] = {NULL};

    if (!multifd_unpack(((PacketSink *)sink)->unpack, packet, pages, error))
        return false;
    for (uint32_t i = 0; i < packet->count; i++)
        fuzz_touch(pages[i], RAM_PAGE);
    return true;
}

static bool take_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    return ram_piece_apply(piece, ((PacketSink *)sink)->page, error);
}

static const StreamSinkOps ops = {.packet = take_packet, .ram_piece = take_piece};

/* As the tools read them: all at once, or a packet a time. */
static void unpack(const uint8_t *data, size_t len, StreamKind kind, unsigned choice)
{
    PacketSink sink = {.sink.ops = &ops, .unpack = multifd_unpack_new()};
    g_autoptr(ChanIn) in = fuzz_in(data, len, choice);
    bool end = false;

    if (kind == STREAM_MULTIFD && choice & 64) {
        ChannelReader *reader = channel_reader_new(in, &sink.sink);
        while (!end && channel_reader_step(reader, &end, NULL))
            ;
        channel_reader_free(reader);
    } else {
        channel_load(in, kind, &sink.sink, NULL);
    }
    multifd_unpack_free(sink.unpack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const StreamKind kinds[] = {STREAM_MULTIFD, STREAM_PREEMPT, STREAM_RETURN_PATH};
    unsigned choice = fuzz_choice(data, len);
    StreamKind kind;

    if (len == 0)
        return 0;
    kind = kinds[data[0] % G_N_ELEMENTS(kinds)];
    data++;
    len--;
    fuzz_check(channel_probe(data, len, choice & 1) <= STREAM_KINDS, "a kind that is none");
    unpack(data, len, kind, choice >> 1);
    fuzz_read(data, len, load, &kind, choice >> 8);
    fuzz_there_and_back(data, len, load, &kind, choice >> 12);
    return 0;
}
