/* test-smbus.c: transactions on the SMBus, with memory behind it. */
#include <criterion/criterion.h>

#include "emu/pci/chipset.h"
#include "emu/pci/smbus.h"
#include "tests/emu/support/board.h"

enum { BASE = 0xb100, QUICK = 0, BYTE = 1, BYTE_DATA = 2, WORD_DATA = 3, BLOCK = 5, DONE = 2, FAILED = 4 };

typedef struct Bench {
    Board *board;
    Device *bus, *eeprom;
} Bench;

/* Memory of 0, 3, 6 and so on at 0x50, with three octets to be read as a block from 0x80 on. */
static Bench bench_new(void)
{
    Bench b = {.board = board_new()};
    Device *pm = device_new(&piix4_pm_type), *pci = board_add(b.board, device_new(&pci_bus_type));
    uint8_t data[256];

    for (unsigned i = 0; i < 256; i++)
        data[i] = (uint8_t)(3 * i);
    data[0x80] = 3;
    data[0xa0] = 33; /* a block would be too long */
    b.bus = board_add(b.board, device_new(&smbus_type));
    piix4_pm_set_smbus(pm, b.bus);
    ((PciDevice *)pm)->bus = (PciBus *)pci;
    ((PciDevice *)pm)->devfn = PCI_DEVFN(1, 3);
    board_add(b.board, pm);
    b.eeprom = device_new(&smbus_eeprom_type);
    smbus_eeprom_set(b.eeprom, b.bus, 0x50, data);
    board_add(b.board, b.eeprom);
    return b;
}

/* Would a stream have its section? QEMU sends only those that the guest has used. */
static bool is_saved(const Device *eeprom)
{
    return eeprom->type->state->needed(device_state(eeprom));
}

/* Returns the status at the end; the host is seen busy once before. */
static uint8_t transact(Bench *b, unsigned protocol, uint8_t address, uint8_t command)
{
    board_out8(b->board, BASE + 0, 0xff);
    board_out8(b->board, BASE + 4, address);
    board_out8(b->board, BASE + 3, command);
    board_out8(b->board, BASE + 2, (uint8_t)(0x40 | protocol << 2));
    cr_assert_eq(board_in8(b->board, BASE + 2), protocol << 2, "the bit that starts is never read");
    cr_assert_eq(board_in8(b->board, BASE + 0), 1);
    return board_in8(b->board, BASE + 0);
}

Test(smbus, octets_and_words_are_read)
{
    Bench b = bench_new();

    cr_assert_eq(transact(&b, BYTE_DATA, 0xa1, 2), DONE);
    cr_assert_eq(board_in8(b.board, BASE + 5), 6);
    cr_assert_eq(transact(&b, BYTE, 0xa1, 0), DONE); /* the next one */
    cr_assert_eq(board_in8(b.board, BASE + 5), 9);
    cr_assert_eq(transact(&b, WORD_DATA, 0xa1, 0x10), DONE);
    cr_assert_eq(board_in8(b.board, BASE + 5), 0x30);
    cr_assert_eq(board_in8(b.board, BASE + 6), 0x33);
    cr_assert_eq(transact(&b, BYTE, 0xa0, 0x20), DONE); /* sends where */
    cr_assert_eq(transact(&b, BYTE, 0xa1, 0), DONE);
    cr_assert_eq(board_in8(b.board, BASE + 5), 0x60);
    cr_assert_eq(transact(&b, QUICK, 0xa0, 0), DONE);
    cr_assert(is_saved(b.eeprom));
    board_free(b.board);
}

Test(smbus, octets_and_words_are_written)
{
    Bench b = bench_new();

    board_out8(b.board, BASE + 5, 0x77);
    cr_assert_eq(transact(&b, BYTE_DATA, 0xa0, 0x40), DONE);
    board_out8(b.board, BASE + 5, 0x78);
    board_out8(b.board, BASE + 6, 0x79);
    cr_assert_eq(transact(&b, WORD_DATA, 0xa0, 0x41), DONE);
    cr_assert_eq(transact(&b, BYTE_DATA, 0xa1, 0x40), DONE);
    cr_assert_eq(board_in8(b.board, BASE + 5), 0x77);
    cr_assert_eq(transact(&b, WORD_DATA, 0xa1, 0x41), DONE);
    cr_assert_eq(board_in8(b.board, BASE + 5), 0x78);
    cr_assert_eq(board_in8(b.board, BASE + 6), 0x79);
    machine_reset(b.board->machine);
    cr_assert_eq(transact(&b, BYTE_DATA, 0xa1, 0x40), DONE);
    cr_assert_eq(board_in8(b.board, BASE + 5), 0xc0);
    board_free(b.board);
}

Test(smbus, a_block_tells_its_length)
{
    Bench b = bench_new();

    cr_assert_eq(transact(&b, BLOCK, 0xa1, 0x80), DONE);
    cr_assert_eq(board_in8(b.board, BASE + 5), 3);
    for (unsigned i = 1; i <= 3; i++)
        cr_assert_eq(board_in8(b.board, BASE + 7), (uint8_t)(3 * (0x80 + i)));
    board_in8(b.board, BASE + 2); /* back to the first */
    cr_assert_eq(board_in8(b.board, BASE + 7), 0x83);
    cr_assert_eq(transact(&b, BLOCK, 0xa1, 0xa0), FAILED);

    board_in8(b.board, BASE + 2);
    board_out8(b.board, BASE + 7, 0xaa);
    board_out8(b.board, BASE + 7, 0xbb);
    board_out8(b.board, BASE + 5, 2);
    cr_assert_eq(transact(&b, BLOCK, 0xa0, 0x60), DONE);
    cr_assert_eq(transact(&b, BLOCK, 0xa1, 0x60), DONE);
    cr_assert_eq(board_in8(b.board, BASE + 5), 2);
    cr_assert_eq(board_in8(b.board, BASE + 7), 0xaa);
    cr_assert_eq(board_in8(b.board, BASE + 7), 0xbb);
    board_out8(b.board, BASE + 5, 33);
    cr_assert_eq(transact(&b, BLOCK, 0xa0, 0x60), FAILED);
    board_out8(b.board, BASE + 5, 0);
    cr_assert_eq(transact(&b, BLOCK, 0xa0, 0x60), FAILED);
    board_free(b.board);
}

