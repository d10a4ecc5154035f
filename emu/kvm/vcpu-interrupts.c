/*
 * vcpu-interrupts.c: interrupts of a processor whose controllers, or some of them, are not KVM's.
 *
 * A processor in the guest sees nothing of ours: whoever has something for it (vcpu_kick) sets immediate_exit and sends
 * it the signal that also stops it. Then it looks at its controllers, and takes what there is on its way back. When the
 * guest cannot be interrupted KVM is asked to come back as soon as it can (request_interrupt_window).
 *
 * Source: Linux, Documentation/virt/kvm/api.rst, 4.16 (KVM_INTERRUPT), 4.77 (KVM_NMI), chapter 5 (kvm_run).
 */
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>

#include "emu/kvm/vcpu-impl.h"
#include "emu/kvm/vcpu-state.h"

void vcpu_set_interrupts(Vcpu *v, const VcpuInterrupts *interrupts)
{
    v->interrupts = *interrupts;
}

bool vcpu_is_halted(const Vcpu *v)
{
    return v->halted;
}

void vcpu_set_halted(Vcpu *v, bool halted)
{
    v->halted = halted;
}

void vcpu_kick(Vcpu *v)
{
    pthread_mutex_lock(&v->mutex);
    v->kicked = true;
    /* otherwise it looks before it goes there */
    if (g_atomic_int_get(&v->inside) && !pthread_equal(v->thread, pthread_self())) {
        v->run->immediate_exit = 1;
        pthread_kill(v->thread, VCPU_KICK);
    }
    pthread_cond_broadcast(&v->changed);
    pthread_mutex_unlock(&v->mutex);
}

/* --- what is sent ------------------------------------------------------------------------------------------------ */

/* In system management mode they wait (Intel SDM volume 3, 34.2 and 34.3.1), but for SMIs, of which KVM knows that. */
static unsigned take_signals(Vcpu *v, uint8_t *page)
{
    const VcpuLapic *lapic = v->interrupts.lapic;
    unsigned signals = lapic ? lapic->take_signals(v->interrupts.opaque, page) : 0;

    if (signals & VCPU_SIGNAL_SIPI)
        v->held_page = *page;
    signals |= v->held;
    *page = v->held_page;
    v->held = vcpu_in_smm(v) ? signals & ~(unsigned)VCPU_SIGNAL_SMI : 0;
    return signals & ~v->held;
}

static void apply_signals(Vcpu *v)
{
    uint8_t page = 0;
    unsigned signals = take_signals(v, &page);

    if (signals & VCPU_SIGNAL_SMI)
        vcpu_smi(v);
    if (signals & VCPU_SIGNAL_INIT) {
        v->halted = false;
        if (!vcpu_state_init(v->kvm, v->fd, NULL))
            kvm_keep_failure(v->kvm, "resetting a processor");
    }
    if ((signals & VCPU_SIGNAL_SIPI) && !vcpu_state_start(v->kvm, v->fd, page, NULL))
        kvm_keep_failure(v->kvm, "starting a processor");
    if (signals & VCPU_SIGNAL_NMI) {
        v->halted = false;
        if (ioctl(v->fd, KVM_NMI, 0) < 0)
            kvm_keep_failure(v->kvm, "sending an NMI");
    }
    if (signals)
        v->run->ready_for_interrupt_injection = 0; /* of the state before */
}

void vcpu_interrupts_settle(Vcpu *v)
{
    machine_lock(v->machine);
    apply_signals(v);
    machine_unlock(v->machine);
}

/*
 * With a LAPIC in the kernel KVM_INTERRUPT notes a vector that can neither be read again nor taken back, if the machine
 * should stop at this very moment: then it would be lost for a save. An event that is already on its way can.
 */
static bool inject_event(const Vcpu *v, uint8_t vector)
{
    struct kvm_mp_state runs = {.mp_state = KVM_MP_STATE_RUNNABLE};
    struct kvm_vcpu_events events;

    if (ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events) < 0)
        return false;
    events.interrupt.injected = 1;
    events.interrupt.nr = vector;
    events.interrupt.soft = 0;
    events.flags = 0;
    return ioctl(v->fd, KVM_SET_VCPU_EVENTS, &events) == 0 && ioctl(v->fd, KVM_SET_MP_STATE, &runs) == 0;
}

static bool inject(const Vcpu *v, uint8_t vector)
{
    struct kvm_interrupt interrupt = {.irq = vector};

    return v->kvm->irqchip ? inject_event(v, vector) : ioctl(v->fd, KVM_INTERRUPT, &interrupt) == 0;
}

