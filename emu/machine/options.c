/*
 * options.c: a command line, word by word.
 *
 * Most options are a row of a table: where their value goes, and the description that reads it. What needs more is a
 * function.
 */
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/words.h"
#include "vmstate/state.h"

/* Of an option's word: it has been looked at, and help was asked for in it. */
static bool wants_help(const char *text)
{
    return g_str_equal(text, "help") || g_str_equal(text, "?");
}

static bool ask(Options *o, char *help)
{
    g_free(o->help);
    o->help = help;
    return true;
}

/* "socket,help" and the like: what one variant takes; NULL: this is not asked. New string. */
static char *help_of_variants(const OptionsVariant *variants, const char *what, const char *text)
{
    GString *names = g_string_new(NULL);

    for (const OptionsVariant *v = variants; v->name; v++) {
        g_autofree char *question = g_strdup_printf("%s,help", v->name);
        g_string_append_printf(names, "  %s\n", v->name);
        if (!g_str_equal(text, question))
            continue;
        g_autofree char *keys = vms_options_help(v->desc, NULL);
        g_string_free(names, TRUE);
        return g_strdup_printf("%s %s:\n%s", what, v->name, keys);
    }
    g_autofree char *all = g_string_free(names, FALSE);
    return wants_help(text) ? g_strdup_printf("%s (%s NAME,help says what each takes):\n%s", what, what, all) : NULL;
}

/* --- what adds to a list ---------------------------------------------------------------------------------------- */

static bool add_drive(OptionsReader *r, OptionsDrive *d, const char *root, GError **error)
{
    if (!options_drive_place(r->o->drives, d, root, error)) {
        options_drive_free(d);
        return false;
    }
    g_ptr_array_add(r->o->drives, d);
    return true;
}

static bool on_drive(OptionsReader *r, const char *text, GError **error)
{
    OptionsDrive *d = options_drive_new();

    if (options_drive_load(d, text, error))
        return add_drive(r, d, "-drive", error);
    options_drive_free(d);
    return false;
}

/* A file's name, as it is: -hda and its like. */
static bool add_file(OptionsReader *r, OptionsDrive place, const char *file, const char *root, GError **error)
{
    OptionsDrive *d = options_drive_new();

    *d = place;
    d->has_index = true;
    d->file = g_strdup(file);
    return add_drive(r, d, root, error);
}

static bool on_hda(OptionsReader *r, const char *file, GError **error)
{
    return add_file(r, (OptionsDrive){.interface = OPTIONS_IF_IDE, .index = 0}, file, "-hda", error);
}

static bool on_hdb(OptionsReader *r, const char *file, GError **error)
{
    return add_file(r, (OptionsDrive){.interface = OPTIONS_IF_IDE, .index = 1}, file, "-hdb", error);
}

static bool on_hdc(OptionsReader *r, const char *file, GError **error)
{
    return add_file(r, (OptionsDrive){.interface = OPTIONS_IF_IDE, .index = 2}, file, "-hdc", error);
}

static bool on_hdd(OptionsReader *r, const char *file, GError **error)
{
    return add_file(r, (OptionsDrive){.interface = OPTIONS_IF_IDE, .index = 3}, file, "-hdd", error);
}

static bool on_fda(OptionsReader *r, const char *file, GError **error)
{
    return add_file(r, (OptionsDrive){.interface = OPTIONS_IF_FLOPPY, .index = 0}, file, "-fda", error);
}

static bool on_fdb(OptionsReader *r, const char *file, GError **error)
{
    return add_file(r, (OptionsDrive){.interface = OPTIONS_IF_FLOPPY, .index = 1}, file, "-fdb", error);
}

static bool on_cdrom(OptionsReader *r, const char *file, GError **error)
{
    return add_file(r, (OptionsDrive){.index = 2, .media = 1}, file, "-cdrom", error);
}

