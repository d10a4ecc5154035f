/* test-piix3.c: the routing of interrupt lines, and the reset control register. */
#include <criterion/criterion.h>

#include "emu/pci/chipset.h"
#include "tests/emu/support/board.h"

enum { RESET_PROBE = 20, SLOT = 1, PIRQA = 0x60 };

typedef struct Bench {
    Board *board;
    PciBus *bus;
    Device *bridge;
    IsaBus *isa;
} Bench;

static Bench bench_new(void)
{
    Bench b = {.board = board_new()};
    Device *host = device_new(&pci_host_type), *bus = board_add(b.board, device_new(&pci_bus_type));

    pci_host_set_bus(host, bus);
    board_add(b.board, host);
    b.bus = (PciBus *)bus;
    b.bridge = device_new(&piix3_type);
    ((PciDevice *)b.bridge)->bus = b.bus;
    ((PciDevice *)b.bridge)->devfn = PCI_DEVFN(SLOT, 0);
    for (unsigned n = 0; n < ISA_IRQS; n++)
        device_connect_irq(b.bridge, "irq", n, board_probe(b.board, n));
    device_connect_irq(b.bridge, "reset", 0, board_probe(b.board, RESET_PROBE));
    b.isa = piix3_isa(b.bridge);
    board_add(b.board, b.bridge);
    for (unsigned n = 0; n < PCI_PINS; n++)
        device_connect(bus, "pirq", n, b.bridge, "pirq", n);
    return b;
}

static void config_out8(Bench *b, unsigned reg, uint8_t value)
{
    board_out32(b->board, 0xcf8, 0x80000000U | SLOT << 11 | (reg & 0xfc));
    board_out8(b->board, (uint16_t)(0xcfc + reg % 4), value);
}

static uint8_t config_in8(Bench *b, unsigned reg)
{
    board_out32(b->board, 0xcf8, 0x80000000U | SLOT << 11 | (reg & 0xfc));
    return board_in8(b->board, (uint16_t)(0xcfc + reg % 4));
}

Test(piix3, after_reset_it_is_as_qemu_shows_it)
{
    static const uint8_t values[][2] = {
        {0x00, 0x86}, {0x01, 0x80}, {0x03, 0x70}, {0x07, 0x02}, {0x0a, 0x01}, {0x0b, 0x06}, {0x0e, 0x80}, {0x2c, 0xf4},
        {0x2d, 0x1a}, {0x2f, 0x11}, {0x4c, 0x4d}, {0x4e, 0x03}, {0x60, 0x80}, {0x61, 0x80}, {0x62, 0x80}, {0x63, 0x80},
        {0x69, 0x02}, {0x70, 0x80}, {0x76, 0x0c}, {0x77, 0x0c}, {0x78, 0x02}, {0xa0, 0x08}, {0xa8, 0x0f}};
    Bench b = bench_new();

    config_out8(&b, 0x60, 5);
    config_out8(&b, 0x82, 2);
    machine_reset(b.board->machine);
    for (unsigned reg = 0, i = 0; reg < 256; reg++) {
        bool listed = i < G_N_ELEMENTS(values) && values[i][0] == reg;
        cr_assert_eq(config_in8(&b, reg), listed ? values[i][1] : 0, "register 0x%02x", reg);
        i += listed;
    }
    board_free(b.board);
}

Test(piix3, each_pirq_goes_where_its_register_says)
{
    Bench b = bench_new();

    for (unsigned n = 0; n < 4; n++)
        config_out8(&b, PIRQA + n, (uint8_t)(9 + n));
    for (unsigned slot = 1; slot < 9; slot++) {
        pci_bus_change_irq(b.bus, PCI_DEVFN(slot, 0), 1, 1); /* INTB */
        for (unsigned n = 0; n < ISA_IRQS; n++)
            cr_assert_eq(b.board->level[n], n == 9 + slot % 4, "slot %u, IRQ %u", slot, n);
        pci_bus_change_irq(b.bus, PCI_DEVFN(slot, 0), 1, -1);
        cr_assert_not(b.board->level[9 + slot % 4]);
    }
    board_free(b.board);
}

