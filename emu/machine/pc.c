/*
 * pc.c: a PC's life: made, started, stopped, reset.
 *
 * Processors are stopped without the lock, as one may be waiting for it. So what a chip asks for (a reset, power off)
 * is a request, which the loop's thread does later, without the lock, when it has stopped them.
 */
#include "emu/machine/pc.h"

#include <string.h>

#include "emu/dev/globalstate.h"
#include "emu/dev/ioapic.h"
#include "emu/dev/kvm-chips.h"
#include "emu/dev/mc146818rtc.h"
#include "emu/dev/vm-timer.h"
#include "emu/machine/inspect.h"
#include "emu/machine/pc-impl.h"
#include "emu/pci/chipset.h"

/* --- requests --------------------------------------------------------------------------------------------------- */

static void stop_processors(Pc *pc)
{
    for (unsigned i = 0; i < pc->options.cpus; i++)
        if (pc->vcpus[i])
            vcpu_stop(pc->vcpus[i]);
}

static void start_processors(Pc *pc)
{
    for (unsigned i = 0; i < pc->options.cpus; i++)
        if (pc->vcpus[i])
            vcpu_start(pc->vcpus[i]);
}

/* With the processors standing. */
static void let_time_run(Pc *pc, bool runs)
{
    machine_lock(pc->machine);
    if (runs)
        vm_clock_start(&pc->time);
    machine_set_running(pc->machine, runs);
    if (!runs)
        vm_clock_stop(&pc->time);
    loop_virtual_clock_runs(pc->loop, runs);
    machine_unlock(pc->machine);
}

void pc_stop(Pc *pc)
{
    pc->wanted = false;
    stop_processors(pc);
    let_time_run(pc, false);
}

bool pc_stop_around(Pc *pc, PcWaits *waits, void *opaque)
{
    bool all = true;

    pc->wanted = false;
    for (unsigned i = 0; i < pc->options.cpus; i++) {
        if (!pc->vcpus[i])
            continue;
        bool stuck = waits(opaque, vcpu_thread_id(pc->vcpus[i]));
        if (!stuck)
            vcpu_ask_to_stop(pc->vcpus[i]);
        all &= !stuck;
    }
    if (all)
        pc_stop(pc);
    return all;
}

void pc_adjust_clocks(Pc *pc, PcClocks policy, int64_t ns)
{
    machine_lock(pc->machine);
    if (policy == PC_CLOCKS_KEEP)
        mc146818rtc_set_back(pc->chips.rtc, MAX(ns, 0));
    else if (policy == PC_CLOCKS_ADVANCE)
        kvm_clock_advance(pc->chips.kvm_clock, (uint64_t)MAX(ns, 0));
    machine_unlock(pc->machine);
}

void pc_ask_to_stop(Pc *pc)
{
    for (unsigned i = 0; i < pc->options.cpus; i++)
        if (pc->vcpus[i])
            vcpu_ask_to_stop(pc->vcpus[i]);
}

void pc_start(Pc *pc)
{
    pc->wanted = true;
    if (!pc->machine->running) /* pc_stop_around may have left it so */
        let_time_run(pc, true);
    start_processors(pc);
}

bool pc_is_running(const Pc *pc)
{
    return pc->machine->running;
}

void pc_rest(Pc *pc, int64_t us)
{
    int64_t end_us = g_get_monotonic_time() + us;

    for (unsigned i = 0; i < pc->options.cpus; i++)
        if (pc->vcpus[i])
            vcpu_rest(pc->vcpus[i], end_us);
}

/* The first failure is the one to tell. */
static void fail(Pc *pc, const char *text)
{
    machine_lock(pc->machine);
    if (!pc->failure)
        pc->failure = g_strdup(text);
    machine_unlock(pc->machine);
    pc_request(pc, PC_REQUEST_FAILURE);
}

/* What the guest has let go; with a reset also what it was asked for, as QEMU's users expect it. Processors stand. */
static void let_go(Pc *pc, bool reset)
{
    machine_lock(pc->machine);
    g_mutex_lock(&pc->requests_mutex);
    uint32_t slots = pc->ejected | (reset ? piix4_pm_slots_leaving(pc->chips.piix4_pm) : 0);
    pc->ejected = 0;
    g_mutex_unlock(&pc->requests_mutex);
    if (slots && pc->options.events.ejected)
        pc->options.events.ejected(pc->options.events.opaque, slots);
    machine_unlock(pc->machine);
}

