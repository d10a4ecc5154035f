/*
 * schema-out.c: writes the schema of a BER stream. Source: the types Schema, Type, Field in visitors/vmstate.asn1.
 *
 * A type is written after the types it refers to. Two descriptions that come out as the same octets are one type,
 * whoever owns them.
 */
#include <string.h>

#include "vmstate/berstream.h"

struct SchemaWriter {
    GHashTable *by_octets; /* GBytes of a Type -> its number + 1 */
    GHashTable *by_desc;   /* description -> the same; only while a record is written */
    GPtrArray *fresh;      /* GBytes of the types of this record */
    unsigned depth;
};

SchemaWriter *schema_writer_new(void)
{
    SchemaWriter *w = g_new0(SchemaWriter, 1);

    w->by_octets = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    w->by_desc = g_hash_table_new(NULL, NULL);
    w->fresh = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    return w;
}

void schema_writer_free(SchemaWriter *w)
{
    if (!w)
        return;
    g_hash_table_unref(w->by_octets);
    g_hash_table_unref(w->by_desc);
    g_ptr_array_unref(w->fresh);
    g_free(w);
}

static int put_type(SchemaWriter *w, const VMStateDescription *desc, GError **error);

static void put_optional(ByteOut *out, uint32_t tag, uint64_t value)
{
    ber_put_integer_as(out, BER_CONTEXT, tag, (Integer){.bits = value});
}

/* The kind as the schema has it: scalars by their own number. */
static unsigned kind_number(const VMStateField *f)
{
    return f->kind == VMS_SCALAR ? f->scalar : f->kind;
}

/* How much there is of one element, where the kind does not say; 0 otherwise. */
static size_t stated_size(const VMStateField *f)
{
    return f->kind == VMS_SCALAR || f->kind == VMS_STRUCT || f->kind == VMS_STRING ? 0 : f->size;
}

static uint32_t wire_flags(const VMStateField *f)
{
    return (f->flags & VMS_FLAGS_WIRE) | (vms_is_optional(f) ? VMS_OPTIONAL : 0);
}

static bool put_field(SchemaWriter *w, ByteOut *out, const VMStateField *f, GError **error)
{
    uint32_t flags = wire_flags(f);
    int type = f->kind == VMS_STRUCT ? put_type(w, f->desc, error) : 0;

    if (type < 0)
        return false;
    if (f->kind == VMS_SCALAR && !vms_is_array(f) && !f->type && !flags && f->since == 0 && !f->index) {
        ber_put_octets_as(out, BER_CONTEXT, f->scalar, f->name, strlen(f->name));
        return true;
    }
    size_t mark = ber_start(out, BER_CONTEXT, 16);
    ber_put_text(out, f->name);
    ber_put_integer_as(out, BER_UNIVERSAL, BER_ENUMERATED, (Integer){.bits = kind_number(f)});
    if (vms_is_array(f))
        put_optional(out, 0, f->count);
    if (f->kind == VMS_STRUCT)
        put_optional(out, 1, (uint64_t)type);
    if (stated_size(f))
        put_optional(out, 2, stated_size(f));
    if (f->type)
        ber_put_octets_as(out, BER_CONTEXT, 3, f->type, strlen(f->type));
    if (flags)
        put_optional(out, 4, flags);
    if (f->counted_by)
        ber_put_octets_as(out, BER_CONTEXT, 5, f->counted_by, strlen(f->counted_by));
    if (f->since)
        put_optional(out, 6, (uint64_t)f->since);
    if (f->index)
        put_optional(out, 7, (uint64_t)f->index - 1);
    ber_end(out, mark);
    return true;
}

static bool put_subsections(SchemaWriter *w, ByteOut *out, const VMStateDescription *desc, GError **error)
{
    size_t n = vms_subsection_count(desc);

    if (!n)
        return true;
    size_t mark = ber_start(out, BER_CONTEXT, 1);
    for (size_t i = 0; i < n; i++) {
        int type = put_type(w, desc->subsections[i].desc, error);
        if (type < 0)
            return false;
        size_t sub = ber_start(out, BER_UNIVERSAL, BER_SEQUENCE);
        ber_put_uint(out, (uint64_t)type);
        if (desc->subsections[i].flags & VMS_SKIPPABLE)
            put_optional(out, 0, VMS_SKIPPABLE);
        ber_end(out, sub);
    }
    ber_end(out, mark);
    return true;
}

