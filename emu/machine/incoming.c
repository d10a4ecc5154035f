/* incoming.c: a state that comes while its source may still run. Source: vmstate/FORMAT.md section 1.5. */
#include "emu/machine/incoming.h"

#include "emu/core/machine.h"
#include "emu/machine/pc-impl.h"
#include "vmstate/multifd-load.h"
#include "vmstate/return-path.h"
#include "vmstate/transport.h"

enum {
    STEP_BEGAN = 1,
    STEP_COME = 2,
    STEP_ENDED = 4,
    PATIENCE_MS = 2000, /* for a source that has its answer, to close */
    REST = 64 << 10,    /* octets that it may still send, at once */
};

struct Incoming {
    Pc *pc;
    IncomingOptions options;
    IncomingEvents events;
    Transport *transport;
    GMainContext *context;
    GThread *thread, *accepter;

    GMutex lock;
    GCond changed;
    bool cancelled;
    unsigned asked, told; /* STEP_… that the loop is to be told, and has been */
    GPtrArray *sources;   /* of GSource that tell it */
    Chan *main;           /* as long as it is there */

    /* the thread's; the loop's while it is told */
    ChanIn *in;
    MigrateState *state;
    MultifdLoad *multifd;
    GError *error;
    bool heard;   /* the source has asked for answers */
    bool goes_on; /* what the loop says */
};

/* --- the loop is told ------------------------------------------------------------------------------------------- */

static gboolean tell(void *opaque)
{
    Incoming *in = opaque;
    const IncomingEvents *e = &in->events;

    g_mutex_lock(&in->lock);
    unsigned step = in->asked & ~in->told;
    g_mutex_unlock(&in->lock);
    if (step & STEP_BEGAN)
        e->began(e->opaque);
    if (step & STEP_COME)
        in->goes_on = e->come(e->opaque, in->state, &in->error);
    g_mutex_lock(&in->lock);
    in->told |= step;
    g_cond_broadcast(&in->changed);
    g_mutex_unlock(&in->lock);
    if (step & STEP_ENDED) { /* the last: it may be gone then */
        if (in->error)
            e->failed(e->opaque, in->error);
        else
            e->ended(e->opaque);
    }
    return G_SOURCE_REMOVE;
}

static void ask(Incoming *in, unsigned step)
{
    GSource *source = g_idle_source_new();

    g_source_set_callback(source, tell, in, NULL);
    g_mutex_lock(&in->lock);
    in->asked |= step;
    g_ptr_array_add(in->sources, source);
    if (!in->cancelled)
        g_source_attach(source, in->context);
    g_mutex_unlock(&in->lock);
}

/* Asks the loop, and waits; false: it was cancelled. */
static bool ask_and_wait(Incoming *in, unsigned step)
{
    ask(in, step);
    g_mutex_lock(&in->lock);
    while (!(in->told & step) && !in->cancelled)
        g_cond_wait(&in->changed, &in->lock);
    bool told = in->told & step;
    g_mutex_unlock(&in->lock);
    return told;
}

/* --- answers ---------------------------------------------------------------------------------------------------- */

static bool take_command(void *opaque, const StreamCommand *command, GError **error)
{
    Incoming *in = opaque;

    if (command->id == STREAM_OPEN_RETURN_PATH) {
        in->heard = chan_is_two_way(in->main);
        return true;
    }
    return !in->heard || return_path_pong(in->main, load_be32(command->payload), error);
}

/* Until the source has closed its end: what was sent to it is lost if this end goes while something is unread. */
static void wait_for_end(Incoming *in)
{
    int64_t end_us = g_get_monotonic_time() + PATIENCE_MS * G_TIME_SPAN_MILLISECOND;
    g_autofree uint8_t *rest = g_malloc(REST);

    chan_set_patience(in->main, PATIENCE_MS);
    while (g_get_monotonic_time() < end_us && in->main->ops->read(in->main, rest, REST, NULL) > 0)
        ;
}

static void answer(Incoming *in, bool goes_on)
{
    if (in->heard && return_path_shut(in->main, goes_on ? 0 : 1, NULL))
        wait_for_end(in);
}

/* --- connections ------------------------------------------------------------------------------------------------ */

/* Every connection but the first. */
static void *accept_channels(void *opaque)
{
    Incoming *in = opaque;
    Chan *chan;

    while ((chan = transport_accept(in->transport, NULL)))
        multifd_load_add(in->multifd, chan);
    return NULL;
}

/* A channel has failed: the stream is not to be waited for. */
static void end_main(void *opaque)
{
    chan_shutdown(((Incoming *)opaque)->main);
}

static bool memory_passed(void *opaque, GError **error)
{
    return multifd_load_pass(((Incoming *)opaque)->multifd, error);
}

