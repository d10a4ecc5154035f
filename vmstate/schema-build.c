/*
 * schema-build.c: descriptions built at run time.
 *
 * A subsection's fields lie in the struct of its parent, so each parent gets a copy of the subsection's description,
 * laid out behind its own fields. Everything that an input can make grow (fields, copies, octets of state, visits) is
 * counted.
 */
#include <string.h>

#include "vmstate/match.h"
#include "vmstate/schema-impl.h"

enum { FIELDS_TOTAL_MAX = 1 << 18 };

static void *own(Schema *s, void *memory)
{
    g_ptr_array_add(s->owned, memory);
    return memory;
}

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
    b->name = schema_intern(schema, name);
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
    f.name = schema_intern(b->schema, field->name);
    f.type = schema_intern(b->schema, field->type);
    f.kind = field->kind;
    f.scalar = field->scalar;
    f.array = field->array;
    f.flags = field->flags & VMS_FLAGS_WIRE;
    f.size = field->size;
    f.count = field->count;
    f.counted_by = schema_intern(b->schema, field->counted_by);
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

static bool refuse(GError **error, const TypeBuilder *b, const char *field, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
static bool refuse(GError **error, const TypeBuilder *b, const char *field, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *what = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "type %s%s%s: %s", b->name, field ? "." : "", field ? field : "",
                what);
    return false;
}

/* --- labels ----------------------------------------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of all fields, sorted. */
static GPtrArray *sort_names(const TypeBuilder *b)
{
    GPtrArray *names = g_ptr_array_new();

    for (guint i = 0; i < b->fields->len; i++)
        g_ptr_array_add(names, (void *)g_array_index(b->fields, VMStateField, i).name);
    g_ptr_array_sort(names, compare_names);
    return names;
}

