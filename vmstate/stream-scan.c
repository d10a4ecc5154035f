/*
 * stream-scan.c: finds the end of a section that nobody described.
 *
 * With footers: the section's own footer, followed by what may be an element. Without: the head of another section,
 * with a higher id and a sensible name, or the end mark as the very last octet. This can be wrong, if device data looks
 * so; the reader says of such sections that they are not described.
 */
#include "vmstate/stream-scan.h"

#include <string.h>

enum {
    SCAN_FIRST = 64 << 10,
    FOOTER = 5,
    ELEMENT_MAX = 1 + 4 + 1 + 255 + 8,
    ID_STEP = 4096, /* ids grow; gaps are small */
    VERSION_MAX = 1 << 16,
};

static bool is_name(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] <= 0x20 || p[i] >= 0x7f)
            return false;
    return len >= 2;
}

/* u32 id, str8 name, u32 instance, u32 version */
static bool is_head(const StreamScan *scan, const uint8_t *p, size_t avail)
{
    if (avail < 5 || avail - 5 < (size_t)p[4] + 8)
        return false;
    uint32_t id = load_be32(p);
    if (!scan->footers && (id <= scan->id || id - scan->id > ID_STEP))
        return false;
    return is_name(p + 5, p[4]) && load_be32(p + 5 + p[4] + 4) < VERSION_MAX;
}

bool stream_scan_element(const StreamScan *scan, const uint8_t *p, size_t avail, bool at_end)
{
    if (avail == 0)
        return false;
    switch (p[0]) {
    case 0x00:
        return at_end ? avail == 1 || (scan->footers && p[1] == 0x06) : scan->footers && avail > 1 && p[1] == 0x06;
    case 0x01:
    case 0x04:
        return is_head(scan, p + 1, avail - 1);
    case 0x02:
    case 0x03:
        return avail >= 5 && scan->is_live(scan->data, load_be32(p + 1));
    case 0x08:
        return scan->footers && avail >= 5 && load_be16(p + 1) >= 1 && load_be16(p + 1) <= 10;
    default:
        return false;
    }
}

static bool ends_here(const StreamScan *scan, const uint8_t *p, size_t avail, bool at_end)
{
    if (!scan->footers)
        return stream_scan_element(scan, p, avail, at_end);
    return avail >= FOOTER && p[0] == 0x7e && load_be32(p + 1) == scan->id &&
           stream_scan_element(scan, p + FOOTER, avail - FOOTER, at_end);
}

bool stream_scan_body(ChanIn *in, const StreamScan *scan, size_t *len)
{
    size_t from = 0, got, window = SCAN_FIRST;

    for (;;) {
        const uint8_t *p = chan_in_peek(in, window, &got);
        bool at_end = got < window;
        size_t safe = at_end ? got : got - MIN(got, ELEMENT_MAX + FOOTER);
        for (size_t i = from; i < safe; i++) {
            if (scan->footers) {
                const uint8_t *hit = memchr(p + i, 0x7e, safe - i);
                if (!hit)
                    break;
                i = (size_t)(hit - p);
            }
            if (ends_here(scan, p + i, got - i, at_end)) {
                *len = i;
                return true;
            }
        }
        if (at_end || window >= STREAM_SCAN_MAX)
            return false;
        from = safe;
        window *= 2;
    }
}
