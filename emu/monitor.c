/*
 * monitor.c: commands for people.
 *
 * Characters come with the machine's lock, commands are done without it: a complete line is kept and done by a source
 * of the loop. Answers wait for the line's other end as long as they must.
 */
#include "emu/monitor.h"

#include <string.h>

#include "visitors/uuid.h"

enum { LINE_MAX_LENGTH = 4096, ANSWER_MAX = 1 << 20, ESCAPE = 27, DELETE = 127 };

struct Monitor {
    Vm *vm;
    Chardev *line;
    GMainContext *context;
    MonitorQuit *quit;
    void *opaque;

    GString *typed, *answer; /* with the lock */
    GQueue commands;         /* of char *, with the lock */
    bool escape, returned;
    GSource *source;
};

/* --- out -------------------------------------------------------------------------------------------------------- */

static void flush(Monitor *m)
{
    size_t done = chardev_write(m->line, m->answer->str, m->answer->len);

    g_string_erase(m->answer, 0, (gssize)done);
}

/* With the lock. Lines end as a terminal wants it. */
static void say(Monitor *m, const char *text)
{
    for (const char *p = text; *p && m->answer->len < ANSWER_MAX; p++) {
        if (*p == '\n')
            g_string_append_c(m->answer, '\r');
        g_string_append_c(m->answer, *p);
    }
    flush(m);
}

