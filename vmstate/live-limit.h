/*
 * live-limit.h: how fast a live migration goes, how fast it may go, and whether it will end.
 *
 * Only arithmetic: times are given, in microseconds of any clock.
 */
#ifndef VMSTATE_LIVE_LIMIT_H
#define VMSTATE_LIVE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

typedef struct LiveLimits {
    uint64_t bandwidth;   /* octets a second while the guest runs; 0: as many as can be */
    uint64_t downtime_ms; /* that the guest may stand */
    bool throttles;       /* the guest may be slowed down: */
    unsigned trigger;     /* when this percentage of what is sent is written meanwhile, twice in a row; */
    unsigned first, step; /* by this percentage at first, and by so much more each time, */
    unsigned most;        /* but never more than this */
} LiveLimits;

/* What is measured. All zeros but for the times is how it begins. */
typedef struct LiveMeter {
    int64_t window_us;                    /* the window that is measured now began then, */
    uint64_t window_octets, window_pages; /* with so much sent before */
    uint64_t bandwidth, pages_rate;       /* a second: in the last window; 0: there was none yet */
    int64_t round_us;                     /* the same of what is written: between two looks at it */
    uint64_t round_octets;
    uint64_t dirty_rate; /* pages a second */
    unsigned strikes, throttle;
} LiveMeter;

enum { LIVE_WINDOW_US = 100000, LIVE_ROUND_US = 100000 };

void live_meter_start(LiveMeter *meter, int64_t now_us);

/* So much was sent in all. */
void live_meter_sent(LiveMeter *meter, int64_t now_us, uint64_t octets, uint64_t pages);

/* For how long nothing may be sent now, in microseconds. */
int64_t live_meter_pause(const LiveMeter *meter, const LiveLimits *limits, int64_t now_us, uint64_t octets);

/*
 * Octets a second, as far as is known; 0: not at all. What was sent at once in a window that is to be slow tells
 * nothing before the window has ended.
 */
uint64_t live_meter_bandwidth(const LiveMeter *meter, const LiveLimits *limits, int64_t now_us, uint64_t octets);

/*
 * Somebody has looked: so many pages were written since the last look, and so much has been sent in all. True: the
 * guest is to be slowed down, to meter->throttle.
 */
bool live_meter_looked(LiveMeter *meter, const LiveLimits *limits, int64_t now_us, uint64_t pages, uint64_t octets);

/* How long so many octets take at that bandwidth, in milliseconds; -1: that is not known. */
int64_t live_time_ms(uint64_t octets, uint64_t bandwidth);

#endif
