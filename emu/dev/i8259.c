/*
 * i8259.c: 8259A programmable interrupt controller, one of a PC's pair.
 *
 * Sources: Intel 8259A data sheet (order number 231468); Intel 82371SB (PIIX3) data sheet (290550), sections 2.5.3
 * "Interrupt Controller Registers" and 2.5.7 "ELCR", for how the pair is wired.
 * Ports: 0x20-0x21 or 0xa0-0xa1, and 0x4d0 or 0x4d1 (edge or level). Inputs: "irq", 8. Outputs: "int".
 * Options: master, iobase, elcr_addr, elcr_mask (inputs that may look at levels); i8259_new sets them.
 * Not modelled: MCS-80/85 mode; buffered mode (no pin to show it); ICW1's LTIM, which the PIIX3 replaces by the ELCR;
 * the contents of ICW3, which the wiring of a PC fixes: the slave is at input 2. An edge is latched until it is
 * acknowledged, also if the line falls before (the 8259A would then acknowledge input 7): so it is in QEMU and KVM.
 */
#include "emu/dev/i8259.h"

#include "emu/core/machine.h"
#include "emu/dev/dev.h"

enum {
    ICW1_IC4 = 1 << 0,
    ICW1_SNGL = 1 << 1,
    ICW1 = 1 << 4, /* is one */
    ICW2_BASE = 0xf8,
    ICW4_AEOI = 1 << 1,
    ICW4_SFNM = 1 << 4,
    OCW2_LEVEL = 7,
    OCW2_EOI = 1 << 5,
    OCW2_SL = 1 << 6,
    OCW2_R = 1 << 7,
    OCW3_RIS = 1 << 0,
    OCW3_RR = 1 << 1,
    OCW3_P = 1 << 2,
    OCW3 = 1 << 3, /* is one, if ICW1 is not set */
    OCW3_SMM = 1 << 5,
    OCW3_ESMM = 1 << 6,
    POLL_PENDING = 1 << 7,
    SPURIOUS = 7,
    NONE = -1,
};

typedef struct I8259 {
    Device dev;
    Irq out;
    SpaceId ports, elcr_port;
    bool master;
    uint16_t iobase, elcr_addr;
    uint8_t elcr_mask;
    I8259State s;
} I8259;

/* --- priorities ------------------------------------------------------------------------------------------------- */

/* The input of highest priority among those set, or NONE. */
static int highest(const I8259State *s, uint8_t inputs)
{
    for (unsigned i = 0; i < I8259_IRQS; i++) {
        unsigned n = (s->priority_add + i) % I8259_IRQS;
        if (inputs & 1U << n)
            return (int)n;
    }
    return NONE;
}

/* 0 is the highest. */
static int priority(const I8259State *s, int n)
{
    return (n - s->priority_add + I8259_IRQS) % I8259_IRQS;
}

/* The input whose request would be acknowledged now, or NONE. */
static int pending(const I8259 *p)
{
    const I8259State *s = &p->s;
    int n = highest(s, s->irr & ~s->imr);
    /* What is masked in special mask mode blocks nothing ("Special Mask Mode"). */
    int in_service = highest(s, s->special_mask ? s->isr & ~s->imr : s->isr);

    if (n == NONE || in_service == NONE || priority(s, n) < priority(s, in_service))
        return n;
    /* "Special Fully Nested Mode": a slave in service is not locked out, and may have something more urgent. */
    if (p->master && s->special_fully_nested_mode && n == I8259_CASCADE && in_service == I8259_CASCADE)
        return n;
    return NONE;
}

static void update(I8259 *p)
{
    irq_set(&p->out, pending(p) != NONE);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

static void push(void *opaque)
{
    update(opaque);
}

bool i8259_check(const void *state, GError **error)
{
    const I8259State *s = state;

    if (s->priority_add >= I8259_IRQS) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "priority_add: is %u, must be below %u", s->priority_add,
                    (unsigned)I8259_IRQS);
        return false;
    }
    if (s->init_state > I8259_WANTS_ICW4) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "init_state: is %u, must be at most %u", s->init_state,
                    (unsigned)I8259_WANTS_ICW4);
        return false;
    }
    return true;
}

const VMStateField i8259_fields[] = {
    VMS_FIELD(I8259State, last_irr),
    VMS_FIELD(I8259State, irr),
    VMS_FIELD(I8259State, imr),
    VMS_FIELD(I8259State, isr),
    VMS_FIELD(I8259State, priority_add),
    VMS_FIELD(I8259State, irq_base),
    VMS_FIELD(I8259State, read_reg_select),
    VMS_FIELD(I8259State, poll),
    VMS_FIELD(I8259State, special_mask),
    VMS_FIELD(I8259State, init_state),
    VMS_FIELD(I8259State, auto_eoi),
    VMS_FIELD(I8259State, rotate_on_auto_eoi),
    VMS_FIELD(I8259State, special_fully_nested_mode),
    VMS_FIELD(I8259State, init4),
    VMS_FIELD(I8259State, single_mode),
    VMS_FIELD(I8259State, elcr),
    VMS_END,
};

