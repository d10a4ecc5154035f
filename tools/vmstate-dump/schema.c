/*
 * schema.c: what a stream says about itself: every type once, then which section is of which.
 */
#include <string.h>

#include "tools/vmstate-dump/dump.h"
#include "visitors/json-write.h"
#include "vmstate/match.h"
#include "vmstate/stream-load.h"

typedef struct SchemaDump {
    StreamSink sink;
    ChanOut *out;
    DumpWish *wish;
    JsonWrite *json;   /* NULL: text */
    GHashTable *types; /* description -> number + 1 */
    GPtrArray *order;  /* descriptions, those that others need first */
    GPtrArray *lines;  /* of the sections */
} SchemaDump;

static SchemaDump *dump_of(StreamSink *sink)
{
    return (SchemaDump *)sink;
}

static void put(SchemaDump *d, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void put(SchemaDump *d, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    chan_out_put(d->out, text, strlen(text));
}

static unsigned number_type(SchemaDump *d, const VMStateDescription *desc)
{
    unsigned number = GPOINTER_TO_UINT(g_hash_table_lookup(d->types, desc));

    if (number)
        return number - 1;
    for (const VMStateField *f = desc->fields; f->name; f++)
        if (f->kind == VMS_STRUCT)
            number_type(d, f->desc);
    for (size_t i = 0; i < vms_subsection_count(desc); i++)
        number_type(d, desc->subsections[i].desc);
    g_ptr_array_add(d->order, (void *)desc);
    number = d->order->len;
    g_hash_table_insert(d->types, (void *)desc, GUINT_TO_POINTER(number));
    return number - 1;
}

/* --- text ------------------------------------------------------------------------------------------------------- */

static void put_flags(SchemaDump *d, const VMStateField *f)
{
    if (vms_is_optional(f))
        put(d, ", optional");
    if (f->flags & VMS_SKIPPABLE)
        put(d, ", skippable");
    if (f->flags & VMS_DEFAULTABLE)
        put(d, ", defaultable");
    if (f->counted_by)
        put(d, ", counted by %s", f->counted_by);
    if (f->since)
        put(d, ", since version %d", f->since);
}

static void put_type(SchemaDump *d, const VMStateDescription *desc)
{
    put(d, "type %u %s, version %d\n", number_type(d, desc), desc->name, desc->version);
    for (const VMStateField *f = desc->fields; f->name; f++) {
        g_autofree char *what = vms_field_describe(f);
        put(d, "    %-40s %s", f->name, what);
        if (f->kind == VMS_STRUCT)
            put(d, " (type %u)", number_type(d, f->desc));
        if (f->index)
            put(d, ", element %d", f->index - 1);
        put_flags(d, f);
        put(d, "\n");
    }
    for (size_t i = 0; i < vms_subsection_count(desc); i++)
        put(d, "    subsection %s, version %d (type %u)\n", desc->subsections[i].desc->name,
            desc->subsections[i].desc->version, number_type(d, desc->subsections[i].desc));
}

/* --- JSON ------------------------------------------------------------------------------------------------------- */

static void json_field(SchemaDump *d, const VMStateField *f)
{
    g_autofree char *what = vms_field_describe(f);
    JsonWrite *json = d->json;

    json_write_object_start(json, NULL);
    json_write_string(json, "name", f->name);
    json_write_string(json, "holds", what);
    if (f->kind == VMS_SCALAR)
        json_write_string(json, "scalar", scalar_name((Scalar)f->scalar));
    if (vms_is_array(f))
        json_write_uint(json, "count", f->count);
    if (f->kind == VMS_STRUCT)
        json_write_uint(json, "type", number_type(d, f->desc));
    else
        json_write_uint(json, "octets", vms_field_wire_size(f));
    if (f->index)
        json_write_uint(json, "index", (uint64_t)f->index - 1);
    if (vms_is_optional(f))
        json_write_bool(json, "optional", true);
    if (f->flags & VMS_SKIPPABLE)
        json_write_bool(json, "skippable", true);
    if (f->flags & VMS_DEFAULTABLE)
        json_write_bool(json, "defaultable", true);
    if (f->counted_by)
        json_write_string(json, "counted-by", f->counted_by);
    if (f->since)
        json_write_uint(json, "since", (uint64_t)f->since);
    json_write_object_end(json);
}

static void json_type(SchemaDump *d, const VMStateDescription *desc)
{
    JsonWrite *json = d->json;

    json_write_object_start(json, NULL);
    json_write_uint(json, "type", number_type(d, desc));
    json_write_string(json, "name", desc->name);
    json_write_uint(json, "version", (uint64_t)desc->version);
    if (desc->minimum >= 0)
        json_write_uint(json, "minimum", (uint64_t)desc->minimum);
    json_write_array_start(json, "fields");
    for (const VMStateField *f = desc->fields; f->name; f++)
        json_field(d, f);
    json_write_array_end(json);
    if (desc->subsections) {
        json_write_array_start(json, "subsections");
        for (size_t i = 0; i < vms_subsection_count(desc); i++)
            json_write_uint(json, NULL, number_type(d, desc->subsections[i].desc));
        json_write_array_end(json);
    }
    json_write_object_end(json);
}

/* --- both ------------------------------------------------------------------------------------------------------- */

static void put_types(SchemaDump *d, guint from)
{
    for (guint i = from; i < d->order->len; i++) {
        const VMStateDescription *desc = g_ptr_array_index(d->order, i);
        if (d->json)
            json_type(d, desc);
        else
            put_type(d, desc);
    }
}

static void add_line(SchemaDump *d, const SchemaSection *s)
{
    g_autofree char *title = stream_section_title(s->name, s->instance);

    if (s->desc)
        g_ptr_array_add(d->lines, g_strdup_printf("section %-36s version %d, type %u\n", title, s->version,
                                                  number_type(d, s->desc)));
    else if (s->version)
        g_ptr_array_add(d->lines, g_strdup_printf("section %-36s version %d, not described\n", title, s->version));
    else /* a QEMUFile's JSON does not tell it */
        g_ptr_array_add(d->lines, g_strdup_printf("section %-36s not described\n", title));
}

static void json_section(SchemaDump *d, const SchemaSection *s)
{
    json_write_object_start(d->json, NULL);
    json_write_string(d->json, "section", s->name);
    json_write_uint(d->json, "instance", s->instance);
    if (s->desc || s->version)
        json_write_uint(d->json, "version", (uint64_t)s->version);
    if (s->desc)
        json_write_uint(d->json, "type", number_type(d, s->desc));
    json_write_object_end(d->json);
}

static bool dump_schema(StreamSink *sink, Schema *schema, size_t first, GError **error)
{
    SchemaDump *d = dump_of(sink);
    guint from = d->order->len;

    (void)error;
    for (size_t i = first; i < schema_section_count(schema); i++) {
        const SchemaSection *s = schema_section(schema, i);
        if (!dump_wants(d->wish, s->name, s->instance))
            continue;
        if (s->desc)
            number_type(d, s->desc);
        if (!d->json)
            add_line(d, s);
    }
    put_types(d, from);
    for (size_t i = first; d->json && i < schema_section_count(schema); i++)
        if (dump_wants(d->wish, schema_section(schema, i)->name, schema_section(schema, i)->instance))
            json_section(d, schema_section(schema, i));
    return true;
}

static const StreamSinkOps ops = {
    .schema = dump_schema,
};

StreamSink *schema_dump_new(ChanOut *out, DumpWish *wish, bool json)
{
    SchemaDump *d = g_new0(SchemaDump, 1);

    d->sink.ops = &ops;
    d->out = out;
    d->wish = wish;
    d->types = g_hash_table_new(NULL, NULL);
    d->order = g_ptr_array_new();
    d->lines = g_ptr_array_new_with_free_func(g_free);
    if (json) {
        d->json = json_write_new(out, 2);
        json_write_array_start(d->json, NULL);
    }
    return &d->sink;
}

void schema_dump_free(StreamSink *sink)
{
    SchemaDump *d = dump_of(sink);

    for (guint i = 0; i < d->lines->len; i++)
        put(d, "%s", (const char *)g_ptr_array_index(d->lines, i));
    if (d->json)
        json_write_close_to(d->json, 0);
    json_write_free(d->json);
    g_hash_table_unref(d->types);
    g_ptr_array_unref(d->order);
    g_ptr_array_unref(d->lines);
    g_free(d);
}
