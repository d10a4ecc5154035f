/*
 * tour.c: with the option tour=1 the payload takes the machine through places where its chips are seldom found: each
 * stop leaves registers and half-done work off what a reset gives them, says so, and waits for 'n' on the line.
 *
 * Sources: data sheets of 8259A, 8254, 8237A, 82077AA, 8042, 16550A, MC146818A, 82093AA, 82371AB (PIIX4); IA-PC
 * HPET 1.0a; IBM PS/2 Technical Reference, mouse and keyboard; ATA/ATAPI-6; vmmouse's protocol as VMware's open driver
 * has it. Nothing is expected here: what the chips make of it is compared by those who save the machine.
 */
#include "tests/guest/tour.h"

#define HPET   UINT64_C(0xfed00000)
#define IOAPIC UINT64_C(0xfec00000)

enum { PM = 0x0b, PM_BASE = 0x600, SMB_BASE = 0xb100, LVT_LINT0 = 0x350, LVT_OFF = 0x10000 };

typedef struct Write {
    uint16_t port;
    uint8_t value;
} Write;

static void write_all(const Write *writes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        outb(writes[i].port, writes[i].value);
}

#define WRITE_ALL(...)                                                                                                 \
    do {                                                                                                               \
        static const Write writes_[] = {__VA_ARGS__};                                                                  \
        write_all(writes_, sizeof(writes_) / sizeof(*writes_));                                                        \
    } while (0)

/* Some microseconds. */
static void linger(void)
{
    for (unsigned i = 0; i < 20; i++)
        inb(0x80);
}

/* Nothing of what follows is to interrupt. */
void tour_quiet(void)
{
    lapic_write(LVT_LINT0, LVT_OFF);
    lapic_write(LAPIC_LVT_TIMER, LVT_OFF);
    for (unsigned pin = 0; pin < PINS; pin++)
        ioapic_set(pin, 0, false);
    WRITE_ALL({0x21, 0xff}, {0xa1, 0xff});
}

/* --- interrupts, timers ------------------------------------------------------------------------------------------- */

/* The first 8259 with an interrupt in service, which polling acknowledges; the second in the middle of its start. */
static void tour_pic(void)
{
    WRITE_ALL({0x2f9, 0}, {0x20, 0x11}, {0x21, 0x40}, {0x21, 4}, {0x21, 0x11}, /* ICW4: specially nested */
              {0x21, 0xf7}, {0x2fc, 0x08}, {0x2f9, 0x02});                     /* COM2 has room: its line goes up */
    linger();
    WRITE_ALL({0x20, 0x0c}); /* OCW3: poll */
    inb(0x20);
    WRITE_ALL({0x20, 0x80}, {0x20, 0xc3}, {0x20, 0x6b}, /* rotate on automatic EOI; lowest is 3; mask mode, read ISR */
              {0xa0, 0x13}, {0xa1, 0x48});              /* the second: single, and not all of its words */
    WRITE_ALL({0x4d0, 0x20}, {0x4d1, 0x0e});
}

static void tour_pic_poll(void)
{
    WRITE_ALL({0x20, 0x11}, {0x21, 0x20}, {0x21, 4}, {0x21, 3}, /* ICW4: automatic EOI */
              {0x21, 0xff}, {0x20, 0x0c},                       /* poll, and nobody reads */
              {0xa0, 0x11}, {0xa1, 0x28}, {0xa1, 2}, {0xa1, 1}, {0xa1, 0xff}, {0xa0, 0x0e});
}

static void tour_pit(void)
{
    WRITE_ALL({0x43, 0xb1}, {0x42, 0x34}, {0x42, 0x12}, /* 2: BCD, mode 0 */
              {0x43, 0xe8}, {0x43, 0x80},               /* its status and its count latched */
              {0x43, 0x7a}, {0x41, 0x77});              /* 1: mode 5, half a count */
    inb(0x42);                                          /* status; then the count is at its second octet */
    WRITE_ALL({0x43, 0xc8}, {0x61, 0x03});              /* both latched; gate and speaker's data on */
    inb(0x61);
}

static void tour_rtc(void)
{
    static const uint8_t registers[][2] = {{1, 0x59}, {3, 0x58}, {5, 0x23}, {0x0a, 0x2d}, {0x0b, 0x7e}, {0x40, 0xa5}};

    for (unsigned i = 0; i < sizeof(registers) / 2; i++)
        cmos_write(registers[i][0], registers[i][1]);
}

