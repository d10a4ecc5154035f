/* berstream-load.c: reads a BER stream, record by record. Source: visitors/vmstate.asn1, vmstate/FORMAT.md part 2. */
#include "vmstate/berstream-load.h"

#include <string.h>

#include "vmstate/berstream-load-impl.h"
#include "vmstate/trailer.h"

/* --- the beginning ---------------------------------------------------------------------------------------------- */

bool berstream_probe(const uint8_t *data, size_t len)
{
    /* the name of the format stands near the start, also if the first octets are damaged */
    return len >= 2 && (memmem(data, MIN(len, 32), BERSTREAM_FORMAT, strlen(BERSTREAM_FORMAT)) ||
                        (data[0] == (BER_APPLICATION | BER_CONSTRUCTED | BERSTREAM_STREAM) && len > 2 &&
                         data[2] == (BER_APPLICATION | BER_CONSTRUCTED | BERSTREAM_HEADER)));
}

/* Identifier and length of the Stream element. */
static bool take_start(BerLoad *l, GError **error)
{
    unsigned form = 0;
    uint32_t tag = 0;
    int64_t len = 0;
    size_t got;
    const uint8_t *p = chan_in_peek(l->in, 16, &got);
    int head = ber_read_head(p, got, &form, &tag, &len);

    /* of a Stream of definite length the next octet is looked at, too */
    if (head == 0 || (head > 0 && len >= 0 && (size_t)head == got)) {
        chan_in_need(l->in, got + 1);
        chan_in_error(l->in, error, "stream @0x0");
        return false;
    }
    if (head < 0 || form != (BER_APPLICATION | BER_CONSTRUCTED) || tag != BERSTREAM_STREAM) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "stream @0x0: it starts with octet 0x%02x, not 0x60",
                    p[0]);
        return false;
    }
    if (len >= 0 && p[head] != (BER_APPLICATION | BER_CONSTRUCTED | BERSTREAM_HEADER)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED,
                    "stream @0x0: behind length octets 0x%02x... there is no header", p[1]);
        return false;
    }
    l->indefinite = len < 0;
    chan_in_skip(l->in, (uint64_t)head);
    return true;
}

static bool read_header(BerLoad *l, BerRecord *r, GError **error)
{
    g_autofree char *format = NULL;
    BerCursor *c = &r->members;
    uint64_t version, flags;
    const uint8_t *uuid;
    size_t uuid_len;

    if (l->ordinal || r->form != (BER_APPLICATION | BER_CONSTRUCTED) || r->tag != BERSTREAM_HEADER)
        return ber_cursor_fail(c, "the header is the first record, and only the first");
    if (!ber_cursor_text(c, &format) || !ber_cursor_number(c, G_MAXINT32, &version) ||
        !ber_cursor_text(c, &l->writer) || !ber_cursor_text(c, &l->writer_version) ||
        !ber_cursor_number(c, G_MAXUINT32, &flags) || !ber_cursor_optional_text(c, 0, &l->machine) ||
        !ber_cursor_optional_opaque(c, 1, &uuid, &uuid_len))
        return false;
    if (strcmp(format, BERSTREAM_FORMAT) != 0)
        return ber_cursor_fail(c, "the format is \"%s\", not \"%s\"", format, BERSTREAM_FORMAT);
    if (version != BERSTREAM_VERSION) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "header @0x%" G_GINT64_MODIFIER "x: the format has version %" G_GUINT64_FORMAT
                    ", this program reads %d (written by %s %s)",
                    r->offset, version, BERSTREAM_VERSION, l->writer, l->writer_version);
        return false;
    }
    if (uuid && uuid_len != 16)
        return ber_cursor_fail(c, "a UUID of %zu octets", uuid_len);
    if ((flags & 15) >= STREAM_KINDS)
        return ber_cursor_fail(c, "a channel of kind %u, which is none", (unsigned)flags & 15);
    l->header.format = "ber";
    l->header.kind = (StreamKind)(flags & 15);
    l->header.writer = l->writer;
    l->header.writer_version = l->writer_version;
    l->header.machine = l->machine;
    l->header.has_uuid = uuid;
    if (uuid)
        memcpy(l->header.uuid, uuid, 16);
    return ber_cursor_end(c);
}