static const VMStateDescription i8259_state = {
    .name = "i8259",
    .version = 1,
    .minimum = 1,
    .size = sizeof(I8259State),
    .fields = i8259_fields,
    .check = i8259_check,
    .push = push,
};

/* --- lines ------------------------------------------------------------------------------------------------------ */

static void set_irq(void *opaque, unsigned n, bool level)
{
    I8259 *p = opaque;
    I8259State *s = &p->s;
    uint8_t bit = (uint8_t)(1U << n);
    bool rises = level && !(s->last_irr & bit);

    s->last_irr = level ? s->last_irr | bit : s->last_irr & ~bit;
    if (s->elcr & bit)
        s->irr = level ? s->irr | bit : s->irr & ~bit;
    else if (rises)
        s->irr |= bit;
    update(p);
}

/* Ends the service of an input. */
static void end_service(I8259State *s, int n, bool rotate)
{
    if (n == NONE)
        return;
    s->isr &= ~(1U << n);
    if (rotate)
        s->priority_add = (uint8_t)((n + 1) % I8259_IRQS);
}

/*
 * INTA for a request that is pending. The output is low for a moment: a request that is left must be a new edge for a
 * master.
 */
static void take(I8259 *p, int n)
{
    I8259State *s = &p->s;

    if (!(s->elcr & 1U << n))
        s->irr &= ~(1U << n);
    s->isr |= 1U << n;
    if (s->auto_eoi)
        end_service(s, n, s->rotate_on_auto_eoi);
    irq_set(&p->out, false);
    update(p);
}

/* INTA for whatever is pending. */
static int take_pending(I8259 *p)
{
    int n = pending(p);

    if (n == NONE)
        return SPURIOUS; /* "... the 8259A will issue an interrupt level 7", and nothing is in service */
    take(p, n);
    return n;
}

uint8_t i8259_acknowledge(Device *master, Device *slave)
{
    I8259 *m = (I8259 *)master, *s = (I8259 *)slave;
    int n = take_pending(m);

    /* Input 7 by default is not input 2: which one it was is told by n. The slave's new request comes after the ack. */
    if (n == I8259_CASCADE && s && !m->s.single_mode)
        return (uint8_t)(s->s.irq_base + take_pending(s));
    return (uint8_t)(m->s.irq_base + n);
}

/* --- registers -------------------------------------------------------------------------------------------------- */

/*
 * "Initialization Command Words": edges that were latched are forgotten, and a line that is up must rise again; masks
 * and modes are cleared. What is in service, too: a system that was started by another one sends no EOI for it.
 */
static void write_icw1(I8259State *s, uint8_t value)
{
    *s = (I8259State){
        .last_irr = s->last_irr,
        .irr = s->irr & s->elcr,
        .auto_eoi = value & ICW1_IC4 ? s->auto_eoi : 0,
        .special_fully_nested_mode = value & ICW1_IC4 ? s->special_fully_nested_mode : 0,
        .elcr = s->elcr,
        .init_state = I8259_WANTS_ICW2,
        .init4 = !!(value & ICW1_IC4),
        .single_mode = value & ICW1_SNGL, /* 2, as QEMU has it */
    };
}

static void write_ocw2(I8259State *s, uint8_t value)
{
    int level = value & OCW2_LEVEL;
    /* A non-specific EOI leaves alone what is masked in special mask mode. */
    int current = highest(s, s->special_mask ? s->isr & ~s->imr : s->isr);

    switch (value & (OCW2_R | OCW2_SL | OCW2_EOI)) {
    case OCW2_EOI:
    case OCW2_R | OCW2_EOI:
        end_service(s, current, value & OCW2_R);
        break;
    case OCW2_SL | OCW2_EOI:
    case OCW2_R | OCW2_SL | OCW2_EOI:
        end_service(s, level, value & OCW2_R);
        break;
    case OCW2_R | OCW2_SL:
        s->priority_add = (uint8_t)((level + 1) % I8259_IRQS);
        break;
    case OCW2_R:
        s->rotate_on_auto_eoi = 1;
        break;
    case 0:
        s->rotate_on_auto_eoi = 0;
        break;
    default: /* SL alone does nothing */
        break;
    }
}

static void write_ocw3(I8259State *s, uint8_t value)
{
    if (value & OCW3_ESMM)
        s->special_mask = !!(value & OCW3_SMM);
    if (value & OCW3_P)
        s->poll = 1;
    else if (value & OCW3_RR) /* a poll goes first */
        s->read_reg_select = value & OCW3_RIS;
}