static void do_reset(Pc *pc)
{
    g_autoptr(GError) error = NULL;

    stop_processors(pc);
    let_go(pc, true);
    machine_lock(pc->machine);
    machine_reset(pc->machine);
    pc_boot_as_always(pc);
    bool ok = pc_boot_kernel(pc, &error);
    if (ok && pc->options.events.reset)
        pc->options.events.reset(pc->options.events.opaque);
    machine_unlock(pc->machine);
    if (!ok) {
        fail(pc, error->message);
        return;
    }
    if (pc->wanted)
        start_processors(pc);
}

static void tell(Pc *pc, unsigned requests)
{
    const PcEvents *e = &pc->options.events;

    machine_lock(pc->machine);
    if ((requests & PC_REQUEST_POWER_OFF) && e->powered_off)
        e->powered_off(e->opaque);
    if ((requests & PC_REQUEST_FAILURE) && e->failed)
        e->failed(e->opaque, pc->failure);
    machine_unlock(pc->machine);
}

typedef struct RequestSource {
    GSource base;
    Pc *pc;
} RequestSource;

static gboolean do_requests(GSource *source, GSourceFunc callback, gpointer data)
{
    Pc *pc = ((RequestSource *)source)->pc;

    (void)callback;
    (void)data;
    g_source_set_ready_time(source, -1);
    g_mutex_lock(&pc->requests_mutex);
    unsigned requests = pc->requests;
    pc->requests = 0;
    g_mutex_unlock(&pc->requests_mutex);
    bool ran = requests & PC_REQUEST_EJECT && pc_hold(pc);
    if (requests & PC_REQUEST_EJECT)
        let_go(pc, false);
    if (requests == PC_REQUEST_EJECT)
        pc_go_on(pc, ran);
    if (requests & (PC_REQUEST_POWER_OFF | PC_REQUEST_FAILURE)) {
        pc_stop(pc);
        tell(pc, requests);
    } else if (requests & PC_REQUEST_RESET) {
        do_reset(pc);
    }
    return G_SOURCE_CONTINUE;
}

/* It sleeps until something is requested. */
static GSource *request_source_new(Pc *pc, GMainContext *context)
{
    static const GSourceFuncs functions = {.dispatch = do_requests};
    GSource *source = g_source_new((GSourceFuncs *)&functions, sizeof(RequestSource));

    ((RequestSource *)source)->pc = pc;
    g_source_set_priority(source, G_PRIORITY_HIGH);
    g_source_set_ready_time(source, -1);
    g_source_attach(source, context);
    return source;
}

void pc_request(Pc *pc, PcRequest request)
{
    g_mutex_lock(&pc->requests_mutex);
    pc->requests |= request;
    g_mutex_unlock(&pc->requests_mutex);
    for (unsigned i = 0; i < pc->options.cpus; i++)
        if (pc->vcpus[i])
            vcpu_ask_to_stop(pc->vcpus[i]); /* a chip's reset line leaves them no time */
    g_source_set_ready_time(pc->request_source, 0);
}

/* The processor that asked stands until it is done: to the guest it is done at once. */
void pc_request_eject(Pc *pc, unsigned slot)
{
    g_mutex_lock(&pc->requests_mutex);
    pc->ejected |= 1U << slot;
    g_mutex_unlock(&pc->requests_mutex);
    pc_request(pc, PC_REQUEST_EJECT);
}

void pc_press_reset(Pc *pc)
{
    pc_request(pc, PC_REQUEST_RESET);
}

void pc_press_power(Pc *pc)
{
    machine_lock(pc->machine);
    Irq button = device_input(pc->chips.piix4_pm, "power-button", 0);
    irq_pulse(&button);
    machine_unlock(pc->machine);
}

PcTray pc_tray(Pc *pc, unsigned bus, unsigned unit)
{
    machine_lock(pc->machine);
    const PcTray tray = {piix3_ide_tray_is_open(pc->chips.ide, bus, unit),
                         piix3_ide_tray_is_locked(pc->chips.ide, bus, unit)};
    machine_unlock(pc->machine);
    return tray;
}