Test(piix3, one_that_is_turned_off_goes_nowhere)
{
    Bench b = bench_new();

    pci_bus_change_irq(b.bus, PCI_DEVFN(1, 0), 0, 1);
    for (unsigned n = 0; n < ISA_IRQS; n++)
        cr_assert_not(b.board->level[n]);
    config_out8(&b, PIRQA, 0x8b);
    cr_assert_not(b.board->level[11]);
    config_out8(&b, PIRQA, 0x0b);
    cr_assert(b.board->level[11]);
    config_out8(&b, PIRQA, 0x0a);
    cr_assert_not(b.board->level[11]);
    cr_assert(b.board->level[10]);
    config_out8(&b, PIRQA, 0x80);
    cr_assert_not(b.board->level[10]);
    board_free(b.board);
}

Test(piix3, a_line_that_is_shared_is_up_while_anybody_drives_it)
{
    Bench b = bench_new();

    config_out8(&b, PIRQA, 11);
    config_out8(&b, PIRQA + 1, 11);
    pci_bus_change_irq(b.bus, PCI_DEVFN(1, 0), 0, 1);
    pci_bus_change_irq(b.bus, PCI_DEVFN(1, 0), 1, 1);
    irq_set(&b.isa->irq[11], true);
    pci_bus_change_irq(b.bus, PCI_DEVFN(1, 0), 0, -1);
    cr_assert(b.board->level[11]);
    irq_set(&b.isa->irq[11], false);
    cr_assert(b.board->level[11]);
    irq_set(&b.isa->irq[11], true);
    pci_bus_change_irq(b.bus, PCI_DEVFN(1, 0), 1, -1);
    cr_assert(b.board->level[11]);
    irq_set(&b.isa->irq[11], false);
    cr_assert_not(b.board->level[11]);
    cr_assert_eq(b.board->rises[11], 1);
    board_free(b.board);
}

Test(piix3, an_isa_line_is_led_through)
{
    Bench b = bench_new();

    for (unsigned n = 0; n < ISA_IRQS; n++) {
        irq_pulse(&b.isa->irq[n]);
        irq_set(&b.isa->irq[n], true);
        cr_assert_eq(b.board->rises[n], 2);
        cr_assert(b.board->level[n]);
    }
    board_free(b.board);
}

Test(piix3, port_cf9_resets)
{
    Bench b = bench_new();

    cr_assert_eq(board_in8(b.board, 0xcf9), 0);
    board_out8(b.board, 0xcf9, 0x02);
    cr_assert_eq(board_in8(b.board, 0xcf9), 0x02);
    cr_assert_eq(board_in8(b.board, 0xcf8), 0xff);
    cr_assert_eq(board_in16(b.board, 0xcf8), 0x02ff);
    cr_assert_eq(b.board->rises[RESET_PROBE], 0);
    board_out8(b.board, 0xcf9, 0x06);
    cr_assert_eq(b.board->rises[RESET_PROBE], 1);
    cr_assert_eq(board_in8(b.board, 0xcf9), 0x02);
    board_out8(b.board, 0xcf9, 0x04);
    cr_assert_eq(b.board->rises[RESET_PROBE], 2);
    board_out32(b.board, 0xcf8, 0x0600); /* the address of configuration, not this */
    cr_assert_eq(b.board->rises[RESET_PROBE], 2);
    board_out16(b.board, 0xcf8, 0x0200);
    cr_assert_eq(board_in8(b.board, 0xcf9), 0x02);
    machine_reset(b.board->machine);
    cr_assert_eq(board_in8(b.board, 0xcf9), 0);
    board_free(b.board);
}

