/* vm.c: a Vm's life: made, started, stopped, moved. */
#include "emu/machine/vm.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emu/machine/vm-impl.h"
#include "emu/machine/vm-migration.h"
#include "emu/machine/vm-snapshot.h"

const char *vm_state_name(VmState state)
{
    static const char *const names[] = {"prelaunch",   "running",  "paused",         "inmigrate", "finish-migrate",
                                        "postmigrate", "shutdown", "internal-error", "io-error"};

    return names[state];
}

void vm_set_state(Vm *vm, VmState state)
{
    VmState before = vm->state;

    vm->state = state;
    if (before != state && vm->events.state_changed)
        vm->events.state_changed(vm->events.opaque, state, before);
}

void vm_say(const Vm *vm, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    if (vm->events.message)
        vm->events.message(vm->events.opaque, text);
}

void vm_quit(const Vm *vm, int status)
{
    if (vm->events.quit)
        vm->events.quit(vm->events.opaque, status);
}

/* --- what the machine does -------------------------------------------------------------------------------------- */

static void tell_shut_down(const Vm *vm, VmCause cause)
{
    if (vm->events.shut_down)
        vm->events.shut_down(vm->events.opaque, cause);
}

static void powered_off(void *opaque)
{
    Vm *vm = opaque;

    tell_shut_down(vm, VM_CAUSE_GUEST_SHUTDOWN);
    vm_set_state(vm, VM_SHUTDOWN);
    if (vm->actions.ends_at_shutdown)
        vm_quit(vm, 0);
}

/* -no-reboot: a reset is the end. */
static void was_reset(void *opaque)
{
    Vm *vm = opaque;
    VmCause cause = vm->reset_pressed ? VM_CAUSE_RESET : VM_CAUSE_GUEST_RESET;

    vm->reset_pressed = false;
    if (vm->actions.ends_at_reset && vm->state == VM_RUNNING) {
        tell_shut_down(vm, cause);
        vm_quit(vm, 0);
    } else if (vm->events.was_reset) {
        vm->events.was_reset(vm->events.opaque, cause);
    }
}

/* All of the machine, for whoever looks for the cause. */
static void dump(Vm *vm)
{
    g_autofree char *path = g_strdup_printf("%s/ferry-%ld.ber", g_get_tmp_dir(), (long)getpid());
    g_autofree char *uri = g_strconcat("file:", path, NULL);
    g_autoptr(GError) error = NULL;
    Chan *out = transport_open(uri, &error);

    pc_set_run_state(vm->pc, "internal-error");
    if (out && migrate_save(vm->pc, out, MIGRATE_BER_ZSTD, &error))
        vm_say(vm, "the machine stands; vmstate-dump shows its state: %s", path);
    else
        vm_say(vm, "its state cannot be written: %s", error->message);
}

static void failed(void *opaque, const char *failure)
{
    Vm *vm = opaque;

    vm_set_state(vm, VM_INTERNAL_ERROR);
    vm_say(vm, "%s", failure);
    dump(vm);
}

bool vm_stop(Vm *vm, GError **error)
{
    (void)error;
    if (vm->state == VM_RUNNING) {
        pc_stop(vm->pc);
        vm_set_state(vm, VM_PAUSED);
    }
    vm_migration_stay(vm);
    vm->goes_on = false; /* also what is still to come does not start by itself */
    return true;
}

bool vm_continue(Vm *vm, GError **error)
{
    if (vm->held) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the machine stands until '%s' has ended",
                    vm->snapshot_job);
        return false;
    }
    if (g_strcmp0(vm->options->machine.type, "none") == 0) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "a machine of type 'none' never runs");
        return false;
    }
    switch (vm->state) {
    case VM_RUNNING:
        return true;
    case VM_INMIGRATE:
        vm->goes_on = true; /* as soon as it is there */
        return true;
    case VM_FINISH_MIGRATE:
        g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "Migration is not finalized yet");
        return false;
    case VM_INTERNAL_ERROR:
    case VM_SHUTDOWN:
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the machine is in state '%s' and needs a reset first",
                    vm_state_name(vm->state));
        return false;
    case VM_PRELAUNCH:
    case VM_PAUSED:
    case VM_POSTMIGRATE:
    case VM_IO_ERROR:
        break;
    }
    if (vm->fill)
        ram_fill_retry(vm->fill);
    if (!vm_set_disks_active(vm, true, error))
        return false;
    pc_start(vm->pc);
    vm_set_state(vm, VM_RUNNING);
    return true;
}

