/*
 * vm-snapshot-lazy.c: the pages of a snapshot come while the guest runs, and what is told of that.
 *
 * What cannot be read stops the machine, in state io-error: the guest never sees what is not there. `cont` tries again.
 */
#include "emu/machine/vm-impl.h"
#include "emu/machine/vm-snapshot-impl.h"

/* --- what cannot be read ------------------------------------------------------------------------------------------ */

static bool waits(void *opaque, int thread)
{
    return ram_fill_owes(opaque, thread);
}

/* On the context's thread; it may be possible again, or all have come. */
static gboolean stop_machine(void *opaque)
{
    Vm *vm = opaque;
    g_autofree char *why = vm->fill ? ram_fill_progress(vm->fill).why : NULL;

    if (!why || vm->state != VM_RUNNING)
        return G_SOURCE_REMOVE;
    pc_stop_around(vm->pc, waits, vm->fill);
    vm_set_state(vm, VM_IO_ERROR);
    vm_say(vm, "the machine stands, for pages of snapshot '%s' cannot be read; 'cont' tries again: %s",
           vm->last_load.tag, why);
    return G_SOURCE_REMOVE;
}

/* From any thread. */
static void fill_failed(void *opaque, const char *why)
{
    g_autoptr(GSource) source = g_idle_source_new();
    const Vm *vm = opaque;

    (void)why; /* it is asked for again */
    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, stop_machine, opaque, NULL);
    g_source_attach(source, vm->context);
}

/* --- the pages ---------------------------------------------------------------------------------------------------- */

void snapshot_lazy_free(Vm *vm, RamFill *fill)
{
    GSource *source;

    ram_fill_free(fill); /* it tells of no failure any more */
    while ((source = g_main_context_find_source_by_funcs_user_data(vm->context, &g_idle_funcs, vm)))
        g_source_destroy(source);
}

RamFill *snapshot_lazy_open(Vm *vm, Chan *chan, GError **error)
{
    RamIndex *index = ram_index_read(chan, error);

    if (index)
        return ram_fill_new(index, chan, fill_failed, vm, error);
    chan_free(chan);
    return NULL;
}

bool snapshot_lazy_fill(Job *job, RamFill *fill)
{
    RamFillStep step = RAM_FILL_MORE;

    ram_fill_drop_old(fill);
    while (step != RAM_FILL_ALL) {
        if (!job_checkpoint(job)) /* the program ends */
            return false;
        step = ram_fill_next(fill);
        RamFillProgress p = ram_fill_progress(fill);
        job_progress(job, p.done, p.total);
        g_free(p.why);
    }
    return true;
}

void snapshot_lazy_end(const SnapshotWork *w)
{
    Vm *vm = w->vm;
    RamFillProgress p = ram_fill_progress(vm->fill);

    if (!p.all) {
        /* Requests of disks wait for pages, too: they are done with the right ones, or fail. */
        pc_ask_to_stop(vm->pc);
        ram_fill_give_up(vm->fill);
        pc_stop(vm->pc);
        snapshot_drain(w);
    }
    g_free(p.why);
    vm->fill = NULL;
}

/* --- what is told ------------------------------------------------------------------------------------------------- */

void vm_load_done(VmLoad *load)
{
    g_free(load->tag);
    g_free(load->job);
    g_free(load->eager);
    *load = (VmLoad){.status = VM_LOAD_NONE};
}

VmLoad vm_last_load(const Vm *vm)
{
    VmLoad load = vm->last_load;

    if (vm->fill)
        load.progress = ram_fill_progress(vm->fill);
    return load;
}

void snapshot_report(const SnapshotWork *w, int64_t began_us)
{
    VmLoad *load = &w->vm->last_load;

    vm_load_done(load);
    *load = (VmLoad){.status = VM_LOAD_READS, .tag = g_strdup(w->tag), .job = g_strdup(w->id), .began_us = began_us};
}

void snapshot_report_runs(Vm *vm, int64_t stood_us, const char *eager)
{
    VmLoad *load = &vm->last_load;
    int64_t now = g_get_monotonic_time();

    load->status = vm->fill ? VM_LOAD_FILLS : VM_LOAD_COMPLETED;
    load->eager = g_strdup(eager);
    load->stood_us = now - stood_us;
    load->runs_us = now - load->began_us;
    load->filled_us = vm->fill ? -1 : load->runs_us;
}

void snapshot_report_filled(Vm *vm)
{
    VmLoad *load = &vm->last_load;

    load->status = VM_LOAD_COMPLETED;
    load->filled_us = g_get_monotonic_time() - load->began_us;
    load->progress = ram_fill_progress(vm->fill);
    g_clear_pointer(&load->progress.why, g_free);
}

void snapshot_report_ended(const SnapshotWork *w, bool well)
{
    if (!well && w->begun)
        w->vm->last_load.status = VM_LOAD_FAILED;
}
