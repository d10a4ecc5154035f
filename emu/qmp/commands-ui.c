/* commands-ui.c: the keyboard, and the screen that there is not; schema/ui.json. */
#include "emu/dev/ps2.h"
#include "emu/machine/inspect.h"
#include "emu/machine/vm.h"
#include "emu/qmp/error.h"
#include "emu/qmp/server-impl.h"
#include "qapi/commands.h"

/* HID Usage Tables, the page in the upper half; 0: a PS/2 keyboard does not have it. */
static const uint32_t usages[QMP_Q_KEY_CODE__MAX] = {
    [QMP_Q_KEY_CODE_SHIFT] = 0x0700e1,
    [QMP_Q_KEY_CODE_SHIFT_R] = 0x0700e5,
    [QMP_Q_KEY_CODE_ALT] = 0x0700e2,
    [QMP_Q_KEY_CODE_ALT_R] = 0x0700e6,
    [QMP_Q_KEY_CODE_CTRL] = 0x0700e0,
    [QMP_Q_KEY_CODE_CTRL_R] = 0x0700e4,
    [QMP_Q_KEY_CODE_MENU] = 0x070076,
    [QMP_Q_KEY_CODE_ESC] = 0x070029,
    [QMP_Q_KEY_CODE_1] = 0x07001e,
    [QMP_Q_KEY_CODE_2] = 0x07001f,
    [QMP_Q_KEY_CODE_3] = 0x070020,
    [QMP_Q_KEY_CODE_4] = 0x070021,
    [QMP_Q_KEY_CODE_5] = 0x070022,
    [QMP_Q_KEY_CODE_6] = 0x070023,
    [QMP_Q_KEY_CODE_7] = 0x070024,
    [QMP_Q_KEY_CODE_8] = 0x070025,
    [QMP_Q_KEY_CODE_9] = 0x070026,
    [QMP_Q_KEY_CODE_0] = 0x070027,
    [QMP_Q_KEY_CODE_MINUS] = 0x07002d,
    [QMP_Q_KEY_CODE_EQUAL] = 0x07002e,
    [QMP_Q_KEY_CODE_BACKSPACE] = 0x07002a,
    [QMP_Q_KEY_CODE_TAB] = 0x07002b,
    [QMP_Q_KEY_CODE_Q] = 0x070014,
    [QMP_Q_KEY_CODE_W] = 0x07001a,
    [QMP_Q_KEY_CODE_E] = 0x070008,
    [QMP_Q_KEY_CODE_R] = 0x070015,
    [QMP_Q_KEY_CODE_T] = 0x070017,
    [QMP_Q_KEY_CODE_Y] = 0x07001c,
    [QMP_Q_KEY_CODE_U] = 0x070018,
    [QMP_Q_KEY_CODE_I] = 0x07000c,
    [QMP_Q_KEY_CODE_O] = 0x070012,
    [QMP_Q_KEY_CODE_P] = 0x070013,
    [QMP_Q_KEY_CODE_BRACKET_LEFT] = 0x07002f,
    [QMP_Q_KEY_CODE_BRACKET_RIGHT] = 0x070030,
    [QMP_Q_KEY_CODE_RET] = 0x070028,
    [QMP_Q_KEY_CODE_A] = 0x070004,
    [QMP_Q_KEY_CODE_S] = 0x070016,
    [QMP_Q_KEY_CODE_D] = 0x070007,
    [QMP_Q_KEY_CODE_F] = 0x070009,
    [QMP_Q_KEY_CODE_G] = 0x07000a,
    [QMP_Q_KEY_CODE_H] = 0x07000b,
    [QMP_Q_KEY_CODE_J] = 0x07000d,
    [QMP_Q_KEY_CODE_K] = 0x07000e,
    [QMP_Q_KEY_CODE_L] = 0x07000f,
    [QMP_Q_KEY_CODE_SEMICOLON] = 0x070033,
    [QMP_Q_KEY_CODE_APOSTROPHE] = 0x070034,
    [QMP_Q_KEY_CODE_GRAVE_ACCENT] = 0x070035,
    [QMP_Q_KEY_CODE_BACKSLASH] = 0x070031,
    [QMP_Q_KEY_CODE_Z] = 0x07001d,
    [QMP_Q_KEY_CODE_X] = 0x07001b,
    [QMP_Q_KEY_CODE_C] = 0x070006,
    [QMP_Q_KEY_CODE_V] = 0x070019,
    [QMP_Q_KEY_CODE_B] = 0x070005,
    [QMP_Q_KEY_CODE_N] = 0x070011,
    [QMP_Q_KEY_CODE_M] = 0x070010,
    [QMP_Q_KEY_CODE_COMMA] = 0x070036,
    [QMP_Q_KEY_CODE_DOT] = 0x070037,
    [QMP_Q_KEY_CODE_SLASH] = 0x070038,
    [QMP_Q_KEY_CODE_SPC] = 0x07002c,
    [QMP_Q_KEY_CODE_CAPS_LOCK] = 0x070039,
    [QMP_Q_KEY_CODE_F1] = 0x07003a,
    [QMP_Q_KEY_CODE_F2] = 0x07003b,
    [QMP_Q_KEY_CODE_F3] = 0x07003c,
    [QMP_Q_KEY_CODE_F4] = 0x07003d,
    [QMP_Q_KEY_CODE_F5] = 0x07003e,
    [QMP_Q_KEY_CODE_F6] = 0x07003f,
    [QMP_Q_KEY_CODE_F7] = 0x070040,
    [QMP_Q_KEY_CODE_F8] = 0x070041,
    [QMP_Q_KEY_CODE_F9] = 0x070042,
    [QMP_Q_KEY_CODE_F10] = 0x070043,
    [QMP_Q_KEY_CODE_NUM_LOCK] = 0x070053,
    [QMP_Q_KEY_CODE_SCROLL_LOCK] = 0x070047,
    [QMP_Q_KEY_CODE_KP_DIVIDE] = 0x070054,
    [QMP_Q_KEY_CODE_KP_MULTIPLY] = 0x070055,
    [QMP_Q_KEY_CODE_KP_SUBTRACT] = 0x070056,
    [QMP_Q_KEY_CODE_KP_ADD] = 0x070057,
    [QMP_Q_KEY_CODE_KP_ENTER] = 0x070058,
    [QMP_Q_KEY_CODE_KP_DECIMAL] = 0x070063,
    [QMP_Q_KEY_CODE_KP_0] = 0x070062,
    [QMP_Q_KEY_CODE_KP_1] = 0x070059,
    [QMP_Q_KEY_CODE_KP_2] = 0x07005a,
    [QMP_Q_KEY_CODE_KP_3] = 0x07005b,
    [QMP_Q_KEY_CODE_KP_4] = 0x07005c,
    [QMP_Q_KEY_CODE_KP_5] = 0x07005d,
    [QMP_Q_KEY_CODE_KP_6] = 0x07005e,
    [QMP_Q_KEY_CODE_KP_7] = 0x07005f,
    [QMP_Q_KEY_CODE_KP_8] = 0x070060,
    [QMP_Q_KEY_CODE_KP_9] = 0x070061,
    [QMP_Q_KEY_CODE_LESS] = 0x070064,
    [QMP_Q_KEY_CODE_F11] = 0x070044,
    [QMP_Q_KEY_CODE_F12] = 0x070045,
    [QMP_Q_KEY_CODE_HOME] = 0x07004a,
    [QMP_Q_KEY_CODE_PGUP] = 0x07004b,
    [QMP_Q_KEY_CODE_PGDN] = 0x07004e,
    [QMP_Q_KEY_CODE_END] = 0x07004d,
    [QMP_Q_KEY_CODE_LEFT] = 0x070050,
    [QMP_Q_KEY_CODE_UP] = 0x070052,
    [QMP_Q_KEY_CODE_DOWN] = 0x070051,
    [QMP_Q_KEY_CODE_RIGHT] = 0x07004f,
    [QMP_Q_KEY_CODE_INSERT] = 0x070049,
    [QMP_Q_KEY_CODE_DELETE] = 0x07004c,
    [QMP_Q_KEY_CODE_STOP] = 0x070078,
    [QMP_Q_KEY_CODE_AGAIN] = 0x070079,
    [QMP_Q_KEY_CODE_PROPS] = 0x0700a3,
    [QMP_Q_KEY_CODE_UNDO] = 0x07007a,
    [QMP_Q_KEY_CODE_COPY] = 0x07007c,
    [QMP_Q_KEY_CODE_PASTE] = 0x07007d,
    [QMP_Q_KEY_CODE_FIND] = 0x07007e,
    [QMP_Q_KEY_CODE_CUT] = 0x07007b,
    [QMP_Q_KEY_CODE_HELP] = 0x070075,
    [QMP_Q_KEY_CODE_META_L] = 0x0700e3,
    [QMP_Q_KEY_CODE_META_R] = 0x0700e7,
    [QMP_Q_KEY_CODE_COMPOSE] = 0x070065,
    [QMP_Q_KEY_CODE_RO] = 0x070087,
    [QMP_Q_KEY_CODE_HIRAGANA] = 0x070093,
    [QMP_Q_KEY_CODE_HENKAN] = 0x07008a,
    [QMP_Q_KEY_CODE_YEN] = 0x070089,
    [QMP_Q_KEY_CODE_MUHENKAN] = 0x07008b,
    [QMP_Q_KEY_CODE_KATAKANAHIRAGANA] = 0x070088,
    [QMP_Q_KEY_CODE_KP_COMMA] = 0x070085,
    [QMP_Q_KEY_CODE_KP_EQUALS] = 0x070067,
    [QMP_Q_KEY_CODE_POWER] = 0x070066,
    [QMP_Q_KEY_CODE_SLEEP] = 0x010082,
    [QMP_Q_KEY_CODE_WAKE] = 0x010083,
    [QMP_Q_KEY_CODE_AUDIONEXT] = 0x0c00b5,
    [QMP_Q_KEY_CODE_AUDIOPREV] = 0x0c00b6,
    [QMP_Q_KEY_CODE_AUDIOSTOP] = 0x0c00b7,
    [QMP_Q_KEY_CODE_AUDIOPLAY] = 0x0c00cd,
    [QMP_Q_KEY_CODE_AUDIOMUTE] = 0x07007f,
    [QMP_Q_KEY_CODE_VOLUMEUP] = 0x070080,
    [QMP_Q_KEY_CODE_VOLUMEDOWN] = 0x070081,
    [QMP_Q_KEY_CODE_MEDIASELECT] = 0x0c0183,
    [QMP_Q_KEY_CODE_MAIL] = 0x0c018a,
    [QMP_Q_KEY_CODE_CALCULATOR] = 0x0c0192,
    [QMP_Q_KEY_CODE_COMPUTER] = 0x0c0194,
    [QMP_Q_KEY_CODE_AC_HOME] = 0x0c0223,
    [QMP_Q_KEY_CODE_AC_BACK] = 0x0c0224,
    [QMP_Q_KEY_CODE_AC_FORWARD] = 0x0c0225,
    [QMP_Q_KEY_CODE_AC_REFRESH] = 0x0c0227,
    [QMP_Q_KEY_CODE_AC_BOOKMARKS] = 0x0c022a,
    [QMP_Q_KEY_CODE_LANG1] = 0x070090,
    [QMP_Q_KEY_CODE_LANG2] = 0x070091,
    [QMP_Q_KEY_CODE_ASTERISK] = 0x070055, /* of the keypad, like kp_multiply */
    [QMP_Q_KEY_CODE_PRINT] = 0x070046,
    [QMP_Q_KEY_CODE_SYSRQ] = 0x070046,
    [QMP_Q_KEY_CODE_PAUSE] = 0x070048,
};

