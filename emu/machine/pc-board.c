/*
 * pc-board.c: the PC's chips and the lines between them.
 *
 * All chips are made and wired first; then they are realized in the order in which QEMU's stream has their sections.
 * Where there is no system management mode the firmware finds ACPI switched on, as with QEMU.
 * Lines to A20 are not connected: KVM knows no such gate, and address bit 20 is always what the processor says.
 */
#include "emu/dev/acpi_build.h"
#include "emu/dev/debugcon.h"
#include "emu/dev/dev.h"
#include "emu/dev/fw_cfg.h"
#include "emu/dev/globalstate.h"
#include "emu/dev/i8254.h"
#include "emu/dev/i8257.h"
#include "emu/dev/i8259.h"
#include "emu/dev/ioapic.h"
#include "emu/dev/kvm-chips.h"
#include "emu/dev/kvmvapic.h"
#include "emu/dev/pckbd.h"
#include "emu/dev/pcspk.h"
#include "emu/dev/ps2.h"
#include "emu/dev/serial.h"
#include "emu/dev/vmmouse.h"
#include "emu/dev/vmport.h"
#include "emu/machine/cpu.h"
#include "emu/machine/pc-impl.h"
#include "emu/pci/chipset.h"
#include "emu/pci/pci-bus.h"
#include "emu/pci/smbus.h"

enum {
    DEBUG_PORT = 0x402,
    SPLIT_FROM_MIB = 3584, /* with so much memory or more, a GiB is left for PCI below 4 GiB */
    SPLIT_MIB = 3072,
    TIMER_LINE = 0,
    KEYBOARD_LINE = 1,
    FLOPPY_LINE = 6,
    RTC_LINE = 8,
    IDE_LINE = 14, /* of the first cable */
    SCI_LINE = 9,
    MOUSE_LINE = 12,
    MEMORY_MODULES = 8, /* that describe themselves on the SMBus; all of zeros, as QEMU's */
    FIRST_MODULE = 0x50,
};

/* --- interrupt lines -------------------------------------------------------------------------------------------- */

/* To controllers that are not KVM's: both see a line, where it is one of both. */
static void set_line(void *opaque, unsigned n, bool level)
{
    Pc *pc = opaque;
    Irq pin = device_input(pc->chips.ioapic, "irq", n == TIMER_LINE ? I8259_CASCADE : n);

    if (n < ISA_IRQS && n != I8259_CASCADE) {
        Irq input = device_input(pc->chips.pic[n / I8259_IRQS], "irq", n % I8259_IRQS);
        irq_set(&input, level);
    }
    irq_set(&pin, level);
}

/* An interrupt by a message, to whoever has the LAPICs. */
static void send_message(void *opaque, uint64_t address, uint32_t data)
{
    Pc *pc = opaque;

    if (pc->chip_place == KVM_CHIPS_NONE)
        lapic_send(&pc->lapics, address, data);
    else
        kvm_send_message(pc->kvm, address, data);
}

static int acknowledge(void *opaque)
{
    const PcChips *c = &((Pc *)opaque)->chips;

    return i8259_acknowledge(c->pic[0], c->pic[1]);
}

static void end_interrupt(void *opaque, uint8_t vector)
{
    ioapic_eoi(((Pc *)opaque)->chips.ioapic, vector);
}

/* The 8259As' INT. Which LAPIC of KVM's takes it, KVM knows. */
static void set_intr(void *opaque, unsigned n, bool level)
{
    Pc *pc = opaque;
    bool rises = level && !pc->lapics.intr;

    (void)n;
    lapic_set_intr(&pc->lapics, level);
    for (unsigned i = 0; i < pc->options.cpus && rises && pc->chip_place == KVM_CHIPS_LAPICS; i++)
        vcpu_kick(pc->vcpus[i]);
}

static bool intr_pending(void *opaque)
{
    return ((Pc *)opaque)->lapics.intr;
}

static int take_intr(void *opaque)
{
    return intr_pending(opaque) ? acknowledge(opaque) : LAPIC_NONE;
}

/* KVM's LAPICs must know of which interrupts the I/O APIC has to hear the end. */
static void watch_pins(void *opaque)
{
    Pc *pc = opaque;
    KvmPin pins[IOAPIC_PINS];

    for (unsigned n = 0; n < IOAPIC_PINS; n++)
        pins[n].level = ioapic_message(pc->chips.ioapic, n, &pins[n].address, &pins[n].data);
    kvm_watch_pins(pc->kvm, pins);
}

