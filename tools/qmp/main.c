/* main.c: qmp, which speaks to the monitor of a QEMU or a Ferry. */
#include <jansson.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/common/cli.h"
#include "tools/qmp/keys.h"
#include "tools/qmp/qmp.h"
#include "tools/qmp/shell.h"
#include "tools/qmp/show.h"

enum { EXIT_FAILED = 1, ARGUMENTS_MAX = 100000, WAIT_MS = 1000 };

typedef struct Options {
    gboolean json, text, events;
    int count, fd; /* 0: none */
    char *job;
    double timeout;
} Options;

/* --- commands ----------------------------------------------------------------------------------------------------- */

int qmp_fail(GError *error)
{
    const char *class = libqmp_error_class(error);

    fflush(stdout);
    fprintf(stderr, "%s: %s%s%s\n", g_get_prgname(), class ? class : "", class ? ": " : "", error->message);
    g_error_free(error);
    return EXIT_FAILED;
}

const Live *qmp_live(Qmp *qmp)
{
    if (!qmp->asked) {
        json_t *reply = libqmp_execute(qmp->session, "query-qmp-schema", NULL, 0, NULL);
        qmp->live = reply ? live_new(reply) : NULL;
    }
    qmp->asked = true;
    return qmp->live;
}

/* The arguments: one JSON object, or keys and values. NULL and no error: there are none. */
static json_t *make_arguments(Qmp *qmp, const char *command, char *const *words, GError **error)
{
    json_error_t why;

    if (!words[0])
        return NULL;
    if (*words[0] == '{') {
        json_t *object = json_loads(words[0], JSON_REJECT_DUPLICATES, &why);
        if (!object || words[1])
            g_set_error(error, LIBQMP_ERROR, LIBQMP_ERROR_ARGUMENT, "the arguments are not one JSON object: %s",
                        object ? words[1] : why.text);
        return object;
    }
    g_autoptr(Keys) keys = keys_parse(words, false, error);
    if (!keys)
        return NULL;
    const Live *live = qmp_live(qmp);
    return keys_to_json(live, live ? live_type_of(live, live_command(live, command), "arg-type") : NULL, keys, error);
}

int qmp_run(Qmp *qmp, char *const *words)
{
    GError *error = NULL;
    json_t *arguments = make_arguments(qmp, words[0], words + 1, &error);
    json_t *result = error ? NULL : libqmp_execute(qmp->session, words[0], arguments, 0, &error);

    json_decref(arguments);
    if (!result)
        return qmp_fail(error);
    if (qmp->json)
        show_json(result, qmp->terminal);
    else
        show_text(result);
    json_decref(result);
    return EXIT_FINE;
}

/* --- events ------------------------------------------------------------------------------------------------------- */

bool qmp_unmask(Qmp *qmp, char *const *names, GError **error)
{
    g_autoptr(GError) why = NULL;
    json_t *list = json_array();

    for (char *const *name = names; *name; name++)
        json_array_append_new(list, json_string(*name));
    json_t *arguments = json_pack("{s:o}", "events", list);
    json_t *result = libqmp_execute(qmp->session, "subscribe-events", arguments, 0, &why);
    json_decref(arguments);
    json_decref(result);
    /* QEMU masks nothing. */
    if (result || g_error_matches(why, LIBQMP_ERROR, LIBQMP_ERROR_COMMAND_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&why));
    return false;
}

int qmp_patience_ms(const Qmp *qmp, int most_ms)
{
    gint64 left = (qmp->deadline - g_get_monotonic_time()) / 1000 + 1;

    return qmp->deadline == G_MAXINT64 ? most_ms : (int)CLAMP(left, 0, most_ms);
}

typedef struct Watch {
    const Qmp *qmp;
    int left; /* events to be shown; -1: any number */
} Watch;

static void on_event(QmpSession *session, const LibqmpEvent *event, void *data)
{
    Watch *watch = data;

    (void)session;
    if (watch->left == 0)
        return;
    show_event(event, watch->qmp->json);
    watch->left -= watch->left > 0;
}

static int watch_events(Qmp *qmp, char *const *names, int count)
{
    Watch watch = {.qmp = qmp, .left = count ? count : -1};
    GError *error = NULL;

    for (char *const *name = names; *name; name++)
        libqmp_event_subscribe(qmp->session, *name, on_event, &watch);
    if (!names[0])
        libqmp_event_subscribe(qmp->session, NULL, on_event, &watch);
    else if (!qmp_unmask(qmp, names, &error))
        return qmp_fail(error);
    while (watch.left && g_get_monotonic_time() < qmp->deadline)
        if (libqmp_session_pump(qmp->session, qmp_patience_ms(qmp, WAIT_MS), &error) < 0)
            return qmp_fail(error);
    if (watch.left > 0)
        return qmp_fail(g_error_new(LIBQMP_ERROR, LIBQMP_ERROR_TIMEOUT, "%d of %d events have not come in time",
                                    watch.left, count));
    return EXIT_FINE;
}