/* Port 1: OCW1, or the next word of the initialization (figure "Initialization Sequence"). */
static void write_data(I8259State *s, uint8_t value)
{
    switch (s->init_state) {
    case I8259_WANTS_ICW2:
        s->irq_base = value & ICW2_BASE;
        if (!s->single_mode)
            s->init_state = I8259_WANTS_ICW3;
        else
            s->init_state = s->init4 ? I8259_WANTS_ICW4 : I8259_READY;
        break;
    case I8259_WANTS_ICW3:
        s->init_state = s->init4 ? I8259_WANTS_ICW4 : I8259_READY;
        break;
    case I8259_WANTS_ICW4:
        s->auto_eoi = !!(value & ICW4_AEOI);
        s->special_fully_nested_mode = !!(value & ICW4_SFNM);
        s->init_state = I8259_READY;
        break;
    default:
        s->imr = value;
        break;
    }
}

static void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    I8259 *p = opaque;

    (void)size;
    if (addr == 1)
        write_data(&p->s, (uint8_t)value);
    else if (value & ICW1)
        write_icw1(&p->s, (uint8_t)value);
    else if (value & OCW3)
        write_ocw3(&p->s, (uint8_t)value);
    else
        write_ocw2(&p->s, (uint8_t)value);
    update(p);
}

static uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    I8259 *p = opaque;
    int n;

    (void)size;
    if (p->s.poll) { /* "Poll Command": whichever port the read is of */
        p->s.poll = 0;
        n = pending(p);
        if (n == NONE)
            return 0;
        take(p, n);
        return (uint64_t)(POLL_PENDING | n);
    }
    if (addr == 1)
        return p->s.imr;
    return p->s.read_reg_select ? p->s.isr : p->s.irr;
}

static uint64_t read_elcr(void *opaque, uint64_t addr, unsigned size)
{
    I8259 *p = opaque;

    (void)addr;
    (void)size;
    return p->s.elcr;
}

/* An input that looks at levels from now on has the request that its line says. */
static void write_elcr(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    I8259 *p = opaque;
    I8259State *s = &p->s;

    (void)addr;
    (void)size;
    s->elcr = value & p->elcr_mask;
    s->irr = (s->irr & ~s->elcr) | (s->last_irr & s->elcr);
    update(p);
}

static const IoOps ops = {.read = read_port, .write = write_port, .max = 1};
static const IoOps elcr_ops = {.read = read_elcr, .write = write_elcr, .max = 1};

/* --- life ------------------------------------------------------------------------------------------------------- */

static void reset(Device *dev)
{
    I8259 *p = (I8259 *)dev;

    p->s = (I8259State){.init_state = I8259_READY};
    update(p);
}

void i8259_number(Device *dev, bool master)
{
    dev->instance = master ? 0 : 1;
    dev->has_instance = true;
    dev->alias_instance = master ? 0x20 : 0xa0;
}

static bool realize(Device *dev, GError **error)
{
    I8259 *p = (I8259 *)dev;
    Space *ports = dev->machine->ports;

    (void)error;
    i8259_number(dev, p->master);
    p->ports = space_map(ports, &(SpaceMapping){.base = p->iobase, .size = 2, .ops = &ops, .opaque = p});
    p->elcr_port = space_map(ports, &(SpaceMapping){.base = p->elcr_addr, .size = 1, .ops = &elcr_ops, .opaque = p});
    return true;
}

static void unrealize(Device *dev)
{
    I8259 *p = (I8259 *)dev;

    space_unmap(dev->machine->ports, p->ports);
    space_unmap(dev->machine->ports, p->elcr_port);
}

static const I8259 defaults = {.master = true, .iobase = 0x20, .elcr_addr = 0x4d0, .elcr_mask = 0xf8};

Device *i8259_new(bool master)
{
    I8259 *p = (I8259 *)device_new(&i8259_type);

    if (!master) {
        p->master = false;
        p->iobase = 0xa0;
        p->elcr_addr = 0x4d1;
        p->elcr_mask = 0xde;
    }
    return &p->dev;
}

static const VMStateField option_fields[] = {
    VMS_FIELD(I8259, master),
    VMS_FIELD(I8259, iobase),
    VMS_FIELD(I8259, elcr_addr),
    VMS_FIELD(I8259, elcr_mask),
    VMS_END,
};

static const VMStateDescription options = {
    .name = "options",
    .version = 1,
    .minimum = 1,
    .size = sizeof(I8259),
    .fields = option_fields,
};

static const DeviceInput inputs[] = {
    {.name = "irq", .count = I8259_IRQS, .set = set_irq},
    {.name = NULL},
};

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(I8259, out, "int"),
    {.name = NULL},
};

const DeviceType i8259_type = {
    .name = "isa-i8259",
    .about = "8259A interrupt controller, one of a pair",
    .size = sizeof(I8259),
    .defaults = &defaults,
    .options = &options,
    .state = &i8259_state,
    .state_offset = offsetof(I8259, s),
    .inputs = inputs,
    .outputs = outputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
