/*
 * virtio-board.h: a PCI bus with one virtio device on it, for a guest that means no good: memory with a part that
 * cannot be written, a hole, and a part above 4 GiB; backends that do as they are told.
 */
#ifndef TESTS_FUZZ_SUPPORT_VIRTIO_BOARD_H
#define TESTS_FUZZ_SUPPORT_VIRTIO_BOARD_H

#include "emu/block/blk-memory.h"
#include "emu/core/machine.h"
#include "emu/pci/pci-bus.h"
#include "emu/virtio/virtio-devices.h"
#include "emu/virtio/virtio.h"
#include "visitors/bytes.h"

enum {
    VB_LOW = 0x40000, /* memory at 0; */
    VB_ROM = 0x10000, /* behind it what can be read only, and then nothing */
    VB_HIGH = 0x10000,
    VB_GUARD = 0x1000, /* octets behind each that the guest does not have */
    VB_PORTS = 0xc000,
    VB_MSIX = 0xfebc0000,
};

#define VB_HIGH_BASE   UINT64_C(0x100000000)
#define VB_MODERN_BASE UINT64_C(0x800000000)

typedef enum VbKind { VB_RNG, VB_BLK, VB_NET, VB_NET_HEADER, VB_KINDS } VbKind;
typedef enum VbFormat { VB_QEMUFILE, VB_BER, VB_BER_BY_NAME, VB_FORMATS } VbFormat;

typedef struct VbNet {
    NetBackend b;
    unsigned room; /* frames that go yet */
} VbNet;

typedef struct VirtioBoard {
    Machine *machine;
    int64_t virtual_ns;
    GMainContext *context;
    PciBus *bus;
    Virtio *v;
    VbKind kind;
    RamArea *low, *rom, *high;
    Block *block;
    VbNet net;
    uint64_t octets; /* that were made for the guest */
    GArray *wires;   /* of doorbells, as the kernel has them */
} VirtioBoard;

/* queues: of a disk. bells: doorbells are answered by the loop. */
VirtioBoard *virtio_board_new(VbKind kind, unsigned queues, bool bells);
void virtio_board_free(VirtioBoard *board); /* looks whether the guest has changed what it does not have */

/* A write by a processor, to memory or to a port. */
void virtio_board_write(VirtioBoard *board, bool port, uint64_t addr, uint64_t value, unsigned size);

/* Lets the time pass, and the backends do what they can. */
void virtio_board_advance(VirtioBoard *board, int64_t ns);
void virtio_board_iterate(VirtioBoard *board);

void virtio_board_save(VirtioBoard *board, VbFormat format, ByteOut *octets);

/* All or nothing; aborts if it was refused and has changed something. */
bool virtio_board_load(VirtioBoard *board, VbFormat format, const ByteOut *octets, GError **error);

/* The machine stops; what is saved must load, and be the same when it is saved then; and the machine goes on. */
void virtio_board_save_and_load(VirtioBoard *board, VbFormat format);

#endif
