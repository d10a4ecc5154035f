/*
 * vm-snapshot-load.c: loads a snapshot of the machine.
 *
 * The state is read and judged while the guest goes on; the image is opened once more for that, for the disk's own is
 * its thread's. Then the machine stops, the disks become what they were, and the state is put in place. What the disks
 * were before is kept until that is done: until then all can be taken back.
 */
#include "emu/block/blk-qcow2.h"
#include "emu/machine/pc.h"
#include "emu/machine/vm-impl.h"
#include "emu/machine/vm-snapshot-impl.h"
#include "visitors/chan.h"

#define NS_PER_SECOND INT64_C(1000000000)

typedef struct Load {
    SnapshotWork work;
    QmpSnapshotLoadOptions *options;
    char *path, *id; /* of the image with the machine's state, and of the snapshot in it */
    MigrateState *state;
    RamFill *fill; /* memory comes by this when the guest runs again; NULL: with the state */
    char *eager;   /* why it does not, though that was asked for; NULL: it does */
    int64_t began_us;
    int64_t date_ns; /* when it was saved, since 1970 */
    bool ran;        /* it has to go on */
} Load;

/* --- before anything changes -------------------------------------------------------------------------------------- */

static bool begin(void *opaque, GError **error)
{
    Load *l = opaque;
    SnapshotWork *w = &l->work;

    if (!snapshot_choose(w, l->options->has_devices, &l->options->devices, l->options->vmstate, error))
        return false;
    snapshot_report(w, l->began_us);
    if (!snapshot_find(w, l->options->vmstate, error))
        return false;
    SnapshotDisk *main = SNAPSHOT_DISK(w, w->main);
    if (main->snapshot && !main->snapshot->vm_state_size)
        main->why = g_strdup("it has it without a state of the machine: it is of disks only");
    if (!snapshot_judge(w, error))
        return false;
    l->path = g_strdup(main->disk->path);
    l->id = g_strdup(main->snapshot->id);
    l->date_ns = main->snapshot->date_sec * NS_PER_SECOND + main->snapshot->date_nsec;
    return true;
}

/* --- the state ---------------------------------------------------------------------------------------------------- */

/* Tells how far it is, and when it is time to give up. */
typedef struct Watched {
    Chan chan;
    Chan *inner;
    Job *job;
    bool told; /* how far it is: otherwise it is not worth it */
    uint64_t done, all;
} Watched;

static gssize read_watched(Chan *chan, void *data, size_t len, GError **error)
{
    Watched *w = (Watched *)chan;

    if (!job_checkpoint(w->job)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "it was cancelled");
        return -1;
    }
    gssize got = w->inner->ops->read(w->inner, data, len, error);
    w->done += (uint64_t)MAX(got, 0);
    if (w->told)
        job_progress(w->job, w->done, w->all);
    return got;
}

static bool seek_watched(Chan *chan, uint64_t pos, GError **error)
{
    return chan_seek(((Watched *)chan)->inner, pos, error);
}

static int64_t size_of_watched(Chan *chan)
{
    return chan_size(((Watched *)chan)->inner);
}

static void free_watched(Chan *chan)
{
    chan_free(((Watched *)chan)->inner);
    g_free(chan);
}

static Chan *watch(Job *job, Chan *inner, bool told)
{
    static const ChanOps ops = {
        .read = read_watched, .seek = seek_watched, .size = size_of_watched, .free = free_watched};
    Watched *w = g_new0(Watched, 1);

    *w = (Watched){.chan = {&ops}, .inner = inner, .job = job, .told = told, .all = (uint64_t)chan_size(inner)};
    return &w->chan;
}

static const Qcow2Snapshot *find_by_id(const Image *image, const char *id)
{
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);

    for (unsigned i = 0; i < count; i++)
        if (g_str_equal(all[i]->id, id))
            return all[i];
    return NULL;
}

