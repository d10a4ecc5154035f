/*
 * octets-impl.h: tables are written octet by octet, the lowest of a number first.
 */
#ifndef EMU_BOOT_OCTETS_IMPL_H
#define EMU_BOOT_OCTETS_IMPL_H

#include <glib.h>
#include <string.h>

static inline void store_le(uint8_t *at, uint64_t value, unsigned octets)
{
    for (unsigned i = 0; i < octets; i++)
        at[i] = (uint8_t)(value >> i * 8);
}

static inline uint64_t load_le(const uint8_t *at, unsigned octets)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < octets; i++)
        value |= (uint64_t)at[i] << i * 8;
    return value;
}

static inline void put_le(GByteArray *to, uint64_t value, unsigned octets)
{
    uint8_t le[8];

    store_le(le, value, octets);
    g_byte_array_append(to, le, octets);
}

static inline void put_octets(GByteArray *to, const void *octets, size_t len)
{
    g_byte_array_append(to, octets, (guint)len);
}

static inline void put_zeros(GByteArray *to, size_t len)
{
    guint at = to->len;

    g_byte_array_set_size(to, at + (guint)len);
    memset(to->data + at, 0, len);
}

#endif
