/*
 * lapic.h: LAPICs that are not KVM's, and what leads from one to the others, to I/O APICs and the 8259A.
 */
#ifndef EMU_DEV_LAPIC_H
#define EMU_DEV_LAPIC_H

#include "emu/core/device.h"
#include "emu/kvm/cpu-state.h"
#include "emu/kvm/vcpu.h"

enum { LAPIC_MAX = 8, LAPIC_NONE = -1 };

/* All LAPICs of a machine. Zeros, but for what is outside; outlives them. */
typedef struct LapicBus {
    Device *lapics[LAPIC_MAX]; /* by index; NULL: there is none */
    bool intr;                 /* the 8259As' INT, which is at everybody's LINT0 */

    int (*acknowledge)(void *opaque);          /* the 8259As' vector */
    void (*end)(void *opaque, uint8_t vector); /* of a level interrupt: for I/O APICs */
    void *opaque;
} LapicBus;

/* The processor that a LAPIC belongs to. */
typedef struct LapicCpu {
    void (*kick)(void *opaque);   /* there is something for it to take; NULL: nobody wants to know */
    void (*loaded)(void *opaque); /* the state is another one; NULL: nobody wants to know */
    void *opaque;
} LapicCpu;

/* A new LAPIC of processor number `index`, which is also its id. Copies `cpu`. */
Device *lapic_new(LapicBus *bus, unsigned index, const LapicCpu *cpu);

ApicState *lapic_state(Device *dev);

/* What its processor sees of it: for VcpuInterrupts, with the device. */
extern const VcpuLapic lapic_vcpu;
bool lapic_pending(Device *dev);
int lapic_take(Device *dev); /* LAPIC_NONE: nothing */

/* Makes it wait for a SIPI, or not. */
void lapic_set_waits(Device *dev, bool waits);

/* A message, as PCI devices and I/O APICs send it (Intel SDM volume 3, section 10.11). */
void lapic_send(LapicBus *bus, uint64_t address, uint32_t data);

/* The line INT of the 8259As. */
void lapic_set_intr(LapicBus *bus, bool level);

#endif
