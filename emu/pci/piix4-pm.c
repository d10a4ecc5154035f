/*
 * piix4-pm.c: power management and SMBus of the 82371AB (PIIX4), function 3, with the ports that QEMU adds for hot
 * plug.
 *
 * Source: Intel 82371AB (PIIX4) data sheet, sections 7.1 (configuration), 7.2 (power management I/O), 7.3 (SMBus I/O);
 * ACPI Specification 1.0b, chapter 4.
 * Ports: 64 at PMBA (registers 0x40, 0x80), 64 at SMBBA (0x90, 0xd2), 0xb2 and 0xb3, 0xafe0 (GPE), 0xae00 (PCI hot
 * plug), 0xaf00 (processors). Inputs: "power-button". Outputs: "sci", "smi", "shutdown", "suspend".
 * Not modelled: the chip's own GPE block, device monitors, clock control and throttling (what lies from 0xc on in
 * PMBA), idle timers, hot plug of memory (its selector is kept; there are no ports without slots for it).
 */
#include "emu/core/machine.h"
#include "emu/pci/piix4-pm-impl.h"

/* Configuration. */
enum {
    PMBA = 0x40,
    APMC_ENABLE = 0x5b, /* writes to 0xb2 raise an SMI */
    APMC_ENABLE_BIT = 1 << 1,
    DEVICES_B = 0x5f, /* what devices there are, for the firmware */
    DEVICES_C = 0x63,
    DEVICES_D = 0x67,
    PM_ENABLE = 0x80,
    SMBBA = 0x90,
    SMBUS_ENABLE = 0xd2,
    BASE_MASK = 0xffc0,
};

/* Ports. */
enum {
    PM1_EVENTS = 0x0, /* status, enable */
    PM1_CONTROL = 0x4,
    PM1_SIZE = 6,
    PM_TIMER = 0x8,
    APM = 0xb2,
    APM_ACPI_ON = 0xf1, /* by QEMU's tables: what the firmware is asked for by SMI */
    APM_ACPI_OFF = 0xf0,
    GPE = 0xafe0,
    GPE_SIZE = 4,
    PCI_HOTPLUG = 0xae00,
    CPU_HOTPLUG = 0xaf00,
};

/* Sleep types, as QEMU's tables have them. */
enum { SLEEP_OFF = 0, SLEEP_TO_MEMORY = 1, SLEEP_TO_DISK = 2 };

/* --- PM1 -------------------------------------------------------------------------------------------------------- */

static void sleep_now(Pm *p, unsigned type)
{
    if (type == SLEEP_OFF || type == SLEEP_TO_DISK)
        irq_pulse(&p->shutdown);
    else if (type == SLEEP_TO_MEMORY)
        irq_pulse(&p->suspend);
}

static void write_control(Pm *p, uint16_t value)
{
    /* The bit that asks for sleep is never there. */
    p->s.ar.pm1.cnt.cnt = value & (uint16_t)~ACPI_SLEEP_ENABLE;
    if (value & ACPI_SLEEP_ENABLE)
        sleep_now(p, value >> ACPI_SLEEP_TYPE_SHIFT & ACPI_SLEEP_TYPE);
}

static uint64_t read_pm1(void *opaque, uint64_t addr, unsigned size)
{
    Pm *p = opaque;
    const uint16_t words[] = {acpi_status(&p->acpi), p->s.ar.pm1.evt.en, p->s.ar.pm1.cnt.cnt};

    (void)size;
    return words[addr / 2] >> addr % 2 * 8;
}

static void write_pm1(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Pm *p = opaque;
    unsigned shift = addr % 2 * 8;
    uint16_t octet = (uint16_t)(value << shift), others = (uint16_t) ~(0xff << shift);

    (void)size;
    if (addr < 2) {
        acpi_clear_status(&p->acpi, octet);
    } else if (addr < PM1_CONTROL) {
        p->s.ar.pm1.evt.en = (p->s.ar.pm1.evt.en & others) | octet;
        acpi_update(&p->acpi);
    } else {
        write_control(p, (p->s.ar.pm1.cnt.cnt & others) | octet);
    }
}

static const IoOps pm1_ops = {.read = read_pm1, .write = write_pm1, .max = 1};

