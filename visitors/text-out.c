/* text-out.c: saves to text that people read. */
#include <inttypes.h>

#include "visitors/text-out.h"
#include "visitors/visitor-impl.h"

enum { OCTETS_A_LINE = 32 };

typedef struct TextOut {
    Visitor v;
    ChanOut *out;
    GString *path; /* of what is open */
    size_t len[VISIT_DEPTH_MAX];
    GString *line;
    const char *dim, *bright, *plain;
} TextOut;

/* Writes the line; its first `keep` octets start the next one, too. */
static void put_line_but(TextOut *t, size_t keep)
{
    g_string_append_c(t->line, '\n');
    chan_out_put(t->out, t->line->str, t->line->len);
    g_string_truncate(t->line, keep);
}

static void put_line(TextOut *t)
{
    put_line_but(t, 0);
}

static void start_line(TextOut *t, const char *name)
{
    g_string_append(t->line, t->dim);
    g_string_append_len(t->line, t->path->str, (gssize)t->path->len);
    if (name) {
        g_string_append_c(t->line, '.');
        g_string_append(t->line, name);
    }
}

/* --- nesting ---------------------------------------------------------------------------------------------------- */

static void open_level(Visitor *v)
{
    TextOut *t = (TextOut *)v;

    t->len[v->depth - 1] = t->path->len;
}

static void close_level(Visitor *v)
{
    TextOut *t = (TextOut *)v;

    g_string_truncate(t->path, t->len[v->depth - 1]);
}

static void text_struct_start(Visitor *v, const char *name)
{
    TextOut *t = (TextOut *)v;

    open_level(v);
    if (name)
        g_string_append_printf(t->path, ".%s", name);
    else if (v->depth > 1)
        g_string_append_printf(t->path, ".[%zu]", v->frames[v->depth - 1].index);
}

static void text_list_start(Visitor *v, const char *name, size_t count, size_t elem_size)
{
    open_level(v);
    g_string_append_printf(((TextOut *)v)->path, ".%s(%zu)(%zu)", name, count, elem_size);
}

static void text_subsection_start(Visitor *v, int index, const char *name, int version)
{
    (void)index;
    (void)version;
    open_level(v);
    g_string_append_printf(((TextOut *)v)->path, ".%s", name);
}

/* --- values ----------------------------------------------------------------------------------------------------- */

/* In base 10 or 16. A device may have 100,000 numbers, and printf takes longer than all else that is done for one. */
static void append_number(GString *s, unsigned base, uint64_t number)
{
    char digits[20];
    size_t at = sizeof digits;

    do {
        digits[--at] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number);
    g_string_append_len(s, digits + at, (gssize)(sizeof digits - at));
}

static void append_value(TextOut *t, Scalar scalar, const void *value)
{
    GString *s = t->line;

    g_string_append(s, t->plain);
    g_string_append(s, " = ");
    g_string_append(s, t->bright);
    g_string_append_c(s, '(');
    g_string_append(s, scalar_name(scalar));
    g_string_append_c(s, ')');
    g_string_append(s, t->plain);
    g_string_append_c(s, ' ');
    if (scalar == SCALAR_FLOAT64) {
        double number;
        uint64_t bits;
        memcpy(&number, value, 8);
        memcpy(&bits, value, 8);
        g_string_append_printf(s, "%.17g [0x%016" PRIx64 "]", number, bits);
        return;
    }
    Integer n = scalar_get(scalar, value);
    if (scalar == SCALAR_BOOL) {
        g_string_append(s, n.bits ? "true" : "false");
    } else {
        g_string_append(s, n.negative ? "-0x" : "0x");
        append_number(s, 16, n.negative ? -n.bits : n.bits);
    }
}

static void text_scalar(Visitor *v, const char *name, Scalar scalar, void *value)
{
    TextOut *t = (TextOut *)v;

    start_line(t, name);
    append_value(t, scalar, value);
    put_line(t);
}

