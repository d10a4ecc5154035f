/*
 * kvm-i8254.c: the 8254 in KVM.
 *
 * The kernel counts by the host's monotonic clock, the section by the virtual one, which stands while the machine does.
 * So the state is taken when the machine stops, and put back when it starts: what lies between does not count.
 * Not modelled here: the state that QEMU does not have either (the speaker's data bit, which is in port 0x61).
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <time.h>

#include "emu/core/machine.h"
#include "emu/dev/dev.h"
#include "emu/dev/kvm-chips.h"

enum { SILENT_MODE = 5 };

typedef struct KvmI8254 {
    Device dev;
    Kvm *kvm;
    PitState s;
} KvmI8254;

static int64_t now_of(const KvmI8254 *p)
{
    return clock_now(p->dev.machine->virtual_clock);
}

/* What the virtual clock is ahead of the monotonic one. */
static int64_t ahead(const KvmI8254 *p)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return now_of(p) - (t.tv_sec * (int64_t)NS_PER_SECOND + t.tv_nsec);
}

/* --- between the kernel and the state --------------------------------------------------------------------------- */

static PitChannel channel_from(const struct kvm_pit_channel_state *k, int64_t ahead_ns)
{
    return (PitChannel){.count = (int32_t)k->count,
                        .latched_count = k->latched_count,
                        .count_latched = k->count_latched,
                        .status_latched = k->status_latched,
                        .status = k->status,
                        .read_state = k->read_state,
                        .write_state = k->write_state,
                        .write_latch = k->write_latch,
                        .rw_mode = k->rw_mode,
                        .mode = k->mode,
                        .bcd = k->bcd,
                        .gate = k->gate,
                        .count_load_time = k->count_load_time + ahead_ns};
}

static struct kvm_pit_channel_state channel_to(const PitChannel *c, int64_t ahead_ns)
{
    return (struct kvm_pit_channel_state){.count = (uint32_t)c->count,
                                          .latched_count = c->latched_count,
                                          .count_latched = c->count_latched,
                                          .status_latched = c->status_latched,
                                          .status = c->status,
                                          .read_state = c->read_state,
                                          .write_state = c->write_state,
                                          .write_latch = c->write_latch,
                                          .rw_mode = c->rw_mode,
                                          .mode = c->mode,
                                          .bcd = c->bcd,
                                          .gate = c->gate,
                                          .count_load_time = c->count_load_time - ahead_ns};
}

/* Only of channel 0, as QEMU has it. */
static void find_next_transition(KvmI8254 *p)
{
    PitChannel *c = &p->s.channels[0];
    int64_t next = pit_channel_next_change(c, pit_channel_tick(c, now_of(p)));

    c->next_transition_time = next == INT64_MAX ? TIMER_NEVER : pit_channel_time(c, next);
}

static bool take(KvmI8254 *p)
{
    struct kvm_pit_state2 pit;

    if (ioctl(p->kvm->vm, KVM_GET_PIT2, &pit) < 0)
        return false;
    p->s.irq_disabled = (pit.flags & KVM_PIT_FLAGS_HPET_LEGACY) != 0;
    for (int i = 0; i < PIT_CHANNELS; i++)
        p->s.channels[i] = channel_from(&pit.channels[i], ahead(p));
    find_next_transition(p);
    return true;
}

/*
 * While the machine stands channel 0 gets a mode that no interrupts come of: the kernel's timer would go on, and an
 * interrupt would be pending that came at no time of the guest's.
 */
static void put(KvmI8254 *p)
{
    struct kvm_pit_state2 pit = {.flags = p->s.irq_disabled ? KVM_PIT_FLAGS_HPET_LEGACY : 0};

    for (int i = 0; i < PIT_CHANNELS; i++)
        pit.channels[i] = channel_to(&p->s.channels[i], ahead(p));
    if (!p->dev.machine->running)
        pit.channels[0].mode = SILENT_MODE;
    if (ioctl(p->kvm->vm, KVM_SET_PIT2, &pit) < 0)
        kvm_keep_failure(p->kvm, "setting the PIT");
}

