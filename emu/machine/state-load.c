/*
 * state-load.c: a machine's state in from a stream.
 *
 * Pages go to a stage beside the memory, sections to copies of the states. To put a page in place is to move it: the
 * stage's pages are mapped where the memory's were, so that a commit takes no time for what is not moved.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "emu/machine/state.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/qemufile-in.h"
#include "visitors/uuid.h"
#include "vmstate/configuration.h"
#include "vmstate/state.h"
#include "vmstate/walk.h"

/* What has come for one area; host is NULL if nothing has. */
typedef struct Stage {
    RamArea *area;
    uint8_t *host; /* as much as the area may have */
    uint64_t size;
    uint8_t *come; /* a bit for each page; several threads set them */
} Stage;

struct MachineLoad {
    StreamSink sink;
    Machine *machine;
    MachineIdentity identity;
    Schema *schema;
    SectionLoad *sections;
    GArray *stages;              /* of Stage, one for each block of the stream */
    const MachineLoadPeer *peer; /* NULL: none */
    bool passed;                 /* the blocks are known, and pages may come from elsewhere */
    RamFill *fill; /* memory comes by this, later, and not to the stages; NULL: it comes with the stream */
    bool complete;
};

static MachineLoad *load_of(StreamSink *sink)
{
    return (MachineLoad *)sink;
}

static bool mismatch(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool mismatch(GError **error, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, text);
    return false;
}

/* --- the machine ------------------------------------------------------------------------------------------------ */

static bool check_type(const MachineLoad *l, const char *type, GError **error)
{
    return strcmp(type, l->identity.type) == 0 ||
           mismatch(error, "the stream is of machine type %s, this machine is %s", type, l->identity.type);
}

static bool take_header(StreamSink *sink, const StreamHeader *header, GError **error)
{
    MachineLoad *l = load_of(sink);

    if (header->kind != STREAM_MACHINE)
        return mismatch(error, "this is a %s channel, not the state of a machine", stream_kind_name(header->kind));
    return !header->machine || check_type(l, header->machine, error);
}

/* Which machine it is, if the stream says it (QEMU's capability validate-uuid). */
static bool check_uuid(const MachineLoad *l, const StreamSection *s, GError **error)
{
    const uint8_t *theirs = NULL;

    for (const VMStateSubsection *sub = s->desc->subsections; sub && sub->desc; sub++)
        for (const VMStateField *f = sub->desc->fields; f->name; f++)
            if (strcmp(f->name, "uuid") == 0 && f->size * f->count == UUID_OCTETS &&
                vms_subsection_needed(sub, s->state))
                theirs = (const uint8_t *)s->state + f->offset;
    if (!theirs || !l->identity.uuid || memcmp(theirs, l->identity.uuid, UUID_OCTETS) == 0)
        return true;
    char stream[UUID_TEXT], here[UUID_TEXT];
    uuid_text(theirs, stream);
    uuid_text(l->identity.uuid, here);
    return mismatch(error, "the stream is of the machine with UUID %s, this one has %s", stream, here);
}

