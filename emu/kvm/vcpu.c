/*
 * vcpu.c: a processor.
 *
 * Its thread waits until it shall run, and then is in KVM_RUN but for exits. To get it out another thread sets
 * immediate_exit and sends it a signal, so that it does not matter on which side of the system call it is.
 */
#include "emu/kvm/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emu/core/dirty.h"
#include "emu/kvm/vcpu-impl.h"
#include "emu/kvm/vcpu-state.h"
#include "visitors/error.h"

enum { CODE_OCTETS = 16 };

unsigned vcpu_index(const Vcpu *vcpu)
{
    return vcpu->index;
}

/* --- exits ------------------------------------------------------------------------------------------------------ */

static void exit_ports(Vcpu *v)
{
    const struct kvm_run *run = v->run;
    uint8_t *data = (uint8_t *)v->run + run->io.data_offset;

    machine_lock(v->machine);
    v->kvm->current = v;
    for (uint32_t i = 0; i < run->io.count; i++, data += run->io.size) {
        uint64_t value = 0;
        if (run->io.direction == KVM_EXIT_IO_OUT) {
            memcpy(&value, data, run->io.size);
            space_write(v->machine->ports, run->io.port, value, run->io.size);
        } else {
            value = space_read(v->machine->ports, run->io.port, run->io.size);
            memcpy(data, &value, run->io.size);
        }
    }
    v->kvm->current = NULL;
    machine_unlock(v->machine);
}

/* While its slot is changed, a processor in system management mode may come here for SMRAM. */
static bool access_smram(const Vcpu *v)
{
    struct kvm_run *run = v->run;
    unsigned size = MIN(run->mmio.len, 8);
    uint8_t *at = vcpu_in_smm(v) ? kvm_find_smram(v->kvm, run->mmio.phys_addr, size) : NULL;

    if (at && run->mmio.is_write) {
        memcpy(at, run->mmio.data, size);
        dirty_mark(v->kvm->smram.ram, run->mmio.phys_addr, size);
    } else if (at) {
        memcpy(run->mmio.data, at, size);
    }
    return at;
}

static void exit_memory(Vcpu *v)
{
    struct kvm_run *run = v->run;
    uint64_t value = 0;

    machine_lock(v->machine);
    if (access_smram(v) || vcpu_interrupts_access(v)) {
        machine_unlock(v->machine);
        return;
    }
    if (run->mmio.is_write) {
        memcpy(&value, run->mmio.data, MIN(run->mmio.len, 8));
        space_write(v->machine->memory, run->mmio.phys_addr, value, run->mmio.len);
    } else {
        value = space_read(v->machine->memory, run->mmio.phys_addr, run->mmio.len);
        memcpy(run->mmio.data, &value, MIN(run->mmio.len, 8));
    }
    machine_unlock(v->machine);
}

/* KVM leaves the guest for these only where it has no LAPIC, or no I/O APIC. */
static void exit_halt(Vcpu *v)
{
    machine_lock(v->machine);
    v->halted = true;
    machine_unlock(v->machine);
}

static void exit_end(Vcpu *v)
{
    machine_lock(v->machine);
    if (v->interrupts.end)
        v->interrupts.end(v->interrupts.opaque, v->run->eoi.vector);
    machine_unlock(v->machine);
}

/* --- failures --------------------------------------------------------------------------------------------------- */

static const char *reason_name(uint32_t reason, uint32_t suberror)
{
    if (reason == KVM_EXIT_INTERNAL_ERROR)
        return suberror == KVM_INTERNAL_ERROR_EMULATION ? "it cannot emulate an instruction"
                                                        : "it has an internal error";
    if (reason == KVM_EXIT_FAIL_ENTRY)
        return "the hardware refuses to enter the guest";
    return "it left the guest for an unknown reason";
}

