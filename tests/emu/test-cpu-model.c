/* test-cpu-model.c: what processors say of themselves, against what QEMU 7.2 gave KVM (traces/cpuid-qemu-7.2.txt). */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "emu/kvm/cpu-model.h"

enum { LEAVES = 100, HOSTS = 3, TSC_KHZ = 2596102 };

static const CpuTopology one = {1, 1, 1, 1};

/* --- the recording ---------------------------------------------------------------------------------------------- */

typedef struct Recording {
    char **lines;
    struct kvm_cpuid2 *hosts[HOSTS], *own;
    char *names[HOSTS];
} Recording;

static bool read_leaf(const char *line, struct kvm_cpuid_entry2 *e)
{
    *e = (struct kvm_cpuid_entry2){0};
    return sscanf(line, "%x %x %x: %x %x %x %x", &e->function, &e->index, &e->flags, &e->eax, &e->ebx, &e->ecx,
                  &e->edx) == 7;
}

/* Leaves up to a line that is none. */
static struct kvm_cpuid2 *read_leaves(char **lines)
{
    struct kvm_cpuid2 *table = g_malloc0(sizeof *table + LEAVES * sizeof table->entries[0]);

    while (table->nent < LEAVES && *lines && read_leaf(*lines, &table->entries[table->nent])) {
        table->nent++;
        lines++;
    }
    return table;
}

static Recording open_recording(void)
{
    g_autofree char *text = NULL;
    Recording r = {0};
    unsigned hosts = 0;

    cr_assert(g_file_get_contents("traces/cpuid-qemu-7.2.txt", &text, NULL, NULL));
    r.lines = g_strsplit(text, "\n", -1);
    for (char **line = r.lines; *line; line++) {
        if (g_str_equal(*line, "own"))
            r.own = read_leaves(line + 1);
        if (!g_str_has_prefix(*line, "supported "))
            continue;
        cr_assert_lt(hosts, HOSTS);
        r.names[hosts] = *line + strlen("supported ");
        r.hosts[hosts++] = read_leaves(line + 1);
    }
    return r;
}

static void close_recording(Recording *r)
{
    for (unsigned i = 0; i < HOSTS; i++)
        g_free(r->hosts[i]);
    g_free(r->own);
    g_strfreev(r->lines);
}

static CpuHost host_of(const Recording *r, const char *name)
{
    for (unsigned i = 0; i < HOSTS; i++)
        if (g_str_equal(r->names[i], name))
            return (CpuHost){.supported = r->hosts[i], .own = r->own, .tsc_deadline = true, .tsc_khz = TSC_KHZ};
    cr_assert_fail("no host %s", name);
    return (CpuHost){0};
}

/* --- command lines ---------------------------------------------------------------------------------------------- */

/* As options.c does it; the settings' text is in `parts`. */
static CpuModel *parse_model(const char *text, const CpuHost *host, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    CpuSetting settings[32];
    size_t count = 0;

    for (size_t i = 1; parts[i]; i++) {
        char *equals = strchr(parts[i], '=');
        bool sign = *parts[i] == '+' || *parts[i] == '-';
        if (equals)
            *equals = 0;
        settings[count++] = (CpuSetting){parts[i] + sign, equals ? equals + 1 : *parts[i] == '-' ? "off" : "on"};
    }
    return cpu_model_new(parts[0], settings, count, host, error);
}

static unsigned key(char *const *parts, const char *name)
{
    for (; *parts; parts++)
        if (g_str_has_prefix(*parts, name) && (*parts)[strlen(name)] == '=')
            return (unsigned)atoi(*parts + strlen(name) + 1);
    return 0;
}

/* What the case says; what is not said is one, and cores before sockets. */
static CpuTopology parse_topology(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    unsigned cpus = (unsigned)atoi(text);
    CpuTopology t = {key(parts, "sockets"), key(parts, "dies"), key(parts, "cores"), key(parts, "threads")};

    t.dies = t.dies ? t.dies : 1;
    t.threads = t.threads ? t.threads : 1;
    if (!t.cores) {
        t.sockets = t.sockets ? t.sockets : 1;
        t.cores = cpus / (t.sockets * t.dies * t.threads);
    }
    t.sockets = t.sockets ? t.sockets : cpus / (t.dies * t.cores * t.threads);
    cr_assert_eq(t.sockets * t.dies * t.cores * t.threads, cpus);
    return t;
}

/* --- against QEMU ----------------------------------------------------------------------------------------------- */

