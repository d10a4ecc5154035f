/* guest-build.c: all chips of a PC without processors, wired as in a PC. */
#include <string.h>

#include "emu/block/blk-memory.h"
#include "emu/dev/acpi_build.h"
#include "emu/dev/dev.h"
#include "emu/dev/fw_cfg.h"
#include "emu/dev/i8257-impl.h"
#include "emu/dev/i8259.h"
#include "emu/dev/ide.h"
#include "emu/dev/ioapic.h"
#include "emu/dev/pckbd.h"
#include "emu/dev/pcspk.h"
#include "emu/dev/serial.h"
#include "emu/dev/vmmouse.h"
#include "emu/pci/chipset.h"
#include "emu/pci/smbus.h"
#include "tests/fuzz/support/fuzz.h"
#include "tests/fuzz/support/guest-board.h"

enum {
    ROM_BASE = 0xe0000,
    ROM_SIZE = 0x20000,
    PIIX3_SLOT = 1,
    GADGET_SLOT = 2,
    IDE_SLOT = 3,
    PM_SLOT = 4,
    PM_BASE = 0xc200,
    SMBUS_BASE = 0xc240,
    FIRST_MODULE = 0x50,
    SCI_LINE = 9,
    IDE_LINE = 14,
};

/* --- the ends of lines ------------------------------------------------------------------------------------------- */

static int64_t virtual_time(void *opaque)
{
    return ((GuestBoard *)opaque)->virtual_ns;
}

static int64_t host_time(void *opaque)
{
    return ((GuestBoard *)opaque)->host_ns;
}

/* A line of the ISA bus; one that only the I/O APIC has: those above 15, and the one where the PICs are cascaded. */
static void interrupt(void *opaque, unsigned n, bool level)
{
    GuestBoard *b = opaque;
    Irq pin = device_input(b->chips[CHIP_IOAPIC], "irq", n == 0 ? I8259_CASCADE : n);

    if (n < ISA_IRQS && n != I8259_CASCADE) {
        Irq irq = device_input(b->chips[n < I8259_IRQS ? CHIP_PIC_MASTER : CHIP_PIC_SLAVE], "irq", n % I8259_IRQS);
        irq_set(&irq, level);
    }
    irq_set(&pin, level);
}

static void want_reset(void *opaque, unsigned n, bool level)
{
    GuestBoard *b = opaque;

    (void)n;
    b->reset_wanted = b->reset_wanted || level;
}

static void send(void *opaque, uint64_t address, uint32_t data)
{
    lapic_send(&((GuestBoard *)opaque)->lapics, address, data);
}

static int acknowledge(void *opaque)
{
    const GuestBoard *b = opaque;

    return i8259_acknowledge(b->chips[CHIP_PIC_MASTER], b->chips[CHIP_PIC_SLAVE]);
}

static void end_interrupt(void *opaque, uint8_t vector)
{
    ioapic_eoi(((GuestBoard *)opaque)->chips[CHIP_IOAPIC], vector);
}

static void set_intr(void *opaque, unsigned n, bool level)
{
    (void)n;
    lapic_set_intr(&((GuestBoard *)opaque)->lapics, level);
}

static void get_registers(void *opaque, VmportRegisters *registers)
{
    *registers = ((GuestBoard *)opaque)->registers;
}

static void set_registers(void *opaque, const VmportRegisters *registers)
{
    ((GuestBoard *)opaque)->registers = *registers;
}

static size_t transfer(void *opaque, unsigned channel, size_t pos, size_t len)
{
    GuestBoard *b = opaque;
    const IsaDmaOps *ops = b->isa->dma;
    size_t want = MIN(MIN(b->dma_step, b->dma_supply), GUEST_DMA), gone;

    fuzz_check(pos < len && len <= 0x20000, "the DMA client is asked for octet %zu of %zu", pos, len);
    if (ops->reads_memory(b->isa->dma_opaque, channel))
        gone = ops->read(b->isa->dma_opaque, channel, pos, b->dma, want);
    else
        gone = ops->write(b->isa->dma_opaque, channel, pos, b->dma, want);
    fuzz_check(gone <= want, "%zu octets of %zu were moved", gone, want);
    b->dma_supply -= gone;
    if (!b->dma_supply)
        guest_board_request(b, channel, false);
    return pos + gone;
}

