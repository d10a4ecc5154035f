/*
 * vm-snapshot.h: snapshots of a Vm: its state, and its disks as they are at the same moment.
 *
 * A snapshot of the machine is a snapshot in each image, of one name and one UUID; one of them has the machine's state.
 */
#ifndef EMU_MACHINE_VM_SNAPSHOT_H
#define EMU_MACHINE_VM_SNAPSHOT_H

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

#endif