void vm_reset(Vm *vm)
{
    if (vm->state == VM_INTERNAL_ERROR || vm->state == VM_SHUTDOWN)
        vm_set_state(vm, VM_PAUSED);
    if (vm->state == VM_INMIGRATE || vm->state == VM_FINISH_MIGRATE)
        return;
    vm->reset_pressed = true;
    pc_press_reset(vm->pc);
}

void vm_press_power(Vm *vm)
{
    if (vm->events.powered_down)
        vm->events.powered_down(vm->events.opaque);
    pc_press_power(vm->pc);
}

VmActions vm_actions(const Vm *vm)
{
    return vm->actions;
}

void vm_set_actions(Vm *vm, VmActions actions)
{
    vm->actions = actions;
}

/* --- what has become of a migration
 * ---------------------------------------------------------------------------------------------- */

const VmMigration *vm_migration(const Vm *vm)
{
    return &vm->migration;
}

void vm_migration_is(Vm *vm, VmMigrationStatus status, const GError *error)
{
    VmMigration *m = &vm->migration;
    bool begins = m->status == VM_MIGRATION_NONE || m->status == VM_MIGRATION_COMPLETED ||
                  m->status == VM_MIGRATION_FAILED || m->status == VM_MIGRATION_CANCELLED ||
                  m->status == VM_MIGRATION_WAITS;
    int64_t now_us = g_get_monotonic_time();

    g_free(m->error);
    *m = (VmMigration){
        .status = status, .start_us = begins ? now_us : m->start_us, .error = g_strdup(error ? error->message : NULL)};
    m->took_ms = (now_us - m->start_us) / 1000;
    if (vm_migration_wants(vm, QMP_MIGRATION_CAPABILITY_EVENTS) && vm->events.migration_is)
        vm->events.migration_is(vm->events.opaque, status);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static int64_t rtc_offset(const OptionsRtc *rtc)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();

    if (rtc->base == OPTIONS_RTC_LOCALTIME)
        return g_date_time_get_utc_offset(now) / G_TIME_SPAN_SECOND;
    return rtc->base == OPTIONS_RTC_DATE ? rtc->start_s - g_get_real_time() / G_USEC_PER_SEC : 0;
}

char *vm_find_file(const char *name, const char *const *folders)
{
    if (strchr(name, '/'))
        return g_strdup(name);
    for (const char *const *data = g_get_system_data_dirs(); *data; data++)
        for (size_t i = 0; folders[i]; i++) {
            g_autofree char *path = g_build_filename(*data, folders[i], name, NULL);
            if (g_file_test(path, G_FILE_TEST_EXISTS))
                return g_steal_pointer(&path);
        }
    return NULL;
}

static char *find_bios(const char *name, GError **error)
{
    static const char *const folders[] = {"seabios", "qemu", NULL};
    char *path = g_file_test(name, G_FILE_TEST_EXISTS) ? g_strdup(name) : vm_find_file(name, folders);

    if (!path)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO,
                    "-bios: there is no firmware '%s'; Debian's package is 'seabios'", name);
    return path;
}

static CpuSetting *cpu_settings(const OptionsCpu *cpu)
{
    CpuSetting *settings = g_new0(CpuSetting, cpu->features->len + 1);

    for (unsigned i = 0; i < cpu->features->len; i++) {
        const OptionsFeature *f = cpu->features->pdata[i];
        settings[i] = (CpuSetting){f->name, f->value};
    }
    return settings;
}

