/* channel-load.c: reads the other channels of a migration. Source: vmstate/FORMAT.md section 1.5, recordings g03 to g07
 * and g16. */
#include "vmstate/channel-load.h"

#include <string.h>

#include "vmstate/multifd.h"
#include "vmstate/ram-load.h"

enum { BITMAP_MAX = 16 << 20 };

typedef struct ChannelLoad {
    ChanIn *in;
    StreamSink *sink;
    uint64_t element; /* offset of the packet or message that is being read */
    const char *what;
} ChannelLoad;

static void start(ChannelLoad *c)
{
    c->element = chan_in_tell(c->in);
    chan_in_pin(c->in);
}

static bool fail(const ChannelLoad *c, GError **error, FerryError code, const char *format, ...) G_GNUC_PRINTF(4, 5);
static bool fail(const ChannelLoad *c, GError **error, FerryError code, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, FERRY_ERROR, (int)code, "%s @0x%" G_GINT64_MODIFIER "x: %s", c->what, c->element, text);
    return false;
}

static bool complete(ChannelLoad *c, GError **error)
{
    if (!chan_in_failed(c->in))
        return true;
    chan_in_error(c->in, error, "%s @0x%" G_GINT64_MODIFIER "x", c->what, c->element);
    return false;
}

/* --- multifd ---------------------------------------------------------------------------------------------------- */

/* What cannot be one is told before all of it is there. */
static bool take_magic(ChannelLoad *c, GError **error)
{
    const uint8_t *p = chan_in_take(c->in, MULTIFD_MAGIC_OCTETS);

    return complete(c, error) && multifd_check_magic(p, c->what, c->element, error);
}

static bool read_greeting(ChannelLoad *c, GError **error)
{
    StreamGreeting g;

    c->what = "multifd greeting";
    start(c);
    if (!take_magic(c, error))
        return false;
    chan_in_take(c->in, STREAM_GREETING - MULTIFD_MAGIC_OCTETS);
    if (!complete(c, error))
        return false;
    multifd_greeting_parse(chan_in_at(c->in, c->element), &g);
    return SINK(c->sink, greeting, &g, error);
}

static bool read_packet(ChannelLoad *c, GError **error)
{
    StreamPacket p = {.offset = 0};
    uint8_t again[STREAM_PACKET_HEADER];
    char block[256];

    c->what = "multifd packet";
    start(c);
    p.offset = c->element;
    if (!take_magic(c, error))
        return false;
    chan_in_take(c->in, STREAM_PACKET_HEADER - MULTIFD_MAGIC_OCTETS);
    if (!complete(c, error) || !multifd_packet_parse(chan_in_at(c->in, c->element), &p, block, error))
        return false;
    p.data = chan_in_take(c->in, p.len);
    if (!complete(c, error))
        return false;
    stream_packet_header(&p, again);
    if (memcmp(again, chan_in_at(c->in, c->element), sizeof again) != 0)
        p.header = chan_in_at(c->in, c->element);
    return SINK(c->sink, packet, &p, error);
}

static bool read_multifd(ChannelLoad *c, GError **error)
{
    if (!read_greeting(c, error))
        return false;
    while (!chan_in_at_end(c->in))
        if (!read_packet(c, error))
            return false;
    return true;
}

struct ChannelReader {
    ChannelLoad load;
    bool greeted;
};

ChannelReader *channel_reader_new(ChanIn *in, StreamSink *sink)
{
    ChannelReader *r = g_new0(ChannelReader, 1);

    r->load = (ChannelLoad){.in = in, .sink = sink};
    return r;
}

void channel_reader_free(ChannelReader *reader)
{
    g_free(reader);
}

bool channel_reader_step(ChannelReader *r, bool *end, GError **error)
{
    bool first = !r->greeted;

    r->greeted = true;
    if (first)
        return read_greeting(&r->load, error);
    *end = chan_in_at_end(r->load.in);
    return *end || read_packet(&r->load, error);
}

/* --- postcopy preempt ------------------------------------------------------------------------------------------- */

static bool read_preempt(ChannelLoad *c, GError **error)
{
    StreamSlice slice = {.kind = SLICE_FULL, .name = "ram"};
    RamLoad *ram = g_new(RamLoad, 1);

    ram_load_init(ram, c->in, c->sink, false);
    bool ok = SINK(c->sink, slice_start, &slice, error) && ram_load_body(ram, error);
    c->element = ram->record;
    ok = ok && SINK(c->sink, slice_end, error);
    ram_load_done(ram);
    g_free(ram);
    return ok;
}

/* --- return path ------------------------------------------------------------------------------------------------ */

