/* vm-snapshot.c: which disks take part in a snapshot of the machine, and what is wrong with them. */
#include "emu/machine/vm-snapshot.h"

#include <string.h>

#include "emu/block/blk-qcow2.h"
#include "emu/machine/vm-impl.h"
#include "emu/machine/vm-migration.h"
#include "emu/machine/vm-snapshot-impl.h"
#include "qcow2/header.h"
#include "qcow2/snapshot-list.h"
#include "visitors/uuid.h"

/* --- which disks ------------------------------------------------------------------------------------------------- */

/* Why it can have no snapshots; NULL: it can. */
static const char *unable(const VmDisk *d)
{
    const Image *image = d->block ? blk_qcow2_image(d->block) : NULL;

    if (!d->block)
        return d->above ? "it is a part of another disk" : "it has no medium";
    if (block_read_only(d->block))
        return "it is read-only";
    if (d->options.snapshot)
        return "what is written to it is not kept (snapshot=on)";
    if (!image)
        return "it is writable, and raw: it can have no snapshots";
    return qcow2_header(image)->incompatible & QCOW2_DATA_FILE ? "it has an external data file" : NULL;
}

/* A node of a file is no disk, unless somebody uses it as one. */
static bool is_disk(const VmDisk *d)
{
    return d->block && !block_read_only(d->block) && !d->options.snapshot &&
           (!d->is_node || d->used || g_str_equal(d->about, "qcow2") || g_str_equal(d->about, "raw"));
}

GPtrArray *vm_snapshot_disks(const Vm *vm, bool can)
{
    GPtrArray *disks = g_ptr_array_new();

    for (unsigned i = 0; vm && i < vm_disk_count(vm); i++) {
        VmDisk *d = vm_disk(vm, i);
        if (is_disk(d) && !unable(d) == can)
            g_ptr_array_add(disks, d);
    }
    return disks;
}

static bool is_called(const VmDisk *d, const char *name)
{
    return g_strcmp0(d->id, name) == 0 || g_strcmp0(d->node, name) == 0;
}

static VmDisk *find_disk(const Vm *vm, const char *name, GError **error)
{
    GString *names = g_string_new(NULL);

    for (unsigned i = 0; i < vm_disk_count(vm); i++) {
        VmDisk *d = vm_disk(vm, i);
        if (is_called(d, name)) {
            g_string_free(names, TRUE);
            return d;
        }
        if (d->id && is_disk(d))
            g_string_append_printf(names, "%s%s", names->len ? ", " : "", d->id);
    }
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "there is no disk '%s' (disks: %s)", name,
                names->len ? names->str : "none");
    g_string_free(names, TRUE);
    return NULL;
}

static bool add_disk(SnapshotWork *w, VmDisk *d, GError **error)
{
    SnapshotDisk disk = {.disk = d, .image = d->block ? blk_qcow2_image(d->block) : NULL};

    for (guint i = 0; i < w->disks->len; i++)
        if (SNAPSHOT_DISK(w, i)->disk == d) {
            g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "devices: '%s' is there twice", d->id);
            return false;
        }
    disk.why = g_strdup(unable(d));
    if (!disk.why && !block_is_active(d->block))
        disk.why = g_strdup("another program has it, since the machine has moved");
    if (!disk.why && qcow2_corruption(disk.image))
        disk.why = g_strdup(qcow2_corruption(disk.image));
    if (!disk.why && d->job)
        disk.why = g_strdup_printf("the job '%s' uses it", d->job);
    g_array_append_val(w->disks, disk);
    return true;
}

static bool add_disks(SnapshotWork *w, bool has, const QmpStrList *devices, GError **error)
{
    g_autoptr(GPtrArray) all = has ? NULL : vm_snapshot_disks(w->vm, true);

    for (guint i = 0; all && i < all->len; i++)
        if (!add_disk(w, all->pdata[i], error))
            return false;
    for (size_t i = 0; has && i < devices->count; i++) {
        VmDisk *d = find_disk(w->vm, devices->items[i], error);
        if (!d || !add_disk(w, d, error))
            return false;
    }
    return true;
}

