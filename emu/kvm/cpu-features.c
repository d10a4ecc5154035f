/*
 * cpu-features.c: the names that QEMU has for bits of CPUID.
 *
 * Which bit a name sets was measured, one by one (see traces/cpuid-qemu-7.2.txt); the same is in Intel's SDM, volume 2,
 * CPUID, and in AMD's APM, volume 3, appendix E.
 */
#include <string.h>

#include "emu/kvm/cpu-model-impl.h"

const CpuWordInfo cpu_words[CPU_WORDS] = {
    [CPU_1_EDX] = {1, 0, 'd', "CPUID.01H:EDX"},
    [CPU_1_ECX] = {1, 0, 'c', "CPUID.01H:ECX"},
    [CPU_7_EBX] = {7, 0, 'b', "CPUID.07H:EBX"},
    [CPU_7_ECX] = {7, 0, 'c', "CPUID.07H:ECX"},
    [CPU_7_EDX] = {7, 0, 'd', "CPUID.07H:EDX"},
    [CPU_7_1_EAX] = {7, 1, 'a', "CPUID.07H:EAX"},
    [CPU_81_EDX] = {0x80000001, 0, 'd', "CPUID.80000001H:EDX"},
    [CPU_81_ECX] = {0x80000001, 0, 'c', "CPUID.80000001H:ECX"},
    [CPU_87_EDX] = {0x80000007, 0, 'd', "CPUID.80000007H:EDX"},
    [CPU_88_EBX] = {0x80000008, 0, 'b', "CPUID.80000008H:EBX"},
    [CPU_KVM] = {0x40000001, 0, 'a', "CPUID.40000001H:EAX"},
    [CPU_KVM_HINTS] = {0x40000001, 0, 'd', "CPUID.40000001H:EDX"},
    [CPU_D_1_EAX] = {0xd, 1, 'a', "CPUID.0DH:EAX"},
    [CPU_6_EAX] = {6, 0, 'a', "CPUID.06H:EAX"},
    [CPU_D_0_EAX] = {0xd, 0, 'a', "CPUID.0DH:EAX"},
};

