/* live.c: block migration and dirty bitmaps. Source: vmstate/FORMAT.md section 1.3, recordings g14 and g15. */
#include "vmstate/live.h"

#include <string.h>

enum {
    BLOCK_DEVICE = 1,
    BLOCK_EOS = 2,
    BLOCK_PROGRESS = 4,
    BLOCK_ZERO = 8,
    BLOCK_FLAGS = 0x1ff,
    BLOCK_CHUNK = 1 << 20,
    SECTOR = 512,
};

enum {
    BITMAP_EOS = 0x01,
    BITMAP_ZEROES = 0x02,
    BITMAP_NAME = 0x04,
    BITMAP_NODE = 0x08,
    BITMAP_START = 0x10,
    BITMAP_COMPLETE = 0x20,
    BITMAP_BITS = 0x40,
    BITMAP_MAX = 16 << 20,
};

/* What is common to both kinds of record: read one, or say what it is. A record is read from `in`; what is missing sets
 * its cut. */
typedef struct LiveRecord {
    bool end;
    const char *wrong;
    GString *text; /* NULL: nobody wants to read it */
} LiveRecord;

typedef void ReadRecord(ChanIn *in, LiveRecord *record);

/* Appends to the text, behind a comma if it is not the first. */
static void say(LiveRecord *r, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void say(LiveRecord *r, const char *format, ...)
{
    va_list ap;

    if (!r->text)
        return;
    if (r->text->len)
        g_string_append(r->text, ", ");
    va_start(ap, format);
    g_string_append_vprintf(r->text, format, ap);
    va_end(ap);
}

static void take_name(ChanIn *in, LiveRecord *r, const char *what)
{
    size_t len = chan_in_u8(in);
    const uint8_t *name = chan_in_take(in, len);

    if (name && r->text) {
        g_autofree char *shown = bytes_show(name, len);
        say(r, "%s %s", what, shown);
    }
}

static void read_block(ChanIn *in, LiveRecord *r)
{
    uint64_t word = chan_in_be64(in), sector = word >> 9;
    unsigned flags = word & BLOCK_FLAGS;

    if (chan_in_failed(in))
        return;
    if (flags == BLOCK_EOS) {
        r->end = true;
        say(r, "end of slice");
    } else if (flags == BLOCK_PROGRESS) {
        say(r, "progress %" G_GUINT64_FORMAT " %%", sector);
    } else if ((flags & ~(unsigned)BLOCK_ZERO) == BLOCK_DEVICE) {
        take_name(in, r, "drive");
        say(r, "sector 0x%" G_GINT64_MODIFIER "x: 1 MiB%s", sector, flags & BLOCK_ZERO ? " of zeros" : "");
        if (!(flags & BLOCK_ZERO))
            chan_in_take(in, BLOCK_CHUNK);
    } else {
        r->wrong = "flags that no block record has";
    }
}

static void read_bits(ChanIn *in, LiveRecord *r, unsigned flags)
{
    uint64_t sector = chan_in_be64(in);
    uint32_t sectors = chan_in_be32(in);

    say(r, "sectors 0x%" G_GINT64_MODIFIER "x to 0x%" G_GINT64_MODIFIER "x", sector, sector + sectors);
    if (flags & BITMAP_ZEROES) {
        say(r, "clean");
        return;
    }
    uint64_t size = chan_in_be64(in);
    say(r, "%" G_GUINT64_FORMAT " octets of bits", size);
    if (size > BITMAP_MAX)
        r->wrong = "bits of more than 16 MiB in one record";
    else
        chan_in_take(in, size);
}

static void read_bitmap(ChanIn *in, LiveRecord *r)
{
    unsigned flags = chan_in_u8(in), what = flags & (BITMAP_START | BITMAP_COMPLETE | BITMAP_BITS | BITMAP_EOS);

    if (flags & BITMAP_NODE)
        take_name(in, r, "node");
    if (flags & BITMAP_NAME)
        take_name(in, r, "bitmap");
    if (what == BITMAP_EOS) {
        r->end = true;
        say(r, "end of slice");
    } else if (what == BITMAP_START) {
        uint32_t granularity = chan_in_be32(in);
        unsigned how = chan_in_u8(in);
        say(r, "start: granularity %u,%s%s", granularity, how & 1 ? " enabled" : " disabled",
            how & 2 ? ", persistent" : "");
    } else if (what == BITMAP_COMPLETE) {
        say(r, "complete");
    } else if (what == BITMAP_BITS) {
        read_bits(in, r, flags);
    } else if (!chan_in_failed(in)) {
        r->wrong = "flags that no dirty-bitmap record has";
    }
}

static ReadRecord *reader_for(const char *name)
{
    if (strcmp(name, "block") == 0)
        return read_block;
    return strcmp(name, "dirty-bitmap") == 0 ? read_bitmap : NULL;
}

bool live_is_known(const char *name)
{
    return reader_for(name);
}

bool live_emit(StreamSink *sink, uint64_t offset, const uint8_t *data, size_t len, GError **error)
{
    StreamOctets piece = {.offset = offset};

    while (len) {
        piece.data = data;
        piece.len = MIN(len, LIVE_PIECE_MAX);
        if (!SINK(sink, octets, &piece, error))
            return false;
        data += piece.len;
        len -= piece.len;
        piece.offset += piece.len;
        piece.continued = true;
    }
    return true;
}

bool live_load_body(ChanIn *in, const char *name, StreamSink *sink, uint64_t *record, GError **error)
{
    ReadRecord *read = reader_for(name);
    LiveRecord r = {.end = false};

    while (!r.end) {
        *record = chan_in_tell(in);
        chan_in_pin(in);
        read(in, &r);
        if (r.wrong) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "%s @0x%" G_GINT64_MODIFIER "x: %s", name, *record,
                        r.wrong);
            return false;
        }
        if (chan_in_failed(in)) {
            chan_in_error(in, error, "%s, record @0x%" G_GINT64_MODIFIER "x", name, *record);
            return false;
        }
        size_t len = (size_t)(chan_in_tell(in) - *record);
        if (!live_emit(sink, *record, chan_in_at(in, *record), len, error))
            return false;
        chan_in_unpin(in);
    }
    return true;
}

char *live_text(const char *name, const uint8_t *data, size_t len)
{
    ReadRecord *read = reader_for(name);
    LiveRecord r = {.text = g_string_new(NULL)};

    if (read) {
        g_autoptr(ChanIn) in = chan_in_new_memory(data, len, 0);
        read(in, &r);
    }
    if (r.text->len == 0 || r.wrong)
        g_string_printf(r.text, "%zu octets", len);
    return g_string_free(r.text, FALSE);
}
