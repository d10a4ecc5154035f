/* lapic-rig.h: three LAPICs on a board, and what comes of them. */
#ifndef TESTS_EMU_LAPIC_RIG_H
#define TESTS_EMU_LAPIC_RIG_H

#include <criterion/criterion.h>

#include "emu/dev/lapic.h"
#include "tests/emu/support/board.h"

/* Registers (table 10-1). */
enum {
    ID = 0x020,
    VERSION = 0x030,
    TPR = 0x080,
    PPR = 0x0a0,
    EOI = 0x0b0,
    LDR = 0x0d0,
    DFR = 0x0e0,
    SVR = 0x0f0,
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    ESR = 0x280,
    ICR = 0x300,
    ICR_HIGH = 0x310,
    TIMER = 0x320,
    THERMAL = 0x330,
    PERFORMANCE = 0x340,
    LINT0 = 0x350,
    LINT1 = 0x360,
    ERROR = 0x370,
    INITIAL = 0x380,
    CURRENT = 0x390,
    DIVIDE = 0x3e0,

    ENABLED = 0x1ff, /* SVR: on, spurious vector 0xff */
    MASKED = 0x10000,
    PERIODIC = 0x20000,
    BY_1 = 0xb, /* DIVIDE */
    BY_16 = 0x3,
    CPUS = 3,
    MESSAGE_LEVEL = 0xc000,
};

#define BASE    UINT64_C(0xfee00000)
#define MESSAGE UINT64_C(0xfee00000)

typedef struct Rig {
    Board *board;
    LapicBus bus;
    Device *lapics[CPUS];
    unsigned kicks[CPUS];
    unsigned loads;
    int ended; /* the last vector; LAPIC_NONE: none */
    int external;
    struct Cpu {
        struct Rig *rig;
        unsigned index;
    } cpus[CPUS];
} Rig;

static inline void kick(void *opaque)
{
    struct Cpu *cpu = opaque;

    cpu->rig->kicks[cpu->index]++;
}

static inline void loaded(void *opaque)
{
    ((struct Cpu *)opaque)->rig->loads++;
}

static inline int acknowledge(void *opaque)
{
    return ((Rig *)opaque)->external;
}

static inline void end(void *opaque, uint8_t vector)
{
    ((Rig *)opaque)->ended = vector;
}

static inline void rig_init(Rig *rig, Board *board)
{
    *rig = (Rig){.board = board, .ended = LAPIC_NONE, .external = 0x33};
    rig->bus = (LapicBus){.acknowledge = acknowledge, .end = end, .opaque = rig};
    for (unsigned i = 0; i < CPUS; i++) {
        rig->cpus[i] = (struct Cpu){rig, i};
        rig->lapics[i] = lapic_new(&rig->bus, i, &(LapicCpu){.kick = kick, .loaded = loaded, .opaque = &rig->cpus[i]});
        board_add(board, rig->lapics[i]);
    }
}

static inline uint32_t peek(Rig *rig, unsigned cpu, unsigned reg)
{
    uint64_t value = 0;

    cr_assert(lapic_vcpu.read(rig->lapics[cpu], BASE + reg, 4, &value));
    return (uint32_t)value;
}

static inline void poke(Rig *rig, unsigned cpu, unsigned reg, uint32_t value)
{
    cr_assert(lapic_vcpu.write(rig->lapics[cpu], BASE + reg, 4, value));
}

static inline void switch_on(Rig *rig)
{
    for (unsigned i = 0; i < CPUS; i++) {
        poke(rig, i, SVR, ENABLED);
        poke(rig, i, LDR, 1U << (24 + i));
        lapic_set_waits(rig->lapics[i], false);
    }
}

/* Of a processor: the vector in service, from a register that shows one bit. */
static inline int vector_in(Rig *rig, unsigned cpu, unsigned reg)
{
    int found = LAPIC_NONE;

    for (unsigned i = 0; i < 256; i++)
        if (peek(rig, cpu, reg + i / 32 * 0x10) >> i % 32 & 1) {
            cr_assert_eq(found, LAPIC_NONE, "one bit");
            found = (int)i;
        }
    return found;
}

static inline unsigned signals(Rig *rig, unsigned cpu, uint8_t *page)
{
    return lapic_vcpu.take_signals(rig->lapics[cpu], page);
}

#endif
