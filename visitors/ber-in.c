/*
 * ber-in.c: loads from BER. Source: vmstate.asn1, the comment at Section.
 *
 * One cursor a level: entering a constructed element bounds all that follows by its content, so that nothing inside can
 * read past it.
 */
#include "visitors/ber-in.h"

#include "visitors/visitor-impl.h"

typedef struct BerLevel {
    ByteIn in;       /* the content of the element that is open */
    uint64_t offset; /* of its first octet in the stream */
    GArray *starts;  /* where each value of a struct starts; made when one is selected */
    size_t behind;   /* where the subsections start */
} BerLevel;

typedef struct BerIn {
    Visitor v;
    unsigned form;
    uint32_t tag;
    BerLevel levels[VISIT_DEPTH_MAX + 2]; /* one for what was given, one for an array inside the deepest */
    unsigned depth;                       /* of the level that is open; 0 is what was given to ber_in_new */
    size_t last;                          /* where the last element started, for messages */
    const uint8_t *limit;                 /* where what is really there ends, NULL: all is */
} BerIn;

static BerLevel *level(Visitor *v)
{
    BerIn *b = (BerIn *)v;

    return &b->levels[b->depth];
}

/* Is not all of this there? */
static bool is_cut(const Visitor *v, const uint8_t *end)
{
    const uint8_t *limit = ((const BerIn *)v)->limit;

    return limit && end > limit;
}

static bool next(Visitor *v, const char *name, BerElement *e)
{
    BerLevel *l = level(v);

    ((BerIn *)v)->last = l->in.pos;
    const char *wrong = byte_in_left(&l->in) ? ber_next(&l->in, e) : "the stream has no value for it";
    if (!wrong && is_cut(v, e->form & BER_CONSTRUCTED ? e->content : e->content + e->len)) {
        visit_fail(v, FERRY_ERROR_CUT, name, "the input ends here");
        return false;
    }
    if (!wrong)
        return true;
    visit_fail(v, FERRY_ERROR_DAMAGED, name, "%s", wrong);
    return false;
}

static void fail_kind(Visitor *v, const char *name, const BerElement *e, const char *wanted)
{
    g_autofree char *found = ber_tag_name(e->form, e->tag);

    visit_fail(v, FERRY_ERROR_MISMATCH, name, "the stream has %s, the destination %s", found, wanted);
}

/* What stands for a string of no length, a pad of zeros, and the content of a struct that has none. */
static bool is_nothing(const BerElement *e)
{
    return ber_is(e, BER_UNIVERSAL, BER_BOOLEAN) && e->len == 1 && e->content[0] == 0;
}

static bool is_opaque(const BerElement *e)
{
    return ber_is(e, BER_CONTEXT, BER_VALUE_OPAQUE);
}

/* The octets in an element that is opaque. */
static bool take_opaque(Visitor *v, const char *name, const BerElement *e, const uint8_t **data, size_t *len)
{
    if (ber_get_opaque(e, data, len))
        return true;
    visit_fail(v, FERRY_ERROR_DAMAGED, name, "opaque octets do not start with an octet 0");
    return false;
}

/* The same from the next element, which must be that. */
static bool next_opaque(Visitor *v, const char *name, const char *wanted, const uint8_t **data, size_t *len)
{
    BerElement e;

    if (!next(v, name, &e))
        return false;
    if (is_opaque(&e))
        return take_opaque(v, name, &e, data, len);
    fail_kind(v, name, &e, wanted);
    return false;
}

static void fail_count(Visitor *v, const char *name, const char *what, size_t found, size_t wanted)
{
    visit_fail(v, FERRY_ERROR_MISMATCH, name, "the stream has %zu %s, the destination %zu", found, what, wanted);
}

/* --- nesting ---------------------------------------------------------------------------------------------------- */

static void enter(Visitor *v, const BerElement *e)
{
    BerIn *b = (BerIn *)v;
    const BerLevel *outer = level(v);
    uint64_t offset = outer->offset + (size_t)(e->content - outer->in.data);

    b->depth++;
    BerLevel *inner = level(v);
    *inner = (BerLevel){.offset = offset};
    byte_in_init(&inner->in, e->content, e->len);
    b->last = 0;
}

static void leave(Visitor *v)
{
    BerIn *b = (BerIn *)v;
    BerLevel *l = level(v);

    if (l->starts)
        g_array_unref(g_steal_pointer(&l->starts));
    b->depth--;
    b->last = level(v)->in.pos;
}

