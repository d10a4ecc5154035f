/* commands-migration.c: the machine's state goes out and comes in; schema/migration.json. */
#include "emu/machine/vm.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "qapi/commands.h"

QmpMigrationInfo *qmp_query_migrate(QmpCall *call, GError **error)
{
    QmpMigrationInfo *info = g_new0(QmpMigrationInfo, 1);
    const Vm *vm = qmp_call_vm(call);
    const VmMigration *last = vm_migration(vm);

    (void)error;
    info->has_status = last->status != VM_MIGRATION_NONE;
    info->status = (const QmpMigrationStatus[]){
        [VM_MIGRATION_NONE] = QMP_MIGRATION_STATUS_NONE,     [VM_MIGRATION_WAITS] = QMP_MIGRATION_STATUS_SETUP,
        [VM_MIGRATION_ACTIVE] = QMP_MIGRATION_STATUS_ACTIVE, [VM_MIGRATION_COMPLETED] = QMP_MIGRATION_STATUS_COMPLETED,
        [VM_MIGRATION_FAILED] = QMP_MIGRATION_STATUS_FAILED,
    }[last->status];
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

/* Nothing of a migration can be chosen yet but its form. */
bool qmp_query_migrate_capabilities(QmpCall *call, QmpMigrationCapabilityStatusList *result, GError **error)
{
    (void)call;
    (void)result;
    (void)error;
    return true;
}