static bool read_origin(BerLoad *l, BerRecord *r)
{
    g_autofree char *format = NULL;
    BerCursor *c = &r->members;
    uint64_t version;

    if (l->told_header)
        return ber_cursor_fail(c, "an origin that is not the second record");
    if (!ber_cursor_text(c, &format) || !ber_cursor_number(c, G_MAXINT32, &version) ||
        !ber_cursor_bool(c, &l->header.footers))
        return false;
    l->header.from_qemufile = strcmp(format, "qemufile") == 0 && version == 3;
    return ber_cursor_end(c);
}

/* The header is told when it is known whether an origin follows it. */
static bool tell_header(BerLoad *l, GError **error)
{
    if (l->told_header)
        return true;
    l->told_header = true;
    return SINK(l->sink, header, &l->header, error);
}

static bool read_schema(BerLoad *l, BerRecord *r, GError **error)
{
    size_t first = schema_section_count(l->schema);

    if (!schema_reader_take(l->schema_reader, &r->members) || !ber_cursor_end(&r->members))
        return false;
    if (l->borrowed)
        schema_borrow(l->schema, first, l->borrowed);
    return SINK(l->sink, schema, l->schema, first, error);
}

/* --- slices ----------------------------------------------------------------------------------------------------- */

static void free_slice(void *data)
{
    StreamSlice *slice = data;

    g_free((char *)slice->name);
    g_free(slice);
}

bool berload_close_slice(BerLoad *l, GError **error)
{
    if (!l->slice)
        return true;
    g_clear_pointer(&l->slice, g_free);
    return SINK(l->sink, slice_end, error);
}

static bool take_slice_name(BerLoad *l, BerCursor *c, StreamSlice *slice)
{
    g_autofree char *name = NULL;
    uint64_t instance, version;
    bool there;
    BerElement e;

    if (!ber_cursor_next_of(c, BER_CONTEXT, 0, &e) || !ber_cursor_to_text(c, &e, &name) ||
        !ber_cursor_optional_number(c, 1, G_MAXUINT32, &instance, &there) ||
        !ber_cursor_optional_number(c, 2, G_MAXINT32, &version, &there))
        return false;
    if (strlen(name) == 0 || strlen(name) > VMS_NAME_MAX)
        return ber_cursor_fail(c, "a section's name has no or more than 255 octets");
    slice->instance = (uint32_t)instance;
    slice->version = (int)version;
    slice->name = name;
    StreamSlice *kept = g_memdup2(slice, sizeof *slice);
    kept->name = g_steal_pointer(&name);
    g_hash_table_replace(l->live, GUINT_TO_POINTER(slice->id), kept);
    return true;
}

static bool read_slice(BerLoad *l, BerRecord *r, GError **error)
{
    StreamSlice slice = {.offset = r->offset};
    BerCursor *c = &r->members;
    uint64_t kind, id;

    if (!ber_cursor_enumerated(c, SLICE_FULL, &kind) || !ber_cursor_number(c, G_MAXUINT32, &id))
        return false;
    if (kind < SLICE_START)
        return ber_cursor_fail(c, "a slice of kind 0, which is none");
    slice.kind = (SliceKind)kind;
    slice.id = (uint32_t)id;
    if ((kind == SLICE_START || kind == SLICE_FULL) && !take_slice_name(l, c, &slice))
        return false;
    const StreamSlice *started = g_hash_table_lookup(l->live, GUINT_TO_POINTER(slice.id));
    if (!started && l->header.kind != STREAM_RECOVERY)
        return ber_cursor_fail(c, "a slice of section id %u, which was not started", slice.id);
    slice.name = started ? started->name : "ram";
    slice.instance = started ? started->instance : 0;
    slice.version = started ? started->version : 4;
    l->slice = g_strdup(slice.name);
    return ber_cursor_end(c) && SINK(l->sink, slice_start, &slice, error);
}

static bool need_slice(const BerLoad *l, const BerRecord *r, bool ram)
{
    if (l->slice && (strcmp(l->slice, "ram") == 0) == ram)
        return true;
    return ber_cursor_fail(&r->members, ram ? "RAM outside a slice of RAM" : "octets outside a slice that has such");
}

