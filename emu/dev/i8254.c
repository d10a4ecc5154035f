/*
 * i8254.c: the programmable interval timer, in user space.
 *
 * Source: Intel 8254 data sheet (231164): control word, read-back command, and the definitions of the six modes.
 * Ports: 0x40 to 0x43. Output: "irq" (OUT of channel 0). Input: "hpet legacy", which takes it away. GATE and OUT of the
 * channels: the functions in i8254.h.
 * Not modelled: the pulse of CLK that moves a new count into the counter takes no time, so OUT changes one period of
 * CLK earlier than on the chip. In mode 3 a count that is written while OUT is low also shortens that low half if it is
 * itself shorter. Of interrupts with periods below 10 us one or two come every 10 us. What a counter has before its
 * first count is what it had before.
 */
#include "emu/dev/i8254.h"

#include "emu/core/machine.h"
#include "emu/dev/dev.h"

enum {
    PIT_PORT = 0x40,
    PIT_CONTROL = 3,

    CONTROL_CHANNEL_SHIFT = 6,
    CONTROL_READ_BACK = 3, /* as a channel */
    CONTROL_RW_SHIFT = 4,  /* 0: the counter latch command */
    CONTROL_MODE_SHIFT = 1,
    CONTROL_BCD = 1 << 0,
    READ_BACK_NO_COUNT = 1 << 5,
    READ_BACK_NO_STATUS = 1 << 4,
    READ_BACK_CHANNEL_0 = 1 << 1,

    SHORTEST_NS = 10 * NS_PER_US,

    /* Of a status that is not latched, with PIT_STATUS_NULL: there is a count, which waits for the end of a period. */
    STATUS_LATER = 1 << 0,
};

#define NOT_YET INT64_MAX

/* What the stream has in other words: see pull and push. */
typedef struct Progress {
    int64_t stands_ns; /* since when the counter stands; TIMER_NEVER: it runs */
    int64_t loads_ns;  /* when the count reaches the counter; NOT_YET: with a write of a count, or a trigger */
} Progress;

typedef struct Pit {
    Device dev;
    Irq irq;
    SpaceId ports;
    Timer timer;
    int64_t now_ns;  /* of the access or expiry that is being dealt with: it is one instant, however long it takes */
    int64_t seen_ns; /* until when the edges of channel 0 have gone out */
    Progress progress[PIT_CHANNELS];
    PitState s;
} Pit;

/* Everything that comes from outside starts with it. */
static void look_at_clock(Pit *p)
{
    p->now_ns = clock_now(p->dev.machine->virtual_clock);
}

static int64_t ticks(const Pit *p, unsigned n)
{
    int64_t stands_ns = p->progress[n].stands_ns;

    return pit_channel_tick(&p->s.channels[n], stands_ns == TIMER_NEVER ? p->now_ns : stands_ns);
}

/* --- counting --------------------------------------------------------------------------------------------------- */

static bool waits_for_count(const Pit *p, unsigned n)
{
    return p->progress[n].loads_ns == NOT_YET;
}

/* While a channel stands, so does what it waits for. */
static bool has_null_count(const Pit *p, unsigned n)
{
    const Progress *progress = &p->progress[n];

    return (progress->stands_ns == TIMER_NEVER ? p->now_ns : progress->stands_ns) < progress->loads_ns;
}

static bool must_stand(const Pit *p, unsigned n)
{
    const PitChannel *c = &p->s.channels[n];

    switch (c->mode) {
    case 0:
        return !c->gate || c->write_state == PIT_WORD_HIGH || waits_for_count(p, n);
    case 2:
    case 3:
        return !c->gate || waits_for_count(p, n);
    case 4:
        return !c->gate;
    default:
        return false;
    }
}

