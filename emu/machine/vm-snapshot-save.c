/*
 * vm-snapshot-save.c: takes a snapshot of the machine.
 *
 * At one moment the machine stands, its disks are frozen (qcow2_snapshot_prepare), its devices' states are copied and
 * its memory is write-protected; then the guest goes on, while all of this is written. At last the snapshot is
 * published in each image, where the machine's state is at the very end: so where there is a state, all is there.
 *
 * What replaces another snapshot is published by a name of its own first, and gets its name when it is on all disks: at
 * any time all disks have the one or the other.
 */
#include <string.h>

#include "emu/core/ram-freeze.h"
#include "emu/machine/pc.h"
#include "emu/machine/state-out.h"
#include "emu/machine/vm-impl.h"
#include "emu/machine/vm-snapshot-impl.h"
#include "visitors/uuid.h"

#define NS_PER_US 1000

typedef struct Save {
    SnapshotWork work;
    QmpSnapshotSaveOptions *options;
    MigrateFormat format;
    uint8_t uuid[UUID_OCTETS];
    char *first_name;  /* by which it is published; the tag itself, if it replaces nothing */
    RamFreeze *freeze; /* NULL: the machine stands meanwhile */
    MachineCapture *capture;
    StateOut *out;
    int64_t date_ns;
    uint64_t vm_clock_ns;
    bool ran; /* it has to go on */
    uint64_t pages_done;
} Save;

/* --- before anything changes -------------------------------------------------------------------------------------- */

static bool check_uuid(const SnapshotWork *w, const uint8_t uuid[UUID_OCTETS], GError **error)
{
    for (guint i = 0; i < w->disks->len; i++) {
        unsigned count;
        const Qcow2Snapshot *const *all = qcow2_snapshots(SNAPSHOT_DISK(w, i)->image, &count);
        for (unsigned n = 0; n < count; n++)
            if (all[n]->has_uuid && memcmp(all[n]->uuid, uuid, UUID_OCTETS) == 0) {
                g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "uuid: disk '%s' has it already: snapshot '%s'",
                            SNAPSHOT_DISK(w, i)->disk->id, all[n]->name);
                return false;
            }
    }
    return true;
}

static const Qcow2Snapshot *find_named(const Image *image, const char *name)
{
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);

    for (unsigned i = 0; i < count; i++)
        if (g_str_equal(all[i]->name, name))
            return all[i];
    return NULL;
}

/* Those of that name, of which one on any disk is too many, unless it is to be replaced. */
static bool find_old(Save *s, GError **error)
{
    SnapshotWork *w = &s->work;
    bool any = false;

    for (guint i = 0; i < w->disks->len; i++) {
        SnapshotDisk *d = SNAPSHOT_DISK(w, i);
        const Qcow2Snapshot *old = find_named(d->image, w->tag);
        any |= old != NULL;
        if (old && !s->options->overwrite)
            d->why =
                g_strdup_printf("it has one of that name already, with id %s (overwrite=true replaces it)", old->id);
    }
    s->first_name = g_strdup(w->tag);
    if (any) {
        char text[UUID_TEXT];
        g_free(s->first_name);
        uuid_text(s->uuid, text);
        s->first_name = g_strdup_printf("%.200s (new: %s)", w->tag, text);
    }
    return snapshot_judge(w, error);
}

static bool begin(void *opaque, GError **error)
{
    Save *s = opaque;

    return snapshot_choose(&s->work, s->options->has_devices, &s->options->devices, s->options->vmstate, error) &&
           find_old(s, error) && check_uuid(&s->work, s->uuid, error);
}

/* --- the moment --------------------------------------------------------------------------------------------------- */

/* Without memory that can be frozen the machine stands until the end, which its users see. */
static void stop(Save *s)
{
    Vm *vm = s->work.vm;

    s->ran = vm->state == VM_RUNNING;
    if (s->ran)
        pc_stop(vm->pc);
    if (s->ran && !s->freeze)
        vm_set_state(vm, VM_PAUSED);
    vm->held = !s->freeze;
}

static void go_on(Save *s)
{
    Vm *vm = s->work.vm;

    if (s->work.begun)
        vm->held = false;
    if (!s->ran)
        return;
    s->ran = false;
    pc_start(vm->pc);
    if (!s->freeze)
        vm_set_state(vm, VM_RUNNING);
}

static bool capture(Save *s, GError **error)
{
    Vm *vm = s->work.vm;
    Machine *machine = pc_machine(vm->pc);

    pc_set_run_state(vm->pc, s->ran ? "running" : "paused");
    machine_lock(machine);
    s->capture = machine_capture(machine, error);
    s->vm_clock_ns = (uint64_t)clock_now(machine->virtual_clock);
    machine_unlock(machine);
    s->date_ns = g_get_real_time() * NS_PER_US;
    return s->capture;
}

