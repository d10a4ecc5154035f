/*
 * trailer.h: the JSON description at the end of a QEMU stream (vmstate/FORMAT.md section 1.7), read and written.
 */
#ifndef VMSTATE_TRAILER_H
#define VMSTATE_TRAILER_H

#include "visitors/chan.h"
#include "vmstate/schema.h"

enum { TRAILER_MAX = 32 << 20 };

/*
 * Reads a description and adds one SchemaSection for each device, in order. The text is borrowed; `offset` is where it
 * starts in the stream, for messages.
 */
bool trailer_parse(Schema *schema, const char *text, size_t len, uint64_t offset, GError **error);

/* A description found in a file. */
typedef struct Trailer {
    uint64_t start; /* of the marker octet in front of it */
    uint64_t end;   /* behind its last octet */
    char *text;
    size_t len;
} Trailer;

/*
 * Searches the end of a channel that can seek, whose stream starts at `start`. False with an error if reading fails;
 * without one and trailer->text NULL if there is none. The channel's position is then undefined.
 */
bool trailer_find(Chan *chan, uint64_t start, Trailer *trailer, GError **error);
void trailer_clear(Trailer *trailer);

/* Makes the text as QEMU writes it. */
typedef struct TrailerWriter TrailerWriter;

TrailerWriter *trailer_writer_new(void);
void trailer_writer_free(TrailerWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TrailerWriter, trailer_writer_free)

/* Appends a device: its description and state, or, without a description, how many octets it has. */
void trailer_writer_add(TrailerWriter *writer, const char *name, uint32_t instance, const VMStateDescription *desc,
                        const void *state, size_t octets);

/* The text, complete; borrowed from the writer. Nothing can be added after. */
const GString *trailer_writer_end(TrailerWriter *writer);

#endif
