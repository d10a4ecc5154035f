/*
 * i8254.h: what all PITs have in common, be they in user space or in KVM: the state that is saved, and the speaker's
 * end of them.
 */
#ifndef EMU_DEV_I8254_H
#define EMU_DEV_I8254_H

#include "emu/core/device.h"

enum {
    PIT_HZ = 1193182,
    PIT_CHANNELS = 3, /* 0: interrupts, 1: refresh of memory, 2: the speaker */
    PIT_COUNT_MAX = 0x10000,
    PIT_MODE_MAX = 5,
};

/* Which octet comes next, and what a control word says of it (without PIT_WORD_HIGH). */
enum { PIT_NONE, PIT_LOW, PIT_HIGH, PIT_WORD, PIT_WORD_HIGH };

/* Bits of `status`, as the read-back command gives it. */
enum { PIT_STATUS_NULL = 1 << 6, PIT_STATUS_OUT = 1 << 7 };

typedef struct PitChannel {
    int32_t count; /* 1 to 65536 */
    uint16_t latched_count;
    uint8_t count_latched; /* which octets of it are to be read: PIT_NONE to PIT_WORD */
    uint8_t status_latched;
    uint8_t status; /* not latched: PIT_STATUS_NULL of the channel, of what sort that is, and rests */
    uint8_t read_state, write_state;
    uint8_t write_latch; /* the low octet, in state PIT_WORD_HIGH */
    uint8_t rw_mode, mode, bcd, gate;
    int64_t count_load_time; /* virtual ns */
    int64_t next_transition_time;
} PitChannel;

typedef struct PitState {
    uint32_t irq_disabled; /* 0 or 1: the HPET has taken IRQ 0 */
    PitChannel channels[PIT_CHANNELS];
} PitState;

/* For the description of section "i8254" (PIT_VERSION, PIT_MINIMUM), which each PIT has with its own pull and push. */
enum { PIT_VERSION = 3, PIT_MINIMUM = 2 };
extern const VMStateField i8254_fields[];
bool i8254_check(const void *state, GError **error);

/*
 * What a channel does, by ticks of CLK: tick 0 is the one of count_load_time. They are negative if a count is loaded in
 * the future, the sequence before it being still on. The counter is taken to run.
 */
int64_t pit_channel_time(const PitChannel *c, int64_t tick);
int64_t pit_channel_tick(const PitChannel *c, int64_t ns); /* the last whose time has come */
bool pit_channel_out(const PitChannel *c, int64_t tick);

/* The tick of OUT's next change; INT64_MAX: there is none. */
int64_t pit_channel_next_change(const PitChannel *c, int64_t tick);

/* How often OUT has gone up until then, counted from anywhere. */
int64_t pit_channel_rises(const PitChannel *c, int64_t tick);

/* The counter as the guest reads it. */
uint16_t pit_channel_counter(const PitChannel *c, int64_t tick);

/* It is tick `from`; makes it tick `to`, as far from the one before and after as it was. */
void pit_channel_retime(PitChannel *c, int64_t from, int64_t to);

/* The counter has stood for so long. */
void pit_channel_delay(PitChannel *c, int64_t ns);

/* In modes 2 and 3: a count that is used from the end of the period, or the half of it, on. Returns when that is. */
int64_t pit_channel_count_next(PitChannel *c, int64_t tick, int32_t count);

/* When that is of a count that was noted before. */
int64_t pit_channel_end(const PitChannel *c, int64_t ns);

static inline bool pit_channel_is_periodic(const PitChannel *c)
{
    return c->mode == 2 || c->mode == 3;
}

/* The other end of a channel's pins. OUT is the one of now. */
typedef struct PitOps {
    bool (*gate)(Device *pit, unsigned channel);
    void (*set_gate)(Device *pit, unsigned channel, bool level);
    bool (*out)(Device *pit, unsigned channel);
} PitOps;

extern const PitOps i8254_ops; /* of devices of i8254_type */

#endif
