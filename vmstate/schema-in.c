/* schema-in.c: reads the schema of a BER stream. Source: the types Schema, Type, Field in visitors/vmstate.asn1. */
#include <string.h>

#include "vmstate/berstream.h"

struct SchemaReader {
    Schema *schema;
    GPtrArray *types; /* descriptions, by number */
};

SchemaReader *schema_reader_new(Schema *schema)
{
    SchemaReader *r = g_new0(SchemaReader, 1);

    r->schema = schema;
    r->types = g_ptr_array_new();
    return r;
}

void schema_reader_free(SchemaReader *r)
{
    if (!r)
        return;
    g_ptr_array_unref(r->types);
    g_free(r);
}

/* --- fields ----------------------------------------------------------------------------------------------------- */

/* A field under construction; the strings are the reader's until the builder has copied them. */
typedef struct Draft {
    VMStateField field;
    char *name, *type, *counted_by;
} Draft;

static void draft_clear(Draft *d)
{
    g_free(d->name);
    g_free(d->type);
    g_free(d->counted_by);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Draft, draft_clear)

static bool read_attribute(SchemaReader *r, BerCursor *c, const BerElement *e, Draft *d)
{
    VMStateField *f = &d->field;
    uint64_t n = 0;

    if (e->form != BER_CONTEXT)
        return ber_cursor_fail(c, "an attribute of field \"%s\" that is not context-specific and primitive", d->name);
    switch (e->tag) {
    case 0:
        f->array = true;
        return ber_cursor_to_number(c, e, VMS_COUNT_MAX, &f->count);
    case 1:
        if (!ber_cursor_to_number(c, e, G_MAXUINT32, &n))
            return false;
        if (n >= r->types->len)
            return ber_cursor_fail(c, "field \"%s\" is of type %" G_GUINT64_FORMAT ", there are %u so far", d->name, n,
                                   r->types->len);
        f->desc = g_ptr_array_index(r->types, n);
        return true;
    case 2:
        return ber_cursor_to_number(c, e, VMS_STATE_MAX, &f->size);
    case 3:
        return ber_cursor_to_text(c, e, &d->type);
    case 4:
        if (!ber_cursor_to_number(c, e, VMS_FLAGS_WIRE, &n))
            return false;
        f->flags |= (uint32_t)n;
        return true;
    case 5:
        return ber_cursor_to_text(c, e, &d->counted_by);
    case 6:
        if (!ber_cursor_to_number(c, e, G_MAXINT32, &n))
            return false;
        f->since = (int)n;
        return true;
    case 7:
        if (!ber_cursor_to_number(c, e, VMS_COUNT_MAX, &n))
            return false;
        f->index = (int)n + 1;
        return true;
    default:
        return ber_cursor_fail(c, "attribute [%u] of field \"%s\" is not known", e->tag, d->name);
    }
}

static bool set_kind(const BerCursor *c, Draft *d, uint64_t kind)
{
    VMStateField *f = &d->field;

    if (kind < SCALAR_COUNT) {
        f->kind = VMS_SCALAR;
        f->scalar = (uint8_t)kind;
    } else if (kind >= VMS_BUFFER && kind <= VMS_OCTETS) {
        f->kind = (uint8_t)kind;
    } else {
        return ber_cursor_fail(c, "field \"%s\" is of kind %" G_GUINT64_FORMAT ", which is none", d->name, kind);
    }
    return true;
}

/* What the kind needs must be there, and nothing else. */
static bool check_draft(const BerCursor *c, const Draft *d)
{
    const VMStateField *f = &d->field;

    if ((f->kind == VMS_STRUCT) != (f->desc != NULL))
        return ber_cursor_fail(c, "field \"%s\": a struct, and only a struct, has a type", d->name);
    if (vms_is_array(f) && (f->kind == VMS_STRING || f->kind == VMS_BITMAP))
        return ber_cursor_fail(c, "field \"%s\": there are no arrays of strings or bitmaps", d->name);
    if (d->counted_by && !vms_is_array(f))
        return ber_cursor_fail(c, "field \"%s\": only an array is counted", d->name);
    if (f->size && (f->kind == VMS_SCALAR || f->kind == VMS_STRUCT || f->kind == VMS_STRING))
        return ber_cursor_fail(c, "field \"%s\": its kind has no size of its own", d->name);
    return true;
}

static bool read_full_field(SchemaReader *r, BerCursor *c, Draft *d)
{
    uint64_t kind = 0;
    BerElement e;

    if (!ber_cursor_text(c, &d->name) || !ber_cursor_enumerated(c, G_MAXUINT8, &kind) || !set_kind(c, d, kind))
        return false;
    while (ber_cursor_more(c))
        if (!ber_cursor_next(c, &e) || !read_attribute(r, c, &e, d))
            return false;
    return check_draft(c, d);
}

