/* model.c: all of a stream but its RAM, in memory. */
#include "tools/common/model.h"

#include <string.h>

#include "tools/common/fan.h"
#include "tools/common/glob.h"
#include "vmstate/match.h"
#include "vmstate/state.h"
#include "vmstate/stream-load.h"

static Model *model_of(StreamSink *sink)
{
    return (Model *)sink;
}

static bool model_header(StreamSink *sink, const StreamHeader *h, GError **error)
{
    Model *m = model_of(sink);

    if (h->kind != STREAM_MACHINE) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                    "this is only a channel of a migration (%s), not the state of a machine",
                    stream_kind_name(h->kind));
        return false;
    }
    m->format = g_strdup(h->format);
    m->machine = g_strdup(h->machine);
    if (h->writer)
        m->writer = g_strdup_printf("%s %s", h->writer, h->writer_version);
    m->has_uuid = h->has_uuid;
    memcpy(m->uuid, h->uuid, sizeof m->uuid);
    return true;
}

static bool model_schema(StreamSink *sink, Schema *schema, size_t first, GError **error)
{
    Model *m = model_of(sink);

    (void)first;
    (void)error;
    if (!m->schema)
        m->schema = schema_ref(schema);
    return true;
}

/* The capability that decides which RAM is in the stream. */
static bool is_shared(const VMStateDescription *desc, const void *state)
{
    int k = vms_subsection_find(desc, "configuration/capabilities");
    const VMStateDescription *inner;
    const void *one;
    Integer count;

    if (k < 0 || !vms_subsection_needed(&desc->subsections[k], state))
        return false;
    desc = desc->subsections[k].desc;
    if (!vms_state_get(desc, state, "capability_count", 0, &count))
        return false;
    for (size_t i = 0; i < count.bits && (one = vms_state_struct(desc, state, "capabilities", i, &inner)); i++) {
        const VMStateField *name = vms_field_find(inner, "name", 0, NULL);
        if (name && name->kind == VMS_STRING &&
            g_strcmp0(*(char *const *)vms_field_data(name, one), "x-ignore-shared") == 0)
            return true;
    }
    return false;
}

static char *make_key(Model *m, const StreamSection *s)
{
    char *title = g_strdup_printf("%u/%s", s->instance, s->name);
    unsigned before = GPOINTER_TO_UINT(g_hash_table_lookup(m->counts, title));
    char *key = g_strdup_printf("%u/%s", before, title);

    g_hash_table_replace(m->counts, title, GUINT_TO_POINTER(before + 1));
    return key;
}

static bool model_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    Model *m = model_of(sink);
    ModelSection *copy;

    (void)error;
    if (s->cut)
        return true;
    copy = g_new0(ModelSection, 1);
    copy->key = make_key(m, s);
    copy->name = g_strdup(s->name);
    copy->instance = s->instance;
    copy->version = s->version;
    copy->len = s->len;
    copy->offset = s->offset;
    if (s->desc && s->state) {
        copy->desc = s->desc;
        copy->state = vms_state_new(s->desc);
        vms_state_copy(s->desc, copy->state, s->state);
        if (s->configuration)
            m->shared = is_shared(s->desc, s->state);
    } else {
        copy->octets = g_memdup2(s->octets, MAX(s->len, 1));
    }
    g_ptr_array_add(m->sections, copy);
    g_hash_table_insert(m->by_key, copy->key, copy);
    return true;
}

static bool model_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    Model *m = model_of(sink);

    for (size_t i = first; i < blocks->list->len; i++)
        if (!ram_blocks_add(&m->blocks, ram_block(blocks, i), error))
            return false;
    return true;
}

static const StreamSinkOps ops = {
    .header = model_header,
    .schema = model_schema,
    .ram_blocks = model_blocks,
    .section = model_section,
};

static void free_section(void *data)
{
    ModelSection *s = data;

    if (s->desc)
        vms_state_free(s->desc, s->state);
    g_free(s->octets);
    g_free(s->name);
    g_free(s->key);
    g_free(s);
}

Model *model_load(const char *path, const char *snapshot, const Schema *borrowed, StreamSink *also, GError **error)
{
    g_autoptr(Input) input = input_open(path, snapshot, STREAM_KINDS, false, error);
    g_autoptr(Model) m = g_new0(Model, 1);
    Fan fan;

    m->sink.ops = &ops;
    m->sections = g_ptr_array_new_with_free_func(free_section);
    m->by_key = g_hash_table_new(bytes_hash_text, g_str_equal);
    m->counts = g_hash_table_new_full(bytes_hash_text, g_str_equal, g_free, NULL);
    ram_blocks_init(&m->blocks);
    if (!input)
        return NULL;
    m->path = g_strdup(input->path);
    fan_init(&fan);
    fan_add(&fan, &m->sink);
    if (also)
        fan_add(&fan, also);
    return input_load(input, borrowed, &fan.sink, error) ? g_steal_pointer(&m) : NULL;
}

void model_free(Model *m)
{
    if (!m)
        return;
    g_hash_table_unref(m->by_key);
    g_hash_table_unref(m->counts);
    g_ptr_array_unref(m->sections);
    ram_blocks_done(&m->blocks);
    schema_unref(m->schema);
    g_free(m->path);
    g_free(m->format);
    g_free(m->machine);
    g_free(m->writer);
    g_free(m);
}

bool stream_section_fits(const char *glob, const char *name, uint32_t instance)
{
    g_autofree char *title = stream_section_title(name, instance);
    const char *slash = strrchr(name, '/');

    return glob_fits(glob, title) || glob_fits(glob, name) || (slash && glob_fits(glob, slash + 1));
}

const ModelSection *model_find(const Model *m, const ModelSection *like)
{
    return g_hash_table_lookup(m->by_key, like->key);
}

VerdictSide model_side(const Model *m, VerdictSection **sections)
{
    *sections = g_new0(VerdictSection, MAX(m->sections->len, 1));
    for (guint i = 0; i < m->sections->len; i++) {
        const ModelSection *s = g_ptr_array_index(m->sections, i);
        (*sections)[i] = (VerdictSection){
            .name = s->name,
            .instance = s->instance,
            .version = s->version,
            .desc = s->desc,
            .state = s->state,
            .octets = s->len,
        };
    }
    return (VerdictSide){
        .machine = m->machine,
        .sections = *sections,
        .section_count = m->sections->len,
        .blocks = m->blocks.list->len ? &m->blocks : NULL,
        .shared = m->shared,
    };
}
