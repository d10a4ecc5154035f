/* ber.c: elements of the Basic Encoding Rules. Source: ITU-T X.690, sections 8.1 to 8.8. */
#include <libtasn1.h>

#include "visitors/ber.h"

int ber_read_head(const uint8_t *p, size_t avail, unsigned *form, uint32_t *tag, int64_t *len)
{
    unsigned char class;
    unsigned long number;
    int tag_len, len_len, window = (int)MIN(avail, 32);

    if (window < 2)
        return 0;
    if (asn1_get_tag_der(p, window, &class, &tag_len, &number) != ASN1_SUCCESS || tag_len > 6)
        return window < 12 ? 0 : -1;
    if (number > G_MAXINT32)
        return -1;
    *form = class;
    *tag = (uint32_t)number;
    if (tag_len == window)
        return 0;
    /* libtasn1's decoder of lengths wants the content to be there already, and stops at 2 GiB */
    unsigned first = p[tag_len];
    if (first == 0x80) {
        *len = -1;
        return tag_len + 1;
    }
    if (first < 0x80) {
        *len = first;
        return tag_len + 1;
    }
    if ((first & 0x7f) > 6)
        return -1;
    len_len = 1 + (int)(first & 0x7f);
    if (tag_len + len_len > window)
        return 0;
    *len = 0;
    for (int i = 1; i < len_len; i++)
        *len = *len << 8 | p[tag_len + i];
    return tag_len + len_len;
}

/* Finds the end-of-contents octets that close an indefinite element whose content starts at p; -1 if there are none. */
static int64_t indefinite_length(const uint8_t *p, size_t avail)
{
    size_t pos = 0;
    unsigned depth = 1;

    for (;;) {
        unsigned form;
        uint32_t tag;
        int64_t len;
        int head = ber_read_head(p + pos, avail - pos, &form, &tag, &len);
        if (head <= 0)
            return -1;
        if (form == BER_UNIVERSAL && tag == BER_EOC && len == 0) {
            if (--depth == 0)
                return (int64_t)pos;
        } else if (len < 0) {
            if (!(form & BER_CONSTRUCTED) || ++depth > BER_DEPTH_MAX)
                return -1;
        }
        pos += (size_t)head;
        if (len > 0) {
            if ((uint64_t)len > avail - pos)
                return -1;
            pos += (size_t)len;
        }
    }
}

const char *ber_next(ByteIn *in, BerElement *e)
{
    const uint8_t *p = in->data + in->pos;
    size_t avail = byte_in_left(in);
    int64_t len;
    int head = ber_read_head(p, avail, &e->form, &e->tag, &len);

    if (head < 0)
        return "bad identifier or length octets";
    if (head == 0)
        return avail ? "an element is cut" : "an element is missing";
    e->start = in->pos;
    e->content = p + head;
    e->indefinite = len < 0;
    if (e->indefinite) {
        if (!(e->form & BER_CONSTRUCTED))
            return "a primitive element of indefinite length";
        len = indefinite_length(e->content, avail - (size_t)head);
        if (len < 0)
            return "an element of indefinite length has no end";
    } else if ((uint64_t)len > avail - (size_t)head) {
        return "an element is longer than what holds it";
    }
    e->len = (size_t)len;
    in->pos += (size_t)head + e->len + (e->indefinite ? 2 : 0);
    return NULL;
}

char *ber_tag_name(unsigned form, uint32_t tag)
{
    static const char *const universal[] = {
        [BER_EOC] = "end-of-contents",   [BER_BOOLEAN] = "BOOLEAN",           [BER_INTEGER] = "INTEGER",
        [BER_BIT_STRING] = "BIT STRING", [BER_OCTET_STRING] = "OCTET STRING", [BER_NULL] = "NULL",
        [BER_ENUMERATED] = "ENUMERATED", [BER_UTF8_STRING] = "UTF8String",    [BER_SEQUENCE] = "SEQUENCE",
    };

    switch (form & ~BER_CONSTRUCTED) {
    case BER_UNIVERSAL:
        if (tag < G_N_ELEMENTS(universal) && universal[tag])
            return g_strdup(universal[tag]);
        return g_strdup_printf("[UNIVERSAL %u]", tag);
    case BER_APPLICATION:
        return g_strdup_printf("[APPLICATION %u]", tag);
    case BER_PRIVATE:
        return g_strdup_printf("[PRIVATE %u]", tag);
    default:
        return g_strdup_printf("[%u]", tag);
    }
}

bool ber_get_integer(const BerElement *e, Integer *value)
{
    const uint8_t *p = e->content;
    size_t n = e->len;

    if (n == 0 || n > 9 || (n == 9 && p[0] != 0))
        return false;
    if (n > 1 && ((p[0] == 0 && p[1] < 0x80) || (p[0] == 0xff && p[1] >= 0x80)))
        return false;
    value->negative = p[0] >= 0x80;
    value->bits = value->negative ? UINT64_MAX : 0;
    for (size_t i = 0; i < n; i++)
        value->bits = value->bits << 8 | p[i];
    return true;
}

