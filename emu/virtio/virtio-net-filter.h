/* virtio-net-filter.h: which frames a virtio-net card takes, for those who ask. */
#ifndef EMU_VIRTIO_VIRTIO_NET_FILTER_H
#define EMU_VIRTIO_VIRTIO_NET_FILTER_H

#include <stdbool.h>
#include <stdint.h>

enum { VIRTIO_NET_FILTER_MACS = 64, VIRTIO_NET_FILTER_VLANS = 4096 };

typedef struct VirtioNetFilter {
    bool promiscuous, all_multicast, no_multicast, all_unicast, no_unicast, no_broadcast;
    bool multicast_overflow, unicast_overflow;
    bool filters_vlans; /* else it takes all */
    uint8_t mac[6];
    unsigned count;
    uint8_t macs[VIRTIO_NET_FILTER_MACS][6];
    uint8_t vlans[VIRTIO_NET_FILTER_VLANS / 8]; /* lowest bit first */
} VirtioNetFilter;

#endif