/* --- processors ------------------------------------------------------------------------------------------------- */

/* A triple fault resets a PC: the chip set sees the processor's shutdown cycle. */
static void processor_shuts_down(void *opaque, Vcpu *vcpu)
{
    (void)vcpu;
    pc_request(opaque, PC_REQUEST_RESET);
}

static void processor_fails(void *opaque, Vcpu *vcpu, const VcpuFailure *failure)
{
    (void)vcpu;
    fail(opaque, failure->text);
}

static CpuTopology topology_of(const Pc *pc)
{
    return pc->options.cpu.topology.sockets ? pc->options.cpu.topology : (CpuTopology){pc->options.cpus, 1, 1, 1};
}

static bool set_model(Pc *pc, GError **error)
{
    const PcCpu *c = &pc->options.cpu;
    CpuTopology topology = topology_of(pc);

    return !c->model || kvm_set_cpu_model(pc->kvm, c->model, c->settings, c->setting_count, &topology, error);
}

char *pc_cpu_warnings(const Pc *pc)
{
    CpuTopology topology = topology_of(pc);

    return pc->kvm && pc->kvm->model ? cpu_model_warnings(pc->kvm->model, &topology) : g_strdup("");
}

/* Somewhere they must be: on a KVM that has none they are here, unless it was to have some of them. */
static bool place_chips(Pc *pc, GError **error)
{
    pc->chip_place = pc->options.chips;
    if (pc->chip_place == KVM_CHIPS_ALL && !kvm_can_have(pc->kvm, KVM_CHIPS_ALL))
        pc->chip_place = KVM_CHIPS_NONE;
    if (pc->chip_place == KVM_CHIPS_LAPICS)
        return kvm_create_lapics(pc->kvm, IOAPIC_PINS, error);
    return pc->chip_place == KVM_CHIPS_NONE || kvm_create_irqchip(pc->kvm, error);
}

KvmChips pc_chips(const Pc *pc)
{
    return pc->chip_place;
}

static bool place_smm(Pc *pc, GError **error)
{
    if (pc->options.smm == PC_SMM_ON && !pc->kvm->smm) {
        g_set_error_literal(
            error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
            "system management mode: this KVM does not have it (-machine smm=auto or off does without)");
        return false;
    }
    pc->smm = pc->options.smm != PC_SMM_OFF && pc->kvm->smm;
    return true;
}

bool pc_has_smm(const Pc *pc)
{
    return pc->smm;
}

static bool make_processors(Pc *pc, GMainContext *context, GError **error)
{
    const VcpuEvents events = {.shutdown = processor_shuts_down, .failed = processor_fails, .opaque = pc};

    if (!pc->options.kvm)
        return true;
    pc->kvm = kvm_new(error);
    if (!pc->kvm || !place_smm(pc, error) || !place_chips(pc, error) || !set_model(pc, error) ||
        !kvm_attach(pc->kvm, pc->machine, error))
        return false;
    if (kvm_capability(pc->kvm, KVM_CAP_IOEVENTFD))
        bells_new(pc->machine, context, kvm_wire_bell, pc->kvm);
    for (unsigned i = 0; i < pc->options.cpus; i++) {
        pc->vcpus[i] = vcpu_new(pc->kvm, pc->machine, i, &events, error);
        if (!pc->vcpus[i])
            return false;
    }
    return true;
}

CpuTopology pc_topology(const Pc *pc)
{
    return topology_of(pc);
}

bool pc_hold(Pc *pc)
{
    bool ran = pc_is_running(pc);

    if (ran)
        stop_processors(pc);
    return ran;
}

void pc_go_on(Pc *pc, bool ran)
{
    if (ran)
        start_processors(pc);
}

