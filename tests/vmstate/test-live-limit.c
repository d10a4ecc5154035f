/* test-live-limit.c: how fast a live migration goes, how fast it may go, whether it will end. */
#include <criterion/criterion.h>

#include "vmstate/live-limit.h"

enum { SECOND = 1000000, MIB = 1 << 20, PAGES_OF_MIB = 256 };

Test(live_limit, what_is_sent_in_a_window_is_the_bandwidth)
{
    const LiveLimits none = {.bandwidth = 0};
    LiveMeter m;

    live_meter_start(&m, 5 * SECOND);
    cr_assert_eq(live_meter_bandwidth(&m, &none, 5 * SECOND + 1, 1000), 0, "too early to tell");
    cr_assert_eq(live_meter_bandwidth(&m, &none, 5 * SECOND + 50000, 5 * MIB), 100 * MIB);
    live_meter_sent(&m, 5 * SECOND + LIVE_WINDOW_US - 1, 9 * MIB, 9);
    cr_assert_eq(m.bandwidth, 0, "the window is not over");
    live_meter_sent(&m, 5 * SECOND + LIVE_WINDOW_US, 10 * MIB, 10 * PAGES_OF_MIB);
    cr_assert_eq(m.bandwidth, 100 * MIB);
    cr_assert_eq(m.pages_rate, 100 * PAGES_OF_MIB);
    live_meter_sent(&m, 5 * SECOND + 3 * LIVE_WINDOW_US, 11 * MIB, 11 * PAGES_OF_MIB);
    cr_assert_eq(m.bandwidth, 5 * MIB);
    cr_assert_eq(live_time_ms(m.bandwidth, m.bandwidth), 1000);
    cr_assert_eq(live_time_ms(1, 0), -1);
}

Test(live_limit, what_a_window_may_have_is_sent_at_once_and_then_nothing)
{
    const LiveLimits slow = {.bandwidth = 10 * MIB}, none = {.bandwidth = 0};
    LiveMeter m;

    live_meter_start(&m, 0);
    cr_assert_eq(live_meter_pause(&m, &slow, 10, MIB - 1), 0);
    cr_assert_eq(live_meter_pause(&m, &slow, 10, MIB), LIVE_WINDOW_US - 10);
    cr_assert_eq(live_meter_pause(&m, &none, 10, 100 * MIB), 0);
    cr_assert_eq(live_meter_pause(&m, &slow, LIVE_WINDOW_US, 100 * MIB), 0, "a new window");
    cr_assert_eq(live_meter_bandwidth(&m, &slow, 50000, MIB), 0, "a burst is no bandwidth");
    live_meter_sent(&m, LIVE_WINDOW_US, MIB, 0);
    cr_assert_eq(live_meter_bandwidth(&m, &slow, LIVE_WINDOW_US + 1, MIB), 10 * MIB);
    cr_assert_eq(live_meter_pause(&m, &slow, LIVE_WINDOW_US + 1, MIB), 0);
}

/* Looks once a second, between which so many MiB were written and sent. */
static bool looked(LiveMeter *m, const LiveLimits *limits, unsigned *second, uint64_t written, uint64_t sent)
{
    return live_meter_looked(m, limits, ++*second * (int64_t)SECOND, written * PAGES_OF_MIB,
                             m->round_octets + sent * MIB);
}

Test(live_limit, a_guest_that_writes_too_fast_is_slowed_down_step_by_step)
{
    const LiveLimits limits = {.throttles = true, .trigger = 50, .first = 20, .step = 30, .most = 75};
    unsigned second = 0;
    LiveMeter m;

    live_meter_start(&m, 0);
    cr_assert_not(looked(&m, &limits, &second, 100, 10), "once is not enough");
    cr_assert_eq(m.dirty_rate, 100 * PAGES_OF_MIB);
    cr_assert_not(looked(&m, &limits, &second, 5, 10), "half as much is not too much");
    cr_assert_not(looked(&m, &limits, &second, 6, 10));
    cr_assert(looked(&m, &limits, &second, 6, 10));
    cr_assert_eq(m.throttle, 20);
    cr_assert_not(looked(&m, &limits, &second, 6, 10));
    cr_assert(looked(&m, &limits, &second, 6, 10));
    cr_assert_eq(m.throttle, 50);
    looked(&m, &limits, &second, 6, 10);
    cr_assert(looked(&m, &limits, &second, 6, 10));
    cr_assert_eq(m.throttle, 75, "it is never more");
    for (int i = 0; i < 4; i++)
        cr_assert_not(looked(&m, &limits, &second, 6, 10));
    cr_assert_eq(m.throttle, 75);
}

Test(live_limit, nobody_is_slowed_down_who_is_not_to_be)
{
    const LiveLimits limits = {.throttles = false, .trigger = 50, .first = 20, .step = 30, .most = 75};
    unsigned second = 0;
    LiveMeter m;

    live_meter_start(&m, 0);
    for (int i = 0; i < 5; i++)
        cr_assert_not(looked(&m, &limits, &second, 100, 1));
    cr_assert_eq(m.throttle, 0);
}