static bool take_configuration(MachineLoad *l, const StreamSection *s, GError **error)
{
    Integer len;
    char name[256] = "";

    if (!s->state)
        return mismatch(error, "the configuration section is not readable: %s", s->note ? s->note : "no description");
    if (!vms_state_get(s->desc, s->state, "len", 0, &len) || len.bits >= sizeof name)
        return mismatch(error, "the configuration section has no machine type");
    for (size_t i = 0; i < len.bits; i++) {
        Integer octet;
        if (!vms_state_get(s->desc, s->state, "name", i, &octet))
            return mismatch(error, "the configuration section has no machine type");
        name[i] = (char)octet.bits;
    }
    return check_type(l, name, error) && check_uuid(l, s, error);
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

static uint64_t page_count(const Stage *stage)
{
    return (stage->size + RAM_PAGE - 1) / RAM_PAGE;
}

/* Whole words. */
static uint64_t come_octets(const Stage *stage)
{
    return (page_count(stage) / 64 + 1) * 8;
}

static uint64_t come_count(const Stage *stage)
{
    uint64_t count = 0, word;

    for (uint64_t i = 0; i < come_octets(stage); i += sizeof word) {
        memcpy(&word, stage->come + i, sizeof word);
        count += (uint64_t)__builtin_popcountll(word);
    }
    return count;
}

static bool fits(const RamArea *area, const RamBlock *block, GError **error)
{
    if (block->length == area->size || (area->maximum > area->size && block->length <= area->maximum))
        return true;
    return mismatch(error,
                    "RAM block \"%s\": the stream has 0x%" G_GINT64_MODIFIER
                    "x octets, this machine 0x%" G_GINT64_MODIFIER "x",
                    block->name, block->length, area->size);
}

/* The index of its pages must be of this stream. */
static bool check_index(const MachineLoad *l, const RamBlock *block, GError **error)
{
    const RamBlocks *indexed = &ram_fill_index(l->fill)->blocks;
    guint i = l->stages->len;

    if (i < indexed->list->len && strcmp(ram_block(indexed, i)->name, block->name) == 0 &&
        ram_block(indexed, i)->length == block->length)
        return true;
    return mismatch(error, "RAM block \"%s\": the index of its pages is of other blocks", block->name);
}

static bool add_stage(MachineLoad *l, const RamBlock *block, GError **error)
{
    RamArea *area = machine_find_ram(l->machine, block->name);
    Stage stage = {.area = area, .size = block->length};

    if (!area)
        return mismatch(error, "RAM block \"%s\": this machine has none of that name", block->name);
    if (!fits(area, block, error))
        return false;
    if (l->fill) {
        if (!check_index(l, block, error))
            return false;
        g_array_append_val(l->stages, stage);
        return true;
    }
    stage.host = mmap(NULL, area->maximum, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stage.host == MAP_FAILED) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "RAM block \"%s\": there is no room to load it: %s",
                    block->name, g_strerror(errno));
        return false;
    }
    madvise(stage.host, area->maximum, MADV_HUGEPAGE); /* it is about to be filled; may fail */
    stage.come = g_malloc0(come_octets(&stage));
    g_array_append_val(l->stages, stage);
    return true;
}

static bool take_blocks(StreamSink *sink, const RamBlocks *blocks, size_t first, GError **error)
{
    MachineLoad *l = load_of(sink);

    if (l->passed)
        return mismatch(error, "RAM blocks are listed after the first pages");
    for (size_t i = first; i < blocks->list->len; i++)
        if (!add_stage(l, ram_block(blocks, i), error))
            return false;
    return true;
}

static const StreamGap *gap_of(StreamSink *sink)
{
    const MachineLoad *l = load_of(sink);

    return l->fill ? &ram_fill_index(l->fill)->gap : NULL;
}

static bool is_beside(const MachineLoad *l, GError **error)
{
    return l->fill && !mismatch(error, "there are pages in the stream that the index of its pages does not have");
}

/* Where a page goes that comes. The reader has seen to it that block and page are there. *again: it has come before. */
static uint8_t *page_at(const MachineLoad *l, uint32_t block, uint64_t page, bool *again)
{
    Stage *stage = &g_array_index(l->stages, Stage, block);
    uint8_t bit = (uint8_t)(1 << page % 8);

    *again = __atomic_fetch_or(&stage->come[page / 8], bit, __ATOMIC_RELAXED) & bit;
    return stage->host + page * RAM_PAGE;
}

static bool take_run(StreamSink *sink, const RamRun *run, GError **error)
{
    MachineLoad *l = load_of(sink);
    bool again;

    if (is_beside(l, error))
        return false;
    for (uint32_t i = 0; i < run->count; i++) {
        uint8_t *page = page_at(l, run->block, run->first + i, &again);
        if (run->pages[i])
            memcpy(page, run->pages[i], RAM_PAGE);
        else if (again) /* otherwise it is of zeros as it is, and takes no memory */
            memset(page, 0, RAM_PAGE);
    }
    return true;
}

static bool take_piece(StreamSink *sink, const RamPiece *piece, GError **error)
{
    MachineLoad *l = load_of(sink);
    const Stage *stage = &g_array_index(l->stages, Stage, piece->block);
    bool again;

    if (is_beside(l, error))
        return false;
    if (ram_piece_apply(piece, page_at(l, piece->block, piece->page, &again), error))
        return true;
    g_prefix_error(error, "RAM block \"%s\", page 0x%" G_GINT64_MODIFIER "x: ", stage->area->name, piece->page);
    return false;
}

static bool take_ram_end(StreamSink *sink, GError **error)
{
    MachineLoad *l = load_of(sink);

    l->passed = true;
    return !l->peer || l->peer->memory_passed(l->peer->opaque, error);
}

static int place_block(void *opaque, const char *name)
{
    const MachineLoad *l = opaque;

    for (guint i = 0; i < l->stages->len; i++)
        if (strcmp(g_array_index(l->stages, Stage, i).area->name, name) == 0)
            return (int)i;
    return -1;
}

