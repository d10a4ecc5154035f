/* cpu-model.c: what is wanted of a processor, and what of that there is. */
#include "emu/kvm/cpu-model.h"

#include <string.h>

#include "emu/kvm/cpu-model-impl.h"
#include "visitors/error.h"
#include "visitors/words.h"

enum {
    LEVEL_MAX = 0x40, /* leaves that a level may reach, and how far the extended ones may */
    BITS_DEFAULT = 40,
    BITS_MIN = 32,
    BITS_MAX = 52,
    FAMILY_MAX = 270,
    MODEL_MAX = 255,
    STEPPING_MAX = 15,
    LINE_LENGTH = 76, /* of help */
};

#define EXTENDED 0x80000000U

/* --- tables of leaves ------------------------------------------------------------------------------------------- */

struct kvm_cpuid_entry2 cpu_leaf(const struct kvm_cpuid2 *table, uint32_t function, uint32_t index)
{
    for (uint32_t i = 0; i < table->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &table->entries[i];
        if (e->function == function && (e->index == index || !(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
            return *e;
    }
    return (struct kvm_cpuid_entry2){.function = function, .index = index};
}

uint32_t cpu_leaf_register(const struct kvm_cpuid_entry2 *leaf, char reg)
{
    const uint32_t registers[] = {leaf->eax, leaf->ebx, leaf->ecx, leaf->edx};

    return registers[reg - 'a'];
}

static struct kvm_cpuid2 *copy_of(const struct kvm_cpuid2 *table)
{
    return g_memdup2(table, sizeof *table + table->nent * sizeof table->entries[0]);
}

/* --- what the host has ------------------------------------------------------------------------------------------ */

/* Some bits the guest has with any KVM, though that does not list them, or because it is a guest. */
static uint32_t always(CpuWord word, const CpuHost *host)
{
    switch (word) {
    case CPU_1_EDX: /* MCE, MTRR, MCA, PAT */
        return CPU_BIT(7) | CPU_BIT(12) | CPU_BIT(14) | CPU_BIT(16);
    case CPU_1_ECX:
        return CPU_BIT(CPU_BIT_HYPERVISOR) | (host->tsc_deadline ? CPU_BIT(CPU_BIT_TSC_DEADLINE) : 0);
    case CPU_6_EAX:
        return CPU_BIT(CPU_BIT_ARAT);
    case CPU_KVM: /* the I/O APIC takes long destinations if it is ours */
        return host->split ? CPU_BIT(CPU_BIT_LONG_DESTINATIONS) : 0;
    case CPU_KVM_HINTS: /* promises of ours */
        return cpu_word_named(word);
    default:
        return 0;
    }
}

/* What goes with a LAPIC of KVM's. */
static uint32_t lapic_bits(CpuWord word, const CpuHost *host)
{
    if (!host->no_lapic)
        return 0;
    return word == CPU_1_ECX ? CPU_1_ECX_LAPIC : word == CPU_KVM ? CPU_KVM_LAPIC : 0;
}

static uint32_t supported(CpuWord word, const CpuHost *host)
{
    const CpuWordInfo *w = &cpu_words[word];
    struct kvm_cpuid_entry2 leaf = cpu_leaf(host->supported, w->function, w->index);

    return (cpu_leaf_register(&leaf, w->reg) | always(word, host)) & ~cpu_word_refused(word) & ~lapic_bits(word, host);
}

/* --- models ----------------------------------------------------------------------------------------------------- */

typedef struct Base {
    const char *name, *about;
    bool host; /* all that the host has */
    uint32_t level, xlevel;
    uint8_t family, model, stepping;
    const char *text;
    uint32_t words[CPU_WORDS];
} Base;

/* KVM's own, which every model but "base" has: clocks, no delay of ports, page faults, stolen time, end of interrupt.
 */
#define KVM_COMMON 0x0100007bU

static const Base bases[] = {
    {.name = "base", .about = "nothing but what is added to it"},
    {.name = "host", .about = "the host's, with all that KVM supports", .host = true},
    {.name = "kvm64",
     .about = "a processor with 64 bits, for any host",
     .level = 0xd,
     .xlevel = 0x80000008,
     .family = 15,
     .model = 6,
     .stepping = 1,
     .text = "Common KVM processor",
     .words = {[CPU_1_EDX] = 0x078bfbff, [CPU_1_ECX] = 0x80202001, [CPU_81_EDX] = 0x20100800, [CPU_KVM] = KVM_COMMON}},
    {.name = "max", .about = "the same as host", .host = true},
    {.name = "qemu64",
     .about = "QEMU's own processor with 64 bits",
     .level = 0xd,
     .xlevel = 0x8000000a,
     .family = 15,
     .model = 107,
     .stepping = 1,
     .text = "QEMU Virtual CPU version 2.5+",
     .words = {[CPU_1_EDX] = 0x078bfbfd,
               [CPU_1_ECX] = 0x80202001,
               [CPU_81_EDX] = 0x20100800,
               [CPU_81_ECX] = 0x00000001,
               [CPU_KVM] = KVM_COMMON}},
};

static const char *const names[] = {"base", "host", "kvm64", "max", "qemu64", NULL};

const char *const *cpu_model_names(void)
{
    return names;
}

static const Base *find_base(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(bases); i++)
        if (g_str_equal(bases[i].name, name))
            return &bases[i];
    return NULL;
}

const char *cpu_model_about(const char *name)
{
    const Base *base = find_base(name);

    return base ? base->about : NULL;
}

/* --- settings --------------------------------------------------------------------------------------------------- */

/* A model in the making. */
typedef struct Making {
    CpuModel *m;
    const CpuHost *host;
    uint32_t on[CPU_WORDS], off[CPU_WORDS]; /* what was asked for by name */
    uint64_t level, xlevel, family, model, stepping, physical_bits, bits_limit;
    bool has_level, has_xlevel;
    bool check, enforce, migratable, auto_level, host_bits, legacy_cache;
} Making;

typedef struct Switch {
    const char *name;
    size_t place;
    bool in_model; /* the place is in the model */
} Switch;

#define IN_MAKING(name_, member)                                                                                       \
    {                                                                                                                  \
        (name_), offsetof(Making, member), false                                                                       \
    }
#define IN_MODEL(name_, member)                                                                                        \
    {                                                                                                                  \
        (name_), offsetof(CpuModel, member), true                                                                      \
    }

static const Switch switches[] = {
    IN_MAKING("check", check),
    IN_MODEL("cpuid-0xb", leaf_b),
    IN_MAKING("enforce", enforce),
    IN_MAKING("full-cpuid-auto-level", auto_level),
    IN_MODEL("host-cache-info", host_cache),
    IN_MAKING("host-phys-bits", host_bits),
    IN_MODEL("kvm", kvm),
    IN_MODEL("l3-cache", l3_cache),
    IN_MAKING("legacy-cache", legacy_cache),
    IN_MAKING("migratable", migratable),
    IN_MODEL("pmu", pmu),
    IN_MODEL("vmware-cpuid-freq", frequency_leaf),
};

typedef struct Number {
    const char *name;
    size_t place; /* of a uint64_t in Making */
    uint64_t lowest, highest;
} Number;

#define NUMBER(name_, member, lowest_, highest_)                                                                       \
    {                                                                                                                  \
        (name_), offsetof(Making, member), (lowest_), (highest_)                                                       \
    }

static const Number numbers[] = {
    NUMBER("family", family, 0, FAMILY_MAX),
    NUMBER("host-phys-bits-limit", bits_limit, 0, BITS_MAX),
    NUMBER("level", level, 0, LEVEL_MAX),
    NUMBER("model", model, 0, MODEL_MAX),
    NUMBER("phys-bits", physical_bits, BITS_MIN, BITS_MAX),
    NUMBER("stepping", stepping, 0, STEPPING_MAX),
    NUMBER("xlevel", xlevel, EXTENDED, EXTENDED + LEVEL_MAX),
};

static bool fail(GError **error, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool fail(GError **error, const char *name, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *what = g_strdup_vprintf(format, ap);
    va_end(ap);
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "-cpu%s%s: %s", name ? "." : "", name ? name : "", what);
    return false;
}

static bool read_switch(const char *name, const char *text, bool *value, GError **error)
{
    static const char *const on[] = {"on", "yes", "true", "y", NULL}, *const off[] = {"off", "no", "false", "n", NULL};

    *value = g_strv_contains(on, text);
    return *value || g_strv_contains(off, text) || fail(error, name, "'%s' is neither on nor off", text);
}

static bool set_number(Making *k, const Number *n, const char *text, GError **error)
{
    guint64 value = 0;
    char *end = NULL;

    if (g_ascii_isdigit(*text))
        value = g_ascii_strtoull(text, &end, 0);
    if (!end || *end)
        return fail(error, n->name, "'%s' is no number", text);
    if (value < n->lowest || value > n->highest)
        return fail(error, n->name,
                    "%s is out of range (accepted: 0x%" G_GINT64_MODIFIER "x to 0x%" G_GINT64_MODIFIER "x)", text,
                    n->lowest, n->highest);
    memcpy((char *)k + n->place, &value, sizeof value);
    k->has_level |= g_str_equal(n->name, "level");
    k->has_xlevel |= g_str_equal(n->name, "xlevel");
    return true;
}

/* Of octets, zeros behind them. */
static bool set_text(Making *k, const char *name, const char *text, GError **error)
{
    if (g_str_equal(name, "vendor")) {
        if (strlen(text) != sizeof k->m->vendor)
            return fail(error, name, "'%s' has %zu letters, not %zu", text, strlen(text), sizeof k->m->vendor);
        memcpy(k->m->vendor, text, sizeof k->m->vendor);
        return true;
    }
    memset(k->m->text, 0, sizeof k->m->text);
    memcpy(k->m->text, text, MIN(strlen(text), sizeof k->m->text));
    return true;
}

static bool set_feature(Making *k, const char *name, const char *text, GError **error)
{
    const char *refused = cpu_name_refused(name);
    bool on;

    if (!read_switch(name, text, &on, error))
        return false;
    if (on && refused)
        return fail(error, name, "it cannot be on: %s", refused);
    for (const CpuFeature *f = cpu_features; f->name; f++) {
        if (!g_str_equal(f->name, name))
            continue;
        uint32_t *here = on ? k->on : k->off, *there = on ? k->off : k->on;
        here[f->word] |= CPU_BIT(f->bit);
        there[f->word] &= ~CPU_BIT(f->bit);
    }
    return true;
}

static bool is_feature(const char *name)
{
    for (const CpuFeature *f = cpu_features; f->name; f++)
        if (g_str_equal(f->name, name))
            return true;
    return cpu_name_refused(name);
}

/* What can be set, ended by NULL. The names are borrowed. */
static GPtrArray *known_names(void)
{
    GPtrArray *known = g_ptr_array_new();

    for (const CpuFeature *f = cpu_features; f->name; f++)
        g_ptr_array_add(known, (void *)f->name);
    for (size_t i = 0; i < G_N_ELEMENTS(switches); i++)
        g_ptr_array_add(known, (void *)switches[i].name);
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        g_ptr_array_add(known, (void *)numbers[i].name);
    g_ptr_array_add(known, (void *)"vendor");
    g_ptr_array_add(known, (void *)"model-id");
    g_ptr_array_add(known, NULL);
    return known;
}

char *cpu_model_features(void)
{
    g_autoptr(GPtrArray) known = known_names();
    GString *text = g_string_new(NULL);
    size_t column = 0;

    for (guint i = 0; i + 1 < known->len; i++) {
        const char *name = g_ptr_array_index(known, i);
        if (cpu_name_refused(name) || (i && g_str_equal(name, g_ptr_array_index(known, i - 1))))
            continue;
        bool wraps = column + strlen(name) > LINE_LENGTH;
        g_string_append_printf(text, "%s%s%s", wraps ? "\n" : "", wraps || !column ? "  " : " ", name);
        column = (wraps ? 0 : column) + strlen(name) + 1;
    }
    return g_string_free(g_string_append_c(text, '\n'), FALSE);
}

static bool fail_unknown(const char *name, GError **error)
{
    g_autoptr(GPtrArray) known = known_names();
    const char *nearest = words_nearest((const char *const *)known->pdata, name);
    return fail(error, name, "unknown feature%s%s%s", nearest ? "; did you mean '" : "", nearest ? nearest : "",
                nearest ? "'?" : "");
}

/* QEMU's other names, and "_" for "-". New string. */
static char *canonical(const char *name)
{
    static const char *const others[][2] = {{"sse3", "pni"}, {"sse4-1", "sse4.1"}, {"sse4-2", "sse4.2"},
                                            {"xd", "nx"},    {"i64", "lm"},        {"ffxsr", "fxsr-opt"}};
    char *text = g_strdelimit(g_strdup(name), "_", '-');

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        if (!g_str_equal(text, others[i][0]))
            continue;
        g_free(text);
        return g_strdup(others[i][1]);
    }
    return text;
}

static bool set(Making *k, const CpuSetting *setting, GError **error)
{
    g_autofree char *name = canonical(setting->name);

    for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
        char *base = switches[i].in_model ? (char *)k->m : (char *)k;
        if (g_str_equal(switches[i].name, name))
            return read_switch(name, setting->value, (bool *)(base + switches[i].place), error);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
        if (g_str_equal(numbers[i].name, name))
            return set_number(k, &numbers[i], setting->value, error);
    if (g_str_equal(name, "vendor") || g_str_equal(name, "model-id"))
        return set_text(k, name, setting->value, error);
    if (g_str_equal(name, "tsc-frequency"))
        return fail(error, name, "%s", cpu_name_refused(name));
    return is_feature(name) ? set_feature(k, name, setting->value, error) : fail_unknown(setting->name, error);
}

/* --- the whole -------------------------------------------------------------------------------------------------- */

static uint32_t own_physical_bits(const CpuHost *host)
{
    uint32_t bits = cpu_leaf(host->own, 0x80000008, 0).eax & 0xff;

    return bits ? bits : 36;
}

/* Vendor, family and name of the host's processor. */
static void take_vendor(Making *k)
{
    struct kvm_cpuid_entry2 leaf = cpu_leaf(k->host->own, 0, 0);

    memcpy(k->m->vendor, (uint32_t[]){leaf.ebx, leaf.edx, leaf.ecx}, sizeof k->m->vendor);
}

static void take_host(Making *k)
{
    uint32_t signature = cpu_leaf(k->host->own, 1, 0).eax;

    k->family = (signature >> 8 & 0xf) + (signature >> 20 & 0xff);
    k->model = (signature >> 4 & 0xf) | (signature >> 12 & 0xf0);
    k->stepping = signature & 0xf;
    for (uint32_t i = 0; i < 3; i++) {
        struct kvm_cpuid_entry2 leaf = cpu_leaf(k->host->own, 0x80000002 + i, 0);
        memcpy(k->m->text + 16 * i, (uint32_t[]){leaf.eax, leaf.ebx, leaf.ecx, leaf.edx}, 16);
    }
    k->level = cpu_leaf(k->host->supported, 0, 0).eax;
    k->xlevel = cpu_leaf(k->host->supported, EXTENDED, 0).eax;
    k->m->pmu = true;
    k->host_bits = true;
}

static void take_base(Making *k, const Base *base)
{
    CpuModel *m = k->m;

    k->level = base->level;
    k->xlevel = base->xlevel;
    k->family = base->family;
    k->model = base->model;
    k->stepping = base->stepping;
    if (base->text)
        memcpy(m->text, base->text, strlen(base->text));
    memcpy(m->words, base->words, sizeof m->words);
    /* of what a model has nobody is told that it cannot be there */
    m->words[CPU_1_ECX] &= ~lapic_bits(CPU_1_ECX, k->host);
    m->words[CPU_KVM] &= ~lapic_bits(CPU_KVM, k->host);
    if (base->words[CPU_KVM])
        m->words[CPU_KVM] |= always(CPU_KVM, k->host);
    if (base->host || base->text)
        take_vendor(k);
    if (base->host)
        take_host(k);
}

/* What the host has, but for what cannot move to another (and topoext, which must be asked for). */
static void add_host_features(Making *k)
{
    for (CpuWord word = 0; word < CPU_D_0_EAX; word++) {
        uint32_t bits = supported(word, k->host);
        if (word == CPU_KVM_HINTS)
            bits = 0;
        if (k->migratable)
            bits &= cpu_word_named(word);
        if (word == CPU_81_ECX)
            bits &= ~CPU_BIT(CPU_BIT_TOPOEXT);
        if (word == CPU_87_EDX && k->migratable)
            bits &= ~CPU_BIT(CPU_BIT_INVTSC);
        k->m->words[word] = bits;
    }
}

/* Which parts of XSAVE's area there must be. */
static uint32_t components(const CpuModel *m)
{
    uint32_t bits = 3;

    if (!cpu_model_has(m, CPU_1_ECX, CPU_BIT_XSAVE))
        return 0;
    bits |= cpu_model_has(m, CPU_1_ECX, CPU_BIT_AVX) ? CPU_BIT(2) : 0;
    bits |= cpu_model_has(m, CPU_7_EBX, CPU_BIT_MPX) ? CPU_BIT(3) | CPU_BIT(4) : 0;
    bits |= cpu_model_has(m, CPU_7_EBX, CPU_BIT_AVX512F) ? CPU_BIT(5) | CPU_BIT(6) | CPU_BIT(7) : 0;
    bits |= cpu_model_has(m, CPU_7_ECX, CPU_BIT_PKU) ? CPU_BIT(9) : 0;
    return bits;
}

/* As far as the features reach, the leaves do; unless it was said how far they do. */
static void find_levels(Making *k)
{
    CpuModel *m = k->m;

    m->level7 = m->words[CPU_7_1_EAX] ? 1 : 0;
    for (CpuWord word = 0; word < CPU_D_0_EAX; word++) {
        uint32_t function = cpu_words[word].function;
        uint64_t *level = function & EXTENDED ? &k->xlevel : &k->level;
        bool given = function & EXTENDED ? k->has_xlevel : k->has_level;
        if (m->words[word] && k->auto_level && !given && word != CPU_KVM && word != CPU_KVM_HINTS)
            *level = MAX(*level, function);
    }
    m->level = (uint32_t)MIN(k->level, LEVEL_MAX);
    m->xlevel = (uint32_t)MIN(k->xlevel, EXTENDED + LEVEL_MAX);
}

static const char *name_of(CpuWord word, unsigned bit)
{
    for (const CpuFeature *f = cpu_features; f->name; f++)
        if (f->word == word && f->bit == bit)
            return f->name;
    return NULL;
}

/* Takes away what the host lacks. */
static void filter(Making *k)
{
    CpuModel *m = k->m;

    for (CpuWord word = 0; word < CPU_WORDS; word++) {
        uint32_t lacking = m->words[word] & ~supported(word, k->host);
        m->words[word] &= ~lacking;
        for (unsigned bit = 0; bit < 32; bit++) {
            const char *name = name_of(word, bit);
            if ((lacking & CPU_BIT(bit)) && name)
                g_ptr_array_add(m->missing, (void *)name);
            if (lacking & CPU_BIT(bit))
                g_string_append_printf(m->warnings, "host doesn't support requested feature: %s%s%s [bit %u]\n",
                                       cpu_words[word].text, name ? "." : "", name ? name : "", bit);
        }
    }
}

static void find_physical_bits(Making *k)
{
    uint32_t own = own_physical_bits(k->host);
    CpuModel *m = k->m;

    m->physical_bits = k->physical_bits ? (unsigned)k->physical_bits : BITS_DEFAULT;
    if (k->host_bits)
        m->physical_bits = k->bits_limit ? MIN(own, (uint32_t)k->bits_limit) : own;
    else if (k->physical_bits && k->physical_bits != own)
        g_string_append_printf(m->warnings, "Host physical bits (%u) does not match phys-bits property (%u)\n", own,
                               m->physical_bits);
    if (!cpu_model_has(m, CPU_81_EDX, CPU_BIT_LM))
        m->physical_bits = cpu_model_has(m, CPU_1_EDX, CPU_BIT_PSE36) ? 36 : 32;
}

static bool finish(Making *k, const Base *base, GError **error)
{
    CpuModel *m = k->m;

    if (!k->legacy_cache)
        return fail(error, "legacy-cache", "the model %s has no other caches than these", base->name);
    if (base->host)
        add_host_features(k);
    for (CpuWord word = 0; word < CPU_WORDS; word++)
        m->words[word] = (m->words[word] & ~k->off[word]) | k->on[word];
    m->words[CPU_D_0_EAX] = components(m);
    m->family = (unsigned)k->family;
    m->model = (unsigned)k->model;
    m->stepping = (unsigned)k->stepping;
    find_levels(k);
    filter(k);
    if (!cpu_model_has(m, CPU_1_ECX, CPU_BIT_XSAVE))
        m->words[CPU_D_0_EAX] = m->words[CPU_D_1_EAX] = 0;
    if (k->enforce && m->warnings->len)
        return fail(error, "enforce", "%.*s", (int)strcspn(m->warnings->str, "\n"), m->warnings->str);
    if (!k->check)
        g_string_truncate(m->warnings, 0);
    find_physical_bits(k);
    return true;
}

CpuModel *cpu_model_new(const char *name, const CpuSetting *settings, size_t count, const CpuHost *host, GError **error)
{
    const Base *base = find_base(name);
    g_autoptr(CpuModel) m = g_new0(CpuModel, 1);
    Making k = {.m = m, .host = host, .check = true, .migratable = true, .auto_level = true, .legacy_cache = true};

    m->kvm = m->l3_cache = m->leaf_b = m->frequency_leaf = true;
    m->tsc_khz = host->tsc_khz;
    m->supported = copy_of(host->supported);
    m->own = copy_of(host->own);
    m->warnings = g_string_new(NULL);
    m->missing = g_ptr_array_new();
    if (!base) {
        g_autofree char *why = words_unknown("model", name, names);
        fail(error, NULL, "%s", why);
        return NULL;
    }
    take_base(&k, base);
    for (size_t i = 0; i < count; i++)
        if (!set(&k, &settings[i], error))
            return NULL;
    return finish(&k, base, error) ? g_steal_pointer(&m) : NULL;
}

void cpu_model_free(CpuModel *m)
{
    if (!m)
        return;
    g_free(m->supported);
    g_free(m->own);
    g_string_free(m->warnings, TRUE);
    g_ptr_array_unref(m->missing);
    g_free(m);
}

char *cpu_model_warnings(const CpuModel *m, const CpuTopology *t)
{
    if (t->threads < 2 || !cpu_model_is_amd(m) || cpu_model_has(m, CPU_81_ECX, CPU_BIT_TOPOEXT))
        return g_strdup(m->warnings->str);
    return g_strdup_printf("%sThis family of AMD CPU doesn't support hyperthreading(%u)\n", m->warnings->str,
                           t->threads);
}

unsigned cpu_model_physical_bits(const CpuModel *m)
{
    return m->physical_bits;
}
