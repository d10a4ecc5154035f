/* ber-out.c: saves to BER. Source: vmstate.asn1, the comment at Section. */
#include "visitors/ber-out.h"

#include "visitors/visitor-impl.h"

typedef struct BerOut {
    Visitor v;
    ByteOut *out;
    unsigned form;
    uint32_t tag;
    struct {
        size_t mark;
        bool numbered; /* it has a number of its own: no SEQUENCE */
    } levels[VISIT_DEPTH_MAX];
} BerOut;

static ByteOut *out_of(Visitor *v)
{
    return ((BerOut *)v)->out;
}

static void open_level(Visitor *v, unsigned form, uint32_t tag)
{
    BerOut *b = (BerOut *)v;

    b->levels[v->depth - 1].mark = ber_start(b->out, form, tag);
    b->levels[v->depth - 1].numbered = form != BER_UNIVERSAL;
}

static void close_level(Visitor *v)
{
    BerOut *b = (BerOut *)v;

    ber_end(b->out, b->levels[v->depth - 1].mark);
}

/* What stands for a string of no length, a pad of zeros, and the content of a struct that has none. */
static void put_nothing(Visitor *v)
{
    ber_put_bool(out_of(v), false);
}

static void close_struct(Visitor *v)
{
    const BerOut *b = (BerOut *)v;

    /* the length octet is there already */
    if (b->levels[v->depth - 1].numbered && b->out->len == b->levels[v->depth - 1].mark + 1)
        put_nothing(v);
    close_level(v);
}

static void out_struct_start(Visitor *v, const char *name)
{
    BerOut *b = (BerOut *)v;

    (void)name;
    if (v->depth == 1)
        open_level(v, b->form, b->tag);
    else
        open_level(v, BER_UNIVERSAL, BER_SEQUENCE);
}

static void out_list_start(Visitor *v, const char *name, size_t count, size_t elem_size)
{
    (void)name;
    (void)count;
    (void)elem_size;
    open_level(v, BER_UNIVERSAL, BER_SEQUENCE);
}

static void out_subsection_start(Visitor *v, int index, const char *name, int version)
{
    (void)name;
    (void)version;
    open_level(v, BER_CONTEXT, (uint32_t)index);
}

static void out_optional(Visitor *v, const char *name, bool *present)
{
    (void)name;
    if (!*present)
        ber_put_head(out_of(v), BER_UNIVERSAL, BER_NULL, 0);
}

static void out_scalar(Visitor *v, const char *name, Scalar scalar, void *value)
{
    ByteOut *out = out_of(v);

    (void)name;
    if (scalar == SCALAR_FLOAT64) {
        uint8_t bits[8];
        bytes_swap_be(bits, value, 8, 1);
        ber_put_opaque(out, BER_VALUE_OPAQUE, bits, 8);
        return;
    }
    if (scalar == SCALAR_BOOL)
        ber_put_bool(out, *(const bool *)value);
    else
        ber_put_integers(out, scalar, value, 1);
}

static void out_buffer(Visitor *v, const char *name, void *data, size_t len)
{
    (void)name;
    ber_put_opaque(out_of(v), BER_VALUE_OPAQUE, data, len);
}

static void out_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count)
{
    ByteOut *out = out_of(v);
    unsigned width = scalar_width(scalar);

    if (scalar == SCALAR_UINT8) {
        out_buffer(v, name, values, count);
        return;
    }
    size_t mark = ber_start(out, BER_UNIVERSAL, BER_SEQUENCE);
    if (scalar_is_integer(scalar))
        ber_put_integers(out, scalar, values, count);
    for (size_t i = 0; !scalar_is_integer(scalar) && i < count; i++)
        out_scalar(v, name, scalar, (uint8_t *)values + i * width);
    ber_end(out, mark);
}

static void out_unused(Visitor *v, const char *name, void *data, size_t len)
{
    if (bytes_are_zero(data, len))
        put_nothing(v);
    else
        out_buffer(v, name, data, len);
}

static void out_octets(Visitor *v, const char *name, const char *type, void *data, size_t len)
{
    (void)type;
    out_buffer(v, name, data, len);
}

/* Bit 0 of a BIT STRING is the most significant of its first octet (X.690 8.6.2). */
static void out_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits)
{
    ByteOut *out = out_of(v);
    size_t octets = (bits + 7) / 8;

    (void)name;
    ber_put_head(out, BER_CONTEXT, BER_VALUE_BITMAP, 1 + octets);
    byte_out_u8(out, (uint8_t)(octets * 8 - bits));
    uint8_t *p = byte_out_room(out, octets);
    memset(p, 0, octets);
    for (size_t i = 0; i < bits; i++) {
        uint64_t word;
        memcpy(&word, (uint8_t *)words + i / 64 * 8, 8);
        if (word >> (i % 64) & 1)
            p[i / 8] |= (uint8_t)(0x80 >> (i % 8));
    }
}

static void out_string(Visitor *v, const char *name, char **text)
{
    (void)name;
    if (*text && **text)
        ber_put_text(out_of(v), *text);
    else
        put_nothing(v);
}

static void out_free(Visitor *v)
{
    g_free(v);
}

static const VisitorOps ops = {
    .struct_start = out_struct_start,
    .struct_end = close_struct,
    .list_start = out_list_start,
    .list_end = close_level,
    .optional = out_optional,
    .subsection_start = out_subsection_start,
    .subsection_end = close_struct,
    .scalar = out_scalar,
    .array = out_array,
    .buffer = out_buffer,
    .unused = out_unused,
    .octets = out_octets,
    .bitmap = out_bitmap,
    .string = out_string,
    .free = out_free,
};

Visitor *ber_out_new(ByteOut *out, const char *root, unsigned form, uint32_t tag)
{
    BerOut *b = g_new0(BerOut, 1);

    visitor_init(&b->v, &ops, root);
    b->out = out;
    b->form = form;
    b->tag = tag;
    return &b->v;
}
