/*
 * kvmvapic.c: the section "kvm-tpr-opt": what the option ROM kvmvapic.bin, if the firmware has run it, and QEMU have
 * agreed on to make 32-bit Windows' accesses to the task priority register cheaper.
 *
 * The ROM writes 16 bits to port 0x7e: where in it, counted from its block of 512 octets, its own state is; the address
 * of the block is that of the instruction. As measured on QEMU 7.2, it must start with a length that is not 0, as
 * option ROMs do (PCI Firmware Specification, 5.1.2: the third octet, in units of 512), and the state must lie in it.
 * From then on all is ready, and waits for a processor that would need it.
 *
 * Not modelled: the rest. Instructions of the guest are changed only for processors that trap each access to the TPR
 * (those before 2008), so what waits never becomes active here, and octets and 32 bits written to the port, by which
 * changed instructions ask for interrupts, mean nothing. A stream that has it active is refused: its guest keeps its
 * priority in memory, where nobody would look.
 */
#include "emu/dev/kvmvapic.h"
#include "emu/core/machine.h"
#include "emu/dev/dev.h"

enum {
    PORT = 0x7e,
    PORTS = 2,
    BLOCK = 512,
    LENGTH = 2, /* in the ROM's header */
    WAITING = 2,
    ACTIVE = 1,
    STATES = 3,
};

typedef struct VapicHandlers {
    uint32_t set_tpr, set_tpr_eax, get_tpr[8], get_tpr_stack;
} VapicHandlers;

typedef struct VapicRom {
    uint32_t vaddr, fixup_start, fixup_end, vapic_vaddr, vapic_size, vcpu_shift, real_tpr_addr;
    VapicHandlers up, mp;
} VapicRom;

typedef struct VapicState {
    VapicRom rom_state;
    uint32_t state; /* 0 inactive, 1 active, 2 waiting */
    uint32_t real_tpr_addr, rom_state_vaddr, vapic_paddr, rom_state_paddr;
} VapicState;

typedef struct Vapic {
    Device dev;
    KvmvapicWhere *where;
    void *opaque;
    SpaceId ports;
    VapicState s;
} Vapic;

static bool check(const void *state, GError **error)
{
    const VapicState *s = state;

    if (s->state >= STATES)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "state is %u, it must be below %d", s->state, STATES);
    else if (s->state == ACTIVE)
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "state is %d (active): the guest's accesses to the TPR were replaced for a processor that traps "
                    "them; the destination has none, and takes 0 (inactive) and %d (waiting)",
                    ACTIVE, WAITING);
    return s->state < STATES && s->state != ACTIVE;
}

static const VMStateField handler_fields[] = {
    VMS_FIELD(VapicHandlers, set_tpr),
    VMS_FIELD(VapicHandlers, set_tpr_eax),
    VMS_ARRAY(VapicHandlers, get_tpr),
    VMS_FIELD(VapicHandlers, get_tpr_stack),
    VMS_END,
};
static const VMStateDescription handlers = {
    .name = "kvmvapic-handlers", .version = 1, .minimum = 1, .size = sizeof(VapicHandlers), .fields = handler_fields};

static const VMStateField rom_fields[] = {
    VMS_PAD(8), /* a signature */
    VMS_FIELD(VapicRom, vaddr),
    VMS_FIELD(VapicRom, fixup_start),
    VMS_FIELD(VapicRom, fixup_end),
    VMS_FIELD(VapicRom, vapic_vaddr),
    VMS_FIELD(VapicRom, vapic_size),
    VMS_FIELD(VapicRom, vcpu_shift),
    VMS_FIELD(VapicRom, real_tpr_addr),
    VMS_SUB(VapicRom, up, &handlers),
    VMS_SUB(VapicRom, mp, &handlers),
    VMS_END,
};
static const VMStateDescription rom = {
    .name = "kvmvapic-guest-rom", .version = 1, .minimum = 1, .size = sizeof(VapicRom), .fields = rom_fields};

static const VMStateField fields[] = {
    VMS_SUB(VapicState, rom_state, &rom),
    VMS_FIELD(VapicState, state),
    VMS_FIELD(VapicState, real_tpr_addr),
    VMS_FIELD(VapicState, rom_state_vaddr),
    VMS_FIELD(VapicState, vapic_paddr),
    VMS_FIELD(VapicState, rom_state_paddr),
    VMS_END,
};

static const VMStateDescription vapic_state = {
    .name = "kvm-tpr-opt",
    .version = 1,
    .minimum = 1,
    .size = sizeof(VapicState),
    .fields = fields,
    .check = check,
};

/* --- the port --------------------------------------------------------------------------------------------------- */

static uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    (void)opaque;
    (void)addr;
    return size == 1 ? 0xff : size == 2 ? 0xffff : 0xffffffff;
}

static void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Vapic *p = opaque;
    uint64_t at;

    if (addr != 0 || size != 2 || !p->where || !p->where(p->opaque, &at))
        return;
    at &= UINT32_MAX & ~(uint64_t)(BLOCK - 1);
    uint64_t length = space_read(p->dev.machine->memory, at + LENGTH, 1) * BLOCK;
    if (value >= length)
        return;
    p->s.rom_state_paddr = (uint32_t)(at + value);
    p->s.state = WAITING;
}

static const IoOps ops = {.read = read_port, .write = write_port, .max = 4};

/* --- life ------------------------------------------------------------------------------------------------------- */

void kvmvapic_set_cpu(Device *dev, KvmvapicWhere *where, void *opaque)
{
    Vapic *p = (Vapic *)dev;

    p->where = where;
    p->opaque = opaque;
}

static void reset(Device *dev)
{
    ((Vapic *)dev)->s = (VapicState){.state = 0};
}

static bool realize(Device *dev, GError **error)
{
    Vapic *p = (Vapic *)dev;

    (void)error;
    p->ports = space_map(dev->machine->ports, &(SpaceMapping){.base = PORT, .size = PORTS, .ops = &ops, .opaque = p});
    return true;
}

static void unrealize(Device *dev)
{
    Vapic *p = (Vapic *)dev;

    space_unmap(dev->machine->ports, p->ports);
}

const DeviceType kvmvapic_type = {
    .name = "kvmvapic",
    .about = "state of the option ROM for the task priority register",
    .size = sizeof(Vapic),
    .state = &vapic_state,
    .state_offset = offsetof(Vapic, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