/* Where a text is among the names, or would be. */
static guint find_name(const GPtrArray *names, const char *text)
{
    guint low = 0, high = names->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        if (strcmp(names->pdata[middle], text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Do so many fields have a name that starts with the text? */
static bool has_names(const GPtrArray *names, const char *text, guint count)
{
    guint last = find_name(names, text) + count - 1;

    return last < names->len && g_str_has_prefix(names->pdata[last], text);
}

/*
 * An element that could not be put together with the others to an array has its number. "config[0]" where QEMU numbers
 * fields of the same name: just "config", if no other field needs that.
 */
static const char *make_label(const TypeBuilder *b, GPtrArray **names, const VMStateField *f)
{
    if (f->index) {
        g_autofree char *element = g_strdup_printf("%s[%d]", f->name, f->index - 1);
        return schema_intern(b->schema, element);
    }
    const char *bracket = strrchr(f->name, '[');
    size_t stem = bracket ? (size_t)(bracket - f->name) : 0;

    if (!stem || f->name[strlen(f->name) - 1] != ']' || strspn(bracket + 1, "0123456789") != strlen(bracket) - 2)
        return NULL;
    if (!*names)
        *names = sort_names(b);
    g_autofree char *label = g_strndup(f->name, stem);
    g_autofree char *numbered = g_strndup(f->name, stem + 1);
    guint bare = find_name(*names, label);
    /* the field itself is one of the numbered */
    if (has_names(*names, numbered, 2) || (bare < (*names)->len && strcmp((*names)->pdata[bare], label) == 0))
        return NULL;
    return schema_intern(b->schema, label);
}

/* --- layout ----------------------------------------------------------------------------------------------------- */

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

/* Makes room for `count` times `size` octets more at the struct's end. */
static bool grow(const TypeBuilder *b, const char *field, size_t size, size_t count, size_t *end, GError **error)
{
    if (*end > VMS_STATE_MAX || (count && size > (VMS_STATE_MAX - *end) / count))
        return refuse(error, b, field, "the struct is larger than 64 MiB");
    *end += size * count;
    return true;
}

/* Places a field at *end. */
static bool lay_out_field(TypeBuilder *b, SchemaType *t, VMStateField *f, size_t *end, GError **error)
{
    if (f->kind == VMS_STRING || (f->kind == VMS_STRUCT && schema_type(f->desc)->aligned)) {
        t->aligned = true;
        *end = round_up(*end);
    }
    if (f->kind != VMS_BITMAP)
        f->size = element_size(f);
    f->offset = *end;
    if (f->count > VMS_COUNT_MAX || (f->count != 1 && !vms_is_array(f)))
        return refuse(error, b, f->name, "more elements than the format allows");
    size_t octets = f->kind == VMS_BITMAP ? vms_field_wire_size(f) : f->size;
    if (!grow(b, f->name, octets, f->count, end, error))
        return false;
    if (f->flags & VMS_OPTIONAL)
        f->presence = 1 + (*end)++;
    return true;
}

/* Finds the counter of a counted field among those in front of it; the name's first integer counts. */
static bool resolve_counter(const TypeBuilder *b, GHashTable *counters, VMStateField *f, GError **error)
{
    const VMStateField *c = f->counted_by ? g_hash_table_lookup(counters, f->counted_by) : NULL;

    if (f->counted_by && !c)
        return refuse(error, b, f->name, "its counter is not an integer field in front of it");
    if (c) {
        f->counter = c->offset;
        f->counter_scalar = c->scalar;
    }
    if (f->kind == VMS_SCALAR && !vms_is_array(f) && scalar_is_integer((Scalar)f->scalar) &&
        !g_hash_table_contains(counters, f->name))
        g_hash_table_insert(counters, (void *)f->name, f); /* names are interned */
    return true;
}

/* Counts the visits that a walk makes for a field, its octets of pads, and how long paths get. */
static bool count_field(const TypeBuilder *b, SchemaType *t, const VMStateField *f, GError **error)
{
    const SchemaType *inner = f->kind == VMS_STRUCT ? schema_type(f->desc) : NULL;
    size_t visits = inner ? MAX(f->count, 1) * inner->visits : 1, path = strlen(f->label ? f->label : f->name);

    if (inner)
        path = MAX(path, strlen(f->desc->name)) + 1 + inner->path;
    if (visits > VMS_VISITS_MAX - t->visits)
        return refuse(error, b, f->name, "%zu visits, together with %zu in front of it; at most %d are allowed", visits,
                      t->visits, VMS_VISITS_MAX);
    if (path > VMS_PATH_MAX)
        return refuse(error, b, f->name, "a path of %zu octets, at most %d are allowed", path, VMS_PATH_MAX);
    t->visits += visits;
    t->pads += inner ? f->count * inner->pads : f->kind == VMS_UNUSED ? f->count * f->size : 0;
    t->path = MAX(t->path, path);
    return true;
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
            ((SchemaType *)subs[i].desc)->origin = schema_type(origin->subsections[i].desc)->origin;
        }
        t->desc.subsections = subs;
    }
    return &t->desc;
}

static bool lay_out_fields(TypeBuilder *b, SchemaType *t, size_t *end, GError **error)
{
    g_autoptr(GHashTable) counters = g_hash_table_new(NULL, NULL);
    g_autoptr(GPtrArray) names = NULL;

    for (guint i = 0; i < b->fields->len; i++) {
        VMStateField *f = &g_array_index(b->fields, VMStateField, i);
        f->label = make_label(b, &names, f);
        if (!lay_out_field(b, t, f, end, error) || !resolve_counter(b, counters, f, error) ||
            !count_field(b, t, f, error))
            return false;
        if (f->kind == VMS_STRUCT)
            t->depth = MAX(t->depth, schema_type(f->desc)->depth + 1);
    }
    return true;
}

static bool lay_out_subsections(TypeBuilder *b, SchemaType *t, size_t *end, GError **error)
{
    for (guint i = 0; i < b->subsections->len; i++) {
        VMStateSubsection *sub = &g_array_index(b->subsections, VMStateSubsection, i);
        const VMStateField as_field = {.name = sub->desc->name, .kind = VMS_STRUCT, .count = 1, .desc = sub->desc};
        const SchemaType *origin = schema_type(sub->desc);
        size_t fields = vms_field_count(sub->desc) + 1 + origin->subsection_fields;
        sub->presence = 1 + (*end)++;
        t->aligned = t->aligned || origin->aligned;
        *end = origin->aligned ? round_up(*end) : *end;
        size_t base = *end;
        if (!grow(b, sub->desc->name, sub->desc->size, 1, end, error) || !count_field(b, t, &as_field, error))
            return false;
        if (fields > FIELDS_TOTAL_MAX - b->schema->fields_total)
            return refuse(error, b, NULL, "more fields than the format allows");
        b->schema->fields_total += fields;
        t->subsection_fields += fields;
        t->depth = MAX(t->depth, origin->depth + 1);
        sub->desc = lay_out_subsection(b->schema, sub->desc, base);
    }
    return true;
}

static bool lay_out(TypeBuilder *b, SchemaType *t, GError **error)
{
    size_t end = 0;

    t->visits = 1;
    if (!lay_out_fields(b, t, &end, error) || !lay_out_subsections(b, t, &end, error))
        return false;
    end = t->aligned ? round_up(end) : MAX(end, 1);
    if (!grow(b, NULL, 0, 1, &end, error))
        return false;
    t->desc.size = end;
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
    g_autoptr(GHashTable) seen = g_hash_table_new_full(bytes_hash_text, g_str_equal, g_free, NULL);

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
    g_hash_table_add(s->built, &t->desc);
    return &t->desc;
}

const VMStateDescription *schema_subsection_origin(const Schema *schema, const VMStateDescription *laid_out)
{
    (void)schema;
    return schema_type(laid_out)->origin;
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
