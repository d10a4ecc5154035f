/* main.c: ferry, a PC on KVM whose state describes itself. */
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/monitor.h"
#include "emu/qmp/job-events.h"
#include "emu/qmp/run-state.h"
#include "emu/qmp/server.h"

typedef struct Program {
    GMainLoop *loop;
    Options *options;
    Vm *vm;
    GPtrArray *monitors; /* of Monitor */
    unsigned made;       /* how many of the options' monitors are there */
    QmpServer *qmp;
    int status;
    int ready; /* -daemonize: who waits is told here; -1: nobody */
} Program;

static void complain(const char *text)
{
    fprintf(stderr, "ferry: %s\n", text);
}

static int fail(GError *error)
{
    complain(error->message);
    g_error_free(error);
    return EXIT_FAILURE;
}

static void quit(void *opaque, int status)
{
    Program *p = opaque;

    p->status = MAX(p->status, status);
    g_main_loop_quit(p->loop);
}

static void quit_because(Program *p, VmCause cause)
{
    qmp_tell_shutdown(qmp_server_events(p->qmp), cause);
    quit(p, EXIT_SUCCESS);
}

static void quit_well(void *opaque)
{
    quit_because(opaque, VM_CAUSE_QUIT);
}

static gboolean on_signal(void *opaque)
{
    quit_because(opaque, VM_CAUSE_SIGNAL);
    return G_SOURCE_CONTINUE;
}

static void message(void *opaque, const char *text)
{
    const Options *o = ((const Program *)opaque)->options;
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format(now, "%Y-%m-%dT%H:%M:%S.%fZ ");
    bool named = o->message_name && o->name.guest;

    fprintf(stderr, "%s%s%sferry: %s\n", o->message_time ? time : "", named ? o->name.guest : "", named ? " " : "",
            text);
}

/* --- what happens to the machine ---------------------------------------------------------------------------------- */

static QmpEvents *events_of(void *opaque)
{
    return qmp_server_events(((Program *)opaque)->qmp);
}

static void state_changed(void *opaque, VmState state, VmState before)
{
    qmp_tell_state(events_of(opaque), state, before);
}

static void was_reset(void *opaque, VmCause cause)
{
    qmp_tell_reset(events_of(opaque), cause);
}

static void shut_down(void *opaque, VmCause cause)
{
    qmp_tell_shutdown(events_of(opaque), cause);
}

static void migration_is(void *opaque, VmMigrationStatus status)
{
    qmp_tell_migration(events_of(opaque), status);
}

static void device_goes(void *opaque, const VmDevice *device)
{
    qmp_tell_device_goes(events_of(opaque), ((const Program *)opaque)->vm, device);
}

static void migration_pass(void *opaque, uint64_t number)
{
    qmp_tell_migration_pass(events_of(opaque), number);
}

static void powered_down(void *opaque)
{
    qmp_tell_powerdown(events_of(opaque));
}

/* --- in the background ------------------------------------------------------------------------------------------ */

/*
 * The parent waits until the machine is there, or is not, and ends; the child goes on, without a terminal. Returns in
 * the child, with where to tell.
 */
static int leave(void)
{
    char status = EXIT_FAILURE;
    int fds[2];

    if (pipe(fds) < 0)
        return -1;
    pid_t child = fork();
    if (child < 0)
        return -1;
    if (child) {
        close(fds[1]);
        if (read(fds[0], &status, 1) != 1)
            waitpid(child, NULL, 0);
        _exit(status);
    }
    close(fds[0]);
    setsid();
    return fds[1];
}

static void tell_ready(Program *p)
{
    const char status = EXIT_SUCCESS;

    if (p->ready < 0)
        return;
    if (!freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr))
        return;
    if (write(p->ready, &status, 1) == 1)
        close(p->ready);
    p->ready = -1;
}

static bool write_pid(const char *path, GError **error)
{
    g_autofree char *text = g_strdup_printf("%ld\n", (long)getpid());

    return g_file_set_contents(path, text, -1, error);
}

/* --- monitors --------------------------------------------------------------------------------------------------- */

static bool configure(void *opaque, const QmpConfiguration *more, GError **error);
static bool exit_preconfig(void *opaque, GError **error);

static QmpServer *make_qmp(Program *p)
{
    QmpServerConfig config = qmp_server_config();

    config.quit = quit_well;
    config.configure = configure;
    config.make = exit_preconfig;
    config.opaque = p;
    return qmp_server_new(&config);
}

static bool make_monitor(Program *p, const OptionsMonitor *o, const char *label, GError **error)
{
    Chardev *line = vm_line_new(p->vm, &o->line, label, error);
    GRecMutex *lock = vm_lock(p->vm);
    const QmpLine qmp = {.chardev = line, .lock = lock, .pretty = o->pretty};

    if (!line)
        return false;
    if (o->mode) {
        qmp_server_add(p->qmp, &qmp);
        return true;
    }
    Monitor *monitor = monitor_new(p->qmp, line, lock, g_main_context_default(), error);
    if (monitor)
        g_ptr_array_add(p->monitors, monitor);
    return monitor;
}