static uint8_t *place_pages(void *opaque, int block, uint64_t first, uint32_t count)
{
    const MachineLoad *l = opaque;
    const Stage *stage = &g_array_index(l->stages, Stage, block);
    uint64_t pages = page_count(stage);
    bool again;

    if (first >= pages || count > pages - first)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        page_at(l, (uint32_t)block, first + i, &again);
    return stage->host + first * RAM_PAGE;
}

RamPlace machine_load_place(MachineLoad *l)
{
    return (RamPlace){.block = place_block, .pages = place_pages, .opaque = l};
}

/* Memory will come: all of the areas are told, in the order of the index. */
static bool begin_to_fill(const MachineLoad *l, GError **error)
{
    g_autoptr(GPtrArray) areas = g_ptr_array_new();

    for (guint i = 0; i < l->stages->len; i++)
        g_ptr_array_add(areas, g_array_index(l->stages, Stage, i).area);
    if (!ram_fill_begin(l->fill, areas, error))
        return false;
    for (guint i = 0; i < l->stages->len; i++)
        g_array_index(l->stages, Stage, i).area->size = g_array_index(l->stages, Stage, i).size;
    return true;
}

/* Cannot fail for want of memory: the pages are there, and their place is. */
static bool put_in_place(const Stage *stage, GError **error)
{
    RamArea *area = stage->area;
    void *moved = mremap(stage->host, area->maximum, area->maximum, MREMAP_MAYMOVE | MREMAP_FIXED, area->host);

    if (moved == MAP_FAILED) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "RAM block \"%s\": %s", area->name, g_strerror(errno));
        return false;
    }
    area->size = stage->size;
    return true;
}

/* --- sections --------------------------------------------------------------------------------------------------- */

static bool load_octets(MachineLoad *l, const Section *to, const StreamSection *s, GError **error)
{
    g_autoptr(ChanIn) in = chan_in_new_memory(s->octets, s->len, s->body);

    if (!section_load_one(l->sections, to, qemufile_in_new(in, s->name), s->version, NULL, error))
        return false;
    return chan_in_at_end(in) || mismatch(error, "%s @0x%" G_GINT64_MODIFIER "x: %zu octets are more than its fields",
                                          s->name, s->body, s->len);
}

/* By name: through BER, which says what is what. */
static bool load_described(MachineLoad *l, const Section *to, const StreamSection *s, GError **error)
{
    g_autoptr(Visitor) out = NULL;
    ByteOut ber = {0};

    out = ber_out_new(&ber, s->name, BER_CONTEXT, 0);
    vmstate_save(out, s->desc, s->state);
    bool ok = visit_finish(out, error) &&
              section_load_one(l->sections, to, ber_in_new(ber.data, ber.len, s->body, s->name, BER_CONTEXT, 0),
                               s->version, s->desc, error);
    byte_out_done(&ber);
    return ok;
}

static bool take_section(StreamSink *sink, const StreamSection *s, GError **error)
{
    MachineLoad *l = load_of(sink);

    if (s->cut)
        return true; /* the reader fails */
    if (s->configuration)
        return take_configuration(l, s, error);
    const Section *to = section_list_find(l->machine->sections, s->name, s->instance);
    if (!to)
        return mismatch(error, "section %s[%u] @0x%" G_GINT64_MODIFIER "x: this machine has no such device", s->name,
                        s->instance, s->offset);
    if (section_load_state(l->sections, to))
        return mismatch(error, "section %s[%u] @0x%" G_GINT64_MODIFIER "x: it comes a second time", s->name,
                        s->instance, s->offset);
    return s->octets ? load_octets(l, to, s, error) : load_described(l, to, s, error);
}

static bool take_command(StreamSink *sink, const StreamCommand *command, GError **error)
{
    const char *name = stream_command_name(command->id);
    const MachineLoad *l = load_of(sink);

    /* what a source asks for that nobody listens to, or might have done: a stream from a file is none the worse */
    if (command->id == STREAM_OPEN_RETURN_PATH || command->id == STREAM_PING)
        return !l->peer || l->peer->command(l->peer->opaque, command, error);
    if (command->id == STREAM_POSTCOPY_ADVISE)
        return true;
    return mismatch(error, "command %s @0x%" G_GINT64_MODIFIER "x: postcopy and COLO cannot come from here",
                    name ? name : "?", command->offset);
}

/* Disks and their bitmaps have nobody here who would take them. */
static bool take_slice(StreamSink *sink, const StreamSlice *slice, GError **error)
{
    (void)sink;
    return strcmp(slice->name, "ram") == 0 ||
           mismatch(error, "section %s @0x%" G_GINT64_MODIFIER "x: only memory can come while a machine runs",
                    slice->name, slice->offset);
}

