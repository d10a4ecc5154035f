/*
 * fuzz-options.c: command lines. Each line of an input is a word.
 *
 * A line that is accepted means something: the numbers are within bounds and fit together, no two things have one name
 * or one place, every device takes the options that were read, and a processor has leaves. One that is refused says
 * which word is to blame.
 */
#include <jansson.h>
#include <string.h>

#include "emu/dev/dev.h"
#include "emu/kvm/cpu-model.h"
#include "emu/machine/options.h"
#include "tests/fuzz/support/fuzz.h"

enum { WORDS_MAX = 64 };

/* --- devices ---------------------------------------------------------------------------------------------------- */

typedef struct Gadget {
    Device dev;
    char *drive, *forward;
    uint64_t size;
    int8_t small;
    bool fast, has_index;
    uint16_t index;
    uint8_t colours[3];
} Gadget;

static bool check_gadget(const void *state, GError **error)
{
    const Gadget *g = state;

    if (g->small != 13)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "small: it is 13");
    return false;
}

static const VMStateField gadget_fields[] = {
    VMS_TEXT(Gadget, drive),    VMS_TEXT(Gadget, forward),
    VMS_FIELD(Gadget, size),    VMS_FIELD(Gadget, small),
    VMS_FIELD(Gadget, fast),    VMS_FIELD(Gadget, index, .presence = 1 + offsetof(Gadget, has_index)),
    VMS_ARRAY(Gadget, colours), VMS_END,
};

static const VMStateDescription gadget_options = {
    .name = "gadget",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Gadget),
    .fields = gadget_fields,
    .check = check_gadget,
};

static const Gadget gadget_defaults = {.fast = true, .size = 7};

static const DeviceType gadget_type = {
    .name = "gadget",
    .size = sizeof(Gadget),
    .defaults = &gadget_defaults,
    .options = &gadget_options,
};

static const DeviceType *const types[] = {&gadget_type, &isa_serial_type, &hpet_type, &port92_type, NULL};

/* What was read once is read the same again. */
static void apply(const OptionsDevice *d)
{
    GError *error = NULL;
    Device *dev = device_new(d->type);

    fuzz_check(options_device_apply(d, dev, &error), "%s: %s", d->common.driver, fuzz_message(error));
    device_free(dev);
}

/* --- processors ------------------------------------------------------------------------------------------------- */

enum { HOST_LEAVES = 16, SETTINGS_MAX = 64 };

/* A host of which every other feature is there. */
static struct kvm_cpuid2 *host_leaves(uint32_t bits)
{
    static const uint32_t functions[][2] = {{0, 0},          {1, 0},          {4, 0},          {6, 0},
                                            {7, 0},          {7, 1},          {0xd, 0},        {0xd, 1},
                                            {0xd, 2},        {0x40000001, 0}, {0x80000000, 0}, {0x80000001, 0},
                                            {0x80000007, 0}, {0x80000008, 0}, {0x8000001d, 0}};
    struct kvm_cpuid2 *table = g_malloc0(sizeof *table + HOST_LEAVES * sizeof table->entries[0]);

    for (; table->nent < G_N_ELEMENTS(functions); table->nent++)
        table->entries[table->nent] = (struct kvm_cpuid_entry2){.function = functions[table->nent][0],
                                                                .index = functions[table->nent][1],
                                                                .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
                                                                .eax = bits,
                                                                .ebx = ~bits,
                                                                .ecx = bits,
                                                                .edx = ~bits};
    return table;
}

static void judge_leaves(const struct kvm_cpuid2 *table)
{
    fuzz_check(table->nent <= 256, "a processor has %u leaves", table->nent);
    for (uint32_t i = 0; i < table->nent; i++)
        for (uint32_t j = 0; j < i; j++)
            fuzz_check(table->entries[i].function != table->entries[j].function ||
                           table->entries[i].index != table->entries[j].index,
                       "leaf %x.%x is there twice", table->entries[i].function, table->entries[i].index);
}

