/* ber-cursor.c: walks the members of a record. */
#include "vmstate/ber-cursor.h"

void ber_cursor_init(BerCursor *c, const void *data, size_t len, uint64_t offset, const char *what, GError **error)
{
    *c = (BerCursor){.offset = offset, .what = what, .error = error};
    byte_in_init(&c->in, data, len);
}

bool ber_cursor_fail(const BerCursor *c, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(c->error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "%s @0x%" G_GINT64_MODIFIER "x: %s", c->what,
                c->offset + c->in.pos, text);
    return false;
}

bool ber_cursor_end(const BerCursor *c)
{
    return !ber_cursor_more(c) || ber_cursor_fail(c, "more members than there should be");
}

bool ber_cursor_next(BerCursor *c, BerElement *e)
{
    const char *wrong = ber_next(&c->in, e);

    return !wrong || ber_cursor_fail(c, "%s", wrong);
}

bool ber_cursor_next_of(BerCursor *c, unsigned form, uint32_t tag, BerElement *e)
{
    if (!ber_cursor_next(c, e))
        return false;
    if (ber_is(e, form, tag))
        return true;
    g_autofree char *wanted = ber_tag_name(form, tag);
    g_autofree char *found = ber_tag_name(e->form, e->tag);
    return ber_cursor_fail(c, "%s where %s should be", found, wanted);
}

bool ber_cursor_is(const BerCursor *c, unsigned form, uint32_t tag)
{
    ByteIn in = c->in;
    BerElement e;

    return byte_in_left(&in) && !ber_next(&in, &e) && ber_is(&e, form, tag);
}

bool ber_cursor_enter(BerCursor *c, unsigned class, uint32_t tag, BerCursor *inner)
{
    BerElement e;

    if (!ber_cursor_next_of(c, class | BER_CONSTRUCTED, tag, &e))
        return false;
    ber_cursor_init(inner, e.content, e.len, c->offset + (uint64_t)(e.content - c->in.data), c->what, c->error);
    return true;
}

bool ber_cursor_to_number(const BerCursor *c, const BerElement *e, uint64_t max, uint64_t *value)
{
    Integer n;

    *value = 0;
    if (!ber_get_integer(e, &n) || n.negative || n.bits > max)
        return ber_cursor_fail(c, "a number that is not between 0 and %" G_GUINT64_FORMAT, max);
    *value = n.bits;
    return true;
}

bool ber_cursor_to_text(const BerCursor *c, const BerElement *e, char **text)
{
    if (!bytes_are_printable(e->content, e->len))
        return ber_cursor_fail(c, "a text that is not UTF-8, or has control characters in it");
    g_free(*text);
    *text = g_strndup((const char *)e->content, e->len);
    return true;
}

bool ber_cursor_to_opaque(const BerCursor *c, const BerElement *e, const uint8_t **data, size_t *len)
{
    return ber_get_opaque(e, data, len) || ber_cursor_fail(c, "opaque octets that do not start with an octet 0");
}

bool ber_cursor_number(BerCursor *c, uint64_t max, uint64_t *value)
{
    BerElement e;

    *value = 0;
    return ber_cursor_next_of(c, BER_UNIVERSAL, BER_INTEGER, &e) && ber_cursor_to_number(c, &e, max, value);
}

bool ber_cursor_enumerated(BerCursor *c, uint64_t max, uint64_t *value)
{
    BerElement e;

    *value = 0;
    return ber_cursor_next_of(c, BER_UNIVERSAL, BER_ENUMERATED, &e) && ber_cursor_to_number(c, &e, max, value);
}

bool ber_cursor_bool(BerCursor *c, bool *value)
{
    BerElement e;

    if (!ber_cursor_next_of(c, BER_UNIVERSAL, BER_BOOLEAN, &e))
        return false;
    if (e.len != 1)
        return ber_cursor_fail(c, "a BOOLEAN of %zu octets", e.len);
    *value = e.content[0] != 0;
    return true;
}

bool ber_cursor_text(BerCursor *c, char **text)
{
    BerElement e;

    return ber_cursor_next_of(c, BER_UNIVERSAL, BER_UTF8_STRING, &e) && ber_cursor_to_text(c, &e, text);
}

bool ber_cursor_opaque(BerCursor *c, uint32_t tag, const uint8_t **data, size_t *len)
{
    BerElement e;

    return ber_cursor_next_of(c, BER_CONTEXT, tag, &e) && ber_cursor_to_opaque(c, &e, data, len);
}

bool ber_cursor_opaque_of(BerCursor *c, uint32_t tag, size_t len, const uint8_t **data)
{
    size_t found;

    return ber_cursor_opaque(c, tag, data, &found) &&
           (found == len || ber_cursor_fail(c, "%zu octets where %zu should be", found, len));
}

bool ber_cursor_optional_number(BerCursor *c, uint32_t tag, uint64_t max, uint64_t *value, bool *there)
{
    BerElement e;

    *value = 0;
    *there = ber_cursor_is(c, BER_CONTEXT, tag);
    return !*there || (ber_cursor_next(c, &e) && ber_cursor_to_number(c, &e, max, value));
}

bool ber_cursor_optional_opaque(BerCursor *c, uint32_t tag, const uint8_t **data, size_t *len)
{
    *data = NULL;
    *len = 0;
    return !ber_cursor_is(c, BER_CONTEXT, tag) || ber_cursor_opaque(c, tag, data, len);
}

bool ber_cursor_optional_text(BerCursor *c, uint32_t tag, char **text)
{
    BerElement e;

    return !ber_cursor_is(c, BER_CONTEXT, tag) || (ber_cursor_next(c, &e) && ber_cursor_to_text(c, &e, text));
}

bool ber_cursor_optional_true(BerCursor *c, uint32_t tag, bool *value)
{
    BerElement e;

    *value = false;
    if (!ber_cursor_is(c, BER_CONTEXT, tag))
        return true;
    if (!ber_cursor_next(c, &e))
        return false;
    if (e.len != 1)
        return ber_cursor_fail(c, "a BOOLEAN of %zu octets", e.len);
    *value = e.content[0] != 0;
    return true;
}
