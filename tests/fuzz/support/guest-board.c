/* guest-board.c: a PC without processors. */
#include "tests/fuzz/support/guest-board.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "emu/block/blk-memory.h"
#include "emu/dev/acpi_build.h"
#include "emu/dev/dev.h"
#include "emu/dev/fdc-impl.h"
#include "emu/dev/fw_cfg.h"
#include "emu/dev/i8254.h"
#include "emu/dev/i8257-impl.h"
#include "emu/dev/i8259.h"
#include "emu/dev/ide.h"
#include "emu/dev/ioapic.h"
#include "emu/dev/pckbd.h"
#include "emu/dev/pcspk.h"
#include "emu/dev/serial.h"
#include "emu/dev/vmmouse.h"
#include "emu/pci/chipset.h"
#include "tests/fuzz/support/fuzz.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"
#include "vmstate/state.h"

enum {
    ROM_BASE = 0xe0000,
    ROM_SIZE = 0x20000,
    PIIX3_SLOT = 1,
    GADGET_SLOT = 2,
    IDE_SLOT = 3,
    IDE_LINE = 14,
    CD_BUS = 1,
    GUEST_PAGE = 4096
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
    GuestBoard *b = opaque;

    b->messages += address ^ data;
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
    ioapic_set_output(ioapic, (IoapicOutput){.send = send, .opaque = b});
    add(b, CHIP_IOAPIC, ioapic);
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
    piix3_ide_attach(ide, CD_BUS, 0, &(IdeUnit){.kind = IDE_CD, .block = b->cd});
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
    add_clocks(b);
    add_dma(b);
    add_fw_cfg(b);
    add_serial(b);
    add_input(b);
    add_others(b);
    space_update_end(b->machine->ports);
    space_update_end(b->machine->memory);
    machine_reset(b->machine);
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

/* --- disks ------------------------------------------------------------------------------------------------------- */

/* One may make the other's drive begin something, too. */
static void finish_disks(GuestBoard *b)
{
    block_drain(b->disk);
    block_drain(b->cd);
}

static void was_flushed(void *opaque, int error)
{
    (void)opaque;
    (void)error;
}

/* A failure that is still to come happens to nobody: the next request's it would be, and another board has not got it.
 */
static void spend_failures(Block *block)
{
    block_submit(block, &(BlockRequest){.op = BLOCK_FLUSH, .done = was_flushed});
    block_drain(block);
}

static void put_medium(GuestBoard *b, bool out)
{
    b->cd_out = out;
    piix3_ide_change_medium(b->chips[CHIP_IDE], CD_BUS, 0, out ? NULL : b->cd);
}

void guest_board_disk_event(GuestBoard *b, unsigned event)
{
    enum { NOTHING, MEDIUM_OUT, MEDIUM_IN, BUTTON, DISK_FAILS, CD_FAILS, EVENTS };

    finish_disks(b);
    switch (event % EVENTS) {
    case MEDIUM_OUT:
    case MEDIUM_IN:
        put_medium(b, event % EVENTS == MEDIUM_OUT);
        break;
    case BUTTON:
        piix3_ide_press_eject(b->chips[CHIP_IDE], CD_BUS, 0);
        break;
    case DISK_FAILS:
        blk_memory_fail(b->disk, 0, EIO);
        break;
    case CD_FAILS:
        blk_memory_fail(b->cd, 0, EIO);
        break;
    default:
        break;
    }
}

/* --- running ----------------------------------------------------------------------------------------------------- */

void guest_board_obey(GuestBoard *b)
{
    if (b->reset_wanted)
        machine_reset(b->machine);
    b->reset_wanted = false;
}

void guest_board_jump(GuestBoard *b, int64_t ns)
{
    b->virtual_ns += ns;
    b->host_ns += ns;
    clock_run(b->machine->virtual_clock);
    clock_run(b->machine->host_clock);
    finish_disks(b);
}

void guest_board_step(GuestBoard *b, int64_t ns, unsigned steps)
{
    for (; ns > 0 && steps; steps--) {
        int64_t to_virtual = clock_deadline(b->machine->virtual_clock) - b->virtual_ns;
        int64_t to_host = clock_deadline(b->machine->host_clock) - b->host_ns;
        int64_t step = MIN(ns, MAX(MIN(to_virtual, to_host), 1));
        guest_board_jump(b, step);
        ns -= step;
    }
    guest_board_jump(b, ns);
}

/* --- saving and loading ------------------------------------------------------------------------------------------ */

const Section *guest_board_section(const GuestBoard *b, GuestChip chip)
{
    for (size_t i = 0; i < section_list_length(b->machine->sections); i++)
        if (section_list_get(b->machine->sections, i)->opaque == b->chips[chip])
            return section_list_get(b->machine->sections, i);
    return NULL;
}

void guest_board_save(GuestBoard *b, GuestChip chip, GuestFormat format, ByteOut *octets)
{
    const Section *s = guest_board_section(b, chip);
    GError *error = NULL;
    Visitor *v =
        format == GUEST_QEMUFILE ? qemufile_out_new(octets, s->name) : ber_out_new(octets, s->name, BER_CONTEXT, 0);

    fuzz_check(section_save(s, v, &error), "%s does not save: %s", s->name, fuzz_message(error));
}

bool guest_board_load(GuestBoard *b, GuestChip chip, GuestFormat format, int version, const ByteOut *octets,
                      GError **error)
{
    const Section *s = guest_board_section(b, chip);
    g_autoptr(SectionLoad) load = section_load_new(b->machine->sections);
    g_autoptr(ChanIn) in = chan_in_new_memory(octets->data, octets->len, 0);
    Visitor *v = format == GUEST_QEMUFILE ? qemufile_in_new(in, s->name)
                                          : ber_in_new(octets->data, octets->len, 0, s->name, BER_CONTEXT, 0);
    /* A drive whose status says so has its buffer, which the stream may have left out. */
    size_t room = chip == CHIP_IDE ? 4 * (256 * 512 + 4096) : 4096;
    void *before = vms_state_new(s->desc);

    vms_state_copy(s->desc, before, s->state);
    bool ok = section_load_one(load, s, v, version, format == GUEST_BER_BY_NAME ? s->desc : NULL, error) &&
              section_load_commit(load, error);
    fuzz_check(ok || vms_state_equal(s->desc, before, s->state), "%s was refused, and has changed", s->name);
    fuzz_check(!ok || format != GUEST_QEMUFILE || vms_state_wire_size(s->desc, s->state) <= octets->len + room,
               "%s is larger than what was loaded", s->name);
    vms_state_free(s->desc, before);
    return ok;
}

static void check_same(const char *name, const ByteOut *once, const ByteOut *twice)
{
    size_t i = 0;

    while (i < once->len && i < twice->len && once->data[i] == twice->data[i])
        i++;
    if (i < once->len || i < twice->len) {
        g_autofree char *a = bytes_show(once->data, once->len), *b2 = bytes_show(twice->data, twice->len);
        fprintf(stderr, "%s\n%s\n", a, b2);
    }
    fuzz_check(i == once->len && i == twice->len,
               "%s is another one when it is loaded again: octet 0x%zx of 0x%zx and 0x%zx is 0x%02x, then 0x%02x", name,
               i, once->len, twice->len, i < once->len ? once->data[i] : 0, i < twice->len ? twice->data[i] : 0);
}

void guest_board_save_and_load(GuestBoard *b, GuestChip chip, GuestFormat format)
{
    const Section *s = guest_board_section(b, chip);
    ByteOut once = {0}, twice = {0};
    GError *error = NULL;

    guest_board_save(b, chip, format, &once);
    fuzz_check(guest_board_load(b, chip, format, s->desc->version, &once, &error), "what is saved does not load: %s",
               fuzz_message(error));
    guest_board_save(b, chip, format, &twice);
    check_same(s->name, &once, &twice);
    byte_out_done(&once);
    byte_out_done(&twice);
}

/*
 * What QEMU's sections have no place for. DMA: requests by software; when a channel that starts over is to be served
 * again. PIT: whether a count has yet to come, if a status is latched. FDC: the drive of the output register, if it is
 * not that of the last command.
 */
static bool loses_something(const GuestBoard *b)
{
    const PitState *pit = guest_board_section(b, CHIP_PIT)->state;
    const FdcController *fdc = &((const Fdc *)b->chips[CHIP_FDC])->s.state;

    for (unsigned n = 0; n < PIT_CHANNELS; n++)
        if (pit->channels[n].status_latched)
            return true;
    if ((fdc->dor & 1) != fdc->drive)
        return true;
    for (GuestChip chip = CHIP_DMA_FIRST; chip <= CHIP_DMA_SECOND; chip++) {
        const I8257 *dma = (const I8257 *)b->chips[chip];
        if (dma->software || (timer_armed(&dma->again) && timer_expiry(&dma->again) > b->virtual_ns))
            return true;
    }
    return false;
}

/* Who is at the other end of a line is no part of the state, and goes on where it was. */
static void copy_peers(GuestBoard *to, const GuestBoard *from)
{
    chardev_memory_copy(to->chardev, from->chardev);
    to->registers = from->registers;
    to->dma_supply = from->dma_supply;
    to->dma_step = from->dma_step;
    to->dma_lines = from->dma_lines;
}

GuestBoard *guest_board_copy(GuestBoard *b)
{
    GuestBoard *other = guest_board_new(b->virtual_ns, b->host_ns);
    ByteOut saved[CHIPS] = {{0}};
    GError *error = NULL;

    finish_disks(b);
    spend_failures(b->disk);
    spend_failures(b->cd);
    memcpy(blk_memory_data(other->disk), blk_memory_data(b->disk), GUEST_DISK);
    if (b->cd_out)
        put_medium(other, true);
    for (size_t at = 0; at < GUEST_RAM; at += GUEST_PAGE)
        if (!bytes_are_zero(b->ram->host + at, GUEST_PAGE))
            memcpy(other->ram->host + at, b->ram->host + at, GUEST_PAGE);
    copy_peers(other, b);
    g_autoptr(SectionLoad) load = section_load_new(other->machine->sections);
    for (GuestChip chip = 0; chip < CHIPS; chip++) {
        const Section *s = guest_board_section(other, chip);
        if (!s)
            continue;
        guest_board_save(b, chip, GUEST_QEMUFILE, &saved[chip]);
        g_autoptr(ChanIn) in = chan_in_new_memory(saved[chip].data, saved[chip].len, 0);
        fuzz_check(section_load_one(load, s, qemufile_in_new(in, s->name), s->desc->version, NULL, &error), "%s",
                   fuzz_message(error));
    }
    fuzz_check(section_load_commit(load, &error), "what is saved does not load: %s", fuzz_message(error));
    for (GuestChip chip = 0; chip < CHIPS; chip++) {
        ByteOut twice = {0};
        if (!guest_board_section(other, chip))
            continue;
        guest_board_save(other, chip, GUEST_QEMUFILE, &twice);
        if (!b->patched)
            check_same(other->chips[chip]->type->name, &saved[chip], &twice);
        byte_out_done(&twice);
        byte_out_done(&saved[chip]);
    }
    other->patched = b->patched;
    other->lossy = loses_something(b);
    for (unsigned n = 0; n < ISA_DMA_CHANNELS; n++)
        if (other->dma_lines & 1U << n)
            guest_board_request(other, n, true);
    return other;
}
