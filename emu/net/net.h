/*
 * net.h: a network card's other end: Ethernet frames out and in.
 *
 * Frames have no FCS. Everything happens on the thread of the context that a backend was made with, which takes the
 * machine's lock for its calls into the card; the card calls with the lock.
 */
#ifndef EMU_NET_NET_H
#define EMU_NET_NET_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum { NET_FRAME_MAX = 65550 }; /* octets, with what a card may have behind a large segment */

typedef struct NetBackend NetBackend;

/* The card. */
typedef struct NetCard {
    /* Has it room for a frame? If not the backend keeps what it has, and net_flush asks it to try again. */
    bool (*can_receive)(void *opaque);
    void (*receive)(void *opaque, const struct iovec *iov, int count);
    void *opaque;
} NetCard;

typedef struct NetBackendOps {
    /* Takes a frame, or drops it; false: not now, and `sent` of net_attach is called when it can be tried again. */
    bool (*send)(NetBackend *backend, const struct iovec *iov, int count);
    void (*flush)(NetBackend *backend); /* the card has room again */
    void (*free)(NetBackend *backend);
} NetBackendOps;

struct NetBackend {
    const NetBackendOps *ops;
    const char *kind; /* "user", "tap", ... */
    NetCard card;     /* zeros: none */
    void (*sent)(void *opaque);
};

static inline void net_attach(NetBackend *backend, NetCard card, void (*sent)(void *opaque))
{
    backend->card = card;
    backend->sent = sent;
}

static inline bool net_send(NetBackend *backend, const struct iovec *iov, int count)
{
    return !backend || backend->ops->send(backend, iov, count); /* without a cable frames are lost */
}

static inline void net_flush(NetBackend *backend)
{
    if (backend)
        backend->ops->flush(backend);
}

static inline void net_free(NetBackend *backend)
{
    if (backend)
        backend->ops->free(backend);
}

#endif
