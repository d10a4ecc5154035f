/*
 * virtio-rig.h: a PCI bus with one virtio device on it, and a driver that works its rings in the board's memory, as a
 * legacy one or as one of virtio 1.
 */
#ifndef TESTS_EMU_VIRTIO_RIG_H
#define TESTS_EMU_VIRTIO_RIG_H

#include <criterion/criterion.h>
#include <string.h>

#include "emu/pci/pci-bus.h"
#include "emu/virtio/virtio-devices.h"
#include "emu/virtio/virtio.h"
#include "tests/emu/support/board.h"
#include "tests/support/recordings.h"
#include "visitors/qemufile-out.h"
#include "vmstate/walk.h"

enum {
    RIG_DEVFN = PCI_DEVFN(2, 0),
    RIG_PIRQ = 32, /* probes */
    RIG_RAM = 128 << 20,
    RIG_PORTS = 0xc000,
    RIG_MSIX = 0xfebc0000,
    RIG_RING = 0x100000, /* of queue n at n * 64 KiB */
    RIG_BUFFERS = 0x400000,
};

#define RIG_MODERN UINT64_C(0x800000000) /* above 4 GiB */

enum { RIG_NEXT = 1, RIG_WRITE = 2, RIG_INDIRECT = 4 };

typedef struct Rig {
    Board *board;
    PciBus *bus;
    Device *dev;
    uint8_t *ram;
    bool modern;
    unsigned num[VIRTIO_QUEUES];
    uint64_t used_at[VIRTIO_QUEUES];
    uint16_t next[VIRTIO_QUEUES], seen[VIRTIO_QUEUES];
    unsigned messages;
    uint32_t last_message;
} Rig;

static inline void rig_message(void *opaque, uint64_t address, uint32_t data)
{
    Rig *rig = opaque;

    (void)address;
    rig->messages++;
    rig->last_message = data;
}

/* Takes a device that is not realized. */
static inline Rig *rig_new(Device *dev)
{
    Rig *rig = g_new0(Rig, 1);
    Device *host = device_new(&pci_host_type), *bus = device_new(&pci_bus_type);
    RamArea *ram = ram_area_new("pc.ram", RIG_RAM, RIG_RAM, NULL);

    rig->board = board_new();
    for (unsigned i = 0; i < PCI_PINS; i++)
        device_connect_irq(bus, "pirq", i, board_probe(rig->board, RIG_PIRQ + i));
    pci_host_set_bus(host, bus);
    board_add(rig->board, host);
    rig->bus = (PciBus *)board_add(rig->board, bus);
    rig->bus->send = rig_message;
    rig->bus->send_opaque = rig;
    machine_add_ram(rig->board->machine, ram);
    space_map(rig->board->machine->memory, &(SpaceMapping){.base = 0, .size = RIG_RAM, .ram = ram});
    rig->ram = ram->host;
    ((PciDevice *)dev)->bus = rig->bus;
    if (!((PciDevice *)dev)->devfn)
        ((PciDevice *)dev)->devfn = RIG_DEVFN;
    rig->dev = board_add(rig->board, dev);
    return rig;
}

static inline void rig_free(Rig *rig)
{
    board_free(rig->board);
    g_free(rig);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rig, rig_free)

static inline Virtio *rig_virtio(const Rig *rig)
{
    return (Virtio *)rig->dev;
}

static inline VirtioState *rig_state(const Rig *rig)
{
    return virtio_state(rig_virtio(rig));
}

/* --- configuration space and registers -------------------------------------------------------------------------- */

static inline uint32_t rig_config_in(Rig *rig, unsigned reg)
{
    board_out32(rig->board, 0xcf8, 0x80000000U | (uint32_t)((PciDevice *)rig->dev)->devfn << 8 | (reg & 0xfc));
    return board_in32(rig->board, 0xcfc);
}

static inline void rig_config_out(Rig *rig, unsigned reg, uint32_t value)
{
    board_out32(rig->board, 0xcf8, 0x80000000U | (uint32_t)((PciDevice *)rig->dev)->devfn << 8 | (reg & 0xfc));
    board_out32(rig->board, 0xcfc, value);
}

static inline uint64_t rig_in(Rig *rig, unsigned addr, unsigned size)
{
    return space_read(rig->board->machine->memory, RIG_MODERN + addr, size);
}

static inline void rig_out(Rig *rig, unsigned addr, uint64_t value, unsigned size)
{
    space_write(rig->board->machine->memory, RIG_MODERN + addr, value, size);
}

static inline uint64_t rig_memory_in(Rig *rig, uint64_t addr, unsigned size)
{
    return space_read(rig->board->machine->memory, addr, size);
}

static inline void rig_memory_out(Rig *rig, uint64_t addr, uint64_t value, unsigned size)
{
    space_write(rig->board->machine->memory, addr, value, size);
}

static inline void rig_map(Rig *rig)
{
    rig_config_out(rig, 0x10, RIG_PORTS);
    rig_config_out(rig, 0x14, RIG_MSIX);
    rig_config_out(rig, 0x20, (uint32_t)RIG_MODERN);
    rig_config_out(rig, 0x24, (uint32_t)(RIG_MODERN >> 32));
    rig_config_out(rig, 0x04, 7);
}

