/*
 * ps2mouse.c: PS/2 mouse: the standard one, and the wheel and five buttons of the IntelliMouse and its Explorer.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Mouse"; Adam Chapweske, "The PS/2 Mouse Interface" (the
 * IntelliMouse extensions).
 * Outputs: "irq". Input: ps2_mouse_move.
 * Not modelled: resolution and 2:1 scaling are kept and reported, but counts stay as they come; the sample rate does
 * not limit how often packets are sent; the status request does not tell the buttons; 0xfe (resend) is ignored, as all
 * unknown commands are. QEMU's mouse does the same.
 */
#include "emu/dev/dev.h"
#include "emu/dev/ps2-impl.h"

enum {
    MOUSE_SCALE_1 = 0xe6,
    MOUSE_SCALE_2 = 0xe7,
    MOUSE_RESOLUTION = 0xe8,
    MOUSE_STATUS = 0xe9,
    MOUSE_STREAM = 0xea,
    MOUSE_POLL = 0xeb,
    MOUSE_WRAP_END = 0xec,
    MOUSE_WRAP = 0xee,
    MOUSE_REMOTE = 0xf0,
    MOUSE_IDENTIFY = 0xf2,
    MOUSE_SAMPLE_RATE = 0xf3,
    MOUSE_ENABLE = 0xf4,
    MOUSE_DISABLE = 0xf5,
    MOUSE_DEFAULTS = 0xf6,
    MOUSE_RESET = 0xff,
};

enum { STATUS_SCALE_2 = 1 << 4, STATUS_ENABLED = 1 << 5, STATUS_REMOTE = 1 << 6 };
enum { TYPE_STANDARD = 0, TYPE_WHEEL = 3, TYPE_EXPLORER = 4 };
enum { RATE_DEFAULT = 100, RESOLUTION_DEFAULT = 2 };

/* How far the sample rates are that make another mouse of it: 200, 100, 80 or 200, 200, 80. */
enum { KNOCK_NONE, KNOCK_200, KNOCK_200_100, KNOCK_200_200 };

typedef struct MouseState {
    Ps2State parent_obj;
    uint8_t mouse_status, mouse_resolution, mouse_sample_rate;
    uint8_t mouse_wrap;
    uint8_t mouse_type, mouse_detect_state;
    int32_t mouse_dx, mouse_dy, mouse_dz; /* not sent yet; y counts up, as in a packet */
    uint8_t mouse_buttons;
} MouseState;

typedef struct Mouse {
    Ps2 ps2;
    MouseState s;
} Mouse;

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool check(const void *state, GError **error)
{
    return ps2_check(&((const MouseState *)state)->parent_obj, "ps2mouse", error);
}

static void push(void *opaque)
{
    ps2_push(opaque);
}

static const VMStateField fields[] = {
    VMS_SUB(MouseState, parent_obj, &ps2_state),
    VMS_FIELD(MouseState, mouse_status),
    VMS_FIELD(MouseState, mouse_resolution),
    VMS_FIELD(MouseState, mouse_sample_rate),
    VMS_FIELD(MouseState, mouse_wrap),
    VMS_FIELD(MouseState, mouse_type),
    VMS_FIELD(MouseState, mouse_detect_state),
    VMS_FIELD(MouseState, mouse_dx),
    VMS_FIELD(MouseState, mouse_dy),
    VMS_FIELD(MouseState, mouse_dz),
    VMS_FIELD(MouseState, mouse_buttons),
    VMS_END,
};

static const VMStateDescription mouse_state = {
    .name = "ps2mouse",
    .version = 2,
    .minimum = 2,
    .size = sizeof(MouseState),
    .fields = fields,
    .check = check,
    .push = push,
};

/* --- packets ---------------------------------------------------------------------------------------------------- */

static int32_t add(int32_t a, int32_t b)
{
    return (int32_t)CLAMP((int64_t)a + b, INT32_MIN + 1, INT32_MAX);
}

