/*
 * fuzz-device.c: a guest that means no good, on a PC without processors.
 *
 * The first octet of an input is the chip that it is about, the rest a program (see the enum): accesses, time, input
 * from outside, saving and loading. What is saved must load and be the same then, here and on another machine; what is
 * refused must change nothing.
 */
#include <inttypes.h>

#include "emu/dev/i8259.h"
#include "emu/dev/ioapic.h"
#include "emu/dev/lapic.h"
#include "emu/dev/ps2.h"
#include "emu/dev/vmmouse.h"
#include "emu/pci/pci-bus.h"
#include "tests/fuzz/support/fuzz.h"
#include "tests/fuzz/support/guest-board.h"

enum { STEPS_MAX = 600, LOADS_MAX = 60, MIGRATIONS_MAX = 3, FOCUS_PORTS = 4, FOCUS_CHIPS = 5 };

/* The lower half of an instruction's octet; the upper half, and what follows, say more. Numbers: lowest octet first. */
typedef enum Instruction {
    OUT_FOCUS,  /* upper half: log2 of the size, 4: repeat it 256 times; u8 which port of the chip's, value */
    IN_FOCUS,   /* the same without value */
    STORE,      /* size; u16 offset in the chip's memory, value */
    LOAD,       /* size; u16 */
    TIME,       /* 0: at once, 1: expiry by expiry, 2: the host's clock is set; u8 << u8 ns */
    EVENT,      /* which; two of u8 */
    SAVE,       /* GuestFormat, or 3: to another machine; u8 which of the chips */
    MUTATE,     /* GuestFormat; u8 which, u8 changes, each u16 where and u8 what */
    LOAD_STATE, /* u8 which, u8 version, u16 octets, the octets */
    RESET,
    ANY_PORT,   /* size, 4: it is a write; u16, value */
    ANY_MEMORY, /* the same; five octets of address */
    CONFIG,     /* the same; u8 slot, u8 register */
    KEEP,       /* u8, the last access again so often */
    POKE,       /* u32 address, u8 how many octets, they */
    BACKDOOR,   /* size; u8 command, u32 ebx */
} Instruction;

/* Where a chip is, and which others it goes with. Ports: first and last. */
typedef struct Focus {
    const char *name;
    uint16_t ports[FOCUS_PORTS][2];
    uint64_t memory;
    uint16_t memory_size;
    int chips[FOCUS_CHIPS]; /* -1 ends them */
} Focus;

static const Focus focuses[] = {
    {"pic", {{0x20, 0x21}, {0xa0, 0xa1}, {0x4d0, 0x4d1}}, 0, 0, {CHIP_PIC_MASTER, CHIP_PIC_SLAVE, -1}},
    {"ioapic", {{0x20, 0x21}}, IOAPIC_BASE, 0x100, {CHIP_IOAPIC, -1}},
    {"dma", {{0x00, 0x0f}, {0x80, 0x8f}, {0xc0, 0xdf}}, 0, 0x8000, {CHIP_DMA_FIRST, CHIP_DMA_SECOND, -1}},
    {"pit", {{0x40, 0x43}, {0x61, 0x61}}, 0, 0, {CHIP_PIT, CHIP_PCSPK, -1}},
    {"hpet", {{0x40, 0x43}}, 0xfed00000, 0x400, {CHIP_HPET, CHIP_PIT, CHIP_RTC, CHIP_IOAPIC, -1}},
    {"rtc", {{0x70, 0x71}}, 0, 0, {CHIP_RTC, -1}},
    {"fw_cfg", {{0x510, 0x51b}}, 0, 0x8000, {CHIP_FW_CFG, CHIP_ACPI_BUILD, -1}},
    {"serial", {{0x3f8, 0x3ff}}, 0, 0, {CHIP_SERIAL, -1}},
    {"fdc", {{0x3f0, 0x3f7}}, 0, 0, {CHIP_FDC, -1}},
    {"ps2", {{0x60, 0x60}, {0x64, 0x64}}, 0, 0, {CHIP_KEYBOARD, CHIP_MOUSE, CHIP_PCKBD, -1}},
    {"vmmouse", {{0x5658, 0x565b}, {0x60, 0x60}, {0x64, 0x64}}, 0, 0, {CHIP_VMMOUSE, CHIP_MOUSE, CHIP_PCKBD, -1}},
    {"port92", {{0x92, 0x92}}, 0, 0, {CHIP_PORT92, CHIP_GLOBALSTATE, CHIP_ACPI_BUILD, -1}},
    {"pci", {{0xcf8, 0xcff}, {0xc000, 0xc03f}}, 0xe0000000, 0x8000, {CHIP_GADGET, CHIP_BUS, CHIP_HOST, CHIP_PIIX3, -1}},
    {"i440fx", {{0xcf8, 0xcff}}, 0xc0000, 0xffff, {CHIP_I440FX, CHIP_HOST, CHIP_GADGET, -1}},
    {"ide", {{0x1f0, 0x1f7}, {0x170, 0x177}, {0x3f6, 0x3f6}, {0xc100, 0xc10f}}, 0, 0x8000, {CHIP_IDE, -1}},
    {"lapic", {{0x20, 0x21}, {0x43, 0x43}}, 0xfee00000, 0x1000, {CHIP_LAPIC, CHIP_LAPIC_LAST, CHIP_IOAPIC, -1}},
    {"pm",
     {{0xc200, 0xc23f}, {0xb2, 0xb3}, {0xafe0, 0xafe3}, {0xae00, 0xae13}},
     0,
     0,
     {CHIP_PIIX4_PM, CHIP_ACPI_BUILD, -1}},
    {"hotplug", {{0xae00, 0xae13}, {0xaf00, 0xaf0b}, {0xafe0, 0xafe3}}, 0, 0, {CHIP_PIIX4_PM, CHIP_BUS, -1}},
    {"smbus", {{0xc240, 0xc24f}}, 0, 0, {CHIP_SMBUS, CHIP_MODULE, CHIP_PIIX4_PM, -1}},
};