static void tell_registers(GString *text, const CpuState *c)
{
    static const char *const names[CPU_REGS] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
                                                "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};
    static const char *const segs[CPU_SEGS] = {"ES", "CS", "SS", "DS", "FS", "GS"};

    for (int i = 0; i < CPU_REGS; i++)
        g_string_append_printf(text, "%s=%016" G_GINT64_MODIFIER "x%c", names[i], c->regs[i], i % 4 == 3 ? '\n' : ' ');
    g_string_append_printf(text, "RIP=%016" G_GINT64_MODIFIER "x RFLAGS=%08" G_GINT64_MODIFIER "x\n", c->rip,
                           c->rflags);
    for (int i = 0; i < CPU_SEGS; i++)
        g_string_append_printf(text, "%s=%04x %016" G_GINT64_MODIFIER "x %08x %08x\n", segs[i], c->segs[i].selector,
                               c->segs[i].base, c->segs[i].limit, c->segs[i].flags);
    g_string_append_printf(text,
                           "CR0=%08" G_GINT64_MODIFIER "x CR2=%016" G_GINT64_MODIFIER "x CR3=%016" G_GINT64_MODIFIER
                           "x CR4=%08" G_GINT64_MODIFIER "x EFER=%08" G_GINT64_MODIFIER "x\n",
                           c->cr0, c->cr2, c->cr3, c->cr4, c->efer);
}

/* The octets at RIP, by KVM's own walk of the page tables. */
static void tell_code(Vcpu *v, GString *text, const CpuState *c)
{
    uint8_t code[CODE_OCTETS];
    uint64_t linear = c->segs[CPU_CS].base + c->rip;

    g_string_append(text, "Code:");
    for (unsigned i = 0; i < CODE_OCTETS; i++) {
        struct kvm_translation at = {.linear_address = linear + i};
        if (ioctl(v->fd, KVM_TRANSLATE, &at) < 0 || !at.valid)
            break;
        machine_lock(v->machine);
        space_read_octets(v->machine->memory, at.physical_address, &code[i], 1);
        machine_unlock(v->machine);
        g_string_append_printf(text, " %02x", code[i]);
    }
    g_string_append_c(text, '\n');
}

char *vcpu_tell_registers(Vcpu *v)
{
    GString *text = g_string_new(NULL);
    CpuState cpu;

    cpu_state_reset(&cpu, true);
    if (vcpu_state_read(v->kvm, v->fd, &cpu, NULL, NULL)) {
        tell_registers(text, &cpu);
        tell_code(v, text, &cpu);
    }
    return g_string_free(text, FALSE);
}

static void tell_failure(Vcpu *v)
{
    const struct kvm_run *run = v->run;
    g_autoptr(GString) text = g_string_new(NULL);

    g_string_append_printf(text, "KVM cannot go on with processor %u: %s (exit reason %u", v->index,
                           reason_name(run->exit_reason, run->internal.suberror), run->exit_reason);
    if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
        g_string_append_printf(text, ", suberror %u", run->internal.suberror);
    if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
        g_string_append_printf(text, ", hardware reason 0x%llx", run->fail_entry.hardware_entry_failure_reason);
    g_string_append(text, ")\n");
    g_autofree char *registers = vcpu_tell_registers(v);
    g_string_append(text, registers);
    if (v->events.failed)
        v->events.failed(v->events.opaque, v, &(VcpuFailure){.vcpu = v, .text = text->str});
}

/* --- the thread ------------------------------------------------------------------------------------------------- */

static void stand(Vcpu *v)
{
    pthread_mutex_lock(&v->mutex);
    g_atomic_int_set(&v->wanted, false);
    v->running = false;
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->mutex);
}

