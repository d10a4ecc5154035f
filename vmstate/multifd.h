/*
 * multifd.h: packets of multifd channels: their headers, and the pages in them (vmstate/FORMAT.md section 1.5).
 */
#ifndef VMSTATE_MULTIFD_H
#define VMSTATE_MULTIFD_H

#include <sys/uio.h>

#include "vmstate/stream.h"

/* How pages are packed. */
typedef enum MultifdMethod { MULTIFD_NONE, MULTIFD_ZLIB, MULTIFD_ZSTD, MULTIFD_METHODS } MultifdMethod;

enum {
    MULTIFD_CHANNELS_MAX = 255,
    MULTIFD_MAGIC_OCTETS = 8, /* at the start of greeting and packet */
    /* zlib and zstd add a little to what they cannot pack */
    MULTIFD_DATA_MAX = STREAM_PACKET_PAGES * (RAM_PAGE + 64) + 4096,
};

/* "none", "zlib", "zstd". */
const char *multifd_method_name(MultifdMethod method);

/* That of a packet, by its flags; MULTIFD_METHODS if it is none that is known. */
MultifdMethod multifd_packet_method(const StreamPacket *packet);

/* --- headers ---------------------------------------------------------------------------------------------------- */

/* Are these 4 octets those with which everything here begins? */
bool multifd_is_magic(const uint8_t octets[4]);

/* Checks the first MULTIFD_MAGIC_OCTETS; `what` stands at `offset`. */
bool multifd_check_magic(const uint8_t *octets, const char *what, uint64_t offset, GError **error);

/* Of STREAM_GREETING octets, whose magic is right; and back. */
void multifd_greeting_parse(const uint8_t *octets, StreamGreeting *greeting);
void multifd_greeting_write(const StreamGreeting *greeting, uint8_t octets[STREAM_GREETING]);

/*
 * Of STREAM_PACKET_HEADER octets, whose magic is right: everything but `offset`, which is there, and `data`. The
 * block's name goes to `block`. Every number is within its limits.
 */
bool multifd_packet_parse(const uint8_t *octets, StreamPacket *packet, char block[256], GError **error);

/* --- pages ------------------------------------------------------------------------------------------------------ */

/* Unpacks the packets of one channel, which must come in order: with zlib and zstd one compressed stream runs through
 * them. */
typedef struct MultifdUnpack MultifdUnpack;

MultifdUnpack *multifd_unpack_new(void);
void multifd_unpack_free(MultifdUnpack *unpack);

/* Sets pages[i] to the octets of page i of the packet; they live until the next call. */
bool multifd_unpack(MultifdUnpack *unpack, const StreamPacket *packet, const uint8_t *pages[STREAM_PACKET_PAGES],
                    GError **error);

/* Unpacks the packet's pages, in turn, to these places, which together have exactly the room for them. */
bool multifd_unpack_to(MultifdUnpack *unpack, const StreamPacket *packet, const struct iovec *to, int count,
                       GError **error);

#endif
