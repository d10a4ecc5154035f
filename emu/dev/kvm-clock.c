/*
 * kvm-clock.c: the guest's view of time that KVM gives it (Linux, Documentation/virt/kvm/x86/msr.rst,
 * MSR_KVM_SYSTEM_TIME_NEW).
 *
 * Like the PIT it is taken when the machine stops and put back when it starts. Not modelled: a host whose clock is not
 * stable, where QEMU reads the guest's page instead; such a stream loads with the clock it has.
 *
 * A machine without KVM does not run, but can be loaded and saved again: it keeps the clock that came.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "emu/core/machine.h"
#include "emu/dev/dev.h"
#include "emu/dev/kvm-chips.h"

typedef struct KvmClockState {
    uint64_t clock; /* ns */
    bool clock_is_reliable;
} KvmClockState;

typedef struct KvmClock {
    Device dev;
    Kvm *kvm;
    KvmClockState s;
} KvmClock;

static bool take(KvmClock *p)
{
    struct kvm_clock_data data = {.clock = 0};

    if (ioctl(p->kvm->vm, KVM_GET_CLOCK, &data) < 0)
        return false;
    p->s = (KvmClockState){.clock = data.clock, .clock_is_reliable = true};
    return true;
}

static void runs(void *opaque, bool running)
{
    KvmClock *p = opaque;
    struct kvm_clock_data data = {.clock = p->s.clock};

    if (!running && !take(p))
        kvm_keep_failure(p->kvm, "taking the clock");
    if (running && ioctl(p->kvm->vm, KVM_SET_CLOCK, &data) < 0)
        kvm_keep_failure(p->kvm, "setting the clock");
}

static bool pull(void *opaque, GError **error)
{
    KvmClock *p = opaque;

    if (!p->dev.machine->running || take(p))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "KVM does not tell its clock: %s", g_strerror(errno));
    return false;
}

/* Always; but the stream of a machine without KVM lacks it: its guest knows no such clock, which starts again. */
static bool is_needed(const void *state)
{
    return state;
}

static const VMStateField reliable_fields[] = {VMS_FIELD(KvmClockState, clock_is_reliable), VMS_END};
static const VMStateDescription reliable = {
    .name = "kvmclock/clock_is_reliable", .version = 1, .minimum = 1, .fields = reliable_fields};
static const VMStateSubsection subsections[] = {{.desc = &reliable}, {.desc = NULL}};

static const VMStateField fields[] = {VMS_FIELD(KvmClockState, clock), VMS_END};

static const VMStateDescription kvm_clock_state = {
    .name = "kvmclock",
    .version = 1,
    .minimum = 1,
    .size = sizeof(KvmClockState),
    .needed = is_needed,
    .fields = fields,
    .subsections = subsections,
    .pull = pull,
};

static void reset(Device *dev)
{
    KvmClock *p = (KvmClock *)dev;

    /* time goes on through a reset */
    p->s.clock_is_reliable = true;
}

static bool realize(Device *dev, GError **error)
{
    (void)error;
    machine_add_runner(dev->machine, runs, dev);
    return true;
}

static void unrealize(Device *dev)
{
    machine_remove_runner(dev->machine, dev);
}

static const DeviceType kvm_clock_type = {
    .name = "kvmclock",
    .about = "KVM's clock for the guest",
    .size = sizeof(KvmClock),
    .state = &kvm_clock_state,
    .state_offset = offsetof(KvmClock, s),
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};

/* --- a machine without KVM -------------------------------------------------------------------------------------- */

/* What came with a stream: KVM's clock is never 0 there. */
static bool has_come(const void *state)
{
    return ((const KvmClockState *)state)->clock;
}

static const VMStateDescription kept_clock_state = {
    .name = "kvmclock",
    .version = 1,
    .minimum = 1,
    .size = sizeof(KvmClockState),
    .needed = has_come,
    .fields = fields,
    .subsections = subsections,
};

static const DeviceType kept_clock_type = {
    .name = "kvmclock",
    .about = "KVM's clock for the guest, as it came",
    .size = sizeof(KvmClock),
    .state = &kept_clock_state,
    .state_offset = offsetof(KvmClock, s),
};

Device *kept_kvm_clock_new(void)
{
    return device_new(&kept_clock_type);
}

/* --- with KVM --------------------------------------------------------------------------------------------------- */

Device *kvm_clock_new(Kvm *kvm)
{
    KvmClock *p = (KvmClock *)device_new(&kvm_clock_type);

    p->kvm = kvm;
    return &p->dev;
}

void kvm_clock_advance(Device *clock, uint64_t ns)
{
    KvmClockState *s = &((KvmClock *)clock)->s;

    s->clock += s->clock ? ns : 0;
}
