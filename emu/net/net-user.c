/*
 * net-user.c: a network of its own behind a gateway that needs no privilege: libslirp (IPv4, IPv6, DHCP, DNS, TFTP).
 *
 * What is saved of it is the section "slirp", which is in net-user-state.c. Connections do not move to another host.
 * Not done: a Windows share (smb), and services that are character devices.
 */
#include "emu/net/net-user-impl.h"

#include <slirp/libslirp.h>
#include <string.h>

#include "emu/core/machine.h"

enum { US_PER_MS = 1000 };

/* --- what libslirp calls ---------------------------------------------------------------------------------------- */

static ssize_t send_packet(const void *frame, size_t len, void *opaque)
{
    User *u = opaque;

    net_port_receive(&u->port, frame, len);
    return (ssize_t)len;
}

/* What a guest does wrong is its own affair. */
static void guest_error(const char *message, void *opaque)
{
    (void)message;
    (void)opaque;
}

static int64_t clock_get_ns(void *opaque)
{
    const User *u = opaque;

    return u->device ? clock_now(u->port.machine->virtual_clock) : 0;
}

static void *timer_new(SlirpTimerCb called, void *called_opaque, void *opaque)
{
    User *u = opaque;
    Timer *timer = g_new0(Timer, 1);

    timer_init(timer, u->port.machine->virtual_clock, called, called_opaque);
    g_ptr_array_add(u->timers, timer);
    return timer;
}

static void timer_free(void *timer, void *opaque)
{
    User *u = opaque;

    timer_done(timer);
    g_ptr_array_remove(u->timers, timer);
    g_free(timer);
}

static void timer_mod(void *timer, int64_t expire_ms, void *opaque)
{
    const User *u = opaque;

    if (u->device)
        timer_arm(timer, CLAMP(expire_ms, 0, INT64_MAX / NS_PER_MS) * NS_PER_MS);
}

static void no_fd(int fd, void *opaque)
{
    (void)fd;
    (void)opaque;
}

static void notify(void *opaque)
{
    g_main_context_wakeup(((User *)opaque)->port.context);
}

static const SlirpCb callbacks = {
    .send_packet = send_packet,
    .guest_error = guest_error,
    .clock_get_ns = clock_get_ns,
    .timer_new = timer_new,
    .timer_free = timer_free,
    .timer_mod = timer_mod,
    .register_poll_fd = no_fd,
    .unregister_poll_fd = no_fd,
    .notify = notify,
};

/* --- its descriptors in the main loop --------------------------------------------------------------------------- */

/* One of libslirp's. */
typedef struct Polled {
    int fd;
    GIOCondition events;
    gpointer tag;
    bool wanted;
} Polled;

struct UserSource {
    GSource base;
    User *u;
    GArray *polled;     /* of Polled */
    GArray *order;      /* of guint: libslirp's number of a descriptor to its index in `polled` */
    int64_t timeout_us; /* of GLib's clock; -1: none */
};

static GIOCondition to_condition(int events)
{
    return (events & SLIRP_POLL_IN ? G_IO_IN : 0) | (events & SLIRP_POLL_OUT ? G_IO_OUT : 0) |
           (events & SLIRP_POLL_PRI ? G_IO_PRI : 0) | (events & SLIRP_POLL_ERR ? G_IO_ERR : 0) |
           (events & SLIRP_POLL_HUP ? G_IO_HUP : 0);
}

static int to_events(GIOCondition condition)
{
    return (condition & G_IO_IN ? SLIRP_POLL_IN : 0) | (condition & G_IO_OUT ? SLIRP_POLL_OUT : 0) |
           (condition & G_IO_PRI ? SLIRP_POLL_PRI : 0) | (condition & G_IO_ERR ? SLIRP_POLL_ERR : 0) |
           (condition & G_IO_HUP ? SLIRP_POLL_HUP : 0);
}

/* GLib is told of what has changed only, as each change wakes it. */
static int add_poll(int fd, int events, void *opaque)
{
    UserSource *s = opaque;
    GIOCondition condition = to_condition(events);
    guint i = 0;

    while (i < s->polled->len && g_array_index(s->polled, Polled, i).fd != fd)
        i++;
    if (i == s->polled->len) {
        Polled polled = {.fd = fd, .events = condition, .tag = g_source_add_unix_fd(&s->base, fd, condition)};
        g_array_append_val(s->polled, polled);
    }
    Polled *p = &g_array_index(s->polled, Polled, i);
    /* The same descriptor may be there twice. */
    condition |= p->wanted ? p->events : 0;
    if (p->events != condition)
        g_source_modify_unix_fd(&s->base, p->tag, condition);
    p->events = condition;
    p->wanted = true;
    g_array_append_val(s->order, i);
    return (int)s->order->len - 1;
}

static int get_events(int n, void *opaque)
{
    UserSource *s = opaque;

    if (n < 0 || (guint)n >= s->order->len)
        return 0;
    return to_events(g_source_query_unix_fd(
        &s->base, g_array_index(s->polled, Polled, g_array_index(s->order, guint, (guint)n)).tag));
}

