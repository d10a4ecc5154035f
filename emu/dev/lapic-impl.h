/* lapic-impl.h: a LAPIC from the inside. Only included by its files. */
#ifndef EMU_DEV_LAPIC_IMPL_H
#define EMU_DEV_LAPIC_IMPL_H

#include "emu/core/machine.h"
#include "emu/dev/lapic.h"

/* Of a word of the local vector table (figure 10-8), and of an interrupt command or message. */
enum {
    LVT_TIMER = 0,
    LVT_LINT0 = 3,
    LVT_LINT1 = 4,
    LVT_ERROR = 5,
    LVT_VECTOR = 0xff,
    LVT_MODE_SHIFT = 8,
    LVT_REMOTE_IRR = 1 << 14,
    LVT_LEVEL = 1 << 15,
    LVT_MASKED = 1 << 16,
    LVT_PERIODIC = 1 << 17,

    MODE_FIXED = 0,
    MODE_LOWEST = 1,
    MODE_SMI = 2,
    MODE_NMI = 4,
    MODE_INIT = 5,
    MODE_SIPI = 6,
    MODE_EXTINT = 7,
    MODE_MASK = 7,

    SVR_ENABLE = 1 << 8,
    DFR_FLAT = 0xf,

    ERROR_SEND_VECTOR = 1 << 5,
    ERROR_RECEIVE_VECTOR = 1 << 6,
    ERROR_REGISTER = 1 << 7,
    FIRST_VECTOR = 16, /* "vectors 0 through 15 are illegal" */

};

enum { BASE_BOOT = 1 << 8, BASE_X2APIC = 1 << 10, BASE_ENABLE = 1 << 11, BASE_FLAGS = 0xfff };

typedef struct Lapic {
    Device dev;
    LapicBus *bus;
    unsigned index;
    LapicCpu cpu;
    Timer timer;
    int64_t due_ns;   /* when the count that is on ends */
    unsigned signals; /* VcpuSignal that the processor has not taken */
    uint32_t errors;  /* since ESR was written */
    bool lint1, ext;  /* the line's level; a message has told of the 8259As */
    ApicState s;
} Lapic;

/* An interrupt on its way. */
typedef struct Message {
    uint8_t destination, vector, mode;
    bool logical, level;
} Message;

static inline bool lapic_is_on(const Lapic *p)
{
    return p->s.apicbase & BASE_ENABLE;
}

/* It is on, and the guest has not switched it off by the spurious vector's register. */
static inline bool lapic_is_software_on(const Lapic *p)
{
    return lapic_is_on(p) && (p->s.spurious_vec & SVR_ENABLE);
}

static inline bool lapic_is_periodic(const Lapic *p)
{
    return p->s.lvt[LVT_TIMER] & LVT_PERIODIC;
}

/* lapic.c */
int lapic_highest(const uint32_t bits[8]); /* LAPIC_NONE: none is set */
uint8_t lapic_processor_priority(const Lapic *p);
bool lapic_has_external(const Lapic *p); /* an interrupt of the 8259As' */
void lapic_accept(Lapic *p, uint8_t vector, bool level);
void lapic_raise_error(Lapic *p, uint32_t error);
void lapic_pin_rises(Lapic *p, unsigned n); /* LVT_LINT0, LVT_LINT1 */
void lapic_kick(const Lapic *p);
void lapic_receive(Lapic *p, const Message *m);
void lapic_deliver(LapicBus *bus, const Message *m);
void lapic_reset_registers(Lapic *p); /* all but what names it */

/* lapic-timer.c */
void lapic_timer_expired(void *opaque);
void lapic_timer_arm(Lapic *p);    /* for the end of the count that is on, as the registers have it */
void lapic_timer_resume(Lapic *p); /* with what a stream has */
void lapic_timer_start(Lapic *p, uint32_t count);
void lapic_timer_divide(Lapic *p, uint32_t divide);
uint32_t lapic_timer_count(const Lapic *p);

#endif
