/* cli.c: options, messages, exit statuses, colour. */
#include "tools/common/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static gboolean print_version(const char *name, const char *value, void *data, GError **error)
{
    (void)name;
    (void)value;
    (void)data;
    (void)error;
    printf("%s (ferry) %s\n", g_get_prgname(), FERRY_VERSION);
    exit(EXIT_FINE);
}

/* GLib takes --partial=no for --partial. */
static void refuse_values(char **argv, const GOptionEntry *entries)
{
    for (char **arg = argv + 1; *arg && strcmp(*arg, "--") != 0; arg++) {
        const char *value = g_str_has_prefix(*arg, "--") ? strchr(*arg, '=') : NULL;
        for (const GOptionEntry *e = entries; value && e->long_name; e++) {
            bool plain = e->arg == G_OPTION_ARG_NONE || e->flags & G_OPTION_FLAG_NO_ARG;
            size_t len = strlen(e->long_name);
            if (plain && (size_t)(value - *arg) == len + 2 && strncmp(*arg + 2, e->long_name, len) == 0)
                cli_usage("--%s takes no argument", e->long_name);
        }
    }
}

char **cli_parse_some(int *argc, char ***argv, const GOptionEntry *entries, const char *arguments, size_t least,
                      size_t most, const char *summary, const char *more)
{
    static const GOptionEntry common[] = {
        {"version", 0, G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, print_version, "Show the program's version", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(arguments);
    g_autoptr(GError) error = NULL;

    g_autofree char *name = g_path_get_basename((*argv)[0]);
    g_set_prgname(name);
    refuse_values(*argv, entries);
    refuse_values(*argv, common);
    g_option_context_add_main_entries(context, entries, NULL);
    g_option_context_add_main_entries(context, common, NULL);
    g_option_context_set_summary(context, summary);
    g_option_context_set_description(context, more);
    if (!g_option_context_parse(context, argc, argv, &error))
        cli_usage("%s", error->message);
    char **rest = *argv + 1;
    if (*rest && strcmp(*rest, "--") == 0) {
        rest++;
        --*argc;
    }
    size_t count = (size_t)(*argc - 1);
    if (count < least || count > most)
        cli_usage("%s arguments: %s", count < least ? "too few" : "too many", arguments);
    return rest;
}

char **cli_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *arguments, size_t count,
                 const char *summary, const char *more)
{
    return cli_parse_some(argc, argv, entries, arguments, count, count, summary, more);
}

void cli_usage(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    fprintf(stderr, "%s: %s\nTry '%s --help'.\n", g_get_prgname(), text, g_get_prgname());
    exit(EXIT_USAGE);
}

void cli_complain(const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *text = g_strdup_vprintf(format, ap);
    va_end(ap);
    cli_progress_end();
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", g_get_prgname(), text);
}

int cli_fail(GError *error)
{
    cli_complain("%s", error->message);
    g_error_free(error);
    return EXIT_DAMAGED;
}

bool cli_colour(const char *when)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

    if (when && strcmp(when, "always") == 0)
        return true;
    if (when && strcmp(when, "never") == 0)
        return false;
    if (when && strcmp(when, "auto") != 0)
        cli_usage("--color takes auto, always or never, not '%s'", when);
    return isatty(STDOUT_FILENO) && (!no || !no[0]) && term && strcmp(term, "dumb") != 0;
}
