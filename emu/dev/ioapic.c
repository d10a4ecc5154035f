/*
 * ioapic.c: 82093AA I/O APIC, with the EOI register of its successors.
 *
 * Sources: Intel 82093AA data sheet (order number 290566); for version 0x20 and the EOI register Intel ICH9 data sheet
 * (316972) section 13.5; Linux' Documentation/virt/kvm for destinations of more than 8 bits.
 * Memory: 4 KiB at `base`, in which the registers are repeated each 256 octets. Inputs: "irq", 24; they say whether the
 * device wants an interrupt, whatever the voltage. Outputs: messages, see ioapic.h.
 * Options: base, version.
 * Not modelled: the APIC bus and its arbitration: a message is delivered when it is sent, so that delivery status is
 * never 1; polarity (the bit is kept). Only 32 bits at a time go through the window, other accesses read 0.
 */
#include "emu/dev/ioapic.h"

#include "emu/core/machine.h"
#include "emu/dev/dev.h"

enum {
    IOREGSEL = 0x00,
    IOWIN = 0x10,
    IOEOI = 0x40, /* from version 0x20 on */

    REG_ID = 0x00,
    REG_VERSION = 0x01,
    REG_ARBITRATION = 0x02,
    REG_TABLE = 0x10, /* two for each pin */
    REG_TABLE_END = REG_TABLE + 2 * IOAPIC_PINS,
    VERSION_WITH_EOI = 0x20,

    ID_SHIFT = 24,
    ID_MASK = 0x0f,

    ENTRY_VECTOR = 0xff,
    ENTRY_MODE_SHIFT = 8,
    ENTRY_LOGICAL = 1 << 11,
    ENTRY_STATUS = 1 << 12,
    ENTRY_REMOTE_IRR = 1 << 14,
    ENTRY_LEVEL = 1 << 15,
    ENTRY_MASKED = 1 << 16,
    ENTRY_READ_ONLY = ENTRY_STATUS | ENTRY_REMOTE_IRR,
    ENTRY_NOT_SENT = ENTRY_READ_ONLY | ENTRY_MASKED,

    MODE_LOWEST_PRIORITY = 1, /* and below it fixed: the two that can look at levels */

    MESSAGE_LOGICAL = 1 << 2,
    MESSAGE_ASSERT = 1 << 14,
    MESSAGE_LEVEL = 1 << 15,
};

#define MESSAGE_BASE UINT64_C(0xfee00000)

typedef struct Ioapic {
    Device dev;
    IoapicOutput output;
    SpaceId memory;
    uint64_t base;
    uint8_t version;
    uint32_t levels; /* of the lines, as long as somebody drives them: to tell an edge */
    IoapicState s;
} Ioapic;

/* --- interrupts ------------------------------------------------------------------------------------------------- */

/* "NMI", "INIT": "always treated as an edge triggered interrupt even if programmed as level"; SMI, ExtINT must be. */
static bool looks_at_level(uint64_t entry)
{
    return entry & ENTRY_LEVEL && ((entry >> ENTRY_MODE_SHIFT) & 7) <= MODE_LOWEST_PRIORITY;
}

static uint32_t message_of(uint64_t entry, uint64_t *address)
{
    *address = MESSAGE_BASE | entry >> 48 << 4 | (entry & ENTRY_LOGICAL ? MESSAGE_LOGICAL : 0);
    return (entry & (ENTRY_VECTOR | 7 << ENTRY_MODE_SHIFT)) |
           (looks_at_level(entry) ? MESSAGE_LEVEL | MESSAGE_ASSERT : 0);
}

bool ioapic_message(const Device *dev, unsigned pin, uint64_t *address, uint32_t *data)
{
    const uint64_t entry = ((const Ioapic *)dev)->s.ioredtbl[pin];

    *data = message_of(entry, address);
    return looks_at_level(entry);
}

static void send_message(Ioapic *p, uint64_t entry)
{
    uint64_t address;
    uint32_t data = message_of(entry, &address);

    if (p->output.send)
        p->output.send(p->output.opaque, address, data);
}

