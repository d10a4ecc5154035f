/*
 * virtio-devices.h: the types of the virtio devices. Each is on the PCI bus: `bus` and `devfn` of its PciDevice are set
 * before it is realized.
 */
#ifndef EMU_VIRTIO_VIRTIO_DEVICES_H
#define EMU_VIRTIO_VIRTIO_DEVICES_H

#include "emu/block/block.h"
#include "emu/core/device.h"
#include "emu/net/net.h"

/* virtio-rng.c: random octets, the host's unless it is told of another source. */
extern const DeviceType virtio_rng_type;
typedef void VirtioRngSource(void *opaque, void *data, size_t len);
void virtio_rng_set_source(Device *dev, VirtioRngSource *source, void *opaque);
const char *virtio_rng_object(const Device *dev); /* the option `rng`; NULL: none */

/* virtio-blk.c: a disk; borrowed, and it outlives the device. `serial`: at most 20 octets; NULL: none. */
extern const DeviceType virtio_blk_type;
void virtio_blk_set_block(Device *dev, Block *block, const char *serial);

/* How many queues it has, unless its options say so: at most 8, 1 if nothing is said. Before it is realized. */
void virtio_blk_set_queues(Device *dev, unsigned count);

/* What its options say: the disk's name and serial, NULL if nothing; its place in the boot order, -1: none. */
const char *virtio_blk_drive(const Device *dev);
const char *virtio_blk_serial(const Device *dev);
int32_t virtio_blk_bootindex(const Device *dev);

/* virtio-net.c: a network card. The backend (NULL: no cable) is borrowed, and outlives it. The ROM is copied. */
extern const DeviceType virtio_net_type;
void virtio_net_set_backend(Device *dev, NetBackend *net, const uint8_t mac[6]);
void virtio_net_set_rom(Device *dev, const void *octets, size_t len);
/* What its options say; NULL: nothing. An empty ROM's name: none. */
const char *virtio_net_netdev(const Device *dev);
const char *virtio_net_mac(const Device *dev);
const char *virtio_net_romfile(const Device *dev);
int32_t virtio_net_bootindex(const Device *dev);
void virtio_net_own_mac(const Device *dev, uint8_t mac[6]); /* the one that it was made with */
void virtio_net_set_link(Device *dev, bool up);
struct VirtioNetFilter;
void virtio_net_get_filter(const Device *dev, struct VirtioNetFilter *filter);
void virtio_net_announce(Device *dev); /* the driver is asked to tell the network where it is */

#endif
