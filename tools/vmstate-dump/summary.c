/*
 * summary.c: what is in a stream, and where its octets go.
 */
#include <string.h>

#include "tools/vmstate-dump/dump.h"
#include "visitors/uuid.h"
#include "vmstate/stream-load.h"

enum { COLUMN_NAME = 32 };

/* Whose the octets between two places are. */
typedef enum Share {
    SHARE_FRAME,
    SHARE_DEVICES,
    SHARE_RAM,
    SHARE_LIVE,
    SHARE_COMMANDS,
    SHARE_TRAILER,
    SHARE_REST,
    SHARES
} Share;

typedef struct LiveCount {
    char *name;
    uint64_t slices, first;
} LiveCount;

typedef struct Summary {
    StreamSink sink;
    ChanOut *out;
    DumpWish *wish;
    RamCount ram;
    GArray *live; /* of LiveCount */
    uint64_t share[SHARES];
    Share current;
    uint64_t since;   /* offset from which on octets are of the current share */
    uint64_t residue; /* octets that say nothing, at the end */
    uint64_t sections, undescribed, commands, packets, packet_pages, messages;
    bool table; /* its head has been written */
} Summary;

static Summary *summary_of(StreamSink *sink)
{
    return (Summary *)sink;
}

static void put(Summary *s, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void put(Summary *s, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    chan_out_put(s->out, text, strlen(text));
}

static void put_bold(Summary *s, const char *text)
{
    put(s, s->wish->colour ? "\033[1m%s\033[0m\n" : "%s\n", text);
}

/* From `offset` on, octets are of that share. */
static void change_share(Summary *s, Share share, uint64_t offset)
{
    if (offset > s->since)
        s->share[s->current] += offset - s->since;
    s->since = MAX(offset, s->since);
    s->current = share;
}

static bool summary_header(StreamSink *sink, const StreamHeader *h, GError **error)
{
    Summary *s = summary_of(sink);
    const Input *input = s->wish->input;
    g_autofree char *format = dump_format(h);

    (void)error;
    put(s, "file     %s\nformat   %s\n", s->wish->path, format);
    if (input->libvirt)
        put(s,
            "inside   libvirt save file, version %u, stream at 0x%" G_GINT64_MODIFIER "x, packed: %s; guest was %s%s\n",
            input->libvirt->version, input->start, input->libvirt->packed,
            input->libvirt->was_running ? "running" : "paused",
            input->libvirt->partial ? "; libvirt had not finished it" : "");
    put(s, "writer   %s%s%s\n", h->writer ? h->writer : "the format does not tell", h->writer ? " " : "",
        h->writer ? h->writer_version : "");
    if (h->kind == STREAM_MACHINE)
        put(s, "machine  %s\n", h->machine ? h->machine : "the stream does not tell");
    if (h->has_uuid) {
        char uuid[UUID_TEXT];
        uuid_text(h->uuid, uuid);
        put(s, "uuid     %s\n", uuid);
    }
    s->since = input->start;
    return true;
}

/* --- sections --------------------------------------------------------------------------------------------------- */

static void put_table_head(Summary *s)
{
    g_autofree char *head = g_strdup_printf("\n%-*s %8s %7s %5s %12s %10s", COLUMN_NAME, "section", "instance",
                                            "version", "id", "offset", "octets");

    if (!s->table)
        put_bold(s, head);
    s->table = true;
}

static bool summary_section(StreamSink *sink, const StreamSection *sec, GError **error)
{
    Summary *s = summary_of(sink);
    g_autofree char *offset = g_strdup_printf("0x%" G_GINT64_MODIFIER "x", sec->offset);

    (void)error;
    change_share(s, SHARE_DEVICES, sec->offset);
    s->sections++;
    s->undescribed += sec->desc == NULL;
    if (!dump_wants(s->wish, sec->name, sec->instance))
        return true;
    put_table_head(s);
    put(s, "%-*s %8u %7d %5u %12s %10zu%s%s%s\n", COLUMN_NAME, sec->name, sec->instance, sec->version, sec->id, offset,
        sec->len, sec->cut ? "  cut here" : "", sec->note ? "  " : "", sec->note ? sec->note : "");
    return true;
}

static LiveCount *live_count(Summary *s, const char *name)
{
    for (guint i = 0; i < s->live->len; i++)
        if (strcmp(g_array_index(s->live, LiveCount, i).name, name) == 0)
            return &g_array_index(s->live, LiveCount, i);
    LiveCount count = {.name = g_strdup(name)};
    g_array_append_val(s->live, count);
    return &g_array_index(s->live, LiveCount, s->live->len - 1);
}

static bool summary_slice_start(StreamSink *sink, const StreamSlice *slice, GError **error)
{
    Summary *s = summary_of(sink);
    LiveCount *count = live_count(s, slice->name);

    (void)error;
    change_share(s, strcmp(slice->name, "ram") == 0 ? SHARE_RAM : SHARE_LIVE, slice->offset);
    if (count->slices++ == 0)
        count->first = slice->offset;
    return true;
}

static bool summary_ram_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    (void)error;
    ram_count_blocks(&summary_of(sink)->ram, blocks, first);
    return true;
}

static bool summary_ram_run(StreamSink *sink, const RamRun *run, GError **error)
{
    (void)error;
    ram_count_run(&summary_of(sink)->ram, run);
    return true;
}

static bool summary_ram_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    (void)error;
    ram_count_piece(&summary_of(sink)->ram, piece);
    return true;
}

