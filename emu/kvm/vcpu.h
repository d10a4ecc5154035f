/*
 * vcpu.h: a processor: its thread, its exits, its sections.
 *
 * A processor runs or stands. It stands when it is made. Whoever stops it gets the machine's lock to itself in the end:
 * vcpu_stop returns when the processor has left the guest, and must be called without the lock.
 */
#ifndef EMU_KVM_VCPU_H
#define EMU_KVM_VCPU_H

#include "emu/kvm/cpu-state.h"
#include "emu/kvm/kvm.h"

typedef struct Vcpu Vcpu;

/* Why a processor cannot go on. */
typedef struct VcpuFailure {
    const Vcpu *vcpu;
    char *text; /* one paragraph: reason, registers, the octets at RIP */
} VcpuFailure;

/*
 * What a processor tells the machine, from its thread and without the lock. It stands already, and goes on when it is
 * started again.
 */
typedef struct VcpuEvents {
    void (*shutdown)(void *opaque, Vcpu *vcpu);                           /* a triple fault: reset is what a PC does */
    void (*failed)(void *opaque, Vcpu *vcpu, const VcpuFailure *failure); /* by KVM */
    void *opaque;
} VcpuEvents;

/* A new processor, number `index`, which is also the id of its LAPIC; it stands, as after a reset. */
Vcpu *vcpu_new(Kvm *kvm, Machine *machine, unsigned index, const VcpuEvents *events, GError **error);

/* Stops it and ends its thread. Without the lock. */
void vcpu_free(Vcpu *vcpu);

unsigned vcpu_index(const Vcpu *vcpu);

void vcpu_start(Vcpu *vcpu);
void vcpu_stop(Vcpu *vcpu);

/* The same without waiting: it does nothing more for the guest, not even the next instruction, if it is its thread that
 * asks. From any thread. */
void vcpu_ask_to_stop(Vcpu *vcpu);
bool vcpu_is_running(const Vcpu *vcpu);

/* Its state, while it stands. */
/* Registers and the octets at RIP, for people. It stands. New string. */
char *vcpu_tell_registers(Vcpu *v);

bool vcpu_get(Vcpu *vcpu, CpuState *cpu, ApicState *apic, GError **error);
bool vcpu_set(Vcpu *vcpu, const CpuState *cpu, const ApicState *apic, GError **error);

/* Its general registers, while it stands, or from its own thread in an exit. */
bool vcpu_get_registers(Vcpu *vcpu, struct kvm_regs *regs);
bool vcpu_set_registers(Vcpu *vcpu, const struct kvm_regs *regs);

/* The linear address of its instruction, likewise. */
bool vcpu_get_code_address(Vcpu *vcpu, uint64_t *address);

/* As after power on. While it stands. */
bool vcpu_reset(Vcpu *vcpu, GError **error);

/* Would KVM take this state? Tried on a processor of its own, in a virtual machine of its own. */
bool vcpu_rehearse(const Vcpu *vcpu, const CpuState *cpu, const ApicState *apic, GError **error);

#endif
