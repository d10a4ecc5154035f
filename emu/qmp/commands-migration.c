/* commands-migration.c: the machine's state goes out and comes in; schema/migration.json. */
#include <unistd.h>

#include "emu/machine/vm-migration.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/qmp/rights.h"
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
    int fd;
    g_autofree char *uri = qmp_call_find_fd_in(call, "fd:", arguments->uri, &fd, error);
    bool ok = uri && vm_migrate(qmp_call_vm(call), uri,
                                packed ? MIGRATE_BER_ZSTD
                                : ber  ? MIGRATE_BER
                                       : MIGRATE_QEMUFILE,
                                error);
    if (fd >= 0)
        close(fd); /* who uses it has a copy */
    return ok;
}

bool qmp_migrate_incoming(QmpCall *call, const QmpMigrateIncomingArguments *arguments, GError **error)
{
    int fd;
    g_autofree char *uri = qmp_call_find_fd_in(call, "fd:", arguments->uri, &fd, error);
    bool ok = uri && vm_incoming(qmp_call_vm(call), uri, error);

    if (fd >= 0)
        close(fd); /* who uses it has a copy */
    return ok;
}

/* --- what can be set ---------------------------------------------------------------------------------------------- */

bool qmp_query_migrate_capabilities(QmpCall *call, QmpMigrationCapabilityStatusList *result, GError **error)
{
    (void)error;
    result->items = g_new(QmpMigrationCapabilityStatus *, QMP_MIGRATION_CAPABILITY__MAX);
    for (int i = 0; i < QMP_MIGRATION_CAPABILITY__MAX; i++) {
        if (!vm_migration_has((QmpMigrationCapability)i))
            continue;
        QmpMigrationCapabilityStatus *told = g_new0(QmpMigrationCapabilityStatus, 1);
        told->capability = (QmpMigrationCapability)i;
        told->state = vm_migration_wants(qmp_call_vm(call), told->capability);
        result->items[result->count++] = told;
    }
    return true;
}

bool qmp_migrate_set_capabilities(QmpCall *call, const QmpMigrateSetCapabilitiesArguments *arguments, GError **error)
{
    return vm_set_migration_capabilities(qmp_call_vm(call), &arguments->capabilities, error);
}

QmpMigrationParameters *qmp_query_migrate_parameters(QmpCall *call, GError **error)
{
    (void)error;
    return qapi_copy(&qmp_type_MigrationParameters, vm_migration_parameters(qmp_call_vm(call)));
}

bool qmp_migrate_set_parameters(QmpCall *call, const QmpMigrateSetParameters *arguments, GError **error)
{
    return vm_set_migration_parameters(qmp_call_vm(call), arguments, error);
}