/* --- the program -------------------------------------------------------------------------------------------------- */

static void check_options(const Options *options, char *const *words)
{
    if (options->json && options->text)
        cli_usage("--json and --text exclude each other");
    if (options->events && options->job)
        cli_usage("--events and --wait-job exclude each other");
    if (options->count && !options->events)
        cli_usage("--count goes with --events");
    if (options->fd < 0 || (options->fd && (!words[0] || options->events || strcmp(words[0], "help") == 0)))
        cli_usage("--send-fd=%d: a command takes one descriptor along, 1 or more", options->fd);
    if (options->count < 0)
        cli_usage("--count=%d: this is no number of events", options->count);
    if (!(options->timeout >= 0 && options->timeout <= 1e6))
        cli_usage("--timeout: this is no number of seconds from 0 to 1000000");
    if (options->job && words[0] && strcmp(words[0], "help") == 0)
        cli_usage("help starts no job");
}

static int run(Qmp *qmp, const Options *options, char *const *words)
{
    if (options->events)
        return watch_events(qmp, words, options->count);
    if (options->job)
        return job_run(qmp, options->job, words[0] ? words : NULL);
    if (!words[0])
        return shell_run(qmp);
    if (strcmp(words[0], "help") == 0)
        return help_show(qmp, words + 1);
    return qmp_run(qmp, words);
}

int main(int argc, char **argv)
{
    Options options = {.count = 0};
    const GOptionEntry entries[] = {
        {"json", 0, 0, G_OPTION_ARG_NONE, &options.json, "Show results as JSON; so it is if no terminal shows them",
         NULL},
        {"text", 0, 0, G_OPTION_ARG_NONE, &options.text, "Show results as text", NULL},
        {"events", 0, 0, G_OPTION_ARG_NONE, &options.events, "Show events; arguments are their names", NULL},
        {"count", 0, 0, G_OPTION_ARG_INT, &options.count, "End after so many of them", "N"},
        {"wait-job", 0, 0, G_OPTION_ARG_STRING, &options.job, "Wait for the job, after the command if there is one",
         "ID"},
        {"send-fd", 0, 0, G_OPTION_ARG_INT, &options.fd, "The command takes a copy of descriptor N along", "N"},
        {"timeout", 0, 0, G_OPTION_ARG_DOUBLE, &options.timeout, "Wait no longer than that for anything", "SECONDS"},
        {NULL, 0, 0, 0, NULL, NULL, NULL},
    };

    setlocale(LC_CTYPE, "");
    signal(SIGPIPE, SIG_IGN);
    char **words = cli_parse_some(&argc, &argv, entries, "SOCKET [COMMAND [KEY=VALUE|KEY:=JSON|JSON...]]", 1,
                                  ARGUMENTS_MAX, "Speaks to the monitor (QMP) of a QEMU or a Ferry.",
                                  "SOCKET: a path, unix:PATH, tcp:HOST:PORT, fd:N, libvirt:DOMAIN. Without a COMMAND "
                                  "commands are read\nfrom standard input; `help' tells about them.\n\n"
                                  "Exit status: 0 fine, 1 failed, 2 usage.\n\nSee qmp(1).");
    check_options(&options, words + 1);

    GError *error = NULL;
    Qmp qmp = {.terminal = isatty(STDOUT_FILENO)};
    qmp.json = options.json || (!options.text && !qmp.terminal);
    qmp.deadline = options.timeout > 0 ? g_get_monotonic_time() + (gint64)(options.timeout * 1e6) : G_MAXINT64;
    if (g_str_has_prefix(words[0], "libvirt:"))
        qmp_start_libvirt();
    qmp.session = libqmp_session_connect(
        words[0], LIBQMP_SESSION_OPTIONS(.timeout_ms = (unsigned)(options.timeout * 1000)), &error);
    if (!qmp.session)
        return qmp_fail(error);
    if (options.fd && !libqmp_session_send_fd(qmp.session, options.fd, &error))
        return qmp_fail(error);
    int status = run(&qmp, &options, words + 1);
    libqmp_session_free(qmp.session);
    live_free(qmp.live);
    g_free(options.job);
    return status;
}
