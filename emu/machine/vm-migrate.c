/*
 * vm-migrate.c: the machine goes to another place, while it runs.
 *
 * A thread of its own sends the state (migrate-live.h), and has this one, the context's, do what the machine is asked:
 * to stand, to let its disks go, and to go on if nobody else can have got all of it. That is decided in one place, at
 * the end (settle), by whether all has arrived; it is too late to cancel it then.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "emu/core/job.h"
#include "emu/machine/migrate-live.h"
#include "emu/machine/vm-impl.h"
#include "emu/machine/vm-migration.h"

typedef struct VmMove {
    Vm *vm;
    Job *job;
    char *uri;
    int stop;  /* an eventfd: whoever waits in the channel is not to */
    Chan *out; /* until it is used */
    MigrateLive *live;
    bool pauses, tells_passes; /* capabilities, as they were when it began */
    VmState before;            /* it stood: what it was */
    bool stands, away;         /* it stands for it; and its disks are free for others */
    bool goes_on;              /* it ran, and is to run again if it stays */
    bool arrived;
    int64_t stand_us; /* it stood from then on */
    GError *error;

    GMutex lock; /* of these: */
    GCond changed;
    bool cancelled, continued;
} VmMove;

static bool is_cancelled(VmMove *m)
{
    g_mutex_lock(&m->lock);
    bool cancelled = m->cancelled;
    g_mutex_unlock(&m->lock);
    return cancelled;
}

/* Has a step done on the context's thread. */
typedef bool MoveStep(VmMove *move, GError **error);

typedef struct Call {
    VmMove *move;
    MoveStep *step;
    GError *error;
    bool ok;
} Call;

static void do_call(void *data)
{
    Call *c = data;

    c->ok = c->step(c->move, &c->error);
}

static bool do_step(VmMove *m, MoveStep *step, GError **error)
{
    Call call = {.move = m, .step = step};

    job_call(m->job, do_call, &call);
    if (call.error)
        g_propagate_error(error, call.error);
    return call.ok;
}

/* --- steps, on the context's thread ------------------------------------------------------------------------------- */

static bool begin(VmMove *m, GError **error)
{
    (void)error;
    if (!is_cancelled(m))
        vm_migration_is(m->vm, VM_MIGRATION_ACTIVE, NULL);
    return true;
}

static bool stand(VmMove *m, GError **error)
{
    Vm *vm = m->vm;

    if (vm->state == VM_INTERNAL_ERROR) {
        g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "KVM cannot go on with the machine");
        return false;
    }
    m->stand_us = g_get_monotonic_time();
    m->before = vm->state;
    m->goes_on = vm->state == VM_RUNNING;
    m->stands = true;
    pc_stop(vm->pc);
    vm_set_state(vm, VM_FINISH_MIGRATE);
    if (m->pauses && !is_cancelled(m))
        vm_migration_is(vm, VM_MIGRATION_PRE_SWITCHOVER, NULL);
    return true;
}

/* Whoever gets the state must be able to open the disks as soon as all of it is there. */
static bool let_go(VmMove *m, GError **error)
{
    Vm *vm = m->vm;

    if (m->pauses && !is_cancelled(m))
        vm_migration_is(vm, VM_MIGRATION_DEVICE, NULL);
    pc_set_run_state(vm->pc, m->goes_on ? "running" : "paused");
    m->away = vm_set_disks_active(vm, false, error);
    return m->away && migrate_live_capture(m->live, error);
}

static bool go_on_here(VmMove *m, GError **error)
{
    Vm *vm = m->vm;

    if (m->away && !vm_set_disks_active(vm, true, error)) {
        vm_set_state(vm, VM_PAUSED); /* others have its disks */
        return false;
    }
    if (m->goes_on)
        pc_start(vm->pc);
    vm_set_state(vm, m->goes_on ? VM_RUNNING : m->before == VM_RUNNING ? VM_PAUSED : m->before);
    return true;
}

