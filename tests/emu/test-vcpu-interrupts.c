/* test-vcpu-interrupts.c: processors whose interrupt controllers are not all KVM's, and KVM's LAPIC timer. */
#include "tests/emu/vcpu-rig.h"

/* Gives out one vector when asked. */
typedef struct Source {
    Machine *machine;
    int vector;
} Source;

static bool source_pending(void *opaque)
{
    return ((Source *)opaque)->vector >= 0;
}

static int source_take(void *opaque)
{
    Source *source = opaque;
    int vector = source->vector;

    source->vector = -1;
    return vector;
}

static void source_raise(Source *source, Vcpu *vcpu, int vector)
{
    machine_lock(source->machine);
    source->vector = vector;
    vcpu_kick(vcpu);
    machine_unlock(source->machine);
}

/* sti; 1: hlt; jmp 1b. At 0x1100 for vector 0x20: push ax; mov al,0x5a; out 0x10,al; pop ax; iret */
static void load_sleeper(Rig *rig)
{
    static const uint8_t code[] = {0xfb, 0xf4, 0xeb, 0xfd}, handler[] = {0x50, 0xb0, 0x5a, 0xe6, 0x10, 0x58, 0xcf};
    static const uint8_t vector[] = {0x00, 0x11, 0x00, 0x00};

    memcpy(rig->ram->host + 0x1100, handler, sizeof handler);
    memcpy(rig->ram->host + 0x20 * 4, vector, sizeof vector);
    load_program(rig, code, sizeof code);
}

static unsigned said(Rig *rig)
{
    unsigned n = 0;

    g_mutex_lock(&rig->mutex);
    for (const char *at = rig->out->str; (at = strstr(at, "0/1=5a ")); at++)
        n++;
    g_mutex_unlock(&rig->mutex);
    return n;
}

static void wait_said(Rig *rig, unsigned times)
{
    gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;

    while (said(rig) < times && !rig->failure && g_get_monotonic_time() < end)
        g_usleep(500);
    cr_assert_eq(said(rig), times, "%s %s", rig->failure ? rig->failure : "",
                 rig->kvm->failure ? rig->kvm->failure : "");
}

/* A LAPIC of which nothing but HLT, CR8 and the base is of interest. */
static unsigned no_signals(void *opaque, uint8_t *start)
{
    (void)opaque;
    (void)start;
    return 0;
}

static bool waits_not(void *opaque)
{
    (void)opaque;
    return false;
}

static uint64_t usual_base(void *opaque)
{
    (void)opaque;
    return 0xfee00900;
}

static void set_nothing(void *opaque, uint64_t value)
{
    (void)opaque;
    (void)value;
}

static uint8_t no_priority(void *opaque)
{
    (void)opaque;
    return 0;
}

static void set_no_priority(void *opaque, uint8_t value)
{
    (void)opaque;
    (void)value;
}

static bool no_read(void *opaque, uint64_t addr, unsigned size, uint64_t *value)
{
    (void)opaque;
    (void)addr;
    (void)size;
    (void)value;
    return false;
}

static bool no_write(void *opaque, uint64_t addr, unsigned size, uint64_t value)
{
    (void)opaque;
    (void)addr;
    (void)size;
    (void)value;
    return false;
}

static const VcpuLapic plain_lapic = {.take_signals = no_signals,
                                      .waits = waits_not,
                                      .base = usual_base,
                                      .set_base = set_nothing,
                                      .priority = no_priority,
                                      .set_priority = set_no_priority,
                                      .read = no_read,
                                      .write = no_write};

Test(vcpu_interrupts, a_guest_that_sleeps_without_a_lapic_of_kvms_wakes_with_an_interrupt)
{
    Rig *rig = rig_new(false, 1);
    Source source = {.machine = rig->board->machine, .vector = -1};

    vcpu_set_interrupts(
        rig->vcpus[0],
        &(VcpuInterrupts){.pending = source_pending, .take = source_take, .lapic = &plain_lapic, .opaque = &source});
    load_sleeper(rig);
    vcpu_start(rig->vcpus[0]);
    for (unsigned i = 1; i <= 100; i++) {
        source_raise(&source, rig->vcpus[0], 0x20);
        wait_said(rig, i);
    }
    gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    while (!vcpu_is_halted(rig->vcpus[0]) && g_get_monotonic_time() < end)
        g_usleep(500);
    vcpu_stop(rig->vcpus[0]);
    cr_assert(vcpu_is_halted(rig->vcpus[0]), "it sleeps again");
    source_raise(&source, rig->vcpus[0], 0x20);
    vcpu_start(rig->vcpus[0]);
    wait_said(rig, 101);
    rig_free(rig);
}

Test(vcpu_interrupts, an_interrupt_for_a_guest_that_takes_none_waits_until_it_does)
{
    /* cli; mov cx,0; 1: loop 1b; out 0x12,al; sti; 2: jmp 2b */
    static const uint8_t busy[] = {0xfa, 0xb9, 0x00, 0x00, 0xe2, 0xfe, 0xe6, 0x12, 0xfb, 0xeb, 0xfe};
    Rig *rig = rig_new(false, 1);
    Source source = {.machine = rig->board->machine, .vector = 0x20};

    vcpu_set_interrupts(
        rig->vcpus[0],
        &(VcpuInterrupts){.pending = source_pending, .take = source_take, .lapic = &plain_lapic, .opaque = &source});
    load_sleeper(rig);
    load_program(rig, busy, sizeof busy);
    vcpu_start(rig->vcpus[0]);
    wait_said(rig, 1);
    vcpu_stop(rig->vcpus[0]);
    cr_assert(g_str_has_prefix(rig->out->str, "2/1="), "not before: %s", rig->out->str);
    rig_free(rig);
}

