/* test-serial-port.c: what is around a UART: the bus, the other end, the system that looks for it. */
#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "tests/emu/support/serial-line.h"

Test(serial, four_ports_do_not_disturb_each_other)
{
    static const struct {
        uint16_t base;
        uint8_t irq;
    } where[] = {{0x3f8, 4}, {0x2f8, 3}, {0x3e8, 4}, {0x2e8, 3}};
    g_autoptr(Board) board = board_new();

    for (unsigned i = 0; i < 4; i++)
        board_add(board, serial_new(&(SerialOptions){&board->isa, NULL, where[i].base, where[i].irq}));
    for (unsigned i = 0; i < 4; i++)
        board_out8(board, (uint16_t)(where[i].base + 7), (uint8_t)(0x50 + i));
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_eq(board_in8(board, (uint16_t)(where[i].base + 7)), 0x50 + i);
        cr_assert_not_null(section_list_find(board->machine->sections, "serial", i));
    }
}

Test(serial, the_other_end_is_told_how_characters_look)
{
    g_autoptr(Board) board = board_new();
    const ChardevHome home = {.lock = board->machine->lock};
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    struct termios t;

    cr_assert(grantpt(master) == 0 && unlockpt(master) == 0);
    Chardev *c = chardev_new_fd(&home, open(ptsname(master), O_RDWR | O_NOCTTY), NULL);
    board_add(board, serial_new(&(SerialOptions){&board->isa, c, BASE, IRQ}));
    tcgetattr(master, &t);
    cr_assert_eq(cfgetospeed(&t), B9600);
    board_out8(board, LCR, 0x83);
    board_out8(board, DLL, 0x01);
    board_out8(board, LCR, 0x07);
    tcgetattr(master, &t);
    cr_assert_eq(cfgetospeed(&t), B115200);
    cr_assert(t.c_cflag & CSTOPB);
    board_out8(board, LCR, 0x83);
    board_out8(board, DLL, 0x80);
    board_out8(board, DLM, 0x01);
    board_out8(board, LCR, 0x03);
    tcgetattr(master, &t);
    cr_assert_eq(cfgetospeed(&t), B300);
    cr_assert_not(t.c_cflag & CSTOPB);
    machine_reset(board->machine);
    tcgetattr(master, &t);
    cr_assert_eq(cfgetospeed(&t), B9600);
    machine_remove_device(board->machine, g_ptr_array_index(board->machine->devices, 0));
    chardev_free(c);
    close(master);
}

/* What an operating system does to find out what there is. */
Test(serial, it_is_known_as_a_16550a_that_works)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    /* There is a UART, and the loop works: RTS and OUT2 come back as CTS and DCD. */
    out(&l, IER, 0x00);
    cr_assert_eq(in(&l, IER), 0x00);
    out(&l, IER, 0x0f);
    cr_assert_eq(in(&l, IER), 0x0f);
    out(&l, IER, 0x00);
    out(&l, MCR, 0x1a);
    cr_assert_eq(in(&l, MSR) & 0xf0, 0x90);
    out(&l, MCR, 0x08);
    /* FIFOs that work, of 16 and not of 64, and without registers of later chips behind LCR 0xbf. */
    out(&l, FCR, 0x01);
    cr_assert_eq(in(&l, IIR) >> 6, 3);
    out(&l, LCR, 0xbf);
    cr_assert_neq(in(&l, IIR), 0);
    out(&l, LCR, 0x80);
    out(&l, FCR, 0x21);
    cr_assert_eq(in(&l, IIR) & 0x20, 0);
    out(&l, LCR, 0x03);
    out(&l, IER, 0x40);
    cr_assert_eq(in(&l, IER), 0x00);
    /* THRE is told each time that it is enabled. */
    for (int i = 0; i < 2; i++) {
        out(&l, IER, 0x02);
        cr_assert_eq(in(&l, IIR) & 0x0f, EMPTY);
        out(&l, IER, 0x00);
    }
}

Test(serial, wider_accesses_are_several)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    board_out16(l.board, LCR, 0x0203);
    cr_assert_eq(in(&l, LCR), 0x03);
    cr_assert_eq(in(&l, MCR), 0x02);
    cr_assert_eq(board_in32(l.board, BASE + 4) & 0xffff, 0x6002);
}

Test(serial, a_place_that_there_is_not_is_refused)
{
    g_autoptr(Board) board = board_new();
    g_autoptr(GError) error = NULL, second = NULL;
    g_autoptr(Device) dev = serial_new(&(SerialOptions){&board->isa, NULL, 0x3f8, 16});
    g_autoptr(Device) beyond = serial_new(&(SerialOptions){&board->isa, NULL, 0xfff9, 4});

    cr_assert_not(device_realize(dev, board->machine, &error));
    cr_assert(strstr(error->message, "16"), "%s", error->message);
    cr_assert_not(device_realize(beyond, board->machine, &second));
}

Test(serial, removed_it_lets_go_of_its_line_and_its_other_end)
{
    g_auto(Line) l = line_new(&(ChardevMemory){0});

    out(&l, IER, 0x02);
    cr_assert(irq(&l));
    machine_remove_device(l.board->machine, l.dev);
    cr_assert_not(irq(&l));
    cr_assert_eq(in(&l, LSR), 0xff);
    feed(&l, "x");
    chardev_send_break(l.chardev);
}
