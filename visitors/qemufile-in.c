/*
 * qemufile-in.c: loads from QEMU's untagged wire.
 *
 * Source: vmstate/FORMAT.md 1.6. The wire says nothing about what it holds, so only its end, a bool that is neither 0
 * nor 1, and a string that is not UTF-8 can be found wrong here.
 */
#include "visitors/qemufile-in.h"

#include "visitors/visitor-impl.h"

typedef struct QemufileIn {
    Visitor v;
    ChanIn *in;
    uint64_t last; /* where the last value started, for messages */
    char subsection[256];
} QemufileIn;

/* The next n octets, or NULL and a failed visitor. */
static const uint8_t *take(Visitor *v, const char *name, size_t n)
{
    QemufileIn *q = (QemufileIn *)v;

    q->last = chan_in_tell(q->in);
    const uint8_t *p = chan_in_take(q->in, n);
    if (!p) {
        g_autofree char *path = visit_path(v, name);
        chan_in_error(q->in, &v->error, "%s @0x%" G_GINT64_MODIFIER "x", path, chan_in_tell(q->in));
    }
    return p;
}

/* The look-ahead rule. Nothing is consumed unless a subsection of `parent` is there. */
static bool in_subsection_next(Visitor *v, const char *parent, VisitSubsection *found)
{
    QemufileIn *q = (QemufileIn *)v;
    size_t got;
    const uint8_t *p = chan_in_peek(q->in, 1, &got);

    if (got < 1 || p[0] != 0x05)
        return false;
    p = chan_in_peek(q->in, 2, &got);
    if (got < 2 || p[1] < strlen(parent) + 1)
        return false;
    size_t len = p[1];
    p = chan_in_peek(q->in, 2 + len, &got);
    if (got < 2 + len || memcmp(p + 2, parent, strlen(parent)) != 0 || !bytes_are_printable(p + 2, len))
        return false;
    memcpy(q->subsection, p + 2, len);
    q->subsection[len] = '\0';
    p = take(v, q->subsection, 2 + len + 4);
    if (!p)
        return false;
    found->name = q->subsection;
    found->version = load_be32(p + 2 + len);
    return true;
}

static void in_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count)
{
    unsigned width = scalar_width(scalar);
    const uint8_t *p = take(v, name, width * count);

    if (!p || !count)
        return;
    if (scalar == SCALAR_BOOL) {
        for (size_t i = 0; i < count; i++) {
            if (p[i] > 1) {
                visit_fail(v, FERRY_ERROR_DAMAGED, name, "a bool is 0x%02x, not 0 or 1", p[i]);
                return;
            }
        }
    }
    bytes_swap_be(values, p, width, count);
}

static void in_scalar(Visitor *v, const char *name, Scalar scalar, void *value)
{
    in_array(v, name, scalar, value, 1);
}

static void in_buffer(Visitor *v, const char *name, void *data, size_t len)
{
    const uint8_t *p = take(v, name, len);

    if (p && len)
        memcpy(data, p, len);
}

static void in_octets(Visitor *v, const char *name, const char *type, void *data, size_t len)
{
    (void)type;
    in_buffer(v, name, data, len);
}

static void in_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits)
{
    in_array(v, name, SCALAR_UINT64, words, (bits + 63) / 64);
    /* what the last word has above the last bit is no part of the value */
    if (bits % 64 && !v->error)
        words[bits / 64] &= (UINT64_C(1) << bits % 64) - 1;
}

static void in_string(Visitor *v, const char *name, char **text)
{
    const uint8_t *p = take(v, name, 1);

    if (!p)
        return;
    size_t len = *p;
    p = take(v, name, len);
    if (!p)
        return;
    if (!g_utf8_validate_len((const char *)p, len, NULL)) {
        visit_fail(v, FERRY_ERROR_DAMAGED, name, "a string is not UTF-8");
        return;
    }
    g_free(*text);
    *text = g_strndup((const char *)p, len);
}

static int64_t in_offset(const Visitor *v)
{
    return (int64_t)((const QemufileIn *)v)->last;
}

static void in_free(Visitor *v)
{
    g_free(v);
}

static const VisitorOps ops = {
    .load = true,
    .subsection_next = in_subsection_next,
    .scalar = in_scalar,
    .array = in_array,
    .buffer = in_buffer,
    .unused = in_buffer,
    .octets = in_octets,
    .bitmap = in_bitmap,
    .string = in_string,
    .offset = in_offset,
    .free = in_free,
};

Visitor *qemufile_in_new(ChanIn *in, const char *root)
{
    QemufileIn *q = g_new0(QemufileIn, 1);

    visitor_init(&q->v, &ops, root);
    q->in = in;
    q->last = chan_in_tell(in);
    return &q->v;
}
