/*
 * stream-device.c: reads a device section of a QEMUFile stream.
 *
 * If it is described, the walker reads it. A description that does not lead to where the section ends (or cannot say
 * all that the octets do) is not believed: the octets are then handed on, with a note. The end of a section that is not
 * described is searched.
 */
#include <string.h>

#include "vmstate/exact.h"
#include "vmstate/stream-load-impl.h"

typedef struct Device {
    const StreamSlice *slice;
    const char *title;
    StreamSection section; /* what the sink will be told */
    void *state;
    const VMStateDescription *desc;
    GError *wrong; /* why the description was not believed */
    char *note;
} Device;

/* The input stands behind the body: is what follows what should? */
static bool at_end_of_body(StreamLoad *l, const Device *d, GError **error)
{
    size_t got;
    const uint8_t *p;

    if (l->footers)
        return stream_take_footer(l, d->slice->id, d->title, error);
    p = chan_in_peek(l->in, 512, &got);
    l->scan.id = d->slice->id;
    l->scan.footers = false;
    /* a JSON description may follow the end mark, which the search for ends does not count on */
    if (got == 0 || (got > 1 && p[0] == 0x00 && p[1] == 0x06) || stream_scan_element(&l->scan, p, got, got < 512))
        return true;
    return stream_fail(l, error, FERRY_ERROR_DAMAGED, d->title,
                       "at 0x%" G_GINT64_MODIFIER "x, where it should end, no section starts", chan_in_tell(l->in));
}

/* Does the body read as its description says? Otherwise the input stands at its start again. */
static bool read_described(StreamLoad *l, Device *d)
{
    g_autoptr(Visitor) v = qemufile_in_new(l->in, d->title);

    d->state = vms_state_new(d->desc);
    vmstate_load(v, d->desc, d->state, d->slice->version, NULL);
    bool ok = visit_finish(v, &d->wrong);
    size_t len = (size_t)(chan_in_tell(l->in) - d->section.body);
    if (ok)
        ok = at_end_of_body(l, d, &d->wrong);
    if (!ok) {
        chan_in_clear_cut(l->in);
        chan_in_rewind(l->in, d->section.body);
        return false;
    }
    const uint8_t *octets = chan_in_at(l->in, d->section.body);
    d->section.desc = d->desc;
    d->section.state = d->state;
    d->section.len = len;
    if (!vmstate_is_exact(d->desc, d->state, octets, len)) {
        d->section.octets = octets;
        d->note = g_strdup("its octets hold more than its fields say");
    }
    return true;
}

/* Reads the body as octets: `known` of them, or, if that is -1, as many as are found. */
static bool read_octets(StreamLoad *l, Device *d, int64_t known, GError **error)
{
    size_t len = (size_t)known;

    l->scan.id = d->slice->id;
    l->scan.footers = l->footers;
    if (known < 0 && !stream_scan_body(l->in, &l->scan, &len)) {
        if (d->wrong) {
            g_propagate_error(error, g_steal_pointer(&d->wrong));
            return false;
        }
        if (chan_in_need(l->in, STREAM_SCAN_MAX + 1))
            return stream_fail(l, error, FERRY_ERROR_DAMAGED, d->title,
                               "nothing describes it, and its end is not within 16 MiB");
        chan_in_error(l->in, error, "%s @0x%" G_GINT64_MODIFIER "x", d->title, l->element);
        return false;
    }
    if (!chan_in_need(l->in, len)) {
        chan_in_error(l->in, error, "%s @0x%" G_GINT64_MODIFIER "x", d->title, l->element);
        return false;
    }
    chan_in_take(l->in, len);
    if (!stream_take_footer(l, d->slice->id, d->title, error))
        return false;
    d->section.octets = chan_in_at(l->in, d->section.body);
    d->section.len = len;
    return true;
}

/* The description of a section: its own, or that of one like it. `counts` is how often a section of that name has come
 * before. */
