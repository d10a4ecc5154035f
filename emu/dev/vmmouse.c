/*
 * vmmouse.c: VMware's mouse, which tells positions rather than motion.
 *
 * Source: the X.Org driver xf86-input-vmmouse (vmmouse_defs.h) and the Linux driver of that name describe the protocol;
 * https://wiki.osdev.org/VMware_tools.
 * Commands of the port (vmport.c): 39 data, 40 status, 41 command. A guest is told by an interrupt of the PS/2 mouse
 * that there is something, so that one gets an empty packet for each motion. Not modelled: restricting who may use the
 * port (command 86 of later versions).
 */
#include "emu/dev/vmmouse.h"

#include <string.h>

#include "emu/core/machine.h"
#include "emu/dev/dev.h"
#include "emu/dev/ps2.h"
#include "emu/dev/vmport.h"

enum { CMD_DATA = 39, CMD_STATUS = 40, CMD_COMMAND = 41 };

enum {
    REQUEST_ENABLE = 0x45414552,
    REQUEST_DISABLE = 0x000000f5,
    REQUEST_RELATIVE = 0x4c455252,
    REQUEST_ABSOLUTE = 0x53424152,
};

enum { VERSION_ID = 0x3442554a };
enum { STATUS_FINE = 0, STATUS_OFF = 0xffff };
enum { BUTTON_MIDDLE = 0x08, BUTTON_RIGHT = 0x10, BUTTON_LEFT = 0x20, MOTION_RELATIVE = 0x10000 };
enum { QUEUE_SIZE = 1024, MOTION_WORDS = 4, DATA_WORDS = 6 };

typedef struct VmmouseState {
    int32_t queue_size; /* QUEUE_SIZE */
    uint32_t queue[QUEUE_SIZE];
    uint16_t nb_queue; /* words in it */
    uint16_t status;
    uint8_t absolute;
} VmmouseState;

typedef struct Vmmouse {
    Device dev;
    Device *vmport, *ps2_mouse; /* borrowed */
    VmmouseState s;
} Vmmouse;

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool check(const void *state, GError **error)
{
    const VmmouseState *s = state;

    if (s->queue_size != QUEUE_SIZE) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "vmmouse/queue_size is %d, here it is %d", s->queue_size,
                    QUEUE_SIZE);
        return false;
    }
    if (s->nb_queue <= QUEUE_SIZE)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "vmmouse/nb_queue is %u, the queue has room for %d",
                s->nb_queue, QUEUE_SIZE);
    return false;
}

static const VMStateField fields[] = {
    VMS_FIELD(VmmouseState, queue_size, .type = "int32 equal"),
    VMS_ARRAY(VmmouseState, queue),
    VMS_FIELD(VmmouseState, nb_queue),
    VMS_FIELD(VmmouseState, status),
    VMS_FIELD(VmmouseState, absolute),
    VMS_END,
};

static const VMStateDescription vmmouse_state = {
    .name = "vmmouse",
    .version = 0,
    .minimum = 0,
    .size = sizeof(VmmouseState),
    .fields = fields,
    .check = check,
};

/* --- motion ----------------------------------------------------------------------------------------------------- */

bool vmmouse_is_on(const Device *vmmouse)
{
    return ((const Vmmouse *)vmmouse)->s.status != STATUS_OFF;
}

bool vmmouse_is_absolute(const Device *vmmouse)
{
    return ((const Vmmouse *)vmmouse)->s.absolute;
}

