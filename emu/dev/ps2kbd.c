/*
 * ps2kbd.c: PS/2 keyboard, 101 to 105 keys and those of multimedia keyboards.
 *
 * Source: IBM PS/2 Technical Reference, "Keyboards (101- and 102-Key)"; Microsoft, "Keyboard Scan Code Specification".
 * Outputs: "irq". Input: ps2_keyboard_key.
 * Not modelled: typematic repetition (the person's own keyboard repeats; the rate is acknowledged) and choosing by key
 * or for all keys what set 3 sends (0xf7 to 0xf9, 0xfb, 0xfd are refused, 0xfa and 0xfc taken without effect): the
 * section has no place for it. 0xfe is answered with 0xfe: a reply cannot be lost on the way.
 */
#include "emu/dev/dev.h"
#include "emu/dev/ps2-impl.h"

enum {
    KBD_NOTHING = 0x00, /* some BIOSes send it, and QEMU acknowledges it */
    KBD_SET_LIGHTS = 0xed,
    KBD_ECHO = 0xee,
    KBD_SCAN_SET = 0xf0,
    KBD_IDENTIFY = 0xf2,
    KBD_SET_RATE = 0xf3,
    KBD_ENABLE = 0xf4,
    KBD_DISABLE = 0xf5, /* and defaults */
    KBD_DEFAULTS = 0xf6,
    KBD_ALL_TYPEMATIC_BREAK = 0xfa,
    KBD_KEY_BREAK = 0xfc,
    KBD_RESET = 0xff,
    KBD_BREAK_PREFIX = 0xf0, /* in sets 2 and 3 */
    KBD_SET_DEFAULT = 2,
};

/* Which of the eight modifiers are down: bits in the order of their usages. */
enum { MOD_CTRL = 0x11, MOD_SHIFT = 0x22, MOD_ALT = 0x44, MOD_LEFT_ALT = 0x04 };

typedef struct KeyboardState {
    Ps2State parent_obj;
    int32_t scan_enabled, translate; /* booleans, integers on the wire */
    int32_t scancode_set;            /* 1 to 3 */
    int32_t ledstate;                /* as the host set it */
    bool need_high_bit;              /* translating: the prefix of a break code went by, its code follows */
} KeyboardState;

typedef struct Keyboard {
    Ps2 ps2;
    uint8_t modifiers; /* the person's hands, which do not travel with the state */
    KeyboardState s;
} Keyboard;

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool check(const void *state, GError **error)
{
    const KeyboardState *s = state;

    if (!ps2_check(&s->parent_obj, "ps2kbd", error))
        return false;
    if (s->scancode_set >= 1 && s->scancode_set <= 3)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "ps2kbd/scancode_set is %d, it can be 1 to 3",
                s->scancode_set);
    return false;
}

static void push(void *opaque)
{
    ps2_push(opaque);
}

static bool has_ledstate(const void *state)
{
    return ((const KeyboardState *)state)->ledstate != 0;
}

static bool has_high_bit(const void *state)
{
    return ((const KeyboardState *)state)->need_high_bit;
}

static bool has_reply(const void *state)
{
    return ((const KeyboardState *)state)->parent_obj.queue.cwptr != PS2_NO_REPLY;
}

static const VMStateField ledstate_fields[] = {
    VMS_FIELD(KeyboardState, ledstate),
    VMS_END,
};

static const VMStateDescription ledstate_state = {
    .name = "ps2kbd/ledstate",
    .version = 3,
    .minimum = 2,
    .fields = ledstate_fields,
};

static const VMStateField high_bit_fields[] = {
    VMS_FIELD(KeyboardState, need_high_bit),
    VMS_END,
};

static const VMStateDescription high_bit_state = {
    .name = "ps2kbd/need_high_bit",
    .version = 1,
    .minimum = 1,
    .fields = high_bit_fields,
};

static const VMStateField reply_fields[] = {
    VMS_FIELD(KeyboardState, parent_obj.queue.cwptr),
    VMS_END,
};

static const VMStateDescription reply_state = {
    .name = "ps2kbd/command_reply_queue",
    .version = 0,
    .minimum = 0,
    .fields = reply_fields,
};

static const VMStateField fields[] = {
    VMS_SUB(KeyboardState, parent_obj, &ps2_state),
    VMS_FIELD(KeyboardState, scan_enabled),
    VMS_FIELD(KeyboardState, translate),
    VMS_FIELD(KeyboardState, scancode_set, .since = 3),
    VMS_END,
};

static const VMStateSubsection subsections[] = {
    {.desc = &ledstate_state, .needed = has_ledstate},
    {.desc = &high_bit_state, .needed = has_high_bit},
    {.desc = &reply_state, .needed = has_reply},
    {.desc = NULL},
};