/* Handles the exit that KVM_RUN has left for. */
static void handle_exit(Vcpu *v)
{
    switch (v->run->exit_reason) {
    case KVM_EXIT_IO:
        exit_ports(v);
        break;
    case KVM_EXIT_MMIO:
        exit_memory(v);
        break;
    case KVM_EXIT_INTR:
    case KVM_EXIT_IRQ_WINDOW_OPEN:
    case KVM_EXIT_SET_TPR:
        break;
    case KVM_EXIT_HLT:
        exit_halt(v);
        break;
    case KVM_EXIT_IOAPIC_EOI:
        exit_end(v);
        break;
    case KVM_EXIT_SHUTDOWN:
        stand(v);
        if (v->events.shutdown)
            v->events.shutdown(v->events.opaque, v);
        break;
    default:
        stand(v);
        tell_failure(v);
    }
}

/* KVM takes it from here: with the next instruction that it runs, or when the guest has left the last one's handler. */
static void take_smi(Vcpu *v)
{
    if (!g_atomic_int_get(&v->smi))
        return;
    pthread_mutex_lock(&v->mutex);
    g_atomic_int_set(&v->smi, false);
    if (!vcpu_has_interrupts(v))
        v->run->immediate_exit = !g_atomic_int_get(&v->wanted); /* vcpu_smi has set it */
    pthread_mutex_unlock(&v->mutex);
    if (ioctl(v->fd, KVM_SMI, 0) < 0)
        kvm_keep_failure(v->kvm, "sending an SMI");
}

void vcpu_smi(Vcpu *v)
{
    if (!v->kvm->smm)
        return;
    pthread_mutex_lock(&v->mutex);
    g_atomic_int_set(&v->smi, true);
    if (v->running && !vcpu_has_interrupts(v) && !pthread_equal(v->thread, pthread_self())) {
        v->run->immediate_exit = 1; /* until take_smi */
        pthread_kill(v->thread, VCPU_KICK);
    }
    pthread_mutex_unlock(&v->mutex);
    if (vcpu_has_interrupts(v))
        vcpu_kick(v);
}

/* Out of the guest until the time has come, or it is stopped. */
static void take_rest(Vcpu *v)
{
    struct timespec end;

    if (!g_atomic_int_get(&v->rests))
        return;
    pthread_mutex_lock(&v->mutex);
    g_atomic_int_set(&v->rests, false);
    if (!vcpu_has_interrupts(v))
        v->run->immediate_exit = !g_atomic_int_get(&v->wanted); /* vcpu_rest has set it */
    int64_t left = v->rest_end_us - g_get_monotonic_time();
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += (MAX(left, 0) + end.tv_nsec / 1000) / G_USEC_PER_SEC;
    end.tv_nsec = (MAX(left, 0) + end.tv_nsec / 1000) % G_USEC_PER_SEC * 1000;
    while (g_atomic_int_get(&v->wanted) && pthread_cond_timedwait(&v->changed, &v->mutex, &end) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&v->mutex);
}

void vcpu_rest(Vcpu *v, int64_t end_us)
{
    pthread_mutex_lock(&v->mutex);
    v->rest_end_us = end_us;
    g_atomic_int_set(&v->rests, true);
    if (v->running && !vcpu_has_interrupts(v)) {
        v->run->immediate_exit = 1; /* until take_rest */
        pthread_kill(v->thread, VCPU_KICK);
    }
    pthread_mutex_unlock(&v->mutex);
    if (vcpu_has_interrupts(v))
        vcpu_kick(v);
}

/*
 * In the guest until somebody wants it out. What an exit has asked for (the value of a port) KVM takes at the next
 * KVM_RUN: so there is one more, which immediate_exit makes return at once.
 */
static void run_guest(Vcpu *v)
{
    bool half_done = false;

    if (vcpu_has_interrupts(v))
        vcpu_interrupts_start(v);
    while (g_atomic_int_get(&v->wanted) || half_done) {
        take_rest(v);
        if (vcpu_has_interrupts(v) && !vcpu_interrupts_enter(v, half_done))
            continue;
        take_smi(v);
        int result = ioctl(v->fd, KVM_RUN, 0), error = errno;
        if (vcpu_has_interrupts(v))
            vcpu_interrupts_leave(v);
        if (result < 0 && (error == EINTR || error == EAGAIN)) {
            half_done = false;
            continue;
        }
        if (result < 0)
            v->run->exit_reason = KVM_EXIT_UNKNOWN;
        half_done = v->run->exit_reason == KVM_EXIT_IO || v->run->exit_reason == KVM_EXIT_MMIO;
        handle_exit(v);
    }
}

