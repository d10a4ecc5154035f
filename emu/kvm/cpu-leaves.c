/*
 * cpu-leaves.c: a processor's CPUID, leaf by leaf.
 *
 * Sources: Intel, SDM volume 2, CPUID; AMD, APM volume 3, appendix E; for what is listed at all, and what is made up
 * (the caches), QEMU 7.2 as measured.
 */
#include <string.h>

#include "emu/kvm/cpu-model-impl.h"
#include "visitors/error.h"

#define KVM_SIGNATURE 0x40000000U
#define KVM_FREQUENCY 0x40000010U
#define BUS_KHZ       1000000U /* of the LAPIC's timer */

enum {
    LEAVES_MAX = 320, /* of one processor: fewer than 64 + 64 leaves, of which few have parts */
    PARTS_MAX = 16,
    XSAVE_PARTS = 64,
    XSAVE_LEGACY = 576, /* octets of the area in front of the components */
};

typedef struct kvm_cpuid_entry2 Leaf;

/* A processor's place, and who is near. */
typedef struct Place {
    const CpuModel *m;
    const CpuTopology *t;
    uint32_t apic;
    unsigned thread_bits, die_bits, package_bits; /* of an APIC id, that are below the core, the die, the package */
} Place;

/* --- topology --------------------------------------------------------------------------------------------------- */

static unsigned bits_for(uint32_t count)
{
    return count > 1 ? 32 - (unsigned)__builtin_clz(count - 1) : 0;
}

static bool is_power_of_2(uint32_t n)
{
    return n && !(n & (n - 1));
}

/* Only the outermost group that has company may be of an odd number. */
bool cpu_topology_check(const CpuTopology *t, GError **error)
{
    const uint32_t groups[] = {t->threads, t->cores, t->dies, t->sockets};
    const char *const names[] = {"threads", "cores", "dies"};

    for (size_t i = 0; i < 3; i++) {
        uint64_t outside = 1;
        for (size_t j = i + 1; j < 4; j++)
            outside *= groups[j];
        if (outside > 1 && !is_power_of_2(groups[i])) {
            g_set_error(
                error, FERRY_ERROR, FERRY_ERROR_UNSUPPORTED,
                "-smp.%s: %u of %s would leave gaps between APIC ids (accepted: a power of 2, unless nothing is "
                "around them)",
                names[i], groups[i], names[i]);
            return false;
        }
    }
    return true;
}

static Place place_of(const CpuModel *m, const CpuTopology *t, unsigned index)
{
    Place p = {.m = m, .t = t, .apic = index};

    p.thread_bits = bits_for(t->threads);
    p.die_bits = p.thread_bits + bits_for(t->cores);
    p.package_bits = p.die_bits + bits_for(t->dies);
    return p;
}

/* Processors of a die: more than dies of a package QEMU does not count here. */
static uint32_t near(const Place *p)
{
    return p->t->cores * p->t->threads;
}

static uint32_t below(uint32_t id, unsigned bits)
{
    return id & (CPU_BIT(bits) - 1);
}

/* One of the groups of leaves 0xb and 0x1f. */
static Leaf group(const Place *p, uint32_t index, uint32_t type, unsigned bits, uint32_t count)
{
    return (Leaf){.eax = bits, .ebx = count, .ecx = index | type << 8, .edx = p->apic};
}

static Leaf topology(const Place *p, uint32_t index)
{
    if (!p->m->leaf_b)
        return (Leaf){.eax = 0};
    switch (index) {
    case 0:
        return group(p, index, 1, p->thread_bits, p->t->threads);
    case 1:
        return group(p, index, 2, p->package_bits, near(p));
    default:
        return group(p, index, 0, 0, 0);
    }
}

static Leaf topology_with_dies(const Place *p, uint32_t index)
{
    switch (index) {
    case 0:
        return group(p, index, 1, p->thread_bits, p->t->threads);
    case 1:
        return group(p, index, 2, p->die_bits, near(p));
    case 2:
        return group(p, index, 5, p->package_bits, near(p) * p->t->dies);
    default:
        return group(p, index, 0, 0, 0);
    }
}

/* --- caches ----------------------------------------------------------------------------------------------------- */

typedef struct Cache {
    uint32_t kind; /* EAX's bits 0 to 9: data 1, instructions 2, both 3; level << 5; initializes itself 0x100 */
    uint32_t ways, sets;
    uint32_t flags; /* EDX: 1 write-backs reach no lower level, 2 inclusive, 4 complex index */
} Cache;