/* After anything that stops the counter, or lets it go on. */
static void settle(Pit *p, unsigned n)
{
    Progress *progress = &p->progress[n];
    PitChannel *c = &p->s.channels[n];
    bool stands = must_stand(p, n);

    if (stands && progress->stands_ns == TIMER_NEVER) {
        progress->stands_ns = p->now_ns;
    } else if (!stands && progress->stands_ns != TIMER_NEVER) {
        pit_channel_delay(c, p->now_ns - progress->stands_ns);
        progress->stands_ns = TIMER_NEVER;
    }
}

/* The count reaches the counter. */
static void load_counter(Pit *p, unsigned n)
{
    p->s.channels[n].count_load_time = p->now_ns;
    p->progress[n] = (Progress){.stands_ns = TIMER_NEVER, .loads_ns = p->now_ns};
    settle(p, n);
}

static bool pin_out(const Pit *p, unsigned n)
{
    const PitChannel *c = &p->s.channels[n];

    if (c->mode == 0 && (c->write_state == PIT_WORD_HIGH || waits_for_count(p, n)))
        return false;
    if (pit_channel_is_periodic(c) && must_stand(p, n))
        return true;
    return pit_channel_out(c, ticks(p, n));
}

static void write_count(Pit *p, unsigned n, unsigned value)
{
    PitChannel *c = &p->s.channels[n];
    int32_t count = (int32_t)value;

    if (c->bcd)
        count = (int32_t)((value >> 12) * 1000 + (value >> 8 & 15) * 100 + (value >> 4 & 15) * 10 + (value & 15));
    if (count == 0)
        count = c->bcd ? 10000 : PIT_COUNT_MAX;
    if (c->mode == 1 || c->mode == 5) {
        pit_channel_retime(c, 0, count - c->count); /* the same in the counter; the new one with the next trigger */
        c->count = count;
        p->progress[n].loads_ns = NOT_YET;
    } else if (pit_channel_is_periodic(c) && !must_stand(p, n)) {
        p->progress[n].loads_ns = pit_channel_count_next(c, ticks(p, n), count);
    } else {
        c->count = count;
        load_counter(p, n);
    }
}

static void set_gate(Pit *p, unsigned n, bool level)
{
    PitChannel *c = &p->s.channels[n];
    bool rises = level && !c->gate;

    c->gate = level;
    if (rises && (c->mode == 1 || c->mode == 5 || (pit_channel_is_periodic(c) && !waits_for_count(p, n))))
        load_counter(p, n);
    else
        settle(p, n);
}

/* --- timers ----------------------------------------------------------------------------------------------------- */

static void arm_timer(Pit *p)
{
    PitChannel *c = &p->s.channels[0];
    int64_t tick = ticks(p, 0), change = must_stand(p, 0) ? INT64_MAX : pit_channel_next_change(c, tick),
            ns = TIMER_NEVER;

    if (p->s.irq_disabled) {
        timer_disarm(&p->timer);
        return;
    }
    if (change != INT64_MAX)
        ns = pit_channel_time(c, change);
    if (change != INT64_MAX && pit_channel_is_periodic(c) && pit_channel_out(c, tick))
        ns = MAX(ns, p->now_ns + SHORTEST_NS);
    if (ns == INT64_MAX) /* a time of loading that no guest can have made */
        ns = TIMER_NEVER;
    c->next_transition_time = ns;
    timer_arm(&p->timer, ns);
}

static void drive_irq(Pit *p)
{
    irq_set(&p->irq, !p->s.irq_disabled && pin_out(p, 0));
}

/* Edges that should have been until now. However many there are, of those that went up one is left. */
static void catch_up(Pit *p)
{
    const PitChannel *c = &p->s.channels[0];

    if (!p->s.irq_disabled && !must_stand(p, 0) &&
        pit_channel_rises(c, pit_channel_tick(c, p->now_ns)) != pit_channel_rises(c, pit_channel_tick(c, p->seen_ns))) {
        irq_set(&p->irq, false);
        irq_set(&p->irq, true);
    }
    p->seen_ns = p->now_ns;
    drive_irq(p);
}

/* After channel 0 was changed. */
static void update_irq(Pit *p)
{
    p->seen_ns = p->now_ns;
    drive_irq(p);
    arm_timer(p);
}

