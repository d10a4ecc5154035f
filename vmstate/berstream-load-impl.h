/* berstream-load-impl.h: what the files of the BER stream's reader share. Only included by them. */
#ifndef VMSTATE_BERSTREAM_LOAD_IMPL_H
#define VMSTATE_BERSTREAM_LOAD_IMPL_H

#include <xxhash.h>
#include <zstd.h>

#include "vmstate/berstream-load.h"
#include "vmstate/berstream.h"

typedef struct BerLoad {
    ChanIn *in;
    StreamSink *sink;
    const Schema *borrowed;
    uint64_t ordinal; /* of the record that is being read */
    XXH3_state_t *checks;
    StreamHeader header;
    char *machine, *writer, *writer_version;
    bool told_header;
    Schema *schema;
    SchemaReader *schema_reader;
    uint64_t next_section; /* the one that should come next, for messages */
    GByteArray *seen;      /* of each section of the schema: has it come? */
    RamBlocks blocks;
    GHashTable *live; /* section id -> StreamSlice of its START */
    char *slice;      /* name of the slice that is open, NULL: none */
    ZSTD_DCtx *zstd;
    uint8_t *pages;       /* an unpacked run */
    XXH128_hash_t digest; /* over the checks of the records before this */
    bool indefinite;      /* the Stream element is */
    bool ended;           /* the End record has come */
    bool incomplete;      /* the origin was cut */
} BerLoad;

/* A record whose check is right: where it is, and a cursor over its members but the check. */
typedef struct BerRecord {
    unsigned form;
    uint32_t tag;
    uint64_t offset;
    size_t len; /* octets in all */
    BerCursor members;
} BerRecord;

/* berstream-record.c */

/*
 * Takes the next record. *end: there is none, the stream ends here. The record is in the input's buffer, pinned. `what`
 * names it; it is borrowed until the next call.
 */
bool berload_take_record(BerLoad *l, BerRecord *record, bool *end, char **what, GError **error);

/* Tells the sink that the slice has ended, if one is open. */
bool berload_close_slice(BerLoad *l, GError **error);

/* berstream-ram.c */
bool berload_ram_blocks(BerLoad *l, BerRecord *record, GError **error);
bool berload_ram_pages(BerLoad *l, BerRecord *record, GError **error);
bool berload_ram_pieces(BerLoad *l, BerRecord *record, GError **error);

/* berstream-channel.c */
bool berload_greeting(BerLoad *l, BerRecord *record, GError **error);
bool berload_packet(BerLoad *l, BerRecord *record, GError **error);
bool berload_message(BerLoad *l, BerRecord *record, GError **error);

/* berstream-device.c */
bool berload_section(BerLoad *l, BerRecord *record, GError **error);

/* The input is cut inside this record, of which `len` octets are there: if it is a section, tells the sink what there
 * is of it. */
bool berload_cut_section(BerLoad *l, const uint8_t *data, size_t len, uint64_t offset, GError **error);

#endif
