/* virtio-board.c: a virtio device for a guest that means no good. */
#include "tests/fuzz/support/virtio-board.h"

#include <string.h>
#include <unistd.h>

#include "tests/fuzz/support/fuzz.h"
#include "visitors/ber-in.h"
#include "visitors/ber-out.h"
#include "visitors/qemufile-in.h"
#include "visitors/qemufile-out.h"
#include "vmstate/state.h"
#include "vmstate/walk.h"

enum { DISK = 64 * 512, CANARY = 0x5a, ROM_OCTET = 0x33, ITERATIONS = 4096 };

/* --- backends ---------------------------------------------------------------------------------------------------- */

static void count_up(void *opaque, void *data, size_t len)
{
    VirtioBoard *b = opaque;

    for (size_t i = 0; i < len; i++)
        ((uint8_t *)data)[i] = (uint8_t)(b->octets + i);
    b->octets += len;
}

/* The ends of each piece must be there. */
static bool net_take(NetBackend *backend, const struct iovec *iov, int count)
{
    VbNet *net = (VbNet *)backend;

    fuzz_check(count > 0, "a frame of no pieces");
    for (int i = 0; i < count; i++) {
        size_t n = MIN(iov[i].iov_len, 64);
        fuzz_check(n > 0, "a piece of a frame has no octets");
        fuzz_touch(iov[i].iov_base, n);
        fuzz_touch((const char *)iov[i].iov_base + iov[i].iov_len - n, n);
    }
    if (!net->room)
        return false;
    net->room--;
    return true;
}

static void net_nothing(NetBackend *backend)
{
    (void)backend;
}

static void net_number(NetBackend *backend, unsigned number)
{
    (void)backend;
    fuzz_check(number < 32, "an offload that is none");
}

static const NetBackendOps plain_ops = {.send = net_take, .flush = net_nothing, .free = net_nothing};
static const NetBackendOps header_ops = {
    .send = net_take, .flush = net_nothing, .free = net_nothing, .set_header = net_number, .set_offloads = net_number};

/* --- building ---------------------------------------------------------------------------------------------------- */

static int64_t virtual_time(void *opaque)
{
    return ((VirtioBoard *)opaque)->virtual_ns;
}

static void message(void *opaque, uint64_t address, uint32_t data)
{
    (void)opaque;
    (void)address;
    (void)data;
}

static void add(VirtioBoard *b, Device *dev)
{
    GError *error = NULL;

    fuzz_check(device_realize(dev, b->machine, &error), "%s: %s", dev->type->name, fuzz_message(error));
}

static RamArea *add_memory(VirtioBoard *b, const char *name, uint64_t base, uint64_t size, bool read_only)
{
    RamArea *area = ram_area_new(name, size + VB_GUARD, size + VB_GUARD, NULL);

    fuzz_check(area, "no memory");
    memset(area->host + size, CANARY, VB_GUARD);
    machine_add_ram(b->machine, area);
    space_map(b->machine->memory,
              &(SpaceMapping){.base = base, .size = size, .ram = area, .read_only = read_only, .priority = -1});
    return area;
}

static Device *new_device(VirtioBoard *b, unsigned queues)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 1, 2, 3};
    const BlkMemory disk = {.context = b->context, .length = DISK, .discard = true};
    Device *dev = device_new(b->kind == VB_RNG   ? &virtio_rng_type
                             : b->kind == VB_BLK ? &virtio_blk_type
                                                 : &virtio_net_type);

    if (b->kind == VB_RNG) {
        virtio_rng_set_source(dev, count_up, b);
    } else if (b->kind == VB_BLK) {
        b->block = blk_memory_new(&disk, NULL);
        virtio_blk_set_block(dev, b->block, "serial");
        virtio_blk_set_queues(dev, queues);
    } else {
        b->net.b = (NetBackend){
            .ops = b->kind == VB_NET ? &plain_ops : &header_ops, .kind = "fuzz", .has_ufo = b->kind == VB_NET_HEADER};
        b->net.room = UINT32_MAX;
        virtio_net_set_backend(dev, &b->net.b, mac);
    }
    return dev;
}

