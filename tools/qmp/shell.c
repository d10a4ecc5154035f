/*
 * shell.c: commands from standard input, one a line.
 *
 * On a terminal lines are edited with libedit, which is asked to take its characters from a function of ours: while a
 * person thinks, GLib's main loop runs, and events are shown as they come, above the line.
 */
#include "tools/qmp/shell.h"

#include <errno.h>
#include <glib-unix.h>
#include <histedit.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "tools/qmp/complete.h"
#include "tools/qmp/show.h"

enum { HISTORY = 1000, COLUMNS = 100 };

const char *const shell_words[] = {"help", "events", "exit", NULL};

typedef struct Shell {
    Qmp *qmp;
    EditLine *el; /* NULL: no terminal */
    bool editing; /* a line is on the screen */
    bool ended;   /* the session, or the shell */
    bool has_input;
    GArray *subscriptions;
    int status;
} Shell;

/* --- events ------------------------------------------------------------------------------------------------------- */

static void on_event(QmpSession *session, const LibqmpEvent *event, void *data)
{
    Shell *shell = data;

    (void)session;
    if (shell->editing)
        fputs("\r\033[K", stdout);
    show_event(event, shell->qmp->json);
    if (shell->editing)
        el_set(shell->el, EL_REFRESH);
}

static void on_end(QmpSession *session, const GError *why, void *data)
{
    Shell *shell = data;

    (void)session;
    if (shell->editing)
        fputs("\r\033[K", stdout);
    shell->editing = false;
    shell->ended = true;
    fprintf(stderr, "%s: %s\n", g_get_prgname(), why->message);
}

static void unsubscribe(Shell *shell)
{
    for (guint i = 0; i < shell->subscriptions->len; i++)
        libqmp_event_unsubscribe(shell->qmp->session, g_array_index(shell->subscriptions, unsigned, i));
    g_array_set_size(shell->subscriptions, 0);
}

static void subscribe(Shell *shell, const char *name)
{
    unsigned number = libqmp_event_subscribe(shell->qmp->session, name, on_event, shell);

    g_array_append_val(shell->subscriptions, number);
}

