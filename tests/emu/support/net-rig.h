/* net-rig.h: a card that keeps what it gets, and frames for it. */
#ifndef TESTS_EMU_NET_RIG_H
#define TESTS_EMU_NET_RIG_H

#include <criterion/criterion.h>
#include <string.h>

#include "emu/net/net.h"
#include "tests/emu/support/board.h"

enum { RIG_FRAMES = 64, RIG_PATIENCE_S = 10 };

typedef struct Card {
    NetBackend *net;
    GQueue frames; /* of GBytes */
    unsigned room; /* frames that it takes yet */
    unsigned sent;
    unsigned open; /* frames that more may have followed, */
    unsigned settled;
} Card;

static inline bool card_can_receive(void *opaque)
{
    return ((Card *)opaque)->room > 0;
}

static inline bool card_receive(void *opaque, const struct iovec *iov, int count)
{
    Card *c = opaque;
    GByteArray *frame = g_byte_array_new();

    for (int i = 0; i < count; i++)
        g_byte_array_append(frame, iov[i].iov_base, (guint)iov[i].iov_len);
    g_queue_push_tail(&c->frames, g_byte_array_free_to_bytes(frame));
    c->room--;
    c->open += c->net->more;
    return true;
}

static inline void card_settled(void *opaque)
{
    ((Card *)opaque)->open = 0;
    ((Card *)opaque)->settled++;
}

static inline void card_sent(void *opaque)
{
    ((Card *)opaque)->sent++;
}

static inline void card_attach(Card *c, NetBackend *net, GError *error)
{
    cr_assert_not_null(net, "%s", error ? error->message : "no message");
    *c = (Card){.net = net, .room = RIG_FRAMES};
    g_queue_init(&c->frames);
    net_attach(net, (NetCard){card_can_receive, card_receive, c, card_settled}, card_sent);
    net_flush(net);
}

static inline void card_done(Card *c)
{
    net_free(c->net);
    g_queue_clear_full(&c->frames, (GDestroyNotify)g_bytes_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Card, card_done)

static inline bool card_send(Card *c, const void *frame, size_t len)
{
    struct iovec iov[2] = {{(void *)frame, len / 2}, {(char *)frame + len / 2, len - len / 2}};

    return net_send(c->net, iov, 2);
}

/* The next frame, waited for; to be freed. NULL: none came. */
static inline GBytes *card_wait(Card *c)
{
    gint64 end = g_get_monotonic_time() + RIG_PATIENCE_S * G_USEC_PER_SEC;

    while (g_queue_is_empty(&c->frames) && g_get_monotonic_time() < end)
        if (!g_main_context_iteration(NULL, FALSE))
            g_usleep(1000);
    return g_queue_pop_head(&c->frames);
}

/* What can happen now happens. */
static inline void settle(void)
{
    for (unsigned i = 0; i < 50; i++)
        if (!g_main_context_iteration(NULL, FALSE))
            g_usleep(1000);
}

static inline void card_expects(Card *c, const void *frame, size_t len)
{
    g_autoptr(GBytes) got = card_wait(c);
    g_autoptr(GBytes) expected = g_bytes_new(frame, len);

    cr_assert_not_null(got, "no frame came");
    cr_assert(g_bytes_equal(got, expected), "a frame of %zu octets came, other than the one of %zu",
              g_bytes_get_size(got), len);
}

#endif
