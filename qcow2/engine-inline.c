/* engine-inline.c: transfers that are done at once by who polls: for files that are memory. */
#include <errno.h>
#include <unistd.h>

#include "qcow2/engine.h"

typedef struct Inline {
    Engine e;
    GQueue waiting;
} Inline;

static void inline_submit(Engine *e, Transfer *t)
{
    Inline *u = (Inline *)e;
    bool first = g_queue_is_empty(&u->waiting);
    uint64_t one = 1;

    t->link.data = t;
    t->again = 0;
    g_queue_push_tail_link(&u->waiting, &t->link);
    if (first && e->event >= 0)
        while (write(e->event, &one, sizeof one) < 0 && errno == EINTR)
            ;
}

/* Only what is there now: who submits the next one when one has ended must not keep the others waiting. */
static void inline_poll(Engine *e)
{
    Inline *u = (Inline *)e;
    uint64_t one = 1;

    for (guint count = u->waiting.length; count && u->waiting.length; count--) {
        Transfer *t = g_queue_pop_head_link(&u->waiting)->data;
        while (!transfer_step(t, transfer_call(t)))
            ;
        t->ended(t, t->error);
    }
    if (e->event >= 0 && u->waiting.length)
        while (write(e->event, &one, sizeof one) < 0 && errno == EINTR)
            ;
}

static void inline_wait(Engine *e)
{
    (void)e;
}

static void inline_free(Engine *e)
{
    g_free(e);
}

static const EngineOps inline_ops = {
    .submit = inline_submit,
    .poll = inline_poll,
    .wait = inline_wait,
    .free = inline_free,
};

Engine *engine_new_inline(int event)
{
    Inline *u = g_new0(Inline, 1);

    u->e.ops = &inline_ops;
    u->e.event = event;
    u->e.fd = -1;
    g_queue_init(&u->waiting);
    return &u->e;
}