static bool wait_until_wanted(Vcpu *v)
{
    pthread_mutex_lock(&v->mutex);
    while (!g_atomic_int_get(&v->wanted) && !v->quit) {
        v->running = false; /* also if it was wanted, and no more before it woke */
        pthread_cond_broadcast(&v->changed);
        pthread_cond_wait(&v->changed, &v->mutex);
    }
    v->running = !v->quit;
    bool go_on = !v->quit;
    pthread_mutex_unlock(&v->mutex);
    return go_on;
}

static void *run(void *opaque)
{
    Vcpu *v = opaque;

    g_atomic_int_set(&v->thread_id, (gint)gettid());
    while (wait_until_wanted(v))
        run_guest(v);
    return NULL;
}

/* --- from other threads ----------------------------------------------------------------------------------------- */

void vcpu_start(Vcpu *v)
{
    pthread_mutex_lock(&v->mutex);
    /* A guest with kvmclock is told that it stood, for its watchdogs; one without has no place to be told. */
    if (!v->running)
        ioctl(v->fd, KVM_KVMCLOCK_CTRL, 0);
    v->run->immediate_exit = 0;
    g_atomic_int_set(&v->wanted, true);
    v->running = true;
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->mutex);
}

/* With the mutex. */
static void halt(Vcpu *v)
{
    v->run->immediate_exit = 1;
    g_atomic_int_set(&v->wanted, false);
    pthread_kill(v->thread, VCPU_KICK);
    pthread_cond_broadcast(&v->changed);
}

int vcpu_thread_id(const Vcpu *v)
{
    int id;

    while (!(id = g_atomic_int_get(&v->thread_id)))
        g_thread_yield();
    return id;
}

bool vcpu_nmi(Vcpu *v, GError **error)
{
    if (ioctl(v->fd, KVM_NMI, 0) == 0)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "KVM: an NMI for processor %u: %s", v->index, g_strerror(errno));
    return false;
}

void vcpu_ask_to_stop(Vcpu *v)
{
    pthread_mutex_lock(&v->mutex);
    halt(v);
    pthread_mutex_unlock(&v->mutex);
}

void vcpu_stop(Vcpu *v)
{
    pthread_mutex_lock(&v->mutex);
    halt(v);
    while (v->running)
        pthread_cond_wait(&v->changed, &v->mutex);
    pthread_mutex_unlock(&v->mutex);
}

bool vcpu_is_running(const Vcpu *v)
{
    pthread_mutex_t *mutex = (pthread_mutex_t *)&v->mutex;

    pthread_mutex_lock(mutex);
    bool running = v->running;
    pthread_mutex_unlock(mutex);
    return running;
}

bool vcpu_get(Vcpu *v, CpuState *cpu, ApicState *apic, GError **error)
{
    vcpu_interrupts_settle(v);
    take_smi(v);
    if (!vcpu_state_read(v->kvm, v->fd, cpu, v->kvm->irqchip ? apic : NULL, error))
        return false;
    cpu->init_latched = cpu->init_latched || (v->held & VCPU_SIGNAL_INIT);
    return true;
}

bool vcpu_set(Vcpu *v, const CpuState *cpu, const ApicState *apic, GError **error)
{
    g_atomic_int_set(&v->smi, false);
    v->held = cpu->init_latched && !v->kvm->irqchip ? VCPU_SIGNAL_INIT : 0;
    /* of a LAPIC that is not KVM's, KVM is told when the processor starts */
    return vcpu_state_write(v->kvm, v->fd, cpu, v->kvm->irqchip ? apic : NULL, error);
}