/* All of them are one device, which has more now. */
void guest_board_request(GuestBoard *b, unsigned channel, bool level)
{
    const IsaDmaOps *ops = b->isa->dma;

    b->dma_lines = (uint8_t)(level ? b->dma_lines | 1U << channel : b->dma_lines & ~(1U << channel));
    ops->request(b->isa->dma_opaque, channel, level);
    for (unsigned n = 0; level && n < ISA_DMA_CHANNELS; n++)
        if (b->dma_lines & 1U << n)
            ops->request(b->isa->dma_opaque, n, true);
}

/* --- building ---------------------------------------------------------------------------------------------------- */

static Device *add(GuestBoard *b, GuestChip chip, Device *dev)
{
    GError *error = NULL;

    b->chips[chip] = dev;
    fuzz_check(device_realize(dev, b->machine, &error), "%s: %s", dev->type->name, fuzz_message(error));
    return dev;
}

static RamArea *add_memory(GuestBoard *b, const char *name, uint64_t size, uint64_t maximum)
{
    RamArea *area = ram_area_new(name, size, maximum, NULL);

    fuzz_check(area, "no memory");
    machine_add_ram(b->machine, area);
    return area;
}

static void set_option(Device *dev, const char *name)
{
    const VMStateField *f = vms_field_find(dev->type->options, name, 0, NULL);

    fuzz_check(f, "%s has no option %s", dev->type->name, name);
    *(bool *)((char *)dev + f->offset) = true;
}

static void on_pci(GuestBoard *b, Device *dev, unsigned slot)
{
    ((PciDevice *)dev)->bus = (PciBus *)b->chips[CHIP_BUS];
    ((PciDevice *)dev)->devfn = PCI_DEVFN(slot, 0);
}

static void add_interrupt_controllers(GuestBoard *b)
{
    Device *ioapic = device_new(&ioapic_type);

    add(b, CHIP_PIC_MASTER, i8259_new(true));
    add(b, CHIP_PIC_SLAVE, i8259_new(false));
    device_connect(b->chips[CHIP_PIC_SLAVE], "int", 0, b->chips[CHIP_PIC_MASTER], "irq", I8259_CASCADE);
    device_connect_irq(b->chips[CHIP_PIC_MASTER], "int", 0, (Irq){set_intr, b, 0});
    ioapic_set_output(ioapic, (IoapicOutput){.send = send, .opaque = b});
    add(b, CHIP_IOAPIC, ioapic);
    b->lapics = (LapicBus){.acknowledge = acknowledge, .end = end_interrupt, .opaque = b};
    for (unsigned i = 0; i < GUEST_CPUS; i++)
        add(b, CHIP_LAPIC + i, lapic_new(&b->lapics, i, &(LapicCpu){.opaque = b}));
}

static void add_pci(GuestBoard *b)
{
    Device *host = device_new(&pci_host_type), *i440fx = device_new(&i440fx_type), *piix3 = device_new(&piix3_type);
    PciBus *bus = (PciBus *)add(b, CHIP_BUS, device_new(&pci_bus_type));
    RamArea *rom = add_memory(b, "pc.bios", ROM_SIZE, ROM_SIZE);

    bus->send = send;
    bus->send_opaque = b;
    pci_host_set_bus(host, &bus->dev);
    add(b, CHIP_HOST, host);
    space_map(b->machine->memory,
              &(SpaceMapping){
                  .base = ROM_BASE, .size = ROM_SIZE, .priority = PCI_PRIORITY_MEMORY, .ram = rom, .read_only = true});
    on_pci(b, i440fx, 0);
    i440fx_set_ram(i440fx, b->ram);
    add(b, CHIP_I440FX, i440fx);
    on_pci(b, piix3, PIIX3_SLOT);
    for (unsigned n = 0; n < ISA_IRQS; n++)
        device_connect_irq(piix3, "irq", n, (Irq){interrupt, b, n});
    device_connect_irq(piix3, "reset", 0, (Irq){want_reset, b, 0});
    b->isa = piix3_isa(piix3);
    add(b, CHIP_PIIX3, piix3);
    for (unsigned n = 0; n < PCI_PINS; n++)
        device_connect(&bus->dev, "pirq", n, piix3, "pirq", n);
    Device *gadget = device_new(&guest_gadget_type);
    on_pci(b, gadget, GADGET_SLOT);
    add(b, CHIP_GADGET, gadget);
}

