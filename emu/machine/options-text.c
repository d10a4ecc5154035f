/* options-text.c: the descriptions of the options that are there once. */
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/words.h"

static const char *const auto_names[] = {"auto", "on", "off", NULL};
static const VmsChoice auto_choice = VMS_CHOICE_OF(auto_names);

/* --- -machine --------------------------------------------------------------------------------------------------- */

static const char *const irqchip_names[] = {"on", "split", "off", NULL};
static const VmsChoice irqchip_choice = VMS_CHOICE_OF(irqchip_names);

static const VMStateField machine_fields[] = {
    VMS_TEXT(OptionsMachine, type),
    VMS_TEXT(OptionsMachine, accel),
    VMS_FIELD(OptionsMachine, usb),
    VMS_FIELD(OptionsMachine, graphics),
    VMS_FIELD(OptionsMachine, hpet),
    VMS_FIELD(OptionsMachine, i8042),
    VMS_FIELD(OptionsMachine, mem_merge, .name = "mem-merge"),
    VMS_FIELD(OptionsMachine, dump_guest_core, .name = "dump-guest-core"),
    VMS_CHOICE(OptionsMachine, acpi, &auto_choice),
    VMS_CHOICE(OptionsMachine, smm, &auto_choice),
    VMS_CHOICE(OptionsMachine, vmport, &auto_choice),
    VMS_CHOICE(OptionsMachine, irqchip, &irqchip_choice, .name = "kernel-irqchip"),
    VMS_FIELD(OptionsMachine, max_ram_below_4g, .name = "max-ram-below-4g"),
    VMS_TEXT(OptionsMachine, memory_backend, .name = "memory-backend"),
    VMS_END,
};

const VMStateDescription options_machine = {
    .name = "machine",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsMachine),
    .fields = machine_fields,
};

static const VMStateField accel_fields[] = {
    VMS_TEXT(OptionsMachine, accel),
    VMS_CHOICE(OptionsMachine, irqchip, &irqchip_choice, .name = "kernel-irqchip"),
    VMS_END,
};

const VMStateDescription options_accel_keys = {
    .name = "accel",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsMachine),
    .fields = accel_fields,
};

static const char *const type_names[] = {"pc", "pc-i440fx-7.2", "none", NULL};

bool options_machine_type(OptionsMachine *machine, GError **error)
{
    if (!machine->type || g_strv_contains(type_names, machine->type))
        return true;
    g_autofree char *why = words_unknown("machine", machine->type, type_names);
    return options_fail(error, "-machine.type", "%s", why);
}

char *options_machines_help(void)
{
    const OptionsMachine defaults = OPTIONS_MACHINE_DEFAULTS;
    g_autofree char *keys = vms_options_help(&options_machine, &defaults);

    return g_strdup_printf("Machines (-machine):\n"
                           "  pc             the same\n"
                           "  pc-i440fx-7.2  a PC with the chips 82441FX and PIIX3, as QEMU 7.2 has it (default)\n"
                           "  none           one that never runs, for who only asks what this program has\n"
                           "What can be set:\n%s",
                           keys);
}

static const char *const accel_names[] = {"kvm", "none", NULL};

/* The first of "kvm:none" that is there; who says "kvm:tcg" is content with KVM. */
bool options_accel(Options *o, const char *root, GError **error)
{
    g_auto(GStrv) wanted = g_strsplit(o->machine.accel, ":", -1);
    bool translator = false;

    for (size_t i = 0; wanted[i]; i++) {
        for (unsigned n = 0; accel_names[n]; n++) {
            o->accel = (uint8_t)n;
            if (g_str_equal(accel_names[n], wanted[i]))
                return true;
        }
        translator |= g_str_equal(wanted[i], "tcg");
    }
    if (translator)
        return options_fail(error, root, "tcg is not there: processors run on KVM only (accepted: kvm, none)");
    g_autofree char *why = words_unknown("accelerator", o->machine.accel, accel_names);
    return options_fail(error, root, "%s", why);
}

char *options_accels_help(void)
{
    return g_strdup("Accelerators (-accel):\n"
                    "  kvm   the host's processors, by Linux (default)\n"
                    "  none  no processor runs: the machine can be loaded, looked at and saved\n");
}

/* --- -m -------------------------------------------------------------------------------------------------------- */

static const VMStateField memory_fields[] = {
    VMS_MEBIBYTES(OptionsMemory, size),
    VMS_FIELD(OptionsMemory, maxmem),
    VMS_FIELD(OptionsMemory, slots),
    VMS_END,
};

const VMStateDescription options_memory = {
    .name = "memory",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsMemory),
    .fields = memory_fields,
};

/* --- -name, -boot, -rtc ----------------------------------------------------------------------------------------- */

static const VMStateField name_fields[] = {
    VMS_TEXT(OptionsName, guest),
    VMS_TEXT(OptionsName, process),
    VMS_FIELD(OptionsName, debug_threads, .name = "debug-threads"),
    VMS_END,
};

const VMStateDescription options_name = {
    .name = "name",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsName),
    .fields = name_fields,
};

static bool check_order(const char *order, const char *key, GError **error)
{
    for (const char *p = order; p && *p; p++) {
        if (*p < 'a' || *p > 'p')
            return options_fail(error, key, "'%c' is no drive (accepted: a to p)", *p);
        if (strchr(p + 1, *p))
            return options_fail(error, key, "drive '%c' is given twice", *p);
    }
    return true;
}