enum { HOLD_MS = 100, HOLD_MS_MAX = 60000, GREY = 0x80, GREY_CODES = 0xe000 };

/* Keys that are down. */
typedef struct Held {
    Pc *pc;
    GArray *usages; /* of uint32_t */
} Held;

static void held_free(void *opaque)
{
    Held *h = opaque;

    g_array_unref(h->usages);
    g_free(h);
}

static void press(const Held *h, bool down)
{
    Machine *machine = pc_machine(h->pc);
    guint count = h->usages->len;

    machine_lock(machine);
    for (guint i = 0; i < count; i++)
        ps2_keyboard_key(pc_keyboard(h->pc), g_array_index(h->usages, uint32_t, down ? i : count - 1 - i), down);
    machine_unlock(machine);
}

static gboolean let_go(void *opaque)
{
    press(opaque, false);
    return G_SOURCE_REMOVE;
}

/* A number is a scan code of set 1; with bit 7, of those behind 0xe0. */
static uint32_t usage_of(const QmpKeyValue *key)
{
    if (key->type == QMP_KEY_VALUE_KIND_QCODE)
        return usages[key->u.qcode->data];
    int64_t n = key->u.number->data;
    return n < 0 || n > 0xff ? 0 : ps2_key_of_code((uint16_t)(n & GREY ? GREY_CODES | (n & ~GREY) : n));
}

