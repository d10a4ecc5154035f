/*
 * chan-unpack.c: reads what another channel holds in packed form.
 *
 * zlib, libbz2, liblzma and libzstd do the work; this gives them one face and bounds the memory that a hostile file can
 * make them take. Concatenated members are read as one.
 */
#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "visitors/chan.h"

enum {
    PACKED_BUFFER = 64 << 10,
    XZ_MEMORY = 66 << 20, /* what level 9 needs */
    ZSTD_WINDOW_LOG = 26, /* 64 MiB */
};

typedef struct Unpacker Unpacker;

typedef struct UnpackOps {
    const char *name;
    bool (*init)(Unpacker *u);
    /* Consumes from *in, fills *out; *end: a member is complete. Returns NULL or what is wrong. */
    const char *(*step)(Unpacker *u, ByteIn *in, uint8_t *out, size_t room, size_t *made, bool *end);
    void (*done)(Unpacker *u);
} UnpackOps;

struct Unpacker {
    Chan chan;
    Chan *inner;
    const UnpackOps *ops;
    uint8_t buf[PACKED_BUFFER];
    ByteIn in;
    bool eof;       /* of the packed input */
    bool in_member; /* a member has begun and not ended */
    union {
        z_stream z;
        bz_stream bz;
        lzma_stream xz;
        ZSTD_DStream *zstd;
    } u;
};

/* --- the codecs ------------------------------------------------------------------------------------------------- */

static bool gzip_init(Unpacker *u)
{
    u->u.z = (z_stream){0};
    return inflateInit2(&u->u.z, 15 + 16) == Z_OK;
}

static const char *gzip_step(Unpacker *u, ByteIn *in, uint8_t *out, size_t room, size_t *made, bool *end)
{
    z_stream *z = &u->u.z;

    z->next_in = (uint8_t *)in->data + in->pos;
    z->avail_in = (uInt)byte_in_left(in);
    z->next_out = out;
    z->avail_out = (uInt)MIN(room, G_MAXUINT32);
    int rc = inflate(z, Z_NO_FLUSH);
    in->pos = in->len - z->avail_in;
    *made = (size_t)(z->next_out - out);
    *end = rc == Z_STREAM_END;
    if (*end)
        inflateReset(z);
    if (rc == Z_OK || rc == Z_STREAM_END || rc == Z_BUF_ERROR)
        return NULL;
    return z->msg ? z->msg : "not gzip data";
}

static void gzip_done(Unpacker *u)
{
    inflateEnd(&u->u.z);
}

static bool bzip2_init(Unpacker *u)
{
    u->u.bz = (bz_stream){0};
    return BZ2_bzDecompressInit(&u->u.bz, 0, 0) == BZ_OK;
}

static const char *bzip2_step(Unpacker *u, ByteIn *in, uint8_t *out, size_t room, size_t *made, bool *end)
{
    bz_stream *bz = &u->u.bz;

    bz->next_in = (char *)in->data + in->pos;
    bz->avail_in = (unsigned)byte_in_left(in);
    bz->next_out = (char *)out;
    bz->avail_out = (unsigned)MIN(room, G_MAXUINT32);
    int rc = BZ2_bzDecompress(bz);
    in->pos = in->len - bz->avail_in;
    *made = (size_t)((uint8_t *)bz->next_out - out);
    *end = rc == BZ_STREAM_END;
    if (*end) {
        BZ2_bzDecompressEnd(bz);
        bzip2_init(u);
    }
    return rc == BZ_OK || rc == BZ_STREAM_END ? NULL : "bzip2 data is damaged";
}

static void bzip2_done(Unpacker *u)
{
    BZ2_bzDecompressEnd(&u->u.bz);
}

static bool xz_init(Unpacker *u)
{
    u->u.xz = (lzma_stream)LZMA_STREAM_INIT;
    return lzma_stream_decoder(&u->u.xz, XZ_MEMORY, 0) == LZMA_OK;
}