/* New: the machine's state in the image, which is opened for it. */
static Chan *open_state(const Load *l, GError **error)
{
    const ImagePath path = {.path = l->path, .format = "qcow2", .read_only = true, .shared = true, .no_backing = true};
    Image *image = image_open(&path, error);
    const Qcow2Snapshot *s = image ? find_by_id(image, l->id) : NULL;

    if (s)
        return qcow2_vm_state_chan(image, s);
    if (image)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s: the snapshot with id %s is gone", l->path, l->id);
    g_clear_pointer(&image, image_close);
    return NULL;
}

/* Where memory cannot come later it comes now. */
static void open_fill(Load *l)
{
    g_autoptr(GError) why = NULL;
    Chan *chan = open_state(l, &why);

    l->fill = chan ? snapshot_lazy_open(l->work.vm, chan, &why) : NULL;
    l->eager = why ? g_strdup(why->message) : NULL;
}

static bool read_state(Load *l, GError **error)
{
    if (l->options->lazy)
        open_fill(l);
    Chan *chan = open_state(l, error);
    if (chan)
        chan = ram_index_stream_chan(chan, error);
    if (chan && l->work.job)
        chan = watch(l->work.job, chan, !l->fill);
    l->state = chan ? migrate_read_lazily(l->work.vm->pc, chan, l->fill, error) : NULL;
    if (!l->state)
        g_prefix_error(error, "snapshot '%s', the machine's state on '%s': ", l->work.tag,
                       SNAPSHOT_DISK(&l->work, l->work.main)->disk->id);
    return l->state;
}

/* --- the switch --------------------------------------------------------------------------------------------------- */

static bool change_disks(const SnapshotWork *w, GError **error)
{
    for (guint i = 0; i < w->disks->len; i++) {
        SnapshotDisk *d = SNAPSHOT_DISK(w, i);
        d->pending = qcow2_snapshot_prepare(d->image, error);
        d->done = d->pending && qcow2_snapshot_goto(d->image, d->snapshot, error);
        if (!d->done) {
            g_prefix_error(error, "disk '%s': ", d->disk->id);
            return false;
        }
        blk_qcow2_changed(d->disk->block);
    }
    return true;
}

/* False: a disk cannot be what it was, which the error says, too. */
static bool change_back(const SnapshotWork *w, GError **error)
{
    bool ok = true;

    for (guint i = 0; i < w->disks->len; i++) {
        SnapshotDisk *d = SNAPSHOT_DISK(w, i);
        g_autoptr(GError) why = NULL;
        if (!d->done)
            continue;
        d->done = false;
        if (!qcow2_pending_goto(d->pending, &why)) {
            g_prefix_error(error, "disk '%s' cannot become again what it was (%s), so the machine stands; ",
                           d->disk->id, why->message);
            ok = false;
        }
        blk_qcow2_changed(d->disk->block);
    }
    return ok;
}

static void stop(Load *l)
{
    Vm *vm = l->work.vm;

    l->ran = vm->state == VM_RUNNING;
    if (!l->ran)
        return;
    pc_stop(vm->pc);
    vm_set_state(vm, VM_PAUSED);
}

static void go_on(Load *l)
{
    Vm *vm = l->work.vm;

    if (!l->ran)
        return;
    pc_start(vm->pc);
    vm_set_state(vm, VM_RUNNING);
}

static bool commit_state(Load *l, GError **error)
{
    Pc *pc = l->work.vm->pc;

    machine_lock(pc_machine(pc));
    machine_reset(pc_machine(pc)); /* for all that is in no state */
    machine_unlock(pc_machine(pc));
    return migrate_commit(pc, l->state, error);
}

static void adjust_clocks(const Load *l)
{
    static const PcClocks policies[] = {
        [QMP_SNAPSHOT_CLOCK_KEEP] = PC_CLOCKS_KEEP, [QMP_SNAPSHOT_CLOCK_ADVANCE] = PC_CLOCKS_ADVANCE};
    PcClocks policy = l->options->has_clock ? policies[l->options->clock] : PC_CLOCKS_AS_QEMU;

    pc_adjust_clocks(l->work.vm->pc, policy, g_get_real_time() * (NS_PER_SECOND / G_USEC_PER_SEC) - l->date_ns);
}

