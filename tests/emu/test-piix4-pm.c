/* test-piix4-pm.c: ACPI's registers, hot plug and where the ports are. The SMBus is in test-smbus.c. */
#include <criterion/criterion.h>

#include "emu/pci/acpi.h"
#include "emu/pci/chipset.h"
#include "tests/emu/support/board.h"

enum { SCI = 9, SMI = 20, SHUTDOWN = 21, SUSPEND = 22, PM = 0x600, SLOT = 1, FUNCTION = 3 };

typedef struct Bench {
    Board *board;
    PciBus *bus;
    Device *pm;
    unsigned ejected_slot, ejected_cpu, told_cpu;
    uint32_t event, status;
} Bench;

static void eject_slot(void *opaque, unsigned slot)
{
    ((Bench *)opaque)->ejected_slot = slot;
}

static void eject_cpu(void *opaque, unsigned cpu)
{
    Bench *b = opaque;

    b->ejected_cpu = cpu;
    piix4_pm_set_cpu(b->pm, cpu, cpu * 2, false);
}

static void cpu_status(void *opaque, unsigned cpu, uint32_t event, uint32_t status)
{
    Bench *b = opaque;

    b->told_cpu = cpu;
    b->event = event;
    b->status = status;
}

static void set_option(Device *dev, const char *name, bool value)
{
    const VMStateField *f = dev->type->options->fields;

    while (strcmp(f->name, name) != 0)
        f++;
    *((bool *)dev + f->offset) = value;
}

/* With processors of the APIC ids 0, 2, 4, of which the first is there. */
static void bench_init_cpus(Bench *b, bool smm, unsigned cpus)
{
    Device *host = device_new(&pci_host_type), *bus;

    *b = (Bench){.board = board_new()};
    bus = board_add(b->board, device_new(&pci_bus_type));
    pci_host_set_bus(host, bus);
    board_add(b->board, host);
    b->bus = (PciBus *)bus;
    b->pm = device_new(&piix4_pm_type);
    ((PciDevice *)b->pm)->bus = b->bus;
    ((PciDevice *)b->pm)->devfn = PCI_DEVFN(SLOT, FUNCTION);
    set_option(b->pm, "smm", smm);
    piix4_pm_set_requests(b->pm, &(Piix4Requests){eject_slot, eject_cpu, cpu_status, b});
    piix4_pm_set_cpus(b->pm, cpus);
    for (unsigned n = 0; n < cpus; n++)
        piix4_pm_set_cpu(b->pm, n, n * 2, n == 0);
    device_connect_irq(b->pm, "sci", 0, board_probe(b->board, SCI));
    device_connect_irq(b->pm, "smi", 0, board_probe(b->board, SMI));
    device_connect_irq(b->pm, "shutdown", 0, board_probe(b->board, SHUTDOWN));
    device_connect_irq(b->pm, "suspend", 0, board_probe(b->board, SUSPEND));
    board_add(b->board, b->pm);
}

static void bench_init(Bench *b, bool smm)
{
    bench_init_cpus(b, smm, 3);
}

static void config_out(Bench *b, unsigned reg, uint32_t value, unsigned size)
{
    board_out32(b->board, 0xcf8, 0x80000000U | PCI_DEVFN(SLOT, FUNCTION) << 8 | (reg & 0xfc));
    space_write(b->board->machine->ports, 0xcfc + reg % 4, value, size);
}

static uint8_t config_in8(Bench *b, unsigned reg)
{
    board_out32(b->board, 0xcf8, 0x80000000U | PCI_DEVFN(SLOT, FUNCTION) << 8 | (reg & 0xfc));
    return board_in8(b->board, (uint16_t)(0xcfc + reg % 4));
}

/* With the ports where the firmware puts them, and no status left. */
static void bench_enable(Bench *b)
{
    bench_init(b, true);
    config_out(b, 0x40, PM | 1, 4);
    config_out(b, 0x80, 1, 1);
    board_out16(b->board, PM, 0xffff);
}

