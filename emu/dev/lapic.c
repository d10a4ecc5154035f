/*
 * lapic.c: a processor's local APIC, for a machine whose LAPICs are not KVM's.
 *
 * Source: Intel SDM volume 3, chapter 10, "Advanced Programmable Interrupt Controller (APIC)"; what is quoted is from
 * there. It is that of a Pentium 4 with six entries in its local vector table.
 * Memory: 4 KiB at the base that IA32_APIC_BASE has, each processor its own. Input: "lint1". LINT0 is the 8259As' INT.
 * Options: none; lapic_new wires it.
 * The timer counts a clock of 1 GHz, divided: as KVM's and QEMU's do.
 * Not modelled: x2APIC and the timer's TSC mode, which CPUID has not; the thermal and performance interrupts, of which
 * none come, and SMIs by the local vector table; INIT resets the LAPIC at once also of a processor in SMM; focus
 * processors; the arbitration on a bus: a message is delivered when it is sent, so delivery status is never 1. Of
 * several processors that could take an interrupt of lowest priority, the first of the lowest takes it. Periods shorter
 * than 50 us come every 50 us. On the wire there is one number for errors that were told (ESR) and those that were not
 * yet: after a load all of them are told again. Nor has it the level of LINT0: if that is up when the 8259As are
 * loaded, and gives a vector by edges, it gives one more.
 */
#include "emu/dev/dev.h"
#include "emu/dev/lapic-impl.h"
#include "visitors/error.h"

enum {
    MESSAGE_LOGICAL = 1 << 2,
    MESSAGE_DESTINATION_SHIFT = 12,
    EVERYBODY = 0xff,
};

#define BASE_RESET 0xfee00800U

void lapic_kick(const Lapic *p)
{
    if (p->cpu.kick)
        p->cpu.kick(p->cpu.opaque);
}

/* --- vectors ---------------------------------------------------------------------------------------------------- */

static void set_bit(uint32_t bits[8], uint8_t vector, bool value)
{
    uint32_t bit = 1U << vector % 32;

    bits[vector / 32] = value ? bits[vector / 32] | bit : bits[vector / 32] & ~bit;
}

int lapic_highest(const uint32_t bits[8])
{
    for (int i = 7; i >= 0; i--)
        if (bits[i])
            return 32 * i + 31 - __builtin_clz(bits[i]);
    return LAPIC_NONE;
}

/* "Task and Processor Priorities". */
uint8_t lapic_processor_priority(const Lapic *p)
{
    int serviced = MAX(lapic_highest(p->s.isr), 0) & 0xf0;

    return (p->s.tpr & 0xf0) >= serviced ? p->s.tpr : (uint8_t)serviced;
}

/* The vector that would interrupt the processor now. */
static int deliverable(const Lapic *p)
{
    int vector = lapic_is_on(p) ? lapic_highest(p->s.irr) : LAPIC_NONE;

    return vector >> 4 > lapic_processor_priority(p) >> 4 ? vector : LAPIC_NONE;
}

/* Is the 8259As' interrupt for this processor? Of a LAPIC that is off LINT0 is the processor's INTR. */
bool lapic_has_external(const Lapic *p)
{
    const uint32_t mask = LVT_MASKED | MODE_MASK << LVT_MODE_SHIFT;

    if (!p->bus->intr)
        return false;
    if (!lapic_is_on(p))
        return p->s.apicbase & BASE_BOOT;
    return p->ext || (p->s.lvt[LVT_LINT0] & mask) == MODE_EXTINT << LVT_MODE_SHIFT;
}

bool lapic_pending(Device *dev)
{
    const Lapic *p = (Lapic *)dev;

    return lapic_has_external(p) || deliverable(p) != LAPIC_NONE;
}

int lapic_take(Device *dev)
{
    Lapic *p = (Lapic *)dev;
    int vector;

    if (lapic_has_external(p)) {
        p->ext = false;
        return p->bus->acknowledge(p->bus->opaque);
    }
    vector = deliverable(p);
    if (vector != LAPIC_NONE) {
        set_bit(p->s.irr, (uint8_t)vector, false);
        set_bit(p->s.isr, (uint8_t)vector, true);
    }
    return vector;
}

/* --- local interrupts ------------------------------------------------------------------------------------------- */

/* "When a level-triggered interrupt is accepted into the IRR, the corresponding TMR bit is set." */
void lapic_accept(Lapic *p, uint8_t vector, bool level)
{
    if (vector < FIRST_VECTOR) {
        lapic_raise_error(p, ERROR_RECEIVE_VECTOR);
        return;
    }
    set_bit(p->s.irr, vector, true);
    set_bit(p->s.tmr, vector, level);
    if (deliverable(p) != LAPIC_NONE)
        lapic_kick(p);
}

