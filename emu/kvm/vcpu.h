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

/* What else LAPICs send to processors. */
typedef enum VcpuSignal {
    VCPU_SIGNAL_INIT = 1 << 0,
    VCPU_SIGNAL_SIPI = 1 << 1,
    VCPU_SIGNAL_NMI = 1 << 2,
    VCPU_SIGNAL_SMI = 1 << 3,
} VcpuSignal;

/* A LAPIC that is not KVM's, as its processor sees it. Called with the machine's lock. */
typedef struct VcpuLapic {
    unsigned (*take_signals)(void *opaque, uint8_t *start); /* VcpuSignal; of a SIPI, the page where to start */
    bool (*waits)(void *opaque);                            /* for a SIPI */
    uint64_t (*base)(void *opaque);                         /* the MSR IA32_APIC_BASE, */
    void (*set_base)(void *opaque, uint64_t base);          /* which the guest has written */
    uint8_t (*priority)(void *opaque);                      /* CR8 */
    void (*set_priority)(void *opaque, uint8_t priority);
    /* Registers in memory. False: they are not there. */
    bool (*read)(void *opaque, uint64_t addr, unsigned size, uint64_t *value);
    bool (*write)(void *opaque, uint64_t addr, unsigned size, uint64_t value);
} VcpuLapic;

/* Interrupt controllers that are not KVM's. Called with the machine's lock. */
typedef struct VcpuInterrupts {
    bool (*pending)(void *opaque);             /* is there something to take? */
    int (*take)(void *opaque);                 /* acknowledges it: the vector; below 0: there is none */
    void (*end)(void *opaque, uint8_t vector); /* KVM's LAPIC has ended one of kvm_watch_pins; NULL: nobody cares */
    const VcpuLapic *lapic;                    /* NULL: it is KVM's */
    void *opaque;
} VcpuInterrupts;

/* A new processor, number `index`, which is also the id of its LAPIC; it stands, as after a reset. */
Vcpu *vcpu_new(Kvm *kvm, Machine *machine, unsigned index, const VcpuEvents *events, GError **error);

/* Stops it and ends its thread. Without the lock. */
void vcpu_free(Vcpu *vcpu);

/* Before it runs for the first time. */
void vcpu_set_interrupts(Vcpu *vcpu, const VcpuInterrupts *interrupts);

/* There is something new for it to take. From any thread. */
void vcpu_kick(Vcpu *vcpu);

/* An interrupt to system management mode: nothing where KVM has none. From any thread. */
void vcpu_smi(Vcpu *vcpu);

/* Does it wait for an interrupt after HLT? Of one whose LAPIC is KVM's, KVM knows. With the lock. */
bool vcpu_is_halted(const Vcpu *vcpu);
void vcpu_set_halted(Vcpu *vcpu, bool halted);

unsigned vcpu_index(const Vcpu *vcpu);

/* The thread of the host's that it runs on. */
int vcpu_thread_id(const Vcpu *vcpu);

/* A non-maskable interrupt. While it stands. */
bool vcpu_nmi(Vcpu *vcpu, GError **error);

void vcpu_start(Vcpu *vcpu);
void vcpu_stop(Vcpu *vcpu);

/* The same without waiting: it does nothing more for the guest, not even the next instruction, if it is its thread that
 * asks. From any thread. */
void vcpu_ask_to_stop(Vcpu *vcpu);
bool vcpu_is_running(const Vcpu *vcpu);

/* It does nothing for the guest until then, of the monotonic clock; it may be stopped meanwhile. From any thread. */
void vcpu_rest(Vcpu *vcpu, int64_t end_us);

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
