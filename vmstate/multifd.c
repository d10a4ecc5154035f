/* multifd.c: headers of multifd packets, and the pages in them. Source: vmstate/FORMAT.md section 1.5, recordings g05
 * to g07. */
#include "vmstate/multifd.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum {
    MAGIC = 0x11223344,
    VERSION = 1,
    METHODS = STREAM_PACKET_ZLIB | STREAM_PACKET_ZSTD | 8,
    WINDOW_BITS = 25, /* of zstd: what its level 20 has, QEMU's highest */
};

const char *multifd_method_name(MultifdMethod method)
{
    static const char *const names[] = {"none", "zlib", "zstd"};

    return method < MULTIFD_METHODS ? names[method] : "?";
}

MultifdMethod multifd_packet_method(const StreamPacket *p)
{
    switch (p->flags & METHODS) {
    case 0:
        return MULTIFD_NONE;
    case STREAM_PACKET_ZLIB:
        return MULTIFD_ZLIB;
    case STREAM_PACKET_ZSTD:
        return MULTIFD_ZSTD;
    default:
        return MULTIFD_METHODS;
    }
}

/* --- headers ---------------------------------------------------------------------------------------------------- */

bool multifd_is_magic(const uint8_t octets[4])
{
    return load_be32(octets) == MAGIC;
}

bool multifd_check_magic(const uint8_t *octets, const char *what, uint64_t offset, GError **error)
{
    uint32_t magic = load_be32(octets), version = load_be32(octets + 4);

    if (magic != MAGIC)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED,
                    "%s @0x%" G_GINT64_MODIFIER "x: the magic is 0x%08x, not 0x%08x", what, offset, magic, MAGIC);
    else if (version != VERSION)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "%s @0x%" G_GINT64_MODIFIER "x: version %u, this program reads %d", what, offset, version, VERSION);
    return magic == MAGIC && version == VERSION;
}

void multifd_greeting_parse(const uint8_t *octets, StreamGreeting *g)
{
    g->version = load_be32(octets + 4);
    memcpy(g->uuid, octets + 8, sizeof g->uuid);
    g->channel = octets[24];
    memcpy(g->rest, octets + 25, sizeof g->rest);
}

void multifd_greeting_write(const StreamGreeting *g, uint8_t octets[STREAM_GREETING])
{
    store_be32(octets, MAGIC);
    store_be32(octets + 4, g->version);
    memcpy(octets + 8, g->uuid, sizeof g->uuid);
    octets[24] = g->channel;
    memcpy(octets + 25, g->rest, sizeof g->rest);
}

static bool wrong(const StreamPacket *p, GError **error, FerryError code, const char *format, ...) G_GNUC_PRINTF(4, 5);
static bool wrong(const StreamPacket *p, GError **error, FerryError code, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, FERRY_ERROR, (int)code, "multifd packet @0x%" G_GINT64_MODIFIER "x: %s", p->offset, text);
    return false;
}

static bool fail(const StreamPacket *p, GError **error, const char *what)
{
    return wrong(p, error, FERRY_ERROR_DAMAGED, "%s", what);
}

void stream_packet_header(const StreamPacket *p, uint8_t header[STREAM_PACKET_HEADER])
{
    memset(header, 0, STREAM_PACKET_HEADER);
    store_be32(header, MAGIC);
    store_be32(header + 4, VERSION);
    store_be32(header + 8, p->flags);
    store_be32(header + 12, p->allocated);
    store_be32(header + 16, p->count);
    store_be32(header + 20, (uint32_t)p->len);
    store_be64(header + 24, p->number);
    memcpy(header + 64, p->block, strlen(p->block));
    for (uint32_t i = 0; i < p->count; i++)
        store_be64(header + 320 + 8 * i, p->offsets[i]);
}