static void signal_cpu(Lapic *p, VcpuSignal signal)
{
    p->signals |= signal;
    lapic_kick(p);
}

/* An error of the error interrupt itself is noted, but does not raise another. */
void lapic_raise_error(Lapic *p, uint32_t error)
{
    uint32_t entry = p->s.lvt[LVT_ERROR];
    bool is_new = !(p->errors & error);

    p->errors |= error;
    if (is_new && !(entry & LVT_MASKED) && (entry & LVT_VECTOR) >= FIRST_VECTOR)
        lapic_accept(p, (uint8_t)entry, false);
}

/* A pin goes up. */
void lapic_pin_rises(Lapic *p, unsigned n)
{
    uint32_t entry = p->s.lvt[n];

    if (!lapic_is_on(p) || (entry & LVT_MASKED))
        return;
    switch (entry >> LVT_MODE_SHIFT & MODE_MASK) {
    case MODE_FIXED:
        if (n == LVT_LINT0 && (entry & LVT_LEVEL)) {
            if (entry & LVT_REMOTE_IRR)
                return;
            p->s.lvt[n] |= LVT_REMOTE_IRR; /* only LINT0 looks at levels, "the LINT1 pin should not be" */
        }
        lapic_accept(p, (uint8_t)entry, n == LVT_LINT0 && (entry & LVT_LEVEL));
        break;
    case MODE_NMI:
        signal_cpu(p, VCPU_SIGNAL_NMI);
        break;
    case MODE_EXTINT: /* the line itself is looked at */
        lapic_kick(p);
        break;
    default:
        break;
    }
}

void lapic_set_intr(LapicBus *bus, bool level)
{
    bool rises = level && !bus->intr;

    bus->intr = level;
    for (unsigned i = 0; i < LAPIC_MAX && rises; i++) {
        Lapic *p = (Lapic *)bus->lapics[i];
        if (p && lapic_is_on(p))
            lapic_pin_rises(p, LVT_LINT0);
        else if (p && lapic_has_external(p))
            lapic_kick(p);
    }
}

static void set_lint1(void *opaque, unsigned n, bool level)
{
    Lapic *p = opaque;
    bool rises = level && !p->lint1;

    (void)n;
    p->lint1 = level;
    if (rises && !lapic_is_on(p))
        signal_cpu(p, VCPU_SIGNAL_NMI); /* "the LINT1 pin is configured as the NMI pin" */
    else if (rises)
        lapic_pin_rises(p, LVT_LINT1);
}

/* --- messages --------------------------------------------------------------------------------------------------- */

/* "Determining IPI Destination". */
static bool is_destination(const Lapic *p, const Message *m)
{
    if (!lapic_is_on(p))
        return false;
    if (m->destination == EVERYBODY)
        return true;
    if (!m->logical)
        return m->destination == p->s.id;
    if (p->s.dest_mode == DFR_FLAT)
        return m->destination & p->s.log_dest;
    return p->s.dest_mode == 0 && m->destination >> 4 == p->s.log_dest >> 4 && (m->destination & p->s.log_dest & 0xf);
}

/* As after power on, but for what names it. */
void lapic_reset_registers(Lapic *p)
{
    uint32_t base = p->s.apicbase;
    uint8_t id = p->s.id;
    bool boot = base & BASE_BOOT;

    apic_state_reset(&p->s, id, boot);
    p->s.apicbase = base;
    p->errors = 0;
    p->ext = false;
    if (p->dev.machine)
        timer_disarm(&p->timer);
}

/* "INIT ... leaves the APIC in the state after power-up, except that its APIC ID and arbitration ID are unaffected". */
static void receive_init(Lapic *p)
{
    lapic_reset_registers(p);
    p->s.wait_for_sipi = !(p->s.apicbase & BASE_BOOT);
    p->signals &= ~(unsigned)(VCPU_SIGNAL_SIPI | VCPU_SIGNAL_NMI);
    signal_cpu(p, VCPU_SIGNAL_INIT);
}

/* Only one that waits for it takes it. */
static void receive_sipi(Lapic *p, uint8_t vector)
{
    if (!p->s.wait_for_sipi)
        return;
    p->s.sipi_vector = vector;
    p->s.wait_for_sipi = false;
    signal_cpu(p, VCPU_SIGNAL_SIPI);
}

/* One that the guest has switched off by the spurious vector's register takes all but interrupts with vectors. */
void lapic_receive(Lapic *p, const Message *m)
{
    switch (m->mode) {
    case MODE_FIXED:
    case MODE_LOWEST:
        if (lapic_is_software_on(p))
            lapic_accept(p, m->vector, m->level);
        break;
    case MODE_SMI:
        signal_cpu(p, VCPU_SIGNAL_SMI);
        break;
    case MODE_NMI:
        signal_cpu(p, VCPU_SIGNAL_NMI);
        break;
    case MODE_INIT:
        receive_init(p);
        break;
    case MODE_SIPI:
        receive_sipi(p, m->vector);
        break;
    case MODE_EXTINT:
        p->ext = p->bus->intr;
        if (p->ext)
            lapic_kick(p);
        break;
    default:
        break;
    }
}