/* 32 KiB twice, 4 MiB, 16 MiB; and 64 KiB twice, 512 KiB, 16 MiB. Lines have 64 octets. */
static const Cache intel_caches[] = {{0x121, 8, 64, 1}, {0x122, 8, 64, 1}, {0x143, 16, 4096, 1}, {0x163, 16, 16384, 6}};
static const Cache amd_caches[] = {{0x121, 2, 512, 1}, {0x122, 2, 512, 1}, {0x043, 16, 512, 0}, {0x163, 16, 16384, 6}};

enum { CACHE_L2 = 2, CACHE_L3 = 3, CACHES = 4 };

static bool has_cache(const CpuModel *m, uint32_t index)
{
    return index < CACHE_L3 || (index == CACHE_L3 && m->l3_cache);
}

static Leaf cache_leaf(const Cache *cache, uint32_t sharing)
{
    return (Leaf){
        .eax = cache->kind | (sharing - 1) << 14,
        .ebx = 63 | (cache->ways - 1) << 22,
        .ecx = cache->sets - 1,
        .edx = cache->flags,
    };
}

bool cpu_model_is_amd(const CpuModel *m)
{
    return memcmp(m->vendor, "AuthenticAMD", sizeof m->vendor) == 0;
}

static bool is_intel(const CpuModel *m)
{
    return memcmp(m->vendor, "GenuineIntel", sizeof m->vendor) == 0;
}

/* Leaf 4: Intel's. */
static Leaf caches_intel(const Place *p, uint32_t index)
{
    uint32_t cores = MIN(p->t->cores - 1, 63) << 26;

    if (cpu_model_is_amd(p->m))
        return (Leaf){.eax = 0};
    if (p->m->host_cache) {
        Leaf own = cpu_leaf(p->m->own, 4, index);
        own.eax = own.eax & 31 ? (own.eax & 0x03ffffff) | cores : own.eax;
        return own;
    }
    if (!has_cache(p->m, index))
        return (Leaf){.eax = 0};
    uint32_t sharing = index < CACHE_L2 ? 1 : index == CACHE_L2 ? p->t->threads : CPU_BIT(p->die_bits);
    Leaf leaf = cache_leaf(&intel_caches[index], sharing);
    leaf.eax |= cores;
    return leaf;
}

/* Leaf 0x8000_001d: AMD's. */
static Leaf caches_amd(const Place *p, uint32_t index)
{
    if (p->m->host_cache)
        return cpu_leaf(p->m->own, 0x8000001d, index);
    if (!has_cache(p->m, index))
        return (Leaf){.eax = 0};
    return cache_leaf(&amd_caches[index], index < CACHE_L3 ? p->t->threads : CPU_BIT(p->die_bits));
}

/* Leaf 2: descriptors. No L3, or one of 16 MiB (0x4d); an L2 (0x7d), an L1 of each kind (0x30, 0x2c). */
static Leaf descriptors(const CpuModel *m)
{
    if (cpu_model_is_amd(m))
        return (Leaf){.eax = 0};
    return m->host_cache ? cpu_leaf(m->own, 2, 0) : (Leaf){.eax = 1, .ecx = m->l3_cache ? 0x4d : 0, .edx = 0x002c307d};
}

/* --- the others ------------------------------------------------------------------------------------------------- */

static uint32_t signature(const CpuModel *m)
{
    uint32_t base = MIN(m->family, 15), extended = m->family - base;

    return extended << 20 | (m->model >> 4) << 16 | base << 8 | (m->model & 15) << 4 | m->stepping;
}

/* With what is in EAX. */
static Leaf vendor(const CpuModel *m, uint32_t last)
{
    uint32_t words[3];

    memcpy(words, m->vendor, sizeof words);
    return (Leaf){.eax = last, .ebx = words[0], .ecx = words[2], .edx = words[1]};
}

static Leaf features(const Place *p)
{
    Leaf leaf = {.eax = signature(p->m), .ebx = p->apic << 24 | 64 / 8 << 8};

    leaf.ecx = p->m->words[CPU_1_ECX];
    leaf.edx = p->m->words[CPU_1_EDX];
    if (near(p) > 1) {
        leaf.ebx |= (near(p) & 0xff) << 16;
        leaf.edx |= CPU_BIT(CPU_BIT_HT);
    }
    return leaf;
}

static Leaf extended_features(const Place *p)
{
    const CpuModel *m = p->m;
    Leaf leaf = {.eax = signature(m), .ecx = m->words[CPU_81_ECX], .edx = m->words[CPU_81_EDX]};

    if (near(p) > 1 && !is_intel(m))
        leaf.ecx |= CPU_BIT(CPU_BIT_CMP_LEGACY);
    if (cpu_model_is_amd(m))
        leaf.edx = (leaf.edx & ~CPU_81_EDX_ALIASES) | (m->words[CPU_1_EDX] & CPU_81_EDX_ALIASES);
    return leaf;
}

