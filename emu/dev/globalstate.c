/*
 * globalstate.c: the run state as a section of the stream, no chip at all.
 *
 * Source: streams of QEMU 7.2, and the names that its query-qmp-schema tells of RunState.
 * Ports and lines: none. A reset changes nothing: that is the machine's, as is what a run state means.
 */
#include "emu/dev/globalstate.h"

#include <string.h>

#include "emu/dev/dev.h"

enum { RUNSTATE_SIZE = 100 };

typedef struct GlobalState {
    uint32_t size;                   /* of the name with its 0; not looked at in a load, as in QEMU */
    uint8_t runstate[RUNSTATE_SIZE]; /* the name, and zeros */
} GlobalState;

typedef struct GlobalStateDevice {
    Device dev;
    GlobalState s;
} GlobalStateDevice;

static const char *const names[] = {
    "debug",     "inmigrate",      "internal-error", "io-error",   "paused",  "postmigrate",
    "prelaunch", "finish-migrate", "running",        "restore-vm", "save-vm", "shutdown",
    "suspended", "watchdog",       "guest-panicked", "colo",
};

/* The known name that these octets are up to their 0, or NULL. */
static const char *find(const void *octets)
{
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (strncmp(octets, names[i], RUNSTATE_SIZE) == 0)
            return names[i];
    return NULL;
}

bool globalstate_is_known(const char *name)
{
    return find(name);
}

void globalstate_set(Device *dev, const char *name)
{
    GlobalState *s = &((GlobalStateDevice *)dev)->s;

    if (!globalstate_is_known(name))
        g_error("globalstate: \"%s\" is no run state", name);
    *s = (GlobalState){.size = (uint32_t)strlen(name) + 1};
    memcpy(s->runstate, name, strlen(name));
}

const char *globalstate_get(const Device *dev)
{
    return find(((const GlobalStateDevice *)dev)->s.runstate);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

static bool check(const void *state, GError **error)
{
    g_autofree char *text = NULL, *shown = NULL, *known = NULL;
    const GlobalState *s = state;
    GString *list;

    if (find(s->runstate))
        return true;
    list = g_string_new(names[0]);
    for (size_t i = 1; i < G_N_ELEMENTS(names); i++)
        g_string_append_printf(list, ", %s", names[i]);
    known = g_string_free(list, FALSE);
    text = g_strndup((const char *)s->runstate, RUNSTATE_SIZE);
    shown = g_strescape(text, NULL); /* what is not printable has no business on a terminal */
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "runstate: \"%s\" is no run state; there are %s", shown,
                known);
    return false;
}

/* What is saved next has the size of its name, and nothing behind it. */
static void push(void *opaque)
{
    globalstate_set(opaque, globalstate_get(opaque));
}

/* Always; but a stream may lack it, which then means "running". */
static bool is_needed(const void *state)
{
    return state;
}

static const VMStateField fields[] = {
    VMS_FIELD(GlobalState, size),
    VMS_BYTES(GlobalState, runstate),
    VMS_END,
};

static const VMStateDescription globalstate_state = {
    .name = "globalstate",
    .version = 1,
    .minimum = 1,
    .size = sizeof(GlobalState),
    .needed = is_needed,
    .fields = fields,
    .check = check,
    .push = push,
};

/* --- life ------------------------------------------------------------------------------------------------------- */

static bool realize(Device *dev, GError **error)
{
    (void)error;
    globalstate_set(dev, "running");
    return true;
}

const DeviceType globalstate_type = {
    .name = "globalstate",
    .about = "the run state of a stream",
    .size = sizeof(GlobalStateDevice),
    .state = &globalstate_state,
    .state_offset = offsetof(GlobalStateDevice, s),
    .realize = realize,
};
