/* vm-incoming.c: a Vm's state comes from another place. */
#include "emu/machine/vm-impl.h"
#include "emu/machine/vm-migration.h"

static void began(void *opaque)
{
    Vm *vm = opaque;

    vm_migration_is(vm, VM_MIGRATION_ACTIVE, NULL);
}

/* Where the source can still be told that it must go on, it is told if the disks cannot be had here. */
static bool take(Vm *vm, MigrateState *state, GError **error)
{
    bool early = vm->goes_on && incoming_is_heard(vm->incoming);

    if (early && !vm_set_disks_active(vm, true, error))
        return false;
    if (migrate_commit(vm->pc, state, error))
        return true;
    if (early)
        vm_set_disks_active(vm, false, NULL);
    return false;
}

static bool come(void *opaque, MigrateState *state, GError **error)
{
    g_autoptr(GError) why = NULL;
    Vm *vm = opaque;

    if (!take(vm, state, error))
        return false;
    vm_migration_is(vm, VM_MIGRATION_COMPLETED, NULL);
    bool runs = vm->goes_on && g_str_equal(pc_run_state(vm->pc), "running");
    vm_set_state(vm, VM_PAUSED);
    if (runs && !vm_continue(vm, &why))
        vm_say(vm, "it cannot go on here: %s", why->message);
    return true;
}

static void ended(void *opaque)
{
    g_clear_pointer(&((Vm *)opaque)->incoming, incoming_free);
}

/* A machine whose state has not come is of no use to anybody, unless its user can try another way. */
static void failed(void *opaque, const GError *error)
{
    Vm *vm = opaque;

    vm_migration_is(vm, VM_MIGRATION_FAILED, error);
    vm_say(vm, "-incoming: %s", error->message);
    g_clear_pointer(&vm->incoming, incoming_free); /* and the error with it */
    if (!vm->options->incoming || !g_str_equal(vm->options->incoming, "defer"))
        vm_quit(vm, 1);
}

static IncomingOptions wanted_options(const Vm *vm)
{
    static const MultifdMethod methods[] = {[QMP_MULTI_FD_COMPRESSION_NONE] = MULTIFD_NONE,
                                            [QMP_MULTI_FD_COMPRESSION_ZLIB] = MULTIFD_ZLIB,
                                            [QMP_MULTI_FD_COMPRESSION_ZSTD] = MULTIFD_ZSTD};
    const QmpMigrationParameters *p = vm_migration_parameters(vm);
    bool multifd = vm_migration_wants(vm, QMP_MIGRATION_CAPABILITY_MULTIFD);

    return (IncomingOptions){.channels = multifd ? (unsigned)p->multifd_channels : 0,
                             .method = methods[p->multifd_compression]};
}

bool vm_incoming(Vm *vm, const char *uri, GError **error)
{
    const IncomingEvents events = {
        .began = began, .come = come, .ended = ended, .failed = failed, .opaque = vm, .context = vm->context};
    const IncomingOptions options = wanted_options(vm);

    if (vm->state != VM_INMIGRATE || vm->incoming) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the machine does not wait for a state (-incoming defer)");
        return false;
    }
    vm->incoming = incoming_new(vm->pc, uri, &options, &events, error);
    if (!vm->incoming)
        return false;
    vm_migration_is(vm, VM_MIGRATION_WAITS, NULL);
    return true;
}
