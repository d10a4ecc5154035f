/* test-i440fx.c: memory as the host bridge shows it. */
#include <criterion/criterion.h>

#include "emu/pci/chipset.h"
#include "tests/emu/support/board.h"

enum { SMRAM_PROBE = 20, MIB = 1 << 20 };

/* A bridge with that much memory, and of read-only memory 128 KiB at 0xe0000, each octet of which is 0xb1. */
typedef struct Bench {
    Board *board;
    Device *bridge;
    RamArea *ram, *rom;
} Bench;

static Bench bench_new(uint64_t size, uint64_t below_4g)
{
    Bench b = {.board = board_new()};
    Device *bus = board_add(b.board, device_new(&pci_bus_type)), *host = device_new(&pci_host_type);

    pci_host_set_bus(host, bus);
    board_add(b.board, host);
    b.ram = ram_area_new("pc.ram", size, size, NULL);
    b.rom = ram_area_new("pc.bios", 0x20000, 0x20000, NULL);
    memset(b.rom->host, 0xb1, 0x20000);
    machine_add_ram(b.board->machine, b.ram);
    machine_add_ram(b.board->machine, b.rom);
    space_map(b.board->machine->memory,
              &(SpaceMapping){
                  .base = 0xe0000, .size = 0x20000, .priority = PCI_PRIORITY_MEMORY, .ram = b.rom, .read_only = true});
    b.bridge = device_new(&i440fx_type);
    ((PciDevice *)b.bridge)->bus = (PciBus *)bus;
    i440fx_set_ram(b.bridge, b.ram);
    if (below_4g)
        *(uint64_t *)(void *)((char *)b.bridge + i440fx_type.options->fields[0].offset) = below_4g;
    device_connect_irq(b.bridge, "smram", 0, board_probe(b.board, SMRAM_PROBE));
    board_add(b.board, b.bridge);
    return b;
}

static void config_out8(Bench *b, unsigned reg, uint8_t value)
{
    board_out32(b->board, 0xcf8, 0x80000000U | (reg & 0xfc));
    board_out8(b->board, (uint16_t)(0xcfc + reg % 4), value);
}

static uint8_t config_in8(Bench *b, unsigned reg)
{
    board_out32(b->board, 0xcf8, 0x80000000U | (reg & 0xfc));
    return board_in8(b->board, (uint16_t)(0xcfc + reg % 4));
}

static uint8_t peek(Bench *b, uint64_t addr)
{
    return (uint8_t)space_read(b->board->machine->memory, addr, 1);
}

static void poke(Bench *b, uint64_t addr, uint8_t value)
{
    space_write(b->board->machine->memory, addr, value, 1);
}

Test(i440fx, after_reset_it_is_as_qemu_shows_it)
{
    static const uint8_t head[16] = {0x86, 0x80, 0x37, 0x12, 0, 0, 0, 0, 2, 0, 0, 6, 0, 0, 0, 0};
    Bench b = bench_new(32 * MIB, 0);

    for (unsigned i = 0; i < 256; i++) {
        uint8_t want = i < 16 ? head[i] : i == 0x2c ? 0xf4 : i == 0x2d ? 0x1a : i == 0x2f ? 0x11 : 0;
        want = i == 0x57 ? 4 : i == 0x72 ? 2 : want;
        cr_assert_eq(config_in8(&b, i), want, "register 0x%02x", i);
    }
    board_free(b.board);
}

Test(i440fx, a_reset_leaves_shadow_memory_for_a_firmware_that_resumes)
{
    Bench b = bench_new(32 * MIB, 0);

    config_out8(&b, 4, 7);
    config_out8(&b, 0x59, 0x30);
    config_out8(&b, 0x72, 0x4a);
    poke(&b, 0xf0000, 0x77);
    machine_reset(b.board->machine);
    cr_assert_eq(config_in8(&b, 4), 0);
    cr_assert_eq(config_in8(&b, 0x59), 0x30);
    cr_assert_eq(config_in8(&b, 0x72), 2);
    cr_assert_eq(peek(&b, 0xf0000), 0x77);
    board_free(b.board);
}

