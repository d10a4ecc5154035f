/*
 * kvm.h: a virtual machine of the kernel's, and its memory.
 *
 * Source: Linux, Documentation/virt/kvm/api.rst.
 */
#ifndef EMU_KVM_KVM_H
#define EMU_KVM_KVM_H

#include <linux/kvm.h>

#include "emu/core/bell.h"
#include "emu/core/machine.h"
#include "emu/kvm/cpu-model.h"

/* Where the parts of the XSAVE area are that the standard format puts behind the first 576 octets; 0: there is none. */
typedef struct KvmXsave {
    size_t size; /* of the whole area, as KVM_GET_XSAVE2 has it */
    size_t avx, opmask, zmm_high, zmm_upper, pkru;
} KvmXsave;

/* KVM's address spaces: what a processor sees, and what it sees in system management mode. */
enum { KVM_SPACE_NORMAL, KVM_SPACE_SMM, KVM_SPACES };

/* Memory that is in front of everything else in system management mode; without `ram` there is none. */
typedef struct KvmSmram {
    RamArea *ram;
    uint64_t base, size; /* the same place in the memory */
} KvmSmram;

typedef struct Kvm Kvm;

struct Kvm {
    int fd, vm;
    size_t run_size;          /* of a processor's kvm_run */
    bool any_length;          /* KVM_IOEVENTFD knows writes of any size */
    bool irqchip;             /* LAPICs are in the kernel */
    bool split;               /* and nothing else: no PIC, I/O APIC or PIT */
    unsigned pins;            /* of the I/O APIC that is outside then */
    bool smm;                 /* processors have system management mode, and see memory of its own there */
    struct kvm_cpuid2 *cpuid; /* what it supports; owned */
    CpuModel *model;          /* what its processors are; NULL: all that it supports; owned */
    CpuTopology topology;
    unsigned physical_bits;    /* of an address */
    struct kvm_msr_list *msrs; /* those that can be read and written; owned */
    KvmXsave xsave;
    Machine *machine;          /* whose memory it is; NULL: none */
    GArray *slots[KVM_SPACES]; /* of KvmSlot */
    KvmSmram smram;
    bool logs;            /* what is written (dirty.h) */
    bool clears_logs;     /* it is told what of it was taken */
    struct Vcpu *current; /* whose exit is being handled; with the machine's lock */
    char *failure;        /* what went wrong where nobody could be told; NULL: nothing */
};

/* Opens /dev/kvm and makes a virtual machine without processors. */
Kvm *kvm_new(GError **error);
void kvm_free(Kvm *kvm);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Kvm, kvm_free)

/*
 * What its processors are, and how they are grouped: as settings (cpu-model.h) say. Before any processor. If it fails
 * they are what they were before.
 */
bool kvm_set_cpu_model(Kvm *kvm, const char *name, const CpuSetting *settings, size_t count,
                       const CpuTopology *topology, GError **error);

/* What a model would be on this host. New. */
CpuModel *kvm_make_cpu_model(const Kvm *kvm, const char *name, const CpuSetting *settings, size_t count,
                             GError **error);

/* What processor number `index` says of itself. New. */
struct kvm_cpuid2 *kvm_cpu_leaves(const Kvm *kvm, unsigned index);

/* PIC, IOAPIC and LAPICs, and the PIT, in the kernel. Before any processor. */
bool kvm_create_irqchip(Kvm *kvm, GError **error);

/* LAPICs only. The I/O APIC outside of it has so many pins. Before any processor. */
bool kvm_create_lapics(Kvm *kvm, unsigned pins, GError **error);

/* What a pin of that I/O APIC sends. */
typedef struct KvmPin {
    bool level; /* the I/O APIC waits for its end; otherwise KVM need not know of it */
    uint64_t address;
    uint32_t data;
} KvmPin;

/* So that KVM tells when interrupts of these pins end (VcpuInterrupts.end). There are `pins` of them. */
void kvm_watch_pins(Kvm *kvm, const KvmPin *pins);

/* Where interrupt controllers are: which KVM can have them so. */
typedef enum KvmChips {
    KVM_CHIPS_ALL,    /* in the kernel */
    KVM_CHIPS_LAPICS, /* only those are */
    KVM_CHIPS_NONE,
} KvmChips;
bool kvm_can_have(const Kvm *kvm, KvmChips chips);

/* From now on the machine's memory is that of the virtual machine, whatever is mapped. Until it is detached, or freed.
 */
bool kvm_attach(Kvm *kvm, Machine *machine, GError **error);
void kvm_detach(Kvm *kvm);

/* From now on that is what system management mode has of its own. When the machine is attached; nothing without SMM. */
void kvm_set_smram(Kvm *kvm, const KvmSmram *smram);

/* Where SMRAM is in the program, if an access in that mode is to it all; otherwise NULL. */
uint8_t *kvm_find_smram(const Kvm *kvm, uint64_t addr, unsigned size);

/* Memory at the same places as another's, empty, and its own: there are MSRs with addresses that must be of memory. */
bool kvm_imitate_memory(Kvm *kvm, const Kvm *like, GError **error);

/*
 * The lines of KVM's interrupt controllers: 0 to 15 are inputs of the PICs and of the I/O APIC (where 0 is at pin 2),
 * 16 to 23 of the I/O APIC only; so is 2, whose input of the PIC is the slave's.
 */
enum { KVM_IRQS = 24 };
Irq kvm_irq(Kvm *kvm, unsigned n);

/*
 * Writes to an address that signal an eventfd and leave the guest no more (a BellWire). False: the kernel cannot, or
 * has too many.
 */
bool kvm_wire_bell(void *kvm, const BellPlace *place, uint64_t addr, int event, bool on);

/* An interrupt by a message. (Not by an irqfd: see virtio/README.md.) */
void kvm_send_message(Kvm *kvm, uint64_t address, uint32_t data);

/* Keeps the first thing that went wrong where nobody could be told; errno says why. The machine looks at `failure`. */
void kvm_keep_failure(Kvm *kvm, const char *what);

/* Does the kernel have this MSR? */
bool kvm_has_msr(const Kvm *kvm, uint32_t index);

/* The value of a capability (KVM_CAP_*), of the virtual machine; 0: it has it not. */
int kvm_capability(const Kvm *kvm, int capability);

/* A new processor's file descriptor, or -1. What its CPUID says is `cpuid`. */
int kvm_create_vcpu(const Kvm *kvm, unsigned id, const struct kvm_cpuid2 *cpuid, GError **error);

#endif