static size_t count_elements(ByteIn in)
{
    size_t n = 0;
    BerElement e;

    while (byte_in_left(&in) && !ber_next(&in, &e))
        n++;
    return n;
}

static void in_struct_start(Visitor *v, const char *name)
{
    BerIn *b = (BerIn *)v;
    unsigned form = BER_CONSTRUCTED | (v->depth == 1 ? b->form : BER_UNIVERSAL);
    uint32_t tag = v->depth == 1 ? b->tag : BER_SEQUENCE;
    BerElement e;

    if (!next(v, NULL, &e))
        return;
    (void)name;
    if (ber_is(&e, form, tag))
        enter(v, &e);
    else
        fail_kind(v, NULL, &e, "a struct");
}

static void fail_more_values(Visitor *v)
{
    visit_fail(v, FERRY_ERROR_MISMATCH, NULL, "the stream has %zu values more than the destination",
               count_elements(level(v)->in));
}

static void in_struct_end(Visitor *v)
{
    const BerLevel *l = level(v);
    ByteIn in = l->in;
    BerElement e;

    /* a struct without fields has nothing, so that it has content */
    bool empty = in.pos == 0 && in.len == 3 && !ber_next(&in, &e) && is_nothing(&e);
    if (byte_in_left(&l->in) && !empty)
        fail_more_values(v);
    else
        leave(v);
}

static void in_list_start(Visitor *v, const char *name, size_t count, size_t elem_size)
{
    BerElement e;

    (void)elem_size;
    (void)name;
    if (!next(v, NULL, &e))
        return;
    if (!ber_is(&e, BER_CONSTRUCTED | BER_UNIVERSAL, BER_SEQUENCE)) {
        fail_kind(v, NULL, &e, "an array of structs");
        return;
    }
    ByteIn content;
    byte_in_init(&content, e.content, e.len);
    size_t found = count_elements(content);
    if (found != count && !is_cut(v, e.content + e.len))
        fail_count(v, NULL, "elements", found, count);
    else
        enter(v, &e);
}

static void in_list_end(Visitor *v)
{
    leave(v);
}

static void in_optional(Visitor *v, const char *name, bool *present)
{
    BerLevel *l = level(v);
    size_t pos = l->in.pos;
    BerElement e;

    if (!next(v, name, &e))
        return;
    *present = !ber_is(&e, BER_UNIVERSAL, BER_NULL);
    if (*present)
        l->in.pos = pos;
}

static bool in_subsection_next(Visitor *v, const char *parent, VisitSubsection *found)
{
    BerLevel *l = level(v);
    size_t pos = l->in.pos;
    BerElement e;

    (void)parent;
    if (byte_in_left(&l->in) == 0 || !next(v, NULL, &e))
        return false;
    l->in.pos = pos;
    if (pos == 0 && is_nothing(&e) && l->in.len == 3)
        return false;
    if (e.form != (BER_CONTEXT | BER_CONSTRUCTED)) {
        fail_more_values(v);
        return false;
    }
    found->index = (int)e.tag;
    return true;
}

static void in_subsection_start(Visitor *v, int index, const char *name, int version)
{
    BerElement e;

    (void)index;
    (void)name;
    (void)version;
    if (next(v, NULL, &e))
        enter(v, &e);
}

/* Finds where the values of the open struct start; the first subsection ends them. */
static bool index_values(Visitor *v)
{
    BerLevel *l = level(v);
    ByteIn in = l->in;
    BerElement e;

    l->starts = g_array_new(FALSE, FALSE, sizeof(size_t));
    in.pos = 0;
    while (byte_in_left(&in)) {
        size_t start = in.pos;
        const char *wrong = ber_next(&in, &e);
        if (is_cut(v, wrong ? in.data + in.len : e.content)) {
            l->behind = start;
            return true;
        }
        if (wrong) {
            visit_fail(v, FERRY_ERROR_DAMAGED, NULL, "%s", wrong);
            return false;
        }
        l->behind = start;
        if (e.form == (BER_CONTEXT | BER_CONSTRUCTED))
            return true;
        g_array_append_val(l->starts, start);
    }
    l->behind = in.len;
    return true;
}