static void make_own_controllers(Pc *pc)
{
    PcChips *c = &pc->chips;

    for (int i = 0; i < 2; i++)
        c->pic[i] = i8259_new(i == 0);
    c->ioapic = device_new(&ioapic_type);
    device_connect(c->pic[1], "int", 0, c->pic[0], "irq", I8259_CASCADE);
    if (!pc->kvm)
        return;
    device_connect_irq(c->pic[0], "int", 0, (Irq){.handler = set_intr, .opaque = pc});
    pc->lapics = (LapicBus){.acknowledge = acknowledge, .end = end_interrupt, .opaque = pc};
    ioapic_set_output(c->ioapic, (IoapicOutput){.send = send_message,
                                                .changed = pc->chip_place == KVM_CHIPS_LAPICS ? watch_pins : NULL,
                                                .opaque = pc});
    for (unsigned i = 0; i < pc->options.cpus && pc->chip_place == KVM_CHIPS_LAPICS; i++)
        vcpu_set_interrupts(
            pc->vcpus[i],
            &(VcpuInterrupts){.pending = intr_pending, .take = take_intr, .end = end_interrupt, .opaque = pc});
}

static void make_controllers(Pc *pc)
{
    PcChips *c = &pc->chips;
    bool own = !pc_has_kvm_chips(pc);

    for (int i = 0; i < 2 && !own; i++)
        c->pic[i] = kvm_i8259_new(pc->kvm, i == 0);
    if (own)
        make_own_controllers(pc);
    else
        c->ioapic = kvm_ioapic_new(pc->kvm);
    for (unsigned n = 0; n < KVM_IRQS; n++)
        pc->lines[n] = own ? (Irq){.handler = set_line, .opaque = pc, .n = n} : kvm_irq(pc->kvm, n);
}

/* --- what lines ask for ------------------------------------------------------------------------------------------ */

static void ask(void *opaque, unsigned request, bool level)
{
    if (level)
        pc_request(opaque, (PcRequest)request);
}

static void connect_request(Pc *pc, Device *dev, const char *output, PcRequest request)
{
    device_connect_irq(dev, output, 0, (Irq){.handler = ask, .opaque = pc, .n = request});
}

/* --- timers ----------------------------------------------------------------------------------------------------- */

/* The HPET may take the lines of the other two; the line of KVM's PIT is the kernel's own. */
static void make_timers(Pc *pc)
{
    PcChips *c = &pc->chips;
    bool own = !pc_has_kvm_chips(pc);

    c->hpet = device_new(&hpet_type);
    c->rtc = device_new(&mc146818rtc_type);
    device_set(c->rtc, "date_offset", (uint64_t)pc->options.rtc_offset);
    c->pit = own ? device_new(&i8254_type) : kvm_i8254_new(pc->kvm);
    c->pcspk = device_new(&pcspk_type);
    pcspk_set_pit(c->pcspk, own ? &i8254_ops : &kvm_i8254_ops, c->pit);
    for (unsigned n = 0; n < KVM_IRQS; n++)
        device_connect_irq(c->hpet, "irq", n, n < ISA_IRQS ? pc->isa->irq[n] : pc->lines[n]);
    device_connect_irq(c->hpet, "irq", I8259_CASCADE, pc->lines[I8259_CASCADE]);
    device_connect(c->hpet, "legacy", 0, c->pit, "hpet legacy", 0);
    if (own)
        device_connect(c->pit, "irq", 0, c->hpet, "pit", 0);
    device_connect(c->rtc, "irq", 0, c->hpet, "rtc", 0);
}

/* --- PCI -------------------------------------------------------------------------------------------------------- */

static void place(Pc *pc, Device *dev, unsigned slot, unsigned function)
{
    PciDevice *pci = (PciDevice *)dev;

    pci->bus = (PciBus *)pc->chips.bus;
    pci->devfn = PCI_DEVFN(slot, function);
}

/* A processor may be in system management mode, by a stream or an IPI, also where the firmware is told of none. */
static void set_smram(void *opaque, unsigned n, bool level)
{
    Pc *pc = opaque;

    (void)n;
    kvm_set_smram(pc->kvm, &(KvmSmram){.ram = level ? pc->ram : NULL, .base = I440FX_SMRAM, .size = I440FX_SMRAM_SIZE});
}