static bool on_blockdev(OptionsReader *r, const char *text, GError **error)
{
    OptionsBlockdev *b = options_blockdev_new(text, error);

    if (b)
        g_ptr_array_add(r->o->blockdevs, b);
    return b;
}

/* "help", "TYPE,help": is it that? */
static bool device_help(OptionsReader *r, const char *text)
{
    if (wants_help(text))
        return ask(r->o, options_devices_help(r->types));
    for (size_t i = 0; r->types[i]; i++) {
        g_autofree char *question = g_strconcat(r->types[i]->name, ",help", NULL);
        if (g_str_equal(text, question))
            return ask(r->o, options_device_help(r->types[i]));
    }
    return false;
}

static bool on_device(OptionsReader *r, const char *text, GError **error)
{
    if (device_help(r, text))
        return true;
    OptionsDevice *d = options_device_new(text, r->types, error);
    if (d)
        g_ptr_array_add(r->o->devices, d);
    return d;
}

static bool on_netdev(OptionsReader *r, const char *text, GError **error)
{
    char *help = help_of_variants(options_netdev, "-netdev", text);

    if (help)
        return ask(r->o, help);
    OptionsNet *n = options_net_new(options_netdev, text, "-netdev", error);
    if (n)
        g_ptr_array_add(r->o->netdevs, n);
    return n;
}

static bool on_nic(OptionsReader *r, const char *text, GError **error)
{
    char *help = help_of_variants(options_nic, "-nic", text);

    if (help)
        return ask(r->o, help);
    OptionsNet *n = options_net_new(options_nic, text, "-nic", error);
    if (n)
        g_ptr_array_add(r->o->nics, n);
    return n;
}

static bool on_net(OptionsReader *r, const char *text, GError **error)
{
    if (g_str_equal(text, "none"))
        return on_nic(r, text, error);
    return options_fail(error, "-net", "'%s' is not accepted, only none; a card with its network is -nic %s", text,
                        g_str_has_prefix(text, "nic") ? "user" : text);
}

static bool on_chardev(OptionsReader *r, const char *text, GError **error)
{
    char *help = help_of_variants(options_chardev, "-chardev", text);

    if (help)
        return ask(r->o, help);
    OptionsChar *c = options_char_new();
    if (options_load_variant(options_chardev, c, text, "backend", "-chardev", error)) {
        g_ptr_array_add(r->o->chardevs, c);
        return true;
    }
    options_char_free(c);
    return false;
}

static bool on_object(OptionsReader *r, const char *text, GError **error)
{
    char *help = help_of_variants(options_object, "-object", text);

    if (help)
        return ask(r->o, help);
    OptionsObject *object = g_new0(OptionsObject, 1);
    object->merge = object->dump = true;
    if (options_load_variant(options_object, object, text, "qom-type", "-object", error)) {
        g_ptr_array_add(r->o->objects, object);
        return true;
    }
    options_object_free(object);
    return false;
}

static bool on_serial(OptionsReader *r, const char *text, GError **error)
{
    OptionsChar *c = options_char_new();

    if (options_line(c, text, "-serial", error)) {
        g_ptr_array_add(r->o->serials, c);
        return true;
    }
    options_char_free(c);
    return false;
}

static bool add_monitor(OptionsReader *r, OptionsMonitor monitor, bool ok)
{
    if (ok)
        g_ptr_array_add(r->o->monitors, g_memdup2(&monitor, sizeof monitor));
    else
        options_char_done(&monitor.line);
    if (!ok)
        g_free(monitor.id);
    return ok;
}

static bool on_monitor(OptionsReader *r, const char *text, GError **error)
{
    OptionsMonitor m = {0};
    bool ok = options_line(&m.line, text, "-monitor", error);

    return add_monitor(r, m, ok);
}

static bool on_qmp(OptionsReader *r, const char *text, GError **error)
{
    OptionsMonitor m = {.mode = 1};
    bool ok = options_line(&m.line, text, "-qmp", error);

    return add_monitor(r, m, ok);
}