const CpuFeature cpu_features[] = {
    {"fpu", CPU_1_EDX, 0},
    {"vme", CPU_1_EDX, 1},
    {"de", CPU_1_EDX, 2},
    {"pse", CPU_1_EDX, 3},
    {"tsc", CPU_1_EDX, 4},
    {"msr", CPU_1_EDX, 5},
    {"pae", CPU_1_EDX, 6},
    {"mce", CPU_1_EDX, 7},
    {"cx8", CPU_1_EDX, 8},
    {"apic", CPU_1_EDX, 9},
    {"sep", CPU_1_EDX, 11},
    {"mtrr", CPU_1_EDX, 12},
    {"pge", CPU_1_EDX, 13},
    {"mca", CPU_1_EDX, 14},
    {"cmov", CPU_1_EDX, 15},
    {"pat", CPU_1_EDX, 16},
    {"pse36", CPU_1_EDX, 17},
    {"pn", CPU_1_EDX, 18},
    {"clflush", CPU_1_EDX, 19},
    {"ds", CPU_1_EDX, 21},
    {"acpi", CPU_1_EDX, 22},
    {"mmx", CPU_1_EDX, 23},
    {"fxsr", CPU_1_EDX, 24},
    {"sse", CPU_1_EDX, 25},
    {"sse2", CPU_1_EDX, 26},
    {"ss", CPU_1_EDX, 27},
    {"ht", CPU_1_EDX, 28},
    {"tm", CPU_1_EDX, 29},
    {"ia64", CPU_1_EDX, 30},
    {"pbe", CPU_1_EDX, 31},
    {"pni", CPU_1_ECX, 0},
    {"pclmulqdq", CPU_1_ECX, 1},
    {"dtes64", CPU_1_ECX, 2},
    {"monitor", CPU_1_ECX, 3},
    {"ds-cpl", CPU_1_ECX, 4},
    {"vmx", CPU_1_ECX, 5},
    {"smx", CPU_1_ECX, 6},
    {"est", CPU_1_ECX, 7},
    {"tm2", CPU_1_ECX, 8},
    {"ssse3", CPU_1_ECX, 9},
    {"cid", CPU_1_ECX, 10},
    {"fma", CPU_1_ECX, 12},
    {"cx16", CPU_1_ECX, 13},
    {"xtpr", CPU_1_ECX, 14},
    {"pdcm", CPU_1_ECX, 15},
    {"pcid", CPU_1_ECX, 17},
    {"dca", CPU_1_ECX, 18},
    {"sse4.1", CPU_1_ECX, 19},
    {"sse4.2", CPU_1_ECX, 20},
    {"x2apic", CPU_1_ECX, 21},
    {"movbe", CPU_1_ECX, 22},
    {"popcnt", CPU_1_ECX, 23},
    {"tsc-deadline", CPU_1_ECX, 24},
    {"aes", CPU_1_ECX, 25},
    {"xsave", CPU_1_ECX, 26},
    {"avx", CPU_1_ECX, 28},
    {"f16c", CPU_1_ECX, 29},
    {"rdrand", CPU_1_ECX, 30},
    {"hypervisor", CPU_1_ECX, 31},
    {"fsgsbase", CPU_7_EBX, 0},
    {"tsc-adjust", CPU_7_EBX, 1},
    {"sgx", CPU_7_EBX, 2},
    {"bmi1", CPU_7_EBX, 3},
    {"hle", CPU_7_EBX, 4},
    {"avx2", CPU_7_EBX, 5},
    {"smep", CPU_7_EBX, 7},
    {"bmi2", CPU_7_EBX, 8},
    {"erms", CPU_7_EBX, 9},
    {"invpcid", CPU_7_EBX, 10},
    {"rtm", CPU_7_EBX, 11},
    {"mpx", CPU_7_EBX, 14},
    {"avx512f", CPU_7_EBX, 16},
    {"avx512dq", CPU_7_EBX, 17},
    {"rdseed", CPU_7_EBX, 18},
    {"adx", CPU_7_EBX, 19},
    {"smap", CPU_7_EBX, 20},
    {"avx512ifma", CPU_7_EBX, 21},
    {"pcommit", CPU_7_EBX, 22},
    {"clflushopt", CPU_7_EBX, 23},
    {"clwb", CPU_7_EBX, 24},
    {"intel-pt", CPU_7_EBX, 25},
    {"avx512pf", CPU_7_EBX, 26},
    {"avx512er", CPU_7_EBX, 27},
    {"avx512cd", CPU_7_EBX, 28},
    {"sha-ni", CPU_7_EBX, 29},
    {"avx512bw", CPU_7_EBX, 30},
    {"avx512vl", CPU_7_EBX, 31},
    {"avx512vbmi", CPU_7_ECX, 1},
    {"umip", CPU_7_ECX, 2},
    {"pku", CPU_7_ECX, 3},
    {"waitpkg", CPU_7_ECX, 5},
    {"avx512vbmi2", CPU_7_ECX, 6},
    {"gfni", CPU_7_ECX, 8},
    {"vaes", CPU_7_ECX, 9},
    {"vpclmulqdq", CPU_7_ECX, 10},
    {"avx512vnni", CPU_7_ECX, 11},
    {"avx512bitalg", CPU_7_ECX, 12},
    {"avx512-vpopcntdq", CPU_7_ECX, 14},
    {"la57", CPU_7_ECX, 16},
    {"rdpid", CPU_7_ECX, 22},
    {"bus-lock-detect", CPU_7_ECX, 24},
    {"cldemote", CPU_7_ECX, 25},
    {"movdiri", CPU_7_ECX, 27},
    {"movdir64b", CPU_7_ECX, 28},
    {"sgxlc", CPU_7_ECX, 30},
    {"pks", CPU_7_ECX, 31},
    {"avx512-4vnniw", CPU_7_EDX, 2},
    {"avx512-4fmaps", CPU_7_EDX, 3},
    {"fsrm", CPU_7_EDX, 4},
    {"avx512-vp2intersect", CPU_7_EDX, 8},
    {"md-clear", CPU_7_EDX, 10},
    {"serialize", CPU_7_EDX, 14},
    {"tsx-ldtrk", CPU_7_EDX, 16},
    {"arch-lbr", CPU_7_EDX, 19},
    {"amx-bf16", CPU_7_EDX, 22},
    {"avx512-fp16", CPU_7_EDX, 23},
    {"amx-tile", CPU_7_EDX, 24},
    {"amx-int8", CPU_7_EDX, 25},
    {"spec-ctrl", CPU_7_EDX, 26},
    {"stibp", CPU_7_EDX, 27},
    {"arch-capabilities", CPU_7_EDX, 29},
    {"core-capability", CPU_7_EDX, 30},
    {"ssbd", CPU_7_EDX, 31},
    {"avx-vnni", CPU_7_1_EAX, 4},
    {"avx512-bf16", CPU_7_1_EAX, 5},
    {"syscall", CPU_81_EDX, 11},
    {"nx", CPU_81_EDX, 20},
    {"mmxext", CPU_81_EDX, 22},
    {"fxsr-opt", CPU_81_EDX, 25},
    {"pdpe1gb", CPU_81_EDX, 26},
    {"rdtscp", CPU_81_EDX, 27},
    {"lm", CPU_81_EDX, 29},
    {"3dnowext", CPU_81_EDX, 30},
    {"3dnow", CPU_81_EDX, 31},
    {"lahf-lm", CPU_81_ECX, 0},
    {"cmp-legacy", CPU_81_ECX, 1},
    {"svm", CPU_81_ECX, 2},
    {"extapic", CPU_81_ECX, 3},
    {"cr8legacy", CPU_81_ECX, 4},
    {"abm", CPU_81_ECX, 5},
    {"sse4a", CPU_81_ECX, 6},
    {"misalignsse", CPU_81_ECX, 7},
    {"3dnowprefetch", CPU_81_ECX, 8},
    {"osvw", CPU_81_ECX, 9},
    {"ibs", CPU_81_ECX, 10},
    {"xop", CPU_81_ECX, 11},
    {"skinit", CPU_81_ECX, 12},
    {"wdt", CPU_81_ECX, 13},
    {"lwp", CPU_81_ECX, 15},
    {"fma4", CPU_81_ECX, 16},
    {"tce", CPU_81_ECX, 17},
    {"nodeid-msr", CPU_81_ECX, 19},
    {"tbm", CPU_81_ECX, 21},
    {"topoext", CPU_81_ECX, 22},
    {"perfctr-core", CPU_81_ECX, 23},
    {"perfctr-nb", CPU_81_ECX, 24},
    {"invtsc", CPU_87_EDX, 8},
    {"clzero", CPU_88_EBX, 0},
    {"xsaveerptr", CPU_88_EBX, 2},
    {"wbnoinvd", CPU_88_EBX, 9},
    {"ibpb", CPU_88_EBX, 12},
    {"ibrs", CPU_88_EBX, 14},
    {"amd-stibp", CPU_88_EBX, 15},
    {"amd-ssbd", CPU_88_EBX, 24},
    {"virt-ssbd", CPU_88_EBX, 25},
    {"amd-no-ssb", CPU_88_EBX, 26},
    {"kvmclock", CPU_KVM, 0},
    {"kvm-nopiodelay", CPU_KVM, 1},
    {"kvm-mmu", CPU_KVM, 2},
    {"kvmclock", CPU_KVM, 3},
    {"kvm-asyncpf", CPU_KVM, 4},
    {"kvm-steal-time", CPU_KVM, 5},
    {"kvm-pv-eoi", CPU_KVM, 6},
    {"kvm-pv-unhalt", CPU_KVM, 7},
    {"kvm-pv-tlb-flush", CPU_KVM, 9},
    {"kvm-pv-ipi", CPU_KVM, 11},
    {"kvm-poll-control", CPU_KVM, 12},
    {"kvm-pv-sched-yield", CPU_KVM, 13},
    {"kvm-asyncpf-int", CPU_KVM, 14},
    {"kvm-msi-ext-dest-id", CPU_KVM, 15},
    {"kvmclock-stable-bit", CPU_KVM, 24},
    {"kvm-hint-dedicated", CPU_KVM_HINTS, 0},
    {"xsaveopt", CPU_D_1_EAX, 0},
    {"xsavec", CPU_D_1_EAX, 1},
    {"xgetbv1", CPU_D_1_EAX, 2},
    {"xsaves", CPU_D_1_EAX, 3},
    {"arat", CPU_6_EAX, 2},
    {.name = NULL},
};

