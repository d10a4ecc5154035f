/* lapic-registers.c: a LAPIC's registers, and its processor's view of it. */
#include "emu/dev/lapic-impl.h"

/* Table 10-1. */
enum {
    REG_ID = 0x020,
    REG_VERSION = 0x030,
    REG_TPR = 0x080,
    REG_APR = 0x090,
    REG_PPR = 0x0a0,
    REG_EOI = 0x0b0,
    REG_RRD = 0x0c0,
    REG_LDR = 0x0d0,
    REG_DFR = 0x0e0,
    REG_SVR = 0x0f0,
    REG_ISR = 0x100,
    REG_TMR = 0x180,
    REG_IRR = 0x200,
    REG_ESR = 0x280,
    REG_ICR = 0x300,
    REG_ICR_HIGH = 0x310,
    REG_LVT = 0x320,
    REG_LVT_END = 0x380,
    REG_INITIAL_COUNT = 0x380,
    REG_CURRENT_COUNT = 0x390,
    REG_DIVIDE = 0x3e0,
    REG_STEP = 0x10,
    PAGE = 0x1000,

    VERSION = 0x14 | 5 << 16, /* "Max LVT Entry": one less than there are */
    SHIFT_8 = 24,             /* of registers whose highest octet counts */
    DFR_SHIFT = 28,
    DFR_ONES = 0x0fffffff,
    SVR_WRITABLE = 0x3ff,
    ICR_WRITABLE = 0xcdfff & ~(1 << 12),
};

/* Of an interrupt command (figure 10-12). */
enum {
    ICR_LOGICAL = 1 << 11,
    ICR_ASSERT = 1 << 14,
    ICR_LEVEL = 1 << 15,
    ICR_SHORTHAND_SHIFT = 18,
    SHORTHAND_NONE = 0,
    SHORTHAND_SELF = 1,
    SHORTHAND_ALL = 2,
};

static bool has_bit(const uint32_t bits[8], uint8_t vector)
{
    return bits[vector / 32] >> vector % 32 & 1;
}

/* "Interrupt Command Register (ICR)". */
static void send_command(Lapic *p)
{
    uint32_t command = p->s.icr[0];
    unsigned shorthand = command >> ICR_SHORTHAND_SHIFT & 3;
    const Message m = {.destination = (uint8_t)(p->s.icr[1] >> SHIFT_8),
                       .vector = (uint8_t)command,
                       .mode = command >> LVT_MODE_SHIFT & MODE_MASK,
                       .logical = command & ICR_LOGICAL};

    if (m.mode == MODE_INIT && (command & ICR_LEVEL) && !(command & ICR_ASSERT)) {
        p->s.arb_id = p->s.id; /* "INIT Level De-assert": all do so, here where nobody arbitrates */
        return;
    }
    if (m.mode <= MODE_LOWEST && m.vector < FIRST_VECTOR) {
        lapic_raise_error(p, ERROR_SEND_VECTOR);
        return;
    }
    if (shorthand == SHORTHAND_NONE) {
        lapic_deliver(p->bus, &m);
    } else if (shorthand == SHORTHAND_SELF) {
        if (m.mode <= MODE_LOWEST || m.mode == MODE_NMI) /* table 10-3: nothing else goes to oneself */
            lapic_receive(p, &m);
    } else {
        for (unsigned i = 0; i < LAPIC_MAX; i++) {
            Lapic *other = (Lapic *)p->bus->lapics[i];
            if (other && lapic_is_on(other) && (other != p || shorthand == SHORTHAND_ALL))
                lapic_receive(other, &m);
        }
    }
}

/* --- registers -------------------------------------------------------------------------------------------------- */