static bool freeze_disks(const SnapshotWork *w, GError **error)
{
    for (guint i = 0; i < w->disks->len; i++) {
        SnapshotDisk *d = SNAPSHOT_DISK(w, i);
        d->pending = qcow2_snapshot_prepare(d->image, error);
        if (d->pending)
            continue;
        g_prefix_error(error, "disk '%s': ", d->disk->id);
        return false;
    }
    return true;
}

static bool moment(void *opaque, GError **error)
{
    Save *s = opaque;

    stop(s);
    snapshot_drain(&s->work);
    bool ok = freeze_disks(&s->work, error) && capture(s, error) && (!s->freeze || ram_freeze_now(s->freeze, error));
    if (s->freeze || !ok)
        go_on(s);
    return ok;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void tell_progress(const Save *s)
{
    uint64_t all = ram_freeze_total(s->freeze) * RAM_FREEZE_PAGE;

    if (s->work.job)
        job_progress(s->work.job, s->pages_done * RAM_FREEZE_PAGE, all);
}

static bool tell_frozen(void *opaque, Machine *machine, StreamSink *sink, GError **error)
{
    g_autoptr(GError) why = NULL;
    Save *s = opaque;
    RamFrozen frozen;

    (void)machine;
    while (ram_freeze_read(s->freeze, &frozen, &why)) {
        RamRun run = {.block = frozen.area, .first = frozen.first, .count = frozen.count, .pages = frozen.pages};
        for (unsigned i = 0; i < frozen.count; i++)
            run.full += frozen.pages[i] != NULL;
        if (!SINK(sink, ram_run, &run, error))
            return false;
        s->pages_done += frozen.count;
        tell_progress(s);
    }
    if (why)
        g_propagate_error(error, g_steal_pointer(&why));
    return !s->work.job || job_checkpoint(s->work.job);
}

static bool write_state(Save *s, GError **error)
{
    const SnapshotDisk *main = SNAPSHOT_DISK(&s->work, s->work.main);

    s->out = state_out_new(s->work.job, main->disk->block, main->pending);
    const MigratePages pages = {.tell = s->freeze ? tell_frozen : machine_tell_pages, .opaque = s, .indexed = true};
    return migrate_tell(s->capture, state_out_chan(s->out), s->format, &pages, error);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static bool publish_one(Save *s, guint i, GError **error)
{
    SnapshotDisk *d = SNAPSHOT_DISK(&s->work, i);
    const Qcow2SnapshotNew new = {.name = s->first_name,
                                  .uuid = s->uuid,
                                  .date_ns = s->date_ns,
                                  .vm_clock_ns = s->vm_clock_ns,
                                  .icount = UINT64_MAX};
    uint64_t size = i == s->work.main ? state_out_length(s->out) : 0;

    d->done = qcow2_snapshot_publish(g_steal_pointer(&d->pending), &new, size, error);
    if (!d->done)
        g_prefix_error(error, "disk '%s': ", d->disk->id);
    return d->done;
}

static const Qcow2Snapshot *published(const Save *s, const SnapshotDisk *d)
{
    char text[UUID_TEXT];

    uuid_text(s->uuid, text);
    return qcow2_snapshot_find(d->image, text, NULL);
}

/* In place of the old ones; other than the rest, this cannot be undone, and each image can be used as it is. */
static bool rename_all(Save *s, GError **error)
{
    SnapshotWork *w = &s->work;

    for (guint i = 0; i < w->disks->len; i++) {
        const SnapshotDisk *d = SNAPSHOT_DISK(w, i);
        const Qcow2Snapshot *new = published(s, d);
        if (new &&qcow2_snapshot_rename(d->image, new, w->tag, find_named(d->image, w->tag), error))
            continue;
        g_prefix_error(error, "disk '%s': the snapshot is there as '%s', but cannot replace '%s': ", d->disk->id,
                       s->first_name, w->tag);
        return false;
    }
    return true;
}

static bool publish_all(Save *s, GError **error)
{
    const SnapshotWork *w = &s->work;

    for (guint i = 0; i < w->disks->len; i++)
        if (i != w->main && !publish_one(s, i, error))
            return false;
    return publish_one(s, w->main, error);
}

/* Where a disk that has it already fails, too, the error says so. */
static void withdraw(Save *s, GError **error)
{
    for (guint i = 0; i < s->work.disks->len; i++) {
        SnapshotDisk *d = SNAPSHOT_DISK(&s->work, i);
        const Qcow2Snapshot *new = d->done ? published(s, d) : NULL;
        g_autoptr(GError) why = NULL;
        d->done = false;
        if (new && !qcow2_snapshot_delete(d->image, new, QCOW2_ORPHANS_REPARENT, &why))
            g_prefix_error(error, "disk '%s' keeps what it has of it, as '%s' (%s); ", d->disk->id, s->first_name,
                           why->message);
    }
}

static bool publish(void *opaque, GError **error)
{
    Save *s = opaque;
    const SnapshotWork *w = &s->work;

    if (!publish_all(s, error)) {
        withdraw(s, error);
        return false;
    }
    bool ok = true;
    if (!g_str_equal(s->first_name, w->tag)) {
        ok = rename_all(s, error);
        /* It stays, even if the job is cancelled now: what it replaces is gone. */
        for (guint i = 0; i < w->disks->len; i++)
            SNAPSHOT_DISK(w, i)->done = false;
    }
    if (ok)
        go_on(s);
    return ok;
}

static bool run(Save *s, GError **error)
{
    g_autoptr(GError) why = NULL;
    const SnapshotWork *w = &s->work;
    bool live = !s->options->has_live || s->options->live;

    if (!snapshot_do(w, begin, s, error))
        return false;
    if (live)
        s->freeze = ram_freeze_new(pc_machine(w->vm->pc)->areas, &why);
    if (why && s->options->has_live) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    return snapshot_do(w, moment, s, error) && write_state(s, error) && snapshot_do(w, publish, s, error);
}

/* On the context's thread: what is left of it, whatever came of it. */
static void end(Save *s, bool well)
{
    SnapshotWork *w = &s->work;

    for (guint i = 0; i < w->disks->len; i++) {
        const SnapshotDisk *d = SNAPSHOT_DISK(w, i);
        if (w->begun)
            block_drain(d->disk->block);
    }
    if (!well)
        withdraw(s, NULL);
    snapshot_abandon(w);
    go_on(s);
    g_clear_pointer(&s->freeze, ram_freeze_free);
    g_clear_pointer(&s->out, state_out_free);
    snapshot_let_go(w);
}

/* --- the ways to it ----------------------------------------------------------------------------------------------- */

static void save_free(void *opaque)
{
    Save *s = opaque;

    machine_capture_free(s->capture);
    snapshot_work_done(&s->work);
    qmp_SnapshotSaveOptions_free(s->options);
    g_free(s->first_name);
    g_free(s);
}

static bool take_options(Save *s, GError **error)
{
    const QmpSnapshotSaveOptions *o = s->options;
    bool zstd = o->has_compress && o->compress == QMP_SNAPSHOT_COMPRESSION_ZSTD;

    if (o->has_format && o->format == QMP_SNAPSHOT_FORMAT_BER)
        s->format = zstd ? MIGRATE_BER_ZSTD : MIGRATE_BER;
    else if (zstd) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "compress: only format 'ber' can be compressed, QEMU could not read the other one");
        return false;
    }
    uuid_random(s->uuid);
    if (!o->uuid || (uuid_parse(o->uuid, s->uuid) && !uuid_is_null(s->uuid)))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "uuid: '%s' is no UUID", o->uuid);
    return false;
}