/* Timer 2, 32 bits, once, at a time that has just gone by: it comes after the counter has wrapped. */
static void tour_hpet(void)
{
    if (!hpet_present())
        return;
    for (unsigned n = 0; n < 3; n++) {
        write32(HPET + 0x110 + 0x20 * n, 0x4041 + n);
        write32(HPET + 0x114 + 0x20 * n, 0xfee00000);
    }
    write32(HPET + 0x140, 0x0b06); /* 32 bits, enabled, level, pin 5 */
    write32(HPET + 0x148, read32(HPET + 0xf0) - 0x1000);
}

static void tour_ioapic(void)
{
    write32(IOAPIC, 0);
    write32(IOAPIC + 0x10, 0x05000000);
    write32(IOAPIC, 0x10 + 2 * 7);
    write32(IOAPIC + 0x10, 0x1a977);
    write32(IOAPIC, 0x11);
}

/* --- power management, system management bus ---------------------------------------------------------------------- */

static unsigned pm_devfn(void)
{
    PciDevice pm = {.devfn = PM};

    pci_find(0x71138086, 0x71138086, &pm);
    return pm.devfn;
}

static void tour_power(void)
{
    unsigned devfn = pm_devfn();

    pci_write(devfn, 0x40, PM_BASE | 1);
    pci_write(devfn, 0x80, pci_read(devfn, 0x80) | 1);
    pci_write(devfn, 0x90, SMB_BASE | 1);
    pci_write(devfn, 0xd0, pci_read(devfn, 0xd0) | 0x90000);
    outw(PM_BASE + 2, 0x0121);
    outw(PM_BASE + 4, 0x0003);
    WRITE_ALL({0xafe2, 0x06}, {0xafe3, 0x01}, {0xb3, 0x5a}, {0x92, 0x02}, {0xcf9, 0x02}, {0x80, 0x77});
    outl(0xae10, 1);
    outl(0xae14, 3);
    outl(0xaf00, 0); /* hot plug of processors, the newer way */
    outb(0xaf05, 1);
    outl(0xaf08, 0x103);
    outb(0xaf05, 2);
    outl(0xaf08, 7);
    outl(0xaf00, 1);
    outl(0x514, 0x12345678); /* half the address of a transfer of fw_cfg's */
    outw(0x510, 0x19);
    inb(0x511);
    outl(0xcf8, 0x80000a5c);
}

static void smbus(uint8_t address, uint8_t command, uint8_t what)
{
    outb(SMB_BASE + 4, address);
    outb(SMB_BASE + 3, command);
    outb(SMB_BASE + 2, what);
    linger();
    inb(SMB_BASE);
    outb(SMB_BASE, 0x1e);
}

static void tour_smbus(void)
{
    outb(SMB_BASE + 5, 0x3c);
    outb(SMB_BASE + 6, 0xc3);
    smbus(0xa4, 0x10, 0x4c); /* a word written to the third memory module */
    smbus(0xa5, 0x10, 0x48); /* an octet read */
    inb(SMB_BASE + 2);
    outb(SMB_BASE + 5, 5); /* a block of five octets */
    for (unsigned i = 0; i < 5; i++)
        outb(SMB_BASE + 7, 0x60 + i);
    outb(SMB_BASE + 13, 2);
    smbus(0xa6, 0x20, 0x54);
    smbus(0xa7, 0x20, 0x54); /* and back, of which two are taken */
    inb(SMB_BASE + 2);
    inb(SMB_BASE + 7);
    inb(SMB_BASE + 7);
    outb(SMB_BASE + 5, 0x99);
}

/* A block that is read octet by octet, and has not come to its end. */
static void tour_smbus_half(void)
{
    outb(SMB_BASE + 13, 0);
    outb(SMB_BASE + 5, 8);
    outb(SMB_BASE + 4, 0xa5);
    outb(SMB_BASE + 3, 0x10);
    outb(SMB_BASE + 2, 0x58);
    linger();
    inb(SMB_BASE);
    inb(SMB_BASE + 7);
    outb(SMB_BASE, 0x80);
    inb(SMB_BASE);
}

/* --- keyboard, mice ----------------------------------------------------------------------------------------------- */

