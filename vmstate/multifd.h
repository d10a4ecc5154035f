/*
 * multifd.h: the pages in the packets of a multifd channel (vmstate/FORMAT.md section 1.5).
 */
#ifndef VMSTATE_MULTIFD_H
#define VMSTATE_MULTIFD_H

#include "vmstate/stream.h"

/* Unpacks the packets of one channel, which must come in order: with zlib and zstd one compressed stream runs through
 * them. */
typedef struct MultifdUnpack MultifdUnpack;

MultifdUnpack *multifd_unpack_new(void);
void multifd_unpack_free(MultifdUnpack *unpack);

/* Sets pages[i] to the octets of page i of the packet; they live until the next call. */
bool multifd_unpack(MultifdUnpack *unpack, const StreamPacket *packet, const uint8_t *pages[STREAM_PACKET_PAGES],
                    GError **error);

#endif
