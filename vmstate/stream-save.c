/* stream-save.c: writes a QEMUFile stream. Source: vmstate/FORMAT.md part 1. */
#include "vmstate/stream-save.h"

#include <string.h>

#include "visitors/qemufile-out.h"
#include "vmstate/ram-save.h"
#include "vmstate/trailer.h"
#include "vmstate/walk.h"

typedef struct StreamSave {
    StreamSink sink;
    ChanOut *out;
    Chan *digest;
    StreamHeader header; /* its strings are not kept */
    RamSave ram;
    TrailerWriter *trailer;
    ByteOut buf; /* for what is put together first */
    struct {
        uint32_t id;
        bool ram, bare;
    } slice;
} StreamSave;

static StreamSave *save_of(StreamSink *sink)
{
    return (StreamSave *)sink;
}

static void put_buf(StreamSave *s)
{
    chan_out_put(s->out, s->buf.data, s->buf.len);
    s->buf.len = 0;
}

static void put_footer(StreamSave *s, uint32_t id)
{
    if (s->header.footers) {
        byte_out_u8(&s->buf, 0x7e);
        byte_out_be32(&s->buf, id);
    }
}

static bool save_header(StreamSink *sink, const StreamHeader *header, GError **error)
{
    StreamSave *s = save_of(sink);

    (void)error;
    s->header = *header;
    if (header->kind != STREAM_MACHINE)
        return true;
    byte_out_be32(&s->buf, 0x5145564d);
    byte_out_be32(&s->buf, 3);
    put_buf(s);
    return true;
}

/* --- live sections ---------------------------------------------------------------------------------------------- */

static void put_head(StreamSave *s, uint8_t mark, uint32_t id, const char *name, uint32_t instance, int version)
{
    byte_out_u8(&s->buf, mark);
    byte_out_be32(&s->buf, id);
    byte_out_str8(&s->buf, name);
    byte_out_be32(&s->buf, instance);
    byte_out_be32(&s->buf, (uint32_t)version);
}

static bool save_slice_start(StreamSink *sink, const StreamSlice *slice, GError **error)
{
    StreamSave *s = save_of(sink);

    (void)error;
    s->slice.id = slice->id;
    s->slice.ram = strcmp(slice->name, "ram") == 0;
    s->slice.bare = s->header.kind == STREAM_PREEMPT;
    if (s->slice.bare)
        return true;
    if (slice->kind == SLICE_START || slice->kind == SLICE_FULL) {
        put_head(s, (uint8_t)slice->kind, slice->id, slice->name, slice->instance, slice->version);
    } else {
        byte_out_u8(&s->buf, (uint8_t)slice->kind);
        byte_out_be32(&s->buf, slice->id);
    }
    put_buf(s);
    return true;
}

static bool save_slice_end(StreamSink *sink, GError **error)
{
    StreamSave *s = save_of(sink);

    (void)error;
    if (s->slice.ram)
        ram_save_eos(&s->ram);
    if (!s->slice.bare)
        put_footer(s, s->slice.id);
    put_buf(s);
    return true;
}

static bool save_ram_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    (void)error;
    ram_save_blocks(&save_of(sink)->ram, blocks, first);
    return true;
}

static bool save_ram_run(StreamSink *sink, const RamRun *run, GError **error)
{
    (void)error;
    ram_save_run(&save_of(sink)->ram, run);
    return true;
}

static bool save_ram_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    (void)error;
    ram_save_piece(&save_of(sink)->ram, piece);
    return true;
}

static bool save_octets(StreamSink *sink, const StreamOctets *octets, GError **error)
{
    (void)error;
    chan_out_put(save_of(sink)->out, octets->data, octets->len);
    return true;
}

/* --- devices ---------------------------------------------------------------------------------------------------- */

static bool save_section(StreamSink *sink, const StreamSection *section, GError **error)
{
    StreamSave *s = save_of(sink);

    if (section->cut)
        return true; /* it comes again as residue */
    if (section->configuration)
        byte_out_u8(&s->buf, 0x07);
    else
        put_head(s, 0x04, section->id, section->name, section->instance, section->version);
    size_t body = s->buf.len;
    if (section->octets) {
        byte_out_put(&s->buf, section->octets, section->len);
    } else {
        g_autoptr(Visitor) v = qemufile_out_new(&s->buf, section->name);
        vmstate_save(v, section->desc, section->state);
        if (!visit_finish(v, error))
            return false;
    }
    if (!section->configuration) {
        trailer_writer_add(s->trailer, section->name, section->instance, section->desc, section->state,
                           s->buf.len - body);
        put_footer(s, section->id);
    }
    put_buf(s);
    return true;
}