Test(piix4_pm, after_reset_it_is_as_qemu_shows_it)
{
    static const uint8_t values[][2] = {{0x00, 0x86}, {0x01, 0x80}, {0x02, 0x13}, {0x03, 0x71}, {0x06, 0x80},
                                        {0x07, 0x02}, {0x08, 0x03}, {0x0a, 0x80}, {0x0b, 0x06}, {0x2c, 0xf4},
                                        {0x2d, 0x1a}, {0x2f, 0x11}, {0x3d, 0x01}, {0x40, 0x01}, {0x5f, 0x10},
                                        {0x63, 0x60}, {0x67, 0x08}, {0x90, 0x01}, {0x91, 0xb1}, {0xd2, 0x09}};
    Bench b;

    bench_enable(&b);
    machine_reset(b.board->machine);
    for (unsigned reg = 0, i = 0; reg < 256; reg++) {
        bool listed = i < G_N_ELEMENTS(values) && values[i][0] == reg;
        cr_assert_eq(config_in8(&b, reg), listed ? values[i][1] : 0, "register 0x%02x", reg);
        i += listed;
    }
    cr_assert_eq(board_in16(b.board, PM + 4), 0xffff, "the ports are gone");
    board_free(b.board);
}

Test(piix4_pm, its_ports_are_where_the_guest_puts_them)
{
    Bench b;

    bench_init(&b, true);
    config_out(&b, 0x40, 0x601, 4);
    cr_assert_eq(board_in8(b.board, 0x602), 0xff, "not enabled");
    config_out(&b, 0x80, 1, 1);
    cr_assert_eq(board_in16(b.board, 0x602), 0);
    cr_assert_eq(board_in16(b.board, 0x606), 0xffff);
    cr_assert_eq(board_in32(b.board, 0x608), 0);
    cr_assert_eq(board_in8(b.board, 0x60c), 0xff);
    config_out(&b, 0x40, 0x7041, 4);
    cr_assert_eq(board_in16(b.board, 0x602), 0xffff);
    cr_assert_eq(board_in16(b.board, 0x7042), 0);
    cr_assert_eq(board_in8(b.board, 0xb10d), 2);
    config_out(&b, 0x90, 0x701, 4);
    cr_assert_eq(board_in8(b.board, 0xb10d), 0xff);
    cr_assert_eq(board_in8(b.board, 0x70d), 2);
    config_out(&b, 0xd2, 0x08, 1);
    cr_assert_eq(board_in8(b.board, 0x70d), 0xff);
    board_free(b.board);
}

Test(piix4_pm, the_timer_counts_3579545_times_a_second_in_24_bits)
{
    Bench b;

    bench_enable(&b);
    board_advance(b.board, NS_PER_SECOND);
    cr_assert_eq(board_in32(b.board, PM + 8), 3579545);
    cr_assert_eq(board_in8(b.board, PM + 9), 3579545 >> 8 & 0xff);
    board_advance(b.board, 9 * (int64_t)NS_PER_SECOND);
    cr_assert_eq(board_in32(b.board, PM + 8), 35795450 & 0xffffff);
    board_out32(b.board, PM + 8, 0);
    cr_assert_eq(board_in32(b.board, PM + 8), 35795450 & 0xffffff);
    board_free(b.board);
}

Test(piix4_pm, the_timer_interrupts_when_its_highest_bit_changes)
{
    const int64_t half = INT64_C(0x800000) * NS_PER_SECOND / ACPI_TIMER_HZ;
    Bench b;

    bench_enable(&b);
    board_out16(b.board, PM + 2, ACPI_TIMER);
    board_advance(b.board, half - 1000);
    cr_assert_not(b.board->level[SCI]);
    cr_assert_eq(board_in16(b.board, PM), 0);
    board_advance(b.board, 2000);
    cr_assert(b.board->level[SCI]);
    cr_assert_eq(board_in16(b.board, PM), ACPI_TIMER);
    board_out16(b.board, PM, ACPI_TIMER);
    cr_assert_not(b.board->level[SCI]);
    cr_assert_eq(board_in16(b.board, PM), 0);
    board_advance(b.board, half - 3000);
    cr_assert_not(b.board->level[SCI]);
    board_advance(b.board, 4000);
    cr_assert(b.board->level[SCI]);
    board_out16(b.board, PM + 2, 0);
    cr_assert_not(b.board->level[SCI]);
    cr_assert_eq(b.board->rises[SCI], 2);
    board_free(b.board);
}