static void expired(void *opaque)
{
    Pit *p = opaque;

    look_at_clock(p);
    catch_up(p);
    arm_timer(p);
}

/* --- state ------------------------------------------------------------------------------------------------------ */

/*
 * A counter that stands was loaded as long ago as if it had never stood before. Whether a count has yet to come is in
 * the status byte, where it is for the guest; if one is latched, what it says is said already, and the rest is lost.
 */
static bool pull(void *opaque, GError **error)
{
    Pit *p = opaque;

    (void)error;
    look_at_clock(p);
    for (unsigned n = 0; n < PIT_CHANNELS; n++) {
        PitChannel *c = &p->s.channels[n];
        Progress *progress = &p->progress[n];
        if (progress->stands_ns != TIMER_NEVER) {
            pit_channel_delay(c, p->now_ns - progress->stands_ns);
            if (!waits_for_count(p, n))
                progress->loads_ns += p->now_ns - progress->stands_ns;
            progress->stands_ns = p->now_ns;
        }
        if (c->status_latched)
            continue;
        c->status &= (uint8_t)~PIT_STATUS_NULL;
        if (has_null_count(p, n))
            c->status = PIT_STATUS_NULL | (waits_for_count(p, n) ? 0 : STATUS_LATER);
    }
    return true;
}

/*
 * Until when the edges had gone out where it was saved, if it is not until now: the next change is in the past, or
 * arm_timer put it off, as OUT was high and changes too fast.
 */
static int64_t edges_until(const Pit *p, int64_t next_ns)
{
    const PitChannel *c = &p->s.channels[0];
    int64_t put_off_ns, tick, next_tick;

    if (next_ns <= 0 || p->s.irq_disabled || must_stand(p, 0))
        return p->now_ns;
    put_off_ns = next_ns - SHORTEST_NS;
    tick = pit_channel_tick(c, put_off_ns);
    next_tick = pit_channel_tick(c, next_ns);
    bool rises = pit_channel_out(c, next_tick) && !pit_channel_out(c, pit_channel_tick(c, next_ns - 1));
    if (put_off_ns <= p->now_ns && pit_channel_is_periodic(c) && pit_channel_out(c, tick) &&
        pit_channel_next_change(c, tick) < next_tick && !rises)
        return put_off_ns;
    return MIN(next_ns - 1, p->now_ns);
}

/* The time of the next change is what follows from the rest, unless an edge that has been has yet to go out. */
static void push(void *opaque)
{
    Pit *p = opaque;
    PitChannel *c = &p->s.channels[0];
    int64_t next_ns = c->next_transition_time;

    look_at_clock(p);
    for (unsigned n = 0; n < PIT_CHANNELS; n++) {
        const PitChannel *each = &p->s.channels[n];
        bool null = !each->status_latched && (each->status & PIT_STATUS_NULL);
        p->progress[n] = (Progress){.stands_ns = TIMER_NEVER, .loads_ns = null ? NOT_YET : p->now_ns};
        if (null && (each->status & STATUS_LATER))
            p->progress[n].loads_ns = MIN(pit_channel_end(each, p->now_ns), p->now_ns + NS_PER_SECOND);
        settle(p, n);
    }
    p->seen_ns = edges_until(p, next_ns);
    if (p->seen_ns < p->now_ns) {
        irq_set(&p->irq, pit_channel_out(c, pit_channel_tick(c, p->seen_ns)));
        timer_arm(&p->timer, MAX(next_ns, p->now_ns));
        return;
    }
    update_irq(p);
    if (next_ns > 0 && next_ns < c->next_transition_time) /* it is not put off because of the load */
        timer_arm(&p->timer, next_ns);
    c->next_transition_time = next_ns;
}

static const VMStateDescription i8254_state = {
    .name = "i8254",
    .version = PIT_VERSION,
    .minimum = PIT_MINIMUM,
    .size = sizeof(PitState),
    .fields = i8254_fields,
    .pull = pull,
    .check = i8254_check,
    .push = push,
};

