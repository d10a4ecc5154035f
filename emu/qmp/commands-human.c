/* commands-human.c: commands for people, by way of programs; schema/misc.json. And what they alone ask for. */
#include "emu/machine/vm.h"
#include "emu/qmp/call.h"
#include "emu/qmp/hmp.h"
#include "qapi/commands.h"

char *qmp_human_monitor_command(QmpCall *call, const QmpHumanMonitorCommandArguments *arguments, GError **error)
{
    (void)error;
    return hmp_run(call->server, arguments->command_line);
}

QmpHumanReadableText *qmp_x_query_registers(QmpCall *call, GError **error)
{
    QmpHumanReadableText *text = g_new0(QmpHumanReadableText, 1);

    (void)error;
    text->human_readable_text = pc_tell_registers(vm_pc(qmp_call_vm(call)));
    return text;
}
