/* schema.c: the sections of a stream, and who owns their descriptions. */
#include "vmstate/schema-impl.h"

enum { SECTIONS_MAX = 65536, VISITS_TOTAL_MAX = 1 << 22, PADS_TOTAL_MAX = 1 << 18, STATE_TOTAL_MAX = 256 << 20 };

Schema *schema_new(void)
{
    Schema *s = g_new0(Schema, 1);

    s->refs = 1;
    s->sections = g_array_new(FALSE, FALSE, sizeof(SchemaSection));
    s->by_name = g_hash_table_new_full(bytes_hash_text, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
    s->strings = g_string_chunk_new(4096);
    s->interned = g_hash_table_new(bytes_hash_text, g_str_equal);
    s->owned = g_ptr_array_new_with_free_func(g_free);
    s->built = g_hash_table_new(NULL, NULL);
    s->types = g_hash_table_new_full(bytes_hash_octets, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
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
    g_hash_table_unref(s->interned);
    g_string_chunk_free(s->strings);
    g_ptr_array_unref(s->owned);
    g_hash_table_unref(s->types);
    g_hash_table_unref(s->built);
    g_free(s);
}

const char *schema_intern(Schema *s, const char *text)
{
    const char *own = text ? g_hash_table_lookup(s->interned, text) : NULL;

    if (text && !own) {
        own = g_string_chunk_insert(s->strings, text);
        g_hash_table_add(s->interned, (void *)own);
    }
    return own;
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

static bool refuse(GError **error, const SchemaSection *section, const char *what, size_t found, size_t most)
{
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                "section %s[%u]: %zu %s of all sections, at most %zu are allowed", section->name, section->instance,
                found, what, most);
    return false;
}

/* Types are shared, so that a few octets of input make one more section of any of them. */
static bool count_section(Schema *s, const SchemaSection *section, GError **error)
{
    /* a description of somebody else's is not one that the input has made */
    const SchemaType *t = g_hash_table_contains(s->built, section->desc) ? schema_type(section->desc) : NULL;

    if (s->sections->len == SECTIONS_MAX)
        return refuse(error, section, "names", SECTIONS_MAX + (size_t)1, SECTIONS_MAX);
    if (!t)
        return true;
    if (t->visits > VISITS_TOTAL_MAX - s->visits)
        return refuse(error, section, "visits", s->visits + t->visits, VISITS_TOTAL_MAX);
    if (t->pads > PADS_TOTAL_MAX - s->pads)
        return refuse(error, section, "octets of pads", s->pads + t->pads, PADS_TOTAL_MAX);
    if (t->desc.size > STATE_TOTAL_MAX - s->octets)
        return refuse(error, section, "octets of state", s->octets + t->desc.size, STATE_TOTAL_MAX);
    s->visits += t->visits;
    s->pads += t->pads;
    s->octets += t->desc.size;
    return true;
}

bool schema_add_section(Schema *s, const SchemaSection *section, GError **error)
{
    g_autofree char *key = section_key(section->name, section->instance);
    GArray *numbers = g_hash_table_lookup(s->by_name, key);
    SchemaSection copy = *section;
    size_t number = s->sections->len;

    if (!count_section(s, section, error))
        return false;
    copy.name = schema_intern(s, section->name);
    g_array_append_val(s->sections, copy);
    if (!numbers) {
        numbers = g_array_new(FALSE, FALSE, sizeof(size_t));
        g_hash_table_insert(s->by_name, g_steal_pointer(&key), numbers);
    }
    g_array_append_val(numbers, number);
    return true;
}

static int by_number(const void *a, const void *b)
{
    const size_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* The number that a section has among those of its name and instance. */
static unsigned count_before(const Schema *s, size_t i)
{
    g_autofree char *key = section_key(schema_section(s, i)->name, schema_section(s, i)->instance);
    GArray *numbers = g_hash_table_lookup(s->by_name, key);
    guint n = 0;

    g_array_binary_search(numbers, &i, by_number, &n);
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
