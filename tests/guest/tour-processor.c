/*
 * tour-processor.c: registers of the processor that a small program has no use for. Those that a processor has not got
 * are passed by.
 *
 * Sources: Intel SDM volumes 3 (chapters 2, 8, 11, 13, 15, 17 to 19) and 4; AMD64 APM volume 2, chapters 7 and 15;
 * Linux' Documentation/virt/kvm/x86/msr.rst.
 */
#include "tests/guest/tour.h"

enum {
    EFER = 0xc0000080,
    PAGES = 6,
    CR4_OSXSAVE = 1 << 18,
    CR4_PKE = 1 << 22,
};

static uint8_t pages[PAGES][4096] __attribute__((aligned(4096)));

static uint64_t do_write(uint64_t argument)
{
    const uint64_t *a = (const uint64_t *)argument;

    RECOVER("wrmsr", "c"((uint32_t)a[0]), "a"((uint32_t)a[1]), "d"((uint32_t)(a[1] >> 32)));
    return 0;
}

static void write_if_there(uint32_t number, uint64_t value)
{
    uint64_t a[2] = {number, value};

    ring0(do_write, address_of(a));
}

static void system_calls(void)
{
    static const uint64_t values[][2] = {
        {0x174, 0x08},           {0x175, 0x123456789000}, {0x176, 0x12345678a000}, {0xc0000081, 0x0023000800000000},
        {0xc0000082, 0x1111000}, {0xc0000083, 0x2222000}, {0xc0000084, 0x47700},   {0xc0000102, 0x3333000},
        {0xc0000103, 0x77},
    };

    for (unsigned i = 0; i < sizeof(values) / sizeof(*values); i++)
        write_if_there(values[i][0], values[i][1]);
}

static void machine_checks(void)
{
    write_if_there(0x17b, 0);
    write_if_there(0x17a, 5);
    for (unsigned bank = 0; bank < 4; bank++) {
        write_if_there(0x400 + 4 * bank, bank % 2 ? 0 : ~UINT64_C(0));
        write_if_there(0x401 + 4 * bank, 0);
        write_if_there(0x402 + 4 * bank, 0);
    }
    write_if_there(0x3a, 5);
    write_if_there(0x4d0, 1);
}

static void memory_types(void)
{
    write_if_there(0x277, 0x0007010600070106);
    write_if_there(0x200, 0xe0000000);
    write_if_there(0x201, 0xfff0000800);
    write_if_there(0x250, 0x0606060606060606);
    write_if_there(0x258, 0x0606060606060606);
    write_if_there(0x268, 0x0505050505050505);
    write_if_there(0x2ff, 0xc06);
}

static void features(void)
{
    uint64_t tsc = rdtsc() + (UINT64_C(1) << 50);

    write_if_there(0x1a0, read_msr(0x1a0) ^ 1);
    write_if_there(0x3b, 0x1000);
    lapic_write(LAPIC_LVT_TIMER, 0x50000 | VECTOR_TIMER);
    write_if_there(0x6e0, tsc);
    write_if_there(0x48, 1);
    write_if_there(0xe1, 0x4000);
    write_if_there(0xda0, 0x800);
    write_if_there(0xc0000104, UINT64_C(0x100000001));
    write_if_there(0xc001011f, 4);
    write_if_there(EFER, read_msr(EFER) | 0x1801);
    write_if_there(0xc0010117, address_of(pages[1]));
    write_if_there(0x38d, 1);
    write_if_there(0x186, 0x4300c0);
    write_if_there(0xc1, 0x1234);
}

/* Of KVM's: places in memory that it writes to. */
static void paravirtual(void)
{
    write_if_there(0x4b564d00, address_of(pages[2]));
    write_if_there(0x4b564d03, address_of(pages[3]) | 1);
    write_if_there(0x4b564d04, address_of(pages[4]) | 1);
    write_if_there(0x4b564d06, 0x5f);
    write_if_there(0x4b564d02, address_of(pages[5]) | 1);
    write_if_there(0x4b564d05, 0);
}

