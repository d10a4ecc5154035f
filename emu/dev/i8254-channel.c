/*
 * i8254-channel.c: what follows from the state of a channel of the 8254, and how it is saved.
 *
 * Source: Intel 8254 data sheet (231164), the definitions of the six modes.
 *
 * A channel's counter is not counted: all there is to know of it follows from the count and from the time when it was
 * loaded, `ticks` ago. There is one count only, though the chip has a register for the next one, too. A count that is
 * to be used later (modes 1, 2, 3 and 5) is noted at once, and the time of loading is moved so that the running
 * sequence ends when it should: it may then lie in the future (the ticks are negative).
 */
#include "emu/core/clock.h"
#include "emu/dev/i8254.h"

/* --- ticks ------------------------------------------------------------------------------------------------------ */

static int64_t clamp(__int128 value)
{
    return (int64_t)CLAMP(value, (__int128)INT64_MIN, (__int128)INT64_MAX);
}

static __int128 divide_down(__int128 a, __int128 b)
{
    return a / b - (a % b < 0);
}

int64_t pit_channel_time(const PitChannel *c, int64_t tick)
{
    return clamp(c->count_load_time + divide_down((__int128)tick * NS_PER_SECOND, PIT_HZ));
}

int64_t pit_channel_tick(const PitChannel *c, int64_t ns)
{
    __int128 passed = (__int128)ns - c->count_load_time;

    return clamp(divide_down((passed + 1) * PIT_HZ - 1, NS_PER_SECOND));
}

void pit_channel_retime(PitChannel *c, int64_t from, int64_t to)
{
    c->count_load_time = pit_channel_time(c, from - to);
}

void pit_channel_delay(PitChannel *c, int64_t ns)
{
    c->count_load_time = clamp((__int128)c->count_load_time + ns);
}

/* --- the modes -------------------------------------------------------------------------------------------------- */

/* Ticks of a period of mode 3 in which OUT is high. */
static int64_t high_half(const PitChannel *c)
{
    return (c->count + 1) / 2;
}

bool pit_channel_out(const PitChannel *c, int64_t tick)
{
    switch (c->mode) {
    case 0:
    case 1:
        return tick >= c->count;
    case 2:
        return tick < 0 ? tick != -1 : tick % c->count != c->count - 1;
    case 3:
        return tick < 0 || tick % c->count < high_half(c);
    default:
        return tick != c->count;
    }
}

int64_t pit_channel_rises(const PitChannel *c, int64_t tick)
{
    switch (c->mode) {
    case 0:
    case 1:
        return tick >= c->count;
    case 2:
    case 3:
        if (c->count == 1)
            return 0;
        return tick >= 0 ? tick / c->count : c->mode == 2 ? -1 : 0;
    default:
        return tick > c->count;
    }
}

int64_t pit_channel_next_change(const PitChannel *c, int64_t tick)
{
    int64_t phase = tick < 0 ? tick : tick % c->count;

    switch (c->mode) {
    case 2:
        if (tick < -1)
            return -1;
        if (c->count == 1)
            return INT64_MAX;
        return tick == -1 || phase == c->count - 1 ? tick + 1 : tick - phase + c->count - 1;
    case 3:
        if (c->count == 1)
            return INT64_MAX;
        return tick - phase + (phase < high_half(c) ? high_half(c) : c->count);
    case 4:
    case 5:
        return tick < c->count ? c->count : tick == c->count ? tick + 1 : INT64_MAX;
    default:
        return tick < c->count ? c->count : INT64_MAX;
    }
}

/* The counter. In mode 3 it goes down by two, and of an odd count by one less than the count in each half. */
static int64_t counter_at(const PitChannel *c, int64_t tick)
{
    int64_t phase = tick < 0 ? tick : tick % c->count;

    switch (c->mode) {
    case 2:
        return tick < 0 ? -tick : c->count - phase;
    case 3:
        return (c->count & ~1) - 2 * (phase < high_half(c) ? phase : phase - high_half(c));
    default:
        return c->count - tick;
    }
}

uint16_t pit_channel_counter(const PitChannel *c, int64_t tick)
{
    int64_t range = c->bcd ? 10000 : PIT_COUNT_MAX, value = counter_at(c, tick) % range;

    value += value < 0 ? range : 0;
    if (c->bcd)
        value = value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10;
    return (uint16_t)value;
}