static char *tell(const struct kvm_cpuid2 *table)
{
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; i < table->nent; i++) {
        const struct kvm_cpuid_entry2 *e = &table->entries[i];
        g_string_append_printf(text, "%08x %x %x: %08x %08x %08x %08x\n", e->function, e->index, e->flags, e->eax,
                               e->ebx, e->ecx, e->edx);
    }
    return g_string_free(text, FALSE);
}

/* The first line that is different, of two texts. */
static void assert_same(const char *line, const char *what, const char *ours, const char *qemus)
{
    g_auto(GStrv) a = g_strsplit(ours, "\n", -1), b = g_strsplit(qemus, "\n", -1);
    size_t i = 0;

    while (a[i] && b[i] && g_str_equal(a[i], b[i]))
        i++;
    cr_expect(!a[i] && !b[i], "%s: %s:\nours:  %s\nQEMU's: %s", line, what, a[i] ? a[i] : "", b[i] ? b[i] : "");
}

/* Lines up to the next vcpu or case. */
static char *leaves_text(char **lines)
{
    GString *text = g_string_new(NULL);
    struct kvm_cpuid_entry2 e;

    for (; *lines && read_leaf(*lines, &e); lines++)
        g_string_append_printf(text, "%s\n", *lines);
    return g_string_free(text, FALSE);
}

static char *warnings_text(char **lines)
{
    GString *text = g_string_new(NULL);

    for (; *lines && g_str_has_prefix(*lines, "warning: "); lines++)
        g_string_append_printf(text, "%s\n", *lines + strlen("warning: "));
    return g_string_free(text, FALSE);
}

/* A case: its first line, and what follows up to the next. */
static void try_case(const Recording *r, char **lines)
{
    char host_name[8], cpu[300], smp[100];
    g_autoptr(GError) error = NULL;
    const char *line = *lines++;

    cr_assert_eq(sscanf(line, "case %7s -cpu %299[^\n]", host_name, cpu), 2, "%s", line);
    char *split = strstr(cpu, " -smp ");
    cr_assert_not_null(split);
    g_strlcpy(smp, split + strlen(" -smp "), sizeof smp);
    *split = 0;
    CpuHost host = host_of(r, host_name);
    CpuTopology topology = parse_topology(smp);
    g_autoptr(CpuModel) m = parse_model(cpu, &host, &error);
    g_autofree char *warnings = warnings_text(lines), *our_warnings = m ? cpu_model_warnings(m, &topology) : NULL;
    while (*lines && g_str_has_prefix(*lines, "warning: "))
        lines++;
    if (*lines && g_str_has_prefix(*lines, "error: Host doesn't support requested features")) {
        cr_expect(!m && g_str_has_prefix(error->message, "-cpu.enforce: "), "%s: is accepted", line);
        return;
    }
    cr_assert(m, "%s: %s", line, error ? error->message : "");
    assert_same(line, "warnings", our_warnings, warnings);
    cr_expect(cpu_topology_check(&topology, NULL), "%s", line);
    for (; *lines && !g_str_has_prefix(*lines, "case "); lines++) {
        unsigned index;
        if (sscanf(*lines, "vcpu %u", &index) != 1)
            continue;
        g_autofree struct kvm_cpuid2 *table = cpu_model_leaves(m, &topology, index);
        g_autofree char *ours = tell(table), *qemus = leaves_text(lines + 1);
        assert_same(line, *lines, ours, qemus);
    }
}

Test(cpu_model, every_model_says_what_it_says_on_qemu)
{
    Recording r = open_recording();
    unsigned cases = 0;

    for (char **line = r.lines; *line; line++) {
        if (!g_str_has_prefix(*line, "case "))
            continue;
        try_case(&r, line);
        cases++;
    }
    cr_assert_gt(cases, 60);
    close_recording(&r);
}

/* --- settings --------------------------------------------------------------------------------------------------- */

static void refuse(const char *text, const char *message)
{
    Recording r = open_recording();
    CpuHost host = host_of(&r, "amd");
    g_autoptr(GError) error = NULL;
    g_autoptr(CpuModel) m = parse_model(text, &host, &error);

    cr_assert_null(m, "%s", message);
    cr_assert_str_eq(error->message, message, "said: %s", error->message);
    close_recording(&r);
}