static void tell_change(const Ioapic *p)
{
    if (p->output.changed)
        p->output.changed(p->output.opaque);
}

/* Sends what a pin has to send. State is changed first: who gets the message may end the interrupt at once. */
static void service(Ioapic *p, unsigned n)
{
    uint64_t entry = p->s.ioredtbl[n];

    if (!(p->s.irr & 1U << n) || entry & ENTRY_MASKED)
        return;
    if (!looks_at_level(entry)) {
        p->s.irr &= ~(1U << n);
    } else if (entry & ENTRY_REMOTE_IRR) {
        return;
    } else {
        p->s.ioredtbl[n] |= ENTRY_REMOTE_IRR;
    }
    send_message(p, entry);
}

void ioapic_eoi(Device *dev, uint8_t vector)
{
    Ioapic *p = (Ioapic *)dev;
    uint32_t ended = 0;

    for (unsigned n = 0; n < IOAPIC_PINS; n++) {
        uint64_t entry = p->s.ioredtbl[n];
        if (entry & ENTRY_REMOTE_IRR && looks_at_level(entry) && (entry & ENTRY_VECTOR) == vector) {
            p->s.ioredtbl[n] &= ~(uint64_t)ENTRY_REMOTE_IRR;
            ended |= 1U << n;
        }
    }
    for (unsigned n = 0; n < IOAPIC_PINS; n++)
        if (ended & 1U << n)
            service(p, n);
}

static void set_irq(void *opaque, unsigned n, bool level)
{
    Ioapic *p = opaque;
    uint32_t bit = 1U << n;
    uint64_t entry = p->s.ioredtbl[n];
    bool rises = level && !(p->levels & bit);

    p->levels = level ? p->levels | bit : p->levels & ~bit;
    if (looks_at_level(entry))
        p->s.irr = level ? p->s.irr | bit : p->s.irr & ~bit;
    else if (rises && !(entry & ENTRY_MASKED)) /* masked ones are "ignored (i.e., not delivered or held pending)" */
        p->s.irr |= bit;
    service(p, n);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

/* An edge that had not gone out goes now, as does a level that came while nobody looked. */
static void push(void *opaque)
{
    Ioapic *p = opaque;

    tell_change(p);
    for (unsigned n = 0; n < IOAPIC_PINS; n++)
        service(p, n);
}

bool ioapic_check(const void *state, GError **error)
{
    const IoapicState *s = state;

    if (!(s->irr >> IOAPIC_PINS))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "irr: is 0x%x, there are %u pins", s->irr,
                (unsigned)IOAPIC_PINS);
    return false;
}

const VMStateField ioapic_fields[] = {
    VMS_FIELD(IoapicState, id),       VMS_FIELD(IoapicState, ioregsel),
    VMS_PAD(8, .since = 2),           VMS_FIELD(IoapicState, irr, .since = 2),
    VMS_ARRAY(IoapicState, ioredtbl), VMS_END,
};

static const VMStateDescription ioapic_state = {
    .name = "ioapic",
    .version = 3,
    .minimum = 1,
    .size = sizeof(IoapicState),
    .fields = ioapic_fields,
    .check = ioapic_check,
    .push = push,
};

/* --- registers -------------------------------------------------------------------------------------------------- */

static uint32_t read_window(const Ioapic *p)
{
    const IoapicState *s = &p->s;
    unsigned reg = s->ioregsel;

    switch (reg) {
    case REG_ID:
    case REG_ARBITRATION: /* "also written during a write to the APICID register" */
        return (uint32_t)(s->id & ID_MASK) << ID_SHIFT;
    case REG_VERSION:
        return p->version | (IOAPIC_PINS - 1) << 16;
    default:
        if (reg < REG_TABLE || reg >= REG_TABLE_END)
            return 0;
        return (uint32_t)(s->ioredtbl[(reg - REG_TABLE) / 2] >> (reg & 1 ? 32 : 0));
    }
}