static const char *xz_step(Unpacker *u, ByteIn *in, uint8_t *out, size_t room, size_t *made, bool *end)
{
    lzma_stream *xz = &u->u.xz;

    xz->next_in = in->data + in->pos;
    xz->avail_in = byte_in_left(in);
    xz->next_out = out;
    xz->avail_out = room;
    lzma_ret rc = lzma_code(xz, LZMA_RUN);
    in->pos = in->len - xz->avail_in;
    *made = (size_t)(xz->next_out - out);
    *end = rc == LZMA_STREAM_END;
    if (*end) {
        lzma_end(xz);
        xz_init(u);
    }
    if (rc == LZMA_MEMLIMIT_ERROR)
        return "the xz dictionary is larger than 64 MiB";
    return rc == LZMA_OK || rc == LZMA_STREAM_END || rc == LZMA_BUF_ERROR ? NULL : "xz data is damaged";
}

static void xz_done(Unpacker *u)
{
    lzma_end(&u->u.xz);
}

static bool zstd_init(Unpacker *u)
{
    u->u.zstd = ZSTD_createDStream();
    ZSTD_DCtx_setParameter(u->u.zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG);
    return true;
}

static const char *zstd_step(Unpacker *u, ByteIn *in, uint8_t *out, size_t room, size_t *made, bool *end)
{
    ZSTD_inBuffer zin = {.src = in->data, .size = in->len, .pos = in->pos};
    ZSTD_outBuffer zout = {.dst = out, .size = room};
    size_t rc = ZSTD_decompressStream(u->u.zstd, &zout, &zin);

    in->pos = zin.pos;
    *made = zout.pos;
    *end = rc == 0;
    return ZSTD_isError(rc) ? ZSTD_getErrorName(rc) : NULL;
}

static void zstd_done(Unpacker *u)
{
    ZSTD_freeDStream(u->u.zstd);
}

static const UnpackOps codecs[] = {
    [PACK_GZIP] = {"gzip", gzip_init, gzip_step, gzip_done},
    [PACK_BZIP2] = {"bzip2", bzip2_init, bzip2_step, bzip2_done},
    [PACK_XZ] = {"xz", xz_init, xz_step, xz_done},
    [PACK_ZSTD] = {"zstd", zstd_init, zstd_step, zstd_done},
};

/* --- the channel ------------------------------------------------------------------------------------------------ */

static bool refill(Unpacker *u, GError **error)
{
    if (byte_in_left(&u->in) || u->eof)
        return true;
    gssize n = u->inner->ops->read(u->inner, u->buf, sizeof u->buf, error);
    if (n < 0)
        return false;
    u->eof = n == 0;
    byte_in_init(&u->in, u->buf, (size_t)n);
    return true;
}

static gssize unpack_read(Chan *chan, void *data, size_t len, GError **error)
{
    Unpacker *u = (Unpacker *)chan;

    for (;;) {
        size_t made = 0;
        bool end = false;
        if (!refill(u, error))
            return -1;
        if (u->eof && !u->in_member)
            return 0;
        const char *wrong = u->ops->step(u, &u->in, data, len, &made, &end);
        if (wrong) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "unpacking %s: %s", u->ops->name, wrong);
            return -1;
        }
        u->in_member = !end;
        if (made)
            return (gssize)made;
        if (u->eof && u->in_member) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT, "unpacking %s: the packed data is cut", u->ops->name);
            return -1;
        }
    }
}

static void unpack_free(Chan *chan)
{
    Unpacker *u = (Unpacker *)chan;

    u->ops->done(u);
    chan_free(u->inner);
    g_free(u);
}

static const ChanOps unpack_ops = {
    .read = unpack_read,
    .free = unpack_free,
};

PackFormat chan_pack_format(const uint8_t *start, size_t len)
{
    if (len >= 2 && start[0] == 0x1f && start[1] == 0x8b)
        return PACK_GZIP;
    if (len >= 4 && memcmp(start, "BZh", 3) == 0)
        return PACK_BZIP2;
    if (len >= 6 && memcmp(start,
                           "\xfd"
                           "7zXZ",
                           6) == 0)
        return PACK_XZ;
    if (len >= 4 && memcmp(start, "\x28\xb5\x2f\xfd", 4) == 0)
        return PACK_ZSTD;
    return PACK_NONE;
}

Chan *chan_unpack_new(Chan *in, PackFormat format)
{
    Unpacker *u = g_new0(Unpacker, 1);

    u->chan.ops = &unpack_ops;
    u->inner = in;
    u->ops = &codecs[format];
    byte_in_init(&u->in, u->buf, 0);
    u->ops->init(u);
    u->in_member = true;
    return &u->chan;
}
