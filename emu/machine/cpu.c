/*
 * cpu.c: a processor as devices of a machine.
 *
 * KVM gives and takes registers and LAPIC together, the stream has them in two sections. So the device "cpu" has both,
 * and the one with the LAPIC's section shows its part.
 */
#include "emu/machine/cpu.h"

#include "emu/core/machine.h"

enum { MP_HALTED = 3 };

typedef struct CpuApic {
    Device dev;
    ApicState s;
    struct CpuMain *cpu;
} CpuApic;

typedef struct CpuMain {
    Device dev;
    Vcpu *vcpu;
    unsigned index;
    CpuApic *apic;
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

    return !c->vcpu || vcpu_get(c->vcpu, &c->s, &c->apic->s, error);
}

/* KVM was asked before the load was committed (vcpu_rehearse); what it refuses now it has to say by stopping. */
static void push_cpu(void *opaque)
{
    CpuMain *c = opaque;

    if (c->vcpu)
        vcpu_set(c->vcpu, &c->s, &c->apic->s, NULL);
}

static void reset_cpu(Device *dev)
{
    CpuMain *c = (CpuMain *)dev;

    cpu_state_reset(&c->s, c->index == 0);
    apic_state_reset(&c->apic->s, (uint8_t)c->index, c->index == 0);
    push_cpu(c);
}

/* --- LAPIC ------------------------------------------------------------------------------------------------------ */

/* What comes of the timer when the guest goes on now: it counts from the beginning, as the wire has no current count.
 */
static void predict_timer(CpuApic *a)
{
    enum { LVT_MASKED = 1 << 16 };
    ApicState *s = &a->s;

    s->initial_count_load_time = clock_now(a->dev.machine->virtual_clock);
    s->next_time = 0;
    if (s->initial_count && !(s->lvt[0] & LVT_MASKED))
        s->next_time = s->initial_count_load_time + (((int64_t)s->initial_count + 1) << s->count_shift);
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

CpuDevices cpu_devices_new(unsigned index, Vcpu *vcpu)
{
    CpuCommon *common = (CpuCommon *)device_new(&common_type);
    CpuMain *cpu = (CpuMain *)device_new(&cpu_type);
    CpuApic *apic = (CpuApic *)device_new(&apic_type);

    cpu->vcpu = vcpu;
    cpu->index = index;
    cpu->apic = apic;
    apic->cpu = cpu;
    common->cpu = cpu;
    apic_state_reset(&apic->s, (uint8_t)index, index == 0);
    return (CpuDevices){.common = &common->dev, .cpu = &cpu->dev, .apic = &apic->dev};
}
