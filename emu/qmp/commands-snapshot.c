/* commands-snapshot.c: snapshots of the machine; schema/snapshot.json. */
#include <stdlib.h>
#include <string.h>

#include "emu/block/blk-qcow2.h"
#include "emu/machine/vm-snapshot.h"
#include "emu/qmp/call.h"
#include "qapi/commands.h"
#include "qcow2/qcow2.h"
#include "visitors/uuid.h"

#define NS UINT64_C(1000000000)

/* Those of one name, on a disk each. */
typedef struct Group {
    const char *name;
    const Qcow2Snapshot **on; /* for each disk; NULL: it has none of that name */
} Group;

static void group_free(void *data)
{
    g_free(((Group *)data)->on);
    g_free(data);
}

/* --- which belong together ---------------------------------------------------------------------------------------- */

static Group *find_group(GPtrArray *groups, const char *name, unsigned disks)
{
    for (unsigned i = 0; i < groups->len; i++)
        if (g_str_equal(((Group *)groups->pdata[i])->name, name))
            return groups->pdata[i];
    Group *g = g_new0(Group, 1);
    g->name = name;
    g->on = g_new0(const Qcow2Snapshot *, disks);
    g_ptr_array_add(groups, g);
    return g;
}

static GPtrArray *groups_new(const GPtrArray *disks)
{
    GPtrArray *groups = g_ptr_array_new_with_free_func(group_free);

    for (unsigned i = 0; i < disks->len; i++) {
        struct Image *image = blk_qcow2_image(((VmDisk *)disks->pdata[i])->block);
        unsigned count = 0;
        const Qcow2Snapshot *const *all = image ? qcow2_snapshots(image, &count) : NULL;
        for (unsigned n = 0; n < count; n++) {
            Group *g = find_group(groups, all[n]->name, disks->len);
            if (!g->on[i]) /* of several of one name, the first is meant */
                g->on[i] = all[n];
        }
    }
    return groups;
}

/* --- what they are ------------------------------------------------------------------------------------------------ */

/* That which has the machine's state, or else the first. */
static unsigned leader(const Group *g, unsigned disks)
{
    unsigned first = disks;

    for (unsigned i = 0; i < disks; i++) {
        if (!g->on[i])
            continue;
        if (g->on[i]->vm_state_size)
            return i;
        first = MIN(first, i);
    }
    return first;
}

static bool same_uuid(const Group *g, unsigned disks, const Qcow2Snapshot *as)
{
    for (unsigned i = 0; i < disks; i++)
        if (g->on[i] && (g->on[i]->has_uuid != as->has_uuid || memcmp(g->on[i]->uuid, as->uuid, UUID_OCTETS) != 0))
            return false;
    return true;
}

static char *uuid_new(const uint8_t uuid[UUID_OCTETS])
{
    char *text = uuid_is_null(uuid) ? NULL : g_malloc(UUID_TEXT);

    if (text)
        uuid_text(uuid, text);
    return text;
}

static void set_disks(QmpVmSnapshotInfo *info, const Group *g, const GPtrArray *disks)
{
    info->devices.items = g_new0(char *, disks->len);
    info->missing.items = g_new0(char *, disks->len);
    for (unsigned i = 0; i < disks->len; i++) {
        QmpStrList *list = g->on[i] ? &info->devices : &info->missing;
        list->items[list->count++] = g_strdup(((VmDisk *)disks->pdata[i])->id);
    }
}

/* NULL: nothing is wrong. New. */
static char *judge(const QmpVmSnapshotInfo *info, const Group *g, const GPtrArray *disks, const Qcow2Snapshot *main)
{
    unsigned states = 0;

    for (unsigned i = 0; i < disks->len; i++)
        states += g->on[i] && g->on[i]->vm_state_size;
    if (states == 0)
        return g_strdup("no disk has the machine's state with it");
    if (states > 1)
        return g_strdup("several disks have a state of the machine with it");
    if (!same_uuid(g, disks->len, main))
        return g_strdup("its disks have snapshots of this name that do not belong together (their UUIDs differ)");
    if (info->missing.count == 0)
        return NULL;
    GString *text = g_string_new("it is not on ");
    for (size_t i = 0; i < info->missing.count; i++)
        g_string_append_printf(text, "%s'%s'", i ? ", " : "", info->missing.items[i]);
    return g_string_free(text, FALSE);
}