static bool on_qmp_pretty(OptionsReader *r, const char *text, GError **error)
{
    OptionsMonitor m = {.mode = 1, .pretty = true};
    bool ok = options_line(&m.line, text, "-qmp-pretty", error);

    return add_monitor(r, m, ok);
}

static bool on_mon(OptionsReader *r, const char *text, GError **error)
{
    OptionsMonitor m = {.line.type = OPTIONS_CHAR_REFERENCE};
    bool ok = options_load(&options_monitor, &m, text, "chardev", "-mon", error);

    return add_monitor(r, m, ok);
}

/* --- what is there once ----------------------------------------------------------------------------------------- */

static bool on_machine(OptionsReader *r, const char *text, GError **error)
{
    g_autofree char *accel = g_strdup(r->o->machine.accel);

    if (wants_help(text))
        return ask(r->o, options_machines_help());
    if (!options_load(&options_machine, &r->o->machine, text, "type", "-machine", error) ||
        !options_machine_type(&r->o->machine, error))
        return false;
    if (g_strcmp0(accel, r->o->machine.accel) == 0)
        return true;
    if (r->accel_option)
        return options_fail(error, "-machine.accel", "-accel has already said which");
    return options_accel(r->o, "-machine.accel", error);
}

static bool on_accel(OptionsReader *r, const char *text, GError **error)
{
    if (wants_help(text))
        return ask(r->o, options_accels_help());
    if (r->o->machine.accel && !r->accel_option)
        return options_fail(error, "-accel", "-machine accel=%s has already said which", r->o->machine.accel);
    r->accel_option = true;
    if (!options_load(&options_accel_keys, &r->o->machine, text, "accel", "-accel", error))
        return false;
    if (!r->o->machine.accel)
        return options_fail(error, "-accel", "it starts with a name (accepted: kvm, none)");
    return options_accel(r->o, "-accel", error);
}

static bool on_enable_kvm(OptionsReader *r, const char *text, GError **error)
{
    (void)text;
    return on_accel(r, "kvm", error);
}

static bool on_cpu(OptionsReader *r, const char *text, GError **error)
{
    if (wants_help(text))
        return ask(r->o, options_cpus_help());
    return options_cpu(&r->o->cpu, text, error);
}

static bool on_smp(OptionsReader *r, const char *text, GError **error)
{
    return options_smp_load(&r->smp, text, error);
}

static bool on_memory(OptionsReader *r, const char *text, GError **error)
{
    return options_load(&options_memory, &r->o->memory, text, "size", "-m", error);
}

/* What an earlier -boot has given is given. */
static bool on_boot(OptionsReader *r, const char *text, GError **error)
{
    OptionsBoot *b = &r->o->boot;
    bool splash_time = b->has_splash_time, reboot_timeout = b->has_reboot_timeout;
    bool ok = options_load(&options_boot, b, text, "order", "-boot", error);

    b->has_splash_time |= splash_time;
    b->has_reboot_timeout |= reboot_timeout;
    return ok;
}

static bool on_rtc(OptionsReader *r, const char *text, GError **error)
{
    return options_load(&options_rtc, &r->o->rtc, text, "base", "-rtc", error) && options_rtc_base(&r->o->rtc, error);
}

/* A guest may be called anything. */
static bool on_name(OptionsReader *r, const char *text, GError **error)
{
    return vms_options_from_text(&options_name, &r->o->name, text, "guest", "-name", error);
}

static bool on_uuid(OptionsReader *r, const char *text, GError **error)
{
    return options_uuid(r->o, text, error);
}

static bool on_incoming(OptionsReader *r, const char *text, GError **error)
{
    g_free(r->o->incoming);
    r->o->incoming = g_strdup(text);
    return options_incoming(text, error);
}

static bool on_display(OptionsReader *r, const char *text, GError **error)
{
    return options_load(&options_display, r->o, text, "type", "-display", error);
}