static bool summary_command(StreamSink *sink, const StreamCommand *c, GError **error)
{
    Summary *s = summary_of(sink);

    (void)error;
    change_share(s, SHARE_COMMANDS, c->offset);
    s->commands++;
    return true;
}

static bool summary_packet(StreamSink *sink, const StreamPacket *k, GError **error)
{
    Summary *s = summary_of(sink);

    (void)error;
    change_share(s, SHARE_RAM, k->offset);
    s->packets++;
    s->packet_pages += k->count;
    return true;
}

static bool summary_message(StreamSink *sink, const StreamMessage *m, GError **error)
{
    Summary *s = summary_of(sink);

    (void)error;
    change_share(s, SHARE_COMMANDS, m->offset);
    s->messages++;
    return true;
}

static bool summary_eof(StreamSink *sink, const StreamTrailer *t, GError **error)
{
    Summary *s = summary_of(sink);

    (void)error;
    change_share(s, SHARE_TRAILER, t->offset);
    return true;
}

static bool summary_residue(StreamSink *sink, bool cut, const uint8_t *data, size_t len, GError **error)
{
    Summary *s = summary_of(sink);

    (void)data;
    (void)error;
    s->residue += len;
    if (!cut)
        put(s, "\n%zu octets behind the end\n", len);
    return true;
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static void put_live(Summary *s)
{
    if (s->live->len == 0)
        return;
    put(s, "\n");
    for (guint i = 0; i < s->live->len; i++) {
        const LiveCount *c = &g_array_index(s->live, LiveCount, i);
        if (!dump_wants(s->wish, c->name, 0))
            continue;
        put(s, "live section %-14s %" G_GUINT64_FORMAT " slices, the first at 0x%" G_GINT64_MODIFIER "x\n", c->name,
            c->slices, c->first);
    }
}

static void put_ram(Summary *s)
{
    g_autofree char *head = g_strdup_printf("\n%-*s %10s %10s %10s %10s %10s %8s", COLUMN_NAME, "RAM block", "size",
                                            "zero", "normal", "compressed", "xbzrle", "filled");

    if (s->ram.blocks->len == 0 || !dump_wants(s->wish, "ram", 0))
        return;
    put_bold(s, head);
    for (guint i = 0; i < s->ram.blocks->len; i++) {
        const BlockCount *b = ram_count_block(&s->ram, i);
        g_autofree char *size = b->length ? ram_length_text(b->length) : g_strdup("?");
        put(s,
            "%-*s %10s %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT " %10" G_GUINT64_FORMAT
            " %8" G_GUINT64_FORMAT "\n",
            COLUMN_NAME, b->name, size, b->zero, b->normal, b->zlib, b->xbzrle, b->fill);
    }
}

static void put_shares(Summary *s, const StreamEnd *end)
{
    static const char *const names[SHARES] = {
        [SHARE_FRAME] = "frame",       [SHARE_DEVICES] = "devices",
        [SHARE_RAM] = "RAM",           [SHARE_LIVE] = "other live sections",
        [SHARE_COMMANDS] = "commands", [SHARE_TRAILER] = "end and description",
        [SHARE_REST] = "rest",
    };

    put_bold(s, "\noctets");
    for (unsigned i = 0; i < SHARES; i++)
        if (s->share[i])
            put(s, "%14" G_GUINT64_FORMAT "  %s\n", s->share[i], names[i]);
    put(s, "%14" G_GUINT64_FORMAT "  in all%s\n", end->offset - s->wish->input->start,
        end->complete ? "" : ", then the stream is cut");
}

static bool summary_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    Summary *s = summary_of(sink);

    (void)error;
    change_share(s, SHARE_REST, end->offset - s->residue);
    change_share(s, SHARE_REST, end->offset);
    if (s->sections)
        put(s, "%" G_GUINT64_FORMAT " sections, %" G_GUINT64_FORMAT " of them not described\n", s->sections,
            s->undescribed);
    put_live(s);
    put_ram(s);
    if (s->commands)
        put(s, "\n%" G_GUINT64_FORMAT " commands\n", s->commands);
    if (s->packets)
        put(s, "\n%" G_GUINT64_FORMAT " packets with %" G_GUINT64_FORMAT " pages\n", s->packets, s->packet_pages);
    if (s->messages)
        put(s, "\n%" G_GUINT64_FORMAT " messages\n", s->messages);
    put_shares(s, end);
    return true;
}

static const StreamSinkOps ops = {
    .header = summary_header,
    .slice_start = summary_slice_start,
    .ram_blocks = summary_ram_blocks,
    .ram_run = summary_ram_run,
    .ram_piece = summary_ram_piece,
    .section = summary_section,
    .command = summary_command,
    .packet = summary_packet,
    .message = summary_message,
    .eof = summary_eof,
    .residue = summary_residue,
    .end = summary_end,
};

static void clear_live(void *count)
{
    g_free(((LiveCount *)count)->name);
}

StreamSink *summary_new(ChanOut *out, DumpWish *wish)
{
    Summary *s = g_new0(Summary, 1);

    s->sink.ops = &ops;
    s->out = out;
    s->wish = wish;
    s->live = g_array_new(FALSE, TRUE, sizeof(LiveCount));
    g_array_set_clear_func(s->live, clear_live);
    ram_count_init(&s->ram);
    return &s->sink;
}

void summary_free(StreamSink *sink)
{
    Summary *s = summary_of(sink);

    g_array_unref(s->live);
    ram_count_done(&s->ram);
    g_free(s);
}
