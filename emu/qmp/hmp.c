/* hmp.c: commands for people: from words to arguments of a QMP command, and help. */
#include "emu/qmp/hmp.h"

#include <jansson.h>
#include <string.h>

#include "emu/machine/vm.h"
#include "emu/qmp/dispatch.h"
#include "emu/qmp/error.h"
#include "emu/qmp/hmp-impl.h"
#include "qapi/commands.h"
#include "visitors/words.h"
#include "vmstate/qapi.h"

enum { LINE_MAX_LENGTH = 16384, WORDS_MAX = 64 };

/* --- words ------------------------------------------------------------------------------------------------------- */

/*
 * The next word of a line; what is in double quotes is one, in which a backslash takes the next character as it is.
 * NULL: there is no more. New string.
 */
static char *next_word(const char **line)
{
    const char *p = *line + strspn(*line, " \t");
    GString *word = g_string_new(NULL);
    bool quoted = false, any = *p;

    for (; *p && (quoted || !strchr(" \t", *p)); p++) {
        if (*p == '"') {
            quoted = !quoted;
        } else {
            p += quoted && *p == '\\' && p[1];
            g_string_append_c(word, *p);
        }
    }
    *line = p + strspn(p, " \t");
    return g_string_free(word, !any);
}

/* --- which command ----------------------------------------------------------------------------------------------- */

static bool is_called(const HmpCommand *c, const char *name)
{
    return g_str_equal(c->name, name) || (c->alias && g_str_equal(c->alias, name));
}

static const HmpCommand *find(const char *name)
{
    for (const HmpCommand *c = hmp_commands; c->name; c++)
        if (is_called(c, name))
            return c;
    return NULL;
}

/* What people can say, or what info knows. New array, names borrowed. */
static const char **names(bool info)
{
    GPtrArray *all = g_ptr_array_new();

    for (const HmpCommand *c = hmp_commands; c->name; c++)
        if (g_str_has_prefix(c->name, "info ") == info)
            g_ptr_array_add(all, (void *)(c->name + (info ? strlen("info ") : 0)));
    if (!info) {
        g_ptr_array_add(all, (void *)"help");
        g_ptr_array_add(all, (void *)"info");
    }
    g_ptr_array_add(all, NULL);
    return (const char **)g_ptr_array_free(all, FALSE);
}

static const QapiCommand *qmp_of(QmpServer *server, const HmpCommand *c)
{
    const QmpTable *table = &qmp_server_get_config(server)->table;

    return qapi_command_find(table->commands, table->count, c->qmp);
}

/* --- help -------------------------------------------------------------------------------------------------------- */

/* How the arguments are shown: "[-d] [-b] uri". New string. */
static char *shown_arguments(const HmpCommand *c)
{
    g_auto(GStrv) words = g_strsplit(c->arguments, " ", -1);
    GString *shown = g_string_new(NULL);

    for (char **w = words; *w; w++) {
        const char *word = strchr("*+@", **w) && **w ? *w + 1 : *w;
        if (!g_str_has_prefix(word, "[-") && strchr(word, ':'))
            *strchr(*w, ':') = 0;
        if (g_str_has_prefix(word, "[-"))
            g_string_append_printf(shown, "[-%c] ", word[2]);
        else if (*word && *word != '!')
            g_string_append_printf(shown, "%s%s ", word, **w == '*' ? "[,key=value...]" : **w == '@' ? " value" : "");
    }
    if (shown->len)
        g_string_truncate(shown, shown->len - 1);
    return g_string_free(shown, FALSE);
}

static void help_one(QmpServer *server, GString *out, const HmpCommand *c)
{
    g_autofree char *arguments = shown_arguments(c);
    const QapiCommand *qmp = qmp_of(server, c);
    const char *about = c->about ? c->about : qmp && qmp->about ? qmp->about : "";

    g_string_append_printf(out, "%s%s%s -- %s\n", c->name, *arguments ? " " : "", arguments, about);
}

