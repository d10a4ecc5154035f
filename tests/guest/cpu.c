/*
 * cpu.c: descriptor tables, interrupts and their controllers, ring 0 for a moment.
 *
 * Sources: Intel SDM volume 3, chapters 6, 7 and 10; 8259A data sheet; 82093AA (I/O APIC) data sheet.
 */
#include "tests/guest/guest.h"

#define LAPIC  UINT64_C(0xfee00000)
#define IOAPIC UINT64_C(0xfec00000)

enum {
    STACK = 0x4000,
    GDT_TSS = 6, /* two entries for each processor */
    PORTS = 0x10000,
    INTERRUPT_GATE = 0x8e,
    USER_GATE = 0xee,

    LAPIC_EOI = 0xb0,
    LAPIC_SPURIOUS = 0xf0,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360,
    LVT_EXTINT = 0x700,
    LVT_NMI = 0x400,
    LVT_MASKED = 0x10000,
};

typedef struct Frame {
    uint64_t r11, r10, r9, r8, rdi, rsi, rdx, rcx, rax;
    uint64_t vector, error, rip, cs, flags, rsp, ss;
} Frame;

typedef struct __attribute__((packed)) TaskState {
    uint32_t reserved;
    uint64_t stacks[3];
    uint64_t reserved2, interrupt_stacks[7], reserved3;
    uint16_t reserved4, bitmap;
    uint8_t ports[PORTS / 8 + 1]; /* zeros: ring 3 may use every port */
} TaskState;

typedef struct Gate {
    uint16_t low, selector;
    uint8_t stack, kind;
    uint16_t middle;
    uint32_t high, reserved;
} Gate;

extern uint64_t gdt[];
extern char interrupt_entries[], boot_stack[], second_stack[];
void enter_user(void *where, void *stack, uint64_t flags) __attribute__((noreturn));

/* Interrupts; with the option iopl=3 also all ports, without the task's bitmap. */
static uint64_t user_flags(void)
{
    return 0x202 | option_number("iopl", 0) << 12;
}
void interrupt(Frame *f);

volatile uint64_t interrupts[256], recover_at;
void (*volatile handlers[256])(unsigned vector);

static TaskState tasks[CPUS];
static Gate idt[256];
static char user_stacks[CPUS][2 * STACK] __attribute__((aligned(16)));

/* --- interrupts -------------------------------------------------------------------------------------------------- */

static void acknowledge(unsigned vector)
{
    if (vector >= VECTOR_PIC + 8 && vector < VECTOR_PIC + 16)
        outb(0xa0, 0x20);
    if (vector >= VECTOR_PIC && vector < VECTOR_PIC + 16)
        outb(0x20, 0x20);
    else if (vector != VECTOR_SPURIOUS && vector != VECTOR_HELD)
        write32(LAPIC + LAPIC_EOI, 0);
}

static void exception(const Frame *f)
{
    uint64_t cr2;

    __asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
    put_text("\nwitness exception");
    put_item("vector", f->vector);
    put_item("error", f->error);
    put_text(" rip=");
    put_hex(f->rip);
    put_text(" rsp=");
    put_hex(f->rsp);
    put_text(" cr2=");
    put_hex(cr2);
    fail("exception", 0, f->vector);
}

void interrupt(Frame *f)
{
    unsigned vector = f->vector & 0xff;
    void (*handler)(unsigned) = handlers[vector];

    if (vector == VECTOR_CALL) {
        f->rax = ((Ring0 *)f->rdi)(f->rsi);
        return;
    }
    if (vector == VECTOR_NMI && handler) {
        handler(vector);
        return;
    }
    if (vector < 32 && recover_at) {
        f->rip = recover_at;
        return;
    }
    if (vector < 32)
        exception(f);
    __atomic_add_fetch(&interrupts[vector], 1, __ATOMIC_SEQ_CST);
    if (handler)
        handler(vector);
    acknowledge(vector);
}

/* --- ring 0 for a moment: int3 is the one way there that works wherever this has to run -------------------------- */

uint64_t ring0(Ring0 *function, uint64_t argument)
{
    uint64_t result;

    __asm__ volatile("int3"
                     : "=a"(result), "+D"(function), "+S"(argument)
                     :
                     : "rcx", "rdx", "r8", "r9", "r10", "r11", "memory", "cc");
    return result;
}

static uint64_t do_read_msr(uint64_t number)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"((uint32_t)number));
    return low | (uint64_t)high << 32;
}

uint64_t read_msr(uint32_t number)
{
    return ring0(do_read_msr, number);
}

