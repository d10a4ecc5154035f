/*
 * pretty.c: a stream as text, one line a value.
 *
 * Lines that start with '#' say what follows; the others are values, in the grammar of text-out.h.
 */
#include <string.h>

#include "tools/vmstate-dump/dump.h"
#include "visitors/text-out.h"
#include "visitors/uuid.h"
#include "vmstate/live.h"
#include "vmstate/stream-load.h"
#include "vmstate/walk.h"

typedef struct Pretty {
    StreamSink sink;
    ChanOut *out;
    DumpWish *wish;
    RamCount ram;
    char *slice; /* name of the one that is open */
    bool wanted; /* it */
} Pretty;

static Pretty *pretty_of(StreamSink *sink)
{
    return (Pretty *)sink;
}

static void say(Pretty *p, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void say(Pretty *p, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_autofree char *line =
        p->wish->colour ? g_strdup_printf("\033[1m# %s\033[0m\n", text) : g_strdup_printf("# %s\n", text);
    chan_out_put(p->out, line, strlen(line));
}

static bool pretty_header(StreamSink *sink, const StreamHeader *h, GError **error)
{
    Pretty *p = pretty_of(sink);
    g_autofree char *format = dump_format(h);

    (void)error;
    if (p->wish->section)
        return true;
    say(p, "%s: %s", p->wish->path, format);
    if (p->wish->input->libvirt)
        say(p, "in a libvirt save file, stream at 0x%" G_GINT64_MODIFIER "x, packed: %s", p->wish->input->start,
            p->wish->input->libvirt->packed);
    if (h->writer)
        say(p, "written by %s %s", h->writer, h->writer_version);
    if (h->machine)
        say(p, "machine type %s", h->machine);
    if (h->has_uuid) {
        char uuid[UUID_TEXT];
        uuid_text(h->uuid, uuid);
        say(p, "uuid %s", uuid);
    }
    return true;
}

/* --- devices ---------------------------------------------------------------------------------------------------- */

static void put_octets(Pretty *p, const StreamSection *s, const char *title)
{
    g_autoptr(Visitor) text = text_out_new(p->out, title, p->wish->colour);

    visit_octets(text, NULL, s->name, (void *)s->octets, s->len);
}

static bool pretty_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    Pretty *p = pretty_of(sink);
    g_autofree char *title = stream_section_title(s->name, s->instance);
    g_autoptr(Visitor) text = text_out_new(p->out, title, p->wish->colour);

    if (!dump_wants(p->wish, s->name, s->instance))
        return true;
    say(p, "%s, version %d, id %u, @0x%" G_GINT64_MODIFIER "x, %zu octets%s%s%s", title, s->version, s->id, s->offset,
        s->len, s->cut ? ": cut here" : "", s->note ? ": " : "", s->note ? s->note : "");
    if (s->partial) {
        dump_partial(s, text);
        return true;
    }
    if (s->desc && s->state) {
        vmstate_save(text, s->desc, s->state);
        return visit_finish(text, error);
    }
    put_octets(p, s, title);
    return true;
}

/* --- live sections ---------------------------------------------------------------------------------------------- */

static bool pretty_slice_start(StreamSink *sink, const StreamSlice *s, GError **error)
{
    static const char *const kinds[] = {
        [SLICE_START] = "start", [SLICE_PART] = "part", [SLICE_END] = "end", [SLICE_FULL] = "whole"};
    Pretty *p = pretty_of(sink);

    (void)error;
    p->slice = g_strdup(s->name);
    p->wanted = dump_wants(p->wish, s->name, s->instance);
    if (p->wanted && s->kind != SLICE_PART)
        say(p, "%s, version %d, id %u, @0x%" G_GINT64_MODIFIER "x: %s", s->name, s->version, s->id, s->offset,
            kinds[s->kind]);
    return true;
}

static bool pretty_slice_end(StreamSink *sink, GError **error)
{
    (void)error;
    g_clear_pointer(&pretty_of(sink)->slice, g_free);
    return true;
}

static bool pretty_octets(StreamSink *sink, const StreamOctets *o, GError **error)
{
    Pretty *p = pretty_of(sink);
    g_autofree char *what =
        o->continued ? g_strdup_printf("continued, %zu octets", o->len) : live_text(p->slice, o->data, o->len);
    g_autofree char *line = g_strdup_printf("%s = (octets of %s) %s\n", p->slice, p->slice, what);

    (void)error;
    if (p->wanted && !o->continued && strcmp(what, "end of slice") != 0)
        chan_out_put(p->out, line, strlen(line));
    return true;
}

static bool pretty_ram_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    (void)error;
    ram_count_blocks(&pretty_of(sink)->ram, blocks, first);
    return true;
}

static bool pretty_ram_run(StreamSink *sink, const RamRun *run, GError **error)
{
    (void)error;
    ram_count_run(&pretty_of(sink)->ram, run);
    return true;
}

static bool pretty_ram_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    (void)error;
    ram_count_piece(&pretty_of(sink)->ram, piece);
    return true;
}

