/* commands-migration.c: the machine's state goes out and comes in; schema/migration.json. */
#include "emu/machine/vm.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/qmp/run-state.h"
#include "qapi/commands.h"
#include "qapi/events.h"

static const QmpMigrationStatus statuses[] = {
    [VM_MIGRATION_NONE] = QMP_MIGRATION_STATUS_NONE,     [VM_MIGRATION_WAITS] = QMP_MIGRATION_STATUS_SETUP,
    [VM_MIGRATION_ACTIVE] = QMP_MIGRATION_STATUS_ACTIVE, [VM_MIGRATION_COMPLETED] = QMP_MIGRATION_STATUS_COMPLETED,
    [VM_MIGRATION_FAILED] = QMP_MIGRATION_STATUS_FAILED,
};

void qmp_tell_migration(QmpEvents *events, VmMigrationStatus status)
{
    const QmpMigrationData data = {.status = statuses[status]};

    qmp_event_migration(events, &data);
}

QmpMigrationInfo *qmp_query_migrate(QmpCall *call, GError **error)
{
    QmpMigrationInfo *info = g_new0(QmpMigrationInfo, 1);
    const Vm *vm = qmp_call_vm(call);
    const VmMigration *last = vm_migration(vm);

    (void)error;
    info->has_status = last->status != VM_MIGRATION_NONE;
    info->status = statuses[last->status];
    info->has_total_time = info->has_downtime = last->status == VM_MIGRATION_COMPLETED;
    info->total_time = info->downtime = last->took_ms;
    info->error_desc = g_strdup(last->error);
    return info;
}

bool qmp_migrate(QmpCall *call, const QmpMigrateArguments *arguments, GError **error)
{
    bool ber = arguments->has_format && arguments->format == QMP_MIGRATION_FORMAT_BER;
    bool packed = arguments->has_compress && arguments->compress;

    if (packed && !ber) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC,
                    "migrate: compress is on, which the format 'qemufile' does not have (accepted: format 'ber')");
        return false;
    }
    return vm_migrate(qmp_call_vm(call), arguments->uri,
                      packed ? MIGRATE_BER_ZSTD
                      : ber  ? MIGRATE_BER
                             : MIGRATE_QEMUFILE,
                      error);
}

bool qmp_migrate_incoming(QmpCall *call, const QmpMigrateIncomingArguments *arguments, GError **error)
{
    return vm_incoming(qmp_call_vm(call), arguments->uri, error);
}

/* --- capabilities ------------------------------------------------------------------------------------------------- */

bool qmp_query_migrate_capabilities(QmpCall *call, QmpMigrationCapabilityStatusList *result, GError **error)
{
    QmpMigrationCapabilityStatus *told = g_new0(QmpMigrationCapabilityStatus, 1);

    (void)error;
    told->capability = QMP_MIGRATION_CAPABILITY_EVENTS;
    told->state = vm_migration_events(qmp_call_vm(call));
    result->items = g_new(QmpMigrationCapabilityStatus *, 1);
    result->items[result->count++] = told;
    return true;
}

/* All or nothing. What is not there can be switched off. */
bool qmp_migrate_set_capabilities(QmpCall *call, const QmpMigrateSetCapabilitiesArguments *arguments, GError **error)
{
    const QmpMigrationCapabilityStatusList *list = &arguments->capabilities;

    for (size_t i = 0; i < list->count; i++)
        if (list->items[i]->state && list->items[i]->capability != QMP_MIGRATION_CAPABILITY_EVENTS)
            return qmp_refuse(error, QMP_ERROR_GENERIC,
                              "migrate-set-capabilities.capabilities[%zu]: '%s' is not there (accepted: events)", i,
                              qmp_MigrationCapability_name(list->items[i]->capability));
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i]->capability == QMP_MIGRATION_CAPABILITY_EVENTS)
            vm_set_migration_events(qmp_call_vm(call), list->items[i]->state);
    return true;
}
