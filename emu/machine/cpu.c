/*
 * cpu.c: a processor as devices of a machine.
 *
 * KVM gives and takes registers and LAPIC together, the stream has them in two sections. So the device "cpu" has both,
 * and the one with the LAPIC's section shows its part.
 */
#include "emu/machine/cpu.h"

#include "emu/core/machine.h"

enum {
    MP_RUNNABLE = 0,
    MP_UNINITIALIZED = 1,
    MP_INIT_RECEIVED = 2,
    MP_HALTED = 3,
};

typedef struct CpuApic {
    Device dev;
    ApicState s;
    struct CpuMain *cpu;
} CpuApic;

typedef struct CpuMain {
    Device dev;
    Vcpu *vcpu;
    unsigned index;
    Device *lapic;   /* NULL: it is KVM's */
    ApicState *apic; /* of either */
    struct CpuCommon *common;
    CpuState s;
} CpuMain;

typedef struct CpuCommon {
    Device dev;
    CpuMain *cpu;
    CpuCommonState s;
} CpuCommon;

/* --- registers -------------------------------------------------------------------------------------------------- */

static bool pull_cpu(void *opaque, GError **error)
{
    CpuMain *c = opaque;

    return !c->vcpu || vcpu_get(c->vcpu, &c->s, c->apic, error);
}

/*
 * Where the LAPIC is KVM's, KVM has in mp_state what a processor waits for; where it is not, it runs for KVM, and
 * `halted` and the LAPIC have it. A stream may be of either kind.
 */
static void take_waiting(CpuMain *c)
{
    const CpuCommonState *common = &c->common->s;

    if (!c->lapic && c->s.mp_state == MP_RUNNABLE && common->halted)
        c->s.mp_state = c->apic->wait_for_sipi ? MP_INIT_RECEIVED : MP_HALTED;
    if (!c->lapic)
        return;
    if (c->s.mp_state == MP_UNINITIALIZED || c->s.mp_state == MP_INIT_RECEIVED)
        c->apic->wait_for_sipi = true;
    vcpu_set_halted(c->vcpu, !c->apic->wait_for_sipi && (c->s.mp_state == MP_HALTED || common->halted));
}

/*
 * What KVM's timer has left to count: KVM (Linux 6.1's kvm-amd, and later ones: test-vcpu-interrupts.c) takes it from
 * the register with the current count, which the wire does not have. QEMU's does not know it either, and has for the
 * end of the count that of one that begins when it is saved, and is one longer: then KVM decides (a periodic timer
 * begins anew, another ends at once).
 */
static void find_count(const CpuMain *c)
{
    ApicState *s = c->apic;
    unsigned shift = (unsigned)s->count_shift & 7;
    int64_t guess = s->initial_count_load_time + (((int64_t)s->initial_count + 1) << shift), left;

    s->current_count = 0;
    if (s->timer_expiry < 0 || s->timer_expiry == guess)
        return;
    left = s->timer_expiry - clock_now(c->dev.machine->virtual_clock);
    s->current_count = (uint32_t)CLAMP(left >> shift, 1, MAX((int64_t)s->initial_count, 1));
}

/* KVM was asked before the load was committed (vcpu_rehearse); what it refuses now it has to say by stopping. */
static void push_cpu(void *opaque)
{
    CpuMain *c = opaque;

    if (!c->vcpu)
        return;
    take_waiting(c);
    find_count(c);
    c->s.smi_pending = c->common->s.interrupt_request & CPU_REQUEST_SMI;
    c->s.init_latched = c->common->s.interrupt_request & CPU_REQUEST_INIT;
    vcpu_set(c->vcpu, &c->s, c->apic, NULL);
}

static void reset_cpu(Device *dev)
{
    CpuMain *c = (CpuMain *)dev;

    cpu_state_reset(&c->s, c->index == 0);
    c->common->s.halted = false;
    c->common->s.interrupt_request = 0;
    if (c->lapic)
        device_reset(c->lapic);
    else
        apic_state_reset(c->apic, (uint8_t)c->index, c->index == 0);
    push_cpu(c);
}

/* --- LAPIC ------------------------------------------------------------------------------------------------------ */

/* When the count that is on ends. Where there is none, or nobody will hear of it, a stream of QEMU's has 0 and -1. */
static void predict_timer(CpuApic *a)
{
    enum { LVT_MASKED = 1 << 16 };
    ApicState *s = &a->s;

    s->initial_count_load_time = clock_now(a->dev.machine->virtual_clock);
    s->next_time = 0;
    s->timer_expiry = TIMER_NEVER;
    if (s->initial_count && s->current_count && !(s->lvt[0] & LVT_MASKED))
        s->next_time = s->timer_expiry = s->initial_count_load_time + ((int64_t)s->current_count << s->count_shift);
}

