/*
 * kvmvapic.c: the section "kvm-tpr-opt": what the option ROM kvmvapic.bin, if the firmware has run it, and QEMU have
 * agreed on to make 32-bit Windows' accesses to the task priority register cheaper.
 *
 * Not modelled: all that it does. Processors since 2008 need none of it, and this machine offers no such ROM; what a
 * stream brings is kept, so that the guest finds it where it goes next.
 */
#include "emu/dev/dev.h"

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
    VapicState s;
} Vapic;

enum { VAPIC_STATES = 3 };

static bool check(const void *state, GError **error)
{
    const VapicState *s = state;

    if (s->state < VAPIC_STATES)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "state is %u, it must be below %u", s->state,
                (unsigned)VAPIC_STATES);
    return false;
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

static void reset(Device *dev)
{
    ((Vapic *)dev)->s = (VapicState){.state = 0};
}

const DeviceType kvmvapic_type = {
    .name = "kvmvapic",
    .about = "state of the option ROM for the task priority register",
    .size = sizeof(Vapic),
    .state = &vapic_state,
    .state_offset = offsetof(Vapic, s),
    .reset = reset,
};
