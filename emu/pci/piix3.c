/*
 * piix3.c: the PCI-to-ISA bridge of the 82371SB: routing of the PCI lines, and the reset control register.
 *
 * Source: Intel 82371FB/82371SB (PIIX/PIIX3) data sheet, sections 2.2 (registers of function 0; PIRQRC 2.2.10) and
 * 2.5.6 (reset control).
 * Ports: 0xcf9, which comes through the host bridge. Inputs: "pirq" 0 to 3, "isa" 0 to 15. Outputs: "irq" 0 to 15,
 * "reset". Not modelled: which addresses the bridge decodes (XBCS, TOM, MSTAT: the octets are kept), the routing of
 * MBIRQ and of USB's own line, recovery times, and SMI by the bridge's own timers (0xa0 to 0xb3, kept too). DMA, timer
 * and interrupt controllers that are in the same chip are devices of their own.
 */
#include "emu/core/machine.h"
#include "emu/pci/chipset.h"

enum {
    PIRQ_ROUTE = 0x60, /* to 0x63 */
    PIRQ_OFF = 0x80,

    RESET_CONTROL = 1, /* counted from 0xcf8 */
    RESET_HARD = 1 << 1,
    RESET_NOW = 1 << 2, /* going from 0 to 1 */
};

typedef struct Piix3State {
    PciState dev;
    int32_t pci_irq_levels_vmstate[PCI_PINS]; /* on the wire only: the bus knows them */
    uint8_t rcr;
} Piix3State;

typedef struct Piix3 {
    PciDevice pci;
    Irq irq[ISA_IRQS], reset;
    IsaBus isa;
    uint16_t isa_levels; /* what ISA devices drive */
    uint16_t pci_levels; /* what PCI drives of the same lines */
    uint8_t pirq_levels; /* what comes from the PCI bus */
    Piix3State s;
} Piix3;

/* --- lines ------------------------------------------------------------------------------------------------------ */

/* The lines that PCI drives, as levels and routes are. */
static uint16_t routed(const Piix3 *p)
{
    uint16_t levels = 0;

    for (unsigned n = 0; n < PCI_PINS; n++) {
        uint8_t route = p->s.dev.config[PIRQ_ROUTE + n];
        if (p->pirq_levels >> n & 1 && route < ISA_IRQS)
            levels |= (uint16_t)(1U << route);
    }
    return levels;
}

/* After a level or a route has changed. */
static void drive(Piix3 *p)
{
    uint16_t before = p->pci_levels;

    p->pci_levels = routed(p);
    for (unsigned n = 0; n < ISA_IRQS; n++)
        if ((before ^ p->pci_levels) >> n & 1)
            irq_set(&p->irq[n], (p->pci_levels | p->isa_levels) >> n & 1);
}

static void set_pirq(void *opaque, unsigned n, bool level)
{
    Piix3 *p = opaque;

    p->pirq_levels &= (uint8_t) ~(1U << n);
    p->pirq_levels |= (uint8_t)((unsigned)level << n);
    drive(p);
}

