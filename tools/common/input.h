/*
 * input.h: finds out what a file is, and reads it.
 *
 * A stream may be a file, standard input ("-"), packed (gzip, bzip2, xz, zstd), inside a libvirt save file, or the VM
 * state of a snapshot in a qcow2 image. A
 * QEMUFile of a machine that cannot seek is first copied to an unnamed temporary file, for its description stands at
 * the end. BER streams and the other channels of a migration are read as they come.
 */
#ifndef TOOLS_COMMON_INPUT_H
#define TOOLS_COMMON_INPUT_H

#include "visitors/chan.h"
#include "vmstate/stream.h"
#include "vmstate/trailer.h"

typedef enum InputFormat { INPUT_QEMUFILE, INPUT_BER } InputFormat;

/* What a libvirt save file says in front of the stream. */
typedef struct LibvirtSave {
    uint32_t version;
    bool was_running;
    bool partial;       /* libvirt was still writing it */
    const char *packed; /* "raw", "gzip", ... */
    uint32_t xml_len;
} LibvirtSave;

typedef struct Input {
    char *path; /* for messages */
    InputFormat format;
    StreamKind kind;
    LibvirtSave *libvirt; /* NULL: it is none */
    PackFormat packed;
    Trailer trailer;
    uint64_t start; /* offset of the stream in the (unpacked) file */
    Chan *digest;   /* what `in` reads through, if asked for; borrowed from it */
    ChanIn *in;
} Input;

/*
 * snapshot: which one of a qcow2 image (snapshot.h); NULL: the only one, or it is none. kind: what the octets are, if
 * they do not tell (a migration's other channels); STREAM_KINDS to look. digest: compute one over the stream.
 */
Input *input_open(const char *path, const char *snapshot, StreamKind kind, bool digest, GError **error);
/* The same for a channel that is open (taken); `path` is what messages call it. */
Input *input_open_chan(Chan *chan, const char *path, StreamKind kind, bool digest, GError **error);

void input_free(Input *input);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Input, input_free)

/* Reads it and tells the sink; messages start with the path. borrowed: as in StreamSource. */
bool input_load(Input *input, const Schema *borrowed, StreamSink *sink, GError **error);

/* The kind of that name (stream_kind_name), or STREAM_KINDS; ends the program if it is none and not NULL. */
StreamKind input_kind(const char *name);

/* The descriptions that the stream in a file has. */
Schema *input_schema(const char *path, GError **error);

/* Parses the header of a libvirt save file; NULL if it is none. *size: octets up to the stream. */
LibvirtSave *libvirt_save_parse(const uint8_t *data, size_t len, uint64_t *size, GError **error);
enum { LIBVIRT_SAVE_HEADER = 92 };

#endif