/* Of what was not asked for nobody needs to know that it is not there. */
static void tell_cpu_warnings(const Vm *vm)
{
    g_autofree char *warnings = pc_cpu_warnings(vm->pc);
    g_auto(GStrv) lines = g_strsplit(warnings, "\n", -1);

    for (size_t i = 0; vm->options->cpu.model && lines[i]; i++)
        if (*lines[i])
            vm_say(vm, "-cpu: %s", lines[i]);
}

static bool make_pc(Vm *vm, GError **error)
{
    static const KvmChips places[] = {[QMP_ON_OFF_SPLIT_ON] = KVM_CHIPS_ALL,
                                      [QMP_ON_OFF_SPLIT_SPLIT] = KVM_CHIPS_LAPICS,
                                      [QMP_ON_OFF_SPLIT_OFF] = KVM_CHIPS_NONE};
    static const PcSmm smm[] = {
        [QMP_ON_OFF_AUTO_AUTO] = PC_SMM_AUTO, [QMP_ON_OFF_AUTO_ON] = PC_SMM_ON, [QMP_ON_OFF_AUTO_OFF] = PC_SMM_OFF};
    const Options *o = vm->options;
    g_autofree CpuSetting *settings = cpu_settings(&o->cpu);
    static const char *const folders[] = {"qemu", NULL}; /* Debian's package is qemu-system-data */
    g_autofree char *bios = find_bios(o->bios ? o->bios : "bios-256k.bin", error);
    g_autofree char *vapic_rom = vm_find_file("kvmvapic.bin", folders); /* a machine that has none does without */
    PcOptions pc = {.ram = o->memory.size,
                    .cpus = o->smp.cpus,
                    .cpu = {.model = o->cpu.model ? o->cpu.model : "qemu64",
                            .settings = settings,
                            .setting_count = o->cpu.features->len,
                            .topology = {o->smp.sockets, o->smp.dies, o->smp.cores, o->smp.threads}},
                    .bios = bios,
                    .vapic_rom = vapic_rom,
                    .kernel = {.path = o->kernel, .initrd = o->initrd, .command_line = o->append},
                    .kvm = o->accel == OPTIONS_ACCEL_KVM,
                    .chips = places[o->machine.irqchip],
                    .smm = smm[o->machine.smm],
                    .rtc_offset = rtc_offset(&o->rtc),
                    .lock = &vm->lock,
                    .events = {.powered_off = powered_off, .reset = was_reset, .failed = failed, .opaque = vm}};

    if (!bios)
        return false;
    pc.events.ejected = vm_slots_ejected;
    memcpy(pc.uuid, o->uuid, sizeof pc.uuid);
    vm->pc = pc_begin(&pc, vm->context, error);
    if (vm->pc)
        tell_cpu_warnings(vm);
    return vm->pc && vm_make_lines(vm, error) && vm_make_disks(vm, error) && vm_make_nets(vm, error) &&
           vm_make_devices(vm, error) && pc_complete(vm->pc, error);
}

Vm *vm_begin(const VmEvents *events, GMainContext *context)
{
    Vm *vm = g_new0(Vm, 1);

    g_rec_mutex_init(&vm->lock);
    vm->events = *events;
    vm->context = context;
    vm->jobs = jobs_new(context, &events->jobs);
    vm->moves = jobs_new(context, &(JobEvents){.opaque = NULL});
    vm->chardevs = g_ptr_array_new();
    vm->line_kinds = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    vm->fd_sets = fd_sets_new();
    vm->muxes = g_ptr_array_new_with_free_func(vm_mux_free);
    vm->disks = g_ptr_array_new_with_free_func(vm_disk_free);
    vm->nets = g_ptr_array_new_with_free_func(vm_net_free);
    vm->devices = g_ptr_array_new_with_free_func(vm_device_free);
    vm->boots = g_array_new(FALSE, FALSE, sizeof(VmBoot));
    g_array_set_clear_func(vm->boots, vm_boot_done);
    vm_migration_options_init(vm);
    return vm;
}