/* A processor of the model that was asked for, if it is one. */
static void judge_cpu(const Options *o)
{
    g_autofree struct kvm_cpuid2 *supported = host_leaves(0xaaaaaaaa), *own = host_leaves(0x55555555);
    const CpuHost host = {.supported = supported, .own = own, .tsc_khz = 1000};
    const CpuTopology topology = {o->smp.sockets, o->smp.dies, o->smp.cores, o->smp.threads};
    CpuSetting settings[SETTINGS_MAX];
    size_t count = MIN(o->cpu.features->len, SETTINGS_MAX);
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < count; i++) {
        const OptionsFeature *f = g_ptr_array_index(o->cpu.features, i);
        settings[i] = (CpuSetting){f->name, f->value};
    }
    g_autoptr(CpuModel) m = cpu_model_new(o->cpu.model ? o->cpu.model : "qemu64", settings, count, &host, &error);
    fuzz_check(m || (error && g_str_has_prefix(error->message, "-cpu")), "%s", fuzz_message(error));
    if (!m || !cpu_topology_check(&topology, NULL))
        return;
    g_autofree char *warnings = cpu_model_warnings(m, &topology);
    fuzz_touch(warnings, strlen(warnings));
    g_autofree struct kvm_cpuid2 *table = cpu_model_leaves(m, &topology, o->smp.cpus - 1);
    judge_leaves(table);
}

/* --- what was accepted ------------------------------------------------------------------------------------------ */

static void judge_smp(const OptionsSmp *s)
{
    fuzz_check(s->cpus >= 1 && s->cpus <= s->maxcpus && s->maxcpus <= 255, "%u of %u processors", s->cpus, s->maxcpus);
    fuzz_check((uint64_t)s->sockets * s->dies * s->cores * s->threads == s->maxcpus, "%u * %u * %u * %u is %u",
               s->sockets, s->dies, s->cores, s->threads, s->maxcpus);
}

static void judge_drives(const GPtrArray *drives)
{
    static const uint32_t most[] = {4, 2, UINT32_MAX, 2, UINT32_MAX};

    for (guint i = 0; i < drives->len; i++) {
        const QmpDriveOptions *a = g_ptr_array_index(drives, i);
        fuzz_check(a->q_if <= QMP_DRIVE_INTERFACE_NONE && a->format < QMP_DRIVE_FORMAT__MAX &&
                       a->discard <= QMP_DRIVE_DISCARD_UNMAP,
                   "a drive is of no kind");
        if (a->q_if == QMP_DRIVE_INTERFACE_NONE)
            continue;
        fuzz_check(a->index < most[a->q_if], "drive %u of interface %u", a->index, a->q_if);
        for (guint j = 0; j < i; j++) {
            const QmpDriveOptions *b = g_ptr_array_index(drives, j);
            fuzz_check(a->q_if != b->q_if || a->index != b->index, "two drives are in one place");
        }
    }
}

/* Every id once; `offset` is its place in what the items point to. */
static void judge_ids(void *const *items, size_t count, size_t offset)
{
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);

    for (size_t i = 0; i < count; i++) {
        char *id = *(char **)((char *)items[i] + offset);
        fuzz_check(!id || g_ascii_isalpha(*id), "'%s' is no id", id);
        fuzz_check(!id || g_hash_table_add(ids, id), "'%s' is there twice", id);
    }
}

static void judge_lines(const Options *o)
{
    unsigned stdio = 0;

    for (guint i = 0; i < o->chardevs->len; i++)
        stdio += ((OptionsChar *)g_ptr_array_index(o->chardevs, i))->type == OPTIONS_CHAR_STDIO;
    for (guint i = 0; i < o->serials->len; i++)
        stdio += ((OptionsChar *)g_ptr_array_index(o->serials, i))->type == OPTIONS_CHAR_STDIO;
    for (guint i = 0; i < o->monitors->len; i++)
        stdio += ((OptionsMonitor *)g_ptr_array_index(o->monitors, i))->line.type == OPTIONS_CHAR_STDIO;
    fuzz_check(stdio <= !o->daemonize, "stdio is used %u times", stdio);
    fuzz_check(o->serials->len <= 4, "%u serial ports", o->serials->len);
}

