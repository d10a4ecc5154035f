/* state-save.c: a machine's state out to a stream. */
#include <string.h>

#include "emu/machine/state.h"
#include "vmstate/configuration.h"
#include "vmstate/state.h"

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

/* --- a moment ---------------------------------------------------------------------------------------------------- */

/* A device as it was. */
typedef struct Captured {
    char *name;
    uint32_t instance, id;
    const VMStateDescription *desc;
    void *state;
} Captured;

struct MachineCapture {
    Machine *machine;
    GArray *devices; /* of Captured: those whose sections are needed */
    RamBlocks blocks;
};

static void captured_done(void *data)
{
    Captured *c = data;

    g_free(c->name);
    vms_state_free(c->desc, c->state);
}

static bool capture_device(MachineCapture *c, size_t index, GError **error)
{
    const Section *s = section_list_get(c->machine->sections, index);
    Captured device = {.name = g_strdup(s->name),
                       .instance = s->instance,
                       .id = (uint32_t)index + FIRST_ID,
                       .desc = s->desc,
                       .state = vms_state_new(s->desc)};

    if (s->desc->pull && !s->desc->pull(s->opaque, error)) {
        g_prefix_error(error, "%s: ", s->name);
        captured_done(&device);
        return false;
    }
    vms_state_copy(s->desc, device.state, s->state);
    g_array_append_val(c->devices, device);
    return true;
}

static void leave_out(GArray *devices)
{
    for (guint i = devices->len; i > 0; i--) {
        const Captured *c = &g_array_index(devices, Captured, i - 1);
        if (c->desc->needed && !c->desc->needed(c->state))
            g_array_remove_index(devices, i - 1);
    }
}

bool machine_list_memory(const Machine *m, RamBlocks *blocks, GError **error)
{
    blocks->listed = true;
    for (guint i = 0; i < m->areas->len; i++) {
        const RamArea *area = g_ptr_array_index(m->areas, i);
        if (!ram_blocks_add(blocks, &(RamBlock){.name = area->name, .length = area->size, .address = -1}, error))
            return false;
    }
    return true;
}

MachineCapture *machine_capture(Machine *m, GError **error)
{
    g_autoptr(MachineCapture) c = g_new0(MachineCapture, 1);
    size_t count = section_list_length(m->sections);

    c->machine = m;
    c->devices = g_array_new(FALSE, FALSE, sizeof(Captured));
    g_array_set_clear_func(c->devices, captured_done);
    ram_blocks_init(&c->blocks);
    for (size_t i = 0; i < count; i++)
        if (!capture_device(c, i, error))
            return NULL;
    leave_out(c->devices);
    return machine_list_memory(m, &c->blocks, error) ? g_steal_pointer(&c) : NULL;
}

void machine_capture_free(MachineCapture *c)
{
    if (!c)
        return;
    g_array_unref(c->devices);
    ram_blocks_done(&c->blocks);
    g_free(c);
}

const RamBlocks *machine_capture_blocks(const MachineCapture *c)
{
    return &c->blocks;
}

/* --- what comes first ------------------------------------------------------------------------------------------- */

static SchemaSection section_of(const char *name, uint32_t instance, const VMStateDescription *desc)
{
    return (SchemaSection){.name = name, .instance = instance, .version = desc->version, .desc = desc, .octets = -1};
}

static StreamHeader header_of(const MachineIdentity *identity)
{
    return (StreamHeader){.kind = STREAM_MACHINE,
                          .writer = identity->writer,
                          .writer_version = identity->writer_version,
                          .machine = identity->type,
                          .footers = true};
}

