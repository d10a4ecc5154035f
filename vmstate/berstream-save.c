/*
 * berstream-save.c: writes a BER stream. Source: visitors/vmstate.asn1, vmstate/FORMAT.md part 2.
 *
 * A record is put together in a buffer, closed with its check, and written. Pages are not copied: they are written, and
 * summed, from where they are.
 */
#include "vmstate/berstream-save.h"

#include <string.h>
#include <zstd.h>

#include "visitors/ber-out.h"
#include "vmstate/berstream-save-impl.h"
#include "vmstate/state.h"
#include "vmstate/trailer.h"
#include "vmstate/walk.h"

uint64_t berstream_check(const void *data, size_t len, uint64_t ordinal)
{
    return XXH3_64bits_withSeed(data, len, ordinal);
}

enum { RESIDUE_PIECE = 1 << 20 };

/* --- records ---------------------------------------------------------------------------------------------------- */

ByteOut *bersave_start(BerstreamSave *s, unsigned class, uint32_t tag)
{
    s->buf.len = 0;
    s->mark = ber_start(&s->buf, class, tag);
    return &s->buf;
}

/* Closes a record: room for the check is part of its length, and everything before is summed. */
void bersave_end(BerstreamSave *s)
{
    uint8_t check[8];

    byte_out_room(&s->buf, BERSTREAM_CHECK);
    ber_end(&s->buf, s->mark);
    s->buf.len -= BERSTREAM_CHECK;
    s->check = berstream_check(s->buf.data, s->buf.len, s->ordinal++);
    store_be64(check, s->check);
    ber_put_opaque(&s->buf, BERSTREAM_CHECK_TAG, check, sizeof check);
    XXH3_128bits_update(s->checks, check, sizeof check);
    chan_out_put(s->out, s->buf.data, s->buf.len);
}

void bersave_put_number(ByteOut *out, uint32_t tag, uint64_t value)
{
    ber_put_integer_as(out, BER_CONTEXT, tag, (Integer){.bits = value});
}

void bersave_put_true(ByteOut *out, uint32_t tag, bool value)
{
    if (value)
        ber_put_octets_as(out, BER_CONTEXT, tag, "\xff", 1);
}

/* --- the beginning ---------------------------------------------------------------------------------------------- */

static bool save_header(StreamSink *sink, const StreamHeader *header, GError **error)
{
    static const uint8_t start[] = {BER_APPLICATION | BER_CONSTRUCTED | BERSTREAM_STREAM, 0x80};
    BerstreamSave *s = bersave_of(sink);

    (void)error;
    chan_out_put(s->out, start, sizeof start);
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_HEADER);
    ber_put_text(b, BERSTREAM_FORMAT);
    ber_put_uint(b, BERSTREAM_VERSION);
    ber_put_text(b, s->options.writer);
    ber_put_text(b, s->options.writer_version);
    ber_put_uint(b, header->kind);
    if (header->machine && header->machine[0])
        ber_put_octets_as(b, BER_CONTEXT, 0, header->machine, strlen(header->machine));
    if (header->has_uuid)
        ber_put_opaque(b, 1, header->uuid, sizeof header->uuid);
    bersave_end(s);
    if (header->from_qemufile) {
        b = bersave_start(s, BER_PRIVATE, BERSTREAM_ORIGIN);
        ber_put_text(b, "qemufile");
        ber_put_uint(b, 3);
        ber_put_bool(b, header->footers);
        bersave_end(s);
    }
    return true;
}

static bool save_schema(StreamSink *sink, Schema *schema, size_t first, GError **error)
{
    BerstreamSave *s = bersave_of(sink);

    bersave_flush_pieces(s);
    s->schema = schema;
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_SCHEMA);
    if (!schema_writer_put(s->schema_writer, b, schema, first, error))
        return false;
    bersave_end(s);
    return true;
}

/* --- sections --------------------------------------------------------------------------------------------------- */

static bool save_slice_start(StreamSink *sink, const StreamSlice *slice, GError **error)
{
    BerstreamSave *s = bersave_of(sink);

    (void)error;
    s->in_slice = true;
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_SLICE);
    ber_put_integer_as(b, BER_UNIVERSAL, BER_ENUMERATED, (Integer){.bits = slice->kind});
    ber_put_uint(b, slice->id);
    if (slice->kind == SLICE_START || slice->kind == SLICE_FULL) {
        ber_put_octets_as(b, BER_CONTEXT, 0, slice->name, strlen(slice->name));
        bersave_put_number(b, 1, slice->instance);
        bersave_put_number(b, 2, (uint64_t)slice->version);
    }
    bersave_end(s);
    return true;
}

static bool save_slice_end(StreamSink *sink, GError **error)
{
    (void)error;
    bersave_of(sink)->in_slice = false;
    return bersave_flush_pieces(bersave_of(sink));
}

static bool save_octets(StreamSink *sink, const StreamOctets *octets, GError **error)
{
    BerstreamSave *s = bersave_of(sink);

    (void)error;
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_OCTETS);
    ber_put_opaque(b, 0, octets->data, octets->len);
    bersave_put_true(b, 1, octets->continued);
    bersave_end(s);
    return true;
}

