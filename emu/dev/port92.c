/*
 * port92.c: system control port A, the fast way to A20 and to a reset.
 *
 * Source: IBM PS/2 Model 50/60 Technical Reference, "System Control Port A".
 * Ports: 0x92. Outputs: "a20", "reset" (a pulse resets the machine; the chip itself keeps bit 0 until then).
 * Not modelled: the watchdog's state, the lock of the password area, and the lights of bits 6 and 7 (the bits are
 * kept).
 */
#include "emu/core/machine.h"
#include "emu/dev/dev.h"

enum {
    PORT92 = 0x92,
    PORT92_RESET = 1 << 0, /* going from 0 to 1 */
    PORT92_A20 = 1 << 1,
};

typedef struct Port92State {
    uint8_t outport;
} Port92State;

typedef struct Port92 {
    Device dev;
    Irq a20, reset;
    SpaceId ports;
    Port92State s;
} Port92;

/* --- state ------------------------------------------------------------------------------------------------------ */

static void push(void *opaque)
{
    Port92 *p = opaque;

    irq_set(&p->a20, p->s.outport & PORT92_A20);
}

static const VMStateField fields[] = {
    VMS_FIELD(Port92State, outport),
    VMS_END,
};

static const VMStateDescription port92_state = {
    .name = "port92",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Port92State),
    .fields = fields,
    .push = push,
};

/* --- registers -------------------------------------------------------------------------------------------------- */

static uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    Port92 *p = opaque;

    (void)addr;
    (void)size;
    return p->s.outport;
}

static void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Port92 *p = opaque;
    uint8_t before = p->s.outport;

    (void)addr;
    (void)size;
    p->s.outport = (uint8_t)value;
    irq_set(&p->a20, value & PORT92_A20);
    if (value & ~before & PORT92_RESET)
        irq_pulse(&p->reset);
}

static const IoOps ops = {.read = read_port, .write = write_port, .max = 1};

/* --- life ------------------------------------------------------------------------------------------------------- */

static void reset(Device *dev)
{
    Port92 *p = (Port92 *)dev;

    p->s = (Port92State){.outport = 0};
}

static bool realize(Device *dev, GError **error)
{
    Port92 *p = (Port92 *)dev;

    (void)error;
    p->ports = space_map(dev->machine->ports, &(SpaceMapping){.base = PORT92, .size = 1, .ops = &ops, .opaque = p});
    return true;
}

static void unrealize(Device *dev)
{
    Port92 *p = (Port92 *)dev;

    space_unmap(dev->machine->ports, p->ports);
}

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(Port92, a20, "a20"),
    DEVICE_OUTPUT(Port92, reset, "reset"),
    {.name = NULL},
};

const DeviceType port92_type = {
    .name = "port92",
    .about = "system control port A",
    .size = sizeof(Port92),
    .state = &port92_state,
    .state_offset = offsetof(Port92, s),
    .outputs = outputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