Test(piix4_pm, the_power_button_is_told_if_the_guest_wants_it)
{
    Bench b;

    bench_enable(&b);
    Irq button = device_input(b.pm, "power-button", 0);
    irq_pulse(&button);
    cr_assert_eq(board_in16(b.board, PM), 0);
    board_out16(b.board, PM + 2, ACPI_POWER_BUTTON);
    irq_set(&button, true);
    cr_assert(b.board->level[SCI]);
    cr_assert_eq(board_in16(b.board, PM), ACPI_POWER_BUTTON);
    board_out8(b.board, PM, 0xff); /* the other octet */
    cr_assert(b.board->level[SCI]);
    board_out8(b.board, PM + 1, 0x01);
    cr_assert_not(b.board->level[SCI]);
    irq_set(&button, true); /* still pressed */
    cr_assert_not(b.board->level[SCI]);
    board_free(b.board);
}

Test(piix4_pm, sleep_types_are_off_to_memory_and_to_disk)
{
    Bench b;

    bench_enable(&b);
    board_out16(b.board, PM + 4, 0x0001); /* no sleep */
    board_out16(b.board, PM + 4, 0x1c01);
    cr_assert_eq(board_in16(b.board, PM + 4), 0x1c01);
    cr_assert_eq(b.board->rises[SHUTDOWN] + b.board->rises[SUSPEND], 0);
    board_out16(b.board, PM + 4, 0x2001);
    cr_assert_eq(b.board->rises[SHUTDOWN], 1);
    cr_assert_eq(board_in16(b.board, PM + 4), 0x0001, "the bit that asks for it is never read");
    board_out16(b.board, PM + 4, 0x2401);
    cr_assert_eq(b.board->rises[SUSPEND], 1);
    board_out16(b.board, PM + 4, 0x2801);
    cr_assert_eq(b.board->rises[SHUTDOWN], 2);
    board_out8(b.board, PM + 5, 0x20); /* by octets */
    cr_assert_eq(b.board->rises[SHUTDOWN], 3);
    board_out16(b.board, PM + 4, 0x3c01); /* there is no such type */
    cr_assert_eq(b.board->rises[SHUTDOWN] + b.board->rises[SUSPEND], 4);
    piix4_pm_wake(b.pm, ACPI_RTC);
    cr_assert_eq(board_in16(b.board, PM), ACPI_WAKE | ACPI_RTC);
    board_free(b.board);
}

Test(piix4_pm, the_guest_turns_acpi_on_by_the_smi_command)
{
    Bench b;

    bench_enable(&b);
    cr_assert_eq(board_in16(b.board, PM + 4), 0);
    board_out8(b.board, 0xb2, 0xf1);
    cr_assert_eq(board_in16(b.board, PM + 4), ACPI_SCI_ENABLE);
    cr_assert_eq(board_in8(b.board, 0xb2), 0xf1);
    board_out8(b.board, 0xb3, 0x55);
    cr_assert_eq(board_in16(b.board, 0xb2), 0x55f1);
    cr_assert_eq(b.board->rises[SMI], 0);
    board_out8(b.board, 0xb2, 0xf0);
    cr_assert_eq(board_in16(b.board, PM + 4), 0);
    board_free(b.board);
}

/* All of it as QEMU 7.2 was seen to do it. */
Test(piix4_pm, other_smi_commands_are_for_the_firmware)
{
    Bench b;

    bench_enable(&b);
    board_out8(b.board, 0xb2, 0x12);
    cr_assert_eq(b.board->rises[SMI], 0, "nobody has enabled it");
    config_out(&b, 0x5b, 0x02, 1);
    board_out8(b.board, 0xb2, 0x12);
    cr_assert_eq(b.board->rises[SMI], 1);
    cr_assert_not(b.board->level[SMI]);
    board_out8(b.board, 0xb3, 0x77);
    cr_assert_eq(b.board->rises[SMI], 1);
    board_out8(b.board, 0xb2, 0xf1);
    board_out8(b.board, 0xb2, 0xf0);
    cr_assert_eq(b.board->rises[SMI], 1, "ACPI is switched without the firmware");
    board_out8(b.board, 0xb2, 0x1a);
    machine_reset(b.board->machine);
    cr_assert_eq(config_in8(&b, 0x5b), 0);
    cr_assert_eq(board_in16(b.board, 0xb2), 0x771a, "they stay");
    board_free(b.board);
}