Test(cpu_model, what_is_wrong_is_said)
{
    refuse("qemu46", "-cpu: unknown model 'qemu46'; did you mean 'qemu64'? (accepted: base, host, kvm64, max, qemu64)");
    refuse("qemu64,+avxx", "-cpu.avxx: unknown feature; did you mean 'avx'?");
    refuse("qemu64,+completely-different", "-cpu.completely-different: unknown feature");
    refuse("qemu64,avx=perhaps", "-cpu.avx: 'perhaps' is neither on nor off");
    refuse("qemu64,level=x", "-cpu.level: 'x' is no number");
    refuse("qemu64,level=", "-cpu.level: '' is no number");
    refuse("qemu64,level=-1", "-cpu.level: '-1' is no number");
    refuse("qemu64,level=65", "-cpu.level: 65 is out of range (accepted: 0x0 to 0x40)");
    refuse("qemu64,level=99999999999999999999",
           "-cpu.level: 99999999999999999999 is out of range (accepted: 0x0 to 0x40)");
    refuse("qemu64,xlevel=8", "-cpu.xlevel: 8 is out of range (accepted: 0x80000000 to 0x80000040)");
    refuse("qemu64,family=271", "-cpu.family: 271 is out of range (accepted: 0x0 to 0x10e)");
    refuse("qemu64,vendor=Intel", "-cpu.vendor: 'Intel' has 5 letters, not 12");
    refuse("qemu64,phys-bits=53", "-cpu.phys-bits: 53 is out of range (accepted: 0x20 to 0x34)");
    refuse("qemu64,hv_relaxed", "-cpu.hv-relaxed: it cannot be on: there is nothing of Hyper-V");
    refuse("qemu64,+vmx", "-cpu.vmx: it cannot be on: there is no virtualization inside of the guest");
    refuse("max,+svm", "-cpu.svm: it cannot be on: there is no virtualization inside of the guest");
    refuse("host,+rdctl-no", "-cpu.rdctl-no: it cannot be on: MSR 10AH is as the host has it");
    refuse("qemu64,tsc-frequency=1000", "-cpu.tsc-frequency: the TSC runs as the host's");
    refuse("qemu64,legacy-cache=off", "-cpu.legacy-cache: the model qemu64 has no other caches than these");
}

Test(cpu_model, what_cannot_be_on_may_be_off)
{
    Recording r = open_recording();
    CpuHost host = host_of(&r, "amd");
    g_autoptr(GError) error = NULL;
    g_autoptr(CpuModel) m = parse_model("qemu64,svm=off,-vmx,hv-relaxed=off,-sgx,vmx-ept=off", &host, &error);

    cr_assert(m, "%s", error ? error->message : "");
    g_autofree char *warnings = cpu_model_warnings(m, &one);
    cr_assert_str_eq(warnings, "");
    close_recording(&r);
}

