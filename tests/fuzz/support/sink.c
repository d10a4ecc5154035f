/* sink.c: a sink that reads all it is told, and holds it against the contract in vmstate/stream.h. */
#include "tests/fuzz/support/sink.h"

#include <string.h>

#include "tests/fuzz/support/fuzz.h"
#include "visitors/text-out.h"
#include "visitors/trace.h"
#include "vmstate/live.h"
#include "vmstate/state.h"
#include "vmstate/walk.h"

static FuzzSink *sink_of(StreamSink *sink)
{
    FuzzSink *s = (FuzzSink *)sink;

    s->calls++;
    fuzz_check(!s->told_end, "the sink is told something after the end");
    return s;
}

static void touch_text(const char *text)
{
    if (text)
        fuzz_touch(text, strlen(text));
}

static bool take_header(StreamSink *sink, const StreamHeader *header, GError **error)
{
    FuzzSink *s = sink_of(sink);

    (void)error;
    fuzz_check(s->calls == 1, "the header is not the first call");
    s->told_header = true;
    touch_text(header->format);
    touch_text(header->writer);
    touch_text(header->writer_version);
    touch_text(header->machine);
    fuzz_check(stream_kind_name(header->kind), "a stream of kind %d", header->kind);
    return true;
}

static bool take_schema(StreamSink *sink, Schema *schema, size_t first, GError **error)
{
    (void)error;
    fuzz_check(sink_of(sink)->told_header, "the schema comes before the header");
    fuzz_check(first <= schema_section_count(schema), "section %zu is new, there are %zu", first,
               schema_section_count(schema));
    for (size_t i = first; i < schema_section_count(schema); i++) {
        const SchemaSection *section = schema_section(schema, i);
        touch_text(section->name);
        fuzz_check(!section->desc || section->desc->size <= VMS_STATE_MAX, "%s takes %zu octets", section->name,
                   section->desc->size);
    }
    return true;
}

/* --- slices ------------------------------------------------------------------------------------------------------ */

static bool take_slice_start(StreamSink *sink, const StreamSlice *slice, GError **error)
{
    FuzzSink *s = sink_of(sink);

    (void)error;
    fuzz_check(!s->in_slice, "a slice inside a slice");
    s->in_slice = true;
    g_free(s->slice);
    s->slice = g_strdup(slice->name);
    return true;
}

static bool take_slice_end(StreamSink *sink, GError **error)
{
    FuzzSink *s = sink_of(sink);

    (void)error;
    fuzz_check(s->in_slice, "the end of a slice that is not open");
    s->in_slice = false;
    return true;
}

static bool take_ram_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    FuzzSink *s = sink_of(sink);

    (void)error;
    fuzz_check(s->in_slice, "RAM blocks outside a slice");
    fuzz_check(first == s->blocks, "block %zu is new, %zu were told", first, s->blocks);
    for (size_t i = first; i < blocks->list->len; i++)
        touch_text(ram_block(blocks, i)->name);
    s->blocks = blocks->list->len;
    return true;
}

static bool take_ram_run(StreamSink *sink, const RamRun *run, GError **error)
{
    FuzzSink *s = sink_of(sink);
    uint32_t full = 0;

    (void)error;
    s->records++;
    fuzz_check(s->in_slice && run->block < s->blocks, "pages outside a slice, or of block %u of %zu", run->block,
               s->blocks);
    fuzz_check(run->count && run->count <= RAM_RUN_PAGES && run->full <= RAM_RUN_FULL, "a run of %u pages, %u full",
               run->count, run->full);
    for (uint32_t i = 0; i < run->count; i++) {
        if (!run->pages[i])
            continue;
        fuzz_touch(run->pages[i], RAM_PAGE);
        full++;
    }
    fuzz_check(full == run->full, "%u of the pages have content, not %u", full, run->full);
    return true;
}

static bool take_ram_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    FuzzSink *s = sink_of(sink);
    uint8_t page[RAM_PAGE] = {0};

    (void)error;
    s->records++;
    fuzz_check(s->in_slice && piece->block < s->blocks, "a piece outside a slice, or of block %u of %zu", piece->block,
               s->blocks);
    fuzz_check(piece->len <= RAM_PIECE_MAX, "a piece of %zu octets", piece->len);
    fuzz_touch(piece->data, piece->len);
    ram_piece_apply(piece, page, NULL);
    return true;
}

static bool take_octets(StreamSink *sink, const StreamOctets *octets, GError **error)
{
    FuzzSink *s = sink_of(sink);

    (void)error;
    s->records++;
    fuzz_check(s->in_slice, "octets outside a slice");
    fuzz_touch(octets->data, octets->len);
    g_autofree char *text = live_text(s->slice, octets->data, octets->len);
    touch_text(text);
    return true;
}

/* --- devices ----------------------------------------------------------------------------------------------------- */