uint32_t cpu_word_named(CpuWord word)
{
    uint32_t bits = 0;

    for (const CpuFeature *f = cpu_features; f->name; f++)
        bits |= f->word == word ? CPU_BIT(f->bit) : 0;
    return bits;
}

uint32_t cpu_word_refused(CpuWord word)
{
    uint32_t bits = 0;

    for (const CpuFeature *f = cpu_features; f->name; f++)
        bits |= f->word == word && cpu_name_refused(f->name) ? CPU_BIT(f->bit) : 0;
    return bits;
}

typedef struct Refusal {
    const char *name; /* ending with '*': all that begin so */
    const char *why;
} Refusal;

static const Refusal refusals[] = {
    {"vmx", "there is no virtualization inside of the guest"},
    {"vmx-*", "there is no virtualization inside of the guest"},
    {"svm", "there is no virtualization inside of the guest"},
    {"npt", "there is no virtualization inside of the guest"},
    {"nrip-save", "there is no virtualization inside of the guest"},
    {"sgx*", "there are no enclaves"},
    {"intel-pt*", "there is no processor trace"},
    {"amx-*", "KVM would need a larger XSAVE area than is saved"},
    {"xfd", "KVM would need a larger XSAVE area than is saved"},
    {"arch-lbr", "branch records are not saved"},
    {"hv-*", "there is nothing of Hyper-V"},
    {"xen-*", "there is nothing of Xen"},
    {"rdctl-no", "MSR 10AH is as the host has it"},
    {"ibrs-all", "MSR 10AH is as the host has it"},
    {"rsba", "MSR 10AH is as the host has it"},
    {"skip-l1dfl-vmentry", "MSR 10AH is as the host has it"},
    {"ssb-no", "MSR 10AH is as the host has it"},
    {"mds-no", "MSR 10AH is as the host has it"},
    {"pschange-mc-no", "MSR 10AH is as the host has it"},
    {"tsx-ctrl", "MSR 10AH is as the host has it"},
    {"taa-no", "MSR 10AH is as the host has it"},
    {"split-lock-detect", "MSR CFH is as the host has it"},
    {"full-width-write", "MSR 345H is as the host has it"},
    {"tsc-frequency", "the TSC runs as the host's"},
};

const char *cpu_name_refused(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++) {
        size_t len = strcspn(refusals[i].name, "*");
        if (strncmp(name, refusals[i].name, len) == 0 && (refusals[i].name[len] || !name[len]))
            return refusals[i].why;
    }
    return NULL;
}

/* --- of a model ------------------------------------------------------------------------------------------------- */

const GPtrArray *cpu_model_missing(const CpuModel *m)
{
    return m->missing;
}

void cpu_model_tell(const CpuModel *m, CpuTell *tell, void *opaque)
{
    const CpuFeature *before = NULL;

    for (const CpuFeature *f = cpu_features; f->name; before = f++)
        if (!before || !g_str_equal(f->name, before->name))
            tell(opaque, f->name, m->words[f->word] & CPU_BIT(f->bit));
}

CpuNumbers cpu_model_numbers(const CpuModel *m)
{
    return (CpuNumbers){.level = m->level,
                        .xlevel = m->xlevel,
                        .family = m->family,
                        .model = m->model,
                        .stepping = m->stepping,
                        .vendor = g_strndup(m->vendor, sizeof m->vendor),
                        .text = g_strndup(m->text, sizeof m->text)};
}