Test(piix4_pm, without_system_management_mode_acpi_is_on_from_the_beginning)
{
    Bench b;

    bench_init(&b, false);
    cr_assert_eq(config_in8(&b, 0x5b), 2);
    config_out(&b, 0x40, PM | 1, 4);
    config_out(&b, 0x80, 1, 1);
    cr_assert_eq(board_in16(b.board, PM + 4), ACPI_SCI_ENABLE);
    board_out8(b.board, 0xb2, 0xf0);
    cr_assert_eq(board_in16(b.board, PM + 4), ACPI_SCI_ENABLE, "and cannot be switched off");
    board_free(b.board);
}

/* --- hot plug --------------------------------------------------------------------------------------------------- */

Test(piix4_pm, a_slot_comes_and_goes)
{
    Bench b;

    bench_enable(&b);
    board_out8(b.board, 0xafe2, 0x02);
    cr_assert_eq(board_in32(b.board, 0xae0c), UINT32_MAX & ~(1U << SLOT), "this device cannot be taken out");
    piix4_pm_slot_plugged(b.pm, 5);
    cr_assert(b.board->level[SCI]);
    cr_assert_eq(board_in8(b.board, 0xafe0), 0x02);
    cr_assert_eq(board_in32(b.board, 0xae00), 1 << 5);
    cr_assert_eq(board_in32(b.board, 0xae00), 0, "it is told once");
    board_out8(b.board, 0xafe0, 0x02);
    cr_assert_not(b.board->level[SCI]);
    piix4_pm_slot_unplug(b.pm, 5);
    cr_assert(b.board->level[SCI]);
    cr_assert_eq(board_in32(b.board, 0xae04), 1 << 5);
    cr_assert_eq(board_in32(b.board, 0xae04), 1 << 5);
    board_out32(b.board, 0xae08, 1 << 5);
    cr_assert_eq(b.ejected_slot, 5);
    cr_assert_eq(board_in32(b.board, 0xae04), 0);
    b.ejected_slot = 0;
    board_out32(b.board, 0xae08, 1 << SLOT);
    board_out32(b.board, 0xae08, 0);
    cr_assert_eq(b.ejected_slot, 0, "it was asked to take out what must stay");
    board_free(b.board);
}

Test(piix4_pm, other_buses_have_nothing)
{
    Bench b;

    bench_enable(&b);
    piix4_pm_slot_plugged(b.pm, 5);
    board_out32(b.board, 0xae10, 1);
    cr_assert_eq(board_in32(b.board, 0xae00), 0);
    cr_assert_eq(board_in32(b.board, 0xae0c), UINT32_MAX);
    cr_assert_eq(board_in32(b.board, 0xae10), 1);
    board_out32(b.board, 0xae08, 1 << 5);
    board_out32(b.board, 0xae10, 0x100);
    cr_assert_eq(board_in32(b.board, 0xae10), 0);
    cr_assert_eq(board_in32(b.board, 0xae0c), 0);
    board_out32(b.board, 0xae08, 1 << 5);
    cr_assert_eq(b.ejected_slot, 0);
    board_out32(b.board, 0xae10, 0);
    cr_assert_eq(board_in32(b.board, 0xae00), 1 << 5);
    board_free(b.board);
}