/* All that the description says is in the state can be read. */
static void read_state(const StreamSection *section)
{
    g_autoptr(ChanOut) out = chan_out_new(fuzz_chan_nowhere());
    g_autoptr(Visitor) v = text_out_new(out, section->name, false);
    GError *error = NULL;

    vmstate_save(v, section->desc, section->state);
    fuzz_check(visit_finish(v, &error), "the state of %s cannot be shown: %s", section->name, fuzz_message(error));
    chan_out_finish(out, NULL);
    if (!section->octets)
        fuzz_check(vms_state_wire_size(section->desc, section->state) == section->len,
                   "%s has %zu octets on the wire, the sink is told %zu", section->name,
                   vms_state_wire_size(section->desc, section->state), section->len);
}

/* What there is of a section that is cut loads up to the cut, and fails there. */
static void read_partial(const StreamSection *section)
{
    g_autoptr(ChanOut) out = chan_out_new(fuzz_chan_nowhere());
    g_autoptr(Visitor) witness = text_out_new(out, section->name, false);
    g_autoptr(Visitor) v = trace_new(section->partial, witness);
    void *state = vms_state_new(section->desc);

    vmstate_load(v, section->desc, state, section->desc->version, NULL);
    visit_finish(v, NULL);
    vms_state_free(section->desc, state);
    chan_out_finish(out, NULL);
}

static bool take_section(StreamSink *sink, const StreamSection *section, GError **error)
{
    FuzzSink *s = sink_of(sink);

    (void)error;
    s->sections++;
    fuzz_check(s->told_header && !s->in_slice, "a section before the header, or inside a slice");
    touch_text(section->name);
    touch_text(section->note);
    if (section->octets)
        fuzz_touch(section->octets, section->len);
    fuzz_check(section->octets || section->state, "section %s has neither state nor octets", section->name);
    fuzz_check(!section->state || section->desc, "section %s has a state that nothing describes", section->name);
    if (section->state)
        read_state(section);
    if (section->partial)
        read_partial(section);
    return true;
}

/* --- the rest ---------------------------------------------------------------------------------------------------- */

static bool take_command(StreamSink *sink, const StreamCommand *command, GError **error)
{
    (void)error;
    fuzz_check(!sink_of(sink)->in_slice, "a command inside a slice");
    touch_text(stream_command_name(command->id));
    fuzz_touch(command->payload, command->len);
    return true;
}

static bool take_greeting(StreamSink *sink, const StreamGreeting *greeting, GError **error)
{
    (void)error;
    sink_of(sink);
    fuzz_touch(greeting, sizeof *greeting);
    return true;
}

static bool take_packet(StreamSink *sink, const StreamPacket *packet, GError **error)
{
    uint8_t header[STREAM_PACKET_HEADER];

    (void)error;
    sink_of(sink)->records++;
    fuzz_check(packet->count <= STREAM_PACKET_PAGES, "a packet of %u pages", packet->count);
    touch_text(packet->block);
    fuzz_touch(packet->data, packet->len);
    if (packet->header)
        fuzz_touch(packet->header, STREAM_PACKET_HEADER);
    stream_packet_header(packet, header);
    return true;
}

static bool take_message(StreamSink *sink, const StreamMessage *message, GError **error)
{
    (void)error;
    sink_of(sink)->records++;
    touch_text(stream_message_name(message->type));
    fuzz_touch(message->payload, message->len);
    fuzz_touch(message->bitmap, message->bitmap_len);
    return true;
}

static bool take_eof(StreamSink *sink, const StreamTrailer *trailer, GError **error)
{
    (void)error;
    fuzz_check(!sink_of(sink)->in_slice, "the stream ends inside a slice");
    if (trailer->text)
        fuzz_touch(trailer->text, trailer->len);
    return true;
}

static bool take_residue(StreamSink *sink, bool cut, const uint8_t *data, size_t len, GError **error)
{
    (void)cut;
    (void)error;
    sink_of(sink);
    fuzz_touch(data, len);
    return true;
}

static bool take_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    FuzzSink *s = sink_of(sink);

    (void)error;
    fuzz_check(!end->complete || !s->in_slice, "a complete stream ends inside a slice");
    s->told_end = true;
    return true;
}

static const StreamSinkOps ops = {
    .header = take_header,
    .schema = take_schema,
    .slice_start = take_slice_start,
    .ram_blocks = take_ram_blocks,
    .ram_run = take_ram_run,
    .ram_piece = take_ram_piece,
    .octets = take_octets,
    .slice_end = take_slice_end,
    .section = take_section,
    .command = take_command,
    .greeting = take_greeting,
    .packet = take_packet,
    .message = take_message,
    .eof = take_eof,
    .residue = take_residue,
    .end = take_end,
};

FuzzSink *fuzz_sink_new(void)
{
    FuzzSink *s = g_new0(FuzzSink, 1);

    s->sink.ops = &ops;
    return s;
}

void fuzz_sink_free(FuzzSink *s)
{
    g_free(s->slice);
    g_free(s);
}