/* --- registers -------------------------------------------------------------------------------------------------- */

/* A second latch before the first was read has no effect. */
static void latch_count(Pit *p, unsigned n)
{
    PitChannel *c = &p->s.channels[n];

    if (c->count_latched != PIT_NONE)
        return;
    c->latched_count = pit_channel_counter(c, ticks(p, n));
    c->count_latched = c->rw_mode;
}

static void latch_status(Pit *p, unsigned n)
{
    PitChannel *c = &p->s.channels[n];

    if (c->status_latched)
        return;
    c->status_latched = 1;
    c->status = (uint8_t)(c->rw_mode << CONTROL_RW_SHIFT | c->mode << CONTROL_MODE_SHIFT | c->bcd);
    if (pin_out(p, n))
        c->status |= PIT_STATUS_OUT;
    if (has_null_count(p, n))
        c->status |= PIT_STATUS_NULL;
}

/* OUT goes where the mode starts: low in mode 0, otherwise high, which in modes 1, 4 and 5 is where it ends, too. */
static void program(Pit *p, unsigned n, uint8_t control)
{
    PitChannel *c = &p->s.channels[n];
    uint8_t rw = control >> CONTROL_RW_SHIFT & 3, mode = control >> CONTROL_MODE_SHIFT & 7;

    c->mode = mode > PIT_MODE_MAX ? mode & 3 : mode;
    c->bcd = control & CONTROL_BCD;
    c->rw_mode = c->read_state = c->write_state = rw;
    c->count_latched = c->status_latched = 0;
    c->count_load_time = p->now_ns;
    if (c->mode == 1 || c->mode >= 4)
        pit_channel_retime(c, 0, c->count + 1);
    p->progress[n] = (Progress){.stands_ns = TIMER_NEVER, .loads_ns = NOT_YET};
    settle(p, n);
}

static void write_control(Pit *p, uint8_t control)
{
    unsigned n = control >> CONTROL_CHANNEL_SHIFT;

    if (n == CONTROL_READ_BACK) {
        for (n = 0; n < PIT_CHANNELS; n++) {
            if (!(control & READ_BACK_CHANNEL_0 << n))
                continue;
            if (!(control & READ_BACK_NO_COUNT))
                latch_count(p, n);
            if (!(control & READ_BACK_NO_STATUS))
                latch_status(p, n);
        }
    } else if ((control >> CONTROL_RW_SHIFT & 3) == 0) {
        latch_count(p, n);
    } else {
        if (n == 0)
            catch_up(p);
        program(p, n, control);
        if (n == 0)
            update_irq(p);
    }
}

static void write_counter(Pit *p, unsigned n, uint8_t value)
{
    PitChannel *c = &p->s.channels[n];

    if (n == 0)
        catch_up(p);
    switch (c->write_state) {
    case PIT_WORD:
        c->write_latch = value;
        c->write_state = PIT_WORD_HIGH;
        settle(p, n); /* in mode 0 the first octet stops the counter */
        break;
    case PIT_WORD_HIGH:
        c->write_state = PIT_WORD;
        write_count(p, n, (unsigned)value << 8 | c->write_latch);
        break;
    case PIT_HIGH:
        write_count(p, n, (unsigned)value << 8);
        break;
    default:
        write_count(p, n, value);
    }
    if (n == 0)
        update_irq(p);
}

static uint8_t read_counter(Pit *p, unsigned n)
{
    PitChannel *c = &p->s.channels[n];
    uint16_t value = c->count_latched != PIT_NONE ? c->latched_count : pit_channel_counter(c, ticks(p, n));

    if (c->status_latched) {
        c->status_latched = 0;
        return c->status;
    }
    if (c->count_latched != PIT_NONE) {
        bool high = c->count_latched == PIT_HIGH;
        c->count_latched = c->count_latched == PIT_WORD ? PIT_HIGH : PIT_NONE;
        return (uint8_t)(high ? value >> 8 : value);
    }
    switch (c->read_state) {
    case PIT_WORD:
        c->read_state = PIT_WORD_HIGH;
        return (uint8_t)value;
    case PIT_WORD_HIGH:
        c->read_state = PIT_WORD;
        return (uint8_t)(value >> 8);
    default:
        return (uint8_t)(c->read_state == PIT_HIGH ? value >> 8 : value);
    }
}