static void put_ram(Pretty *p)
{
    for (guint i = 0; i < p->ram.blocks->len; i++) {
        const BlockCount *b = ram_count_block(&p->ram, i);
        GString *line = g_string_new(NULL);
        g_string_append_printf(line,
                               "ram.%s(%" G_GUINT64_FORMAT ")(1) = (octets of RAM) pages sent: %" G_GUINT64_FORMAT
                               " zero, %" G_GUINT64_FORMAT " normal",
                               b->name, b->length, b->zero, b->normal);
        if (b->zlib)
            g_string_append_printf(line, ", %" G_GUINT64_FORMAT " compressed", b->zlib);
        if (b->xbzrle)
            g_string_append_printf(line, ", %" G_GUINT64_FORMAT " xbzrle", b->xbzrle);
        if (b->fill)
            g_string_append_printf(line, ", %" G_GUINT64_FORMAT " filled", b->fill);
        g_string_append_c(line, '\n');
        chan_out_put(p->out, line->str, line->len);
        g_string_free(line, TRUE);
    }
}

/* --- the rest --------------------------------------------------------------------------------------------------- */

static bool pretty_command(StreamSink *sink, const StreamCommand *c, GError **error)
{
    Pretty *p = pretty_of(sink);
    g_autofree char *text = dump_command(c);

    (void)error;
    if (!p->wish->section)
        say(p, "command @0x%" G_GINT64_MODIFIER "x: %s", c->offset, text);
    return true;
}

static bool pretty_greeting(StreamSink *sink, const StreamGreeting *g, GError **error)
{
    char uuid[UUID_TEXT];

    uuid_text(g->uuid, uuid);
    (void)error;
    say(pretty_of(sink), "multifd greeting: version %u, channel %u, uuid %s", g->version, g->channel, uuid);
    return true;
}

static bool pretty_packet(StreamSink *sink, const StreamPacket *k, GError **error)
{
    Pretty *p = pretty_of(sink);

    (void)error;
    say(p, "multifd packet %" G_GUINT64_FORMAT " @0x%" G_GINT64_MODIFIER "x%s%s%s: %u pages", k->number, k->offset,
        k->flags & STREAM_PACKET_SYNC ? ", sync" : "", k->flags & STREAM_PACKET_ZLIB ? ", zlib" : "",
        k->flags & STREAM_PACKET_ZSTD ? ", zstd" : "", k->count);
    if (k->count) {
        g_autofree char *block = bytes_show(k->block, strlen(k->block));
        g_autofree char *line = g_strdup_printf("ram.%s = (octets of RAM) %u pages from 0x%" G_GINT64_MODIFIER
                                                "x to 0x%" G_GINT64_MODIFIER "x in %zu octets\n",
                                                block, k->count, k->offsets[0], k->offsets[k->count - 1], k->len);
        chan_out_put(p->out, line, strlen(line));
    }
    return true;
}

static bool pretty_message(StreamSink *sink, const StreamMessage *m, GError **error)
{
    g_autofree char *text = dump_message(m);

    (void)error;
    say(pretty_of(sink), "message @0x%" G_GINT64_MODIFIER "x: %s", m->offset, text);
    return true;
}

static bool pretty_eof(StreamSink *sink, const StreamTrailer *t, GError **error)
{
    Pretty *p = pretty_of(sink);

    (void)error;
    if (p->wish->section)
        return true;
    if (t->present && t->text)
        say(p, "JSON description, %zu octets", t->len);
    else if (!t->present)
        say(p, "no JSON description");
    return true;
}

static bool pretty_residue(StreamSink *sink, bool cut, const uint8_t *data, size_t len, GError **error)
{
    Pretty *p = pretty_of(sink);

    (void)data;
    (void)error;
    if (!p->wish->section)
        say(p, cut ? "cut: %zu octets are the start of something" : "%zu octets behind the end", len);
    return true;
}

static bool pretty_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    Pretty *p = pretty_of(sink);

    (void)error;
    if (p->ram.blocks->len && dump_wants(p->wish, "ram", 0)) {
        say(p, "RAM, not described further (--ram=FILE writes it)");
        put_ram(p);
    }
    if (!p->wish->section)
        say(p, "%s at 0x%" G_GINT64_MODIFIER "x", end->complete ? "end" : "cut", end->offset);
    return true;
}

static const StreamSinkOps ops = {
    .header = pretty_header,
    .slice_start = pretty_slice_start,
    .ram_blocks = pretty_ram_blocks,
    .ram_run = pretty_ram_run,
    .ram_piece = pretty_ram_piece,
    .octets = pretty_octets,
    .slice_end = pretty_slice_end,
    .section = pretty_section,
    .command = pretty_command,
    .greeting = pretty_greeting,
    .packet = pretty_packet,
    .message = pretty_message,
    .eof = pretty_eof,
    .residue = pretty_residue,
    .end = pretty_end,
};

StreamSink *pretty_new(ChanOut *out, DumpWish *wish)
{
    Pretty *p = g_new0(Pretty, 1);

    p->sink.ops = &ops;
    p->out = out;
    p->wish = wish;
    ram_count_init(&p->ram);
    return &p->sink;
}

void pretty_free(StreamSink *sink)
{
    Pretty *p = pretty_of(sink);

    ram_count_done(&p->ram);
    g_free(p->slice);
    g_free(p);
}
