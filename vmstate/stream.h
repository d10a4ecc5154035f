/*
 * stream.h: what a stream says, in either format, as a sequence of calls.
 *
 * A reader (stream-load.h for QEMUFile, berstream-load.h for BER) calls a StreamSink for each thing it finds, in the
 * order of the stream. The writers of both formats are sinks, so a conversion is a reader and a writer; a dump, a
 * comparison, the loader of a machine are sinks, too. Whatever a call is given is borrowed for the call.
 *
 * Order: header; schema (perhaps again); then slices, sections and commands; eof; residue; end. A slice is:
 * slice_start, then ram_blocks, ram_run, ram_piece or octets in any number, slice_end.
 */
#ifndef VMSTATE_STREAM_H
#define VMSTATE_STREAM_H

#include "vmstate/ram.h"
#include "vmstate/schema.h"

/* The numbers are those in the BER header's flags. */
typedef enum StreamKind {
    STREAM_MACHINE = 0, /* the state of a machine */
    STREAM_MULTIFD = 1, /* other channels of a migration */
    STREAM_PREEMPT = 2,
    STREAM_RECOVERY = 3,
    STREAM_RETURN_PATH = 4,
    STREAM_KINDS,
} StreamKind;

/* "machine", "multifd", "preempt", "recovery", "return-path". */
const char *stream_kind_name(StreamKind kind);

typedef struct StreamHeader {
    StreamKind kind;
    const char *format; /* "qemufile", "ber" */
    const char *writer; /* the program that wrote the stream; NULL where the format does not tell */
    const char *writer_version;
    const char *machine; /* machine type, NULL where the stream does not tell */
    bool has_uuid;
    uint8_t uuid[16];
    bool from_qemufile; /* it is one, or was converted from one: then these count */
    bool footers;
} StreamHeader;

/* The numbers are those of the legacy wire's markers. */
typedef enum SliceKind { SLICE_START = 1, SLICE_PART = 2, SLICE_END = 3, SLICE_FULL = 4 } SliceKind;

typedef struct StreamSlice {
    SliceKind kind;
    uint32_t id;
    const char *name; /* always there; PART and END have those of their START */
    uint32_t instance;
    int version;
    uint64_t offset;
} StreamSlice;

/* A device. */
typedef struct StreamSection {
    const char *name;
    uint32_t instance;
    int version;
    uint32_t id;
    bool configuration;             /* QEMU's configuration section, which has neither id nor version nor footer */
    uint64_t offset;                /* of its first octet in the stream */
    uint64_t body;                  /* of its body, or where that would start in a stream that has no body */
    const VMStateDescription *desc; /* NULL: nobody described it, and only the octets are there */
    const void *state;              /* what desc says */
    const uint8_t *octets;          /* the legacy body; NULL: the state says all */
    size_t len;
    const char *note; /* why there is no description, or why the state does not say all; NULL otherwise */
    bool cut;         /* this is only the start of it */
    Visitor *partial; /* then, if there is a description: loads as far as the octets go, and fails there */
} StreamSection;

/* A record of a live section that is not RAM (live.h), or a piece of one. */
typedef struct StreamOctets {
    uint64_t offset;
    bool continued; /* the record started in an earlier piece */
    const uint8_t *data;
    size_t len;
} StreamOctets;

typedef struct StreamCommand {
    uint16_t id;
    uint64_t offset;
    const uint8_t *payload; /* of PACKAGED: the length of the package, which follows */
    size_t len;
} StreamCommand;

enum {
    STREAM_OPEN_RETURN_PATH = 1,
    STREAM_PING = 2,
    STREAM_POSTCOPY_ADVISE = 3,
    STREAM_POSTCOPY_LISTEN = 4,
    STREAM_POSTCOPY_RUN = 5,
    STREAM_POSTCOPY_RAM_DISCARD = 6,
    STREAM_PACKAGED = 7,
    STREAM_ENABLE_COLO = 8,
    STREAM_POSTCOPY_RESUME = 9,
    STREAM_RECV_BITMAP = 10,
};

/* "PING", ... or NULL. */
const char *stream_command_name(uint16_t id);

/* The first packet of a multifd channel. */
typedef struct StreamGreeting {
    uint32_t version;
    uint8_t uuid[16];
    uint8_t channel;
    uint8_t rest[39];
} StreamGreeting;

enum { STREAM_GREETING = 64, STREAM_PACKET_HEADER = 1344, STREAM_PACKET_PAGES = 128 };