/* --- a kernel that can hang doorbells ---------------------------------------------------------------------------- */

typedef struct Wire {
    BellPlace place;
    uint64_t addr;
    int event;
} Wire;

static guint find_wire(const VirtioBoard *b, const BellPlace *p, uint64_t addr)
{
    guint i = 0;

    for (; i < b->wires->len; i++) {
        const Wire *w = &g_array_index(b->wires, Wire, i);
        if (w->addr == addr && w->place.ports == p->ports && w->place.only == p->only && w->place.value == p->value)
            break;
    }
    return i;
}

static bool wire(void *opaque, const BellPlace *place, uint64_t addr, int event, bool on)
{
    VirtioBoard *b = opaque;
    const Wire new = {*place, addr, event};
    guint at = find_wire(b, place, addr);

    fuzz_check(on == (at == b->wires->len), "a doorbell is hung up twice, or taken down");
    if (on)
        g_array_append_val(b->wires, new);
    else
        g_array_remove_index_fast(b->wires, at);
    return true;
}

void virtio_board_write(VirtioBoard *b, bool port, uint64_t addr, uint64_t value, unsigned size)
{
    const uint64_t one = 1;

    for (guint i = 0; i < b->wires->len; i++) {
        const Wire *w = &g_array_index(b->wires, Wire, i);
        const BellPlace *p = &w->place;
        if (w->addr != addr || p->ports != port || (p->size && p->size != size) || (p->only && p->value != value))
            continue;
        fuzz_check(write(w->event, &one, sizeof one) == sizeof one, "a doorbell's event takes nothing");
        return;
    }
    space_write(port ? b->machine->ports : b->machine->memory, addr, value, size);
}

/* --- life -------------------------------------------------------------------------------------------------------- */

VirtioBoard *virtio_board_new(VbKind kind, unsigned queues, bool bells)
{
    VirtioBoard *b = g_new0(VirtioBoard, 1);
    Device *host = device_new(&pci_host_type), *bus = device_new(&pci_bus_type);

    b->kind = kind;
    b->context = g_main_context_new();
    b->machine = machine_new(&(MachineClocks){virtual_time, virtual_time, b});
    b->wires = g_array_new(FALSE, FALSE, sizeof(Wire));
    if (bells)
        bells_new(b->machine, b->context, wire, b);
    space_update_start(b->machine->memory);
    b->low = add_memory(b, "pc.ram", 0, VB_LOW, false);
    b->rom = add_memory(b, "pc.rom", VB_LOW, VB_ROM, true);
    b->high = add_memory(b, "high", VB_HIGH_BASE, VB_HIGH, false);
    memset(b->rom->host, ROM_OCTET, VB_ROM);
    pci_host_set_bus(host, bus);
    add(b, host);
    add(b, bus);
    b->bus = (PciBus *)bus;
    b->bus->send = message;
    Device *dev = new_device(b, queues);
    ((PciDevice *)dev)->bus = b->bus;
    ((PciDevice *)dev)->devfn = PCI_DEVFN(2, 0);
    add(b, dev);
    b->v = (Virtio *)dev;
    space_update_end(b->machine->memory);
    machine_set_running(b->machine, true);
    return b;
}

static void check_memory(const RamArea *area, uint64_t size)
{
    for (unsigned i = 0; i < VB_GUARD; i++)
        fuzz_check(area->host[size + i] == CANARY, "%s: octet 0x%x behind its end was written", area->name, i);
}