static bool read_field(SchemaReader *r, BerCursor *c, TypeBuilder *b)
{
    g_auto(Draft) d = {.field = {.count = 1}};
    BerCursor inner = *c;
    BerElement e;

    if (!ber_cursor_next(&inner, &e))
        return false;
    if (ber_is(&e, BER_CONTEXT | BER_CONSTRUCTED, 16)) {
        if (!ber_cursor_enter(c, BER_CONTEXT, 16, &inner) || !read_full_field(r, &inner, &d))
            return false;
    } else if (e.form == BER_CONTEXT && e.tag < SCALAR_COUNT) {
        if (!ber_cursor_next(c, &e) || !ber_cursor_to_text(c, &e, &d.name) || !set_kind(c, &d, e.tag))
            return false;
    } else {
        g_autofree char *found = ber_tag_name(e.form, e.tag);
        return ber_cursor_fail(c, "%s is no field", found);
    }
    d.field.name = d.name;
    d.field.type = d.type;
    d.field.counted_by = d.counted_by;
    type_builder_field(b, &d.field);
    return true;
}

/* --- types ------------------------------------------------------------------------------------------------------ */

static bool read_subsections(SchemaReader *r, BerCursor *c, TypeBuilder *b)
{
    while (ber_cursor_more(c)) {
        uint64_t type, flags;
        bool flagged;
        BerCursor sub;
        if (!ber_cursor_enter(c, BER_UNIVERSAL, BER_SEQUENCE, &sub) || !ber_cursor_number(&sub, G_MAXUINT32, &type))
            return false;
        if (type >= r->types->len)
            return ber_cursor_fail(&sub, "a subsection of type %" G_GUINT64_FORMAT ", there are %u so far", type,
                                   r->types->len);
        if (!ber_cursor_optional_number(&sub, 0, VMS_FLAGS_WIRE, &flags, &flagged))
            return false;
        if (!ber_cursor_end(&sub))
            return false;
        type_builder_subsection(b, g_ptr_array_index(r->types, type), (uint32_t)flags);
    }
    return true;
}

/* The members of a Type after its version. */
static bool read_type_rest(SchemaReader *r, BerCursor *c, TypeBuilder *b)
{
    BerCursor inner;

    if (!ber_cursor_enter(c, BER_UNIVERSAL, BER_SEQUENCE, &inner))
        return false;
    while (ber_cursor_more(&inner))
        if (!read_field(r, &inner, b))
            return false;
    if (ber_cursor_more(c) && (!ber_cursor_enter(c, BER_CONTEXT, 1, &inner) || !read_subsections(r, &inner, b)))
        return false;
    return ber_cursor_end(c);
}

static bool read_type(SchemaReader *r, BerCursor *c)
{
    g_autofree char *name = NULL;
    uint64_t version, minimum;
    GError *wrong = NULL;
    bool has_minimum;

    if (!ber_cursor_text(c, &name) || !ber_cursor_number(c, G_MAXINT32, &version))
        return false;
    if (!ber_cursor_optional_number(c, 0, G_MAXINT32, &minimum, &has_minimum))
        return false;
    g_autoptr(TypeBuilder) b = type_builder_new(r->schema, name, (int)version, has_minimum ? (int)minimum : -1);
    if (!read_type_rest(r, c, b))
        return false;
    const VMStateDescription *desc = type_builder_finish(g_steal_pointer(&b), &wrong);
    if (!desc) {
        ber_cursor_fail(c, "%s", wrong->message);
        g_error_free(wrong);
        return false;
    }
    g_ptr_array_add(r->types, (void *)desc);
    return true;
}

static bool read_section(SchemaReader *r, BerCursor *c)
{
    SchemaSection section = {.octets = -1};
    g_autofree char *name = NULL;
    uint64_t instance, version, type;
    bool typed;

    if (!ber_cursor_text(c, &name) || !ber_cursor_number(c, G_MAXUINT32, &instance) ||
        !ber_cursor_number(c, G_MAXINT32, &version))
        return false;
    if (strlen(name) == 0 || strlen(name) > VMS_NAME_MAX)
        return ber_cursor_fail(c, "a section's name has no or more than 255 octets");
    if (!ber_cursor_optional_number(c, 0, G_MAXUINT32, &type, &typed))
        return false;
    if (typed) {
        if (type >= r->types->len)
            return ber_cursor_fail(c, "section %s is of type %" G_GUINT64_FORMAT ", there are %u so far", name, type,
                                   r->types->len);
        section.desc = g_ptr_array_index(r->types, type);
    }
    if (!ber_cursor_end(c))
        return false;
    section.name = name;
    section.instance = (uint32_t)instance;
    section.version = (int)version;
    return schema_add_section(r->schema, &section, c->error);
}

bool schema_reader_take(SchemaReader *r, BerCursor *record)
{
    BerCursor list, item;

    if (!ber_cursor_enter(record, BER_UNIVERSAL, BER_SEQUENCE, &list))
        return false;
    while (ber_cursor_more(&list))
        if (!ber_cursor_enter(&list, BER_UNIVERSAL, BER_SEQUENCE, &item) || !read_type(r, &item))
            return false;
    if (!ber_cursor_enter(record, BER_UNIVERSAL, BER_SEQUENCE, &list))
        return false;
    while (ber_cursor_more(&list))
        if (!ber_cursor_enter(&list, BER_UNIVERSAL, BER_SEQUENCE, &item) || !read_section(r, &item))
            return false;
    return true;
}