Test(cpu_model, later_settings_win)
{
    Recording r = open_recording();
    CpuHost host = host_of(&r, "amd");
    static const char *const pairs[][2] = {
        {"qemu64,+avx2,-avx2", "qemu64"},
        {"qemu64,-sse2,sse2=on", "qemu64"},
        {"qemu64,level=7,level=13", "qemu64"},
        {"qemu64,x2apic=off,+x2apic", "qemu64"},
        {"max", "host"},
        {"qemu64,sse4_1=on,+sse4-2", "qemu64,+sse4.1,+sse4.2"},
        {"qemu64,kvm_pv_eoi=off", "qemu64,-kvm-pv-eoi"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(pairs); i++) {
        g_autoptr(CpuModel) a = parse_model(pairs[i][0], &host, NULL), b = parse_model(pairs[i][1], &host, NULL);
        cr_assert(a && b, "%s", pairs[i][0]);
        g_autofree struct kvm_cpuid2 *x = cpu_model_leaves(a, &one, 0), *y = cpu_model_leaves(b, &one, 0);
        g_autofree char *ours = tell(x), *others = tell(y);
        assert_same(pairs[i][0], pairs[i][1], ours, others);
    }
    close_recording(&r);
}

static uint32_t leaf_register(const CpuModel *m, uint32_t function, char reg)
{
    g_autofree struct kvm_cpuid2 *leaves = cpu_model_leaves(m, &one, 0);

    for (uint32_t i = 0; i < leaves->nent; i++)
        if (leaves->entries[i].function == function)
            return reg == 'a' ? leaves->entries[i].eax : leaves->entries[i].ecx;
    return 0;
}

/* x2APIC and the TSC deadline are KVM's LAPIC's, and without it KVM takes no MSR of asynchronous page faults. */
Test(cpu_model, without_a_lapic_of_kvms_there_is_nothing_that_needs_it_and_nobody_complains)
{
    enum { X2APIC = 1 << 21, TSC_DEADLINE = 1 << 24 };
    static const char *const models[] = {"qemu64", "host", "kvm64"};
    Recording r = open_recording();
    CpuHost host = host_of(&r, "amd");

    for (size_t i = 0; i < G_N_ELEMENTS(models); i++) {
        host.no_lapic = false;
        g_autoptr(CpuModel) with = parse_model(models[i], &host, NULL);
        host.no_lapic = true;
        g_autoptr(CpuModel) without = parse_model(models[i], &host, NULL);
        g_autofree char *warnings = cpu_model_warnings(with, &one), *more = cpu_model_warnings(without, &one);
        cr_expect_str_eq(more, warnings, "%s", models[i]);
        cr_expect_eq(leaf_register(without, 1, 'c'), leaf_register(with, 1, 'c') & ~(uint32_t)(X2APIC | TSC_DEADLINE),
                     "%s", models[i]);
        cr_expect_eq(leaf_register(without, 0x40000001, 'a'), leaf_register(with, 0x40000001, 'a') & ~0x4cd0U, "%s",
                     models[i]);
    }
    g_autoptr(CpuModel) asked = parse_model("qemu64,+x2apic", &host, NULL);
    g_autofree char *said = cpu_model_warnings(asked, &one);
    cr_expect_not_null(strstr(said, "x2apic"), "%s", said);
    close_recording(&r);
}

/* As QEMU 7.2 has it: 0x0100807b of qemu64 where it has 0x0100007b otherwise. */
Test(cpu_model, with_an_io_apic_of_ours_destinations_may_be_long)
{
    Recording r = open_recording();
    CpuHost host = host_of(&r, "amd");

    host.split = true;
    g_autoptr(CpuModel) split = parse_model("qemu64", &host, NULL);
    g_autoptr(CpuModel) base = parse_model("base", &host, NULL);
    cr_expect_eq(leaf_register(split, 0x40000001, 'a'), 0x0100807b);
    cr_expect_eq(leaf_register(base, 0x40000001, 'a') & 0x8000, 0);
    close_recording(&r);
}

Test(cpu_model, what_the_host_lacks_is_no_error_unless_it_is_enforced)
{
    Recording r = open_recording();
    CpuHost host = host_of(&r, "here");
    g_autoptr(GError) error = NULL;
    g_autoptr(CpuModel) m = parse_model("base,+avx2", &host, NULL);
    g_autoptr(CpuModel) silent = parse_model("base,+avx2,check=off", &host, NULL);
    g_autoptr(CpuModel) enforced = parse_model("base,+avx2,enforce", &host, &error);

    g_autofree char *warnings = cpu_model_warnings(m, &one), *none = cpu_model_warnings(silent, &one);
    cr_assert_str_eq(warnings, "host doesn't support requested feature: CPUID.07H:EBX.avx2 [bit 5]\n");
    cr_assert_str_eq(none, "");
    cr_assert_null(enforced);
    cr_assert_str_eq(error->message,
                     "-cpu.enforce: host doesn't support requested feature: CPUID.07H:EBX.avx2 [bit 5]");
    close_recording(&r);
}

/* --- topology --------------------------------------------------------------------------------------------------- */

Test(cpu_model, apic_ids_have_no_gaps)
{
    static const CpuTopology good[] = {{1, 1, 1, 1}, {1, 1, 3, 1}, {3, 1, 2, 2},
                                       {1, 1, 3, 2}, {2, 2, 2, 2}, {1, 3, 4, 1}};
    static const CpuTopology bad[] = {{2, 1, 3, 1}, {1, 1, 2, 3}, {2, 3, 1, 1}, {1, 2, 3, 1}};
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
        cr_assert(cpu_topology_check(&good[i], NULL), "%zu", i);
    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
        cr_assert(!cpu_topology_check(&bad[i], NULL), "%zu", i);
    cr_assert(!cpu_topology_check(&bad[0], &error));
    cr_assert_str_eq(error->message,
                     "-smp.cores: 3 of cores would leave gaps between APIC ids (accepted: a power of 2, "
                     "unless nothing is around them)");
}

Test(cpu_model, every_name_has_a_model)
{
    Recording r = open_recording();

    for (const char *const *name = cpu_model_names(); *name; name++) {
        CpuHost host = host_of(&r, "poor");
        g_autoptr(CpuModel) m = cpu_model_new(*name, NULL, 0, &host, NULL);
        cr_assert(m && cpu_model_about(*name), "%s", *name);
    }
    cr_assert_null(cpu_model_about("q"));
    close_recording(&r);
}