static void take_interrupt(Vcpu *v)
{
    const VcpuInterrupts *i = &v->interrupts;
    int vector = -1;

    if (v->run->ready_for_interrupt_injection && i->pending(i->opaque))
        vector = i->take(i->opaque);
    if (vector >= 0) {
        v->halted = false;
        v->run->ready_for_interrupt_injection = 0; /* there is one now */
        if (!inject(v, (uint8_t)vector))
            kvm_keep_failure(v->kvm, "injecting an interrupt");
    }
    /* nobody tells of the end of system management mode: that the guest can be interrupted comes closest */
    v->run->request_interrupt_window = i->pending(i->opaque) || v->held;
}

/* --- around the guest --------------------------------------------------------------------------------------------- */

/* What the LAPIC says of registers that KVM has, too: for what was loaded, or reset. */
static void tell_kvm(Vcpu *v)
{
    const VcpuLapic *lapic = v->interrupts.lapic;
    struct kvm_sregs s;

    if (ioctl(v->fd, KVM_GET_SREGS, &s) < 0) {
        kvm_keep_failure(v->kvm, "reading the APIC base");
        return;
    }
    v->run->cr8 = lapic->priority(v->interrupts.opaque);
    if (s.apic_base == lapic->base(v->interrupts.opaque) && s.cr8 == v->run->cr8)
        return;
    s.apic_base = lapic->base(v->interrupts.opaque);
    s.cr8 = v->run->cr8;
    if (ioctl(v->fd, KVM_SET_SREGS, &s) < 0)
        kvm_keep_failure(v->kvm, "setting the APIC base");
}

void vcpu_interrupts_start(Vcpu *v)
{
    if (v->interrupts.lapic) {
        machine_lock(v->machine);
        tell_kvm(v);
        machine_unlock(v->machine);
    }
    /* what kvm_run says of interrupts is of another time: this makes KVM say it anew, without going to the guest */
    pthread_mutex_lock(&v->mutex);
    v->run->immediate_exit = 1;
    pthread_mutex_unlock(&v->mutex);
    ioctl(v->fd, KVM_RUN, 0);
}

/* Is there something to do in the guest? */
static bool prepare(Vcpu *v, bool half_done)
{
    const VcpuInterrupts *i = &v->interrupts;

    if (!half_done)
        apply_signals(v);
    take_interrupt(v);
    if (g_atomic_int_get(&v->smi))
        v->halted = false;
    if (!i->lapic)
        return true;
    v->run->cr8 = i->lapic->priority(i->opaque);
    return half_done || (!v->halted && !i->lapic->waits(i->opaque));
}

static void sleep_until_kicked(Vcpu *v)
{
    pthread_mutex_lock(&v->mutex);
    while (!v->kicked && g_atomic_int_get(&v->wanted))
        pthread_cond_wait(&v->changed, &v->mutex);
    pthread_mutex_unlock(&v->mutex);
}

bool vcpu_interrupts_enter(Vcpu *v, bool half_done)
{
    /* what comes from here on makes it come out again, or not fall asleep; what came before is seen */
    pthread_mutex_lock(&v->mutex);
    v->run->immediate_exit =
        (half_done && (v->kicked || (v->held && !vcpu_in_smm(v)))) || !g_atomic_int_get(&v->wanted);
    if (!half_done)
        v->kicked = false;
    g_atomic_int_set(&v->inside, true);
    pthread_mutex_unlock(&v->mutex);
    machine_lock(v->machine);
    bool goes = prepare(v, half_done);
    machine_unlock(v->machine);
    g_atomic_int_set(&v->inside, goes);
    if (!goes)
        sleep_until_kicked(v);
    return goes;
}

void vcpu_interrupts_leave(Vcpu *v)
{
    const VcpuLapic *lapic = v->interrupts.lapic;
    void *opaque = v->interrupts.opaque;

    g_atomic_int_set(&v->inside, false);
    if (!lapic)
        return;
    machine_lock(v->machine);
    if (v->run->cr8 != lapic->priority(opaque))
        lapic->set_priority(opaque, (uint8_t)v->run->cr8);
    if (v->run->apic_base != lapic->base(opaque))
        lapic->set_base(opaque, v->run->apic_base);
    machine_unlock(v->machine);
}

bool vcpu_interrupts_access(Vcpu *v)
{
    const VcpuLapic *lapic = v->interrupts.lapic;
    struct kvm_run *run = v->run;
    unsigned size = MIN(run->mmio.len, 8);
    uint64_t value = 0;

    if (!lapic)
        return false;
    if (run->mmio.is_write) {
        memcpy(&value, run->mmio.data, size);
        return lapic->write(v->interrupts.opaque, run->mmio.phys_addr, size, value);
    }
    if (!lapic->read(v->interrupts.opaque, run->mmio.phys_addr, size, &value))
        return false;
    memcpy(run->mmio.data, &value, size);
    return true;
}