static void kbd(uint16_t port, uint8_t value)
{
    for (unsigned i = 0; i < 1000 && inb(0x64) & 2; i++)
        continue;
    outb(port, value);
    linger();
}

static void mouse(uint8_t value)
{
    kbd(0x64, 0xd4);
    kbd(0x60, value);
}

static void drain(void)
{
    for (unsigned i = 0; i < 300 && inb(0x64) & 1; i++) {
        inb(0x60);
        linger();
    }
}

static void tour_keyboard(void)
{
    static const uint8_t commands[] = {0xf5, 0xf4, 0xed, 0x05, 0xf0, 0x01, 0xf3, 0x7f, 0xf2, 0xee, 0xf0};

    kbd(0x64, 0xae);
    kbd(0x64, 0xd1);
    kbd(0x60, 0x4f); /* A20 stays, the lines to the keyboard do not */
    for (unsigned i = 0; i < sizeof(commands); i++) {
        drain();
        kbd(0x60, commands[i]); /* the last one waits for its parameter, and its answer to be read */
    }
    kbd(0x64, 0x60); /* a command whose parameter has not come */
}

static void tour_mouse(void)
{
    static const uint8_t commands[] = {0xf3, 200,  0xf3, 100,  0xf3, 80,   0xf2, 0xe8, 0,
                                       0xe7, 0xf4, 0xf0, 0xf3, 200,  0xf3, 100,  0xe9, 0xe8};

    kbd(0x60, 0x45);
    kbd(0x64, 0xa8);
    for (unsigned i = 0; i < sizeof(commands); i++) {
        mouse(commands[i]);
        if (i < 12)
            drain();
    }
}

static void tour_mouse_more(void)
{
    drain();
    mouse(3); /* what the last command waits for */
    drain();
    mouse(0xee);
    mouse(0x42);
    kbd(0x60, 0xf5); /* for the last command there is no such set */
    kbd(0x60, 0xf5); /* no keys */
}

static uint32_t vmmouse(uint32_t command, uint32_t argument)
{
    uint32_t a = 0x564d5868, b = argument, c = command, d = 0x5658, si = 0, di = 0;

    __asm__ volatile("inl %%dx, %%eax" : "+a"(a), "+b"(b), "+c"(c), "+d"(d), "+S"(si), "+D"(di) : : "memory");
    return a;
}

static void tour_vmmouse(void)
{
    vmmouse(0x29, 0x45414552); /* its identity, which then waits to be read */
    vmmouse(0x29, 0x53424152); /* absolute */
    vmmouse(0x28, 0);
}

/* --- DMA, floppy disks -------------------------------------------------------------------------------------------- */

static void tour_dma(void)
{
    WRITE_ALL({0x08, 0x10}, {0x0b, 0x46}, {0x0b, 0x45}, {0x0c, 0}, {0x04, 0x34}, {0x04, 0x12}, {0x05, 0xff},
              {0x05, 0x01}, {0x81, 0x07}, {0x481, 0x01}, {0x83, 0x21}, {0x09, 0x06}, {0x0f, 0x0b}, {0x04, 0x55});
    WRITE_ALL({0xd0, 0x20}, {0xd6, 0x5a}, {0xd8, 0}, {0xc8, 0x78}, {0xc8, 0x56}, {0xca, 0x0f}, {0xca, 0x00},
              {0x89, 0x42}, {0x489, 0x02}, {0xd2, 0x05}, {0xde, 0x07}, {0xca, 0x11});
}

static void fdc(uint8_t value)
{
    for (unsigned i = 0; i < 1000 && (inb(0x3f4) & 0xc0) != 0x80; i++)
        continue;
    outb(0x3f5, value);
}

static void fdc_all(const uint8_t *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        fdc(values[i]);
}

#define FDC(...) fdc_all((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void fdc_results(void)
{
    for (unsigned i = 0; i < 16 && (inb(0x3f4) & 0xd0) == 0xd0; i++)
        inb(0x3f5);
}

/* Just reset: four interrupts to be sensed. */
static void tour_fdc_reset(void)
{
    outb(0x3f2, 0x00);
    linger();
    outb(0x3f2, 0x1d);
    linger();
}