/* Queues what has happened, or as much of it as a packet can say. False if there is no room. */
static bool send_packet(Mouse *m)
{
    MouseState *s = &m->s;
    int32_t dx = CLAMP(s->mouse_dx, -127, 127), dy = CLAMP(s->mouse_dy, -127, 127), dz = 0;
    uint8_t packet[4];
    unsigned n = 0;

    packet[n++] = (uint8_t)(0x08 | (dx < 0) << 4 | (dy < 0) << 5 | (s->mouse_buttons & 0x07));
    packet[n++] = (uint8_t)dx;
    packet[n++] = (uint8_t)dy;
    if (s->mouse_type == TYPE_WHEEL) {
        dz = CLAMP(s->mouse_dz, -127, 127);
        packet[n++] = (uint8_t)dz;
    } else if (s->mouse_type == TYPE_EXPLORER) {
        dz = CLAMP(s->mouse_dz, -7, 7);
        packet[n++] = (uint8_t)((dz & 0x0f) | (s->mouse_buttons & (PS2_BUTTON_SIDE | PS2_BUTTON_EXTRA)) << 1);
    } else {
        dz = s->mouse_dz; /* there is nobody to tell */
    }
    if (!ps2_queue_all(&m->ps2, packet, n))
        return false;
    s->mouse_dx -= dx;
    s->mouse_dy -= dy;
    s->mouse_dz -= dz;
    return true;
}

void ps2_mouse_move(Device *mouse, const Ps2Motion *motion)
{
    Mouse *m = (Mouse *)mouse;
    MouseState *s = &m->s;

    if (!(s->mouse_status & STATUS_ENABLED))
        return;
    s->mouse_dx = add(s->mouse_dx, motion->right);
    s->mouse_dy = add(s->mouse_dy, -MAX(motion->down, -INT32_MAX));
    s->mouse_dz = add(s->mouse_dz, motion->wheel);
    s->mouse_buttons = motion->buttons & 0x1f;
    if (s->mouse_status & STATUS_REMOTE)
        return;
    /* The queue ends it if the distance does not. */
    while (send_packet(m) && (s->mouse_dx || s->mouse_dy || s->mouse_dz))
        ;
}

/* --- commands --------------------------------------------------------------------------------------------------- */

static void reply(Mouse *m, unsigned count, const uint8_t *octets)
{
    uint8_t all[4] = {PS2_ACKNOWLEDGE};

    for (unsigned i = 0; i < count; i++)
        all[1 + i] = octets[i];
    ps2_queue_all(&m->ps2, all, 1 + count);
}

static void knock(MouseState *s, uint8_t rate)
{
    if (s->mouse_detect_state == KNOCK_200_100 && rate == 80)
        s->mouse_type = TYPE_WHEEL;
    else if (s->mouse_detect_state == KNOCK_200_200 && rate == 80)
        s->mouse_type = TYPE_EXPLORER;
    if (s->mouse_detect_state == KNOCK_200 && rate == 100)
        s->mouse_detect_state = KNOCK_200_100;
    else if (s->mouse_detect_state == KNOCK_200 && rate == 200)
        s->mouse_detect_state = KNOCK_200_200;
    else
        s->mouse_detect_state = s->mouse_detect_state == KNOCK_NONE && rate == 200 ? KNOCK_200 : KNOCK_NONE;
}

static void set_defaults(MouseState *s)
{
    s->mouse_sample_rate = RATE_DEFAULT;
    s->mouse_resolution = RESOLUTION_DEFAULT;
    s->mouse_status = 0;
}

/* Whatever it was doing; the distance that was not reported stays. */
static void reset_by_host(Mouse *m)
{
    MouseState *s = &m->s;

    ps2_queue_clear(&s->parent_obj);
    set_defaults(s);
    s->mouse_wrap = 0;
    s->mouse_type = TYPE_STANDARD;
    s->mouse_detect_state = KNOCK_NONE;
    reply(m, 2, (const uint8_t[]){PS2_SELF_TEST_FINE, TYPE_STANDARD});
}

