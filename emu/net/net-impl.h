/*
 * net-impl.h: what the kinds of networks have in common. Only for this folder.
 */
#ifndef EMU_NET_NET_IMPL_H
#define EMU_NET_NET_IMPL_H

#include "emu/net/net.h"

/* The first member of every backend here. */
typedef struct NetPort {
    NetBackend backend;
    char *id;
    GMainContext *context;
    Machine *machine; /* NULL: nobody to lock */
    GQueue waiting;   /* GBytes: frames that the card has no room for */
} NetPort;

void net_port_init(NetPort *p, const NetBackendOps *ops, const char *kind, const NetHome *home);
void net_port_done(NetPort *p);

/* Has the card room, and nothing waits for it? */
bool net_port_is_ready(NetPort *p);

/* Gives it to the card, or keeps it. Without a card, and when too many wait, it is lost. */
void net_port_receive(NetPort *p, const void *frame, size_t len);

/* Gives the card what waits. */
void net_port_flush(NetPort *p);

/* Tells the card that it can send again. */
void net_port_sent(NetPort *p);

/* The frame in one piece; returns its length, 0 if it is too long. `frame` has room for NET_FRAME_MAX. */
size_t net_flatten(const struct iovec *iov, int count, void *frame);

/* An error of the host's, with what it is about. Returns NULL, for callers to return. */
void *net_fail(const NetHome *home, const char *what, int cause, GError **error);

/* --- watches ---------------------------------------------------------------------------------------------------- */

/* Called on the context, with the lock; until it is unwatched. */
typedef void NetReady(NetPort *p, GIOCondition condition);

GSource *net_watch(NetPort *p, int fd, GIOCondition condition, NetReady *ready);
GSource *net_watch_time(NetPort *p, unsigned ms, NetReady *ready); /* each so many ms */
void net_unwatch(GSource **watch);                                 /* and makes it NULL */

/* --- descriptors that have frames ------------------------------------------------------------------------------- */

typedef struct NetFrames NetFrames;

/* Both return the octets, 0 if there will never be more, or -1 with errno. */
typedef struct NetFramesOps {
    ssize_t (*read)(NetFrames *f, void *frame, size_t size);
    ssize_t (*write)(NetFrames *f, const void *frame, size_t len);
    ssize_t (*write_pieces)(NetFrames *f, const struct iovec *iov, int count); /* the same; NULL: it has no such way */
    void (*close)(NetFrames *f);
} NetFramesOps;

struct NetFrames {
    NetPort port;
    const NetFramesOps *ops;
    int fd; /* what is watched */
    GSource *input, *output;
    bool dead;
    unsigned header; /* octets in front of frames at the card's side, */
    unsigned inner;  /* and at the descriptor's: as many, or the card has none */
};

/* For tables of NetBackendOps. */
bool net_frames_send(NetBackend *backend, const struct iovec *iov, int count);
void net_frames_flush(NetBackend *backend);
void net_frames_free(NetBackend *backend); /* g_frees it */

/* net-stream.c: a connected socket, or one that listens, is connecting; taken. `address` is taken, too. */
typedef enum NetStreamStart { NET_STREAM_CONNECTED, NET_STREAM_CONNECTING, NET_STREAM_LISTENING } NetStreamStart;
NetBackend *net_stream_new(const NetHome *home, int fd, NetStreamStart start, char *address);
const char *net_stream_address(const NetBackend *backend);

#endif