static void tell_end(VmMove *m)
{
    Vm *vm = m->vm;
    VmMigrationStatus failed = m->cancelled ? VM_MIGRATION_CANCELLED : VM_MIGRATION_FAILED;

    vm->moved = live_source_progress(migrate_live_source(m->live));
    vm->has_moved = true;
    vm->move = NULL;
    if (m->stand_us && vm->moved.end_us)
        vm->moved_downtime_ms = (vm->moved.end_us - m->stand_us) / 1000;
    vm_migration_is(vm, m->arrived ? VM_MIGRATION_COMPLETED : failed, m->arrived || m->cancelled ? NULL : m->error);
}

/* Here, or over there: exactly one of them. */
static void settle(void *opaque)
{
    g_autoptr(GError) why = NULL;
    VmMove *m = opaque;
    Vm *vm = m->vm;

    if (m->arrived) {
        pc_set_run_state(vm->pc, "postmigrate");
        vm_set_state(vm, VM_POSTMIGRATE);
    } else if (m->stands && !go_on_here(m, &why)) {
        vm_say(vm, "the machine cannot go on here: %s", why->message);
    }
    tell_end(m);
}

/* --- on the thread that moves it ---------------------------------------------------------------------------------- */

/* Until somebody says that it may go on. */
static bool await_word(VmMove *m, GError **error)
{
    g_mutex_lock(&m->lock);
    while (!m->continued && !m->cancelled)
        g_cond_wait(&m->changed, &m->lock);
    bool cancelled = m->cancelled;
    g_mutex_unlock(&m->lock);
    if (cancelled)
        g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "it was cancelled");
    return !cancelled;
}

static bool stop(void *opaque, GError **error)
{
    VmMove *m = opaque;

    return do_step(m, stand, error) && (!m->pauses || await_word(m, error)) && do_step(m, let_go, error);
}

static void pass(void *opaque, uint64_t number)
{
    const VmMove *m = opaque;
    const VmEvents *e = &m->vm->events;

    if (m->tells_passes && e->migration_pass)
        e->migration_pass(e->opaque, number);
}

static bool run(Job *job, void *opaque, GError **error)
{
    VmMove *m = opaque;

    m->job = job;
    if (!m->out)
        m->out = transport_open_until(m->uri, m->stop, &m->error);
    m->arrived =
        m->out && do_step(m, begin, &m->error) && migrate_live_run(m->live, g_steal_pointer(&m->out), &m->error);
    if (m->error)
        *error = g_error_copy(m->error);
    return m->arrived;
}

static void move_free(void *opaque)
{
    VmMove *m = opaque;

    migrate_live_free(m->live);
    chan_free(m->out);
    g_clear_error(&m->error);
    if (m->stop >= 0)
        close(m->stop);
    g_mutex_clear(&m->lock);
    g_cond_clear(&m->changed);
    g_free(m->uri);
    g_free(m);
}

/* --- what can be asked for ---------------------------------------------------------------------------------------- */

static LiveLimits limits_of(const Vm *vm)
{
    const QmpMigrationParameters *p = vm->migration_parameters;

    return (LiveLimits){.bandwidth = p->max_bandwidth,
                        .downtime_ms = (uint64_t)p->downtime_limit,
                        .throttles = vm_migration_wants(vm, QMP_MIGRATION_CAPABILITY_AUTO_CONVERGE),
                        .trigger = (unsigned)p->throttle_trigger_threshold,
                        .first = (unsigned)p->cpu_throttle_initial,
                        .step = (unsigned)p->cpu_throttle_increment,
                        .most = (unsigned)p->max_cpu_throttle};
}

void vm_migration_limit(Vm *vm)
{
    const LiveLimits limits = limits_of(vm);

    if (vm->move)
        live_source_limit(migrate_live_source(vm->move->live), &limits);
}

static bool may_move(const Vm *vm, GError **error)
{
    if (vm->move)
        g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "There's a migration process in progress");
    else if (vm->state == VM_INMIGRATE || vm->state == VM_INTERNAL_ERROR)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "a machine in state '%s' cannot be migrated",
                    vm_state_name(vm->state));
    else if (vm->snapshot_job)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "'%s' is at work on snapshots, and the disks with it",
                    vm->snapshot_job);
    else if (vm_migration_wants(vm, QMP_MIGRATION_CAPABILITY_MULTIFD) ||
             vm_migration_wants(vm, QMP_MIGRATION_CAPABILITY_RETURN_PATH))
        g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                            "the capability multifd or return-path is on: so far a state can only come that way");
    else
        return true;
    return false;
}

