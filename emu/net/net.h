/*
 * net.h: a network card's other end: Ethernet frames out and in.
 *
 * Frames have no FCS. Everything happens on the thread of the context that a backend was made with, which takes the
 * machine's lock for its calls into the card; the card calls with the lock. Nothing here waits: what does not go now is
 * not taken, and the card is told when to try again.
 *
 * A frame may have a header in front that says what is still to be done with it (struct virtio_net_hdr, 10 or 12
 * octets), in both directions, if the backend can (net_has_header) and the card has asked for it.
 */
#ifndef EMU_NET_NET_H
#define EMU_NET_NET_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

typedef struct Machine Machine;

enum {
    NET_HEADER_MAX = 12,
    NET_FRAME_MAX = NET_HEADER_MAX + 18 + 65535, /* octets, with the header of a large segment and a VLAN's tag */
};

/* What a card takes over from who sends to it (the numbers are Linux's TUN_F_). */
enum {
    NET_OFFLOAD_CSUM = 1 << 0, /* a checksum may be missing */
    NET_OFFLOAD_TSO4 = 1 << 1, /* a frame may be many segments, */
    NET_OFFLOAD_TSO6 = 1 << 2,
    NET_OFFLOAD_ECN = 1 << 3, /* with congestion notification, too */
    NET_OFFLOAD_UFO = 1 << 4,
};

typedef struct NetBackend NetBackend;

/* The card. */
typedef struct NetCard {
    /* Has it room for a frame? If not the backend keeps what it has, and net_flush asks it to try again. */
    bool (*can_receive)(void *opaque);

    /* Takes the frame, or drops it; false: not now, the same as above. */
    bool (*receive)(void *opaque, const struct iovec *iov, int count);
    void *opaque;

    /* No more frames are there for now; NULL: nobody cares. Only where the backend has said `more` before. */
    void (*settled)(void *opaque);
} NetCard;

typedef struct NetBackendOps {
    /* Takes a frame, or drops it; false: not now, and `sent` of net_attach is called when it can be tried again. */
    bool (*send)(NetBackend *backend, const struct iovec *iov, int count);
    void (*flush)(NetBackend *backend); /* the card has room (again) */
    void (*free)(NetBackend *backend);

    /* Of those that know headers; otherwise NULL. */
    void (*set_header)(NetBackend *backend, unsigned octets); /* 0: none */
    void (*set_offloads)(NetBackend *backend, unsigned offloads);
} NetBackendOps;

struct NetBackend {
    const NetBackendOps *ops;
    const char *kind; /* "user", "tap", ... */
    bool has_ufo;     /* with headers: it knows NET_OFFLOAD_UFO */
    NetCard card;     /* zeros: none */
    bool more;        /* when `receive` is called: other frames may follow at once, and then `settled` */
    void (*sent)(void *opaque);
};

/* The card calls net_flush when it has room for the first time. One of zeros takes the cable away. */
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

static inline bool net_has_header(const NetBackend *backend)
{
    return backend && backend->ops->set_header;
}

/* On the context's thread, when the card has gone. A machine may go before it. */
static inline void net_free(NetBackend *backend)
{
    if (backend)
        backend->ops->free(backend);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetBackend, net_free)

/* Reads an Ethernet address like 52:54:00:12:34:56, also with dashes. False, and nothing read: it is none. */
bool net_read_mac(const char *text, uint8_t mac[6]);

/* --- for who makes them ----------------------------------------------------------------------------------------- */

/* Where a backend lives. */
typedef struct NetHome {
    const char *id;        /* what messages call it */
    GMainContext *context; /* NULL: the default one */
    Machine *machine;      /* borrowed; NULL (not for "user"): only one thread knows of it */
} NetHome;

/* A port of the host's that leads to the guest. */
typedef struct NetForward {
    bool udp;
    const char *host; /* IPv4 address; NULL: all of the host's */
    uint16_t host_port;
    const char *guest; /* NULL: the first that DHCP gives */
    uint16_t guest_port;
} NetForward;

/* An address in the guest's network behind which there is something of the host's: a program or a unix socket. */
typedef struct NetService {
    const char *address; /* in `net`, and not the host's nor the name server's; NULL: the host's */
    uint16_t port;
    const char *command; /* started for each connection, which is its input and output; or */
    const char *path;
} NetService;

/* A network of its own, with the host as a gateway that needs no privilege. NULL and 0: as with QEMU's -netdev user. */
typedef struct NetUser {
    bool no_ipv4, no_ipv6;
    const char *net;  /* "10.0.2.0/24" */
    const char *host; /* the gateway: the second address of `net` */
    const char *dns;  /* the third */
    const char *dhcp_start;
    const char *ipv6_prefix; /* "fec0::/64" */
    const char *ipv6_host, *ipv6_dns;
    const char *hostname, *domain;
    const char *const *dns_search; /* NULL at the end */
    bool restricted;               /* nothing gets out but by forwards and services */
    const char *tftp, *tftp_server, *bootfile;
    const NetForward *forwards;
    size_t forward_count;
    const NetService *services;
    size_t service_count;
} NetUser;

/* Registers a section "slirp" with the machine. */
NetBackend *net_user_new(const NetHome *home, const NetUser *options, GError **error);

typedef struct NetTap {
    const char *ifname;              /* NULL: the host's choice, "tap%d" */
    bool use_fd;                     /* instead of all others: */
    int fd;                          /* an open one; taken if it is one */
    const char *script, *downscript; /* run with the name as argument, at the start and the end; NULL: none */
    bool no_header;
} NetTap;

NetBackend *net_tap_new(const NetHome *home, const NetTap *options, GError **error);
const char *net_tap_name(const NetBackend *backend); /* borrowed */

typedef enum NetSocketMode {
    NET_SOCKET_LISTEN,  /* at host, port; for one peer at a time */
    NET_SOCKET_CONNECT, /* to host, port */
    NET_SOCKET_MCAST,   /* the group host, port, from the interface that has local_host */
    NET_SOCKET_UDP,     /* to host, port from local_host, local_port */
    NET_SOCKET_FD,      /* fd: a connected socket of streams, or one of datagrams; taken if it is one */
} NetSocketMode;

/* What QEMU's -netdev socket talks: a datagram is a frame; in a stream each has its length in front, in 4 octets. */
typedef struct NetSocket {
    NetSocketMode mode;
    const char *host, *port, *local_host, *local_port; /* IPv4 or names */
    int fd;
} NetSocket;

/* Host names are looked up here, once: this may take its time. */
NetBackend *net_socket_new(const NetHome *home, const NetSocket *options, GError **error);

/* Where peers find it: "127.0.0.1:1234"; NULL if that is not known. Borrowed. */
const char *net_socket_address(const NetBackend *backend);

/* A Virtual Distributed Ethernet's switch: a folder or what else libvdeplug knows ("ptp:///run/link"). */
typedef struct NetVde {
    const char *sock; /* NULL: the default switch */
    uint16_t port;    /* of the switch; 0: any */
    const char *group;
    unsigned mode; /* of the port's socket; 0: as it is */
} NetVde;

NetBackend *net_vde_new(const NetHome *home, const NetVde *options, GError **error);

#endif