static uint64_t read_timer(void *opaque, uint64_t addr, unsigned size)
{
    (void)addr;
    (void)size;
    return acpi_timer_value(&((Pm *)opaque)->acpi);
}

static const IoOps timer_ops = {.read = read_timer, .min = 4};

/* --- APM, GPE, SMBus -------------------------------------------------------------------------------------------- */

static uint64_t read_apm(void *opaque, uint64_t addr, unsigned size)
{
    Pm *p = opaque;

    (void)size;
    return addr == 0 ? p->s.apm.apmc : p->s.apm.apms;
}

static void write_apm(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Pm *p = opaque;

    (void)size;
    if (addr != 0) {
        p->s.apm.apms = (uint8_t)value;
        return;
    }
    p->s.apm.apmc = (uint8_t)value;
    if (value == APM_ACPI_ON)
        p->s.ar.pm1.cnt.cnt |= ACPI_SCI_ENABLE;
    else if (value == APM_ACPI_OFF && p->smm)
        p->s.ar.pm1.cnt.cnt &= (uint16_t)~ACPI_SCI_ENABLE;
    if (value == APM_ACPI_ON || value == APM_ACPI_OFF)
        return; /* there is nothing left to do for the firmware's handler: QEMU, too, raises no SMI */
    if (p->s.parent_obj.config[APMC_ENABLE] & APMC_ENABLE_BIT)
        irq_pulse(&p->smi);
}

static const IoOps apm_ops = {.read = read_apm, .write = write_apm, .max = 1};

static uint64_t read_gpe(void *opaque, uint64_t addr, unsigned size)
{
    (void)size;
    return acpi_gpe_read(&((Pm *)opaque)->acpi, (unsigned)addr);
}

static void write_gpe(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    (void)size;
    acpi_gpe_write(&((Pm *)opaque)->acpi, (unsigned)addr, (uint8_t)value);
}

static const IoOps gpe_ops = {.read = read_gpe, .write = write_gpe, .max = 1};

static uint64_t read_smbus(void *opaque, uint64_t addr, unsigned size)
{
    Pm *p = opaque;

    (void)size;
    return smbus_host_read(&p->s.smb, p->smbus, (unsigned)addr);
}

static void write_smbus(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    (void)size;
    smbus_host_write(&((Pm *)opaque)->s.smb, (unsigned)addr, (uint8_t)value);
}

static const IoOps smbus_ops = {.read = read_smbus, .write = write_smbus, .max = 1};

/* --- where the ports are ---------------------------------------------------------------------------------------- */

static void map_ports(Pm *p, unsigned which, uint64_t base, uint64_t size, const IoOps *ops)
{
    Space *ports = p->pci.dev.machine->ports;

    if (p->bases[which] == base)
        return;
    if (p->bases[which])
        space_unmap(ports, p->ids[which]);
    p->bases[which] = base;
    if (base)
        p->ids[which] = space_map(ports, &(SpaceMapping){.base = base, .size = size, .ops = ops, .opaque = p});
}

static void map_bases(Pm *p)
{
    const uint8_t *config = p->s.parent_obj.config;
    uint64_t pm = config[PM_ENABLE] & 1 ? pci_get16(config, PMBA) & BASE_MASK : 0;
    uint64_t smbus = config[SMBUS_ENABLE] & 1 ? pci_get16(config, SMBBA) & BASE_MASK : 0;

    map_ports(p, PORTS_PM1, pm, PM1_SIZE, &pm1_ops);
    map_ports(p, PORTS_TIMER, pm ? pm + PM_TIMER : 0, 4, &timer_ops);
    map_ports(p, PORTS_SMBUS, smbus, SMBUS_HOST_PORTS, &smbus_ops);
}

static void config_written(PciDevice *dev, unsigned addr, unsigned size)
{
    (void)addr;
    (void)size;
    map_bases((Pm *)dev);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool pull(void *opaque, GError **error)
{
    (void)error;
    acpi_pull(&((Pm *)opaque)->acpi);
    return true;
}

static bool check(const void *state, GError **error)
{
    const PmState *s = state;
    const char *wrong = smbus_host_check(&s->smb);

    if (!pci_check(&s->parent_obj, "piix4_pm", error))
        return false;
    if (!wrong)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "piix4_pm.%s: the stream has %u", wrong, s->smb.smb_index);
    return false;
}

