/* text-value.c: values as people write them. */
#include "visitors/text-value.h"

#include <math.h>
#include <string.h>

/* --- truth ------------------------------------------------------------------------------------------------------ */

static bool store_bool(Visitor *v, const char *name, const char *text, bool *value)
{
    static const char *const on[] = {"on", "yes", "true", "y", NULL};
    static const char *const off[] = {"off", "no", "false", "n", NULL};

    if (g_strv_contains(on, text))
        *value = true;
    else if (g_strv_contains(off, text))
        *value = false;
    else
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "'%s' is neither on nor off", text);
    return !visit_failed(v);
}

/* --- integers --------------------------------------------------------------------------------------------------- */

/* The lowest and the highest value, in words. New string. */
static char *range_of(Scalar scalar)
{
    unsigned bits = scalar_width(scalar) * 8;

    if (scalar_is_signed(scalar)) {
        int64_t highest = (int64_t)(UINT64_MAX >> (65 - bits));
        return g_strdup_printf("%" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, (gint64)(-highest - 1), (gint64)highest);
    }
    return g_strdup_printf("0 to %" G_GUINT64_FORMAT, UINT64_MAX >> (64 - bits));
}

static bool store(Visitor *v, const char *name, Scalar scalar, const char *text, Integer n, void *value)
{
    if (scalar_fits(scalar, n)) {
        scalar_set(scalar, value, n);
        return true;
    }
    g_autofree char *range = range_of(scalar);
    visit_fail(v, FERRY_ERROR_MISMATCH, name, "%s is out of range (accepted: %s)", text, range);
    return false;
}

bool text_value_integer(Visitor *v, const char *name, Scalar scalar, Integer n, void *value)
{
    g_autofree char *text = n.negative ? g_strdup_printf("%" G_GINT64_FORMAT, (gint64)n.bits)
                                       : g_strdup_printf("%" G_GUINT64_FORMAT, n.bits);

    return store(v, name, scalar, text, n, value);
}

typedef enum Parsed { PARSED, PARSED_NOTHING, PARSED_TOO_LARGE } Parsed;

/* A number without sign; *end is what follows it. */
static Parsed parse_digits(const char *text, uint64_t *n, const char **end)
{
    unsigned base = 10;
    bool any = false, too_large = false;

    *n = 0;
    if (text[0] == '0' && (text[1] | 0x20) == 'x' && g_ascii_isxdigit(text[2])) {
        base = 16;
        text += 2;
    } else if (text[0] == '0' && g_ascii_isdigit(text[1])) {
        base = 8;
    }
    for (; g_ascii_isxdigit(*text) && (unsigned)g_ascii_xdigit_value(*text) < base; text++) {
        any = true;
        too_large = too_large || __builtin_mul_overflow(*n, (uint64_t)base, n) ||
                    __builtin_add_overflow(*n, (uint64_t)g_ascii_xdigit_value(*text), n);
    }
    *end = text;
    return !any ? PARSED_NOTHING : too_large ? PARSED_TOO_LARGE : PARSED;
}

/* 1024 to the power that the letter stands for; 0: it stands for none. */
static uint64_t unit_of(char letter)
{
    static const char units[] = "BKMGTPE";
    const char *found = letter ? strchr(units, g_ascii_toupper(letter)) : NULL;

    return found ? UINT64_C(1) << (10 * (found - units)) : 0;
}

static Parsed parse_size(const char *text, uint64_t *size)
{
    uint64_t unit = 1;
    const char *end, *fraction = NULL;
    long double part = 0, place = 1;
    bool plain = text[0] != '0' || !g_ascii_isalnum(text[1]) || unit_of(text[1]);
    Parsed whole = parse_digits(text, size, &end);

    if (whole == PARSED_NOTHING)
        return whole;
    if (plain && *end == '.') {
        for (fraction = ++end; g_ascii_isdigit(*end); end++)
            part += (*end - '0') * (place /= 10);
        if (end == fraction)
            return PARSED_NOTHING;
    }
    if (*end) {
        unit = plain ? unit_of(*end++) : 0;
        if (!unit || *end)
            return PARSED_NOTHING;
    }
    if (fraction && unit == 1)
        return PARSED_NOTHING;
    if (whole == PARSED_TOO_LARGE || __builtin_mul_overflow(*size, unit, size) ||
        __builtin_add_overflow(*size, (uint64_t)roundl(part * (long double)unit), size))
        return PARSED_TOO_LARGE;
    return PARSED;
}

