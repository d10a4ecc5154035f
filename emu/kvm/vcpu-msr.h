/* vcpu-msr.h: the model-specific registers that a stream carries. */
#ifndef EMU_KVM_VCPU_MSR_H
#define EMU_KVM_VCPU_MSR_H

#include "emu/kvm/cpu-state.h"
#include "emu/kvm/kvm.h"

/* Those that KVM has; the others keep their value. */
void vcpu_msr_read(const Kvm *kvm, int vcpu, CpuState *cpu);

/*
 * Those that KVM has. One that it refuses is an error, which names it and the value; so is a value of one that KVM has
 * not, unless that is the one after reset. The deadline of the LAPIC's timer is not among them: it counts only when the
 * LAPIC is in its mode.
 */
bool vcpu_msr_write(const Kvm *kvm, int vcpu, const CpuState *cpu, GError **error);
bool vcpu_msr_write_deadline(const Kvm *kvm, int vcpu, const CpuState *cpu, GError **error);

#endif