void vmmouse_move(Device *vmmouse, const VmmouseMotion *motion)
{
    Vmmouse *m = (Vmmouse *)vmmouse;
    VmmouseState *s = &m->s;
    uint32_t *word = s->queue + s->nb_queue;

    if (!vmmouse_is_on(vmmouse) || s->nb_queue > QUEUE_SIZE - MOTION_WORDS)
        return;
    word[0] = (motion->buttons & PS2_BUTTON_LEFT ? BUTTON_LEFT : 0) |
              (motion->buttons & PS2_BUTTON_RIGHT ? BUTTON_RIGHT : 0) |
              (motion->buttons & PS2_BUTTON_MIDDLE ? BUTTON_MIDDLE : 0) | (s->absolute ? 0 : MOTION_RELATIVE);
    /* Positions have 16 bits; motion is that of a PS/2 packet, with up being positive. */
    word[1] = s->absolute ? (uint32_t)motion->x << 1 : (uint32_t)motion->right;
    word[2] = s->absolute ? (uint32_t)motion->y << 1 : 0U - (uint32_t)motion->down;
    word[3] = (uint32_t)motion->wheel;
    s->nb_queue += MOTION_WORDS;
    if (m->ps2_mouse)
        ps2_mouse_move(m->ps2_mouse, &(Ps2Motion){.buttons = 0});
}

/* --- commands --------------------------------------------------------------------------------------------------- */

/* ebx words, into as many registers. Asking for what there is not is an error, until it is enabled again. */
static void data(void *opaque, VmportRegisters *r)
{
    VmmouseState *s = &((Vmmouse *)opaque)->s;
    uint32_t *registers[DATA_WORDS] = {&r->eax, &r->ebx, &r->ecx, &r->edx, &r->esi, &r->edi};
    uint32_t count = r->ebx;

    if (count == 0 || count > DATA_WORDS || count > s->nb_queue) {
        s->status = STATUS_OFF;
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        *registers[i] = s->queue[i];
    s->nb_queue -= (uint16_t)count;
    memmove(s->queue, s->queue + count, s->nb_queue * sizeof(s->queue[0]));
}

static void status(void *opaque, VmportRegisters *r)
{
    const VmmouseState *s = &((Vmmouse *)opaque)->s;

    r->eax = (uint32_t)s->status << 16 | s->nb_queue;
}

static void command(void *opaque, VmportRegisters *r)
{
    VmmouseState *s = &((Vmmouse *)opaque)->s;

    switch (r->ebx) {
    case REQUEST_ENABLE:
        if (s->nb_queue == QUEUE_SIZE) /* old motion is worth less than the answer that the guest waits for */
            s->nb_queue = 0;
        s->queue[s->nb_queue++] = VERSION_ID;
        s->status = STATUS_FINE;
        break;
    case REQUEST_DISABLE:
        s->status = STATUS_OFF;
        break;
    case REQUEST_RELATIVE:
    case REQUEST_ABSOLUTE:
        s->absolute = r->ebx == REQUEST_ABSOLUTE;
        break;
    default: /* unknown requests change nothing */
        break;
    }
}

/* --- life ------------------------------------------------------------------------------------------------------- */

void vmmouse_attach(Device *vmmouse, Device *vmport, Device *ps2_mouse)
{
    ((Vmmouse *)vmmouse)->vmport = vmport;
    ((Vmmouse *)vmmouse)->ps2_mouse = ps2_mouse;
}

static void reset(Device *dev)
{
    ((Vmmouse *)dev)->s = (VmmouseState){.queue_size = QUEUE_SIZE, .status = STATUS_OFF};
}

static bool realize(Device *dev, GError **error)
{
    Vmmouse *m = (Vmmouse *)dev;

    if (!m->vmport) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_MISMATCH, "%s has no vmport", dev->type->name);
        return false;
    }
    vmport_register(m->vmport, CMD_DATA, data, m);
    vmport_register(m->vmport, CMD_STATUS, status, m);
    vmport_register(m->vmport, CMD_COMMAND, command, m);
    return true;
}

static void unrealize(Device *dev)
{
    Vmmouse *m = (Vmmouse *)dev;

    vmport_register(m->vmport, CMD_DATA, NULL, NULL);
    vmport_register(m->vmport, CMD_STATUS, NULL, NULL);
    vmport_register(m->vmport, CMD_COMMAND, NULL, NULL);
}

const DeviceType vmmouse_type = {
    .name = "vmmouse",
    .about = "VMware's mouse, with positions",
    .size = sizeof(Vmmouse),
    .state = &vmmouse_state,
    .state_offset = offsetof(Vmmouse, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
