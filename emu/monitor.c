/*
 * monitor.c: commands for people.
 *
 *     line -> pty, its master ... its slave -> libedit -> a whole line -> hmp_run
 *     line <- what waits to be written    <- libedit, answers
 *
 * Characters come with the line's lock and go into the pty as far as there is room. libedit reads them on the context's
 * thread, one at a time (EL_UNBUFFERED), and writes to a stream of ours, not to the pty: so nothing here ever waits.
 */
#include "emu/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <histedit.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emu/qmp/hmp.h"

enum { INPUT_MAX = 2048, ANSWER_MAX = 4 << 20, REMEMBERED = 200, FOLLOW_MS = 5 };

static const char prompt[] = "(ferry) ";

struct Monitor {
    QmpServer *server;
    Chardev *line;
    GRecMutex *lock;

    int master, slave;
    FILE *in, *out;
    EditLine *edit;
    History *history;
    GMainContext *context;
    GSource *typed, *echoed; /* something to read at the slave, at the master */
    GSource *follower;       /* looks whether the last command is done; NULL: it is, */
    char *followed;          /* and was this */

    GString *answer; /* with the lock: what the line has not taken yet */
    bool starts;     /* somebody new is there; with the lock */
};

/* --- out -------------------------------------------------------------------------------------------------------- */

/* With the lock. */
static void flush(Monitor *m)
{
    size_t done = chardev_write(m->line, m->answer->str, m->answer->len);

    g_string_erase(m->answer, 0, (gssize)done);
}

/* Lines end as a terminal wants it. What nobody reads is kept up to a bound. */
static void say(Monitor *m, const char *text, size_t len)
{
    g_rec_mutex_lock(m->lock);
    for (size_t i = 0; i < len && m->answer->len < ANSWER_MAX; i++) {
        if (text[i] == '\n' && (i == 0 || text[i - 1] != '\r'))
            g_string_append_c(m->answer, '\r');
        g_string_append_c(m->answer, text[i]);
    }
    flush(m);
    g_rec_mutex_unlock(m->lock);
}

static ssize_t write_out(void *opaque, const char *text, size_t len)
{
    say(opaque, text, len);
    return (ssize_t)len;
}

/* --- editing ---------------------------------------------------------------------------------------------------- */

static char *tell_prompt(EditLine *edit)
{
    (void)edit;
    return (char *)prompt;
}

/* Ends what is being edited, and begins anew; libedit shows the prompt. */
static void start_line(Monitor *m)
{
    el_set(m->edit, EL_UNBUFFERED, 0);
    el_set(m->edit, EL_UNBUFFERED, 1);
    fflush(m->out);
}

static gboolean on_typed(int fd, GIOCondition condition, void *opaque);

static void end_watch(GSource *source)
{
    if (!source)
        return;
    g_source_destroy(source);
    g_source_unref(source);
}

static GSource *watch(Monitor *m, int fd, GUnixFDSourceFunc callback)
{
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN);

    g_source_set_callback(source, G_SOURCE_FUNC(callback), m, NULL);
    g_source_attach(source, m->context);
    return source;
}

static gboolean follow(void *opaque)
{
    Monitor *m = opaque;
    bool goes_on;
    g_autofree char *end = hmp_follow(m->server, m->followed, &goes_on);

    if (goes_on)
        return G_SOURCE_CONTINUE;
    fputs(end, m->out);
    g_clear_pointer(&m->followed, g_free);
    end_watch(g_steal_pointer(&m->follower));
    start_line(m);
    m->typed = watch(m, m->slave, on_typed);
    return G_SOURCE_REMOVE;
}

/* Nothing is read until it is done. */
static void start_following(Monitor *m, const char *command)
{
    m->followed = g_strdup(command);
    end_watch(g_steal_pointer(&m->typed));
    m->follower = g_timeout_source_new(FOLLOW_MS);
    g_source_set_callback(m->follower, follow, m, NULL);
    g_source_attach(m->follower, m->context);
}

static void do_line(Monitor *m, const char *text)
{
    bool goes_on = false;

    g_autofree char *command = g_strstrip(g_strdup(text));
    HistEvent event;

    if (*command) {
        history(m->history, &event, H_ENTER, command);
        g_autofree char *answer = hmp_run(m->server, command);
        fputs(answer, m->out);
        if (!*answer)
            g_free(hmp_follow(m->server, command, &goes_on));
    }
    if (goes_on)
        start_following(m, command);
    else
        start_line(m);
}

/* Letters that all words have in common after the first `from`. New string. */
static char *common_part(char *const *words, size_t from)
{
    size_t len = strlen(words[0]);

    for (char *const *w = words + 1; *w; w++) {
        size_t same = 0;
        while (same < len && (*w)[same] == words[0][same])
            same++;
        len = same;
    }
    return g_strndup(words[0] + from, len > from ? len - from : 0);
}

/* The tab: what can only be one thing is written, else all that it can be is shown. */
static unsigned char complete(EditLine *edit, int c)
{
    const LineInfo *line = el_line(edit);
    g_autofree char *before = g_strndup(line->buffer, (gsize)(line->cursor - line->buffer));
    const char *space = strrchr(before, ' ');
    size_t typed = strlen(space ? space + 1 : before);
    Monitor *m;

    (void)c;
    el_get(edit, EL_CLIENTDATA, &m);
    g_auto(GStrv) words = hmp_complete(m->server, before);
    if (!words[0])
        return CC_REFRESH_BEEP;
    g_autofree char *more = common_part(words, typed);
    g_autofree char *whole = words[1] ? g_strdup(more) : g_strconcat(more, " ", NULL);
    if (*whole)
        return el_insertstr(edit, whole) == 0 ? CC_REFRESH : CC_ERROR;
    g_autofree char *all = g_strjoinv("  ", words);
    g_autofree char *shown = g_strdup_printf("\n%s\n", all);
    fputs(shown, m->out);
    return CC_REDISPLAY;
}