static bool save_command(StreamSink *sink, const StreamCommand *command, GError **error)
{
    StreamSave *s = save_of(sink);

    (void)error;
    byte_out_u8(&s->buf, 0x08);
    byte_out_be16(&s->buf, command->id);
    byte_out_be16(&s->buf, (uint16_t)command->len);
    byte_out_put(&s->buf, command->payload, command->len);
    put_buf(s);
    return true;
}

/* --- other channels --------------------------------------------------------------------------------------------- */

static bool save_greeting(StreamSink *sink, const StreamGreeting *greeting, GError **error)
{
    StreamSave *s = save_of(sink);

    (void)error;
    byte_out_be32(&s->buf, 0x11223344);
    byte_out_be32(&s->buf, greeting->version);
    byte_out_put(&s->buf, greeting->uuid, sizeof greeting->uuid);
    byte_out_u8(&s->buf, greeting->channel);
    byte_out_put(&s->buf, greeting->rest, sizeof greeting->rest);
    put_buf(s);
    return true;
}

static bool save_packet(StreamSink *sink, const StreamPacket *packet, GError **error)
{
    StreamSave *s = save_of(sink);
    uint8_t header[STREAM_PACKET_HEADER];

    (void)error;
    if (packet->header)
        memcpy(header, packet->header, sizeof header);
    else
        stream_packet_header(packet, header);
    struct iovec iov[] = {
        {.iov_base = header, .iov_len = sizeof header},
        {.iov_base = (void *)packet->data, .iov_len = packet->len},
    };
    chan_out_putv(s->out, iov, 2);
    return true;
}

static bool save_message(StreamSink *sink, const StreamMessage *message, GError **error)
{
    StreamSave *s = save_of(sink);

    (void)error;
    byte_out_be16(&s->buf, message->type);
    byte_out_be16(&s->buf, (uint16_t)message->len);
    byte_out_put(&s->buf, message->payload, message->len);
    if (message->type == STREAM_MESSAGE_RECV_BITMAP) {
        byte_out_be64(&s->buf, message->bitmap_len);
        byte_out_put(&s->buf, message->bitmap, message->bitmap_len);
        byte_out_be64(&s->buf, STREAM_MESSAGE_BITMAP_END);
    }
    put_buf(s);
    return true;
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static bool save_eof(StreamSink *sink, const StreamTrailer *trailer, GError **error)
{
    StreamSave *s = save_of(sink);
    const char *text = trailer->text;
    size_t len = trailer->len;

    (void)error;
    byte_out_u8(&s->buf, 0x00);
    if (trailer->present) {
        if (!text) {
            const GString *derived = trailer_writer_end(s->trailer);
            text = derived->str;
            len = derived->len;
        }
        byte_out_u8(&s->buf, 0x06);
        byte_out_be32(&s->buf, (uint32_t)len);
    }
    put_buf(s);
    if (trailer->present)
        chan_out_put(s->out, text, len);
    return true;
}

static bool save_residue(StreamSink *sink, bool cut, const uint8_t *data, size_t len, GError **error)
{
    (void)cut;
    (void)error;
    chan_out_put(save_of(sink)->out, data, len);
    return true;
}

static bool save_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    StreamSave *s = save_of(sink);
    uint8_t digest[16];

    if (!s->digest || !end->has_origin)
        return true;
    chan_out_flush(s->out);
    chan_digest_value(s->digest, digest);
    if (chan_digest_length(s->digest) == end->origin_len && memcmp(digest, end->origin_digest, sizeof digest) == 0)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED,
                "what was written (%" G_GUINT64_FORMAT
                " octets) is not what the stream was converted from (%" G_GUINT64_FORMAT " octets)",
                chan_digest_length(s->digest), end->origin_len);
    return false;
}

static const StreamSinkOps ops = {
    .header = save_header,
    .slice_start = save_slice_start,
    .ram_blocks = save_ram_blocks,
    .ram_run = save_ram_run,
    .ram_piece = save_ram_piece,
    .octets = save_octets,
    .slice_end = save_slice_end,
    .section = save_section,
    .command = save_command,
    .greeting = save_greeting,
    .packet = save_packet,
    .message = save_message,
    .eof = save_eof,
    .residue = save_residue,
    .end = save_end,
};

StreamSink *stream_save_new(ChanOut *out, Chan *digest)
{
    StreamSave *s = g_new0(StreamSave, 1);

    s->sink.ops = &ops;
    s->out = out;
    s->digest = digest;
    ram_save_init(&s->ram, out);
    s->trailer = trailer_writer_new();
    return &s->sink;
}

void stream_save_free(StreamSink *sink)
{
    StreamSave *s = save_of(sink);

    if (!s)
        return;
    trailer_writer_free(s->trailer);
    ram_save_done(&s->ram);
    byte_out_done(&s->buf);
    g_free(s);
}
