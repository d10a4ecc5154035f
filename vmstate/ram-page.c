/* ram-page.c: pages in the encodings that the legacy wire has for them. Source: vmstate/FORMAT.md section 1.2. */
#include <string.h>
#include <zlib.h>

#include "visitors/bytes.h"
#include "vmstate/ram.h"

static bool fail(GError **error, const char *what)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "%s", what);
    return false;
}

/* A run's length: one or two octets, the low 7 bits first. False if it is cut or longer. */
static bool take_length(ByteIn *in, unsigned *length)
{
    uint8_t low = byte_in_u8(in);

    *length = low & 0x7f;
    if (low & 0x80) {
        uint8_t high = byte_in_u8(in);
        if (high & 0x80)
            return false;
        *length |= (unsigned)high << 7;
    }
    return !in->cut;
}

bool ram_xbzrle_apply(const uint8_t *data, size_t len, uint8_t page[RAM_PAGE], GError **error)
{
    unsigned pos = 0, length;
    bool first = true;
    ByteIn in;

    byte_in_init(&in, data, len);
    while (byte_in_left(&in)) {
        if (!take_length(&in, &length))
            return fail(error, "XBZRLE: the length of an unchanged run is cut");
        if ((length == 0 && !first) || length > RAM_PAGE - pos)
            return fail(error,
                        length ? "XBZRLE: an unchanged run goes past the page" : "XBZRLE: an unchanged run is empty");
        first = false;
        pos += length;
        if (!take_length(&in, &length))
            return fail(error, "XBZRLE: the length of a new run is cut");
        if (length == 0 || length > RAM_PAGE - pos)
            return fail(error, length ? "XBZRLE: a new run goes past the page" : "XBZRLE: a new run is empty");
        const uint8_t *literal = byte_in_take(&in, length);
        if (!literal)
            return fail(error, "XBZRLE: a new run is cut");
        memcpy(page + pos, literal, length);
        pos += length;
    }
    return true;
}

static bool inflate_page(const uint8_t *data, size_t len, uint8_t page[RAM_PAGE], GError **error)
{
    uint8_t buf[RAM_PAGE];
    uLongf got = sizeof buf;

    if (uncompress(buf, &got, data, len) != Z_OK || got != RAM_PAGE)
        return fail(error, "a compressed page is not zlib data of 4096 octets");
    memcpy(page, buf, RAM_PAGE);
    return true;
}

bool ram_piece_apply(const RamPiece *piece, uint8_t page[RAM_PAGE], GError **error)
{
    switch (piece->coding) {
    case RAM_FILL:
        memset(page, piece->fill, RAM_PAGE);
        return true;
    case RAM_XBZRLE:
        return ram_xbzrle_apply(piece->data, piece->len, page, error);
    default:
        return inflate_page(piece->data, piece->len, page, error);
    }
}