/* A processor that the guest lets go is gone; a slot has nothing in it that could. */
static void eject_cpu(void *opaque, unsigned cpu)
{
    GuestBoard *b = opaque;

    fuzz_check(cpu < GUEST_CPUS, "processor %u of %u is ejected", cpu, GUEST_CPUS);
    guest_board_set_cpu(b, cpu, false);
}

static void eject_slot(void *opaque, unsigned slot)
{
    (void)opaque;
    fuzz_check(slot < PCI_SLOTS, "slot %u is ejected", slot);
}

static void note_status(void *opaque, unsigned cpu, uint32_t event, uint32_t status)
{
    (void)opaque;
    (void)event;
    (void)status;
    fuzz_check(cpu < GUEST_CPUS, "a status of processor %u of %u", cpu, GUEST_CPUS);
}

void guest_board_set_cpu(GuestBoard *b, unsigned cpu, bool present)
{
    b->cpus = (uint8_t)(present ? b->cpus | 1U << cpu : b->cpus & ~(1U << cpu));
    piix4_pm_set_cpu(b->chips[CHIP_PIIX4_PM], cpu, cpu, present);
}

static void add_power_management(GuestBoard *b)
{
    Device *pm = device_new(&piix4_pm_type), *module = device_new(&smbus_eeprom_type);
    Device *smbus = add(b, CHIP_SMBUS, device_new(&smbus_type));

    b->chips[CHIP_PIIX4_PM] = pm;
    on_pci(b, pm, PM_SLOT);
    set_option(pm, "smm");
    piix4_pm_set_smbus(pm, smbus);
    piix4_pm_set_requests(pm, &(Piix4Requests){eject_slot, eject_cpu, note_status, b});
    piix4_pm_set_cpus(pm, GUEST_CPUS);
    for (unsigned i = 0; i < GUEST_CPUS; i++)
        guest_board_set_cpu(b, i, true);
    device_connect_irq(pm, "sci", 0, b->isa->irq[SCI_LINE]);
    add(b, CHIP_PIIX4_PM, pm);
    smbus_eeprom_set(module, smbus, FIRST_MODULE, NULL);
    add(b, CHIP_MODULE, module);
}

static Block *add_disk(GuestBoard *b, bool discard)
{
    Block *disk = blk_memory_new(&(BlkMemory){b->context, GUEST_DISK, false, discard}, NULL);

    fuzz_check(disk, "no memory");
    for (size_t i = 0; i < GUEST_DISK; i++)
        blk_memory_data(disk)[i] = (uint8_t)(i * 7 + i / 512);
    return disk;
}

static void add_ide(GuestBoard *b)
{
    Device *ide = device_new(&piix3_ide_type);

    b->disk = add_disk(b, true);
    b->cd = add_disk(b, false);
    on_pci(b, ide, IDE_SLOT);
    piix3_ide_attach(ide, 0, 0, &(IdeUnit){.kind = IDE_DISK, .block = b->disk});
    piix3_ide_attach(ide, GUEST_CD_BUS, 0, &(IdeUnit){.kind = IDE_CD, .block = b->cd});
    for (unsigned n = 0; n < IDE_BUSES; n++)
        device_connect_irq(ide, "irq", n, b->isa->irq[IDE_LINE + n]);
    add(b, CHIP_IDE, ide);
}

