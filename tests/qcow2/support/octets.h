/* octets.h: octets from text, for tests. */
#ifndef TESTS_QCOW2_SUPPORT_OCTETS_H
#define TESTS_QCOW2_SUPPORT_OCTETS_H

#include <glib.h>

/* "00 01 ff": hexadecimal digits; blanks do not matter. */
static inline GByteArray *octets_from(const char *hex)
{
    GByteArray *array = g_byte_array_new();
    int high = -1;

    for (; *hex; hex++) {
        int digit = g_ascii_xdigit_value(*hex);
        if (digit < 0)
            continue;
        if (high < 0) {
            high = digit;
            continue;
        }
        guint8 octet = (guint8)(high << 4 | digit);
        g_byte_array_append(array, &octet, 1);
        high = -1;
    }
    return array;
}

#endif