static bool on_overcommit(OptionsReader *r, const char *text, GError **error)
{
    return options_load(&options_overcommit, r->o, text, NULL, "-overcommit", error);
}

static bool on_msg(OptionsReader *r, const char *text, GError **error)
{
    return options_load(&options_messages, r->o, text, "timestamp", "-msg", error);
}

static bool only_none(const char *root, const char *text, GError **error)
{
    return g_str_equal(text, "none") || options_fail(error, root, "'%s' is not there (accepted: none)", text);
}

static bool on_vga(OptionsReader *r, const char *text, GError **error)
{
    (void)r;
    return only_none("-vga", text, error);
}

static bool on_audiodev(OptionsReader *r, const char *text, GError **error)
{
    (void)r;
    return options_no_sound(text, error);
}

static bool on_parallel(OptionsReader *r, const char *text, GError **error)
{
    (void)r;
    return only_none("-parallel", text, error);
}

static bool on_nothing(OptionsReader *r, const char *text, GError **error)
{
    (void)r, (void)text, (void)error;
    return true;
}

static bool on_no_acpi(OptionsReader *r, const char *text, GError **error)
{
    (void)text, (void)error;
    r->o->machine.acpi = OPTIONS_OFF;
    return true;
}

static bool on_no_hpet(OptionsReader *r, const char *text, GError **error)
{
    (void)text, (void)error;
    r->o->machine.hpet = false;
    return true;
}

static bool on_version(OptionsReader *r, const char *text, GError **error)
{
    (void)text, (void)error;
    return ask(r->o, g_strdup("ferry 0.1, a PC as QEMU 7.2's pc-i440fx-7.2\n"));
}

static bool on_readconfig(OptionsReader *r, const char *path, GError **error);

static bool on_help(OptionsReader *r, const char *text, GError **error)
{
    (void)text, (void)error;
    return ask(r->o, options_help());
}

/* --- the table -------------------------------------------------------------------------------------------------- */

typedef struct Option {
    const char *name;     /* without the dash; NULL ends the table */
    const char *argument; /* what follows it; NULL: nothing */
    const char *about;
    bool (*call)(OptionsReader *r, const char *text, GError **error);
    size_t place; /* in Options, where there is no function: of a char *, or of a bool if nothing follows */
} Option;

#define PLACE(member) .place = offsetof(Options, member)

