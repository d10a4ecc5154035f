/*
 * stress-qmp-client.c: many threads on one session of libqmp: calls, events in a main loop, timeouts, and an end at any
 * time. For ThreadSanitizer, under which Criterion does not start.
 *
 * It does not see what GLib's locks do, which are futexes in a library of its own. So libqmp gets others here.
 */
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tools/libqmp/libqmp.h"

enum { ROUNDS = 30, THREADS = 6, CALLS = 100 };

/* --- locks that ThreadSanitizer sees ------------------------------------------------------------------------------ */

typedef struct Lock {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
} Lock;

static Lock *lock_new(void)
{
    Lock *lock = g_new0(Lock, 1);
    pthread_condattr_t monotonic;

    pthread_mutex_init(&lock->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&lock->cond, &monotonic);
    return lock;
}

void g_mutex_init(GMutex *mutex)
{
    mutex->p = lock_new();
}

void g_mutex_clear(GMutex *mutex)
{
    g_free(mutex->p);
}

void g_mutex_lock(GMutex *mutex)
{
    pthread_mutex_lock(&((Lock *)mutex->p)->mutex);
}

void g_mutex_unlock(GMutex *mutex)
{
    pthread_mutex_unlock(&((Lock *)mutex->p)->mutex);
}

void g_cond_init(GCond *cond)
{
    cond->p = lock_new();
}

void g_cond_clear(GCond *cond)
{
    g_free(cond->p);
}

void g_cond_broadcast(GCond *cond)
{
    pthread_cond_broadcast(&((Lock *)cond->p)->cond);
}

void g_cond_wait(GCond *cond, GMutex *mutex)
{
    pthread_cond_wait(&((Lock *)cond->p)->cond, &((Lock *)mutex->p)->mutex);
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end)
{
    const struct timespec until = {.tv_sec = end / 1000000, .tv_nsec = end % 1000000 * 1000};

    return pthread_cond_timedwait(&((Lock *)cond->p)->cond, &((Lock *)mutex->p)->mutex, &until) == 0;
}

void g_atomic_ref_count_init(gatomicrefcount *count)
{
    __atomic_store_n(count, 1, __ATOMIC_SEQ_CST);
}

void g_atomic_ref_count_inc(gatomicrefcount *count)
{
    __atomic_fetch_add(count, 1, __ATOMIC_SEQ_CST);
}

gboolean g_atomic_ref_count_dec(gatomicrefcount *count)
{
    return __atomic_sub_fetch(count, 1, __ATOMIC_SEQ_CST) == 0;
}

/* --- the peer ----------------------------------------------------------------------------------------------------- */

static void say(int fd, const char *text)
{
    for (size_t left = strlen(text); left;) {
        ssize_t put = send(fd, text, left, MSG_NOSIGNAL);
        if (put < 0)
            return;
        text += put;
        left -= (size_t)put;
    }
}

static void answer(int fd, const char *line)
{
    json_t *request = json_loads(line, 0, NULL);
    int id = (int)json_integer_value(json_object_get(request, "id"));
    g_autofree char *reply =
        g_strdup_printf("{\"event\": \"A\", \"data\": {\"id\": %d}}{\"return\": %d, \"id\": %d}", id, id, id);

    /* now and then one has to wait for ever */
    if (id < 2 || id % 50)
        say(fd, reply);
    json_decref(request);
}

static void *serve(void *data)
{
    int fd = GPOINTER_TO_INT(data);
    FILE *in = fdopen(fd, "r");
    char *line = NULL;
    size_t room = 0;

    say(fd, "{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}");
    while (getline(&line, &room, in) > 0)
        answer(fd, line);
    free(line);
    fclose(in);
    return NULL;
}

/* --- the clients -------------------------------------------------------------------------------------------------- */

typedef struct Load {
    QmpSession *session;
    GMainLoop *loop;
    int events; /* the main loop's alone */
    gint done;
    gint finished;
} Load;

static void *call(void *data)
{
    Load *load = data;

    for (int i = 0; i < CALLS; i++) {
        GError *error = NULL;
        json_t *result = libqmp_execute(load->session, "x", NULL, i % 3 ? 0 : LIBQMP_OOB, &error);
        if (!result && error->code != LIBQMP_ERROR_TIMEOUT && error->code != LIBQMP_ERROR_CANCELLED)
            g_error("%s", error->message);
        g_clear_error(&error);
        json_decref(result);
    }
    g_atomic_int_inc(&load->finished);
    return NULL;
}

static void on_done(LibqmpCall *call, void *data)
{
    json_decref(libqmp_execute_finish(call, NULL));
    g_atomic_int_inc(&((Load *)data)->done);
}

static void on_event(QmpSession *session, const LibqmpEvent *event, void *data)
{
    Load *load = data;

    (void)event;
    if (++load->events % 10 == 0) {
        LibqmpCall *call = libqmp_execute_start(session, "y", NULL, 0, NULL);
        if (call)
            libqmp_call_notify(call, on_done, load);
    }
}

static void on_end(QmpSession *session, const GError *why, void *data)
{
    (void)session;
    (void)why;
    g_main_loop_quit(((Load *)data)->loop);
}

static void *loop(void *data)
{
    g_main_loop_run(((Load *)data)->loop);
    return NULL;
}

static void run_round(int round)
{
    g_autoptr(GMainContext) context = g_main_context_new();
    Load load = {.loop = g_main_loop_new(context, FALSE)};
    GThread *threads[THREADS], *looping, *serving;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
        g_error("no sockets");
    serving = g_thread_new("serve", serve, GINT_TO_POINTER(fds[1]));
    load.session = libqmp_session_new_fd(fds[0], LIBQMP_SESSION_OPTIONS(.timeout_ms = 20), NULL);
    if (!load.session)
        g_error("no session");
    libqmp_event_subscribe(load.session, NULL, on_event, &load);
    libqmp_session_on_end(load.session, on_end, &load);
    libqmp_session_attach(load.session, context, NULL);
    looping = g_thread_new("loop", loop, &load);
    for (int i = 0; i < THREADS; i++)
        threads[i] = g_thread_new("call", call, &load);
    /* half of the rounds end in the middle */
    for (int ms = 0; g_atomic_int_get(&load.finished) < THREADS && (round % 2 || ms < round); ms++)
        g_usleep(1000);
    libqmp_session_close(load.session);
    for (int i = 0; i < THREADS; i++)
        g_thread_join(threads[i]);
    g_thread_join(looping);
    libqmp_session_free(load.session);
    g_thread_join(serving);
    g_main_loop_unref(load.loop);
}

int main(void)
{
    for (int round = 0; round < ROUNDS; round++)
        run_round(round);
    puts("stress-qmp-client: fine");
    return 0;
}
