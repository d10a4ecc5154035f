/*
 * options.c: a command line, word by word, and what is told of it.
 *
 * What options there are, and what they take, is QmpConfiguration's business (emu/qmp/schema/options.json). Here are
 * only other words for some of them, as QEMU has them.
 */
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/words.h"

/* Another word for an option: with these keys, and the value of one more behind it (NULL: none). */
typedef struct Short {
    const char *name, *option;
    const char *preset; /* NULL: it is the option itself */
    const char *key;
} Short;

static const Short shorts[] = {
    {"M", "machine", NULL, NULL},
    {"enable-kvm", "accel", "accel=kvm", NULL},
    {"no-acpi", "machine", "acpi=off", NULL},
    {"no-hpet", "machine", "hpet=off", NULL},
    {"usb", "machine", "usb=on", NULL},
    {"m", "memory", NULL, NULL},
    {"hda", "drive", "index=0", "file"},
    {"hdb", "drive", "index=1", "file"},
    {"hdc", "drive", "index=2", "file"},
    {"hdd", "drive", "index=3", "file"},
    {"cdrom", "drive", "index=2,media=cdrom", "file"},
    {"fda", "drive", "if=floppy,index=0", "file"},
    {"fdb", "drive", "if=floppy,index=1", "file"},
    {"monitor", "mon", "mode=readline", "line"},
    {"qmp", "mon", "mode=control", "line"},
    {"qmp-pretty", "mon", "mode=control,pretty=on", "line"},
    {"S", "stopped", NULL, NULL},
};

/* A word that is no option of a machine. */
typedef struct Other {
    const char *name, *argument, *about;
} Other;

static const Other others[] = {
    {"help", NULL, "this text"},
    {"h", NULL, "the same"},
    {"version", NULL, "which program this is"},
    {"readconfig", "FILE", "options from a file: [drive \"d0\"], then lines like file = \"disk\""},
    {"no-user-config", NULL, "nothing: there are no such files"},
};

/* A command line being read. */
typedef struct Reader {
    QmpConfiguration *said;
    const DeviceType *const *types;
    char *help;
} Reader;

/* --- help --------------------------------------------------------------------------------------------------------- */

static bool wants_help(const char *text)
{
    return g_str_equal(text, "help") || g_str_equal(text, "?");
}

/* "help", and "user,help" of what depends on it; NULL: it is not asked. New. */
static char *help_of_union(const char *name, const QapiType *type, const char *text)
{
    const QapiType *tag = type->tag_type;
    GString *names = g_string_new(NULL);

    for (int i = 0; tag->names[i]; i++) {
        g_autofree char *question = g_strconcat(tag->names[i], ",help", NULL);
        g_string_append_printf(names, "  %-22s %s\n", tag->names[i], tag->abouts ? tag->abouts[i] : "");
        if (!g_str_equal(text, question))
            continue;
        g_autofree char *keys = qapi_help(type, i);
        g_string_free(names, TRUE);
        return g_strdup_printf("-%s %s:\n%s", name, tag->names[i], keys);
    }
    g_autofree char *all = g_string_free(names, FALSE);
    return wants_help(text) ? g_strdup_printf("-%s (-%s NAME,help tells what each takes):\n%s", name, name, all) : NULL;
}

static char *help_of_device(const DeviceType *const *types, const char *text)
{
    if (wants_help(text))
        return options_devices_help(types);
    for (size_t i = 0; types[i]; i++) {
        g_autofree char *question = g_strconcat(types[i]->name, ",help", NULL);
        if (g_str_equal(text, question))
            return options_device_help(types[i]);
    }
    return NULL;
}

/* NULL: help was not asked for. New. */
static char *help_of(const Reader *r, const QapiMember *option, const char *text)
{
    const QapiType *type = options_type(option);

    if (type->kind == QAPI_ANY)
        return help_of_device(r->types, text);
    if (type->kind == QAPI_UNION)
        return help_of_union(option->name, type, text);
    if (!wants_help(text))
        return NULL;
    if (type->kind == QAPI_STRING)
        return g_str_equal(option->name, "cpu") ? options_cpus_help() : NULL;
    if (type->kind != QAPI_STRUCT)
        return NULL;
    g_autofree char *keys = qapi_help(type, -1);
    return g_strdup_printf("-%s: %s\n%s", option->name, option->about, keys);
}