/* The PIT, the RTC, and the HPET that may take their interrupts away. */
static void add_clocks(GuestBoard *b)
{
    Device *pit = device_new(&i8254_type), *hpet = device_new(&hpet_type), *rtc = device_new(&mc146818rtc_type),
           *pcspk = device_new(&pcspk_type);

    set_option(hpet, "msi");
    for (unsigned n = 0; n < IOAPIC_PINS; n++)
        device_connect_irq(hpet, "irq", n,
                           n < ISA_IRQS && n != I8259_CASCADE ? b->isa->irq[n] : (Irq){interrupt, b, n});
    device_connect(hpet, "legacy", 0, pit, "hpet legacy", 0);
    device_connect(pit, "irq", 0, hpet, "pit", 0);
    device_connect(rtc, "irq", 0, hpet, "rtc", 0);
    add(b, CHIP_HPET, hpet);
    add(b, CHIP_PIT, pit);
    add(b, CHIP_RTC, rtc);
    pcspk_set_pit(pcspk, &i8254_ops, pit);
    add(b, CHIP_PCSPK, pcspk);
}

static void add_dma(GuestBoard *b)
{
    Device *first = i8257_new(false), *second = i8257_new(true);

    i8257_connect(first, second, b->isa);
    add(b, CHIP_DMA_FIRST, first);
    add(b, CHIP_DMA_SECOND, second);
    for (unsigned channel = 0; channel < ISA_DMA_CHANNELS; channel++)
        if (channel != 4)
            b->isa->dma->attach(b->isa->dma_opaque, channel, (IsaDmaClient){transfer, b});
}

static void tables_selected(void *opaque)
{
    GuestBoard *b = opaque;

    if (acpi_build_first_read(b->chips[CHIP_ACPI_BUILD]))
        fw_cfg_resize_file(b->chips[CHIP_FW_CFG], "etc/acpi/tables", 0x3000, NULL);
}

static void file_written(void *opaque, const void *data, size_t size)
{
    (void)opaque;
    fuzz_touch(data, size);
}

static void add_fw_cfg(GuestBoard *b)
{
    g_autoptr(GBytes) text = g_bytes_new_static("it is what it is", 16);
    g_autoptr(GBytes) room = g_bytes_new_static("01234567", 8);
    RamArea *tables = add_memory(b, "/rom@etc/acpi/tables", 0x2000, FW_CFG_ACPI_TABLES_MAX);
    RamArea *loader = add_memory(b, "/rom@etc/table-loader", 0x1000, FW_CFG_LOADER_MAX);
    RamArea *rsdp = add_memory(b, "/rom@etc/acpi/rsdp", 0x1000, FW_CFG_RSDP_MAX);
    const FwCfgFile files[] = {
        {.name = "etc/acpi/tables", .ram = tables, .size = 0x2000, .selected = tables_selected, .opaque = b},
        {.name = "etc/table-loader", .ram = loader, .size = 0x800},
        {.name = "etc/acpi/rsdp", .ram = rsdp, .size = 20},
        {.name = "opt/text", .octets = text},
        {.name = "opt/room", .octets = room, .writeable = true, .written = file_written},
    };
    GError *error = NULL;

    add(b, CHIP_ACPI_BUILD, device_new(&acpi_build_type));
    Device *fw_cfg = add(b, CHIP_FW_CFG, device_new(&fw_cfg_type));
    for (size_t i = 0; i < G_N_ELEMENTS(files); i++)
        fuzz_check(fw_cfg_add_file(fw_cfg, &files[i], &error), "%s", fuzz_message(error));
    fw_cfg_set_u64(fw_cfg, FW_CFG_RAM_SIZE, GUEST_RAM);
    fw_cfg_set_text(fw_cfg, FW_CFG_CMDLINE_DATA, "quiet");
}

static void add_serial(GuestBoard *b)
{
    const ChardevHome home = {.label = "serial0", .context = b->context, .lock = b->machine->lock};

    b->chardev = chardev_new_memory(&home, &(ChardevMemory){.size = 32, .patient = true});
    add(b, CHIP_SERIAL, serial_new(&(SerialOptions){b->isa, b->chardev, 0x3f8, 4}));
}

