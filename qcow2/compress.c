/* compress.c: clusters through zlib (deflate without a frame around it) and zstd. */
#include "qcow2/compress.h"

#include <zlib.h>
#include <zstd.h>

#include "qcow2/header.h"

enum {
    WINDOW_WRITTEN = -12, /* the format's; negative: no frame */
    WINDOW_READ = -15,    /* what deflate can have at most: others were less strict */
    ZLIB_MEMORY = 9,
};

struct Qcow2Codec {
    uint8_t type;
    bool deflating, inflating;
    z_stream deflate, inflate;
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
};

Qcow2Codec *qcow2_codec_new(uint8_t type)
{
    Qcow2Codec *codec = g_new0(Qcow2Codec, 1);

    codec->type = type;
    return codec;
}

void qcow2_codec_free(Qcow2Codec *codec)
{
    if (!codec)
        return;
    if (codec->deflating)
        deflateEnd(&codec->deflate);
    if (codec->inflating)
        inflateEnd(&codec->inflate);
    ZSTD_freeCCtx(codec->compress);
    ZSTD_freeDCtx(codec->decompress);
    g_free(codec);
}

static size_t deflate_cluster(Qcow2Codec *codec, const void *cluster, size_t cluster_size, void *out, size_t room)
{
    z_stream *z = &codec->deflate;

    if (!codec->deflating)
        codec->deflating =
            deflateInit2(z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_WRITTEN, ZLIB_MEMORY, Z_DEFAULT_STRATEGY) == Z_OK;
    else
        deflateReset(z);
    if (!codec->deflating)
        return 0;
    z->next_in = (Bytef *)cluster;
    z->avail_in = (uInt)cluster_size;
    z->next_out = out;
    z->avail_out = (uInt)room;
    return deflate(z, Z_FINISH) == Z_STREAM_END ? room - z->avail_out : 0;
}

static bool inflate_cluster(Qcow2Codec *codec, const void *data, size_t len, void *cluster, size_t cluster_size)
{
    z_stream *z = &codec->inflate;

    if (!codec->inflating)
        codec->inflating = inflateInit2(z, WINDOW_READ) == Z_OK;
    else
        inflateReset(z);
    if (!codec->inflating)
        return false;
    z->next_in = (Bytef *)data;
    z->avail_in = (uInt)len;
    z->next_out = cluster;
    z->avail_out = (uInt)cluster_size;
    int result = inflate(z, Z_FINISH);
    return z->avail_out == 0 && (result == Z_STREAM_END || result == Z_BUF_ERROR);
}

static size_t zstd_cluster(Qcow2Codec *codec, const void *cluster, size_t cluster_size, void *out, size_t room)
{
    if (!codec->compress)
        codec->compress = ZSTD_createCCtx();
    if (!codec->compress)
        return 0;
    size_t len = ZSTD_compressCCtx(codec->compress, out, room, cluster, cluster_size, ZSTD_CLEVEL_DEFAULT);
    return ZSTD_isError(len) ? 0 : len;
}

/* Frame by frame, each at once: so its window is the cluster itself, however large it says that it is. */
static bool unzstd_cluster(Qcow2Codec *codec, const uint8_t *data, size_t len, uint8_t *cluster, size_t cluster_size)
{
    if (!codec->decompress)
        codec->decompress = ZSTD_createDCtx();
    while (codec->decompress && cluster_size) {
        size_t frame = ZSTD_findFrameCompressedSize(data, len);
        if (ZSTD_isError(frame))
            return false;
        size_t n = ZSTD_decompressDCtx(codec->decompress, cluster, cluster_size, data, frame);
        if (ZSTD_isError(n))
            return false;
        data += frame;
        len -= frame;
        cluster += n;
        cluster_size -= n;
    }
    return cluster_size == 0;
}

size_t qcow2_compress(Qcow2Codec *codec, const void *cluster, size_t cluster_size, void *out, size_t room)
{
    if (codec->type == QCOW2_COMPRESSION_ZSTD)
        return zstd_cluster(codec, cluster, cluster_size, out, room);
    return deflate_cluster(codec, cluster, cluster_size, out, room);
}

bool qcow2_decompress(Qcow2Codec *codec, const void *data, size_t len, void *cluster, size_t cluster_size)
{
    if (codec->type == QCOW2_COMPRESSION_ZSTD)
        return unzstd_cluster(codec, data, len, cluster, cluster_size);
    return inflate_cluster(codec, data, len, cluster, cluster_size);
}