bool multifd_packet_parse(const uint8_t *h, StreamPacket *p, char block[256], GError **error)
{
    uint32_t size = load_be32(h + 20);

    p->flags = load_be32(h + 8);
    p->allocated = load_be32(h + 12);
    p->count = load_be32(h + 16);
    p->number = load_be64(h + 24);
    if (p->allocated > STREAM_PACKET_PAGES || p->count > p->allocated)
        return wrong(p, error, FERRY_ERROR_DAMAGED, "%u pages of %u allocated, at most %d are allowed", p->count,
                     p->allocated, STREAM_PACKET_PAGES);
    p->len = p->count ? size : 0;
    if (p->len > MULTIFD_DATA_MAX)
        return wrong(p, error, FERRY_ERROR_LIMIT, "a packet of %zu octets, at most %d make sense", p->len,
                     MULTIFD_DATA_MAX);
    memcpy(block, h + 64, 255);
    block[255] = '\0';
    p->block = block;
    for (uint32_t i = 0; i < p->count; i++)
        p->offsets[i] = load_be64(h + 320 + 8 * i);
    return true;
}

/* --- pages ------------------------------------------------------------------------------------------------------ */

struct MultifdUnpack {
    z_stream zlib;
    bool zlib_started;
    ZSTD_DCtx *zstd;
    uint8_t *pages; /* of multifd_unpack, once it was called */
};

MultifdUnpack *multifd_unpack_new(void)
{
    return g_new0(MultifdUnpack, 1);
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

static bool unpack_none(const StreamPacket *p, const struct iovec *to, int count, GError **error)
{
    const uint8_t *from = p->data;

    if (p->len != (size_t)p->count * RAM_PAGE)
        return fail(p, error, "it has not the octets of its pages");
    for (int i = 0; i < count; i++) {
        memcpy(to[i].iov_base, from, to[i].iov_len);
        from += to[i].iov_len;
    }
    return true;
}

static bool unpack_zlib(MultifdUnpack *u, const StreamPacket *p, const struct iovec *to, int count, GError **error)
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
    for (int i = 0; i < count; i++) {
        z->next_out = to[i].iov_base;
        z->avail_out = (uInt)to[i].iov_len;
        int rc = inflate(z, Z_SYNC_FLUSH);
        if ((rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) || z->avail_out)
            return fail(p, error, z->msg ? z->msg : "its zlib data does not give its pages");
    }
    return true;
}

static bool start_zstd(MultifdUnpack *u)
{
    if (!u->zstd) {
        u->zstd = ZSTD_createDCtx();
        if (u->zstd)
            ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, WINDOW_BITS);
    }
    return u->zstd;
}

static bool unpack_zstd(MultifdUnpack *u, const StreamPacket *p, const struct iovec *to, int count, GError **error)
{
    ZSTD_inBuffer in = {.src = p->data, .size = p->len};

    if (!start_zstd(u))
        return fail(p, error, "zstd does not start");
    for (int i = 0; i < count; i++) {
        ZSTD_outBuffer out = {.dst = to[i].iov_base, .size = to[i].iov_len};
        while (out.pos < out.size) {
            size_t before = out.pos + in.pos;
            size_t rc = ZSTD_decompressStream(u->zstd, &out, &in);
            if (ZSTD_isError(rc))
                return fail(p, error, ZSTD_getErrorName(rc));
            if (out.pos + in.pos == before)
                return fail(p, error, "its zstd data does not give its pages");
        }
    }
    return true;
}

bool multifd_unpack_to(MultifdUnpack *u, const StreamPacket *p, const struct iovec *to, int count, GError **error)
{
    if (p->count == 0)
        return true;
    switch (multifd_packet_method(p)) {
    case MULTIFD_NONE:
        return unpack_none(p, to, count, error);
    case MULTIFD_ZLIB:
        return unpack_zlib(u, p, to, count, error);
    case MULTIFD_ZSTD:
        return unpack_zstd(u, p, to, count, error);
    default:
        return fail(p, error, "it is packed in a way that is not known");
    }
}

bool multifd_unpack(MultifdUnpack *u, const StreamPacket *p, const uint8_t *pages[STREAM_PACKET_PAGES], GError **error)
{
    bool packed = multifd_packet_method(p) != MULTIFD_NONE;

    if (!u->pages)
        u->pages = g_malloc(STREAM_PACKET_PAGES * RAM_PAGE);
    const struct iovec to = {.iov_base = u->pages, .iov_len = (size_t)p->count * RAM_PAGE};
    if (!packed && p->count && p->len != to.iov_len)
        return fail(p, error, "it has not the octets of its pages");
    if (packed && !multifd_unpack_to(u, p, &to, 1, error))
        return false;
    for (uint32_t i = 0; i < p->count; i++)
        pages[i] = (packed ? u->pages : p->data) + i * RAM_PAGE;
    return true;
}