/* --- starting a device ------------------------------------------------------------------------------------------ */

static inline uint64_t rig_ring(unsigned queue)
{
    return RIG_RING + (uint64_t)queue * 0x10000;
}

static inline uint64_t rig_avail(const Rig *rig, unsigned queue)
{
    return rig_ring(queue) + 16 * (uint64_t)rig->num[queue];
}

static inline void rig_status(Rig *rig, uint8_t status)
{
    if (rig->modern)
        rig_out(rig, 0x14, status, 1);
    else
        board_out8(rig->board, RIG_PORTS + 18, status);
}

static inline uint8_t rig_status_in(Rig *rig)
{
    return rig->modern ? (uint8_t)rig_in(rig, 0x14, 1) : board_in8(rig->board, RIG_PORTS + 18);
}

static inline uint8_t rig_isr(Rig *rig)
{
    return rig->modern ? (uint8_t)rig_in(rig, 0x1000, 1) : board_in8(rig->board, RIG_PORTS + 19);
}

static inline void rig_features(Rig *rig, uint64_t features)
{
    if (!rig->modern) {
        board_out32(rig->board, RIG_PORTS + 4, (uint32_t)features);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        rig_out(rig, 0x08, i, 4);
        rig_out(rig, 0x0c, (uint32_t)(features >> 32 * i), 4);
    }
}

/* Memory of the ring is zeros. */
static inline void rig_queue(Rig *rig, unsigned queue)
{
    uint64_t desc = rig_ring(queue);

    memset(rig->ram + desc, 0, 0x10000);
    rig->next[queue] = rig->seen[queue] = 0;
    if (!rig->modern) {
        board_out16(rig->board, RIG_PORTS + 14, (uint16_t)queue);
        rig->num[queue] = board_in16(rig->board, RIG_PORTS + 12);
        rig->used_at[queue] = (rig_avail(rig, queue) + 4 + 2 * rig->num[queue] + 4095) & ~UINT64_C(4095);
        board_out32(rig->board, RIG_PORTS + 8, (uint32_t)(desc >> 12));
        return;
    }
    rig_out(rig, 0x16, queue, 2);
    rig->num[queue] = (unsigned)rig_in(rig, 0x18, 2);
    rig->used_at[queue] = (rig_avail(rig, queue) + 6 + 2 * rig->num[queue] + 3) & ~UINT64_C(3);
    rig_out(rig, 0x18, rig->num[queue], 2);
    rig_out(rig, 0x20, desc, 8);
    rig_out(rig, 0x28, rig_avail(rig, queue), 8);
    rig_out(rig, 0x30, rig->used_at[queue], 8);
    rig_out(rig, 0x1c, 1, 2);
}