static void help(QmpServer *server, GString *out, const char *what)
{
    const HmpCommand *one = *what ? find(what) : NULL;
    const QapiCommand *qmp = one ? qmp_of(server, one) : NULL;

    if (one) {
        help_one(server, out, one);
        if (qmp && qmp->arguments && qmp->arguments->kind != QAPI_ANY) {
            g_autofree char *keys = qapi_help(qmp->arguments, -1);
            g_string_append(out, keys);
        }
        return;
    }
    for (const HmpCommand *c = hmp_commands; c->name; c++)
        if (g_str_has_prefix(c->name, "info ") == g_str_equal(what, "info"))
            help_one(server, out, c);
    if (!*what)
        g_string_append(out, "help [command] -- this list, or what one takes\n"
                             "info [what] -- tells what is asked for; alone: what can be asked for\n");
}

/* --- arguments --------------------------------------------------------------------------------------------------- */

/* Arguments as they come together: keys and values. */
typedef struct Arguments {
    const HmpCommand *command;
    GString *text;
} Arguments;

static void add_text(Arguments *a, const char *text)
{
    g_string_append_printf(a->text, "%s%s", a->text->len ? "," : "", text);
}

/* Commas are written twice. */
static void add_value(Arguments *a, const char *key, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, ",", -1);
    g_autofree char *doubled = g_strjoinv(",,", parts), *both = g_strdup_printf("%s=%s", key, doubled);

    add_text(a, both);
}

static bool wrong(GError **error, const HmpCommand *c, const char *what)
{
    g_autofree char *arguments = shown_arguments(c);

    g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "%s: %s (it is: %s%s%s)", c->name, what, c->name,
                *arguments ? " " : "", arguments);
    return false;
}

/* "ctrl-alt-f1": a list of keys by their names. */
static void add_keys(Arguments *a, const char *key, const char *word)
{
    g_auto(GStrv) names = g_strsplit(word, "-", -1);

    for (unsigned i = 0; names[i]; i++) {
        g_autofree char *type = g_strdup_printf("%s.%u.type", key, i), *data = g_strdup_printf("%s.%u.data", key, i);
        add_value(a, type, "qcode");
        add_value(a, data, names[i]);
    }
}

/* "-d": the letters that the command has. */
static bool add_letter(Arguments *a, char **specs, const char *word, GError **error)
{
    for (char **s = specs; *s; s++) {
        if (!g_str_has_prefix(*s, "[-") || (*s)[2] != word[1] || word[2])
            continue;
        g_autofree char *text = g_strndup(*s + 4, strlen(*s) - 5);
        add_text(a, text);
        return true;
    }
    g_autofree char *what = g_strdup_printf("there is no option '%s'", word);
    return wrong(error, a->command, what);
}

/* A key and its value; of a bandwidth, as in QEMU's monitor, a number without a unit is of MiB. */
static bool add_pair(Arguments *a, const char **line)
{
    g_autofree char *key = next_word(line), *value = next_word(line);
    bool bare = value && *value && strspn(value, "0123456789") == strlen(value) && g_str_has_suffix(key, "-bandwidth");
    g_autofree char *whole = g_strconcat(value ? value : "", bare ? "M" : "", NULL);

    if (value)
        add_value(a, key, whole);
    return value;
}

/* One word that the command has a place for; the rest of the line, if that is it. */
static bool add_word(Arguments *a, const char *spec, const char **line)
{
    size_t len = strlen(spec);

    if (*spec == '*') { /* the rest, as it is */
        add_text(a, *line);
        *line += strlen(*line);
        return true;
    }
    if (g_str_has_suffix(spec, "...")) {
        g_autofree char *key = g_strndup(spec, len - 3);
        add_value(a, key, *line);
        *line += strlen(*line);
        return true;
    }
    if (*spec == '@')
        return add_pair(a, line);
    g_autofree char *word = next_word(line);
    const char *other = strchr(spec, ':');
    g_autofree char *key = *spec == '[' ? g_strndup(spec + 1, len - 2) : g_strdup(other ? other + 1 : spec);
    if (word && *spec == '+')
        add_keys(a, spec + 1, word);
    else if (word)
        add_value(a, key, word);
    return word;
}

