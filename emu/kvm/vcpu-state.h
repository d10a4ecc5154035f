/*
 * vcpu-state.h: takes a processor's state out of KVM, and puts it back.
 *
 * Source: Linux, Documentation/virt/kvm/api.rst; AMD64 APM volume 2; Intel SDM volume 1, chapter 13 (XSAVE).
 */
#ifndef EMU_KVM_VCPU_STATE_H
#define EMU_KVM_VCPU_STATE_H

#include "emu/kvm/cpu-state.h"
#include "emu/kvm/kvm.h"

/*
 * What KVM has for this processor, of the sections "cpu" and "apic". `apic` may be NULL: KVM has none. The registers of
 * which KVM knows nothing keep their value. The processor must not be running.
 */
bool vcpu_state_read(const Kvm *kvm, int vcpu, CpuState *cpu, ApicState *apic, GError **error);

/*
 * The other way. KVM may refuse a value: then the error names the register and the value. What was set before stays
 * set, so try it on a processor that nobody needs (kvm_rehearse) before it counts.
 */
bool vcpu_state_write(const Kvm *kvm, int vcpu, const CpuState *cpu, const ApicState *apic, GError **error);

/* As INIT leaves it (Intel SDM volume 3, table 9-1): what is not of general use, and MSRs, stay. */
bool vcpu_state_init(const Kvm *kvm, int vcpu, GError **error);

/* It starts at a page, as a SIPI says. */
bool vcpu_state_start(const Kvm *kvm, int vcpu, uint8_t page, GError **error);

#endif