/* "-serial mon:stdio": the port and a monitor share the line. */
static bool make_shared_monitors(Program *p, GError **error)
{
    for (unsigned i = 0; i < p->options->serials->len; i++) {
        const OptionsChar *serial = p->options->serials->pdata[i];
        g_autofree char *id = g_strdup_printf("serial%u", i), *label = g_strdup_printf("monitor of serial%u", i);
        const OptionsMonitor o = {.line = {.type = OPTIONS_CHAR_REFERENCE, .id = id}};
        if (serial->mux && serial->type != OPTIONS_CHAR_REFERENCE && !make_monitor(p, &o, label, error))
            return false;
    }
    return true;
}

/* Those that are not there yet. */
static bool make_monitors(Program *p, GError **error)
{
    for (; p->made < p->options->monitors->len; p->made++) {
        const OptionsMonitor *o = p->options->monitors->pdata[p->made];
        g_autofree char *label = g_strdup_printf("compat_monitor%u", p->made);
        if (o->line.type != OPTIONS_CHAR_NONE && !make_monitor(p, o, label, error))
            return false;
    }
    return true;
}

/* --- before there is a machine (-preconfig) ----------------------------------------------------------------------- */

static bool configure(void *opaque, const QmpConfiguration *more, GError **error)
{
    Program *p = opaque;
    Options *options = options_with(p->options, more, vm_device_types(), error);

    if (!options)
        return false;
    options_free(p->options);
    p->options = options;
    return true;
}

/* What there is before the machine: monitors, and what they need. */
static bool make_early(Program *p, GError **error)
{
    return vm_open_lines(p->vm, p->options, error) && make_monitors(p, error);
}

static void launch(Program *p)
{
    if (p->options->name.process)
        prctl(PR_SET_NAME, p->options->name.process);
    qmp_server_set_vm(p->qmp, p->vm);
    vm_launch(p->vm);
}

/* If it fails all is as it was, but that the monitors are there which were asked for. */
static bool exit_preconfig(void *opaque, GError **error)
{
    Program *p = opaque;
    const QmpConfiguration end = {.has_preconfig = true, .preconfig = false};
    g_autoptr(Options) options = options_with(p->options, &end, vm_device_types(), error);
    g_autoptr(GError) why = NULL;

    if (!options || !make_early(p, error) || !vm_make(p->vm, options, error))
        return false;
    options_free(p->options);
    p->options = g_steal_pointer(&options);
    if (!make_monitors(p, &why) || !make_shared_monitors(p, &why))
        complain(why->message); /* the machine is there */
    launch(p);
    return true;
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

static bool make_all(Program *p, GError **error)
{
    if (p->options->preconfig)
        return make_early(p, error);
    return vm_make(p->vm, p->options, error) && make_monitors(p, error) && make_shared_monitors(p, error);
}

static bool start(Program *p, GError **error)
{
    const VmEvents events = {.state_changed = state_changed,
                             .was_reset = was_reset,
                             .shut_down = shut_down,
                             .powered_down = powered_down,
                             .device_goes = device_goes,
                             .migration_is = migration_is,
                             .migration_pass = migration_pass,
                             .quit = quit,
                             .message = message,
                             .opaque = p,
                             .jobs = qmp_job_events(qmp_server_events(p->qmp))};

    p->vm = vm_begin(&events, g_main_context_default());
    qmp_server_set_fd_sets(p->qmp, vm_fd_sets(p->vm));
    if (!make_all(p, error))
        return false;
    if (p->options->pidfile && !write_pid(p->options->pidfile, error))
        return false;
    tell_ready(p);
    if (!p->options->preconfig)
        launch(p);
    return true;
}

static int run(Program *p)
{
    GError *error = NULL;

    p->loop = g_main_loop_new(NULL, FALSE);
    p->monitors = g_ptr_array_new_with_free_func((GDestroyNotify)monitor_free);
    p->qmp = make_qmp(p);
    for (size_t i = 0; i < 3; i++)
        g_unix_signal_add((const int[]){SIGINT, SIGTERM, SIGHUP}[i], on_signal, p);
    signal(SIGPIPE, SIG_IGN);
    bool started = start(p, &error);
    if (started)
        g_main_loop_run(p->loop);
    else
        p->status = fail(error);
    vm_end_jobs(p->vm);
    g_ptr_array_unref(p->monitors);
    qmp_server_free(g_steal_pointer(&p->qmp));
    vm_free(p->vm);
    if (started && p->options->pidfile)
        unlink(p->options->pidfile);
    g_main_loop_unref(p->loop);
    return p->status;
}

int main(int argc, char **argv)
{
    Program p = {.ready = -1};
    GError *error = NULL;

    (void)argc;
    g_set_prgname("ferry");
    p.options = options_parse((const char *const *)argv + 1, vm_device_types(), &error);
    if (!p.options)
        return fail(error);
    if (p.options->help) {
        fputs(p.options->help, stdout);
        options_free(p.options);
        return EXIT_SUCCESS;
    }
    if (p.options->daemonize) {
        p.ready = leave();
        if (p.ready < 0) {
            complain("-daemonize: no other process can be made");
            return EXIT_FAILURE;
        }
    }
    int status = run(&p);
    options_free(p.options);
    return status;
}
