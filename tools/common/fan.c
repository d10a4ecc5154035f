/* fan.c: one stream, several sinks. */
#include "tools/common/fan.h"

#define EACH(entry, ...)                                                                                               \
    do {                                                                                                               \
        Fan *fan = (Fan *)sink;                                                                                        \
        for (size_t i = 0; i < fan->count; i++)                                                                        \
            if (!SINK(fan->to[i], entry, __VA_ARGS__))                                                                 \
                return false;                                                                                          \
        return true;                                                                                                   \
    } while (0)

static bool fan_header(StreamSink *sink, const StreamHeader *header, GError **error)
{
    EACH(header, header, error);
}

static bool fan_schema(StreamSink *sink, Schema *schema, size_t first, GError **error)
{
    EACH(schema, schema, first, error);
}

static bool fan_slice_start(StreamSink *sink, const StreamSlice *slice, GError **error)
{
    EACH(slice_start, slice, error);
}

static bool fan_ram_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    EACH(ram_blocks, blocks, first, error);
}

static bool fan_ram_run(StreamSink *sink, const RamRun *run, GError **error)
{
    EACH(ram_run, run, error);
}

static bool fan_ram_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    EACH(ram_piece, piece, error);
}

static bool fan_octets(StreamSink *sink, const StreamOctets *octets, GError **error)
{
    EACH(octets, octets, error);
}

static bool fan_slice_end(StreamSink *sink, GError **error)
{
    EACH(slice_end, error);
}

static bool fan_section(StreamSink *sink, const StreamSection *section, GError **error)
{
    EACH(section, section, error);
}

static bool fan_command(StreamSink *sink, const StreamCommand *command, GError **error)
{
    EACH(command, command, error);
}

static bool fan_greeting(StreamSink *sink, const StreamGreeting *greeting, GError **error)
{
    EACH(greeting, greeting, error);
}

static bool fan_packet(StreamSink *sink, const StreamPacket *packet, GError **error)
{
    EACH(packet, packet, error);
}

static bool fan_message(StreamSink *sink, const StreamMessage *message, GError **error)
{
    EACH(message, message, error);
}

static bool fan_eof(StreamSink *sink, const StreamTrailer *trailer, GError **error)
{
    EACH(eof, trailer, error);
}

static bool fan_residue(StreamSink *sink, bool cut, const uint8_t *data, size_t len, GError **error)
{
    EACH(residue, cut, data, len, error);
}

static bool fan_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    EACH(end, end, error);
}

static const StreamSinkOps ops = {
    .header = fan_header,
    .schema = fan_schema,
    .slice_start = fan_slice_start,
    .ram_blocks = fan_ram_blocks,
    .ram_run = fan_ram_run,
    .ram_piece = fan_ram_piece,
    .octets = fan_octets,
    .slice_end = fan_slice_end,
    .section = fan_section,
    .command = fan_command,
    .greeting = fan_greeting,
    .packet = fan_packet,
    .message = fan_message,
    .eof = fan_eof,
    .residue = fan_residue,
    .end = fan_end,
};

void fan_init(Fan *fan)
{
    *fan = (Fan){.sink.ops = &ops};
}

void fan_add(Fan *fan, StreamSink *sink)
{
    g_assert(fan->count < FAN_MAX);
    fan->to[fan->count++] = sink;
}