int64_t pit_channel_count_next(PitChannel *c, int64_t tick, int32_t count)
{
    PitChannel next = *c;
    int64_t phase = tick < 0 ? tick : tick % c->count, left, to;

    next.count = count;
    if (c->mode == 2) {
        left = tick < 0 ? -tick : c->count - phase;
        to = left <= count ? count - left : -left;
    } else if (phase < high_half(c)) {
        left = high_half(c) - phase;
        to = high_half(&next) - left;
    } else {
        left = MIN(c->count - phase, count / 2);
        to = count - left;
    }
    pit_channel_retime(&next, tick, to);
    *c = next;
    return pit_channel_time(c, to + left);
}

int64_t pit_channel_end(const PitChannel *c, int64_t ns)
{
    int64_t tick = pit_channel_tick(c, ns), phase = tick < 0 ? tick : tick % c->count;

    if (c->mode == 2 && tick < 0)
        return pit_channel_time(c, 0);
    return pit_channel_time(c, tick - phase + (c->mode == 3 && phase < high_half(c) ? high_half(c) : c->count));
}

/* --- state ------------------------------------------------------------------------------------------------------ */

static const VMStateField channel_fields[] = {
    VMS_FIELD(PitChannel, count),
    VMS_FIELD(PitChannel, latched_count),
    VMS_FIELD(PitChannel, count_latched),
    VMS_FIELD(PitChannel, status_latched),
    VMS_FIELD(PitChannel, status),
    VMS_FIELD(PitChannel, read_state),
    VMS_FIELD(PitChannel, write_state),
    VMS_FIELD(PitChannel, write_latch),
    VMS_FIELD(PitChannel, rw_mode),
    VMS_FIELD(PitChannel, mode),
    VMS_FIELD(PitChannel, bcd),
    VMS_FIELD(PitChannel, gate),
    VMS_FIELD(PitChannel, count_load_time),
    VMS_FIELD(PitChannel, next_transition_time),
    VMS_END,
};

static const VMStateDescription channel_state = {
    .name = "pit channel",
    .version = 2,
    .minimum = 2,
    .size = sizeof(PitChannel),
    .fields = channel_fields,
};

/* The last one is twice on the wire, where a timer once was. */
const VMStateField i8254_fields[] = {
    {
        .name = "channels[0].irq_disabled",
        .kind = VMS_SCALAR,
        .scalar = SCALAR_UINT32,
        .offset = offsetof(PitState, irq_disabled),
        .size = sizeof(uint32_t),
        .count = 1,
        .since = 3,
    },
    VMS_SUB_ARRAY(PitState, channels, &channel_state),
    VMS_FIELD(PitState, channels[0].next_transition_time),
    VMS_END,
};

bool i8254_check(const void *state, GError **error)
{
    const PitState *s = state;

    if (s->irq_disabled > 1) {
        g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED,
                    "channels[0].irq_disabled is %" G_GUINT32_FORMAT ", which can be 0 to 1", s->irq_disabled);
        return false;
    }
    for (unsigned n = 0; n < PIT_CHANNELS; n++) {
        const PitChannel *c = &s->channels[n];
        const struct {
            const char *name;
            int32_t value, least, most;
        } ranges[] = {
            {"count", c->count, 1, PIT_COUNT_MAX},
            {"count_latched", c->count_latched, PIT_NONE, PIT_WORD},
            {"status_latched", c->status_latched, 0, 1},
            {"read_state", c->read_state, PIT_NONE, PIT_WORD_HIGH},
            {"rw_mode", c->rw_mode, PIT_NONE, PIT_WORD},
            {"write_state", c->write_state, PIT_NONE, PIT_WORD_HIGH},
            {"mode", c->mode, 0, PIT_MODE_MAX},
            {"bcd", c->bcd, 0, 1},
            {"gate", c->gate, 0, 1},
        };
        for (unsigned i = 0; i < G_N_ELEMENTS(ranges); i++)
            if (ranges[i].value < ranges[i].least || ranges[i].value > ranges[i].most) {
                g_set_error(error, FERRY_ERROR, FERRY_ERROR_REFUSED, "channels[%u].%s is %d, which can be %d to %d", n,
                            ranges[i].name, ranges[i].value, ranges[i].least, ranges[i].most);
                return false;
            }
    }
    return true;
}