Test(i440fx, memory_is_below_768_KiB_and_above_1_MiB)
{
    Bench b = bench_new(32 * MIB, 0);

    poke(&b, 0x9ffff, 1);
    poke(&b, 0xa0000, 2);
    poke(&b, 0xc0000, 3);
    poke(&b, 0x100000, 4);
    poke(&b, 32 * MIB - 1, 5);
    poke(&b, 32 * MIB, 6);
    cr_assert_eq(b.ram->host[0x9ffff], 1);
    cr_assert_eq(b.ram->host[0xa0000], 2);
    cr_assert_eq(b.ram->host[0xc0000], 0);
    cr_assert_eq(b.ram->host[0x100000], 4);
    cr_assert_eq(peek(&b, 32 * MIB - 1), 5);
    cr_assert_eq(peek(&b, 32 * MIB), 0xff);
    cr_assert_eq(peek(&b, 0xc0000), 0xff);
    cr_assert_eq(peek(&b, UINT64_C(1) << 32), 0xff);
    board_free(b.board);
}

Test(i440fx, what_does_not_fit_below_lies_at_4_GiB)
{
    Bench b = bench_new(32 * MIB, 16 * MIB);

    poke(&b, 16 * MIB - 1, 1);
    poke(&b, UINT64_C(1) << 32, 2);
    cr_assert_eq(b.ram->host[16 * MIB - 1], 1);
    cr_assert_eq(b.ram->host[16 * MIB], 2);
    cr_assert_eq(peek(&b, 16 * MIB), 0xff);
    cr_assert_eq(peek(&b, (UINT64_C(1) << 32) + 16 * MIB), 0xff);
    board_free(b.board);
}

Test(i440fx, each_half_of_a_pam_register_has_its_segment)
{
    static const struct {
        unsigned reg, shift;
        uint32_t base, size;
    } segments[] = {{0x59, 4, 0xf0000, 0x10000}, {0x5a, 0, 0xc0000, 0x4000}, {0x5a, 4, 0xc4000, 0x4000},
                    {0x5b, 0, 0xc8000, 0x4000},  {0x5b, 4, 0xcc000, 0x4000}, {0x5c, 0, 0xd0000, 0x4000},
                    {0x5c, 4, 0xd4000, 0x4000},  {0x5d, 0, 0xd8000, 0x4000}, {0x5d, 4, 0xdc000, 0x4000},
                    {0x5e, 0, 0xe0000, 0x4000},  {0x5e, 4, 0xe4000, 0x4000}, {0x5f, 0, 0xe8000, 0x4000},
                    {0x5f, 4, 0xec000, 0x4000}};
    Bench b = bench_new(32 * MIB, 0);

    memset(b.ram->host + 0xc0000, 0x5a, 0x40000);
    for (size_t i = 0; i < G_N_ELEMENTS(segments); i++) {
        config_out8(&b, segments[i].reg, (uint8_t)(3 << segments[i].shift));
        for (uint32_t at = 0xc0000; at < 0x100000; at += 0x1000) {
            bool inside = at >= segments[i].base && at < segments[i].base + segments[i].size;
            cr_assert_eq(peek(&b, at),
                         inside          ? 0x5a
                         : at >= 0xe0000 ? 0xb1
                                         : 0xff,
                         "PAM 0x%x << %u at 0x%x", segments[i].reg, segments[i].shift, at);
        }
        config_out8(&b, segments[i].reg, 0);
    }
    config_out8(&b, 0x59, 0x0f); /* reserved */
    cr_assert_eq(peek(&b, 0xf0000), 0xb1);
    board_free(b.board);
}

