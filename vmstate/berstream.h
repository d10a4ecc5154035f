/*
 * berstream.h: what the reader and the writer of the BER stream share (vmstate/FORMAT.md part 2,
 * visitors/vmstate.asn1).
 */
#ifndef VMSTATE_BERSTREAM_H
#define VMSTATE_BERSTREAM_H

#include "vmstate/ber-cursor.h"
#include "vmstate/schema.h"

#define BERSTREAM_FORMAT "vmstate-ber"

enum { BERSTREAM_VERSION = 1 };

/* Records: class and number. */
enum {
    BERSTREAM_STREAM = 0,
    BERSTREAM_HEADER = 1,
    BERSTREAM_SCHEMA = 2,
    BERSTREAM_RAM_BLOCKS = 3,
    BERSTREAM_RAM_PAGES = 4,
    BERSTREAM_RAM_PIECES = 5,
    BERSTREAM_SECTION = 6,
    BERSTREAM_SLICE = 7,
    BERSTREAM_OCTETS = 8,
    BERSTREAM_COMMAND = 9,
    BERSTREAM_GREETING = 10,
    BERSTREAM_PACKET = 11,
    BERSTREAM_MESSAGE = 12,
    BERSTREAM_END = 15,
    /* class PRIVATE */
    BERSTREAM_ORIGIN = 1,
    BERSTREAM_TAIL = 2,
    BERSTREAM_RESIDUE = 3,
};

enum {
    BERSTREAM_CHECK = 11,            /* octets of a check, head included */
    BERSTREAM_CHECK_TAG = 15,        /* context-specific */
    BERSTREAM_RECORD_MAX = 64 << 20, /* octets of a record */
};

/* Kinds of trailer in Tail. */
enum { BERSTREAM_TRAILER_NONE, BERSTREAM_TRAILER_DERIVED, BERSTREAM_TRAILER_VERBATIM };

/* Places of Residue. */
enum { BERSTREAM_RESIDUE_BEHIND, BERSTREAM_RESIDUE_IN_SLICE, BERSTREAM_RESIDUE_BETWEEN };

/* The check over `len` octets of record number `ordinal`. */
uint64_t berstream_check(const void *data, size_t len, uint64_t ordinal);

/* --- schema records --------------------------------------------------------------------------------------------- */

/* Writes schema records; knows which types were written. */
typedef struct SchemaWriter SchemaWriter;

SchemaWriter *schema_writer_new(void);
void schema_writer_free(SchemaWriter *writer);

/* Appends the members of a Schema record: the sections from number `first` on, and what types they need. */
bool schema_writer_put(SchemaWriter *writer, ByteOut *out, const Schema *schema, size_t first, GError **error);

/* Reads schema records; knows which types there are. */
typedef struct SchemaReader SchemaReader;

/* Adds to `schema`, borrowed. */
SchemaReader *schema_reader_new(Schema *schema);
void schema_reader_free(SchemaReader *reader);

/* Takes the members of a Schema record. */
bool schema_reader_take(SchemaReader *reader, BerCursor *record);

#endif