static bool add_words(Arguments *a, const char *line, GError **error)
{
    g_auto(GStrv) specs = g_strsplit(a->command->arguments, " ", -1);
    bool letters = true;

    for (char **s = specs; *s; s++) {
        while (letters && line[0] == '-' && g_ascii_isalpha(line[1])) {
            g_autofree char *word = next_word(&line);
            if (!add_letter(a, specs, word, error))
                return false;
        }
        if (**s == '!')
            add_text(a, *s + 1);
        if (!**s || **s == '!' || g_str_has_prefix(*s, "[-"))
            continue;
        letters = false;
        if (*line ? !add_word(a, *s, &line) : **s != '[') {
            g_autofree char *what = g_strdup_printf("'%s' is missing", strchr("*+@", **s) ? *s + 1 : *s);
            return wrong(error, a->command, what);
        }
    }
    if (!*line)
        return true;
    g_autofree char *what = g_strdup_printf("there is too much: '%s'", line);
    return wrong(error, a->command, what);
}

/* --- doing it ---------------------------------------------------------------------------------------------------- */

static const char *implied_of(const HmpCommand *c)
{
    const char *star = strchr(c->arguments, '*');

    return star ? star + 1 : NULL;
}

static void show(GString *out, const HmpCommand *c, const QapiType *type, const void *result)
{
    if (!type)
        return;
    if (c->print) {
        c->print(out, result);
        return;
    }
    json_t *tree = qapi_to_json(type, result);
    hmp_print_tree(out, tree, 0);
    json_decref(tree);
}

/* A struct that the command takes; of one that takes anything the tree itself. */
static bool read_arguments(const HmpCommand *c, const QapiCommand *qmp, const char *text, void **arguments,
                           GError **error)
{
    if (!qmp->arguments)
        return true;
    g_autofree char *root = g_strdup(c->name);
    return qapi_from_text(qmp->arguments, arguments, text, implied_of(c), root, error);
}

static bool run(QmpServer *server, GString *out, const HmpCommand *c, const char *line, GError **error)
{
    const QapiCommand *qmp = qmp_of(server, c);
    QmpCall call = {.server = server, .command = qmp};
    void *arguments = NULL;
    QmpResult result;

    if (!qmp)
        return qmp_refuse(error, QMP_ERROR_COMMAND_NOT_FOUND, "%s: this program has no command '%s'", c->name, c->qmp);
    if (!qmp_command_allowed(qmp, qmp_rules_of(qmp_call_vm(&call)), error))
        return false;
    g_autoptr(GString) text = g_string_new(NULL);
    Arguments words = {.command = c, .text = text};
    if (!add_words(&words, line, error) || !read_arguments(c, qmp, text->str, &arguments, error) ||
        !qmp_command_run(&call, arguments, &result, error))
        return false;
    show(out, c, qmp->result, &result);
    if (qmp->result)
        qapi_clear(qmp->result, &result);
    return true;
}

static void unknown(GString *out, const char *what, const char *word, bool info)
{
    g_autofree const char **all = names(info);
    g_autofree char *why = words_unknown(what, word, all);

    g_string_append_printf(out, "Error: %s\n", why);
}