/* A descriptor is there only as long as the command; everything else may take its time. */
static bool open_early(VmMove *m, GError **error)
{
    if (!g_str_has_prefix(m->uri, "fd:"))
        return transport_check(m->uri, error);
    m->out = transport_open_until(m->uri, m->stop, error);
    return m->out;
}

static VmMove *move_new(Vm *vm, const char *uri, MigrateFormat format, GError **error)
{
    VmMove *m = g_new0(VmMove, 1);
    const MigrateLiveEvents events = {.stop = stop, .pass = pass, .opaque = m};

    m->vm = vm;
    m->uri = g_strdup(uri);
    m->pauses = vm_migration_wants(vm, QMP_MIGRATION_CAPABILITY_PAUSE_BEFORE_SWITCHOVER);
    m->tells_passes = vm_migration_wants(vm, QMP_MIGRATION_CAPABILITY_EVENTS);
    g_mutex_init(&m->lock);
    g_cond_init(&m->changed);
    m->stop = eventfd(0, EFD_CLOEXEC);
    if (m->stop < 0)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "no eventfd: %s", g_strerror(errno));
    else if (open_early(m, error) && (m->live = migrate_live_new(vm->pc, format, &events, error)))
        return m;
    move_free(m);
    return NULL;
}

bool vm_migrate(Vm *vm, const char *uri, MigrateFormat format, GError **error)
{
    static const JobType type = {.name = "migrate", .run = run, .commit = settle, .undo = settle, .free = move_free};

    if (!may_move(vm, error))
        return false;
    VmMove *m = move_new(vm, uri, format, error);
    if (!m)
        return false;
    Job *job = job_new(vm->moves, "migrate", &type, 0, m, error);
    if (!job)
        return false;
    vm->move = m;
    vm->has_moved = false;
    vm->moved_downtime_ms = -1;
    vm_migration_limit(vm);
    vm_migration_is(vm, VM_MIGRATION_SETUP, NULL);
    job_start(job);
    return true;
}

void vm_migrate_cancel(Vm *vm)
{
    const uint64_t one = 1;
    VmMove *m = vm->move;

    if (!m || is_cancelled(m))
        return;
    g_mutex_lock(&m->lock);
    m->cancelled = true;
    g_cond_signal(&m->changed);
    g_mutex_unlock(&m->lock);
    live_source_cancel(migrate_live_source(m->live));
    while (write(m->stop, &one, sizeof one) < 0 && errno == EINTR)
        ;
    vm_migration_is(vm, VM_MIGRATION_CANCELLING, NULL);
}

bool vm_migrate_continue(Vm *vm, VmMigrationStatus state, GError **error)
{
    VmMove *m = vm->move;

    if (state != vm->migration.status || !m || state != VM_MIGRATION_PRE_SWITCHOVER) {
        g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "Migration not in expected state");
        return false;
    }
    g_mutex_lock(&m->lock);
    m->continued = true;
    g_cond_signal(&m->changed);
    g_mutex_unlock(&m->lock);
    return true;
}

void vm_migration_stay(Vm *vm)
{
    if (vm->move)
        vm->move->goes_on = false;
}

bool vm_is_moving(const Vm *vm, GError **error)
{
    if (vm->move)
        g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the machine is on its way to another place");
    return vm->move;
}

bool vm_migration_progress(const Vm *vm, LiveProgress *progress, int64_t *downtime_ms)
{
    *downtime_ms = vm->move ? -1 : vm->moved_downtime_ms;
    if (vm->move)
        *progress = live_source_progress(migrate_live_source(vm->move->live));
    else
        *progress = vm->moved;
    return vm->move || vm->has_moved;
}

void vm_end_migration(Vm *vm)
{
    vm_migrate_cancel(vm);
    jobs_free(g_steal_pointer(&vm->moves));
}