/* As a driver does it (1.2, section 3.1.1). A modern one takes VERSION_1. */
static inline void rig_start(Rig *rig, bool modern, uint64_t features)
{
    rig->modern = modern;
    rig_map(rig);
    rig_status(rig, 0);
    rig_status(rig, VIRTIO_ACKNOWLEDGE);
    rig_status(rig, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
    rig_features(rig, features | (modern ? VIRTIO_F_VERSION_1 : 0));
    if (modern)
        rig_status(rig, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
    for (unsigned n = 0; n < rig_virtio(rig)->kind->queues; n++)
        rig_queue(rig, n);
    rig_status(rig, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK | (modern ? VIRTIO_FEATURES_OK : 0));
}

/* Does the device drive its line? It is alone on the bus. */
static inline bool rig_line(const Rig *rig)
{
    const bool *level = rig->board->level + RIG_PIRQ;

    return level[0] || level[1] || level[2] || level[3];
}

/* Vector n is vector n of the table, with data 0x4000 + n. */
static inline void rig_use_messages(Rig *rig)
{
    unsigned at = rig_virtio(rig)->msix.capability;

    for (unsigned n = 0; n < rig_virtio(rig)->kind->vectors; n++) {
        rig_memory_out(rig, RIG_MSIX + 16 * n, 0xfee00000, 4);
        rig_memory_out(rig, RIG_MSIX + 16 * n + 8, 0x4000 + n, 4);
        rig_memory_out(rig, RIG_MSIX + 16 * n + 12, 0, 4);
    }
    rig_config_out(rig, at, rig_config_in(rig, at) | 0x80000000U);
}

/* --- rings ------------------------------------------------------------------------------------------------------ */

static inline void rig_put(Rig *rig, uint64_t addr, const void *data, size_t len)
{
    memcpy(rig->ram + addr, data, len);
}

static inline uint16_t rig_get16(const Rig *rig, uint64_t addr)
{
    uint16_t value;

    memcpy(&value, rig->ram + addr, sizeof value);
    return GUINT16_FROM_LE(value);
}

static inline uint32_t rig_get32(const Rig *rig, uint64_t addr)
{
    uint32_t value;

    memcpy(&value, rig->ram + addr, sizeof value);
    return GUINT32_FROM_LE(value);
}

static inline void rig_put16(Rig *rig, uint64_t addr, uint16_t value)
{
    value = GUINT16_TO_LE(value);
    rig_put(rig, addr, &value, sizeof value);
}

typedef struct RigDesc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
} RigDesc;

/* A descriptor in any table. */
static inline void rig_desc_at(Rig *rig, uint64_t at, RigDesc d)
{
    d.addr = GUINT64_TO_LE(d.addr);
    d.len = GUINT32_TO_LE(d.len);
    d.flags = GUINT16_TO_LE(d.flags);
    d.next = GUINT16_TO_LE(d.next);
    rig_put(rig, at, &d, sizeof d);
}

static inline void rig_desc(Rig *rig, unsigned queue, unsigned n, RigDesc d)
{
    rig_desc_at(rig, rig_ring(queue) + 16 * (uint64_t)n, d);
}

static inline void rig_kick(Rig *rig, unsigned queue)
{
    if (rig->modern)
        rig_out(rig, 0x3000 + 4 * queue, queue, 2);
    else
        board_out16(rig->board, RIG_PORTS + 16, (uint16_t)queue);
}

/* Makes a chain available. */
static inline void rig_offer(Rig *rig, unsigned queue, uint16_t head)
{
    uint64_t avail = rig_avail(rig, queue);

    rig_put16(rig, avail + 4 + 2 * (rig->next[queue] % rig->num[queue]), head);
    rig_put16(rig, avail + 2, ++rig->next[queue]);
}

static inline uint16_t rig_used_index(const Rig *rig, unsigned queue)
{
    return rig_get16(rig, rig->used_at[queue] + 2);
}

/* The next chain that came back: its head, and *len; -1: none. */
static inline int rig_take(Rig *rig, unsigned queue, uint32_t *len)
{
    uint64_t entry = rig->used_at[queue] + 4 + 8 * (uint64_t)(rig->seen[queue] % rig->num[queue]);

    if (rig->seen[queue] == rig_used_index(rig, queue))
        return -1;
    rig->seen[queue]++;
    if (len)
        *len = rig_get32(rig, entry + 4);
    return (int)rig_get32(rig, entry);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

/* A sink that takes the octets of one section, which QEMU describes as a field that nobody described. */
typedef struct RigCatch {
    StreamSink sink;
    const char *name;
    ByteOut *octets;
    bool found;
} RigCatch;

static inline bool rig_catch(StreamSink *sink, const StreamSection *section, GError **error)
{
    RigCatch *c = (RigCatch *)sink;

    (void)error;
    if (section->configuration || strcmp(section->name, c->name) != 0)
        return true;
    c->found = true;
    if (section->octets) {
        byte_out_put(c->octets, section->octets, section->len);
        return true;
    }
    g_autoptr(Visitor) v = qemufile_out_new(c->octets, section->name);
    vmstate_save(v, section->desc, section->state);
    return visit_finish(v, error);
}

static inline void rig_recorded(const Rig *rig, const char *recording, ByteOut *octets)
{
    static const StreamSinkOps ops = {.section = rig_catch};
    g_autofree char *file = g_strconcat(recording, ".mig", NULL);
    g_autofree char *name = g_strdup_printf("%s/%s", rig->dev->path, rig->dev->type->state->name);
    RigCatch c = {.sink.ops = &ops, .name = name, .octets = octets};
    g_autoptr(GError) error = NULL;
    ByteOut stream = {0};

    recording_read(file, &stream);
    cr_assert(load_stream(&stream, STREAM_MACHINE, &c.sink, &error), "%s: %s", recording, error->message);
    cr_assert(c.found, "%s has no %s", recording, name);
    byte_out_done(&stream);
}

/* A ring in memory that says that all chains came back, as far as the recorded state says that it was read. */
static inline void rig_quiet_ring(Rig *rig, uint64_t avail, uint64_t used, uint16_t index)
{
    rig_put16(rig, avail + 2, index);
    rig_put16(rig, used + 2, index);
}

/* Loads what QEMU recorded, and fails the test unless what is saved then is the same, octet for octet. */
static inline void rig_load_recorded(Rig *rig, const char *recording)
{
    int version = rig->dev->type->state->version;
    g_autoptr(GError) error = NULL;
    ByteOut octets = {0}, saved = {0};

    rig_recorded(rig, recording, &octets);
    cr_assert(board_load(rig->board, rig->dev, octets.data, octets.len, version, &error), "%s: %s", recording,
              error ? error->message : "");
    board_save(rig->board, rig->dev, &saved);
    cr_assert_eq(saved.len, octets.len, "%s: %zu octets, QEMU has %zu", recording, saved.len, octets.len);
    for (size_t i = 0; i < saved.len; i++)
        cr_assert_eq(saved.data[i], octets.data[i], "%s: octet 0x%zx is 0x%02x, QEMU has 0x%02x", recording, i,
                     saved.data[i], octets.data[i]);
    byte_out_done(&octets);
    byte_out_done(&saved);
}

#endif
