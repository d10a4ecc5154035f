/* cpu-model-impl.h: a model from the inside. Only included in emu/kvm/. */
#ifndef EMU_KVM_CPU_MODEL_IMPL_H
#define EMU_KVM_CPU_MODEL_IMPL_H

#include "emu/kvm/cpu-model.h"

/* Registers that are made of features, in the order in which QEMU complains of them. */
typedef enum CpuWord {
    CPU_1_EDX,
    CPU_1_ECX,
    CPU_7_EBX,
    CPU_7_ECX,
    CPU_7_EDX,
    CPU_7_1_EAX,
    CPU_81_EDX, /* 0x8000_0001 */
    CPU_81_ECX,
    CPU_87_EDX,
    CPU_88_EBX,
    CPU_KVM, /* 0x4000_0001 */
    CPU_KVM_HINTS,
    CPU_D_1_EAX,
    CPU_6_EAX,
    CPU_D_0_EAX, /* the components of XSAVE: follow from the others */
    CPU_WORDS,
} CpuWord;

typedef struct CpuWordInfo {
    uint32_t function, index;
    char reg;         /* 'a' to 'd' */
    const char *text; /* what messages call it */
} CpuWordInfo;

extern const CpuWordInfo cpu_words[CPU_WORDS];

typedef struct CpuFeature {
    const char *name; /* NULL ends them */
    uint8_t word, bit;
} CpuFeature;

/* Two bits may have one name. */
extern const CpuFeature cpu_features[];

/* The bits with a name. */
uint32_t cpu_word_named(CpuWord word);

/* Those that this program has no use for, whoever asks for them. */
uint32_t cpu_word_refused(CpuWord word);

/* Why a name, of a feature or of QEMU's, cannot be switched on; NULL: it can, or nobody knows it. */
const char *cpu_name_refused(const char *name);

/* Of bits. */
#define CPU_BIT(n) (UINT32_C(1) << (n))

enum {
    CPU_BIT_PSE36 = 17, /* of CPU_1_EDX */
    CPU_BIT_HT = 28,
    CPU_BIT_XSAVE = 26, /* of CPU_1_ECX */
    CPU_BIT_AVX = 28,
    CPU_BIT_TSC_DEADLINE = 24,
    CPU_BIT_HYPERVISOR = 31,
    CPU_BIT_MPX = 14, /* of CPU_7_EBX */
    CPU_BIT_AVX512F = 16,
    CPU_BIT_PKU = 3, /* of CPU_7_ECX */
    CPU_BIT_LA57 = 16,
    CPU_BIT_LM = 29,        /* of CPU_81_EDX */
    CPU_BIT_CMP_LEGACY = 1, /* of CPU_81_ECX */
    CPU_BIT_TOPOEXT = 22,
    CPU_BIT_INVTSC = 8,             /* of CPU_87_EDX */
    CPU_BIT_ARAT = 2,               /* of CPU_6_EAX */
    CPU_BIT_LONG_DESTINATIONS = 15, /* of CPU_KVM */
};

/* AMD has these bits of leaf 1 in leaf 0x8000_0001, too. */
#define CPU_81_EDX_ALIASES 0x0183f3ffU

struct CpuModel {
    uint32_t words[CPU_WORDS];
    uint32_t level, xlevel, level7; /* the last leaves: basic, extended, and the last part of leaf 7 */
    unsigned family, model, stepping, physical_bits;
    char vendor[12], text[48];
    bool kvm, l3_cache, host_cache, leaf_b, pmu, frequency_leaf;
    uint32_t tsc_khz;
    struct kvm_cpuid2 *supported, *own; /* owned */
    GString *warnings;
    GPtrArray *missing; /* names of features that were wanted; borrowed */
};

/* The registers of a leaf in a table; zeros if it is not there. */
struct kvm_cpuid_entry2 cpu_leaf(const struct kvm_cpuid2 *table, uint32_t function, uint32_t index);
uint32_t cpu_leaf_register(const struct kvm_cpuid_entry2 *leaf, char reg);

bool cpu_model_is_amd(const CpuModel *m);

static inline bool cpu_model_has(const CpuModel *m, CpuWord word, unsigned bit)
{
    return m->words[word] & CPU_BIT(bit);
}

#endif
