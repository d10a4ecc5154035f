/* virtio-net-impl.h: what virtio-net.c and virtio-net-control.c know of each other. */
#ifndef EMU_VIRTIO_VIRTIO_NET_IMPL_H
#define EMU_VIRTIO_VIRTIO_NET_IMPL_H

#include "emu/core/clock.h"
#include "emu/net/net.h"
#include "emu/virtio/virtio.h"

enum { NET_MAC = 6, NET_MACS = 64, NET_VLANS = 4096 };

/* Features (section 5.1.3). */
#define NET_F_CSUM                VIRTIO_F(0)
#define NET_F_GUEST_CSUM          VIRTIO_F(1)
#define NET_F_CTRL_GUEST_OFFLOADS VIRTIO_F(2)
#define NET_F_MAC                 VIRTIO_F(5)
#define NET_F_GSO                 VIRTIO_F(6) /* of legacy drivers: any of 11 to 14 */
#define NET_F_GUEST_TSO4          VIRTIO_F(7)
#define NET_F_GUEST_TSO6          VIRTIO_F(8)
#define NET_F_GUEST_ECN           VIRTIO_F(9)
#define NET_F_GUEST_UFO           VIRTIO_F(10)
#define NET_F_HOST_TSO4           VIRTIO_F(11)
#define NET_F_HOST_TSO6           VIRTIO_F(12)
#define NET_F_HOST_ECN            VIRTIO_F(13)
#define NET_F_HOST_UFO            VIRTIO_F(14)
#define NET_F_MRG_RXBUF           VIRTIO_F(15)
#define NET_F_STATUS              VIRTIO_F(16)
#define NET_F_CTRL_VQ             VIRTIO_F(17)
#define NET_F_CTRL_RX             VIRTIO_F(18)
#define NET_F_CTRL_VLAN           VIRTIO_F(19)
#define NET_F_CTRL_RX_EXTRA       VIRTIO_F(20)
#define NET_F_GUEST_ANNOUNCE      VIRTIO_F(21)
#define NET_F_CTRL_MAC_ADDR       VIRTIO_F(23)
#define NET_F_GUEST_OFFLOADS                                                                                           \
    (NET_F_GUEST_CSUM | NET_F_GUEST_TSO4 | NET_F_GUEST_TSO6 | NET_F_GUEST_ECN | NET_F_GUEST_UFO)

enum { NET_S_LINK_UP = 1, NET_S_ANNOUNCE = 2 };

enum { QUEUE_RX, QUEUE_TX, QUEUE_CONTROL, QUEUES };

typedef struct VirtioNetMac {
    uint8_t octets[NET_MAC];
} VirtioNetMac;

typedef struct VirtioNetState {
    VirtioState virtio;
    uint8_t mac[NET_MAC];
    uint32_t tx_waiting; /* the guest has told of frames that nobody has looked at */
    uint32_t mergeable_rx_bufs;
    uint16_t link_status;
    uint8_t promisc, allmulti;
    uint32_t mac_count;
    VirtioNetMac macs[NET_MACS];  /* first those of one card, then those of many */
    uint8_t vlans[NET_VLANS / 8]; /* lowest bit first */
    uint32_t has_vnet_hdr;        /* the source's backend has headers */
    uint8_t multi_overflow, uni_overflow, alluni, nomulti, nouni, nobcast, has_ufo;
    uint64_t guest_offloads; /* as bits of features; if the guest may change them */

    bool can_header, can_ufo; /* the backend here; does not change */
} VirtioNetState;

typedef struct VirtioNet {
    Virtio v;
    NetBackend *net; /* borrowed; NULL: no cable */
    uint8_t own_mac[NET_MAC];
    void *rom;
    size_t rom_size;
    RamArea *rom_area;    /* what the guest sees of it; the machine's */
    unsigned header;      /* octets in front of each frame in the guest's buffers */
    unsigned untold;      /* frames that have come, of which the guest was not told yet */
    bool tx_blocked;      /* until the backend says that more goes */
    Timer tx, announce;   /* announce: the driver is to tell the network where it is */
    unsigned rounds_left; /* of announcements */

    /* options */
    char *netdev, *mac_text, *romfile;
    int32_t bootindex;

    VirtioNetState s;
} VirtioNet;

enum { NET_HEADER_WITH_COUNT = 12 }; /* octets */

/* When many frames come or go, the guest is told after so many: it does something meanwhile. */
enum { NET_TELL_AFTER = 16 };

static inline bool net_is_ready(const VirtioNet *n)
{
    return n->s.virtio.status & VIRTIO_DRIVER_OK && virtio_is_alive(&n->v);
}

/* virtio-net-receive.c: what the backend calls. */
bool net_can_receive(void *opaque);
bool net_receive(void *opaque, const struct iovec *iov, int count);
void net_settled(void *opaque);

/* virtio-net-control.c */
void net_control_notified(VirtioNet *n);

/* Is the guest to see a frame that begins so? `eth` has 18 octets, zeros behind the frame's end. */
bool net_filter(const VirtioNet *n, const uint8_t *eth);

/* virtio-net.c */
void net_apply_offloads(VirtioNet *n);
uint64_t net_allowed_offloads(const VirtioNet *n);
void net_next_announcement(VirtioNet *n);

#endif
