/* berstream-device.c: reads Section records. Source: visitors/vmstate.asn1, vmstate/FORMAT.md sections 2.3 and 2.5. */
#include <string.h>

#include "visitors/ber-in.h"
#include "visitors/qemufile-in.h"
#include "vmstate/berstream-load-impl.h"
#include "vmstate/exact.h"
#include "vmstate/state.h"
#include "vmstate/walk.h"

/* A section of zeros costs next to nothing on the wire, so none may come again and again. */
static bool take_turn(BerLoad *l, BerCursor *c, uint64_t number)
{
    guint had = l->seen->len;

    if (had <= number) {
        g_byte_array_set_size(l->seen, (guint)schema_section_count(l->schema));
        memset(l->seen->data + had, 0, l->seen->len - had);
    }
    if (l->seen->data[number])
        return ber_cursor_fail(c, "section number %" G_GUINT64_FORMAT " comes twice", number);
    l->seen->data[number] = true;
    return true;
}

/* The members in front of the body. */
static bool take_head(BerLoad *l, BerCursor *c, StreamSection *s, GError **error)
{
    uint64_t number, id, version;
    bool versioned;

    (void)error;
    if (!ber_cursor_number(c, G_MAXUINT32, &number) || !ber_cursor_number(c, G_MAXUINT32, &id))
        return false;
    if (number >= schema_section_count(l->schema))
        return ber_cursor_fail(c, "section number %" G_GUINT64_FORMAT ", the schema has %zu", number,
                               schema_section_count(l->schema));
    if (!take_turn(l, c, number))
        return false;
    if (!ber_cursor_optional_number(c, 2, G_MAXINT32, &version, &versioned))
        return false;
    const SchemaSection *listed = schema_section(l->schema, number);
    s->name = listed->name;
    s->instance = listed->instance;
    s->version = versioned ? (int)version : listed->version;
    s->id = (uint32_t)id;
    s->configuration = strcmp(listed->name, "configuration") == 0;
    s->desc = listed->desc;
    l->next_section = number + 1;
    return true;
}

/* The body as values. */
static bool load_state(const BerCursor *c, StreamSection *s, void *state, GError **error)
{
    g_autofree char *title = s->instance ? g_strdup_printf("%s[%u]", s->name, s->instance) : g_strdup(s->name);
    g_autoptr(Visitor) v =
        ber_in_new(c->in.data + c->in.pos, byte_in_left(&c->in), c->offset + c->in.pos, title, BER_CONTEXT, 0);

    vmstate_load(v, s->desc, state, s->desc->version, NULL);
    return visit_finish(v, error);
}

/* The body as legacy octets, which a description may explain: wholly, then the state says all, or not. */
static bool explain_octets(StreamSection *s, void *state, char **note)
{
    g_autoptr(ChanIn) in = chan_in_new_memory(s->octets, s->len, s->body);
    g_autoptr(Visitor) v = qemufile_in_new(in, s->name);
    g_autoptr(GError) wrong = NULL;

    vmstate_load(v, s->desc, state, s->version, NULL);
    if (!visit_finish(v, &wrong)) {
        *note = g_strdup_printf("not decoded: %s", wrong->message);
        return false;
    }
    if (chan_in_tell(in) != s->body + s->len) {
        *note = g_strdup("not decoded: its octets are more than its fields");
        return false;
    }
    if (vmstate_is_exact(s->desc, state, s->octets, s->len))
        s->octets = NULL;
    else
        *note = g_strdup("its octets hold more than its fields say");
    return true;
}

static bool tell_octets(BerLoad *l, BerCursor *c, StreamSection *s, GError **error)
{
    g_autofree char *note = NULL;
    void *state = NULL;

    if (!ber_cursor_opaque(c, 1, &s->octets, &s->len) || !ber_cursor_end(c))
        return false;
    s->body = c->offset + (uint64_t)(s->octets - c->in.data);
    const VMStateDescription *desc = s->desc;
    if (desc)
        state = vms_state_new(desc);
    else
        note = g_strdup("the stream has no description of it");
    if (desc && explain_octets(s, state, &note))
        s->state = state;
    else
        s->desc = NULL;
    s->note = note;
    bool ok = SINK(l->sink, section, s, error);
    if (desc)
        vms_state_free(desc, state);
    return ok;
}

bool berload_section(BerLoad *l, BerRecord *r, GError **error)
{
    StreamSection s = {.offset = r->offset};
    BerCursor *c = &r->members;
    BerElement e;

    if (!take_head(l, c, &s, error))
        return false;
    if (ber_cursor_is(c, BER_CONTEXT, 1))
        return tell_octets(l, c, &s, error);
    if (!s.desc)
        return ber_cursor_fail(c, "values of a section that the schema does not describe");
    s.body = c->offset + c->in.pos;
    void *state = vms_state_new(s.desc);
    bool ok = load_state(c, &s, state, error);
    if (ok) {
        s.state = state;
        s.len = vms_state_wire_size(s.desc, state);
        ok = ber_cursor_next(c, &e) && ber_cursor_end(c) && SINK(l->sink, section, &s, error);
    }
    vms_state_free(s.desc, state);
    return ok;
}

bool berload_cut_section(BerLoad *l, const uint8_t *data, size_t len, uint64_t offset, GError **error)
{
    StreamSection s = {.offset = offset, .cut = true};
    unsigned form;
    uint32_t tag;
    int64_t size;
    int head = ber_read_head(data, len, &form, &tag, &size);
    BerCursor c;

    if (head <= 0 || form != (BER_APPLICATION | BER_CONSTRUCTED) || tag != BERSTREAM_SECTION || size < 0 ||
        size > BERSTREAM_RECORD_MAX)
        return true;
    /* zeros stand for what is missing; the visitor stops before them */
    g_autofree uint8_t *whole = g_malloc0((size_t)head + (size_t)size);
    memcpy(whole, data, MIN(len, (size_t)head + (size_t)size));
    ber_cursor_init(&c, whole + head, (size_t)size, offset + (uint64_t)head, "section", NULL);
    if (!take_head(l, &c, &s, NULL) || len < (size_t)head + c.in.pos)
        return true;
    s.body = c.offset + c.in.pos;
    s.octets = data + head + c.in.pos;
    s.len = len - (size_t)head - c.in.pos;
    g_autofree char *title = s.instance ? g_strdup_printf("%s[%u]", s.name, s.instance) : g_strdup(s.name);
    g_autoptr(Visitor) v = NULL;
    if (s.desc && ber_cursor_is(&c, BER_CONTEXT | BER_CONSTRUCTED, 0)) {
        v = ber_in_new(whole + head + c.in.pos, byte_in_left(&c.in), s.body, title, BER_CONTEXT, 0);
        ber_in_limit(v, s.len);
    } else {
        s.desc = NULL;
    }
    s.partial = v;
    return berload_close_slice(l, error) && SINK(l->sink, section, &s, error);
}