static Leaf part_of_7(const CpuModel *m, uint32_t index)
{
    if (index)
        return (Leaf){.eax = m->words[CPU_7_1_EAX]};
    return (Leaf){.eax = m->level7, .ebx = m->words[CPU_7_EBX], .ecx = m->words[CPU_7_ECX], .edx = m->words[CPU_7_EDX]};
}

/* Where the last component ends, in the standard form. */
static uint32_t xsave_size(const CpuModel *m)
{
    uint32_t size = XSAVE_LEGACY;

    for (uint32_t i = 2; i < 32; i++) {
        Leaf part = cpu_leaf(m->supported, 0xd, i);
        if (m->words[CPU_D_0_EAX] & CPU_BIT(i))
            size = MAX(size, part.ebx + part.eax);
    }
    return size;
}

static Leaf part_of_xsave(const CpuModel *m, uint32_t index)
{
    uint32_t parts = m->words[CPU_D_0_EAX];

    if (!parts)
        return (Leaf){.eax = 0};
    if (index == 0)
        return (Leaf){.eax = parts, .ebx = xsave_size(m), .ecx = xsave_size(m)};
    if (index == 1)
        return (Leaf){.eax = m->words[CPU_D_1_EAX], .ebx = xsave_size(m)};
    Leaf leaf = {.eax = 0};
    if (index < 32 && parts & CPU_BIT(index)) {
        Leaf part = cpu_leaf(m->supported, 0xd, index);
        leaf.eax = part.eax;
        leaf.ebx = part.ebx;
    }
    return leaf;
}

static Leaf text_of(const CpuModel *m, unsigned part)
{
    uint32_t words[4];

    memcpy(words, m->text + 16 * part, sizeof words);
    return (Leaf){.eax = words[0], .ebx = words[1], .ecx = words[2], .edx = words[3]};
}

static Leaf addresses(const Place *p)
{
    const CpuModel *m = p->m;
    uint32_t linear = cpu_model_has(m, CPU_7_ECX, CPU_BIT_LA57) ? 57 : 48;
    Leaf leaf = {.eax = m->physical_bits, .ebx = m->words[CPU_88_EBX]};

    if (cpu_model_has(m, CPU_81_EDX, CPU_BIT_LM))
        leaf.eax |= linear << 8;
    if (near(p) > 1)
        leaf.ecx = p->package_bits << 12 | (near(p) - 1);
    return leaf;
}

static Leaf core(const Place *p)
{
    uint32_t in_die = below(p->apic, p->die_bits), node = p->apic >> p->die_bits;

    return (Leaf){.eax = p->apic,
                  .ebx = in_die >> p->thread_bits | (p->t->threads - 1) << 8,
                  .ecx = node | (p->t->dies - 1) << 8};
}

static Leaf extended(const Place *p, uint32_t function, uint32_t index)
{
    const CpuModel *m = p->m;

    switch (function) {
    case 0x80000000:
        return vendor(m, m->xlevel);
    case 0x80000001:
        return extended_features(p);
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        return text_of(m, function - 0x80000002);
    case 0x80000005: /* the TLBs, and L1 as in amd_caches */
        return m->host_cache ? cpu_leaf(m->own, function, 0)
                             : (Leaf){.eax = 0x01ff01ff, .ebx = 0x01ff01ff, .ecx = 0x40020140, .edx = 0x40020140};
    case 0x80000006:
        return m->host_cache ? cpu_leaf(m->own, function, 0)
                             : (Leaf){.ebx = 0x42004200, .ecx = 0x02008140, .edx = m->l3_cache ? 0x00808140 : 0};
    case 0x80000007:
        return (Leaf){.edx = m->words[CPU_87_EDX]};
    case 0x80000008:
        return addresses(p);
    case 0x8000001d:
        return caches_amd(p, index);
    case 0x8000001e:
        return core(p);
    default:
        return (Leaf){.eax = 0};
    }
}

static Leaf basic(const Place *p, uint32_t function, uint32_t index)
{
    const CpuModel *m = p->m;

    switch (function) {
    case 0:
        return vendor(m, m->level);
    case 1:
        return features(p);
    case 2:
        return descriptors(m);
    case 4:
        return caches_intel(p, index);
    case 5: /* MONITOR, as if there were no states */
        return (Leaf){.ecx = 3};
    case 6:
        return (Leaf){.eax = m->words[CPU_6_EAX]};
    case 7:
        return part_of_7(m, index);
    case 0xa:
        return m->pmu ? cpu_leaf(m->supported, function, 0) : (Leaf){.eax = 0};
    case 0xb:
        return topology(p, index);
    case 0xd:
        return part_of_xsave(m, index);
    case 0x1f:
        return topology_with_dies(p, index);
    default:
        return (Leaf){.eax = 0};
    }
}

