/*
 * trailer-out.c: the JSON description as QEMU writes it, octet for octet.
 *
 * QEMU describes what it has just saved, so sizes and the presence of fields and subsections come from the state. An
 * array is described by its first element, or element by element if the description says so.
 */
#include <string.h>

#include "vmstate/state.h"
#include "vmstate/trailer-type.h"
#include "vmstate/trailer.h"

struct TrailerWriter {
    GString *text;
    bool first; /* no device yet */
};

TrailerWriter *trailer_writer_new(void)
{
    TrailerWriter *w = g_new0(TrailerWriter, 1);

    w->text = g_string_new("{\"page_size\": 4096, \"devices\": [");
    w->first = true;
    return w;
}

void trailer_writer_free(TrailerWriter *w)
{
    if (!w)
        return;
    g_string_free(w->text, TRUE);
    g_free(w);
}

static void put_quoted(GString *s, const char *text)
{
    g_string_append_c(s, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            g_string_append_c(s, '\\');
        g_string_append_c(s, *text);
    }
    g_string_append_c(s, '"');
}

static void put_string(GString *s, const char *key, const char *text)
{
    g_string_append_printf(s, "\"%s\": ", key);
    put_quoted(s, text);
}

static void put_struct(GString *s, const VMStateDescription *desc, const void *state);

/* The members that say what a field or an element is; `size` is that of one element. */
static void put_field(GString *s, const VMStateField *f, const char *where, size_t number, const void *element,
                      size_t size)
{
    g_string_append_c(s, '{');
    put_string(s, "name", f->name);
    if (where)
        g_string_append_printf(s, ", \"%s\": %zu", where, number);
    g_string_append(s, ", ");
    put_string(s, "type", trailer_type_name(f));
    if (f->kind == VMS_STRUCT && f->flags & VMS_INLINE) {
        g_string_append(s, ", ");
        put_struct(s, f->desc, element);
    } else if (f->kind == VMS_STRUCT) {
        g_string_append(s, ", \"struct\": {");
        put_struct(s, f->desc, element);
        g_string_append_c(s, '}');
    }
    g_string_append_printf(s, ", \"size\": %zu}", size);
}

static size_t element_wire_size(const VMStateField *f, const void *element)
{
    return f->kind == VMS_STRUCT ? vms_state_wire_size(f->desc, element) : vms_field_wire_size(f);
}

/* A field as one entry, or as many as it has elements. */
static void put_entries(GString *s, const VMStateField *f, const void *state, bool *first)
{
    size_t used = vms_field_count_used(f, state);
    const char *data = f->offset == VMS_NOWHERE ? NULL : vms_field_data(f, state);
    bool whole = !vms_is_array(f) || trailer_type_is_whole(f);

    if (used == 0)
        return;
    if (f->flags & VMS_LISTED) {
        for (size_t i = 0; i < used; i++) {
            const char *element = data + i * f->size;
            g_string_append(s, *first ? "" : ", ");
            *first = false;
            put_field(s, f, "index", i, element, element_wire_size(f, element));
        }
        return;
    }
    g_string_append(s, *first ? "" : ", ");
    *first = false;
    if (f->index)
        put_field(s, f, "index", (size_t)f->index - 1, data, vms_field_state_wire_size(f, state));
    else if (whole)
        put_field(s, f, NULL, 0, data, vms_field_state_wire_size(f, state));
    else
        put_field(s, f, "array_len", used, data, element_wire_size(f, data));
}

static void put_subsections(GString *s, const VMStateDescription *desc, const void *state)
{
    bool first = true;

    for (const VMStateSubsection *sub = vms_subsections(desc); sub->desc; sub++) {
        if (!vms_subsection_needed(sub, state))
            continue;
        g_string_append(s, first ? ", \"subsections\": [{" : ", {");
        first = false;
        put_struct(s, sub->desc, state);
        g_string_append_c(s, '}');
    }
    if (!first)
        g_string_append_c(s, ']');
}

static void put_struct(GString *s, const VMStateDescription *desc, const void *state)
{
    bool first = true;

    put_string(s, "vmsd_name", desc->name);
    g_string_append_printf(s, ", \"version\": %d, \"fields\": [", desc->version);
    for (const VMStateField *f = desc->fields; f->name; f++)
        if (vms_field_present(f, state, desc->version))
            put_entries(s, f, state, &first);
    g_string_append_c(s, ']');
    put_subsections(s, desc, state);
}

void trailer_writer_add(TrailerWriter *w, const char *name, uint32_t instance, const VMStateDescription *desc,
                        const void *state, size_t octets)
{
    GString *s = w->text;

    g_string_append(s, w->first ? "{" : ", {");
    w->first = false;
    put_string(s, "name", name);
    g_string_append_printf(s, ", \"instance_id\": %u, ", instance);
    if (desc)
        put_struct(s, desc, state);
    else
        g_string_append_printf(s,
                               "\"size\": %zu, \"fields\": [{\"name\": \"data\", \"size\": %zu, \"type\": \"buffer\"}]",
                               octets, octets);
    g_string_append_c(s, '}');
}

const GString *trailer_writer_end(TrailerWriter *w)
{
    g_string_append(w->text, "]}");
    return w->text;
}