Test(i440fx, a_segment_has_four_modes)
{
    Bench b = bench_new(32 * MIB, 0);
    uint8_t *shadow = b.ram->host + 0xf0010;

    poke(&b, 0xf0010, 1); /* mode 0: all is PCI's */
    cr_assert_eq(*shadow, 0);
    cr_assert_eq(peek(&b, 0xf0010), 0xb1);
    config_out8(&b, 0x59, 0x20); /* mode 2: read from PCI, written to memory */
    cr_assert_eq(peek(&b, 0xf0010), 0xb1);
    poke(&b, 0xf0010, 2);
    cr_assert_eq(*shadow, 2);
    cr_assert_eq(peek(&b, 0xf0010), 0xb1);
    space_write(b.board->machine->memory, 0xffff8, UINT64_C(0x1122334455667788), 8);
    cr_assert_eq(b.ram->host[0xfffff], 0x11);
    config_out8(&b, 0x59, 0x10); /* mode 1: read from memory, written to PCI */
    cr_assert_eq(peek(&b, 0xf0010), 2);
    poke(&b, 0xf0010, 3);
    cr_assert_eq(*shadow, 2);
    config_out8(&b, 0x59, 0x30); /* mode 3: all is memory */
    poke(&b, 0xf0010, 4);
    cr_assert_eq(*shadow, 4);
    cr_assert_eq(peek(&b, 0xf0010), 4);
    config_out8(&b, 0x59, 0x20); /* and from there to mode 2 */
    cr_assert_eq(peek(&b, 0xf0010), 0xb1);
    cr_assert_eq(b.rom->host[0x10010], 0xb1);
    config_out8(&b, 0x59, 0);
    cr_assert_eq(peek(&b, 0xf0010), 0xb1);
    board_free(b.board);
}

Test(i440fx, where_pci_has_nothing_a_segment_is_written_too)
{
    Bench b = bench_new(32 * MIB, 0);

    config_out8(&b, 0x5a, 0x02);
    poke(&b, 0xc0000, 0x55);
    poke(&b, 0xc3fff, 0xaa);
    poke(&b, 0xc4000, 0x77);
    cr_assert_eq(b.ram->host[0xc0000], 0x55);
    cr_assert_eq(b.ram->host[0xc3fff], 0xaa);
    cr_assert_eq(b.ram->host[0xc4000], 0);
    cr_assert_eq(peek(&b, 0xc0000), 0xff);
    board_free(b.board);
}

static uint64_t read_screen(void *opaque, uint64_t addr, unsigned size)
{
    (void)opaque;
    (void)addr;
    (void)size;
    return 0x5c;
}

static const IoOps screen_ops = {.read = read_screen, .max = 1};

Test(i440fx, where_PCI_has_no_screen_there_is_memory)
{
    Bench b = bench_new(32 * MIB, 0);

    poke(&b, 0xa0000, 7);
    poke(&b, 0xbffff, 8);
    cr_assert_eq(b.ram->host[0xa0000], 7);
    cr_assert_eq(b.ram->host[0xbffff], 8);
    space_map(b.board->machine->memory,
              &(SpaceMapping){.base = 0xa0000, .size = 0x20000, .priority = PCI_PRIORITY_LEGACY, .ops = &screen_ops});
    cr_assert_eq(peek(&b, 0xa0000), 0x5c);
    cr_assert_eq(peek(&b, 0xbffff), 0x5c);
    cr_assert_eq(peek(&b, 0x9ffff), 0);
    board_free(b.board);
}