static bool find_main(SnapshotWork *w, const char *vmstate, GError **error)
{
    w->main = 0;
    if (!vmstate)
        return true;
    for (; w->main < w->disks->len; w->main++)
        if (is_called(SNAPSHOT_DISK(w, w->main)->disk, vmstate))
            return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "vmstate: '%s' is not one of the devices", vmstate);
    return false;
}

/* One at a time, so that what one has found holds until it has ended. */
static bool may_begin(const Vm *vm, GError **error)
{
    if (vm->snapshot_job)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "'%s' is at work on snapshots, and one is at a time",
                    vm->snapshot_job);
    else if (vm_is_moving(vm, error))
        return false;
    else if (vm->state == VM_INMIGRATE)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the machine waits for its state (-incoming)");
    else
        return true;
    return false;
}

bool snapshot_choose(SnapshotWork *w, bool has, const QmpStrList *devices, const char *vmstate, GError **error)
{
    if (!may_begin(w->vm, error) || !add_disks(w, has, devices, error))
        return false;
    if (w->disks->len == 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    has ? "devices: at least one disk is needed"
                        : "the machine has no disk that it writes and that can have snapshots (a qcow2 image)");
        return false;
    }
    if (!find_main(w, vmstate, error) || !snapshot_judge(w, error))
        return false;
    for (guint i = 0; i < w->disks->len; i++)
        SNAPSHOT_DISK(w, i)->disk->job = g_strdup(w->id);
    w->vm->snapshot_job = g_strdup(w->id);
    w->begun = true;
    return true;
}

bool snapshot_judge(const SnapshotWork *w, GError **error)
{
    GString *table = g_string_new(NULL);
    bool ok = true;

    for (guint i = 0; i < w->disks->len; i++) {
        const SnapshotDisk *d = SNAPSHOT_DISK(w, i);
        const char *name = d->disk->id ? d->disk->id : d->disk->node;
        g_string_append_printf(table, "%sdisk '%s': %s", i ? "; " : "", name, d->why ? d->why : "nothing against it");
        ok &= !d->why;
    }
    if (!ok)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "snapshot '%s' cannot be %s: %s", w->tag, w->verb,
                    table->str);
    g_string_free(table, TRUE);
    return ok;
}

/* --- which snapshot ---------------------------------------------------------------------------------------------- */

static GPtrArray *list_of(const Image *image)
{
    unsigned count;
    const Qcow2Snapshot *const *all = qcow2_snapshots(image, &count);
    GPtrArray *list = g_ptr_array_new();

    for (unsigned i = 0; i < count; i++)
        g_ptr_array_add(list, (void *)all[i]);
    return list;
}

static const Qcow2Snapshot *find_one(const Image *image, const char *tag)
{
    g_autoptr(GPtrArray) list = list_of(image);

    return snapshot_list_find(list, tag);
}

/* The same snapshot, in another image. */
static const Qcow2Snapshot *find_same(SnapshotDisk *d, const Qcow2Snapshot *s)
{
    g_autoptr(GPtrArray) list = list_of(d->image);

    if (s->has_uuid && !uuid_is_null(s->uuid)) {
        const Qcow2Snapshot *same = snapshot_list_by_uuid(list, s->uuid);
        const Qcow2Snapshot *named = same ? NULL : snapshot_list_find(list, s->name);
        char ours[UUID_TEXT] = "none", theirs[UUID_TEXT];
        uuid_text(s->uuid, theirs);
        if (named && named->has_uuid)
            uuid_text(named->uuid, ours);
        if (named)
            d->why = g_strdup_printf("its '%s' is of another moment: its UUID is %s, not %s", s->name, ours, theirs);
        return same;
    }
    for (guint i = 0; i < list->len; i++)
        if (g_str_equal(((Qcow2Snapshot *)list->pdata[i])->name, s->name))
            return list->pdata[i];
    return NULL;
}

