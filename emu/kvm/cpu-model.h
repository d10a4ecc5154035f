/*
 * cpu-model.h: what a processor's CPUID says.
 *
 * A model ("qemu64") and what is added to it, taken from it and set otherwise, held against what KVM supports. The
 * result is what QEMU 7.2 gives KVM for the machine pc-i440fx-7.2 (measured: traces/cpuid-qemu-7.2.txt).
 *
 * Never there, on any host: virtualization inside of the guest (vmx, svm), SGX, Intel PT, AMX, LBRs as an architecture,
 * Hyper-V's and VIA's own leaves, and bits of MSRs that QEMU calls features (rdctl-no).
 */
#ifndef EMU_KVM_CPU_MODEL_H
#define EMU_KVM_CPU_MODEL_H

#include <glib.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct CpuModel CpuModel;

/* What there is to choose from. */
typedef struct CpuHost {
    const struct kvm_cpuid2 *supported; /* by KVM */
    const struct kvm_cpuid2 *own;       /* what the processor says itself */
    bool tsc_deadline;                  /* KVM has the LAPIC timer's TSC mode */
    bool no_lapic;                      /* KVM has no LAPIC at all, */
    bool split;                         /* or it has one, and the I/O APIC is not KVM's */
    uint32_t tsc_khz;                   /* 0: not known */
} CpuHost;

/* What only a LAPIC of KVM's has: x2APIC and the timer's TSC mode; of KVM's own, what is told by its interrupts. */
#define CPU_1_ECX_LAPIC 0x01200000U
#define CPU_KVM_LAPIC   0x00004cd0U

/* One of "+x2apic" (value "on"), "-sse4.1" (value "off"), "level=13". Later ones win. */
typedef struct CpuSetting {
    const char *name, *value;
} CpuSetting;

typedef struct CpuTopology {
    uint32_t sockets, dies, cores, threads; /* dies of a socket, cores of a die, threads of a core */
} CpuTopology;

/* All there are, ended by NULL, and what they are. */
const char *const *cpu_model_names(void);
const char *cpu_model_about(const char *name);

/* All that can be set, lines of words. New. */
char *cpu_model_features(void);

/* Copies what it needs of the host. New; NULL: the error says which setting is wrong and what would be right. */
CpuModel *cpu_model_new(const char *name, const CpuSetting *settings, size_t count, const CpuHost *host,
                        GError **error);
void cpu_model_free(CpuModel *model);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CpuModel, cpu_model_free)

/* What was asked for and is not there, and what a guest may stumble over, a line each; empty: nothing. New. */
char *cpu_model_warnings(const CpuModel *model, const CpuTopology *topology);

/* Names of features that were wanted, and that the host lacks. */
const GPtrArray *cpu_model_missing(const CpuModel *model);

/* Tells all features with a name, and whether it has them. */
typedef void CpuTell(void *opaque, const char *name, bool on);
void cpu_model_tell(const CpuModel *model, CpuTell *tell, void *opaque);

/* What it is besides. The strings are new. */
typedef struct CpuNumbers {
    uint32_t level, xlevel;
    unsigned family, model, stepping;
    char *vendor, *text;
} CpuNumbers;
CpuNumbers cpu_model_numbers(const CpuModel *model);

unsigned cpu_model_physical_bits(const CpuModel *model);

/* A processor's LAPIC id is its number. Can it be, or would there be gaps between the cores? */
bool cpu_topology_check(const CpuTopology *topology, GError **error);

/* The leaves of processor number `index`, for KVM_SET_CPUID2. New. */
struct kvm_cpuid2 *cpu_model_leaves(const CpuModel *model, const CpuTopology *topology, unsigned index);

#endif
