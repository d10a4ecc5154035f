/* state-save.c: a machine's state out to a stream. */
#include <string.h>

#include "emu/machine/state.h"
#include "vmstate/configuration.h"

enum {
    RAM_ID = 2, /* as QEMU numbers it */
    RAM_VERSION = 4,
    FIRST_ID = 3, /* of the devices */
};

static void name_machine(Configuration *c, const char *type)
{
    *c = (Configuration){.len = (uint32_t)MIN(strlen(type), sizeof c->name)};
    memcpy(c->name, type, c->len);
}

static bool pull_all(Machine *m, GError **error)
{
    for (size_t i = 0; i < section_list_length(m->sections); i++) {
        const Section *s = section_list_get(m->sections, i);
        if (s->desc->pull && !s->desc->pull(s->opaque, error)) {
            g_prefix_error(error, "%s: ", s->name);
            return false;
        }
    }
    return true;
}

/* --- what comes first ------------------------------------------------------------------------------------------- */

static bool is_needed(const Section *s)
{
    return !s->desc->needed || s->desc->needed(s->state);
}

static bool tell_schema(Machine *m, StreamSink *sink, Schema *schema, GError **error)
{
    SchemaSection first = {.name = "configuration", .version = 1, .desc = &configuration_state, .octets = -1};

    if (!schema_add_section(schema, &first, error))
        return false;
    for (size_t i = 0; i < section_list_length(m->sections); i++) {
        const Section *s = section_list_get(m->sections, i);
        SchemaSection listed = {
            .name = s->name, .instance = s->instance, .version = s->desc->version, .desc = s->desc, .octets = -1};
        if (is_needed(s) && !schema_add_section(schema, &listed, error))
            return false;
    }
    return SINK(sink, schema, schema, 0, error);
}

static bool tell_configuration(const MachineIdentity *identity, StreamSink *sink, GError **error)
{
    Configuration c;

    name_machine(&c, identity->type);
    return SINK(
        sink, section,
        &((StreamSection){
            .name = "configuration", .version = 1, .configuration = true, .desc = &configuration_state, .state = &c}),
        error);
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

/* Tells the pages from `first` on as one run, and how many that are. */
static bool tell_run(const RamArea *area, uint32_t block, uint64_t first, StreamSink *sink, uint32_t *count,
                     GError **error)
{
    const uint8_t *pages[RAM_RUN_PAGES];
    uint64_t left = area->size / RAM_PAGE - first;
    RamRun run = {.block = block, .first = first, .pages = pages};

    while (run.count < MIN(left, RAM_RUN_PAGES)) {
        const uint8_t *page = area->host + (first + run.count) * RAM_PAGE;
        bool zero = bytes_are_zero(page, RAM_PAGE);
        if (!zero && run.full == RAM_RUN_FULL)
            break;
        pages[run.count++] = zero ? NULL : page;
        run.full += !zero;
    }
    *count = run.count;
    return SINK(sink, ram_run, &run, error);
}

static bool tell_pages(Machine *m, StreamSink *sink, GError **error)
{
    for (guint i = 0; i < m->areas->len; i++) {
        const RamArea *area = g_ptr_array_index(m->areas, i);
        uint32_t count;
        for (uint64_t page = 0; page < area->size / RAM_PAGE; page += count)
            if (!tell_run(area, i, page, sink, &count, error))
                return false;
    }
    return true;
}

static bool tell_slice(StreamSink *sink, SliceKind kind, GError **error)
{
    return SINK(sink, slice_start, &((StreamSlice){.kind = kind, .id = RAM_ID, .name = "ram", .version = RAM_VERSION}),
                error);
}

static bool list_areas(Machine *m, RamBlocks *blocks, GError **error)
{
    blocks->listed = true;
    for (guint i = 0; i < m->areas->len; i++) {
        const RamArea *area = g_ptr_array_index(m->areas, i);
        if (!ram_blocks_add(blocks, &(RamBlock){.name = area->name, .length = area->size, .address = -1}, error))
            return false;
    }
    return true;
}

static bool tell_memory(Machine *m, StreamSink *sink, GError **error)
{
    RamBlocks blocks;

    ram_blocks_init(&blocks);
    bool ok = list_areas(m, &blocks, error) && tell_slice(sink, SLICE_START, error) &&
              SINK(sink, ram_blocks, &blocks, 0, error) && SINK(sink, slice_end, error) &&
              tell_slice(sink, SLICE_END, error) && tell_pages(m, sink, error) && SINK(sink, slice_end, error);
    ram_blocks_done(&blocks);
    return ok;
}

/* --- devices ---------------------------------------------------------------------------------------------------- */

static bool tell_devices(Machine *m, StreamSink *sink, GError **error)
{
    for (size_t i = 0; i < section_list_length(m->sections); i++) {
        const Section *s = section_list_get(m->sections, i);
        StreamSection told = {.name = s->name,
                              .instance = s->instance,
                              .version = s->desc->version,
                              .id = (uint32_t)i + FIRST_ID,
                              .desc = s->desc,
                              .state = s->state};
        if (is_needed(s) && !SINK(sink, section, &told, error))
            return false;
    }
    return true;
}

bool machine_save(Machine *m, const MachineIdentity *identity, StreamSink *sink, GError **error)
{
    const StreamHeader header = {.kind = STREAM_MACHINE,
                                 .writer = identity->writer,
                                 .writer_version = identity->writer_version,
                                 .machine = identity->type,
                                 .footers = true};
    const StreamTrailer trailer = {.present = true};
    const StreamEnd end = {.complete = true};
    g_autoptr(Schema) schema = schema_new();

    return pull_all(m, error) && SINK(sink, header, &header, error) && tell_schema(m, sink, schema, error) &&
           tell_configuration(identity, sink, error) && tell_memory(m, sink, error) && tell_devices(m, sink, error) &&
           SINK(sink, eof, &trailer, error) && SINK(sink, end, &end, error);
}