static void make_bridges(Pc *pc)
{
    PcChips *c = &pc->chips;

    c->bus = device_new(&pci_bus_type);
    c->host = device_new(&pci_host_type);
    pci_host_set_bus(c->host, c->bus);
    if (pc->kvm) {
        ((PciBus *)c->bus)->send = send_message;
        ((PciBus *)c->bus)->send_opaque = pc;
    }
    c->i440fx = device_new(&i440fx_type);
    place(pc, c->i440fx, 0, 0);
    i440fx_set_ram(c->i440fx, pc->ram);
    if (pc->kvm)
        device_connect_irq(c->i440fx, "smram", 0, (Irq){.handler = set_smram, .opaque = pc});
    device_set(c->i440fx, "below_4g",
               pc->ram->size >= (uint64_t)SPLIT_FROM_MIB << 20 ? (uint64_t)SPLIT_MIB << 20 : pc->ram->size);
    c->piix3 = device_new(&piix3_type);
    place(pc, c->piix3, PC_PIIX_SLOT, 0);
    pc->isa = piix3_isa(c->piix3);
    for (unsigned n = 0; n < PCI_PINS; n++)
        device_connect(c->bus, "pirq", n, c->piix3, "pirq", n);
    for (unsigned n = 0; n < ISA_IRQS; n++)
        device_connect_irq(c->piix3, "irq", n, pc->lines[n]);
    connect_request(pc, c->piix3, "reset", PC_REQUEST_RESET);
}

/* To the first processor, whoever asks for it. */
static void send_smi(void *opaque, unsigned n, bool level)
{
    (void)n;
    if (level)
        vcpu_smi(((Pc *)opaque)->vcpus[0]);
}

static void slot_ejected(void *opaque, unsigned slot)
{
    pc_request_eject(opaque, slot);
}

static void make_power_management(Pc *pc)
{
    PcChips *c = &pc->chips;

    c->smbus = device_new(&smbus_type);
    c->piix4_pm = device_new(&piix4_pm_type);
    place(pc, c->piix4_pm, PC_PIIX_SLOT, 3);
    piix4_pm_set_smbus(c->piix4_pm, c->smbus);
    piix4_pm_set_requests(c->piix4_pm, &(Piix4Requests){.eject_slot = slot_ejected, .opaque = pc});
    device_set(c->piix4_pm, "smm", pc->smm);
    if (pc->smm)
        device_connect_irq(c->piix4_pm, "smi", 0, (Irq){.handler = send_smi, .opaque = pc});
    piix4_pm_set_cpus(c->piix4_pm, pc->options.cpus);
    for (unsigned i = 0; i < pc->options.cpus; i++)
        piix4_pm_set_cpu(c->piix4_pm, i, i, true);
    device_connect_irq(c->piix4_pm, "sci", 0, pc->isa->irq[SCI_LINE]);
    connect_request(pc, c->piix4_pm, "shutdown", PC_REQUEST_POWER_OFF);
}

/* --- disks ------------------------------------------------------------------------------------------------------ */

static void make_ide(Pc *pc)
{
    PcChips *c = &pc->chips;

    c->ide = device_new(&piix3_ide_type);
    place(pc, c->ide, PC_PIIX_SLOT, 1);
    for (unsigned bus = 0; bus < IDE_BUSES; bus++) {
        device_connect_irq(c->ide, "irq", bus, pc->isa->irq[IDE_LINE + bus]);
        for (unsigned unit = 0; unit < IDE_UNITS; unit++)
            if (pc->options.ide[bus][unit].kind != IDE_NONE)
                piix3_ide_attach(c->ide, bus, unit, &pc->options.ide[bus][unit]);
    }
}

/* --- what is plugged in ----------------------------------------------------------------------------------------- */

bool pc_plug_pci(Pc *pc, Device *dev, int slot, unsigned function, GError **error)
{
    unsigned at = slot == PC_SLOT_ANY ? 0 : (unsigned)slot;

    while (slot == PC_SLOT_ANY && at < PCI_SLOTS && pc->slots[at])
        at++;
    if (at >= PCI_SLOTS || function >= PCI_FUNCTIONS) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_LIMIT,
                    at >= PCI_SLOTS && slot == PC_SLOT_ANY ? "all %d slots of the PCI bus are taken"
                                                           : "the PCI bus has %d slots of %d functions, not %x.%x",
                    PCI_SLOTS, PCI_FUNCTIONS, at, function);
        return false;
    }
    if (pc->slots[at] & 1 << function) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "the place %x.%x on the PCI bus is taken", at, function);
        return false;
    }
    pc->slots[at] |= (uint8_t)(1 << function);
    ((PciDevice *)dev)->devfn = PCI_DEVFN(at, function);
    ((PciDevice *)dev)->hotpluggable = true;
    g_ptr_array_add(pc->cards, dev);
    return true;
}

