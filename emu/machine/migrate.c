/* migrate.c: a PC's state to another place. */
#include "emu/machine/migrate.h"

#include <string.h>

#include "emu/machine/migrate-impl.h"
#include "emu/machine/pc-impl.h"
#include "vmstate/berstream-load.h"
#include "vmstate/berstream-save.h"
#include "vmstate/stream-load.h"
#include "vmstate/stream-save.h"

enum { PROBE = 32 };

StreamSink *migrate_sink_new(ChanOut *out, MigrateFormat format)
{
    const MachineIdentity *id = pc_identity();
    const BerstreamOptions options = {
        .writer = id->writer, .writer_version = id->writer_version, .zstd = format == MIGRATE_BER_ZSTD};

    return format == MIGRATE_QEMUFILE ? stream_save_new(out, NULL) : berstream_save_new(out, &options);
}

void migrate_sink_free(StreamSink *sink, MigrateFormat format)
{
    if (format == MIGRATE_QEMUFILE)
        stream_save_free(sink);
    else
        berstream_save_free(sink);
}

typedef struct Indexed {
    const MigratePages *pages;
    RamIndexer *indexer;
} Indexed;

static bool tell_indexed(void *opaque, Machine *machine, StreamSink *sink, GError **error)
{
    const Indexed *x = opaque;

    (void)sink; /* behind the indexer */
    return x->pages->tell(x->pages->opaque, machine, ram_indexer_sink(x->indexer), error);
}

static bool tell_with_index(const MachineCapture *capture, StreamSink *sink, MigrateFormat format,
                            const MigratePages *pages, ChanOut *out, GError **error)
{
    RamIndexFormat as = format == MIGRATE_QEMUFILE ? RAM_INDEX_QEMUFILE : RAM_INDEX_BER;
    g_autoptr(RamIndexer) indexer = ram_indexer_new(as, sink, out);
    Indexed x = {pages, indexer};

    if (!machine_capture_tell(capture, pc_identity(), sink, tell_indexed, &x, error))
        return false;
    ram_indexer_put(indexer, machine_capture_blocks(capture), out);
    return true;
}

bool migrate_tell(const MachineCapture *capture, Chan *chan, MigrateFormat format, const MigratePages *pages,
                  GError **error)
{
    g_autoptr(ChanOut) out = chan_out_new(chan);
    StreamSink *sink = migrate_sink_new(out, format);
    bool ok = pages->indexed ? tell_with_index(capture, sink, format, pages, out, error)
                             : machine_capture_tell(capture, pc_identity(), sink, pages->tell, pages->opaque, error);

    migrate_sink_free(sink, format);
    return ok && chan_out_finish(out, error);
}

bool migrate_save(Pc *pc, Chan *out, MigrateFormat format, GError **error)
{
    machine_lock(pc->machine);
    g_autoptr(MachineCapture) now = machine_capture(pc->machine, error);
    bool ok = now && migrate_tell(now, out, format, &(MigratePages){.tell = machine_tell_pages}, error);
    machine_unlock(pc->machine);
    if (!now)
        chan_free(out);
    return ok;
}

/* --- in --------------------------------------------------------------------------------------------------------- */

/* Would KVM take what has come for the processors? */
static bool rehearse(Pc *pc, MachineLoad *load, GError **error)
{
    for (unsigned i = 0; i < pc->options.cpus; i++) {
        const CpuState *cpu = machine_load_state(load, "cpu", i);
        const ApicState *apic = machine_load_state(load, "apic", i);
        if (pc->vcpus[i] && !vcpu_rehearse(pc->vcpus[i], cpu, apic, error)) {
            g_prefix_error(error, "processor %u: ", i);
            return false;
        }
    }
    return true;
}

static bool read_stream(MachineLoad *load, ChanIn *in, bool live, GError **error)
{
    static const uint8_t qemufile[4] = "QEVM"; /* a live one may have nothing more to say yet */
    const StreamSource source = {.kind = STREAM_MACHINE, .live = live, .borrowed = machine_load_schema(load)};
    size_t got;
    const uint8_t *start = chan_in_peek(in, sizeof qemufile, &got);

    if (got == sizeof qemufile && memcmp(start, qemufile, got) == 0)
        return stream_load(in, &source, machine_load_sink(load), error);
    start = chan_in_peek(in, PROBE, &got);
    if (berstream_probe(start, got))
        return berstream_load(in, NULL, machine_load_sink(load), error);
    return stream_load(in, &source, machine_load_sink(load), error);
}

const uint8_t *migrate_uuid(const Pc *pc)
{
    static const uint8_t none[sizeof pc->options.uuid];

    return memcmp(pc->options.uuid, none, sizeof none) != 0 ? pc->options.uuid : NULL;
}

MigrateState *migrate_state_new(Pc *pc)
{
    MachineIdentity identity = *pc_identity();

    identity.uuid = migrate_uuid(pc);
    return machine_load_new(pc->machine, &identity);
}

bool migrate_read_state(Pc *pc, MigrateState *state, ChanIn *in, bool live, GError **error)
{
    return read_stream(state, in, live, error) && machine_load_check(state, error) && rehearse(pc, state, error);
}

MigrateState *migrate_read(Pc *pc, Chan *chan, GError **error)
{
    return migrate_read_lazily(pc, chan, NULL, error);
}

MigrateState *migrate_read_lazily(Pc *pc, Chan *chan, RamFill *fill, GError **error)
{
    g_autoptr(MachineLoad) load = migrate_state_new(pc);
    g_autoptr(ChanIn) in = chan_in_new(chan, 0);

    machine_load_lazily(load, fill);
    return migrate_read_state(pc, load, in, false, error) ? g_steal_pointer(&load) : NULL;
}

bool migrate_commit(Pc *pc, MigrateState *state, GError **error)
{
    machine_lock(pc->machine);
    bool ok = machine_load_commit(state, error);
    machine_unlock(pc->machine);
    return ok;
}

bool migrate_in(Pc *pc, Chan *in, GError **error)
{
    g_autoptr(MachineLoad) state = migrate_read(pc, in, error);

    return state && migrate_commit(pc, state, error);
}