bool ber_get_opaque(const BerElement *e, const uint8_t **data, size_t *len)
{
    if (e->len == 0 || e->content[0] != 0)
        return false;
    *data = e->content + 1;
    *len = e->len - 1;
    return true;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

enum { LENGTH_MAX = 16 };

/*
 * Writes length octets, and returns how many. BER allows more of them than are needed; there is one more where dumpasn1
 * would complain: it takes a length that starts with nine ones for a negative number in too many octets.
 */
static size_t store_length(size_t len, unsigned char octets[LENGTH_MAX])
{
    int n = LENGTH_MAX;

    asn1_length_der(len, octets, &n);
    if (n > 2 && octets[1] == 0xff && octets[2] >= 0x80) {
        memmove(octets + 2, octets + 1, (size_t)n - 1);
        octets[0]++;
        octets[1] = 0;
        n++;
    }
    return (size_t)n;
}

void ber_put_head(ByteOut *out, unsigned form, uint32_t tag, size_t len)
{
    unsigned char length[LENGTH_MAX];

    if (tag < 31) {
        byte_out_u8(out, (uint8_t)(form | tag));
    } else {
        byte_out_u8(out, (uint8_t)(form | 31));
        for (int shift = 28; shift > 0; shift -= 7)
            if (tag >> shift)
                byte_out_u8(out, (uint8_t)(0x80 | (tag >> shift & 0x7f)));
        byte_out_u8(out, tag & 0x7f);
    }
    size_t n = store_length(len, length);
    byte_out_put(out, length, n);
}

size_t ber_start(ByteOut *out, unsigned form, uint32_t tag)
{
    ber_put_head(out, form | BER_CONSTRUCTED, tag, 0);
    return out->len - 1;
}

/* One octet of room was left for the length; a longer one moves the content. */
void ber_end(ByteOut *out, size_t mark)
{
    size_t len = out->len - mark - 1;
    unsigned char length[LENGTH_MAX];
    size_t n = store_length(len, length);

    if (n > 1)
        byte_out_insert(out, mark + 1, n - 1);
    memcpy(out->data + mark, length, n);
}

void ber_put_integer_as(ByteOut *out, unsigned form, uint32_t tag, Integer value)
{
    uint8_t octets[9];
    unsigned first = 0;

    octets[0] = value.negative ? 0xff : 0;
    store_be64(octets + 1, value.bits);
    /* drop leading octets that only repeat the sign */
    while (first < 8 && octets[first] == octets[0] && (octets[first + 1] >= 0x80) == value.negative)
        first++;
    ber_put_octets_as(out, form, tag, octets + first, 9 - first);
}

enum { INTEGER_MAX = 11, /* octets of one, head included */ INTEGERS_MAX = 1024 /* for which room is made at once */ };

/*
 * Writes the integer at `p`, behind which there is room for INTEGER_MAX octets, and returns where it ends. In the
 * fewest octets: one bit more than its value needs, for the sign.
 */
static inline uint8_t *store_integer(uint8_t *p, uint64_t bits, bool negative)
{
    unsigned used = 64 - (unsigned)__builtin_clzll((negative ? ~bits : bits) | 1);
    unsigned n = used / 8 + 1;

    p[0] = negative ? BER_CONTEXT | BER_VALUE_NEGATIVE : BER_INTEGER;
    p[1] = (uint8_t)n;
    if (n > 8) {
        p[2] = negative ? 0xff : 0;
        store_be64(p + 3, bits);
    } else {
        store_be64(p + 2, bits << (64 - 8 * n));
    }
    return p + 2 + n;
}

#define STORE_ALL(type, negative)                                                                                      \
    for (size_t i = 0; i < count; i++) {                                                                               \
        type x;                                                                                                        \
        memcpy(&x, from + i * sizeof x, sizeof x);                                                                     \
        p = store_integer(p, (uint64_t)x, negative);                                                                   \
    }                                                                                                                  \
    return p

static uint8_t *store_integers(uint8_t *p, Scalar scalar, const char *from, size_t count)
{
    switch (scalar) {
    case SCALAR_INT8:
        STORE_ALL(int8_t, x < 0);
    case SCALAR_INT16:
        STORE_ALL(int16_t, x < 0);
    case SCALAR_INT32:
        STORE_ALL(int32_t, x < 0);
    case SCALAR_INT64:
        STORE_ALL(int64_t, x < 0);
    case SCALAR_UINT8:
        STORE_ALL(uint8_t, false);
    case SCALAR_UINT16:
        STORE_ALL(uint16_t, false);
    case SCALAR_UINT32:
        STORE_ALL(uint32_t, false);
    default:
        STORE_ALL(uint64_t, false);
    }
}

void ber_put_integers(ByteOut *out, Scalar scalar, const void *values, size_t count)
{
    const char *from = values;

    while (count) {
        size_t n = MIN(count, INTEGERS_MAX);
        uint8_t *start = byte_out_room(out, n * INTEGER_MAX);
        size_t used = (size_t)(store_integers(start, scalar, from, n) - start);
        out->len -= n * INTEGER_MAX - used;
        from += n * scalar_width(scalar);
        count -= n;
    }
}

void ber_put_octets_as(ByteOut *out, unsigned form, uint32_t tag, const void *data, size_t len)
{
    ber_put_head(out, form, tag, len);
    byte_out_put(out, data, len);
}

void ber_put_opaque_head(ByteOut *out, uint32_t tag, size_t len)
{
    ber_put_head(out, BER_CONTEXT, tag, 1 + len);
    byte_out_u8(out, 0);
}

void ber_put_opaque(ByteOut *out, uint32_t tag, const void *data, size_t len)
{
    ber_put_opaque_head(out, tag, len);
    byte_out_put(out, data, len);
}