char *hmp_run(QmpServer *server, const char *line)
{
    GString *out = g_string_new(NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *name = next_word(&line);

    if (!name)
        return g_string_free(out, FALSE);
    if (g_str_equal(name, "help") || g_str_equal(name, "?")) {
        help(server, out, line);
        return g_string_free(out, FALSE);
    }
    bool info = g_str_equal(name, "info");
    g_autofree char *what = info ? next_word(&line) : NULL;
    g_autofree char *full = info ? g_strdup_printf("info %s", what ? what : "") : g_strdup(name);
    const HmpCommand *c = find(full);
    if (info && !what)
        help(server, out, "info");
    else if (!c)
        unknown(out, info ? "question" : "command", info ? what : name, info);
    else if (!run(server, out, c, line, &error))
        g_string_append_printf(out, "Error: %s\n", error->message);
    return g_string_free(out, FALSE);
}

/* --- what goes on behind a command ------------------------------------------------------------------------------- */

char *hmp_follow(QmpServer *server, const char *line, bool *goes_on)
{
    const QmpCall call = {.server = server};
    const Vm *vm = qmp_call_vm(&call);
    g_autofree char *name = next_word(&line);
    const VmMigration *m = vm ? vm_migration(vm) : NULL;
    bool follows = m && name && g_str_equal(name, "migrate") && !g_str_has_prefix(line, "-d");

    *goes_on = follows && m->status >= VM_MIGRATION_SETUP && m->status <= VM_MIGRATION_CANCELLING;
    if (follows && m->status == VM_MIGRATION_CANCELLED)
        return g_strdup("Error: the migration was cancelled\n");
    return follows && m->error ? g_strdup_printf("Error: %s\n", m->error) : g_strdup("");
}

/* --- completion -------------------------------------------------------------------------------------------------- */

static void offer(GPtrArray *found, const char *word, const char *name)
{
    if (g_str_has_prefix(name, word))
        g_ptr_array_add(found, g_strdup(name));
}

/* Values that an argument can have, where its type has names for them. */
static void offer_values(GPtrArray *found, const char *word, const QapiType *type, const char *key)
{
    for (const QapiMember *m = type ? type->members : NULL; m && m->name; m++) {
        if (!g_str_equal(m->name, key))
            continue;
        for (const char *const *name = m->type->names; name && *name; name++)
            offer(found, word, *name);
    }
}

/* The word is argument number `place` of the command. */
static void offer_arguments(QmpServer *server, GPtrArray *found, const HmpCommand *c, unsigned place, const char *word)
{
    g_auto(GStrv) specs = g_strsplit(c->arguments, " ", -1);
    const QapiCommand *qmp = qmp_of(server, c);

    for (char **s = specs; *s; s++) {
        if (g_str_has_prefix(*s, "[-")) {
            const char letter[] = {'-', (*s)[2], 0};
            offer(found, word, letter);
        } else if (**s != '!' && place-- == 0) {
            g_autofree char *key = g_strdup(**s == '[' || **s == '*' ? *s + 1 : *s);
            key[strcspn(key, "].")] = 0;
            offer_values(found, word, qmp ? qmp->arguments : NULL, key);
        }
    }
}

char **hmp_complete(QmpServer *server, const char *line)
{
    GPtrArray *found = g_ptr_array_new(), *words = g_ptr_array_new_with_free_func(g_free);
    size_t len = strlen(line);
    bool fresh = len == 0 || line[len - 1] == ' ';

    for (char *w; words->len < WORDS_MAX && (w = next_word(&line));)
        g_ptr_array_add(words, w);
    if (fresh)
        g_ptr_array_add(words, g_strdup(""));
    const char *first = words->pdata[0], *word = words->pdata[words->len - 1];
    bool info = g_str_equal(first, "info"), helps = g_str_equal(first, "help");
    unsigned before = words->len - 1;
    if (before == 0 || (before == 1 && (info || helps))) {
        g_autofree const char **all = names(info && before);
        for (const char **name = all; *name; name++)
            offer(found, word, *name);
    } else {
        g_autofree char *full = info ? g_strdup_printf("info %s", (char *)words->pdata[1]) : g_strdup(first);
        const HmpCommand *c = find(full);
        if (c)
            offer_arguments(server, found, c, before - 1 - info, word);
    }
    g_ptr_array_unref(words);
    g_ptr_array_add(found, NULL);
    return (char **)g_ptr_array_free(found, FALSE);
}