bool qmp_send_key(QmpCall *call, const QmpSendKeyArguments *arguments, GError **error)
{
    int64_t hold_ms = arguments->has_hold_time ? arguments->hold_time : HOLD_MS;

    if (hold_ms < 0 || hold_ms > HOLD_MS_MAX) {
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "send-key.hold-time: 0 to %d ms", HOLD_MS_MAX);
        return false;
    }
    Held *held = g_new0(Held, 1);
    held->pc = vm_pc(qmp_call_vm(call));
    held->usages = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    for (size_t i = 0; i < arguments->keys.count; i++) {
        uint32_t usage = usage_of(arguments->keys.items[i]);
        if (usage)
            g_array_append_val(held->usages, usage);
    }
    press(held, true);
    g_autoptr(GSource) source = g_timeout_source_new((guint)hold_ms);
    g_source_set_callback(source, let_go, held, held_free);
    g_source_attach(source, call->server->config.context);
    return true;
}

bool qmp_screendump(QmpCall *call, const QmpScreendumpArguments *arguments, GError **error)
{
    (void)call;
    if (arguments->device)
        g_set_error(error, QMP_ERROR, QMP_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", arguments->device);
    else if (arguments->has_head)
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "'head' must be specified together with 'device'");
    else
        g_set_error(error, QMP_ERROR, QMP_ERROR_GENERIC, "There is no console to take a screendump from");
    return false;
}
