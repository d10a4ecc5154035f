/*
 * pckbd.c: i8042, the controller of keyboard and mouse, which also has the gate of A20 and the processor's reset.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller"; Intel UPI-42.
 * Ports: 0x60 data, 0x64 status and commands. Inputs: "keyboard", "mouse" (they have something; see pckbd_attach).
 * Outputs: "keyboard-irq", "mouse-irq", "a20", "reset" (a pulse resets the machine).
 * Options: "kbd-throttle" leaves a millisecond between two octets of the devices, for guests that are slow to fetch;
 * "extended-state" (on) saves what machines before 6.1 did not.
 * Not modelled: the microcontroller's memory (commands 0x21 to 0x3f, 0x61 to 0x7f), the password, the input port's pins
 * (it reads 0x80: the keyboard is not locked), the lines that 0xac, 0xc1, 0xc2 and 0xe0 look at. As in QEMU the status
 * always says that a command came last, and the mode's bit 2 does not set the system flag.
 */
#include "emu/dev/pckbd.h"

#include "emu/core/machine.h"
#include "emu/dev/dev.h"
#include "emu/dev/ps2.h"

enum { PORT_DATA = 0x60, PORT_COMMAND = 0x64 };

enum {
    STATUS_OUTPUT_FULL = 1 << 0,
    STATUS_SYSTEM = 1 << 2,   /* the self test was fine */
    STATUS_COMMAND = 1 << 3,  /* what came last was a command */
    STATUS_UNLOCKED = 1 << 4, /* no key locks the keyboard */
    STATUS_MOUSE_FULL = 1 << 5,
};

enum {
    MODE_KEYBOARD_IRQ = 1 << 0,
    MODE_MOUSE_IRQ = 1 << 1,
    MODE_KEYBOARD_OFF = 1 << 4,
    MODE_MOUSE_OFF = 1 << 5,
    MODE_TRANSLATE = 1 << 6,
};

enum {
    OUT_NO_RESET = 1 << 0,
    OUT_A20 = 1 << 1,
    OUT_OUTPUT_FULL = 1 << 4, /* the two interrupts */
    OUT_MOUSE_FULL = 1 << 5,
    OUT_OTHERS = 0xcc, /* pins that are high and lead nowhere */
};

enum {
    CMD_READ_MODE = 0x20,
    CMD_WRITE_MODE = 0x60,
    CMD_MOUSE_DISABLE = 0xa7,
    CMD_MOUSE_ENABLE = 0xa8,
    CMD_MOUSE_TEST = 0xa9,
    CMD_SELF_TEST = 0xaa,
    CMD_KEYBOARD_TEST = 0xab,
    CMD_KEYBOARD_DISABLE = 0xad,
    CMD_KEYBOARD_ENABLE = 0xae,
    CMD_READ_INPUT = 0xc0,
    CMD_READ_OUTPUT = 0xd0,
    CMD_WRITE_OUTPUT = 0xd1,
    CMD_WRITE_KEYBOARD_BUFFER = 0xd2,
    CMD_WRITE_MOUSE_BUFFER = 0xd3,
    CMD_WRITE_MOUSE = 0xd4,
    CMD_A20_OFF = 0xdd,
    CMD_A20_ON = 0xdf,
    CMD_PULSE = 0xf0, /* to 0xff: bits that are 0 pull their line down, bit 0 the reset */
};

/* What waits for the output buffer. The numbers are those of the stream. */
enum {
    PENDING_KEYBOARD_OLD = 1 << 0, /* as machines before 6.1 have them */
    PENDING_MOUSE_OLD = 1 << 1,
    PENDING_OWN_KEYBOARD = 1 << 2, /* the controller's own answer, as if from the keyboard or the mouse */
    PENDING_OWN_MOUSE = 1 << 3,
    PENDING_KEYBOARD = 1 << 4,
    PENDING_MOUSE = 1 << 5,
};

/* Who filled the output buffer. */
enum { SOURCE_NONE = 0, SOURCE_KEYBOARD = 1 << 0, SOURCE_MOUSE = 1 << 1, SOURCE_OWN = 1 << 2 };

enum { FLAG_THROTTLED = 1 << 0 };
enum { THROTTLE_NS = NS_PER_MS };

