/*
 * qemufile-out.c: saves to QEMU's untagged wire.
 *
 * Values stand one after the other; structs, lists and optional values leave no trace. Source: vmstate/FORMAT.md 1.6.
 */
#include "visitors/qemufile-out.h"

#include "visitors/visitor-impl.h"

typedef struct QemufileOut {
    Visitor v;
    ByteOut *out;
} QemufileOut;

static void out_subsection_start(Visitor *v, int index, const char *name, int version)
{
    ByteOut *out = ((QemufileOut *)v)->out;

    (void)index;
    byte_out_u8(out, 0x05);
    byte_out_str8(out, name);
    byte_out_be32(out, (uint32_t)version);
}

static void out_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count)
{
    unsigned width = scalar_width(scalar);

    (void)name;
    if (count)
        bytes_swap_be(byte_out_room(((QemufileOut *)v)->out, width * count), values, width, count);
}

static void out_scalar(Visitor *v, const char *name, Scalar scalar, void *value)
{
    out_array(v, name, scalar, value, 1);
}

static void out_buffer(Visitor *v, const char *name, void *data, size_t len)
{
    (void)name;
    byte_out_put(((QemufileOut *)v)->out, data, len);
}

static void out_octets(Visitor *v, const char *name, const char *type, void *data, size_t len)
{
    (void)type;
    out_buffer(v, name, data, len);
}

static void out_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits)
{
    out_array(v, name, SCALAR_UINT64, words, (bits + 63) / 64);
}

static void out_string(Visitor *v, const char *name, char **text)
{
    const char *s = *text ? *text : "";

    if (strlen(s) > 255)
        visit_fail(v, FERRY_ERROR_LIMIT, name, "the string has %zu octets, the wire takes 255", strlen(s));
    else
        byte_out_str8(((QemufileOut *)v)->out, s);
}

static int64_t out_offset(const Visitor *v)
{
    return (int64_t)((const QemufileOut *)v)->out->len;
}

static void out_free(Visitor *v)
{
    g_free(v);
}

static const VisitorOps ops = {
    .subsection_start = out_subsection_start,
    .scalar = out_scalar,
    .array = out_array,
    .buffer = out_buffer,
    .unused = out_buffer,
    .octets = out_octets,
    .bitmap = out_bitmap,
    .string = out_string,
    .offset = out_offset,
    .free = out_free,
};

Visitor *qemufile_out_new(ByteOut *out, const char *root)
{
    QemufileOut *q = g_new0(QemufileOut, 1);

    visitor_init(&q->v, &ops, root);
    q->out = out;
    return &q->v;
}