static bool check_boot(const void *state, GError **error)
{
    const OptionsBoot *b = state;

    if (b->has_splash_time && b->splash_time > 0xffff)
        return options_fail(error, "splash-time", "%u is out of range (accepted: 0 to 65535)", b->splash_time);
    if (b->reboot_timeout < -1 || b->reboot_timeout > 0xffff)
        return options_fail(error, "reboot-timeout", "%d is out of range (accepted: -1 to 65535)", b->reboot_timeout);
    return check_order(b->order, "order", error) && check_order(b->once, "once", error);
}

static const VMStateField boot_fields[] = {
    VMS_TEXT(OptionsBoot, order),
    VMS_TEXT(OptionsBoot, once),
    VMS_TEXT(OptionsBoot, splash),
    VMS_FIELD(OptionsBoot, menu),
    VMS_FIELD(OptionsBoot, strict),
    VMS_FIELD(OptionsBoot, splash_time, .name = "splash-time", .presence = 1 + offsetof(OptionsBoot, has_splash_time)),
    VMS_FIELD(OptionsBoot, reboot_timeout, .name = "reboot-timeout",
              .presence = 1 + offsetof(OptionsBoot, has_reboot_timeout)),
    VMS_END,
};

const VMStateDescription options_boot = {
    .name = "boot",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsBoot),
    .fields = boot_fields,
    .check = check_boot,
};

static const char *const clock_names[] = {"host", "rt", "vm", NULL};
static const char *const driftfix_names[] = {"none", "slew", NULL};
static const VmsChoice clock_choice = VMS_CHOICE_OF(clock_names);
static const VmsChoice driftfix_choice = VMS_CHOICE_OF(driftfix_names);

static const VMStateField rtc_fields[] = {
    VMS_TEXT(OptionsRtc, date, .name = "base"),
    VMS_CHOICE(OptionsRtc, clock, &clock_choice),
    VMS_CHOICE(OptionsRtc, driftfix, &driftfix_choice),
    VMS_END,
};

const VMStateDescription options_rtc = {
    .name = "rtc",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsRtc),
    .fields = rtc_fields,
};

/* --- -display --------------------------------------------------------------------------------------------------- */

static const char *const display_names[] = {"none", NULL};
static const VmsChoice display_choice = VMS_CHOICE_OF(display_names);

static const VMStateField display_fields[] = {
    VMS_CHOICE(Options, display, &display_choice, .name = "type"),
    VMS_END,
};

const VMStateDescription options_display = {
    .name = "display",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Options),
    .fields = display_fields,
};

/* --- -overcommit, -msg ------------------------------------------------------------------------------------------ */

static const VMStateField overcommit_fields[] = {
    VMS_FIELD(Options, mem_lock, .name = "mem-lock"),
    VMS_FIELD(Options, cpu_pm, .name = "cpu-pm"),
    VMS_END,
};

static bool check_overcommit(const void *state, GError **error)
{
    return !((const Options *)state)->cpu_pm ||
           options_fail(error, "cpu-pm", "a guest cannot have the host's processors to itself (accepted: off)");
}

const VMStateDescription options_overcommit = {
    .name = "overcommit",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Options),
    .fields = overcommit_fields,
    .check = check_overcommit,
};

static const VMStateField message_fields[] = {
    VMS_FIELD(Options, message_time, .name = "timestamp"),
    VMS_FIELD(Options, message_name, .name = "guest-name"),
    VMS_END,
};

const VMStateDescription options_messages = {
    .name = "msg",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Options),
    .fields = message_fields,
};

/* --- -audiodev --------------------------------------------------------------------------------------------------- */

/* As libvirt gives it where there is no sound card. */
bool options_no_sound(const char *text, GError **error)
{
    typedef struct Audio {
        uint8_t driver;
        char *id;
    } Audio;
    static const char *const drivers[] = {"none", NULL};
    static const VmsChoice choice = VMS_CHOICE_OF(drivers);
    static const VMStateField fields[] = {VMS_CHOICE(Audio, driver, &choice),
                                          VMS_TEXT(Audio, id, .flags = VMS_REQUIRED), VMS_END};
    static const VMStateDescription desc = {
        .name = "audiodev", .version = 1, .minimum = 1, .size = sizeof(Audio), .fields = fields};
    Audio audio = {0};
    bool ok = options_load(&desc, &audio, text, "driver", "-audiodev", error);

    g_free(audio.id);
    return ok;
}

/* --- -mon ------------------------------------------------------------------------------------------------------- */

static const char *const mode_names[] = {"readline", "control", NULL};
static const VmsChoice mode_choice = VMS_CHOICE_OF(mode_names);

static const VMStateField monitor_fields[] = {
    VMS_TEXT(OptionsMonitor, line.id, .name = "chardev", .flags = VMS_REQUIRED),
    VMS_TEXT(OptionsMonitor, id),
    VMS_CHOICE(OptionsMonitor, mode, &mode_choice),
    VMS_FIELD(OptionsMonitor, pretty),
    VMS_END,
};

const VMStateDescription options_monitor = {
    .name = "mon",
    .version = 1,
    .minimum = 1,
    .size = sizeof(OptionsMonitor),
    .fields = monitor_fields,
};
