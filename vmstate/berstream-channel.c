/* berstream-channel.c: reads the records of a migration's other channels. Source: visitors/vmstate.asn1. */
#include <string.h>

#include "vmstate/berstream-load-impl.h"

bool berload_greeting(BerLoad *l, BerRecord *r, GError **error)
{
    BerCursor *c = &r->members;
    uint64_t version, channel;
    const uint8_t *uuid, *rest;
    StreamGreeting g;

    if (!ber_cursor_number(c, G_MAXUINT32, &version) || !ber_cursor_number(c, G_MAXUINT8, &channel) ||
        !ber_cursor_opaque_of(c, 0, sizeof g.uuid, &uuid) || !ber_cursor_opaque_of(c, 1, sizeof g.rest, &rest) ||
        !ber_cursor_end(c))
        return false;
    g.version = (uint32_t)version;
    g.channel = (uint8_t)channel;
    memcpy(g.uuid, uuid, sizeof g.uuid);
    memcpy(g.rest, rest, sizeof g.rest);
    return SINK(l->sink, greeting, &g, error);
}

static bool take_offsets(BerCursor *c, StreamPacket *p)
{
    BerCursor list;

    if (!ber_cursor_enter(c, BER_UNIVERSAL, BER_SEQUENCE, &list))
        return false;
    while (ber_cursor_more(&list)) {
        if (p->count == STREAM_PACKET_PAGES)
            return ber_cursor_fail(&list, "more than %d pages in a packet", STREAM_PACKET_PAGES);
        if (!ber_cursor_number(&list, G_MAXUINT64, &p->offsets[p->count++]))
            return false;
    }
    return true;
}

bool berload_packet(BerLoad *l, BerRecord *r, GError **error)
{
    BerCursor *c = &r->members;
    uint64_t flags, allocated;
    const uint8_t *name;
    size_t name_len, header_len;
    char block[256];
    StreamPacket p = {.offset = r->offset, .block = block};

    if (!ber_cursor_number(c, G_MAXUINT32, &flags) || !ber_cursor_number(c, STREAM_PACKET_PAGES, &allocated) ||
        !ber_cursor_number(c, G_MAXUINT64, &p.number) || !take_offsets(c, &p) ||
        !ber_cursor_optional_opaque(c, 0, &name, &name_len) || !ber_cursor_optional_opaque(c, 1, &p.data, &p.len) ||
        !ber_cursor_optional_opaque(c, 2, &p.header, &header_len))
        return false;
    if (name_len > 255 || (name_len && memchr(name, 0, name_len)))
        return ber_cursor_fail(c, "a RAM block's name of more than 255 octets, or with a NUL in it");
    if (p.header && header_len != STREAM_PACKET_HEADER)
        return ber_cursor_fail(c, "a packet header of %zu octets", header_len);
    memcpy(block, name ? name : (const uint8_t *)"", name_len);
    block[name_len] = '\0';
    p.flags = (uint32_t)flags;
    p.allocated = (uint32_t)allocated;
    return ber_cursor_end(c) && SINK(l->sink, packet, &p, error);
}

bool berload_message(BerLoad *l, BerRecord *r, GError **error)
{
    StreamMessage m = {.offset = r->offset};
    BerCursor *c = &r->members;
    uint64_t type;

    if (!ber_cursor_number(c, G_MAXUINT16, &type) || !ber_cursor_optional_opaque(c, 0, &m.payload, &m.len) ||
        !ber_cursor_optional_opaque(c, 1, &m.bitmap, &m.bitmap_len))
        return false;
    if (m.len > G_MAXUINT16)
        return ber_cursor_fail(c, "a message of %zu octets", m.len);
    m.type = (uint16_t)type;
    return ber_cursor_end(c) && SINK(l->sink, message, &m, error);
}
