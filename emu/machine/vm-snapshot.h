/*
 * vm-snapshot.h: snapshots of a Vm: its state, and its disks as they are at the same moment.
 *
 * A snapshot of the machine is a snapshot in each image, of one name and one UUID; one of them has the machine's state.
 */
#ifndef EMU_MACHINE_VM_SNAPSHOT_H
#define EMU_MACHINE_VM_SNAPSHOT_H

#include "emu/core/ram-fill.h"
#include "emu/machine/vm.h"
#include "qapi/types.h"

/* Disks that the guest may write, those that can have snapshots, or those that cannot. New; VmDisks are borrowed. */
GPtrArray *vm_snapshot_disks(const Vm *vm, bool can);

/*
 * As QMP's commands of these names say. With a job_id they start a job, and are false only if there can be none of that
 * name or the arguments contradict each other; without one, all is done when they return.
 */
bool vm_snapshot_save(Vm *vm, const QmpSnapshotSaveOptions *options, GError **error);
bool vm_snapshot_load(Vm *vm, const QmpSnapshotLoadOptions *options, GError **error);
bool vm_snapshot_delete(Vm *vm, const QmpSnapshotDeleteOptions *options, GError **error);

typedef enum VmLoadStatus {
    VM_LOAD_NONE, /* nothing was loaded yet */
    VM_LOAD_READS,
    VM_LOAD_FILLS, /* the machine goes on, and memory comes */
    VM_LOAD_COMPLETED,
    VM_LOAD_FAILED,
} VmLoadStatus;

/* The last load, or the one that is at work. */
typedef struct VmLoad {
    VmLoadStatus status;
    char *tag, *job;
    char *eager; /* why memory did not come later, as was asked for; NULL: it did, or was not to */
    int64_t began_us;
    int64_t stood_us, runs_us, filled_us; /* the machine stood; then since the beginning; filled -1: not yet */
    RamFillProgress progress;             /* of memory that comes later */
} VmLoad;

/* Borrowed but for progress.why. */
VmLoad vm_last_load(const Vm *vm);
void vm_load_done(VmLoad *load);

#endif