static void tell(GString *text, const char *name, const char *argument, const char *about)
{
    g_autofree char *left = g_strdup_printf("-%s%s%s", name, argument ? " " : "", argument ? argument : "");

    if (strlen(left) < 24)
        g_string_append_printf(text, "  %-24s %s\n", left, about);
    else
        g_string_append_printf(text, "  %s\n  %24s %s\n", left, "", about);
}

static void tell_short(GString *text, const Short *s)
{
    g_autofree char *full =
        g_strdup_printf("-%s%s%s%s%s%s", s->option, s->preset ? " " : "", s->preset ? s->preset : "", s->key ? "," : "",
                        s->key ? s->key : "", s->key ? "=TEXT" : "");

    g_autofree char *own = s->preset ? NULL : options_argument(options_type(options_find(s->option)));
    tell(text, s->name, s->key ? "TEXT" : own, full);
}

char *options_help(void)
{
    GString *text = g_string_new("ferry [OPTION...] [DISK]\n\n");

    for (const QapiMember *m = qmp_type_Configuration.members; m->name; m++) {
        g_autofree char *argument = options_argument(options_type(m));
        tell(text, m->name, argument, m->about);
        for (size_t i = 0; i < G_N_ELEMENTS(shorts); i++)
            if (g_str_equal(shorts[i].option, m->name))
                tell_short(text, &shorts[i]);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        tell(text, others[i].name, others[i].argument, others[i].about);
    g_string_append(text, "\n-OPTION help tells the keys of one that has some. A comma in a value is written twice.\n"
                          "A line is none, null, stdio, mon:stdio, pty, file:PATH, unix:PATH[,server=on][,wait=off],\n"
                          "tcp:HOST:PORT[,server=on][,wait=off] or chardev:ID.\n");
    return g_string_free(text, FALSE);
}

/* --- words -------------------------------------------------------------------------------------------------------- */

static bool ask(Reader *r, char *help)
{
    r->help = help;
    return true;
}

/* Takes what was said last. */
static bool add(Reader *r, QmpConfiguration *more)
{
    if (more)
        qapi_merge(&qmp_type_Configuration, r->said, more);
    qmp_Configuration_free(more);
    return more;
}

static bool read_value(Reader *r, const QapiMember *option, const char *text, GError **error)
{
    char *help = text ? help_of(r, option, text) : NULL;

    if (help)
        return ask(r, help);
    if (add(r, options_load(option, text, r->types, error)))
        return true;
    if (error && g_str_equal(option->name, "net")) { /* many guides have it */
        g_autoptr(GError) why = g_steal_pointer(error);
        g_set_error(error, why->domain, why->code, "%s; a card with its network is -nic", why->message);
    }
    return false;
}

static bool read_short(Reader *r, const Short *s, const char *text, GError **error)
{
    const QapiMember *option = options_find(s->option);

    if (!s->preset)
        return read_value(r, option, text, error);
    return add(r, options_load_short(option, s->preset, s->key, text, error));
}

/* As if the file's groups stood here on the command line. */
static bool read_file(Reader *r, const char *path, GError **error)
{
    g_autoptr(GArray) groups = options_file_read(path, error);

    for (guint i = 0; groups && i < groups->len; i++) {
        const OptionsGroup *g = &g_array_index(groups, OptionsGroup, i);
        if (read_value(r, g->option, g->text->str, error))
            continue;
        g_prefix_error(error, "%s:%u: ", path, g->line);
        return false;
    }
    return groups;
}

static bool read_other(Reader *r, const Other *other, const char *text, GError **error)
{
    if (other->name[0] == 'h')
        return ask(r, options_help());
    if (g_str_equal(other->name, "version"))
        return ask(r, g_strdup("ferry 0.1, a PC as QEMU 7.2's pc-i440fx-7.2\n"));
    return !text || read_file(r, text, error);
}

static bool fail_unknown(const char *word, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (const QapiMember *m = qmp_type_Configuration.members; m->name; m++)
        g_ptr_array_add(names, (void *)m->name);
    for (size_t i = 0; i < G_N_ELEMENTS(shorts); i++)
        g_ptr_array_add(names, (void *)shorts[i].name);
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        g_ptr_array_add(names, (void *)others[i].name);
    g_ptr_array_add(names, NULL);
    const char *nearest = words_nearest((const char *const *)names->pdata, word + strspn(word, "-"));
    return options_fail(error, word, "unknown option%s%s%s (-help lists them)", nearest ? "; did you mean '-" : "",
                        nearest ? nearest : "", nearest ? "'?" : "");
}

/* What follows it, for people; NULL: nothing. */
static bool take_argument(const char *argument, const char *word, const char *const **words, const char **text,
                          GError **error)
{
    *text = NULL;
    if (!argument)
        return true;
    if (!**words)
        return options_fail(error, word, "it is followed by %s", argument);
    *text = *(*words)++;
    return true;
}

static const Short *find_short(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(shorts); i++)
        if (g_str_equal(shorts[i].name, name))
            return &shorts[i];
    return NULL;
}