/* All but the first so many lines. */
static void unmake(Vm *vm, unsigned lines)
{
    g_clear_pointer(&vm->incoming, incoming_free);
    if (vm->pc)
        pc_stop(vm->pc);
    g_clear_pointer(&vm->pc, pc_free);
    vm_close_lines(vm, lines);
    g_ptr_array_set_size(vm->disks, 0);
    g_ptr_array_set_size(vm->nets, 0);
    g_ptr_array_set_size(vm->devices, 0);
    g_array_set_size(vm->boots, 0);
    g_clear_pointer(&vm->boot_paths, g_free);
    vm->node_names = vm->drive_cards = vm->serials = vm->cards = 0;
    vm->state = VM_PRELAUNCH;
    vm->options = NULL;
    vm->made = false;
}

static bool lock_memory(GError **error)
{
    if (mlockall(MCL_CURRENT | MCL_FUTURE) == 0)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "-overcommit: memory cannot be locked: %s", g_strerror(errno));
    return false;
}

static bool make(Vm *vm, GError **error)
{
    const char *incoming = vm->options->incoming, *tag = vm->options->loadvm;

    if (!make_pc(vm, error))
        return false;
    vm->made = true;
    vm->goes_on = !vm->options->stopped;
    if (incoming) {
        vm->state = VM_INMIGRATE;
        if (!g_str_equal(incoming, "defer") && !vm_incoming(vm, incoming, error)) {
            g_prefix_error(error, "-incoming: ");
            return false;
        }
    }
    if (tag && !vm_snapshot_load(vm, &(QmpSnapshotLoadOptions){.tag = (char *)tag}, error)) {
        g_prefix_error(error, "-loadvm: ");
        return false;
    }
    return !vm->options->mem_lock || lock_memory(error);
}

bool vm_make(Vm *vm, const Options *options, GError **error)
{
    unsigned lines = vm->chardevs->len;

    vm->options = options;
    vm->actions = (VmActions){.ends_at_reset = options->no_reboot, .ends_at_shutdown = !options->no_shutdown};
    if (make(vm, error))
        return true;
    unmake(vm, lines);
    return false;
}

Vm *vm_new(const Options *options, const VmEvents *events, GMainContext *context, GError **error)
{
    g_autoptr(Vm) vm = vm_begin(events, context);

    return vm_make(vm, options, error) ? g_steal_pointer(&vm) : NULL;
}

void vm_launch(Vm *vm)
{
    if (vm->state == VM_PRELAUNCH && !vm->options->stopped)
        vm_continue(vm, NULL); /* or it is one that stands for ever */
}

void vm_end_jobs(Vm *vm)
{
    if (!vm)
        return;
    vm_end_migration(vm);
    jobs_free(g_steal_pointer(&vm->jobs));
}

void vm_free(Vm *vm)
{
    if (!vm)
        return;
    vm_end_jobs(vm);
    unmake(vm, 0);
    fd_sets_free(vm->fd_sets);
    g_ptr_array_unref(vm->muxes);
    g_ptr_array_unref(vm->chardevs);
    g_hash_table_unref(vm->line_kinds);
    g_ptr_array_unref(vm->disks);
    g_ptr_array_unref(vm->nets);
    g_ptr_array_unref(vm->devices);
    g_array_unref(vm->boots);
    vm_migration_options_done(vm);
    g_free(vm->migration.error);
    vm_load_done(&vm->last_load);
    g_rec_mutex_clear(&vm->lock);
    g_free(vm);
}

Pc *vm_pc(Vm *vm)
{
    return vm->pc;
}

FdSets *vm_fd_sets(Vm *vm)
{
    return vm->fd_sets;
}

Jobs *vm_jobs(Vm *vm)
{
    return vm->jobs;
}

VmState vm_state(const Vm *vm)
{
    return vm->state;
}

const Options *vm_options(const Vm *vm)
{
    return vm->options;
}

GRecMutex *vm_lock(Vm *vm)
{
    return &vm->lock;
}