static void set_isa(void *opaque, unsigned n, bool level)
{
    Piix3 *p = opaque;

    p->isa_levels &= (uint16_t) ~(1U << n);
    p->isa_levels |= (uint16_t)((unsigned)level << n);
    irq_set(&p->irq[n], (p->pci_levels | p->isa_levels) >> n & 1);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool pull(void *opaque, GError **error)
{
    Piix3 *p = opaque;

    (void)error;
    for (unsigned n = 0; n < PCI_PINS; n++)
        p->s.pci_irq_levels_vmstate[n] = p->pci.bus->s.irq_count[n] != 0;
    return true;
}

static bool check(const void *state, GError **error)
{
    return pci_check(&((const Piix3State *)state)->dev, "PIIX3", error);
}

/* The bus comes first. No line is driven: the interrupt controllers have the levels in their own state. */
static void push(void *opaque)
{
    Piix3 *p = opaque;

    pci_device_push(&p->pci);
    p->pirq_levels = 0;
    for (unsigned n = 0; n < PCI_PINS; n++)
        p->pirq_levels |= (uint8_t)((unsigned)pci_bus_level(p->pci.bus, n) << n);
    p->pci_levels = routed(p);
}

static bool is_reset_set(const void *state)
{
    return ((const Piix3State *)state)->rcr != 0;
}

static const VMStateField rcr_fields[] = {
    VMS_FIELD(Piix3State, rcr),
    VMS_END,
};

static const VMStateDescription rcr_state = {
    .name = "PIIX3/rcr",
    .version = 1,
    .minimum = 1,
    .fields = rcr_fields,
};

static const VMStateSubsection subsections[] = {
    {.desc = &rcr_state, .needed = is_reset_set},
    {.desc = NULL},
};

static const VMStateField fields[] = {
    VMS_SUB(Piix3State, dev, &pci_device_state),
    VMS_ARRAY(Piix3State, pci_irq_levels_vmstate, .since = 3),
    VMS_END,
};

static const VMStateDescription piix3_state = {
    .name = "PIIX3",
    .version = 3,
    .minimum = 2,
    .size = sizeof(Piix3State),
    .fields = fields,
    .subsections = subsections,
    .pull = pull,
    .check = check,
    .push = push,
};

/* --- registers -------------------------------------------------------------------------------------------------- */

static uint64_t read_reset_control(void *opaque, uint64_t addr, unsigned size)
{
    Piix3 *p = opaque;
    uint64_t value = UINT64_MAX;

    if (addr <= RESET_CONTROL && addr + size > RESET_CONTROL) {
        unsigned shift = (unsigned)(RESET_CONTROL - addr) * 8;
        value &= ~((uint64_t)0xff << shift);
        value |= (uint64_t)p->s.rcr << shift;
    }
    return value;
}

/* The reset takes the bit that asked for it away again: so it is never there, and each write of it is an edge. */
static void write_reset_control(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Piix3 *p = opaque;

    if (addr > RESET_CONTROL || addr + size <= RESET_CONTROL)
        return;
    value >>= (RESET_CONTROL - addr) * 8;
    p->s.rcr = value & RESET_HARD;
    if (value & RESET_NOW)
        irq_pulse(&p->reset);
}

static const IoOps reset_ops = {.read = read_reset_control, .write = write_reset_control};

static void config_written(PciDevice *dev, unsigned addr, unsigned size)
{
    if (addr < PIRQ_ROUTE + PCI_PINS && addr + size > PIRQ_ROUTE)
        drive((Piix3 *)dev);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

IsaBus *piix3_isa(Device *dev)
{
    Piix3 *p = (Piix3 *)dev;

    for (unsigned n = 0; n < ISA_IRQS; n++)
        p->isa.irq[n] = device_input(dev, "isa", n);
    return &p->isa;
}

static void reset(Device *dev)
{
    Piix3 *p = (Piix3 *)dev;

    pci_device_reset(&p->pci);
    p->s = (Piix3State){.dev = p->s.dev};
    drive(p);
}

/* The data sheet's values after reset, and those that QEMU has. */
static void init_config(PciDevice *pci)
{
    static const uint8_t values[][2] = {
        {PCI_STATUS + 1, 0x02},               /* medium decoding */
        {0x4c, 0x4d},                         /* ISA recovery */
        {0x4e, 0x03},                         /* XBCS */
        {0x69, 0x02},                         /* top of memory */
        {0x70, 0x80},                         /* MBIRQ: none */
        {0x76, 0x0c},                         /* MBDMA: none */
        {0x77, 0x0c},           {0x78, 0x02}, /* PCSC */
        {0xa0, 0x08},                         /* SMI control */
        {0xa8, 0x0f},                         /* fast off timer */
    };

    pci_config_init(pci, values[0][0], values[0][1], 0);
    for (unsigned i = 1; i < G_N_ELEMENTS(values); i++)
        pci_config_init(pci, values[i][0], values[i][1], 0xff);
    for (unsigned n = 0; n < PCI_PINS; n++)
        pci_config_init(pci, PIRQ_ROUTE + n, PIRQ_OFF, 0xff);
}

static bool realize(Device *dev, GError **error)
{
    static const PciIdentity identity = {
        .vendor = 0x8086, .device = 0x7000, .class = 0x0601, .header = PCI_HEADER_MULTIFUNCTION};
    Piix3 *p = (Piix3 *)dev;

    if (!pci_device_start(&p->pci, &identity, error))
        return false;
    p->pci.config_written = config_written;
    init_config(&p->pci);
    p->pci.bus->passed = &reset_ops;
    p->pci.bus->passed_opaque = p;
    return true;
}

static void unrealize(Device *dev)
{
    Piix3 *p = (Piix3 *)dev;

    p->pci.bus->passed = NULL;
    pci_device_stop(&p->pci);
}

static const DeviceInput inputs[] = {
    {.name = "pirq", .count = PCI_PINS, .set = set_pirq},
    {.name = "isa", .count = ISA_IRQS, .set = set_isa},
    {.name = NULL},
};

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(Piix3, irq, "irq"),
    DEVICE_OUTPUT(Piix3, reset, "reset"),
    {.name = NULL},
};

const DeviceType piix3_type = {
    .name = "PIIX3",
    .about = "82371SB bridge to the ISA bus",
    .size = sizeof(Piix3),
    .state = &piix3_state,
    .state_offset = offsetof(Piix3, s),
    .inputs = inputs,
    .outputs = outputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