static const VMStateDescription keyboard_state = {
    .name = "ps2kbd",
    .version = 3,
    .minimum = 2,
    .size = sizeof(KeyboardState),
    .fields = fields,
    .subsections = subsections,
    .check = check,
    .push = push,
};

/* --- keys ------------------------------------------------------------------------------------------------------- */

static void send_octet(Keyboard *k, uint8_t octet)
{
    if (!k->s.translate) {
        ps2_queue_one(&k->ps2, octet);
    } else if (octet == KBD_BREAK_PREFIX) {
        k->s.need_high_bit = true;
    } else {
        ps2_queue_one(&k->ps2, ps2_key_translate(octet) | (k->s.need_high_bit ? 0x80 : 0));
        k->s.need_high_bit = false;
    }
}

/* One code of the set in use; `code` is its make code, with 0xe0 in the upper half if there is a prefix. */
static void send_code(Keyboard *k, uint16_t code, bool down)
{
    if (code > UINT8_MAX)
        send_octet(k, (uint8_t)(code >> 8));
    if (k->s.scancode_set == 1) {
        send_octet(k, (uint8_t)(code | (down ? 0 : 0x80)));
        return;
    }
    if (!down)
        send_octet(k, KBD_BREAK_PREFIX);
    send_octet(k, (uint8_t)code);
}

/*
 * Print Screen comes with a Shift of its own unless one or Ctrl is down, and is SysRq with Alt, which goes up and down
 * again around it (Keyboard Scan Code Specification, key 124).
 */
static void send_print(Keyboard *k, bool down)
{
    bool one = k->s.scancode_set == 1;
    uint16_t code = one ? 0xe037 : 0xe07c, shift = one ? 0xe02a : 0xe012, alt = one ? 0x38 : 0x11;

    if (k->modifiers & MOD_ALT) {
        if (!(k->modifiers & MOD_LEFT_ALT))
            alt |= 0xe000;
        if (!down)
            send_code(k, one ? 0x54 : 0x84, false);
        send_code(k, alt, false);
        send_code(k, alt, true);
        if (down)
            send_code(k, one ? 0x54 : 0x84, true);
    } else if (k->modifiers & (MOD_CTRL | MOD_SHIFT)) {
        send_code(k, code, down);
    } else {
        send_code(k, down ? shift : code, down);
        send_code(k, down ? code : shift, down);
    }
}

/* Pause has no break code: it makes and breaks at once (key 126). With Ctrl it is Break. */
static void send_pause(Keyboard *k)
{
    bool one = k->s.scancode_set == 1;

    if (k->modifiers & MOD_CTRL) {
        send_code(k, one ? 0xe046 : 0xe07e, true);
        send_code(k, one ? 0xe046 : 0xe07e, false);
        return;
    }
    send_octet(k, 0xe1);
    send_code(k, one ? 0x1d : 0x14, true);
    send_code(k, one ? 0x45 : 0x77, true);
    send_octet(k, 0xe1);
    send_code(k, one ? 0x1d : 0x14, false);
    send_code(k, one ? 0x45 : 0x77, false);
}

void ps2_keyboard_key(Device *keyboard, uint32_t usage, bool down)
{
    Keyboard *k = (Keyboard *)keyboard;

    if (!k->s.scan_enabled) /* nor does it see modifiers go down and up */
        return;
    if (usage >= PS2_KEY_LEFT_CTRL && usage <= PS2_KEY_RIGHT_GUI) {
        uint8_t bit = (uint8_t)(1U << (usage - PS2_KEY_LEFT_CTRL));
        k->modifiers = down ? k->modifiers | bit : k->modifiers & (uint8_t)~bit;
    }
    if (k->s.scancode_set == 3 && (usage == PS2_KEY_PRINT || usage == PS2_KEY_PAUSE)) {
        send_code(k, usage == PS2_KEY_PRINT ? 0x57 : 0x62, down);
    } else if (usage == PS2_KEY_PRINT) {
        send_print(k, down);
    } else if (usage == PS2_KEY_PAUSE) {
        if (down)
            send_pause(k);
    } else {
        uint16_t code = ps2_key_code(usage, k->s.scancode_set);
        if (code)
            send_code(k, code, down);
    }
}

void ps2_keyboard_translate(Device *keyboard, bool on)
{
    ((Keyboard *)keyboard)->s.translate = on;
}

uint8_t ps2_keyboard_lights(const Device *keyboard)
{
    return ((const Keyboard *)keyboard)->s.ledstate & (PS2_LIGHT_SCROLL | PS2_LIGHT_NUM | PS2_LIGHT_CAPS);
}