/* The section's number in the schema: the nth of that name, if it comes for the nth time. */
static const SchemaSection *number_of(BerstreamSave *s, const StreamSection *section, uint64_t *number)
{
    char *key = g_strdup_printf("%u/%s", section->instance, section->name);
    unsigned nth = GPOINTER_TO_UINT(g_hash_table_lookup(s->seen, key));
    const SchemaSection *listed = s->schema ? schema_find(s->schema, section->name, section->instance, nth) : NULL;

    g_hash_table_replace(s->seen, key, GUINT_TO_POINTER(nth + 1));
    if (listed)
        *number = (uint64_t)(listed - schema_section(s->schema, 0));
    return listed;
}

static bool save_section(StreamSink *sink, const StreamSection *section, GError **error)
{
    BerstreamSave *s = bersave_of(sink);
    uint64_t number;

    if (section->cut)
        return bersave_flush_pieces(s); /* it comes again as residue */
    const SchemaSection *listed = number_of(s, section, &number);
    if (!listed) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "section %s comes more often than the schema lists it",
                    section->name);
        return false;
    }
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_SECTION);
    ber_put_uint(b, number);
    ber_put_uint(b, section->id);
    if (section->version != listed->version)
        bersave_put_number(b, 2, (uint64_t)section->version);
    if (section->octets) {
        ber_put_opaque(b, 1, section->octets, section->len);
    } else {
        g_autoptr(Visitor) v = ber_out_new(b, section->name, BER_CONTEXT, 0);
        vmstate_save(v, section->desc, section->state);
        if (!visit_finish(v, error))
            return false;
    }
    if (b->len > BERSTREAM_RECORD_MAX - 32) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "section %s has %zu octets, a record takes 64 MiB",
                    section->name, b->len);
        return false;
    }
    bersave_end(s);
    if (!section->configuration) {
        size_t len = section->octets ? section->len : vms_state_wire_size(section->desc, section->state);
        trailer_writer_add(s->trailer, section->name, section->instance, section->desc, section->state, len);
    }
    return true;
}

static bool save_command(StreamSink *sink, const StreamCommand *command, GError **error)
{
    BerstreamSave *s = bersave_of(sink);

    (void)error;
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_COMMAND);
    ber_put_uint(b, command->id);
    if (command->len)
        ber_put_opaque(b, 0, command->payload, command->len);
    bersave_end(s);
    return true;
}

/* --- other channels --------------------------------------------------------------------------------------------- */

static bool save_greeting(StreamSink *sink, const StreamGreeting *greeting, GError **error)
{
    BerstreamSave *s = bersave_of(sink);

    (void)error;
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_GREETING);
    ber_put_uint(b, greeting->version);
    ber_put_uint(b, greeting->channel);
    ber_put_opaque(b, 0, greeting->uuid, sizeof greeting->uuid);
    ber_put_opaque(b, 1, greeting->rest, sizeof greeting->rest);
    bersave_end(s);
    return true;
}

static bool save_packet(StreamSink *sink, const StreamPacket *packet, GError **error)
{
    BerstreamSave *s = bersave_of(sink);

    (void)error;
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_PACKET);
    ber_put_uint(b, packet->flags);
    ber_put_uint(b, packet->allocated);
    ber_put_uint(b, packet->number);
    size_t mark = ber_start(b, BER_UNIVERSAL, BER_SEQUENCE);
    for (uint32_t i = 0; i < packet->count; i++)
        ber_put_uint(b, packet->offsets[i]);
    ber_end(b, mark);
    if (packet->block[0])
        ber_put_opaque(b, 0, packet->block, strlen(packet->block));
    if (packet->len)
        ber_put_opaque(b, 1, packet->data, packet->len);
    if (packet->header)
        ber_put_opaque(b, 2, packet->header, STREAM_PACKET_HEADER);
    bersave_end(s);
    return true;
}

static bool save_message(StreamSink *sink, const StreamMessage *message, GError **error)
{
    BerstreamSave *s = bersave_of(sink);

    (void)error;
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_MESSAGE);
    ber_put_uint(b, message->type);
    if (message->len)
        ber_put_opaque(b, 0, message->payload, message->len);
    if (message->bitmap_len)
        ber_put_opaque(b, 1, message->bitmap, message->bitmap_len);
    bersave_end(s);
    return true;
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

