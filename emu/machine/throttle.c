/* throttle.c: takes a share of their time from the processors. */
#include "emu/machine/throttle.h"

enum { SLICE_US = 10000 /* that they run at a time */, PERCENT = 100 };

struct Throttle {
    Pc *pc;
    GThread *thread; /* NULL: it was never needed */
    GMutex lock;
    GCond changed;
    unsigned percent; /* with the lock */
    bool quit;
};

static void *work(void *opaque)
{
    Throttle *t = opaque;

    g_mutex_lock(&t->lock);
    while (!t->quit) {
        if (!t->percent) {
            g_cond_wait(&t->changed, &t->lock);
            continue;
        }
        int64_t rest_us = (int64_t)SLICE_US * t->percent / (PERCENT - t->percent);
        int64_t end_us = g_get_monotonic_time() + rest_us + SLICE_US;
        pc_rest(t->pc, rest_us);
        g_cond_wait_until(&t->changed, &t->lock, end_us);
    }
    g_mutex_unlock(&t->lock);
    return NULL;
}

Throttle *throttle_new(Pc *pc)
{
    Throttle *t = g_new0(Throttle, 1);

    t->pc = pc;
    g_mutex_init(&t->lock);
    g_cond_init(&t->changed);
    return t;
}

void throttle_set(Throttle *t, unsigned percent)
{
    g_mutex_lock(&t->lock);
    t->percent = MIN(percent, PERCENT - 1);
    if (percent && !t->thread)
        t->thread = g_thread_new("throttle", work, t);
    g_cond_signal(&t->changed);
    g_mutex_unlock(&t->lock);
}

void throttle_free(Throttle *t)
{
    if (!t)
        return;
    g_mutex_lock(&t->lock);
    t->quit = true;
    g_cond_signal(&t->changed);
    g_mutex_unlock(&t->lock);
    if (t->thread)
        g_thread_join(t->thread);
    pc_rest(t->pc, 0);
    g_mutex_clear(&t->lock);
    g_cond_clear(&t->changed);
    g_free(t);
}