/* The control word cannot be read; there is no counter of that number. */
static uint64_t read_port(void *opaque, uint64_t addr, unsigned size)
{
    (void)size;
    look_at_clock(opaque);
    return addr < PIT_CHANNELS ? read_counter(opaque, (unsigned)addr) : 0;
}

static void write_port(void *opaque, uint64_t addr, uint64_t value, unsigned size)
{
    (void)size;
    look_at_clock(opaque);
    if (addr == PIT_CONTROL)
        write_control(opaque, (uint8_t)value);
    else if (addr < PIT_CHANNELS)
        write_counter(opaque, (unsigned)addr, (uint8_t)value);
}

static const IoOps ops = {.read = read_port, .write = write_port, .max = 1};

/* --- lines ------------------------------------------------------------------------------------------------------ */

static bool gate_of(Device *pit, unsigned n)
{
    return n < PIT_CHANNELS && ((Pit *)pit)->s.channels[n].gate;
}

static void drive_gate(Device *pit, unsigned n, bool level)
{
    Pit *p = (Pit *)pit;

    if (n >= PIT_CHANNELS)
        return;
    look_at_clock(p);
    if (n == 0)
        catch_up(p);
    set_gate(p, n, level);
    if (n == 0)
        update_irq(p);
}

static bool out_of(Device *pit, unsigned n)
{
    if (n >= PIT_CHANNELS)
        return false;
    look_at_clock((Pit *)pit);
    return pin_out((Pit *)pit, n);
}

const PitOps i8254_ops = {.gate = gate_of, .set_gate = drive_gate, .out = out_of};

static void hpet_legacy(void *opaque, unsigned n, bool level)
{
    Pit *p = opaque;

    (void)n;
    if (p->s.irq_disabled == level)
        return;
    look_at_clock(p);
    catch_up(p);
    p->s.irq_disabled = level;
    update_irq(p);
}

/* --- life ------------------------------------------------------------------------------------------------------- */

/* The chip's own state is undefined then; the BIOS' is this one: square waves of the longest period. */
static void reset(Device *dev)
{
    Pit *p = (Pit *)dev;

    look_at_clock(p);
    p->s = (PitState){.irq_disabled = 0};
    for (unsigned n = 0; n < PIT_CHANNELS; n++) {
        p->s.channels[n] = (PitChannel){.count = PIT_COUNT_MAX, .mode = 3, .gate = n != 2};
        load_counter(p, n);
    }
    update_irq(p);
}

static bool realize(Device *dev, GError **error)
{
    Pit *p = (Pit *)dev;

    (void)error;
    timer_init(&p->timer, dev->machine->virtual_clock, expired, p);
    p->ports = space_map(dev->machine->ports, &(SpaceMapping){.base = PIT_PORT, .size = 4, .ops = &ops, .opaque = p});
    return true;
}

static void unrealize(Device *dev)
{
    Pit *p = (Pit *)dev;

    space_unmap(dev->machine->ports, p->ports);
    timer_done(&p->timer);
}

static const DeviceInput inputs[] = {
    {.name = "hpet legacy", .count = 1, .set = hpet_legacy},
    {.name = NULL},
};

static const DeviceOutput outputs[] = {
    DEVICE_OUTPUT(Pit, irq, "irq"),
    {.name = NULL},
};

const DeviceType i8254_type = {
    .name = "isa-pit",
    .about = "programmable interval timer (8254)",
    .size = sizeof(Pit),
    .state = &i8254_state,
    .state_offset = offsetof(Pit, s),
    .inputs = inputs,
    .outputs = outputs,
    .realize = realize,
    .unrealize = unrealize,
    .reset = reset,
};