static void add_input(GuestBoard *b)
{
    Device *keyboard = device_new(&ps2_keyboard_type), *mouse = device_new(&ps2_mouse_type),
           *pckbd = device_new(&pckbd_type), *vmport = device_new(&vmport_type), *vmmouse = device_new(&vmmouse_type);

    device_connect_irq(pckbd, "keyboard-irq", 0, b->isa->irq[1]);
    device_connect_irq(pckbd, "mouse-irq", 0, b->isa->irq[12]);
    device_connect_irq(pckbd, "reset", 0, (Irq){want_reset, b, 0});
    set_option(pckbd, "kbd-throttle");
    pckbd_attach(pckbd, keyboard, mouse);
    add(b, CHIP_KEYBOARD, keyboard);
    add(b, CHIP_MOUSE, mouse);
    add(b, CHIP_PCKBD, pckbd);
    vmport_set_cpu(vmport, &(VmportCpu){get_registers, set_registers, b});
    vmport_set_memory(vmport, GUEST_RAM);
    add(b, CHIP_VMPORT, vmport);
    vmmouse_attach(vmmouse, vmport, mouse);
    add(b, CHIP_VMMOUSE, vmmouse);
}

static void add_others(GuestBoard *b)
{
    Device *fdc = device_new(&fdc_type), *port92 = device_new(&port92_type);

    set_option(fdc, "drive-a");
    device_connect_irq(fdc, "irq", 0, b->isa->irq[6]);
    add(b, CHIP_FDC, fdc);
    device_connect_irq(port92, "reset", 0, (Irq){want_reset, b, 0});
    add(b, CHIP_PORT92, port92);
    add(b, CHIP_GLOBALSTATE, device_new(&globalstate_type));
}

/* As the firmware leaves it: the registers of power management are there. */
static void set_up(GuestBoard *b)
{
    static const struct {
        unsigned reg;
        uint32_t value;
    } firmware[] = {{0x40, PM_BASE | 1}, {0x80, 1}, {0x90, SMBUS_BASE | 1}, {0xd0, 0x090000}, {0x04, 1}};

    for (size_t i = 0; i < G_N_ELEMENTS(firmware); i++) {
        space_write(b->machine->ports, 0xcf8, 0x80000000 | PM_SLOT << 11 | firmware[i].reg, 4);
        space_write(b->machine->ports, 0xcfc, firmware[i].value, 4);
    }
    space_write(b->machine->ports, 0xcf8, 0, 4);
}

GuestBoard *guest_board_new(int64_t virtual_ns, int64_t host_ns)
{
    GuestBoard *b = g_new0(GuestBoard, 1);

    b->virtual_ns = virtual_ns;
    b->host_ns = host_ns;
    b->dma_step = SIZE_MAX;
    b->machine = machine_new(&(MachineClocks){virtual_time, host_time, b});
    b->context = g_main_context_new();
    space_update_start(b->machine->memory); /* one change of each is much faster than one a chip */
    space_update_start(b->machine->ports);
    b->ram = add_memory(b, "pc.ram", GUEST_RAM, GUEST_RAM);
    add_interrupt_controllers(b);
    add_pci(b);
    add_ide(b);
    add_power_management(b);
    add_clocks(b);
    add_dma(b);
    add_fw_cfg(b);
    add_serial(b);
    add_input(b);
    add_others(b);
    space_update_end(b->machine->ports);
    space_update_end(b->machine->memory);
    machine_reset(b->machine);
    set_up(b);
    b->reset_wanted = false;
    return b;
}

void guest_board_free(GuestBoard *b)
{
    space_update_start(b->machine->memory); /* nobody looks at it any more */
    space_update_start(b->machine->ports);
    machine_free(b->machine);
    chardev_free(b->chardev);
    block_free(b->disk);
    block_free(b->cd);
    g_main_context_unref(b->context);
    g_free(b);
}
