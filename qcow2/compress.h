/*
 * compress.h: a cluster, compressed and as it was.
 *
 * Source: the qcow2 specification, "Compressed Clusters Descriptor", "Compression type"; RFC 1951, RFC 8878. A codec is
 * the memory that this takes, used again and again; one thread at a time may have it. What comes out depends on what
 * goes in only.
 */
#ifndef QCOW2_COMPRESS_H
#define QCOW2_COMPRESS_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Qcow2Codec Qcow2Codec;

/* type: QCOW2_COMPRESSION_*. Never fails: what it needs is made when it is used first. */
Qcow2Codec *qcow2_codec_new(uint8_t type);
void qcow2_codec_free(Qcow2Codec *codec);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Qcow2Codec, qcow2_codec_free)

/* Octets that were put into `out`, which has room for `room`. 0: that is not enough; it is stored as it is. */
size_t qcow2_compress(Qcow2Codec *codec, const void *cluster, size_t cluster_size, void *out, size_t room);

/*
 * False: `len` octets do not make a cluster. What lies behind the compressed data does not matter, since its length is
 * only known in sectors. No input makes this take more memory than the two together, but for a fixed amount.
 */
bool qcow2_decompress(Qcow2Codec *codec, const void *data, size_t len, void *cluster, size_t cluster_size);

#endif