/* --- the list --------------------------------------------------------------------------------------------------- */

typedef struct List {
    struct kvm_cpuid2 *table;
    Place place;
} List;

static Leaf add(List *list, uint32_t function, uint32_t index, uint32_t flags)
{
    Leaf leaf = (function & 0x80000000U ? extended : basic)(&list->place, function, index);

    leaf.function = function;
    leaf.index = index;
    leaf.flags = flags;
    g_assert(list->table->nent < LEAVES_MAX);
    list->table->entries[list->table->nent++] = leaf;
    return leaf;
}

static void drop(List *list)
{
    list->table->nent--;
}

/* Up to one that says it is none: no bit of `mask` in its register. */
static void add_until(List *list, uint32_t function, char reg, uint32_t mask)
{
    for (uint32_t i = 0; i < PARTS_MAX; i++) {
        Leaf leaf = add(list, function, i, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
        if (!(cpu_leaf_register(&leaf, reg) & mask))
            return;
    }
}

/* `last` more parts. */
static void add_parts(List *list, uint32_t function, uint32_t last)
{
    for (uint32_t i = 0; i <= last; i++)
        add(list, function, i, KVM_CPUID_FLAG_SIGNIFCANT_INDEX);
}

/* Those that are there, and the last. */
static void add_xsave(List *list)
{
    for (uint32_t i = 0; i < XSAVE_PARTS; i++)
        if (!add(list, 0xd, i, KVM_CPUID_FLAG_SIGNIFCANT_INDEX).eax && i < XSAVE_PARTS - 1)
            drop(list);
}

static void add_plain(List *list, uint32_t function)
{
    Leaf leaf = add(list, function, 0, 0);

    if (!leaf.eax && !leaf.ebx && !leaf.ecx && !leaf.edx)
        drop(list);
}

static void add_leaf(List *list, uint32_t function)
{
    const Place *p = &list->place;

    switch (function) {
    case 2:
        add(list, function, 0, KVM_CPUID_FLAG_STATEFUL_FUNC | KVM_CPUID_FLAG_STATE_READ_NEXT);
        break;
    case 4:
    case 0x8000001d:
        add_until(list, function, 'a', 0x1f);
        break;
    case 7:
        add_parts(list, function, p->m->level7);
        break;
    case 0x1f:
        if (p->t->dies < 2)
            break;
        add_until(list, function, 'c', 0xff00);
        break;
    case 0xb:
        add_until(list, function, 'c', 0xff00);
        break;
    case 0xd:
        add_xsave(list);
        break;
    case 0x12:
        add_parts(list, function, 2);
        break;
    case 0x14:
    case 0x1d:
    case 0x1e:
        add_parts(list, function, 0);
        break;
    default:
        add_plain(list, function);
    }
}

static void add_fixed(List *list, Leaf leaf)
{
    list->table->entries[list->table->nent++] = leaf;
}

struct kvm_cpuid2 *cpu_model_leaves(const CpuModel *m, const CpuTopology *topology_, unsigned index)
{
    List list = {
        .table = g_malloc0(sizeof(struct kvm_cpuid2) + LEAVES_MAX * sizeof(Leaf)),
        .place = place_of(m, topology_, index),
    };
    bool frequency = m->frequency_leaf && m->tsc_khz && cpu_model_has(m, CPU_87_EDX, CPU_BIT_INVTSC);

    if (m->kvm) {
        uint32_t last = frequency ? KVM_FREQUENCY : KVM_SIGNATURE + 1;
        add_fixed(&list, (Leaf){KVM_SIGNATURE, .eax = last, .ebx = 0x4b4d564b, .ecx = 0x564b4d56, .edx = 0x4d});
        add_fixed(&list,
                  (Leaf){.function = KVM_SIGNATURE + 1, .eax = m->words[CPU_KVM], .edx = m->words[CPU_KVM_HINTS]});
    }
    for (uint32_t i = 0; i <= m->level; i++)
        add_leaf(&list, i);
    for (uint32_t i = 0x80000000; i <= m->xlevel; i++)
        add_leaf(&list, i);
    if (m->kvm && frequency)
        add_fixed(&list, (Leaf){.function = KVM_FREQUENCY, .eax = m->tsc_khz, .ebx = BUS_KHZ});
    return list.table;
}