/* What QEMU 7.2 shows with a VGA there: D_OPEN alone opens it, G_SMRAME counts in system management mode. */
Test(i440fx, smram_opens_and_closes_in_front_of_a_screen)
{
    Bench b = bench_new(32 * MIB, 0);

    space_map(b.board->machine->memory,
              &(SpaceMapping){.base = 0xa0000, .size = 0x20000, .priority = PCI_PRIORITY_LEGACY, .ops = &screen_ops});
    cr_assert_not(b.board->level[SMRAM_PROBE]);
    config_out8(&b, 0x72, 0x42);
    cr_assert_not(b.board->level[SMRAM_PROBE]);
    cr_assert_eq(peek(&b, 0xa0000), 0);
    config_out8(&b, 0x72, 0x4a);
    cr_assert(b.board->level[SMRAM_PROBE]);
    poke(&b, 0xa0000, 7);
    poke(&b, 0xbffff, 8);
    cr_assert_eq(b.ram->host[0xa0000], 7);
    cr_assert_eq(b.ram->host[0xbffff], 8);
    config_out8(&b, 0x72, 0x0a);
    cr_assert(b.board->level[SMRAM_PROBE]);
    cr_assert_eq(peek(&b, 0xa0000), 0x5c);
    config_out8(&b, 0x72, 0x5a); /* there is no lock */
    cr_assert_eq(config_in8(&b, 0x72), 0x5a);
    cr_assert_eq(peek(&b, 0xa0000), 7);
    config_out8(&b, 0x72, 0x4a);
    machine_reset(b.board->machine);
    cr_assert_eq(config_in8(&b, 0x72), 0x02);
    cr_assert_not(b.board->level[SMRAM_PROBE]);
    cr_assert_eq(peek(&b, 0xa0000), 0x5c);
    config_out8(&b, 0x72, 0x4a);
    cr_assert_eq(peek(&b, 0xa0000), 7);
    board_free(b.board);
}

Test(i440fx, it_is_the_one_that_qemu_records)
{
    Bench b = bench_new(32 * MIB, 0);

    board_load_recorded(b.board, b.bridge, "a-kvm-min", false);
    board_load_recorded(b.board, b.bridge, "j1-tcg-linux-virtio", false);
    memset(b.ram->host + 0xe0000, 0x5a, 0x20000);
    cr_assert_eq(peek(&b, 0xf0000), 0x5a, "it has read-only shadow memory there");
    poke(&b, 0xf0000, 1);
    cr_assert_eq(peek(&b, 0xf0000), 0x5a);
    poke(&b, 0xe8000, 1);
    cr_assert_eq(peek(&b, 0xe8000), 1);
    cr_assert(b.board->level[SMRAM_PROBE]);
    board_load_recorded(b.board, b.bridge, "k1-chipset", false);
    poke(&b, 0xc0000, 1); /* read only */
    poke(&b, 0xc4000, 1); /* write only */
    poke(&b, 0xa0000, 1); /* open */
    cr_assert_eq(b.ram->host[0xc0000], 0);
    cr_assert_eq(b.ram->host[0xc4000], 1);
    cr_assert_eq(b.ram->host[0xa0000], 1);
    board_load_recorded(b.board, b.bridge, "b3-kvm-pc-alldefaults", false);
    cr_assert_eq(peek(&b, 0xf0000), 0xb1);
    board_free(b.board);
}

Test(i440fx, without_memory_there_is_none)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(Device) dev = device_new(&i440fx_type);
    g_autoptr(GError) error = NULL;

    ((PciDevice *)dev)->bus = (PciBus *)board_add(board, device_new(&pci_bus_type));
    cr_assert_not(device_realize(dev, board->machine, &error));
    cr_assert_str_eq(error->message, "i440FX: there must be memory of 1 MiB at least");
}

Test(i440fx, any_state_survives)
{
    Bench b = bench_new(32 * MIB, 0);

    board_try_states(b.board, b.bridge, 300);
    for (unsigned reg = 0x50; reg < 0x80; reg += 4) {
        board_out32(b.board, 0xcf8, 0x80000000U | reg);
        board_abuse_ports(b.board, b.bridge, 0xcfc, 4, 200);
    }
    machine_remove_device(b.board->machine, b.bridge);
    cr_assert_eq(peek(&b, 0), 0xff);
    cr_assert_eq(peek(&b, 0xf0000), 0xb1);
    board_free(b.board);
}