static void tell(Monitor *m, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void tell(Monitor *m, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    machine_lock(pc_machine(vm_pc(m->vm)));
    say(m, text);
    machine_unlock(pc_machine(vm_pc(m->vm)));
}

/* --- info ------------------------------------------------------------------------------------------------------- */

static void info_status(Monitor *m)
{
    VmState state = vm_state(m->vm);

    tell(m, "VM status: %s%s%s%s\n", state == VM_RUNNING ? "running" : "paused", state == VM_RUNNING ? "" : " (",
         state == VM_RUNNING ? "" : vm_state_name(state), state == VM_RUNNING ? "" : ")");
}

static void info_name(Monitor *m)
{
    if (vm_options(m->vm)->name.guest)
        tell(m, "%s\n", vm_options(m->vm)->name.guest);
}

static void info_uuid(Monitor *m)
{
    char text[UUID_TEXT];

    uuid_text(vm_options(m->vm)->uuid, text);
    tell(m, "%s\n", text);
}

static void info_version(Monitor *m)
{
    tell(m, "%s %s, %s\n", pc_identity()->writer, pc_identity()->writer_version, pc_identity()->type);
}

static void info_kvm(Monitor *m)
{
    static const char *const places[] = {[KVM_CHIPS_ALL] = "in the kernel",
                                         [KVM_CHIPS_LAPICS] = "LAPICs in the kernel, the others in this program",
                                         [KVM_CHIPS_NONE] = "in this program"};
    bool kvm = vm_options(m->vm)->accel == OPTIONS_ACCEL_KVM;

    tell(m, "kvm support: %s\n", kvm ? "enabled" : "disabled");
    if (!kvm)
        return;
    tell(m, "system management mode: %s\n", pc_has_smm(vm_pc(m->vm)) ? "yes" : "no");
    tell(m, "interrupt controllers: %s\n", places[pc_chips(vm_pc(m->vm))]);
}

static void info_migrate(Monitor *m)
{
    if (vm_state(m->vm) == VM_POSTMIGRATE)
        tell(m, "Migration status: completed\n");
    else if (vm_state(m->vm) == VM_INMIGRATE)
        tell(m, "Migration status: waiting\n");
}

static void info_block(Monitor *m)
{
    g_autofree char *text = vm_tell_block(m->vm);
    tell(m, "%s", text);
}

static void info_chardev(Monitor *m)
{
    g_autofree char *text = vm_tell_lines(m->vm);
    tell(m, "%s", text);
}

static void info_pci(Monitor *m)
{
    g_autofree char *text = vm_tell_pci(m->vm);
    tell(m, "%s", text);
}

static void info_registers(Monitor *m)
{
    g_autofree char *text = pc_tell_registers(vm_pc(m->vm));
    tell(m, "%s", text);
}

static void info_network(Monitor *m)
{
    g_autofree char *text = vm_tell_networks(m->vm);
    tell(m, "%s", text);
}

static const struct {
    const char *name, *about;
    void (*tell)(Monitor *m);
} infos[] = {
    {"block", "disks", info_block},
    {"chardev", "lines of characters", info_chardev},
    {"kvm", "does KVM run it, and where are its interrupt controllers?", info_kvm},
    {"migrate", "what has become of a migration", info_migrate},
    {"name", "the guest's name (-name)", info_name},
    {"network", "what network cards lead to", info_network},
    {"pci", "what is on the PCI bus", info_pci},
    {"registers", "the processors' registers", info_registers},
    {"status", "does it run?", info_status},
    {"uuid", "the machine's UUID", info_uuid},
    {"version", "this program, and the machine that it is", info_version},
};

/* --- commands --------------------------------------------------------------------------------------------------- */

static void fails(Monitor *m, GError *error)
{
    tell(m, "Error: %s\n", error->message);
    g_error_free(error);
}

static void do_info(Monitor *m, const char *what)
{
    for (size_t i = 0; i < G_N_ELEMENTS(infos); i++)
        if (strcmp(infos[i].name, what) == 0) {
            infos[i].tell(m);
            return;
        }
    if (*what)
        tell(m, "Error: info knows no '%s'; it knows:\n", what);
    for (size_t i = 0; i < G_N_ELEMENTS(infos); i++)
        tell(m, "info %-10s %s\n", infos[i].name, infos[i].about);
}

static void do_stop(Monitor *m, const char *argument)
{
    (void)argument;
    vm_stop(m->vm, NULL);
}

static void do_continue(Monitor *m, const char *argument)
{
    GError *error = NULL;

    (void)argument;
    if (!vm_continue(m->vm, &error))
        fails(m, error);
}

static void do_quit(Monitor *m, const char *argument)
{
    (void)argument;
    m->quit(m->opaque);
}

static void do_reset(Monitor *m, const char *argument)
{
    (void)argument;
    vm_reset(m->vm);
}

static void do_power(Monitor *m, const char *argument)
{
    (void)argument;
    vm_press_power(m->vm);
}

/* migrate [-d] [-b | -z] URI */
static void do_migrate(Monitor *m, const char *argument)
{
    MigrateFormat format = MIGRATE_QEMUFILE;
    GError *error = NULL;

    while (*argument == '-' && argument[1] && (argument[2] == ' ' || argument[2] == 0)) {
        if (argument[1] != 'd' && argument[1] != 'b' && argument[1] != 'z') {
            tell(m, "Error: migrate has no option '-%c'\n", argument[1]);
            return;
        }
        if (argument[1] != 'd')
            format = argument[1] == 'b' ? MIGRATE_BER : MIGRATE_BER_ZSTD;
        argument += 2;
        argument += strspn(argument, " ");
    }
    if (!vm_migrate(m->vm, argument, format, &error))
        fails(m, error);
}

static void do_incoming(Monitor *m, const char *uri)
{
    GError *error = NULL;

    if (!vm_incoming(m->vm, uri, &error))
        fails(m, error);
}

static void do_help(Monitor *m, const char *argument);

static const struct {
    const char *name, *arguments, *about;
    void (*run)(Monitor *m, const char *argument);
    bool needs_argument;
} commands[] = {
    {"cont", "", "let it run (also: c)", do_continue, false},
    {"help", "", "this list (also: ?)", do_help, false},
    {"info", "WHAT", "tell what is asked for; without WHAT, what can be asked for", do_info, false},
    {"migrate", "[-b|-z] URI",
     "stop it and send its state to file:PATH, exec:COMMAND, fd:N, unix:PATH or\n"
     "                               tcp:HOST:PORT, as QEMU 7.2 reads it; -b: self-describing, -z: and compressed",
     do_migrate, true},
    {"migrate_incoming", "URI", "begin to wait for a state (-incoming defer)", do_incoming, true},
    {"quit", "", "end the machine and the program (also: q)", do_quit, false},
    {"stop", "", "let it stand", do_stop, false},
    {"system_powerdown", "", "press the power button", do_power, false},
    {"system_reset", "", "press the reset button", do_reset, false},
};

static void do_help(Monitor *m, const char *argument)
{
    (void)argument;
    for (size_t i = 0; i < G_N_ELEMENTS(commands); i++)
        tell(m, "%-16s %-13s %s\n", commands[i].name, commands[i].arguments, commands[i].about);
}

static const char *long_name(const char *name)
{
    return strcmp(name, "c") == 0 ? "cont" : strcmp(name, "q") == 0 ? "quit" : strcmp(name, "?") == 0 ? "help" : name;
}

/* "migrate "exec:cat >x"": what is in double quotes is one word, in which a backslash takes the next as it is. */
static void unquote(char *text)
{
    char *from = text, *to = text;
    bool quoted = *text == '"';

    while (quoted && *++from && *from != '"') {
        from += *from == '\\' && from[1];
        *to++ = *from;
    }
    if (quoted)
        *to = 0;
}

static void do_command(Monitor *m, char *text)
{
    g_strstrip(text);
    size_t len = strcspn(text, " ");
    g_autofree char *word = g_strndup(text, len);
    const char *name = long_name(word);
    char *argument = text + len + strspn(text + len, " ");
    size_t options = argument[0] == '-' ? strcspn(argument, "\"") : 0;

    unquote(argument + options);
    for (size_t i = 0; *name && i < G_N_ELEMENTS(commands); i++)
        if (strcmp(commands[i].name, name) == 0) {
            if (commands[i].needs_argument && !*argument)
                tell(m, "Error: %s needs %s\n", name, commands[i].arguments);
            else
                commands[i].run(m, argument);
            return;
        }
    if (*name)
        tell(m, "Error: unknown command: '%s'; 'help' tells which there are\n", name);
}

static gboolean do_commands(void *opaque)
{
    Monitor *m = opaque;
    Machine *machine = pc_machine(vm_pc(m->vm));

    for (;;) {
        machine_lock(machine);
        g_autofree char *text = g_queue_pop_head(&m->commands);
        if (!text)
            g_clear_pointer(&m->source, g_source_unref);
        machine_unlock(machine);
        if (!text)
            return G_SOURCE_REMOVE;
        do_command(m, text);
        tell(m, "(ferry) ");
    }
}

/* --- in --------------------------------------------------------------------------------------------------------- */

static void complete_line(Monitor *m)
{
    say(m, "\n");
    g_queue_push_tail(&m->commands, g_strdup(m->typed->str));
    g_string_set_size(m->typed, 0);
    if (m->source)
        return;
    m->source = g_idle_source_new();
    g_source_set_priority(m->source, G_PRIORITY_DEFAULT);
    g_source_set_callback(m->source, do_commands, m, NULL);
    g_source_attach(m->source, m->context);
}

static void take(Monitor *m, uint8_t c)
{
    const char echo[2] = {(char)c, 0};
    bool after_return = m->returned;

    m->returned = c == '\r';
    if (c == ESCAPE || m->escape) { /* cursor keys are of no use here */
        m->escape = c == ESCAPE || !g_ascii_isalpha(c);
    } else if (c == '\r' || (c == '\n' && !after_return)) {
        complete_line(m);
    } else if ((c == DELETE || c == '\b') && m->typed->len) {
        g_string_truncate(m->typed, m->typed->len - 1);
        say(m, "\b \b");
    } else if (c >= ' ' && c < DELETE && m->typed->len < LINE_MAX_LENGTH) {
        g_string_append_c(m->typed, (char)c);
        say(m, echo);
    }
}

static size_t can_receive(void *opaque)
{
    (void)opaque;
    return LINE_MAX_LENGTH;
}

static void receive(void *opaque, const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++)
        take(opaque, data[i]);
}

