/*
 * bytes.h: a bounded cursor over memory, and a growing buffer with marks.
 *
 * ByteIn reads. It never goes past its end: a read that would sets `cut`, yields zeros and leaves the cursor at the
 * end, so that a sequence of reads needs one check at its end. ByteOut writes; a *mark* is room left for a number that
 * is known later. Numbers are big endian.
 */
#ifndef VISITORS_BYTES_H
#define VISITORS_BYTES_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t load_be16(const uint8_t *p)
{
    uint16_t x;
    memcpy(&x, p, sizeof x);
    return GUINT16_FROM_BE(x);
}

static inline uint32_t load_be32(const uint8_t *p)
{
    uint32_t x;
    memcpy(&x, p, sizeof x);
    return GUINT32_FROM_BE(x);
}

static inline uint64_t load_be64(const uint8_t *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof x);
    return GUINT64_FROM_BE(x);
}

static inline void store_be16(uint8_t *p, uint16_t x)
{
    x = GUINT16_TO_BE(x);
    memcpy(p, &x, sizeof x);
}

static inline void store_be32(uint8_t *p, uint32_t x)
{
    x = GUINT32_TO_BE(x);
    memcpy(p, &x, sizeof x);
}

static inline void store_be64(uint8_t *p, uint64_t x)
{
    x = GUINT64_TO_BE(x);
    memcpy(p, &x, sizeof x);
}

/*
 * Reverses the octets of `count` numbers of `width` (1, 2, 4, 8) octets where the host is little endian: turns host
 * order into big endian and back. dst and src may be the same, but not overlap otherwise.
 */
void bytes_swap_be(void *dst, const void *src, unsigned width, size_t count);

/* Is every one of these octets zero? */
bool bytes_are_zero(const void *data, size_t len);

/* Is it UTF-8 without characters that a terminal would obey (controls, changes of direction), or that are none? What a
 * name in a stream must be. */
bool bytes_are_printable(const void *data, size_t len);

/* Text that a person can read: printable ASCII as it is, everything else as \xNN. New string. */
char *bytes_show(const void *data, size_t len);

/* A hash that differs from run to run: nobody can make an input of which all pieces have the same. */
uint64_t bytes_hash(const void *data, size_t len);

/* The same of a string and of a GBytes, for hash tables in the place of GLib's own. */
guint bytes_hash_text(const void *text);
guint bytes_hash_octets(const void *octets);

/* --- reading ---------------------------------------------------------------------------------------------------- */

typedef struct ByteIn {
    const uint8_t *data; /* borrowed */
    size_t len;
    size_t pos;
    bool cut; /* a read went past the end */
} ByteIn;

static inline void byte_in_init(ByteIn *in, const void *data, size_t len)
{
    *in = (ByteIn){.data = data, .len = len};
}

static inline size_t byte_in_left(const ByteIn *in)
{
    return in->len - in->pos;
}

/* The next n octets, or NULL (and `cut`) if there are fewer. The pointer lives as long as the memory read from. */
static inline const uint8_t *byte_in_take(ByteIn *in, size_t n)
{
    if (n > in->len - in->pos) {
        in->pos = in->len;
        in->cut = true;
        return NULL;
    }
    const uint8_t *p = in->data + in->pos;
    in->pos += n;
    return p;
}

static inline uint8_t byte_in_u8(ByteIn *in)
{
    const uint8_t *p = byte_in_take(in, 1);
    return p ? *p : 0;
}

static inline uint16_t byte_in_be16(ByteIn *in)
{
    const uint8_t *p = byte_in_take(in, 2);
    return p ? load_be16(p) : 0;
}

static inline uint32_t byte_in_be32(ByteIn *in)
{
    const uint8_t *p = byte_in_take(in, 4);
    return p ? load_be32(p) : 0;
}

static inline uint64_t byte_in_be64(ByteIn *in)
{
    const uint8_t *p = byte_in_take(in, 8);
    return p ? load_be64(p) : 0;
}

/* --- writing ---------------------------------------------------------------------------------------------------- */

typedef struct ByteOut {
    uint8_t *data; /* owned */
    size_t len;
    size_t cap;
} ByteOut;

void byte_out_done(ByteOut *out);

/* Makes room for n more octets. */
void byte_out_grow(ByteOut *out, size_t n);

/* Appends n octets of room and returns them; the pointer lives until the next append. */
static inline uint8_t *byte_out_room(ByteOut *out, size_t n)
{
    if (n > out->cap - out->len)
        byte_out_grow(out, n);
    uint8_t *p = out->data + out->len;
    out->len += n;
    return p;
}

static inline void byte_out_put(ByteOut *out, const void *data, size_t n)
{
    if (n)
        memcpy(byte_out_room(out, n), data, n);
}

static inline void byte_out_u8(ByteOut *out, uint8_t x)
{
    *byte_out_room(out, 1) = x;
}

static inline void byte_out_be16(ByteOut *out, uint16_t x)
{
    store_be16(byte_out_room(out, 2), x);
}

static inline void byte_out_be32(ByteOut *out, uint32_t x)
{
    store_be32(byte_out_room(out, 4), x);
}

static inline void byte_out_be64(ByteOut *out, uint64_t x)
{
    store_be64(byte_out_room(out, 8), x);
}

/* One length octet and the text; the text must have at most 255 octets. */
void byte_out_str8(ByteOut *out, const char *text);

/* A mark: room for a be32 whose value is known later. */
static inline size_t byte_out_mark32(ByteOut *out)
{
    size_t mark = out->len;
    byte_out_be32(out, 0);
    return mark;
}

/* Fills a mark with the number of octets written since. */
static inline void byte_out_fill32(ByteOut *out, size_t mark)
{
    store_be32(out->data + mark, (uint32_t)(out->len - mark - 4));
}

/* Puts n octets of room in at position `at`, moving what lies behind; returns the room. */
uint8_t *byte_out_insert(ByteOut *out, size_t at, size_t n);

#endif