Test(smbus, nobody_answers_elsewhere_or_to_reserved_protocols)
{
    Bench b = bench_new();

    cr_assert_eq(transact(&b, QUICK, 0xa2, 0), FAILED);
    cr_assert_eq(transact(&b, BYTE_DATA, 0x21, 0), FAILED);
    cr_assert_eq(transact(&b, 4, 0xa1, 0), FAILED);
    cr_assert_eq(transact(&b, 6, 0xa1, 0), FAILED);
    cr_assert_eq(transact(&b, 7, 0xa1, 0), FAILED);
    cr_assert_not(is_saved(b.eeprom));
    machine_remove_device(b.board->machine, b.eeprom);
    cr_assert_eq(transact(&b, QUICK, 0xa0, 0), FAILED);
    board_free(b.board);
}

/* Measured on QEMU 7.2: what the guest wrote is gone, but the section is still sent. */
Test(smbus, a_reset_restores_the_memory_of_a_module)
{
    Bench b = bench_new();

    board_out8(b.board, BASE + 5, 0x77);
    cr_assert_eq(transact(&b, BYTE_DATA, 0xa0, 5), DONE);
    device_reset(b.eeprom);
    cr_assert(is_saved(b.eeprom));
    cr_assert_eq(transact(&b, BYTE, 0xa1, 0), DONE);
    cr_assert_eq(board_in8(b.board, BASE + 5), 0, "from the first octet on");
    cr_assert_eq(transact(&b, BYTE_DATA, 0xa1, 5), DONE);
    cr_assert_eq(board_in8(b.board, BASE + 5), 15);
    board_free(b.board);
}

Test(smbus, a_transaction_can_be_killed)
{
    Bench b = bench_new();

    board_out8(b.board, BASE + 5, 0x55);
    board_out8(b.board, BASE + 4, 0xa1);
    board_out8(b.board, BASE + 2, 0x48);
    board_out8(b.board, BASE + 2, 0x02);
    cr_assert_eq(board_in8(b.board, BASE), 0x10);
    cr_assert_eq(board_in8(b.board, BASE), 0x10);
    cr_assert_eq(board_in8(b.board, BASE + 5), 0x55);
    board_out8(b.board, BASE, 0x10);
    cr_assert_eq(board_in8(b.board, BASE), 0);
    board_free(b.board);
}

Test(smbus, the_bus_is_the_one_that_qemu_records)
{
    Bench b = bench_new();

    board_load_recorded(b.board, b.bus, "a-kvm-min", false);
    board_load_recorded(b.board, b.bus, "j2-kvm-linux-virtio", false);
    board_free(b.board);
}

Test(smbus, an_address_is_taken_once)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Device) second = device_new(&smbus_eeprom_type);
    Bench b = bench_new();

    smbus_eeprom_set(second, b.bus, 0x50, NULL);
    cr_assert_not(device_realize(second, b.board->machine, &error));
    cr_assert_str_eq(error->message, "smbus-eeprom: the address 0x50 is taken");
    board_free(b.board);
}

Test(smbus, the_memory_of_a_module_is_the_one_that_qemu_records)
{
    Bench b = bench_new();
    Device *second = device_new(&smbus_eeprom_type);

    smbus_eeprom_set(second, b.bus, 0x51, NULL);
    board_add(b.board, second);
    board_load_recorded(b.board, b.eeprom, "k1-chipset", false);
    board_load_recorded(b.board, second, "k1-chipset", false);
    cr_assert_eq(transact(&b, BYTE, 0xa3, 0), DONE);
    cr_assert_eq(transact(&b, WORD_DATA, 0xa1, 0x80), DONE);
    cr_assert_eq(board_in8(b.board, BASE + 5), 0x78);
    cr_assert_eq(board_in8(b.board, BASE + 6), 0x79);
    board_free(b.board);
}

Test(smbus, memory_at_another_address_is_refused)
{
    uint8_t octets[301] = {0x51};
    g_autoptr(GError) error = NULL;
    Bench b = bench_new();

    cr_assert_not(board_load(b.board, b.eeprom, octets, sizeof octets, 1, &error));
    cr_assert(g_error_matches(error, FERRY_ERROR, FERRY_ERROR_REFUSED));
    octets[0] = 0x50;
    octets[8] = 35; /* more than there is room for */
    cr_assert_not(board_load(b.board, b.eeprom, octets, sizeof octets, 1, NULL));
    octets[8] = 34;
    cr_assert(board_load(b.board, b.eeprom, octets, sizeof octets, 1, NULL));
    board_free(b.board);
}

Test(smbus, any_state_survives)
{
    Bench b = bench_new();

    board_try_states(b.board, b.bus, 100);
    board_try_states(b.board, b.eeprom, 200);
    board_abuse_ports(b.board, b.eeprom, BASE, 16, 5000);
    board_free(b.board);
}
