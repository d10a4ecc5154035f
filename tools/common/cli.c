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

char **cli_parse(int *argc, char ***argv, const GOptionEntry *entries, const char *arguments, size_t count,
                 const char *summary, const char *more)
{
    static const GOptionEntry common[] = {
        {"version", 0, G_OPTION_FLAG_NO_ARG, G_OPTION_ARG_CALLBACK, print_version, "Show the program's version", NULL},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(arguments);
    g_autoptr(GError) error = NULL;

    g_autofree char *name = g_path_get_basename((*argv)[0]);
    g_set_prgname(name);
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
    if ((size_t)(*argc - 1) != count)
        cli_usage("%s arguments: %s", (size_t)(*argc - 1) < count ? "too few" : "too many", arguments);
    return rest;
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