static Save *save_new(Vm *vm, const QmpSnapshotSaveOptions *options, GError **error)
{
    Save *s = g_new0(Save, 1);

    s->options = qapi_copy(&qmp_type_SnapshotSaveOptions, options);
    if (!s->options->tag) {
        g_autoptr(GDateTime) now = g_date_time_new_now_local();
        s->options->tag = g_date_time_format(now, "vm-%Y%m%d%H%M%S");
    }
    snapshot_work_init(&s->work, vm, s->options->job_id, "saved", s->options->tag);
    if (take_options(s, error))
        return s;
    save_free(s);
    return NULL;
}

static bool run_job(Job *job, void *opaque, GError **error)
{
    Save *s = opaque;

    s->work.job = job;
    return run(s, error);
}

static void commit(void *opaque)
{
    end(opaque, true);
}

static void undo(void *opaque)
{
    end(opaque, false);
}

bool vm_snapshot_save(Vm *vm, const QmpSnapshotSaveOptions *options, GError **error)
{
    static const JobType type = {
        .name = "snapshot-save", .run = run_job, .commit = commit, .undo = undo, .free = save_free};
    Save *s = save_new(vm, options, error);

    if (!s)
        return false;
    if (options->job_id)
        return snapshot_start(vm, options->job_id, &type, s, error);
    bool ok = run(s, error);
    end(s, ok);
    save_free(s);
    return ok;
}