Test(piix4_pm, processors_are_bits_until_the_guest_knows_better)
{
    Bench b;

    bench_enable(&b);
    cr_assert_eq(board_in8(b.board, 0xaf00), 0x01);
    piix4_pm_set_cpu(b.pm, 2, 4, true);
    piix4_pm_cpu_plugged(b.pm, 2);
    cr_assert_eq(board_in8(b.board, 0xafe0), 0x04);
    cr_assert_eq(board_in8(b.board, 0xaf00), 0x11);
    board_out8(b.board, 0xaf04, 0); /* not the beginning */
    cr_assert_eq(board_in8(b.board, 0xaf00), 0x11);
    board_out32(b.board, 0xaf00, 0);
    cr_assert_eq(board_in8(b.board, 0xaf00), 0);
    cr_assert_eq(board_in8(b.board, 0xaf04), 0x01);
    cr_assert_eq(board_in8(b.board, 0xaf0c), 0xff);
    board_free(b.board);
}

Test(piix4_pm, a_processor_comes_and_goes)
{
    Bench b;

    bench_enable(&b);
    board_out32(b.board, 0xaf00, 0);
    piix4_pm_set_cpu(b.pm, 2, UINT64_C(0x500000004), true);
    piix4_pm_cpu_plugged(b.pm, 2);
    board_out8(b.board, 0xaf05, 0); /* which one? */
    cr_assert_eq(board_in32(b.board, 0xaf08), 2);
    cr_assert_eq(board_in8(b.board, 0xaf04), 0x03);
    board_out8(b.board, 0xaf05, 3); /* its number */
    cr_assert_eq(board_in32(b.board, 0xaf08), 4);
    cr_assert_eq(board_in32(b.board, 0xaf00), 5);
    board_out8(b.board, 0xaf04, 0x02);
    cr_assert_eq(board_in8(b.board, 0xaf04), 0x01);
    board_out8(b.board, 0xaf05, 1);
    board_out32(b.board, 0xaf08, 0x103);
    board_out8(b.board, 0xaf05, 2);
    board_out32(b.board, 0xaf08, 7);
    cr_assert_eq(b.told_cpu, 2);
    cr_assert_eq(b.event, 0x103);
    cr_assert_eq(b.status, 7);

    board_out32(b.board, 0xaf00, 0);
    piix4_pm_cpu_unplug(b.pm, 2);
    board_out8(b.board, 0xaf05, 0);
    cr_assert_eq(board_in8(b.board, 0xaf04), 0x05);
    board_out8(b.board, 0xaf04, 0x10);
    cr_assert_eq(board_in8(b.board, 0xaf04), 0x15);
    board_out8(b.board, 0xaf04, 0x04);
    board_out8(b.board, 0xaf04, 0x08);
    cr_assert_eq(b.ejected_cpu, 2);
    cr_assert_eq(board_in8(b.board, 0xaf04), 0);
    board_out32(b.board, 0xaf00, 0);
    b.ejected_cpu = 7;
    board_out8(b.board, 0xaf04, 0x08); /* the first one stays */
    cr_assert_eq(b.ejected_cpu, 7);
    board_out32(b.board, 0xaf00, 3); /* there is none */
    board_out8(b.board, 0xaf04, 0xff);
    board_out32(b.board, 0xaf08, 1);
    cr_assert_eq(board_in32(b.board, 0xaf04), 0);
    board_free(b.board);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

Test(piix4_pm, it_is_the_one_that_qemu_records)
{
    static const char *const recordings[] = {"a-kvm-min", "b3-kvm-pc-alldefaults", "e-tcg-min", "f3-kvm-pc-10s"};
    Bench b;

    bench_init(&b, true);
    for (size_t i = 0; i < G_N_ELEMENTS(recordings); i++)
        board_load_recorded(b.board, b.pm, recordings[i], false);
    cr_assert_eq(board_in16(b.board, 0x604), ACPI_SCI_ENABLE);
    cr_assert_eq(board_in8(b.board, 0x70d), 2);
    board_free(b.board);
}

Test(piix4_pm, it_is_the_one_that_linux_has_used)
{
    Bench b;

    bench_init_cpus(&b, true, 1);
    board_load_recorded(b.board, b.pm, "j1-tcg-linux-virtio", false);
    cr_assert_eq(board_in8(b.board, 0xaf04), 0x01, "it knows the newer way of hot plug");
    cr_assert_eq(board_in16(b.board, 0x602), ACPI_GLOBAL);
    cr_assert_eq(board_in8(b.board, 0xafe2), 0x06);
    cr_assert_eq(board_in8(b.board, 0xb2), 0xf1);
    board_load_recorded(b.board, b.pm, "j2-kvm-linux-virtio", false);
    board_free(b.board);
}

Test(piix4_pm, it_is_the_one_of_a_machine_with_room_for_processors)
{
    Bench b;

    bench_init(&b, true);
    board_load_recorded(b.board, b.pm, "k1-chipset", false);
    cr_assert_eq(board_in8(b.board, 0xaf04), 0, "the third one is not there");
    cr_assert_eq(board_in16(b.board, PM + 2), ACPI_TIMER);
    board_advance(b.board, INT64_C(2343484437)); /* 0x800000 ticks are some ps more */
    cr_assert_not(b.board->level[SCI]);
    board_advance(b.board, 1);
    cr_assert(b.board->level[SCI]);
    board_free(b.board);
}

Test(piix4_pm, a_running_timer_goes_on_after_a_load)
{
    Bench b;
    ByteOut octets = {0};

    bench_enable(&b);
    board_out16(b.board, PM + 2, ACPI_TIMER);
    board_save(b.board, b.pm, &octets);
    machine_reset(b.board->machine);
    board_advance(b.board, 3 * (int64_t)NS_PER_SECOND);
    cr_assert_eq(b.board->rises[SCI], 0);
    b.board->virtual_ns = 0;
    cr_assert(board_load(b.board, b.pm, octets.data, octets.len, 3, NULL));
    board_advance(b.board, 3 * (int64_t)NS_PER_SECOND);
    cr_assert_eq(b.board->rises[SCI], 1);
    byte_out_done(&octets);
    board_free(b.board);
}

Test(piix4_pm, a_pending_event_is_driven_after_a_load)
{
    Bench b;
    ByteOut octets = {0};

    bench_enable(&b);
    board_out8(b.board, 0xafe2, 0x02);
    piix4_pm_slot_plugged(b.pm, 4);
    board_save(b.board, b.pm, &octets);
    machine_reset(b.board->machine);
    cr_assert_not(b.board->level[SCI]);
    cr_assert(board_load(b.board, b.pm, octets.data, octets.len, 3, NULL));
    cr_assert(b.board->level[SCI]);
    cr_assert_eq(board_in32(b.board, 0xae00), 1 << 4);
    byte_out_done(&octets);
    board_free(b.board);
}

Test(piix4_pm, an_index_beyond_the_block_is_refused)
{
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0};
    Bench b;

    bench_init(&b, true);
    board_save(b.board, b.pm, &octets);
    octets.data[276 + 6 + 2 + 6] = 0xff;
    cr_assert_not(board_load(b.board, b.pm, octets.data, octets.len, 3, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    cr_assert_not_null(strstr(error->message, "piix4_pm.smb.smb_index is beyond the block: the stream has 4278190080"));
    byte_out_done(&octets);
    board_free(b.board);
}

Test(piix4_pm, any_state_survives)
{
    Bench b;

    bench_init(&b, true);
    board_try_states(b.board, b.pm, 100);
    machine_reset(b.board->machine);
    config_out(&b, 0x40, PM | 1, 4);
    config_out(&b, 0x80, 1, 1);
    board_abuse_ports(b.board, b.pm, PM, 64, 2000);
    board_abuse_ports(b.board, b.pm, 0xae00, 24, 1000);
    board_abuse_ports(b.board, b.pm, 0xaf00, 32, 2000);
    board_abuse_ports(b.board, b.pm, 0xafe0, 4, 500);
    board_abuse_ports(b.board, b.pm, 0xb100, 64, 2000);
    board_abuse_ports(b.board, b.pm, 0xb2, 2, 500);
    board_out32(b.board, 0xcf8, 0x80000000U | PCI_DEVFN(SLOT, FUNCTION) << 8 | 0x40);
    board_abuse_ports(b.board, b.pm, 0xcfc, 4, 500);
    machine_remove_device(b.board->machine, b.pm);
    cr_assert_eq(board_in16(b.board, 0xb2), 0xffff);
    board_free(b.board);
}
