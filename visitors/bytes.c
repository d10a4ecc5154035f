/* bytes.c: growing, inserting and swapping; the rest is inline in bytes.h. */
#include "visitors/bytes.h"

#include <xxhash.h>

void bytes_swap_be(void *dst, const void *src, unsigned width, size_t count)
{
    uint8_t *d = dst;
    const uint8_t *s = src;

    switch (width) {
    case 2:
        for (size_t i = 0; i < count; i++) {
            uint16_t x;
            memcpy(&x, s + 2 * i, 2);
            x = GUINT16_TO_BE(x);
            memcpy(d + 2 * i, &x, 2);
        }
        break;
    case 4:
        for (size_t i = 0; i < count; i++) {
            uint32_t x;
            memcpy(&x, s + 4 * i, 4);
            x = GUINT32_TO_BE(x);
            memcpy(d + 4 * i, &x, 4);
        }
        break;
    case 8:
        for (size_t i = 0; i < count; i++) {
            uint64_t x;
            memcpy(&x, s + 8 * i, 8);
            x = GUINT64_TO_BE(x);
            memcpy(d + 8 * i, &x, 8);
        }
        break;
    default:
        if (d != s && count)
            memcpy(d, s, count);
    }
}

bool bytes_are_zero(const void *data, size_t len)
{
    const uint8_t *p = data;

    /* equal to itself shifted by one, and zero at the start: memcmp does the wide compares */
    return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

bool bytes_are_printable(const void *data, size_t len)
{
    const char *text = data, *end = text + len;

    if (!g_utf8_validate_len(text, len, NULL))
        return false;
    for (const char *p = text; p < end; p = g_utf8_next_char(p))
        if (!g_unichar_isprint(g_utf8_get_char(p)))
            return false;
    return true;
}

uint64_t bytes_hash(const void *data, size_t len)
{
    /* where the program was loaded differs from run to run: a seed that is no variable */
    return XXH3_64bits_withSeed(data, len, (XXH64_hash_t)(uintptr_t)bytes_hash);
}

guint bytes_hash_text(const void *text)
{
    return (guint)bytes_hash(text, strlen(text));
}

guint bytes_hash_octets(const void *octets)
{
    gsize len;
    const void *data = g_bytes_get_data((GBytes *)octets, &len);

    return (guint)bytes_hash(data, len);
}

char *bytes_show(const void *data, size_t len)
{
    const uint8_t *p = data;
    GString *text = g_string_sized_new(len);

    for (size_t i = 0; i < len; i++) {
        if (p[i] >= 0x20 && p[i] < 0x7f && p[i] != '\\')
            g_string_append_c(text, (char)p[i]);
        else
            g_string_append_printf(text, "\\x%02x", p[i]);
    }
    return g_string_free(text, FALSE);
}

void byte_out_done(ByteOut *out)
{
    g_free(out->data);
    *out = (ByteOut){0};
}

void byte_out_grow(ByteOut *out, size_t n)
{
    size_t cap = out->cap ? out->cap : 256;

    while (cap - out->len < n)
        cap *= 2;
    if (cap == out->cap)
        return;
    out->data = g_realloc(out->data, cap);
    out->cap = cap;
}

void byte_out_str8(ByteOut *out, const char *text)
{
    size_t n = strlen(text);

    g_assert(n <= 255);
    byte_out_u8(out, (uint8_t)n);
    byte_out_put(out, text, n);
}

uint8_t *byte_out_insert(ByteOut *out, size_t at, size_t n)
{
    size_t behind = out->len - at;

    byte_out_room(out, n);
    memmove(out->data + at + n, out->data + at, behind);
    return out->data + at;
}
