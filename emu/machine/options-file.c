/*
 * options-file.c: options from a file (-readconfig), as QEMU's users write them:
 *
 *     # a disk and its card
 *     [drive "d0"]
 *       file = "disk.qcow2"
 *       if = "none"
 *     [device]
 *       driver = "virtio-blk-pci"
 *       drive = "d0"
 *
 * A group is an option, its lines are the keys and values, the name in its head is the key "id". What is read becomes
 * the text that the command line would have had.
 */
#include <string.h>

#include "emu/machine/options-impl.h"
#include "visitors/chan.h"
#include "visitors/words.h"

enum { FILE_MAX = 1 << 20 };

typedef struct FileReader {
    const char *path;
    unsigned line;
    GArray *groups; /* of OptionsGroup */
} FileReader;

/* Groups by other names than their options have: QEMU's. */
static const struct {
    const char *group, *option;
} names[] = {{"boot-opts", "boot"}, {"m", "memory"}, {"smp-opts", "smp"}};

static void group_done(void *data)
{
    OptionsGroup *g = data;

    g_string_free(g->text, TRUE);
}

static bool fail(const FileReader *f, GError **error, const char *what)
{
    g_autofree char *line = f->line ? g_strdup_printf(":%u", f->line) : g_strdup("");

    g_set_error(error, FERRY_ERROR, FERRY_ERROR_DAMAGED, "%s%s: %s", f->path, line, what);
    return false;
}

/* A comma is written twice. */
static void add_key(OptionsGroup *g, const char *key, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autofree char *doubled = g_strjoinv(",,", parts);

    g_string_append_printf(g->text, "%s%s=%s", g->text->len ? "," : "", key, doubled);
}

/* What takes keys and values. */
static bool has_keys(const QapiMember *option)
{
    QapiKind kind = options_type(option)->kind;

    return kind == QAPI_STRUCT || kind == QAPI_UNION || kind == QAPI_ANY;
}

/* NULL: there is no such group, and the reader says so. */
static const QapiMember *option_of(const FileReader *f, const char *group, GError **error)
{
    g_autoptr(GPtrArray) accepted = g_ptr_array_new();
    const char *name = group;

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_equal(names[i].group, group))
            name = names[i].option;
    for (const QapiMember *m = qmp_type_Configuration.members; m->name; m++) {
        if (!has_keys(m))
            continue;
        if (g_str_equal(m->name, name))
            return m;
        g_ptr_array_add(accepted, (void *)m->name);
    }
    g_ptr_array_add(accepted, NULL);
    g_autofree char *why = words_unknown("group", group, (const char *const *)accepted->pdata);
    fail(f, error, why);
    return NULL;
}

/* [GROUP] or [GROUP "ID"] */
static bool read_head(FileReader *f, char *text, GError **error)
{
    size_t len = strlen(text);

    if (text[len - 1] != ']')
        return fail(f, error, "a group's head ends with ']'");
    text[len - 1] = 0;
    char *group = g_strstrip(text + 1), *id = strchr(group, ' ');
    if (id) {
        *id++ = 0;
        id = g_strstrip(id);
        len = strlen(id);
        if (len < 2 || id[0] != '"' || id[len - 1] != '"')
            return fail(f, error, "the name in a group's head is in double quotes: [drive \"d0\"]");
        id[len - 1] = 0;
        id++;
    }
    const QapiMember *option = option_of(f, group, error);
    if (!option)
        return false;
    OptionsGroup g = {.option = option, .text = g_string_new(NULL), .line = f->line};
    if (id)
        add_key(&g, "id", id);
    g_array_append_val(f->groups, g);
    return true;
}

/* KEY = "VALUE" */
static bool read_key(FileReader *f, char *text, GError **error)
{
    char *equals = strchr(text, '=');

    if (!f->groups->len)
        return fail(f, error, "a key stands before the first group ([drive], say)");
    if (!equals)
        return fail(f, error, "this is no group, no key = \"value\" and no comment");
    *equals = 0;
    const char *key = g_strstrip(text);
    char *value = g_strstrip(equals + 1);
    size_t len = strlen(value);
    if (!*key || strspn(key, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_.") != strlen(key))
        return fail(f, error, "a key is made of letters, digits, '-', '_' and '.'");
    if (len < 2 || value[0] != '"' || value[len - 1] != '"')
        return fail(f, error, "a value is in double quotes");
    value[len - 1] = 0;
    add_key(&g_array_index(f->groups, OptionsGroup, f->groups->len - 1), key, value + 1);
    return true;
}

/* Its text, and no more than there may be: it can be a pipe, or have no end. NULL: it cannot be read, or is no text. */
static char *read_text(FileReader *f, GError **error)
{
    g_autoptr(Chan) file = chan_file_open(f->path, error);
    g_autofree char *text = g_malloc(FILE_MAX + 1);

    gssize len = file ? chan_read_full(file, text, FILE_MAX + 1, error) : -1;
    if (len < 0)
        return NULL;
    if (len > FILE_MAX || memchr(text, 0, (size_t)len) || !g_utf8_validate(text, len, NULL)) {
        fail(f, error, "this is no file of options (text of at most 1 MiB)");
        return NULL;
    }
    text[len] = 0;
    return g_steal_pointer(&text);
}

GArray *options_file_read(const char *path, GError **error)
{
    g_autoptr(GArray) groups = g_array_new(FALSE, FALSE, sizeof(OptionsGroup));
    g_array_set_clear_func(groups, group_done);
    FileReader f = {.path = path, .groups = groups};
    g_autofree char *text = read_text(&f, error);
    if (!text)
        return NULL;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        char *stripped = g_strstrip(*line);
        f.line++;
        if (!*stripped || *stripped == '#')
            continue;
        if (!(*stripped == '[' ? read_head : read_key)(&f, stripped, error))
            return NULL;
    }
    return g_steal_pointer(&groups);
}
