/* commands-human.c: commands for people, by way of programs; schema/misc.json. And what they alone ask for. */
#include "emu/machine/vm.h"
#include "emu/qmp/call.h"
#include "emu/qmp/error.h"
#include "emu/qmp/hmp.h"
#include "qapi/commands.h"

char *qmp_human_monitor_command(QmpCall *call, const QmpHumanMonitorCommandArguments *arguments, GError **error)
{
    Vm *vm = qmp_call_vm(call);
    int64_t cpus = vm ? vm_options(vm)->smp.cpus : 0;

    /* commands for people tell of all processors at once */
    if (arguments->has_cpu_index && (arguments->cpu_index < 0 || arguments->cpu_index >= cpus)) {
        qmp_refuse(error, QMP_ERROR_GENERIC, "Parameter 'cpu-index' expects a CPU number");
        return NULL;
    }
    return hmp_run(call->server, arguments->command_line);
}

QmpHumanReadableText *qmp_x_query_registers(QmpCall *call, GError **error)
{
    QmpHumanReadableText *text = g_new0(QmpHumanReadableText, 1);

    (void)error;
    text->human_readable_text = pc_tell_registers(vm_pc(qmp_call_vm(call)));
    return text;
}