/* Those that libslirp names no more; it may have closed them already, which nobody has polled yet. */
static void drop_unwanted(UserSource *s)
{
    for (guint i = s->polled->len; i-- > 0;) {
        const Polled *p = &g_array_index(s->polled, Polled, i);
        if (p->wanted)
            continue;
        g_source_remove_unix_fd(&s->base, p->tag);
        for (guint n = 0; n < s->order->len; n++)
            g_array_index(s->order, guint, n) -= g_array_index(s->order, guint, n) > i;
        g_array_remove_index(s->polled, i);
    }
}

static gboolean source_prepare(GSource *source, gint *timeout_ms)
{
    UserSource *s = (UserSource *)source;
    uint32_t timeout = UINT32_MAX;
    Machine *machine = s->u->port.machine;

    machine_lock(machine);
    for (guint i = 0; i < s->polled->len; i++)
        g_array_index(s->polled, Polled, i).wanted = false;
    g_array_set_size(s->order, 0);
    slirp_pollfds_fill(s->u->slirp, &timeout, add_poll, s);
    drop_unwanted(s);
    machine_unlock(machine);
    *timeout_ms = timeout > INT32_MAX ? -1 : (gint)timeout;
    s->timeout_us = *timeout_ms < 0 ? -1 : g_get_monotonic_time() + (int64_t)*timeout_ms * US_PER_MS;
    return FALSE;
}

static gboolean source_check(GSource *source)
{
    UserSource *s = (UserSource *)source;

    for (guint i = 0; i < s->polled->len; i++)
        if (g_source_query_unix_fd(source, g_array_index(s->polled, Polled, i).tag))
            return TRUE;
    return s->timeout_us >= 0 && g_get_monotonic_time() >= s->timeout_us;
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    UserSource *s = (UserSource *)source;
    Machine *machine = s->u->port.machine;

    (void)callback;
    (void)data;
    machine_lock(machine);
    slirp_pollfds_poll(s->u->slirp, 0, get_events, s);
    machine_unlock(machine);
    return G_SOURCE_CONTINUE;
}

static void source_finalize(GSource *source)
{
    UserSource *s = (UserSource *)source;

    g_array_unref(s->polled);
    g_array_unref(s->order);
}

static void source_start(User *u)
{
    static const GSourceFuncs functions = {
        .prepare = source_prepare,
        .check = source_check,
        .dispatch = source_dispatch,
        .finalize = source_finalize,
    };
    UserSource *s = (UserSource *)g_source_new((GSourceFuncs *)&functions, sizeof *s);

    s->u = u;
    s->polled = g_array_new(FALSE, FALSE, sizeof(Polled));
    s->order = g_array_new(FALSE, FALSE, sizeof(guint));
    s->timeout_us = -1;
    u->source = s;
    g_source_attach(&s->base, u->port.context);
}

static void source_stop(User *u)
{
    if (!u->source)
        return;
    g_source_destroy(&u->source->base);
    g_source_unref(&u->source->base);
    u->source = NULL;
}

/* --- a backend -------------------------------------------------------------------------------------------------- */

static bool user_send(NetBackend *backend, const struct iovec *iov, int count)
{
    User *u = (User *)backend;
    uint8_t frame[NET_FRAME_MAX];
    size_t len = net_flatten(iov, count, frame);

    if (!u->device || len == 0)
        return true;
    slirp_input(u->slirp, frame, (int)len);
    /* It may have opened a connection, which the loop is to watch. */
    g_main_context_wakeup(u->port.context);
    return true;
}

static void user_flush(NetBackend *backend)
{
    net_port_flush(&((User *)backend)->port);
}

void user_detach(User *u)
{
    source_stop(u);
    for (guint i = 0; i < u->timers->len; i++)
        timer_done(g_ptr_array_index(u->timers, i));
    u->device = NULL;
}

static void user_free(NetBackend *backend)
{
    User *u = (User *)backend;

    source_stop(u);
    /* It may want to say goodbye. */
    u->port.backend.card = (NetCard){.receive = NULL};
    if (u->slirp)
        slirp_cleanup(u->slirp);
    if (u->device)
        user_device_remove(u);
    g_ptr_array_unref(u->timers);
    net_port_done(&u->port);
    g_free(u);
}

static const NetBackendOps user_ops = {.send = user_send, .flush = user_flush, .free = user_free};

NetBackend *net_user_new(const NetHome *home, const NetUser *options, GError **error)
{
    User *u = g_new0(User, 1);
    UserPlan plan;

    net_port_init(&u->port, &user_ops, "user", home);
    u->timers = g_ptr_array_new();
    if (!user_plan(home, options, &plan, error) || !user_device_add(u, error)) {
        user_free(&u->port.backend);
        return NULL;
    }
    u->slirp = slirp_new(&plan.config, &callbacks, u);
    if (!u->slirp)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "%s: libslirp cannot start", home->id);
    if (!u->slirp || !user_add_forwards(u, options, &plan, error) || !user_add_services(u, options, &plan, error)) {
        user_free(&u->port.backend);
        return NULL;
    }
    source_start(u);
    return &u->port.backend;
}
