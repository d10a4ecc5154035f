/*
 * vm-migration.h: a machine's way to another place: what can be set for it, how it is begun and ended, how far it is.
 *
 * On the thread of the Vm's context, without the machine's lock.
 */
#ifndef EMU_MACHINE_VM_MIGRATION_H
#define EMU_MACHINE_VM_MIGRATION_H

#include "emu/machine/vm.h"
#include "qapi/types.h"
#include "vmstate/live-source.h"

/* --- what can be set -----------------------------------------------------------------------------------------------
 */

/* All of them, each with its value. Borrowed. */
const QmpMigrationParameters *vm_migration_parameters(const Vm *vm);

/* All that are given, or none if one cannot be. */
bool vm_set_migration_parameters(Vm *vm, const QmpMigrateSetParameters *wanted, GError **error);

/* Is there such a capability here, and is it wanted? */
bool vm_migration_has(QmpMigrationCapability capability);
bool vm_migration_wants(const Vm *vm, QmpMigrationCapability capability);

/* All or none; those that are not there can be switched off. */
bool vm_set_migration_capabilities(Vm *vm, const QmpMigrationCapabilityStatusList *list, GError **error);

/* --- out -----------------------------------------------------------------------------------------------------------
 */

/*
 * Begins to send the machine's state, while it runs; what comes of it vm_migration says, and VmEvents.migration_is.
 * When all has arrived the machine stands, in state VM_POSTMIGRATE: somebody else goes on with it. In all other cases
 * it goes on here if it ran.
 */
bool vm_migrate(Vm *vm, const char *uri, MigrateFormat format, GError **error);

/* Nothing if there is none; has no effect if all is over there already. */
void vm_migrate_cancel(Vm *vm);

/* It waits in that state (capability "pause-before-switchover"): it may go on. */
bool vm_migrate_continue(Vm *vm, VmMigrationStatus state, GError **error);

/* How far it is, or was when it ended; downtime -1: it did not stand, or does not do so any more. False: there was
 * none. */
bool vm_migration_progress(const Vm *vm, LiveProgress *progress, int64_t *downtime_ms);

/* Is it on its way? Then the error says so: nothing may come or go meanwhile. */
bool vm_is_moving(const Vm *vm, GError **error);

#endif
