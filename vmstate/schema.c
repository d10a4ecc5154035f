/*
 * schema.c: descriptions built at run time.
 *
 * A subsection's fields lie in the struct of its parent, so each parent gets a copy of the subsection's description,
 * laid out behind its own fields. Everything that an input can make grow (fields, copies, octets of state) is counted.
 */
#include "vmstate/schema.h"

#include <string.h>

#include "vmstate/match.h"

enum { FIELDS_TOTAL_MAX = 1 << 18, SECTIONS_MAX = 65536 };

/* What each description of a schema really is. */
typedef struct SchemaType {
    VMStateDescription desc;
    const VMStateDescription *origin; /* of a copy that was laid out for a parent */
    unsigned depth;                   /* of nesting, 0 without structs in it */
    bool aligned;                     /* there is a pointer in it */
    size_t subsection_fields;         /* in all subsections, theirs included */
} SchemaType;

struct Schema {
    unsigned refs;
    GArray *sections;    /* of SchemaSection */
    GHashTable *by_name; /* "instance/name" -> GArray of section numbers */
    GStringChunk *strings;
    GPtrArray *owned;  /* descriptions, arrays of fields and of subsections */
    GHashTable *types; /* GBytes that say all -> description */
    size_t fields_total;
};

static const SchemaType *type_of(const VMStateDescription *desc)
{
    return (const SchemaType *)desc;
}

Schema *schema_new(void)
{
    Schema *s = g_new0(Schema, 1);

    s->refs = 1;
    s->sections = g_array_new(FALSE, FALSE, sizeof(SchemaSection));
    s->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    s->strings = g_string_chunk_new(4096);
    s->owned = g_ptr_array_new_with_free_func(g_free);
    s->types = g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
    return s;
}

Schema *schema_ref(Schema *s)
{
    s->refs++;
    return s;
}

void schema_unref(Schema *s)
{
    if (!s || --s->refs)
        return;
    g_array_unref(s->sections);
    g_hash_table_unref(s->by_name);
    g_string_chunk_free(s->strings);
    g_ptr_array_unref(s->owned);
    g_hash_table_unref(s->types);
    g_free(s);
}

static const char *intern(Schema *s, const char *text)
{
    return text ? g_string_chunk_insert_const(s->strings, text) : NULL;
}

static void *own(Schema *s, void *memory)
{
    g_ptr_array_add(s->owned, memory);
    return memory;
}

/* --- sections --------------------------------------------------------------------------------------------------- */

size_t schema_section_count(const Schema *s)
{
    return s->sections->len;
}

const SchemaSection *schema_section(const Schema *s, size_t i)
{
    return &g_array_index(s->sections, SchemaSection, i);
}

static char *section_key(const char *name, uint32_t instance)
{
    return g_strdup_printf("%u/%s", instance, name);
}

const SchemaSection *schema_find(const Schema *s, const char *name, uint32_t instance, unsigned nth)
{
    g_autofree char *key = section_key(name, instance);
    GArray *numbers = g_hash_table_lookup(s->by_name, key);

    return numbers && nth < numbers->len ? schema_section(s, g_array_index(numbers, size_t, nth)) : NULL;
}

bool schema_add_section(Schema *s, const SchemaSection *section, GError **error)
{
    g_autofree char *key = section_key(section->name, section->instance);
    GArray *numbers = g_hash_table_lookup(s->by_name, key);
    SchemaSection copy = *section;
    size_t number = s->sections->len;

    if (number == SECTIONS_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "more than %d sections", SECTIONS_MAX);
        return false;
    }
    copy.name = intern(s, section->name);
    g_array_append_val(s->sections, copy);
    if (!numbers) {
        numbers = g_array_new(FALSE, FALSE, sizeof(size_t));
        g_hash_table_insert(s->by_name, g_steal_pointer(&key), numbers);
    }
    g_array_append_val(numbers, number);
    return true;
}

/* The number that a section has among those of its name and instance. */
static unsigned count_before(const Schema *s, size_t i)
{
    g_autofree char *key = section_key(schema_section(s, i)->name, schema_section(s, i)->instance);
    const GArray *numbers = g_hash_table_lookup(s->by_name, key);
    unsigned n = 0;

    while (g_array_index(numbers, size_t, n) != i)
        n++;
    return n;
}

void schema_borrow(Schema *s, size_t first, const Schema *from)
{
    for (size_t i = first; i < s->sections->len; i++) {
        SchemaSection *own = &g_array_index(s->sections, SchemaSection, i);
        const SchemaSection *like = own->desc ? NULL : schema_find(from, own->name, own->instance, count_before(s, i));
        if (like && like->desc && like->version == own->version)
            own->desc = like->desc;
    }
}

/* --- building --------------------------------------------------------------------------------------------------- */