typedef struct Access {
    bool write, to_memory;
    unsigned size;
    uint64_t addr, value;
} Access;

typedef struct Guest {
    GuestBoard *board;
    const Focus *focus;
    ByteIn in;
    Access last;
    unsigned cpu; /* that runs */
    unsigned loads, migrations;
    bool moves;   /* as soon as this instruction is done */
    uint64_t saw; /* what this instruction read */
} Guest;

/* --- numbers of the program -------------------------------------------------------------------------------------- */

static uint64_t number(Guest *g, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)byte_in_u8(&g->in) << 8 * i;
    return value;
}

static uint16_t focus_port(const Focus *focus, unsigned n)
{
    unsigned all = 0;

    for (unsigned i = 0; i < FOCUS_PORTS && focus->ports[i][1]; i++)
        all += focus->ports[i][1] - focus->ports[i][0] + 1U;
    n %= all;
    for (unsigned i = 0;; i++) {
        unsigned here = focus->ports[i][1] - focus->ports[i][0] + 1U;
        if (n < here)
            return (uint16_t)(focus->ports[i][0] + n);
        n -= here;
    }
}

/* One of the chips that have a section. */
static GuestChip focus_chip(const Focus *focus, unsigned n)
{
    unsigned count = 0;

    while (count < FOCUS_CHIPS && focus->chips[count] >= 0)
        count++;
    return (GuestChip)focus->chips[n % count];
}

/* --- instructions ------------------------------------------------------------------------------------------------ */

static void do_access(Guest *g, const Access *a)
{
    Space *space = a->to_memory ? g->board->machine->memory : g->board->machine->ports;
    Device *lapic = g->board->chips[CHIP_LAPIC + g->cpu];
    uint64_t value = 0;

    g->last = *a;
    if (a->write && (!a->to_memory || !lapic_vcpu.write(lapic, a->addr, a->size, a->value)))
        space_write(space, a->addr, a->value, a->size);
    else if (!a->write && (!a->to_memory || !lapic_vcpu.read(lapic, a->addr, a->size, &value)))
        value = space_read(space, a->addr, a->size);
    g->saw = g->saw * 31 + value;
    guest_board_obey(g->board);
}

static void do_access_focus(Guest *g, unsigned how, bool write)
{
    Access a = {.write = write, .size = 1U << how % 4, .addr = focus_port(g->focus, byte_in_u8(&g->in))};

    if (write)
        a.value = number(g, a.size);
    for (unsigned n = how & 4 ? 256 : 1; n; n--)
        do_access(g, &a);
}

static void do_access_memory(Guest *g, unsigned how, bool write)
{
    Access a = {.write = write, .to_memory = true, .size = 1U << how % 4};

    a.addr = g->focus->memory + number(g, 2) % MAX(g->focus->memory_size, 1);
    if (write)
        a.value = number(g, a.size);
    do_access(g, &a);
}