static QmpVmSnapshotInfo *info_new(const Group *g, const GPtrArray *disks, const GPtrArray *excluded)
{
    QmpVmSnapshotInfo *info = g_new0(QmpVmSnapshotInfo, 1);
    unsigned first = 0, at = leader(g, disks->len);
    const Qcow2Snapshot *main = g->on[at];
    bool known = main->has_uuid && same_uuid(g, disks->len, main);

    while (!g->on[first])
        first++;
    info->id = g_strdup(g->on[first]->id);
    info->name = g_strdup(g->name);
    info->uuid = known ? uuid_new(main->uuid) : NULL;
    info->parent_uuid = known ? uuid_new(main->parent) : NULL;
    info->vm_state_size = main->vm_state_size;
    info->date_sec = main->date_sec;
    info->date_nsec = main->date_nsec;
    info->vm_clock_sec = (int64_t)(main->vm_clock_ns / NS);
    info->vm_clock_nsec = (int64_t)(main->vm_clock_ns % NS);
    info->vmstate = main->vm_state_size ? g_strdup(((VmDisk *)disks->pdata[at])->id) : NULL;
    set_disks(info, g, disks);
    info->excluded.items = g_new0(char *, excluded->len);
    for (; info->excluded.count < excluded->len; info->excluded.count++)
        info->excluded.items[info->excluded.count] = g_strdup(((VmDisk *)excluded->pdata[info->excluded.count])->id);
    info->reason = judge(info, g, disks, main);
    info->loadable = !info->reason;
    return info;
}

static int by_date(const void *a, const void *b)
{
    const QmpVmSnapshotInfo *x = *(QmpVmSnapshotInfo *const *)a, *y = *(QmpVmSnapshotInfo *const *)b;

    if (x->date_sec != y->date_sec)
        return x->date_sec < y->date_sec ? -1 : 1;
    return (x->date_nsec > y->date_nsec) - (x->date_nsec < y->date_nsec);
}

bool qmp_query_snapshots(QmpCall *call, QmpVmSnapshotInfoList *result, GError **error)
{
    g_autoptr(GPtrArray) disks = vm_snapshot_disks(qmp_call_vm(call), true);
    g_autoptr(GPtrArray) excluded = vm_snapshot_disks(qmp_call_vm(call), false);
    g_autoptr(GPtrArray) groups = groups_new(disks);

    (void)error;
    result->items = g_new0(QmpVmSnapshotInfo *, groups->len);
    for (; result->count < groups->len; result->count++)
        result->items[result->count] = info_new(groups->pdata[result->count], disks, excluded);
    if (result->count > 1)
        qsort(result->items, result->count, sizeof *result->items, by_date);
    return true;
}

/* --- the last load ------------------------------------------------------------------------------------------------ */

static void set_time(bool *has, int64_t *to, int64_t us)
{
    *has = us >= 0;
    *to = us;
}

QmpSnapshotLoadInfo *qmp_query_snapshot_load(QmpCall *call, GError **error)
{
    static const QmpSnapshotLoadStatus states[] = {[VM_LOAD_NONE] = QMP_SNAPSHOT_LOAD_STATUS_NONE,
                                                   [VM_LOAD_READS] = QMP_SNAPSHOT_LOAD_STATUS_READING,
                                                   [VM_LOAD_FILLS] = QMP_SNAPSHOT_LOAD_STATUS_FILLING,
                                                   [VM_LOAD_COMPLETED] = QMP_SNAPSHOT_LOAD_STATUS_COMPLETED,
                                                   [VM_LOAD_FAILED] = QMP_SNAPSHOT_LOAD_STATUS_FAILED};
    VmLoad load = vm_last_load(qmp_call_vm(call));
    bool changed = load.runs_us > 0;
    QmpSnapshotLoadInfo *result = g_new0(QmpSnapshotLoadInfo, 1);

    (void)error;
    *result = (QmpSnapshotLoadInfo){.status = states[load.status],
                                    .tag = g_strdup(load.tag),
                                    .job_id = g_strdup(load.job),
                                    .lazy = load.progress.total > 0,
                                    .reason = g_strdup(load.eager),
                                    .error = load.progress.why};
    set_time(&result->has_stood, &result->stood, changed ? load.stood_us : -1);
    set_time(&result->has_first_instruction, &result->first_instruction, changed ? load.runs_us : -1);
    set_time(&result->has_last_page, &result->last_page, changed ? load.filled_us : -1);
    result->has_octets = result->has_octets_left = result->has_faults = result->lazy;
    result->octets = load.progress.total;
    result->octets_left = load.progress.total - load.progress.done;
    result->faults = load.progress.faults;
    return result;
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

bool qmp_snapshot_save(QmpCall *call, const QmpSnapshotSaveOptions *arguments, GError **error)
{
    return vm_snapshot_save(qmp_call_vm(call), arguments, error);
}

bool qmp_snapshot_load(QmpCall *call, const QmpSnapshotLoadOptions *arguments, GError **error)
{
    return vm_snapshot_load(qmp_call_vm(call), arguments, error);
}

bool qmp_snapshot_delete(QmpCall *call, const QmpSnapshotDeleteOptions *arguments, GError **error)
{
    return vm_snapshot_delete(qmp_call_vm(call), arguments, error);
}