static bool store_integer(Visitor *v, const char *name, Scalar scalar, const char *text, void *value)
{
    const char *digits = text + (text[0] == '-' || text[0] == '+'), *end = "";
    bool size = scalar == SCALAR_UINT64 && digits == text;
    Integer n = {.negative = text[0] == '-'};
    Parsed parsed = size ? parse_size(digits, &n.bits) : parse_digits(digits, &n.bits, &end);

    if (parsed == PARSED_NOTHING || *end) {
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "'%s' is no number%s", text,
                   scalar == SCALAR_UINT64 ? " (with or without one of the units K, M, G, T, P, E)" : "");
        return false;
    }
    n.negative = n.negative && n.bits;
    if (parsed == PARSED_TOO_LARGE || (n.negative && n.bits > UINT64_C(1) << 63)) {
        g_autofree char *range = range_of(scalar);
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "%s is out of range (accepted: %s)", text, range);
        return false;
    }
    if (n.negative)
        n.bits = -n.bits;
    return store(v, name, scalar, text, n, value);
}

/* --- floats ----------------------------------------------------------------------------------------------------- */

static bool store_float(Visitor *v, const char *name, const char *text, void *value)
{
    const char *digits_end;
    char *end;
    uint64_t bits;

    if (g_str_has_prefix(text, "0x") && strlen(text) == 18 && parse_digits(text, &bits, &digits_end) == PARSED &&
        !*digits_end) {
        memcpy(value, &bits, 8);
        return true;
    }
    double number = g_ascii_strtod(text, &end);
    if (end == text || *end || !isfinite(number)) {
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "'%s' is no number", text);
        return false;
    }
    memcpy(value, &number, 8);
    return true;
}

bool text_value_scalar(Visitor *v, const char *name, Scalar scalar, const char *text, void *value)
{
    if (scalar == SCALAR_BOOL)
        return store_bool(v, name, text, value);
    if (scalar == SCALAR_FLOAT64)
        return store_float(v, name, text, value);
    return store_integer(v, name, scalar, text, value);
}

/* --- octets and bits -------------------------------------------------------------------------------------------- */

bool text_value_hex(Visitor *v, const char *name, const char *text, void *data, size_t len)
{
    uint8_t *octets = data;
    size_t digits = strspn(text, "0123456789abcdefABCDEF");

    if (text[digits] || digits != len * 2) {
        visit_fail(v, FERRY_ERROR_MISMATCH, name, "'%s' is not %zu octets of two hexadecimal digits", text, len);
        return false;
    }
    for (size_t i = 0; i < len; i++)
        octets[i] = (uint8_t)(g_ascii_xdigit_value(text[2 * i]) << 4 | g_ascii_xdigit_value(text[2 * i + 1]));
    return true;
}

bool text_value_bits(Visitor *v, const char *name, const char *text, uint64_t *words, size_t bits)
{
    size_t count = (bits + 63) / 64;
    g_autofree uint64_t *set = g_new0(uint64_t, count + 1);

    for (const char *p = text; *p;) {
        uint64_t first, last;
        Parsed parsed = parse_digits(p, &first, &p);
        last = first;
        if (parsed == PARSED && *p == '-')
            parsed = parse_digits(p + 1, &last, &p);
        if (parsed != PARSED || last >= bits || first > last || (*p && (*p != ',' || !p[1]))) {
            visit_fail(v, FERRY_ERROR_MISMATCH, name, "'%s' is no list of bits 0 to %zu, like 0-3,17", text, bits - 1);
            return false;
        }
        for (; first <= last; first++)
            set[first / 64] |= UINT64_C(1) << (first % 64);
        p += *p == ',';
    }
    memcpy(words, set, count * sizeof *words);
    return true;
}