static void push(void *opaque)
{
    Pm *p = opaque;

    pci_device_push(&p->pci);
    map_bases(p);
    acpi_push(&p->acpi);
}

static const VMStateField apm_fields[] = {
    VMS_FIELD(Apm, apmc),
    VMS_FIELD(Apm, apms),
    VMS_END,
};

static const VMStateDescription apm_state = {
    .name = "APM State",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Apm),
    .fields = apm_fields,
};

static const VMStateField memory_fields[] = {
    VMS_FIELD(MemoryHotplug, selector),
    VMS_END,
};

static const VMStateDescription memory_state = {
    .name = "memory hotplug state",
    .version = 1,
    .minimum = 1,
    .size = sizeof(MemoryHotplug),
    .fields = memory_fields,
};

static const VMStateField memhp_fields[] = {
    VMS_SUB(PmState, acpi_memory_hotplug, &memory_state),
    VMS_END,
};

static const VMStateDescription memhp_state = {
    .name = "piix4_pm/memhp",
    .version = 1,
    .minimum = 1,
    .fields = memhp_fields,
};

static const VMStateField cpuhp_field = VMS_SUB(PmState, cpuhp_state, NULL);

static const VMStateField fields[] = {
    VMS_SUB(PmState, parent_obj, &pci_device_state),
    VMS_FIELD(PmState, ar.pm1.evt.sts),
    VMS_FIELD(PmState, ar.pm1.evt.en),
    VMS_FIELD(PmState, ar.pm1.cnt.cnt),
    VMS_SUB(PmState, apm, &apm_state),
    VMS_SUB(PmState, smb, &smbus_host_state),
    VMS_FIELD(PmState, ar.tmr.timer, .type = "timer"),
    VMS_FIELD(PmState, ar.tmr.overflow_time),
    VMS_SUB(PmState, ar.gpe, &acpi_gpe_state),
    VMS_FIELD(PmState, acpi_pci_hotplug.hotplug_select),
    VMS_SUB_ARRAY(PmState, acpi_pci_hotplug.acpi_pcihp_pci_status, &acpi_pci_bus_state, .flags = VMS_LISTED),
    VMS_FIELD(PmState, acpi_pci_hotplug.acpi_index),
    VMS_END,
};

static const VMStateDescription piix4_pm_state = {
    .name = "piix4_pm",
    .version = 3,
    .minimum = 3,
    .size = sizeof(PmState),
    .fields = fields,
    .pull = pull,
    .check = check,
    .push = push,
};