/* A multifd packet. */
typedef struct StreamPacket {
    uint64_t offset;
    uint32_t flags, allocated;
    uint64_t number;
    const char *block; /* as long as it is, at most 255 octets; stale where there are no pages */
    uint32_t count;
    uint64_t offsets[STREAM_PACKET_PAGES];
    const uint8_t *data;
    size_t len;
    const uint8_t *header; /* STREAM_PACKET_HEADER octets as they came, if the members do not tell all; or NULL */
} StreamPacket;

/* Makes the header that the members give. */
void stream_packet_header(const StreamPacket *packet, uint8_t header[STREAM_PACKET_HEADER]);

enum { STREAM_PACKET_SYNC = 1, STREAM_PACKET_ZLIB = 2, STREAM_PACKET_ZSTD = 4 };

/* A message on the return path. */
typedef struct StreamMessage {
    uint64_t offset;
    uint16_t type;
    const uint8_t *payload;
    size_t len;
    const uint8_t *bitmap; /* of RECV_BITMAP; NULL otherwise */
    size_t bitmap_len;
} StreamMessage;

enum { STREAM_MESSAGE_RECV_BITMAP = 5 };
#define STREAM_MESSAGE_BITMAP_END UINT64_C(0x0123456789abcdef) /* closes a bitmap */

/* "SHUT", ... or NULL. */
const char *stream_message_name(uint16_t type);

/* QEMUFile's end mark, and the JSON description behind it. */
typedef struct StreamTrailer {
    bool present;
    const char *text; /* NULL: it is to be derived from the sections */
    size_t len;
    uint64_t offset;
} StreamTrailer;

typedef struct StreamEnd {
    bool complete;   /* false: the input was cut */
    uint64_t offset; /* where the input ended */
    bool has_origin; /* what it was converted from: */
    uint64_t origin_len;
    uint8_t origin_digest[16];
} StreamEnd;

/* Records of RAM in a row that a sink does not want to be told, since it knows where they are (ram-index.h). */
typedef struct StreamGap {
    uint64_t from, to; /* offsets in the stream; from = to: there is none */
    uint64_t records;
    const uint64_t *checks; /* of BER's records: what its end is held against */
} StreamGap;

typedef struct StreamSink StreamSink;

/* Every entry may be NULL: the sink does not care. False with an error ends the reading. */
typedef struct StreamSinkOps {
    bool (*header)(StreamSink *sink, const StreamHeader *header, GError **error);
    /* Sections from number `first` on are new. */
    bool (*schema)(StreamSink *sink, Schema *schema, size_t first, GError **error);
    bool (*slice_start)(StreamSink *sink, const StreamSlice *slice, GError **error);
    /* Blocks from number `first` on are new. */
    bool (*ram_blocks)(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error);
    const StreamGap *(*ram_gap)(StreamSink *sink); /* NULL: all is wanted */
    bool (*ram_run)(StreamSink *sink, const RamRun *run, GError **error);
    bool (*ram_piece)(StreamSink *sink, const RamPiece *piece, GError **error);
    /* A part of memory has come, all of it; the slice's end may be long in coming. Only of a QEMUFile. */
    bool (*ram_end)(StreamSink *sink, GError **error);
    bool (*octets)(StreamSink *sink, const StreamOctets *octets, GError **error);
    bool (*slice_end)(StreamSink *sink, GError **error);
    bool (*section)(StreamSink *sink, const StreamSection *section, GError **error);
    bool (*command)(StreamSink *sink, const StreamCommand *command, GError **error);
    bool (*greeting)(StreamSink *sink, const StreamGreeting *greeting, GError **error);
    bool (*packet)(StreamSink *sink, const StreamPacket *packet, GError **error);
    bool (*message)(StreamSink *sink, const StreamMessage *message, GError **error);
    /* Only if the stream is, or was converted from, a QEMUFile, and is not cut before. */
    bool (*eof)(StreamSink *sink, const StreamTrailer *trailer, GError **error);
    /* cut: the start of something that is cut; otherwise octets behind the end. */
    bool (*residue)(StreamSink *sink, bool cut, const uint8_t *data, size_t len, GError **error);
    bool (*end)(StreamSink *sink, const StreamEnd *end, GError **error);
} StreamSinkOps;

struct StreamSink {
    const StreamSinkOps *ops;
};

/* Calls an entry if there is one: SINK(sink, section, &s, error). */
#define SINK(sink, entry, ...) ((sink)->ops->entry ? (sink)->ops->entry((sink), __VA_ARGS__) : true)

#endif