struct TypeBuilder {
    Schema *schema;
    const char *name;
    int version, minimum;
    GArray *fields;      /* of VMStateField */
    GArray *subsections; /* of VMStateSubsection */
};

TypeBuilder *type_builder_new(Schema *schema, const char *name, int version, int minimum)
{
    TypeBuilder *b = g_new0(TypeBuilder, 1);

    b->schema = schema;
    b->name = intern(schema, name);
    b->version = version;
    b->minimum = minimum;
    b->fields = g_array_new(TRUE, TRUE, sizeof(VMStateField));
    b->subsections = g_array_new(TRUE, TRUE, sizeof(VMStateSubsection));
    return b;
}

void type_builder_free(TypeBuilder *b)
{
    g_array_unref(b->fields);
    g_array_unref(b->subsections);
    g_free(b);
}

void type_builder_field(TypeBuilder *b, const VMStateField *field)
{
    VMStateField f;

    memset(&f, 0, sizeof f); /* padding, too: make_key compares octets */
    f.name = intern(b->schema, field->name);
    f.type = intern(b->schema, field->type);
    f.kind = field->kind;
    f.scalar = field->scalar;
    f.array = field->array;
    f.flags = field->flags & VMS_FLAGS_WIRE;
    f.size = field->size;
    f.count = field->count;
    f.counted_by = intern(b->schema, field->counted_by);
    f.since = field->since;
    f.index = field->index;
    f.desc = field->desc;
    g_array_append_val(b->fields, f);
}

void type_builder_subsection(TypeBuilder *b, const VMStateDescription *desc, uint32_t flags)
{
    VMStateSubsection sub;

    memset(&sub, 0, sizeof sub);
    sub.desc = desc;
    sub.flags = flags & VMS_SKIPPABLE;
    g_array_append_val(b->subsections, sub);
}

static bool refuse(GError **error, const TypeBuilder *b, const char *field, const char *what)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "type %s%s%s: %s", b->name, field ? "." : "", field ? field : "",
                what);
    return false;
}

/*
 * An element that could not be put together with the others to an array has its number. "config[0]" where QEMU numbers
 * fields of the same name: just "config", if no other field needs that.
 */
static const char *make_label(const TypeBuilder *b, const VMStateField *f)
{
    if (f->index) {
        g_autofree char *element = g_strdup_printf("%s[%d]", f->name, f->index - 1);
        return intern(b->schema, element);
    }
    const char *bracket = strrchr(f->name, '[');
    size_t stem = bracket ? (size_t)(bracket - f->name) : 0;

    if (!stem || f->name[strlen(f->name) - 1] != ']' || strspn(bracket + 1, "0123456789") != strlen(bracket) - 2)
        return NULL;
    for (guint i = 0; i < b->fields->len; i++) {
        const VMStateField *other = &g_array_index(b->fields, VMStateField, i);
        if (other != f && strncmp(other->name, f->name, stem) == 0 &&
            (other->name[stem] == '[' || other->name[stem] == '\0'))
            return NULL;
    }
    g_autofree char *label = g_strndup(f->name, stem);
    return intern(b->schema, label);
}

static size_t round_up(size_t size)
{
    return (size + sizeof(char *) - 1) / sizeof(char *) * sizeof(char *);
}

/* Octets of one element in the struct. */
static size_t element_size(const VMStateField *f)
{
    switch (f->kind) {
    case VMS_SCALAR:
        return scalar_width((Scalar)f->scalar);
    case VMS_STRUCT:
        return f->desc->size;
    case VMS_STRING:
        return sizeof(char *);
    default:
        return f->size;
    }
}

/* Places a field at *end. */
static bool lay_out_field(TypeBuilder *b, SchemaType *t, VMStateField *f, size_t *end, GError **error)
{
    if (f->kind == VMS_STRING || (f->kind == VMS_STRUCT && type_of(f->desc)->aligned)) {
        t->aligned = true;
        *end = round_up(*end);
    }
    if (f->kind != VMS_BITMAP)
        f->size = element_size(f);
    f->offset = *end;
    f->label = make_label(b, f);
    if (f->count > VMS_COUNT_MAX || (f->count != 1 && !vms_is_array(f)))
        return refuse(error, b, f->name, "more elements than the format allows");
    size_t octets = f->kind == VMS_BITMAP ? vms_field_wire_size(f) : f->size;
    if (octets > VMS_STATE_MAX || octets * f->count > VMS_STATE_MAX - *end)
        return refuse(error, b, f->name, "the struct is larger than 64 MiB");
    *end += octets * f->count;
    if (f->flags & VMS_OPTIONAL)
        f->presence = 1 + (*end)++;
    return true;
}