static void in_select(Visitor *v, size_t index)
{
    BerLevel *l = level(v);

    if (!l->starts && !index_values(v))
        return;
    if (index >= l->starts->len && is_cut(v, l->in.data + l->in.len))
        visit_fail(v, FERRY_ERROR_CUT, NULL, "the input ends here");
    else if (index >= l->starts->len)
        visit_fail(v, FERRY_ERROR_DAMAGED, NULL, "the schema has a field number %zu, the struct only %u values", index,
                   l->starts->len);
    else
        l->in.pos = g_array_index(l->starts, size_t, index);
}

static void in_skip_fields(Visitor *v)
{
    BerLevel *l = level(v);

    if (l->starts || index_values(v))
        l->in.pos = l->behind;
}

/* --- values ----------------------------------------------------------------------------------------------------- */

static void store_integer(Visitor *v, const char *name, const BerElement *e, Scalar scalar, void *value)
{
    Integer n;

    if (!ber_get_integer(e, &n)) {
        visit_fail(v, FERRY_ERROR_DAMAGED, name,
                   "an INTEGER of %zu octets is not one of at most 64 bits in the fewest octets", e->len);
    } else if (!scalar_fits(scalar, n)) {
        if (n.negative)
            visit_fail(v, FERRY_ERROR_MISMATCH, name, "the value %" G_GINT64_FORMAT " does not fit %s", (gint64)n.bits,
                       scalar_name(scalar));
        else
            visit_fail(v, FERRY_ERROR_MISMATCH, name, "the value %" G_GUINT64_FORMAT " does not fit %s", n.bits,
                       scalar_name(scalar));
    } else {
        scalar_set(scalar, value, n);
    }
}

static void store_scalar(Visitor *v, const char *name, const BerElement *e, Scalar scalar, void *value)
{
    if (scalar == SCALAR_BOOL && ber_is(e, BER_UNIVERSAL, BER_BOOLEAN) && e->len == 1)
        *(bool *)value = e->content[0] != 0;
    else if (scalar == SCALAR_FLOAT64 && is_opaque(e) && e->len == 9 && e->content[0] == 0)
        bytes_swap_be(value, e->content + 1, 8, 1);
    else if (scalar_is_integer(scalar) &&
             (ber_is(e, BER_UNIVERSAL, BER_INTEGER) || ber_is(e, BER_CONTEXT, BER_VALUE_NEGATIVE)))
        store_integer(v, name, e, scalar, value);
    else
        fail_kind(v, name, e, scalar_name(scalar));
}

static void in_scalar(Visitor *v, const char *name, Scalar scalar, void *value)
{
    BerElement e;

    if (next(v, name, &e))
        store_scalar(v, name, &e, scalar, value);
}