static void write_eoi(Lapic *p)
{
    int vector = lapic_highest(p->s.isr);
    uint32_t *lint0 = &p->s.lvt[LVT_LINT0];

    if (vector == LAPIC_NONE)
        return;
    p->s.isr[vector / 32] &= ~(1U << vector % 32);
    if (has_bit(p->s.tmr, (uint8_t)vector)) {
        if ((*lint0 & LVT_REMOTE_IRR) && (*lint0 & LVT_VECTOR) == (uint32_t)vector) {
            *lint0 &= ~(uint32_t)LVT_REMOTE_IRR;
            if (p->bus->intr)
                lapic_pin_rises(p, LVT_LINT0);
        }
        if (p->bus->end)
            p->bus->end(p->bus->opaque, (uint8_t)vector);
    }
}

/* "Local APIC State After It Has Been Software Disabled": masks are set, and cannot be cleared. */
static void write_svr(Lapic *p, uint32_t value)
{
    p->s.spurious_vec = value & SVR_WRITABLE;
    if (value & SVR_ENABLE)
        return;
    for (int i = 0; i <= LVT_ERROR; i++)
        p->s.lvt[i] |= LVT_MASKED;
}

static void write_lvt(Lapic *p, unsigned n, uint32_t value)
{
    static const uint32_t writable[] = {0x300ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff};
    uint32_t before = p->s.lvt[n];

    p->s.lvt[n] = (value & writable[n]) | (before & LVT_REMOTE_IRR) | (lapic_is_software_on(p) ? 0 : LVT_MASKED);
    if (n == LVT_LINT0 && (!(value & LVT_LEVEL) || (value >> LVT_MODE_SHIFT & MODE_MASK) != MODE_FIXED))
        p->s.lvt[n] &= ~(uint32_t)LVT_REMOTE_IRR;
    if (n == LVT_TIMER && (value & ~before & LVT_PERIODIC))
        lapic_timer_arm(p);
    if (n == LVT_LINT0 && p->bus->intr && (value & LVT_LEVEL))
        lapic_pin_rises(p, LVT_LINT0);
    if (n == LVT_LINT0 && lapic_has_external(p))
        lapic_kick(p);
}

/* "A write (of any value) to the ESR": it then has what happened since the last. */
static void write_esr(Lapic *p)
{
    p->s.esr = p->errors;
    p->errors = 0;
}

static void write_register(Lapic *p, unsigned reg, uint32_t value)
{
    switch (reg) {
    case REG_ID:
        p->s.id = (uint8_t)(value >> SHIFT_8);
        break;
    case REG_TPR:
        p->s.tpr = (uint8_t)value;
        break;
    case REG_EOI:
        write_eoi(p);
        break;
    case REG_LDR:
        p->s.log_dest = (uint8_t)(value >> SHIFT_8);
        break;
    case REG_DFR:
        p->s.dest_mode = (uint8_t)(value >> DFR_SHIFT);
        break;
    case REG_SVR:
        write_svr(p, value);
        break;
    case REG_ESR:
        write_esr(p);
        break;
    case REG_ICR:
        p->s.icr[0] = value & ICR_WRITABLE;
        send_command(p);
        break;
    case REG_ICR_HIGH:
        p->s.icr[1] = value & 0xffU << SHIFT_8;
        break;
    case REG_INITIAL_COUNT:
        lapic_timer_start(p, value);
        break;
    case REG_DIVIDE:
        lapic_timer_divide(p, value);
        break;
    case REG_VERSION: /* read-only ones */
    case REG_APR:
    case REG_PPR:
    case REG_RRD:
    case REG_CURRENT_COUNT:
        break;
    default:
        if (reg >= REG_LVT && reg < REG_LVT_END)
            write_lvt(p, (reg - REG_LVT) / REG_STEP, value);
        else if (reg < REG_ISR || reg >= REG_ESR)
            lapic_raise_error(p, ERROR_REGISTER);
    }
}