static void do_access_anywhere(Guest *g, unsigned how, bool to_memory)
{
    Access a = {.write = how & 4, .to_memory = to_memory, .size = 1U << how % 4};

    a.addr = number(g, to_memory ? 5 : 2);
    if (a.write)
        a.value = number(g, a.size);
    do_access(g, &a);
}

static void do_config(Guest *g, unsigned how)
{
    unsigned slot = byte_in_u8(&g->in) % GUEST_PCI_SLOTS, reg = byte_in_u8(&g->in);
    Access a = {.write = how & 4, .size = 1U << MIN(how % 4, 2), .addr = 0xcfc + reg % 4};

    if (a.write)
        a.value = number(g, a.size);
    space_write(g->board->machine->ports, 0xcf8, 0x80000000 | slot << 11 | (reg & 0xfc), 4);
    do_access(g, &a);
}

static void do_time(Guest *g, unsigned how)
{
    int64_t ns = byte_in_u8(&g->in);

    ns <<= byte_in_u8(&g->in) % 40;
    if (how % 4 == 0)
        guest_board_jump(g->board, ns);
    else if (how % 4 == 1)
        guest_board_step(g->board, ns, 64);
    else
        g->board->host_ns += ns;
    clock_run(g->board->machine->host_clock);
    guest_board_obey(g->board);
}

static void do_serial_event(GuestBoard *b, unsigned x)
{
    uint8_t data[64];

    switch (x % 4) {
    case 0:
        memset(data, (int)x, sizeof data);
        chardev_memory_feed(b->chardev, data, 1 + (x >> 2) % 32);
        break;
    case 1:
        chardev_memory_read(b->chardev, data, x >> 2);
        break;
    case 2:
        chardev_send_break(b->chardev);
        break;
    default:
        break;
    }
    for (int i = 0; i < 16 && g_main_context_iteration(b->context, FALSE); i++)
        ;
}

/* What a processor writes that is in no memory; KVM lets no guest without x2APIC switch that on. */
static void do_lapic_event(Device *lapic, unsigned x, unsigned y)
{
    if (x & 1)
        lapic_vcpu.set_priority(lapic, y % 16);
    else
        lapic_vcpu.set_base(lapic, 0xfee00000 | (uint64_t)(x >> 4) << 12 | (y & 9) << 8);
}

static void do_event(Guest *g, unsigned which)
{
    GuestBoard *b = g->board;
    unsigned x = byte_in_u8(&g->in), y = byte_in_u8(&g->in);
    static const int32_t distances[] = {0, 1, -1, 127, -128, 255, -256, 100000, INT32_MAX, INT32_MIN};
    const int32_t right = distances[x % 10], down = distances[y % 10];

    switch (which) {
    case 0:
        ps2_keyboard_key(b->chips[CHIP_KEYBOARD], 0x070000 + x, y & 1);
        break;
    case 1:
        ps2_mouse_move(b->chips[CHIP_MOUSE], &(Ps2Motion){right, down, (int8_t)x, (uint8_t)(y / 8)});
        break;
    case 2:
        vmmouse_move(b->chips[CHIP_VMMOUSE], &(VmmouseMotion){(uint16_t)(x << 7), (uint16_t)(y << 7), right, down,
                                                              (int8_t)(x ^ y), (uint8_t)(x * y)});
        break;
    case 3:
    case 4:
        do_serial_event(b, x);
        break;
    case 5:
        b->dma_supply = (size_t)y << y % 10;
        b->dma_step = x & 0x80 ? SIZE_MAX : x >> 3;
        guest_board_request(b, x % ISA_DMA_CHANNELS, y & 1);
        break;
    case 6:
        i8259_acknowledge(b->chips[CHIP_PIC_MASTER], b->chips[CHIP_PIC_SLAVE]);
        break;
    case 7:
        ioapic_eoi(b->chips[CHIP_IOAPIC], (uint8_t)x);
        break;
    case 8:
        b->patched = true;
        irq_set(&b->isa->irq[x % ISA_IRQS], y & 1);
        break;
    case 9: {
        b->patched = true;
        Irq pin = device_input(b->chips[CHIP_IOAPIC], "irq", x % IOAPIC_PINS);
        irq_set(&pin, y & 1);
        break;
    }
    case 10:
        guest_gadget_event(b->chips[CHIP_GADGET], x);
        break;
    case 11:
        guest_board_disk_event(b, x);
        break;
    case 12:
        guest_board_power_event(b, x, y);
        break;
    case 13:
        g->cpu = x % GUEST_CPUS;
        g->saw = g->saw * 31 + guest_board_take(b, g->cpu);
        break;
    case 14:
        do_lapic_event(b->chips[CHIP_LAPIC + g->cpu], x, y);
        break;
    default:
        machine_set_running(b->machine, x & 1);
    }
    guest_board_obey(b);
}