static bool read_octets(BerLoad *l, BerRecord *r, GError **error)
{
    StreamOctets o = {.offset = r->offset};
    BerCursor *c = &r->members;

    return ber_cursor_opaque(c, 0, &o.data, &o.len) && ber_cursor_optional_true(c, 1, &o.continued) &&
           ber_cursor_end(c) && SINK(l->sink, octets, &o, error);
}

static bool read_command(BerLoad *l, BerRecord *r, GError **error)
{
    StreamCommand command = {.offset = r->offset};
    BerCursor *c = &r->members;
    uint64_t id;

    if (!ber_cursor_number(c, G_MAXUINT16, &id) || !ber_cursor_optional_opaque(c, 0, &command.payload, &command.len) ||
        !ber_cursor_end(c))
        return false;
    if (command.len > G_MAXUINT16)
        return ber_cursor_fail(c, "a command of %zu octets", command.len);
    command.id = (uint16_t)id;
    return SINK(l->sink, command, &command, error);
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static bool read_residue(BerLoad *l, BerRecord *r, GError **error)
{
    BerCursor *c = &r->members;
    const uint8_t *data;
    uint64_t place;
    size_t len;

    if (!ber_cursor_enumerated(c, BERSTREAM_RESIDUE_BETWEEN, &place) ||
        !ber_cursor_optional_opaque(c, 0, &data, &len) || !ber_cursor_end(c))
        return false;
    if (place != BERSTREAM_RESIDUE_IN_SLICE && !berload_close_slice(l, error))
        return false;
    return SINK(l->sink, residue, place != BERSTREAM_RESIDUE_BEHIND, data, len, error);
}

/* The frame gives the text. */
static bool unpack_trailer(BerLoad *l, BerCursor *c, StreamTrailer *t, GError **error)
{
    const uint8_t *frame;
    size_t frame_len;

    if (!ber_cursor_opaque(c, 0, &frame, &frame_len) || !ber_cursor_end(c))
        return false;
    unsigned long long len = ZSTD_getFrameContentSize(frame, frame_len);
    if (len > TRAILER_MAX)
        return ber_cursor_fail(c, "a JSON description of unknown size, or more than 32 MiB");
    g_autofree char *text = g_malloc(MAX(len, 1));
    size_t got = ZSTD_decompressDCtx(l->zstd, text, len, frame, frame_len);
    if (got != len)
        return ber_cursor_fail(c, "the zstd frame of the JSON description is wrong");
    t->text = text;
    t->len = len;
    return SINK(l->sink, eof, t, error);
}

static bool read_tail(BerLoad *l, BerRecord *r, GError **error)
{
    StreamTrailer t = {.present = true, .offset = r->offset};
    BerCursor *c = &r->members;
    uint64_t kind;

    if (!ber_cursor_enumerated(c, BERSTREAM_TRAILER_VERBATIM, &kind))
        return false;
    if (kind == BERSTREAM_TRAILER_VERBATIM)
        return unpack_trailer(l, c, &t, error);
    t.present = kind == BERSTREAM_TRAILER_DERIVED;
    return ber_cursor_end(c) && SINK(l->sink, eof, &t, error);
}

static bool check_digest(BerLoad *l, BerCursor *c, const uint8_t *found)
{
    XXH128_canonical_t digest;

    XXH128_canonicalFromHash(&digest, l->digest);
    return memcmp(digest.digest, found, sizeof digest.digest) == 0 ||
           ber_cursor_fail(c, "the digest is not that of the records that came");
}

static bool take_origin_end(BerCursor *c, StreamEnd *end)
{
    const uint8_t *digest;
    BerCursor origin;

    if (!ber_cursor_more(c))
        return true;
    if (!ber_cursor_enter(c, BER_CONTEXT, 1, &origin) || !ber_cursor_number(&origin, G_MAXINT64, &end->origin_len) ||
        !ber_cursor_opaque_of(&origin, 0, sizeof end->origin_digest, &digest) || !ber_cursor_end(&origin))
        return false;
    memcpy(end->origin_digest, digest, sizeof end->origin_digest);
    end->has_origin = true;
    return ber_cursor_end(c);
}

static bool read_end(BerLoad *l, BerRecord *r, GError **error)
{
    StreamEnd end = {.offset = r->offset + r->len + (l->indefinite ? 2 : 0)};
    BerCursor *c = &r->members;
    const uint8_t *digest;
    uint64_t records;

    if (!ber_cursor_number(c, G_MAXUINT64, &records) || !ber_cursor_bool(c, &end.complete) ||
        !ber_cursor_opaque_of(c, 0, 16, &digest))
        return false;
    if (records != l->ordinal)
        return ber_cursor_fail(c, "%" G_GUINT64_FORMAT " records were written, %" G_GUINT64_FORMAT " came", records,
                               l->ordinal);
    if (!check_digest(l, c, digest) || !take_origin_end(c, &end))
        return false;
    l->ended = true;
    l->incomplete = !end.complete;
    return (l->incomplete || berload_close_slice(l, error)) && SINK(l->sink, end, &end, error);
}

/* --- all records ------------------------------------------------------------------------------------------------ */

static bool read_private(BerLoad *l, BerRecord *r, GError **error)
{
    switch (r->tag) {
    case BERSTREAM_ORIGIN:
        return read_origin(l, r);
    case BERSTREAM_RESIDUE:
        return tell_header(l, error) && read_residue(l, r, error);
    case BERSTREAM_TAIL:
        return tell_header(l, error) && berload_close_slice(l, error) && read_tail(l, r, error);
    default:
        return tell_header(l, error); /* optional, and not known: skipped */
    }
}

static bool read_application(BerLoad *l, BerRecord *r, GError **error)
{
    switch (r->tag) {
    case BERSTREAM_RAM_BLOCKS:
        return need_slice(l, r, true) && berload_ram_blocks(l, r, error);
    case BERSTREAM_RAM_PAGES:
        return need_slice(l, r, true) && berload_ram_pages(l, r, error);
    case BERSTREAM_RAM_PIECES:
        return need_slice(l, r, true) && berload_ram_pieces(l, r, error);
    case BERSTREAM_OCTETS:
        return need_slice(l, r, false) && read_octets(l, r, error);
    case BERSTREAM_END:
        return read_end(l, r, error);
    default:
        break;
    }
    if (!berload_close_slice(l, error))
        return false;
    switch (r->tag) {
    case BERSTREAM_SCHEMA:
        return read_schema(l, r, error);
    case BERSTREAM_SECTION:
        return berload_section(l, r, error);
    case BERSTREAM_SLICE:
        return read_slice(l, r, error);
    case BERSTREAM_COMMAND:
        return read_command(l, r, error);
    case BERSTREAM_GREETING:
        return berload_greeting(l, r, error);
    case BERSTREAM_PACKET:
        return berload_packet(l, r, error);
    case BERSTREAM_MESSAGE:
        return berload_message(l, r, error);
    default:
        return ber_cursor_fail(&r->members, "a critical record of kind %u, which this program does not know", r->tag);
    }
}

static bool read_record(BerLoad *l, BerRecord *r, GError **error)
{
    if (l->ordinal == 0 || (r->form == (BER_APPLICATION | BER_CONSTRUCTED) && r->tag == BERSTREAM_HEADER))
        return read_header(l, r, error);
    if (r->form == (BER_PRIVATE | BER_CONSTRUCTED))
        return read_private(l, r, error);
    if (r->form == (BER_APPLICATION | BER_CONSTRUCTED))
        return tell_header(l, error) && read_application(l, r, error);
    return ber_cursor_fail(&r->members, "no record has such an identifier");
}

/* What the sink does not want: only its checks count. */
static void skip_gap(BerLoad *l)
{
    const StreamGap *gap = l->sink->ops->ram_gap ? l->sink->ops->ram_gap(l->sink) : NULL;
    uint8_t check[8];

    if (!gap || chan_in_tell(l->in) != gap->from || gap->to <= gap->from)
        return;
    for (uint64_t i = 0; i < gap->records; i++) {
        store_be64(check, gap->checks[i]);
        XXH3_128bits_update(l->checks, check, sizeof check);
    }
    l->ordinal += gap->records;
    chan_in_skip(l->in, gap->to - gap->from);
}

static bool read_records(BerLoad *l, GError **error)
{
    g_autofree char *what = NULL;
    bool end = false;

    for (;;) {
        BerRecord r;
        skip_gap(l);
        /* the digest is over the checks of the records before */
        l->digest = XXH3_128bits_digest(l->checks);
        if (!berload_take_record(l, &r, &end, &what, error))
            return false;
        if (end)
            return true;
        if (!read_record(l, &r, error))
            return false;
        l->ordinal++;
        chan_in_unpin(l->in);
    }
}

/* The stream itself is cut: what is open stays open. */
static bool tell_cut(BerLoad *l, GError **error)
{
    StreamEnd end = {.offset = chan_in_tell(l->in)};

    return tell_header(l, error) && SINK(l->sink, end, &end, error);
}

static void load_init(BerLoad *l, ChanIn *in, StreamSink *sink)
{
    *l = (BerLoad){.in = in, .sink = sink};
    l->checks = XXH3_createState();
    XXH3_128bits_reset(l->checks);
    l->schema = schema_new();
    l->schema_reader = schema_reader_new(l->schema);
    ram_blocks_init(&l->blocks);
    l->live = g_hash_table_new_full(NULL, NULL, NULL, free_slice);
    l->seen = g_byte_array_new();
    l->zstd = ZSTD_createDCtx();
}

static void load_done(BerLoad *l)
{
    ZSTD_freeDCtx(l->zstd);
    g_byte_array_unref(l->seen);
    g_hash_table_unref(l->live);
    ram_blocks_done(&l->blocks);
    schema_reader_free(l->schema_reader);
    schema_unref(l->schema);
    XXH3_freeState(l->checks);
    g_free(l->machine);
    g_free(l->writer);
    g_free(l->writer_version);
    g_free(l->slice);
    g_free(l->pages);
}

bool berstream_load(ChanIn *in, const Schema *borrowed, StreamSink *sink, GError **error)
{
    GError *wrong = NULL, *later = NULL;
    BerLoad l;

    load_init(&l, in, sink);
    l.borrowed = borrowed;
    if (take_start(&l, &wrong))
        read_records(&l, &wrong);
    if (g_error_matches(wrong, FERRY_ERROR, FERRY_ERROR_CUT) && l.ordinal && !l.ended && !tell_cut(&l, &later)) {
        g_clear_error(&wrong);
        wrong = later;
    }
    if (!wrong && l.incomplete)
        g_set_error(&wrong, FERRY_ERROR, FERRY_ERROR_CUT, "what the stream was converted from was cut");
    load_done(&l);
    if (wrong)
        g_propagate_error(error, wrong);
    return !wrong;
}

/* --- only some pages -------------------------------------------------------------------------------------------- */

bool berstream_load_run(ChanIn *in, uint64_t ordinal, const RamBlocks *blocks, StreamSink *sink, GError **error)
{
    g_autofree char *what = NULL;
    bool end = false, ok = true;
    BerRecord r;
    BerLoad l;

    load_init(&l, in, sink);
    l.ordinal = ordinal;
    for (guint i = 0; ok && i < blocks->list->len; i++)
        ok = ram_blocks_add(&l.blocks, ram_block(blocks, i), error);
    ok = ok && berload_take_record(&l, &r, &end, &what, error);
    if (ok && (r.form != (BER_APPLICATION | BER_CONSTRUCTED) || r.tag != BERSTREAM_RAM_PAGES))
        ok = ber_cursor_fail(&r.members, "pages should be here");
    ok = ok && berload_ram_pages(&l, &r, error);
    load_done(&l);
    return ok;
}

/* --- only the schema -------------------------------------------------------------------------------------------- */

static bool is_beginning(const BerRecord *r)
{
    return r->form == (BER_PRIVATE | BER_CONSTRUCTED) ||
           (r->form == (BER_APPLICATION | BER_CONSTRUCTED) && r->tag <= BERSTREAM_SCHEMA);
}

Schema *berstream_load_schema(ChanIn *in, GError **error)
{
    static const StreamSinkOps nobody = {.header = NULL};
    StreamSink sink = {.ops = &nobody};
    g_autofree char *what = NULL;
    Schema *schema = NULL;
    bool end = false, ok;
    BerRecord r;
    BerLoad l;

    load_init(&l, in, &sink);
    ok = take_start(&l, error);
    while (ok && (ok = berload_take_record(&l, &r, &end, &what, error)) && !end && is_beginning(&r) &&
           (ok = read_record(&l, &r, error))) {
        l.ordinal++;
        chan_in_unpin(in);
    }
    if (ok)
        schema = g_steal_pointer(&l.schema);
    load_done(&l);
    return schema;
}