bool vcpu_get_registers(Vcpu *v, struct kvm_regs *regs)
{
    return ioctl(v->fd, KVM_GET_REGS, regs) == 0;
}

bool vcpu_set_registers(Vcpu *v, const struct kvm_regs *regs)
{
    return ioctl(v->fd, KVM_SET_REGS, regs) == 0;
}

bool vcpu_get_code_address(Vcpu *v, uint64_t *address)
{
    struct kvm_sregs sregs;
    struct kvm_regs regs;

    if (!vcpu_get_registers(v, &regs) || ioctl(v->fd, KVM_GET_SREGS, &sregs) < 0)
        return false;
    *address = sregs.cs.base + regs.rip;
    return true;
}

bool vcpu_reset(Vcpu *v, GError **error)
{
    ApicState apic;
    CpuState cpu;

    cpu_state_reset(&cpu, v->index == 0 || !v->kvm->irqchip);
    apic_state_reset(&apic, (uint8_t)v->index, v->index == 0);
    return vcpu_set(v, &cpu, &apic, error);
}

static bool imitate_chips(Kvm *kvm, const Kvm *like, GError **error)
{
    if (like->split)
        return kvm_create_lapics(kvm, like->pins, error);
    return !like->irqchip || kvm_create_irqchip(kvm, error);
}

bool vcpu_rehearse(const Vcpu *v, const CpuState *cpu, const ApicState *apic, GError **error)
{
    g_autoptr(Kvm) kvm = kvm_new(error);

    if (!kvm || !imitate_chips(kvm, v->kvm, error) || !kvm_imitate_memory(kvm, v->kvm, error))
        return false;
    kvm->physical_bits = v->kvm->physical_bits; /* the model's */
    int vcpu = kvm_create_vcpu(kvm, v->index, v->cpuid, error);
    if (vcpu < 0)
        return false;
    bool ok = vcpu_state_write(kvm, vcpu, cpu, apic, error);
    close(vcpu);
    return ok;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void ignore(int signal)
{
    (void)signal;
}

/* The kick must end the system call, not the program. */
static void catch_kicks(void)
{
    struct sigaction action = {.sa_handler = ignore};

    sigaction(VCPU_KICK, &action, NULL);
}

static bool map_run(Vcpu *v, GError **error)
{
    void *run = mmap(NULL, v->kvm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->fd, 0);

    if (run == MAP_FAILED) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "KVM: mapping kvm_run: %s", g_strerror(errno));
        return false;
    }
    v->run = run;
    return true;
}

static void release(Vcpu *v)
{
    if (v->run)
        munmap(v->run, v->kvm->run_size);
    if (v->fd >= 0)
        close(v->fd);
    pthread_mutex_destroy(&v->mutex);
    pthread_cond_destroy(&v->changed);
    g_free(v->cpuid);
    g_free(v);
}

Vcpu *vcpu_new(Kvm *kvm, Machine *machine, unsigned index, const VcpuEvents *events, GError **error)
{
    Vcpu *v = g_new0(Vcpu, 1);

    v->kvm = kvm;
    v->machine = machine;
    v->index = index;
    v->events = *events;
    v->cpuid = kvm_cpu_leaves(kvm, index);
    pthread_mutex_init(&v->mutex, NULL);
    pthread_cond_init(&v->changed, NULL);
    catch_kicks();
    v->fd = kvm_create_vcpu(kvm, index, v->cpuid, error);
    if (v->fd < 0 || !map_run(v, error) || !vcpu_reset(v, error)) {
        release(v);
        return NULL;
    }
    int failed = pthread_create(&v->thread, NULL, run, v);
    if (failed) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "processor %u: no thread: %s", index, g_strerror(failed));
        release(v);
        return NULL;
    }
    return v;
}

void vcpu_free(Vcpu *v)
{
    if (!v)
        return;
    vcpu_stop(v);
    pthread_mutex_lock(&v->mutex);
    v->quit = true;
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->mutex);
    pthread_join(v->thread, NULL);
    release(v);
}
