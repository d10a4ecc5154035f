/*
 * vm-timer.c: the section "timer": what the virtual clock showed, which all other times in a stream are relative to.
 *
 * Not modelled: instruction counting. The host's tick counter at the stop, which is there for emulated processors, is
 * kept as it came.
 */
#include "emu/dev/vm-timer.h"

#include "emu/core/machine.h"

typedef struct VmTimerState {
    int64_t cpu_ticks_offset;
    int64_t cpu_clock_offset; /* virtual ns */
} VmTimerState;

typedef struct VmTimer {
    Device dev;
    VmClock *clock; /* NULL: the machine's clock is somebody else's, and stays as it is */
    VmTimerState s;
} VmTimer;

static bool pull(void *opaque, GError **error)
{
    VmTimer *t = opaque;

    (void)error;
    t->s.cpu_clock_offset = clock_now(t->dev.machine->virtual_clock);
    return true;
}

static void push(void *opaque)
{
    VmTimer *t = opaque;

    if (t->clock)
        vm_clock_set(t->clock, t->s.cpu_clock_offset);
}

static bool check(const void *state, GError **error)
{
    const VmTimerState *s = state;

    if (s->cpu_clock_offset >= 0)
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                "cpu_clock_offset is %" G_GINT64_FORMAT ", time does not start below 0", s->cpu_clock_offset);
    return false;
}

static const VMStateField fields[] = {
    VMS_FIELD(VmTimerState, cpu_ticks_offset),
    VMS_PAD(8),
    VMS_FIELD(VmTimerState, cpu_clock_offset, .since = 2),
    VMS_END,
};

static const VMStateDescription vm_timer_state = {
    .name = "timer",
    .version = 2,
    .minimum = 1,
    .size = sizeof(VmTimerState),
    .fields = fields,
    .pull = pull,
    .check = check,
    .push = push,
};

static const DeviceType vm_timer_type = {
    .name = "vm-timer",
    .about = "the virtual clock's section",
    .size = sizeof(VmTimer),
    .state = &vm_timer_state,
    .state_offset = offsetof(VmTimer, s),
};

Device *vm_timer_new(VmClock *clock)
{
    VmTimer *t = (VmTimer *)device_new(&vm_timer_type);

    t->clock = clock;
    return &t->dev;
}