static bool read_bitmap(ChannelLoad *c, StreamMessage *m, GError **error)
{
    uint64_t start_of_bits, len = chan_in_be64(c->in);

    if (!complete(c, error))
        return false;
    if (len > BITMAP_MAX)
        return fail(c, error, FERRY_ERROR_LIMIT, "a bitmap of %" G_GUINT64_FORMAT " octets, at most %d are allowed",
                    len, BITMAP_MAX);
    start_of_bits = chan_in_tell(c->in);
    chan_in_take(c->in, len);
    uint64_t mark = chan_in_be64(c->in);
    if (!complete(c, error))
        return false;
    if (mark != STREAM_MESSAGE_BITMAP_END)
        return fail(c, error, FERRY_ERROR_DAMAGED,
                    "the bitmap ends in 0x%" G_GINT64_MODIFIER "x, not 0x%" G_GINT64_MODIFIER "x", mark,
                    (uint64_t)STREAM_MESSAGE_BITMAP_END);
    m->bitmap = chan_in_at(c->in, start_of_bits);
    m->bitmap_len = len;
    return true;
}

static bool read_message(ChannelLoad *c, GError **error)
{
    StreamMessage m = {.offset = 0};

    c->what = "return path message";
    start(c);
    m.offset = c->element;
    m.type = chan_in_be16(c->in);
    m.len = chan_in_be16(c->in);
    chan_in_take(c->in, m.len);
    if (!complete(c, error))
        return false;
    if (!stream_message_name(m.type))
        return fail(c, error, FERRY_ERROR_DAMAGED, "there is no message %u", m.type);
    if (m.type == STREAM_MESSAGE_RECV_BITMAP && !read_bitmap(c, &m, error))
        return false;
    m.payload = chan_in_at(c->in, c->element + 4);
    return SINK(c->sink, message, &m, error);
}

static bool read_return_path(ChannelLoad *c, GError **error)
{
    while (!chan_in_at_end(c->in))
        if (!read_message(c, error))
            return false;
    return true;
}

/* --- all of them ------------------------------------------------------------------------------------------------ */

static bool tell_rest(ChannelLoad *c, bool cut, GError **error)
{
    StreamEnd end = {.complete = !cut};
    size_t got;

    if (cut)
        chan_in_rewind(c->in, c->element);
    const uint8_t *p = chan_in_peek(c->in, G_MAXINT32, &got);
    end.offset = chan_in_tell(c->in) + got;
    return (got == 0 || SINK(c->sink, residue, cut, p, got, error)) && SINK(c->sink, end, &end, error);
}

bool channel_load(ChanIn *in, StreamKind kind, StreamSink *sink, GError **error)
{
    static bool (*const read[])(ChannelLoad *, GError **) = {
        [STREAM_MULTIFD] = read_multifd,
        [STREAM_PREEMPT] = read_preempt,
        [STREAM_RETURN_PATH] = read_return_path,
    };
    StreamHeader header = {.kind = kind, .format = "qemufile", .from_qemufile = true};
    ChannelLoad c = {.in = in, .sink = sink};
    GError *wrong = NULL, *later = NULL;

    if (SINK(sink, header, &header, &wrong))
        read[kind](&c, &wrong);
    bool cut = g_error_matches(wrong, FERRY_ERROR, FERRY_ERROR_CUT) && chan_in_failed(in);
    if ((!wrong || cut) && !tell_rest(&c, cut, &later)) {
        g_clear_error(&wrong);
        wrong = later;
    }
    if (wrong)
        g_propagate_error(error, wrong);
    return !wrong;
}

/* --- which is it? ----------------------------------------------------------------------------------------------- */

/* Can all of it be read as that kind? */
static bool reads_as(const uint8_t *data, size_t len, bool whole, StreamKind kind)
{
    static const StreamSinkOps nobody = {.header = NULL};
    StreamSink sink = {.ops = &nobody};
    g_autoptr(ChanIn) in = chan_in_new_memory(data, len, 0);
    g_autoptr(GError) error = NULL;

    return channel_load(in, kind, &sink, &error) || (!whole && g_error_matches(error, FERRY_ERROR, FERRY_ERROR_CUT));
}

StreamKind channel_probe(const uint8_t *data, size_t len, bool whole)
{
    if (len >= 4 && multifd_is_magic(data))
        return STREAM_MULTIFD;
    if (len >= 8 && data[0] == 0x08 &&
        (load_be16(data + 1) == STREAM_RECV_BITMAP || load_be16(data + 1) == STREAM_POSTCOPY_RESUME))
        return STREAM_RECOVERY;
    if (len >= 4 && stream_message_name(load_be16(data)) && reads_as(data, len, whole, STREAM_RETURN_PATH))
        return STREAM_RETURN_PATH;
    if (len >= 8 && reads_as(data, len, whole, STREAM_PREEMPT))
        return STREAM_PREEMPT;
    return STREAM_KINDS;
}