void virtio_board_free(VirtioBoard *b)
{
    check_memory(b->low, VB_LOW);
    check_memory(b->rom, VB_ROM);
    check_memory(b->high, VB_HIGH);
    for (unsigned i = 0; i < VB_ROM; i++)
        fuzz_check(b->rom->host[i] == ROM_OCTET, "octet 0x%x was written though it can only be read", i);
    if (b->block)
        blk_memory_hold(b->block, false);
    machine_free(b->machine);
    fuzz_check(b->wires->len == 0, "%u doorbells are left", b->wires->len);
    g_array_unref(b->wires);
    if (b->block)
        block_free(b->block);
    g_main_context_unref(b->context);
    g_free(b);
}

/* --- running ----------------------------------------------------------------------------------------------------- */

void virtio_board_iterate(VirtioBoard *b)
{
    for (unsigned i = 0; i < ITERATIONS && g_main_context_iteration(b->context, FALSE); i++)
        ;
}

void virtio_board_advance(VirtioBoard *b, int64_t ns)
{
    b->virtual_ns += ns;
    if (b->machine->running)
        clock_run(b->machine->virtual_clock);
    virtio_board_iterate(b);
}

/* --- saving and loading ------------------------------------------------------------------------------------------ */

static const Section *section_of(const VirtioBoard *b)
{
    for (size_t i = 0; i < section_list_length(b->machine->sections); i++)
        if (section_list_get(b->machine->sections, i)->opaque == b->v)
            return section_list_get(b->machine->sections, i);
    fuzz_broken("the device has no section");
}

void virtio_board_save(VirtioBoard *b, VbFormat format, ByteOut *octets)
{
    const Section *s = section_of(b);
    GError *error = NULL;
    Visitor *v =
        format == VB_QEMUFILE ? qemufile_out_new(octets, s->name) : ber_out_new(octets, s->name, BER_CONTEXT, 0);

    fuzz_check(section_save(s, v, &error), "%s does not save: %s", s->name, fuzz_message(error));
}

bool virtio_board_load(VirtioBoard *b, VbFormat format, const ByteOut *octets, GError **error)
{
    const Section *s = section_of(b);
    g_autoptr(SectionLoad) load = section_load_new(b->machine->sections);
    g_autoptr(ChanIn) in = chan_in_new_memory(octets->data, octets->len, 0);
    Visitor *v = format == VB_QEMUFILE ? qemufile_in_new(in, s->name)
                                       : ber_in_new(octets->data, octets->len, 0, s->name, BER_CONTEXT, 0);
    void *before = vms_state_new(s->desc);

    vms_state_copy(s->desc, before, s->state);
    bool ok = section_load_one(load, s, v, s->desc->version, format == VB_BER_BY_NAME ? s->desc : NULL, error) &&
              section_load_commit(load, error);
    fuzz_check(ok || vms_state_equal(s->desc, before, s->state), "%s was refused, and has changed", s->name);
    vms_state_free(s->desc, before);
    return ok;
}

/* Saves, loads and saves; a device that finds nonsense in its rings then is broken, which it was not before. */
static bool again(VirtioBoard *b, VbFormat format)
{
    ByteOut once = {0}, twice = {0};
    GError *error = NULL;
    bool was_broken = virtio_state(b->v)->broken;

    virtio_board_save(b, format, &once);
    fuzz_check(virtio_board_load(b, format, &once, &error), "what is saved does not load: %s", fuzz_message(error));
    virtio_board_save(b, format, &twice);
    bool breaks = !was_broken && virtio_state(b->v)->broken;
    fuzz_check(breaks || (once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0),
               "it is another one when it is loaded again");
    byte_out_done(&once);
    byte_out_done(&twice);
    return breaks;
}

void virtio_board_save_and_load(VirtioBoard *b, VbFormat format)
{
    bool running = b->machine->running;

    if (b->block)
        blk_memory_hold(b->block, false);
    machine_set_running(b->machine, false);
    if (again(b, format))
        fuzz_check(!again(b, format), "it breaks twice");
    machine_set_running(b->machine, running);
}
