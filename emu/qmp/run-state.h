/* run-state.h: what happens to the machine, as events of QMP. */
#ifndef EMU_QMP_RUN_STATE_H
#define EMU_QMP_RUN_STATE_H

#include "emu/machine/vm.h"
#include "emu/qmp/events.h"

/* MIGRATION. */
void qmp_tell_migration(QmpEvents *events, VmMigrationStatus status);

/* MIGRATION_PASS. From any thread. */
void qmp_tell_migration_pass(QmpEvents *events, uint64_t number);

/* STOP, RESUME, RUN_STATE_CHANGE; RESET; SHUTDOWN; POWERDOWN. */
void qmp_tell_state(QmpEvents *events, VmState state, VmState before);
void qmp_tell_reset(QmpEvents *events, VmCause cause);
void qmp_tell_shutdown(QmpEvents *events, VmCause cause);
void qmp_tell_powerdown(QmpEvents *events);

/* DEVICE_DELETED: of one that is about to go. */
void qmp_tell_device_goes(QmpEvents *events, Vm *vm, const VmDevice *device);

#endif
