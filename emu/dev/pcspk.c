/*
 * pcspk.c: system control port B, with the gate of the PIT's channel 2 and the speaker's data.
 *
 * Source: IBM PS/2 Model 50/60 Technical Reference, "System Control Port B"; Intel 82371SB (PIIX3) data sheet (290550),
 * NMISC, "NMI status and control register".
 * Port: 0x61. Wiring: pcspk_set_pit.
 * Not modelled: sound: nobody hears the speaker. The NMIs of parity and channel check (bits 2, 3, 6 and 7 are 0), for
 * which there is no room in the stream.
 *
 * Bit 4 toggles with each request to refresh memory, which come every 15 us: programs wait by it. On the chip channel 1
 * makes them; here they come of the clock, for KVM's PIT does not show that channel's pin.
 */
#include "emu/dev/pcspk.h"

#include "emu/core/machine.h"
#include "emu/dev/dev.h"

enum {
    PCSPK_PORT = 0x61,
    PCSPK_GATE = 1 << 0,
    PCSPK_DATA = 1 << 1,
    PCSPK_REFRESH = 1 << 4,
    PCSPK_OUT = 1 << 5,

    PIT_CHANNEL = 2,
    REFRESH_NS = 15085, /* 18 periods of the PIT's clock */
};

typedef struct PcspkState {
    uint8_t data_on;             /* 0 or 1 */
    uint8_t dummy_refresh_clock; /* bit 4 as it was when it was last read */
} PcspkState;

typedef struct Pcspk {
    Device dev;
    const PitOps *pit_ops; /* borrowed, as is the PIT */
    Device *pit;
    SpaceId ports;
    PcspkState s;
} Pcspk;

void pcspk_set_pit(Device *pcspk, const PitOps *pit_ops, Device *pit)
{
    Pcspk *p = (Pcspk *)pcspk;

    p->pit_ops = pit_ops;
    p->pit = pit;
}

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool check(const void *state, GError **error)
{
    const PcspkState *s = state;

    if (s->data_on <= 1 && !(s->dummy_refresh_clock & ~PCSPK_REFRESH))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "%s is %u, which can be 0 or %u",
                s->data_on > 1 ? "data_on" : "dummy_refresh_clock",
                s->data_on > 1 ? s->data_on : s->dummy_refresh_clock, s->data_on > 1 ? 1 : PCSPK_REFRESH);
    return false;
}

static const VMStateField fields[] = {
    VMS_FIELD(PcspkState, data_on),
    VMS_FIELD(PcspkState, dummy_refresh_clock),
    VMS_END,
};

static const VMStateDescription pcspk_state = {
    .name = "pcspk",
    .version = 1,
    .minimum = 1,
    .size = sizeof(PcspkState),
    .fields = fields,
    .check = check,
};

/* --- registers -------------------------------------------------------------------------------------------------- */

static uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    Pcspk *p = opaque;

    (void)addr;
    (void)size;
    p->s.dummy_refresh_clock = clock_now(p->dev.machine->virtual_clock) / REFRESH_NS & 1 ? PCSPK_REFRESH : 0;
    return (p->pit_ops->gate(p->pit, PIT_CHANNEL) ? PCSPK_GATE : 0) | (p->s.data_on ? PCSPK_DATA : 0) |
           p->s.dummy_refresh_clock | (p->pit_ops->out(p->pit, PIT_CHANNEL) ? PCSPK_OUT : 0);
}

static void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Pcspk *p = opaque;

    (void)addr;
    (void)size;
    p->pit_ops->set_gate(p->pit, PIT_CHANNEL, value & PCSPK_GATE);
    p->s.data_on = (value & PCSPK_DATA) != 0;
}

static const IoOps ops = {.read = read_port, .write = write_port, .max = 1};

/* --- life ------------------------------------------------------------------------------------------------------- */

/* The gate is the PIT's, which resets it. */
static void reset(Device *dev)
{
    Pcspk *p = (Pcspk *)dev;

    p->s = (PcspkState){.data_on = 0};
}

static bool realize(Device *dev, GError **error)
{
    Pcspk *p = (Pcspk *)dev;

    if (!p->pit) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "%s: there is no PIT for it", dev->type->name);
        return false;
    }
    p->ports = space_map(dev->machine->ports, &(SpaceMapping){.base = PCSPK_PORT, .size = 1, .ops = &ops, .opaque = p});
    return true;
}

static void unrealize(Device *dev)
{
    Pcspk *p = (Pcspk *)dev;

    space_unmap(dev->machine->ports, p->ports);
}

const DeviceType pcspk_type = {
    .name = "isa-pcspk",
    .about = "speaker port, without sound",
    .size = sizeof(Pcspk),
    .state = &pcspk_state,
    .state_offset = offsetof(Pcspk, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