static void free_place(Pc *pc, const Device *dev)
{
    unsigned devfn = ((const PciDevice *)dev)->devfn;

    pc->slots[devfn / PCI_FUNCTIONS] &= (uint8_t) ~(1 << devfn % PCI_FUNCTIONS);
}

bool pc_realize_card(Pc *pc, Device *dev, GError **error)
{
    g_ptr_array_remove(pc->cards, dev);
    ((PciDevice *)dev)->bus = (PciBus *)pc->chips.bus;
    if (device_realize(dev, pc->machine, error))
        return true;
    free_place(pc, dev);
    return false;
}

void pc_forget_card(Pc *pc, Device *dev)
{
    g_ptr_array_remove(pc->cards, dev);
    free_place(pc, dev);
}

void pc_remove_card(Pc *pc, Device *dev)
{
    free_place(pc, dev);
    machine_remove_device(pc->machine, dev);
}

void pc_tell_card(Pc *pc, const Device *dev)
{
    piix4_pm_slot_plugged(pc->chips.piix4_pm, ((const PciDevice *)dev)->devfn / PCI_FUNCTIONS);
}

void pc_ask_for_card(Pc *pc, const Device *dev)
{
    piix4_pm_slot_unplug(pc->chips.piix4_pm, ((const PciDevice *)dev)->devfn / PCI_FUNCTIONS);
}

void pc_plug(Pc *pc, Device *dev)
{
    g_ptr_array_add(pc->plugged, dev);
}

bool pc_has_plugged(const Pc *pc, const Device *dev)
{
    return g_ptr_array_find(pc->plugged, dev, NULL) || g_ptr_array_find(pc->cards, dev, NULL);
}

/* --- input ------------------------------------------------------------------------------------------------------ */

static void get_registers(void *opaque, VmportRegisters *r)
{
    struct kvm_regs regs = {.rax = 0};

    vcpu_get_registers(((Pc *)opaque)->kvm->current, &regs);
    *r = (VmportRegisters){.eax = (uint32_t)regs.rax,
                           .ebx = (uint32_t)regs.rbx,
                           .ecx = (uint32_t)regs.rcx,
                           .edx = (uint32_t)regs.rdx,
                           .esi = (uint32_t)regs.rsi,
                           .edi = (uint32_t)regs.rdi};
}

static void set_registers(void *opaque, const VmportRegisters *r)
{
    Vcpu *vcpu = ((Pc *)opaque)->kvm->current;
    struct kvm_regs regs;

    if (!vcpu_get_registers(vcpu, &regs))
        return;
    regs.rax = r->eax;
    regs.rbx = r->ebx;
    regs.rcx = r->ecx;
    regs.rdx = r->edx;
    regs.rsi = r->esi;
    regs.rdi = r->edi;
    vcpu_set_registers(vcpu, &regs);
}

static void make_input(Pc *pc)
{
    const VmportCpu cpu = {.get = get_registers, .set = set_registers, .opaque = pc};
    PcChips *c = &pc->chips;

    c->keyboard = device_new(&ps2_keyboard_type);
    c->mouse = device_new(&ps2_mouse_type);
    c->pckbd = device_new(&pckbd_type);
    pckbd_attach(c->pckbd, c->keyboard, c->mouse);
    device_connect_irq(c->pckbd, "keyboard-irq", 0, pc->isa->irq[KEYBOARD_LINE]);
    device_connect_irq(c->pckbd, "mouse-irq", 0, pc->isa->irq[MOUSE_LINE]);
    connect_request(pc, c->pckbd, "reset", PC_REQUEST_RESET);
    c->port92 = device_new(&port92_type);
    connect_request(pc, c->port92, "reset", PC_REQUEST_RESET);
    c->vmport = device_new(&vmport_type);
    if (pc->kvm)
        vmport_set_cpu(c->vmport, &cpu);
    vmport_set_memory(c->vmport, pc->options.ram);
    c->vmmouse = device_new(&vmmouse_type);
    vmmouse_attach(c->vmmouse, c->vmport, c->mouse);
}

/* --- in the stream's order -------------------------------------------------------------------------------------- */

/* Those that the machine has not taken when one fails are freed. */
typedef struct Line {
    Device *devices[96 + PCI_SLOTS * PCI_FUNCTIONS];
    unsigned count;
} Line;

static void queue(Line *line, Device *dev)
{
    line->devices[line->count++] = dev;
}

static bool find_instruction(void *opaque, uint64_t *address)
{
    const Pc *pc = opaque;

    return pc->kvm->current && vcpu_get_code_address(pc->kvm->current, address);
}

