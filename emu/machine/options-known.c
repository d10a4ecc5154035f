/* options-known.c: which options the command line has, for monitors. */
#include "emu/machine/options-impl.h"

const OptionsKnown *options_known(void)
{
    static const OptionsKnown known[] = {
        {"boot-opts", &options_boot},
        {"chardev", NULL},
        {"device", NULL},
        {"drive", &options_drive},
        {"machine", &options_machine},
        {"memory", &options_memory},
        {"mon", &options_monitor},
        {"name", &options_name},
        {"netdev", NULL},
        {"nic", NULL},
        {"object", NULL},
        {"rtc", &options_rtc},
        {"smp-opts", &options_smp},
        {NULL, NULL},
    };

    return known;
}
