/*
 * guest.h: what the parts of the payload share. It is freestanding, in one address space; all but interrupts runs in
 * ring 3.
 *
 * A part has a function that makes it ready, one for each round and nothing that stands still for long. What is wrong
 * ends the payload by fail(); parts that the machine lacks say so in their state.
 */
#ifndef TESTS_GUEST_GUEST_H
#define TESTS_GUEST_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* --- the processor ---------------------------------------------------------------------------------------------- */

static inline void outb(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
static inline void outw(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
static inline void outl(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}
static inline uint8_t inb(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
static inline uint16_t inw(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
static inline uint32_t inl(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}
static inline void insw(uint16_t port, void *to, size_t words)
{
    __asm__ volatile("rep insw" : "+D"(to), "+c"(words) : "d"(port) : "memory");
}
static inline void outsw(uint16_t port, const void *from, size_t words)
{
    __asm__ volatile("rep outsw" : "+S"(from), "+c"(words) : "d"(port) : "memory");
}
static inline void outsl(uint16_t port, const void *from, size_t longs)
{
    __asm__ volatile("rep outsl" : "+S"(from), "+c"(longs) : "d"(port) : "memory");
}
static inline uint64_t rdtsc(void)
{
    uint32_t low, high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return low | (uint64_t)high << 32;
}
/* count * times / by; the result must fit. */
static inline uint64_t scale(uint64_t count, uint64_t times, uint64_t by)
{
    uint64_t low, high, rest;
    __asm__("mulq %3" : "=a"(low), "=d"(high) : "0"(count), "r"(times) : "cc");
    __asm__("divq %4" : "=a"(low), "=d"(rest) : "0"(low), "1"(high), "r"(by) : "cc");
    return low;
}
static inline void barrier(void)
{
    __asm__ volatile("mfence" : : : "memory");
}
static inline void pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

/* Device memory: each access is one instruction of that width. */
static inline uint32_t read32(uint64_t address)
{
    uint32_t value;
    __asm__ volatile("movl (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}
static inline void write32(uint64_t address, uint32_t value)
{
    __asm__ volatile("movl %0, (%1)" : : "r"(value), "r"(address) : "memory");
}
static inline uint16_t read16(uint64_t address)
{
    uint16_t value;
    __asm__ volatile("movw (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}
static inline void write16(uint64_t address, uint16_t value)
{
    __asm__ volatile("movw %0, (%1)" : : "r"(value), "r"(address) : "memory");
}
static inline uint8_t read8(uint64_t address)
{
    uint8_t value;
    __asm__ volatile("movb (%1), %0" : "=r"(value) : "r"(address) : "memory");
    return value;
}
static inline void write8(uint64_t address, uint8_t value)
{
    __asm__ volatile("movb %0, (%1)" : : "r"(value), "r"(address) : "memory");
}
static inline uint64_t address_of(const volatile void *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* --- cpu.c: interrupts, ring 0 for a moment ---------------------------------------------------------------------- */

enum {
    CPUS = 2,

    /* Vectors. */
    VECTOR_NMI = 2,
    VECTOR_CALL = 3,     /* int3: a function is called in ring 0 */
    VECTOR_PIC = 0x20,   /* and the 15 that follow: both 8259 */
    VECTOR_PINS = 0x30,  /* and the 23 that follow: the I/O APIC */
    VECTOR_TIMER = 0x50, /* the local APIC's */
    VECTOR_IPI = 0x51,
    VECTOR_HELD = 0x54,    /* is not acknowledged */
    VECTOR_MESSAGE = 0x60, /* and the 15 that follow: MSI-X */
    MESSAGES = 16,
    VECTOR_SPURIOUS = 0xff,

    PINS = 24,
};

/* How often each came, on whichever processor. */
extern volatile uint64_t interrupts[256];

/* Called in ring 0 when an interrupt has come: short, no ports but its chip's. NULL: counting is all. */
extern void (*volatile handlers[256])(unsigned vector);

typedef uint64_t Ring0(uint64_t argument);
uint64_t ring0(Ring0 *function, uint64_t argument);
uint64_t read_msr(uint32_t number);
void write_msr(uint32_t number, uint64_t value);
void idle(void); /* stands until an interrupt has come */

/*
 * In ring 0: an instruction that the processor may not have, or refuse. Where to go on is known to the exception's
 * handler meanwhile.
 */
extern volatile uint64_t recover_at;
#define RECOVER(instruction, ...)                                                                                      \
    __asm__ volatile("movq $1f, %0\n" instruction "\n1: movq $0, %0" : "+m"(recover_at) : __VA_ARGS__ : "memory")

enum { GDT_LDT = 0x50 };
extern uint64_t gdt_ldt[2];

typedef struct Cpuid {
    uint32_t leaf, a, b, c, d;
} Cpuid;
void cpuid(Cpuid *c); /* as ring 0 sees it */

void boot_main(void);
void second_main(void);
void user_main(void);   /* the boot processor's */
void user_second(void); /* the second's */

uint32_t lapic_read(uint32_t reg);
void lapic_write(uint32_t reg, uint32_t value);
void ioapic_set(unsigned pin, unsigned vector, bool level); /* to processor 0; vector 0: masked */
void pic_enable(unsigned line);
enum {
    LAPIC_ID = 0x20,
    LAPIC_ICR = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_INITIAL = 0x380,
    LAPIC_CURRENT = 0x390,
    LAPIC_DIVIDE = 0x3e0,
};

/* --- print.c: COM1, text ------------------------------------------------------------------------------------------ */

void serial_init(void);
int serial_get(void); /* -1: nothing has come */
void serial_scratch(void);
void put_text(const char *text);
void put_number(uint64_t value);
void put_hex(uint64_t value);
void put_item(const char *name, uint64_t value); /* " name=value" */
void put_word(const char *name, const char *word);

/* "witness FAILED what expected got", and the end. From either ring, from either processor. */
void fail(const char *what, uint64_t expected, uint64_t got) __attribute__((noreturn));
void expect(const char *what, uint64_t expected, uint64_t got);
void stand(void) __attribute__((noreturn));

void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

/* The command line: name=value, or name alone. */
void options_init(void);
uint64_t option_number(const char *name, uint64_t otherwise);
bool option_has(const char *list, const char *word); /* list=a,b,c; "all" and no list have all */

/* --- the parts -----------------------------------------------------------------------------------------------------
 */

static inline uint64_t xorshift(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}
uint32_t crc32_of(const void *data, size_t size, uint32_t crc);

/* clocks.c */
typedef struct Clocks {
    uint64_t tsc, hpet, pm, kvm; /* counts; kvm in ns; extended to 64 bits; 0: absent */
    uint64_t slack_ns;           /* how long it took to read them */
} Clocks;
void clocks_init(void);
void clocks_read(Clocks *c);
void clocks_round(void);
uint64_t now_ns(void);       /* of the machine's own time, which stands while it is moved; never goes back */
uint64_t tsc_per_ms(void);   /* as found out at the beginning */
uint64_t hpet_counter(void); /* 0: absent */
bool hpet_present(void);
void clocks_report(void);
unsigned clocks_hops(void); /* how often time was lost */

/* timers.c */
void timers_init(void);
void timers_round(void);
void timers_report(void);
uint64_t lapic_ticks_per_ms(void);

/* compute.c */
typedef struct Work {
    uint64_t *set;
    size_t words;
    uint64_t seed, sum, passes;
    const char *name;
} Work;
void work_init(Work *work, const char *name, uint64_t *set, size_t words, uint64_t seed);
void work_round(Work *work);
void registers_round(uint64_t seed); /* x87 and SSE registers, and what a timer's interrupt leaves of them */

/* smp.c */
void smp_init(void);
void smp_round(void);
void smp_report(void);

/* dirty.c: for ever. So many MiB from 64 MiB on, of which there are at most 3 GiB. */
void dirty_main(uint64_t mib) __attribute__((noreturn));

/* bench.c: does and says what is measured; false: nothing is asked for. */
bool bench_main(void);

/* pci.c */
typedef struct PciDevice {
    unsigned devfn; /* bus 0 */
    uint32_t id;
} PciDevice;
uint32_t pci_read(unsigned devfn, unsigned reg);
void pci_write(unsigned devfn, unsigned reg, uint32_t value);
bool pci_find(uint32_t id, uint32_t other_id, PciDevice *device);
unsigned pci_capability(unsigned devfn, unsigned from, unsigned id); /* 0: none */
void pci_assign(unsigned devfn); /* addresses to what has none; ports, memory and bus master on */
uint64_t pci_bar(unsigned devfn, unsigned bar);

/* disk.c, and the disks: ide.c, virtio-blk.c */
enum { SECTOR = 512, BLOCK_SECTORS = 8, BLOCK = SECTOR * BLOCK_SECTORS, DISK_BLOCKS = 64 };
typedef struct Disk {
    const char *name;
    uint64_t sectors;
    uint32_t written[DISK_BLOCKS]; /* generation of each block; 0: never written */
    uint64_t random;
} Disk;
uint64_t disk_sector(unsigned block);
void disk_fill(const Disk *disk, unsigned block, uint32_t generation, void *data);
void disk_verify(const Disk *disk, unsigned block, uint32_t generation, const void *data);
unsigned disk_choose(Disk *disk, uint64_t busy); /* a block whose bit in `busy` is 0 */
void ide_init(void);
void ide_round(void);
void ide_report(void);
void blk_init(void);
void blk_round(void);
void blk_report(void);

/* virtio-net.c, virtio-rng.c */
void net_init(void);
void net_round(void);
void net_report(void);
void rng_init(void);
void rng_round(void);
void rng_report(void);

/* tour.c: does not come back */
void tour(void) __attribute__((noreturn));

/* chips.c: keyboard controller, CMOS memory, fw_cfg, serial scratch */
void chips_init(void);
void chips_round(void);
void chips_report(void);
uint16_t fw_cfg_u16(uint16_t key);

/* The RTC's registers; its interrupt reads register C between the two accesses of ring 3, and puts the index back. */
uint8_t cmos_read(uint8_t index);
void cmos_write(uint8_t index, uint8_t value);

#endif