static const Option table[] = {
    {"help", NULL, "this text", .call = on_help},
    {"h", NULL, "the same", .call = on_help},
    {"version", NULL, "which program this is", .call = on_version},
    {"machine", "[type=]TYPE[,KEY=VALUE...]", "the machine; help: which there are", .call = on_machine},
    {"M", "[type=]TYPE[,KEY=VALUE...]", "the same", .call = on_machine},
    {"accel", "[accel=]NAME[,kernel-irqchip=on|split|off]", "what runs the processors; help: which there are",
     .call = on_accel},
    {"enable-kvm", NULL, "-accel kvm", .call = on_enable_kvm},
    {"cpu", "MODEL[,+FEATURE][,-FEATURE][,KEY=VALUE...]", "the processors; help: which there are", .call = on_cpu},
    {"smp", "[cpus=]N[,maxcpus=N][,sockets=N][,dies=N][,cores=N][,threads=N]", "how many processors", .call = on_smp},
    {"m", "[size=]MIB[,slots=N,maxmem=SIZE]", "memory, in MiB or with a unit", .call = on_memory},
    {"kernel", "FILE", "a kernel to be started without a boot loader", PLACE(kernel)},
    {"initrd", "FILE", "its first file system", PLACE(initrd)},
    {"append", "TEXT", "its command line", PLACE(append)},
    {"bios", "FILE", "firmware", PLACE(bios)},
    {"boot", "[order=]DRIVES[,once=DRIVES][,menu=on|off][,KEY=VALUE...]", "from what is started", .call = on_boot},
    {"rtc", "[base=]utc|localtime|DATE[,clock=host|rt|vm][,driftfix=none|slew]", "the clock's time", .call = on_rtc},
    {"drive", "[file=FILE][,if=NAME][,index=N][,media=disk|cdrom][,KEY=VALUE...]", "a drive", .call = on_drive},
    {"hda", "FILE", "an IDE disk, the first", .call = on_hda},
    {"hdb", "FILE", "the second", .call = on_hdb},
    {"hdc", "FILE", "the third", .call = on_hdc},
    {"hdd", "FILE", "the fourth", .call = on_hdd},
    {"cdrom", "FILE", "an IDE CD-ROM, in place of the third disk", .call = on_cdrom},
    {"fda", "FILE", "a floppy disk, in the first drive", .call = on_fda},
    {"fdb", "FILE", "in the second", .call = on_fdb},
    {"blockdev", "[driver=]NAME,node-name=NAME[,KEY=VALUE...]", "a node of a disk, or JSON", .call = on_blockdev},
    {"device", "[driver=]NAME[,KEY=VALUE...]", "a device, or JSON; help: which there are", .call = on_device},
    {"object", "[qom-type=]NAME,id=ID[,KEY=VALUE...]", "an object, or JSON; help: which there are", .call = on_object},
    {"netdev", "[type=]NAME,id=ID[,KEY=VALUE...]", "a network, or JSON; help: which there are", .call = on_netdev},
    {"nic", "[type=]NAME[,model=NAME][,mac=ADDRESS][,KEY=VALUE...]", "a network and a card", .call = on_nic},
    {"net", "none", "no network", .call = on_net},
    {"chardev", "[backend=]NAME,id=ID[,KEY=VALUE...]", "a line of characters; help: which there are",
     .call = on_chardev},
    {"serial", "LINE", "a serial port, and what is at its other end", .call = on_serial},
    {"parallel", "none", "no parallel port", .call = on_parallel},
    {"monitor", "LINE", "where commands come from, for people", .call = on_monitor},
    {"qmp", "LINE", "where commands come from, for programs", .call = on_qmp},
    {"qmp-pretty", "LINE", "the same, with answers for people", .call = on_qmp_pretty},
    {"mon", "[chardev=]ID[,id=ID][,mode=readline|control][,pretty=on|off]", "where commands come from", .call = on_mon},
    {"incoming", "defer|tcp:HOST:PORT|unix:PATH|fd:N|file:PATH|exec:COMMAND", "from where its state comes",
     .call = on_incoming},
    {"loadvm", "TAG", "a snapshot to begin with", PLACE(loadvm)},
    {"S", NULL, "it stands until it is told to go on", PLACE(stopped)},
    {"name", "[guest=]NAME[,process=NAME][,debug-threads=on|off]", "what it is called", .call = on_name},
    {"uuid", "UUID", "its identity", .call = on_uuid},
    {"nodefaults", NULL, "no device that was not asked for", PLACE(no_defaults)},
    {"readconfig", "FILE", "options from a file: [drive \"d0\"], then lines like file = \"disk\"",
     .call = on_readconfig},
    {"no-user-config", NULL, "nothing: there are no such files", .call = on_nothing},
    {"no-acpi", NULL, "-machine acpi=off", .call = on_no_acpi},
    {"no-hpet", NULL, "-machine hpet=off", .call = on_no_hpet},
    {"usb", NULL, "-machine usb=on", PLACE(machine.usb)},
    {"vga", "none", "no graphics card", .call = on_vga},
    {"display", "none", "no window", .call = on_display},
    {"overcommit", "[mem-lock=on|off][,cpu-pm=off]", "whether all memory stays in the host's", .call = on_overcommit},
    {"audiodev", "[driver=]none,id=ID", "no sound", .call = on_audiodev},
    {"msg", "[timestamp=on|off][,guest-name=on|off]", "what is in front of messages", .call = on_msg},
    {"nographic", NULL, "the first serial port and the monitor are this terminal", PLACE(no_graphic)},
    {"daemonize", NULL, "goes into the background when it is ready", PLACE(daemonize)},
    {"pidfile", "FILE", "where its process id is written", PLACE(pidfile)},
    {"no-reboot", NULL, "ends where it would start again", PLACE(no_reboot)},
    {"no-shutdown", NULL, "stands where it would end", PLACE(no_shutdown)},
    {.name = NULL},
};