/* The description as it is of this device, and a type that has it. */
static void describe(Pm *p)
{
    PmDescription *own = &p->own;

    acpi_cpu_hotplug_describe(&own->cpus, p->cpus.count);
    own->cpuhp_fields[0] = cpuhp_field;
    own->cpuhp_fields[0].desc = &own->cpus.desc;
    own->cpuhp =
        (VMStateDescription){.name = "piix4_pm/cpuhp", .version = 1, .minimum = 1, .fields = own->cpuhp_fields};
    own->subsections[0] = (VMStateSubsection){.desc = &memhp_state};
    own->subsections[1] = (VMStateSubsection){.desc = &own->cpuhp, .presence = offsetof(PmState, cpu_modern) + 1};
    own->state = piix4_pm_state;
    own->state.subsections = own->subsections;
    own->type = *p->pci.dev.type;
    own->type.state = &own->state;
    p->pci.dev.type = &own->type;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

void piix4_pm_set_smbus(Device *dev, Device *bus)
{
    ((Pm *)dev)->smbus = (Smbus *)bus;
}

static void set_button(void *opaque, unsigned n, bool level)
{
    Pm *p = opaque;

    (void)n;
    if (level && !p->button)
        acpi_event(&p->acpi, ACPI_POWER_BUTTON);
    p->button = level;
}

void piix4_pm_wake(Device *dev, uint16_t reason)
{
    Pm *p = (Pm *)dev;

    p->s.ar.pm1.evt.sts |= ACPI_WAKE | reason;
    acpi_update(&p->acpi);
}

/* The two registers of the APM control stay, as QEMU 7.2 has it. */
static void reset(Device *dev)
{
    Pm *p = (Pm *)dev;

    pci_device_reset(&p->pci);
    p->s = (PmState){.parent_obj = p->s.parent_obj, .apm = p->s.apm};
    acpi_reset(&p->acpi);
    p->s.ar.pm1.cnt.cnt = p->smm ? 0 : ACPI_SCI_ENABLE;
    smbus_host_reset(&p->s.smb);
    for (unsigned n = 0; n < p->cpus.count; n++)
        p->cpus.cpus[n].by_firmware = false;
    map_bases(p);
}

static void init_config(Pm *p)
{
    PciDevice *pci = &p->pci;

    pci_config_init(pci, PCI_STATUS, 0x80, 0); /* fast back-to-back, medium decoding */
    pci_config_init(pci, PCI_STATUS + 1, 0x02, 0);
    pci_config_init(pci, PMBA, 0x01, 0xff);
    pci_config_init(pci, APMC_ENABLE, p->smm ? 0 : APMC_ENABLE_BIT, 0xff); /* nothing left to do for the firmware */
    pci_config_init(pci, DEVICES_B, (uint8_t)(0x10 | (p->parallel ? 0x80 : 0)), 0xff);
    pci_config_init(pci, DEVICES_C, 0x60, 0xff);
    pci_config_init(pci, DEVICES_D, (uint8_t)((p->serial0 ? 0x08 : 0) | (p->serial1 ? 0x90 : 0)), 0xff);
    pci_config_init(pci, SMBBA, 0x01, 0xff);
    pci_config_init(pci, SMBBA + 1, 0xb1, 0xff);
    pci_config_init(pci, SMBUS_ENABLE, 0x09, 0xff);
}

static bool realize(Device *dev, GError **error)
{
    static const PciIdentity identity = {.vendor = 0x8086, .device = 0x7113, .class = 0x0680, .revision = 3, .pin = 1};
    Pm *p = (Pm *)dev;

    if (!pci_device_start(&p->pci, &identity, error))
        return false;
    describe(p);
    p->pci.config_written = config_written;
    init_config(p);
    acpi_init(&p->acpi, &p->s.ar, dev->machine->virtual_clock, &p->sci);
    map_ports(p, PORTS_APM, APM, 2, &apm_ops);
    map_ports(p, PORTS_GPE, GPE, GPE_SIZE, &gpe_ops);
    map_ports(p, PORTS_PCI, PCI_HOTPLUG, ACPI_PCI_PORTS, &piix4_pci_hotplug_ops);
    map_ports(p, PORTS_CPU, CPU_HOTPLUG, ACPI_CPU_PORTS, &piix4_cpu_hotplug_ops);
    return true;
}

static void unrealize(Device *dev)
{
    Pm *p = (Pm *)dev;

    for (unsigned i = 0; i < PORTS; i++)
        map_ports(p, i, 0, 0, NULL);
    acpi_done(&p->acpi);
    pci_device_stop(&p->pci);
}

static const DeviceInput inputs[] = {
    {.name = "power-button", .count = 1, .set = set_button},
    {.name = NULL},
};

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(Pm, sci, "sci"),
    DEVICE_OUTPUT(Pm, smi, "smi"),
    DEVICE_OUTPUT(Pm, shutdown, "shutdown"),
    DEVICE_OUTPUT(Pm, suspend, "suspend"),
    {.name = NULL},
};

static const VMStateField option_fields[] = {
    VMS_FIELD(Pm, smm), VMS_FIELD(Pm, serial0), VMS_FIELD(Pm, serial1), VMS_FIELD(Pm, parallel), VMS_END,
};

static const VMStateDescription options = {
    .name = "PIIX4_PM",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Pm),
    .fields = option_fields,
};

static const Pm defaults = {.smm = true, .serial0 = true, .cpus = {.count = 1, .cpus = {{.present = true}}}};

const DeviceType piix4_pm_type = {
    .name = "PIIX4_PM",
    .about = "82371AB power management and SMBus",
    .size = sizeof(Pm),
    .defaults = &defaults,
    .options = &options,
    .state = &piix4_pm_state,
    .state_offset = offsetof(Pm, s),
    .inputs = inputs,
    .outputs = outputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