static uint32_t read_register(Lapic *p, unsigned reg)
{
    const ApicState *s = &p->s;

    switch (reg) {
    case REG_ID:
        return (uint32_t)s->id << SHIFT_8;
    case REG_VERSION:
        return VERSION;
    case REG_TPR:
        return s->tpr;
    case REG_APR: /* not on a Pentium 4 */
    case REG_RRD:
    case REG_EOI: /* write-only */
        return 0;
    case REG_PPR:
        return lapic_processor_priority(p);
    case REG_LDR:
        return (uint32_t)s->log_dest << SHIFT_8;
    case REG_DFR:
        return (uint32_t)s->dest_mode << DFR_SHIFT | DFR_ONES;
    case REG_SVR:
        return s->spurious_vec;
    case REG_ESR:
        return s->esr;
    case REG_ICR:
        return s->icr[0];
    case REG_ICR_HIGH:
        return s->icr[1];
    case REG_INITIAL_COUNT:
        return s->initial_count;
    case REG_CURRENT_COUNT:
        return lapic_timer_count(p);
    case REG_DIVIDE:
        return s->divide_conf;
    default:
        break;
    }
    if (reg >= REG_LVT && reg < REG_LVT_END)
        return s->lvt[(reg - REG_LVT) / REG_STEP];
    if (reg >= REG_ISR && reg < REG_ESR)
        return (reg < REG_TMR ? s->isr : reg < REG_IRR ? s->tmr : s->irr)[(reg & 0x7f) / REG_STEP];
    lapic_raise_error(p, ERROR_REGISTER);
    return 0;
}

static bool is_mine(const Lapic *p, uint64_t addr)
{
    return lapic_is_on(p) && (addr & ~(uint64_t)BASE_FLAGS) == (p->s.apicbase & ~(uint32_t)BASE_FLAGS);
}

/* "All 32-bit registers should be accessed using 128-bit aligned 32-bit loads or stores": a part can be read. */
static bool read_memory(void *opaque, uint64_t addr, unsigned size, uint64_t *value)
{
    Lapic *p = opaque;
    unsigned reg = addr % PAGE, part = reg % REG_STEP;

    if (!is_mine(p, addr))
        return false;
    *value = part < 4 && part + size <= 4 ? read_register(p, reg - part) >> 8 * part : 0;
    return true;
}

static bool write_memory(void *opaque, uint64_t addr, unsigned size, uint64_t value)
{
    Lapic *p = opaque;

    if (!is_mine(p, addr))
        return false;
    if (size == 4 && addr % REG_STEP == 0)
        write_register(p, addr % PAGE, (uint32_t)value);
    return true;
}

/* --- the processor's view ---------------------------------------------------------------------------------------- */

static unsigned take_signals(void *opaque, uint8_t *start)
{
    Lapic *p = opaque;
    unsigned signals = p->signals;

    p->signals = 0;
    *start = (uint8_t)p->s.sipi_vector;
    return signals;
}

static bool waits(void *opaque)
{
    return ((Lapic *)opaque)->s.wait_for_sipi;
}

static uint64_t get_base(void *opaque)
{
    return ((Lapic *)opaque)->s.apicbase;
}

/* "...returns to the state after reset" when it is switched off. */
static void set_base(void *opaque, uint64_t base)
{
    Lapic *p = opaque;
    bool was_on = lapic_is_on(p);

    p->s.apicbase = (uint32_t)base;
    if (was_on && !lapic_is_on(p))
        lapic_reset_registers(p);
}

static uint8_t get_priority(void *opaque)
{
    return ((Lapic *)opaque)->s.tpr >> 4;
}

/* CR8 is bits 7 to 4 of TPR. "MOV CR8 clears bits 3:0". */
static void set_priority(void *opaque, uint8_t priority)
{
    ((Lapic *)opaque)->s.tpr = (uint8_t)(priority << 4);
}

const VcpuLapic lapic_vcpu = {
    .take_signals = take_signals,
    .waits = waits,
    .base = get_base,
    .set_base = set_base,
    .priority = get_priority,
    .set_priority = set_priority,
    .read = read_memory,
    .write = write_memory,
};
