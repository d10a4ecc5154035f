/*
 * json.c: a stream as one JSON object: "stream", then "elements" in the order of the stream, then "ram" and "end".
 */
#include <string.h>

#include "tools/vmstate-dump/dump.h"
#include "visitors/json-out.h"
#include "visitors/uuid.h"
#include "vmstate/live.h"
#include "vmstate/walk.h"

typedef struct JsonDump {
    StreamSink sink;
    DumpWish *wish;
    JsonWrite *json;
    RamCount ram;
    StreamSlice slice; /* the one that is open; its name is ours */
    char *slice_name;
    bool wanted;
    uint64_t pages;   /* in the slice */
    bool has_records; /* "records" is open */
    bool started;     /* "elements" is */
} JsonDump;

static JsonDump *dump_of(StreamSink *sink)
{
    return (JsonDump *)sink;
}

static void put_hex(JsonWrite *json, const char *key, uint64_t value)
{
    g_autofree char *text = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", value);

    json_write_string(json, key, text);
}

static bool dump_header(StreamSink *sink, const StreamHeader *h, GError **error)
{
    JsonDump *d = dump_of(sink);
    JsonWrite *json = d->json;
    const Input *input = d->wish->input;

    (void)error;
    json_write_object_start(json, NULL);
    json_write_object_start(json, "stream");
    json_write_string(json, "file", d->wish->path);
    json_write_string(json, "format", h->format);
    json_write_string(json, "kind", stream_kind_name(h->kind));
    json_write_uint(json, "start", input->start);
    if (input->libvirt) {
        json_write_object_start(json, "libvirt");
        json_write_uint(json, "version", input->libvirt->version);
        json_write_string(json, "packed", input->libvirt->packed);
        json_write_bool(json, "was-running", input->libvirt->was_running);
        json_write_bool(json, "partial", input->libvirt->partial);
        json_write_object_end(json);
    }
    if (h->writer) {
        json_write_string(json, "writer", h->writer);
        json_write_string(json, "writer-version", h->writer_version);
    }
    if (h->machine)
        json_write_string(json, "machine", h->machine);
    if (h->has_uuid) {
        char uuid[UUID_TEXT];
        uuid_text(h->uuid, uuid);
        json_write_string(json, "uuid", uuid);
    }
    json_write_object_end(json);
    json_write_array_start(json, "elements");
    d->started = true;
    return true;
}

static bool dump_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    JsonDump *d = dump_of(sink);
    JsonWrite *json = d->json;
    unsigned depth = json_write_depth(json);

    if (!dump_wants(d->wish, s->name, s->instance))
        return true;
    json_write_object_start(json, NULL);
    json_write_string(json, "section", s->name);
    json_write_uint(json, "instance", s->instance);
    json_write_uint(json, "version", (uint64_t)s->version);
    json_write_uint(json, "id", s->id);
    json_write_uint(json, "offset", s->offset);
    json_write_uint(json, "size", s->len);
    if (s->note)
        json_write_string(json, "note", s->note);
    if (s->cut)
        json_write_bool(json, "cut", true);
    if (s->desc && (s->state || s->partial)) {
        g_autoptr(Visitor) v = json_out_new(json, "fields");
        if (s->partial)
            dump_partial(s, v);
        else
            vmstate_save(v, s->desc, s->state);
        json_write_close_to(json, depth + 1);
        if (!s->partial && !visit_finish(v, error))
            return false;
    } else {
        json_write_hex(json, "octets", s->octets, s->len);
    }
    json_write_close_to(json, depth);
    return true;
}

/* --- live sections ---------------------------------------------------------------------------------------------- */

static bool dump_slice_start(StreamSink *sink, const StreamSlice *s, GError **error)
{
    JsonDump *d = dump_of(sink);

    (void)error;
    d->slice = *s;
    d->slice_name = g_strdup(s->name);
    d->wanted = dump_wants(d->wish, s->name, s->instance);
    d->pages = 0;
    d->has_records = false;
    return true;
}

/* A slice becomes an element when there is something in it: paused guests send thousands that are empty. */
static void need_element(JsonDump *d)
{
    static const char *const kinds[] = {
        [SLICE_START] = "start", [SLICE_PART] = "part", [SLICE_END] = "end", [SLICE_FULL] = "whole"};

    if (d->has_records)
        return;
    d->has_records = true;
    json_write_object_start(d->json, NULL);
    json_write_string(d->json, "live", d->slice_name);
    json_write_string(d->json, "slice", kinds[d->slice.kind]);
    json_write_uint(d->json, "id", d->slice.id);
    json_write_uint(d->json, "offset", d->slice.offset);
    if (strcmp(d->slice_name, "ram") != 0)
        json_write_array_start(d->json, "records");
}

static bool dump_slice_end(StreamSink *sink, GError **error)
{
    JsonDump *d = dump_of(sink);

    (void)error;
    if (d->wanted && d->pages) {
        need_element(d);
        json_write_uint(d->json, "pages", d->pages);
    }
    if (d->has_records)
        json_write_close_to(d->json, 2);
    g_clear_pointer(&d->slice_name, g_free);
    return true;
}

static bool dump_octets(StreamSink *sink, const StreamOctets *o, GError **error)
{
    JsonDump *d = dump_of(sink);

    (void)error;
    if (!d->wanted || o->continued)
        return true;
    g_autofree char *text = live_text(d->slice_name, o->data, o->len);
    if (strcmp(text, "end of slice") == 0)
        return true;
    need_element(d);
    json_write_string(d->json, NULL, text);
    return true;
}

