/* multifd.c: the pages in the packets of a multifd channel. Source: vmstate/FORMAT.md section 1.5, recordings g05 to
 * g07. */
#include "vmstate/multifd.h"

#include <zlib.h>
#include <zstd.h>

enum { METHODS = STREAM_PACKET_ZLIB | STREAM_PACKET_ZSTD | 8 };

struct MultifdUnpack {
    z_stream zlib;
    bool zlib_started;
    ZSTD_DCtx *zstd;
    uint8_t *pages;
};

MultifdUnpack *multifd_unpack_new(void)
{
    MultifdUnpack *u = g_new0(MultifdUnpack, 1);

    u->pages = g_malloc(STREAM_PACKET_PAGES * RAM_PAGE);
    return u;
}

void multifd_unpack_free(MultifdUnpack *u)
{
    if (!u)
        return;
    if (u->zlib_started)
        inflateEnd(&u->zlib);
    ZSTD_freeDCtx(u->zstd);
    g_free(u->pages);
    g_free(u);
}

static bool fail(const StreamPacket *p, GError **error, const char *what)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "multifd packet @0x%" G_GINT64_MODIFIER "x: %s", p->offset,
                what);
    return false;
}

static bool unpack_zlib(MultifdUnpack *u, const StreamPacket *p, size_t len, GError **error)
{
    z_stream *z = &u->zlib;

    if (!u->zlib_started) {
        *z = (z_stream){0};
        if (inflateInit(z) != Z_OK)
            return fail(p, error, "zlib does not start");
        u->zlib_started = true;
    }
    z->next_in = (uint8_t *)p->data;
    z->avail_in = (uInt)p->len;
    z->next_out = u->pages;
    z->avail_out = (uInt)len;
    int rc = inflate(z, Z_SYNC_FLUSH);
    if ((rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) || z->avail_out)
        return fail(p, error, z->msg ? z->msg : "its zlib data does not give its pages");
    return true;
}

static bool unpack_zstd(MultifdUnpack *u, const StreamPacket *p, size_t len, GError **error)
{
    ZSTD_inBuffer in = {.src = p->data, .size = p->len};
    ZSTD_outBuffer out = {.dst = u->pages, .size = len};

    if (!u->zstd)
        u->zstd = ZSTD_createDCtx();
    while (out.pos < len) {
        size_t before = out.pos + in.pos;
        size_t rc = ZSTD_decompressStream(u->zstd, &out, &in);
        if (ZSTD_isError(rc))
            return fail(p, error, ZSTD_getErrorName(rc));
        if (out.pos + in.pos == before)
            return fail(p, error, "its zstd data does not give its pages");
    }
    return true;
}

bool multifd_unpack(MultifdUnpack *u, const StreamPacket *p, const uint8_t *pages[STREAM_PACKET_PAGES], GError **error)
{
    size_t len = (size_t)p->count * RAM_PAGE;
    const uint8_t *from = u->pages;

    if (p->count == 0)
        return true;
    switch (p->flags & METHODS) {
    case 0:
        if (p->len != len)
            return fail(p, error, "it has not the octets of its pages");
        from = p->data;
        break;
    case STREAM_PACKET_ZLIB:
        if (!unpack_zlib(u, p, len, error))
            return false;
        break;
    case STREAM_PACKET_ZSTD:
        if (!unpack_zstd(u, p, len, error))
            return false;
        break;
    default:
        return fail(p, error, "it is packed in a way that is not known");
    }
    for (uint32_t i = 0; i < p->count; i++)
        pages[i] = from + i * RAM_PAGE;
    return true;
}
