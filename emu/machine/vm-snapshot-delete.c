/* vm-snapshot-delete.c: deletes a snapshot of the machine. What is not there any more need not be deleted. */
#include "emu/machine/vm-impl.h"
#include "emu/machine/vm-snapshot-impl.h"
#include "qcow2/snapshot-list.h"

typedef struct Delete {
    SnapshotWork work;
    QmpSnapshotDeleteOptions *options;
} Delete;

/* Has it children, where that matters? */
static void look_for_children(const Delete *x, SnapshotDisk *d)
{
    if (!d->snapshot || !x->options->has_orphans || x->options->orphans != QMP_SNAPSHOT_ORPHANS_REFUSE)
        return;
    g_autoptr(GPtrArray) children = qcow2_snapshot_children(d->image, d->snapshot);
    g_autofree char *text = snapshot_list_text(children);
    if (children->len)
        d->why = g_strdup_printf("it has children there: %s", text);
}

/* The one with the machine's state last: as long as that is there, the rest can be found. */
static bool delete_one(const SnapshotWork *w, guint i, GError **error)
{
    SnapshotDisk *d = SNAPSHOT_DISK(w, i);

    if (!d->snapshot || qcow2_snapshot_delete(d->image, d->snapshot, QCOW2_ORPHANS_REPARENT, error))
        return true;
    g_prefix_error(error, "disk '%s': ", d->disk->id);
    return false;
}

static bool delete_all(void *opaque, GError **error)
{
    Delete *x = opaque;
    SnapshotWork *w = &x->work;
    g_autoptr(GError) none = NULL;

    if (!snapshot_choose(w, x->options->has_devices, &x->options->devices, NULL, error))
        return false;
    if (!snapshot_find(w, NULL, &none))
        return true;
    for (guint i = 0; i < w->disks->len; i++) {
        g_clear_pointer(&SNAPSHOT_DISK(w, i)->why, g_free); /* that a disk does not have it */
        look_for_children(x, SNAPSHOT_DISK(w, i));
    }
    if (!snapshot_judge(w, error))
        return false;
    for (guint i = 0; i < w->disks->len; i++)
        if (i != w->main && !delete_one(w, i, error))
            return false;
    return delete_one(w, w->main, error);
}

static void end(void *opaque)
{
    snapshot_let_go(&((Delete *)opaque)->work);
}

/* --- the ways to it ----------------------------------------------------------------------------------------------- */

static void delete_free(void *opaque)
{
    Delete *x = opaque;

    snapshot_work_done(&x->work);
    qmp_SnapshotDeleteOptions_free(x->options);
    g_free(x);
}

static Delete *delete_new(Vm *vm, const QmpSnapshotDeleteOptions *options)
{
    Delete *x = g_new0(Delete, 1);

    x->options = qapi_copy(&qmp_type_SnapshotDeleteOptions, options);
    snapshot_work_init(&x->work, vm, x->options->job_id, "deleted", x->options->tag);
    return x;
}

static bool run_job(Job *job, void *opaque, GError **error)
{
    Delete *x = opaque;

    x->work.job = job;
    return snapshot_do(&x->work, delete_all, x, error);
}

bool vm_snapshot_delete(Vm *vm, const QmpSnapshotDeleteOptions *options, GError **error)
{
    static const JobType type = {
        .name = "snapshot-delete", .run = run_job, .commit = end, .undo = end, .free = delete_free};
    Delete *x = delete_new(vm, options);

    if (options->job_id)
        return snapshot_start(vm, options->job_id, &type, x, error);
    bool ok = delete_all(x, error);
    end(x);
    delete_free(x);
    return ok;
}