static uint64_t do_control(uint64_t argument)
{
    uint64_t cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    RECOVER("mov %1, %%cr4", "r"(cr4 | argument));
    return 0;
}

static uint64_t do_extended(uint64_t argument)
{
    (void)argument;
    RECOVER("xsetbv", "a"(3), "c"(0), "d"(0));
    RECOVER("xsetbv", "a"(7), "c"(0), "d"(0));
    RECOVER("xsetbv", "a"(0x207), "c"(0), "d"(0));
    RECOVER(".byte 0x0f, 0x01, 0xef", "a"(0x5550), "c"(0), "d"(0)); /* wrpkru */
    return 0;
}

static uint64_t do_debug(uint64_t argument)
{
    __asm__ volatile("mov %0, %%dr0; mov %0, %%dr1; mov %0, %%dr2; mov %0, %%dr3" : : "r"(argument));
    __asm__ volatile("mov %0, %%dr7" : : "r"(UINT64_C(0x33330400)));
    __asm__ volatile("mov %0, %%cr2" : : "r"(argument + 0x1000));
    return 0;
}

/* The last instruction leaves its code and its place in the coprocessor. */
static void coprocessor(void)
{
    static const uint16_t control = 0x27f, telling = 0x27b;
    static const uint32_t sse = 0x1fa0;
    static const double number = 1.25;

    __asm__ volatile("fldcw %0" : : "m"(control));
    __asm__ volatile("fldl %0; fldpi; faddl %0" : : "m"(number));
    __asm__ volatile("ldmxcsr %0" : : "m"(sse));
    /* Divides by zero, which is to be told, and nobody waits for it: AMD's processors keep these only then. */
    __asm__ volatile("fldcw %0; fldz; fld1; fdiv %%st(1), %%st" : : "m"(telling));
}

static uint64_t do_tables(uint64_t argument)
{
    gdt_ldt[0] = 0x0fff | (argument & 0xffffff) << 16 | UINT64_C(0x82) << 40 | (argument >> 24 & 0xff) << 56;
    gdt_ldt[1] = argument >> 32;
    __asm__ volatile("lldt %w0" : : "r"(GDT_LDT));
    __asm__ volatile("mov %w0, %%fs; mov %w1, %%gs" : : "r"(0x23), "r"(0x23));
    return 0;
}

/* --- a machine within the machine ------------------------------------------------------------------------------- */

/* Its control block; offsets as in the AMD64 APM volume 2, appendix B. */
static uint8_t block[4096] __attribute__((aligned(4096)));

static void set16(unsigned at, uint16_t value)
{
    memcpy(block + at, &value, sizeof(value));
}

static void set64(unsigned at, uint64_t value)
{
    memcpy(block + at, &value, sizeof(value));
}

static void set_segment(unsigned at, uint16_t selector, uint16_t attributes)
{
    set16(at, selector);
    set16(at + 2, attributes);
    memset(block + at + 4, 0xff, 4);
}