char *pc_tell_registers(Pc *pc)
{
    GString *text = g_string_new(NULL);
    bool ran = pc_hold(pc);

    for (unsigned i = 0; i < pc->options.cpus && pc->kvm; i++) {
        g_autofree char *registers = vcpu_tell_registers(pc->vcpus[i]);
        g_string_append_printf(text, "processor %u\n%s", i, registers);
    }
    pc_go_on(pc, ran);
    return g_string_free(text, FALSE);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static bool check_options(const PcOptions *o, GError **error)
{
    enum { LEAST_RAM = 1 << 20 };

    if (o->cpus < 1 || o->cpus > PC_CPUS_MAX) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT, "%u processors; there can be 1 to %d", o->cpus, PC_CPUS_MAX);
        return false;
    }
    if (o->ram < LEAST_RAM || o->ram % RAM_PAGE) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                    "%" G_GUINT64_FORMAT " octets of memory; at least %d are needed, in pages of %d", o->ram, LEAST_RAM,
                    RAM_PAGE);
        return false;
    }
    return true;
}

/* Its section comes before those of backends. */
static bool make_timer(Pc *pc, GError **error)
{
    Device *timer = vm_timer_new(&pc->time);

    if (device_realize(timer, pc->machine, error))
        return true;
    device_free(timer);
    return false;
}

Pc *pc_begin(const PcOptions *options, GMainContext *context, GError **error)
{
    g_autoptr(Pc) pc = NULL;

    if (!check_options(options, error))
        return NULL;
    pc = g_new0(Pc, 1);
    pc->options = *options;
    pc->plugged = g_ptr_array_new_with_free_func((GDestroyNotify)device_free);
    pc->cards = g_ptr_array_new_with_free_func((GDestroyNotify)device_free);
    pc->slots[0] = pc->slots[PC_PIIX_SLOT] = 0xff;
    vm_clock_init(&pc->time);
    g_mutex_init(&pc->requests_mutex);
    pc->request_source = request_source_new(pc, context);
    pc->machine = machine_new(&(MachineClocks){vm_clock_virtual_time, vm_clock_host_time, &pc->time});
    if (options->lock)
        machine_share_lock(pc->machine, options->lock);
    pc->loop = loop_new(pc->machine, context);
    if (!make_timer(pc, error) || !pc_build_memory(pc, error) || !make_processors(pc, context, error))
        return NULL;
    return g_steal_pointer(&pc);
}

PcOptions *pc_options(Pc *pc)
{
    return &pc->options;
}

bool pc_complete(Pc *pc, GError **error)
{
    if (!pc_build_board(pc, error) || !pc_fill_firmware(pc, error))
        return false;
    machine_reset(pc->machine);
    if (pc->kvm && pc->kvm->failure) {
        g_set_error_literal(error, FERRY_ERROR, FERRY_ERROR_IO, pc->kvm->failure);
        return false;
    }
    return pc_boot_kernel(pc, error);
}

Pc *pc_new(const PcOptions *options, GMainContext *context, GError **error)
{
    g_autoptr(Pc) pc = pc_begin(options, context, error);

    return pc && pc_complete(pc, error) ? g_steal_pointer(&pc) : NULL;
}

void pc_free(Pc *pc)
{
    if (!pc)
        return;
    pc->wanted = false;
    for (int i = 0; i < PC_CPUS_MAX; i++)
        vcpu_free(pc->vcpus[i]);
    acpi_install_free(pc->acpi);
    g_source_destroy(pc->request_source);
    g_source_unref(pc->request_source);
    loop_free(pc->loop);
    if (pc->kvm)
        kvm_detach(pc->kvm);
    machine_free(pc->machine);
    g_ptr_array_unref(pc->plugged);
    g_ptr_array_unref(pc->cards);
    kvm_free(pc->kvm);
    g_mutex_clear(&pc->requests_mutex);
    vm_clock_done(&pc->time);
    g_free(pc->failure);
    g_free(pc);
}

Machine *pc_machine(Pc *pc)
{
    return pc->machine;
}

Loop *pc_loop(Pc *pc)
{
    return pc->loop;
}

const MachineIdentity *pc_identity(void)
{
    static const MachineIdentity identity = {.type = "pc-i440fx-7.2", .writer = "ferry", .writer_version = "0.1"};

    return &identity;
}

void pc_set_run_state(Pc *pc, const char *name)
{
    globalstate_set(pc->chips.globalstate, name);
}

const char *pc_run_state(Pc *pc)
{
    return globalstate_get(pc->chips.globalstate);
}
