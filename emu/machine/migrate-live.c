/* migrate-live.c: a PC's state to another place while the PC runs. */
#include "emu/machine/migrate-live.h"

#include "emu/core/dirty.h"
#include "emu/kvm/dirty.h"
#include "emu/machine/migrate-impl.h"
#include "emu/machine/pc-impl.h"
#include "emu/machine/throttle.h"

struct MigrateLive {
    Pc *pc;
    MigrateFormat format;
    MigrateLiveEvents events;
    RamBlocks blocks;
    LiveMemory *memory;
    Schema *schema;
    MachineCapture *capture;
    Throttle *throttle;
    LiveSource *source;
};

/* --- what was written --------------------------------------------------------------------------------------------- */

static bool dirty_on(void *opaque, GError **error)
{
    const MigrateLive *l = opaque;

    machine_lock(l->pc->machine);
    dirty_start(l->pc->machine->areas);
    bool ok = !l->pc->kvm || kvm_dirty_start(l->pc->kvm, error);
    if (!ok)
        dirty_stop(l->pc->machine->areas);
    machine_unlock(l->pc->machine);
    return ok;
}

static void dirty_off(void *opaque)
{
    const MigrateLive *l = opaque;

    machine_lock(l->pc->machine);
    if (l->pc->kvm)
        kvm_dirty_stop(l->pc->kvm);
    dirty_stop(l->pc->machine->areas);
    machine_unlock(l->pc->machine);
}

static bool dirty_look(void *opaque, uint64_t *const *bits, GError **error)
{
    const MigrateLive *l = opaque;
    const GPtrArray *areas = l->pc->machine->areas;

    machine_lock(l->pc->machine);
    bool ok = !l->pc->kvm || kvm_dirty_sync(l->pc->kvm, error);
    if (ok && areas->len != l->blocks.list->len) {
        g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                            "the machine has got or lost memory since it began to move");
        ok = false;
    }
    for (guint i = 0; ok && i < areas->len; i++)
        dirty_take(g_ptr_array_index(areas, i), bits[i], l->memory[i].pages);
    machine_unlock(l->pc->machine);
    return ok;
}

static void dirty_taken(void *opaque, uint32_t block, uint64_t first, uint64_t count)
{
    const MigrateLive *l = opaque;

    machine_lock(l->pc->machine);
    if (l->pc->kvm && block < l->pc->machine->areas->len)
        kvm_dirty_clear(l->pc->kvm, g_ptr_array_index(l->pc->machine->areas, block), first, count);
    machine_unlock(l->pc->machine);
}

/* --- what is sent besides ----------------------------------------------------------------------------------------- */

static bool tell_head(void *opaque, StreamSink *sink, GError **error)
{
    const MigrateLive *l = opaque;

    machine_lock(l->pc->machine);
    bool ok = machine_tell_head(l->pc->machine, pc_identity(), sink, l->schema, error);
    machine_unlock(l->pc->machine);
    return ok;
}

static bool tell_tail(void *opaque, StreamSink *sink, GError **error)
{
    const MigrateLive *l = opaque;

    return machine_capture_tell_tail(l->capture, &l->blocks, sink, l->schema, error);
}

static bool stop(void *opaque, GError **error)
{
    const MigrateLive *l = opaque;

    return l->events.stop(l->events.opaque, error);
}

static void pass(void *opaque, uint64_t number)
{
    const MigrateLive *l = opaque;

    l->events.pass(l->events.opaque, number);
}

static void slow_down(void *opaque, unsigned percent)
{
    throttle_set(((MigrateLive *)opaque)->throttle, percent);
}

bool migrate_live_capture(MigrateLive *l, GError **error)
{
    machine_lock(l->pc->machine);
    l->capture = machine_capture(l->pc->machine, error);
    machine_unlock(l->pc->machine);
    return l->capture;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

bool migrate_live_run(MigrateLive *l, Chan *chan, GError **error)
{
    g_autoptr(ChanOut) out = chan_out_new(chan);
    StreamSink *sink = migrate_sink_new(out, l->format);
    /* BER has sums of its pages, also of those that cannot be compressed */
    const LiveStream stream = {.sink = sink, .out = out, .steady = l->format != MIGRATE_QEMUFILE};
    bool ok = live_source_run(l->source, &stream, error);

    migrate_sink_free(sink, l->format);
    return ok;
}

LiveSource *migrate_live_source(MigrateLive *l)
{
    return l->source;
}

MigrateLive *migrate_live_new(Pc *pc, MigrateFormat format, const MigrateLiveEvents *events, GError **error)
{
    static const LiveOps ops = {.dirty_start = dirty_on,
                                .dirty_stop = dirty_off,
                                .dirty_sync = dirty_look,
                                .dirty_clear = dirty_taken,
                                .head = tell_head,
                                .stop = stop,
                                .tail = tell_tail,
                                .throttle = slow_down,
                                .pass = pass};
    MigrateLive *l = g_new0(MigrateLive, 1);
    const GPtrArray *areas = pc->machine->areas;

    l->pc = pc;
    l->format = format;
    l->events = *events;
    l->schema = schema_new();
    l->throttle = throttle_new(pc);
    ram_blocks_init(&l->blocks);
    if (!machine_list_memory(pc->machine, &l->blocks, error)) {
        migrate_live_free(l);
        return NULL;
    }
    l->memory = g_new0(LiveMemory, areas->len);
    for (guint i = 0; i < areas->len; i++) {
        const RamArea *area = g_ptr_array_index(areas, i);
        l->memory[i] = (LiveMemory){area->host, area->size / RAM_PAGE};
    }
    l->source = live_source_new(&ops, l, &l->blocks, l->memory);
    return l;
}

void migrate_live_free(MigrateLive *l)
{
    if (!l)
        return;
    live_source_free(l->source);
    throttle_free(l->throttle);
    machine_capture_free(l->capture);
    schema_unref(l->schema);
    ram_blocks_done(&l->blocks);
    g_free(l->memory);
    g_free(l);
}