static bool dump_ram_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    (void)error;
    ram_count_blocks(&dump_of(sink)->ram, blocks, first);
    return true;
}

static bool dump_ram_run(StreamSink *sink, const RamRun *run, GError **error)
{
    JsonDump *d = dump_of(sink);

    (void)error;
    ram_count_run(&d->ram, run);
    d->pages += run->count;
    return true;
}

static bool dump_ram_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    JsonDump *d = dump_of(sink);

    (void)error;
    ram_count_piece(&d->ram, piece);
    d->pages++;
    return true;
}

/* --- the rest --------------------------------------------------------------------------------------------------- */

static bool dump_command_element(StreamSink *sink, const StreamCommand *c, GError **error)
{
    JsonDump *d = dump_of(sink);
    const char *name = stream_command_name(c->id);

    (void)error;
    if (d->wish->section)
        return true;
    json_write_object_start(d->json, NULL);
    json_write_string(d->json, "command", name ? name : "unknown");
    json_write_uint(d->json, "id", c->id);
    json_write_uint(d->json, "offset", c->offset);
    json_write_hex(d->json, "payload", c->payload, c->len);
    json_write_object_end(d->json);
    return true;
}

static bool dump_greeting(StreamSink *sink, const StreamGreeting *g, GError **error)
{
    JsonDump *d = dump_of(sink);
    char uuid[UUID_TEXT];

    uuid_text(g->uuid, uuid);
    (void)error;
    json_write_object_start(d->json, NULL);
    json_write_string(d->json, "multifd", "greeting");
    json_write_uint(d->json, "version", g->version);
    json_write_uint(d->json, "channel", g->channel);
    json_write_string(d->json, "uuid", uuid);
    json_write_object_end(d->json);
    return true;
}

static bool dump_packet(StreamSink *sink, const StreamPacket *k, GError **error)
{
    JsonDump *d = dump_of(sink);
    JsonWrite *json = d->json;

    (void)error;
    json_write_object_start(json, NULL);
    json_write_string(json, "multifd", "packet");
    json_write_uint(json, "number", k->number);
    json_write_uint(json, "offset", k->offset);
    json_write_uint(json, "flags", k->flags);
    if (k->count) {
        json_write_string(json, "block", k->block);
        json_write_uint(json, "octets", k->len);
        json_write_array_start(json, "pages");
        for (uint32_t i = 0; i < k->count; i++)
            put_hex(json, NULL, k->offsets[i]);
        json_write_array_end(json);
    }
    json_write_object_end(json);
    return true;
}

static bool dump_message_element(StreamSink *sink, const StreamMessage *m, GError **error)
{
    JsonDump *d = dump_of(sink);
    g_autofree char *text = dump_message(m);

    (void)error;
    json_write_object_start(d->json, NULL);
    json_write_string(d->json, "message", text);
    json_write_uint(d->json, "offset", m->offset);
    json_write_object_end(d->json);
    return true;
}

static void put_ram(JsonDump *d)
{
    if (d->ram.blocks->len == 0 || !dump_wants(d->wish, "ram", 0))
        return;
    JsonWrite *json = d->json;

    json_write_array_start(json, "ram");
    for (guint i = 0; i < d->ram.blocks->len; i++) {
        const BlockCount *b = ram_count_block(&d->ram, i);
        json_write_object_start(json, NULL);
        json_write_string(json, "block", b->name);
        json_write_uint(json, "length", b->length);
        json_write_uint(json, "zero", b->zero);
        json_write_uint(json, "normal", b->normal);
        json_write_uint(json, "compressed", b->zlib);
        json_write_uint(json, "xbzrle", b->xbzrle);
        json_write_uint(json, "filled", b->fill);
        json_write_object_end(json);
    }
    json_write_array_end(json);
}

static bool dump_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    JsonDump *d = dump_of(sink);

    (void)error;
    json_write_close_to(d->json, 1);
    put_ram(d);
    json_write_object_start(d->json, "end");
    json_write_bool(d->json, "complete", end->complete);
    json_write_uint(d->json, "offset", end->offset);
    json_write_object_end(d->json);
    json_write_object_end(d->json);
    d->started = false;
    return true;
}

static const StreamSinkOps ops = {
    .header = dump_header,
    .slice_start = dump_slice_start,
    .ram_blocks = dump_ram_blocks,
    .ram_run = dump_ram_run,
    .ram_piece = dump_ram_piece,
    .octets = dump_octets,
    .slice_end = dump_slice_end,
    .section = dump_section,
    .command = dump_command_element,
    .greeting = dump_greeting,
    .packet = dump_packet,
    .message = dump_message_element,
    .end = dump_end,
};

StreamSink *json_dump_new(ChanOut *out, DumpWish *wish)
{
    JsonDump *d = g_new0(JsonDump, 1);

    d->sink.ops = &ops;
    d->wish = wish;
    d->json = json_write_new(out, 4);
    ram_count_init(&d->ram);
    return &d->sink;
}

/* A stream that is damaged has no end; what was written so far is closed all the same. */
void json_dump_free(StreamSink *sink)
{
    JsonDump *d = dump_of(sink);

    if (d->started) {
        json_write_close_to(d->json, 1);
        json_write_null(d->json, "end");
        json_write_close_to(d->json, 0);
    }
    json_write_free(d->json);
    ram_count_done(&d->ram);
    g_free(d->slice_name);
    g_free(d);
}