/* The disk on which the tag is resolved. */
static const Qcow2Snapshot *resolve(SnapshotWork *w, const char *vmstate)
{
    const Qcow2Snapshot *found = vmstate ? find_one(SNAPSHOT_DISK(w, w->main)->image, w->tag) : NULL;

    for (guint i = 0; !vmstate && i < w->disks->len && !(found && found->vm_state_size); i++) {
        const Qcow2Snapshot *s = find_one(SNAPSHOT_DISK(w, i)->image, w->tag);
        if (s && (!found || s->vm_state_size)) {
            found = s;
            w->main = i;
        }
    }
    return found;
}

bool snapshot_find(SnapshotWork *w, const char *vmstate, GError **error)
{
    const Qcow2Snapshot *s = resolve(w, vmstate);

    for (guint i = 0; i < w->disks->len; i++) {
        SnapshotDisk *d = SNAPSHOT_DISK(w, i);
        g_autoptr(GPtrArray) list = list_of(d->image);
        g_autofree char *text = snapshot_list_text(list);
        d->snapshot = s && i != w->main ? find_same(d, s) : i == w->main ? s : NULL;
        if (!d->snapshot && !d->why)
            d->why = g_strdup_printf("it does not have it (it has: %s)", text);
    }
    return s || snapshot_judge(w, error);
}

/* --- the work ---------------------------------------------------------------------------------------------------- */

static void disk_done(void *data)
{
    g_free(((SnapshotDisk *)data)->why);
}

void snapshot_work_init(SnapshotWork *w, Vm *vm, const char *id, const char *verb, const char *tag)
{
    *w = (SnapshotWork){.vm = vm,
                        .id = id ? id : "a command",
                        .verb = verb,
                        .tag = tag,
                        .disks = g_array_new(FALSE, FALSE, sizeof(SnapshotDisk))};
    g_array_set_clear_func(w->disks, disk_done);
}

void snapshot_work_done(SnapshotWork *w)
{
    g_array_unref(w->disks);
}

typedef struct Call {
    SnapshotStep *step;
    void *opaque;
    GError **error;
    bool ok;
} Call;

static void do_step(void *data)
{
    Call *c = data;

    c->ok = c->step(c->opaque, c->error);
}

bool snapshot_do(const SnapshotWork *w, SnapshotStep *step, void *opaque, GError **error)
{
    Call call = {.step = step, .opaque = opaque, .error = error};

    if (w->job)
        job_call(w->job, do_step, &call);
    else
        do_step(&call);
    return call.ok;
}

void snapshot_let_go(SnapshotWork *w)
{
    for (guint i = 0; w->begun && i < w->disks->len; i++)
        g_clear_pointer(&SNAPSHOT_DISK(w, i)->disk->job, g_free);
    if (w->begun)
        g_clear_pointer(&w->vm->snapshot_job, g_free);
    w->begun = false;
}

bool snapshot_start(Vm *vm, const char *id, const JobType *type, void *opaque, GError **error)
{
    Job *job = job_new(vm->jobs, id, type, JOB_MANUAL_DISMISS, opaque, error);

    if (job)
        job_start(job);
    return job;
}

void snapshot_drain(const SnapshotWork *w)
{
    for (unsigned i = 0; i < vm_disk_count(w->vm); i++)
        if (vm_disk(w->vm, i)->block)
            block_drain(vm_disk(w->vm, i)->block);
}

void snapshot_abandon(SnapshotWork *w)
{
    for (guint i = 0; i < w->disks->len; i++) {
        SnapshotDisk *d = SNAPSHOT_DISK(w, i);
        if (d->pending)
            qcow2_snapshot_abandon(g_steal_pointer(&d->pending));
    }
}