static void event(void *opaque, ChardevEvent what)
{
    Monitor *m = opaque;

    if (what == CHARDEV_BREAK)
        return;
    g_string_set_size(m->typed, 0);
    g_string_set_size(m->answer, 0);
    if (what == CHARDEV_OPENED)
        say(m, "Ferry: 'help' tells what can be said here\n(ferry) ");
}

static void writable(void *opaque)
{
    flush(opaque);
}

static const ChardevFront front = {can_receive, receive, event, writable};

Monitor *monitor_new(Vm *vm, Chardev *line, GMainContext *context, MonitorQuit *quit, void *opaque)
{
    Monitor *m = g_new0(Monitor, 1);

    *m = (Monitor){.vm = vm, .line = line, .context = context, .quit = quit, .opaque = opaque};
    m->typed = g_string_new(NULL);
    m->answer = g_string_new(NULL);
    g_queue_init(&m->commands);
    machine_lock(pc_machine(vm_pc(vm)));
    chardev_set_front(line, &front, m);
    machine_unlock(pc_machine(vm_pc(vm)));
    return m;
}

void monitor_free(Monitor *m)
{
    if (!m)
        return;
    machine_lock(pc_machine(vm_pc(m->vm)));
    chardev_set_front(m->line, NULL, NULL);
    machine_unlock(pc_machine(vm_pc(m->vm)));
    if (m->source) {
        g_source_destroy(m->source);
        g_source_unref(m->source);
    }
    g_queue_clear_full(&m->commands, g_free);
    g_string_free(m->typed, TRUE);
    g_string_free(m->answer, TRUE);
    g_free(m);
}