static void do_save(Guest *g, unsigned how)
{
    GuestChip chip = focus_chip(g->focus, byte_in_u8(&g->in));

    if (how % 4 < 3 && g->loads++ < LOADS_MAX)
        guest_board_save_and_load(g->board, chip, (GuestFormat)(how % 4));
    else if (how % 4 == 3)
        g->moves = g->migrations++ < MIGRATIONS_MAX;
}

/* What was taken must be saved so that it comes back. */
static void load(Guest *g, GuestChip chip, GuestFormat format, int version, const ByteOut *octets)
{
    g_autoptr(GError) error = NULL;

    g->board->patched = true;
    if (guest_board_load(g->board, chip, format, version, octets, &error)) {
        guest_board_save_and_load(g->board, chip, GUEST_QEMUFILE);
        guest_board_save_and_load(g->board, chip, GUEST_BER_BY_NAME);
    } else {
        fuzz_check(error && error->message && *error->message, "a refusal without a reason");
    }
    guest_board_obey(g->board);
}

static void do_mutate(Guest *g, unsigned how)
{
    GuestChip chip = focus_chip(g->focus, byte_in_u8(&g->in));
    unsigned changes = byte_in_u8(&g->in) % 32;
    GuestFormat format = how % 3;
    ByteOut octets = {0};

    if (g->loads++ >= LOADS_MAX)
        return;
    guest_board_save(g->board, chip, format, &octets);
    for (; changes; changes--) {
        size_t at = number(g, 2);
        uint8_t value = byte_in_u8(&g->in);
        if (octets.len)
            octets.data[at % octets.len] = value;
    }
    load(g, chip, format, guest_board_section(g->board, chip)->desc->version, &octets);
    byte_out_done(&octets);
}

static void do_load_state(Guest *g)
{
    GuestChip chip = focus_chip(g->focus, byte_in_u8(&g->in));
    int version = byte_in_u8(&g->in);
    size_t told = number(g, 2), len = MIN(told, byte_in_left(&g->in));
    ByteOut octets = {0};

    byte_out_put(&octets, byte_in_take(&g->in, len), len);
    if (g->loads++ < LOADS_MAX)
        load(g, chip, GUEST_QEMUFILE, version, &octets);
    byte_out_done(&octets);
}

static void do_keep(Guest *g)
{
    Access again = g->last;

    if (again.size)
        for (unsigned n = byte_in_u8(&g->in); n; n--)
            do_access(g, &again);
}

static void do_poke(Guest *g)
{
    uint64_t addr = number(g, 4);
    size_t told = byte_in_u8(&g->in), len = MIN(told, byte_in_left(&g->in));

    if (len)
        space_write_octets(g->board->machine->memory, addr, byte_in_take(&g->in, len), len);
    guest_board_obey(g->board);
}

static void do_backdoor(Guest *g, unsigned how)
{
    Access a = {.write = how & 4, .size = 1U << MIN(how % 4, 2), .addr = 0x5658};

    g->board->registers = (VmportRegisters){.eax = 0x564d5868, .ecx = byte_in_u8(&g->in), .edx = 0x5658};
    g->board->registers.ebx = (uint32_t)number(g, 4);
    do_access(g, &a);
}

static void step(Guest *g)
{
    unsigned octet = byte_in_u8(&g->in), how = octet >> 4;

    switch ((Instruction)(octet & 15)) {
    case OUT_FOCUS:
    case IN_FOCUS:
        do_access_focus(g, how, (octet & 15) == OUT_FOCUS);
        break;
    case STORE:
    case LOAD:
        do_access_memory(g, how, (octet & 15) == STORE);
        break;
    case TIME:
        do_time(g, how);
        break;
    case EVENT:
        do_event(g, how);
        break;
    case SAVE:
        do_save(g, how);
        break;
    case MUTATE:
        do_mutate(g, how);
        break;
    case LOAD_STATE:
        do_load_state(g);
        break;
    case RESET:
        machine_reset(g->board->machine);
        break;
    case ANY_PORT:
    case ANY_MEMORY:
        do_access_anywhere(g, how, (octet & 15) == ANY_MEMORY);
        break;
    case CONFIG:
        do_config(g, how);
        break;
    case KEEP:
        do_keep(g);
        break;
    case POKE:
        do_poke(g);
        break;
    case BACKDOOR:
        do_backdoor(g, how);
        break;
    }
}