static bool change_all(void *opaque, GError **error)
{
    Load *l = opaque;
    SnapshotWork *w = &l->work;
    int64_t stood_us = g_get_monotonic_time();

    if (w->job && !job_seal(w->job)) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "it was cancelled");
        return false;
    }
    stop(l);
    snapshot_drain(w);
    if (!change_disks(w, error)) {
        if (change_back(w, error))
            go_on(l);
        return false;
    }
    if (!commit_state(l, error)) {
        /* All was looked at before: the host has no room any more, and the guest's memory may be gone. */
        change_back(w, error);
        vm_set_state(w->vm, VM_INTERNAL_ERROR);
        return false;
    }
    adjust_clocks(l);
    w->vm->fill = l->fill;
    /* One that had ended, or was switched off, is there again. */
    if (w->vm->state == VM_SHUTDOWN || w->vm->state == VM_INTERNAL_ERROR)
        vm_set_state(w->vm, VM_PAUSED);
    go_on(l);
    snapshot_report_runs(w->vm, stood_us, l->eager);
    return true;
}

/* On the context's thread. */
static bool tell_filled(void *opaque, GError **error)
{
    (void)error;
    snapshot_report_filled(((Load *)opaque)->work.vm);
    return true;
}

static bool run(Load *l, GError **error)
{
    const SnapshotWork *w = &l->work;

    return snapshot_do(w, begin, l, error) && read_state(l, error) && snapshot_do(w, change_all, l, error) &&
           (!l->fill || (snapshot_lazy_fill(w->job, l->fill) && snapshot_do(w, tell_filled, l, error)));
}

static void end(Load *l, bool well)
{
    Vm *vm = l->work.vm;

    if (vm->fill && vm->fill == l->fill)
        snapshot_lazy_end(&l->work);
    if (l->fill)
        snapshot_lazy_free(vm, g_steal_pointer(&l->fill));
    snapshot_report_ended(&l->work, well);
    snapshot_abandon(&l->work);
    snapshot_let_go(&l->work);
}

/* --- the ways to it ----------------------------------------------------------------------------------------------- */

static void load_free(void *opaque)
{
    Load *l = opaque;

    g_clear_pointer(&l->state, machine_load_free);
    snapshot_work_done(&l->work);
    qmp_SnapshotLoadOptions_free(l->options);
    g_free(l->eager);
    g_free(l->path);
    g_free(l->id);
    g_free(l);
}

static Load *load_new(Vm *vm, const QmpSnapshotLoadOptions *options)
{
    Load *l = g_new0(Load, 1);

    l->began_us = g_get_monotonic_time();
    l->options = qapi_copy(&qmp_type_SnapshotLoadOptions, options);
    snapshot_work_init(&l->work, vm, l->options->job_id, "loaded", l->options->tag);
    return l;
}

static bool run_job(Job *job, void *opaque, GError **error)
{
    Load *l = opaque;

    l->work.job = job;
    return run(l, error);
}

static void commit(void *opaque)
{
    end(opaque, true);
}

static void undo(void *opaque)
{
    end(opaque, false);
}

bool vm_snapshot_load(Vm *vm, const QmpSnapshotLoadOptions *options, GError **error)
{
    static const JobType type = {
        .name = "snapshot-load", .run = run_job, .commit = commit, .undo = undo, .free = load_free};

    if (options->lazy && !options->job_id) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "lazy: a job brings the pages, so it must have a name: job-id is missing");
        return false;
    }
    Load *l = load_new(vm, options);
    if (options->job_id)
        return snapshot_start(vm, options->job_id, &type, l, error);
    bool ok = run(l, error);
    end(l, ok);
    load_free(l);
    return ok;
}
