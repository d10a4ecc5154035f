/* live-limit.c: how fast a live migration goes, how fast it may go, and whether it will end. */
#include "vmstate/live-limit.h"

#include <glib.h>

#include "vmstate/ram.h"

enum { STRIKES = 2, PERCENT = 100, LEAST_US = 10000 };

static uint64_t per_second(uint64_t what, int64_t us)
{
    return (uint64_t)((double)what * G_USEC_PER_SEC / (double)MAX(us, 1));
}

void live_meter_start(LiveMeter *m, int64_t now_us)
{
    *m = (LiveMeter){.window_us = now_us, .round_us = now_us};
}

void live_meter_sent(LiveMeter *m, int64_t now_us, uint64_t octets, uint64_t pages)
{
    int64_t us = now_us - m->window_us;

    if (us < LIVE_WINDOW_US)
        return;
    m->bandwidth = per_second(octets - m->window_octets, us);
    m->pages_rate = per_second(pages - m->window_pages, us);
    m->window_us = now_us;
    m->window_octets = octets;
    m->window_pages = pages;
}

/* What a window may have is sent as fast as it can be, and then nothing until it ends. */
int64_t live_meter_pause(const LiveMeter *m, const LiveLimits *limits, int64_t now_us, uint64_t octets)
{
    double may = (double)limits->bandwidth * LIVE_WINDOW_US / G_USEC_PER_SEC;
    int64_t left = m->window_us + LIVE_WINDOW_US - now_us;

    return limits->bandwidth && (double)(octets - m->window_octets) >= may && left > 0 ? left : 0;
}

uint64_t live_meter_bandwidth(const LiveMeter *m, const LiveLimits *limits, int64_t now_us, uint64_t octets)
{
    int64_t us = now_us - m->window_us;

    if (m->bandwidth || limits->bandwidth || us < LEAST_US)
        return m->bandwidth;
    return per_second(octets - m->window_octets, us);
}

bool live_meter_looked(LiveMeter *m, const LiveLimits *limits, int64_t now_us, uint64_t pages, uint64_t octets)
{
    int64_t us = now_us - m->round_us;
    uint64_t sent = octets - m->round_octets;

    m->dirty_rate = per_second(pages, us);
    m->round_us = now_us;
    m->round_octets = octets;
    if (!limits->throttles || pages * RAM_PAGE <= sent * limits->trigger / PERCENT) {
        m->strikes = 0;
        return false;
    }
    if (++m->strikes < STRIKES || m->throttle >= limits->most)
        return false;
    m->strikes = 0;
    m->throttle = MIN(m->throttle ? m->throttle + limits->step : limits->first, limits->most);
    return true;
}

int64_t live_time_ms(uint64_t octets, uint64_t bandwidth)
{
    return bandwidth ? (int64_t)((double)octets * 1000 / (double)bandwidth) : -1;
}