/* What was said is the same as JSON, and nothing more to say changes nothing. */
static void judge_again(const Options *o, bool is_text)
{
    static const QmpConfiguration nothing;
    QmpConfiguration *again = NULL;
    GError *error = NULL;

    if (!is_text)
        return; /* which JSON is */
    json_t *said = qapi_to_json(&qmp_type_Configuration, &o->said);
    if (!said)
        return; /* a number above 63 bits, which a tree of JSON cannot have */
    fuzz_check(qapi_from_json(&qmp_type_Configuration, (void *)&again, said, "again", &error), "%s",
               fuzz_message(error));
    json_t *twice = qapi_to_json(&qmp_type_Configuration, (void *)&again);
    fuzz_check(json_equal(said, twice), "what was said is something else as JSON");
    json_decref(said);
    json_decref(twice);
    qmp_Configuration_free(again);
    g_autoptr(Options) same = options_with(o, &nothing, types, &error);
    fuzz_check(same, "%s", fuzz_message(error));
    fuzz_check(same->serials->len == o->serials->len && same->drives->len == o->drives->len &&
                   memcmp(&same->smp, &o->smp, sizeof o->smp) == 0,
               "nothing has changed what was said");
}

static void judge(const Options *o, bool is_text)
{
    if (o->help) {
        fuzz_check(*o->help, "there is no help");
        return;
    }
    judge_smp(&o->smp);
    judge_cpu(o);
    fuzz_check(o->memory.size && o->memory.size % 8192 == 0 && o->memory.maxmem >= o->memory.size, "memory is odd");
    fuzz_check(!o->machine.type || g_str_has_prefix(o->machine.type, "pc"), "no machine is %s", o->machine.type);
    fuzz_check(o->accel <= OPTIONS_ACCEL_NONE, "a number has no name");
    fuzz_check(!o->append || o->kernel, "nobody reads the command line");
    judge_drives(o->drives);
    judge_ids(o->drives->pdata, o->drives->len, offsetof(QmpDriveOptions, id));
    judge_ids((void **)o->said->blockdev.items, o->said->blockdev.count, offsetof(QmpBlockdevOptions, node_name));
    judge_ids(o->devices->pdata, o->devices->len, offsetof(OptionsDevice, common.id));
    judge_ids((void **)o->said->netdev.items, o->said->netdev.count, offsetof(QmpNetdev, id));
    judge_ids(o->chardevs->pdata, o->chardevs->len, offsetof(OptionsChar, id));
    judge_ids(o->objects->pdata, o->objects->len, offsetof(OptionsObject, id));
    judge_again(o, is_text);
    judge_lines(o);
    for (guint i = 0; i < o->devices->len; i++)
        apply(g_ptr_array_index(o->devices, i));
}

/* The message starts with an option, or the word that is none. */
static void judge_refusal(const GError *error, char *const *words)
{
    fuzz_check(error && error->domain == FERRY_ERROR, "a refusal without a reason");
    fuzz_check(strstr(error->message, ": "), "'%s' says only one thing", error->message);
    if (error->message[0] == '-')
        return;
    for (; *words; words++)
        if (g_str_has_prefix(error->message, *words))
            return;
    fuzz_broken("'%s' is about no word", error->message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    g_autofree char *text = g_strndup((const char *)data, len);
    g_auto(GStrv) words = g_strsplit(text, "\n", WORDS_MAX);
    g_autoptr(GError) error = NULL;
    g_autoptr(Options) o = options_parse((const char *const *)words, types, &error);

    if (o)
        judge(o, g_utf8_validate(text, -1, NULL));
    else
        judge_refusal(error, words);
    return 0;
}
