/*
 * vm-migration.h: a machine's way to another place: what can be set for it, how it is begun and ended, how far it is.
 *
 * On the thread of the Vm's context, without the machine's lock.
 */
#ifndef EMU_MACHINE_VM_MIGRATION_H
#define EMU_MACHINE_VM_MIGRATION_H

#include "emu/machine/vm.h"
#include "qapi/types.h"

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

#endif