/* Finds the counter of a counted field among those in front of it. */
static bool resolve_counter(TypeBuilder *b, VMStateField *f, GError **error)
{
    for (VMStateField *c = (VMStateField *)(void *)b->fields->data; c != f; c++) {
        if (strcmp(c->name, f->counted_by) || c->kind != VMS_SCALAR || vms_is_array(c) ||
            !scalar_is_integer((Scalar)c->scalar))
            continue;
        f->counter = c->offset;
        f->counter_scalar = c->scalar;
        return true;
    }
    return refuse(error, b, f->name, "its counter is not an integer field in front of it");
}

static const VMStateDescription *lay_out_subsection(Schema *s, const VMStateDescription *origin, size_t base);

static VMStateField *copy_fields(Schema *s, const VMStateDescription *desc, size_t shift)
{
    size_t n = vms_field_count(desc);
    VMStateField *fields = own(s, g_memdup2(desc->fields, (n + 1) * sizeof *fields));

    for (size_t i = 0; i < n; i++) {
        fields[i].offset += shift;
        fields[i].counter += fields[i].counted_by ? shift : 0;
        fields[i].presence += fields[i].presence ? shift : 0;
    }
    return fields;
}

/* A copy of a description whose fields start at `base` of somebody else's struct. */
static const VMStateDescription *lay_out_subsection(Schema *s, const VMStateDescription *origin, size_t base)
{
    SchemaType *t = own(s, g_memdup2(origin, sizeof(SchemaType)));
    size_t n = vms_subsection_count(origin);

    t->origin = origin;
    t->desc.size = 0;
    t->desc.fields = copy_fields(s, origin, base);
    if (n) {
        VMStateSubsection *subs = own(s, g_memdup2(origin->subsections, (n + 1) * sizeof *subs));
        for (size_t i = 0; i < n; i++) {
            /* its own layout put the subsection's copy somewhere; that place moves by base */
            subs[i].presence += base;
            subs[i].desc = lay_out_subsection(s, subs[i].desc, base);
            ((SchemaType *)subs[i].desc)->origin = type_of(origin->subsections[i].desc)->origin;
        }
        t->desc.subsections = subs;
    }
    return &t->desc;
}

static bool lay_out(TypeBuilder *b, SchemaType *t, GError **error)
{
    size_t end = 0;

    for (guint i = 0; i < b->fields->len; i++) {
        VMStateField *f = &g_array_index(b->fields, VMStateField, i);
        if (!lay_out_field(b, t, f, &end, error) || (f->counted_by && !resolve_counter(b, f, error)))
            return false;
        if (f->kind == VMS_STRUCT)
            t->depth = MAX(t->depth, type_of(f->desc)->depth + 1);
    }
    for (guint i = 0; i < b->subsections->len; i++) {
        VMStateSubsection *sub = &g_array_index(b->subsections, VMStateSubsection, i);
        const SchemaType *origin = type_of(sub->desc);
        size_t fields = vms_field_count(sub->desc) + 1 + origin->subsection_fields;
        sub->presence = 1 + end++;
        t->aligned = t->aligned || origin->aligned;
        end = origin->aligned ? round_up(end) : end;
        if (sub->desc->size > VMS_STATE_MAX - end)
            return refuse(error, b, NULL, "the struct is larger than 64 MiB");
        if (fields > FIELDS_TOTAL_MAX - b->schema->fields_total)
            return refuse(error, b, NULL, "more fields than the format allows");
        b->schema->fields_total += fields;
        t->subsection_fields += fields;
        t->depth = MAX(t->depth, origin->depth + 1);
        sub->desc = lay_out_subsection(b->schema, sub->desc, end);
        end += origin->desc.size;
    }
    t->desc.size = t->aligned ? round_up(end) : MAX(end, 1);
    return t->depth <= VMS_DEPTH_MAX || refuse(error, b, NULL, "structs are nested too deep");
}

/* All that makes one description differ from another. Strings and descriptions are unique, so their addresses do. */
static GBytes *make_key(const TypeBuilder *b)
{
    GByteArray *key = g_byte_array_new();
    const void *head[] = {b->name, GINT_TO_POINTER(b->version), GINT_TO_POINTER(b->minimum),
                          GUINT_TO_POINTER(b->fields->len)};

    g_byte_array_append(key, (const guint8 *)head, sizeof head);
    g_byte_array_append(key, (const guint8 *)b->fields->data, (guint)(b->fields->len * sizeof(VMStateField)));
    g_byte_array_append(key, (const guint8 *)b->subsections->data,
                        (guint)(b->subsections->len * sizeof(VMStateSubsection)));
    return g_byte_array_free_to_bytes(key);
}

