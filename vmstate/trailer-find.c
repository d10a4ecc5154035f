/* trailer-find.c: searches the end of a file for the JSON description. Source: vmstate/FORMAT.md section 1.1. */
#include <string.h>

#include "vmstate/trailer.h"

enum {
    WINDOW = 1 << 20,
    HEAD = 5, /* marker, length */
};

static const char needle[] = "{\"page_size\"";

static bool read_at(Chan *chan, uint64_t pos, void *data, size_t len, GError **error)
{
    if (!chan_seek(chan, pos, error))
        return false;
    gssize got = chan_read_full(chan, data, len, error);
    if (got >= 0 && (size_t)got < len)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_CUT, "the input shrank while it was read");
    return got == (gssize)len;
}

/* Is the text at p, `left` octets from the end, a description? Its length stands in front. */
static bool plausible(const uint8_t *p, uint64_t left)
{
    return p[-HEAD] == 0x06 && load_be32(p - 4) <= left;
}

static bool read_text(Chan *chan, uint64_t pos, Trailer *t, GError **error)
{
    uint8_t length[4];

    if (!read_at(chan, pos - 4, length, 4, error))
        return false;
    t->len = load_be32(length);
    t->start = pos - 5;
    t->end = pos + t->len;
    t->text = g_malloc(t->len + 1);
    t->text[t->len] = '\0';
    if (read_at(chan, pos, t->text, t->len, error))
        return true;
    trailer_clear(t);
    return false;
}

bool trailer_find(Chan *chan, uint64_t start, Trailer *t, GError **error)
{
    g_autofree uint8_t *window = g_malloc(WINDOW);
    size_t needle_len = sizeof needle - 1;
    int64_t size = chan_size(chan);

    *t = (Trailer){.text = NULL};
    if (size < 0)
        return true;
    uint64_t end = (uint64_t)size, lowest = MAX(start, end > TRAILER_MAX ? end - TRAILER_MAX : 0);
    while (end > lowest) {
        uint64_t from = end - lowest > WINDOW ? end - WINDOW : lowest;
        size_t len = (size_t)(end - from);
        if (!read_at(chan, from, window, len, error))
            return false;
        for (size_t i = len >= needle_len ? len - needle_len + 1 : 0; i-- > HEAD;)
            if (window[i] == '{' && memcmp(window + i, needle, needle_len) == 0 &&
                plausible(window + i, (uint64_t)size - from - i))
                return read_text(chan, from + i, t, error);
        if (from == lowest)
            break;
        end = from + needle_len + HEAD; /* what crosses the window's edge */
    }
    return true;
}

void trailer_clear(Trailer *t)
{
    g_clear_pointer(&t->text, g_free);
    *t = (Trailer){.text = NULL};
}