static uint64_t do_write_msr(uint64_t argument)
{
    const uint64_t *a = (const uint64_t *)argument;

    __asm__ volatile("wrmsr" : : "c"((uint32_t)a[0]), "a"((uint32_t)a[1]), "d"((uint32_t)(a[1] >> 32)) : "memory");
    return 0;
}

void write_msr(uint32_t number, uint64_t value)
{
    uint64_t a[2] = {number, value};

    ring0(do_write_msr, address_of(a));
}

static uint64_t do_cpuid(uint64_t argument)
{
    Cpuid *c = (Cpuid *)argument;

    __asm__ volatile("cpuid" : "=a"(c->a), "=b"(c->b), "=c"(c->c), "=d"(c->d) : "a"(c->leaf), "c"(0));
    return 0;
}

void cpuid(Cpuid *c)
{
    ring0(do_cpuid, address_of(c));
}

static uint64_t do_idle(uint64_t argument)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
    return argument;
}

void idle(void)
{
    ring0(do_idle, 0);
}

/* --- controllers ------------------------------------------------------------------------------------------------- */

uint32_t lapic_read(uint32_t reg)
{
    return read32(LAPIC + reg);
}

void lapic_write(uint32_t reg, uint32_t value)
{
    write32(LAPIC + reg, value);
}

static void ioapic_write(uint8_t index, uint32_t value)
{
    write32(IOAPIC, index);
    write32(IOAPIC + 0x10, value);
}

void ioapic_set(unsigned pin, unsigned vector, bool level)
{
    uint32_t low = vector | (vector ? 0 : LVT_MASKED) | (level ? 1 << 15 : 0);

    ioapic_write(0x11 + 2 * pin, lapic_read(LAPIC_ID) & 0xff000000);
    ioapic_write(0x10 + 2 * pin, low);
    write32(IOAPIC, 0x10 + 2 * pin);
    expect("ioapic.redirection", low, read32(IOAPIC + 0x10) & 0x1afff);
}

void pic_enable(unsigned line)
{
    if (line < 8)
        outb(0x21, inb(0x21) & ~(1 << line));
    else
        outb(0xa1, inb(0xa1) & ~(1 << (line - 8)));
}

/* All masked but the cascade, vectors from VECTOR_PIC on. */
static void init_pics(void)
{
    static const struct {
        uint16_t port;
        uint8_t value;
    } words[] = {
        {0x20, 0x11},           {0x21, VECTOR_PIC}, {0x21, 4}, {0x21, 1},    {0xa0, 0x11},
        {0xa1, VECTOR_PIC + 8}, {0xa1, 2},          {0xa1, 1}, {0x21, 0xfb}, {0xa1, 0xff},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        outb(words[i].port, words[i].value);
}

static void init_lapic(bool boot)
{
    lapic_write(LAPIC_SPURIOUS, 0x100 | VECTOR_SPURIOUS);
    lapic_write(LAPIC_LVT_LINT0, boot ? LVT_EXTINT : LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(0x80, 0); /* task priority */
}

/* --- tables ------------------------------------------------------------------------------------------------------ */

static void init_idt(void)
{
    for (unsigned vector = 0; vector < 256; vector++) {
        uint64_t to = address_of(interrupt_entries + vector * 16);
        idt[vector] = (Gate){
            .low = to & 0xffff,
            .selector = 0x08,
            .kind = vector == VECTOR_CALL ? USER_GATE : INTERRUPT_GATE,
            .middle = to >> 16 & 0xffff,
            .high = to >> 32,
        };
    }
}

static void load_tables(unsigned cpu, char *stack)
{
    TaskState *task = &tasks[cpu];
    uint64_t at = address_of(task);
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } pointer = {sizeof(idt) - 1, address_of(idt)};

    task->stacks[0] = address_of(stack + STACK);
    task->bitmap = offsetof(TaskState, ports);
    task->ports[PORTS / 8] = 0xff; /* ends it */
    gdt[GDT_TSS + 2 * cpu] =
        (sizeof(TaskState) - 1) | (at & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (at >> 24 & 0xff) << 56;
    gdt[GDT_TSS + 2 * cpu + 1] = at >> 32;
    __asm__ volatile("lidt %0" : : "m"(pointer));
    __asm__ volatile("ltr %w0" : : "r"((GDT_TSS + 2 * cpu) * 8));
}

void boot_main(void)
{
    serial_init();
    options_init();
    init_idt();
    load_tables(0, boot_stack);
    init_pics();
    init_lapic(true);
    enter_user(user_main, user_stacks[0] + sizeof(user_stacks[0]) - 8, user_flags());
}

void second_main(void)
{
    load_tables(1, second_stack);
    init_lapic(false);
    enter_user(user_second, user_stacks[1] + sizeof(user_stacks[1]) - 8, user_flags());
}