static Device *vapic_new(Pc *pc)
{
    Device *vapic = device_new(&kvmvapic_type);

    if (pc->kvm)
        kvmvapic_set_cpu(vapic, find_instruction, pc);
    return vapic;
}

static void queue_cpus(Pc *pc, Line *line)
{
    for (unsigned i = 0; i < pc->options.cpus; i++) {
        const CpuDevices cpu =
            cpu_devices_new(i, pc->vcpus[i], pc->kvm && pc->chip_place == KVM_CHIPS_NONE ? &pc->lapics : NULL);
        queue(line, cpu.common);
        queue(line, cpu.cpu);
        if (i == 0) {
            pc->chips.boot_cpu = cpu.cpu;
            queue(line, vapic_new(pc));
        }
        queue(line, cpu.apic);
    }
}

static void queue_serial(Pc *pc, Line *line)
{
    static const uint16_t ports[PC_SERIAL_PORTS] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

    for (int i = 0; i < PC_SERIAL_PORTS; i++) {
        const SerialOptions serial = {
            .isa = pc->isa, .chardev = pc->options.serial[i], .iobase = ports[i], .irq = i % 2 ? 3 : 4};
        if (pc->options.serial[i])
            queue(line, serial_new(&serial));
    }
}

static void queue_modules(Pc *pc, Line *line)
{
    for (unsigned i = 0; i < MEMORY_MODULES; i++) {
        Device *module = device_new(&smbus_eeprom_type);
        smbus_eeprom_set(module, pc->chips.smbus, (uint8_t)(FIRST_MODULE + i), NULL);
        queue(line, module);
    }
}

/* They are the line's then. */
static void queue_array(GPtrArray *devices, Line *line)
{
    for (unsigned i = 0; i < devices->len && line->count < G_N_ELEMENTS(line->devices); i++)
        queue(line, devices->pdata[i]);
    g_ptr_array_set_free_func(devices, NULL);
    g_ptr_array_set_size(devices, 0);
}

static void queue_all(Pc *pc, Line *line)
{
    PcChips *c = &pc->chips;

    queue_array(pc->plugged, line);
    queue_cpus(pc, line);
    pc->chips.kvm_clock = pc->kvm ? kvm_clock_new(pc->kvm) : kept_kvm_clock_new();
    queue(line, pc->chips.kvm_clock);
    Device *const first[] = {c->fw_cfg, c->host,   c->bus,    c->i440fx, c->dma[0], c->dma[1], c->piix3,
                             c->pic[0], c->pic[1], c->ioapic, c->hpet,   c->rtc,    c->pit,    c->pcspk};
    for (size_t i = 0; i < G_N_ELEMENTS(first); i++)
        queue(line, first[i]);
    queue_serial(pc, line);
    Device *const second[] = {c->fdc,     c->keyboard, c->mouse, c->pckbd, c->vmport,
                              c->vmmouse, c->port92,   c->ide,   c->smbus, c->piix4_pm};
    for (size_t i = 0; i < G_N_ELEMENTS(second); i++)
        queue(line, second[i]);
    queue_modules(pc, line);
    for (unsigned i = 0; i < pc->cards->len; i++)
        ((PciDevice *)pc->cards->pdata[i])->bus = (PciBus *)c->bus;
    queue_array(pc->cards, line);
    queue(line, c->acpi_build);
    queue(line, c->globalstate);
    if (pc->options.debug)
        queue(line, debugcon_new(pc->options.debug, DEBUG_PORT));
}

bool pc_build_board(Pc *pc, GError **error)
{
    PcChips *c = &pc->chips;
    Line line = {.count = 0};
    unsigned done = 0;

    make_controllers(pc);
    make_bridges(pc);
    make_timers(pc);
    make_power_management(pc);
    make_input(pc);
    make_ide(pc);
    for (int i = 0; i < 2; i++)
        c->dma[i] = i8257_new(i == 1);
    i8257_connect(c->dma[0], c->dma[1], pc->isa);
    c->fdc = device_new(&fdc_type);
    device_connect_irq(c->fdc, "irq", 0, pc->isa->irq[FLOPPY_LINE]);
    c->fw_cfg = device_new(&fw_cfg_type);
    c->acpi_build = device_new(&acpi_build_type);
    c->globalstate = device_new(&globalstate_type);
    queue_all(pc, &line);
    while (done < line.count && device_realize(line.devices[done], pc->machine, error))
        done++;
    bool ok = done == line.count;
    for (; done < line.count; done++)
        device_free(line.devices[done]);
    return ok;
}