typedef struct ControllerState {
    uint8_t write_cmd; /* the command that waits for its parameter; 0: data go to the keyboard */
    uint8_t status, mode;
    uint8_t pending_tmp; /* PENDING_ */
    uint8_t outport;
    uint32_t migration_flags; /* FLAG_ */
    uint32_t obsrc; /* SOURCE_ of what is or was in the output buffer; a device's octet is fetched when it is read */
    uint8_t obdata, cbdata; /* what was read last, and the controller's own answer */
    bool has_outport, has_extended;
} ControllerState;

/* The stream has the same name twice. */
typedef struct PckbdState {
    ControllerState kbd;
} PckbdState;

typedef struct Pckbd {
    Device dev;
    Device *keyboard, *mouse; /* borrowed */
    Irq keyboard_irq, mouse_irq, a20, reset;
    bool throttle, extended; /* options */
    Timer throttled;
    SpaceId data_port, command_port;
    PckbdState s;
} Pckbd;

static void update(Pckbd *p);

/* --- state ------------------------------------------------------------------------------------------------------ */

/* What the output port has if nobody wrote to it. */
static uint8_t default_outport(const ControllerState *s)
{
    return OUT_NO_RESET | OUT_A20 | OUT_OTHERS | (s->status & STATUS_OUTPUT_FULL ? OUT_OUTPUT_FULL : 0) |
           (s->status & STATUS_MOUSE_FULL ? OUT_MOUSE_FULL : 0);
}

static bool pull(void *opaque, GError **error)
{
    Pckbd *p = opaque;
    ControllerState *s = &p->s.kbd;

    (void)error;
    s->has_outport = s->outport != default_outport(s);
    s->has_extended = p->extended;
    return true;
}

/* A machine before 6.1 tells of the devices only, in other bits, and where the octet is from by the status. */
static void understand_old(ControllerState *s)
{
    s->pending_tmp = (s->pending_tmp & PENDING_KEYBOARD_OLD ? PENDING_KEYBOARD : 0) |
                     (s->pending_tmp & PENDING_MOUSE_OLD ? PENDING_MOUSE : 0);
    s->obsrc = SOURCE_NONE;
    if (s->status & STATUS_OUTPUT_FULL)
        s->obsrc = s->status & STATUS_MOUSE_FULL ? SOURCE_MOUSE : SOURCE_KEYBOARD;
    s->migration_flags = 0;
}

static void drive_irqs(const Pckbd *p)
{
    const ControllerState *s = &p->s.kbd;
    bool full = s->status & STATUS_OUTPUT_FULL, mouse = s->status & STATUS_MOUSE_FULL;

    irq_set(&p->keyboard_irq,
            full && !mouse && (s->mode & (MODE_KEYBOARD_IRQ | MODE_KEYBOARD_OFF)) == MODE_KEYBOARD_IRQ);
    irq_set(&p->mouse_irq, full && mouse && (s->mode & MODE_MOUSE_IRQ));
}

/* It is the state that says it: a device's line may rise while a load has not come to arm the timer yet. */
static bool is_throttled(const Pckbd *p)
{
    return p->s.kbd.migration_flags & FLAG_THROTTLED;
}

static void set_throttled(Pckbd *p, bool on)
{
    p->s.kbd.migration_flags = on ? FLAG_THROTTLED : 0;
    timer_arm(&p->throttled, on ? clock_now(p->dev.machine->virtual_clock) + THROTTLE_NS : TIMER_NEVER);
}

static void push(void *opaque)
{
    Pckbd *p = opaque;
    ControllerState *s = &p->s.kbd;

    if (!s->has_extended)
        understand_old(s);
    if (!s->has_outport)
        s->outport = default_outport(s);
    set_throttled(p, is_throttled(p));
    irq_set(&p->a20, s->outport & OUT_A20);
    drive_irqs(p);
}

static const VMStateField outport_fields[] = {
    VMS_FIELD(ControllerState, outport),
    VMS_END,
};

static const VMStateDescription outport_state = {
    .name = "pckbd_outport",
    .version = 1,
    .minimum = 1,
    .fields = outport_fields,
};

static const VMStateField extended_fields[] = {
    VMS_FIELD(ControllerState, migration_flags),
    VMS_FIELD(ControllerState, obsrc),
    VMS_FIELD(ControllerState, obdata),
    VMS_FIELD(ControllerState, cbdata),
    VMS_END,
};