/* An array that the stream has as octets; the destination may have wider integers. */
static void store_octets(Visitor *v, const char *name, const BerElement *e, Scalar scalar, uint8_t *values,
                         size_t count)
{
    const uint8_t *octets;
    size_t len;

    if (!take_opaque(v, name, e, &octets, &len))
        return;
    if (len != count) {
        fail_count(v, name, "elements", len, count);
        return;
    }
    if (scalar == SCALAR_UINT8 && count) {
        memcpy(values, octets, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        Integer n = {.bits = octets[i]};
        if (!scalar_fits(scalar, n)) {
            visit_fail(v, FERRY_ERROR_MISMATCH, name, "the value %u does not fit %s", octets[i], scalar_name(scalar));
            return;
        }
        scalar_set(scalar, values + i * scalar_width(scalar), n);
    }
}

static void in_array(Visitor *v, const char *name, Scalar scalar, void *values, size_t count)
{
    unsigned width = scalar_width(scalar);
    BerElement array, e;
    size_t i = 0;

    if (!next(v, name, &array))
        return;
    if (scalar_is_integer(scalar) && is_opaque(&array)) {
        store_octets(v, name, &array, scalar, values, count);
        return;
    }
    if (!ber_is(&array, BER_CONSTRUCTED | BER_UNIVERSAL, BER_SEQUENCE)) {
        fail_kind(v, name, &array, "an array");
        return;
    }
    size_t start = ((BerIn *)v)->last;
    enter(v, &array);
    for (; i < count && byte_in_left(&level(v)->in) && next(v, name, &e); i++)
        store_scalar(v, name, &e, scalar, (uint8_t *)values + i * width);
    size_t found = i + count_elements(level(v)->in);
    leave(v);
    ((BerIn *)v)->last = start;
    if (!v->error && found != count)
        fail_count(v, name, "elements", found, count);
}

static void in_buffer(Visitor *v, const char *name, void *data, size_t len)
{
    const uint8_t *octets;
    size_t found;

    if (!next_opaque(v, name, "octets", &octets, &found))
        return;
    if (found != len)
        fail_count(v, name, "octets", found, len);
    else if (len)
        memcpy(data, octets, len);
}

static void in_unused(Visitor *v, const char *name, void *data, size_t len)
{
    const uint8_t *octets;
    size_t found = 0;
    BerElement e;

    if (!next(v, name, &e))
        return;
    octets = e.content;
    if (!is_nothing(&e) && !is_opaque(&e))
        fail_kind(v, name, &e, "a pad");
    else if ((is_nothing(&e) || take_opaque(v, name, &e, &octets, &found)) && len) {
        memset(data, 0, len);
        memcpy(data, octets, MIN(found, len));
    }
}

static void in_octets(Visitor *v, const char *name, const char *type, void *data, size_t len)
{
    (void)type;
    in_buffer(v, name, data, len);
}

static void in_bitmap(Visitor *v, const char *name, uint64_t *words, size_t bits)
{
    BerElement e;

    if (!next(v, name, &e))
        return;
    if (!ber_is(&e, BER_CONTEXT, BER_VALUE_BITMAP)) {
        fail_kind(v, name, &e, "a bitmap");
        return;
    }
    if (e.len == 0 || e.content[0] > 7 || (e.len == 1 && e.content[0])) {
        visit_fail(v, FERRY_ERROR_DAMAGED, name, "a BIT STRING does not tell its length");
        return;
    }
    if ((e.len - 1) * 8 - e.content[0] != bits) {
        fail_count(v, name, "bits", (e.len - 1) * 8 - e.content[0], bits);
        return;
    }
    for (size_t w = 0; w < (bits + 63) / 64; w++) {
        uint64_t word = 0;
        for (size_t i = w * 64; i < MIN(bits, w * 64 + 64); i++)
            if (e.content[1 + i / 8] & (0x80 >> (i % 8)))
                word |= UINT64_C(1) << (i % 64);
        memcpy((uint8_t *)words + w * 8, &word, 8);
    }
}

static void in_string(Visitor *v, const char *name, char **text)
{
    BerElement e;

    if (!next(v, name, &e))
        return;
    if (is_nothing(&e)) {
        e.len = 0;
    } else if (!ber_is(&e, BER_UNIVERSAL, BER_UTF8_STRING)) {
        fail_kind(v, name, &e, "a string");
        return;
    }
    if (!g_utf8_validate_len((const char *)e.content, e.len, NULL)) {
        visit_fail(v, FERRY_ERROR_DAMAGED, name, "a UTF8String is not UTF-8");
        return;
    }
    g_free(*text);
    *text = g_strndup((const char *)e.content, e.len);
}

static int64_t in_offset(const Visitor *v)
{
    const BerIn *b = (const BerIn *)v;

    return (int64_t)(b->levels[b->depth].offset + b->last);
}

static void in_free(Visitor *v)
{
    BerIn *b = (BerIn *)v;

    while (b->depth)
        leave(v);
    g_free(b);
}

static const VisitorOps ops = {
    .load = true,
    .struct_start = in_struct_start,
    .struct_end = in_struct_end,
    .list_start = in_list_start,
    .list_end = in_list_end,
    .optional = in_optional,
    .subsection_next = in_subsection_next,
    .subsection_start = in_subsection_start,
    .subsection_end = in_struct_end,
    .select = in_select,
    .skip_fields = in_skip_fields,
    .scalar = in_scalar,
    .array = in_array,
    .buffer = in_buffer,
    .unused = in_unused,
    .octets = in_octets,
    .bitmap = in_bitmap,
    .string = in_string,
    .offset = in_offset,
    .free = in_free,
};

Visitor *ber_in_new(const void *data, size_t len, uint64_t offset, const char *root, unsigned form, uint32_t tag)
{
    BerIn *b = g_new0(BerIn, 1);

    visitor_init(&b->v, &ops, root);
    byte_in_init(&b->levels[0].in, data, len);
    b->levels[0].offset = offset;
    b->form = form;
    b->tag = tag;
    return &b->v;
}

void ber_in_limit(Visitor *v, size_t available)
{
    BerIn *b = (BerIn *)v;

    b->limit = b->levels[0].in.data + available;
}