/* The inner machine is the outer one from the instruction behind VMRUN on, and nothing that it does ends it. */
static uint64_t do_enter(uint64_t efer)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } tables[2];
    uint64_t cr0, cr3, cr4;

    __asm__ volatile("sgdt %0; sidt %1" : "=m"(tables[0]), "=m"(tables[1]));
    __asm__ volatile("mov %%cr0, %0; mov %%cr3, %1; mov %%cr4, %2" : "=r"(cr0), "=r"(cr3), "=r"(cr4));
    for (unsigned i = 0; i < 2; i++) {
        set16(i ? 0x484 : 0x464, tables[i].limit);
        set64(i ? 0x488 : 0x468, tables[i].base);
    }
    set_segment(0x400, 0x23, 0xcf3);
    set_segment(0x410, 0x08, 0xa9b);
    set_segment(0x420, 0, 0xc93);
    set_segment(0x430, 0x23, 0xcf3);
    set64(0x000, UINT64_C(0x0020002001000100));
    set64(0x008, UINT64_C(0x0000800000000010)); /* overflow; RDPMC */
    set64(0x010, 1);                            /* VMRUN, as must be */
    set64(0x050, 0x1000);
    set64(0x058, 1);
    set64(0x4d0, efer);
    set64(0x548, cr4);
    set64(0x550, cr3);
    set64(0x558, cr0);
    set64(0x560, 0x400);
    set64(0x568, 0xffff0ff0);
    set64(0x570, 2);
    set64(0x5f8, address_of(block));
    __asm__ volatile("leaq 1f(%%rip), %%rcx\n movq %%rcx, 0x578(%%rax)\n movq %%rsp, 0x5d8(%%rax)\n"
                     "movq %%rcx, %0\n vmrun %%rax\n 1: movq $0, %0"
                     : "+m"(recover_at)
                     : "a"(block)
                     : "rcx", "memory", "cc");
    return 0;
}

void tour_nested(void)
{
    uint64_t efer = read_msr(EFER) | 0x1000;

    write_if_there(EFER, efer);
    write_if_there(0xc0010117, address_of(pages[1]));
    ring0(do_enter, efer);
}

/* --- the task priority ------------------------------------------------------------------------------------------ */

extern uint64_t page_directories[];

/*
 * As a 32-bit Windows sets it, whose kernel is in the upper half of the address space: an instruction that the option
 * ROM for it would have replaced, were this a Windows.
 */
static uint64_t do_priority(uint64_t argument)
{
    (void)argument;
    for (unsigned i = 0; i < 32; i++) /* the first 64 MiB once more, at 2 GiB */
        page_directories[1024 + i] = UINT64_C(0x200000) * i | 0x87;
    __asm__ volatile("mov %%cr3, %%rax; mov %%rax, %%cr3\n"
                     "leaq 1f(%%rip), %%rcx; addq %0, %%rcx; pushq $0x18; pushq %%rcx; lretq\n"
                     ".code32\n 1: movl $0x10, %%eax; movl %%eax, 0xfee00080; ljmp $0x08, $2f\n .code64\n 2:"
                     :
                     : "r"(UINT64_C(0x80000000))
                     : "rax", "rcx", "memory");
    return 0;
}

void tour_priority(void)
{
    ring0(do_priority, 0);
}

/* --- all of it -------------------------------------------------------------------------------------------------- */

/* The option processor=BITS leaves parts out. */
void tour_processor(void)
{
    uint64_t parts = option_number("processor", 0xff);

    if (parts & 1)
        system_calls();
    if (parts & 2)
        machine_checks();
    if (parts & 4)
        memory_types();
    if (parts & 8)
        features();
    if (parts & 16)
        paravirtual();
    if (parts & 32) {
        ring0(do_control, CR4_OSXSAVE);
        ring0(do_control, CR4_PKE);
        ring0(do_extended, 0);
    }
    if (parts & 64) {
        ring0(do_debug, 0x12345000);
        ring0(do_tables, address_of(pages[0]));
    }
    if (parts & 128)
        coprocessor();
    lapic_write(0x80, 0x20);
    lapic_write(0xd0, 0x40000000);
    lapic_write(0xe0, 0x0fffffff);
    lapic_write(0x280, 0);
    lapic_write(0x370, 0x100fe);
    lapic_write(LAPIC_DIVIDE, 9);
    lapic_write(LAPIC_INITIAL, 0x7fffffff);
    lapic_write(LAPIC_ICR, 0x44000 | VECTOR_HELD); /* to itself: in service from now on */
    for (unsigned i = 0; i < 10000 && !interrupts[VECTOR_HELD]; i++)
        pause();
    lapic_write(LAPIC_ICR, 0x44005); /* a vector that there cannot be */
    lapic_write(0x280, 0);
    write_if_there(0x7fffffff, 0); /* of the last exception KVM knows whether it had an error code */
}