static const SchemaSection *find_description(StreamLoad *l, Device *d, unsigned counts)
{
    const SchemaSection *own = schema_find(l->schema, d->slice->name, d->slice->instance, counts);

    if (own && (own->desc || own->octets >= 0))
        return own;
    return l->source->borrowed ? schema_find(l->source->borrowed, d->slice->name, d->slice->instance, counts) : NULL;
}

static unsigned count_seen(StreamLoad *l, const char *title)
{
    unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(l->seen, title));

    g_hash_table_replace(l->seen, g_strdup(title), GUINT_TO_POINTER(n + 1));
    return n;
}

/* The input is cut in this section: the sink is told what there is of it. */
static bool tell_cut_section(StreamLoad *l, Device *d, GError **error)
{
    GError *later = NULL;
    size_t got;

    chan_in_rewind(l->in, d->section.body);
    d->section.octets = chan_in_peek(l->in, G_MAXINT32, &got);
    d->section.len = got;
    d->section.cut = true;
    d->section.desc = d->desc;
    d->section.state = NULL;
    g_autoptr(ChanIn) part = chan_in_new_memory(d->section.octets, got, d->section.body);
    g_autoptr(Visitor) partial = d->desc ? qemufile_in_new(part, d->title) : NULL;
    d->section.partial = partial;
    if (!SINK(l->sink, section, &d->section, &later)) {
        g_clear_error(error);
        g_propagate_error(error, later);
    }
    /* whoever asks is told again that the input is cut */
    chan_in_need(l->in, got + 1);
    return false;
}

static bool read_body(StreamLoad *l, Device *d, const SchemaSection *described, GError **error)
{
    if (described && described->desc && described->desc->version != d->slice->version)
        d->note = g_strdup_printf("not decoded: the section has version %d, its description %d", d->slice->version,
                                  described->desc->version);
    else if (described)
        d->desc = described->desc;
    bool fits = d->desc && read_described(l, d);
    if (!fits && !read_octets(l, d, described && !described->desc ? described->octets : -1, error))
        return false;
    if (!fits && d->wrong)
        d->note = g_strdup_printf("not decoded: %s", d->wrong->message);
    else if (!fits && !d->note)
        d->note =
            g_strdup(described ? "the stream's description does not cover it" : "the stream has no description of it");
    return true;
}

/* A section that the schema does not list is added, so that the sink hears of it first. */
static bool announce(StreamLoad *l, const Device *d, unsigned counts, GError **error)
{
    size_t first = schema_section_count(l->schema);
    SchemaSection found = {
        .name = d->slice->name,
        .instance = d->slice->instance,
        .version = d->slice->version,
        .desc = d->section.desc,
        .octets = (int64_t)d->section.len,
    };

    if (schema_find(l->schema, d->slice->name, d->slice->instance, counts))
        return true;
    return schema_add_section(l->schema, &found, error) && SINK(l->sink, schema, l->schema, first, error);
}

bool stream_read_device(StreamLoad *l, const StreamSlice *slice, GError **error)
{
    g_autofree char *title = stream_section_title(slice->name, slice->instance);
    unsigned counts = count_seen(l, title);
    Device d = {.slice = slice, .title = title};

    d.section = (StreamSection){
        .name = slice->name,
        .instance = slice->instance,
        .version = slice->version,
        .id = slice->id,
        .offset = slice->offset,
        .body = chan_in_tell(l->in),
    };
    bool ok = read_body(l, &d, find_description(l, &d, counts), error);
    if (ok) {
        d.section.note = d.note;
        ok = announce(l, &d, counts, error) && SINK(l->sink, section, &d.section, error);
    } else if (error && g_error_matches(*error, FERRY_ERROR, FERRY_ERROR_CUT)) {
        tell_cut_section(l, &d, error);
    }
    if (d.desc)
        vms_state_free(d.desc, d.state);
    g_clear_error(&d.wrong);
    g_free(d.note);
    return ok;
}