static bool take_end(StreamSink *sink, const StreamEnd *end, GError **error)
{
    (void)error;
    load_of(sink)->complete = end->complete;
    return true;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

MachineLoad *machine_load_new(Machine *machine, const MachineIdentity *identity)
{
    static const StreamSinkOps ops = {.header = take_header,
                                      .slice_start = take_slice,
                                      .ram_blocks = take_blocks,
                                      .ram_gap = gap_of,
                                      .ram_run = take_run,
                                      .ram_piece = take_piece,
                                      .ram_end = take_ram_end,
                                      .section = take_section,
                                      .command = take_command,
                                      .end = take_end};
    MachineLoad *l = g_new0(MachineLoad, 1);

    l->sink.ops = &ops;
    l->machine = machine;
    l->identity = *identity;
    l->sections = section_load_new(machine->sections);
    l->stages = g_array_new(FALSE, FALSE, sizeof(Stage));
    return l;
}

void machine_load_free(MachineLoad *l)
{
    if (!l)
        return;
    for (guint i = 0; i < l->stages->len; i++) {
        const Stage *stage = &g_array_index(l->stages, Stage, i);
        if (stage->host)
            munmap(stage->host, stage->area->maximum);
        g_free(stage->come);
    }
    g_array_unref(l->stages);
    section_load_free(l->sections);
    schema_unref(l->schema);
    g_free(l);
}

void machine_load_set_peer(MachineLoad *l, const MachineLoadPeer *peer)
{
    l->peer = peer;
}

void machine_load_lazily(MachineLoad *l, RamFill *fill)
{
    l->fill = fill;
}

StreamSink *machine_load_sink(MachineLoad *l)
{
    return &l->sink;
}

const Schema *machine_load_schema(MachineLoad *l)
{
    if (l->schema)
        return l->schema;
    l->schema = schema_new();
    for (size_t i = 0; i < section_list_length(l->machine->sections); i++) {
        const Section *s = section_list_get(l->machine->sections, i);
        schema_add_section(
            l->schema,
            &(SchemaSection){
                .name = s->name, .instance = s->instance, .version = s->desc->version, .desc = s->desc, .octets = -1},
            NULL);
    }
    return l->schema;
}

const void *machine_load_state(const MachineLoad *l, const char *name, uint32_t instance)
{
    const Section *s = section_list_find(l->machine->sections, name, instance);
    const void *come = s ? section_load_state(l->sections, s) : NULL;

    return come ? come : s ? s->state : NULL;
}

/* Every page must have come: with several channels, or memory that both sides share, some are not in the stream. */
static bool check_stages(const MachineLoad *l, GError **error)
{
    /* an index has been held against that when it was read */
    for (guint k = 0; !l->fill && k < l->stages->len; k++) {
        const Stage *stage = &g_array_index(l->stages, Stage, k);
        uint64_t missing = page_count(stage) - come_count(stage);
        if (missing)
            return mismatch(error,
                            "RAM block \"%s\": %" G_GUINT64_FORMAT " of its %" G_GUINT64_FORMAT
                            " pages are not in the stream",
                            stage->area->name, missing, page_count(stage));
    }
    return true;
}

/* An area that no stage is for. */
static bool check_areas(const MachineLoad *l, GError **error)
{
    for (guint i = 0; i < l->machine->areas->len; i++) {
        const RamArea *area = g_ptr_array_index(l->machine->areas, i);
        bool come = false;
        for (guint k = 0; k < l->stages->len && !come; k++)
            come = g_array_index(l->stages, Stage, k).area == area;
        if (!come)
            return mismatch(error, "the stream lacks RAM block \"%s\", which this machine has", area->name);
    }
    return true;
}

bool machine_load_check(MachineLoad *l, GError **error)
{
    if (!l->complete)
        return mismatch(error, "the stream is not complete");
    return check_areas(l, error) && check_stages(l, error) && section_load_fill(l->sections, error) &&
           section_load_check(l->sections, error);
}

bool machine_load_commit(MachineLoad *l, GError **error)
{
    if (!machine_load_check(l, error) || (l->fill && !begin_to_fill(l, error)))
        return false;
    for (guint i = 0; !l->fill && i < l->stages->len; i++) {
        Stage *stage = &g_array_index(l->stages, Stage, i);
        if (!put_in_place(stage, error))
            return false;
        stage->host = NULL;
    }
    return section_load_commit(l->sections, error);
}