static void tour_fdc_result(void)
{
    for (unsigned i = 0; i < 4; i++) {
        FDC(0x08);
        fdc_results();
    }
    FDC(0x03, 0xdf, 0x03);       /* specify, without DMA */
    FDC(0x13, 0x00, 0x57, 0x0a); /* configure */
    FDC(0x12, 0x84 | 0x03);      /* perpendicular mode */
    FDC(0x94);                   /* lock */
    fdc_results();
    FDC(0x17, 0x05); /* powered down when idle */
    fdc_results();
    WRITE_ALL({0x3f3, 0x0d}, {0x3f7, 0x02});
    FDC(0x0f, 0x05, 0x07); /* seek, head 1 of drive 1 */
    linger();
    FDC(0x08);
    fdc_results();
    FDC(0xc6, 0x05, 0x07, 0x01, 0x02, 0x02, 0x09, 0x1b, 0xff); /* read data: where there is no disk it fails */
    linger();
    inb(0x3f5);
}

static void tour_fdc_command(void)
{
    fdc_results();
    WRITE_ALL({0x3f4, 0x41}); /* data rate; powered down */
    linger();
    WRITE_ALL({0x3f4, 0x02}, {0x3f2, 0x2e});
    FDC(0x45, 0x02, 0x11, 0x00);
}

/* Its answer takes some milliseconds, in which it is saved. */
static void tour_fdc_timer(void)
{
    if ((inb(0x3f4) & 0xd0) == 0xd0)
        fdc_results();
    if ((inb(0x3f4) & 0xf0) == 0x80)
        FDC(0x4a, 0x00);
}

/* An answer of the keyboard's is fetched: with QEMU's kbd-throttle it then lets others wait for a millisecond. */
static void tour_echo(void)
{
    kbd(0x60, 0xee);
    linger();
    inb(0x60);
}

static void tour_again(void)
{
    tour_fdc_timer();
    for (unsigned i = 0, count = option_number("echoes", 5); i < count; i++)
        tour_echo();
    cmos_read(0x0c);
}

static void tour_fdc_again(void)
{
    outb(0x3f2, 0x00);
    linger();
    outb(0x3f2, 0x0c);
    linger();
    for (unsigned i = 0; i < 4; i++) {
        FDC(0x08);
        fdc_results();
    }
    tour_fdc_timer();
}

/* --- IDE ---------------------------------------------------------------------------------------------------------- */

static void ide_settle(uint16_t base)
{
    for (unsigned i = 0; i < 100000 && inb(base + 7) & 0x80; i++)
        continue;
}

static void packet(const uint8_t command[12])
{
    WRITE_ALL({0x176, 0xa0}, {0x171, 0}, {0x174, 0xfe}, {0x175, 0xff}, {0x177, 0xa0});
    ide_settle(0x170);
    for (unsigned i = 0; i < 12; i += 2)
        outw(0x170, command[i] | command[i + 1] << 8);
    ide_settle(0x170);
}

/* Registers with both their octets, the disk's parameters, a sector read in part; the CD drive with a complaint. */
static void tour_ide(void)
{
    static const uint8_t mode_sense_of_nothing[12] = {0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 4, 0};

    WRITE_ALL({0x3f6, 0x0a}, {0x1f6, 0xe0}, {0x1f2, 0x08}, {0x1f7, 0xc6});
    ide_settle(0x1f0);
    WRITE_ALL({0x1f1, 0x11}, {0x1f1, 0x22}, {0x1f2, 0x00}, {0x1f2, 0x02}, {0x1f3, 0x00}, {0x1f3, 0x03}, {0x1f4, 0x00},
              {0x1f4, 0x01}, {0x1f5, 0x00}, {0x1f5, 0x00}, {0x1f7, 0x24});
    ide_settle(0x1f0);
    for (unsigned i = 0; i < 100; i++)
        inw(0x1f0);
    WRITE_ALL({0x376, 0x0a});
    packet(mode_sense_of_nothing);
}