static const Option *find(const char *name)
{
    for (const Option *option = table; option->name; option++)
        if (g_str_equal(option->name, name))
            return option;
    return NULL;
}

static bool fail_unknown(const char *word, GError **error)
{
    const char *names[G_N_ELEMENTS(table)];
    size_t count = 0;

    for (const Option *option = table; option->name; option++)
        names[count++] = option->name;
    names[count] = NULL;
    const char *nearest = words_nearest(names, word + strspn(word, "-"));
    return options_fail(error, word, "unknown option%s%s%s (-help lists them)", nearest ? "; did you mean '-" : "",
                        nearest ? nearest : "", nearest ? "'?" : "");
}

static bool apply(OptionsReader *r, const Option *option, const char *text, GError **error)
{
    char *place = (char *)r->o + option->place;

    if (option->call)
        return option->call(r, text, error);
    if (option->argument) {
        g_free(*(char **)place);
        *(char **)place = g_strdup(text);
    } else {
        *(bool *)place = true;
    }
    return true;
}

/* As if the file's groups stood here on the command line. */
static bool on_readconfig(OptionsReader *r, const char *path, GError **error)
{
    g_autoptr(GArray) groups = options_file_read(path, error);

    for (guint i = 0; groups && i < groups->len; i++) {
        const OptionsGroup *g = &g_array_index(groups, OptionsGroup, i);
        if (apply(r, find(g->option), g->text->str, error))
            continue;
        g_prefix_error(error, "%s:%u: ", path, g->line);
        return false;
    }
    return groups;
}

/* One option, with what follows it. */
static bool read_option(OptionsReader *r, const char *const **words, GError **error)
{
    const char *word = *(*words)++;

    if (word[0] != '-' || !word[1])
        return add_file(r, (OptionsDrive){.index = 0}, word, word, error);
    const Option *option = find(word + 1 + (word[1] == '-'));
    if (!option)
        return fail_unknown(word, error);
    if (!option->argument)
        return apply(r, option, NULL, error);
    if (!**words)
        return options_fail(error, word, "it is followed by %s", option->argument);
    return apply(r, option, *(*words)++, error);
}

Options *options_parse(const char *const *words, const DeviceType *const *types, GError **error)
{
    g_autoptr(Options) o = options_new();
    OptionsReader r = {.o = o, .types = types};

    while (*words) {
        if (!read_option(&r, &words, error))
            return NULL;
        if (o->help)
            return g_steal_pointer(&o);
    }
    return options_check(&r, error) ? g_steal_pointer(&o) : NULL;
}

char *options_help(void)
{
    GString *text = g_string_new("ferry [OPTION...] [DISK]\n\n");

    for (const Option *option = table; option->name; option++) {
        g_autofree char *left = g_strdup_printf("-%s%s%s", option->name, option->argument ? " " : "",
                                                option->argument ? option->argument : "");
        if (strlen(left) < 24)
            g_string_append_printf(text, "  %-24s %s\n", left, option->about);
        else
            g_string_append_printf(text, "  %s\n  %24s %s\n", left, "", option->about);
    }
    g_string_append(text, "\nLINE is none, null, stdio, mon:stdio, pty, file:PATH, unix:PATH[,server=on][,wait=off],\n"
                          "tcp:HOST:PORT[,server=on][,wait=off] or chardev:ID.\n"
                          "A comma in a value is written twice.\n");
    return g_string_free(text, FALSE);
}