static bool put_members(SchemaWriter *w, ByteOut *out, const VMStateDescription *desc, GError **error)
{
    size_t mark = ber_start(out, BER_UNIVERSAL, BER_SEQUENCE);

    ber_put_text(out, desc->name);
    ber_put_uint(out, (uint64_t)desc->version);
    if (desc->minimum >= 0)
        put_optional(out, 0, (uint64_t)desc->minimum);
    size_t fields = ber_start(out, BER_UNIVERSAL, BER_SEQUENCE);
    for (const VMStateField *f = desc->fields; f->name; f++)
        if (!put_field(w, out, f, error))
            return false;
    ber_end(out, fields);
    if (!put_subsections(w, out, desc, error))
        return false;
    ber_end(out, mark);
    return true;
}

/* The number of a type, which is written first if it is new; -1 with an error. */
static int put_type(SchemaWriter *w, const VMStateDescription *desc, GError **error)
{
    ByteOut out = {0};
    int number = GPOINTER_TO_INT(g_hash_table_lookup(w->by_desc, desc));

    if (number)
        return number - 1;
    if (w->depth > VMS_DEPTH_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "type %s: structs are nested deeper than %d", desc->name,
                    VMS_DEPTH_MAX);
        return -1;
    }
    w->depth++;
    bool ok = put_members(w, &out, desc, error);
    w->depth--;
    GBytes *octets = g_bytes_new_take(out.data, out.len);
    if (!ok) {
        g_bytes_unref(octets);
        return -1;
    }
    number = GPOINTER_TO_INT(g_hash_table_lookup(w->by_octets, octets));
    if (!number) {
        number = (int)g_hash_table_size(w->by_octets) + 1;
        g_hash_table_insert(w->by_octets, g_bytes_ref(octets), GINT_TO_POINTER(number));
        g_ptr_array_add(w->fresh, g_bytes_ref(octets));
    }
    g_bytes_unref(octets);
    g_hash_table_insert(w->by_desc, (void *)desc, GINT_TO_POINTER(number));
    return number - 1;
}

static bool put_section(SchemaWriter *w, ByteOut *out, const SchemaSection *section, GError **error)
{
    int type = section->desc ? put_type(w, section->desc, error) : 0;

    if (type < 0)
        return false;
    size_t mark = ber_start(out, BER_UNIVERSAL, BER_SEQUENCE);
    ber_put_text(out, section->name);
    ber_put_uint(out, section->instance);
    ber_put_uint(out, (uint64_t)section->version);
    if (section->desc)
        put_optional(out, 0, (uint64_t)type);
    ber_end(out, mark);
    return true;
}

bool schema_writer_put(SchemaWriter *w, ByteOut *out, const Schema *schema, size_t first, GError **error)
{
    ByteOut sections = {0};
    bool ok = true;

    g_hash_table_remove_all(w->by_desc);
    g_ptr_array_set_size(w->fresh, 0);
    for (size_t i = first; ok && i < schema_section_count(schema); i++)
        ok = put_section(w, &sections, schema_section(schema, i), error);
    size_t types = ber_start(out, BER_UNIVERSAL, BER_SEQUENCE);
    for (guint i = 0; i < w->fresh->len; i++) {
        gsize len;
        const void *octets = g_bytes_get_data(g_ptr_array_index(w->fresh, i), &len);
        byte_out_put(out, octets, len);
    }
    ber_end(out, types);
    ber_put_head(out, BER_UNIVERSAL | BER_CONSTRUCTED, BER_SEQUENCE, sections.len);
    byte_out_put(out, sections.data, sections.len);
    byte_out_done(&sections);
    return ok;
}
