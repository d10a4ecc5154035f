/* commands-run-state.c: what the machine does, and what it is to do; schema/run-state.json, machine.json. */
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/qmp/run-state.h"
#include "qapi/commands.h"
#include "qapi/events.h"
#include "visitors/uuid.h"

/* --- events ----------------------------------------------------------------------------------------------------- */

static QmpRunState run_state(VmState state)
{
    static const QmpRunState states[] = {[VM_PRELAUNCH] = QMP_RUN_STATE_PRELAUNCH,
                                         [VM_RUNNING] = QMP_RUN_STATE_RUNNING,
                                         [VM_PAUSED] = QMP_RUN_STATE_PAUSED,
                                         [VM_INMIGRATE] = QMP_RUN_STATE_INMIGRATE,
                                         [VM_FINISH_MIGRATE] = QMP_RUN_STATE_FINISH_MIGRATE,
                                         [VM_POSTMIGRATE] = QMP_RUN_STATE_POSTMIGRATE,
                                         [VM_SHUTDOWN] = QMP_RUN_STATE_SHUTDOWN,
                                         [VM_INTERNAL_ERROR] = QMP_RUN_STATE_INTERNAL_ERROR,
                                         [VM_IO_ERROR] = QMP_RUN_STATE_IO_ERROR};

    return states[state];
}

void qmp_tell_state(QmpEvents *events, VmState state, VmState before)
{
    const QmpRunStateChangeData change = {.status = run_state(state), .previous = run_state(before)};

    if (state == VM_RUNNING)
        qmp_event_resume(events);
    else if (before == VM_RUNNING)
        qmp_event_stop(events);
    qmp_event_run_state_change(events, &change);
}

static const struct {
    QmpShutdownCause reason;
    bool guest;
} causes[] = {
    [VM_CAUSE_GUEST_RESET] = {QMP_SHUTDOWN_CAUSE_GUEST_RESET, true},
    [VM_CAUSE_GUEST_SHUTDOWN] = {QMP_SHUTDOWN_CAUSE_GUEST_SHUTDOWN, true},
    [VM_CAUSE_RESET] = {QMP_SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET, false},
    [VM_CAUSE_QUIT] = {QMP_SHUTDOWN_CAUSE_HOST_QMP_QUIT, false},
    [VM_CAUSE_SIGNAL] = {QMP_SHUTDOWN_CAUSE_HOST_SIGNAL, false},
};

void qmp_tell_reset(QmpEvents *events, VmCause cause)
{
    const QmpResetData data = {.guest = causes[cause].guest, .reason = causes[cause].reason};

    qmp_event_reset(events, &data);
}

void qmp_tell_shutdown(QmpEvents *events, VmCause cause)
{
    const QmpShutdownData data = {.guest = causes[cause].guest, .reason = causes[cause].reason};

    qmp_event_shutdown(events, &data);
}

void qmp_tell_powerdown(QmpEvents *events)
{
    qmp_event_powerdown(events);
}

/* --- what it does ------------------------------------------------------------------------------------------------ */

QmpStatusInfo *qmp_query_status(QmpCall *call, GError **error)
{
    QmpStatusInfo *info = g_new0(QmpStatusInfo, 1);
    const Vm *vm = qmp_call_vm(call);

    (void)error;
    info->status = vm ? run_state(vm_state(vm)) : QMP_RUN_STATE_PRELAUNCH;
    info->running = info->status == QMP_RUN_STATE_RUNNING;
    return info;
}

bool qmp_stop(QmpCall *call, GError **error)
{
    return vm_stop(qmp_call_vm(call), error);
}

bool qmp_cont(QmpCall *call, GError **error)
{
    return vm_continue(qmp_call_vm(call), error);
}

bool qmp_system_reset(QmpCall *call, GError **error)
{
    (void)error;
    vm_reset(qmp_call_vm(call));
    return true;
}

bool qmp_system_powerdown(QmpCall *call, GError **error)
{
    (void)error;
    vm_press_power(qmp_call_vm(call));
    return true;
}

bool qmp_set_action(QmpCall *call, const QmpSetActionArguments *arguments, GError **error)
{
    Vm *vm = qmp_call_vm(call);
    const QmpConfiguration more = {.has_no_reboot = arguments->has_reboot,
                                   .no_reboot = arguments->reboot == QMP_REBOOT_ACTION_SHUTDOWN,
                                   .has_no_shutdown = arguments->has_shutdown,
                                   .no_shutdown = arguments->shutdown == QMP_SHUTDOWN_ACTION_PAUSE};

    if (!vm)
        return qmp_call_configure(call, &more, error);
    VmActions actions = vm_actions(vm);
    if (arguments->has_reboot)
        actions.ends_at_reset = arguments->reboot == QMP_REBOOT_ACTION_SHUTDOWN;
    if (arguments->has_shutdown)
        actions.ends_at_shutdown = arguments->shutdown == QMP_SHUTDOWN_ACTION_POWEROFF;
    vm_set_actions(vm, actions);
    return true;
}

/* --- what it is -------------------------------------------------------------------------------------------------- */

QmpNameInfo *qmp_query_name(QmpCall *call, GError **error)
{
    QmpNameInfo *info = g_new0(QmpNameInfo, 1);
    const Vm *vm = qmp_call_vm(call);

    (void)error;
    info->name = vm ? g_strdup(vm_options(vm)->name.guest) : NULL;
    return info;
}

QmpUuidInfo *qmp_query_uuid(QmpCall *call, GError **error)
{
    static const uint8_t none[16];
    QmpUuidInfo *info = g_new0(QmpUuidInfo, 1);
    const Vm *vm = qmp_call_vm(call);

    (void)error;
    info->UUID = g_malloc(UUID_TEXT);
    uuid_text(vm ? vm_options(vm)->uuid : none, info->UUID);
    return info;
}

QmpKvmInfo *qmp_query_kvm(QmpCall *call, GError **error)
{
    QmpKvmInfo *info = g_new0(QmpKvmInfo, 1);
    Vm *vm = qmp_call_vm(call);

    (void)error;
    info->present = true;
    info->enabled = vm && vm_options(vm)->accel == OPTIONS_ACCEL_KVM;
    info->has_smm = info->has_irqchip = info->enabled;
    info->smm = info->enabled && pc_has_smm(vm_pc(vm));
    if (info->enabled)
        info->irqchip = (const QmpKvmIrqchip[]){[KVM_CHIPS_ALL] = QMP_KVM_IRQCHIP_ON,
                                                [KVM_CHIPS_LAPICS] = QMP_KVM_IRQCHIP_SPLIT,
                                                [KVM_CHIPS_NONE] = QMP_KVM_IRQCHIP_OFF}[pc_chips(vm_pc(vm))];
    return info;
}
