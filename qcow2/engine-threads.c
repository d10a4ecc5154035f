/* engine-threads.c: transfers by threads that wait for them. */
#include <errno.h>
#include <unistd.h>

#include "qcow2/engine.h"

#define THREADS 16

typedef struct Threads {
    Engine e;
    GThreadPool *pool;
    GMutex lock; /* of `ended` */
    GCond some;  /* has ended */
    GQueue ended;
} Threads;

static void work(void *data, void *opaque)
{
    Transfer *t = data;
    Threads *threads = opaque;
    uint64_t one = 1;

    while (!transfer_step(t, transfer_call(t)))
        ;
    g_mutex_lock(&threads->lock);
    g_queue_push_tail_link(&threads->ended, &t->link);
    /* Within the lock: who sees the transfer may free all of this as soon as the lock is free. */
    g_cond_signal(&threads->some);
    while (threads->e.event >= 0 && write(threads->e.event, &one, sizeof one) < 0 && errno == EINTR)
        ;
    g_mutex_unlock(&threads->lock);
}

static void threads_submit(Engine *e, Transfer *t)
{
    t->link.data = t;
    t->again = 0;
    g_thread_pool_push(((Threads *)e)->pool, t, NULL);
}

static void threads_poll(Engine *e)
{
    Threads *threads = (Threads *)e;

    /* One by one: who is told that one has ended may wait for the others. */
    for (GList *link;;) {
        g_mutex_lock(&threads->lock);
        link = g_queue_pop_head_link(&threads->ended);
        g_mutex_unlock(&threads->lock);
        if (!link)
            break;
        Transfer *t = link->data;
        t->ended(t, t->error);
    }
}

static void threads_wait(Engine *e)
{
    Threads *threads = (Threads *)e;

    g_mutex_lock(&threads->lock);
    while (g_queue_is_empty(&threads->ended))
        g_cond_wait(&threads->some, &threads->lock);
    g_mutex_unlock(&threads->lock);
}

static void threads_free(Engine *e)
{
    Threads *threads = (Threads *)e;

    g_thread_pool_free(threads->pool, FALSE, TRUE);
    g_mutex_clear(&threads->lock);
    g_cond_clear(&threads->some);
    g_free(threads);
}

static const EngineOps threads_ops = {
    .submit = threads_submit,
    .poll = threads_poll,
    .wait = threads_wait,
    .free = threads_free,
};

Engine *engine_new_threads(int event)
{
    Threads *threads = g_new0(Threads, 1);

    threads->e.ops = &threads_ops;
    threads->e.event = event;
    threads->e.fd = -1;
    g_mutex_init(&threads->lock);
    g_cond_init(&threads->some);
    g_queue_init(&threads->ended);
    /* Shared with the rest of the process: made when there is work, gone some time after. Cannot fail then. */
    threads->pool = g_thread_pool_new(work, threads, THREADS, FALSE, NULL);
    return &threads->e;
}