static bool pull_apic(void *opaque, GError **error)
{
    CpuApic *a = opaque;

    if (!a->cpu->vcpu)
        return true;
    if (!pull_cpu(a->cpu, error))
        return false;
    predict_timer(a);
    return true;
}

static void push_apic(void *opaque)
{
    push_cpu(((CpuApic *)opaque)->cpu);
}

/* --- what all of QEMU's processors have ------------------------------------------------------------------------- */

static bool pull_common(void *opaque, GError **error)
{
    CpuCommon *c = opaque;

    if (!c->cpu->vcpu)
        return true;
    if (!pull_cpu(c->cpu, error))
        return false;
    c->s.halted = c->cpu->s.mp_state == MP_HALTED;
    c->s.interrupt_request =
        (c->cpu->s.smi_pending ? CPU_REQUEST_SMI : 0) | (c->cpu->s.init_latched ? CPU_REQUEST_INIT : 0);
    if (c->cpu->lapic) {
        c->s.halted = vcpu_is_halted(c->cpu->vcpu) || c->cpu->apic->wait_for_sipi;
        c->s.interrupt_request |= lapic_pending(c->cpu->lapic) ? CPU_REQUEST_HARD : 0;
    }
    return true;
}

/* --- types ------------------------------------------------------------------------------------------------------ */

static bool realize_with_number(Device *dev, unsigned index)
{
    dev->instance = index;
    dev->has_instance = true;
    return true;
}

static bool realize_cpu(Device *dev, GError **error)
{
    (void)error;
    return realize_with_number(dev, ((CpuMain *)dev)->index);
}

static bool realize_apic(Device *dev, GError **error)
{
    (void)error;
    return realize_with_number(dev, ((CpuApic *)dev)->cpu->index);
}

static bool realize_common(Device *dev, GError **error)
{
    (void)error;
    return realize_with_number(dev, ((CpuCommon *)dev)->cpu->index);
}

static const VMStateDescription cpu_section = CPU_STATE_DESCRIPTION(.pull = pull_cpu, .push = push_cpu);
static const VMStateDescription apic_section = APIC_STATE_DESCRIPTION(.pull = pull_apic, .push = push_apic);
static const VMStateDescription common_section = CPU_COMMON_STATE_DESCRIPTION(.pull = pull_common);

static const DeviceType cpu_type = {
    .name = "cpu",
    .about = "a processor's registers",
    .size = sizeof(CpuMain),
    .state = &cpu_section,
    .state_offset = offsetof(CpuMain, s),
    .realize = realize_cpu,
    .reset = reset_cpu,
};

static const DeviceType apic_type = {
    .name = "apic",
    .about = "a processor's LAPIC",
    .size = sizeof(CpuApic),
    .state = &apic_section,
    .state_offset = offsetof(CpuApic, s),
    .realize = realize_apic,
};

static const DeviceType common_type = {
    .name = "cpu-common",
    .about = "whether a processor is halted",
    .size = sizeof(CpuCommon),
    .state = &common_section,
    .state_offset = offsetof(CpuCommon, s),
    .realize = realize_common,
};

static void kick_cpu(void *opaque)
{
    vcpu_kick(((CpuMain *)opaque)->vcpu);
}

static bool interrupt_pending(void *opaque)
{
    return lapic_pending(opaque);
}

static int take_interrupt(void *opaque)
{
    return lapic_take(opaque);
}

/* A LAPIC of KVM's has its section only. */
static Device *kvm_lapic_new(CpuMain *cpu)
{
    CpuApic *apic = (CpuApic *)device_new(&apic_type);

    apic->cpu = cpu;
    apic_state_reset(&apic->s, (uint8_t)cpu->index, cpu->index == 0);
    cpu->apic = &apic->s;
    return &apic->dev;
}

static Device *own_lapic_new(CpuMain *cpu, LapicBus *bus)
{
    const LapicCpu wiring = {.kick = kick_cpu, .loaded = push_cpu, .opaque = cpu};

    cpu->lapic = lapic_new(bus, cpu->index, &wiring);
    cpu->apic = lapic_state(cpu->lapic);
    vcpu_set_interrupts(cpu->vcpu, &(VcpuInterrupts){.pending = interrupt_pending,
                                                     .take = take_interrupt,
                                                     .lapic = &lapic_vcpu,
                                                     .opaque = cpu->lapic});
    return cpu->lapic;
}

CpuDevices cpu_devices_new(unsigned index, Vcpu *vcpu, LapicBus *bus)
{
    CpuCommon *common = (CpuCommon *)device_new(&common_type);
    CpuMain *cpu = (CpuMain *)device_new(&cpu_type);

    cpu->vcpu = vcpu;
    cpu->index = index;
    cpu->common = common;
    common->cpu = cpu;
    Device *apic = bus ? own_lapic_new(cpu, bus) : kvm_lapic_new(cpu);
    return (CpuDevices){.common = &common->dev, .cpu = &cpu->dev, .apic = apic};
}
