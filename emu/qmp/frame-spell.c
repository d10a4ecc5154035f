/* frame-spell.c: JSON as QMP's clients spell it, made JSON as everybody reads it. */
#include <stdint.h>
#include <string.h>

#include "emu/qmp/frame-impl.h"

enum { INT64_DIGITS = 19, UINT64_DIGITS = 20 };

static bool is_quote(char c)
{
    return c == '"' || c == '\'';
}

static bool is_word(char c)
{
    return g_ascii_isalnum(c) || c == '-' || c == '+' || c == '.' || c == '_';
}

static size_t string_length(const char *text, size_t len)
{
    for (size_t i = 1; i < len; i++) {
        if (text[i] == '\\')
            i++;
        else if (text[i] == text[0])
            return i + 1;
    }
    return len;
}

size_t qmp_token_length(const char *text, size_t len)
{
    size_t n = 1;

    if (is_quote(*text))
        return string_length(text, len);
    while (is_word(*text) && n < len && is_word(text[n]))
        n++;
    return n;
}

/* --- strings and numbers ---------------------------------------------------------------------------------------- */

static void put_place(GArray *places, size_t out, size_t in)
{
    const gint64 pair[2] = {(gint64)out, (gint64)in};

    if (places)
        g_array_append_vals(places, pair, 2);
}

/* Without its quotes. An apostrophe needs no backslash any more, a quotation mark one. */
static void put_string(GString *s, const char *text, size_t start, size_t end, GArray *places)
{
    g_string_append_c(s, '"');
    for (size_t i = start; i < end; i++) {
        bool escape = text[i] == '\\' && i + 1 < end;
        if (escape && text[i + 1] == '\'') {
            g_string_append_c(s, text[++i]);
            put_place(places, s->len, i + 1);
        } else if (escape) {
            g_string_append_len(s, text + i++, 2);
        } else if (text[i] == '"') {
            g_string_append(s, "\\\"");
            put_place(places, s->len, i + 1);
        } else {
            g_string_append_c(s, text[i]);
        }
    }
    g_string_append_c(s, '"');
}

/* How many digits an integer has; 0: it is none, or not spelled as JSON has it. */
static size_t integer_digits(const char *text, size_t len)
{
    size_t sign = *text == '-';

    for (size_t i = sign; i < len; i++)
        if (!g_ascii_isdigit(text[i]))
            return 0;
    return sign == len || text[sign] == '0' ? 0 : len - sign;
}

typedef enum Fit { FIT_INT64, FIT_UINT64, FIT_NONE } Fit;

static Fit integer_fits(const char *text, size_t digits)
{
    bool negative = *text == '-';

    if (digits < INT64_DIGITS)
        return FIT_INT64;
    if (digits > UINT64_DIGITS)
        return FIT_NONE;
    uint64_t value = 0;
    for (size_t i = 0; i < digits; i++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[negative + i] - '0'), &value))
            return FIT_NONE;
    if (value <= (uint64_t)INT64_MAX + negative)
        return FIT_INT64;
    return negative ? FIT_NONE : FIT_UINT64;
}

static void put_word(GString *s, const char *text, size_t at, size_t len, GArray *places)
{
    Fit fit = integer_fits(text + at, integer_digits(text + at, len));

    if (fit == FIT_UINT64)
        g_string_append_c(s, '"');
    g_string_append_len(s, text + at, (gssize)len);
    if (fit == FIT_UINT64)
        g_string_append_c(s, '"');
    else if (fit == FIT_NONE)
        g_string_append(s, ".0");
    if (fit != FIT_INT64)
        put_place(places, s->len, at + len);
}

char *qmp_spell(const char *text, size_t len, size_t *out_len, GArray *places)
{
    GString *s = g_string_sized_new(len + 16);

    for (size_t i = 0, n; i < len; i += n) {
        n = qmp_token_length(text + i, len - i);
        if (is_quote(text[i]) && n >= 2 && text[i + n - 1] == text[i])
            put_string(s, text, i + 1, i + n - 1, places);
        else if (is_word(text[i]))
            put_word(s, text, i, n, places);
        else
            g_string_append_len(s, text + i, (gssize)n);
    }
    *out_len = s->len;
    return g_string_free(s, FALSE);
}

size_t qmp_spelled_at(const GArray *places, size_t offset)
{
    gint64 out = 0, in = 0;

    for (guint i = 0; i + 1 < places->len && (size_t)g_array_index(places, gint64, i) <= offset; i += 2) {
        out = g_array_index(places, gint64, i);
        in = g_array_index(places, gint64, i + 1);
    }
    return offset - (size_t)out + (size_t)in;
}

/* --- id --------------------------------------------------------------------------------------------------------- */

static char *in_one_line(const char *text, size_t len)
{
    GString *s = g_string_sized_new(len + 2);

    for (size_t i = 0, n; i < len; i += n) {
        n = qmp_token_length(text + i, len - i);
        if (is_quote(text[i]))
            put_string(s, text, i + 1, i + n - 1, NULL);
        else if (!g_ascii_isspace(text[i]))
            g_string_append_len(s, text + i, (gssize)n);
    }
    return g_string_free(s, FALSE);
}

char *qmp_spell_id(const char *object, size_t len)
{
    size_t value = 0; /* where that of "id" starts */
    bool key = true, found = false;
    unsigned depth = 0;

    for (size_t i = 0, n; i < len; i += n) {
        char c = object[i];
        n = qmp_token_length(object + i, len - i);
        if (depth == 1 && key && is_quote(c)) {
            found = n == 4 && memcmp(object + i + 1, "id", 2) == 0;
            key = false;
        } else if (depth == 1 && c == ':') {
            value = i + 1;
        } else if (depth == 1 && (c == ',' || c == '}')) {
            if (found)
                return in_one_line(object + value, i - value);
            key = true;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
    }
    return NULL;
}