static bool save_eof(StreamSink *sink, const StreamTrailer *trailer, GError **error)
{
    BerstreamSave *s = bersave_of(sink);
    unsigned kind = BERSTREAM_TRAILER_NONE;

    if (trailer->present) {
        const GString *derived = trailer_writer_end(s->trailer);
        bool same =
            !trailer->text || (derived->len == trailer->len && memcmp(derived->str, trailer->text, trailer->len) == 0);
        kind = same ? BERSTREAM_TRAILER_DERIVED : BERSTREAM_TRAILER_VERBATIM;
    }
    ByteOut *b = bersave_start(s, BER_PRIVATE, BERSTREAM_TAIL);
    ber_put_integer_as(b, BER_UNIVERSAL, BER_ENUMERATED, (Integer){.bits = kind});
    if (kind == BERSTREAM_TRAILER_VERBATIM) {
        size_t room = ZSTD_compressBound(trailer->len);
        g_autofree uint8_t *packed = g_malloc(room);
        size_t len = ZSTD_compress2(s->zstd, packed, room, trailer->text, trailer->len);
        if (ZSTD_isError(len)) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "packing the JSON description: %s", ZSTD_getErrorName(len));
            return false;
        }
        ber_put_opaque(b, 0, packed, len);
    }
    bersave_end(s);
    return true;
}

static void put_residue(BerstreamSave *s, unsigned place, const uint8_t *data, size_t len)
{
    ByteOut *b = bersave_start(s, BER_PRIVATE, BERSTREAM_RESIDUE);

    ber_put_integer_as(b, BER_UNIVERSAL, BER_ENUMERATED, (Integer){.bits = place});
    if (len)
        ber_put_opaque(b, 0, data, len);
    bersave_end(s);
}

/* A cut is told even if it leaves nothing over: a slice that is open stays open, one that is closed is closed. */
static bool save_residue(StreamSink *sink, bool cut, const uint8_t *data, size_t len, GError **error)
{
    BerstreamSave *s = bersave_of(sink);
    unsigned where = s->in_slice ? BERSTREAM_RESIDUE_IN_SLICE : BERSTREAM_RESIDUE_BETWEEN;
    unsigned place = cut ? where : BERSTREAM_RESIDUE_BEHIND;

    (void)error;
    bersave_flush_pieces(s);
    for (size_t done = 0; done < len || (cut && done == 0); done += RESIDUE_PIECE)
        put_residue(s, place, len ? data + done : NULL, MIN(len - done, RESIDUE_PIECE));
    return true;
}

static void put_origin(BerstreamSave *s, ByteOut *b, const StreamEnd *end)
{
    uint64_t length = end->origin_len;
    uint8_t digest[16];

    memcpy(digest, end->origin_digest, sizeof digest);
    if (s->options.origin) {
        length = chan_digest_length(s->options.origin);
        chan_digest_value(s->options.origin, digest);
    } else if (!end->has_origin) {
        return;
    }
    size_t mark = ber_start(b, BER_CONTEXT, 1);
    ber_put_uint(b, length);
    ber_put_opaque(b, 0, digest, sizeof digest);
    ber_end(b, mark);
}

static bool save_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    BerstreamSave *s = bersave_of(sink);
    XXH128_canonical_t digest;

    (void)error;
    bersave_flush_pieces(s);
    XXH128_canonicalFromHash(&digest, XXH3_128bits_digest(s->checks));
    ByteOut *b = bersave_start(s, BER_APPLICATION, BERSTREAM_END);
    ber_put_uint(b, s->ordinal);
    ber_put_bool(b, end->complete);
    ber_put_opaque(b, 0, digest.digest, sizeof digest.digest);
    put_origin(s, b, end);
    bersave_end(s);
    chan_out_put(s->out, "\0", 2);
    return true;
}

static const StreamSinkOps ops = {
    .header = save_header,
    .schema = save_schema,
    .slice_start = save_slice_start,
    .ram_blocks = bersave_ram_blocks,
    .ram_run = bersave_ram_run,
    .ram_piece = bersave_ram_piece,
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

StreamSink *berstream_save_new(ChanOut *out, const BerstreamOptions *options)
{
    BerstreamSave *s = g_new0(BerstreamSave, 1);

    s->sink.ops = &ops;
    s->out = out;
    s->options = *options;
    s->record = XXH3_createState();
    s->checks = XXH3_createState();
    XXH3_128bits_reset(s->checks);
    s->schema_writer = schema_writer_new();
    s->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    s->trailer = trailer_writer_new();
    s->zstd = ZSTD_createCCtx();
    if (options->level)
        ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, options->level);
    if (options->zstd) {
        s->pages = g_malloc(RAM_RUN_FULL * RAM_PAGE);
        s->packed = g_malloc(ZSTD_compressBound(RAM_RUN_FULL * RAM_PAGE));
    }
    return &s->sink;
}

void berstream_save_free(StreamSink *sink)
{
    BerstreamSave *s = bersave_of(sink);

    if (!s)
        return;
    XXH3_freeState(s->record);
    XXH3_freeState(s->checks);
    schema_writer_free(s->schema_writer);
    g_hash_table_unref(s->seen);
    trailer_writer_free(s->trailer);
    ZSTD_freeCCtx(s->zstd);
    g_free(s->pages);
    g_free(s->packed);
    byte_out_done(&s->buf);
    byte_out_done(&s->pieces.octets);
    g_free(s);
}

uint64_t berstream_save_last(StreamSink *sink, uint64_t *ordinal)
{
    const BerstreamSave *s = bersave_of(sink);

    *ordinal = s->ordinal - 1;
    return s->check;
}