static bool check_names(const TypeBuilder *b, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    if (strlen(b->name) == 0 || strlen(b->name) > VMS_NAME_MAX)
        return refuse(error, b, NULL, "its name has no or more than 255 octets");
    for (guint i = 0; i < b->fields->len; i++) {
        const VMStateField *f = &g_array_index(b->fields, VMStateField, i);
        if (strlen(f->name) == 0 || strlen(f->name) > VMS_FIELD_NAME_MAX)
            return refuse(error, b, f->name, "the name has no or more than 1023 octets");
        if (!g_hash_table_add(seen, g_strdup_printf("%d/%s", f->index, f->name)) && f->kind != VMS_UNUSED)
            return refuse(error, b, f->name, "two fields have that name");
    }
    return true;
}

const VMStateDescription *type_builder_finish(TypeBuilder *builder, GError **error)
{
    g_autoptr(TypeBuilder) b = builder;
    Schema *s = b->schema;

    if (!check_names(b, error))
        return NULL;
    if (b->fields->len > VMS_FIELDS_MAX || b->subsections->len > VMS_SUBSECTIONS_MAX ||
        b->fields->len + 1 > FIELDS_TOTAL_MAX - s->fields_total) {
        refuse(error, b, NULL, "more fields or subsections than the format allows");
        return NULL;
    }
    g_autoptr(GBytes) key = make_key(b);
    const VMStateDescription *same = g_hash_table_lookup(s->types, key);
    if (same)
        return same;
    s->fields_total += b->fields->len + 1;
    SchemaType *t = own(s, g_new0(SchemaType, 1));
    t->origin = &t->desc;
    t->desc = (VMStateDescription){.name = b->name, .version = b->version, .minimum = b->minimum};
    if (!lay_out(b, t, error))
        return NULL;
    t->desc.fields = own(s, g_memdup2(b->fields->data, (b->fields->len + 1) * sizeof(VMStateField)));
    if (b->subsections->len)
        t->desc.subsections =
            own(s, g_memdup2(b->subsections->data, (b->subsections->len + 1) * sizeof(VMStateSubsection)));
    g_hash_table_insert(s->types, g_steal_pointer(&key), &t->desc);
    return &t->desc;
}

const VMStateDescription *schema_subsection_origin(const Schema *schema, const VMStateDescription *laid_out)
{
    (void)schema;
    return type_of(laid_out)->origin;
}

/* --- merging ---------------------------------------------------------------------------------------------------- */

static bool merge_field(Schema *s, TypeBuilder *b, const VMStateField *x, const VMStateField *y)
{
    VMStateField merged = *x;

    if (x->name != y->name || x->type != y->type || x->kind != y->kind || x->scalar != y->scalar ||
        x->count != y->count || x->array != y->array || x->flags != y->flags || x->index != y->index ||
        x->since != y->since || x->counted_by != y->counted_by)
        return false;
    if (x->kind == VMS_STRUCT)
        merged.desc = schema_merge(s, x->desc, y->desc);
    else if (x->size != y->size)
        return false;
    if (!merged.desc && x->kind == VMS_STRUCT)
        return false;
    type_builder_field(b, &merged);
    return true;
}

/* The subsections of both, in an order in which each could have them: those of `x` up to the next that `y` has, too,
 * and so on. */
static bool merge_subsections(Schema *s, TypeBuilder *b, const VMStateDescription *x, const VMStateDescription *y)
{
    size_t nx = vms_subsection_count(x), ny = vms_subsection_count(y), j = 0;

    for (size_t i = 0; i < nx; i++) {
        const VMStateDescription *sub = schema_subsection_origin(s, x->subsections[i].desc);
        int in_y = vms_subsection_find(y, sub->name);
        if (in_y != VMS_NO_FIELD && (size_t)in_y < j)
            return false;
        for (; in_y != VMS_NO_FIELD && j < (size_t)in_y; j++)
            type_builder_subsection(b, schema_subsection_origin(s, y->subsections[j].desc), y->subsections[j].flags);
        if (in_y != VMS_NO_FIELD) {
            sub = schema_merge(s, sub, schema_subsection_origin(s, y->subsections[j++].desc));
            if (!sub)
                return false;
        }
        type_builder_subsection(b, sub, x->subsections[i].flags);
    }
    for (; j < ny; j++)
        type_builder_subsection(b, schema_subsection_origin(s, y->subsections[j].desc), y->subsections[j].flags);
    return true;
}

const VMStateDescription *schema_merge(Schema *s, const VMStateDescription *a, const VMStateDescription *b)
{
    size_t n = vms_field_count(a);

    if (a == b)
        return a;
    if (a->name != b->name || a->version != b->version || a->minimum != b->minimum || vms_field_count(b) != n)
        return NULL;
    g_autoptr(TypeBuilder) builder = type_builder_new(s, a->name, a->version, a->minimum);
    for (size_t i = 0; i < n; i++)
        if (!merge_field(s, builder, &a->fields[i], &b->fields[i]))
            return NULL;
    if (!merge_subsections(s, builder, a, b))
        return NULL;
    return type_builder_finish(g_steal_pointer(&builder), NULL);
}