Test(piix3, it_is_the_one_that_qemu_records)
{
    Bench b = bench_new();

    board_load_recorded(b.board, b.bridge, "a-kvm-min", false);
    board_load_recorded(b.board, b.bridge, "j1-tcg-linux-virtio", false);
    cr_assert_eq(config_in8(&b, PIRQA + 3), 0x0b);
    cr_assert_eq(config_in8(&b, 0x82), 2);
    board_load_recorded(b.board, b.bridge, "h3-pc-i440fx-2.3", false);
    board_load_recorded(b.board, &b.bus->dev, "k1-chipset", false); /* slot 3 drives PIRQC */
    board_load_recorded(b.board, b.bridge, "k1-chipset", false);
    cr_assert_eq(board_in8(b.board, 0xcf9), 0x02);
    config_out8(&b, PIRQA + 2, 5);
    cr_assert(b.board->level[5]);
    board_free(b.board);
}

Test(piix3, a_load_takes_the_levels_of_the_bus_and_drives_nothing)
{
    Bench b = bench_new();
    ByteOut octets = {0};

    config_out8(&b, PIRQA, 11);
    pci_bus_change_irq(b.bus, PCI_DEVFN(1, 0), 0, 1);
    board_save(b.board, b.bridge, &octets);
    cr_assert_eq(octets.len, 292);
    cr_assert_eq(octets.data[279], 1, "PIRQA is up");
    machine_reset(b.board->machine);
    b.bus->s.irq_count[0] = 1; /* as loaded before */
    cr_assert(board_load(b.board, b.bridge, octets.data, octets.len, 3, NULL));
    cr_assert_not(b.board->level[11]);
    b.board->level[11] = true; /* as the interrupt controllers have it */
    pci_bus_change_irq(b.bus, PCI_DEVFN(1, 0), 0, -1);
    cr_assert_not(b.board->level[11]);
    byte_out_done(&octets);
    board_free(b.board);
}

Test(piix3, the_reset_control_is_saved_while_it_is_set)
{
    static const char tail[] = "\x05\x09PIIX3/rcr\0\0\0\x01\x02";
    Bench b = bench_new();
    ByteOut octets = {0};

    board_out8(b.board, 0xcf9, 0x02);
    board_save(b.board, b.bridge, &octets);
    cr_assert_eq(octets.len, 292 + sizeof tail - 1);
    cr_assert_arr_eq(octets.data + 292, tail, sizeof tail - 1);
    machine_reset(b.board->machine);
    cr_assert(board_load(b.board, b.bridge, octets.data, octets.len, 3, NULL));
    cr_assert_eq(board_in8(b.board, 0xcf9), 0x02);
    cr_assert(board_load(b.board, b.bridge, octets.data, 292, 3, NULL));
    cr_assert_eq(board_in8(b.board, 0xcf9), 0, "a stream without it has the value after reset");
    byte_out_done(&octets);
    board_free(b.board);
}

Test(piix3, version_2_had_no_levels)
{
    Bench b = bench_new();
    ByteOut octets = {0};

    config_out8(&b, PIRQA, 7);
    board_save(b.board, b.bridge, &octets);
    machine_reset(b.board->machine);
    cr_assert(board_load(b.board, b.bridge, octets.data, 276, 2, NULL));
    cr_assert_eq(config_in8(&b, PIRQA), 7);
    cr_assert_not(board_load(b.board, b.bridge, octets.data, 276, 1, NULL));
    byte_out_done(&octets);
    board_free(b.board);
}

Test(piix3, any_state_survives)
{
    Bench b = bench_new();

    board_try_states(b.board, b.bridge, 300);
    board_abuse_ports(b.board, b.bridge, 0xcf8, 8, 2000);
    for (unsigned reg = 0x40; reg < 0x80; reg += 4) {
        board_out32(b.board, 0xcf8, 0x80000000U | SLOT << 11 | reg);
        board_abuse_ports(b.board, b.bridge, 0xcfc, 4, 100);
    }
    board_free(b.board);
}
