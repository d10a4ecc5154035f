/* commands-migration.c: the machine's state goes out and comes in; schema/migration.json. */
#include <inttypes.h>
#include <unistd.h>

#include "emu/machine/vm-migration.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/qmp/rights.h"
#include "emu/qmp/run-state.h"
#include "qapi/commands.h"
#include "qapi/events.h"

static const QmpMigrationStatus statuses[] = {
    [VM_MIGRATION_NONE] = QMP_MIGRATION_STATUS_NONE,
    [VM_MIGRATION_WAITS] = QMP_MIGRATION_STATUS_SETUP,
    [VM_MIGRATION_SETUP] = QMP_MIGRATION_STATUS_SETUP,
    [VM_MIGRATION_ACTIVE] = QMP_MIGRATION_STATUS_ACTIVE,
    [VM_MIGRATION_PRE_SWITCHOVER] = QMP_MIGRATION_STATUS_PRE_SWITCHOVER,
    [VM_MIGRATION_DEVICE] = QMP_MIGRATION_STATUS_DEVICE,
    [VM_MIGRATION_CANCELLING] = QMP_MIGRATION_STATUS_CANCELLING,
    [VM_MIGRATION_CANCELLED] = QMP_MIGRATION_STATUS_CANCELLED,
    [VM_MIGRATION_COMPLETED] = QMP_MIGRATION_STATUS_COMPLETED,
    [VM_MIGRATION_FAILED] = QMP_MIGRATION_STATUS_FAILED,
};

void qmp_tell_migration(QmpEvents *events, VmMigrationStatus status)
{
    const QmpMigrationData data = {.status = statuses[status]};

    qmp_event_migration(events, &data);
}

void qmp_tell_migration_pass(QmpEvents *events, uint64_t number)
{
    const QmpMigrationPassData data = {.pass = (int64_t)number};

    qmp_event_migration_pass(events, &data);
}

/* --- how far it is ------------------------------------------------------------------------------------------------ */

static QmpMigrationStats *stats_of(const LiveProgress *p)
{
    QmpMigrationStats *s = g_new0(QmpMigrationStats, 1);

    s->transferred = (int64_t)p->sent;
    s->remaining = (int64_t)p->remaining;
    s->total = (int64_t)p->total;
    s->duplicate = (int64_t)p->zero;
    s->normal = (int64_t)p->full;
    s->normal_bytes = (int64_t)p->full * RAM_PAGE;
    s->dirty_pages_rate = (int64_t)p->dirty_rate;
    s->mbps = (double)p->bandwidth * 8 / 1e6;
    s->dirty_sync_count = (int64_t)p->passes;
    s->page_size = RAM_PAGE;
    s->pages_per_second = p->page_rate;
    s->precopy_bytes = p->sent_running ? p->sent_running : p->sent;
    s->downtime_bytes = p->sent - s->precopy_bytes;
    return s;
}

static void tell_progress(QmpMigrationInfo *info, const Vm *vm, const LiveProgress *p)
{
    info->ram = stats_of(p);
    info->has_setup_time = p->send_us;
    info->setup_time = (p->send_us - p->start_us) / 1000;
    if (vm_migration(vm)->status == VM_MIGRATION_COMPLETED)
        return;
    info->has_expected_downtime = p->downtime_ms >= 0;
    info->expected_downtime = p->downtime_ms;
    info->has_cpu_throttle_percentage = p->throttle;
    info->cpu_throttle_percentage = p->throttle;
    if (p->grows)
        info->prospect = g_strdup_printf(
            "it will not end: the guest writes %.1f MiB a second, %.1f are sent, and the machine would stand for %" PRId64
            " ms (downtime-limit: %" PRId64 ")",
            (double)p->dirty_rate / 256, (double)p->page_rate / 256, p->downtime_ms,
            vm_migration_parameters(vm)->downtime_limit);
}

static bool goes_on(VmMigrationStatus status)
{
    return status >= VM_MIGRATION_ACTIVE && status <= VM_MIGRATION_CANCELLING;
}

QmpMigrationInfo *qmp_query_migrate(QmpCall *call, GError **error)
{
    QmpMigrationInfo *info = g_new0(QmpMigrationInfo, 1);
    const Vm *vm = qmp_call_vm(call);
    const VmMigration *last = vm_migration(vm);
    bool done = last->status == VM_MIGRATION_COMPLETED;
    LiveProgress progress;
    int64_t downtime_ms;

    (void)error;
    info->has_status = last->status != VM_MIGRATION_NONE;
    info->status = statuses[last->status];
    info->error_desc = g_strdup(last->error);
    info->has_total_time = done || goes_on(last->status);
    info->total_time = done ? last->took_ms : (g_get_monotonic_time() - last->start_us) / 1000;
    bool out = vm_migration_progress(vm, &progress, &downtime_ms);
    if (out && info->has_total_time)
        tell_progress(info, vm, &progress);
    info->has_downtime = done;
    info->downtime = out ? downtime_ms : last->took_ms;
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

bool qmp_migrate_cancel(QmpCall *call, GError **error)
{
    (void)error;
    vm_migrate_cancel(qmp_call_vm(call));
    return true;
}

bool qmp_migrate_continue(QmpCall *call, const QmpMigrateContinueArguments *arguments, GError **error)
{
    Vm *vm = qmp_call_vm(call);
    VmMigrationStatus is = vm_migration(vm)->status;

    if (arguments->state == statuses[is])
        return vm_migrate_continue(vm, is, error);
    return qmp_refuse(error, QMP_ERROR_GENERIC, "Migration not in expected state: %s",
                      qmp_MigrationStatus_name(statuses[is]));
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