static void runs(void *opaque, bool running)
{
    if (!running && !take(opaque))
        kvm_keep_failure(((KvmI8254 *)opaque)->kvm, "taking the state of the PIT");
    put(opaque);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

/* Of a machine that stands it is there already. */
static bool pull(void *opaque, GError **error)
{
    KvmI8254 *p = opaque;

    if (!p->dev.machine->running || take(p))
        return true;
    g_set_error(error, FERRY_ERROR, FERRY_ERROR_IO, "KVM does not tell the state of the PIT: %s", g_strerror(errno));
    return false;
}

static void push(void *opaque)
{
    put(opaque);
}

static const VMStateDescription kvm_i8254_state = {
    .name = "i8254",
    .version = PIT_VERSION,
    .minimum = PIT_MINIMUM,
    .size = sizeof(PitState),
    .fields = i8254_fields,
    .check = i8254_check,
    .pull = pull,
    .push = push,
};

/* --- the speaker's end ------------------------------------------------------------------------------------------ */

/* While the machine runs the kernel has the state, otherwise it is here. */
static void refresh(KvmI8254 *p)
{
    if (p->dev.machine->running && !take(p))
        kvm_keep_failure(p->kvm, "taking the state of the PIT");
}

static bool gate(Device *dev, unsigned channel)
{
    KvmI8254 *p = (KvmI8254 *)dev;

    refresh(p);
    return p->s.channels[channel].gate;
}

/* A rising gate starts the count anew in modes 1, 2, 3 and 5 (8254 data sheet, "Gate Pin Operations Summary"). */
static void set_gate(Device *dev, unsigned channel, bool level)
{
    KvmI8254 *p = (KvmI8254 *)dev;
    PitChannel *c = &p->s.channels[channel];

    refresh(p);
    if (level && !c->gate && c->mode != 0 && c->mode != 4)
        c->count_load_time = now_of(p);
    c->gate = level;
    put(p);
}

static bool out(Device *dev, unsigned channel)
{
    KvmI8254 *p = (KvmI8254 *)dev;
    const PitChannel *c = &p->s.channels[channel];

    refresh(p);
    return pit_channel_out(c, pit_channel_tick(c, now_of(p)));
}

const PitOps kvm_i8254_ops = {.gate = gate, .set_gate = set_gate, .out = out};

static void hpet_legacy(void *opaque, unsigned n, bool level)
{
    KvmI8254 *p = opaque;

    (void)n;
    if (!p->dev.machine) /* the HPET resets its line before this is realized */
        return;
    refresh(p);
    p->s.irq_disabled = level;
    put(p);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

static void reset(Device *dev)
{
    KvmI8254 *p = (KvmI8254 *)dev;

    p->s = (PitState){.irq_disabled = 0};
    for (int i = 0; i < PIT_CHANNELS; i++)
        p->s.channels[i] = (PitChannel){.count = PIT_COUNT_MAX,
                                        .mode = 3,
                                        .gate = i != 2,
                                        .count_load_time = now_of(p),
                                        .next_transition_time = i ? 0 : TIMER_NEVER};
    put(p);
    find_next_transition(p);
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

static const DeviceInput inputs[] = {
    {.name = "hpet legacy", .count = 1, .set = hpet_legacy},
    {.name = NULL},
};

static const DeviceType kvm_i8254_type = {
    .name = "kvm-pit",
    .about = "8254 timer in KVM",
    .size = sizeof(KvmI8254),
    .state = &kvm_i8254_state,
    .state_offset = offsetof(KvmI8254, s),
    .inputs = inputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};

Device *kvm_i8254_new(Kvm *kvm)
{
    KvmI8254 *p = (KvmI8254 *)device_new(&kvm_i8254_type);

    p->kvm = kvm;
    return &p->dev;
}
