/* berstream-save-impl.h: what the files of the BER stream's writer share. Only included by them. */
#ifndef VMSTATE_BERSTREAM_SAVE_IMPL_H
#define VMSTATE_BERSTREAM_SAVE_IMPL_H

#include <zstd.h>

#include "visitors/xxh3.h"
#include "vmstate/berstream-save.h"
#include "vmstate/berstream.h"
#include "vmstate/trailer.h"

typedef struct BerstreamSave {
    StreamSink sink;
    ChanOut *out;
    BerstreamOptions options;
    uint64_t ordinal;
    uint64_t check; /* of the last record */
    bool in_slice;
    XXH3_state_t *record, *checks;
    ByteOut buf; /* the record under construction */
    size_t mark; /* of its length */
    SchemaWriter *schema_writer;
    const Schema *schema;
    GHashTable *seen; /* "instance/name" -> how often it came */
    TrailerWriter *trailer;
    ZSTD_CCtx *zstd;
    uint8_t *pages, *packed; /* a run, before and after */
    struct {
        ByteOut octets; /* of the pieces that wait for company */
        uint32_t block;
        unsigned count;
    } pieces;
} BerstreamSave;

static inline BerstreamSave *bersave_of(StreamSink *sink)
{
    return (BerstreamSave *)sink;
}

/* Starts a record of that class and number in s->buf, which it returns; the caller puts the members. */
ByteOut *bersave_start(BerstreamSave *s, unsigned class, uint32_t tag);

/* Closes it with its check, and writes it. */
void bersave_end(BerstreamSave *s);

/* Optional members: context-specific; a truth only if it is one. */
void bersave_put_number(ByteOut *out, uint32_t tag, uint64_t value);
void bersave_put_true(ByteOut *out, uint32_t tag, bool value);

/* berstream-save-ram.c: entries of the sink, and pieces that wait for company. */
bool bersave_ram_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error);
bool bersave_ram_run(StreamSink *sink, const RamRun *run, GError **error);
bool bersave_ram_piece(StreamSink *sink, const RamPiece *piece, GError **error);
bool bersave_flush_pieces(BerstreamSave *s);

#endif