static void write_entry(Ioapic *p, unsigned reg, uint32_t value)
{
    unsigned n = (reg - REG_TABLE) / 2;
    uint32_t bit = 1U << n;
    uint64_t before = p->s.ioredtbl[n], entry;

    if (reg & 1)
        entry = (uint32_t)before | (uint64_t)value << 32;
    else
        entry = before >> 32 << 32 | (value & ~(uint32_t)ENTRY_READ_ONLY) | (before & ENTRY_REMOTE_IRR);
    if (!looks_at_level(entry)) /* Linux ends interrupts so on chips without an EOI register */
        entry &= ~(uint64_t)ENTRY_REMOTE_IRR;
    if (looks_at_level(before) != looks_at_level(entry))
        p->s.irr = looks_at_level(entry) && p->levels & bit ? p->s.irr | bit : p->s.irr & ~bit;
    p->s.ioredtbl[n] = entry;
    if ((looks_at_level(before) || looks_at_level(entry)) && (before ^ entry) & ~(uint64_t)ENTRY_NOT_SENT)
        tell_change(p);
    service(p, n);
}

static void write_window(Ioapic *p, uint32_t value)
{
    unsigned reg = p->s.ioregsel;

    if (reg == REG_ID)
        p->s.id = (value >> ID_SHIFT) & ID_MASK;
    else if (reg >= REG_TABLE && reg < REG_TABLE_END)
        write_entry(p, reg, value);
}

static uint64_t read_memory(void *opaque, uint64_t addr, unsigned size)
{
    Ioapic *p = opaque;

    switch (addr & 0xff) {
    case IOREGSEL:
        return p->s.ioregsel;
    case IOWIN:
        return size == 4 ? read_window(p) : 0;
    default:
        return 0;
    }
}

static void write_memory(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Ioapic *p = opaque;

    switch (addr & 0xff) {
    case IOREGSEL:
        p->s.ioregsel = (uint8_t)value;
        break;
    case IOWIN:
        if (size == 4)
            write_window(p, (uint32_t)value);
        break;
    case IOEOI:
        if (size == 4 && p->version >= VERSION_WITH_EOI)
            ioapic_eoi(&p->dev, (uint8_t)value);
        break;
    default:
        break;
    }
}

static const IoOps ops = {.read = read_memory, .write = write_memory, .min = 1, .max = 4};

/* --- life ------------------------------------------------------------------------------------------------------- */

void ioapic_set_output(Device *dev, IoapicOutput output)
{
    ((Ioapic *)dev)->output = output;
}

static void reset(Device *dev)
{
    Ioapic *p = (Ioapic *)dev;

    p->s = (IoapicState){.id = 0};
    for (unsigned n = 0; n < IOAPIC_PINS; n++)
        p->s.ioredtbl[n] = ENTRY_MASKED;
    tell_change(p);
}

static bool realize(Device *dev, GError **error)
{
    Ioapic *p = (Ioapic *)dev;

    (void)error;
    p->memory = space_map(dev->machine->memory,
                          &(SpaceMapping){.base = p->base, .size = IOAPIC_SIZE, .ops = &ops, .opaque = p});
    return true;
}

static void unrealize(Device *dev)
{
    Ioapic *p = (Ioapic *)dev;

    space_unmap(dev->machine->memory, p->memory);
}

static const Ioapic defaults = {.base = IOAPIC_BASE, .version = 0x20};

static const VMStateField option_fields[] = {
    VMS_FIELD(Ioapic, base),
    VMS_FIELD(Ioapic, version),
    VMS_END,
};

static const VMStateDescription options = {
    .name = "options",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Ioapic),
    .fields = option_fields,
};

static const DeviceInput inputs[] = {
    {.name = "irq", .count = IOAPIC_PINS, .set = set_irq},
    {.name = NULL},
};

const DeviceType ioapic_type = {
    .name = "ioapic",
    .about = "I/O APIC with 24 pins",
    .size = sizeof(Ioapic),
    .defaults = &defaults,
    .options = &options,
    .state = &ioapic_state,
    .state_offset = offsetof(Ioapic, s),
    .inputs = inputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
