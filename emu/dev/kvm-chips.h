/*
 * kvm-chips.h: chips that the kernel owns. Their state and description are those of their twins in user space; pull and
 * push are system calls. Interrupt lines lead to them by kvm_irq.
 */
#ifndef EMU_DEV_KVM_CHIPS_H
#define EMU_DEV_KVM_CHIPS_H

#include "emu/dev/i8254.h"
#include "emu/kvm/kvm.h"

/* New devices, with the KVM (which outlives them) that has the chip: kvm_create_irqchip was called. */
Device *kvm_i8259_new(Kvm *kvm, bool master);
Device *kvm_ioapic_new(Kvm *kvm);
Device *kvm_i8254_new(Kvm *kvm);
Device *kvm_clock_new(Kvm *kvm);

/* Without KVM: keeps the clock of a stream, for the next save. */
Device *kept_kvm_clock_new(void);

/* Of either: it goes forward by so many ns; it stands. */
void kvm_clock_advance(Device *clock, uint64_t ns);

extern const PitOps kvm_i8254_ops; /* of what kvm_i8254_new makes */

#endif