/* A command that sets something and is acknowledged; false if it is none of those. */
static bool set_something(MouseState *s, uint8_t value)
{
    switch (value) {
    case MOUSE_POLL: /* its packet follows the acknowledgement */
        return true;
    case MOUSE_SCALE_1:
        s->mouse_status &= (uint8_t)~STATUS_SCALE_2;
        return true;
    case MOUSE_SCALE_2:
        s->mouse_status |= STATUS_SCALE_2;
        return true;
    case MOUSE_RESOLUTION:
    case MOUSE_SAMPLE_RATE:
        s->parent_obj.write_cmd = value;
        return true;
    case MOUSE_STREAM:
        s->mouse_status &= (uint8_t)~STATUS_REMOTE;
        return true;
    case MOUSE_REMOTE:
        s->mouse_status |= STATUS_REMOTE;
        return true;
    case MOUSE_WRAP:
        s->mouse_wrap = 1;
        return true;
    case MOUSE_WRAP_END: /* in the other modes it is no command */
        if (!s->mouse_wrap)
            return false;
        s->mouse_wrap = 0;
        return true;
    case MOUSE_ENABLE:
        s->mouse_status |= STATUS_ENABLED;
        return true;
    case MOUSE_DISABLE:
        s->mouse_status &= (uint8_t)~STATUS_ENABLED;
        return true;
    case MOUSE_DEFAULTS:
        set_defaults(s);
        return true;
    default:
        return false;
    }
}

static void command(Mouse *m, uint8_t value)
{
    MouseState *s = &m->s;
    bool wrapped = s->mouse_wrap;

    if (value == MOUSE_RESET)
        reset_by_host(m);
    else if (wrapped && value != MOUSE_WRAP_END)
        ps2_queue_one(&m->ps2, value);
    else if (value == MOUSE_IDENTIFY)
        reply(m, 1, &s->mouse_type);
    else if (value == MOUSE_STATUS)
        reply(m, 3, (const uint8_t[]){s->mouse_status, s->mouse_resolution, s->mouse_sample_rate});
    else if (set_something(s, value))
        reply(m, 0, NULL);
    if (value == MOUSE_POLL && !wrapped)
        send_packet(m);
}

static void write_octet(Ps2 *p, uint8_t value)
{
    Mouse *m = (Mouse *)p;
    int32_t before = m->s.parent_obj.write_cmd;

    m->s.parent_obj.write_cmd = PS2_NO_COMMAND;
    switch (before) {
    case MOUSE_RESOLUTION:
        m->s.mouse_resolution = value;
        reply(m, 0, NULL);
        break;
    case MOUSE_SAMPLE_RATE:
        m->s.mouse_sample_rate = value;
        knock(&m->s, value);
        reply(m, 0, NULL);
        break;
    default: /* also what a stream says that is no such command */
        command(m, value);
    }
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void reset(Device *dev)
{
    Mouse *m = (Mouse *)dev;

    m->s = (MouseState){.parent_obj = {.write_cmd = PS2_NO_COMMAND, .queue.cwptr = PS2_NO_REPLY}};
    ps2_update(&m->ps2);
}

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(Ps2, irq, "irq"),
    {.name = NULL},
};

static const Mouse defaults = {
    .ps2.write = write_octet,
    .s = {.parent_obj = {.write_cmd = PS2_NO_COMMAND, .queue.cwptr = PS2_NO_REPLY}},
};

const DeviceType ps2_mouse_type = {
    .name = "ps2-mouse",
    .about = "PS/2 mouse with wheel and five buttons",
    .size = sizeof(Mouse),
    .defaults = &defaults,
    .state = &mouse_state,
    .state_offset = offsetof(Mouse, s),
    .outputs = outputs,
    .reset = reset,
};
