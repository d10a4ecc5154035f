/* options-cpu.c: -cpu and -smp. */
#include <string.h>

#include "emu/kvm/cpu-model.h"
#include "emu/machine/options-impl.h"

enum { CPUS_MAX = 255 };

/* --- -smp ------------------------------------------------------------------------------------------------------- */

/* At most UINT64_MAX. */
static uint64_t product(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t all;

    return __builtin_mul_overflow(a, b, &all) || __builtin_mul_overflow(all, c, &all) ? UINT64_MAX : all;
}

static bool fail_topology(const OptionsSmp *s, GError **error)
{
    return options_fail(error, "-smp", "sockets (%u) * dies (%u) * cores (%u) * threads (%u) is not maxcpus (%u)",
                        s->sockets, s->dies, s->cores, s->threads, s->maxcpus);
}

/* What is not given follows from what is: threads and dies are 1, then cores before sockets. */
bool options_smp(OptionsSmp *s, const QmpSmpOptions *given, GError **error)
{
    *s = (OptionsSmp){given->cpus, given->maxcpus, given->sockets, given->dies, given->cores, given->threads};
    uint32_t known = s->maxcpus ? s->maxcpus : s->cpus;

    s->dies = s->dies ? s->dies : 1;
    if (!known) {
        s->sockets = s->sockets ? s->sockets : 1;
        s->cores = s->cores ? s->cores : 1;
        s->threads = s->threads ? s->threads : 1;
    } else if (!s->cores) {
        s->sockets = s->sockets ? s->sockets : 1;
        s->threads = s->threads ? s->threads : 1;
        s->cores = (uint32_t)(known / product(s->sockets, s->dies, s->threads));
    } else if (!s->sockets) {
        s->threads = s->threads ? s->threads : 1;
        s->sockets = (uint32_t)(known / product(s->dies, s->cores, s->threads));
    } else if (!s->threads) {
        s->threads = (uint32_t)(known / product(s->sockets, s->dies, s->cores));
    }
    uint64_t all = product(product(s->sockets, s->dies, s->cores), s->threads, 1);
    s->maxcpus = known ? known : (uint32_t)MIN(all, UINT32_MAX);
    s->cpus = s->cpus ? s->cpus : s->maxcpus;
    if (known && all != known)
        return fail_topology(s, error);
    if (s->cpus > s->maxcpus)
        return options_fail(error, "-smp.cpus", "%u is above maxcpus, %u", s->cpus, s->maxcpus);
    return s->maxcpus <= CPUS_MAX ||
           options_fail(error, "-smp.maxcpus", "%u is out of range (accepted: 1 to %d)", s->maxcpus, CPUS_MAX);
}

/* --- -cpu ------------------------------------------------------------------------------------------------------- */

void options_feature_free(void *feature)
{
    OptionsFeature *f = feature;

    g_free(f->name);
    g_free(f->value);
    g_free(f);
}

static void add_feature(OptionsCpu *cpu, const char *name, size_t len, const char *value)
{
    OptionsFeature *f = g_new0(OptionsFeature, 1);

    f->name = g_strndup(name, len);
    f->value = g_strdup(value);
    g_ptr_array_add(cpu->features, f);
}

/* "+x", "-x", "x", "x=y". */
static bool read_feature(OptionsCpu *cpu, const char *text, GError **error)
{
    bool sign = text[0] == '+' || text[0] == '-';
    const char *name = text + sign, *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);

    if (!len || (sign && equals))
        return options_fail(error, "-cpu", "'%s' is no feature (accepted: +FEATURE, -FEATURE, KEY=VALUE)", text);
    add_feature(cpu, name, len, equals ? equals + 1 : text[0] == '-' ? "off" : "on");
    return true;
}

bool options_cpu(OptionsCpu *cpu, const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    if (!parts[0] || !*parts[0])
        return options_fail(error, "-cpu", "it starts with the name of a model");
    g_free(cpu->model);
    cpu->model = g_strdup(parts[0]);
    g_ptr_array_set_size(cpu->features, 0);
    for (size_t i = 1; parts[i]; i++)
        if (*parts[i] && !read_feature(cpu, parts[i], error))
            return false;
    return true;
}

char *options_cpus_help(void)
{
    GString *text = g_string_new("Processors (-cpu MODEL,+FEATURE,-FEATURE,KEY=VALUE):\n");

    for (const char *const *name = cpu_model_names(); *name; name++)
        g_string_append_printf(text, "  %-8s %s\n", *name, cpu_model_about(*name));
    g_autofree char *features = cpu_model_features();
    g_string_append_printf(text, "Features and keys:\n%s", features);
    return g_string_free(text, FALSE);
}