/* "events", "events off", "events NAME..." */
static int set_events(Shell *shell, char *const *names)
{
    GError *error = NULL;

    unsubscribe(shell);
    if (names[0] && strcmp(names[0], "off") == 0)
        return 0;
    if (!names[0] || strcmp(names[0], "on") == 0) {
        subscribe(shell, NULL);
        return 0;
    }
    for (char *const *name = names; *name; name++)
        subscribe(shell, *name);
    return qmp_unmask(shell->qmp, names, &error) ? 0 : qmp_fail(error);
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* The words of a line; JSON behind a command is one, and needs no quotes. */
static char **split(const char *line, GError **error)
{
    char **words = NULL;
    size_t command = strcspn(line, " \t"), blanks = strspn(line + command, " \t");

    if (line[command + blanks] == '{') {
        words = g_new0(char *, 3);
        words[0] = g_strndup(line, command);
        words[1] = g_strdup(line + command + blanks);
    } else {
        g_shell_parse_argv(line, NULL, &words, error);
    }
    return words;
}

static int run_words(Shell *shell, char *const *words)
{
    if (strcmp(words[0], "exit") == 0) {
        shell->ended = true;
        return shell->status;
    }
    if (strcmp(words[0], "help") == 0)
        return help_show(shell->qmp, words + 1);
    if (strcmp(words[0], "events") == 0)
        return set_events(shell, words + 1);
    return qmp_run(shell->qmp, words);
}

static void run_line(Shell *shell, char *line)
{
    GError *error = NULL;

    g_strstrip(line);
    if (!*line || *line == '#')
        return;
    g_auto(GStrv) words = split(line, &error);
    if (!words) {
        g_printerr("%s: %s\n", g_get_prgname(), error->message);
        g_clear_error(&error);
        shell->status = 1;
        return;
    }
    shell->status = run_words(shell, words);
}

/* --- a terminal --------------------------------------------------------------------------------------------------- */

static const char *prompt(EditLine *el)
{
    (void)el;
    return "(qmp) ";
}

static gboolean on_input(int fd, GIOCondition condition, void *data)
{
    (void)fd;
    (void)condition;
    ((Shell *)data)->has_input = true;
    return G_SOURCE_CONTINUE;
}

static int read_octet(Shell *shell, char *octet)
{
    shell->has_input = false;
    while (!shell->has_input && !shell->ended)
        g_main_context_iteration(NULL, TRUE);
    return shell->ended ? 0 : (int)read(STDIN_FILENO, octet, 1);
}

/* libedit wants a character: 1, 0 at the end, -1 and errno. */
static int read_character(EditLine *el, wchar_t *character)
{
    mbstate_t state = {0};
    Shell *shell = NULL;
    char octet;

    el_get(el, EL_CLIENTDATA, &shell);
    for (;;) {
        int got = read_octet(shell, &octet);
        if (got <= 0)
            return got;
        size_t size = mbrtowc(character, &octet, 1, &state);
        if (size == (size_t)-1) {
            *character = L'?';
            return 1;
        }
        if (size != (size_t)-2)
            return 1;
    }
}

static void list_candidates(const GPtrArray *candidates)
{
    size_t widest = 0;

    for (guint i = 0; i < candidates->len; i++)
        widest = MAX(widest, strlen(g_ptr_array_index(candidates, i)));
    guint columns = (guint)MAX(1, COLUMNS / (widest + 1));
    putchar('\n');
    for (guint i = 0; i < candidates->len; i++)
        printf("%-*s%s", (int)widest, (const char *)g_ptr_array_index(candidates, i),
               i % columns == columns - 1 || i == candidates->len - 1 ? "\n" : " ");
    fflush(stdout);
}

static unsigned char complete(EditLine *el, int key)
{
    Shell *shell = NULL;
    const LineInfo *info = el_line(el);
    size_t start;

    (void)key;
    el_get(el, EL_CLIENTDATA, &shell);
    g_autofree char *line = g_strndup(info->buffer, (gsize)(info->cursor - info->buffer));
    const Live *live = qmp_live(shell->qmp);
    if (!live)
        return CC_REFRESH_BEEP;
    g_autoptr(GPtrArray) candidates = complete_line(live, line, &start);
    size_t common = complete_common(candidates), typed = strlen(line) - start;
    if (!candidates->len)
        return CC_REFRESH_BEEP;
    if (common > typed) {
        g_autofree char *more = g_strndup((char *)g_ptr_array_index(candidates, 0) + typed, common - typed);
        el_insertstr(el, more);
        return CC_REFRESH;
    }
    list_candidates(candidates);
    return CC_REDISPLAY;
}

static History *make_history(void)
{
    History *lines = history_init();
    HistEvent event;

    history(lines, &event, H_SETSIZE, HISTORY);
    history(lines, &event, H_SETUNIQUE, 1);
    return lines;
}

static EditLine *make_editor(Shell *shell, History *lines)
{
    EditLine *el = el_init(g_get_prgname(), stdin, stdout, stderr);

    el_set(el, EL_CLIENTDATA, shell);
    el_set(el, EL_PROMPT, prompt);
    el_set(el, EL_EDITOR, "emacs");
    el_set(el, EL_SIGNAL, 1);
    el_set(el, EL_HIST, history, lines);
    el_set(el, EL_ADDFN, "qmp-complete", "Complete by the peer's schema", complete);
    el_set(el, EL_BIND, "^I", "qmp-complete", NULL);
    el_set(el, EL_GETCFN, read_character);
    return el;
}

static void edit_lines(Shell *shell)
{
    History *lines = make_history();
    HistEvent event;
    unsigned input = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP | G_IO_ERR, on_input, shell);
    int length;

    shell->el = make_editor(shell, lines);
    while (!shell->ended) {
        shell->editing = true;
        const char *line = el_gets(shell->el, &length);
        shell->editing = false;
        if (!line || length <= 0)
            break;
        g_autofree char *copy = g_strdup(line);
        if (*g_strstrip(copy))
            history(lines, &event, H_ENTER, copy);
        run_line(shell, copy);
    }
    if (!shell->ended)
        putchar('\n');
    g_source_remove(input);
    el_end(shell->el);
    history_end(lines);
}

/* --- no terminal -------------------------------------------------------------------------------------------------- */

/* The first line that fails decides the status. */
static void read_lines(Shell *shell)
{
    g_autofree char *line = NULL;
    size_t room = 0;
    int first = 0;

    while (!shell->ended && getline(&line, &room, stdin) > 0) {
        run_line(shell, line);
        first = first ? first : shell->status;
        while (libqmp_session_pump(shell->qmp->session, 0, NULL) > 0)
            ;
    }
    shell->status = first;
}

int shell_run(Qmp *qmp)
{
    Shell shell = {.qmp = qmp, .subscriptions = g_array_new(FALSE, FALSE, sizeof(unsigned))};
    GError *error = NULL;
    bool terminal = qmp->terminal && isatty(STDIN_FILENO);

    if (!terminal) {
        read_lines(&shell);
    } else if (!libqmp_session_attach(qmp->session, NULL, &error)) {
        shell.status = qmp_fail(error);
    } else {
        libqmp_session_on_end(qmp->session, on_end, &shell);
        puts("Commands are those of the peer; TAB completes them. help [COMMAND], events [NAME...|off], exit.");
        edit_lines(&shell);
        libqmp_session_detach(qmp->session);
        libqmp_session_on_end(qmp->session, NULL, NULL);
    }
    unsubscribe(&shell);
    g_array_unref(shell.subscriptions);
    return shell.status;
}