static const Other *find_other(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (g_str_equal(others[i].name, name))
            return &others[i];
    return NULL;
}

/* One option, with what follows it. */
static bool read_option(Reader *r, const char *const **words, GError **error)
{
    static const Short disk = {"", "drive", "index=0", "file"};
    const char *word = *(*words)++, *name = word + 1 + (word[0] && word[1] == '-'), *text;

    if (word[0] != '-' || !word[1])
        return read_short(r, &disk, word, error);
    const Short *s = find_short(name);
    const Other *other = find_other(name);
    const QapiMember *option = options_find(s ? s->option : name);
    if (other)
        return take_argument(other->argument, word, words, &text, error) && read_other(r, other, text, error);
    if (!option)
        return fail_unknown(word, error);
    g_autofree char *own = options_argument(options_type(option));
    const char *argument = !s || !s->preset ? own : s->key ? "TEXT" : NULL;
    if (!take_argument(argument, word, words, &text, error))
        return false;
    return s ? read_short(r, s, text, error) : read_value(r, option, text, error);
}

Options *options_parse(const char *const *words, const DeviceType *const *types, GError **error)
{
    g_autoptr(QmpConfiguration) said = g_new0(QmpConfiguration, 1);
    Reader r = {.said = said, .types = types};

    while (*words) {
        if (!read_option(&r, &words, error))
            return NULL;
        if (!r.help)
            continue;
        Options *o = g_new0(Options, 1);
        o->help = r.help;
        return o;
    }
    return options_make(g_steal_pointer(&said), types, error);
}

Options *options_with(const Options *before, const QmpConfiguration *more, const DeviceType *const *types,
                      GError **error)
{
    if (!options_check_values(more, types, error))
        return NULL;
    QmpConfiguration *said = qapi_copy(&qmp_type_Configuration, before->said);
    qapi_merge(&qmp_type_Configuration, said, more);
    return options_make(said, types, error);
}

/* --- for monitors ------------------------------------------------------------------------------------------------- */

const OptionsKnown *options_known(void)
{
    static const OptionsKnown known[] = {
        {"boot-opts", &qmp_type_BootOptions},
        {"chardev", NULL},
        {"device", NULL},
        {"drive", &qmp_type_DriveOptions},
        {"machine", &qmp_type_MachineOptions},
        {"memory", &qmp_type_MemoryOptions},
        {"mon", &qmp_type_MonitorOptions},
        {"name", &qmp_type_NameOptions},
        {"netdev", NULL},
        {"nic", NULL},
        {"object", NULL},
        {"rtc", &qmp_type_RtcOptions},
        {"smp-opts", &qmp_type_SmpOptions},
        {NULL, NULL},
    };

    return known;
}