static void text_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count)
{
    TextOut *t = (TextOut *)v;
    unsigned width = scalar_width(scalar);

    start_line(t, name);
    g_string_append_printf(t->line, "(%zu)(%u).[", count, width);
    size_t common = t->line->len;
    for (size_t i = 0; i < count; i++) {
        append_number(t->line, 10, i);
        g_string_append_c(t->line, ']');
        append_value(t, scalar, (uint8_t *)values + i * width);
        put_line_but(t, common);
    }
    g_string_truncate(t->line, 0);
}

static void text_buffer(Visitor *v, const char *name, void *data, size_t len)
{
    text_array(v, name, SCALAR_UINT8, data, len);
}

static void text_octets(Visitor *v, const char *name, const char *type, void *data, size_t len)
{
    TextOut *t = (TextOut *)v;
    const uint8_t *p = data;

    for (size_t i = 0; i < len; i += OCTETS_A_LINE) {
        start_line(t, name);
        g_string_append_printf(t->line, "(%zu)(1).[%zu]%s = %s(octets of %s)%s", len, i, t->plain, t->bright, type,
                               t->plain);
        for (size_t j = i; j < MIN(len, i + OCTETS_A_LINE); j++)
            g_string_append_printf(t->line, " %02x", p[j]);
        put_line(t);
    }
}

static bool bit(const uint64_t *words, size_t i)
{
    uint64_t word;

    memcpy(&word, (const uint8_t *)words + i / 64 * 8, 8);
    return word >> (i % 64) & 1;
}

char *text_bit_ranges(const uint64_t *words, size_t bits)
{
    GString *s = g_string_new(NULL);

    for (size_t i = 0; i < bits; i++) {
        if (!bit(words, i))
            continue;
        size_t first = i;
        while (i + 1 < bits && bit(words, i + 1))
            i++;
        g_string_append_printf(s, "%s%zu", s->len ? "," : "", first);
        if (i > first)
            g_string_append_printf(s, "-%zu", i);
    }
    return g_string_free(s, FALSE);
}

static void text_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits)
{
    TextOut *t = (TextOut *)v;
    g_autofree char *ranges = text_bit_ranges(words, bits);

    start_line(t, name);
    g_string_append_printf(t->line, "(%zu)%s = %s(bitmap)%s {%s}", bits, t->plain, t->bright, t->plain, ranges);
    put_line(t);
}

static void text_string(Visitor *v, const char *name, char **text)
{
    TextOut *t = (TextOut *)v;
    g_autofree char *shown = bytes_show(*text ? *text : "", *text ? strlen(*text) : 0);

    start_line(t, name);
    g_string_append_printf(t->line, "%s = %s(string)%s \"%s\"", t->plain, t->bright, t->plain, shown);
    put_line(t);
}

static void text_free(Visitor *v)
{
    TextOut *t = (TextOut *)v;

    g_string_free(t->path, TRUE);
    g_string_free(t->line, TRUE);
    g_free(t);
}

static const VisitorOps ops = {
    .struct_start = text_struct_start,
    .struct_end = close_level,
    .list_start = text_list_start,
    .list_end = close_level,
    .subsection_start = text_subsection_start,
    .subsection_end = close_level,
    .scalar = text_scalar,
    .array = text_array,
    .buffer = text_buffer,
    .unused = text_buffer,
    .octets = text_octets,
    .bitmap = text_bitmap,
    .string = text_string,
    .free = text_free,
};

Visitor *text_out_new(ChanOut *out, const char *root, bool colour)
{
    TextOut *t = g_new0(TextOut, 1);

    visitor_init(&t->v, &ops, root);
    t->out = out;
    t->path = g_string_new(root);
    t->line = g_string_new(NULL);
    t->dim = colour ? "\033[36m" : "";
    t->bright = colour ? "\033[2m" : "";
    t->plain = colour ? "\033[0m" : "";
    return &t->v;
}