static bool accept_main(Incoming *in)
{
    Chan *chan = transport_accept(in->transport, &in->error);

    if (!chan)
        return false;
    g_mutex_lock(&in->lock);
    in->main = chan;
    if (in->cancelled)
        chan_shutdown(chan);
    g_mutex_unlock(&in->lock);
    return true;
}

static void open_channels(Incoming *in)
{
    const MultifdLoadOptions options = {.channels = in->options.channels,
                                        .method = in->options.method,
                                        .uuid = migrate_uuid(in->pc),
                                        .place = machine_load_place(in->state),
                                        .failed = end_main,
                                        .opaque = in};

    in->multifd = multifd_load_new(&options);
    if (transport_has_channels(in->transport))
        in->accepter = g_thread_new("accept", accept_channels, in);
}

static void close_channels(Incoming *in)
{
    transport_cancel(in->transport);
    if (in->accepter)
        g_thread_join(g_steal_pointer(&in->accepter));
    g_clear_pointer(&in->multifd, multifd_load_free);
}

/* --- the stream ------------------------------------------------------------------------------------------------- */

static bool check_first(Incoming *in, GError **error)
{
    size_t got;
    const uint8_t *start = chan_in_peek(in->in, 4, &got);

    if (got < 4 || !multifd_is_magic(start))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH,
                "the first connection is a multifd channel: a source opens the main channel first");
    return false;
}

static bool check_way(const Incoming *in, GError **error)
{
    if (in->options.channels == 0 || transport_has_channels(in->transport))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH,
                "%s: multifd is on (multifd-channels %u), and nobody else can connect this way (only tcp: and unix:)",
                transport_address(in->transport), in->options.channels);
    return false;
}

static bool read_state(Incoming *in, GError **error)
{
    const MachineLoadPeer peer = {.memory_passed = memory_passed, .command = take_command, .opaque = in};

    in->state = migrate_state_new(in->pc);
    machine_load_set_peer(in->state, &peer);
    in->in = chan_in_new(in->main, 0);
    open_channels(in);
    bool ok = check_first(in, error) && migrate_read_state(in->pc, in->state, in->in, chan_is_two_way(in->main), error);
    if (!ok)
        multifd_load_explain(in->multifd, error);
    machine_load_set_peer(in->state, NULL);
    return ok;
}

static void close_main(Incoming *in)
{
    g_mutex_lock(&in->lock);
    g_clear_pointer(&in->in, chan_in_free); /* with the channel */
    in->main = NULL;
    g_mutex_unlock(&in->lock);
}

/* Whatever comes of it, the last thing is that the loop hears of it. */
static void *run(void *opaque)
{
    Incoming *in = opaque;

    if (accept_main(in) && ask_and_wait(in, STEP_BEGAN)) {
        bool ok = read_state(in, &in->error) && ask_and_wait(in, STEP_COME);
        answer(in, ok && in->goes_on);
        close_channels(in);
        close_main(in);
        g_clear_pointer(&in->state, machine_load_free);
    }
    ask(in, STEP_ENDED);
    return NULL;
}

/* --- life ------------------------------------------------------------------------------------------------------- */

Incoming *incoming_new(Pc *pc, const char *uri, const IncomingOptions *options, const IncomingEvents *events,
                       GError **error)
{
    g_autoptr(Incoming) in = g_new0(Incoming, 1);

    in->pc = pc;
    in->options = *options;
    in->events = *events;
    in->context = g_main_context_ref(events->context);
    in->sources = g_ptr_array_new_with_free_func((GDestroyNotify)g_source_unref);
    g_mutex_init(&in->lock);
    g_cond_init(&in->changed);
    in->transport = transport_listen(uri, error);
    if (!in->transport || !check_way(in, error))
        return NULL;
    in->thread = g_thread_new("incoming", run, in);
    return g_steal_pointer(&in);
}

static void cancel(Incoming *in)
{
    g_mutex_lock(&in->lock);
    in->cancelled = true;
    for (guint i = 0; i < in->sources->len; i++)
        g_source_destroy(in->sources->pdata[i]);
    if (in->main)
        chan_shutdown(in->main);
    g_cond_broadcast(&in->changed);
    g_mutex_unlock(&in->lock);
    if (in->transport)
        transport_cancel(in->transport);
}

void incoming_free(Incoming *in)
{
    if (!in)
        return;
    cancel(in);
    if (in->thread)
        g_thread_join(in->thread);
    if (in->main)
        chan_free(in->main);
    transport_free(in->transport);
    g_main_context_unref(in->context);
    g_ptr_array_unref(in->sources);
    g_clear_error(&in->error);
    g_cond_clear(&in->changed);
    g_mutex_clear(&in->lock);
    g_free(in);
}

const char *incoming_address(const Incoming *in)
{
    return transport_address(in->transport);
}

bool incoming_is_heard(const Incoming *in)
{
    return in->heard;
}