/* --- commands --------------------------------------------------------------------------------------------------- */

static void reply(Keyboard *k, uint8_t octet)
{
    ps2_queue_reply(&k->ps2, &octet, 1);
}

/* The acknowledgement and up to two more, which pass through the translation as everything does. */
static void reply_more(Keyboard *k, unsigned count, const uint8_t *octets)
{
    uint8_t all[3] = {PS2_ACKNOWLEDGE};

    for (unsigned i = 0; i < count; i++)
        all[1 + i] = k->s.translate ? ps2_key_translate(octets[i]) : octets[i];
    ps2_queue_reply(&k->ps2, all, 1 + count);
}

static void set_defaults(Keyboard *k, bool enable)
{
    ps2_queue_clear(&k->s.parent_obj);
    k->s.scan_enabled = enable;
    k->s.scancode_set = KBD_SET_DEFAULT;
    k->s.ledstate = 0;
    k->s.need_high_bit = false;
}

/* What belongs to the command before. */
static void parameter(Keyboard *k, int32_t command, uint8_t value)
{
    if (command == KBD_SET_LIGHTS)
        k->s.ledstate = value;
    if (command != KBD_SCAN_SET) {
        reply(k, PS2_ACKNOWLEDGE);
    } else if (value == 0) {
        reply_more(k, 1, &(uint8_t){(uint8_t)k->s.scancode_set});
    } else if (value <= 3) {
        k->s.scancode_set = value;
        reply(k, PS2_ACKNOWLEDGE);
    } else {
        reply(k, PS2_RESEND);
    }
}

static void command(Keyboard *k, uint8_t value)
{
    static const uint8_t identity[] = {0xab, 0x83};

    switch (value) {
    case KBD_SET_LIGHTS:
    case KBD_SCAN_SET:
    case KBD_SET_RATE:
    case KBD_KEY_BREAK:
        k->s.parent_obj.write_cmd = value;
        reply(k, PS2_ACKNOWLEDGE);
        break;
    case KBD_ECHO:
        reply(k, PS2_ECHO);
        break;
    case KBD_IDENTIFY:
        reply_more(k, sizeof(identity), identity);
        break;
    case KBD_ENABLE:
        k->s.scan_enabled = true;
        reply(k, PS2_ACKNOWLEDGE);
        break;
    case KBD_DISABLE:
    case KBD_DEFAULTS:
        set_defaults(k, value == KBD_DEFAULTS);
        reply(k, PS2_ACKNOWLEDGE);
        break;
    case KBD_NOTHING:
    case KBD_ALL_TYPEMATIC_BREAK:
        reply(k, PS2_ACKNOWLEDGE);
        break;
    case KBD_RESET:
        set_defaults(k, true);
        reply_more(k, 1, &(uint8_t){PS2_SELF_TEST_FINE});
        break;
    default:
        reply(k, PS2_RESEND);
    }
}

static void write_octet(Ps2 *p, uint8_t value)
{
    Keyboard *k = (Keyboard *)p;
    int32_t before = k->s.parent_obj.write_cmd;

    k->s.parent_obj.write_cmd = PS2_NO_COMMAND;
    switch (before) {
    case KBD_SET_LIGHTS:
    case KBD_SCAN_SET:
    case KBD_SET_RATE:
    case KBD_KEY_BREAK:
        parameter(k, before, value);
        break;
    default: /* also what a stream says that is no such command */
        command(k, value);
    }
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void reset(Device *dev)
{
    Keyboard *k = (Keyboard *)dev;

    k->s = (KeyboardState){
        .parent_obj = {.write_cmd = PS2_NO_COMMAND, .queue.cwptr = PS2_NO_REPLY},
        .scan_enabled = true,
        .scancode_set = KBD_SET_DEFAULT,
    };
    ps2_update(&k->ps2);
}

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(Ps2, irq, "irq"),
    {.name = NULL},
};

static const Keyboard defaults = {
    .ps2.write = write_octet,
    .s = {.parent_obj = {.write_cmd = PS2_NO_COMMAND, .queue.cwptr = PS2_NO_REPLY},
          .scan_enabled = true,
          .scancode_set = KBD_SET_DEFAULT},
};

const DeviceType ps2_keyboard_type = {
    .name = "ps2-kbd",
    .about = "PS/2 keyboard",
    .size = sizeof(Keyboard),
    .defaults = &defaults,
    .state = &keyboard_state,
    .state_offset = offsetof(Keyboard, s),
    .outputs = outputs,
    .reset = reset,
};