static gboolean on_typed(int fd, GIOCondition condition, void *opaque)
{
    Monitor *m = opaque;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int count = 0;

    (void)condition;
    while (!m->followed && poll(&ready, 1, 0) == 1 && (ready.revents & POLLIN)) {
        const char *text = el_gets(m->edit, &count);
        if (text && count > 0 && text[count - 1] == '\n')
            do_line(m, text);
        else if (!text && count == 0) /* Ctrl-D on an empty line */
            start_line(m);
    }
    fflush(m->out);
    g_rec_mutex_lock(m->lock);
    chardev_accept_input(m->line);
    g_rec_mutex_unlock(m->lock);
    return G_SOURCE_CONTINUE;
}

/* What the pty itself echoes, between lines, is of no use. */
static gboolean on_echoed(int fd, GIOCondition condition, void *opaque)
{
    char nothing[256];

    (void)condition;
    (void)opaque;
    while (read(fd, nothing, sizeof nothing) > 0)
        ;
    return G_SOURCE_CONTINUE;
}

/* --- in, with the lock ------------------------------------------------------------------------------------------ */

static size_t can_receive(void *opaque)
{
    const Monitor *m = opaque;
    struct pollfd room = {.fd = m->master, .events = POLLOUT};

    return poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) ? INPUT_MAX / 8 : 0;
}

static void receive(void *opaque, const uint8_t *data, size_t len)
{
    const Monitor *m = opaque;

    while (len) {
        ssize_t done = write(m->master, data, len);
        if (done <= 0)
            return; /* more than a pty holds without anybody reading it */
        data += done;
        len -= (size_t)done;
    }
}

static gboolean greet(void *opaque)
{
    Monitor *m = opaque;
    static const char greeting[] = "Ferry: 'help' tells what can be said here\n";

    say(m, greeting, strlen(greeting));
    el_reset(m->edit);
    start_line(m);
    return G_SOURCE_REMOVE;
}

static void event(void *opaque, ChardevEvent what)
{
    Monitor *m = opaque;

    if (what == CHARDEV_BREAK)
        return;
    g_string_set_size(m->answer, 0);
    if (what == CHARDEV_OPENED)
        greet(m);
}

static void writable(void *opaque)
{
    flush(opaque);
}

static const ChardevFront front = {
    .can_receive = can_receive, .receive = receive, .event = event, .writable = writable};

/* --- life ------------------------------------------------------------------------------------------------------- */

/* A terminal of one's own; nobody's controlling one. */
static bool open_pty(Monitor *m, GError **error)
{
    char name[64];

    m->master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (m->master >= 0 && grantpt(m->master) == 0 && unlockpt(m->master) == 0 &&
        ptsname_r(m->master, name, sizeof name) == 0)
        m->slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (m->slave >= 0)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "the monitor gets no terminal to edit lines on: %s",
                g_strerror(errno));
    return false;
}

static void start_editing(Monitor *m)
{
    HistEvent event;

    m->in = fdopen(m->slave, "r");
    m->out = fopencookie(m, "w", (cookie_io_functions_t){.write = write_out});
    m->edit = el_init_fd("ferry", m->in, m->out, m->out, m->slave, m->slave, m->slave);
    m->history = history_init();
    history(m->history, &event, H_SETSIZE, REMEMBERED);
    history(m->history, &event, H_SETUNIQUE, 1);
    el_set(m->edit, EL_CLIENTDATA, m);
    el_set(m->edit, EL_TERMINAL, "vt100");
    el_set(m->edit, EL_PROMPT, tell_prompt);
    el_set(m->edit, EL_EDITOR, "emacs");
    el_set(m->edit, EL_HIST, history, m->history);
    el_set(m->edit, EL_ADDFN, "ferry-complete", "completes a word", complete);
    el_set(m->edit, EL_BIND, "^I", "ferry-complete", NULL);
}

Monitor *monitor_new(QmpServer *server, Chardev *line, GRecMutex *lock, GMainContext *context, GError **error)
{
    Monitor *m = g_new0(Monitor, 1);

    *m = (Monitor){.server = server, .line = line, .lock = lock, .context = context, .master = -1, .slave = -1};
    m->answer = g_string_new(NULL);
    if (!open_pty(m, error)) {
        monitor_free(m);
        return NULL;
    }
    start_editing(m);
    m->typed = watch(m, m->slave, on_typed);
    m->echoed = watch(m, m->master, on_echoed);
    g_rec_mutex_lock(lock);
    chardev_set_front(line, &front, m);
    g_rec_mutex_unlock(lock);
    return m;
}

void monitor_free(Monitor *m)
{
    if (!m)
        return;
    if (m->edit) {
        g_rec_mutex_lock(m->lock);
        chardev_set_front(m->line, NULL, NULL);
        g_rec_mutex_unlock(m->lock);
        end_watch(m->typed);
        end_watch(m->follower);
        end_watch(m->echoed);
        el_end(m->edit);
        history_end(m->history);
        fclose(m->out);
        fclose(m->in);
    }
    if (m->master >= 0)
        close(m->master);
    g_string_free(m->answer, TRUE);
    g_free(m->followed);
    g_free(m);
}