static void finish(Guest *g)
{
    const int *chips = g->focus->chips;

    for (unsigned n = 0; n < FOCUS_CHIPS && chips[n] >= 0; n++)
        if (guest_board_section(g->board, (GuestChip)chips[n]))
            guest_board_save_and_load(g->board, (GuestChip)chips[n], GUEST_QEMUFILE);
    guest_board_free(g->board);
}

/* The guest goes on elsewhere, and the one that stays is compared with it. What is due comes first when both run. */
static void move(Guest *stays, Guest *goes)
{
    if (goes->board)
        guest_board_free(stays->board);
    else
        *goes = *stays;
    stays->board = goes->board;
    goes->board = guest_board_copy(stays->board);
    guest_board_jump(stays->board, 0);
    guest_board_jump(goes->board, 0);
    stays->moves = goes->moves = false;
}

/* The only one that this run is about, by its name in FUZZ_FOCUS; -1: all are. */
static int only(void)
{
    const char *name = getenv("FUZZ_FOCUS");

    if (!name || !*name)
        return -1;
    for (size_t i = 0; i < G_N_ELEMENTS(focuses); i++)
        if (!strcmp(name, focuses[i].name))
            return (int)i;
    fuzz_broken("FUZZ_FOCUS=%s: there is no such", name);
}

/* As many octets as step takes. */
static size_t instruction_length(const uint8_t *at, size_t left)
{
    unsigned how = at[0] >> 4, size = 1U << how % 4, value = how & 4 ? size : 0;

    switch ((Instruction)(at[0] & 15)) {
    case OUT_FOCUS:
        return 2 + size;
    case STORE:
        return 3 + size;
    case LOAD:
    case TIME:
    case EVENT:
        return 3;
    case MUTATE:
        return 3 + (left > 2 ? 3U * (at[2] % 32) : 0);
    case LOAD_STATE:
        return 5 + (left > 4 ? at[3] | (size_t)at[4] << 8 : 0);
    case RESET:
        return 1;
    case ANY_PORT:
        return 3 + value;
    case ANY_MEMORY:
        return 6 + value;
    case CONFIG:
        return 3 + MIN(value, 4);
    case POKE:
        return 6 + (left > 5 ? at[5] : 0);
    case BACKDOOR:
        return 6 + MIN(value, 4);
    default: /* IN_FOCUS, SAVE, KEEP */
        return 2;
    }
}

/* Behind the first instructions of a program. Chance seldom puts one where it does not make another program. */
static size_t insert_move(uint8_t *data, size_t len, size_t most, unsigned instructions)
{
    size_t at = 1;

    for (; instructions && at < len; instructions--)
        at += instruction_length(data + at, len - at);
    if (at > len || len + 2 > most)
        return len;
    memmove(data + at + 2, data + at, len - at);
    data[at] = SAVE | 3 << 4;
    data[at + 1] = 0;
    return len + 2;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t most, unsigned seed)
{
    len = seed % 16 ? LLVMFuzzerMutate(data, len, most) : insert_move(data, len, most, seed / 16 % 64);
    if (len && only() >= 0)
        data[0] = (uint8_t)only();
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const size_t focus = len ? data[0] % G_N_ELEMENTS(focuses) : 0;
    Guest stays = {.focus = &focuses[focus]}, goes = {.board = NULL};

    if (!len || (only() >= 0 && focus != (size_t)only()))
        return 0;
    stays.board = guest_board_new(NS_PER_SECOND, INT64_C(1700000000) * NS_PER_SECOND);
    byte_in_init(&stays.in, data + 1, len - 1);
    for (unsigned n = 0; n < STEPS_MAX && byte_in_left(&stays.in); n++) {
        stays.saw = goes.saw = 0;
        step(&stays);
        if (goes.board)
            step(&goes);
        fuzz_check(!goes.board || goes.board->patched || goes.board->lossy || stays.saw == goes.saw,
                   "%s: after %zu octets the guest reads 0x%" PRIx64 ", elsewhere 0x%" PRIx64, stays.focus->name,
                   stays.in.pos + 1, stays.saw, goes.saw);
        if (stays.moves)
            move(&stays, &goes);
    }
    if (goes.board)
        finish(&goes);
    guest_board_free(guest_board_copy(stays.board));
    finish(&stays);
    return 0;
}