static const VMStateDescription extended_state = {
    .name = "pckbd/extended_state",
    .version = 0,
    .minimum = 0,
    .fields = extended_fields,
};

static const VMStateField controller_fields[] = {
    VMS_FIELD(ControllerState, write_cmd),
    VMS_FIELD(ControllerState, status),
    VMS_FIELD(ControllerState, mode),
    VMS_FIELD(ControllerState, pending_tmp),
    VMS_END,
};

static const VMStateSubsection subsections[] = {
    {.desc = &outport_state, .presence = offsetof(ControllerState, has_outport) + 1},
    {.desc = &extended_state, .presence = offsetof(ControllerState, has_extended) + 1},
    {.desc = NULL},
};

static const VMStateDescription controller_state = {
    .name = "pckbd",
    .version = 3,
    .minimum = 3,
    .size = sizeof(ControllerState),
    .fields = controller_fields,
    .subsections = subsections,
};

static const VMStateField fields[] = {
    VMS_SUB(PckbdState, kbd, &controller_state),
    VMS_END,
};

static const VMStateDescription pckbd_state = {
    .name = "pckbd",
    .version = 3,
    .minimum = 3,
    .size = sizeof(PckbdState),
    .fields = fields,
    .pull = pull,
    .push = push,
};

#define OPTION(member, name_)                                                                                          \
    {                                                                                                                  \
        .name = (name_), .kind = VMS_SCALAR, .scalar = SCALAR_BOOL, .offset = offsetof(Pckbd, member),                 \
        .size = sizeof(bool), .count = 1                                                                               \
    }

static const VMStateField options[] = {
    OPTION(throttle, "kbd-throttle"),
    OPTION(extended, "extended-state"),
    VMS_END,
};

static const VMStateDescription pckbd_options = {
    .name = "i8042",
    .version = 1,
    .minimum = 1,
    .size = sizeof(Pckbd),
    .fields = options,
};

/* --- the output buffer ------------------------------------------------------------------------------------------ */

/* Who is next: the controller itself, the keyboard, the mouse. */
static void fill(Pckbd *p)
{
    ControllerState *s = &p->s.kbd;
    bool devices = !is_throttled(p), mouse = false;

    if (s->pending_tmp & (PENDING_OWN_KEYBOARD | PENDING_OWN_MOUSE)) {
        s->obsrc = SOURCE_OWN;
        mouse = s->pending_tmp & PENDING_OWN_MOUSE;
    } else if (devices && (s->pending_tmp & PENDING_KEYBOARD) && !(s->mode & MODE_KEYBOARD_OFF)) {
        s->obsrc = SOURCE_KEYBOARD;
    } else if (devices && (s->pending_tmp & PENDING_MOUSE) && !(s->mode & MODE_MOUSE_OFF)) {
        s->obsrc = SOURCE_MOUSE;
        mouse = true;
    } else {
        return;
    }
    s->status |= STATUS_OUTPUT_FULL | (mouse ? STATUS_MOUSE_FULL : 0);
    s->outport |= OUT_OUTPUT_FULL | (mouse ? OUT_MOUSE_FULL : 0);
}

/* What is in the buffer stays until it is read, and so do the lines, unless their masks change (set_mode). */
static void update(Pckbd *p)
{
    ControllerState *s = &p->s.kbd;

    if (s->status & STATUS_OUTPUT_FULL)
        return;
    s->status &= (uint8_t)~STATUS_MOUSE_FULL;
    s->outport &= (uint8_t) ~(OUT_OUTPUT_FULL | OUT_MOUSE_FULL);
    fill(p);
    drive_irqs(p);
}

/* A line that is told again, as after a load, changes nothing: update would undo what the guest wrote to the outport.
 */
static void set_pending(Pckbd *p, uint8_t bit, bool level)
{
    ControllerState *s = &p->s.kbd;

    if (level == !!(s->pending_tmp & bit))
        return;
    s->pending_tmp = level ? s->pending_tmp | bit : s->pending_tmp & (uint8_t)~bit;
    update(p);
}

static void keyboard_has(void *opaque, unsigned n, bool level)
{
    (void)n;
    set_pending(opaque, PENDING_KEYBOARD, level);
}

static void mouse_has(void *opaque, unsigned n, bool level)
{
    (void)n;
    set_pending(opaque, PENDING_MOUSE, level);
}