/* KVM has the LAPIC, and lets the 8259As' interrupt through if LINT0 says so. */
Test(vcpu_interrupts, with_lapics_of_kvms_only_the_8259as_interrupt_comes_from_outside)
{
    Rig *rig = rig_new_with(RIG_SPLIT, 1);
    Source source = {.machine = rig->board->machine, .vector = -1};
    ApicState apic;
    CpuState cpu;

    vcpu_set_interrupts(rig->vcpus[0],
                        &(VcpuInterrupts){.pending = source_pending, .take = source_take, .opaque = &source});
    load_sleeper(rig);
    cpu_state_reset(&cpu, true);
    cr_assert(vcpu_get(rig->vcpus[0], &cpu, &apic, NULL));
    apic.lvt[3] = 0x700;
    apic.spurious_vec = 0x1ff;
    cr_assert(vcpu_set(rig->vcpus[0], &cpu, &apic, NULL));
    vcpu_start(rig->vcpus[0]);
    for (unsigned i = 1; i <= 100; i++) {
        source_raise(&source, rig->vcpus[0], 0x20);
        wait_said(rig, i);
    }
    vcpu_stop(rig->vcpus[0]);
    rig_free(rig);
}

/* What is on its way when the processor stops is saved with it. */
Test(vcpu_interrupts, no_interrupt_is_lost_between_two_machines_whose_8259as_are_outside)
{
    Rig *from = rig_new_with(RIG_SPLIT, 1), *to = rig_new_with(RIG_SPLIT, 1);
    Rig *rigs[] = {from, to};
    Source sources[2];
    ApicState apic;
    CpuState cpu;
    unsigned sent = 0;

    for (int i = 0; i < 2; i++) {
        sources[i] = (Source){.machine = rigs[i]->board->machine, .vector = -1};
        vcpu_set_interrupts(rigs[i]->vcpus[0],
                            &(VcpuInterrupts){.pending = source_pending, .take = source_take, .opaque = &sources[i]});
    }
    load_sleeper(from);
    cpu_state_reset(&cpu, true);
    cr_assert(vcpu_get(from->vcpus[0], &cpu, &apic, NULL));
    apic.lvt[3] = 0x700;
    apic.spurious_vec = 0x1ff;
    cr_assert(vcpu_set(from->vcpus[0], &cpu, &apic, NULL));
    for (int i = 0; i < 200; i++) {
        int here = i % 2;
        vcpu_start(rigs[here]->vcpus[0]);
        if (sources[here].vector < 0) {
            source_raise(&sources[here], rigs[here]->vcpus[0], 0x20);
            sent++;
        }
        g_usleep((gulong)(i * 7 % 300));
        vcpu_stop(rigs[here]->vcpus[0]);
        cr_assert(vcpu_get(rigs[here]->vcpus[0], &cpu, &apic, NULL));
        memcpy(rigs[!here]->ram->host, rigs[here]->ram->host, RAM);
        cr_assert(vcpu_set(rigs[!here]->vcpus[0], &cpu, &apic, NULL));
        sources[!here].vector = sources[here].vector;
        sources[here].vector = -1;
    }
    vcpu_start(from->vcpus[0]);
    gint64 end = g_get_monotonic_time() + 10 * G_TIME_SPAN_SECOND;
    while (said(from) + said(to) < sent && g_get_monotonic_time() < end)
        g_usleep(1000);
    cr_assert_eq(said(from) + said(to), sent);
    rig_free(from);
    rig_free(to);
}

/* Of a second, some time is left: KVM goes on from there, and does not begin anew. */
Test(vcpu_interrupts, the_lapics_timer_goes_on_with_what_it_has_left)
{
    enum { SECOND = 1000000000, LEFT = 300000000, DIVIDE_BY_1 = 0xb };
    Rig *rig = rig_new(true, 1);
    ApicState apic;
    CpuState cpu;

    for (int periodic = 0; periodic < 2; periodic++) {
        apic_state_reset(&apic, 0, true);
        ready(&cpu);
        apic.apicbase = 0xfee00900;
        apic.spurious_vec = 0x1ff;
        apic.lvt[0] = 0x40 | (periodic ? 0x20000 : 0);
        apic.divide_conf = DIVIDE_BY_1;
        apic.initial_count = SECOND;
        apic.current_count = LEFT;
        cr_assert(vcpu_set(rig->vcpus[0], &cpu, &apic, NULL));
        cr_assert(vcpu_get(rig->vcpus[0], &cpu, &apic, NULL));
        cr_expect_eq(apic.initial_count, SECOND);
        cr_expect_leq(apic.current_count, LEFT);
        cr_expect_gt(apic.current_count, 0);
    }
    rig_free(rig);
}
