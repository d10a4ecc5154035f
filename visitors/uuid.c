/* uuid.c: octets and text of UUIDs. */
#include "visitors/uuid.h"

#include <glib.h>
#include <string.h>

#include "visitors/bytes.h"

/* Does a hyphen stand before the digits of this octet? */
static bool hyphen_before(int octet)
{
    return octet == 4 || octet == 6 || octet == 8 || octet == 10;
}

void uuid_text(const uint8_t uuid[UUID_OCTETS], char text[UUID_TEXT])
{
    static const char digits[] = "0123456789abcdef";

    for (int i = 0; i < UUID_OCTETS; i++) {
        if (hyphen_before(i))
            *text++ = '-';
        *text++ = digits[uuid[i] >> 4];
        *text++ = digits[uuid[i] & 15];
    }
    *text = '\0';
}

bool uuid_parse(const char *text, uint8_t uuid[UUID_OCTETS])
{
    uint8_t octets[UUID_OCTETS];

    for (int i = 0; i < UUID_OCTETS; i++) {
        if (hyphen_before(i) && *text++ != '-')
            return false;
        if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1]))
            return false;
        octets[i] = (uint8_t)(g_ascii_xdigit_value(text[0]) << 4 | g_ascii_xdigit_value(text[1]));
        text += 2;
    }
    if (*text != '\0')
        return false;
    memcpy(uuid, octets, sizeof octets);
    return true;
}

bool uuid_is_null(const uint8_t uuid[UUID_OCTETS])
{
    return bytes_are_zero(uuid, UUID_OCTETS);
}

void uuid_random(uint8_t uuid[UUID_OCTETS])
{
    g_autofree char *text = g_uuid_string_random();

    if (!uuid_parse(text, uuid))
        g_assert_not_reached();
}