static void answer(Pckbd *p, uint8_t octet, uint8_t pending)
{
    ControllerState *s = &p->s.kbd;

    s->cbdata = octet;
    s->pending_tmp &= (uint8_t) ~(PENDING_OWN_KEYBOARD | PENDING_OWN_MOUSE);
    s->pending_tmp |= pending;
    update(p);
}

static void throttle_ends(void *opaque)
{
    set_throttled(opaque, false);
    update(opaque);
}

static uint64_t read_data(void *opaque, uint64_t addr, unsigned size)
{
    Pckbd *p = opaque;
    ControllerState *s = &p->s.kbd;

    (void)addr;
    (void)size;
    if (!(s->status & STATUS_OUTPUT_FULL))
        return s->obdata;
    /* The lines go down before the next octet lifts them, for a PIC that looks for edges. */
    s->status &= (uint8_t) ~(STATUS_OUTPUT_FULL | STATUS_MOUSE_FULL);
    drive_irqs(p);
    if (s->obsrc & SOURCE_OWN) {
        s->pending_tmp &= (uint8_t) ~(PENDING_OWN_KEYBOARD | PENDING_OWN_MOUSE);
        s->obdata = s->cbdata;
    } else {
        if (p->throttle)
            set_throttled(p, true);
        s->obdata = ps2_read(s->obsrc & SOURCE_MOUSE ? p->mouse : p->keyboard);
    }
    update(p);
    return s->obdata;
}

/* --- commands --------------------------------------------------------------------------------------------------- */

static uint64_t read_status(void *opaque, uint64_t addr, unsigned size)
{
    (void)addr;
    (void)size;
    return ((Pckbd *)opaque)->s.kbd.status;
}

static void set_mode(Pckbd *p, uint8_t mode)
{
    p->s.kbd.mode = mode;
    ps2_keyboard_translate(p->keyboard, mode & MODE_TRANSLATE);
    update(p);
    drive_irqs(p);
}

static void write_outport(Pckbd *p, uint8_t value)
{
    p->s.kbd.outport = value;
    irq_set(&p->a20, value & OUT_A20);
    if (!(value & OUT_NO_RESET))
        irq_pulse(&p->reset);
}

static void write_data(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Pckbd *p = opaque;
    ControllerState *s = &p->s.kbd;
    uint8_t command = s->write_cmd, octet = (uint8_t)value;

    (void)addr;
    (void)size;
    s->write_cmd = 0;
    switch (command) {
    case CMD_WRITE_MODE:
        set_mode(p, octet);
        break;
    case CMD_WRITE_KEYBOARD_BUFFER:
        answer(p, octet, PENDING_OWN_KEYBOARD);
        break;
    case CMD_WRITE_MOUSE_BUFFER:
        answer(p, octet, PENDING_OWN_MOUSE);
        break;
    case CMD_WRITE_OUTPUT:
        write_outport(p, octet);
        break;
    case CMD_WRITE_MOUSE: /* what is for a device switches its port on */
        s->mode &= (uint8_t)~MODE_MOUSE_OFF;
        ps2_write(p->mouse, octet);
        update(p);
        break;
    default:
        s->mode &= (uint8_t)~MODE_KEYBOARD_OFF;
        ps2_write(p->keyboard, octet);
        update(p);
    }
}

