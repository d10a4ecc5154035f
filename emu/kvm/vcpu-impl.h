/* vcpu-impl.h: a processor from the inside. Only included in emu/kvm/. */
#ifndef EMU_KVM_VCPU_IMPL_H
#define EMU_KVM_VCPU_IMPL_H

#include <pthread.h>
#include <signal.h>

#include "emu/kvm/vcpu.h"

enum { VCPU_KICK = SIGUSR1 };

struct Vcpu {
    Kvm *kvm;
    Machine *machine;
    unsigned index;
    VcpuEvents events;
    VcpuInterrupts interrupts; /* without `take`: all that is the kernel's */
    int fd;
    struct kvm_run *run;
    struct kvm_cpuid2 *cpuid; /* what its CPUID says */
    pthread_t thread;
    gint thread_id;    /* the kernel's; 0: it has not begun yet */
    bool halted;       /* by HLT, where KVM has no LAPIC to wake it; with the machine's lock */
    unsigned held;     /* VcpuSignal: what it cannot take in system management mode; likewise */
    uint8_t held_page; /* of a SIPI */

    pthread_mutex_t mutex; /* of these: */
    pthread_cond_t changed;
    gint wanted;         /* it shall run; read without the mutex, too */
    bool running;        /* it does, or is about to */
    bool kicked;         /* what it waits for may have come */
    gint inside;         /* it is in the guest, or about to go there; cleared without the mutex */
    gint smi;            /* it has an interrupt to system management mode to take; read without the mutex, too */
    gint rests;          /* it is to rest; read without the mutex, too */
    int64_t rest_end_us; /* until then, of the monotonic clock */
    bool quit;
};

static inline bool vcpu_has_interrupts(const Vcpu *v)
{
    return v->interrupts.take;
}

/* vcpu-interrupts.c: for a processor with VcpuInterrupts, from its thread. Before it goes to the guest at first; */
void vcpu_interrupts_start(Vcpu *v);

/* before each time: false: it has nothing to do there, and was asleep; `half_done`: an instruction waits for its end.
 */
bool vcpu_interrupts_enter(Vcpu *v, bool half_done);

/* behind each time; */
void vcpu_interrupts_leave(Vcpu *v);

/* and an access to memory: is it to the LAPIC's registers, and done? With the lock. */
bool vcpu_interrupts_access(Vcpu *v);

/* Is it in system management mode, as far as the last exit knows? */
static inline bool vcpu_in_smm(const Vcpu *v)
{
    return v->run->flags & KVM_RUN_X86_SMM;
}

/* What was sent to it while it stood has its effect. */
void vcpu_interrupts_settle(Vcpu *v);

#endif