/* A write of which the disk has had a part; a page of the CD drive's that nobody has read to its end. */
static void tour_ide_write(void)
{
    static const uint8_t inquiry[12] = {0x12, 0, 0, 0, 36}, lock[12] = {0x1e, 0, 0, 0, 1}, sense[12] = {3, 0, 0, 0, 18};

    for (unsigned i = 0; i < 412; i++)
        inw(0x1f0);
    ide_settle(0x1f0);
    WRITE_ALL({0x3f6, 0x08}, {0x1f6, 0xf1}, {0x1f1, 0x33}, {0x1f2, 0x03}, {0x1f3, 0x09}, {0x1f4, 0}, {0x1f5, 0},
              {0x1f7, 0x30});
    ide_settle(0x1f0);
    for (unsigned i = 0; i < 300; i++)
        outw(0x1f0, i * 7);
    packet(sense);
    for (unsigned i = 0; i < 9; i++)
        inw(0x170);
    packet(lock);
    packet(inquiry);
    for (unsigned i = 0; i < 5; i++)
        inw(0x170);
}

/* --- serial lines ------------------------------------------------------------------------------------------------- */

/*
 * COM2 talks to itself, so slowly that it waits for more for long, and has received more than it was asked for; COM3's
 * other end does not listen. COM4 has waited in vain for more.
 */
static void tour_serial(void)
{
    WRITE_ALL({0x2fb, 0x80}, {0x2f8, 0xff}, {0x2f9, 0xff}, {0x2fb, 0x1b}, {0x2fa, 0x87}, {0x2fc, 0x1d}, {0x2ff, 0x5c},
              {0x2f9, 0x0d});
    for (unsigned i = 0; i < 4; i++) {
        outb(0x2f8, 0x41 + i);
        linger();
    }
    inb(0x2f8);
    WRITE_ALL({0x3eb, 0x80}, {0x3e8, 0x01}, {0x3e9, 0x00}, {0x3eb, 0x03}, {0x3ea, 0x01}, {0x3ec, 0x0b}, {0x3e9, 0x02});
    for (unsigned i = 0; i < 4005; i++)
        outb(0x3e8, i);
    WRITE_ALL({0x2eb, 0x03}, {0x2ec, 0x10}, {0x2e9, 0x03}, {0x2e8, 0x5a});
    linger();
    WRITE_ALL({0x2ea, 0x87}, {0x2e8, 0x5b});
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static void tour_controllers(void)
{
    tour_pic();
    tour_pit();
    tour_rtc();
    tour_hpet();
    tour_ioapic();
    tour_power();
    tour_smbus();
    tour_dma();
    tour_fdc_reset();
    tour_keyboard();
}

static void tour_halves(void)
{
    tour_pic_poll();
    tour_smbus_half();
    tour_mouse();
    tour_fdc_result();
    tour_ide();
    tour_serial();
}

static void tour_others(void)
{
    tour_mouse_more();
    tour_vmmouse();
    tour_fdc_command();
    tour_ide_write();
}

typedef struct Stop {
    const char *name;
    void (*go)(void), (*again)(void); /* once; while it waits */
} Stop;

static void tour_masked(void);

static void tour_broken(void)
{
    tour_virtio_broken();
    if (option_number("priority", 0))
        tour_priority();
}

static const Stop stops[] = {
    {"controllers", tour_controllers, NULL}, {"halves", tour_halves, NULL},
    {"others", tour_others, NULL},           {"virtio", tour_virtio, NULL},
    {"processor", tour_processor, NULL},     {"floppy", tour_fdc_again, tour_again},
    {"lines", tour_virtio_lines, NULL},      {"broken", tour_broken, NULL},
    {"masked", tour_masked, NULL},           {"late", tour_late, NULL},
    {"nested", tour_nested, NULL},
};
static const Stop *volatile at;

static void rest(void)
{
    const Stop *stop = at;

    if (!stop)
        return;
    at = NULL;
    put_text("witness tour=");
    put_text(stop->name);
    put_text(" ok\n");
    while (serial_get() != 'n')
        if (stop->again)
            stop->again();
}

static void on_nmi(unsigned vector)
{
    (void)vector;
    rest();
}

/* An NMI to itself: until its handler returns there is no other. */
static void tour_masked(void)
{
    lapic_write(LAPIC_ICR, 0x44400);
    for (unsigned i = 0; i < 10000 && at; i++)
        pause();
}

void tour(void)
{
    tour_quiet();
    handlers[VECTOR_NMI] = on_nmi;
    for (unsigned i = 0; i < sizeof(stops) / sizeof(*stops); i++) {
        if (!option_has("stops", stops[i].name))
            continue;
        at = &stops[i];
        stops[i].go();
        rest();
    }
    put_text("witness ends\n");
    stand();
}