static void write_command(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    Pckbd *p = opaque;
    ControllerState *s = &p->s.kbd;

    (void)addr;
    (void)size;
    switch ((uint8_t)value) {
    case CMD_READ_MODE:
        answer(p, s->mode, PENDING_OWN_KEYBOARD);
        break;
    case CMD_WRITE_MODE:
    case CMD_WRITE_OUTPUT:
    case CMD_WRITE_KEYBOARD_BUFFER:
    case CMD_WRITE_MOUSE_BUFFER:
    case CMD_WRITE_MOUSE:
        s->write_cmd = (uint8_t)value;
        break;
    case CMD_MOUSE_DISABLE:
        s->mode |= MODE_MOUSE_OFF;
        break;
    case CMD_MOUSE_ENABLE:
        s->mode &= (uint8_t)~MODE_MOUSE_OFF;
        update(p);
        break;
    case CMD_SELF_TEST:
        s->status |= STATUS_SYSTEM;
        answer(p, 0x55, PENDING_OWN_KEYBOARD);
        break;
    case CMD_MOUSE_TEST:
    case CMD_KEYBOARD_TEST:
        answer(p, 0x00, PENDING_OWN_KEYBOARD);
        break;
    case CMD_KEYBOARD_DISABLE:
        s->mode |= MODE_KEYBOARD_OFF;
        break;
    case CMD_KEYBOARD_ENABLE:
        s->mode &= (uint8_t)~MODE_KEYBOARD_OFF;
        update(p);
        break;
    case CMD_READ_INPUT:
        answer(p, 0x80, PENDING_OWN_KEYBOARD);
        break;
    case CMD_READ_OUTPUT:
        answer(p, s->outport, PENDING_OWN_KEYBOARD);
        break;
    case CMD_A20_OFF:
        write_outport(p, s->outport & (uint8_t)~OUT_A20);
        break;
    case CMD_A20_ON:
        write_outport(p, s->outport | OUT_A20);
        break;
    default:
        if ((uint8_t)value >= CMD_PULSE && !(value & OUT_NO_RESET))
            irq_pulse(&p->reset);
    }
}

static const IoOps data_ops = {.read = read_data, .write = write_data, .max = 1};
static const IoOps command_ops = {.read = read_status, .write = write_command, .max = 1};

/* --- life ------------------------------------------------------------------------------------------------------- */

void pckbd_attach(Device *pckbd, Device *keyboard, Device *mouse)
{
    Pckbd *p = (Pckbd *)pckbd;

    p->keyboard = keyboard;
    p->mouse = mouse;
    device_connect(keyboard, "irq", 0, pckbd, "keyboard", 0);
    device_connect(mouse, "irq", 0, pckbd, "mouse", 0);
}

/* The devices' own resets tell whether they have something; what they had before is forgotten here. */
static void reset(Device *dev)
{
    Pckbd *p = (Pckbd *)dev;

    timer_disarm(&p->throttled);
    p->s.kbd = (ControllerState){
        .status = STATUS_COMMAND | STATUS_UNLOCKED,
        .mode = MODE_KEYBOARD_IRQ | MODE_MOUSE_IRQ,
        .has_extended = p->extended,
    };
    p->s.kbd.outport = default_outport(&p->s.kbd);
    irq_set(&p->a20, true);
    drive_irqs(p);
}

static bool realize(Device *dev, GError **error)
{
    Pckbd *p = (Pckbd *)dev;
    Space *ports = dev->machine->ports;

    if (!p->keyboard || !p->mouse) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "%s has no %s", dev->type->name,
                    p->keyboard ? "mouse" : "keyboard");
        return false;
    }
    timer_init(&p->throttled, dev->machine->virtual_clock, throttle_ends, p);
    p->data_port = space_map(ports, &(SpaceMapping){.base = PORT_DATA, .size = 1, .ops = &data_ops, .opaque = p});
    p->command_port =
        space_map(ports, &(SpaceMapping){.base = PORT_COMMAND, .size = 1, .ops = &command_ops, .opaque = p});
    return true;
}

static void unrealize(Device *dev)
{
    Pckbd *p = (Pckbd *)dev;

    space_unmap(dev->machine->ports, p->command_port);
    space_unmap(dev->machine->ports, p->data_port);
    timer_done(&p->throttled);
}

static const DeviceInput inputs[] = {
    {.name = "keyboard", .count = 1, .set = keyboard_has},
    {.name = "mouse", .count = 1, .set = mouse_has},
    {.name = NULL},
};

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(Pckbd, keyboard_irq, "keyboard-irq"),
    DEVICE_OUTPUT(Pckbd, mouse_irq, "mouse-irq"),
    DEVICE_OUTPUT(Pckbd, a20, "a20"),
    DEVICE_OUTPUT(Pckbd, reset, "reset"),
    {.name = NULL},
};

static const Pckbd defaults = {.extended = true};

const DeviceType pckbd_type = {
    .name = "i8042",
    .about = "controller of a PS/2 keyboard and mouse",
    .size = sizeof(Pckbd),
    .defaults = &defaults,
    .options = &pckbd_options,
    .state = &pckbd_state,
    .state_offset = offsetof(Pckbd, s),
    .inputs = inputs,
    .outputs = outputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