static void deliver_lowest(LapicBus *bus, const Message *m)
{
    Lapic *best = NULL;

    for (unsigned i = 0; i < LAPIC_MAX; i++) {
        Lapic *p = (Lapic *)bus->lapics[i];
        if (p && lapic_is_software_on(p) && is_destination(p, m) &&
            (!best || lapic_processor_priority(p) < lapic_processor_priority(best)))
            best = p;
    }
    if (best)
        lapic_receive(best, m);
}

void lapic_deliver(LapicBus *bus, const Message *m)
{
    if (m->mode == MODE_LOWEST) {
        deliver_lowest(bus, m);
        return;
    }
    for (unsigned i = 0; i < LAPIC_MAX; i++) {
        Lapic *p = (Lapic *)bus->lapics[i];
        if (p && is_destination(p, m))
            lapic_receive(p, m);
    }
}

void lapic_send(LapicBus *bus, uint64_t address, uint32_t data)
{
    const Message m = {.destination = (uint8_t)(address >> MESSAGE_DESTINATION_SHIFT),
                       .vector = (uint8_t)data,
                       .mode = data >> LVT_MODE_SHIFT & MODE_MASK,
                       .logical = address & MESSAGE_LOGICAL,
                       .level = data & LVT_LEVEL};

    lapic_deliver(bus, &m);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool pull(void *opaque, GError **error)
{
    Lapic *p = opaque;

    (void)error;
    p->s.timer_expiry = timer_expiry(&p->timer);
    if (p->s.timer_expiry != TIMER_NEVER)
        p->s.next_time = p->s.timer_expiry;
    p->s.esr |= p->errors;
    return true;
}

static bool check(const void *state, GError **error)
{
    const ApicState *s = state;

    if (!(s->apicbase & BASE_X2APIC))
        return apic_state_check(state, error);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                "apicbase: is 0x%x, there is no x2APIC mode without a LAPIC of KVM's", s->apicbase);
    return false;
}

static void push(void *opaque)
{
    Lapic *p = opaque;

    p->signals = 0;
    p->errors = p->s.esr;
    p->ext = false;
    lapic_timer_resume(p);
    if (p->cpu.loaded)
        p->cpu.loaded(p->cpu.opaque);
}

static const VMStateDescription lapic_section = {
    .name = "apic",
    .version = 3,
    .minimum = 3,
    .size = sizeof(ApicState),
    .fields = apic_state_fields,
    .subsections = apic_state_subsections,
    .pull = pull,
    .check = check,
    .push = push,
};

ApicState *lapic_state(Device *dev)
{
    return &((Lapic *)dev)->s;
}

void lapic_set_waits(Device *dev, bool waits)
{
    ((Lapic *)dev)->s.wait_for_sipi = waits;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void reset(Device *dev)
{
    Lapic *p = (Lapic *)dev;

    p->s.id = (uint8_t)p->index;
    p->s.apicbase = BASE_RESET | (p->index == 0 ? BASE_BOOT : 0);
    lapic_reset_registers(p);
    p->s.wait_for_sipi = p->index != 0;
    p->signals = 0;
    if (dev->reset_state) /* a stream without the subsection is of one that does not wait */
        ((ApicState *)dev->reset_state)->wait_for_sipi = 0;
}

static bool realize(Device *dev, GError **error)
{
    Lapic *p = (Lapic *)dev;

    (void)error;
    dev->instance = p->index;
    dev->has_instance = true;
    timer_init(&p->timer, dev->machine->virtual_clock, lapic_timer_expired, p);
    p->bus->lapics[p->index] = dev;
    return true;
}

static void unrealize(Device *dev)
{
    Lapic *p = (Lapic *)dev;

    p->bus->lapics[p->index] = NULL;
    timer_done(&p->timer);
}

static const DeviceInput inputs[] = {
    {.name = "lint1", .count = 1, .set = set_lint1},
    {.name = NULL},
};

const DeviceType lapic_type = {
    .name = "apic",
    .about = "a processor's local APIC",
    .size = sizeof(Lapic),
    .state = &lapic_section,
    .state_offset = offsetof(Lapic, s),
    .inputs = inputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};

Device *lapic_new(LapicBus *bus, unsigned index, const LapicCpu *cpu)
{
    Lapic *p = (Lapic *)device_new(&lapic_type);

    p->bus = bus;
    p->index = MIN(index, LAPIC_MAX - 1);
    p->cpu = *cpu;
    return &p->dev;
}