static bool tell_schema(const MachineCapture *c, StreamSink *sink, Schema *schema, GError **error)
{
    SchemaSection first = {.name = "configuration", .version = 1, .desc = &configuration_state, .octets = -1};

    if (!schema_add_section(schema, &first, error))
        return false;
    for (guint i = 0; i < c->devices->len; i++) {
        const Captured *d = &g_array_index(c->devices, Captured, i);
        const SchemaSection listed = section_of(d->name, d->instance, d->desc);
        if (!schema_add_section(schema, &listed, error))
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

bool machine_tell_pages(void *opaque, Machine *m, StreamSink *sink, GError **error)
{
    (void)opaque;
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

static bool tell_memory(const MachineCapture *c, StreamSink *sink, MachineTellPages *pages, void *opaque,
                        GError **error)
{
    return tell_slice(sink, SLICE_START, error) && SINK(sink, ram_blocks, &c->blocks, 0, error) &&
           SINK(sink, slice_end, error) && tell_slice(sink, SLICE_END, error) &&
           pages(opaque, c->machine, sink, error) && SINK(sink, slice_end, error);
}

/* --- devices ---------------------------------------------------------------------------------------------------- */

static bool tell_devices(const MachineCapture *c, StreamSink *sink, GError **error)
{
    for (guint i = 0; i < c->devices->len; i++) {
        const Captured *d = &g_array_index(c->devices, Captured, i);
        StreamSection told = {.name = d->name,
                              .instance = d->instance,
                              .version = d->desc->version,
                              .id = d->id,
                              .desc = d->desc,
                              .state = d->state};
        if (!SINK(sink, section, &told, error))
            return false;
    }
    return true;
}

static bool tell_end(StreamSink *sink, GError **error)
{
    const StreamTrailer trailer = {.present = true};
    const StreamEnd end = {.complete = true};

    return SINK(sink, eof, &trailer, error) && SINK(sink, end, &end, error);
}

bool machine_capture_tell(const MachineCapture *c, const MachineIdentity *identity, StreamSink *sink,
                          MachineTellPages *pages, void *opaque, GError **error)
{
    const StreamHeader header = header_of(identity);
    g_autoptr(Schema) schema = schema_new();

    return SINK(sink, header, &header, error) && tell_schema(c, sink, schema, error) &&
           tell_configuration(identity, sink, error) && tell_memory(c, sink, pages, opaque, error) &&
           tell_devices(c, sink, error) && tell_end(sink, error);
}

/* --- of a machine that runs -------------------------------------------------------------------------------------- */

bool machine_tell_head(const Machine *m, const MachineIdentity *identity, StreamSink *sink, Schema *schema,
                       GError **error)
{
    const StreamHeader header = header_of(identity);
    const SchemaSection first = {.name = "configuration", .version = 1, .desc = &configuration_state, .octets = -1};

    if (!schema_add_section(schema, &first, error))
        return false;
    for (size_t i = 0; i < section_list_length(m->sections); i++) {
        const Section *s = section_list_get(m->sections, i);
        const SchemaSection listed = section_of(s->name, s->instance, s->desc);
        if ((!s->desc->needed || s->desc->needed(s->state)) && !schema_add_section(schema, &listed, error))
            return false;
    }
    return SINK(sink, header, &header, error) && SINK(sink, schema, schema, 0, error) &&
           tell_configuration(identity, sink, error);
}

/* What has come to be needed since. */
static bool tell_more_schema(const MachineCapture *c, StreamSink *sink, Schema *schema, GError **error)
{
    size_t before = schema_section_count(schema);

    for (guint i = 0; i < c->devices->len; i++) {
        const Captured *d = &g_array_index(c->devices, Captured, i);
        const SchemaSection listed = section_of(d->name, d->instance, d->desc);
        if (!schema_find(schema, d->name, d->instance, 0) && !schema_add_section(schema, &listed, error))
            return false;
    }
    return schema_section_count(schema) == before || SINK(sink, schema, schema, before, error);
}

static bool same_memory(const MachineCapture *c, const RamBlocks *blocks, GError **error)
{
    bool same = c->blocks.list->len == blocks->list->len;

    for (guint i = 0; same && i < blocks->list->len; i++)
        same = strcmp(ram_block(&c->blocks, i)->name, ram_block(blocks, i)->name) == 0 &&
               ram_block(&c->blocks, i)->length == ram_block(blocks, i)->length;
    if (!same)
        g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                            "the machine's memory has other blocks than when it began to move");
    return same;
}

bool machine_capture_tell_tail(const MachineCapture *c, const RamBlocks *blocks, StreamSink *sink, Schema *schema,
                               GError **error)
{
    return same_memory(c, blocks, error) && tell_more_schema(c, sink, schema, error) && tell_devices(c, sink, error) &&
           tell_end(sink, error);
}

bool machine_save(Machine *m, const MachineIdentity *identity, StreamSink *sink, GError **error)
{
    g_autoptr(MachineCapture) now = machine_capture(m, error);

    return now && machine_capture_tell(now, identity, sink, machine_tell_pages, NULL, error);
}
