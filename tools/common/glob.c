/* glob.c: patterns of names. */
#include "tools/common/glob.h"

#include <stddef.h>

/* Behind one character of UTF-8; in anything else behind some octets, but never behind the end. */
static const char *next(const char *p)
{
    do
        p++;
    while ((*p & 0xc0) == 0x80);
    return p;
}

/* Only the last * has to be tried again: what those in front of it stand for can stay as short as it is. */
bool glob_fits(const char *glob, const char *text)
{
    const char *behind_star = NULL, *retry = NULL;

    while (*text) {
        if (*glob == '*') {
            behind_star = ++glob;
            retry = text;
        } else if (*glob == '?') {
            glob++;
            text = next(text);
        } else if (*glob == *text) {
            glob++;
            text++;
        } else if (behind_star) {
            glob = behind_star;
            text = retry = next(retry);
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return !*glob;
}
